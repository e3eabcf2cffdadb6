"""Mistakes that code makes and formulas on paper do not: `=` for `+=`, another axis, a lost entry, a factor twice.

A rule looks at one edge of the derivation, or at one row where branches meet, as those of `grade.derivation_mistakes`
do, and yields candidates of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations, permutations, product
from typing import Any, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import (
    is_convolution,
    is_lookup,
    is_pick,
    is_product,
    is_repeated,
    is_reshaped,
    is_sum,
    is_unfolded,
)
from symbackprop.core.graph import Node
from symbackprop.core.loops import body_leaf
from symbackprop.core.ops.matrices import swapped
from symbackprop.core.roles import Role
from symbackprop.core.scalars import AT_ZERO, TABLE
from symbackprop.core.shapes import bracketed, dim_text, same_shape, shape_text
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import (
    ACTIVATIONS,
    Candidate,
    Place,
    Swap,
    leads_to,
    missing,
    named_above,
    nothing,
    variants,
)
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.numeric_sweep import NumericSweep, summed
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.own.truth import has_kink

OVERWRITTEN, AXIS, SWAPPED, CONVENTION, SHIFTED = "overwritten", "axis", "swapped", "convention", "shifted"
Root: TypeAlias = tuple[Node, sp.Expr]
COPIES = (Role.LOOKUP, Role.UNFOLDED, Role.PART, Role.PICK)


def candidate(place: Place, kind: str, says: str, swap: Swap, price: int, patterns: tuple[object, ...] = ()
              ) -> Candidate:
    """A mistake at one edge whose sentence is at hand."""
    return at_once(kind, says, place.factor, {place.edge: swap}, price, patterns)


def at_once(kind: str, says: str, name: str, swaps: Mapping[Edge, Swap], price: int, patterns: tuple[object, ...] = ()
            ) -> Candidate:
    """The same at several edges together, in what is called by a name."""
    return Candidate(kind, lambda: Finding(kind, says, name), swaps, 0, patterns, price)


# -- what one edge hands back


def overwrites(place: Place) -> Iterator[Candidate]:
    """``dE[index] = d`` and ``dX[window] = d`` where += belongs: the last one wins."""
    edge = place.edge
    row, op = edge.consumer, edge.consumer.op.name
    name = declared_name(place.reference, edge.argument)
    if edge.index == 0 and row.role in COPIES:
        what = "an index that occurs twice" if is_lookup(row) else "entries that overlap"
        says = f"= stands where += belongs in d{name}: of {what} only the last contribution is kept"
        patterns = (("overwrites", op, name), ("overwrites", op))
        yield candidate(place, OVERWRITTEN, says, partial(_last_copy, lambda a: a), 15, patterns)
        places = row.args[1].ndim if is_lookup(row) else 0
        if is_unfolded(row):  # dX[:, k : k + n] = d[:, :, k] writes the last place of all windows last
            swap = partial(_last_copy, lambda a: np.moveaxis(a, row.attr[0] + 1, 0))
            yield candidate(place, OVERWRITTEN, says, swap, 16)
        if places > 1:  # a loop of backward writes the first step last
            yield candidate(place, OVERWRITTEN, says, partial(_last_copy, lambda a: a[::-1]), 16)
        for axis in range(places) if places > 1 else ():
            within = says.replace("occurs twice", f"occurs twice in one step along axis {axis}")
            yield candidate(place, OVERWRITTEN, within, partial(_last_copy_of_each, axis), 16)
    if edge.index == 1 and is_convolution(row):
        says = f"= stands where += belongs in d{name}: of the sum over the places of the window only the last is kept"
        yield candidate(place, OVERWRITTEN, says, lambda s, e, up: s.passed(e, _kept(up, (ALL, -1, -1))), 15)
        says = f"= stands where += belongs in d{name}: of the sum over samples and places only the last is kept"
        yield candidate(place, OVERWRITTEN, says, lambda s, e, up: s.passed(e, _kept(up, (-1, -1, -1))), 15)
    if edge.index == 0 and is_convolution(row):
        says = f"= stands where += belongs in d{name}: where windows overlap only the last contribution is kept"
        yield candidate(place, OVERWRITTEN, says, _last_window, 15)
        channels = f"{says}, and of the channels of what comes out only the last"
        yield candidate(place, OVERWRITTEN, channels, lambda s, e, up: _last_window(s, e, _kept(up, (..., -1))), 16)
        yield candidate(place, OVERWRITTEN, says, partial(_windows, (0, 0), False), 15)  # as col2im does


def _last_copy(order: Callable[[Array], Array], sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """Every entry of the consumer is a copy of one of the argument: numbering these tells which. ``order`` has them as
    they are written."""
    return _written_over(sweep, edge, order(_numbered(sweep, edge)), order(upstream))


def _last_copy_of_each(axis: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """Overwritten within one step along an axis, and added up over the steps."""
    places, whole = np.moveaxis(_numbered(sweep, edge), axis, 0), np.moveaxis(upstream, axis, 0)
    return sum(_written_over(sweep, edge, p, u) for p, u in zip(places, whole, strict=True))


def _numbered(sweep: NumericSweep, edge: Edge) -> Array:
    consumer, shape = edge.consumer, sweep.point.size(edge.argument.shape)
    leaf = body_leaf(consumer.graph, "numbered", edge.argument.shape)
    row = consumer.graph.again(consumer, [leaf, *consumer.args[1:]])
    numbers = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    return sweep.point.computed([row], {leaf.id: numbers})[row.id].astype(int)


def _written_over(sweep: NumericSweep, edge: Edge, places: Array, upstream: Array) -> Array:
    result = np.zeros(sweep.point.size(edge.argument.shape))
    result.reshape(-1)[places.reshape(-1)] = np.broadcast_to(upstream, places.shape).reshape(-1)
    return result


def declared_name(reference: Reference, row: Node) -> str:
    """The name of a row, or of the one that it is another layout of, or the windows, or their maximum."""
    while not reference.is_named(row) and (is_unfolded(row) or row.op.chooses or (
            len(row.args) == 1 and (is_reshaped(row) or is_product(row)))):
        row = row.args[0]
    return reference.name(row)


def _kept(upstream: Array, place: tuple[Any, ...]) -> Array:
    """A gradient of which one part is left and the rest is 0."""
    kept = np.zeros_like(upstream)
    kept[place] = upstream[place]
    return kept


def one_entry(upstream: Array, axis: int, entry: int) -> Array:
    """The same with one entry along an axis left."""
    return _kept(upstream, (ALL,) * axis + (entry,))


ALL = slice(None)


def _last_window(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """What a convolution's input gets when every window is written over what was there."""
    graph, result = edge.consumer.graph, np.zeros(sweep.point.size(edge.argument.shape))
    ones = (edge.consumer.args[0], graph.full(1, edge.consumer.args[1].shape))
    for place in np.ndindex(upstream.shape[1:3]):
        only = np.zeros_like(upstream)
        only[:, place[0], place[1]] = 1.0
        inside = sweep.through(edge, only, ones) != 0
        result = np.where(inside, sweep.passed(edge, upstream * only), result)
    return result


