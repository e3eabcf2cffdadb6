"""Emitted modules at run time: what they are given may be wrong, degenerate or extreme."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop.model.text import parse
from tests.codegen.helpers import emit

MLP = """
dim N, D, H, C
data X: N x D, y: N int < C
param W1: D x H, b1: H, W2: H x C, b2: C
Z1 = X @ W1 + b1
A1 = tanh(Z1)
Z2 = A1 @ W2 + b2
loss L = mean(cross_entropy(Z2, y))
"""
SIZES = {"D": 3, "H": 4, "C": 5}


@pytest.fixture(scope="module")
def mlp(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return emit(MLP, tmp_path_factory.mktemp("mlp"))


def inputs(module: ModuleType, n: int = 6) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(1)
    return module.init_params(rng, **SIZES), {"X": rng.normal(size=(n, 3)), "y": rng.integers(0, 5, n)}


def step(module: ModuleType, params: Any, data: Any) -> tuple[Any, dict[str, Any]]:
    return module.loss_and_grads(params, data)  # type: ignore[no-any-return]


# -- what is wrong is named


def test_missing_and_extra_names(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    with pytest.raises(ValueError, match="params has no 'b1'; it needs W1, b1, W2, b2"):
        mlp.forward({k: v for k, v in params.items() if k != "b1"}, data)
    with pytest.raises(ValueError, match="data has an unknown name 'z'"):
        mlp.forward(params, {**data, "z": 1.0})
    with pytest.raises(ValueError, match="params has to be a dict of arrays by name, not list"):
        mlp.forward([1], data)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("W1", (3, 4, 1), r"W1 has shape \(3, 4, 1\), expected \(D, H\)"),
        ("b1", (1,), r"W2 has shape \(4, 5\), expected \(H, C\)|b1 has shape \(1,\), expected \(H,\) with H = 4"),
        ("b2", (1, 5), r"b2 has shape \(1, 5\), expected \(C,\)"),
        ("X", (6, 2), r"X has shape \(6, 2\), expected \(N, D\) with N = 6, D = 3"),
        ("y", (6, 1), r"y has shape \(6, 1\), expected \(N,\)"),
        ("y", (1,), r"y has shape \(1,\), expected \(N,\) with N = 6"),
    ],
)
def test_misshaped_arrays_name_the_array_and_both_shapes(
    mlp: ModuleType, name: str, shape: tuple[int, ...], message: str
) -> None:
    params, data = inputs(mlp)
    wrong = np.zeros(shape, int if name == "y" else float)
    (params if name in params else data)[name] = wrong
    with pytest.raises(ValueError, match=message):
        mlp.forward(params, data)


@pytest.mark.parametrize("value", [[0, 1, 2, 3, 4, 5], [-1, 0, 0, 0, 0, 0]])
def test_class_indices_out_of_range(mlp: ModuleType, value: list[int]) -> None:
    params, data = inputs(mlp)
    with pytest.raises(ValueError, match=r"y holds (5|-1), outside 0 <= y < C = 5"):
        mlp.forward(params, {**data, "y": value})


def test_huge_unsigned_indices_do_not_wrap(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    with pytest.raises(ValueError, match="y holds 18446744073709551615, outside"):
        mlp.forward(params, {**data, "y": np.full(6, 2**64 - 1, np.uint64)})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("y", np.zeros(6), "y has to hold integers, not float64"),
        ("X", np.array([["a"] * 3] * 6, dtype=object), "X is not an array of real numbers: its dtype is object"),
        ("X", np.zeros((6, 3), complex), "X is not an array of real numbers: its dtype is complex128"),
        ("X", [["1", "2", "3"]] * 6, "X is not an array of real numbers"),
        ("X", [[1.0, 2.0], [3.0]], "X is not an array"),
        ("X", None, "X is not an array of real numbers: its dtype is object"),
    ],
)
def test_wrong_kinds(mlp: ModuleType, name: str, value: Any, message: str) -> None:
    params, data = inputs(mlp)
    with pytest.raises(ValueError, match=message):
        mlp.forward(params, {**data, name: value})


@pytest.mark.parametrize(("upstream", "message"), [
    (np.ones(3), "upstream has to be a number"),
    ("1", "upstream is not an array of real numbers"),
    (None, "upstream is not an array of real numbers"),
])
def test_upstream_of_a_loss_is_a_number(mlp: ModuleType, upstream: Any, message: str) -> None:
    _, cache = mlp.forward(*inputs(mlp))
    with pytest.raises(ValueError, match=message):
        mlp.backward(cache, upstream)


def test_wrong_arguments_of_backward_and_update_are_named(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, optimizer="adam")
    params, data = inputs(module)
    forward = module.forward(params, data)
    grads, state = module.backward(forward[1]), module.init_state(params)
    less = {n: g for n, g in grads.items() if n != "b1"}
    short = {**state, "v": {n: state["v"][n] for n in less}}
    for arguments, message in [
        ((list(params.values()), grads, state), "params has to be a dict of arrays by name, not list"),
        ((params, forward, state), "grads has to be a dict of arrays by name, not tuple"),
        ((params, {**grads, "W1": grads["W2"]}, state),
         r"grads\['W1'\] has shape \(4, 5\), expected \(D, H\) with D = 3, H = 4: axis 0 is 4, not 3"),
        ((params, grads, {"m": grads}), "state has no 'k'; it needs k, m, v"),
        ((params, grads, {**state, "G": grads}), "state has an unknown name 'G'; it needs k, m, v"),
        ((params, grads, short), "v has no 'b1'"),
    ]:
        with pytest.raises(ValueError, match=message):
            module.update(*arguments)
    assert module.update(params, less, short)[0].keys() == params.keys()
    for cache in (forward, forward[0], grads):
        with pytest.raises(ValueError, match="backward takes the cache"):
            module.backward(cache)


def test_what_is_no_workspace_is_named(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, level=2)
    params, data = inputs(module)
    for workspace in ({}, params, 3):
        with pytest.raises(ValueError, match="workspace has to be what make_workspace"):
            module.loss_and_grads(params, data, workspace=workspace)


# -- what is unusual is accepted


def same(a: dict[str, Any], b: dict[str, Any], rtol: float = 1e-13) -> None:
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("make", [
    lambda a: a.tolist(), np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2], lambda a: a[::-1][::-1],
], ids=["lists", "fortran", "strided", "negative strides"])
def test_layouts(mlp: ModuleType, make: Any) -> None:
    params, data = inputs(mlp)
    loss, grads = step(mlp, params, data)
    other, others = step(mlp, {k: make(v) for k, v in params.items()}, {k: make(v) for k, v in data.items()})
    assert other == pytest.approx(loss, rel=1e-14)
    same(grads, others, 1e-11)


class Tensor:
    """An array of another library: its dtype is none of NumPy's."""

    dtype = "float32"

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values, np.float32)
        self.shape = self.values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype)


