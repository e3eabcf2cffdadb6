"""Lists that are written out, ``params = [(W1, b1), (W2, b2)]``: a loop over one, ``for W, b in params[:-1]:``, is its
lines once for each entry, and what is read of one is what stands there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain, pairwise, takewhile
from typing import TypeAlias

from symbackprop.model.text.comprehensions import outermost
from symbackprop.model.text.lists_of_self import OfSelf
from symbackprop.model.text.tokens import NAME, NUMBER, TEXT, Line, Token, body_of, ended, problem
from symbackprop.model.text.writing import FreeNames, between_commas, closing, depths_of, given_names, words

_MOST_ENTRIES, _MOST_LINES = 20, 400  # of a list, of a text with its loops written out
Entry: TypeAlias = Sequence[Token]  # a name, or several in brackets


def with_lists(lines: list[Line]) -> list[int]:
    """Put lines with the entries of lists in the place of those that read lists which are written out; the numbers of
    the loops over these."""
    if len(lines) > _MOST_LINES:
        return []
    own = OfSelf(lines)
    known = _Lists(lines, own.names)
    written = any(over.text == "in" and opens.is_sign("[") for line in lines for over, opens in pairwise(line.tokens))
    changed = _with_entries(lines, known) if known.entries or written else []
    own.put_back(lines, known.entries)
    return changed


def _with_entries(lines: list[Line], known: _Lists) -> list[int]:
    for line in [line for line in lines if line.tokens[0].text == "def"]:
        known.give(lines, line)
    known.check(lines)
    changed = list[int]()
    k = 0
    while k < len(lines):
        steps = known.steps(lines, k)
        if len(lines) + len(steps or ()) > 2 * _MOST_LINES:
            raise problem(f"loops over lists are in all more than {_MOST_LINES} lines", lines[k].number)
        if steps is not None:
            changed.append(lines[k].number)
            lines[k : known.end(lines, k)] = steps
        else:
            lines[k] = known.read(lines[k])
            k += 1
    lines[:] = [line for line in lines if not known.is_done_with(lines, line)]
    return changed


class _Lists:
    """The lists of a text that get their entries on one line, over which loops go or of which parts are taken."""

    def __init__(self, lines: list[Line], own: Container[str] = ()) -> None:
        self.own = own  # which functions of a class share
        self.entries: dict[str, list[Entry]] = {}
        names = FreeNames(map(TEXT, chain.from_iterable(line.tokens for line in lines)))
        self.given = Counter(chain.from_iterable(map(given_names, lines)))
        self.numbers = dict[str, int]()  # of the lines that make lists
        for line in [*lines]:
            name, sign = line.tokens[:2]
            if name.kind == NAME and sign.is_sign("=") and self.given[name.text] == 1:
                self._take(lines, lines.index(line), names)
                self.numbers[name.text] = line.number
            elif name.is_sign("*") or (sign.is_sign(",") and any(token.is_sign("*") for token in line.tokens[:4])):
                self._take_apart(lines, lines.index(line))

    def _take_apart(self, lines: list[Line], k: int) -> None:
        """``*hidden, last = Ws`` and ``first, *rest = Ws``, a list without its end and that."""
        tokens = lines[k].tokens
        match [*map(TEXT, tokens[:5])]:
            case "*", several, ",", _, "=":
                rest, one, name = slice(None, -1), -1, tokens[3]
            case _, ",", "*", several, "=":
                rest, one, name = slice(1, None), 0, tokens[0]
            case _:
                return
        entries = self.value(tokens[5:-1])
        if entries and self._stay(lines, k, entries):
            self.entries[several] = entries[rest]
            lines[k] = lines[k]._replace(tokens=tuple(ended([name, *words("=", name.line), *entries[one]])))

    def _stay(self, lines: Sequence[Line], k: int, entries: Sequence[Entry]) -> bool:
        """Whether entries of a list on line k get no value, or theirs before it."""
        return all(token.text not in self.given or (self.given[token.text] == 1 and _stands(lines, k, token.text))
                   for entry in entries for token in entry)

    def _take(self, lines: list[Line], k: int, names: FreeNames) -> None:
        """A list that a line writes out, whose entries are names, several of these, or layers that get names."""
        name, value = lines[k].tokens[0], lines[k].tokens[2:-1]
        if name.text not in self.own and self._is_anothers(lines, k, name.text):
            return
        made_of = self.value(value) if any(token.is_sign("+") for token in value) else None
        if made_of is not None and self._stay(lines, k, made_of):
            self.entries[name.text] = made_of
        if len(value) < 3 or not value[0].is_sign("[", "("):
            return
        parts = [part for part in between_commas(value[1:-1]) if part]
        read = name.text in self.own or any(part[0].is_sign("(", "[") for part in parts) or any(
            _goes_over(line, name.text) for line in lines)
        if closing(value, 0) != len(value) - 1 or not read:
            return
        layers = [part for part in parts if _makes(part) or (
            name.text in self.own and part[1:2] and part[1].is_sign("("))]
        if not parts or len(parts) > _MOST_ENTRIES or not all(_is_entry(part) or part in layers for part in parts):
            return
        if not self._stay(lines, k, [part for part in parts if part not in layers]):
            return
        made = {id(part): name._replace(text=names.free(f"{name.text}_{j}")) for j, part in enumerate(parts)
                if part in layers}
        self.entries[name.text] = [[made[id(part)]] if id(part) in made else part for part in parts]
        if any(len(entry) > 1 for entry in self.entries[name.text]) or layers:
            lines[k : k + 1] = [
                lines[k]._replace(tokens=tuple(ended([made[id(part)], *words("=", name.line), *part])))
                for part in layers]

    def is_done_with(self, lines: Sequence[Line], line: Line) -> bool:
        """Whether a line makes a list that no other line reads any more."""
        name = line.tokens[0].text
        return name in self.entries and line.tokens[1].is_sign("=") and not any(
            name in map(TEXT, other.tokens) for other in lines if other is not line)

    def give(self, lines: list[Line], head: Line) -> None:
        """A function without the parameters that are the same list wherever it is called: it reads that."""
        for at, name in reversed([*enumerate(_parameters(head))]):
            places = _calls(lines, head.tokens[1].text)
            calls = [between_commas(lines[j].tokens[k + 2 : closing(lines[j].tokens, k + 1)]) for j, k in places]
            given = {"".join(map(TEXT, args[at])) if at < len(args) else "" for args in calls}
            if len(given) == 1 and given <= self.entries.keys():
                self._leave_out(lines, head, places, at, name, next(iter(given)))

    def _leave_out(self, lines: list[Line], head: Line, places: Sequence[tuple[int, int]], at: int, name: str, own: str
                   ) -> None:
        begin = next(k for k, line in enumerate(lines) if line.number == head.number and line.tokens[0].text == "def")
        for j, k in [*places, (begin, 1)][::-1]:
            tokens, end = lines[j].tokens, closing(lines[j].tokens, k + 1)
            args = [part for n, part in enumerate(between_commas(tokens[k + 2 : end])) if n != at]
            inner = [(*words("," * (n > 0), head.number), *part) for n, part in enumerate(args)]
            lines[j] = lines[j]._replace(tokens=(*tokens[: k + 2], *chain.from_iterable(inner), *tokens[end:]))
        for j in range(begin + 1, self.end(lines, begin)):
            lines[j] = lines[j]._replace(tokens=tuple(_put(lines[j].tokens, {name: Token(NAME, own)})))

    def _is_anothers(self, lines: Sequence[Line], k: int, name: str) -> bool:
        """Whether a function makes a list, and others read what has its name and is no parameter of theirs."""
        defined = [j for j, line in enumerate(lines) if line.tokens[0].text == "def"]
        inside = [range(j, self.end(lines, j)) for j in defined]
        own = next((part for part in inside[::-1] if k in part), range(len(lines)))
        known = [part for part in inside if name in _parameters(lines[part.start])]
        return any(_reads(line, name) for j, line in enumerate(lines)
                   if j not in own and not any(j in part for part in known))

    def check(self, lines: Sequence[Line]) -> None:
        """Refuse what gives a list's name, or one of an entry, to something else where the list is read."""
        for k, line in enumerate(lines):
            for name, entries in self.entries.items():
                names = {name} | {token.text for entry in entries for token in entry if token.kind == NAME}
                both = sorted(names.intersection(self._bound(line)))
                if both and self._reaches(lines, k, name, both):
                    raise problem(f"{both[0]} stands for something else here than in the list {name}, or than that "
                                  "list: rename one of them", line.number)

    def _bound(self, line: Line) -> list[str]:
        """The parameters of a function, and what loops count with but over lists that are written out."""
        texts, found = [*map(TEXT, line.tokens)], [*_parameters(line)]
        for j, word in enumerate(texts):
            behind = [*takewhile(lambda word: word not in ("in", ":"), texts[j + 1 :])]
            over = texts[j + 2 + len(behind) :][:1]
            if word == "lambda" or (word == "for" and not {*over} & {*self.entries, *_OF_LISTS}):
                found += behind
        return found

    def _reaches(self, lines: Sequence[Line], k: int, name: str, bound: Sequence[str]) -> bool:
        end = self.end(lines, k)
        if lines[k].tokens[0].text == "for":
            return True
        if lines[k].tokens[0].text != "def":
            return name in bound or _reads(lines[k], name)
        if self.numbers.get(name, 0) in [line.number for line in lines[k:end]]:
            return False
        if name in bound:
            return bool(_calls(lines, lines[k].tokens[1].text))
        return any(_reads(line, name) for line in lines[k + 1 : end])

    def end(self, lines: Sequence[Line], k: int) -> int:
        """Where what is indented below a line ends."""
        return k + 1 + len(body_of(lines, k))

    def steps(self, lines: Sequence[Line], k: int) -> list[Line] | None:
        """The lines of a loop over entries, once for each of them; None of any other line."""
        head, below = lines[k], lines[k + 1 : self.end(lines, k)]
        place = next((j for j, token in enumerate(head.tokens) if token.text == "in"), 0)
        if head.tokens[0].text != "for" or not place or not head.tokens[-2].is_sign(":") or not below:
            return None
        rows = self.rows(head.tokens[1:place], head.tokens[place + 1 : -2]) or self.counted(head, below)
        changed = {*chain.from_iterable(map(given_names, below))}
        if not rows or not changed.isdisjoint({*rows[0], *(token.text for row in rows for token in row.values())}):
            return None
        if any(_is_read(lines[self.end(lines, k) :], name) for name in rows[0]):
            return None
        less = len(below[0].indent) - len(head.indent)
        inner = [line._replace(indent=line.indent[less:]) for line in below]
        return [line._replace(tokens=tuple(_put(line.tokens, row))) for row in rows for line in inner]

    def counted(self, head: Line, below: Sequence[Line]) -> list[dict[str, Token]] | None:
        """The steps of ``for i in range(len(Ws)):`` with ``Ws[i]`` below, backwards too; None of any other loop."""
        head = self.read(head)
        texts = [*map(TEXT, head.tokens)]
        bounds = "".join(texts[5:-3]).split(",")
        counts = texts[2:5] == ["in", "range", "("] and all(map(_of_numbers, bounds)) and bounds[2:] in ([], ["-1"])
        if not counts or not any(
                token.text in self.entries and self._counts(line.tokens[k + 1 :], texts[1])
                for line in below for k, token in enumerate(line.tokens)):
            return None
        steps = range(*map(_computed, bounds))
        few = 0 < len(steps) <= _MOST_ENTRIES
        return [{texts[1]: head.tokens[1]._replace(kind=NUMBER, text=str(j))} for j in steps] if few else None

    def _counts(self, tokens: Sequence[Token], counter: str) -> bool:
        """Whether an index stands there that a counter is in."""
        return bool(tokens) and tokens[0].is_sign("[") and counter in map(TEXT, tokens[1 : closing(tokens, 0)])

    def collected(self, tokens: list[Token]) -> list[Token]:
        """The tokens of ``sum(f(W) for W in Ws)`` as those of ``(f(W1) + f(W2))``, of a list as those of a list."""
        place = outermost(tokens)
        begin, loop, end = place if place is not None else (0, 0, 0)
        at = next((j for j in range(loop, end) if tokens[j].text == "in"), 0)
        rows = self.rows(tokens[loop + 1 : at], tokens[at + 1 : end]) if at else None
        if not rows:
            return tokens
        several = [[*_put(tokens[begin + 1 : loop], row)] for row in rows]
        first = begin - tokens[begin - 1].is_sign("(") * tokens[begin].is_sign("[")
        if tokens[first - 1].text == "sum" and not tokens[first - 2].is_sign("."):
            begin, end = first - 1, end + begin - first
            parts = [[*words("+" * (j > 0) + " (", tokens[0].line), *part, *words(")", tokens[0].line)]
                     for j, part in enumerate(several)]
            whole = [*words("(", tokens[0].line), *chain.from_iterable(parts), *words(")", tokens[0].line)]
        elif tokens[begin].is_sign("["):
            whole = [*_written(several, tokens[0])]
        else:
            return tokens
        return self.collected([*tokens[:begin], *whole, *tokens[end + 1 :]])

    def rows(self, targets: Sequence[Token], over: Sequence[Token]) -> list[dict[str, Token]] | None:
        """What names of a loop are in each step; None where it does not go over lists, or entries are others."""
        entries = self.value(over)
        names = [token.text for token in targets if token.kind == NAME]
        flat = [[t for t in entry if t.kind in (NAME, NUMBER)] for entry in entries or ()]
        if entries is None or any(len(entry) != len(names) for entry in flat):
            return None
        return [dict(zip(names, entry, strict=True)) for entry in flat]

    def value(self, tokens: Sequence[Token]) -> list[Entry] | None:
        """The entries of what is made of lists alone; None of anything else."""
        texts = [*map(TEXT, tokens)]
        if len(texts) == 1:
            return self.entries.get(texts[0])
        depths = depths_of(tokens)
        signs = [j for j, token in enumerate(tokens) if token.is_sign("+") and not depths[j]]
        if signs and signs[0]:
            added = [self.value(tokens[j + 1 : k]) for j, k in pairwise([-1, *signs, len(tokens)])]
            lists = [part for part in added if part is not None]
            return [*chain.from_iterable(lists)] if len(lists) == len(added) else None
        if texts and tokens[0].is_sign("[") and closing(tokens, 0) == len(texts) - 1:
            parts = [part for part in between_commas(tokens[1:-1]) if part]
            return [*parts] if all(map(_is_entry, parts)) else None
        inside = tokens[2:-1] if len(texts) > 2 and closing(tokens, 1) == len(texts) - 1 else ()
        if inside and texts[0] in self.entries and tokens[1].is_sign("["):
            return _sliced(self.entries[texts[0]], inside)
        if not inside or texts[0] not in _OF_LISTS:
            return None
        args, begin = between_commas(inside), 0
        start = "".join(map(TEXT, args[1])).removeprefix("start=") if texts[0] == "enumerate" and len(args) == 2 else ""
        if _of_numbers(start):
            args, begin = args[:1], _computed(start)
        each = [self.value(part) for part in args]
        lists = [part for part in each if part is not None]
        if len(lists) != len(each) or (texts[0] != "zip" and len(lists) != 1):
            return None
        if texts[0] == "enumerate":
            lists.insert(0, [[tokens[0]._replace(kind=NUMBER, text=str(begin + j))] for j in range(len(lists[0]))])
        if texts[0] in ("zip", "enumerate"):
            return [[*chain.from_iterable(row)] for row in zip(*lists, strict=False)]
        return lists[0][::-1] if texts[0] == "reversed" else lists[0]

    def read(self, line: Line) -> Line:
        """A line with the entries that it reads of lists, and with all of them for a list of several each."""
        tokens = self.collected([*line.tokens])
        for k in range(len(tokens) - 2, -1, -1):
            entries = self.entries.get(tokens[k].text) if tokens[k].kind == NAME else None
            if entries is None or (k and tokens[k - 1].is_sign(".")) or tokens[k + 1].is_sign("="):
                continue
            end = closing(tokens, k + 1) if tokens[k + 1].is_sign("[") else k
            one = place_in(tokens[k + 2 : end], len(entries))
            counts = k > 1 and tokens[k - 2].text == "len" and tokens[k + 1].is_sign(")")
            if counts:
                tokens[k - 2 : k + 2] = [tokens[k]._replace(kind=NUMBER, text=str(len(entries)))]
            elif one is not None:
                tokens[k : end + 1] = entries[one]
            elif any(len(entry) > 1 for entry in entries):
                tokens[k : k + 1] = _written(entries, tokens[k])
        return line._replace(tokens=tuple(tokens))


