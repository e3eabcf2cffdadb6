"""Functions against PyTorch: value and gradients at a random point, in float64."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import pytest

from symbackprop.core import functions as F
from symbackprop.core.graph import Graph, Node
from tests.core.helpers import close, gradients, value

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle
linalg, special, nn = torch.linalg, torch.special, torch.nn.functional

Case = tuple[Callable[..., Node], Callable[..., Any], tuple[tuple[int, ...], ...]]
M, B, V, POS = (3, 3), (2, 3, 3), (5,), (4, 3)


def _spd(a: Any) -> Any:
    """A symmetric positive definite matrix, by ours and by theirs."""
    turned = F.transpose(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2)) if isinstance(a, Node) else a.mT
    eye = F.FUNCTIONS["diag"](a.graph.full(1, (3,))) if isinstance(a, Node) else torch.eye(3, dtype=a.dtype)
    return a @ turned + eye


CASES: dict[str, Case] = {
    "inv": (F.inv, linalg.inv, (B,)),
    "det": (F.det, linalg.det, (B,)),
    "cofactors": (F.cofactors, lambda a: linalg.det(a)[..., None, None] * linalg.inv(a).mT, (B,)),
    "logdet": (F.logdet, lambda a: linalg.slogdet(a)[1], (B,)),
    "slogdet sign": (lambda a: F.slogdet(a)[0], lambda a: linalg.slogdet(a)[0], (B,)),
    "solve": (F.solve, linalg.solve, (M, (3, 2))),
    "solve vector": (F.solve, linalg.solve, (M, (3,))),
    "cholesky": (lambda a: F.cholesky(_spd(a)), lambda a: linalg.cholesky(_spd(a)), (B,)),
    "triangular": (lambda a, b: F.solve_triangular(a, b, lower=True),
                   lambda a, b: linalg.solve_triangular(a, b, upper=False), (M, (3, 2))),
    "eigvalsh": (lambda a: F.eigvalsh(_spd(a)), lambda a: linalg.eigvalsh(_spd(a)), (B,)),
    "eigh squares": (lambda a: F.eigh(_spd(a))[1] ** 2, lambda a: linalg.eigh(_spd(a))[1] ** 2, (M,)),
    "svdvals": (F.svdvals, linalg.svdvals, ((2, 4, 3),)),
    "svdvals wide": (F.svdvals, linalg.svdvals, ((2, 4),)),
    "svd": (lambda a: F.svd(a)[0] ** 2 @ F.svd(a)[2] ** 2,
            lambda a: (lambda u, s, v: u**2 @ v**2)(*linalg.svd(a, full_matrices=False)), (M,)),
    "qr": (lambda a: F.qr(a)[1] ** 2, lambda a: linalg.qr(a)[1] ** 2, ((4, 3),)),
    "qr columns": (lambda a: F.qr(a)[0] ** 2, lambda a: linalg.qr(a)[0] ** 2, ((4, 3),)),
    "lstsq": (F.lstsq, lambda a, b: linalg.pinv(a) @ b, ((5, 3), (5, 2))),
    "pinv": (F.pinv, linalg.pinv, ((5, 3),)),
    "power 0": (lambda a: F.matrix_power(a, 0), lambda a: linalg.matrix_power(a, 0), (B,)),
    "power": (lambda a: F.matrix_power(a, 5), lambda a: linalg.matrix_power(a, 5), (M,)),
    "power -2": (lambda a: F.matrix_power(a, -2), lambda a: linalg.matrix_power(a, -2), (M,)),
    "matrix_exp": (F.matrix_exp, linalg.matrix_exp, (B,)),
    **{f"lu {k}": (lambda a, k=k: F.lu(a)[k], lambda a, k=k: linalg.lu(a)[k], (B,)) for k in range(3)},
    "tril": (lambda a: F.tril(a, -1), lambda a: torch.tril(a, -1), (B,)),
    "triu": (lambda a: F.triu(a, 1), lambda a: torch.triu(a, 1), ((3, 4),)),
    "cross": (F.cross, lambda a, b: linalg.cross(a, b.expand(4, 3)), ((4, 3), (3,))),
    "cross along another axis": (lambda a, b: F.cross(a, b, axis=0), lambda a, b: linalg.cross(a, b, dim=0),
                                 ((3, 2), (3, 2))),
    "kron": (F.kron, torch.kron, ((2, 3), (3, 2))),
    "kron of other ranks": (F.kron, torch.kron, ((2, 3, 2), (3,))),
    "diag above": (lambda a: F.diag(a, 1), lambda a: torch.diag(a, 1), ((3, 5),)),
    "diag below": (lambda a: F.diag(a, -2), lambda a: torch.diag(a, -2), (V,)),
    "diagonal": (lambda a: F.diagonal(a, -1, 2, 0), lambda a: torch.diagonal(a, -1, 2, 0), ((4, 2, 3),)),
    "trace of more rows": (F.trace, lambda a: torch.diagonal(a).sum(), ((5, 3),)),
    "pinv wide": (F.pinv, linalg.pinv, ((3, 5),)),
    "lstsq wide": (F.lstsq, lambda a, b: linalg.pinv(a) @ b, ((3, 5), (3, 2))),
    "lgamma": (F.lgamma, special.gammaln, (POS,)),
    "digamma": (F.digamma, special.digamma, (POS,)),
    **{f"polygamma {k}": (lambda a, k=k: F.polygamma(k, a), lambda a, k=k: torch.polygamma(k, a), (POS,))
       for k in (1, 2, 3)},
    "i1": (F.i1, special.i1, (POS,)),
    "i0e": (F.i0e, special.i0e, (POS,)),
    "i1e": (F.i1e, special.i1e, (POS,)),
    "erfcx": (lambda a: F.erfcx(3 * a), lambda a: special.erfcx(3 * a), (POS,)),
    "ndtri": (lambda a: F.ndtri(F.sigmoid(a)), lambda a: special.ndtri(a.sigmoid()), (POS,)),
    "entr": (lambda a: F.entr(F.exp(a)), lambda a: special.entr(a.exp()), (POS,)),
    "xlog1py": (lambda a, b: F.xlog1py(a, F.exp(b)), lambda a, b: special.xlog1py(a, b.exp()), (POS, POS)),
    "prod": (F.prod, torch.prod, (POS,)),
    "prod axis": (lambda a: F.prod(a, 1, True), lambda a: torch.prod(a, 1, True), (POS,)),
    "cumprod": (lambda a: F.cumprod(a, 1), lambda a: torch.cumprod(a, 1), (POS,)),
    "cummax": (F.cummax, lambda a: torch.cummax(a, 0)[0], (POS,)),
    "logcumsumexp": (lambda a: F.logcumsumexp(a, -1), lambda a: torch.logcumsumexp(a, -1), (POS,)),
    "std": (lambda a: F.std(a, axis=0, ddof=1), lambda a: torch.std(a, 0), (POS,)),
    "var": (lambda a: F.var(a, axis=(0, 1), ddof=1), torch.var, (POS,)),
    **{f"norm {k}": (lambda a, k=k: F.norm(a, axis=0, order=k), lambda a, k=k: linalg.vector_norm(a, k, 0), (POS,))
       for k in (1, 2, 3, 0.5, -1.5, float("inf"), -float("inf"))},
    "einsum over the rest": (lambda a, b: F.einsum("...k,j->jk", a, b), lambda a, b: torch.einsum("...k,j->jk", a, b),
                             (POS, V)),
    "topk": (lambda a: F.topk(a, 2), lambda a: torch.topk(a, 2)[0], (POS,)),
    "median": (F.median, torch.median, (V,)),
    "quantile": (lambda a: F.quantile(a, 0.3, axis=0), lambda a: torch.quantile(a, 0.3, 0), (POS,)),
    "tile": (lambda a: F.tile(a, 2, 3), lambda a: a.tile(2, 3), (POS,)),
    "split": (lambda a: F.split(a, 2)[1], lambda a: a.chunk(2)[1], (POS,)),
}


LOSSES: dict[str, Case] = {  # of arrays, and with class indices below 3 last
    "mse": (F.mse, nn.mse_loss, (POS, POS)),
    "mae": (F.mae, nn.l1_loss, (POS, POS)),
    "smooth_l1": (lambda a, b: F.mean(F.smooth_l1(a, b, 0.5)), lambda a, b: nn.smooth_l1_loss(a, b, beta=0.5),
                  (POS, POS)),
    "js": (lambda a, b: F.js_divergence(F.softmax(a), F.softmax(b)), lambda a, b: _js(a.softmax(-1), b.softmax(-1)),
           (POS, POS)),
    "focal": (lambda a, b: F.focal(a, F.sigmoid(b)), lambda a, b: _focal(a, b.sigmoid()), (POS, POS)),
    "margin": (lambda a, b: F.margin_ranking(a, b, -1, 0.1), lambda a, b: (a - b + 0.1).relu(), (V, V)),
    "triplet": (F.triplet, lambda a, b, c: nn.triplet_margin_loss(a, b, c, eps=0, reduction="none"), (POS, POS, POS)),
    "gaussian_nll": (lambda a, b, c: F.mean(F.gaussian_nll(a, b, F.exp(c))),
                     lambda a, b, c: nn.gaussian_nll_loss(a, b, c.exp()), (POS, POS, POS)),
    "poisson_nll": (lambda a, b: F.mean(F.poisson_nll(a, b)), nn.poisson_nll_loss, (POS, POS)),
    "cdist": (F.cdist, torch.cdist, ((4, 3), (2, 3))),
    "cdist 1": (lambda a, b: F.cdist(a, b, 1), lambda a, b: torch.cdist(a, b, 1.0), ((2, 4, 3), (2, 2, 3))),
    "instance_norm": (F.instance_norm, lambda x: nn.instance_norm(x.mT).mT, ((2, 5, 4),)),
    "group_norm": (lambda x: F.group_norm(x, 2), lambda x: nn.group_norm(x.mT, 2).mT, ((2, 5, 4),)),
    "nll": (lambda a, y: F.nll(F.log_softmax(a), y), lambda a, y: nn.nll_loss(a.log_softmax(-1), y, reduction="none"),
            (POS,)),
    "cross_entropy weights": (lambda a, w, y: F.cross_entropy(a, y, weights=w),
                              lambda a, w, y: w[y] * nn.cross_entropy(a, y, reduction="none"), (POS, (3,))),
    "cross_entropy ignored": (lambda a, y: F.cross_entropy(a, y, ignore_index=1),
                              lambda a, y: nn.cross_entropy(a, y, ignore_index=1, reduction="none"), (POS,)),
    "z_loss": (F.z_loss, lambda a: a.logsumexp(-1) ** 2, (POS,)),
}


def _conv(theirs: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Theirs with our layouts: x is N×…×C, w is …×C×K."""
    def call(x: Any, w: Any) -> Any:
        kernel = w.movedim((-1, -2), (0, 1))
        return theirs(x.movedim(-1, 1), kernel, **options).movedim(1, -1)

    return call


