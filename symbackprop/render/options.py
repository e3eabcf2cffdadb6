"""How a derivation is printed: the options of `--view`, `--layout`, `--detail` and the rest, with the words allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symbackprop.errors import UsageError, did_you_mean
from symbackprop.render.views import VIEWS

WORDS = {"view": ("auto", *VIEWS), "layout": ("shape", "jacobian"), "detail": ("board", "brief", "full")}


@dataclass(frozen=True)
class Options:
    """``values`` are numbers for every array by name, ``sizes`` for dimensions; ``standalone`` is for LaTeX: a document
    that compiles. ``lr`` is a learning rate: gradient descent is then written in numbers, for so many ``steps``.
    ``whole``: everything of what is too long to be read (`abridging`)."""

    view: str = "auto"
    layout: str = "shape"
    detail: str = "full"
    values: Mapping[str, Any] | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    digits: int | None = None
    standalone: bool = False
    lr: float | None = None
    steps: int = 1
    whole: bool = False

    def __post_init__(self) -> None:
        for option, words in WORDS.items():
            word = str(getattr(self, option))
            if word not in words:
                raise UsageError(f"{option} is one of {', '.join(words)}, not {word!r}.{did_you_mean(word, words)}")
        if self.lr is not None and self.values is None:
            raise UsageError("a learning rate needs numbers: give --at as well")
        if self.steps != 1 and self.lr is None:
            raise UsageError("several steps of gradient descent need a learning rate: give --lr as well")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise UsageError(f"a learning rate is a positive number, not {self.lr:g}")
