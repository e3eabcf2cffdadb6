"""Trees of formulas as text, and their factors."""

from __future__ import annotations

import pytest

from symbackprop.grade.tree_text import flattened, unparsed
from symbackprop.model.text.expressions import one_formula
from symbackprop.model.text.tree import count_nodes, mentioned


@pytest.mark.parametrize(
    "text",
    [
        "-(y - o) * (1 - o**2) * h",
        "X.T @ (dZ * (Z > 0)) / N",
        "sum(a, axis=0)",
        "a[:, 1:]",
        "a - (b - c)",
        "(a + b)**2",
    ],
)
def test_trees_are_written_as_they_are_read(text: str) -> None:
    assert unparsed(one_formula(text)) == text
    assert one_formula(unparsed(one_formula(text))) == one_formula(text)


def test_looking_at_trees() -> None:
    tree = one_formula("-(y - o) * h / w2")
    assert [(unparsed(e), divides) for e, divides in flattened(tree, False)] == [
        ("-1", False),
        ("y - o", False),
        ("h", False),
        ("w2", True),
    ]
    assert list(mentioned(tree)) == ["y", "o", "h", "w2"]
    assert count_nodes(one_formula("a + b")) == 3
