"""Truth values and integers in arithmetic: which may stay what they are, and which have to be converted first."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core import formula as f
from symbackprop.core.graph import BOOL, FLOAT, INT, KINDS, Node

DTYPES = {BOOL: "bool", INT: "np.intp", FLOAT: "dtype"}  # in emitted code


def converted(code: str, row: Node, kind: str, ndim: int | None = None) -> str:
    """The code of a row (a name, or anything that binds as tightly) as values of at least that kind: NumPy adds truth
    values as `or` and refuses to subtract them, and integers would widen float32. ``ndim`` is said where it is not the
    row's, at one step of a stack."""
    axes = row.ndim if ndim is None else ndim
    if row.value is not None:  # a number fits any kind, but an array of one number is written as floats
        return f"{code}.astype({DTYPES[INT]})" if axes and kind == INT else code
    if KINDS.index(row.kind) >= KINDS.index(kind):
        return code
    if axes:
        return f"{code}.astype({DTYPES[kind]})"
    return f"dtype.type({code})" if kind == FLOAT else f"int({code})"


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
