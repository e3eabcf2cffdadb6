"""Right implementations of many models in every form, and wrong ones that differ from them in one place or two.

The code stands in `code/`. A `Wrong` is an edit of one of them (all occurrences of ``old`` become ``new``), the
gradient that it spoils, and words that occur in what has to be said of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CODE = Path(__file__).parent / "code"

MODELS = {
    "affine": "dim N, D, M\ninput X: N x D\nparam W: D x M, b: M\noutput Y = X @ W + b",
    "affine-relu": "dim N, D, M\ninput x: N x D\nparam w: D x M, b: M\na = x @ w + b\noutput out = relu(a)",
    "layer-norm": """dim N, D
input x: N x D
param g: D, b: D
const eps = 1e-5
mu = mean(x, axis=1, keepdims=True)
v = var(x, axis=1, keepdims=True)
xh = (x - mu) / sqrt(v + eps)
output y = g * xh + b""",
    "layer-norm-call": "dim N, D\ninput x: N x D\nparam g: D, b: D\noutput y = g * layer_norm(x) + b",
    "batch-norm": """dim N, D
input x: N x D
param gamma: D, beta: D
const eps = 1e-5
mu = mean(x, axis=0)
v = mean((x - mu)**2, axis=0)
xhat = (x - mu) / sqrt(v + eps)
output y = gamma * xhat + beta""",
    "rms-norm": "dim N, D\ninput x: N x D\nparam g: D\noutput y = g * rms_norm(x)",
    "softmax-regression": """dim N, D, C
data X: N x D, y: N int < C
param W: D x C, b: C
const lam = 0.1
s = X @ W + b
loss L = mean(cross_entropy(s, y)) + lam * sum(W**2)""",
    "attention": """dim T, d, M
input Q: T x d, K: T x d, V: T x M
S = Q @ K.T / sqrt(d)
P = softmax(S)
output O = P @ V""",
    "causal-attention": """dim T, d, M
input Q: T x d, K: T x d, V: T x M
S = where(causal_mask(T), Q @ K.T / sqrt(d), -inf)
P = softmax(S)
output O = P @ V""",
    "two-layer": """dim N, D, H, C
data X: N x D, y: N int < C
param W1: D x H, b1: H, W2: H x C, b2: C
Z1 = X @ W1 + b1
A1 = relu(Z1)
Z2 = A1 @ W2 + b2
loss L = mean(cross_entropy(Z2, y))""",
    "conv": """dim N, H, Wd, C, K
input X: N x H x Wd x C
param W: 2 x 3 x C x K, b: K
output Y = conv2d(X, W) + b""",
    "max-pool": "dim N, C\ninput x: N x 4 x 6 x C\noutput y = max_pool2d(x, 2)",
    "swiglu": "dim N, D\ninput e: N x D, gate: N x D\noutput h = silu(e) * gate",
    "gelu-tanh": "dim N\ninput x: N\noutput y = gelu_tanh(x)",
    "swish": "dim N, D\ninput x: N x D\noutput y = silu(x)",
    "dropout": """dim N, D, M
input x: N x D
data mask: N x M
param w: D x M
const keep = 0.8
a = relu(x @ w)
output y = a * mask / keep""",
    "quadratic": "dim D\nparam S: D x D, x: D\nloss L = dot(x, S @ x)",
    "softmax": "dim N, C\ninput z: N x C\noutput p = softmax(z)",
    "cross-entropy": "dim N, C\ninput z: N x C\ndata y: N int < C\nloss L = mean(cross_entropy(z, y))",
    "lora": """dim N, D, R, M
input x: N x D
data W: D x M
param A: D x R, B: R x M
output y = x @ W + (x @ A) @ B""",
    "softplus": "dim N, D, M\ninput X: N x D\nparam W: D x M\nZ = X @ W\noutput Y = softplus(Z)",
    "logistic": """dim N, D
data X: N x D, y: N
param w: D, b
z = X @ w + b
a = sigmoid(z)
loss L = mean(binary_cross_entropy(a, y))""",
    "matmul": "dim N, D, M\ninput X: N x D\nparam W: D x M\noutput Y = X @ W",
    "label-smoothing": """dim N, D, C
data X: N x D, y: N int < C
param W: D x C, b: C
const s = 0.1
z = X @ W + b
q = (1 - s) * one_hot(y, C) + s / C
loss L = -mean(sum(q * log_softmax(z), axis=1))""",
    "conv-nchw": """dim N, C, H, Wd, K
input x: N x C x H x Wd
param w: K x C x 3 x 3, b: K
output y = conv2d(x, w, padding=1, layout="NCHW") + reshape(b, (1, K, 1, 1))""",
    "group-norm": """dim N, H, Wd, G = 2, K = 3
input x: N x G*K x H x Wd
param g: G*K
xg = reshape(x, (N, G, K*H*Wd))
mu = mean(xg, axis=-1, keepdims=True)
v = var(xg, axis=-1, keepdims=True)
xh = reshape((xg - mu) / sqrt(v + 1e-5), (N, G*K, H, Wd))
output y = xh * reshape(g, (1, G*K, 1, 1))""",
    "masked-attention": """dim T, d
input Q: T x d, K: T x d, V: T x d
S = Q @ K.T / sqrt(d)
P = softmax(where(causal_mask(T), S, -inf))
output O = P @ V""",
    "shift-head": """dim N, R, W
input k: N x W, M: N x R x W, wp: N x R, g: N x 1, s: N x 1
c = einsum("nw,nrw->nr", k, M)
wc = softmax(c)
wg = g * wc + (1 - g) * wp
ws = s * roll(wg, 1, 1) + (1 - s) * wg
v = ws ** 3
output w = v / sum(v, axis=-1, keepdims=True)""",
    "preference": """dim N, D
data xw: N x D, xl: N x D, rw: N, rl: N
param w: D
const beta = 0.3
a = xw @ w - rw
b = xl @ w - rl
m = beta * (a - b)
loss L = -mean(log(sigmoid(m)))""",
    "factorisation": """dim U, I, K, N
data u: N int < U, i: N int < I, r: N
param P: U x K, Q: I x K
const lam = 0.02
e = sum(P[u] * Q[i], axis=1) - r
loss L = mean(e**2) + lam * (sum(P**2) + sum(Q**2))""",
    "crf": """dim T, C
data x: T x C, a[0]: C
param A: C x C
for t in 1..T:
    a[t] = logsumexp(A + reshape(a[t-1], (C, 1)), axis=0) + x[t]
loss L = logsumexp(a[T])""",
    "bilinear": """dim N, I, J, O
input x: N x I, y: N x J
param A: O x I x J
output z = einsum("ni,oij,nj->no", x, A, y)""",
    "causal-conv": """dim N, T, C
input x: N x T x C
param w: 3 x C
xp = concat(zeros((N, 2, C)), x, axis=1)
output y = w[0] * xp[:, :T] + w[1] * xp[:, 1:T+1] + w[2] * xp[:, 2:]""",
    "lstm-cell": """dim N, H
