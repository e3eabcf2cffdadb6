"""Lines as people paste them, from R, Matlab, TensorFlow, Python and papers: read as they mean, or refused with the
corrected line."""

from __future__ import annotations

from math import lgamma

import numpy as np
import pytest

from symbackprop import verify
from symbackprop.errors import ModelError, ShapeError
from symbackprop.model import Model, to_text
from symbackprop.model.text import parse, parse_alone
from symbackprop.model.text.spellings import _lines
from tests.core.helpers import value

HEAD = "dim N, D, C, T\ndata X: N x D, Y: N x D, y: N, x: T x D, k: N int < C\nparam W: D x D, w: D, b, lam, P: N x C\n"

READ = [
    ("z = X.copy()\nz[0] = 0\nz[-1] += w\nX[1] *= 2\nloss L = sum(z) + sum(X)",
     "z = X\nz_2 = z.at[0].set(0)\nz_3 = z_2.at[-1].add(w)\nX_2 = X.at[1].multiply(2)\nloss L = sum(z_3) + sum(X_2)"),
    ("q = r = 2 * w\nfor _ in range(3):\n    r = tanh(r)\nloss L = q @ r",
     "r = 2 * w\nq = r\nfor i in range(3):\n    r = tanh(r)\nloss L = q @ r"),
    ("s = 0 * w\nfor _, a in enumerate(X):\n    s = tanh(s) + a\nloss L = sum(s)",
     "s = 0 * w\nfor a in X:\n    s = tanh(s) + a\nloss L = sum(s)"),
    # methods of the library that a text calls
    ("u = (X - X.mean(0)) / X.std(0)\nv, i = u.max(1)\nloss L = torch.sum(v * y.var()) + X.max(1)[0].sum()",
     "u = (X - mean(X, axis=0)) / std(X, axis=0, ddof=1)\nv, i = max(u, axis=1), argmax(u, axis=1)\n"
     "loss L = sum(v * var(y, ddof=1)) + sum(max(X, axis=1))"),
    ("u = (X - X.mean(0)) / X.std(0)\nloss L = np.sum(u) + X.max(1)[0]",
     "u = (X - mean(X, axis=0)) / std(X, axis=0)\nloss L = sum(u) + max(X, axis=1)[0]"),
    ("loss L = torch.sum(w.repeat(2) * b) + F.relu(X.repeat(1, 2)).sum() + y.roll(1).sum()",
     "loss L = sum(tile(w, (2,)) * b) + sum(relu(tile(X, (1, 2)))) + sum(torch.roll(y, 1))"),
    ("loss L = sum(np.reshape(X, (D, N), order='F')) + sum(np.sort(X, axis=None)) + sum(np.arange(0, 6, 2) * b)",
     "loss L = sum(transpose(reshape(transpose(X), (N, D)))) + sum(sort(flatten(X))) + sum((0 + 2 * arange(3)) * b)"),
    ("q = (w > 0 and w < 1) * w if not b > 1 else 2 * w\nloss L = sum(q)",
     "q = where((b > 1) == 0, ((w > 0) * (w < 1)) * w, 2 * w)\nloss L = sum(q)"),
    ("if b > 0 and b < 1 or lam > 0:\n    q = b\nelse:\n    q = 2\nloss L = q",
     "q = where(maximum((b > 0) * (b < 1), lam > 0), b, 2)\nloss L = q"),
    ("loss L = A.ptp() + sum(cdist(X, Y, 'sqeuclidean'))".replace("A", "X"),
     "loss L = max(X) - min(X) + sum(cdist(X, Y)**2)"),
    ("eta <- X %*% w\nloss L = sum(eta)", "eta = X @ w\nloss L = sum(eta)"),
    (r"q = W \ w" "\nloss L = sum(q)", "q = solve(W, w)\nloss L = sum(q)"),
    ("loss L <- sum(w)", "loss L = sum(w)"),
    ("theta := 2 * w\nloss L = sum(theta)", "theta = 2 * w\nloss L = sum(theta)"),
    ("Q = X @ W; K = X @ W.T\nloss L = sum(Q * K);", "Q = X @ W\nK = X @ W.T\nloss L = sum(Q * K)"),
    ("loss L = sum(w if b > 0 else 0.1 * w)", "loss L = sum(where(b > 0, w, 0.1 * w))"),
    ("loss L = b if b > 1 else 0 if b < -1 else b^2", "loss L = where(b > 1, b, where(b < -1, 0, b^2))"),
    ("loss L = ‖X‖²_F + ||W||^2_F + ‖w‖²_2", "loss L = norm(X)^2 + norm(W)^2 + norm(w, order=2)^2"),
    ("loss L = min(1, b) + max(b, 0)", "loss L = minimum(1, b) + maximum(b, 0)"),
    ("loss L = sum(np.maximum(w, 0)) + sum(max(0, w))", "loss L = sum(maximum(w, 0)) + sum(maximum(0, w))"),
    ("q = (X @ W).T.contiguous().view(-1)\nloss L = sum(q.to(torch.float32).clone().sum())",
     "q = reshape((X @ W).T, -1)\nloss L = sum(sum(q))"),
    ("loss L = sum((lambda a, c=2: a * c)(w))", "loss L = sum(w * 2)"),
    ("loss L = sum(X^2) / length(X) + length(w) * b", "loss L = sum(X^2) / (N*D) + D * b"),
    ("loss L = sum(lax.clamp(0, w, 1)) + sum(jax.lax.clamp(0, w, 1))",
     "loss L = sum(clip(w, 0, 1)) + sum(clip(w, 0, 1))"),
    ("loss L = -sum(tfd.Bernoulli(X @ w).log_prob(y))", "loss L = -sum(-binary_cross_entropy_with_logits(X @ w, y))"),
    ("loss L = -sum(tfp.distributions.Bernoulli(probs=b).log_prob(y))",
     "loss L = -sum(xlogy(y, b) + xlogy(1 - y, 1 - b))"),
    ("loss L = -sum(tfd.Categorical(P).log_prob(k))", "loss L = -sum(-nll(log_softmax(P), k))"),
    ("from scipy.linalg import cholesky\nloss L = sum(cholesky(W @ W.T))", "loss L = sum(cholesky(W @ W.T).T)"),
    ("from scipy.special import softmax\ndef f(z):\n    return softmax(z)\nloss L = sum(f(W)**2)",
     "loss L = sum(exp(W - logsumexp(W))**2)"),
    ("from jax.nn import gelu as g, relu\nloss L = sum(g(w) + relu(w))", "loss L = sum(gelu_tanh(w) + relu(w))"),
    ("from torch import (var,\n                   std)\nloss L = var(w) + std(w)",
     "loss L = var(w, ddof=1) + std(w, ddof=1)"),
    ("from torch.nn.functional import mse_loss\nloss L = mse_loss(w, 0 * w)", "loss L = mean(squared_error(w, 0 * w))"),
    ("import scipy.special as sp\nimport jax.numpy as np\nloss L = sum(np.tanh(sp.log_softmax(W)))",
     "loss L = sum(tanh(W - logsumexp(W)))"),
    ("from jax import nn\nloss L = sum(nn.gelu(w))", "loss L = sum(gelu_tanh(w))"),
    ("from torch import var\nvar(z) = sum(z**2)\nloss L = var(w)", "loss L = sum(w**2)"),  # the text's own
    ("from scipy.stats import beta, norm\nbeta = 2 * b\nloss L = sum(norm.logpdf(w, beta))",
     "beta = 2 * b\nloss L = sum(-(w - beta)**2 / 2 - log(2 * pi) / 2)"),
    ("f = np.vectorize(lambda a: a**2 * b)\nloss L = sum(f(w))", "loss L = sum(w**2 * b)"),
    ("f = jax.jit(lambda a: jnp.tanh(a) * b)\nloss L = sum(f(w))", "loss L = sum(tanh(w) * b)"),
    ("loss L = sum(jax.vmap(lambda a: a**2)(w)) + sum(np.vectorize(np.exp)(w))", "loss L = sum(w**2) + sum(exp(w))"),
    ("loss L = sum(jax.lax.select(w > 0, w, b * w))", "loss L = sum(where(w > 0, w, b * w))"),
    ("loss L = jax.lax.cond(b > 0, lambda a: a**2, lambda a: -a, b)", "loss L = where(b > 0, b**2, -b)"),
    ("if b > 0:\n    q = b\nelif b < -1: q = 2\nelse:\n    q = -b\nloss L = q",
     "q = where(b > 0, b, where(b < -1, 2, -b))\nloss L = q"),
    ("q = 2 * b\nif q > 0:\n    q = q**2\n    p = q + 1\nelse:\n    p = q\nloss L = p * q",
     "q = 2 * b\np = where(q > 0, q**2 + 1, q)\nq_2 = where(q > 0, q**2, q)\nloss L = p * q_2"),
    ("if b > 0:\n    loss L = b\nelse:\n    loss L = b**2", "loss L = where(b > 0, b, b**2)"),
    ("def f(z, d=1):\n    if abs(z) <= d:\n        return z**2 / 2\n    return d * (abs(z) - d / 2)\nloss L = f(b)",
     "loss L = where(abs(b) <= 1, b**2 / 2, abs(b) - 1 / 2)"),
    ("def f(z):\n    a = z\n    if z > 0:\n        a = 2 * z\n    return a\nloss L = f(b)",
     "loss L = where(b > 0, 2 * b, b)"),
    ("for t in 1..T:\n    q = b * x[t]\n    if b > 0:\n        q = 2 * q\n    p[t] = q\nloss L = sum(p)",
     "for t in 1..T:\n    q = b * x[t]\n    q_2 = where(b > 0, 2 * q, q)\n    p[t] = q_2\nloss L = sum(p)"),
    ("def forward(y):\n    loss = b**2\n    return loss\nif __name__ == '__main__':\n    print(forward(3))",
     "loss loss = b**2"),
    ("p = 2 * b\nq = p + 1\nreturn p, q, p * q", "output p = 2 * b\noutput q = p + 1\noutput result_3 = p * q"),
    ("loss L = b**2\nreturn L, b", "loss L = b**2"),
    ("loss L = 𝔼[(X @ w − y)²]", "loss L = mean((X @ w - y)^2)"),
    ("data A ∈ ℝᴺˣᴰ, B ∈ ℝ^{N×D}, a: ℝᴰ, c: ℝ\nloss L = sum(A * B) + sum(a) + c",
     "data A: N x D, B: N x D, a: D, c\nloss L = sum(A * B) + sum(a) + c"),
    ("criterion = nn.MSELoss()\nloss L = criterion(X @ w, y)", "loss L = nn.MSELoss()(X @ w, y)"),
    ("act = nn.LeakyReLU(0.2)\nloss L = act(w).sum()", "loss L = sum(leaky_relu(w, 0.2))"),
    ("loss L = stats.norm(b, scale=2).logpdf(y).sum()", "loss L = sum(stats.norm.logpdf(y, b, 2))"),
    ("loss L = optax.softmax_cross_entropy_with_integer_labels(P, k).mean()", "loss L = mean(cross_entropy(P, k))"),
    ("loss L = tf.keras.losses.mse(y, X @ w)", "loss L = mean((X @ w - y)**2, axis=-1)"),
    ("loss L = sum(tf.keras.activations.relu(w))", "loss L = sum(relu(w))"),
    ("loss L = mean_squared_error(y, X @ w)", "loss L = mean((X @ w - y)**2)"),
    ("n = X.shape[0]\nloss L = sum(arange(n) * y) / n", "n = N\nloss L = sum(arange(N) * y) / n"),
    ("q = X.transpose(0, 1).contiguous().view(D * N)\nloss L = sum(q)",
     "q = reshape(swapaxes(X, 0, 1), D * N)\nloss L = sum(q)"),
    ("$$\n\\begin{aligned}\nz &= 2 * w \\\\\n\\end{aligned}\n$loss L = sum(z)$", "z = 2 * w\nloss L = sum(z)"),
    ("z ← 2 * w\nloss L ≔ sum(z) / X.size", "z = 2 * w\nloss L = sum(z) / (N * D)"),
    ("with torch.no_grad():\n    t = X @ w\nloss L = sum(t * y)", "t = stop_gradient(X @ w)\nloss L = sum(t * y)"),
    ("@jax.jit\ndef loss(w):\n    z = w**2\n    return z", "z = w**2\noutput result = z"),
    ("loss L = sum(F.dropout(w, 0.0) + F.dropout(w, training=False))", "loss L = sum(w + w)"),
    ("loss L = hadamard(W, X).sum() + frobenius(W)".replace("X)", "W)"), "loss L = sum(W * W) + norm(W)"),
    ("_, q = slogdet(W)\nloss L = q * determinant(W)", "q = slogdet(W)[1]\nloss L = q * det(W)"),
    ("loss L = np.linalg.slogdet(W).logabsdet * math.e**b", "loss L = slogdet(W)[1] * exp(1)**b"),
    ("loss L = log_loss(y, k / C) + rmse(y, X @ w)",
     "loss L = mean(binary_cross_entropy(k / C, y)) + sqrt(mean((X @ w - y)**2))"),
    ("loss L = sum(tf.matmul(X, Y, transpose_b=True)) + sum(X, axes=(0, 1))",
     "loss L = sum(X @ swapaxes(Y, -1, -2)) + sum(X, axis=(0, 1))"),
    ("loss L = sec(b) + csc(b) + cot(b)", "loss L = 1 / cos(b) + 1 / sin(b) + cos(b) / sin(b)"),
    ("def relu(x, a=0):\n    \"\"\"Of every\n    entry.\"\"\"\n    z = np.maximum(x, 0)\n    return z - a\n"
     "loss L = sum(relu(w, a=b)) + relu(2 * b)", "loss L = sum(maximum(w, 0) - b) + (maximum(2 * b, 0) - 0)"),
    ("f = lambda z: 1 / (1 + exp(-z))\ng(z) = f(z) * z\nloss L = sum(g(w - b))",
     "loss L = sum(1 / (1 + exp(-(w - b))) * (w - b))"),
    ("optimizer.zero_grad()\nloss = F.mse_loss(X @ w, y)\nloss.backward()\noptimizer.step()",
     "loss loss = F.mse_loss(X @ w, y)"),
    ("with tf.GradientTape() as tape:\n    loss = tf.reduce_mean(tf.square(X @ w - y))\ng = tape.gradient(loss, w)",
     "loss loss = mean(square(X @ w - y))"),
    ("super().__init__()\nloss L = b", "loss L = b"),
    ("loss = b**2\ng = jax.grad(f, argnums=(0, 1))((w, b), X)\nl, g = jax.value_and_grad(f)(w)\n"
     "h = torch.autograd.grad(loss, w)", "loss loss = b**2"),
    ("loss L = sum(einops.rearrange(X, 'n d -> d n') @ y)", "loss L = sum(transpose(X, (1, 0)) @ y)"),
    ("q = rearrange(x, '(t s) d -> t d s', s=2)\nloss L = sum(reduce(q, 't d s -> t', 'max'))",
     "q = transpose(reshape(x, (T / 2, 2, D)), (0, 2, 1))\nloss L = sum(max(q, axis=(1, 2)))"),
    ("loss L = sum(repeat(w, 'd -> (k d)', k=3))", "loss L = sum(reshape(broadcast(w[None], (3, D)), 3 * D))"),
    ("loss L = sum(2 * w % 3 - w // 2)", "loss L = sum(remainder(2 * w, 3) - floor_divide(w, 2))"),
    ("Z = broadcast(b, (N % 2 + 1, D // 2))\nloss L = sum(Z)",
     "Z = broadcast(b, (remainder(N, 2) + 1, floor_divide(D, 2)))\nloss L = sum(Z)"),
    ("q = np.array([[b, 2 * b], [1, 3]])\nloss L = sum(q)", "q = stack(stack(b, 2 * b), stack(1, 3))\nloss L = sum(q)"),
    ("q = [b, [1, 2][0]]\nloss L = sum(q)", "q = stack(b, 1)\nloss L = sum(q)"),
    ("loss L = sum(np.hstack((w, [b, lam])))", "loss L = sum(concat(w, stack(b, lam)))"),
    ("loss L = sum(rearrange(x, '... d -> d ...'))", "loss L = sum(transpose(x, (1, 0)))"),
    ("Z = reduce(x[None] * b, '... t d -> ... t', 'mean')\nloss L = sum(Z)",
     "Z = mean(x[None] * b, axis=(2,))\nloss L = sum(Z)"),
    ("loss L = np.linalg.svd(W, full_matrices=False).S.sum() + sum(np.linalg.eigh(W).eigenvalues)",
     "loss L = svd(W)[1].sum() + sum(eigh(W)[0])"),
    ("loss L = tf.losses.mean_squared_error(y, X @ w)", "loss L = mean((X @ w - y)**2, axis=-1)"),
    ("loss L = sum(to_categorical(k, C) * P)", "loss L = sum(one_hot(k, C) * P)"),
    ("loss = sum(w)\nw -= 0.1 * w.grad", "loss loss = sum(w)"),
    ("s = 0\nfor i in 1..N:\n    s = s + y[i] * b\nend\nloss L = s",
     "s = 0\nfor i in 1..N:\n    s = s + y[i] * b\nloss L = s"),
    # functions of a text: what one calls is what has the name when it is called, but for what is defined inside
    ("def f(z):\n    return g(z) + 1\ndef g(z):\n    return z**2\nloss L = f(b)", "loss L = b**2 + 1"),
    ("def g(z):\n    return z\ndef f(z):\n    return g(z) + 1\ndef g(z):\n    return z**2\nloss L = f(b)",
     "loss L = b**2 + 1"),
    ("def f(z):\n    def h(u):\n        return u + 1\n    return h(z)\ndef g(z):\n    def h(u):\n        return 2 * u\n"
     "    return h(z) * f(z)\nloss L = f(b) + g(b)", "loss L = (b + 1) + 2 * b * (b + 1)"),
    ("f(z) = z^2 + g(z)\ng(z) = 2*z\nloss L = f(b)", "loss L = b^2 + 2*b"),
    ("sd = X.std(0, ddof=1)\nloss L = sum(sd)", "sd = std(X, 0, ddof=1)\nloss L = sum(sd)"),
    ("loss L = sum(np.cumsum(X)) + np.cumsum(w)[-1]", "loss L = sum(cumsum(flatten(X))) + cumsum(w)[-1]"),
    ("loss L = sum(w %% 2 + w %/% lam - 3 %% (b))", "loss L = sum(w % 2 + w // lam - 3 % (b))"),
    ("loss L = sum(w * eˣ) + e⁻²ᵇ".replace("eˣ", "eʷ"), "loss L = sum(w * exp(w)) + exp(-2*b)"),
    ("loss L = sum(wᵇ + wᵇ⁺¹ + ⌊w⌋ - ⌈w⌉)", "loss L = sum(w^b + w^(b+1) + floor(w) - ceil(w))"),
    ("loss L = sum(tanh⁻¹(w) + ∛w)", "loss L = sum(atanh(w) + np.cbrt(w))"),
    ("loss L = sum(X[[0, -1]]) + sum(W[(0, 1)])", "loss L = sum(concat(X[0:1], X[N-1:])) + W[0, 1]"),
    ("V = nn.Parameter(torch.zeros(D, C) / 2)\nloss L = sum(V)", "param V: D x C\nloss L = sum(V)"),
    ("V = tf.Variable(tf.random.normal([D, C]))\nloss L = sum(V)", "param V: D x C\nloss L = sum(V)"),
    ("c = torch.nn.Parameter(torch.tensor(0.5))\nloss L = c * b", "param c\nloss L = c * b"),
    # R counts from 1 on every line, whichever says that it is R; a 0 among the indices says that it is not
    ("q <- sum(X[1, ]) / var(y)\nz = y[-1] * X[, 2][2:N]\nloss L = q + sum(z) + w[D]",
     "q = sum(X[0, :]) / var(y, ddof=1)\nz = y[1:] * X[:, 1][1:N]\nloss L = q + sum(z) + w[D - 1]"),
    ("r = y - X %*% w\nloss L = r[2] + X[1, 2] + sum(P[1, ][k]) + length(r)",
     "r = y - X @ w\nloss L = r[1] + X[0, 1] + sum(P[0][k]) + N"),
    ("g[1] <- b\nfor t in 2..3:\n    g[t] <- g[t-1] * w[t]\nloss L = g[3] + w[3]",
     "g[1] = b\nfor t in 2..3:\n    g[t] = g[t-1] * w[t]\nloss L = g[3] + w[2]"),
    ("q <- w[0] * w[1]\nloss L = q + var(w)", "q = w[0] * w[1]\nloss L = q + var(w)"),
    ("loss L = ∏(w) + ∛(b)", "loss L = prod(w) + np.cbrt(b)"),
]


