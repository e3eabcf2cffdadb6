"""Mistakes of students and of people who write backward passes, each with what a teacher would say of it.

Every task has right answers, and every slip replaces one piece of them: what is wrong besides is known to be
nothing. The sentences were written before any program was asked; `kinds` are the kinds of mistakes that say the same.
"""

from __future__ import annotations

from typing import NamedTuple


class Task(NamedTuple):
    """A model, built in or as text, and right answers to it."""

    model: str
    answers: str


class Slip(NamedTuple):
    """One piece of the right answers written wrongly; ``name`` is the gradient that it makes wrong."""

    task: str
    right: str
    wrong: str
    name: str
    kinds: tuple[str, ...]
    says: str
    words: tuple[str, ...] = ()

    @property
    def lines(self) -> str:
        """The answers with the slip."""
        return TASKS[self.task].answers.replace(self.right, self.wrong)

    def __str__(self) -> str:
        return f"{self.task}: {self.wrong or 'without ' + self.right}"


def slip(task: str, right: str, wrong: str, name: str, kinds: str, says: str, *words: str) -> Slip:
    return Slip(task, right, wrong, name, tuple(kinds.split("|")), says, words)


TASKS = {
    "ridge": Task(
        """dim N, D
data X: N x D, y: N
param w: D
const lam = 0.5
e = X @ w - y
loss L = mean(e**2) + lam * sum(w**2)""",
        "de = 2*e/N\ndw = X.T @ de + 2*lam*w",
    ),
    "lasso": Task(
        """dim N, D
data X: N x D, y: N
param w: D
const lam = 0.5
e = X @ w - y
loss L = sum(e**2) / 2 + lam * sum(abs(w))""",
        "dw = X.T @ e + lam*sign(w)",
    ),
    "layer norm": Task(
        """dim N, D
input x: N x D
const eps = 1e-5
m = mean(x, axis=1, keepdims=True)
c = x - m
v = mean(c**2, axis=1, keepdims=True)
r = 1 / sqrt(v + eps)
output y = c * r""",
        """dr = sum(dy*c, axis=1, keepdims=True)
dv = -1/2*dr*r^3
dc = dy*r + 2*dv*c/D
dm = -sum(dc, axis=1, keepdims=True)
dx = dc + dm/D""",
    ),
    "batch norm": Task(
        """dim N, D
input x: N x D
param g: D
m = mean(x, axis=0)
v = mean((x - m)**2, axis=0)
s = sqrt(v + 1e-5)
xh = (x - m) / s
output y = g * xh""",
        "dxh = dy*g\ndx = (dxh - mean(dxh, axis=0) - xh*mean(dxh*xh, axis=0))/s",
    ),
    "gated": Task(
        """dim N, D, M
input x: N x D
param W: D x M, V: D x M
a = x @ W
b = x @ V
s = sigmoid(a)
output y = a * s * b""",
        "da = dy*b*s*(1 + a*(1 - s))\ndb = dy*a*s",
    ),
    "gaussian": Task(
        """dim N
data x: N
param mu, ls
s = exp(ls)
z = (x - mu) / s
loss L = mean(z**2 / 2 + ls)""",
        "dmu = -sum(z)/(N*s)\ndls = 1 - mean(z**2)",
    ),
    "scale and shift": Task(
        """dim N, D
input x: N x D
param g: D, b: D
xh = (x - mean(x, axis=0)) / sqrt(var(x, axis=0) + 1e-5)
output y = g * xh + b""",
        "dg = sum(dy*xh, axis=0)\ndb = sum(dy, axis=0)\ndxh = dy*g",
    ),
    "attention": Task(
        """dim T, d
input Q: T x d, K: T x d, V: T x d
S = Q @ K.T / sqrt(d)
P = softmax(S)
output O = P @ V""",
        """dV = P.T @ dO
dP = dO @ V.T
dS = P*(dP - sum(dP*P, axis=1, keepdims=True))
dQ = dS @ K/sqrt(d)
dK = dS.T @ Q/sqrt(d)""",
    ),
    "projections": Task(
        """dim T, D
data X: T x D, G: T x D
param Wq: D x D, Wk: D x D, Wv: D x D
Q = X @ Wq
K = X @ Wk
V = X @ Wv
S = Q @ K.T
P = softmax(S)
loss L = sum(G*(P @ V))""",
        """dV = P.T @ G
dP = G @ V.T
dS = P*(dP - sum(dP*P, axis=1, keepdims=True))
dQ = dS @ K
dK = dS.T @ Q
dWq = X.T @ dQ
dWk = X.T @ dK
dWv = X.T @ dV""",
    ),
    "classifier": Task(
        """dim N, D, H, C
data X: N x D, y: N int < C
param W1: D x H, b1: H, W2: H x C, b2: C
Z1 = X @ W1 + b1
A1 = tanh(Z1)
Z2 = A1 @ W2 + b2
loss L = mean(cross_entropy(Z2, y))""",
        """dZ2 = (softmax(Z2) - one_hot(y, C))/N
dW2 = A1.T @ dZ2
db2 = sum(dZ2, axis=0)
dZ1 = dZ2 @ W2.T*(1 - A1**2)
dW1 = X.T @ dZ1
db1 = sum(dZ1, axis=0)""",
    ),
    "running sums": Task(
        "dim N\ndata v: N\nparam w: N\nc = cumsum(w)\nloss L = sum(v*c**2)",
        "dc = 2*v*c\ndw = flip(cumsum(flip(dc)))",
    ),
    "ring": Task(
        "dim N\ndata v: N\nparam w: N\nr = roll(w, 1)\nloss L = sum(v*r**2)",
        "dr = 2*v*r\ndw = roll(dr, -1)",
    ),
    "masked loss": Task(
        """dim N, C
data m: N, y: N int < C
param z: N x C
p = softmax(z)
l = cross_entropy(z, y)
loss L = sum(m * l) / sum(m)""",
        "dl = m/sum(m)\ndz = m[:, None]*(p - one_hot(y, C))/sum(m)",
    ),
    "temperature": Task(
        """dim N, C
data y: N int < C
param z: N x C, tau
u = z / tau
p = softmax(u)
loss L = mean(cross_entropy(u, y))""",
        "du = (p - one_hot(y, C))/N\ndz = du/tau\ndtau = -sum(du*z)/tau^2",
    ),
    "hinge": Task(
        "svm-hinge",
        """k = others*(s - s_y[:, None] + 1 > 0)
ds = (k - one_hot(y, C)*sum(k, axis=1, keepdims=True))/N
dW = ds.T @ X + 2*lam*W""",
    ),
    "images": Task(
        "conv-net",
        """dZ4 = (softmax(Z4) - one_hot(y, C))/N
dW4 = A3.T @ dZ4
dA3 = dZ4 @ W4.T
dZ3 = dA3*(Z3 > 0)
dW3 = F.T @ dZ3
dF = dZ3 @ W3.T
db2 = sum(dL/dZ2, axis=(0, 1, 2))
dZ1 = dL/dA1*(Z1 > 0)""",
    ),
    "filter": Task(
        """dim T
input x: T
param k: 3
output y = k[0]*x[:-2] + k[1]*x[1:-1] + k[2]*x[2:]""",
        """dk = stack(dot(dy, x[:-2]), dot(dy, x[1:-1]), dot(dy, x[2:]))
dx = concat(k[0]*dy, zeros(2)) + concat(zeros(1), k[1]*dy, zeros(1)) + concat(zeros(2), k[2]*dy)""",
    ),
    "embeddings": Task(
        "window-lm",
        """dlogits = (o - one_hot(y, V))/N
dW2 = h.T @ dlogits
dh = dlogits @ W2.T
dz = dh*(1 - h^2)
dW1 = x.T @ dz
dx = dz @ W1.T
dc = reshape(dx, (N, K, E))
dC = einsum("nkv,nke->ve", one_hot(words, V), dc)""",
    ),
    "gru": Task(
        "gru",
        """dz = (softmax(z) - one_hot(target, V))/(T*N)
back[T] = 0*h[0]
for t in T..1:
    dh[t] = dz[t] @ V_o.T + back[t]
    du[t] = dh[t]*(h[t-1] - n[t])
    dn[t] = dh[t]*(1 - u[t])
    an[t] = dn[t]*(1 - n[t]^2)
    au[t] = du[t]*u[t]*(1 - u[t])
    dr[t] = an[t]*(h[t-1] @ U_n)
    ar[t] = dr[t]*r[t]*(1 - r[t])
    back[t-1] = dh[t]*u[t] + an[t]*r[t] @ U_n.T + au[t] @ U_u.T + ar[t] @ U_r.T
    dU_n += h[t-1].T @ (an[t]*r[t])
    dU_u += h[t-1].T @ au[t]
    dW_r += x[t].T @ ar[t]""",
    ),
    "lstm": Task(
        "lstm",
        """dz = (softmax(z) - one_hot(target, V))/(T*N)
back[T] = 0*h[0]
keep[T] = 0*s[0]
for t in T..1:
    dh[t] = dz[t] @ V_o.T + back[t]
    do[t] = dh[t]*tanh(s[t])
    ds[t] = dh[t]*o[t]*(1 - tanh(s[t])^2) + keep[t]
    df[t] = ds[t]*s[t-1]
    di[t] = ds[t]*g[t]
    dg[t] = ds[t]*i[t]
    ai[t] = di[t]*i[t]*(1 - i[t])
    af[t] = df[t]*f[t]*(1 - f[t])
    ag[t] = dg[t]*(1 - g[t]^2)
    ao[t] = do[t]*o[t]*(1 - o[t])
    keep[t-1] = ds[t]*f[t]
    back[t-1] = ai[t] @ U_i.T + af[t] @ U_f.T + ag[t] @ U_g.T + ao[t] @ U_o.T
    dW_g += x[t].T @ ag[t]
    dU_f += h[t-1].T @ af[t]""",
    ),
    "rnn": Task(
        "rnn-lm",
        """dz = (o - one_hot(target, V))/(T*N)
back[T] = 0*h[0]
for t in T..1:
    dh[t] = dz[t] @ W_o.T + back[t]
    da[t] = dh[t]*(1 - h[t]^2)
    back[t-1] = da[t] @ W_h.T
    dW_h += h[t-1].T @ da[t]
    dW_o += h[t].T @ dz[t]
    db += sum(da[t], axis=0)""",
    ),
    "vae": Task(
        "vae",
        """dr = (sigmoid(r) - X)/N
dh2 = dr @ W3.T
da2 = dh2*(1 - h2^2)
dz = da2 @ W2.T
dmu = dz + mu/N
ds = dz*eps*exp(s/2)/2 + (exp(s) - 1)/(2*N)""",
    ),
    "autoencoder": Task(
        "autoencoder",
        """dR = (R - X)/N
dA1 = dR @ W2.T
dZ1 = dA1*A1*(1 - A1)
dW1 = X.T @ dZ1
dW2 = A1.T @ dR
db1 = sum(dZ1, axis=0)""",
    ),
    "norm": Task("dim D\nparam x: D\nloss L = norm(x)", "dx = x/norm(x)"),
    "cosine": Task(
        """dim D
param x: D, y: D
p = norm(x)
q = norm(y)
loss c = dot(x, y) / (p * q)""",
        "dx = y/(p*q) - c*x/p^2",
    ),
    "logistic batch": Task(
        "logistic-regression-batch",
        "dz = (y_hat - y)/N\ndw = X.T @ dz\ndb = sum(dz)",
    ),
    "residual": Task(
        """dim N, D
input x: N x D
param W: D x D
a = x @ W
h = relu(a)
output y = x + h""",
        "da = dy*(a > 0)\ndx = dy + da @ W.T\ndW = x.T @ da",
    ),
    "gate": Task(
        """dim N, D, M
input x: N x D
param W: D x M, V: D x M
a = x @ W
g = sigmoid(a)
v = x @ V
output y = v * g""",
        "dv = dy*g\ndg = dy*v\nda = dg*g*(1 - g)\ndx = da @ W.T + dv @ V.T",
    ),
    "activations": Task(
        "activations",
        """dz_tanh = da_tanh*(1 - a_tanh^2)
dz_leaky = da_leaky*where(z_leaky > 0, 1, 0.01)
dz_softplus = da_softplus*sigmoid(z_softplus)
dz_silu = da_silu*(sigmoid(z_silu) + z_silu*sigmoid(z_silu)*(1 - sigmoid(z_silu)))
dalpha = sum(da_prelu*where(z_prelu > 0, 0, z_prelu))""",
    ),
    "quadratic form": Task(
        "dim D\nparam x: D, A: D x D\nloss L = dot(x, A @ x)",
        "dx = (A + A.T) @ x\ndA = outer(x, x)",
    ),
    "product": Task(
        "dim N, M, K\nparam A: N x M, B: M x K\nC = A @ B\nloss L = sum(C**2) / 2",
        "dC = C\ndA = C @ B.T\ndB = A.T @ C",
    ),
    "tied": Task(
        """dim N, D, H
data X: N x D, Y: N x D
param E: D x H
h = tanh(X @ E)
r = h @ E.T
loss L = sum((r - Y)**2)""",
        "dr = 2*(r - Y)\ndh = dr @ E\ndE = X.T @ (dh*(1 - h^2)) + dr.T @ h",
    ),
    "scalars": Task(
        """param a, b, x
q = a / b
e = exp(-x**2 / 2)
u = sqrt(x)
loss L = q * e + sin(u)""",
        """dq = e
da = e/b
db = -e*a/b^2
du = cos(u)
dx = -q*x*e + cos(u)/(2*u)""",
    ),
}

