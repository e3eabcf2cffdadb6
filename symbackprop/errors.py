"""Errors for the user: every one has a message that stands alone and the exit code the command line returns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from symbackprop.patterns import lazy


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

    def cut(self, line: str) -> tuple[str, str, str]:
        """What stands on the line before this place, there, and behind it."""
        return line[: self.start - 1], line[self.start - 1 : self.end - 1], line[self.end - 1 :]

    def put(self, line: str, text: str) -> str:
        """The line with another text here."""
        before, _, behind = self.cut(line)
        return f"{before}{text}{behind}"


class OnPaper(str):
    """What is meant by what has one meaning, as on paper."""


Meant: TypeAlias = "str | Callable[[str, Place], str]"  # what may be meant, … being what stands there, or a whole line


class SymbackpropError(Exception):
    """Base of all errors that are the user's to mend; printed without a traceback."""

    exit_code = 3

    def told(self) -> str:
        """All that there is to say, in a line or more."""
        return str(self)


MOST, ENOUGH = 10, 100  # errors that are told of one text, and of equations that are looked for; notes that are told


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


class NotDeclared(NameProblem):
    """Nothing gives a name a value, and no name is like it."""


class NoResult(ModelError):
    """Nothing says what the result is; each line may be right by itself."""


class ShapeError(ModelError):
    """Shapes do not fit; the message names both shapes."""

    kind = "shape error"


class ChoosesEntries(ShapeError):
    """Truth values are an index, and how many entries they choose is not known."""


class UsageError(SymbackpropError):
    """The call itself is wrong: an option, a name of a model, a path."""

    exit_code = 2


class BrokenModule(SymbackpropError):
    """Somebody's Python file, an emitted module perhaps that was edited by hand, does not load."""


class CheckFailed(SymbackpropError):
    """A check (verify, grade, codegen --check) did not pass."""

    exit_code = 1


class MissingExtra(SymbackpropError):
    """An optional tool or extra is not installed."""

    exit_code = 4


def as_notes(remarks: Sequence[str]) -> list[str]:
    """The lines that tell how a text was read: of a long one only the first."""
    more = len(remarks) - ENOUGH
    return [f"note: {remark}" for remark in remarks[:ENOUGH]] + [f"note: and {more} more such notes"] * (more > 0)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a slip of the pen made another of; the empty string where there is none, or several, which
    are not alike but for their digits."""
    listed = sorted(k for k in known if abs(len(k) - len(word)) <= _MOST_SLIPS)
    same = [k for k in listed if k.lower() == word.lower()]
    found = {k: _badly(word, k) for k in listed if _alike(word, k)} if not same else {}
    near = same or [k for k in found if found[k] == min(found.values())]
    alone = len({_DIGIT.sub("", k.lower()) for k in near}) == 1
    return min(near, key=lambda k: _differences(word, k)) if alone else ""


_MOST_SLIPS = 2
_DIGIT, _APART = lazy(r"\d"), lazy(r"[-_. ]")
_SHORT, _LONG = 4, 9  # letters of words that a slip makes other words of, and of such with room for two slips
_KEYS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")


@lru_cache(maxsize=10_000)  # a text makes the same slip again and again
def _alike(word: str, known: str) -> bool:
    """Whether a word is another with a slip in some of its parts: log_loss is none for log_cosh, nor inv for sin."""
    ours, theirs = (_APART.split(w.lower()) for w in (word, known))
    if len(ours) != len(theirs):
        ours, theirs = ["".join(ours)], ["".join(theirs)]
    other = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    one_in_long = len(other) == 1 < len(ours) and len(word) >= _LONG and _slipped(*other[0], 1)
    return one_in_long or all(map(_mistyped, ours, theirs))


def _differences(word: str, known: str) -> tuple[int, int]:
    """How far the digits of two words are apart, and how many of their characters."""
    digits = zip(_DIGIT.findall(word), _DIGIT.findall(known), strict=False)
    return sum(abs(int(a) - int(b)) for a, b in digits), sum(a != b for a, b in zip(word, known, strict=False))


def _badly(word: str, known: str) -> tuple[int, bool]:
    """How many slips there are between two words, and whether they have other letters."""
    ours, theirs = (_APART.sub("", w.lower()) for w in (word, known))
    slips = next((n for n in range(_MOST_SLIPS) if _slipped(ours, theirs, n)), _MOST_SLIPS)
    return slips, sorted(ours) != sorted(theirs)


def _mistyped(word: str, known: str) -> bool:
    """Whether one word is the other with a letter more, less, changed or exchanged with the next one, two in a long
    word. In a short one a digit is changed, a key hit twice or beside another, or a letter inside or an s missing."""
    length = min(len(word), len(known))
    if word == known or word[:1] != known[:1]:
        return word == known
    if length > _SHORT or len(known) > max(_SHORT, len(word)):
        return _slipped(word, known, _MOST_SLIPS if length >= _LONG and word[:2] == known[:2] else 1)
    if not _slipped(word, known, 1):
        return False
    if len(word) != len(known):
        longer, shorter = sorted((word, known), key=len, reverse=True)
        inside = longer == known and word[-1] == known[-1]
        return (length > 2 and (inside or longer == shorter + "s")) or re.sub(r"(.)\1", r"\1", longer) == shorter
    changed = [(a, b) for a, b in zip(word, known, strict=True) if a != b]
    return len(changed) == 2 or all((a + b).isdigit() or (length > 2 and _beside(a, b)) for a, b in changed)


def _beside(a: str, b: str) -> bool:
    """Whether two keys are neighbours in a row."""
    return any(a + b in row or b + a in row for row in _KEYS)


def _slipped(word: str, known: str, slips: int) -> bool:
    """Whether at most so many slips, as Damerau counts them, lead from one word to the other."""
    same = next((k for k, (a, b) in enumerate(zip(word, known, strict=False)) if a != b), min(len(word), len(known)))
    word, known = word[same:], known[same:]
    if not slips or not word or not known:
        return max(len(word), len(known)) <= slips
    rests = [(word[1:], known), (word, known[1:]), (word[1:], known[1:])]
    rests += [(word[2:], known[2:])] if word[:2] == known[1::-1] else []
    return any(_slipped(a, b, slips - 1) for a, b in rests)


def suggested(near: str) -> str:
    """`` Did you mean …?`` of a word that may be meant, else the empty string."""
    return f" Did you mean {near!r}?" if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean …?`` when a known word is close, else the empty string."""
    return suggested(nearest(word, known))


def whole(what: str, value: Any, least: int) -> int:
    """The value as a whole number of at least so much; a `UsageError` says what it is of."""
    if hasattr(value, "__index__") and (number := int(value)) >= least:
        return number
    raise UsageError(f"{what} is a whole number, {least} or more, not {value!r:.60}")


def mapping(what: str, value: Any) -> dict[str, Any]:
    """What is given by name as a dictionary; nothing where there is none."""
    if value is None or hasattr(value, "keys"):
        return {} if value is None else dict(value)
    raise UsageError(f"{what} is a mapping by name, not {value!r:.60}")


def said(error: BaseException) -> str:
    """What an exception of somebody's own code says, which may fail itself."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}, which cannot say what went wrong"
