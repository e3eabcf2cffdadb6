"""Subscripts and sums over steps: ``h_t``, ``h_{t-1}``, ``sum_t h[t-1].T @ da[t]``."""

from __future__ import annotations

from symbackprop.errors import SyntaxProblem
from symbackprop.grade.letters import letters_of
from symbackprop.grade.marks import CLOSING, NAME, OPENING, Mark, closing, name, opening, sign
from symbackprop.grade.naming import Dictionary
from symbackprop.grade.passes import ARRAY, SUM, Passes, value_end, value_start


def subscripts(items: list[Mark], words: Dictionary) -> list[Mark]:
    """``h_{t-1}`` and ``h_t`` are h[t-1] and h[t] where t counts; ``W_{hh}`` is W_hh."""
    result: list[Mark] = []
    k = 0
    while k < len(items):
        text, end = items[k].text, k
        base, _, counter = text.rpartition("_")
        if items[k].kind == NAME and text.endswith("_") and text not in (SUM, "_") and _opens(items, k + 1):
            end = closing(items, k + 1)
            result += _subscripted(text[:-1], items[k + 2 : end], words)
        elif (
            items[k].kind == NAME and base and base != SUM[:-1] and _counts(counter, words) and text not in words.known
        ):
            result += [name(base), sign("["), name(counter), sign("]")]
        else:
            result.append(items[k])
        k = end + 1
    return result


def _opens(items: list[Mark], k: int) -> bool:
    return k < len(items) and items[k].is_sign("(", "{")


def _subscripted(base: str, inside: list[Mark], words: Dictionary) -> list[Mark]:
    """A name whose subscript is in brackets."""
    inside = subscripts(inside, words)
    first = inside[0] if inside else name("")
    if len(inside) == 1 and not _counts(first.text, words):
        return [name(f"{base}_{first.text}")]
    if len(inside) > 1 and first.kind == NAME and inside[1].is_sign("["):  # delta_{h_{t-1}}
        return [name(f"{base}_{first.text}"), *inside[1:]]
    return [name(base), sign("["), *inside, sign("]")]


def _counts(word: str, words: Dictionary) -> bool:
    """Whether a word is the counter of a loop, or its last step."""
    return word in words.counters or word in words.loops


class Sums(Passes):
    """The pass that finds where a sum over steps ends."""

    def subscripts(self, items: list[Mark]) -> list[Mark]:
        return subscripts(items, self.dictionary)

    def arrays(self, items: list[Mark]) -> list[Mark]:
        """``[sum_k X_ik Y_jk]_ij``, the array of these entries, is array_ij(sum_k X_ik Y_jk)."""
        for k in range(1, len(items)):
            below, letters = items[k].text[:1], items[k].text[1:]
            if items[k].kind == NAME and below == "_" and letters.isalpha() and items[k - 1].is_sign("]"):
                start = opening(items, k - 1)
                inside = [sign("("), *items[start + 1 : k - 1], sign(")")]
                return self.arrays([*items[:start], name(ARRAY + letters), *inside, *items[k + 1 :]])
        return items

    def entries(self, items: list[Mark]) -> list[Mark]:
        """``X_ik`` is X[i, k] where i and k are letters of sums."""
        letters = {x for mark in items for x in letters_of(mark.text)} - self.dictionary.counters
        self.dictionary.known |= letters
        result: list[Mark] = []
        for mark in items:
            base, _, index = mark.text.rpartition("_")
            entry = mark.kind == NAME and base and index and set(index) <= letters and not letters_of(mark.text)
            if entry and mark.text not in self.dictionary.known:
                inside = [x for letter in index for x in (sign(","), name(letter))][1:]
                result += [name(base), sign("["), *inside, sign("]")]
            else:
                result.append(mark)
        return result

    def outers(self, items: list[Mark]) -> list[Mark]:
        """``a ⊗ b`` is outer_product(a, b)."""
        for k, mark in enumerate(items):
            if mark.is_sign("⊗") and 0 < k < len(items) - 1:
                start, end = value_start(items, k - 1), value_end(items, k + 1)
                inside = [sign("("), *items[start:k], sign(","), *items[k + 1 : end], sign(")")]
                return self.outers([*items[:start], name("outer_product"), *inside, *items[end:]])
        return items

    def sums(self, items: list[Mark]) -> list[Mark]:
        """``sum_t a[t] b[t] + c`` is sum_t(a[t] b[t]) + c, ``sum_{t=2}^T a[t]`` is sum_t(a[t], 2, T)."""
        for k in range(len(items) - 1, -1, -1):
            head = self._head(items, k)
            if head is not None:
                counter, bounds, start = head
                end = _product_end(items, start)
                self.dictionary.known.add(counter)
                body = items[start:end]
                if body and body[0].is_sign("(") and closing(body, 0) == len(body) - 1:
                    body = body[1:-1]
                inside = [*body, *[x for bound in bounds for x in (sign(","), *bound)]]
                items = [*items[:k], name(SUM + counter), sign("("), *inside, sign(")"), *items[end:]]
        return items

    def _head(self, items: list[Mark], k: int) -> tuple[str, list[list[Mark]], int] | None:
        """(the counter, its bounds if there are any, where the summand starts) for a sum that starts at ``k``."""
        text = items[k].text
        words = self.dictionary
        if [x.text for x in items[k : k + 2]] == ["sum", "over"] and k + 2 < len(items) and "over" not in words.known:
            return items[k + 2].text, [], k + 3 + (items[k + 3 : k + 4] == [name("of")])
        if items[k].kind != NAME or not text.startswith(SUM) or text in words.known or text in words.own:
            return None
        if text != SUM:
            return text[len(SUM) :], [], k + 1
        if not _opens(items, k + 1):
            return None
        end = closing(items, k + 1)
        inside, start = items[k + 2 : end], end + 1
        if not inside:
            raise SyntaxProblem("a sum over steps is written sum_t a[t] or sum_{t=1}^T a[t]")
        bounds = [inside[2:]] if len(inside) > 2 and inside[1].is_sign("=") else []
        if start < len(items) and items[start].is_sign("^"):
            upper = value_end(items, start + 1)
            bounds, start = [*bounds, items[start + 1 : upper]], upper
        return inside[0].text, bounds, start


def _product_end(items: list[Mark], start: int) -> int:
    """Where the product that starts at ``start`` ends."""
    depth, k = 0, start
    while k < len(items) and items[k].is_sign("-", "+"):
        k += 1
    while k < len(items):
        mark = items[k]
        if depth == 0 and (mark.is_sign("+", "-", ",", "=", *CLOSING) and not _is_exponent(items, k)):
            return k
        depth += mark.is_sign(*OPENING) - mark.is_sign(*CLOSING)
        k += 1
    return k


def _is_exponent(items: list[Mark], k: int) -> bool:
    """Whether a sign belongs to what stands behind it, as in a^-1 or a * -b."""
    return items[k].is_sign("-", "+") and items[k - 1].is_sign("^", "**", "*", "@", "/", "~")
