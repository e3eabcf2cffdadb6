"""The parts below the verdicts: copies of models, the sweep in numbers, comparison, algebra, formulas and trees."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop.core import formula as f
from symbackprop.derive import derive
from symbackprop.grade.copying import copied, loop_dimensions
from symbackprop.grade.equality import expanded_terms, factor_between, same
from symbackprop.grade.formula_mistakes import variants
from symbackprop.grade.line_mistakes import arithmetic, edits, products
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import Points
from symbackprop.grade.reading import parsed
from symbackprop.grade.reference import Reference
from symbackprop.grade.tree_text import flattened, unparsed
from symbackprop.model.text.tree import count_nodes, mentioned
from symbackprop.model.zoo import build
from symbackprop.verify.interpreter import evaluate

SMALL = [
    "two-step-rnn",
    "sigmoid-circuit",
    "mlp-relu-sigmoid",
    "ffnn-softmax-batch",
    "svm-hinge",
    "window-lm",
    "rnn-lm",
]


def reference(name: str) -> Reference:
    model = build(name)
    return Reference(copied(model, dict.fromkeys(loop_dimensions(model), 3)))


@pytest.mark.parametrize("name", SMALL)
def test_a_copy_has_the_gradients_of_its_model(name: str) -> None:
    model = build(name)
    own, copy = derive(model), reference(name)
    at = Points(copy, {}).first(1)[0]
    sizes = {**at.sizes, **dict.fromkeys(loop_dimensions(model), 3)}
    values = {n: at.value(copy.rows[n]) for n in model.leaves()}
    for n, wanted in zip(own.gradients, evaluate(list(own.gradients.values()), values, sizes), strict=True):
        assert same(at.value(copy.gradient(copy.rows[n])), wanted), n


def test_grading_leaves_the_model_as_it_is() -> None:
    from symbackprop.grade import grade

    model = build("ffnn-softmax-batch")
    before = (len(model.graph.nodes), dict(model.graph.names))
    grade(model, "ds = y_hat - one_hot(y, C)\ndU = h.T @ ds")
    assert (len(model.graph.nodes), model.graph.names) == before


@pytest.mark.parametrize("name", SMALL)
def test_the_sweep_in_numbers_is_the_derivation(name: str) -> None:
    found = reference(name)
    at = Points(found, {}).first(2)[1]
    for row in found.targets.values():
        sweep = NumericSweep(found, at, row)
        for edge in found.chain(row):
            swapped = sweep.gradient({edge: lambda b, e, upstream: b.passed(e, upstream)})
            assert same(swapped, sweep.right(row)), found.local_name(edge, row)


def test_dropping_an_edge_changes_what_lies_below_it_only() -> None:
    found = reference("two-step-rnn")
    at = Points(found, {}).first(1)[0]
    edge = next(e for e in found.chain(found.rows["w_e"]) if found.local_name(e, found.rows["w_e"]) == "db/dw_e")
    below = NumericSweep(found, at, found.rows["w_e"])
    beside = NumericSweep(found, at, found.rows["w_o"])
    assert not same(below.gradient({edge: lambda b, e, u: 0 * u}), below.right(found.rows["w_e"]))
    assert same(beside.gradient({edge: lambda b, e, u: 0 * u}), beside.right(found.rows["w_o"]))


def test_points_differ_in_sizes_and_repeat_for_a_seed() -> None:
    found = reference("ffnn-softmax-batch")
    first, second = Points(found, {}).first(3), Points(found, {}).first(3)
    assert len({tuple(sorted(p.sizes.items())) for p in first}) > 1
    assert all(same(a.value(found.rows["X"]), b.value(found.rows["X"])) for a, b in zip(first, second, strict=True))


def test_comparison() -> None:
    a = np.array([1.0, -2.0])
    assert same(a, a * (1 + 1e-12)) and not same(a, a * (1 + 1e-6))
    assert not same(np.array([np.nan, 1.0]), a) and not same(a, a[:1])
    assert factor_between(3 * a, a) == pytest.approx(3)
    assert factor_between(a, a[::-1]) is None and factor_between(0 * a, a) is None
    assert np.isnan(factor_between(0 * a, 0 * a) or 0.0)


def test_the_size_of_an_expansion_is_bounded_before_it_is_made() -> None:
    import sympy as sp

    x, y, z = sp.symbols("x y z")
    assert expanded_terms((x + y) * (x + z)) == 4
    assert expanded_terms((x + y + z) ** 10) >= sp.expand((x + y + z) ** 10).as_ordered_terms().__len__()
    assert expanded_terms((x + y) ** 10_000) > 2_000


def test_variants_differ_from_the_formula_and_from_each_other() -> None:
    form = f.add(f.ONE, f.neg(f.power(f.OUT, f.lift(2))))
    forms = [v.form for v in variants(form)]
    assert form not in forms and len(set(forms)) == len(forms)
    assert f.add(f.ONE, f.power(f.OUT, f.lift(2))) in forms and f.add(f.ONE, f.neg(f.OUT)) in forms


@pytest.mark.parametrize(
    "text",
    [
        "-(y - o) * (1 - o**2) * h",
        "X.T @ (dZ * (Z > 0)) / N",
        "sum(a, axis=0)",
        "a[:, 1:]",
        "a - (b - c)",
        "(a + b)**2",
    ],
)
def test_trees_are_written_as_they_are_read(text: str) -> None:
    assert unparsed(parsed(text)) == text
    assert parsed(unparsed(parsed(text))) == parsed(text)


def test_looking_at_trees() -> None:
    tree = parsed("-(y - o) * h / w2")
    assert [(unparsed(e), divides) for e, divides in flattened(tree, False)] == [
        ("-1", False),
        ("y - o", False),
        ("h", False),
        ("w2", True),
    ]
    assert list(mentioned(tree)) == ["y", "o", "h", "w2"]
    assert count_nodes(parsed("a + b")) == 3


def test_edits_change_one_place() -> None:
    found = {unparsed(e.whole) for e in edits(parsed("A @ B + C"), products)}
    assert {"B @ A + C", "A.T @ B + C", "A * B + C", "A @ B.T + C"} <= found
    assert "A @ B - C" in {unparsed(e.whole) for e in edits(parsed("A @ B + C"), arithmetic)}
