"""Checkpoints in loops: less is kept, and gradients are what they are without, to the last bit.

CI takes a few random loops (as `test_random_loops` makes them) for NumPy. The long run:

    SYMBACKPROP_EXAMPLES=1000 python -m pytest tests/codegen/test_checkpoints.py
"""

from __future__ import annotations

import tracemalloc
from functools import cache
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop import Model, load, verify
from symbackprop.codegen import codegen
from symbackprop.codegen.report import report
from symbackprop.errors import ModelError, UsageError
from tests.codegen.helpers import emit
from tests.codegen.test_random_loops import BODY, EXAMPLES, SIZES, Plan, Sizes, model_of, module_of, values

BUILT_IN = ["gru", "lstm", "neural-turing-machine", "rnn-lm"]
DIMS = {"N": 2, "V": 5, "E": 3, "H": 4, "S": 3, "W": 3, "A": 2, "B": 3}
LAYERS = """
dim L, N, D, K
data X: N x D
param W[1..L]: D x D, U: D x K, b[1..L]: D
A[0] = X
for l in 1..L:
    B[l] = tanh(A[l-1] @ W[l] + b[l])
    A[l] = A[l-1] + B[l] * sigmoid(B[l])
loss J = mean((A[L] @ U)^2)
"""
STACKED = LAYERS.replace("W[1..L]: D x D", "W: L x D x D").replace("b[1..L]: D", "b: L x D")
AFTER = """
dim T, N, D
data X: T x N x D
param W: D x D, h[0]: N x D, k[0]: N x D
for t in 1..T:
    h[t] = tanh(h[t-1] @ W + X[t])
for t in 1..T:
    k[t] = tanh(k[t-1] @ W + h[t]) * k[t-1]
loss J = sum(k[T] * h[T])
"""


