"""SymPy's functions, matrices and sums over letters are the rows that compute them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop import codegen, verify
from symbackprop.errors import ModelError, NameProblem, ShapeError
from symbackprop.model.model import Model
from tests.core.helpers import close, value

RNG = np.random.default_rng(3)
N, D = 5, 3
NUMBERS: dict[str, Any] = {
    "X": RNG.normal(size=(N, D)), "v": RNG.normal(size=D), "y": RNG.normal(size=N), "c": RNG.normal(size=(D, 1)),
    "A": RNG.normal(size=(D, D)) + 4 * np.eye(D), "w": np.float64(1.3), "z": RNG.normal(size=D + 1),
}
Xs, vs, ys, cs, As, ws, zs = (NUMBERS[name] for name in "XvycAwz")
n, k, w = sp.symbols("N D w")
i, j, q = sp.symbols("i j q")
X, A = sp.MatrixSymbol("X", n, k), sp.MatrixSymbol("A", k, k)
v, y, c = (sp.MatrixSymbol(name, size, 1) for name, size in (("v", k), ("y", n), ("c", k)))
Xe, Ae, ve, ye, ze = map(sp.IndexedBase, "XAvyz")


def declared() -> Model:
    m = Model("m")
    rows, columns = m.dims("N D")
    m.data("X", (rows, columns)), m.data("y", (rows,))
    m.param("v", (columns,)), m.param("c", (columns, 1)), m.param("A", (columns, columns)), m.param("w")
    m.param("z", (columns + 1,))
    return m


ALL_X, ALL_V = (j, 0, k - 1), (i, 0, k - 1)
SCALARS: dict[str, tuple[Any, Any]] = {
    "least squares": ((X * v - y).T * (X * v - y), ((Xs @ vs - ys) ** 2).sum()),
    "with a column": ((X * c - y).T * (X * c - y), ((Xs @ cs[:, 0] - ys) ** 2).sum()),
    "quadratic form": (v.T * A * v, vs @ As @ vs),
    "its entry": ((v.T * A * v)[0, 0], vs @ As @ vs),
    "trace": (sp.Trace(A.T * A) * w, (As**2).sum() * ws),
    "determinant": (sp.log(sp.Determinant(A)), np.log(np.linalg.det(As))),
    "inverse": (sp.Trace(A.inverse() * 2), 2 * np.trace(np.linalg.inv(As))),
    "negative power": (sp.Trace(A**-2), np.trace(np.linalg.matrix_power(np.linalg.inv(As), 2))),
    "ridge": (v.T * (X.T * X + w * sp.Identity(k)).inverse() * v,
              vs @ np.linalg.inv(Xs.T @ Xs + ws * np.eye(D)) @ vs),
    "entries": (sp.Trace(sp.HadamardProduct(A, A) * sp.HadamardPower(A, 3)), np.trace((As * As) @ As**3)),
    "applied": (sp.Trace(A.applyfunc(sp.sin)), np.trace(np.sin(As))),
    "applied, named": (sp.Trace(X.T * X.applyfunc(sp.Lambda(i, i**2 + w * i))), np.trace(Xs.T @ (Xs**2 + ws * Xs))),
    "diagonal": (sp.Trace(sp.DiagMatrix(v) * A), vs @ np.diag(As)),
    "kronecker": (sp.Trace(sp.KroneckerProduct(A, A)), np.trace(As) ** 2),
    "ones": (sp.OneMatrix(1, n) * X * v, (Xs @ vs).sum()),
    "diagonal of a column": (sp.Trace(sp.DiagMatrix(c) * A) + sp.Trace(A * sp.DiagMatrix(c.T)),
                             2 * cs[:, 0] @ np.diag(As)),
    "number alone": ((v.T * v) ** 2 + (c.T * c).inverse() * sp.Trace(v.T * c) * sp.Determinant(v.T * v),
                     (vs @ vs) ** 2 + vs @ cs[:, 0] * (vs @ vs) / (cs**2).sum()),
    "applied to nothing": (sp.Trace(A.applyfunc(sp.Lambda(i, i))), np.trace(As)),
    "blocks with columns": (sp.Trace(sp.BlockMatrix([[A, v], [v.T, sp.ZeroMatrix(1, 1)]]) ** 2),
                            (As * As.T).sum() + 2 * vs @ vs),
    "zeros": (sp.Trace(A + sp.ZeroMatrix(k, k) + sp.OneMatrix(k, k)), np.trace(As) + D),
    "outer": (sp.Trace(v * v.T * A), np.trace(np.outer(vs, vs) @ As)),
    "outer of columns": (sp.Trace(v * c.T * A) + 2 * sp.Trace(c * v.T * A),
                         np.trace(np.outer(vs, cs) @ As) + 2 * np.trace(np.outer(cs, vs) @ As)),
    "blocks": (sp.Trace(sp.BlockMatrix([[A, A], [A, 2 * A]])), 3 * np.trace(As)),
    "part": (sp.Trace(A[0:2, 1:3]), As[0, 1] + As[1, 2]),
    "one entry": (X[0, 1] * ye[2] * w, Xs[0, 1] * ys[2] * ws),
    "written out": (sp.Matrix([[w, w**2]]) * sp.Matrix([[1], [w]]), ws + ws**3),
    "sums from 0": (sp.Sum((sp.Sum(Xe[i, j] * ve[j], ALL_X) - ye[i]) ** 2, (i, 0, n - 1)), ((Xs @ vs - ys) ** 2).sum()),
    "sums from 1": (sp.Sum((sp.Sum(Xe[i, j] * ve[j], (j, 1, k)) - ye[i]) ** 2, (i, 1, n)) / n,
                    ((Xs @ vs - ys) ** 2).mean()),
    "differences": (sp.Sum((ve[i + 1] - ve[i]) ** 2, (i, 0, k - 2)), (np.diff(vs) ** 2).sum()),
    "differences from 1": (sp.Sum((ve[i + 1] - ve[i]) ** 2, (i, 1, k - 1)), (np.diff(vs) ** 2).sum()),
    "differences back": (sp.Sum((ve[i] - ve[i - 1]) ** 2, (i, 1, k - 1)), (np.diff(vs) ** 2).sum()),
    "with an entry 0": (ze[0] + sp.Sum(ze[i] * ve[i], (i, 1, k)) + sp.Sum(ze[i] ** 2, (i, 1, k)),
                        zs[0] + zs[1:] @ vs + zs[1:] @ zs[1:]),
    "a sum in a sum": (sp.Sum(ye[i] * sp.Sum(ve[j], ALL_X), (i, 0, n - 1)), ys.sum() * vs.sum()),
    "a letter for both": (sp.Sum(ye[i] * sp.Sum(ve[i], ALL_V), (i, 0, n - 1)), ys.sum() * vs.sum()),
    "the letter": (sp.Sum(i * ve[i], ALL_V), np.arange(D) @ vs),
    "the letter from 1": (sp.Sum(i * ve[i], (i, 1, k)), np.arange(1, D + 1) @ vs),
    "one letter twice": (sp.Sum(Ae[i, i] * ve[i], ALL_V), np.diag(As) @ vs),
    "trace of three": (sp.Sum(Ae[i, j] * Ae[j, q] * Ae[q, i], (i, 0, k - 1), ALL_X, (q, 0, k - 1)),
                       np.trace(As @ As @ As)),
    "logsumexp": (sp.Sum(sp.log(sp.Sum(sp.exp(Xe[i, j]), ALL_X)), (i, 0, n - 1)), np.log(np.exp(Xs).sum(1)).sum()),
    "product": (sp.Product(ve[i] ** 2 + 1, ALL_V), (vs**2 + 1).prod()),
    "no entry": (sp.Sum(w, (i, 0, n - 1)), N * ws),
    "no entry in a product": (sp.Sum(w * sp.exp(w), (i, 0, n - 1), ALL_X), N * D * ws * np.exp(ws)),
    "written out sum": (sp.Sum(w**i, (i, 0, 4)) + sp.Product(w + i, (i, 1, 3)),
                        sum(ws**t for t in range(5)) + (ws + 1) * (ws + 2) * (ws + 3)),
    "of many numbers": (sp.Sum(w / i, (i, 1, 20_000)), ws * (1 / np.arange(1, 20_001)).sum()),
    "without an end": (sp.Sum(w / i**2, (i, 1, sp.oo)), ws * np.pi**2 / 6),
    "pairs": (sp.Sum(sp.exp(-((ye[i] - ye[j]) ** 2)), (i, 0, n - 1), (j, 0, n - 1)),
              np.exp(-((ys[:, None] - ys) ** 2)).sum()),
    "some pairs": (sp.Sum(sp.Piecewise((Xe[i, j] ** 2, i > j), (0, True)), (i, 0, n - 1), ALL_X),
                   (np.tril(Xs, -1) ** 2).sum()),
    "divided": (sp.Sum(ye[i] / (1 + sp.Sum(ve[j] ** 2, ALL_X)), (i, 0, n - 1)), ys.sum() / (1 + (vs**2).sum())),
    "a sum times a sum": (sp.Sum(ye[i], (i, 0, n - 1)) * sp.Sum(ve[j], ALL_X) * w, ys.sum() * vs.sum() * ws),
    "a factor without the letter": (sp.Sum(w * ye[i] * 3, (i, 0, n - 1)), 3 * ws * ys.sum()),
}


@pytest.mark.parametrize("name", SCALARS)
def test_matrices_and_sums_are_what_sympy_says(name: str) -> None:
    expr, expected = SCALARS[name]
    row = declared().let("L", expr)
    assert row.shape == ()
    close(value(row, **NUMBERS), expected, 1e-12)


ARRAYS: dict[str, tuple[Any, Any]] = {
    "a column": (2 * X * v - 3 * X * v, -Xs @ vs), "two columns": (X * c, Xs @ cs), "a row": (v.T * A, vs @ As),
    "a gram matrix": (X.T * X / n, Xs.T @ Xs / N), "one column in two forms": (v + c, vs[:, None] + cs),
    "a list": (sp.Matrix([w, w**2]), np.array([ws, ws**2])),
    "a table": (sp.Matrix([[w, 1], [2, w**2]]), np.array([[ws, 1], [2, ws**2]])),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_matrices_of_matrices(name: str) -> None:
    expr, expected = ARRAYS[name]
    close(value(declared().let("L", expr), **NUMBERS), expected, 1e-12)


def test_a_sum_of_products_is_the_product_of_matrices() -> None:
    loss = SCALARS["sums from 1"][0]
    assert str(declared().let("L", loss)) == "sum((X @ v - y)**2) / N"


@pytest.mark.parametrize(("product", "text"), [(v.T * X.T, "X @ v"), (X * A * v, "X @ (A @ v)"),
                                               (v.T * A * X.T, "X @ (A.T @ v)")])
def test_a_product_with_a_column_is_one_of_a_matrix_and_a_vector(product: Any, text: str) -> None:
    """From the column on, which costs least, and without a transpose of a row."""
    assert str(declared().let("L", product)) == text


def test_a_transpose_that_sympy_carried_out_is_the_same_row() -> None:
    residual = X - sp.OneMatrix(n, 1) * v.T
    text = str(declared().let("L", sp.Trace(residual * A * residual.T)))
    assert text.count("X") == 2 and "X.T" not in text


@pytest.mark.parametrize("name", ["ridge", "logsumexp", "some pairs"])
def test_derivatives_of_what_was_read(name: str) -> None:
    m = declared()
    m.loss("L", SCALARS[name][0])
    codegen(m)
    assert verify(m, trials=2).verdict == "pass"


REFUSED: dict[str, tuple[Any, type[ModelError]]] = {
    "slogdet has several results": (sp.Function("slogdet")(sp.Symbol("A")), ModelError),
    "i from 0 to oo has no end": (sp.Sum(ye[i] / 2**i, (i, 0, sp.oo)), ModelError),
    r"write \(i, 0, N - 2\) if i counts from 1": (sp.Sum(ye[i], (i, 1, n - 1)), ModelError),
    r"i from 0 to N leaves the N entries .* \(i, 0, N - 1\), or from 1, \(i, 1, N\)": (sp.Sum(ye[i], (i, 0, n)),
                                                                                      ModelError),
    r"\(i, 1, D - 1\), or from 1, \(i, 2, D\)": (sp.Sum(ve[i - 1] - ve[i], (i, 0, k - 1)), ModelError),
    r"\(i, 0, N - 1\), or": (sp.Sum(ye[i], (i, 1, n + 1)), ModelError),
    "the bounds of j depend on another letter": (sp.Sum(Ae[i, j], (j, 0, i), (i, 0, k - 1)), ModelError),
    r"v stands under a sum over i without an index: write v\[i\]": (sp.Sum(sp.Symbol("v") * ye[i], (i, 0, n - 1)),
                                                                   ModelError),
    r"X\[i\] has 1 indices, and X has 2 axes": (sp.Sum(Xe[i], (i, 0, n - 1)), ShapeError),
    r"the index 2\*i is not one letter": (sp.Sum(ye[2 * i], (i, 0, 1)), ModelError),
    "'i' is not declared": (Xe[i, 0], NameProblem),
    "'Z' is not declared": (sp.Trace(sp.MatrixSymbol("Z", k, k)), NameProblem),
    "y is declared with 1 axes, and is a matrix of N x D": (sp.Trace(sp.MatrixSymbol("y", n, k).T * X), ShapeError),
    "X is declared as N x D, and is a matrix of D x N": (sp.Trace(sp.MatrixSymbol("X", k, n) * X), ShapeError),
    "c is declared as D x 1, and is a matrix of 1 x D": (sp.Trace(sp.MatrixSymbol("c", 1, k).T * v.T), ShapeError),
    "v is declared as D, and is a matrix of 3 x 1": (sp.MatrixSymbol("v", 3, 1), ShapeError),
    "a sum counts the entries of y from 1, and a number chooses": (sp.Sum((ye[i] - ye[1]) ** 2, (i, 1, n)), ModelError),
    "a sum counts the entries of X from 1": (sp.Sum(Xe[1, j], (j, 1, k)), ModelError),
    "is no number and no letter of a sum": (ye[w], ModelError),
    "a matrix of more than 64 numbers cannot be part of a model": (sp.ones(9, 8), ModelError),
    "the power of a matrix is a whole number": (sp.Trace(A ** sp.Rational(1, 2)), ModelError),
    r"SymPy cannot carry out Integral\(i\*\*i": (w + sp.Integral(i**i, (i, 0, 1)), ModelError),
    "'q' is not declared": (sp.Lambda(q, q**2), NameProblem),
    "the SymPy function f has no row": (sp.Function("f")(2), ModelError),
    "SymPy cannot carry out": (sp.Integral(sp.Function("f")(i), (i, 0, w)), ModelError),
    "the SymPy function LambertW has no row": (sp.LambertW(w), ModelError),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_row_is_refused(message: str) -> None:
    expr, kind = REFUSED[message]
    with pytest.raises(kind, match=message):
        declared().let("L", expr)


FUNCTIONS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: sp.sec(a * b) + sp.csc(a) * sp.cot(b), lambda a, b: sp.sech(a) + sp.csch(b) * sp.coth(a),
    lambda a, b: sp.asec(a + 2) + sp.acsc(b + 2) + sp.acot(a),
    lambda a, b: sp.asech(a / 9) + sp.acsch(b) * sp.acoth(b + 2),
    lambda a, b: sp.sinc(a * b), lambda a, b: sp.Heaviside(a - b) * a**2, lambda a, b: sp.gamma(a) * sp.beta(a, b),
    lambda a, b: sp.factorial(a) * sp.factorial(a - 2 * b) + sp.binomial(a + 5, b),
    lambda a, b: sp.besseli(0, a) * sp.besseli(1, b),
    lambda a, b: sp.Mod(a, b) * a + sp.frac(b * 5), lambda a, b: sp.floor(a * 5) * a - sp.ceiling(b * 7) * b,
    lambda a, b: sp.loggamma(a) - sp.digamma(b) + sp.polygamma(1, a), lambda a, b: sp.erfinv(a / 9) * sp.erfc(b),
    lambda a, b: (sp.GoldenRatio * a + sp.EulerGamma) * b + sp.Catalan * sp.zeta(3),
    lambda a, b: sp.log(a, b + 3) + sp.root(b, 5),
    lambda a, b: sp.Piecewise((a, sp.And(a > 1, b < 1)), (b, sp.Or(a < 0, b > 2)), (a * b, sp.Not(a > 3)), (1, True)),
    lambda a, b: sp.Piecewise((a, sp.ITE(a > b, a > 1, b > 1)), (b, True)) ** 2,
    lambda a, b: sp.Integral(i**2 * b, (i, 0, a)), lambda a, b: sp.Derivative(a**3 * b, a),
    lambda a, b: a * sp.Integral(i**2, (i, 0, 1)) + b * sp.Limit(sp.sin(i) / i, i, 0) + sp.Sum(1 / i, (i, 1, 3)),
    lambda a, b: sp.Sum(a**i * b / sp.factorial(i), (i, 0, sp.oo)),
]


DIFFERENCES = {
    "1 - 1 / (1 + exp(w))": 1 - 1 / (1 + sp.exp(w)), "w**2 - 2 - 3 * w": w**2 - 3 * w - 2,
    "sum((y - w)**2)": sp.Sum((ye[i] - w) ** 2, (i, 1, n)),
}


@pytest.mark.parametrize("text", DIFFERENCES)
def test_what_is_taken_off_is_a_difference(text: str) -> None:
    assert str(declared().let("L", DIFFERENCES[text])) == text


@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
def test_functions_of_sympy(number: int) -> None:
    a, b = sp.symbols("a b", positive=True)
    expr = FUNCTIONS[number](a, b)
    m = Model("m")
    m.data("a"), m.param("b")
    row = m.let("L", expr)
    for at in ({"a": 0.75, "b": 1.5}, {"a": 2.625, "b": 0.5}):
        close(value(row, **at), float(expr.doit().subs({a: at["a"], b: at["b"]})), 1e-12)


def test_numbers_that_text_has_no_name_for_are_emitted() -> None:
    m = Model("m")
    number = sp.zeta(3) * sp.sin(1) + sp.EulerGamma * sp.pi + sp.gamma(sp.Rational(1, 3))
    row = m.loss("L", m.param("w") * number)
    close(value(row, w=2.0), 2 * float(number), 1e-15)
    assert "forward" in codegen(m) and "sin(1)" in m.text()


def test_a_function_of_nobody_is_the_model_s_own() -> None:
    m = Model("m")
    z = m.param("z")
    m.function("f")
    row = m.let("L", sp.Function("f")(z) ** 2)
    assert str(row) == "f(z)**2"


def test_rows_are_not_differentiated_by_sympy() -> None:
    """To SymPy w**2 is another symbol than w, and its derivative would be 0."""
    m = Model("m")
    row = m.param("w")
    with pytest.raises(TypeError, match=r"grad\(row, \[w\]\) does"):
        sp.diff(sp.sin(row) * sp.sympify(row**2), row)
