"""-O2: the same numbers written into arrays that are used again."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.errors import UsageError
from symbackprop.model.text import parse
from symbackprop.verified import verify_source
from tests.codegen.helpers import body, emit, run
from tests.codegen.test_models import ALL, ATTENTION, MLP, RNN, TWO_OUTPUTS

SIZES = {"N": 4, "D": 3, "H": 5, "C": 6, "B": 2, "T": 3, "K": 2, "V": 7, "E": 3, "M": 2}


def sample(module: ModuleType, text: str, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    from symbackprop.core.shapes import evaluate_dim, evaluate_shape

    rng = np.random.default_rng(seed)
    values = {}
    for name, row in parse(text).leaves().items():
        shape = evaluate_shape(row.shape, SIZES)
        below = row.attr.below
        values[name] = rng.normal(size=shape) if below is None else rng.integers(0, evaluate_dim(below, SIZES), shape)
    return {n: values[n] for n in module.PARAMS}, {n: values[n] for n in module.DATA}


def same(a: Any, b: Any) -> None:
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-11, atol=1e-13)


def named(result: Any) -> Any:
    return result if isinstance(result, dict) else {"": result}


@pytest.mark.parametrize("name", ALL)
def test_results_do_not_depend_on_the_level_or_the_workspace(name: str, tmp_path: Path) -> None:
    text = ALL[name]
    plain, module = (emit(text, tmp_path, level=level) for level in (1, 2))
    workspace = module.make_workspace(*sample(module, text))
    for seed in range(3):
        params, data = sample(module, text, seed)
        expected, cache = plain.forward(params, data)
        upstream = 1.5 if module.LOSS else expected
        grads = plain.backward(cache, upstream)
        for options in ({}, {"workspace": workspace}):
            result, cache = module.forward(params, data, **options)
            same(named(expected), named(result))
            same(grads, module.backward(cache, upstream, **options))


def test_nothing_of_the_size_of_the_batch_is_allocated_again(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, level=2)
    params, data = sample(module, MLP)
    workspace = module.make_workspace(params, data)
    _, first = module.loss_and_grads(params, data, workspace=workspace)
    kept = {name: id(array) for name, array in workspace["arrays"].items()}
    assert {"Z1", "A1", "Z2", "dZ2", "dZ1", "dW1", "dW2"} <= set(kept)
    _, second = module.loss_and_grads(params, data, workspace=workspace)
    assert {name: id(array) for name, array in workspace["arrays"].items()} == kept
    assert all(np.shares_memory(first[n], second[n]) for n in ("W1", "W2", "b1", "b2"))


def test_calls_without_a_workspace_are_independent(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, level=2)
    params, data = sample(module, MLP)
    first, second = (module.loss_and_grads(params, data)[1] for _ in range(2))
    assert not any(np.shares_memory(first[n], second[n]) for n in first)


def test_a_workspace_of_other_sizes_or_precision_is_refused(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, level=2)
    params, data = sample(module, MLP)
    workspace = module.make_workspace(params, data)
    with pytest.raises(ValueError, match=r"the workspace was made for .*'N': 4"):
        module.forward(params, {"X": data["X"][:2], "y": data["y"][:2]}, workspace=workspace)
    single = {n: v.astype(np.float32) for n, v in params.items()}
    with pytest.raises(ValueError, match=r"not .*float32"):
        module.forward(single, {**data, "X": data["X"].astype(np.float32)}, workspace=workspace)


DIAGONAL = 'dim N, D\nparam C: N x D x D, u: D\nloss L = sum(sin(einsum("ijj,j->ij", C, u)))'


@pytest.mark.parametrize("text", [MLP, RNN, ATTENTION, TWO_OUTPUTS, DIAGONAL])
def test_inputs_are_not_changed(text: str, tmp_path: Path) -> None:
    module = emit(text, tmp_path, level=2)
    params, data = sample(module, text)
    workspace = module.make_workspace(params, data)
    before = {n: v.copy() for n, v in (params | data).items()}
    for _ in range(2):
        result, cache = module.forward(params, data, workspace=workspace)
        module.backward(cache, 1.0 if module.LOSS else result, workspace=workspace)
    for name, value in (params | data).items():
        np.testing.assert_array_equal(value, before[name])


def test_float32_through(tmp_path: Path) -> None:
    module = emit(ATTENTION, tmp_path, level=2)
    params, data = sample(module, ATTENTION)
    params, data = ({n: v.astype(np.float32) for n, v in d.items()} for d in (params, data))
    workspace = module.make_workspace(params, data)
    for _ in range(2):
        result, cache = module.forward(params, data, workspace=workspace)
        grads = module.backward(cache, result.copy(), workspace=workspace)
    assert {result.dtype, *[g.dtype for g in grads.values()]} == {np.dtype(np.float32)}
    assert {a.dtype for a in workspace["arrays"].values() if a.dtype.kind == "f"} == {np.dtype(np.float32)}


def test_formulas_are_computed_in_place() -> None:
    lines = body(codegen(parse(MLP), level=2), "backward").splitlines()
    assert '    dZ1 = kept["dZ1"] = np.multiply(dA1, Z1 > 0, out=kept.get("dZ1"))' in lines
    at = lines.index('    dW1 = kept["dW1"] = np.matmul(X.T, dZ1, out=kept.get("dW1"))')
    assert lines[at + 1] == "    dW1 += W1 / 50"


FORMS = [
    "x * y + z", "(x - y) / (1 + z**2)", "-x", "-(x * y)", "1 - x**2", "x**2", "x**3", "exp(x) * y - z", "x / 3 - 2*y",
    "tanh(x + y) * (z > 0)", "relu(x) - relu(-y)", "x * r", "x + r * y", "r - x", "r / (1 + x**2)", "x * k", "k - x",
    "-x - y", "sqrt(1 + x**2)", "abs(x) * sign(y)", "where(x > y, x, z)", "maximum(x, y) * minimum(y, z)",
    "x * (x > 0) + (y > 0)", "(x > 0) * y * 3", "sigmoid(x) * x", "2 * x * y * z / 7", "x - y - z + r",
    "(x + y) * (y + z) * (z + x)", "r * r + x", "exp(-x) + exp(r)", "(x @ x.T) @ y - x",
]


@pytest.mark.parametrize("form", FORMS)
def test_any_formula_in_place(form: str, tmp_path: Path) -> None:
    text = f"dim N, M\ndata k: N x M int < 9\ninput x: N x M, y: N x M, z: N x M, r: M\noutput Y = {form}\n"
    model = parse(text, name="form")
    report = verify_source(codegen(model, level=2), model)
    assert report.passed, report.text()
    module = run(codegen(model, level=2), tmp_path)
    rng = np.random.default_rng(0)
    data = {n: rng.normal(size=(2, 3)).astype(np.float32) for n in "xyz"}
    data |= {"r": rng.normal(size=3).astype(np.float32), "k": rng.integers(0, 9, (2, 3))}
    y, cache = module.forward({}, data, workspace=(w := module.make_workspace({}, data)))
    grads = module.backward(cache, np.ones((2, 3)), workspace=w)
    assert y.dtype == np.float32 and {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


LAST = ("dim T, N\ninput x: T x N\nparam w: N\nh[0] = zeros(N)\nfor t in 1..T:\n    h[t] = tanh(w*h[t-1] + x[t])\n"
        "output s = sum(h, axis=0)\noutput q = h[T]")


def test_what_is_stored_is_computed_where_it_is_stored(tmp_path: Path) -> None:
    source = codegen(parse(RNN.replace("input h[0]", "data h[0]")), level=2, along=["hvp"])
    assert " = np.tanh(z_h_t, out=h[t])" in source and "h[t] = h_t" not in body(source, "forward")
    assert "h_dot_before, h_dot = h_dot_states[:-1], h_dot_states[1:]" in source  # a loop that begins with zeros
    module = emit(LAST, tmp_path, level=2)
    params, data = sample(module, LAST)
    found, ups = list[Any](), {"s": np.ones(4), "q": np.ones(4)}
    for spoil in (False, True):
        workspace = module.make_workspace(params, data)
        results, cache = module.forward(params, data, workspace=workspace)
        results["q"] += 1000.0 * spoil  # an array of its own, not the last entry of what backward reads
        found.append({n: g.copy() for n, g in module.backward(cache, ups, workspace=workspace).items()})
    same(*found)


def test_products_are_computed_in_their_own_shape_and_looked_at_in_another() -> None:
    source = codegen(parse("dim T, N, D, C\ninput x: T x N x D\nparam W: D x C, b: C\noutput Z = x @ W + b"), level=2)
    assert "    Z = Z.reshape(T, N, C)\n    Z += b\n" in source


def test_levels() -> None:
    with pytest.raises(UsageError, match="the optimisation level is 0, 1 or 2, not 3"):
        codegen(parse(MLP), level=3)


@pytest.mark.parametrize("total", ["sum(X, axis=0)", "sum(X, axis=0, keepdims=True)", "sum(Z, axis=(0, 1))",
                                   "sum(Z, axis=(0, 1), keepdims=True)"])
def test_sums_down_the_columns_are_products_with_ones(total: str, tmp_path: Path) -> None:
    """The values of sums, infinite ones and NaN too, and of float32 as many digits."""
    text = f"dim N, T, D\ninput X: N x D, Z: T x N x D\noutput Y = {total}\noutput S = X[0, 0] + Z[0, 0, 0]"
    module = emit(parse(text), tmp_path, level=2)
    rng = np.random.default_rng(0)
    data = {"X": rng.uniform(size=(5000, 4)).astype("f4"), "Z": rng.uniform(size=(3, 5000, 4)).astype("f4")}
    array, axis = (data["Z"], (0, 1)) if "Z" in total else (data["X"], (0,))
    assert "np.ones(" in codegen(parse(text), level=2)
    exact = array.astype(float).sum(axis=axis, keepdims="keep" in total)
    np.testing.assert_allclose(module.forward({}, data)[0]["Y"], exact, rtol=2e-6)
    array[..., 7, :3], array[..., 8, 2] = (np.inf, -np.inf, np.nan), 0
    found = module.forward({}, data)[0]["Y"].ravel()
    assert found[:2].tolist() == [np.inf, -np.inf] and np.isnan(found[2]) and np.isfinite(found[3])


HALVES = """dims N
param x: N
loss L = sum(tanh(x/{n})/{n})
"""


@pytest.mark.parametrize(("n", "multiplies"), [("2", True), ("8", True), ("1024", True), ("3", False)])
def test_an_array_over_a_power_of_two_is_multiplied_and_stays_the_same_floats(n: str, multiplies: bool,
                                                                              tmp_path: Path) -> None:
    text = HALVES.format(n=n)
    plain, module = (emit(text, tmp_path, level=level) for level in (1, 2))
    assert ("np.multiply(x, " in body(codegen(parse(text), level=2), "forward")) is multiplies
    for kind in (np.float64, np.float32):
        params = {"x": np.array([1.0, -3e-45, 5e-324, 3.3e38, np.inf, 7.1, -0.0], kind)}
        for expected, found in zip(*[m.loss_and_grads(params, {}) for m in (plain, module)], strict=True):
            for a, b in zip(named(expected).values(), named(found).values(), strict=True):
                assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
