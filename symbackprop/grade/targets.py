"""Left sides: which quantity a line answers, however it is called."""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.errors import NameProblem, SyntaxProblem
from symbackprop.grade.marks import NAME, Mark, closing, shown
from symbackprop.grade.mathematics import derivative, unseen
from symbackprop.grade.naming import Dictionary, Gradient, Local, Meaning


@dataclass(frozen=True)
class Target:
    """What a line defines: a gradient, a local derivative, or (``meaning`` None) a name of the person's own.

    ``index`` are the tokens between [ and ] where a loop counter may stand. ``restated`` says that the line repeats an
    equation of the model.
    """

    text: str
    meaning: Meaning | None
    name: str
    index: tuple[Mark, ...] = ()
    restated: bool = False


def read_target(items: list[Mark], dictionary: Dictionary, notes: list[str]) -> Target:
    """The target of the tokens left of the =. Raises `NameProblem` or `SyntaxProblem`."""
    items = _bare(items)
    text = shown(items)
    if unseen(items, 0, dictionary):
        items = items[2:]
    if not items:
        raise SyntaxProblem("there is nothing left of the =")
    fraction = _fraction(items, dictionary)
    if fraction is not None:
        meaning, index = fraction
        return Target(text, meaning, meaning.row if isinstance(meaning, Gradient) else text, index)
    word, rest = _word(items)
    if rest and rest[0].is_sign("[") and closing(rest, 0) == len(rest) - 1:
        return _indexed(text, word, rest[1:-1], dictionary)
    if rest:
        raise SyntaxProblem(f"{text} is no name: a line is dw = …, dL/dw = …, delta_z = … or a name of your own")
    return _plain(text, word, dictionary, notes)


def _bare(items: list[Mark]) -> list[Mark]:
    """Without $, outer brackets and a sign for "at this point"."""
    items = [x for x in items if not x.is_sign("$", ";", "\\")]
    while len(items) > 2 and items[0].is_sign("(") and closing(items, 0) == len(items) - 1:
        items = items[1:-1]
    return items


def _fraction(items: list[Mark], dictionary: Dictionary) -> tuple[Meaning, tuple[Mark, ...]] | None:
    """``dL/dw2``, ``do/da``, ``dL/dh[t]``, with the index of the latter."""
    if not any(x.is_sign("/") for x in items):
        return None
    found = derivative(items, 0, dictionary)
    if found is None or found[2] != len(items):
        raise NameProblem(f"{shown(items).replace(' / ', '/')} is no derivative of names in the model")
    meaning, indices, _ = found
    if isinstance(meaning, Local) and indices:
        raise NameProblem(f"{shown(items)}: steps of local derivatives stand right of the =")
    return meaning, tuple(x for index in indices for x in index)


def _word(items: list[Mark]) -> tuple[str, list[Mark]]:
    """One word from what may be several tokens: ``w2.grad``, ``grad(w2)``, ``nabla w2``, ``d w2``."""
    texts = [x.text for x in items]
    if texts[1:] == [".", "grad"] or texts[1:] == [".", "gradient"]:
        return f"d{texts[0]}", []
    if len(items) == 4 and texts[0] in ("grad", "nabla", "gradient") and texts[1] == "(" and texts[3] == ")":
        return f"d{texts[2]}", []
    if len(items) >= 2 and texts[0].rstrip("_") in ("grad", "nabla", "delta", "d") and items[1].kind == NAME:
        return f"d{texts[1]}", _without_loss(items[2:])
    if items[0].kind == NAME and len(items) == 2 and items[1].kind == NAME:
        return texts[0], _without_loss(items[1:])
    if items[0].kind != NAME:
        raise SyntaxProblem(f"{texts[0]} is no name")
    return texts[0], items[1:]


def _without_loss(items: list[Mark]) -> list[Mark]:
    """``nabla_w2 L`` names the loss behind."""
    return [] if len(items) == 1 and items[0].text in ("L", "J", "E", "Loss", "loss", "f") else items


def _indexed(text: str, word: str, index: list[Mark], dictionary: Dictionary) -> Target:
    """``dh[t]`` of a family; the index is evaluated when its loop runs."""
    gradient = dictionary.gradient(word, indexed=True)
    if gradient is not None and gradient.row in dictionary.bases:
        return Target(text, gradient, gradient.row, tuple(index))
    return Target(text, None, word, tuple(index))


def _plain(text: str, word: str, dictionary: Dictionary, notes: list[str]) -> Target:
    if word in dictionary.own:
        return Target(text, None, word)
    if word not in dictionary.known:
        gradient = dictionary.gradient(word)
        return Target(text, gradient, word if gradient is None else gradient.row)
    row = dictionary.reference.rows.get(word)
    if row is not None and word in dictionary.reference.targets:
        notes.append(f"{word} = … is read as d{word} = …")
        return Target(text, Gradient(word), word)
    if row is None:
        raise NameProblem(f"{word} is a dimension of the model and cannot be given a value")
    return Target(text, None, word, restated=True)


__all__ = ["Local", "Target", "read_target"]
