"""Lists that are written out, in programs with nothing declared: what is read is what NumPy computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError
from symbackprop.model.text import parse_alone, to_text
from symbackprop.verify.interpreter import evaluate

STEP = "h = np.tanh(h @ W + b)"
PROGRAMS = [
    f"params = [(W1, b1), (W2, b2)]\nh = x\nfor W, b in params:\n    {STEP}\nloss = h.sum()",
    f"params = [(W1, b1), (W2, b2)]\nh = x\nfor W, b in params[:-1]:\n    {STEP}\nW, b = params[-1]\n"
    "loss = np.sum(h @ W + b)",
    f"Ws = [W1, W2]\nbs = [b1, b2]\nh = x\nfor W, b in zip(Ws, bs):\n    {STEP}\nloss = h.sum()",
    "Ws = [W2, W1]\nh = x\nfor W in reversed(Ws):\n    h = h @ W\nloss = h.sum() + sum(np.sum(W**2) for W in Ws)",
    "Ws = [W1, W2]\nloss = sum([np.sum(W**2) for W in Ws]) * len(Ws)",
    "Ws = [W1, W2]\nh = x\nfor i, W in enumerate(Ws):\n    h = (i + 1) * np.tanh(h @ W)\nloss = h.sum()",
    "*hidden, last = [W1, W2]\nh = x\nfor W in hidden:\n    h = np.tanh(h @ W)\nloss = np.sum(h @ last)",
    "first, *rest = [W1, W2]\nh = x @ first\nfor W in rest:\n    h = np.tanh(h @ W)\nloss = np.sum(h)",
    "params = [W1] + [W2]\nloss = np.sum(x @ params[0] @ params[1])",
    "def net(params, h):\n    for W, b in params[:-1]:\n        h = np.tanh(h @ W + b)\n    W, b = params[-1]\n"
    "    return h @ W + b\nparams = [(W1, b1), (W2, b2)]\nloss = np.sum(net(params, x)**2)",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_read_is_what_numpy_computes(program: str) -> None:
    rng = np.random.default_rng(0)
    shapes = {"x": (3,), "W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    given: dict[str, Any] = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    model = parse_alone(program)
    found, = evaluate([model.results()[0]], {name: given[name] for name in shapes if name in model.graph.names})
    exec(program, given | {"np": np}, given)
    assert found == pytest.approx(given["loss"], rel=1e-12)


def test_layers_of_a_list_are_made_one_by_one() -> None:
    made = "nn.Linear(3, 4)", "nn.Linear(4, 2)"
    program = f"layers = [{', '.join(made)}]\nh = x\nfor layer in layers:\n    h = torch.tanh(layer(h))\nh.sum()"
    plain = [*map("layers_{} = {}".format, (0, 1), made), "h = x", *map("h = torch.tanh(layers_{}(h))".format, (0, 1))]
    assert to_text(parse_alone(program)) == to_text(parse_alone("\n".join([*plain, "h.sum()"])))


@pytest.mark.parametrize("lines", [
    "for W in Ws:\n    h = np.tanh(h @ W)\nloss = h.sum() + (W**2).sum()",  # the last one
    "W1 = W1 * 2\nfor W in Ws:\n    h = np.tanh(h @ W)\nloss = h.sum()",  # of which the list has the first
])
def test_what_other_lines_change_or_read_is_refused(lines: str) -> None:
    with pytest.raises(ModelError):
        parse_alone(f"Ws = [W1, W2]\nh = x\n{lines}")
