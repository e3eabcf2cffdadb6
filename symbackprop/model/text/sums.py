"""Whether what a line in LaTeX sums over some entries is summed over these in the corrected line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from sympy import Integer

from symbackprop.core.graph import Node
from symbackprop.core.shapes import Dim, dim, evaluate_dim
from symbackprop.model.model import Model
from symbackprop.model.text import tree
from symbackprop.model.text.characters import Counted, counted_up_to, ends_elsewhere, of_entries, without_marks
from symbackprop.model.text.expressions import one_formula
from symbackprop.model.text.statements import parse_statements


def says_how_many(tried: str, line: str) -> bool:
    """Whether a line says how many entries there are, or what is tried takes names for arrays."""
    return ends_elsewhere(line) or bool(counted_up_to(line)) or any(True for _ in of_entries(tried, line))


def same_entries(tried: str, line: str, model: Model, guesses: bool) -> bool:
    """Whether sums up to K are of K entries: of all there are, or of the first ones; and whether what is taken for an
    array has as many axes as it has indices. Where sizes are ``guesses`` their names say nothing."""
    named, sums = model.graph.names, counted_up_to(line)
    parts = _parts(without_marks(tried).strip())
    firsts = Counter(map(_first_entries, parts))
    alone = guesses and any(firsts[c.name, c.last] for c in sums if not c.last.isdigit())  # it is the size there is
    if alone or ends_elsewhere(line):
        return False
    first = {c for c in sums if not c.axis and not c.more and sums.count(c) <= firsts[c.name, c.last]}
    words = {part.name for part in parts if isinstance(part, tree.Name)}
    whole = [(c, named[n]) for c in sums if c not in first
             for n in [n for n in (c.name, c.name.upper()) if n in words and n in named][:1]]
    return all(name in named and named[name].ndim in axes for name, axes in of_entries(tried, line)) and _of_all(
        whole, model, () if guesses else (*model.sizes, *named))


def _parts(line: str) -> list[tree.Expr]:
    """All that stands in a line, which may be an expression alone."""
    return tree.inside(parse_statements(line)[0]) or [*tree.all_parts(one_formula(line))]


def _first_entries(expr: tree.Expr) -> tuple[str, str]:
    """The array and the end of ``v[:K]``; nothing of others."""
    match expr:
        case tree.Index(tree.Name(name), (tree.Slice(None, tree.Name(last)),)):
            return name, last
        case tree.Index(tree.Name(name), (tree.Slice(None, tree.Number(value)),)):
            return name, str(value)
    return "", ""


def _of_all(sums: Sequence[tuple[Counted, Node]], model: Model, dims: Collection[str]) -> bool:
    """Whether sums end with the last entries of their axes; those over one axis end at one letter."""
    known = {name: size for name, size in model.sizes.items() if size is not None}
    letters = dict[Dim, tuple[str, int]]()
    for c, row in sums:
        size, end = row.shape[c.axis] if c.axis < row.ndim else None, (c.last, c.more)
        if size is not None and (letters.setdefault(size, end) != end
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
