"""Arrays that loops fill place by place, ``C = zeros((n, m))`` with ``C[i, j] = …``: lines with one array for every
loop, of which a step gives a row to the one around it. What is added in a loop further in is added up first."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice, takewhile

from symbackprop.model.text.tokens import TEXT, Line, Token, body_of, ended
from symbackprop.model.text.writing import FreeNames, between_commas, closing, items, words
from symbackprop.records import record

_ZEROS, _LIKE = ("zeros", "empty"), ("zeros_like", "empty_like")
_UPDATES = ("=", "+=", "-=", "*=", "/=")
_FIRST = (["0"], ["0", ":"])  # places of the first row
_MOST = 20  # arrays


@record(frozen=True)
class _Loop:
    """Where its line stands and what lies below it ends, its counter, and from where to where it counts."""

    place: int
    end: int
    counter: str
    stop: str
    start: str = "0"


@record(frozen=True)
class _Filled:
    """An array that loops fill: where it is made, its sizes, the loops from outside in, the place that a step fills,
    and the axes in the order of the loops. Where the rows of ``begun`` are given from the second on, a step reads the
    row before it, ``before``."""

    name: str
    made: int
    sizes: Sequence[str]
    loops: Sequence[_Loop]
    at: Sequence[str]
    order: Sequence[int]
    begun: int | None = None

    @property
    def before(self) -> str:
        return f"{self.loops[0].counter} - 1" if self.begun is not None else ""


def rows_apart(lines: list[Line]) -> None:
    """Put ``for j in range(K): alpha_0[j] = …`` and ``alpha[0] = alpha_0`` in the place of a loop that fills all of a
    row which a number says, ``alpha[0, j] = …``."""
    if not [line for line in lines if line.tokens[1].text == "["]:
        return
    free = FreeNames(token.text for line in lines for token in line.tokens).free
    tables = {line.tokens[0].text for k, line in enumerate(lines) if _gives_an_entry(line.tokens)
              and len(_sizes_made(lines[:k], line.tokens[0].text)) > 1}
    lines[:] = [line._replace(tokens=_with_commas(line.tokens, tables)) for line in lines] if tables else lines
    for k in range(len(lines) - 1, -1, -1):
        texts = [*map(TEXT, lines[k].tokens)]
        if texts[:1] == ["for"] and texts[2:5] == ["in", "range", "("]:
            for name, place in _numbered(lines, k, texts[1]):
                if _sizes_made(lines[:k], name)[1:] == ["".join(texts[5:-3])]:
                    _put_apart(lines, k, name, place, free(f"{name}_{place}"))


def _gives_an_entry(tokens: Sequence[Token]) -> bool:
    """Whether a line is ``alpha[t][j] = …``."""
    if not tokens[1].is_sign("["):
        return False
    end = closing(tokens, 1)
    return tokens[end + 1].is_sign("[") and tokens[closing(tokens, end + 1) + 1].text in _UPDATES


def _with_commas(tokens: tuple[Token, ...], tables: Container[str]) -> tuple[Token, ...]:
    """Tokens with ``alpha[t, j]`` for ``alpha[t][j]`` of arrays with several axes."""
    for k in range(len(tokens) - 3, -1, -1):
        if tokens[k].text in tables and tokens[k + 1].is_sign("["):
            at, end = _place(tokens, k + 1)
            if len(at) == 1 and ":" not in at[0] and tokens[end + 1].is_sign("["):
                return _with_commas((*tokens[:end], *words(",", tokens[k].line), *tokens[end + 2 :]), tables)
    return tokens


def _below(lines: Sequence[Line], k: int) -> int:
    """Where what is indented below a line ends."""
    return k + 1 + len(body_of(lines, k))


def _numbered(lines: Sequence[Line], k: int, counter: str) -> list[tuple[str, str]]:
    """The arrays of which a loop fills a row that has a number, and reads nothing."""
    inside = lines[k + 1 : _below(lines, k)]
    found = dict.fromkeys((line.tokens[0].text, at[0]) for line in inside
                          if len(at := _target_places(line)) == 2 and at[0].isdigit() and at[1] == counter)
    uses = [token.text for line in inside for token in line.tokens]
    return [(name, place) for name, place in found if uses.count(name) == 1]


def _target_places(line: Line) -> list[str]:
    """The places in ``alpha[0, j] = …``; nothing of any other line."""
    if not line.tokens[1].is_sign("["):
        return []
    at, end = _place(line.tokens, 1)
    return at if line.tokens[end + 1].is_sign("=") else []


def _sizes_made(lines: Sequence[Line], name: str) -> list[str]:
    """The sizes with which an array was made last."""
    made = next((line for line in lines[::-1] if line.tokens[0].text == name and line.tokens[1].is_sign("=")), None)
    return ["".join(size.split()) for size in _sizes(made.tokens[2:-1], 2)] if made is not None else []


def _put_apart(lines: list[Line], k: int, name: str, place: str, row: str) -> None:
    head, end = lines[k], _below(lines, k)
    counter, stop = head.tokens[1].text, " ".join(map(TEXT, head.tokens[5:-3]))

    def written(near: Line, text: str, rest: Sequence[Token] = ()) -> Line:
        return near._replace(tokens=ended([*words(text, near.number), *rest]))

    for j in range(k + 1, end):
        tokens = lines[j].tokens
        if tokens[0].text == name and len(_target_places(lines[j])) == 2:
            equal = next(n for n, token in enumerate(tokens) if token.is_sign("="))
            lines[j] = written(lines[j], f"{row} [ {counter} ]", tokens[equal:-1])
    lines.insert(end, written(head, f"{name} [ {place} ] = {row}"))
    lines.insert(k, written(head, f"{row} = zeros ( {stop} )"))


def filled(lines: list[Line]) -> list[int]:
    """Put lines that fill arrays row by row in the place of those that fill them place by place; the numbers of the
    lines on which these are made."""
    names = dict.fromkeys(line.tokens[0].text for line in lines if line.indent and line.tokens[1].text == "["
                          and _is_place_in_loops(line.tokens))
    changed = list[int]()
    for name in islice(names, _MOST):
        found = _found(lines, name)
        if found is not None:
            changed.append(lines[found.made].number)
            lines[:] = _Writer(lines, found).lines()
    return changed


def _place(tokens: Sequence[Token], opening: int) -> tuple[list[str], int]:
    """What stands between the commas of brackets, and where these close."""
    end = closing(tokens, opening)
    return [" ".join(map(TEXT, part)) for part in between_commas(tokens[opening + 1 : end])], end


def _is_place_in_loops(tokens: Sequence[Token]) -> bool:
    """Whether a line gives a value to several indices of which one is a name, or adds to what one has."""
    at, end = _place(tokens, 1)
    sign = tokens[end + 1].text if 0 < end < len(tokens) - 1 else ""
    return sign in _UPDATES and (len(at) > 1 or sign != "=") and any(map(str.isidentifier, at))


def _found(lines: Sequence[Line], name: str) -> _Filled | None:
    """How loops fill an array, where they fill all of it and read no other place of it; None where they do not."""
    uses = [k for k, line in enumerate(lines) if name in map(TEXT, line.tokens)]
    first = next((k for k in uses if lines[k].indent and lines[k].tokens[0].text == name
                  and lines[k].tokens[1].is_sign("[") and _place(lines[k].tokens, 1)[0] not in _FIRST), 0)
    made = max([k for k in uses if k < first and lines[k].tokens[0].text == name
                and not lines[k].tokens[1].is_sign("[")], default=None)
    if made is None or not lines[made].tokens[1].is_sign("="):
        return None
    at, _ = _place(lines[first].tokens, 1)
    known, sizes = _known(lines[:first]), _sizes(lines[made].tokens[2:-1], len(at))
    around = _around(lines, made, first)
    counters = [item for item in at if item != ":"]
    loops = around[: len(counters)]
    if not counters or len(sizes) < len(at) or sorted(loop.counter for loop in loops) != sorted(counters):
        return None
    axes = [at.index(loop.counter) for loop in loops]
    begun = _begun(lines, name, range(made + 1, loops[0].place)) if loops[0].start == "1" and axes[0] == 0 else None
    if any(loop.start != "0" for loop in loops[begun is not None :]):
        return None
    if any(_same(loop.stop, known) != _same(sizes[axis], known) for loop, axis in zip(loops, axes, strict=True)):
        return None
    order = [*axes, *[k for k in range(len(sizes)) if k not in axes]]
    array = _Filled(name, made, sizes, loops, at, order, begun)
    inside = range(loops[-1].place + 1, loops[-1].end)
    others = [k for k in uses if made < k < loops[0].end and k != begun]
    return array if all(k in inside and _reads_alone(lines[k].tokens, array) for k in others) else None


def _begun(lines: Sequence[Line], name: str, places: range) -> int | None:
    """Where the first row of an array is given, ``alpha[0] = …`` or ``alpha[0, :] = …``."""
    for k in places:
        tokens = lines[k].tokens
        if lines[k].indent == lines[places.start - 1].indent and tokens[0].text == name and tokens[1].is_sign("["):
            at, end = _place(tokens, 1)
            return k if at in _FIRST and tokens[end + 1].is_sign("=") else None
    return None


def _around(lines: Sequence[Line], made: int, first: int) -> list[_Loop]:
    """The loops around a line, from outside in, up to one that is none."""
    heads, indent = list[int](), lines[first].indent
    for k in range(first - 1, made, -1):
        if len(lines[k].indent) < len(indent):
            indent = lines[k].indent
            heads.append(k)
    loops = (_loop(lines, k) for k in reversed(heads))
    return [loop for loop in takewhile(lambda loop: loop is not None, loops) if loop is not None]


def _loop(lines: Sequence[Line], k: int) -> _Loop | None:
    """``for i in range(n):`` and ``for i, x in enumerate(X):``; None of any other line."""
    words = [*map(TEXT, lines[k].tokens[:-1])]
    end = next((j for j in range(k + 1, len(lines)) if len(lines[j].indent) <= len(lines[k].indent)), len(lines))
    if words[0] != "for" or words[-2:] != [")", ":"] or "in" not in words:
        return None
    over = words.index("in") + 1
    inside = lines[k].tokens[over + 2 : -3]
    if words[over + 1] != "(":
        return None
    *start, stop = [" ".join(map(TEXT, part)) for part in between_commas(inside)] or [""]
    if words[over] == "enumerate" and words[2] == ",":
        return _Loop(k, end, words[1], f"{stop} . shape [ 0 ]")
    counts = words[over] == "range" and over == 3 and len(start) < 2
    return _Loop(k, end, words[1], stop, *start) if counts else None


def _sizes(value: Sequence[Token], axes: int) -> list[str]:
    """The sizes of ``np.zeros((n, m))`` and ``zeros_like(X)``; none of another value."""
    opening = next((k for k, token in enumerate(value) if token.is_sign("(")), 0)
    word = value[opening - 1].text if opening else ""
    args = [part for part in between_commas(value[opening + 1 : -1]) if part and not any(t.is_sign("=") for t in part)]
    if word not in (*_ZEROS, *_LIKE) or not args or closing(value, opening) + 1 < len(value):
        return []
    texts = [" ".join(map(TEXT, arg)) for arg in args]
    if word in _LIKE or texts[0].endswith(". shape"):
        return [f"{texts[0].removesuffix(' . shape')} . shape [ {k} ]" for k in range(axes)]
    return [" ".join(map(TEXT, part)) for part in items(args[0], "([")] if len(args) == 1 else texts


def _known(lines: Sequence[Line]) -> Mapping[str, str]:
    """What names are that get a value once, ``n = X.shape[0]`` and ``n, d = X.shape``."""
    found, given = dict[str, str](), set[str]()
    for line in lines:
        words = [*map(TEXT, line.tokens[:-1])]
        equal = words.index("=") if "=" in words else 0
        names = words[:equal:2]
        for k, name in enumerate(names):
            found[name] = " ".join(words[equal + 1 :]) + f" [ {k} ]" * (len(names) > 1)
            if name in given:
                del found[name]
            given.add(name)
    return found


def _same(size: str, known: Mapping[str, str]) -> str:
    """A size as it is compared with others."""
    size = known.get(size, size)
    array = size.removeprefix("len ( ").removesuffix(" )")
    return f"{array} . shape [ 0 ]" if size == f"len ( {array} )" else size


def _reads_alone(tokens: Sequence[Token], array: _Filled) -> bool:
    """Whether an array only stands on a line with the place that is filled behind it, or with one of the row before."""
    places = [_place(tokens, k + 1)[0] for k, token in enumerate(tokens) if token.text == array.name]
    return all(place == [*array.at] or place[:1] == [array.before] for place in places)


class _Writer:
    """Writes the lines of a text with what fills an array row by row."""

    def __init__(self, text: Sequence[Line], array: _Filled) -> None:
        self.text, self.array, self.last = text, array, array.loops[-1]
        free = FreeNames(token.text for line in text for token in line.tokens).free
        turned = [*array.order] != sorted(array.order)
        counters = [loop.counter for loop in array.loops]
        first = free(f"{array.name}_{counters[0]}") if turned else array.name
        rows = [free("_".join([array.name, *counters[:k]])) for k in range(1, len(counters))]
        self.rows = [first, *rows]
        self.entry = free("_".join([array.name, "at", *counters]))
        self.sizes = [array.sizes[axis] for axis in array.order]
        self.turned = f"( {' , '.join(str(array.order.index(k)) for k in range(len(array.order)))} )" * turned

    def lines(self) -> Iterator[Line]:
        array, loops = self.array, self.array.loops
        body = self.text[self.last.place + 1].indent
        apart = not self._is_given_once(body)
        for k in range(len(self.text) + 1):
            for level, loop in reversed([*enumerate(loops)]):
                if k == loop.end:
                    yield from self._behind(level, body if level + 1 == len(loops) else "", apart)
            line = self.text[k] if k < len(self.text) else None
            if line is None:
                return
            level = next((level for level, loop in enumerate(loops) if k == loop.place), 0)
            if level:
                yield self._line(k, line.indent, f"{self.rows[level]} = {_zeros(self.sizes[level:])}")
            if k == array.made:
                line = self._line(k, line.indent, f"{self.rows[0]} = {_zeros(self.sizes)}")
            inside = self.last.place < k < self.last.end or k == array.begun
            yield self._with_entry(line, apart) if inside else line
            if k == self.last.place and apart:
                yield self._line(k, body, f"{self.entry} = {_zeros(self.sizes[len(loops):])}")

    def _behind(self, level: int, body: str, apart: bool) -> Iterator[Line]:
        """What stands behind a loop: its rows are one of the loop around it."""
        loops = self.array.loops
        k = loops[level].place
        if body and apart:
            yield self._line(k, body, f"{self.rows[level]} [ {loops[level].counter} ] = {self.entry}")
        if level:
            yield self._line(k, self.text[k].indent, f"{self.rows[level - 1]} [ {loops[level - 1].counter} ] = "
                                                     f"{self.rows[level]}")
        elif self.turned:
            turned = f"transpose ( {self.rows[0]} , {self.turned} )"
            yield self._line(k, self.text[k].indent, f"{self.array.name} = {turned}")

    def _is_given_once(self, body: str) -> bool:
        """Whether one line of a step gives the place its value, and none reads it."""
        lines = self.text[self.last.place + 1 : self.last.end]
        given = [line for line in lines for k, token in enumerate(line.tokens)
                 if token.text == self.array.name and _place(line.tokens, k + 1)[0] == [*self.array.at]]
        words = [*map(TEXT, given[0].tokens)]
        return len(given) == 1 and given[0].indent == body and words[0] == self.array.name and (
            words[_place(given[0].tokens, 1)[1] + 1] == "=")

    def _with_entry(self, line: Line, apart: bool) -> Line:
        """A line with another name for the place that a step fills."""
        found, skipped = list[Token](), 0
        instead = self.entry if apart else f"{self.rows[-1]} [ {self.last.counter} ]"
        for k, token in enumerate(line.tokens):
            if k < skipped:
                continue
            if token.text == self.array.name:
                at, end = _place(line.tokens, k + 1)
                found += words(instead if at == [*self.array.at] else self._of_row(at), token.line)
                skipped = end + 1
            else:
                found.append(token)
        return line._replace(tokens=tuple(found))

    def _of_row(self, at: Sequence[str]) -> str:
        """``alpha[t - 1][j]`` for ``alpha[t - 1, j]``."""
        row, *places = at
        entries = f"[ {' , '.join(places)} ]" if any(place != ":" for place in places) else ""
        return f"{self.array.name} [ {row} ] {entries}"

    def _line(self, k: int, indent: str, text: str) -> Line:
        return Line(self.text[k].number, indent, ended(words(text, self.text[k].tokens[0].line)))


def _zeros(sizes: Sequence[str]) -> str:
    """What is 0 in all places of an array with these sizes."""
    return f"zeros ( ( {' , '.join(sizes)} , ) )" if sizes else "0"
