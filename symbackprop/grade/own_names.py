"""What a person's own names stand for: ``d2 = …`` is the gradient of some intermediate, if only one fits.

A helper line is taken for ∂L/∂k when it is that gradient, or when the answers that read it become right once it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import same_shape
from symbackprop.grade.equality import how_equal
from symbackprop.grade.naming import Gradient, Key, Own
from symbackprop.grade.points import Point
from symbackprop.grade.session import Outcome, Session

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
    same = next((n for n in candidates if how_equal(given, session.reference.gradient(rows[n]), points)), None)
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
    return same_shape(row.shape, right.shape) and how_equal(row, right, points) is not None
