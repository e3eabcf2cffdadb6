"""The PyTorch target: expressions and modules where they differ from NumPy's.

Every value is a tensor on the device of what is given, or, where it is made of sizes and constants alone, a Python
number, which becomes a tensor where PyTorch asks for one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import sympy as sp

from symbackprop.codegen.arrays import RULES, Arrays, Rule
from symbackprop.codegen.helpers import library
from symbackprop.codegen.module import ModulePrinter, names_in
from symbackprop.codegen.program import Assign, is_plain
from symbackprop.codegen.statements import Writer
from symbackprop.codegen.tree import (
    ALL,
    NUMBER,
    Code,
    Expr,
    Line,
    assign,
    attribute,
    call,
    combined,
    index,
    method,
    name,
    transposed,
)
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import nested

DEVICE = "device"


def _reduced(word: str) -> Rule:
    """A reduction over axes, by a method."""

    def rule(p: Arrays, node: Node, a: Code) -> Code:
        axes, keepdims = node.attr
        if len(axes) == node.args[0].ndim and not keepdims:
            return method(a, word)
        kept = {"keepdim": True} if keepdims else {}
        return method(a, word, dim=axes[0] if len(axes) == 1 else tuple(axes), **kept)

    return rule


def _sliced(p: Arrays, node: Node, a: Code) -> Code:
    """Slices go forward; one that runs backwards is flipped."""
    axis, start, length, step = node.attr
    if step > 0:
        return RULES["slice"](p, node, a)
    first = start + step * (length - 1)
    found = index(a, *[ALL] * axis, ast.Slice(p.dim(first), p.dim(start + 1), p.dim(sp.Integer(-step))))
    return p.np("flip", found, (axis,))


def _array_of(p: Arrays, node: Node, *numbers: Code) -> Code:
    """Tensors are stacked; what holds none is made a tensor."""
    if all(a.is_number for a in node.args):
        return p.made("tensor", nested(node.shape, [x.code for x in Arrays.arguments(p, node)]),
                      dtype=p.dtype_of(node.kind))
    whole = p.np("stack", [*numbers])
    return whole if node.ndim == 1 else method(whole, "reshape", p.dims(node.shape))


class Torch(Arrays):
    """Rows as expressions of PyTorch."""

    target: ClassVar[str] = "torch"
    module: ClassVar[str] = "torch"
    axis: ClassVar[str] = "dim"
    counts: ClassVar[bool] = True
    integer: ClassVar[Code] = attribute("torch", "long")
    planned: ClassVar = {}
    rules: ClassVar = RULES | {
        "sum": _reduced("sum"), "max": _reduced("amax"), "slice": _sliced,
        "prod": lambda p, node, a: method(a, "prod", dim=node.attr),
        "flip": lambda p, node, a: p.np("flip", a, (node.attr,)),
        "argsort": lambda p, node, a: p.np("argsort", a, dim=node.attr, stable=True),
        "array_of": _array_of,
        "eye": lambda p, node: p.made("eye", p.dim(node.attr), dtype=name("dtype")),
    }

    @classmethod
    def made(cls, function: str, *args: Any, dtype: Code | None = None, **options: Any) -> Code:
        kind = {} if dtype is None else {"dtype": dtype}
        return cls.np(function, *args, **options, **kind, device=name(DEVICE))

    def sizes(self, shape: Sequence[sp.Expr]) -> Any:
        return self.dims(shape)

    @classmethod
    def tensor(cls, code: Code, kind: str) -> Code:
        """A number as a tensor; a tensor stays one."""
        return cls.made("as_tensor", code, dtype=cls.dtype_of(kind))

    @classmethod
    def cast(cls, expr: Expr, kind: str) -> Code:
        return cls.tensor(expr.code, kind) if expr.kind == NUMBER else method(expr.code, "to", cls.dtype_of(kind))

    @classmethod
    def held(cls, code: Code) -> Code:
        return cls.copied(code)

    @classmethod
    def copied(cls, code: Code) -> Code:
        return method(code, "clone")

    @classmethod
    def repeated(cls, code: Code, count: Code, axis: int) -> Code:
        return method(code, "repeat_interleave", count, axis)

    @classmethod
    def permuted(cls, code: Code, order: Sequence[int]) -> Code:
        return method(code, "permute", *order)

    @classmethod
    def flipped(cls, code: Code, rank: int) -> Code:
        return transposed(code) if rank == 2 else cls.permuted(code, range(rank)[::-1])

    @classmethod
    def log(cls, code: Code) -> Code:
        return call("log_of", code)

    def row(self, node: Node) -> Expr:
        """What is calculated of numbers alone stays one; a function of them is a tensor."""
        if node.form is None or node.ndim or not all(map(is_plain, node.args)):
            return super().row(node)
        found = self.kernel(node)
        return found if found.kind == NUMBER else Expr(self.tensor(found.code, node.kind), (), node.kind)

    def arguments(self, node: Node) -> list[Expr]:
        return [*map(self.as_tensor, super().arguments(node))]

    def function(self, word: str, *args: Expr) -> Expr:
        """A function of PyTorch; those that it has not for plain numbers are helpers of the module, which take them
        beside a tensor."""
        args = self.some_tensor(args)
        code = self.np(word, *[a.code for a in args])
        plain = isinstance(code, ast.Call) and isinstance(code.func, ast.Name)
        return combined(code, args) if plain else super().function(word, *map(self.as_tensor, args))

    def helper(self, word: str, *args: Expr) -> Expr:
        plain = library(self.module)[word].numbers
        args = self.some_tensor(args)
        return super().helper(word, *[a if k in plain else self.as_tensor(a) for k, a in enumerate(args)])

    def some_tensor(self, args: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Operands; where all are plain numbers, tensors."""
        return args if any(a.kind != NUMBER for a in args) else tuple(map(self.as_tensor, args))

    def as_tensor(self, a: Expr) -> Expr:
        return Expr(self.tensor(a.code, FLOAT), (), FLOAT) if a.kind == NUMBER else a


