"""Lists that a formula makes with a loop in it, ``np.stack([f(x[t]) for t in range(T)])`` and ``sum(f(a) for a in x)``:
lines above it collect what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain, takewhile

from symbackprop.model.text.tokens import NAME, NUMBER, SIGN, TEXT, Line, Token, ended
from symbackprop.model.text.writing import FreeNames, between_commas, closing, given_names, words

_LONGEST = 20  # of a list that is written out
_MOST = 30  # loops of a line
_BRANCHES = ("if", "elif", "else")
_FEW = 100  # lines under a condition
_COLLECTED, _OF_LAYERS = "each", "ModuleList"


def written_out(lines: list[Line]) -> list[int]:
    """Put lines above those that make lists so, and names in their places; the numbers of these lines."""
    if not any(map(_has_loop, lines)):
        return []
    lists = _Lists(Counter(token.text for line in lines for token in line.tokens if token.kind == NAME))
    found = [[*lists.collected(line)] if _has_loop(line) else [line] for line in lines]
    changed = [line.number for line, several in zip(lines, found, strict=True) if several != [line]]
    places = _above_conditions(lines) if changed else range(len(lines))
    above: list[list[Line]] = [[] for _ in lines]  # what is collected there
    for k, several in enumerate(found):
        place = k if places[k] == k or _give_another(lines, range(places[k], k), several[:-1]) else places[k]
        less = len(lines[k].indent) - len(lines[place].indent)
        above[place] += [line._replace(indent=line.indent[less:]) for line in several[:-1]]
    lines[:] = [line for lists_above, several in zip(above, found, strict=True) for line in (*lists_above, several[-1])]
    return changed


def _above_conditions(lines: Sequence[Line]) -> list[int]:
    """Of each line the place of the first condition that it stands under, of which a formula chooses the value; its own
    where it stands under none."""
    found, around = list[int](), list[tuple[int, bool, int]]()  # indentation, whether a condition, where it begins
    for k, line in enumerate(lines):
        depth, word, before = len(line.indent), line.tokens[0].text, (-1, False, k)
        while around and around[-1][0] >= depth:
            before = around.pop()
        inside = bool(around) and around[-1][1]
        found.append(around[-1][2] if inside else k)
        goes_on = word in _BRANCHES[1:] and before[:2] == (depth, True)
        around.append((depth, word in _BRANCHES, found[-1] if inside else before[2] if goes_on else k))
    return found


def _give_another(lines: Sequence[Line], places: range, collected: Sequence[Line]) -> bool:
    """Whether lines give a name another value that lists are made of, or are too many to be looked at."""
    given = {name for k in places for name in given_names(lines[k])} if len(places) <= _FEW else set[str]()
    return len(places) > _FEW or bool(given & {token.text for line in collected for token in line.tokens})


def _has_loop(line: Line) -> bool:
    """Whether there is a loop behind its first word, and not so many that the line is refused."""
    return 0 < [*map(TEXT, line.tokens[1:])].count("for") <= _MOST


class _Lists:
    """What collects lists gets names that no line has; ``uses``: how often there are those of the text."""

    def __init__(self, uses: Mapping[str, int]) -> None:
        self.uses, self.free = uses, FreeNames(uses).free

    def collected(self, line: Line) -> Iterator[Line]:
        """The lines that collect lists, each with those that it is made of in its loop, and the line with names for
        them."""
        tokens = [*line.tokens]
        while (place := outermost(tokens)) is not None:
            begin, loop, end = place
            inside = self.apart(tokens[begin + 1 : end], loop - begin - 1)
            value, head = _chosen(inside[: loop - begin - 1], inside[loop - begin - 1 :])
            times = _times(head) if tokens[begin - 2].text == _OF_LAYERS else None
            if times is not None:
                tokens[begin + 1 : end] = _repeated(value, head[1].text, times)
                continue
            alone = tokens[1].is_sign("=") and (begin, end) == (2, len(tokens) - 2) and tokens[0].text not in map(
                TEXT, inside)
            name = tokens[0] if alone else tokens[begin]._replace(kind=NAME, text=self.free(_COLLECTED))
            yield Line(line.number, line.indent, ended([name, *(_sign(s, name) for s in "=[]")]))
            yield Line(line.number, line.indent, ended([*head, _sign(":", name)]))
            append = [name, _sign(".", name), name._replace(text="append"), _sign("(", name), *value, _sign(")", name)]
            yield from self.collected(Line(line.number, f"{line.indent}    ", ended(append)))
            if alone and tokens[begin].text == "[":
                return
            whole = tokens[begin].text == "["
            tokens[begin + (not whole) : end + whole] = [name]
            tokens = [*of_rows(tokens, {name.text})]
        yield line._replace(tokens=tuple(tokens))

    def apart(self, tokens: Sequence[Token], loop: int) -> Sequence[Token]:
        """What is in a list, with other names for those of its loop that lines have outside of it."""
        own = {t.text for t in takewhile(lambda t: t.text != "in", tokens[loop + 1 :]) if t.kind == NAME}
        within = Counter(token.text for token in tokens)
        names = {name: self.free(name) for name in sorted(own) if self.uses.get(name, 0) > within[name]}
        return [token._replace(text=names[token.text]) if token.text in names else token for token in tokens]


def of_rows(tokens: Sequence[Token], lists: Container[str]) -> Iterator[Token]:
    """Tokens with ``sum(hs, axis=0)`` for ``sum(hs)`` of a list, whose entries Python adds up as they are, and that and
    ``start`` for ``sum(hs, start)``."""
    k = 0
    while k < len(tokens):
        end = closing(tokens, k + 1) if _adds_up(tokens, k) else 0
        name, *more = between_commas(tokens[k + 2 : end]) if end else [[]]
        name = name[1:-1] if len(name) == 3 and name[0].is_sign("(") else name
        start = [token for part in more for token in part]
        start = start[2:] if [*map(TEXT, start[:2])] == ["start", "="] else start
        if len(name) == 1 and name[0].text in lists and len(more) < 2 and "=" not in map(TEXT, start):
            line, k = tokens[k].line, end
            whole = [*words("sum (", line), *name, *words(", axis = 0 )", line)]
            added = [*words("( (", line), *start, *words(") +", line), *whole, *words(")", line)]
            yield from added if start else whole
        else:
            yield tokens[k]
        k += 1


def _adds_up(tokens: Sequence[Token], k: int) -> bool:
    """Whether Python's own sum is called at a place."""
    return tokens[k].text == "sum" and tokens[k + 1].is_sign("(") and not (k and tokens[k - 1].is_sign("."))


