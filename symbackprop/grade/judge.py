"""One verdict per answer: shape first, then equality, then which mistake it is."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

import numpy as np

from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import same_shape
from symbackprop.errors import ModelError, ShapeError
from symbackprop.grade import mistakes as m
from symbackprop.grade.equality import NUMBERS, are_equal, fitted, how_equal
from symbackprop.grade.explain import Explainer
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.naming import Gradient, Key, Local, Own
from symbackprop.grade.points import DISTRIBUTION, GENERAL, HARD, Beyond, Point, Points, class_targets
from symbackprop.grade.reference import local_derivatives
from symbackprop.grade.session import Outcome, Session

RIGHT, WRONG, FOLLOWS, MISSING, UNREADABLE = "right", "wrong", "follow-through", "missing", "unreadable"
INCONCLUSIVE = "inconclusive"
SCALAR_POINTS, ARRAY_POINTS, FEW_POINTS, DIAGNOSIS_POINTS = 12, 6, 3, 4
LARGE = 1_000


@dataclass
class Verdict:
    """What became of one answer. ``equality`` says how it is known to be right."""

    state: str
    finding: Finding | None = None
    equality: str = ""
    notes: list[str] = field(default_factory=list)


class Judge:
    """Judges the answers of one session; ``sizes`` fixes dimensions."""

    def __init__(self, session: Session, sizes: Mapping[str, int], seed: int) -> None:
        self.session, self.reference = session, session.reference
        self.sizes, self.seed = sizes, seed
        self.verdicts: dict[Key, Verdict] = {}
        self.telling: dict[str, list[Point]] = {}

    def run(self) -> None:
        """Judge everything that has a meaning, in the order in which it was evaluated."""
        for key, outcome in self.session.outcomes.items():
            if outcome.meaning is not None and key not in self.verdicts and not self._is_of_a_whole_number(outcome):
                try:
                    self.verdicts[key] = self.verdict(outcome)
                except ModelError as error:
                    self.verdicts[key] = unreadable(error)
        for key in [k for k in self.verdicts if self._by_chance(k)]:
            del self.verdicts[key]

    def _is_of_a_whole_number(self, outcome: Outcome) -> bool:
        """Whether an answer is the gradient of a state that the model begins with, h[0] = 0: a loop backwards hands one
        on to it, which nothing asks for."""
        row = self.reference.rows.get(outcome.row_name) if isinstance(outcome.meaning, Gradient) else None
        return row is not None and row.kind != FLOAT and bool(row.args)

    def _by_chance(self, key: Key) -> bool:
        """Whether a name of the person's own was taken for a gradient that it is not: all answers that read it are
        right."""
        readers = [k for k, o in self.session.outcomes.items() if key in o.uses and o.assumed is None]
        assumed = self.session.outcomes[key].assumed is not None
        return assumed and self._is_wrong(key) and not any(map(self._is_wrong, readers))

    def agreed(self) -> Judge:
        """The same with what the person means by its names: a constant times an intermediate's gradient, as where every
        sample has its own loss, is no mistake where a gradient that reads it makes up for that."""
        kept: dict[Key, str] = {}
        for key in self.verdicts:
            if note := self._another_quantity(key, kept):
                kept[key] = note
        if not kept:
            return self
        other = Judge(self.session.keeping(kept), self.sizes, self.seed)
        other.verdicts = {k: Verdict(RIGHT, notes=[note]) for k, note in kept.items()}
        other.run()
        return other

    def _another_quantity(self, key: Key, kept: Container[Key]) -> str:
        """What is told of an intermediate that is a multiple of its gradient and is read by right answers, or follows
        from such ones; empty for what is none."""
        outcome, targets = self.session.outcomes[key], self.reference.targets
        if not self._is_wrong(key) or outcome.row_name in targets or isinstance(outcome.meaning, Local):
            return ""
        if self._was_right(outcome):
            return f"{outcome.label} is right where it is first given; a later line makes another quantity of it"
        readers = [k for k, o in self.session.outcomes.items() if key in o.uses and o.row_name in targets]
        follows = self.verdicts[key].state == FOLLOWS and all(
            k in kept and not self._was_right(self.session.outcomes[k]) for k in outcome.uses if self._is_wrong(k))
        if not follows and not any(self.verdicts[k].state == RIGHT for k in readers if k in self.verdicts):
            return ""
        right = self.rights(outcome)[0]
        if not all(self._is_multiple(outcome.given, right, p) for p in self.usual):
            return ""
        return f"{outcome.label} is a constant times the gradient, and what reads it makes up for that"

    @staticmethod
    def _is_multiple(given: Sequence[Node], right: Node, point: Point) -> bool:
        if not given or not same_shape(given[0].shape, right.shape):
            return False
        a, b = (np.asarray(point.value(r), float) for r in (given[0], right))
        factor = np.sum(a * b) / np.sum(b * b) if np.any(b) else 0.0
        return factor != 0 and bool(np.allclose(a, factor * b, rtol=1e-9, atol=1e-12 * np.max(np.abs(a), initial=0.0)))

    # -- points
    @cached_property
    def sources(self) -> dict[str, Points]:
        """Where points come from, in every style that the model's targets allow, general ones first."""
        special = (DISTRIBUTION, HARD) if class_targets(self.reference) else ()
        return {s: Points(self.reference, self.sizes, s, self.seed) for s in (GENERAL, *special)}

    @cached_property
    def styles(self) -> dict[str, list[Point]]:
        """Points in every style: random ones, then those on the sides of the model's conditions that these miss."""
        rows = self.reference.order
        scalars = all(not n.shape for n in rows)
        self.count = SCALAR_POINTS if scalars else ARRAY_POINTS if len(rows) < LARGE else FEW_POINTS
        found = {style: source.first(self.count) for style, source in self.sources.items()}
        for style, first in found.items():
            first += list(Beyond(self.reference.results, self.sources[style], list(first)).points())
        return found

    @property
    def usual(self) -> list[Point]:
        """The points at which mistakes are looked for: targets are what a person takes them for. Those that conditions
        asked for are among them."""
        style = DISTRIBUTION if DISTRIBUTION in self.styles else GENERAL
        points = self.styles[style]
        return [*points[:DIAGNOSIS_POINTS], *points[self.count :], *self.telling.get(style, [])]

    # -- verdicts
    def verdict(self, outcome: Outcome) -> Verdict:
        """Right, right given earlier answers, wrong with its mistake, not decided, or unreadable."""
        rights = self.rights(outcome)
        misshaped = isinstance(outcome.error, ShapeError)  # which is wrong rather than unreadable
        if outcome.error is not None and outcome.mended_error is not None and not misshaped:
            return unreadable(outcome.error)
        found = self._equal(outcome.given, rights)
        if found is not None:
            return found
        wrong = self._wrong_uses(outcome)
        follows = self._equal(outcome.mended, rights)
        if follows is not None and follows.state == INCONCLUSIVE:
            return follows
        if follows is not None and wrong:
            says = f"it is right, given your {wrong}"
            return replace(follows, state=FOLLOWS, finding=Finding(m.FOLLOW_THROUGH, says, wrong))
        finding = Explainer(self.session, self.usual, outcome, rights[0]).finding()
        if wrong and finding.kind not in (m.UNEXPLAINED, m.SHAPE):
            finding = replace(finding, says=f"{finding.says} (your {wrong} aside)")
        return Verdict(WRONG, finding)

    def _was_right(self, outcome: Outcome) -> bool:
        """Whether a quantity was right before a line changed what its name holds, as dS /= √d does."""
        before = outcome.before
        return before is not None and (
            self._equal(before.given, self.rights(outcome)) is not None or self._was_right(before))

    def rights(self, outcome: Outcome) -> list[Node]:
        """The right rows for what an answer means; several where a local derivative can be read in two ways."""
        if isinstance(outcome.meaning, Local):
            return local_derivatives(self.reference, outcome.meaning.of, outcome.meaning.by)
        return self.reference.readings(outcome.row_name)

    def _equal(self, rows: Sequence[Node], rights: Sequence[Node]) -> Verdict | None:
        """RIGHT, or INCONCLUSIVE where the rows agree as far as anything was seen; None where they differ."""
        undecided: Verdict | None = None
        for fit, right in ((fitted(row, right), right) for row in rows for right in rights):
            for style in self.styles if fit is not None else ():
                assert fit is not None
                found = self._equal_in(style, fit[0], right)
                if found is not None:
                    found.notes += [n for n in (fit[1], _STYLE_NOTES[style]) if n]
                    if found.state == RIGHT:
                        return found
                    undecided = undecided or found
        return undecided

    def _equal_in(self, style: str, row: Node, right: Node) -> Verdict | None:
        how = how_equal(row, right, self.styles[style])
        if how != NUMBERS:
            return None if how is None else Verdict(RIGHT, None, how)
        beyond = Beyond([row, right], self.sources[style], self.styles[style])
        ties = right.id in self._of_parameters
        for point in chain(beyond.points(), beyond.together(), beyond.at_edges(ties)):
            if not beyond.agree(point):
                self.telling.setdefault(style, []).append(point)
                return None
        if not beyond.unseen:
            return Verdict(RIGHT, None, how)
        says = "it agrees at every point tried, but " + "; ".join(map(str, beyond.unseen))
        return Verdict(INCONCLUSIVE, Finding(m.UNSEEN, says))

    @cached_property
    def _of_parameters(self) -> frozenset[int]:
        """The gradients of what depends on parameters, on which no condition on data depends."""
        known, graph = self.reference.gradients, self.reference.graph
        order = graph.topological([graph.nodes[i] for i in known])
        free = {row.id for row in order if row.is_declared and row.attr.role != "data"}
        for row in order:
            if any(a.id in free for a in row.args):
                free.add(row.id)
        return frozenset(gradient.id for i, gradient in known.items() if i in free)

    def is_right(self, row: Node, right: Node) -> bool:
        """Whether a row is the right one, in any style of targets."""
        found = self._equal([row], [right])
        return found is not None and found.state == RIGHT

    def _wrong_uses(self, outcome: Outcome) -> str:
        """The earlier answers that a line reads and that are wrong, as the person called them, separated by commas."""
        outcomes = self.session.outcomes
        wrong = [k for k in outcomes if k in outcome.uses and k != outcome.key and self._is_wrong(k)]
        return ", ".join(outcomes[k].label for k in wrong)

    def _is_wrong(self, key: Key) -> bool:
        return key in self.verdicts and self.verdicts[key].state not in (RIGHT, INCONCLUSIVE)


