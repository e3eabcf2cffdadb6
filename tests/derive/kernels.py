"""Kernels whose backward pass is published: as model text, with the published pass as model text too.

What the published pass costs is counted as ours is: multiplications are products and quotients of arrays, stored arrays
the rows of its forward pass that it reads besides inputs and parameters. A function that it computes again (as σ is in
SwiGLU) counts as stored, since calls of functions are counted for neither. Its gradients are checked against ours. In
``printed.txt`` stand the closed forms of our derivations, none where the sweep finds the published form already.
`MORE` are other models in which something cancels, `LOOPS` such models in the body of a loop, `SPELLED` ways of writing
one function out, the library's own first, with the form that those which name their parts end in.
"""

from __future__ import annotations

from typing import NamedTuple


class Kernel(NamedTuple):
    """A model, and the name of its published backward pass."""

    text: str
    published: str


class Published(NamedTuple):
    """A backward pass as it was published: the forward pass with what is stored, the gradients d… from the upstream
    ones, and where it stands."""

    forward: str
    backward: str
    source: str


KERNELS = {
    "layer norm": Kernel(
        """dim N, D
input x: N x D
param g: D, b: D
output y = layer_norm(x) * g + b""", "layer norm",
    ),
    "layer norm spelled": Kernel(
        """dim N, D
input x: N x D
param g: D, b: D
mu = mean(x, axis=1, keepdims=True)
xc = x - mu
var_ = mean(xc * xc, axis=1, keepdims=True)
istd = (var_ + 1e-5)**-0.5
xhat = xc * istd
output y = xhat * g + b""", "layer norm",
    ),
    "batch norm": Kernel(
        """dim N, D
input x: N x D
param g: D, b: D
output y = batch_norm(x) * g + b""", "batch norm",
    ),
    "batch norm spelled": Kernel(
        """dim N, D
input x: N x D
param g: D, b: D
mu = mean(x, axis=0)
xc = x - mu
v = mean(xc^2, axis=0)
s = sqrt(v + 1e-5)
xhat = xc / s
output y = g * xhat + b""", "batch norm",
    ),
    "group norm": Kernel(
        """dim N, G, C, S
input x: N x G x C x S
param g: G x C x 1, b: G x C x 1
mu = mean(x, axis=(2, 3), keepdims=True)
c = x - mu
s = sqrt(mean(c^2, axis=(2, 3), keepdims=True) + 1e-5)
xhat = c / s
output y = xhat * g + b""", "group norm",
    ),
    "instance norm": Kernel(
        """dim N, C, S
input x: N x C x S
param g: C x 1, b: C x 1
mu = mean(x, axis=2, keepdims=True)
c = x - mu
s = sqrt(mean(c^2, axis=2, keepdims=True) + 1e-5)
xhat = c / s
output y = xhat * g + b""", "instance norm",
    ),
    "rms norm": Kernel(
        """dim N, D
input x: N x D
param g: D
output y = rms_norm(x) * g""", "rms norm",
    ),
    "rms norm spelled": Kernel(
        """dim N, D
input x: N x D
param g: D
r = (mean(x^2, axis=1, keepdims=True) + 1e-5)**-0.5
xhat = x * r
output y = xhat * g""", "rms norm kept",
    ),
    "hard ce": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
loss L = mean(cross_entropy(z, y))""", "hard ce",
    ),
    "soft ce": Kernel(
        """dim N, V
data t: N x V
input z: N x V
loss L = mean(cross_entropy(z, t))""", "soft ce",
    ),
    "soft ce softmax": Kernel(
        """dim N, V
data t: N x V
input z: N x V
p = softmax(z)
loss L = -mean(sum(t * log(p), axis=1))""", "soft ce",
    ),
    "soft ce spelled": Kernel(
        """dim N, V
data t: N x V
input z: N x V
e = exp(z - max(z, axis=1, keepdims=True))
p = e / sum(e, axis=1, keepdims=True)
loss L = -mean(sum(t * log(p), axis=1))""", "soft ce",
    ),
    "soft ce spelled plain": Kernel(
        """dim N, V
data t: N x V
input z: N x V
e = exp(z)
p = e / sum(e, axis=1, keepdims=True)
loss L = -mean(sum(t * log(p), axis=1))""", "soft ce",
    ),
    "smoothed ce": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
loss L = mean(smoothed_cross_entropy(z, y, 0.1))""", "smoothed ce",
    ),
    "z-loss": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
