"""From what people write to model text. Slips of syntax cost nothing: they are mended and told.

Every pass takes the tokens of a line and returns those of the next form: brackets, calls, primes, names, products.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from symbackprop.core.shapes import dim_text
from symbackprop.errors import SyntaxProblem
from symbackprop.grade.marks import (
    CLOSING,
    NAME,
    NUMBER,
    OPENING,
    SIGN,
    Mark,
    closing,
    ends_value,
    marks,
    name,
    opening,
    sign,
)
from symbackprop.grade.naming import Dictionary, Gradient, Meaning

PRIME = "_prime"
_MODULES = ("np", "numpy", "torch", "jnp", "math", "F", "tf", "sp")
_METHODS = ("sum", "mean", "dot", "max", "min", "transpose", "reshape", "exp", "log", "sqrt", "abs")
_IGNORED_METHODS = ("astype", "float", "copy", "double")


class Tidy:
    """State of reading one right-hand side: the dictionary, and what had to be mended."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.notes: list[str] = []
        self.meanings: dict[str, Meaning] = {}

    def run(self, items: list[Mark]) -> list[Mark]:
        """The tokens as model text; ``~`` has become ``@`` where the product may be a matrix product."""
        passes: tuple[Callable[[list[Mark]], list[Mark]], ...] = (
            self.ends, self.brackets, self.balance, self.modules, self.sizes, self.methods, self.derivatives, self.indicators, self.names,
            self.primes, self.exponentials, self.applications, self.products,
        )  # fmt: skip
        for step in passes:
            items = step(items)
        return items

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

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

    # -- Python's ways
    def modules(self, items: list[Mark]) -> list[Mark]:
        """``np.exp`` is exp."""
        result: list[Mark] = []
        k = 0
        while k < len(items):
            dotted = k + 2 < len(items) and items[k + 1].is_sign(".") and items[k + 2].kind == NAME
            if (
                items[k].kind == NAME
                and items[k].text in _MODULES
                and dotted
                and items[k].text not in self.dictionary.known
            ):
                self.note(f"{items[k].text}. is not needed: functions go by their own names")
                k += 2
            else:
                result.append(items[k])
                k += 1
        return result

    def methods(self, items: list[Mark]) -> list[Mark]:
        """``X.sum(axis=0)`` is sum(X, axis=0)."""
        for k in range(1, len(items) - 2):
            if (
                items[k].is_sign(".")
                and items[k + 1].kind == NAME
                and items[k + 2].is_sign("(")
                and ends_value(items[k - 1])
            ):
                return self.methods(self._method(items, k))
        return items

    def _method(self, items: list[Mark], dot: int) -> list[Mark]:
        method, start, end = items[dot + 1].text, self._start(items, dot - 1), closing(items, dot + 2)
        subject, args = items[start:dot], items[dot + 3 : end]
        if method in _IGNORED_METHODS:
            return [*items[:start], *subject, *items[end + 1 :]]
        if method not in _METHODS:
            raise SyntaxProblem(f".{method}(…) cannot be read; functions are written {method}(array, …)")
        self.note(f".{method}(…) is written {method}(array, …)")
        inside = [*subject, sign(","), *args] if args else subject
        return [*items[:start], name(method), sign("("), *inside, sign(")"), *items[end + 1 :]]

    def _start(self, items: list[Mark], last: int) -> int:
        """Where the value that ends at ``last`` starts."""
        while items[last].is_sign("'", ".T") and last > 0:
            last -= 1
        if items[last].is_sign(*CLOSING):
            last = opening(items, last)
            if last > 0 and items[last - 1].kind == NAME:
                last -= 1
        return last

    def sizes(self, items: list[Mark]) -> list[Mark]:
        """``X.shape[0]`` and ``len(X)`` are dimensions."""
        for k, mark in enumerate(items):
            rest = [x.text for x in items[k + 1 : k + 6]]
            row = self.dictionary.reference.rows.get(mark.text)
            if (
                row is not None
                and rest[:3] == [".", "shape", "["]
                and rest[4:5] == ["]"]
                and rest[3] in "0123"[: row.ndim]
            ):
                return self.sizes([*items[:k], *self._size(row.shape[int(rest[3])]), *items[k + 6 :]])
            inner = self.dictionary.reference.rows.get(rest[1]) if len(rest) > 2 else None
            if mark.text == "len" and rest[0] == "(" and rest[2] == ")" and inner is not None and inner.ndim:
                return self.sizes([*items[:k], *self._size(inner.shape[0]), *items[k + 4 :]])
        return items

    def _size(self, size: sp.Expr) -> list[Mark]:
        self.note(f"a size goes by its name: {size}")
        return [sign("("), *marks(dim_text(size)), sign(")")]

    # -- mathematics
    def derivatives(self, items: list[Mark]) -> list[Mark]:
        """``dL/do`` and ``do/da`` are one word each; an index behind stays behind."""
        result: list[Mark] = []
        k = 0
        while k < len(items):
            word, length = self._fraction(items, k)
            result += word or [items[k]]
            k += length
        return result

    def _fraction(self, items: list[Mark], k: int) -> tuple[list[Mark], int]:
        """(the tokens that stand for a derivative that starts here, how many it has); none and 1 when there is none."""
        above, first = indexed_name(items, k)
        slash = k + first
        if not first or slash + 1 >= len(items) or not items[slash].is_sign("/"):
            return [], 1
        below, second = indexed_name(items, slash + 1)
        if not second or above[:1] != "d" or below[:1] != "d" or {above, below} <= self.dictionary.rows:
            return [], 1
        meaning = self.dictionary.fraction(above[1:].lstrip("_"), below[1:].lstrip("_"))
        if meaning is None:
            return [], 1
        return [name(self.word_for(meaning))], first + 1 + second

    def word_for(self, meaning: Meaning) -> str:
        """A name that the formula can hold for a derivative; what it means is in ``meanings``."""
        if isinstance(meaning, Gradient):
            word = f"dL__{identifier(meaning.row)}"
        else:
            word = f"d{identifier(meaning.of)}__d{identifier(meaning.by)}"
        self.meanings[word] = meaning
        return word

    def indicators(self, items: list[Mark]) -> list[Mark]:
        """``1[z > 0]``, ``1{z > 0}`` and ``I(z > 0)`` are (z > 0)."""
        result: list[Mark] = []
        for k, mark in enumerate(items):
            after = items[k + 1] if k + 1 < len(items) else None
            one = mark == Mark(NUMBER, "1") and after is not None and after.is_sign("(")
            letter = mark in (name("I"), name("indicator")) and mark.text not in self.dictionary.known
            if (one or letter) and after is not None and self._compares(items, k + 1):
                continue
            result.append(mark)
        return result

    def _compares(self, items: list[Mark], opened: int) -> bool:
        inside = items[opened + 1 : closing(items, opened)]
        return any(x.is_sign("<", ">", "<=", ">=", "==", "!=") for x in inside)

    def names(self, items: list[Mark]) -> list[Mark]:
        """Every name in the spelling of the model; words of several names are taken apart."""
        result: list[Mark] = []
        for k, mark in enumerate(items):
            option = k + 1 < len(items) and items[k + 1].is_sign("=")
            if mark.kind != NAME or option or mark.text in self.meanings:
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
            self.meanings[f"d__{gradient.row}"] = gradient
            return [name(f"d__{gradient.row}")]
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

    def primes(self, items: list[Mark]) -> list[Mark]:
        """``tanh'(a)`` is the derivative of tanh at a."""
        result: list[Mark] = []
        for k, mark in enumerate(items):
            before = items[k - 1] if k else None
            after = items[k + 1] if k + 1 < len(items) else None
            if (
                mark.is_sign("'")
                and before is not None
                and before.kind == NAME
                and after is not None
                and after.is_sign("(")
            ):
                if self._is_function(before.text):
                    result[-1] = name(before.text + PRIME)
                    continue
            result.append(mark)
        return result

    def _is_function(self, word: str) -> bool:
        if word in self.dictionary.known or word in self.dictionary.own:
            return False
        return self.dictionary.function(word) is not None or word in ("f", "g", "phi", "act")

    def exponentials(self, items: list[Mark]) -> list[Mark]:
        """``e^x`` is exp(x)."""
        for k in range(len(items) - 2):
            if items[k] == name("e") and items[k + 1].is_sign("^", "**") and "e" not in self.dictionary.known:
                end = self._operand(items, k + 2)
                inside = items[k + 2 : end]
                whole = [name("exp"), sign("("), *inside, sign(")")]
                return self.exponentials([*items[:k], *whole, *items[end:]])
        return items

    def _operand(self, items: list[Mark], start: int) -> int:
        """Where the value that starts at ``start`` ends (exclusive), powers left out."""
        k = start
        while k < len(items) and items[k].is_sign("-", "+"):
            k += 1
        if k < len(items) and items[k].kind == NAME:
            k += 1
            if k < len(items) and items[k].is_sign("(", "["):
                k = closing(items, k) + 1
        elif k < len(items) and items[k].is_sign("("):
            k = closing(items, k) + 1
        else:
            k += 1
        while k < len(items) and items[k].is_sign("'", ".T"):
            k += 1
        return min(k, len(items))

    def applications(self, items: list[Mark]) -> list[Mark]:
        """``tanh a`` is tanh(a), ``tanh^2(a)`` is tanh(a)^2."""
        for k in range(len(items) - 1):
            if items[k].kind != NAME or not self._applies(items[k].text):
                continue
            after = items[k + 1]
            raised = self._operand(items, k + 2) if after.is_sign("^", "**") else len(items)
            if raised < len(items) and items[raised].is_sign("("):
                end = closing(items, raised) + 1
                power = items[k + 1 : raised]
                return self.applications([*items[: k + 1], *items[raised:end], *power, *items[end:]])
            if after.kind in (NAME, NUMBER):
                end = self._operand(items, k + 1)
                self.note(f"{items[k].text} needs brackets: {items[k].text}({after.text})")
                inside = [sign("("), *items[k + 1 : end], sign(")")]
                return self.applications([*items[: k + 1], *inside, *items[end:]])
        return items

    def _applies(self, word: str) -> bool:
        words = self.dictionary
        bare = word.removesuffix(PRIME)
        return word not in words.known and word not in words.own and words.function(bare) is not None

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
        if before.kind != NAME or not mark.is_sign("(") or before.text in self.meanings:
            return False
        return before.text.endswith(PRIME) or self._applies(before.text) or self.dictionary.value(before.text) is None


_CONSTANTS = ("pi", "True", "False", "None")


def indexed_name(items: list[Mark], k: int) -> tuple[str, int]:
    """(``h[1]`` or ``h``, how many tokens it has) for a name that starts at ``k``; 0 where none does."""
    if k >= len(items) or items[k].kind != NAME:
        return "", 0
    index = [x.text for x in items[k + 1 : k + 4]]
    if len(index) == 3 and index[0] == "[" and index[1].isdigit() and index[2] == "]":
        return f"{items[k].text}[{index[1]}]", 4
    return items[k].text, 1


def identifier(row: str) -> str:
    """A row's name as part of an identifier."""
    return row.replace("[", "_").replace("]", "")
