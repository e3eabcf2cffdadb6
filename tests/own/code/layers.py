"""Backward passes as people write them: functions over NumPy arrays, all of them right."""

import numpy as np


def affine(X, W, dout):
    dX = dout @ W.T
    dW = X.T @ dout
    db = dout.sum(axis=0)
    return dX, dW, db


def layer_norm(x, g, dy, eps):
    mu = x.mean(axis=1, keepdims=True)
    var = x.var(axis=1, keepdims=True)
    std = np.sqrt(var + eps)
    xh = (x - mu) / std
    dg = (dy * xh).sum(axis=0)
    db = dy.sum(axis=0)
    dxh = dy * g
    dx = (dxh - dxh.mean(axis=1, keepdims=True) - xh * (dxh * xh).mean(axis=1, keepdims=True)) / std
    return dx, dg, db


def batch_norm(x, gamma, dout, eps):
    N = len(x)
    mu = x.mean(axis=0)
    var = ((x - mu) ** 2).mean(axis=0)
    ivar = 1 / np.sqrt(var + eps)
    xhat = (x - mu) * ivar
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dvar = (dxhat * (x - mu) * -0.5 * ivar**3).sum(axis=0)
    dmu = (-dxhat * ivar).sum(axis=0)
    dx = dxhat * ivar + dvar * 2 * (x - mu) / N + dmu / N
    return dx, dgamma, dbeta


def rms_norm(x, g, dy):
    ms = (x**2).mean(axis=-1, keepdims=True)
    r = 1 / np.sqrt(ms + 1e-5)
    dg = (dy * x * r).sum(axis=0)
    dxh = dy * g
    dx = r * dxh - x * r**3 * (dxh * x).mean(axis=-1, keepdims=True)
    return dx, dg


def softmax_regression(X, W, b, y, lam):
    N = X.shape[0]
    s = X @ W + b
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    ds = p.copy()
    ds[np.arange(N), y] -= 1
    ds /= N
    dW = X.T @ ds + 2 * lam * W
    db = ds.sum(axis=0)
    return {"dW": dW, "db": db}


def hinge(X, W, y, s, lam):
    N = X.shape[0]
    correct = s[np.arange(N), y][:, None]
    margin = s - correct + 1
    mask = (margin > 0).astype(float)
    mask[np.arange(N), y] = 0
    mask[np.arange(N), y] = -mask.sum(axis=1)
    dW = mask.T @ X / N + 2 * lam * W
    return dW


def attention(Q, K, V, P, dO):
    d = Q.shape[-1]
    dV = P.T @ dO
    dP = dO @ V.T
    dS = P * (dP - (dP * P).sum(axis=-1, keepdims=True))
    dS = dS / np.sqrt(d)
    dQ = dS @ K
    dK = dS.T @ Q
    return dQ, dK, dV


def two_layer(X, W1, b1, W2, b2, A1, Z1, dZ2):
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(0)
    return dW1, db1, dW2, db2


def embedding(words, C, W1, b1, W2, b2, x, h, o, y, N, K, E):
    d = o.copy()
    d[np.arange(N), y] -= 1
    d /= N
    dW2 = h.T @ d
    db2 = d.sum(0)
    dz = (d @ W2.T) * (1 - h * h)
    dW1 = x.T @ dz
    db1 = dz.sum(0)
    dx = dz @ W1.T
    dC = np.zeros_like(C)
    np.add.at(dC, words, dx.reshape(N, K, E))
    return dC, dW1, db1, dW2, db2


def conv(X, W, dY):
    kh, kw = W.shape[:2]
    dX = np.zeros_like(X)
    dW = np.zeros_like(W)
    for i in range(dY.shape[1]):
        for j in range(dY.shape[2]):
            patch = X[:, i : i + kh, j : j + kw]
            dW += np.einsum("nabc,nk->abck", patch, dY[:, i, j])
            dX[:, i : i + kh, j : j + kw] += np.einsum("abck,nk->nabc", W, dY[:, i, j])
    db = dY.sum(axis=(0, 1, 2))
    return dX, dW, db


