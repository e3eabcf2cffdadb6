"""The doorway: what objects of inner parts reach of outer ones, and only when one of their methods is called.

``d.latex()`` prints and ``_repr_html_`` draws, while nothing in `derive` knows how that is done; ``a @ b`` builds a
row, while a row knows nothing of products. Every such name stands here with the module that has it, so that imports
elsewhere point one way.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

BEHIND = {
    "brief": "symbackprop.core.notation",
    "lower": "symbackprop.core.from_sympy",
    "RowSymbol": "symbackprop.core.bridge",
    "with_noughts": "symbackprop.core.noughts",
    "stable_form": "symbackprop.core.naive_forms",
    "powers": "symbackprop.core.naive_forms",
    "matmul": "symbackprop.core.build",
    "transpose": "symbackprop.core.build",
    "getitem": "symbackprop.core.indexing",
    "called": "symbackprop.core.numpy_calls",
    "of_function": "symbackprop.core.numpy_calls",
    "parse": "symbackprop.model.text",
    "to_text": "symbackprop.model.text",
    **dict.fromkeys(("changes_in_place", "in_text", "is_method", "method"), "symbackprop.model.text.of_python"),
    "load_text": "symbackprop.model.load",
    "printed": "symbackprop.render.formats",
    "picture_of": "symbackprop.render.graph",
    "to_svg": "symbackprop.render.graph.svg",
    "to_dot": "symbackprop.render.graph.dot",
    "picture_text": "symbackprop.render.graph.text",
    "node_latex": "symbackprop.render.notebook",
    "node_html": "symbackprop.render.notebook",
    "model_latex": "symbackprop.render.notebook",
    "model_html": "symbackprop.render.notebook",
    "summary_latex": "symbackprop.render.notebook",
    "fragment_html": "symbackprop.render.notebook",
    "to_page": "symbackprop.exercise.page",
    "to_sheet": "symbackprop.exercise.sheet",
}


@cache
def late(name: str) -> Any:
    """The function of that name."""
    return getattr(import_module(BEHIND[name]), name)
