"""Loops of programs in answers: arrays filled entry by entry, ``dX[i][j] += …``, lists that a loop fills,
``d.append(x)``, sums and lists over a range or over the entries of arrays, ``for x, t in zip(X, y - p)``, to sizes that
Python asks arrays for, ``m, n = X.shape``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from symbackprop.errors import SyntaxProblem
from symbackprop.grade import grade
from symbackprop.grade.lines import read_lines
from symbackprop.model.text import parse
from tests.counting import growth

RIDGE = """dim N
dim D
data X: N x D
data y: N
param w: D
r = X @ w - y
loss L = sum(r^2)/N"""

CLASSES = """dim N
dim D
dim K
data X: N x D
data Y: N x K
param W: D x K
param b: K
z = X @ W + b
P = softmax(z)
loss L = mean(cross_entropy(z, Y))"""

PRODUCT = """dim A
dim B
dim C
param X: A x B
param Y: B x C
Z = X @ Y
loss L = sum(tanh(Z))"""

NET = """dim N
dim D
dim H
data X: N x D
data y: N
param W: D x H
param b: H
param v: H
h = tanh(X @ W + b)
p = h @ v
loss L = sum((p - y)^2)/(2*N)"""

RIGHT = [
    (RIDGE, """
e = X.T @ r
dw = w
e, dw = dw, e
dw *= 2/N"""),
    (RIDGE, """
dw = X.T @ r
np.multiply(dw, 2/N, out=dw)"""),
    (RIDGE, """
dw = np.zeros(D)
for j in range(D):
    dw[j] = 2*np.dot(r, X[:, j])/N"""),
    (RIDGE, """
dw = np.zeros(D)
for i in range(N):
    for j in range(D):
        dw[j] = dw[j] + 2*r[i]*X[i,j]/N"""),
    (RIDGE, """
dw = np.zeros(D)
for i in range(N):
    for j in range(D):
        dw[j] -= -2*r[i]*X[i][j]/N"""),
    (RIDGE, """
dw = np.zeros(D)
for i in range(N):
    dw += r[i]*X[i]
for j in range(D):
    dw[j] *= 2/N"""),
    (RIDGE, """
N, D = X.shape
dw = np.zeros(D)
for j in range(D):
    dw[j] = 2*np.mean(r*X[:, j])"""),
    (RIDGE, """
dw = np.zeros((D, 1))
for j in range(D):
    dw[j, 0] = 2*np.mean(r*X[:, j])"""),
    (CLASSES, """
dz = np.zeros((N, K))
for i in range(N):
    dz[i] = (P[i] - Y[i])/N
dW = X.T @ dz
db = dz.sum(axis=0)"""),
    (CLASSES, """
g = np.zeros((N, K))
for i in range(N):
    for k in range(K):
        g[i, k] = (P[i, k] - Y[i, k])/N
dW = X.T @ g
db = g.sum(axis=0)"""),
    (CLASSES, """
g = np.zeros((N, K))
for i in range(N):
    for k in range(K):
        g[i][k] = (P[i][k] - Y[i][k])/N
dW = np.zeros((D,K))
db = np.zeros(K)
for k in range(K):
    db[k] = np.sum(g[:, k])
    for d in range(D):
        dW[d, k] = np.sum(X[:, d]*g[:, k])"""),
    (CLASSES, """
dW = np.zeros((D,K))
db = np.zeros(K)
for i in range(N):
    for k in range(K):
        dW[:, k] += X[i]*(P[i,k] - Y[i,k])/N
        db[k] += (P[i,k] - Y[i,k])/N"""),
    (PRODUCT, """
dX = np.zeros((A,B))
dY = np.zeros((B,C))
dZ = 1 - np.tanh(Z)**2
for i in range(A):
    for k in range(C):
        for j in range(B):
            dX[i,j] += dZ[i,k]*Y[j,k]
            dY[j,k] += dZ[i,k]*X[i,j]"""),
    (PRODUCT, """
dX = np.zeros(X.shape)
dY = np.zeros(Y.shape)
dZ = 1 - np.tanh(Z)**2
for i in range(A):
    for j in range(B):
        s = 0
        for k in range(C):
            s += dZ[i,k]*Y[j,k]
        dX[i,j] = s
for j in range(B):
    dY[j, :] = X[:, j] @ dZ"""),
    (PRODUCT, """
dZ = np.zeros((A, C))
for i in range(A):
    for k in range(C):
        dZ[i,k] = 1 - np.tanh(Z[i,k])**2
