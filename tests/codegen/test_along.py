"""Emitted derivatives along a direction, against differences of the same module's gradients and values.

CI takes a sample of the built-in models. All of them, in both targets, at every level:

    SWEEP=all python -m pytest tests/codegen/test_along.py
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.errors import ModelError, UsageError
from symbackprop.model import zoo
from symbackprop.model.text import parse
from tests.codegen.helpers import ALONG, emit
from tests.codegen.test_models import ALL as MODELS
from tests.core.helpers import close
from tests.derive.test_blocks import POINTS
from tests.sweeps import ALL

Arrays = dict[str, Any]
BOTH = ["numpy", "jax"]
STEP = 1e-5


def told(name: str) -> str:
    return MODELS[name] if name in MODELS else zoo.build(name).text()


class Point:
    """A module, what it is called with, and a direction; of a layer also upstream gradients."""

    def __init__(self, module: ModuleType, sizes: dict[str, int], seed: int = 0, like: type = np.float64) -> None:
        self.module, self.rng = module, np.random.default_rng(seed)
        self.sizes = sizes
        self.params, self.data = ({n: self.drawn(n, s, like) for n, s in table.items()}
                                  for table in (module.PARAMS, module.DATA))
        out, cache = module.forward(self.params, self.data)
        self.upstream: tuple[Any, ...] = ()
        if module.LOSS is None:
            several = isinstance(out, dict)
            shapes = {n: np.shape(a) for n, a in (out if several else {module.OUTPUTS[0]: out}).items()}
            drawn = {n: self.rng.normal(size=s).astype(like) for n, s in shapes.items()}
            self.upstream = (drawn if several else drawn[module.OUTPUTS[0]],)
        self.wrt = {n: np.shape(g) for n, g in module.backward(cache, *self.upstream).items()}

    def drawn(self, name: str, shape: tuple[Any, ...], like: type) -> Any:
        size = [int(eval(str(d), {}, self.sizes)) for d in shape]
        if name in self.module.INTEGERS:
            below = self.module.INTEGERS[name]
            return self.rng.integers(0, self.sizes.get(below, below), size)
        return (0.7 * self.rng.normal(size=size)).astype(like)

    def direction(self, like: type = np.float64) -> Arrays:
        return {n: self.rng.normal(size=s).astype(like) for n, s in self.wrt.items()}

    def moved(self, v: Arrays, step: float) -> tuple[Arrays, Arrays]:
        return tuple({n: a + step * v[n] if n in v else a for n, a in some.items()}  # type: ignore[return-value]
                     for some in (self.params, self.data))

    def slope(self, function: Any, v: Arrays) -> Arrays:
        """How fast a function of params and data changes along v: differences of fourth order."""
        at = {k: function(*self.moved(v, k * STEP * 10)) for k in (-2, -1, 1, 2)}
        return {n: (at[-2][n] - 8 * at[-1][n] + 8 * at[1][n] - at[2][n]) / (120 * STEP) for n in at[1]}

    def gradients(self, params: Arrays, data: Arrays) -> Arrays:
        found = self.module.backward(self.module.forward(params, data)[1], *self.upstream)
        return {n: np.asarray(g) for n, g in found.items()}

    def results(self, params: Arrays, data: Arrays) -> Arrays:
        found, _ = self.module.forward(params, data)
        words = self.module.OUTPUTS if self.module.LOSS is None else (self.module.LOSS,)
        return {n: np.asarray(a) for n, a in (found if isinstance(found, dict) else {words[0]: found}).items()}


def same(found: Arrays, expected: Arrays, tolerance: float = 1e-6) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        close(found[name], value, tolerance)


def check(point: Point, **options: Any) -> None:
    v, u = point.direction(), point.direction()
    hv = point.module.hvp(point.params, point.data, v, *point.upstream, **options)
    hv = {n: np.array(a) for n, a in hv.items()}
    same(hv, point.slope(point.gradients, v))
    same(point.module.jvp(point.params, point.data, v, **options), point.slope(point.results, v))
    hu = point.module.hvp(point.params, point.data, u, *point.upstream, **options)
    pairs = [sum(float(np.sum(a[n] * b[n])) for n in v) for a, b in ((u, hv), (v, hu))]
    close(*pairs, 1e-9)


def sizes_of(text: str) -> dict[str, int]:
    return parse(text).default_sizes()


SMOOTH = ("logistic", "embedded", "rnn", "layers", "two_outputs", "attention")
SAMPLE = [(name, 1, "numpy") for name in SMOOTH] + [("rnn", 0, "numpy"), ("attention", 0, "numpy")]
SAMPLE += [(name, 2, "numpy") for name in ("layers", "two_outputs", "rnn")]
KINKED = {"max-gate", "sum-times-max", "svm-hinge", "two-paths"}  # where a difference may step over a kink
EVERY = [(n, level, t) for n in (*MODELS, *zoo.names()) for t in BOTH for level in (0, 1, 2)
         if (t == "numpy" or level < 2) and n not in KINKED and "neural" not in n]


@pytest.mark.parametrize(("name", "level", "target"), EVERY if ALL else SAMPLE)
def test_products_are_slopes(name: str, level: int, target: str, tmp_path: Path) -> None:
    if target == "jax":
        pytest.importorskip("jax").config.update("jax_enable_x64", True)
    text = told(name)
    module = emit(text, tmp_path, level=level, target=target, along=ALONG)
    point = Point(module, sizes_of(text))
    workspace = {"workspace": module.make_workspace(point.params, point.data)} if level == 2 else {}
    for options in (workspace, {}):
        check(point, **options)


@pytest.mark.oracle
def test_products_in_jax_are_compiled(tmp_path: Path) -> None:
    """They agree with JAX's own derivative of the same module's gradients, and run under jit."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    text = MODELS["rnn"]
    point = Point(emit(text, tmp_path, target="jax", along=ALONG), sizes_of(text))
    v, m = {n: v for n, v in point.direction().items() if n != "h0"}, point.module
    found = jax.jit(m.hvp)(point.params, point.data, v)
    gradient = lambda p: {n: g for n, g in m.backward(m.forward(p, point.data)[1]).items() if n in v}  # noqa: E731
    same(found, jax.jvp(gradient, (point.params,), (v,))[1], 1e-10)
    loss = lambda p: {"L": m.forward(p, point.data)[0]}  # noqa: E731
    same(jax.jit(m.jvp)(point.params, point.data, v), jax.jvp(loss, (point.params,), (v,))[1], 1e-10)


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("name", POINTS)
def test_special_points(name: str, level: int, tmp_path: Path) -> None:
    """The Hessian as it is known there, by products, whole, and its diagonal."""
    text, at, want = POINTS[name]
    module = emit(text, tmp_path, along=["hvp"], whole=["hessian", "hessian_diagonal"], level=level)
    params, units = {"w": np.array(at)}, np.eye(len(at))
    with np.errstate(all="ignore"):
        found = [np.stack([module.hvp(params, {}, {"w": v})["w"] for v in units]), module.hessian_dense(params, {}),
                 module.hessian({**params}, {})["w", "w"].dense(), np.diag(module.hessian_diagonal(params, {})["w"])]
    for whole, expected in zip(found, [want, want, want, np.diag(np.diag(want))], strict=True):
        assert np.abs(whole - np.array(expected)).max() < 1e-12


