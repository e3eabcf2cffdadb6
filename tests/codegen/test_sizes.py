"""Sizes in emitted code: as integer arithmetic, and found from the arrays given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop.codegen import codegen
from symbackprop.codegen.helpers.scalar import quotient
from symbackprop.codegen.sizes import integer_code, number_code
from symbackprop.codegen.tree import name
from symbackprop.codegen.tree import text as spelled
from symbackprop.core.shapes import dim
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.verified import verify_source
from tests.codegen.helpers import emit
from tests.sweeps import few_in_ci

N, D, K = dim("N"), dim("D"), dim("K")


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (sp.Integer(3), "3"), (N, "N"), (N + 1, "N + 1"), (N - 1, "N - 1"), (1 - N, "1 - N"), (2 * N, "2 * N"),
        (N * D + K, None), (N * (D + 1), None), (N**2, "N ** 2"), (sp.floor((N - 3) / 2) + 1, "(N - 3) // 2 + 1"),
        (sp.ceiling(N / 2), None), (sp.floor(N / 3), "N // 3"), (sp.Max(N, 3), "max(3, N)"), (sp.Mod(N, 4), "N % 4"),
        (N / 2, "N // 2"), (3 * N / 2, "3 * N // 2"), (-N, "-N"), (-2 * N, None), ((N - D) * K, None),
        (N * K / D, None), (N / D + 1, "N // D + 1"), (K - N / D, "K - N // D"), ((N + D) / 2 + K * N / 3, None),
        (N / (D * K), "N // (D * K)"), (K * (N - D) / D, None), (sp.floor(N / D) * K, None), (-N / D, None),
    ],
)
def test_integer_arithmetic(size: Any, code: str | None) -> None:
    text = spelled(integer_code(size, name))
    if code is not None:
        assert text == code
    for n, d, k in ((6, 2, 3), (12, 4, 1)):
        if not size.subs({N: n, D: d, K: k}).is_Integer:
            continue
        assert eval(text, {"N": n, "D": d, "K": k}) == size.subs({N: n, D: d, K: k})


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (sp.Integer(2), "2"), (sp.Integer(-2), "-2"), (sp.Rational(1, 2), "0.5"), (sp.Rational(1, 3), repr(1 / 3)),
        (sp.sqrt(2 / sp.pi), "0.7978845608028654"), (1 / N, "quotient(1, N)"), (sp.sqrt(N), "N ** 0.5"),
        (1 / sp.sqrt(N), None), (2 / (N * D), None), (N + D, None),
        (sp.oo, "np.inf"), (-sp.oo, "-np.inf"), (sp.Integer(10) ** 30, "1e+30"),
        (sp.Rational("1e-30"), "1e-30"), (sp.pi * N, None), (N**2 / sp.Integer(2), None),
    ],
)
def test_numbers(value: Any, code: str | None) -> None:
    text = spelled(number_code(value, name))
    if code is not None:
        assert text == code
    found = eval(text, {"N": 5, "D": 2, "np": np, "quotient": quotient})
    assert float(found) == pytest.approx(float(value.subs({N: 5, D: 2})), rel=1e-15)


def test_numbers_that_no_float_holds() -> None:
    with pytest.raises(ModelError, match="is not a number that a float can hold"):
        number_code(sp.Integer(10) ** 400, str)


def test_a_size_solved_from_a_product(tmp_path: Path) -> None:
    module = emit("dim N, K, E\ndata X: N x K*E, e: E\nparam W: K*E\nloss L = sum(X @ W) / K + sum(e)", tmp_path)
    assert module.PARAMS == {"W": ("E*K",)}
    data = {"X": np.ones((2, 6)), "e": np.zeros(3)}
    assert module.forward({"W": np.ones(6)}, data)[0] == 12 / 2
    with pytest.raises(ValueError, match=r"W has shape \(7,\), expected \(E\*K,\) with E\*K = 6"):
        module.forward({"W": np.ones(7)}, data)
    with pytest.raises(ValueError, match=r"X has shape \(2, 7\), expected \(N, E\*K\)"):
        module.forward({"W": np.ones(6)}, {**data, "X": np.ones((2, 7))})


def test_sizes_with_sums_and_numbers(tmp_path: Path) -> None:
    module = emit("dim H\nparam W: 2*H + 1, V: 3 x 4\nloss L = sum(W) / H + sum(V)", tmp_path)
    assert module.PARAMS == {"W": ("2*H + 1",), "V": (3, 4)}
    loss, grads = module.loss_and_grads({"W": np.ones(9), "V": np.zeros((3, 4))}, {})
    assert loss == 9 / 4
    np.testing.assert_array_equal(grads["W"], np.full(9, 0.25))
    with pytest.raises(ValueError, match=r"V has shape \(4, 3\), expected \(3, 4\)"):
        module.forward({"W": np.ones(9), "V": np.zeros((4, 3))}, {})
    with pytest.raises(ValueError, match=r"W has shape \(8,\), expected \(2\*H \+ 1,\)"):
        module.forward({"W": np.ones(8), "V": np.zeros((3, 4))}, {})


def test_a_size_beside_another_is_not_negative(tmp_path: Path) -> None:
    text = "dim K, N\nparam A: N + K x N\nloss L = sum(A**2)"
    model = Model.parse(text)
    assert verify_source(codegen(model), model).verdict == "pass"
    module = emit(text, tmp_path)
    assert module.forward({"A": np.eye(2)}, {})[0] == 2
    with pytest.raises(ValueError, match="A has"):
        module.forward({"A": np.ones((1, 3))}, {})
    module = emit("dim N, D\nparam A: N + 1 x D\nloss L = sum(A) + N", tmp_path)
    with pytest.raises(ValueError, match="A has"):
        module.forward({"A": np.ones((0, 3))}, {})


def test_a_size_that_no_array_shows_has_a_default_or_is_given(tmp_path: Path) -> None:
    module = emit("dim K = 4\nparam x\nloss L = x * sum(arange(K))", tmp_path)
    assert module.forward({"x": 2.0}, {})[0] == 12
    assert module.forward({"x": 2.0}, {}, dims={"K": 3})[0] == 6
    module = emit("dim K\nparam x\nloss L = x * sum(arange(K))", tmp_path)
    assert module.forward({"x": 2.0}, {}, dims={"K": 3})[0] == 6
    with pytest.raises(ValueError, match=r"no array shows how large K is: give it, as in forward.*dims={'K': 4}"):
        module.forward({"x": 2.0}, {})


def test_the_bound_of_integers_may_be_an_expression(tmp_path: Path) -> None:
    module = emit("dim N, C\ndata y: N int < 2*C\nparam W: C\nloss L = sum(concat(W, W)[y])", tmp_path)
    grads = module.loss_and_grads({"W": np.ones(2)}, {"y": [0, 3, 2]})[1]
    np.testing.assert_array_equal(grads["W"], [2, 1])
    with pytest.raises(ValueError, match=r"y holds 4, outside 0 <= y < 2\*C = 4"):
        module.forward({"W": np.ones(2)}, {"y": [4]})


def test_initial_sizes(tmp_path: Path) -> None:
    module = emit("dim D = 3, H\nparam W: D x H\nloss L = sum(W)", tmp_path)
    rng = np.random.default_rng(0)
    assert module.DIMS == {"D": 3, "H": None}
    assert module.init_params(rng, H=2)["W"].shape == (3, 2)
    assert module.init_params(rng, H=2, D=5)["W"].shape == (5, 2)
    with pytest.raises(ValueError, match=r"init_params needs a size for H, as in init_params\(rng, H=4\)"):
        module.init_params(rng)
    with pytest.raises(ValueError, match="there is no dimension 'Q'; the model has D, H"):
        module.init_params(rng, H=2, Q=1)


@pytest.mark.parametrize("target", ["numpy", "jax"])
@pytest.mark.parametrize("size", few_in_ci([4, 3, 7], 3))
def test_a_symbolic_axis_in_steps(target: str, size: int) -> None:
    """Sizes that are rounded stand in rows as numbers; a slice backwards to the first place stops nowhere."""
    model = Model.parse("""
    dim N, M
    param a: N x M
    data y: N
    b = a[::2, 1:] * 2
    c = b[:, ::3]
    d = a[N-1:0:-2]
    loss L = mean(c**2) + mean(y[::-2]) * a[0, 0] + mean(tanh(d))
    """)
    assert verify_source(codegen(model, target=target), model, sizes={"N": size, "M": 5})
