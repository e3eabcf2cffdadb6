"""What is drawn, before anything has a place: boxes, frames around boxes, wires. The formats only read this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from symbackprop.core.maths import Rounded
from symbackprop.core.printer import Text
from symbackprop.doorway import late
from symbackprop.render.document import ROLES
from symbackprop.render.graph.typesetting import cells, is_tall, line
from symbackprop.render.print.text import text

ON_EDGES = "local gradient"
BELOW = "upstream × local, summed over its consumers"  # what stands below a node
KINDS = {role: one for role, (one, _) in ROLES.items()} | {  # and what boxes of these kinds are called
    "gate": "gate", "row": "computed", "loss": "loss", "output": "output", "carry": "from the round before",
    "element": "element of a sequence", "block": "block of rows",
}


@dataclass(frozen=True)
class Box:
    """One row of the model.

    ``key`` is unique in a picture, ``kind`` one of `KINDS`. ``name``, ``formula`` and ``shape`` are set as mathematics
    (`typesetting`); a gate is drawn as a circle with its ``symbol``. ``value`` and ``gradient`` are None when no
    numbers are known. ``gradient_name`` is how the gradient is called (∂L/∂q).
    """

    key: str
    kind: str
    name: Text
    formula: Text | None = None
    symbol: Text | None = None
    shape: Text | None = None
    value: Rounded | None = None
    gradient: Rounded | None = None
    gradient_name: str = ""
    row: int = -1

    @property
    def equation(self) -> Text:
        """``q = W x``, or what there is of it."""
        if self.formula is None:
            return self.name
        return line.row(self.name, Text(": " if self.kind == "block" else " = "), self.formula)

    @property
    def spoken(self) -> str:
        """The whole box in one line."""
        words = [self.equation.text]
        words += [self.shape.text] if self.shape else []
        words += [f"value {said(self.value)}"] if self.value else []
        words += [f"gradient {said(self.gradient)}"] if self.gradient else []
        return ", ".join(words)


@dataclass(frozen=True)
class Frame:
    """Boxes that belong together: the body of a loop, or one of many blocks that are built alike. ``name`` is how
    others refer to it."""

    key: str
    name: Text
    title: Text
    inside: Picture
    note: str = ""


Item: TypeAlias = "Box | Frame"


class Rule(NamedTuple):
    """What becomes of the gradient on its way down a wire between arrays, as a formula; if it is multiplied entry by
    entry, perhaps by which numbers."""

    formula: Text
    value: Rounded | None = None


@dataclass(frozen=True)
class Wire:
    """From an item to one of its readers. A ``back`` wire is carried to the next round of a frame.

    ``local`` is the derivative of the reader by the source, both of them scalars, where it is known as a number; of
    arrays there is a ``rule``. ``local_name`` is how the derivative is called (∂f/∂q).
    """

    source: str
    target: str
    back: bool = False
    local: Rounded | None = None
    local_name: str = ""
    rule: Rule | None = None

    @property
    def is_labelled(self) -> bool:
        return self.local is not None or self.rule is not None

    @property
    def spoken(self) -> str:
        """The local gradient in words; nothing where there is none."""
        formula = [self.rule.formula.text] if self.rule else []
        value = self.rule.value if self.rule else self.local
        found = [*formula, *([] if value is None else [said(value)])]
        return " = ".join([f"local gradient {self.local_name}", *found]) if found else ""


@dataclass(frozen=True)
class Picture:
    """Items in the order of the model, and wires between items of the same level."""

    items: tuple[Item, ...]
    wires: tuple[Wire, ...]
    title: str = ""

    def boxes(self) -> Iterator[Box]:
        """All boxes, those inside frames included."""
        for item in self.items:
            if isinstance(item, Frame):
                yield from item.inside.boxes()
            else:
                yield item

    def frames(self) -> Iterator[Frame]:
        """All frames, outer ones first."""
        for item in self.items:
            if isinstance(item, Frame):
                yield item
                yield from item.inside.frames()

    def factors(self) -> Iterator[Wire]:
        """All wires with a local gradient, those inside frames included."""
        for level in (self, *[frame.inside for frame in self.frames()]):
            yield from (w for w in level.wires if w.is_labelled)

    @property
    def numeric(self) -> bool:
        """Whether any numbers are shown."""
        return any(b.value or b.gradient for b in self.boxes())

    def svg(self) -> str:
        """A standalone SVG document."""
        return str(late("to_svg")(self))

    def dot(self) -> str:
        """Text for Graphviz."""
        return str(late("to_dot")(self))

    def text(self) -> str:
        """One line a box."""
        return str(late("picture_text")(self))

    def _repr_svg_(self) -> str:
        return self.svg()


def said(value: Rounded) -> str:
    """A number; a matrix as its rows, ``[1 2; 3 4]``."""
    if not is_tall(value):
        return text(value)
    return "[" + "; ".join(" ".join(x.text for x in row) for row in cells(value)) + "]"


def as_kind(item: Item, kind: str) -> Item:
    """The same box as a leaf of another kind; a frame stays what it is."""
    if isinstance(item, Frame):
        return item
    return Box(item.key, kind, item.name, shape=item.shape, row=item.row)
