"""Convolution, pooling, attention, recurrent cells against PyTorch and JAX: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symbackprop.core.functions import layers, losses, windows
from symbackprop.core.graph import Graph, Node
from symbackprop.core.shapes import dim, evaluate_shape
from symbackprop.errors import ModelError
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close, gradients, value

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle
TF = torch.nn.functional


def case(ours: Callable[..., Node], theirs: Callable[..., Any], *shapes: tuple[int, ...], id: str) -> Any:
    return pytest.param(ours, theirs, shapes, id=id)


def nhwc(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


def nchw(x: Any) -> Any:
    return x.permute(0, 3, 1, 2)


def conv(stride: Any = 1, padding: Any = 0) -> tuple[Callable[..., Node], Callable[..., Any]]:
    return (
        lambda x, w: windows.conv2d(x, w, stride=stride, padding=padding),
        lambda x, w: nhwc(TF.conv2d(nchw(x), w.permute(3, 2, 0, 1), stride=stride, padding=padding)),
    )


def attend(q: Any, k: Any, v: Any, causal: bool = False) -> Any:
    return TF.scaled_dot_product_attention(q, k, v, is_causal=causal)


def cosine(a: Any, b: Any, dim: int = -1, eps: float = 1e-8) -> Any:
    return TF.cosine_similarity(a, b, dim=dim, eps=eps)


def batch_norm(x: Any) -> Any:
    flat = x.reshape(-1, x.shape[-1])
    return TF.batch_norm(flat, None, None, training=True, eps=1e-5).reshape(x.shape)


def rotary(x: Any) -> Any:
    t, d = x.shape[-2:]
    pairs = torch.arange(d // 2, dtype=torch.float64)
    angle = torch.arange(t)[:, None] * 10000.0 ** (-2 * pairs / d)
    c, s, a, b = angle.cos(), angle.sin(), x[..., : d // 2], x[..., d // 2 :]
    return torch.cat([a * c - b * s, a * s + b * c], -1)


def lstm(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
    cell = torch.lstm_cell(x, (h, c), W.T, U.T, b, torch.zeros_like(b))
    return torch.cat(cell, -1)


def gru(x: Any, h: Any, W: Any, U: Any, b: Any) -> Any:
    return torch.gru_cell(x, h, W.T, U.T, b, torch.zeros_like(b))


def both_of(pair: tuple[Node, Node]) -> Node:
    from symbackprop.core.functions import concat

    return concat(*pair, axis=-1)


IMAGES, KERNEL = (2, 5, 6, 3), (3, 2, 3, 4)
CASES = [
    case(*conv(), IMAGES, KERNEL, id="conv2d"),
    case(*conv(2), IMAGES, KERNEL, id="conv2d stride"),
    case(*conv((1, 2), (2, 1)), IMAGES, KERNEL, id="conv2d pairs"),
    case(*conv(3, 1), (1, 7, 7, 2), (3, 3, 2, 2), id="conv2d that does not reach the edge"),
    case(lambda x, w: windows.conv2d(x, w, stride=2, padding=1, layout="NCHW"), lambda x, w: TF.conv2d(x, w, stride=2,
         padding=1), (2, 3, 5, 6), (4, 3, 3, 2), id="conv2d NCHW"),
    case(lambda x, w: windows.conv1d(x, w, stride=2, padding=1), lambda x, w: TF.conv1d(x.permute(0, 2, 1),
         w.permute(2, 1, 0), stride=2, padding=1).permute(0, 2, 1), (2, 7, 3), (3, 3, 4), id="conv1d"),
    case(lambda x: windows.max_pool2d(x, 2), lambda x: nhwc(TF.max_pool2d(nchw(x), 2)), (2, 4, 6, 3), id="max_pool2d"),
    case(lambda x: windows.max_pool2d(x, 2), lambda x: nhwc(TF.max_pool2d(nchw(x), 2)), (1, 5, 7, 2),
         id="max_pool2d with a rest"),
    case(lambda x: windows.max_pool2d(x, 3, stride=2), lambda x: nhwc(TF.max_pool2d(nchw(x), 3, stride=2)),
         (1, 7, 7, 2), id="max_pool2d overlapping"),
    case(lambda x: windows.max_pool2d(x, (2, 1), layout="NCHW"), lambda x: TF.max_pool2d(x, (2, 1)), (2, 3, 4, 5),
         id="max_pool2d NCHW"),
    case(lambda x: windows.avg_pool2d(x, 2), lambda x: nhwc(TF.avg_pool2d(nchw(x), 2)), (2, 4, 6, 3), id="avg_pool2d"),
    case(lambda x: windows.avg_pool2d(x, 3, stride=1), lambda x: nhwc(TF.avg_pool2d(nchw(x), 3, stride=1)),
         (1, 5, 5, 2), id="avg_pool2d overlapping"),
    case(lambda y, w: windows.conv2d_input(y, w, (6, 4), stride=2, padding=1),
         lambda y, w: nhwc(TF.conv_transpose2d(nchw(y), w.permute(3, 2, 0, 1), stride=2, padding=1)), (2, 4, 3, 4),
         (2, 2, 3, 4), id="conv2d_input"),
    case(lambda x, y: windows.conv2d_kernel(x, y, (2, 3), padding=1),
         lambda x, y: conv_kernel(x, y), (2, 3, 4, 2), (2, 4, 4, 3), id="conv2d_kernel"),
    case(lambda a: windows.unfold(a, 3, axis=1, stride=2), lambda a: a.unfold(1, 3, 2), (2, 9), id="unfold"),
    case(losses.cosine_similarity, cosine, (2, 3), (2, 3), id="cosine_similarity"),
    case(losses.cosine_similarity, cosine, (4, 2, 3), (3,), id="cosine_similarity of one vector with many"),
    case(losses.cosine_similarity, cosine, (2, 1), (2, 3), id="cosine_similarity with an axis to repeat"),
    case(lambda a, b: losses.cosine_similarity(a, b, axis=0, eps=0.01), lambda a, b: cosine(a, b, dim=0, eps=0.01),
         (2, 3), (2, 1), id="cosine_similarity eps"),
    case(layers.batch_norm, batch_norm, (4, 3), id="batch_norm"),
    case(layers.batch_norm, batch_norm, (2, 3, 2, 3), id="batch_norm of images"),
    case(layers.attention, attend, (2, 3, 4), (2, 5, 4), (2, 5, 2), id="attention"),
    case(lambda q, k, v: layers.attention(q, k, v, causal=True), lambda q, k, v: attend(q, k, v, True),
         (2, 2, 4, 3), (2, 2, 4, 3), (2, 2, 4, 3), id="causal attention"),
    case(lambda q, k, v: layers.grouped_attention(q, k, v, causal=True), lambda q, k, v: attend(
         q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1), True), (2, 4, 3, 4), (2, 2, 3, 4), (2, 2, 3, 4),
         id="grouped attention"),
    case(lambda x: layers.merge_heads(layers.split_heads(x, 2) * 2), lambda x: 2 * x, (2, 3, 4), id="heads"),
    case(layers.rotary, rotary, (2, 3, 4), id="rotary"),
    case(lambda x, m: layers.dropout(x, m, 0.25), lambda x, m: x * m / 0.75, (2, 3), (2, 3), id="dropout"),
    case(lambda *a: both_of(layers.lstm_cell(*a)), lstm, (2, 3), (2, 2), (2, 2), (3, 8), (2, 8), (8,), id="lstm_cell"),
    case(layers.gru_cell, gru, (2, 3), (2, 2), (3, 6), (2, 6), (6,), id="gru_cell"),
]


def conv_kernel(x: Any, y: Any) -> Any:
    """The correlation of padded images with y, channel by channel."""
    return TF.conv2d(nchw(x).transpose(0, 1), nchw(y).transpose(0, 1), padding=1).permute(2, 3, 0, 1)


@pytest.mark.parametrize(("ours", "theirs", "shapes"), CASES)
def test_against_torch(ours: Callable[..., Node], theirs: Callable[..., Any], shapes: Any) -> None:
    rng = np.random.default_rng(17)
    arrays = [rng.normal(size=shape) for shape in shapes]
    graph = Graph()
    leaves = [graph.leaf(f"x{i}", shape) for i, shape in enumerate(shapes)]
    row, given = ours(*leaves), {f"x{i}": a for i, a in enumerate(arrays)}
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = theirs(*tensors)
    assert evaluate_shape(row.shape, {}) == tuple(expected.shape)
    close(value(row, **given), expected.detach().numpy())
    upstream = rng.normal(size=tuple(expected.shape))
    expected.backward(torch.tensor(upstream))
    for slope, tensor in zip(gradients(row, leaves, given, upstream), tensors, strict=True):
        close(slope, tensor.grad.numpy())


@pytest.mark.parametrize("b", [[[2.0, 1.0], [3.0, 4.0]], [3.0, 4.0], [0.0, 0.0]])
def test_cosine_similarity_of_a_zero_vector(b: Any) -> None:
    """As PyTorch's, gradients included. A vector shorter than eps has PyTorch's value but the derivative of it, which
    PyTorch's gradient there is not: it is that of the norm before it was clamped."""
    arrays = [np.array([[1.0, 2.0], [0.0, 0.0]]), np.array(b)]
    given = [torch.tensor(a, requires_grad=True) for a in arrays]
    theirs = cosine(*given)
    slopes = torch.autograd.grad(theirs.sum(), given)
    g = Graph()
    leaves = [g.leaf(f"x{i}", a.shape) for i, a in enumerate(arrays)]
    row, at = losses.cosine_similarity(*leaves), {f"x{i}": a for i, a in enumerate(arrays)}
    close(value(row, **at), theirs.detach().numpy())
    for ours, slope in zip(gradients(row, leaves, at), slopes, strict=True):
        close(ours, slope.numpy())
    short = {**at, "x0": arrays[0] * 1e-9}
    close(value(row, **short), cosine(torch.tensor(short["x0"]), torch.tensor(short["x1"])).numpy())


