"""How long the Hessians of tensorgrad's published examples take to derive, here and by tensorgrad.

    git clone https://github.com/thomasahle/tensorgrad && pip install egglog opt_einsum networkx==3.2.1 pdf2image
    PYTHONPATH=tensorgrad python benchmarks/derive_hessian.py

Quadratic, logsumexp and network are those of its ``benchmarks/second_order.py``, cross-entropy is the README's. What is
timed is all from the model's text, or the expression, to a closed form: the blocks of `symbackprop.hessian` with the
rows that they are made of, ``f.grad(x).grad(x).full_simplify()`` there. Milliseconds of CPU time, the best of five runs
in this process after a first one.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import process_time
from typing import Any, NamedTuple

import sympy as sp
import tensorgrad.functions as tf
from tensorgrad import Variable

from symbackprop import Model, derive, hessian

RUNS = 5


class Example(NamedTuple):
    """A loss as model text and in tensorgrad, where it comes with the array that it is differentiated by."""

    text: str
    theirs: Callable[[], tuple[Any, Any]]


def quadratic() -> tuple[Any, Any]:
    n = sp.Symbol("n")
    x, a = Variable("x", n), Variable("A", i=n, j=n)
    return (x.rename(n="i") @ a) @ x.rename(n="j"), x


def logsumexp() -> tuple[Any, Any]:
    x = Variable("x", sp.Symbol("n"))
    return tf.log(tf.sum(tf.exp(x))), x


def network() -> tuple[Any, Any]:
    n, m = sp.symbols("n m")
    x = Variable("x", n)
    return tf.sum(tf.tanh(x @ Variable("W1", n=n, m=m)) * Variable("W2", m=m)), x


def cross_entropy() -> tuple[Any, Any]:
    n = sp.Symbol("n")
    x, target = Variable("x", n), Variable("target", n)
    e = tf.exp(x)
    return -target @ tf.log(e / tf.sum(e)), x


EXAMPLES = {
    "quadratic": Example("dim n\ndata A: n x n\nparam x: n\nloss L = x @ A @ x", quadratic),
    "logsumexp": Example("dim n\nparam x: n\nloss L = log(sum(exp(x)))", logsumexp),
    "network": Example("dim n, m\ndata W1: n x m, W2: m\nparam x: n\nloss L = sum(tanh(x @ W1) * W2)", network),
    "cross-entropy": Example("dim n\ndata target: n\nparam x: n\ne = exp(x)\np = e / sum(e)\n"
                             "loss L = -target @ log(p)", cross_entropy),
}


def ours(text: str) -> list[Any]:
    return [block.arrays for block in hessian(Model.parse(text)).values()]


def theirs(make: Callable[[], tuple[Any, Any]]) -> Any:
    loss, x = make()
    return loss.grad(x, {"n": "i_"}).grad(x, {"n": "j_"}).full_simplify()


def milliseconds(action: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS + 1):
        gc.collect()
        start = process_time()
        action()
        times.append(process_time() - start)
    return 1e3 * min(times[1:])


def main() -> None:
    print(f"{'':<16}{'blocks':>10}{'printed':>10}{'tensorgrad':>12}   ms")
    for name, example in EXAMPLES.items():
        blocks = milliseconds(lambda e=example: ours(e.text))
        printed = milliseconds(lambda e=example: derive(Model.parse(e.text), order=2).text())
        other = milliseconds(lambda e=example: theirs(e.theirs))
        print(f"{name:<16}{blocks:>10.1f}{printed:>10.1f}{other:>12.1f}", flush=True)


if __name__ == "__main__":
    main()
