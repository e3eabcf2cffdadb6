"""The suites of the conformance page."""

from __future__ import annotations

from tests.conformance import autograd_checks, cookbook, matrixcalculus, onnx_nodes, opinfo, stability, sympy_wrong
from tests.conformance.frame import Suite

SUITES: dict[str, Suite] = {
    "autograd": autograd_checks.SUITE,
    "cookbook": cookbook.SUITE,
    "matrixcalculus": matrixcalculus.SUITE,
    "stability": stability.SUITE,
    "onnx": onnx_nodes.SUITE,
    "opinfo": opinfo.SUITE,
    "sympy": sympy_wrong.SUITE,
}
