"""The suites of the conformance page."""

from __future__ import annotations

from tests.conformance import onnx_nodes, opinfo, stability, sympy_wrong
from tests.conformance.frame import Suite

SUITES: dict[str, Suite] = {
    "stability": stability.SUITE,
    "onnx": onnx_nodes.SUITE,
    "opinfo": opinfo.SUITE,
    "sympy": sympy_wrong.SUITE,
}
