"""From what people write to model text. Slips of syntax cost nothing: they are mended and told.

Every pass takes the tokens of a line and returns those of the next form: brackets, calls, primes, names, products.
"""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.errors import SyntaxProblem
from symbackprop.grade.marks import CLOSING, NAME, NUMBER, OPENING, SIGN, Mark, closing, ends_value, name, sign
from symbackprop.grade.mathematics import Mathematics
from symbackprop.grade.passes import PRIME
from symbackprop.grade.pythonisms import Pythonisms
from symbackprop.grade.subscripts import Sums

MAX_MARKS = 1_000
_CONSTANTS = ("pi", "True", "False", "None")


class Tidy(Pythonisms, Mathematics, Sums):
    """All passes over one right-hand side."""

    def run(self, items: list[Mark]) -> list[Mark]:
        """The tokens as model text; ``~`` has become ``@`` where the product may be a matrix product."""
        if len(items) > MAX_MARKS:
            raise SyntaxProblem(f"the formula has {len(items)} signs and names; at most {MAX_MARKS} are read")
        passes: tuple[Callable[[list[Mark]], list[Mark]], ...] = (
            self.ends,
            self.arrays,
            self.brackets,
            self.balance,
            self.subscripts,
            self.entries,
            self.sums,
            self.outers,
            self.modules,
            self.sizes,
            self.methods,
            self.derivatives,
            self.indicators,
            self.names,
            self.primes,
            self.exponentials,
            self.applications,
            self.products,
        )
        for step in passes:
            items = step(items)
        return items

    # -- punctuation
    def ends(self, items: list[Mark]) -> list[Mark]:
        """Without what ends a sentence, and without the $ of typeset mathematics."""
        items = [x for x in items if not x.is_sign("$")]
        while items and items[-1].is_sign(";", ".", ","):
            items = items[:-1]
        return items

    def brackets(self, items: list[Mark]) -> list[Mark]:
        """Square and curly brackets that only group become round ones."""
        result = list(items)
        for k, mark in enumerate(items):
            after_array = k and ends_value(items[k - 1]) and items[k - 1].kind != NUMBER
            if mark.is_sign("{") or (mark.is_sign("[") and not after_array):
                result[k] = sign("(")
                end = closing(items, k)
                if end < len(items):
                    result[end] = sign(")")
        return result

    def balance(self, items: list[Mark]) -> list[Mark]:
        """Brackets left open are closed at the end."""
        stack: list[str] = []
        for mark in items:
            if mark.kind == SIGN and mark.text in OPENING:
                stack.append(OPENING[mark.text])
            elif mark.is_sign(*CLOSING):
                if not stack or stack[-1] != mark.text:
                    raise SyntaxProblem(f"the bracket {mark.text} closes nothing")
                stack.pop()
        if stack:
            self.note(f"a closing bracket {stack[-1]} is missing; it is put at the end")
        return [*items, *[sign(s) for s in reversed(stack)]]

    # -- names and products
    def names(self, items: list[Mark]) -> list[Mark]:
        """Every name in the spelling of the model; words of several names are taken apart."""
        result: list[Mark] = []
        for k, mark in enumerate(items):
            option = k + 1 < len(items) and items[k + 1].is_sign("=")
            if mark.kind != NAME or option or mark.text in self.words:
                result.append(mark)
            else:
                after = items[k + 1] if k + 1 < len(items) else sign(";")
                result += self._word(mark.text, after.is_sign("(", "'", "^", "**"), after.is_sign("["))
        return result

    def _word(self, word: str, called: bool, indexed: bool) -> list[Mark]:
        words = self.dictionary
        if word in words.own or word in words.known or word in _CONSTANTS or (indexed and word in words.bases):
            return [name(word)]
        gradient = words.gradient(word, indexed)
        if gradient is not None:
            return [name(self.word_for(gradient, fraction=False))]
        function = words.function(word)
        if function is not None and (called or words.value(word) is None):
            if function != word:
                self.note(f"{word} is called {function}")
            return [name(function)]
        return self._other_word(word)

    def _other_word(self, word: str) -> list[Mark]:
        value = self.dictionary.value(word)
        if value is not None:
            self.note(f"{word} is called {value}")
            return [name(value)]
        if word.endswith(PRIME) and self.dictionary.function(word.removesuffix(PRIME)):
            return [name(self.dictionary.function(word.removesuffix(PRIME)) or ""), sign("'")]
        pieces = self.dictionary.pieces(word)
        if pieces is None:
            return [name(word)]
        self.note(f"{word} is read as {' * '.join(pieces)}")
        return [x for piece in pieces for x in (sign("~"), name(piece))][1:]

    def products(self, items: list[Mark]) -> list[Mark]:
        """A product sign where values meet without one."""
        result: list[Mark] = []
        for mark in items:
            starts = mark.kind in (NAME, NUMBER) or mark.is_sign("(")
            if result and starts and ends_value(result[-1]) and not self._calls(result[-1], mark):
                self.note("a missing product sign is put in")
                result.append(sign("*" if result[-1].kind == NUMBER else "@"))
            result.append(sign("@") if mark.is_sign("~") else mark)
        return result

    def _calls(self, before: Mark, mark: Mark) -> bool:
        if before.kind != NAME or not mark.is_sign("(") or before.text in self.words:
            return False
        return before.text.endswith(PRIME) or self.applies(before.text) or self.dictionary.value(before.text) is None
