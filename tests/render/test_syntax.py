"""A further mathematics syntax is one subclass of `Display`: every tree of every model prints in it."""

from __future__ import annotations

import pytest

from symbackprop.model import zoo
from tests.render.helpers import document
from tests.render.test_mathml import trees
from tests.render.test_notation import written
from tests.render.typst import typst

CASES = {
    "(y - x)**2 / 2": "frac(1, 2) (y - x)^(2)",
    "X.T @ Y": "X^(top) thin Y",
    "mean(X)": "frac(1, N thin D) thin sum_(n , d) X_(n d)",
    "sqrt(x)": "sqrt(x)",
}


@pytest.mark.parametrize("expression", CASES)
def test_expressions(expression: str) -> None:
    assert " ".join(typst(written(expression)).split()) == CASES[expression]


@pytest.mark.parametrize("name", zoo.names())
def test_everything_prints(name: str) -> None:
    for tree in dict.fromkeys(trees(document(name))):
        text = typst(tree)
        assert text and text.count("(") == text.count(")") and "\\frac" not in text
