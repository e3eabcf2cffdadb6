"""What the functions of model text accept: every argument is checked against its parameter's annotation in the
library, so a new function needs nothing here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

import sympy as sp

from symbackprop.core.graph import Graph, Node
from symbackprop.errors import ModelError
from symbackprop.model.text.numbers import MAX_DIM, short, whole

Value = Any


@dataclass(frozen=True)
class Callee:
    """A function as model text sees it."""

    name: str
    apply: Callable[..., Node]
    signature: Signature
    takes_graph: bool = False

    def usage(self) -> str:
        """``mean(a, axis=None, keepdims=False)``"""
        parts = [_parameter_text(p) for p in self.signature.parameters.values()]
        return f"{self.name}({', '.join(parts)})"


def _parameter_text(p: Parameter) -> str:
    if p.kind is Parameter.VAR_POSITIONAL:
        return f"{p.name}, …"
    return p.name if p.default is Parameter.empty else f"{p.name}={p.default!r}".replace("'", '"')


class Place:
    """One parameter of a function: what it accepts."""

    def __init__(self, found: Callee, parameter: Parameter, graph: Graph) -> None:
        self.found, self.parameter, self.graph = found, parameter, graph
        self.annotation = str(parameter.annotation)

    def accept(self, value: Value) -> Any:
        rule = RULES.get(self.annotation)
        return rule(self, value) if rule else self.plain(value)

    def fail(self, wanted: str, value: Value) -> ModelError:
        message = f"{self.parameter.name} of {self.found.name} is {wanted}, not {short(value)}"
        if self.found.name in ("max", "min") and isinstance(value, Node) and self.parameter.name == "axis":
            message += f"; to compare two arrays write {self.found.name}imum(a, b)"
        return ModelError(f"{message}; it is called as {self.found.usage()}")

    def row(self, value: Value) -> Node:
        if isinstance(value, Node):
            return value
        if isinstance(value, sp.Expr):
            return self.graph.const(value)
        raise self.fail("an array", value)

    def operand(self, value: Value) -> Any:
        """An array or a number; a number with a default in its place stays one, so that it prints by name."""
        if isinstance(value, sp.Expr) and self.parameter.default is not Parameter.empty:
            return value
        return self.row(value)

    def flag(self, value: Value) -> bool:
        if isinstance(value, bool):
            return value
        raise self.fail("True or False", value)

    def count(self, value: Value) -> int:
        if isinstance(value, sp.Integer):
            return int(value)
        raise self.fail("a whole number", value)

    def size(self, value: Value) -> Any:
        if isinstance(value, sp.Expr) and value.is_integer is not False:
            if value.is_Integer and value > MAX_DIM:
                raise self.fail(f"a size of at most {MAX_DIM}", value)
            return value
        if isinstance(value, tuple) and self.parameter.kind is Parameter.VAR_POSITIONAL:
            return tuple(self.size(v) for v in value)
        raise self.fail("a size (a whole number or a dimension)", value)

    def sizes(self, value: Value) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return tuple(self.size(v) for v in value)
        raise self.fail("a tuple of sizes, such as (N, D)", value)

    def text(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        raise self.fail("a string in double quotes", value)

    def axes(self, value: Value) -> Any:
        if value is None:
            return None
        if isinstance(value, tuple):
            return tuple(whole(v, f"an axis of {self.found.name}") for v in value)
        if isinstance(value, sp.Integer):
            return int(value)
        raise self.fail("a whole number, a tuple of them or None", value)

    def plain(self, value: Value) -> Any:
        """Anything but a string, where the annotation is not one of the known ones."""
        if isinstance(value, str):
            raise self.fail("not a string", value)
        if isinstance(value, tuple):
            return tuple(self.plain(v) for v in value)
        return int(value) if isinstance(value, sp.Integer) else value


RULES: dict[str, Callable[[Place, Value], Any]] = {
    "Node": Place.row,
    "Operand": Place.operand,
    "Axis": Place.axes,
    "Sequence[int] | None": Place.axes,
    "Pair": Place.axes,
    "Pair | None": Place.axes,
    "bool": Place.flag,
    "int": Place.count,
    "DimLike": Place.size,
    "Any": Place.size,
    "Sequence[DimLike]": Place.sizes,
    "str": Place.text,
}
