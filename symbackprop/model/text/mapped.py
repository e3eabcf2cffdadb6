"""``jax.vmap(f, in_axes=(None, 0))(w, X)`` as the list that it stacks, ``jnp.stack([f(w, x) for x in X])``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from symbackprop.model.text.tokens import NAME, TEXT, Line, Token, body_of
from symbackprop.model.text.writing import FreeNames, between_commas, closing, items, words

_ROW_BY_ROW, _AXES = "vmap", ["in_axes", "="]
_ROWS, _WHOLE = "0", "None"  # of an argument


def mapped(lines: list[Line]) -> None:
    """Put lists with a loop in the place of functions of the text that are called for every row of arrays."""
    defined = {line.tokens[1].text for k, line in enumerate(lines)
               if line.tokens[0].text == "def" and not _gives_several(lines, k)}
    if not defined:
        return
    free = FreeNames(token.text for line in lines for token in line.tokens)
    for k, line in enumerate(lines):
        if _ROW_BY_ROW in map(TEXT, line.tokens[1:]):
            lines[k] = line._replace(tokens=_of_line(line.tokens, defined, free))


def _gives_several(lines: Sequence[Line], k: int) -> bool:
    """Whether a function returns several: of these vmap stacks each."""
    return any(line.tokens[0].text == "return" and len(items(line.tokens[1:-1])) > 1 for line in body_of(lines, k))


def _of_line(tokens: tuple[Token, ...], defined: set[str], free: FreeNames) -> tuple[Token, ...]:
    place = next(k for k, token in enumerate(tokens) if k and token.text == _ROW_BY_ROW)
    opened = place + 1
    ended = closing(tokens, opened)
    last = closing(tokens, ended + 1) if ended and tokens[ended + 1].is_sign("(") else 0
    given = between_commas(tokens[opened + 1 : ended]) if last else [[]]
    args = between_commas(tokens[ended + 2 : last]) if last else []
    axes = _axes(given[1:], len(args))
    rows = [arg[0] for arg, axis in zip(args, axes, strict=False) if axis == _ROWS and arg]
    alone = all(len(arg) == 1 and arg[0].kind == NAME for arg, axis in zip(args, axes, strict=False) if axis == _ROWS)
    function = "".join(map(TEXT, given[0]))
    if function not in defined or len(axes) != len(args) or not {*axes} <= {_ROWS, _WHOLE} or not rows or not alone:
        return tokens
    names = [row._replace(text=free.free("row"), column=0) for row in rows]
    entries = iter(names)
    inner = [[next(entries)] if axis == _ROWS else arg for arg, axis in zip(args, axes, strict=True)]
    line = tokens[place].line
    over = [*words("zip (", line), *_listed([[row] for row in rows], line), *words(")", line)] if rows[1:] else rows
    begin = place
    while begin > 1 and tokens[begin - 1].is_sign("."):
        begin -= 2
    whole = [*words("np . stack ( [", line), *given[0], *words("(", line), *_listed(inner, line), *words(") for", line),
             *_listed([[name] for name in names], line), *words("in", line), *over, *words("] )", line)]
    return (*tokens[:begin], *whole, *tokens[last + 1 :])


def _axes(options: Sequence[Sequence[Token]], count: int) -> list[str]:
    """Along which axis each argument is mapped; nothing where that is said otherwise."""
    if not options:
        return [_ROWS] * count
    said = [*map(TEXT, options[0])]
    said = said[2:] if said[:2] == _AXES else said
    if len(options) > 1 or not said:
        return []
    return [_ROWS] * count if said == [_ROWS] else [word for word in said[1:-1] if word != ","]


def _listed(parts: Sequence[Sequence[Token]], line: int) -> list[Token]:
    return [*chain.from_iterable((*words("," * (k > 0), line), *part) for k, part in enumerate(parts))]
