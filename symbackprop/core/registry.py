"""The record of a structural op, and the table of all of them.

A model is a table of rows; every row is an elementwise kernel or one of these ops. A record is complete or refused:
shape rule, derivative rule, printing, code, reference values and a sampler of valid inputs all have to be there,
because tests, documentation and every output are generated from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from symbackprop.core.shapes import Shape

if TYPE_CHECKING:
    from symbackprop.core.graph import Node
    from symbackprop.core.notation import Notation, Text

Attr = Any
Array = Any


@dataclass(frozen=True)
class Sample:
    """A valid call of an op: argument shapes (ints), an attribute, and for integer arguments their bound."""

    shapes: tuple[tuple[int, ...], ...]
    attr: Attr = None
    below: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Op:
    """One structural op.

    ``infer(attr, args)`` gives the shape and kind of the result or raises `ShapeError`. ``vjp(i, upstream, output,
    *inputs)`` gives the cotangent of input i as a row of the same table (None: no gradient flows). ``show`` prints a
    row in any notation for reading, ``numpy`` as NumPy code; both get the arguments printed. ``reference(np, attr,
    *arrays)`` computes the value plainly, with ``attr`` resolved to integers, and shares nothing with ``numpy``.

    An op with several results has ``vjp_all(node, cotangents by result, wanted, what is idle by result)``, which gives
    its reverse row and the cotangent of every argument, and is read through rows whose op
    ``projects``: their one argument is the op's row, their attribute the number of the result. An op ``moves`` entries
    when every entry of its result is an entry of one of its arguments (of the first one, unless it joins several).

    What selection needs to know (see `masks`): an op ``selects`` when entries of its input may have no influence on its
    result. ``reach(i, upstream, output)``, of an op whose derivative reads values, is a row over input i that is 0
    where no upstream gradient meets it; a ``product`` is linear in each of several inputs.
    """

    name: str
    signature: str
    shape_rule: str
    derivative: str
    domain: str
    infer: Callable[[Attr, tuple[Node, ...]], tuple[Shape, str]]
    vjp: Callable[..., Node | None]
    show: Callable[[Notation, Node, Sequence[Text]], Text]
    numpy: Callable[[Notation, Node, Sequence[Text]], Text]
    reference: Callable[..., Array]
    samples: tuple[Sample, ...]
    convention: str = ""
    projects: bool = False
    moves: bool = False
    vjp_all: Callable[..., tuple[Node, Sequence[Node | None]]] | None = None
    selects: bool = False
    reach: Callable[[int, Node, Node], Node] | None = None
    product: bool = False


OPS: dict[str, Op] = {}
_MAY_BE_EMPTY = {"convention", "samples", "projects", "moves", "vjp_all", "selects", "reach", "product"}
LEAVES = {"leaf", "const"}


def register(op: Op) -> Op:
    """Add an op; an incomplete record or a second one of the same name is refused."""
    if op.name in OPS:
        raise ValueError(f"the op {op.name!r} is registered twice")
    for f in fields(op):
        if f.name not in _MAY_BE_EMPTY and not getattr(op, f.name):
            raise ValueError(f"the op {op.name!r} has no {f.name}")
    if not op.samples and op.name not in LEAVES:
        raise ValueError(f"the op {op.name!r} has no samples")
    OPS[op.name] = op
    return op
