"""Function calls of model text: looked up in the library's tables and bound to the signature."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any

import sympy as sp

from symbackprop.core.functions import CONSTANTS, FUNCTIONS
from symbackprop.core.graph import Graph, Node, label
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import shape_text
from symbackprop.errors import ModelError, NameProblem, did_you_mean
from symbackprop.model.text.arguments import Callee, Place
from symbackprop.model.text.numbers import short

Value = Any
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@cache
def callee(name: str) -> Callee | None:
    """The function of that name: a library function, a constant array, or a scalar function of the table."""
    if name in FUNCTIONS:
        return Callee(name, FUNCTIONS[name], signature(FUNCTIONS[name]))
    if name in CONSTANTS:
        call = signature(CONSTANTS[name])
        rest = [p.replace(annotation="DimLike") for p in list(call.parameters.values())[1:]]
        return Callee(name, CONSTANTS[name], call.replace(parameters=rest), takes_graph=True)
    if name in TABLE:
        return _scalar(name)
    return None


def _scalar(name: str) -> Callee:
    """A scalar function that is no library function of its own, for example the derivative of another one."""
    places = [Parameter(c, Parameter.POSITIONAL_ONLY, annotation="Operand") for c in "abcd"[: len(TABLE[name].domain)]]

    def apply(graph: Graph, *operands: Any) -> Node:
        return graph.call(name, *operands)

    return Callee(name, apply, Signature(places), takes_graph=True)


def function_names() -> list[str]:
    """Everything that can be called, for suggestions."""
    return sorted({*FUNCTIONS, *CONSTANTS, *(n for n, record in TABLE.items() if record.public)})


def known_callee(name: str, graph: Graph) -> Callee:
    """The function of that name; a `NameProblem` where there is none."""
    found = callee(name)
    if found is not None:
        return found
    if name in graph.names:
        raise NameProblem(f"{name} is an array, not a function: write {name} * (…) or {name} @ …")
    raise NameProblem(f"no function {name[:40]!r}.{did_you_mean(name[:40], function_names())}")


def call(found: Callee, graph: Graph, args: Sequence[Value], options: dict[str, Value]) -> Node | sp.Expr:
    """The row that a call makes; a number when every argument is one and the result is known."""
    try:
        given = _spread(found, args)
        if _wants_many(found) and not given:
            raise TypeError("it needs at least one array")
        bound = found.signature.bind(*given, **options)
    except TypeError as error:
        raise ModelError(f"{found.name}: {_reason(error, options, found)}; it is called as {found.usage()}") from None
    positional, named = _checked(found, bound.arguments, graph)
    row = _applied(found, graph, positional, named)
    numeric = not any(isinstance(a, Node) for a in (*args, *options.values()))
    return row.value if numeric and not row.shape and row.value is not None else row


def _applied(found: Callee, graph: Graph, positional: list[Any], named: dict[str, Any]) -> Node:
    """The call itself. What a library function stumbles over is an argument that does not fit it."""
    try:
        return found.apply(graph, *positional, **named) if found.takes_graph else found.apply(*positional, **named)
    except (AttributeError, IndexError, TypeError, ValueError):
        given = [f"{label(a)} ({shape_text(a.shape)})" if isinstance(a, Node) else short(a) for a in positional]
        raise ModelError(f"{found.name} does not fit {', '.join(given)}; it is called as {found.usage()}") from None


def _spread(found: Callee, args: Sequence[Value]) -> Sequence[Value]:
    """``concat((a, b))`` is ``concat(a, b)``."""
    return args[0] if _wants_many(found) and len(args) == 1 and isinstance(args[0], tuple) else args


def _wants_many(found: Callee) -> bool:
    """Whether a function takes any number of arrays, as concat does."""
    parameters = list(found.signature.parameters.values())
    return bool(parameters) and parameters[0].kind is Parameter.VAR_POSITIONAL and parameters[0].annotation == "Node"


def _reason(error: TypeError, options: dict[str, Value], found: Callee) -> str:
    unknown = [k for k in options if k not in found.signature.parameters]
    if unknown:
        return f"no argument {unknown[0][:40]!r}.{did_you_mean(unknown[0][:40], found.signature.parameters)}"
    return str(error)


def _checked(found: Callee, given: dict[str, Any], graph: Graph) -> tuple[list[Any], dict[str, Any]]:
    """The arguments in the types that the library wants: required ones by place, the others by name."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for name, p in found.signature.parameters.items():
        if name not in given:
            continue
        place = Place(found, p, graph)
        if p.kind is Parameter.VAR_POSITIONAL:
            positional += [place.accept(v) for v in given[name]]
        elif p.kind in _POSITIONAL and p.default is Parameter.empty:
            positional.append(place.accept(given[name]))
        else:
            named[name] = place.accept(given[name])
    return positional, named