@pytest.mark.parametrize(("pasted", "plain"), READ)
def test_read_as_meant(pasted: str, plain: str) -> None:
    assert to_text(Model.parse(HEAD + pasted)) == to_text(Model.parse(HEAD + plain))


def test_functions_of_torch_nn_say_whose_methods_are_meant() -> None:
    lines = "t = q.max(1)[0]\nloss = F.smooth_l1_loss(t, y)"  # it was refused, as of NumPy or of PyTorch
    assert "t = max(q, axis=-1)" in to_text(parse_alone(lines))


def test_methods_beside_functions_of_two_libraries_are_neithers() -> None:
    with pytest.raises(ModelError, match="divides by n in NumPy"):
        Model.parse(HEAD + "loss L = torch.sum(X.std()) + np.sum(w)")


def test_numpys_gradient_is_no_line_of_training() -> None:
    assert [*Model.parse(HEAD + "q = np.gradient(y)\nloss L = q @ y").equations] == ["q", "L"]


@pytest.mark.parametrize(("text", "line"), [
    ("def f(z):\n    return foo(z)\nq = f(b)\nr = f(w)", 5), ("def f(z):\n    return z + + * z\nq = f(b)\nr = f(w)", 5),
    ("def f(z, c):\n    return (z @ c) * 2\nq = f(w, y)\nr = f(w, y)", 5),
    ("def f(**z):\n    return z\nq = f(b)\nr = sum(f(w))", 4), ("param q : R^{D x C\nr = sum(q)", 4),
])
def test_what_is_wrong_with_a_line_is_told_there_and_once(text: str, line: int) -> None:
    with pytest.raises(ModelError) as caught:
        Model.parse(HEAD + text + "\nloss L = sum(w)", path="net.sbp")
    assert not caught.value.others and str(caught.value).startswith(f"net.sbp:{line}: ")


