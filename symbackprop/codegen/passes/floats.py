"""All levels: a module of scalars computes with the Python floats it is given, which is faster, where that is safe.

Sums and products of Python floats overflow to inf as those of arrays do. Quotients and powers raise an exception
or turn complex instead, so a module that has one of nothing but Python floats makes NumPy's floats of them first.
"""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.core import formula as f
from symbackprop.core.graph import Node


def floats_are_safe(order: Iterable[Node]) -> bool:
    """Whether no row, arguments first, has a quotient or a power of Python floats."""
    plain: set[int] = set()
    for row in order:
        if row.op.name == "scan" or (row.op.name == "elementwise" and _raises(row.attr.form, row, plain)):
            return False
        if _is_plain_row(row, plain):
            plain.add(row.id)
    return True


def _is_plain_row(row: Node, plain: set[int]) -> bool:
    """Whether a row's value is a Python float. Functions give NumPy's."""
    if row.is_leaf or row.value is not None:
        return True
    return row.op.name == "elementwise" and _is_plain(row.attr.form, row, plain)


def _is_plain(form: f.Formula, row: Node, plain: set[int]) -> bool:
    if isinstance(form, f.Arg):
        return row.args[form.index].id in plain
    return not isinstance(form, f.Call) and all(_is_plain(c, row, plain) for c in f.children(form))


def _raises(form: f.Formula, row: Node, plain: set[int]) -> bool:
    quotient = isinstance(form, f.Div) and not isinstance(form.den, f.Num)
    if (quotient or isinstance(form, f.Pow)) and _is_plain(form, row, plain):
        return True
    return any(_raises(c, row, plain) for c in f.children(form))
