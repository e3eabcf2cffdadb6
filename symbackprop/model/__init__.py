"""Declaring models: in Python (`Model`), as model text, or by the name of a built-in one."""

from symbackprop.model.load import load
from symbackprop.model.model import Model, Statement
from symbackprop.model.text import parse_expression, to_text

__all__ = ["Model", "Statement", "load", "parse_expression", "to_text"]