def test_entries_of_one_loss_with_all_of_another_are_told() -> None:
    model = Model.parse(HEAD + "loss L = F.mse_loss(X @ w.view(-1, 1), y)")
    assert any("N x N, every entry with every other" in remark for remark in model.remarks)


def test_an_array_of_floats_is_an_array() -> None:
    said, plain = (Model.parse(f"dim N\ndata y: N{word}, x: N\nparam b: N{word}\nloss L = sum(y * x * b)")
                   for word in (" float", ""))
    assert to_text(said) == to_text(plain)


CORRECTED = [
    ("q = ¬(w > 1)", "q = (1 - (w > 1))"),
    ("q = sum([w, 2 * w])\nloss L = sum(q * w)", "q = sum(stack(w, 2 * w), axis=0)"),
    ("loss L = np.sum([w, 2 * w])", "loss L = sum(stack(w, 2 * w))"),
    ("loss L = X.min(1)[0].sum()", "loss L = X.min(1).values.sum()"),
    ("loss L = sum(np.exp(w, out=w))", "loss L = sum(np.exp(w))"),
    ("loss L = sum(np.einsum('nd,d->n', X, w, optimize=True))", "loss L = sum(np.einsum('nd,d->n', X, w))"),
    ("loss L = sum(linalg.cho_solve(linalg.cho_factor(W, lower=True), w))", "loss L = sum(solve(W, w))"),
    ("W0 = W[:1]\nq, r = W0\nloss L = q + r", None),
    (r"z_i = \frac{e^{w_i}}{\sum_{j=1}^{D} e^{w_j}}", "z = ((exp(w))/(sum(exp(w))))"),
    (r"loss L = \prod_{i=1}^D (1 + w_i^2)", "loss L = prod((1 + w^2))"),
    (r"loss L = \sqrt[3]{b^2 + 1} \cdot \lvert b \rvert", "loss L = (b^2 + 1)^(1/3) * | b |"),
    (r"loss L = \sum_{i=1}^{D-1} (w_{i+1} - w_i)^2", "loss L = sum((w[1:] - w[:-1])^2)"),
    (r"loss L = \sum_{t=2}^{D-1} w_{t-1} w_{t} w_{t+1}", "loss L = sum(w[:-2] * w[1:-1] * w[2:])"),
    ("loss L = Σᵢ (wᵢ₊₁ − wᵢ)²", "loss L = sum((w[1:] - w[:-1])^2)"),
    (r"loss L = w^\top \Sigma^{-1} w".replace("\\Sigma", "W"), "loss L = w.T @ inv(W) @ w"),
    (r"loss L = \max(0, 1 - b)", "loss L = max(0, 1 - b)"),
    (r"q = \sum_d X_{nd} w_d", 'q = einsum("nd,d->n", X, w)'),
    (r"output q = \frac{1}{2} \sum_k W_{ik} X_{nk}", 'output q = (1/2) * einsum("ik,nk->in", W, X)'),
    (r"q = w^{2}b", "q = w^2 * b"),
    (r"loss L = -\log \sum_i e^{w_i}", "loss L = -log(sum(exp(w)))"),
    ("q = logcumsumexp(X, dims=2)", "q = logcumsumexp(X, axis=1)"),
    ("q = 1_000 * w", "q = 1000 * w"), ("q = w(end)", "q = w[-1]"),
    ("q = [w; w]", "q = concat(w, w)"), (r"q = \mathbf{1}^T w", "q = sum(w, axis=0)"),
    (r"q = \mathbb{1}[w > 1]", "q = (w > 1)"),
    ("q = W⁻¹w", "q = inv(W) @ w"), ("q = W⁻¹", "q = inv(W)"), ("q = X⁻¹", "q = (1/X)"),
    (r"q = W\w", "q = solve(W, w)"),
    ("q = w ⊗ y", "q = outer(w, y)"), ("loss L = ⟨w, w⟩ + b", "loss L = sum(w * w) + b"),
    ("loss L = −Σᵢ log σ(yᵢ·wᵀXᵢ)", "loss L = -sum(log(sigmoid(y*(X @ w))))"),
    ("loss L = (b − lam)² ÷ 2 × b", "loss L = (b - lam)^2 / 2 * b"),
    (r"loss L = \sum_{i=1}^D |w_i - w_i^2| + \sum_i \|w_i\|_2", "loss L = sum(|w - w^2|)+ sum(norm(W, axis=-1))"),
    ("loss L = X.std() * b", "loss L = std(X) * b"),
    ("loss L = (X * Y).sum(1).max(0)[0]", "loss L = max((X * Y).sum(1), 0)"),
    ("loss L = torch.max(X @ w, dim=0)", "loss L = max(X @ w, dim=0)"),
    ("loss L = sum(F.dropout(X * 2, p=0.25))", "data mask: N x D; loss L = sum(dropout(X * 2, mask, 1/4))"),
    ("loss L = sum(dropout(w))", "data mask: D; loss L = sum(dropout(w, mask))"),
    ("loss L = K.mean(K.square(y), axis=-1)", "loss L = np.mean(np.square(y), axis=-1)"),
    ("loss L = mean((X @ w - y)**2, axis=1)", "loss L = mean((X @ w - y)**2, axis=0)"),
    # sums over other entries than all of an array, or over those of a transposed one
    (r"loss L = \sum_{i=2}^{D} w_i", "loss L = sum(w[1:])"),
    (r"loss L = \sum_{i=2}^D \sum_j W_{ij}", "loss L = sum(W[1:])"), (r"loss L = \sum_{i=1}^N 1", None),
    (r"loss L = \sum_{i=1}^{D} w_{i+1}", None),
    (r"loss L = \sum_{i<j} W_{ij}", "loss L = sum(triu(W, 1))"),
    (r"loss L = \sum_{i=2}^D \sum_{j=1}^D W_{ij} W_{ji}", None),
    (r"loss L = \sum_i (\sum_j W_{ij})^2", None), (r"loss L = \sum_i \prod_j W_{ij}", None),
    (r"loss L = \sum_i w_i \sum_j W_{ij}", None),
    ("Z = W.mean(3)", None),  # it was 3.mean(W)
    ("f = function(w) {", None), ("for (t in 1:3) {", None),  # they were opened by a bracket
    ("loss L = mean(cross_entropy(k, P))", "loss L = mean(cross_entropy(P, k))"),
    ("q = softmax(P)[k]", "q = softmax(P)[arange(N), k]"),
    ("q = (P.T @ P)[:, :, None] @ P.T[None].T", None),
    ("q = stack(X, X) @ stack(X, X).T", "q = stack(X, X) @ stack(X, X).mT"),
    ("q = causal_mask(W)", "q = causal_mask(W.shape[-1])"),
    ("q = zeros(X)", "q = zeros_like(X)"),
    ("loss L = w[end] + sum(w[2:end-1]) + sum(w[end-1:end])", "loss L = w[-1] + sum(w[1:-1]) + sum(w[-2:])"),
    ("loss L = w[D]", "loss L = w[-1]"),
    ("param s = 1.0, q: D = 0", "param s, q: D"),
    ("param s = 0.1 * np.random.randn(D, C)", "param s: D x C"),
    ("param s[D, C]", "param s: D x C"), ("param s(D)", "param s: D"), ("param s: D, 3", "param s: D x 3"),
    ("data s: N, int < C", "data s: N int < C"), ("param s: M x C", "dim M; param s: M x C"),
    ("convention relu1 = 0", "convention relu0 = 0"),
    ("q = np.linalg.qr(W).R", "q = qr(W).R"),
    ("q = X.repeat(2, 1)", "q = tile(X, 2, 1)"),
    ("q = y(2:end) - y(1:end-1)", "q = y[1:] - y[:-1]"),
    ("def f(z):\n    return z * 2\nq = f(Ww)", "q = f(W @ w)"), ("q = b!", "q = factorial(b)"),
    ("q = np.c_[X, y]", "q = np.column_stack((X, y))"),
    ("loss L == sum(w)", "loss L = sum(w)"), ("loss sum(w)", "loss L = sum(w)"), ("minimize sum(w)", "loss L = sum(w)"),
    ("let q = 2 * b", "q = 2 * b"), ("loss L = b,", "loss L = b"),
    ("output q = X @ w\nloss L = sum(q)", "q = X @ w"),
    ("q = 2 * b  // twice", "q = 2 * b  # twice"), ("q = 2 * b % twice it", "q = 2 * b # twice it"),
    ("param s: N // weights", "param s: N # weights"), ("param s: N -- weights", "param s: N # weights"),
    ("param s: M // weights", "dim M; param s: M # weights"),
    ("-- what it is", "# what it is"),
    ("def f(*z):\n    return z\nq = f(b)", "def f(z):"),
    ("loss L = sum(y - X*w)", "loss L = sum(y - X@w)"),
    ("Z = exp(X) / np.sum(np.exp(X), axis=1)", "Z = exp(X) / np.sum(np.exp(X), axis=1, keepdims=True)"),
    ("Z = X - X.mean(1)", "Z = X - X.mean(1, keepdims=True)"),
    ("loss L = -sum y * log y", "loss L = -sum(y * log(y))"),
    ("Z = sin w^2 + cos 2w", "Z = sin(w^2) + cos(2*w)"),
    ("q = sin x cos b", "q = sin(x) * cos(b)"), ("q = b exp x lam", "q = b * exp(x) * lam"),
    ("loss ℒ = sum(w)", "loss L = sum(w)"),
    ("Z = Y X", "Z = Y * X"),  # not Y @ X.T, which takes two changes
    (r"loss \mathcal{L} = \frac{1}{2N} \sum_{i=1}^{N} (y_i - \mathbf{y}_i)^2", "loss L = (1/(2N)) * sum((y - y)^2)"),
    (r"loss L = \left\| y - X w \right\|_2^2 + \lambda \|w\|_2^2", "loss L = ‖ y - X @ w ‖_2^2 + lam ‖w‖_2^2"),
    (r"loss L = \frac{1}{2} (y - X w)^\top (y - X w)", "loss L = (1/2) * (y - X @ w).T @ (y - X @ w)"),
    (r"loss L = -\sum_{n} \sum_{d} Y_{nd} \log X_{nd}", "loss L = -sum(Y * log(X))"),
    (r"loss L = -\sum_i y_i \log y_i + (1 - y_i)", None),  # where the sum ends is not known
    (r"loss L = \frac{1}{N} \sum_{i=1}^{N} (y_i - w^\top x_i)^2", "loss L = mean((y - (X @ w))^2)"),
    (r"J(w) = \sum_{i=1}^{N} \log(1 + e^{-y_i x_i^T w})", "loss J = sum(log(1 + exp(-y * (X @ w))))"),
    (r"loss L = (y - Xw)^\top (y - Xw)", "loss L = (y - X @ w).T @ (y - X @ w)"),
    (r"loss L = \sum_n \left[ \frac{(y_n - b)^2}{2\lambda^2} + \log \lambda^2 \right]",
     "loss L = sum(( (((y - b)^2)/(2 * lam^2)) + log(lam^2) ))"),
    (r"loss L = \log\det(W W^T + I)", "loss L = logdet(W @ W.T + eye(D))"),
    ("loss L = −Σᵢ₌₁ᴺ [yᵢ log σ(yᵢ)]", "loss L = -sum((y * log(sigmoid(y))))"),
    ("loss L = Σⱼ (wᵢ − wⱼ)²", None),  # a sum over one of two indices
    (r"loss L = \sum_i \sum_j (w_i - w_j)^2", None),
    (r"loss L = \sum_{i=1}^N (y_i - \sum_{j=1}^D X_{ij} w_j)^2", 'loss L = sum((y - einsum("ij,j->i", X, w) )^2)'),
    (r"loss L = \sum_i \sum_j W_{ij} W_{ji}", 'loss L = einsum("ij,ji->", W, W)'),
    (r"loss L = \sum\sum w_i W_{ij} w_j", 'loss L = einsum("i,ij,j->", w, W, w)'),
    (r"Z_{ni} = \sum_{j=1}^{D} X_{nj} W_{ji}", 'Z = einsum("nj,ji->ni", X, W)'),
    (r"q_n = \sum_d X_{nd} w_d + y_n", 'q = einsum("nd,d->n", X, w) + y'),
    (r"loss L = (y - X w)^T (y - X w) + \log|W| + \langle w, w \rangle",
     "loss L = (y - X @ w).T @ (y - X @ w) + log(det(W)) + sum(w * w)"),
    (r"loss L = \sum_i y_i^2 + \lambda \sum_j |w_j|", "loss L = sum(y^2)+ lam * sum(|w|)"),
    (r"loss L = w^\top (W + I)^{-1} w", "loss L = w.T @ inv(W + eye(D)) @ w"),
    ("f = lambda a, c: dot(a, w) * c\np = jax.vmap(f)(X, y)", "for n in 1..X.shape[0]: p = f(X[n], y[n])"),
    ("if b > 0\n    q = b\nelse:\n    q = 2", "if b > 0:"),
    ("c = scipy.linalg.cho_factor(W)", "c = cholesky(W)"),
    ("loss L = E[(y - X @ w)^2]", "loss L = mean((y - X @ w)^2)"),
    (r"loss L = \mathbb{E}_{x \sim p}\left[ \log(y) \right]", "loss L = mean( log(y) )"),
    ("data A: R^{N \times D}".replace("\t", "\\t"), "data A: N x D"),
    ("data a: R^D  // the means", "data a: D  # the means"),
    ("data A in R^(N x D), c", "data A: N x D, c"),
    (r"loss L = b \log_{10} b + \Gamma(b) + \binom{5}{2}", "loss L = b * log10(b) + gamma(b) + binom(5, 2)"),
    (r"loss L = \operatorname{tr}(W^2)", "loss L = tr(W @ W)"),
    (r"q = \sigma(w) (1 - \sigma(w))", "q = sigmoid(w) * (1 - sigmoid(w))"),
    ("loss L = b/blam", "loss L = b/(b * lam)"),
    ("loss L = b(lam + 1)", "loss L = b * (lam + 1)"),
    ("loss L = b²lam³", "loss L = b^2 * lam^3"),
    ("loss L = 0.5 * w' * W * w", "loss L = 0.5 * w' @ W @ w"),
    ("loss L = np.mean((X @ w - y)**2", "loss L = np.mean((X @ w - y)**2)"),
    ("loss L = mean(abs(y)))", "loss L = mean(abs(y))"),
    ("q = sum(w)", "loss q = sum(w)"),
    ("loss: sum(w)", "loss L = sum(w)"),
    ("for t in range(T):\n    h[t] = x[t]", "for t in 1..T:"),
]


