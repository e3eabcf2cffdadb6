"""What `init_params` promises: names, shapes and dtypes, the documented scale of every parameter, numbers that the
given generator decides alone, and refusals of sizes that cannot be.

The rule is read off the model here once more, with fan-ins counted by the reference of the product itself. Where a
parameter is used in two ways, what either asks for is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil, prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from symbackprop.apart.files import CallFailed
from symbackprop.apart.libraries import precision
from symbackprop.core import formula as f
from symbackprop.core.facts import is_lookup, is_product, is_symmetric, is_view, kind
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.loops import Loop
from symbackprop.core.ops.window import Window
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import Dim, evaluate_dim, evaluate_shape
from symbackprop.core.sizes import in_numbers
from symbackprop.errors import ShapeError
from symbackprop.model.model import Model
from symbackprop.verify.calls import differences
from symbackprop.verify.interpreter import Sizes
from symbackprop.verify.lines import line_of
from symbackprop.verify.module import Candidate, Outcome, call, refused, tried
from symbackprop.verify.module import kind as called
from symbackprop.verify.sampling import Sample, choose_sizes, needs_of
from symbackprop.verify.values import learned

NAME = "init_params"
ENTRIES, CALLS, DRAWS = 20_000, 400, 2
MOST, TRIES = 10**6, 8  # entries, and sizes that are tried to have no more
COMPARED = 16  # of the first entries of two arrays, whether they are the same numbers
REPEATED = 8  # times the square of how many numbers are drawn, and their rounding
THOUSANDS = 4000  # draws whose fourth moment is itself normal: of 400 it is off by 6 deviations once in 10⁵ times
DEVIATIONS = 6.0  # what chance exceeds once in 10⁹ times
TABLE_DEVIATION = 0.1
LEAF = -1  # the place at which the leaf of a loop's body reads what it stands for


class Start(NamedTuple):
    """How a parameter starts: all at ``mean``, or normal around it; ``why`` names the rule."""

    mean: float
    deviation: float
    why: str


def initial_values(candidate: Candidate, sample: Sample, outcome: Outcome) -> Iterator[str]:
    """One sentence for each parameter that does not start as documented, and for each size that is not refused."""
    for seed in range((DRAWS if candidate.model.sizes else 1) if candidate.has(NAME) else 0):
        said = list(_with_sizes(candidate, sample, seed))
        yield from said
        if said:
            return


def _with_sizes(candidate: Candidate, sample: Sample, seed: int) -> Iterator[str]:
    """The same with the sizes of one seed: where H is 4, sqrt(H) is H/2, so that one does not do."""
    try:
        sizes = _sizes(candidate.model, sample.sizes, seed)
        shapes = {n: evaluate_shape(row.shape, sizes) for n, row in candidate.model.params.items()}
    except ShapeError:  # a default that --dim replaced does not go with the other sizes
        return
    asked = {n: sizes[n] for n in candidate.model.sizes}
    drawn = _drawn(candidate, asked, 0)
    said = list(_misshapen(candidate, drawn, shapes))
    yield from said
    if not said:
        yield from _decided_by_the_generator(candidate, asked, drawn)
        yield from _off_the_rule(candidate, sizes, asked)
    yield from _not_refused(candidate, sizes, asked)
    yield from _no_entries(candidate, sizes, asked)
    yield from _left_out(candidate, asked)


def _sizes(model: Model, sizes: Sizes, seed: int) -> dict[str, int]:
    """The sizes that init_params computes with: no array will show a hidden one, so that its default holds; no others
    are their defaults, that one may not be taken for another."""
    fixed = {n: size for n in _hidden(model, sizes) if (size := model.sizes[n]) is not None}
    varied = [n for n in model.sizes if n not in fixed]
    tried = (choose_sizes(model, np.random.default_rng(seed + DRAWS * k), fixed, 1, varied) for k in range(TRIES))
    first = next(tried)
    return first if _entries(model, first) <= MOST else min([first, *tried], key=lambda found: _entries(model, found))


def _entries(model: Model, sizes: Sizes) -> int:
    """How many numbers the parameters are, counted in Python's integers, which do not overflow."""
    return sum(prod(map(int, evaluate_shape(row.shape, sizes))) for row in model.params.values())


