"""What the model says: the numbers that somebody's code is handed at a point, and the gradients that are right there.

Every name of the model can be asked for, however a function spells it, and so can sizes, constants, upstream gradients
and the gradients of intermediates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.scalars import AT_ZERO, TABLE
from symbackprop.core.shapes import evaluate_dim, evaluate_shape
from symbackprop.derive.record import Edge
from symbackprop.errors import ModelError
from symbackprop.grade.naming import plain
from symbackprop.grade.points import DISTRIBUTION, GENERAL, HARD, Array, Beyond, Point, Points, class_targets
from symbackprop.grade.reference import Reference
from symbackprop.model.copying import copied, loop_counters, loop_dimensions
from symbackprop.model.model import Model
from symbackprop.verify.sampling import choose_sizes
from symbackprop.verify.values import learned

STEPS, REDRAWN, ROOM, LARGE = 3, 24, 3000, 300
SMALL_VALUES, NEAR, LOUD, BEYOND = 0.03, 1e-4, 100.0, 2.0
MASKED = -1e3  # scores that are less are masked, by −inf or a number: random ones are of moderate size
UPSTREAM = ("upstream", "dout", "grad_output", "grad_outputs", "grad_out", "d_out", "gradient", "dupstream")
VALUE, SIZE, SEED, GRADIENT = "value", "size", "upstream", "gradient"
_PREFIXES = ("dL_d", "dLd", "grad_", "d_", "delta_", "d", "D", "g_", "grad", "g")
_SUFFIXES = ("_grad", "_gradient", "_bar")


class Meaning(NamedTuple):
    """What a word of a person's code is in the model."""

    kind: str
    name: str


