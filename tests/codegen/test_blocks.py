"""Emitted whole Hessians and Jacobians, against differences of the same module's gradients and values."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.errors import CheckFailed, ModelError
from symbackprop.model import zoo
from symbackprop.model.text import parse
from symbackprop.targets import WHOLE
from symbackprop.verified import require_verified
from tests.codegen.helpers import emit
from tests.derive.test_blocks import CATALOGUE, SIZES, STRUCTURE, STRUCTURES, values_of
from tests.sweeps import ALL
from tests.verify.helpers import check

STEP = 1e-5
MORE = {
    "loop": "dim T, N\ndata x: T x N\nparam w: N, h[0]: N\nfor t in 1..T:\n    h[t] = tanh(h[t-1] * w + x[t])\n"
            "loss L = sum(h[T]**2)",
    "gaussian process": "dim n\ndata X: n x n, c: n\nparam a, m: n\nK = X @ X.T + exp(a) * eye(n)\nC = cholesky(K)\n"
                        "loss L = sum(log(diag(C))) + sum(solve(C, c - m)**2) / 2",
    "zeros": "dim n\nparam u: n, v: n\nloss L = sum(u**2) + sum(v)",
    "scalars": "data x, y\nparam w, b\nloss L = (tanh(w*x + b) - y)**2",
    "one of both": "dim N, n\ndata X: N x n\nparam a: n, S: n x n\nz = X @ a\n"
                   "loss L = sum(exp(z)) + sum(matrix_exp(S / 4)**2) * sum(a)",
    "truth values": "param x: 3\nloss L = sum(x) * x[1]",
    "many parts": "dim n\nparam A: n x n\nC = cholesky(A @ A' + eye(n))\nloss L = sum(C)",
    "columns of the identity": "dim n = 5\nparam x: n\nP = eye(n)[:, 1:3]\ny = P.T @ x\nloss L = sum(exp(y) * y)",
    "no parameters": "dim n\ninput x: n\nloss L = sum(x**4)",
}
SAMPLE = [(name, 1, "numpy") for name in (*CATALOGUE, *MORE)] + [("softmax", 2, "numpy"), ("network", 0, "numpy")]
KINDS = ((0, "numpy"), (1, "numpy"), (2, "numpy"), (1, "jax"))
EVERY = [(name, level, target) for name in (*CATALOGUE, *MORE) for level, target in KINDS]


def given(module: ModuleType, text: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    values = values_of(parse(text), name)
    return ({n: values[n] for n in module.PARAMS}, {n: values[n] for n in module.DATA})


def slopes(module: ModuleType, params: dict[str, Any], data: dict[str, Any], names: list[str]) -> Any:
    """The Hessian as one matrix, by central differences of the gradients."""
    columns = []
    for name in names:
        where = params if name in params else data
        base = np.asarray(where[name], float)
        for place in np.ndindex(*base.shape):
            ends = []
            for step in (STEP, -STEP):
                where[name] = base.copy()
                where[name][place] += step
                grads = module.loss_and_grads(params, data)[1]
                ends.append(np.concatenate([np.ravel(grads[n]) for n in names]))
            columns.append((ends[0] - ends[1]) / (2 * STEP))
        where[name] = base
    return np.stack(columns, -1)


@pytest.mark.parametrize(("name", "level", "target"), EVERY if ALL else SAMPLE)
def test_a_hessian_is_the_slope_of_the_gradient(name: str, level: int, target: str, tmp_path: Path) -> None:
    if target == "jax":
        pytest.importorskip("jax").config.update("jax_enable_x64", True)
    text = {**CATALOGUE, **MORE}[name]
    module = emit(text, tmp_path, level=level, target=target, whole=["hessian", "hessian_diagonal"])
    params, data = given(module, text, name)
    sizes = {k: v for k, v in SIZES.items() if k in module.DIMS}
    blocks = module.hessian(params, data)
    names = list(dict.fromkeys(a for a, _ in blocks))
    found = np.asarray(module.hessian_dense(params, data))
    want = slopes(module, params, data, names)
    assert found.shape == want.shape and sizes.keys() <= SIZES.keys()
    assert np.abs(found - want).max() < 1e-7 * (1 + np.abs(want).max())
    assert np.allclose(found, found.T, rtol=1e-12, atol=1e-12)
    ends = np.cumsum([0, *[np.size({**params, **data}[n]) for n in names]])
    diagonal, errors = diagonals(module, params, data)
    for n, start, end in zip(names, ends, ends[1:], strict=False):
        off = np.abs(np.ravel(diagonal[n]) - np.diag(want)[start:end])
        assert diagonal[n].shape == np.shape({**params, **data}[n])
        assert (off <= 7 * np.ravel(errors[n]) + 1e-7 * (1 + np.abs(want).max())).all()
    for (a, b), block in blocks.items():
        i, j = names.index(a), names.index(b)
        part = found[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]
        assert block.structure in STRUCTURES and block.dense().shape == block.shape
        assert np.allclose(np.reshape(block.dense(), part.shape), part, rtol=1e-12, atol=1e-12)


def diagonals(module: ModuleType, params: dict[str, Any], data: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The diagonal, and how far off it may be: 0 where it is not an estimate."""
    exact = module.hessian_diagonal(params, data) if hasattr(module, "hessian_diagonal") else {}
    none = {n: np.zeros(np.shape(a)) for n, a in exact.items()}
    if not hasattr(module, "hessian_diagonal_estimate"):
        return exact, none
    assert "An estimate" in module.hessian_diagonal_estimate.__doc__
    found, errors = module.hessian_diagonal_estimate(params, data, 0, samples=50)
    fewer = module.hessian_diagonal_estimate(params, data, 0, samples=5)[1]
    assert sum(float(np.sum(e)) for e in fewer.values()) > sum(float(np.sum(e)) for e in errors.values()) > 0
    with pytest.raises(ValueError, match="samples has to be a whole number, 2 or more, not 1"):
        module.hessian_diagonal_estimate(params, data, 0, samples=1)
    assert exact.keys().isdisjoint(found)
    return {**exact, **found}, {**none, **errors}


