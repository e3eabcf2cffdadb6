"""A module's loss over one vector: what SciPy's optimisers are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop import flat
from symbackprop.errors import UsageError
from tests.codegen.helpers import ALONG, emit
from tests.core.helpers import close

LOGISTIC = """dim N, D
data X: N x D, y: N
param w: D, b
z = X @ w + b
loss L = mean(softplus(z) - y * z) + 0.05 * sum(w**2)
"""


def problem(tmp_path: Path, **options: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    data = {"X": rng.normal(size=(30, 3)), "y": (rng.uniform(size=30) < 0.5) * 1.0}
    return emit(LOGISTIC, tmp_path, **options), data, {"b": 0.3, "w": rng.normal(size=3)}


def textbook(data: dict[str, Any], x: Any) -> Any:
    """Xᵀ diag(p(1 − p)) X/N + 0.1·I for the weights, with a column of ones for b."""
    whole = np.column_stack([data["X"], np.ones(len(data["y"]))])
    p = 1 / (1 + np.exp(-whole @ x))
    return whole.T @ (whole * (p * (1 - p))[:, None]) / len(p) + np.diag([0.1, 0.1, 0.1, 0])


def test_one_vector_in_the_order_of_declaration(tmp_path: Path) -> None:
    module, data, params = problem(tmp_path, along=ALONG)
    f = flat(module, data, params)
    close(f.x0, [*params["w"], 0.3])
    assert f.x0.dtype == np.float64 and list(f.unflatten(f.x0)) == ["w", "b"]
    loss, grads = module.loss_and_grads(params, data)
    assert f.fun(f.x0) == pytest.approx(loss) and f.fun_and_jac(f.x0)[0] == pytest.approx(loss)
    close(f.jac(f.x0), [*grads["w"], grads["b"]])
    f.unflatten(f.x0)["w"][:] = 7
    close(f.x0[:3], params["w"])


WHOLE = {"whole": ("hessian",)}


@pytest.mark.parametrize("options", [{"along": ALONG}, {"along": ALONG, **WHOLE}, WHOLE])
def test_the_hessian_is_that_of_the_textbook(options: dict[str, Any], tmp_path: Path) -> None:
    module, data, params = problem(tmp_path, **options)
    f = flat(module, data, params)
    expected, v = textbook(data, f.x0), np.arange(4.0)
    close(f.hess(f.x0), expected)
    if hasattr(module, "hvp"):
        close(f.hessp(f.x0, v), expected @ v)


def test_newton_by_scipy(tmp_path: Path) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    module, data, params = problem(tmp_path, along=ALONG)
    f = flat(module, data, params)
    for options in ({"hessp": f.hessp}, {"hess": f.hess}):
        found = optimize.minimize(f.fun_and_jac, f.x0, jac=True, method="trust-ncg", options={"gtol": 1e-10}, **options)
        assert found.success and np.abs(f.jac(found.x)).max() < 1e-9 and found.nit < 15


def test_what_is_refused(tmp_path: Path) -> None:
    module, data, params = problem(tmp_path)
    f = flat(module, data, params)
    with pytest.raises(UsageError, match="the module has no hvp: emit it with codegen --hvp"):
        f.hessp(f.x0, f.x0)
    with pytest.raises(UsageError, match="params has no 'b'; the module has w, b"):
        flat(module, data, {"w": params["w"]})
    with pytest.raises(UsageError, match="params has an unknown name 'c'"):
        flat(module, data, {**params, "c": 1})
    with pytest.raises(ValueError, match=r"x has shape \(3,\), expected \(4,\)"):
        f.fun(np.ones(3))
    with pytest.raises(UsageError, match="a layer has no number to minimise"):
        flat(emit("input x: 3\noutput y = tanh(x)", tmp_path), {"x": np.ones(3)}, {})


def test_what_is_no_mapping_is_refused(tmp_path: Path) -> None:
    module = emit("data x\nparam w\nloss L = (w - x)**2", tmp_path)
    for data, params, what in (({"x": 1.0}, None, "w"), ({"x": 1.0}, 3, "params"), (3, {"w": 1.0}, "data")):
        with pytest.raises(UsageError, match=what):
            flat(module, data, params)  # type: ignore[arg-type]