REGRESSION = [
    slip("ridge", "X.T @ de + 2*lam*w", "X.T @ de", "dw", "missing-path",
         "the penalty lam * sum(w**2) depends on w too: its gradient 2*lam*w has to be added"),
    slip("ridge", "2*lam*w", "lam*w", "dw", "constant", "w**2 has the derivative 2*w: the 2 is missing"),
    slip("ridge", "2*e/N", "2*e", "de", "mean", "the loss is a mean over N examples: 1/N is missing", "N"),
    slip("ridge", "2*e/N", "e/N", "de", "constant", "the 2 of the square is missing", "2"),
    slip("ridge", "X.T @ de + ", "X @ de + ", "dw", "transpose", "X is N x D: it is X.T that takes errors to weights",
         "X.T"),
    slip("ridge", "+ 2*lam*w", "- 2*lam*w", "dw", "sign", "the penalty is added to the loss, its gradient too"),
    slip("lasso", "lam*sign(w)", "lam*w", "dw", "wrong-derivative|missing-factor|wrong-factor",
         "the derivative of abs(w) is sign(w), not w"),
    slip("lasso", "lam*sign(w)", "sign(w)", "dw", "missing-factor|constant", "the weight lam of the penalty is missing",
         "lam"),
    slip("lasso", "X.T @ e", "2*X.T @ e", "dw", "constant", "the 1/2 in front cancels the 2 of the square"),
    slip("logistic batch", "db = sum(dz)", "db = mean(dz)", "db", "mean",
         "dz has its 1/N already: over the batch one sums", "N"),
    slip("logistic batch", "(y_hat - y)/N", "(y_hat - y)*y_hat*(1 - y_hat)/N", "dz", "extra-factor",
         "the derivative of the sigmoid cancels against that of the cross entropy", "y_hat"),
    slip("hinge", "+ 2*lam*W", "", "dW", "missing-path", "the penalty lam * sum(W**2) depends on W too"),
    slip("hinge", "ds.T @ X", "X.T @ ds", "dW", "transpose|order", "W is C x D, so it is ds.T @ X"),
    slip("hinge", "(k - one_hot(y, C)*sum(k, axis=1, keepdims=True))/N", "k/N", "ds", "missing-path",
         "the score of the true class is subtracted in every margin: that path is missing"),
    slip("hinge", "one_hot(y, C)*sum(k, axis=1, keepdims=True)", "one_hot(y, C)", "ds",
         "missing-factor|missing-sum|wrong-factor", "the true class counts once for each margin that is violated"),
    slip("hinge", "others*(s - s_y[:, None] + 1 > 0)\nds", "others\nds", "ds", "missing-factor",
         "the hinge passes a gradient only where the margin is violated: the mask is missing"),
]
NORMS = [
    slip("layer norm", " + 2*dv*c/D", "", "dc", "missing-path",
         "the variance depends on c too: the path through v is missing"),
    slip("layer norm", "dc + dm/D", "dc", "dx", "missing-path",
         "the mean depends on x too: the path through m is missing", "m"),
    slip("layer norm", "-1/2*dr*r^3", "-dr*r^3", "dv", "constant", "1/sqrt(v) is v^(-1/2): the 1/2 is missing"),
    slip("layer norm", "-1/2*dr*r^3", "-1/2*dr*r^2", "dv", "exponent|missing-factor", "the exponent of r is 3, not 2"),
    slip("layer norm", "-1/2*dr*r^3", "1/2*dr*r^3", "dv", "sign", "1/sqrt(v) falls as v grows: the sign is wrong"),
    slip("layer norm", "sum(dy*c, axis=1, keepdims=True)", "dy*c", "dr", "missing-sum",
         "r has one number a row: sum over the D entries that it scales"),
    slip("layer norm", "2*dv*c/D", "2*dv*c", "dc", "mean", "the variance is a mean over D entries: 1/D is missing",
         "D"),
    slip("layer norm", "dm/D", "dm", "dx", "mean", "m is a mean of D entries: 1/D is missing", "D"),
    slip("scale and shift", "sum(dy*xh, axis=0)", "sum(dy*x, axis=0)", "dg", "pre-activation|substitution",
         "g scales the normalised xh, not x itself", "xh"),
    slip("scale and shift", "db = sum(dy, axis=0)", "db = mean(dy, axis=0)", "db", "mean",
         "the bias adds up over the batch: no mean", "N"),
    slip("scale and shift", "sum(dy*xh, axis=0)", "sum(dy, axis=0)", "dg", "missing-factor",
         "y = g*xh: the factor xh is missing", "xh"),
    slip("scale and shift", "dxh = dy*g", "dxh = dy", "dxh", "missing-factor", "the scale g is missing", "g"),
    slip("batch norm", "(dxh - mean(dxh, axis=0) - xh*mean(dxh*xh, axis=0))/s",
         "dxh - mean(dxh, axis=0) - xh*mean(dxh*xh, axis=0)", "dx", "missing-factor", "1/s is missing", "1/s"),
    slip("batch norm", "xh*mean(dxh*xh, axis=0)", "mean(dxh*xh, axis=0)", "dx", "missing-factor",
         "the mean is multiplied by xh", "lacks the factor xh"),
    slip("batch norm", "mean(dxh, axis=0) - xh*mean(", "sum(dxh, axis=0) - xh*sum(", "dx", "mean",
         "both are means over the batch", "mean"),
    slip("batch norm", "mean(dxh, axis=0)", "mean(dxh, axis=1, keepdims=True)", "dx", "missing-sum",
         "the statistics are those of a feature: axis 0", "axis=0"),
    slip("gated", "dy*b*s*(1 + a*(1 - s))", "dy*s*(1 + a*(1 - s))", "da", "missing-factor",
         "the other gate is missing", "b"),
    slip("gaussian", "/(N*s)", "/(N*s^2)", "dmu", "exponent", "z is divided by s once", "s"),
    slip("gaussian", "mean(z**2)", "mean(z)**2", "dls", "exponent", "the mean of squares, not the square of the mean",
         "mean(z**2)"),
    slip("norm", "x/norm(x)", "2*x", "dx", "wrong-derivative|wrong-factor|missing-factor",
         "2*x is the derivative of the squared norm"),
    slip("norm", "x/norm(x)", "x/norm(x)^2", "dx", "exponent|extra-factor|missing-factor",
         "one division by the norm is enough"),
    slip("cosine", " - c*x/p^2", "", "dx", "missing-path", "the norm of x depends on x too"),
    slip("cosine", "- c*x", "+ c*x", "dx", "sign", "the norm stands below the line: its term is subtracted"),
    slip("cosine", "c*x/p^2", "c*x/p", "dx", "exponent|missing-factor",
         "norm(x) occurs twice: once from 1/p, once from its derivative", "p"),
]
ATTENTION = [
    slip("attention", "dV = P.T @ dO", "dV = P @ dO", "dV", "transpose", "O = P @ V gives dV = P.T @ dO", "P"),
    slip("attention", "dS = P*(dP - sum(dP*P, axis=1, keepdims=True))", "dS = P*(1 - P)*dP", "dS",
         "wrong-derivative|missing-path",
         "softmax is no elementwise function: its Jacobian has entries off the diagonal", "softmax"),
    slip("attention", "dP - sum(dP*P, axis=1, keepdims=True)", "dP", "dS", "missing-path|term|wrong-derivative",
         "the normaliser of the softmax depends on every score: the sum is missing"),
    slip("attention", "dS @ K/sqrt(d)", "dS @ K", "dQ", "missing-factor|constant",
         "scores are divided by sqrt(d), their gradients too", "d"),
    slip("attention", "dS @ K/sqrt(d)", "dS @ K/d", "dQ", "constant|exponent|wrong-factor|extra-factor",
         "the scale is 1/sqrt(d), not 1/d"),
    slip("attention", "dK = dS.T @ Q", "dK = dS @ Q", "dK", "transpose", "K enters transposed: dK takes dS.T"),
    slip("attention", "dK = dS.T @ Q", "dK = dS.T @ K", "dK", "substitution", "the other factor of the scores is Q",
         "K stands where Q belongs"),
    slip("attention", "dS = P*(dP", "dS = S*(dP", "dS", "pre-activation",
         "the derivative of softmax is written with its output P", "P"),
    slip("attention", "sum(dP*P, axis=1, keepdims=True)", "sum(dP*P, axis=0, keepdims=True)", "dS",
         "summed|wrong-derivative|missing-sum", "softmax goes along rows: the sum runs over axis 1", "axis"),
    slip("attention", "dP = dO @ V.T", "dP = V @ dO.T", "dP", "order|transpose", "P stands left of V: dP = dO @ V.T"),
]
MOVED = [
    slip("running sums", "dw = flip(cumsum(flip(dc)))", "dw = cumsum(dc)", "dw", "transpose",
         "w[i] is in the sums from c[i] on: add up from the end", "cumsum", "the other way"),
    slip("running sums", "dw = flip(cumsum(flip(dc)))", "dw = dc", "dw", "transpose",
         "w[i] is in all sums from c[i] on, not in c[i] alone", "cumsum", "as it is"),
    slip("ring", "dw = roll(dr, -1)", "dw = roll(dr, 1)", "dw", "transpose",
         "the gradient moves back, not on", "roll", "once more"),
    slip("ring", "dw = roll(dr, -1)", "dw = dr", "dw", "transpose",
         "the gradient moves back to where it came from", "roll", "as it is"),
]
CLASSES = [
    slip("masked loss", "m[:, None]*(p - one_hot(y, C))/sum(m)", "(p - one_hot(y, C))/sum(m)", "dz", "missing-factor",
         "what is masked gets no gradient: the mask m is missing", "m"),
    slip("masked loss", "m[:, None]*(p - one_hot(y, C))/sum(m)", "m[:, None]*(p - one_hot(y, C))/N", "dz",
         "mean|wrong-factor|substitution|missing-factor",
         "the mean is over what the mask keeps: divide by sum(m), not by N", "sum(m)"),
    slip("masked loss", "dl = m/sum(m)", "dl = m", "dl", "missing-factor|mean", "the division by sum(m) is missing",
         "sum(m)"),
    slip("temperature", "dz = du/tau", "dz = du", "dz", "missing-factor", "u = z/tau: the factor 1/tau is missing",
         "tau"),
    slip("temperature", "dz = du/tau", "dz = du*tau", "dz", "wrong-derivative|wrong-factor|exponent",
         "it is divided by tau, not multiplied", "tau"),
    slip("temperature", "-sum(du*z)/tau^2", "-sum(du*z)/tau", "dtau", "exponent|missing-factor",
         "the derivative of 1/tau is -1/tau^2", "tau"),
    slip("temperature", "-sum(du*z)/tau^2", "-du*z/tau^2", "dtau", "missing-sum",
         "one tau for all entries: sum over them"),
    slip("temperature", "(p - one_hot(y, C))/N", "(p - one_hot(y, C))/(N*C)", "du", "mean|constant|extra-factor",
         "the loss is a mean over N examples, not over all N*C entries", "C"),
    slip("embeddings", "(o - one_hot(y, V))/N", "(1 - o)/N", "dlogits",
         "substitution|wrong-derivative|sign|wrong-factor",
         "o - 1 holds at the true class only, with this sign; elsewhere the gradient is o"),
    slip("embeddings", "h.T @ dlogits", "dlogits.T @ h", "dW2", "transpose", "W2 is H x V: h.T comes first", "H x V"),
    slip("embeddings", "dh*(1 - h^2)", "dh*(1 - z^2)", "dz", "pre-activation", "1 - tanh(z)^2 is 1 - h^2",
         "z stands where h belongs"),
    slip("embeddings", "dc)", "dc)/N", "dC", "mean", "the 1/N is in dlogits already", "N"),
    slip("embeddings", "dW1 = x.T @ dz", "dW1 = x.T @ dh", "dW1", "missing-factor",
         "the derivative of tanh is not chained: dz, not dh"),
]
IMAGES = [
    slip("images", "dZ3 = dA3*(Z3 > 0)", "dZ3 = dA3", "dZ3", "missing-factor", "the mask of relu is missing", "Z3 > 0"),
    slip("images", "dZ3 = dA3*(Z3 > 0)", "dZ3 = dA3*A3", "dZ3", "wrong-derivative|substitution",
         "the derivative of relu is 1 or 0, not relu itself"),
    slip("images", "axis=(0, 1, 2)", "axis=0", "db2", "missing-sum",
         "one bias a channel: sum over batch, height and width"),
    slip("images", "dL/dA1*(Z1 > 0)", "dL/dA1*(Z1 < 0)", "dZ1", "sign|wrong-derivative|wrong-factor|order",
         "relu passes where Z1 > 0, not below"),
    slip("images", "dF = dZ3 @ W3.T", "dF = dZ3 @ W3", "dF", "transpose", "F @ W3 gives dF = dZ3 @ W3.T", "W3.T"),
    slip("filter", "dot(dy, x[:-2]), dot(dy, x[1:-1]), dot(dy, x[2:])",
         "dot(dy, x[2:]), dot(dy, x[1:-1]), dot(dy, x[:-2])", "dk", "substitution|stale-index|order",
         "the filter is not flipped: k[0] meets x[:-2]"),
    slip("filter", " + concat(zeros(2), k[2]*dy)", "", "dx", "missing-path",
         "x enters three times: the path through k[2] is missing"),
    slip("filter", "concat(zeros(1), k[1]*dy, zeros(1))", "concat(zeros(1), k[2]*dy, zeros(1))", "dx",
         "substitution|stale-index", "in the middle it is k[1]"),
]
LOOPS = [
    slip("rnn", "dz[t] @ W_o.T + back[t]", "dz[t] @ W_o.T", "dh[2]", "missing-path",
         "h[2] goes on into h[3]: that path is missing", "h"),
    slip("rnn", "1 - h[t]^2", "1 - h[t-1]^2", "dh[2]", "stale-index", "the derivative of tanh at step t is 1 - h[t]^2"),
    slip("rnn", "1 - h[t]^2", "1 - h[t]", "dh[2]", "exponent", "the square is missing"),
    slip("rnn", "back[t-1] = da[t]", "back[t-1] = dh[t]", "dh[2]", "missing-factor",
         "the derivative of tanh is not chained between the steps"),
    slip("rnn", "h[t].T @ dz[t]", "h[t-1].T @ dz[t]", "dW_o", "stale-index", "z[t] is made of h[t], not of h[t-1]"),
    slip("rnn", "db += sum(da[t], axis=0)", "db += da[t]", "db", "missing-sum", "one bias for the batch: sum over it"),
    slip("gru", "dh[t]*u[t] + an", "an", "dh[2]", "missing-path",
         "h[t-1] is kept with weight u[t]: that path is missing"),
    slip("gru", "(h[t-1] - n[t])", "(n[t] - h[t-1])", "du[3]", "sign",
         "u[t] weighs the old state, 1 - u[t] the new one: the sign is wrong"),
    slip("gru", "dn[t] = dh[t]*(1 - u[t])", "dn[t] = dh[t]*u[t]", "dn[3]", "wrong-factor|term|substitution",
         "n[t] has the weight 1 - u[t]"),
    slip("gru", "h[t-1].T @ (an[t]*r[t])", "h[t-1].T @ an[t]", "dU_n", "missing-factor",
         "the reset gate r[t] is missing", "r"),
    slip("gru", "dU_u += h[t-1].T", "dU_u += h[t].T", "dU_u", "stale-index", "the gate reads h[t-1]"),
    slip("gru", "ar[t] = dr[t]*r[t]*(1 - r[t])", "ar[t] = dr[t]", "dW_r", "missing-factor",
         "the derivative of the sigmoid of the gate is missing"),
    slip("lstm", "*(1 - tanh(s[t])^2) + keep[t]", "*(1 - tanh(s[t])^2)", "ds[2]", "missing-path",
         "s[t] goes on into s[t+1]: that path is missing"),
    slip("lstm", "ds[t]*s[t-1]", "ds[t]*s[t]", "df[3]", "stale-index", "the forget gate weighs the old cell s[t-1]"),
    slip("lstm", "di[t] = ds[t]*g[t]", "di[t] = ds[t]*i[t]", "di[3]", "substitution",
         "the other factor is the candidate g[t]", "g"),
    slip("lstm", "(1 - tanh(s[t])^2)", "(1 - s[t]^2)", "ds[3]", "pre-activation|wrong-derivative",
         "1 - tanh(s)^2: the tanh is missing"),
    slip("lstm", "do[t] = dh[t]*tanh(s[t])", "do[t] = dh[t]*s[t]", "do[3]",
         "pre-activation|missing-factor|wrong-factor|substitution", "h = o * tanh(s): it is tanh(s[t]), not s[t]"),
    slip("lstm", "ag[t] = dg[t]*(1 - g[t]^2)", "ag[t] = dg[t]*g[t]*(1 - g[t])", "dW_g", "wrong-derivative",
         "g is a tanh; g*(1 - g) is the sigmoid's", "sigmoid"),
    slip("lstm", "keep[t-1] = ds[t]*f[t]", "keep[t-1] = ds[t]*(1 - f[t])", "ds[2]", "wrong-factor|term|substitution",
         "the old cell has the weight f[t]", "f"),
]
NETWORKS = [
    slip("projections", "dWk = X.T @ dK", "dWk = X.T @ dQ", "dWk", "substitution", "K is projected by Wk",
         "dQ stands where dK belongs"),
    slip("projections", "dWv = X.T @ dV", "dWv = X.T @ dK", "dWv", "substitution", "V is projected by Wv",
         "dK stands where dV belongs"),
    slip("classifier", "sum(dZ1, axis=0)", "sum(dZ2, axis=0)", "db1", "substitution|stale-index",
         "b1 is added to Z1", "dZ2 stands where dZ1 belongs"),
    slip("classifier", "(1 - A1**2)", "(1 - A1)**2", "dZ1", "exponent", "tanh' is 1 - tanh²: the square is that of A1",
         "(1 - A1)**2 stands where 1 - A1**2 belongs"),
    slip("classifier", "one_hot(y, C))/N", "one_hot(y, C))/C", "dZ2", "mean", "the mean is over the N samples",
         "divided by C, where N belongs"),
    slip("vae", "dmu = dz + mu/N", "dmu = dz", "dmu", "missing-path", "the Kullback-Leibler term depends on mu too",
         "mu"),
    slip("vae", "dmu = dz + mu/N", "dmu = dz + mu", "dmu", "mean", "the term is a mean over the batch: 1/N is missing",
         "N"),
    slip("vae", "exp(s/2)/2", "exp(s/2)", "ds", "constant", "the inner derivative of s/2 is missing: the factor 1/2",
         "2"),
    slip("vae", "exp(s) - 1", "exp(s) + 1", "ds", "sign", "- s has the derivative -1"),
    slip("vae", "(sigmoid(r) - X)", "(r - X)", "dr", "pre-activation|missing-factor|wrong-derivative",
         "the logits r have to go through the sigmoid", "sigmoid"),
    slip("autoencoder", "(R - X)/N", "(R - X)/(N*D)", "dR", "mean|constant|extra-factor",
         "one sums over the D entries and averages over the batch only", "D"),
    slip("autoencoder", "(R - X)/N", "-2*(R - X)/N", "dR", "constant|sign",
         "two mistakes: the sign, and a 2 that the 1/2 cancels", "2"),
    slip("autoencoder", "dA1*A1*(1 - A1)", "dA1*Z1*(1 - Z1)", "dZ1", "pre-activation",
         "the derivative is written with the output A1", "Z1 stands where A1 belongs"),
    slip("autoencoder", "dA1*A1*(1 - A1)", "dA1*sigmoid(A1)*(1 - sigmoid(A1))", "dZ1",
         "wrong-derivative|pre-activation", "A1 is the sigmoid already: it is applied twice", "output"),
    slip("autoencoder", "dA1*A1*(1 - A1)", "A1*(1 - A1)", "dZ1", "missing-factor",
         "the upstream gradient dA1 is missing", "A1"),
    slip("autoencoder", "sum(dZ1, axis=0)", "sum(dZ1, axis=1)", "db1", "summed|shape|missing-sum",
         "the sum runs over the batch, axis 0", "0"),
    slip("residual", "dy + da @ W.T", "da @ W.T", "dx", "missing-path", "the skip connection carries a gradient too",
         "y"),
    slip("residual", "dy + da @ W.T", "dy", "dx", "missing-path", "the path through the layer is missing", "a"),
    slip("residual", "da = dy*(a > 0)", "da = dy*h", "da", "wrong-derivative|substitution",
         "the derivative of relu is 1 or 0"),
    slip("gate", "da @ W.T + dv @ V.T", "dv @ V.T", "dx", "missing-path", "x enters the gate too", "a"),
    slip("gate", "dg*g*(1 - g)", "dg*(1 - g)", "da", "missing-factor|wrong-derivative|term",
         "the derivative of the sigmoid is g*(1 - g)", "g"),
    slip("gate", "dg*g*(1 - g)", "dg*(1 - g^2)", "da", "wrong-derivative", "that is the derivative of tanh", "tanh"),
    slip("gate", "dv = dy*g\ndg = dy*v", "dv = dy*v\ndg = dy*g", "dv", "substitution",
         "swapped: the derivative by v is g", "v stands where g belongs"),
    slip("activations", "da_tanh*(1 - a_tanh^2)", "1 - a_tanh^2", "dz_tanh", "missing-factor",
         "the upstream gradient is missing", "a_tanh"),
    slip("activations", "where(z_leaky > 0, 1, 0.01)", "where(z_leaky > 0, 1, 0)", "dz_leaky",
         "wrong-derivative|term|constant", "below 0 the slope is 0.01: this is the derivative of relu", "relu"),
    slip("activations", "da_softplus*sigmoid(z_softplus)", "da_softplus*softplus(z_softplus)", "dz_softplus",
         "wrong-derivative", "the derivative of softplus is the sigmoid, not softplus itself", "softplus"),
    slip("activations", "(sigmoid(z_silu) + z_silu*sigmoid(z_silu)*(1 - sigmoid(z_silu)))",
         "sigmoid(z_silu)*(1 - sigmoid(z_silu))", "dz_silu", "wrong-derivative",
         "that is the derivative of the sigmoid alone: the product rule is forgotten", "sigmoid"),
    slip("activations", "(sigmoid(z_silu) + z_silu*sigmoid(z_silu)*(1 - sigmoid(z_silu)))", "sigmoid(z_silu)",
         "dz_silu", "term|wrong-derivative|missing-path", "one term of the product rule is missing"),
    slip("activations", "sum(da_prelu*where(z_prelu > 0, 0, z_prelu))", "da_prelu*where(z_prelu > 0, 0, z_prelu)",
         "dalpha", "missing-sum", "one alpha for all entries: sum over them"),
]
MATRICES = [
    slip("quadratic form", "(A + A.T) @ x", "2*A @ x", "dx", "transpose|missing-path|wrong-factor",
         "that holds for symmetric A only: it is A + A.T", "A"),
    slip("quadratic form", "(A + A.T) @ x", "A @ x", "dx", "missing-path",
         "x stands twice in the form: one of its paths is missing"),
    slip("product", "C @ B.T", "B.T @ C", "dA", "order", "dC comes first", "C @ B.T"),
    slip("product", "A.T @ C", "C @ A.T", "dB", "order", "A.T comes first", "A.T @ C"),
    slip("product", "dA = C @ B.T\ndB = A.T @ C", "dA = A.T @ C\ndB = C @ B.T", "dA",
         "shape|substitution|order|transpose", "the two answers are swapped", "N x M"),
    slip("tied", " + dr.T @ h", "", "dE", "missing-path", "E is used twice: its use in the decoder is missing"),
    slip("tied", "dr.T @ h", "h.T @ dr", "dE", "transpose|order", "in the decoder E stands transposed: dr.T @ h"),
    slip("tied", "2*(r - Y)", "r - Y", "dr", "constant", "the 2 of the square is missing", "2"),
    slip("scalars", "-e*a/b^2", "-e*a/b", "db", "exponent|missing-factor", "the derivative of 1/b is -1/b^2", "b"),
    slip("scalars", "-e*a/b^2", "e*a/b^2", "db", "sign", "the derivative of 1/b is negative"),
    slip("scalars", "-q*x*e + ", "q*e + ", "dx", "missing-factor", "the inner derivative -x is missing", "x"),
    slip("scalars", "cos(u)/(2*u)", "cos(u)/u", "dx", "constant",
         "the derivative of sqrt(x) is 1/(2*sqrt(x)): the 1/2 is missing"),
    slip("scalars", "du = cos(u)", "du = -cos(u)", "du", "sign", "the derivative of sin is +cos"),
    slip("scalars", "du = cos(u)", "du = sin(u)", "du", "wrong-derivative", "that is sin itself: its derivative is cos",
         "sin"),
]

SLIPS = [*REGRESSION, *NORMS, *ATTENTION, *MOVED, *CLASSES, *IMAGES, *LOOPS, *NETWORKS, *MATRICES]
# What no single change of the derivation or of the line is: grade says so, and that it is wrong.
UNEXPLAINED = [
    s
    for s in SLIPS
    if (s.task, s.wrong)
    in (
        ("hinge", "one_hot(y, C)"),
        ("norm", "2*x"),
        ("embeddings", "(1 - o)/N"),
        ("filter", "dot(dy, x[2:]), dot(dy, x[1:-1]), dot(dy, x[:-2])"),
        ("activations", "sigmoid(z_silu)*(1 - sigmoid(z_silu))"),
    )
]
