"""Forward and backward passes of kernels as fast as we could write them by hand, in NumPy and without a workspace.

Each takes the arrays by name and the upstream gradient (None for a loss), and returns what the kernel computes and the
gradients. Sums over rows are products with ones, which BLAS does several times faster than ``sum``; norms and softmaxes
have their published closed forms; what may be changed in place is.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

Arrays = SimpleNamespace
Result = tuple[Any, dict[str, Any]]
EPS = 1e-5


def down(a: Any) -> Any:
    """Σ over all axes but the last."""
    a = a.reshape(-1, a.shape[-1])
    return np.ones(len(a), a.dtype) @ a


def along(a: Any) -> Any:
    """Σ over the last axis, which stays."""
    return (a @ np.ones(a.shape[-1], a.dtype))[..., None]


def dots(a: Any, b: Any) -> Any:
    """Σ a·b over the last axis, which stays."""
    return np.einsum("...i,...i->...", a, b)[..., None]


def columns(a: Any, b: Any) -> Any:
    """Σ a·b over the first axis."""
    return np.einsum("ij,ij->j", a, b)


def exponentials(z: Any) -> tuple[Any, Any]:
    """e^(z − max z), their sums, along the last axis."""
    e = z - z.max(axis=-1, keepdims=True)
    np.exp(e, out=e)
    return e, along(e)


def sigmoid(z: Any) -> Any:
    s = z * 0.5
    np.tanh(s, out=s)
    s *= 0.5
    s += 0.5
    return s


# -- norms


def centred(x: Any, dy: Any, n: int) -> tuple[Any, Any]:
    """Rows of mean 0 and variance 1, and the gradient that comes through that."""
    c = x - along(x) / n
    r = 1 / np.sqrt(dots(c, c) / n + EPS)
    c *= r
    dx = dy - c * (dots(dy, c) / n)
    dx -= along(dy) / n
    dx *= r
    return c, dx


def layer_norm(a: Arrays, dy: Any) -> Result:
    n = a.x.shape[1]
    xhat, dx = centred(a.x, dy * a.g, n)
    y = xhat * a.g
    y += a.b
    return y, {"x": dx, "g": columns(dy, xhat), "b": down(dy)}


def batch_norm(a: Arrays, dy: Any) -> Result:
    n = len(a.x)
    c = a.x - down(a.x) / n
    r = 1 / np.sqrt(columns(c, c) / n + EPS)
    c *= r
    y = c * a.g
    y += a.b
    dg, db = columns(dy, c), down(dy)
    c *= dg / n
    dx = dy - c
    dx -= db / n
    dx *= a.g * r
    return y, {"x": dx, "g": dg, "b": db}


def group_norm(a: Arrays, dy: Any) -> Result:
    n, groups, c, s = a.x.shape
    xhat, dx = centred(a.x.reshape(n, groups, c * s), (dy * a.g).reshape(n, groups, c * s), c * s)
    xhat = xhat.reshape(a.x.shape)
    y = xhat * a.g
    y += a.b
    dg = np.einsum("ngcs,ngcs->gc", dy, xhat)[..., None]
    return y, {"x": dx.reshape(a.x.shape), "g": dg, "b": (dy @ np.ones(s, dy.dtype)).sum(axis=0)[..., None]}


def instance_norm(a: Arrays, dy: Any) -> Result:
    xhat, dx = centred(a.x, dy * a.g, a.x.shape[2])
    y = xhat * a.g
    y += a.b
    dg = np.einsum("ncs,ncs->c", dy, xhat)[..., None]
    return y, {"x": dx, "g": dg, "b": along(dy).sum(axis=0)}


def rms_norm(a: Arrays, dy: Any) -> Result:
    n = a.x.shape[1]
    r = 1 / np.sqrt(dots(a.x, a.x) / n + EPS)
    xhat = a.x * r
    dg = columns(dy, xhat)
    dx = dy * a.g
    k = dots(dx, xhat) / n
    y = xhat * a.g
    xhat *= k
    dx -= xhat
    dx *= r
    return y, {"x": dx, "g": dg}


def row_norm(a: Arrays, dy: Any) -> Result:
    r = 1 / np.sqrt(dots(a.A, a.A))
    u = a.A * r
    d = dy - u * dots(u, dy)
    d *= r
    return u, {"A": d}


def weight_norm(a: Arrays, dy: Any) -> Result:
    n = np.sqrt(columns(a.v, a.v))
    k = a.g / n
    w = a.v * k
    dw = a.x.T @ dy
    s = columns(dw, a.v)
    dv = dw
    dv *= k
    dv -= a.v * (s * k / (n * n))
    return a.x @ w, {"x": dy @ w.T, "v": dv, "g": s / n}


def cosine(a: Arrays, dc: Any) -> Result:
    na, nb = np.sqrt(dots(a.a, a.a)), np.sqrt(dots(a.b, a.b))
    k = 1 / (na * nb)
    c = dots(a.a, a.b) * k
    d = dc[:, None]
    k *= d
    da, db = a.b * k, a.a * k
    da -= a.a * (d * c / (na * na))
    db -= a.b * (d * c / (nb * nb))
    return c[:, 0], {"a": da, "b": db}


# -- losses


def hard_ce(a: Arrays, _: Any) -> Result:
    rows, n = np.arange(len(a.z)), len(a.z)
    top = a.z.max(axis=1, keepdims=True)
    e = a.z - top
    picked = e[rows, a.y]
    np.exp(e, out=e)
    s = along(e)
    loss = (np.log(s[:, 0]) - picked).sum() / n
    e *= 1 / (s * n)
    e[rows, a.y] -= 1 / n
    return loss, {"z": e}


def soft_ce(a: Arrays, _: Any) -> Result:
    n = len(a.z)
    e = a.z - a.z.max(axis=1, keepdims=True)
    dot = np.vdot(a.t, e)
    np.exp(e, out=e)
    s, w = along(e), along(a.t)
    loss = (np.vdot(w, np.log(s)) - dot) / n
    e *= w / s
    e -= a.t
    e /= n
    return loss, {"z": e}


def smoothed_ce(a: Arrays, _: Any) -> Result:
    rows, (n, v) = np.arange(len(a.z)), a.z.shape
    e = a.z - a.z.max(axis=1, keepdims=True)
    picked, total = e[rows, a.y], along(e)[:, 0]
    np.exp(e, out=e)
    s = along(e)
    loss = (np.log(s[:, 0]) - 0.9 * picked - 0.1 / v * total).sum() / n
    e *= 1 / (s * n)
    e -= 0.1 / (v * n)
    e[rows, a.y] -= 0.9 / n
    return loss, {"z": e}


def softcap(a: Arrays, _: Any) -> Result:
    rows, n, cap = np.arange(len(a.z)), len(a.z), 30
    t = a.z * (1 / cap)
    np.tanh(t, out=t)
    e = t * cap
    e -= e.max(axis=1, keepdims=True)
    picked = e[rows, a.y]
    np.exp(e, out=e)
    s = along(e)
    loss = (np.log(s[:, 0]) - picked).sum() / n
    e *= 1 / (s * n)
    e[rows, a.y] -= 1 / n
    t *= t
    np.subtract(1, t, out=t)
    e *= t
    return loss, {"z": e}


def jsd(a: Arrays, _: Any) -> Result:
    m = a.P + a.Q
    m *= 0.5
    lp, lq = np.log(a.P / m), np.log(a.Q / m)
    loss = (np.vdot(a.P, lp) + np.vdot(a.Q, lq)) / 2
    lq *= 0.5
    return loss, {"Q": lq}


def kl(a: Arrays, _: Any) -> Result:
    n = len(a.z)
    e = a.z - a.z.max(axis=1, keepdims=True)
    dot = np.vdot(a.t, e)
    np.exp(e, out=e)
    s, w = along(e), along(a.t)
    loss = (np.vdot(a.t, np.log(a.t)) - dot + np.vdot(w, np.log(s))) / n
    e *= w / s
    e -= a.t
    e /= n
    return loss, {"z": e}


def dpo(a: Arrays, _: Any) -> Result:
    n, t = a.y.shape
    at = (np.arange(n)[:, None], np.arange(t), a.y)
    e = a.z - a.z.max(axis=2, keepdims=True)
    picked = e[at]
    np.exp(e, out=e)
    s = along(e)
    m = 0.1 * ((picked - np.log(s[..., 0])).sum(axis=1) - a.r)
    loss = np.logaddexp(0, -m).sum() / n
    g = sigmoid(-m) * (0.1 / n)
    e *= g[:, None, None] / s
    e[at] -= g[:, None]
    return loss, {"z": e}


def grpo(a: Arrays, _: Any) -> Result:
    n, t = a.y.shape
    at = (np.arange(n)[:, None], np.arange(t), a.y)
    e = a.z - a.z.max(axis=2, keepdims=True)
    picked = e[at]
    np.exp(e, out=e)
    s = along(e)
    ratio = np.exp(picked - np.log(s[..., 0]) - a.old)
    one, two = ratio * a.A, np.minimum(np.maximum(ratio, 0.8), 1.2) * a.A
    loss = -np.minimum(one, two).sum() / (n * t)
    inside = (ratio > 0.8) & (ratio < 1.2)
    g = np.where((one < two) | inside, one, 0) / (n * t)
    e *= g[..., None] / s
    e[at] -= g
    return loss, {"z": e}


def vae(a: Arrays, _: Any) -> Result:
    s = np.exp(a.lv / 2)
    noise = s * a.eps
    z = noise + a.mu
    r = z @ a.W
    r -= a.x
    v = s * s
    kl = (np.vdot(a.mu, a.mu) + v.sum() - a.lv.sum() - a.lv.size) / 2
    dz = r @ a.W.T
    dmu = dz + a.mu
    dz *= noise
    dz += v
    dz -= 1
    dz *= 0.5
    return np.vdot(r, r) / 2 + kl, {"mu": dmu, "lv": dz, "W": z.T @ r}


def logistic(a: Arrays, _: Any) -> Result:
    z, n = a.X @ a.w, len(a.X)
    loss = (np.log1p(np.exp(-np.abs(z))).sum() + np.maximum(z, 0).sum() - np.vdot(a.y, z)) / n
    d = sigmoid(z)
    d -= a.y
    d /= n
    return loss, {"w": d @ a.X}


def sgns(a: Arrays, _: Any) -> Result:
    n, k = a.n.shape
    u, wo, wn = a.U[a.c], a.W[a.o], a.W[a.n]
    sp, sn = dots(u, wo), np.matmul(wn, u[:, :, None])[..., 0]
    loss = (np.logaddexp(0, -sp).sum() + np.logaddexp(0, sn).sum()) / n
    dp, dn = -sigmoid(-sp) / n, sigmoid(sn) / n
    du = wo * dp
    du += np.matmul(dn[:, None], wn)[:, 0]
    rows = np.concatenate([u * dp, (dn[..., None] * u[:, None]).reshape(n * k, -1)])
    return loss, {"U": summed(du, a.c, len(a.U)), "W": summed(rows, np.concatenate([a.o, a.n.ravel()]), len(a.W))}


def summed(rows: Any, places: Any, size: int) -> Any:
    """Rows added up where the places say."""
    out = np.zeros((size, rows.shape[1]), rows.dtype)
    order = places.argsort(kind="stable")
    places = places[order]
    starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
    out[places[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return out


# -- activations


def silu(a: Arrays, dy: Any) -> Result:
    s = sigmoid(a.x)
    y = a.x * s
    d = 1 - s
    d *= y
    d += s
    d *= dy
    return y, {"x": d}


def swiglu(a: Arrays, dy: Any) -> Result:
    s = sigmoid(a.a)
    u = a.a * s
    y, db = u * a.b, dy * u
    u *= 1 - s
    u += s
    u *= a.b
    u *= dy
    return y, {"a": u, "b": db}


def geglu_tanh(a: Arrays, dy: Any) -> Result:
    k, c = (2 / np.pi) ** 0.5, 0.044715
    q = a.a * a.a
    t = q * (k * c)
    t += k
    t *= a.a
    np.tanh(t, out=t)
    one = t + 1
    one *= 0.5
    u = a.a * one
    y, db = u * a.b, dy * u
    q *= 3 * k * c
    q += k
    np.subtract(1, t, out=t)  # u' = ½(1 + t)·(1 + a(1 − t)(k + 3kc·a²))
    q *= a.a
    q *= t
    q += 1
    q *= one
    q *= a.b
    q *= dy
    return y, {"a": q, "b": db}


def rope(a: Arrays, dy: Any) -> Result:
    t, d = a.x.shape
    angles = np.arange(t)[:, None] * 10000.0 ** (-np.arange(0, d, 2) / d)
    c, s = np.cos(angles).astype(dy.dtype), np.sin(angles).astype(dy.dtype)
    y, dx = np.empty_like(a.x), np.empty_like(a.x)
    x1, x2, d1, d2 = a.x[:, : d // 2], a.x[:, d // 2 :], dy[:, : d // 2], dy[:, d // 2 :]
    y[:, : d // 2], y[:, d // 2 :] = x1 * c - x2 * s, x1 * s + x2 * c
    dx[:, : d // 2], dx[:, d // 2 :] = d1 * c + d2 * s, d2 * c - d1 * s
    return y, {"x": dx}


def lstm_cell(a: Arrays, up: Any) -> Result:
    i, f, o, g = sigmoid(a.zi), sigmoid(a.zf), sigmoid(a.zo), np.tanh(a.zg)
    c = f * a.c0
    c += i * g
    tc = np.tanh(c)
    h = o * tc
    dc, dh = up["c"], up["h"]
    t = tc * tc
    np.subtract(1, t, out=t)
    t *= o
    t *= dh
    t += dc
    return {"c": c, "h": h}, {
        "zi": t * g * i * (1 - i), "zf": t * a.c0 * f * (1 - f), "zg": t * i * (1 - g * g), "zo": dh * h * (1 - o),
        "c0": t * f,
    }


def gru_cell(a: Arrays, dh: Any) -> Result:
    r, z = sigmoid(a.zr), sigmoid(a.zz)
    n = r * a.q
    n += a.zn
    np.tanh(n, out=n)
    e = a.h0 - n
    h = z * e
    h += n
    k = 1 - z
    dn = dh * k
    k *= z
    k *= e
    k *= dh
    n *= n
    np.subtract(1, n, out=n)
    dn *= n
    dq = dn * r
    dr = dq * a.q
    dr *= 1 - r
    return h, {"zr": dr, "zz": k, "zn": dn, "q": dq, "h0": dh * z}


# -- attention


def attention(a: Arrays, do: Any, causal: bool = False) -> Result:
    scale = 1 / a.q.shape[1] ** 0.5
    s = (a.q * a.q.dtype.type(scale)) @ a.k.T
    if causal:
        s[np.triu_indices(len(s), 1)] = -np.inf
    p, total = exponentials(s)
    p *= 1 / total
    o = p @ a.v
    dv = p.T @ do
    ds = do @ a.v.T
    ds -= dots(do, o)
    ds *= p
    ds *= scale
    return o, {"q": ds @ a.k, "k": ds.T @ a.q, "v": dv}


def attention_causal(a: Arrays, do: Any) -> Result:
    return attention(a, do, causal=True)


def fused_qkv(a: Arrays, do: Any) -> Result:
    n, t, _ = a.X.shape
    h, k = 8, a.W.shape[0] // 8
    x = a.X.reshape(n * t, -1)
    qkv = (x @ a.W).reshape(n, t, 3, h, k).transpose(2, 0, 3, 1, 4)
    q, key, v = qkv
    s = q @ np.ascontiguousarray(key.swapaxes(-1, -2))
    s *= 1 / k**0.5
    s += np.triu(np.full((t, t), -np.inf, s.dtype), 1)
    p, total = exponentials(s)
    p *= 1 / total
    o = np.empty((n, t, h, k), s.dtype)
    np.matmul(p, v, out=o.transpose(0, 2, 1, 3))
    d = do.reshape(n, t, h, k).transpose(0, 2, 1, 3)
    dqkv = np.empty((n, t, 3, h, k), s.dtype)
    dq, dk, dv = dqkv.transpose(2, 0, 3, 1, 4)
    np.matmul(p.swapaxes(-1, -2), d, out=dv)
    ds = d @ np.ascontiguousarray(v.swapaxes(-1, -2))
    ds -= dots(d, o.transpose(0, 2, 1, 3))
    ds *= p
    ds *= 1 / k**0.5
    np.matmul(ds, key, out=dq)
    np.matmul(ds.swapaxes(-1, -2), q, out=dk)
    g = dqkv.reshape(n * t, -1)
    return o.reshape(n, t, -1), {"X": (g @ a.W.T).reshape(a.X.shape), "W": x.T @ g}


# -- windows


def max_pool(a: Arrays, dy: Any) -> Result:
    parts = [a.x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    y = np.maximum(np.maximum(parts[0], parts[1]), np.maximum(parts[2], parts[3]))
    hits = [part == y for part in parts]
    count = hits[0].view(np.int8) + hits[1].view(np.int8)
    count += hits[2].view(np.int8)
    count += hits[3].view(np.int8)
    share = dy / count
    dx = np.empty_like(a.x)
    for hit, place in zip(hits, [dx[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], strict=True):
        np.multiply(share, hit, out=place)
    return y, {"x": dx}


def avg_pool(a: Arrays, dy: Any) -> Result:
    y = a.x[:, ::2, ::2] + a.x[:, 1::2, ::2]
    y += a.x[:, ::2, 1::2]
    y += a.x[:, 1::2, 1::2]
    y *= 0.25
    dx = np.empty_like(a.x)
    share = dy * 0.25
    for i in (0, 1):
        for j in (0, 1):
            dx[:, i::2, j::2] = share
    return y, {"x": dx}


# -- networks and loops


def mlp_dropout(a: Arrays, _: Any) -> Result:
    rows, n = np.arange(len(a.X)), len(a.X)
    z = a.X @ a.W1
    z += a.b1
    h = np.maximum(z, 0)
    h *= a.mask
    h *= 2
    e = h @ a.W2
    e += a.b2
    e -= e.max(axis=1, keepdims=True)
    picked = e[rows, a.y]
    np.exp(e, out=e)
    s = along(e)
    loss = (np.log(s[:, 0]) - picked).sum() / n
    e *= 1 / (s * n)
    e[rows, a.y] -= 1 / n
    dh = e @ a.W2.T
    dh *= a.mask
    dh *= z > 0
    dh *= 2
    return loss, {"W1": a.X.T @ dh, "b1": down(dh), "W2": h.T @ e, "b2": down(e)}


def rnn(a: Arrays, _: Any) -> Result:
    t, n, d = a.x.shape
    pre = (a.x.reshape(t * n, d) @ a.W).reshape(t, n, -1)
    pre += a.b
    h = np.empty((t + 1, *a.h0.shape), pre.dtype)
    h[0] = a.h0
    for k in range(t):
        np.tanh(pre[k] + h[k] @ a.U, out=h[k + 1])
    loss = np.vdot(h[1:], h[1:]) / h[1:].size
    dz, scale, back = np.empty_like(pre), 2 / h[1:].size, a.U.T.copy()
    slope = 1 - h[1:] * h[1:]
    direct = h[1:] * pre.dtype.type(scale)
    g = direct[t - 1]
    for k in reversed(range(t)):
        np.multiply(g, slope[k], out=dz[k])
        if k:
            g = dz[k] @ back
            g += direct[k - 1]
    flat = dz.reshape(t * n, -1)
    return loss, {"W": a.x.reshape(t * n, d).T @ flat, "U": h[:-1].reshape(t * n, -1).T @ flat, "b": down(flat)}


def selective_scan(a: Arrays, dy: Any) -> Result:
    t = len(a.x)
    decay, drive = np.exp(a.A * a.delta[..., None]), a.delta * a.x
    h = np.empty((t + 1, *a.h0.shape), drive.dtype)
    h[0] = a.h0
    inputs = drive[..., None] * a.B[:, :, None]
    for k in range(t):
        np.multiply(decay[k], h[k], out=h[k + 1])
        h[k + 1] += inputs[k]
    y = np.einsum("tnds,tns->tnd", h[1:], a.C)
    g = dy[..., None] * a.C[:, :, None]
    dC = np.matmul(dy[:, :, None], h[1:])[:, :, 0]
    for k in reversed(range(t - 1)):
        g[k] += g[k + 1] * decay[k + 1]
    ddrive = np.einsum("tnds,tns->tnd", g, a.B)
    dB = np.matmul(drive[:, :, None], g)[:, :, 0]
    g *= h[:-1]
    g *= decay
    ddelta = np.einsum("tnds,ds->tnd", g, a.A)
    ddelta += ddrive * a.x
    dA = np.einsum("tnds,tnd->ds", g, a.delta)
    ddrive *= a.delta
    return y, {"x": ddrive, "delta": ddelta, "B": dB, "C": dC, "A": dA}


def delta_rule(a: Arrays, do: Any) -> Result:
    t, n, d = a.q.shape
    states = np.empty((t + 1, n, d, d), a.q.dtype)
    states[0] = 0
    errors = np.empty_like(a.v)
    keys = a.k * a.beta[..., None]
    for k in range(t):
        s, v = states[k], a.v[k]
        np.subtract(v, np.matmul(s, a.k[k][..., None])[..., 0], out=errors[k])
        np.multiply(errors[k][..., None], keys[k][:, None], out=states[k + 1])
        states[k + 1] += s
    o = np.matmul(states[1:], a.q[..., None])[..., 0]
    dq = np.matmul(do[:, :, None], states[1:])[:, :, 0]
    de, dkeys, dk = np.empty_like(a.v), np.empty_like(a.k), np.empty_like(a.k)
    g = np.zeros_like(states[0])
    for k in reversed(range(t)):
        g += do[k][..., None] * a.q[k][:, None]
        np.matmul(g, keys[k][..., None], out=de[k][..., None])
        np.matmul(errors[k][:, None], g, out=dkeys[k][:, None])
        np.matmul(-de[k][:, None], states[k], out=dk[k][:, None])
        g -= de[k][..., None] * a.k[k][:, None]
    dk += dkeys * a.beta[..., None]
    return o, {"q": dq, "k": dk, "v": de, "beta": np.einsum("tnd,tnd->tn", dkeys, a.k)}