input a: N x 4*H, c: N x H
i = sigmoid(a[:, :H])
f = sigmoid(a[:, H:2*H])
o = sigmoid(a[:, 2*H:3*H])
g = tanh(a[:, 3*H:])
output cn = f * c + i * g
output hn = o * tanh(cn)""",
    "distillation": """dim N, C
input z: N x C
data q: N x C simplex
const tau = 2.5
loss L = tau**2 * mean(cross_entropy(z / tau, q))""",
    "ridge": """dim N, D
data X: N x D
input u: D
param lam
w = solve(X.T @ X + exp(lam) * eye(D), u)
loss L = sum(w**2)""",
    "straight-through": """dim N, D
input x: N x D
param s
q = s * tanh(x / s)
output y = x + stop_gradient(q - x) + s * x""",
    "gaussian": """dim N, D
data x: N x D
param A: D x D
S = A @ A.T + 0.1 * eye(D)
z = solve(S, x.T)
loss L = logdet(S) / 2 + sum(x.T * z) / (2 * N)""",
    "grouped": """dim N, G = 2, K = 3, H
input x: N x G x K x H
mu = mean(x, axis=(2, 3), keepdims=True)
v = var(x, axis=(2, 3), keepdims=True)
output y = (x - mu) / sqrt(v + 1e-5)""",
    "counts": """dim N, V
input logits: N x V
data y: N int < V
norm = logits - max(logits, axis=1, keepdims=True)
counts = exp(norm)
total = sum(counts, axis=1, keepdims=True)
inverse = total**-1
probs = counts * inverse
logprobs = log(probs)
loss L = -mean(take_along_axis(logprobs, reshape(y, (N, 1)), axis=1))""",
    "spread": """dim N, H, C
input x: N x H x C
mu = mean(x, axis=(0, 1))
v = sum((x - mu)**2, axis=(0, 1)) / (N*H - 1)
output y = (x - mu) / sqrt(v + 1e-5)""",
    "smooth": """dim N, V
input z: N x V
data y: N int < V
const a = 0.1
lp = log_softmax(z)
loss L = mean(-(1 - a) * sum(lp * one_hot(y, V), axis=1) - a * mean(lp, axis=1))""",
    "pieces": """dim N
param r: N, x: N
const delta = 1.5
loss L = mean(huber(r, 0, delta)) + mean(clip(x, 0, 6))""",
    # of courses, forums and libraries
    "makemore": """dim n, K, E, H, V
data ix: n x K int < V, y: n int < V
param C: V x E, W1: K*E x H, b1: H, gain: 1 x H, bias: 1 x H, W2: H x V, b2: V
emb = C[ix]
cat = reshape(emb, (n, K*E))
pre = cat @ W1 + b1
mean = mean(pre, axis=0, keepdims=True)
diff = pre - mean
var = sum(diff**2, axis=0, keepdims=True) / (n - 1)
inv = (var + 1e-5)**-0.5
raw = diff * inv
hpre = gain * raw + bias
h = tanh(hpre)
logits = h @ W2 + b2
loss L = mean(cross_entropy(logits, y))""",
    "columns": """dim D, H, m
data X: D x m, Y: 1 x m
param W1: H x D, b1: H x 1, W2: 1 x H, b2: 1 x 1
const lam = 0.7
A1 = tanh(W1 @ X + b1)
A2 = sigmoid(W2 @ A1 + b2)
loss J = sum(binary_cross_entropy(A2, Y)) / m + lam / (2*m) * (sum(W1**2) + sum(W2**2))""",
    "strided": """dim N, H, Wd, C, K
input A: N x H x Wd x C
param W: 3 x 3 x C x K, b: K
output Z = conv2d(A, W, stride=2, padding=1) + b""",
    "average-pool": "dim N, C\ninput x: N x 4 x 6 x C\noutput y = avg_pool2d(x, 2)",
    "digits": """dim D, H, M, C
data x: D, t: C
param W1: H x D, b1: H, W2: M x H, b2: M, W3: C x M, b3: C
a1 = sigmoid(W1 @ x + b1)
a2 = sigmoid(W2 @ a1 + b2)
a3 = sigmoid(W3 @ a2 + b3)
loss L = sum((a3 - t)**2) / 2""",
    "regression": """dim n, D, H
data X: n x D, y: n
param W1: D x H, b1: H, W2: H
z = X @ W1 + b1
a = leaky_relu(z, 0.01)
out = a @ W2
loss L = mean((out - y)**2)""",
    "grouped-queries": """dim N, G, T, d
input Q: N x G x T x d, K: N x T x d, V: N x T x d
P = softmax(einsum("kgid,kjd->kgij", Q, K) / sqrt(d))
output O = einsum("kgij,kjd->kgid", P, V)""",
    "rotary": """dim T, d
input x: T x (2*d)
data c: T x d, s: T x d
x1 = x[:, :d]
x2 = x[:, d:]
output y = concat(x1 * c - x2 * s, x2 * c + x1 * s, axis=1)""",
    "tied": """dim n, V, D
data ids: n int < V, y: n int < V
param E: V x D
h = tanh(E[ids])
z = h @ E.T
loss L = mean(cross_entropy(z, y))""",
    "contrastive": """dim n, D
input a: n x D, b: n x D
const tau = 0.5
s = a @ b.T / tau
loss L = (mean(cross_entropy(s, arange(n))) + mean(cross_entropy(s.T, arange(n)))) / 2""",
    "triplet": """dim N, D
input a: N x D, p: N x D, n: N x D
gap = sum((a - p)**2, axis=1) - sum((a - n)**2, axis=1) + 1
loss L = mean(relu(gap))""",
    "skipgram": """dim N, W, D, K
data c: N int < W, o: N int < W, k: N x K int < W
param V: W x D, U: W x D
u = sum(V[c] * U[o], axis=1)
s = einsum("nd,nkd->nk", V[c], U[k])
loss L = mean(softplus(-u) + sum(softplus(s), axis=1))""",
    "normalised": """dim N, D
input x: N x D
r = sqrt(sum(x**2, axis=1, keepdims=True))
output y = x / r""",
    "residual": """dim N, D, H
input x: N x D
param W1: D x H, W2: H x D
mu = mean(x, axis=1, keepdims=True)
r = 1 / sqrt(var(x, axis=1, keepdims=True) + 1e-5)
xh = (x - mu) * r
u = xh @ W1
output y = x + relu(u) @ W2""",
    "gru": """dim N, D, H
data x: N x D
input h: N x H
param W_z: D x H, U_z: H x H, W_r: D x H, U_r: H x H, W_n: D x H, U_n: H x H
z = sigmoid(x @ W_z + h @ U_z)
r = sigmoid(x @ W_r + h @ U_r)
n = tanh(x @ W_n + (r * h) @ U_n)
output next = z * h + (1 - z) * n""",
    "clipped-policy": """dim N
