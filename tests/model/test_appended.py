"""Lists that grow on lines of their own."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError, SyntaxProblem
from symbackprop.model.text import parse, parse_alone
from tests.core.helpers import value

HEAD = "dim T\nparam w, u: 3\ndata X: T x 3\n"
AT: dict[str, Any] = {"w": 0.7, "u": np.array([0.2, -0.4, 1.1]), "X": np.linspace(-1.0, 2.0, 12).reshape(4, 3)}


PROGRAMS = {
    "what is read between": """
        hs = []
        hs.append(w * 2)
        hs.append(np.tanh(hs[-1]) + hs[0])
        loss = np.sum(np.array(hs) ** 2) + len(hs)""",
    "a name that is given anew": """
        h = w
        hs = [h]
        h = h * 3
        hs.append(h)
        h = h + hs[-2] * hs[1]
        hs.append(h)
        loss = hs[0] * hs[1] + hs[2] * hs[-1]""",
    "arrays": """
        hs = list()
        hs.append(u * w)
        hs.append(u[::-1])
        loss = np.concatenate(hs)[2:5].sum() * np.stack(hs)[1, 0]""",
    "an array that is changed": """
        hs = []
        z = u * 2
        hs.append(z)
        z += 1
        hs.append(z * w)
        loss = (hs[0] * hs[1]).sum()""",
    "a list that is begun anew": """
        hs = []
        hs.append(w)
        hs = []
        hs.append(2 * w)
        hs.append(w)
        loss = hs[0] * hs[1] ** 2""",
    "in a loop": """
        hs = []
        for i in range(3):
            row = []
            row.append(w * i)
            row.append(w + i)
            hs.append(row[0] * row[1])
        loss = np.sum(np.array(hs))""",
    "in front of a loop": """
        hs = []
        hs.append(w)
        for t in range(T):
            hs.append(np.tanh(hs[-1] * w + X[t, 0]))
        loss = np.sum(np.array(hs))""",
    "in a function": """
        def f(a):
            out = []
            out.append(a * w)
            out.append(out[0] + 1)
            return out[0] * out[1]
        loss = f(w) + f(np.sum(u))""",
    "in loops over lists": """
        w2 = w * 3
        hs = [u]
        for k in [w, w2]:
            hs.append(np.tanh(hs[-1] * k))
        loss = sum(h.sum() for h in hs) * hs[-1][0]""",
    "in loops over what a list holds": """
        w2 = w * 3
        ks = [(w, u), (w2, u)]
        hs, s = [], 0.0
        for i, (k, q) in enumerate(ks):
            hs.append(q * k)
        for h in hs:
            s += (h ** 2).sum()
        loss = s + hs[0][1]""",
    "a sum of Python's own": """
        hs, gs = [], []
        hs.append(u * w)
        hs.append(u[::-1])
        for x in X:
            gs.append(np.tanh(x) * w)
        z = sum(hs) * sum(gs) + sum(x * u for x in X)
        loss = (z ** 2).sum() + np.sum(hs) + sum(x @ u for x in X)""",
    "a sum of Python's own that begins with something": """
        hs = []
        hs.append(u * w)
        hs.append(u[::-1])
        z = sum(hs, 1) * sum(hs, start=w)
        loss = z[0] - z[1] * z[2] + sum((x @ u for x in X), w * 2)""",
    "two lists": """
        a, b = [], []
        a.append(w)
        b.append(a[0] * 2)
        a.append(b[-1])
        loss = a[0] * a[1] + b[0]""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_what_python_computes(program: str) -> None:
    lines = dedent(PROGRAMS[program])
    names: dict[str, Any] = {"np": np, **AT, "u": AT["u"].copy(), "T": 4}
    exec(lines, names)
    model = parse(HEAD + lines)
    assert model.loss_row is not None
    np.testing.assert_allclose(value(model.loss_row, **{n: AT[n] for n in model.leaves()}), names["loss"], rtol=1e-12)