def _calls(lines: Sequence[Line], function: str) -> list[tuple[int, int]]:
    """Where a function is called: the lines, and the places on them."""
    return [(j, k) for j, line in enumerate(lines) for k, token in enumerate(line.tokens[:-1])
            if token.text == function and line.tokens[k + 1].is_sign("(") and line.tokens[k - 1].text != "def"]


_OF_LISTS = ("zip", "reversed", "enumerate", "list")


def _stands(lines: Sequence[Line], k: int, name: str) -> bool:
    """Whether a name has its value on a line before, at the same place of the text."""
    block = takewhile(lambda line: len(line.indent) >= len(lines[k].indent), lines[:k][::-1])
    return any(name in given_names(line) for line in block if line.indent == lines[k].indent)


def _parameters(line: Line) -> list[str]:
    if line.tokens[0].text != "def" or not line.tokens[2].is_sign("("):
        return []
    return [part[0].text for part in between_commas(line.tokens[3 : closing(line.tokens, 2)]) if part]


def _reads(line: Line, name: str) -> bool:
    """Whether a line has a name, but as that of a part or of an option."""
    return any(token.text == name and not line.tokens[k].is_sign(".") and not after.is_sign("=")
               for k, (token, after) in enumerate(pairwise(line.tokens[1:]))) or line.tokens[0].text == name