input logp: N
data old: N, adv: N
const eps = 0.2
ratio = exp(logp - old)
loss L = -mean(minimum(ratio * adv, clip(ratio, 1 - eps, 1 + eps) * adv))""",
    "poisson": """dim N, D
data X: N x D, y: N
param w: D, b
e = X @ w + b
loss L = sum(exp(e) - y * e)""",
    "autoencoder": """dim N, D, K
data X: N x D
param W: D x K
R = X @ W @ W.T
loss L = sum((R - X)**2) / N""",
    "mixture": """dim N, K
data x: N
param mu: K, logits: K
g = log_softmax(logits) - (reshape(x, (N, 1)) - mu)**2 / 2
loss L = -sum(logsumexp(g, axis=1))""",
    "focal": """dim N
input z: N
data t: N int < 2
p = sigmoid(z)
pt = where(t == 1, p, 1 - p)
loss L = -mean((1 - pt)**2 * log(pt))""",
    "divergence": """dim N, C
input s: N x C
data q: N x C simplex
const tau = 2
lp = log_softmax(s / tau)
loss L = sum(q * (log(q) - lp)) / N""",
    "gated": """dim N, D, H
input x: N x D
param W: D x H, V: D x H, O: H x D
a = x @ W
b = x @ V
output y = (silu(a) * b) @ O""",
}


@dataclass(frozen=True)
class Right:
    """An implementation in ``code/``: a file and a name in it, checked against a model."""

    model: str
    file: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.name}-{self.model}"


@dataclass(frozen=True)
class Wrong:
    """A mistake: an edit of the code of a right implementation, and ``words`` that a teacher would say of one gradient.
    One that is not ``explained`` is found all the same."""

    model: str
    file: str
    name: str
    old: str
    new: str
    gradient: str
    words: tuple[str, ...]
    explained: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.name or 'module'}-{self.new.strip()[:40]}"


L, T, C, F = "layers.py", "torches.py", "classes.py", "forums.py"

RIGHT = [
    Right("affine", L, "affine"),
    Right("layer-norm", L, "layer_norm"),
    Right("batch-norm", L, "batch_norm"),
    Right("rms-norm", L, "rms_norm"),
    Right("softmax-regression", L, "softmax_regression"),
    Right("svm-hinge", L, "hinge"),
    Right("gaussian", L, "gaussian"),
    Right("attention", L, "attention"),
    Right("two-layer", L, "two_layer"),
    Right("window-lm", L, "embedding"),
    Right("conv", L, "conv"),
    Right("rnn-lm", L, "rnn"),
    Right("lstm", L, "lstm"),
    Right("vae", L, "vae"),
    Right("swiglu", L, "swiglu"),
    Right("gelu-tanh", L, "gelu_tanh"),
    Right("dropout", L, "dropout_net"),
    Right("quadratic", L, "quadratic"),
    Right("two-weight-tanh", L, "scalar_chain"),
    Right("max-pool", L, "max_pool"),
    Right("logistic", L, "logistic"),
    Right("label-smoothing", L, "smoothed"),
    Right("conv-nchw", L, "conv_nchw"),
    Right("group-norm", L, "group_norm"),
    Right("masked-attention", L, "masked_attention"),
    Right("rnn-lm", L, "word_rnn"),
    Right("shift-head", L, "shift_head"),
    Right("preference", L, "preference"),
    Right("factorisation", L, "factors"),
    Right("crf", L, "crf"),
    Right("bilinear", L, "bilinear"),
    Right("causal-conv", L, "causal_conv"),
    Right("lstm-cell", L, "lstm_cell"),
    Right("distillation", L, "distillation"),
    Right("ridge", L, "ridge"),
    Right("straight-through", L, "straight_through"),
    Right("grouped", L, "grouped"),
    Right("counts", L, "ninja"),
    Right("spread", L, "spread"),
    Right("smooth", L, "smooth"),
    Right("conv", L, "conv_loops"),
    Right("pieces", L, "pieces"),
    Right("affine-relu", "course.py", "affine_relu_backward"),
    Right("ffnn-softmax-batch", "module.py"),
    Right("affine", C, "Linear"),
    Right("layer-norm-call", C, "LayerNorm"),
    Right("softmax", C, "Softmax"),
    Right("swish", T, "Swish"),
    Right("rms-norm", T, "RMSNorm"),
    Right("cross-entropy", T, "CrossEntropy"),
    Right("causal-attention", T, "Attention"),
    Right("lora", T, "lora"),
    Right("lora", T, "left_in_place"),
    Right("softplus", "jaxes.py", "softplus_layer"),
    Right("rms-norm", "jaxes.py", "rms_norm"),
    Right("makemore", F, "makemore"),
    Right("columns", F, "columns"),
    Right("strided", F, "strided"),
    Right("average-pool", F, "average_pool"),
    Right("digits", F, "digits"),
    Right("regression", F, "regression"),
    Right("grouped-queries", F, "grouped_queries"),
    Right("rotary", F, "rotary"),
    Right("tied", F, "tied"),
    Right("contrastive", F, "contrastive"),
    Right("triplet", F, "triplet"),
    Right("skipgram", F, "skipgram"),
    Right("normalised", F, "normalised"),
    Right("residual", F, "residual"),
    Right("gru", F, "gru"),
    Right("clipped-policy", F, "clipped_policy"),
    Right("poisson", F, "poisson"),
    Right("autoencoder", F, "autoencoder"),
    Right("mixture", F, "mixture"),
    Right("focal", F, "focal"),
    Right("divergence", F, "divergence"),
    Right("gated", F, "gated"),
]

WRONG = [
    # factors and constants
    Wrong("affine", L, "affine", "dW = X.T @ dout", "dW = X.T @ dout / len(X)", "W", ("1/N",)),
    Wrong("softmax-regression", L, "softmax_regression", "    ds /= N\n", "", "W", ("1/N",)),
    Wrong("softmax-regression", L, "softmax_regression", "    ds /= N\n", "", "b", ("1/N",)),
    Wrong("softmax-regression", L, "softmax_regression", " + 2 * lam * W", " + lam * W", "W", ("2", "missing")),
    Wrong("softmax-regression", L, "softmax_regression", " + 2 * lam * W", "", "W", ("lam", "missing")),
    Wrong("svm-hinge", L, "hinge", "mask.T @ X / N +", "mask.T @ X +", "W", ("N",)),
    Wrong("attention", L, "attention", "    dS = dS / np.sqrt(d)\n", "", "Q", ("sqrt(d)",)),
    Wrong("attention", L, "attention", "    dS = dS / np.sqrt(d)\n", "    dS = dS / d\n", "Q", ("sqrt(d)",)),
    Wrong("vae", L, "vae", "np.exp(s / 2) / 2 +", "np.exp(s / 2) +", "W_s", ("1 / 2",)),
    Wrong("vae", L, "vae", "dz * eps * np", "dz * np", "W_s", ("eps",)),
    Wrong("dropout", L, "dropout_net", "dy * mask / keep", "dy / keep", "w", ("mask",)),
    Wrong("dropout", L, "dropout_net", "dy * mask / keep", "dy * mask", "w", ("keep",)),
    Wrong("logistic", L, "logistic", "(a - y) / N", "(a - y) * a * (1 - a) / N", "w", ("a * (1 - a)", "twice")),
    Wrong("two-weight-tanh", L, "scalar_chain", "(1 - o**2) * w2 *", "(1 - o**2) *", "w1", ("w2",)),
    Wrong("two-weight-tanh", L, "scalar_chain", "do = -(y - o)", "do = y - o", "w2", ("sign",)),
    # terms and branches
    Wrong("layer-norm", L, "layer_norm", "- dxh.mean(axis=1, keepdims=True) ", "", "x", ("mu",)),
    Wrong("layer-norm", L, "layer_norm", " - xh * (dxh * xh).mean(axis=1, keepdims=True)", "", "x", ("missing",)),
    Wrong("batch-norm", L, "batch_norm", " + dmu / N", "", "x", ("mu",)),
    Wrong("batch-norm", L, "batch_norm", "(x - mu) / N + dmu / N", "(x - mu) / N + dmu", "x", ("N",)),
    Wrong("batch-norm", L, "batch_norm", "dvar * 2 * (x - mu) / N", "dvar * (x - mu) / N", "x", ("2",)),
    Wrong("rms-norm", L, "rms_norm", "(dxh * x).mean(", "(dxh * x).sum(", "x", ("D",)),
    Wrong("rnn-lm", L, "rnn", " + dh_next\n", "\n", "W_h", ("h[",)),
    Wrong("quadratic", L, "quadratic", "(S + S.T) @ x", "S @ x", "x", ("missing",)),
    Wrong("attention", L, "attention", " - (dP * P).sum(axis=-1, keepdims=True)", "", "Q", ("dP/dS", "sum")),
    Wrong("attention", L, "attention", "(dP * P).sum(axis=-1", "(dP * P).sum(axis=0", "Q", ("axis 0",)),
    Wrong("swiglu", L, "swiglu", " * sig * (1 + e * (1 - sig))", " * sig", "e", ()),
    # arrays in place of others
    Wrong("two-layer", L, "two_layer", "dA1 * (Z1 > 0)", "dA1 * (dA1 > 0)", "W1", ("mask", "Z1")),
    Wrong("ffnn-softmax-batch", "module.py", "", "(1 - h * h)", "h", "W", ("1 - h**2",)),
    Wrong("batch-norm", L, "batch_norm", "(dout * xhat).sum", "(dout * x).sum", "gamma", ("xhat",)),
    Wrong("rnn-lm", L, "rnn", "states[t - 1].T @ da", "states[t].T @ da", "W_h", ("h[2]", "h[1]")),
    Wrong("lstm", L, "lstm", "ds * s_prev * f", "ds * s[t] * f", "W_f", ("s[",)),
    Wrong("rnn-lm", L, "rnn", "da @ W_h.T", "da @ W_h", "W_h", ("W_h", "transpose")),
    Wrong("lstm", L, "lstm", "d @ U.T", "d @ U", "U_i", ("transpose",)),
    Wrong("lora", T, "lora", "dA = x.t() @ (dy @ B.t())", "dA = x.t() @ (dy @ B.t()) * 2", "A", ("twice",)),
    # sums, axes, shapes
    Wrong("affine", L, "affine", "dout.sum(axis=0)", "dout.sum(axis=1)", "b", ("axis 1", "axis 0")),
    Wrong("affine", L, "affine", "dout.sum(axis=0)", "dout.mean(axis=0)", "b", ("1/N",)),
    Wrong("affine", L, "affine", "dout.sum(axis=0)", "dout", "b", ("sum over axis 0", "missing")),
    Wrong("matmul", L, "affine", "dW = X.T @ dout", "dW = dout.T @ X", "W", ("transposed",)),
    Wrong("layer-norm", L, "layer_norm", "dxh.mean(axis=1, keepdims=True)", "dxh.mean(axis=0, keepdims=True)", "x",
          ("axis 0", "axis 1")),
    # = for +=
    Wrong("window-lm", L, "embedding", "np.add.at(dC, words, dx.reshape(N, K, E))", "dC[words] = dx.reshape(N, K, E)",
          "C", ("+=",)),
    Wrong("conv", L, "conv", "j : j + kw] += np", "j : j + kw] = np", "X", ("+=",)),
    Wrong("rnn-lm", L, "rnn", "dW_h += ", "dW_h = ", "W_h", ("+=",), explained=False),
    Wrong("affine", L, "affine", "dout.sum(axis=0)", "dout[:-1].sum(axis=0)",
          "b", ("last", "left out"), explained=False),
    Wrong("affine", L, "affine", "dW = X.T @ dout", "dW = X[:2].T @ dout[:2]",
          "W", ("left out", "axis 0"), explained=False),
    Wrong("affine", L, "affine", "dout.sum(axis=0)", "dout[-1]", "b", ("+=", "last")),
    # another gradient, a transpose, a part of a sum, a mean
    Wrong("rms-norm", L, "rms_norm", "(dxh * x).mean", "(dy * x).mean", "x", ("dy stands where", "dy * g")),
    Wrong("layer-norm", L, "layer_norm", "xh * (dxh * xh).mean", "xh * (dy * xh).mean", "x",
          ("dy stands where", "dxh = dy * g")),
    Wrong("conv", L, "conv", "dW += np", "dW = np", "W", ("+=", "last")),
    Wrong("batch-norm", L, "batch_norm", "((x - mu) ** 2).mean(axis=0)", "((x - mu) ** 2).sum(axis=0)",
          "x", ("mean",), explained=False),
    Wrong("two-layer", L, "two_layer", "dA1 = dZ2 @ W2.T", "dA1 = dZ2 @ W2.T + A1 * 0 + dZ2.sum() * 0 - 2 * dZ2 @ W2.T",
          "W1", ("sign",)),
    # eps
    Wrong("layer-norm", L, "layer_norm", "np.sqrt(var + eps)", "np.sqrt(var) + eps", "x", ("eps",)),
    Wrong("rms-norm", L, "rms_norm", "np.sqrt(ms + 1e-5)", "np.sqrt(ms)", "x", ("eps",)),
    # whole results
    Wrong("layer-norm", L, "layer_norm", "    dg = (dy * xh).sum(axis=0)\n    db = dy",
          "    db = (dy * xh).sum(axis=0)\n    dg = dy", "g", ("swapped",)),
    Wrong("attention", L, "attention", "dS = P * (dP", "dS = (dP", "Q", ()),
    Wrong("quadratic", L, "quadratic", "dS = np.outer(x, x)", "dS = 2 * np.outer(x, x) - np.diag(x * x)", "S",
          ("diag",)),
    # the other forms
    Wrong("affine-relu", "course.py", "affine_relu_backward", "dout * (a > 0)", "dout", "w", ("missing",)),
    Wrong("ffnn-softmax-batch", "module.py", "", "    ds /= len(y)\n", "", "U", ("1/N",)),
    Wrong("affine", C, "Linear", "dY @ self.W.T", "-dY @ self.W.T", "X", ("sign",)),
    Wrong("layer-norm-call", C, "LayerNorm", "(dout * self.xhat)", "dout", "g", ("layer_norm(x)", "missing")),
    Wrong("softmax", C, "Softmax", "p * (dp - (dp * p).sum(axis=-1, keepdims=True))", "dp * p * (1 - p)", "z",
          ("Jacobian",)),
    Wrong("swish", T, "Swish", "(sig + x * sig", "(1 + x * sig", "x", ()),
    Wrong("rms-norm", T, "RMSNorm", "dy * g\n", "dy\n", "x", ("g",)),
    Wrong("cross-entropy", T, "CrossEntropy", "        d -= F.one_hot(y, p.shape[1])\n", "", "z", ("missing",)),
    Wrong("cross-entropy", T, "CrossEntropy", "grad * d / len(y)", "grad * d", "z", ("1/N",)),
    Wrong("causal-attention", T, "Attention", " * ctx.scale", "", "Q", ("sqrt(d)",)),
    Wrong("softplus", "jaxes.py", "softplus_layer", "jnp.exp(-Z)", "jnp.exp(Z)", "W", ()),
    # windows, maxima, masks, time
    Wrong("conv-nchw", L, "conv_nchw", "dxp[:, :, 1:-1, 1:-1]", "dxp[:, :, :-2, :-2]", "x",
          ("windows over x", "shifted", "dx")),
    Wrong("conv-nchw", L, "conv_nchw", "dxp[:, :, 1:-1, 1:-1]", "dxp[:, :, 1:-1, 2:]", "x", ("1 along axis 2",)),
    Wrong("max-pool", L, "max_pool", "share.reshape", "0.25 * np.repeat(dy[:, i // 2, j // 2], 4, axis=0).reshape", "x",
          ("shared equally", "maximum"), explained=False),
    Wrong("max-pool", L, "max_pool", "dy[:, i // 2, j // 2][:, None]", "1.0", "x",
          ("upstream gradient dy is missing",), explained=False),
    Wrong("masked-attention", L, "masked_attention", "np.where(mask, S, -np.inf)", "S",
          "Q", ("mask of P", "missing"), explained=False),
    Wrong("masked-attention", L, "masked_attention", """np.where(mask, S, -np.inf)
    P = np.exp(s - s.max(axis=-1, keepdims=True))
    P /= P.sum(axis=-1, keepdims=True)""", """S
    P = np.exp(s - s.max(axis=-1, keepdims=True))
    P = P / P.sum(axis=-1, keepdims=True) * mask""", "K", ("mask is applied after the softmax", "P"), explained=False),
    Wrong("rnn-lm", L, "word_rnn", "np.add.at(dC, words[t], da @ W_e.T)", "dC[words[t]] += da @ W_e.T", "C",
          ("+=", "occurs twice in one step")),
    Wrong("shift-head", L, "shift_head", "np.roll(dws, -1, axis=1)", "np.roll(dws, 1, axis=1)", "wp",
          ("rolled in the same direction",), explained=False),
    Wrong("shift-head", L, "shift_head", "np.roll(dws, -1, axis=1)", "dws",
          "wp", ("not rolled back",), explained=False),
    Wrong("shift-head", L, "shift_head", " - (dw * w).sum(axis=-1, keepdims=True)", "", "wp", ("sum(v", "missing")),
    Wrong("rnn-lm", L, "rnn", "reversed(range(1, T + 1))", "range(1, T + 1)",
          "W_h", ("forwards in time",), explained=False),
    Wrong("lstm", L, "lstm", "(1 - th**2)", "(1 - s[t] ** 2)", "W_f", ("s[3] stands where tanh(s[3])",)),
    Wrong("lstm", L, "lstm", "range(T - 1, -1, -1)", "range(T)", "W_f", ("forwards in time",), explained=False),
    Wrong("affine", L, "affine", "dX = dout @ W.T", "dX = np.cumsum(dout @ W.T, axis=0)", "X",
          ("accumulator", "axis 0")),
    # targets and regularisers
    Wrong("label-smoothing", L, "smoothed", "(p - q)", "(p - (q > 0.5))", "W", ("one_hot(y, C) stands where q",)),
    Wrong("window-lm", L, "embedding", "    d[np.arange(N), y] -= 1\n", "", "W2", ("one-hot is missing",)),
    Wrong("preference", L, "preference", "np.exp(m)", "np.exp(-m)", "w", ("m stands where -m",)),
    Wrong("preference", L, "preference", "beta * (", "(", "w", ("beta", "missing")),
    Wrong("factorisation", L, "factors", "Q[i] / N", "P[u] / N", "P", ("P", "stands where", "Q")),
    # what a mean divides by
    Wrong("layer-norm", L, "layer_norm",
          "(dxh - dxh.mean(axis=1, keepdims=True) - xh * (dxh * xh).mean(axis=1, keepdims=True))",
          "(dxh - (dxh.sum(1, keepdims=True) + xh * (dxh * xh).sum(1, keepdims=True)) / (x.shape[1] - 1))", "x",
          ("1/(D - 1) stands where 1/D belongs",)),
    Wrong("group-norm", L, "group_norm", "(dxh * xg).mean(axis=-1, keepdims=True)",
          "(dxh * xg).sum(axis=-1, keepdims=True) / (H * Wd)", "x", ("1/K",)),
    Wrong("batch-norm", L, "batch_norm", "(-dxhat * ivar)", "(dxhat * ivar)", "x", ("sign",)),
    # local derivatives: a gradient for a value, one skipped, the value of another array, a root in part
    Wrong("ffnn-softmax-batch", "module.py", "", "dz = ds @ cache[\"U\"].T * (1 - h * h)",
          "dh = ds @ cache[\"U\"].T\n    dz = h * (1 - dh * dh)",
          "W", ("h and its gradient dh are exchanged",), explained=False),
    Wrong("ffnn-softmax-batch", "module.py", "", "dz = ds @ cache[\"U\"].T * (1 - h * h)",
          "dh = ds @ cache[\"U\"].T\n    dz = dh * (1 - dh * dh)",
          "W", ("gradient dh stands where h",), explained=False),
    Wrong("rnn-lm", L, "rnn", "dh_next = da @ W_h.T", "dh_next = dh @ W_h.T",
          "W_h", ("1 - h[3]**2", "handed back"), explained=False),
    Wrong("rnn-lm", L, "rnn", "dh_next = da @ W_h.T", "dh_next = da @ W_h.T + dh",
          "W_h", ("dh[3] does not belong",), explained=False),
    Wrong("label-smoothing", L, "smoothed", "(p - q)", "(p - 0.1 / p.shape[1])", "W", ("one_hot(y, C) is missing",)),
    Wrong("batch-norm", L, "batch_norm", "-0.5 * ivar**3", "-0.5 * var**-1.5",
          "x", ("eps is missing", "dxhat/dv"), explained=False),
    Wrong("batch-norm", L, "batch_norm", "-dxhat * ivar", "-dxhat / np.sqrt(var)", "x", ("eps is missing", "dmu")),
    Wrong("swiglu", L, "swiglu", "dgate = dh * silu", "dgate = dh * sig", "gate", ("sigmoid(e)", "silu(e)")),
    Wrong("attention", L, "attention", "(dP * P).sum(axis=-1, keepdims=True)", "dO.sum(axis=-1, keepdims=True)", "Q",
          ("sum(dO) stands where sum(dO * O)",), explained=False),
    Wrong("ffnn-softmax-batch", "module.py", "", "ds[np.arange(len(y)), y] -= 1", "ds[:, y] -= 1", "U",
          ("classes of all samples",), explained=False),
    # constants, the derivative of a power, another ε, products handed back crosswise, one line alone
    Wrong("gelu-tanh", L, "gelu_tanh", "3 * 0.044715 * x**2", "0.044715 * x**2",
          "x", ("factor 3", "missing"), explained=False),
    Wrong("layer-norm", L, "layer_norm", "np.sqrt(var + eps)", "np.sqrt(var + 1e-6)", "x", ("eps", "1e-06")),
    Wrong("lstm", L, "lstm", "ds * g[t] * i[t] * (1 - i[t])\n        dg = ds * i[t]",
          "ds * i[t] * i[t] * (1 - i[t])\n        dg = ds * g[t]",
          "W_i", ("i[3] and g[3]", "each other's places"), explained=False),
    Wrong("rnn-lm", L, "rnn", "dW_h += states[t - 1].T @ da", "dW_h += states[t - 1].T @ (da * (1 - states[t] ** 2))",
          "W_h", ("in dW_h alone", "1 - h[3]**2 is there twice"), explained=False),
    # clipped, a kernel's axes, a softmax taken for a log-softmax, a sum over too few axes
    Wrong("affine-relu", "course.py", "affine_relu_backward", "dout * (a > 0)", "np.clip(dout * (a > 0), -1, 1)", "w",
          ("gradient of out", "clipped to 1"), explained=False),
    Wrong("rnn-lm", L, "word_rnn", "(1 - h[t] ** 2)", "(1 - h[t - 1] ** 2)", "b",
          ("h[2] stands where h[3]", "dh[1]/db")),
    Wrong("affine", L, "affine", "dW = X.T @ dout", "dW = np.clip(X.T @ dout, -5, 5)", "W",
          ("entries of dW", "clipped to 5"), explained=False),
    Wrong("conv-nchw", L, "conv_nchw", "dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(0, 2))", "b",
          ("axes 0, 2", "0, 2, 3 belong")),
    Wrong("softmax", C, "Softmax", "p * (dp - (dp * p).sum(axis=-1, keepdims=True))",
          "dp - p * dp.sum(axis=-1, keepdims=True)", "z", ("log-softmax", "factor p")),
    # a factor of the whole, a forward pass worked out again, arrays reshaped or turned over, the forward pass itself
    Wrong("layer-norm", L, "layer_norm", "(dxh * xh).mean(axis=1, keepdims=True)) / std",
          "(dxh * xh).mean(axis=1, keepdims=True))",
          "x", ("1/sqrt(v + eps)", "missing", "whole of dx"), explained=False),
    Wrong("two-layer", L, "two_layer", "    dW2 = A1", "    Z1 = X @ W1\n    A1 = np.maximum(Z1, 0)\n    dW2 = A1",
          "W1", ("b1 is missing", "Z1")),
    Wrong("conv-nchw", L, "conv_nchw", "dout.sum(axis=(0, 2, 3))", "dout.reshape(-1, len(w)).sum(axis=0)", "b",
          ("reshaped where its axes have to be transposed", "axis 1"), explained=False),
    Wrong("conv-nchw", L, "conv_nchw", "    return dx, dw", "    dw = dw[:, :, ::-1, ::-1]\n    return dx, dw", "w",
          ("window of dw is turned over",)),
    Wrong("affine", L, "affine", "dX = dout @ W.T", "dX = X", "X", ("X itself stands",), explained=False),
    # loops that work out a softmax again, parts cut out of a whole, outputs that are read on, what is held constant
    Wrong("crf", L, "crf", "dA += p * da", "dA += p * da[:, None]",
          "A", ("in dA alone", "axis 1", "axis 0 belongs"), explained=False),
    Wrong("crf", L, "crf", "p.sum(axis=0)", "p.sum(axis=1, keepdims=True)",
          "A", ("over axis 1, not over axis 0",), explained=False),
    Wrong("crf", L, "crf", "states[t][:, None]", "states[t + 1][:, None]",
          "A", ("a[3] stands where a[2]", "wherever"), explained=False),
    Wrong("bilinear", L, "bilinear", '"no,oij,nj->ni", dz, A, y', '"no,oij->ni", dz, A',
          "x", ("factor y is missing",), explained=False),
    Wrong("causal-conv", L, "causal_conv", "dxp[:, 2:]", "dxp[:, :t]",
          "x", ("wrong place", "xp", "first entries"), explained=False),
    Wrong("lstm-cell", L, "lstm_cell", "dcn + dhn", "dhn", "a", ("upstream gradient dcn", "missing"), explained=False),
    Wrong("distillation", L, "distillation", "tau * (p - q)", "(p - q) / tau", "z", ("tau**2 is missing",)),
    Wrong("ridge", L, "ridge", "(v * w).sum()", "(2 * w * w).sum()",
          "lam", ("solution with", "missing"), explained=False),
    Wrong("straight-through", L, "straight_through", "(1 + s)", "(1 - np.tanh(x / s) ** 2 + s)", "x",
          ("stop_gradient(q - x)", "held constant"), explained=False),
    Wrong("grouped", L, "grouped", "axes = (2, 3)", "axes = 3", "x", ("axis 3", "axes 2, 3 belong", "wherever")),
    Wrong("matmul", L, "affine", "dX = dout @ W.T", "dX = dout @ W.reshape(W.shape[::-1])", "X",
          ("W is read", "lay in memory"), explained=False),
    Wrong("matmul", L, "affine", "dW = X.T @ dout", "dW = (dout.T @ X).reshape(W.shape)", "W", ("an index slips",)),
    # branches beside one that hands back 0, one of two edges missing, divisors, the last of several loops, far sides
    Wrong("counts", L, "ninja", "    dcounts += dtotal\n", "", "logits", ("branches meet at counts",), explained=False),
    Wrong("counts", L, "ninja", "total**-2", "total**-1", "logits", ("the exponent of total**(-2)",)),
    Wrong("spread", L, "spread", "(M - 1)", "M", "x", ("1/(H*N) stands where 1/(H*N - 1) belongs",)),
    Wrong("spread", L, "spread", "/ M", "/ N", "x", ("lacks the factor 1/H",)),
    Wrong("smooth", L, "smooth", " - a / V", "", "z", ("sum(lp", "missing", "branches meet at lp"),
          explained=False),
    Wrong("conv", L, "conv_loops", "dX[n, i : i + kh, j : j + kw] +=", "dX[n, i : i + kh, j : j + kw] =", "X",
          ("+= belongs in dX", "of the channels")),
    Wrong("conv", L, "conv_loops", "dW[..., k] +=", "dW[..., k] =", "W", ("+= belongs in dW", "samples and places")),
    Wrong("pieces", L, "pieces", "np.clip(r, -delta, delta)", "r",
          "r", ("taken in every case", "delta"), explained=False),
    Wrong("pieces", L, "pieces", " & (x < 6)", "", "x", ("6",)),
    # two mistakes, and three
    Wrong("two-weight-tanh", L, "scalar_chain", "(1 - o**2) * w2 * (1 - h**2) * x", "(1 - o) * (1 - h) * x", "w1",
          ("three things", "w2", "1 - o", "1 - h"), explained=False),
    Wrong("two-layer", L, "two_layer", "dA1 * (Z1 > 0)\n    dW1 = X.T @ dZ1", "dA1\n    dW1 = X.T @ dZ1 / len(X)", "W1",
          ("two things", "1/N")),
    Wrong("two-weight-tanh", L, "scalar_chain", "(1 - o**2) * w2 * (1 - h**2) * x", "(1 - o) * w2 * (1 - h) * x", "w1",
          ("1 - o",)),
    Wrong("lstm", L, "lstm", "dh_next = dh_next + d @ U.T", "dh_next = d @ U.T",
          "U_o", ("+= belongs in dh[2]", "U_o"), explained=False),
    Wrong("window-lm", L, "embedding", "dx.reshape(N, K, E)", "dx.reshape(N, E, K).transpose(0, 2, 1)", "C",
          ("axes in another order",), explained=False),
    Wrong("attention", L, "attention", "(dP * P).sum(", "(dP * P).mean(", "Q", ("a mean stands where",)),
    Wrong("batch-norm", L, "batch_norm", "ivar**3", "ivar**1.5", "x", ("the power of", "3/2"), explained=False),
    Wrong("svm-hinge", L, "hinge", "-mask.sum(axis=1)", "-1", "W", ("1 stands where the number of",)),
    Wrong("crf", L, "crf", "da = p @ da", "da = (p * da).sum(axis=0)",
          "A", ("is summed over axis 0",), explained=False),
    Wrong("crf", L, "crf", "da = p @ da", "da = p.T @ da",
          "A", ("multiplied with the transpose", "wherever"), explained=False),
    Wrong("grouped", L, "grouped", "axes = (2, 3)", "axes = (0, 1)", "x", ("axes 0, 1", "2, 3 belong", "wherever")),
    Wrong("gaussian", L, "gaussian", "0.5 * np.linalg.inv(S)", "0.5 * S",
          "A", ("inv(S)", "log-determinant"), explained=False),
]

# Mistakes of other origin: of course forums, of questions about gradients that do not agree, of bug reports and their
# mends in libraries. They were written down before anything was tried on them.
ELSEWHERE = [
    # makemore: the exercise with every intermediate
    Wrong("makemore", F, "makemore", "    ddiff += (2 * diff) * ddiff2\n", "", "W1", ("var", "missing")),
    Wrong("makemore", F, "makemore", "1.0 / (n - 1)", "1.0 / n", "W1", ("n - 1",)),
    Wrong("makemore", F, "makemore", "    dpre += 1.0 / n * (np.ones_like(pre) * dmean)\n", "",
          "W1", ("mean", "missing")),
    Wrong("makemore", F, "makemore", "dC[ix[k, j]] += demb", "dC[ix[k, j]] = demb", "C", ("+=",)),
    Wrong("makemore", F, "makemore", "(1.0 - h**2) * dh", "(1.0 - hpre**2) * dh", "gain", ("hpre", "h")),
    Wrong("makemore", F, "makemore", "(raw * dhpre)", "(diff * dhpre)", "gain", ("diff", "raw")),
    Wrong("makemore", F, "makemore", "draw = gain * dhpre", "draw = dhpre", "W1", ("gain", "missing")),
    Wrong("makemore", F, "makemore", "-0.5 * (var + 1e-5) ** -1.5", "-0.5 * (var + 1e-5) ** -0.5", "W1", ("exponent",)),
    Wrong("makemore", F, "makemore", "(2 * diff) * ddiff2", "diff * ddiff2", "C", ("2",)),
    Wrong("makemore", F, "makemore", "dlogits /= n\n", "dlogits = dlogits\n", "b2", ("1/n",)),
    # deeplearning.ai: samples in columns, L2, windows in four loops, pooling
    Wrong("columns", F, "columns", " + lam / m * W1", "", "W1", ("lam", "missing")),
    Wrong("columns", F, "columns", "lam / m * W2", "lam * W2", "W2", ("1/m",)),
    Wrong("columns", F, "columns", "np.power(A1, 2)", "A1", "W1", ("1 - A1",)),
    Wrong("columns", F, "columns", "dW1 = 1 / m * np.dot", "dW1 = np.dot", "W1", ("m",)),
    Wrong("columns", F, "columns", "np.sum(dZ1, axis=1, keepdims=True)", "np.sum(dZ1)", "b1", ("sum",)),
    Wrong("columns", F, "columns", "dZ2 = A2 - Y", "dZ2 = (A2 - Y) * A2 * (1 - A2)", "W2",
          ("A2 * (1 - A2)", "twice")),
    Wrong("strided", F, "strided", "top, left = h * stride, w * stride", "top, left = h, w",
          "W", ("stride",), explained=False),
    Wrong("strided", F, "strided", "pad:-pad, pad:-pad", ": -2 * pad, : -2 * pad", "A", ("shifted",)),
    Wrong("strided", F, "strided", "dpadded[i, top : top + f, left : left + f] +=",
          "dpadded[i, top : top + f, left : left + f] =", "A", ("+=",)),
    Wrong("strided", F, "strided", "db[c] += dZ[i, h, w, c]", "db[c] = dZ[i, h, w, c]", "b", ("+=",), explained=False),
    Wrong("average-pool", F, "average_pool", " / 4", "", "x", ("1/4",)),
    Wrong("max-pool", L, "max_pool", "N, 2, 2, C)\n    return dx", "N, 2, 2, C)\n            return dx",
          "x", (), explained=False),
    # questions: a digit recogniser that does not learn, a leaky ReLU, a derivative taken at the output
    Wrong("digits", F, "digits", "(a3 - t) * a3 * (1 - a3)", "2 * (a3 - t) * a3 * (1 - a3)", "W3", ("twice", "2")),
    Wrong("digits", F, "digits", "(W2.T @ d2) * a1 * (1 - a1)", "(W2.T @ d2) * a1", "W1", ("1 - a1",)),
    Wrong("digits", F, "digits", "a3 * (1 - a3)",
          "1 / (1 + np.exp(-a3)) * (1 - 1 / (1 + np.exp(-a3)))", "W3", ("output", "sigmoid")),
    Wrong("digits", F, "digits", "d1 = (W2.T @ d2) * a1 * (1 - a1)", "d1 = W2.T @ d2", "b1", ("missing",)),
    Wrong("regression", F, "regression", "np.where(z > 0, 1, 0.01)", "np.where(a > 0, 1, 0)", "W1", ("0.01",)),
    Wrong("regression", F, "regression", "2 * (out - y) / n", "(out - y) / n", "W2", ("2",)),
    Wrong("regression", F, "regression", "2 * (out - y) / n", "2 * (y - out) / n", "W2", ("sign",)),
    Wrong("regression", F, "regression", "dz.sum(axis=0)", "dz.mean(axis=0)", "b1", ("1/n",)),
    Wrong("regression", F, "regression", "np.where(z > 0, 1, 0.01)", "np.where(z > 0, z, 0.01 * z)", "W1", ("leaky",)),
    Wrong("softmax", C, "Softmax", "p * (dp - (dp * p).sum(axis=-1, keepdims=True))", "p * dp", "z", ("sum",)),
    Wrong("poisson", F, "poisson", "(rate - y)", "(X @ w + b - y)", "w", ("exp",)),
    Wrong("poisson", F, "poisson", "X.T @ (rate - y)", "X.T @ (rate - y) / len(y)", "w", ("1/N",)),
    # libraries: attention, norms, losses
    Wrong("grouped-queries", F, "grouped_queries", 'np.einsum("kgij,kgid->kjd", P, dO)',
          'np.einsum("kij,kid->kjd", P[:, 0], dO[:, 0])', "V", ("axis 1",)),
    Wrong("grouped-queries", F, "grouped_queries", " / np.sqrt(d)", "", "K", ("sqrt(d)",)),
    Wrong("grouped-queries", F, "grouped_queries", "(P * dP).sum(-1", "(P * dP).sum(-2", "Q", ("axis 2", "axis 3")),
    Wrong("rotary", F, "rotary", "d1 * c + d2 * s, d2 * c - d1 * s", "d1 * c - d2 * s, d2 * c + d1 * s",
          "x", ("sign",)),
    Wrong("rotary", F, "rotary", "d1 * c + d2 * s, d2 * c - d1 * s", "d1 * c, d2 * c", "x", ("missing",)),
    Wrong("tied", F, "tied", "    np.add.at(dE, ids, dh * (1 - h**2))\n", "", "E", ("ids", "missing")),
    Wrong("tied", F, "tied", "    dE = dz.T @ h\n", "    dE = np.zeros_like(E)\n", "E", ("missing",)),
    Wrong("tied", F, "tied", "dh * (1 - h**2)", "dh", "E", ("1 - h**2",)),
    Wrong("contrastive", F, "contrastive", "(rows + cols - 2 * np.eye(n)) / (2 * n)", "(rows - np.eye(n)) / n",
          "a", ()),
    Wrong("contrastive", F, "contrastive", "ds @ b / tau", "ds @ b", "a", ("tau",)),
    Wrong("contrastive", F, "contrastive", "db = ds.T @ a", "db = ds @ a", "b", ("transpose",)),
    Wrong("triplet", F, "triplet", "2 * (n - p) * active", "2 * (a - p) * active", "a", ("missing",)),
    Wrong("triplet", F, "triplet", "active = (gap > 0)[:, None] / len(a)", "active = np.ones_like(a) / len(a)", "p",
          ("missing",)),
    Wrong("skipgram", F, "skipgram", "np.add.at(dU, k, neg", "np.add.at(dU, k, -neg", "U", ("sign",)),
    Wrong("skipgram", F, "skipgram", "np.add.at(dU, o, (sig - 1)[:, None] * V[c] / N)",
          "dU[o] += (sig - 1)[:, None] * V[c] / N", "U", ("+=",)),
    Wrong("normalised", F, "normalised", " - y * (dy * y).sum(axis=1, keepdims=True)", "", "x", ("missing",)),
    Wrong("normalised", F, "normalised", "(dy * y).sum(axis=1, keepdims=True)", "(dy * y).sum()",
          "x", ("axes 0, 1",), explained=False),
    Wrong("residual", F, "residual", "dx = dy + dln", "dx = dln", "x", ("missing",)),
    Wrong("residual", F, "residual", "dxh - dxh.mean(1, keepdims=True)", "dxh - 2 * dxh.mean(1, keepdims=True)", "x",
          ("mu", "twice")),
    Wrong("rms-norm", L, "rms_norm", "(dxh * x).mean(axis=-1, keepdims=True)", "(dxh * x).mean()",
          "x", ("axes 0, 1",), explained=False),
    Wrong("batch-norm", L, "batch_norm", "dx = dxhat * ivar", "dx = dout * ivar", "x", ("gamma",)),
    Wrong("batch-norm", L, "batch_norm", "return dx, dgamma, dbeta",
          "dgamma, dbeta = dbeta, dgamma\n    return dx, dgamma, dbeta", "gamma", ("swapped",)),
    Wrong("gru", F, "gru", "dnext * z + drh", "drh", "h", ("missing",)),
    Wrong("gru", F, "gru", "dnext * (h - n)", "dnext * (n - h)", "U_z", ("sign",)),
    Wrong("gru", F, "gru", "drh * r + daz", "drh + daz", "h", ("r",)),
    Wrong("gru", F, "gru", "(r * h).T @ dan", "h.T @ dan", "U_n", ("r",)),
    Wrong("clipped-policy", F, "clipped_policy", "-adv * ratio * unclipped", "-adv * ratio", "logp", ("missing",)),
    Wrong("clipped-policy", F, "clipped_policy", "-adv * ratio * unclipped", "-adv * unclipped", "logp", ("ratio",)),
    Wrong("autoencoder", F, "autoencoder", "X.T @ E @ W + E.T @ X @ W", "2 * X.T @ E @ W", "W", ()),
    Wrong("autoencoder", F, "autoencoder", "X.T @ E @ W + E.T @ X @ W", "E.T @ X @ W", "W", ("missing",)),
    Wrong("mixture", F, "mixture", "resp.sum(0) - len(x) * w", "resp.sum(0)", "logits", ("missing",)),
    Wrong("mixture", F, "mixture", "(resp * (x[:, None] - mu))", "(x[:, None] - mu)",
          "mu", ("softmax",), explained=False),
    Wrong("focal", F, "focal", "2 * pt * np.log(pt) + pt - 1", "pt - 1", "z", ("missing",)),
    Wrong("divergence", F, "divergence", "(p - q) / tau / len(s)", "(p - q) / tau / s.size", "s", ("C",)),
    Wrong("divergence", F, "divergence", "(p - q) / tau / len(s)", "(p - q) / len(s)", "s", ("tau",)),
    Wrong("gated", F, "gated", "sig + silu * (1 - sig)", "sig * (1 - sig)", "W", ("missing",)),
    Wrong("gated", F, "gated", "da @ W.T + db @ V.T", "da @ W.T", "x", ("missing",)),
]
