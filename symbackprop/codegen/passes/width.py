"""All levels: lines stay readable. What would make a line too long becomes a line of its own, under a name t1, t2 …"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from symbackprop.codegen.rows import Rows
from symbackprop.codegen.tree import Expr, text
from symbackprop.core import formula as f
from symbackprop.core.graph import Node

_OWN = {"einsum": 5, "reshape": 4, "slice": 8, "take_along_axis": 14, "gather": 2, "broadcast": 0, "arange": 12}
MAX_WIDTH = 76  # characters right of the equals sign, estimated


class Width:
    """Estimates how long the code of a row is, given which rows have a variable."""

    def __init__(self, rows: Rows, names: Mapping[int, Expr]) -> None:
        self.rows, self.names = rows, names
        self.widths: dict[int, int] = {}

    def too_wide(self, row: Node) -> Iterator[Node]:
        """The arguments to take out of a row's line, widest first, until it fits."""
        while self._measure(row) > MAX_WIDTH:
            inline = [a for a in self.rows.args(row) if a.id not in self.names and a.args and a.value is None]
            if not inline:
                return
            yield max(inline, key=lambda a: self.widths[a.id])

    def _measure(self, row: Node) -> int:
        counts = self.rows.occurrences(row)
        own = _own_width(row)
        width = own + sum(n * self._written(a) for a in dict.fromkeys(self.rows.args(row)) if (n := counts[a.id]))
        self.widths[row.id] = width
        return width

    def _written(self, row: Node) -> int:
        if row.id in self.names:
            return len(text(self.names[row.id].code))
        return self.widths.get(row.id, 8) + 2


def _own_width(row: Node) -> int:
    if row.op.name == "elementwise":
        return _formula_width(row.attr.form)
    if row.op.name == "sum":
        return 8 + 8 * (row.ndim > 0) + 15 * bool(row.attr[1])
    return _OWN.get(row.op.name, 16 + 3 * row.ndim)


@cache
def _formula_width(form: f.Formula) -> int:
    """Signs and function names of a formula."""
    own = len(form.name) + 2 if isinstance(form, f.Call) else 4 if isinstance(form, f.Num) else 0
    children = f.children(form)
    return own + 3 * max(len(children) - 1, 0) + sum(map(_formula_width, children))
