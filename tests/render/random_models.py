"""Random models with named dimensions: functions of the language, named or not, over arrays of any rank."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from symbackprop import Model, scan
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.errors import ModelError

MAX_RANK = 4
UNARY: dict[str, Callable[[Node, Random], Node]] = {
    "tanh": lambda a, r: F.tanh(a),
    "sigmoid": lambda a, r: F.sigmoid(a),
    "relu": lambda a, r: F.relu(a),
    "square": lambda a, r: a**2,
    "scale": lambda a, r: a / 2 - 1,
    "exp": lambda a, r: F.exp(F.tanh(a)),
    "transpose": lambda a, r: a.T,
    "sum": lambda a, r: F.sum(a, axis=_axis(a, r), keepdims=r.random() < 0.4),
    "mean": lambda a, r: F.mean(a, axis=_axis(a, r), keepdims=r.random() < 0.4),
    "mean of all but one": lambda a, r: F.mean(a, axis=tuple(range(a.ndim - 1)), keepdims=r.random() < 0.4),
    "max": lambda a, r: F.max(a, axis=_axis(a, r), keepdims=r.random() < 0.4),
    "var": lambda a, r: F.var(a, axis=_axis(a, r)),
    "norm": lambda a, r: F.norm(a, axis=_axis(a, r)),
    "logsumexp": lambda a, r: F.logsumexp(a, axis=_axis(a, r)),
    "softmax": lambda a, r: F.softmax(a, axis=_axis(a, r)),
    "log_softmax": lambda a, r: F.log_softmax(a),
    "layer_norm": lambda a, r: F.layer_norm(a, eps=0.1),
    "rms_norm": lambda a, r: F.rms_norm(a, eps=0.1),
    "gelu": lambda a, r: F.gelu(a),
    "first": lambda a, r: a[0],
    "rest": lambda a, r: a[1:],
    "column": lambda a, r: a[..., None],
    "new axis": lambda a, r: a[None],
    "backwards": lambda a, r: a[::-1],
    "roll": lambda a, r: F.roll(a, 1, _axis(a, r)),
    "cumsum": lambda a, r: F.cumsum(a, axis=0),
    "flat": lambda a, r: F.reshape(a, -1),
    "total": lambda a, r: F.sum(a**2),
    "min": lambda a, r: F.min(a, axis=_axis(a, r), keepdims=r.random() < 0.4),
    "repeat": lambda a, r: F.repeat(a, 2, axis=_axis(a, r)),
    "every other": lambda a, r: a[::2],
    "last": lambda a, r: a[-1],
    "diagonal": lambda a, r: F.einsum("ii->i", a),
    "pool": lambda a, r: r.choice([F.max_pool2d, F.avg_pool2d])(F.concat(a, a, axis=2)[:, :2, :2], 2),
}
BINARY: dict[str, Callable[[Node, Node, Random], Node]] = {
    "add": lambda a, b, r: a + b,
    "subtract": lambda a, b, r: a - 2 * b,
    "multiply": lambda a, b, r: a * b,
    "divide": lambda a, b, r: a / (1 + b**2),
    "matmul": lambda a, b, r: a @ b,
    "matmul turned": lambda a, b, r: a @ b.T,
    "maximum": lambda a, b, r: F.maximum(a, b),
    "where": lambda a, b, r: F.where(a > b, a, 2 * b),
    "outer": lambda a, b, r: F.outer(a, b),
    "concat": lambda a, b, r: F.concat(a, b, axis=_axis(a, r)),
    "pairs": lambda a, b, r: a[:, None] - b[None],
    "by rows": lambda a, b, r: a * b[:, None],
    "cross_entropy": lambda a, b, r: F.cross_entropy(a, F.softmax(b)),
    "squared_error": lambda a, b, r: F.squared_error(a, b),
    "diagonal product": lambda a, b, r: F.einsum("ii,ij->ij", a, b),
    "rows of a product": lambda a, b, r: F.einsum("ij,ij->i", a, b),
}


def _axis(a: Node, r: Random) -> int:
    if not a.ndim:
        raise ModelError("no axis")
    return r.randrange(a.ndim)


def random_model(seed: int) -> Model:
    """The model of a seed."""
    r = Random(seed)
    m = Model(f"random-{seed}")
    N, M, K, C = m.dims(r.choice(["N M K C", "N M K C", "i j k l", "n m p k"]))
    rows = [m.param("a", (N, M)), m.param("w", (M, K)), m.param("b", (M,)), m.data("x", (N,)), m.param("s", ()),
            m.param("q", (N, M, K)), m.param("u", (N, N))]
    y, logits = m.data("y", (N,), below=C), m.param("z", (N, C))
    words = m.data("v", (N,), below=N)
    rows += [m.param("e", (N, K, M, M)), m.param("r", (N, M))[words]]
    rows += [r.choice([F.pick(logits, y), F.softmax(logits), logits[:, 0], F.cross_entropy(logits, y)])]
    made: list[Node] = []
    for k in range(r.randint(1, 6)):
        row = _step(r, rows)
        if row is not None:
            made.append(m.let(f"t{k}", row) if r.random() < 0.6 and row.name is None else row)
            rows.append(made[-1])
    m.loss("L", sum((F.mean(F.tanh(x)) for x in made or rows[-1:]), start=F.sum(rows[-1] ** 2)))
    return m


def _step(r: Random, rows: list[Node]) -> Node | None:
    """A function of rows that fit, newer ones more often."""
    for _ in range(20):
        a, b = (rows[max(r.randrange(len(rows)), r.randrange(len(rows)))] for _ in range(2))
        try:
            one = r.random() < 0.5
            row = r.choice(list(UNARY.values()))(a, r) if one else r.choice(list(BINARY.values()))(a, b, r)
        except (ModelError, IndexError, TypeError):
            continue
        if row.ndim <= MAX_RANK and row.kind == "float" and 0 not in row.shape:
            return row
    return None


STEPS: dict[str, Callable[[Node, Node, Node], Node]] = {
    "tanh of sum": lambda h, x, w: F.tanh(h + x),
    "cell": lambda h, x, w: F.tanh(h @ w + x),
    "gate": lambda h, x, w: F.sigmoid(x) * h + x,
    "average": lambda h, x, w: (h + x) / 2,
    "softmax": lambda h, x, w: F.softmax(h @ w) * x,
    "norm": lambda h, x, w: h / (1 + F.sum(h**2)) + x,
    "relu": lambda h, x, w: F.relu(h - 2 * x),
}


def random_loop(seed: int) -> Model:
    """A model with a loop over numbers, vectors or matrices, of which it reads the last state, all of them, or both."""
    r = Random(seed)
    m = Model(f"loop-{seed}")
    T, N, H = m.dims(r.choice(["T N H", "K N M", "n i h"]))
    state = r.choice([(), (H,), (N, H), (N, H)])
    s, w, x = m.param("s", state), m.param("w", (H, H)), m.data("x", (T, *state))
    two = r.random() < 0.3

    def body(states: tuple[Node, ...], elements: tuple[Node, ...]) -> Any:
        rows = [*states, elements[0]]
        for _ in range(r.randint(1, 3)):
            a, b = rows[-1], r.choice(rows)
            fitting = [f for name, f in STEPS.items() if state or name not in ("cell", "softmax")]
            rows.append(r.choice(fitting)(a, b, w))
        return ((*states[1:], rows[-1]), rows[-1] if r.random() < 0.6 else ())

    last, stacks = scan(body, (s, s * 2)[: 1 + two], x, reverse=r.random() < 0.3, index="t")
    read = [F.tanh(row) * r.choice([1, 2]) for row in (*last, *stacks)]
    for k, row in enumerate(read):
        read[k] = m.let(f"y{k}", row) if r.random() < 0.5 else row
    if state and r.random() < 0.5:
        read[0] = read[0] @ m.param("u", (H,))
    m.loss("L", sum((F.sum(row**2) for row in read[1:]), start=F.sum(read[0])))
    return m


SCALAR: dict[str, Callable[[Node, Node], Node]] = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - 3 * b,
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: a / (1 + b**2),
    "tanh": lambda a, b: F.tanh(a + b),
    "sigmoid": lambda a, b: F.sigmoid(a * b),
    "exp": lambda a, b: F.exp(F.sin(a)) * b,
    "square": lambda a, b: (a - b) ** 2,
    "maximum": lambda a, b: F.maximum(a, b),
}


def random_circuit(seed: int) -> Model:
    """A model of numbers in which rows are read again and again, also by rows that read each other."""
    r = Random(seed)
    m = Model(f"circuit-{seed}")
    rows = [m.param("x"), m.param("w"), m.data("v")]
    for k in range(r.randint(2, 7)):
        a, b = (rows[max(r.randrange(len(rows)), r.randrange(len(rows)))] for _ in range(2))
        row = r.choice(list(SCALAR.values()))(a, b)
        rows.append(m.let(f"t{k}", row) if r.random() < 0.8 and row.name is None else row)
    m.loss("L", rows[-1] * rows[-2] + r.choice(rows) ** 2)
    return m
