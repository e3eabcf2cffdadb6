"""A person's line as tokens: names, numbers and signs, nothing decided yet."""

from __future__ import annotations

import re
from dataclasses import dataclass

from symbackprop.errors import SyntaxProblem
from symbackprop.model.text.tokens import describe

NAME, NUMBER, STRING, SIGN = "name", "number", "string", "sign"
_TOKEN = re.compile(
    r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>(?:[0-9]+(?:\.(?![.A-Za-z])[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?![A-Za-z_]))?)
    | (?P<string>"[^"]*")
    | (?P<sign>\.\.\.|\.\.|\*\*|<=|>=|==|!=|:=|\+=|-=|\.T(?![A-Za-z0-9_])|[⊗\-+*/@^'()\[\]{},:=<>~.|;!$\\])""",
    re.VERBOSE,
)
OPENING, CLOSING = {"(": ")", "[": "]", "{": "}"}, (")", "]", "}")


@dataclass(frozen=True)
class Mark:
    """One token. ``function`` says that a name is called or that a bracket encloses what a function is applied to."""

    kind: str
    text: str

    def is_sign(self, *signs: str) -> bool:
        return self.kind == SIGN and self.text in signs


def marks(text: str) -> list[Mark]:
    """The tokens of a line in ASCII."""
    found: list[Mark] = []
    place = 0
    while place < len(text):
        if text[place] in " \t":
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise SyntaxProblem(f"the character {describe(text[place])} cannot be read")
        assert match.lastgroup is not None
        found.append(Mark(match.lastgroup, match.group()))
        place = match.end()
    return found


def sign(text: str) -> Mark:
    return Mark(SIGN, text)


def name(text: str) -> Mark:
    return Mark(NAME, text)


def closing(items: list[Mark], opened: int) -> int:
    """Where the bracket that opens at ``opened`` closes; the end when it never does."""
    depth = 0
    for k in range(opened, len(items)):
        if items[k].kind == SIGN and items[k].text in OPENING:
            depth += 1
        elif items[k].is_sign(*CLOSING):
            depth -= 1
            if depth == 0:
                return k
    return len(items)


def opening(items: list[Mark], closed: int) -> int:
    """Where the bracket that closes at ``closed`` opens; 0 when it never does."""
    depth = 0
    for k in range(closed, -1, -1):
        if items[k].is_sign(*CLOSING):
            depth += 1
        elif items[k].kind == SIGN and items[k].text in OPENING:
            depth -= 1
            if depth == 0:
                return k
    return 0


def ends_value(mark: Mark) -> bool:
    """Whether a value ends here, so that what follows continues or multiplies it."""
    return mark.kind in (NAME, NUMBER) or mark.is_sign(")", "]", "}", "'", ".T")


def shown(items: list[Mark]) -> str:
    """The tokens as a line of model text, spaced for reading."""
    text = ""
    for k, mark in enumerate(items):
        tight = not text or mark.text in _TIGHT_BEFORE or text[-1] in "([" or _is_prefix(items, k - 1)
        called = mark.is_sign("(", "[") and k > 0 and items[k - 1].kind == NAME
        text += mark.text if tight or called else " " + mark.text
    return text


_TIGHT_BEFORE = (")", "]", ",", "'", ".T", "^", "**", ":", "..")


def _is_prefix(items: list[Mark], k: int) -> bool:
    """A sign in front of a value, a power's sign, or the = of an option."""
    before = items[k - 1] if k > 0 else None
    if items[k].is_sign("^", "**", "..", ":"):
        return True
    return items[k].is_sign("-", "+") and (before is None or not ends_value(before))