lse = logsumexp(z, axis=1)
loss L = mean(cross_entropy(z, y)) + 1e-4 * mean(lse^2)""", "z-loss",
    ),
    "softcap": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
const cap = 30
c = cap * tanh(z / cap)
loss L = mean(cross_entropy(c, y))""", "softcap",
    ),
    "swiglu": Kernel(
        """dim N, D
input a: N x D, b: N x D
output y = silu(a) * b""", "swiglu",
    ),
    "swiglu spelled": Kernel(
        """dim N, D
input a: N x D, b: N x D
s = sigmoid(a)
u = a * s
output y = u * b""", "swiglu",
    ),
    "geglu": Kernel(
        """dim N, D
input a: N x D, b: N x D
output y = gelu(a) * b""", "geglu",
    ),
    "attention": Kernel(
        """dim T, S, K, E
input q: T x K, k: S x K, v: S x E
P = softmax(q @ k.T / K**0.5)
output O = P @ v""", "attention",
    ),
    "attention causal": Kernel(
        """dim T, K, E
input q: T x K, k: T x K, v: T x E
output O = attention(q, k, v, causal=True)""", "attention causal",
    ),
    "rope": Kernel(
        """dim T
input x: T x 8
output y = rotary(x)""", "rope",
    ),
    "jsd": Kernel(
        """dim N, V
data P: N x V
input Q: N x V
M = (P + Q) / 2
loss L = sum(P * log(P / M) + Q * log(Q / M)) / 2""", "jsd",
    ),
    "jsd logs": Kernel(
        """dim N, V
data P: N x V
input z: N x V
Q = softmax(z)
M = (P + Q) / 2
loss L = sum(P * (log(P) - log(M)) + Q * (log(Q) - log(M))) / 2""", "jsd logs",
    ),
    "dpo": Kernel(
        """dim N, T, V
data y: N x T int < V, r: N
input z: N x T x V
const beta = 0.1
lp = -sum(cross_entropy(z, y), axis=1)
m = beta * (lp - r)
loss L = -mean(log(sigmoid(m)))""", "dpo",
    ),
    "grpo": Kernel(
        """dim N, T, V
data y: N x T int < V, A: N x 1, old: N x T
input z: N x T x V
lp = -cross_entropy(z, y)
ratio = exp(lp - old)
loss L = -mean(minimum(ratio * A, minimum(maximum(ratio, 0.8), 1.2) * A))""", "grpo",
    ),
    "clip": Kernel(
        """dim N, D
input u: N x D, v: N x D
param s
logits = exp(s) * (u @ v.T)
loss L = (mean(cross_entropy(logits, arange(N))) + mean(cross_entropy(logits.T, arange(N)))) / 2""", "clip",
    ),
    "vae": Kernel(
        """dim N, D, Z
data x: N x D, eps: N x Z
input mu: N x Z, lv: N x Z
param W: Z x D
s = exp(lv / 2)
z = mu + s * eps
xr = z @ W
rec = sum((xr - x)^2) / 2
kl = -sum(1 + lv - mu^2 - exp(lv)) / 2
loss L = rec + kl""", "vae",
    ),
    "cosine": Kernel(
        """dim N, D
input a: N x D, b: N x D
output c = cosine_similarity(a, b)""", "cosine bounded",
    ),
    "cosine spelled": Kernel(
        """dim N, D
input a: N x D, b: N x D
na = sqrt(sum(a^2, axis=1))
nb = sqrt(sum(b^2, axis=1))
output c = sum(a * b, axis=1) / (na * nb)""", "cosine",
    ),
    "row norm": Kernel(
        """dim N, D
input A: N x D
output a = A / norm(A, axis=1, keepdims=True)""", "row norm",
    ),
    "row norm spelled": Kernel(
        """dim N, D
input A: N x D
n = sqrt(sum(A^2, axis=1, keepdims=True))
output a = A / n""", "row norm",
    ),
    "sgns": Kernel(
        """dim V, D, B, K
param U: V x D, W: V x D
data c: B int < V, o: B int < V, n: B x K int < V
u = U[c]
wo = W[o]
wn = W[n]
sp = sum(u * wo, axis=1)
sn = sum(u[:, None, :] * wn, axis=2)
loss L = -mean(log(sigmoid(sp)) + sum(log(sigmoid(-sn)), axis=1))""", "sgns",
    ),
    "lstm cell": Kernel(
        """dim N, H
input zi: N x H, zf: N x H, zg: N x H, zo: N x H, c0: N x H
i = sigmoid(zi)
f = sigmoid(zf)
g = tanh(zg)
o = sigmoid(zo)
output c = f * c0 + i * g
tc = tanh(c)
output h = o * tc""", "lstm cell",
    ),
    "gru cell": Kernel(
        """dim N, H
input zr: N x H, zz: N x H, zn: N x H, q: N x H, h0: N x H
r = sigmoid(zr)
z = sigmoid(zz)
n = tanh(zn + r * q)
output h = (1 - z) * n + z * h0""", "gru cell",
    ),
    "logistic": Kernel(
        """dim N, D
data X: N x D, y: N
param w: D
z = X @ w
a = sigmoid(z)
loss L = -mean(y * log(a) + (1 - y) * log(1 - a))""", "logistic",
    ),
    "logistic spelled": Kernel(
        """dim N, D
data X: N x D, y: N
param w: D
z = X @ w
a = 1 / (1 + exp(-z))
loss L = -mean(y * log(a) + (1 - y) * log(1 - a))""", "logistic",
    ),
    "weight norm": Kernel(
        """dim N, D, M
input x: N x D
param v: D x M, g: M
n = norm(v, axis=0)
w = v * (g / n)
output y = x @ w""", "weight norm",
    ),
    "weight norm spelled": Kernel(
        """dim N, D, M
input x: N x D
param v: D x M, g: M
n = sqrt(sum(v^2, axis=0))
w = g * v / n
output y = x @ w""", "weight norm",
    ),
    "fused linear ce": Kernel(
        """dim N, D, V
data y: N int < V
input x: N x D
param W: V x D
loss L = mean(cross_entropy(x @ W.T, y))""", "fused linear ce",
    ),
    "geglu tanh": Kernel(
        """dim N, D
input a: N x D, b: N x D
t = tanh(sqrt(2 / pi) * (a + 0.044715 * a^3))
u = a * (1 + t) / 2
output y = u * b""", "geglu tanh",
    ),
    "dyt": Kernel(
        """dim N, D
input x: N x D
param a, g: D, b: D
output y = g * tanh(a * x) + b""", "dyt",
    ),
    "qk norm": Kernel(
        """dim T, S, K, E
input q: T x K, k: S x K, v: S x E
param s
u = q / norm(q, axis=1, keepdims=True)
w = k / norm(k, axis=1, keepdims=True)
P = softmax(s * (u @ w.T))
output O = P @ v""", "qk norm",
    ),
    "add rms norm": Kernel(
        """dim N, D
input x: N x D, r: N x D
param g: D
output h = x + r
b = rms_norm(h)
output y = b * g""", "add rms norm",
    ),
    "softmax1": Kernel(
        """dim N, V
input x: N x V
e = exp(x)
output p = e / (1 + sum(e, axis=1, keepdims=True))""", "softmax1",
    ),
    "cosface": Kernel(
        """dim N, D, C
data y: N int < C
input x: N x D
param W: C x D
u = x / norm(x, axis=1, keepdims=True)
v = W / norm(W, axis=1, keepdims=True)
loss L = mean(cross_entropy(30 * (u @ v.T - 0.35 * one_hot(y, C)), y))""", "cosface",
    ),
    "triplet": Kernel(
        """dim N, D
input a: N x D, p: N x D, n: N x D
loss L = mean(relu(sum((a - p)^2, axis=1) - sum((a - n)^2, axis=1) + 1))""", "triplet",
    ),
    "barlow twins": Kernel(
        """dim N, D
input a: N x D, b: N x D
u = (a - mean(a, axis=0)) / std(a, axis=0)
v = (b - mean(b, axis=0)) / std(b, axis=0)
C = u.T @ v / N
loss L = sum((diag(C) - 1)^2) + 0.005 * (sum(C^2) - sum(diag(C)^2))""", "barlow twins",
    ),
    "covariance": Kernel(
        """dim N, D
input z: N x D
c = z - mean(z, axis=0)
C = c.T @ c / (N - 1)
loss L = sum(C^2) / D""", "covariance",
    ),
    "rayleigh": Kernel(
        """dim N
data S: N x N symmetric
param x: N
loss L = (x @ S @ x) / (x @ x)""", "rayleigh",
    ),
    "poisson nll": Kernel(
        """dim N
data y: N
input z: N
r = exp(z)
loss L = mean(r - y * log(r))""", "poisson nll",
    ),
    "simpo": Kernel(
        """dim N, T, V
data y: N x T int < V, w: N x T int < V
input z: N x T x V, x: N x T x V
a = -mean(cross_entropy(z, y), axis=1)
b = -mean(cross_entropy(x, w), axis=1)
loss L = -mean(log(sigmoid(2 * (a - b) - 1)))""", "simpo",
    ),
    "infonce": Kernel(
        """dim N, D
input a: N x D, b: N x D
const tau = 0.1
u = a / norm(a, axis=1, keepdims=True)
v = b / norm(b, axis=1, keepdims=True)
s = u @ v.T / tau
loss L = mean(logsumexp(s, axis=1) - diag(s))""", "infonce",
    ),
    "batch norm images": Kernel(
        """dim N, C, H, W
input x: N x C x H x W
param g: C, b: C
mu = mean(x, axis=(0, 2, 3))
v = var(x, axis=(0, 2, 3))
xhat = (x - mu[:, None, None]) / sqrt(v + 1e-5)[:, None, None]
output y = g[:, None, None] * xhat + b[:, None, None]""", "batch norm images",
    ),
    "gaussian process": Kernel(
        """dim N
data y: N
input K: N x N
P = inv(K)
loss L = (y @ P @ y + log(abs(det(K)))) / 2""", "gaussian process",
    ),
    "low rank": Kernel(
        """dim N, K, M
data v: M
param A: N x K, B: K x M
output y = (A @ B) @ v""", "low rank",
    ),
    "inverse": Kernel(
        """dim N, K
param A: N x N, B: N x K
output X = inv(A) @ B""", "inverse",
    ),
    "fast weights": Kernel(
        """dim N
data x: N
param W: N x N, u: N, v: N
output y = (W + u[:, None] * v[None, :]) @ x""", "fast weights",
    ),
    "bilinear score": Kernel(
        """dim N, M
input x: N, y: M
param W: N x M
loss L = -log(sigmoid(einsum("i,ij,j->", x, W, y)))""", "bilinear score",
    ),
    "gaussian nll": Kernel(
        """dim N, D
data y: N x D
input mu: N x D, lv: N x D
loss L = sum(lv + (y - mu)^2 / exp(lv)) / 2""", "gaussian nll",
    ),
    "triplet norms": Kernel(
        """dim N, D
input a: N x D, p: N x D, n: N x D
dp_ = sqrt(sum((a - p)^2, axis=1))
dn_ = sqrt(sum((a - n)^2, axis=1))
loss L = mean(relu(dp_ - dn_ + 1))""", "triplet norms",
    ),
    "huber": Kernel(
        """dim N, D
data y: N x D
input x: N x D
r = x - y
a = abs(r)
loss L = mean(where(less(a, 1), r^2 / 2, a - 0.5))""", "huber",
    ),
    "label smoothing spelled": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
