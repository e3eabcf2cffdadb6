"""Functions that are made of others, jax.jit(f), jax.vmap(f), @jax.vmap and jax.grad(f), and what programs hand on as
one, ``w, b = params``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError
from symbackprop.model import Model
from symbackprop.model.text.write import to_text
from tests.core.helpers import value

SIZES = {"X": (5, 3), "Y": (4, 3), "y": (5,), "w": (3,), "b": (), "u": (3,), "c": ()}
HEAD = "data X: 5 x 3, Y: 4 x 3, y: 5\nparam w: 3, b, u: 3, c\n"
SQUARES = "def f(x):\n    return jnp.sum(x**2)\n"
KERNEL = "def k(x, y):\n    return jnp.exp(-jnp.sum((x - y)**2))\n"
PREDICT = "def predict(params, x):\n    w, b = params\n    return x @ w + b\n"


def of(g: dict[str, Any]) -> Any:
    return g["X"] @ g["w"] + g["b"]


def gram(g: dict[str, Any]) -> Any:
    return np.exp(-((g["X"][:, None] - g["Y"][None]) ** 2).sum(-1))


def squares(g: dict[str, Any]) -> Any:
    return (g["X"] ** 2).sum(1)


READ = [
    ("@jax.vmap\n" + SQUARES + "loss = jnp.max(f(X))", lambda g: squares(g).max()),
    ("@partial(jax.vmap, in_axes=(0,))\n" + SQUARES + "loss = jnp.max(f(X))", lambda g: squares(g).max()),
    ("@jax.jit\n@jax.vmap\n" + SQUARES + "loss = jnp.max(f(X))", lambda g: squares(g).max()),
    ("@vmap\n@jit\n" + SQUARES + "loss = jnp.max(f(X))", lambda g: squares(g).max()),
    (SQUARES + "rows = jax.vmap(f)\nloss = jnp.max(rows(X))", lambda g: squares(g).max()),
    (SQUARES + "rows = jax.jit(jax.vmap(f))\nloss = jnp.max(rows(X))", lambda g: squares(g).max()),
    (SQUARES + "loss = jnp.max(jax.jit(jax.vmap(f))(X))", lambda g: squares(g).max()),
    (SQUARES + "fast = jax.jit(f)\nloss = fast(X)", lambda g: squares(g).sum()),
    (SQUARES + "f = jax.jit(f)\nloss = f(X)", lambda g: squares(g).sum()),
    ("rows = jax.jit(jax.vmap(lambda x: jnp.sum(x**2)))\nloss = jnp.max(rows(X))", lambda g: squares(g).max()),
    ("@partial(jax.vmap, in_axes=(None, 0))\n@partial(jax.vmap, in_axes=(0, None))\n" + KERNEL
     + "K = k(X, Y)\nloss = jnp.sum(K[0]) + K.shape[0]", lambda g: gram(g)[:, 0].sum() + 4),
    (KERNEL + "K = jax.vmap(jax.vmap(k, (None, 0)), (0, None))(X, Y)\nloss = jnp.sum(K[0]) + K.shape[0]",
     lambda g: gram(g)[0].sum() + 5),
    (KERNEL + "pairs = jax.vmap(jax.vmap(k, in_axes=(None, 0)), in_axes=(0, None))\nloss = jnp.max(pairs(X, Y))",
     lambda g: gram(g).max()),
    (KERNEL + "K = jax.vmap(lambda x: jax.vmap(lambda y: k(x, y))(Y))(X)\nloss = jnp.sum(K[0])",
     lambda g: gram(g)[0].sum()),
    (PREDICT + "rows = jax.vmap(predict, in_axes=(None, 0))\ndef loss(params, X, y):\n"
     "    return jnp.mean((rows(params, X) - y)**2)", lambda g: ((of(g) - g["y"]) ** 2).mean()),
    (PREDICT + "def loss(params, batch):\n    X, y = batch\n    return jnp.mean((predict(params, X) - y)**2)\n"
     "grads = jax.grad(loss)(params, batch)", lambda g: ((of(g) - g["y"]) ** 2).mean()),
    (PREDICT + "def loss(params, X, y):\n    return jnp.mean((predict(params, X) - y)**2)\n"
     "grads = jax.jit(jax.grad(loss))\ng = grads(params, X, y)", lambda g: ((of(g) - g["y"]) ** 2).mean()),
    ("def loss_fn(w, b):\n    return jnp.mean((X @ w + b - y)**2)\n"
     "loss, grads = jax.value_and_grad(loss_fn, argnums=(0, 1))(w, b)", lambda g: ((of(g) - g["y"]) ** 2).mean()),
    (PREDICT + "loss = jnp.mean(predict((u, c), X))", lambda g: (g["X"] @ g["u"] + g["c"]).mean()),
    ("def cell(state, x):\n    h, m = state\n    h = jnp.tanh(h + x)\n    return (h, m + h), h\n"
     "carry, hs = jax.lax.scan(cell, (w, u), X[:2])\nh, m = carry\nloss = jnp.sum(m * w) + jnp.sum(hs[1])",
     lambda g: ((g["u"] + (h := np.tanh(g["w"] + g["X"][0])) + (k := np.tanh(h + g["X"][1])))
                * g["w"]).sum() + k.sum()),
    ("z = 2*w\nt = (z, c)\np, q = t\nloss = jnp.sum(p) * q", lambda g: 2 * g["w"].sum() * g["c"]),
    ("t = 2*w, c\nloss = jnp.sum(t[0]) * t[1]", lambda g: 2 * g["w"].sum() * g["c"]),
    ("t = (w, u)\nloss = jnp.sum(t)", lambda g: g["w"].sum() + g["u"].sum()),
    ("def line(theta, x):\n    a, d = theta\n    return a*x + d\nloss = jnp.sum(line(u[:2], y))",
     lambda g: (g["u"][0] * g["y"] + g["u"][1]).sum()),
]


@pytest.mark.parametrize(("lines", "computed"), READ)
def test_functions_of_functions_and_what_is_handed_on_as_one(lines: str, computed: Any) -> None:
    model = Model.parse(HEAD + lines)
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {name: rng.normal(size=shape) / 2 for name, shape in SIZES.items()}
    row = model.results()[0]
    found = value(row, **{name: given[name] for name in model.leaves()})
    np.testing.assert_allclose(found, computed(given), rtol=1e-12)


def test_what_a_function_without_gradient_returns_has_none() -> None:
    model = Model.parse(HEAD + "@torch.no_grad()\ndef f(x):\n    return (x @ w).sum(), x\n"
                        "s, x = f(X)\nloss = s * sum(w)")
    assert "s = stop_gradient(sum(X @ w))" in to_text(model)


@pytest.mark.parametrize(("lines", "says"), [
    ("def twice(f):\n    return f\n@twice\n" + SQUARES + "loss = f(w)", "made another function by @twice"),
    ("@jax.grad\n" + SQUARES + "loss = jnp.sum(f(w))", "<text>:3: syntax error: f is made a function of"),
    ("def cell(state, x):\n    w, b = state\n    return (w + x, b), w\nend, ws = jax.lax.scan(cell, s0, X)\n"
     "loss = jnp.sum(ws)", ""),
    ("def f(p, x):\n    w, b = p\n    return x @ w + b\nloss = jnp.sum(f(theta, X))", "'theta' is not declared"),
    ("def f(p, x):\n    w, b = p\n    return x @ w + b\ndef g(q, x):\n    w, b = q\n    return x @ w - b\n"
     "def loss(p, q):\n    return jnp.sum(f(p, X) * g(q, X))", ""),
    ("z = 2*w\nt = (z, c)\nz = z*3\np, q = t\nloss = jnp.sum(p) * q", ""),
])
def test_what_may_be_something_else_is_refused(lines: str, says: str) -> None:
    with pytest.raises(ModelError) as refused:
        Model.parse(HEAD + lines)
    assert says in refused.value.told()


def test_an_error_about_how_lines_belong_together_says_where_it_stands() -> None:
    with pytest.raises(ModelError) as refused:
        Model.parse("param w: 3\nhs = []\nfor i in range(3):\n    hs.append(w[i])\n    y = np.max(hs)\nloss = y")
    assert refused.value.told().startswith("<text>:5: ")
