"""The document as plain text: Unicode mathematics in aligned columns, in lines of at most `LINE` columns."""

from __future__ import annotations

import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise, zip_longest

from symbackprop.core.maths import Math, Rounded, Values
from symbackprop.core.printer import Text, joined, side_by_side
from symbackprop.patterns import lazy
from symbackprop.render.descent import POWER
from symbackprop.render.document import (
    ROLES,
    BoardLine,
    Document,
    Equation,
    Line,
    Prose,
    Ref,
    Step,
    board_lines,
    listed,
)
from symbackprop.render.print.text import EQUAL, printed, text

GAP = "   "
MAX_CELL, PAGE, LINE = 64, 100, 120
LEAST, BESIDE = 28, 44  # what a cell is given; what a reason beside a long formula is given
Cells = Sequence[str | Text]
_COMBINING = lazy("[\u0300-\u036f\u20d0-\u20ff]")


def to_text(document: Document) -> str:
    """The whole derivation."""
    return "\n".join([*(board if document.detail == "board" else sections)(document), ""])


def board(document: Document) -> Iterator[str]:
    """The lines of a board: running text for what is given, one row for every equation."""
    yield document.name + (f": {document.summary}" if document.summary else "")
    yield ""
    yield from wrapped("; ".join(given(document)))
    yield from wrapped("; ".join(map(prose, document.glossary)))
    yield from under("", displays([equation(e) for e in document.forward], (GAP, " ", " ")))
    yield from under("", wrapped("; ".join(map(prose, document.conventions))))
    yield from indented(displays([*map(board_row, board_lines(document.steps))], (" ", " ")))
    yield from indented(notes(document))
    yield from indented(changes((*document.updates, *document.checks)))


def board_row(x: BoardLine) -> Cells:
    """A line of a board: the shape in a cell of its own."""
    indent = "  " * x.depth
    if x.line is None:
        return (f"{indent}{prose(x.title)}:",)
    left, sign, right, reason = line(x.line)
    return indent + left, sign, right, "" if x.shape is None else f"[{text(x.shape)}]", reason


def sections(document: Document) -> Iterator[str]:
    """The lines of a derivation, section by section; those at the end are left out where there is nothing in them."""
    yield from hanging(said((document.name, *([": ", document.summary] if document.summary else []))), LINE)
    if document.source:
        yield f"Source: {document.source}"
    yield from ("", *wrapped(prose(document.heading)))
    yield from wrapped("Conventions: " + "; ".join(prose(c) for c in document.conventions) + ".")
    yield from indented([part for g in document.glossary for part in hanging(said(g), LINE - 2)])
    yield from under("Given", declarations(document))
    yield from under("Forward pass", displays([equation(e) for e in document.forward], (GAP, " ", " ")))
    yield from ("", "Backward pass")
    for s in document.steps:
        yield from step(s)
    yield from under("Result", [*table(document), *hanging(said(document.costs), LINE - 2)])
    if document.updates:
        rate = text(document.rate)
        yield from under(f"Update (gradient descent with learning rate {rate})", changes(document.updates))
    if document.checks:
        yield from under(f"Central differences, step {text(POWER)}", changes(document.checks))
    if document.notes:
        yield from under("Notes", notes(document))
    if document.rules:
        yield from under("Rules (their letters stand for any arrays)", ())
    for r in document.rules:
        yield from ("", f"  (R{r.number})  {r.title}", *indented(proof(r.lines), 4))


def under(heading: str, lines: Iterable[str]) -> Iterator[str]:
    """A section, apart from what is above."""
    yield from ("", heading) if heading else ("",)
    yield from indented(lines)


def indented(lines: Iterable[str], by: int = 2) -> Iterator[str]:
    return (" " * by + x for x in lines)


def changes(lines: Sequence[Line]) -> list[str]:
    """What becomes of parameters, or of the loss where they change."""
    return columns([line(x) for x in lines], (" ", " ", GAP), LINE - 2)


def notes(document: Document) -> list[str]:
    return [part for n in document.notes for part in wrapped(prose(n))]


@lru_cache(maxsize=256)
def proof(lines: tuple[Line, ...]) -> list[str]:
    """The lines of a proof, which many derivations have in common."""
    return columns([line(x) for x in lines], (" ", " ", GAP), LINE - 4)