def _last(theirs: Callable[..., Any], *args: Any, **options: Any) -> Callable[..., Any]:
    return lambda x: theirs(x.movedim(-1, 1), *args, **options).movedim(1, -1)


def _sampled(mode: str, edge: str, corners: bool) -> Case:
    """Points in an image, and outside of it."""
    return (lambda x, g: F.grid_sample(x, 2 * F.tanh(g), mode, edge, corners), lambda x, g: nn.grid_sample(
        x.movedim(-1, 1), 2 * g.tanh(), mode, edge, corners).movedim(1, -1),
        (IMAGE, (2, 3, 2, 2)))


IMAGE, VOLUME, LINE = (2, 5, 6, 4), (1, 4, 3, 5, 2), (2, 7, 4)
WINDOWS: dict[str, Case] = {
    "conv1d same": (lambda x, w: F.conv1d(x, w, padding="same", dilation=2),
                    _conv(nn.conv1d, padding="same", dilation=2), (LINE, (3, 4, 2))),
    "conv2d groups": (lambda x, w: F.conv2d(x, w, stride=2, padding=(1, 2), groups=2),
                      _conv(nn.conv2d, stride=2, padding=(1, 2), groups=2), (IMAGE, (3, 2, 2, 6))),
    "conv2d dilation": (lambda x, w: F.conv2d(x, w, dilation=(2, 1), padding=1),
                        _conv(nn.conv2d, dilation=(2, 1), padding=1), (IMAGE, (2, 3, 4, 2))),
    "conv2d valid": (lambda x, w: F.conv2d(x, w, padding="valid"), _conv(nn.conv2d), (IMAGE, (2, 3, 4, 2))),
    "conv3d": (lambda x, w: F.conv3d(x, w, stride=(1, 2, 1), padding=1),
               _conv(nn.conv3d, stride=(1, 2, 1), padding=1), (VOLUME, (2, 3, 2, 2, 3))),
    "conv_transpose1d": (lambda x, w: F.conv_transpose1d(x, w, stride=3, padding=1, output_padding=1, dilation=2),
                         _conv(nn.conv_transpose1d, stride=3, padding=1, output_padding=1, dilation=2),
                         (LINE, (3, 2, 4))),
    "conv_transpose2d": (lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1),
                         _conv(nn.conv_transpose2d, stride=2, padding=1), (IMAGE, (3, 2, 3, 4))),
    "conv_transpose3d": (F.conv_transpose3d, _conv(nn.conv_transpose3d), (VOLUME, (2, 1, 2, 3, 2))),
    "max_pool1d": (lambda x: F.max_pool1d(x, 3, 2, ceil=True), _last(nn.max_pool1d, 3, 2, ceil_mode=True), (LINE,)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, padding=1), _last(nn.max_pool2d, 3, 2, 1), (IMAGE,)),
    "max_pool3d": (lambda x: F.max_pool3d(x, 2, 1), _last(nn.max_pool3d, 2, 1), (VOLUME,)),
    "avg_pool1d": (lambda x: F.avg_pool1d(x, 2), _last(nn.avg_pool1d, 2), (LINE,)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, padding=1), _last(nn.avg_pool2d, 3, 2, 1), (IMAGE,)),
    "avg_pool3d": (lambda x: F.avg_pool3d(x, 2, 1), _last(nn.avg_pool3d, 2, 1), (VOLUME,)),
    "avg_pool1d ceil": (lambda x: F.avg_pool1d(x, 3, 4, padding=1, ceil=True),
                        _last(nn.avg_pool1d, 3, 4, 1, ceil_mode=True), (LINE,)),
    "avg_pool2d ceil": (lambda x: F.avg_pool2d(x, (2, 3), 2, padding=1, ceil=True),
                        _last(nn.avg_pool2d, (2, 3), 2, 1, ceil_mode=True), (IMAGE,)),
    "avg_pool2d without padding": (lambda x: F.avg_pool2d(x, 3, 2, padding=1, ceil=True, count_padding=False),
                                   _last(nn.avg_pool2d, 3, 2, 1, ceil_mode=True, count_include_pad=False), (IMAGE,)),
    "max_pool1d ceil": (lambda x: F.max_pool1d(x, 2, 3, padding=1, ceil=True),
                        _last(nn.max_pool1d, 2, 3, 1, ceil_mode=True), (LINE,)),
    "adaptive_avg_pool": (lambda x: F.adaptive_avg_pool(x, (2, 4)), _last(nn.adaptive_avg_pool2d, (2, 4)), (IMAGE,)),
    "adaptive_max_pool": (lambda x: F.adaptive_max_pool(x, (2, 4)), _last(nn.adaptive_max_pool2d, (2, 4)), (IMAGE,)),
    "one size": (lambda x: F.adaptive_avg_pool(x, 3) * F.adaptive_max_pool(x, 3) + F.interpolate(x, 3),
                 lambda x: _last(nn.adaptive_avg_pool2d, 3)(x) * _last(nn.adaptive_max_pool2d, 3)(x)
                 + _last(nn.interpolate, 3)(x), (IMAGE,)),
    "interpolate": (lambda x: F.interpolate(x, (7, 3)), _last(nn.interpolate, (7, 3)), (IMAGE,)),
    "interpolate linear": (lambda x: F.interpolate(x, (7, 3), mode="bilinear"),
                           _last(nn.interpolate, (7, 3), mode="bilinear"), (IMAGE,)),
    **{f"interpolate {mode}": (lambda x, mode=mode: F.interpolate(x, (7, 3), mode),
                               _last(nn.interpolate, (7, 3), mode=mode), (IMAGE,))
       for mode in ("nearest-exact", "bicubic")},
    **{f"interpolate {mode} corners": (lambda x, mode=mode: F.interpolate(x, (7, 3), mode, align_corners=True),
                                       _last(nn.interpolate, (7, 3), mode=mode, align_corners=True), (IMAGE,))
       for mode in ("bilinear", "bicubic")},
    "interpolate cubic by whole steps": (
        lambda x: F.interpolate(x, (2, 2), "cubic", align_corners=True),
        _last(nn.interpolate, (2, 2), mode="bicubic", align_corners=True), ((2, 4, 4, 3),)),
    "interpolate scale": (lambda x: F.interpolate(x, (8, 4), "linear", scale=(1.7, 0.7)),
                          _last(nn.interpolate, scale_factor=(1.7, 0.7), mode="bilinear"), (IMAGE,)),
    **{f"interpolate {mode} antialias": (lambda x, mode=mode: F.interpolate(x, (3, 7), mode, antialias=True),
                                         _last(nn.interpolate, (3, 7), mode=mode, antialias=True), (IMAGE,))
       for mode in ("bilinear", "bicubic")},
    "max_pool2d dilation": (lambda x: F.max_pool2d(x, 2, 1, dilation=(2, 3)), _last(nn.max_pool2d, 2, 1, 0, (2, 3)),
                            (IMAGE,)),
    "avg_pool2d divisor": (lambda x: F.avg_pool2d(x, 3, 2, padding=1, divisor=4),
                           _last(nn.avg_pool2d, 3, 2, 1, divisor_override=4), (IMAGE,)),
    **{f"grid_sample {mode} {edge} {corners}": _sampled(mode, edge, corners) for mode, edge, corners in (
        ("nearest", "border", False), ("bilinear", "reflection", True), ("bicubic", "zeros", False),
        ("bicubic", "reflection", False), ("bilinear", "border", True))},
    "grid_sample volumes": (lambda x, g: F.grid_sample(x, F.tanh(g)), lambda x, g: nn.grid_sample(
        x.movedim(-1, 1), g.tanh(), align_corners=False).movedim(1, -1), (VOLUME, (1, 2, 3, 2, 3))),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), _last(nn.pixel_shuffle, 2), (IMAGE,)),
    "grid_sample": (lambda x, g: F.grid_sample(x, F.tanh(g)), lambda x, g: nn.grid_sample(
        x.movedim(-1, 1), g.tanh(), align_corners=False).movedim(1, -1), (IMAGE, (2, 3, 2, 2))),
}


