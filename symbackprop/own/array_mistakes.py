"""Mistakes that code makes and formulas on paper do not: `=` for `+=`, another axis, a lost entry, a factor twice.

A rule looks at one edge of the derivation, or at one row where branches meet, as those of `grade.derivation_mistakes`
do, and yields candidates of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import combinations, permutations, product
from typing import Any, TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.build import reshape, transpose
from symbackprop.core.facts import (
    is_convolution,
    is_joined,
    is_log_determinant,
    is_lookup,
    is_part,
    is_pick,
    is_product,
    is_repeated,
    is_reshaped,
    is_solution,
    is_squeezed,
    is_sum,
    is_unfolded,
    made_as,
)
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.loops import body_leaf
from symbackprop.core.roles import Role
from symbackprop.core.shapes import bracketed, dim_text, same_shape, shape_text
from symbackprop.derive.record import Edge
from symbackprop.grade import mistakes as m
from symbackprop.grade.derivation_mistakes import (
    Candidate,
    Place,
    Swap,
    by_formula,
    missing,
    nothing,
    replaced,
    with_operands,
)
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference
from symbackprop.own.local_mistakes import AT_EDGES as LOCAL
from symbackprop.own.local_mistakes import at_once, candidate, handing_on, skipped

OVERWRITTEN, AXIS, SWAPPED, CONVENTION, SHIFTED = "overwritten", "axis", "swapped", "convention", "shifted"
COPIES = (Role.LOOKUP, Role.UNFOLDED, Role.PART, Role.PICK)


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


def cut_elsewhere(place: Place) -> Iterator[Candidate]:
    """The gradient of one of several arrays that were joined, cut out at another place: padding at the other end."""
    edge, whole = place.edge, place.edge.consumer
    if is_joined(whole):
        name = declared_name(place.reference, edge.argument)
        for first in (True, False):
            says = f"d{name} is cut out at the wrong place of what comes back from " \
                   f"{m.clipped(place.reference.name(whole), SHORT)}: " \
                   f"the {'first' if first else 'last'} entries along axis {whole.attr} are taken"
            yield candidate(place, SHIFTED, says, partial(_cut, first), 19)


def _cut(first: bool, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    size, axis = sweep.point.size(edge.argument.shape), int(edge.consumer.attr)
    start = 0 if first else upstream.shape[axis] - size[axis]
    return np.take(upstream, range(start, start + size[axis]), axis)


def laid_out(place: Place) -> Iterator[Candidate]:
    """An upstream gradient that is reshaped where its axes have to be transposed: NCHW taken for NHWC."""
    edge = place.edge
    above = edge.consumer.ndim
    if above < 3 or not (next(summed_axes(edge), None) is not None or is_product(edge.consumer)):
        return
    name = m.clipped(place.reference.name(edge.consumer), SHORT)
    for i, j in permutations(range(above), 2):
        says = f"d{name} is reshaped where its axes have to be transposed: axis {i} is to come to place {j}"
        yield candidate(place, m.TRANSPOSE, says, partial(_reshaped, i, j), 32)


def _reshaped(i: int, j: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    moved = np.moveaxis(upstream, i, j).shape
    return sweep.passed(edge, np.moveaxis(upstream.reshape(moved), j, i))


def reshaped_otherwise(place: Place) -> Iterator[Candidate]:
    """What comes back from a reshape brought into the shape with its axes in another order, and these put right again:
    N×E×K instead of N×K×E."""
    edge, ndim = place.edge, place.edge.argument.ndim
    if not is_reshaped(edge.consumer) or is_squeezed(edge.consumer) or ndim < 2:
        return
    name = declared_name(place.reference, edge.argument)
    for i, j in permutations(range(ndim), 2):
        says = f"d{name} is reshaped with its axes in another order, and these transposed: axis {i} stands at place {j}"
        yield candidate(place, m.TRANSPOSE, says, partial(_folded_otherwise, i, j), 32)


def _folded_otherwise(i: int, j: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    shape = [*sweep.point.size(edge.argument.shape)]
    shape.insert(j, shape.pop(i))
    return np.moveaxis(upstream.reshape(shape), j, i)


def maxima(place: Place) -> Iterator[Candidate]:
    """A maximum that hands on to every entry alike, or shares equally as an average does."""
    consumer = place.edge.consumer
    if not consumer.op.chooses:
        return
    name = m.clipped(place.reference.name(consumer), SHORT)
    unmasked = f"the mask of the entries that are the maximum is missing: d{name} is handed on to every entry"
    shared = f"d{name} is shared equally by all entries, as by a mean: it belongs to the maximum alone"
    yield candidate(place, m.MISSING_FACTOR, unmasked, _spread_out, 23)
    yield candidate(place, m.SUBSTITUTION, shared, lambda s, e, up: _spread_out(s, e, up) / _share(s, e), 23)


def unmasked_maxima(place: Place) -> Iterator[Candidate]:
    """A ReLU in front of a maximum whose mask is left out: where all its entries are 0 they tie, and code hands on to
    each of them or to the first, whichever way the model shares."""
    row = place.edge.argument
    while is_unfolded(row) or is_reshaped(row):
        row = row.args[0]
    if not place.edge.consumer.op.chooses or row.role is not Role.RECTIFIED:
        return
    for relu in (e for e in place.reference.edges(row.args[0]) if e.consumer is row):
        says = f"the factor {place.reference.local_name(relu, place.target)} = " \
               f"{place.reference.name(relu.argument)} > 0 is missing"
        for first in (False, True):
            swaps: dict[Edge, Swap] = {place.edge: partial(_to_the_largest, first), relu: lambda s, e, up: up}
            yield at_once(m.MISSING_FACTOR, says, place.factor, swaps, 23)


def _to_the_largest(first: bool, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """The whole gradient to every entry that is the maximum, or to the first."""
    axes, keepdims = edge.consumer.attr
    axes, value = tuple(int(a) for a in axes), sweep.point.value(edge.argument)
    largest = value == value.max(axis=axes, keepdims=True)
    flat = np.moveaxis(largest, axes, range(-len(axes), 0))
    if first:
        lines = flat.reshape(*flat.shape[: -len(axes)], -1)
        flat = ((np.cumsum(lines, -1) == 1) & lines).reshape(flat.shape)
    largest = np.moveaxis(flat, range(-len(axes), 0), axes)
    return largest * (upstream if keepdims else np.expand_dims(upstream, axes))


def _spread_out(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    axes, keepdims = edge.consumer.attr
    whole = upstream if keepdims else np.expand_dims(upstream, tuple(int(a) for a in axes))
    return np.broadcast_to(whole, sweep.point.size(edge.argument.shape))


def _share(sweep: NumericSweep, edge: Edge) -> float:
    sizes = [np.prod(sweep.point.size(row.shape), dtype=int) for row in (edge.argument, edge.consumer)]
    return float(sizes[0] / sizes[1])


def without_upstream(place: Place) -> Iterator[Candidate]:
    """What a structural row hands back without the gradient that comes from above."""
    consumer = place.edge.consumer
    if consumer.op.chooses or is_product(consumer) or is_convolution(consumer):
        name = f"d{m.clipped(place.reference.name(consumer), SHORT)}"
        says = f"the upstream gradient {name} is missing: 1 stands where it belongs"
        yield candidate(place, m.MISSING_FACTOR, says, lambda s, e, up: s.passed(e, np.ones_like(up)), 23)


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
    """What stands where something is divided by a number: one less, one more of N − 1, only some of its factors."""
    yield number - 1
    if number.is_Add and number.as_coeff_Add()[0] == -1:
        yield number + 1
    for d in lengths(reference):
        rest = number / d
        if rest.free_symbols and sp.denom(rest) == 1:
            yield rest


def rolled(place: Place) -> Iterator[Candidate]:
    """The parts of a rolled array put back elsewhere: rolled on in the same direction, or not at all."""
    part, whole = place.edge.consumer, _only_consumer(place.reference, place.edge.consumer)
    if not is_part(part) or whole is None or made_as(whole) is not Role.ROLLED:
        return
    name = place.reference.name(place.edge.argument)
    for says, times in ((f"d{name} is rolled in the same direction as {name}: backward rolls the other way", 1),
                        (f"d{name} is not rolled back", 0)):
        pattern = ("rolled", m.base_name(name), times)
        yield candidate(place, AXIS, says, partial(_put_back, whole, times), 21, ((*pattern, whole.id), pattern))


def turned(place: Place) -> Iterator[Candidate]:
    """Rotary positions turned on by the same angle, where backward turns back: the sign of the sine."""
    edge, whole = place.edge, _only_consumer(place.reference, place.edge.consumer)
    form = edge.consumer.attr.partial(edge.index) if edge.consumer.form is not None and whole is not None else None
    sine = form.body if isinstance(form, f.Neg) else form
    factor = edge.consumer.args[sine.index] if isinstance(sine, f.Arg) else None
    if whole is not None and factor is not None and factor.form == _SINE:
        name = m.clipped(place.reference.name(whole), SHORT)
        says = f"in the gradient of {name}, the sign of the sine is wrong: backward turns by the opposite angle"
        yield candidate(place, m.SIGN, says, _scaled_by(sp.S.NegativeOne), 30, (("turned", whole.id), ("turned",)))


_SINE = f.call("sin", f.Arg(0))


def _only_consumer(reference: Reference, row: Node) -> Node | None:
    edges = reference.edges(row)
    return edges[0].consumer if len(edges) == 1 and is_joined(edges[0].consumer) else None


def _put_back(whole: Node, times: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """Each part of the concatenation, placed as if the array had been rolled on ``times`` times."""
    axis = int(whole.attr)
    lengths_ = [sweep.point.size(a.shape)[axis] for a in whole.args]
    start = sum(lengths_[: [a.id for a in whole.args].index(edge.consumer.id)])
    result = np.zeros(sweep.point.size(whole.shape))
    result[(ALL,) * axis + (slice(start, start + upstream.shape[axis]),)] = upstream
    return np.roll(result, times * lengths_[0], axis)


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


def left_out(place: Place) -> Iterator[Candidate]:
    """A product without one of its factors."""
    edge, args = place.edge, place.edge.consumer.args
    if not is_product(edge.consumer):
        return
    for k, other in enumerate(args):
        if k != edge.index:
            ones = edge.consumer.graph.full(1, other.shape)
            name = place.reference.name(other)
            where, price = (f"d{place.reference.name(edge.argument)}", 22) if len(args) == 2 else \
                (f"the product for {place.factor}", 24)
            says = f"the factor {name} is missing in {where}"
            swap = with_operands((*args[:k], ones, *args[k + 1 :]))
            pattern = ("left out", edge.consumer.attr, edge.index, k, m.base_name(name))
            yield candidate(place, m.MISSING_FACTOR, says, swap, price, (pattern,))


def mislaid(place: Place) -> Iterator[Candidate]:
    """A matrix in a product read as if it lay in memory as its transpose does: an index that slips, or a reshape."""
    edge, args = place.edge, place.edge.consumer.args
    for k, other in enumerate(args) if is_product(edge.consumer) else ():
        if k != edge.index and other.kind == FLOAT and other.ndim == 2:
            turned_over = transpose(reshape(other, other.shape[::-1]), (1, 0))
            name, shape = place.reference.name(other), shape_text(other.shape[::-1])
            says = f"in the product for {place.factor}, {name} is read as if it lay in memory as {shape}: an index " \
                   "slips, or it is reshaped where it has to be transposed"
            yield candidate(place, m.TRANSPOSE, says, with_operands((*args[:k], turned_over, *args[k + 1 :])), 30)


def unsolved(place: Place) -> Iterator[Candidate]:
    """What comes back from the solution of A x = b, without solving with Aᵀ."""
    edge = place.edge
    if is_solution(edge.consumer):
        name = m.clipped(place.reference.name(edge.consumer), SHORT)
        matrix = m.clipped(place.reference.name(edge.consumer.args[0]), SHORT)
        says = f"the solution with {matrix}.T is missing in what comes back from {name}"
        yield candidate(place, m.MISSING_FACTOR, says, _as_if_solved, 24)


def _as_if_solved(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    matrix = np.asarray(sweep.point.value(edge.consumer.args[0]))
    return sweep.passed(edge, np.swapaxes(matrix, -1, -2) @ upstream)


def axes_exchanged(place: Place) -> Iterator[Candidate]:
    """Two axes of equal size exchanged in a product of more than two: a transpose inside of a batch."""
    edge, args = place.edge, place.edge.consumer.args
    if not is_product(edge.consumer) or all(a.ndim < 3 for a in (*args, edge.consumer)):
        return
    name = place.reference.name(edge.argument)
    for i, j in _equal_axes(edge.consumer):
        above = f"d{place.reference.name(edge.consumer)}" if place.reference.is_named(edge.consumer) else \
            "the gradient from above"
        says = f"in d{name}, a transpose of {above} (axes {i} and {j}) is missing or too many"
        yield candidate(place, m.TRANSPOSE, says, _upstream_exchanged(i, j), 18)
    for k, other in enumerate(args):
        for i, j in _equal_axes(other) if k != edge.index and other.kind == FLOAT else ():
            axes = [*range(other.ndim)]
            axes[i], axes[j] = j, i
            new = (*args[:k], transpose(other, axes), *args[k + 1 :])
            shown = m.clipped(place.reference.name(other), SHORT)
            says = f"in d{name}, a transpose of {shown} (axes {i} and {j}) is missing or too many"
            yield candidate(place, m.TRANSPOSE, says, with_operands(new), 18)


def summed_elsewhere(place: Place) -> Iterator[Candidate]:
    """A sum over what was broadcast taken over another axis of the same size, ``d.sum(0)`` for ``d.sum(1)``; of a
    matrix that weighs what comes from above, as the p of a logsumexp does, ``p.T @ d`` where ``p @ d`` belongs."""
    edge, form = place.edge, place.edge.consumer.form
    links = place.reference.edges(edge.consumer)
    link = links[0] if len(links) == 1 and (is_sum(links[0].consumer) or links[0].consumer.op.logarithm) else None
    axes = [*summed_axes(edge)] if form is not None else []
    name = m.clipped(declared_name(place.reference, edge.argument), SHORT)
    for i, j in (pair for pair in _equal_axes(edge.consumer) if (pair[0] in axes) != (pair[1] in axes)):
        right, wrong = (i, j) if i in axes else (j, i)
        says = f"what comes back to {name} is summed over axis {wrong}, where axis {right} belongs"
        pattern = ("summed elsewhere", edge.consumer.attr, edge.index, right, wrong)
        yield candidate(place, AXIS, says, partial(_summed_exchanged, None, i, j), 25, (pattern,))
        if link is not None:
            above = m.clipped(place.reference.name(link.consumer), SHORT)
            says = f"what comes back from {above} to {name} is multiplied with the transpose of the matrix that " \
                   f"belongs there (axes {i} and {j}): a transpose is missing or too many"
            patterns = (("weights transposed", edge.consumer.attr, edge.index, link.consumer.op.name, i, j),)
            yield candidate(place, m.TRANSPOSE, says, partial(_summed_exchanged, link, i, j), 26, patterns)


def _summed_exchanged(link: Edge | None, i: int, j: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """With two axes exchanged in all that is summed, or in what weighs that which comes from above a link."""
    whole = np.ones(())
    if link is not None:
        above, (axes, keepdims) = sweep.above(link.consumer), link.consumer.attr
        whole = above if keepdims else np.expand_dims(above, tuple(map(int, axes)))
        upstream = sweep.passed(link, np.ones_like(above))
    matrix = np.broadcast_to(upstream * sweep.local(edge), sweep.point.size(edge.consumer.shape))
    return sweep.times(edge, np.swapaxes(matrix, i, j) * whole, np.ones(()))


def not_inverted(place: Place) -> Iterator[Candidate]:
    """The matrix in place of its inverse in the gradient of a log-determinant."""
    if is_log_determinant(place.edge.consumer):
        name = m.clipped(place.reference.name(place.edge.argument), SHORT)
        for text, value in ((name, lambda a: a), (f"{name}.T", lambda a: np.swapaxes(a, -1, -2))):
            says = f"{text} stands where inv({name}).T belongs in the gradient of the log-determinant"
            yield candidate(place, m.SUBSTITUTION, says, _for_the_inverse(value), 25)


def _for_the_inverse(value: Callable[[Array], Array]) -> Swap:
    return lambda sweep, edge, upstream: upstream[..., None, None] * value(sweep.point.value(edge.argument))


def _equal_axes(row: Node) -> Iterator[tuple[int, int]]:
    yield from ((i, j) for i, j in combinations(range(row.ndim), 2) if row.shape[i] == row.shape[j] != 1)


def _upstream_exchanged(i: int, j: int) -> Swap:
    return lambda sweep, edge, upstream: sweep.passed(edge, np.swapaxes(upstream, i, j))


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


def log_sum_axes(place: Place) -> Iterator[Candidate]:
    """The softmax that a cross entropy or a logsumexp hands back, over another axis."""
    consumer, argument = place.edge.consumer, place.edge.argument
    if consumer.op.logarithm:
        right, name = {int(a) for a in consumer.attr[0]}, m.clipped(place.reference.name(argument), SHORT)
        for axis in (a for a in range(argument.ndim) if {a} != right):
            says = f"the softmax of {name} in its gradient is taken over axis {axis}, not over {_axes(sorted(right))}"
            for price, largest in ((21, (axis,)), (22, tuple(right))):
                pattern = ("log sum axis", axis, largest)
                yield candidate(place, AXIS, says, partial(_log_sum_over, axis, largest), price, (pattern,))


def _log_sum_over(axis: int, largest: tuple[int, ...], sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    whole = upstream if edge.consumer.attr[1] else np.expand_dims(upstream, tuple(map(int, edge.consumer.attr[0])))
    return whole * softmax_over(sweep.point.value(edge.argument), axis, largest)


def spread_elsewhere(place: Place) -> Iterator[Candidate]:
    """What comes back from a sum, a maximum or a logsumexp spread along another axis of the same size: ``d[:, None]``
    where ``d[None, :]`` belongs."""
    edge, consumer = place.edge, place.edge.consumer
    if not (is_sum(consumer) or consumer.op.logarithm or consumer.op.chooses) or consumer.attr[1] \
            or edge.argument.ndim != consumer.ndim + 1:
        return
    axis, name = int(consumer.attr[0][0]), m.clipped(place.reference.name(consumer), SHORT)
    for i, j in _equal_axes(edge.argument):
        if axis in (i, j):
            other = i + j - axis
            says = f"what comes back from {name} is spread along axis {other}, where axis {axis} belongs"
            yield candidate(place, AXIS, says, _spread_along(other), 25, (("spread", consumer.op.name, axis, other),))


def _spread_along(axis: int) -> Swap:
    return lambda sweep, edge, upstream: sweep.passed(edge, np.ones_like(upstream)) * np.expand_dims(upstream, axis)


def stale_scores(place: Place) -> Iterator[Candidate]:
    """A softmax or logsumexp that backward works out again from another array, as one of the next step."""
    edge, scores = place.edge, place.edge.argument
    if not (edge.consumer.op.distribution or edge.consumer.op.logarithm) or scores.form is None:
        return
    for k, arg in enumerate(scores.args):
        source = arg.args[0] if is_reshaped(arg) else arg
        for new, kind, words, moved in place.exchanges(source):
            says = f"in the softmax of {m.clipped(place.reference.name(scores), SHORT)}, {words}"
            pattern = (("scores", edge.consumer.attr, k, moved),) if moved else ()
            yield candidate(place, kind, says, partial(_with_scores, k, new), 31, pattern)


def _with_scores(k: int, new: Node, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    consumer, args = edge.consumer, list[Node | Array](edge.argument.args)
    args[k] = np.reshape(sweep.point.value(new), sweep.point.size(edge.argument.args[k].shape))
    scores = sweep.formula(edge.argument.attr.form, args)
    if consumer.op.distribution:
        return _softmax_back(softmax_over(scores, consumer.attr, consumer.attr), upstream, consumer.attr)
    axes = tuple(map(int, consumer.attr[0]))
    return (upstream if consumer.attr[1] else np.expand_dims(upstream, axes)) * softmax_over(scores, axes, axes)


def softmax_over(scores: Array, axis: int | tuple[int, ...], largest: int | tuple[int, ...]) -> Array:
    """A softmax that divides by the sum over an axis; what is subtracted before is the ``largest`` over others."""
    raised = np.exp(scores - scores.max(axis=largest, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


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


def softmax_sums(place: Place) -> Iterator[Candidate]:
    """Attention without its probabilities: sum(dP * P) is sum(dO * O) for O = P @ V, and another array stands there."""
    p = place.edge.consumer
    edges = place.reference.edges(p) if p.op.distribution else []
    if len(edges) != 1 or not is_product(edges[0].consumer) or edges[0].consumer.ndim != p.ndim:
        return
    o = edges[0].consumer
    if not place.reference.is_named(o):
        return
    name, softmax = place.reference.name(o), place.reference.name(p)
    others = [r for r in place.known if r is not o and len(r.shape) == len(o.shape) and same_shape(r.shape, o.shape)]
    wrongs = [(f"d{name} * {place.reference.name(r)}", r, False) for r in others]
    for wrong, other, mean in (*wrongs, (f"d{name}", None, False), (f"d{name} * {name}", o, True)):
        says = f"in the backward of the softmax {softmax}, {'mean' if mean else 'sum'}({wrong}) stands where " \
               f"sum(d{name} * {name}) belongs, which is sum(d{softmax} * {softmax})"
        swap = partial(_softmax_less, o, other, mean)
        yield candidate(place, m.SUBSTITUTION, says, swap, 26, (("softmax sum", wrong, mean),))


def _softmax_less(o: Node, other: Node | None, mean: bool, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    products = sweep.above(o) * (1.0 if other is None else sweep.point.value(other))
    less = (np.mean if mean else np.sum)(products, axis=-1, keepdims=True)
    return sweep.point.value(edge.consumer) * (upstream - less)


def sum_axes(place: Place) -> Iterator[Candidate]:
    """A sum over another axis in the branch through a mean or a norm, which was spread over an axis."""
    reduced, argument = place.edge.consumer, place.edge.argument
    if not is_sum(reduced) or argument.ndim < 2:
        return
    name, axes = place.reference.name(argument), tuple(int(a) for a in reduced.attr[0])
    way, root = through(place.reference, place.edge), _root_of(place.reference, reduced)
    chosen = [w for count in range(1, argument.ndim + 1) for w in combinations(range(argument.ndim), count)]
    for wrong, word in product((w for w in chosen if w != axes), ("mean", "sum")):
        says = f"the {word} in the branch of d{name} through {way} runs over {_axes(wrong)}, " \
               f"where {_axes(axes)} belong{'s' * (len(axes) == 1)}"
        for style in (INSIDE, IN_FRONT, NORMALISED):
            swap = partial(_summed_over, wrong, axes, word == "mean", style, root)
            yield candidate(place, AXIS, says, swap, 27, (("sum axes", axes, wrong, word, style),))


INSIDE, IN_FRONT, NORMALISED = "inside", "in front", "normalised"  # where what is the same along the right axes stands


def _root_of(reference: Reference, row: Node) -> Node | None:
    """The root that is taken of a variance, perhaps with an ε: the standard deviation."""
    above = [e.consumer for e in reference.edges(row) if e.consumer.form is not None]
    for r in above:
        if r.role is Role.ROOT:
            return r
    inner = [r for r in above if r.head is None and same_shape(r.shape, row.shape)]
    return _root_of(reference, inner[0]) if inner else None


def _axes(axes: Sequence[int]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


def unsummed(place: Place) -> Iterator[Candidate]:
    """The sum in the branch through a mean or a norm left out, so that every entry keeps its own."""
    reduced = place.edge.consumer
    if is_sum(reduced) and place.edge.argument.ndim > 1:
        name = place.reference.name(place.edge.argument)
        says = f"the sum in the branch of d{name} through {through(place.reference, place.edge)} is missing"
        yield candidate(place, m.MISSING_SUM, says, _not_summed, 27)


def _not_summed(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    shape = sweep.point.size(edge.argument.shape)
    spread = _spread(sweep, edge.consumer, edge.argument, 1.0)
    return sum((np.broadcast_to(whole * local, shape) for whole, local in spread), np.zeros(shape))


def every_class(place: Place) -> Iterator[Candidate]:
    """``p[:, y] -= 1``, which takes 1 off the classes of all samples in every one."""
    edge = place.edge
    if is_pick(edge.consumer) and edge.index == 0 and edge.argument.ndim > 1:
        says = f"in d{place.reference.name(edge.argument)}, 1 is taken off the classes of all samples, as by " \
               "p[:, y] -= 1, where the one of each belongs, p[arange(N), y]"
        yield candidate(place, m.SUBSTITUTION, says, _at_every_class, 29)


def _at_every_class(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    picked = sweep.passed(edge, upstream)
    classes = np.any(picked != 0, axis=tuple(range(picked.ndim - 1)))
    return classes * picked.sum(axis=-1, keepdims=True)


def true_class(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """Of what a cross entropy hands back only the entries of the true class, or only the others, times a constant."""
    edges = reference.edges(row)
    soft = [e for e in edges if e.consumer.op.distribution]
    above = [e for s in soft for e in reference.edges(s.consumer)]
    picks = [e for e in (*edges, *above) if is_pick(e.consumer) and e.index == 0]
    if not picks or (len(edges) < 2 and not soft):
        return
    name = reference.name(row)
    for factor, kind, words in (*_constants(reference), (sp.S.Zero, m.TERM, "is missing")):
        for inside in (True, False):
            which = "at the true classes" if inside else "off the true classes"
            says = f"{which} d{name} {words}"
            swaps = {e: partial(_masked, picks[0], factor, inside) for e in edges}
            yield at_once(kind, says, name, swaps, 32)


def _masked(pick: Edge, factor: sp.Expr, inside: bool, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    mask = sweep.passed(pick, np.ones(sweep.point.size(pick.consumer.shape))) != 0
    return sweep.passed(edge, upstream) * np.where(mask == inside, sweep.point.number(factor), 1.0)


def _summed_over(wrong: tuple[int, ...], axes: tuple[int, ...], mean: bool, style: str, root: Node | None,
                 sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """What the branch hands back when its last sum runs over ``wrong`` axes, with the factor of a mean over these or
    not; factors that are the same along the right axes stand inside the sum or in front of it, or are spread as code
    writes them that has the normalised array: r * xh * sum(d * xh)."""
    shape = sweep.point.size(edge.argument.shape)
    ratio = np.prod([shape[a] for a in wrong]) / np.prod([shape[a] for a in axes])
    parts = [(np.broadcast_to(whole, shape), np.asarray(local))
             for whole, local in _spread(sweep, edge.consumer, edge.argument, 1.0)]
    sizes = [[float(np.max(np.abs(np.sum(x, axis=axes)))) for x in (whole * local, np.abs(whole * local))]
             for whole, local in parts]
    front = np.asarray(sweep.point.value(root)) ** -2.0 if root is not None and style == NORMALISED else None
    total = sum((_resummed(whole, local, wrong, style, front) for (whole, local), (size, terms)
                 in zip(parts, sizes, strict=True)
                 if size > 1e-9 * terms), np.zeros(shape))  # a sum that is always 0 is never written
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
            yield sweep.right(edge.consumer), local
        else:
            yield from _spread(sweep, edge.consumer, argument, local)


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
    for d in lengths(reference):
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


def lengths(reference: Reference) -> list[sp.Expr]:
    """What means divide by: sizes, and products of the sizes of one array."""
    found = {d: None for d in reference.dimensions}
    found |= {s: None for d in reference.dimensions for s in sorted(d.free_symbols, key=str)}
    for row in reference.order:
        axes = [d for d in row.shape if d != 1][:4]
        found |= {sp.Mul(*part): None for count in (2, 3) for part in combinations(axes, count)}
    return sorted(found, key=lambda d: (len(d.free_symbols), sp.count_ops(d), str(d)))[:MAX_LENGTHS]


MAX_LENGTHS = 30


# -- what a whole row's gradient is multiplied with


def extra_factors(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """The derivative of an activation where there is none: δ times a(1 − a), 1 − a², or a mask, once too often."""
    edges = reference.edges(row)
    if not edges or row.kind != FLOAT or (not row.shape and row.is_leaf):
        return
    name = reference.name(row)
    for text, value in _FACTORS:
        says = f"the factor {text.format(a=name)} does not belong into d{name}"
        swaps = {e: _multiplied(row, value) for e in edges}
        yield at_once(m.EXTRA_FACTOR, says, name, swaps, 33)


_FACTORS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("{a}*(1 - {a})", lambda a: a * (1 - a)),
    ("(1 - {a}**2)", lambda a: 1 - a**2),
    ("({a} > 0)", lambda a: a > 0),
    ("{a}", lambda a: a),
)


def _multiplied(row: Node, value: Callable[[Array], Array]) -> Swap:
    return lambda sweep, edge, upstream: sweep.passed(edge, upstream) * value(sweep.point.value(row))


def detached(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """A named row taken as a constant: nothing flows through it."""
    edges = reference.edges(row)
    if edges and reference.is_named(row):
        name = reference.name(row)
        says = f"nothing flows back through {name}: the path is detached, {name} is taken as a constant"
        yield at_once(m.MISSING_PATH, says, name, dict.fromkeys(edges, nothing), 19)


def branch(reference: Reference, edge: Edge) -> str:
    """A branch as a person sees it: its term where that is short, else the row that it leads to."""
    term = reference.term(edge)
    return f"the term {term}" if len(term) <= SHORT else f"the branch through {through(reference, edge)}"


def through(reference: Reference, edge: Edge) -> str:
    """What a branch leads to: the named rows next above that no other branch leads to, else the row's own formula and
    what that leads to."""
    above = named_above(reference, edge.consumer)
    others = [named_above(reference, e.consumer) for e in reference.edges(edge.argument) if e != edge]
    names = [n for n in above if all(n not in o for o in others)]
    if not names and len(above) == 1 and above not in others:
        names = above
    if 0 < len(names) < 3:
        return " and ".join(names)
    formula = m.clipped(reference.name(edge.consumer), SHORT)
    return f"{formula} to {' and '.join(above)}" if 0 < len(above) < 3 and above != [formula] else formula


SHORT = 60


def named_above(reference: Reference, row: Node) -> list[str]:
    """The named rows that a row flows into without passing another."""
    if reference.is_named(row):
        return [reference.name(row)]
    return list(dict.fromkeys(n for e in reference.edges(row) for n in named_above(reference, e.consumer)))


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


def one_of_alike(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """Of several products, or of all that hand back to a leaf, one kept: a loop over gates or steps with `=` for `+=`;
    at every step too."""
    edges, name = reference.edges(row), m.clipped(reference.name(row), SHORT)
    whole = row.is_leaf and len({e.consumer.op.name for e in edges}) == 1
    alike = edges if whole else [e for e in edges if is_product(e.consumer)]
    for kept in alike if len(alike) > 2 else ():
        gone = [e for e in alike if e is not kept]
        says = f"= stands where += belongs in d{name}: of {len(alike)} branches alike only " \
               f"{branch(reference, kept)} is kept"
        patterns = () if whole else (("one of alike", m.base_name(name), _families(reference, gone)),)
        yield at_once(OVERWRITTEN, says, name, dict.fromkeys(gone, nothing), 15 if whole else 17, patterns)


def missing_upstream(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """The upstream gradient of an output left out, where what follows from the output hands back to it too."""
    edges = reference.edges(row)
    if edges and any(p.consumer is None for p in reference.parts[row.id]):
        name = reference.name(row)
        ways = " and ".join(through(reference, e) for e in edges)
        says = f"the upstream gradient d{name} of the output {name} is missing: what comes back through {ways} is added"
        yield at_once(m.MISSING_PATH, says, name, {edges[0]: _without_seed}, 14)


def _without_seed(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    return sweep.passed(edge, upstream) - sweep.seed(edge.argument)


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


def one_entry_only(place: Place) -> Iterator[Candidate]:
    """Of a sum over an axis only one entry kept: one head of a group, the last sample."""
    edge, name = place.edge, declared_name(place.reference, place.edge.argument)
    named = place.reference.is_named(edge.consumer)
    above = f"d{place.reference.name(edge.consumer)}" if named else "what comes from above"
    for axis in summed_axes(edge):
        where = f"of the sum over axis {axis} of {above} only the"
        last = f"= stands where += belongs in d{name}: {where} last entry is kept"
        yield candidate(place, OVERWRITTEN, last, partial(_only, axis, -1), 32)
        yield candidate(place, m.MISSING_SUM, f"{where} first entry is kept in d{name}", partial(_only, axis, 0), 32)
        if edge.consumer.form is not None:
            belongs = f"the number of entries of {above} that are not 0 along axis {axis}"
            once = f"in d{name}, 1 stands where {belongs} belongs"
            yield candidate(place, m.MISSING_SUM, once, partial(_counted_once, axis), 32)


def _only(axis: int, entry: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    return sweep.passed(edge, one_entry(upstream, axis, entry))


def _counted_once(axis: int, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """As if one of the entries that are summed were not 0, where all that are not are equal: those of a mask."""
    counted = upstream[upstream != 0]
    if not counted.size or np.ptp(counted) > 1e-9 * np.max(np.abs(counted)):
        raise ValueError("nothing is counted")
    kept = np.zeros_like(upstream)
    kept[(ALL,) * axis + (0,)] = counted[0]
    return sweep.passed(edge, kept)


def behind_the_product(place: Place) -> Iterator[Candidate]:
    """A factor multiplied onto the product that an edge hands back, where it belongs onto what is multiplied: 1/deg in
    front of A.T @ d and not inside."""
    edge, reference = place.edge, place.reference
    links = reference.edges(edge.consumer)
    if not is_product(edge.consumer) or len(links) != 1 or links[0].consumer.form is None:
        return
    link, name = links[0], m.clipped(reference.name(edge.argument), SHORT)
    factor = reference.written(link.consumer.attr.partial(link.index), link.consumer.args, link.consumer)
    says = f"in d{name}, the factor {factor} is multiplied onto the product, where it belongs onto " \
           f"d{m.clipped(reference.name(link.consumer), SHORT)} in it"
    yield candidate(place, m.ORDER, says, partial(_outside, link), 33)


def _outside(link: Edge, sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    product = sweep.passed(edge, np.broadcast_to(sweep.above(link.consumer), upstream.shape))
    return np.broadcast_to(product * sweep.local(link), product.shape)


def clipped(place: Place) -> Iterator[Candidate]:
    """A gradient clipped to a usual number before it is handed back: at one edge, at all of a row, at every step."""
    edge, reference = place.edge, place.reference
    if not edge.consumer.shape or not (is_product(edge.consumer) or reference.is_named(edge.consumer)):
        return
    name = reference.name(edge.consumer)
    family = m.base_name(name) if reference.is_named(edge.consumer) else ""
    for limit in LIMITS:
        says = f"the gradient of {m.clipped(name, SHORT)} is clipped to {limit:g} before it is handed back"
        pattern = ("clipped", limit, edge.consumer.op.name, family)
        yield candidate(place, m.EXTRA_FACTOR, says, _clipped_to(limit), 35, ((*pattern, edge.index), pattern))


LIMITS = (0.1, 1.0, 5.0)


def _clipped_to(limit: float) -> Swap:
    return lambda sweep, edge, upstream: sweep.passed(edge, np.clip(upstream, -limit, limit))


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


def extra_terms(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """The gradient of another array of the same shape added where it does not belong."""
    edges, name = reference.edges(row), reference.name(row)
    others = reference.rows.items() if edges and row.shape and reference.is_named(row) else ()
    for other, source in others:
        if source is not row and source.id in reference.gradients and same_shape(source.shape, row.shape):
            says = f"the term d{other} does not belong into d{name}"
            moved = m.moved_index(row, source, name, other)
            patterns = (("extra term", moved),) if moved else ()
            yield at_once(m.TERM, says, name, {edges[0]: _added(source)}, 33, patterns)


def _added(source: Node) -> Swap:
    return lambda sweep, edge, upstream: sweep.passed(edge, upstream) + sweep.above(source)


AT_EDGES = (overwrites, shifted_windows, cut_elsewhere, laid_out, reshaped_otherwise, maxima, unmasked_maxima,
            without_upstream, divided_otherwise, rolled, turned, products, left_out, mislaid, unsolved, not_inverted,
            axes_exchanged, summed_elsewhere, log_sum_axes, spread_elsewhere,
            stale_scores, softmax_parts, softmax_sums, sum_axes, unsummed, *LOCAL, scaled,
            one_entry_only, every_class, behind_the_product, clipped, other_gradients)


def exchanged_parts(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """Two slices of an array whose gradients are put in each other's places, as those of gates are."""
    parts = [e for e in reference.edges(row) if is_part(e.consumer)]
    for one, other in combinations(parts, 2):
        if same_shape(one.consumer.shape, other.consumer.shape):
            a, b = reference.name(one.consumer), reference.name(other.consumer)
            says = f"in d{reference.name(row)}, the gradients of {a} and {b} are in each other's places"
            swaps = {one: handing_on(other.consumer), other: handing_on(one.consumer)}
            yield at_once(SWAPPED, says, a, swaps, 27)


