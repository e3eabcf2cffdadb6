"""The language. Read formula.py, kernel.py, shapes.py, graph.py, ops/ and functions.py, in that order."""

from symbackprop.core import layers, losses, ops, primitives, windows

__all__ = ["layers", "losses", "ops", "primitives", "windows"]
