"""A row with another value wherever backward reads it: an ε left out or elsewhere, another array in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import same_shape
from symbackprop.grade import mistakes as m
from symbackprop.grade.points import Array, Point
from symbackprop.grade.reference import Reference
from symbackprop.own.sweeps import Sweep
from symbackprop.verify.interpreter import Program

EPS = "eps"
SMALL_NUMBER = 1e-2


@dataclass(frozen=True)
class Substitution:
    """A row with another value wherever backward reads it; ``forward``: in what follows from it too."""

    kind: str
    says: str
    row: Node
    value: Callable[[Point], Array]
    forward: bool = False

    def gradient(self, sweep: Sweep) -> Array:
        """What it makes of the gradient that the sweep leads to."""
        point, reference = sweep.point, sweep.reference
        program, kept = sweep.of_kept
        if self.forward:
            kept = {n.id: point.value(n) for n in (*reference.order, *reference.model.upstream.values()) if n.is_leaf}
            row = reference.gradient(sweep.target)
            program = Program([row], point.sizes, frozenset({*kept, self.row.id}))
        with np.errstate(all="ignore"):
            return program.run({**kept, self.row.id: self.value(point)})[program.rows[0].id]


def substitutions(reference: Reference) -> Iterator[Substitution]:
    """Wrong values for rows: an ε left out or elsewhere; another array of the same shape in place of a named one."""
    yield from _eps_elsewhere(reference)
    named = [r for r in dict.fromkeys(reference.rows.values()) if r.kind == FLOAT and r.value is None]
    for old in named:
        for new in named:
            if new is not old and same_shape(new.shape, old.shape):
                kind, words = m.exchange(old, new, reference.name(old), reference.name(new))
                yield Substitution(kind, f"{words}, wherever backward reads it", old, _of(new))
        yield Substitution(m.SIGN, f"{reference.name(old)} has the wrong sign wherever backward reads it", old,
                           _times(old, -1.0))


def _of(row: Node) -> Callable[[Point], Array]:
    return lambda point: point.value(row)


def _times(row: Node, by: float) -> Callable[[Point], Array]:
    return lambda point: by * point.value(row)


def _eps_elsewhere(reference: Reference) -> Iterator[Substitution]:
    """sqrt(v + ε) as sqrt(v), sqrt(v) + ε or v + ε."""
    for root in reference.order:
        if root.op.name != "elementwise" or (len(root.args) != 1 and root.attr.head != "sqrt"):
            continue
        inner = root.args[0]
        if root.attr.head == "sqrt" and inner.op.name == "elementwise":
            eps = _small(inner)
            if eps is None:
                continue
            text, value = eps
            v = reference.name(inner.args[0])
            for says, make in _ROOTS:
                for forward in (False, True):
                    words = says.format(v=v, eps=text)
                    yield Substitution(EPS, words, root, _root(inner, value, make), forward)


_ROOTS: tuple[tuple[str, Callable[[Array, float], Array]], ...] = (
    ("{eps} is missing: sqrt({v}) stands where sqrt({v} + {eps}) belongs", lambda v, eps: np.sqrt(v)),
    ("{eps} is in the wrong place: sqrt({v}) + {eps} stands where sqrt({v} + {eps}) belongs",
     lambda v, eps: np.sqrt(v) + eps),
    ("{eps} is there squared: sqrt({v} + {eps}**2) stands where sqrt({v} + {eps}) belongs",
     lambda v, eps: np.sqrt(v + eps**2)),
    ("the square root is missing: {v} + {eps} stands where sqrt({v} + {eps}) belongs", lambda v, eps: v + eps),
)


def _root(inner: Node, eps: float, make: Callable[[Array, float], Array]) -> Callable[[Point], Array]:
    return lambda point: make(point.value(inner) - eps, eps)


def _small(row: Node) -> tuple[str, float] | None:
    """The small number that a row adds: how it is written, and its value."""
    for part in f.children(row.attr.form) if isinstance(row.attr.form, f.Add) else ():
        if isinstance(part, f.Num) and part.value.is_number and 0 < part.value < SMALL_NUMBER:
            return "eps", float(part.value)
        if isinstance(part, f.Arg):
            leaf = row.args[part.index]
            value = getattr(leaf.attr, "value", None) if leaf.is_leaf else None
            if value is not None and 0 < float(value) < SMALL_NUMBER:
                return leaf.name or "eps", float(value)
    return None
