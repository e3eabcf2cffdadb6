"""SVG of a picture: standalone with its own colours, or a fragment that takes the colours of the page around it.

Forward values stand above the wire that leaves a box (above the rule beside it when the drawing runs down), upright;
gradients below it, in italics and another colour; on a wire the local gradient, with × before it. Parameters are
rounded at the ends, data slanted, gates round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from xml.sax.saxutils import escape, quoteattr

from symbackprop.core.maths import Rounded
from symbackprop.core.printer import Text
from symbackprop.render.graph.layout import Curve, PlacedBox, PlacedFrame, Point, lay_out
from symbackprop.render.graph.picture import BELOW, KINDS, ON_EDGES, Box, Picture
from symbackprop.render.graph.sizes import (
    BLANK,
    FACTOR,
    FORMULA,
    LINE,
    NAME,
    NUMBER,
    NUMBER_LINE,
    SHAPE,
    SMALL,
    SYMBOL,
    factor_text,
    labels_size,
    lines_of,
    shape_size,
    width,
)
from symbackprop.render.graph.typesetting import lines, runs_of
from symbackprop.resources import templates

SLANT = 9.0

# ---------------------------------------------------------------- shapes


def rounded(x: float, y: float, w: float, h: float, radius: float = 8.0) -> str:
    """A rectangle with round corners: computed rows."""
    return (
        f'<rect class="g-shape" x="{number(x - w / 2)}" y="{number(y - h / 2)}" '
        f'width="{number(w)}" height="{number(h)}" rx="{number(radius)}"/>'
    )


def pill(x: float, y: float, w: float, h: float) -> str:
    """Round at both ends: parameters."""
    return rounded(x, y, w, h, h / 2)


def circle(x: float, y: float, w: float, h: float) -> str:
    """Gates."""
    return f'<circle class="g-shape" cx="{number(x)}" cy="{number(y)}" r="{number(h / 2)}"/>'


def slanted(x: float, y: float, w: float, h: float) -> str:
    """A parallelogram: data."""
    left, right, top, bottom = x - w / 2, x + w / 2, y - h / 2, y + h / 2
    corners = [(left + SLANT, top), (right, top), (right - SLANT, bottom), (left, bottom)]
    return f'<path class="g-shape" d="M{"L".join(map(point, corners))}Z"/>'


def doubled(x: float, y: float, w: float, h: float) -> str:
    """A parallelogram with a second line inside: data whose gradient is wanted."""
    return slanted(x, y, w, h) + slanted(x, y, w - 9.0, h - 6.0)


SHAPES: dict[str, Callable[[float, float, float, float], str]] = {
    "param": pill, "data": slanted, "element": slanted, "constant": slanted, "upstream": slanted, "input": doubled,
    "gate": circle,
}


# ---------------------------------------------------------------- text

SHIFT = {0: 0.0, 1: 0.26, -1: -0.36}  # how far scripts stand below the line
MATHEMATICAL = {"g-formula", "g-name", "g-symbol"}


def text(x: float, y: float, content: Text, kind: str, size: float, anchor: str = "start") -> str:
    """A line of text with its subscripts lowered."""
    if not content.text:
        return ""
    mathematical = kind in MATHEMATICAL
    spans, level = "", 0
    for (here, slanted, rooted), runs in groupby(runs_of(content), lambda run: run[1:]):
        shift = SHIFT[here] * size - SHIFT[level] * size
        attributes = f' dy="{number(shift)}"' if shift else ""
        attributes += f' font-size="{number(size * SMALL)}"' if here else ""
        attributes += ' class="g-var"' if slanted and mathematical else ""
        words = escape("".join([run.text for run in runs]))
        words = words.replace("√", '<tspan fill="none">√</tspan>') if rooted else words
        spans += f"<tspan{attributes}>{words}</tspan>" if attributes else words
        level = here
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    where = f'x="{number(x)}" y="{number(y)}" font-size="{number(size)}"{place}'
    return f'<text class="{kind}" {where} xml:space="preserve">{spans}</text>{radicals(x, y, content, size, anchor)}'


def radicals(x: float, y: float, content: Text, size: float, anchor: str) -> str:
    """The signs of roots with the bars over what they are taken of, drawn: no font's sign meets a bar."""
    start, found = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width(content, size), ""
    for rooted, runs in groupby(runs_of(content), lambda run: run.rooted):
        wide = width(Text("", runs=tuple(runs)), size)
        if rooted:
            sign = 0.55 * size
            path = (f"M{number(start)} {number(y - 0.3 * size)}l{number(0.2 * sign)} {number(-0.08 * size)}"
                    f"L{number(start + 0.55 * sign)} {number(y + 0.08 * size)}L{number(start + 0.95 * sign)} "
                    f"{number(y - 0.85 * size)}H{number(start + wide)}")
            found += f'<path class="g-root" d="{path}"/>'
        start += wide
    return found


