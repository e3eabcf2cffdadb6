"""The forward sweep against JAX and against the reverse one: ops, functions, loops, built-in models, special points.

CI takes a sample of the built-in models. All of them:

    SWEEP=all python -m pytest tests/core/test_forward.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop import Model
from symbackprop.core import functions as F
from symbackprop.core.forward import jvp
from symbackprop.core.graph import Graph, Node
from symbackprop.core.loops import scan
from symbackprop.core.registry import Op, Sample
from symbackprop.core.reverse import grad, vjp
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import evaluate_shape
from symbackprop.errors import ModelError, ShapeError
from symbackprop.model import zoo
from symbackprop.verify.interpreter import evaluate
from tests.codegen.helpers import emit
from tests.core.helpers import close
from tests.core.test_ops_registry import CASES, Call
from tests.sweeps import ALL

Arrays = dict[str, Any]


def paired(rows: Sequence[Node], wrt: Sequence[Node], given: Arrays, seed: int = 0) -> tuple[float, float]:
    """⟨u, J v⟩ and ⟨Jᵀ u, v⟩ for random u and v."""
    graph, rng = rows[0].graph, np.random.default_rng(seed)
    us, vs = ([graph.leaf(f"{word}_{k}", r.shape) for k, r in enumerate(some)]
              for word, some in (("u", rows), ("v", wrt)))
    drawn = {leaf.name or "": rng.normal(size=evaluate_shape(leaf.shape, {})) for leaf in (*us, *vs)}
    forward, back = jvp(rows, wrt, vs), vjp(rows, us, wrt)
    found = evaluate([*forward, *back], {**given, **drawn})
    pairs = zip([*us, *vs], found, strict=True)
    parts = [float(np.sum(drawn[leaf.name or ""] * value)) for leaf, value in pairs]
    return sum(parts[: len(us)]), sum(parts[len(us) :])


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_every_op_is_pushed_as_it_is_pulled(op: Op, sample: Sample) -> None:
    call = Call(op, sample)
    wrt = [call.leaves[i] for i in call.floats]
    close(*paired([call.row], wrt, call.given()))
    for leaf in wrt:  # alone too: another argument has no tangent
        again = Call(op, sample)
        close(*paired([again.row], [again.graph.names[leaf.name or ""]], again.given()))


@pytest.mark.parametrize("name", [r.name for r in TABLE.values() if r.public])
def test_every_function_is_pushed_as_it_is_pulled(name: str) -> None:
    g, record, rng = Graph(), TABLE[name], np.random.default_rng(3)
    leaves = [g.leaf(f"x{k}", (5,)) for k in range(record.arity)]
    conventions = [g.const(low) for low, _ in record.domain[record.arity :]]
    given = {f"x{k}": rng.uniform(*d, size=5) for k, d in enumerate(record.domain[: record.arity])}
    close(*paired([F.tanh(g.call(name, *leaves, *conventions))], leaves, given))


# -- what is selected
def at(row: Callable[[Node], Node], x: Any, order: int = 1) -> Any:
    """The derivative of some order along 1."""
    g = Graph()
    leaf = g.leaf("x", np.shape(x))
    found = row(leaf)
    for _ in range(order):
        found = jvp([found], [leaf], [1])[0]
    with np.errstate(all="ignore"):
        return evaluate([found], {"x": np.asarray(x, float)})[0]


def test_what_is_not_selected_contributes_nothing() -> None:
    x = [-1.0, 0.0, 4.0]
    close(at(lambda x: F.where(x > 0, F.log(x), 0), x), [0, 0, 0.25])
    close(at(lambda x: F.sqrt(F.relu(x)), x), [0, 0, 0.25])
    close(at(lambda x: F.log(F.where(x > 0, x, 0)), x), [0, 0, 0.25])
    close(at(lambda x: F.sum(F.maximum(x, 0) ** 0.5), x), 0.25)
    close(at(lambda x: F.where(x > 0, F.sqrt(x), x), x, 2), [0, 0, -1 / 32])


def test_at_kinks_far_out_and_at_ties() -> None:
    close(at(F.abs, [-1.0, 0.0, 2.0]), [-1, 0, 1])
    close(at(F.relu, [-1.0, 0.0, 2.0]), [0, 0, 1])
    close(at(F.max, [1.0, 3.0, 3.0]), 1)
    close(at(lambda x: F.max(x * x), [1.0, 3.0, -3.0]), 0)
    close(at(F.norm, [0.0, 0.0]), 0)
    for x in ([0.0, 1.0, -2.0], [0.0, 0.0]):
        close(at(lambda x: F.norm(x, order=-1), x), 0)
    close(at(lambda x: F.norm(x) ** 2, [0.0, 0.0], 2), 4)
    for function, slope in ((F.softplus, [0, 1]), (F.sigmoid, [0, 0]), (F.gelu, [0, 1]), (F.silu, [0, 1])):
        close(at(function, [-800.0, 800.0]), slope)
        close(at(function, [-800.0, 800.0], 2), [0, 0])
    close(at(lambda x: F.log(F.softmax(x)), [0.0, -800.0]), [0, 0])


def test_nothing_is_computed_that_no_tangent_reaches() -> None:
    g = Graph()
    x, w, c = g.leaf("x", (3,)), g.leaf("w", (3,)), g.leaf("c", (3,))
    same, linear, none = jvp([w, F.sum(x * w), F.stop_gradient(w) * x], [w], [c])
    assert same is c and linear is F.sum(x * c) and none.value == 0
    assert jvp([F.floor(w)], [w], [c])[0].value == 0


def test_a_linear_row_is_computed_again() -> None:
    """The tangent of a product is the product; nothing is transposed there and back."""
    g = Graph()
    X, W, V = g.leaf("X", (4, 3)), g.leaf("W", (3, 2)), g.leaf("V", (3, 2))
    assert jvp([X @ W], [W], [V])[0] is X @ V
    assert jvp([F.concat(W, X[:, :2], axis=0)], [W], [V])[0].op.name == "concat"


# -- loops
def recurrence(state: Node, x: Node, w: Node) -> Node:
    def step(carry: Sequence[Node], element: Sequence[Node]) -> Any:
        h = F.tanh(element[0] + w * carry[0]) * F.where(carry[0] > 0, carry[0], 1)
        return (h, carry[0] / 2), (h, F.exp(carry[1]))

    (last, _), (stack, other) = scan(step, (state, state), x, names=["h", "s"])
    return F.sum(last**2) + F.sum(stack * other)


@pytest.mark.parametrize("wrt", ["w", "x", "h", "wxh"])
def test_loops_are_pushed_as_they_are_pulled(wrt: str) -> None:
    g = Graph()
    leaves = {"h": g.leaf("h", (2,)), "x": g.leaf("x", (5, 2)), "w": g.leaf("w", (2,))}
    rng = np.random.default_rng(5)
    given = {n: rng.normal(size=evaluate_shape(r.shape, {})) for n, r in leaves.items()}
    row = recurrence(leaves["h"], leaves["x"], leaves["w"])
    close(*paired([row], [leaves[n] for n in wrt], given))
    slopes = grad(row, [leaves[n] for n in wrt])
    close(*paired_hessian(slopes, [leaves[n] for n in wrt], given))


def paired_hessian(slopes: Sequence[Node], wrt: Sequence[Node], given: Arrays) -> tuple[float, float]:
    """⟨u, H v⟩ and ⟨v, H u⟩, which are equal."""
    graph, rng = slopes[0].graph, np.random.default_rng(1)
    some = [[graph.leaf(f"{word}_{w.name}", w.shape) for w in wrt] for word in ("left", "right")]
    drawn = {r.name or "": rng.normal(size=evaluate_shape(r.shape, {})) for rows in some for r in rows}
    found = [evaluate(jvp(slopes, wrt, rows), {**given, **drawn}) for rows in some]
    return tuple(  # type: ignore[return-value]
        sum(float(np.sum(drawn[r.name or ""] * h)) for r, h in zip(rows, hv, strict=True))
        for rows, hv in zip(some, found[::-1], strict=True)
    )


def test_emitted_tangents_are_those_of_the_stable_rows(tmp_path: Path) -> None:
    m = Model("log-softmax")
    z, v = m.input("z", (3,)), m.data("v", (3,))
    p = m.let("p", F.softmax(z))
    m.output("t", jvp([F.log(p)], [z], [v])[0])
    found, _ = emit(m, tmp_path, wrt=[]).forward({}, {"z": np.array([0.0, -800.0, 800.0]), "v": np.arange(3.0)})
    close(found, [-2, -1, 0])


# -- what is refused
def test_what_is_no_tangent_is_refused() -> None:
    g = Graph()
    w, v = g.leaf("w", (3,)), g.leaf("v", (2,))
    with pytest.raises(ShapeError, match="the tangent of w has its shape, 3, not 2"):
        jvp([w], [w], [v])
    with pytest.raises(ModelError, match=r"as in jvp\(\[Y\], \[W\], \[V\]\)"):
        jvp(w, [w], [v])  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="jvp takes a tangent for each row, but of 1 rows there are 2"):
        jvp([w], [w], [v, v])
    close(evaluate(jvp([w * w], [w], [1]), {"w": np.arange(3.0)})[0], [0, 2, 4])
    assert jvp([], [w], [1]) == []


# -- against JAX
@pytest.mark.oracle
@pytest.mark.parametrize("name", zoo.names() if ALL else ("rnn-lm", "window-lm"))
def test_built_in_models_against_jax(name: str) -> None:
    """J v, and H v as the tangent of the gradient."""
    jax = pytest.importorskip("jax")
    from tests.zoo.second_order import along_by_jax, drawn_for

    model = zoo.build(name)
    wrt, seeds = list(model.targets().values()), model.seeds()
    arrows = [model.graph.leaf(f"v_{w.name}", w.shape) for w in wrt]
    sizes, given = drawn_for(model, name, [*arrows, *[s for s in seeds if s.name]])
    ahead = jvp(model.results(), wrt, arrows)
    curved = jvp(vjp(model.results(), seeds, wrt), wrt, arrows)
    found = evaluate([*ahead, *curved], given, sizes)
    expected = along_by_jax(model, given, sizes)
    assert len(found) == len(expected) and jax is not None
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs, 1e-9)
