"""Backpropagation recorded as steps, from which every output is printed."""

from symbackprop.derive.steps import Contribution, Derivation, Edge, Step, derive

__all__ = ["Contribution", "Derivation", "Edge", "Step", "derive"]