def corrected(text: str) -> list[str]:
    """The lines that a text is refused with, or that it is read as."""
    try:
        remarks = Model.parse(HEAD + text).remarks
    except ModelError as caught:
        error = caught
    else:
        return [note.partition(": is read as ")[2] for note in remarks if ": is read as " in note]
    lines = [line for e in (error, *error.others) for line in e.shown]
    return [line.removesuffix("   corrected") for line in lines if line.endswith("corrected")]


@pytest.mark.parametrize(("pasted", "right"), CORRECTED)
def test_read_as_or_refused_with_the_corrected_line(pasted: str, right: str | None) -> None:
    assert corrected(pasted) == ([right] if right else [])


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("x0 = np.random.randn(N, D)", "an array is declared, as `data X: N x D`"),
        ("x0 = torch.randn(N, D)", "an array is declared"),
        ("q = np.convolve(w, w, mode='wide')", "np.convolve is not read as it is called here, but convolve"),
        ("q = scipy.special.jv(0, w)", "modules import NumPy alone, which has none"),
        ("q = np.unique(w)", "gives as many entries as the numbers say"),
        ("q = jax.lax.scan(w, 0, w)", "is a loop"),
        ("q = X.at[k, 0].set(1)", "one place of the first axis at a time"),
        ("q = jax.vmap(lambda a: a**2, in_axes=1)(X)", "vmap calls a function for every row"),
        ("class Net(nn.Module):", "there are no classes"),
        ("q = f(b)\ndef f(z):\n    return z", "f is called above line 5, where it is defined"),
        ("q = rearrange(X, 'n -> d n')", "rearrange of einops is not called so"),
        ("q = cross(X, Y)", "cross is of vectors of 3 entries"),
        ("q = F.adaptive_avg_pool2d(X[None], C)", "1 axes between the first and the last, size has 2"),
        ("q = F.cross_entropy(w, -1)", "classes are counted from 0 on"),
        ("q = X.flatten(1, 0)", "stands before axis 1"),
        ("q = F.interpolate(X[None])", "interpolate"),
        ("q = nn.Linear(D, C)(X)", "has parameters of its own"),
        ("q = w(1)", "w[…] for entries, counted from 0"),
        ("loss L = sum((w; w))", "found ';'"),
    ],
)
def test_refused_with_a_reason(pasted: str, says: str) -> None:
    with pytest.raises(ModelError, match=says.replace("[", r"\[").replace("…", ".")):
        Model.parse(HEAD + pasted)


