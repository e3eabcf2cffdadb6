"""A row as a SymPy symbol; what SymPy makes of such symbols is read back by `from_sympy`."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.operators import UNSEEN


class RowSymbol(sp.Symbol):  # type: ignore[misc]
    """A SymPy symbol that stands for a row. Its identity is the row's, not its name's: SymPy would otherwise take two
    rows of one name, or of another graph, for the same symbol."""

    __slots__ = ("row",)
    row: Node

    def __new__(cls, row: Node) -> RowSymbol:
        symbol = sp.Symbol.__xnew__(cls, row.name or f"row{row.id}", real=True)
        symbol.row = row
        return symbol  # type: ignore[no-any-return]

    @property
    def _diff_wrt(self) -> bool:
        raise TypeError(UNSEEN)

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), id(self.row.graph), self.row.id)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a row's symbol is pickled through its model")