def test_a_diagonal_needs_no_matrix(tmp_path: Path) -> None:
    module = emit(CATALOGUE["softmax"], tmp_path, whole=["hessian_diagonal"])
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert "H_W = (X ** 2).T @ (p - p ** 2) / N" in source and "def hvp" not in source


def test_nothing_is_estimated_where_all_that_is_asked_for_is_exact() -> None:
    model = parse(MORE["loop"].replace("param w", "param b, w") + " + exp(b)")
    assert "_estimate" not in codegen(model, wrt=["b"], whole=["hessian_diagonal"])


def test_what_is_too_large_as_a_matrix_may_have_an_exact_diagonal() -> None:
    source = codegen(zoo.build("vae"), whole=["hessian", "hessian_diagonal"])
    assert "dense by products: the derivative of einsum is not kept compressed: it has a term of 17 factors" in (
        " ".join(source.split())) and "def hessian_diagonal(" in source


@pytest.mark.parametrize("name", STRUCTURE)
def test_structure_is_told_and_no_product_has_three_factors(name: str, tmp_path: Path) -> None:
    module = emit(CATALOGUE[name], tmp_path, whole=["hessian"])
    params, data = given(module, CATALOGUE[name], name)
    assert next(iter(module.hessian(params, data).values())).structure == STRUCTURE[name]
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert all(pattern.count(",") < 2 for pattern in re.findall(r'einsum\("([^"]*)"', source))


def test_weights_that_are_never_negative_go_into_both_sides(tmp_path: Path) -> None:
    """AᵀA, of which BLAS computes one half."""
    module = emit(CATALOGUE["logistic"], tmp_path, whole=["hessian"])
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert "= t1.T @ t1  " in source and "np.sqrt(p * (1 - p) / N)" in source


