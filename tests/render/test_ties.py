"""Ties: the value, the formula in every notation, and the words say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.core.listing import entries
from symbackprop.derive import derive
from symbackprop.model import Model
from symbackprop.render.board import build_document
from symbackprop.render.document import Document
from symbackprop.render.json import to_json
from symbackprop.render.latex import to_latex
from symbackprop.render.options import Options
from symbackprop.render.text import to_text
from tests.codegen.helpers import emit

SCALARS = "param x, z\nm = {}(x, z)\nloss L = 3 * m"
ARRAYS = "dim N\nparam x: N, z: N\nm = {}(x, z)\nloss L = sum(3 * m)"
OF = {"maximum": ("x", "z"), "minimum": ("z", "x")}


def document(text: str, view: str = "auto", relu0: float = 0) -> Document:
    return build_document(derive(Model.parse(text, relu0=relu0)), Options(view=view))


@pytest.mark.parametrize(("model", "view"), [
    (SCALARS, "scalar"), (SCALARS, "matrix"), (ARRAYS, "matrix"), (ARRAYS, "index"), (ARRAYS, "jacobian"),
])
@pytest.mark.parametrize("name", OF)
def test_the_share_at_a_tie_is_written(name: str, view: str, model: str) -> None:
    (a, b), doc = OF[name], document(model.format(name), view)
    entry = "_n" if view == "index" else ""
    text = to_text(doc)
    for left, right in ((a + entry, b + entry), (b + entry, a + entry)):
        assert f"(1[{left} > {right}] + ½·1[{left} = {right}])" in text
    assert r"\right] + \frac{1}{2} \mathbf{1}\!\left[" in to_latex(doc)
    assert "½·1[" in str(to_json(doc))
    words = " ".join(text.split())
    assert "equal arguments of max and min share the gradient equally" in words
    assert "equal ones half of it" in words


@pytest.mark.parametrize(("relu0", "derivative"), [(0, "1[x > 0]"), (1, "1[x ≥ 0]"), (0.5, "1[x > 0] + ½·1[x = 0]")])
def test_relu(relu0: float, derivative: str) -> None:
    text = to_text(document("param x\nloss L = relu(x)", relu0=relu0))
    assert f"dL/dx = {derivative}" in text
    assert "max and min" not in text


def test_nothing_is_said_of_ties_where_there_are_none() -> None:
    text = to_text(document("param x\nloss L = tanh(x)"))
    assert "ReLU" not in text and "max and min" not in text


@pytest.mark.parametrize("level", [0, 1, 2])
def test_values_are_what_the_formula_says(level: int, tmp_path: Path) -> None:
    point = {"x": np.array([1.0, 2.0, -0.0]), "z": np.array([1.0, 1.0, 0.0])}
    for name, shares in (("maximum", [0.5, 1.0, 0.5]), ("minimum", [0.5, 0.0, 0.5])):
        grads = emit(ARRAYS.format(name), tmp_path, level=level).loss_and_grads(point, {})[1]
        np.testing.assert_array_equal(grads["x"], 3 * np.array(shares))
        np.testing.assert_array_equal(grads["x"] + grads["z"], [3, 3, 3])


def test_emitted_comments_and_the_list_of_ops() -> None:
    assert "# dx = 3 · ((x > z) + (x == z) / 2)" in codegen(Model.parse(SCALARS.format("maximum")))
    listed = {e["name"]: e for e in entries()}
    assert listed["maximum"]["derivative"] == "d/dx = (x > y) + (x == y) / 2; d/dy = (y > x) + (y == x) / 2"
    assert listed["minimum"]["derivative"] == "d/dx = (y > x) + (y == x) / 2; d/dy = (x > y) + (x == y) / 2"
    assert listed["max"]["derivative"] == "upstream to the largest entry, in equal shares to equal ones"
