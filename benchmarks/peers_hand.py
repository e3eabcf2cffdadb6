"""The workloads as fast as we could write them by hand in NumPy: forward and backward in one function, into arrays that
are kept from step to step and changed in place.

Sums over rows are products with ones. A bias and ReLU come after the pool. What of a recurrent step does not wait for
its state is computed for all steps at once, and the gain and shift of a norm are multiplied into the matrix behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

Arrays = dict[str, Any]
Step = Callable[[], tuple[Any, Arrays]]
EPS, GELU, CUBE = 1e-5, math.sqrt(2 / math.pi), 0.044715


class Space:
    """Arrays of one dtype, made when they are first asked for by name."""

    def __init__(self, dtype: Any) -> None:
        self.dtype, self.kept = dtype, dict[str, Any]()

    def __call__(self, name: str, *shape: int, zeros: bool = False) -> Any:
        if name not in self.kept:
            self.kept[name] = (np.zeros if zeros else np.empty)(shape, self.dtype)
        return self.kept[name]

    def dot(self, name: str, a: Any, b: Any) -> Any:
        return np.dot(a, b, out=self(name, a.shape[0], b.shape[1]))

    def rows(self, a: Any) -> Any:
        """Σ over the rows."""
        return np.dot(self._ones(len(a)), a)

    def across(self, a: Any) -> Any:
        """Σ over the columns."""
        return np.dot(a, self._ones(a.shape[1]))

    def _ones(self, n: int) -> Any:
        ones = self(f"ones {n}", n)
        ones.fill(1)
        return ones


def cross_entropy(space: Space, z: Any, y: Any) -> Any:
    """The mean over the rows, whose logits become its gradient."""
    n, flat, places = len(z), z.reshape(-1), np.arange(0, z.size, z.shape[1]) + y.reshape(-1)
    z -= z.max(axis=1, keepdims=True)
    right = flat.take(places)
    np.exp(z, out=z)
    sums = space.across(z)
    z *= (1 / (n * sums))[:, None]
    flat[places] -= 1 / n
    return (np.log(sums).sum() - right.sum()) / n


def scalar(p: Any, space: Space) -> tuple[Any, Arrays]:
    h = math.tanh(p.w1 * p.x)
    o = math.tanh(p.w2 * h)
    e = o - p.y
    da = e * (1 - o * o)
    return 0.5 * e * e, {"w1": da * p.w2 * (1 - h * h) * p.x, "w2": da * h}


def mlp(p: Any, space: Space) -> tuple[Any, Arrays]:
    a = space.dot("a", p.X, p.W1)
    a += p.b1
    np.maximum(a, 0, out=a)
    z = space.dot("z", a, p.W2)
    z += p.b2
    loss = cross_entropy(space, z, p.y)
    da = space.dot("da", z, p.W2.T)
    da *= a > 0
    second = {"W2": space.dot("dW2", a.T, z), "b2": space.rows(z)}
    return loss, {"W1": space.dot("dW1", p.X.T, da), "b1": space.rows(da), **second}


def window_lm(p: Any, space: Space) -> tuple[Any, Arrays]:
    words, width = p.words.reshape(-1), p.T.shape[1]
    x = np.take(p.T, words, axis=0, out=space("x", len(words), width), mode="clip").reshape(len(p.y), -1)
    a = space.dot("a", x, p.W1)
    a += p.b1
    np.tanh(a, out=a)
    z = space.dot("z", a, p.W2)
    z += p.b2
    loss = cross_entropy(space, z, p.y)
    da = space.dot("da", z, p.W2.T)
    second = {"W2": space.dot("dW2", a.T, z), "b2": space.rows(z)}
    a *= a
    da -= da * a
    dx = space.dot("dx", da, p.W1.T).reshape(len(words), width)
    found = {"T": added(space, dx, words, p.T.shape), "W1": space.dot("dW1", x.T, da), "b1": space.rows(da), **second}
    return loss, found


def added(space: Space, rows: Any, places: Any, shape: tuple[int, ...]) -> Any:
    """The rows added up by their places, in zeros; equal places are put beside each other and summed as runs."""
    table, before = space("table", *shape, zeros=True), space.kept.get("places", places[:0])
    order = places.argsort(kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    table[before] = 0
    space.kept["places"] = ordered[starts]
    table[ordered[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return table


def every_step(p: Any, space: Space, h: Any) -> tuple[Any, Any, Arrays]:
    """The loss of a class at every step, its gradient by the states, and those of the output layer."""
    flat = h.reshape(-1, h.shape[-1])
    z = space.dot("z", flat, p.W_y)
    z += p.b_y
    loss = cross_entropy(space, z, p.y)
    dh = space.dot("dh", z, p.W_y.T).reshape(h.shape)
    return loss, dh, {"W_y": space.dot("dW_y", flat.T, z), "b_y": space.rows(z)}


def through_inputs(p: Any, space: Space, states: Any, dz: Any) -> Arrays:
    """The gradients of what all steps share."""
    flat, before = dz.reshape(-1, dz.shape[-1]), states[:-1].reshape(-1, states.shape[-1])
    return {
        "W_x": space.dot("dW_x", p.X.reshape(-1, p.X.shape[-1]).T, flat),
        "W_h": space.dot("dW_h", before.T, flat),
        "b": space.rows(flat),
    }


def rnn(p: Any, space: Space) -> tuple[Any, Arrays]:
    steps, n, _ = p.X.shape
    width = len(p.W_h)
    read = space.dot("read", p.X.reshape(steps * n, -1), p.W_x)
    read += p.b
    read, h = read.reshape(steps, n, width), space("h", steps + 1, n, width)
    h[0] = p.h0
    for t in range(steps):
        state = np.dot(h[t], p.W_h, out=h[t + 1])
        state += read[t]
        np.tanh(state, out=state)
    loss, dz, found = every_step(p, space, h[1:])
    slope = np.multiply(h[1:], h[1:], out=read)
    np.subtract(1, slope, out=slope)
    turned, carried = p.W_h.T.copy(), space("carried", n, width)
    for t in reversed(range(steps)):
        if t < steps - 1:
            dz[t] += np.dot(dz[t + 1], turned, out=carried)
        dz[t] *= slope[t]
    return loss, {**through_inputs(p, space, h, dz), **found}


def lstm(p: Any, space: Space) -> tuple[Any, Arrays]:
    steps, n, _ = p.X.shape
    width = len(p.W_h)
    half = np.r_[np.full(3 * width, 0.5), np.ones(width)].astype(space.dtype)  # σ(z) = ½ + ½ tanh(z/2)
    read, inner = space.dot("read", p.X.reshape(steps * n, -1), p.W_x * half), p.W_h * half
    read += p.b * half
    gates = read.reshape(steps, n, 4 * width)
    h, c = space("h", steps + 1, n, width), space("c", steps + 1, n, width)
    bent, z, part = space("bent", steps, n, width), space("zt", n, 4 * width), space("part", n, width)
    h[0], c[0] = p.h0, p.c0
    for t in range(steps):
        gate, sigmoids = gates[t], gates[t, :, : 3 * width]
        gate += np.dot(h[t], inner, out=z)
        np.tanh(gate, out=gate)
        sigmoids *= 0.5
        sigmoids += 0.5
        np.multiply(gate[:, width : 2 * width], c[t], out=c[t + 1])
        c[t + 1] += np.multiply(gate[:, :width], gate[:, 3 * width :], out=part)
        np.tanh(c[t + 1], out=bent[t])
        np.multiply(gate[:, 2 * width : 3 * width], bent[t], out=h[t + 1])
    loss, dh, found = every_step(p, space, h[1:])
    dz = through_gates(p, space, gates.reshape(steps, n, 4, width), c, bent, dh)
    return loss, {**through_inputs(p, space, h, dz), **found}


def through_gates(p: Any, space: Space, gates: Any, c: Any, bent: Any, dh: Any) -> Any:
    """The gradient by the gates' sums; what does not wait for the next step is computed for all steps at once."""
    i, f, o, g = (gates[:, :, k] for k in range(4))
    steps, n, _, width = gates.shape
    factors = space("factors", *gates.shape)
    for k, (other, gate) in enumerate(((g, i), (c[:-1], f), (bent, o))):
        factors[:, :, k] = other * gate * (1 - gate)
    factors[:, :, 3] = i * (1 - g * g)
    through = o * (1 - bent * bent)
    dz, turned = space("dz", steps, n, 4 * width), p.W_h.T.copy()
    parts, dc, part, carried = (
        dz.reshape(gates.shape), space("dc", n, width), space("part", n, width), space("carried", n, width))
    dc.fill(0)
    for t in reversed(range(steps)):
        if t < steps - 1:
            dh[t] += np.dot(dz[t + 1], turned, out=carried)
            dc *= f[t + 1]
        dc += np.multiply(dh[t], through[t], out=part)
        np.multiply(dc[:, None], factors[t], out=parts[t])
        np.multiply(dh[t], factors[t, :, 2], out=parts[t, :, 2])
    return dz


