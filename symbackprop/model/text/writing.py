"""What lines are written of that stand in the place of others: parts of these, signs, and names that no line has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from symbackprop.model.text.tokens import NAME, NUMBER, SIGN, TEXT, Line, Token, partner


class FreeNames:
    """Names that nothing has, each given once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken, self.tried = {*taken}, Counter[str]()  # how many of a name

    def free(self, name: str) -> str:
        """The name, with letters where it is taken: with a number it is a step, each2 for each[2]."""
        while (found := f"{name}_{letters(self.tried[name])}" if self.tried[name] else name) in self.taken:
            self.tried[name] += 1
        self.taken.add(found)
        return found


def letters(k: int) -> str:
    """a, b … z, aa, ab …"""
    return (letters((k - 1) // 26) if k > 26 else "") + "abcdefghijklmnopqrstuvwxyz"[(k - 1) % 26]


def words(text: str, line: int) -> list[Token]:
    """The tokens of a text between which blanks stand."""
    return [Token(NUMBER if w.isdigit() else NAME if w.isidentifier() else SIGN, w, line) for w in text.split()]


def closing(tokens: Sequence[Token], place: int, none: int = 0) -> int:
    """Where the bracket closes that opens at a place; ``none`` where none does."""
    return partner(tokens, range(place, len(tokens)), "([", ")]", none)


def items(tokens: Sequence[Token], opening: str = "(") -> list[list[Token]]:
    """What stands between commas, perhaps of a tuple in brackets."""
    whole = tokens and tokens[0].is_sign(*opening) and closing(tokens, 0) == len(tokens) - 1
    return [part for part in between_commas(tokens[1:-1] if whole else tokens) if part]


def between_commas(tokens: Sequence[Token]) -> list[list[Token]]:
    """What stands between the commas of a call, but those of a function's parameters."""
    parts, depth, named = [list[Token]()], 0, False
    for token in tokens:
        depth += token.is_sign("(", "[") - token.is_sign(")", "]")
        named = (named or token.text == "lambda") and not token.is_sign(":")
        if token.is_sign(",") and not depth and not named:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def depths_of(tokens: Sequence[Token]) -> list[int]:
    """How many brackets are open in front of each token."""
    return [0, *accumulate([_DEEPER.get(token.text, 0) for token in tokens])]


_DEEPER = {"(": 1, "[": 1, ")": -1, "]": -1}


_GIVES = ("=", "+=", "-=", "*=", "/=", ".", "[")


def given_names(line: Line) -> list[str]:
    """The names that a line gives a value, or changes."""
    texts = [*map(TEXT, line.tokens)]
    signs = [j for j, text in enumerate(texts) if text == "="] if "=" in texts else [0]
    if "," in texts[: signs[-1]] or signs[1:]:
        depths = depths_of(line.tokens)
        equal = max((j for j in signs if not depths[j]), default=0)
        if not {",", "="}.isdisjoint(texts[:equal]):
            return [token.text for token in line.tokens[:equal] if token.kind == NAME]
    return texts[:1] if len(texts) > 1 and texts[1] in _GIVES else []
