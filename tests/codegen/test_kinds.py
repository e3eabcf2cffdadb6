"""Truth values and integers in arithmetic: sums of comparisons are counts, at every level and in every precision.

A short sample of random models runs with the other tests. The long run:

    SYMBACKPROP_EXAMPLES=2000 python -m pytest tests/codegen/test_kinds.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from symbackprop import codegen
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.loops import scan
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import as_shape
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verify.interpreter import evaluate
from tests.codegen.helpers import emit
from tests.core.helpers import close

LEVELS = [0, 1, 2]
P, A, Q = np.array([-0.5, -1.5, 0.5]), np.array([1.0, -0.25, 0.75]), np.array([0.3, 0.6, 0.9])
X, Y = np.array([[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]]), np.array([0, 1, 0])

NAMED = {  # model text -> the loss and the gradient of p at P, from Python's own arithmetic on 0 and 1
    "sum(relu(p + 1) + relu(p + 2))": (1.0 * (P > -1) + (P > -2)),
    "sum(relu(p) + relu(p))": 2.0 * (P > 0),
    "-sum(relu(p))": -1.0 * (P > 0),
    "sum(relu(1 - p))": -1.0 * (P < 1),
    "sum(relu(a - p) + relu(p - a))": np.sign(P - A),
    "sum(abs(p) + relu(p))": np.sign(P) + (P > 0),
    "-sum(where(y == 1, log(q + p**2), log(1 - q)))": np.where(Y == 1, -2 * P / (Q + P**2), 0),
    "sum(((a > 0) + (a < 5))*p)": 1.0 * (A > 0) + (A < 5),
    "sum(((a > 0) - (a < 5))*p)": 1.0 * (A > 0) - (A < 5),
    "sum(-(a > 0)*p)": -1.0 * (A > 0),
    "sum((a > 0)*(a < 5)*p)": 1.0 * (A > 0) * (A < 5),
    "sum((a > 0)**2*p)": 1.0 * (A > 0),
    "sum((2*(a > 0) - 1)*p)": 2.0 * (A > 0) - 1,
    "sum(((a > 0) + (a < 5))**2*p)": (1.0 * (A > 0) + (A < 5)) ** 2,
    "sum((a > 0) - (a < 5))*sum(p)": np.full(3, np.sum(1.0 * (A > 0) - (A < 5))),
    "sum(relu((a > 0) - mean(a > 0))*p)": np.maximum((A > 0) - np.mean(A > 0), 0),
    "sum(where((a > 0) + (a < 5) > 1, a > 0, y)*p)": 1.0 * np.where(A > 0, A > 0, Y),
    "sum(where(a > 0, y == 1, a < 1)*p)": 1.0 * np.where(A > 0, Y == 1, A < 1),
    "sum(((x > 0) @ W)[:, 0]*p)": ((X > 0) @ np.ones((2, 2)))[:, 0],
    "sum(max(x > 0, axis=1)*p)": 1.0 * np.max(X > 0, axis=1),
    "sum(abs(-(a > 0))*p)": 1.0 * (A > 0),
    "sum(maximum(a > 0, a < 0.8)*p)": 1.0 * np.maximum(A > 0, A < 0.8),
    "sum(cumsum(a > 0)*p)": np.cumsum(A > 0),
    "sum(concat(a[:2] > 0, y[:1])*p)": 1.0 * np.concatenate([A[:2] > 0, Y[:1]]),
    "sum((-concat(y[:1] == 0, y[:2]))*p)": -1.0 * np.concatenate([Y[:1] == 0, Y[:2]]),
    "sum((y + (a > 0) + (a < 5))*p)": Y + 1.0 * (A > 0) + (A < 5),
    "sum((y - (a > 0))*(y + (a > 0))*p)": (Y - 1.0 * (A > 0)) * (Y + (A > 0)),
    "sum(E[(a > 0) + (a < 5)]*p)": np.arange(3.0)[0 + (A > 0) + (A < 5)],
    "sum(E[concat(y[:1] - y[:1], 2 - y[1:])]*p)": np.arange(3.0)[np.concatenate([[0], 2 - Y[1:]])],
    "sum(exp(s > 0)*p) + sum(where(s > 0, 1, 0)*p) + sum(where(s > 0, 0.5, 0)*p)": np.full(3, np.e + 1.5),
    "sum(((s > 0) + (s > 1))*p) + sum(-(s > 0)*p)": np.full(3, 1.0),
}
DECLARED = "dim D\ndata a: 3, q: 3, y: 3 int < 2, x: 3 x D, W: D x D, E: 3, s\nparam p: 3\n"
DATA = {"a": A, "q": Q, "y": Y, "x": X, "W": np.ones((2, 2)), "E": np.arange(3.0), "s": np.float64(2)}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("loss", NAMED)
def test_named(loss: str, level: int, dtype: str, tmp_path: Path) -> None:
    model = parse(f"{DECLARED}loss L = {loss}")
    given_ = {n: v if n == "y" else v.astype(dtype) for n, v in DATA.items()}
    value, grads = emit(model, tmp_path, level=level, dtype=dtype).loss_and_grads({"p": P.astype(dtype)}, given_)
    assert value.dtype == grads["p"].dtype == np.dtype(dtype)
    close(grads["p"], NAMED[loss], 1e-10 if dtype == "float64" else 1e-5)


LARGE = """
dim N
data m: N int < 70001
param p: N
input q: N
a = where(m == 70000, p, -1e9) + 100000*p - 70000
b = p*(m*70000) + maximum(p, 80000) + abs(p)^70000 + clip(p, -90000, 90000)
c = m*70000
output o = a*b + c
"""


@pytest.mark.parametrize("level", LEVELS)
def test_large_whole_numbers_leave_float32_as_it_is(level: int, tmp_path: Path) -> None:
    """Before NumPy 2 an integer from 2^16 on made float64 of it; integers of integers stay what they are."""
    given_ = {"m": np.array([1, 70000]), "q": np.ones(2, np.float32)}
    found = emit(parse(LARGE), tmp_path, level=level).outputs({"p": np.ones(2, np.float32)}, given_)
    assert {n: v.dtype.kind + str(v.itemsize) for n, v in found.items()} == {"a": "f4", "b": "f4", "c": "i8", "o": "f4"}


HINGE = """
dim N, D, C
data X: N x D, y: N int < C
param W: D x C
s = X @ W
m = relu(s - reshape(pick(s, y), N, 1) + 1)*(1 - one_hot(y, C))
loss L = sum(m)
"""


@pytest.mark.parametrize("level", LEVELS)
def test_a_loss_of_masks_counts_violations(level: int, tmp_path: Path) -> None:
    """The multiclass hinge by hand: the gradient counts the margins that are violated."""
    rng = np.random.default_rng(0)
    at, w, y = rng.normal(size=(4, 3)), rng.normal(size=(3, 5)), np.array([0, 4, 2, 2])
    loss, grads = emit(HINGE, tmp_path, level=level).loss_and_grads({"W": w}, {"X": at, "y": y})
    scores = at @ w
    margins = scores - scores[np.arange(4), y][:, None] + 1
    hot = np.eye(5)[y]
    active = (margins > 0) * (1 - hot)
    close(loss, np.sum(np.maximum(margins, 0) * (1 - hot)))
    close(grads["W"], at.T @ (active - hot * active.sum(1, keepdims=True)))


LOOPS = {  # what is carried first, and the line of a step
    "a count from nothing": ("zeros(N)", "c[t-1] + (x[t] > 0)"),
    "a count from a truth value": ("b > 0", "c[t-1] + (x[t] > 0)"),
    "a count from integers": ("k", "c[t-1] + (x[t] > 0)"),
    "integers that become truth values": ("k", "where(c[t-1] > 0, x[t] > 0, x[t] < 0)"),
    "a flag": ("b > 0", "maximum(c[t-1], x[t] > 0)"),
    "a sign": ("b > 0", "-(x[t] > 0) - c[t-1]"),
    "a sum of masks": ("b", "c[t-1]*(x[t] > 0) + relu(x[t]) - (x[t] < 0)"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", LOOPS)
def test_loops_carry_and_stack_counts(case: str, level: int, tmp_path: Path) -> None:
    start, step = LOOPS[case]
    model = parse(
        "dim N, T\ndata x: T x N, b: N, k: N int < 3\nparam p: N, w: T x N\n"
        f"c[0] = {start}\nfor t in 1..T:\n    c[t] = {step}\n    r[t] = relu(c[t] + w[t]) + relu(w[t])\n"
        "loss L = sum(c[T]*p) - sum(c*w) + sum(r) - sum((c > 0) - (w > 0))*sum(p)"
    )
    rng = np.random.default_rng(1)
    at = {"x": rng.normal(size=(4, 3)), "b": np.array([1.0, -1.0, 2.0]), "k": np.array([0, 1, 2])}
    params = {"p": rng.normal(size=3), "w": rng.normal(size=(4, 3))}
    against_interpreter(model, params, at, level, tmp_path)


def against_interpreter(model: Model, params: dict[str, Any], data: dict[str, Any], level: int, folder: Path) -> None:
    """Loss, gradients, named values: the emitted module's are the interpreter's; float32 stays float32."""
    assert model.loss_row is not None
    wrt = [model.params[n] for n in params]
    with np.errstate(all="ignore"):
        expected = evaluate([model.loss_row, *grad(model.loss_row, wrt)], params | data)
        module = emit(model, folder, level=level)
        loss, grads = module.loss_and_grads(params, data)
        compare(loss, grads, expected, 1e-9)
        single = {n: v if v.dtype.kind == "i" else v.astype(np.float32) for n, v in (params | data).items()}
        exact = evaluate([model.loss_row, *grad(model.loss_row, wrt)], {n: v.astype(float) if v.dtype.kind == "f" else v
                                                                        for n, v in single.items()})
        loss, grads = module.loss_and_grads({n: single[n] for n in params}, {n: single[n] for n in data})
    assert {loss.dtype, *[g.dtype for g in grads.values()]} == {np.dtype(np.float32)}
    compare(loss, grads, exact, 1e-3)


def compare(loss: Any, grads: dict[str, Any], expected: list[Any], tolerance: float) -> None:
    close(loss, expected[0], tolerance)
    for found, right in zip(grads.values(), expected[1:], strict=True):
        close(found, right, tolerance)


# ---------------------------------------------------------------- random models


class Rule(NamedTuple):
    """One function of the language, and the same over plain NumPy arrays of floats."""

    arity: int
    ours: Callable[..., Any]
    plain: Callable[..., Any]


def running(x: Node, y: Node) -> Node:
    """A loop along the first axis that counts how often x beats y, and stacks the counts."""
    _, (counts,) = scan(lambda c, e: (c[0] + (e[0] > e[1]), c[0] - (e[0] > 0)), x[0] > 0, (x, y))
    return counts


def running_plain(x: Any, y: Any) -> Any:
    carry, out = 1.0 * (x[0] > 0), []
    for a, b in zip(x, y, strict=True):
        out.append(carry - 1.0 * (a > 0))
        carry = carry + (a > b)
    return np.array(out)


def in_index(a: Any) -> Any:
    return np.asarray(a).astype(int)


RULES = {
    "greater": Rule(2, lambda a, b: a > b, lambda a, b: 1.0 * (a > b)),
    "at most": Rule(2, lambda a, b: a <= b, lambda a, b: 1.0 * (a <= b)),
    "equal": Rule(2, F.equal, lambda a, b: 1.0 * (a == b)),
    "is one": Rule(1, lambda a: F.equal(a, 1), lambda a: 1.0 * (a == 1)),
    "positive": Rule(1, lambda a: a > 0, lambda a: 1.0 * (a > 0)),
    "add": Rule(2, lambda a, b: a + b, lambda a, b: a + b),
    "subtract": Rule(2, lambda a, b: a - b, lambda a, b: a - b),
    "negate": Rule(1, lambda a: -a, lambda a: -a),
    "multiply": Rule(2, lambda a, b: a * b, lambda a, b: a * b),
    "weight": Rule(2, lambda a, b: 2 * a - 3 * b, lambda a, b: 2 * a - 3 * b),
    "halve": Rule(1, lambda a: a / 2, lambda a: a / 2),
    "square": Rule(1, lambda a: a**2, lambda a: a**2),
    "cube": Rule(1, lambda a: a**3, lambda a: a**3),
    "one minus": Rule(1, lambda a: 1 - a, lambda a: 1 - a),
    "relu": Rule(1, F.relu, lambda a: np.maximum(a, 0)),
    "abs": Rule(1, F.abs, np.abs),
    "sign": Rule(1, F.sign, np.sign),
    "tanh": Rule(1, F.tanh, np.tanh),
    "maximum": Rule(2, F.maximum, np.maximum),
    "minimum": Rule(2, F.minimum, np.minimum),
    "where": Rule(3, F.where, lambda c, a, b: np.where(c != 0, a, b)),
    "where one": Rule(2, lambda c, a: F.where(c > 0, 1, a), lambda c, a: np.where(c > 0, 1, a)),
    "step": Rule(1, lambda c: F.where(c, 1, 0), lambda c: np.where(c != 0, 1.0, 0.0)),
    "total": Rule(1, F.sum, np.sum),
    "rows": Rule(1, lambda a: F.sum(a, axis=1, keepdims=True), lambda a: np.sum(a, axis=1, keepdims=True)),
    "mean": Rule(1, lambda a: F.mean(a, axis=0), lambda a: np.mean(a, axis=0)),
    "largest": Rule(1, lambda a: F.max(a, axis=1, keepdims=True), lambda a: np.max(a, axis=1, keepdims=True)),
    "cumsum": Rule(1, F.cumsum, lambda a: np.cumsum(a, axis=0)),
    "softmax": Rule(1, F.softmax, lambda a: np.exp(a - a.max(-1, keepdims=True))
                    / np.exp(a - a.max(-1, keepdims=True)).sum(-1, keepdims=True)),
    "product": Rule(2, lambda a, b: a @ b.T @ a, lambda a, b: a @ b.T @ a),
    "transpose": Rule(1, lambda a: a.T @ a, lambda a: a.T @ a),
    "join": Rule(2, lambda a, b: F.concat(a[:1], b[1:]), lambda a, b: np.concatenate([a[:1], b[1:]])),
    "backwards": Rule(1, lambda a: a[::-1], lambda a: a[::-1]),
    "entry": Rule(1, lambda a: a[0, 1], lambda a: a[0, 1]),
    "row": Rule(1, lambda a: a[1], lambda a: a[1]),
    "loop": Rule(2, running, running_plain),
}
SHAPE = (3, 3)
DRAWN = {"x": "param", "w": "param", "y": "data", "k": "int", "s": "param"}
STEPS = st.lists(st.tuples(st.sampled_from(sorted(RULES)), st.tuples(*[st.integers(0, 40)] * 3), st.booleans()),
                 min_size=2, max_size=8)
Step = tuple[str, tuple[int, ...], bool]
EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "40"))
RANDOM = settings(max_examples=EXAMPLES)


class Composition:
    """Steps over any earlier results; every result that nothing else reads is in the loss."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = [(rule, tuple(-1 - p for p in places[: RULES[rule].arity]), named)
                      for rule, places, named in steps]

    def _run(self, results: list[Any], call: Callable[[str, list[Any], str | None], Any]) -> list[Any]:
        read = set()
        count = len(results)
        for number, (rule, places, named) in enumerate(self.steps):
            chosen = [len(results) - 1 - (-1 - p) % len(results) for p in places]
            read |= set(chosen)
            results.append(call(rule, [results[c] for c in chosen], f"r{number}" if named else None))
        return [r for k, r in enumerate(results) if k >= count and k not in read]

    def model(self) -> Model:
        m = Model("kinds")
        leaves = [m.data(n, SHAPE, below=3) if role == "int" else getattr(m, role)(n, () if n == "s" else SHAPE)
                  for n, role in DRAWN.items()]

        def call(rule: str, args: list[Node], name: str | None) -> Node:
            row = RULES[rule].ours(
                *[self.whole(rule, a, lambda a, shape: m.graph.broadcast(a, as_shape(shape))) for a in args]
            )
            return row if name is None else m.let(name, row)

        ends = self._run(leaves, call)
        m.loss("L", sum((F.sum(leaves[0] * 0 + leaves[0] * e) - F.sum(e) for e in ends), m.graph.const(0)))
        return m

    def loss(self, *leaves: Any) -> Any:
        ends = self._run(list(leaves), lambda rule, args, _: RULES[rule].plain(
            *[self.whole(rule, a, np.broadcast_to) for a in args]))
        return sum(np.sum(leaves[0] * e) - np.sum(e) for e in ends)

    @staticmethod
    def whole(rule: str, a: Any, broadcast: Callable[..., Any]) -> Any:
        """Arguments of what is no elementwise function have two axes."""
        return broadcast(a, SHAPE) if RULES[rule].arity != 3 and rule in WHOLE else a


