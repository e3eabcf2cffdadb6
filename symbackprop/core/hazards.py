"""What may be infinite or NaN: which rows are so at some finite point, and which only where an array they read is.

`hazards` of a row are a set of bits: one for each array that it reads (any of them may hold NaN where nothing is meant
to read it), `INFINITE` where a function on the way to it may be infinite by itself, or have an infinite derivative,
and `FINITE` where it is finite and yet no constant: it reads integers, or chooses between numbers that are not all
positive. A constant has none. Two are said of what is idle: `LEVELLED` may be infinite where its cotangent is 0, which
is that of a function that has levelled off; the cotangent of what is `LINEAR` does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from math import isfinite
from typing import TypeAlias

from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum, kind, plainly
from symbackprop.core.graph import FLOAT, SEVERAL, Graph, Leaf, Node, arguments_first
from symbackprop.core.pattern import Pattern
from symbackprop.core.registry import Op
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE, Scalar

Hazards: TypeAlias = int
NONE, INFINITE, FINITE, LEVELLED, LINEAR, FLAT = 0, 1, 2, 4, 8, 16
_FIRST = 5  # the place of the first array's bit
_DEEP = 8


def hazards(row: Node) -> Hazards:
    """What may make a row infinite or NaN; found once for every row of a graph."""
    known = row.graph.hazards
    for node in () if row.id in known else arguments_first([row], known=known):
        known[node.id] = _of_loop(node) if node.kind == SEVERAL else _of_row(node)
    return known[row.id]


def mixed(row: Node) -> Hazards:
    """Those hazards that reach a row through something else than its own entries: sums, products, loops."""
    known = row.graph.mixed
    for node in () if row.id in known else arguments_first([row], known=known):
        parts = union(known[a.id] for a in node.args)
        known[node.id] = parts if node.is_leaf or kind(node).moved or node.form is not None else hazards(node)
    return known[row.id]


def union(parts: Iterable[Hazards]) -> Hazards:
    found = NONE
    for part in parts:
        found |= part
    return found


def bit_of(array: Node) -> Hazards:
    """The bit of an array, which it gets when it is first asked for."""
    arrays = array.graph.arrays
    return 1 << (arrays.setdefault(array, len(arrays)) + _FIRST)


def arrays_of(found: Hazards, graph: Graph) -> list[Node]:
    """The arrays among hazards."""
    return [array for array, place in graph.arrays.items() if found >> (place + _FIRST) & 1]


def _of_row(node: Node) -> Hazards:
    if isinstance(node.attr, Leaf):
        return NONE if node.attr.value is not None else bit_of(node) if node.kind == FLOAT else FINITE
    if node.form is not None:
        return _of_kernel(node)
    found = union([node.graph.hazards[a.id] for a in node.args])
    return found & ~INFINITE if _is_bounded(node.op) else found


def _is_bounded(record: Op | Scalar) -> bool:
    return all(map(isfinite, record.range))


def _of_kernel(node: Node) -> Hazards:
    """Those of the arguments. A truth value is finite, but what counts such values of NaN counts none."""
    form, record = node.attr.form, node.function
    chosen = record is not None and record.chooses
    read = [i for k in chosen for i in f.arguments(form.args[k])] if chosen else f.arguments(form)
    found = union([node.graph.hazards[node.args[i].id] for i in read])
    if chosen and not found and any(node.graph.hazards[a.id] for a in node.args) and not is_positive(form, node.args):
        return FINITE
    if node.attr.boolean or (record is not None and _is_bounded(record)):
        return found & ~INFINITE
    return found | INFINITE if found and (is_unbounded(form, node.args) or has_root(form, node.args)) else found


def _of_loop(node: Node) -> Hazards:
    """Those of what the loop reads and of its body, whose carried values count as arrays of their own."""
    loop, known = node.attr, node.graph.hazards
    for leaf, outer in zip(loop.leaves(), node.args, strict=True):
        own = bit_of(leaf) if leaf in loop.carry else NONE
        known.setdefault(leaf.id, known[outer.id] | own)  # what a loop backwards keeps has those of its own step
    for row in loop.results():
        hazards(row)
    return union(known[row.id] for row in (*node.args, *loop.results()))


def is_unbounded(form: f.Formula, args: Sequence[Node], out: Node | None = None) -> bool:
    """Whether a formula over rows may be infinite where they are finite; 1/√(v + ε) is not."""
    match form:
        case f.Num(value):
            return value.is_infinite is True
        case f.Div(num, den):
            return not is_positive(den, args, out) or is_unbounded(num, args, out)
        case f.Pow(base, f.Num(exponent)) if exponent.is_positive:
            return is_unbounded(base, args, out)
        case f.Pow(base, exponent):
            return not (isinstance(exponent, f.Num) and is_positive(base, args, out))
        case f.Call(name, parts) if TABLE[name].finite is not True:
            finite = TABLE[name].finite
            return not (isinstance(finite, f.Formula) and is_positive(f.over(finite, parts), args, out))
    return any([is_unbounded(part, args, out) for part in form.children if part.kinds & _UNBOUNDED])


_UNBOUNDED = f.Num.bit | f.Div.bit | f.Pow.bit | f.Call.bit  # formulas without these are finite where their parts are


def has_root(form: f.Formula, args: Sequence[Node]) -> bool:
    """Whether a formula takes a root of what may be 0, where a root's derivative is infinite."""
    match form:
        case f.Call(name, (x, *_)) if TABLE[name].singular and TABLE[name].power and not TABLE[name].flat:
            return not is_positive(x, args)
        case f.Pow(x, f.Num(exponent)) if not exponent.is_integer:
            return not is_positive(x, args)
    return any([has_root(part, args) for part in form.children if part.kinds & _ROOTS])