class Normed:
    """A norm over the columns, its gain and shift, and the matrix and bias behind it, as one product."""

    def __init__(self, space: Space, name: str, x: Any, gain: Any, shift: Any, w: Any, b: Any) -> None:
        self.space, self.name, self.gain, self.shift, self.w = space, name, gain, shift, w
        self.rows = rows = space(f"rows {name}", *x.shape)
        np.subtract(x, (space.across(x) / x.shape[1])[:, None], out=rows)
        self.scale = 1 / np.sqrt(np.einsum("ij,ij->i", rows, rows) / x.shape[1] + EPS)
        rows *= self.scale[:, None]
        self.folded = np.multiply(w, gain[:, None], out=space(f"folded {name}", *w.shape))
        self.result = space.dot(f"result {name}", rows, self.folded)
        self.result += shift @ w + b

    def back(self, up: Any) -> tuple[Any, tuple[Any, Any, Any, Any]]:
        """The gradient by x, and those of gain, shift, matrix and bias."""
        rows, width = self.rows, self.rows.shape[1]
        dw, db = self.space.dot(f"dw {self.name}", rows.T, up), self.space.rows(up)
        dgain, dshift = np.einsum("ij,ij->i", self.w, dw), self.w @ db
        dw *= self.gain[:, None]
        dw += np.multiply.outer(self.shift, db)
        dx = self.space.dot(f"dx {self.name}", up, self.folded.T)
        along = np.einsum("ij,ij->i", dx, rows) / width
        dx -= (self.space.across(dx) / width)[:, None]
        dx -= np.multiply(rows, along[:, None], out=rows)
        dx *= self.scale[:, None]
        return dx, (dgain, dshift, dw, db)