dX = dZ @ Y.T
dY = X.T @ dZ"""),
    (RIDGE, """
for j in 1..D:
    dw[j] = 2*sum(r*X[:, j])/N"""),
    (RIDGE, """
dw = zeros(D)
for j in 1..D:
    dw[j] = 2*sum(r*X[:, j])/N"""),
    (PRODUCT, """
dX = [[0.0]*B for _ in range(A)]
for i in range(A):
    for j in range(B):
        for k in range(C):
            dX[i][j] += (1-np.tanh(Z[i,k])**2)*Y[j,k]
dY = X.T @ (1-np.tanh(Z)**2)"""),
    (RIDGE, """
dw = [0]*D
for j in range(D):
    dw[j] = 2*sum(r*X[:, j])/N"""),
    (RIDGE, """
for j in range(D):
    dL_dw[j] = 2*sum(r*X[:, j])/N"""),
    (PRODUCT, """
dX = [[0]*B for _ in range(A)]
for i in range(A):
    for j in range(B):
        dX[i][j] = sum((1-np.tanh(Z[i,k])**2)*Y[j,k] for k in range(C))
dY = X.T @ (1-np.tanh(Z)**2)"""),
    (RIDGE, """
dw = np.array([2*sum(r[i]*X[i,j] for i in range(N))/N for j in range(D)])"""),
    (RIDGE, """
dw = [2/N*sum(r[i]*X[i][j] for i in range(N)) for j in range(D)]"""),
    (RIDGE, """
dw = 2/N*sum(r[i]*X[i] for i in range(N))"""),
    (RIDGE, """
dw = np.zeros(D)
for j in range(D):
    dw[j] = 2/N*sum([r[i]*X[i, j] for i in range(N)])"""),
    (RIDGE, """
dw = np.mean([2*r[i]*X[i] for i in range(N)], axis=0)"""),
    (RIDGE, """
dw = np.sum([2*r[i]*X[i] for i in range(N)], axis=0)/N"""),
    (CLASSES, """
dz = np.stack([P[i] - Y[i] for i in range(N)])/N
dW = sum(np.outer(X[i], dz[i]) for i in range(N))
db = sum(dz[i] for i in range(N))"""),
    (RIDGE, """
dw = sum(2*(X[i] @ w - y[i])*X[i] for i in range(N))/N"""),
    (RIDGE, """
dw = sum([2*(X[i] @ w - y[i])*X[i] for i in range(len(X))])/len(X)"""),
    (RIDGE, """
m, n = X.shape
dw = np.zeros(n)
for i in range(m):
    dw += 2*r[i]*X[i]
dw /= m"""),
    (RIDGE, """
m = len(y)
dw = np.zeros(D)
for i in range(m):
    dw += 2*r[i]*X[i]/m"""),
    (RIDGE, """
m = X.shape[0]
dw = 2*X.T @ r/m"""),
    (RIDGE, """
m = X.shape[0]
dw = np.zeros_like(w)
for i in range(m):
    dw += 2*r[i]*X[i]/m"""),
    (RIDGE, """
dw = np.zeros(D)
for x, t in zip(X, y):
    dw += 2*(x @ w - t)*x/len(y)"""),
    (RIDGE, """
dw = np.zeros(D)
for i, x in enumerate(X):
    dw += 2*(x @ w - y[i])*x/N"""),
    (RIDGE, """
dw = np.zeros(D)
for i, (x, t) in enumerate(zip(X, y)):
    dw += 2*(x @ w - t)*x/N"""),
    (RIDGE, """
dw = 0
for xi, yi in zip(X, y): dw += 2*(xi @ w - yi)*xi
dw = dw/N"""),
    (CLASSES, """
dW = 0
db = 0
for x, p, t in zip(X, P, Y):
    d = (p - t)/N
    dW += np.outer(x, d)
    db += d"""),
    (CLASSES, """
dW = 0
db = 0
for x, p, t in zip(X, P, Y):
    dW += np.outer(x, (p - t)/N)
    db += (p - t)/N"""),
    (RIDGE, """
dw = sum(2*(x @ w - t)*x for x, t in zip(X, y))/N"""),
]

WRONG = [
    (RIDGE, """
e = X @ w - y
dw = X.T @ e
e, dw = dw, e
dw *= 2/N"""),
    (RIDGE, """
dw = 2*X.T @ r/N
np.multiply(dw, 2, out=dw)"""),
    (CLASSES, """
