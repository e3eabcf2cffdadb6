"""Whether what a line in LaTeX sums over some entries is summed over these in the corrected line."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sympy import Integer

from symbackprop.core.graph import Node
from symbackprop.core.shapes import Dim, dim, evaluate_dim
from symbackprop.model.model import Model
from symbackprop.model.text.characters import Counted, counted_up_to, of_entries, without_marks
from symbackprop.patterns import lazy

_WORD = lazy(r"[^\W\d]\w*")


def ends_of_sums(tried: str, line: str) -> bool:
    """Whether a line says how many entries there are, or what is tried takes names for arrays."""
    return any(True for _ in counted_up_to(line)) or any(True for _ in of_entries(tried, line))


def same_entries(tried: str, line: str, model: Model, guesses: bool) -> bool:
    """Whether sums up to K are of K entries: of all there are, or of the first ones; and whether what is taken for an
    array has as many axes as it has indices. Where sizes are ``guesses`` their names say nothing."""
    named, right = model.graph.names, without_marks(tried)
    words = {*_WORD.findall(right)}
    first = [c.last for c in counted_up_to(line) if f"{c.name}[:{c.last}]" in right]
    if guesses and not all(map(str.isdigit, first)):  # alone a letter is the size that there is
        return False
    whole = [(c, row) for c in counted_up_to(line) if c.axis or f"{c.name}[:{c.last}]" not in right
             for row in [next((named[n] for n in (c.name, c.name.upper()) if n in words and n in named), None)]
             if row is not None]
    return all(name in named and named[name].ndim in axes for name, axes in of_entries(tried, line)) and _of_all(
        whole, model, () if guesses else (*model.sizes, *named))


def _of_all(sums: Sequence[tuple[Counted, Node]], model: Model, dims: Collection[str]) -> bool:
    """Whether sums end with the last entries of their axes; those over one axis end at one letter."""
    known = {name: size for name, size in model.sizes.items() if size is not None}
    letters = dict[Dim, tuple[str, int]]()
    for c, row in sums:
        size = row.shape[c.axis] if c.axis < row.ndim else None
        if size is not None and (letters.setdefault(size, c[2:]) != c[2:]
                                 or not _ends_at(size, _end(c, dims), known)):
            return False
    return True


def _end(c: Counted, dims: Collection[str]) -> Dim | None:
    """How many entries a sum says there are; None of a letter that is no dimension."""
    last = Integer(c.last) if c.last.isdigit() else dim(c.last) if c.last in dims else None
    return None if last is None else last + c.more


def _ends_at(size: Dim, end: Dim | None, known: dict[str, int]) -> bool:
    """Whether an axis is that long; a number may be the default of its size."""
    if end is None or size == end:
        return True
    return end.is_Integer and {d.name for d in size.free_symbols} <= known.keys() and evaluate_dim(size, known) == end
