"""∂consumer_K/∂target_T entry by entry, along the rows between them: sums of products of factors and of 1[k = i].

Each row says what its Jacobian entries are (see `core.entry`). The indices between two rows are summed over, and nearly
all of these sums are settled by ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, islice, product
from math import prod

from symbackprop.core import entry, maths
from symbackprop.core import formula as f
from symbackprop.core.entry import Letter, Term, letters_of
from symbackprop.core.facts import kind, slopes
from symbackprop.core.maths import Math, Num
from symbackprop.core.shapes import is_one
from symbackprop.derive.record import Edge
from symbackprop.render.entries import Entries, NoUsualForm, Written

MAX_TERMS = 2


def jacobian_entry(entries: Entries, path: Sequence[Edge], consumer: Sequence[Math],
                   target: Sequence[Math]) -> Math | None:
    """The entry for one path; None where it has no short form."""
    if any(kind(e.consumer).joined or (e.consumer.op.gaps and not e.consumer.op.singular) for e in path):
        return None  # parts stand among zeros; equal largest entries share
    between = [entry.letters(path[0].consumer.shape), *[entry.letters(edge.argument.shape) for edge in path]]
    found = [slopes(e.consumer, e.index, k, t) for e, k, t in zip(path, between, between[1:], strict=False)]
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
            terms.append(_written(Written(entries, at, rows), own, inner, prod(map(len, known)) > 1))
    except NoUsualForm:
        return None
    places_met = [x for _, term in terms for x in maths.walk(term) if isinstance(x, maths.Place)]
    if any(isinstance(inner, maths.Place) for x in places_met for _, inner in x.terms):
        return None  # a place counted out through two rows forgets where the first one ends
    return maths.total(*terms)


def _written(written: Written, parts: Sequence[Term], inner: Sequence[Letter], apart: bool) -> tuple[bool, Math]:
    """A product of Jacobian entries, one of every row of a path; its sign, if that is to stand ``apart``. ``inner`` are
    the indices between the rows."""
    whole = entry.settled(Term(
        tuple([x for t in parts for x in t.entries]), f.ONE, (*[x for t in parts for x in t.summed], *inner),
        tuple([tie for t in parts for tie in t.ties]),
    ))
    summed, copies = _of_use(whole)
    letters, entries = written.bound(summed), iter(whole.entries)
    negative, factors = False, list[Math]([written.entries.r.number(x.size) for x in copies])
    for t in parts:
        number, rest = f.split_sign(t.form)
        form, negative = (rest, not negative) if apart and number == -1 else (t.form, negative)
        own = written.factors(islice(entries, len(t.entries)))
        factors += own if form == entry.product_of(own) else [written.entries.r.formula(form, own)]
    factors += written.ties(whole)
    body = maths.product(*factors) if factors else Num(f.ONE.value)
    return negative, written.entries.sum(body, letters, [x.size for x in summed]) if letters else body


def _of_use(t: Term) -> tuple[list[Letter], list[Letter]]:
    """The letters that entries are summed over, and those over which a term is only repeated."""
    used = {x for i in t.entries for x in letters_of(i)}
    tied = {x for tie in t.ties for i in tie for x in letters_of(i)}
    if any(x in tied - used for x in t.summed):
        raise NoUsualForm
    return [x for x in t.summed if x in used], [x for x in t.summed if x not in used and not is_one(x.size)]
