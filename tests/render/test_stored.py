"""What a page says that forward must store is what the emitted module's forward hands to its backward."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from symbackprop.codegen.numpy import PRINTER
from symbackprop.codegen.planning import build_program
from symbackprop.codegen.rows import states_before
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.derive import derive
from symbackprop.derive.closing import closed
from symbackprop.derive.steps import Derivation
from symbackprop.model import Model, zoo
from symbackprop.render.anatomy import Anatomy
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from symbackprop.render.results import Results
from tests.render.helpers import build
from tests.render.random_models import random_loop, random_model
from tests.sweeps import few_in_ci

STATES = """
dim T
data x: T
param u
h[0] = 0
for t in 1..T:
    h[t] = u*h[t-1] + x[t]
loss L = {}
"""
OUTER = """
dim T, D
data x: T x D
param c: D, s: D
e = exp(c)
h[0] = tanh(s)
for t in 1..T:
    h[t] = tanh(h[t-1]) * e + x[t]
loss L = sum(h[T])
"""
PARTS = "dim N, D\ndata X: N x D\nparam W: D x D, k, v: D\nY = X @ W\nloss L = k * trace(Y.T @ Y) + dot(v, W @ v)"
Key = tuple[str, int]


def of_code(kept: Iterable[Node]) -> set[Key]:
    """What the cache of a module holds; a stack is the row of the steps."""
    found: set[Key] = set()
    for row in kept:
        states = states_before(row)
        loop = row.args[0].attr if row.is_result else None
        if states is not None:
            found.add(("before", states.scan.attr.carried[states.carry].id))
        elif loop is not None and row.attr >= len(loop.carry):
            found.add(("row", loop.results()[row.attr].id))
        else:
            found.add(("row", row.id))
    return {key for key in found if key[0] == "row" or ("row", key[1]) not in found}


def of_page(derivation: Derivation) -> set[Key]:
    """What the page of a derivation lists."""
    page = Anatomy(derivation, Options())
    loops = [row.attr for row in page.forward.rows if isinstance(row.attr, Loop)]
    carried = {leaf.id: after.id for loop in loops for leaf, after in zip(loop.carry, loop.carried, strict=True)}
    stored = Results(page.emitted(), "shape", page.name).stored(page.forward.rows)
    before = {("before", carried[row.id]) for row in stored if row.id in carried}
    return before | of_code(row for row in stored if row.id not in carried)


def differing(model: Model) -> set[Key]:
    """What only one of them has. The first states stand in the cache as part of all states before the steps."""
    derivation = derive(model)
    scans = [row for row in model.graph.topological(model.results()) if isinstance(row.attr, Loop)]
    first = {("row", row.id) for scan in scans for row in scan.args[: len(scan.attr.carry)]}
    kept = build_program(closed(derivation), derivation.model, "", 0, "float64", PRINTER.arrays).kept.values()
    return (of_code(row for row in kept if row.args) ^ of_page(derivation)) - first


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3))
def test_the_page_of_a_built_in_model_lists_what_its_module_keeps(name: str) -> None:
    assert differing(zoo.build(name)) == set()


@pytest.mark.parametrize("source", [STATES.format("h[T]"), STATES.format("h[T]*u"), OUTER, PARTS])
def test_the_page_lists_states_that_a_step_starts_from_and_parts_without_a_name(source: str) -> None:
    assert differing(Model.parse(source)) == set()


@pytest.mark.parametrize("make", [random_loop, random_model])
def test_the_page_of_a_random_model_lists_what_its_module_keeps(make: Callable[[int], Model]) -> None:
    assert {seed: keys for seed in range(15) if (keys := differing(make(seed)))} == {}


@pytest.mark.parametrize(
    ("source", "stored"),
    [
        (STATES.format("h[T]*u"), {"hₜ₋₁", "h_T"}),
        (OUTER, {"aₜ", "e", "h₀"}),
        (PARTS, {"Y", "tr(Yᵀ Y)", "W v"}),
    ],
)
def test_what_is_stored(source: str, stored: set[str]) -> None:
    assert {text(m) for m in build(source).stored} == stored
