"""Truth values in arithmetic: which of them may stay what they are."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core import formula as f
from symbackprop.core.graph import BOOL, FLOAT, Node


def masks(form: f.Formula, args: Sequence[Node]) -> set[int]:
    """Truth values that may stay what they are: factors of a product with a float array before them."""
    if all(a.kind == FLOAT for a in args):
        return set()
    places = f.all_arguments(form)
    return {i for i in _masking(form, args) if places.count(i) == 1}


def _masking(form: f.Formula, args: Sequence[Node]) -> set[int]:
    found: set[int] = set().union(*[_masking(c, args) for c in f.children(form)])
    typed = False
    for factor in form.factors if isinstance(form, f.Mul) else ():
        if typed and isinstance(factor, f.Arg) and args[factor.index].kind == BOOL:
            found.add(factor.index)
        typed = typed or _is_float_array(factor, args)
    return found


def _is_float_array(factor: f.Formula, args: Sequence[Node]) -> bool:
    """Whether a factor is an array of floats whatever stands beside it."""
    return any(args[i].kind == FLOAT and args[i].ndim > 0 for i in f.arguments(factor))