def transformer(p: Any, space: Space, heads: int = 4) -> tuple[Any, Arrays]:
    n, steps, width = p.X.shape
    x, d = p.X.reshape(-1, width), width // heads
    first = Normed(space, "1", x, p.g1, p.s1, p.W_a, p.b_a)
    q, k, v = first.result.reshape(n, steps, 3, heads, d).transpose(2, 0, 3, 1, 4)
    weights = np.matmul(q, k.swapaxes(2, 3), out=space("weights", n, heads, steps, steps))
    weights *= 1 / math.sqrt(d)
    weights += np.triu(np.full((steps, steps), -np.inf, space.dtype), 1)
    weights -= weights.max(axis=3, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=3, keepdims=True)
    mixed = space("mixed", n * steps, width)
    np.matmul(weights, v, out=mixed.reshape(n, steps, heads, d).transpose(0, 2, 1, 3))
    y = space.dot("y", mixed, p.W_o)
    y += p.b_o
    y += x
    second = Normed(space, "2", y, p.g2, p.s2, p.W_u, p.b_u)
    active, slope = gelu(space, second.result)
    r = space.dot("r", active, p.W_d)
    r += p.b_d
    r += y
    third = Normed(space, "3", r, p.g3, p.s3, p.W_v, p.b_v)
    loss = cross_entropy(space, third.result, p.y)
    dr, (g3, s3, w_v, b_v) = third.back(third.result)
    du = space.dot("du", dr, p.W_d.T)
    du *= slope
    dy, (g2, s2, w_u, b_u) = second.back(du)
    dy += dr
    dmixed = space.dot("dmixed", dy, p.W_o.T).reshape(n, steps, heads, d).transpose(0, 2, 1, 3)
    dqkv = through_attention(space, (q, k, v), weights, dmixed)
    dx, (g1, s1, w_a, b_a) = first.back(dqkv)
    dx += dy
    return loss, {
        "X": dx.reshape(p.X.shape), "g1": g1, "s1": s1, "W_a": w_a, "b_a": b_a, "g2": g2, "s2": s2, "W_u": w_u,
        "b_u": b_u, "g3": g3, "s3": s3, "W_v": w_v, "b_v": b_v, "W_o": space.dot("dW_o", mixed.T, dy),
        "b_o": space.rows(dy), "W_d": space.dot("dW_d", active.T, dr), "b_d": space.rows(dr),
    }


