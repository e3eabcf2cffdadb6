"""One mistake in one formula: every way in which a local derivative is commonly got wrong.

`variants` works on the formula of a local derivative alone; what is an argument there is a row of the model elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.scalars import TABLE
from symbackprop.errors import ModelError
from symbackprop.grade import mistakes as m

ACTIVATIONS = ("tanh", "sigmoid", "relu", "softplus", "exp", "log", "sin", "cos", "sqrt", "normal_cdf")


@dataclass(frozen=True)
class Variant:
    """A wrong formula: the kind of mistake, what to say of the ``part`` that was touched."""

    kind: str
    says: str
    form: f.Formula
    part: f.Formula


def variants(form: f.Formula) -> Iterator[Variant]:
    """Every formula that differs from ``form`` in one place; each once, ``form`` itself never."""
    seen = {form}
    for variant in _all(form):
        if variant.form not in seen:
            seen.add(variant.form)
            yield variant


def _all(form: f.Formula) -> Iterator[Variant]:
    yield from _here(form)
    parts = f.children(form)
    for k, part in enumerate(parts):
        for inner in _all(part):
            try:
                whole = f.rebuild(form, (*parts[:k], inner.form, *parts[k + 1 :]))
            except ModelError:
                continue
            yield replace(inner, form=whole)


def _here(form: f.Formula) -> Iterator[Variant]:
    """One mistake at the top of a formula."""
    match form:
        case f.Add(terms):
            for k, term in enumerate(terms):
                others = (*terms[:k], *terms[k + 1 :])
                yield Variant(m.SIGN, _SIGN, f.add(*terms[:k], f.neg(term), *terms[k + 1 :]), term)
                yield Variant(m.TERM, "the term {part} is missing", f.add(*others), term)
        case f.Mul(factors):
            for k, factor in enumerate(factors):
                rest = f.mul(*factors[:k], *factors[k + 1 :])
                if isinstance(factor, f.Num):
                    yield Variant(m.CONSTANT, "the number {part} is missing", rest, factor)
                else:
                    yield Variant(m.MISSING_FACTOR, _PART, rest, factor)
        case f.Neg(body):
            yield Variant(m.SIGN, _SIGN, body, form)
        case f.Div(num, den):
            yield Variant(m.MISSING_FACTOR, _PART, num, den)
            yield Variant(m.MISSING_FACTOR, _PART, f.div(f.ONE, den), num)
            yield Variant(m.WRONG_DERIVATIVE, "{part} multiplies where it should divide", f.mul(num, den), den)
        case f.Pow(base, f.Num(n)):
            for other in (sp.S.One, n - 1, n + 1, 2 * n):
                yield Variant(m.EXPONENT, "the exponent of {part} is wrong", f.power(base, f.Num(other)), form)
        case f.Call(name, args):
            confused = [f.Call(other, args) for other in _CONFUSED.get(name, ())]
            for wrong in [args[0], *confused] if len(args) == 1 else confused:
                yield Variant(m.WRONG_DERIVATIVE, "the function {part} is not right", wrong, form)
        case f.Num(value) if value not in (0, 1, -1):
            for other in (2 * value, value / 2):
                yield Variant(m.CONSTANT, "the number {part} is wrong", f.Num(other), form)


_SIGN, _PART = "the sign of {part} is wrong", "the part {part} is missing"
_CONFUSED = {
    "sin": ("cos",),
    "cos": ("sin",),
    "sigmoid": ("tanh",),
    "tanh": ("sigmoid",),
    "exp": ("log",),
    "log": ("exp",),
}


def derivative_forms() -> Iterator[tuple[str, f.Formula]]:
    """(function, its derivative over its argument `Arg(0)` and its own value `OUT`)."""
    for name in ACTIVATIONS:
        form = TABLE[name].partials[0]
        if form is None:
            continue
        if name == "relu":
            form = f.call("above", f.Arg(0), 0, 0)
        yield name, form


def replaced(form: f.Formula, old: f.Formula, new: f.Formula) -> f.Formula:
    """Every occurrence of one leaf as another."""
    return f.substitute(form, lambda leaf: new if leaf is old else leaf)
