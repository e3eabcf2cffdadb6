"""An expression alone: what it needs is declared by a guess that is told, and it is derived as any model is."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop import derive, verify
from symbackprop.errors import ModelError, ShapeError, SyntaxProblem
from symbackprop.model.text import parse, parse_alone, to_text
from symbackprop.verified import first_difference
from tests.core.helpers import value


@pytest.mark.parametrize(
    ("text", "guess"),
    [
        ("(y - tanh(w*x))^2/2", "data y, x, param w"),
        ("w1*w2 + w1", "param w1, w2"),
        ("sum((y - X @ w)^2)/(2*s^2) + N/2*log(s^2)", "dim N, D, data y: N, X: N x D, param w: D, s"),
        ("softmax(Q @ K.T / sqrt(d_k)) @ V", "dim N, D, H, M, data d_k, param Q: N x D, K: H x D, V: H x M"),
        ("x*y", "param x, y"),  # something has to be a parameter
        ("psi = np.array([np.cos(theta), np.sin(theta)])\npsi @ H @ psi", "param theta, H: 2 x 2"),  # theta had entries
        ("n = x.shape[0] * x.shape[2]\n-sum(log(p))/n", "dim N, D, H, K, data x: N x D x H, param p: K"),  # refused
        ("W, b = params\nmean((x @ W + b - y)**2)",
         "dim N, D, data x: N, y: D, param W: N x D, b: D; params is read as W, b"),
        ("(W, b), v = params\nsum((tanh(x @ W + b) @ v)**2)",
         "dim N, D, data x: N, param W: N x D, b: D, v: D; params is read as W, b, v"),
        ("W = params[0]\nb = params[1]\nsum((x @ W + b)**2)", "dim N, D, data x: D, param params: N x D"),
        ("mu, s = theta\nsum((y - mu)**2)*exp(-s)", "dim N, D, data y: D, param theta: N"),
        ("mean((X @ W + b - Y)^2) + λ·sum(W^2)", "dim N, D, H, data X: N x D, Y: N x H, param W: D x H, b: H, lam"),
        ("z = W @ x + b; p = softmax(z); -sum(y * log(p))", "dim N, D, data x: D, y: N, param W: N x D, b: N"),
        ("mean(cross_entropy(X @ W + b, y))", "dim N, D, H, data X: N x D, y: N int < H, param W: D x H, b: H"),
        ("focal(X @ W, y)", "dim N, D, H, data X: N x D, y: N x H, param W: D x H"),
        ("sum(log(1 + exp(-y * (X @ w))))", "dim N, D, data y: N, X: N x D, param w: D"),
        ("x.T @ A @ x", "dim N, data x: N, param A: N x N"),
        ("softmax(q @ K.T / sqrt(8)) @ V", "dim N, D, H, param q: N, K: D x N, V: D x H"),
        ("sum((y - yhat)**2)/n", "dim N, data y: N, n, param yhat: N"),
        ("mean((y_pred - y_true)**2)", "dim N, data y_true: N, param y_pred: N"),
        ("sum((y - x)**2)/(2*N)", "dim N, param y: N, x: N"),
        ("(x - mu).T @ inv(Sigma) @ (x - mu)", "dim N, data x: N, param mu: N, Sigma: N x N"),
        ("sum((x - mu)**2)", "dim N, data x: N, param mu"),
        ("log(det(A))", "dim N, param A: N x N"),
        ("x.T @ inv(A) @ x", "dim N, data x: N, param A: N x N"),
        ("mean(relu(X @ W + b), axis=0)", "dim N, D, H, data X: N x D, param W: D x H, b: H"),
        ("x[0]^2 * w[1]", "dim N, D, data x: N, param w: D"),
        ("W[i, j]^2 + sum(W)", "dim N, D, data i: int < N, j: int < D, param W: N x D"),
        ("mean(E[ids]^2) + sum(E[:, 0] * b)", "dim N, D, data ids: int < N, param E: N x D, b: N"),
        ("np.linalg.norm(A @ x - b)**2", "dim N, D, data x: D, param A: N x D, b: N"),
        ("F.mse_loss(X @ W, Y)", "dim N, D, H, data X: N x D, Y: N x H, param W: D x H"),
        ("sum(attention(Q, K, V))", "dim N, D, H, M, param Q: N x D, K: H x D, V: H x M"),
        ("sum(einsum('ij,jk->ik', A, B))", "dim N, D, H, param A: N x D, B: D x H"),
        ("F.binary_cross_entropy_with_logits(X @ w + b, y)", "dim N, D, data X: N x D, y: N, param w: D, b"),
        ("-log(softmax(W @ x)[y])", "dim N, D, data x: D, y: int < N, param W: N x D"),
        ("sum(conv2d(x, w))", "dim N, D, H, data x: N x 8 x 8 x D, param w: 3 x 3 x D x H"),
        ("mean((F.conv2d(x, w, b) - y)**2)",
         "dim N, D, H, data x: N x D x 8 x 8, y: N x H x 6 x 6, param w: H x D x 3 x 3, b: H"),
        ("sum(([[1, 2], [3, 4]] @ x - [1, y])**2)", "param x: 2, y"),
        ("det([[a, b], [c, d]])", "param a, b, c, d"),
        ("det(stack(stack(a, b), stack(c, d)))", "param a, b, c, d"),
        ("norm(np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ p - q)**2", "param a, p: 2, q: 2"),
        ("sum((torch.tensor([[1., 2.], [3., 4.]]) @ w - torch.tensor([1., y]))**2)", "data y, param w: 2"),
    ("mean((F.conv1d(x, w) - y)**2)", "dim N, D, H, data x: N x D x 8, y: N x H x 6, param w: H x D x 3"),
        ("sum(max_pool2d(relu(conv2d(x, w1)), 2) * w2)",
         "dim N, D, H, data x: N x 8 x 8 x D, param w1: 3 x 3 x D x H, w2: H"),
        ("sum(np.cross(a, m * b)**2)", "param a: 3, m: 3, b: 3"),
        ("logdet(k) + y @ solve(k, y)", "dim N, data y: N, param k: N x N"),
        ("E[(y - w*x)^2]", "dim N, data y: N, x: N, param w; E[…] is the mean"),
        ("-sum(norm.logpdf(y, w*x, s))", "dim N, data y: N, x: N, param w, s"),
        ("lambda w: (y - w*x)**2", "data y, x, param w"),
        ("f = lambda z: z**2; f(w*x - y)", "data x, y, param w"),
        ("f(z) = z^2; f(w*x - y)", "data x, y, param w"),
        ("sum(torch.sort(a, dim=0)[0] * b)", "dim N, param a: N, b: N"),
        # what a function along an axis takes
        ("sum(F.normalize(z, dim=1) @ V)", "dim N, D, H, param z: N x D, V: D x H"),
        ("sum(z.max(1).values)", "dim N, D, param z: N x D"),
        ("logits = h @ W + b; sum(logits - logits.max(1, keepdim=True).values)",
         "dim N, D, H, param h: N x D, W: D x H, b: H"),
        ("z = torch.cat([a, b], dim=0); sum(F.softmax(z @ z.T / temperature, dim=1)**2)",
         "dim N, D, H, param a: N x D, b: H x D, temperature"),
        ("q = (x @ W).gather(1, a.unsqueeze(1)).squeeze(1); mean(q**2)",
         "dim N, D, H, data x: N x D, a: N int < H, param W: D x H"),
        ("sum(np.take_along_axis(Z, k[:, None], axis=1))", "dim N, D, data k: N int < D, param Z: N x D"),
        ("torch.relu(x @ W).max(1)[0].sum()", "dim N, D, H, data x: N x D, param W: D x H"),
        ("torch.cdist(emb, emb).sum()", "dim N, D, param emb: N x D"),
        ("sum(logsumexp(pi_logits, axis=1))", "dim N, D, param pi_logits: N x D"),
        ("F.nll_loss(F.log_softmax(logits, dim=-1), target)",
         "dim N, D, data target: N int < D, param logits: N x D"),
        ("F.cross_entropy(q @ k.t(), torch.arange(len(q)))", "dim N, D, param q: N x D, k: N x D"),
        # what an index and a product ask for
        ("sum(alphas[t][:, None] * x0)", "dim N, D, H, data t: D int < N, x0: H, param alphas: N"),
        ("T = cumprod(1 - alpha, axis=-1); sum(T[:, :-1] * v)", "dim N, D, param alpha: N x D, v: D - 1"),
        ("h = x * g; sum((F.silu(h @ w1) * (h @ w3)) @ w2)",
         "dim N, D, data x: N, param g: N, w1: N x D, w3: N x D, w2: D"),
        # sizes that are computed of others
        ("sum(F.interpolate(x[None, None], scale_factor=2) * w)", "dim N, data x: N, param w: 2*N"),
        ("n, m = x.shape; sum(W @ np.concatenate((h_prev, x), axis=0))",
         "dim n, m, N, D, data x: n x m, param W: N x D + n, h_prev: D x m"),
        ("sum(x[1:] * w) + sum(X[:, :3] @ v)", "dim N, D, H, data x: N, X: D x H, param w: N - 1, v: 3"),
        ("sum(X[:, :H] @ w)", "dim H, N, D, data X: N x D, param w: H"),
        ("H = h.shape[1]; a = x @ W + h @ U + b; sum(sigmoid(a[:, :H]) * c_prev + tanh(a[:, H:]))",
         "dim H, N, D, data x: N x D, param W: D x 2*H, h: N x H, U: H x 2*H, b: 2*H, c_prev: N x H"),
    ],
)
def test_what_is_guessed(text: str, guess: str) -> None:
    model = parse_alone(text)
    assert model.remarks[0] == f"guessed: {guess}"
    assert set(derive(model).gradients) == set(model.params) and verify(model, seed=1).verdict == "pass"


@pytest.mark.parametrize(("text", "guess", "meant"), [
    (r"u^\top \begin{bmatrix} \cos t & -\sin t \\ \sin t & \cos t \end{bmatrix} v", "data t, param u: 2, v: 2",
     "u.T @ [[cos(t), -sin(t)], [sin(t), cos(t)]] @ v"),
    (r"\left\| \begin{pmatrix} 1 & 2 \\ 3 & \frac{1}{4} \end{pmatrix} x"
     r" - \begin{pmatrix} 1 \\ 0 \end{pmatrix} \right\|^2", "param x: 2",
     "norm([[1, 2], [3, 1/4]] @ x - [1, 0])**2"),
    (r"\begin{vmatrix} a & b \\ c & d \\ \end{vmatrix}", "param a, b, c, d", "det([[a, b], [c, d]])"),
])
def test_matrices_of_latex(text: str, guess: str, meant: str) -> None:
    model = parse_alone(text)
    assert model.remarks[0] == f"guessed: {guess}"
    assert first_difference(model, parse_alone(meant)) is None


LINES = {
    "labels": ("h = tanh(x @ W1 + b1)\nz = h @ W2 + b2\np = softmax(z)\n-mean(log(p[arange(N), y]))",
               "dim N, D, H, K, data x: N x D, y: N int < K, param W1: D x H, b1: H, W2: H x K, b2: K"),
    "function": ("""