# -- running text
def prose(parts: Prose) -> str:
    """Running text."""
    return said(parts).text


def said(parts: Prose) -> Text:
    """Running text, which breaks at its spaces, and in mathematics only where nothing else helps."""
    items = [_part(x) for x in parts]
    return Text(joined(items), breaks=side_by_side(items))


def _part(part: str | Math | Ref) -> Text:
    if isinstance(part, str):
        return _words(part)
    if isinstance(part, Ref):
        return Text(part.text)
    m = printed(part)
    return m._replace(breaks=tuple([(k, max(bound, 1) + 1) for k, bound in m.breaks])) if m.breaks else m


@lru_cache(maxsize=4096)
def _words(words: str) -> Text:
    return Text(words, breaks=tuple([(k + 1, 0) for k, c in enumerate(words) if c == " "]))


def wrapped(words: str) -> list[str]:
    """Running text in lines of the page's width."""
    return textwrap.wrap(words, PAGE, break_long_words=False, break_on_hyphens=False)


# -- rows of displays
def equation(e: Equation) -> Cells:
    shape = f"({text(e.shape)})" if e.shape is not None else ""
    left, sign, right, reason = line(e.line)
    left = "  " * e.depth + ("let " if e.introduced else "") + left
    if e.line.kind == "loop":
        return (f"({e.number})", f"{left}for {right.text}:")
    return (f"({e.number})", left, sign, right, shape, reason)


def line(x: Line) -> tuple[str, str, Text, Text]:
    """Left side, sign, right side, reason."""
    right = printed(x.right)
    if x.number is not None:
        right = right._replace(text=beside(right.text, valued(x.number)))
    return "" if x.left is None else text(x.left), x.sign, right, said(x.reason)


def beside(words: str, block: str) -> str:
    """A block of several lines behind a text, the later lines below the first."""
    return words + block.replace("\n", "\n" + " " * width(words))


def valued(number: Rounded | None) -> str:
    """`` = 0.27`` behind a formula."""
    return "" if number is None else beside(" = ", text(number))


def step(s: Step) -> Iterator[str]:
    shape = f"  ({text(s.shape)})" if s.shape is not None else ""
    path = ("   path ", *s.path) if len(s.path) > 1 else ()
    indent = "  " * s.depth
    room = LINE - 2 - len(indent)
    title = hanging(said((f"Step {s.number}.  ", *s.title, shape, *path)), room)
    lines = columns([line(x) for x in s.lines], (" ", " ", GAP), room - 2)
    yield ""
    yield from indented(title, 2 + len(indent))
    yield from indented(lines, 4 + len(indent))


def declarations(document: Document) -> list[str]:
    """One line a role."""
    roles = by_role(document, valued)
    room = min(PAGE, LINE - 2 - len(GAP) - max(map(len, roles), default=0))
    return columns([(role, _in_a_row(names, room)) for role, names in roles.items()])


def given(document: Document) -> list[str]:
    """The same as running text."""
    return [f"{role} {', '.join(names)}" for role, names in by_role(document, in_line).items()]


def by_role(document: Document, number_of: Callable[[Rounded | None], str]) -> dict[str, list[str]]:
    """What is declared, with its shape and its number."""
    roles: dict[str, list[str]] = {}
    for d in document.declarations:
        shape = f": {text(d.shape)}" if d.shape is not None else ""
        note = f" ({prose(d.note)})" if d.note else ""
        number = number_of(None if d.value is None else d.value.shown)
        roles.setdefault(ROLES[d.role][1], []).append(beside(f"{text(d.math)}{shape}{note}", number))
    return roles


def in_line(number: Rounded | None) -> str:
    """`` = [[1, 2], [3, 4]]``: a matrix in running text has its rows one behind the other."""
    return "" if number is None else f" = {_rows(number.values, number.digits)}"


def _rows(values: Values, digits: int) -> str:
    if isinstance(values, tuple) and values and isinstance(values[0], tuple):
        return f"[{', '.join([_rows(x, digits) for x in values])}]"
    return text(Rounded(values, digits))