def _hidden(model: Model, sizes: Sizes) -> list[str]:
    """The dimensions whose default holds in forward: neither do arrays show them, nor do they follow from these and the
    defaults before."""
    axes = [(d, evaluate_dim(d, sizes)) for leaf in model.leaves().values() for d in leaf.shape]
    known, found = learned(axes, {}), list[str]()
    for name, default in model.sizes.items():
        if name not in known and default is not None:
            found.append(name)
            known = learned(axes, {**known, name: sizes[name]})
    return found


def _drawn(candidate: Candidate, asked: Mapping[str, int], seed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed) if isinstance(seed, int) else seed
    return candidate.mapping(NAME, call(candidate.module, NAME, rng, **asked), "a dict of parameters")


# -- names, shapes, dtypes
def _misshapen(candidate: Candidate, drawn: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    dtype = candidate.dtype
    for name in [n for n in drawn if n not in shapes]:
        yield f"{NAME} returns {name!r}, which is no parameter of the model{_line(candidate, name)}"
    for name, shape in shapes.items():
        if name not in drawn:
            said = f" returns no {name}, which is a parameter of the model"
        elif np.shape(drawn[name]) != shape:
            said = f": {name} has shape {np.shape(drawn[name])}, expected {shape}"
        elif (found := precision(getattr(drawn[name], "dtype", None))) != dtype:
            said = f": {name} is {found or called(drawn[name])}, expected {dtype}, as DTYPE says"
        else:
            continue
        yield f"{NAME}{said}{_line(candidate, name)}"


def _line(candidate: Candidate, name: str) -> str:
    return line_of(candidate.module, name, NAME)


# -- the generator decides
def _decided_by_the_generator(candidate: Candidate, asked: Mapping[str, int], drawn: Mapping[str, Any]
                              ) -> Iterator[str]:
    again, other = _drawn(candidate, asked, 0), _drawn(candidate, asked, 1)
    for name, value in drawn.items():
        if not np.array_equal(value, again[name]):
            yield f"{NAME}: two generators in the same state give different {name}{_line(candidate, name)}"
    varied = [n for n, v in drawn.items() if not np.array_equal(v, other[n])]
    seeded = [call(candidate.module, NAME, seed, **asked) for seed in (np.int64(3), np.asarray(3), 3)]
    first = call(candidate.module, NAME, 1, **asked) if varied else {}
    for name in varied:
        if any(not np.array_equal(one[name], seeded[-1][name]) for one in seeded):
            yield f"{NAME}: the seed 3, np.int64(3) and the 0-d array of 3 give different {name}"
        elif np.array_equal(seeded[-1][name], first[name]):
            yield f"{NAME}: the seeds 3 and 1 give the same {name}{_line(candidate, name)}"
    if varied:
        for rng in (1.5, "no"):
            if not refused({"rng"}, call, candidate.module, NAME, rng, **asked):
                yield f"{NAME} does not refuse {rng!r} for a generator with a ValueError that says so"
    yield from _repeated(candidate, drawn, varied)


def _repeated(candidate: Candidate, drawn: Mapping[str, Any], varied: Sequence[str]) -> Iterator[str]:
    """Parameters that are all drawn begin with numbers of their own."""
    seen: dict[float, list[str]] = {}
    start = {n: np.asarray(drawn[n], dtype=np.float64).reshape(-1)[:COMPARED] for n in varied}
    for name in [n for n in varied if start[n].size > 1]:
        alike = seen.setdefault(round(float(start[name][0] / start[name][1]), 5), [])
        for other in [n for n in alike if _proportional(start[n], start[name], candidate.dtype)]:
            yield f"{NAME}: {name} repeats the numbers of {other}{_line(candidate, name)}"
        alike.append(name)


def _proportional(one: Any, other: Any, dtype: np.dtype[Any]) -> bool:
    """Whether two arrays start with the same numbers but for their scale, as far as they are rounded."""
    count = min(one.size, other.size)
    return np.allclose(one[:count] * other[0], other[:count] * one[0], rtol=100 * float(np.finfo(dtype).eps), atol=0.0)


# -- the scale
def _off_the_rule(candidate: Candidate, sizes: Sizes, asked: Mapping[str, int]) -> Iterator[str]:
    starts = rules(candidate.model, sizes)
    normal = [n for n, found in starts.items() if any(s.deviation for s in found)]
    smallest = min([max(1, int(np.prod(_shape(candidate, n, sizes)))) for n in normal], default=ENTRIES)
    draws = _draws(candidate, asked, [*starts], min(CALLS, ceil(ENTRIES / smallest)))
    for name, found in starts.items():
        values = draws[name]
        if is_symmetric(candidate.model.params[name]):
            if not np.array_equal(values, np.swapaxes(values, 1, 2)):
                yield f"{NAME}: {name} is not symmetric, as it is declared{_line(candidate, name)}"
                continue
            rows, columns = np.tril_indices(values.shape[1])
            values = values[:, rows, columns]  # the entries that are drawn each for itself
        said = [_misses(values, start) or _repeats(values, start, candidate.dtype) for start in found]
        if values.size and all(said):
            yield f"{NAME}: {name}{said[0]}, {found[0].why}{_line(candidate, name)}"


def _draws(candidate: Candidate, asked: Mapping[str, int], names: Sequence[str], count: int) -> dict[str, Any]:
    """What parameters are in a number of draws; those that are one number are put into one array, draw by draw."""
    params = candidate.model.params
    numbers, arrays = [n for n in names if not params[n].ndim], [n for n in names if params[n].ndim]
    drawn = (_drawn(candidate, asked, seed) for seed in range(count))
    kept = [(np.array([d[n] for n in numbers], np.float64), [np.asarray(d[n], np.float64) for n in arrays])
            for d in drawn]
    found = dict(zip(numbers, np.stack([first for first, _ in kept], axis=1), strict=True))
    return found | {n: np.stack([others[k] for _, others in kept]) for k, n in enumerate(arrays)}


def _shape(candidate: Candidate, name: str, sizes: Sizes) -> tuple[int, ...]:
    return evaluate_shape(candidate.model.params[name].shape, sizes)


def _misses(values: Any, start: Start) -> str:
    """How drawn values differ from what they should be, by more than chance; nothing where they do not."""
    if not start.deviation:
        wrong = np.argwhere(values != start.mean)
        index = f"{[int(i) for i in wrong[0][1:]]}" if len(wrong) and values.ndim > 1 else ""
        return f"{index} is {values[tuple(wrong[0])]:.6g}, expected {start.mean:g}" if len(wrong) else ""
    count, mean, deviation = values.size, float(values.mean()), float(np.sqrt(np.mean((values - start.mean) ** 2)))
    over = f"over {count} draws"
    if not abs(deviation / start.deviation - 1) <= DEVIATIONS / sqrt(2 * count):
        return f" has standard deviation {deviation:.6g} {over}, expected {start.deviation:.6g}"
    if not abs(mean - start.mean) <= DEVIATIONS * start.deviation / sqrt(count):
        return f" has mean {mean:.6g} {over}, expected {start.mean:g}"
    fourth, normal = float(np.mean(((values - start.mean) / start.deviation) ** 4)), 3.0
    if count >= THOUSANDS and not abs(fourth - normal) <= DEVIATIONS * sqrt(96 / count):
        return f" has a fourth moment of {fourth:.3g} {over}, expected that of a normal distribution, {normal:g}"
    return ""


def _repeats(values: Any, start: Start, dtype: np.dtype[Any]) -> str:
    """Whether more of the draws are the same, but for signs, than rounding makes: rows that start alike stay so."""
    count, different = values.size, np.unique(np.abs(values)).size
    if not start.deviation or count - different <= REPEATED * count**2 * float(np.finfo(dtype).eps):
        return ""
    return f" has {different} different numbers among {count} draws, expected {count}"


# -- sizes
def _not_refused(candidate: Candidate, sizes: Sizes, asked: Mapping[str, int]) -> Iterator[str]:
    for dims, names, what in _wrong_sizes(candidate.model, sizes, asked):
        if not refused(names, _drawn, candidate, dims, 0):
            yield f"{NAME} does not refuse {what} with a ValueError that says so: its check is missing"


def _wrong_sizes(model: Model, sizes: Sizes, asked: Mapping[str, int]
                 ) -> Iterator[tuple[dict[str, Any], set[str], str]]:
    """(sizes, words of which the refusal has to have one, what is wrong with them)."""
    yield {**asked, "no_size": 4}, {"no_size"}, "a size for no_size, which the model does not have"
    hidden = {*_hidden(model, sizes)} & _names(needs_of(model).shapes)
    needed = _names(d for p in model.params.values() for d in p.shape)
    for name in tried(list(asked)):
        size = asked[name]
        for wrong in (-1, 2.5, True):
            yield {**asked, name: wrong}, {name}, f"the size {name} = {wrong}"
        if name in hidden:
            yield {**asked, name: size + 1}, {name}, f"{name} = {size + 1}, where forward computes with {size}"
        if name in needed and model.sizes[name] is None:
            yield {n: s for n, s in asked.items() if n != name}, {name}, f"that no size is given for {name}"


def _names(sizes: Iterable[Dim]) -> set[str]:
    return {s.name for d in sizes for s in d.free_symbols}


def _no_entries(candidate: Candidate, sizes: Sizes, asked: Mapping[str, int]) -> Iterator[str]:
    """A size may be 0."""
    hidden = _hidden(candidate.model, sizes)
    none = {n: s if n in hidden else 0 for n, s in asked.items()}
    try:
        shapes = {n: evaluate_shape(r.shape, {**sizes, **none}) for n, r in candidate.model.params.items()}
    except (ShapeError, ZeroDivisionError):
        return
    if none == dict(asked) or min([s for shape in shapes.values() for s in shape], default=0) < 0:
        return
    try:
        yield from _misshapen(candidate, _drawn(candidate, none, 0), shapes)
    except CallFailed as failure:
        yield f"with sizes of 0, {failure}"


def _left_out(candidate: Candidate, asked: Mapping[str, int]) -> Iterator[str]:
    """Sizes that have defaults may be left out."""
    defaults = {n: size for n, size in candidate.model.sizes.items() if size is not None}
    if defaults:
        told, others = {**asked, **defaults}, {n: s for n, s in asked.items() if n not in defaults}
        message = f"{NAME} without {', '.join(defaults)}, which have defaults, gives another {{}} than with these told"
        yield from differences(_drawn(candidate, others, 0), _drawn(candidate, told, 0), message)


# -- the rule: what a parameter does says how it starts
Around = tuple[int, ...]  # the loops that a row stands in: one leaf may stand in two loops, for two rows
Used = tuple[Node, int, Around]
Uses = Mapping[tuple[int, Around], Sequence[Used]]
Spot = tuple[int, Around, f.Formula | None]  # a row, or a part of its formula


class Whole(NamedTuple):
    """An operation of a formula, and which of its parts are arrays, are more than products of leaves, and are not made
    of parameters alone."""

    form: f.Formula
    arrays: list[f.Formula]
    computed: list[f.Formula]
    foreign: list[f.Formula]


HANDED_ON, ANOTHER_OP = (Whole(form, [], [], []) for form in (f.ONE, f.OUT))


class Link(NamedTuple):
    """What a spot is a part of, where it is handed on as it is or read by another op too."""

    above: Spot
    whole: Whole
    part: f.Formula = f.OUT

    def beside(self, parts: Sequence[f.Formula]) -> bool:
        """Whether any other one is among some parts of the whole."""
        return any(form is not self.part for form in parts)


class Fate(NamedTuple):
    """What becomes of a spot: whether it ends as a term beside what is more than parameters, the gain of the function
    that follows, perhaps behind a bias, what it meets in the products that it is a factor of, and whether it is, by
    itself or in these, what nothing can be divided by at 0."""

    shifts: bool
    gain: int
    factors: set[int]
    divides: bool = False


TIMES, COMPUTED = 1, 2
UNREAD = Fate(True, 1, {0})


class Flow(NamedTuple):
    """A model's rows, taken apart into single operations: their readers as rows and, arguments first, as spots, which
    of these are products of leaves at most, and which are made of parameters alone."""

    uses: dict[tuple[int, Around], list[Used]]
    spots: list[Spot]
    links: dict[Spot, list[Link]]
    simple: set[Spot]
    params: set[Spot]


def rules(model: Model, sizes: Sizes) -> dict[str, list[Start]]:
    """How every parameter may start, by name."""
    flow = Flow({}, [], {}, set(), set())
    _collect(model.graph.topological([*model.intermediates().values(), *model.results()]), flow)
    fates = _fates(flow)
    return {name: _starts(row, flow, fates, sizes) for name, row in model.params.items()}


def _collect(rows: Sequence[Node], flow: Flow, around: Around = ()) -> None:
    """What reads every row, loops entered: the leaf of a body reads the row that it stands for."""
    for row in rows:
        for place, argument in enumerate(row.args):
            flow.uses.setdefault((argument.id, around), []).append((row, place, around))
        if isinstance(row.attr, Loop):
            _enter(row, row.attr, flow, around)
        else:
            _take_apart(row, flow, around)
        flow.spots.append((row.id, around, None))


def _enter(row: Node, loop: Loop, flow: Flow, around: Around) -> None:
    here = (*around, row.id)
    for number, (leaf, outer) in enumerate(zip(loop.leaves(), row.args, strict=True)):
        flow.uses.setdefault((outer.id, around), []).append((leaf, LEAF, here))
        flow.spots.append((leaf.id, here, None))
        _hand_on((outer.id, around, None), (leaf.id, here, None), flow, number >= len(loop.carry))
    _collect([r for r in loop.rows() if r.id not in loop.stop], flow, here)


def _hand_on(below: Spot, above: Spot, flow: Flow, alike: bool = True) -> None:
    """A spot is handed on; where it is ``alike``, what is known of it holds there too."""
    flow.links.setdefault(below, []).append(Link(above, HANDED_ON))
    for known in (flow.simple, flow.params) if alike else ():
        if below in known:
            known.add(above)


def _take_apart(row: Node, flow: Flow, around: Around) -> None:
    spot, below = (row.id, around, None), [(a.id, around, None) for a in row.args]
    if not row.args or row.value is not None:
        flow.simple.add(spot)
    if row.value is not None or (isinstance(row.attr, Leaf) and row.attr.role == "param"):
        flow.params.add(spot)
    if not row.args:
        return
    if is_view(row) or _moves(row):
        _hand_on(below[0], spot, flow, is_view(row) or row.ndim == row.args[0].ndim)
    elif row.form is not None:
        form = f.written(row.form)
        _operations(form, row, flow, around, set())
        _hand_on(_spot(form, row, around), spot, flow)
    else:
        for argument in below:
            flow.links.setdefault(argument, []).append(Link(spot, ANOTHER_OP))


def _spot(form: f.Formula, row: Node, around: Around) -> Spot:
    return (row.args[form.index].id, around, None) if isinstance(form, f.Arg) else (row.id, around, form)


def _operations(form: f.Formula, row: Node, flow: Flow, around: Around, done: set[f.Formula]) -> None:
    """The single operations of a formula, inner ones first."""
    if isinstance(form, f.Arg) or form in done:
        return
    done.add(form)
    parts = form.children
    for part in parts:
        _operations(part, row, flow, around, done)
    spot, spots = (row.id, around, form), {part: _spot(part, row, around) for part in parts}
    whole = Whole(form, [part for part in spots if not isinstance(part, f.Num)],
                  [part for part, below in spots.items() if below not in flow.simple],
                  [part for part, below in spots.items() if below not in flow.params])
    for part, below in spots.items():
        flow.links.setdefault(below, []).append(Link(spot, whole, part))
    flow.spots.append(spot)
    if not whole.foreign:
        flow.params.add(spot)
    if _multiplies(form) and not whole.computed:
        flow.simple.add(spot)


def _multiplies(form: f.Formula) -> bool:
    """Whether a formula is a number, a product, a quotient, or a whole power, which is a product."""
    whole = isinstance(form, f.Pow) and isinstance(form.exponent, f.Num) and form.exponent.value.is_Integer
    return bool(whole) or isinstance(form, (f.Num, f.Neg, f.Mul, f.Div))


def _reading(row: Node, around: Around, uses: Uses, seen: set[tuple[int, Around]] | None = None) -> Iterator[Used]:
    """The rows that compute with a row, and at which place, behind views and inside loops."""
    seen = set() if seen is None else seen
    for reader, place, where in uses.get((row.id, around), ()):
        if place == LEAF or is_view(reader) or _moves(reader):
            if (reader.id, where) not in seen:
                seen.add((reader.id, where))
                yield from _reading(reader, where, uses, seen)
        elif not isinstance(reader.attr, Loop):
            yield reader, place, where


def _moves(row: Node) -> bool:
    """A transposition, a diagonal or a sum of one array."""
    return is_product(row) and len(row.args) == 1


def _starts(param: Node, flow: Flow, fates: Mapping[Spot, Fate], sizes: Sizes) -> list[Start]:
    fate = fates.get((param.id, (), None), UNREAD)
    if fate.divides:
        return [Start(1.0, 0.0, "what is divided by, or taken a logarithm or a root of, starts at 1")]
    if not param.ndim:
        return [Start(0.0, 1.0, "a lone number is standard normal")]
    asked = [s for used in _reading(param, (), flow.uses) if (s := _asked_by(used, fates, sizes)) is not None]
    if asked:
        return asked
    if TIMES | COMPUTED in fate.factors:
        return [Start(1.0, 0.0, "a gain starts at 1")]
    if param.ndim == 1 or fate.shifts:
        return [Start(0.0, 0.0, "a bias starts at 0")]
    return [Start(0.0, 1.0, "what is neither weight, table, bias nor gain is standard normal")]


def _asked_by(used: Used, fates: Mapping[Spot, Fate], sizes: Sizes) -> Start | None:
    """The start that a table that is indexed or a weight of a product asks for."""
    row, place, around = used
    if is_lookup(row) and place == 0:
        return Start(0.0, TABLE_DEVIATION, "the deviation of a table that is indexed")
    fan_in = _fan_in(row, place, sizes)
    if fan_in is None:
        return None
    gain = fates[row.id, around, None].gain
    follows = ", with a ReLU behind it" if gain != 1 else ""
    return Start(0.0, sqrt(gain / fan_in), f"sqrt({gain}/{fan_in}) for a weight of fan-in {fan_in}{follows}")


def _fan_in(row: Node, place: int, sizes: Sizes) -> int | None:
    """How many entries of an argument one entry of a product adds up: its value where all of them are 1, over that
    where a single one is. None for a row that is no product, and for the image of a convolution."""
    entry, last = kind(row), len(row.args) - 1
    if not entry.linear or entry.moved or entry.added or entry.tied:
        return None
    if place != last and not isinstance(row.attr, Pattern):
        return None
    arrays = [np.ones(evaluate_shape(a.shape, sizes)) for a in row.args]
    if isinstance(row.attr, Window):  # of a small image no window lies within it: all a kernel has for one channel
        return arrays[place].size // evaluate_shape(row.shape, sizes)[-1]
    attr = in_numbers(row.attr, sizes)
    every = np.max(row.op.reference(np, attr, *arrays))
    arrays[place].reshape(-1)[1:] = 0
    return round(float(every / np.max(row.op.reference(np, attr, *arrays))))


def _fates(flow: Flow) -> dict[Spot, Fate]:
    """What becomes of every spot: of those that are read last first."""
    fates: dict[Spot, Fate] = {}
    for spot in reversed(flow.spots):
        shifts, gain, factors, divides = True, 1, set[int](), False
        for link in flow.links.get(spot, ()):
            term, way = _adds(link), _multiplied(link)
            beyond = fates[link.above]
            shifts &= (term and beyond.shifts) or _adds_to_more(link)
            gain = max(gain, TABLE[link.whole.form.name].gain if isinstance(link.whole.form, f.Call) else
                       beyond.gain if term else 1)
            factors |= {0} if way is None else {way | further for further in beyond.factors}
            divides |= _divides(link) or (beyond.divides and (way is not None or _power(link) is not None))
        fates[spot] = Fate(shifts, gain, factors or {0}, divides)
    return fates


def _adds(link: Link) -> bool:
    """Whether a part is a term, perhaps the only one, but for its sign or a number."""
    numbers = isinstance(link.whole.form, f.Mul) and not link.beside(link.whole.arrays)
    return numbers or link.whole is HANDED_ON or isinstance(link.whole.form, (f.Neg, f.Add))


def _adds_to_more(link: Link) -> bool:
    """Whether a part is added to something that is not made of parameters alone: Y is no bias of X − Y."""
    return isinstance(link.whole.form, f.Add) and link.beside(link.whole.foreign)


def _divides(link: Link) -> bool:
    """Whether the whole, or its slope, is infinite where a part is 0: a quotient, a logarithm, a power below 1 or
    between whole ones."""
    whole, power = link.whole.form, _power(link)
    below = isinstance(whole, f.Div) and whole.den is link.part
    log = isinstance(whole, f.Call) and TABLE[whole.name].role is Role.LOG
    return below or log or (power is not None and (power < 1 or power % 1 != 0))


def _power(link: Link) -> float | None:
    """The exponent where the whole is a power of a part."""
    match link.whole.form:
        case f.Pow(base, f.Num(value)) if base is link.part and value.is_number:
            return float(value)
        case f.Call(name, _) if (power := TABLE[name].power) is not None:
            return float(power)
    return None


def _multiplied(link: Link) -> int | None:
    """What a part meets there as a factor: TIMES an array, COMPUTED something; None where it is no factor."""
    computed = COMPUTED * link.beside(link.whole.computed)
    match link.whole.form:
        case f.Mul():
            return TIMES * link.beside(link.whole.arrays) | computed
        case f.Div(num, _) if num is link.part:
            return computed
        case f.Pow(base, f.Num(value)) if base is link.part and value.is_Integer and value.is_positive:
            return TIMES
    return 0 if link.whole is HANDED_ON or isinstance(link.whole.form, f.Neg) else None