e = exp(z - max(z, axis=1, keepdims=True))
lp = log(e / sum(e, axis=1, keepdims=True))
t = 0.9 * one_hot(y, V) + 0.1 / V
loss L = -mean(sum(t * lp, axis=1))""", "label smoothing spelled",
    ),
    "hinge squared": Kernel(
        """dim N, D
data X: N x D, y: N
param w: D
m = 1 - y * (X @ w)
loss L = mean(relu(m)^2)""", "hinge squared",
    ),
    "tied autoencoder": Kernel(
        """dim N, D, H
data x: N x D
param W: D x H, b: H, c: D
h = sigmoid(x @ W + b)
xr = h @ W.T + c
loss L = sum((xr - x)^2) / (2 * N)""", "tied autoencoder",
    ),
    "mixture nll": Kernel(
        """dim N, K
data y: N
input a: N x K, mu: N x K, ls: N x K
z = (y[:, None] - mu) / exp(ls)
lp = log_softmax(a) - ls - z^2 / 2
loss L = -mean(logsumexp(lp, axis=1))""", "mixture nll",
    ),
    "cox": Kernel(
        """dim N
data R: N x N, d: N
input t: N
e = exp(t)
S = R @ e
loss L = -sum(d * (t - log(S)))""", "cox",
    ),
}

PUBLISHED = {
    "layer norm": Published("""dim N, D
data x: N x D, g: D, dy: N x D
mu = mean(x, axis=1, keepdims=True)
rstd = (mean((x - mu)^2, axis=1, keepdims=True) + 1e-5)**-0.5""", """norm_ = (x - mu) * rstd
dnorm = dy * g
output dg = sum(dy * norm_, axis=0)
output db = sum(dy, axis=0)
output dx = rstd * (dnorm - mean(dnorm, axis=1, keepdims=True) - norm_ * mean(dnorm * norm_, axis=1, keepdims=True))""",
        "llm.c, layernorm_backward"),
    "batch norm": Published("""dim N, D
data x: N x D, g: D, dy: N x D
mu = mean(x, axis=0)
std = sqrt(mean((x - mu)^2, axis=0) + 1e-5)
xhat = (x - mu) / std""", """output dg = sum(dy * xhat, axis=0)
output db = sum(dy, axis=0)
output dx = g / (N * std) * (N * dy - db - xhat * dg)""", "cs231n, batchnorm_backward_alt"),
    "group norm": Published("""dim N, G, C, S
data x: N x G x C x S, g: G x C x 1, dy: N x G x C x S
mu = mean(x, axis=(2, 3), keepdims=True)
std = sqrt(mean((x - mu)^2, axis=(2, 3), keepdims=True) + 1e-5)
xhat = (x - mu) / std""", """dn = dy * g
output dg = sum(dy * xhat, axis=(0, 3))[:, :, None]
output db = sum(dy, axis=(0, 3))[:, :, None]
m1 = sum(dn, axis=(2, 3), keepdims=True)
m2 = sum(dn * xhat, axis=(2, 3), keepdims=True)
output dx = (C * S * dn - m1 - xhat * m2) / (C * S * std)""", "cs231n, spatial_groupnorm_backward"),
    "instance norm": Published("""dim N, C, S
