"""From what people write to model text. Slips of syntax cost nothing: they are mended and told.

Every pass takes the tokens of a right-hand side and returns those of the next form: punctuation, subscripts and sums,
Python's ways of writing, mathematics as on paper, names and products.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import sympy as sp

from symbackprop.core.functions.words import IDLE_METHODS, IDLE_OPTIONS, MODULES, OPTIONS
from symbackprop.core.graph import INT
from symbackprop.core.names import text_name
from symbackprop.core.shapes import dim_text
from symbackprop.errors import SyntaxProblem
from symbackprop.grade.naming import ARRAY, MAX, PRIME, SHARE, STACK, SUM, Dictionary, Local, Meaning, Telling
from symbackprop.model.text.expressions import COMPARISONS
from symbackprop.model.text.tokens import NAME, NUMBER, SIGN, STRING, Token, forgiving_tokens, partner

Tokens: TypeAlias = list[Token]
Found: TypeAlias = tuple[Tokens, int] | None  # other tokens, and how many they stand for
MAX_TOKENS = 1_000
OPENING, CLOSING = {"(": ")", "[": "]", "{": "}"}, (")", "]", "}")
ONE = Token(NUMBER, "1")
_CONSTANTS = ("pi", "newaxis", "True", "False", "None")
_IGNORED_METHODS = (*IDLE_METHODS, "item", "detach")  # gradients are not differentiated again
_ATTRIBUTES = {"T": ".T", "mT": ".T", "data": "", "values": ""}
_ONE_HOT = re.compile(r"_?(?:one_?hot|oh)$", re.IGNORECASE)
_SUM, _STACK, _MAX, _PRIME = "sum_", "stack_", "max_", "_prime"  # as people write them: sum_t a[t], tanh_prime(a)

_BOUND = {_SUM: SUM, _STACK: STACK, _MAX: MAX}


def _below_of(word: str) -> tuple[str, str]:
    """A word and what is below it: X and ik of ``X_ik``, y and 0 of ``y0``."""
    base, _, index = word.rpartition("_")
    base = base if index != word else word.rstrip("0123456789")
    return base, index if index != word else word[len(base) :]


def sign(text: str) -> Token:
    return Token(SIGN, text)


def name(text: str) -> Token:
    return Token(NAME, text)


def joined(items: Tokens) -> str:
    """A left side or an index as one word again."""
    text = ""
    for before, token in zip([sign(""), *items], items, strict=False):
        text += " " * (before.kind == token.kind == NAME) + token.text
    return text


# -- places in a line


def closing(items: Tokens, opened: int) -> int:
    """Where the bracket that opens at ``opened`` closes; the end when it never does."""
    return partner(items, range(opened, len(items)), OPENING, CLOSING, len(items))


def opening(items: Tokens, closed: int) -> int:
    """Where the bracket that closes at ``closed`` opens; 0 when it never does."""
    return partner(items, range(closed, -1, -1), CLOSING, OPENING, 0)


def at(items: Tokens, k: int) -> Token:
    """The token at ``k``; a sign of no meaning beyond the ends."""
    return items[k] if 0 <= k < len(items) else sign(";")


def ends_value(token: Token) -> bool:
    """Whether a value ends here, so that what follows continues or multiplies it."""
    return token.kind in (NAME, NUMBER) or token.is_sign(")", "]", "}", "'", ".T")


def value_start(items: Tokens, last: int) -> int:
    """Where the value that ends at ``last`` starts."""
    while items[last].is_sign("'", ".T") and last > 0:
        last -= 1
    if not items[last].is_sign(*CLOSING):
        return last
    start = opening(items, last)
    if items[last].is_sign("]") and ends_value(at(items, start - 1)):  # (a + b)[:, 0]
        return value_start(items, start - 1)
    return start - _is_called(at(items, start - 1))


def value_end(items: Tokens, start: int) -> int:
    """Where the value that starts at ``start`` ends (exclusive), powers left out."""
    k = _past_signs(items, start)
    bare = not at(items, k).is_sign("(")
    if at(items, k + bare).is_sign("(") and (not bare or _is_called(at(items, k))):
        k = closing(items, k + bare) + 1
    else:
        k += 1
    while at(items, k).is_sign("[", "'", ".T"):
        k = closing(items, k) + 1 if items[k].is_sign("[") else k + 1
    return min(k, len(items))


def _is_called(token: Token) -> bool:
    """Whether brackets behind it belong to it, as in f(a) and 1(a > 0)."""
    return token.kind == NAME or token == ONE


def _product_end(items: Tokens, start: int) -> int:
    """Where the product that starts at ``start`` ends."""
    depth, k = 0, _past_signs(items, start)
    while k < len(items):
        token = items[k]
        if depth == 0 and (token.is_sign("+", "-", ",", "=", *COMPARISONS, *CLOSING) and not _is_exponent(items, k)):
            return k
        depth += token.is_sign(*OPENING) - token.is_sign(*CLOSING)
        k += 1
    return k


def _past_signs(items: Tokens, k: int) -> int:
    while at(items, k).is_sign("-", "+"):
        k += 1
    return k


def _is_exponent(items: Tokens, k: int) -> bool:
    """Whether a sign belongs to what stands behind it, as in a^-1 or a * -b."""
    return items[k].is_sign("-", "+") and items[k - 1].is_sign("^", "**", "*", "@", "/", "~")


def called(function: str, *args: Tokens) -> Tokens:
    """The call of a function."""
    inside = [x for arg in args for x in (sign(","), *arg)][1:]
    return [name(function), sign("("), *inside, sign(")")]


def _bound(kind: str, what: str, *args: Tokens) -> Tokens:
    """A sum or an array over letters, the derivative of a function."""
    return called(kind, [Token(STRING, f'"{what}"')], *args)


def split(items: Tokens, by: str = ",") -> list[Tokens]:
    """The tokens between the commas, or other signs, that are not inside brackets."""
    parts: list[Tokens] = [[]]
    depth = 0
    for token in items:
        depth += token.is_sign(*OPENING) - token.is_sign(*CLOSING)
        if depth == 0 and token.is_sign(by):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def argument_length(items: Tokens, k: int) -> int:
    """How many tokens the argument that starts at ``k`` has."""
    depth = 0
    for length, token in enumerate(items[k:]):
        if depth == 0 and token.is_sign(",", *CLOSING):
            return length
        depth += token.is_sign(*OPENING) - token.is_sign(*CLOSING)
    return len(items) - k


def _everywhere(rule: Callable[[Tidy, Tokens, int], Found]) -> Callable[[Tidy, Tokens], Tokens]:
    """A pass that applies a rule at every place."""
    return lambda self, items: _rewritten(items, lambda items, k: rule(self, items, k))


def _rewritten(items: Tokens, rule: Callable[[Tokens, int], Found]) -> Tokens:
    """The tokens with what a rule finds at a place, (other tokens, how many they stand for), instead."""
    result: Tokens = []
    k = 0
    while k < len(items):
        new, length = rule(items, k) or ([items[k]], 1)
        result += new
        k += length
    return result


# -- subscripts and derivatives, which stand on the left of a line too


def subscripts(items: Tokens, words: Dictionary) -> Tokens:
    """``h_{t-1}`` and ``h_t`` are h[t-1] and h[t] where t counts; ``W_{hh}`` is W_hh, and ``δ^h`` δ_h."""
    def rule(items: Tokens, k: int) -> Found:
        text = items[k].text
        base, _, counter = text.rpartition("_")
        if items[k].kind != NAME:
            return None
        raised = at(items, k + 2).text if at(items, k + 1).is_sign("^") else ""
        if text == "delta" not in words.known and words.row(raised):
            return [name(f"delta_{raised}")], 3
        if text.endswith("_") and text not in (_SUM, _STACK, "_") and at(items, k + 1).is_sign("(", "{"):
            end = closing(items, k + 1)
            return _below(text[:-1], subscripts(items[k + 2 : end], words), words), end + 1 - k
        if base and base != _SUM[:-1] and _counts(counter, words) and text not in words.known:
            return [name(base), sign("["), name(counter), sign("]")], 1
        return None

    return _rewritten(items, rule)


def _has_letters(items: Tokens, letters: str) -> bool:
    """Whether something in a formula stands at these letters, d_i and X[i,j]."""
    return any({*x.text.rpartition("_")[2]} <= {*letters} for x in items if x.kind == NAME)


def _stands_at(step: str, items: Tokens) -> bool:
    """Whether something stands at a step, h[t]."""
    return any(a.is_sign("[") and b.text == step and c.is_sign("]")
               for a, b, c in zip(items, items[1:], items[2:], strict=False))


def _counts(word: str, words: Dictionary) -> bool:
    return word in words.counters or word in words.loops


def _below(base: str, inside: Tokens, words: Dictionary) -> Tokens:
    """A name with what stands in brackets below it."""
    first = at(inside, 0) if inside else name("")
    looped = base in words.own or base.startswith("later_") or f"{base}[{first.text}]" in words.reference.rows
    step = first.kind == NUMBER and looped and f"{base}_{first.text}" not in words.rows  # of what is named in a loop
    if len(inside) == 1 and not step and not _counts(first.text, words):
        return [name(f"{base}_{first.text}")]
    if len(inside) > 1 and first.kind == NAME and inside[1].is_sign("["):  # delta_{h_{t-1}}
        return [name(f"{base}_{first.text}"), *inside[1:]]
    if len(inside) > 2 and base == "delta" not in words.known and words.row(first.text):  # delta_{z,n}
        return [name(f"{base}_{first.text}"), sign("["), *inside[2:], sign("]")]
    return [name(base), sign("["), *inside, sign("]")]


def derivative(items: Tokens, k: int, words: Dictionary) -> tuple[Meaning, list[Tokens], int] | None:
    """(what it means, its indices, how many tokens it has) for ``dL/do``, ``dL/dh[t]`` or ``dh[t]/dh[t-1]``."""
    above = _indexed_name(items, k)
    slash = k + (above[2] if above else 0)
    below = _indexed_name(items, slash + 1) if above and at(items, slash).is_sign("/") else None
    if above is None or below is None or not (above[0].startswith("d") and below[0].startswith("d")):
        return None
    if {above[0], below[0]} <= words.rows:
        return None
    length = above[2] + 1 + below[2]
    of, by = above[0][1:].lstrip("_"), below[0][1:].lstrip("_")
    if all(not index or (len(index) == 3 and index[1].kind == NUMBER) for _, index, _ in (above, below)):
        rows = of + joined(above[1]), by + joined(below[1])
        plain = words.fraction(*rows) if all(words.row(n) or n in words.losses for n in rows) else None
        if plain is not None:
            return plain, [], length
    meaning = words.fraction(of, by, (bool(above[1]), bool(below[1])))
    if meaning is None or (above[1] and not (isinstance(meaning, Local) and meaning.indexed[0])):
        return None
    return meaning, [index[1:-1] for _, index, _ in (above, below) if index], length


def unseen(items: Tokens, k: int, words: Dictionary) -> str:
    """``da`` for ``dL/da`` at ``k`` when the model has no name a but may have such a row, ``delta_a`` where a line
    names it; empty otherwise."""
    texts = [x.text for x in items[k : k + 3]]
    if len(texts) < 3 or texts[1] != "/" or not (texts[0].startswith("d") and texts[2].startswith("d")):
        return ""
    above, below = (texts[k][1:].lstrip("_") for k in (0, 2))
    return "" if not words.unseen(above, below) else f"delta_{below}" if below in words.own else texts[2]


def _indexed_name(items: Tokens, k: int) -> tuple[str, Tokens, int] | None:
    """(``h``, the tokens of ``[t-1]``, how many tokens it has in all) for a name that starts at ``k``."""
    if at(items, k).kind != NAME:
        return None
    if at(items, k + 1).is_sign("["):
        end = closing(items, k + 1)
        return items[k].text, items[k + 1 : end + 1], end + 1 - k
    return items[k].text, [], 1


def _size(size: sp.Expr) -> Tokens:
    return [sign("("), *forgiving_tokens(dim_text(size)), sign(")")]


def is_index(counter: str) -> bool:
    """Whether a name is a letter that indices are called by, or one with a number: i₂."""
    return re.fullmatch(r"[^\W\d_]\d*", counter) is not None


class Tidy(Telling):
    """All passes over one right-hand side.

    ``words`` are the names that stand for derivatives while the line is taken apart, with how they are written;
    ``meanings`` says what is meant by them, as written; ``notes`` tells what was mended. ``letters`` are the indices of
    the entries that the right side gives, if it does not give an array.
    """

    def __init__(self, dictionary: Dictionary, letters: str = "") -> None:
        super().__init__()
        self.dictionary = dictionary
        self.words: dict[str, str] = {}
        self.meanings: dict[str, Meaning] = {}
        self.entry, self.letters = letters, set(letters)

    def run(self, items: Tokens) -> Tokens:
        """The tokens as model text; ``~`` has become ``@`` where the product may be a matrix product."""
        if len(items) > MAX_TOKENS:
            raise SyntaxProblem(f"the formula has {len(items)} signs and names; at most {MAX_TOKENS} are read")
        items = self.ends(items)
        items = self._array(items) if self.entry else items
        for step in PASSES:
            items = step(self, items)
        return items

    def _array(self, items: Tokens) -> Tokens:
        """The array of entries at letters; where the first counts the steps at which something stands, of all steps."""
        step, rest, words = self.entry[0], self.entry[1:], self.dictionary
        if not (rest and step in words.counters and _stands_at(step, subscripts(items, words))):
            return _bound(ARRAY, self.entry, items)
        self.entry = rest
        self.letters.discard(step)
        return _bound(STACK, step, _bound(ARRAY, rest, items))

    def _word_for(self, meaning: Meaning, fraction: bool = True) -> str:
        """A name that a formula can hold for a derivative."""
        shown = self.dictionary.spelled(meaning, fraction)
        self.meanings[shown] = meaning
        known = {text: word for word, text in self.words.items()}
        word = known.get(shown, f"derivative{len(self.words)}__")
        self.words[word] = shown
        return word

    def _applies(self, word: str) -> bool:
        """Whether a name is that of a function and of nothing else."""
        words = self.dictionary
        return word not in words.known and word not in words.own and bool(words.function(word))

    # -- punctuation
    def ends(self, items: Tokens) -> Tokens:
        """Without what ends a sentence, and without the $ of typeset mathematics."""
        items = [x for x in items if not x.is_sign("$")]
        while items and items[-1].is_sign(";", ".", ","):
            items = items[:-1]
        return items

    def brackets(self, items: Tokens) -> Tokens:
        """Square and curly brackets that only group become round ones."""
        result = list(items)
        for k, token in enumerate(items):
            after_array = k and ends_value(items[k - 1]) and items[k - 1].kind != NUMBER
            if token.is_sign("{") or (token.is_sign("[") and not after_array):
                result[k] = sign("(")
                end = closing(items, k)
                if end < len(items):
                    result[end] = sign(")")
        return result

    def balance(self, items: Tokens) -> Tokens:
        """Brackets left open are closed at the end."""
        stack: list[str] = []
        for token in items:
            if token.is_sign(*OPENING):
                stack.append(OPENING[token.text])
            elif token.is_sign(*CLOSING):
                if not stack or stack[-1] != token.text:
                    raise SyntaxProblem(f"the bracket {token.text} closes nothing")
                stack.pop()
        if stack:
            self.note(f"a closing bracket {stack[-1]} is missing; it is put at the end")
        return [*items, *[sign(s) for s in reversed(stack)]]

    # -- subscripts and sums
    def arrays(self, items: Tokens) -> Tokens:
        """``[sum_k X_ik Y_jk]_ij``, the array of these entries, is an array over i and j."""
        for k in range(1, len(items)):
            below, letters = items[k].text[:1], items[k].text[1:]
            if not items[k - 1].is_sign("]"):
                continue
            start, end = opening(items, k - 1), closing(items, k)
            indexed = at(items, start - 1).kind == NAME and self._head(items, start - 1) is None and (
                not _has_letters(items[start + 1 : k - 1], letters))  # w[y]_n, not A [e^d_i·I_ij]_ij
            if items[k].kind == NAME and below == "_" and letters.isalpha() and not indexed:
                self.letters |= set(letters)
                entries = _bound(ARRAY, letters, items[start + 1 : k - 1])
                return self.arrays([*items[:start], *entries, *items[k + 1 :]])
            if items[k].is_sign("[") and not ends_value(at(items, start - 1)):
                listed = [joined(x) for x in split(items[k + 1 : end])]
                if len(listed) > 1 and all(map(is_index, listed)):
                    self.letters |= set(listed)
                    entries = _bound(ARRAY, ",".join(listed), items[start + 1 : k - 1])
                    return self.arrays([*items[:start], *entries, *items[end + 1 :]])
        return items

    def subscripts(self, items: Tokens) -> Tokens:
        return subscripts(items, self.dictionary)

    def one_hots(self, items: Tokens) -> Tokens:
        """``y_onehot`` is one_hot(y)."""
        rows = self.dictionary.reference.rows

        def rule(items: Tokens, k: int) -> Found:
            text, base = items[k].text, _ONE_HOT.sub("", items[k].text)
            fresh = base != text and text not in self.dictionary.known | self.dictionary.own
            if not fresh or base not in rows or rows[base].kind != INT:
                return None
            self.note(f"{text} is read as one_hot({base})")
            return called("one_hot", [name(base)]), 1

        return _rewritten(items, rule)

    def entries(self, items: Tokens) -> Tokens:
        """``X_ik`` is X[i, k] where i and k are letters of sums, M[t]_ij is M[t][i, j], (a b)_i is (a b)[i]; ``y_0`` is
        y[0] where no name is spelled so, and ``X_0k`` X[0, k]."""
        heads = [h for k in range(len(items)) if (h := self._head(items, k)) is not None]
        counts = self.dictionary.counters - {*self.entry}
        letters = (self.letters | {counter for counter, _, _ in heads if is_index(counter)}) - counts
        self.dictionary.known |= letters

        def rule(items: Tokens, k: int) -> Found:
            text = items[k].text
            base, index = _below_of(text)
            each = [index] if index in letters else [*index]
            entry = items[k].kind == NAME and index and text not in (_SUM + index, _MAX + index) and (
                {*each} <= letters or self._is_entry(text, base, each, letters))
            called = at(items, k + 1).is_sign("(") and self._applies(text)
            indexed = at(items, k + 1).is_sign("[")
            if not entry or called or not (base or at(items, k - 1).is_sign("]", ")")):
                return None
            if text in self.dictionary.known or self._is_other_name(text, base, indexed):
                return None
            inside = [x for i in each for x in (sign(","), Token(NUMBER, i) if i.isdecimal() else name(i))][1:]
            return [*([name(base)] if base else []), sign("["), *inside, sign("]")], 1

        return _rewritten(items, rule)

    def _is_other_name(self, text: str, base: str, indexed: bool) -> bool:
        """Whether a word is a name as it prints, W_d of Wd, where nothing is called W or an index follows."""
        words = self.dictionary
        meant = words.value(text) if base else None
        return meant is not None and (words.value(base) is None or (indexed and text_name(meant) == text))

    def _is_entry(self, text: str, base: str, each: Sequence[str], letters: Collection[str]) -> bool:
        """Whether a word is an entry of an array of the model, with numbers among its places."""
        row, numbers = self.dictionary.reference.rows.get(base), all(i in letters or i.isdecimal() for i in each)
        if not base:  # behind brackets, m[t]_0
            return numbers
        fits = numbers and row is not None and row.ndim == len(each)
        return fits and self.dictionary.value(text) is None and self.dictionary.family(text) is None

    def sums(self, items: Tokens) -> Tokens:
        """``sum_t a[t] b[t] + c`` is a sum over t and c, ``sum_{t=2}^T a[t]`` one from 2 to T."""
        for k in range(len(items) - 1, -1, -1):
            head = self._head(items, k)
            if head is not None:
                counter, bounds, start = head
                end = _product_end(items, start)
                self.dictionary.known.add(counter)
                body = items[start:end]
                if body and body[0].is_sign("(") and closing(body, 0) == len(body) - 1:
                    body = body[1:-1]
                kind = _BOUND.get(items[k].text.partition("_")[0] + "_", SUM)
                items = [*items[:k], *_bound(kind, counter, body, *bounds), *items[end:]]
        return items

    def _head(self, items: Tokens, k: int) -> tuple[str, list[Tokens], int] | None:
        """(the counter, its bounds if there are any, where the summand starts) for a sum that starts at ``k``."""
        text, words = items[k].text, self.dictionary
        if [x.text for x in items[k : k + 2]] == ["sum", "over"] and k + 2 < len(items) and "over" not in words.known:
            return items[k + 2].text, [], k + 3 + (at(items, k + 3) == name("of"))
        if items[k].kind != NAME or text in words.known or text in words.own:
            return None
        if text.startswith(_MAX) and is_index(text.removeprefix(_MAX)):  # max_d a[n,d]
            return text.removeprefix(_MAX), [], k + 1
        if not text.startswith((_SUM, _STACK)):
            return None
        if text not in (_SUM, _STACK):
            return text.partition("_")[2], [], k + 1
        if not at(items, k + 1).is_sign("(", "{"):
            return None
        end = closing(items, k + 1)
        inside, start = items[k + 2 : end], end + 1
        if not inside:
            raise SyntaxProblem("a sum over steps is written sum_t a[t] or sum_{t=1}^T a[t]")
        bounds = [inside[2:]] if len(inside) > 2 and inside[1].is_sign("=") else []
        if at(items, start).is_sign("^"):
            upper = _past_signs(items, start + 1)
            upper = closing(items, upper) if at(items, upper).is_sign(*OPENING) else upper
            bounds, start = [*bounds, items[start + 1 : upper + 1]], upper + 1
        return inside[0].text, bounds, start

    def ones(self, items: Tokens) -> Tokens:
        """``1ᵀ δ`` is sum(δ, axis=0), ``δ 1`` the sum over the last axis, ``b 1ᵀ`` has b in every column: what stands
        transposed before an array, or behind one without a sign, is the vector of ones."""
        for k in range(len(items) - 1, -1, -1):
            if items[k] != ONE or at(items, k - 1).is_sign("^", "**", "/"):
                continue
            raised = at(items, k + 1).is_sign("^") and at(items, k + 2) == name("T")
            turned = 2 if raised else int(at(items, k + 1).is_sign(".T"))
            if turned and self._are_ones(items, k, turned):
                items = self._ones_twice(items, k, turned)
                continue
            behind = at(items, k + 1 + turned)
            before = turned and (behind.kind == NAME or behind.is_sign("("))  # a 1ᵀ b is a times the sum of b
            if ends_value(at(items, k - 1)) and at(items, k - 1).kind != NUMBER and not before:
                items = self._ones_behind(items, k)
                continue
            start = k + 1 + turned
            start += at(items, start).is_sign("@", "*", "~")
            end = _product_end(items, start)
            if turned and end > start:
                self.note("1ᵀ is the vector of ones: 1ᵀ a is sum(a, axis=0)")
                axis = [name("axis"), sign("="), Token(NUMBER, "0")]
                items = [*items[:k], *called("sum", items[start:end], axis), *items[end:]]
        return items

    def _is_number(self, items: Tokens) -> bool:
        """Whether the model has a number by this name."""
        row = self.dictionary.reference.rows.get(self.dictionary.row(items[0].text) or "") if len(items) == 1 else None
        return row is not None and not row.shape

    @staticmethod
    def _are_ones(items: Tokens, k: int, turned: int) -> bool:
        """Whether ``1 1ᵀ`` ends here, all ones, behind an array."""
        last = at(items, k - 2)
        behind = at(items, k + 1 + turned)
        return (at(items, k - 1) == ONE and ends_value(last) and last.kind != NUMBER
                and behind.kind not in (NAME, NUMBER) and not behind.is_sign("(", "^", "**"))

    def _ones_twice(self, items: Tokens, k: int, turned: int) -> Tokens:
        """``A 1 1ᵀ`` has the sums of the rows of A in every column."""
        self.note("A 1 1ᵀ has the sums of A's rows in every column")
        start, last = value_start(items, k - 2), [name("axis"), sign("="), sign("-"), ONE]
        value = called("columns", called("sum", items[start : k - 1], last))
        return [*items[:start], *value, *items[k + 1 + turned :]]

    def _ones_behind(self, items: Tokens, k: int) -> Tokens:
        """``δ 1`` and ``b 1ᵀ``, with what stands in front of the ones as far as it is one value."""
        turned, start = at(items, k + 1).is_sign(".T"), value_start(items, k - 1)
        if at(items, k + 1 + turned).is_sign("^", "**", "/", "(", "[") or at(items, k + 1).kind in (NAME, NUMBER):
            return items
        if not turned and self._is_number(items[start:k]):
            return [*items[:k], *items[k + 1 :]]  # b 1, as long as what it is added to
        self.note("1 behind an array is the vector of ones: " + (
            "b 1ᵀ has b in every column" if turned else "a 1 is sum(a, axis=-1)"))
        last = [name("axis"), sign("="), sign("-"), ONE]
        value = called("columns", items[start:k]) if turned else called("sum", items[start:k], last)
        return [*items[:start], *value, *items[k + 1 + turned :]]

    def outers(self, items: Tokens) -> Tokens:
        """``a ⊗ b`` is outer_product(a, b)."""
        for k in range(1, len(items) - 1):
            if items[k].is_sign("⊗"):
                start, end = value_start(items, k - 1), value_end(items, k + 1)
                product = called("outer_product", items[start:k], items[k + 1 : end])
                return self.outers([*items[:start], *product, *items[end:]])
        return items

    # -- Python
    @_everywhere
    def modules(self, items: Tokens, k: int) -> Found:
        """``np.exp`` is exp."""
        module = items[k].text if items[k].kind == NAME else ""
        dotted = at(items, k + 1).is_sign(".") and at(items, k + 2).kind == NAME
        outside = module in MODULES and module not in self.dictionary.known and not at(items, k - 1).is_sign(".")
        if not (dotted and (outside or (module in MODULES and self._after_module(items, k)))):
            return None
        return [], 2

    def _after_module(self, items: Tokens, k: int) -> bool:
        """Whether a name follows a module, as ``functional`` in torch.nn.functional.softmax."""
        return at(items, k - 1).is_sign(".") and k > 1 and at(items, k - 2).text in MODULES

    @_everywhere
    def keywords(self, items: Tokens, k: int) -> Found:
        """``dim=0`` is axis=0; what asks for a type or a place says nothing."""
        word = at(items, k + 1).text if items[k].is_sign(",") else items[k].text
        if items[k].is_sign(",") and word in IDLE_OPTIONS and at(items, k + 2).is_sign("="):
            return [], 1 + argument_length(items, k + 1)
        if k == 0 or items[k].kind != NAME or not at(items, k + 1).is_sign("="):
            return None
        if word == "num_classes":
            return [], 2
        return ([name(OPTIONS[word])], 1) if word in OPTIONS else None

    @_everywhere
    def sizes(self, items: Tokens, k: int) -> Found:
        """``X.shape[0]`` and ``len(X)`` are dimensions."""
        rows = self.dictionary.reference.rows
        rest = [at(items, k + i).text for i in range(1, 6)]
        row, inner = rows.get(items[k].text), rows.get(rest[1])
        if row is not None and rest[:3] + rest[4:] == [".", "shape", "[", "]"] and rest[3] in "0123"[: row.ndim]:
            return _size(row.shape[int(rest[3])]), 6
        if items[k].text == "len" and rest[0] + rest[2] == "()" and inner is not None and inner.ndim:
            return _size(inner.shape[0]), 4
        return None

    def methods(self, items: Tokens) -> Tokens:
        """``X.sum(axis=0)`` is sum(X, axis=0), ``x.mT`` is x.T, ``d.shape`` is shape(d)."""
        for k in range(1, len(items) - 1):
            if items[k].is_sign(".") and items[k + 1].kind == NAME and ends_value(items[k - 1]):
                change = self._method if at(items, k + 2).is_sign("(") else self._attribute
                return self.methods(change(items, k))
        return items

    def _attribute(self, items: Tokens, dot: int) -> Tokens:
        word, start = items[dot + 1].text, value_start(items, dot - 1)
        if word in _ATTRIBUTES:
            return [*items[:dot], *[sign(x) for x in [_ATTRIBUTES[word]] if x], *items[dot + 2 :]]
        if word == "grad" and dot - start == 1:
            return [*items[:start], name(f"d{items[start].text}"), *items[dot + 2 :]]
        if word not in ("shape", "size"):
            raise SyntaxProblem(f".{word} cannot be read: an array has .T, .shape and .sum(0)", near=f".{word}")
        function = "shape" if word == "shape" else "numel"
        return [*items[:start], *called(function, items[start:dot]), *items[dot + 2 :]]

    def _method(self, items: Tokens, dot: int) -> Tokens:
        method, start, end = items[dot + 1].text, value_start(items, dot - 1), closing(items, dot + 2)
        subject, args, rest = items[start:dot], items[dot + 3 : end], items[end + 1 :]
        if method in _IGNORED_METHODS:
            return [*items[:start], *subject, *rest]
        if method == "t":
            return [*items[:start], *subject, sign(".T"), *rest]
        if method == "size":
            return [*items[:start], *called("shape", subject), sign("["), *args, sign("]"), *rest]
        if self.dictionary.function(method) is None:
            says = f".{method}(…) cannot be read: `symbackprop ops` lists the functions, and .sum(0) is sum(array, 0)"
            raise SyntaxProblem(says, near=f".{method}")
        return [*items[:start], *called(method, subject, *([args] if args else [])), *rest]

    # -- mathematics
    @_everywhere
    def derivatives(self, items: Tokens, k: int) -> Found:
        """``dL/do`` and ``do/da`` are one word each; an index behind stays behind."""
        found = derivative(items, k, self.dictionary)
        if found is None:
            own = unseen(items, k, self.dictionary)
            return ([name(own)], 3) if own in self.dictionary.own else None
        meaning, indices, length = found
        index = [x for part in indices for x in (sign(","), *part)][1:]
        return [name(self._word_for(meaning)), *([sign("["), *index, sign("]")] if index else [])], length

    @_everywhere
    def indicators(self, items: Tokens, k: int) -> Found:
        """``1[z > 0]``, ``1{z > 0}`` and ``I(z > 0)`` are (z > 0)."""
        letter = items[k] in (name("I"), name("indicator")) and items[k].text not in self.dictionary.known
        if not (items[k] == ONE or letter) or not at(items, k + 1).is_sign("("):
            return None
        end = closing(items, k + 1)
        inside = items[k + 2 : end]
        if not any(x.is_sign("=", *COMPARISONS) for x in inside):
            return None
        options = [j for j, x in enumerate(inside) if x.kind == NAME and j and inside[j - 1].is_sign(",")]  # , axis = 0
        equal = [sign("==") if x.is_sign("=") and j - 1 not in options else x for j, x in enumerate(inside)]
        return [sign("("), *self.indicators(equal), *items[end : end + 1]], end + 1 - k

    @_everywhere
    def conditions(self, items: Tokens, k: int) -> Found:
        """``where(a = 0, b, c)`` asks whether a is 0: options stand behind plain arguments."""
        end = k + 2 + argument_length(items, k + 2)
        sides, behind = split(items[k + 2 : end], "="), split(items[end + 1 : closing(items, k + 1)])
        called = items[k].kind == NAME and at(items, k + 1).is_sign("(") and at(items, end).is_sign(",")
        if not called or len(sides) != 2 or sign("=") in behind[0]:
            return None
        return [*items[k : k + 2], *sides[0], sign("=="), *sides[1]], end - k

    @_everywhere
    def primes(self, items: Tokens, k: int) -> Found:
        """``tanh'(a)`` is the derivative of tanh at a."""
        called = items[k].kind == NAME and at(items, k + 1).is_sign("'") and at(items, k + 2).is_sign("(")
        if not called or not self._is_function(items[k].text):
            return None
        end = closing(items, k + 2)
        return _bound(PRIME, items[k].text, self.primes(items[k + 3 : end])), end + 1 - k

    def _is_function(self, word: str) -> bool:
        if word in self.dictionary.known or word in self.dictionary.own:
            return False
        return self.dictionary.function(word) is not None or word in ("f", "g", "phi", "act")

    @_everywhere
    def exponentials(self, items: Tokens, k: int) -> Found:
        """``e^x`` is exp(x)."""
        raised = items[k] == name("e") and at(items, k + 1).is_sign("^", "**") and k + 2 < len(items)
        if not raised or "e" in self.dictionary.rows | self.dictionary.own | self.dictionary.counters:
            return None
        end = value_end(items, k + 2)
        return called("exp", self.exponentials(items[k + 2 : end])), end - k

    @_everywhere
    def applications(self, items: Tokens, k: int) -> Found:
        """``tanh a`` is tanh(a), ``tanh^2(a)`` is tanh(a)^2."""
        function, after = items[k], at(items, k + 1)
        if function.kind != NAME or not self._applies(function.text):
            return None
        raised = value_end(items, k + 2) if after.is_sign("^", "**") else len(items)
        if at(items, raised).is_sign("("):
            end = closing(items, raised) + 1
            return [function, *self.applications(items[raised:end]), *items[k + 1 : raised]], end - k
        if after.kind not in (NAME, NUMBER):
            return None
        end = value_end(items, k + 1)
        self.note(f"{function.text} needs brackets: {function.text}({self.words.get(after.text, after.text)})")
        return called(function.text, self.applications(items[k + 1 : end])), end - k

    # -- names and products
    @_everywhere
    def names(self, items: Tokens, k: int) -> Found:
        """Every name in the spelling of the model; words of several names are taken apart."""
        token, after = items[k], at(items, k + 1)
        if token.kind != NAME or after.is_sign("=") or token.text in self.words:
            return None
        return self._word(token.text, after.is_sign("(", "'", "^", "**"), after.is_sign("[")), 1

    def _word(self, word: str, applied: bool, indexed: bool) -> Tokens:
        words = self.dictionary
        if word in words.own or word in words.known or word in _CONSTANTS or (indexed and word in words.bases):
            return [name(word)]
        gradient = words.gradient(word, indexed)
        step_of = words.gradient(f"d{word.removeprefix(SHARE)}") if word.startswith(SHARE) else None
        if step_of is not None:  # a step of a gradient, of which no line says what steps contribute
            return called("stacked", [name(self._word_for(step_of))])
        if gradient is not None:
            return [name(self._word_for(gradient, fraction=False))]
        function, value = words.function(word), (indexed and words.family(word)) or words.value(word)
        base, _, letters = word.rpartition("_")
        row = words.reference.rows.get(base)
        other = value is not None and word not in (value, text_name(value))  # P_p is Pp, as it prints
        if row is not None and other and len({*letters}) == len(letters) == row.ndim:
            self.note(f"{word} is read as all entries of {base}")  # X_ij, beside a parameter x_ij
            return [name(base)]
        meant = function if function is not None and (applied or value is None) else value
        if meant is not None:
            if meant not in (word, function):
                self.note(f"{word} is called {meant}")
            return [name(meant)]
        derived = words.function(word.removesuffix(_PRIME)) if word.endswith(_PRIME) else None
        return [name(derived), sign("'")] if derived else self._pieces(word)

    def _pieces(self, word: str) -> Tokens:
        pieces = self.dictionary.pieces(word)
        if pieces is None:
            return [name(word)]
        self.note(f"{word} is read as {' * '.join(pieces)}")
        return [x for piece in pieces for x in (sign("~"), name(piece))][1:]

    def products(self, items: Tokens) -> Tokens:
        """A product sign where values meet without one."""
        result: Tokens = []
        for token in items:
            starts = token.kind in (NAME, NUMBER) or token.is_sign("(")
            if result and starts and ends_value(result[-1]) and not self._calls(result[-1], token):
                self.note("a missing product sign is put in")
                result.append(sign("*" if result[-1].kind == NUMBER else "@"))
            result.append(sign("@") if token.is_sign("~") else token)
        return result

    def _calls(self, before: Token, token: Token) -> bool:
        if before.kind != NAME or not token.is_sign("(") or before.text in self.words:
            return False
        return self._applies(before.text) or self.dictionary.value(before.text) is None


PASSES: tuple[Callable[[Tidy, Tokens], Tokens], ...] = (
    Tidy.arrays,
    Tidy.brackets,
    Tidy.balance,
    Tidy.subscripts,
    Tidy.one_hots,
    Tidy.entries,
    Tidy.sums,
    Tidy.ones,
    Tidy.outers,
    Tidy.modules,
    Tidy.keywords,
    Tidy.sizes,
    Tidy.methods,
    Tidy.derivatives,
    Tidy.indicators,
    Tidy.conditions,
    Tidy.exponentials,
    Tidy.names,
    Tidy.primes,
    Tidy.applications,
    Tidy.products,
)
