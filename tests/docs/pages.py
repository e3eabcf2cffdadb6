"""A page of the documentation as what can be tried: its blocks, the commands in its text, its links.

HTML comments, which no reader sees, say what a block is for:

    <!-- file: net.sbp -->            the block is written to that file
    <!-- output: symbackprop … -->    the command succeeds and prints the block; a line … stands for any lines
    <!-- fails 3: symbackprop … -->   the command ends with that exit code and prints the block
    <!-- output -->                   the Python block above prints it
    <!-- edit: net.py: old => new -->   belongs to no block: the file is edited
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"<!-- (file|output|fails \d)(?:: (.*?))? -->\s*\Z")
_SPAN = re.compile(r"<!-- edit: (?P<file>[\w.]+): (?P<old>.*?) => (?P<new>.*?) -->|(?<!`)`(?P<code>[^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PLACEHOLDER = re.compile(r"\b(MODEL|FILE|ANSWERS|FOLDER|NAME|N)\b(?!=)|…")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``role`` and ``argument`` come from the comment before it."""

    line: int
    language: str
    text: str
    role: str
    argument: str


@dataclass(frozen=True)
class Span:
    """Code within the text."""

    line: int
    text: str

    @property
    def is_mention(self) -> bool:
        """Whether a command is only named: it has placeholders, or nothing to work on."""
        return bool(_PLACEHOLDER.search(self.text)) or len(self.text.split()) < 3


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Edit:
    """A change of a file that an earlier command has written."""

    line: int
    file: str
    old: str
    new: str


def items(text: str) -> Iterator[Block | Span | Edit]:
    """Blocks, code spans and edits in the order of the page."""
    place = 0
    for fence in _FENCE.finditer(text):
        before = text[place : fence.start()]
        yield from _spans(text, place, fence.start())
        marker = _MARKER.search(before)
        role, argument = (marker.group(1), marker.group(2) or "") if marker else ("", "")
        yield Block(line_of(text, fence.start()), fence.group(1), fence.group(2), role, argument)
        place = fence.end()
    yield from _spans(text, place, len(text))


def _spans(text: str, start: int, stop: int) -> Iterator[Span | Edit]:
    for span in _SPAN.finditer(text, start, stop):
        line = line_of(text, span.start())
        yield Span(line, span["code"]) if span["code"] else Edit(line, span["file"], span["old"], span["new"])


def line_of(text: str, place: int) -> int:
    """The number of the line at a place."""
    return text.count("\n", 0, place) + 1


def commands(block: str) -> Iterator[str]:
    """The command lines of a block, without comments."""
    for line in block.splitlines():
        command = re.sub(r"\s+#.*", "", line)
        if command.startswith("symbackprop "):
            yield command


def links(text: str) -> list[str]:
    """Where a page's links lead, those to other sites left out."""
    return [target for target in _LINK.findall(_FENCE.sub("", text)) if "://" not in target]


def anchors(text: str) -> set[str]:
    """The places of a page that links can name, as code-hosting sites spell them."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