@pytest.mark.parametrize("w", [0.0, 1e-200, 40.0, -800.0, 800.0])
def test_weights_in_both_sides_at_special_points(w: float, tmp_path: Path) -> None:
    """Xᵀ diag(p(1 − p)) X / N where the weights are 1/4, next to 0 and 0: those of one product and of a sum agree."""
    module = emit(CATALOGUE["logistic"], tmp_path, whole=["hessian"])
    X = np.array([[1.0, 2.0], [-3.0, 0.5], [0.25, -1.0]])
    found = module.hessian_dense({"w": np.array([w, w])}, {"X": X, "y": np.array([0.0, 1.0, 1.0])})
    z = X @ np.array([w, w])
    weights = np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2 / 3
    assert np.allclose(found, np.einsum("na,n,nb->ab", X, weights, X), rtol=1e-9, atol=1e-12)


LAYER = "dim N, D, M\ninput x: N x D\nparam W: D x M, b: M\n"


@pytest.mark.parametrize("text", [
    LAYER + "output y = softmax(x @ W + b)\noutput s = sum(x**2)",
    LAYER + "h[0] = zeros(M)\nfor t in 1..N:\n    h[t] = tanh(h[t-1] + x[t] @ W + b)\noutput y = h\n"
            "output s = sum(x**2)",
])
def test_a_jacobian_is_the_slope_of_the_outputs(text: str, tmp_path: Path) -> None:
    module = emit(text, tmp_path, whole=["jacobian"])
    rng = np.random.default_rng(0)
    params, data = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}, {"x": rng.normal(size=(4, 3))}
    blocks = module.jacobian(params, data)
    assert set(blocks) == {(a, b) for a in ("y", "s") for b in ("x", "W", "b")}
    for (out, name), block in blocks.items():
        where = params if name in params else data
        base, want = where[name], np.zeros(block.shape)
        for place in np.ndindex(*base.shape):
            ends = []
            for step in (STEP, -STEP):
                where[name] = base.copy()
                where[name][place] += step
                ends.append(module.forward(params, data)[0][out])
            want[(..., *place)] = (ends[0] - ends[1]) / (2 * STEP)
        where[name] = base
        assert np.abs(block.dense() - want).max() < 1e-8


def test_float32_stays_float32(tmp_path: Path) -> None:
    module = emit(CATALOGUE["softmax"], tmp_path, whole=["hessian"])
    params, data = given(module, CATALOGUE["softmax"], "softmax")
    small = [{n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in some.items()}
             for some in (params, data)]
    assert module.hessian_dense(*small).dtype == np.float32
    assert module.hessian(*small)["W", "W"].dense().dtype == np.float32


