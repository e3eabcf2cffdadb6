"""Declaring models: in Python (`Model`) and as model text."""

from symbackprop.model.model import Model, Statement

__all__ = ["Model", "Statement"]
