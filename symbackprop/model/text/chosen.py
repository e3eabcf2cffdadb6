"""What truth values choose, ``x[x > 0]``. How many entries that are is not known before there are numbers, but of a sum
or a mean of them the others are left out: ``sum(where(x > 0, x, 0))``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

import sympy as sp

from symbackprop.core.functions.words import meant
from symbackprop.core.graph import Node
from symbackprop.core.indexing import holds
from symbackprop.core.registry import composed
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import same_shape
from symbackprop.errors import ModelError
from symbackprop.model.text import dialect, tree
from symbackprop.model.text.calls import function_names
from symbackprop.model.text.languages import goes_down

if TYPE_CHECKING:
    from symbackprop.model.text.evaluate import Evaluator

_INFINITE = dialect.INFINITE
_OTHERS: dict[str, tree.Expr] = {  # what entries that are left out are, which adds nothing
    "sum": tree.ZERO, "mean": tree.ZERO, "norm": tree.ZERO, "len": tree.ZERO, "prod": tree.ONE,
    "max": tree.Negative(_INFINITE), "min": _INFINITE, "logsumexp": tree.Negative(_INFINITE)}
_BETWEEN = {"np.bitwise_not", "np.bitwise_and", "np.bitwise_or", "logical_not", "logical_and", "logical_or"}


def is_mask(expr: tree.Expr, names: Collection[str]) -> bool:
    """Whether an index is truth values, as it stands; ``names`` are those of such."""
    match expr:
        case tree.Compare():
            return True
        case tree.Name(name):
            return name in names
        case tree.Call(name, args) | tree.Member(_, name, tuple() as args):
            return name in _BETWEEN and all(is_mask(arg, names) for arg in args)
        case tree.Chain(first, rest):
            return all(sign == "*" and is_mask(part, names) for sign, part in (("*", first), *rest))
    return False


def of_all(at: Evaluator, call: tree.Call) -> tree.Expr | None:
    """A sum, a mean or the like of what truth values choose, over all entries; None of anything else."""
    down = goes_down(call)  # the columns, of which there is one
    if call.function not in _OTHERS or len(call.args) != 1 or (call.options and not down):
        return None
    found = list[tree.Expr]()
    try:
        whole = _everywhere(at, found, call.args[0])
    except _OtherEntries:
        return None
    if not found or any(mask != found[0] for mask in found):
        return None
    more = at.row(whole).ndim - at.row(found[0]).ndim
    return None if down and more else _reduced(at, call.function, whole, found[0], more)


class _OtherEntries(ModelError):
    """What is chosen stands where others would be read with it."""


def _reduced(at: Evaluator, name: str, whole: tree.Expr, mask: tree.Expr, more: int) -> tree.Expr | None:
    """What is computed of all entries, ``more`` axes than those of the mask; None where shapes do not fit."""
    row, chosen = at.row(whole), at.row(mask)
    if more < 0 or not chosen.ndim or not same_shape(row.shape[: chosen.ndim], chosen.shape):
        return None
    wide = tree.Index(mask, (tree.Word(Ellipsis), *[tree.Word(None)] * more)) if more else mask
    count = _over("sum", wide, tree.Call("ones_like", (whole,), ())) if more else tree.Call("sum", (mask,), ())
    match name:
        case "len":
            return tree.Call("sum", (mask,), ())
        case "mean":
            return tree.Chain(_over("sum", wide, whole), (("/", count),))
        case "norm":
            return tree.Call("sqrt", (_over("sum", wide, tree.Power(whole, tree.Number(sp.Integer(2)))),), ())
    return _over(name, wide, whole)


def _over(name: str, mask: tree.Expr, whole: tree.Expr) -> tree.Expr:
    return tree.Call(name, (tree.Call("where", (mask, whole, _OTHERS[name]), ()),), ())


def _everywhere(at: Evaluator, found: list[tree.Expr], expr: tree.Expr) -> tree.Expr:
    """An expression with all entries in the place of those that truth values choose, which are kept."""
    of_parts = partial(_everywhere, at, found)
    match expr:
        case tree.Index(base, (item,)) if _holds(at, item):
            found.append(item)
            return base
        case tree.Negative() | tree.Power() | tree.Compare():
            return _by_entries(at, expr, tree.changed(expr, of_parts))
        case tree.Chain(_, rest) if all(sign in "+-*/" for sign, _ in rest):
            return _by_entries(at, expr, tree.changed(expr, of_parts))
        case tree.Call(name) if name in _OTHERS:
            return expr
        case tree.Call() if _is_by_rows(at, expr, whole := tree.changed(expr, of_parts), found):
            return _by_entries(at, expr, whole)
        case tree.Member():
            plain = dialect.plain(dialect.functional(expr), at.graph.names)
            return plain if isinstance(plain, tree.Member) else of_parts(plain)
        case tree.Call() if (other := dialect.called(expr)) is not None:
            return of_parts(other)
    if any(isinstance(part, tree.Index) and len(part.items) == 1 and _holds(at, part.items[0])
           for part in tree.all_parts(expr)):
        raise _OtherEntries("")
    return expr


def _by_entries(at: Evaluator, expr: tree.Expr, whole: tree.Expr) -> tree.Expr:
    """What is computed of each entry that is chosen, of all of them. Raises `_OtherEntries` where an array that nothing
    chooses from stands beside one."""
    pairs = [*zip(tree.parts(expr), tree.parts(whole), strict=True)]
    others = [value for old, new in pairs if old is new and isinstance(value := at.value(old), Node)]
    axes = [at.row(new).ndim for old, new in pairs if old is not new]
    if axes and any(value.ndim >= max(axes) for value in others):
        raise _OtherEntries("")
    return whole


def _is_by_rows(at: Evaluator, call: tree.Call, whole: tree.Expr, found: Sequence[tree.Expr]) -> bool:
    """Whether a function is one of each entry, or of each row where something is chosen from several arrays."""
    name = meant(call.function, tuple(function_names())) or call.function
    several = [new for old, new in zip(tree.parts(call), tree.parts(whole), strict=True) if new is not old]
    if name in TABLE or name in _BETWEEN or len(several) < 2:
        return bool(several) and (name in TABLE or name in _BETWEEN)
    row, first = at.row(whole), at.row(several[0])
    of_classes = composed(name).target == 1 and at.row(found[-1]).ndim == row.ndim == first.ndim - 1
    return of_classes or same_shape(row.shape, first.shape)


def _holds(at: Evaluator, item: tree.Expr) -> bool:
    """Whether an index is truth values."""
    if isinstance(item, (tree.Slice, tree.Word, tree.Number, tree.Negative, tree.Tuple)):
        return False
    value = at.value(item)
    return isinstance(value, Node) and holds(value)
