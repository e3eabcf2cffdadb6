"""Products and sums over index letters: ``sum_n X[n].T @ dz[n]``, ``[sum_k X_ik Y_jk]_ij``.

A letter becomes an axis in front of every value that depends on it, so all entries are computed at once.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symbackprop.core import build
from symbackprop.core.graph import Node
from symbackprop.errors import ModelError
from symbackprop.grade.naming import ARRAY, SUM
from symbackprop.model.text import tree
from symbackprop.model.text.evaluate import binary, lift

if TYPE_CHECKING:
    from symbackprop.grade.formulas import Formula


@dataclass(frozen=True)
class Lettered:
    """A row whose first axes are those of the letters."""

    row: Node
    letters: tuple[str, ...] = ()

    @property
    def own(self) -> int:
        """How many axes it has of its own."""
        return self.row.ndim - len(self.letters)


class Letters:
    """Evaluates what stands under sums over letters; what has no letters is the formula's own business."""

    def __init__(self, formula: Formula, bound: Iterable[str] = ()) -> None:
        self.formula, self.graph, self.bound = formula, formula.graph, frozenset(bound)

    def value(self, expr: tree.Expr) -> Lettered:
        match expr:
            case tree.Call(function, args) if letters_of(function):
                return self._bound(function, args)
            case tree.Index(base, items) if any(self._is_letter(i) for i in items):
                return self._entry(base, items)
            case tree.Chain(first, rest):
                value = self.value(first)
                for sign, part in rest:
                    value = self._binary(sign, value, self.value(part), _flips(first), _flips(part))
                    first = part
                return value
            case tree.Negative(body):
                value = self.value(body)
                return Lettered(-value.row, value.letters)
            case tree.Power(base, exponent):
                return self._binary("**", self.value(base), self.value(exponent))
            case tree.Transpose(body):
                return self._transpose(self.value(body))
            case tree.Call(function, (argument,), ()) if self._depends(argument):
                return self._applied(function, self.value(argument))
        return Lettered(self.formula.row(expr))

    def _is_letter(self, item: tree.Expr) -> bool:
        return isinstance(item, tree.Name) and item.name in self.bound

    def _is_number(self, item: tree.Expr) -> bool:
        """Whether an index reads one place, so that its axis goes."""
        return not isinstance(item, (tree.Slice, tree.Word)) and isinstance(self.formula.value(item), sp.Expr)

    def _depends(self, expr: tree.Expr) -> bool:
        return any(name in self.bound for name in tree.mentioned(expr))

    # -- letters come and go
    def _bound(self, function: str, args: Sequence[tree.Expr]) -> Lettered:
        """A sum over a letter, or the array of entries."""
        letters = letters_of(function)
        if len(args) != 1:
            raise ModelError(f"a sum over {', '.join(letters)} has one summand")
        value = Letters(self.formula, self.bound | set(letters)).value(args[0])
        for letter in letters:
            if letter not in value.letters:
                bounds = f"sum_{letter}(formula, first, last)"
                raise ModelError(f"a sum over {letter} needs its bounds, {bounds}, or an index: a[{letter}]")
        if function.startswith(SUM):
            place = value.letters.index(letters[0])
            return Lettered(build.reduce_sum(value.row, place), (*value.letters[:place], *value.letters[place + 1 :]))
        rest = tuple(x for x in value.letters if x not in letters)
        return Lettered(self._ordered(value, (*rest, *letters)).row, rest)

    def _entry(self, base: tree.Expr, items: Sequence[tree.Expr]) -> Lettered:
        """``a[:, n]``: the axis of n comes to the front."""
        names = [item.name for item in items if isinstance(item, tree.Name) and item.name in self.bound]
        if len(set(names)) < len(names):
            raise ModelError("an array has one index twice")
        plain = tuple(tree.Slice(None, None, None) if self._is_letter(i) else i for i in items)
        row = self.formula.row(tree.Index(base, plain))
        kept = [i for i in items if self._is_letter(i) or not self._is_number(i)]
        places = [k for k, i in enumerate(kept) if self._is_letter(i)]
        order = [*places, *[k for k in range(row.ndim) if k not in places]]
        return Lettered(build.transpose(row, order), tuple(names))

    # -- operations
    def _binary(self, sign: str, a: Lettered, b: Lettered, row_a: bool = False, row_b: bool = False) -> Lettered:
        if sign == "@" and a.own and b.own:
            return self._product(a, b, row_a, row_b)
        letters = (*a.letters, *[x for x in b.letters if x not in a.letters])
        own = max(a.own, b.own)
        left, right = self._spread(a, letters, own), self._spread(b, letters, own)
        row = binary("*" if sign == "@" else sign, left, right, self.graph)
        assert isinstance(row, Node)
        return Lettered(row, letters)

    def _product(self, a: Lettered, b: Lettered, row_a: bool, row_b: bool) -> Lettered:
        """A matrix product for every value of the letters; of vectors an outer one where the right one is a row."""
        letters = (*a.letters, *[x for x in b.letters if x not in a.letters])
        names = dict(zip(letters, string.ascii_uppercase, strict=False))
        inner = {(2, 2): ("ij", "jk", "ik"), (2, 1): ("ij", "j", "i"), (1, 2): ("j", "jk", "k"),
                 (1, 1): ("i", "j", "ij") if row_b and not row_a else ("j", "j", "")}
        if (a.own, b.own) not in inner:
            raise ModelError("a product of these arrays under a sum over letters cannot be read")
        left, right, out = inner[a.own, b.own]
        ins = ["".join(names[x] for x in v.letters) + own for v, own in ((a, left), (b, right))]
        return Lettered(build.einsum(f"{ins[0]},{ins[1]}->{''.join(names.values())}{out}", a.row, b.row), letters)

    def _transpose(self, a: Lettered) -> Lettered:
        n = len(a.letters)
        return a if a.own < 2 else Lettered(build.transpose(a.row, (*range(n), *reversed(range(n, a.row.ndim)))),
                                            a.letters)

    def _applied(self, function: str, a: Lettered) -> Lettered:
        """A function, entry by entry."""
        row = lift(self.formula.applied(function, [a.row], {}), self.graph)
        if row.shape != a.row.shape:
            raise ModelError(f"{function} under a sum over letters cannot be read")
        return Lettered(row, a.letters)

    def _ordered(self, a: Lettered, letters: tuple[str, ...]) -> Lettered:
        n = len(a.letters)
        order = [*[a.letters.index(x) for x in letters], *range(n, a.row.ndim)]
        return Lettered(build.transpose(a.row, order) if order != list(range(a.row.ndim)) else a.row, letters)

    def _spread(self, a: Lettered, letters: tuple[str, ...], own: int) -> Node:
        """With an axis for every letter and so many of its own, those that it lacks of size 1."""
        row = self._ordered(a, tuple(x for x in letters if x in a.letters)).row
        for k, letter in enumerate(letters):
            if letter not in a.letters:
                row = build.expand(row, k)
        for _ in range(own - a.own):
            row = build.expand(row, len(letters))
        return row


def letters_of(function: str) -> tuple[str, ...]:
    """The letters that a call of ``sum_n`` or ``array_ij`` binds."""
    if function.startswith(ARRAY):
        return tuple(function.removeprefix(ARRAY))
    name = function.removeprefix(SUM) if function.startswith(SUM) else ""
    return (name,) if len(name) == 1 else ()


def _flips(expr: tree.Expr) -> bool:
    return isinstance(expr, tree.Transpose)
