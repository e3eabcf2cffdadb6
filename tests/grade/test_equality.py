"""Comparison of numbers, and of formulas by algebra."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop.grade.equality import expanded_terms, factor_between, same


def test_comparison() -> None:
    a = np.array([1.0, -2.0])
    assert same(a, a * (1 + 1e-12)) and not same(a, a * (1 + 1e-6))
    assert not same(np.array([np.nan, 1.0]), a) and not same(a, a[:1])
    assert factor_between(3 * a, a) == pytest.approx(3)
    assert factor_between(a, a[::-1]) is None and factor_between(0 * a, a) is None
    assert np.isnan(factor_between(0 * a, 0 * a) or 0.0)


def test_the_size_of_an_expansion_is_bounded_before_it_is_made() -> None:
    import sympy as sp

    x, y, z = sp.symbols("x y z")
    assert expanded_terms((x + y) * (x + z)) == 4
    assert expanded_terms((x + y + z) ** 10) >= sp.expand((x + y + z) ** 10).as_ordered_terms().__len__()
    assert expanded_terms((x + y) ** 10_000) > 2_000
