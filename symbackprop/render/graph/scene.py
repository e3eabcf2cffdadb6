"""A picture in which everything has its place, in pixels along and across the direction of the drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from symbackprop.render.graph.box_sizes import Size
from symbackprop.render.graph.picture import Box, Frame, Wire

Point: TypeAlias = tuple[float, float]  # along the drawing, across it


@dataclass(frozen=True)
class PlacedBox:
    """A box whose wires enter at ``start`` and run along the axis at ``axis``."""

    box: Box
    start: float
    axis: float
    size: Size


@dataclass(frozen=True)
class PlacedFrame:
    """A frame from one corner to the other."""

    frame: Frame
    start: Point
    end: Point


@dataclass(frozen=True)
class Curve:
    """A wire through points: straight from the first to the second, bending to the third, straight again …"""

    wire: Wire
    points: tuple[Point, ...]


@dataclass
class Scene:
    """A laid-out picture; coordinates run along and across the drawing, ``along`` and ``across`` say how far."""

    down: bool
    boxes: list[PlacedBox] = field(default_factory=list)
    frames: list[PlacedFrame] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    along: float = 0.0
    across: float = 0.0

    def moved(self, along: float, across: float) -> Scene:
        """The same scene at another place."""
        def shift(p: Point) -> Point:
            return p[0] + along, p[1] + across

        return Scene(
            self.down,
            [PlacedBox(b.box, b.start + along, b.axis + across, b.size) for b in self.boxes],
            [PlacedFrame(f.frame, shift(f.start), shift(f.end)) for f in self.frames],
            [Curve(c.wire, tuple(map(shift, c.points))) for c in self.curves],
            self.along + along, self.across + across,
        )

    def take(self, other: Scene) -> None:
        """Add everything of another scene, where it stands."""
        self.boxes += other.boxes
        self.frames += other.frames
        self.curves += other.curves
        self.along, self.across = max(self.along, other.along), max(self.across, other.across)
