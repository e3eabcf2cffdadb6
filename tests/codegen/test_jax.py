"""Modules for JAX: the numbers of the NumPy modules, with and without jit; skipped where JAX is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.codegen.helpers import library
from symbackprop.core.outputs import convex_outputs
from symbackprop.errors import ModelError, UsageError
from symbackprop.model import zoo
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verified import verify_source
from symbackprop.verify import verify_module
from tests.codegen import targets
from tests.codegen.helpers import body, emit, run
from tests.codegen.targets import CLOSE, Arrays, Given
from tests.codegen.test_empty import LOOPS as STARTED
from tests.codegen.test_empty import MATRICES, MEANS, WINDOWS
from tests.codegen.test_models import CONV, EMBEDDED, MLP, RNN
from tests.sweeps import ALL as WHOLE
from tests.sweeps import few_in_ci, sample

jax = pytest.importorskip("jax", reason="JAX is not installed")
jax.config.update("jax_disable_most_optimizations", True)  # compiles in less time

EAGER = {"rnn-lm", *sample(zoo.names(), 8)}  # without jit each operation is compiled alone


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def jitted(module: ModuleType, dims: dict[str, int] | None = None) -> tuple[Any, Any]:
    """forward and backward under jit."""
    return jax.jit(lambda params, data: module.forward(params, data, dims=dims)), jax.jit(module.backward)


def results(forward: Any, backward: Any, params: Arrays, data: Arrays) -> tuple[Arrays, Arrays]:
    """Results and gradients by name, for an upstream gradient of 0.5 for a loss or the first output, then 1.5 …"""
    found, cache = forward(params, data)
    outputs = dict(sorted(found.items())) if isinstance(found, dict) else {"": found}
    upstream = {n: np.full(np.shape(v), 0.5 + k) for k, (n, v) in enumerate(outputs.items())}
    return outputs, backward(cache, upstream if isinstance(found, dict) else upstream[""])


def same(found: Arrays, expected: Arrays, within: float = CLOSE) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == np.shape(value) and str(found[name].dtype) == str(np.asarray(value).dtype), name
        np.testing.assert_allclose(found[name], value, rtol=within, atol=within, err_msg=name)


def agrees(given: Given, folder: Path, eager: bool = False, **options: Any) -> None:
    """The module for JAX gives what that for NumPy gives, under jit and perhaps without."""
    params, data, dims = given.params, given.data, given.dims
    plain, module = (emit(given.model, folder, target=t, **given.options, **options) for t in ("numpy", "jax"))
    for constant in ("NAME", "MODEL", "PARAMS", "DATA", "LOSS", "DIMS", "INTEGERS"):
        assert getattr(module, constant) == getattr(plain, constant)
    with np.errstate(all="ignore"):
        expected = results(lambda p, d: plain.forward(p, d, dims=dims), plain.backward, params, data)
        named = plain.outputs(params, data, dims=dims)
    ways = [jitted(module, dims), *([(lambda p, d: module.forward(p, d, dims=dims), module.backward)] if eager else [])]
    for way in ways:
        for ours, theirs in zip(results(*way, params, data), expected, strict=True):
            same(ours, theirs, given.within)
    if eager:
        same(module.outputs(params, data, dims=dims), named, given.within)


def drawn(text: str) -> tuple[Arrays, Arrays]:
    given = targets.drawn(parse(text))
    return given.params, given.data


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 8))
def test_every_built_in_model(name: str, tmp_path: Path) -> None:
    agrees(targets.built_in(name), tmp_path, eager=name in EAGER)


@pytest.mark.parametrize("name", zoo.names() if WHOLE else ["rnn-lm", "softmax-regression", "vae"])
def test_derivatives_along_a_direction(name: str, tmp_path: Path) -> None:
    """All of them with SWEEP=all. Those of the NumPy module are verified in tests/verify/test_along.py."""
    given = targets.built_in(name)
    model, params, data, dims = given.model, given.params, given.data, given.dims
    along = ["hvp", "jvp", *(["ggn"] if has_gauss_newton(model) else [])]
    plain, module = (emit(model, tmp_path, along=along, target=target) for target in ("numpy", "jax"))
    rng, moved = np.random.default_rng(1), model.targets()
    v = {n: rng.normal(size=np.shape(a)) for n, a in {**params, **data}.items() if n in moved}
    found = plain.forward(params, data, dims=dims)[0]
    several = isinstance(found, dict)
    weights = {n: rng.normal(size=np.shape(a)) for n, a in (found if several else {"": found}).items()}
    upstream = () if plain.LOSS else (weights if several else weights[""],)
    for word in along:
        arrays = (params, data, v, *(upstream if word == "hvp" else ()))
        ours = jax.jit(lambda *x, word=word: getattr(module, word)(*x, dims=dims))(*arrays)
        expected = getattr(plain, word)(*arrays, dims=dims)
        assert all(np.isfinite(a).all() for a in expected.values())
        same(ours, expected, 1e-9)


def has_gauss_newton(model: Model) -> bool:
    try:
        return model.loss_row is not None and bool(convex_outputs(model.loss_row, list(model.targets().values())))
    except ModelError:
        return False


@pytest.mark.parametrize("name", few_in_ci(["rnn-lm", "gpt", "conv-net", "linear-layer", "vae"], 2))
def test_without_optimisation(name: str, tmp_path: Path) -> None:
    agrees(targets.built_in(name), tmp_path, level=0)


# -- every op, every function, kinds, what is selected

TestNumbers = targets.tests_of(agrees, lambda cases: few_in_ci(cases, 6), few_in_ci([(3, 4), ()], 2))


@pytest.mark.parametrize("size", [-1000.0, 1000.0, 1e300])
def test_large_logits(size: float, tmp_path: Path) -> None:
    text = "dim N, C\ndata y: N int < C\nparam z: N x C\nloss L = mean(cross_entropy(z, y) + norm(softplus(z), axis=1))"
    agrees(Given(parse(text), {"z": np.array([[size, 0.0], [0.0, size]])}, {"y": np.array([0, 1])}), tmp_path)


# -- precision


def test_float32_through(tmp_path: Path) -> None:
    module = emit(RNN, tmp_path, target="jax")
    params, data = drawn(RNN)
    single = [{n: v.astype(np.float32) for n, v in values.items()} for values in (params, data)]
    forward, backward = jitted(module)
    loss, cache = forward(*single)
    assert {a.dtype for a in jax.tree.leaves((loss, cache, backward(cache)))} == {np.dtype(np.float32)}


def test_each_gradient_has_the_dtype_of_its_array(tmp_path: Path) -> None:
    module = emit("dim N\nparam a: N, b: N, c: N\nloss L = sum(tanh(a * b) * c)", tmp_path, target="jax")
    half = jax.numpy.bfloat16
    params = {"a": np.ones(2, np.float32), "b": jax.numpy.ones(2, half), "c": [1.0, 2.0]}
    loss, grads = module.loss_and_grads(params, {})
    assert {n: str(g.dtype) for n, g in grads.items()} == {"a": "float32", "b": "bfloat16", "c": "float32"}
    assert loss.dtype == np.float32


def test_without_x64_everything_is_float32_and_nothing_warns(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, target="jax")
    params, data = drawn(MLP)
    with jax.enable_x64(False):
        loss, grads = module.loss_and_grads(params, data)
        drawn_params = module.init_params(0, D=3, H=2, C=4)
    expected, slopes = emit(MLP, tmp_path).loss_and_grads(params, data)
    assert {a.dtype for a in (loss, *grads.values(), *drawn_params.values())} == {np.dtype(np.float32)}
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    for name, slope in slopes.items():
        np.testing.assert_allclose(grads[name], slope, rtol=1e-4, atol=1e-6)


LARGE = ["x * 3000000000", "x - 2147483648", "where(x < 3000000000, x, 2 * x)", "x / 12345678901",
         "x ** 2 + k * 2147483649"]


@pytest.mark.parametrize("form", LARGE)
def test_numbers_that_32_bits_do_not_hold(form: str, tmp_path: Path) -> None:
    text = f"dim N\ndata k: N int < 3\nparam x: N\nloss L = sum({form})"
    params, data = {"x": np.array([0.5, 2.0])}, {"k": np.array([0, 2])}
    agrees(Given(parse(text), params, data), tmp_path)
    module, plain = emit(text, tmp_path, target="jax"), emit(text, tmp_path)
    with jax.enable_x64(False):
        loss, grads = module.loss_and_grads(params, data)
    expected, slopes = plain.loss_and_grads(params, data)
    np.testing.assert_allclose([loss, *grads["x"]], [expected, *slopes["x"]], rtol=1e-6)


def test_integers_are_not_cut_off(tmp_path: Path) -> None:
    """JAX would take the last 32 bits of what is larger, and say nothing."""
    module = emit("dim N\ndata k: N int < 3\nparam x: N\nloss L = sum(x * k)", tmp_path, target="jax")
    one = np.array([1])
    with jax.enable_x64(False):
        for large in (np.array([2**32 + 1]), [2**32 + 1], np.array([2**33], np.uint64), np.array([-(2**40)])):
            for params, data, name in (({"x": large}, {"k": one}, "x"), ({"x": one}, {"k": large}, "k")):
                with pytest.raises(ValueError, match=f"{name} .* int32|{name} .* uint32"):
                    module.forward(params, data)
        assert module.forward({"x": np.array([2**31 - 1])}, {"k": one})[0] == np.float32(2**31 - 1)
        assert module.forward({"x": np.zeros(0, int)}, {"k": np.zeros(0, int)})[0] == 0


def test_products_of_sizes_that_32_bits_do_not_hold(tmp_path: Path) -> None:
    text = (
        "dim A, B, N\ndata k: N int < 5\nparam x: N\nM = A*B\n"
        "loss L = sum(x)/(A*B) + sum(x*M*B) + sum(k*x)*A*B + sum(maximum(x, A*B)) + sum(where(k < A*B, x, 2*x))"
        " + A**2*x[0]"
    )
    plain, module = emit(text, tmp_path), emit(text, tmp_path, target="jax")
    given = {"x": np.array([1.0, 2.0])}, {"k": np.array([1, 3])}, {"A": 2**16, "B": 2**17}
    with jax.enable_x64(False):
        jit = jax.jit(lambda params, data: module.loss_and_grads(params, data, dims=given[2]))
        found = module.loss_and_grads(*given[:2], dims=given[2]), jit(*given[:2])
    loss, grads = plain.loss_and_grads(*given[:2], dims=given[2])
    for ours, slopes in found:
        np.testing.assert_allclose([ours, *slopes["x"]], [loss, *grads["x"]], rtol=1e-6)


TWO_CARRIED = """
dim T, N
data x: T x N
param w: N, v: N
a[0] = w
b[0] = zeros(N)
for t in 1..T:
    a[t] = tanh(a[t-1] * v + x[t])
    b[t] = b[t-1] + a[t-1] * a[t]
