"""The derivation that is evaluated: the sweep over the model's stable rows; over the declared ones where it must be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from symbackprop.core.graph import SEVERAL, Node
from symbackprop.derive.backprop import derive
from symbackprop.derive.naming import Names
from symbackprop.derive.steps import Derivation, LoopStep, Step
from symbackprop.model.model import Model
from symbackprop.model.stable import Rewriting, stable_model


def derive_stable(model: Model, wrt: Iterable[str] | None = None) -> Derivation:
    """As `derive`, over the stable rows of the model. The gradient of an intermediate that these go around is the
    declared model's."""
    named = model.intermediates()
    with model.graph.apart():
        stable, work = stable_model(model, named)
        if stable is not model:
            return _derived(model, stable, work, list(model.targets() if wrt is None else wrt))
    return derive(model, wrt)


def _derived(model: Model, stable: Model, work: Rewriting, names: list[str]) -> Derivation:
    around = [n for n in names if n in model.equations and work.new[model.equations[n].id].id in work.passed]
    found = _marked(derive(stable, [n for n in names if n not in around]), work)
    return _with_declared(found, derive(model, around), names) if around else found


def _marked(derivation: Derivation, work: Rewriting) -> Derivation:
    """What reaches a row that the rewriting goes around is a share of its gradient, and is not called that. Rows of
    identities have a name, and so a line of code."""
    shares = {s.total.id for s in _steps(derivation) if s.target.id in work.passed} - derivation.forward_ids
    names = {i: f"{n}_share" if i in shares else n for i, n in derivation.names.items()}
    free = Names([*derivation.model.graph.names, *names.values()])
    lines = {i: free.unique(_row(derivation, i).hint or "x") for i in work.identities if i not in names}
    return replace(derivation, names=names | lines, identities=work.identities)


def _with_declared(found: Derivation, declared: Derivation, names: list[str]) -> Derivation:
    """The gradients of both; where both call a row by the same name, ``found`` has the first word."""
    taken = set(found.names.values())
    return replace(
        found,
        wrt=tuple(names),
        gradients={n: (found.gradients | declared.gradients)[n] for n in names},
        names={i: name for i, name in declared.names.items() if name not in taken} | found.names,
        steps=(*found.steps, *declared.steps),
        bodies=declared.bodies | found.bodies,
        forward_ids=found.forward_ids | declared.forward_ids,
        expanded=found.expanded | declared.expanded,
    )


def stable_totals(derivation: Derivation) -> dict[int, Node]:
    """By the ids of a derivation's rows and gradients: rows of the same values, to be evaluated in their place."""
    model = derivation.model
    named = model.intermediates()
    with model.graph.apart():
        stable, work = stable_model(model, named)
        if stable is model:
            return {}
        totals = {s.target.id: s.total for s in _steps(derive(stable, derivation.wrt))}
    found = {i: row for i, row in work.new.items() if row.id != i and row.kind != SEVERAL}
    for step in _steps(derivation):
        target = work.new.get(step.target.id)
        if target is not None and target.id in totals and target.id not in work.passed:
            found[step.total.id] = totals[target.id]
    return found


def _row(derivation: Derivation, id_: int) -> Node:
    return derivation.model.graph.nodes[id_]


def _steps(derivation: Derivation) -> list[Step]:
    return [s for s in derivation.steps if not isinstance(s, LoopStep)]
