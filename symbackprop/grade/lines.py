"""The lines of an answers file: comments dropped, open brackets joined, loops with their bodies; of Markdown and LaTeX
the equations, between dollar signs or in an environment, and the lines of code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import chain, count, takewhile

from symbackprop.errors import SyntaxProblem
from symbackprop.grade.printed import answers_of, is_derivation
from symbackprop.grade.python import branch_of, entries_of, in_two, leaves, lines_of, written_out
from symbackprop.grade.typeset import is_typeset
from symbackprop.model.text.wrapping import FENCE, around, unwrapped

MAX_TEXT, MAX_LINE, MAX_LINES = 1_000_000, 20_000, 5_000
_LOOP = re.compile(
    r"for\s+(?P<counter>[A-Za-z_]\w*)\s*(?:in|=|from)\s*(?P<reverse>reversed\s*\()?\s*(?P<range>.+?)\s*:?\s*$",
    re.IGNORECASE,
)
_RANGES = (
    re.compile(r"(?P<start>[\w+\- ]+?)\s*(?:,?\s*\.\.\.?\s*,?|…|,\s*…\s*,|\bto\b|\bdownto\b)\s*(?P<stop>[\w+\- ]+)$"),
    re.compile(r"(?P<start>[\w+\- ]+?)\s*,\s*(?P<stop>[\w+\- ]+?)$"),
)
_PYTHON = re.compile(
    r"range\s*\(\s*(?:(?P<start>[\w+\- ]+?)\s*,)?\s*(?P<stop>[\w+\- ]+?)\s*(?:,\s*(?P<step>[-+]?\s*\d+)\s*)?$"
)


@dataclass(frozen=True)
class Line:
    """One statement: its first line's number, its text, perhaps a loop with its body. ``under`` is the line with the
    condition that it stands under, as ``if t > 0:``."""

    number: int
    text: str
    loop: Loop | None = None
    under: str = ""


@dataclass(frozen=True)
class Loop:
    """``for counter in start..stop:`` and the lines in it. ``from_0`` says that it counts as Python's range does, or
    down to 0; ``is_range`` that it is written with one; ``step`` says by how many it goes on."""

    counter: str
    start: str
    stop: str
    body: tuple[Line, ...]
    from_0: bool = False
    is_range: bool = False
    step: int = 1

    @property
    def words(self) -> set[str]:
        """The names in its bounds."""
        return {*re.findall(r"[A-Za-z_]\w*", f"{self.start} {self.stop}")}


def read_lines(text: str, shapes: Mapping[str, Sequence[str]] | None = None) -> tuple[Line, ...]:
    """The statements of a text, of which loops may run over sizes of arrays whose ``shapes`` are known, `len(X)`.

    Raises `SyntaxProblem`, with the line as its place, where there is no structure.
    """
    if len(text) > MAX_TEXT:
        raise SyntaxProblem(f"the answers have {len(text)} characters; at most {MAX_TEXT} are read")
    physical = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    whole = _joined(_statements([_PASTED.sub("", raw) for raw in physical]))
    joined = [(number, *line) for number, indent, said in whole for line in in_two(indent, said)]
    names = (name for k in count(1) if (name := f"part{k}") not in text)
    known = shapes or {}
    _refuse_long(joined)
    flat = [(number, *line) for number, indent, said in joined for line in written_out(indent, said, names, known)]
    flat = _at_places(_with_sizes(_by_number(flat, known, names), known))
    _refuse_long(flat)
    return tuple(_block(flat, 0, 0)[0])


def _refuse_long(flat: Sized) -> None:
    if len(flat) > MAX_LINES:
        raise SyntaxProblem(f"the answers have more than {MAX_LINES} lines")


# -- loops over entries, and sizes of arrays as Python asks for them

Flat = list[tuple[int, int, str]]  # (number, indentation, text) of every statement

_SIZE = re.compile(r"\blen\((?P<of>\w+)\)|\b(?P<array>\w+)\.(?:shape\[(?P<axis>-?\d)\]|size\((?P<torch>-?\d)\))")
_NAMES = re.compile(r"(\w+(?:\s*,\s*\w+)*)\s*=\s*(\w+)(\.shape)?$")  # m, n = X.shape and, with the size found, m = N
_GIVEN = re.compile(r"([^=\[]*?)(?:[-+*/%@]|//|\*\*)?=(?!=)")


def _given(text: str) -> set[str]:
    """The names to which a line gives a value, a loop to what it counts by."""
    if _is_loop(text):
        return {*re.findall(r"\w+", text.partition(" in ")[0])[1:]}
    match = _GIVEN.match(text)
    return {*re.findall(r"\w+", match[1])} if match is not None else set()


def _is_loop(text: str) -> bool:
    return re.match(r"for\b", text, re.IGNORECASE) is not None


def _called(text: str, words: Mapping[str, str]) -> str:
    """A text with other words."""
    return "".join([words.get(word, word) for word in re.split(r"(\w+)", text)]) if words else text


def _by_number(flat: Flat, shapes: Mapping[str, Sequence[str]], fresh: Iterator[str]) -> Flat:
    """The lines with loops over the entries of arrays, ``for x, t in zip(X, y):``, as loops over their numbers. An
    entry that is called like its array has another name, behind the loop too, up to where the name is given anew."""
    result: Flat = []
    called: dict[str, str] = {}
    for number, indent, text in flat:
        head, sign, tail = text.partition(" in " if _is_loop(text) else "=")
        head = head if _given(text) else _called(head, called)
        text = f"{head}{sign}{_called(tail, called)}"
        loop = _over_entries(" ".join(text.split()), shapes) if _is_loop(text) else None
        for name in _given(text) & called.keys():
            del called[name]
        if loop is None:
            result.append((number, indent, text))
            continue
        names, arrays, size, rest = loop
        counter = names.pop(0) if len(names) > len(arrays) else next(fresh)
        called |= {name: next(fresh) for name in names if name in arrays or name in shapes}
        result.append((number, indent, f"for {counter} in range({size}):"))
        entries = [array if array.isidentifier() else f"({array})" for array in arrays]
        lines = [f"{called.get(name, name)} = {array}[{counter}]" for name, array in zip(names, entries, strict=True)]
        result += [(number, indent + 1, line) for line in [*lines, *filter(None, [_called(rest, called)])]]
    return result


def _over_entries(text: str, shapes: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str], str, str] | None:
    """(names, arrays, the dimension they have first, what stands behind the colon) of a loop over the entries of
    arrays, with the counter of ``enumerate`` as the first name; None of any other loop."""
    found = entries_of(text)
    if found is None:
        return None
    names, arrays, rest = found
    size = next((shapes[a][0] for a in arrays if shapes.get(a)), "")
    return (names, arrays, size, rest) if size.isidentifier() else None


def _with_sizes(flat: Flat, shapes: Mapping[str, Sequence[str]]) -> Flat:
    """The lines with the names of dimensions where their loops run to a size that is asked for, `range(len(X))`, or
    has a name of the person's own, `m, n = X.shape`."""
    own: dict[str, str] = {}
    result: Flat = []
    for number, indent, text in flat:
        said = _SIZE.sub(lambda match: _dimension(match, shapes) or match[0], text)
        if _is_loop(text):
            head, sign, tail = said.partition(" in ")
            within, colon, rest = tail.partition(":")
            text = f"{head}{sign}{_called(within, own)}{colon}{rest}"
        own = {name: size for name, size in own.items() if name not in _given(said)} | _sizes_taken(said, shapes)
        result.append((number, indent, text))
    return result


