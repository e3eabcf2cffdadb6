"""Dimensions that become numbers."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.core.ops.window import Window
from symbackprop.core.shapes import dim
from symbackprop.core.sizes import sized

N, D = dim("N"), dim("D")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (N, sp.Integer(4)),
        ((N, D, sp.floor(N / 3)), (sp.Integer(4), D, sp.Integer(1))),
        (((0, 1), True), ((0, 1), True)),
        (Window((1, 1), (0, 0), (N, D)), Window((1, 1), (0, 0), (sp.Integer(4), D))),
        (f.Num(N) * f.Arg(0), f.Num(sp.Integer(4)) * f.Arg(0)),
        (Kernel(f.Arg(0) / f.Num(N)), Kernel(f.Arg(0) / 4)),
        (None, None),
    ],
)
def test_all_that_holds_dimensions(value: Any, expected: Any) -> None:
    found = sized(value, {"N": 4})
    assert found == expected and type(found) is type(expected)


def test_a_factor_that_becomes_0_takes_its_row_away() -> None:
    assert sized((f.Num(N - 4) * f.Arg(0)) + f.Arg(1), {"N": 4}) == f.Arg(1)
