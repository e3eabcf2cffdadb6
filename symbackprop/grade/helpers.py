"""What a person's own names stand for: ``d2 = …`` is the gradient of some intermediate, if only one fits.

A helper line is taken for ∂L/∂k when it is that gradient, or when the answers that read it become right once it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import same_shape
from symbackprop.grade.equality import how_equal
from symbackprop.grade.lines import Line
from symbackprop.grade.naming import Gradient
from symbackprop.grade.outcomes import Outcome
from symbackprop.grade.points import Point
from symbackprop.grade.scope import Key
from symbackprop.grade.session import Session


def with_helpers(session: Session, lines: Sequence[Line], points: Sequence[Point]) -> Session:
    """The session again, with every helper taken for the gradient that it stands for."""
    for key, outcome in list(session.outcomes.items()):
        if key.startswith("own ") and outcome.given:
            row = _meant(session, key, outcome, lines, points)
            if row is not None:
                session = _again(session, lines, {**session.assumed, key: row})
    return session


def _meant(session: Session, key: Key, outcome: Outcome, lines: Sequence[Line], points: Sequence[Point]) -> str | None:
    candidates = list(_candidates(session, outcome.given[0]))
    for name in candidates:
        if how_equal(outcome.given[0], session.reference.gradient(session.reference.rows[name]), points):
            return name
    before = _right_answers(session, key, points)
    for name in candidates:
        assumed = _again(session, lines, {**session.assumed, key: name})
        if _right_answers(assumed, key, points) > before:
            return name
    return None


def _again(session: Session, lines: Sequence[Line], assumed: dict[Key, str]) -> Session:
    new = Session(session.reference, session.fixed, assumed)
    new.run(lines)
    return new


def _candidates(session: Session, row: Node) -> Iterator[str]:
    """The intermediates of that shape, last ones first: a person begins at the loss."""
    graph = session.reference
    names = {r.id: n for n, r in graph.rows.items()}
    for node in reversed(graph.order):
        fits = node.args and node.kind == FLOAT and node.id in graph.gradients and same_shape(node.shape, row.shape)
        if fits and node.id in names:
            yield names[node.id]


def _right_answers(session: Session, key: Key, points: Sequence[Point]) -> int:
    """How many answers that read the helper are right once earlier answers are."""
    return sum(_is_right(session, o, points) for o in session.outcomes.values() if key in o.uses)


def _is_right(session: Session, outcome: Outcome, points: Sequence[Point]) -> bool:
    if not isinstance(outcome.meaning, Gradient) or not outcome.mended:
        return False
    row, right = outcome.mended[0], session.reference.gradient(session.reference.rows[outcome.row_name])
    return same_shape(row.shape, right.shape) and how_equal(row, right, points) is not None
