"""Blocks of R's, in braces, and of Julia's and Matlab's, up to an end, as Python indents them: functions, loops and
branches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from symbackprop.model.text.brackets import unclosed, unopened

SIGN = re.compile(r"\bfunction\b|^[ \t]*(?:\}[ \t]*else\b|(?:for|if)[ \t]*\(|end(?:for)?;?[ \t]*$)", re.MULTILINE)
_OF_R = re.compile(r"([A-Za-z][\w.]*)\s*(?:<-|=)\s*function\s*\(")
_NAMED = re.compile(r"function\s+(?:\[?\s*(\w+)[\w,\s]*\]?\s*=\s*)?(\w+)\s*\((.*)\)\s*;?$")
_CONDITION = re.compile(r"((?:else\s+)?if|for)\s*\(")
_COUNTED = re.compile(r"for\s+(\w+)\s*(?:=|in|∈)\s*([^:]+):([^:]+?)\s*[,;]?$")
_EACH = re.compile(r"for\s+(\w+)\s+(?:in|=|∈)\s+eachindex\((.+)\)$")
_STATES = re.compile(r"(?:return|for|if|elif|else|def)\b|[A-Za-z][\w.]*(?:\[[^\[\]]*\])?\s*(?:<-|=(?!=))")
_GIVEN = re.compile(r"[A-Za-z][\w.]*\s*(?:<-|=(?!=))\s*")  # what a last statement of R's gives a name is its value
_RANGES = (
    (re.compile(r"seq_len\((.+)\)$"), r"1..\1"), (re.compile(r"seq_along\((.+)\)$"), r"1..len(\1)"),
    (re.compile(r"([^:]+):([^:]*[\w)\]])\s*([-+]\s*\w+)$"), r"\1 \3..\2 \3"),  # : binds more strongly
    (re.compile(r"([^:]+):([^:]+)$"), r"\1..\2"),
)
_GOES_ON = re.compile(r"[\w)\]]\s*(?:[-+*/]|%\*%)$")
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


def indented(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
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
        self.goes_on = _GOES_ON.search(text) is not None and not self.depth
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
            if not _STATES.match(text):
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
    if end >= len(text) or (of_r is None and rest[:1] != "{" and not _STATES.match(rest)):
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
