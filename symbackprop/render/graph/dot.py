"""The graph in the DOT language of Graphviz, for those who want another layout: values green and first, gradients red,
in italics and last; local gradients blue, on the edges; loops and blocks are clusters."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from symbackprop.core.maths import Rounded
from symbackprop.render.graph.picture import BELOW, ON_EDGES, Box, Frame, Picture
from symbackprop.render.graph.sizes import factor_text
from symbackprop.render.graph.svg import runs_down
from symbackprop.render.print.text import text

SHAPES = {
    "param": 'shape=box, style="rounded,filled", fillcolor="#fdf3df", color="#8a5a00"',
    "data": 'shape=parallelogram, style=filled, fillcolor="#eaf1fb", color="#2b5797"',
    "input": 'shape=parallelogram, peripheries=2, style=filled, fillcolor="#eaf1fb", color="#2b5797"',
    "carry": "shape=box, style=dashed",
    "loss": "shape=box, penwidth=2.5",
    "output": "shape=box, penwidth=2.5",
}
SHAPES |= {kind: SHAPES["data"] for kind in ("constant", "upstream", "element")}
GATE = "shape=circle"
VALUE, GRADIENT = '<font color="#0a6b3d">{}</font>', '<font color="#b3261e"><i>{}</i></font>'
FACTOR = '<font color="#1f4f8f">{}</font>'
KEY = f"on edges: {ON_EDGES}; below a node: {BELOW}"


def to_dot(picture: Picture) -> str:
    """A digraph; every name and number is quoted or escaped."""
    direction = "TB" if runs_down(picture) else "LR"
    return "\n".join([
        f"digraph {quoted(picture.title)} {{",
        f"  rankdir={direction}; compound=true;",
        '  node [fontname="serif", margin="0.12,0.06"]; edge [color="#5d6673"];',
        *_level(picture, "  "),
        *([f"  labelloc=b; label={quoted(KEY)};"] if any(picture.factors()) else []),
        "}", "",
    ])


def _level(picture: Picture, indent: str) -> Iterator[str]:
    for item in picture.items:
        if isinstance(item, Frame):
            yield f"{indent}subgraph {quoted('cluster ' + item.key)} {{"
            yield f"{indent}  label={quoted(f'{item.title.text}   {item.note}'.rstrip())}; style=dashed;"
            yield from _level(item.inside, indent + "  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{quoted(item.key)} [label=<{_label(item)}>, {_shape(item)}];"
    frames = {item.key: item for item in picture.items if isinstance(item, Frame)}
    for wire in picture.wires:
        source, target = frames.get(wire.source), frames.get(wire.target)
        ends = quoted(_end(source, -1) or wire.source), quoted(_end(target, 0) or wire.target)
        options = ["style=dashed, constraint=false"] if wire.back else []
        options += [f"ltail={quoted('cluster ' + source.key)}"] if source else []
        options += [f'label=<{FACTOR.format(escape(factor_text(wire).text))}>'] if wire.is_labelled else []
        options += [f"lhead={quoted('cluster ' + target.key)}"] if target else []
        yield f"{indent}{ends[0]} -> {ends[1]}" + (f" [{', '.join(options)}]" if options else "") + ";"


def _end(frame: Frame | None, place: int) -> str | None:
    """A box inside a cluster on which wires to the cluster are hung."""
    return None if frame is None else list(frame.inside.boxes())[place].key


def _shape(box: Box) -> str:
    if box.symbol:
        return GATE + (", penwidth=2.5" if box.kind in ("loss", "output") else "")
    return SHAPES.get(box.kind, 'shape=box, style="rounded"')


def _label(box: Box) -> str:
    equation = f"{box.name.text}: {box.symbol.text}" if box.symbol else box.equation.text
    lines = [VALUE.format(escape(v)) for v in _lines(box.value)]
    lines.append(escape(equation))
    lines += [f'<font point-size="10">{escape(box.shape.text)}</font>'] if box.shape else []
    lines += [GRADIENT.format(escape(g)) for g in _lines(box.gradient)]
    return "<br/>".join(lines)


def _lines(value: Rounded | None) -> list[str]:
    return text(value).splitlines() if value else []


def quoted(text: str) -> str:
    """A DOT string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