dz = P.copy()
np.multiply(dz, 2, out=dz)
dz -= Y
dz /= N
dW = X.T @ dz
db = dz.sum(0)"""),
    (RIDGE, """
dw = np.zeros(D)
for j in range(D):
    dw[j] = np.dot(r, X[:, j])/N"""),
    (RIDGE, """
dw = np.zeros(D)
for j in range(D-1):
    dw[j] = 2*np.dot(r, X[:, j])/N"""),
    (RIDGE, """
dw = np.zeros(D)
for j in range(1,D):
    dw[j] = 2*np.dot(r, X[:, j])/N"""),
    (RIDGE, """
dw = np.zeros(D)
for i in range(N):
    for j in range(D):
        dw[j] = 2*r[i]*X[i,j]/N"""),
    (RIDGE, """
dw = np.zeros(D)
for i in range(N):
    for j in range(D):
        dw[j] -= 2*r[i]*X[i][j]/N"""),
    (CLASSES, """
dz = np.zeros((N, K))
for i in range(N):
    dz[i] = (P[i] - Y[i])
dW = X.T @ dz
db = dz.sum(axis=0)"""),
    (CLASSES, """
dW = np.zeros((D,K))
db = np.zeros(K)
for i in range(N):
    for k in range(K):
        dW[:, k] += X[i]*(P[i,k] - Y[i,k])/N
        db[k] = (P[i,k] - Y[i,k])/N"""),
    (PRODUCT, """
dX = np.zeros((A,B))
dY = np.zeros((B,C))
dZ = 1 - np.tanh(Z)**2
for i in range(A):
    for k in range(C):
        for j in range(B):
            dX[i,j] += dZ[i,k]*Y[j,k]
            dY[j,k] += dZ[i,k]*X[i,k]"""),
    (RIDGE, """
for j in 1..D-1:
    dw[j] = 2*sum(r*X[:, j])/N"""),
    (RIDGE, """
dw = [0]*D
for j in range(D):
    dw[j] = sum(r*X[:, j])/N"""),
    (RIDGE, """
dw = [1/N*sum(r[i]*X[i][j] for i in range(N)) for j in range(D)]"""),
    (RIDGE, """
dw = [2/N*sum(r[i]*X[i][j] for i in range(N-1)) for j in range(D)]"""),
    (RIDGE, """
dw = [2/N*sum(r[i]*X[i][j] for i in range(1,N)) for j in range(D)]"""),
    (CLASSES, """
dz = np.stack([P[i] - Y[i] for i in range(N)])
dW = sum(np.outer(X[i], dz[i]) for i in range(N))
db = sum(dz[i] for i in range(N))"""),
    (RIDGE, """
m = X.shape[1]
dw = 2*X.T @ r/m"""),
    (RIDGE, """
m = X.shape[1]
dw = np.zeros_like(w)
for i in range(m):
    dw += 2*r[i]*X[i]/m"""),
    (RIDGE, """
dw = np.zeros(D)
for x, t in zip(X, y):
    dw += (x @ w - t)*x/len(y)"""),
    (CLASSES, """
dW = 0
db = 0
for x, p, t in zip(X, P, Y):
    dW += np.outer(x, (p - t)/N)
    db = (p - t)/N"""),
]


@pytest.mark.parametrize(("model", "lines"), RIGHT)
def test_entries_that_loops_fill(model: str, lines: str) -> None:
    report = grade(parse(model), lines)
    assert report.verdict == "right", report.text(2)


@pytest.mark.parametrize(("model", "lines"), WRONG)
def test_entries_that_are_wrong_left_out_or_overwritten(model: str, lines: str) -> None:
    report = grade(parse(model), lines)
    assert "wrong" in [i.verdict for i in report.items], report.text(2)


@pytest.mark.parametrize(("lines", "says"), [
    ("dw = zeros(D)\nfor j in range(D):\n    dw[j] = r @ X[:, j]/N", "half of the right one"),
    ("dw = zeros(D)\nfor i in range(N):\n    for j in range(D):\n        dw[j] -= 2*r[i]*X[i][j]/N", "sign"),
])
def test_a_mistake_in_entries_is_explained(lines: str, says: str) -> None:
    finding = grade(parse(RIDGE), lines).items[0].finding
    assert finding is not None and says in finding.says


@pytest.mark.parametrize("place", ["j, 0, 0", "r", "0:2"])
def test_a_place_that_is_none_is_told(place: str) -> None:
    report = grade(parse(RIDGE), f"dw = zeros(D)\nfor j in range(D):\n    dw[{place}] = 2*(r @ X[:, j])/N")
    assert report.verdict != "right"


@pytest.mark.parametrize("lines", [
    "m, n = X.shape\nm = n\ndw = 0\nfor i in range(m):\n    dw += 2*r[i]*X[i]/N",  # m is another number by now
    "m = X.shape[1]\ndw = 0\nfor i in range(m):\n    dw += 2*r[i]*X[i]/N",
    "dw = sum(2*r[i]*X[i] for i in range(N) if i > 0)/N",
])
def test_loops_to_another_size_are_not_right(lines: str) -> None:
    assert grade(parse(RIDGE), lines).verdict != "right"


OF_A_NET = [
    """
