"""Tokens of lists, functions without a name and entries in R, Matlab and Julia, as those of calls and of Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise

from symbackprop.core.functions.words import ALSO
from symbackprop.core.scalars import TABLE
from symbackprop.model.text.tokens import NAME, NUMBER, SIGN, STRING, TEXT, Line, Token, partner
from symbackprop.model.text.writing import between_commas, closing

BESIDE = "horzcat"  # what joins the parts of [a b]
BELOW = "vertcat"  # of [a; b]
LISTED = "listed"  # of [a, b] in Julia
MEMBER = "is_in"  # what R's %in% is called
APPLIED = {"sapply": (0, 1), "vapply": (0, 1), "map": (1, 0), "arrayfun": (1, 0), "apply": (0, 2)}  # array, function


def _sign(text: str, near: Token) -> Token:
    return near._replace(kind=SIGN, text=text)


def ends_a_value(token: Token) -> bool:
    return token.kind in (NAME, NUMBER, STRING) or token.is_sign(")", "]", "'", ".T")


def begins_a_value(token: Token) -> bool:
    return token.kind in (NAME, NUMBER, STRING) or token.is_sign("(", "[")


def _gap(before: Token, token: Token) -> bool:
    return token.line != before.line or token.column > before.column + len(before.text)


# -- lists
@dataclass
class _Open:
    """A bracket that is open: of a list its rows, each of elements; whether signs separate them that are no commas."""

    first: Token
    is_list: bool
    rows: list[list[list[Token]]] = field(default_factory=lambda: [[[]]])
    joins: bool = False


def with_lists(tokens: Sequence[Token], commas_join: bool) -> list[Token]:
    """``vertcat(horzcat(a, b), horzcat(c, d))`` for ``[a b; c d]``. ``commas_join``: ``[a, b]`` is ``[a b]``."""
    found, opened = list[Token](), list[_Open]()

    def put(several: Sequence[Token]) -> None:
        (opened[-1].rows[-1][-1] if opened else found).extend(several)

    for k, token in enumerate(tokens):
        before, inside = tokens[k - 1] if k else None, opened[-1] if opened else None
        if inside is not None and inside.is_list:
            assert before is not None
            if token.is_sign(",", ";"):
                inside.joins |= token.text == ";"
                if token.text == ";":
                    inside.rows.append([])
                inside.rows[-1].append([])
                continue
            if _is_apart(before, token, tokens[k + 1 :]):
                inside.joins = True
                inside.rows[-1].append([])
        if token.is_sign("(", "["):
            is_list = token.text == "[" and (before is None or not ends_a_value(before) or (
                inside is not None and inside.is_list and _gap(before, token)))
            opened.append(_Open(token, is_list))
        elif token.is_sign(")", "]") and opened:
            closed = opened.pop()
            put(_made(closed, token, commas_join))
        else:
            put([token])
    return found


def _is_apart(before: Token, token: Token, behind: Sequence[Token]) -> bool:
    """Whether a blank between two tokens of a list separates its elements."""
    if not _gap(before, token) or not ends_a_value(before):
        return False
    signed = token.is_sign("-", "+") and bool(behind) and not _gap(token, behind[0])
    return begins_a_value(token) or signed


def _made(closed: _Open, end: Token, commas_join: bool) -> list[Token]:
    """What stands for a bracket that is closed."""
    first, rows = closed.first, [[e for e in row if e] for row in closed.rows]
    rows = [row for row in rows if row]
    inside = [*chain.from_iterable(chain.from_iterable(rows))]
    if not closed.is_list or not inside or any(t.text == "for" for t in inside):
        return [first, *inside, end]
    if not closed.joins and not commas_join:
        return _call(LISTED, first, rows[0], end)
    lines = [_call(BESIDE, first, row, end) if row[1:] else row[0] for row in rows]
    return _call(BELOW, first, lines, end) if lines[1:] else [_sign("(", first), *lines[0], _sign(")", end)]


def _call(function: str, first: Token, arguments: Sequence[Sequence[Token]], end: Token) -> list[Token]:
    commas = [[*argument, _sign(",", end)] for argument in arguments[:-1]]
    name = first._replace(kind=NAME, text=function)
    return [name, _sign("(", first), *chain.from_iterable(commas), *arguments[-1], _sign(")", end)]


# -- functions without a name
def with_functions(tokens: Sequence[Token]) -> list[Token]:
    """``lambda a, b: …`` for ``@(a, b) …``, ``(a, b) -> …`` and ``function(a, b) …``, and what is applied to the
    entries or rows of an array as a list with a loop in it."""
    found = [*tokens]
    for k in range(len(found) - 1, -1, -1):
        token, behind = found[k], found[k + 1] if k + 1 < len(found) else found[k]
        if token.is_sign("@") and behind.kind == NAME and (k == 0 or not ends_a_value(found[k - 1])):
            del found[k]
        elif behind.is_sign("(") and (token.text == "function" or (token.is_sign("@") and not ends_a_value(
                found[k - 1]))):
            end = closing(found, k + 1, len(found) - 1)
            found[k : end + 1] = _function(found[k + 2 : end], token)
        elif token.is_sign("-") and behind.is_sign(">") and not _gap(token, behind):
            begin = partner(found, range(k - 1, -1, -1), ")]", "([", 0) if found[k - 1].is_sign(")") else k - 1
            inside = found[begin + 1 : k - 1] if found[k - 1].is_sign(")") else found[begin:k]
            found[begin : k + 2] = _function(inside, found[begin])
        elif token.text in APPLIED and behind.is_sign("("):
            end = closing(found, k + 1, len(found) - 1)
            found[k : end + 1] = _applied(found[k : end + 1])
    return found


def _function(parameters: Sequence[Token], near: Token) -> list[Token]:
    return [near._replace(kind=NAME, text="lambda"), *parameters, _sign(":", near)]


def _applied(call: Sequence[Token]) -> list[Token]:
    """``[f(z) for z in x]`` for ``sapply(x, f)``, or f of all of it where it is one of every entry."""
    name, arguments = call[0], between_commas(call[2:-1])
    array, function = APPLIED[name.text]
    if not all(arguments):
        return [*call]
    if len(arguments) > max(array, function) and name.text != "apply" and len(arguments[function]) == 1 and (
            ALSO.get(word := arguments[function][0].text, word) in TABLE):
        return [*arguments[function], _sign("(", name), *arguments[array], call[-1]]
    if len(arguments) <= max(array, function) or arguments[function][0].text != "lambda":
        return [*call]
    of, margin = arguments[array], "".join(map(TEXT, arguments[1])) if name.text == "apply" else "1"
    colon = next((k for k, token in enumerate(arguments[function]) if token.is_sign(":")), 1)
    body, end = arguments[function][colon + 1 :], call[-1]
    if name.text == "map" and arguments[2:]:  # of several arrays
        of = [*of, *chain.from_iterable([_sign(",", name), *more] for more in arguments[2:])]
        if not _is_of_entries(body):
            return [*call]
    if name.text != "apply" and _is_of_entries(body) and not any(t.is_sign(":") for t in of):
        inside = [_sign("(", name), *arguments[function][: colon + 1], *of_entries(body), _sign(")", end)]
        return [*inside, _sign("(", name), *of, _sign(")", end)]
    counter = arguments[function][1]
    return [_sign("[", name), *_listed(counter, body, of, margin if name.text == "apply" else ""), _sign("]", end)]


def _listed(counter: Token, body: Sequence[Token], of: Sequence[Token], margin: str) -> Iterator[Token]:
    """``f(X[t, :]) for t in 1..X.shape[0]``, of the rows of an array; of its columns, its entries or a range alike."""
    counts = _range(of)
    array = [_sign("(", counter), *of, _sign(")", counter)]
    all_of, at = [_sign(",", counter), _sign(":", counter)], [_sign("[", counter), counter, _sign("]", counter)]
    place = {"1": [*at[:2], *all_of, at[2]], "2": [at[0], *all_of[::-1], *at[1:]]}.get(margin, at)
    for token in body:
        yield from [*array, *place] if token.text == counter.text and not counts else [token]
    length = [_sign(".", counter), counter._replace(text="shape"), _sign("[", counter),
              counter._replace(kind=NUMBER, text="1" if margin == "2" else "0"), _sign("]", counter)]
    one = [counter._replace(kind=NUMBER, text="1"), _sign("..", counter)]
    over = counts or [*one, *array, *length]
    yield from (counter._replace(text="for"), counter, counter._replace(text="in"), *over)


def of_entries(tokens: Sequence[Token]) -> list[Token]:
    """The tokens of what is computed of every entry, as if dots stood in it: products are those of numbers."""
    return [_sign("." + t.text, t) if t.is_sign("*", "/", "^") else t._replace(column=t.column + 1) if t.is_sign("(")
            else t for t in tokens]


def _range(tokens: Sequence[Token]) -> list[Token]:
    """``1..n`` for ``1:n``, ``seq_len(n)`` and ``seq_along(x)``; nothing for what is no range."""
    word = tokens[0].text if tokens else ""
    if word in ("seq_len", "seq_along"):
        one = [tokens[0]._replace(kind=NUMBER, text="1"), _sign("..", tokens[0])]
        return [*one, *([tokens[0]._replace(text="len")] * (word == "seq_along")), *tokens[1:]]
    counts = any(token.is_sign(":") for token in tokens)
    return [_sign("..", token) if token.is_sign(":") else token for token in tokens] * counts


def with_loops(tokens: Sequence[Token]) -> list[Token]:
    """Lists of Julia's with a loop in them over ``1:n`` and ``eachrow(X)``, as over ``1..n``."""
    found = [*tokens]
    for k in range(len(found) - 3, 0, -1):
        begin, end = _inside(found, k)
        if found[k].text != "for" or found[k + 2].text not in ("in", "=") or end <= k + 3:
            continue
        over, body, counter = found[k + 3 : end], found[begin:k], found[k + 1]
        margin = {"eachrow": "1", "eachcol": "2"}.get(over[0].text, "")
        if margin or _range(over):
            found[begin:end] = _listed(counter, body, over[2:-1] if margin else over, margin)
    return found


