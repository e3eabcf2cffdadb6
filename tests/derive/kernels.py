"""Kernels whose backward pass is published: as model text, with what the published one costs.

``multiplications`` are those of the hand-written backward pass, products and quotients of arrays, one-hot arrays aside;
``stored`` are the arrays of the forward pass that it reads besides inputs and parameters. In
``printed.txt`` stand the closed forms of their derivations, none where the sweep finds the published form already.
`MORE` are other models in which something cancels, `LOOPS` such models in the body of a loop, `SPELLED` ways of writing
one function out, the library's own first, with the form that those which name their parts end in.
"""

from __future__ import annotations

from typing import NamedTuple


class Kernel(NamedTuple):
    """A model, what its backward pass costs by hand, and where that stands."""

    text: str
    multiplications: str
    stored: int
    source: str


KERNELS = {
    "layer norm": Kernel(
        """dim N, D
input x: N x D
param g: D, b: D
output y = layer_norm(x) * g + b""",
        "6*N*D + 3*N", 2, "llm.c, layernorm_backward: norm, dnorm, dnorm·norm, dweight, norm·mean, ·rstd",
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
output y = xhat * g + b""",
        "5*N*D + 3*N", 2, "the same with x̂ kept",
    ),
    "batch norm": Kernel(
        """dim N, D
input x: N x D
param g: D, b: D
output y = batch_norm(x) * g + b""",
        "4*N*D + 3*D", 2, "cs231n, batchnorm_backward_alt: γ/(Nσ)(N dy − dβ − x̂ dγ), dγ",
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
output y = g * xhat + b""",
        "4*N*D + 3*D", 2, "the same",
    ),
    "group norm": Kernel(
        """dim N, G, C, S
input x: N x G x C x S
param g: G x C x 1, b: G x C x 1
mu = mean(x, axis=(2, 3), keepdims=True)
c = x - mu
s = sqrt(mean(c^2, axis=(2, 3), keepdims=True) + 1e-5)
xhat = c / s
output y = xhat * g + b""",
        "5*N*G*C*S + 3*N*G", 2, "cs231n, spatial_groupnorm_backward",
    ),
    "instance norm": Kernel(
        """dim N, C, S
input x: N x C x S
param g: C x 1, b: C x 1
mu = mean(x, axis=2, keepdims=True)
c = x - mu
s = sqrt(mean(c^2, axis=2, keepdims=True) + 1e-5)
xhat = c / s
output y = xhat * g + b""",
        "5*N*C*S + 3*N*C", 2, "the same, one channel a group",
    ),
    "rms norm": Kernel(
        """dim N, D
input x: N x D
param g: D
output y = rms_norm(x) * g""",
        "6*N*D + 2*N", 1, "by hand: (ĝ − x̂ mean(ĝ x̂))/r with x̂ and dγ",
    ),
    "rms norm spelled": Kernel(
        """dim N, D
input x: N x D
param g: D
r = (mean(x^2, axis=1, keepdims=True) + 1e-5)**-0.5
xhat = x * r
output y = xhat * g""",
        "5*N*D + 2*N", 2, "the same with x̂ kept",
    ),
    "hard ce": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
loss L = mean(cross_entropy(z, y))""",
        "N*V", 1, "min-char-rnn: p − onehot, over N",
    ),
    "soft ce": Kernel(
        """dim N, V
data t: N x V
input z: N x V
loss L = mean(cross_entropy(z, t))""",
        "2*N*V", 1, "by hand: (p Σt − t)/N",
    ),
    "soft ce softmax": Kernel(
        """dim N, V
data t: N x V
input z: N x V
p = softmax(z)
loss L = -mean(sum(t * log(p), axis=1))""",
        "2*N*V", 1, "the same",
    ),
    "soft ce spelled": Kernel(
        """dim N, V
data t: N x V
input z: N x V
e = exp(z - max(z, axis=1, keepdims=True))
p = e / sum(e, axis=1, keepdims=True)
loss L = -mean(sum(t * log(p), axis=1))""",
        "2*N*V", 1, "the same",
    ),
    "soft ce spelled plain": Kernel(
        """dim N, V
data t: N x V
input z: N x V
e = exp(z)
p = e / sum(e, axis=1, keepdims=True)
loss L = -mean(sum(t * log(p), axis=1))""",
        "2*N*V", 1, "the same",
    ),
    "smoothed ce": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
loss L = mean(smoothed_cross_entropy(z, y, 0.1))""",
        "N*V", 1, "Szegedy et al. 2016: (p − q)/N",
    ),
    "z-loss": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