def equation(box: Box, x: float, y: float) -> str:
    """The equation of a box and its shape below, around a middle."""
    lines = lines_of(box)
    high = LINE * len(lines) + (14.0 if box.shape else 0.0)
    top = y - high / 2
    parts = [text(x, top + 14.0 + LINE * k, line, "g-formula", FORMULA, "middle") for k, line in enumerate(lines)]
    if box.shape:
        parts.append(text(x, top + LINE * len(lines) + 10.0, box.shape, "g-dim", SHAPE, "middle"))
    return "".join(parts)


def matrix(x: float, y: float, width: float, value: Rounded | None, kind: str) -> str:
    """Numbers from the top ``y`` down, in the middle of ``width``; a matrix gets tall brackets."""
    rows = lines(value)
    middle = x + width / 2
    parts = [text(middle, y + NUMBER_LINE * k + 12.5, row, kind, NUMBER, "middle") for k, row in enumerate(rows)]
    if len(rows) > 1:
        high = NUMBER_LINE * len(rows)
        parts.append(
            f'<path class="{kind}-line" d="M{point((x + 4, y + 1))}h-4v{number(high - 1)}h4'
            f'M{point((x + width - 4, y + 1))}h4v{number(high - 1)}h-4"/>'
        )
    return "".join(parts)


# ---------------------------------------------------------------- numbers and points


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    digits = f"{value:.1f}"
    return digits.removesuffix(".0").replace("-0.0", "0")


def point(p: Point) -> str:
    return f"{number(p[0])} {number(p[1])}"


