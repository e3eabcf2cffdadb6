"""Results by names that the model does not have, where gradients are missing: which of these they may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from symbackprop.grade.points import Array, Point
from symbackprop.own.compare import CLOSE, RELATIVE, SINGLE_STEP, TINY, Pair, distance
from symbackprop.own.results import Returned
from symbackprop.own.truth import Truth

Call = tuple[Point, Returned]
Compared = Callable[[str, Call, str], Pair]  # name, call, word


@dataclass
class Meant:
    """What results are ``taken`` for, by their words, with why; ``guessed`` are words of those gradients for which only
    the shape speaks. ``doubtful`` has the words that a missing gradient may come by."""

    taken: dict[str, str] = field(default_factory=dict)
    guessed: dict[str, str] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)
    doubtful: dict[str, list[str]] = field(default_factory=dict)


def meant(truth: Truth, calls: Sequence[Call], compared: Compared) -> Meant:
    """A result that is a missing gradient in its numbers is that; of the others, one that alone may be one by its shape
    is taken for it, and judged. What is a value or the gradient of a row is neither."""
    found, first = Meant(), calls[0][1]
    words = [w for w in first.extra if all(w in returned.extra for _, returned in calls)]
    missing = [n for n in truth.targets if n not in first.gradients and n not in first.unreadable]
    for w in words:
        same = next((n for n in missing if all(_agree(compared(n, call, w)) for call in calls)), None)
        if same is not None:
            missing.remove(same)
            found.taken[w] = same
            found.why.append(f"{w}, a name that the model does not have, is the gradient of {same} in its numbers")
    left = {w: names for w in words if w not in found.taken
            and (names := [n for n in missing if all(_may_be(compared(n, call, w)) for call in calls)])
            and not _is_of_a_row(truth, calls, w)}
    for w, names in left.items():
        if len(names) == 1 and sum(names[0] in some for some in left.values()) == 1:
            found.taken[w], found.guessed[names[0]] = names[0], w
            found.why.append(f"{w}, a name that the model does not have, is taken for the gradient of {names[0]}, "
                             "which is missing and has its shape")
        else:
            for n in names:
                found.doubtful.setdefault(n, []).append(w)
    return found


def _agree(pair: Pair) -> bool:
    return pair.state in (CLOSE, SINGLE_STEP)


def _may_be(pair: Pair) -> bool:
    """Whether a result may be meant as a gradient by its shape, which may be turned."""
    given, right = (sorted(n for n in a.shape if n != 1) for a in (pair.given, pair.right))
    return given == right


def _is_of_a_row(truth: Truth, calls: Sequence[Call], word: str) -> bool:
    """Whether a result is the value of a row of the model, or its gradient: code returns these too."""
    reference = truth.reference
    return any(all(_equal(returned.extra[word], point.value(row)) for point, returned in calls)
               for r in reference.order for row in (r, reference.gradient(r)))


def _equal(found: tuple[Array, str], value: Array) -> bool:
    array, precision = found
    if array.shape != np.shape(value):
        return False
    scale = max(float(np.max(np.abs(value), initial=0.0)), TINY)
    return distance(array, value, scale) <= RELATIVE.get(precision, RELATIVE["float64"])
