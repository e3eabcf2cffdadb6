"""The text of a formula's tree, and its factors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy as sp

from symbackprop.core.literals import number_text
from symbackprop.grade import naming as f
from symbackprop.model.text import tree

_OVER = {f.SUM: "sum", f.STACK: "stack", f.MAX: "max"}
_LEVEL = {"+": 10, "-": 10, "*": 20, "/": 20, "@": 20}


def flattened(expr: tree.Expr, divides: bool) -> Iterator[tuple[tree.Expr, bool]]:
    """The factors of a product, signs as the factor −1."""
    if isinstance(expr, tree.Negative):
        yield tree.Number(sp.Rational(-1)), False
        yield from flattened(expr.body, divides)
    elif isinstance(expr, tree.Chain) and expr.rest[0][0] in "*/@":
        yield from flattened(expr.first, divides)
        for sign, part in expr.rest:
            yield from flattened(part, divides ^ (sign == "/"))
    else:
        yield expr, divides


def unparsed(expr: tree.Expr, signs: Mapping[int, Sequence[str]] | None = None) -> str:
    """A formula as model text, with the brackets that it needs. ``signs`` are those that a chain came to mean, and the
    powers that are transposes or inverses."""
    return Printer(signs or {}).text(expr)[0]


class Printer:
    """Writes a tree; every piece comes with how strongly it binds."""

    def __init__(self, signs: Mapping[int, Sequence[str]]) -> None:
        self.signs = signs

    def text(self, expr: tree.Expr) -> tuple[str, int]:
        match expr:
            case tree.Number(value):
                return number_text(value)
            case tree.Name(name):
                return name, 100
            case tree.Negative(body):
                return "-" + self.wrapped(body, 20), 10
            case tree.Chain():
                return self.chain(expr)
            case tree.Power(base, _) if id(expr) in self.signs:
                (meant,) = self.signs[id(expr)]
                return self.wrapped(base, 100) + meant if meant == f.TURNED else f"{meant}({self.text(base)[0]})", 100
            case tree.Power(base, exponent):
                return f"{self.wrapped(base, 31)}**{self.wrapped(exponent, 31)}", 30
            case tree.Compare(sign, left, right):
                return f"{self.wrapped(left, 10)} {sign} {self.wrapped(right, 10)}", 5
            case tree.Transpose(body):
                number = isinstance(body, tree.Number)  # 1.T would be the number 1. and a T
                return self.wrapped(body, 101 if number else 100) + ".T", 100
        return self.plain(expr), 15 if isinstance(expr, tree.Call) and expr.function in _OVER else 100

    def plain(self, expr: tree.Expr) -> str:
        """What never needs brackets of its own."""
        match expr:
            case tree.Call(f.ARRAY, (tree.String(letters), *args)):
                return f"[{self.listed(args)}]_{letters}"
            case tree.Call(f.SUM | f.STACK | f.MAX as over, (tree.String(letter), *args)):
                return f"{_OVER[over]}_{letter}({self.listed(args)})"
            case tree.Call(f.PRIME, (tree.String(function), *args)):
                return f"{function}'({self.listed(args)})"
            case tree.Call(function, args, options):
                named = [f"{k}={self.text(v)[0]}" for k, v in options]
                return f"{function}({', '.join([*([self.listed(args)] if args else []), *named])})"
            case tree.Index(tree.Name(name), items) if name.count("[]") == len(items):
                first, *rest = name.split("[]")
                return first + "".join([f"[{self.text(i)[0]}]{after}" for i, after in zip(items, rest, strict=True)])
            case tree.Index(base, items):
                return f"{self.wrapped(base, 100)}[{self.listed(items)}]"
            case tree.Tuple(items):
                return f"({self.listed(items)}{',' * (len(items) == 1)})"
            case tree.Slice(start, stop, step):
                bounds = ["" if p is None else self.text(p)[0] for p in (start, stop)]
                return ":".join(bounds + ([self.text(step)[0]] if step is not None else []))
            case tree.String(value):
                return f'"{value}"'
            case tree.Word(value):
                return "..." if value is Ellipsis else str(value)
        raise TypeError(f"not a formula: {expr!r}")

    def listed(self, items: Sequence[tree.Expr]) -> str:
        return ", ".join([self.text(x)[0] for x in items])

    def wrapped(self, expr: tree.Expr, level: int) -> str:
        text, own = self.text(expr)
        return text if own >= level else f"({text})"

    def chain(self, expr: tree.Chain) -> tuple[str, int]:
        level = _LEVEL[expr.rest[0][0]]
        signs = self.signs.get(id(expr), ())
        text = self.wrapped(expr.first, level)
        for k, (sign, part) in enumerate(expr.rest):
            after = self.wrapped(part, level + 1)
            if sign == "/" and after.startswith("d") and not isinstance(part, tree.Call):
                after = f"({after})"  # dw / dx would be a derivative
            text += f" {signs[k] if k < len(signs) else sign} {after}"
        return text, level
