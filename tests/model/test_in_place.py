"""What methods of PyTorch's change that end in an underscore."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError
from symbackprop.model.text import parse
from tests.core.helpers import gradients

HEAD = "import torch\nparam w, u: 5, Q: 4 x 5\n"
PROGRAMS = {
    "lines of their own": """
        h = Q * 2
        h.add_(u)
        h.sub_(u, alpha=3).neg_()
        h[0].mul_(w)
        h[:, 1].zero_()
        h.masked_fill_(h > 0.5, 0.25)
        loss = h.pow(2).sum()""",
    "by a function": """
        h = Q * 2
        F.relu_(h)
        loss = h.sum()""",
    "in a formula": """
        h = Q * 2
        g = h.add_(w)
        loss = (h * g).sum() + (Q + 1).exp_().sum()""",
    "another name": """
        h = Q * 2
        z = h
        z.add_(u)
        h.mul_(w)
        loss = (z * Q).sum()""",
    "another name, changed twice": """
        h = Q * 2
        z = h
        h += u
        h *= w
        loss = (z * Q).sum()""",
    "all of it anew": """
        h = Q * 2
        z = h
        h.zero_()
        h.copy_(u)
        h[1].fill_(w)
        loss = (h * Q).sum()""",
    "in a loop": """
        h = Q * 2
        for t in range(4):
            h.mul_(0.5).add_(u)
        loss = h.pow(2).sum()""",
    "another name without gradients": """
        h = Q * w
        with torch.no_grad():
            g = h
            k = h * 2
        loss = (g * k).sum()""",
}


@pytest.mark.oracle
@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_what_torch_computes(program: str) -> None:
    torch = pytest.importorskip("torch")
    rng, lines = np.random.default_rng(0), dedent(PROGRAMS[program])
    given: dict[str, Any] = {"w": rng.normal(), "u": rng.normal(size=5), "Q": rng.normal(size=(4, 5))}
    leaves = {name: torch.tensor(array, dtype=torch.float64, requires_grad=True) for name, array in given.items()}
    names = {**leaves, "torch": torch, "F": torch.nn.functional}
    exec(lines, names)
    names["loss"].backward()
    model = parse(HEAD + lines)
    assert model.loss_row is not None
    rows = [name for name in leaves if name in model.leaves()]
    found = gradients(model.loss_row, [model.graph.names[name] for name in rows], given)
    for name, gradient in zip(rows, found, strict=True):
        expected = leaves[name].grad if leaves[name].grad is not None else torch.zeros(())
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-10, err_msg=name)


def test_some_of_what_another_name_has_is_refused() -> None:
    with pytest.raises(ModelError, match="h is changed here with z"):
        parse(HEAD + "h = Q * 2\nz = h[0]\nz.add_(u)\nloss = (h * h).sum()")


def test_what_sets_parameters_says_nothing() -> None:
    model = parse(HEAD + "nn.init.xavier_uniform_(Q)\nu.requires_grad_(True)\nloss = (Q * u).sum()\nu.grad.zero_()")
    assert model.loss_row is not None and [*model.params] == ["w", "u", "Q"]


@pytest.mark.parametrize("lines", [
    "layer = nn.ReLU(inplace=True)\nz = F.gelu(layer(h)) + h",
    "net = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True), nn.Tanh())\nz = net(h) * h",
    "z = h.add_(1) * h",
    "z = h - F.relu_(h)",
])
def test_what_a_line_changes_and_reads_beside_that_is_refused(lines: str) -> None:
    with pytest.raises(ModelError, match="h is changed in this line, and read in it too"):
        parse(f"{HEAD}h = Q * 2\n{lines}\nloss = z.sum()")


def test_the_first_of_several_layers_changes_what_they_are_given() -> None:
    lines = "net = nn.Sequential(nn.ReLU(inplace=True), nn.Tanh())\nh = Q * 2\nz = net(h)\nloss = z.sum()"
    assert parse(HEAD + lines).loss_row is not None
    with pytest.raises(ModelError, match="h is changed here"):
        parse(f"{HEAD}{lines} + h.sum()")