def rnn(c, h0, h, W_e, W_h, W_o, dz, T):
    dW_e, dW_h, db, dW_o = np.zeros_like(W_e), np.zeros_like(W_h), np.zeros(W_h.shape[0]), np.zeros_like(W_o)
    dh_next = np.zeros_like(h0)
    states = [h0, *h]
    for t in reversed(range(1, T + 1)):
        dW_o += states[t].T @ dz[t - 1]
        dh = dz[t - 1] @ W_o.T + dh_next
        da = dh * (1 - states[t] ** 2)
        dW_e += c[t - 1].T @ da
        dW_h += states[t - 1].T @ da
        db += da.sum(axis=0)
        dh_next = da @ W_h.T
    return {"W_e": dW_e, "W_h": dW_h, "b": db, "W_o": dW_o}


def lstm(x, h0, s0, i, f, g, o, s, h, W_i, U_i, W_f, U_f, W_g, U_g, W_o, U_o, V_o, dz, T):
    grads = {n: 0.0 for n in ("W_i", "U_i", "b_i", "W_f", "U_f", "b_f", "W_g", "U_g", "b_g", "W_o", "U_o", "b_o")}
    dV_o = 0.0
    dh_next, ds_next = np.zeros_like(h0), np.zeros_like(s0)
    for t in range(T - 1, -1, -1):
        h_prev, s_prev = (h[t - 1], s[t - 1]) if t else (h0, s0)
        dV_o = dV_o + h[t].T @ dz[t]
        dh = dz[t] @ V_o.T + dh_next
        th = np.tanh(s[t])
        do = dh * th * o[t] * (1 - o[t])
        ds = dh * o[t] * (1 - th**2) + ds_next
        df = ds * s_prev * f[t] * (1 - f[t])
        di = ds * g[t] * i[t] * (1 - i[t])
        dg = ds * i[t] * (1 - g[t] ** 2)
        dh_next = 0.0
        for gate, d, U in (("i", di, U_i), ("f", df, U_f), ("g", dg, U_g), ("o", do, U_o)):
            grads["W_" + gate] = grads["W_" + gate] + x[t].T @ d
            grads["U_" + gate] = grads["U_" + gate] + h_prev.T @ d
            grads["b_" + gate] = grads["b_" + gate] + d.sum(0)
            dh_next = dh_next + d @ U.T
        ds_next = ds * f[t]
    return {**grads, "V_o": dV_o}


def vae(X, eps, mu, s, z, h1, h2, r, W_m, W_s, W2, W3):
    N = X.shape[0]
    dr = (1 / (1 + np.exp(-r)) - X) / N
    dW3, db3 = h2.T @ dr, dr.sum(0)
    da2 = dr @ W3.T * (1 - h2**2)
    dW2, db2 = z.T @ da2, da2.sum(0)
    dz = da2 @ W2.T
    dmu = dz + mu / N
    ds = dz * eps * np.exp(s / 2) / 2 + (np.exp(s) - 1) / (2 * N)
    dW_m, db_m = h1.T @ dmu, dmu.sum(0)
    dW_s, db_s = h1.T @ ds, ds.sum(0)
    da1 = (dmu @ W_m.T + ds @ W_s.T) * (1 - h1**2)
    dW1, db1 = X.T @ da1, da1.sum(0)
    return dW1, db1, dW_m, db_m, dW_s, db_s, dW2, db2, dW3, db3


def swiglu(e, gate, dh):
    sig = 1 / (1 + np.exp(-e))
    silu = e * sig
    dgate = dh * silu
    de = dh * gate * sig * (1 + e * (1 - sig))
    return de, dgate


def gelu_tanh(x, dout):
    k = np.sqrt(2 / np.pi)
    t = np.tanh(k * (x + 0.044715 * x**3))
    dx = dout * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * k * (1 + 3 * 0.044715 * x**2))
    return dx


def dropout_net(x, mask, w, dy, keep):
    a = np.maximum(0, x @ w)
    da = dy * mask / keep
    dpre = da * (a > 0)
    return {"x": dpre @ w.T, "w": x.T @ dpre}


def quadratic(S, x):
    dx = (S + S.T) @ x
    dS = np.outer(x, x)
    return dS, dx


def scalar_chain(x, y, w1, w2, h, o):
    do = -(y - o)
    dw2 = do * (1 - o**2) * h
    dw1 = do * (1 - o**2) * w2 * (1 - h**2) * x
    return dw1, dw2


