"""Loops that calls make, ``h, hs = lax.scan(f, h0, X)`` and ``lax.fori_loop(0, n, f, x)``, and ``while i < n:`` that
counts, as lines with ``for``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, takewhile

from symbackprop.model.text.comprehensions import letters
from symbackprop.model.text.tokens import END, NAME, NUMBER, SIGN, TEXT, Line, Token, ended

_MADE = ("scan", "fori_loop")
_WORDS = frozenset([*_MADE, "while"])
_INSIDE = "    "


def with_loops(lines: list[Line]) -> list[int]:
    """Put lines with loops in the place of those that call for one, or that count; the numbers of these lines."""
    places = [k for k, line in enumerate(lines) if not _WORDS.isdisjoint(map(TEXT, line.tokens))]
    changed = list[int]()
    for k in reversed(places):
        found = _counted(lines, k) if lines[k].tokens[0].text == "while" else _called(lines, k)
        if found is not None:
            changed.append(lines[k].number)
            first, last, instead = found
            lines[first:last] = instead
    return changed


def _kind(word: str) -> str:
    return NUMBER if word.isdigit() else NAME if word.isidentifier() else SIGN


class _Writer:
    """Writes lines near a token, with names that no line has."""

    def __init__(self, lines: Sequence[Line], line: Line) -> None:
        self.line, self.taken = line, {token.text for other in lines for token in other.tokens}
        self.lines: list[Line] = []

    def name(self, word: str) -> Token:
        tried = (f"{word}_{letters(k)}" if k else word for k in count())
        other = next(name for name in tried if name not in self.taken)
        self.taken.add(other)
        return Token(NAME, other, self.line.number)

    def write(self, *parts: str | Token | Sequence[Token], deeper: bool = False) -> None:
        self.lines.append(Line(self.line.number, self.line.indent + _INSIDE * deeper, ended(self.tokens(*parts))))

    def tokens(self, *parts: str | Token | Sequence[Token]) -> list[Token]:
        """Signs as they stand in text, and tokens."""
        found = list[Token]()
        for part in parts:
            if isinstance(part, str):
                found += [Token(_kind(word), word, self.line.number) for word in part.split()]
            elif isinstance(part, Token):
                found.append(part)
            else:
                found += part
        return found

    def tuple(self, names: Sequence[Token]) -> list[Token]:
        """``(a, b)``, or the name alone."""
        if len(names) == 1:
            return [*names]
        return self.tokens("(", *[self.tokens("," * (k > 0), name) for k, name in enumerate(names)], ")")


def _called(lines: Sequence[Line], k: int) -> tuple[int, int, list[Line]] | None:
    """The lines for one that calls for a loop."""
    tokens, writer = lines[k].tokens, _Writer(lines, lines[k])
    place = next((j for j, token in enumerate(tokens[:-1]) if token.text in _MADE and tokens[j + 1].is_sign("(")), 0)
    begin = place
    while begin > 1 and tokens[begin - 1].is_sign("."):
        begin -= 2
    end = _closing(tokens, place + 1)
    if not place or not end or tokens[0].text in ("def", "from", "import", "for"):
        return None
    make = _scan if tokens[place].text == "scan" else _fori
    result = make(writer, _parts(tokens[place + 2 : end]), lines)
    if result is None:
        return None
    writer.lines.append(lines[k]._replace(tokens=(*tokens[:begin], *result, *tokens[end + 1 :])))
    return k, k + 1, writer.lines


def _state(writer: _Writer, first: Sequence[Token]) -> list[Token]:
    """The names of what goes from step to step, given what it begins with."""
    several = first[0].is_sign("(") and _closing(first, 0) == len(first) - 1
    parts = _parts(first[1:-1]) if several else [first]
    names = [writer.name("state") for _ in parts]
    for name, part in zip(names, parts, strict=True):
        writer.write(name, "=", part)
    return names


def _function(writer: _Writer, function: Sequence[Token]) -> Token:
    """The name of a function, which a lambda gets on a line of its own."""
    if len(function) == 1:
        return function[0]
    name = writer.name("step")
    writer.write(name, "=", function)
    return name


def _scan(writer: _Writer, args: Sequence[Sequence[Token]], lines: Sequence[Line]) -> list[Token] | None:
    """``f(state, x)`` of every x, which gives the next state and what is collected."""
    if len(args) != 3 or any(token.is_sign("=") for arg in args for token in arg):
        return None
    gives = _gives(args[0], lines)
    several = args[2][0].is_sign("(") and _closing(args[2], 0) == len(args[2]) - 1
    if len(gives) != 2 or (gives[1][0].is_sign("(") and len(_parts(gives[1][1:-1])) > 1):
        return None
    arrays = _parts(args[2][1:-1]) if several else [args[2]]
    function, states = _function(writer, args[0]), _state(writer, args[1])
    steps, entries = writer.name("steps"), [writer.name("x") for _ in arrays]
    over = [writer.name("xs") for _ in arrays]
    for name, array in zip(over, arrays, strict=True):
        writer.write(name, "=", array)
    writer.write(steps, "= [ ]")
    heads = [writer.tokens("," * (j > 0), name) for j, name in enumerate(entries)]
    writer.write("for", *heads, "in zip" if several else "in", writer.tuple(over), ":")
    out = writer.name("out")
    given = writer.tokens("(", writer.tuple(states), ",", writer.tuple(entries), ")")
    writer.write(writer.tuple(states), ",", out, "=", function, given, deeper=True)
    writer.write(steps, ". append (", out, ")", deeper=True)
    return writer.tokens("(", writer.tuple(states), ",", steps, ")")


def _fori(writer: _Writer, args: Sequence[Sequence[Token]], lines: Sequence[Line]) -> list[Token] | None:
    """``f(i, state)`` for every i, which gives the next state."""
    if len(args) != 4:
        return None
    function, states, counter = _function(writer, args[2]), _state(writer, args[3]), writer.name("step")
    writer.write("for", counter, "in range (", args[0], ",", args[1], ") :")
    targets = [writer.tokens("," * (k > 0), name) for k, name in enumerate(states)]
    writer.write(*targets, "=", function, "(", counter, ",", writer.tuple(states), ")", deeper=True)
    return writer.tuple(states)


def _gives(function: Sequence[Token], lines: Sequence[Line]) -> Sequence[Sequence[Token]]:
    """What a function returns, the parts between its commas."""
    if len(function) > 1:
        value = [*function[1 + next((k for k, token in enumerate(function) if token.is_sign(":")), 0) :]]
    else:
        heads = [k for k, line in enumerate(lines) if [*map(TEXT, line.tokens[:2])] == ["def", function[0].text]]
        below = lines[heads[-1] + 1 :] if heads else []
        own = [*takewhile(lambda line: len(line.indent) > len(lines[heads[-1]].indent), below)]
        value = [t for t in own[-1].tokens[1:] if t.kind != END] if own and own[-1].tokens[0].text == "return" else []
    inside = value[1:-1] if value and value[0].is_sign("(") and _closing(value, 0) == len(value) - 1 else value
    return _parts(inside)


def _counted(lines: Sequence[Line], k: int) -> tuple[int, int, list[Line]] | None:
    """``for i in range(a, n):`` for ``i = a`` and ``while i < n:`` whose last line is ``i += 1``."""
    head, body = lines[k], [*takewhile(lambda line: len(line.indent) > len(lines[k].indent), lines[k + 1 :])]
    words, counter = [*map(TEXT, head.tokens)], head.tokens[1]
    if counter.kind != NAME or len(words) < 6 or words[2] not in ("<", "<=") or words[-2] != ":" or not body:
        return None
    begun = [j for j in range(k) if [*map(TEXT, lines[j].tokens[:2])] == [counter.text, "="]]
    raised = [*map(TEXT, body[-1].tokens[:-1])] in (
        [counter.text, "+=", "1"], [counter.text, "=", counter.text, "+", "1"])
    given = [line for line in body[:-1] if line.tokens[1].is_sign("=", "+=", "-=", "*=", "/=")]
    moved = {line.tokens[0].text for line in given} & {*words[1:]}
    read = begun and any(counter.text in map(TEXT, line.tokens) for line in lines[begun[-1] + 1 : k])
    leaves = any(line.tokens[0].text in ("break", "continue") for line in body)
    alike = begun and lines[begun[-1]].indent == head.indent and body[-1].indent == body[0].indent
    if not alike or not raised or moved or read or leaves or len(body) < 2:
        return None
    writer = _Writer(lines, head)
    more = "+ 1" if words[2] == "<=" else ""
    writer.write("for", counter, "in range (", lines[begun[-1]].tokens[2:-1], ",", head.tokens[3:-2], more, ") :")
    between = [*lines[begun[-1] + 1 : k]]
    return begun[-1], k + 1 + len(body), [*between, *writer.lines, *body[:-1]]


def _parts(tokens: Sequence[Token]) -> list[list[Token]]:
    """What stands between commas that are in no brackets, nor behind a lambda's name."""
    parts: list[list[Token]] = [[]]
    depth, names = 0, False
    for token in tokens:
        depth += token.is_sign("(", "[") - token.is_sign(")", "]")
        names = (names or token.text == "lambda") and not token.is_sign(":")
        if token.is_sign(",") and not depth and not names:
            parts.append([])
        elif token.kind != END:
            parts[-1].append(token)
    return [part for part in parts if part]


def _closing(tokens: Sequence[Token], place: int) -> int:
    """Where the bracket closes that opens at a place; 0 where it does not."""
    depth = 0
    for k, token in enumerate(tokens[place:], place):
        depth += token.is_sign("(", "[") - token.is_sign(")", "]")
        if not depth:
            return k
    return 0
