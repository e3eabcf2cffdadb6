"""The computation graph of a model as SVG, DOT or text: `draw` for the command line, `build_picture` for a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symbackprop.derive import derive
from symbackprop.model.model import Model
from symbackprop.render.graph.build import build_picture
from symbackprop.render.graph.dot import to_dot
from symbackprop.render.graph.numbers import graph_numbers
from symbackprop.render.graph.picture import Picture
from symbackprop.render.graph.svg import runs_down, svg_fragment, to_svg
from symbackprop.render.graph.text import to_text

FORMATS = {"svg": to_svg, "dot": to_dot, "text": to_text}
__all__ = ["FORMATS", "Picture", "build_picture", "draw", "graph_numbers", "runs_down", "svg_fragment"]


def draw(model: Model, form: str = "svg", values: Mapping[str, Any] | None = None,
         sizes: Mapping[str, int] | None = None, digits: int | None = None, expand: bool = False) -> str:  # fmt: skip
    """The graph of a model in the format ``svg``, ``dot`` or ``text``.

    ``values`` (arrays by name) puts the value above and the gradient below every box; ``sizes`` are those of dimensions
    that the arrays leave open. ``expand`` draws every block of a deep model. Raises `ModelError` for missing values.
    """
    derivation = derive(model)
    numbers = None if values is None else graph_numbers(derivation, values, sizes or {}, digits)
    return FORMATS[form](build_picture(derivation, numbers, expand))
