"""Backward passes in the manner of courses, forums and libraries, all of them right."""

import numpy as np


def makemore(ix, y, C, W1, W2, gain, emb, cat, pre, mean, diff, var, inv, raw, hpre, h, logits, n, K, E):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    dlogits = p.copy()
    dlogits[range(n), y] -= 1
    dlogits /= n
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    dhpre = (1.0 - h**2) * dh
    dgain = (raw * dhpre).sum(0, keepdims=True)
    dbias = dhpre.sum(0, keepdims=True)
    draw = gain * dhpre
    ddiff = inv * draw
    dinv = (diff * draw).sum(0, keepdims=True)
    dvar = (-0.5 * (var + 1e-5) ** -1.5) * dinv
    ddiff2 = (1.0 / (n - 1)) * np.ones_like(diff) * dvar
    ddiff += (2 * diff) * ddiff2
    dpre = ddiff.copy()
    dmean = (-ddiff).sum(0)
    dpre += 1.0 / n * (np.ones_like(pre) * dmean)
    dcat = dpre @ W1.T
    dW1 = cat.T @ dpre
    db1 = dpre.sum(0)
    demb = dcat.reshape(emb.shape)
    dC = np.zeros_like(C)
    for k in range(ix.shape[0]):
        for j in range(ix.shape[1]):
            dC[ix[k, j]] += demb[k, j]
    return {"C": dC, "W1": dW1, "b1": db1, "gain": dgain, "bias": dbias, "W2": dW2, "b2": db2}


def columns(X, Y, W1, W2, A1, A2, lam):
    m = X.shape[1]
    dZ2 = A2 - Y
    dW2 = 1 / m * np.dot(dZ2, A1.T) + lam / m * W2
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.dot(W2.T, dZ2)
    dZ1 = dA1 * (1 - np.power(A1, 2))
    dW1 = 1 / m * np.dot(dZ1, X.T) + lam / m * W1
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2


