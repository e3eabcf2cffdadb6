"""What stands around the lines of a pasted text: prompts and what an interpreter answers, fences of Markdown with the
words outside of them, numbers of lines, marks of lists and quotes, commands of notebooks, other languages' comments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import takewhile
from typing import TypeAlias

from symbackprop.model.text import blocks

Changed: TypeAlias = Iterator[tuple[int, str]]  # places of lines, and what is left of them
Way: TypeAlias = tuple[re.Pattern[str], Callable[[list[str]], Changed], str]  # the sign of it, where, what is told

_KEYWORD = r"(?:dim|data|input|param|const|function|loss|output|notation|convention)\s+[^\W\d]"
_TARGET = r"[^\W\d][\w.]*(?:\[[^\[\]]*\])?"
# what begins an equation or a declaration
_STATES = rf"(?:{_KEYWORD}|(?:(?:loss|output)\s+)?{_TARGET}(?:\s*,\s*{_TARGET})*\s*(?:[-+*/@:]?=(?!=)|<-))"
_CODE = r"(?:def|for|if|with|import|from|return|class)\b|@\w|#"
_PROMPT = re.compile(r"\s*(>>>|In \[\d*\]:|\.\.\.:?)(?: |$)")
_ANSWER = re.compile(r"\s*Out\[\d*\]:")
FENCE = re.compile(r"\s*(?:```|~~~)")
_NUMBER = re.compile(r"\s*\(?(\d+)(?:[:.)|](?!\d)|(?=\s)|$)(.*)")
_COMMENT = re.compile(r"^\s*(?:%(?!\S?%|\w+%)|%%[a-z]|//|![a-z]|/\*(?!.*\*/\s*\S)).*|(?<=;)\s*(?:%|//)[^\"]*$")
_BLOCK = re.compile(r"[^#\"]*?(/\*)")
# what the next line belongs to, as in Python and Matlab, whose dots a comment may follow; dots in a comment are none
GOES_ON = re.compile(r"\A((?:[^#\"]|\"[^\"]*\")*?)(?:\\\s*|\.\.\.\s*(?:%.*)?)\Z")


def unwrapped(lines: list[str], ways: Sequence[Way] = ()) -> tuple[list[str], dict[int, str]]:
    """The lines without what stands around them, and what is told of it, by the number of the first such line; in the
    ways of model text, if no others are given."""
    told, text = dict[int, str](), "\n".join(lines)
    for sign, find, says in ways or _WAYS:
        changed = dict(find(lines)) if sign.search(text) else {}
        if changed:
            told[min(changed) + 1] = says
            lines = [changed.get(k, line) for k, line in enumerate(lines)]
    return lines, told


def _prompts(states: re.Pattern[str], lines: list[str]) -> Changed:
    """Behind a prompt stands a line; what follows it without one, and states nothing, is an answer."""
    below = False
    for k, line in enumerate(lines):
        prompt = _PROMPT.match(line)
        if prompt is not None and (below or not prompt[1].startswith("...")):
            below = True
            yield k, line[prompt.end() :]
        elif _ANSWER.match(line) or (below and line.strip() and not states.match(line)):
            yield k, ""
        below = below and bool(line.strip())


def _fences(code: re.Pattern[str], lines: list[str]) -> Changed:
    """Fences, and outside of them what is neither equation nor declaration."""
    fences = [k for k, line in enumerate(lines) if FENCE.match(line)]
    for k, line in enumerate(lines if fences else ()):
        outside = sum(fence < k for fence in fences) % 2 == 0
        if k in fences or (outside and line.strip() and not code.match(line)):
            yield k, ""


def _numbers(code: re.Pattern[str], lines: list[str]) -> Changed:
    """Numbers in front of lines of code that count up, two or more."""
    k = 0
    while k < len(lines):
        run = list(takewhile(lambda at: at[1] is not None, ((j, _numbered(lines, k, j)) for j in range(k, len(lines)))))
        rests = [rest or "" for _, rest in run]
        if len(run) > 1 and code.match(rests[0]):
            common = min(len(rest) - len(rest.lstrip()) for rest in rests if rest.strip())
            yield from ((j, (rest or "")[common:]) for j, rest in run)
        k += max(len(run), 1)


def _numbered(lines: Sequence[str], first: int, place: int) -> str | None:
    """What stands behind the number of a line; None where that does not count on from the first one's."""
    begin, found = _NUMBER.match(lines[first]), _NUMBER.match(lines[place])
    counts = begin is not None and found is not None and int(found[1]) - int(begin[1]) == place - first
    return found[2] if counts and found is not None else None


def _each(pattern: re.Pattern[str], left: str) -> Callable[[list[str]], Changed]:
    """The lines, begun outside of brackets, that go on with none, in which a pattern is found, with what is left."""
    def find(lines: list[str]) -> Changed:
        depth, continued = 0, False
        for k, line in enumerate(lines):
            if not depth and not continued and pattern.search(line):
                yield k, pattern.sub(left, line, count=1)
            code, continued = line.partition("#")[0], GOES_ON.match(line) is not None
            depth = max(depth + sum(map(code.count, "([")) - sum(map(code.count, ")]")), 0)

    return find


def _blocks(lines: list[str]) -> Changed:
    """Comments between ``/*`` and ``*/`` on several lines."""
    begun = None
    for k, line in enumerate(lines):
        opens = _BLOCK.match(line) if begun is None else None
        if begun is not None and "*/" in line:
            yield from [*begun.items(), (k, line.partition("*/")[2])]
            begun = None
        elif begun is not None:
            begun[k] = ""
        elif opens is not None and "*/" not in line[opens.end() :]:
            begun = {k: line[: opens.start(1)]}


def _sign(pattern: str) -> re.Pattern[str]:
    """What a line begins with where there may be something to leave out."""
    return re.compile(rf"^[ \t]*(?:{pattern})", re.MULTILINE)


def around(states: str, marks: str) -> tuple[Way, ...]:
    """How what stands around single lines is found in a text whose statements, and marks beside numbers, begin so."""
    statement, code = re.compile(rf"\s*{states}"), re.compile(rf"\s*(?:{states}|{_CODE})")
    mark = re.compile(rf"^(\s*)(?:{marks}|\d+[.)]|\(\d+\))\s+(?={states})")
    return (
        (_sign(r">>>|In \[|Out\["), partial(_prompts, statement),
         "what stands behind the prompts is read, without what was answered"),
        (_sign(r"\(?\d"), partial(_numbers, code), "the numbers of the lines are left out"),
        (_sign(rf"{marks}|[(\d]"), _each(mark, r"\1"), "marks in front of equations are left out"),
    )


_WAYS: tuple[Way, ...] = (
    (blocks.SIGN, blocks.indented, "what stands in braces, or up to an end, is read as lines that are indented"),
    (_sign("```|~~~"), partial(_fences, re.compile(rf"\s*(?:{_STATES}|{_CODE})")),
     "of the text around the code the equations and declarations are read"),
    *around(_STATES, "[-*+•>]"),
    (re.compile(r"/\*"), _blocks, "comments of other languages are passed over"),
    (_sign(r"[%/!]|(?:[^\s;].*)?;[ \t]*[%/]"), _each(_COMMENT, ""),
     "commands of notebooks and comments of other languages are passed over"),
)