def gelu(space: Space, u: Any, block: int = 64) -> tuple[Any, Any]:
    """The function and its slope, some rows at a time, which stay in the processor's cache."""
    active, slope = space("active", *u.shape), space("slope", *u.shape)
    for start in range(0, len(u), block):
        part, a, s = (whole[start : start + block] for whole in (u, active, slope))
        squared = part * part
        squared *= GELU * CUBE
        t = np.multiply(squared + GELU, part)
        np.tanh(t, out=t)
        squared *= 3
        squared += GELU
        squared *= part
        np.multiply(t, t, out=s)
        np.subtract(1, s, out=s)
        s *= squared
        t += 1
        s += t
        s *= 0.5
        np.multiply(t, part, out=a)
        a *= 0.5
    return active, slope


def through_attention(space: Space, parts: tuple[Any, Any, Any], weights: Any, up: Any) -> Any:
    """The gradient by queries, keys and values, which stand beside each other."""
    (q, k, v), (n, heads, steps, d) = parts, up.shape
    found = space("dqkv", n * steps, 3 * heads * d)
    dq, dk, dv = found.reshape(n, steps, 3, heads, d).transpose(2, 0, 3, 1, 4)
    np.matmul(weights.swapaxes(2, 3), up, out=dv)
    ds = np.matmul(up, v.swapaxes(2, 3), out=space("ds", *weights.shape))
    ds -= np.einsum("abij,abij->abi", ds, weights)[..., None]
    ds *= weights
    ds *= 1 / math.sqrt(d)
    np.matmul(ds, k, out=dq)
    np.matmul(ds.swapaxes(2, 3), q, out=dk)
    return found


CORNERS = [(i, j) for i in (0, 1) for j in (0, 1)]


