"""Reverse-mode differentiation of the row table, recorded as steps that every output is printed from."""

from symbackprop.derive.reverse import grad, vjp
from symbackprop.derive.steps import Contribution, Derivation, Step, derive

__all__ = ["Contribution", "Derivation", "Step", "derive", "grad", "vjp"]
