"""The language: rows, kernels, shapes and the ops. Read kernel.py, shapes.py, graph.py, ops/, functions.py in that order."""

from symbackprop.core import ops, windows

__all__ = ["ops", "windows"]