@pytest.mark.parametrize(("ours", "theirs", "shapes"), WINDOWS.values(), ids=WINDOWS)
def test_windows(ours: Callable[..., Node], theirs: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]) -> None:
    rng = np.random.default_rng(8)
    close_to_torch(ours, theirs, {f"x{i}": rng.normal(size=shape) for i, shape in enumerate(shapes)})


def _js(p: Any, q: Any) -> Any:
    middle = (p + q) / 2
    return (p * (p / middle).log() + q * (q / middle).log()).sum(-1) / 2


def _focal(z: Any, y: Any) -> Any:
    p = z.sigmoid()
    weight = 0.25 * y + 0.75 * (1 - y)
    return weight * (p * (1 - y) + (1 - p) * y) ** 2 * nn.binary_cross_entropy_with_logits(z, y, reduction="none")


@pytest.mark.parametrize(("ours", "theirs", "shapes"), LOSSES.values(), ids=LOSSES)
def test_losses_and_layers(ours: Callable[..., Node], theirs: Callable[..., Any],
                           shapes: tuple[tuple[int, ...], ...]) -> None:
    rng = np.random.default_rng(6)
    arrays = {f"x{i}": rng.normal(size=shape) for i, shape in enumerate(shapes)}
    classes = {"y": np.array([2, 1, 0, 2])} if "y" in signature(ours).parameters else {}
    close_to_torch(ours, theirs, arrays | classes)


