"""Printed derivations handed in as a whole, as text, LaTeX or Markdown: of each step the line that is its result, of a
loop its head, what enters it and what the forward pass calls its parts. All else explains these. Of a board the lines
that say what they are made of count."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from unicodedata import combining

Numbered = tuple[int, str]

_STEP = re.compile(r"(?:(?P<indent>  +)|(?P<quads>(?:\\quad )*)\\textbf\{|\*\*)Step \d+\."
                   r"(?:\} \\quad|\*\*| ) (?P<what>\S.*)")
_BACKWARDS = re.compile(r"(?P<counter>\w) = (?P<first>[^,$]+), (?:…|\\ldots), (?P<last>[^,$}:\\]+)")
_FORWARDS = re.compile(r"(?:\\text\{for \}|^\s*for) (?P<counter>\w) = (?P<first>[^,]+), (?:…|\\ldots), "
                       r"(?P<last>[^:\\]+)")
_NUMBER = re.compile(r"\s*(?:\\text\{)?\(\d+\)(?:\}\\quad ?)?")
_ZERO = re.compile(r"\s*(?:\\item |- |\{\\raggedright )?\$?(?P<line>[^$]+ = [^:$]+)\$?: "
                   r"(?:no path leads|a derivative on every path) ")
_LET = re.compile(r"(?P<indent>\s*(?:\\quad\s*)*)(?:let |\\text\{let \})(?:\s*\\quad)?\s*")
_SECTIONS = re.compile(r"\s*(?:\\(?:sub)*section\*?\{|#+ )?(Given|Forward pass|Backward pass|Result|Update|Rules)\b")
_ROW_END = re.compile(r"\s*(?:\\\\|\\cr)(?:\[[^\]]*\])?\s*$")
_CELL = re.compile(r"(?<!\\)&")
_BEGINS_INSIDE = re.compile(r"[·⊙⊗/]|[^(\[]*[)\]]")  # what goes on with the row above: ·1[k = i], M) = …
_ROW = re.compile(r"(?P<before>\s*(?P<left>(?:∇_\S+ )?\S+)?\s*(?:= |: (?=\w+ ↦)))(?P<right>.+)")
_GOES_ON = re.compile(r"\s*&\s*\\qquad (?!\\parbox)(.*)")
_REASON = re.compile(r"\s{3,}")
_ON_BOARD = re.compile(r"\s*(?:\\text\{)?\(\d+\)(?!\(|\s*$)|.*\\tag\{\d+\}")  # the forward pass, its lines numbered
_MADE_OF = re.compile(r"(?:^|[\s\]{])(?:\(\d+\))+")  # the numbers of these lines
_OVERLAP = re.compile(r"\\rlap\{\$\\displaystyle (.*?)\$(?:\\quad.*)?\}|\\rlap\{\\text\{.*\}\}")  # beyond its column
_TEXT = "\\text{"
_OTHER_NAME = re.compile(r"\s*[^\W\d][^\s()·]*\s*")  # of what is computed elsewhere, without a sign in it
_OFFSET = re.compile(r"[₊₋+−-][₁1]")  # hₜ₋₁: what a step hands on; what enters at the first has none
_LETTER = re.compile(r"[a-zA-Z]+[₀-₉]*|[a-zA-Z]+_\{\d+\}")  # m₁, and as LaTeX
_CHAINED = re.compile(r"·∂|\\cdot \\frac\{\\partial|_(?:\{\\mathrm\{)?direct")  # the chain rule itself, in a line
_ONE_TERM = re.compile(r"(?:\b1|\\left)\[\w = \w\b")  # of a sum


_LEGEND = re.compile(r"((?:[a-z][₀-₉\d]*, ?)*[a-z][₀-₉\d]*) runs? over (\w+) entr(?:y|ies)\b")
_NUMBERED = re.compile(r"_\{(\d+)\}")
_TYPESET = re.compile(r"\$|\\(?:[;,]|thickspace) ?|\s+")


@dataclass
class Row:
    """A row of a step; in text it, and its right side, begin in a column."""

    number: int
    left: str
    right: str
    begins: int = -1
    column: int = -1


@dataclass
class Step:
    """A step; one that a loop begins with has its counter, first and last step."""

    number: int
    depth: int
    counter: str = ""
    first: str = ""
    last: str = ""
    rows: list[Row] = field(default_factory=list)


def is_derivation(lines: Sequence[str]) -> bool:
    """Whether a text is a derivation as it is printed, in steps or as on a board."""
    steps = any(map(_STEP.match, lines)) and {"Forward pass", "Backward pass"} <= {_section(line) for line in lines}
    return steps or any(_is_result(raw) for _, raw in _board(list(enumerate(lines)))[1])


def answers_of(lines: Sequence[Numbered]) -> Iterator[Numbered]:
    """What a printed derivation says of gradients, a line each, the lines of loops indented."""
    yield from _legend(lines)
    said: list[Numbered] = []
    for line in reversed(list(_in_steps(lines) if any(_STEP.match(raw) for _, raw in lines) else _on_a_board(lines))):
        empty = line[1].lstrip().startswith("for ") and (not said or _spaces(said[-1][1]) <= _spaces(line[1]))
        said += [] if empty else [line]  # a loop that computes nothing with a name
    yield from reversed(said)


def _legend(lines: Sequence[Numbered]) -> Iterator[Numbered]:
    """How far index letters run, as the glossary says."""
    whole = _NUMBERED.sub(r"\1", " ".join([raw for _, raw in lines]))
    whole = re.sub(" +", " ", _TYPESET.sub(" ", whole))
    yield from ((0, found[0]) for found in _LEGEND.finditer(whole.replace(" ,", ",")))


def _in_steps(lines: Sequence[Numbered]) -> Iterator[Numbered]:
    section = ""
    forward: list[Numbered] = []
    steps: list[Step] = []
    for number, raw in lines:
        section = _section(raw) or section
        if section == "Forward pass":
            forward.append((number, raw))
        elif section == "Backward pass":
            _backward(number, raw, steps)
    yield from _named(forward)
    yield from (line for step in steps for line in _said(step, _handed_on(steps)))
    yield from _zeros(lines)


def _zeros(lines: Sequence[Numbered]) -> Iterator[Numbered]:
    """The gradients that no step finds, as the notes say."""
    yield from ((number, found["line"]) for number, raw in lines if (found := _ZERO.match(raw)))


def _section(line: str) -> str:
    found = _SECTIONS.match(line)
    return found[1] if found and (line.startswith(("\\", "#")) or not line.startswith(" ")) else ""


# -- forward pass: what it calls the parts of loops


def _named(lines: Sequence[Numbered]) -> Iterator[Numbered]:
    """The heads of loops and what is introduced, by their depths, and in loops what only goes by another name there, as
    c[t] that is h[t-1]; nothing of a model without loops."""
    around: list[int] = []
    named: list[tuple[int, Row]] = []
    row: Row | None = None  # that may go on
    for number, raw in lines:
        text = _NUMBER.sub(lambda m: " " * len(m[0]), raw, count=1)
        head, let = _FORWARDS.search(text), _LET.match(text)
        begun = _row(number, " " * let.end() + text[let.end() :] if let else f" {text}")
        if head is None and begun is None:
            if row is not None:
                row.right += _more(_OVERLAP.sub(r"\1", raw), row.column)
            continue
        around = [column for column in around if column < _indented(text)]
        row = begun if let or (begun and around and _OTHER_NAME.fullmatch(begun.right)) else None
        if head is not None:
            row = Row(number, "", f"{head['counter']} = {head['first']}..{head['last'].strip()}:")
        named += [(len(around), row)] if row is not None else []
        around += [_indented(text)] if head is not None else []
    if any(not row.left for _, row in named):
        yield from ((r.number, f"{'    ' * depth}{f'{r.left} =' if r.left else 'for'} {r.right}") for depth, r in named)


def _indented(text: str) -> int:
    return text.partition("=")[0].count("\\quad") if "&" in text else _spaces(text)


def _spaces(text: str) -> int:
    return len(text) - len(text.lstrip())


# -- backward pass


def _backward(number: int, raw: str, steps: list[Step]) -> None:
    """One line more: a new step, a row of the last one, or how a row goes on."""
    heading = _STEP.match(raw)
    if heading is not None:
        steps.append(_step(number, heading, steps))
    elif steps and raw.strip():
        _go_on(steps[-1].rows, number, raw)


def _step(number: int, heading: re.Match[str], steps: Sequence[Step]) -> Step:
    depth = _depth(heading["indent"] or heading["quads"] or "")
    around = next((s for s in reversed(steps) if s.counter), None)
    if around is not None and heading["what"].startswith("$") and around.depth == depth:  # Markdown does not indent
        own = heading["what"].split("$")[1]
        depth += re.search(rf"_(?:{{[^{{}}]*(?:_{{)?)?{around.counter}(?![A-Za-z])", own) is not None
    loop = _BACKWARDS.search(heading["what"]) if "through the loop" in heading["what"] else None
    step = Step(number, depth)
    if loop is not None:
        step.counter, step.first, step.last = loop["counter"], loop["first"], loop["last"].strip()
    return step


def _depth(indent: str) -> int:
    """How many loops are around what is printed behind an indentation."""
    return indent.count("\\quad") or max(0, len(indent) // 2 - 1)


def _go_on(rows: list[Row], number: int, raw: str) -> None:
    row = _row(number, raw)
    if row is not None and rows and not row.left and row.begins == rows[-1].column:
        row.column = row.begins  # a = b that goes on with = c below b
    if row is not None and (row.left if not rows else row.begins == rows[0].begins if row.left else
                            row.column == rows[-1].column):  # a reason may have a = too
        row.left = row.left or rows[-1].left
        rows.append(row)
    elif row is None and rows:
        rows[-1].right += _more(raw, rows[-1].column)


def _more(raw: str, column: int) -> str:
    """How a right side goes on: behind &\\qquad, or in text below where it begins."""
    found = _GOES_ON.match(raw)
    if found is not None:
        return f" {_ROW_END.sub('', found[1])}"
    return f" {_REASON.split(raw.strip())[0]}" if _spaces(raw) == column else ""


def _row(number: int, raw: str) -> Row | None:
    """A row of a display, or of text; None for what is none."""
    raw = _OVERLAP.sub(r"\1", raw)
    if _CELL.search(raw):
        left, right = (c.strip() for c in _CELL.split(_ROW_END.sub("", raw))[:2])
        return Row(number, left, right.removeprefix("=")) if right.startswith(("=", "\\colon")) else None
    found = _ROW.match(raw)
    if found is None or not raw.startswith(" ") or _BEGINS_INSIDE.match(found["left"] or ""):
        return None
    return Row(number, found["left"] or "", _REASON.split(found["right"])[0],
               _spaces(raw), _columns(found["before"]))


def _columns(text: str) -> int:
    """How wide a text is: the tilde above X has no column of its own."""
    return len([c for c in text if not combining(c)])


def _handed_on(steps: Sequence[Step]) -> set[str]:
    """What steps of loops hand on, called as it enters: δ_hₜ^later for δ_hₜ₋₁^later."""
    lefts = [r.left for step in steps for r in step.rows if "later" in r.left]
    return {_OFFSET.sub("", left) for left in lefts if _OFFSET.search(left)}


def _said(step: Step, handed: Collection[str]) -> Iterator[Numbered]:
    """The answers of a step: the results that it comes to, and letters for short. What no step hands on is 0 but at the
    first."""
    indent = "    " * step.depth
    if step.counter:
        for r in [r for r in step.rows if "later" in r.left]:  # what enters holds at the first step alone
            if r.left not in handed:
                second = f"{step.first} {'+' if step.first.isdecimal() else '-'} 1"
                yield r.number, f"{indent}for {step.counter} = {second}..{step.last}:"
                yield r.number, f"{indent}    {r.left} = 0·({r.right})"
            yield r.number, f"{indent}for {step.counter} = {step.first}..{step.first}:"
            yield r.number, f"{indent}    {r.left} = {r.right}"
        yield step.number, f"{indent}for {step.counter} = {step.first}..{step.last}:"
    elif step.rows:
        own = step.rows[-1].left
        results = [r for r in step.rows if r.left == own]
        kept = [r for r in step.rows if r.left == own or not re.search(r"/|\\frac", r.left)]
        chained = len(results) > 1 and step.rows[0] is results[0] and step.rows[1] is not results[1]
        told = [r for r in kept[chained:]
                if r is results[-1] or _LETTER.fullmatch(r.left) or not _ONE_TERM.search(r.right)]
        yield from ((r.number, f"{indent}{r.left} = {r.right}") for r in told)


# -- a board


def _board(lines: Sequence[Numbered]) -> tuple[list[Numbered], list[Numbered]]:
    """The numbered lines of the forward pass, and those below them."""
    last = max((k for k, (_, raw) in enumerate(lines) if _ON_BOARD.match(raw)), default=-1) + 1
    return list(lines[:last]), list(lines[last:]) if last else []


def _is_result(raw: str) -> bool:
    """Whether a row says behind its formula which lines of the forward pass it is made of."""
    behind = " ".join(_REASON.split(raw.strip())[1:])
    if _CELL.search(raw):
        behind = f"{' '.join(_CELL.split(raw)[2:])} {raw.rpartition(_TEXT)[2]}"
    return _MADE_OF.search(behind) is not None and (_GOES_ON.match(raw) is not None or _row(0, raw) is not None)


def _on_a_board(lines: Sequence[Numbered]) -> Iterator[Numbered]:
    forward, backward = _board(lines)
    yield from _named(forward)
    yield from _written([(number, raw) for number, raw in backward if not _ZERO.match(raw)])
    yield from _zeros(backward)


def _written(lines: Sequence[Numbered]) -> Iterator[Numbered]:
    """The results on a board and the letters in them; those in its loop indented below its head, in front of which
    stands what enters it."""
    steps: list[Step] = []
    loop: Step | None = None
    results: set[int] = set()
    for number, raw in lines:
        head = _BACKWARDS.search(raw) if "through the loop" in raw else None
        row = _row(number, raw)
        if head is not None:
            loop = Step(number, 0, head["counter"], head["first"], head["last"].strip())
            steps.append(loop)
        elif "after the loop" in raw:
            loop = None
        elif row is not None and row.left:
            enters = loop is not None and "later" in row.left and not _OFFSET.search(row.left)
            steps += [] if enters else [Step(number, int(loop is not None))]
            (loop if loop is not None and enters else steps[-1]).rows.append(row)
        elif steps:
            _go_on(steps[-1].rows, number, _OVERLAP.sub(r"\1", raw))
        if _is_result(raw):
            results.add(len(steps))
    for place, step in enumerate(steps, 1):
        if step.counter:
            yield from _said(step, _handed_on(steps))
        elif step.rows and (place in results or _LETTER.fullmatch(step.rows[0].left) or "later" in step.rows[0].left):
            own, parts = step.rows[0], _parts(" = ".join(r.right for r in step.rows))
            said = [part for part in parts[:-1] if not _CHAINED.search(part)] + parts[-1:]
            yield own.number, f"{'    ' * step.depth}{own.left} = {' = '.join(said)}"


def _parts(text: str) -> list[str]:
    """What stands between the signs = of a line; one in brackets is a condition or a bound."""
    parts: list[str] = []
    for part in text.split(" = "):
        inside = bool(parts) and sum(c in "([{" for c in parts[-1]) > sum(c in ")]}" for c in parts[-1])
        parts[-1:] = [f"{parts[-1]} = {part}"] if inside else [*parts[-1:], part]
    return parts