_EMPTY = re.compile(r"(\w+)\s*=\s*\[\s*\]$")
_APPENDS = re.compile(r"(\w+)\.append\((.*)\)$", re.DOTALL)
_ARRAY_OF_ITSELF = re.compile(r"(\w+)\s*=\s*(?:\w+\.)?(?:array|asarray|stack|vstack|tensor)\(\s*\1\s*\)$")
_ALONG = re.compile(r"\b(?:stack\(\s*(\w+)\s*,|(?:column_|d|h)stack\(\s*(\w+))")  # another axis than the first
_ADDED_UP = re.compile(r"(?<![\w.])sum\(\s*(\w+)\s*\)")  # by Python's own sum
_UPWARDS = re.compile(r"for\s+(\w+)\s+in\s+range\(\s*(?:([\w+\- ]+),)?([\w+\- ]+)\)\s*:")


def _at_places(flat: Flat) -> Flat:
    """The lines of lists that are each filled by one loop, ``d = []`` and in it ``d.append(x)``, as ``d[k] = x``."""
    heads, appends = list(_heads(flat)), [_APPENDS.search(text) for *_, text in flat]
    begun = [(match[1], indent) for _, indent, text in flat if (match := _EMPTY.match(text)) is not None]
    named = Counter([*[match[1] for match in appends if match], *[name for name, _ in begun],
                     *[n for *_, text in flat for match in _ALONG.findall(text) for n in match]])
    fits = {(match[1], indent) for match, (indent, place) in zip(appends, heads, strict=True) if match and place}
    lists = {name for name, _ in fits.intersection(begun) if named[name] == 2}
    result: Flat = []
    for (number, indent, text), (_, place), match in zip(flat, heads, appends, strict=True):
        if match is not None and match[1] in lists:
            text = f"{text[:match.start()]}{match[1]}[{place}] = {match[2]}"
        text = _ADDED_UP.sub(lambda m: f"sum({m[1]}, axis=0)" if m[1] in lists else m[0], text)
        whole = _EMPTY.match(text) or _ARRAY_OF_ITSELF.match(text)
        result += [] if whole is not None and whole[1] in lists else [(number, indent, text)]
    return result


