"""Arrays that are listed, number by number: printed, written, emitted and differentiated as such."""

from __future__ import annotations

import types

import numpy as np
import pytest
import sympy as sp

from symbackprop import Model, codegen, derive, verify
from symbackprop.core.facts import is_joined, is_listed
from symbackprop.grade import grade
from symbackprop.model import to_text
from symbackprop.verified import first_difference
from tests.model.helpers import described

ROTATED = """
dim N
data X: N x 2
param t, s, b: 2
R = [[cos(t), -sin(t)], [sin(t), cos(t)]]
S = [[[s, 1], [2, s**2]], [[0, s], [1, 1]]]
Z = X @ R.T + b + [s, 2*s] + sum(S, axis=(0, 1))
loss L = mean(Z**2)
"""


def test_a_matrix_is_printed_as_one() -> None:
    d = derive(Model.parse(ROTATED))
    page = d.text()
    assert "= [[a, −c], [c, a]]" in page and "= [[[s, 1], [2, s²]], [[0, s], [1, 1]]]" in page
    assert "δ_c   = δ_R[1, 0] − δ_R[0, 1]" in page and "δ ↦ δ[1, 0] − δ[0, 1]" in page
    assert r"\begin{bmatrix} a & -c \\ c & a \end{bmatrix}" in d.latex()
    assert "= δ_R[1,0] − δ_R[0,1]" in d.text(view="index")


@pytest.mark.parametrize("options", [{}, {"level": 2}, {"hvp": True, "jvp": True, "ggn": True, "hessian": True},
                                     {"level": 2, "hvp": True, "jvp": True}])
def test_it_is_emitted_as_one(options: dict[str, object]) -> None:
    source = codegen(Model.parse(ROTATED), **options)  # type: ignore[arg-type]
    assert "np.array([[a, -c], [c, a]], dtype=dtype)" in source and "dR[1, 0] - dR[0, 1]" in source


def test_a_sum_of_a_list_with_noughts_has_a_tangent() -> None:
    """A tangent of which one number is 0 was taken for nothing, as a product is."""
    module = types.ModuleType("emitted")
    exec(codegen(Model.parse("param s\noutput y = sum([[s, 1], [2, s**2]], axis=0)"), jvp=True), module.__dict__)
    assert np.array_equal(module.jvp({"s": 3.0}, {}, {"s": 1.0})["y"], [1.0, 6.0])


@pytest.mark.parametrize("listed", [
    "[1, 2]", "[[1, 2], [3, 4]]", "[s, 0.5]", "[[s], [2]]", "[[[s, t]], [[1, pi]]]", "stack([1, s], [t, 2], axis=1)",
    "stack([[1, s]], [[t, 2]], axis=2)", "[[1, 2], b]", "[b, b]", "[s]", "stack(b)", "[[s, t][0], 1]",
    "2 * stack(s, t)", "stack(s, t) + stack(1, s)",  # they were written as 2 * [s, t], which is refused
])
def test_what_is_listed_is_what_numpy_has(listed: str) -> None:
    model = Model.parse(f"param s, t, b: 2\nA = {listed}\nloss L = sum(A * A) + sum(sin(A))")
    again = Model.parse(to_text(model))
    assert described(again) == described(model), to_text(model)
    assert verify(model, seed=0)
    numbers = {"s": 0.3, "t": -2.0, "b": np.array([0.5, 7.0])}
    module = types.ModuleType("emitted")
    exec(codegen(model), module.__dict__)
    given = {"stack": lambda *a, axis=0: np.stack(a, axis), "pi": np.pi, **numbers}
    assert np.array_equal(module.outputs(numbers, {})["A"], np.array(eval(listed, given)))


def test_only_numbers_are_listed() -> None:
    def row(text: str) -> bool:
        found = Model.parse(f"param s, b: 2, M: 2 x 2\nA = {text}\nloss L = sum(A)").graph.names["A"]
        assert is_listed(found) or is_joined(found) or text == "[s]"
        return is_listed(found)

    assert row("[s, 1]") and row("[[s, 1], [2, 3]]")
    assert not row("[b, b]") and not row("[s]") and not row("[M, M]")


