"""Slips with arrays that no file of the cases makes: what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symbackprop import Model, check

HALVES = "dim N, H\ndata t: N x H\ninput x: N x (2*H)\n"
ROTARY = HALVES + "a = x[:, :H]\nb = x[:, H:]\nc = cos(t)\ns = sin(t)\noutput y = concat(a*c - b*s, a*s + b*c, axis=1)"
ROTARY_INSIDE = HALVES + \
    "output y = concat(x[:, :H]*cos(t) - x[:, H:]*sin(t), x[:, :H]*sin(t) + x[:, H:]*cos(t), axis=1)"
LARGEST = "dim N, D\ninput z: N x D\noutput y = max(relu(z - 1), axis=1)"
IMAGES = "dim N, H, W, C\ninput x: N x H x W x C\nparam k: 3 x 3 x C x C\noutput y = conv2d(x, k, padding=1)"

BATCHES = "dim B, T, d\ninput Q: B x T x d, K: B x T x d, W: B x d x d\noutput S = Q @ W @ swapaxes(K, 1, 2)"
CENTRED = "dim N, D\ninput x: N x D\nmu = mean(x, axis=1, keepdims=True)\noutput y = x - mu"
CLASSES = "dim N, C\ninput z: N x C\ndata y: N int < C\nloss L = mean(cross_entropy(z, y))"
RECTIFIED = "dim T, N, D, H\ndata x: T x N x D\nparam W: D x H, U: H x H\ninput h[0]: N x H\nfor t in 1..T:\n" \
    "    h[t] = relu(x[t] @ W + h[t-1] @ U)\noutput last = h[T]"


def turned(by: int) -> Callable[..., Any]:
    """The gradients turned back (1), or on by the same angle (−1)."""

    def back(t: Any, x: Any, dy: Any) -> dict[str, Any]:
        u, v = np.split(dy, 2, axis=1)
        c, s = np.cos(t), by * np.sin(t)
        return {"x": np.concatenate([u * c + v * s, v * c - u * s], axis=1)}

    return back


def every_largest(z: Any, dy: Any) -> dict[str, Any]:
    r = np.maximum(z - 1, 0)
    return {"z": (r == r.max(1, keepdims=True)) * dy[:, None]}


def first_largest(z: Any, dy: Any) -> dict[str, Any]:
    dz = np.zeros_like(z)
    dz[np.arange(len(z)), np.maximum(z - 1, 0).argmax(1)] = dy
    return {"z": dz}


def masked_largest(z: Any, dy: Any) -> dict[str, Any]:
    return {"z": first_largest(z, dy)["z"] * (z > 1)}


def windows(place: Callable[[int, int], tuple[int, int]]) -> Callable[..., Any]:
    """The gradients of images, with another place of the kernel where each one belongs."""

    def back(x: Any, k: Any, dy: Any) -> dict[str, Any]:
        padded, (_, h, w, _) = np.pad(dy, ((0, 0), (1, 1), (1, 1), (0, 0))), x.shape
        moved = {(i, j): padded[:, 2 - i : 2 - i + h, 2 - j : 2 - j + w] for i in range(3) for j in range(3)}
        return {"x": sum(part @ k[place(*at)].T for at, part in moved.items())}

    return back


def batches(of_scores: tuple[int, ...], of_weights: tuple[int, ...]) -> Callable[..., Any]:
    """The gradients of a product of batches, with axes as they should be (0, 2, 1) or not."""

    def back(Q: Any, K: Any, W: Any, dS: Any) -> dict[str, Any]:
        dQ = dS @ K @ W.transpose(of_weights)
        return {"Q": dQ, "W": Q.transpose(0, 2, 1) @ dS @ K, "K": dS.transpose(of_scores) @ Q @ W}

    return back


def rectified(late: int) -> Callable[..., Any]:
    """The gradients of a loop, its masks of steps that are ``late``."""

    def back(x: Any, W: Any, U: Any, h0: Any, upstream: Any) -> dict[str, Any]:
        h, dW, dU, d = [h0], 0, 0, upstream
        for now in x:
            h.append(np.maximum(now @ W + h[-1] @ U, 0))
        for t in range(len(x), 0, -1):
            d = d * (h[t - late] > 0)
            dW, dU, d = dW + x[t - 1].T @ d, dU + h[t - 1].T @ d, d @ U.T
        return {"W": dW, "U": dU, "h0": d}

    return back


def classes(at: float, off: float) -> Callable[..., Any]:
    """The gradient of a cross entropy, times numbers at the true classes and off them."""

    def back(z: Any, y: Any) -> dict[str, Any]:
        p = np.exp(z - z.max(1, keepdims=True))
        true = np.eye(z.shape[1])[y]
        return {"z": (p / p.sum(1, keepdims=True) - true) * np.where(true, at, off) / len(z)}

    return back


NORMALISED = """dim N, D
input x: N x D
param g: D
mu = mean(x, axis=1, keepdims=True)
xc = x - mu
v = mean(xc**2, axis=1, keepdims=True)
s = sqrt(v + 1e-5)
xh = xc / s
output y = g * xh"""
OF_SQUARES = NORMALISED.replace("s = sqrt(v + 1e-5)", "r = (v + 1e-5)**-0.5").replace("/ s", "* r")
PER_FEATURE = NORMALISED.replace("axis=1, keepdims=True", "axis=0")
UNNAMED = """dim N, D
input x: N x D
param g: D
mu = mean(x, axis=1, keepdims=True)
xh = (x - mu) / sqrt(mean((x - mu)**2, axis=1, keepdims=True) + 1e-5)
output y = g * xh"""


def normalised(first: int = 1, second: int = 1, power: int = -1, axis: int = 1) -> Callable[..., Any]:
    """The gradients of a normalisation along an axis, with means along axes and a power of the deviation."""

    def back(x: Any, g: Any, xh: Any, dy: Any) -> dict[str, Any]:
        d, s = dy * g, np.sqrt(x.var(axis, keepdims=True) + 1e-5)
        mean, other = d.mean(first, keepdims=True), (d * xh).mean(second, keepdims=True)
        return {"x": (d - mean - xh * other) * s**power, "g": (dy * xh).sum(0)}

    return back


@pytest.mark.parametrize("model, back", [
    (NORMALISED, normalised()), (OF_SQUARES, normalised()), (UNNAMED, normalised()),
    (PER_FEATURE, normalised(0, 0, axis=0)),
    (BATCHES, batches((0, 2, 1), (0, 2, 1))), (RECTIFIED, rectified(0)), (CLASSES, classes(1, 1)),
    (ROTARY, turned(1)), (ROTARY_INSIDE, turned(1)), (LARGEST, masked_largest), (IMAGES, windows(lambda i, j: (i, j))),
])
def test_right_ones_pass(model: str, back: Callable[..., Any]) -> None:
    assert check(Model.parse(model), back)


INVERSE = "dim n\nparam A: n x n\ndata B: n x n\nloss L = sum(inv(A) * B)"
SOLVED = "dim n\nparam A: n x n\ninput b: n\noutput x = solve(A, b)"
ROWS = "dim N, D\ninput X: N x D\noutput y = max(X, axis=1)"


def inverse_of_a_square(A: Any, B: Any) -> dict[str, Any]:
    V = np.linalg.inv(A @ A)
    return {"A": -(V @ B @ V) @ A.T - A.T @ (V @ B @ V)}


def largest(value: Callable[[Any], Any]) -> Callable[..., Any]:
    """What a maximum of rows hands back, to the entries of another value."""
    return lambda X, dy: {"X": (value(X) == X) * dy[:, None]}


UNEXPLAINED = [
    (BATCHES, batches((0, 1, 2), (0, 2, 1)), "K", "(axes 1 and 2) is missing or too many"),
    (BATCHES, batches((0, 2, 1), (0, 1, 2)), "Q", "in dQ, a transpose of W (axes 1 and 2) is missing or too many"),
    (CENTRED, lambda x, dy: {"x": dy - dy / x.shape[1]}, "x", "the sum in the branch of dx through mu is missing"),
    (RECTIFIED, rectified(1), "U", "h[2] stands where h[3] belongs"),
    (ROTARY_INSIDE, turned(-1), "x", "the sign of the sine is wrong"),
    (LARGEST, every_largest, "z", "z - 1 > 0 is missing"),
    (LARGEST, first_largest, "z", "z - 1 > 0 is missing"),
    (IMAGES, windows(lambda i, j: (2 - i, 2 - j)), "x", "k is turned over"),
    (IMAGES, windows(lambda i, j: (j, i)), "x", "the two axes of the window of k are exchanged"),
]
SLIPS = [
    (CLASSES, classes(1, 0), "z", "off the true classes dz is missing"),
    (CLASSES, classes(0, 1), "z", "at the true classes dz is missing"),
    (CLASSES, classes(-1, 1), "z", "at the true classes dz has the wrong sign"),
    (ROTARY, turned(-1), "x", "s has the wrong sign wherever backward reads it"),
    (NORMALISED, normalised(power=0), "x", "the factor 1/s is missing in all of it"),
    (NORMALISED, normalised(power=-2), "x", "the factor 1/s is there once too often in all of it"),
    (OF_SQUARES, normalised(power=0), "x", "the factor r is missing in all of it"),
    (UNNAMED, normalised(power=0), "x", "the factor 1/sqrt("),
    (PER_FEATURE, normalised(0, 0, 0, axis=0), "x", "the factor 1/s is missing in all of it"),
    *((model, normalised(first=0), "x", "the mean in the branch of dx through mu runs over axis 0, where axis 1")
      for model in (NORMALISED, OF_SQUARES, UNNAMED)),
    (NORMALISED, normalised(second=0), "x", "the mean in the branch of d(xc**2) through v runs over axis 0, where"),
    (OF_SQUARES, normalised(second=0), "x", "the mean in the branch of d(xc**2) through v runs over axis 0, where"),
    (UNNAMED, normalised(second=0), "x", "the mean in the branch of d((x - mu)**2) through xh runs over axis 0, where"),
    (PER_FEATURE, normalised(0, 1, axis=0), "x", "the mean in the branch of d(xc**2) through v runs over axis 1"),
    (INVERSE, lambda A, B: {"A": -np.linalg.inv(A) @ B @ np.linalg.inv(A)}, "A", "A stands where A.T belongs"),
    (SOLVED, lambda A, b, dx: {"b": np.linalg.solve(A, dx)}, "b", "A stands where A.T belongs"),
    (INVERSE.replace("inv(A)", "inv(A @ A)"), inverse_of_a_square, "A", "A @ A stands where (A @ A).T belongs"),
    (ROWS, largest(lambda X: X.min(1, keepdims=True)), "X", "the smallest along axis 1 gets what belongs"),
    (ROWS, largest(lambda X: X.max(0)), "X", "the largest along axis 0 gets what belongs to the largest"),
    (ROWS, largest(lambda X: X.max()), "X", "the largest of all gets what belongs to the largest along axis 1"),
]


@pytest.mark.parametrize("model, back, gradient, says", SLIPS)
def test_wrong_ones_are_explained(model: str, back: Callable[..., Any], gradient: str, says: str) -> None:
    found = check(Model.parse(model), back)[gradient]
    assert found.verdict == "fail" and says in found.says


@pytest.mark.parametrize("model, back, gradient, says", UNEXPLAINED)
def test_what_is_not_explained_is_found(model: str, back: Callable[..., Any], gradient: str, says: str) -> None:
    assert check(Model.parse(model), back)[gradient].verdict == "fail"


# -- parts of sums, layouts, divisors, normalisers

MEANS = """dim N, D, C
data X: N x D, T: N x C
param W: D x C
Z = X @ W
loss L = sum((Z - T)**2) / (2*N) + 0.1 * sum(W**2)"""
CHANNELS = """dim N, C, H, K
input x: N x C x H x K
param g: C
output y = reshape(g, (1, C, 1, 1)) * x**3"""
FLAT = "dim N, C, H, K\ninput x: N x C x H\nparam w: C*H x K\noutput y = reshape(x, (N, C*H)) @ w"
EXPERTS = """dim N, D, E, H
input x: N x D
data g: N x E
param W: E x D x H
y = einsum("nd,edh->neh", x, W)
output o = einsum("ne,neh->nh", where(g >= max(g, axis=1, keepdims=True), g, 0), y)"""
FRONT = "dim N, D\ninput x: N x D\nparam g: D\ns = sqrt(var(x, axis=1, keepdims=True) + 1e-5)\n" \
    "output y = g * (x - mean(x, axis=1, keepdims=True)) / s"
STEPS = "dim n, T\nparam A: n x n\ninput x[0]: n\nfor t in 1..T:\n    x[t] = x[t-1] + 0.1 * tanh(A @ x[t-1])\n" \
    "output last = x[T]"
GATED = "dim N, D, H\ninput x: N x D\nparam w: D x H\noutput y = relu(x @ w)"
MIXED = "dim N, C, D\ninput z: N x C\nparam V: C x D\nP = softmax(z)\noutput o = P @ V"


def of_rows(rows: Callable[[int], Any], divisor: Callable[[Any, Any], int] = lambda X, T: len(X)) -> Callable[..., Any]:
    """The gradient of least squares as a sum over some of the rows, divided by a size."""

    def back(X: Any, T: Any, W: Any, Z: Any) -> dict[str, Any]:
        return {"W": X[rows(len(X))].T @ (Z - T)[rows(len(X))] / divisor(X, T) + 0.2 * W}

    return back


def laid(x: Any, g: Any, dy: Any, read: Any, write: Any) -> dict[str, Any]:
    """The gradients of a scaled cube, worked out with the channels last."""
    d, last = read(dy), np.moveaxis(x, 1, -1)
    return {"g": (d * last**3).sum((0, 1, 2)), "x": write(3 * d * g * last**2, x.shape)}


def channels_last(a: Any) -> Any:
    return np.moveaxis(a, 1, -1)


def channels_first(a: Any, shape: Any) -> Any:
    return np.moveaxis(a, -1, 1)


def of_channels(read: Any, write: Any) -> Callable[..., Any]:
    return lambda x, g, dy: laid(x, g, dy, read, write)


def flat(turn: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda x, w, dy: {"w": turn(x) @ dy, "x": (dy @ w.T).reshape(x.shape)}


def experts(adds: bool) -> Callable[..., Any]:
    def back(x: Any, g: Any, W: Any, do: Any) -> dict[str, Any]:
        dW = np.zeros_like(W)
        for n, e in enumerate(g.argmax(1)):
            dW[e] = dW[e] * adds + g[n, e] * np.outer(x[n], do[n])
        return {"W": dW}

    return back


def every_class(z: Any, y: Any) -> dict[str, Any]:
    dz = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    dz[:, y] -= 1
    return {"z": dz / len(z)}


def fronted(weighted: bool) -> Callable[..., Any]:
    def back(x: Any, g: Any, s: Any, dy: Any) -> dict[str, Any]:
        xh, d = (x - x.mean(1, keepdims=True)) / s, dy * g if weighted else dy
        return {"x": (d - d.mean(1, keepdims=True) - xh * (d * xh).mean(1, keepdims=True)) / s, "g": (dy * xh).sum(0)}

    return back


def stepped(late: int) -> Callable[..., Any]:
    """The adjoint of Euler's steps, which reads each state or the one after it."""

    def back(A: Any, x0: Any, T: int, dlast: Any) -> dict[str, Any]:
        states, dA, d = [x0], np.zeros_like(A), dlast.copy()
        for _ in range(T):
            states.append(states[-1] + 0.1 * np.tanh(A @ states[-1]))
        for t in reversed(range(T)):
            s = 0.1 * d * (1 - np.tanh(A @ states[t + late]) ** 2)
            dA, d = dA + np.outer(s, states[t + late]), d + A.T @ s
        return {"A": dA, "x0": d}

    return back


