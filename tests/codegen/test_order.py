"""No question changes the model that it is asked of: what a model answers is the same whatever was asked before."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from symbackprop.codegen import codegen
from symbackprop.derive import derive
from symbackprop.model import Model, zoo
from tests.sweeps import ALL as SWEEP_ALL
from tests.sweeps import few_in_ci

QUESTIONS: dict[str, Callable[[Model], object]] = {
    "text": lambda m: m.text(),
    "intermediates": lambda m: [*m.intermediates()],
    **{form: lambda m, form=form: derive(m).printed(form) for form in ("text", "latex", "html")},
    "one": lambda m: derive(m, [*m.targets()][:1]).text(),
    **{f"-O{level}": lambda m, level=level: codegen(m, level=level) for level in (0, 1, 2)},
    **{target: lambda m, target=target: codegen(m, target=target) for target in ("jax", "torch")},
    "jvp": lambda m: codegen(m, along=["jvp"]),
    "hvp": lambda m: codegen(m, along=["jvp"] if m.loss_row is None else ["hvp"]),
}
HEAD = """dim T, N, H
data x: T x N x H, z: (T + 1) x N x H, m: T x N int < 2, words: T x N int < H
input u: T x N x H, b: T x H
param w: H, v: N x H, W: H x H, E: H x H, q, h[0]: N x H
for t in {}:
"""
SQUARES = [
    "{} + {}", "{} * {}", "{} @ W + {}", "tanh({}) - w * {}", "where(m[t][:, None] > 0, {}, {})", "softmax({}) + {}",
    "E[words[t]] * {} - {}", "layer_norm({}) * {}", "q * {} + sum({}, axis=0)", "cumsum({}, axis=1) / (1 + {}**2)",
    "b[t] * {} * sum({}, axis=1)[:, None]", "abs({}) - log(1 + {}**2)",
]


def random_loop(seed: int) -> str:
    """A loop of up to eight lines, each over any before it, of which a few are read after it."""
    rng = random.Random(seed)
    back = rng.random() < 0.3
    before = "h[t+1]" if back else "h[t-1]"
    rows, lines = [before, before, "x[t]", "z[t+1]", "u[t]", "v"], []
    for k in range(rng.randrange(2, 9)):
        lines.append(f"    r{k}[t] = {rng.choice(SQUARES).format('v * ' + rng.choice(rows), rng.choice(rows))}")
        rows.append(f"r{k}[t]")
    lines.insert(rng.randrange(len(lines) + 1), f"    h[t] = tanh(x[t] + {before} / 2)")
    read = rng.sample(range(len(lines) - 1), min(len(lines) - 1, rng.randrange(1, 4)))
    terms = [rng.choice(["mean(r{0}**2)", "sum(sin(r{0}))", "mean(r{0} * h)"]).format(k) for k in read]
    loss = f"loss L = {' + '.join(terms)}\n"
    head = HEAD.format("T..1" if back else "1..T").replace("h[0]", "h[T+1]" if back else "h[0]")
    return head + "\n".join(lines) + "\n" + loss


def answers_alike(make: Callable[[], Model], seed: int) -> None:
    """Every question, asked of a fresh model and of one that was asked all others before, in an order by chance."""
    asked, order = make(), [*QUESTIONS] * 2
    random.Random(seed).shuffle(order)
    fresh = {name: question(make()) for name, question in QUESTIONS.items()}
    for k, name in enumerate(order):
        assert QUESTIONS[name](asked) == fresh[name], f"{name} after {order[:k]}"


@pytest.mark.parametrize("seed", range(40 if SWEEP_ALL else 3))
def test_random_loops(seed: int) -> None:
    answers_alike(lambda: Model.parse(random_loop(seed), name="net"), seed)


def test_a_loop_whose_rows_count_as_those_of_its_backward_loop() -> None:
    """What the condition may be was read off the stack of all steps that the loop backwards keeps of it, once that was
    known: 0 times NaN was no longer left out."""
    text = ("dim T, N, H\ndata m: T x N int < 2, h[0]: N x H\ninput u: T x N x H\nparam v: N x H, q\nfor t in 1..T:\n"
            "    r[t] = einsum(\"nh,nh->n\", u[t], h[t-1])\n"
            "    h[t] = where(m[t][:, None] > 0, tanh(q * v), h[t-1])\nloss L = mean(r**2)\n")
    answers_alike(lambda: Model.parse(text, name="net"), 0)


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 12, 5))
def test_built_in_models(name: str) -> None:
    answers_alike(lambda: zoo.build(name), 0)
