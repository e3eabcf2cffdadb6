"""Programs of courses as they are pasted, with what they keep in dicts and for a backward pass: the value of the same
lines that Python runs."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from symbackprop import derive, verify
from symbackprop.errors import ModelError
from symbackprop.model import Model
from symbackprop.model.text import parse, parse_alone, to_text
from tests.core.helpers import value

HEAD = "dim N, D, C\ndata X: N x D, y: N int < C\nparam W: D x D, V: D x C, b: D, g: D\n"
RNG = np.random.default_rng(3)
SIZES = {"X": (6, 4), "W": (4, 4), "V": (4, 3), "U": (4, 3), "b": 4, "g": 4}
VALUES: dict[str, Any] = {name: RNG.normal(size=size) for name, size in SIZES.items()} | {"y": RNG.integers(0, 3, 6)}
PROGRAMS = {
    "what is kept beside a result": """
        def affine(x, w, b):
            N, D = x.shape
            out = x.reshape(N, -1).dot(w) + b
            cache = (x, w, b)
            return out, cache

        def two(x, w, b):
            a, first = affine(x, w, b)
            a, second = affine(np.tanh(a), w, b)
            caches = (first, second)
            return a, caches

        out, _ = affine(X, W, b)
        other, caches = two(X, W, b)
        loss = np.sum(out**2) + np.sum(other * out)""",
    "a layer that is called with two dicts": """
        def layer(p, x):
            return np.tanh(x @ p['w'] + p["b"])
        p1 = {'w': W, 'b': b}
        p2 = {"w": 2 * W,
              "b": g}
        h = layer(p1, X)
        loss = np.sum(layer(p2, h) * layer({'w': W - 1, 'b': g}, X))""",
    "options": """
        def norm(x, options):
            mode = options['mode']
            eps = options.get('eps', 1e-5)
            if mode == 'train':
                m, v = x.mean(axis=0), x.var(axis=0)
            elif mode == 'test':
                m, v = 0.5, 2.0
            else:
                raise ValueError(f'no mode {mode}')
            return (x - m) / np.sqrt(v + eps)
        train = dict(mode='train', eps=0.1)
        loss = np.sum(norm(X, train)**3) + np.sum(norm(X, {'mode': 'test'}) * g)""",
    "words and truth values": """
        def act(z, kind="relu", bias=False):
            assert kind in ("relu", "tanh")
            if kind == "relu":
                a, cache = np.maximum(0, z), z
            else:
                a, cache = np.tanh(z), z
            if bias:
                a = a + b
            if not bias:
                a = a * 2
            return a, cache
        last = "tanh"
        h, cache1 = act(X @ W, bias=True)
        h, cache2 = act(h @ W, last)
        loss = np.sum(h**2)""",
    "what is asked of what a function inside is given": """
        def masked(z, mask=None):
            if mask is None:
                return np.tanh(z)
            return z * mask
        def scores(z, mask=None):
            return masked(z @ W, mask)
        if np.sum(g) > 0:
            first = scores(X)
            q = first**2
        else:
            q = scores(X, 0.5)
        loss = np.sum(q) + np.sum(scores(X, 2))
        binary = q.copy()
        binary[np.arange(6), y] = -np.sum(q, axis=1)[:6]""",
    "a dict that a function makes": """
        def make(scale):
            return {"W": scale * W, "b": b}
        def forward(x, params):
            return np.tanh(x @ params["W"] + params["b"])
        params = make(3)
        params["b"] = params["b"] + g
        loss = np.sum(forward(X, params)**2) + np.sum(W)""",
    "a softmax with its gradient": """
        def softmax_loss(x, y, verbose=False):
            N, C = x.shape
            loss, grads = 0, {}
            dW = np.zeros(W.shape)
            scores = x - np.max(x, axis=1, keepdims=True)
            probs = np.exp(scores)
            probs /= np.sum(probs, axis=1, keepdims=True)
            loss = -np.sum(np.log(probs[np.arange(N), y])) / N
            if verbose:
                print("loss: ", loss)
            dscores = probs.copy()
            grads['V'] = X.T.dot(dscores)
            loss += 0.5 * np.sum(V * V)
            return loss, grads
        loss, grads = softmax_loss(X @ V, y)""",
    "a loop that trains, and what a method keeps": """
        class Net:
            def __init__(self, d, h):
                self.U = np.zeros((d, h))
            def forward(self, x):
                z = x @ W
                self.z = np.tanh(z)
                self.out = self.z @ self.U
                self.out += 1
                return self.out * z.mean()
        net = Net(D, C)
        net.U = U
        for epoch in range(1):
            out = net.forward(X)
            loss = np.square(out).sum()
            if epoch % 10 == 9:
                print(epoch, loss)
            grad_out = 2.0 * out
            grad_W = X.T.dot(grad_out @ net.U.T)
            W -= 1e-3 * grad_W""",
}


STEPS = "h = np.tanh(h @ p['W1'] + p['b1'])\nh = np.tanh(h @ p['W2'] + p['b2'])"
MADE = [
    "for l in range(1, 3):\n    h = np.tanh(h @ p['W' + str(l)] + p['b' + str(l)])",
    "for l in range(2):\n    h = np.tanh(h @ p[f'W{l+1}'] + p[f\"b{l + 1}\"])",
    "for l in reversed(range(1, 3)):\n    h = np.tanh(h @ p['W%d' % (3-l)] + p['b%d' % (3 - l)])",
    "L = 2\nfor l in range(1, L):\n    h = np.tanh(h @ p['W{}'.format(l)] + p[\"b{}\".format(l)])\n"
    "h = np.tanh(h @ p['W' + str(L)] + p['b' + str(L)])",
    "for l in range(1, 3):\n    for k in range(1):\n        h = np.tanh(h @ p['W' + str(k + l)] + p['b' + str(l)])",
]


@pytest.mark.parametrize("loop", MADE)
def test_keys_that_are_made_of_counters_are_those_of_each_step(loop: str) -> None:
    begin, end = "h = X\n", "\nloss = np.sum((h - Y)**2)"
    model, written = parse_alone(begin + loop + end), parse_alone(begin + STEPS + end)
    rest = to_text(model).replace("L = 2\n", "")
    assert rest == to_text(written)
    assert [*model.params] == ["W1", "b1", "W2", "b2"]


@pytest.mark.parametrize("head", ["range(1, L)", "range(len(p) // 2)", "p", "range(1, 4000)", "range(1, 5, 0)"])
def test_keys_of_steps_of_which_the_number_is_not_known_are_refused(head: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_alone(f"h = X\nfor l in {head}:\n    h = h @ p['W' + str(l)]\nloss = np.sum(h)")
    assert "it has to be known how many steps there are" in str(caught.value)


@pytest.mark.parametrize("case", PROGRAMS)
def test_programs_with_dicts_have_the_value_that_numpy_computes(case: str) -> None:
    lines = dedent(PROGRAMS[case])
    model = Model.parse(HEAD + lines.replace("net.U = U\n", ""))
    named = {name: array.copy() for name, array in VALUES.items()} | {"np": np, "D": 4, "C": 3}
    exec(lines, named)
    assert model.loss_row is not None
    found = value(model.loss_row, **{name: array for name, array in VALUES.items() if name in model.leaves()})
    np.testing.assert_allclose(found, named["loss"], rtol=1e-12)
    assert to_text(Model.parse(to_text(model))) == to_text(model)
    assert set(derive(model).gradients) == set(model.params) and verify(model, seed=1).verdict == "pass"


@pytest.mark.parametrize(("lines", "plain"), [
    ('cfg = {"lam": 0.1, "k": 2}\nmean((X @ w - y)**2) + cfg["lam"] * sum(w**2)',
     "mean((X @ w - y)**2) + 0.1 * sum(w**2)"),
    ('params = {"W": U, "b": g}\nsum((X @ params["W"] + params["b"])**2)', "sum((X @ U + g)**2)"),
    ('s = {"k": 2}\nk = s["k"]\nsum(X[:k] @ w)', "sum(X[:2] @ w)"),
    ('p = {"W": U}\nq = {"W": 2 * U}\nsum(X @ p["W"] * (X @ q["W"]))', "sum(X @ U * (X @ (2 * U)))"),
])
def test_what_a_dict_has_under_a_key_is_what_was_put_there(lines: str, plain: str) -> None:
    """It was taken for an array of that name that is declared nowhere."""
    head, rng = "dim N, D, H\ndata X: N x D, y: N\nparam w: D, U: D x H, g: H\n", np.random.default_rng(5)
    at = {n: rng.normal(size=shape) for n, shape in (("X", (4, 3)), ("y", 4), ("w", 3), ("U", (3, 2)), ("g", 2))}
    *above, last = lines.split("\n")
    found = parse(head + "\n".join([*above, f"loss L = {last}"])).loss_row
    expected = parse(f"{head}loss L = {plain}").loss_row
    assert found is not None and expected is not None
    assert value(found, **at) == pytest.approx(value(expected, **at), rel=1e-14)


def test_one_key_of_two_things_is_two_parameters() -> None:
    text = "def f(x, l1, l2):\n    h = np.tanh(x @ l1['W'])\n    return np.sum((h @ l2['W'])**2)"
    assert [*parse_alone(text).params] == ["l1_W", "l2_W"]
    assert [*parse_alone(text.replace("l2", "l1")).params] == ["W"]


def test_sizes_may_be_said_again() -> None:
    text = "dim N, D\ndata X: N x D\nparam w: D\nN, D = X.shape\nloss L = np.sum(X @ w) / N"
    model = Model.parse(text)
    assert to_text(model) == to_text(Model.parse(text.replace("N, D = X.shape\n", "")))
    assert any("N is that dimension" in said for said in model.remarks)
    with pytest.raises(ModelError, match="already taken"):
        Model.parse(text.replace("X.shape", "X.T.shape"))


@pytest.mark.parametrize("made", ["np.zeros(X.shape)", "np.zeros(shape=(N, D))", "np.empty(X.shape, dtype=float)",
                                  "torch.zeros(X.size())", "np.zeros(*X.shape)"])
def test_arrays_of_a_shape_that_an_array_has(made: str) -> None:
    head = "dim N, D\ndata X: N x D\nparam w: D\n"
    assert to_text(Model.parse(f"{head}z = {made}\nloss L = sum(z + w)")) == to_text(
        Model.parse(f"{head}z = zeros(N, D)\nloss L = sum(z + w)"))


TRAINED = """
for epoch in range(num_epochs):
    for i, (images, labels) in enumerate(train_loader):
        outputs = images.reshape(-1, 6).to(device) @ W
        loss = F.cross_entropy(outputs, labels)
        W.grad = None
        loss.backward()
        W.data += -0.1 * W.grad
        for p in parameters:
            p.grad = None
