"""What stands around the lines of a pasted text: prompts and what an interpreter answers, fences of Markdown with the
words outside of them, numbers of lines, marks of lists and quotes, commands of notebooks, other languages' comments
and blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import TypeAlias

from symbackprop.model.text.brackets import unclosed, unopened
from symbackprop.patterns import lazy

Changed: TypeAlias = Iterator[tuple[int, str]]  # places of lines, and what is left of them
Way: TypeAlias = tuple[re.Pattern[str], Callable[[list[str]], Changed], str]  # the sign of it, where, what is told

_KEYWORD = r"(?:dim|data|input|param|const|function|loss|output|notation|convention)\s+[^\W\d]"
_TARGET = r"[^\W\d][\w.]*(?:\[[^\[\]]*\])?"
# what begins an equation or a declaration
_STATES = rf"(?:{_KEYWORD}|(?:(?:loss|output)\s+)?{_TARGET}(?:\s*,\s*{_TARGET})*\s*(?:[-+*/@:]?=(?!=)|<-))"
_CODE = r"(?:def|for|if|with|import|from|return|class)\b|@\w|#"
_PROMPT = lazy(r"\s*(>>>|In \[\d*\]:|\.\.\.:?)(?: |$)")
_ANSWER = lazy(r"\s*Out\[\d*\]:")
FENCE = lazy(r"\s*(?:```|~~~)")
_NUMBER = lazy(r"\s*\(?(\d+)(?:[:.)|](?!\d)|(?=\s)|$)(.*)")
_COMMENT = lazy(r"^\s*(?:%(?!\S?%|\w+%)|%%[a-z]|//|![a-z]|/\*(?!.*\*/\s*\S)).*|(?<=;)\s*(?:%|//)[^\"]*$")
_BLOCK = lazy(r"[^#\"]*?(/\*)")
# what the next line belongs to, as in Python and Matlab, whose dots a comment may follow; dots in a comment are none
GOES_ON = lazy(r"\A((?:[^#\"]|\"[^\"]*\")*?)(?:\\\s*|\.\.\.\s*(?:%.*)?)\Z")


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
    return lazy(rf"^[ \t]*(?:{pattern})", re.MULTILINE)


def around(states: str, marks: str) -> tuple[Way, ...]:
    """How what stands around single lines is found in a text whose statements, and marks beside numbers, begin so."""
    statement, code = lazy(rf"\s*{states}"), lazy(rf"\s*(?:{states}|{_CODE})")
    mark = lazy(rf"^(\s*)(?:{marks}|\d+[.)]|\(\d+\))\s+(?={states})")
    return (
        (_sign(r">>>|In \[|Out\["), partial(_prompts, statement),
         "what stands behind the prompts is read, without what was answered"),
        (_sign(r"\(?\d"), partial(_numbers, code), "the numbers of the lines are left out"),
        (_sign(rf"{marks}|[(\d]"), _each(mark, r"\1"), "marks in front of equations are left out"),
    )


# -- blocks of R's, in braces, and of Julia's and Matlab's, up to an end, as Python indents them
_IN_BLOCKS = lazy(r"\bfunction\b|^[ \t]*(?:\}[ \t]*else\b|(?:for|if)[ \t]*\(|end(?:for)?;?[ \t]*$)", re.MULTILINE)
_OF_R = lazy(r"([A-Za-z][\w.]*)\s*(?:<-|=)\s*function\s*\(")
_NAMED = lazy(r"function\s+(?:\[?\s*(\w+)[\w,\s]*\]?\s*=\s*)?(\w+)\s*\((.*)\)\s*;?$")
_CONDITION = lazy(r"((?:else\s+)?if|for)\s*\(")
_COUNTED = lazy(r"for\s+(\w+)\s*(?:=|in|∈)\s*([^:]+):([^:]+?)\s*[,;]?$")
_EACH = lazy(r"for\s+(\w+)\s+(?:in|=|∈)\s+eachindex\((.+)\)$")
_BEGINS = lazy(r"(?:return|for|if|elif|else|def)\b|[A-Za-z][\w.]*(?:\[[^\[\]]*\])?\s*(?:<-|=(?!=))")
_GIVEN = lazy(r"[A-Za-z][\w.]*\s*(?:<-|=(?!=))\s*")  # what a last statement of R's gives a name is its value
_RANGES = (
    (lazy(r"seq_len\((.+)\)$"), r"1..\1"), (lazy(r"seq_along\((.+)\)$"), r"1..len(\1)"),
    (lazy(r"([^:]+):([^:]*[\w)\]])\s*([-+]\s*\w+)$"), r"\1 \3..\2 \3"),  # : binds more strongly
    (lazy(r"([^:]+):([^:]+)$"), r"\1..\2"),
)
_IS_CUT = lazy(r"[\w)\]]\s*(?:[-+*/]|%\*%)$")
_OTHERS = ("elif ", "else:")
_DEEPEST = 20  # what is deeper is refused
_CLOSES = ("end", "end;", "endfunction", "endfor")


@dataclass
class _Block:
    """One that is open: whether braces are around it, whether it is a function, the result that its head names, and the
    lines of its last statement, those of all branches."""

    braced: bool
    is_function: bool = False
    result: str = ""
    is_branch: bool = False
    last: list[int] = field(default_factory=list)


def _indented(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The lines of blocks, each with its place, and those in front of them."""
    reader = _Blocks(lines)
    for k in range(len(lines)):
        reader.line(k)
    while reader.open:
        reader.close(len(lines) - 1)
    return iter([(k, text) for k, text in enumerate(reader.lines) if text != lines[k]])