def softmax_loss(W, X, y, reg):
    N, D = X.shape
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    loss = -np.sum(np.log(p[np.arange(N), y])) / N  # of the labels
    loss += reg * np.sum(W * W)
    return loss
""", "dim N, D, H, data X: N x D, y: N int < H, param W: D x H, reg"),
    "returned": ("def f(W, b, x, y):\n    return np.mean((np.tanh(x @ W + b) - y)**2)",
                 "dim N, D, data x: N, y: D, param W: N x D, b: D"),
    "carried": ("h = np.zeros(H)\nfor t in range(T):\n    h = np.tanh(x[t] @ Wx + h @ Wh + b)\nsum((h @ V + c - y)**2)",
                "dim T, H, N, D, data x: T x N, y: D, param Wx: N x H, Wh: H x H, b: H, V: H x D, c: D"),
    "steps": ("h[0] = h0\nfor t in 1..T:\n    h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\nsum((V @ h[T] - y)^2)",
              "dim T, N, D, H, data x: T x D, y: H, param h[0]: N, W: N x D, U: N x N, b: N, V: H x N"),
    "entries": ("hs = []\nfor x in xs:\n    h = np.tanh(Wx @ x + Wh @ h + b)\n    hs.append(h)\nsum(np.stack(hs)**2)",
                "dim N, D, H, data xs: N x D, param Wx: H x D, Wh: H x H, h: H, b: H"),
    "numbers": ("""
def rnn(X, params):
    h = 0
    for t, x in enumerate(X):
        h = np.tanh(params["w"] * x + self.params['u'] * h)
    return h**2
""", "dim N, data X: N, param w, u"),
    "by keys": ("""
def loss(self, X, y, reg=0.0):
    W, b = self.params['W'], self.params['b']
    N, D = X.shape
    scores = X.dot(W) + b
    return np.sum((scores[range(N), y] - 1)**2) / N + reg * np.sum(W * W)