"""


def test_of_a_loop_that_trains_one_step_is_read() -> None:
    head = "dim N\ndata images: N x 2 x 3, labels: N int < 3\nparam W: 6 x 3\n"
    model = Model.parse(head + TRAINED)
    assert to_text(model) == to_text(Model.parse(
        f"{head}outputs = reshape(images, (N, 6)) @ W\nloss loss = mean(cross_entropy(outputs, labels))"))
    assert sum("of a loop that trains one step is read" in said for said in model.remarks) == 2


def test_a_loop_of_steps_that_the_loss_is_behind_stays_one() -> None:
    head = "dim N, D\ndata X: N x D\nparam w: D\n"
    lines = "for k in range(2):\n    dw = X.T @ (X @ w)\n    w = w - 0.1 * dw\nloss L = np.sum((X @ w)**2)"
    assert to_text(Model.parse(head + lines)).count("X.T @") == 2


@pytest.mark.parametrize(("written", "plain"), [
    ("const n = 4\nloss L = sum(W[arange(n), arange(n)]) + n * sum(torch.ones(n, n) * W)",
     "const n = 4\nloss L = sum(W[arange(4), arange(4)]) + n * sum(ones(4, 4) * W)"),
    ("loss L = sum(np.concatenate(([0.5], w)) * np.hstack((w, [1])))",
     "loss L = sum(concat(stack(1 / 2), w) * concat(w, stack(1)))"),
])
def test_sizes_by_name_and_numbers_beside_arrays(written: str, plain: str) -> None:
    head = "param W: 4 x 4, w: 4\n"
    assert to_text(Model.parse(head + written)) == to_text(Model.parse(head + plain))


def test_names_of_a_program_are_no_products() -> None:
    text = "def step(x, h, Wx, Wh):\n    return np.tanh(x @ Wx + h @ Wh)\nh = step(x, h, Wx, Wh)\nnp.sum(h**2)"
    assert {*parse_alone(text).params} == {"h", "Wx", "Wh"}


def test_what_stands_under_one_key_of_two_things_that_a_function_is_given() -> None:
    model = parse_alone("def f(p, x):\n    return p['w']*x\nsum(f(p, x) + f(q, x))")
    assert {*model.leaves()} == {"x", "p_w", "q_w"}


def test_a_function_of_the_table_that_nothing_calls_is_passed_over() -> None:
    """Beside other lines it gives no value."""
    model = parse("param w\ndata x\ndef sigmoid(z):\n    return 1/(1 + exp(-z))\nloss L = w*x")
    assert any("nothing calls sigmoid" in told for told in model.remarks)


@pytest.mark.parametrize("sign", ["is", "=="])
def test_what_is_none_by_either_sign(sign: str) -> None:
    text = f"def f(a, b=None):\n    if b {sign} None:\n        return w*a\n    return w*a + b\nf(x)"
    assert {*parse_alone(text).leaves()} == {"x", "w"}


def test_what_adds_to_a_loss_is_the_loss() -> None:
    model = Model.parse("data x: 3\nparam w: 3\nloss = sum(w*x)\ntotal = loss + sum(w**2)\nseen = 0\nseen += total\n")
    assert model.loss_row is not None and model.loss_row.name == "total"
    with pytest.raises(ModelError, match="'reg' is not declared"):
        Model.parse("data x: 3\nparam w: 3\nloss = sum(w*x)\ntotal = loss + reg*q[7]\n")
