"""A place in the tokens of a line, and errors that say what stands there."""

from __future__ import annotations

import keyword

from symbackprop.errors import NameProblem, SyntaxProblem
from symbackprop.model.names import check_name
from symbackprop.model.text.tokens import END, NAME, NUMBER, STRING, Token, problem

PYTHON_WORDS = frozenset(keyword.kwlist)


class Cursor:
    """A place in the tokens of one logical line."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    @property
    def after(self) -> Token:
        return self.tokens[min(self.place + 1, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.now
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def at(self, *signs: str) -> bool:
        return self.now.is_sign(*signs)

    def accept(self, *signs: str) -> Token | None:
        return self.take() if self.at(*signs) else None

    def expect(self, sign: str, why: str) -> Token:
        if not self.at(sign):
            raise self.unexpected(f"expected {sign!r} {why}")
        return self.take()

    def word(self, why: str) -> Token:
        if self.now.kind != NAME:
            raise self.unexpected(f"expected {why}")
        return self.take()

    def declared(self, why: str) -> str:
        """A name that this line gives to something; what is wrong with it is told here, not where it is read."""
        token = self.word(why)
        try:
            return check_name(token.text)
        except NameProblem as error:
            instead = f": {self._with(token, token.text + '_')}" if token.text in PYTHON_WORDS else ""
            raise NameProblem(f"{error.message} (column {token.column}){instead}", line=token.line) from None

    def _with(self, token: Token, text: str) -> str:
        """The line of a token, with another text for it."""
        line = ""
        for other in self.tokens:
            if other.line == token.line:
                added = len(text) - len(token.text) if other.column > token.column else 0
                line = line.ljust(other.column - 1 + added) + (text if other is token else other.text)
        return line.strip()

    def finish(self, after: str) -> None:
        if self.now.kind == END:
            return
        missing = (self.now.kind in (NAME, NUMBER) and self.now.text not in PYTHON_WORDS) or self.at("(")
        hint = "; is a * or an @ missing before it?" if missing and after == "the formula" else ""
        raise self.unexpected(f"unexpected {found(self.now)} after {after}{hint}", named=True)

    def unexpected(self, message: str, named: bool = False) -> SyntaxProblem:
        """An error at the current token."""
        tail = "" if named else f", found {found(self.now)}"
        place = "" if self.now.kind == END or not self.now.column else f" at column {self.now.column}"
        return problem(message + tail + place, self.now.line)


def found(token: Token) -> str:
    """A token as an error message names it."""
    text = token.text if len(token.text) <= 30 else token.text[:30] + "…"
    return "the end of the line" if token.kind == END else text if token.kind == STRING else f"{text!r}"