def _goes_over(line: Line, name: str) -> bool:
    """Whether a line has a loop over a list or what is made of it, reads a counted entry, or takes it apart."""
    behind = [*map(TEXT, line.tokens)]
    counted = any(token.text == name and after.is_sign("[") and line.tokens[k + 2].kind == NAME
                  for k, (token, after) in enumerate(pairwise(line.tokens[:-1])))
    over = "in" in behind and name in behind[behind.index("in") :]
    return counted or over or ("*" in behind[:3] and name in behind[4:])


def _is_read(below: Sequence[Line], name: str) -> bool:
    """Whether the first of some lines that has a name reads it."""
    texts = next((texts for line in below if name in (texts := [*map(TEXT, line.tokens)])), None)
    if texts is None or texts[0] == "def":
        return False
    equal = texts.index("=") if "=" in texts else 0
    heads = [j for j, word in enumerate(texts) if word == "for"]
    given = {*texts[:equal]} | {word for j in heads for word in takewhile(lambda word: word != "in", texts[j:])}
    return name not in given or (name in texts[equal + 1 :] and not heads)


def _is_entry(part: Sequence[Token]) -> bool:
    """Whether it is a name, or several in brackets."""
    inner = part[1:-1] if part[0].is_sign("(", "[") and closing(part, 0) == len(part) - 1 else part
    return all(token.kind == NAME if j % 2 == 0 else token.is_sign(",") for j, token in enumerate(inner)) and (
        bool(inner) and (inner is not part or len(part) == 1))


