"""Derivatives of expressions of the kinds that matrixcalculus.org takes (Laue, Mitterreiter and Giesen, 2018)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.conformance.cookbook import SHAPES, Identity, check
from tests.conformance.frame import Case, Suite

inv, norm, exp = np.linalg.inv, np.linalg.norm, np.exp
ALL = SHAPES | {"D": (4, 3), "u": (4,), "T": (4, 3), "U": (4, 2), "V": (3, 2)}
EXPRESSIONS = (
    Identity("norm(D @ x - u)^2", "x", lambda x, D, u: 2*D.T @ (D @ x - u)),
    Identity("norm(D @ x - u)", "x", lambda x, D, u: D.T @ (D @ x - u)/norm(D @ x - u)),
    Identity("sum(log(exp(-u * (D @ x)) + 1))", "x", lambda x, D, u: -D.T @ (u/(1 + exp(u*(D @ x))))),
    Identity("x @ A @ x + c @ sin(x)", "x", lambda x, A, c: (A + A.T) @ x + c*np.cos(x)),
    Identity("norm(T - U @ V.T)^2", "U", lambda U, T, V: -2*(T - U @ V.T) @ V),
    Identity("norm(T - U @ V.T)^2", "V", lambda V, T, U: -2*(T - U @ V.T).T @ U),
    Identity("norm(D @ x - u)^2 + 0.5 * norm(x)^2", "x", lambda x, D, u: 2*D.T @ (D @ x - u) + x),
    Identity("exp(-norm(x - a)^2 / 2)", "x", lambda x, a: -(x - a)*exp(-norm(x - a)**2/2)),
    Identity("sum(abs(x))", "x", lambda x: np.sign(x)),
    Identity("log(sum(exp(x)))", "x", lambda x: exp(x)/exp(x).sum()),
    Identity("a @ exp(A @ x)", "x", lambda x, A, a: A.T @ (a*exp(A @ x))),
    Identity("sum((A @ x)^3)", "x", lambda x, A: 3*A.T @ (A @ x)**2),
    Identity("sum(X * A)", "X", lambda X, A: A),
    Identity("sum(X / A)", "A", lambda A, X: -X/A**2),
    Identity("log(det(X @ X.T))", "X", lambda X: 2*inv(X).T),
    Identity("trace(inv(X) @ A)", "X", lambda X, A: -(inv(X) @ A @ inv(X)).T),
    Identity("norm(X)", "X", lambda X: X/norm(X)),
    Identity("sum(tanh(X @ b))", "X", lambda X, b: np.outer(1 - np.tanh(X @ b)**2, b)),
    Identity("a @ (x * (B @ x))", "x", lambda x, B, a: a*(B @ x) + B.T @ (a*x)),
    Identity("x @ x / (a @ x)", "x", lambda x, a: 2*x/(a @ x) - (x @ x)*a/(a @ x)**2),
    Identity("sum(relu(D @ x))", "x", lambda x, D: D.T @ (D @ x > 0)),
    Identity("a @ inv(X) @ b + trace(X)", "X", lambda X, a, b: np.eye(3) - inv(X).T @ np.outer(a, b) @ inv(X).T),
    Identity("sum(outer(x, a) * B)", "x", lambda x, a, B: B @ a),
    Identity("trace(diag(x) @ B)", "x", lambda x, B: np.diag(B)),
)


def cases() -> Iterator[Case]:
    for one in EXPRESSIONS:
        yield Case(f"{one.text} by {one.by}", lambda one=one: check(one, ALL))


SUITE = Suite(
    "matrixcalculus.org",
    "Scalars of matrices and vectors of the kinds that matrixcalculus.org differentiates: least squares, logistic "
    "regression, factorisations, norms, traces, determinants, functions of every entry: of an emitted module against "
    "the formula. They were written down for this suite, not copied from the site; derivatives of arrays by arrays are "
    "not among them.",
    cases,
)
