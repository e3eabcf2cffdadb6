"""One change to what a person wrote: the products, transposes and names to try when the line itself has the mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import sympy as sp

from symbackprop.core.graph import FLOAT
from symbackprop.grade import mistakes as m
from symbackprop.grade.reference import Reference
from symbackprop.grade.tree_text import unparsed
from symbackprop.model.text import tree

Expr = tree.Expr


@dataclass(frozen=True)
class Edit:
    """A changed formula: the kind of the mistake that the change mends, and the two parts, before and after.

    ``words`` is the sentence where "before stands where after belongs" says too little.
    """

    kind: str
    whole: Expr
    before: Expr
    after: Expr
    words: str = ""


Change = tuple[str, Expr, str]
Rule = Callable[[Expr], Iterator[Change]]


def edits(expr: Expr, rule: Rule) -> Iterator[Edit]:
    """Every formula that one application of ``rule`` to one part of ``expr`` gives."""
    for kind, after, words in rule(expr):
        yield Edit(kind, after, expr, after, words)
    if isinstance(expr, (tree.Index, tree.Tuple)):
        return
    for k, part in enumerate(tree.parts(expr)):
        for inner in edits(part, rule):
            yield replace(inner, whole=_with_part(expr, k, inner.whole))


def _with_part(expr: Expr, k: int, new: Expr) -> Expr:
    """An expression with another k-th part."""
    places = count()
    return tree.changed(expr, lambda part: new if next(places) == k else part)


# -- rules


def _chain(first: Expr, rest: tuple[tuple[str, Expr], ...]) -> Expr:
    """A chain, or its only part."""
    return tree.Chain(first, rest) if rest else first


def products(expr: Expr) -> Iterator[Change]:
    """A product in another order, with other transposes, or of the other kind."""
    if not isinstance(expr, tree.Chain):
        return
    for k, (sign, right) in sorted(enumerate(expr.rest), key=lambda item: item[1][0] != "@"):
        if sign not in "*@" or (sign == "*" and isinstance(expr.first if k == 0 else right, tree.Number)):
            continue
        for kind, a, other, b in _other_products(_chain(expr.first, expr.rest[:k]), sign, right):
            yield kind, _chain(tree.Chain(a, ((other, b),)), expr.rest[k + 1 :]), ""


def _other_products(a: Expr, sign: str, b: Expr) -> Iterator[tuple[str, Expr, str, Expr]]:
    """(kind, left factor, sign, right factor)"""
    flip_a, flip_b = _flipped(a), _flipped(b)
    yield m.ELEMENTWISE, a, "@" if sign == "*" else "*", b
    for x, y in ((flip_a, b), (a, flip_b), (flip_a, flip_b)):
        yield m.TRANSPOSE if sign == "@" else m.ELEMENTWISE, x, "@", y
    for x, y in ((b, a), (flip_b, a), (b, flip_a), (flip_b, flip_a)):
        yield m.ORDER if sign == "@" else m.ELEMENTWISE, x, "@", y


def _flipped(expr: Expr) -> Expr:
    return expr.body if isinstance(expr, tree.Transpose) else tree.Transpose(expr)


def sums(expr: Expr) -> Iterator[Change]:
    """A sum over other axes."""
    if isinstance(expr, tree.Call) and expr.function in ("sum", "mean") and expr.args:
        others = [option for option in expr.options if option[0] != "axis"]
        for axis in (0, 1, 2):
            options = (("axis", tree.Number(sp.Rational(axis))), *others)
            yield m.SUMMED, tree.Call(expr.function, expr.args[:1], options), ""
        yield m.SUMMED, expr.args[0], ""


def names(known: Sequence[str]) -> Rule:
    """One name or index for another."""

    def rule(expr: Expr) -> Iterator[Change]:
        if isinstance(expr, tree.Index) and len(expr.items) == 1:
            yield from ((m.STALE_INDEX, tree.Index(expr.base, (i,)), "") for i in _neighbours(expr.items[0]))
        if isinstance(expr, tree.Name):
            yield from ((m.SUBSTITUTION, tree.Name(n), "") for n in known if n != expr.name)

    return rule


def _neighbours(index: Expr) -> Iterator[Expr]:
    """The indices before and after ``2``, ``t`` or ``t - 1``."""
    first, number = index, 0
    if isinstance(index, tree.Number):
        yield from (tree.Number(index.value + by) for by in (-1, 1) if index.value + by >= 0)
        return
    match index:
        case tree.Chain(inner, ((sign, tree.Number(value)),)) if sign in "+-":
            first, number = inner, int(value) if sign == "+" else -int(value)
    if isinstance(first, tree.Name):
        for k in (number - 1, number + 1):
            yield tree.Chain(first, (("-" if k < 0 else "+", tree.Number(sp.Rational(abs(k)))),)) if k else first


def arithmetic(expr: Expr) -> Iterator[Change]:
    """A sign, a factor or a term less, an exponent more or less, a sum for a product."""
    if isinstance(expr, tree.Chain):
        yield from _less(expr)
        yield from _other_signs(expr)
    elif isinstance(expr, tree.Negative):
        yield m.SIGN, expr.body, ""
    elif isinstance(expr, tree.Power) and isinstance(expr.exponent, tree.Number):
        for n in (1, 2, 3):
            yield m.EXPONENT, tree.Power(expr.base, tree.Number(sp.Rational(n))), ""
    elif isinstance(expr, tree.Compare) and expr.sign in "<>":
        yield m.SIGN, replace(expr, sign="<>"[expr.sign == "<"]), ""
    elif isinstance(expr, tree.Name):
        yield m.EXPONENT, tree.Power(expr, tree.Number(sp.Rational(2))), ""


def _less(expr: tree.Chain) -> Iterator[Change]:
    """Without one of the terms or factors."""
    kind = m.TERM if expr.rest[0][0] in "+-" else m.EXTRA_FACTOR
    for k, (_, part) in enumerate(expr.rest):
        rest = (*expr.rest[:k], *expr.rest[k + 1 :])
        yield kind, _chain(expr.first, rest), f"{unparsed(part)} does not belong there"
    sign, second = expr.rest[0]
    if sign in "+*@":
        yield kind, _chain(second, expr.rest[1:]), f"{unparsed(expr.first)} does not belong there"


def _other_signs(expr: tree.Chain) -> Iterator[Change]:
    """Plus for minus, a sum for a product."""
    for k, (sign, part) in enumerate(expr.rest):
        left, right = _chain(expr.first, expr.rest[:k]), _chain(part, expr.rest[k + 1 :])
        if sign in "+-":
            turned = ("-" if sign == "+" else "+", part)
            yield m.SIGN, tree.Chain(expr.first, (*expr.rest[:k], turned, *expr.rest[k + 1 :])), ""
            yield m.WRONG_FACTOR, tree.Chain(left, (("*", right),)), "a sum stands where a product belongs"
        elif sign == "*":
            yield m.WRONG_FACTOR, tree.Chain(left, (("+", right),)), "a product stands where a sum belongs"


RULES: dict[str, Callable[[Reference], Rule]] = {
    "products": lambda reference: products,
    "sums": lambda reference: sums,
    "names": lambda reference: names([n for n, r in reference.rows.items() if r.kind == FLOAT and "[" not in n]),
    "arithmetic": lambda reference: arithmetic,
}
