"""The language: rows, kernels, shapes and the ops. Read kernel.py, shapes.py, graph.py, ops/, functions.py in that order."""

from symbackprop.core import layers, losses, ops, primitives, windows

__all__ = ["layers", "losses", "ops", "primitives", "windows"]
