"""The values of a derivation at one point, for reading what is printed about it: every row, inside loops at every step,
and derivatives between named rows by difference quotients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core import maths as m
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.loops import Loop
from symbackprop.core.shapes import evaluate_dim, evaluate_shape
from symbackprop.core.sizes import in_numbers
from symbackprop.derive.products import GGN, products
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.verify.sampling import choose_sizes, draw
from tests.render.reading import Untold

Array = Any
Env = dict[Any, Any]
Found = tuple[tuple[str, ...], Array]
STEP, KINK, MAX_ENTRIES, ATTEMPTS = 1e-5, 1e-2, 10**6, 6


class World:
    """One point of a derivation. ``rows``: the document writes gradients of vectors as rows; ``totals``: d and ∂ differ
    (scalar view). ``literal``: sizes that the model gives are not changed."""

    squeezes = False
    legend: Mapping[str, sp.Expr | None] | None = None
    called_rate: m.Math = m.Sym("eta")
    called_upstream: m.Math = m.Delta()

    def __init__(self, derivation: Derivation, seed: int = 0, rows: bool = False, totals: bool = False,
                 literal: bool = False) -> None:
        self.derivation, self.rows, self.totals = derivation, rows, totals
        self.own: dict[str, int] = {}  # how far letters run in a step
        model, rng = derivation.model, np.random.default_rng(seed)
        self.graph, self.rng = model.graph, rng
        self.nodes = {row.id: row for row in _rows(derivation)}
        self.sizes = choose_sizes(model, rng, {}, 1, () if literal else tuple(model.sizes))
        for _ in range(ATTEMPTS):  # an axis of one entry would pass for one that was repeated
            if 1 not in self.sizes.values():
                break
            given = {name: 2 for name, size in self.sizes.items() if size == 1}
            self.sizes = choose_sizes(model, rng, given, 1, () if literal else tuple(model.sizes))
        self.loss = model.loss_row
        self.totals_of = {s.target.id: s.total for s, _ in _flat(derivation.steps)}
        self.within: dict[int, list[Node]] = {k: list(v) for k, v in derivation.bodies.items()}
        for step, loop in _flat(derivation.steps):
            if loop is not None:
                self.within.setdefault(loop.reverse.id, []).append(step.total)
        self.found: dict[int, Found] = {}
        self.plans: dict[Any, tuple[list[Node], Env]] = {}
        self.jacobians: dict[Any, Found] = {}
        for attempt in range(ATTEMPTS):  # until all values are numbers
            self.found = {}
            self._fill(draw(model, self.sizes, rng, attempt).values)
            arrays = [np.asarray(array) for _, array in self.found.values()]
            if not any(np.any(np.isnan(x)) for x in arrays if x.dtype.kind == "f"):
                break
        loops = [r.attr for r in self.nodes.values() if isinstance(r.attr, Loop)]
        self.counters = {loop.index: loop for loop in loops if loop.forward is None}
        self.rate = float(rng.normal())

    def _fill(self, values: Mapping[str, Array]) -> None:
        env: Env = {}
        leaves = [r for r in self.nodes.values() if isinstance(r.attr, Leaf)]
        for leaf in leaves:
            if leaf.attr.value is None and self.graph.names.get(leaf.name or "") is leaf:
                given = values.get(leaf.name)
                shape = evaluate_shape(leaf.shape, self.sizes)
                env[leaf.id] = self.rng.normal(size=shape) if given is None else np.asarray(given)
        wanted = [*self.derivation.forward, *self.derivation.model.results()]
        wanted += [s.total for s, loop in _flat(self.derivation.steps) if loop is None]
        wanted += [s.reverse for s in self.derivation.steps if isinstance(s, LoopStep)]
        self.compute(wanted, env, self.found)
        self.found |= {i: ((), x) for i, x in env.items() if isinstance(i, int) and not isinstance(x, list)}

    # -- rows
    def compute(self, rows: Sequence[Node], env: Env, found: dict[int, Found]) -> None:
        """Values of rows, those of the bodies of their loops into ``found``."""
        for row in _order(rows, env):
            env[row.id] = self._value(row, env, found)

    def _value(self, row: Node, env: Env, found: dict[int, Found]) -> Array:
        args = [env[a.id] for a in row.args]
        if isinstance(row.attr, Loop):
            return self._loop(row, args, env, found)
        if isinstance(row.attr, Leaf):
            if row.attr.value is None:
                raise Untold(f"no value for {row.name}")
            return float(row.attr.value.subs({s: self.sizes[s.name] for s in row.attr.value.free_symbols}))
        value = row.op.reference(np, in_numbers(row.attr, self.sizes, exact=row.op.name == "const"), *args)
        shape = evaluate_shape(row.shape, self.sizes)
        return np.broadcast_to(value, shape) if np.shape(value) != shape else np.asarray(value)

    def _loop(self, row: Node, args: list[Array], env: Env, found: dict[int, Found]) -> list[Array]:
        loop: Loop = row.attr
        n, length = len(loop.carry), evaluate_dim(loop.length, self.sizes)
        kept = env.get(("loop", id(loop.forward)), [{}] * length)
        carry, steps = args[:n], [dict[int, Found]() for _ in range(length)]
        inner: list[Env] = [{} for _ in range(length)]
        for t in reversed(range(length)) if loop.reverse else range(length):
            env_t: Env = dict(kept[t])
            env_t |= {x.id: a for x, a in zip(loop.carry, carry, strict=True)}
            env_t |= {x.id: a[t] for x, a in zip(loop.sequences, args[n:], strict=False)}
            env_t |= {x.id: a for x, a in zip(loop.invariants, args[n + len(loop.sequences) :], strict=True)}
            self.compute([*loop.results(), *self.within.get(row.id, ())], env_t, steps[t])
            steps[t] |= {i: ((), x) for i, x in env_t.items() if isinstance(i, int) and not isinstance(x, list)}
            carry, inner[t] = [env_t[r.id] for r in loop.carried], env_t
        env["loop", id(loop)] = inner
        for i in {i for step in steps for i in step}:
            if all(i in step for step in steps):
                letters = steps[0][i][0]
                found.setdefault(i, ((loop.index, *letters), np.stack([step[i][1] for step in steps])))
        stacks = [np.stack([e[r.id] for e in inner]) for r in loop.stacked]
        return [*carry, *stacks]

    # -- what a reader asks
    def of(self, row: int) -> Found:
        if row not in self.found:
            raise Untold("a row that is not computed")
        letters, array = self.found[row]
        return letters, np.asarray(array)

    def gradient(self, row: int) -> tuple[tuple[str, ...], Array, bool]:
        if row not in self.totals_of:
            raise Untold("a gradient that no step finds")
        letters, array = self.of(self.totals_of[row].id)
        return letters, array, self.rows and array.ndim - len(letters) == 1

    def given(self, row: int) -> Found:
        """The upstream gradient of an output."""
        model = self.derivation.model
        return self.of(next(x.id for name, x in model.upstream.items() if model.output_rows[name].id == row))

    def later(self, row: int, name: str) -> Found:
        """What later steps of a loop hand back to a carried row, or a step hands back to the one before it; what reads
        a last state alone hands back to it, beside what reads all states."""
        if row in self.totals_of and self.nodes[row].is_result:
            return self.of(self.totals_of[row].id)
        if row in self.totals_of and name == self.nodes[row].name:
            role = self.nodes[row].attr
            if isinstance(role, Leaf):
                return self.of(self.totals_of[row].id)
        for step in _loops(self.derivation.steps):
            reverse: Loop = step.reverse.attr
            assert reverse.forward is not None
            for leaf, carried in zip(reverse.carry, reverse.forward.carried, strict=True):
                if carried.id == row:
                    return self.of(leaf.id)
        raise Untold("a row that no loop carries")

    def steps(self, letter: str) -> int:
        return evaluate_dim(self.counters[letter].length, self.sizes)

    def below(self, row: int) -> int:
        leaf = self.nodes[row].attr
        while leaf.of is not None:  # an element of what a loop goes through
            leaf = leaf.of.attr
        return evaluate_dim(leaf.below, self.sizes)

    def is_loss(self, tree: m.Math) -> bool:
        while isinstance(tree, m.Link):
            tree = tree.body
        return isinstance(tree, m.Sym) and (tree.row is None or (self.loss is not None and tree.row == self.loss.id))

    def is_gradient(self, tree: m.Derivative) -> bool:
        return self.is_loss(tree.top) and not (self.totals and tree.sign == "∂")

    def jacobian(self, top: int, bottom: int, immediate: bool) -> Found:
        """By central differences, at every step of the loops around."""
        key = top, bottom, immediate
        if key not in self.jacobians:
            self.jacobians[key] = self._over_steps(top, bottom, immediate)
        return self.jacobians[key]

    def second(self, row: int, column: int) -> Found:
        """By central differences of the gradient."""
        return self.jacobian(self.totals_of[row].id, column, False)

    def gauss_newton(self, row: int, column: int) -> Found:
        """Column by column, by the products that modules emit, which `verify` holds against numbers of the loss."""
        with self.graph.apart():
            (made,) = products(self.derivation, [GGN])
            names = {r.id: n for n, r in made.model.leaves().items()}
            at = {n: np.zeros(np.shape(self.of(i)[1])) for i, n in names.items() if n in made.directions}
            columns, env = [], {i: self.found[i][1] for i in names}
            for k in range(at[names[column]].size):
                unit = np.reshape(np.arange(at[names[column]].size) == k, at[names[column]].shape) * 1.0
                v = {made.directions[n].id: unit if n == names[column] else x for n, x in at.items()}
                here: Env = {**env, **v}
                self.compute([made.results[names[row]]], here, {})
                columns.append(here[made.results[names[row]].id])
        whole = np.stack(columns, -1)
        return (), whole.reshape((*np.shape(columns[0]), *at[names[column]].shape))

    def _over_steps(self, top: int, bottom: int, immediate: bool) -> Found:
        letters, array = self._pair(top, bottom)
        counts = array.shape[: len(letters)]
        if array.size * np.size(self.of(bottom)[1]) > MAX_ENTRIES:
            raise Untold("a Jacobian of too many entries")
        parts = [self._jacobian(top, bottom, immediate, letters, at) for at in product(*map(range, counts))]
        return letters, np.stack(parts).reshape((*counts, *parts[0].shape))

    def _pair(self, top: int, bottom: int) -> Found:
        letters, array = self.of(top)
        other, _ = self.of(bottom)
        if set(other) - set(letters):
            raise Untold("a derivative across loops")
        return letters, array

    def _jacobian(self, top: int, bottom: int, immediate: bool, letters: tuple[str, ...], at: tuple[int, ...]) -> Array:
        x = self._at(bottom, letters, at).astype(float)
        columns = []
        for k in range(x.size):
            v = np.zeros(x.size)
            v[k] = 1.0
            columns.append(self._along(top, bottom, v.reshape(x.shape), immediate, letters, at))
        if not columns:
            raise Untold("a derivative in nothing")
        return np.stack(columns, -1).reshape((*columns[0].shape, *x.shape))

    def along(self, top: int, bottom: int, direction: Array) -> Found:
        """The immediate derivative of top along a direction of bottom, which has the loops' axes of top in front."""
        letters, array = self._pair(top, bottom)
        counts = array.shape[: len(letters)]
        parts = [self._along(top, bottom, direction[at], True, letters, at) for at in product(*map(range, counts))]
        return letters, np.stack(parts).reshape((*counts, *parts[0].shape))

    def _along(self, top: int, bottom: int, v: Array, immediate: bool, letters: tuple[str, ...], at: tuple[int, ...]
               ) -> Array:
        x = self._at(bottom, letters, at).astype(float)
        ends = [np.asarray(self._with(top, bottom, x + sign * STEP * v, immediate, letters, at), float)
                for sign in (1, -1)]
        fixed = ends[0] == ends[1]  # also where both are infinite
        above, below, middle = (np.where(fixed, 0.0, x) for x in (*ends, self._at(top, letters, at)))
        if np.any(np.abs(above + below - 2 * middle) > KINK * STEP * (1 + np.abs(above))):
            raise Untold("a derivative at a kink")
        return (above - below) / (2 * STEP)

    def _with(self, top: int, bottom: int, value: Array, immediate: bool, letters: tuple[str, ...], at: tuple[int, ...]
              ) -> Array:
        """The value of top where bottom has another one; other named rows keep theirs where ``immediate``."""
        key = top, bottom, immediate, at
        if key not in self.plans:
            self.plans[key] = self._plan(top, bottom, immediate, letters, at)
        rows, fixed = self.plans[key]
        env: Env = {**fixed, bottom: value}
        for row in rows:
            env[row.id] = self._value(row, env, {})
        return env[top]

    def _plan(self, top: int, bottom: int, immediate: bool, letters: tuple[str, ...], at: tuple[int, ...]
              ) -> tuple[list[Node], Env]:
        """The rows between bottom and top, and the values of what stays fixed."""
        env: Env = {bottom: None}
        stack, seen = [self.nodes[top]], set[int]()
        names = self.totals_of if immediate else {}  # what has a gradient of its own
        while stack:
            row = stack.pop()
            if row.id in env or row.id in seen:
                continue
            seen.add(row.id)
            if row.id != top and (row.id in names or (isinstance(row.attr, Leaf) and row.attr.value is None)):
                env[row.id] = self._at(row.id, letters, at)
            elif row.op.name == "scan":
                raise Untold("a derivative through a loop as a whole")
            else:
                stack.extend(row.args)
        rows, changed = [], {bottom}
        for row in _order([self.nodes[top]], env):
            if changed & {a.id for a in row.args}:
                changed.add(row.id)
                rows.append(row)
            else:
                env[row.id] = self._value(row, env, {})
        return rows, env

    def _at(self, row: int, letters: tuple[str, ...], at: tuple[int, ...]) -> Array:
        own, array = self.of(row)
        return array[tuple(at[letters.index(letter)] for letter in own)]