n = len(y)
dv = 0
for n in range(n):
    dv += (p[n] - y[n])*h[n]/N""",
    """
t = N
dv = sum(a*(q - t) for a, q, t in zip(h, p, y))/t""",
    """
e = (p - y)/N
dv = np.zeros(H)
for i in range(N):
    for k in range(H):
        dv[k] += e[i]*h[i,k]""",
    """
e = (p - y)/N
dW = np.zeros((D,H))
for i in range(N):
    for d in range(D):
        for k in range(H):
            dW[d,k] += e[i]*v[k]*(1-h[i,k]**2)*X[i,d]""",
    """
e = (p - y)/N
dv = np.ones(H)
for k in range(H):
    dv[k] = e @ h[:, k]""",
    """
e = (p - y)/N
dv = np.zeros(H)
for i in range(N):
    for k in range(1,H+1):
        dv[k-1] += e[i]*h[i,k-1]""",
    """
N1, D1 = X.shape
e = (p-y)/N1
dv = np.zeros(H)
for i in range(N1):
    dv += e[i]*h[i]""",
    """
db = 0
for a, t, q in zip(h, y, p):
    db += (q-t)/N*v*(1-a**2)""",
    """
e=(p-y)/N
dv = 0
for i, a in enumerate(h):
    dv += e[i]*a""",
    """
e=(p-y)/N
dv = sum(a*q for a, q in zip(h, e))""",
    """
dv = [sum((p[i]-y[i])*h[i][k] for i in range(N))/N for k in range(H)]""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in range(H):
    s = 0
    for i in range(N):
        s += e[i]*h[i,k]
    dv[k] = s""",
    """
e=(p-y)/N
dv = np.zeros_like(v)
for k in range(len(v)):
    dv[k] = np.dot(e, h[:,k])""",
    """
e=(p-y)/len(y)
dv = np.zeros(v.shape)
for k in range(v.shape[0]):
    dv[k] = np.dot(e, h[:,k])""",
    """
e=(p-y)/N
dv = np.empty(H)
for k in range(H):
    dv[k] = np.dot(e, h[:,k])""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in reversed(range(H)):
    dv[k] = np.dot(e, h[:,k])""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in range(H):
    dv[H-1-k] = np.dot(e, h[:,H-1-k])""",
    """
db = 0
for h, p, y in zip(h, p, y):
    db += (p-y)/N*v*(1-h**2)""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in 1..H:
    dv[k] = np.dot(e, h[:,k])""",
    """
N, D = X.shape
e=(p-y)/N
dv = h.T @ e""",
    """
N = len(y)
e=(p-y)/N
dv = h.T @ e""",
    """
e = (p - y)/N
dv = np.zeros(H)
for k in range(1, H + 1):
    dv[k-1] = e @ h[:, k-1]""",
    """
e = (p - y)/N
dv = np.zeros(H)
for k in range(1, H):
    dv[k] = e @ h[:, k]
dv[0] = e @ h[:, 0]""",
    """
dv = 0
for i in range(0, N, 2):
    dv += (p[i] - y[i])*h[i]/N
for i in range(1, N, 2):
    dv += (p[i] - y[i])*h[i]/N""",
    """
dv = 0
for i in range(N - 1, -1, -2):
    dv += (p[i] - y[i])*h[i]/N
for i in range(N - 2, -1, -2):
    dv += (p[i] - y[i])*h[i]/N""",
    """
dv = 0
for a, q in zip(h, p - y):
    dv += q*a/N""",
    """
δ = p - y
dv = 0
for a, δᵢ in zip(h, δ): dv += δᵢ*a/N""",
    """
dv = sum(q*a for q, a in zip((p - y)/N, h))""",
    """
dv = 0
for i, (a, b) in enumerate(zip(h, p - y)):
    dv += b*a/N
