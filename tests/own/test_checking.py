"""What is handed in and what comes back, notes and verdicts, the report, the command."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from symbackprop import Model, check
from symbackprop.__main__ import load_cli
from symbackprop.errors import BrokenModule, MissingExtra, UsageError
from tests.own.cases import CODE
from tests.own.helpers import model

MATMUL = model("matmul")


def right(X: Any, W: Any, dY: Any) -> Any:
    dX = dY @ W.T
    dW = X.T @ dY
    return dX, dW


# -- arguments and results


def test_a_result_without_a_name_is_the_one_gradient_of_its_shape() -> None:
    assert check(MATMUL, lambda X, W, dY: X.T @ dY).missing == ["X"]
    with pytest.raises(UsageError, match="returns an array of the shape"):
        check(MATMUL, lambda X, W, dY: 2 * dY)
    with pytest.raises(UsageError, match="returns a number"):
        check("dim N\nparam w: N, b\nloss L = sum(w) * b", lambda w, b: b * 1.0)


def test_a_function_by_the_names_of_its_parameters() -> None:
    assert check(MATMUL, right)
    assert check(MATMUL.text(), right)


@pytest.mark.parametrize("word", ["upstream", "dout", "dY", "d_Y", "grad_Y", "grad_output"])
def test_words_for_the_upstream_gradient(word: str) -> None:
    names: dict[str, Any] = {}
    exec(f"def f(X, W, {word}):\n    return {{'dX': {word} @ W.T, 'dW': X.T @ {word}}}", names)
    assert check(MATMUL, names["f"])


def test_intermediates_sizes_and_constants_are_handed_in() -> None:
    def f(x: Any, xh: Any, mu: Any, v: Any, eps: float, D: int, N: int, g: Any, dy: Any) -> Any:
        assert xh.shape == (N, D) and mu.shape == v.shape == (N, 1) and eps == 1e-5
        return {"g": (dy * xh).sum(0), "b": dy.sum(0)}

    assert check(model("layer-norm"), f)


def test_the_gradient_of_an_intermediate_is_handed_in() -> None:
    def f(X: Any, A1: Any, dZ1: Any) -> Any:
        dW1 = X.T @ dZ1
        return dW1

    assert check(model("two-layer"), f)


def test_results_by_the_return_statement_or_by_name() -> None:
    def named(X: Any, W: Any, dY: Any) -> Any:
        grad_W, d_x = X.T @ dY, dY @ W.T
        return grad_W, d_x

    def collected(X: Any, W: Any, dY: Any) -> Any:
        grads = {}
        grads["X"], grads["W"] = dY @ W.T, X.T @ dY
        return grads["X"].copy(), np.asarray(grads["W"])

    assert check(MATMUL, named) and check(MATMUL, collected)
    assert check(MATMUL, lambda X, W, dY: (X.T @ dY, dY @ W.T), returns="W,X")
    assert check(MATMUL, lambda X, W, dY: (X.T @ dY, dY @ W.T, 0.0), returns=["W", "X", "_"])


def test_attributes_of_a_gradient_keep_its_name() -> None:
    class Leaf:
        def __init__(self, grad: Any) -> None:
            self.grad = grad

    def f(X: Any, W: Any, dY: Any) -> Any:
        W = Leaf(X.T @ dY)
        return W.grad

    def transposed(X: Any, dY: Any) -> Any:
        dW = dY.T @ X
        return dW.T

    assert check(MATMUL, f).missing == ["X"] and check(MATMUL, transposed).missing == ["X"]


def test_results_without_names_that_fit_no_order_are_asked_for() -> None:
    with pytest.raises(UsageError, match="--returns"):
        check(MATMUL, lambda X, W, dY: (X.T @ dY, dY @ W.T))
    with pytest.raises(UsageError, match="no array 'Q'"):
        check(MATMUL, right, returns="X,Q")
    with pytest.raises(UsageError, match="returns 2 results"):
        check(MATMUL, right, returns="X")


def test_tuples_in_tuples_are_taken_apart() -> None:
    affine = model("affine")

    def nested(X: Any, W: Any, dY: Any) -> Any:
        return dY @ W.T, (X.T @ dY, dY.sum(0))

    def named(X: Any, W: Any, dY: Any) -> Any:
        gX, gW, gb = dY @ W.T, X.T @ dY, dY.sum(0)
        grads = [gW, gb]
        return gX, grads

    def some(X: Any, W: Any, dY: Any) -> Any:
        out = dY @ W.T
        return out, X.T @ dY, dY.sum(0)

    assert check(affine, some).missing == []
    assert check(affine, nested) and check(affine, nested).missing == []
    assert check(affine, named) and check(affine, named).notes == []


def test_the_only_result_needs_no_name() -> None:
    def backward(x, dy):
        g = 2 * dy
        return g - g.mean()

    def named(x, dy):
        g = 2 * dy
        return g

    model = Model.parse("dim N\ninput x: N\noutput y = 2 * x")
    assert not check(model, backward) and check(model, named)


def test_where_forward_is_of_another_function_that_is_said() -> None:
    square = Model.parse("dim N\ninput x: N\noutput y = x**2")
    report = check(square, lambda cache, dy: 5 * np.cos(cache) * dy, forward=lambda x: (5 * np.sin(x), x), returns="x")
    assert not report and "another y than the model" in report["x"].says


def test_what_is_wrong_in_code_that_rounds_by_itself_is_explained() -> None:
    def backward(x, g, dy):
        x, dx = x.astype(np.float32), np.empty(x.shape, x.dtype)
        dx[:] = 2 * dy.astype(np.float32) * x
        return dx, (dy * x**2).sum(0).astype(np.float32)

    model = Model.parse("dim N, D\ninput x: N x D\nparam g: D\noutput y = g * x**2")
    assert "the part g is missing" in check(model, backward, dtype="float32", returns="x,g")["x"].says


@pytest.mark.parametrize("value", [
    pytest.param(lambda dW: dW * (1 + 1j), id="complex"),
    pytest.param(lambda dW: np.array(dW.tolist(), dtype=object), id="objects"),
    pytest.param(lambda dW: "todo", id="text"),
    pytest.param(lambda dW: [[1.0], [2.0, 3.0]], id="ragged"),
    pytest.param(lambda dW: (row for row in dW), id="generator"),
])
def test_a_named_result_that_is_no_array_of_numbers_is_wrong_and_not_left_out(value: Any) -> None:
    report = check(MATMUL, lambda X, W, dY: {"W": value(X.T @ dY), "X": dY @ W.T})
    assert report["W"].verdict == "fail" and "no array of real numbers" in report["W"].says
    assert report["X"].verdict == "pass" and not report.missing


def test_complex_numbers_without_an_imaginary_part_are_real() -> None:
    assert check(MATMUL, lambda X, W, dY: {"W": X.T @ dY + 0j, "X": dY @ W.T})


def test_what_a_file_returns_in_place_of_arrays_is_called_by_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.py"
    path.write_text("def f(X, W, dY):\n    yield X.T @ dY\n", encoding="utf-8")
    with pytest.raises(UsageError, match="f returns a generator"):
        check(MATMUL, f"{path}:f")


def test_an_unknown_parameter_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'XX'.*Did you mean 'X'"):
        check(MATMUL, lambda XX, W, dY: {"W": W})


def test_one_gradient_alone_and_none() -> None:
    def only(X: Any, dY: Any) -> Any:
        return {"dW": X.T @ dY, "dX": None}

    report = check(MATMUL, only)
    assert report and report.missing == ["X"] and "no gradient of X" in report.text()


def test_a_scalar_loss_needs_no_upstream_argument() -> None:
    def f(z: Any, y: Any, upstream: float) -> Any:
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        return {"z": upstream * p / len(y)}

    assert check(model("cross-entropy"), f)
    assert check(model("cross-entropy"), lambda z, y: f(z, y, 1.0))


def test_a_forward_of_the_users_own_makes_the_cache() -> None:
    def forward(X: Any, W: Any) -> Any:
        return X @ W, (X, W)

    def backward(dout: Any, cache: Any) -> Any:
        X, W = cache
        dX, dW = dout @ W.T, X.T @ dout
        return dX, dW

    assert check(MATMUL, backward, forward=forward)
    report = check(MATMUL, backward, forward=lambda X, W: (2 * X @ W, (X, W)))
    assert report and "forward computes another Y" in report.notes[0]


STEPS = """dim N, T, D, H
input x: N x T x D, h0: N x H
param W: D x H, U: H x H
h[0] = h0
for t in 1..T:
    h[t] = tanh(x[:, t] @ W + h[t-1] @ U)
