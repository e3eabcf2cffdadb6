"""Calls of other libraries on rows in Python, as model text reads them: ``np.sinc(row)``, SymPy's ``sech(row)``.

A call becomes a formula whose names are its operands, so that what a library's function means stands in one place, the
table of `spellings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import sympy as sp

from symbackprop.core.formula import written_out
from symbackprop.core.functions.words import IDLE_METHODS, IN_PLACE, meant
from symbackprop.core.graph import Graph, Node, label
from symbackprop.core.shapes import Shape
from symbackprop.errors import Place
from symbackprop.model.text import tree
from symbackprop.model.text.calls import function_names
from symbackprop.model.text.evaluate import Evaluator, Value
from symbackprop.model.text.languages import Language
from symbackprop.model.text.scope import PI
from symbackprop.model.text.spellings import is_spelled


class Operands:
    """What the names in such a formula mean: each is one operand."""

    language: Language | None = None
    lists = ()

    def __init__(self, graph: Graph) -> None:
        self.graph, self.values = graph, {PI: cast("Node | sp.Expr", sp.pi)}

    def name(self, name: str) -> Node | sp.Expr:
        return self.values[name]

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> None:
        """There are no families."""

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> None:
        """There are no counters."""

    def remark(self, text: str) -> None:
        """Nobody is told, as nothing of Python's is."""

    def multiplied(self, place: Place | None, sign: str) -> None:
        """Every product has its sign."""

    def noise(self, place: Place, shape: Shape) -> None:
        """Nothing is drawn."""

    def offset(self, item: tree.Expr) -> int:
        return 0

    def counts_back(self, item: tree.Expr) -> bool:
        return True

    def formula(self, value: Any) -> tree.Expr:
        """An argument in a formula. Raises a `ModelError` for what can be none."""
        return tree.of_value(value, self._other)

    def _other(self, value: Any) -> tree.Expr:
        if isinstance(value, type):
            return tree.Name(value.__name__)  # of dtypes, which leave the numbers as they are
        if isinstance(value, Node) or (isinstance(value, sp.Expr) and not value.is_Rational):
            name = label(value) if isinstance(value, Node) else str(value)
            while self.values.setdefault(name, value) is not value:
                name += "′"
            return tree.Name(name)
        written = written_out(value)
        return tree.Number(self.graph.const(value).value) if written is value else self.formula(written)


def in_text(graph: Graph, function: str, args: Sequence[Any], options: Mapping[str, Any]) -> Value:
    """What ``function``, ``np.linalg.lstsq`` or a plain name, is of rows and numbers: a row, or several. Raises a
    `NameProblem` for a function that no text can call either, a `ModelError` for arguments that have no meaning."""
    *modules, name = function.split(".")
    home: tree.Expr | None = None
    for module in modules:
        home = tree.Name(module) if home is None else tree.Member(home, module)
    return _applied(Operands(graph), home, name, args, options)


@lru_cache(maxsize=1000)  # whatever is asked of a row
def is_method(name: str) -> bool:
    """Whether arrays have such a method in NumPy or PyTorch, or there is a function of that name."""
    return name in IDLE_METHODS or is_spelled(name) or name in function_names() or bool(
        meant(name, tuple(function_names())))


def changes_in_place(name: str) -> bool:
    """Whether a method changes the array that it is of, which no row does."""
    return name in IN_PLACE or name.endswith("_")


def method(row: Node, name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Value:
    """What ``row.name(*args, **options)`` is, as for a call."""
    scope = Operands(row.graph)
    return _applied(scope, scope.formula(row), name, args, options)


def _applied(scope: Operands, home: tree.Expr | None, name: str, args: Sequence[Any], options: Mapping[str, Any]
             ) -> Value:
    values, words = tuple(map(scope.formula, args)), tuple([(k, scope.formula(v)) for k, v in options.items()])
    call = tree.Call(name, values, words) if home is None else tree.Member(home, name, values, words)
    return Evaluator(scope).value(call)
