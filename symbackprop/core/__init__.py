"""The language. Read formula.py, kernel.py, shapes.py, graph.py, ops/ and functions/, in that order."""

from symbackprop.core import functions, ops

__all__ = ["functions", "ops"]