def test_cosine_embedding_by_its_sign() -> None:
    rng, y = np.random.default_rng(1), np.array([1.0, -1.0, 1.0, -1.0])
    arrays = {"a": rng.normal(size=POS), "b": rng.normal(size=POS)}
    theirs = torch.tensor(y)
    close_to_torch(lambda a, b: F.cosine_embedding(a, b, F.concat(*[a.graph.full(v, (1,)) for v in y]), 0.2),
                   lambda a, b: nn.cosine_embedding_loss(a, b, theirs, 0.2, reduction="none"), arrays)


@pytest.mark.parametrize("labels", [[1, 1, 2], [2], []])
def test_ctc_adds_up_all_alignments(labels: list[int]) -> None:
    y, n = np.array(labels, int), torch.tensor([len(labels)])
    close_to_torch(
        lambda a, y: F.ctc(F.log_softmax(a), y),
        lambda a, y: nn.ctc_loss(a.log_softmax(-1), y, torch.tensor([6]), n[0], reduction="sum"),
        {"a": np.random.default_rng(3).normal(size=(6, 3)), "y": y},
    )


@pytest.mark.parametrize("options", [{"blank": 2}, {"reduction": "mean"}, {"reduction": "sum"}])
def test_ctc_of_a_batch_has_lengths_of_its_own(options: dict[str, Any]) -> None:
    """Equal labels side by side, no label, no step, too few steps for the labels."""
    options = {"reduction": "none", "blank": 0, "zero_infinity": True} | options
    lengths = {"n": np.array([6, 4, 0, 4, 5]), "m": np.array([3, 0, 0, 3, 2])}
    close_to_torch(
        lambda a, y, n, m: F.ctc(F.log_softmax(a), y, input_lengths=n, target_lengths=m, **options),
        lambda a, y, n, m: nn.ctc_loss(a.log_softmax(-1), y, n, m, **options),
        {"a": np.random.default_rng(3).normal(size=(6, 5, 4)), "y": np.array([[1, k, 1] for k in (1, 1, 3, 1, 3)])}
        | lengths,
    )


