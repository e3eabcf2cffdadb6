"""Models that were written for another library, as models of one's own: `from_torch`, `from_onnx`."""

from __future__ import annotations

from symbackprop.imported.onnx import from_onnx
from symbackprop.imported.reading import Imported
from symbackprop.imported.torch import from_torch

__all__ = ["Imported", "from_onnx", "from_torch"]
