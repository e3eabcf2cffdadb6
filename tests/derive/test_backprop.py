"""`derive` is `grad` with a record: the same rows, and the user's table stays as it is."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.core.graph import Node
from symbackprop.core.reverse import grad, vjp
from symbackprop.derive import Derivation, derive
from symbackprop.model import Model, load, zoo
from tests.codegen.test_random_loops import BODY, model_of
from tests.counting import calls
from tests.model.helpers import Digests, model_texts
from tests.sweeps import few_in_ci

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "2"))
RANDOM = settings(max_examples=EXAMPLES)


def gradients(model: Model) -> list[Node]:
    """The gradients of the model, made by hand in its own table."""
    targets = list(model.targets().values())
    return vjp(model.results(), model.seeds(), targets) if model.loss_row is None else grad(model.loss_row, targets)


def check_same_rows(make: Callable[[], Model]) -> None:
    derived, by_hand = Digests(), Digests()
    found = [derived.of(row) for row in derive(make()).gradients.values()]
    assert found == [by_hand.of(row) for row in gradients(make())]


def check_table_stays(model: Model) -> tuple[Derivation, Derivation]:
    before = dict(model.graph.nodes)
    first = derive(model)
    stacked = [len(row.attr.stacked) for row in before.values() if row.op.name == "scan"]
    second = derive(model)
    assert model.graph.nodes == before
    assert stacked == [len(row.attr.stacked) for row in before.values() if row.op.name == "scan"]
    one, other = Digests(), Digests()
    assert [one.of(g) for g in first.gradients.values()] == [other.of(g) for g in second.gradients.values()]
    return first, second


@pytest.mark.parametrize("name", zoo.names())
def test_grad_and_derive_give_the_same_rows(name: str) -> None:
    check_same_rows(lambda: load(name))


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3))
def test_the_table_stays_as_it_is(name: str) -> None:
    first, second = check_table_stays(load(name))
    assert first.text() == second.text()


@RANDOM
@given(model_texts())
def test_random_models(text: str) -> None:
    check_same_rows(lambda: Model.parse(text))
    check_table_stays(Model.parse(text))


WHOLE = BODY.map(lambda plan: {**plan, "ragged": False})  # of loops that leave steps out it does not hold yet


@RANDOM
@given(WHOLE, WHOLE, st.booleans())
def test_random_loops(first: dict[str, object], second: dict[str, object], nested: bool) -> None:
    """Those of loops that are gradients themselves, too."""
    check_same_rows(lambda: model_of([first, second], nested, second=True))
    one, other = check_table_stays(model_of([first, second], nested, second=True))
    assert one.text() == other.text()


def test_a_power_is_differentiated_in_few_calls() -> None:
    """Not by SymPy's Derivative, which calls five times as many."""
    model = Model.parse("data x\nparam w\nloss L = " + " + ".join(f"(w*x)^{k}" for k in range(1000, 1040)))
    assert calls(lambda: derive(model)) < 40 * 6_000


def test_what_is_written_after_deriving_is_what_it_was() -> None:
    """A gradient that equals an expression is not that expression."""

    def model(derived: bool) -> Model:
        m = Model.parse("param x\ndata y\na = tanh(x*y)\nloss L = (a - 1)^2")
        if derived:
            derive(m)
        a = m.graph.names["a"]
        m.let("b", (2 * (a - 1)) * (1 - a**2) * 3)
        return m

    assert str(model(True).graph.names["b"]) == str(model(False).graph.names["b"])
    assert len(model(True).graph.nodes) == len(model(False).graph.nodes)


@pytest.mark.parametrize("term", ["{}", "{}^2", "{}*x"])
def test_steps_of_a_long_sum_are_in_the_order_of_its_terms(term: str) -> None:
    """It is held in rows of a dozen terms each; where these have names, what is read with one stays together."""
    names = [f"w{k}" for k in range(60)]
    d = derive(Model.parse(f"data x\nparam {', '.join(names)}\nloss L = {' + '.join(map(term.format, names))}"))
    assert [d.name(s.target) for s in d.steps if s.target.name in names] == names


def test_a_gradient_comes_before_one_that_is_written_with_it() -> None:
    model = Model.parse("dim N\ndata y: N\nparam w: N\nr = w - y\na = r**2/2\nc = abs(r) - 1/2\n"
                        "loss L = sum(where(abs(r) <= 1, a, c))")
    derivation = derive(model)
    assert [derivation.name(step.target) for step in derivation.steps][1:3] == ["a", "c"]
    assert "δ_c = 1 − δ_a" in derivation.text()
