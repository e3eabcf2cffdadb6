"""Every op of the table, by the samples in its record: a new op is tested here without a line being written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop.core.facts import kind
from symbackprop.core.graph import Graph, Node
from symbackprop.core.hazards import NONE
from symbackprop.core.notation import Notation
from symbackprop.core.registry import OPS, Op, Sample, Spelled, register
from symbackprop.core.shapes import evaluate_shape
from symbackprop.verify.interpreter import evaluate
from symbackprop.verify.sampling import conditioned
from tests.core.helpers import close, differences, gradients, in_sympy, moving

ARRAYS = [op for op in OPS.values() if not op.is_leaf and not (op.loop or op.result)]
CASES = [pytest.param(op, s, id=f"{op.name}-{i}") for op in ARRAYS for i, s in enumerate(op.samples)]


def drawn(op: Op, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Numbers that an op is of."""
    a = rng.normal(size=shape)
    return conditioned(a, op.matrices) if op.matrices else a


class Call:
    """A sample as rows and as numbers."""

    def __init__(self, op: Op, sample: Sample) -> None:
        self.op, self.sample = op, sample
        rng = np.random.default_rng(7)
        self.arrays = [
            rng.integers(0, sample.below[i], shape) if i in sample.below else drawn(op, rng, shape)
            for i, shape in enumerate(sample.shapes)
        ]
        self.graph = Graph()
        self.leaves = [self._leaf(i, shape) for i, shape in enumerate(sample.shapes)]
        self.row = self.graph.make(op.name, self.leaves, in_sympy(sample.attr))
        self.floats = [i for i in range(len(self.arrays)) if i not in sample.below]
        self.upstream = rng.normal(size=np.shape(self.value(*self.arrays)))

    def _leaf(self, i: int, shape: tuple[int, ...]) -> Node:
        kind = "int" if i in self.sample.below else "float"
        return self.graph.leaf(f"x{i}", shape, kind=kind)

    def value(self, *arrays: Any) -> Any:
        return self.op.reference(np, self.sample.attr, *arrays)

    def given(self) -> dict[str, Any]:
        return {f"x{i}": a for i, a in enumerate(self.arrays)}


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_shape_rule_says_what_numpy_gives(op: Op, sample: Sample) -> None:
    call = Call(op, sample)
    assert evaluate_shape(call.row.shape, {}) == np.shape(call.value(*call.arrays))


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_interpreter_agrees_with_the_reference(op: Op, sample: Sample) -> None:
    call = Call(op, sample)
    close(evaluate([call.row], call.given())[0], call.value(*call.arrays))


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_the_rule_gives_one_cotangent_for_each_argument(op: Op, sample: Sample) -> None:
    row = Call(op, sample).row
    assert len(op.vjp(row, row.graph.leaf("seed", row.shape), [True] * len(row.args), NONE)) == len(row.args)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_vjp_is_the_slope(op: Op, sample: Sample) -> None:
    call = Call(op, sample)
    found = gradients(call.row, [call.leaves[i] for i in call.floats], call.given(), call.upstream)
    for i, gradient in zip(call.floats, found, strict=True):
        value = moving(op, sample.attr, *call.arrays)
        close(gradient, differences(value, call.arrays, i, call.upstream), 1e-8)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_linear_ops_are_paired_with_their_adjoint(op: Op, sample: Sample) -> None:
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩, exactly up to rounding."""
    call = Call(op, sample)
    entries = kind(call.row)
    if not entries.added and not entries.joined:
        pytest.skip("not linear in one argument, or in all of them at once")
    found = gradients(call.row, [call.leaves[i] for i in call.floats], call.given(), call.upstream)
    forward = np.sum(call.value(*call.arrays) * call.upstream)
    close(sum(np.sum(call.arrays[i] * g) for i, g in zip(call.floats, found, strict=True)), forward, 1e-12)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_second_derivative_is_the_slope_of_the_first(op: Op, sample: Sample) -> None:
    """The set of ops is closed under differentiation."""
    call = Call(op, sample)
    if not call.floats:
        assert gradients(call.row, [], call.given(), call.upstream) == []
        return
    wrt = [call.leaves[i] for i in call.floats]
    seed = call.graph.leaf("seed", call.row.shape)
    from symbackprop.core.reverse import vjp

    given = {**call.given(), "seed": call.upstream}
    first = vjp([call.row], [seed], wrt)
    weights = [np.random.default_rng(k).normal(size=evaluate_shape(g.shape, {})) for k, g in enumerate(first)]
    seeds = [call.graph.leaf(f"v{k}", g.shape) for k, g in enumerate(first)]
    second = evaluate(vjp(first, seeds, wrt), given | {f"v{k}": w for k, w in enumerate(weights)})

    def slope(*arrays: Any) -> Any:
        moved = given | {f"x{i}": a for i, a in zip(call.floats, arrays, strict=True)}
        return sum(np.sum(w * g) for w, g in zip(weights, evaluate(first, moved), strict=True))

    arrays = [call.arrays[i] for i in call.floats]
    for k, gradient in enumerate(second):
        close(gradient, differences(slope, arrays, k, 1.0), 1e-7)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_printing(op: Op, sample: Sample) -> None:
    call = Call(op, sample)
    text = Notation().right(call.row)
    assert text and all(f"x{i}" in text for i in range(len(call.leaves)))


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_records_describe_themselves(op: Op) -> None:
    assert op.signature and op.shape_rule and op.derivative and op.domain


TEXTS = ["signature", "shape_rule", "derivative", "domain"]


@pytest.mark.parametrize("missing", [*TEXTS, "infer", "vjp", "reference", "samples"])
def test_registration_refuses_an_incomplete_record(missing: str) -> None:
    empty: Any = "" if missing in TEXTS else () if missing == "samples" else None
    with pytest.raises(ValueError, match=missing):
        register(replace(OPS["sum"], name="half_done", **{missing: empty}))
    assert "half_done" not in OPS


def test_registration_refuses_an_op_whose_entries_are_unknown() -> None:
    with pytest.raises(ValueError, match=r"half_done.*what an entry is"):
        register(replace(OPS["sum"], name="half_done", entry=None))
    with pytest.raises(ValueError, match=r"half_done.*what an entry is"):
        register(replace(OPS["sum"], name="half_done", jacobian=OPS["softmax"].jacobian))


def test_registration_refuses_a_spelled_op_that_letters_cannot_say() -> None:
    spelled = Spelled("a", (2,), "n", attr=(sp.Symbol("m"),))
    for name in ("softmax", "reshape"):  # no entry form; one with parts of an index
        with pytest.raises(ValueError, match=r"half_done.*spelled"):
            register(replace(OPS[name], name="half_done", spelled=spelled))


def test_registration_refuses_a_second_record_of_a_name() -> None:
    with pytest.raises(ValueError, match="twice"):
        register(OPS["sum"])
