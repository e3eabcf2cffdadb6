"""The language. Read formula.py, kernel.py, shapes.py, graph.py, ops/ and functions.py, in that order."""

from symbackprop.core import ops as ops
