"""Conditions as they are written: what holds where one does not is a condition too, 1[x ≥ y] for 1 − 1[x < y]."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from symbackprop.core.maths import Array, Fn, Indicator, Math, Num, Prod, Relation, Sum, product, within
from symbackprop.core.scalars import TABLE, is_truth

_OTHERWISE = {"<": "≥", "≥": "<", ">": "≤", "≤": ">", "=": "≠", "≠": "="}


def settled(m: Math) -> Math:
    """A tree, or the condition that it is: of 1 − c and of c = 0, where c is 1 or 0, the one that holds otherwise."""
    match m:
        case Sum(((False, Num(sp.S.One)), (True, c))) | Indicator(Relation(c, "=", Num(sp.S.Zero))) if is_truth(c):
            return contrary(c) or m
        case Indicator(Relation(c, "≠", Num(sp.S.Zero))) if is_truth(c):
            return within(c)
    return m


def contrary(m: Math) -> Math | None:
    """What is 1 where a condition is 0; None where that has no other words."""
    match within(m):
        case Indicator(Relation(left, sign, right)) if sign in _OTHERWISE:
            return Indicator(Relation(left, _OTHERWISE[sign], right))
        case Array(body) as whole:
            inside = contrary(body)
            return None if inside is None else replace(whole, body=inside)
        case Prod((a, b), sp.S.One):
            return _either(contrary(a), contrary(b))
        case Fn(name, (a, b)) if TABLE[name].chooses == (0, 1):
            return (_both if TABLE[name].largest else _either)(contrary(a), contrary(b))
    return None


def _either(a: Math | None, b: Math | None) -> Math | None:
    return None if a is None or b is None else Fn("maximum", (a, b))


def _both(a: Math | None, b: Math | None) -> Math | None:
    return None if a is None or b is None else product(a, b)