def _in_a_row(names: Sequence[str], room: int) -> str:
    """Names with commas between; matrices one below the other."""
    if any("\n" in name for name in names):
        return ",\n".join(names)
    return "\n".join(textwrap.wrap(", ".join(n.replace(" ", "\u00a0") for n in names), room)).replace("\u00a0", " ")


def table(document: Document) -> list[str]:
    head = [Text(x) for x in ("with respect to", "gradient", "shape", "multiplications", "forward must store")]
    rows = [[printed(r.parameter), printed(r.gradient), Text("scalar") if r.shape is None else
             printed(r.shape), printed(r.cost), said(listed(r.stores))] for r in document.table]
    lines = columns([head, *rows], rule=True)
    if max(map(width, lines)) <= LINE - 2:
        return lines
    wide = [max(block_width(row[k].text) for row in (head, *rows)) for k in range(5)]
    stores = min(wide[4], LEAST)
    gradient = LINE - 10 - wide[0] - wide[2] - wide[3] - stores
    short = [folded(row[1], gradient) for row in rows]
    short = [b if block_width(b.text) <= gradient else Text(f"see {r.step.text}")  # what cannot be broken
             for b, r in zip(short, document.table, strict=True)]
    rows = [[a, b, c, d, folded(e, stores)] for (a, _, c, d, e), b in zip(rows, short, strict=True)]
    return columns([head, *rows], ["  "] * 4, rule=True)


# -- long lines
def hanging(t: Text, room: int) -> list[str]:
    """Lines that fit, the later ones set in."""
    first, *later = folded(t, room - 2).text.split("\n") if width(t.text) > room else [t.text]
    return [first, *["  " + line for line in later]]


def folded(t: Text, room: int) -> Text:
    """A text in lines of at most ``room`` columns, broken where what is beside binds least as far as that is enough."""
    if block_width(t.text) <= room or "\n" in t.text:
        return t
    bounds = sorted({bound for _, bound in t.breaks})
    if not bounds:
        return Text(t.text)
    if bounds[0] == EQUAL:
        return Text("\n".join([folded(x, room).text for x in _sides(t)]))
    marks = [found.start() for found in _COMBINING.finditer(t.text)]
    lines = cache(lambda bound: _broken(t, marks, bound, room))
    enough = bisect_left(bounds, True, key=lambda bound: max(map(width, lines(bound))) <= room)
    return Text("\n".join(lines(bounds[min(enough, len(bounds) - 1)])))


def _sides(t: Text) -> Iterator[Text]:
    """What stands before, between and behind the signs of a = b = c."""
    for a, b in pairwise([0, *[k for k, bound in t.breaks if bound == EQUAL], len(t.text)]):
        side = t.text[a:b].rstrip()
        yield Text(side, breaks=tuple([(k - a, bound) for k, bound in t.breaks if a < k < a + len(side)]))


def _broken(t: Text, marks: Sequence[int], bound: int, room: int) -> list[str]:
    """The lines of a text that is broken wherever what is beside binds no more than that; the more, the shorter.
    ``marks`` are the characters that take no column."""
    at = [0, *[k for k, own in t.breaks if own <= bound], len(t.text)]
    columns = [k - bisect_left(marks, k) for k in at] if marks else at
    ends = [end - (b - a) + len(t.text[a:b].rstrip()) for (a, b), end in zip(pairwise(at), columns[1:], strict=True)]
    lines, start, before, last = list[str](), 0, 0, 0
    while last < len(ends):
        last = max(last + 1, bisect_right(ends, before + room))
        while last < len(ends) and columns[last] == before:  # what is empty makes no line
            last += 1
        lines.append(t.text[start : at[last]].rstrip())
        if last < len(ends):
            piece = t.text[at[last] : at[last + 1]]
            spaces = len(piece) - len(piece.lstrip())
            start, before = at[last] + spaces, columns[last] + spaces
    return lines


