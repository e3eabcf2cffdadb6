"""What a text reads and declares nowhere, with declarations that fit: those of the corrected line."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.errors import ModelError
from symbackprop.model.text import tree
from symbackprop.model.text.guess import NO_SIZE, Shapes, declared, read_first, size_of, without_layers


def declarations(statements: Sequence[tree.Statement]) -> str:
    """``dim N, D; data x: N x D; param W: D x D``, guessed as of an expression alone; nothing where nothing is missing,
    or no shapes are found that fit."""
    arrays = [s for s in statements if isinstance(s, tree.Arrays)]
    named = {name for s in statements if isinstance(s, tree.Named) for name, _ in s.items}
    if any(item.target.index is not None or NO_SIZE in _array(item) for s in arrays for item in s.items):
        return ""
    try:
        plain, known = without_layers(statements)
        missing = [n for n in read_first(plain) if n not in known and n not in named]
        learnt = any(s.role == "param" for s in arrays) or len(known) > sum(len(s.items) for s in arrays)
        found = declared(missing, Shapes(plain, missing, known), learnt, named)
        return "; ".join(map(_written, found))
    except ModelError:  # which is told where it is read
        return ""


def _written(s: tree.Named | tree.Arrays) -> str:
    """A declaration as text."""
    if isinstance(s, tree.Named):
        return f"{s.keyword} {', '.join(name for name, _ in s.items)}"
    return f"{s.role} {', '.join(map(_array, s.items))}"


def _array(item: tree.ArrayItem) -> str:
    below = "" if item.below is None else f" int < {size_of(item.below)}"
    shape = " x ".join(map(str, map(size_of, item.shape)))
    return f"{item.target.name}{':' * bool(shape or below)}{' ' * bool(shape)}{shape}{below}"
