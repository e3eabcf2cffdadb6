"""Functions that are called for every row, and functions that nothing calls."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError
from symbackprop.model.text import parse, parse_alone
from symbackprop.model.text.write import to_text
from tests.core.helpers import value

HEAD = "param w, u: 5, Q: 4 x 5, c\n"
RNG = np.random.default_rng(1)
AT: dict[str, Any] = {"w": 0.3, "c": -1.2, "u": RNG.normal(size=5), "Q": RNG.normal(size=(4, 5))}
Q, U, W, C = AT["Q"], AT["u"], AT["w"], AT["c"]


@pytest.mark.parametrize(("lines", "meant"), [
    ("loss = jnp.sum(jax.vmap(lambda r: jnp.sum(r * u))(Q) ** 2)", ((Q * U).sum(1) ** 2).sum()),
    ("loss = jnp.mean(vmap(lambda r, q: jnp.dot(r, q))(Q, jnp.tanh(Q)))", (Q * np.tanh(Q)).sum(1).mean()),
    ("loss = lax.map(lambda r: r * c + u, Q).max()", (Q * C + U).max()),
    ("loss = (jax.lax.map(lambda r: r @ u, 2 * Q) ** 3).sum()", ((2 * Q @ U) ** 3).sum()),
    ("def f(r, s):\n    return jnp.sum(r * s)\nloss = jax.vmap(f, in_axes=(0, None))(jnp.exp(Q), u).max()",
     (np.exp(Q) @ U).max()),
    ("def f(Q):\n    return vmap(lambda r: jnp.max(r * c))(Q * c).sum()\nloss = f(2 * Q)",
     (2 * Q * C * C).max(1).sum()),
    ("loss = jnp.sum(vmap(lambda r: r ** 2 * w)(u))", (U ** 2 * W).sum()),
])
def test_it_is_called_for_every_row(lines: str, meant: float) -> None:
    model = parse(HEAD + lines)
    assert model.loss_row is not None
    found = value(model.loss_row, **{name: AT[name] for name in model.leaves()})
    np.testing.assert_allclose(found, meant, rtol=1e-12)


@pytest.mark.parametrize("line", [
    "loss = lax.fori_loop(0, 3, lambda i, c: jnp.sum(vmap(lambda r: jnp.max(r * c))(Q * c)), w)",  # another c
    "f = lambda c: vmap(lambda r: jnp.max(r))(Q * c).sum()\nloss = f(w)",
    "loss = jnp.sum(vmap(lambda r: jnp.max(r), in_axes=1)(Q))",
])
def test_rows_of_what_is_not_known_above_the_line_are_refused(line: str) -> None:
    with pytest.raises(ModelError, match="vmap calls a function for every row"):
        parse(HEAD + line)


@pytest.mark.parametrize("lines", [
    "def f(m):\n    return m * 2\nloss = jnp.sum(w * u)",  # the loss was dropped, what f returns was the result
    "loss L = sum(w * u)\ndef f(m):\n    return m * 2",
    "def f(m):\n    return m * 2\ndef loss_fn(w, u):\n    return jnp.sum(w * u)",
    "def loss(w, u):\n    return jnp.sum(w * u)\ndef accuracy(m):\n    return m * 2",
])
def test_a_function_that_nothing_calls_is_passed_over_beside_a_loss(lines: str) -> None:
    model = parse(HEAD + lines)
    assert re.fullmatch(r"(loss \w+|output result) = sum\(w \* u\)", to_text(model).splitlines()[-1])
    assert any("it is passed over" in remark for remark in model.remarks)


def test_a_method_that_nothing_calls_is_passed_over_beside_forward() -> None:
    """What it returns was an output beside the loss: refused."""
    model = parse_alone("class Net(nn.Module):\n    def __init__(self):\n        self.l = nn.Linear(5, 5)\n"
                        "    def helper(self, x):\n        return x * 2\n"
                        "    def forward(self, x):\n        return self.l(x).sum()")
    assert model.loss_row is not None and any("nothing calls helper" in remark for remark in model.remarks)
