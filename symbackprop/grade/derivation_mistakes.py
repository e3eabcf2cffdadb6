"""Mistakes made on purpose in the derivation: what one edge of the chain rule hands back instead of what it should.

A rule looks at one edge, or at one row where branches meet, and yields the mistakes that people make there. Every
mistake is compared with the answer in numbers (`numeric_sweep`), and only the one that agrees is put into words.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations
from typing import TypeAlias

import numpy as np
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.build import transpose
from symbackprop.core.facts import is_product, made_as
from symbackprop.core.facts import kind as kind_of
from symbackprop.core.graph import FLOAT, Node, arguments_first
from symbackprop.core.loops import body_leaf
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import bracketed, same, same_shape
from symbackprop.derive.record import Edge
from symbackprop.errors import ModelError
from symbackprop.grade import mistakes as m
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array
from symbackprop.grade.reference import Reference

MAX_BRANCHES = 6
Swap: TypeAlias = Callable[[NumericSweep, Edge, Array], Array]

# A lower cost is tried first; kinds that say more about what went on in a head come before those that say less.
COST = {
    m.MISSING_PATH: 16,
    m.TRANSPOSE: 17,
    m.MEAN: 18,
    m.MISSING_FACTOR: 20,
    m.PRE_ACTIVATION: 22,
    m.STALE_INDEX: 23,
    m.SUBSTITUTION: 24,
    m.SIGN: 25,
    m.TERM: 26,
    m.EXPONENT: 27,
    m.CONSTANT: 28,
    m.WRONG_FACTOR: 29,
    m.WRONG_DERIVATIVE: 30,
    m.EXTRA_FACTOR: 34,
}

OTHER = 20  # what only code gets wrong


@dataclass(frozen=True)
class Candidate:
    """What every edge in ``swaps`` hands back instead of what it should.

    ``tell`` makes the sentence, which is only done for the mistake that is found. Candidates that share one of the
    ``patterns`` are the same mistake in several places, as at every time step. A ``price`` stands in place of the cost
    of the kind.
    """

    kind: str
    tell: Callable[[], Finding]
    swaps: Mapping[Edge, Swap]
    extra_cost: int = 0
    patterns: tuple[Hashable, ...] = ()
    price: int | None = None

    @property
    def cost(self) -> int:
        return self.price if self.price is not None else COST.get(self.kind, OTHER) + self.extra_cost


@dataclass(frozen=True)
class Place:
    """An edge on the way to a target; ``known`` are the rows that a person could write in the place of another."""

    reference: Reference
    edge: Edge
    target: Node
    known: Sequence[Node]

    @property
    def factor(self) -> str:
        """``do/da``"""
        return self.reference.local_name(self.edge, self.target)

    def equals(self, right: str) -> str:
        """``do/da = 1 - o**2``; the right side alone where it is a part of that derivative only."""
        return f"{self.factor} = {right}" if self._is_whole else right

    @cached_property
    def _is_whole(self) -> bool:
        """Whether the edge is all that leads from the one named row to the other."""
        named, edge = self.reference.is_named, self.edge
        if not (named(edge.consumer) and named(edge.argument)):
            return False
        inside = arguments_first([edge.consumer], lambda row: [a for a in row.args if not named(a)])
        return sum(a is edge.argument for row in inside for a in row.args) == 1

    def one(self, finding: Finding, swap: Swap, patterns: tuple[Hashable, ...] = (), cost: int = 0) -> Candidate:
        """A mistake at this edge whose sentence is at hand."""
        return Candidate(finding.kind, lambda: finding, {self.edge: swap}, cost, patterns)

    def exchanges(self, old: Node) -> Iterator[tuple[Node, str, str, tuple[object, ...]]]:
        """(row, kind, words, which indices moved) for every row that could be written where ``old`` belongs."""
        for new in self.known:
            if new is not old and same_shape(new.shape, old.shape):
                names = self.reference.name(old), self.reference.name(new)
                yield new, *m.exchange(old, new, *names), m.moved_index(old, new, *names)

    def around(self, moved: tuple[object, ...], new: Node) -> tuple[object, ...]:
        """How far an index moved where h[-1] is the last step, as in Python: at the first step to the last."""
        match moved:
            case (str(old), other, int(far)) if not m.is_initial(self.reference.name(new)):
                return old, other, far % self.reference.lasts.get(old, abs(far) + 1)
        return moved


# -- the local derivative of an elementwise row


def local_derivatives(place: Place) -> Iterator[Candidate]:
    """Every single mistake in ∂consumer/∂argument of an elementwise row."""
    consumer = place.edge.consumer
    if consumer.form is None:
        return
    form = consumer.attr.partial(place.edge.index)
    yield from _guided(place)
    if form not in (f.ONE, f.Num(sp.S.NegativeOne)):
        yield _wrong(place, _missing_kind(form, consumer), f.ONE, "the factor {factor} is missing")
        yield _wrong(place, m.EXTRA_FACTOR, f.mul(form, form), "the factor {factor} is there twice")
        if not isinstance(form, f.Num):
            yield _wrong(place, m.WRONG_DERIVATIVE, f.div(f.ONE, form), "{factor} divides where it should multiply")
    if isinstance(form, f.Arg):
        yield _wrong(place, m.WRONG_FACTOR, f.add(f.ONE, f.neg(form)), "{factor} is needed; you have {wrong}")
    for v in variants(form):
        yield _wrong(place, v.kind, v.form, f"in {{factor}}, {v.says}: you have {{wrong}}", part=v.part)
    yield from _exchanges(place, form)
    if consumer.attr.head is not None and len(f.arguments(consumer.attr.form)) == 1:
        yield from _other_functions(place, form)
    if place.reference.is_named(consumer):
        name = f"d{place.reference.name(consumer)}"
        says = f"the gradient {name} that comes from above is missing"
        yield place.one(Finding(m.MISSING_FACTOR, says, name), _alone, cost=3)


def _guided(place: Place) -> Iterator[Candidate]:
    """A ReLU mask made of the gradient from above, or of what it leaves out."""
    if place.edge.consumer.role is Role.RECTIFIED:
        name = place.reference.name(place.edge.argument)
        of = f"the ReLU mask of d{bracketed(name)} is"
        says = f"{of} made of the upstream gradient, where {name} > 0 belongs"
        swaps: dict[Edge, Swap] = {place.edge: lambda sweep, edge, upstream: upstream * (upstream > 0)}
        yield Candidate(m.SUBSTITUTION, lambda: Finding(m.SUBSTITUTION, says, place.factor), swaps, 0, (), 24)
        other = f"{of} the wrong way round: what comes from above passes where {name} > 0 is false"
        yield place.one(Finding(m.SUBSTITUTION, other, place.factor), _where_not, cost=5)


def _where_not(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """What comes from above where the local derivative is 0, and nothing where it is 1."""
    return upstream * (1 - sweep.local(edge))


def _alone(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    """The local derivative without the gradient that comes from above."""
    return sweep.times(edge, np.ones_like(upstream), sweep.local(edge))


def _wrong(place: Place, kind: str, form: f.Formula, says: str, cost: int = 0, part: f.Formula = f.ONE,
           new: tuple[Node, ...] = (), moved: tuple[object, ...] | None = None) -> Candidate:
    """A wrong local derivative: a formula over the row's arguments, ``new`` ones and its own value.

    ``part`` is the sub-formula that was touched; ``moved`` says which families of names were exchanged, and is empty
    where that is no pattern.
    """
    consumer, index = place.edge.consumer, place.edge.index
    rows = (*consumer.args, *new)

    def tell() -> Finding:
        right, wrong, touched = [place.reference.written(x, rows, consumer)
                                 for x in (consumer.attr.partial(index), form, part)]
        words = says.format(factor=place.equals(right), wrong=wrong, part=touched)
        return Finding(kind, words, place.factor, right, wrong)

    return Candidate(kind, tell, {place.edge: by_formula(form, *new)}, cost, _patterns(place, kind, form, moved, new))


def by_formula(form: f.Formula, *new: Node) -> Swap:
    """A local derivative by a formula over the row's arguments, ``new`` ones and its own value."""

    def swap(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
        consumer = edge.consumer
        return sweep.times(edge, upstream, sweep.formula(form, (*consumer.args, *new), consumer))

    return swap


def _patterns(place: Place, kind: str, form: f.Formula, moved: tuple[object, ...] | None, new: Sequence[Node]
              ) -> tuple[Hashable, ...]:
    """The same mistake elsewhere: at another step or call of the same function, with all indices moved alike; in a row
    for all of its arguments."""
    consumer, index = place.edge.consumer, place.edge.index
    family = tuple([m.base_name(place.reference.names.get(row.id, "")) for row in (*consumer.args, consumer)])
    if moved is not None:
        exchange = ("exchange", consumer.attr, index, moved)
        rows = [("exchange in a row", consumer.attr, far) for far in (moved, *(place.around(moved, x) for x in new))]
        return ((*exchange, family), exchange, *rows) if moved else ()
    step = (consumer.attr, index, family, kind, form)
    return (step,) if consumer.attr.head is None else (step, (consumer.attr.head, kind, form))


def _missing_kind(form: f.Formula, consumer: Node) -> str:
    """What leaving out a whole local derivative is: 1/N is that of a mean, another number a constant."""
    if not isinstance(form, f.Num):
        return m.MISSING_FACTOR
    sizes = (1 / form.value).as_powers_dict()
    shares = all(base.is_integer and power == 1 for base, power in sizes.items())
    averaged = made_as(consumer) is Role.AVERAGE
    return m.MEAN if shares and (form.value.free_symbols or averaged) else m.CONSTANT


def _exchanges(place: Place, form: f.Formula) -> Iterator[Candidate]:
    """One row for another of the same shape."""
    consumer = place.edge.consumer
    other = f.Arg(len(consumer.args))
    leaves: list[tuple[f.Formula, Node]] = [(f.Arg(i), consumer.args[i]) for i in f.arguments(form)]
    leaves += [(f.OUT, consumer)] if f.has(form, f.Out) else []
    for leaf, old in leaves:
        for new, kind, says, moved in place.exchanges(old):
            swapped = replaced(form, leaf, other)
            have = "" if swapped == other else ": you have {wrong}"
            yield _wrong(place, kind, swapped, f"in {{factor}}, {says}{have}", new=(new,), moved=moved)


def _other_functions(place: Place, form: f.Formula) -> Iterator[Candidate]:
    """The derivative of another activation, the function itself, or the derivative at its own output."""
    kernel, needed = place.edge.consumer.attr, "{factor} is needed; you have"
    wrong = partial(_wrong, place, m.WRONG_DERIVATIVE)
    for name, derivative in derivative_forms():
        if name != kernel.head:
            says = f"{{factor}} is the derivative of {kernel.head}; you have that of {name}, {{wrong}}"
            yield wrong(derivative, says, cost=1)
    yield wrong(f.OUT, f"{needed} {kernel.head} itself, {{wrong}}, not its derivative")
    yield wrong(f.Arg(0), f"{needed} the argument of {kernel.head}, {{wrong}}", cost=1)
    place_of = f.OUT if f.has(form, f.Out) else f.Arg(0)
    again = f.Call(kernel.head, (f.OUT, *kernel.form.args[1:])) if place_of == f.OUT else f.OUT
    says = "{factor}: you apply the derivative to the output, {wrong}"
    yield wrong(replaced(form, place_of, again), says, cost=2)


# -- products of arrays


def operands(place: Place) -> Iterator[Candidate]:
    """Another array of the same shape in a product."""
    edge, args = place.edge, place.edge.consumer.args
    if not is_product(edge.consumer):
        return
    factor = place.factor
    for k, old in enumerate(args):
        if k == edge.index:
            continue
        for new, kind, words, moved in place.exchanges(old):
            names = place.reference.name(old), place.reference.name(new)
            finding = Finding(kind, f"in the product for {factor}, {words}", factor, *names)
            operand = ("operand", edge.consumer.attr, edge.index, k)
            patterns = ((*operand, moved), (*operand, "around", place.around(moved, new))) if moved else ()
            yield place.one(finding, with_operands((*args[:k], new, *args[k + 1 :])), patterns)


def with_operands(args: tuple[Node, ...]) -> Swap:
    return lambda sweep, edge, upstream: sweep.through(edge, upstream, args)


def transposes(place: Place) -> Iterator[Candidate]:
    """A transpose missing or too many in a product, where the shapes do not tell because they are square."""
    edge, args = place.edge, place.edge.consumer.args
    if not is_product(edge.consumer):
        return
    for k, old in enumerate(args):
        if k != edge.index and old.kind == FLOAT and _is_square(old):
            swap = with_operands((*args[:k], transpose(old, _flipped(old)), *args[k + 1 :]))
            yield _transposed(place, place.reference.name(old), place.reference.transposed(old), swap)
    if _is_square(edge.consumer):
        yield _transposed(place, "the upstream gradient", "its transpose",
                          lambda sweep, edge, upstream: sweep.passed(edge, np.swapaxes(upstream, -1, -2)))
    if _is_square(edge.argument):
        yield _transposed(place, "the product", "its transpose",
                          lambda sweep, edge, upstream: np.swapaxes(sweep.passed(edge, upstream), -1, -2))


def _transposed(place: Place, right: str, wrong: str, swap: Swap) -> Candidate:
    says = f"in the product for {place.factor}, a transpose of {right} is missing or too many"
    return place.one(Finding(m.TRANSPOSE, says, place.factor, right, wrong), swap)


def _flipped(row: Node) -> tuple[int, ...]:
    return (*range(row.ndim - 2), row.ndim - 1, row.ndim - 2)


def _is_square(row: Node) -> bool:
    """A matrix, or a stack of matrices."""
    return row.ndim >= 2 and same(row.shape[-1], row.shape[-2])


# -- what moves entries or adds them up along an axis: roll, flip, cumsum


def unturned(place: Place) -> Iterator[Candidate]:
    """The gradient handed on as it is, or moved the same way once more, where it goes back the other way."""
    edge, whole = place.edge, _moving(place)
    inside = () if whole is None else (whole, *whole.args)
    ways = [e for e in place.reference.edges(edge.argument) if e.consumer in inside]
    if whole is None or ways[0] is not edge:
        return
    name = whole.op.name if whole.origin is None else whole.origin.function
    for words, swap in {"hand it on as it is": _kept(whole), f"apply {name} once more": _moved_again(whole)}.items():
        says = f"through {name} the gradient goes back the other way: you {words}"
        yield replace(place.one(Finding(m.TRANSPOSE, says, place.factor), swap),
                      swaps={edge: swap, **dict.fromkeys(ways[1:], nothing)})


def _moving(place: Place) -> Node | None:
    """The call that an edge begins, of one array and linear in it, with a result of its shape."""
    first, argument = place.edge.consumer, place.edge.argument
    for row in (first, *[r for r in place.reference.order if first in r.args]):
        called = row.origin is not None and row.origin.args[:1] == (argument,)
        entries = kind_of(row)
        if (called or (row is first and entries.views)) and (entries.linear or entries.joined) and \
                same_shape(row.shape, argument.shape):
            return row
    return None


def _kept(whole: Node) -> Swap:
    return lambda sweep, edge, upstream: sweep.above(whole)


def _moved_again(whole: Node) -> Swap:
    def swap(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
        leaf = body_leaf(whole.graph, "moved", edge.argument.shape)

        def copy(row: Node) -> Node:
            reads = row is whole or edge.argument in row.args
            return leaf if row is edge.argument else whole.graph.again(row, [*map(copy, row.args)]) if reads else row

        return sweep.point.of(copy(whole), leaf)(sweep.above(whole))

    return swap


# -- softmax and logsumexp: each entry acts on all others


def softmaxes(place: Place) -> Iterator[Candidate]:
    """Softmax taken entry by entry, or another array for the probabilities that logsumexp hands back."""
    consumer, argument = place.edge.consumer, place.edge.argument
    if consumer.op.distribution:
        for says, local in _ENTRYWISE:
            finding = Finding(m.WRONG_DERIVATIVE, f"{place.factor}: {says}", place.factor)
            patterns = (("softmax", says, m.base_name(place.reference.name(consumer))), ("softmax", says))
            yield place.one(finding, _entrywise(local), patterns)
    if consumer.op.logarithm:
        for new in place.known:
            if same_shape(new.shape, argument.shape):
                kind = m.PRE_ACTIVATION if new is argument else m.SUBSTITUTION
                says = f"{place.reference.name(new)} stands where softmax({place.reference.name(argument)}) belongs"
                yield place.one(Finding(kind, says, place.factor), partial(_weighted, new, *consumer.attr))


_ENTRYWISE = (
    (
        "softmax is taken as if it acted on each entry alone, p(1 - p); its Jacobian is not diagonal",
        lambda p: p * (1 - p),
    ),
    ("the sum over the other classes is missing, p * upstream is only a part", lambda p: p),
)


def _entrywise(local: Callable[[Array], Array]) -> Swap:
    return lambda sweep, edge, upstream: upstream * local(sweep.point.value(edge.consumer))


def _weighted(weights: Node, axes: tuple[int, ...], keepdims: bool,
              sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    return (upstream if keepdims else np.expand_dims(upstream, axes)) * sweep.point.value(weights)


# -- where branches meet


def missing_paths(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """Some of the branches that meet at a row left out."""
    edges = reference.edges(row)
    for count in range(1, len(edges) if len(edges) <= MAX_BRANCHES else 2):
        for gone in combinations(edges, count):
            yield _missing(reference, gone, row, target)


def _missing(reference: Reference, gone: Sequence[Edge], row: Node, target: Node) -> Candidate:
    name, step = reference.name(row), (gone[0].consumer.op.name, gone[0].index)

    def tell() -> Finding:
        terms = " and ".join(branch(reference, e, target) for e in gone)
        return missing(gone, terms, name, reference, reference.local_name(gone[0], target))

    patterns = (("missing", *step, m.base_name(name)),) if len(gone) == 1 and name.endswith("]") else ()
    return Candidate(m.MISSING_PATH, tell, dict.fromkeys(gone, nothing), len(gone) - 1, patterns)


def missing(gone: Sequence[Edge], terms: str, name: str, reference: Reference, factor: str) -> Finding:
    """What is said of branches that are left out where all that meet at ``name`` are summed."""
    meeting = f"{len(reference.edges(gone[0].argument))} branches meet at {name} and are summed"
    return Finding(m.MISSING_PATH, f"{terms} {'is' if len(gone) == 1 else 'are'} missing: {meeting}", factor, terms)


def nothing(sweep: NumericSweep, edge: Edge, upstream: Array) -> Array:
    return np.zeros(sweep.point.size(edge.argument.shape))


def branch(reference: Reference, edge: Edge, target: Node) -> str:
    """A branch as a person sees it: through the named row that it alone leads to, else the term that it contributes."""
    names = leads_to(reference, edge)
    if reference.is_named(edge.consumer) or len(names) == 1:
        return f"the branch through {names[0]} ({reference.local_name(edge, target)})"
    return f"the term {m.clipped(reference.term(edge))}"


def leads_to(reference: Reference, edge: Edge) -> list[str]:
    """The named rows next above that no other branch of the same array leads to."""
    above = named_above(reference, edge.consumer)
    others = [named_above(reference, e.consumer) for e in reference.edges(edge.argument) if e != edge]
    names = [n for n in above if all(n not in o for o in others)]
    return above if not names and len(above) == 1 and above not in others else names


def named_above(reference: Reference, row: Node) -> list[str]:
    """The named rows that a row flows into without passing another."""
    if reference.is_named(row):
        return [reference.name(row)]
    return list(dict.fromkeys(n for e in reference.edges(row) for n in named_above(reference, e.consumer)))


def scaled_paths(reference: Reference, row: Node, target: Node) -> Iterator[Candidate]:
    """One of the branches that meet at a row with a wrong sign or constant."""
    edges = reference.edges(row)
    for edge in edges if len(edges) > 1 else ():
        for factor, kind, words in _SCALES:
            tell = partial(_scaled, reference, edge, target, kind, words)
            yield Candidate(kind, tell, {edge: _times(factor)})


_SCALES = (
    (-1.0, m.SIGN, "has the wrong sign"),
    (2.0, m.CONSTANT, "is twice what it should be"),
    (0.5, m.CONSTANT, "is half of what it should be"),
)


def _scaled(reference: Reference, edge: Edge, target: Node, kind: str, words: str) -> Finding:
    return Finding(kind, f"{branch(reference, edge, target)} {words}", reference.local_name(edge, target))


def _times(factor: float) -> Swap:
    return lambda sweep, edge, upstream: factor * sweep.passed(edge, upstream)


# -- all of them

AT_EDGES: dict[str, Callable[[Place], Iterator[Candidate]]] = {
    "local derivatives": local_derivatives,
    "operands": operands,
    "transposes": transposes,
    "unturned": unturned,
    "softmax": softmaxes,
}
AT_ROWS: dict[str, Callable[[Reference, Node, Node], Iterator[Candidate]]] = {
    "missing paths": missing_paths,
    "scaled paths": scaled_paths,
}


def candidates(reference: Reference, rows: Sequence[Node], target: Node, known: Sequence[Node]) -> list[Candidate]:
    """Every mistake at the edges of ``rows``, each in one place and then wherever else it can be made, likely ones
    first."""
    found: list[Candidate] = []
    for row in rows:
        for edge in reference.edges(row):
            place = Place(reference, edge, target, known)
            found += [c for rule in AT_EDGES.values() for c in rule(place)]
        found += [c for rule in AT_ROWS.values() for c in rule(reference, row, target)]
    return sorted([*found, *repeated(found)], key=lambda c: c.cost)


def repeated(found: Sequence[Candidate]) -> Iterator[Candidate]:
    """The same mistake made wherever it can be made: at every activation of a kind, at every time step."""
    groups: dict[Hashable, dict[Edge, Candidate]] = {}
    for candidate in found:
        for pattern in candidate.patterns:
            groups.setdefault(pattern, {}).setdefault(next(iter(candidate.swaps)), candidate)
    different = {frozenset(map(id, members.values())): members for members in groups.values()}
    yield from (_everywhere(list(members.values())) for members in different.values() if len(members) > 1)


def _everywhere(members: Sequence[Candidate]) -> Candidate:
    def tell() -> Finding:
        found = [c.tell() for c in members]
        factors = ", ".join(dict.fromkeys(x.factor for x in found))
        return replace(found[0], says=f"{found[0].says}; the same wherever it occurs ({factors})", factor=factors)

    swaps = {e: s for c in members for e, s in c.swaps.items()}
    return Candidate(members[0].kind, tell, swaps, members[0].extra_cost + 8)


# -- one mistake in the formula of a local derivative


ACTIVATIONS = ("tanh", "sigmoid", "relu", "softplus", "exp", "log", "sin", "cos", "sqrt", "normal_cdf")


@dataclass(frozen=True)
class Variant:
    """A wrong formula: the kind of mistake, what to say of the ``part`` that was touched."""

    kind: str
    says: str
    form: f.Formula
    part: f.Formula


def variants(form: f.Formula) -> Iterator[Variant]:
    """Every formula that differs from ``form`` in one place; each once, ``form`` itself never."""
    seen = {form}
    for variant in _all(form):
        if variant.form not in seen:
            seen.add(variant.form)
            yield variant


def _all(form: f.Formula) -> Iterator[Variant]:
    yield from _here(form)
    parts = form.children
    for k, part in enumerate(parts):
        for variant in _all(part):
            try:
                whole = f.rebuild(form, (*parts[:k], variant.form, *parts[k + 1 :]))
            except ModelError:
                continue
            yield replace(variant, form=whole)


def _here(form: f.Formula) -> Iterator[Variant]:
    """One mistake at the top of a formula."""
    match form:
        case f.Add():
            yield from _in_sum(form)
        case f.Mul():
            yield from _in_product(form)
        case f.Neg(body):
            yield Variant(m.SIGN, _SIGN, body, form)
        case f.Num(value) if value.free_symbols:  # of 1/N the mean that it is of says more
            for part in [x for x in sp.fraction(value)[0].as_ordered_factors() if x.free_symbols]:
                yield Variant(m.CONSTANT, "the number {part} is missing", f.Num(value / part), f.Num(part))
        case f.Div(num, den):
            if num == MINUS_ONE:
                yield Variant(m.SIGN, _SIGN, f.div(f.ONE, den), form)
            yield Variant(m.MISSING_FACTOR, _PART, num, den)
            yield Variant(m.MISSING_FACTOR, _PART, f.div(f.ONE, den), num)
        case f.Pow(base, f.Num(n)):
            for other in (sp.S.One, n - 1, n + 1, 2 * n):
                yield Variant(m.EXPONENT, "the exponent of {part} is wrong", f.power(base, f.Num(other)), form)
        case f.Call(name, args):
            confused = [f.Call(other, args) for other in _CONFUSED.get(name, ())]
            for wrong in [args[0], *confused] if len(args) == 1 else confused:
                yield Variant(m.WRONG_DERIVATIVE, "the function {part} is not right", wrong, form)


def _in_sum(form: f.Add) -> Iterator[Variant]:
    terms = form.terms
    for k, term in enumerate(terms):
        others = (*terms[:k], *terms[k + 1 :])
        yield Variant(m.SIGN, _SIGN, f.add(*terms[:k], f.neg(term), *terms[k + 1 :]), term)
        yield Variant(m.TERM, "the term {part} is missing", f.add(*others), term)
    if len(terms) == 2 and terms[0] == f.ONE and isinstance(terms[1], f.Neg):
        yield Variant(m.WRONG_FACTOR, "{part} is needed, not its complement", terms[1].body, form)


def _in_product(form: f.Mul) -> Iterator[Variant]:
    for k, factor in enumerate(form.factors):
        rest = f.mul(*form.factors[:k], *form.factors[k + 1 :])
        if factor == MINUS_ONE:
            yield Variant(m.SIGN, _SIGN, rest, form)
        elif isinstance(factor, f.Num):
            yield Variant(m.CONSTANT, "the number {part} is missing", rest, factor)
        else:
            yield Variant(m.MISSING_FACTOR, _PART, rest, factor)


MINUS_ONE = f.Num(sp.S.NegativeOne)
_SIGN, _PART = "the sign of {part} is wrong", "the part {part} is missing"
_CONFUSED = {
    "sin": ("cos",),
    "cos": ("sin",),
    "sigmoid": ("tanh",),
    "tanh": ("sigmoid",),
    "exp": ("log",),
    "log": ("exp",),
}


def derivative_forms() -> Iterator[tuple[str, f.Formula]]:
    """(function, its derivative over its argument `Arg(0)` and its own value `OUT`)."""
    for name in ACTIVATIONS:
        form = TABLE[name].partials[0]
        if form is None:
            continue
        if TABLE[name].role is Role.RECTIFIED:
            form = f.call("above", f.Arg(0), 0, 0)
        yield name, form


def replaced(form: f.Formula, old: f.Formula, new: f.Formula) -> f.Formula:
    """Every occurrence of one leaf as another."""
    return f.substitute(form, lambda leaf: new if leaf is old else leaf)
