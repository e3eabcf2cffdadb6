"""Checking gradients numerically."""

from symbackprop.verify.interpreter import evaluate

__all__ = ["evaluate"]