def max_pool(x, dy):
    N, H, W, C = x.shape
    dx = np.zeros_like(x)
    for i in range(0, H, 2):
        for j in range(0, W, 2):
            window = x[:, i : i + 2, j : j + 2].reshape(N, 4, C)
            best = window.argmax(axis=1)
            share = np.zeros_like(window)
            np.put_along_axis(share, best[:, None], dy[:, i // 2, j // 2][:, None], axis=1)
            dx[:, i : i + 2, j : j + 2] += share.reshape(N, 2, 2, C)
    return dx


def logistic(X, y, w, b, a):
    N = len(y)
    dz = (a - y) / N
    return X.T @ dz, dz.sum()


def smoothed(X, W, z, y, q, N):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    dz = (p - q) / N
    dW = X.T @ dz
    db = dz.sum(axis=0)
    return dW, db


def conv_nchw(x, w, dout):
    H, Wd = x.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(H):
        for j in range(Wd):
            d = dout[:, :, i, j]
            dw += np.tensordot(d, xp[:, :, i : i + 3, j : j + 3], ([0], [0]))
            dxp[:, :, i : i + 3, j : j + 3] += np.tensordot(d, w, ([1], [0]))
    db = dout.sum(axis=(0, 2, 3))
    dx = dxp[:, :, 1:-1, 1:-1]
    return dx, dw, db


def group_norm(x, g, xh, v, dy, N, G, H, Wd):
    dg = (dy * xh).sum(axis=(0, 2, 3))
    dxh = (dy * g[None, :, None, None]).reshape(N, G, -1)
    xg = xh.reshape(N, G, -1)
    mean = dxh.mean(axis=-1, keepdims=True)
    dx = (dxh - mean - xg * (dxh * xg).mean(axis=-1, keepdims=True)) / np.sqrt(v + 1e-5)
    return dx.reshape(x.shape), dg


def masked_attention(Q, K, V, S, dO, d):
    mask = np.tril(np.ones(S.shape[-2:], bool))
    s = np.where(mask, S, -np.inf)
    P = np.exp(s - s.max(axis=-1, keepdims=True))
    P /= P.sum(axis=-1, keepdims=True)
    dV = P.T @ dO
    dP = dO @ V.T
    dS = P * (dP - (dP * P).sum(axis=-1, keepdims=True)) / np.sqrt(d)
    dQ, dK = dS @ K, dS.T @ Q
    return dQ, dK, dV


def word_rnn(words, C, h0, h, W_e, W_h, W_o, dz, T):
    dC, db, dh_next = np.zeros_like(C), 0, 0
    for t in reversed(range(T)):
        dh = dz[t] @ W_o.T + dh_next
        da = dh * (1 - h[t] ** 2)
        db = db + da.sum(axis=0)
        np.add.at(dC, words[t], da @ W_e.T)
        dh_next = da @ W_h.T
    return dC, db


def shift_head(k, M, wp, g, s, c, wc, wg, ws, v, w, dw):
    dv = (dw - (dw * w).sum(axis=-1, keepdims=True)) / v.sum(axis=-1, keepdims=True)
    dws = dv * 3 * ws**2
    dwg = s * np.roll(dws, -1, axis=1) + (1 - s) * dws
    ds = (dws * (np.roll(wg, 1, axis=1) - wg)).sum(axis=-1, keepdims=True)
    dg = (dwg * (wc - wp)).sum(axis=-1, keepdims=True)
    dwp = dwg * (1 - g)
    dwc = dwg * g
    dc = wc * (dwc - (dwc * wc).sum(axis=-1, keepdims=True))
    dk = np.einsum("nr,nrw->nw", dc, M)
    dM = np.einsum("nr,nw->nrw", dc, k)
    return dk, dM, dwp, dg, ds


def preference(xw, xl, m, beta):
    dm = -1 / (1 + np.exp(m)) / len(m)
    dw = beta * (dm @ xw - dm @ xl)
    return dw


def factors(u, i, P, Q, e, lam, N):
    dP, dQ = 2 * lam * P, 2 * lam * Q
    np.add.at(dP, u, 2 * e[:, None] * Q[i] / N)
    np.add.at(dQ, i, 2 * e[:, None] * P[u] / N)
    return dP, dQ


def crf(A, a0, a, T):
    states, dA = [a0, *a], np.zeros_like(A)
    da = np.exp(states[T] - states[T].max())
    da /= da.sum()
    for t in reversed(range(T)):
        s = A + states[t][:, None]
        p = np.exp(s - s.max(axis=0))
        p = p / p.sum(axis=0)
        dA += p * da
        da = p @ da
    return dA


def bilinear(x, y, A, dz):
    dA = np.einsum("no,ni,nj->oij", dz, x, y)
    dx = np.einsum("no,oij,nj->ni", dz, A, y)
    dy = np.einsum("no,oij,ni->nj", dz, A, x)
    return dA, dx, dy


def causal_conv(x, w, xp, dy):
    t = x.shape[1]
    dw = np.stack([(dy * xp[:, k : k + t]).sum(axis=(0, 1)) for k in range(3)])
    dxp = np.zeros_like(xp)
    for k in range(3):
        dxp[:, k : k + t] += dy * w[k]
    dx = dxp[:, 2:]
    return dx, dw


def lstm_cell(c, i, f, o, g, cn, dcn, dhn):
    th = np.tanh(cn)
    do = dhn * th
    dc = dcn + dhn * o * (1 - th**2)
    da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), do * o * (1 - o), dc * i * (1 - g**2)])
    return {"a": da, "c": dc * f}


