"""Models as people write them: in steps, with exponentials, maxima, logarithms and norms written out, loops, solvers,
conditions. Modules emitted for them are right; `scripts/alarms.py` asks `verify` whether it says so."""

TEXTS = {
    "softmax steps": """
dim N, D, C
data X: N x D
param W: D x C
z = X @ W
e = exp(z - max(z, axis=1, keepdims=True))
s = sum(e, axis=1, keepdims=True)
p = e / s
loss L = mean(p ** 2)
""",
    "softmax ce steps": """
dim N, D, C
data X: N x D, y: N int < C
param W: D x C, b: C
z = X @ W + b
m = max(z, axis=1, keepdims=True)
e = exp(z - m)
p = e / sum(e, axis=1, keepdims=True)
loss L = -mean(log(p[range(N), y]))
""",
    "attention steps": """
dim T, D, K
data X: T x D
param Q: D x K, Kw: D x K, V: D x K
q = X @ Q
k = X @ Kw
v = X @ V
s = q @ k.T / sqrt(K)
m = max(s, axis=1, keepdims=True)
e = exp(s - m)
a = e / sum(e, axis=1, keepdims=True)
o = a @ v
loss L = mean(o ** 2)
""",
    "attention layer": """
dim B, T, D
input q: B x T x D, k: B x T x D, v: B x T x D
s = einsum("btd,bud->btu", q, k) / sqrt(D)
e = exp(s - max(s, axis=-1, keepdims=True))
a = e / sum(e, axis=-1, keepdims=True)
output o = einsum("btu,bud->btd", a, v)
""",
    "logsumexp steps": """
dim N, C
param z: N x C
m = max(z, axis=1, keepdims=True)
l = m + log(sum(exp(z - m), axis=1, keepdims=True))
loss L = mean(l)
""",
    "layernorm steps": """
dim N, D
input x: N x D
param g: D, b: D
mu = mean(x, axis=1, keepdims=True)
c = x - mu
v = mean(c ** 2, axis=1, keepdims=True)
r = 1 / sqrt(v + 1e-5)
output y = g * c * r + b
""",
    "batchnorm mlp": """
dim N, D, H
data X: N x D, y: N
param W: D x H, g: H, b: H, w: H
z = X @ W
mu = mean(z, axis=0)
v = mean((z - mu) ** 2, axis=0)
n = (z - mu) / sqrt(v + 1e-5)
h = relu(g * n + b)
loss L = mean((h @ w - y) ** 2)
""",
    "gru": """
dim T, N, E, H
data c: T x N x E, h[0]: N x H
param Wz: E x H, Uz: H x H, Wr: E x H, Ur: H x H, Wn: E x H, Un: H x H
for t in 1..T:
    z[t] = 1 / (1 + exp(-(c[t] @ Wz + h[t-1] @ Uz)))
    r[t] = 1 / (1 + exp(-(c[t] @ Wr + h[t-1] @ Ur)))
    n[t] = tanh(c[t] @ Wn + (r[t] * h[t-1]) @ Un)
    h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]
loss L = mean(h[T] ** 2)
""",
    "lstm": """
dim T, N, E, H
data x: T x N x E, h[0]: N x H, s[0]: N x H
param W: E x 4*H, U: H x 4*H, b: 4*H
for t in 1..T:
    a[t] = x[t] @ W + h[t-1] @ U + b
    i[t] = sigmoid(a[t][:, :H])
    f[t] = sigmoid(a[t][:, H:2*H])
    o[t] = sigmoid(a[t][:, 2*H:3*H])
    g[t] = tanh(a[t][:, 3*H:])
    s[t] = f[t] * s[t-1] + i[t] * g[t]
    h[t] = o[t] * tanh(s[t])
loss L = mean(h ** 2)
""",
    "cosine": """
dim N, D
param a: N x D, b: N x D
n = sum(a * b, axis=1) / (sqrt(sum(a ** 2, axis=1)) * sqrt(sum(b ** 2, axis=1)))
loss L = mean((1 - n) ** 2)
""",
    "gaussian nll": """
dim N, D
data x: N x D
param mu: D, ls: D
loss L = mean(sum(ls + (x - mu) ** 2 / (2 * exp(2 * ls)), axis=1))
""",
    "mvn": """
dim N, D
data x: N x D
param mu: D, A: D x D
S = A @ A.T + eye(D)
C = cholesky(S)
u = solve(C, (x - mu).T)
loss L = mean(sum(u ** 2, axis=0)) / 2 + sum(log(diag(C)))
""",
    "ridge": """
dim N, D
data X: N x D, y: N
param a
S = X.T @ X + exp(a) * eye(D)
w = solve(S, X.T @ y)
loss L = mean((X @ w - y) ** 2)
""",
    "powers": """
dim N
data x: N
param a, k
loss L = mean((abs(a) + x ** 2 + 1) ** k + x ** 3 * a ** 2)
""",
    "kinks": """
dim N, D
data x: N x D
param w: D
z = x @ w
loss L = mean(abs(z)) + mean(relu(z - 1)) + max(z) + mean(maximum(z, 0.5) * minimum(z, 2))
""",
    "where": """
dim N
data x: N
param w, b
z = w * x + b
loss L = mean(where(z > 0, z ** 2, -z)) + mean(where(x > 1, log(1 + z ** 2), exp(-abs(z))))
""",
    "huber": """
dim N, D
data X: N x D, y: N
param w: D
r = X @ w - y
loss L = mean(where(abs(r) <= 1, r ** 2 / 2, abs(r) - 0.5))
""",
    "integers": """
dim N, V, D
data i: N int < V, j: N int < V
param E: V x D
d = E[i] - E[j]
loss L = mean(sum(d * d, axis=1))
""",
    "poly squared": """
dim N
data x: N
param a, b, c
loss L = mean((a * x ** 2 + b * x + c) ** 4)
""",
    "contrastive": """
dim N, D
param A: N x D, B: N x D
a = A / norm(A, axis=1, keepdims=True)
b = B / norm(B, axis=1, keepdims=True)
S = a @ b.T / 0.07
loss L = mean(logsumexp(S, axis=1) - diag(S)) + mean(logsumexp(S, axis=0) - diag(S))
""",
    "vae": """
dim N, D, Z
data x: N x D, eps: N x Z
param We: D x Z, Ws: D x Z, Wd: Z x D
m = x @ We
lv = x @ Ws
z = m + exp(lv / 2) * eps
r = sigmoid(z @ Wd)
loss L = mean(sum((r - x) ** 2, axis=1)) + mean(sum(m ** 2 + exp(lv) - 1 - lv, axis=1)) / 2
""",
    "moe": """
dim N, D, H, E
data X: N x D
param G: D x E, W: E x D x H
g = softmax(X @ G, axis=1)
h = einsum("nd,edh->neh", X, W)
loss L = mean(einsum("ne,neh->nh", g, tanh(h)) ** 2)
""",
    "rope": """
dim T, D
input q: T x 2*D
data th: T x D
a = q[:, :D]
b = q[:, D:]
output o = concat(a * cos(th) - b * sin(th), a * sin(th) + b * cos(th), axis=1)
""",
    "conv": """
dim N, H, W, C, K
data x: N x H x W x C, y: N int < K
param w: 3 x 3 x C x K
z = conv2d(x, w, padding=1)
a = relu(z)
loss L = mean(cross_entropy(mean(a, axis=(1, 2)), y))
""",
    "sinkhorn": """
dim N
data C: N x N
param e
K = exp(-C * e)
u = 1 / sum(K, axis=1)
v = 1 / (K.T @ u)
P = outer(u, v) * K
loss L = sum(P * C)
""",
    "crf": """
dim T, C
data x: T x C
param A: C x C, a[0]: C
for t in 1..T:
    a[t] = logsumexp(A + reshape(a[t-1], (C, 1)), axis=0) + x[t]
loss L = logsumexp(a[T])
""",
    "cosh steps": """
dim N
data x: N
param w
z = w * x
loss L = mean(log((exp(z) + exp(-z)) / 2))
""",
    "tanh steps": """
dim N, D
data x: N x D
param w: D
z = x @ w
t = (exp(z) - exp(-z)) / (exp(z) + exp(-z))
loss L = mean(t ** 2)
""",
    "attention masked steps": """
dim T, D
input q: T x D, k: T x D, v: T x D
s = where(causal_mask(T), q @ k.T / sqrt(D), -1e9)
e = exp(s - max(s, axis=1, keepdims=True))
output o = (e / sum(e, axis=1, keepdims=True)) @ v
""",
    "kl": """
dim N, C
data z: N x C, t: N x C
param W: C x C
p = softmax(z @ W, axis=1)
q = softmax(t, axis=1)
loss L = mean(sum(q * (log(q) - log(p)), axis=1))
""",
    "focal": """
dim N, C
data X: N x C, y: N int < C
param W: C x C
z = X @ W
lp = log_softmax(z, axis=1)
l = take_along_axis(lp, reshape(y, (N, 1)), axis=1)
loss L = mean(-(1 - exp(l)) ** 2 * l)
""",
    "weightnorm": """
dim N, D, M
data X: N x D
param V: D x M, g: M
W = g * V / sqrt(sum(V ** 2, axis=0))
loss L = mean((X @ W) ** 2)
""",
    "n is 1": """
dim N = 1, D
data X: N x D
param W: D x D
mu = mean(X @ W, axis=0)
loss L = mean((X @ W - mu + 1) ** 2) + sum(W * W) / N
""",
    "large scale": """
dim N, D
data X: N x D
param W: D, b
z = 1000 * (X @ W) + b
loss L = mean(log(1 + exp(-abs(z))) + maximum(z, 0)) + 1000000 * b ** 2
""",
    "var onepass": """
dim N, D
data x: N x D
param w: D
z = x * w
v = mean(z ** 2, axis=0) - mean(z, axis=0) ** 2
loss L = sum(z / sqrt(v + 0.1)) ** 2
""",
    "gumbel steps": """
dim N, C
data g: N x C
param W: C x C, t
l = (g @ W) / exp(t)
p = exp(l) / sum(exp(l), axis=1, keepdims=True)
loss L = mean(sum(p * p, axis=1))
""",
    "mask scan": """
dim T, N, H
data x: T x N x H, m: T x N x 1, h[0]: N x H
param W: H x H
for t in 1..T:
    h[t] = m[t] * tanh(x[t] + h[t-1] @ W) + (1 - m[t]) * h[t-1]
loss L = mean(h[T] ** 2)
""",
    "gp": """
dim N
data x: N, y: N
param l, s
K = exp(-(reshape(x, (N, 1)) - x) ** 2 / exp(2 * l)) + exp(s) * eye(N) + 0.01 * eye(N)
C = cholesky(K)
a = solve(K, y)
loss L = dot(y, a) / 2 + sum(log(diag(C)))
""",
    "mixture": """
dim N, K
data x: N
param mu: K, ls: K, w: K
r = reshape(x, (N, 1)) - mu
c = w - logsumexp(w) - ls - r ** 2 / (2 * exp(2 * ls))
loss L = -mean(log(sum(exp(c), axis=1)))
""",
    "linear attention": """
dim T, D
input q: T x D, k: T x D, v: T x D
f = exp(q)
g = exp(k)
z = f @ sum(g, axis=0)
output o = (f @ (g.T @ v)) / reshape(z, (T, 1))
""",
    "swiglu": """
dim N, D, H
input x: N x D
param W: D x H, V: D x H
a = x @ W
output y = a / (1 + exp(-a)) * (x @ V)
""",
    "gelu steps": """
dim N
input x: N
output y = 0.5 * x * (1 + tanh(sqrt(2 / 3.141592653589793) * (x + 0.044715 * x ** 3)))
""",
    "two losses": """
dim N, D, C
data X: N x D, y: N int < C
param W: D x C
z = X @ W
e = exp(z)
p = e / sum(e, axis=1, keepdims=True)
loss L = -mean(log(p[range(N), y])) + 0.01 * sum(W ** 2)
""",
}
