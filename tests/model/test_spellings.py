"""Calls that name or order arguments as NumPy or PyTorch do: what is read has the value that the library computes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from symbackprop.model import Model
from symbackprop.model.text.spellings import _table
from tests.core.helpers import value

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

SHAPES = {
    "t": (4,), "A": (4, 3), "B": (4, 3), "P": (4, 3), "v": (3,), "W": (3, 3), "g": (3, 2), "X": (2, 4, 7, 6),
    "k": (3, 4, 2, 3), "kt": (4, 3, 2, 3), "c": (3,), "T": (2, 4, 9), "kl": (3, 4, 2), "Q": (2, 5, 3),
}
INTEGERS = {"i": ((4,), 3), "j": ((5,), 4), "m": ((4, 3), 4)}  # shapes and bounds
HEAD = "\n".join([f"data {n}: {' x '.join(map(str, shape))}" for n, shape in SHAPES.items()]
                 + [f"data {n}: {' x '.join(map(str, shape))} int < {below}" for n, (shape, below) in INTEGERS.items()])
CALLS = """
np.clip(A, 0, 1)
torch.clamp(A, min=0)
A.clip(max=0.5)
np.clip(A, None, 1)
np.clip(A, a_min=-1, a_max=None)
A.clamp(0, 1)
torch.clamp_min(A, 0.1)
torch.clamp_max(A, 0.1)
torch.cat([A, B], 1)
np.concatenate((A, B))
torch.concat([A, B])
torch.stack([A, B], 1)
np.stack([A, B])
torch.transpose(Q, 1, 2)
v.expand(2, 3)
v.expand(2, -1)
np.tile(v, 2)
np.average(A, weights=P)
np.average(A, axis=0, weights=t**2)
np.average(A, axis=1, weights=v**2)
np.cov(A)
np.cov(A, rowvar=False)
torch.cov(A)
F.pad(A, (1, 2), value=3.5)
np.repeat(A, 2, axis=1)
torch.repeat_interleave(A, 2, dim=0)
np.roll(A, 1, axis=0)
torch.roll(A, 1, 1)
torch.flip(A, dims=(0,))
np.fliplr(A)
torch.flip(A, [0])
np.flipud(A)
np.split(A, 3, axis=1)[1]
torch.chunk(A, 3, dim=1)[0]
np.take(A, j, axis=0)
np.take(A, i, axis=1)
torch.index_select(A, 0, j)
A.index_select(1, i)
torch.index_add(A, 0, j[:4], B)
torch.gather(A, 0, m)
A.gather(0, m)
np.take_along_axis(A, m, axis=0)
torch.take_along_dim(A, m, 0)
A[:3].scatter(1, i[:3, None], B[:3, :1])
torch.scatter_add(A, 0, m, B)
np.searchsorted(np.sort(v), t)
torch.bucketize(t, torch.sort(v).values)
np.argmax(A, axis=1)
torch.argmin(A, dim=1)
np.quantile(A, 0.3, axis=0)
torch.quantile(A, 0.3, dim=1, keepdim=True)
np.percentile(A, 30)
torch.cummax(v, 0).values
torch.topk(v, 2)[0]
torch.sort(A, dim=1)[0]
torch.max(A, 1)[0]
torch.var(A)
torch.var(A, 1)
torch.std(A, dim=0, keepdim=True)
torch.var(A, 0, unbiased=False)
torch.std(A, correction=0)
torch.var(A, 1, False)
torch.std(A, dim=0, unbiased=True)
np.linalg.norm(A, 1, axis=1)
np.linalg.norm(v, 1)
np.linalg.norm(A, "fro")
torch.linalg.norm(v, ord=3)
torch.linalg.vector_norm(A, 1)
torch.norm(A, "fro", dim=1)
F.pad(A, (1, 2))
F.pad(A, (1, 2, 0, 1), value=0)
np.pad(A, ((1, 2), (0, 3)))
torch.flatten(X, start_dim=1)
nn.ReLU()(A)
nn.LeakyReLU(0.2)(A)
nn.Softmax(dim=0)(A)
nn.GLU()(X)
nn.Threshold(0.1, 2)(A)
nn.Flatten()(X)
nn.SmoothL1Loss(beta=0.5)(A, B)
nn.MaxPool2d(2)(X)
nn.AvgPool2d(3, stride=2, padding=1)(X)
nn.CosineSimilarity(dim=0)(A, B)
nn.CrossEntropyLoss(reduction="sum", label_smoothing=0.1)(A, i)
nn.KLDivLoss(reduction="batchmean")(torch.log(P), P)
np.linalg.norm(A, ord=np.inf, axis=0)
torch.norm(A, p=1)
torch.linalg.norm(A, 1, dim=1)
torch.linalg.norm(A, ord=2, dim=0, keepdim=True)
torch.norm(A, 3, dim=1)
torch.logdet(W @ W.T)
torch.linalg.solve_triangular(W, g, upper=False)
torch.linalg.solve_triangular(W, g, upper=True)
scipy.linalg.solve_triangular(W, g, lower=True)
np.linalg.svd(A, full_matrices=False)[1]
np.linalg.svd(A, compute_uv=False)
torch.linalg.lu(W)[2]
torch.hypot(A, B)
np.hypot(A, B)
np.cbrt(A)
np.fmod(A, 0.7)
torch.fmod(A, 0.7)
torch.frac(A)
torch.xlogy(P, P)
F.logsigmoid(A)
F.relu6(5 * A)
F.hardsigmoid(3 * A)
F.hardswish(3 * A)
F.selu(A)
F.celu(A, 0.7)
F.softsign(A)
F.tanhshrink(A)
F.softshrink(A)
F.hardshrink(A)
F.threshold(A, 0.1, 2)
F.glu(X, dim=1)
F.gelu(A, approximate="tanh")
F.gelu(A, approximate='none')
F.gelu(A)
F.leaky_relu(A, negative_slope=0.2)
F.leaky_relu(A)
F.prelu(A, v[:1])
F.softplus(A, beta=2)
F.softmin(A, dim=1)
F.normalize(A)
F.normalize(A, p=1, dim=0)
F.linear(A, W)
F.linear(A, W, v)
F.embedding(j, A)
F.embedding_bag(m, A)
F.one_hot(i, 3)
F.scaled_dot_product_attention(Q, Q, Q)
F.scaled_dot_product_attention(Q, Q, Q, is_causal=True)
F.layer_norm(A, (3,))
F.layer_norm(A, [3], v, v)
F.layer_norm(A, A.shape[-1:], weight=v)
F.layer_norm(A, (3,), v)
F.softmax(A, dim=1)
F.log_softmax(A, dim=1)
np.eye(3)
torch.eye(3)
np.identity(3)
np.zeros((2, 3))
torch.ones(2, 3)
A.masked_fill(A > 0, 0.5)
F.rms_norm(A, (3,), eps=1e-5)
F.conv1d(T, kl)
F.conv1d(T, kl, c, stride=2, padding=1, dilation=2)
F.conv2d(X, k)
F.conv2d(X, k, c, 2, 1)
F.conv2d(X, k, padding=(1, 2))
F.max_pool2d(X, 2)
F.max_pool2d(X, 3, 2, 1, ceil_mode=True)
F.avg_pool2d(X, 2)
F.max_pool1d(T, 2)
F.avg_pool1d(T, 2)
F.avg_pool2d(X, 3, 2, 1, ceil_mode=True, count_include_pad=False)
F.adaptive_avg_pool2d(X, 3)
F.adaptive_avg_pool2d(X, (2, 3))
F.adaptive_max_pool2d(X, 2)
F.adaptive_max_pool2d(X, (1, 2))
F.conv_transpose2d(X, kt, stride=2, padding=1)
F.conv_transpose1d(T, kt[:, :, :, 0], stride=2, padding=1)
F.conv_transpose1d(T, kt[:, :, :, 0], c)
F.conv_transpose2d(X, kt, c)
torch.diagonal(A, 1)
torch.diagonal(Q, dim1=1, dim2=2)
torch.amax(A, 1)
torch.amin(A, dim=0, keepdim=True)
torch.rsub(A, B)
torch.log2(P)
torch.addmm(B, A, W)
torch.addmm(B, A, W, beta=2, alpha=3)
torch.addmv(t, A, v)
torch.baddbmm(Q, Q, W + 0 * Q[:, :3], alpha=2)
F.hardtanh(A)
F.hardtanh(A, -0.3, 0.4)
F.cosine_similarity(A, B)
F.cosine_similarity(A, B, dim=0)
F.pairwise_distance(A, B)
torch.cdist(A, B)
torch.cdist(A, B, p=1)
F.cross_entropy(A, i)
F.cross_entropy(A, i, weight=P[0])
F.cross_entropy(A, i, P[0], reduction='sum')
F.cross_entropy(A, i, weight=P[0], reduction='none')
F.cross_entropy(A, i, ignore_index=1)
F.cross_entropy(A, i, label_smoothing=0.1)
F.cross_entropy(A, i, reduction="sum")
F.nll_loss(A, i)
F.kl_div(A, P)
F.kl_div(A, P, reduction="batchmean")
F.kl_div(A, B, log_target=True)
F.margin_ranking_loss(A, B, P, margin=0.1)
F.gaussian_nll_loss(A, B, P)
F.poisson_nll_loss(A, P)
F.poisson_nll_loss(P, P, log_input=False)
F.soft_margin_loss(A, B)
F.huber_loss(A, B, delta=0.7)
F.cosine_embedding_loss(A, B, torch.sign(t), margin=0.1)
F.triplet_margin_loss(A, B, P, margin=0.5)
F.binary_cross_entropy(torch.sigmoid(A), torch.sigmoid(B), weight=P)
F.binary_cross_entropy_with_logits(A, P, weight=P)
F.binary_cross_entropy_with_logits(A, P, pos_weight=c)
F.conv_transpose2d(X, kt, bias=c)
F.hinge_embedding_loss(A, torch.sign(B))
F.hinge_embedding_loss(A, torch.sign(B), reduction='none')
"""
CASES = CALLS.strip().split("\n")


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    found = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    found["P"] = np.abs(found["P"]) + 0.1
    return found | {name: rng.integers(0, below, shape) for name, (shape, below) in INTEGERS.items()}


def library(call: str, given: dict[str, Any]) -> Any:
    """What the library itself computes."""
    ours = call.startswith(("np.", "scipy")) or call in ("A.clip(max=0.5)",)
    names = given if ours else {n: torch.tensor(a) for n, a in given.items()}
    modules = {"np": np, "torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    modules["eye"] = lambda n: torch.eye(n, dtype=torch.float64)
    if call.startswith("scipy"):
        modules["scipy"] = pytest.importorskip("scipy.linalg") and __import__("scipy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises another reduction of kl_div
        found = eval(call, modules | names)
    return np.asarray(found[0] if isinstance(found, tuple) and not ours else found)


@pytest.mark.parametrize("call", CASES)
def test_what_is_read_is_what_the_library_computes(call: str) -> None:
    given = arrays()
    found = value(Model.parse(f"{HEAD}\noutput Y = {call} * 1").equations["Y"], **given)
    np.testing.assert_allclose(found, library(call, given), rtol=1e-9, atol=1e-12)


def test_every_spelling_is_tried() -> None:
    called = " ".join(CASES)
    apart = {"r", "f", "r t"}  # R's and TensorFlow's are tried among pasted lines
    assert not [name for name, found in _table().items() if not {s.where for s in found} <= apart
                and f".{name}(" not in called]