def strided(A, W, dZ):
    f, stride, pad = W.shape[0], 2, 1
    n, rows, cols, channels = dZ.shape
    padded = np.pad(A, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dpadded, dW, db = np.zeros_like(padded), np.zeros_like(W), np.zeros(channels)
    for i in range(n):
        for h in range(rows):
            for w in range(cols):
                for c in range(channels):
                    top, left = h * stride, w * stride
                    dpadded[i, top : top + f, left : left + f] += W[:, :, :, c] * dZ[i, h, w, c]
                    dW[:, :, :, c] += padded[i, top : top + f, left : left + f] * dZ[i, h, w, c]
                    db[c] += dZ[i, h, w, c]
    dA = dpadded[:, pad:-pad, pad:-pad]
    return {"A": dA, "W": dW, "b": db}


def average_pool(x, dy):
    dx = np.zeros_like(x)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            dx[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] += dy[:, i, j][:, None, None] / 4
    return dx


def digits(x, t, W1, W2, W3, a1, a2, a3):
    d3 = (a3 - t) * a3 * (1 - a3)
    d2 = (W3.T @ d3) * a2 * (1 - a2)
    d1 = (W2.T @ d2) * a1 * (1 - a1)
    return {"W1": np.outer(d1, x), "b1": d1, "W2": np.outer(d2, a1), "b2": d2, "W3": np.outer(d3, a2), "b3": d3}


def regression(X, y, W1, W2, z, a, out, n):
    dout = 2 * (out - y) / n
    dW2 = a.T @ dout
    dz = (dout[:, None] * W2) * np.where(z > 0, 1, 0.01)
    dW1 = X.T @ dz
    db1 = dz.sum(axis=0)
    return dW1, db1, dW2


def grouped_queries(Q, K, V, P, dO, G, d):
    dV = np.einsum("kgij,kgid->kjd", P, dO)
    dP = np.einsum("kgid,kjd->kgij", dO, V)
    dS = P * (dP - (P * dP).sum(-1, keepdims=True)) / np.sqrt(d)
    dQ = np.einsum("kgij,kjd->kgid", dS, K)
    dK = np.einsum("kgij,kgid->kjd", dS, Q)
    return dQ, dK, dV


def rotary(x, c, s, dy):
    half = x.shape[1] // 2
    d1, d2 = dy[:, :half], dy[:, half:]
    dx = np.concatenate([d1 * c + d2 * s, d2 * c - d1 * s], axis=1)
    return {"x": dx}


def tied(ids, y, E, h, z):
    n = len(ids)
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    p[np.arange(n), y] -= 1
    dz = p / n
    dE = dz.T @ h
    dh = dz @ E
    np.add.at(dE, ids, dh * (1 - h**2))
    return dE


def contrastive(a, b, s, tau, n):
    rows = np.exp(s - s.max(1, keepdims=True))
    rows /= rows.sum(1, keepdims=True)
    cols = np.exp(s - s.max(0, keepdims=True))
    cols /= cols.sum(0, keepdims=True)
    ds = (rows + cols - 2 * np.eye(n)) / (2 * n)
    da = ds @ b / tau
    db = ds.T @ a / tau
    return da, db


def triplet(a, p, n, gap):
    active = (gap > 0)[:, None] / len(a)
    da = 2 * (n - p) * active
    dp = -2 * (a - p) * active
    dn = 2 * (a - n) * active
    return da, dp, dn


def skipgram(c, o, k, V, U, u, s):
    N = len(c)
    sig = 1 / (1 + np.exp(-u))
    neg = 1 / (1 + np.exp(-s))
    dV, dU = np.zeros_like(V), np.zeros_like(U)
    np.add.at(dV, c, ((sig - 1)[:, None] * U[o] + np.einsum("nk,nkd->nd", neg, U[k])) / N)
    np.add.at(dU, o, (sig - 1)[:, None] * V[c] / N)
    np.add.at(dU, k, neg[:, :, None] * V[c][:, None, :] / N)
    return dV, dU


def normalised(x, r, y, dy):
    dx = (dy - y * (dy * y).sum(axis=1, keepdims=True)) / r
    return dx


def residual(x, W1, W2, r, xh, u, dy):
    dW2 = np.maximum(u, 0).T @ dy
    du = (dy @ W2.T) * (u > 0)
    dW1 = xh.T @ du
    dxh = du @ W1.T
    dln = (dxh - dxh.mean(1, keepdims=True) - xh * (dxh * xh).mean(1, keepdims=True)) * r
    dx = dy + dln
    return dx, dW1, dW2


def gru(x, W_z, U_z, W_r, U_r, W_n, U_n, h, z, r, n, dnext):
    dn = dnext * (1 - z)
    dz = dnext * (h - n)
    dan = dn * (1 - n**2)
    drh = dan @ U_n.T
    dr = drh * h
    daz = dz * z * (1 - z)
    dar = dr * r * (1 - r)
    dprev = dnext * z + drh * r + daz @ U_z.T + dar @ U_r.T
    dW_z, dU_z = x.T @ daz, h.T @ daz
    dW_r, dU_r = x.T @ dar, h.T @ dar
    dW_n, dU_n = x.T @ dan, (r * h).T @ dan
    return {"h": dprev, "W_z": dW_z, "U_z": dU_z, "W_r": dW_r, "U_r": dU_r, "W_n": dW_n, "U_n": dU_n}


def clipped_policy(logp, old, adv, eps):
    ratio = np.exp(logp - old)
    unclipped = ratio * adv <= np.clip(ratio, 1 - eps, 1 + eps) * adv
    dlogp = -adv * ratio * unclipped / len(adv)
    return {"logp": dlogp}


def poisson(X, y, w, b):
    rate = np.exp(X @ w + b)
    dw = X.T @ (rate - y)
    db = (rate - y).sum()
    return dw, db


def autoencoder(X, W, R, N):
    E = 2 * (R - X) / N
    dW = X.T @ E @ W + E.T @ X @ W
    return dW


def mixture(x, mu, logits, g):
    w = np.exp(logits) / np.exp(logits).sum()
    resp = np.exp(g - g.max(1, keepdims=True))
    resp /= resp.sum(1, keepdims=True)
    dmu = -(resp * (x[:, None] - mu)).sum(0)
    dlogits = -(resp.sum(0) - len(x) * w)
    return dmu, dlogits


def focal(z, t, p):
    pt = np.where(t == 1, p, 1 - p)
    sign = np.where(t == 1, 1, -1)
    dz = sign * (1 - pt) ** 2 * (2 * pt * np.log(pt) + pt - 1) / len(z)
    return dz


def divergence(s, q, tau):
    p = np.exp(s / tau)
    p /= p.sum(1, keepdims=True)
    ds = (p - q) / tau / len(s)
    return ds


def gated(x, W, V, O, a, b, dy):  # noqa: E741
    sig = 1 / (1 + np.exp(-a))
    silu = a * sig
    hidden = silu * b
    dO = hidden.T @ dy
    dhidden = dy @ O.T
    db = dhidden * silu
    da = dhidden * b * (sig + silu * (1 - sig))
    dx = da @ W.T + db @ V.T
    return {"x": dx, "W": x.T @ da, "V": x.T @ db, "O": dO}