""", "dim N, D, H, data X: N x D, y: N int < H, param W: D x H, b: H, reg"),
    "class": ("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.out = nn.Sequential(nn.ReLU(), nn.Linear(128, 10))

    def forward(self, x):
        return self.out(self.fc1(x.view(-1, 784)))

net = Net()
loss = F.cross_entropy(net(x), y)
""", "dim N, data x: N x 784, y: N int < 10, "
     "param fc1_weight: 128 x 784, fc1_bias: 128, out_1_weight: 10 x 128, out_1_bias: 10"),
    "class of sizes": ("""
class Net(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.W = nn.Parameter(torch.randn(d, h))
        self.fc = nn.Linear(h, 1)

    def forward(self, x):
        return self.fc(torch.tanh(x @ self.W)).squeeze(-1)

net = Net(d, h)
loss = ((net(X) - y)**2).mean()
""", "dim d, h, N, data X: N x d, y: N, param W: d x h, fc_weight: 1 x h, fc_bias: 1"),
    "of every pair": ("""
def mixture(X, mu, pi):
    d = ((X[:, None, :] - mu[None, :, :])**2).sum(axis=2)
    return -np.sum(np.log(np.exp(-d) @ pi))
""", "dim N, D, H, data X: N x D, param mu: H x D, pi: H"),  # which the function takes
    "e": ("def f(e, x):\n    return np.sum(e**2 * x)", "dim N, data x: N, param e: N"),
    "anew": ("X = X / 255\nsum((X @ w - y)**2)", "dim N, D, data X: N x D, y: N, param w: D"),
    "reshaped": ("h = relu(x.view(x.size(0), -1) @ W)\nsum(h**2)", "dim N, D, H, data x: N x D, param W: D x H"),
    "a cost of Matlab's": ("""
function [J, grad] = cost(theta, X, y)
  m = length(y);
  h = 1 ./ (1 + exp(-X * theta));
  J = -(1/m) * (y' * log(h) + (1 - y)' * log(1 - h));
  grad = (1/m) * X' * (h - y);
end
""", "dim m, N, data X: m x N, y: m, param theta: N"),
    "a network of Matlab's": ("""
n = size(X, 1);
A = [ones(n, 1) X];
B = [ones(n, 1) tanh(A * U')];
E = B * V' - Y;
J = 1/n * sum(sum(E.^2)) + lambda/(2*n) * sum(sum(U(:, 2:end).^2));
""", "dim n, N, D, H, data X: n x N, Y: n x H, param U: D x N + 1, V: H x D + 1, lam"),
    "a step of Matlab's": ("w = w - alpha * (1/n) * X' * (X * w - y);\nJ = sum((X * w - y).^2) / (2*n);",
                           "dim N, D, data n, X: D x N, y: D, param w: N, alpha"),
    "a column of ones": ("Z = np.hstack([np.ones((len(y), 1)), X])\nnp.mean((Z @ w - y)**2)",
                         "dim N, D, data y: N, X: N x D, param w: D + 1"),
    "characters": ("""
def cost(ids, following, before):
    onehots, states, scores = {}, {}, {}
    states[-1] = np.copy(before)
    loss = 0
    for t in range(len(ids)):
        onehots[t] = np.zeros((words, 1))
        onehots[t][ids[t]] = 1
        states[t] = np.tanh(np.dot(U, onehots[t]) + np.dot(W, states[t-1]) + b)
        scores[t] = np.dot(V, states[t]) + c
        p = np.exp(scores[t]) / np.sum(np.exp(scores[t]))
        loss += -np.log(p[following[t], 0])
    return loss
""", "dim words, N, D, H, data ids: N int < words, following: N int < H, "
     "param before: D x 1, U: D x words, W: D x D, b: D x 1, V: H x D, c: H x 1"),
    "vectors": ("z = np.hstack((h, x))\nsum(tanh(W @ z + b)**2)",
                "dim N, D, H, data x: D, param h: N, W: H x D + N, b: H"),
    "sizes": ("A = X.T @ X + lam * np.eye(D)\nw = np.linalg.solve(A, X.T @ y)\nsum((y - X @ w)**2)",
              "dim D, N, data X: N x D, y: N, param lam"),
}


@pytest.mark.parametrize(("text", "guess"), [
    ("s = 0\nfor t in range(1, T):\n    s = s + A[k[t-1], k[t]] + e[t, k[t]]\nloss = s",
     "dim T, N, data k: T int < N, param A: N x N, e: T x N"),
    ("s = h\nfor t in range(T):\n    a = softmax(E @ A @ s)\n    s = tanh(x[t] + (a @ E) @ C)\nloss = sum(s)",
     "dim T, N, D, H, data x: T x N, param h: N, E: D x H, A: H x N, C: H x N"),
])
def test_loops_read_arrays_as_far_as_their_last_step_does(text: str, guess: str) -> None:
    assert parse_alone(text).remarks[0] == f"guessed: {guess}"


@pytest.mark.parametrize(("text", "guess"), [
    ("F.cross_entropy(logits, Y)", "dim N, D, data Y: N int < D, param logits: N x D"),  # it was refused
    ("h = torch.tanh(x @ W1 + b1)\nF.cross_entropy(h @ W2 + b2, Y)",
     "dim N, D, H, K, data x: N x D, Y: N int < K, param W1: D x H, b1: H, W2: H x K, b2: K"),
    ("F.cross_entropy(logits, probs)", "dim N, param logits: N, probs: N"),
    ("d = Categorical(logits=z)\n(d.log_prob(a) * adv).mean()", "dim N, D, data a: N int < D, param z: N x D, adv: N"),
    ("emb = C[X]\nh = emb.view(emb.shape[0], -1) @ W\nF.cross_entropy(h, Y)",
     "dim N, D, H, K, M, data X: H x K int < N, Y: H int < M, param C: N x D, W: D*K x M"),
])
def test_what_libraries_losses_compare_with_is_a_class_of_each_row(text: str, guess: str) -> None:
    """``Categorical(logits=z).log_prob(a)`` was the cross-entropy with a as probabilities."""
    assert parse_alone(text).remarks[0].partition("; ")[0] == f"guessed: {guess}"


@pytest.mark.parametrize(("lines", "guess"), [
    ("q[1:3] = 0", "dim N, param u: N"),  # a dimension was negative, as in the next
    ("q = concat(q[1:3], q[3:])", "dim N, param u: N"),
    ("q[:2] = w", "dim N, param u: N, w: 2"),
    ("q[0] = 1", "dim N, param u: N"),  # u was N x D, as below
    ("q[-1] += q[0] * w", "dim N, param u: N, w"),
    ("q[0] = tanh(-w * q[1])", "dim N, param u: N, w"),
    ("q[0] = softmax(w)", "dim N, D, param u: N x D, w: D"),
    ("q[0] = w @ w", "dim N, D, param u: N, w: D"),
])
def test_what_is_made_of_entries_has_their_shape(lines: str, guess: str) -> None:
    assert f"guessed: {guess}" in parse_alone(f"q = 2*u\n{lines}\nloss L = sum(q)").remarks


@pytest.mark.parametrize(("asked", "read"), [
    ("Normal(x, w).mean", "x"), ("Normal(0, w).mean", "0 * w"), ("Normal(x, 2.0).stddev", "2 + 0 * x"),
    ("Normal(x, w).variance", "w**2"), ("Bernoulli(logits=x).mean", "sigmoid(x)"),
    ("Bernoulli(x).variance", "x - x**2"),
    ("Beta(x, w).mean", "x / (x + w)"), ("Gamma(x, w).variance", "x / w**2"), ("Uniform(x, w).mean", "(x + w) / 2"),
    ("torch.distributions.Exponential(x).variance", "x**-2"), ("Poisson(x).mean", "x"), ("Laplace(x, w).mean", "x"),
])
def test_what_distributions_have_of_themselves(asked: str, read: str) -> None:
    given = {"x": np.array([0.3, 0.9, 0.1, 0.7]), "w": np.array([5.0, 2.0, 3.0, 4.0])}
    lines = f"d = {asked.rpartition('.')[0]}\nloss L = (w * d.{asked.rpartition('.')[2]}).sum() + x.sum()"
    ours, theirs = (parse(f"param x: 4, w: 4\n{text}").equations["L"]
                    for text in (lines, f"loss L = sum(w * ({read})) + sum(x)"))
    np.testing.assert_allclose(value(ours, **given), value(theirs, **given), rtol=1e-14)