class _Blocks:
    """Goes through lines from above."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = [*lines]
        self.has_ends = any(line.partition("#")[0].strip() in _CLOSES for line in lines)  # as of for i = 1:n
        self.open: list[_Block] = []
        self.depth = 0  # of brackets that are open
        self.goes_on = False  # the statement on the line before

    def line(self, k: int) -> None:
        code, sign, comment = self.lines[k].partition("#")
        text = code.strip()
        ended = text.startswith("}") and bool(self.open)
        while text.startswith("}") and self.open:
            text = text[1:].lstrip()
            self.close(k)
        if text in _CLOSES and self.open and not self.open[-1].braced:
            text = ""
            self.lines[k] = ""
            self.close(k)
            return
        closes = text.endswith("}") and "{" not in text and bool(self.open)
        text = text[:-1].rstrip() if closes else text
        head = None if self.depth else _head(text, self.has_ends)
        text = text if head is None else head[0]
        if self.open and text and not self.depth and not self.goes_on:
            last = self.open[-1].last
            if not text.startswith(_OTHERS):
                last.clear()
            last.append(k)
        self.goes_on = _IS_CUT.search(text) is not None and not self.depth
        if self.open or ended or head is not None:
            text += " \\" * self.goes_on
            self.lines[k] = f"{'    ' * min(len(self.open), _DEEPEST)}{text}" + (f"  {sign}{comment}" if sign else "")
        self.depth = max(self.depth + sum(map(text.count, "([")) - sum(map(text.count, ")]")), 0)
        if head is not None and head[1] is not None:
            self.open.append(head[1])
        if closes:
            self.close(k)

    def close(self, k: int) -> None:
        """The end of a block: of a function its result, or its last statement, is what it returns."""
        block = self.open.pop()
        if block.result:
            text = self.lines[k].rstrip().removesuffix(";")
            self.lines[k] = f"{text}; return {block.result}" if text else f"    return {block.result}"
        elif block.is_branch and self.open:
            self.open[-1].last += block.last
        for last in block.last if block.is_function and not block.result else ():
            line = self.lines[last]
            text = _GIVEN.sub("", line.lstrip()) if block.braced else line.lstrip()
            if not _BEGINS.match(text):
                self.lines[last] = f"{line[: len(line) - len(line.lstrip())]}return {text}"


def _head(text: str, has_ends: bool) -> tuple[str, _Block | None] | None:
    """The head of a block as Python writes it, with the block where it goes on below; None for any other line."""
    if (named := _NAMED.match(text)) is not None:
        return f"def {named[2]}({named[3]}):", _Block(False, True, named[1] or "")
    if has_ends and (counted := _COUNTED.match(text)) is not None and ".." not in text:
        return f"for {counted[1]} in {counted[2].strip()}..{counted[3].strip()}:", _Block(False)
    if has_ends and (each := _EACH.match(text)) is not None:
        return f"for {each[1]} in 1..len({each[2]}):", _Block(False)
    if re.match(r"else\s*\{$", text):
        return "else:", _Block(True, is_branch=True)
    of_r, condition = _OF_R.match(text), _CONDITION.match(text)
    found = of_r or condition
    if found is None:
        return None
    end = found.end() + unopened(text[found.end() :])
    inside, rest = text[found.end() : end], text[end + 1 :].strip()
    if end >= len(text) or (of_r is None and rest[:1] != "{" and not _BEGINS.match(rest)):
        return None
    if of_r is not None:
        return _with_rest(f"def {of_r[1].replace('.', '_')}({inside}):", rest, is_function=True)
    word = condition[1] if condition is not None else ""
    words = {"for": f"for {_counted(inside)}:", "if": f"if {inside}:"}
    return _with_rest(words.get(word, f"elif {inside}:"), rest)


def _with_rest(head: str, rest: str, is_function: bool = False) -> tuple[str, _Block | None] | None:
    """A head with what stands behind it: a brace, or all of the block."""
    if rest == "{":
        return head, _Block(True, is_function, is_branch=head.startswith(("if ", "elif ")))
    inside = rest[1:-1].strip() if rest.startswith("{") and rest.endswith("}") else rest
    if not inside or unclosed(inside) or "{" in inside:
        return None
    return f"{head} {inside}" if not is_function or inside.startswith("return") else f"{head} return {inside}", None


def _counted(inside: str) -> str:
    """``t in 1..n`` for ``t in 1:n`` and ``t in seq_len(n)``."""
    name, _, over = inside.partition(" in ")
    for pattern, written in _RANGES:
        if pattern.match(over.strip()):
            return f"{name} in {pattern.sub(written, over.strip())}"
    return inside


_WAYS: tuple[Way, ...] = (
    (_IN_BLOCKS, _indented, "what stands in braces, or up to an end, is read as lines that are indented"),
    (_sign("```|~~~"), partial(_fences, lazy(rf"\s*(?:{_STATES}|{_CODE})")),
     "of the text around the code the equations and declarations are read"),
    *around(_STATES, "[-*+•>]"),
    (lazy(r"/\*"), _blocks, "comments of other languages are passed over"),
    (_sign(r"[%/!]|(?:[^\s;].*)?;[ \t]*[%/]"), _each(_COMMENT, ""),
     "commands of notebooks and comments of other languages are passed over"),
)
