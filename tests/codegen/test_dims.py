"""Sizes that no array shows: given at the call, checked against those that arrays show, divided where they come out
whole. Random models with heads, groups and steps are held against the interpreter at the sizes they are called with.

A short sample runs with the other tests. The long run:

    SYMBACKPROP_EXAMPLES=500 python -m pytest tests/codegen/test_dims.py
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop import Model, load, mean, reshape, sqrt, verify
from symbackprop.codegen import codegen
from symbackprop.errors import ShapeError
from symbackprop.targets import TARGETS
from symbackprop.verified import verify_source
from symbackprop.verify.interpreter import evaluate
from symbackprop.verify.sampling import draw
from tests.codegen.helpers import emit

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "12"))

GROUP_NORM = """
dim N, C, H, W, G{default}
input x: N x C x H x W
param a: C
r = reshape(x, (N, G, C*H*W/G))
m = mean(r, axis=2, keepdims=True)
v = mean((r - m) ** 2, axis=2, keepdims=True)
output Y = reshape((r - m) / sqrt(v + 1e-5), (N, C, H, W)) * reshape(a, (C, 1, 1))
"""
STEPS = """
dim T, N
param w: N, x: N
h[0] = zeros(N)
for t in 1..T:
    h[t] = tanh(w * h[t-1] + x)