def _rows(derivation: Derivation) -> Iterator[Node]:
    """Every row of a derivation, forward and backward, inside loops too."""
    pending = [*derivation.forward, *derivation.model.results(), *derivation.model.leaves().values()]
    pending += [row for rows in derivation.bodies.values() for row in rows]
    pending += [row for step, _ in _flat(derivation.steps) for row in (step.target, step.total)]
    pending += [row for step in _loops(derivation.steps) for row in (step.loop, step.reverse)]
    seen: set[int] = set()
    while pending:
        row = pending.pop()
        if row.id not in seen:
            seen.add(row.id)
            yield row
            pending += [*row.args, *([*row.attr.results(), *row.attr.leaves()] if isinstance(row.attr, Loop) else [])]


def _order(rows: Sequence[Node], env: Env) -> list[Node]:
    """Rows that are missing in ``env`` and what they need, arguments first."""
    found, done = list[Node](), set[int]()
    stack = [(row, False) for row in reversed(rows)]
    while stack:
        row, ready = stack.pop()
        if row.id in env or row.id in done:
            continue
        if ready:
            done.add(row.id)
            found.append(row)
        else:
            stack.append((row, True))
            stack += [(a, False) for a in row.args]
    return found


def _flat(steps: Iterable[Step | LoopStep], loop: LoopStep | None = None) -> Iterator[tuple[Step, LoopStep | None]]:
    for step in steps:
        if isinstance(step, LoopStep):
            yield from _flat(step.steps, step)
        else:
            yield step, loop


def _loops(steps: Iterable[Step | LoopStep]) -> Iterator[LoopStep]:
    """All loops, outer ones first."""
    for step in steps:
        if isinstance(step, LoopStep):
            yield step
            yield from _loops(step.steps)
