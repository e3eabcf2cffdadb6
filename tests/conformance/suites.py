"""The table of suites: a module of this folder each."""

from __future__ import annotations

from tests.conformance import sympy_wrong
from tests.conformance.frame import Suite

SUITES: dict[str, Suite] = {
    "sympy": sympy_wrong.SUITE,
}
