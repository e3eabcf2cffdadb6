"""What becomes of a model of another library that is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symbackprop.errors import ModelError
from symbackprop.model.model import Model

SIZES = [*"NMKSRQP", *(f"N{k}" for k in range(1, 100))]  # names for symbolic sizes that have none


@dataclass(frozen=True)
class Imported:
    """A model that was read. ``params`` and ``data`` have the values of its arrays, by the model's names; ``names`` has
    the model's name of every parameter, by that of the other library; ``W[2]`` is the second entry of ``W``, where
    blocks are the steps of a loop. The arrays that came with the module are those of
    ``weights``."""

    model: Model
    params: dict[str, Any]
    data: dict[str, Any]
    names: dict[str, str]
    weights: dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """What became of a module: its operators with how many there are of each, what cannot be read, and the model where
    there is nothing of that kind."""

    operators: Mapping[str, int]
    problems: Sequence[ModelError]
    imported: Imported | None = None

    def required(self) -> Imported:
        """The model; raises a `ModelError` that tells all that cannot be read."""
        if self.imported is not None:
            return self.imported
        first, *others = self.problems
        first.others = others
        raise first