# -- a name that gets other values
RNG = np.random.default_rng(7)


def test_the_loss_is_what_has_its_name_at_last() -> None:
    for text in ("loss L = sum(w)\nL += lam * sum(w^2)", "loss = sum(w)\nloss += lam * sum(w^2)",
                 "loss = 0\nfor i in 1..2:\n    loss += (i == 1) * sum(w) + (i == 2) * lam * sum(w^2)"):
        model = Model.parse(HEAD + text)
        w = RNG.normal(size=3)
        assert model.loss_row is not None
        assert value(model.loss_row, w=w, lam=0.5) == pytest.approx(w.sum() + 0.5 * (w**2).sum())


LOOPS = [
    "h = zeros(D)\nfor t in 1..T:\n    h = tanh(x[t] + h @ W)\nloss L = sum(h)",
    "h = np.zeros(D)\nfor t in range(T):\n    h = np.tanh(x[t] + h @ W)\nloss L = h.sum()",
    "h = zeros(D)\nfor t in range(T):\n    a = x[t] + h @ W\n    h = a\n    h = tanh(h)\nloss L = sum(h)",
    "h[0] = zeros(D)\nfor t in 1..T:\n    h[t] = tanh(x[t] + h[t-1] @ W)\nloss L = sum(h[T])",
]


@pytest.mark.parametrize("text", LOOPS)
def test_a_loop_carries_what_it_reads_first(text: str) -> None:
    model = Model.parse(HEAD + text)
    x, W, h = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3)), np.zeros(3)
    for row in x:
        h = np.tanh(row + h @ W)
    assert model.loss_row is not None
    assert value(model.loss_row, x=x, W=W) == pytest.approx(h.sum())
    assert to_text(Model.parse(to_text(model))) == to_text(model)


def test_a_loss_adds_up_in_a_loop() -> None:
    model = Model.parse(HEAD + "h = zeros(D)\nloss = 0\nfor t in range(T):\n    h = tanh(x[t] + h @ W)\n"
                        "    loss += sum(h**2)")
    x, W, h, total = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3)), np.zeros(3), 0.0
    for row in x:
        h = np.tanh(row + h @ W)
        total += (h**2).sum()
    assert model.loss_row is not None
    assert value(model.loss_row, x=x, W=W) == pytest.approx(total)


@pytest.mark.parametrize("body", ["h[t] = h[t-1] + x[t]", "h[t+1] = h[t]", "z = x[t-1]"])
def test_a_range_that_counts_otherwise_is_refused(body: str) -> None:
    with pytest.raises(ModelError, match="range counts from 0"):
        Model.parse(HEAD + f"h = zeros(D)\nfor t in range(T):\n    {body}\nloss L = sum(w)")


# -- functions of R and TensorFlow
def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda a, b: lgamma(a + 1) - lgamma(b + 1) - lgamma(a - b + 1))(n, k)


