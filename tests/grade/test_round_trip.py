"""Every printed gradient is right when it is given as an answer: derivations print what grade reads, line for line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from symbackprop.core import maths as m
from symbackprop.grade import grade
from symbackprop.model.zoo import build, names
from symbackprop.render.document import Document, Line, Step
from symbackprop.render.print.text import text
from tests.render.helpers import document


def answers(doc: Document) -> list[str]:
    """The gradients of a document as a person would hand them in, after what the document calls the parts of loops."""
    named = ["    " * e.depth + _equation(e.line) for e in doc.forward if e.introduced and e.depth]
    heads = ["for t = 1..T:"] if named else []
    return [*heads, *named, *[line for s in doc.steps for line in _step(s)]]


def _step(s: Step) -> Iterator[str]:
    if s.role == "loop":  # what enters at the last step stands before the loop
        yield from (_equation(x).replace("ₜ^later", "[T]^later") for x in s.lines if x.kind == "definition")
        yield "for t = T..1:"
        return
    left: m.Math | None = None
    for line in s.lines:
        left = line.left if line.left is not None else left
        if line.kind in ("result", "layout") and line.sign == "=" and left is not None and not _is_stack(line.right):
            yield "    " * s.depth + f"{text(left)} = {text(line.right)}"


def _is_stack(tree: m.Math) -> bool:
    """Whether a line only says that a gradient is the stack of those of all steps."""
    return isinstance(tree, m.AtStep) and isinstance(tree.steps, m.Range)


def _equation(line: Line) -> str:
    assert line.left is not None
    return f"{text(line.left)} = {text(line.right)}"


@pytest.mark.parametrize("view", ["auto", "matrix"])
@pytest.mark.parametrize("name", names())
def test_every_printed_gradient_is_right(name: str, view: str) -> None:
    doc = document(name, view=view)
    if view == "matrix" and doc.view == document(name).view:
        return
    lines = answers(doc)
    report = grade(build(name), "\n".join(lines))
    assert not report.unread, report.unread
    given = [item for item in report.items if item.given]
    assert not [(i.given, i.read_as, i.finding and i.finding.says) for i in given if i.verdict != "right"]
    assert not [item.name for item in report.items if item.required and not item.given]