def test_ctc_without_an_alignment_is_infinite() -> None:
    arrays = {"a": np.zeros((2, 2, 3)), "y": np.array([[1, 1], [1, 2]])}
    graph = Graph()
    a, y = (graph.leaf(n, v.shape, kind="int" if n == "y" else "float") for n, v in arrays.items())
    row = F.ctc(F.log_softmax(a), y)
    close(value(row, **arrays), [np.inf, 2 * np.log(3)], 1e-9)
    found = gradients(row, [a], arrays, np.ones(2))[0]
    assert not np.any(found[:, 0]) and np.all(found[:, 1, 1:])


def test_bags_of_embeddings() -> None:
    table, index = np.random.default_rng(0).normal(size=(5, 3)), np.array([[0, 2], [4, 1]])
    for mode in ("mean", "sum", "max"):
        close_to_torch(lambda t, i, m=mode: F.embedding_bag(t, i, m),
                       lambda t, i, m=mode: nn.embedding_bag(i, t, mode=m), {"t": table, "i": index})


def close_to_torch(ours: Callable[..., Node], theirs: Callable[..., Any], arrays: dict[str, Any]) -> None:
    """Value and gradients agree; integers are not differentiated."""
    graph = Graph()
    leaves = [graph.leaf(n, a.shape, kind="int" if a.dtype.kind == "i" else "float") for n, a in arrays.items()]
    row, moving = ours(*leaves), [leaf for leaf in leaves if leaf.kind == "float"]
    given = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays.values()]
    expected = theirs(*given)
    close(value(row, **arrays), expected.detach().numpy(), 1e-9)
    if expected.requires_grad:
        upstream = np.cos(np.arange(expected.numel())).reshape(expected.shape)
        expected.backward(torch.tensor(upstream))
        found = iter(gradients(row, moving, arrays, upstream))
        for x in [g for g in given if g.requires_grad]:
            close(next(found), np.zeros(x.shape) if x.grad is None else x.grad.numpy(), 1e-8)