A, B, Z = np.abs(RNG.normal(size=(4, 3))) + 0.1, RNG.uniform(0.1, 0.9, size=(4, 3)), RNG.normal(size=(4, 3))
COUNTS = RNG.integers(0, 5, size=(4, 3)).astype(float)
LGAMMA = np.vectorize(lgamma)
FUNCTIONS = [
    ("head(A, 2)", A[:2]), ("tail(A, 3)", A[-3:]), ("tail(A, 0)", A[:0]), ("drop(A[:, :1])", A[:, 0]),
    ("seq(0, 1, by=0.25)", np.linspace(0, 1, 5)), ("seq(1, 2, by=0.4)", np.array([1, 1.4, 1.8])),
    ("dnorm(Z)", np.exp(-Z**2 / 2) / np.sqrt(2 * np.pi)),
    ("dnorm(Z, 1, 2)", np.exp(-((Z - 1) / 2) ** 2 / 2) / np.sqrt(2 * np.pi) / 2),
    ("dnorm(Z, mean=B, sd=A, log=TRUE)", -((Z - B) / A) ** 2 / 2 - np.log(A) - np.log(2 * np.pi) / 2),
    ("pnorm(0 * Z)", np.full((4, 3), 0.5)),
    ("pnorm(A, 1, 2, lower.tail=FALSE) + pnorm(A, 1, 2)", np.ones((4, 3))),
    ("exp(pnorm(A, 1, 2, log.p=TRUE)) + exp(pnorm(q=A, mean=1, sd=2, lower.tail=FALSE, log.p=TRUE))", np.ones((4, 3))),
    ("dgamma(A, 2, scale=0.5)", 4 * A * np.exp(-2 * A)),
    ("dgamma(A, shape=2, scale=0.5, log=TRUE)", np.log(4 * A * np.exp(-2 * A))),
    ("solve(Z.T @ Z)", np.linalg.inv(Z.T @ Z)),
    ("solve(Z.T @ Z, B[0])", np.linalg.solve(Z.T @ Z, B[0])),
    ("log(A, base=2)", np.log2(A)),
    ("logsumexp(Z, b=A)", np.log((A * np.exp(Z)).sum())),
    ("apply(Z, 1, sum)", Z.sum(1)), ("apply(Z, 2, sum)", Z.sum(0)),
    ("apply(Z, 1, mean)", Z.mean(1)), ("apply(Z, MARGIN=2, FUN=mean)", Z.mean(0)),
    ("apply(Z, 1, max)", Z.max(1)), ("apply(Z, 2, max)", Z.max(0)),
    ("sweep(Z, 1, Z[:, 0])", Z - Z[:, :1]), ("sweep(Z, 2, B[0])", Z - B[0]),
    ('sweep(Z, 1, Z[:, 0], "+")', Z + Z[:, :1]), ('sweep(Z, 2, B[0], FUN="+")', Z + B[0]),
    ('sweep(Z, 1, Z[:, 0], "*")', Z * Z[:, :1]), ('sweep(Z, 2, B[0], "*")', Z * B[0]),
    ('sweep(Z, 1, Z[:, 0], "/")', Z / Z[:, :1]), ('sweep(Z, MARGIN=2, STATS=A[0], FUN="/")', Z / A[0]),
    ("tf.concat([Z, B], 0)", np.concatenate([Z, B])), ("tf.stack([Z, B], 1)", np.stack([Z, B], 1)),
    ("pnorm(B, mean=B, sd=2)", np.full((4, 3), 0.5)),
    ("plogis(A, 1, 2) + plogis(q=A, location=1, scale=2, lower.tail=FALSE)", np.ones((4, 3))),
    ("plogis(A, 1, log.p=TRUE)", -np.log1p(np.exp(1 - A))),
    ("plnorm(A, 1, 2) + plnorm(A, 1, 2, lower.tail=FALSE)", np.ones((4, 3))),
    ("pexp(A, 2) + pexp(A, rate=2, lower.tail=FALSE)", np.ones((4, 3))),
    ("pexp(A, 2, lower.tail=FALSE, log.p=TRUE)", -2 * A),
    ("pweibull(A, 1.5, 2) + pweibull(A, shape=1.5, scale=2, lower.tail=FALSE)", np.ones((4, 3))),
    ("pweibull(A, 1.5, 2, lower.tail=FALSE, log.p=TRUE)", -((A / 2) ** 1.5)),
    ("dnbinom(K, size=1, mu=A)", (A / (1 + A)) ** COUNTS / (1 + A)),
    ("dnbinom(K, 1, mu=A, log=TRUE)", COUNTS * np.log(A) - (COUNTS + 1) * np.log1p(A)),
    ("dpois(K, lambda=A, log=TRUE)", K_LOG := COUNTS * np.log(A) - A - LGAMMA(COUNTS + 1)),
    ("dpois(K, A)", np.exp(K_LOG)),
    ("dbinom(K, 5, B, log=TRUE)", _log_choose(np.full((4, 3), 5.0), COUNTS) + COUNTS * np.log(B)
     + (5 - COUNTS) * np.log(1 - B)),
    ("dunif(A, 0, 2)", np.full((4, 3), 0.5)),
    ("dweibull(A, 1.5, 2, log=TRUE)", np.log(0.75 * (A / 2) ** 0.5) - (A / 2) ** 1.5),
    ("dweibull(A, 1.5, 2)", 0.75 * (A / 2) ** 0.5 * np.exp(-((A / 2) ** 1.5))),
    ("dlnorm(A, log=TRUE)", -np.log(A) ** 2 / 2 - np.log(A) - np.log(2 * np.pi) / 2),
    ("dlnorm(A)", np.exp(-np.log(A) ** 2 / 2) / A / np.sqrt(2 * np.pi)),
    ("dnbinom(K, 1, B, log=TRUE)", np.log(B) + COUNTS * np.log(1 - B)),
    ("dnbinom(K, 1, B)", B * (1 - B) ** COUNTS),
    ("dt(Z, 1)", 1 / np.pi / (1 + Z**2)),
    ("dt(Z, 1, log=TRUE)", -np.log(np.pi) - np.log1p(Z**2)),
    ("dgamma(A, 1, 2) + dbeta(B, 1, 2) + dbinom(K, 9, B) / dbinom(K, 9, B)", 2 * np.exp(-2 * A) + 2 * (1 - B) + 1),
    ("cor(A[0], B[0])", np.asarray(np.corrcoef(A[0], B[0])[0, 1])),
    ("scale(A)", (A - A.mean(0)) / A.std(0, ddof=1)),
    ("trigamma(0 * A + 1)", np.full((4, 3), np.pi**2 / 6)),
    ("rev(A[0])", A[0, ::-1]),
    ("kronecker(A, B)", np.kron(A, B)),
    ("chol(crossprod(A))", np.linalg.cholesky(A.T @ A).T),
    ("besselI(Z, 0) - np.i0(Z) + 0 * besselI(A, 1)", np.zeros((4, 3))),
    ("tanh(A[0]) %o% B[0]", np.outer(np.tanh(A[0]), B[0])),
    ("dexp(A, B, log=TRUE)", np.log(B) - A * B),
    ("dexp(A)", np.exp(-A)),
    ("dgamma(A, shape=B, rate=2, log=TRUE)", B * np.log(2) + (B - 1) * np.log(A) - 2 * A - LGAMMA(B)),
    ("dbeta(B, A, 2, log=TRUE)", (A - 1) * np.log(B) + np.log(1 - B) + LGAMMA(A + 2) - LGAMMA(A)),
    ("lbeta(A, B)", LGAMMA(A) + LGAMMA(B) - LGAMMA(A + B)),
    ("lfactorial(A)", LGAMMA(A + 1)),
    ("lchoose(5 + 0 * Z, K)", _log_choose(np.full((4, 3), 5.0), COUNTS)),
    ("log(choose(5, K))", _log_choose(np.full((4, 3), 5.0), COUNTS)),
    ("ifelse(Z > 0, Z, B)", np.where(Z > 0, Z, B)),
    ("pmax(Z, 0)", np.maximum(Z, 0)),
    ("pmin(Z, B)", np.minimum(Z, B)),
    ("sd(Z)", Z.std(ddof=1)),
    ("rowSums(Z)", Z.sum(1)),
    ("colSums(Z)", Z.sum(0)),
    ("rowMeans(Z)", Z.mean(1)),
    ("colMeans(Z)", Z.mean(0)),
    ("crossprod(Z)", Z.T @ Z),
    ("crossprod(Z, B)", Z.T @ B),
    ("tcrossprod(Z)", Z @ Z.T),
    ("tcrossprod(Z, B)", Z @ B.T),
    ("t(Z) %*% B", Z.T @ B),
    ("Z / nrow(Z) / ncol(Z) / length(Z)", Z / 4 / 3 / 12),
    ("tf.reduce_sum(Z, axis=1, keepdims=True)", Z.sum(1, keepdims=True)),
    ("tf.reduce_mean(Z)", Z.mean()),
    ("tf.reduce_max(Z, 0)", Z.max(0)),
    ("tf.reduce_min(Z, 0)", Z.min(0)),
    ("tf.reduce_prod(Z, 0)", Z.prod(0)),
    ("tf.reduce_logsumexp(Z)", np.log(np.exp(Z).sum())),
    ("tf.math.reduce_variance(Z)", Z.var()),
    ("tf.math.reduce_std(Z, 1)", Z.std(1)),
    ("tf.nn.sigmoid_cross_entropy_with_logits(labels=B, logits=Z)", np.log1p(np.exp(Z)) - B * Z),
    ("tf.nn.softmax_cross_entropy_with_logits(labels=B, logits=Z)",
     np.log(np.exp(Z).sum(1)) * B.sum(1) - (B * Z).sum(1)),
    ("tf.nn.sparse_softmax_cross_entropy_with_logits(labels=I, logits=Z)",
     np.log(np.exp(Z).sum(1)) - Z[np.arange(4), [0, 2, 1, 1]]),
    ("tf.nn.bias_add(Z, B[0])", Z + B[0]),
    ("tf.nn.l2_loss(Z)", (Z**2).sum() / 2),
    ("tf.matmul(Z, B, transpose_b=True)", Z @ B.T),
    ("tf.clip_by_value(Z, 0, 1)", np.clip(Z, 0, 1)),
    ("tf.gather(Z, I)", Z[[0, 2, 1, 1]]),
    ("tf.one_hot(I, 3)", np.eye(3)[[0, 2, 1, 1]]),
    ("tf.cast(Z, tf.float32)", Z),
    ("tf.cumsum(Z)", Z.cumsum(0)),
    ("tf.math.squared_difference(Z, B)", (Z - B) ** 2),
    ("tf.math.l2_normalize(Z, axis=1)", Z / np.linalg.norm(Z, axis=1, keepdims=True)),
    ("tf.linalg.matvec(Z, B[0])", Z @ B[0]),
    ("tf.linalg.diag_part(Z)", np.diag(Z)),
    ("tf.constant(2.0) * tf.convert_to_tensor(Z)", 2 * Z),
    ("jax.nn.standardize(Z)", (Z - Z.mean(1, keepdims=True)) / np.sqrt(Z.var(1, keepdims=True) + 1e-5)),
    ("jax.nn.swish(Z) + jax.nn.hard_sigmoid(Z)", Z / (1 + np.exp(-Z)) + np.clip(Z / 6 + 0.5, 0, 1)),
    ("jax.nn.log_sigmoid(Z)", -np.log1p(np.exp(-Z))),
    ("tf.matmul(Z, B, transpose_a=True)", Z.T @ B),
    ("tf.tile(A, [2, 1])", np.tile(A, (2, 1))), ("tf.reverse(A, axis=[0])", A[::-1]),
    ("tf.linalg.band_part(Z[:3], -1, 0)", np.tril(Z[:3])), ("tf.linalg.band_part(Z[:3], 0, -1)", np.triu(Z[:3])),
    ("tf.linalg.band_part(Z[:3], 0, 0)", np.diag(np.diag(Z))),
    ("tf.cumsum(A, exclusive=True)", np.cumsum(A, 0) - A),
    ("tf.cumsum(A, axis=1, reverse=True)", np.cumsum(A[:, ::-1], 1)[:, ::-1]),
    ("tf.math.unsorted_segment_sum(A, I, 3)", np.stack([A[0], A[2] + A[3], A[1]])),
    ("jax.ops.segment_sum(A[:, 0], I, num_segments=3)", np.array([A[0, 0], A[2, 0] + A[3, 0], A[1, 0]])),
    ("tf.pad(A[0], [[1, 2]])", np.pad(A[0], (1, 2))), ("tf.pad(A, [[1, 0], [0, 2]])", np.pad(A, ((1, 0), (0, 2)))),
    ("tf.transpose(A, perm=[1, 0])", A.T), ("tf.keras.activations.gelu(Z) - gelu(Z)", 0 * Z),
    ("qnorm(pnorm(Z))", Z), ("qnorm(pnorm(Z, 1, 2), mean=1, sd=2)", Z),
    ("cbind(A[:, 0], B[:, 0])", np.stack([A[:, 0], B[:, 0]], 1)), ("rbind(A[0], B[0])", np.stack([A[0], B[0]])),
    ("seq_along(A[0]) * A[0]", np.arange(1, 4) * A[0]), ("seq_len(3) * A[0]", np.arange(1, 4) * A[0]),
    ("rep(2, 3)", np.full(3, 2.0)), ("rep(A[0], 2)", np.tile(A[0], 2)), ("numel(A) + 0 * A", np.full((4, 3), 12.0)),
    ("repmat(A, 2, 1)", np.tile(A, (2, 1))),
    ("mean(A, na.rm=TRUE) + sum(A, na.rm=TRUE) + max(A, na.rm=TRUE) - min(A, na.rm=TRUE) + sd(A, na.rm=FALSE)",
     np.asarray(A.mean() + A.sum() + A.max() - A.min() + A.std(ddof=1))),
    ("jax.nn.celu(Z, 0.5)", np.where(Z > 0, Z, 0.5 * np.expm1(np.minimum(Z, 0) / 0.5))),
    ("jax.nn.selu(Z)", 1.0507009873554805 * np.where(Z > 0, Z, 1.6732632423543772 * np.expm1(np.minimum(Z, 0)))),
    ("jax.nn.squareplus(Z)", (Z + np.sqrt(Z**2 + 4)) / 2),
    ("jax.nn.softmax(Z, where=Z < 9, axis=0)", np.exp(Z) / np.exp(Z).sum(0)),
    ("A.at[0].set(0.0)", np.concatenate([0 * A[:1], A[1:]])), ("A.at[-1].set(B[0])", np.concatenate([A[:-1], B[:1]])),
    ("A.at[1].add(2 * B[0])", A + np.eye(4)[:, [1]] * 2 * B[0]),
    ("A.at[2].multiply(3)", A * (1 + 2 * np.eye(4)[:, [2]])),
    ("A.at[I[1]].set(B[0])", np.concatenate([A[:2], B[:1], A[3:]])),
    ("A.at[I[0]].set(7)", np.concatenate([np.full((1, 3), 7.0), A[1:]])),
    ("A.at[I[:2]].set(B[:2])", np.stack([B[0], A[1], B[1], A[3]])),
    ("A[0].at[I[1]].set(B[0, 0])", np.array([*A[0, :2], B[0, 0]])),
    ("A[:3].at[I].set(B[0])", np.stack([B[0]] * 3)),
    ("A[:3].at[I[2:]].set(2*B[0, 0])", np.stack([A[0], 0*A[1] + 2*B[0, 0], A[2]])),
    ("A[:3].at[I].add(B)", A[:3] + np.stack([B[0], B[2] + B[3], B[1]])),
    ("A.at[1:3].set(0.0)", np.concatenate([A[:1], 0 * A[1:3], A[3:]])),
    ("A.at[3:3].set(1.0)", A), ("A.at[-1:-2].add(B[0])", A),
    ("A.at[2:].add(B[0])", np.concatenate([A[:2], A[2:] + B[0]])),
    ("A.at[:2].multiply(3)", np.concatenate([3 * A[:2], A[2:]])),
    ("A.at[:, 1].set(B[:, 0])", np.stack([A[:, 0], B[:, 0], A[:, 2]], 1)),
    ("A.at[2, -1].add(5)", A + 5 * np.outer(np.eye(4)[2], np.eye(3)[2])), ("A.at[1].get()", A[1]),
    ("jax.lax.reduce_max(A, (1,))", A.max(1)), ("jax.lax.dynamic_slice(A, (1, 0), (2, 2))", A[1:3, :2]),
    ("jax.nn.soft_sign(Z)", Z / (1 + abs(Z))),
    ("tf.split(A, 2)[1]", A[2:]), ("tf.split(A, [1, 2], axis=1)[1]", A[:, 1:]), ("tf.unstack(A, axis=1)[2]", A[:, 2]),
    ("tf.nn.moments(A, axes=[0])[1]", A.var(0)), ("tf.pad(A, [[1, 1], [2, 0]], 'REFLECT')", np.pad(
        A, ((1, 1), (2, 0)), "reflect")),
    ("c(A[0], 2.5)", np.append(A[0], 2.5)), ("matrix(A[:, 0], nrow=2)", A[:, 0].reshape(2, 2).T),
    ("matrix(A[:, 0], ncol=4)", A[:, :1].T), ("matrix(A[:, 0], 2, byrow=TRUE)", A[:, 0].reshape(2, 2)),
    ("seq(1, 3, length.out=3)", np.array([1, 2, 3])), ("cor(A)", np.corrcoef(A.T)),
    ("horzcat(A, B)", np.hstack((A, B))), ("vertcat(A, B)", np.vstack((A, B))),
    ("A.at[A < 0.4].set(1)", np.where(A < 0.4, 1, A)),
    ("A.ndim + 0 * A", 2 + 0 * A),
    ("jnp.exp(A, dtype=jnp.float32)", np.exp(A)), ("A.type_as(B)", A),
    ("tf.matmul(Z, Z @ B.T, True, True)", Z.T @ (Z @ B.T).T),
]


