# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Windows and convolution in emitted modules; images are N×H×W×C, kernels kh×kw×C×K."""

from __future__ import annotations

import numpy as np


def unfold(a, axis, width, stride):
    """All windows along an axis, which becomes (window, place in the window); a view."""
    windows = np.lib.stride_tricks.sliding_window_view(a, width, axis=axis)
    return np.moveaxis(windows[(slice(None),) * axis + (slice(None, None, stride),)], -1, axis + 1)


def fold(a, axis, size, stride):
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


def patches(x, kernel, stride, padding, size):
    """The windows of images as rows of a matrix: (N·H'·W') × (kh·kw·C)."""
    (kh, kw), (ph, pw) = kernel, padding
    if ph or pw:
        padded = np.zeros((x.shape[0], x.shape[1] + 2 * ph, x.shape[2] + 2 * pw, x.shape[3]), x.dtype)
        padded[:, ph : ph + x.shape[1], pw : pw + x.shape[2]] = x
        x = padded
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]][:, : size[0], : size[1]].transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(x.shape[0] * size[0] * size[1], kh * kw * x.shape[3])


def conv2d(x, w, stride, padding, size):
    """Cross-correlation: every window of x times the kernel, as one matrix product."""
    kh, kw, c, k = w.shape
    rows = patches(x, (kh, kw), stride, padding, size)
    return (rows @ w.reshape(kh * kw * c, k)).reshape(x.shape[0], *size, k)


def conv2d_input(y, w, stride, padding, size):
    """The adjoint of conv2d in x: every entry of y spread over the window it came from."""
    kh, kw, c, k = w.shape
    (sh, sw), (ph, pw), (n, rows, columns, _) = stride, padding, y.shape
    if (sh, sw) == (1, 1) and ph < kh and pw < kw:
        flipped = w[::-1, ::-1].transpose(0, 1, 3, 2)
        return conv2d(y, flipped, (1, 1), (kh - 1 - ph, kw - 1 - pw), size)
    spread = (y.reshape(-1, k) @ w.reshape(kh * kw * c, k).T).reshape(n, rows, columns, kh, kw, c)
    out = np.zeros((n, size[0] + 2 * ph, size[1] + 2 * pw, c), y.dtype)
    for i in range(kh):
        for j in range(kw):
            out[:, i : i + sh * rows : sh, j : j + sw * columns : sw] += spread[:, :, :, i, j]
    return out[:, ph : ph + size[0], pw : pw + size[1]]


def conv2d_kernel(x, y, stride, padding, size):
    """The adjoint of conv2d in w: windows of x correlated with y, as one matrix product."""
    n, rows, columns, k = y.shape
    windows = patches(x, size, stride, padding, (rows, columns))
    return (windows.T @ y.reshape(n * rows * columns, k)).reshape(*size, x.shape[3], k)