loss L = sum(a[T] ** 2) + sum(b[T] * v)
"""


DOWN = """
dim T, N
data x: T x N, k[T+1]: N int < 5
param w: N, v: N
h[T+1] = v
for t in T..1:
    k[t] = k[t+1] + 1
    h[t] = tanh(h[t+1] * w + k[t+1] * x[t])
loss L = sum(h[1]) + sum(k * w)
"""


@pytest.mark.parametrize("text", [RNN, TWO_CARRIED, DOWN, *STARTED])
def test_loops_of_no_step(text: str, tmp_path: Path) -> None:
    agrees(targets.of_nothing(text, "T"), tmp_path)


def test_a_product_of_a_loop_of_no_step_that_reads_two_steps_back(tmp_path: Path) -> None:
    """States moved by two steps were one too many for a scan without a step."""
    text = "dim T, N\ndata x: T x N\nparam b: N, s\na[0] = b\nc[0] = 2 * b\nfor t in 1..T:\n" \
        "    a[t] = c[t-1] * s\n    c[t] = a[t-1] + x[t]\nloss L = sum(a[T] * c[T])"
    params, data = {"b": np.ones(2), "s": 0.5}, {"x": np.zeros((0, 2))}
    along = emit(text, tmp_path, target="jax", along=["hvp"]).hvp(params, data, params)
    np.testing.assert_allclose(along["b"], [4, 4])  # L = 2 Σ b²
    assert along["s"] == 0


@pytest.mark.parametrize("text", [*MEANS, *WINDOWS, *MATRICES])
def test_means_of_nothing(text: str, tmp_path: Path) -> None:
    agrees(targets.of_nothing(text, "T", "N"), tmp_path, eager=True)


# -- the rest of the interface


def test_what_is_given_is_checked(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, target="jax")
    params, data = drawn(MLP)
    rows = len(data["y"])
    for wrong, message in (
        ({"X": data["X"][:, 1:]}, r"X has shape .*, expected \(N, D\) .*: axis 1 is"),
        ({"y": np.full(rows, 99)}, r"y holds 99, outside 0 <= y < C = "),
        ({"y": np.full(rows, 0.5)}, "y has to hold integers, not float64"),
        ({"X": "no"}, "X is not an array"),
        ({"X": 1j * data["X"]}, "X is not an array of real numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            module.forward(params, data | wrong)
    with pytest.raises(ValueError, match="expected"):
        jitted(module)[0](params, data | {"X": data["X"][:, 1:]})
    with pytest.raises(ValueError, match="upstream has to be a number"):
        module.backward(module.forward(params, data)[1], np.ones(2))
    with pytest.raises(ValueError, match="upstream has to be a number"):
        module.backward(module.forward(params, data)[1], [1.0, 2.0])
    with pytest.raises(ValueError, match="the upstream gradient is not an array"):
        module.backward(module.forward(params, data)[1], "no")
    layer = emit("dim N\ninput x: N\noutput Y = tanh(x)", tmp_path, target="jax")
    with pytest.raises(ValueError, match=r"the upstream gradient of Y has shape \(2,\), expected \(3,\)"):
        layer.backward(layer.forward({}, {"x": np.ones(3)})[1], np.ones(2))


def test_initial_parameters(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, target="jax")
    first, again = module.init_params(0, D=300, H=4, C=2), module.init_params(jax.random.key(0), D=300, H=4, C=2)
    assert all(bool((first[n] == again[n]).all()) for n in first)
    assert float(first["W1"].std()) == pytest.approx((2 / 300) ** 0.5, rel=0.1) and not first["b1"].any()
    same(module.init_params(np.random.default_rng(0), D=3, H=4, C=2), emit(MLP, tmp_path).init_params(0, D=3, H=4, C=2))
    with pytest.raises(ValueError, match="init_params needs a size for D"):
        module.init_params(0)


def test_seeds(tmp_path: Path) -> None:
    module = emit("param w\nloss L = w**2", tmp_path, target="jax")
    for seed in (3, np.array(3), np.int64(3), jax.numpy.array(3), jax.random.key(3), jax.random.PRNGKey(3)):
        assert module.init_params(seed)["w"] == module.init_params(3)["w"]
    keys = jax.random.split(jax.random.key(0), 3)
    for wrong in (None, 1.5, "no", [1, 2], np.array(1.5), np.array([1.0, 2.0]), keys, {}):
        with pytest.raises(ValueError, match=r"rng has to be a jax.random key, or a whole number as a seed, not"):
            module.init_params(wrong)
    with pytest.raises(ValueError, match=r"the seed .* has more bits than JAX takes"):
        module.init_params(2**70)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "adam", "adamw"])
def test_optimisers(optimizer: str, tmp_path: Path) -> None:
    plain, module = (emit(MLP, tmp_path, optimizer=optimizer, target=target) for target in ("numpy", "jax"))
    params, data = drawn(MLP)
    ours, theirs = (params, module.init_state(params)), (params, plain.init_state(params))
    update = jax.jit(module.update)
    for _ in range(3):
        ours = update(ours[0], module.loss_and_grads(ours[0], data)[1], ours[1])
        theirs = plain.update(theirs[0], plain.loss_and_grads(theirs[0], data)[1], theirs[1])
    same(ours[0], theirs[0])


def test_a_step_may_be_vectorised_and_differentiated(tmp_path: Path) -> None:
    """The module is plain JAX: vmap over a batch of parameters, and grad of forward is what backward says."""
    module = emit(RNN, tmp_path, target="jax")
    params, data = drawn(RNN)
    slopes = jax.jit(jax.grad(lambda p: module.forward(p, data)[0]))(params)
    grads = module.loss_and_grads(params, data)[1]
    same(slopes, {n: np.asarray(grads[n]) for n in params})
    many = jax.vmap(lambda p: module.loss_and_grads(p, data)[1]["U" if "U" in params else "W_h"])(
        {n: np.stack([v, 2 * v]) for n, v in params.items()}
    )
    np.testing.assert_allclose(many[0], grads["W_h"], rtol=1e-10)


def test_the_code_is_that_of_a_person() -> None:
    lines = [line.strip() for line in body(codegen(parse(RNN), target="jax"), "forward").splitlines()]
    assert "def step(h_prev: jnp.ndarray, t2: jnp.ndarray) -> tuple[jnp.ndarray, jnp.ndarray]:" in lines, lines
    assert "h_T, h = jax.lax.scan(step, h_prev, t1, length=T)" in lines, lines
    backward = body(codegen(parse(EMBEDDED), target="jax"), "backward")
    assert "dC = jnp.zeros((V, E), dtype).at[ids].add(" in backward
    imports = [line for line in codegen(parse(CONV), target="jax").splitlines() if "import" in line.split()[:1]]
    assert imports == ["import jax", "import jax.numpy as jnp"]


def test_helpers_are_numpys_under_another_name_or_their_own() -> None:
    ours, theirs = library("jnp"), library("np")
    assert ours.keys() >= theirs.keys() - {"over_short_axes"}
    assert "jnp.expm1(jnp.minimum(x, 0))" in ours["elu"].text and "np.random" not in ours["generator"].text


def test_verified(tmp_path: Path) -> None:
    for text in (*([CONV, RNN] if WHOLE else []), MLP):
        model = parse(text, name="verified")
        source = codegen(model, target="jax")
        report = verify_source(source, model, trials=1)
        assert report.passed, report.text()
    wrong = verify_source(source.replace("grad * factor", "2 * grad * factor"), model, trials=1)
    assert wrong.verdict == "fail"


def test_a_check_compiles_quickly_and_leaves_the_switch_as_it_was(tmp_path: Path) -> None:
    switch = "jax_disable_most_optimizations"
    source = codegen(parse("param w\nloss L = w**2"), target="jax")
    spied = source.replace("def backward(cache", "SEEN = []\n\n\ndef backward(cache").replace(
        '    w = cache["w"]', f'    SEEN.append(jax.config.values["{switch}"])\n    w = cache["w"]')
    module = run(spied, tmp_path)
    jax.config.update(switch, False)
    try:
        assert verify_module(module, parse("param w\nloss L = w**2"), trials=1).passed
        assert module.SEEN and all(module.SEEN) and not jax.config.values[switch]
    finally:
        jax.config.update(switch, True)


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(UsageError, match=r"-O2 is not for jax: .* arrays of JAX are never changed"):
        codegen(parse(MLP), target="jax", level=2)
    with pytest.raises(UsageError, match=r"the target is numpy, jax or torch, not 'jaxx'\. Did you mean 'jax'"):
        codegen(parse(MLP), target="jaxx")


LOOPED = "dim T, N\ndata x: T x N\nparam w: N\nh[0] = zeros(N)\nfor t in 1..T:\n    h[t] = tanh(h[t-1]*w + x[t])\n" \
         "loss L = sum(h[T])**2"


def test_an_estimated_diagonal(tmp_path: Path) -> None:
    """Of the same draws as NumPy's: those of a numpy.random.Generator."""
    plain, module = (emit(LOOPED, tmp_path, whole=["hessian_diagonal"], target=t) for t in ("numpy", "jax"))
    params, data = drawn(LOOPED)
    found, expected = (m.hessian_diagonal_estimate(params, data, np.random.default_rng(3), samples=4)
                       for m in (module, plain))
    for ours, theirs in zip(found, expected, strict=True):
        same(ours, theirs)
    again, _ = module.hessian_diagonal_estimate(params, data, jax.random.key(0), samples=2)
    assert again["w"].shape == params["w"].shape


def test_a_hessian_by_products_asks_for_one(tmp_path: Path) -> None:
    """The product is compiled once for all columns: the loops in it would be compiled anew for each."""
    module, asked = emit(LOOPED, tmp_path, whole=["hessian"], target="jax"), []
    product = module.hvp
    module.hvp = lambda *args, **named: asked.append(1) or product(*args, **named)
    params, data = drawn(LOOPED)
    assert module.hessian_dense(params, data).shape == (params["w"].size,) * 2 and len(asked) == 1 < params["w"].size


def test_a_step_may_carry_and_read_nothing(tmp_path: Path) -> None:
    """The tangent of u is the same at every step, and that of h is 0."""
    text = """dim T, N
param w: N
data c: T x N
h[0] = zeros(N)
for t in 1..T:
    u[t] = cumsum(w + h[t-1])
    h[t] = sin(c[t])
loss L = sum(u)"""
    module = emit(text, tmp_path, target="jax", level=0, along=("jvp",))
    found = module.jvp({"w": np.ones(2)}, {"c": np.ones((3, 2))}, {"w": np.array([1.0, 2.0])})
    np.testing.assert_allclose(found["L"], 12)