_ROOTS = f.Pow.bit | f.Call.bit


# -- signs
class Sign(IntEnum):
    """What is known of a value: nothing; it is at least 0; it is larger than some positive number."""

    UNKNOWN = 0
    NONNEGATIVE = 1
    POSITIVE = 2


def is_positive(form: f.Formula, args: Sequence[Node], out: Node | None = None) -> bool:
    """Whether a formula over rows is known to be larger than some positive number: 1 + x², √(v + ε)."""
    return sign(form, args, out) == Sign.POSITIVE


def is_nonnegative(form: f.Formula, args: Sequence[Node]) -> bool:
    """Whether a formula over rows is known to be at least 0."""
    return sign(form, args) >= Sign.NONNEGATIVE


def sign(form: f.Formula, args: Sequence[Node], out: Node | None = None, depth: int = _DEEP) -> Sign:
    """What is known of a formula over rows."""
    match form:
        case f.Num(value):
            return Sign.POSITIVE if value.is_positive else Sign(value.is_nonnegative is True)
        case f.Arg(k):
            return _sign_of_row(args[k], depth - 1) if depth > 0 else Sign.UNKNOWN
        case f.Out():
            return _sign_of_row(out, depth - 1) if out is not None and depth > 0 else Sign.UNKNOWN
        case f.Add(parts) | f.Mul(parts):
            known = [sign(p, args, out, depth) for p in parts]
            return max(known) if isinstance(form, f.Add) and all(known) else min(known)
        case f.Div(num, den):
            return min(Sign.NONNEGATIVE, sign(num, args, out, depth), sign(den, args, out, depth))
        case f.Pow(x, f.Num(exponent)):
            below = sign(x, args, out, depth)
            return below if exponent.is_positive and below else Sign(exponent.is_even is True or below > 0)
        case f.Call(name, parts):
            return _sign_of_call(TABLE[name], [sign(p, args, out, depth) for p in parts])
        case f.Neg(f.Arg(k)) if args[k].form is not None and depth > 0:
            return min(Sign.NONNEGATIVE, sign(f.neg(args[k].attr.form), args[k].args, None, depth - 1))
    return Sign.UNKNOWN


def _sign_of_call(record: Scalar, known: Sequence[Sign]) -> Sign:
    if record.chooses:
        return (max if record.largest else min)(known[k] for k in record.chooses)
    least = Sign(record.range[0] >= 0)
    return max(known[0], least) if record.power and known[0] == Sign.POSITIVE else least


def _sign_of_row(row: Node, depth: int) -> Sign:
    if row.form is not None:
        return max(sign(row.form, row.args, None, depth), Sign(row.attr.boolean))
    if isinstance(row.attr, Leaf):
        return Sign.UNKNOWN if row.attr.value is None else sign(f.Num(row.attr.value), ())
    if row.value is not None:
        return sign(f.Num(row.value), ())
    if isinstance(row.attr, Pattern) and len(row.args) == 2 and row.args[0] is row.args[1]:
        return Sign(len(set(row.attr.ins)) == 1)
    if is_sum(row) and _finds_largest(row.args[0]):
        return Sign.POSITIVE
    known = [_sign_of_row(a, depth - 1) for a in _entries(row)] if depth > 0 else []
    return max(min(known, default=Sign.UNKNOWN), Sign(row.op.range[0] >= 0))


def _entries(row: Node) -> Sequence[Node]:
    """The rows whose sign a row has, when it adds up some of their entries or only moves them."""
    entries = kind(row)
    same = entries.moved or (entries.added and not entries.tied) or row.op.chooses
    return [a for a in row.args if a.kind == FLOAT] if same else ()


def _finds_largest(row: Node) -> bool:
    """1[a = max a]: at least one entry is."""
    if row.role is not Role.EQUALITY:
        return False
    return any(top.op.chooses and top.args[0] is a for a in row.args for top in map(plainly, row.args))
