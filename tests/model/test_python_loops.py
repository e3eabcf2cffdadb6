"""Loops as Python writes them and what they collect: the value of the same lines that NumPy runs."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from symbackprop import verify
from symbackprop.errors import ModelError
from symbackprop.model import Model
from symbackprop.model.text import parse_alone, to_text
from symbackprop.verify import evaluate
from tests.core.helpers import value

HEAD = """
dim T, N, E, H, V
data X: T x N x E, B: N x T x E, Y: T x N, k: T int < V, h0: N x H, c: 3 x N
param W: E x H, U: H x H, v: H, b: N, Q: V x H, stacked: V x H x H
"""
SIZES = {"T": 4, "N": 2, "E": 3, "H": 5, "V": 6}
LOOPS = {
    "rows that are made of the one before, place by place": """
        alpha = np.zeros((T, H))
        alpha[0] = v * Q[k[0]]
        for t in range(1, T):
            for j in range(H):
                alpha[t, j] = np.sum(alpha[t-1] * U[:, j]) * Q[k[t], j]
        loss = np.sum(alpha[T-1]) + alpha[1, 2]""",
    "a first row that is filled place by place": """
        alpha = np.zeros((T, H))
        for j in range(H):
            alpha[0][j] = v[j] * Q[k[0], j]
        for t in range(1, T):
            for j in range(H):
                alpha[t][j] = np.sum(alpha[t-1] * U[:, j]) * Q[k[t]][j]
        loss = np.sum(alpha[T-1]) + alpha[1][2]""",
    "places of numbers": """
        C = np.zeros((3, 2))
        for i in range(3):
            for j in range(2):
                C[i, j] = c[i, j] * v[j]
        loss = np.sum(C**2)""",
    "places of rows in numbers": """
        C = np.zeros((3, 2))
        for j in range(2):
            C[0, j] = c[0, j] ** 2
        for i in range(1, 3):
            for j in range(2):
                C[i, j] = C[i-1, j] * v[j] + np.sum(C[i-1])
        loss = np.sum(C**2)""",
    "places of the row before": """
        a = np.zeros((T, H))
        a[0, :] = v
        for t in range(1, T):
            for j in range(H):
                total = 0
                for i in range(H):
                    total += a[t-1, i] * U[i, j]
                a[t, j] = total + a[t - 1, j] ** 2
        loss = np.sum(a[-1, :] * v)""",
    "rows with all of the row before": """
        g = np.zeros((T, H))
        g[0, :] = np.tanh(X[0, 1] @ W)
        for t in range(1, T):
            g[t, :] = np.tanh(X[t, 1, :] @ W + g[t-1, :] @ U)
        loss = np.sum(g**2)""",
    "a list": """
        hs = []
        h = h0
        for t in range(T):
            h = np.tanh(X[t] @ W + h @ U)
            hs.append(h)
        hs = np.stack(hs)
        loss = np.mean(hs**2) + hs[0].sum() - hs[-1, 0, 1]""",
    "a list and a dict of types": """
        hs: list = []
        ps: dict[int, float] =  {}
        for t in range(T):
            ps[t] = X[t] @ W
            hs.append(ps[t] * 2)
        loss = hs[2].sum() - ps[1].sum()""",
    "entries of zeros": """
        hs = np.zeros((T, N, H))
        h = np.zeros((N, H))
        for t in range(T):
            h = np.tanh(X[t] @ W + h @ U)
            hs[t] = h
        loss = np.mean(hs[1:]**2) + np.sum(hs[0]) + np.sum(hs[T - 1] * h0)""",
    "entries by two counters": """
        D = np.zeros((T, T))
        for i in range(T):
            for j in range(T):
                D[i, j] = np.sum((X[i, 0] - X[j, 1] * v[2])**2)
        loss = np.sum(D * np.arange(T)) + D[1, 2]""",
    "entries that are added up further in, under a condition and once more": """
        C = np.zeros((N, H), dtype=np.float64)
        for n in range(N):
            for j in range(H):
                for e in range(E):
                    C[n, j] += X[0, n, e] * W[e, j]
                if C[n, j] > 0:
                    C[n, j] = np.tanh(C[n, j]) + v[j]
                C[n, j] -= b[n]
        loss = np.sum(C**2 * v) + C[1, 2]""",
    "entries that are added up, by one counter": """
        s = np.zeros(H)
        for j in range(H):
            for e in range(E):
                s[j] += W[e, j]**2
        loss = s @ v""",
    "entries under a condition": """
        C = np.zeros((N, H))
        for n in range(N):
            for j in range(H):
                if h0[n, j] > 0:
                    C[n, j] = np.exp(h0[n, j])
        loss = np.sum(C * v) + C[1, 2]""",
    "an entry that is made of itself": """
        C = np.zeros((N, H))
        for n in range(N):
            for j in range(H):
                C[n, j] = 2 * C[n, j] + h0[n, j]**2
        loss = np.sum(C * v) + C[1, 2]""",
    "the last counter goes around the first": """
        G = np.zeros_like(W)
        for j in range(W.shape[1]):
            for e in range(len(W)):
                G[e, j] = W[e, j]**2 * v[j]
        loss = np.sum(G[0]) + G[1, 2]""",
    "steps on the second axis": """
        hs = np.zeros((N, T, H))
        h = h0
        for t in range(T):
            h = np.tanh(B[:, t, :] @ W + h @ U)
            hs[:, t, :] = h
        loss = np.mean(hs**2 * np.arange(T)[:, None]) + hs[1, 2, 3]""",
    "entries by counters of numbers": """
        C = np.zeros((2, 3, 2))
        for i in range(2):
            for j in range(3):
                for n in range(2):
                    C[i, j, n] = W[i] @ v * X[j, n, 0] + n
        loss = np.sum(C**2) + C[1, 2, 0]""",
    "entries by what is counted beside an array": """
        K = np.empty((len(X), len(Y)))
        for i, x in enumerate(X):
            for j, y in enumerate(Y):
                K[i, j] = np.exp(np.sum(x) - y[0]) * v[0]
        loss = np.sum(K[1])""",
    "one number for all of a row": """
        hs = np.zeros((T, 3))
        for t in range(T):
            hs[t] = np.sum(X[t] @ W)
        loss = np.sum(hs**2) + hs[2, 1]""",
    "rows of an array of the shape of another": """
        G, P = np.zeros(X.shape), np.zeros_like(W)
        for t in range(len(X)):
            G[t] = X[t] * b[0]
        loss = np.sum(G**2) + G[1, 0, 2]""",
    "entries of zeros, from the last one on": """
        G = 0 * Y[0]
        R = np.zeros((T, N))
        for t in reversed(range(T)):
            G = Y[t] + 0.9 * G
            R[t] = G * b
        loss = np.sum(R * np.arange(T)[:, None]) + R[1, 0]""",
    "dicts by steps from 1": """
        hs, ps = {}, {}
        hs[0] = h0
        loss = 0
        for t in range(1, T + 1):
            hs[t] = np.tanh(X[t-1] @ W + hs[t-1] @ U)
            ps[t] = hs[t] @ v
            loss += np.sum((ps[t] - Y[t-1])**2)
        loss += hs[1].sum() + ps[T].sum() * ps[1][0] + hs[0].sum() - ps[2].mean()""",
    "a dict and a list, steps from 1": """
        hs = {}
        ys = []
        hs[0] = np.zeros((N, H))
        for t in range(1, T + 1):
            hs[t] = np.tanh(X[t-1] @ W + hs[t-1] @ U)
            ys.append(hs[t] @ v)
        loss = ys[1].sum() + 3 * ys[-1].sum() + 5 * hs[T].sum() + 7 * hs[1].sum() + ys[0].max()""",
    "batches first": """
        outs = []
        h = h0
        for t in range(B.shape[1]):
            h = np.tanh(B[:, t] @ W + h @ U)
            outs.append(h + B[:, t, 0][:, None])
        loss = np.mean(np.stack(outs, axis=1)[:, 1]) + np.concatenate(outs, 1)[0, 7] + np.concatenate(outs)[3, 1]""",
    "joined along the last axis": """
        outs = []
        for t in range(T):
            outs.append(X[t] @ W)
        loss = np.concatenate(outs, axis=-1)[1, 7]""",
    "a dict with what is in front of the first step": """
        xs, hs, ps = {}, {}, dict()
        hs[-1] = np.copy(h0[0])
        loss = 0
        for t in range(T):
            xs[t] = X[t, 0]
            hs[t] = np.tanh(np.dot(xs[t], W) + np.dot(hs[t-1], U))
            ps[t] = np.exp(Q @ hs[t]) / np.sum(np.exp(Q @ hs[t]))
            loss += -np.log(ps[t][k[t]])
        loss = loss + hs[T-1].sum()""",
    "steps of numbers": """
        zs = []
        for t in range(3):
            zs.append(c[t] * b * t)
        loss = np.sum(np.stack(zs)[1] * b) + np.mean(zs) + zs[-1].sum() + sum(zs)[0] + len(zs)""",
    "the number of a step": """
        loss = 0
        for t in range(T):
            loss = loss + 0.9**t * (X[t, 0] @ W @ v)**2""",
    "entries": """
        h = h0
        losses = []
        for x, y in zip(X, Y):
            h = np.tanh(x @ W + h @ U)
            losses.append(np.mean((h @ v - y)**2))
        loss = sum(losses) / len(losses)""",
    "entries that are counted": """
        loss = 0
        for i, x in enumerate(X):
            x = np.tanh(x)
            loss += i * np.sum(x @ W)""",
    "entries behind": """
        loss = 0
        steps = X.shape[0] - 1
        for t in range(steps):
            loss += np.sum((X[t+1] - X[t])**2)""",
    "computed places": """
        loss = 0
        for t in range(2):
            loss += (t + 1) * np.sum(X[1 + t] @ W) + 3 * Y[2*t, 1]
        for t in range(3):
            loss = 2 * loss + np.sum(c[2 - t] * b) + c[-t, 1] - c[-1 - t, 0]""",
    "a dict's first key, and an array's last entry": """
        hs = {}
        hs[-1] = h0[0]
        zs = np.zeros((T, H))
        zs[-1] = h0[1]
        for t in range(T):
            hs[t] = np.tanh(X[t, 0] @ W + hs[t-1])
            zs[t] = np.tanh(X[t, 1] @ W + zs[t-1])
        loss = hs[-1].sum() * zs[-1].sum()""",
    "a list that begins with a state": """
        h = [h0]
        for t in range(T):
            h.append(np.tanh(X[t] @ W + h[-1] @ U))
        loss = np.mean(h[-1]**2) + h[0].sum() + 2 * h[1].sum() + np.mean(h[T]) + np.sum(np.stack(h) * 3)""",
    "a list that is read by its steps": """
        g = [v]
        for t in range(T):
            g.append(g[t] * 0.5 + X[t, 0] @ W)
            q = g[-1]**2
        loss = q.sum() + g[-2].sum() + np.sum(g[2][1:])""",
    "zeros with one more": """
        hs = np.zeros((T + 1, N, H))
        hs[0] = h0
        for t in range(1, T + 1):
            hs[t] = np.tanh(X[t-1] @ W + hs[t-1] @ U) * t
        loss = np.sum(hs[T]**2) + np.mean(hs) + hs[1:].sum() + hs[:-1, 0].sum() + hs[2, 1].sum()""",
    "zeros with one more, from the step before": """
        hs = np.zeros((T + 1, N, H))
        ys = np.zeros((T, N))
        for t in range(T):
            hs[t+1] = np.tanh(X[t] @ W + hs[t] @ U)
        for t in range(T):
            ys[t] = hs[t+1] @ v
        loss = np.mean(hs[-1]**2) + np.sum((ys - Y)**2)""",
    "zeros with the first state at the end": """
        hs = np.zeros((T + 1, N, H))
        hs[-1] = h0
        for t in range(T):
            hs[t] = np.tanh(X[t] @ W + hs[t-1] @ U)
        loss = np.sum(hs[T-1]**2) + np.mean(hs[:T]) + hs[-1].sum() + np.sum(hs * 3) + hs[0].sum()
        loss = loss + hs[-2, 0].sum() + np.mean(hs[-2]**2) + np.sum(hs[T] * h0)""",
    "a list of numbers that begins with one": """
        zs = [c[0]]
        for t in range(2):
            zs.append(zs[-1] * c[t + 1] + b)
        loss = np.sum(zs[-1] * b) + np.mean(np.stack(zs)) + zs[1].sum()""",
    "entries that are counted from 1": """
        loss = 0
        for t, x in enumerate(X, 1):
            loss += t * np.sum(x @ W)
        for i, (a, y) in enumerate(zip(X, Y), start=1):
            loss += np.sum(a @ W @ v * y) / i""",
    "names of a step behind the loop": """
        h = h0
        for t in range(T):
            z = X[t] @ W
            h = np.tanh(z + h @ U)
            p = h @ v
        for x in X:
            s = np.sum(x @ W, axis=1)
        for t in reversed(range(T)):
            r = X[t] @ W
        loss = np.sum(z**2) + np.sum(p) + s[0] + r[0, 1]""",
    "lists with loops in them": """
        hs = np.stack([np.tanh(X[t] @ W) for t in range(T)])
        ys = np.array([x @ W @ v for x in X])
        zs = [b * c[k] for k in range(3)]
        loss = np.sum(hs[1:]**2) + sum(np.sum((x @ W @ v - y)**2) for x, y in zip(X, Y))
        loss += np.mean([c[k] @ b for k in range(3)])
        loss = loss + np.mean(ys) + sum(zs)[1] + sum([np.sum(x) * t for t, x in enumerate(X)]) / len(X)""",
    "lists in lists": """
        loss = sum(sum(W[i, 0] * U[j, 1] * (i + 1) for j in range(H)) for i in range(E))
        total = sum([np.sum([v[j] * x[0, 1] for j in range(H)]) for x in X])
        loss = loss + total""",
    "backwards": """
        h = h0
        for t in reversed(range(T)):
            h = np.tanh(X[t] @ W + h @ U) + t
        g = v
        for t in range(T - 1, -1, -1):
            g = g * 0.5 + X[t, 1] @ W
        loss = h.sum() + g.sum()""",
    "a state that has the name of its first step": """
        g0 = v * 2
        g = np.zeros((T + 1, H))
        g[0] = g0
        for t in range(T):
            g[t+1] = np.tanh(X[t, 0] @ W + g[t] @ U)
        loss = np.sum(g) + g0[1]""",
    "pairs": """
        loss = 0
        for i in range(T):
            for j in range(i + 1, T):
                d = X[i, 0] - X[j, 1]
                loss += np.exp(-d @ d) * i
            for j in range(i):
                loss = loss * 0.9 + Y[i, 0] * Y[j, 1] * j
        for i in range(T - 1):
            s = 0
            for j in range(i + 1): s += Y[j, 0]
            loss += s**2
        for i, (x, y) in enumerate(zip(X, Y)):
            for j in range(i, T):
                loss += x[0, 0] / (9 + j - i) + y[0]""",
    "names in brackets": """
        (p, q) = (b * 2, v)
        (q, p) = (p, q)
        loss = np.sum(p) * q[1]""",
    "names of steps in two loops": """
        loss = 0
        for x in X:
            z = np.sum(x @ W)
            loss += z
        loss += z
        for x in B[0]:
            z = x @ W
            loss += np.sum(z**2)
        for t in range(T):
            for j in range(N):
                s = X[t, j] @ W
                loss += s[0]
            for j in range(N):
                s = X[t, j] @ W[:, 1]
                loss += s
        loss += z[1] - np.sum(x)""",
    "neighbours": """
        loss = sum(np.sum((a - b2)**2) * s for a, b2, s in zip(X, X[1:], Y[2:, 0]))
        for a, s in zip(X[:-1], Y): loss += np.sum(a @ W) * s[0]
        for i, (a, s) in enumerate(zip(v, v[1:])):
            loss += a * s * i""",
    "counters behind their loops": """
        i = 0
        loss = 0
        while i < T:
            loss += np.sum(X[i] @ W)
            i += 1
        loss = loss / i
        i = 0
        while i <= 1:
            loss *= v[i]
            i = i + 1
        loss = loss * i""",
    "steps further back": """
        e = np.zeros(T)
        for t in range(2, T):
            e[t] = Y[t, 0] - 0.5 * e[t-1] - b[0] * np.tanh(e[t-2])
        loss = np.sum(e**2) + e[3] * e[2]""",
    "steps that are left out": """
        loss = 0
        n = 0
        for t in range(T):
            if k[t] == 5:
                n += t
                continue
            z = np.sum(X[t] @ W)
            if z > 0: continue
            loss += z * v[0]
        for i in range(3):
            for j in range(3):
                if i == j:
                    continue
                loss += c[i, 0] * c[j, 1] * n""",
    "sums of some steps": """
        loss = sum(np.sum(X[t] @ W) for t in range(T) if k[t] > 2)
        loss = loss + sum([a * b[1] for a in v if a > 0 if a < 0.4])""",
    "a series": """
        z = np.zeros(T)
        z[0] = v[0]
        for t in range(1, T):
            z[t] = 0.5 * z[t-1] + X[t, 0] @ W @ v + X[t-1, 1, 0]
        e = np.zeros(T - 1)
        for t in range(1, len(e)):
            e[t] = z[t] - 0.3 * e[t-1] * t
        loss = np.sum(z**2) + z[2] + z[-1] + np.sum(z[1:]) + np.mean(e)""",
    "a series of numbers": """
        n = 3
        z = np.zeros(n)
        z[0] = b[0]
        for t in range(1, n):
            z[t] = z[t-1] * c[t, 1] + c[t-1, 0]
        y = np.zeros_like(c)
        for t in range(1, len(c)):
            y[t] = y[t-1] + c[t] * b
        u = [b]
        for t in range(2):
            u.append(u[-1] * c[t])
        loss = np.sum(z) + z[1] + np.sum(y**2) + sum(np.sum(a**2) for a in u)""",
    "a series of two steps before": """
        z = np.zeros(4)
        z[1] = v[1]
        for t in range(2, 4):
            z[t] = z[t-1] * 0.5 + z[t-2] * X[t, 0, 0] - X[t-2, 1, 1]
        loss = np.sum(z**2) + z[0] + z[1] + z[3]""",
    "steps by Euler": """
        x = np.zeros((4, 2))
        x[0] = v[:2]
        for i in range(3):
            x[i+1] = x[i] + 0.1 * np.array([x[i][1], -x[i][0]]) * c[i, 0]
        loss = np.sum(x**2)""",
    "loops in loops": """
        loss = 0
        for i in range(T):
            s = 0
            for j in range(N):
                for k in range(E):
                    s += X[i, j, k]**2 * W[k, 0]
            loss += np.sqrt(s**2 + 1)
            for j in range(2):
                loss += Y[i, j] * (j + 1)
        for i in range(3):
            s = b[0]
            for j in range(2):
                s += c[i, j] * (i + j)
            s = s**2
            for x in X:
                s = s * 0.5 + x[0, 0]
            loss += s
        g = v
        for i in range(3):
            for x in X:
                g = np.tanh(x[0] @ W + g * c[i, 0])
        loss = loss + g.sum()""",
    "loops that begin at the counter of another": """
        loss = 0
        for i in range(3):
            for j in range(i + 1, 3):
                loss += np.sum((c[i] - c[j])**2) * j
            for j in range(i):
                loss += np.sum(c[i] * c[j])
            for j in range(i, -1, -1):
                loss = loss * 0.9 + c[j, 0] + j
        for i in range(0, 3, 2):
            loss += c[i, 1] * i
        for i in range(2, 0, -1):
            loss += np.sum(c[i] * c[i-1]) * i""",
    "functions with loops": """
        def cell(x, h):
            return np.tanh(x @ W + h @ U)
        def run(xs, h, rate=0.5):
            hs = []
            for x in xs:
                h = cell(x, h) * rate
                hs.append(h)
            return h, np.stack(hs)
        def dot(a):
            r = 0
            for i in range(3):
                r += a[i] * c[i, 0]
            return r
        def total(n):
            t = 0
            for i in range(n):
                t = t + dot(b[0] * c[:, 1]) * dot(c[:, 0] * i)
            return t
        h, hs = run(X, h0)
        last, _ = run(X[1:], h, rate=0.1)
        loss = np.sum(h**2) + np.mean(hs) + np.sum(last) + total(2) + dot(c[:, 0])""",
    "while something counts": """
        n = 4
        i = 1
        x = v
        while i <= n:
            x = x + 0.1 * np.sin(x) * i
            i += 1
        j = 0
        while j < T:
            x = x + X[j, 0] @ W
            j = j + 1
        loss = x.sum()""",
    "lists of which it is only seen at the end how long they are": """
        hs = []
        cs = 2 * c
        for x in cs:
            hs.append(x**2)
        loss = np.sum(np.stack(hs) * 3) + hs[1].sum() + np.mean(hs)""",
    "names of a step of numbers": """
        for i in range(3):
            p = np.exp(c[i])
            q = p[1] / p.sum()
        loss = q + p[0]""",
    "layers": """
        z = v
        for layer in stacked:
            z = np.tanh(layer @ z)
        loss = z.sum()""",
}


SCANS = {
    "scan": ("h, hs = jax.lax.scan(lambda h, x: (jnp.tanh(h @ U + x @ W), h), h0, X)\nloss L = sum(h) + sum(hs * 2)",
             "hs = []\nh = h0\nfor x in X:\n    hs.append(h)\n    h = jnp.tanh(h @ U + x @ W)\n"
             "loss L = sum(h) + sum(jnp.stack(hs) * 2)"),
    "scan of several": ("def step(s, ab):\n    m, k = s\n    a, y = ab\n    m = m * 0.9 + a[0] @ W\n"
                        "    return (m, k + m), y[0] * m\n"
                        "(m, k2), ms = lax.scan(step, (v, 0 * v), (X, Y))\nloss L = sum(m * k2) + sum(ms)",
                        "m = v\nk2 = 0 * v\nms = []\nfor a, y in zip(X, Y):\n    m = m * 0.9 + a[0] @ W\n"
                        "    k2 = k2 + m\n    ms.append(y[0] * m)\nloss L = sum(m * k2) + sum(jnp.stack(ms))"),
    "fori_loop": ("def body(i, s):\n    x, z = s\n    return x + jnp.sin(z) * i, z * 0.9\n"
                  "x, z = jax.lax.fori_loop(0, 4, body, (v, v * 2))\nloss L = sum(x * z)",
                  "x, z = v, v * 2\nfor i in range(4):\n    x, z = x + jnp.sin(z) * i, z * 0.9\nloss L = sum(x * z)"),
}


@pytest.mark.parametrize(("call", "loop"), SCANS.values(), ids=SCANS)
def test_a_call_that_makes_a_loop_is_that_loop(call: str, loop: str) -> None:
    rng = np.random.default_rng(3)
    called, plain = (Model.parse(HEAD + text) for text in (call, loop))
    given: dict[str, Any] = {name: rng.normal(size=[SIZES.get(str(d)) or int(d) for d in row.shape]) / 2
                             for name, row in called.leaves().items()}
    found, meant = (value(model.loss_row, **given) for model in (called, plain) if model.loss_row is not None)
    np.testing.assert_allclose(found, meant, rtol=1e-12)
    assert verify(called, seed=0)


@pytest.mark.parametrize(("lines", "says"), [
    ("h, hs = lax.scan(f, h0, X)\nloss L = sum(hs)", "scan is a loop"),
    ("def f(h, x):\n    return h, (x, h)\nh, hs = lax.scan(f, h0, X)\nloss L = sum(h)", "scan is a loop"),
    ("i = 0\nwhile sum(v) > i:\n    v2 = v\n    i += 1\nloss L = sum(v)", "loops are written"),
    ("i = 0\nwhile i < 3:\n    i += 2\nloss L = sum(v)", "loops are written"),
    ("i = 0\nn = 3\nwhile i < n:\n    n = n - 1\n    i += 1\nloss L = sum(v)", "loops are written"),
    ("i = 0\nn = 3\nz = v\nwhile i < n:\n    n, z = n - 1, z * 2\n    i += 1\nloss L = sum(z)", "loops are written"),
    ("n = 1\ni = n\nn = 2\nz = v\nwhile i < 3:\n    z = z * 2\n    i += 1\nloss L = sum(z)", "loops are written"),
    ("z = v\nfor k in range(2):\n    i = 0\n    z = z * 3\nfor k in range(2):\n    while i < 3:\n        z = z * 2\n"
     "        i += 1\nloss L = sum(z)", "loops are written"),
])
def test_a_call_that_makes_another_loop_is_refused(lines: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Model.parse(HEAD + lines)


@pytest.mark.parametrize("lines", LOOPS.values(), ids=LOOPS)
def test_a_loop_of_python_has_the_value_that_it_computes(lines: str) -> None:
    model = Model.parse(f"{HEAD}{dedent(lines)}")
    rng = np.random.default_rng(3)
    given: dict[str, Any] = {name: rng.normal(size=[SIZES.get(str(d)) or int(d) for d in row.shape]) / 2
                             for name, row in model.leaves().items()}
    given["k"] = np.array([3, 0, 5, 1])
    assert model.loss_row is not None
    found = value(model.loss_row, **given)
    names = {**SIZES, **given, "np": np}
    exec(dedent(lines), names)
    np.testing.assert_allclose(found, names["loss"], rtol=1e-12)
    assert to_text(Model.parse(to_text(model))) == to_text(model)


def test_a_loop_from_1_on_counts_as_it_does_where_it_reads_steps_alone() -> None:
    lines = "g[0] = v\nfor t in {}:\n    g[t] = tanh(g[t-1] * 2)\nloss L = sum(g[T])"
    plain = to_text(Model.parse(HEAD + lines.format("1..T")))
    assert to_text(Model.parse(HEAD + lines.format("range(1, T + 1)"))) == plain
    with pytest.raises(ModelError, match="range counts from 0"):
        Model.parse(HEAD + lines.replace("g[t-1] * 2", "g[t-1] * t").format("range(1, T + 1)"))


@pytest.mark.parametrize(("entry", "read"), [
    ("hs[-1]", "hs[-1, ...]"), ("hs[T]", "hs[-1, ...]"), ("hs[2]", "hs[1, ...]"), ("hs[1:]", "hs"), ("hs[0]", "hs[0]"),
    ("hs[-2]", "hs[-2, ...]"), ("hs[0, 1]", "hs[0][1]"),
])
def test_an_entry_of_states_is_read_as_one_of_the_steps(entry: str, read: str) -> None:
    lines = "hs = zeros((T + 1, H))\nhs[0] = v\nfor t in range(T):\n    hs[t+1] = tanh(hs[t])\nloss L = sum({})"
    steps = "hs[0] = v\nfor t in 1..T:\n    hs[t] = tanh(hs[t-1])\nloss L = sum({})"
    assert to_text(Model.parse(HEAD + lines.format(entry))) == to_text(Model.parse(HEAD + steps.format(read)))


@pytest.mark.parametrize(("lines", "says"), [
    ("hs = []\nfor t in range(T):\n    hs.append(hs[t-1] + v)\nloss = sum(hs)", "range counts from 0"),
    ("loss = 0\nfor t in range(3):\n    loss += sum(c[c.shape[0] - 1 - t])", "range counts from 0"),
    ("loss = 0\nfor t in range(2):\n    for j in range(2):\n        loss += sum(c[t + j])", "range counts from 0"),
    ("hs = np.zeros((T + 1, H))\nfor t in range(T):\n    hs[t+1] = hs[t+2] + v\nloss = sum(hs)", "range counts from 0"),
    ("hs = []\nfor t in reversed(range(T)):\n    hs.append(X[t])\nloss = sum(hs)", "range counts from 0"),
    ("z = np.zeros(3)\nz[0] = c[0]\nfor t in range(1, 3):\n    z[t] = z[t-1] + c[t-2]\nloss = z[2]",
     "range counts from 0"),
    ("z = b\nfor j in range(3):\n    z = z * c[j-1]\nloss = sum(z)", "range counts from 0"),
    ("z = b\nfor i in range(1, 3):\n    for j in range(i, 3):\n        z = z * c[j-2]\nloss = sum(z)",
     "range counts from 0"),
    ("zs = []\nfor j in range(2, 0, -1):\n    zs.append(c[j] * 2)\nloss = sum(zs[0] + 3 * zs[1])",
     "range counts from 0"),
    ("i = 2\nz = v\nfor i in range(0, 3, 2):\n    z = z * 2 + i\nloss = sum(z * i)",
     "the loop counter 'i' is already a name"),
    ("g = v * 2\nz = g\nfor i in range(2):\n    z *= 2\nloss = sum(z * g)", "g is changed here with z"),
    *[(f"z = 0\nfor t in range(T):\n    {lines}\n    z += 2\nloss = z * sum(v)", "alone under an if") for lines in (
        "if k[t] > 2:\n        if k[t] > 3:\n            continue\n        z += 1", "continue",
        "if k[t] > 2:\n        z += 1\n    elif k[t] > 1:\n        continue",
        "if k[t] > 2:\n        z += 1\n    else:\n        continue")],
    ("hs = []\nif sum(v) > 0:\n    hs.append(v)\nloss = sum(v)", "a list grows by an entry in each step of a loop"),
    ("hs = []\nloss = sum(hs)", "'hs' is not declared"),
    ("for t in 1..T:\n    a = B[1:, t]\nloss L = sum(a)", "an index of B behind axes of which all is read"),
    ("q = [] + v\nloss L = sum(q)", "there are no lists"),
    ("hs[0] = []\nloss L = sum(v)", "there are no lists"),
    ("q =\nloss L = sum(v)", "expected a value, found the end of the line"),
    ("q = ,\nloss L = sum(v)", "expected a value, found ','"),
    ("for t in range(T):\n    z = X[t + 0.5]\nloss L = sum(v)", "an index of X with t is t, t-1 or the like"),
    ("for t in 1..T-1:\n    z = X[t + 0.5]\nloss L = sum(v)", "an index of X with t is t, t-1 or the like"),
])
def test_what_a_loop_cannot_collect_is_refused(lines: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Model.parse(HEAD + lines)


PLACES = """C = np.zeros((N, H))
for n in range(N):
    for j in range(H):
        C[n, j] = h0[n, j]