def unreadable(error: ModelError) -> Verdict:
    """The verdict on an answer that cannot be evaluated."""
    return Verdict(UNREADABLE, Finding(m.UNREADABLE, error.message, wrong=error.near))


_STYLE_NOTES = {
    GENERAL: "",
    DISTRIBUTION: "it holds for targets that sum to one, as they do",
    HARD: "it holds for targets that are 0 or 1",
}


# -- what a person's own names stand for: ``d2 = …`` is the gradient of some intermediate, if only one fits


MAX_TRIES, MAX_WORK = 60, 6_000


def with_helpers(session: Session, points: Sequence[Point]) -> Session:
    """The session again, with every helper taken for the gradient that it stands for."""
    tries = min(MAX_TRIES, MAX_WORK // max(len(session.entries), 1))
    for key, outcome in list(session.outcomes.items()):
        if isinstance(key, Own) and outcome.given and tries > 0:
            row, tried = _meant(session, key, list(_candidates(session, outcome.given[0]))[:tries], points)
            tries -= tried
            session = session if row is None else session.assuming(key, row)
    return session


def _meant(session: Session, key: Key, candidates: Sequence[str], points: Sequence[Point]) -> tuple[str | None, int]:
    """(the row whose gradient a helper stands for, how many were tried)."""
    given = session.outcomes[key].given[0]
    rows = session.reference.rows
    same = next((n for n in candidates if are_equal(given, session.reference.gradient(rows[n]), points)), None)
    users = [o for o in session.outcomes.values() if key in o.uses and isinstance(o.meaning, Gradient)]
    before = _right_answers(session, key, points)
    if before == len(users):
        return same, 0
    for count, name in enumerate(candidates, 1):
        if _right_answers(session.assuming(key, name), key, points) > before:
            return name, count
    return same, len(candidates)


def _candidates(session: Session, row: Node) -> Iterator[str]:
    """The intermediates of that shape, last ones first: a person begins at the loss."""
    graph = session.reference
    names = {r.id: n for n, r in graph.rows.items()}
    for node in reversed(graph.order):
        if not node.args or node.kind != FLOAT or node.id not in names or not same_shape(node.shape, row.shape):
            continue
        gradient = graph.gradients.get(node.id)
        if gradient is not None and gradient.value is None:
            yield names[node.id]


def _right_answers(session: Session, key: Key, points: Sequence[Point]) -> int:
    """How many answers that read the helper are right once earlier answers are."""
    return sum(_is_right(session, o, points) for o in session.outcomes.values() if key in o.uses)


def _is_right(session: Session, outcome: Outcome, points: Sequence[Point]) -> bool:
    if not isinstance(outcome.meaning, Gradient) or not outcome.mended:
        return False
    row, right = outcome.mended[0], session.reference.gradient(session.reference.rows[outcome.row_name])
    return same_shape(row.shape, right.shape) and are_equal(row, right, points)