def test_arrays_may_be_those_of_another_library(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    given = {k: Tensor(v) for k, v in params.items()}, data
    for _ in range(2):  # what was given before is not checked again
        loss, grads = step(mlp, *given)
        assert loss == pytest.approx(step(mlp, params, data)[0], rel=1e-5)
        assert all(g.dtype == np.float32 for n, g in grads.items() if n in params)


def test_arrays_may_come_from_a_file_of_numpy(mlp: ModuleType, tmp_path: Path) -> None:
    params, data = inputs(mlp)
    np.savez(tmp_path / "params.npz", **params)
    with np.load(tmp_path / "params.npz") as stored:
        same(step(mlp, stored, MappingProxyType(data))[1], step(mlp, params, data)[1])


def test_inputs_may_be_read_only_and_are_never_changed(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    before = {k: v.copy() for k, v in (params | data).items()}
    for array in (*params.values(), *data.values()):
        array.setflags(write=False)
    step(mlp, params, data)
    mlp.outputs(params, data)
    for name, array in (params | data).items():
        assert np.array_equal(array, before[name])


def test_logits_that_are_an_input_in_fortran_order(tmp_path: Path) -> None:
    """The one-hot correction writes into the gradient whatever the memory order of what it was made from."""
    text = "dim N, T, C\ndata y: N x T int < C\nparam Z: N x T x C\nloss L = mean(cross_entropy(Z, y))"
    module = emit(text, tmp_path)
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(2, 3, 4)), rng.integers(0, 4, (2, 3))
    plain = module.loss_and_grads({"Z": z}, {"y": y})[1]["Z"]
    turned = module.loss_and_grads({"Z": np.asfortranarray(z)}, {"y": y})[1]["Z"]
    np.testing.assert_array_max_ulp(plain, turned, 4)  # sums go along memory, and round in another order
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    np.testing.assert_allclose(plain, (p - np.eye(4)[y]) / 6, rtol=1e-12)


def test_zero_dimensional_arrays_and_plain_numbers(tmp_path: Path) -> None:
    module = emit("data x\nparam w\nloss L = tanh(w * x) ** 2", tmp_path)
    for kind in (float, np.float64, np.asarray, lambda v: np.asarray(v, np.float64)):
        loss, grads = module.loss_and_grads({"w": kind(0.5)}, {"x": kind(2.0)})
        assert loss == pytest.approx(np.tanh(1.0) ** 2, rel=1e-15)
        assert np.shape(grads["w"]) == ()
        assert grads["w"] == pytest.approx(4 * np.tanh(1.0) * (1 - np.tanh(1.0) ** 2), rel=1e-14)
    assert module.loss_and_grads({"w": 1}, {"x": 2})[0] == pytest.approx(np.tanh(2.0) ** 2, rel=1e-15)
    with pytest.raises(ValueError, match=r"x has shape \(1,\), expected \(\)"):
        module.forward({"w": 1.0}, {"x": [1.0]})


def test_float32_in_float32_through(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    small = {k: v.astype(np.float32) for k, v in params.items()}
    loss, grads = step(mlp, small, {**data, "X": data["X"].astype(np.float32)})
    assert loss.dtype == np.float32
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}
    named = mlp.outputs(small, {**data, "X": data["X"].astype(np.float32)})
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":  # where a float32 scalar divided by a size is float64
        del named["L"]
    assert {np.asarray(v).dtype for v in named.values()} == {np.dtype(np.float32)}
    same(grads, step(mlp, params, data)[1], 1e-3)


@pytest.mark.parametrize("of", ["sigmoid(1)", "abs(0-3)", "maximum(2, 3)", "arctan2(1, 2)", "maximum(N, 2)", "root(2)"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_functions_of_numbers_alone_do_not_widen_float32(of: str, level: int, tmp_path: Path) -> None:
    """NumPy gives float64 or a whole number for them, and codegen refused its own module."""
    text = f"dim N\nparam x: N\nv = {of}*ones(N)\nu = tanh(x) + {of}\nw = x*v\nloss L = sum(u*w)"
    module = emit(text, tmp_path, level=level)
    found = module.outputs({"x": np.ones(3, np.float32)}, {})
    assert {n: found[n].dtype for n in "uwL"} == dict.fromkeys("uwL", np.dtype(np.float32))


def test_numbers_and_lists_take_the_precision_of_the_arrays(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    mixed = {k: v.astype(np.float32) if v.ndim == 2 else v.tolist() for k, v in params.items()}
    loss, grads = step(mlp, mixed, {**data, "X": data["X"].astype(np.float32)})
    assert loss.dtype == np.float32
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


def test_mixed_precisions_compute_in_the_wider_one(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    params["W1"] = params["W1"].astype(np.float32)
    params["b1"] = params["b1"].astype(np.float16)
    loss, grads = step(mlp, params, data)
    assert loss.dtype == np.float64
    assert (grads["W1"].dtype, grads["b1"].dtype, grads["W2"].dtype) == (np.float32, np.float16, np.float64)


def test_float16_is_computed_in_float32(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    loss, grads = step(mlp, {k: v.astype(np.float16) for k, v in params.items()},
                       {**data, "X": data["X"].astype(np.float16)})
    assert loss.dtype == np.float32
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float16)}
    same(grads, step(mlp, params, data)[1], 0.05)


def test_integers_for_floats(mlp: ModuleType) -> None:
    params, data = inputs(mlp)
    data["X"] = np.arange(18).reshape(6, 3)
    _, grads = step(mlp, params, data)
    same(grads, step(mlp, params, {**data, "X": data["X"].astype(float)})[1])


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64, bool])
def test_any_kind_of_integer(mlp: ModuleType, kind: Any) -> None:
    params, data = inputs(mlp)
    data["y"] = np.array([0, 1, 1, 0, 1, 0])
    same(step(mlp, params, data)[1], step(mlp, params, {**data, "y": data["y"].astype(kind)})[1])


# -- degenerate sizes


def test_batch_of_one(mlp: ModuleType) -> None:
    params, data = inputs(mlp, 1)
    loss, grads = step(mlp, params, data)
    assert np.isfinite(loss) and grads["W1"].shape == (3, 4)


def test_empty_batch(mlp: ModuleType) -> None:
    """A mean over nothing is nan; the gradients, sums over nothing, are zero."""
    params, _ = inputs(mlp)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        loss, grads = step(mlp, params, {"X": np.zeros((0, 3)), "y": []})
    assert np.isnan(loss)
    assert all(not g.any() for g in grads.values())


def test_empty_batch_of_a_sum(tmp_path: Path) -> None:
    module = emit("dim N, D\ndata X: N x D\nparam w: D\nloss L = sum((X @ w) ** 2)", tmp_path)
    loss, grads = module.loss_and_grads({"w": np.ones(2)}, {"X": np.zeros((0, 2))})
    assert loss == 0 and not grads["w"].any()


def test_size_one_axes_do_not_broadcast_by_accident(tmp_path: Path) -> None:
    module = emit("dim N\ndata y: N\nparam z: N\nloss L = mean((z - y) ** 2)", tmp_path)
    with pytest.raises(ValueError, match=r"y has shape \(3,\), expected \(N,\) with N = 1"):
        module.forward({"z": np.zeros(1)}, {"y": np.zeros(3)})


# -- extreme values


def test_nan_and_infinity_are_not_hidden(mlp: ModuleType) -> None:
    for bad in (np.nan, np.inf):
        params, data = inputs(mlp)
        params["b2"] = np.array([bad, 0, 0, 0, 0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            loss, grads = step(mlp, params, data)
        assert not np.isfinite(loss)
        assert np.isnan(grads["b2"]).any()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_huge_logits_of_a_softmax(tmp_path: Path, level: int) -> None:
    text = "dim N, C\ndata y: N int < C\nparam Z: N x C\nloss L = mean(cross_entropy(Z, y))"
    module = emit(text, tmp_path, level=level)
    z = np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0]])
    loss, grads = module.loss_and_grads({"Z": z}, {"y": [0, 0]})
    assert loss == 1000.0
    np.testing.assert_array_equal(grads["Z"], [[0, 0, 0], [-0.5, 0.5, 0]])


@pytest.mark.parametrize("form", [
    "binary_cross_entropy(sigmoid(z), y)", "binary_cross_entropy_with_logits(z, y)",
    "-(y * log(sigmoid(z)) + (1 - y) * log(1 - sigmoid(z)))", "log(1 + exp(z)) - y * z",
])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_huge_logits_of_a_sigmoid(tmp_path: Path, form: str, level: int) -> None:
    module = emit(f"dim N\ndata y: N\nparam z: N\nloss L = sum({form})", tmp_path, level=level)
    z, y = np.array([1000.0, -1000.0, 1000.0, -1000.0, 0.0]), np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    loss, grads = module.loss_and_grads({"z": z}, {"y": y})
    assert loss == pytest.approx(2000 + np.log(2), rel=1e-15)
    np.testing.assert_allclose(grads["z"], [0, 0, 1, -1, -0.5], atol=1e-300)


def test_a_named_probability_keeps_its_value_in_a_stable_loss(tmp_path: Path) -> None:
    module = emit("data y\nparam z\na = sigmoid(z)\nloss L = binary_cross_entropy(a, y)", tmp_path)
    assert module.forward({"z": -1000.0}, {"y": 1.0})[0] == 1000.0
    assert module.outputs({"z": 0.0}, {"y": 1.0}) == pytest.approx({"a": 0.5, "L": np.log(2)})


def test_norm_at_zero_and_branches_not_taken(tmp_path: Path) -> None:
    module = emit("dim N\nparam x: N\nloss L = norm(x) + sum(where(x > 0, log(x), 0))", tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        loss, grads = module.loss_and_grads({"x": np.zeros(3)}, {})
    assert loss == 0
    np.testing.assert_array_equal(grads["x"], np.zeros(3))


@pytest.mark.parametrize(("relu0", "slope"), [(0, 0.0), (1, 1.0), (0.5, 0.5)])
def test_relu_at_zero_follows_the_convention(tmp_path: Path, relu0: float, slope: float) -> None:
    model = parse("dim N\nparam x: N\nloss L = sum(relu(x))", relu0=relu0)
    module = emit(model, tmp_path)
    for dtype in (np.float64, np.float32):
        grads = module.loss_and_grads({"x": np.array([-1, 0, 1], dtype)}, {})[1]
        np.testing.assert_array_equal(grads["x"], [0, slope, 1])
        assert grads["x"].dtype == dtype


def test_ties_share_the_gradient(tmp_path: Path) -> None:
    module = emit("dim N\nparam x: N\nloss L = max(x)", tmp_path)
    np.testing.assert_array_equal(module.loss_and_grads({"x": np.array([2.0, 1, 2])}, {})[1]["x"], [0.5, 0, 0.5])


# -- independence of calls


def test_no_gradient_shares_memory_with_anything(tmp_path: Path) -> None:
    text = """
    dim N, M
    input U: N x M
    param V: N x M, a: M, b: M, R: M x N
    loss L = sum(U * V) + sum((a + b) ** 2) + sum(U.T * R)
    """
    module = emit(text, tmp_path)
    rng = np.random.default_rng(0)
    shapes = {"V": (2, 3), "a": (3,), "b": (3,), "R": (3, 2)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    data = {"U": rng.normal(size=(2, 3))}
    _, cache = module.forward(params, data)
    grads = module.backward(cache)
    arrays = [*params.values(), *data.values(), *grads.values()]
    for g in grads.values():
        assert sum(np.shares_memory(g, a) for a in arrays) == 1
        assert g.flags.writeable


FILLED = {
    "two ones": "dim N\nparam x: N, y: N\nloss L = sum(x + y)",
    "two means": "dim N\nparam x: N, y: N\nloss L = mean(x + y)",
    "a transpose": "dim N, D\nparam x: N x D, y: D x N\nloss L = 3 * sum(x + y.T)",
    "two zeros": "dim N\nparam x: N, y: N\nloss L = 2",
    "a number computed": "dim N\nparam x: N\ndata s\nloss L = sum(x) * s / N",
    "the same twice": "dim N\nparam x: N, y: N\ndata s\nloss L = sum(x + y) * s / N",
}


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", FILLED)
def test_gradients_whose_entries_are_all_equal_are_arrays_of_their_own(name: str, level: int, tmp_path: Path) -> None:
    module = emit(FILLED[name], tmp_path, level=level)
    params = {n: np.ones((3, 3)[: len(shape)]) for n, shape in module.PARAMS.items()}
    grads = module.loss_and_grads(params, {n: 2.0 for n in module.DATA})[1]
    before = {n: g.copy() for n, g in grads.items()}
    grads["x"] *= 2
    for n, g in grads.items():
        np.testing.assert_array_equal(g, before[n] * (2 if n == "x" else 1))


def test_backward_may_be_called_again(mlp: ModuleType) -> None:
    _, cache = mlp.forward(*inputs(mlp))
    first = {k: v.copy() for k, v in mlp.backward(cache).items()}
    for g in mlp.backward(cache).values():
        g[...] = 7
    same(first, mlp.backward(cache))
    same({k: -2.5 * v for k, v in first.items()}, mlp.backward(cache, upstream=-2.5))


def test_calls_are_independent_and_thread_safe(mlp: ModuleType) -> None:
    params, _ = inputs(mlp)
    batches = [inputs(mlp, n)[1] for n in range(1, 9)]
    expected = [step(mlp, params, b) for b in batches]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(50):
            loss, grads = step(mlp, params, batches[i])
            if loss != expected[i][0] or any(not np.array_equal(grads[n], g) for n, g in expected[i][1].items()):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(batches))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_what_is_given_again_is_checked_as_before(tmp_path: Path) -> None:
    module = emit("dim N, C\ndata y: N int < C\nparam W: N x C, s\nloss L = mean(cross_entropy(W * s, y))", tmp_path)
    W, y = np.ones((3, 2), np.float32), np.array([0, 1, 1])
    first, _ = module.forward({"W": W, "s": 2.0}, {"y": y})
    for params, data, error in (
        ({"W": W, "s": 2.0}, {"y": y}, ""),
        ({"W": W, "s": np.float32(2)}, {"y": y}, ""),
        ({"W": W, "s": np.float32(2)}, {"y": y + 1}, "y holds 2"),
        ({"W": W, "s": np.float32(2)}, {"y": y / 1}, "y has to hold integers"),
        ({"W": W[:2], "s": np.float32(2)}, {"y": y}, "y has shape"),
        ({"W": W, "x": np.float32(2)}, {"y": y}, "params has no 's'"),
        ({"W": W, "s": np.float32(2)}, {"y": y, "z": y}, "data has an unknown name 'z'"),
    ):
        for _ in range(2):
            if error:
                with pytest.raises(ValueError, match=error):
                    module.forward(params, data)
            else:
                assert module.forward(params, data)[0] == first
    wide = W.astype(np.float64)
    grads = module.loss_and_grads({"W": wide, "s": np.float32(2)}, {"y": y})[1]
    assert (grads["W"].dtype, grads["s"].dtype) == (np.float64, np.float32)
