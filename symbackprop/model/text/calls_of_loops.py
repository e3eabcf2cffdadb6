"""Loops that calls make, ``h, hs = lax.scan(f, h0, X)`` and ``lax.fori_loop(0, n, f, x)``, and ``while i < n:`` that
counts, as lines with ``for``."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise

from symbackprop.model.text.tokens import END, NAME, TEXT, Line, Token, body_of, ended
from symbackprop.model.text.writing import FreeNames, closing, items, words

_MADE = ("scan", "fori_loop")
_WORDS = frozenset([*_MADE, "while"])
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}  # of PyTorch's layers that go from step to step
_INSIDE = "    "


def with_loops(lines: list[Line]) -> list[int]:
    """Put lines with loops in the place of those that call for one, or that count; the numbers of these lines."""
    layers = _layers(lines)
    words = _WORDS.union(layers)
    places = [k for k, line in enumerate(lines) if not words.isdisjoint(map(TEXT, line.tokens))]
    changed, text = list[int](), _Text(lines if places else (), layers)
    for k in reversed(places):  # what is known of the lines above stays true
        writer = _Writer(text, lines[k])
        found = (_counted if lines[k].tokens[0].text == "while" else _called)(writer, lines, k)
        if found is not None:
            changed.append(lines[k].number)
            first, last, instead = found
            lines[first:last] = instead
    return changed


def _layers(lines: Sequence[Line]) -> Mapping[str, tuple[str, bool]]:
    """The names of recurrent layers, ``lstm = nn.LSTM(n, m)``: what each is, and whether examples stand first."""
    made = [line.tokens for line in lines if not _GATES.keys().isdisjoint(map(TEXT, line.tokens))]
    found = dict[str, tuple[str, bool]]()
    for tokens in made:
        words = [*map(TEXT, tokens)]
        equal = words.index("=") if "=" in words else 0
        kind = next((a for a, b in pairwise(words) if a in _GATES and b == "("), "")
        if equal and kind and words[: equal - 1] in ([], ["self", "."]):
            first = words.index("batch_first") + 2 if "batch_first" in words else 0
            found[words[equal - 1]] = kind, words[first] == "True"
    return found


class _Text:
    """The names of a text, and on which lines which of them get a value, or are functions."""

    def __init__(self, lines: Sequence[Line], layers: Mapping[str, tuple[str, bool]]) -> None:
        self.layers = layers
        self.lines, self.read = [*lines], dict[str, list[int]]()
        for k, line in enumerate(lines):
            for name in {token.text for token in line.tokens}:
                self.read.setdefault(name, []).append(k)
        self.name = FreeNames(self.read).free
        self.begun: dict[str, list[int]] = {}
        self.defined: dict[str, list[int]] = {}
        for k, line in enumerate(lines):
            first, second = line.tokens[0], line.tokens[min(1, len(line.tokens) - 1)]
            if second.is_sign("="):
                self.begun.setdefault(first.text, []).append(k)
            elif first.text == "def":
                self.defined.setdefault(second.text, []).append(k)

    def is_read_below(self, name: str, k: int) -> bool:
        """Whether the next line below one that has a name reads it."""
        places = self.read[name]
        below = bisect_right(places, k)
        line = self.lines[places[below]].tokens if below < len(places) else ()
        return bool(line) and (line[0].text != name or not line[1].is_sign("=") or name in map(TEXT, line[2:]))


def _above(places: Sequence[int], k: int) -> int | None:
    """The last of some places above another one."""
    before = bisect_left(places, k)
    return places[before - 1] if before else None


class _Writer:
    """Writes lines near a token, with names that no line has."""

    def __init__(self, text: _Text, line: Line) -> None:
        self.line, self.text = line, text
        self.lines: list[Line] = []

    def name(self, word: str) -> Token:
        return Token(NAME, self.text.name(word), self.line.number)

    def write(self, *parts: str | Token | Sequence[Token], deeper: bool = False) -> None:
        self.lines.append(Line(self.line.number, self.line.indent + _INSIDE * deeper, ended(self.tokens(*parts))))

    def tokens(self, *parts: str | Token | Sequence[Token]) -> list[Token]:
        """Signs as they stand in text, and tokens."""
        found = list[Token]()
        for part in parts:
            if isinstance(part, str):
                found += words(part, self.line.number)
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


def _called(writer: _Writer, lines: Sequence[Line], k: int) -> tuple[int, int, list[Line]] | None:
    """The lines for one that calls for a loop."""
    tokens = lines[k].tokens
    layers = writer.text.layers
    place = next((j for j, token in enumerate(tokens[:-1]) if tokens[j + 1].is_sign("(")
                  and (token.text in _MADE or token.text in layers)), 0)
    begin = place
    while begin > 1 and tokens[begin - 1].is_sign("."):
        begin -= 2
    end = closing(tokens, place + 1)
    if not place or not end or tokens[0].text in ("def", "from", "import", "for"):
        return None
    args = items(tokens[place + 1 : end + 1])
    if tokens[place].text in layers:
        result = _recurrent(writer, args, tokens[begin : place + 1], *layers[tokens[place].text])
    else:
        result = (_scan if tokens[place].text == "scan" else _fori)(writer, args, lines, k)
    if result is None:
        return None
    left, alone = items(tokens[: begin - 1]), tokens[begin - 1].is_sign("=") and tokens[end + 1].kind == END
    parts = items(result) if alone and tokens[begin - 2].kind == NAME else []
    if len(left) == len(parts) == 2:  # ``state, hs = …`` of several states
        for name, part in zip(left, parts, strict=True):
            writer.write(name, "=", part)
    else:
        writer.lines.append(lines[k]._replace(tokens=(*tokens[:begin], *result, *tokens[end + 1 :])))
    return k, k + 1, writer.lines


def _state(writer: _Writer, first: Sequence[Token]) -> list[Token]:
    """The names of what goes from step to step, given what it begins with."""
    parts = items(first)
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


def _scan(writer: _Writer, args: Sequence[Sequence[Token]], lines: Sequence[Line], k: int) -> list[Token] | None:
    """``f(state, x)`` of every x, which gives the next state and what is collected."""
    if len(args) != 3 or any(token.is_sign("=") for arg in args for token in arg):
        return None
    gives = _gives(writer, args[0], lines, k)
    if len(gives) != 2 or len(items(gives[1])) > 1:
        return None
    arrays = items(args[2])
    function, states = _function(writer, args[0]), _state(writer, args[1])
    steps, entries = writer.name("steps"), [writer.name("x") for _ in arrays]
    over = [writer.name("xs") for _ in arrays]
    for name, array in zip(over, arrays, strict=True):
        writer.write(name, "=", array)
    writer.write(steps, "= [ ]")
    heads = [writer.tokens("," * (j > 0), name) for j, name in enumerate(entries)]
    writer.write("for", *heads, "in zip" if arrays[1:] else "in", writer.tuple(over), ":")
    out = writer.name("out")
    given = writer.tokens("(", writer.tuple(states), ",", writer.tuple(entries), ")")
    writer.write(writer.tuple(states), ",", out, "=", function, given, deeper=True)
    writer.write(steps, ". append (", out, ")", deeper=True)
    return writer.tokens("(", writer.tuple(states), ",", steps, ")")


def _fori(writer: _Writer, args: Sequence[Sequence[Token]], lines: Sequence[Line], k: int) -> list[Token] | None:
    """``f(i, state)`` for every i, which gives the next state."""
    if len(args) != 4:
        return None
    function, states, counter = _function(writer, args[2]), _state(writer, args[3]), writer.name("step")
    writer.write("for", counter, "in range (", args[0], ",", args[1], ") :")
    targets = [writer.tokens("," * (k > 0), name) for k, name in enumerate(states)]
    writer.write(*targets, "=", function, "(", counter, ",", writer.tuple(states), ")", deeper=True)
    return writer.tuple(states)


def _recurrent(writer: _Writer, args: Sequence[Sequence[Token]], layer: Sequence[Token], kind: str, batch_first: bool
               ) -> list[Token] | None:
    """What a layer gives that goes from step to step: its states over all steps, and the last one."""
    firsts = [first for arg in args[1:] for first in items(arg)]
    states = [writer.name(word) for word in "hc"[: 1 + (kind == "LSTM")]]
    if len(args) not in (1, 2) or (firsts and len(firsts) != len(states)) or any(
            token.is_sign("=") for arg in args for token in arg):
        return None
    xs, x, steps = (writer.name(word) for word in ("xs", "x", "steps"))
    around = ("swapaxes (", ", 0 , 1 )") if batch_first else ("", "")
    writer.write(xs, "=", around[0], args[0], around[1])
    weight = f"{layer[-1].text}_weight_ih_l0"
    blank = writer.tokens("zeros_like ( split ( F . linear (", xs,
                          f"[ 0 ] , {weight} ) , {_GATES[kind]} , axis = - 1 ) [ 0 ] )")
    for k, state in enumerate(states):
        writer.write(state, "=", [*firsts[k], *writer.tokens("[ 0 ]")] if firsts else blank)
    writer.write(steps, "= [ ]")
    writer.write("for", x, "in", xs, ":")
    writer.write(writer.tuple(states), "=", layer, "(", x, ",", writer.tuple(states), ")", deeper=True)
    writer.write(steps, ". append (", states[0], ")", deeper=True)
    last = [writer.tokens("," * (k > 0), state, "[ None ]") for k, state in enumerate(states)]
    lasts = writer.tokens("(", *last, ")") if len(states) > 1 else last[0]
    return writer.tokens("(", around[0], steps, around[1], ",", lasts, ")")


def _gives(writer: _Writer, function: Sequence[Token], lines: Sequence[Line], k: int) -> Sequence[Sequence[Token]]:
    """What a function returns, the parts between its commas."""
    if len(function) > 1:
        value = [*function[1 + next((k for k, token in enumerate(function) if token.is_sign(":")), 0) :]]
    else:
        head = _above(writer.text.defined.get(function[0].text, ()), k)
        own = [] if head is None else body_of(lines, head)
        value = [t for t in own[-1].tokens[1:] if t.kind != END] if own and own[-1].tokens[0].text == "return" else []
    return items(value)


def _counted(writer: _Writer, lines: Sequence[Line], k: int) -> tuple[int, int, list[Line]] | None:
    """``for i in range(a, n):`` for ``i = a`` and ``while i < n:`` whose last line is ``i += 1``."""
    head, body = lines[k], body_of(lines, k)
    words, counter = [*map(TEXT, head.tokens)], head.tokens[1]
    if counter.kind != NAME or len(words) < 6 or words[2] not in ("<", "<=") or words[-2] != ":" or len(body) < 2:
        return None
    first = _above(writer.text.begun.get(counter.text, ()), k)
    if first is None:
        return None
    start, between = lines[first], lines[first + 1 : k]
    alike = start.indent == head.indent and body[-1].indent == body[0].indent and all(
        len(line.indent) >= len(head.indent) for line in between)
    raised = [*map(TEXT, body[-1].tokens[:-1])] in (
        [counter.text, "+=", "1"], [counter.text, "=", counter.text, "+", "1"])
    moved = (_given(body[:-1]) & {*words[1:]}) or (_given(between) & {*map(TEXT, start.tokens)})
    read = any(counter.text in map(TEXT, line.tokens) for line in between)
    leaves = any(line.tokens[0].text in ("break", "continue") for line in body)
    if not alike or not raised or moved or read or leaves:
        return None
    end, last = k + len(body), [*head.tokens[3:-2], *writer.tokens("+ 1" if words[2] == "<=" else "")]
    lasts = start.tokens[2].text == "0" and len(start.tokens) == 4 and writer.text.is_read_below(counter.text, end)
    step, own = writer.name("step") if lasts else counter, body[:-1]
    writer.write("for", step, "in range (", start.tokens[2:-1], ",", last, ") :")
    writer.lines += [_with(line, counter.text, step) for line in own] if lasts else own
    if lasts:
        writer.write(counter, "=", last)
    return first, end + 1, [*between, *writer.lines]


def _with(line: Line, name: str, other: Token) -> Line:
    """A line with another name."""
    return line._replace(tokens=tuple([
        token._replace(text=other.text) if token.kind == NAME and token.text == name else token
        for token in line.tokens]))


def _given(lines: Sequence[Line]) -> set[str]:
    """The names to which lines give a value, ``n, m = m, n`` too, or count with."""
    found = set[str]()
    for line in lines:
        ends = [k for k, token in enumerate(line.tokens) if token.is_sign("=", "+=", "-=", "*=", "/=")
                or token.text == "in"]
        found |= {token.text for token in line.tokens[: ends[-1] if ends else 0]}
    return found
