"""Linear algebra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls import TABLE as NP
from tests.conformance.frame import NotApplicable, NotExpressible
from tests.conformance.torch_calls.arrange import cut
from tests.conformance.torch_calls.table import axes, of, shape


def turned(a: Node) -> Node:
    return F.swapaxes(a, -1, -2)


def symmetric(a: Node) -> Node:
    """What PyTorch's own gradient checks hand to functions of symmetric matrices."""
    return a + turned(a)


# -- products
@of("matmul", "mm", "mv", "bmm", "dot", "vdot")
def matmul(a: Node, b: Node) -> Node:
    return a @ b


@of("__rmatmul__")
def rmatmul(a: Node, b: Node) -> Node:
    return b @ a


@of("addmm", "addmv", "baddbmm")
def addmm(x: Node, a: Node, b: Node, alpha: Any = 1, beta: Any = 1) -> Node:
    return beta * x + alpha * (a @ b)


@of("addbmm")
def addbmm(x: Node, a: Node, b: Node, alpha: Any = 1, beta: Any = 1) -> Node:
    return beta * x + alpha * F.einsum("nij,njk->ik", a, b)


@of("addr")
def addr(x: Node, a: Node, b: Node, alpha: Any = 1, beta: Any = 1) -> Node:
    return beta * x + alpha * F.outer(a, b)


@of("outer", "ger")
def outer(a: Node, b: Node) -> Node:
    return F.outer(a, b)


@of("inner")
def inner(a: Node, b: Node) -> Node:
    return NP["inner"](a, b)


@of("linalg.vecdot")
def vecdot(a: Node, b: Node, dim: int = -1) -> Node:
    return F.sum(a * b, dim)


@of("tensordot")
def tensordot(a: Node, b: Node, dims: Any = 2) -> Node:
    if not isinstance(dims, int):
        for i, j in zip(*dims, strict=True):
            wide = max(shape(a)[i], shape(b)[j])
            a, b = (F.broadcast(x, [wide if d == k else n for d, n in enumerate(shape(x))])
                    for x, k in ((a, i), (b, j)))
    return NP["tensordot"](a, b, dims)


@of("einsum")
def einsum(operands: Any, spec: Any, *more: Any) -> Node:
    return F.einsum(spec, *operands)


@of("linalg.multi_dot")
def multi_dot(parts: Any) -> Node:
    found = parts[0]
    for p in parts[1:]:
        found = found @ p
    return found


@of("cross", "linalg.cross")
def cross(a: Node, b: Node, dim: int | None = None) -> Node:
    if dim is None:
        dim = -1
    whole = np.broadcast_shapes(shape(a), shape(b))
    a, b = F.broadcast(a, whole), F.broadcast(b, whole)
    return F.roll(a, -1, dim) * F.roll(b, -2, dim) - F.roll(a, -2, dim) * F.roll(b, -1, dim)


@of("nn.functional.linear")
def linear(x: Node, w: Node, b: Any = None) -> Node:
    found = x @ (w.T if w.ndim > 1 else w)
    return found if b is None else found + b


@of("nn.functional.bilinear")
def bilinear(x: Node, y: Node, w: Node, b: Any = None) -> Node:
    found = F.einsum("...i,kij,...j->...k", x, w, y)
    return found if b is None else found + b


