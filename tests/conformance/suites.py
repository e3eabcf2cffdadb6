"""The table of suites: a module of this folder each."""

from __future__ import annotations

from tests.conformance import onnx_nodes, opinfo, sympy_wrong
from tests.conformance.frame import Suite

SUITES: dict[str, Suite] = {
    "onnx": onnx_nodes.SUITE,
    "opinfo": opinfo.SUITE,
    "sympy": sympy_wrong.SUITE,
}