# -- what they are called with
def test_float32_stays(tmp_path: Path) -> None:
    point = Point(emit(MODELS["rnn"], tmp_path, along=ALONG), sizes_of(MODELS["rnn"]), like=np.float32)
    v = point.direction(np.float32)
    found = {**point.module.hvp(point.params, point.data, v), **point.module.jvp(point.params, point.data, v)}
    assert {a.dtype for a in found.values()} == {np.dtype(np.float32)}
    mixed = point.module.hvp(point.params, point.data, point.direction())
    assert {a.dtype for a in mixed.values()} == {np.dtype(np.float32)}  # as their arrays are


LAYER = "dim N, D\ninput X: N x D\nparam W: D x D\noutput Y = tanh(X @ W)"


def test_what_is_returned_has_the_names_of_v(tmp_path: Path) -> None:
    point = Point(emit(LAYER, tmp_path, along=ALONG), {"N": 2, "D": 3})
    v = point.direction()
    alone, zero = {"W": v["W"]}, {"W": v["W"], "X": 0 * v["X"]}
    found, whole = (point.module.hvp(point.params, point.data, some, *point.upstream) for some in (alone, zero))
    assert set(found) == {"W"} and set(whole) == {"W", "X"}
    close(found["W"], whole["W"])
    same(*[point.module.jvp(point.params, point.data, some) for some in (alone, zero)])