class Layer:
    """Convolution 3×3 with padding 1, pool 2×2, bias and ReLU."""

    def __init__(self, space: Space, name: str, x: Any, w: Any, b: Any) -> None:
        self.space, self.name, self.w = space, name, w
        n, height, width, channels = self.shape = x.shape
        padded = space(f"padded {name}", n, height + 2, width + 2, channels, zeros=True)
        padded[:, 1:-1, 1:-1] = x
        self.windows = space(f"windows {name}", n * height * width, 9 * channels)
        into = self.windows.reshape(n, height, width, 3, 3, channels)
        for i in range(3):
            for j in range(3):
                into[:, :, :, i, j] = padded[:, i : i + height, j : j + width]
        self.all = space.dot(f"all {name}", self.windows, w.reshape(9 * channels, -1)).reshape(n, height, width, -1)
        quarters = [self.all[:, i::2, j::2] for i, j in CORNERS]
        self.largest = np.maximum(quarters[0], quarters[1], out=space(f"largest {name}", *quarters[0].shape))
        for quarter in quarters[2:]:
            np.maximum(self.largest, quarter, out=self.largest)
        self.result = np.add(self.largest, b, out=space(f"result {name}", *self.largest.shape))
        np.maximum(self.result, 0, out=self.result)

    def back(self, up: Any, inputs: bool) -> tuple[Any, Any, Any]:
        """The gradients by kernel and bias, and where it is wanted by x."""
        (n, height, width, channels), space = self.shape, self.space
        up *= self.result > 0
        for i, j in CORNERS:
            quarter = self.all[:, i::2, j::2]
            np.multiply(up, quarter == self.largest, out=quarter)
        flat = self.all.reshape(n * height * width, -1)
        dw = space.dot(f"dw {self.name}", self.windows.T, flat).reshape(self.w.shape)
        db = space.rows(up.reshape(-1, up.shape[-1]))
        if not inputs:
            return dw, db, None
        parts = space.dot(f"parts {self.name}", flat, self.w.reshape(9 * channels, -1).T)
        parts = parts.reshape(n, height, width, 3, 3, channels)
        padded = space(f"dx {self.name}", n, height + 2, width + 2, channels)
        padded.fill(0)
        for i in range(3):
            for j in range(3):
                padded[:, i : i + height, j : j + width] += parts[:, :, :, i, j]
        return dw, db, padded[:, 1:-1, 1:-1]


def conv_net(p: Any, space: Space) -> tuple[Any, Arrays]:
    first = Layer(space, "1", p.X, p.W1, p.b1)
    second = Layer(space, "2", first.result, p.W2, p.b2)
    flat = second.result.reshape(len(p.X), -1)
    z = space.dot("z", flat, p.W3)
    z += p.b3
    loss = cross_entropy(space, z, p.y)
    found = {"W3": space.dot("dW3", flat.T, z), "b3": space.rows(z)}
    found["W2"], found["b2"], dx = second.back(space.dot("dflat", z, p.W3.T).reshape(second.result.shape), True)
    found["W1"], found["b1"], _ = first.back(dx, False)
    return loss, found


def linear(p: Any, dz: Any, losses: Any) -> tuple[Any, Arrays]:
    """Of a linear score with a penalty: the mean of the losses, and the gradients from those by the score."""
    dz /= len(dz)
    return losses.mean() + 0.0005 * (p.w @ p.w), {"w": dz @ p.X + 0.001 * p.w, "b": dz.sum()}


def logistic(p: Any, space: Space) -> tuple[Any, Arrays]:
    m = p.X @ p.w
    m += p.b
    m *= -p.y
    e = np.exp(-np.abs(m))
    slope = np.where(m > 0, 1, e) / (1 + e)
    return linear(p, -p.y * slope, np.maximum(m, 0) + np.log1p(e))


def hinge(p: Any, space: Space) -> tuple[Any, Arrays]:
    m = p.X @ p.w
    m += p.b
    m *= p.y
    losses = np.maximum(1 - m, 0)
    return linear(p, -p.y * (losses > 0), losses)


STEPS = {f.__name__: f for f in (scalar, mlp, window_lm, rnn, lstm, transformer, conv_net, logistic, hinge)}


def build(name: str, params: Arrays, data: Arrays, wanted: list[str]) -> Step:
    given, step = SimpleNamespace(**params, **data), STEPS[name]
    space = Space(np.result_type(*[a for a in params.values()]))
    return lambda: step(given, space)
