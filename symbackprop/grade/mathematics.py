"""Mathematics as it is written on paper: dL/do, tanh'(a), 1[z > 0], e^x, functions without brackets."""

from __future__ import annotations

from symbackprop.grade.marks import NAME, NUMBER, Mark, closing, name, shown, sign
from symbackprop.grade.naming import Dictionary, Local, Meaning
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
        found = derivative(items, k, self.dictionary)
        if found is None:
            own = unseen(items, k, self.dictionary)
            return ([name(own)], 3) if own in self.dictionary.own else ([], 1)
        meaning, indices, length = found
        index = [x for n, part in enumerate(indices) for x in ([sign(",")] if n else []) + part]
        return [name(self.word_for(meaning)), *([sign("["), *index, sign("]")] if index else [])], length

    def indicators(self, items: list[Mark]) -> list[Mark]:
        """``1[z > 0]``, ``1{z > 0}`` and ``I(z > 0)`` are (z > 0)."""
        result: list[Mark] = []
        items = list(items)
        for k in range(len(items)):
            mark, after = items[k], items[k + 1] if k + 1 < len(items) else None
            one = mark == Mark(NUMBER, "1") and after is not None and after.is_sign("(")
            letter = mark in (name("I"), name("indicator")) and mark.text not in self.dictionary.known
            if (one or letter) and after is not None and self._compares(items, k + 1):
                for x in range(k + 2, closing(items, k + 1)):
                    items[x] = sign("==") if items[x].is_sign("=") else items[x]
                continue
            result.append(mark)
        return result

    def _compares(self, items: list[Mark], opened: int) -> bool:
        inside = items[opened + 1 : closing(items, opened)]
        return any(x.is_sign("<", ">", "<=", ">=", "=", "==", "!=") for x in inside)

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


def derivative(items: list[Mark], k: int, words: Dictionary) -> tuple[Meaning, list[list[Mark]], int] | None:
    """(what it means, its indices, how many tokens it has) for ``dL/do``, ``dL/dh[t]`` or ``dh[t]/dh[t-1]``."""
    above = indexed_name(items, k)
    slash = k + (above[2] if above else 0)
    below = indexed_name(items, slash + 1) if above and slash < len(items) and items[slash].is_sign("/") else None
    if above is None or below is None or not (above[0].startswith("d") and below[0].startswith("d")):
        return None
    if {above[0], below[0]} <= words.rows:
        return None
    length = above[2] + 1 + below[2]
    of, by = above[0][1:].lstrip("_"), below[0][1:].lstrip("_")
    if all(not index or _is_number(index) for _, index, _ in (above, below)):
        rows = of + shown(above[1]), by + shown(below[1])
        plain = words.fraction(*rows) if all(words.row(n) or n in words.losses for n in rows) else None
        if plain is not None:
            return plain, [], length
    meaning = words.fraction(of, by, (bool(above[1]), bool(below[1])))
    if meaning is None or (above[1] and not (isinstance(meaning, Local) and meaning.indexed[0])):
        return None
    return meaning, [index[1:-1] for _, index, _ in (above, below) if index], length


def _is_number(index: list[Mark]) -> bool:
    return len(index) == 3 and index[1].kind == NUMBER


def unseen(items: list[Mark], k: int, words: Dictionary) -> str:
    """``da`` for ``dL/da`` at ``k`` when the model has no name a but may have such a row; empty otherwise."""
    texts = [x.text for x in items[k : k + 3]]
    if len(texts) < 3 or texts[1] != "/" or not (texts[0].startswith("d") and texts[2].startswith("d")):
        return ""
    return texts[2] if words.unseen(texts[0][1:].lstrip("_"), texts[2][1:].lstrip("_")) else ""


def indexed_name(items: list[Mark], k: int) -> tuple[str, list[Mark], int] | None:
    """(``h``, the tokens of ``[t-1]``, how many tokens it has in all) for a name that starts at ``k``."""
    if k >= len(items) or items[k].kind != NAME:
        return None
    if k + 1 < len(items) and items[k + 1].is_sign("["):
        end = closing(items, k + 1)
        return items[k].text, items[k + 1 : end + 1], end + 1 - k
    return items[k].text, [], 1
