"""A SymPy expression alone is a model: its symbols are declared by what they look like, and that is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from symbackprop import derive, load, verify
from symbackprop.errors import ModelError, NameProblem, UsageError
from symbackprop.model.load import as_model
from symbackprop.model.model import Model

x, y, w, n, d, i, j = sp.symbols("x y w n d i j")
X, y_, w_ = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("y", n, 1), sp.MatrixSymbol("w", d, 1)
Xi, yi, wi = map(sp.IndexedBase, "Xyw")

READ: dict[str, Any] = {
    "data x, y; param w; loss L = (y - tanh(w * x))**2 / 2": (y - sp.tanh(w * x)) ** 2 / 2,
    "data x; param w; loss E = w * x": sp.Eq(sp.Symbol("E"), w * x),
    "dim d, n; data X: n x d, y: n; param w: d; loss L = (y - X @ w) @ (y - X @ w)": (y_ - X * w_).T * (y_ - X * w_),
    "dim d, n; data X: n x d; param W: d x 3; output Y = X @ W": X * sp.MatrixSymbol("W", d, 3),
    "dim d, n; data X: n x d, y: n; param w: d; loss L = sum((X @ w - y)**2) / n":
        sp.Sum((sp.Sum(Xi[i, j] * wi[j], (j, 1, d)) - yi[i]) ** 2, (i, 1, n)) / n,
    "dim n; param w: n; loss L = sum((w[1:] - w[:n - 1])**2)": sp.Sum((wi[i + 1] - wi[i]) ** 2, (i, 0, n - 2)),
    "dim n; param w: n;  loss L = sum((w[1:] - w[:n - 1])**2)": sp.Sum((wi[i + 1] - wi[i]) ** 2, (i, 1, n - 1)),
    "data x; param w: 3; loss L = x * w[0] * w[2]": wi[2] * wi[0] * x,
    "dim n; data y: n; param w: n + 1; loss L = w[0] + w[1:] @ y": wi[0] + sp.Sum(wi[i] * yi[i], (i, 1, n)),
    "dim n; param w: n; loss L = sum((w - w[0])**2)": sp.Sum((wi[i] - wi[0]) ** 2, (i, 0, n - 1)),
    "dim n; param p: n, q: n; loss L = p @ log(q)":
        sp.Sum(sp.IndexedBase("p", shape=(n,))[i] * sp.log(sp.IndexedBase("q", shape=(n,))[i]), (i, 0, n - 1)),
    "param x, y; loss L = x * y": x * y,
    "data k; param w; loss L = w * k": sp.Symbol("k", integer=True) * w,
    "data x; param w; output Y = stack(w * x, w)": sp.Matrix([w * x, w]),
    "function f; data x; param w; loss L = f(w * x)": sp.Function("f")(w * x),
    "dim d, n; data x: n; param w: d; loss L = sum(w**2) * sum(x**2)":
        sp.Sum(sp.IndexedBase("x")[i] ** 2, (i, 0, n - 1)) * sp.Sum(wi[i] ** 2, (i, 0, d - 1)),
    "dim n; data x; param w; loss L = n * w * x": sp.Sum(w * x, (i, 0, n - 1)),
    "data x; param w: 3; loss L = x * w[2]": wi[2] * x,
    "param J, L; loss result = J + L": sp.Symbol("L") + sp.Symbol("J"),
    "dim n; data Y: n x n; param Z: n x n; output result = Y @ Z":
        sp.MatrixSymbol("Y", n, n) * sp.MatrixSymbol("Z", n, n),
}


@pytest.mark.parametrize("text", READ)
def test_an_expression_is_a_model(text: str) -> None:
    read = as_model(READ[text])
    written = Model.parse("\n".join(map(str.strip, text.split(";"))))
    assert read.text().split("\n", 1)[1] == written.text().split("\n", 1)[1]
    assert len(read.remarks) == 1 and read.remarks[0].startswith("guessed: ")


def test_derivations_and_checks_take_expressions() -> None:
    loss = (y - sp.tanh(w * x)) ** 2 / 2
    assert str(derive(loss).gradients["w"]) == "(-(y - tanh(…))) * (1 - tanh(w * x)**2) * x"
    assert verify(loss).verdict == "pass"


def test_a_formula_as_text_is_a_model() -> None:
    d = derive("(y - tanh(w*x))^2/2")
    assert d.model.remarks[0].startswith("guessed: data y, x")
    assert repr(d) == "<Derivation of expression by w: 4 steps>"


def test_a_file_may_hold_an_expression(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("import sympy as sp\nx, w = sp.symbols('x w')\nloss = sp.sin(w*x)**2\n")
    model = load(f"{path}:loss")
    assert model.remarks == ["guessed: data x, param w"]


def test_what_is_no_model_is_refused() -> None:
    m = Model("m")
    row = m.param("w")
    with pytest.raises(ModelError, match="belongs to that model"):
        derive(sp.sin(row))
    with pytest.raises(ModelError, match=r"w\[i\]: i is no letter of a sum around it and no size"):
        derive(wi[i] * sp.Sum(wi[i], (i, 1, n)))
    with pytest.raises(NameProblem, match="keyword"):
        derive(sp.Symbol("lambda") * w)
    with pytest.raises(UsageError, match="or a SymPy expression is expected here"):
        derive(3.5)  # type: ignore[arg-type]