def test_in_python_numbers_and_symbols_are_listed_alike() -> None:
    m = Model("listed")
    t, u = m.param("t"), m.param("u", (2,))
    turned = m.let("turned", [[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]] @ u)
    m.loss("L", turned @ np.array([[2.0, 0.0], [0.0, 0.5]]) @ turned + sp.Matrix([t, 2]).T @ u)
    page = derive(m).text()
    assert "[[2, 0], [0, ½]]" in page and "concat" not in page and verify(m, seed=0)


def test_a_printed_gradient_that_is_a_list_is_right() -> None:
    model = Model.parse("param b: 3\nM = [[1, 2, 3], [4, 5, 6]]\nloss L = [1, 2] @ M @ b + [7, 8, 9] @ b")
    printed = derive(model).text()
    assert "[7, 8, 9]" in printed
    assert grade(model, "db = M.T @ [1, 2] + [7, 8, 9]").verdict == "right"


@pytest.mark.parametrize(("index", "meant"), [
    ("[k]", "stack(s, 2, 3)[k]"), ("[1:]", "stack(s, 2, 3)[1:]"), ("[:, None]", "stack(s, 2, 3)[:, None]"),
    ("[1]", "2"), ("[-1]", "3"),
])
def test_a_list_has_indices(index: str, meant: str) -> None:
    def model(text: str) -> Model:
        return Model.parse(f"data k: int < 3\nparam s\nloss L = sum({text})**2 + s")

    assert first_difference(model(f"[s, 2, 3]{index}"), model(meant)) is None
    assert verify(model(meant), seed=0)

ENTRIES = """
dim N
data x: N, y: N
param theta: 3
mu = theta[0] + theta[1] * x
s = exp(theta[2])
loss L = sum((y - mu)**2) / (2*s**2) + N * theta[2]
"""


@pytest.mark.parametrize("view", ["matrix", "index", "jacobian"])
def test_the_gradient_of_entries_is_a_list(view: str) -> None:
    """It was concat((Σ_n δ_μ[n])·1_1, δ_a·1_1, δ_b·1_1, axis 0)."""
    model = Model.parse(ENTRIES)
    page = derive(model).text(view=view)
    assert "[j], δ_a, δ_b]" in page.replace("[n]", "[j]") and "·1_1" not in page and "pad" not in page
    assert "np.array([dmu.sum(), da, db], dtype=dtype)" in codegen(model)
    right = "dtheta = [-sum(y - mu)/s**2, -sum((y - mu)*x)/s**2, N - sum((y - mu)**2)/s**2]"
    assert grade(model, right).verdict == "right"


def test_one_entry_alone_stands_among_noughts() -> None:
    assert "∂L/∂v = [0, 2v[1], 0]" in derive(Model.parse("param v: 3\nloss L = v[1]**2")).text().replace("  ", "")


def test_whole_numbers_and_conditions_that_are_joined_stay_such() -> None:
    """They were numbers in float: no index, and no mask."""
    head = "param W: 5 x 3, a, b\ndata i: int < 5, j: int < 5\n"
    model = Model.parse(head + "k = concat(i[None], j[None])\nm = stack(a > 0, b > 0)\nloss L = sum(W[k]^2)")
    names = model.graph.names
    assert (names["k"].kind, names["m"].kind) == ("int", "bool")


def test_of_a_large_matrix_the_corners_are_printed() -> None:
    rows = ", ".join(f"[{', '.join(f'{k}*w + {j}' for j in range(30))}]" for k in range(30))
    d = derive(Model.parse(f"param w\nM = [{rows}]\nloss L = sum(M**2)"))
    forward, backward = d.text().split("Backward pass")
    # a long sum in the map, put together, written out and in the result: of what is abridged no closed form is sought
    assert (forward.count("…"), backward.count("…")) == (27, 4) and len(d.text(whole=True)) > 3 * len(d.text())
