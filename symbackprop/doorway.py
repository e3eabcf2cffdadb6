"""The doorway: what objects of inner parts reach of outer ones, and only when one of their methods is called.

``d.latex()`` prints and ``_repr_html_`` draws, while nothing in `derive` knows how that is done. Every such name stands
here with the module that has it, so that imports elsewhere point one way.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

BEHIND = {
    "printed": "symbackprop.render.formats",
    "picture_of": "symbackprop.render.graph",
    "node_latex": "symbackprop.render.notebook",
    "node_html": "symbackprop.render.notebook",
    "model_latex": "symbackprop.render.notebook",
    "model_html": "symbackprop.render.notebook",
    "summary_latex": "symbackprop.render.notebook",
    "fragment_html": "symbackprop.render.notebook",
}


def late(name: str) -> Any:
    """The function of that name."""
    return getattr(import_module(BEHIND[name]), name)
