"""Lists that are written out, in programs with nothing declared: what is read is what NumPy computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError
from symbackprop.model.text import parse, parse_alone, to_text
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import value
from tests.counting import growth

RNG = np.random.default_rng(5)
STEP = "h = np.tanh(h @ W + b)"
PROGRAMS = [
    f"params = [(W1, b1), (W2, b2)]\nh = x\nfor W, b in params:\n    {STEP}\nloss = h.sum()",
    f"params = [(W1, b1), (W2, b2)]\nh = x\nfor W, b in params[:-1]:\n    {STEP}\nW, b = params[-1]\n"
    "loss = np.sum(h @ W + b)",
    f"Ws = [W1, W2]\nbs = [b1, b2]\nh = x\nfor W, b in zip(Ws, bs):\n    {STEP}\nloss = h.sum()",
    "Ws = [W2, W1]\nh = x\nfor W in reversed(Ws):\n    h = h @ W\nloss = h.sum() + sum(np.sum(W**2) for W in Ws)",
    "Ws = [W1, W2]\nloss = sum([np.sum(W**2) for W in Ws]) * len(Ws)",
    "Ws = [W2, W1]\nh = x\nfor i in range(len(Ws) - 1, -1, -1):\n    h = np.tanh(h @ Ws[i])\nloss = h.sum()",
    "Ws = [W1, W2]\nh = x\nfor i, W in enumerate(Ws):\n    h = (i + 1) * np.tanh(h @ W)\nloss = h.sum()",
    f"params = ((W1, b1), (W2, b2))\nh = x\nfor W, b in params:\n    {STEP}\nloss = h.sum()",
    f"params = [[W1, b1], [W2, b2]]\nh = x\nfor W, b in params:\n    {STEP}\nloss = h.sum()",
    "params = ((W1, b1), (W2, b2))\n"
    "loss = np.sum(np.tanh(x @ params[0][0] + params[0][1]) @ params[1][0] + params[1][1])",
    "Ws = [W1, W2]\nh = x\nfor i, W in enumerate(Ws, 1):\n    h = i * np.tanh(h @ W)\nloss = h.sum()",
    "Ws = [W1, W2]\nh = x\nfor i, W in enumerate(Ws, start=2):\n    h = i * np.tanh(h @ W)\nloss = h.sum()",
    "Ws = [W1, W2]\nh = x\nfor i, W in enumerate(Ws, -3):\n    h = i**2 * np.tanh(h @ W)\nloss = h.sum()",
    "*hidden, last = [W1, W2]\nh = x\nfor W in hidden:\n    h = np.tanh(h @ W)\nloss = np.sum(h @ last)",
    "first, *rest = [W1, W2]\nh = x @ first\nfor W in rest:\n    h = np.tanh(h @ W)\nloss = np.sum(h)",
    "params = [W1] + [W2]\nloss = np.sum(x @ params[0] @ params[1])",
    "def net(params, h):\n    for W, b in params[:-1]:\n        h = np.tanh(h @ W + b)\n    W, b = params[-1]\n"
    "    return h @ W + b\nparams = [(W1, b1), (W2, b2)]\nloss = np.sum(net(params, x)**2)",
    # of entries that have their value before
    f"b1 = 2 * b1\nparams = [(W1, b1), (W2, b2)]\nh = x\nfor W, b in params:\n    {STEP}\nloss = h.sum()",
    "V, U = 2 * W1, W2\nWs = [V, U]\nh = x\nfor W in Ws:\n    h = np.tanh(h @ W)\nloss = h.sum()",
    "def net(W1, h):\n    Ws = [W1, W2]\n    for W in Ws:\n        h = np.tanh(h @ W)\n    return h\n"
    "loss = net(W1, x).sum()",
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
    "for W in Ws:\n    h, W = h @ W, 2 * W\nloss = h.sum() + W1.sum()",  # W1 was another one
    "for W in Ws[:1] + [V]:\n    h, V = h @ W, 2 * V\nloss = np.sum(h)",  # the second step took another V
    "Vs = Ws + [V]\nV = 2 * V\nfor W in Vs:\n    h = h @ W\nloss = np.sum(h)",
    "first, *Vs = Ws + [V]\nV = 2 * V\nfor W in Vs:\n    h = h @ W\nloss = np.sum(h @ first)",
])
def test_what_other_lines_change_or_read_is_refused(lines: str) -> None:
    with pytest.raises(ModelError):
        parse_alone(f"Ws = [W1, W2]\nh = x\n{lines}")


@pytest.mark.parametrize("start", ["n + 1", "2 * 1", "start=-n", "step=1"])
def test_where_enumerate_begins_is_a_number(start: str) -> None:
    """It was the last one that stands there."""
    loop = f"for i, W in enumerate(Ws, {start}):\n    h = i * np.tanh(h @ W)\n"
    with pytest.raises(ModelError):
        parse_alone(f"Ws = [W1, W2]\nh = x\n{loop}loss = h.sum()")


PAIRS = "params = [(W1, b1), (W2, b2)]\n"
LOOP = f"h = x\nfor W, b in params:\n    {STEP}\nloss = h.sum()"


@pytest.mark.parametrize("program", [
    # entries that change by unpacking
    f"{PAIRS}W1, b1 = 2 * W1, 2 * b1\n{LOOP}", f"{PAIRS}(W1, b1) = params[1]\n{LOOP}",
    f"{PAIRS}V = b1 = 2 * b2\n{LOOP}", f"{PAIRS}b1[0], b2[0] = 2, 3\n{LOOP}",
    # other names in functions and loops that read the list
    f"{PAIRS}def f(h, W1):\n    return h @ params[0][0] + W1.sum()\nloss = f(x, X).sum()",
    f"{PAIRS}f = lambda W1: np.sum(params[0][0] * W1)\nloss = f(X)",
    f"{PAIRS}loss = sum(np.sum(params[0][0] * W1) for W1 in X)",
    f"{PAIRS}s = 0\nfor b1 in X:\n    s = s + np.sum(params[0][1] * b1)\nloss = s",
    # the list's name too
    f"{PAIRS}def g(params):\n    return params[0].sum()\nloss = g(X) + params[0][0].sum()",
    f"{PAIRS}g = lambda params: params[0].sum()\nloss = g(X) + params[0][0].sum()",
])
def test_names_that_are_others_than_in_the_list_are_refused(program: str) -> None:
    with pytest.raises(ModelError):
        parse_alone(program)


def test_a_list_of_one_function_is_no_array_of_another() -> None:
    program = ("def f(h):\n    Ws = [W1, W2]\n    for W in Ws:\n        h = np.tanh(h @ W)\n    return h\n"
               "def g(Ws):\n    return Ws[0].sum()\nloss = f(x).sum() + g(W3)")
    with pytest.raises(ModelError, match="Ws stands for something else here"):
        parse_alone(program)


def _of_class(made: str, forward: str, last: str = "net = Net()") -> str:
    return ("class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            f"{made}    def forward(self, x):\n{forward}{last}\nloss = net(x).pow(2).sum()")


_TWO = "        self.fc_0 = nn.Linear(4, 4)\n        self.fc_1 = nn.Linear(4, 4)\n"
_BY_HAND = "        x = torch.relu(self.fc_0(x))\n        x = torch.relu(self.fc_1(x))\n        return x\n"


@pytest.mark.parametrize(("made", "forward"), [
    ("nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])", "for f in self.fc:\n            x = torch.relu(f(x))\n"),
    ("nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])", "for f in self.fc:\n            x = torch.relu(f(x))\n"),
    ("nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])",
     "for i in range(len(self.fc)):\n            x = torch.relu(self.fc[i](x))\n"),
    ("nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])",
     "x = torch.relu(self.fc[0](x))\n        x = torch.relu(self.fc[-1](x))\n"),
    ("nn.ModuleList([nn.Linear(4, 4) for k in range(2)])",
     "for i, f in enumerate(self.fc):\n            x = torch.relu(f(x)) * (1 + 0 * i)\n"),
])
def test_lists_of_layers_are_their_layers(made: str, forward: str) -> None:
    """They were refused: m was an object of a class without forward."""
    listed = parse_alone(_of_class(f"        self.fc = {made}\n", f"        {forward}        return x\n"))
    by_hand = parse_alone(_of_class(_TWO, _BY_HAND))
    given = {name: RNG.normal(size=row.shape) for name, row in by_hand.params.items()} | {"x": RNG.normal(size=4)}
    assert {*listed.params} == {*by_hand.params}
    np.testing.assert_allclose(value(listed.results()[0], **given), value(by_hand.results()[0], **given), rtol=1e-12)


def test_lists_of_two_classes_with_one_name_are_refused() -> None:
    """One class must not get the layers of the other."""
    made = "        self.fc = nn.ModuleList([nn.Linear({}, 3)])\n"
    forward = "        for f in self.fc:\n            x = f(x)\n        return x\n"
    first, second = (_of_class(made.format(n), forward).partition("net =")[0] for n in (4, 3))
    with pytest.raises(ModelError, match="ModuleList"):
        parse_alone(first + second.replace("Net", "Other") + "a = Net()\nb = Other()\nloss = b(a(x)).sum()")


@pytest.mark.parametrize("text", [
    "Ws = [np.random.randn(4, 5), np.random.randn(5, 3)]\nh = x\n"
    "for i in range(2):\n    h = np.tanh(h @ Ws[i])\nnp.sum(h**2)",
    "Ws = [np.random.randn(4, 5), np.random.randn(5, 3)]\nh = np.tanh(x @ Ws[0])\n"
    "for i in range(1, len(Ws)):\n    h = np.tanh(h @ Ws[i])\nnp.sum(h**2)",
])
def test_entries_that_a_loop_counts_are_those_of_the_list(text: str) -> None:
    model = parse_alone(text)
    given = {name: RNG.normal(size=row.shape) for name, row in model.params.items()}
    x, (first, second) = RNG.normal(size=4), given.values()
    expected = np.sum(np.tanh(np.tanh(x @ first) @ second) ** 2)
    np.testing.assert_allclose(value(model.results()[0], x=x, **given), expected, rtol=1e-12)


def test_a_last_line_whose_entries_are_put_in_asks_for_no_gradient() -> None:
    remarks = parse_alone("Ws = [W1, W2]\nloss = 0\nfor W in Ws:\n    loss = loss + np.sum(W**2)").remarks
    assert not any("gradients are derived" in remark for remark in remarks)


def test_a_loop_whose_entries_are_lists_themselves_is_refused() -> None:
    """What the list holds must not become an array that nothing gives a value."""
    with pytest.raises(ModelError):
        parse_alone("M = [[a, b], [c, d]]\ns = 0\nfor r in M:\n    s = s + np.sum(np.array(r)**2)")


def test_a_sum_under_a_name_takes_as_long_as_it_is() -> None:
    """As the lists that it might add it was refused for its depth, and gone through once for each of its signs."""
    def reading(n: int) -> Callable[[], None]:
        text = "param w\nb = " + " + ".join(["(w + 1)^2"] * n) + "\nloss L = b"
        return lambda: parse(text) and None

    assert growth(reading, 700) < 2.1