def distillation(z, q, tau):
    p = np.exp(z / tau)
    p /= p.sum(axis=1, keepdims=True)
    dz = tau * (p - q) / len(z)
    return dz


def ridge(X, lam, w):
    v = np.linalg.solve(X.T @ X + np.exp(lam) * np.eye(len(w)), 2 * w)
    dlam = -np.exp(lam) * (v * w).sum()
    return {"lam": dlam, "u": v}


def straight_through(x, s, dy):
    dx = dy * (1 + s)
    ds = (dy * x).sum()
    return dx, ds


def grouped(x, mu, v, dy):
    axes = (2, 3)
    xh = (x - mu) / np.sqrt(v + 1e-5)
    dx = dy - dy.mean(axis=axes, keepdims=True) - xh * (dy * xh).mean(axis=axes, keepdims=True)
    dx = dx / np.sqrt(v + 1e-5)
    return dx


def gaussian(A, S, z, N):
    dS = 0.5 * np.linalg.inv(S) - z @ z.T / (2 * N)
    dA = (dS + dS.T) @ A
    return dA


def ninja(logits, y, norm, counts, total, inverse, probs, logprobs):
    n = len(logits)
    dlogprobs = np.zeros_like(logprobs)
    dlogprobs[range(n), y] = -1.0 / n
    dprobs = dlogprobs / probs
    dinverse = (counts * dprobs).sum(axis=1, keepdims=True)
    dcounts = inverse * dprobs
    dtotal = -(total**-2) * dinverse
    dcounts += dtotal
    dlogits = counts * dcounts
    return dlogits


def spread(x, mu, v, dy, N, H):
    M = N * H
    dv = (dy * (x - mu) * -0.5 * (v + 1e-5) ** -1.5).sum(axis=(0, 1))
    dxc = dy / np.sqrt(v + 1e-5) + 2 / (M - 1) * (x - mu) * dv
    dx = dxc - dxc.sum(axis=(0, 1)) / M
    return dx


def smooth(z, y, a, N, V):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    dz = p - a / V
    dz[np.arange(N), y] -= 1 - a
    return {"z": dz / N}


def conv_loops(X, W, dY):
    kh, kw = W.shape[:2]
    dX, dW = np.zeros_like(X), np.zeros_like(W)
    for n in range(len(X)):
        for i in range(dY.shape[1]):
            for j in range(dY.shape[2]):
                for k in range(dY.shape[3]):
                    dX[n, i : i + kh, j : j + kw] += W[..., k] * dY[n, i, j, k]
                    dW[..., k] += X[n, i : i + kh, j : j + kw] * dY[n, i, j, k]
    return dX, dW


def pieces(r, x, delta, N):
    dr = np.clip(r, -delta, delta) / N
    dx = ((x > 0) & (x < 6)) / N
    return dr, dx
