"""The computation graph of a model as SVG, DOT or text: `draw` for the command line, `picture_of` for Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symbackprop.derive import derive
from symbackprop.model.model import Model
from symbackprop.render.graph.boxes import picture_of
from symbackprop.render.graph.picture import Picture
from symbackprop.render.graph.svg import runs_down, svg_fragment

__all__ = ["Picture", "draw", "picture_of", "runs_down", "svg_fragment"]


def draw(model: Model, form: str = "svg", values: Mapping[str, Any] | None = None, **options: Any) -> str:
    """The graph of a model in the format ``svg``, ``dot`` or ``text``; the options are those of `picture_of`."""
    picture = picture_of(derive(model), values, **options)
    return {"svg": picture.svg, "dot": picture.dot, "text": picture.text}[form]()
