"""One change to a line."""

from __future__ import annotations

from symbackprop.grade.explain import arithmetic, edits, products
from symbackprop.grade.tree_text import unparsed
from symbackprop.model.text.expressions import one_formula


def test_edits_change_one_place() -> None:
    found = {unparsed(e.whole) for e in edits(one_formula("A @ B + C"), products)}
    assert {"B @ A + C", "A.T @ B + C", "A * B + C", "A @ B.T + C"} <= found
    assert "A @ B - C" in {unparsed(e.whole) for e in edits(one_formula("A @ B + C"), arithmetic)}
