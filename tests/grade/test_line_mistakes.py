"""One change to a line."""

from __future__ import annotations

from symbackprop.grade.line_mistakes import arithmetic, edits, products
from symbackprop.grade.reading import parsed
from symbackprop.grade.tree_text import unparsed


def test_edits_change_one_place() -> None:
    found = {unparsed(e.whole) for e in edits(parsed("A @ B + C"), products)}
    assert {"B @ A + C", "A.T @ B + C", "A * B + C", "A @ B.T + C"} <= found
    assert "A @ B - C" in {unparsed(e.whole) for e in edits(parsed("A @ B + C"), arithmetic)}