db = sum((p[i] - y[i])*v*(1 - h[i]**2)/N for i in range(N))""",
    """
e = (p - y)/N
dv = []
for k in range(H):
    dv.append(e @ h[:, k])""",
    """
e = (p - y)/N
g = []
for k in range(1, H + 1): g.append(e @ h[:, k-1])
dv = np.array(g)""",
    """
rows = []
for a, q, t in zip(h, p, y):
    rows.append((q - t)*a)
dv = sum(rows)/N""",
    """
rows = []
for a, q, t in zip(h, p, y):
    rows.append((q - t)*a)
dv = np.mean(rows, axis=0)""",
    """
e = (p - y)/N
dW = []
for d in range(D):
    row = []
    for k in range(H):
        s = 0
        for i in range(N):
            s += e[i]*v[k]*(1 - h[i,k]**2)*X[i,d]
        row.append(s)
    dW.append(row)
dW = np.array(dW)""",
    """
dz = []
for i in range(N):
    dz.append((p[i] - y[i])/N*v*(1 - h[i]**2))
dz = np.array(dz)
dW = X.T @ dz
db = dz.sum(0)""",
    """
e = (p - y)/N
dv = h.T @ e
dv[0] = e @ h[:, 0]
dv[-1] = dv[-1] + 0""",
    """
dz = np.outer((p - y)/N, v)*(1 - h**2)
dz[:, 0] = (p - y)/N*v[0]*(1 - h[:, 0]**2)
dW = X.T @ dz""",
]

NOT_OF_A_NET = [
    """
db = 0
for i, y in enumerate(y):
    db += (p[i]-y)/N*v*(1-h[i]**2)
dv = h.T @ (p - y)/N""",
    """
m, n = X.shape
m, n = n, m
dv = 0
for i in range(m):
    dv += (p[i] - y[i])*h[i]/N""",
    """
dv = sum(a*(q - t) for a, q, t in zip(h, p, y))/t""",
    """
e = (p - y)/N
dW = np.zeros((D,H))
for i in range(N):
    for d in range(D):
        for k in range(H):
            dW[d,k] = e[i]*v[k]*(1-h[i,k]**2)*X[i,d]""",
    """
e = (p - y)/N
dW = np.zeros((D,H))
for i in range(N):
    for d in range(D):
        for k in range(H):
            dW[k,d] += e[i]*v[k]*(1-h[i,k]**2)*X[i,d]""",
    """
e = (p - y)/N
dv = np.ones(H)
for i in range(N):
    for k in range(H):
        dv[k] += e[i]*h[i,k]""",
    """
e = (p - y)/N
for i in range(N):
    dv = np.zeros(H)
    for k in range(H):
        dv[k] += e[i]*h[i,k]""",
    """
e = (p - y)/N
dv = np.zeros(H)
for i in range(N):
    for k in range(H):
        dv[k] += e[i]*h[i,k]
for i in range(N):
    for k in range(H):
        dv[k] += e[i]*h[i,k]""",
    """
e = (p - y)/N
dv = np.zeros(H)
for i in range(N):
    for k in range(H):
        dv[k] += e[i]*h[i,k-1]""",
    """
e = (p - y)/N
dv = np.zeros(H)
for i in range(N):
    for k in range(1,H):
        dv[k-1] += e[i]*h[i,k-1]""",
    """
e = (p - y)/N
dv = np.zeros(H)
for i in range(N):
    for k in range(1,H+1):
        dv[k] += e[i]*h[i,k]""",
    """
N1, D1 = X.shape
e = (p-y)/N1
dv = np.zeros(H)
for i in range(D1):
    dv += e[i]*h[i]""",
    """
D1, N1 = X.shape
e = (p-y)/N
dv = np.zeros(H)
for i in range(N1):
    dv += e[i]*h[i]""",
    """
D, N = X.shape
e = (p-y)/N
dv = np.zeros(H)
for i in range(N):
    dv += e[i]*h[i]""",
    """
db = 0
for a, t, q in zip(h, p, y):
    db += (q-t)/N*v*(1-a**2)""",
    """
db = 0
for a, t, q in zip(h, y, p):
    db += (q-t)/N*v*(1-a)""",
    """
e=(p-y)/N
dv = sum(a*q for a, q in zip(h, e))/N""",
    """
dv = [sum((p[i]-y[i])*h[i][k] for k in range(H))/N for i in range(N)]""",
    """