@pytest.mark.parametrize("lines", [
    "hs = []\nz = 0.0\nfor t in range(T):\n    hs.append(X[t, 0])\n    z = z + np.max(hs)\nloss L = z",  # was hs[t]
    "hs = [w]\nfor t in range(T):\n    for x in X[t]:\n        hs.append(x)\n    z = sum(hs)\nloss L = z",
])
def test_a_list_is_not_read_where_it_still_grows(lines: str) -> None:
    with pytest.raises(SyntaxProblem, match="where it has the entries so far"):
        parse(HEAD + lines)


@pytest.mark.parametrize("lines", [
    "hs = []\nhs.append(w)\nif w > 0:\n    hs.append(2 * w)\nloss L = sum(hs)",
    "hs = [w]\nfor t in range(T):\n    if X[t, 0] > 0:\n        hs.append(X[t, 0])\nloss L = sum(hs)",
    "hs = [w]\nfor t in range(T):\n    if X[t, 0] > 0:\n        continue\n    hs.append(X[t, 0])\nloss L = sum(hs)",
    "hs = []\nhs.append(w)\nhs.append(sum(hs))\nloss L = sum(hs)",
    "hs = []\nfor t in range(T):\n    hs.append(X[t, 0])\nhs.append(w)\nloss L = sum(hs)",
])
def test_what_grows_otherwise_is_refused(lines: str) -> None:
    with pytest.raises(SyntaxProblem, match="a list grows by an entry"):
        parse(HEAD + lines)


LAYERS = {
    "of a class": """
        self.layers = nn.ModuleList()
        for i in range(2):
            self.layers.append(nn.Linear(5, 5))
        self.layers.append(nn.Linear(5, 3))""",
    "of a class, in brackets": """
        self.layers = nn.ModuleList([])
        self.layers.append(nn.Linear(5, 5))
        self.layers.append(nn.Linear(5, 5))
        self.layers.append(nn.Linear(5, 3))""",
    "handed on": """
        layers = []
        for _ in range(2):
            layers.append(nn.Linear(5, 5))
        layers.append(nn.Linear(5, 3))
        self.layers = nn.ModuleList(layers)""",
    "with a star": """
        layers = list()
        layers.append(nn.Linear(5, 5))
        layers.append(nn.Linear(5, 5))
        layers.append(nn.Linear(5, 3))
        self.layers = nn.Sequential(*layers)""",
}


@pytest.mark.parametrize("made", LAYERS)
def test_layers_that_a_list_is_given_one_by_one(made: str) -> None:
    init = indent(dedent(LAYERS[made]).strip(), " " * 8)
    apply = "x = self.layers(x)" if made == "with a star" else "for l in self.layers:\n            x = l(x)"
    text = (f"class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{init}\n"
            f"    def forward(self, x):\n        {apply}\n        return x.sum()\n")
    written = "self.layers = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3))"
    plain = f"class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        {written}\n" \
            "    def forward(self, x):\n        return self.layers(x).sum()\n"
    found, expected = parse_alone(text), parse_alone(plain)
    assert found.params.keys() == expected.params.keys() and len(found.params) == 6
    rng = np.random.default_rng(0)
    shapes = {name: [*map(int, row.shape)] for name, row in {**found.params, **found.data_rows}.items()}
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    assert found.loss_row is not None and expected.loss_row is not None
    np.testing.assert_allclose(value(found.loss_row, **given), value(expected.loss_row, **given), rtol=1e-12)


@pytest.mark.parametrize("lines", [
    "layers = []\nn = 5\nlayers.append(nn.Linear(5, n))\nn = 4\nlayers.append(nn.Linear(5, n))",
    "layers = []\nlayers.append(nn.Linear(5, 5))\nprint(len(layers))\nlayers.append(nn.Linear(5, 5))",
])
def test_other_lists_of_layers_are_refused(lines: str) -> None:
    init = indent(f"{lines}\nself.net = nn.Sequential(*layers)", " " * 8)
    with pytest.raises(ModelError):
        parse_alone(f"class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{init}\n"
                    "    def forward(self, x):\n        return self.net(x).sum()\n")