data x: N x C x S, g: C x 1, dy: N x C x S
mu = mean(x, axis=2, keepdims=True)
std = sqrt(mean((x - mu)^2, axis=2, keepdims=True) + 1e-5)
xhat = (x - mu) / std""", """dn = dy * g
output dg = sum(dy * xhat, axis=(0, 2))[:, None]
output db = sum(dy, axis=(0, 2))[:, None]
m1 = sum(dn, axis=2, keepdims=True)
m2 = sum(dn * xhat, axis=2, keepdims=True)
output dx = (S * dn - m1 - xhat * m2) / (S * std)""", "cs231n, spatial_groupnorm_backward with a channel a group"),
    "rms norm": Published("""dim N, D
data x: N x D, g: D, dy: N x D
rstd = (mean(x^2, axis=1, keepdims=True) + 1e-5)**-0.5""", """xhat = x * rstd
wdy = dy * g
output dg = sum(dy * xhat, axis=0)
output dx = rstd * (wdy - xhat * mean(xhat * wdy, axis=1, keepdims=True))""",
        "FlashAttention's Triton layer_norm, the backward pass of its RMS norm"),
    "rms norm kept": Published("""dim N, D
data x: N x D, g: D, dy: N x D
rstd = (mean(x^2, axis=1, keepdims=True) + 1e-5)**-0.5
xhat = x * rstd""", """wdy = dy * g
output dg = sum(dy * xhat, axis=0)
output dx = rstd * (wdy - xhat * mean(xhat * wdy, axis=1, keepdims=True))""", "the same with x̂ kept"),
    "hard ce": Published("""dim N, V
data y: N int < V, z: N x V
p = softmax(z)""", "output dz = (p - one_hot(y, V)) / N", "min-char-rnn: dy = ps, dy[target] −= 1, over N"),
    "soft ce": Published("""dim N, V
data t: N x V, z: N x V
lp = log_softmax(z)""", """dlp = -t / N
output dz = dlp - exp(lp) * sum(dlp, axis=1, keepdims=True)""", "PyTorch, _log_softmax_backward_data behind −t/N"),
    "smoothed ce": Published("""dim N, V
data y: N int < V, z: N x V
p = softmax(z)""", "output dz = (p - (0.9 * one_hot(y, V) + 0.1 / V)) / N", "Szegedy et al. 2016, section 7: p − q"),
    "z-loss": Published("""dim N, V
data y: N int < V, z: N x V
e = exp(z - max(z, axis=1, keepdims=True))
s = sum(e, axis=1, keepdims=True)
lse = logsumexp(z, axis=1)""", "output dz = 1 / N * ((1 + 2e-4 * lse)[:, None] * e / s - one_hot(y, V))",
        "T5X, _cross_entropy_with_logits_bwd"),
    "softcap": Published("""dim N, V
data y: N int < V, z: N x V
t = tanh(z / 30)
p = softmax(30 * t)""", "output dz = (p - one_hot(y, V)) / N * (1 - t^2)",
        "Gemma 2's softcap, as FlashAttention scales: 1 − tanh²"),
    "swiglu": Published("""dim N, D
data a: N x D, b: N x D, dy: N x D
s = sigmoid(a)
u = a * s""", """output da = dy * b * (s * (1 + a * (1 - s)))
output db = dy * u""", "ggml, silu_back and the product's rule (σ is computed again there)"),
    "geglu": Published("""dim N, D
data a: N x D, b: N x D, dy: N x D
c = normal_cdf(a)
u = a * c""", """output da = dy * b * (c + a * normal_pdf(a))
output db = dy * u""", "PyTorch, gelu_backward and the product's rule"),
    "attention": Published("""dim T, S, K, E
data q: T x K, k: S x K, v: S x E, dO: T x E
P = softmax(q @ k.T / K**0.5)
O = P @ v""", """output dv = P.T @ dO
D = sum(dO * O, axis=1, keepdims=True)
dS = P * (dO @ v.T - D)
output dq = dS @ k / K**0.5
output dk = dS.T @ q / K**0.5""", "Dao et al. 2022, algorithm 4 without tiles"),
    "attention causal": Published("""dim T, K, E
data q: T x K, k: T x K, v: T x E, dO: T x E
O = attention(q, k, v, causal=True)
P = softmax(where(greater_equal(arange(T)[:, None], arange(T)[None]), q @ k.T / K**0.5, -inf))""",
        """output dv = P.T @ dO
D = sum(dO * O, axis=1, keepdims=True)
dS = P * (dO @ v.T - D)
output dq = dS @ k / K**0.5
output dk = dS.T @ q / K**0.5""", "the same"),
    "rope": Published("""dim T
data x: T x 8, dy: T x 8
angle = arange(T)[:, None] * exp(-log(10000) * arange(4) / 4)
c = cos(angle)
s = sin(angle)""", "output dx = concat(dy[:, :4] * c + dy[:, 4:] * s, dy[:, 4:] * c - dy[:, :4] * s, axis=1)",
        "Su et al. 2021: the rotation turned back"),
    "jsd": Published("""dim N, V
data P: N x V, Q: N x V
M = (P + Q) / 2
r = Q / M""", "output dQ = log(r) / 2", "Lin 1991: ½ log(Q/M)"),
    "jsd logs": Published("""dim N, V
data P: N x V, z: N x V
Q = softmax(z)
lq = log(Q)
lm = log((P + Q) / 2)""", """dX = 0.5 * Q * (lq - lm)
output dz = dX - Q * sum(dX, axis=1, keepdims=True)""", "Liger kernels, jsd: dX, then the rule of log_softmax"),
    "dpo": Published("""dim N, T, V
data y: N x T int < V, r: N, z: N x T x V
p = softmax(z)
m = 0.1 * (-sum(cross_entropy(z, y), axis=1) - r)""",
        "output dz = (0.1 * sigmoid(-m) / N)[:, None, None] * (p - one_hot(y, V))",
        "Rafailov et al. 2023, section 4: −β σ(−m) ∇ log π"),
    "grpo": Published("""dim N, T, V