def test_unfold_and_fold_are_adjoint() -> None:
    g = Graph()
    a, b = g.leaf("a", (9, 2)), g.leaf("b", (4, 3, 2))
    one, other = windows.unfold(a, 3, axis=0, stride=2), windows.fold(b, 9, axis=0, stride=2)
    rng = np.random.default_rng(1)
    at = {"a": rng.normal(size=(9, 2)), "b": rng.normal(size=(4, 3, 2))}
    found = evaluate([one, other], at)
    close(np.sum(found[0] * at["b"]), np.sum(found[1] * at["a"]), 1e-12)


def test_symbolic_sizes_of_images() -> None:
    """The size of the result is a formula in the size of the image; numbers agree with it."""
    shape = (dim("N"), dim("H"), dim("W"), 2)
    x, w = (g := Graph()).leaf("x", shape), g.leaf("w", (3, 3, 2, 4))
    row = windows.max_pool2d(windows.conv2d(x, w, stride=2, padding=1), 2)
    at = {"x": np.ones((2, 9, 8, 2)), "w": np.ones((3, 3, 2, 4))}
    assert value(row, **at).shape == evaluate_shape(row.shape, {"N": 2, "H": 9, "W": 8})
    assert gradients(row, [x], at)[0].shape == (2, 9, 8, 2)


