"""What a loop hands on from step to step under a name that has a value before it: ``total += x[i, j]``, in loops in it
too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from symbackprop.model.text import tree
from symbackprop.records import record


@record(frozen=True)
class Carrying:
    """``families``: what the steps of names are called, ``step``: the counter, which goes ``up`` or down."""

    families: Mapping[str, str]
    step: tree.Name
    up: bool
    another: Callable[[str], str]

    def body(self, statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
        """The statements of a step, each with what names are by then: what the step before gave them, a value that is
        given another one below, or at last the value of the step."""
        before = tree.Chain(self.step, (("-" if self.up else "+", tree.ONE),))
        now: dict[str, tree.Expr] = {name: tree.Index(tree.Name(of), (before,)) for name, of in self.families.items()}
        last = {name: k for k, s in enumerate(statements) for name in _given(s)}
        for k, s in enumerate(statements):
            ends = [name for name in self.families if last[name] == k]
            if isinstance(s, tree.Equation):
                yield self._equation(s, now, bool(ends))
            elif isinstance(s, tree.For):
                yield from self._loop(s, now, ends)
            elif isinstance(s, tree.Shared):
                yield tree.called_so(s, now, {})

    def _equation(self, e: tree.Equation, now: dict[str, tree.Expr], ends: bool) -> tree.Equation:
        value, name = tree.put(e.value, now), e.target.name
        if name not in now or e.target.index is not None:
            return replace(e, value=value)
        target = tree.Target(self.families[name], self.step) if ends else tree.Target(self.another(name))
        now[name] = tree.Index(tree.Name(target.name), (self.step,)) if ends else tree.Name(target.name)
        return replace(e, value=value, target=target)

    def _loop(self, s: tree.For, now: dict[str, tree.Expr], ends: Sequence[str]) -> Iterator[tree.Statement]:
        """A loop in this one, which begins with what a name is, and what it is behind it."""
        held = {name: self.another(name) for name in now if name in _given(s)}
        for name, other in held.items():
            yield tree.Equation(s.line, "let", tree.Target(other), now[name])
        now |= {name: tree.Name(other) for name, other in held.items()}
        yield tree.called_so(s, now, held)
        for name in ends:
            yield tree.Equation(s.line, "let", tree.Target(self.families[name], self.step), now[name])
            now[name] = tree.Index(tree.Name(self.families[name]), (self.step,))


def with_counter(s: tree.For, other: str) -> tree.For:
    """A loop whose counter is called otherwise."""
    body = tuple([tree.called_so(e, {s.variable: tree.Name(other)}, {}) for e in s.body])
    return replace(s, variable=other, body=body)


def _given(s: tree.Statement) -> set[str]:
    """The names without an index that a statement gives a value."""
    return {e.target.name for e in tree.equations([s]) if e.target.index is None}