def with_factors(tokens: Sequence[Token]) -> list[Token]:
    """``w' * w`` for ``w'w``, and ``0.5 * (a)`` for ``0.5(a)``, of Julia's."""
    found = list[Token]()
    for before, token in zip([tokens[0], *tokens], tokens, strict=False):
        beside = token is not tokens[0] and not _gap(before, token)
        turned = before.is_sign("'") and (token.kind == NAME or token.is_sign("("))
        if beside and (turned or (before.kind == NUMBER and token.is_sign("(") and (
                len(found) < 2 or not found[-2].is_sign("/", "./", "^", ".^")))):
            found.append(_sign("*", token)._replace(column=0))
        found.append(token)
    return found


def with_commas(tokens: Sequence[Token]) -> list[Token]:
    """``sum(X, dims=1)`` for ``sum(X; dims=1)`` of Julia's."""
    opened = [""]
    found = list[Token]()
    for token in tokens:
        if token.is_sign("(", "["):
            opened.append(token.text)
        elif token.is_sign(")", "]"):
            opened.pop()
        found.append(_sign(",", token) if token.is_sign(";") and opened[-1:] == ["("] else token)
    return found


def called_by_entries(lines: Sequence[Line]) -> set[str]:
    """The functions that are called with a dot, ``f.(z)``, which stands between the name and the bracket."""
    return {a.text for line in lines for a, b in pairwise(line.tokens)
            if a.kind == NAME and b.is_sign("(") and b.column == a.column + len(a.text) + 1}


