"""f(a, b) against f of what the arguments broadcast to, for every function of several arrays, and f(a) of an array that
was broadcast: values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from typing import Any

import numpy as np
import pytest

from symbackprop.core import functions as F
from symbackprop.core.graph import Graph, Node
from symbackprop.core.reverse import vjp
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import close
from tests.sweeps import few_in_ci

FULL = (3, 2, 4)
SMALLER = [(4,), (2, 1), (1, 2, 4), (3, 1, 1), (2, 4), ()]
PAIRS = [(FULL, s) for s in SMALLER] + [(s, FULL) for s in SMALLER[:-1]] + [((2, 1), (3, 1, 4)), ((3, 1, 1), (4,))]

TWO: dict[str, Callable[[Node, Node], Node]] = {
    name: getattr(F, name)
    for name in (
        "absolute_error", "binary_cross_entropy", "binary_cross_entropy_with_logits", "elu", "equal", "greater",
        "greater_equal", "hinge", "huber", "less", "less_equal", "leaky_relu", "maximum", "minimum", "not_equal",
        "prelu", "squared_error", "swish", "dropout", "atan2", "logaddexp", "remainder", "floor_divide", "polygamma",
        "xlogy", "xlog1py", "mse", "mae", "smooth_l1", "js_divergence", "focal", "poisson_nll", "add", "subtract",
        "multiply", "divide",
    )
} | {
    "kl_divergence": F.kl_divergence,
    "kl_divergence 0": lambda a, b: F.kl_divergence(a, b, axis=-2),
    "cosine_similarity": F.cosine_similarity,
    "cosine_similarity -2": lambda a, b: F.cosine_similarity(a, b, axis=-2),
    "cosine_similarity both": lambda a, b: F.cosine_similarity(a, b, axis=(0, 2)),
    "cosine_similarity all": lambda a, b: F.cosine_similarity(a, b, axis=None),
    "where": lambda a, b: F.where(a > b, a, b * b),
    "where condition": lambda a, b: F.where(a > 0.5, b, 2),
    "huber delta": lambda a, b: F.huber(a, 0.2, b),
    "margin_ranking": lambda a, b: F.margin_ranking(a, b, 1, b),
    "gaussian_nll": lambda a, b: F.gaussian_nll(a, b, a * b + 0.1),
    "triplet": lambda a, b: F.triplet(a, b, a * b),
    "quantile": lambda a, b: F.quantile(a - b, 0.3, axis=1),
    "norm": lambda a, b: F.norm(a - b, axis=1, order=3),
    "var": lambda a, b: F.var(a * b, ddof=1),
    "std": lambda a, b: F.std(a * b, axis=0, ddof=1),
    "recurrence": lambda a, b: F.recurrence(a * b, a + b, 1),
    "clip": lambda a, b: F.clip(a, b / 2, b + 0.1),
    "dropout rate": lambda a, b: F.dropout(a, a > 0.4, b),
    "layer_norm": lambda a, b: F.layer_norm(a - b, eps=0.1),
    "power": lambda a, b: a**b,
    "arithmetic": lambda a, b: (a - 2 * b) / (1 + a * b),
}

ONE: dict[str, Callable[[Node], Node]] = {
    name: getattr(F, name)
    for name in (
        "sum", "mean", "max", "min", "var", "logsumexp", "softmax", "log_softmax", "norm", "layer_norm", "rms_norm",
        "batch_norm", "cumsum", "l1", "l2", "rotary", "gelu", "mish", "silu", "relu", "abs", "exp", "normal_cdf",
    )
} | {
    f"{name} {axis}": lambda a, name=name, axis=axis: getattr(F, name)(a, axis=axis)
    for name in ("sum", "mean", "max", "min", "var", "logsumexp", "softmax", "log_softmax", "norm", "layer_norm")
    for axis in (0, 1, (0, 2))
} | {
    "keepdims": lambda a: F.norm(a, axis=1, keepdims=True) + F.sum(a, axis=1, keepdims=True) + F.max(a, 1, True),
    "attention": lambda a: F.attention(a, 2 * a, a * a, causal=False),
    "cross_entropy": lambda a: F.cross_entropy(a, F.softmax(a * a)),
    "cosine_similarity": lambda a: F.cosine_similarity(a, a * a + 1),
    "repeat": lambda a: F.repeat(a, 2, 1),
    "roll": lambda a: F.roll(a, 1, 2),
    "concat": lambda a: F.concat(a, a * a, axis=1),
    "stack": lambda a: F.stack(a, a * a, axis=1),
    "einsum": lambda a: F.einsum("abc,abd->cd", a, a),
    "transpose": lambda a: F.transpose(a, (2, 0, 1)),
    "reshape": lambda a: F.reshape(a, -1),
    "unfold": lambda a: F.unfold(a, 2, axis=1),
}

SHAPED = {  # they ask for shapes that fit each other, or take no two arrays
    "attention", "grouped_attention", "concat", "stack", "conv1d", "conv2d", "conv2d_input", "conv2d_kernel",
    "cross_entropy", "smoothed_cross_entropy",
    "multiclass_hinge", "dot", "outer", "einsum", "pick", "take_along_axis", "put_along_axis", "scatter_add",
    "reshape", "rms_norm", "batch_norm", "rotary", "nll", "ctc", "cdist",
    "embedding_bag", "index_add", "take", "scatter", "kron", "tile", "permute",
    "full_like", "pow", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "grid_sample",
    "cosine_embedding", "searchsorted", "solve", "solve_triangular", "lstsq", "running_batch_norm",
    "instance_norm", "group_norm", "cross", "shifted_logsumexp", "insert",
}


def test_every_function_of_several_arrays_is_listed() -> None:
    several = {n for n, call in F.FUNCTIONS.items() if _arrays(call) > 1}
    assert several - {n.split()[0] for n in TWO} - SHAPED == set()


def _arrays(call: Callable[..., Any]) -> int:
    places = signature(call).parameters.values()
    return sum(2 if p.kind is Parameter.VAR_POSITIONAL else p.annotation in ("Node", "Operand") for p in places)


def numbers(shapes: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """Different numbers between 0 and 1, so that nothing ties and probabilities are some."""
    rng = np.random.default_rng(5)
    return {f"x{i}": rng.uniform(0.1, 0.9, shape) for i, shape in enumerate(shapes)}


def results(write: Callable[..., Node], given: dict[str, Any], wide: tuple[int, ...] | None = None) -> list[Any]:
    """The value and the gradients by every leaf; ``wide``: each is broadcast to that shape before it is used."""
    g = Graph()
    leaves = [g.leaf(name, np.shape(a)) for name, a in given.items()]
    row = write(*(leaves if wide is None else [g.broadcast(x, g.full(1, wide).shape) for x in leaves]))
    seed = g.leaf("seed", row.shape, "upstream")
    at = {**given, "seed": np.cos(np.arange(np.prod(row.shape, dtype=int))).reshape([int(d) for d in row.shape])}
    return evaluate([row, *vjp([row], [seed], leaves)], at)


def folded(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Summed over the axes along which an array of that shape was repeated."""
    lead = gradient.ndim - len(shape)
    axes = tuple(k + lead for k, d in enumerate(shape) if d == 1 and gradient.shape[k + lead] != 1)
    return gradient.sum(axis=(*range(lead), *axes)).reshape(shape)


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", few_in_ci(TWO, 3))
def test_arguments_broadcast_first(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    given = numbers(shapes)
    wide = np.broadcast_shapes(*shapes)
    expected = results(TWO[name], {k: np.broadcast_to(a, wide) for k, a in given.items()})
    for found in (results(TWO[name], given), results(TWO[name], given, wide)):
        close(found[0], expected[0])
        for gradient, whole, shape in zip(found[1:], expected[1:], shapes, strict=True):
            close(gradient, folded(whole, shape))


@pytest.mark.parametrize("shape", SMALLER, ids=str)
@pytest.mark.parametrize("name", few_in_ci(ONE, 3))
def test_an_array_that_was_broadcast(name: str, shape: tuple[int, ...]) -> None:
    given = numbers([shape])
    value, gradient = results(ONE[name], given, FULL)
    expected, whole = results(ONE[name], {"x0": np.broadcast_to(given["x0"], FULL)})
    close(value, expected)
    close(gradient, folded(whole, shape))
