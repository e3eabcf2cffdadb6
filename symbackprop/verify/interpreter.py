"""An independent interpreter of models: every row by the plain NumPy reference in its op's record, nothing optimised.

It shares no code with what it checks: it knows the row table and the op records, not the derivation, not the printed
form, not the emitted module. Values keep the precision they come in, so the same rows can be evaluated over float64,
over complex numbers (for the complex step) and over long doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property, lru_cache, partial, reduce
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum, kind
from symbackprop.core.graph import FLOAT, INT, Leaf, Node, label
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.registry import OPS
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import dim_text, evaluate_dim, evaluate_shape
from symbackprop.core.sizes import in_numbers, number
from symbackprop.errors import ModelError, ShapeError
from symbackprop.verify.cost import cost_of, require_room
from symbackprop.verify.values import Sizes as Given
from symbackprop.verify.values import checked_values, infer_sizes

Array: TypeAlias = Any
Sizes: TypeAlias = Mapping[str, int]


def evaluate(rows: Sequence[Node], values: Mapping[str, Array], sizes: Sizes | None = None) -> list[Array]:
    """The values of ``rows`` (of one graph), given those of the leaves by name and a size for every dimension.

    Sizes that are left out are read off the arrays. Raises `ModelError` where a value is missing or an integer is out
    of range, `ShapeError` where an array has not the shape that its leaf declares.
    """
    if not rows:
        return []
    graph = rows[0].graph
    leaves = [n for n in graph.topological(rows) if _is_given(n)]
    sizes = infer_sizes([n for n in graph.names.values() if isinstance(n.attr, Leaf)], values, sizes or {})
    found = Program(rows, sizes).run(checked_values(leaves, values, sizes))
    return [found[row.id] for row in rows]


class Step(NamedTuple):
    """One row of a program: its arguments by id, its attribute in numbers, its shape in integers (None: several);
    whether it is a logarithm, see `Logs`."""

    row: Node
    args: tuple[int, ...]
    attr: Any
    compute: Callable[..., Array]
    shape: tuple[int, ...] | None
    log: bool = False


Watch: TypeAlias = Callable[[Step, Sequence[Array], Array], Array]
Read: TypeAlias = Callable[[Array], Array]


class Plan:
    """The steps of some rows, in order, at some sizes: what `Program`s that look on in different ways share. A loop's
    own step is left to these."""

    def __init__(self, rows: Sequence[Node], sizes: Sizes, stop: frozenset[int]) -> None:
        self.sizes = sizes
        order = rows[0].graph.topological(rows, stop) if rows else []
        self.steps = [_step(n, sizes) for n in order if not _is_given(n) and n.id not in stop]
        shaped = [(step.row, step.shape) for step in self.steps]
        require_room(shaped, sizes)
        self.cost, self._bodies = cost_of(shaped, sizes), dict[tuple[int, int], Plan]()

    @property
    def read(self) -> Container[int]:
        """The rows that some step depends on."""
        return self._reading.keys()

    def readers(self, leaf: Node) -> list[int]:
        """The places of the steps that depend on a leaf, in order; what is held constant depends on none."""
        found, left = set[int](), [leaf.id]
        while left:
            new = [k for k in self._reading.get(left.pop(), ()) if k not in found]
            found.update(new)
            left += [self.steps[k].row.id for k in new]
        return sorted(found)

    @cached_property
    def _reading(self) -> dict[int, list[int]]:
        """The places of the steps that read a row."""
        found: dict[int, list[int]] = {}
        for place, step in enumerate(self.steps):
            for a in () if step.row.op.held else step.args:
                found.setdefault(a, []).append(place)
        return found

    @property
    def is_of_numbers(self) -> bool:
        """Whether every row is one number, computed from others by a formula."""
        return all(s.shape == () and s.row.kind == FLOAT and not s.row.op.held
                   and isinstance(s.row.attr, (Kernel, Leaf)) for s in self.steps)

    def body(self, row: Node) -> Plan:
        """That of a loop's body; loops of the same rows have one each, since their steps are told apart, and what a
        backward pass keeps of one is asked for later."""
        results = row.attr.results()
        key = row.id, len(results)
        if key not in self._bodies:
            self._bodies[key] = Plan(results, self.sizes, row.attr.stop)
        return self._bodies[key]


@lru_cache(maxsize=8)
def _plan_of(rows: tuple[Node, ...], sizes: tuple[tuple[str, int], ...], stop: frozenset[int]) -> Plan:
    return Plan(rows, Given(sizes), stop)


def _step(row: Node, sizes: Sizes) -> Step:
    args = tuple([a.id for a in row.args])
    if isinstance(row.attr, Leaf):
        given = float(number(row.attr.value, sizes))
        return Step(row, (), given, partial(np.asarray, given), ())
    if isinstance(row.attr, Loop):
        return Step(row, args, row.attr, row.op.reference, None)
    attr, shape = in_numbers(row.attr, sizes, exact=row.is_number), evaluate_shape(row.shape, sizes)
    return Step(row, args, attr, partial(row.op.reference, np, attr), shape, is_log(row))


class Program:
    """The rows that some results need, in order, to be run again and again with other numbers.

    ``stop`` are rows that are given like leaves (those of a loop's body). ``watch`` is called with every step, the
    values of its arguments and its own, inside loops too, and says what value to go on with; ``read`` of each value
    that a logarithm is computed from; ``plan`` is that of these rows, where it is known.
    """

    def __init__(self, rows: Sequence[Node], sizes: Sizes, stop: frozenset[int] = frozenset(),
                 watch: Watch | None = None, read: Read = lambda value: value, plan: Plan | None = None) -> None:
        self.rows, self.sizes, self.stop, self.watch, self.read = tuple(rows), sizes, stop, watch, read
        self.plan = plan or _plan_of(self.rows, tuple(sizes.items()), stop)
        self.steps = [s._replace(compute=self._loop(s.row)) if s.shape is None else s for s in self.plan.steps]
        self._last: tuple[int, list[Step]] = -1, []

    @property
    def cost(self) -> float:
        """Entries computed by one run; a call of NumPy counts like 3000 of them."""
        return self.plan.cost

    def run(self, given: Mapping[int, Array]) -> dict[int, Array]:
        """The values of all rows by id, from those of the leaves by id."""
        values = dict(given)
        for step in self.steps:
            self._do(step, values, self.stop)
        return values

    def rerun(self, known: Mapping[int, Array], leaf: Node, array: Array) -> dict[int, Array]:
        """The values of all rows when only ``leaf`` changes: rows that do not read it keep what ``known`` says."""
        values = {**known, leaf.id: array}
        for step in self.readers(leaf):
            self._do(step, values, self.stop | {leaf.id})
        return values

    def readers(self, leaf: Node) -> list[Step]:
        """The steps that depend on a leaf, in order; those of the last leaf are known, of all they would be many."""
        if self._last[0] != leaf.id:
            self._last = leaf.id, [self.steps[k] for k in self.plan.readers(leaf)]
        return self._last[1]

    def spread(self, given: Mapping[int, Array]) -> dict[int, Array]:
        """The values of all rows where each is one number, and what is given may hold several, for as many runs."""
        values = dict(given)
        for step in self.steps:
            values[step.row.id] = (self._log(step, values, self.stop) if step.log
                                   else step.compute(*[values[a] for a in step.args]))
        return values

    def _do(self, step: Step, values: dict[int, Array], ends: frozenset[int]) -> None:
        """Computes the value of a step; rows that are ``ends`` hold what they were given, not what they are computed
        from."""
        args = [values[a] for a in step.args]
        try:
            found = self._log(step, values, ends) if step.log else step.compute(*args)
        except (ValueError, IndexError) as error:  # an empty axis, more axes than NumPy has
            sizes = ", ".join(f"{name} = {size}" for name, size in self.sizes.items()) or "these numbers"
            raise ModelError(f"{label(step.row)} cannot be computed for {sizes}: {error}") from None
        value = _shaped(step, found)
        values[step.row.id] = value if self.watch is None else self.watch(step, args, value)

    def _log(self, step: Step, values: Mapping[int, Array], ends: frozenset[int]) -> Array:
        """A logarithm, or a sum of them, from what the arguments are computed from where that is safer."""
        logs, call = Logs(values, lambda row: in_numbers(row.attr, self.sizes), self.read, ends), step.row.attr.form
        parts = [(sign, logs.of_formula(f.over(x, call.args), step.row)) for sign, x in _LOG.get(call.name, ())]
        known = [sign * log for sign, log in parts if log is not None]
        return sum(known) if len(known) == len(parts) else step.compute(*[values[a] for a in step.args])

    def _loop(self, row: Node) -> Callable[..., Array]:
        """A scan runs its body with this same interpreter."""
        loop: Loop = row.attr
        length = evaluate_dim(loop.length, self.sizes)
        body = Program(loop.results(), self.sizes, loop.stop, self.watch, self.read, self.plan.body(row))
        stacks = [evaluate_shape(r.shape, self.sizes) for r in loop.stacked]

        def once(rows: Sequence[Node], given: Mapping[int, Array]) -> list[Array]:
            found = body.run(given)
            return [found[r.id] for r in rows]

        if length == 0:
            return lambda *arrays: [*arrays[: len(loop.carry)], *[np.zeros((0, *s)) for s in stacks]]
        return partial(row.op.reference, np, loop, evaluate=once, length=length)


def largest(value: Any) -> float:
    """The largest finite size of an entry; 0 where there is none."""
    if isinstance(value, np.number):
        size = float(abs(value))
        return size if isfinite(size) else 0.0
    sizes = np.abs(np.asarray(value)).astype(float, copy=False)
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def magnitude(value: Array, where: Any = True) -> float:
    """The largest size of an entry, and one thousandth at least: what differences are measured by."""
    return max(float(np.max(np.abs(value), initial=0, where=where)), 1e-3)


def _is_given(row: Node) -> bool:
    """Whether a row's value comes from outside: a leaf that is not a named number."""
    return isinstance(row.attr, Leaf) and row.attr.value is None


_LOG = {name: record.logs for name, record in TABLE.items() if record.logs}


def is_log(row: Node) -> bool:
    """Whether a row is a logarithm, or stated to be a sum of them."""
    head = row.attr.head if isinstance(row.attr, Kernel) else None
    return head in _LOG and bool(row.args)


def _shaped(step: Step, value: Array) -> Array:
    """The value in the row's own shape (a formula that ignores an argument ignores its shape) and kind."""
    if step.shape is None:
        return value
    if step.row.kind == INT and np.asarray(value).dtype.kind == "f":
        value = np.asarray(value).astype(np.int64)
    if (value.shape if isinstance(value, (np.ndarray, np.generic)) else np.shape(value)) == step.shape:
        return value
    if isinstance(step.row.attr, Kernel):
        return np.broadcast_to(value, step.shape)
    below = next((f"{dim_text(d)} = {n}" for d, n in zip(step.row.shape, step.shape, strict=True) if n < 0), None)
    if below is not None:
        raise ShapeError(f"the sizes are too small: {below} has to be 0 or more")
    raise ShapeError(
        f"{label(step.row)} ({step.row.op.name}) computes an array of shape {np.shape(value)}, declared {step.shape}"
    )


# -- log x from what x is computed from, so that there is a loss where a probability underflows; found in numbers, it
# shares nothing with the rewriting that emitted modules are derived from
_softplus = TABLE["softplus"].reference


class Logs:
    """Logs over the values of one run, by row id; ``attr`` gives a row's attribute in numbers, ``read`` what a value is
    taken to be. Nobody looks into rows that are ``ends``."""

    def __init__(self, values: Mapping[int, Array], attr: Callable[[Node], Any], read: Read, ends: frozenset[int]
                 ) -> None:
        self.values, self.attr, self.read, self.ends = values, attr, read, ends

    def _value(self, row: Node) -> Array:
        return self.read(self.values[row.id])

    def of(self, x: Node) -> Array | None:
        """log x where there is a formula for it that does not overflow; what a body is given has no arguments in it."""
        if x.id in self.ends or any(a.id not in self.values for a in x.args):
            return None
        if x.op.distribution:
            z = x.args[0]
            return self._value(z) - OPS["logsumexp"].reference(np, ((self.attr(x),), True), self._value(z))
        if isinstance(x.attr, Kernel):
            return self.of_formula(x.attr.form, x)
        if is_sum(x):
            inner = self.of(x.args[0])
            return None if inner is None else OPS["logsumexp"].reference(np, self.attr(x), inner)
        if kind(x).views:
            inner = self.of(x.args[0])
            others = [self.values[a.id] for a in x.args[1:]]
            return None if inner is None else x.op.reference(np, self.attr(x), inner, *others)
        return None

    def of_formula(self, form: f.Formula, x: Node) -> Array | None:
        """log of a formula over the arguments of a row."""
        match form:
            case f.Arg(index):
                return self.of(x.args[index])
            case f.Num(value) if value.is_positive and not value.free_symbols:
                return np.log(float(value))
            case f.Call(name, (f.Arg(index),)) if TABLE[name].exponential:
                return self._value(x.args[index])
            case f.Call(role=Role.LOGISTIC, args=(f.Arg(index),)):
                return -_softplus(np, -self._value(x.args[index]))
            case f.Mul(factors):
                return self._joined(factors, x, lambda a, b: a + b)
            case f.Div(num, den):
                return self._joined((num, den), x, lambda a, b: a - b)
            case f.Add((f.Num(one), f.Neg(f.Arg(index)))) if one == 1 and self._is(x.args[index], "sigmoid"):
                return -_softplus(np, self._value(x.args[index].args[0]))
            case f.Add((f.Num(one), f.Neg(f.Pow(f.Arg(index), f.Num(two))))) if one == 1 and two == 2:
                return self._of_tanh(x.args[index])
            case f.Add(terms):
                return self._joined(terms, x, lambda a, b: a + _softplus(np, b - a))
        return None

    def _of_tanh(self, row: Node) -> Array | None:
        """log(1 − tanh² u) = −2 log cosh u."""
        if not self._is(row, "tanh"):
            return None
        u = row.args[0]
        return 2 * (np.log(2.0) - self._value(u) - _softplus(np, -2 * self._value(u)))

    def _joined(self, parts: tuple[f.Formula, ...], x: Node, join: Callable[[Array, Array], Array]) -> Array | None:
        logs = [self.of_formula(p, x) for p in parts]
        known = all(log is not None for log in logs) and not all(isinstance(p, f.Num) for p in parts)
        return reduce(join, logs) if known else None

    def _is(self, row: Node, head: str) -> bool:
        called = isinstance(row.attr, Kernel) and row.attr.form == f.call(head, f.Arg(0))
        return called and row.id not in self.ends and row.args[0].id in self.values
