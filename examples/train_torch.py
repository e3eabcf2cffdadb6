"""A PyTorch network with an emitted layer among PyTorch's own: one block with a gate, written as model text, whose
backward pass is derived. PyTorch's optimiser trains all of it; the gradients are compared with autograd's first.

Needs the extra `torch`.
"""

from __future__ import annotations

from typing import Any

import torch
from emitting import emitted
from torch import nn

BLOCK = """
dim N, D, H
input X: N x D
param W: D x H, b: H, V: D x H, c: H, g: D, s: D, U: H x D
A = layer_norm(X) * g + s
output Y = X + (silu(A @ W + b) * (A @ V + c)) @ U
"""
STEPS = 200


class Net(nn.Module):
    def __init__(self, block: Any, inside: int = 16) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, inside), nn.Linear(inside, 3)
        self.block = block.Module(0, D=inside, H=32).float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.last(self.block(X=self.first(x)))
        return found


def spirals(count: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    """Three arms that wind around each other, as points and the number of their arm."""
    along, arm = torch.linspace(0.1, 1, count).repeat(3), torch.arange(3).repeat_interleave(count)
    angle = 4 * along + arm * 2 * torch.pi / 3 + 0.1 * torch.randn(3 * count)
    return torch.stack([along * angle.cos(), along * angle.sin()], 1), arm


def difference(block: Any) -> float:
    """The largest difference of the block's gradients from those of autograd, in float64."""
    net = block.Module(1, D=4, H=5)
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    w = dict(net.named_parameters())
    a = nn.functional.layer_norm(x, (4,)) * w["g"] + w["s"]
    plain = x + (nn.functional.silu(a @ w["W"] + w["b"]) * (a @ w["V"] + w["c"])) @ w["U"]
    ours, theirs = (torch.autograd.grad(y.pow(3).sum(), [x, *w.values()]) for y in (net(X=x), plain))
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


def main() -> float:
    """Train; the share of points whose arm is found."""
    torch.manual_seed(0)
    block = emitted(BLOCK, wrap="torch")
    print(f"gradients differ from autograd's by {difference(block):.0e}")
    net, (x, arm) = Net(block), spirals()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), arm)
        loss.backward()
        optimizer.step()
        if step % 50 == 0 or step == STEPS - 1:
            print(f"step {step}: loss {loss.item():.3f}")
    right = float((net(x).argmax(1) == arm).float().mean())
    print(f"{100 * right:.1f} % of the points right")
    return right


if __name__ == "__main__":
    main()