def _makes(part: Sequence[Token]) -> bool:
    """Whether it is a layer, or an array of random numbers, which gets a name."""
    calls = (k + 1 for k, (token, after) in enumerate(pairwise(part)) if token.text in _RANDOM and after.is_sign("("))
    return part[0].text == "nn" or any(closing(part, k) == len(part) - 1 for k in calls)


_RANDOM = ("randn", "rand", "normal", "standard_normal")


def _sliced(entries: list[Entry], inside: Sequence[Token]) -> list[Entry] | None:
    """What a slice of numbers takes."""
    texts = "".join(map(TEXT, inside)).split(":")
    if len(texts) not in (2, 3) or not all(part.lstrip("-").isdigit() for part in texts if part):
        return None
    return entries[slice(*[int(part) if part else None for part in texts])]


def place_in(inside: Sequence[Token], count: int) -> int | None:
    """The place that a number is in a list; None of anything else."""
    text = "".join(map(TEXT, inside))
    place = _computed(text) if _of_numbers(text) else None
    return place if place is not None and -count <= place < count else None


_of_numbers = re.compile(r"-?\d+([-+]\d+)*").fullmatch


def _computed(text: str) -> int:
    """What is added up there, as in ``0+1``."""
    return sum(map(int, re.findall(r"[-+]?\d+", text)))


def _put(tokens: Sequence[Token], row: Mapping[str, Token]) -> Iterator[Token]:
    """Tokens with entries for the names of a loop."""
    for k, token in enumerate(tokens):
        own = token.kind == NAME and not (k and tokens[k - 1].is_sign("."))
        yield row[token.text]._replace(line=token.line, column=0) if own and token.text in row else token


def _written(entries: Sequence[Entry], near: Token) -> Iterator[Token]:
    yield from words("[", near.line)
    for k, entry in enumerate(entries):
        yield from (*words("," * (k > 0), near.line), *entry)
    yield from words("]", near.line)
