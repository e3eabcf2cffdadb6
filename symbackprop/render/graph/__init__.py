"""The computation graph of a model as SVG, DOT or text: `draw` for the command line, `picture_of` for Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symbackprop.derive import Derivation, derive
from symbackprop.model.model import Model
from symbackprop.render.graph.boxes import build_picture, graph_numbers
from symbackprop.render.graph.picture import Picture
from symbackprop.render.graph.svg import runs_down, svg_fragment

__all__ = ["Picture", "build_picture", "draw", "graph_numbers", "picture_of", "runs_down", "svg_fragment"]


def draw(model: Model, form: str = "svg", values: Mapping[str, Any] | None = None, **options: Any) -> str:
    """The graph of a model in the format ``svg``, ``dot`` or ``text``; the options are those of `picture_of`."""
    picture = picture_of(derive(model), values, **options)
    return {"svg": picture.svg, "dot": picture.dot, "text": picture.text}[form]()


def picture_of(derivation: Derivation, values: Mapping[str, Any] | None = None, sizes: Mapping[str, int] | None = None,
               digits: int | None = None, expand: bool = False) -> Picture:
    """The graph of a derivation.

    ``values`` (arrays by name) puts the value above and the gradient below every box; ``sizes`` are those of dimensions
    that the arrays leave open. ``expand`` draws every block of a deep model. Raises `ModelError` for missing values.
    """
    numbers = None if values is None else graph_numbers(derivation, values, sizes or {}, digits)
    return build_picture(derivation, numbers, expand)
