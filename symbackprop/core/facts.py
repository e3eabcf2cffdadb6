"""What is asked of rows: what the records' roles and entry forms say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.entry import Indices, Kind, Terms, folded_slopes, jacobian, kind_of, letters
from symbackprop.core.graph import SIMPLEX, SYMMETRIC, Leaf, Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.registry import composed
from symbackprop.core.roles import Role
from symbackprop.core.shapes import is_one, same, same_shape, size_of

_SOME = sp.Dummy("n", integer=True, positive=True)  # a size that is not 1
MANY = 8  # more arguments than an op has that are not all alike
_NONE = Kind()
_KINDS: dict[tuple[str, Any, int], Kind] = {}


def entries(row: Node, index: Indices) -> Terms:
    """The entry of a row at an index; no terms where its op has no such form."""
    form = row.op.entry
    return [] if form is None else form(row.attr, [a.shape for a in row.args], index)


def slopes(row: Node, place: int, index: Indices, wanted: Indices, proven: bool = False) -> Terms | None:
    """∂(entry of a row at an index)/∂(entry of the argument at ``place``); None for the rows of a loop. ``proven``: as
    the chain rule has it, of what is folded from a sum."""
    if proven and row.op.folded is not None:
        return folded_slopes(row.op.folded(row.attr, [a.shape for a in row.args], index), wanted, index)
    if row.op.jacobian is not None and not place:
        return row.op.jacobian(row.attr, [a.shape for a in row.args], index, wanted)
    return None if row.op.entry is None else jacobian(entries(row, index), place, wanted, index)


def kind(row: Node) -> Kind:
    """What the entries of a structural row are. Of its attribute only the pattern of an einsum matters to that, and how
    many arrays there are: one alone is not joined with others."""
    if row.form is not None or row.op.entry is None:
        return _NONE
    some = row.args if isinstance(row.attr, Pattern) else row.args[:MANY]  # a few say what all are
    key = row.op.name, row.attr if isinstance(row.attr, Pattern) else None, len(some)
    if key not in _KINDS:
        shapes = [(_SOME,) * a.ndim for a in some]
        _KINDS[key] = kind_of(row.op.entry(row.attr, shapes, letters((_SOME,) * row.ndim)))
    return _KINDS[key]


def _whether(role: Role) -> Callable[[Node], bool]:
    """Whether a row has a role."""
    return lambda row: row.role is role


is_reshaped = _whether(Role.RESHAPED)
is_repeated = _whether(Role.REPEATED)
is_part = _whether(Role.PART)
is_padded = _whether(Role.PADDED)
is_unfolded = _whether(Role.UNFOLDED)
is_folded = _whether(Role.FOLDED)
is_joined = _whether(Role.JOINED)
is_listed = _whether(Role.LISTED)
is_sum = _whether(Role.SUM)
is_norm = _whether(Role.NORM)
is_lookup = _whether(Role.LOOKUP)
is_scattered = _whether(Role.SCATTERED)
is_pick = _whether(Role.PICK)
is_convolution = _whether(Role.CONVOLUTION)
is_identity = _whether(Role.IDENTITY)
is_largest = _whether(Role.LARGEST)
is_shift = _whether(Role.SHIFT)
is_arange = _whether(Role.RANGE)


def made_as(row: Node) -> Role | None:
    """What the function is that has made a row of others."""
    return None if row.origin is None else composed(row.origin.function).role


def plainly(row: Node) -> Node:
    """A row without the names and new axes that it is read through."""
    while is_spread(row) or row.form == f.Arg(0):
        row = row.args[0]
    return row


def way(row: Node) -> Iterator[Node]:
    """A row, and those that it is read through, names and new axes."""
    yield row
    while row is not plainly(row):
        row = row.args[0]
        yield row


def unnamed(row: Node) -> Node:
    """A row without the names that it is read through."""
    while row.form == f.Arg(0):
        row = row.args[0]
    return row


def is_spread(row: Node) -> bool:
    """Whether a row has the entries of another one in their order, perhaps repeated along axes."""
    return is_reshaped(row) or is_repeated(row)


def is_squeezed(row: Node) -> bool:
    """Whether a row is another one with or without axes of size 1."""
    if not is_reshaped(row):
        return False
    shapes = [[d for d in r.shape if not is_one(d)] for r in (row, *row.args)]
    return shapes[0] == shapes[1]


def has_new_axes(row: Node) -> bool:
    """Whether a row is another one with more axes, of size 1."""
    return is_squeezed(row) and row.ndim > row.args[0].ndim


def copies_of(row: Node) -> tuple[Node, int, sp.Expr] | None:
    """(a, axis, n) of a row that has every entry of a so many times along an axis, copies next to each other."""
    wide = row.args[0] if is_reshaped(row) else row
    if not is_repeated(wide) or wide.ndim != row.ndim + 1 or wide.args[0].ndim != wide.ndim:
        return None
    thin = wide.args[0]
    new = [k for k in range(1, wide.ndim) if not same(thin.shape[k], wide.shape[k])]
    if len(new) != 1 or not has_new_axes(thin) or not is_one(thin.shape[new[0]]):
        return None
    a, k, n = thin.args[0], new[0], wide.shape[new[0]]
    merged = (*a.shape[: k - 1], a.shape[k - 1] * n, *a.shape[k:]) if a.ndim == row.ndim else ()
    fits = same_shape((*a.shape[:k], sp.S.One, *a.shape[k:]), thin.shape) and same_shape(merged, row.shape)
    return (a, k - 1, n) if fits else None


def is_product(row: Node) -> bool:
    """Whether a row is an einsum; its attribute is the pattern."""
    return isinstance(row.attr, Pattern)


def is_view(row: Node) -> bool:
    """Rows that move entries without arithmetic and may share memory with their argument."""
    entries = kind(row)
    moves = entries.views and not entries.indices and row.value is None
    return moves or row.is_result or isinstance(row.form, f.Arg)


def is_put(row: Node) -> bool:
    """Whether a row is 0 but for one entry along its last axis, at indices."""
    return row.role is Role.PUT and row.attr[0] == row.ndim - 1 and is_one(row.args[1].shape[-1])


def one_hot_index(row: Node) -> Node | None:
    """The index row (its last axis of size 1) when a row is 1 where the last axis is at the index, else 0."""
    if row.role is not Role.EQUALITY or len(row.args) != 2:
        return None
    for index, places in (row.args, row.args[::-1]):
        if _is_along(places, row) and index.kind == "int" and index.ndim == row.ndim and is_one(index.shape[-1]):
            return index
    return None


def _is_along(places: Node, row: Node) -> bool:
    """Whether places are 0, 1, 2 … along the last axis of a row."""
    ones: Sequence[object] = places.shape[:-1]
    return is_range(places) and all(map(is_one, ones)) and places.shape[-1:] == row.shape[-1:]


def is_simplex(row: Node) -> bool:
    """Whether a row is an array that is stated to add up to 1 along its last axis, or one of the elements of it that a
    loop goes through."""
    leaf = row.attr
    while isinstance(leaf, Leaf) and leaf.of is not None:
        leaf = leaf.of.attr
    return isinstance(leaf, Leaf) and leaf.stated == SIMPLEX and row.ndim > 0


def is_symmetric(row: Node) -> bool:
    """Whether a row is an array that is stated to be equal to its transpose, or the inverse of one."""
    while row.op.keeps_symmetry:
        row = row.args[0]
    return isinstance(row.attr, Leaf) and row.attr.stated == SYMMETRIC


def chooses_entries(row: Node) -> bool:
    """Whether a row is a range of the rows of an identity matrix."""
    return is_part(row) and is_identity(row.args[0]) and row.attr[0] == 0


def is_range(row: Node) -> bool:
    """Whether the entries of a row are 0, 1, 2 …, each once."""
    places = plainly(row)
    return is_arange(places) and same(places.shape[0], size_of(row.shape))


def is_stack(row: Node) -> bool:
    """Whether a row is the stack over time of a body row."""
    return row.is_result and row.attr >= len(row.args[0].attr.carry)


def step_read(row: Node) -> tuple[Node, sp.Expr] | None:
    """(stack, number) of a row that is one step of a stack, by the number that the loop gives it."""
    a = row.args[0] if is_reshaped(row) else row
    if not is_part(a) or not is_stack(a.args[0]):
        return None
    (axis, start, length, step), stack = a.attr, a.args[0]
    is_step = axis == 0 and is_one(length) and step == 1 and same_shape(row.shape, stack.shape[1:])
    return (stack, start + stack.args[0].attr.first) if is_step else None
