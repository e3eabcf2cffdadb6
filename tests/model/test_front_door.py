"""Texts as people paste them, whole functions and classes of NumPy and PyTorch, with nothing declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop import Model, derive, verify
from symbackprop.errors import ModelError
from symbackprop.model.text import parse_alone, to_text
from symbackprop.verify.interpreter import evaluate

TEXTS = {
    "a step of an LSTM": ("""
def lstm_forward(x, prev_h, prev_c, Wx, Wh, b):
    H = prev_h.shape[1]
    a = x.dot(Wx) + prev_h.dot(Wh) + b
    i, f = sigmoid(a[:, :H]), sigmoid(a[:, H:2*H])
    o, g = sigmoid(a[:, 2*H:3*H]), np.tanh(a[:, 3*H:])
    next_c = f * prev_c + i * g
    next_h = o * np.tanh(next_c)
    cache = (x, prev_h, prev_c, Wx, Wh, a)
    return next_h, next_c, cache
""", "dim H, N, D, data x: N x D, param Wx: D x 4*H, prev_h: N x H, Wh: H x 4*H, b: 4*H, prev_c: N x H"),
    "a step of parameters in a dict": ("""
def step(xt, a_prev, c_prev, params):
    Wf, bf = params["Wf"], params["bf"]
    n_x, m = xt.shape
    both = np.concatenate((a_prev, xt), axis=0)
    c = sigmoid(np.dot(Wf, both) + bf) * c_prev
    cache = (both, c, params)
    return c, cache
""", "dim n_x, m, N, D, data xt: n_x x m, param a_prev: N x m, Wf: D x N + n_x, bf: m, c_prev: D x m"),
    "a net with its loss": ("""
class TwoLayers(object):
    def __init__(self, n_in, n_hidden, n_out, std=1e-2):
        self.params = {}
        self.params['W1'] = std * np.random.randn(n_in, n_hidden)
        self.params['W2'] = std * np.random.randn(n_hidden, n_out)

    def loss(self, X, y=None, reg=0.0):
        W1, W2 = self.params['W1'], self.params['W2']
        N, D = X.shape
        scores = None
        scores = np.maximum(0, X.dot(W1)).dot(W2)
        if y is None:
            return scores
        p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
        loss = -np.sum(np.log(p[range(N), y])) / N / D
        loss += reg * np.sum(W1 * W1)
        return loss
""", "dim N, n_in, n_hidden, n_out, data X: N x n_in, y: N int < n_out, param reg, W1: n_in x n_hidden, "
     "W2: n_hidden x n_out"),
    "attention": ("""
class SelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.n_embd % config.n_head == 0
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)
        self.n_head = config.n_head

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        att = F.softmax((q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1)), dim=-1)
        y = self.drop(att) @ v
        return y.transpose(1, 2).contiguous().view(B, T, C)
""", "dim B, T, n_head, n_embd, data x: B x T x n_embd, param c_attn_weight: 3*n_embd x n_embd, c_attn_bias: 3*n_embd"),
    "a VAE": ("""
class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(12, 5)
        self.fc2 = nn.Linear(5, 12)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return h, 2 * h

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 12))
        z = self.reparameterize(mu, logvar)
        return torch.sigmoid(self.fc2(z)), mu, logvar

model = VAE().to(device)
optimizer = optim.Adam(model.parameters(), lr=1e-3)

def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, torch.sigmoid(x.view(-1, 12)), reduction='sum')
    return BCE - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

recon, mu, logvar = model(data)
loss = loss_function(recon, data, mu, logvar)
loss.backward()
""", "dim N, data data: N x 12, param fc1_weight: 5 x 12, fc1_bias: 5, fc2_weight: 12 x 5, fc2_bias: 12, "
     "data noise: N x 5"),
    "every image with every text": ("""
image_features = image_features / image_features.norm(dim=1, keepdim=True)
text_features = text_features / text_features.norm(dim=1, keepdim=True)
logits = self.temperature.exp() * image_features @ text_features.t()
labels = torch.arange(len(logits), device=device)
loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
""", "dim N, D, param image_features: N x D, text_features: N x D, temperature"),
    "what is None where it is left out": ("""
def score(x, mask=None):
    if mask is not None:
        x = x * mask
    return x if mask is None else -x