data y: N x T int < V, A: N x 1, old: N x T, z: N x T x V
p = softmax(z)
ratio = exp(-cross_entropy(z, y) - old)
low = maximum(ratio, 0.8)
u = ratio * A
c = minimum(low, 1.2) * A""", """both = equal(u, c) / 2
du = -(less(u, c) + both) / (N * T)
dc = -(less(c, u) + both) / (N * T)
dlow = dc * A * (less(low, 1.2) + equal(low, 1.2) / 2)
dratio = du * A + dlow * (greater(ratio, 0.8) + equal(ratio, 0.8) / 2)
da = dratio * ratio
output dz = da[:, :, None] * (one_hot(y, V) - p)""",
        "TRL, GRPOTrainer, by PyTorch's rules of minimum, maximum, exp and cross_entropy: equal arguments share"),
    "clip": Published("""dim N, D
data u: N x D, v: N x D, s
es = exp(s)
logits = es * (u @ v.T)
P = softmax(logits)
Q = softmax(logits.T)""", """G = (P + Q.T - 2 * eye(N)) / (2 * N)
output ds = sum(G * logits)
dG = es * G
output du = dG @ v
output dv = dG.T @ u""", "Radford et al. 2021, figure 3, both softmaxes less the diagonal"),
    "vae": Published("""dim N, D, Z
data x: N x D, eps: N x Z, mu: N x Z, lv: N x Z, W: Z x D
v = exp(lv)
s = sqrt(v)
z = mu + s * eps
xr = z @ W""", """dxr = xr - x
output dW = z.T @ dxr
dz = dxr @ W.T
output dmu = dz + mu
output dlv = (dz * eps * s + v - 1) / 2""", "Kingma and Welling 2014, appendix B, with ∂z/∂lv = ε σ/2"),
    "cosine": Published("""dim N, D
data a: N x D, b: N x D, dc: N
na = norm(a, axis=1)
nb = norm(b, axis=1)
c = sum(a * b, axis=1) / (na * nb)""", """f = dc / (na * nb)
output da = f[:, None] * b - (dc * c / na^2)[:, None] * a
output db = f[:, None] * a - (dc * c / nb^2)[:, None] * b""", "textbooks: (b/‖b‖ − c a/‖a‖)/‖a‖"),
    "cosine bounded": Published("""dim N, D
data a: N x D, b: N x D, dc: N
na = norm(a, axis=1)
nb = norm(b, axis=1)
ma = maximum(na, 1e-8)
mb = maximum(nb, 1e-8)
c = sum(a * b, axis=1) / (ma * mb)""", """f = dc / (ma * mb)
output da = f[:, None] * b - (greater(na, 1e-8) * dc * c / (ma * na))[:, None] * a
output db = f[:, None] * a - (greater(nb, 1e-8) * dc * c / (mb * nb))[:, None] * b""",
        "PyTorch, cosine_similarity: norms bounded below"),
    "row norm": Published("""dim N, D
data A: N x D, da: N x D
n = norm(A, axis=1, keepdims=True)
a = A / n""", "output dA = (da - a * sum(a * da, axis=1, keepdims=True)) / n", "PyTorch, normalize: (δ − a(a·δ))/‖A‖"),
    "sgns": Published("""dim V, D, B, K
data U: V x D, W: V x D, c: B int < V, o: B int < V, n: B x K int < V
u = U[c]
wo = W[o]
wn = W[n]
p = sigmoid(sum(u * wo, axis=1))
q = sigmoid(sum(u[:, None, :] * wn, axis=2))""", """g = (p - 1) / B
h = q / B
output dU = scatter_add(g[:, None] * wo + sum(h[:, :, None] * wn, axis=1), c, V)
output dW = scatter_add(g[:, None] * u, o, V) + scatter_add(h[:, :, None] * u[:, None, :], n, V)""",
        "word2vec.c: g·syn1neg into neu1e, g·syn0 into syn1neg"),
    "lstm cell": Published("""dim N, H
data zi: N x H, zf: N x H, zg: N x H, zo: N x H, c0: N x H, dc: N x H, dh: N x H
i = sigmoid(zi)
f = sigmoid(zf)
g = tanh(zg)
o = sigmoid(zo)
tc = tanh(f * c0 + i * g)""", """dct = dc + dh * o * (1 - tc^2)
output dzi = dct * g * i * (1 - i)
output dzf = dct * c0 * f * (1 - f)
output dzg = dct * i * (1 - g^2)
output dzo = dh * tc * o * (1 - o)
output dc0 = dct * f""", "cs231n, lstm_step_backward"),
    "gru cell": Published("""dim N, H
data zr: N x H, zz: N x H, zn: N x H, q: N x H, h0: N x H, dh: N x H
r = sigmoid(zr)
z = sigmoid(zz)
n = tanh(zn + r * q)""", """dn = dh * (1 - z) * (1 - n^2)
output dzn = dn
output dzz = dh * (h0 - n) * z * (1 - z)
output dzr = dn * q * r * (1 - r)
output dq = dn * r
output dh0 = dh * z""", "PyTorch, gru_cell_backward"),
    "logistic": Published("""dim N, D
data X: N x D, y: N, w: D
a = sigmoid(X @ w)""", "output dw = X.T @ ((a - y) / N)", "textbooks: Xᵀ(a − y)/N"),
    "weight norm": Published("""dim N, D, M
data x: N x D, v: D x M, g: M, dy: N x M
n = norm(v, axis=0)
w = v * (g / n)""", """dw = x.T @ dy
output dg = sum(dw * v, axis=0) / n
output dv = g / n * dw - g * dg / n^2 * v
output dx = dy @ w.T""", "Salimans and Kingma 2016, equation 3"),
    "fused linear ce": Published("""dim N, D, V
data y: N int < V, x: N x D, W: V x D
p = softmax(x @ W.T)""", """dz = (p - one_hot(y, V)) / N
output dx = dz @ W
output dW = dz.T @ x""",
        "Liger, fused_linear_cross_entropy, without chunks"),
    "geglu tanh": Published("""dim N, D