lse = logsumexp(z, axis=1)
loss L = mean(cross_entropy(z, y)) + 1e-4 * mean(lse^2)""",
        "2*N*V + N", 2, "T5X, _cross_entropy_with_logits_bwd: ((1 + 2λ log Z) p − onehot)/N",
    ),
    "softcap": Kernel(
        """dim N, V
data y: N int < V
input z: N x V
const cap = 30
c = cap * tanh(z / cap)
loss L = mean(cross_entropy(c, y))""",
        "3*N*V", 2, "by hand: (1 − t²)(p − onehot)/N",
    ),
    "swiglu": Kernel(
        """dim N, D
input a: N x D, b: N x D
output y = silu(a) * b""",
        "5*N*D", 2, "llama.cpp, silu_back: dy b σ(1 + a(1 − σ)) and dy·silu",
    ),
    "swiglu spelled": Kernel(
        """dim N, D
input a: N x D, b: N x D
s = sigmoid(a)
u = a * s
output y = u * b""",
        "5*N*D", 2, "the same",
    ),
    "geglu": Kernel(
        """dim N, D
input a: N x D, b: N x D
output y = gelu(a) * b""",
        "4*N*D", 2, "by hand: dy b (Φ + a φ) and dy·gelu",
    ),
    "attention": Kernel(
        """dim T, S, K, E
input q: T x K, k: S x K, v: S x E
P = softmax(q @ k.T / K**0.5)
output O = P @ v""",
        "2*E*S*T + 2*K*S*T + 3*S*T", 1, "Dao et al. 2022, algorithm 4 without tiles",
    ),
    "attention causal": Kernel(
        """dim T, K, E
input q: T x K, k: T x K, v: T x E
output O = attention(q, k, v, causal=True)""",
        "2*E*T**2 + 2*K*T**2 + 3*T**2", 2, "the same",
    ),
    "rope": Kernel(
        """dim T
input x: T x 8
output y = rotary(x)""",
        "16*T", 2, "by hand: the rotation turned back",
    ),
    "jsd": Kernel(
        """dim N, V
data P: N x V
input Q: N x V
M = (P + Q) / 2
loss L = sum(P * log(P / M) + Q * log(Q / M)) / 2""",
        "N*V", 1, "by hand: ½ log(Q/M)",
    ),
    "jsd logs": Kernel(
        """dim N, V
data P: N x V
input z: N x V
Q = softmax(z)
M = (P + Q) / 2
loss L = sum(P * (log(P) - log(M)) + Q * (log(Q) - log(M))) / 2""",
        "3*N*V", 3, "the same through a softmax",
    ),
    "dpo": Kernel(
        """dim N, T, V
data y: N x T int < V, r: N
input z: N x T x V
const beta = 0.1
lp = -sum(cross_entropy(z, y), axis=1)
m = beta * (lp - r)
loss L = -mean(log(sigmoid(m)))""",
        "N*T*V + 2*N", 2, "Rafailov et al. 2023: −β σ(−m)(onehot − p)/N",
    ),
    "grpo": Kernel(
        """dim N, T, V