@pytest.mark.parametrize(("ours", "theirs", "shapes"), CASES.values(), ids=CASES)
def test_value_and_gradients(ours: Callable[..., Node], theirs: Callable[..., Any],
                             shapes: tuple[tuple[int, ...], ...]) -> None:
    rng = np.random.default_rng(4)
    close_to_torch(ours, theirs, {f"x{i}": rng.normal(size=shape) for i, shape in enumerate(shapes)})


def test_products_with_noughts() -> None:
    """The gradient is that of torch, which is no quotient either."""
    for zeros in ([1], [1, 3]):
        a = np.array([2.0, 3.0, -1.0, 0.5])
        a[zeros] = 0
        for ours, theirs in ((F.prod, torch.prod), (lambda x: F.cumprod(x, 0), lambda x: torch.cumprod(x, 0))):
            close_to_torch(ours, theirs, {"x": a})


EINSUMS = {
    "...i,ij->...j": ((2, 3, 4), (4, 2)), "ij,jk": ((2, 3), (3, 4)), "ba": ((2, 3),), "ii": ((3, 3),),
    "...ij,...jk": ((2, 3, 4), (1, 4, 2)), "...,...->...": ((2, 3), (3,)), "i...,i...->...": ((3, 1), (3, 2)),
    "b i, i j -> b j": ((2, 3), (3, 2)),
}