def arguments(module: Any, steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays of a module, with loops of so many steps."""
    rng, dims = np.random.default_rng(4), {d: n or DIMS.get(d, 3) for d, n in module.DIMS.items()}
    dims |= {"T": steps, "L": steps}
    shapes = {n: [eval(str(d), {}, dims) for d in shape] for n, shape in {**module.PARAMS, **module.DATA}.items()}
    whole = getattr(module, "INTEGERS", {})
    made = {n: rng.integers(2, size=s) if n in whole else rng.uniform(0.1, 0.9, s) for n, s in shapes.items()}
    return {n: made[n] for n in module.PARAMS}, {n: made[n] for n in module.DATA}


def gradients(module: Any, params: Any, data: Any, level: int = 1) -> dict[str, Any]:
    space = {"workspace": module.make_workspace(params, data)} if level > 1 else {}
    for _ in range(max(level, 1)):  # at -O2 the second call finds the arrays of the first
        loss, grads = module.loss_and_grads(params, data, **space)
    return {"": loss, **grads}


def same(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether two results are equal to the last bit."""
    assert found.keys() == expected.keys()
    return all(np.asarray(found[n]).tobytes() == np.asarray(v).tobytes() for n, v in expected.items())


CASES = [pytest.param(model if model in BUILT_IN else STACKED, level, id=f"{model}-{level}")
         for model, level in product(["layers", *BUILT_IN], (1, 2, 0))]


@pytest.mark.parametrize(("model", "level"), CASES)
def test_gradients_are_the_same_to_the_last_bit(model: str, level: int) -> None:
    m = load(model) if model in BUILT_IN else Model.parse(model)
    plain = module_of(codegen(m, level=level))
    wanted = {steps: gradients(plain, *arguments(plain, steps), level) for steps in ((1, 7), (0, 7))[model == STACKED]}
    for checkpoint in ("every:1", "every:3", "every:50", "sqrt"):  # 3 does not divide 7, 50 is more
        module = module_of(codegen(m, level=level, checkpoint=checkpoint))
        for steps, expected in wanted.items():
            assert same(gradients(module, *arguments(module, steps), level), expected), (checkpoint, steps)


@pytest.mark.parametrize("given", ["h[t]", "sin(h[t]) @ W", "h[T]"])  # of what the first loop computes
def test_a_loop_that_reads_another_computes_its_steps_again_too(given: str) -> None:
    m = Model.parse(AFTER.replace("h[t]) *", f"{given}) *"))
    plain, module = (module_of(codegen(m, checkpoint=c)) for c in (None, "every:3"))
    assert same(gradients(module, *arguments(module, 7)), gradients(plain, *arguments(plain, 7)))


@settings(max_examples=max(EXAMPLES // 2, 1))
@given(st.lists(BODY, min_size=1, max_size=2), st.booleans(), st.sampled_from([0, 1, 2]), st.integers(1, 4), SIZES)
def test_of_random_loops_too(plans: list[Plan], nested: bool, level: int, every: int, sizes: Sizes) -> None:
    m = model_of(plans, nested, second=False)
    try:
        module = module_of(codegen(m, level=level, checkpoint=f"every:{every}"))
    except ModelError as error:  # nothing reads what the loops give
        assert "has no loop" in str(error)
        return
    plain, at = module_of(codegen(m, level=level)), values(m, {d: sizes[d] for d in m.sizes})
    params, data = ({n: at[n] for n in names} for names in (module.PARAMS, module.DATA))
    assert same(gradients(module, params, data, level), gradients(plain, params, data, level))


def test_what_is_kept_grows_like_the_root_of_the_steps() -> None:
    m = Model.parse(STACKED)
    plain, module = (module_of(codegen(m, checkpoint=c)) for c in (None, "sqrt"))

    def kept(of: SimpleNamespace, steps: int) -> int:
        params, data = arguments(of, steps)
        arrays = [a for a in of.forward(params, data)[1].values() if isinstance(a, np.ndarray)]
        given = [*params.values(), *data.values()]
        return sum(a.nbytes for a in arrays if not any(np.may_share_memory(a, b) for b in given))

    assert kept(plain, 400) > 3.9 * kept(plain, 100) and kept(module, 400) < 2.1 * kept(module, 100)


def test_no_more_memory_is_taken_than_for_the_segments() -> None:
    """Layers with weights of their own: nothing but their gradients is there for all of them."""
    m, peaks = Model.parse(STACKED.replace("loss", "# ") + "loss J = mean(A[L]^2)\n"), []
    for checkpoint in (None, "sqrt"):
        module = module_of(codegen(m, checkpoint=checkpoint))
        rng, steps = np.random.default_rng(0), 100
        params = {"W": rng.normal(size=(steps, 2, 2)), "b": np.zeros((steps, 2)), "U": np.zeros((2, 1))}
        data = {"X": rng.normal(size=(5000, 2))}
        tracemalloc.start()
        module.loss_and_grads(params, data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] / 4


def test_a_module_says_what_it_keeps_and_passes_its_check(tmp_path: Any) -> None:
    module = emit(load("rnn-lm"), tmp_path, checkpoint="every:16")
    assert "keeps what the loop over t carries once in 16 steps" in " ".join((module.__doc__ or "").split())
    assert verify(str(module.__file__), trials=1, seed=0)


# -- blocks that are written out

WRITTEN = """
dim N, D
data X: N x D, mask: N x D
param W[1..9]: D x D, b[1..9]: D
A[0] = X
for l in 1..9:
    Z[l] = A[l-1] @ W[l] + b[l]
    B[l] = tanh(Z[l])
    A[l] = A[l-1] + mask * B[l] * sigmoid(B[l])
loss J = mean(A[9]^2)
"""
OUTPUTS = WRITTEN.replace("loss J = mean(A[9]^2)", "output Y = A[9] * A[1]\noutput R = B[3]")
AHEAD = WRITTEN.replace("loss J = mean(A[9]^2)", "C = softmax(A[4] @ A[4].T)\nloss J = sum(C @ A[9]) + mean(A[2])")


@pytest.mark.parametrize("level", [1, 0])
@pytest.mark.parametrize("checkpoint", ["every:1", "every:2", "every:5", "sqrt"])
@pytest.mark.parametrize("model", ["written", "outputs", "ahead", "gpt", "transformer-block", "conv-net"])
def test_blocks_written_out_give_the_same_gradients_to_the_last_bit(model: str, checkpoint: str, level: int) -> None:
    assert same(_results(model, level), _results(model, level, checkpoint))


@cache  # without a checkpoint a model is the same to every one that it is compared with
def _results(model: str, level: int, checkpoint: str | None = None) -> dict[str, Any]:
    """All that a module returns, and the gradients of ones from upstream."""
    texts = {"written": WRITTEN, "outputs": OUTPUTS, "ahead": AHEAD}
    m = Model.parse(texts[model]) if model in texts else load(model)
    of = module_of(codegen(m, level=level, checkpoint=checkpoint))
    result, kept = of.forward(*arguments(of, 3))
    layer = {} if of.LOSS else {"upstream": _ones(result)}
    results = result if isinstance(result, dict) else {"": result}
    return of.backward(kept, **layer) | {f"result {n}": a for n, a in results.items()}


def _ones(result: Any) -> Any:
    return {n: np.ones_like(a) for n, a in result.items()} if isinstance(result, dict) else np.ones_like(result)


def test_written_out_layers_take_memory_for_a_segment() -> None:
    """What crosses from one segment to the next is kept; the rest is there for one segment at a time."""
    m, found = Model.parse(WRITTEN.replace("9", "36")), []
    for checkpoint in (None, "sqrt"):
        module = module_of(codegen(m, checkpoint=checkpoint))
        rng = np.random.default_rng(0)
        params = {n: rng.normal(size=(2,) * len(shape)) for n, shape in module.PARAMS.items()}
        data = {n: rng.normal(size=(5000, 2)) for n in module.DATA}
        arrays = [a for a in module.forward(params, data)[1].values() if isinstance(a, np.ndarray) and a.size == 10000]
        tracemalloc.start()
        module.loss_and_grads(params, data)
        found.append((len(arrays), tracemalloc.get_traced_memory()[1], report(m, checkpoint=checkpoint)))
        tracemalloc.stop()
    (all_kept, peak, plain), (kept, less, told) = found
    assert kept < all_kept / 5 and less < peak / 3
    assert told.about(told.peak()) < plain.about(plain.peak()) / 2


def test_masks_do_not_count_at_a_cut() -> None:
    """They are read by every block, and computed of data alone."""
    text = WRITTEN.replace("mask * B", "shade * B").replace("A[0] = X", "shade = exp(mask) * exp(-X)\nA[0] = X")
    source = codegen(Model.parse(text), checkpoint="every:3")
    assert "between" in source and source.count("\n    Z5 = ") == 3  # forward, again, and outputs


@pytest.mark.parametrize(("model", "options", "says"), [
    ("rnn-lm", {"checkpoint": "every:0"}, "a checkpoint is sqrt or every:K"),
    ("rnn-lm", {"checkpoint": "16"}, "a checkpoint is sqrt or every:K"),
    ("rnn-lm", {"checkpoint": "sqrt", "along": ["hvp"]}, "leave out products"),
    ("rnn-lm", {"checkpoint": "sqrt", "target": "torch"}, "for NumPy"),
    ("two-weight-tanh", {"checkpoint": "sqrt"}, "has no loop and no chain of blocks"),
    ("gpt", {"checkpoint": "every:9999"}, "has no loop and no chain of blocks"),
    ("gpt", {"checkpoint": "sqrt", "level": 2}, "the workspace keeps every array"),
])
def test_what_is_refused(model: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises((UsageError, ModelError), match=says):
        codegen(load(model), **options)
