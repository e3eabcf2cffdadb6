"""The examples of second derivatives find what they say: fits that agree, influences that happen, eigenvalues of the
whole matrix, gradients that differences confirm."""

from __future__ import annotations

import importlib
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports an example by name, its folder on the path."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return lambda name: importlib.import_module(name)


def test_newton_and_trust_region_end_at_the_same_place(example: Any) -> None:
    pytest.importorskip("sklearn")
    lengths, apart = example("newton").main()
    assert lengths[-1] < 1e-12 and apart < 1e-7
    late = [(a, b) for a, b in pairwise(lengths) if 1e-6 < a < 1e-1]
    assert late and all(b < 10 * a**1.5 for a, b in late)  # digits double


def test_influences_are_what_happens(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    program = example("influence")
    monkeypatch.setattr(program, "LEFT_OUT", 4)
    assert program.main() > 0.95


def test_error_bars_open_where_there_are_no_data(example: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "bars.png"
    monkeypatch.setattr(sys, "argv", ["laplace.py", str(picture)])
    inside, gap = example("laplace").main()
    assert inside < 0.1 and gap > 5 * inside
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_eigenvalues_are_those_of_the_matrix(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program = example("spectrum")
    monkeypatch.setattr(program, "SIZES", {"T": 4, "N": 2, "V": 5, "E": 3, "H": 4})
    found, f = program.extremes(2)
    right = np.linalg.eigvalsh(f.hess(f.x0))
    assert np.allclose(found, [*right[:2], *right[-2:]], atol=1e-8)


def test_gradients_through_a_fixed_point(example: Any) -> None:
    assert example("fixed_point").main() < 1e-7