dv = [sum((p[i]-y[i])*h[i][k] for i in range(N-1))/N for k in range(H)]""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in range(H):
    for i in range(k):
        dv[k] += e[i]*h[i,k]""",
    """
e=(p-y)/N
dv = np.zeros(H)
s = 0
for k in range(H):
    for i in range(N):
        s += e[i]*h[i,k]
    dv[k] = s""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in range(H):
    s = 0
    for i in range(N):
        s = e[i]*h[i,k]
    dv[k] = s""",
    """
e=(p-y)/len(v)
dv = np.zeros(v.shape)
for k in range(v.shape[0]):
    dv[k] = np.dot(e, h[:,k])""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in range(H):
    dv[H-1-k] = np.dot(e, h[:,k])""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in range(3):
    dv[k] = np.dot(e, h[:,k])""",
    """
db = 0
for h, p, y in zip(h, p, y):
    db += (p-y)*v*(1-h**2)""",
    """
db = 0
for i, y in enumerate(y):
    db += (p[i]-y)/N*v*(1-h[i]**2)
dv = h.T @ (p - y)""",
    """
e=(p-y)/N
dv = np.zeros(H)
for k in range(1, H):
    dv[k] = np.dot(e, h[:,k])""",
    """
N = len(v)
e=(p-y)/N
dv = h.T @ e""",
    """
N = X.shape[1]
e=(p-y)/N
dv = h.T @ e""",
    """
e = (p - y)/N
dv = np.zeros(H)
for k in range(1, H + 1):
    dv[k] = e @ h[:, k]""",
    """
dv = sum((p[n] - y[n])*h[n] for n in range(1, N + 1))/N""",
    """
dv = [sum((p[i] - y[i])*h[i][k] for i in range(1, N + 1))/N for k in range(1, H + 1)]""",
    """
dv = 0
for i in range(0, N, 2):
    dv += (p[i] - y[i])*h[i]/N""",
    """
dv = 0
for a, q in zip(h, p - y):
    dv += q*a""",
    """
dv = sum(a*q for a, q in zip(h[1:], p))""",
    """
dv = 0
for a, q in zip(h, p[1:] - y[1:]):
    dv += q*a/N""",
    """
e = (p - y)/N
g = []
for k in range(1, H):
    g.append(e @ h[:, k-1])
dv = np.array(g)""",
    """
e = (p - y)/N
g = []
for k in range(H):
    g.append(e @ h[:, k])
g.append(0)
dv = np.array(g)""",
    """
e = (p - y)/N
g = []
for k in reversed(range(H)):
    g.append(e @ h[:, k])
dv = np.array(g)""",
    """
e = (p - y)/N
dv = []
for k in range(H):
    if k > 0:
        dv.append(e @ h[:, k])""",
    """
e = (p - y)/N
dv = []
for k in range(H):
    dv.append(e @ h[:, k])
for k in range(H):
    dv.append(e @ h[:, k])""",
    """
e = (p - y)/N
dv = []
for k in range(0, H, 2):
    dv.append(e @ h[:, k])""",
    """
dz = []
for i in range(N):
    for k in range(H): dz.append((p[i] - y[i])/N*v[k]*(1 - h[i,k]**2))
dz = np.array(dz).reshape(N, H)
dW = X.T @ dz""",
    """
e = (p - y)/N
g = []
for k in range(H):
    g.append(e @ h[:, k])
dv = np.array(g[::-1])""",
    """
rows = []
for a, q, t in zip(h, p, y):
    rows.append((q - t)*a)
dv = np.stack(rows, axis=1).sum(0)""",
    """
e = (p - y)/N
dv = h.T @ e
dv[0] = 0""",
    """
e = (p - y)/N
dv = h.T @ e
dv[-1] *= 2""",
    """
e = (p - y)/N
dv = h.T @ e
dv[1] += 1""",
    """
e = (p - y)/N
e[0] = 0
dv = h.T @ e""",
    """