def test_places_and_sums_at_places() -> None:
    rng, index = np.random.default_rng(2), np.array([2, 0, 2])
    a, source = rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
    close_to_torch(lambda a, s, i: F.index_add(a, i, s, axis=1), lambda a, s, i: a.index_add(1, i, s),
                   {"a": a, "s": source, "i": index})
    wide = np.tile(index[:2], (2, 1))
    close_to_torch(lambda a, s, i: F.scatter(a, i, s), lambda a, s, i: a.scatter(1, i, s),
                   {"a": a, "s": source[:, :2], "i": wide})
    for ours, theirs in ((F.argmax, torch.argmax), (F.argmin, torch.argmin)):
        close_to_torch(lambda a, f=ours: f(a, axis=1), lambda a, f=theirs: f(a, 1), {"a": a})
    for pattern, shapes in EINSUMS.items():
        close_to_torch(lambda *x, p=pattern: F.einsum(p, *x), lambda *x, p=pattern: torch.einsum(p, *x),
                       {f"x{k}": rng.normal(size=shape) for k, shape in enumerate(shapes)})
    i, j = np.array([1, 0, 2]), np.array([[0], [1]])
    for choose in (lambda a, i, j: a[:, i], lambda a, i, j: a[:, j, 1:], lambda a, i, j: a[j, i],
                   lambda a, i, j: a[1, i], lambda a, i, j: a[:, i, j], lambda a, i, j: a[..., j],
                   lambda a, i, j: a[j, i, j]):
        close_to_torch(choose, choose, {"a": rng.normal(size=(2, 4, 3)), "i": i, "j": j})
    close_to_torch(lambda a: F.einsum("i->ii", a), torch.diag, {"a": rng.normal(size=3)})
    edges = np.sort(rng.normal(size=5))
    close_to_torch(F.searchsorted, torch.searchsorted, {"e": edges, "a": a})
