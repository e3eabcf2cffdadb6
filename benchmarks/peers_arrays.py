"""The workloads for libraries that look like NumPy. What differs between them is in the argument ``lib``: its arrays
(``lib.np``) and loop, indexing of a lookup, log-sum-exp, softplus, convolution and pooling.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Arrays = dict[str, Any]


def scalar(lib: Any, p: Arrays) -> Any:
    return 0.5 * (p["y"] - lib.np.tanh(p["w2"] * lib.np.tanh(p["w1"] * p["x"]))) ** 2


def cross_entropy(lib: Any, logits: Any, target: Any) -> Any:
    rows = lib.np.reshape(logits, (-1, logits.shape[-1]))
    return lib.np.mean(lib.logsumexp(rows) - rows[np.arange(len(rows)), target.reshape(-1)])


def mlp(lib: Any, p: Arrays) -> Any:
    hidden = lib.np.maximum(lib.np.dot(p["X"], p["W1"]) + p["b1"], 0)
    return cross_entropy(lib, lib.np.dot(hidden, p["W2"]) + p["b2"], p["y"])


def window_lm(lib: Any, p: Arrays) -> Any:
    window = lib.np.reshape(p["T"][p["words"]], (len(p["y"]), -1))
    hidden = lib.np.tanh(lib.np.dot(window, p["W1"]) + p["b1"])
    return cross_entropy(lib, lib.np.dot(hidden, p["W2"]) + p["b2"], p["y"])


def _every_step(lib: Any, p: Arrays, states: Any) -> Any:
    flat = lib.np.reshape(states, (-1, states.shape[-1]))
    return cross_entropy(lib, lib.np.dot(flat, p["W_y"]) + p["b_y"], p["y"])


def rnn(lib: Any, p: Arrays) -> Any:
    def step(h: Any, read: Any) -> Any:
        h = lib.np.tanh(read + lib.np.dot(h, p["W_h"]))
        return h, h

    return _every_step(lib, p, lib.scan(step, p["h0"], lib.np.dot(p["X"], p["W_x"]) + p["b"]))


def lstm(lib: Any, p: Arrays) -> Any:
    width = p["h0"].shape[1]

    def step(carry: Any, read: Any) -> Any:
        h, c = carry
        z = read + lib.np.dot(h, p["W_h"])
        gates = 0.5 + 0.5 * lib.np.tanh(0.5 * z[:, : 3 * width])
        c = gates[:, width : 2 * width] * c + gates[:, :width] * lib.np.tanh(z[:, 3 * width :])
        h = gates[:, 2 * width :] * lib.np.tanh(c)
        return (h, c), h

    return _every_step(lib, p, lib.scan(step, (p["h0"], p["c0"]), lib.np.dot(p["X"], p["W_x"]) + p["b"]))


def layers(lib: Any, p: Arrays) -> Any:
    """What a layer reads is one array: its matrix, and the shift below it."""
    def step(x: Any, read: Any) -> Any:
        x = lib.np.tanh(lib.np.dot(x, read[:-1]) + read[-1])
        return x, x

    rows = lib.scan(step, p["X"], lib.np.concatenate([p["W"], lib.np.reshape(p["b"], (len(p["b"]), 1, -1))], axis=1))
    return cross_entropy(lib, lib.np.dot(rows[-1], p["V"]) + p["c"], p["y"])


def layer_norm(lib: Any, x: Any, gain: Any, shift: Any) -> Any:
    c = x - lib.np.mean(x, axis=-1, keepdims=True)
    return c / lib.np.sqrt(lib.np.mean(c * c, axis=-1, keepdims=True) + 1e-5) * gain + shift


def gelu(lib: Any, u: Any) -> Any:
    return 0.5 * u * (1 + lib.np.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u * u * u)))


def transformer(lib: Any, p: Arrays) -> Any:
    xp, x = lib.np, p["X"]
    n, t, width = x.shape
    parts = xp.reshape(xp.matmul(layer_norm(lib, x, p["g1"], p["s1"]), p["W_a"]) + p["b_a"], (n, t, 3, 4, width // 4))
    q, k, v = (xp.transpose(parts[:, :, s], (0, 2, 1, 3)) for s in range(3))
    hidden = np.triu(np.full((t, t), -1e30, x.dtype), 1)
    scores = xp.matmul(q, xp.transpose(k, (0, 1, 3, 2))) / math.sqrt(width // 4) + hidden
    e = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    mixed = xp.matmul(e / xp.sum(e, axis=-1, keepdims=True), v)
    y = x + xp.matmul(xp.reshape(xp.transpose(mixed, (0, 2, 1, 3)), (n, t, width)), p["W_o"]) + p["b_o"]
    u = xp.matmul(layer_norm(lib, y, p["g2"], p["s2"]), p["W_u"]) + p["b_u"]
    r = y + xp.matmul(gelu(lib, u), p["W_d"]) + p["b_d"]
    return cross_entropy(lib, xp.matmul(layer_norm(lib, r, p["g3"], p["s3"]), p["W_v"]) + p["b_v"], p["y"])


def conv_net(lib: Any, p: Arrays) -> Any:
    x = p["X"]
    for k in "12":
        x = lib.pool(lib.np.maximum(lib.conv(x, p[f"W{k}"]) + p[f"b{k}"], 0))
    return cross_entropy(lib, lib.np.dot(lib.np.reshape(x, (len(x), -1)), p["W3"]) + p["b3"], p["y"])


def _penalty(lib: Any, p: Arrays) -> Any:
    return 0.001 / 2 * lib.np.sum(p["w"] * p["w"])


def logistic(lib: Any, p: Arrays) -> Any:
    return lib.np.mean(lib.softplus(-p["y"] * (lib.np.dot(p["X"], p["w"]) + p["b"]))) + _penalty(lib, p)


def hinge(lib: Any, p: Arrays) -> Any:
    return lib.np.mean(lib.np.maximum(1 - p["y"] * (lib.np.dot(p["X"], p["w"]) + p["b"]), 0)) + _penalty(lib, p)


LOSSES: dict[str, Callable[[Any, Arrays], Any]] = {
    f.__name__: f for f in (scalar, mlp, window_lm, rnn, lstm, transformer, conv_net, logistic, hinge, layers)
}