dz = np.outer((p - y)/N, v)*(1 - h**2)
dW = X.T @ dz
dW[0] = 0""",
]


def outcome(lines: str) -> tuple[bool, bool]:
    """Whether all gradients that the lines are about are right, and whether all lines are read."""
    report = grade(parse(NET), lines)
    asked = {n for n in ("dW", "db", "dv") if f"{n} =" in lines}
    return asked <= {i.name for i in report.items if i.verdict == "right"}, not report.unread


@pytest.mark.parametrize("lines", OF_A_NET)
def test_loops_of_a_net(lines: str) -> None:
    assert outcome(lines) == (True, True)


@pytest.mark.parametrize("lines", NOT_OF_A_NET)
def test_loops_of_a_net_that_are_wrong(lines: str) -> None:
    """Overwritten, begun anew or elsewhere, filled at another place or too often, over another size or array."""
    assert outcome(lines) != (True, True)


@pytest.mark.parametrize("lines", [
    "dv = 0\nfor q in zip(h, p):\n    dv += q*h", "dv = 0\nfor a, q in h, p:\n    dv += q*a",
    "dv = 0\nfor i, a in enumerate(h, 1):\n    dv += (p[i] - y[i])*a/N",
    "dv = 0\nfor i in range(0, N, 0):\n    dv += h[i]", "dv = 0\nfor i in reversed(range(0, N, 2)):\n    dv += h[i]",
    "for i in range(H):\n    row = []\n    for k in range(N - i):\n        row.append(h[k, i])\n    dv[i] = sum(row)",
])
def test_loops_that_are_not_understood_are_refused(lines: str) -> None:
    try:
        assert not outcome(lines)[1]
    except SyntaxProblem as problem:
        assert "a loop is written" in str(problem)


@pytest.mark.parametrize(("lines", "expected"), [
    ("dw = X.T @ e/N + w\ndw[0] -= w[0]", "right"), ("dw = X.T @ e/N + w\ndw[1] -= w[1]", "wrong"),
    ("dw = X.T @ e/N + w\ndw[0] = dw[0] - w[0]", "right"), ("dw = X.T @ e/N\ndw[0] += w[0]", "wrong"),
    ("r = w.copy()\nr[0] = 0\ndw = X.T @ e/N + r", "right"), ("r = w.copy()\nr[1] = 0\ndw = X.T @ e/N + r", "wrong"),
    ("m = np.ones(3)\nm[0] = 0\ndw = X.T @ e/N + m*w", "right"), ("dw = X.T @ e/N + w", "wrong"),
])
def test_an_entry_that_a_line_of_its_own_changes(lines: str, expected: str) -> None:
    """A penalty without its first weight. Such a line was a quantity of its own, which nothing read."""
    head = "dim N\ndata X: N x 3, y: N\nparam w: 3\ne = X @ w - y\n"
    model = parse(f"{head}loss L = sum(e^2)/(2*N) + sum(w[1:]^2)/2")
    assert grade(model, lines).verdict == expected


FORMS = [
    "dx = np.zeros({n})\nfor i in range({n}):\n    dx[i] = 2*{number}*x[i]",
    "dx = np.zeros({n})\nfor i in range(1, {n}):\n    dx[i] = 2*{number}*x[i]",
    "dx = [2*{number}*x[i] for i in range({n})]",
    "dx = []\nfor i in range({n}):\n    dx.append(2*{number}*x[i])",
    "dx = np.zeros({n})\nfor i in range({n}):\n    dx[{n} - 1 - i] = 2*({n} - 1 - {number})*x[{n} - 1 - i]",
    "dx = np.zeros({n})\nfor i in range({n}):\n    dx[-i] = 2*(({n} - {number}) % {n})*x[-i]",
]


@pytest.mark.parametrize("n", ["N", "4"])
@pytest.mark.parametrize("form", FORMS)
def test_the_counter_of_a_range_is_the_number_that_python_counts(form: str, n: str) -> None:
    """It was one more in a formula where entries count from 0: 2*(i - 1)*x[i] was called right, silently."""
    declared = "dim N\n" if n == "N" else ""
    model = parse(f"{declared}param x: {n}\nloss L = sum(arange({n})*x^2)")
    said = {number: grade(model, form.format(n=n, number=number)).verdict for number in ("i", "(i - 1)", "(i + 1)")}
    assert said == {"i": "right", "(i - 1)": "wrong", "(i + 1)": "wrong"}


def test_a_counter_from_1_counts_entries_from_1() -> None:
    model = parse("param x: 4\nloss L = sum(arange(4)*x^2)")
    assert grade(model, "for i in 1..4:\n    dx[i] = 2*(i - 1)*x[i]").verdict == "right"
    assert grade(model, "for i in 1..4:\n    dx[i] = 2*i*x[i]").verdict == "wrong"


@pytest.mark.parametrize("lines", [
    "dv = np.zeros(H)\nfor k in range(H):\n    if k > 0:\n        dv[k] = (p - y) @ h[:, k]/N",
    "if N > 3:\n    dv = 2*h.T @ (p - y)/N\nelse:\n    dv = h.T @ (p - y)/N",
    "dv = h.T @ (p - y)/N\nif N > 3:\n    for k in range(H): dv[k] = 0",
    "dv = 0\ni = 0\nwhile i < N:\n    dv += (p[i] - y[i])*h[i]/N\n    i += 1",
])
def test_what_holds_under_a_condition_is_not_right(lines: str) -> None:
    """The lines below `if` were taken as if they were not."""
    report = grade(parse(NET), lines)
    assert report.verdict == "unreadable" and "dv" not in {i.name for i in report.items if i.verdict == "right"}
    assert any("it holds only under a condition" in line.message for line in report.unread)


@pytest.mark.parametrize("lines", [
    "if N > 3: dv = 2*dv", "if N > 3:\n    dv = 2*dv", "if N > 3: a = 1\nelif N > 2: dv = 2*dv",
    "if N > 3: a = 1\nelse: dv = 2*dv", "while N > 3: dv = 2*dv", "dv = h @@ 2", "dv = 2*",
    "if any(y[1:] > 0): dv = h*é",
])
def test_what_is_given_anew_and_cannot_be_read_is_not_right(lines: str) -> None:
    """The line above was called right: what stands below it was told as unread alone."""
    report = grade(parse(NET), f"dv = h.T @ (p - y)/N\n{lines}")
    assert "dv" not in {i.name for i in report.items if i.verdict == "right"}
    assert all("is no name" not in line.message for line in report.unread)


@pytest.mark.parametrize("lines", ["dv = 2*\ndv = h.T @ (p - y)/N", "if N > 3: dv = 2*dv\ndv = h.T @ (p - y)/N"])
def test_what_is_given_anew_below_what_cannot_be_read_is_right(lines: str) -> None:
    assert "dv" in {i.name for i in grade(parse(NET), lines).items if i.verdict == "right"}


@pytest.mark.parametrize("word", ["break", "continue", "return dv"])
@pytest.mark.parametrize("lines", [
    "for i in range(N):\n    dv += h[i]*(p[i] - y[i])/N\n    {}", "for i in range(N): dv += h[i]*(p[i] - y[i])/N; {}",
    "for i in range(N):\n    if i > 2: {}\n    dv += h[i]*(p[i] - y[i])/N",
    "for i in range(N):\n    if i > 2:\n        {}\n    dv += h[i]*(p[i] - y[i])/N",
    "for i in range(N):\n    for k in range(H):\n        dv[k] += h[i, k]*(p[i] - y[i])/N\n        {}",
])
def test_loops_that_are_left_are_refused(lines: str, word: str) -> None:
    """They were read as if they went on to their end, and called right."""
    with pytest.raises(SyntaxProblem, match=f"{word.split()[0]} leaves steps of the loop out"):
        grade(parse(NET), f"dv = np.zeros(H)\n{lines.format(word)}")


@pytest.mark.parametrize("asks", ["if ctx.needs_input_grad[0]:\n        ", "if ctx.needs_input_grad[0]: "])
def test_what_a_framework_asks_for_is_no_condition(asks: str) -> None:
    lines = f"def backward(ctx):\n    {asks}dv = h.T @ (p - y)/N\n    return dv"
    assert outcome(lines) == (True, True)


@pytest.mark.parametrize("lines", [
    "dv = 0\nfor i in range(N//2):\n    dv += (p[i] - y[i])*h[i]/N", "dv = h.T @ (p - y)/N//2",
    "dv = 0\nfor i in range(N // 2):\n    dv += (p[i] - y[i])*h[i]/N",
    "m = N // 2\ndv = 0\nfor i in range(m):\n    dv += h[i]",
    "dv = (h.T @ (p - y)/N)//N",
])
def test_a_division_without_remainder_is_no_comment(lines: str) -> None:
    """A loop to half of the samples was one to all, and right."""
    try:
        assert not outcome(lines)[0]
    except SyntaxProblem as problem:
        assert "a loop is written" in str(problem)


def test_what_slashes_begin_is_a_comment() -> None:
    assert outcome("// the output layer\ndv = h.T @ (p - y)/N  // of v\ndv = dv // as above")[0]


def test_each_slash_is_looked_at_once() -> None:
    """Each began the line anew: 4,000 divisions took four seconds."""
    def reading(n: int) -> Callable[[], object]:
        text = "dx = " + " + ".join(["x//2"] * n)
        return lambda: read_lines(text)

    assert growth(reading, 200) < 2.3