loss L = sum(h[T] ** 2)
"""


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return emit(load("transformer-block"), tmp_path_factory.mktemp("block"))


def block_inputs(block: ModuleType) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    return block.init_params(rng, d=6, F=5), {"X": rng.normal(size=(2, 3, 12))}


def test_heads_are_those_asked_for(block: ModuleType) -> None:
    params, data = block_inputs(block)
    model = load("transformer-block")
    seen = []
    for dims in (None, {}, {"h": 2}, {"h": 3}, {"h": 3, "d": 4}, {"d": 4}, {"h": np.int64(12)}, {"N": 2, "h": 1}):
        h = 12 // 4 if dims == {"d": 4} else int((dims or {}).get("h", 2))
        sizes = {"N": 2, "T": 3, "h": h, "d": 12 // h, "F": 5}
        found, cache = block.forward(params, data, dims=dims)
        np.testing.assert_allclose(found, evaluate(model.results(), {**params, **data}, sizes)[0], rtol=1e-10)
        np.testing.assert_array_equal(block.outputs(params, data, dims=dims)["Y"], found)
        assert block.backward(cache, np.ones_like(found))["W_q"].shape == (12, 12)
        seen.append((h, found))
    assert all((a == b) == np.allclose(x, y) for a, x in seen for b, y in seen)


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({"h": 5}, r"g1 has shape \(12,\), expected \(d\*h,\) with d\*h = 10, d = 2, h = 5: axis 0 is 12, not 10"),
        ({"h": 4, "d": 2}, r"g1 has shape \(12,\), expected \(d\*h,\) with d\*h = 8, d = 2, h = 4"),
        ({"d": 5}, r"g1 has shape \(12,\), expected \(d\*h,\) with d\*h = 10, d = 5, h = 2"),
        ({"N": 3}, r"X has 2 entries along axis 0 \(N\), but dims says N = 3"),
        ({"F": 6}, r"W1 has 5 entries along axis 1 \(F\), but dims says F = 6"),
        ({"heads": 4}, r"no dimension 'heads'; the model has N, T, h, d, F\. Did you mean 'h'\?"),
        ({"H": 4}, r"Did you mean 'h'\?"),
        ({1: 4}, "no dimension 1"),
        ({"h": 2.0}, "the size of h has to be a whole number, 0 or more, not 2.0"),
        ({"h": True}, "has to be a whole number"),
        ({"h": None}, "has to be a whole number"),
        ({"h": -2}, "has to be a whole number"),
        ({"h": 0}, "axis 0 is 12, not 0"),
        ([("h", 2)], "dims has to be a dict of sizes by name"),
    ],
)
def test_contradictions_are_refused(block: ModuleType, dims: Any, message: str) -> None:
    params, data = block_inputs(block)
    for function in (block.forward, block.outputs):
        with pytest.raises(ValueError, match=message):
            function(params, data, dims=dims)


def test_initial_parameters_for_a_size_that_they_would_not_show(block: ModuleType) -> None:
    """They would be computed with as if h were 2: refused, with what to do instead."""
    rng = np.random.default_rng(0)
    for dims in ({"h": 4, "F": 3}, {"h": 4, "d": 2, "F": 3}):
        with pytest.raises(ValueError, match=r"no array shows that h = 4, and forward computes with h = 2"):
            block.init_params(rng, **dims)
    assert block.init_params(rng, h=2, F=3)["W1"].shape == (8, 3)
    assert block.init_params(rng, d=5, F=3)["W1"].shape == (10, 3)
    with pytest.raises(ValueError, match=r"the size of d has to be a whole number, 0 or more, not 4.5"):
        block.init_params(rng, d=4.5, F=3)
    with pytest.raises(ValueError, match=r"no dimension 'D'.*Did you mean 'd'\?"):
        block.init_params(rng, D=4, F=3)


def test_a_workspace_is_for_the_sizes_it_was_made_for(tmp_path: Path) -> None:
    module, rng = emit(STEPS, tmp_path, level=2), np.random.default_rng(0)
    params = {"w": rng.normal(size=3), "x": rng.normal(size=3)}
    workspace = module.make_workspace(params, {}, dims={"T": 4})
    for _ in range(2):
        loss, grads = module.loss_and_grads(params, {}, workspace=workspace, dims={"T": 4})
        expected, right = module.loss_and_grads(params, {}, dims={"T": 4})
        assert loss == expected
        np.testing.assert_array_equal(grads["w"], right["w"])
    with pytest.raises(ValueError, match=r"the workspace was made for .*'T': 4"):
        module.loss_and_grads(params, {}, workspace=workspace, dims={"T": 5})
    with pytest.raises(ValueError, match="no array shows how large T is"):
        module.make_workspace(params, {})


def test_steps_without_data(tmp_path: Path) -> None:
    module = emit(STEPS, tmp_path)
    for steps in (1, 2, 5):
        h = np.zeros(2)
        for _ in range(steps):
            h = np.tanh(0.7 * h + np.array([0.3, -1]))
        loss, _ = module.forward({"w": np.full(2, 0.7), "x": np.array([0.3, -1])}, {}, dims={"T": steps})
        assert loss == pytest.approx((h**2).sum(), rel=1e-12)


def test_groups_of_a_scatter(tmp_path: Path) -> None:
    text = "dim N, G\ndata g: N int < G\nparam x: N\nloss L = sum(scatter_add(x, g, G) ** 2)"
    module = emit(text, tmp_path)
    params, data = {"x": np.array([1.0, 2, 3])}, {"g": [0, 2, 0]}
    assert module.forward(params, data, dims={"G": 3})[0] == 4**2 + 2**2
    with pytest.raises(ValueError, match="g holds 2, outside 0 <= g < G = 2"):
        module.forward(params, data, dims={"G": 2})


@pytest.mark.parametrize("level", [0, 1, 2])
def test_group_norm(tmp_path: Path, level: int) -> None:
    module, rng = emit(GROUP_NORM.format(default=" = 2"), tmp_path, level=level), np.random.default_rng(0)
    x, params = rng.normal(size=(2, 6, 2, 1)), {"a": rng.normal(size=6)}
    for dims in (None, {"G": 1}, {"G": 3}, {"G": 4}, {"G": 12}):
        r = x.reshape(2, (dims or {"G": 2})["G"], -1)
        y = (r - r.mean(2, keepdims=True)) / np.sqrt(r.var(2, keepdims=True) + 1e-5)
        found, _ = module.forward(params, {"x": x}, dims=dims)
        np.testing.assert_allclose(found, y.reshape(x.shape) * params["a"][:, None, None], rtol=1e-10, atol=1e-12)
    for wrong in ({"G": 5}, {"G": 0}):
        with pytest.raises(ValueError, match=r"C\*H\*W/G has to be a whole number, but is 12/"):
            module.forward(params, {"x": x}, dims=wrong)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_slices_stay_inside_their_arrays(tmp_path: Path, level: int) -> None:
    """NumPy would cut them short, and compute with another size."""
    text = "dim N, K\nparam x: N\nloss L = sum(x[:K] ** 2) / K + sum(x[N-K:]) + x[K-1]"
    module, params = emit(text, tmp_path, level=level), {"x": np.arange(5.0)}
    assert module.forward(params, {}, dims={"K": 3})[0] == pytest.approx(5 / 3 + 9 + 2)
    assert module.forward(params, {}, dims={"K": 5})[0] == pytest.approx(30 / 5 + 10 + 4)
    with pytest.raises(ValueError, match="a slice leaves its array: K = 6 is more than N = 5"):
        module.forward(params, {}, dims={"K": 6})
    module = emit("dim N, K\ndata k: K\nparam x: N\nloss L = sum(x[:K] * k)", tmp_path, level=level)
    with pytest.raises(ValueError, match="a slice leaves its array: K = 6 is more than N = 5"):
        module.forward(params, {"k": np.ones(6)})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("call", "size", "says"), [
    ("unfold(x, K, axis=1)", 2, "H - K + 1 = -1"), ("max_pool1d(x, 3, stride=2)", 0, "H - 1 = -1"),
    ("conv1d(x, w, padding=1)", 0, "H - K + 3 = -1"), ("conv1d(x, ones(2, C, C), dilation=3)", 2, "H - 3 = -1"),
    ("conv1d(x, ones(3, C, C), stride=2)", 0, "H - 1 = -1"),
])
def test_no_window_fits_by_a_stride_or_more(call: str, size: int, says: str, target: str, tmp_path: Path) -> None:
    """JAX would give arrays without entries, NumPy and PyTorch raise errors of their own; one entry more has no window,
    for all of them."""
    pytest.importorskip(target)
    text = f"dim N, H, C, K\nparam x: N x H x C, w: K x C x C\nloss L = sum({call}**2)"
    module = emit(text, tmp_path, target=target)

    def grads(size: int) -> Any:
        found = module.loss_and_grads({"x": np.ones((1, size, 2)), "w": np.ones((4, 2, 2))}, {})
        return float(found[0]), {name: np.shape(g) for name, g in found[1].items()}

    with pytest.raises(ValueError, match=f"the sizes are too small: {says} has to be 0 or more".replace("+", r"\+")):
        grads(size)
    assert grads(size + 1) == (0.0, {"x": (1, size + 1, 2), "w": (4, 2, 2)})


def test_a_loop_that_would_begin_behind_its_end_says_so(tmp_path: Path) -> None:
    text = "dim T\ndata x: T\nparam w\nh[2] = 0\nfor t in 3..T:\n    h[t] = w * h[t-1] + x[t]\nloss L = sum(h)"
    module, says = emit(text, tmp_path), r"the sizes are too small: T - 2 = -1 has to be 0 or more"
    assert module.forward({"w": 2.0}, {"x": np.ones(2)})[0] == 0
    with pytest.raises(ValueError, match=says):
        module.forward({"w": 2.0}, {"x": np.ones(1)})
    with pytest.raises(ShapeError, match=says):
        evaluate([Model.parse(text).graph.names["L"]], {"x": np.ones(1), "w": 2.0})


def test_a_quotient_as_a_declared_size_shows_its_divisor(tmp_path: Path) -> None:
    text = "dim N, C, G = 2\ndata x: N x C\nparam a: C/G\nloss L = sum((reshape(x, (N, G, C/G)) * a) ** 2)"
    module, rng = emit(text, tmp_path), np.random.default_rng(0)
    assert module.init_params(rng, C=12, G=3)["a"].shape == (4,)
    with pytest.raises(ValueError, match="C/G has to be a whole number, but is 12/5"):
        module.init_params(rng, C=12, G=5)
    params, x = {"a": np.ones(4)}, rng.normal(size=(2, 12))
    assert module.forward(params, {"x": x})[0] == pytest.approx((x**2).sum())
    with pytest.raises(ValueError, match=r"a has shape \(4,\), expected \(C/G,\) with C/G = 6, C = 12, G = 2"):
        module.forward(params, {"x": x}, dims={"G": 2})
    with pytest.raises(ValueError, match=r"a has shape \(5,\), expected \(C/G,\) with C/G = 6, C = 12, G = 2"):
        module.forward({"a": np.ones(5)}, {"x": x})


def test_python_models_divide_too() -> None:
    m = Model("python")
    N, C, H, W, G = m.dims("N C H W G")
    x, a = m.input("x", (N, C, H, W)), m.param("a", (C,))
    r = reshape(x, (N, G, C * H * W / G))
    c = r - mean(r, axis=2, keepdims=True)
    m.output("Y", reshape(c / sqrt(mean(c**2, axis=2, keepdims=True) + 1e-5), (N, C, H, W)) * reshape(a, (C, 1, 1)))
    assert Model.parse(m.text()).text() == m.text()
    for level in (0, 1, 2):
        assert verify_source(codegen(m, level=level), m)
    assert verify(m, sizes={"C": 4, "G": 2})


HIDDEN = {
    "a default": GROUP_NORM.format(default=" = 2"), "no default": GROUP_NORM.format(default=""), "steps": STEPS,
    "a slice": "dim N, h = 2\nparam x: N\nloss L = sum(x[:N/h] ** 2) + sum(x[N/h:] ** 3)",
    "in a loop": (
        "dim T, N, h, D\ndata c: T x N x D\nparam w: D\ns[0] = zeros(N, D)\nfor t in 1..T:\n"
        "    q = reshape(c[t] * w + s[t-1], (N, h, D/h))\n    s[t] = reshape(softmax(q), (N, D))\nloss L = sum(s[T]**2)"
    ),
    "several": "dim p, q, r\nparam u: p*q*r\nloss L = sum(sum(reshape(u, (p, q, r)), axis=1) ** 2) * r",
    "halves": "dim N\nparam x: N\nloss L = sum(reshape(x, ((N + 1)/2 + (N - 1)/2, 1)) ** 2)",
    "odd halves": "dim M, K = 3\nparam x: M\nloss L = sum(x) * sum(arange((K + 1)/2 * 2) ** 2) / K",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_verified(text: str) -> None:
    model = Model.parse(text, name="hidden")
    for level in (0, 1, 2):
        report = verify_source(codegen(model, level=level), model)
        assert report.passed, report.text()


def test_a_default_that_was_written_in_fails() -> None:
    """The default is not the only size that is tried."""
    model = Model.parse(GROUP_NORM.format(default=" = 2"), name="group")
    source = codegen(model)
    assert source.count('sizes["G"]') > 1
    report = verify_source(source.replace('sizes["G"]', "2"), model)
    assert report.verdict == "fail"


def test_modules_without_dims_are_still_verified() -> None:
    """As they were emitted before: the default is fixed."""
    model = Model.parse(GROUP_NORM.format(default=" = 2"), name="group")
    old = codegen(model).replace(", dims: dict | None = None)", ")").replace(", dims=dims)", ")")
    report = verify_source(old.replace(" = read(params, data, dims)", " = read(params, data, None)"), model)
    assert report.passed, report.text()


# -- random models
PARTS = {
    "h": ("", "sum(softmax(transpose(reshape(X @ U, (N, h, D/h)), (1, 0, 2)), axis=-1) ** 2)"),
    "G": ("", "sum(mean(reshape(X * w, (N, G, D/G)), axis=2) ** 3)"),
    "T": ("s[0] = zeros(D)\nfor t in 1..T:\n    s[t] = tanh(s[t-1] * w + X[0] / T)\n", "sum(s[T] ** 2)"),
    "S": ("data k: N int < S\n", "sum(scatter_add(X * w, k, S) ** 2) / S"),
    "n": ("", "sum(w) * mean(arange(n) + 1) + sum(w[:D*n/n] ** 2)"),
    "p": ("dim q\nparam u: p*q\n", "sum(sum(reshape(u, (p, q)), axis=0) ** 2) / p"),
}
CHOICES = {"h": [1, 2, 3, 4, 6], "G": [1, 2, 3, 6], "T": [1, 2, 4], "S": [3, 4, 5], "n": [1, 3, 6], "p": [1, 2, 3, 6]}


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=3, unique=True), st.integers(0, 2),
    st.integers(0, 2**30), st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_random_models_compute_with_the_sizes_they_are_given(
    hidden: list[str], level: int, seed: int, defaults: list[bool]
) -> None:
    rng = np.random.default_rng(seed)
    dims = ", ".join(n + (f" = {CHOICES[n][-1]}" if d else "") for n, d in zip(hidden, defaults, strict=False))
    declared = f"dim N, D, {dims}\ndata X: N x D\nparam U: D x D, w: D\n" + "".join(PARTS[n][0] for n in hidden)
    text = declared + "loss L = " + " + ".join(PARTS[n][1] for n in hidden)
    model = Model.parse(text, name="random")
    source = codegen(model, level=level)
    with TemporaryDirectory() as folder:
        module = emit(model, Path(folder), level=level)
    for _ in range(2):
        chosen = {n: int(rng.choice(CHOICES[n])) for n in hidden}
        sizes = {"N": 3, "D": 12, "q": 2, **chosen}
        sample = draw(model, {n: sizes[n] for n in model.sizes}, rng)
        params = {n: sample.values[n] for n in model.params}
        data = {n: v for n, v in sample.values.items() if n not in params}
        loss, _ = module.loss_and_grads(params, data, dims=chosen)
        assert loss == pytest.approx(float(evaluate(model.results(), sample.values, sizes)[0]), rel=1e-10), text
        refused(module, params, data, chosen, rng)
    report = verify_source(source, model, sizes=chosen, trials=1)
    assert report.passed, report.text()


def refused(module: ModuleType, params: Any, data: Any, chosen: dict[str, int], rng: Any) -> None:
    """Whatever contradicts is a ValueError, in every function."""
    wrong: list[dict[Any, Any]] = [{"N": 4}, {"D": 1}, {"none": 1}, {rng.choice(list(chosen)): -1}, {"N": 3.0}]
    wrong += [{n: 5} for n in chosen if n in "hG"] + [{n: 7} for n in chosen if n in "p"]
    for part in wrong:
        for name in ("forward", "loss_and_grads", "outputs", "make_workspace"):
            if hasattr(module, name):
                with pytest.raises(ValueError, match=r"dims says|no dimension|whole number|has shape"):
                    getattr(module, name)(params, data, dims={**chosen, **part})


def test_told_sizes_are_compared_with_the_arrays_in_one_pass(block: ModuleType) -> None:
    """Of thousands of sizes and arrays, each with each would be millions."""
    class Counted(dict[str, Any]):
        passes = 0

        def items(self) -> Any:
            Counted.passes += 1
            return super().items()

    sizes, arrays = {"N": 3}, {f"x{k}": np.zeros((3, 12)) for k in range(5)}
    shapes = Counted({n: ("N", "D") for n in arrays})
    block.add_sizes(sizes, {"T": 2, "D": 12, "N": 3}, dict.fromkeys("NTD"), arrays, shapes)
    assert sizes == {"N": 3, "T": 2, "D": 12} and Counted.passes == 1
    with pytest.raises(ValueError, match=r"x0 has 12 entries along axis 1 \(D\), but dims says D = 4"):
        block.add_sizes(sizes, {"D": 4}, dict.fromkeys("NTD"), arrays, shapes)