data a: N x D, b: N x D, dy: N x D
t = tanh(sqrt(2 / pi) * (a + 0.044715 * a^3))
u = a * (1 + t) / 2""", """term1 = 0.5 * (1 + t)
term2 = 0.5 * a * (1 - t^2) * (sqrt(2 / pi) * (1 + 3 * 0.044715 * a^2))
output da = dy * b * (term1 + term2)
output db = dy * u""",
        "Liger, geglu: the two terms of the tanh GELU"),
    "dyt": Published("""dim N, D
data x: N x D, a, g: D, dy: N x D
t = tanh(a * x)""", """output dg = sum(dy * t, axis=0)
output db = sum(dy, axis=0)
m = (1 - t^2) * g * dy
output da = sum(m * x)
output dx = a * m""",
        "Liger, dyt: dynamic tanh"),
    "qk norm": Published("""dim T, S, K, E
data q: T x K, k: S x K, v: S x E, s, dO: T x E
nq = norm(q, axis=1, keepdims=True)
nk = norm(k, axis=1, keepdims=True)
u = q / nq
w = k / nk
G = u @ w.T
P = softmax(s * G)
O = P @ v""", """output dv = P.T @ dO
dP = dO @ v.T
dS = P * (dP - sum(dO * O, axis=1, keepdims=True))
output ds = sum(dS * G)
dG = s * dS
du = dG @ w
dw = dG.T @ u
output dq = (du - u * sum(du * u, axis=1, keepdims=True)) / nq
output dk = (dw - w * sum(dw * w, axis=1, keepdims=True)) / nk""",
        "Henry et al. 2020: attention of normalised queries and keys, rule by rule"),
    "add rms norm": Published("""dim N, D
data x: N x D, r: N x D, g: D, dh: N x D, dy: N x D
h = x + r
rstd = (mean(h^2, axis=1, keepdims=True) + 1e-5)**-0.5""", """xhat = h * rstd
m = dy * g
output dg = sum(dy * xhat, axis=0)
output dx = dh + rstd * (m - xhat * mean(m * xhat, axis=1, keepdims=True))
output dr = dx""",
        "Liger, fused_add_rms_norm: dx of the norm and what came past it"),
    "softmax1": Published("""dim N, V
data x: N x V, dp: N x V
e = exp(x)
p = e / (1 + sum(e, axis=1, keepdims=True))""", """output dx = p * (dp - sum(p * dp, axis=1, keepdims=True))""",
        "Miller 2023, off by one: the rule of softmax, where p adds up to less than 1"),
    "cosface": Published("""dim N, D, C
data y: N int < C, x: N x D, W: C x D
nx = norm(x, axis=1, keepdims=True)
nW = norm(W, axis=1, keepdims=True)
u = x / nx
v = W / nW
p = softmax(30 * (u @ v.T - 0.35 * one_hot(y, C)))""", """dz = 30 / N * (p - one_hot(y, C))
du = dz @ v
dv = dz.T @ u
output dx = (du - u * sum(du * u, axis=1, keepdims=True)) / nx
output dW = (dv - v * sum(dv * v, axis=1, keepdims=True)) / nW""",
        "Wang et al. 2018: p − onehot behind two normalisations"),
    "triplet": Published("""dim N, D
data a: N x D, p: N x D, n: N x D
m = sum((a - p)^2, axis=1) - sum((a - n)^2, axis=1) + 1""", """s = 2 / N * greater(m, 0)[:, None]
output da = s * (n - p)
output dp = s * (p - a)
output dn = s * (a - n)""",
        "textbooks: 2(n − p), 2(p − a), 2(a − n) where the margin is missed"),
    "barlow twins": Published("""dim N, D
data a: N x D, b: N x D
sa = std(a, axis=0)
sb = std(b, axis=0)
u = (a - mean(a, axis=0)) / sa
v = (b - mean(b, axis=0)) / sb
C = u.T @ v / N""", """dC = 2 * (0.005 * C + eye(D) * (0.995 * C - 1)) / N
du = v @ dC.T
dv = u @ dC
output da = (du - u * mean(du * u, axis=0)) / sa
output db = (dv - v * mean(dv * v, axis=0)) / sb""",
        "Zbontar et al. 2021, with the rule of a standardised column; columns of u add up to 0"),
    "covariance": Published("""dim N, D
data z: N x D
c = z - mean(z, axis=0)
C = c.T @ c / (N - 1)""", """output dz = c @ (4 / (D * (N - 1)) * C)""",
        "Bardes et al. 2022, the covariance term of VICReg: 4 c C/(D(n − 1))"),
    "rayleigh": Published("""dim N
data S: N x N symmetric, x: N
Sx = S @ x
n = x @ x
r = (x @ Sx) / n""", """output dx = 2 / n * (Sx - r * x)""",
        "textbooks: 2(Sx − r x)/xᵀx"),
    "poisson nll": Published("""dim N
data y: N, z: N
r = exp(z)""", """output dz = (r - y) / N""",
        "textbooks: λ − y behind the log link"),
    "simpo": Published("""dim N, T, V
data y: N x T int < V, w: N x T int < V, z: N x T x V, x: N x T x V
p = softmax(z)
q = softmax(x)
m = 2 * mean(cross_entropy(x, w) - cross_entropy(z, y), axis=1) - 1""",
        """c = (2 * sigmoid(-m) / (N * T))[:, None, None]
output dz = c * (p - one_hot(y, V))
output dx = -c * (q - one_hot(w, V))""",
        "Meng et al. 2024, as DPO's with means over the tokens"),
    "infonce": Published("""dim N, D
data a: N x D, b: N x D
na = norm(a, axis=1, keepdims=True)
nb = norm(b, axis=1, keepdims=True)
u = a / na
v = b / nb
p = softmax(u @ v.T / 0.1)""", """ds = 10 / N * (p - eye(N))
du = ds @ v
dv = ds.T @ u
output da = (du - u * sum(du * u, axis=1, keepdims=True)) / na
output db = (dv - v * sum(dv * v, axis=1, keepdims=True)) / nb""",
        "van den Oord et al. 2018: (softmax − I)/τ behind two normalisations"),
    "batch norm images": Published("""dim N, C, H, W
data x: N x C x H x W, g: C, dy: N x C x H x W
mu = mean(x, axis=(0, 2, 3))
sd = sqrt(var(x, axis=(0, 2, 3)) + 1e-5)
xhat = (x - mu[:, None, None]) / sd[:, None, None]""", """output dg = sum(dy * xhat, axis=(0, 2, 3))
output db = sum(dy, axis=(0, 2, 3))
output dx = (g / (N * H * W * sd))[:, None, None] * (N * H * W * dy - db[:, None, None] - xhat * dg[:, None, None])""",
        "cs231n, spatial_batchnorm_backward"),
    "gaussian process": Published("""dim N