def repeated_layers(tokens: Sequence[Token]) -> list[Token]:
    """The list ``[nn.Linear(4, 4) for _ in range(3)]`` written out; any other as it is."""
    begin, loop, end = outermost(tokens) or (0, 0, 0)
    times = _times(tokens[loop:end]) if not begin and end == len(tokens) - 1 else None
    inner = None if times is None else _repeated(tokens[1:loop], tokens[loop + 1].text, times)
    return [*tokens] if inner is None else [tokens[0], *inner, tokens[-1]]


def outermost(tokens: Sequence[Token]) -> tuple[int, int, int] | None:
    """Where the first bracket opens in which there is one loop, of no condition but in a sum, where that begins, and
    where it closes."""
    opened: list[tuple[int, list[int]]] = []
    found: list[tuple[int, int, int]] = []
    for k, token in enumerate(tokens):
        if token.is_sign("(", "["):
            opened.append((k, []))
        elif token.is_sign(")", "]") and opened:
            begin, loops = opened.pop()
            behind = {*map(TEXT, tokens[loops[0] : k])} if len(loops) == 1 and begin + 1 < loops[0] else {"else"}
            if "else" not in behind and ("if" not in behind or _is_summed(tokens, begin)):
                found.append((begin, loops[0], k))
        elif token.text == "for" and opened:
            opened[-1][1].append(k)
    return min(found, default=None)


def _is_summed(tokens: Sequence[Token], begin: int) -> bool:
    """Whether what begins there is added up: ``sum(``, or ``sum([``."""
    before = begin - 1 - tokens[begin].is_sign("[")
    return before >= 0 and tokens[before].text == "sum" and tokens[before + 1].is_sign("(")


def _chosen(value: Sequence[Token], head: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]]:
    """What ``f(t) for t in range(T) if c`` adds, 0 where that does not hold, and its loop."""
    at = next((k for k, token in enumerate(head) if token.text == "if"), len(head))
    if at == len(head):
        return value, head
    (opened, comma, close), near = (_sign(s, head[at]) for s in "(,)"), head[at]
    more, condition = _chosen(value, head[at + 1 :])
    where = [near._replace(kind=NAME, text="where"), opened, *condition, comma, *more, comma]
    return [*where, near._replace(kind=NUMBER, text="0"), close], head[:at]


def _times(head: Sequence[Token]) -> int | None:
    """How often ``for _ in range(3)`` goes, where that is a small number; None of any other loop."""
    words = [*map(TEXT, head)]
    if len(head) != 7 or words[2:5] != ["in", "range", "("] or head[5].kind != NUMBER or not words[5].isdigit():
        return None
    return int(words[5]) if 0 < int(words[5]) <= _LONGEST else None


def _repeated(value: Sequence[Token], counter: str, times: int) -> list[Token]:
    """What a list holds whose entries are written out."""
    entries = [[token._replace(kind=NUMBER, text=str(k)) if token.text == counter else token for token in value]
               for k in range(times)]
    commas = [[_sign(",", value[0])] * (k < times - 1) for k in range(times)]
    return [*chain.from_iterable(chain.from_iterable(zip(entries, commas, strict=True)))]


def _sign(text: str, near: Token) -> Token:
    return Token(SIGN, text, near.line)