output y = transpose(h, (1, 0, 2))"""


@pytest.mark.parametrize("as_class", [False, True])
def test_what_is_returned_by_forward_decides_what_its_upstream_gradient_is(as_class: bool) -> None:
    def forward(x: Any, h0: Any, W: Any, U: Any) -> Any:
        h = [h0]
        for t in range(x.shape[1]):
            h.append(np.tanh(x[:, t] @ W + h[-1] @ U))
        return np.stack(h[1:], axis=1), (x, h, W, U)

    def backward(dh: Any, cache: Any) -> Any:  # the model's h has its steps first
        x, h, W, U = cache
        dx, dW, dU, later = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U), np.zeros_like(h[0])
        for t in reversed(range(x.shape[1])):
            da = (dh[:, t] + later) * (1 - h[t + 1]**2)
            dx[:, t], dW, dU, later = da @ W.T, dW + x[:, t].T @ da, dU + h[t].T @ da, da @ U.T
        return {"dx": dx, "dh0": later, "dW": dW, "dU": dU}

    class Layer:
        def forward(self, x: Any, h0: Any, W: Any, U: Any) -> Any:
            value, self.kept = forward(x, h0, W, U)
            return value

        def backward(self, dh: Any) -> Any:
            return backward(dh, self.kept)

    assert check(STEPS, Layer) if as_class else check(STEPS, backward, forward=forward)


def test_a_step_whose_forward_returns_an_intermediate_gets_its_gradient() -> None:
    def forward(x: Any, w: Any, b: Any) -> Any:
        return x @ w + b, (x, w)

    def backward(da: Any, cache: Any) -> Any:
        x, w = cache
        return {"dx": da @ w.T, "dw": x.T @ da, "db": da.sum(0)}

    assert check(model("affine-relu"), backward, forward=forward)


def test_a_forward_is_not_handed_what_it_has_to_work_out() -> None:
    def backward(dZ: Any, cache: Any) -> Any:
        A, W = cache
        return {"dX": W.T @ dZ, "dW": dZ @ A.T}

    text = "dim m, n, k\ninput X: m x k\nparam W: n x m\nZ = W @ X\noutput A = relu(Z)"
    with pytest.raises(UsageError, match=r"takes A, and A is what the model works out"):
        check(text, backward, forward=lambda A, W: (W @ A, (A, W)))


def test_a_step_by_its_own_convention_is_told_where_a_gradient_after_it_is_right() -> None:
    text = "dim N, D\ndata X: N x D, t: N\nparam w: D, b\np = tanh(X @ w + b)\nloss L = sum((p - t)**2) / (2*N)"

    def backward(X: Any, t: Any, w: Any, b: Any, p: Any) -> Any:
        dp = p - t
        dz = dp * (1 - p**2) / len(t)
        return {"dp": dp, "dw": X.T @ dz, "db": dz.sum() * len(t)}

    report = check(text, backward)
    assert [(g.name, g.verdict) for g in report.gradients] == [("w", "pass"), ("b", "fail")]
    assert any("dp is another intermediate" in note and "dw after it is right" in note for note in report.notes)


def test_a_variable_called_as_what_comes_from_above_is_what_is_returned() -> None:
    def backward(dout: Any, x: Any) -> Any:
        dout = dout * (x > 0)
        return dout

    def with_bias(y: Any, dy: Any) -> Any:
        dy = dy * (1 - y**2)
        return dy, dy.sum(0)

    assert check("dim N, D\ninput x: N x D\noutput out = relu(x)", backward)
    report = check("dim N, D\ninput x: N x D\nparam b: D\noutput y = tanh(x + b)", with_bias)
    assert report and [g.name for g in report.gradients] == ["x", "b"]


def test_what_a_second_call_writes_into_a_result_does_not_make_it_wrong() -> None:
    def backward(dout: Any, cache: Any) -> Any:
        dout *= 3
        return dout

    report = check("dim N\ninput x: N\noutput out = 3 * x", backward, forward=lambda x: (3 * x, None))
    assert report["x"].verdict == "pass" and report.broken == ["backward changes its input dout"]


@pytest.mark.parametrize("bound", [4, 20])
def test_the_other_side_of_a_number_that_the_code_compares_with(bound: int, tmp_path: Path) -> None:
    text, path = "dim N\ninput x: N\noutput y = softplus(x)", tmp_path / "f.py"
    code = "import numpy as np\n\n\ndef f(x, dy):\n" \
           "    dx = dy * np.where(x > {}, {}, 1 / (1 + np.exp(-x)))\n    return dx\n"
    path.write_text(code.format(40, 1.0), encoding="utf-8")
    assert check(text, f"{path}:f")
    path.write_text(code.format(bound, 0.0), encoding="utf-8")
    report = check(text, f"{path}:f")
    assert not report and f"not for those beyond {bound}" in report["x"].says


@pytest.mark.parametrize("limited", ["np.clip(x, -30, 30)", "np.where(x > MOST, MOST, x)", "x.clip(max=30, min=-90)",
                                     "np.maximum(x, -30)", "np.clip(x, None, 30)", "np.minimum(x, 30)"])
def test_what_it_compares_with_may_be_bounds_of_a_call_or_have_a_name(limited: str, tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text(f"import numpy as np\nMOST = 30\n\n\ndef f(x, dy):\n    dx = dy * 2 * {limited}\n    return dx\n",
                    encoding="utf-8")
    report = check("dim N\ninput x: N\noutput y = x**2", f"{path}:f")
    assert not report and "not for those beyond 30" in report["x"].says


FAR_OUT = {
    "a bound so far out that it is one for safety": (
        "dim N\ninput x: N\noutput y = x**2", "dy * 2 * np.clip(x, -1e5, 1e5)"),
    "overflow": (
        "dim N\ninput x: N\noutput y = 1 * x",
        "dy * np.where(x > 400, np.exp(np.minimum(x, 360))**2 * np.exp(-np.minimum(x, 360))**2, 1)"),
    "another shape": (
        "dim N\ninput x: N\noutput y = x**2", "(dy * 2 * np.where(x > 30, x, x)).reshape(-1, 1)"),
    "what vanishes": ("input x\noutput y = exp(-x**2)", "dy * -2 * x * np.where(abs(x) > 6, 0, np.exp(-x**2))"),
}


@pytest.mark.parametrize("case", FAR_OUT)
def test_what_is_no_mistake_far_out(case: str, tmp_path: Path) -> None:
    text, formula = FAR_OUT[case]
    path = tmp_path / "f.py"
    path.write_text(f"import numpy as np\n\n\ndef f(x, dy):\n    dx = {formula}\n    return dx\n", encoding="utf-8")
    with np.errstate(all="ignore"):
        assert all(check(text, f"{path}:f", seed=seed) for seed in (0, 3))


def test_the_gradient_of_an_intermediate_beside_the_one_from_above() -> None:
    def forward(x: Any, W: Any) -> Any:
        y = np.tanh(x @ W)
        return y, (x, W)

    def backward(dh: Any, dy: Any, cache: Any) -> Any:
        x, W = cache
        return {"dx": dh @ W.T, "dW": x.T @ dh}

    text = "dim N, D, M\ninput x: N x D\nparam W: D x M\nh = x @ W\noutput y = tanh(h)"
    assert check(text, backward, forward=forward)


def test_the_code_may_compare_with_a_number_that_is_no_float(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("MOST = 10**400\n\n\ndef f(x, dy):\n    dx = dy * 2 * (x.size < MOST)\n    return dx\n",
                    encoding="utf-8")
    assert check("dim N\ninput x: N\noutput y = 2 * x", f"{path}:f")


def test_what_runs_at_equal_sizes_only_is_told_beside_data_of_numbers() -> None:
    def backward(X: Any, W: Any, dY: Any) -> Any:
        dW = 2 * X @ dY
        return dW

    report = check("dim N, D, M\ndata X: N x D\nparam W: D x M\noutput Y = X @ W", backward)
    assert not report and "runs only where all sizes are equal" in report.broken[0]


def test_gradients_in_capitals_as_kernels_call_them() -> None:
    def kernel(DY: Any, X: Any, W: Any) -> Any:
        DX, DW = DY @ W.T, X.T @ DY
        return DX, DW

    assert check(MATMUL, kernel)


def test_data_that_are_a_mask_to_the_code_are_told() -> None:
    def backward(mask: Any, dy: Any) -> Any:
        dx = dy / 0.8
        dx[mask == 0] = 0
        return dx

    text = "dim N, D\ninput x: N x D\ndata mask: N x D\noutput y = x * mask / 0.8"
    report = check(text, backward)
    assert not report and "declare data mask: N x D int < 2" in report.notes[0]
    assert check(text.replace("mask: N x D", "mask: N x D int < 2"), backward)


def test_a_number_that_is_a_mask_to_the_code_is_told_as_model_text_declares_it() -> None:
    """It said `data x: scalar int < 2`, which cannot be read."""
    def backward(x: Any, w: Any) -> Any:
        return {"dw": 2 * w * x}

    text = "data x\nparam w\nloss L = (w * x)^2"
    report = check(text, backward)
    assert not report and report.notes[0].endswith("if x is a mask, declare data x: int < 2")
    assert check(text.replace("data x", "data x: int < 2"), backward)


def test_several_gradients_that_are_right_with_a_mask_are_told_at_once() -> None:
    def backward(x: Any, w: Any, mask: Any, dy: Any) -> Any:
        return {"dx": dy * w * mask, "dw": dy * x * mask}

    report = check("dim N\ninput x: N\nparam w: N\ndata mask: N\noutput y = x * w * mask**2", backward)
    assert not report and "where mask is 0 or 1, dx, dw are right: if mask is a mask" in report.notes[0]


@pytest.mark.oracle
def test_a_function_of_jax_whose_tangents_somebody_wrote() -> None:
    jax = pytest.importorskip("jax")

    def softplus(slope: Any) -> Any:
        made = jax.custom_jvp(lambda x: jax.numpy.logaddexp(x, 0.0))
        made.defjvp(lambda primals, tangents: (made(*primals), slope(*primals) * tangents[0]))
        return made

    text = "dim N\ninput x: N\noutput y = softplus(x)"
    assert check(text, softplus(jax.nn.sigmoid))
    report = check(text, softplus(lambda x: x * jax.nn.sigmoid(x)))
    assert report["x"].verdict == "fail" and "extra" in report["x"].kind
    other = check(text.replace("softplus(x)", "softplus(x) + 1"), softplus(jax.nn.sigmoid))
    assert other and "its forward computes another y than the model" in other.notes[0]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_residuals_come_first_and_the_upstream_gradient_goes_by_any_name(tmp_path: Path) -> None:
    path = tmp_path / "layer.py"
    path.write_text("def mul_fwd(X, W):\n    return X @ W, (X, W)\n\n\n"
                    "def mul_bwd(res, g):\n    X, W = res\n    return g @ W.T, X.T @ g\n", encoding="utf-8")
    assert check(MATMUL, f"{path}:mul_bwd")


def test_a_file_of_a_package_imports_its_neighbours(tmp_path: Path) -> None:
    inner = tmp_path / "kernels" / "ops"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (inner.parent / "common.py").write_text("def product(a, b):\n    return a @ b\n", encoding="utf-8")
    (inner / "names.py").write_text("from kernels.common import product\n", encoding="utf-8")
    path = inner / "linear.py"
    path.write_text("from ..common import product\nfrom .names import product as same\n\n\n"
                    "def f(X, W, dY):\n    dX, dW = product(dY, W.T), same(X.T, dY)\n    return dX, dW\n",
                    encoding="utf-8")
    assert check(MATMUL, f"{path}:f")
    assert check(MATMUL, f"{path}:f", forward=lambda X, W: (X @ W, None))


def test_a_name_that_the_file_does_not_have_is_told_with_those_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "layer.py"
    path.write_text("def linear_backward(X, W, dY):\n    return X.T @ dY\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^layer.py has no 'q'. It has linear_backward.$"):
        check(MATMUL, f"{path}:q")


def test_a_c_function(tmp_path: Path) -> None:
    library = tmp_path / "kernels.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, CODE / "kernels.c"], check=True)
    function = ctypes.CDLL(str(library)).affine_backward
    signature = (CODE / "kernels.c").read_text(encoding="utf-8").partition("{")[0]
    assert check(MATMUL, function, signature=signature)
    swapped = signature.replace("*dX, float *dW", "*dW, float *dX")
    assert not check(model("matmul"), function, signature=swapped, dims={"N": 4, "D": 4, "M": 4})
    with pytest.raises(UsageError, match="cannot be read"):
        check(MATMUL, function, signature="void f(widget *X)")


ADDS = """void adds(const float *dY, float *db, int N, int M) {
    for (int n = 0; n < N; n++) for (int m = 0; m < M; m++) db[m] += dY[n * M + m];
}
void runs(const float *dY, float *db, int N, int M) {
    float sum = 0;
    for (int m = 0; m < M; m++) { for (int n = 0; n < N; n++) sum += dY[n * M + m]; db[m] = sum; }
}
void keeps(const float *dY, float *db, int N, int M) {
    static float sums[64];
    for (int m = 0; m < M; m++) { for (int n = 0; n < N; n++) sums[m] += dY[n * M + m]; db[m] = sums[m]; }
}
"""


def test_what_a_c_function_adds_to_and_what_it_does_not_set_back(tmp_path: Path) -> None:
    (tmp_path / "adds.c").write_text(ADDS)
    library = tmp_path / "adds.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "adds.c"], check=True)
    code, affine = ctypes.CDLL(str(library)), model("affine")
    signature = "(const float *dY, float *db, int N, int M)"
    adds, runs, keeps = [check(affine, getattr(code, name), signature=signature, dtype="float32")
                         for name in ("adds", "runs", "keeps")]
    assert adds and adds.notes == ["it adds to what stands in db: set that to 0 before each call"]
    assert "accumulator is not set back to 0" in runs["b"].says
    assert any("a second call of keeps gives another result" in says for says in keeps.broken)


# -- masks


@pytest.mark.parametrize("scores", ["where(keep > 0, s, -1e9)", "where(keep <= 0, -inf, s)",
                                    "s + where(keep > 0, 0, -inf)", "s.masked_fill(keep <= 0, -inf) / sqrt(2)"])
def test_where_all_is_masked_nobody_is_wrong(scores: str) -> None:
    masked = Model.parse(f"dim N, T\ninput s: N x T\ndata keep: N x T\nz = {scores}\noutput p = softmax(z)")

    def backward(s: Any, keep: Any, z: Any, dp: Any) -> Any:
        e = np.exp(z - z.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        ds = p * (dp - (dp * p).sum(1, keepdims=True)) / (np.sqrt(2) if "sqrt" in scores else 1)
        return ds

    assert all(check(masked, backward, dims={"T": 2}, seed=seed) for seed in range(4))


# -- masks beside the kink


RELU = Model.parse("dim N, D, M\ninput x: N x D\nparam w: D x M\nz = x @ w\noutput y = relu(z)", name="relu-layer")


@pytest.mark.parametrize(("threshold", "side"), [(-1e-3, "below"), (1e-4, "above")])
def test_a_mask_whose_threshold_is_beside_the_kink_is_wrong(threshold: float, side: str) -> None:
    def f(x: Any, w: Any, z: Any, dy: Any) -> Any:
        dz = dy * (z > threshold)
        return {"x": dz @ w.T, "w": x.T @ dz}

    report = check(RELU, f)
    assert not report and {g.verdict for g in report.gradients} == {"fail"}
    assert all(f"the mask of z is not at 0: entries just {side} it" in g.says for g in report.gradients), report.text()


# -- right ones that look odd


def test_code_that_is_not_told_a_size_may_take_the_declared_one() -> None:
    text = "dim N, h = 2, d\ninput x: N x h*d\np = softmax(reshape(x, (N, h, d)))\noutput y = reshape(p, (N, h*d))"

    def f(p: Any, dy: Any) -> Any:
        dp = dy.reshape(p.shape)
        dx = p * (dp - (dp * p).sum(-1, keepdims=True))
        return dx.reshape(dy.shape)

    def heads(x: Any, dy: Any) -> Any:
        e = np.exp(x.reshape(len(x), 2, -1))
        return f(e / e.sum(-1, keepdims=True), dy)

    assert check(Model.parse(text), heads, returns="x") and check(Model.parse(text), f, returns="x")


def test_a_layer_with_a_loop_passes_in_float32() -> None:
    scan = Model.parse("dim T, N\ninput u: T x N, h[0]: N\nparam c: N\nfor t in 1..T:\n    h[t] = c * h[t-1] + u[t]\n"
                       "output y = c * h")

    def f(c: Any, h: Any, h0: Any, dy: Any) -> Any:
        du, dh = np.zeros_like(dy), 0 * h0
        for t in reversed(range(len(dy))):
            du[t] = dh = c * (dh + dy[t])
        dc = (dy * h).sum(0) + (du * np.concatenate([h0[None], h[:-1]])).sum(0)
        return {"u": du, "h0": c * dh, "c": dc}

    for dtype in ("float64", "float32"):
        report = check(scan, f, dtype=dtype)
        assert report, report.text()


def test_a_case_distinction_on_data_of_which_the_model_has_1_minus_y_holds() -> None:
    text = "dim N\ndata y: N\ninput z: N\np = sigmoid(z)\nloss L = mean((1 - (y * p + (1 - y) * (1 - p)))**2)"

    def f(z: Any, y: Any, p: Any) -> Any:
        dz = 2 * np.where(y == 1, p - 1, p) * p * (1 - p) / len(z)
        return dz

    report = check(Model.parse(text), f)
    assert report and "it holds for targets that are 0 or 1" in report.notes


def test_a_reused_buffer_is_no_mistake() -> None:
    buffers: dict[tuple[int, ...], Any] = {}

    def f(X: Any, W: Any, dY: Any) -> Any:
        dW = buffers.setdefault(W.shape, np.empty(W.shape))
        np.matmul(X.T, dY, out=dW)
        return {"dW": dW, "dX": dY @ W.T}

    report = check(MATMUL, f)
    assert report and not report.notes


def test_single_precision_inside_is_a_note() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        dW = X.T.astype(np.float32) @ dY.astype(np.float32)
        return {"dW": dW, "dX": (dY.astype(np.float32) @ W.T.astype(np.float32)).astype(float) * 1.0}

    report = check(MATMUL, f)
    assert report and any("float32" in n for n in report.notes)
    assert check(MATMUL, f, dtype="float32")


def test_double_precision_from_single_is_a_note() -> None:
    report = check(MATMUL, lambda X, W, dY: {"W": X.T.astype(float) @ dY}, dtype="float32")
    assert report and "keeps float64" in report.notes[0]


def test_float64_from_float32_inputs_is_compared_as_float32_and_no_step_is_put_down_to_it() -> None:
    def f(Q: Any, K: Any, V: Any, P: Any, dO: Any) -> Any:
        dP = dO.astype(float) @ V.T
        dS = P * (dP - (dP * P).sum(1, keepdims=True)) / np.sqrt(Q.shape[1])
        return {"Q": dS @ K, "K": dS.T @ Q}

    attention = Model.parse("dim T, D\ninput Q: T x D, K: T x D, V: T x D\nP = softmax(Q @ K.T / sqrt(D), axis=1)\n"
                            "output O = P @ V")
    report = check(attention, f, dtype="float32")
    assert report and len(report.notes) == 1 and "keeps float64" in report.notes[0]


def test_a_wrong_gradient_is_not_said_to_agree_in_float32_where_the_mistake_is_small() -> None:
    tied = Model.parse("dim N, D\ninput x: N x D\noutput y = x + x ** 3 / 10")
    report = check(tied, lambda x, dy: {"x": dy})
    assert not report and not any("float32" in n for n in report.notes)


def test_whole_numbers_are_told_where_they_are_wrong() -> None:
    report = check(MATMUL, lambda X, W, dY: {"W": (X.T @ dY).astype(int), "X": dY @ W.T})
    assert report["W"].verdict == "fail" and report.notes == ["W comes back in int64 for float64 inputs"]
    constant = Model.parse("dim N\nparam w: N\nloss L = sum(w)")
    assert not check(constant, lambda w: {"w": np.ones(w.shape, int)}).notes


def test_axes_of_size_one_and_extra_results_are_notes() -> None:
    def f(X: Any, W: Any, dout: Any) -> Any:
        dZ = dout
        return {"db": dout.sum(0, keepdims=True), "dW": X.T @ dout, "dZ": dZ, "norm": 1.0}

    report = check(model("affine"), f)
    assert report and len(report.notes) == 2


def test_another_convention_at_a_kink_is_a_note() -> None:
    relu = Model.parse("dim N\ninput x: N\noutput y = relu(x)")
    report = check(relu, lambda x, dy: {"x": dy * (x >= 0)})
    assert report and "convention" in report.notes[0]
    assert not check(relu, lambda x, dy: {"x": dy * (x > 0)}).notes


def test_a_case_distinction_on_targets_is_right() -> None:
    bce = Model.parse("dim N\ninput p: N\ndata y: N\nloss L = mean(binary_cross_entropy(p, y))")
    report = check(bce, lambda p, y, N: {"p": np.where(y == 1, -1 / p, 1 / (1 - p)) / N})
    assert report and report.notes == ["it holds for targets that are 0 or 1"]


# -- what fails beside values


def test_a_changed_input_fails() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        dY *= 1.5
        dY /= 1.5
        dY += 1
        dY -= 1
        X[0] = 7
        return {"dX": dY @ W.T}

    report = check(MATMUL, f)
    assert report.verdict == "fail" and "changes its input X" in " ".join(report.broken)
    assert report["X"].verdict == "pass"


def test_a_wrong_gradient_may_come_of_the_input_that_is_changed() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        X *= 0
        return {"W": X.T @ dY, "X": dY @ W.T}

    report = check(MATMUL, f)
    assert report.broken == ["f changes its input X"]
    assert report["W"].says.endswith("; or it comes of X, which is changed before")


def test_a_changed_cache_fails() -> None:
    def forward(X: Any, W: Any) -> Any:
        return X @ W, {"X": X.copy(), "W": W}

    def backward(cache: Any, upstream: Any) -> Any:
        dW = cache["X"].T @ upstream
        cache["X"] *= 0
        return {"W": dW}

    report = check(MATMUL, backward, forward=forward)
    assert report.verdict == "fail" and any("cache (X)" in n for n in report.broken)
    assert report["W"].verdict == "pass"


def test_a_buffer_that_is_not_reset_fails() -> None:
    kept: dict[tuple[int, ...], Any] = {}

    def f(X: Any, W: Any, dY: Any) -> Any:
        dW = kept.setdefault(W.shape, np.zeros(W.shape))
        dW += X.T @ dY
        return {"W": dW}

    report = check(MATMUL, f)
    assert report.verdict == "fail" and "second call" in report.broken[0] and report["W"].verdict == "pass"


def test_what_runs_at_equal_sizes_only_fails_and_is_explained() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        return {"X": dY @ W, "W": X.T @ dY}

    report = check(MATMUL, f)
    assert "only where all sizes are equal" in report.broken[0]
    assert "dY @ W stands where dY @ W.T belongs" in report["X"].says and report["W"].verdict == "pass"


def test_what_always_raises_is_an_error_with_its_line() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        raise ValueError("nothing here")

    with pytest.raises(BrokenModule, match=r"nothing here \(test_checking.py:\d+"):
        check(MATMUL, f)


def test_an_error_says_at_which_sizes() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        raise ValueError(f"{X.shape}")

    with pytest.raises(BrokenModule) as raised:
        check(MATMUL, f)
    rows, columns = re.search(r"\((\d+), (\d+)\)", str(raised.value)).groups()  # type: ignore[union-attr]
    assert f"N = {rows}, D = {columns}" in str(raised.value)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_an_error_of_an_autograd_function_is_placed_in_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("import torch\n\n\nclass F(torch.autograd.Function):\n    @staticmethod\n"
                    "    def forward(ctx, X, W):\n        return X @ W\n\n    @staticmethod\n"
                    "    def backward(ctx, g):\n        return g[0, 0], missing\n", encoding="utf-8")
    with pytest.raises(BrokenModule, match=r"'missing' is not defined \(broken.py:11"):
        check(MATMUL, f"{path}:F")
    path.write_text(path.read_text(encoding="utf-8").replace("missing", "g"), encoding="utf-8")
    with pytest.raises(BrokenModule) as raised:
        check(MATMUL, f"{path}:F")
    assert "invalid gradient" in str(raised.value) and "forms.py" not in str(raised.value)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_what_backward_of_an_autograd_function_calls_its_gradient_says_nothing(tmp_path: Path) -> None:
    heads = Model.parse("dim T, h = 2, d = 3\ninput X: T x h*d\nP = softmax(reshape(X, (T, h, d)))\n"
                        "output Y = reshape(P, (T, h*d))")
    path = tmp_path / "heads.py"
    path.write_text("import torch\n\n\nclass F(torch.autograd.Function):\n    @staticmethod\n"
                    "    def forward(ctx, X):\n        p = X.reshape(len(X), 2, -1).softmax(-1)\n"
                    "        ctx.save_for_backward(p)\n        return p.reshape(X.shape)\n\n    @staticmethod\n"
                    "    def backward(ctx, d):\n        p, = ctx.saved_tensors\n        d = d.reshape(p.shape)\n"
                    "        return (p * (d - (d * p).sum(-1, keepdim=True))).reshape(len(p), -1)\n", encoding="utf-8")
    assert check(heads, f"{path}:F")


def test_overlapping_windows_of_a_maximum_that_are_overwritten_are_explained() -> None:
    pooled = Model.parse("dim N, C\ninput x: N x 6 x 6 x C\noutput y = max_pool2d(x, 3, stride=2)")

    def f(x: Any, dy: Any) -> Any:
        dx = np.zeros_like(x)
        for i, j in np.ndindex(2, 2):
            place = (slice(None), slice(2 * i, 2 * i + 3), slice(2 * j, 2 * j + 3))
            largest = x[place] == x[place].max(axis=(1, 2), keepdims=True)
            dx[place] = largest * dy[:, i : i + 1, j : j + 1]
        return dx

    assert "= stands where += belongs in dx: of entries that overlap" in check(pooled, f)["x"].says


def test_a_number_that_an_intermediate_lacks_is_named_beside_a_regulariser() -> None:
    dropout = Model.parse("dim N, D, C\ndata X: N x D, m: N x D, y: N int < C\nparam W: D x C\nconst p = 0.2\n"
                          "A = X * m * p\nZ = A @ W\nP = softmax(Z, axis=1)\n"
                          "loss L = mean(cross_entropy(Z, y)) + 0.01 * sum(W**2)")

    def f(X: Any, m: Any, y: Any, W: Any, P: Any, N: int) -> Any:
        dW = (X * m).T @ ((P - np.eye(W.shape[1])[y]) / N) + 0.02 * W
        return dW

    assert "the factor p" in check(dropout, f)["W"].says


def test_what_is_right_for_three_steps_only_fails() -> None:
    loop = Model.parse("dim T, N\ndata c: T x N, h[0]: N\nparam w: N\nfor t in 1..T:\n    h[t] = w * h[t-1] + c[t]\n"
                       "loss L = sum(h[T])")

    def f(w: Any, h0: Any, h: Any) -> Any:
        return {"w": h[1] + w * h[0] + w * w * h0}

    report = check(loop, f)
    assert report.verdict == "fail" and "not for more steps" in report["w"].says


def test_a_wrong_intermediate_is_told_and_does_not_fail_where_the_results_are_right() -> None:
    def f(X: Any, h: Any, y_hat: Any, y: Any, U: Any, N: int) -> Any:
        ds = y_hat.copy()
        ds[np.arange(N), y] -= 1
        dh = ds @ U.T
        return {"ds": ds, "U": h.T @ ds / N, "W": X.T @ (dh * (1 - h**2)) / N}

    report = check("ffnn-softmax-batch", f)
    assert report and "ds is another intermediate" in report.notes[0]


def test_a_wrong_gradient_of_data_fails_unless_it_is_that_of_a_step_by_another_name() -> None:
    model = Model.parse("dim N, D\ndata x: N x D, y: N\nparam w: D\np = x @ w\nloss L = mean((p - y)^2)")

    def f(x: Any, y: Any, w: Any, p: Any) -> Any:
        dy = 2 * (p - y) / len(y)
        return {"w": x.T @ dy, "y": dy}  # what others call dp

    def g(x: Any, y: Any, w: Any, p: Any) -> Any:
        return {"w": f(x, y, w, p)["w"], "x": 2 * np.outer(p - y, w)}

    def h(x: Any, y: Any, w: Any, p: Any) -> Any:
        return {"w": f(x, y, w, p)["w"], "p": 2 * (p - y), "x": None}

    report = check(model, g)
    assert check(model, f) and not report and "1/N is missing" in report["x"].says
    assert check(model, h) and not check(model, h, returns="w,p")  # which was asked for
    with pytest.raises(UsageError, match="--returns names x, for which h returns None"):
        check(model, h, returns="w,x")


def test_what_is_not_explained_says_so_with_a_small_input() -> None:
    report = check(MATMUL, lambda X, W, dY: {"W": np.sin(X.T @ dY) * 3, "X": dY @ W.T})
    assert report["W"].kind == "unexplained"
    assert "no single mistake" in report["W"].says and "smallest input" in report["W"].says


def test_the_smallest_input_is_one_at_which_the_gradient_exists() -> None:
    masked = Model.parse("dim N, D\ndata m: N\nparam W: N x D\nloss L = sum(m * sum(W**2, axis=1)) / sum(m)")
    report = check(masked, lambda W, m: {"W": np.sin(3 * W) * m[:, None] / m.sum()})
    assert report["W"].kind == "unexplained" and "nan" not in report["W"].says


def test_of_two_that_are_not_explained_the_one_nearer_to_the_loss_comes_first() -> None:
    def f(X: Any, W1: Any, b1: Any, A1: Any, W2: Any, Z1: Any, dZ2: Any) -> Any:
        dA1 = np.sin(dZ2 @ W2.T)
        dZ1 = dA1 * (Z1 > 0)
        return {"A1": dA1, "W1": X.T @ dZ1}

    report = check(model("two-layer"), f)
    assert "dA1, which is nearer to the loss, is wrong already" in report["W1"].says


# -- the report


def test_a_failing_assertion_shows_the_mistake() -> None:
    report = check(MATMUL, lambda X, W, dY: {"W": X.T @ dY / len(X), "X": dY @ W.T})
    assert not report and "the factor 1/N" in repr(report) and repr(report).startswith("<")
    with pytest.raises(AssertionError, match="the factor 1/N"):
        assert check(MATMUL, lambda X, W, dY: {"W": X.T @ dY / len(X)})


def test_json_as_documented() -> None:
    found = check(MATMUL, lambda X, W, dY: {"W": 2 * X.T @ dY}).to_json()
    assert {"verdict", "model", "gradients", "notes"} <= set(found) and found["verdict"] == "fail"
    wrong = found["gradients"][0]
    assert {"name", "verdict", "says", "kind", "max_relative_error", "worst_index", "yours", "right"} <= set(wrong)
    assert wrong["yours"] == pytest.approx(2 * wrong["right"]) and len(wrong["worst_index"]) == 2
    json.loads(json.dumps(found, allow_nan=False))


def test_it_is_deterministic_and_the_seed_counts() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        return {"W": -X.T @ dY}

    assert check(MATMUL, f).text() == check(MATMUL, f).text() != check(MATMUL, f, seed=5).text()


def test_a_tolerance_is_kept_to() -> None:
    def f(X: Any, W: Any, dY: Any) -> Any:
        return {"W": 1.001 * X.T @ dY}

    assert not check(MATMUL, f) and check(MATMUL, f, tolerance=1e-2)


def test_bad_options_are_refused() -> None:
    for options in ({"dtype": "float16"}, {"tolerance": -1}, {"dims": {"Q": 3}}):
        with pytest.raises(Exception, match=r"dtype|tolerance|no dimension"):
            check(MATMUL, right, **options)  # type: ignore[arg-type]


def test_check_is_the_function() -> None:
    import symbackprop.own

    assert symbackprop.check is check and callable(symbackprop.check)


# -- the command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(load_cli().cli, ["check", *arguments], prog_name="symbackprop")


LAYERS = str(CODE / "layers.py")


def test_the_command_passes_fails_and_says_that_the_file_is_executed(tmp_path: Path) -> None:
    found = run("linear-layer", f"{LAYERS}:affine")
    assert found.exit_code == 0 and "is executed" in found.stderr and "dW: right" in found.stdout
    wrong = tmp_path / "w.py"
    wrong.write_text("def f(X, W, dY):\n    return X, X.T @ dY / len(X)\n")
    found = run("linear-layer", f"{wrong}:f", "--returns", "X,W", "--json", "--seed", "3", "--trials", "2")
    assert found.exit_code == 1
    assert [g["kind"] for g in json.loads(found.stdout)["gradients"]][1] == "mean"


@pytest.mark.parametrize(("results", "returns", "message"), [
    ('{"X": dY @ W.T, "W": X.T @ dY}', "X,Q", "has no array 'Q'; it has X, W"),
    ('{"X": dY @ W.T}', "X,W", "--returns names W, and f returns X"),
    ("dY @ W.T, X.T @ dY", "X,Q", "has no array 'Q'; it has X, W"),
])
def test_returns_that_nothing_has_are_refused(tmp_path: Path, results: str, returns: str, message: str) -> None:
    path = tmp_path / "w.py"
    path.write_text(f"def f(X, W, dY):\n    return {results}\n")
    found = run("linear-layer", f"{path}:f", "--returns", returns)
    assert found.exit_code == 2 and message in found.stderr


def test_exit_codes_of_what_is_no_verdict(tmp_path: Path) -> None:
    broken, torchless = tmp_path / "broken.py", tmp_path / "none.py"
    broken.write_text("def f(:\n")
    torchless.write_text("x = 1\n")
    assert run("linear-layer", str(broken)).exit_code == 3
    assert run("linear-layer", str(torchless)).exit_code == 2
    assert run("linear-layer", str(tmp_path / "no.py")).exit_code == 2
    assert run("linear-layer", "net.txt").exit_code == 2
    found = run("linear-layer", f"{LAYERS}:afine")
    assert found.exit_code == 2 and "Did you mean 'affine'" in found.stderr
    assert run("linear-layer", LAYERS, "--dim", "Q=3").exit_code == 3
    assert "executed" in run("--help").stdout


def test_a_library_that_is_not_installed_is_exit_code_4(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')\n")
    path = tmp_path / "t.py"
    path.write_text("import torch\n")
    with pytest.raises(MissingExtra):
        check("linear-layer", str(path))
    assert run("linear-layer", str(path)).exit_code == 4


def test_what_the_file_prints_goes_to_stderr(tmp_path: Path) -> None:
    path = tmp_path / "loud.py"
    path.write_text("print('hello')\ndef f(X, W, dY):\n    print('again')\n    dW = X.T @ dY\n    return dW\n")
    found = run("linear-layer", f"{path}:f", "--json")
    assert json.loads(found.stdout)["verdict"] == "pass" and "again" in found.stderr


def test_the_sizes_that_are_given_are_used() -> None:
    seen = []

    def f(X: Any, W: Any, dY: Any) -> Any:
        seen.append((*X.shape, W.shape[1]))
        return {"W": X.T @ dY}

    assert check("linear-layer", f, dims={"N": 6})
    assert {n for n, _, _ in seen} == {6} and all(len(set(s)) == 3 for s in seen)


def test_a_constant_that_is_written_with_sizes() -> None:
    model = Model.parse("dim N\nconst c = 1/N\nparam w: N\ndata x: N\nloss L = c*sum(tanh(w*x))")
    assert check(model, lambda w, x: (1 - np.tanh(w * x) ** 2) * x / len(w))
    assert "the factor c is missing" in str(check(model, lambda w, x: (1 - np.tanh(w * x) ** 2) * x))


def test_a_constant_of_the_size_that_a_loop_runs_over_is_handed_in() -> None:
    def backward(x: Any, w: Any, c: Any) -> Any:
        return {"dw": c * x.sum()}

    loop = "dim T\nconst c = 1/T\ndata x: T, h[0]\nparam w\nfor t in 1..T:\n    h[t] = h[t-1] + w*x[t]\nloss L = c*h[T]"
    assert check(loop, backward)
    assert "the sign is wrong" in str(check(loop, lambda x, w, c: {"dw": -c * x.sum()}))


@pytest.mark.parametrize("transition", [lambda W, da: W @ da, lambda W, da: da @ W.T])
def test_a_transpose_that_a_loop_of_vectors_lacks(transition: Any) -> None:
    def backward(x: Any, y: Any, h0: Any, u: Any, W: Any, v: Any) -> Any:
        h, du, dW, n = [h0], 0 * u, 0 * W, 0 * u
        for number in x:
            h.append(np.tanh(W @ h[-1] + u * number))
        for t in range(len(x), 0, -1):
            da = ((v @ h[t] - y[t - 1]) * v + n) * (1 - h[t] ** 2)
            du, dW, n = du + da * x[t - 1], dW + np.outer(da, h[t - 1]), transition(W, da)
        return {"du": du, "dW": dW}

    report = check("""dim T, H