def test_groups_of_a_symbolic_number_of_channels() -> None:
    """Depthwise: every channel has kernels of its own, however many channels there are."""
    channels = dim("C")
    x, w = (g := Graph()).leaf("x", (2, 5, 6, channels)), g.leaf("w", (3, 2, 1, 2 * channels))
    row, rng = windows.conv2d(x, w, groups=channels, padding=1), np.random.default_rng(5)
    at = {"x": rng.normal(size=(2, 5, 6, 3)), "w": rng.normal(size=(3, 2, 1, 6))}
    tensors = [torch.tensor(a, requires_grad=True) for a in at.values()]
    expected = nhwc(TF.conv2d(nchw(tensors[0]), tensors[1].permute(3, 2, 0, 1), groups=3, padding=1))
    close(value(row, **at), expected.detach().numpy())
    expected.sum().backward()
    for ours, tensor in zip(gradients(row, [x, w], at), tensors, strict=True):
        close(ours, tensor.grad.numpy())


@pytest.mark.parametrize(("write", "words"), [
    (lambda x, w: windows.conv2d(x, x), "same C"),
    (lambda x, w: windows.conv2d(x, w, stride=0), "stride is a whole number of at least 1"),
    (lambda x, w: windows.conv2d(x, w, padding=-1), "padding is a whole number of at least 0"),
    (lambda x, w: windows.conv2d(x, w, layout="HWC"), "layout is one of NHWC, NCHW"),
    (lambda x, w: windows.conv2d_input(x, w, (5, 6)), "is not what conv2d makes of images of size 5 x 6"),
    (lambda x, w: windows.conv2d_input(x, w, (5,)), "size is a pair"),
    (lambda x, w: windows.conv2d_kernel(x, x, (2, 2)), "is not what conv2d makes of x"),
    (lambda x, w: windows.conv2d_kernel(x[0], w, (2, 2)), "is not what conv2d makes of"),
    (lambda x, w: windows.max_pool2d(x, 9), "does not fit"),
    (lambda x, w: windows.max_pool2d(x[0], 2), "4 axes"),
    (lambda x, w: windows.conv1d(x, w), "3 axes"),
    (lambda x, w: layers.split_heads(x[0], 5), "cannot be split"),
    (lambda x, w: layers.rotary(x), "even last axis"),
])
def test_errors(write: Callable[[Node, Node], Any], words: str) -> None:
    g = Graph()
    x, w = g.leaf("x", (2, 4, 5, 3)), g.leaf("w", (2, 2, 3, 4))
    with pytest.raises(ModelError, match=words):
        write(x, w)
