"""What the records' entry forms say about rows."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.entry import Indices, Kind, Terms, jacobian, kind_of, letters
from symbackprop.core.graph import Node
from symbackprop.core.pattern import Pattern

_SOME = sp.Dummy("n", integer=True, positive=True)  # a size that is not 1
_KINDS: dict[tuple[str, Any], Kind] = {}


def entries(row: Node, index: Indices) -> Terms:
    """The entry of a row at an index; no terms where its op has no such form."""
    form = row.op.entry
    return [] if form is None else form(row.attr, [a.shape for a in row.args], index)


def slopes(row: Node, place: int, index: Indices, wanted: Indices) -> Terms | None:
    """∂(entry of a row at an index)/∂(entry of the argument at ``place``); None for the rows of a loop."""
    if row.op.jacobian is not None:
        return row.op.jacobian(row.attr, [a.shape for a in row.args], index, wanted)
    return None if row.op.entry is None else jacobian(entries(row, index), place, wanted, index)


def kind(row: Node) -> Kind:
    """What the entries of a structural row are. Of its attribute only the pattern of an einsum matters to that."""
    if row.form is not None or row.op.entry is None:
        return Kind()
    key = row.op.name, row.attr if isinstance(row.attr, Pattern) else None
    if key not in _KINDS:
        shapes = [(_SOME,) * a.ndim for a in row.args]
        _KINDS[key] = kind_of(row.op.entry(row.attr, shapes, letters((_SOME,) * row.ndim)))
    return _KINDS[key]


def plainly(row: Node) -> Node:
    """A row without the names and new axes that it is read through."""
    while is_spread(row) or row.form == f.Arg(0):
        row = row.args[0]
    return row


def is_spread(row: Node) -> bool:
    """Whether a row has the entries of another one in their order, perhaps repeated along axes."""
    return row.op.name == "reshape" or row.op.name == "broadcast"


def is_view(row: Node) -> bool:
    """Rows that move entries without arithmetic and may share memory with their argument."""
    entries = kind(row)
    moves = entries.views and not entries.indices and row.value is None
    return moves or row.op.name == "out" or isinstance(row.form, f.Arg)