data x: T, y: T, h[0]: H
param u: H, W: H x H, v: H
for t in 1..T:
    a = W @ h[t-1] + u * x[t]
    h[t] = tanh(a)
    o = v @ h[t]
loss L = sum((o - y)^2) / 2""", backward)
    assert all("W @ da[3] stands where W.T @ da[3] belongs" in g.says for g in report.gradients), str(report)


def test_a_row_comes_before_a_word_for_the_upstream_gradient() -> None:
    def f(X: Any, dout: Any) -> Any:
        return {"dW": X.T @ dout}

    assert check(Model.parse("dim N, D\ndata X: N x D\nparam W: D x D\nout = X @ W\nloss L = sum(out^2)"), f)


HUBER = """dim N, K
data X: N x K, T: N x K
param g: K, b: K
A = leaky_relu(g * X + b, 0.1)
loss L = mean(huber(A, T))"""


@pytest.mark.parametrize(("slope", "clip"), [(0.01, 1.0), (0.1, np.inf), (0.1, 0.0)])
def test_no_equation_is_said_that_does_not_hold(slope: float, clip: float) -> None:
    def backward(X: Any, T: Any, g: Any, b: Any, A: Any) -> Any:
        dA = (np.clip(A - T, -clip, clip) if clip else np.sign(A - T)) / A.size
        dZ = dA * np.where(A > 0, 1, slope)
        return {"dg": (dZ * X).sum(0), "db": dZ.sum(0)}

    for gradient in check(HUBER, backward).gradients:
        assert "dL/d" not in gradient.says and " = " not in gradient.says, gradient.says


@pytest.mark.parametrize("by_place", [False, True])
def test_windows_that_overwrite_in_either_order(by_place: bool) -> None:
    def backward(x: Any, F: Any, dy: Any) -> Any:
        dx, (_, n, _), w = np.zeros_like(x), dy.shape, len(F)
        for k in range(w if by_place else n):
            if by_place:
                dx[:, k : k + n] = dy @ F[k].T
            else:
                dx[:, k : k + w] = np.einsum("nk,wck->nwc", dy[:, k], F)
        return dx

    text = """dim N, L, C, K, w = 3
