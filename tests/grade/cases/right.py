"""Right answers in odd but valid forms: (model, lines); every line that has a meaning has to be accepted."""

from __future__ import annotations

from typing import NamedTuple


class Right(NamedTuple):
    model: str
    lines: str


SCALARS = [
    ("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*h"),
    ("two-weight-tanh", "dw2 = (o-y)*(1-o**2)*h"),
    ("two-weight-tanh", "∂L/∂w₂ = −(y−o)·(1−o²)·h"),
    ("two-weight-tanh", "dL/dw2 = dL/do * do/da * da/dw2"),
    ("two-weight-tanh", "dL/dw2 = dL/do · do/da · da/dw2 = −(y−o)·(1−o²)·h"),
    ("two-weight-tanh", "dL/do = -(y-o)\ndo/da = 1-o^2\nda/dw2 = h\ndw2 = dL/do do/da da/dw2"),
    ("two-weight-tanh", "dw2 = (-(y-o)) * (1-o^2) * h"),
    ("two-weight-tanh", "dw2 = h*(1-o)*(1+o)*(o-y)"),
    ("two-weight-tanh", "dw2 = h*o - h*y + h*y*o^2 - h*o^3"),
    ("two-weight-tanh", "dw2 = -(y-o)(1-o²)h"),
    ("two-weight-tanh", "dw2 = -[y-o]{1-o^2}h;"),
    ("two-weight-tanh", "dw2 = -(y-o)*tanh'(a)*h"),
    ("two-weight-tanh", "dw2 = -(y-o)*f'(a)*h"),
    ("two-weight-tanh", "dw2 = -(y-o)*(1-tanh²(a))*h"),
    ("two-weight-tanh", "dw2 = -(y-o) sech(w2 h)^2 h"),
    ("two-weight-tanh", "dw2 = -(y - tanh(w2*tanh(w1*x)))*(1-tanh(w2*tanh(w1*x))^2)*tanh(w1*x)"),
    ("two-weight-tanh", "dw2 = (o-y)*4*h/(e^a + e^-a)^2"),
    ("two-weight-tanh", "dw2 = -(Y-O)*(1-O^2)*H"),
    ("two-weight-tanh", "dW_2 = -(y-o)*(1-o^2)*h"),
    ("two-weight-tanh", "w2.grad = -(y-o)*(1-o*o)*h"),
    ("two-weight-tanh", "grad_w2: -(y-o)*(1-o^2)*h"),
    ("two-weight-tanh", "∇w2 = -(y-o)*(1-o^2)*h"),
    ("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*h   # by the chain rule"),
    ("two-weight-tanh", "dw2 = (-(y-o)\n       * (1-o^2)\n       * h)"),
    ("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*(h"),
    ("two-weight-tanh", "dw2 = -(y-o)*(1-np.tanh(a)**2)*h"),
    ("two-weight-tanh", "dw2 = delta_a*h\ndelta_a = -(y-o)*(1-o^2)"),
    ("two-weight-tanh", "δ_o = o-y\nδ_a = δ_o(1-o²)\nδ_h = δ_a w₂\nδ_b = δ_h(1-h²)\ndw1 = δ_b x\ndw2 = δ_a h"),
    ("two-weight-tanh", "e1 = o-y\ns = 1-o^2\ng = e1 s\ndw2 = g h\ndw1 = g w2 (1-h^2) x"),
    ("two-weight-tanh", "dw1 = dw2/h*w2*(1-h^2)*x\ndw2 = -(y-o)*(1-o^2)*h"),
    ("two-weight-tanh", "dw1 = dL/da * da/db * db/dw1"),
    ("two-weight-tanh", "o = tanh(a)\ndw2 = -(y-o)*(1-o^2)*h"),
    ("two-weight-tanh", "dw2 = -1/2*2*(y-o)*(1-o^2)*h"),
    ("two-step-rnn", "dw_e = -(y-o)*w_o*(1-h[2]^2)*(c[2] + w_h*(1-h[1]^2)*c[1])"),
    ("two-step-rnn", "dw_e = dL/da*da/dw_e + dL/db*db/dw_e"),
    ("two-step-rnn", "dL/dw_h = dL/do*do/dh2*dh2/da*(h1 + w_h*(1-h1**2)*h0)"),
    ("two-step-rnn", "dh[2] = -(y-o) w_o\nda = dh[2](1-h[2]^2)\ndw_h = da h[1] + da w_h (1-h[1]^2) h[0]"),
    ("two-step-rnn", "dwh = -(y-o)*w_o*(1-h2^2)*(h1 + w_h*(1-h1^2)*h0)"),
    ("two-paths", "dO/dc = dO/dL*dL/dc + dO/dR*dR/dc"),
    ("two-paths", "dc = -x(y - c x) + 2 λ c"),
    ("sigmoid-circuit", "dw0 = f*(1-f)*x0\ndw1 = f(1-f)x1\ndw2 = f - f^2"),
    ("sigmoid-circuit", "dw2 = u/d^2"),
    ("sigmoid-circuit", "df/dx0 = σ'(s)·w0"),
    ("sigmoid-circuit", "df/dw2 = exp(-s)/(1+exp(-s))^2"),
    ("linear-chain-graph", "de = c\ndc = e\nda = de\ndd = de\ndb = 2 dd"),
    ("sum-times-max", "dy = b + a*1[y>z]\ndz = a 1{z > y}\ndx = b"),
    ("sum-times-max", "dy = b + where(y > z, a, 0)"),
    ("square-of-three", "dz/dx = 3·2x"),
    ("square-of-three", "dz/dx = dz/dy dy/dx"),
]