@pytest.mark.parametrize(("lines", "read"), [
    ("v, i = torch.topk(x, 3, dim=-1)\nloss L = v.sum()", "topk(x, 3).sum()"),
    ("v, i = x.topk(2)\nloss L = v.sum() + w[i].sum()", "topk(x, 2).sum() + w[argsort(-x)[:2]].sum()"),
    ("loss L = x.topk(3).values.sum()", "topk(x, 3).sum()"),
    ("loss L = torch.topk(x, 2, largest=False)[0].sum()", "-topk(-x, 2).sum()"),
    ("loss L = w[torch.topk(x, 2, largest=False).indices].sum()", "w[argsort(x)[:2]].sum()"),
    ("v, i = torch.sort(x, descending=True)\nloss L = (v * w[i]).sum()", "(-sort(-x) * w[argsort(-x)]).sum()"),
])
def test_the_largest_entries_come_with_their_places(lines: str, read: str) -> None:
    given = {"x": np.array([0.3, 0.9, 0.1, 0.7]), "w": np.array([5.0, -2.0, 3.0, 4.0])}
    ours, theirs = (parse(f"param x: 4, w: 4\n{text}").equations["L"] for text in (lines, f"loss L = {read}"))
    np.testing.assert_array_equal(value(ours, **given), value(theirs, **given))


@pytest.mark.parametrize(("text", "guess"), [
    ("s, i = torch.topk(x @ W, 2, dim=-1)\n(s * torch.gather(y, 1, i)).sum()",
     "dim N, D, H, K, data x: N x D, y: N x K, param W: D x H"),
    ("i, f = np.split(x @ W, 2, axis=1)\nnp.sum(i * f)", "dim N, D, H, data x: N x D, param W: D x H"),
    ("h = np.zeros(6)\nh[0] = np.var(r)\nfor t in range(1, 6):\n    h[t] = w + a * r[t-1]**2\nnp.sum(r**2 / h)",
     "param r: 6, w, a"),  # it was of 5, and refused
    ("K = F.elu(k) + 1\ntorch.einsum('nd,ne->de', K, v).sum()", "dim N, D, H, param k: N x D, v: N x H"),
    ("m = torch.relu(h[src] @ W)\nout = torch.zeros_like(h).index_add(0, dst, m)\nout.sum()",
     "dim N, D, H, data src: H int < N, dst: H int < N, param h: N x D, W: D x D"),
    ("R = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])\nnp.sum((P @ R.T - Q)**2)",
     "dim N, param a, P: N x 2, Q: N x 2"),
    ("z = x - x.mean(dim=0)\nc = z.T @ z / 3\nc.pow(2).sum()", None),  # it was a KeyError
])
def test_what_lines_say_of_arrays_that_others_compute(text: str, guess: str | None) -> None:
    model = parse_alone(text)
    assert guess is None or model.remarks[0] == f"guessed: {guess}"


@pytest.mark.parametrize(("lines", "guess"), [
    ("x = torch.randn(10, 3)\ny = torch.randn(10)\nw = torch.randn(3, requires_grad=True)\n"
     "loss = ((x @ w - y)**2).mean()", "data x: 10 x 3, y: 10, param w: 3"),
    ("W = np.random.randn(D, H) * 0.01\nb = np.zeros(H)\nh = np.zeros(H)\nloss = np.sum((h + X @ W + b)**2)",
     "dim H, D, N, data X: N x D, param W: D x H, b: H"),
    ("N, D, H = 64, 1000, 100\nx = np.random.randn(N, D)\nw1 = np.random.normal(0, 0.1, (D, H)) / np.sqrt(D)\n"
     "w2 = np.random.normal(size=H)\nloss = np.square(np.maximum(x @ w1, 0) @ w2).sum() / N",
     "dim N, D, H, data x: N x D, param w1: D x H, w2: H"),
    ("a = torch.tensor([2., 3.], requires_grad=True)\nb = torch.tensor(6.0).requires_grad_()\n(3*a**3 - b**2).sum()",
     "param a: 2, b"),
    ("key = jax.random.PRNGKey(0)\nw = jax.random.normal(key, (3,))\nloss = jnp.sum((x @ w - y)**2)",
     "dim N, data x: N x 3, y: N, param w: 3"),
    ("noise = torch.randn(N, D)\nloss = F.mse_loss((X + noise) @ W, Y)",
     "dim N, D, H, data X: N x D, Y: N x H, param W: D x H, data noise: N x D"),
])
def test_arrays_that_are_made_of_random_numbers_are_declared(lines: str, guess: str) -> None:
    assert parse_alone(lines).remarks[0] == f"guessed: {guess}"


@pytest.mark.parametrize("lines", [
    "s = 0\nfor i in range(N):\n    s += x[i].sum()\ns", "sum(x[i].sum() for i in range(N))",
    "s = 0\nfor i, row in enumerate(x):\n    s += row.sum()\ns",
])
def test_sizes_that_a_loop_counts_to_are_numbers(lines: str) -> None:  # there were any N rows, of which 3 were summed
    model = parse_alone(f"N = 3; x = randn(N, 2)\n{lines}")
    assert model.remarks[0] == "guessed: data x: 3 x 2"


def test_a_size_that_gets_another_number_is_none() -> None:
    """Both numbers were left out, without a word."""
    with pytest.raises(ModelError, match="a size is a whole number or made of dimensions, not K"):
        parse_alone("K = 2\nW = np.random.randn(K, K)\nK = 5\nloss = np.sum(W) * K")


@pytest.mark.parametrize(("numbers", "line", "meant"), [
    ("stride, pad = 2, 1", "mean(F.conv2d(x, w, b, stride=stride, padding=pad)**2)",
     "mean(F.conv2d(x, w, b, stride=2, padding=1)**2)"),
    ("axis = 1", "sum(x.sum(axis=axis)**2)", "sum(x.sum(axis=1)**2)"),
    ("k = 2", "sum(F.max_pool2d(F.conv2d(x, w), k)**2)", "sum(F.max_pool2d(F.conv2d(x, w), 2)**2)"),
    ("p = 1", "sum(np.pad(X @ W, ((p, p), (0, 2 * p)))**3)", "sum(np.pad(X @ W, ((1, 1), (0, 2)))**3)"),
    ("lag = 2", "sum((x[lag:] - phi * x[:-lag])**2)", "sum((x[2:] - phi * x[:-2])**2)"),
    ("d = 9; half = d // 2", "sum(x[half + 1:]**2) + sum(x[:half])", "sum(x[5:]**2) + sum(x[:4])"),
])
def test_whole_numbers_by_names_are_settings_and_bounds(numbers: str, line: str, meant: str) -> None:
    """They were refused, but as what a size is."""
    named, plain = (parse_alone(f"{numbers}\n{last}") for last in (line, meant))
    assert named.remarks[0] == plain.remarks[0] == parse_alone(meant).remarks[0]
    assert first_difference(named, plain) is None


@pytest.mark.parametrize("drawn", [
    "np.random.randint(0, K, N)", "torch.randint(K, size=(N,))", "rng.integers(0, high=K, size=N)",
    "np.random.randint(0, K, (N,))",
])
def test_whole_numbers_that_are_drawn_are_classes(drawn: str) -> None:
    model = parse_alone(f"N, K = 5, 3\nZ = randn(N, K)\ny = {drawn}\nF.cross_entropy(Z, y)")
    assert model.remarks[0] == "guessed: dim N, K, param Z: N x K, data y: N int < K"
    with pytest.raises(ModelError, match="random numbers are no part"):
        parse_alone("y = np.random.randint(-1, 2, 5)\nsum(y * w)")
    with pytest.raises(ModelError):  # K is one of them
        parse_alone("y = rng.integers(0, K, N, endpoint=True)\nF.cross_entropy(Z, y)")


