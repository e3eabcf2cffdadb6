"""One change to what a person wrote: the products, transposes and names to try when the line itself has the mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import sympy as sp

from symbackprop.core.graph import FLOAT
from symbackprop.grade import mistakes as m
from symbackprop.grade.reference import Reference
from symbackprop.grade.trees import unparsed
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


def products(expr: Expr) -> Iterator[Change]:
    """A product in another order, with other transposes, or of the other kind."""
    if not isinstance(expr, tree.Chain):
        return
    for k, (sign, right) in sorted(enumerate(expr.rest), key=lambda item: item[1][0] != "@"):
        if sign not in "*@" or (sign == "*" and isinstance(expr.first if k == 0 else right, tree.Number)):
            continue
        left: Expr = tree.Chain(expr.first, expr.rest[:k]) if k else expr.first
        for kind, product in _other_products(left, sign, right):
            rest = expr.rest[k + 1 :]
            yield kind, tree.Chain(product, rest) if rest else product, ""


def _other_products(a: Expr, sign: str, b: Expr) -> Iterator[tuple[str, Expr]]:
    flipped_a, flipped_b = _flipped(a), _flipped(b)
    if sign == "@":
        yield m.ELEMENTWISE, _times(a, "*", b)
    kind = m.TRANSPOSE if sign == "@" else m.ELEMENTWISE
    swapped = m.ORDER if sign == "@" else m.ELEMENTWISE
    if sign == "*":
        yield m.ELEMENTWISE, _times(a, "@", b)
    for x, y in ((flipped_a, b), (a, flipped_b), (flipped_a, flipped_b)):
        yield kind, _times(x, "@", y)
    for x, y in ((b, a), (flipped_b, a), (b, flipped_a), (flipped_b, flipped_a)):
        yield swapped, _times(x, "@", y)


def _times(a: Expr, sign: str, b: Expr) -> Expr:
    return tree.Chain(a, ((sign, b),))


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
    """One name for another."""

    def rule(expr: Expr) -> Iterator[Change]:
        if isinstance(expr, tree.Name):
            yield from ((m.SUBSTITUTION, tree.Name(n), "") for n in known if n != expr.name)

    return rule


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
        yield kind, tree.Chain(expr.first, rest) if rest else expr.first, f"{unparsed(part)} does not belong there"
    sign, second = expr.rest[0]
    if sign in "+*@":
        words = f"{unparsed(expr.first)} does not belong there"
        yield kind, tree.Chain(second, expr.rest[1:]) if len(expr.rest) > 1 else second, words


def _other_signs(expr: tree.Chain) -> Iterator[Change]:
    """Plus for minus, a sum for a product."""
    for k, (sign, part) in enumerate(expr.rest):
        left: Expr = tree.Chain(expr.first, expr.rest[:k]) if k else expr.first
        right: Expr = tree.Chain(part, expr.rest[k + 1 :]) if expr.rest[k + 1 :] else part
        if sign in "+-":
            other = "-" if sign == "+" else "+"
            yield m.SIGN, tree.Chain(expr.first, (*expr.rest[:k], (other, part), *expr.rest[k + 1 :])), ""
            yield m.WRONG_FACTOR, tree.Chain(left, (("*", right),)), "a sum stands where a product belongs"
        elif sign == "*":
            yield m.WRONG_FACTOR, tree.Chain(left, (("+", right),)), "a product stands where a sum belongs"


RULES: dict[str, Callable[[Reference], Rule]] = {
    "products": lambda reference: products,
    "sums": lambda reference: sums,
    "names": lambda reference: names([n for n, r in reference.rows.items() if r.kind == FLOAT and "[" not in n]),
    "arithmetic": lambda reference: arithmetic,
}