WHOLE = {"rows", "mean", "largest", "cumsum", "softmax", "product", "transpose", "join", "backwards", "entry", "row",
         "loop"}


@RANDOM
@given(STEPS, st.integers(0, 9), st.sampled_from(LEVELS))
def test_random_models(tmp_path_factory: pytest.TempPathFactory, steps: list[Step], seed: int, level: int) -> None:
    composition, rng = Composition(steps), np.random.default_rng(seed)
    at = {n: rng.integers(0, 3, SHAPE) if role == "int" else rng.normal(size=() if n == "s" else SHAPE).round(2)
          for n, role in DRAWN.items()}
    at = {n: np.asarray(v) for n, v in at.items()}
    plain = composition.loss(*[v.astype(float) for v in at.values()])
    if not np.isfinite(plain) or abs(plain) > 1e6:
        reject()
    try:
        model = composition.model()
    except ModelError as error:  # a − a is the number 0
        assert "finite real number" in str(error)
        reject()
    params = {n: at[n] for n in model.params}
    data = {n: v for n, v in at.items() if n not in params}
    close(evaluate([model.loss_row], at)[0], plain, 1e-9)
    against_interpreter(model, params, data, level, tmp_path_factory.mktemp("kinds"))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("added", ["b[y[t]]", "log(exp(b)[y[t]])"])
def test_a_number_that_a_loop_carries_is_an_array_to_a_table(added: str, level: int) -> None:
    """The gradient of what a loop adds up begins as a literal 1, and lies in a row of db."""
    loop = f"s[0] = 0\nfor t in 1..T:\n    s[t] = s[t-1] + {added}\nloss L = s[T]"
    codegen(parse(f"dim T, V\ndata y: T int < V\nparam b: V\n{loop}"), level=level)  # which checks what it writes