@pytest.mark.parametrize("lines", [
    "jax.grad(f)(w, x)", "l, g = jax.value_and_grad(f, argnums=(0, 1))(w, x)", "df = jax.grad(f)\ng = df(w, x)",
    "print(jax.grad(f)(w, x))",
])
def test_a_gradient_that_is_asked_for_at_the_end_is_that_of_the_function(lines: str) -> None:
    model = parse_alone(f"def f(a, b):\n    return jnp.sum(jnp.tanh(a * b)**2)\n{lines}")
    assert to_text(model) == to_text(parse_alone("sum(tanh(w * x)**2)"))
    assert any("gradients are derived: what the function gives" in note for note in model.remarks)


@pytest.mark.parametrize("line", [
    "f(w, x) + jnp.sum(jax.grad(f)(w, x)**2)", "jax.grad(f)(w, x) * 2", "w = w - 0.1 * jax.grad(f)(w, x)",
])
def test_a_gradient_in_a_formula_is_refused(line: str) -> None:  # f(w, x) was the result
    with pytest.raises(ModelError):
        parse_alone(f"def f(a, b):\n    return jnp.sum(jnp.tanh(a * b)**2)\n{line}")


@pytest.mark.parametrize(("program", "is_number"), [
    ("np.sum(-np.log(pi) * x)", False), ("np.log(pi[a])", False), ("pi * np.exp(x)", False),
    ("np.log(2 * pi * s**2)", True), ("np.sin(pi * x) * pi**2", True), ("from math import pi\nnp.sum(pi * x)", True),
    ("pi = np.exp(x)\nnp.sum(pi * x)", True), ("pi * r**2", True),
])
def test_pi_is_a_number_in_programs_where_nothing_else_can_be_meant(program: str, is_number: bool) -> None:
    if is_number:
        assert parse_alone(program).results()
    else:
        with pytest.raises(ModelError, match="pi may be the number or an array"):  # it was the number
            parse_alone(program)


@pytest.mark.parametrize("array", ["[[1., 2.], [3.]]", "[1., x]", "[[1.], 2.]"])
def test_only_arrays_of_numbers_alike_are_read_as_their_shape(array: str) -> None:
    """The first entry said the shape of all."""
    lines = f"x = torch.randn(2)\nW = torch.tensor({array}, requires_grad=True)\nloss = (W * x).sum()"
    with pytest.raises(ModelError, match="an array with a gradient is a parameter, which is declared"):
        parse_alone(lines)


@pytest.mark.parametrize("case", LINES)
def test_what_is_guessed_of_several_lines(case: str) -> None:
    text, guess = LINES[case]
    model = parse_alone(text)
    assert model.remarks[0] == f"guessed: {guess}"
    assert set(derive(model).gradients) == set(model.params) and verify(model, seed=1).verdict == "pass"


@pytest.mark.parametrize(("text", "loss"), [
    ("sum(X[1, ])", "sum(X[0])"), ("sum(X[, 2])", "sum(X[:, 1])"), ("z <- X %*% w; z[2]^2", "z[1]**2"),
    ("z <- X %*% W; sum(z[-2, ])", "sum(concat(z[0:1], z[2:], axis=0))"),  # it was Python's last row but one
    ("z <- X %*% W; sum(z[-1, -3])", "sum(concat(z[1:][:, :2], z[1:][:, 3:], axis=-1))"),
    ("z <- X %*% W; norm(z)", "max(sum(abs(z), axis=0))"), ("z <- X %*% W; norm(z, \"F\")", "norm(z)"),
])
def test_what_is_of_r_counts_from_1(text: str, loss: str) -> None:
    assert f"loss L = {loss}" in to_text(parse_alone(text))


def test_functions_and_words_of_r_are_no_arrays() -> None:
    for text, guess in (("s <- apply(X, 1, sum); sum(s^2)", "dim N, D, param X: N x D"),
                        ("-sum(dnorm(y, w, log = TRUE))", "dim N, data y: N, param w: N"),
                        ("s <- sd(x * w); s", "dim N, data x: N, param w: N")):
        assert parse_alone(text).remarks[0] == f"guessed: {guess}"


def test_a_vector_of_rs_goes_down_the_columns() -> None:
    text = to_text(parse_alone("Z <- X %*% W + b\nsum(Z^2)"))
    assert "X: N x D" in text and "b: N" in text and "b[:, None]" in text


def test_what_is_wrong_is_told_on_its_line() -> None:
    with pytest.raises(ModelError) as caught:
        parse_alone("z = X @ w\nq = z +\nsum(q)")
    assert caught.value.line == 2 and caught.value.shown[0] == "q = z +"


def test_what_stands_behind_a_dot_is_told_on_its_line() -> None:
    with pytest.raises(ModelError) as caught:
        parse_alone("z = X @ W\nloss = z.median()")
    assert caught.value.shown == ["loss = z.median()", "         ^^^^^^"]
    assert "max(z, axis=-1)" in to_text(parse_alone("z = X @ W\nloss = z.max(1).values.sum()"))


def test_functions_in_functions_are_read_once_each() -> None:
    text = "".join(f"f{k + 1}(z) = tanh(f{k}(z) @ A)\n" for k in range(30))  # twice each is 2^30 readings
    guess = "guessed: dim N, D, data X: N x D, param w: D, A: N x N"
    assert parse_alone(f"f0(z) = z @ w\n{text}sum(f30(X))").remarks[0] == guess


def test_there_are_as_many_sizes_as_are_asked_for() -> None:
    layers = "".join(f"h = tanh(h @ W{k})\n" for k in range(12))
    assert "dim N, D, H, K, M, P, Q, R, S, T, N1, D1, H1, data x: N" in parse_alone(f"h = x\n{layers}sum(h)").remarks[0]


def test_products_in_products_are_read_once_each() -> None:
    model = parse_alone("sum(" + "A @ (" * 40 + "A @ x" + ")" * 41)  # twice each is 2^40 readings
    assert model.remarks == ["guessed: dim N, data x: N, param A: N x N"]


@pytest.mark.parametrize(
    ("text", "guess"),
    [
        ("(y - theta*x)^2", "data y, x, param theta"),  # a Greek letter is no t
        ("(target1 - tau_b*x1 - temp)^2", "data target1, x1, param tau_b, temp"),
        ("mean((y - X@beta)^2)", "dim N, D, data y: N, X: N x D, param beta: D"),
        ("u = 2*theta1; sum((X @ u)^2)", "dim N, D, data X: D x N, param theta1: N"),
        ("mean((y - relu(X @ W1 + b1) @ W2)^2)",
         "dim N, D, H, K, data y: N x D, X: N x H, param W1: H x K, b1: K, W2: K x D"),
        ("sum((Y - X@W)^2)/(2*N)", "dim N, D, H, data Y: N x D, X: N x H, param W: H x D"),
        ("softmax(Q @ K.T / sqrt(D)) @ V / T",
         "dim N, D, H, M, data T, param Q: N x D, K: H x D, V: H x M"),
        ("(y - w*x)^2/N", "data y, x, N, param w"),
        ("e^(w*x)", "data x, param w; e is Euler's number"),
        ("e = y - w*x; e^2", "data y, x, param w"),
        ("e*w^2", "param e, w"),
        ("-y*log(sigmoid(w@x + b)) - (1-y)*log(1 - sigmoid(w@x + b))", "dim N, data y, x: N, param w: N, b"),
        ("max(0, 1 - y*(w@x))", "dim N, data y, x: N, param w: N"),
        ("mean((X@w + b - y)^2)", "dim N, D, data X: N x D, y: N, param w: D, b"),
        ("z = W@x + b; sum(tanh(z) * v)", "dim N, D, data x: D, param W: N x D, b: N, v: N"),
        ("np.mean((np.dot(X, w) - y)**2)", "dim N, D, data X: N x D, y: N, param w: D"),
    ],
)
def test_what_names_and_their_neighbours_say(text: str, guess: str) -> None:
    assert parse_alone(text).remarks[0] == f"guessed: {guess}"


