"""NumPy's functions on rows compute what they compute on arrays, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls import TABLE
from symbackprop.core.shapes import evaluate_shape
from symbackprop.errors import ModelError, SymbackpropError
from symbackprop.model.model import Model
from tests.core.helpers import close, value

Call = Callable[..., Any]
SHAPES = {"A": ("N", "D"), "B": ("D", "K"), "C": ("N", "D"), "S": ("D", "D"), "u": ("D",), "v": ("D",), "w": ("N",),
          "T": ("N", "D", "K"), "R": ("K", "D", "K"), "s": (), "one": ("N", 1, "D"), "p": (3,)}
SIZES = {"N": 4, "D": 3, "K": 2}


def leaves() -> dict[str, Node]:
    m = Model("m")
    dims = dict(zip("NDK", m.dims("N D K"), strict=True))
    rows = {n: m.data(n, tuple(dims.get(d, d) for d in shape)) for n, shape in SHAPES.items()}
    return rows | {"y": m.data("y", (dims["N"],), below=dims["D"]), "i": m.data("i", (dims["N"], 1), below=dims["D"])}


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found = {n: np.asarray(rng.normal(size=[SIZES.get(d, d) for d in shape])) for n, shape in SHAPES.items()}
    return found | {"y": rng.integers(0, 3, 4), "i": rng.integers(0, 3, (4, 1))}


CALLS: list[Call] = [
    lambda A, B: np.dot(A, B),
    lambda A, u: np.dot(A, u),
    lambda u, v: np.dot(u, v),
    lambda s, A: np.dot(s, A),
    lambda A: np.dot(A, 3),
    lambda T, B: np.dot(T, np.transpose(B)),
    lambda T, R: np.dot(T, np.swapaxes(R, 0, 1)),
    lambda u, R: np.dot(u, R),
    lambda A, B: np.matmul(A, B),
    lambda T, B: np.matmul(np.swapaxes(T, 1, 2), B),
    lambda u, v: np.inner(u, v),
    lambda A, C: np.inner(A, C),
    lambda A, u: np.inner(A, u),
    lambda s, A: np.inner(s, A),
    lambda u, w: np.outer(u, w),
    lambda A, w: np.outer(A, w),
    lambda A, C: np.vdot(A, C),
    lambda A, B: np.tensordot(A, B, 1),
    lambda A, C: np.tensordot(A, C),
    lambda A, C: np.tensordot(A, C, axes=([0, 1], [0, 1])),
    lambda A, T: np.tensordot(A, T, axes=(0, 0)),
    lambda A, B: np.einsum("ij,jk->ik", A, B),
    lambda A, B: np.einsum("ij, jk", A, B, optimize=True),
    lambda B, A: np.einsum("ba,cb", B, A),
    lambda S: np.einsum("ii", S),
    lambda T, B: np.einsum("...jk,jk->...", T, B),
    lambda T: np.einsum("...k", T),
    lambda A, C: np.einsum("n...,n...->...", A, C),
    lambda S: np.trace(S),
    lambda R: np.trace(R, axis1=0, axis2=2),
    lambda S: np.diag(S),
    lambda u: np.diag(u),
    lambda R: np.diagonal(R, 0, 0, 2),
    lambda R: np.diagonal(R, 1, 2, 0),
    lambda S: np.diag(S, -1),
    lambda u: np.diag(u, 2),
    lambda S: np.trace(S, 1),
    lambda A: np.sum(A),
    lambda A: np.sum(A, 0),
    lambda A: np.sum(A, axis=-1, keepdims=True),
    lambda T: np.sum(T, axis=(0, 2)),
    lambda T: np.sum(T, (0, 2), None, None, True),
    lambda A: np.mean(A),
    lambda A: np.mean(A, axis=0),
    lambda A: np.mean(A, 1, keepdims=True),
    lambda A: np.mean(A, dtype=float),
    lambda A: np.max(A),
    lambda A: np.max(A, axis=1),
    lambda A: np.amax(A, 0),
    lambda A: np.min(A, axis=1, keepdims=True),
    lambda A: np.amin(A),
    lambda A: np.ptp(A, axis=0),
    lambda A: np.var(A),
    lambda A: np.var(A, axis=0, ddof=1),
    lambda A: np.var(A, 1, keepdims=True, ddof=1),
    lambda A: np.std(A),
    lambda A: np.std(A, 0, None, None, 1),
    lambda A: np.std(A, axis=1, keepdims=True),
    lambda A: np.average(A),
    lambda A, w: np.average(A, axis=0, weights=w),
    lambda A, C: np.average(A, axis=1, weights=C),
    lambda A: np.cumsum(A),
    lambda A: np.cumsum(A, axis=1),
    lambda A: np.count_nonzero(A > 0, axis=0),
    lambda A: np.any(A > 1, axis=1),
    lambda A: np.all(A > -1),
    lambda A: np.linalg.norm(A),
    lambda A: np.linalg.norm(A, axis=1),
    lambda A: np.linalg.norm(A, 1, axis=0),
    lambda u: np.linalg.norm(u, np.inf),
    lambda A: np.linalg.norm(A, "fro"),
    lambda A, C: np.stack([A, C]),
    lambda A, C: np.stack((A, C), axis=-1),
    lambda A, C: np.concatenate([A, C]),
    lambda A, C: np.concatenate((A, C), axis=1),
    lambda A, B: np.concatenate([A, B], axis=None),
    lambda A, C: np.vstack([A, C]),
    lambda u, v: np.vstack([u, v]),
    lambda u, v: np.hstack([u, v]),
    lambda A, C: np.hstack([A, C]),
    lambda u, v: np.column_stack([u, v]),
    lambda A: np.zeros_like(A),
    lambda A: np.zeros_like(A, dtype=float) + A,
    lambda A: np.ones_like(A),
    lambda A: np.ones_like(A, shape=(2, 3)),
    lambda A: np.full_like(A, 2.5),
    lambda A, C: np.where(A > 0, A, C),
    lambda A: np.where(A > 0, A, 0),
    lambda A: np.clip(A, -0.5, 0.5),
    lambda A: np.clip(A, None, 0.5),
    lambda A: np.clip(A, a_min=0, a_max=None),
    lambda A: np.transpose(A),
    lambda T: np.transpose(T, (1, 0, 2)),
    lambda T: np.swapaxes(T, 0, -1),
    lambda T: np.moveaxis(T, 0, -1),
    lambda T: np.moveaxis(T, [0, 1], [-1, 0]),
    lambda A: np.reshape(A, -1),
    lambda T: np.reshape(T, (-1, 2)),
    lambda A: np.ravel(A),
    lambda A: np.expand_dims(A, 1),
    lambda A: np.expand_dims(A, (0, -1)),
    lambda one: np.squeeze(one),
    lambda one: np.squeeze(one, axis=1),
    lambda s: np.atleast_1d(s),
    lambda u: np.atleast_2d(u),
    lambda s: np.broadcast_to(s, (2, 3)),
    lambda A: np.flip(A),
    lambda A: np.flip(A, 1),
    lambda A: np.fliplr(A) + np.flipud(A),
    lambda A: np.roll(A, 1),
    lambda A: np.roll(A, -2, axis=0),
    lambda A: np.roll(A, (1, 2), axis=(0, 1)),
    lambda A: np.repeat(A, 2),
    lambda A: np.repeat(A, 2, axis=1),
    lambda u: np.tile(u, 2),
    lambda A: np.tile(A, (2, 1)),
    lambda u: np.tile(u, (2, 3)),
    lambda A: np.diff(A),
    lambda A: np.diff(A, n=2, axis=0),
    lambda A: np.split(A, 3, axis=1)[1],
    lambda A: np.split(A, [1, 2], axis=1)[2],
    lambda S: np.tril(S),
    lambda S: np.triu(S, 1),
    lambda u, y: np.take(u, y),
    lambda S, y: np.take(S, y, axis=1),
    lambda S, y: np.take(S, y, axis=0),
    lambda A: np.take(A, 1, axis=1),
    lambda A, i: np.take_along_axis(A, i, axis=1),
    lambda A: np.exp(A) + np.expm1(A) + np.tanh(A) + np.sin(A) + np.cos(A) + np.tan(A / 3) + np.exp2(A),
    lambda A: np.log(np.square(A)) + np.log1p(np.abs(A)) + np.log2(np.abs(A)) + np.log10(np.absolute(A)),
    lambda A: np.sqrt(np.fabs(A)) + np.sign(A) + np.negative(A) + np.positive(A) + np.reciprocal(A),
    lambda A, C: np.add(A, C) * np.subtract(A, C) / np.multiply(A, C) + np.divide(A, C) + np.true_divide(1, C),
    lambda A: np.power(A, 2) + np.float_power(np.abs(A), 1.5) + np.power(2, A),
    lambda A, C: np.maximum(A, C) - np.minimum(A, 0) + np.hypot(A, C) + np.logaddexp(A, C),
    lambda A, u: np.logaddexp(A, u) + np.logaddexp(A, 0),
    lambda A, C: 1.0 * np.greater(A, C) + np.less(A, C) + 2 * np.greater_equal(A, 0) + np.less_equal(A, 0),
    lambda A, C: 1.0 * np.equal(A, C) + np.not_equal(A, C) + np.heaviside(A, 0.5),
    lambda A, C: 1.0 * np.logical_and(A > 0, C > 0) + np.logical_or(A > 0, C > 0) + 2.0 * np.logical_not(A > 0),
    lambda A: np.add.reduce(A),
    lambda A: np.add.reduce(A, axis=None),
    lambda A: np.maximum.reduce(A, axis=1, keepdims=True),
    lambda A: np.minimum.reduce(A),
    lambda A: np.add.accumulate(A),
    lambda u, w: np.multiply.outer(u, w),
    lambda A, w: np.subtract.outer(A, w),
    lambda A: np.float64(2) * A + A * np.float64(3) + np.int64(2) - np.float32(1) ** A,
    lambda A: np.float64(2) > A,
    lambda A: abs(A),
    lambda A: np.zeros(np.ndim(A)).sum() + A,
]
AS_IN_TEXT: list[Call] = [
    lambda A: A[[0, 1], [2, 0]] + A[1, [0, 2]] + A[[2], [0, 1]],
    lambda A: A[:, None, [0, 2]] * A[..., [1, 1]][:, None],
    lambda A: A[np.array([2, 0])] + A[np.int64(1)] + np.sum(A[np.array(0), np.arange(3)]),
    lambda A, y: A.T[y, [0]] + A.T[y][:, 1],
    lambda A: A[np.ix_([0, 2], [1, -1])] + A[np.arange(2)[:, None], np.arange(2)] * A[None, [[1]], [0, 2]],  # was 2 x 1
    lambda p: np.stack([np.ones(3), p]) + np.interp(p, np.array([-1, 0, 1]), np.arange(3)) + np.dot(p, np.ones(3)),
    lambda p: np.eye(3) @ p + np.array([1, 2.5, -1]) * np.ones((3, 3)),
    lambda p: np.stack([np.outer(p, p), np.eye(3)], axis=1),
    lambda p: np.clip(p, [0, -1, 0], np.ones(3)) + np.clip(0.5 * np.ones(3), p, p + 1),
    lambda A: np.flip(m=A, axis=1) + np.tril(m=A, k=1) + np.clip(a=A, a_min=-1, a_max=1),
    lambda A: np.tile(A=A, reps=(1, 2)) + np.take(a=A, indices=[0], axis=1),
    lambda p: p * np.float32(0.5) + np.array(2) + np.zeros(3, int),
    lambda A: np.sum(A[0, :1].item() * A + A.sum().item()),
    lambda A, C: np.fmax(A, C) - np.fmin(A, C) + np.nanmean(A) + np.nansum(C, axis=0) + np.nanmax(A, axis=0),
    lambda A: np.multiply.reduce(A),
    lambda A: np.multiply.accumulate(A),
    lambda u: np.logaddexp.reduce(u),
    lambda A: np.prod(A, axis=1) + np.cumprod(A, axis=1)[:, 0],
    lambda A: np.median(A) + np.median(A, axis=0) + np.percentile(A, 30) + np.quantile(A, 0.7, axis=0),
    lambda A: np.median(A, axis=(0, 1)) + np.quantile(A, 0.3, axis=(1, 0), keepdims=True),
    lambda A: np.median(np.stack([A, 2 * A, A - 1]), axis=(2, 0)),
    lambda A: np.argsort(A, axis=0)[:, 0] + 0.5,
    lambda A: np.argmax(A, axis=1) + 0.5,
    lambda A: np.cov(A),
    lambda A: np.cov(A, rowvar=False),
    lambda u, v: np.corrcoef(u, v),
    lambda p: np.cross(p, p[::-1]),
    lambda u, w: np.convolve(u, w),
    lambda u, w: np.convolve(w, u, mode="valid"),
    lambda u, w: np.convolve(w, u, "same"),
    lambda s, u, v: np.interp(s, np.sort(u), v),
    lambda s, u: np.polyval([1, 2, s], u),
    lambda u, s: np.polyval(u, s),
    lambda u: np.gradient(u),
    lambda u: np.vander(u),
    lambda u: np.sinc(u) + np.deg2rad(u) + np.rad2deg(u) + np.cbrt(u) + np.nan_to_num(u) + np.fabs(u),
    lambda u, v: np.select([u > 0, u < -1], [u, 2 * v], default=3),
    lambda u, w: np.append(u, w),
    lambda A, C: np.append(A, C, axis=0),
    lambda u, s: np.insert(u, 0, s),
    lambda u: np.delete(u, 0),
    lambda A: np.pad(A, 1) + np.pad(A, ((1, 1), (0, 2)))[0, 0],
    lambda A: np.pad(A, ((1, 0), (0, 0)), mode="edge"),
    lambda A: np.rot90(A),
    lambda A, C: np.block([[A, C], [C, A]]),
    lambda S, A, u: np.linalg.multi_dot([A, S, u]),
    lambda S: np.linalg.cond(S),
    lambda A: np.round(A, 2) + np.isnan(A) + np.isfinite(A) + np.real(A) + np.copy(A),
    lambda A: np.rollaxis(A, 1),
    lambda A, C: np.stack(np.divmod(A, abs(C) + 1)) if isinstance(A, np.ndarray) else np.divmod(A, abs(C) + 1),
    lambda u: np.piecewise(u, [u > 0], [1, 2]),
]
if hasattr(np.linalg, "trace"):  # of NumPy 2
    AS_IN_TEXT += [lambda R: np.linalg.trace(np.swapaxes(R, 0, 1)),
                   lambda R: np.linalg.diagonal(np.swapaxes(R, 0, 1), offset=1)]
CALLS += AS_IN_TEXT


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_rows_and_arrays_give_the_same(number: int) -> None:
    call = CALLS[number]
    names = call.__code__.co_varnames[: call.__code__.co_argcount]
    given, numbers = leaves(), arrays()
    row = call(*[given[n] for n in names])
    assert isinstance(row, Node)
    expected = call(*[numbers[n] for n in names])
    close(value(row, **numbers), np.asarray(expected, dtype=float), 1e-12)


def test_shapes_are_told() -> None:
    rows = leaves()
    assert np.shape(rows["A"]) == rows["A"].shape and np.ndim(rows["T"]) == 3
    assert evaluate_shape((np.size(rows["A"]), np.size(rows["A"], 1)), SIZES) == (12, 3)


REFUSED: dict[str, Call] = {
    "there is no function 'fix' here, for np.fix": lambda A: np.fix(A),
    r"\[1, 2\] .list. is neither a row nor a number": lambda A: np.repeat(A, [1, 2], axis=0),  # was an AttributeError
    "a dimension cannot be negative": lambda A: np.convolve(A[0, :2], A[:3, 0], "same"),
    "fft needs complex numbers": lambda A: np.fft.fft(A),
    "bincount is not read as it is called here": lambda A: np.bincount(A),
    "histogram counts, and has no derivative": lambda A: np.histogram(A),
    "nonzero gives as many entries as the numbers say": lambda A: np.nonzero(A),
    "says how many singular values A": lambda A: np.linalg.cond(A),
    "np.exp on the rows of a model takes no out=": lambda A: np.exp(A, out=np.zeros(3)),
    "np.exp on the rows of a model takes no where=": lambda A: np.exp(A, where=np.ones(3, bool)),
    "np.sum on the rows of a model takes no where=": lambda A: np.sum(A, where=np.ones(3, bool)),
    "np.sum on the rows of a model takes no out=": lambda A: np.sum(A, 0, None, np.zeros(3)),
    "np.sum on the rows of a model takes no initial=": lambda A: np.sum(A, initial=3),
    "np.sum on the rows of a model takes no dtype=": lambda A: np.sum(A, dtype=np.float32),
    "np.reshape on the rows of a model takes no order=": lambda A: np.reshape(A, -1, order="F"),
    "np.where on the rows of a model needs three arguments": lambda A: np.where(A > 0),
    "a ndarray cannot be part of a model": lambda A: np.dot(np.ones((9, 9)), A),
    "a row is symbolic and has no numbers": lambda A: np.asarray(A),
    "a row is symbolic": lambda A: np.array([A, A]),
    "takes no out=": lambda A: np.add(np.ones(3), A, out=np.ones(3)),
    "no ord=2 over 2 axes": lambda A: np.linalg.norm(A, 2),
    "not a whole|equal parts|4 equal parts": lambda A: np.split(np.ones_like(A, shape=(3,)), 2),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_rows_cannot_do_is_refused_by_name(message: str) -> None:
    with pytest.raises((SymbackpropError, TypeError), match=message.replace("(", r"\(")):
        REFUSED[message](leaves()["A"])


def numpy_functions() -> list[tuple[str, Any]]:
    found = [(n, getattr(np, n)) for n in dir(np) if not n.startswith("_")]
    found += [(f"linalg.{n}", getattr(np.linalg, n)) for n in np.linalg.__all__]
    return [(n, f) for n, f in found if callable(f) and not isinstance(f, type) and n not in NOT_OF_ARRAYS]


# what prints, answers about types or objects, or makes arrays of what it is given, in which a row may be an object
NOT_OF_ARRAYS = {"info", "show_config", "show_runtime", "save", "savez", "savez_compressed", "savetxt", "test", "load",
                 "frompyfunc", "vectorize", "isscalar", "iterable", "get_include", "setbufsize", "seterr",
                 "seterrcall", "set_printoptions", "base_repr", "binary_repr", "getbufsize", "geterr", "lookfor",
                 "isdtype", "typename", "obj2sctype", "issctype", "sctype2char", "byte_bounds", "who", "source", "disp",
                 "safe_eval", "deprecate", "add_docstring", "add_newdoc", "mintypecode", "issubclass_", "issubdtype",
                 "issubsctype", "isfortran", "array_repr", "array_str", "array2string"}


@pytest.mark.filterwarnings("ignore")
def test_no_function_of_numpy_takes_rows_for_objects() -> None:
    """Every function of NumPy, with one row and with two: a row, what rows know of themselves, or an error."""
    rows = leaves()
    for name, function in numpy_functions():
        for args in [(rows["S"],), (rows["S"], rows["S"]), (rows["u"],), ([rows["u"], rows["v"]],)]:
            try:
                result = function(*args)
            except (SymbackpropError, TypeError, ValueError, AttributeError, IndexError):
                continue
            assert not isinstance(result, (np.ndarray, np.generic)), (name, args, result)


def test_every_name_is_one_of_numpy() -> None:
    import operator

    old = {"amax", "amin", "row_stack", "concat", "permute_dims", "matrix_transpose", "linalg.svdvals"}
    for name in TABLE.keys() - old:
        assert callable(operator.attrgetter(name)(np)), name


def test_a_mixed_model_is_the_one_written_with_operators() -> None:
    m, again = Model("m"), Model("m")
    for model, dot, mean in ((m, np.dot, np.mean), (again, lambda a, b: a @ b, None)):
        N, D = model.dims("N D")
        X, w = model.data("X", (N, D)), model.param("w", (D,))
        p = model.let("p", np.tanh(dot(X, w)))
        from symbackprop.core.functions import reductions

        model.loss("L", (mean or reductions.mean)(p**2))
    assert m.text() == again.text()
    with pytest.raises(ModelError, match="inner sizes"):
        np.dot(m.graph.names["w"], m.graph.names["X"])


def test_a_truth_value_of_python_is_no_operand() -> None:
    """y == 1 compares rows as Python objects: it is False, whatever y will hold."""
    model = Model()
    x, y = model.param("x", (3,)), model.data("y", (3,))
    for write in (lambda: x * (y == 1), lambda: F.where(y == 1, x, 0), lambda: np.where(y == 1, x, 0)):
        with pytest.raises(ModelError, match=r"equal\(a, b\)"):
            write()