def _is_of_entries(body: Sequence[Token]) -> bool:
    """Whether a formula is one of every entry by itself."""
    called = [a.text for a, b in pairwise(body) if b.is_sign("(") and a.kind == NAME]
    return not any(token.is_sign("[", "@", "%*%", "'") for token in body) and all(
        ALSO.get(name, name) in TABLE for name in called)


# -- sizes
def with_sizes(tokens: Sequence[Token]) -> list[Token]:
    """``m, n = (X).shape`` for ``[m, n] = size(X)`` and ``m, n = size(X)``."""
    equal = next((k for k, token in enumerate(tokens) if token.is_sign("=")), 0)
    left, right = [*tokens[:equal]], [*tokens[equal:]]
    if not any(token.is_sign(",") for token in left) or left[0].is_sign("(") or any(t.is_sign("(") for t in left):
        return [*tokens]
    names = [token for token in left if not token.is_sign("[", "]")] if left[0].is_sign("[") else left
    if len(right) > 3 and right[1].text == "size" and closing(right, 2, len(right) - 1) == len(right) - 2:
        near = right[-2]
        right = [right[0], *right[2:-1], _sign(".", near), near._replace(kind=NAME, text="shape"), right[-1]]
    return [*names, *right]


# -- entries
def with_ranges(tokens: Sequence[Token]) -> list[Token]:
    """Of R, whose : binds more strongly than signs: ``[2-1:n-1]`` for ``[2:n-1]``, and ``-1:-2`` for ``-(1:2)``."""
    found = [*tokens]
    for k in range(len(found) - 1, 0, -1):
        if not found[k].is_sign(":"):
            continue
        begin, end = _inside(found, k)
        if found[begin - 1].is_sign("(") and found[begin - 2].is_sign("-") and found[end].is_sign(")"):
            minus = found[begin - 2]
            found[begin - 2 : end + 1] = [minus, *found[begin : k + 1], minus, *found[k + 1 : end]]
        elif begin and found[begin - 1].is_sign("[", ",") and found[end].is_sign("]", ","):
            stop = found[k + 1 : end]
            depths = [*accumulate(t.is_sign("(", "[") - t.is_sign(")", "]") for t in stop)]
            sign = next((j for j, t in enumerate(stop) if j and t.is_sign("-", "+") and not depths[j]), len(stop))
            shift, first = stop[sign:], [*map(TEXT, found[begin:k])]
            if shift and (first, [*map(TEXT, shift)]) != (["1"], ["-", "1"]):  # nothing is in front of the first
                found[k:k] = shift
    return found