@pytest.mark.parametrize(("text", "error"), [("tanh(", SyntaxProblem), ("", SyntaxProblem), ("w @ 2", ModelError),
                                              ("x/0", ModelError), ("__import__('os')", ModelError)])
def test_what_is_no_expression(text: str, error: type[ModelError]) -> None:
    with pytest.raises(error):
        parse_alone(text)


@pytest.mark.parametrize(("typed", "read", "guess"), [
    ("½‖y−Xw‖² + λ‖w‖²", "(1/2)‖y-X @ w‖^2 + lam‖w‖^2", "X: N x D"), ("QKᵀ", "Q @ Kᵀ", "Q: N x D"),
    (r"\frac{1}{2}(y - wx)^2", "(1/2) * (y - w * x)^2", "param w"), (r"\|X - UV\|_F^2", "‖X - U @ V‖_F^2", "U: N x"),
    (r"-\sum_j(\log\sigma_j^2-\mu_j^2)", "-sum((log(sigma^2)-mu^2))", "sigma: N, mu: N"),  # they were numbers
])
def test_letters_side_by_side_are_products_on_paper(typed: str, read: str, guess: str) -> None:
    remarks = parse_alone(typed).remarks
    assert f"<expression>: is read as {read}" in remarks
    assert guess in remarks[0]


@pytest.mark.parametrize(("typed", "read"), [
    ("\\begin{align}\nz &= Wx+b \\\\\na &= \\tanh(z), \\\\\nL &= (a-y)^2\n\\end{align}",
     {"z = W * x+b", "a = tanh(z)"}),
    (r"\begin{aligned} z &= w x \\ L &= \tfrac12\|z - y\|^2. \end{aligned}", {"z = w * x", "L = (1/2)‖z - y‖^2"}),
])
def test_equations_below_each_other_are_read_one_by_one(typed: str, read: set[str]) -> None:
    assert {note.partition(" is read as ")[2] for note in parse_alone(typed).remarks} - {""} == read


@pytest.mark.parametrize(("typed", "right"), [
    ("x(y+1)", "x * (y+1)"), (r"-\alpha(1-p)^\gamma\log p", "-alpha * (1-p)^gamma * log(p)"), ("p(x) + q", "")])
def test_a_letter_before_a_sum_in_brackets_is_a_factor(typed: str, right: str) -> None:
    with pytest.raises(ModelError) as refused:
        parse_alone(typed)
    assert [line.removesuffix("   corrected") for line in refused.value.shown[2:]] == [right] * bool(right)


def test_a_bare_exponent_above_a_line_of_division_is_told() -> None:
    assert any("divides the whole power" in note for note in parse_alone("e^-x^2/2").remarks)
    assert not any("divides the whole power" in note for note in parse_alone("exp(-x^2)/2").remarks)


@pytest.mark.parametrize("name", ["Wx", "lr", "dx"])
def test_names_of_two_letters_in_code_stay(name: str) -> None:
    assert name in parse_alone(f"sum(({name} * y)**2)").graph.names


@pytest.mark.parametrize(("text", "read"), [
    ("(y - w x)^2", "(y - w * x)^2"),
    (r"\frac{1}{2}(y - \sigma(w x + b))^2", "(1/2) * (y - sigmoid(w * x + b))^2"),
    (r"-y\log p - (1-y)\log(1-p)", "-y * log(p) - (1-y) * log(1-p)"),
    (r"\left(y - \tanh\left(w\cdot x\right)\right)^{2}", "(y - tanh(w * x))^2"),
    (r"\sum_i x_i w_i", "sum(x * w)"),
    (r"\prod_i x_i w_i", "prod(x * w)"),
    (r"\log x^2", "log(x^2)"),
    (r"\|y - X\beta\|^2 + \lambda \|\beta\|^2", "‖y - X @ beta‖^2 + lam ‖beta‖^2"),
    ("tr(A^T B)", "tr(A.T @ B)"),
    ("x^T A x / (x^T x)", "x.T @ A @ x / (x.T @ x)"),
    ("x.T @ A @ x + b^T @ x", "x.T @ A @ x + b.T @ x"),
    ("1/2 x^T A x - b^T x", "1/2 * x.T @ A @ x - b.T @ x"),
    ("v v^T x", "outer(v, v) @ x"),
    ("x^T A B y", "x.T @ A @ B @ y"),  # it was x.T @ A @ B * y, a vector
    (r"x^T A^{-1} y", "x.T @ inv(A) @ y"),
    ("x^T (A + B) y", "x.T @ (A + B) @ y"),
    ("softmax(Q K^T/sqrt(d)) V", "softmax(Q @ K.T/sqrt(d)) @ V"),
    ("xᵀAx", "xᵀ @ A @ x"),
    ("||Ax - b||^2", "||A @ x - b||^2"),
    ("θ₁x² + αx", "theta1 * x^2 + alpha * x"),  # θ₁x was one name
    ("2πr²", "2pi * r^2"),
    ("lambda*w^2", "lam*w^2"),
    ("sum((A x - b)^2)", "sum((A @ x - b)^2)"),
    ("1/2‖w‖²", "1/2 * ‖w‖^2"),
    ("sin(x)cos(y) sin^2(x)", "sin(x) * cos(y) * sin(x)^2"),
    ("(x+1)(x-1)", "(x+1) * (x-1)"),
    ("y log p", "y * log(p)"),
    ("1/(2σ²) (x-m)² + 1/2 ‖v‖ w", "1/(2sigma^2) * (x-m)^2 + 1/2 * ‖v‖ * w"),
    ("1/n Σᵢ (yᵢ − ŷᵢ)²", "1/n * sum((y - y_hat)^2)"),
    ("1/N Σ (b - 1)²", "1/N * sum((b - 1)^2)"),
    ("αβγ", "alpha * beta * gamma"),  # it was one name, as the next ones
    ("Σᵢ aᵢxᵢ", "sum(a * x)"),
    ("wᵢⱼxⱼ", "w_ij * x_j"),
    ("yᵀXβ", "yᵀ @ X @ beta"),
    ("βᵀXᵀXβ", "betaᵀ @ Xᵀ @ X @ beta"),
    ("sin²(θ) + 2cos²θ", "sin(theta)^2 + 2cos(theta)^2"),
    ("tan² x + 1", "tan(x)^2 + 1"),
])
def test_what_has_one_meaning_on_paper_is_read_and_told(text: str, read: str) -> None:
    model = parse_alone(text)
    assert f"<expression>: is read as {read}" in model.remarks
    assert to_text(model) == to_text(parse_alone(read))