def near(corner: Point, other: Point) -> Point:
    """A point on the way from a corner to another point, where the corner begins to be round."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    share = min(1.0, 7.0 / max(abs(dx), abs(dy), 1e-9))
    return corner[0] + dx * share, corner[1] + dy * share


SIZE = 12.0
ROW = 24.0
KEY = KINDS | {"input": f"{KINDS['input']} (gradient wanted)"}


def draw_legend(picture: Picture, x: float, y: float, wide: float) -> tuple[str, float, float]:
    """The key in rows no wider than ``wide``; its text, width and height."""
    parts, left, widest, rows = [], 0.0, 0.0, 1
    for write, size in _entries(picture):
        if left and left + size > wide:
            left, rows = 0.0, rows + 1
        parts.append(write(x + left, y + ROW * (rows - 1)))
        left += size
        widest = max(widest, left)
    return f'<g class="g-legend">{"".join(parts)}</g>', widest, ROW * rows + 12.0


Entry = tuple[Callable[[float, float], str], float]


def _entries(picture: Picture) -> list[Entry]:
    kinds = {b.kind for b in picture.boxes()}
    entries = [_shape(kind, Text(words)) for kind, words in KEY.items() if kind in kinds]
    if picture.numeric:
        entries.append(_number("g-value", Text("value"), Text("above: forward")))
        entries.append(_number("g-gradient", Text("gradient"), Text("below: backward")))
    if any(picture.factors()):
        entries.append(_number("g-local", Text("× local"), Text(f"on edges: {ON_EDGES}")))
        entries.append(_number("g-note", Text(f"below a node: {BELOW}"), Text("")))
    return entries


def _shape(kind: str, words: Text) -> Entry:
    def write(x: float, y: float) -> str:
        shape = SHAPES.get(kind, rounded)
        wide = 14.0 if kind == "gate" else 26.0
        sign = shape(x + 13.0, y, wide, 14.0) if kind not in ("row", "loss", "output", "carry", "block") else (
            rounded(x + 13.0, y, wide, 14.0, 4.0)
        )
        return f'<g class="g-{kind}">{sign}</g>' + text(x + 34.0, y + 4.0, words, "g-note", SIZE)

    return write, 34.0 + width(words, SIZE) + 22.0


def _number(kind: str, word: Text, words: Text) -> Entry:
    def write(x: float, y: float) -> str:
        first = width(word, SIZE) + 8.0
        return text(x, y + 4.0, word, kind, SIZE) + text(x + first, y + 4.0, words, "g-note", SIZE)

    return write, width(word, SIZE) + 8.0 + width(words, SIZE) + 22.0


MARGIN = 22.0
ROOM = 1100.0  # unconnected parts that are wider together stand in several rows
NARROW, MEDIUM = 480.0, 800.0  # what a page may shrink to fit
DEPTH = 12  # a circuit with more layers than this runs down the page


def to_svg(picture: Picture, down: bool | None = None, heading: str = "") -> str:
    """A standalone SVG document. ``down`` is the direction (None: circuits run to the right, all else down)."""
    return Writer(picture, runs_down(picture) if down is None else down).document(heading or picture.title)


def svg_fragment(picture: Picture, down: bool = True, anchors: Mapping[str, str] | None = None,
                 steps: Mapping[str, str] | None = None, key: bool = True) -> str:
    """An ``<svg>`` element for a page: no colours of its own; a box links to the anchor of its row's name and knows
    that of the step which finds its gradient. ``key`` says whether the meaning of shapes is explained below."""
    return Writer(picture, down, anchors, steps).fragment(key)


def _style() -> str:
    return (templates() / "graph.css").read_text(encoding="utf-8")


def runs_down(picture: Picture) -> bool:
    """Whether a picture is better drawn from top to bottom: anything but a small circuit of scalars."""
    boxes = list(picture.boxes())
    scalars = all(not b.shape for b in boxes)
    return not scalars or bool(list(picture.frames())) or len(boxes) > 2 * DEPTH


class Writer:
    """Writes one scene. Only here do the two directions become x and y."""

    def __init__(self, picture: Picture, down: bool, anchors: Mapping[str, str] | None = None,
                 steps: Mapping[str, str] | None = None) -> None:
        self.picture, self.down = picture, down
        self.anchors, self.steps = anchors or {}, steps or {}
        self.scene = lay_out(picture, down, ROOM)
        self.parts: list[str] = []

    # -- wholes
    def document(self, title: str) -> str:
        body, width, height = self._body(title)
        spoken = escape(f"Computation graph of {title}")
        size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="g-title g-desc">\n'
            f'<title id="g-title">{spoken}</title>\n<desc id="g-desc">{escape(self._description())}</desc>\n'
            f'<style>\n{_style()}</style>\n<rect class="g-bg" width="100%" height="100%"/>\n{body}\n</svg>\n'
        )

    def fragment(self, key: bool) -> str:
        body, width, height = self._body("", key)
        size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
        spoken = quoteattr("Computation graph of " + self.picture.title)
        fit = "small" if width <= NARROW else "medium" if width <= MEDIUM else "large"
        return f'<svg class="graph {fit}" {size} role="group" aria-label={spoken}>\n{body}\n</svg>'

    def _description(self) -> str:
        spoken = [b.spoken for b in self.picture.boxes()] + [w.spoken for w in self.picture.factors()]
        return "; ".join(spoken)

    def _body(self, title: str, key: bool = True) -> tuple[str, float, float]:
        top = MARGIN + (30.0 if title else 0.0)
        across, along = (self.scene.across, self.scene.along)
        width, height = (across, along) if self.down else (along, across)
        self.origin = (MARGIN, top)
        if title:
            self._add(text(MARGIN, MARGIN + 8.0, Text(title), "g-title", 15.0))
        for f in self.scene.frames:
            self._frame(f)
        for c in self.scene.curves:
            self._curve(c)
        for b in self.scene.boxes:
            self._box(b)
        if key:
            legends, key_width, key_height = draw_legend(self.picture, MARGIN, top + height + 26.0, max(width, 300.0))
            self._add(legends)
            width, height = max(width, key_width), height + key_height
        return "\n".join(self.parts), width + 2 * MARGIN, top + height + MARGIN

    def _add(self, text: str) -> None:
        self.parts.append(text)

    def _at(self, p: Point) -> Point:
        """A point of the scene in x and y."""
        x, y = (p[1], p[0]) if self.down else p
        return self.origin[0] + x, self.origin[1] + y

    # -- wires and frames
    def _curve(self, curve: Curve) -> None:
        """Straight through the layers, bending between them; carried wires go round corners."""
        points = [self._at(p) for p in curve.points]
        path = self._corners(points) if curve.wire.back else self._bends(points)
        kind = "g-wire g-back" if curve.wire.back else "g-wire"
        drawn = f'<path class="{kind}" d="{path}"/><path class="g-tip" d="{self._tip(points[-1])}"/>'
        self._add(drawn + self._local(curve))

    def _local(self, curve: Curve) -> str:
        """The local gradient of a wire, in the room that the layout left for it."""
        if not curve.wire.is_labelled or curve.label is None:
            return ""
        (x, _), (right, bottom) = map(self._at, curve.label)
        words = text((x + right) / 2, bottom - 4.0, factor_text(curve.wire), "g-local", FACTOR, "middle")
        source = f" data-key={quoteattr(curve.wire.source)}"
        return f'<g role="img"{source}><title>{escape(curve.wire.spoken)}</title>{words}</g>'

    def _bends(self, points: Sequence[Point]) -> str:
        path = f"M{point(points[0])}"
        for k, (a, b) in enumerate(pairwise(points)):
            if k % 2 == 0 or a == b:
                path += f"L{point(b)}" if a != b else ""
            else:
                path += f"C{point(self._towards(a, b))} {point(self._towards(b, a))} {point(b)}"
        return path

    def _towards(self, a: Point, b: Point) -> Point:
        """From a along the drawing's direction, half of the way to b."""
        return (a[0], (a[1] + b[1]) / 2) if self.down else ((a[0] + b[0]) / 2, a[1])

    def _corners(self, points: Sequence[Point]) -> str:
        path = f"M{point(points[0])}"
        for a, b, c in zip(points, points[1:], points[2:], strict=False):
            path += f"L{point(near(b, a))}Q{point(b)} {point(near(b, c))}"
        return f"{path}L{point(points[-1])}"

    def _tip(self, p: Point) -> str:
        x, y = p
        if self.down:
            return f"M{point(p)}L{point((x - 4, y - 8))}L{point((x + 4, y - 8))}Z"
        return f"M{point(p)}L{point((x - 8, y - 4))}L{point((x - 8, y + 4))}Z"

    def _frame(self, f: PlacedFrame) -> None:
        (x, y), (right, bottom) = self._at(f.start), self._at(f.end)
        self._add(
            f'<rect class="g-frame" x="{number(x)}" y="{number(y)}" '
            f'width="{number(right - x)}" height="{number(bottom - y)}" rx="12"/>'
            + text(x + 14.0, y + 19.0, f.frame.title, "g-title", SHAPE + 1.5)
            + text(right - 14.0, y + 19.0, Text(f.frame.note), "g-note", SHAPE, "end")
        )

    # -- boxes
    def _box(self, placed: PlacedBox) -> None:
        box = placed.box
        wide, high = shape_size(box)
        body = placed.size.length if self.down else placed.size.length - placed.size.stub
        x, y = self._at((placed.start + body / 2, placed.axis))
        shape = circle if box.symbol is not None else SHAPES.get(box.kind, rounded)
        parts = [f"<title>{escape(box.spoken)}</title>", shape(x, y, wide, high)]
        parts.append(equation(box, x, y) if box.symbol is None else self._symbol(box, box.symbol, x, y, wide, high))
        parts.append(self._numbers(placed, x, y, wide))
        name = box.key.rpartition("/")[2]
        anchor = self.anchors.get(name)
        key = f" data-key={quoteattr(box.key)}" if box.value is not None else ""
        opening, closing = f'<g class="g-node g-{box.kind}"{key}>', "</g>"
        if anchor is not None:
            opening, closing = _link(anchor, self.steps.get(name), box), "</a>"
        self._add(opening + "".join(parts) + closing)

    def _symbol(self, box: Box, sign: Text, x: float, y: float, wide: float, high: float) -> str:
        symbol = text(x, y + 5.0, sign, "g-symbol", SYMBOL, "middle")
        if self.down:
            return symbol + text(x - wide / 2 - 6.0, y + 5.0, box.name, "g-name", NAME, "end")
        return symbol + text(x, y - high / 2 - 6.0, box.name, "g-name", NAME, "middle")

    def _numbers(self, placed: PlacedBox, x: float, y: float, wide: float) -> str:
        """The value above the wire behind the box, the gradient below it; beside the box, with a rule between, when the
        drawing runs down."""
        box = placed.box
        label, up, _ = labels_size(box)
        if not label:
            return ""
        left = x + wide / 2 + BLANK
        rule = f'<path class="g-rule" d="M{point((left, y))}h{number(label)}"/>' if self.down else ""
        wire = "" if self.down else f'<path class="g-wire" d="M{point((x + wide / 2, y))}h{number(placed.size.stub)}"/>'
        return (
            wire + rule
            + matrix(left, y - 2.0 - up, label, box.value, "g-value")
            + matrix(left, y + 3.0, label, box.gradient, "g-gradient")
        )


def _link(anchor: str, step: str | None, box: Box) -> str:
    known = f" data-step={quoteattr(step)}" if step else ""
    return f'<a class="g-node g-{box.kind}" href={quoteattr("#" + anchor)}{known} aria-label={quoteattr(box.spoken)}>'
