"""Lists that lines of their own append to, ``hs = []`` with ``hs.append(f(x))`` below it, outside of loops: the same
list written out, behind the last of these lines, and an equation for each entry."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.model.text.listed import place_in
from symbackprop.model.text.tokens import NAME, TEXT, Line, Token, ended
from symbackprop.model.text.writing import FreeNames, closing, items, words
from symbackprop.records import record

_MOST = 200  # entries
_APPEND = [".", "append", "("]


@record(frozen=True)
class _List:
    """Where a list is made, the places of the lines that append to it, and its entries' names."""

    made: int
    appends: Sequence[int]
    names: Sequence[str]


def with_appended(lines: list[Line]) -> list[int]:
    """Put lists that are written out in the place of those that lines append to one by one; the numbers of the lines
    on which these are made."""
    if not any([*map(TEXT, line.tokens[1:4])] == _APPEND for line in lines):
        return []
    lines[:] = [part for line in lines for part in _apart(line)]
    free, changed = FreeNames(token.text for line in lines for token in line.tokens), list[int]()
    for k in range(len(lines) - 1, -1, -1):
        found = _list_of(lines, k, free)
        if found is not None:
            changed.append(lines[k].number)
            _write(lines, found)
    return changed[::-1]


def _apart(line: Line) -> list[Line]:
    """``a, b = [], []`` as a line for each."""
    texts = [*map(TEXT, line.tokens[:-1])]
    several = texts.count("[")
    if several < 2 or texts[2 * several - 1 :] != ["=", *",".join(["[]"] * several)]:
        return [line]
    return [line._replace(tokens=ended([name, *words("= [ ]", line.number)]))
            for name in line.tokens[: 2 * several : 2]]


def _list_of(lines: Sequence[Line], k: int, free: FreeNames) -> _List | None:
    """The list that line k makes, where lines at its own place append to it before any loop or condition does."""
    name, begun = lines[k].tokens[0], _begun(lines[k])
    if begun is None:
        return None
    block = range(k + 1, _end(lines, k))
    appends = [j for j in block if [*map(TEXT, lines[j].tokens[:4])] == [name.text, *_APPEND]]
    own = [j for j in appends if lines[j].indent == lines[k].indent]
    if not own or len(own) > _MOST or any(j < own[-1] for j in appends if j not in own):
        return None
    names = [free.free(f"{name.text}_{n}") for n in range(len(begun) + len(own))]
    between = (j for j in range(k + 1, own[-1] + 1))
    known = len(begun)
    for j in between:
        if any(_entry(lines[j].tokens, n, names[:known]) is None for n in _uses(lines[j].tokens, name.text, j in own)):
            return None
        known += j in own
    return _List(k, own, names)


def _begun(line: Line) -> list[list[Token]] | None:
    """The entries of ``hs = []``, ``hs = [h]`` and ``hs = list()``; None of any other line."""
    match [*map(TEXT, line.tokens)]:
        case [_, "=", "list", "(", ")", _]:
            return []
        case [_, "=", "[", *_, "]", _] if closing(line.tokens, 2) == len(line.tokens) - 2:
            entries = items(line.tokens[3:-2])
            return entries if all(line.tokens[0].text not in map(TEXT, part) for part in entries) else None
    return None


def _end(lines: Sequence[Line], k: int) -> int:
    """Where the block of line k ends, or its name gets another value."""
    name, indent = lines[k].tokens[0].text, len(lines[k].indent)
    return next((j for j in range(k + 1, len(lines)) if len(lines[j].indent) < indent or (
        lines[j].tokens[0].text == name and lines[j].tokens[1].text != ".")), len(lines))


def _uses(tokens: Sequence[Token], name: str, appends: bool) -> list[int]:
    """The places on a line where a list is read."""
    return [n for n, token in enumerate(tokens) if token.kind == NAME and token.text == name and not (
        n and tokens[n - 1].is_sign(".")) and not (appends and n == 0)]


def _entry(tokens: Sequence[Token], n: int, names: Sequence[str]) -> tuple[str, int] | None:
    """The name for ``hs[-1]`` at a place, and where that ends; None where another part of the list is read."""
    if not tokens[n + 1].is_sign("["):
        return None
    end = closing(tokens, n + 1)
    place = place_in(tokens[n + 2 : end], len(names))
    return None if place is None else (names[place], end + 1)


def _write(lines: list[Line], found: _List) -> None:
    """The lines with an equation for each entry."""
    head = lines[found.made]
    name, begun = head.tokens[0], _begun(head) or []
    known = len(begun)
    last = lines[found.appends[-1]]
    for j in range(found.made + 1, found.appends[-1] + 1):
        tokens = _read(lines[j].tokens, name.text, found.names[:known], j in found.appends)
        if j in found.appends:
            tokens = _equation(found.names[known], tokens[4 : closing(tokens, 3)], name)
            known += 1
        lines[j] = lines[j]._replace(tokens=tokens)
    whole = ended([name, *words(f"= [ {' , '.join(found.names)} ]", last.number)])
    lines.insert(found.appends[-1] + 1, last._replace(tokens=whole))
    lines[found.made : found.made + 1] = [head._replace(tokens=_equation(entry, part, name))
                                          for entry, part in zip(found.names, begun, strict=False)]


def _equation(name: str, value: Sequence[Token], near: Token) -> tuple[Token, ...]:
    return ended([near._replace(text=name), *words("=", near.line), *value])


def _read(tokens: tuple[Token, ...], name: str, names: Sequence[str], appends: bool) -> tuple[Token, ...]:
    """Tokens with names for the entries of a list that are read."""
    for n in reversed(_uses(tokens, name, appends)):
        entry = _entry(tokens, n, names)
        if entry is not None:
            tokens = (*tokens[:n], tokens[n]._replace(text=entry[0]), *tokens[entry[1] :])
    return tokens