def test_a_layer_has_no_hessian(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Jacobian"):
        emit("param w\noutput y = w**2", tmp_path, whole=WHOLE)


@pytest.mark.parametrize("name", ["logistic", "network", "relu", "loop", "factors"])
def test_what_is_right_passes_verify(name: str, tmp_path: Path) -> None:
    text = {**CATALOGUE, **MORE}[name]
    source = codegen(parse(text, name="right"), whole=["hessian", "hessian_diagonal"])
    assert check(tmp_path, source, seed=1).verdict == "pass"


def fails(source: str, old: str, new: str, says: str, folder: Path) -> None:
    """A module with one mistake fails, and verify says so."""
    assert old in source
    report = check(folder, source.replace(old, new), seed=1)
    assert report.verdict == "fail" and says in report.text()


TINY = "dim D, E\nparam a: D, b: E\nloss L = 1e-7 * (sum(a**4) + sum(a)**3) + 1e-13 * sum(b**4)"


@pytest.mark.parametrize(("name", "by"), [("H_a", -1), ("H_b_b", 1.0001), ("H", 1.0001)])
def test_what_is_small_is_held_to_its_own_size(name: str, by: float, tmp_path: Path) -> None:
    source = codegen(parse(TINY, name="wrong"), whole=["hessian", "hessian_diagonal"])
    (found,) = set(re.findall(rf"^    {name} = .*", source, re.M))
    fails(source, found, f"{found}\n    {name} = {by} * {name}", "hessian", tmp_path)


@pytest.mark.parametrize(("right", "says"), [
    ('"w": H_w', "hessian_diagonal: w["), ('"b": H_b', "hessian_diagonal: b is"),
    ('("w", "b"): Block("dense", "a", (D,), (((H_w_b', "hessian: (w, b) v["),
    ('("b", "b"): Block("symmetric", "", (), (((H_b_b', "hessian: (b, b) v is"),
])
def test_what_is_by_parameters_without_a_promised_gradient_is_compared(right: str, says: str, tmp_path: Path) -> None:
    text = "dim N, D\ndata X: N x D, y: N\nparam w: D, b\nloss L = mean((tanh(X @ w + b) - y)**2)"
    source = codegen(parse(text, name="wrong"), wrt=["w"], whole=["hessian", "hessian_diagonal"])
    before, _, entry = right.rpartition("H_")
    fails(source, right, f"{before}1.001 * H_{entry}", says, tmp_path)
    if entry == "b":
        require_verified(source, parse(text, name="wrong"))


@pytest.mark.parametrize(("old", "new", "says"), [
    ("H = t1.T @ t1", "H = t1.T @ t1 / N", "hessian_dense: (w, w) v["), ("(p * (1 - p) / N)", "(p / N)", "(w, w) v["),
    ("return in_dtype(H, dtype)", "return in_dtype(H[0], dtype)", "expected"),
    ("H = t1.T @ t1", "H = np.triu(t1.T @ t1)", "hessian_dense: (w, w) v["),
    ("H = t1.T @ t1", "H = t1.T @ t1 * np.nan", "hessian_dense: (w, w) v["),
])
def test_what_is_wrong_fails_verify(old: str, new: str, says: str, tmp_path: Path) -> None:
    source = codegen(parse(CATALOGUE["logistic"], name="wrong"), whole=["hessian"])
    fails(source, old, new, says, tmp_path)


@pytest.mark.parametrize(("name", "old", "new", "says"), [
    ("logistic", "X ** 2 / N", "X ** 2", "hessian_diagonal: w["),
    ("logistic", 'returned({"w": H_w}', 'returned({"w": H_w[:, None]}', "returned other names or shapes than"),
    ("loop", "term = v[name] * product[name]", "term = 1.5 * v[name] * product[name]", "hessian_diagonal_estimate: w"),
    ("loop", "spread[name] / (samples - 1) / samples", "spread[name] / samples", "standard error: w"),
])
def test_wrong_diagonals_fail_verify(name: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    source = codegen(parse({**CATALOGUE, **MORE}[name], name="wrong"), whole=["hessian_diagonal"])
    fails(source, old, new, says, tmp_path)


@pytest.mark.parametrize(("name", "old", "new", "says"), [
    ("logistic", "H_w_w = t1.T @ t1", "H_w_w = t1.T @ t1 / N", r"hessian: \(w, w\) v\["),
    ("factors", '("U", "V"): Block', '("V", "U"): Block', "not of U, V by U, V"),
    ("factors", "(m, k, n, k)", "(m, k, k, n)", "block U, V"),
])
def test_blocks_that_differ_from_the_matrix_are_not_written(name: str, old: str, new: str, says: str) -> None:
    source = codegen(parse(CATALOGUE[name], name="wrong"), whole=["hessian"])
    assert old in source
    with pytest.raises(CheckFailed, match=says):
        require_verified(source.replace(old, new), parse(CATALOGUE[name], name="wrong"))