def mixed(axis: int) -> Callable[..., Any]:
    def back(z: Any, V: Any, do: Any) -> dict[str, Any]:
        P = np.exp(z) / np.exp(z).sum(axis, keepdims=True)
        d = do @ V.T
        return {"V": P.T @ do, "z": P * (d - (d * P).sum(1, keepdims=True))}

    return back


@pytest.mark.parametrize("model, back", [
    (MEANS, of_rows(lambda n: slice(n))), (CHANNELS, of_channels(channels_last, channels_first)),
    (FLAT, flat(lambda x: x.reshape(len(x), -1).T)), (EXPERTS, experts(True)), (MIXED, mixed(1)),
    (FRONT, fronted(True)), (STEPS, stepped(0)),
])
def test_right_ones_pass_here_too(model: str, back: Callable[..., Any]) -> None:
    assert check(Model.parse(model), back)


@pytest.mark.parametrize("model, back, gradient, says", [
    (MEANS, of_rows(lambda n: slice(n), lambda X, T: X.shape[1]), "W", "1/(2*D) stands where 1/(2*N) belongs"),
    (MEANS, of_rows(lambda n: slice(n - 1)), "W", "the last entry is left out in dW: a loop ends too early"),
    (MEANS, of_rows(lambda n: slice(1, n)), "W", "the first entry is left out in dW: a loop begins too late"),
    (MEANS, of_rows(lambda n: slice((n - 1) // 2 * 2, n)), "W", "only the last block of 2 is kept"),
    (MEANS, of_rows(lambda n: slice(0, n, 2)), "W", "only every second entry is kept in dW: a loop goes on by 2"),
    (MEANS, of_rows(lambda n: slice(n // 2)), "W", "only the first half is kept in dW: a loop ends half-way"),
    (MEANS, of_rows(lambda n: slice(max(n - 3, 0), n)), "W", "only the last 3 entries are kept"),
    (CHANNELS, of_channels(channels_last, lambda a, shape: a.reshape(shape)), "x",
     "lie in memory as those of transpose(dx, (0, 2, 3, 1))"),
    (CHANNELS, of_channels(lambda a: a.reshape([a.shape[k] for k in (0, 2, 3, 1)]), channels_first), "g",
     "dy is reshaped as if its axes were 0, 2, 3, 1"),
    (FLAT, flat(lambda x: x.reshape(-1, len(x))), "w", "x is reshaped as if its axes were 1, 2, 0"),
    (EXPERTS, experts(False), "W", "only the last contribution that is not 0 is kept"),
    (CLASSES, every_class, "z", "dz[:, y] stands where dz[arange(N), y] belongs: the one-hot"),
    (GATED, lambda x, w, dy: {"x": dy * (x @ w <= 0) @ w.T, "w": x.T @ (dy * (x @ w <= 0))}, "w",
     "the ReLU mask of d(x @ w) is the wrong way round"),
    (FRONT, fronted(False), "x", "the factor g is missing wherever backward reads it"),
    (STEPS, stepped(1), "A", "x of the step after stands in the place of every step's"),
    (MIXED, mixed(0), "V", "the softmax P runs over axis 0, where axis 1 belongs"),
])
def test_slips_with_parts_and_layouts_are_explained(model: str, back: Callable[..., Any], gradient: str, says: str
                                                    ) -> None:
    found = check(Model.parse(model), back)[gradient]
    assert found.verdict == "fail" and says in found.says
