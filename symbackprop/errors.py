"""Errors for the user: every one has a message that stands alone and the exit code the command line returns."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SymbackpropError(Exception):
    """Base of all errors that are the user's to mend; printed without a traceback."""

    exit_code = 3


class ModelError(SymbackpropError):
    """The model is wrong: syntax, names, kinds. ``where`` is ``file:line`` when it came from text; ``line`` is the line
    as long as the file's name is not known; ``near`` is what of the line it is about, as written."""

    kind = "model error"

    def __init__(self, message: str, where: str = "", line: int = 0, near: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.line, self.near = message, where, line, near

    def at(self, where: str) -> ModelError:
        """The same error, located; an error that knows its place keeps it."""
        if not self.where:
            self.where = where
        return self

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        return f"{prefix}{self.kind}: {self.message}"


class SyntaxProblem(ModelError):
    """The model text does not parse."""

    kind = "syntax error"


class NameProblem(ModelError):
    """A name is unknown, taken, or not allowed."""

    kind = "name error"


class ShapeError(ModelError):
    """Shapes do not fit; the message names both shapes."""

    kind = "shape error"


class UsageError(SymbackpropError):
    """The call itself is wrong: an option, a name of a model, a path."""

    exit_code = 2


class BrokenModule(SymbackpropError):
    """An emitted (perhaps hand-edited) module does not load."""


class CheckFailed(SymbackpropError):
    """A check (verify, grade, codegen --check) did not pass."""

    exit_code = 1


class MissingExtra(SymbackpropError):
    """An optional tool or extra is not installed."""

    exit_code = 4


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean …?`` when a known word is close, else the empty string."""
    listed = sorted(known)
    same = [k for k in listed if k.lower() == word.lower()]  # w for W
    near = same or difflib.get_close_matches(word, listed, n=1, cutoff=0.6)
    if not near and len(word) == 2:
        near = [k for k in listed if len(k) == 2 and k[0] == word[0]]  # w1 for w9, but not a9
    return f" Did you mean {near[0]!r}?" if near else ""


def said(error: BaseException) -> str:
    """What an exception of somebody's own code says, which may fail itself."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}, which cannot say what went wrong"