@pytest.mark.parametrize(("call", "expected"), FUNCTIONS)
def test_functions_of_r_and_tensorflow(call: str, expected: np.ndarray) -> None:
    model = Model.parse(f"data A: 4 x 3, B: 4 x 3, Z: 4 x 3, K: 4 x 3, I: 4 int < 3\noutput Q = {call} * 1")
    given = {"A": A, "B": B, "Z": Z, "K": COUNTS, "I": np.array([0, 2, 1, 1])}
    np.testing.assert_allclose(value(model.equations["Q"], **given), expected, rtol=1e-9)


def test_each_of_these_is_tried() -> None:
    only = [name for name, spellings in _lines().items() if {where for where, *_ in spellings} <= {"r", "f", "r t"}]
    assert not [name for name in only if f"{name}(" not in " ".join(call for call, _ in FUNCTIONS)]


@pytest.mark.parametrize(("typed", "right"), [
    (r"\sin^2 b + \tanh^2(a)", "sin(b)^2 + tanh(a)^2"),
    ("sin²(a) + |b|", "sin(a)^2 + |b|"),
    (r"\sqrt{a^2+b^2} \cdot e^{-c}", "sqrt(a^2+b^2) * exp(-c)"),
    ("e^{-a^2}", "exp(-a^2)"),
    (r"\operatorname{tr}(A^{-1})", "tr(inv(A))"),
    (r"\log\det(A A^T)", "logdet(A @ A.T)"),
    ("(y - X w)^T (y - X w) / (2N)", "(y - X @ w).T @ (y - X @ w) / (2N)"),
])
def test_a_pasted_formula_is_read_as_the_line_that_works(typed: str, right: str) -> None:
    head = "dim N, D\nparam a, b, c, A: D x D, w: D\ndata X: N x D, y: N\n"
    model = Model.parse(f"{head}loss L = {typed}")
    assert any(note.endswith(f": is read as loss L = {right}") for note in model.remarks)
    assert to_text(model) == to_text(Model.parse(f"{head}loss L = {right}"))