class TorchWriter(Writer):
    """Writes the statements of one block for PyTorch."""

    p: Torch

    def right(self, item: Assign) -> Expr:
        """What a loop begins with, what a function returns and what is not just a number is a tensor."""
        value = super().right(item)
        kind = item.kind if item.kind is not None or item.row.value is not None else item.row.kind
        return Expr(self.p.tensor(value.code, kind), (), kind) if kind is not None and value.kind == NUMBER else value


class TorchPrinter(ModulePrinter):
    """Writes the parts of one module for PyTorch."""

    arrays = Torch
    writer = TorchWriter
    levels = (0, 1)
    source = "a torch.Generator, or a seed"
    generator = "torch.Generator | int"
    has_numbers = False
    remembers = False
    refused = "its workspace is made of NumPy's functions that write into arrays; take -O1"
    imports = ("from functools import reduce", "", "import torch")
    unchecked = f"{ModulePrinter.unchecked}, no-untyped-call"
    where = (DEVICE,)
    context = ("dtype", DEVICE)

    def fields(self) -> dict[str, Any]:
        return super().fields() | {
            "as_integers": "as_integers(name, array, device_of(given))",
            "as_floats": "array.to(device_of(given), dtype)",
            "drawn": "{name: torch.as_tensor(value, dtype=DTYPE) for name, value in params.items()}",
            "factor": "torch.Tensor | float",
        }

    def opening(self, body: Iterable[Line], *more: Line) -> list[Line]:
        lines = [*body]
        found = call("device_of", name("arrays"))
        placed = [Line(assign(DEVICE, found))] if DEVICE in names_in([*lines, *more]) else []
        return super().opening(lines, *placed, *more)


PRINTER = TorchPrinter
