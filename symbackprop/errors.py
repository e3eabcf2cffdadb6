"""Errors for the user: every one has a message that stands alone and the exit code the command line returns."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias


class Place(NamedTuple):
    """Where in a text something stands: its line, and its columns from ``start`` up to ``end``, all counted from 1."""

    line: int
    start: int
    end: int

    def to(self, other: Place | None) -> Place:
        """From here to the end of another place; to the end of this one where that is on another line."""
        if other is None or other.line != self.line:
            return self
        return Place(self.line, self.start, max(self.end, other.end))


Meant: TypeAlias = "str | Callable[[str, Place], str]"  # what may be meant, … being what stands there, or a whole line


class SymbackpropError(Exception):
    """Base of all errors that are the user's to mend; printed without a traceback."""

    exit_code = 3

    def told(self) -> str:
        """All that there is to say, in a line or more."""
        return str(self)


MOST, ENOUGH = 10, 100  # errors that are told of one text, and of equations that are looked for


class ModelError(SymbackpropError):
    """The model is wrong: syntax, names, kinds. ``where`` is ``file:line`` when it came from text; ``line`` is the line
    as long as the file's name is not known; ``near`` is what of the line it is about, as written. ``place`` is where
    that stands and ``instead`` what may be meant, the likeliest first; ``shown`` are the line of the text, a caret and
    the corrected line, and ``others`` the further errors of the same text."""

    kind = "model error"

    def __init__(self, message: str, where: str = "", line: int = 0, near: str = "", place: Place | None = None,
                 instead: str | Sequence[Meant] = ()) -> None:
        super().__init__(message)
        self.message, self.where, self.line, self.near = message, where, line, near
        self.place = place
        self.instead: list[Meant] = [instead] if isinstance(instead, str) and instead else [*instead]
        self.shown: Sequence[str] = ()
        self.others: Sequence[ModelError] = ()

    def at(self, where: str) -> ModelError:
        """The same error, located; an error that knows its place keeps it."""
        if not self.where:
            self.where = where
        return self

    def about(self, place: Place | None) -> ModelError:
        """The same error, about what stands there; an error that knows its place keeps it."""
        if self.place is None:
            self.place = place
        return self

    def told(self) -> str:
        found = [self, *self.others[: MOST - 1]]
        texts = ["\n".join([str(error), *[f"    {line}" for line in error.shown]]) for error in found]
        more = 1 + len(self.others) - len(found)
        counted = f"{more} more" if more < ENOUGH - MOST else f"at least {more} more"
        return "\nerror: ".join(texts) + (f"\n… and {counted}" if more else "")

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        return f"{prefix}{self.kind}: {self.message}"


class SyntaxProblem(ModelError):
    """The model text does not parse."""

    kind = "syntax error"


class NameProblem(ModelError):
    """A name is unknown, taken, or not allowed."""

    kind = "name error"


class NoResult(ModelError):
    """Nothing says what the result is; each line may be right by itself."""


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


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is close to another; the empty string where none is."""
    listed = sorted(known)
    same = [k for k in listed if k.lower() == word.lower()] or [k for k in listed if sorted(k) == sorted(word)]
    near = same or [k for k in difflib.get_close_matches(word, listed, n=3, cutoff=0.6) if _alike(word, k)]
    if not near and len(word) == 2:
        near = [k for k in listed if len(k) == 2 and k[0] == word[0]]  # w1 for w9, but not a9
    return near[0] if near else ""


def _alike(word: str, known: str) -> bool:
    """Whether a short word may be a slip of the pen for another: dw3 is one for dw2, inv none for sin, det for dot."""
    if min(len(word), len(known)) > 3 or len(word) != len(known):
        return abs(len(word) - len(known)) <= 1 or min(len(word), len(known)) > 3
    return all(a.isdigit() and b.isdigit() for a, b in zip(word, known, strict=True) if a != b)


def suggested(near: str) -> str:
    """`` Did you mean …?`` of a word that may be meant, else the empty string."""
    return f" Did you mean {near!r}?" if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean …?`` when a known word is close, else the empty string."""
    return suggested(nearest(word, known))


def said(error: BaseException) -> str:
    """What an exception of somebody's own code says, which may fail itself."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}, which cannot say what went wrong"