@pytest.mark.parametrize("call", ["reduce(X, 'a -> a', 'sum')", "reduce(P3, 'a b -> a', 'sum')",
                                  "rearrange(X, 'a b -> a b', a=7)",
                                  "rearrange(X, 'a b c -> a b c')"])
def test_patterns_of_other_axes_are_refused(call: str) -> None:
    with pytest.raises(ModelError, match=r"transpose|reshape|axis"):
        Model.parse(f"dim N\nparam X: N x 4, P3: 2 x 3 x 4\nloss L = sum({call})")


AT_ONCE = [  # Python computes all values of a line before it gives the names to them
    ("p = w\nq = 2 * b * w\np, q = q, p - q", "p = 2 * b * w\nq = w - p"),
    ("p, q = w, b\nq, p, s = q + p, q * p, q - p", "p, q, s = b * w, b + w, b - w"),
    ("p, q = w, b * w\nfor t in 1..3:\n    p, q = q, p + q", "p, q = 2 * b * w + w, 3 * b * w + 2 * w"),
    ("def f(u, v):\n    u, v = v, u\n    return u - v, u * v\np, q = w, b * w\np, q = f(p, q)",
     "p, q = b * w - w, b * w * w"),
    # what a function calls is what has that name when it is called itself
    ("def f(u, v=2):\n    return u * v\np = w\nfor t in 1..3: p = f(p)\nq = b", "p, q = 8 * w, b"),
    ("def f(u):\n    return exp(u)\ndef exp(u):\n    return 2 * u\np = f(w)\nq = exp(b)", "p, q = 2 * w, 2 * b"),
]


@pytest.mark.parametrize(("pasted", "plain"), AT_ONCE)
def test_values_are_those_of_python(pasted: str, plain: str) -> None:
    numbers = {"w": np.array([0.5, -2.0]), "b": np.array(3.0)}
    models = [Model.parse(f"dim D\nparam w: D, b\n{text}\nloss L = sum(p * q * q)") for text in (pasted, plain)]
    ours, expected = (value(*model.results(), **numbers) for model in models)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize(("body", "says"), [("    return tanh(z) + 1", "tanh calls itself"),
                                            ("    return z\n    return 2 * z", "returns before its last line")])
def test_functions_that_are_no_formulas_are_refused(body: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Model.parse(f"param w\ndef tanh(z):\n{body}\nloss L = tanh(w)")


def test_what_is_left_out_of_a_call_is_what_it_was_where_the_function_stands() -> None:
    text = "param w\ns = 2 * w\ndef f(u, v=s):\n    return u * v\ns = 3 * w\nloss L = "
    with pytest.raises(ModelError, match="s has another value than on line 3"):
        Model.parse(text + "f(w)")
    assert value(*Model.parse(text + "f(w, s)").results(), w=np.array(2.0)) == 12


@pytest.mark.parametrize(("value", "says"), [
    ("w.at[-2:2].set(0)", "write where"),
    ("reshape(w, (-1, 4))", "no multiple of 4"), ("unflatten(w, 0, (5, -1))", "no multiple of 5"),
    ("unflatten(w, 0, (0, -1))", "no multiple of 0"),
])
def test_what_leaves_no_whole_number_of_entries_is_refused(value: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Model.parse(f"param w: 6\nz = {value}\nloss L = sum(z**2)")


@pytest.mark.parametrize(("call", "index"), [
    ("np.delete(w, 6)", 6), ("np.delete(w, -7)", -7), ("np.insert(w, 7, 1)", 7), ("np.insert(w, -7, 1)", -7),
    ("np.delete(A, 3, axis=1)", 3), ("np.insert(A, 3, 1, axis=0)", 3), ("jnp.delete(A, 6)", 6),
])
def test_a_place_beyond_the_end_is_refused(call: str, index: int) -> None:
    with pytest.raises(ModelError, match=f"index {index} is out of range"):
        Model.parse(f"param w: 6, A: 2 x 3\nz = {call}\nloss L = sum(z**2)")


def test_a_place_behind_all_takes_an_insertion() -> None:
    model = Model.parse("param A: 2 x 3\noutput z = np.insert(A, 3, 7, axis=1)\n"
                        "output y = np.insert(A, -6, [7, 8])")
    assert value(model.results()[0], A=np.ones((2, 3))).tolist() == [[1, 1, 1, 7]] * 2
    assert value(model.results()[1], A=np.zeros((2, 3))).tolist() == [7, 8, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("call", "entries"), [
    ("w.at[2:50].set(w[2:] + 1)", [1, 2, 4, 5, 6]), ("w.at[:50].add(1)", [2, 3, 4, 5, 6]),
    ("w.at[50:].add(1)", [1, 2, 3, 4, 5]), ("concat(w[5:], w[:2], w[:0])", [1, 2]), ("np.delete(w, 0)", [2, 3, 4, 5]),
])
def test_a_part_without_entries_joins_nothing(call: str, entries: list[float]) -> None:
    """It was refused: no slope is taken of what has no entries at any sizes."""
    model = Model.parse(f"param w: 5\nz = {call}\nloss L = sum(z**2)")
    assert value(model.graph.names["z"], w=np.arange(1.0, 6.0)).tolist() == entries
    assert verify(model).passed


@pytest.mark.parametrize("call", ["concat(A[:0], B)", "concat(B, A[:0])", "concat(A[:0], B, A[:0])", "concat(w[:0], A)",
                                  "concat(A[:1, :0], B, axis=1)", "concat(B, A[:1, :0], axis=1)"])
def test_a_part_without_entries_has_to_fit(call: str) -> None:
    with pytest.raises(ShapeError, match="cannot concat"):
        Model.parse(f"param w: 5, A: 2 x 3, B: 4 x 2\nz = {call}\nloss L = sum(z**2)")


def test_a_step_behind_one_that_is_declared_changes_no_entry() -> None:
    model = Model.parse("data x, h[0]\nparam w\nh[1] = tanh(w*h[0] + x)\nh[2] = tanh(w*h[1] + x)\nloss L = h[2]**2")
    assert {"h0", "h1", "h2"} <= set(model.graph.names)


LONGER = ["q[0] = w", "q[0] += tanh(w * q[1])", "q[0] *= w", "q[1:2] += w", "q[1:2] *= w"]


@pytest.mark.parametrize("line", LONGER)
def test_an_entry_takes_no_arrays(line: str) -> None:
    """What NumPy refuses was read: ``q + pad(w[None], …)`` is a matrix."""
    with pytest.raises(ShapeError, match="does not broadcast to"):
        parse(f"param u: 5, w: 5\nq = 2 * u\n{line}\nloss L = sum(q)")
