"""Looking at the tree of a formula: its factors, its names, its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import sympy as sp

from symbackprop.core.notation import number_text
from symbackprop.model.text import tree

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


def every_name(expr: object) -> Iterator[str]:
    """All names in a formula."""
    if isinstance(expr, tree.Name):
        yield expr.name
    elif isinstance(expr, tuple):
        for part in expr:
            yield from every_name(part)
    elif is_dataclass(expr):
        for field in fields(expr):
            yield from every_name(getattr(expr, field.name))


def unparsed(expr: tree.Expr) -> str:
    """A formula as model text, with the brackets that it needs."""
    return _text(expr)[0]


def _text(expr: tree.Expr) -> tuple[str, int]:
    match expr:
        case tree.Number(value):
            text = number_text(value)
            return text.text, text.level
        case tree.Name(name):
            return shown_name(name), 100
        case tree.Negative(body):
            return "-" + _wrapped(body, 20), 10
        case tree.Chain(first, rest):
            return _chain(first, rest)
        case tree.Power(base, exponent):
            return f"{_wrapped(base, 31)}**{_wrapped(exponent, 31)}", 30
        case tree.Compare(sign, left, right):
            return f"{_wrapped(left, 10)} {sign} {_wrapped(right, 10)}", 5
        case tree.Transpose(body):
            return _wrapped(body, 100) + ".T", 100
        case tree.Call(function, args, options):
            inside = [unparsed(a) for a in args] + [f"{k}={unparsed(v)}" for k, v in options]
            return f"{function.replace('_prime', chr(39))}({', '.join(inside)})", 100
        case tree.Index(base, items):
            return f"{_wrapped(base, 100)}[{', '.join(unparsed(i) for i in items)}]", 100
        case tree.Tuple(items):
            return f"({', '.join(unparsed(i) for i in items)})", 100
        case tree.Slice(start, stop, step):
            bounds = ["" if p is None else unparsed(p) for p in (start, stop)]
            return ":".join(bounds + ([unparsed(step)] if step is not None else [])), 100
        case tree.String(text):
            return f'"{text}"', 100
        case tree.Word(value):
            return "..." if value is Ellipsis else str(value), 100
    raise TypeError(f"not a formula: {expr!r}")


def _wrapped(expr: tree.Expr, level: int) -> str:
    text, own = _text(expr)
    return text if own >= level else f"({text})"


def _chain(first: tree.Expr, rest: tuple[tuple[str, tree.Expr], ...]) -> tuple[str, int]:
    level = _LEVEL[rest[0][0]]
    text = _wrapped(first, level)
    for sign, part in rest:
        text += f" {sign} {_wrapped(part, level + 1)}"
    return text, level


def shown_name(name: str) -> str:
    """``dL/do`` for the words that stand for derivatives."""
    if name.startswith("d__"):
        return f"d{name[3:]}"
    above, separator, below = name.partition("__d")
    if separator:
        return f"{above}/d{below}"
    return f"dL/d{name[4:]}" if name.startswith("dL__") else name
