"""Backpropagation recorded as steps, from which every output is printed."""

from symbackprop.derive.backprop import derive
from symbackprop.derive.record import Contribution, Edge
from symbackprop.derive.steps import Derivation, LoopStep, Step

__all__ = ["Contribution", "Derivation", "Edge", "LoopStep", "Step", "derive"]