def exchanged_factors(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """da = d * a and db = d * b for the product a * b: each factor in the place of the other."""
    partials = [row.attr.partial(i) for i in range(len(row.args))] if row.form is not None else []
    for i, j in combinations(range(len(partials)), 2):
        if f.arguments(partials[i]) != f.arguments(f.Arg(j)) or f.arguments(partials[j]) != f.arguments(f.Arg(i)):
            continue
        edges = [next((e for e in reference.edges(row.args[k]) if e.consumer is row and e.index == k), None)
                 for k in (i, j)]
        if None in edges or not same_shape(row.args[i].shape, row.args[j].shape):
            continue
        a, b = reference.name(row.args[i]), reference.name(row.args[j])
        says = f"in d{a} and d{b}, {a} and {b} are in each other's places: a product a*b hands d*b back to a"
        swaps = {e: by_formula(replaced(partials[k], f.Arg(o), f.Arg(k)))
                 for e, k, o in zip(edges, (i, j), (j, i), strict=True) if e is not None}
        pattern = ("exchanged factors", row.attr, i, j, m.base_name(a), m.base_name(b))
        yield at_once(SWAPPED, says, a, swaps, 27, (pattern,))


AT_ROWS = (exchanged_parts, exchanged_factors, missing_branches, one_of_alike, missing_upstream,
           extra_terms, extra_factors, detached, true_class)
FEW_AT_EDGES = (overwrites, shifted_windows, maxima, unmasked_maxima, without_upstream, divided_otherwise, rolled,
                turned, products, softmax_parts, softmax_sums, skipped)
FEW_AT_ROWS = (missing_branches, one_of_alike, missing_upstream)


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
