"""Derivatives of scalars by matrices and vectors of the kinds in The Matrix Cookbook
(Petersen and Pedersen, 2012)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tests.conformance.checking import close, declared, emitted
from tests.conformance.frame import Case, Suite

inv, det, power = np.linalg.inv, np.linalg.det, np.linalg.matrix_power
Formula = Callable[..., Any]


class Identity(NamedTuple):
    """A scalar as model text, by what it is derived, and the derivative that is stated, over the arrays by name."""

    text: str
    by: str
    stated: Formula


SHAPES = {"X": (3, 3), "A": (3, 3), "B": (3, 3), "C": (3, 3), "W": (3, 3), "x": (3,), "a": (3,), "b": (3,), "c": (3,),
          "s": (3,)}
IDENTITIES = (
    Identity("trace(X)", "X", lambda X: np.eye(3)),
    Identity("trace(X @ A)", "X", lambda X, A: A.T),
    Identity("trace(A @ X @ B)", "X", lambda X, A, B: A.T @ B.T),
    Identity("trace(A @ X.T @ B)", "X", lambda X, A, B: B @ A),
    Identity("trace(X.T @ A)", "X", lambda X, A: A),
    Identity("trace(A @ X.T)", "X", lambda X, A: A),
    Identity("trace(X @ X)", "X", lambda X: 2*X.T),
    Identity("trace(X @ X @ B)", "X", lambda X, B: (X @ B + B @ X).T),
    Identity("trace(X.T @ B @ X)", "X", lambda X, B: B @ X + B.T @ X),
    Identity("trace(B @ X @ X.T)", "X", lambda X, B: B @ X + B.T @ X),
    Identity("trace(X @ B @ X.T)", "X", lambda X, B: X @ B.T + X @ B),
    Identity("trace(A @ X @ B @ X)", "X", lambda X, A, B: A.T @ X.T @ B.T + B.T @ X.T @ A.T),
    Identity("trace(B.T @ X.T @ C @ X @ B)", "X", lambda X, B, C: C.T @ X @ B @ B.T + C @ X @ B @ B.T),
    Identity("trace(X.T @ B @ X @ C)", "X", lambda X, B, C: B @ X @ C + B.T @ X @ C.T),
    Identity("trace(A @ X @ B @ X.T @ C)", "X", lambda X, A, B, C: A.T @ C.T @ X @ B.T + C @ A @ X @ B),
    Identity("trace((A @ X @ B + C) @ (A @ X @ B + C).T)", "X",
             lambda X, A, B, C: 2*A.T @ (A @ X @ B + C) @ B.T),
    Identity("trace(matrix_power(X, 4))", "X", lambda X: 4*power(X, 3).T),
    Identity("trace(A @ matrix_power(X, 3))", "X",
             lambda X, A: sum((power(X, r) @ A @ power(X, 2 - r)).T for r in range(3))),
    Identity("trace(A @ inv(X) @ B)", "X", lambda X, A, B: -(inv(X) @ B @ A @ inv(X)).T),
    Identity("trace(inv(X + A))", "X", lambda X, A: -(inv(X + A) @ inv(X + A)).T),
    Identity("det(X)", "X", lambda X: det(X)*inv(X).T),
    Identity("det(A @ X @ B)", "X", lambda X, A, B: det(A @ X @ B)*inv(X).T),
    Identity("det(X.T @ A @ X)", "X", lambda X, A: 2*det(X.T @ A @ X)*inv(X).T),
    Identity("log(abs(det(X)))", "X", lambda X: inv(X).T),
    Identity("log(det(X.T @ X))", "X", lambda X: 2*inv(X).T),
    Identity("det(matrix_power(X, 3))", "X", lambda X: 3*det(X)**3*inv(X).T),
    Identity("a @ inv(X) @ b", "X", lambda X, a, b: -inv(X).T @ np.outer(a, b) @ inv(X).T),
    Identity("det(inv(X))", "X", lambda X: -det(inv(X))*inv(X).T),
    Identity("x @ a", "x", lambda x, a: a),
    Identity("a @ X @ b", "X", lambda X, a, b: np.outer(a, b)),
    Identity("a @ X.T @ b", "X", lambda X, a, b: np.outer(b, a)),
    Identity("b @ X.T @ X @ c", "X", lambda X, b, c: X @ (np.outer(b, c) + np.outer(c, b))),
    Identity("b @ X.T @ A @ X @ c", "X", lambda X, A, b, c: A.T @ X @ np.outer(b, c) + A @ X @ np.outer(c, b)),
    Identity("(X @ b + c) @ A @ (X @ b + c)", "X", lambda X, A, b, c: (A + A.T) @ np.outer(X @ b + c, b)),
    Identity("(B @ x + b) @ C @ (A @ x + a)", "x",
             lambda x, A, B, C, a, b: B.T @ C @ (A @ x + a) + A.T @ C.T @ (B @ x + b)),
    Identity("x @ B @ x", "x", lambda x, B: (B + B.T) @ x),
    Identity("(x - A @ s) @ (W + W.T) @ (x - A @ s)", "s", lambda x, A, W, s: -2*A.T @ (W + W.T) @ (x - A @ s)),
    Identity("(x - A @ s) @ (W + W.T) @ (x - A @ s)", "A",
             lambda x, A, W, s: -2*(W + W.T) @ np.outer(x - A @ s, s)),
    Identity("(x - A @ s) @ (W + W.T) @ (x - A @ s)", "x", lambda x, A, W, s: 2*(W + W.T) @ (x - A @ s)),
    Identity("norm(x - a)", "x", lambda x, a: (x - a)/np.linalg.norm(x - a)),
    Identity("dot(x, x)", "x", lambda x: 2*x),
    Identity("sum(X^2)", "X", lambda X: 2*X),
)


def cases() -> Iterator[Case]:
    for one in IDENTITIES:
        yield Case(f"{one.text} by {one.by}", lambda one=one: check(one))


def check(one: Identity, shapes: Mapping[str, tuple[int, ...]] = SHAPES) -> None:
    """The gradient of an emitted module against the formula, at a random point."""
    rng = np.random.default_rng(1)
    arrays = {n: rng.normal(size=shape) for n, shape in shapes.items()}
    used = {n: arrays[n] for n in one.stated.__code__.co_varnames[: one.stated.__code__.co_argcount]}
    lines = [declared("param" if n == one.by else "data", n, a) for n, a in used.items()]
    held = {n: a for n, a in used.items() if n != one.by}
    _, grads = emitted("\n".join([*lines, f"loss L = {one.text}"])).loss_and_grads({one.by: used[one.by]}, held)
    close(grads[one.by], one.stated(**used), 1e-10, "the gradient")


SUITE = Suite(
    "The Matrix Cookbook",
    "Derivatives of traces, determinants, inverses, norms and quadratic forms by real matrices and vectors, of the "
    "kinds in The Matrix Cookbook (Petersen and Pedersen, 2012, sections 2.1 to 2.7): of an emitted module against the "
    "formula. The formulas were written down from memory, not compared with the book line by line; derivatives of "
    "complex matrices, of eigenvalues and of structured matrices are not among them.",
    cases,
)
