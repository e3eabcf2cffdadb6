"""Models that were written for another library, as models of one's own: `from_torch`."""

from __future__ import annotations

from symbackprop.imported.torch import Imported, from_torch

__all__ = ["Imported", "from_torch"]