def _heads(flat: Flat) -> Iterator[tuple[int, str]]:
    """For every line the indentation of the line that it belongs to, perhaps its own head, and how many steps of that
    loop came before; nothing where that is no loop that goes upwards by one, as often in every step around it."""
    around: list[tuple[int, str]] = []
    for _, indent, text in flat:
        around = [(deep, head) for deep, head in around if deep < indent]
        inside = [*around, (indent, text)] if _is_loop(text) else around
        deep, head = inside[-1] if inside else (0, "")
        counters = {word for _, line in inside[:-1] for word in _given(line)}
        match = _UPWARDS.match(head)
        same = match is not None and counters.isdisjoint(re.findall(r"\w+", f"{match[2]} {match[3]}"))
        yield deep, "" if match is None or not same else f"{match[1]} - ({match[2]})" if match[2] else match[1]
        around += [(indent, text)] if text.rstrip().endswith(":") else []


def _dimension(match: re.Match[str], shapes: Mapping[str, Sequence[str]]) -> str:
    """The name of the dimension that ``len(X)`` or ``X.shape[1]`` is; none where it has none."""
    shape, axis = shapes.get(match["of"] or match["array"], ()), int(match["axis"] or match["torch"] or 0)
    return shape[axis] if -len(shape) <= axis < len(shape) and shape[axis].isidentifier() else ""


