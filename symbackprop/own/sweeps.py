"""The numeric sweep of `grade`, for very many mistakes at the same point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.derive.record import Edge
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Array
from symbackprop.verify.interpreter import Program


class Sweep(NumericSweep):
    """The sweep for very many mistakes: what a structural row hands back is prepared once for every other factor."""

    def through(self, edge: Edge, upstream: Array, args: Sequence[Node]) -> Array:
        key = (edge, tuple([a.id for a in args]))
        if key not in self._programs:
            self._programs[key] = self._prepared(edge, args)
        program, leaf, given = self._programs[key]
        with np.errstate(all="ignore"):
            return program.run({**given, leaf: upstream})[program.rows[0].id]

    def _prepared(self, edge: Edge, args: Sequence[Node]) -> tuple[Program, int, dict[int, Array]]:
        """What an edge hands back as a program over the upstream gradient, with all else that it reads."""
        leaf, part = self._link(edge, args)
        program = Program([part], self.point.sizes, frozenset({*self.point.values, leaf.id}))
        read = {part.id, *(a for step in program.steps for a in step.args)}
        return program, leaf.id, {i: self.point.values[i] for i in read if i in self.point.values}

    @cached_property
    def _programs(self) -> dict[tuple[Edge, tuple[int, ...]], tuple[Program, int, dict[int, Array]]]:
        return {}

    @cached_property
    def of_kept(self) -> tuple[Program, dict[int, Array]]:
        """The gradient from the values of all rows of the forward pass, and these."""
        kept = {n.id: self.point.value(n) for n in self.reference.order}
        kept |= {u.id: self.point.value(u) for u in self.reference.model.upstream.values()}
        gradient = self.reference.gradient(self.target)
        return Program([gradient], self.point.sizes, frozenset(kept)), kept
