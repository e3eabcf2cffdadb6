"""What a text reads and declares nowhere, with declarations that fit: those of the corrected line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symbackprop.errors import ModelError
from symbackprop.model.text import tree
from symbackprop.model.text.guess import Shape, Shapes, declared, read_first


def declarations(statements: Sequence[tree.Statement]) -> str:
    """``dim N, D; data x: N x D; param W: D x D``, guessed as of an expression alone; nothing where nothing is missing,
    or no shapes are found that fit."""
    arrays = [item for s in statements if isinstance(s, tree.Arrays) for item in s.items]
    named = {name for s in statements if isinstance(s, tree.Named) for name, _ in s.items}
    known: dict[str, Shape] = {item.target.name: [_text(size) for size in item.shape] for item in arrays}
    sizes = [n for item in arrays for size in (*item.shape, item.below) if size for n in tree.mentioned(size)]
    missing = [n for n in read_first(statements) if n not in known and n not in named]
    dims = [n for n in dict.fromkeys(sizes) if n not in named]
    others = any(item.target.index is not None or _NO_SIZE in _array(item) for item in arrays)
    if others or not (missing or dims):
        return ""
    try:
        found = [*declared(missing, Shapes(statements, missing, known))]
    except ModelError:  # which is told where it is read
        return ""
    dims += [name for s in found if isinstance(s, tree.Named) for name, _ in s.items if name not in dims]
    return "; ".join([*[f"dim {', '.join(dims)}"] * bool(dims), *_written(found)])


def _written(statements: Sequence[tree.Named | tree.Arrays]) -> Iterator[str]:
    """Declarations of arrays as text."""
    for s in statements:
        if isinstance(s, tree.Arrays):
            yield f"{s.role} {', '.join(map(_array, s.items))}"


def _array(item: tree.ArrayItem) -> str:
    below = "" if item.below is None else f" int < {_text(item.below)}"
    shape = " x ".join(map(_text, item.shape))
    return f"{item.target.name}{':' * bool(shape or below)}{' ' * bool(shape)}{shape}{below}"


def _text(size: tree.Expr) -> str:
    """A size as text, as far as it is sums and products of names and numbers."""
    match size:
        case tree.Name(name):
            return name
        case tree.Number(value):
            return str(value)
        case tree.Chain(first, rest) if all(sign in "+-*" for sign, _ in rest):
            return _text(first) + "".join(f"{sign}{_text(part)}" for sign, part in rest)
    return _NO_SIZE


_NO_SIZE = "?"