# -- statistics of several variables
@of("cov")
def cov(x: Node, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Node:
    rows = build.reshape(x, (1, -1)) if x.ndim < 2 else x
    if fweights is None and aweights is None:
        n = shape(rows)[1]
        centred = rows - F.mean(rows, 1, True)
        return F.squeeze(centred @ centred.T) / max(n - correction, 0) if shape(rows)[0] == 1 or x.ndim < 2 else (
            centred @ centred.T / max(n - correction, 0))
    w = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    total = F.sum(w)
    centred = rows - F.sum(rows * w, 1, True) / total
    lost = 0 if correction == 0 else correction * (F.sum(w * aweights) / total if aweights is not None else 1)
    found = (centred * w) @ centred.T / F.maximum(total - lost, 0)
    return F.squeeze(found) if shape(rows)[0] == 1 else found


@of("corrcoef")
def corrcoef(x: Node) -> Node:
    c = cov(x)
    if not c.ndim:
        return c / c
    d = F.sqrt(NP["diagonal"](c))
    return F.clip(c / F.expand_dims(d, 1) / F.expand_dims(d, 0), -1, 1)


# -- norms
def any_norm(s: Any, x: Node, *args: Any, p: Any = "fro", ord: Any = None, dim: Any = None, keepdim: bool = False,
             dtype: Any = None) -> Node:
    names = ("ord", "dim", "keepdim")
    found = dict(zip(names, args, strict=False))
    ord_, dim, keepdim = found.get("ord", ord), found.get("dim", dim), found.get("keepdim", keepdim)
    if "at_zero" in s.name and x.ndim > 1 and ord_ in ("nuc", 2, -2):
        raise NotApplicable("at 0 singular values have many subgradients, of which PyTorch takes any; here it is 0")
    return norm_of(x, ord_, axes(dim), keepdim)


def norm_of(x: Node, order: Any, axis: Any, keepdim: bool) -> Node:
    """As numpy.linalg.norm: of matrices where there are two axes and an order."""
    if not x.ndim:
        found = F.norm(build.reshape(x, (1,)), None, False, order=2 if order in (None, "fro") else order)
        return F.reshape(found, ())
    if order is None:
        return F.norm(x, axis, keepdim)
    over = list(range(x.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    if len(over) == 1:
        return F.norm(x, over[0], keepdim, order=2 if order == "fro" else order)
    return matrix_norm(x, order, over, keepdim)


def vector_norm(x: Node, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Node:
    if not x.ndim:
        return F.reshape(F.norm(build.reshape(x, (1,)), None, False, order=ord), ())
    return F.norm(x, axes(dim), keepdim, order=ord)


of("linalg.vector_norm")(vector_norm)
of("linalg.norm")(any_norm)


@of("norm")
def old_norm(x: Node, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Node:
    if p == "nuc":
        return matrix_norm(x, "nuc", [-2, -1] if dim is None else list(dim), keepdim)
    return vector_norm(x, 2 if p in ("fro", None) else p, dim, keepdim)


@of("linalg.matrix_norm")
def matrix_norm(x: Node, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, dtype: Any = None) -> Node:
    a = NP["moveaxis"](x, tuple(dim), (-2, -1))
    if ord == "fro":
        found = F.norm(a, (-2, -1))
    elif ord in ("nuc", 2, -2):
        values = F.svdvals(a)
        found = F.sum(values, -1) if ord == "nuc" else F.max(values, -1) if ord == 2 else F.min(values, -1)
    else:
        sums = F.sum(F.abs(a), -2 if abs(ord) == 1 else -1)
        found = F.max(sums, -1) if ord > 0 else F.min(sums, -1)
    kept = [1 if k in [d % x.ndim for d in dim] else n for k, n in enumerate(shape(x))]
    return F.reshape(found, kept) if keepdim else found


@of("linalg.cond")
def cond(a: Node, p: Any = None) -> Node:
    if p in (None, 2):
        s = F.svdvals(a)
        return F.max(s, -1) / F.min(s, -1)
    if p == -2:
        s = F.svdvals(a)
        return F.min(s, -1) / F.max(s, -1)
    return matrix_norm(a, p) * matrix_norm(F.inv(a), p)


@of("dist")
def dist(a: Node, b: Node, p: Any = 2) -> Node:
    return vector_norm(a - b, p)


@of("renorm")
def renorm(x: Node, p: Any, dim: int, maxnorm: Any) -> Node:
    over = tuple(k for k in range(x.ndim) if k != dim % x.ndim)
    size = F.norm(x, over, True, order=p)
    return x * F.where(size > maxnorm, maxnorm / (size + 1e-7), 1)


# -- determinants, inverses, solutions
@of("linalg.det")
def det(a: Node) -> Node:
    return F.det(a)


@of("logdet")
def logdet(a: Node) -> Node:
    sign, log = F.slogdet(a)
    return log + F.log(sign)


@of("linalg.slogdet")
def slogdet(a: Node) -> Any:
    return F.slogdet(a)


@of("linalg.inv", "linalg.inv_ex")
def inv(a: Node, **_: Any) -> Node:
    return F.inv(a)


@of("linalg.solve", "linalg.solve_ex")
def solve(a: Node, b: Node, left: bool = True, check_errors: bool = False) -> Node:
    vector = b.ndim == 1 or (a.ndim - 1 == b.ndim and shape(b) == shape(a)[:-1])
    if vector:
        return F.squeeze(solve(a, F.expand_dims(b, -1)), -1)
    return F.solve(a, b) if left else turned(F.solve(turned(a), turned(b)))


@of("linalg.solve_triangular")
def solve_triangular(a: Node, b: Node, upper: bool, left: bool = True, unitriangular: bool = False) -> Node:
    t = F.triu(a) if upper else F.tril(a)
    if unitriangular:
        eye = build.eye(a.graph, a.shape[-1])
        t = t * (1 - eye) + eye
    return F.solve(t, b) if left else turned(F.solve(turned(t), turned(b)))


@of("triangular_solve")
def triangular_solve(b: Node, a: Node, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    t = F.triu(a) if upper else F.tril(a)
    if unitriangular:
        eye = build.eye(a.graph, a.shape[-1])
        t = t * (1 - eye) + eye
    whole = np.broadcast_shapes(shape(t)[:-2], shape(b)[:-2])
    return F.solve(turned(t) if transpose else t, b), F.broadcast(a, (*whole, *a.shape[-2:]))


@of("cholesky", "linalg.cholesky", "linalg.cholesky_ex")
def cholesky(a: Node, upper: bool = False, check_errors: bool = False) -> Node:
    lower = F.cholesky(symmetric(a))
    return turned(lower) if upper else lower


@of("cholesky_inverse")
def cholesky_inverse(a: Node, upper: bool = False) -> Node:
    t = F.triu(a) if upper else F.tril(a)
    return F.inv(turned(t) @ t if upper else t @ turned(t))


@of("cholesky_solve")
def cholesky_solve(b: Node, a: Node, upper: bool = False) -> Node:
    t = F.triu(a) if upper else F.tril(a)
    first, second = (turned(t), t) if upper else (t, turned(t))
    return F.solve(second, F.solve(first, b))


@of("linalg.matrix_power")
def matrix_power(a: Node, n: int) -> Node:
    return F.matrix_power(a, n)


@of("matrix_exp")
def matrix_exp(a: Node) -> Node:
    return F.matrix_exp(a)


@of("linalg.tensorinv")
def tensorinv(a: Node, ind: int = 2) -> Node:
    own = shape(a)
    n = math.prod(own[ind:])
    return build.reshape(F.inv(build.reshape(a, (n, n))), own[ind:] + own[:ind])


@of("linalg.tensorsolve")
def tensorsolve(a: Node, b: Node, dims: Any = None) -> Node:
    if dims is not None:
        a = NP["moveaxis"](a, tuple(dims), tuple(range(a.ndim - len(dims), a.ndim)))
    own, n = shape(a)[b.ndim :], math.prod(shape(b))
    return build.reshape(F.solve(build.reshape(a, (n, n)), build.reshape(b, (n,))), own)


@of("linalg.eig", "linalg.eigvals")
def eig(a: Node) -> Node:
    raise NotExpressible("complex eigenvalues of matrices that are not symmetric")


@of("linalg.vander")
def vander(x: Node, N: int | None = None) -> Node:
    x = x if x.ndim else build.reshape(x, (1,))
    n = N or shape(x)[-1]
    return F.stack(*[x**k if k else x.graph.full(1, x.shape) for k in range(n)], axis=-1)


# -- factors
@of("linalg.qr", "qr")
def qr(s: Any, a: Node, mode: Any = "reduced", some: bool = True) -> Any:
    """PyTorch's factors have the signs of Householder's reflections, ours a positive diagonal of R (the convention)."""
    import torch

    if (mode == "complete" or some is False or mode is False) and shape(a)[-2] > shape(a)[-1]:
        raise NotExpressible("the complete Q of a matrix with more rows than columns, which is not unique")
    k = min(shape(a)[-2:])
    q, _ = F.qr(build.slice_axis(a, -1, 0, k))
    theirs = torch.linalg.qr(torch.from_numpy(s.value(a)))[1].numpy()
    signs = np.diagonal(theirs, axis1=-2, axis2=-1)[..., :k] < 0
    flipped = q * (1 - 2 * s.given(signs[..., None, :].astype(int)))
    return (F.triu(turned(flipped) @ a),) if mode == "r" else (flipped, F.triu(turned(flipped) @ a))


def inverse_of_permutation(s: Any, pivots: np.ndarray, n: int) -> np.ndarray:
    """The order of rows that PyTorch's pivots (swaps, from 1) stand for."""
    out = np.zeros((*pivots.shape[:-1], n), int)
    for lead in np.ndindex(*pivots.shape[:-1]):
        order = list(range(n))
        for k, p in enumerate(pivots[lead]):
            order[k], order[int(p) - 1] = order[int(p) - 1], order[k]
        out[lead] = order
    return out


def permutation(s: Any, pivots: Node, n: int) -> Node:
    """P of P L U, as data."""
    order = inverse_of_permutation(s, s.value(pivots), n)
    return s.given(np.swapaxes(np.eye(n, dtype=int)[order], -1, -2))


@of("lu_unpack")
def lu_unpack(s: Any, lu: Node, pivots: Node, **_: Any) -> Any:
    m, n = shape(lu)[-2:]
    k = min(m, n)
    lower = F.tril(cut(lu, -1, 0, k), -1) + np_eye(lu, m, k)
    return lower, F.triu(cut(lu, -2, 0, k))


def np_eye(a: Node, m: int, k: int) -> Node:
    eye = build.eye(a.graph, max(m, k))
    return cut(cut(eye, 0, 0, m), 1, 0, k)


@of("lu_solve")
def lu_solve(s: Any, b: Node, lu: Node, pivots: Node) -> Node:
    return new_lu_solve(s, lu, pivots, b)


@of("linalg.lu_solve")
def new_lu_solve(s: Any, lu: Node, pivots: Node, b: Node, left: bool = True, adjoint: bool = False) -> Node:
    if not left:
        return turned(new_lu_solve(s, lu, pivots, turned(b), True, not adjoint))
    n = shape(lu)[-1]
    p, upper = permutation(s, pivots, n), F.triu(lu)
    lower = F.tril(lu, -1) + build.eye(lu.graph, n)
    if adjoint:
        return p @ F.solve(turned(lower), F.solve(turned(upper), b))
    return F.solve(upper, F.solve(lower, turned(p) @ b))


def lu_parts(s: Any, a: Node) -> tuple[Node, Node, Node]:
    """Of matrices that are not square, too: those of the square part, and what the rest is with them."""
    import torch

    m, n = shape(a)[-2:]
    if m == n:
        return F.lu(a)
    p = s.given(torch.linalg.lu(torch.from_numpy(s.value(a)))[0].numpy().astype(int))
    rows, k = turned(p) @ a, min(m, n)
    _, lower, upper = F.lu(cut(cut(rows, -2, 0, k), -1, 0, k))
    if m > n:
        below = cut(rows, -2, k, m - k)
        return p, F.concat(lower, turned(F.solve(turned(upper), turned(below))), axis=-2), upper
    return p, lower, F.concat(upper, F.solve(lower, cut(rows, -1, k, n - k)), axis=-1)


@of("linalg.lu")
def linalg_lu(s: Any, a: Node, pivot: bool = True) -> Any:
    _, lower, upper = lu_parts(s, a)
    return lower, upper


@of("lu")
def old_lu(s: Any, a: Node, pivot: bool = True, get_infos: bool = False) -> Any:
    return packed(s, a)


@of("linalg.lu_factor", "linalg.lu_factor_ex")
def lu_factor(s: Any, a: Node, pivot: bool = True, check_errors: bool = False) -> Any:
    return packed(s, a)


def packed(s: Any, a: Node) -> Node:
    _, lower, upper = lu_parts(s, a)
    m, n = shape(a)[-2:]
    k = min(m, n)
    strictly = F.tril(lower, -1)
    wide = build.pad_axis(strictly, -1, 0, n) if n > k else strictly
    return wide + (build.pad_axis(upper, -2, 0, m) if m > k else upper)


@of("svd", "linalg.svd")
def svd(s: Any, a: Node, full_matrices: bool = True, some: bool = True) -> Any:
    u, values, vt = F.svd(a)
    return {"fn_U": lambda: F.abs(u), "fn_S": lambda: values, "fn_Vh": lambda: (values, F.abs(vt)),
            "fn_UVh": lambda: (u @ vt, values)}[s.process]()


@of("linalg.svdvals")
def svdvals(a: Node) -> Node:
    return F.svdvals(a)


@of("linalg.eigh")
def eigh(a: Node, UPLO: str = "L") -> Any:
    values, vectors = F.eigh(symmetric(a))
    return values, F.abs(vectors)


@of("linalg.eigvalsh")
def eigvalsh(a: Node, UPLO: str = "L") -> Any:
    return F.eigvalsh(symmetric(a))


@of("linalg.pinv", "pinverse")
def pinv(s: Any, a: Node, *args: Any, **options: Any) -> Node:
    if s.name == "linalg.pinv.singular":
        raise NotExpressible("the pseudo-inverse of a matrix that has not full rank")
    if options.get("hermitian"):
        return F.pinv(symmetric(a))
    rtol = s.value(options.get("rtol"))
    if rtol is not None:
        if 0 in shape(a):
            return turned(a)
        u, values, vt = F.svd(a)
        kept = F.where(values > float(rtol) * F.max(values, -1, True), 1 / values, 0)
        return turned(u * F.expand_dims(kept, -2) @ vt)
    return F.pinv(a)


@of("linalg.lstsq")
def lstsq(s: Any, a: Node, b: Node, driver: str = "gelsy", rcond: Any = None) -> Any:
    x = F.lstsq(a, b)
    none = shape(a)[-2] <= shape(a)[-1] or driver == "gelsy"
    rest = a.graph.full(0, (0,)) if none else F.sum((a @ x - b) ** 2, -2)
    if "grad" in s.name:
        return x, rest
    return x, rest, F.svdvals(a) if driver in ("gelsd", "gelss") else a.graph.full(0, (0,))


@of("linalg.householder_product")
def householder_product(a: Node, tau: Node) -> Node:
    m, n = shape(a)[-2:]
    k = shape(tau)[-1]
    q = np_eye(a, m, n)
    if a.ndim > 2:
        q = F.broadcast(q, (*a.shape[:-2], m, n))
    for i in reversed(range(k)):
        v = reflector(a, i)
        t = F.expand_dims(cut(tau, -1, i, 1), -1)
        q = q - t * (v @ (turned(v) @ q))
    return q


def reflector(a: Node, i: int) -> Node:
    """The i-th Householder vector as a column: 1 at i, the column below it."""
    m = shape(a)[-2]
    column = cut(a, -1, i, 1)
    unit = np.zeros((m, 1), int)
    unit[i] = 1
    below = F.where(build.expand(build.arange(a.graph, m), 1) > i, column, 0)
    return below + F.equal(build.expand(build.arange(a.graph, m), 1), i)


@of("ormqr")
def ormqr(a: Node, tau: Node, b: Node, left: bool = True, transpose: bool = False) -> Node:
    if not left:
        return turned(ormqr(a, tau, turned(b), True, not transpose))
    k = shape(tau)[-1]
    order = range(k) if transpose else reversed(range(k))
    for i in order:
        v = reflector(a, i)
        t = F.expand_dims(cut(tau, -1, i, 1), -1)
        b = b - t * (v @ (turned(v) @ b))
    return b


@of("gradient")
def gradient(s: Any, x: Node, dim: Any = None, spacing: Any = None, edge_order: int = 1) -> Any:
    dims = list(range(x.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    found = []
    for k, d in enumerate(dims):
        step = 1.0 if spacing is None else spacing[k] if isinstance(spacing, (list, tuple)) else spacing
        n = shape(x)[d]
        places = s.value(step) if isinstance(step, Node) else np.arange(n) * float(step)
        found.append(_mixed(s, slopes(places, edge_order), x, d))
    return found


def _mixed(s: Any, weights: np.ndarray, x: Node, dim: int) -> Node:
    moved = NP["moveaxis"](x, dim, 0)
    row = F.einsum("ij,j...->i...", s.leaf(weights, False), moved)
    return NP["moveaxis"](row, 0, dim)


def slopes(places: np.ndarray, edge_order: int) -> np.ndarray:
    """numpy.gradient as a matrix."""
    n = len(places)
    return np.stack([np.gradient(np.eye(n)[k], places, edge_order=edge_order) for k in range(n)], axis=1)