def _inside(tokens: Sequence[Token], place: int) -> tuple[int, int]:
    """From where to where what stands around a place goes, up to brackets and commas."""
    begin, end = place, place
    depth = 0
    while begin and (depth or not tokens[begin - 1].is_sign("(", "[", ",")):
        begin -= 1
        depth += tokens[begin].is_sign(")", "]") - tokens[begin].is_sign("(", "[")
    depth = 0
    while end < len(tokens) - 1 and (depth or not tokens[end].is_sign(")", "]", ",")):
        depth += tokens[end].is_sign("(", "[") - tokens[end].is_sign(")", "]")
        end += 1
    return begin, end


def with_words(tokens: Sequence[Token]) -> list[Token]:
    """``as_vector(x)`` for R's ``as.vector(x)``."""
    found = [*tokens]
    for k in range(len(found) - 3, -1, -1):
        if found[k].text in _WORDS and found[k + 1].is_sign(".") and found[k + 2].kind == NAME:
            found[k : k + 3] = [found[k]._replace(kind=NAME, text=f"{found[k].text}_{found[k + 2].text}")]
    return found


_WORDS = ("as", "is", "which")  # with which names of R's begin that have a dot


def arrays(lines: Sequence[Line]) -> set[str]:
    """The names that a text declares, or gives values that are no functions."""
    found = set[str]()
    for line in lines:
        words = [*map(TEXT, line.tokens)]
        equal = words.index("=") if "=" in words else 0
        if words[0] in _DECLARES:
            found |= {t.text for t in line.tokens[1:] if t.kind == NAME}
        elif words[0] == "for":
            found.add(words[1])
        elif equal and "(" not in words[:equal] and words[equal + 1] not in ("@", "lambda"):
            found |= {t.text for t in line.tokens[:equal] if t.kind == NAME}
    return found


_DECLARES = ("data", "param", "input", "const", "dim")