loss = np.sum(C)"""


@pytest.mark.parametrize(("part", "other"), [
    ("range(H)", "range(3)"), ("range(H)", "range(1, H)"), ("= h0", "= C[n, 0] + h0"),
    ("loss", "    C[0, 0] = 2\nloss"), ("= h0", "= C[n-1, j] + h0"),
    ("C = np.zeros((N, H))", "M = N\nM = H\nC = np.zeros((M, H))"), ("zeros((N, H))", "zeros(N)"),
    ("C = np.zeros((N, H))", "C = h0\nC += np.zeros((N, H))"),
    ("C = np.zeros((N, H))\nfor n in range(N)",
     "m = len(h0)\nC = np.zeros((m, H))\nm = len(X)\nfor n in range(len(X))"),
])
def test_places_are_not_filled_where_some_are_left_or_read(part: str, other: str) -> None:
    Model.parse(HEAD + PLACES)
    with pytest.raises(ModelError, match="entries that a loop counts are not changed"):
        Model.parse(HEAD + PLACES.replace(part, other))


@pytest.mark.parametrize("begun", ["C[0] = 1\nfor n in range(N)", "C[0] = v\nfor n in range(2, N)",
                                   "C[1] = v\nfor n in range(1, N)", "C[0, 1:] = v\nfor n in range(1, N)"])
def test_places_are_not_filled_behind_another_first_row(begun: str) -> None:
    with pytest.raises(ModelError):
        Model.parse(HEAD + PLACES.replace("for n in range(N)", begun))


def test_a_size_alone_in_brackets_is_one() -> None:
    """The place behind the comma of (N,) was a size, of no name."""
    lines = "C = np.zeros({})\nfor n in range(N):\n    for j in range(H):\n        C[n] += h0[n, j]\nloss = sum(C)"
    assert Model.parse(HEAD + lines.format("(N,)")).text() == Model.parse(HEAD + lines.format("N")).text()


def test_an_array_that_a_loop_fills_step_by_step_is_no_other() -> None:
    lines = "C = np.zeros(N)\nfor n in range(N):\n    C[n] = sum(h0[n])\n    D = C[n] + 1\nloss = sum(C)"
    assert "C_at" not in Model.parse(HEAD + lines).text()


def test_a_range_of_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="range counts from 0"):
        Model.parse(HEAD + PLACES.replace("range(H)", "range()"))


def test_a_step_that_is_given_twice_is_told() -> None:
    """Only what reads the first value is another value of it."""
    text = "dim T\ndata x: T\nparam w, h[0]\nfor t in 1..T:\n    h[t] = w * h[t-1]\n    h[t] = {}\nloss L = h[T]"
    with pytest.raises(ModelError, match="assigned twice"):
        Model.parse(text.format("w + x[t]"))
    assert verify(Model.parse(text.format("h[t] + x[t]")), seed=0)


@pytest.mark.parametrize("steps", ["range(0, N, 2)", "range(1, N, 3)", "range(N - 1, -1, -2)"])
def test_ranges_over_an_axis_that_leave_steps_out_are_refused(steps: str) -> None:
    """They took every step, without a word."""
    with pytest.raises(ModelError, match="takes every step"):
        Model.parse(f"dim N\nparam w: N, c\ns = 0\nfor t in {steps}:\n    s = s * c + w[t]\nloss L = s")


@pytest.mark.parametrize("steps", ["reversed(range(T))", "range(T - 1, -1, -1)"])
def test_no_loop_upwards_is_offered_for_one_that_goes_down(steps: str) -> None:
    with pytest.raises(ModelError) as error:
        Model.parse(f"{HEAD}hs = []\nfor t in {steps}:\n    hs.append(X[t])\nloss = sum(hs)")
    assert not error.value.shown[-1].endswith("corrected")


@pytest.mark.parametrize("line", ["s = s + sum(x[i + arange(3)])", "s = s + sum(x[i:i + 3])", "s = s + x[i:i + n] @ h",
                                  "s = s + sum(x[2*i:2*i + 3]) * i", "s = s + sum(x[i - 1:i + 2])"])
def test_windows_of_loops_over_numbers_are_those_of_python(line: str) -> None:
    """arange(3) began at the second entry; slices were refused."""
    text = f"n = 3\ns = 0\nfor i in range(n + 2):\n    {line}\nL = s"
    model = Model.parse(f"data x: 12, h: 3\nparam w\n{text}\nloss loss = w*L")
    rng = np.random.default_rng(2)
    names: dict[str, Any] = {"x": rng.normal(size=12), "h": rng.normal(size=3), "w": np.array(1.0)}
    found = evaluate(model.results(), {name: names[name] for name in model.leaves()})[0]
    exec(text, names := {**names, "sum": np.sum, "arange": np.arange})
    np.testing.assert_allclose(found, names["L"])


def test_no_loop_from_1_is_offered_for_one_in_which_another_number_is_another_value() -> None:
    """The loop that was offered began at the second entry."""
    with pytest.raises(ModelError) as error:
        Model.parse("dim T\ndata x: T\nparam w\ns = 0\nfor i in range(T):\n    s = s + sum(x[i:i + 3])\nloss L = w*s")
    assert not any(line.endswith("corrected") for line in error.value.shown)


@pytest.mark.parametrize(("lines", "guess"), [
    ("y = np.zeros(6)\nfor i in range(6):\n    y[i] = np.sum(x[i:i+3] * h)", "data x: 8, param h: 3"),
    ("N, M = 8, 3\ny = np.zeros(N - M + 1)\nfor i in range(N - M + 1):\n    y[i] = x[i:i+M] @ h",
     "data x: 8, param h: 3"),
])
def test_windows_are_guessed_as_far_as_the_last_step_reads(lines: str, guess: str) -> None:
    assert parse_alone(f"{lines}\nnp.sum(y**2)").remarks[0].startswith(f"guessed: {guess}")


def test_places_filled_in_loops_over_numbers_are_guessed_as_numbers() -> None:
    """Each had another axis."""
    fill = "for i in range(2):\n    for j in range(3):\n        C[i, j] = a[i] * b[j]"
    text = f"C = np.zeros((2, 3))\n{fill}\nnp.sum(C**2)"
    assert parse_alone(text).remarks[0] == "guessed: param a: 2, b: 3"


@pytest.mark.parametrize("lines", [
    "for i in range(N):\n    for j in range(i + 1, N):\n        s += x[i]*w[j]",
    "for i in range(N):\n    for j in range(i):\n        s += x[j]*w[i]",
    "for i in range(N):\n    if x[i] > 0:\n        continue\n    s += w[i]",
])
def test_steps_that_are_left_out_where_nothing_is_declared(lines: str) -> None:
    """The loop was left out, and s was 0."""
    text = f"s = 0\n{lines}\n"
    alone, whole = parse_alone(f"{text}s"), Model.parse(f"dim N\ndata x: N\nparam w: N\n{text}loss L = s")
    assert {*alone.leaves()} == {"x", "w"}
    given = {"x": np.array([0.5, -2.0, 1.5]), "w": np.array([-1.0, 0.3, 2.0])}
    found, expected = (evaluate(model.results(), given)[0] for model in (alone, whole))
    np.testing.assert_allclose(found, expected)
