# mypy: disable-error-code="no-any-return, type-arg"
"""Array operations of emitted modules: stable softmax and logsumexp, and the adjoints of indexing, which add."""

from __future__ import annotations

import numpy as np


def softmax(a: np.ndarray, axis: int | tuple) -> np.ndarray:
    """e^a / sum(e^a) along an axis, shifted by the largest entry so that nothing overflows; 0 where all are -inf."""
    e = a - largest(a, axis)
    np.exp(e, out=e)
    e /= unless_zero(total_of(e, axis))
    return e


def largest(a: np.ndarray, axis: int | tuple) -> np.ndarray:
    """The largest entry along an axis, which stays with size 1; 0 where that is infinite or there is none."""
    top = a.max(axis=axis, keepdims=True, initial=-np.inf)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, 0)


def total_of(e: np.ndarray, axis: int | tuple) -> np.ndarray:
    """The sum along an axis, which stays with size 1; einsum goes through rows faster than sum does."""
    return np.einsum("...a->...", e)[..., None] if axis == e.ndim - 1 else e.sum(axis=axis, keepdims=True)


def unless_zero(total: np.ndarray) -> np.ndarray:
    """The sums to divide by; 1 in place of 0, which is the sum of nothing."""
    return total if total.all() else np.where(total == 0, 1, total)


def logsumexp(a: np.ndarray, axis: int | tuple, keepdims: bool = False) -> np.ndarray:
    """log(sum(e^a)) along an axis, shifted by the largest entry so that nothing overflows; -inf where all are -inf."""
    top = largest(a, axis)
    total = shifted_logsumexp(a, top, axis, True) + top
    return total if keepdims else total.squeeze(axis)


def shifted_logsumexp(a: np.ndarray, s: np.ndarray, axis: int | tuple, keepdims: bool = False) -> np.ndarray:
    """log(sum(e^(a - s))) along an axis."""
    total = np.log(total_of(np.exp(a - s), axis))
    return total if keepdims else total.squeeze(axis)


def norm(a: np.ndarray, axis: int | tuple | None = None, keepdims: bool = False) -> np.ndarray:
    """sqrt(sum(a**2)) along axes; where squares might over- or underflow, of the entries over the largest one."""
    with np.errstate(over="ignore", under="ignore"):
        total = np.vdot(a, a) if axis is None else squares(a, axis, keepdims)
        if ((total > 1e-30) & (total < 1e30)).all():
            return np.sqrt(total)
        top = np.abs(a).max(axis=axis, keepdims=True, initial=0)
        scale = np.where((top > 0) & np.isfinite(top), top, 1)
        total = np.sqrt(np.square(a / scale).sum(axis=axis, keepdims=True)) * scale
    return total if keepdims else total.squeeze(axis)


def squares(a: np.ndarray, axis: int | tuple, keepdims: bool) -> np.ndarray:
    """The sum of a**2 along axes; einsum goes through rows without an array of the squares."""
    if axis != a.ndim - 1:
        return (a * a).sum(axis=axis, keepdims=keepdims)
    total = np.einsum("...a,...a->...", a, a)
    return total[..., None] if keepdims else total


