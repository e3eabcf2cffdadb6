"""Products of arrays: as matrix products with transposes where there is one, else over indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symbackprop.core import maths
from symbackprop.core.facts import is_identity, is_symmetric
from symbackprop.core.graph import Node
from symbackprop.core.maths import Math, MatMul, product, replaced, shaped, transposed, turned, within
from symbackprop.core.pattern import Pattern
from symbackprop.render.spread import ENTRY_OF_ONES, in_parts, indexed, own_letters, with_numbers

if TYPE_CHECKING:
    from symbackprop.render.rows import Rows


def contracted(r: Rows, pattern: Pattern, args: Sequence[Math], rows: Sequence[Node]) -> Math:
    """A sum of products over index letters, as a reader writes it; operands that are numbers come first."""
    if "" in pattern.ins:
        return _scaled(r, pattern, args, rows)
    if pattern.ins == (pattern.out,):
        return args[0]
    parts = [in_parts(x) for x in args]
    if any([x.numbers or x.below for x in parts]):
        whole = contracted(r, pattern, [x.array for x in parts], rows)
        sizes = pattern.sizes([a.shape for a in rows])
        shape = [sizes[c] for c in pattern.out]
        return with_numbers(whole, [n for x in parts for n in x.numbers], [n for x in parts for n in x.below], shape)
    if pattern.is_trace:
        r.mention("trace")
        return maths.Op("trace", tuple(args))
    if {*pattern.ins} == {pattern.letters} and not pattern.out and not is_inner(pattern):
        return r.over("sum", product(*args), rows[0], range(rows[0].ndim), False)
    on_diagonal = _scales_identity(pattern, rows)
    if on_diagonal is not None:
        return r.diagonal(args[on_diagonal])
    plain = plain_product(pattern, args)
    if plain is not None:
        return replaced(plain, {turned(a): a for a, row in zip(args, rows, strict=True) if is_symmetric(row)})
    return _batched(r, pattern, args, rows) or _over_indices(r, pattern, args, rows)


def _scales_identity(pattern: Pattern, rows: Sequence[Node]) -> int | None:
    """The place of the vector that scales the rows or columns of an identity matrix; None for other products."""
    vectors = [k for k, s in enumerate(pattern.ins) if len(s) == 1 and s in pattern.out]
    matrices = [a for a, s in zip(rows, pattern.ins, strict=True) if s == pattern.out and is_identity(a)]
    return vectors[0] if len(rows) == 2 and vectors and matrices else None


def _scaled(r: Rows, pattern: Pattern, args: Sequence[Math], rows: Sequence[Node]) -> Math:
    """Numbers in front of the product of the others."""
    kept = [k for k, s in enumerate(pattern.ins) if s]
    rest = Pattern(tuple([pattern.ins[k] for k in kept]), pattern.out)
    numbers = [args[k] for k, s in enumerate(pattern.ins) if not s]
    others = [contracted(r, rest, [args[k] for k in kept], [rows[k] for k in kept])] if kept else []
    return product(*numbers, *others)


def is_inner(pattern: Pattern) -> bool:
    """Whether it is aᵀ b."""
    return not pattern.out and len(pattern.ins) == 2 and pattern.ins[0] == pattern.ins[1] and len(pattern.ins[0]) == 1


def plain_product(pattern: Pattern, args: Sequence[Math]) -> Math | None:
    """The product of at most two matrices or vectors that a pattern is; None for others."""
    if pattern.outer:
        first, second = pattern.outer
        return MatMul(args[first], turned(args[second]))
    if is_inner(pattern):
        return _inner(*args)
    found = pattern.matmul()
    return None if found is None else found.of(args)


def _inner(first: Math, second: Math) -> Math:
    """firstᵀ second, of a product S r as the quadratic form secondᵀ S r."""
    whole = within(first)
    both = isinstance(within(second), MatMul)
    if isinstance(whole, MatMul) and not both and not isinstance(within(whole.left), maths.Transpose):
        return MatMul(MatMul(turned(second), whole.left), whole.right)
    return MatMul(transposed(first), second)


def inner_product(entries: Math) -> Math | None:
    """uᵀ v, of the entries that it adds up: those of a product of two vectors."""
    whole = within(entries)
    if not isinstance(whole, maths.Prod) or whole.number != 1:
        return None
    if len(whole.factors) != 2 or not all(map(_is_vector, whole.factors)):
        return None
    first, second = whole.factors
    return shaped(MatMul(turned(first), second), ())


def _is_vector(m: Math) -> bool:
    """Whether it has one axis, perhaps as a row that was transposed."""
    inner = within(m)
    return (inner.body if isinstance(inner, maths.Transpose) else m).rank == 1


def _batched(r: Rows, pattern: Pattern, args: Sequence[Math], rows: Sequence[Node]) -> Math | None:
    """Matrix products along shared leading axes: one for every place, or added up over them."""
    found = pattern.stacked()
    if found is None:
        return None
    if not found.summed:
        r.mention("batched")
        return found.product.of(args)
    letters, sizes, _ = r.bound(rows[0], range(found.lead), args)
    at = {k: maths.Letter(x) for k, x in enumerate(letters)}
    return maths.Big("sum", letters, found.product.of([indexed(x, found.lead + 2, at) for x in args]), sizes)


def bound_in(trees: Sequence[Math]) -> set[str]:
    """The index letters in trees, which bind no other axis around them."""
    return {x.name for tree in trees for x in maths.walk(tree) if isinstance(x, maths.Letter)}


def bound_inside(m: Math) -> set[str]:
    """The index letters that something in a tree runs over; of an array that is written by its entries, in those."""
    inner = m.body if isinstance(m, maths.Array) else m
    return {x for part in maths.walk(inner) if isinstance(part, (maths.Big, maths.Array)) for x in part.letters}


def _over_indices(r: Rows, pattern: Pattern, args: Sequence[Math], rows: Sequence[Node]) -> Math:
    """Axes in another order, or a sum over indices where nothing shorter is known."""
    sizes = pattern.sizes([a.shape for a in rows])
    own = {c: x for m, s in zip(args, pattern.ins, strict=True) for k, x in own_letters(m).items() for c in s[k]}
    known = {k: own[c] for k, c in enumerate(sizes) if c in own}
    letters = dict(zip(sizes, r.every(tuple(sizes.values()), args, known), strict=True))
    r.letters.mention(letters.values(), sizes.values())

    def over(places: str) -> tuple[str, ...]:
        return tuple([letters[c] for c in places])

    at = [{k: maths.Letter(x) for k, x in enumerate(over(s))} for s in pattern.ins]
    entries = [indexed(x, len(places), places) for x, places in zip(args, at, strict=True)]
    body = product(*[x for x in entries if x != ENTRY_OF_ONES] or entries[:1])
    if pattern.summed:
        body = maths.Big("sum", over(pattern.summed), body, tuple([sizes[c] for c in pattern.summed]))
    if not pattern.out:
        return body
    return maths.Array(body, over(pattern.out), tuple([sizes[c] for c in pattern.out]))