@pytest.mark.parametrize(("text", "guess"), [
    ("½ Σᵢ (yᵢ − w xᵢ − b)²", "dim N, data y: N, x: N, param w, b"),
    (r"-\sum_i y_i \log \sigma(w x_i + b)", "dim N, data y: N, x: N, param w, b"),
    (r"-\sum_i y_i \log(\mathrm{softmax}(W x + b)_i)", "dim N, D, data y: N, x: D, param W: N x D, b: N"),
    ("sum((y - A x)^2)", "dim N, D, data y: N, x: D, param A: N x D"),
    ("Σᵢ aᵢ bᵢ c", "dim N, param a: N, b: N, c"), ("Σᵢ c aᵢ²", "dim N, param a: N, c"),
    (r"1/\sum_i \lambda |w_i|", "dim N, param w: N, lam"),
    ("½ Σᵢ c (yᵢ - w xᵢ)²", "dim N, data y: N, x: N, param w, c"),
    ("Γ(α+1)/Γ(α)", "param alpha"), ("log Γ(α)", "param alpha"),
    ("Σᵢ aᵢ·bᵢ", "dim N, param a: N, b: N"), ("Σᵢⱼ Aᵢⱼ vᵢ vⱼ", "dim N, param A: N x N, v: N"),  # products with sum_i
    ("(Fx + Fy)^2 + (σx - σy)^2", "param Fx, Fy, sigmax, sigmay"),
    ("Fx^2 + 2", "param Fx"),
    ("½‖y − Φβ‖² + λ‖β‖₁", "dim N, D, data y: N, param Phi: N x D, beta: D, lam"),  # it was Phibeta
    ("log(στ)", "param sigma, tau"),
    ("Δθ + δμ", "param Deltatheta, deltamu"),
])
def test_numbers_stand_beside_vectors(text: str, guess: str) -> None:
    assert f"guessed: {guess}" in parse_alone(text).remarks


@pytest.mark.parametrize("text", [
    "mean(y log p)", "the loss is x^2", "minimize x^2", "sin x cos y", "a/b c", "x^-1 y", "‖v‖ 2", "S^-1 w", "x2 2",
    "sin² x y", "1/αβ",
    "exp(-(x - m)^2 / 2 s^2)", "x^2/2 y", "x/2(y+1)", "a / 2^2 c", "a / exp(b) c",
    r"\cos\omega t", r"\sin \pi x", r"\log p_i q_i", r"\tanh W x", r"\log 2 x", r"y \log p q", r"\sin 2 x",
    r"\log x^2 y", "a/v u^T", "log v u^T", "sin v u^T"])
def test_words_and_what_may_be_meant_otherwise_are_no_products(text: str) -> None:
    with pytest.raises(ModelError):
        parse_alone(text)


@pytest.mark.parametrize("typed", ["v * S u", "S^2 v", "v^T S^2 v", "S^T u v", "v^T u w v", "S * u v", "c/2 v",
                                   "np.sum(S v)", "c**2 w", "w.sum() c"])
def test_products_that_may_be_meant_otherwise_are_refused(typed: str) -> None:
    with pytest.raises(ModelError):
        parse(f"dim N, D\nparam S: D x D, v: D, u: D, w: N, c\noutput Q = {typed}")


@pytest.mark.parametrize(("text", "offered"), [
    ("a/b c", "a/(b * c)"), ("x/2 y", "x/(2 * y)"), ("b/‖v‖ w", "b/(‖v‖ * w)"), ("a b / c d", "a * b / (c * d)"),
    ("xᵀ A x / xᵀ x", "xᵀ @ A @ x / (xᵀ @ x)"),
])
def test_what_is_divided_by_is_all_that_stands_there_on_paper(text: str, offered: str) -> None:
    with pytest.raises(ModelError) as error:
        parse_alone(text)
    assert error.value.shown[-1] == f"{offered}   corrected"


@pytest.mark.parametrize(("text", "shown"), [
    ("z = w*x; (y - z))^2", ["z = w*x; (y - z))^2", "                ^", "z = w*x; (y - z)^2   corrected"]),
    ("λ·w; w", ["lam·w; w", "   ^"]),
    ("z = w*x; foo(z)", ["z = w*x; foo(z)", "         ^^^"]),
    ("w @ 2", ["w @ 2", "^^^^^"]),
    (r"\oint x w", [r"\oint x w", "^^^^^"]),  # of which it is not known what it means
    ("param w; w*x", ["param w; w*x", "^^^^^"]),
    ("(x−μ)ᵀΣ⁻¹(x−μ)", ["(x-mu)ᵀSigma⁻¹(x-mu)", "            ^", "(x-mu).T @ inv(Sigma) @ (x-mu)   corrected"]),
    ("import numpy as np\nprint(np.exp(w*x))", ["print(np.exp(w*x))", "^" * 18, "np.exp(w*x)   corrected"]),
    ("print(w*x);", ["print(w*x);", "^^^^^^^^^^^", "w*x   corrected"]),
    ("log det Σ", ["log det Sigma", "    ^^^^^^^^^", "logdet(Sigma)   corrected"]),  # it was logdet(sum)
    ("xᵀS⁻¹x", ["xᵀS⁻¹x", "   ^", "x.T @ inv(S) @ x   corrected"]),  # it was inv(x.T @ S) @ x
    ("Kuu⁻¹ b", ["Kuu⁻¹ b", "   ^", "inv(Kuu) @ b   corrected"]),  # it was 1/Kuu of every entry
    # the mistakes of a matrix and a vector that are summed are those of arrays
    ("λ |w|₁", ["lam |w|1", "^^^^^^^^", "lam * |w|1   corrected"]),  # it was maximum(lam, maximum(w, 1))
    ("F.softpluss(w)", ["F.softpluss(w)", "  ^^^^^^^^^", "F.softplus(w)   corrected"]),
    ("np.linalg.nrom(w)", ["np.linalg.nrom(w)", "          ^^^^", "np.linalg.norm(w)   corrected"]),
    ("w.maen()", ["w.maen()", "  ^^^^", "w.mean()   corrected"]),
])
def test_mistakes_are_shown_where_they_were_typed(text: str, shown: list[str]) -> None:
    with pytest.raises(ModelError) as error:
        parse_alone(text)
    assert error.value.shown == shown


@pytest.mark.parametrize(("text", "loss"), [
    ("λ‖w‖² + ½‖y − X@w‖²", "lam * sum(w**2) + sum((y - X @ w)**2) / 2"),
    ("2‖w‖₁ + ‖w‖ ‖v‖", "2 * norm(w, order=1) + norm(w) * norm(v)"),
    ("½(w·x − y)² + ¼w", "(w * x - y)**2 / 2 + w / 4"),
    ("exp(-x²/(2σ²))/(σ√(2π))", "exp(-x**2 / (2 * sigma**2)) / (sqrt(2)*sqrt(pi) * sigma)"),  # it was sigmasqrt
])
def test_what_stands_beside_a_norm_a_fraction_or_a_root_is_a_factor(text: str, loss: str) -> None:
    assert f"loss L = {loss}\n" in to_text(parse_alone(text))


@pytest.mark.parametrize("text", ["sin ½x", "√½x", "x**½y", "1 /  ½x", "2½x", "1/λ√x", "2**λ√x"])
def test_what_something_in_front_may_be_of_too_is_no_factor(text: str) -> None:
    with pytest.raises(ModelError):
        parse_alone(text)