def _narrowed(cells: Sequence[Text], widths: Sequence[int], gaps: Sequence[str], room: int
              ) -> tuple[list[Text], list[int]]:
    """A row whose widest cell (a formula) and last one (a reason) share the columns that the others leave."""
    cells, sizes = list(cells), [block_width(c.text) for c in cells]
    own = [max(w, size) for w, size in zip(widths, sizes, strict=True)]
    last = _last(sizes)
    if not last:
        return [folded(cells[0], room), *cells[1:]], own
    main = max(range(last), key=lambda k: sizes[k])
    left = room - sum(own[k] + len(gaps[k]) for k in range(last)) + own[main]
    if not sizes[main] <= widths[main] <= left - LEAST:
        cells[main] = folded(cells[main], max(left - min(sizes[last], BESIDE), LEAST))
        own[main] = block_width(cells[main].text)
    reason = folded(cells[last], max(left - own[main], LEAST))
    if block_width(reason.text) <= left - own[main]:
        cells[last] = reason
    else:
        under = folded(cells[last], left - 4).text.replace("\n", "\n    ")
        cells[main], cells[last] = Text(f"{cells[main].text}\n    {under}"), Text("")
    return cells, own


# -- columns
def displays(rows: Sequence[Cells], gaps: Sequence[str]) -> list[str]:
    """Equations with their shapes and reasons in line: a formula takes as many lines as what is beside it asks for."""
    whole = [[block_width(_text(cell).text) for cell in row] for row in rows if len(row) > 2]
    *before, _, shape, reason = map(max, zip(*whole, strict=True)) if whole else (0, 0, 0)
    room = max(LINE - 2 - len("".join(gaps) + 2 * GAP) - sum(before) - shape - min(reason, LEAST), LEAST)
    return columns([[*row[:-3], folded(_text(row[-3]), room), *row[-2:]] if len(row) > 2 else row for row in rows],
                   gaps, LINE - 2, cell=room)


def columns(rows: Sequence[Cells], gaps: Sequence[str] = (), room: int = 0, rule: bool = False, cell: int = MAX_CELL
            ) -> list[str]:
    """Cells in aligned columns, ``gaps`` between them. A cell of several lines (a matrix) makes its row taller; one of
    more than ``cell`` columns does not push the others aside. A row that is wider than ``room`` takes several lines."""
    if not rows:
        return []
    count = max(map(len, rows))
    padded = [[_text(part) for part in (*row, *[""] * (count - len(row)))] for row in rows]
    sizes = [[block_width(part.text) for part in row] for row in padded]
    whole = [size for row, size in zip(rows, sizes, strict=True) if len(row) > 2 or count == 2] or sizes
    widths = [max([size for size in column if size <= cell], default=0) for column in zip(*whole, strict=True)]
    between = [*gaps, *[GAP] * (count - 1 - len(gaps)), ""]
    lines = [x for row, own in zip(padded, sizes, strict=True) for x in _lines(row, own, widths, between, room)]
    if rule:
        lines.insert(1, "".join("─" * w + gap for w, gap in zip(widths, between, strict=True)))
    return lines


def _text(part: str | Text) -> Text:
    return Text(part) if isinstance(part, str) else part


def _lines(row: Sequence[Text], sizes: Sequence[int], widths: Sequence[int], gaps: Sequence[str], room: int
           ) -> list[str]:
    last = _last(sizes)
    before = sum([max(w, size) + len(gap) for w, size, gap in zip(widths, sizes[:last], gaps, strict=False)])
    if 0 < room < before + sizes[last]:
        return _row(*_narrowed(row, widths, gaps, room), gaps)
    return _row(row, widths, gaps)


def _last(sizes: Sequence[int]) -> int:
    """The last cell that is not empty."""
    return max([k for k, size in enumerate(sizes) if size], default=0)


def _row(cells: Sequence[Text], widths: Sequence[int], gaps: Sequence[str]) -> list[str]:
    lines = zip_longest(*[cell.text.split("\n") for cell in cells], fillvalue="")
    return ["".join([part + " " * (w - width(part)) + gap for part, w, gap in zip(line, widths, gaps, strict=True)])
            .rstrip() for line in lines]


def block_width(words: str) -> int:
    """How many columns a text of several lines takes."""
    return max(map(width, words.split("\n"))) if "\n" in words else width(words)


@lru_cache(maxsize=4096)
def width(words: str) -> int:
    """How many columns a text takes: combining characters take none."""
    return len(words) - len(_COMBINING.findall(words))
