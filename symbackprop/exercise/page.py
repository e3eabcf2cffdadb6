"""An exercise as one self-contained page, which checks what is typed by numbers that stand in it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from unicodedata import normalize

import numpy as np
from markupsafe import Markup

from symbackprop.core.graph import FLOAT, INT, Node
from symbackprop.core.names import text_name
from symbackprop.core.shapes import dim_text
from symbackprop.derive.record import Edge
from symbackprop.exercise.blanks import Blank, Exercise
from symbackprop.grade.derivation_mistakes import AT_EDGES, Candidate, Place, candidates
from symbackprop.grade.diagnose import multiples
from symbackprop.grade.equality import FLOOR, same
from symbackprop.grade.functions import classes
from symbackprop.grade.mistakes import KINDS
from symbackprop.grade.numeric_sweep import NumericSweep
from symbackprop.grade.points import DISTRIBUTION, GENERAL, Array, Beyond, Point, Points, class_targets
from symbackprop.grade.reference import Reference
from symbackprop.grade.results import FORMAT, VERSION
from symbackprop.model.text.expressions import one_formula
from symbackprop.model.text.tree import mentioned
from symbackprop.render.html import STYLES, document_parts, render


def to_page(asked: Exercise, links: Mapping[str, str]) -> str:
    """The page; the same exercise gives the same bytes."""
    data = {"format": FORMAT, "version": VERSION, **Judging(asked).data()}
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return render(
        "exercise.html", (*STYLES, "exercise.css"), ("page.js", "exercise.js"), document=asked.document,
        links=links, cards=asked.cards, questions=len(asked.blanks), key=key, seed=asked.seed,
        loss=asked.reference.loss_word, data=Markup(text.replace("<", "\\u003c")), whole=True,
        **document_parts(asked.document),
    )


# -- what a page needs to judge answers without Python: numbers at random points, and what known mistakes come to there
# The points, the mistakes and their words are those of `grade`. Of a wrong answer the page compares two sums over its
# entries with those of every mistake; what is compared for being right are the entries themselves.
SCALAR_POINTS, ARRAY_POINTS, BEYOND = 4, 3, 3
DIGITS = 10  # of the numbers in a page; answers are right to four fewer
TRIED, KEPT = 400, 60  # mistakes of a question that are tried, and those that are told
FAR = 40  # rows: mistakes so far above a step are looked for, and with so many names all of them may be used


def points_of(reference: Reference, sizes: dict[str, int], seed: int) -> list[Point]:
    """Random points of unequal sizes, and some on the sides of conditions that these miss; targets are distributions
    where a cross entropy reads them."""
    source = Points(reference, sizes, DISTRIBUTION if class_targets(reference) else GENERAL, seed)
    scalars = not any(row.shape for row in reference.order)
    first = source.first(SCALAR_POINTS if scalars else ARRAY_POINTS - (len(reference.rows) > FAR))
    more = islice(Beyond(reference.results, source, list(first)).points(), BEYOND)
    return [source.at({x.id: _short(p.value(x)) for x in source.leaves}, p.sizes) for p in (*first, *more)]


def _short(value: Array) -> Array:
    """Numbers of few digits, which stand in the page as they are."""
    value = np.asarray(value)
    return value if value.dtype.kind != "f" else np.vectorize(lambda x: float(f"{x:.6g}"), otypes=[float])(value)


class Judging:
    """Writes the data of a page for one exercise."""

    def __init__(self, asked: Exercise) -> None:
        self.asked, self.reference = asked, asked.reference
        free = {n: k for n, k in asked.sizes.items() if n in asked.model.sizes}  # the others are numbers by now
        self.points = points_of(self.reference, free, asked.seed)
        self.found = {c.step.name: k for k, c in enumerate(asked.cards, 1)}  # the steps by the names of their rows

    def data(self) -> dict[str, Any]:
        sizes = sorted({n for p in self.points for n in p.sizes})
        usual = multiples(self.points, self.reference.dimensions)
        return {
            "model": self.asked.model.name, "seed": self.asked.seed, "difficulty": self.asked.difficulty.name.lower(),
            "dims": dict(self.asked.sizes), "points": len(self.points), "same": 10 ** (4 - DIGITS), "floor": FLOOR,
            "loss": self.reference.loss_word, "kinds": KINDS,
            "sizes": {n: [p.sizes[n] for p in self.points] for n in sizes}, "names": dict(self._names()),
            "printed": self._printed(),
            "multiples": [{"kind": kind, "says": says, "by": [_number(x) for x in by]} for kind, says, by in usual],
            "questions": [self._question(b) for b in self.asked.blanks],
        }

    # -- names
    def _names(self) -> Iterator[tuple[str, Any]]:
        """The values of everything that a formula may name; ``after`` is the step that finds it, 0 in the forward
        pass. In a large model these are the names around the questions."""
        given = {u.id for u in self.asked.model.upstream.values()}
        around = {row.id for b in self.asked.blanks for row in self._around([b.target])}
        read = {name for b in self.asked.blanks for name in mentioned(one_formula(b.text))}
        for name, row in self.reference.rows.items():
            if len(self.reference.rows) > FAR and row.id not in around and not {name, f"d{name}"} & read:
                continue
            if (row.id in self.reference.forward or row.id in given) and (entry := self._entry(row, 0)) is not None:
                yield name, entry
            after, gradient = self.found.get(name), self.reference.gradient(row)
            if after is not None and (entry := self._entry(gradient, after)) is not None:
                taken = f"d{name}" in self.reference.rows  # by a row of the model's own
                yield self.reference.spelled.get(gradient.id, f"d{name}") if taken else f"d{name}", entry

    def _printed(self) -> dict[str, str]:
        """Names by how they print where these are other letters, as θ for theta, and stand for one name."""
        shown = [(text_name(name), name) for name in self.reference.rows]
        times = Counter([x for x, _ in shown])
        return {normalize("NFC", x): name for x, name in shown if times[x] == 1 and not x.isascii()}

    def _entry(self, row: Node, after: int) -> dict[str, Any] | None:
        values = [p.value(row) for p in self.points]
        if not all(np.all(np.isfinite(v)) for v in values):
            return None
        below = classes(row) if row.kind == INT else None
        return {"dims": [dim_text(d) for d in row.shape], "after": after, "values": [_array(v) for v in values],
                **({} if below is None else {"classes": dim_text(below)})}

    # -- questions
    def _question(self, blank: Blank) -> dict[str, Any]:
        right = [np.broadcast_to(p.value(blank.row), p.size(blank.target.shape)) for p in self.points]
        return {
            "number": blank.number, "name": blank.name, "step": self.found[self.reference.names[blank.target.id]],
            "answer": blank.text, "dims": [dim_text(d) for d in blank.target.shape],
            "right": [_array(v) for v in right], "mistakes": list(self._mistakes(blank, right)),
        }

    def _mistakes(self, blank: Blank, right: Sequence[Array]) -> Iterator[dict[str, Any]]:
        """What known mistakes come to, the likeliest first, those of the step itself before those further up."""
        seen: set[tuple[float, ...]] = set()
        with np.errstate(all="ignore"):
            for candidate, values in islice(self._made(blank), TRIED):
                if not all(np.all(np.isfinite(v)) for v in values) or all(map(same, values, right)):
                    continue
                marks = tuple([x for v in values for x in marks_of(v)])
                if marks not in seen and len(seen) < KEPT:
                    seen.add(marks)
                    finding = candidate.tell()
                    yield {"kind": finding.kind, "factor": finding.factor, "says": finding.says, "marks": marks}

    def _made(self, blank: Blank) -> Iterator[tuple[Candidate, list[Array]]]:
        if blank.edge is not None:
            yield from self._factors(blank.edge)
            return
        found = self.found[self.reference.names[blank.target.id]]
        rows = [self.reference.rows[n] for n, k in self.found.items() if k < found]
        for known in (frozenset(row.id for row in rows), frozenset[int]()):
            if not known and len(self.reference.downstream(blank.target, known)) > FAR:
                continue
            sweeps = [NumericSweep(self.reference, p, blank.target, known) for p in self.points]
            way = self.reference.downstream(blank.target, known)
            for candidate in candidates(self.reference, way, blank.target, self._near(way)):
                yield candidate, [s.gradient(candidate.swaps) for s in sweeps]

    def _factors(self, edge: Edge) -> Iterator[tuple[Candidate, list[Array]]]:
        """Mistakes in one local derivative: what the link makes of ones."""
        place = Place(self.reference, edge, edge.argument, self._near([edge.argument]))
        sweeps = [NumericSweep(self.reference, p, edge.argument) for p in self.points]
        for candidate in sorted(AT_EDGES["local derivatives"](place), key=lambda c: c.cost):
            swap = candidate.swaps[edge]
            yield candidate, [swap(s, edge, np.ones(s.point.size(edge.consumer.shape))) for s in sweeps]

    def _near(self, way: Sequence[Node]) -> list[Node]:
        """The named rows around a step that may stand where others belong."""
        return [row for row in self._around(way) if row.kind == FLOAT and row.value is None]

    def _around(self, way: Sequence[Node]) -> list[Node]:
        """The named rows that stand beside rows where these are read, and what those are made of."""
        edges, is_named = self.reference.edges, self.reference.is_named
        first = [x for row in way for e in edges(row) for x in (e.consumer, *e.consumer.args)]
        second = [x for row in first for x in (*row.args, *[e.consumer for e in edges(row) if not is_named(row)])]
        return [*{row.id: row for row in (*first, *second) if is_named(row)}.values()]


def marks_of(value: Array) -> tuple[float, float]:
    """Two sums over the entries of an array by which the page tells it from others."""
    flat = np.asarray(value, float).ravel()
    places = np.arange(1, flat.size + 1)
    return _number(float(flat @ np.sin(places))), _number(float(flat @ np.cos(places)))


def _array(value: Array) -> dict[str, Any]:
    value = np.asarray(value, float)
    return {"shape": list(value.shape), "data": [_number(x) for x in value.ravel()]}


def _number(x: float) -> float | int:
    """A number with as many digits as its comparison needs."""
    short = float(f"{x:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
