"""A small GPT written for PyTorch, read as a model: its equations, its gradients as mathematics, and a NumPy module.

Its blocks are alike, so that they are a loop, printed and emitted once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from symbackprop import codegen, derive, from_torch


class Block(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln1, self.qkv, self.proj = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.ln2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, c = x.shape
        q, k, v = self.qkv(self.ln1(x)).split(c, dim=2)
        q, k, v = (a.view(b, t, self.heads, c // self.heads).transpose(1, 2) for a in (q, k, v))
        att = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(att.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary: int = 11, length: int = 6, d: int = 8, blocks: int = 3) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, d), nn.Embedding(length, d)
        self.blocks, self.ln_f = nn.ModuleList([Block(d, 2) for _ in range(blocks)]), nn.LayerNorm(d)
        self.head = nn.Linear(d, vocabulary, bias=False)
        self.head.weight = self.wte.weight  # tied

    def forward(self, idx: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.ln_f(x))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def gpt() -> tuple[Any, Any]:
    """What `symbackprop import examples/import_gpt.py:gpt` reads."""
    torch.manual_seed(0)
    words = torch.randint(0, 11, (3, 7))
    return GPT().double(), (words[:, :-1], words[:, 1:])


def entry(arrays: dict[str, Any], name: str) -> Any:
    """The array of that name; ``W2[3]`` is that of the third block."""
    whole, _, block = name.partition("[")
    return arrays[whole][int(block[:-1]) - 1] if block else arrays[whole]


def main() -> bool:
    """Print the model, a part of its derivation and of its module; whether all gradients are PyTorch's."""
    module, args = gpt()
    imported = from_torch(module, args, fold=True)
    print(imported.model.text())
    print("\n".join(derive(imported.model).text().splitlines()[:40]), "\n  …\n")
    source = codegen(imported.model)
    backward = source[source.index("def backward") :].splitlines()
    print("\n".join(backward[:30]), "\n    …\n")
    emitted: dict[str, Any] = {}
    exec(source, emitted)
    loss, grads = emitted["loss_and_grads"](imported.params, imported.data)
    expected = module(*args)
    expected.backward()
    gaps = [np.abs(entry(grads, imported.names[n]) - p.grad.numpy()).max() for n, p in module.named_parameters()]
    print(f"loss {loss:.6f}, PyTorch's {expected.item():.6f}; {len(gaps)} gradients, at most {max(gaps):.0e} apart")
    return bool(max(gaps) < 1e-12)


if __name__ == "__main__":
    main()
