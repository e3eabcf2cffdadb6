"""PyTorch modules as people write them, each with arguments for a batch of any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Made = tuple[nn.Module, Callable[[int], tuple[Any, ...]]]
MODULES: dict[str, Callable[[], Made]] = {}


def module(make: Callable[[], Made]) -> Callable[[], Made]:
    MODULES[make.__name__] = make
    return make


class WithLoss(nn.Module):
    def __init__(self, net: nn.Module, loss: nn.Module) -> None:
        super().__init__()
        self.net, self.criterion = net, loss

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.criterion(self.net(x), y)


@module
def mlp() -> Made:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return WithLoss(net, nn.CrossEntropyLoss(label_smoothing=0.1)), lambda n: (
        torch.randn(n, 4), torch.randint(0, 3, (n,)))


@module
def cnn_in_training() -> Made:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
                        nn.Conv2d(4, 5, 3, stride=2), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    return WithLoss(net, nn.CrossEntropyLoss()), lambda n: (torch.randn(n, 3, 8, 8), torch.randint(0, 3, (n,)))


@module
def cnn_in_evaluation() -> Made:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
                        nn.Dropout(0.5), nn.Linear(64, 3)).eval()
    net[1].running_mean.normal_()
    net[1].running_var.uniform_(0.5, 2)
    return net, lambda n: (torch.randn(n, 3, 8, 8),)


@module
def encoder_layer() -> Made:
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), lambda n: (torch.randn(n, 5, 8),)


@module
def encoder_layer_with_norm_first() -> Made:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", norm_first=True)
    return layer, lambda n: (torch.randn(5, n, 8),)


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.attn(x, x, x, attn_mask=mask)


@module
def multihead_attention() -> Made:
    return SelfAttention(), lambda n: (torch.randn(n, 5, 8), torch.zeros(5, 5).masked_fill(
        torch.ones(5, 5).triu(1).bool(), float("-inf")))


class GPTBlock(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln1, self.qkv, self.proj = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.ln2, self.mlp = nn.LayerNorm(d), nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.size()
        q, k, v = self.qkv(self.ln1(x)).split(c, dim=2)
        q, k, v = (a.view(b, t, self.heads, c // self.heads).transpose(1, 2) for a in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).contiguous().view(b, t, c))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    """Its last layer shares its weight with the embedding."""

    def __init__(self, vocabulary: int = 11, length: int = 5, d: int = 8, blocks: int = 2) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, d), nn.Embedding(length, d)
        self.blocks = nn.ModuleList([GPTBlock(d, 2) for _ in range(blocks)])
        self.ln_f, self.head = nn.LayerNorm(d), nn.Linear(d, vocabulary, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, idx: Tensor, targets: Tensor) -> Tensor:
        x = self.wte(idx) + self.wpe(torch.arange(0, idx.size(1), device=idx.device))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.ln_f(x))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)


@module
def gpt() -> Made:
    return GPT(), lambda n: (torch.randint(0, 11, (n, 5)), torch.randint(0, 11, (n, 5)))


class RMSNorm(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(d) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin


class LlamaBlock(nn.Module):
    def __init__(self, d: int = 8, heads: int = 4, groups: int = 2, length: int = 5) -> None:
        super().__init__()
        self.heads, self.groups = heads, groups
        self.attention_norm, self.ffn_norm = RMSNorm(d), RMSNorm(d)
        self.wq, self.wo = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        self.wk, self.wv = (nn.Linear(d, d * groups // heads, bias=False) for _ in range(2))
        self.w1, self.w2, self.w3 = (nn.Linear(*s, bias=False) for s in ((d, 16), (16, d), (d, 16)))
        angles = torch.outer(torch.arange(length), torch.ones(d // heads))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.register_buffer("mask", torch.tril(torch.ones(length, length)).bool(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, t, _ = x.shape
        y = self.attention_norm(x)
        q, k, v = (w(y).view(n, t, h, -1).transpose(1, 2) for w, h in (
            (self.wq, self.heads), (self.wk, self.groups), (self.wv, self.groups)))
        q, k = rotate(q, self.cos, self.sin), rotate(k, self.cos, self.sin)
        k, v = (a.repeat_interleave(self.heads // self.groups, dim=1) for a in (k, v))
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.size(-1))
        weights = scores.masked_fill(~self.mask, float("-inf")).softmax(dim=-1)
        x = x + self.wo((weights @ v).transpose(1, 2).reshape(n, t, -1))
        z = self.ffn_norm(x)
        return x + self.w2(F.silu(self.w1(z)) * self.w3(z))


@module
def llama_block() -> Made:
    return LlamaBlock(), lambda n: (torch.randn(n, 5, 8),)


class BasicBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn1, self.bn2, self.relu = nn.BatchNorm2d(after), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
        self.down = None if stride == 1 else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False),
                                                           nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.down is None else self.down(x)
        return self.relu(out)


class ResNet18(nn.Module):
    """The layers of ResNet-18, with few channels."""

    def __init__(self, widths: tuple[int, ...] = (2, 3, 4, 5)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1, self.pool = nn.BatchNorm2d(widths[0]), nn.MaxPool2d(3, 2, 1)
        pairs = zip((widths[0], *widths), widths, (1, 2, 2, 2), strict=False)
        self.layers = nn.Sequential(*(nn.Sequential(BasicBlock(a, b, s), BasicBlock(b, b, 1)) for a, b, s in pairs))
        self.fc = nn.Linear(widths[-1], 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.pool(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


@module
def resnet18() -> Made:
    return ResNet18(), lambda n: (torch.randn(n + 1, 3, 32, 32),)


@module
def resnet_stage() -> Made:
    return nn.Sequential(*(BasicBlock(*size) for size in ((2, 3, 2), (3, 3, 1), (3, 3, 1)))), lambda n: (
        torch.randn(n, 2, 8, 8),)


class ViT(nn.Module):
    def __init__(self, d: int = 8) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, d, kernel_size=4, stride=4)
        self.cls, self.pos = nn.Parameter(torch.randn(1, 1, d)), nn.Parameter(torch.randn(1, 5, d))
        layer = nn.TransformerEncoderLayer(d, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(d, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], dim=1) + self.pos
        return self.head(self.encoder(x)[:, 0])


@module
def vit() -> Made:
    return ViT(), lambda n: (torch.randn(n, 3, 8, 8),)


class UNetPiece(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.mid = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.up, self.out = nn.GroupNorm(2, 4), nn.ConvTranspose2d(4, 4, 2, 2), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.down(x))
        b = F.leaky_relu(self.norm(self.mid(F.max_pool2d(a, 2))), 0.2)
        return self.out(torch.cat([self.up(b), a], dim=1))


@module
def unet_piece() -> Made:
    return UNetPiece(), lambda n: (torch.randn(n, 2, 4, 4),)


class Mixer(nn.Module):
    def __init__(self, tokens: int = 4, d: int = 6) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.token_mix = nn.Sequential(nn.Linear(tokens, 8), nn.GELU(), nn.Linear(8, tokens))
        self.channel_mix = nn.Sequential(nn.Linear(d, 8), nn.GELU(approximate="tanh"), nn.Linear(8, d))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.token_mix(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return (x + self.channel_mix(self.norm2(x))).mean(dim=1)


@module
def mixer() -> Made:
    return Mixer(), lambda n: (torch.randn(n, 4, 6),)


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(6, 4), nn.Linear(2, 6)
        self.mu, self.logvar = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        h = F.elu(self.encode(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + eps * torch.exp(0.5 * logvar)
        recon = F.binary_cross_entropy_with_logits(self.decode(z), x, reduction="sum")
        return (recon - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())) / x.shape[0]


@module
def vae_with_given_noise() -> Made:
    return VAE(), lambda n: (torch.rand(n, 6), torch.randn(n, 2))


@module
def autoencoder() -> Made:
    net = nn.Sequential(nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 6), nn.Sigmoid())
    return WithLoss(net, nn.MSELoss(reduction="sum")), lambda n: (torch.rand(n, 6), torch.rand(n, 6))


class SparseGate(nn.Module):
    def __init__(self, d: int = 4, experts: int = 3) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(d, experts), nn.ModuleList([nn.Linear(d, d) for _ in range(experts)])

    def forward(self, x: Tensor) -> Tensor:
        logits = self.gate(x)
        best, index = torch.topk(logits, 2, dim=-1)
        weights = torch.zeros_like(logits).scatter(1, index, best.softmax(dim=-1))
        return sum(weights[:, k : k + 1] * expert(x) for k, expert in enumerate(self.experts))


@module
def gate_of_experts() -> Made:
    return SparseGate(), lambda n: (torch.randn(n, 4),)


class DenseExperts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 3), nn.Parameter(torch.randn(3, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("ne,edk,nd->nk", torch.softmax(self.gate(x), dim=-1), self.experts, x)


@module
def soft_experts() -> Made:
    return DenseExperts(), lambda n: (torch.randn(n, 4),)


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.rnn, self.out = layer, nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        rows, _ = self.rnn(x)
        return self.out(rows[:, -1])


@module
def lstm_of_two_layers() -> Made:
    return Recurrent(nn.LSTM(3, 4, 2, batch_first=True), 4), lambda n: (torch.randn(n, n + 2, 3),)


@module
def gru_both_ways() -> Made:
    return Recurrent(nn.GRU(3, 4, batch_first=True, bidirectional=True), 8), lambda n: (torch.randn(n, n + 2, 3),)


@module
def plain_rnn() -> Made:
    return Recurrent(nn.RNN(3, 4, batch_first=True, nonlinearity="relu"), 4), lambda n: (torch.randn(n, n + 2, 3),)


@module
def lstm_with_a_projection() -> Made:
    return Recurrent(nn.LSTM(3, 4, batch_first=True, proj_size=2), 2), lambda n: (torch.randn(n, n + 2, 3),)


class Bucketed(nn.Module):
    """Attention with a bias for each bucket of distances, which are integers made of logarithms (as T5 has it); the
    auxiliary result is computed before the other."""

    def __init__(self) -> None:
        super().__init__()
        self.bias, self.qkv = nn.Embedding(6, 2), nn.Linear(4, 12)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        n, t, d = x.shape
        apart = torch.arange(t)[:, None] - torch.arange(t)
        far = 1 + (torch.log(apart.abs().to(x.dtype)) / math.log(4)).to(torch.long)
        bucket = 3 * (apart > 0) + torch.where(apart.abs() < 1, apart.abs(), far.clamp(max=2))
        q, k, v = self.qkv(x).view(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4)
        scores = q @ k.mT + self.bias(bucket).permute(2, 0, 1)
        entropy = torch.logsumexp(scores, -1).mean()
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, d), entropy


@module
def bucketed_attention() -> Made:
    return Bucketed(), lambda n: (torch.randn(n, 5, 4),)


class Siamese(nn.Module):
    """One set of weights, read twice; a mean of columns that are picked."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(4, 3), nn.Softplus())
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.loss = nn.TripletMarginLoss(margin=0.5)

    def forward(self, a: Tensor, p: Tensor, n: Tensor) -> Tensor:
        far = F.normalize(self.embed(n), dim=1)
        return self.scale * self.loss(self.embed(a), self.embed(p), far) + a.var(dim=1)[0] * self.scale**2


@module
def siamese() -> Made:
    return Siamese(), lambda n: tuple(torch.randn(n, 4) for _ in range(3))
