"""Mathematics as it is written on paper: dL/do, tanh'(a), 1[z > 0], e^x, functions without brackets."""

from __future__ import annotations

from symbackprop.grade.marks import NAME, NUMBER, Mark, closing, name, sign
from symbackprop.grade.naming import Gradient, Meaning
from symbackprop.grade.passes import PRIME, Passes, value_end


class Mathematics(Passes):
    """Passes that turn written mathematics into model text."""

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

    def primes(self, items: list[Mark]) -> list[Mark]:
        """``tanh'(a)`` is the derivative of tanh at a."""
        result: list[Mark] = []
        for k, mark in enumerate(items):
            before = items[k - 1] if k else None
            after = items[k + 1] if k + 1 < len(items) else None
            called = before is not None and before.kind == NAME and after is not None and after.is_sign("(")
            if mark.is_sign("'") and called and before is not None and self._is_function(before.text):
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
                end = value_end(items, k + 2)
                inside = items[k + 2 : end]
                whole = [name("exp"), sign("("), *inside, sign(")")]
                return self.exponentials([*items[:k], *whole, *items[end:]])
        return items

    def applications(self, items: list[Mark]) -> list[Mark]:
        """``tanh a`` is tanh(a), ``tanh^2(a)`` is tanh(a)^2."""
        for k in range(len(items) - 1):
            if items[k].kind != NAME or not self.applies(items[k].text):
                continue
            after = items[k + 1]
            raised = value_end(items, k + 2) if after.is_sign("^", "**") else len(items)
            if raised < len(items) and items[raised].is_sign("("):
                end = closing(items, raised) + 1
                power = items[k + 1 : raised]
                return self.applications([*items[: k + 1], *items[raised:end], *power, *items[end:]])
            if after.kind in (NAME, NUMBER):
                end = value_end(items, k + 1)
                self.note(f"{items[k].text} needs brackets: {items[k].text}({after.text})")
                inside = [sign("("), *items[k + 1 : end], sign(")")]
                return self.applications([*items[: k + 1], *inside, *items[end:]])
        return items


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