def test_the_last_part_may_be_an_equation() -> None:
    assert parse_alone("z = w*x+b; a = sigmoid(z); J = (y-a)^2").results()[0].name == "J"
    assert parse_alone("P = X @ W").results()[0].name == "P"
    assert parse_alone("return (y - w*x)^2").results()[0].name == "L"


@pytest.mark.parametrize("text", ["exp -x", "tanh*x", "sqrt", "y - sigmoid"])
def test_a_function_without_its_argument_is_no_parameter(text: str) -> None:
    with pytest.raises(ModelError, match="is a function"):
        parse_alone(text)


@pytest.mark.parametrize(("text", "guess"), [
    ("mean((w*x + b - y)**2)", "dim N, data x: N, y: N, param w, b"),
    ("mean((w*x + b - y)**2) + sum((u*x2 - y2)**2)", "dim N, D, data x: N, y: N, x2: D, y2: D, param w, b, u"),
    ("sum((y - a*sin(omega*x + phi))**2)", "dim N, data y: N, x: N, param a, omega, phi"),
    ("mean((w*x - y)**2) + lam*sum(w**2)", "dim N, data x: N, y: N, param w: N, lam"),
    ("sum((g*(x - mean(x))/sqrt(var(x)) + b - y)**2)", "dim N, data x: N, y: N, param g: N, b: N"),
    ("sum(w*x)", "dim N, data x: N, param w: N"),
])
def test_coefficients_of_samples_are_numbers(text: str, guess: str) -> None:
    assert f"guessed: {guess}" in parse_alone(text).remarks


@pytest.mark.parametrize(("text", "guess"), [
    ("mean((x @ w + b - y)**2)", "dim N, D, data x: N x D, y: N, param w: D, b"),
    ("y_pred = np.dot(x, w) + b; mean((y_pred - y)**2)", "dim N, D, data x: N x D, y: N, param w: D, b"),
    ("norm(np.dot(x, beta) - y)**2", "dim N, D, data x: N x D, y: N, param beta: D"),
    ("p = sigmoid(x @ w); -mean(y*log(p) + (1-y)*log(1-p))", "dim N, D, data x: N x D, y: N, param w: D"),
    ("-mean(log(sigmoid(x @ w)))", "dim N, D, data x: N x D, param w: D"),
    ("sum((x @ A @ x - y)**2)", "dim N, D, data x: N, y: D, param A: N x N"),
    ("sum((x - (x @ w) * w)**2)", "dim N, data x: N, param w: N"),
    ("(y - tanh(w @ x + b))**2", "dim N, data y, x: N, param w: N, b"),
])
def test_a_product_beside_a_vector_is_of_samples(text: str, guess: str) -> None:
    assert f"guessed: {guess}" in parse_alone(text).remarks


@pytest.mark.parametrize(("text", "guess"), [
    ("cross_entropy(W @ x + b, y)", "dim N, D, data x: D, y: int < N, param W: N x D, b: N"),
    ("F.cross_entropy(x @ W.t() + b, y)", "dim N, D, H, data x: N x D, y: N int < H, param W: H x D, b: H"),
    ("z = relu(x @ W + b) @ V; F.cross_entropy(z, y)",
     "dim N, D, H, K, data x: N x D, y: N int < K, param W: D x H, b: H, V: H x K"),
    ("F.cross_entropy(X @ W, y, label_smoothing=0.1)", "dim N, D, H, data X: N x D, y: N int < H, param W: D x H"),
    ("mean(multiclass_hinge(X @ W, y))", "dim N, D, H, data X: N x D, y: N int < H, param W: D x H"),
    ("F.cross_entropy(logits, labels)", "dim N, D, data labels: N int < D, param logits: N x D"),
    ("mean(cross_entropy(W @ x + b, y))", "dim N, D, data x: D, y: N, param W: N x D, b: N"),  # a mean is of several
    ("F.binary_cross_entropy_with_logits(x @ w + b, y)", "dim N, D, data x: N x D, y: N, param w: D, b"),
    ("(u[i] @ v[j] + b[i] + c[j] - r)**2",
     "dim N, D, H, data i: int < N, j: int < H, param u: N x D, v: H x D, b: N, c: H, r"),
])
def test_targets_are_classes(text: str, guess: str) -> None:
    model = parse_alone(text)
    assert f"guessed: {guess}" in model.remarks


def test_the_inverse_on_paper_is_told_apart_from_entries() -> None:
    said = "<expression>:1: a matrix to the power -1 is 1/A of every entry, as in NumPy; its inverse is inv(A)"
    assert said in parse_alone("A^-1 @ b").remarks
    assert said in parse_alone("x.T @ A**-1 @ x").remarks
    assert not any("inverse" in remark for remark in parse_alone("A @ b**-1").remarks)


def test_an_order_is_no_axis_of_what_is_guessed() -> None:
    with pytest.raises(ModelError, match=r"norm\(w, order=1\)"):
        parse_alone("norm(w, 1) + sum(x*w)")


@pytest.mark.parametrize(("text", "guess"), [
    ("torch.einsum('bij,bjk->bik', A, B).sum()", "dim N, D, H, K, param A: N x D x H, B: N x H x K"),
    ("einsum('i,j->ij', A, B)", "dim N, D, param A: N, B: D"),
    ("np.einsum('...i,i->...', X, w)", "dim N, D, data X: N x D, param w: D"),
    ("F.cross_entropy(X @ W, y, weight=v)", "dim N, D, H, data X: N x D, y: N int < H, param W: D x H, v: H"),
    ("F.layer_norm(X, (D,)) @ W", "dim D, N, H, data X: N x D, param W: D x H"),  # X had another size than D
    ("F.layer_norm(x, (64,), w, b)", "data x: 64, param w: 64, b: 64"),
    ("sum(U[i] * V[j], axis=1)", "dim N, D, H, K, data i: H int < N, j: H int < K, param U: N x D, V: K x D"),
    ("sqrt(a[t])[:, None] * x", "dim N, D, H, data t: D int < N, x: H, param a: N"),  # i was one place, and t
    ("torch.bmm(A, B)", "dim N, D, H, K, param A: N x D x H, B: N x H x K"),  # they were matrices
    ("W2 @ relu(W1 @ X + b1) + b2", "dim N, D, H, K, data X: H x K, param W2: N x D, W1: D x H, b1: D x 1, b2: N x 1"),
    ("Z = np.dot(W, X) + b; sum(sigmoid(Z) - Y)", "dim N, D, H, data X: D x H, Y: N x H, param W: N x D, b: N x 1"),
    ("A @ X @ W + b", "dim N, D, H, K, data X: D x H, param A: N x D, W: H x K, b: K"),
    ("v[y] * nll(Z, y)", "dim N, D, data y: D int < N, param v: N, Z: D x N"),
])
def test_letters_and_classes_say_how_many_axes_there_are(text: str, guess: str) -> None:
    assert f"guessed: {guess}" in parse_alone(text).remarks


def test_what_a_pattern_and_a_function_want_otherwise_ends() -> None:
    with pytest.raises(ModelError):
        parse_alone("sum(einsum('i,i', A, b)) + sum(F.linear(A, W) @ A.T) + det(A)")


def test_what_wants_ever_more_axes_ends() -> None:
    assert "guessed: dim N, D, data X: N x D, y: int < N, param w" in parse_alone("X[y] - X + 0*w").remarks
    with pytest.raises(ShapeError, match="how many axes t has cannot be guessed"):
        parse_alone("Z[t] * (t - t[y])")
