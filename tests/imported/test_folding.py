"""Blocks that come again and again are one loop: which, and that every gradient stays PyTorch's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", minversion="2.9")
pytestmark = pytest.mark.oracle

from symbackprop import Model, from_torch  # noqa: E402
from tests.imported.modules import GPT, MODULES, Recurrent  # noqa: E402
from tests.imported.test_torch import compare, in_float64  # noqa: E402, F401
from tests.sweeps import ALL, sample  # noqa: E402

F, nn = torch.nn.functional, torch.nn


class Steps(nn.Module):  # type: ignore[misc, name-defined]
    """A recurrence that is written out: states from a sequence, and results of every step."""

    def __init__(self, backwards: bool = False, axis: int = 1) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Parameter(torch.rand(3)), nn.Linear(2, 3), nn.Linear(3, 2)
        self.backwards, self.axis = backwards, axis

    def forward(self, x: Any) -> Any:
        h, ys = x.new_zeros(x.shape[0], 3), []
        steps = range(x.shape[self.axis])
        for t in reversed(steps) if self.backwards else steps:
            h = torch.tanh(self.a * h + self.b(x[:, t] if self.axis == 1 else x[:, :, t]))
            ys.append(self.c(h))
        return torch.stack(ys, dim=self.axis)


class Iterated(nn.Module):  # type: ignore[misc, name-defined]
    """The same layer again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        z = torch.zeros_like(x)
        for _ in range(5):
            z = torch.tanh(self.fc(z) + x)
        return z


class Kept(nn.Module):  # type: ignore[misc, name-defined]
    """Layers whose results are read later, and one of another width before them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 4), *[nn.Linear(4, 4) for _ in range(4)]])

    def forward(self, x: Any) -> Any:
        kept = []
        for layer in self.layers:
            x = F.silu(layer(x))
            kept.append(x)
        return kept[2] * kept[-1]


FOLDED = {
    "layers of a GPT": (lambda: MODULES["gpt"](), 1, {"K": 2}),
    "stages of a residual network": (lambda: MODULES["resnet_stage"](), 1, {"K": 2}),
    "a recurrence along the last axis": (lambda: (Steps(axis=2), lambda n: (torch.randn(n, 2, 4),)), 1, {"T": 4}),
    "a recurrence": (lambda: (Steps(), lambda n: (torch.randn(n, 4, 2),)), 1, {"T": 4}),
    "a recurrence from the end": (lambda: (Steps(True), lambda n: (torch.randn(n, 4, 2),)), 1, {"T": 4}),
    "a layer again and again": (lambda: (Iterated(), lambda n: (torch.randn(n, 3),)), 1, {"T": 5}),
    "results that are read later": (lambda: (Kept(), lambda n: (torch.randn(n, 2),)), 1, {"K": 4}),
}


@pytest.mark.parametrize("name", sample(FOLDED, 2))
def test_blocks_that_are_alike_are_a_loop(name: str) -> None:
    make, loops, lengths = FOLDED[name]
    module, args = make()
    imported = from_torch(module, args(3), fold=True)
    text = imported.model.text()
    assert text.count("\nfor ") == loops and lengths.items() <= imported.model.sizes.items()
    assert Model.parse(text).text() == text, "a loop when it is read again"
    compare(module, imported, args(4))


@pytest.mark.skipif(not ALL, reason="SWEEP=all")
def test_a_model_is_as_long_whatever_the_number_of_layers() -> None:
    words = torch.randint(0, 11, (3, 5))
    few, many = (from_torch(GPT(blocks=n), (words, words), fold=True).model.text() for n in (2, 6))
    assert re.sub(r"(?<=[a-zA-Z])\d+|K = \d", "", few).split() == re.sub(r"(?<=[a-zA-Z])\d+|K = \d", "", many).split()


def test_stacked_arrays_have_the_name_of_the_first_and_know_whose_they_are() -> None:
    module = nn.Sequential(*[part for _ in range(4) for part in (nn.Linear(3, 3), nn.Tanh())])
    imported = from_torch(module, torch.randn(2, 3), fold=True, rename={"0.weight": "A"})
    assert imported.names["0.weight"] == "A[1]" and imported.names["4.weight"] == "A[3]"
    assert np.array_equal(imported.weights["A"][2], module[4].weight.detach())
    apart = from_torch(module, torch.randn(2, 3), rename={"0.weight": "A"})
    assert apart.names["0.weight"] == "A" and apart.names["4.weight"] == "W3" and "for " not in apart.model.text()


@pytest.mark.parametrize("shared", [False, True])
def test_a_weight_that_is_read_elsewhere_too_is_no_layer_s_own(shared: bool) -> None:
    layers = [nn.Linear(3, 3) for _ in range(4)]
    if shared:
        layers[3].weight = layers[0].weight
    module = nn.Sequential(*[part for layer in layers for part in (layer, nn.Tanh())])
    imported = from_torch(module, torch.randn(2, 3), fold=True)
    assert ("for " in imported.model.text()) is not shared
    compare(module, imported, (torch.randn(4, 3),))


def test_layers_of_other_sizes_stay_apart() -> None:
    module = nn.Sequential(*[nn.Linear(n, n + 1) for n in range(2, 6)])
    assert "for " not in from_torch(module, torch.randn(3, 2), fold=True).model.text()


def test_steps_of_a_recurrent_layer_have_a_name_where_torch_counts_them() -> None:
    module = Recurrent(nn.LSTM(3, 4, batch_first=True), 4)
    imported = from_torch(module, torch.randn(2, 5, 3), dynamic_shapes=({0: torch.export.Dim("B")},))
    text = imported.model.text()
    assert "for t in 1..T:" in text and Model.parse(text).text() == text
    compare(module, imported, (torch.randn(4, 5, 3),))
