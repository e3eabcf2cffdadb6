"""In which order a product of several arrays is computed, two at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Generic, NamedTuple, TypeVar

from symbackprop.core.shapes import Dim, typical

MOST = 8  # factors of which every order is looked at
Letter = TypeVar("Letter", bound=Hashable)
Plan = list[tuple[int, int, frozenset[Letter]]]  # which two become one, and its letters


class Cost(NamedTuple):
    """Multiplications; between orders with the same number of them decide ``squares``, then ``strangers``."""

    products: float = 0.0
    squares: float = 0.0
    strangers: int = 0

    def plus(self, other: Cost) -> Cost:
        return Cost(self.products + other.products, self.squares + other.squares, self.strangers + other.strangers)


def planned(items: Sequence[Collection[Letter]], out: Collection[Letter], sizes: Mapping[Letter, Dim],
            arrays: Sequence[int]) -> Plan[Letter]:
    """The order with the fewest multiplications in which arrays at these letters become one with the letters ``out``.
    ``arrays`` are numbers that tell them apart; pairs are numbered on from them."""
    letters = dict.fromkeys([i for some in (*items, out) for i in some])
    first: dict[int, int] = {}
    alike = tuple([first.setdefault(array, k) for k, array in enumerate(arrays)])
    known = tuple([(i, sizes[i]) for i in letters if i in sizes])
    return [*_planned(tuple([frozenset(i) for i in items]), frozenset(out), known, alike)]


@lru_cache(maxsize=1 << 12)
def _planned(items: Sequence[frozenset[Letter]], out: frozenset[Letter], sizes: Iterable[tuple[Letter, Dim]],
             arrays: Sequence[int]) -> Plan[Letter]:
    """The same, remembered: deep models multiply alike again and again."""
    planner = Planner(items, out, dict(sizes), arrays)
    return planner.cheapest() if len(items) <= MOST else planner.greedy()


class Planner(Generic[Letter]):
    """Looks for the order of one product."""

    def __init__(self, items: Sequence[frozenset[Letter]], out: frozenset[Letter], sizes: Mapping[Letter, Dim],
                 arrays: Sequence[int]) -> None:
        self.items, self.out, self.sizes, self.arrays = items, out, sizes, arrays

    def cheapest(self) -> Plan[Letter]:
        """The order found from that of every part, the smallest first."""
        places = range(len(self.items))
        own = {frozenset(c): self._kept(frozenset(c)) for n in places for c in combinations(places, n + 1)}
        best: dict[frozenset[int], tuple[Cost, tuple[frozenset[int], frozenset[int]] | None]] = {}
        for chosen in sorted(own, key=lambda c: (len(c), sorted(c))):
            first, *others = sorted(chosen)
            halves = [frozenset({first, *more}) for n in range(len(others)) for more in combinations(others, n)]
            halves = halves if others else []
            costs = [(best[a][0].plus(best[chosen - a][0]).plus(self._pair(a, chosen - a, own)), -k)
                     for k, a in enumerate(halves)]  # of equals the last: from left to right
            cost, k = min(costs, default=(Cost(), 0))
            best[chosen] = cost, (halves[-k], chosen - halves[-k]) if halves else None
        pairs: Plan[Letter] = []

        def place(chosen: frozenset[int]) -> int:
            parts = best[chosen][1]
            if parts is None:
                return next(iter(chosen))
            a, b = map(place, parts)
            pairs.append((a, b, own[chosen]))
            return len(self.items) + len(pairs) - 1

        place(frozenset(places))
        return pairs

    def greedy(self) -> Plan[Letter]:
        """The pair with the smallest product first. What a pair costs stays the same while others are multiplied: a
        letter that was read elsewhere still is."""
        open_, pairs = dict(enumerate(self.items)), Plan[Letter]()
        readers = Counter(letter for some in (*self.items, self.out) for letter in some)

        def tried(a: int, b: int) -> tuple[Cost, Cost, int, int, frozenset[Letter]]:
            both = open_[a] | open_[b]
            kept = frozenset(i for i in both if readers[i] > (i in open_[a]) + (i in open_[b]))
            return self._cost(both), self._cost(kept), a, b, kept

        found = [tried(a, b) for a, b in combinations(open_, 2)]
        while found:
            _, _, a, b, kept = min(found, key=lambda t: t[:4])
            readers.subtract(letter for some in (open_.pop(a), open_.pop(b)) for letter in some)
            readers.update(kept)
            new = len(self.items) + len(pairs)
            pairs.append((a, b, kept))
            open_[new] = kept
            found = [t for t in found if not {a, b} & {*t[2:4]}] + [tried(k, new) for k in open_ if k != new]
        return pairs

    def _kept(self, chosen: frozenset[int]) -> frozenset[Letter]:
        """The letters that the product of some items has: those that are read elsewhere."""
        if len(chosen) == 1:
            return self.items[next(iter(chosen))]
        inside = frozenset[Letter]().union(*[self.items[k] for k in chosen])
        return inside & self.out.union(*[s for k, s in enumerate(self.items) if k not in chosen])

    def _pair(self, a: frozenset[int], b: frozenset[int], own: Mapping[frozenset[int], frozenset[Letter]]) -> Cost:
        """The cost of one product; that of an array with itself, both sides of what is symmetric, comes first."""
        twins = len(a) == len(b) == 1 and self.arrays[min(a)] == self.arrays[min(b)]
        return self._cost(own[a] | own[b])._replace(strangers=not twins)

    def _cost(self, letters: Iterable[Letter]) -> Cost:
        """A size that is not known is taken to be a typical one; on the average a² is larger than a·b where both may be
        anything."""
        sizes = [self.sizes[i] for i in letters]
        area = 1.0
        for d in sizes:
            area *= typical(d)
        return Cost(area, area * (len(sizes) - len({*sizes})))
