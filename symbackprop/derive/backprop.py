"""`derive`: one recorded sweep over a model."""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.core.graph import Node
from symbackprop.core.reverse import sweep, totals
from symbackprop.derive.assembly import assemble
from symbackprop.derive.record import recorded
from symbackprop.derive.steps import Derivation
from symbackprop.errors import NameProblem, did_you_mean
from symbackprop.model.load import as_model, listed
from symbackprop.model.model import Model


def derive(model: Model | str, wrt: Iterable[str] | str | None = None) -> Derivation:
    """Backpropagation through the model, for all parameters and inputs or for the names in ``wrt`` (which may also be
    intermediates). The model may also be given by name, by path or as model text."""
    model = as_model(model)
    targets = _targets(model, wrt)
    by, graph = list(targets.values()), model.graph
    with graph.apart():
        count, swept = graph.count, list(sweep(model.results(), model.seeds(), by))
        records = recorded(swept, [graph.nodes[k] for k in range(count, graph.count)])
        return assemble(model, records, dict(zip(targets, totals(swept, by), strict=True)))


def _targets(model: Model, wrt: Iterable[str] | str | None) -> dict[str, Node]:
    if wrt is None:
        return model.targets()
    known = {**model.leaves(), **model.equations}
    for name in (wrt := listed(wrt)):
        if name not in known:
            raise NameProblem(f"no array {name!r} in {model.name}.{did_you_mean(name, known)}")
        if known[name].kind != "float":
            raise NameProblem(f"{name!r} is integer data and has no gradient")
    return {name: known[name] for name in wrt}