data y: N x T int < V, A: N x 1, old: N x T
input z: N x T x V
lp = -cross_entropy(z, y)
ratio = exp(lp - old)
loss L = -mean(minimum(ratio * A, minimum(maximum(ratio, 0.8), 1.2) * A))""",
        "N*T*V + 5*N*T + N", 5, "by hand: masked ratio times advantage, times (onehot − p)",
    ),
    "clip": Kernel(
        """dim N, D
input u: N x D, v: N x D
param s
logits = exp(s) * (u @ v.T)
loss L = (mean(cross_entropy(logits, arange(N))) + mean(cross_entropy(logits.T, arange(N)))) / 2""",
        "2*D*N**2 + 3*N**2", 4, "by hand: (p_rows + p_columnsᵀ − 2I)/(2N)",
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
loss L = rec + kl""",
        "2*D*N*Z + 3*N*Z", 4, "by hand: dz ⊙ eps ⊙ s, and ½(e^lv − 1)",
    ),
    "cosine": Kernel(
        """dim N, D
input a: N x D, b: N x D
output c = cosine_similarity(a, b)""",
        "4*N*D + 12*N", 5, "by hand: (b/‖b‖ − c a/‖a‖)/‖a‖, small factors first, norms bounded below",
    ),
    "cosine spelled": Kernel(
        """dim N, D
input a: N x D, b: N x D
na = sqrt(sum(a^2, axis=1))
nb = sqrt(sum(b^2, axis=1))
output c = sum(a * b, axis=1) / (na * nb)""",
        "4*N*D + 8*N", 3, "the same",
    ),
    "row norm": Kernel(
        """dim N, D
input A: N x D
output a = A / norm(A, axis=1, keepdims=True)""",
        "3*N*D + N", 2, "by hand: (δ − a(a·δ))/‖A‖",
    ),
    "row norm spelled": Kernel(
        """dim N, D
input A: N x D
n = sqrt(sum(A^2, axis=1, keepdims=True))
output a = A / n""",
        "3*N*D + N", 2, "the same",
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
loss L = -mean(log(sigmoid(sp)) + sum(log(sigmoid(-sn)), axis=1))""",
        "2*B*D*K + 2*B*D + B*K + B", 5, "word2vec.c: g·u, g·w",
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
output h = o * tc""",
        "16*N*H", 5, "by hand: three factors a gate, with dc and dc0",
    ),
    "gru cell": Kernel(
        """dim N, H
input zr: N x H, zz: N x H, zn: N x H, q: N x H, h0: N x H
r = sigmoid(zr)
z = sigmoid(zz)
n = tanh(zn + r * q)
output h = (1 - z) * n + z * h0""",
        "11*N*H", 3, "by hand: three factors a gate",
    ),
    "logistic": Kernel(
        """dim N, D
data X: N x D, y: N
param w: D
z = X @ w
a = sigmoid(z)
loss L = -mean(y * log(a) + (1 - y) * log(1 - a))""",
        "D*N + N", 1, "by hand: Xᵀ(a − y)/N",
    ),
    "logistic spelled": Kernel(
        """dim N, D
data X: N x D, y: N
param w: D
z = X @ w
a = 1 / (1 + exp(-z))
loss L = -mean(y * log(a) + (1 - y) * log(1 - a))""",
        "D*N + N", 1, "the same",
    ),
    "weight norm": Kernel(
        """dim N, D, M
input x: N x D
param v: D x M, g: M
n = norm(v, axis=0)
w = v * (g / n)
output y = x @ w""",
        "2*D*M*N + 3*D*M + 2*M", 3, "Salimans and Kingma 2016, equation 3",
    ),
    "weight norm spelled": Kernel(
        """dim N, D, M
input x: N x D
param v: D x M, g: M
n = sqrt(sum(v^2, axis=0))
w = g * v / n
output y = x @ w""",
        "2*D*M*N + 3*D*M + 5*M", 2, "the same",
    ),
}

MORE = {
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