def shifted_windows(place: Place) -> Iterator[Candidate]:
    """Windows of a convolution some places off: its padding is cut off at the wrong end, an index is off by one."""
    edge = place.edge
    if not is_convolution(edge.consumer):
        return
    name, image = declared_name(place.reference, edge.argument), declared_name(place.reference, edge.consumer.args[0])
    reach = sorted({-1, 0, 1, *(s * int(p) for p in edge.consumer.attr.padding for s in (-1, 1))})
    for off in (o for o in product(reach, reach) if any(o)):
        words = " and ".join(f"{abs(k)} along axis {axis}" for axis, k in enumerate(off, 1) if k)
        says = f"the windows over {image} are shifted by {words} in d{name}: the padding is cut off, or an index " \
               "begins, at the wrong place"
        yield candidate(place, SHIFTED, says, partial(_windows, off, True), 19)
    if edge.index == 1:
        for says, change in _WINDOWS.items():
            yield candidate(place, SHIFTED, says.format(name=name), _window_as(change), 19)


def _windows(off: tuple[int, int], added: bool, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """What a convolution hands back place by place of its kernel, with windows that are ``off``, not ``added`` up."""
    image, kernel = (sweep.point.value(a) for a in edge.consumer.args)
    stride, padding = ([int(k) for k in pair] for pair in (edge.consumer.attr.stride, edge.consumer.attr.padding))
    margin = max(map(abs, off))
    wide = [(0, 0), *[(p + margin, p + margin) for p in padding], (0, 0)]
    padded, result = np.pad(image if edge.index else np.zeros(image.shape), wide), np.zeros(kernel.shape)
    for a, b in np.ndindex(kernel.shape[:2]):
        starts = [k + margin + (o if edge.index else 0) for k, o in zip((a, b), off, strict=True)]
        window = (ALL, *[slice(k, k + s * n, s)
                         for k, s, n in zip(starts, stride, upstream.shape[1:3], strict=True)])
        if edge.index:
            result[a, b] = np.einsum("nijc,nijk->ck", padded[window], upstream)
        else:
            padded[window] = upstream @ kernel[a, b].T + (padded[window] if added else 0)
    inner = [slice(p + margin + o, p + margin + o + n)
             for p, o, n in zip(padding, off, image.shape[1:3], strict=True)]
    return result if edge.index else padded[:, inner[0], inner[1]]


_WINDOWS: dict[str, Callable[[Array], Array]] = {
    "the window of d{name} is turned over: its places run backwards": lambda d: d[::-1, ::-1],
    "the window of d{name} runs backwards along its first axis": lambda d: d[::-1],
    "the window of d{name} runs backwards along its second axis": lambda d: d[:, ::-1],
    "the two axes of the window of d{name} are exchanged": lambda d: np.swapaxes(d, 0, 1),
}


def _window_as(change: Callable[[Array], Array]) -> Swap:
    return lambda sweep, edge, upstream: change(np.asarray(sweep.passed(edge, upstream)))


# -- what is reshaped where its axes have to be moved
ORDERS = [axes for ndim in (3, 4) for axes in permutations(range(ndim)) if axes != tuple(range(ndim))]


def as_laid(axes: tuple[int, ...], a: Array) -> Array:
    """The entries of an array as they lie in memory when its axes are moved."""
    return np.transpose(a, axes).reshape(a.shape) if a.ndim == len(axes) else a * np.nan


def read_as_laid(axes: tuple[int, ...], a: Array) -> Array:
    """An array read as if its axes were already moved."""
    return np.transpose(a.reshape([a.shape[k] for k in axes]), np.argsort(axes))


def divided_otherwise(place: Place) -> Iterator[Candidate]:
    """1/(N − 1) in the gradient of a mean or a variance that divides by N, or the reverse; 1/N in that of a mean over
    N·H entries: at one place, and wherever it divides so."""
    consumer = place.edge.consumer
    form = None if consumer.form is None else consumer.attr.partial(place.edge.index)
    number = sp.fraction(form.value)[1] if isinstance(form, f.Num) else sp.S.One
    for other in _other_divisors(place.reference, number) if number.free_symbols else ():
        texts = [bracketed(dim_text(number)), bracketed(dim_text(other))]
        says = f"1/{texts[1]} stands where 1/{texts[0]} belongs in {place.factor}"
        yield candidate(place, m.MEAN, says, _scaled_by(number / other), 29, (("divided", number, other),))


def _other_divisors(reference: Reference, number: sp.Expr) -> Iterator[sp.Expr]:
    """What stands where something is divided by a number: one less, one more of N − 1, only some of its factors,
    another size."""
    yield number - 1
    if number.is_Add and number.as_coeff_Add()[0] == -1:
        yield number + 1
    sizes = [d for d in reference.lengths if d.free_symbols]
    for d in sizes:
        rest = number / d
        if sp.denom(rest) == 1:
            yield from ([rest] if rest.free_symbols else [])
            yield from (rest * other for other in sizes if other != d)


def products(place: Place) -> Iterator[Candidate]:
    """A product of matrices, or of a matrix and a vector, with a factor transposed or in the other order, where the
    shapes do not tell: once, and at every step of a loop."""
    edge, args = place.edge, place.edge.consumer.args
    if not is_product(edge.consumer) or len(args) != 2 or max(a.ndim for a in args) != 2:
        return
    other = args[1 - edge.index]
    for number, form in enumerate(_forms(edge)):
        tell = _product_told(place, other, number)
        pattern = ("product", edge.consumer.attr, edge.index, number)
        family = m.base_name(place.reference.names.get(other.id, ""))
        yield Candidate(m.TRANSPOSE, tell, {edge: _product(form, other)}, 0, ((*pattern, family), pattern), 16)


def turned_matrices(place: Place) -> Iterator[Candidate]:
    """What an inverse or the solution of a system hands back without the transposes."""
    edge, args = place.edge, place.edge.consumer.args
    if not edge.consumer.op.matrices:
        return
    name = declared_name(place.reference, args[0])
    says = f"in {place.factor}, {name} stands where {bracketed(name)}.T belongs: a transpose is missing or too many"
    turned = [swapped(args[0]), *args[1:]]
    yield candidate(place, m.TRANSPOSE, says, lambda s, e, up: s.through(e, up, turned), 18)


Order: TypeAlias = tuple[tuple[int, int], tuple[bool, bool]]  # of the upstream gradient and the other factor, and .T


def _forms(edge: Edge) -> list[Order]:
    """The products of the upstream gradient and the other factor, each told once: of a vector there is no transpose."""
    above, other = edge.consumer.ndim, edge.consumer.args[1 - edge.index].ndim
    orders = [(1, 0)] if (above, other) == (1, 2) else [(0, 1), (1, 0)]
    flips = [[False, True] if ndim == 2 else [False] for ndim in (above, other)]
    known = (above, other) in ((2, 2), (1, 2), (1, 1))
    return [(order, (a, b)) for order in orders for a in flips[0] for b in flips[1]] if known else []


def _right_form(edge: Edge) -> int:
    """Which of the forms hands back the right product: of the upstream gradient and the other factor."""
    rng = np.random.default_rng(0)
    args = [rng.normal(size=(3,) * a.ndim) for a in edge.consumer.args]
    up = rng.normal(size=(3,) * edge.consumer.ndim)
    right = np.zeros(args[edge.index].shape)
    for place in np.ndindex(right.shape):  # the product is linear in each factor
        basis = np.zeros(right.shape)
        basis[place] = 1.0
        factors = [basis if k == edge.index else a for k, a in enumerate(args)]
        right[place] = np.sum(up * np.einsum(str(edge.consumer.attr), *factors))
    other = args[1 - edge.index]
    return next((k for k, form in enumerate(_forms(edge)) if np.allclose(_multiplied_as(form, up, other), right)), -1)


def _multiplied_as(form: Order, upstream: Array, other: Array) -> Array:
    order, flips = form
    factors = [x.T if flip else x for x, flip in zip((upstream, other), flips, strict=True)]
    first, second = factors[order[0]], factors[order[1]]
    return np.outer(first, second) if first.ndim == second.ndim == 1 else first @ second


def _product(form: Order, other: Node) -> Swap:
    return lambda sweep, edge, upstream: _multiplied_as(form, upstream, sweep.point.value(other))


def _product_told(place: Place, other: Node, number: int) -> Callable[[], Finding]:
    def tell() -> Finding:
        right, forms = _right_form(place.edge), _forms(place.edge)
        above = place.reference.with_gradients.operand(place.reference.gradient(place.edge.consumer))
        texts = [x if x.replace("_", "").isalnum() or (x.endswith("]") and " " not in x) else f"({x})"
                 for x in (m.clipped(above), place.reference.name(other))]
        outer = place.edge.consumer.ndim == other.ndim == 1
        shown = [_written(forms[k], texts, outer) for k in (number, right)]
        kind = m.ORDER if forms[number][0] != forms[right][0] else m.TRANSPOSE
        also = "the factors are in the wrong order" if kind == m.ORDER else "a transpose is missing or too many"
        says = f"{shown[0]} stands where {shown[1]} belongs: {also}"
        return Finding(kind, says, place.factor, shown[1], shown[0])

    return tell


def _written(form: Order, texts: Sequence[str], outer: bool) -> str:
    order, flips = form
    factors = [t + ".T" * flip for t, flip in zip(texts, flips, strict=True)]
    first, second = factors[order[0]], factors[order[1]]
    return f"outer({first}, {second})" if outer else f"{first} @ {second}"


def softmax_parts(place: Place) -> Iterator[Candidate]:
    """The backward of softmax, p * (d - sum(d * p)), without one of its p, or with the sum over another axis."""
    consumer = place.edge.consumer
    if not consumer.op.distribution:
        return
    name, axis = place.reference.name(consumer) if place.reference.is_named(consumer) else "p", consumer.attr
    for number, (says, change) in enumerate(_SOFTMAX_PARTS):
        says = says.format(p=name)
        if number == ONLY_SUM and any(is_pick(e.consumer) for e in place.reference.edges(consumer)):
            says = f"the one-hot is missing: {name} stands where {name} minus the one-hot of the true class belongs"
        patterns = (("softmax", number, m.base_name(name)), ("softmax", number))
        yield candidate(place, m.MISSING_FACTOR, says, _softmax_with(axis, change), 21, patterns)
    for other in (k for k in range(consumer.ndim) if k != axis):
        says = f"the sum in the backward of the softmax {name} runs over axis {other}, where axis {axis} belongs"
        yield candidate(place, AXIS, says, _softmax_with(other, _softmax_back), 26, (("softmax axis", axis, other),))


def _softmax_back(p: Array, d: Array, axis: int) -> Array:
    return p * (d - np.sum(d * p, axis=axis, keepdims=True))


_SOFTMAX_PARTS: tuple[tuple[str, Callable[[Array, Array, int], Array]], ...] = (
    ("the factor {p} in front of the difference is missing: the softmax hands back {p} * (d{p} - sum(d{p} * {p}))",
     lambda p, d, axis: d - np.sum(d * p, axis=axis, keepdims=True)),
    ("the factor {p} in the sum is missing: the softmax hands back {p} * (d{p} - sum(d{p} * {p}))",
     lambda p, d, axis: p * (d - np.sum(d, axis=axis, keepdims=True))),
    ("the factor {p} stands at d{p} alone: the softmax hands back {p} * (d{p} - sum(d{p} * {p}))",
     lambda p, d, axis: p * d - np.sum(d * p, axis=axis, keepdims=True)),
    ("the term d{p} * {p} is missing: the softmax hands back {p} * (d{p} - sum(d{p} * {p}))",
     lambda p, d, axis: -p * np.sum(d * p, axis=axis, keepdims=True)),
    ("the sum in the backward of the softmax {p} is not set back to 0: it goes on adding up along axis 0",
     lambda p, d, axis: p * (d - np.cumsum(np.sum(d * p, axis=axis, keepdims=True), axis=0))),
    ("the backward of a log-softmax, d - {p} * sum(d), stands where that of the softmax belongs, "
     "{p} * (d - sum(d * {p})): a factor {p} is missing",
     lambda p, d, axis: d - p * np.sum(d, axis=axis, keepdims=True)),
    ("the sign of the sum in the backward of the softmax {p} is wrong",
     lambda p, d, axis: p * (d + np.sum(d * p, axis=axis, keepdims=True))),
    ("a mean stands where the sum belongs in the backward of the softmax: it hands back {p} * (d{p} - sum(d{p} * {p}))",
     lambda p, d, axis: p * (d - np.mean(d * p, axis=axis, keepdims=True))),
)


ONLY_SUM = 3  # of the parts above, the sum without the rest


def _softmax_with(axis: int, change: Callable[[Array, Array, int], Array]) -> Swap:
    return lambda sweep, edge, upstream: change(sweep.point.value(edge.consumer), upstream, axis)


def sum_axes(place: Place) -> Iterator[Candidate]:
    """A sum over another axis in the branch through a mean or a norm, which was spread over an axis."""
    reduced, argument = place.edge.consumer, place.edge.argument
    if not is_sum(reduced) or argument.ndim < 2:
        return
    name, axes = bracketed(place.reference.name(argument)), tuple(int(a) for a in reduced.attr[0])
    way, root = through(place.reference, place.edge), _root_of(place.reference, reduced)
    chosen = [w for count in range(1, argument.ndim + 1) for w in combinations(range(argument.ndim), count)]
    for wrong, word in product((w for w in chosen if w != axes), ("mean", "sum")):
        says = f"the {word} in the branch of d{name} through {way} runs over {_axes(wrong)}, " \
               f"where {_axes(axes)} belong{'s' * (len(axes) == 1)}"
        for style in (INSIDE, IN_FRONT, NORMALISED):
            swaps: dict[Edge, Swap] = {place.edge: partial(_summed_over, wrong, axes, word == "mean", style, root)}
            swaps |= {e: partial(_sums_not_zero, dict(swaps)) for e in _spread_below(place.reference, argument)}
            yield at_once(AXIS, says, place.factor, swaps, 27, (("sum axes", axes, wrong, word, style),))


def _spread_below(reference: Reference, row: Node) -> list[Edge]:
    """The edges to rows that are spread along an axis in what elementwise rows are made of: to a variance's mean."""
    found = []
    for arg in row.args if row.form is not None else ():
        if same_shape(arg.shape, row.shape):
            found += _spread_below(reference, arg)
        elif not arg.is_leaf:
            found += [e for e in reference.edges(arg) if e.consumer is row]
    return found


def _sums_not_zero(swaps: Mapping[Edge, Swap], sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """What an edge hands back without the branches whose right sums are 0, which code does not write at all."""
    branches, local = sweep.reference.edges(edge.consumer), sweep.local(edge)
    right = [sweep.passed(b, sweep.right(b.consumer)) * local for b in branches]
    shape = sweep.point.size(edge.argument.shape)
    kept = [b for b, r in zip(branches, right, strict=True) if not _cancels(summed(r, shape), summed(np.abs(r), shape))]
    if len(kept) == len(branches):
        return sweep.passed(edge, upstream)
    above = [(b, sweep.above(b.consumer)) for b in kept]
    total = sum((swaps[b](sweep, b, up) if b in swaps else sweep.passed(b, up) for b, up in above), np.zeros(()))
    return sweep.times(edge, total, local)


def _cancels(total: Array, terms: Array) -> bool:
    return bool(np.max(np.abs(total)) <= 1e-9 * np.max(terms))


INSIDE, IN_FRONT, NORMALISED = "inside", "in front", "normalised"  # where what is the same along the right axes stands


def _root_of(reference: Reference, row: Node) -> Root | None:
    """The root that is taken above a row, and its power: the standard deviation, or one divided by it."""
    above = [e.consumer for e in reference.edges(row) if e.consumer.form is not None]
    for r in above:
        match r.form:
            case f.Pow(_, f.Num(power)) if abs(power) == sp.S.Half:
                return r, power
        if r.role is Role.ROOT:
            return r, sp.S.Half
    inner = [r for r in above if r.head is None and same_shape(r.shape, row.shape)]
    return _root_of(reference, inner[0]) if inner else None


def _axes(axes: Sequence[int]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


def true_class(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """Of what a cross entropy hands back only the entries of the true class, or only the others, times a constant."""
    edges = reference.edges(row)
    soft = [e for e in edges if e.consumer.op.distribution]
    above = [e for s in soft for e in reference.edges(s.consumer)]
    picks = [e for e in (*edges, *above) if is_pick(e.consumer) and e.index == 0]
    if not picks or (len(edges) < 2 and not soft):
        return
    name = reference.name(row)
    every = f"d{name}[:, y] stands where d{name}[arange(N), y] belongs: the one-hot of every sample is taken from all"
    yield at_once(m.ONE_HOT, every, name, {picks[0]: _at_all_classes}, 31)
    for factor, kind, words in (*_constants(reference), (sp.S.Zero, m.TERM, "is missing")):
        for inside in (True, False):
            which = "at the true classes" if inside else "off the true classes"
            says = f"{which} d{name} {words}"
            swaps = {e: partial(_masked, picks[0], factor, inside) for e in edges}
            yield at_once(kind, says, name, swaps, 32)


def _at_all_classes(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """What a pick hands back, in every row at the classes of all rows."""
    right = np.asarray(sweep.passed(edge, upstream))
    return np.sum(right, axis=-1, keepdims=True) * np.any(right != 0, axis=tuple(range(right.ndim - 1)))


def _masked(pick: Edge, factor: sp.Expr, inside: bool, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    mask = sweep.passed(pick, np.ones(sweep.point.size(pick.consumer.shape))) != 0
    return sweep.passed(edge, upstream) * np.where(mask == inside, sweep.point.number(factor), 1.0)


def _summed_over(wrong: tuple[int, ...], axes: tuple[int, ...], mean: bool, style: str, root: Root | None,
                 sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """What the branch hands back when its last sum runs over ``wrong`` axes, with the factor of a mean over these or
    not; factors that are the same along the right axes stand inside the sum or in front of it, or are spread as code
    writes them that has the normalised array: r * xh * sum(d * xh)."""
    shape = sweep.point.size(edge.argument.shape)
    ratio = np.prod([shape[a] for a in wrong]) / np.prod([shape[a] for a in axes])
    parts = [(np.broadcast_to(whole, shape), np.asarray(local))
             for whole, local in _spread(sweep, edge.consumer, edge.argument, 1.0)]
    sums = [[np.sum(x, axis=axes) for x in (whole * local, np.abs(whole * local))] for whole, local in parts]
    front = None
    if root is not None and style == NORMALISED:
        front = np.asarray(sweep.point.value(root[0])) ** float(-1 / root[1])  # one divided by the variance
    total = sum((_resummed(whole, local, wrong, style, front) for (whole, local), both in zip(parts, sums, strict=True)
                 if not _cancels(*both)), np.zeros(shape))  # a sum that is always 0 is never written
    return np.broadcast_to(total / (ratio if mean else 1.0), shape)


def _resummed(whole: Array, local: Array, axis: tuple[int, ...], style: str, front: Array | None) -> Array:
    if front is not None:
        return front * np.sum(whole * local / front, axis=axis, keepdims=True)
    return np.sum(whole * local, axis=axis, keepdims=True) if style == INSIDE else \
        np.sum(whole, axis=axis, keepdims=True) * local


def _spread(sweep: NumericSweep, row: Node, argument: Node, factor: Any) -> Iterator[tuple[Array, Array]]:
    """(gradient from above, local factor) wherever a reduced row is spread over the shape of ``argument`` again, with
    what it is multiplied with on the way."""
    for edge in sweep.reference.edges(row):
        if edge.consumer.form is None:
            raise ValueError("this branch is no mean that is spread")
        local = factor * sweep.local(edge)
        if same_shape(edge.consumer.shape, argument.shape):
            yield from _branches(sweep, edge.consumer, local)
        else:
            yield from _spread(sweep, edge.consumer, argument, local)


def _branches(sweep: NumericSweep, row: Node, factor: Array) -> Iterator[tuple[Array, Array]]:
    """(gradient from above, local factor) of a row; of a difference, which code passes by, those of what reads it."""
    edges = sweep.reference.edges(row)
    if np.ptp(factor) == 0 and edges and all(
            e.consumer.form is not None and same_shape(e.consumer.shape, row.shape) for e in edges):
        yield from ((sweep.right(e.consumer), factor * sweep.local(e)) for e in edges)
    else:
        yield sweep.right(row), factor


def scaled(place: Place) -> Iterator[Candidate]:
    """What an edge hands back times a constant: a term of several, or at every step of a loop."""
    reference, edge = place.reference, place.edge
    family = tuple(m.base_name(reference.names.get(r.id, "")) for r in (*edge.consumer.args, edge.consumer))
    shown = branch(reference, edge)
    alone = len(reference.edges(edge.argument)) == 1
    for number, (factor, kind, words) in enumerate(_constants(reference)[: PLAIN if alone else None]):
        patterns = (("scaled", edge.consumer.attr, edge.index, family, factor),) if number < PLAIN else ()
        yield candidate(place, kind, f"{shown} {words}", _scaled_by(factor), 31 if alone else 28, patterns)


PLAIN = 3  # of the constants below, those that are no sizes


def _scaled_by(factor: sp.Expr) -> Swap:
    return lambda sweep, edge, upstream: sweep.point.number(factor) * sweep.passed(edge, upstream)


def _constants(reference: Reference) -> list[tuple[sp.Expr, str, str]]:
    """(factor, kind, words) of the constants that people get wrong in one term."""
    found = [(sp.S.NegativeOne, m.SIGN, "has the wrong sign"), (sp.S(2), m.CONSTANT, "is twice what it should be"),
             (sp.S.Half, m.CONSTANT, "is half of what it should be: a factor 2 is missing")]
    for d in reference.lengths:
        found += [(d, m.MEAN, f"lacks the factor 1/{_divisor(d)}"),
                  (1 / d, m.MEAN, f"has the factor 1/{_divisor(d)} once too often")]
    for name, row in reference.model.constants.items():
        value = sp.nsimplify(row.attr.value)
        if value != 0:
            found += [(1 / value, m.MISSING_FACTOR, f"lacks the factor {name}"),
                      (value, m.EXTRA_FACTOR, f"has the factor {name} once too often"),
                      (1 / (2 * value), m.MISSING_FACTOR, f"lacks the factor 2 * {name}")]
    return found


def _divisor(d: sp.Expr) -> str:
    return bracketed(dim_text(d))


# -- what a whole row's gradient is multiplied with


def branch(reference: Reference, edge: Edge) -> str:
    """A branch as a person sees it: its term where that is short, else the row that it leads to."""
    term = reference.term(edge)
    return f"the term {term}" if len(term) <= SHORT else f"the branch through {through(reference, edge)}"


def through(reference: Reference, edge: Edge) -> str:
    """What a branch leads to: the named rows next above that no other branch leads to, else the row's own formula and
    what that leads to."""
    above, names = named_above(reference, edge.consumer), leads_to(reference, edge)
    if 0 < len(names) < 3:
        return " and ".join(names)
    formula = m.clipped(reference.name(edge.consumer), SHORT)
    return f"{formula} to {' and '.join(above)}" if 0 < len(above) < 3 and above != [formula] else formula


SHORT = 60


def missing_branches(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """One or two of the branches that meet at a row left out; of a time step at every step too."""
    edges = reference.edges(row)
    name = reference.name(row)
    for count in (1, 2):
        for gone in combinations(edges, count) if count < len(edges) else ():
            tell = partial(_missing_told, reference, gone, name)
            step = ("missing branch", m.base_name(name), _families(reference, gone))
            patterns = (step,) if name.endswith("]") else ()
            price = 14 + count if reference.is_named(row) else 17 + count
            yield Candidate(m.MISSING_PATH, tell, dict.fromkeys(gone, nothing), 0, patterns, price)


def _families(reference: Reference, edges: Sequence[Edge]) -> frozenset[Hashable]:
    """What edges lead to, whatever the step."""
    return frozenset((e.consumer.op.name, e.index, tuple([m.base_name(reference.names.get(a.id, ""))
                                                          for a in e.consumer.args])) for e in edges)


def _missing_told(reference: Reference, gone: Sequence[Edge], name: str) -> Finding:
    return missing(gone, " and ".join(branch(reference, e) for e in gone), m.clipped(name, SHORT), reference, name)


def summed_axes(edge: Edge) -> Iterator[int]:
    """The axes of the upstream gradient that are summed on the way to the argument."""
    consumer, argument = edge.consumer, edge.argument
    if is_product(consumer):
        ins, out = str(consumer.attr).split("->")
        yield from (k for k, letter in enumerate(out) if letter not in ins.split(",")[edge.index])
    if is_convolution(consumer):
        yield from (0, 1, 2) if edge.index else (1, 2, 3)
    if consumer.form is not None or is_repeated(consumer):
        lead = consumer.ndim - argument.ndim
        yield from (k for k in range(consumer.ndim) if k < lead or argument.shape[k - lead] == 1 != consumer.shape[k])


def chosen_elsewhere(place: Place) -> Iterator[Candidate]:
    """The gradient of a maximum handed to another entry: the smallest one, the largest along another axis or of all."""
    row, ndim = place.edge.consumer, place.edge.argument.ndim
    if not row.op.chooses:
        return
    name, axes = declared_name(place.reference, place.edge.argument), tuple(int(a) for a in row.attr[0])
    others = [w for count in range(1, ndim + 1) for w in combinations(range(ndim), count) if w != axes]
    entries: list[tuple[str, Callable[..., Array], tuple[int, ...]]] = [("smallest", np.min, axes)]
    entries += [("largest", np.max, w) for w in others]
    for word, choose, along in entries:
        which = f"the {word} of all" if len(along) == ndim > 1 else f"the {word} along {_axes(along)}"
        says = f"in d{name}, {which} gets what belongs to the largest along {_axes(axes)}"
        yield candidate(place, m.SUBSTITUTION, says, partial(_to_entries, axes, choose, along), 31)


def _to_entries(axes: tuple[int, ...], choose: Callable[..., Array], along: tuple[int, ...], sweep: NumericSweep,
                edge: Edge, upstream: Array) -> Array:
    values = sweep.point.value(edge.argument)
    spread = np.reshape(upstream, [1 if k in axes else d for k, d in enumerate(values.shape)])
    return spread * (values == choose(values, axis=along, keepdims=True))


def part_of_sum(place: Place) -> Iterator[Candidate]:
    """Of a sum over an axis only a part: the last entry, the last block, all but one end."""
    edge, name = place.edge, declared_name(place.reference, place.edge.argument)
    named = place.reference.is_named(edge.consumer)
    above = f"d{place.reference.name(edge.consumer)}" if named else "what comes from above"
    for axis in summed_axes(edge):
        for kind, price, words, kept in _PARTS:
            says = words.format(name=name, sum=f"of the sum over axis {axis} of {above}")
            patterns = (("part of a sum", words, m.base_name(name)),) if price > 32 else ()
            yield candidate(place, kind, says, partial(_only, axis, kept), price, patterns)
        over = f"= stands where += belongs in d{name}: of the sum over axis {axis} of {above} only the last " \
               "contribution that is not 0 is kept"
        if is_product(edge.consumer):
            yield candidate(place, OVERWRITTEN, over, partial(_last_not_0, axis), 34)
        if edge.consumer.form is not None:
            belongs = f"the number of entries of {above} that are not 0 along axis {axis}"
            once = f"in d{name}, 1 stands where {belongs} belongs"
            yield candidate(place, m.MISSING_SUM, once, partial(_counted_once, axis), 32)


Kept: TypeAlias = Callable[[int], slice]  # of so many entries along an axis


def _from_last(block: int) -> Kept:
    return lambda count: slice((count - 1) // block * block, None)


def _last(number: int) -> Kept:
    return lambda count: slice(max(count - number, 0), None)


_OVER = "= stands where += belongs in d{name}: {sum} only the last "
_PARTS: list[tuple[str, int, str, Kept]] = [
    (OVERWRITTEN, 32, _OVER + "entry is kept", lambda count: slice(count - 1, None)),
    (m.MISSING_SUM, 32, "{sum} only the first entry is kept in d{name}", lambda count: slice(1)),
    (m.MISSING_SUM, 33, "{sum} the last entry is left out in d{name}: a loop ends too early",
     lambda count: slice(count - 1)),
    (m.MISSING_SUM, 33, "{sum} the first entry is left out in d{name}: a loop begins too late",
     lambda count: slice(1, None)),
    (m.MISSING_SUM, 34, "{sum} only every second entry is kept in d{name}: a loop goes on by 2",
     lambda count: slice(None, None, 2)),
    (m.MISSING_SUM, 34, "{sum} only every second entry is kept in d{name}, from the second on: a loop goes on by 2",
     lambda count: slice(1, None, 2)),
    (m.MISSING_SUM, 34, "{sum} only the first half is kept in d{name}: a loop ends half-way",
     lambda count: slice(count // 2)),
    (m.MISSING_SUM, 34, "{sum} only the second half is kept in d{name}: a loop begins half-way",
     lambda count: slice(count // 2, None)),
    *((OVERWRITTEN, 34, f"{_OVER}block of {block} is kept", _from_last(block)) for block in (2, 3, 4)),
    *((OVERWRITTEN, 35, f"{_OVER}{number} entries are kept", _last(number)) for number in (2, 3, 4)),
]


def _only(axis: int, kept: Kept, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    return sweep.passed(edge, _kept(upstream, (ALL,) * axis + (kept(upstream.shape[axis]),)))


def _last_not_0(axis: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """As ``dW[e[n]] = d[n]`` leaves it, where samples that do not go to e hand nothing back."""
    result = np.zeros(sweep.point.size(edge.argument.shape))
    for entry in range(upstream.shape[axis]):
        more = np.asarray(sweep.passed(edge, one_entry(upstream, axis, entry)))
        result = np.where(more != 0, more, result)
    return result


def _counted_once(axis: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """As if one of the entries that are summed were not 0, where all that are not are equal: those of a mask."""
    counted = upstream[upstream != 0]
    if not counted.size or np.ptp(counted) > 1e-9 * np.max(np.abs(counted)):
        raise ValueError("nothing is counted")
    kept = np.zeros_like(upstream)
    kept[(ALL,) * axis + (0,)] = counted[0]
    return sweep.passed(edge, kept)


def handing_on(row: Node, sign: int = 1) -> Swap:
    """The gradient of another row handed on."""
    return lambda sweep, edge, upstream: sweep.passed(edge, sign * sweep.above(row))


def other_gradients(place: Place) -> Iterator[Candidate]:
    """The gradient of another array handed on, as that of a result where that of an intermediate belongs."""
    edge, reference = place.edge, place.reference
    right = reference.gradient(edge.consumer)
    lines = reference.solution(reference.name(edge.consumer)) if reference.is_named(edge.consumer) else []
    shown = lines[-1] if lines else ""
    shown = shown if 0 < len(shown) <= SHORT else m.clipped(reference.with_gradients.operand(right), SHORT)
    name = reference.name(edge.argument)
    where = f"d{name}" if reference.is_named(edge.argument) else f"the gradient of {m.clipped(name, SHORT)}"
    for name, row in reference.rows.items():
        other = reference.gradients.get(row.id)
        if other is not None and other is not right and row.shape and same_shape(row.shape, edge.consumer.shape):
            belongs = shown if len(shown) <= SHORT and not shown.endswith("…") else _multiple_of(reference, edge, row)
            for sign, swap in (("", handing_on(row)), ("-", handing_on(row, -1))):
                says = f"in {where}, {sign}d{name} stands where {belongs or shown} belongs"
                yield candidate(place, m.SUBSTITUTION, says, swap, 35 + len(sign))


def _multiple_of(reference: Reference, edge: Edge, above: Node) -> str:
    """The gradient of what an edge leads to, as that of the next row times a factor, if it is."""
    links = reference.edges(edge.consumer)
    if len(links) != 1 or links[0].consumer is not above or above.form is None:
        return ""
    factor = reference.written(above.attr.partial(links[0].index), above.args, above)
    return m.clipped(f"d{reference.name(above)} * {bracketed(factor)}", SHORT)


# -- a slip in what a local derivative reads


def inner_slips(place: Place) -> Iterator[Candidate]:
    """A slip in an array that a local derivative reads, as it is worked out again there: ``sigmoid(g)`` where
    ``silu(g)`` belongs, targets without one of their terms."""
    edge = _reader(place)
    consumer = edge.consumer
    read = [] if consumer.form is None else f.arguments(consumer.attr.partial(edge.index))
    for i in read:
        for kind, says, wrong in _slips(place.reference, consumer.args[i]):
            pattern = ("inner", consumer.attr, edge.index, i, *wrong)
            swap = partial(_with_inner, edge, i, wrong)
            yield candidate(place, kind, f"in {place.factor}, {says}", swap, 32, (pattern,))


def _reader(place: Place) -> Edge:
    """The edge at which what an edge hands on as it is was multiplied with something."""
    consumer, above = place.edge.consumer, place.reference.edges(place.edge.consumer)
    passes = consumer.form is not None and consumer.attr.partial(place.edge.index) == f.ONE
    return above[0] if passes and len(above) == 1 else place.edge


Slip: TypeAlias = tuple[f.Formula, tuple[int, ...]]  # a wrong formula, and the arguments that lead to where it stands
DEEP = 2


def _slips(reference: Reference, row: Node, depth: int = 0) -> Iterator[tuple[str, str, Slip]]:
    """(kind, words, the slip) of a row and of what it is made of without a name."""
    if row.form is None:
        return
    yield from ((kind, says, (wrong, ())) for kind, says, wrong in _slips_here(reference, row))
    for k, arg in enumerate(row.args if depth < DEEP else ()):
        if not reference.is_named(arg) and not arg.is_leaf:
            yield from ((kind, says, (wrong, (k, *path)))
                        for kind, says, (wrong, path) in _slips(reference, arg, depth + 1))


def _slips_here(reference: Reference, row: Node) -> Iterator[tuple[str, str, f.Formula]]:
    """(kind, words, wrong formula over the row's arguments)"""
    assert row.form is not None
    shown = m.clipped(reference.name(row), SHORT)
    if row.head is not None and len(row.args) == 1:
        for name in (n for n in FUNCTIONS if n != row.head):
            wrong = f.call(name, f.Arg(0)) if name else f.Arg(0)
            yield m.SUBSTITUTION, f"{reference.written(wrong, row.args, row)} stands where {shown} belongs", wrong
    for part in row.form.children if isinstance(row.form, f.Call) and len(row.args) > 1 else ():
        yield m.SUBSTITUTION, f"{reference.written(part, row.args, row)} stands where {shown} belongs", part
    for v in variants(row.form):
        if v.kind in (m.TERM, m.MISSING_FACTOR, m.CONSTANT, m.SIGN):
            yield v.kind, f"in {shown}, {v.says.format(part=reference.written(v.part, row.args, row))}", v.form


def _slipped(sweep: NumericSweep, row: Node, slip: Slip) -> Array:
    """The value of a row with a slip in it or in what it is made of."""
    wrong, path = slip
    args: list[Node | Array] = list(row.args)
    if not path:
        return sweep.formula(wrong, args)
    args[path[0]] = _slipped(sweep, row.args[path[0]], (wrong, path[1:]))
    return sweep.formula(row.attr.form, args)


FUNCTIONS = ("", *(n for n in ACTIVATIONS if TABLE[n].switches != AT_ZERO))


def _with_inner(reader: Edge, index: int, slip: Slip, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    consumer = reader.consumer
    args: list[Node | Array] = list(consumer.args)
    args[index] = _slipped(sweep, consumer.args[index], slip)
    local = sweep.formula(consumer.attr.partial(reader.index), args, consumer)
    if reader is edge:
        return sweep.times(edge, upstream, local)
    return sweep.passed(edge, sweep.times(reader, sweep.above(consumer), local))


# -- shapes


def misshaped(reference: Reference, sweep: NumericSweep, target: Node, given: Array, agrees: Callable[[Array], bool]
              ) -> Finding | None:
    """A gradient of another shape: transposed, not summed, or summed over other axes than those broadcast."""
    name, right = reference.name(target), sweep.right(target)
    wanted = shape_text(target.shape)
    if given.ndim == right.ndim and given.ndim > 1 and given.shape == right.shape[::-1] and agrees(right.T):
        return Finding(m.TRANSPOSE, f"it is transposed: d{name} has the shape of {name}, {wanted}", name)
    row = target
    while [is_reshaped(e.consumer) for e in reference.edges(row)] == [True]:
        row = reference.edges(row)[0].consumer
    right = sweep.right(row)
    for edge in reference.edges(row):
        form = edge.consumer.form
        product = is_product(edge.consumer) or isinstance(form, f.Mul)
        if product and len(edge.consumer.args) == 2 and agrees(sweep.right(edge.consumer)):
            other = reference.name(edge.consumer.args[1 - edge.index])
            return Finding(m.MISSING_FACTOR, f"the factor {other} is missing in d{name}", name, other)
        if edge.consumer.form is None or len(reference.edges(row)) > 1:
            continue
        whole = np.broadcast_to(sweep.right(edge.consumer) * sweep.local(edge), sweep.point.size(edge.consumer.shape))
        lead = whole.ndim - right.ndim
        belongs = tuple(k for k in range(whole.ndim) if k < lead or right.shape[k - lead] != whole.shape[k])
        for says, kind, value in _sums(whole, belongs):
            if any(agrees(v) for v in (value, np.squeeze(value))):
                return Finding(kind, f"{says} in d{name}, which has the shape {wanted}", name)
    return None


def _sums(whole: Array, belongs: Sequence[int]) -> Iterator[tuple[str, str, Array]]:
    yield f"the sum over {_axes(belongs)} is missing", m.MISSING_SUM, whole
    for count in range(1, whole.ndim + 1):
        for axes in combinations(range(whole.ndim), count):
            if tuple(axes) != tuple(belongs):
                wrong = f"the sum runs over {_axes(axes)}, where {_axes(belongs)} belong{'s' * (len(belongs) == 1)}"
                yield wrong, AXIS, whole.sum(axis=axes)
                yield wrong.replace("sum", "mean", 1), AXIS, whole.mean(axis=axes)


AT_EDGES = (overwrites, shifted_windows, divided_otherwise, products, turned_matrices, softmax_parts, sum_axes,
            inner_slips, scaled, chosen_elsewhere, part_of_sum, other_gradients)
AT_ROWS = (missing_branches, true_class)
FEW_AT_EDGES = (overwrites, shifted_windows, divided_otherwise, products, softmax_parts)
FEW_AT_ROWS = (missing_branches,)


# -- masks beside the kink: code that asks ``z >= -1e-3`` where z > 0 belongs
THRESHOLDS = [sign * 10.0**-k for k in range(1, 8) for sign in (-1, 1)]


def displaced_masks(place: Place) -> Iterator[Candidate]:
    """The derivative of a function with a kink taken from a threshold beside it."""
    name = place.reference.name(place.edge.argument)
    for threshold in THRESHOLDS if has_kink(place.edge) else ():
        side = "below" if threshold < 0 else "above"
        says = f"the mask of {name} is not at 0: entries just {side} it count as on its other side"
        yield candidate(place, m.SUBSTITUTION, says, partial(_from, threshold), 36, (("mask at", threshold),))


def _from(threshold: float, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    values = [sweep.point.value(a) for a in edge.consumer.args]
    values[0] = values[0] - threshold
    out = sweep.formula(edge.consumer.attr.form, values)
    return sweep.times(edge, upstream, sweep.formula(edge.consumer.attr.partial(0), values, out))
