"""Which rows a loss is a convex function of: the outputs of the Gauss–Newton matrix Jᵀ H J, H being the loss's second
derivatives by them.

From the loss backwards a row is passed where it is convex in its arguments and the loss never falls in it, or affine
(the rules of disciplined convex programming; Grant, Boyd and Ye 2006), so far as curvature is behind. Logarithms are
looked at as what they are logarithms of: the log of a softmax is concave in its logits. Where data are multiplied with
they are weights, between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum
from functools import reduce
from math import inf, isnan
from typing import NamedTuple, TypeAlias

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.calculus import partial
from symbackprop.core.exact_forms import root_of_squares, sides_of
from symbackprop.core.facts import is_norm, kind
from symbackprop.core.graph import FLOAT, Node, arguments_first
from symbackprop.core.hazards import is_nonnegative
from symbackprop.core.identities import OF_EXPONENTS, Logarithms, better
from symbackprop.core.pattern import Pattern
from symbackprop.core.reverse import needed_rows
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.errors import ModelError

Bounds: TypeAlias = tuple[float, float]
ANYTHING: Bounds = (-inf, inf)
DEPTH = 6
FEW = 4  # numbers that are tried out as data


class Bend(Enum):
    """How the loss depends on a row: it never falls where the row rises, it never rises, or either."""

    RISING = 1
    FALLING = -1
    EITHER = 0

    def times(self, slope: Bounds) -> Bend:
        """How it depends on an argument of the row."""
        return self if slope[0] >= 0 else Bend(-self.value) if slope[1] <= 0 else Bend.EITHER


class Step(NamedTuple):
    """What is behind a row that was passed, and whether the row is ``curved``."""

    curved: bool
    behind: tuple[tuple[Node, Bend], ...]


class Outputs(NamedTuple):
    """The rows that a loss is a ``curved`` convex function of, and those in which it is affine but not known to be
    convex in what they are computed from: to first order only these are ``held``."""

    curved: list[Node]
    held: list[Node]


def convex_outputs(loss: Node, wrt: Sequence[Node]) -> Outputs:
    """The rows nearest to a loss that it is a convex function of, all curvature up to them being its own; a parameter
    in which it is convex itself is one. Raises `ModelError` where it is curved in none."""
    search = Search(loss, wrt)
    found = search.found(loss)
    if found is None:
        tried = search.weights()[:FEW]
        given = next((p for p in tried if Search(loss, [w for w in wrt if w is not p]).found(loss)), None)
        where = "" if given is None else f"; it has one where {given.name} is no parameter: data {given.name}"
        raise ModelError(f"{loss.name or 'the loss'} is not known to be a convex function of any rows, curved in them: "
                         f"it has no Gauss–Newton matrix; ask for products with its Hessian (--hvp){where}")
    return found


class Search:
    """One walk back from a loss."""

    def __init__(self, loss: Node, wrt: Sequence[Node]) -> None:
        self.wrt, self.graph, self.logs = wrt, loss.graph, Logarithms(lambda row: None)
        self.own = {row.id for row in loss.graph.topological([loss])}
        self.bends: dict[int, Bend] = {}
        self.steps: dict[int, Step | None] = {}
        self._moving = needed_rows(loss.graph.topological([loss]), wrt)

    def found(self, loss: Node) -> Outputs | None:
        """The outputs of a loss that is curved in some."""
        self.run(loss)
        found = self.outputs(loss)
        return found if found is not None and found.curved else None

    def weights(self) -> list[Node]:
        """The numbers among what is differentiated by that stand in a row that was not passed: lam, of lam*sum(w^2)."""
        stopped = {i for i, step in self.steps.items() if step is None}
        inside = {a.id for row in self.graph.nodes.values() if row.id in stopped for a in row.args}
        return [row for row in self.wrt if row.id in inside and row.is_leaf and not row.shape]

    def run(self, loss: Node) -> None:
        stack = [(loss, Bend.RISING)]
        while stack:
            row, bend = stack.pop()
            known = self.bends.get(row.id, bend)
            bend = bend if known is bend else Bend.EITHER
            if self.bends.get(row.id) is not bend:
                self.bends[row.id] = bend
                self.steps[row.id] = step = self._step(row, bend)
                stack += step.behind if step is not None else ()

    def outputs(self, loss: Node) -> Outputs | None:
        """What is right behind the curved rows that have no such row behind them, on the way from them to the loss;
        None where the loss is not computed from one of these."""
        order = self._order(loss)
        trunk, bent, curved = set[int](), set[int](), dict[int, Node]()
        for row in order:
            step = self.steps[row.id]
            if step is not None and (step.curved or any(a.id in trunk for a, _ in step.behind)):
                trunk.add(row.id)
        for row in reversed(order):
            step = self.steps[row.id]
            if step is not None and row.id in trunk and (step.curved or row.id in bent):
                bent |= {a.id for a, _ in step.behind}
                named = [self._named(a) for a, _ in step.behind if a.id not in trunk]
                curved |= {a.id: a for a in named}
        while True:
            ends = [r for r in self._order(loss, {*curved}) if self.steps[r.id] is None and r.id not in curved]
            if any(row.id not in self.own for row in (*curved.values(), *ends)):
                return None
            if self._is_computed_from(loss, {*curved, *[r.id for r in ends]}):
                return Outputs(*(sorted(rows, key=lambda row: row.id) for rows in (curved.values(), ends)))
            affine = {i: step for i in curved if (step := self.steps[i]) is not None and not step.curved}
            if not affine:
                return None
            behind = [a for step in affine.values() for a, _ in step.behind]
            curved = {i: row for i, row in curved.items() if i not in affine} | {a.id: a for a in behind}

    def _is_computed_from(self, loss: Node, outputs: Collection[int]) -> bool:
        """Whether what is differentiated by reaches the loss through these rows alone."""
        around = loss.graph.topological([loss], frozenset(outputs))
        return not {row.id for row in self.wrt} & ({row.id for row in around} - {*outputs})

    def _order(self, loss: Node, stop: Collection[int] = ()) -> list[Node]:
        """The rows that were passed, what is behind them first."""
        def behind(row: Node) -> list[Node]:
            step = None if row.id in stop else self.steps[row.id]
            return [] if step is None else [a for a, _ in step.behind]

        return arguments_first([loss], behind)

    def _named(self, row: Node) -> Node:
        """The row with a name that a row is a multiple of, or differs from by what does not move; else the last such
        row."""
        while row.name is None and row.form is not None and (step := self.steps[row.id]) is not None:
            if step.curved or len(step.behind) != 1:
                break
            row = step.behind[0][0]
        return row

    def moves(self, row: Node) -> bool:
        """Whether a row depends on what is differentiated by."""
        if row.id not in self.own and row.id not in self._moving:
            self._moving |= needed_rows(row.graph.topological([row]), self.wrt)
        return row.id in self._moving and row.kind == FLOAT

    # -- rows
    def _step(self, row: Node, bend: Bend) -> Step | None:
        moving = [i for i, a in enumerate(row.args) if self.moves(a) and not a.op.held]
        if not moving or row.is_result or row.is_loop:
            return None
        other = better(row, self.logs, OF_EXPONENTS)
        if other is not None:
            return Step(False, ((other, bend),))
        root = _root(row)
        if root is not None:
            return Step(False, ((root, bend),))
        if sides := sides_of(row, ()):
            return self._norm([side for side in sides if self.moves(side)], bend)
        if row.form is not None:
            return self._elementwise(row, bend, moving)
        if is_norm(row) or _is_square(row):
            return Step(True, ((row.args[0], Bend.EITHER),)) if bend is Bend.RISING else None
        if row.op.logarithm or row.op.chooses:
            return Step(row.op.logarithm, ((row.args[0], bend),)) if bend is Bend.RISING else None
        return self._linear(row, bend, moving)

    def _norm(self, sides: Sequence[Node], bend: Bend) -> Step | None:
        """Of a norm of two numbers; what is no row of the loss is affine in what is behind it."""
        found = [Step(False, ((side, Bend.EITHER),)) if side.id in self.own else self._step(side, Bend.EITHER)
                 for side in sides]
        if bend is not Bend.RISING or any(step is None for step in found):
            return None
        return Step(True, tuple([behind for step in found if step is not None for behind in step.behind]))

    def _linear(self, row: Node, bend: Bend, moving: list[int]) -> Step | None:
        facts = kind(row)
        if facts.moved or facts.added or (facts.linear and facts.together):
            return Step(False, tuple([(row.args[i], bend) for i in moving]))
        if not facts.linear or len(moving) > 1 or moving[0] not in facts.each:
            return None
        weights = [self.bounds(f.Arg(i), row.args) for i, a in enumerate(row.args) if i not in moving]
        return Step(False, ((row.args[moving[0]], bend if all(b[0] >= 0 for b in weights) else Bend.EITHER),))

    def _elementwise(self, row: Node, bend: Bend, moving: list[int]) -> Step | None:
        form = row.attr.form
        try:
            slopes = [(i, s) for i in moving if (s := _over_arguments(partial(form, i), form)) != f.ZERO]
            curves = [curve for term in f.summands(form) for curve in _curves(term, moving, len(row.args))]
        except ModelError:
            return None
        behind = tuple([(row.args[i], bend.times(self.bounds(slope, row.args))) for i, slope in slopes])
        convex = all(c is not None and bend.times(self.bounds(c, row.args)) is Bend.RISING for c in curves)
        return Step(bool(curves), behind) if convex else self._of_terms(row, bend)

    def _of_terms(self, row: Node, bend: Bend) -> Step | None:
        """Of terms with numbers in front, each a row by itself, as roots of sums of squares are."""
        terms = [f.split_sign(term) for term in f.summands(row.attr.form)]
        rows = [(row.graph.apply(part, *row.args), float(factor)) for factor, part in terms]
        moving = [(part, bend.times((c, c))) for part, c in rows if self.moves(part)]
        apart = all(part is not row and self._step(part, bends) is not None for part, bends in moving)
        return Step(False, tuple(moving)) if apart else None

    # -- numbers
    def bounds(self, form: f.Formula, args: Sequence[Node], depth: int = DEPTH) -> Bounds:
        """Between which numbers a formula over rows lies."""
        match form:
            case f.Num(value):
                number = value.is_number
                return (float(value),) * 2 if number else (0.0, inf) if value.is_nonnegative else ANYTHING
            case f.Arg(k):
                return self._of_row(args[k], depth - 1)
            case f.Neg(part):
                low, high = self.bounds(part, args, depth)
                return -high, -low
            case f.Add(parts):
                each = [self.bounds(p, args, depth) for p in parts]
                return sum(b[0] for b in each), sum(b[1] for b in each)
            case f.Mul((left, right)) if left == right:
                return 0.0, inf
            case f.Mul(parts):
                return reduce(_product, [self.bounds(p, args, depth) for p in parts], (1.0, 1.0))
            case f.Div():
                num, dens = _quotient(form)
                signs = [self.bounds(d, args, depth) for d in set(dens) if dens.count(d) % 2]
                below = reduce(_product, [_sign(b) for b in signs], (0.0, inf))
                return _product(self.bounds(num, args, depth), below)
            case f.Pow(base, exponent):
                low, high = self.bounds(base, args, depth)
                if isinstance(exponent, f.Num) and exponent.value.is_even and exponent.value.is_positive:
                    return 0.0, _raised(max(-low, high), exponent.value)
                even = isinstance(exponent, f.Num) and exponent.value.is_even
                return (0.0, inf) if even or low >= 0 else ANYTHING
            case f.Call(name, parts):
                return self._of_call(TABLE[name], parts, args, depth)
        return ANYTHING

    def _of_call(self, record: Scalar, parts: Sequence[f.Formula], args: Sequence[Node], depth: int) -> Bounds:
        if record.guards is not None:
            return self.bounds(f.over(record.guards, parts), args, depth)
        if not record.chooses:
            return (0.0, 1.0) if record.boolean else record.range
        each = [self.bounds(parts[k], args, depth) for k in record.chooses]
        return min(b[0] for b in each), max(b[1] for b in each)

    def _of_row(self, row: Node, depth: int) -> Bounds:
        if row.value is not None:
            return self.bounds(f.Num(row.value), ())
        if not self.moves(row):
            return self.bounds(row.form, row.args, depth) if row.form is not None and depth > 0 else (0.0, 1.0)
        if row.form is not None and depth > 0:
            return self.bounds(row.form, row.args, depth)
        return max(row.op.range[0], 0.0 if is_nonnegative(f.Arg(0), [row]) else -inf), row.op.range[1]


def _root(row: Node) -> Node | None:
    """A root of squares as a norm, one that is written as a power as a root."""
    match row.form:
        case f.Pow(base, f.Num(exponent)) if exponent == sp.Rational(1, 2):
            return row.graph.call("sqrt", row.graph.apply(base, *row.args))
    return root_of_squares(row, ())


def _product(a: Bounds, b: Bounds) -> Bounds:
    ends = [0.0 if isnan(x * y) else x * y for x in a for y in b]
    return min(ends), max(ends)


def _raised(most: float, exponent: sp.Expr) -> float:
    try:
        return float(most ** int(exponent))
    except OverflowError:
        return inf


def _sign(b: Bounds) -> Bounds:
    return (0.0, inf) if b[0] >= 0 else (-inf, 0.0) if b[1] <= 0 else ANYTHING


def _quotient(form: f.Formula) -> tuple[f.Formula, list[f.Formula]]:
    """A numerator and what it is divided by, one after the other."""
    dens: list[f.Formula] = []
    while True:
        if isinstance(form, f.Call) and (guards := TABLE[form.name].guards) is not None:
            form = f.over(guards, form.args)
        if not isinstance(form, f.Div):
            return form, dens
        dens.append(form.den)
        form = form.num


def _over_arguments(slope: f.Formula, form: f.Formula) -> f.Formula:
    """A derivative without the output in it."""
    return f.substitute(slope, lambda leaf: leaf if isinstance(leaf, f.Arg) else form)


def _curves(form: f.Formula, moving: Sequence[int], spare: int) -> list[f.Formula | None]:
    """Second derivatives of which none may be negative where a formula is convex in the arguments that move: by the one
    affine part that they are in, as (z + b - y)², or by each; None where it is curved in two together.

    ``spare`` is the number of no argument.
    """
    part, one = _part_with(form, {i for i in moving if i in f.all_arguments(form)}), f.Arg(spare)
    outer = _with_part(form, part, one)
    affine = part != form and all(q == f.ZERO for q in _second(part, moving).values())
    if affine and not {*moving} & {*f.all_arguments(outer)}:
        curve = f.substitute(_second(outer, [spare])[spare, spare], lambda leaf: part if leaf == one else leaf)
        return [curve] if curve != f.ZERO else []
    return [q if i == j else None for (i, j), q in _second(form, moving).items() if q != f.ZERO]


def _second(form: f.Formula, places: Sequence[int]) -> dict[tuple[int, int], f.Formula]:
    first = {i: _over_arguments(partial(form, i), form) for i in places}
    return {(i, j): _over_arguments(partial(first[i], j), first[i]) for i in places for j in places if i <= j}


def _part_with(form: f.Formula, places: set[int]) -> f.Formula:
    """The least part of a formula that has all arguments at these places."""
    for part in form.children:
        if places <= {*f.all_arguments(part)}:
            return _part_with(part, places)
    return form


def _with_part(form: f.Formula, part: f.Formula, other: f.Formula) -> f.Formula:
    """A formula with another one wherever it has a part."""
    return other if form == part else f.changed(form, lambda inner: _with_part(inner, part, other))


def _is_square(row: Node) -> bool:
    """Whether a row is a sum of squares of a row's entries."""
    pattern = row.attr
    return isinstance(pattern, Pattern) and len(row.args) == 2 and row.args[0] is row.args[1] and len(
        set(pattern.ins)) == 1
