"""What numbers say beside a derivation: difference quotients of the loss, and steps of gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.maths import Math, Num, Pow
from symbackprop.render.context import Context
from symbackprop.render.document import Line
from symbackprop.render.numbers import MAX_ENTRIES, Numbers

TEN, EXPONENT = sp.Integer(10), sp.Integer(-4)  # the lectures' step of a difference quotient is 10⁻⁴
STEP, POWER = Num(TEN**EXPONENT), Pow(Num(TEN), Num(EXPONENT))  # as a decimal, as a power
H = float(STEP.value)
KINK = 0.01  # what an error and two slopes apart are, beside the slope, where H is small enough
Called = Callable[[Node], Math]


def differences(context: Context, called: Called) -> Iterator[Line]:
    """(L(θ + h) − L(θ − h))/2h beside every gradient, entry by entry, and how far the two are apart."""
    numbers, d = context.numbers, context.derivation
    if numbers is None:
        return
    import numpy as np

    for name in d.wrt:
        value = numbers.given.get(name)
        if value is None or name not in d.gradients or np.size(value) > MAX_ENTRIES:
            continue
        (slopes, bends), shown = _slopes(numbers, name), numbers.found.get(d.gradients[name].id)
        written = numbers.write(slopes)
        if shown is not None and written is not None and written.shown is not None:
            errors = np.abs(slopes - shown)
            error = float(np.max(errors, initial=0.0))
            kink = "; a kink, where the slopes on both sides differ" if np.any(_at_kink(errors, slopes, bends)) else ""
            row = d.model.graph.names[name]
            yield Line("check", called(row), written.shown, (f"error {error:.1e}{kink}",), "≈", written)


def _at_kink(errors: Any, slopes: Any, bends: Any) -> Any:
    """Where a gradient is not the mean of the slopes on both sides, which are apart as they are in no smooth place."""
    import numpy as np

    scale = 1 + np.abs(slopes)
    return (errors > KINK * scale) & (np.abs(bends) > KINK * scale)


def _slopes(numbers: Numbers, name: str) -> tuple[Any, Any]:
    """The difference quotient of the loss in every entry of an array, and by how much the slopes on both sides of it
    differ."""
    import numpy as np

    start, leaf = np.asarray(numbers.given[name], dtype=float), numbers.derivation.model.graph.names[name]
    slopes, bends = np.empty_like(start), np.empty_like(start)
    here = float(numbers.objective.at(leaf, start)[0])
    for place in np.ndindex(start.shape):
        there = [start.copy() for _ in range(2)]
        there[0][place] += H
        there[1][place] -= H
        up, down = (float(numbers.objective.at(leaf, x)[0]) for x in there)
        slopes[place], bends[place] = (up - down) / (2 * H), (up - 2 * here + down) / H
    return slopes, bends


def descended(context: Context, updates: tuple[Line, ...], rate: float, steps: int) -> tuple[Line, ...]:
    """The lines of one step in numbers, and what becomes of the loss in every step."""
    numbers, model = context.numbers, context.derivation.model
    loss = model.loss_row
    if numbers is None or loss is None:
        return updates
    names = [n for n in model.params if n in context.wanted and n in context.derivation.gradients]
    points = list(_points(numbers, names, rate, steps))
    if len(updates) == len(names):
        first = [points[1].write(points[1].given[n]) for n in names]
        updates = tuple([replace(u, value=v) for u, v in zip(updates, first, strict=True)])
    return (*updates, *[_loss(context, loss, points, k) for k in range(steps + 1)])


def _points(numbers: Numbers, names: list[str], rate: float, steps: int) -> Iterator[Numbers]:
    """The numbers at the start and after every step."""
    yield numbers
    for _ in range(steps):
        numbers = numbers.moved(_moved(numbers, names, rate))
        yield numbers


def _moved(numbers: Numbers, names: list[str], rate: float) -> Mapping[str, Any]:
    import numpy as np

    found = {n: numbers.found[numbers.derivation.gradients[n].id] for n in names}
    return {n: np.asarray(numbers.given[n], dtype=float) - rate * g for n, g in found.items()}


def _loss(context: Context, loss: Node, points: list[Numbers], k: int) -> Line:
    """L = 0.31 after 2 steps; whether it has grown."""
    value, before = (float(points[i].found[loss.id]) for i in (k, max(k - 1, 0)))
    when = "before" if not k else f"after {k} step{'s' if k > 1 else ''}"
    grown = ": it has grown, the step overshoots" if value > before else ""
    grown = ": no number any more" if value != value else grown
    written = points[k].write(value)
    assert written is not None and written.shown is not None
    return Line("check", context.rows.bare(loss), written.shown, (when + grown,), value=written)
