"""The sweep: one rule an op gives all cotangents, and a wrong one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from symbackprop.core import formula as f
from symbackprop.core import functions as F
from symbackprop.core.accumulate import total
from symbackprop.core.graph import Graph, Node
from symbackprop.core.notation import Notation
from symbackprop.core.registry import OPS
from symbackprop.core.reverse import grad, sweep
from symbackprop.core.shapes import dim


@pytest.fixture
def put_in_place_of() -> Iterator[Callable[[str, Callable[..., Any]], None]]:
    """Gives an op another derivative rule for the time of a test."""
    before = dict(OPS)
    yield lambda name, rule: OPS.__setitem__(name, replace(OPS[name], vjp=rule))
    OPS.update(before)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda output, upstream, *_: (), "the rule of norm gives 0 cotangents, not 1"),
        (lambda output, upstream, *_: (upstream,), r"the rule of norm gives scalar as the cotangent of x \(3\)"),
        (lambda output, upstream, *_: (F.stack(*[upstream] * 4),), r"the rule of norm gives 4 as the cotangent"),
    ],
)
def test_a_wrong_rule_is_named(put_in_place_of: Any, rule: Any, says: str) -> None:
    put_in_place_of("norm", rule)
    x = Graph().leaf("x", (3,))
    with pytest.raises(AssertionError, match=says):
        grad(F.norm(x), [x])


def test_rows_come_after_all_that_read_them_and_nothing_else_comes() -> None:
    g = Graph()
    x, unread = g.leaf("x"), g.leaf("unread")
    a = g.let("a", F.tanh(x))
    loss = g.let("L", a * x + F.exp(a) + unread)
    came = [s.node for s in sweep([loss], [g.const(1)], [x])]
    assert came[0] is loss and came[-1] is x and unread not in came
    place = {row.id: k for k, row in enumerate(came)}
    assert all(place[row.id] < place[b.id] for row in came for b in row.args if b.id in place)


def test_the_terms_of_the_loss_itself_come_last() -> None:
    g = Graph()
    w, x = g.leaf("w"), g.leaf("x")
    loss = g.let("L", w**2 + g.let("p", F.tanh(g.let("z", w * x))))
    (found,) = [s for s in sweep([loss], [g.const(1)], [w]) if s.node is w]
    consumers: list[Node | None] = [p.consumer for p in found.parts]
    assert consumers == [g.names["z"], loss]


def test_what_divides_by_an_exponential_is_shortened() -> None:
    """−1/e² · e would be nan where e is infinite."""
    g = Graph()
    x = g.leaf("x")
    e = F.exp(x)
    assert Notation().right(grad(1 / e, [x])[0]) == "-1 / exp(x)"


def test_what_many_rows_hand_back_is_added_up_at_once() -> None:
    """A sum was a row for each of its terms, of which nothing read any but the last."""
    graph = Graph()
    w, x = graph.leaf("w"), graph.leaf("x")
    (slope,) = grad(F.sum(F.stack(*[F.exp(w * x * k) for k in range(2, 12)])), [w])
    assert len([row for row in graph.nodes.values() if isinstance(row.form, f.Add)]) < 5
    assert str(slope) == " + ".join(f"{k} * exp({k} * w * x) * x" for k in range(11, 1, -1))


def test_a_factor_that_the_first_terms_have_in_common_is_written_once_however_many_there_are() -> None:
    graph = Graph()
    n = dim("N")
    u, v, w = [graph.leaf(name, (n,)) for name in "uvw"]
    assert str(total([u / n, v / n, w])) == "(u + v) / N + w"
    assert str(total([u / n + v, -v, w / n])) == "(u + w) / N"


@pytest.mark.parametrize("function", [F.cumsum, F.cumprod, F.cummax, F.logcumsumexp, F.softmax])
@pytest.mark.parametrize("shape", [(0,), (5, 0, 0), (0, 3)])
def test_gradients_along_an_axis_of_no_entries(function: Callable[..., Node], shape: tuple[int, ...]) -> None:
    """That of a running sum took a slice of the size −1."""
    x = Graph().leaf("x", shape)
    found = grad(F.sum(function(x, shape.index(0)) ** 2), [x])
    assert found[0].shape == x.shape