data y: N, K: N x N
P = inv(K)
a = P.T @ y""", """output dK = P.T / 2 - outer(a, P @ (y / 2))""",
        "Rasmussen and Williams 2006, equation 5.9: ½(K⁻¹ − α αᵀ) for any K"),
    "low rank": Published("""dim N, K, M
data v: M, A: N x K, B: K x M, dy: N""", """output dA = outer(dy, B @ v)
output dB = outer(A.T @ dy, v)""", "textbooks: products with a vector from the right and from the left"),
    "inverse": Published("""dim N, K
data A: N x N, B: N x K, dX: N x K
Ai = inv(A)
X = Ai @ B""", """output dB = Ai.T @ dX
output dA = -(dB @ X.T)""", "Giles 2008, 2.2.3 and 2.2.4 in the order of a solver: −A⁻ᵀ X̄ Xᵀ"),
    "fast weights": Published("""dim N
data x: N, u: N, v: N, dy: N""", """output dW = outer(dy, x)
output du = dy * (x @ v)
output dv = x * (dy @ u)""", "Schlag et al. 2021: the gradients of an outer product are scaled vectors"),
    "bilinear score": Published("""dim N, M
data x: N, y: M, W: N x M
s = sigmoid(einsum("i,ij,j->", x, W, y))""", """d = s - 1
output dx = d * (W @ y)
output dy = d * (x @ W)
output dW = outer(d * x, y)""", "Socher et al. 2013: δ x yᵀ"),
    "gaussian nll": Published("""dim N, D
data y: N x D, mu: N x D, lv: N x D
iv = exp(-lv)
r = mu - y""", """dm = r * iv
output dmu = dm
output dlv = (1 - dm * r) / 2""",
        "Nix and Weigend 1994: r/σ², ½(1 − r²/σ²)"),
    "triplet norms": Published("""dim N, D
data a: N x D, p: N x D, n: N x D
u = a - p
v = a - n
dp_ = sqrt(sum((a - p)^2, axis=1))
dn_ = sqrt(sum((a - n)^2, axis=1))
m = dp_ - dn_ + 1""", """s = greater(m, 0) / N
gp = (s / dp_)[:, None] * u
gn = (s / dn_)[:, None] * v
output da = gp - gn
output dp = -gp
output dn = gn""",
        "textbooks: unit vectors of the two differences where the margin is missed"),
    "huber": Published("""dim N, D
data y: N x D, x: N x D
r = x - y
a = abs(r)""", """output dx = where(less(a, 1), r, sign(r)) / (N * D)""",
        "PyTorch, huber_loss_backward: r where |r| < δ, else δ sign r"),
    "label smoothing spelled": Published("""dim N, V
data y: N int < V, z: N x V
p = softmax(z)
t = 0.9 * one_hot(y, V) + 0.1 / V""", """output dz = (p - t) / N""",
        "Szegedy et al. 2016, section 7, every step spelled out"),
    "hinge squared": Published("""dim N, D
data X: N x D, y: N, w: D
m = relu(1 - y * (X @ w))""", """output dw = X.T @ (-2 / N * m * y)""",
        "textbooks: −2 y relu(1 − y f)"),
    "tied autoencoder": Published("""dim N, D, H
data x: N x D, W: D x H, b: H, c: D
h = sigmoid(x @ W + b)
r = h @ W.T + c - x""", """d = r / N
dz = (d @ W) * h * (1 - h)
output dW = x.T @ dz + d.T @ h
output db = sum(dz, axis=0)
output dc = sum(d, axis=0)""",
        "textbooks: the two uses of a tied matrix added up"),
    "mixture nll": Published("""dim N, K
data y: N, a: N x K, mu: N x K, ls: N x K
s = exp(ls)
z = (y[:, None] - mu) / s
p = softmax(a)
r = softmax(log_softmax(a) - ls - z^2 / 2)""", """output da = (p - r) / N
w = r / N
output dmu = -w * z / s
output dls = w * (1 - z^2)""",
        "Bishop 1994, equations 6.33 to 6.38: responsibilities"),
    "cox": Published("""dim N
data R: N x N, d: N, t: N
e = exp(t)
S = R @ e""", """output dt = e * (R.T @ (d / S)) - d""",
        "Katzman et al. 2018: d − e Rᵀ(d/Re), negative"),
}

MORE = {
    "logarithms of mixtures": """dim N, D, K
param w: N x D, M: D x K
p = softmax(w)
loss L = sum(log(p @ M))""",
    "a mixture's weights": """dim N, K
param v: K, f: N x K
loss L = sum(logsumexp(log_softmax(v) + f, axis=1))""",
    "logarithms of running sums": """dim N, D
param w: N x D
p = softmax(w)
loss L = sum(log(cumsum(p, axis=1)))""",
    "logarithms of squared averages": """dim N, D, K
param w: N x D, M: D x K
p = w / sum(w, axis=1, keepdims=True)
a = (p @ M)^2
loss L = sum(log(a))""",
    "rayleigh of rows": """dim B, N
data S: N x N symmetric
param X: B x N
loss L = sum(sum((X @ S) * X, axis=1) / sum(X * X, axis=1))""",
    "gram": """dim N, D
input z: N x D
data G: D x D
loss L = sum((z.T @ z - G)^2)""",
    "a product divided by itself": """dim n, m
param c, k
data u: m, W: n x m
h = u @ W.T
z = (c / h) @ W
loss L = k * sum(z * u)""",
    "trace": """dim M, N, K
data A: M x N, B: M x K
param X: N x K
E = A @ X - B
loss L = trace(E.T @ E) / 2""",
    "softsign": "dim N\ninput u: N\noutput y = u / (1 + abs(u))",
    "saturation": "dim N\ninput u: N\nparam k\noutput y = u / (k + u)",
    "tanh in exponentials": "dim N\ninput z: N\noutput y = (exp(z) - exp(-z)) / (exp(z) + exp(-z))",
    "logistic in exponentials": "dim N\ninput z: N\ne = exp(z)\noutput y = e / (1 + e)",
    "log of a determinant's size": "dim N\nparam A: N x N\nloss L = log(abs(det(A)))",
    "attention of itself": """dim T, K