@pytest.mark.parametrize(("v", "says"), [
    ({}, "v has no 'W'; it needs W, and perhaps X"),
    ({"W": np.ones((3, 3)), "Z": 1}, "v has an unknown name 'Z'; it needs W, and perhaps X"),
    ({"W": np.ones((2, 3))}, r"v\['W'\] has shape \(2, 3\), expected \(D, D\) with D = 3: axis 0 is 2, not 3"),
    ({"W": np.ones(3)}, r"v\['W'\] has shape \(3,\), expected \(D, D\) with D = 3"),
    ({"W": np.ones((3, 3)), "X": np.ones((1, 3))}, r"v\['X'\] has shape \(1, 3\), expected \(N, D\)"),
    ({"W": np.full((3, 3), "a")}, r"v\['W'\] is not an array of real numbers"),
    (np.ones((3, 3)), "v has to be a dict of arrays by name, not ndarray"),
])
def test_what_is_no_direction_is_refused(v: Any, says: str, tmp_path: Path) -> None:
    point = Point(emit(LAYER, tmp_path, along=ALONG), {"N": 2, "D": 3})
    for call in (lambda: point.module.jvp(point.params, point.data, v),
                 lambda: point.module.hvp(point.params, point.data, v, *point.upstream)):
        with pytest.raises(ValueError, match=says):
            call()


def test_inputs_stay_as_they_are(tmp_path: Path) -> None:
    point = Point(emit(MODELS["rnn"], tmp_path, along=ALONG), sizes_of(MODELS["rnn"]))
    v = point.direction()
    before = [{n: a.copy() for n, a in some.items()} for some in (point.params, point.data, v)]
    first = point.module.hvp(point.params, point.data, v)
    for a in first.values():
        a += 1
    for some, kept in zip((point.params, point.data, v), before, strict=True):
        same(some, kept, 1e-15)


NAMES = "dim v = 3, along\ndata found: v x along\nparam hvp: v, wanted: along, dtypes\nconst kept = 2\n{}" \
        "loss jvp = sum(tanh(found @ wanted) * hvp) ** 2 * dtypes * kept"


