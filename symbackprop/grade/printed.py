"""What derivations print and people rarely type, as they would type it: 1_N×D, reshape_N×D(a), Σ_n,t, padding 1."""

from __future__ import annotations

import re

_SIZE = r"(?:\([^()]*\)|[A-Za-z0-9₀-₉²³]+)"
_SHAPE = rf"{_SIZE}(?:×{_SIZE})*"
_FILL = re.compile(rf"(?<![\w.₀-₉])([01])_({_SHAPE})")
_RESHAPE = re.compile(rf"\breshape_({_SHAPE})\(")
_TRANSPOSE = re.compile(r"\btranspose_(\d+)\(")
_SUMS = re.compile(r"([Σ∑])_(\w(?:,\w)+)(?!\w)")
_OPTION = re.compile(r", (axis|padding|stride|step) ([−-]?\d+|\([^()]*\))")
_ROOT = re.compile(r"√([A-Za-zπ0-9][\w₀-₉]*)")


def typed(text: str) -> str:
    """The text with printed notation spelled out."""
    text = _FILL.sub(lambda m: f"{('zeros', 'ones')[int(m[1])]}({_sizes(m[2])})", text)
    text = _RESHAPE.sub(lambda m: f"reshape_to(({_sizes(m[1])},), ", text)
    text = _TRANSPOSE.sub(lambda m: f"transpose_to(({', '.join(str(int(d) - 1) for d in m[1])},), ", text)
    text = _SUMS.sub(lambda m: " ".join(f"{m[1]}_{letter}" for letter in m[2].split(",")), text)
    return _ROOT.sub(r"√(\1)", _OPTION.sub(r", \1=\2", text))


def _sizes(shape: str) -> str:
    return shape.replace("×", ", ")