ARRAYS = [
    ("squared-norm", "dW = 2 q xᵀ"),
    ("squared-norm", "dW = 2*q @ x.T"),
    ("squared-norm", "dW = 2*outer(W@x, x)\ndx = 2 Wᵀ q"),
    ("squared-norm", "dx = 2 (qᵀ W)"),
    ("squared-norm", "dx = 2*q@W"),
    ("logistic-regression", "dw = (σ(w·x + b) - y)·x"),
    ("logistic-regression", "dw = (ŷ - y) x\ndb = ŷ - y"),
    ("logistic-regression", "dw = -(y/y_hat - (1-y)/(1-y_hat)) * y_hat*(1-y_hat) * x"),
    ("logistic-regression", "db = where(y == 1, y_hat - 1, y_hat)"),
    ("softmax-regression", "dz = ŷ - one_hot(y, C)\ndW = dz xᵀ\ndb = dz"),
    ("softmax-regression", "db = softmax(z) - onehot(y, C)"),
    (
        "mlp-relu-sigmoid",
        "dz2 = a2 - y\nda1 = W2 dz2\ndz1 = da1 * relu'(z1)\ndW1 = dz1 xᵀ\ndb1 = dz1\ndW2 = dz2 a1\ndb2 = dz2",
    ),
    ("mlp-relu-sigmoid", "da2 = -(y/a2 + (y-1)/(1-a2))\ndz2 = da2*a2*(1-a2)\ndW2 = a1 dz2"),
    ("mlp-relu-sigmoid", "db1 = (a2-y)*W2*(a1>0)"),
    ("mlp-relu-sigmoid", "db1 = (a2-y) W2 step(z1)"),
    ("ner-window", "delta = u ∘ (1-h²)\ndb = delta\ndW = delta xᵀ\ndx = Wᵀ delta\ndu = h"),
    ("ner-window", "ds/du = h\nds/dx = (u * f'(z)) W"),
    ("linear-layer", "dL/dX = dL/dY · Wᵀ\ndL/dW = Xᵀ · dL/dY"),
    ("linear-layer", "dX = dY W^T\ndW = X^T dY"),
    ("linear-layer", "dW = (dY.T @ X).T\ndX = (W @ dY.T)'"),
    ("linear-layer", 'dW = einsum("nd,nm->dm", X, dY)'),
    ("linear-layer", "dW = X.T.dot(dY)\ndX = np.dot(dY, W.T)"),
    (
        "ffnn-softmax-batch",
        "ds = (y_hat - one_hot(y, C))/N\ndU = hᵀ ds\ndz = (ds Uᵀ) ⊙ (1-h²)\ndW = Xᵀ dz\ndb = sum(dz, axis=0)",
    ),
    ("ffnn-softmax-batch", "ds = 1/N*(softmax(s) - one_hot(y, C))\ndb = ((ds @ U.T) * (1-h*h)).sum(axis=0)"),
    (
        "ffnn-softmax-batch",
        "dh = (y_hat - one_hot(y,C)) @ U.T / X.shape[0]\ndb = np.sum(dh*(1-h**2), axis=0, keepdims=True)",
    ),
    ("ffnn-softmax-batch", "db = ones(N) @ ((y_hat - one_hot(y, C)) @ U.T * (1 - h**2)) / N"),
    (
        "window-lm",
        "dlogits = (o - one_hot(y, V))/N\ndz = dlogits @ W2.T * (1-h^2)\ndx = dz @ W1.T\n"
        "dC = scatter_add(reshape(dx, (N, K, E)), words, V)",
    ),
    (
        "window-lm",
        "dlogits = (o - one_hot(y, V))/N\ndc = reshape(dlogits @ W2.T * (1-h^2) @ W1.T, (N, K, E))\n"
        'dC = einsum("nkv,nke->ve", one_hot(words, V), dc)',
    ),
    (
        "svm-hinge",
        "M = (s - s_y[:, None] + 1 > 0) * others\n"
        "ds = (M - one_hot(y, C) * sum(M, axis=1)[:, None]) / N\ndW = ds.T @ X + 2*lam*W",
    ),
    ("two-layer-net", "dW2 = df hᵀ\ndz = (W2ᵀ df) * (z > 0)\ndW1 = dz xᵀ\ndx = W1ᵀ dz"),
    (
        "three-layer-net-sigmoid",
        "dh2 = W3ᵀ df\ndz2 = dh2 * h2 * (1-h2)\ndh1 = W2ᵀ dz2\ndz1 = dh1 * h1(1-h1)\ndW1 = dz1 xᵀ\n"
        "db1 = dz1\ndW2 = dz2 h1ᵀ\ndb2 = dz2\ndW3 = df h2ᵀ\ndb3 = df\ndx = W1ᵀ dz1",
    ),
    (
        "ffnn-softmax",
        "δ^s = ŷ − onehot(y)\n∂L/∂U = δ^s hᵀ\nδ^h = Uᵀ δ^s\nδ^z = δ^h ⊙ (1 − h²)\n∂L/∂W = δ^z xᵀ\n∂L/∂b = δ^z",
    ),
    (
        "ffnn-softmax-batch",
        "ds = ŷ - onehot(y)\ndU = h.T @ ds / N\ndz = ds @ U.T * (1 - h²)\ndW = X.T @ dz / N\ndb = (dzᵀ 1) / N",
    ),
    ("ffnn-softmax-batch", "ds = (ŷ - onehot(y)) / N\ndh = ds @ U.T\ndh *= 1 - h**2\ndW = X.T @ dh\ndb = dh.sum(0)"),
    ("three-layer-net", "dW^{[3]} = df h^{[2]T}\ndz^{[2]} = W^{[3]T} df * (z^{[2]} > 0)\ndW^{[2]} = dz^{[2]} h^{[1]T}"),
    ("ffnn-softmax-batch", "g_total = (y_hat - one_hot(y)) / N\ndU = h^{T} @ g_total"),
    ("max-gate", "dz = dm * dm/dz = dm * (z > w)\ndL/dw = dL/dm * dm/dw"),
    ("max-gate", "dz = dm * (z > w)\ndw = dm * (w > z)"),
    ("logistic-regression-batch", "dw = Xᵀ(ŷ - y)/N\ndb = mean(ŷ - y)"),
]

LOOPS = [
    (
        "rnn-lm",
        """
dz = (o - one_hot(target, V)) / (T*N)
db_o = sum(dz, axis=(0, 1))
dW_o = einsum("tnh,tnv->hv", h, dz)
carry[T] = 0 * h[0]
for t in T..1:
    dh[t] = dz[t] @ W_o.T + carry[t]
    da[t] = dh[t] * (1 - h[t]^2)
    carry[t-1] = da[t] @ W_h.T
    dW_h += h[t-1].T @ da[t]
    dW_e += c[t].T @ da[t]
    db += sum(da[t], axis=0)
""",
    ),
]

RECURRENCE = """
dz = (o - one_hot(target, V)) / (T*N)
da[T+1] = 0
da[t] = (dz[t] @ W_o.T + da[t+1] @ W_h.T) * (1 - h[t]^2)
dW_h = sum_t h[t-1].T @ da[t]
"""
LOOPS += [("rnn-lm", RECURRENCE)]

RIGHT = [Right(*r) for r in (*SCALARS, *ARRAYS, *LOOPS)]