def softmax_logsumexp(
    a: np.ndarray, axis: int | tuple, keepdims: bool = False, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """softmax(a), into out where that is given, and logsumexp(a), from the same exponentials."""
    e, top, total = softmax_parts(a, axis, True, out)
    total = total + top
    return e, total if keepdims else total.squeeze(axis)


def softmax_parts(
    a: np.ndarray, axis: int | tuple, keepdims: bool = False, out: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """softmax(a), into out where that is given, the largest entry of a, which stays with size 1, and logsumexp of what
    a has less than that, from the same exponentials."""
    top = largest(a, axis)
    e = np.subtract(a, top, out=out)
    np.exp(e, out=e)
    total = total_of(e, axis)
    e /= unless_zero(total)
    total = np.log(total)
    return e, top, total if keepdims else total.squeeze(axis)


def softmax_log(
    a: np.ndarray, axis: int | tuple, out: tuple = (None, None)
) -> tuple[np.ndarray, np.ndarray]:
    """softmax(a) and its logarithm, into two arrays where these are given, from the same exponentials."""
    log = np.subtract(a, largest(a, axis), out=out[1])
    e = np.exp(log, out=out[0])
    total = total_of(e, axis)
    e /= unless_zero(total)
    log -= np.log(total)
    return e, log


def over_short_axes(combine: np.ufunc, a: np.ndarray, axes: tuple) -> np.ndarray:
    """combine.reduce over short axes, one by one and slice by slice: long runs of memory instead of a few entries."""
    for gone, axis in enumerate(sorted(axes)):
        first, *others = np.moveaxis(a, axis - gone, 0)
        a = first
        for part in others:
            a = combine(a, part)
    return a


def to_largest(g: np.ndarray, a: np.ndarray, top: np.ndarray, axes: tuple) -> np.ndarray:
    """g, in equal parts, at the entries of a that equal top, the largest ones over short axes; 0 at others."""
    *outer, inner = sorted(axes)
    place, width, out = inner - len(outer), a.shape[inner], np.empty(a.shape, np.result_type(g, a))
    slices, parts = (np.moveaxis(x, outer, range(len(outer))) for x in (a, out))
    g, spread = np.expand_dims(g, place), np.repeat(np.expand_dims(top, place), width, axis=place)
    hits = {at: slices[at] == spread for at in np.ndindex(*slices.shape[: len(outer)])}
    if sum(map(np.count_nonzero, hits.values())) != top.size or np.isnan(top).any():  # there are ties
        first, *others = (hit.view(np.int8) for hit in hits.values())
        ties = over_short_axes(np.add, sum(others, first), (place,))
        g = g / np.expand_dims(ties, place)
    g = np.repeat(g, width, axis=place)
    for at, hit in hits.items():
        np.multiply(g, hit, out=parts[at])
    return out


def scatter_add(g: np.ndarray, index: np.ndarray, rows: int) -> np.ndarray:
    """Rows of g added up in the rows of a zero array that index names: the adjoint of table[index]."""
    out = np.zeros((rows, *g.shape[index.ndim :]), g.dtype)
    index = np.where(index < 0, index + rows, index).reshape(-1)  # -1 and rows - 1 are one row
    order = np.argsort(index, kind="stable")
    if order.size:
        places = index[order]
        starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
        flat = g.reshape(order.size, *out.shape[1:])
        out[places[starts]] = np.add.reduceat(flat[order], starts, axis=0)
    return out


def put_along_axis(g: np.ndarray, index: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Entries of g added where the index points along the axis, zero elsewhere: the adjoint of take_along_axis."""
    out = np.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype)
    places = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[axis] = index
    np.add.at(out, tuple(places), g)
    return out


def pad(a: np.ndarray, axis: int, start: int, size: int, step: int = 1) -> np.ndarray:
    """Zeros with a at start, start + step, ... of an axis of that size: the adjoint of a slice."""
    out = np.zeros((*a.shape[:axis], size, *a.shape[axis + 1 :]), a.dtype)
    stop = start + step * a.shape[axis]
    out[(slice(None),) * axis + (slice(start, stop if stop >= 0 else None, step),)] = a
    return out


def mirrored(a: np.ndarray) -> np.ndarray:
    """A symmetric matrix: the lower triangle of a, and its mirror image above."""
    return np.tril(a) + np.tril(a, -1).T


# -- windows and convolution; images are N×H×W×C, kernels kh×kw×C×K


def unfold(a: np.ndarray, axis: int, width: int, stride: int) -> np.ndarray:
    """All windows along an axis, which becomes (window, place in the window); a view."""
    if width - stride <= a.shape[axis] < width:  # no window fits
        return np.zeros((*a.shape[:axis], 0, width, *a.shape[axis + 1 :]), a.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(a, width, axis=axis)
    return np.moveaxis(windows[(slice(None),) * axis + (slice(None, None, stride),)], -1, axis + 1)


def fold(a: np.ndarray, axis: int, size: int, stride: int) -> np.ndarray:
    """Overlapping windows added up into an axis of that size: the adjoint of unfold."""
    count, width = a.shape[axis], a.shape[axis + 1]
    if stride == width and size == count * width:
        return a.reshape(*a.shape[:axis], size, *a.shape[axis + 2 :])
    out = np.zeros((*a.shape[:axis], size, *a.shape[axis + 2 :]), a.dtype)
    lead = (slice(None),) * axis
    for k in range(width):
        covered = (*lead, slice(k, k + stride * count, stride))
        out[covered] += a.take(k, axis=axis + 1)
    return out


def patches(x: np.ndarray, kernel: tuple, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """The windows of images as rows of a matrix: (N·H'·W') × (kh·kw·C)."""
    (kh, kw), (ph, pw), (sh, sw), (rows, columns) = kernel, padding, stride, size
    if ph or pw:
        padded = np.zeros((x.shape[0], x.shape[1] + 2 * ph, x.shape[2] + 2 * pw, x.shape[3]), x.dtype)
        padded[:, ph : ph + x.shape[1], pw : pw + x.shape[2]] = x
        x = padded
    if kw * x.shape[3] < 16:  # too few entries at a time: place by place in the windows
        found = np.empty((x.shape[0], rows, columns, kh, kw, x.shape[3]), x.dtype)
        for i, j in np.ndindex(kh, kw):
            found[:, :, :, i, j] = x[:, i : i + sh * rows : sh, j : j + sw * columns : sw]
        return found.reshape(x.shape[0] * rows * columns, kh * kw * x.shape[3])
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))
    windows = windows[:, ::sh, ::sw][:, :rows, :columns].transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(x.shape[0] * rows * columns, kh * kw * x.shape[3])


def conv2d(x: np.ndarray, w: np.ndarray, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """Cross-correlation: every window of x times the kernel, as one matrix product."""
    kh, kw, c, k = w.shape
    rows = patches(x, (kh, kw), stride, padding, size)
    return (rows @ w.reshape(kh * kw * c, k)).reshape(x.shape[0], *size, k)


def conv2d_input(y: np.ndarray, w: np.ndarray, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """The adjoint of conv2d in x: every entry of y spread over the window it came from."""
    kh, kw, c, k = w.shape
    (sh, sw), (ph, pw), (n, rows, columns, _) = stride, padding, y.shape
    if (sh, sw) == (1, 1) and ph < kh and pw < kw and k < c:
        flipped = w[::-1, ::-1].transpose(0, 1, 3, 2)
        return conv2d(y, flipped, (1, 1), (kh - 1 - ph, kw - 1 - pw), size)
    out, y = np.zeros((n, size[0] + 2 * ph, size[1] + 2 * pw, c), y.dtype), y.reshape(n * rows * columns, k)
    for i, j in np.ndindex(kh, kw):
        out[:, i : i + sh * rows : sh, j : j + sw * columns : sw] += (y @ w[i, j].T).reshape(n, rows, columns, c)
    return out[:, ph : ph + size[0], pw : pw + size[1]]


def conv2d_kernel(x: np.ndarray, y: np.ndarray, stride: tuple, padding: tuple, size: tuple) -> np.ndarray:
    """The adjoint of conv2d in w: windows of x correlated with y, as one matrix product."""
    n, rows, columns, k = y.shape
    windows = patches(x, size, stride, padding, (rows, columns))
    return (windows.T @ y.reshape(n * rows * columns, k)).reshape(*size, x.shape[3], k)


# -- recurrences and matrices


def recurrence(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """s with s_t = a_t * s_(t-1) + b_t along an axis, from 0."""
    out = np.array(np.broadcast_to(b, np.shape(a)))
    states, factors = np.moveaxis(out, axis, 0), np.moveaxis(a, axis, 0)
    for t in range(1, len(states)):
        states[t] += factors[t] * states[t - 1]
    return out


def searchsorted(edges: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How many edges lie below each entry of x."""
    return np.less(edges, np.asarray(x)[..., None]).sum(-1)


def symmetric(a: np.ndarray) -> np.ndarray:
    """The symmetric part of matrices."""
    return (a + np.swapaxes(a, -1, -2)) / 2


def cholesky(a: np.ndarray) -> np.ndarray:
    """The lower triangular L with L L.T = a, of symmetric positive definite matrices."""
    return np.linalg.cholesky(symmetric(a))


def cofactors(a: np.ndarray) -> np.ndarray:
    """det(a) inv(a).T of square matrices, which may be singular: with singular values multiplied but for one each."""
    u, s, v = np.linalg.svd(a)
    others = np.where(np.eye(a.shape[-1]) == 1, 1, s[..., None, :]).prod(-1)
    turn = np.linalg.det(u) * np.linalg.det(v)
    return (u * (turn[..., None] * others)[..., None, :]) @ v


def lu_factors(a: np.ndarray) -> np.ndarray:
    """The order of the rows of square matrices, by partial pivoting, in a first row; below it L and U in one matrix."""
    if 0 in a.shape:
        return a.reshape(*a.shape[:-2], a.shape[-2] + 1, a.shape[-1])
    a, n = a.copy(), a.shape[-1]
    order = np.zeros(a.shape[:-1], a.dtype) + np.arange(n, dtype=a.dtype)
    for m, p in zip(a.reshape(-1, n, n), order.reshape(-1, n), strict=True):
        for k in range(n):
            top = k + int(np.argmax(np.abs(m[k:, k])))
            m[[k, top]], p[[k, top]] = m[[top, k]], p[[top, k]]
            m[k + 1 :, k] /= m[k, k]
            m[k + 1 :, k + 1 :] -= np.outer(m[k + 1 :, k], m[k, k + 1 :])
    return np.concatenate([order[..., None, :], a], -2)


def eigensystem(a: np.ndarray) -> np.ndarray:
    """Eigenvalues of symmetric matrices in a first row, below them eigenvectors as columns, their largest entry > 0."""
    if 0 in a.shape:
        return a.reshape(*a.shape[:-2], a.shape[-2] + 1, a.shape[-1])
    values, v = np.linalg.eigh(symmetric(a))
    top = np.take_along_axis(v, np.abs(v).argmax(-2)[..., None, :], axis=-2)
    return np.concatenate([values[..., None, :], v * np.sign(top)], -2)


def matrix_exp(a: np.ndarray) -> np.ndarray:
    """e^a of square matrices, by a diagonal Pade approximant of a / 2^k, squared k times."""
    k = max(int(np.ceil(np.log2(max(np.abs(a).sum(-1).max(initial=0), 1)))) + 1, 0)
    a, eye = a / 2**k, np.eye(a.shape[-1], dtype=a.dtype)
    square = a @ a
    even = 665280 * eye + square @ (75600 * eye + square @ (840 * eye + square))
    odd = a @ (332640 * eye + square @ (10080 * eye + 42 * square))
    result = np.linalg.solve(even - odd, even + odd)
    for _ in range(k):
        result = result @ result
    return result
