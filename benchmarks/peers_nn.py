"""The loops as PyTorch has them in one piece: `nn.RNN` and `nn.LSTM`, whose steps are C++."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from peers_torch import use_threads
from torch import nn
from torch.nn import functional as F

Arrays = dict[str, Any]
KINDS = {"rnn": nn.RNN, "lstm": nn.LSTM}


def turned(gates: Any) -> Any:
    """The rows of the gates i, f, o, g in the order i, f, g, o, and back."""
    i, f, o, g = gates.chunk(4)
    return torch.cat([i, f, g, o])


def build(name: str, params: Arrays, data: Arrays, wanted: list[str]) -> Callable[[], tuple[Any, Arrays]]:
    """Loss and gradients; the gates of gradients are turned back where they are compared, in double precision."""
    use_threads()
    given = {k: torch.tensor(v) for k, v in {**params, **data}.items()}
    order = turned if name == "lstm" else lambda gates: gates
    layer = KINDS[name](*given["W_x"].shape[:1], given["h0"].shape[1], dtype=given["X"].dtype)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(order(given["W_x"].T))
        layer.weight_hh_l0.copy_(order(given["W_h"].T))
        layer.bias_ih_l0.copy_(order(given["b"]))
        layer.bias_hh_l0.zero_()
    first = tuple(given[k][None] for k in ("h0", "c0") if k in given)
    head = [given[k].requires_grad_() for k in ("W_y", "b_y")]
    leaves = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]
    back = order if given["X"].dtype == torch.float64 else lambda gates: gates

    def step() -> tuple[Any, Arrays]:
        layer.zero_grad()
        for leaf in head:
            leaf.grad = None
        states, _ = layer(given["X"], first if name == "lstm" else first[0])
        value = F.cross_entropy(torch.addmm(head[1], states.flatten(0, 1), head[0]), given["y"].flatten())
        value.backward()
        x, h, b = [back(leaf.grad) for leaf in leaves]
        return value.detach(), {"W_x": x.T, "W_h": h.T, "b": b, "W_y": head[0].grad, "b_y": head[1].grad}

    return step