input x: N x L x C
param F: w x C x K
output y = einsum("nlwc,wck->nlk", unfold(x, w, axis=1), F)"""
    assert "= stands where += belongs" in check(text, backward)["x"].says


TANH = "dim N, D, M\ninput X: N x D\nparam W: D x M, b: M, c: M\nZ = X @ W + b\noutput Y = tanh(Z) * c"


@pytest.mark.parametrize(("words", "factors", "verdict", "says"), [
    ("X weights b c", (1, 1, 1, 1), "pass", "weights, a name that the model does not have, is the gradient of W"),
    ("X weights b c", (1, 2, 1, 1), "fail", "it is twice the right one"),
    ("X W bias scale", (1, 1, 1, 1), "pass", "scale, a name that the model does not have, is the gradient of c"),
    ("X W bias scale", (1, 1, 2, 1), "fail", "bias, a name that the model does not have, is taken for the gradient of"),
    ("X W bias scale", (1, 1, 2, -1), "inconclusive", "bias or scale, which the model does not have, may be meant"),
    ("X weights b c", (1, np.arange(1, 4)[:, None] ** 1.5, 1, 1), "inconclusive", "weights, which the model does not"),
    ("norm W b c", (1, 1, 1, 1), "pass", "norm, a name that the model does not have, is the gradient of X"),
])
def test_a_name_that_the_model_does_not_have_is_taken_for_what_is_missing(words: str, factors: tuple[Any, ...],
                                                                         verdict: str, says: str) -> None:
    def backward(X: Any, W: Any, c: Any, Z: Any, dY: Any) -> dict[str, Any]:
        T = np.tanh(Z)
        dZ = dY * c * (1 - T**2)
        right = dZ @ W.T, X.T @ dZ, dZ.sum(0), (dY * T).sum(0)
        return {w: a * f for w, a, f in zip(words.split(), right, factors, strict=True)}

    report = check(Model.parse(TANH), backward, dims={"D": 3})
    assert report.verdict == verdict and says in report.text(), report.text()


def test_values_of_the_model_by_other_names_are_no_gradients() -> None:
    def backward(X: Any, Z: Any, c: Any, dY: Any) -> dict[str, Any]:
        dZ = dY * c * (1 - np.tanh(Z) ** 2)
        return {"W": X.T @ dZ, "b": dZ.sum(0), "c": (dY * np.tanh(Z)).sum(0), "batch": X, "accuracy": 0.5}

    report = check(Model.parse(TANH), backward)
    assert report.passed and "it also returns batch, accuracy, which" in report.text(), report.text()


HINGE = """dim N, D, C
data X: N x D, y: N int < C
param W: D x C
scores = X @ W
correct = take_along_axis(scores, reshape(y, (N, 1)), axis=1)
margins = relu(scores - correct + 1) * (1 - one_hot(y, C))
loss L = sum(margins) / N"""


def hinge_backward(X: Any, y: Any, margins: Any) -> Any:
    dscores = (margins > 0) * 1.0
    dscores[range(len(y)), y] = -1
    dW = X.T @ dscores / len(y)
    return dW


def upsampled_backward(dy: Any) -> Any:
    dx = dy[:, ::2]
    return dx


@pytest.mark.parametrize(("text", "backward", "says"), [
    (HINGE, hinge_backward, "in dcorrect, 1 stands where the number of entries of what comes from above that are not"),
    ("dim N, T, C\ninput x: N x T x C\noutput y = repeat(x, 2, axis=1)", upsampled_backward,
     "of the sum over axis 2 of what comes from above only the first entry is kept in dx"),
])
def test_a_sum_of_which_one_entry_is_left_is_told(text: str, backward: Any, says: str) -> None:
    assert says in check(Model.parse(text), backward).text()


def test_one_mistake_of_a_gradient_explains_it_where_another_that_it_would_spoil_is_right() -> None:
    """Each may have been computed from a delta of its own."""
    model = ("dim N, D\ndata X: N x D, y: N\nparam w: D, b\nz = X @ w + b\nh = sigmoid(z)\n"
             "loss L = sum((h - y)^2) / 2")

    def backward(X: Any, y: Any, w: Any, b: Any) -> Any:
        h = 1 / (1 + np.exp(-(X @ w + b)))
        return {"w": X.T @ ((h - y) * h), "b": np.sum((h - y) * h * (1 - h))}

    report = check(model, backward)
    assert report["b"].verdict == "pass"
    assert report["w"].says.startswith("in dh/dz = h * (1 - h), the part 1 - h is missing"), report["w"].says


HEADS = """dim B, T, D
input Q: B x T x D, K: B x T x D, V: B x T x D
P = softmax(Q @ K.mT)
output O = P @ V"""


def test_a_transpose_missing_in_a_stack_of_matrices() -> None:
    report = check(HEADS, lambda P, dO: {"V": P @ dO})
    assert not report
    (line,) = report.gradients
    assert "a transpose of P is missing or too many" in line.says
    assert line.formula == "dV = transpose(P, (0, 2, 1)) @ dO"
    assert check(HEADS, lambda P, dO: {"V": P.transpose(0, 2, 1) @ dO})


def test_a_sum_over_stacked_products_is_printed_as_one() -> None:
    (line,) = check("dim B, N, D, H\ndata X: B x N x D\nparam W: D x H\noutput Y = X @ W",
                    lambda W: {"W": 0 * W}).gradients
    assert line.formula == "dW = sum(transpose(X, (0, 2, 1)) @ dY, axis=0)"