input x: T x K
output O = softmax(x @ x.T) @ x""",
    "shares": """dim N, V
data t: N x V
input z: N x V
p = softmax(z)
loss L = sum(p) + sum(p * t)""",
    "mask twice": """dim N
input a: N
m = greater_equal(a, 0.5)
loss L = sum(a * m * m)""",
    "norm squared": """dim M, N
data A: M x N, b: M
param x: N
r = A @ x - b
d = norm(r)
loss L = d^2""",
    "ln E[x2]": """dim N, D
input x: N x D
param g: D, b: D
mu = mean(x, axis=1, keepdims=True)
v = mean(x * x, axis=1, keepdims=True) - mu * mu
xhat = (x - mu) / sqrt(v + 1e-5)
output y = xhat * g + b""",
    "soft labels": """dim N, V
data p: N x V simplex
input Z: N x V
loss L = mean(cross_entropy(Z, p))""",
    "quadratic form": """dim N
param x: N
data S: N x N symmetric, b: N
loss L = x @ S @ x / 2 - b @ x""",
    "kl softmax": """dim N, V
data p: N x V
input z: N x V
q = softmax(z)
loss L = kl_divergence(p, q)[0]""",
    "std": """dim N
input x: N
loss L = sqrt(mean((x - mean(x))^2))""",
    "attn pool": """dim T, D
input x: T x D
param u: D
a = softmax(x @ u)
output c = a @ x""",
}

LOOPS = {
    "norm in a loop": """dim T, N, D
data x: T x N x D, h[0]: N x D
param W: D x D, g: D
for t in 1..T:
    u[t] = x[t] + h[t-1] @ W
    c[t] = u[t] - mean(u[t], axis=1, keepdims=True)
    s[t] = sqrt(mean(c[t]^2, axis=1, keepdims=True) + 1e-5)
    xhat[t] = c[t] / s[t]
    h[t] = tanh(xhat[t] * g)
loss L = mean(h[T]^2)""",
    "soft labels in a loop": """dim T, N, V
data p: T x N x V simplex, h[0]: N x V
param W: V x V
for t in 1..T:
    z[t] = h[t-1] @ W
    l[t] = sum(cross_entropy(z[t], p[t]))
    h[t] = tanh(z[t])
loss L = mean(l)""",
    "gated loop": """dim T, N, D
data x: T x N x D, h[0]: N x D
param W: D x D, U: D x D
for t in 1..T:
    v[t] = h[t-1] @ U
    h[t] = (x[t] @ W) * silu(v[t])
loss L = mean(h^2)""",
    "row norm in a loop": """dim T, N, K
data x: T x N x K, h[0]: N x K
param W: K x K
for t in 1..T:
    q[t] = h[t-1] @ W + x[t]
    n[t] = q[t] / norm(q[t], axis=1, keepdims=True)
    h[t] = n[t] @ W
loss L = mean(h[T]^2)""",
    "layer norm in a loop": """dim T, N, D
data x: T x N x D, h[0]: N x D
param W: D x D, g: D
for t in 1..T:
    z[t] = layer_norm(x[t] + h[t-1] @ W)
    h[t] = silu(z[t] * g)
loss L = mean(h[T]^2)""",
}

CLASSES = "dim N, V\ndata y: N int < V, t: N x V simplex\ninput z: N x V\n"
SHIFTED = "m = max(z, axis=1, keepdims=True)\ne = exp(z - m)\n"
SHARES = "p = e / sum(e, axis=1, keepdims=True)\n"
LABELS = "dim N\ndata y: N\ninput z: N\n"
BERNOULLI = "loss L = -mean(y * log(a) + (1 - y) * log(1 - a))"
ROWS = "dim N, D\ninput x: N x D\nmu = mean(x, axis=1, keepdims=True)\nc = x - mu\n"

SPELLED = {
    "(p − onehot(y))/N": [
        CLASSES + "loss L = mean(cross_entropy(z, y))",
        CLASSES + "p = softmax(z)\nloss L = -mean(log(pick(p, y)))",
        CLASSES + "e = exp(z)\n" + SHARES + "loss L = -mean(log(pick(p, y)))",
        CLASSES + SHIFTED + SHARES + "loss L = -mean(log(pick(p, y)))",
        CLASSES + "e = exp(z)\n" + SHARES + "loss L = -mean(sum(one_hot(y, V) * log(p), axis=1))",
    ],
    "(softmax(S) − I)/N": [
        "dim N\nparam S: N x N\nloss L = -mean(diag(log_softmax(S)))",
        "dim N\nparam S: N x N\nloss L = -trace(log_softmax(S)) / N",
    ],
    "(p − t)/N": [
        CLASSES + "loss L = mean(cross_entropy(z, t))",
        CLASSES + "p = softmax(z)\nloss L = -mean(sum(t * log(p), axis=1))",
        CLASSES + "e = exp(z)\n" + SHARES + "loss L = -mean(sum(t * log(p), axis=1))",
        CLASSES + SHIFTED + SHARES + "loss L = -mean(sum(t * log(p), axis=1))",
    ],
    "p ⊙ (∂L/∂p − (Σ_v (∂L/∂p ⊙ p)[:, v]) 1_Vᵀ)": [
        CLASSES + "output p = softmax(z)",
        CLASSES + "e = exp(z)\noutput " + SHARES,
        CLASSES + SHIFTED + "output " + SHARES,
    ],
    "(a − y)/N": [
        LABELS + "a = sigmoid(z)\n" + BERNOULLI,
        LABELS + "a = 1 / (1 + exp(-z))\n" + BERNOULLI,
        LABELS + "e = exp(-z)\na = 1 / (1 + e)\n" + BERNOULLI,
    ],
    "(∂L/∂y − (m₁ 1_Dᵀ) ⊙ y − m₂ 1_Dᵀ)/(s 1_Dᵀ)": [
        "dim N, D\ninput x: N x D\noutput y = layer_norm(x)",
        ROWS + "s = sqrt(mean(c**2, axis=1, keepdims=True) + 1e-5)\noutput y = c / s",
        ROWS + "v = mean(c * c, axis=1, keepdims=True)\ns = sqrt(v + 1e-5)\noutput y = c / s",
    ],
}
