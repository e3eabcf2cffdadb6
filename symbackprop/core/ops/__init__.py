"""The structural ops, one record each; importing this package fills the table `registry.OPS`."""

from symbackprop.core.ops import elementwise, indexing, leaves, linear, loop, reductions, views, window
from symbackprop.core.registry import OPS

__all__ = ["OPS", "elementwise", "indexing", "leaves", "linear", "loop", "reductions", "views", "window"]