sum(score(w) * score(v, m))
""", "dim N, param w: N, v: N, m: N"),
    "what an object has that is no part of the text": ("""
score = self.mu + x
mu = tanh(score)
np.sum(self.mu * mu) + np.sum(config.scale * self.v)
""", "dim N, D, data x: N, param self_mu: N, scale: D, v: D"),
    "steps from the second on": ("""
def log_partition(emissions, transitions, start, end):
    T, K = emissions.shape
    alpha = start + emissions[0]
    for t in range(1, T):
        alpha = logsumexp(alpha[:, None] + transitions, axis=0) + emissions[t]
    return logsumexp(alpha + end)
""", "dim T, K, param start: K, emissions: T x K, transitions: K x K, end: K"),
    "an array whose first step is given": ("""
h = np.zeros((T, K))
h[0] = s + x[0]
for t in range(1, T):
    h[t] = np.tanh(h[t-1] @ A + x[t])
np.sum(h[T-1]**2)
""", "dim T, N, data x: T x N, param s: N, A: N x N"),
    "a cell of a class": ("""
class Decoder(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.cell = nn.LSTMCell(n_in, n_hidden)

    def forward(self, x, h, c):
        h, c = self.cell(x, (h, c))
        return h, c
""", "dim n_hidden, n_in, data x: n_in, param h: n_hidden, c: n_hidden, cell_weight_ih: 4*n_hidden x n_in, "
     "cell_weight_hh: 4*n_hidden x n_hidden, cell_bias_ih: 4*n_hidden, cell_bias_hh: 4*n_hidden"),
    "several values in each other": ("""
def cell(x, state):
    h, c = state
    return h * x, (h + x, c * x)
y, (h, c) = cell(x, (h, c))
np.sum(y * h * c)
""", "dim N, data x: N, param h: N, c: N"),
    "channels of a kernel": ("conv = nn.Conv2d(1, 8, 3)\ny = conv(x)\ny.pow(2).sum()",
                             "dim N, data x: N x 1 x 8 x 8, param conv_weight: 8 x 1 x 3 x 3, conv_bias: 8"),
    "what is returned above the end": ("""
def f(x):
    if x > 0:
        return x
    y = x**2
    return y
sum(f(w) * v)
""", "dim N, param w: N, v: N"),
    "nodes that a mask chooses": ("""
out = torch.log_softmax(A @ X @ W, dim=1)
loss = F.nll_loss(out[train_mask], y[train_mask])
""", "dim N, D, H, K, data X: D x H, train_mask: N, y: N int < K, param A: N x D, W: H x K"),
    "small and large residuals": ("""
r = y - X @ w
small = np.abs(r) <= delta
loss = 0.5 * np.sum(r[small] ** 2) + delta * np.sum(np.abs(r[~small]) - 0.5 * delta)
""", "dim N, D, data y: N, X: N x D, param w: D, delta"),
    "what is True where it is given": ("""
def nonlin(x, deriv=False):
    if deriv == True:
        return x * (1 - x)
    return 1 / (1 + np.exp(-x))
np.sum(nonlin(w) + nonlin(v, True))
""", "dim N, param w: N, v: N"),
    "two names of a size": ("N = X.shape[0]\nM = len(y)\nsum((X @ w - y)**2) / N / M",
                            "dim N, D, data X: N x D, y: N, param w: D"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_what_is_pasted_is_derived(case: str) -> None:
    text, guess = TEXTS[case]
    model = parse_alone(text)
    assert model.remarks[0] == f"guessed: {guess}"
    assert set(derive(model).gradients) == set(model.params)
    assert verify(model, seed=1).verdict == "pass"


@pytest.mark.parametrize("lines", [
    "q = X @ W\nq[q < 0] = 0", "q = X @ W\nq[q > 1] *= q[q > 1]", "q = P * 2\nq[np.arange(N), k] -= 1",
    "q = np.zeros((N, C))\nq[range(N), k] = 1", "q = X @ W\nq[:, 0] = 2", "q = X @ W\nq[1:3] += w",
    "q = X @ W\nq[0, 1] -= 2",
])
def test_entries_that_are_changed_are_those_of_numpy(lines: str) -> None:
    rng = np.random.default_rng(0)
    values = {"X": rng.normal(size=(5, 3)), "W": rng.normal(size=(3, 3)), "w": rng.normal(size=3),
              "P": rng.normal(size=(5, 4)), "k": rng.integers(0, 4, size=5)}
    model = Model.parse("dim N, D, C\ndata X: N x D, k: N int < C\nparam W: D x D, w: D, P: N x C\n"
                        f"{lines}\nloss L = np.sum(q**2)")
    named = dict(values, N=5, C=4, np=np)
    exec(lines, named)
    found, = evaluate([model.results()[0]], values, {"C": 4})
    assert found == pytest.approx(np.sum(named["q"]**2), rel=1e-14)
    assert verify(model, seed=1).verdict == "pass"
    assert any("what is changed of q is read as another value of it" in said for said in model.remarks)


def test_loops_from_the_second_step_on_are_those_of_numpy() -> None:
    text, rng = TEXTS["an array whose first step is given"][0].strip(), np.random.default_rng(0)
    values = {"x": rng.normal(size=(5, 3)), "s": rng.normal(size=3), "A": rng.normal(size=(3, 3))}
    named = dict(values, T=5, K=3, np=np)
    exec("\n".join(text.splitlines()[:-1]), named)
    found, = evaluate([parse_alone(text).results()[0]], values)
    assert found == pytest.approx(np.sum(named["h"][-1]**2), rel=1e-14)


@pytest.mark.oracle
@pytest.mark.parametrize(("made", "step"), [
    ("LSTMCell", "h, c = cell(x[t], (h, c))"), ("GRUCell", "h = cell(x[t], h)"), ("RNNCell", "h = cell(x[t], h)"),
])
def test_cells_are_those_of_pytorch(made: str, step: str) -> None:
    torch, rng = pytest.importorskip("torch"), np.random.default_rng(0)
    text = f"cell = nn.{made}(3, 4)\nfor t in range(T):\n    {step}\nloss = h.pow(2).sum()"
    model, cell = parse_alone(text), getattr(torch.nn, made)(3, 4).double()
    values = {n: p.detach().numpy() for n, p in cell.named_parameters(prefix="cell", recurse=False)}
    values = {n.replace(".", "_"): value for n, value in values.items()}
    values |= {"x": rng.normal(size=(6, 3)), "h": rng.normal(size=4), "c": rng.normal(size=4)}
    named = {n: torch.tensor(values[n]) for n in "xhc"} | {"cell": cell, "T": 6}
    exec("\n".join(text.splitlines()[1:]), named)
    values = {n: value for n, value in values.items() if n in model.graph.names}
    found, = evaluate([model.results()[0]], values)
    assert found == pytest.approx(named["loss"].item(), rel=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize(("made", "lines"), [
    ("LSTM(3, 4)", "out, (h, c) = rnn(x)\nloss = out.pow(2).sum() + h.sum() * c[0, 1, 2]"),
    ("LSTM(3, 4, batch_first=True)", "out, _ = rnn(x)\nloss = out[:, -1].pow(3).sum()"),
    ("LSTM(3, 4)", "_, (h, c) = rnn(x, (h0, c0))\nloss = h.pow(2).sum() - c[-1].sum()"),
    ("GRU(3, 4, num_layers=1, batch_first=True)", "out, h = rnn(x)\nloss = out.pow(2).sum() + h.sum()"),
    ("GRU(3, 4)", "loss = rnn(x, h0)[0].pow(2).sum()"), ("RNN(3, 4, nonlinearity='tanh')", "loss = rnn(x)[1].sum()"),
])
def test_layers_over_all_steps_are_those_of_pytorch(made: str, lines: str) -> None:
    torch, rng = pytest.importorskip("torch"), np.random.default_rng(0)
    sizes = "N x T x 3" if "batch_first" in made else "T x N x 3"
    head = f"dim T, N\ndata x: {sizes}, h0: 1 x N x 4, c0: 1 x N x 4\n"
    model = Model.parse(f"{head}rnn = nn.{made}\n{lines}")
    layer = eval(f"nn.{made}", {"nn": torch.nn}).double()
    values = {f"rnn_{n}": p.detach().numpy() for n, p in layer.named_parameters()}
    assert {n: row.shape for n, row in model.params.items()} == {n: value.shape for n, value in values.items()}
    values |= {"x": rng.normal(size=(2, 6, 3) if "batch_first" in made else (6, 2, 3))}
    values |= {n: rng.normal(size=(1, 2, 4)) for n in ("h0", "c0")}
    named = {n: torch.tensor(values[n]) for n in ("x", "h0", "c0")} | {"rnn": layer}
    exec(lines, named)
    found, = evaluate([model.results()[0]], values)
    assert found == pytest.approx(named["loss"].item(), rel=1e-12)


@pytest.mark.parametrize("loop", [
    "for r in reversed(x):\n    g = r + 0.9 * g\n    gs.insert(0, g)",
    "for r in x[::-1]:\n    g = r + 0.9 * g\n    gs.insert(0, g)",
    "for t in reversed(range(len(x))):\n    g = x[t] + 0.9 * g\n    gs.insert(0, g)",
    "for t in range(len(x) - 1, -1, -1):\n    g = x[t] + 0.9 * g\n    gs.insert(0, g)",
    "for r in reversed(x):\n    g = r + 0.9 * g\n    gs.append(g)",
])
@pytest.mark.parametrize("size", ["", "T = 4\nx = np.random.randn(T)\n"])
def test_lists_that_are_filled_from_the_front_are_pythons(loop: str, size: str) -> None:
    lines = f"g = 0\ngs = []\n{loop}\nloss = np.sum(np.array(gs) * w)"
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {"np": np, "x": rng.normal(size=4), "w": rng.normal(size=4)}
    found, = evaluate([parse_alone(size + lines).results()[0]], {"x": given["x"], "w": given["w"]})
    exec(lines, given)
    assert found == pytest.approx(given["loss"], rel=1e-12)


@pytest.mark.parametrize(("call", "value"), [
    ("jax.vmap(f, in_axes=(None, 0, 0))(w, X, y)", lambda w, X, y: np.tanh(X @ w) - y),
    ("jax.vmap(f, (None, 0, None))(w, X, c)", lambda w, X, y: np.tanh(X @ w) - 2),
    ("vmap(g)(X)", lambda w, X, y: (X**2).sum(1)),
])
def test_functions_are_called_for_every_row(call: str, value: Any) -> None:
    lines = "def f(a, b, d):\n    return jnp.tanh(jnp.dot(a, b)) - d\ndef g(b):\n    return jnp.sum(b**2)\nc = 2\n"
    rng = np.random.default_rng(0)
    model = Model.parse(f"dim N, D\ndata X: N x D, y: N\nparam w: D\n{lines}loss L = jnp.sum(jnp.exp({call}) * y)")
    given = {"w": rng.normal(size=3), "X": rng.normal(size=(5, 3)), "y": rng.normal(size=5)}
    found, = evaluate([model.results()[0]], given)
    assert found == pytest.approx((np.exp(value(**given)) * given["y"]).sum(), rel=1e-12)


def test_rows_along_other_axes_are_refused() -> None:
    with pytest.raises(ModelError, match="vmap calls a function for every row"):
        parse_alone("def g(b):\n    return jnp.sum(b**2)\njnp.sum(jax.vmap(g, in_axes=1)(X))")


@pytest.mark.parametrize("returned", ["sum(x), prod(x)", "(sum(x), prod(x))"])
def test_of_functions_that_return_several_no_rows_are_stacked(returned: str) -> None:
    """p was the first row's sum and product."""
    with pytest.raises(ModelError, match="vmap calls a function for every row"):
        Model.parse(f"param X: 2 x 3\ndef s(x):\n    return {returned}\np, q = vmap(s)(X)\nloss L = sum(p) + sum(q**2)")


def test_names_stand_for_distributions_until_what_these_are_made_of_changes() -> None:
    lines = "d = Normal(mu, s)\n{}q = kl_divergence(d, Normal(0, 1))\nloss = (q - d.log_prob(x)).sum()"
    found = parse_alone("from torch.distributions import Normal, kl_divergence\n" + lines.format(""))
    plain = lines.format("").replace("d = Normal(mu, s)\n", "")
    plain = plain.replace("(d,", "(Normal(mu, s),").replace("d.l", "Normal(mu, s).l").replace("Normal", "D.Normal")
    plain = plain.replace("D.", "torch.distributions.").replace("kl_", "torch.distributions.kl_")
    assert to_text(found) == to_text(parse_alone(plain))
    with pytest.raises(ModelError):
        parse_alone(lines.format("mu = 2 * mu\n"))
    for loop in ("for i in range(3):\n    t = t + d.log_prob(x).sum()\n    mu = 2 * mu",
                 "for i in range(3):\n    mu, t = 2 * mu, t + d.log_prob(x).sum()",
                 "for i in 1..3: mu = 2 * mu + d.log_prob(x).sum()\nt = sum(mu)",
                 "for mu in means:\n    t = t + mu * d.log_prob(x).sum()"):
        with pytest.raises(ModelError):  # mu changed in what d is
            parse_alone(f"d = torch.distributions.Normal(mu, s)\nt = 0\n{loop}\nloss = t")


def test_layers_on_each_other_are_refused_with_the_loop() -> None:
    for made, said in (("LSTM", "with h, c = cell(x[:, t], (h, c))"), ("GRU", "with h = cell(x[:, t], h)")):
        with pytest.raises(ModelError) as caught:
            parse_alone(f"rnn = nn.{made}(3, 4, num_layers=2, batch_first=True)\nout, (h, c) = rnn(x)\nout.sum()")
        assert said in caught.value.message and caught.value.line == 1


def test_functions_that_there_are_not_are_told_before_shapes() -> None:
    with pytest.raises(ModelError, match="no function 'image_encoder'"):  # it was that @ multiplies arrays
        parse_alone("f = image_encoder(I)\nE = np.dot(f, W)\nnp.sum(E @ E.T)")


def test_it_is_told_what_is_passed_over() -> None:
    told = "\n".join(parse_alone(TEXTS["a VAE"][0]).remarks + parse_alone(TEXTS["attention"][0]).remarks)
    for said in ("random numbers are given with the data: noise is read as `data noise: N x 5`",
                 "drop is nn.Dropout, which is random in training: it is read as in evaluation",
                 "what config has, as config.n_embd, is read under its own name"):
        assert said in told
    assert any("cache is passed over" in said for said in parse_alone(TEXTS["a step of an LSTM"][0]).remarks)


def test_random_numbers_are_drawn_at_each_call() -> None:
    text = "def f(s):\n    e = torch.randn_like(s)\n    return s * e + e\nz = f(w)\nq = f(w)\nsum(z * q)"
    assert {"data noise: N", "noise_2: N"} <= {*parse_alone(text).remarks[0].removeprefix("guessed: ").split(", ")}


def test_what_is_compared_with_others_than_none_is_refused() -> None:
    with pytest.raises(ModelError, match="whether something `is` another"):
        parse_alone("y = w if w is x else 2*w\nsum(y)")


def test_arrays_of_jax_are_not_changed_in_place() -> None:
    lines = "z = np.dot(X, w)\nq = z\nq *= 2\nnp.sum(q + z)"
    assert any("z is changed here" in said for said in parse_alone(lines).remarks)
    assert not any("z is changed here" in said for said in parse_alone(lines.replace("np.", "jnp.")).remarks)


@pytest.mark.parametrize(("typed", "read"), [
    ("The loss is L = sum(x^2)", "loss L = sum(x**2)"), ("Loss function: L = sum(x)", "loss L = sum(x)"),
    ("Let a = x * w\nWe minimise the loss L = sum(a)", "a = x * w\nloss L = sum(a)"),
    ("where h = x * w\nthe cost: J = sum(h)", "h = x * w\nloss J = sum(h)"),
    ("the brown L = sum(x)", None), ("a x = w\nloss L = sum(x)", None), ("loss rate L = sum(x)", None),
])
def test_words_in_front_of_an_equation_say_nothing_or_that_it_is_the_loss(typed: str, read: str | None) -> None:
    head = "dim N\ndata x: N\nparam w: N\n"
    if read is None:
        with pytest.raises(ModelError):
            Model.parse(head + typed)
    else:
        model = Model.parse(head + typed)
        assert to_text(model) == to_text(Model.parse(head + read))
        assert any("is read as" in note for note in model.remarks)
