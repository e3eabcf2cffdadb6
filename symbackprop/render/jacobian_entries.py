"""∂consumer_K/∂target_T entry by entry, along the rows between them: sums of products of factors and of 1[k = i].

Each row says what its Jacobian entries are (see `core.entry`). The indices between two rows are summed over, and nearly
all of these sums are settled by ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, islice, product
from math import prod
from operator import attrgetter

import sympy as sp

from symbackprop.core import entry, maths
from symbackprop.core import formula as f
from symbackprop.core.entry import Letter, Term, letters_of
from symbackprop.core.facts import slopes
from symbackprop.core.maths import Math
from symbackprop.core.shapes import is_one
from symbackprop.derive.record import Edge
from symbackprop.render.entries import Entries, NoUsualForm, Written

MAX_TERMS = 2
ENTRIES, TIES = attrgetter("entries"), attrgetter("ties")


def jacobian_entry(entries: Entries, paths: Iterable[Sequence[Edge]], consumer: Sequence[Math],
                   target: Sequence[Math], proven: bool = False) -> Math | None:
    """The entry, one term for each path; None where one has no short form. ``proven``: with the sums of the rows
    themselves, of whose terms Kronecker deltas leave one."""
    found = [_along(entries, path, consumer, target, proven) for path in paths]
    known = [(False, x) for x in found if x is not None]
    return None if len(known) < len(found) else maths.total(*known)


def _along(entries: Entries, path: Sequence[Edge], consumer: Sequence[Math], target: Sequence[Math], proven: bool
           ) -> Math | None:
    if any(e.consumer.op.gaps and not e.consumer.op.singular for e in path):
        return None  # equal largest entries share
    between = [entry.letters(path[0].consumer.shape), *[entry.letters(edge.argument.shape) for edge in path]]
    pairs = zip(path, between, between[1:], strict=False)
    inner_rows = path[1:] if path[0].consumer.shape else ()  # e^a/Σ e^a there, and not exp(a − log Σ e^a)
    found = [slopes(e.consumer, e.index, k, t, proven or e in inner_rows) for e, k, t in pairs]
    known = [terms for terms in found if terms]
    if len(known) < len(found) or prod(map(len, known)) > MAX_TERMS:
        return None
    inner = [x for letters in between[1:-1] for x in letters if isinstance(x, Letter)]
    at = dict(zip((*between[0], *between[-1]), (*consumer, *target), strict=True))
    rows = [row for edge in path for row in (*edge.consumer.args, edge.consumer)]
    starts = accumulate([len(edge.consumer.args) + 1 for edge in path], initial=0)
    places = [range(start, start + len(edge.consumer.args) + 1) for start, edge in zip(starts, path, strict=False)]
    try:
        terms = []
        for parts in product(*known):
            own = [entry.renumbered(t, at_place) for t, at_place in zip(parts, places, strict=True)]
            terms.append(_written(Written(entries, at, rows), own, inner, proven))
    except NoUsualForm:
        return None
    places_met = [x for _, term in terms for x in maths.walk(term) if isinstance(x, maths.Place)]
    if any(isinstance(inner, maths.Place) for x in places_met for _, inner in x.terms):
        return None  # a place counted out through two rows forgets where the first one ends
    return maths.total(*terms)


def _written(written: Written, parts: Sequence[Term], inner: Sequence[Letter], proven: bool) -> tuple[bool, Math]:
    """A product of Jacobian entries, one of every row of a path; its sign apart. ``inner`` are the indices between
    the rows."""
    sums = tuple([x for t in parts for x in t.summed])
    entries, ties = (tuple([x for t in parts for x in found(t)]) for found in (ENTRIES, TIES))
    whole = entry.settled(Term(entries, f.ONE, (*sums, *inner), ties), sums if proven else ())
    summed, copies = _of_use(whole, proven)
    letters, each = written.bound(summed), iter(whole.entries)
    factors, number = list[Math](), sp.Mul(*[x.size for x in copies])
    for t in parts:
        own = written.factors(islice(each, len(t.entries)))
        scale, form = f.split_sign(t.form)
        number *= scale
        plain = form == f.ONE or form == entry.product_of(own)
        factors += own if plain and form != f.ONE else [] if plain else [written.entries.r.formula(form, own)]
    factors += written.ties(whole)
    negative = f.is_negative(number)
    body = written.entries.r.scaled(-number if negative else number, *factors)
    return negative, written.entries.sum(body, letters, [x.size for x in summed]) if letters else body


def _of_use(t: Term, proven: bool) -> tuple[list[Letter], list[Letter]]:
    """The letters that entries are summed over, and those over which a term is only repeated."""
    used = {x for i in t.entries for x in letters_of(i)}
    tied = {x for tie in t.ties for i in tie for x in letters_of(i)}
    used |= tied if proven else set()
    if any(x in tied - used for x in t.summed):
        raise NoUsualForm
    return [x for x in t.summed if x in used], [x for x in t.summed if x not in used and not is_one(x.size)]
