"""What all passes over the tokens of a line share: the dictionary, and what had to be mended."""

from __future__ import annotations

from symbackprop.grade.marks import CLOSING, NAME, Mark, closing, opening
from symbackprop.grade.naming import Dictionary, Meaning

PRIME, SUM, ARRAY = "_prime", "sum_", "array_"


class Passes:
    """State of reading one right-hand side.

    ``words`` are the names that stand for derivatives while the line is taken apart, with how they are written;
    ``meanings`` says what is meant by them, as written.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.notes: list[str] = []
        self.words: dict[str, str] = {}
        self.meanings: dict[str, Meaning] = {}

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def word_for(self, meaning: Meaning, fraction: bool = True) -> str:
        """A name that a formula can hold for a derivative."""
        shown = self.dictionary.spelled(meaning, fraction)
        self.meanings[shown] = meaning
        known = {text: word for word, text in self.words.items()}
        word = known.get(shown, f"derivative{len(self.words)}__")
        self.words[word] = shown
        return word

    def applies(self, word: str) -> bool:
        """Whether a name is that of a function and of nothing else."""
        words = self.dictionary
        bare = word.removesuffix(PRIME)
        return word not in words.known and word not in words.own and words.function(bare) is not None


def value_start(items: list[Mark], last: int) -> int:
    """Where the value that ends at ``last`` starts."""
    while items[last].is_sign("'", ".T") and last > 0:
        last -= 1
    if items[last].is_sign(*CLOSING):
        last = opening(items, last)
        if last > 0 and items[last - 1].kind == NAME:
            last -= 1
    return last


def value_end(items: list[Mark], start: int) -> int:
    """Where the value that starts at ``start`` ends (exclusive), powers left out."""
    k = start
    while k < len(items) and items[k].is_sign("-", "+"):
        k += 1
    named = k < len(items) and items[k].kind == NAME
    k += named
    if k < len(items) and (items[k].is_sign("(") or (named and items[k].is_sign("["))):
        k = closing(items, k) + 1
    elif not named:
        k += 1
    while k < len(items) and items[k].is_sign("'", ".T"):
        k += 1
    return min(k, len(items))
