"""The workloads in PyTorch, eager, as its documentation writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import relu, sigmoid, tanh
from torch.nn import functional as F

Arrays = dict[str, Any]


def scalar(p: Arrays) -> Any:
    return 0.5 * (p["y"] - tanh(p["w2"] * tanh(p["w1"] * p["x"]))) ** 2


def mlp(p: Arrays) -> Any:
    hidden = relu(torch.addmm(p["b1"], p["X"], p["W1"]))
    return F.cross_entropy(torch.addmm(p["b2"], hidden, p["W2"]), p["y"])


def window_lm(p: Arrays) -> Any:
    window = F.embedding(p["words"], p["T"]).flatten(1)
    hidden = tanh(torch.addmm(p["b1"], window, p["W1"]))
    return F.cross_entropy(torch.addmm(p["b2"], hidden, p["W2"]), p["y"])


def _every_step(p: Arrays, states: list[Any]) -> Any:
    logits = torch.stack(states).flatten(0, 1) @ p["W_y"] + p["b_y"]
    return F.cross_entropy(logits, p["y"].flatten())


def rnn(p: Arrays) -> Any:
    read, h, states = p["X"] @ p["W_x"] + p["b"], p["h0"], []
    for t in range(len(read)):
        h = tanh(torch.addmm(read[t], h, p["W_h"]))
        states.append(h)
    return _every_step(p, states)


def lstm(p: Arrays) -> Any:
    read, h, c, states = p["X"] @ p["W_x"] + p["b"], p["h0"], p["c0"], []
    width = h.shape[1]
    for t in range(len(read)):
        z = torch.addmm(read[t], h, p["W_h"])
        gates = sigmoid(z[:, : 3 * width])
        i, f, o = gates.split(width, 1)
        c = f * c + i * tanh(z[:, 3 * width :])
        h = o * tanh(c)
        states.append(h)
    return _every_step(p, states)


def transformer(p: Arrays) -> Any:
    x = p["X"]
    width = x.shape[-1:]
    a = F.layer_norm(x, width, p["g1"], p["s1"])
    q, k, v = (s.unflatten(-1, (4, -1)).transpose(1, 2) for s in (a @ p["W_a"] + p["b_a"]).split(width[0], -1))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
    y = x + mixed @ p["W_o"] + p["b_o"]
    inner = F.gelu(F.layer_norm(y, width, p["g2"], p["s2"]) @ p["W_u"] + p["b_u"], approximate="tanh")
    r = y + inner @ p["W_d"] + p["b_d"]
    logits = F.layer_norm(r, width, p["g3"], p["s3"]) @ p["W_v"] + p["b_v"]
    return F.cross_entropy(logits.flatten(0, 1), p["y"].flatten())


def conv_net(p: Arrays) -> Any:
    """In PyTorch's own layout, channels first; the small kernels are turned within the step."""
    x = p["X"].permute(0, 3, 1, 2)
    for k in "12":
        x = F.max_pool2d(relu(F.conv2d(x, p[f"W{k}"].permute(3, 2, 0, 1), p[f"b{k}"], padding=1)), 2)
    return F.cross_entropy(x.permute(0, 2, 3, 1).flatten(1) @ p["W3"] + p["b3"], p["y"])


def layers(p: Arrays) -> Any:
    x = p["X"]
    for weights, shift in zip(p["W"], p["b"], strict=True):
        x = tanh(torch.addmm(shift, x, weights))
    return F.cross_entropy(torch.addmm(p["c"], x, p["V"]), p["y"])


def _penalty(p: Arrays) -> Any:
    return 0.001 / 2 * (p["w"] ** 2).sum()


def logistic(p: Arrays) -> Any:
    return F.softplus(-p["y"] * (p["X"] @ p["w"] + p["b"]), threshold=50).mean() + _penalty(p)


def hinge(p: Arrays) -> Any:
    return relu(1 - p["y"] * (p["X"] @ p["w"] + p["b"])).mean() + _penalty(p)


LOSSES: dict[str, Callable[[Arrays], Any]] = {
    f.__name__: f for f in (scalar, mlp, window_lm, rnn, lstm, transformer, conv_net, logistic, hinge, layers)
}


def use_threads() -> None:
    """As many as the other libraries are given."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def build(name: str, params: Arrays, data: Arrays, wanted: list[str], around: Callable[..., Any] = lambda loss: loss
          ) -> Callable[[], tuple[Any, Arrays]]:
    """Loss and gradients, the graph built anew at every step; ``around`` may compile the loss."""
    use_threads()
    dtype = torch.float64 if isinstance(next(iter(params.values())), float) else None
    given = {k: torch.tensor(v, dtype=dtype) for k, v in {**params, **data}.items()}
    loss, leaves = around(LOSSES[name]), [given[k].requires_grad_() for k in wanted]

    def step() -> tuple[Any, Arrays]:
        for leaf in leaves:
            leaf.grad = None
        value = loss(given)
        value.backward()
        return value.detach(), {k: leaf.grad for k, leaf in zip(wanted, leaves, strict=True)}

    return step