class Truth:
    """The right gradients of a model. ``sizes`` fixes dimensions; loops over a symbolic axis have ``steps`` steps,
    those of a second such axis one more. ``numeric`` writes all the given sizes into the model, so that what is square
    with them counts as square."""

    def __init__(self, model: Model, sizes: Mapping[str, int], seed: int, steps: int = STEPS, numeric: bool = False
                 ) -> None:
        self.model, self.seed = model, seed
        self.fixed = {n: sizes.get(n, steps + k) for k, n in enumerate(loop_dimensions(model))}
        self.fixed |= sizes if numeric else {}
        self.sizes = {n: k for n, k in sizes.items() if n not in self.fixed}
        self.reference = Reference(copied(model, self.fixed), loop_counters(model), letters=False)
        self.rng = np.random.default_rng(seed)
        self.sources = {s: Points(self.reference, self.sizes, s, seed) for s in (GENERAL, DISTRIBUTION, HARD)}
        self._coarse_points: dict[int, tuple[Point, Point]] = {}

    # -- names
    @cached_property
    def own(self) -> dict[str, str]:
        """What a function may call the arrays of the model, with their names in it: brackets are left out."""
        names = [*self.model.leaves(), *self.model.constants, *self.model.intermediates()]
        return {n.replace("[", "").replace("]", ""): n for n in names} | {n: n for n in names}

    @property
    def targets(self) -> dict[str, Node]:
        return self.reference.targets

    @property
    def loss(self) -> bool:
        return self.model.loss_row is not None

    def argument(self, word: str) -> Meaning | None:
        """What a parameter of a function is to be handed; None where the model has nothing of that name."""
        if word in self.own:
            return Meaning(VALUE, self.own[word])
        if word in self.model.sizes:
            return Meaning(SIZE, word)
        gradient = self._prefixed(word, {n: n for n in self.model.output_rows})
        if gradient is not None:
            return Meaning(SEED, gradient)
        inner = self._prefixed(word, {w: n for w, n in self.own.items() if n in self.model.intermediates()})
        if inner is not None:
            return Meaning(GRADIENT, inner)
        return Meaning(SEED, "") if word in UPSTREAM else self._alike(word)

    def _alike(self, word: str) -> Meaning | None:
        found = _near(word, self.own)
        if found is not None:
            return Meaning(VALUE, found)
        size = _near(word, {n: n for n in self.model.sizes})
        return None if size is None else Meaning(SIZE, size)

    def gradient_of(self, word: str) -> str | None:
        """Which array of the model a result is the gradient of: ``dW``, ``grad_W``, ``d_w`` and ``W`` are W."""
        if word in self.targets:
            return word
        floats = {w: n for w, n in self.own.items() if n not in self.model.constants and self._is_float(n)}
        wanted = {w: n for w, n in floats.items() if n in self.targets}
        for known in (wanted, floats):
            found = self._prefixed(word, known)
            if found is not None:
                return found
        return floats.get(word) or _near(word, wanted)

    def _is_float(self, name: str) -> bool:
        row = self.row(name)
        return row is not None and row.kind == FLOAT

    @staticmethod
    def _prefixed(word: str, known: Mapping[str, str]) -> str | None:
        bare = [word.removeprefix(p).lstrip("_") for p in _PREFIXES if word.startswith(p)]
        bare += [word.removesuffix(s) for s in _SUFFIXES if word.endswith(s)]
        exact = next((known[w] for w in bare if w in known), None)
        return exact or next((n for w in bare if w and (n := _near(w, known)) is not None), None)

    def row(self, name: str) -> Node | None:
        """The row of an array, loops written out."""
        if name not in self.reference.rows:
            self.reference.stack(name)
        return self.reference.rows.get(name)

    def untold(self, words: Sequence[str]) -> dict[str, int]:
        """The declared sizes that code with these parameters can but take for granted: it is not handed them, and no
        array shows them, as the heads of h*d columns."""
        meanings = [m for w in words if (m := self.argument(w)) is not None]
        known = {**self.model.leaves(), **self.model.intermediates(), **self.model.output_rows}
        rows = [*self.model.leaves().values(), *self.model.output_rows.values()]
        rows += [known[n] for _, n in meanings if n in known]
        sizes = choose_sizes(self.model, np.random.default_rng(self.seed), self.sizes)
        axes = [(d, evaluate_dim(d, sizes)) for row in rows for d in row.shape]
        told = {name: sizes[name] for _, name in meanings if name in sizes}
        taken: dict[str, int] = {}
        for name, default in self.model.sizes.items():
            if default is not None and name not in learned(axes, {**told, **taken}):
                taken[name] = default
        return taken

    def known_words(self) -> list[str]:
        return [*self.own, *self.model.sizes, *[f"d{n}" for n in self.model.output_rows]]

    # -- numbers
    def value(self, meaning: Meaning, point: Point) -> Any:
        """What a parameter is handed at a point: an array, a number, or upstream gradients by output."""
        kind, name = meaning
        if kind == SIZE:
            return self.size(name, point)
        if kind == SEED:
            return self.upstream(name, point)
        if kind == GRADIENT:
            return self.right(name, point)
        row = self.row(name)
        if row is None:
            raise ModelError(f"{name} has no value that can be handed on")
        return float(point.value(row)) if name in self.model.constants else point.value(row)

    def size(self, name: str, point: Point) -> int:
        return int({**self.fixed, **point.sizes}[name])

    def upstream(self, name: str, point: Point) -> Any:
        """The upstream gradient of an output, or of the only one; of all of them as a dictionary; 1 for a loss."""
        if self.loss:
            return np.float64(1.0)
        rows = self.reference.model.upstream
        if name or len(rows) == 1:
            return point.value(rows[name] if name else next(iter(rows.values())))
        return {n: point.value(r) for n, r in rows.items()}

    def gradient_row(self, name: str) -> Node:
        row = self.row(name)
        assert row is not None
        return self.reference.readings(name)[0] if self.reference.steps(name) else self.reference.gradient(row)

    def right(self, name: str, point: Point) -> Array:
        """The right gradient of an array at a point."""
        return np.asarray(point.value(self.gradient_row(name)))

    def other_readings(self, name: str, point: Point) -> list[Array]:
        """Further values that are right too: of a stack over time, the gradient of each step by itself."""
        return [np.asarray(point.value(r)) for r in self.reference.readings(name)[1:]]

    # -- points
    @property
    def style(self) -> str:
        return DISTRIBUTION if class_targets(self.reference) else GENERAL

    def points(self, count: int) -> Iterator[Point]:
        """Random points at unequal sizes that change, the third at those of the first again, so that what is compiled
        for every shape is compiled twice only; the last has small values, where an ε tells."""
        last: Point | None = None
        sizes: list[dict[str, int]] = []
        for trial in range(count):
            sizes.append(sizes[trial - 2] if trial > 1 else self._unequal(trial + 1, last))
            last = self._drawn(sizes[-1])
            yield last if trial != 2 else self._louder(last)
        scaled = None if last is None else self._scaled(last, SMALL_VALUES)
        if scaled is not None:
            yield scaled

    def other_sides(self, usual: Sequence[Point]) -> Iterator[Point]:
        """Points on the sides of the model's conditions that the usual ones miss, as x > 6 of clip(x, 0, 6); which
        entry is a maximum matters in none of its places more than in another."""
        if is_large(self.reference):
            return
        beyond = Beyond(self.reference.results, self.sources[self.style], usual)
        beyond.coverage.bounds |= {side for side in beyond.coverage.sides if side.switch is None}
        yield from beyond.points()

    def _drawn(self, sizes: Mapping[str, int]) -> Point:
        """A random point; where a mask is drawn, one at which no softmax has all of its entries masked: what stands
        behind the mask decides the gradient there, and nobody writes that."""
        for _ in range(REDRAWN):
            point = self.sources[self.style].more(sizes)
            if all(np.all(np.any(point.value(p.args[0]) > MASKED, axis=p.attr)) for p in self._distributions):
                break
        return point

    @cached_property
    def _distributions(self) -> list[Node]:
        return [p for p in self.reference.order if p.op.distribution]

    def _louder(self, point: Point) -> Point:
        """The point with large upstream gradients, which a clipped gradient does not follow."""
        source, upstream = self.sources[self.style], {u.id for u in self.reference.model.upstream.values()}
        values = {leaf.id: point.value(leaf) for leaf in source.leaves}
        return source.at({i: LOUD * v if i in upstream else v for i, v in values.items()}, point.sizes)

    def _unequal(self, trial: int, last: Point | None) -> dict[str, int]:
        """Sizes that differ, so that no axis is taken for another, and of which every free one differs from the last
        point's, so that none is taken for a number; small ones where axes are products of several."""
        model = self.reference.model
        varied = [n for n in model.sizes if n not in self.sizes]
        fit: list[tuple[tuple[bool, int], dict[str, int]]] = []
        for attempt in range(REDRAWN):
            sizes = choose_sizes(model, self.rng, self.sizes, trial + attempt, varied=varied)
            apart = len(set(sizes.values())) == len(sizes) or attempt > REDRAWN // 2
            if apart and (last is None or all(sizes[n] != last.sizes[n] for n in varied)):
                entries = self._largest(sizes)
                fit.append(((entries > 4 * ROOM or 1 in sizes.values(), entries), sizes))
                if fit[-1][0] <= (False, ROOM):
                    break
        return min(fit, key=lambda found: found[0])[1] if fit else sizes

    def _largest(self, sizes: Mapping[str, int]) -> int:
        """Entries of the largest declared array."""
        shapes = [evaluate_shape(row.shape, sizes) for row in self.sources[self.style].leaves]
        return max((prod(shape) for shape in shapes), default=1)

    def hard(self, point: Point) -> Point:
        """The same point with targets that are 0 or 1: those of a cross entropy, and data y of which the model has
        1 - y as well."""
        values = {leaf.id: point.value(leaf) for leaf in self.sources[HARD].leaves}
        chosen = {i: (v > 0) * 1.0 for i, v in values.items() if i in self._choices}
        return self.sources[HARD].at(values | chosen, point.sizes)

    @cached_property
    def numbers(self) -> dict[str, Node]:
        """The data that are real numbers, as masks are where nobody says that they are 0 or 1."""
        drawn = {leaf.id for leaf in self.sources[self.style].leaves}
        return {n: r for n, r in self.reference.rows.items() if n in self.model.leaves() and n not in self.targets
                and r.kind == FLOAT and r.id in drawn}

    def chosen(self, point: Point, name: str) -> Point:
        """The point with data of 0 and 1 by this name."""
        source = self.sources[self.style]
        values = {leaf.id: point.value(leaf) for leaf in source.leaves}
        row = self.numbers[name]
        return source.at(values | {row.id: (values[row.id] > 0) * 1.0}, point.sizes)

    @cached_property
    def _choices(self) -> set[int]:
        data = {r.id for n, r in self.reference.rows.items() if n in self.model.leaves() and n not in self.targets}
        return {row.args[i].id for row in self.reference.order if row.form is not None
                for i in _complemented(row.form)} & data

    def _scaled(self, point: Point, by: float) -> Point | None:
        return self._changed(point, lambda value: value * by)

    def tied(self, point: Point) -> Point | None:
        """The point rounded to small whole numbers, so that entries tie and functions meet their kinks."""
        return self._changed(point, lambda value: np.clip(np.round(1.2 * value), -2, 2))

    def near_kinks(self, point: Point) -> Point | None:
        """The point with values so small that masks whose threshold is not quite 0 tell."""
        return self._scaled(point, NEAR)

    def as_large_as(self, point: Point, number: float) -> Point | None:
        """The point with values that are beyond a number."""
        return self._scaled(point, BEYOND * number)

    def _changed(self, point: Point, change: Any) -> Point | None:
        source = self.sources[self.style]
        values = {leaf.id: point.value(leaf) for leaf in source.leaves}
        upstream = {u.id for u in self.reference.model.upstream.values()}
        stated = {r.id for r in source.leaves if r.attr.stated}
        fixed = upstream | stated | {r.id for r in class_targets(self.reference)}
        moved = source.at({r.id: change(values[r.id]) if r.kind == FLOAT and r.id not in fixed else values[r.id]
                           for r in source.leaves}, point.sizes)
        rows = [*self.reference.results, *self.reference.gradients.values()]
        finite = all(np.all(np.isfinite(moved.value(r))) for r in rows if r.kind == FLOAT)
        return moved if finite else None

    def single(self, point: Point) -> Point:
        """The point with its numbers rounded to float32, which is what code in single precision is handed."""
        leaves = self.sources[self.style].leaves
        values = {r.id: np.asarray(point.value(r), np.float32).astype(float) if r.kind == FLOAT else point.value(r)
                  for r in leaves}
        constants = {r.id: point.value(r) for r in self.reference.model.constants.values()}
        return Point(point.sizes, {**values, **constants}, point.style)

    def noise(self, name: str, point: Point) -> float:
        """How far the right gradient is off when it is computed in float32 throughout."""
        found = self._coarse(point).value(self.gradient_row(name))
        off = np.max(np.abs(np.asarray(found, float) - self.right(name, point)), initial=0.0)
        return float(off) if np.isfinite(off) else 0.0

    def _coarse(self, point: Point) -> Point:
        """The point in float32: all that is computed from it is, and remembered for the other gradients."""
        if id(point) not in self._coarse_points:
            leaves = [*self.sources[self.style].leaves, *self.reference.model.constants.values()]
            values = {r.id: np.asarray(point.value(r), np.float32) if r.kind == FLOAT else point.value(r)
                      for r in leaves}
            self._coarse_points[id(point)] = point, Point(point.sizes, values, point.style)
        return self._coarse_points[id(point)][1]


def _complemented(form: f.Formula) -> Iterator[int]:
    """The arguments of which a formula has 1 - a."""
    match form:
        case f.Add((f.Num(one), f.Neg(f.Arg(index)))) if one == 1:
            yield index
    for part in form.children:
        yield from _complemented(part)


def _near(word: str, known: Mapping[str, str]) -> str | None:
    """The only name that differs in case and underscores alone."""
    found = {n for w, n in known.items() if plain(w) == plain(word)}
    return found.pop() if len(found) == 1 else None


def is_large(reference: Reference) -> bool:
    """Whether a model is so large that only the likeliest mistakes are tried."""
    return len(reference.order) > LARGE


def row_of(truth: Truth, name: str) -> Node:
    row = truth.row(name)
    assert row is not None
    return row


def has_kink(edge: Edge) -> bool:
    """Whether an edge leads to a function with a kink at 0, by the argument that tells the side."""
    head = edge.consumer.head
    return edge.index == 0 and edge.consumer.form is not None and head in TABLE and TABLE[head].switches == AT_ZERO