@pytest.mark.parametrize("more", ["", "data sizes: v\n"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_names_that_the_functions_use_themselves(more: str, level: int, tmp_path: Path) -> None:
    check(Point(emit(NAMES.format(more), tmp_path, level=level, along=ALONG), {"v": 3, "along": 2}))


def test_a_constant_called_v(tmp_path: Path) -> None:
    module = emit("const v = 3\nparam w\nloss L = v * w**3", tmp_path, along=ALONG)
    assert module.hvp({"w": 2.0}, {}, {"w": 1.0}) == {"w": 36.0} and module.jvp({"w": 2.0}, {}, {"w": 1.0}) == {"L": 36}


def test_numbers_alone(tmp_path: Path) -> None:
    module = emit("data x\nparam w, b\nloss L = (w / x + b) ** 2", tmp_path, along=ALONG)
    found = module.hvp({"w": 1.0, "b": 2.0}, {"x": 4.0}, {"w": 1, "b": 0.0})
    assert found == {"w": 0.125, "b": 0.5}
    with np.errstate(all="ignore"):
        assert np.isinf(module.hvp({"w": 1.0, "b": 2.0}, {"x": 0.0}, {"w": 1, "b": 0.0})["w"])


def test_sizes_that_no_array_shows(tmp_path: Path) -> None:
    text = "dim H, K\nparam w: H*K\nloss L = sum(sum(reshape(w, (H, K)), axis=1) ** 3) / K"
    module = emit(text, tmp_path, along=ALONG)
    w, v = np.arange(6.0), np.ones(6)
    for h in (2, 3):
        sums = w.reshape(h, 6 // h).sum(1)
        dims = {"H": h, "K": 6 // h}
        expected = np.repeat(6 * sums * (6 // h), 6 // h) / (6 // h)
        close(module.hvp({"w": w}, {}, {"w": v}, dims=dims)["w"], expected)
        close(module.jvp({"w": w}, {}, {"w": v}, dims=dims)["L"], (3 * sums**2 * (6 // h)).sum() / (6 // h))


def test_only_along_what_gradients_are_asked_of(tmp_path: Path) -> None:
    module = emit(MODELS["mlp"], tmp_path, wrt=["W2", "A1"], along=["hvp"])
    point = Point(module, sizes_of(MODELS["mlp"]))
    assert set(module.hvp(point.params, point.data, {"W2": np.ones(point.wrt["W2"])})) == {"W2"}
    with pytest.raises(UsageError, match="hvp goes along parameters and inputs, and gradients of none are asked for"):
        codegen(parse(MODELS["mlp"]), wrt=["A1"], along=["hvp"])
    with pytest.raises(UsageError, match=r"hvp, jvp, ggn, not 'hpv'. Did you mean 'hvp'"):
        codegen(parse(MODELS["mlp"]), along=["hpv"])


# -- what is emitted
def test_without_them_a_module_is_as_it_was() -> None:
    assert "hvp" not in codegen(parse(MODELS["mlp"]))


def test_logistic_regression_reads_as_in_the_textbook() -> None:
    text = codegen(parse(MODELS["logistic"]), along=["hvp"])
    for line in ("z_dot = X v_w + v_b   N", "p_dot = z_dot ⊙ p ⊙ (1 − p)   N", "Hv_w = Xᵀ dz_dot   D"):
        assert f"# {line}\n" in text
    assert max(map(len, text.split('"""\n', 3)[-1].splitlines())) <= 120


# -- Gauss–Newton
DEEP = "dim N, D, H, C\ndata X: N x D, {}\nparam W: D x H, V: H x C\nZ = tanh(X @ W) @ V\nloss L = {}"
CURVED = {  # a text, and the second derivatives of its loss by Z times a direction of it
    "squares": (DEEP.format("T: N x C", "sum((Z - T)**2) / 2"), lambda z, d, a: d),
    "classes": (DEEP.format("t: N int < C", "mean(cross_entropy(Z, t))"), lambda z, d, a: softened(z, d) / len(z)),
    "by hand": (DEEP.format("T: N x C", "-sum(T * log(softmax(Z)))"),
                lambda z, d, a: softened(z, d) * a["T"].sum(1, keepdims=True)),
    "counts": (DEEP.format("T: N x C", "sum(exp(Z) - T * Z)"), lambda z, d, a: np.exp(z) * d),
}


def softened(z: Any, d: Any) -> Any:
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return p * (d - (p * d).sum(1, keepdims=True))


@pytest.mark.parametrize(("name", "level", "target"), [
    *[(name, 1, "numpy") for name in CURVED], ("classes", 0, "numpy"), ("counts", 2, "numpy"),
    *[(name, 1, "jax") for name in CURVED if ALL]])
def test_gauss_newton(name: str, level: int, target: str, tmp_path: Path) -> None:
    if target == "jax":
        pytest.importorskip("jax").config.update("jax_enable_x64", True)
    text, curved = CURVED[name]
    point = Point(emit(text, tmp_path, level=level, target=target, along=["ggn"]), {"N": 4, "D": 3, "H": 5, "C": 3})
    u, v = point.direction(), point.direction()
    found = {n: np.asarray(a) for n, a in point.module.ggn(point.params, point.data, v).items()}
    forward = lambda p, d: {"Z": np.asarray(point.module.outputs(p, d)["Z"])}  # noqa: E731
    (along,), (across,) = (point.slope(forward, x).values() for x in (v, u))
    right = np.sum(across * curved(forward(point.params, point.data)["Z"], along, point.data))
    close(sum(np.sum(u[n] * found[n]) for n in u), right, 1e-7)
    assert sum(np.sum(v[n] * found[n]) for n in v) >= 0 or name == "by hand"  # whose weights are negative here


def test_of_a_convex_loss_of_linear_outputs_it_is_the_hessian(tmp_path: Path) -> None:
    text = "dim N, D, C\ndata X: N x D, t: N int < C\nparam W: D x C, b: C\n" \
           "loss L = mean(cross_entropy(X @ W + b, t)) + sum(W**2) / 10"
    point = Point(emit(text, tmp_path, along=["hvp", "ggn"]), {"N": 5, "D": 3, "C": 4})
    v = point.direction()
    same(*[f(point.params, point.data, v) for f in (point.module.ggn, point.module.hvp)], 1e-12)


@pytest.mark.parametrize("loss", [
    "log_cosh(X @ w + b - y)", "sqrt(1 + (X @ w + b - y)^2) - 1", "log(exp(X @ w + b - y) + exp(-(X @ w + b - y)))",
    "4*(sqrt(1 + ((X @ w + b - y)/2)^2) - 1)", "log(cosh(X @ w + b - y))",
])
def test_of_a_smooth_absolute_value_it_is_the_hessian(loss: str, tmp_path: Path) -> None:
    """The check failed where the residual stood twice in a line, as exp(u) and exp(−u)."""
    text = f"dim N, D\ndata X: N x D, y: N\nparam w: D, b\nloss L = sum({loss})"
    point = Point(emit(text, tmp_path, along=["hvp", "ggn"]), {"N": 5, "D": 3})
    v = point.direction()
    same(*[f(point.params, point.data, v) for f in (point.module.ggn, point.module.hvp)], 1e-12)
    codegen(parse(text), along=["ggn"])


@pytest.mark.parametrize(("loss", "right"), [
    ("1/cosh(z)", 2 * np.sinh(0.7)**2 / np.cosh(0.7)**3), ("1/exp(z)", 2 * np.exp(-0.7)),
])
def test_the_outputs_are_those_of_what_is_declared(loss: str, right: float, tmp_path: Path) -> None:
    """Half as much: e^(−log cosh z), which is computed, is convex in log cosh z."""
    module = emit(f"param z\nloss L = {loss}", tmp_path, along=["ggn"])
    found = module.ggn({"z": np.float64(0.7)}, {}, {"z": np.float64(1)})["z"]
    np.testing.assert_allclose(found, right, rtol=1e-12)


def test_outputs_that_are_added_in_one_line_are_those_of_a_line_of_their_own(tmp_path: Path) -> None:
    """Of (z + b - y)² the residual has no row; z and b together are outputs."""
    head = "dim N, D, H\ndata X: N x D, y: N\nparam W: D x H, v: H, b\n"
    line = emit(f"{head}loss L = sum((tanh(X @ W) @ v + b - y)**2)", tmp_path, along=["ggn"])
    one, two = Point(line, {"N": 4, "D": 3, "H": 5}), emit(f"{head}r = tanh(X @ W) @ v + b - y\nloss L = sum(r**2)",
                                                           tmp_path, along=["ggn"])
    u = one.direction()
    found, right = (m.ggn(one.params, one.data, u) for m in (one.module, two))
    for name, array in right.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10)


def test_what_has_no_gauss_newton_matrix_is_refused() -> None:
    with pytest.raises(ModelError, match="has outputs and no loss, and so no Gauss–Newton matrix: ask for jvp"):
        codegen(parse(LAYER), along=["ggn"])
    with pytest.raises(ModelError, match="L is not known to be a convex function of any rows"):
        codegen(parse("param w\nloss L = w**3"), along=["ggn"])