def _sizes_taken(text: str, shapes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The dimensions that a line gives names which are none of the model's, ``m = N`` or ``m, n = X.shape``."""
    match = _NAMES.match(text)
    if match is None:
        return {}
    sizes = {size for shape in shapes.values() for size in shape}
    given = shapes.get(match[2], ()) if match[3] else [match[2]]
    pairs = zip(re.split(r"\s*,\s*", match[1]), given, strict=False)
    return {name: size for name, size in pairs if size in sizes and size.isidentifier() and name not in sizes}


# -- documents: Markdown and LaTeX

_ENVIRONMENT = r"(?:equation|align|alignat|aligned|gather|eqnarray|multline|displaymath|math|split)\*?"
_BEGINS = re.compile(rf"\s*(?P<sign>\$\$|\\\[|\\begin\{{{_ENVIRONMENT}\}}(?:\{{\d+\}})?)")
_MARKS = re.compile(
    rf"\$\$|\\\[|\\\]|\\begin\{{{_ENVIRONMENT}\}}(?:\{{\d+\}})?|\\end\{{{_ENVIRONMENT}\}}|\\text\{{(?:\(\d+\)|let )\}}"
)
_SPAN = re.compile(r"(?<!\\)\$(?!\$)(.+?)(?<!\\)\$|\\\((.+?)\\\)")
_ROW = re.compile(r"\\\\(?:\[[^\]]*\])?|\\cr\b")
_DOCUMENT = re.compile(r"\$|^\s*(?:```|~~~)|\\\[|\\\(|\\begin\{")
_TABLE = re.compile(r"\s*\|(.*)\|\s*$")
_CODE = re.compile(r"`([^`]+)`")
_WORDS = re.compile(r"[A-Za-z]+(?: [A-Za-z]+)*")  # of a table's head
_PASTED = re.compile(r"[\u2600-\u27bf\U0001f300-\U0001faff\ufe0f]"  # ✅ and tags of web pages
                     r"|</?(?:p|br|li|ul|ol|div|span|pre|code|b|strong)\s*/?>")
_EQUATION = re.compile(r"(?<![<>!=:+])(?::|\+)?=(?!=)")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_LETTER = r"(?:[^\W\d]|[∂∇])"  # what a left side begins with
_AROUND = around(rf"(?:for\b|[$\\]|{_LETTER}[^=:]*[=:])", ">{1,3}")  # - may be a sign, in a display
_BESIDE = re.compile(r"[,;.]?\s*\\q?quad\b(?:\s|\\q?quad\b|\\text\{[^{}]*\})*")
_PLAIN = re.compile(rf"(?:{_BULLET.pattern[1:]}|\s*){_LETTER}[^\s=`]*(?:\s[^\s`]+?)?\s*(?::|\+|-|\*|/)?=(?!=)")
_HEAD = re.compile(r"\s*for\b.*:\s*$")
_APPENDIX = re.compile(r"\s*(?:#+ Rules\s*$|\\(?:sub)?section\*?\{Rules\}|Rules \(their letters)")  # of any arrays
_REMARK = re.compile(
    r"\\(?:usepackage|documentclass|hypersetup)\b|[^=]*(?:\\(?:operatorname|mathrm)\{\w+\}'?\(|\\otimes)"
    r"|.*\\(?:mapsto\b|mathrm\{new\})|\s*\\[A-Za-z]+(?:'|'?\(\w+\))\s*="
)


def _statements(physical: Sequence[str]) -> list[tuple[int, str]]:
    """(number, text) of what may be statements: of a document its equations and its code, else every line."""
    for number, raw in enumerate(physical, 1):
        if len(raw) > MAX_LINE:
            raise SyntaxProblem(f"line {number} has more than {MAX_LINE} characters")
    derived = is_derivation(physical)
    bare = physical if derived else unwrapped(list(physical), _AROUND)[0]
    own = takewhile(lambda line: not _APPENDIX.match(line[1]), enumerate(bare, 1))
    if derived:
        return list(answers_of(list(own)))
    numbered = list(_without_docstrings(own))
    if any(map(_DOCUMENT.search, physical)):
        return list(_of_document(iter(numbered)))
    return [(number, text) for number, raw in numbered for text in _in_words(raw)]


def _in_words(raw: str) -> list[str]:
    """The equations of a line of notes: those in quotes of code, those of a row of a table, else the line."""
    row = _TABLE.match(raw)
    if row is not None:
        return _of_row(row[1])
    return [text for text in _CODE.findall(raw) if _states(text)] or [raw]


def _of_row(row: str) -> list[str]:
    """The equation of a table's row, or its second column as that of what stands in the first; nothing of heads."""
    cells = [cell.strip().strip("`$ ").strip() for cell in re.split(r"(?<!\\)\|", row)]
    if all(re.fullmatch(r":?-+:?|", cell) for cell in cells) or len(cells) < 2:
        return []
    equations = [cell for cell in cells if _states(cell)]
    named = re.fullmatch(r"[^\W\d]\S*|\\d?frac\{[^=]*\}", cells[0])
    of_columns = [f"{cells[0]} = {cells[1]}"] if named and not _WORDS.fullmatch(cells[1]) else []
    return equations or of_columns


def _without_docstrings(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines but for texts between three quotes."""
    inside = False
    for number, raw in lines:
        quotes = raw.count('"""') + raw.count("'''")
        if not (inside or quotes):
            yield number, raw
        inside ^= quotes % 2 == 1


def _of_document(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The equations and the code of a document; what says nothing of a gradient is passed over."""
    for number, raw in lines:
        begins = _BEGINS.match(raw)
        if FENCE.match(raw):
            yield from takewhile(lambda line: not FENCE.match(line[1]), lines)
        elif begins is not None:
            yield from _display(list(_until_end(begins["sign"], (number, raw[begins.end() :]), lines)))
        elif (row := _TABLE.match(raw)) is not None:
            yield from ((number, text) for text in _of_row(row[1]))
        elif _SPAN.search(raw):
            yield from ((number, a or b) for a, b in _SPAN.findall(raw) if _answers(a or b))
        elif _PLAIN.match(raw) or _HEAD.match(raw) or (is_typeset(raw) and _answers(raw)):
            yield number, _BULLET.sub("", raw)


def _answers(text: str) -> bool:
    """Whether a text is an equation that may be an answer: no definition of a function, no map, no update."""
    return _EQUATION.search(text) is not None and not _REMARK.match(text)


def _states(text: str) -> bool:
    """Whether a text is an answer, and not a call with an option."""
    return _answers(text) and "(" not in text.partition("=")[0]


def _until_end(sign: str, first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines of a display that ``sign`` begins, without what stands behind its end."""
    end = {"$$": "$$", r"\[": r"\]"}.get(sign) or re.sub(r"\\begin(\{.*?\}).*", r"\\end\1", sign)
    for number, raw in chain([first], lines):
        inside, ends, _ = raw.partition(end)
        yield number, inside
        if ends:
            return


def _display(lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The equations of a display, one a row; a row that begins with = goes on with the one above."""
    rows: list[tuple[int, str]] = []
    fresh = True
    for number, raw in lines:
        for k, part in enumerate(_ROW.split(_MARKS.sub("", raw))):
            fresh = fresh or k > 0
            if not part.strip():
                continue
            if rows and (not fresh or re.match(r"[\s&]*=", part)):
                rows[-1] = (rows[-1][0], f"{rows[-1][1]} {part.strip().removeprefix('&')}")
            else:
                rows.append((number, part))
            fresh = False
    yield from ((number, text.strip()) for number, text in rows if _answers(text))


# -- statements


_SLASHES = re.compile(  # N//2, (a + b)//N and N // 2 of Python, and what begins a comment
    r"[()\[\]]|(?P<divides>(?<=[\w)\]])//(?=[\w(])|//(?:=|\s*\d))|(?P<begins>//)")


def _without_comment(line: str) -> str:
    """A line without what // begins as in C, which is no division: not between brackets, nor by a number."""
    seen = Counter[str]()
    for match in _SLASHES.finditer(line):
        seen[match[0]] += 1
        if match["begins"] and seen["("] <= seen[")"] and seen["["] <= seen["]"]:
            return line[: match.start()]
    return line


def _joined(statements: Sequence[tuple[int, str]]) -> Flat:
    """Statements of several lines as one."""
    result: Flat = []
    pending = ""
    for place, (number, raw) in enumerate(statements, 1):
        bare = _without_comment(raw.split("#", 1)[0]).rstrip().expandtabs(4)
        if not pending and bare.strip():
            start, indent = number, len(bare) - len(bare.lstrip())
        more = bare.endswith("\\") and not bare.endswith("\\\\")
        pending = f"{pending} {bare.strip().removesuffix(chr(92))}".strip()
        open_brackets = sum(pending.count(c) for c in "([") - sum(pending.count(c) for c in ")]")
        if pending and not more and (open_brackets <= 0 or _starts_statement(statements[place:])):
            result.append((start, indent, pending))
            pending = ""
    return [*result, (start, indent, pending)] if pending else result


def _starts_statement(statements: Sequence[tuple[int, str]]) -> bool:
    """Whether the next line is a statement of its own, so that an open bracket is a slip and not a line break."""
    rest = next((raw for _, raw in statements if raw.split("#", 1)[0].strip()), "x = ")
    return re.match(r"\s*[^\W\d][\w/∂\[\]. ]*[:+*/@-]?=(?!=)", rest) is not None


_ELSE = re.compile(r"(?:elif|else|except|finally)\b.*:$")


def _block(flat: Flat, place: int, indent: int, under: str = "") -> tuple[list[Line], int]:
    lines: list[Line] = []
    branches: list[tuple[int, str]] = []  # the conditions around a line, with their indentation
    while place < len(flat) and flat[place][1] >= indent:
        number, own, text = flat[place]
        place += 1
        goes_on = any(deep == own for deep, _ in branches) and _ELSE.match(text) is not None
        branches = [(deep, head) for deep, head in branches if deep < own]
        around = branches[-1][1] if branches else under
        branches += [(own, text)] if goes_on or branch_of(text) else []
        if not _is_loop(text):
            parts = [part for equation in _equations(text) for part in lines_of(equation)]
            lines += [Line(number, part, under=around) for part in parts]
            continue
        head, _, inline = text.partition(":")
        counter, start, stop, step = _range(head, number)
        if inline.strip():
            _refuse_leaving([(number, own, inline.strip())])
            body = [Line(number, part, under=around) for part in lines_of(inline.strip())]
        else:
            begin = place
            body, place = _block(flat, place, own + 1, around)
            _refuse_leaving(flat[begin:place])
        if not body:
            raise SyntaxProblem("the loop has no body: indent the lines that belong to it", f"line {number}")
        from_0 = "0" in (start, stop) or stop == "-1 + 1"
        is_range = re.search(r"range\s*\(", head) is not None
        lines.append(Line(number, text, Loop(counter, start, stop, tuple(body), from_0, is_range, step)))
    return lines, place


def _refuse_leaving(body: Flat) -> None:
    """Raises a `SyntaxProblem` where a loop does not run to its end: its lines are read at every step."""
    for number, _, text in body:
        if word := leaves(text):
            way = "put it behind the loop, not in it" if word == "return" else "let the range end there"
            raise SyntaxProblem(f"{word} leaves steps of the loop out, which cannot be read: {way}", f"line {number}")


def _equations(text: str) -> list[str]:
    """What stands beside each other in typeset mathematics, ``a = b, \\quad c = d``."""
    parts = _BESIDE.split(text)
    return parts if all(map(_EQUATION.search, parts)) else [text]


def _bounds(text: str) -> tuple[str, str, int] | None:
    """(first, last, how many at once) of a range; the end of Python's ``range`` is not part of it."""
    python = _PYTHON.match(text)
    if python is not None:
        step = int((python["step"] or "1").replace(" ", ""))
        return (python["start"] or "0").strip(), f"{python['stop'].strip()} {'+' if step < 0 else '-'} 1", abs(step)
    found = next((m for r in _RANGES if (m := r.match(text))), None)
    return None if found is None else (found["start"].strip(), found["stop"].strip(), 1)


def _range(text: str, number: int) -> tuple[str, str, str, int]:
    """(counter, start, stop, how many at once) of a loop's head."""
    head = _LOOP.match(text)
    within = "" if head is None else head["range"].strip().rstrip(") ")
    bounds = _bounds(within)
    if head is None or bounds is None or bounds[2] == 0 or (head["reverse"] and bounds[2] > 1):
        raise SyntaxProblem("a loop is written `for t in 1..T:` or `for t in T..1:`", f"line {number}")
    start, stop, step = bounds
    return (head["counter"], stop, start, 1) if head["reverse"] else (head["counter"], start, stop, step)
