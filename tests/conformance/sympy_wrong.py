"""Derivatives by matrices that SymPy had or has wrong, as its issues report them: against differences and JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tests.conformance.checking import agrees, close, declared, emitted
from tests.conformance.frame import Case, Suite


class Wrong(NamedTuple):
    """An issue: what is differentiated, as model text and for NumPy or JAX (``m``), and the arrays with their sizes."""

    issue: int
    text: str
    function: Callable[..., Any]
    shapes: dict[str, tuple[int, ...]]


SQUARE = {"A": (3, 3), "B": (3, 3)}
PRODUCT = {"U": (4, 2), "A": (4, 3), "V": (2, 3)}
VECTORS = {"w": (3,), "x": (3,), "b": ()}
WRONG = (
    Wrong(26561, "trace(A)^2 + 1", lambda m, A: m.trace(A)**2 + 1, {"A": (3, 3)}),
    Wrong(26561, "trace(A) + 1", lambda m, A: m.trace(A) + 1, {"A": (3, 3)}),
    Wrong(26585, "trace((A - U @ V).T @ (A - U @ V))/2 + trace(A.T @ A)/2",
          lambda m, A, U, V: m.sum((A - U @ V)**2)/2 + m.sum(A**2)/2, PRODUCT),
    Wrong(26585, "trace((A - U @ V).T @ (A - U @ V))/2 + trace(U.T @ U)/2",
          lambda m, A, U, V: m.sum((A - U @ V)**2)/2 + m.sum(U**2)/2, PRODUCT),
    Wrong(27406, "trace(A.T @ A) + trace(B.T @ B)", lambda m, A, B: m.sum(A**2) + m.sum(B**2), SQUARE),
    Wrong(15136, "trace(matrix_power(A, 2) @ B)", lambda m, A, B: m.trace(A @ A @ B), SQUARE),
    Wrong(15614, "trace(A @ B)", lambda m, A, B: m.trace(A @ B), SQUARE),
    Wrong(15614, "trace(A.T @ B @ A)", lambda m, A, B: m.trace(A.T @ B @ A), SQUARE),
    Wrong(15667, "trace(A)*A", lambda m, A: m.trace(A)*A, {"A": (3, 3)}),
    Wrong(16606, "w @ A @ A.T @ w + y @ A.T @ w", lambda m, w, A, y: w @ A @ A.T @ w + y @ A.T @ w,
          {"w": (3,), "A": (3, 5), "y": (5,)}),
    Wrong(23364, "(q*A) @ (q*A)", lambda m, q, A: q*q*A @ A, {"q": (), "A": (4, 4)}),
    Wrong(24725, "dot(x, w) + b", lambda m, x, w, b: x @ w + b, VECTORS),
    Wrong(24725, "dot(x - b, x - b)", lambda m, x, b: m.sum((x - b)**2), {"x": (3,), "b": ()}),
    Wrong(24725, "w[0]", lambda m, w: w[0], {"w": (3,)}),
    Wrong(24859, "(A + q*B)[0, 0]", lambda m, A, B, q: A[0, 0] + q*B[0, 0], SQUARE | {"q": ()}),
    Wrong(25118, "trace(A.T @ A) - 3", lambda m, A: m.sum(A**2) - 3, {"A": (3, 3)}),
    Wrong(30527, "trace(eye(3) - A)^2", lambda m, A: m.trace(m.eye(3) - A)**2, {"A": (3, 3)}),
)


def cases() -> Iterator[Case]:
    for k, wrong in enumerate(WRONG):
        number = sum(w.issue == wrong.issue for w in WRONG[: k + 1])
        yield Case(f"#{wrong.issue}.{number} {wrong.text}", lambda wrong=wrong: check(wrong))


def check(wrong: Wrong) -> None:
    """Value and derivatives up to the second against differences, the first against JAX too."""
    import jax

    rng = np.random.default_rng(wrong.issue)
    arrays = {n: rng.normal(size=shape) for n, shape in wrong.shapes.items()}
    agrees(wrong.text, lambda **a: wrong.function(np, **a), arrays)
    lines = [declared("param", n, a) for n, a in arrays.items()]
    loss, grads = emitted("\n".join([*lines, f"loss L = sum(sin({wrong.text}))"])).loss_and_grads(arrays, {})
    with jax.enable_x64(True):
        m = jax.numpy
        value, right = jax.value_and_grad(lambda a: m.sum(m.sin(wrong.function(m, **a))))(arrays)
    close(loss, value, 1e-12, "the loss")
    for n in arrays:
        close(grads[n], right[n], 1e-12, f"the gradient of {n}")


SUITE = Suite(
    "Matrix derivatives that SymPy has wrong",
    "The expressions of SymPy's issues #15136, #15614, #15667, #16606, #23364, #24725, #24859, #25118, #26561, #26585, "
    "#27406 and #30527, whose derivatives `diff` gave or gives as 0, with a wrong factor or not at all: ours against "
    "differences, to the second order, and against JAX.",
    cases,
    needs=("jax",),
)
