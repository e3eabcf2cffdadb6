"""The functions of the model language against JAX: values, gradients, shapes, at float64."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop.core import functions as F
from symbackprop.core.functions import losses
from symbackprop.core.graph import Graph, Node
from symbackprop.core.shapes import dim, evaluate_shape
from symbackprop.errors import ModelError, ShapeError
from symbackprop.verify.interpreter import evaluate
from tests.core.helpers import by_jax, close, gradients, value
from tests.sweeps import few_in_ci

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)  # compiling is what takes the time
jnp, nn = jax.numpy, jax.nn
pytestmark = pytest.mark.oracle

ANY, POSITIVE, UNIT = (-2.0, 2.0), (0.2, 3.0), (0.05, 0.95)
M23, M34, V3 = (2, 3), (3, 4), (3,)


def case(ours: Callable[..., Node], theirs: Callable[..., Any], *shapes: tuple[int, ...], id: str,
         domain: tuple[float, float] = ANY) -> Any:
    return pytest.param(ours, theirs, shapes or (M23,), domain, id=id)


def _norm(x: Any, **options: Any) -> Any:
    return jnp.sqrt(jnp.sum(x**2, **options))


def _layer_norm(x: Any, axis: Any = -1, eps: float = 1e-5) -> Any:
    centred = x - x.mean(axis, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(axis, keepdims=True) + eps)


def _rms_norm(x: Any, axis: Any = -1, eps: float = 1e-5) -> Any:
    return x / jnp.sqrt((x**2).mean(axis, keepdims=True) + eps)


ELEMENTWISE = [
    case(F.exp, jnp.exp, id="exp"),
    case(F.log, jnp.log, id="log", domain=POSITIVE),
    case(F.log1p, jnp.log1p, id="log1p", domain=POSITIVE),
    case(F.expm1, jnp.expm1, id="expm1"),
    case(F.sqrt, jnp.sqrt, id="sqrt", domain=POSITIVE),
    case(F.abs, jnp.abs, id="abs"),
    case(F.sign, jnp.sign, id="sign"),
    case(F.sin, jnp.sin, id="sin"),
    case(F.cos, jnp.cos, id="cos"),
    case(F.tanh, jnp.tanh, id="tanh"),
    case(F.sigmoid, nn.sigmoid, id="sigmoid"),
    case(F.softplus, nn.softplus, id="softplus"),
    case(F.relu, nn.relu, id="relu"),
    case(F.leaky_relu, nn.leaky_relu, id="leaky_relu"),
    case(lambda x: F.leaky_relu(x, 0.3), lambda x: nn.leaky_relu(x, 0.3), id="leaky_relu slope"),
    case(F.prelu, lambda x, a: jnp.where(x > 0, x, a * x), M23, (), id="prelu"),
    case(F.prelu, lambda x, a: jnp.where(x > 0, x, a * x), M23, V3, id="prelu per channel"),
    case(F.elu, nn.elu, id="elu"),
    case(lambda x: F.elu(x, 0.7), lambda x: nn.elu(x, 0.7), id="elu alpha"),
    case(F.gelu, lambda x: nn.gelu(x, approximate=False), id="gelu"),
    case(F.gelu_tanh, lambda x: nn.gelu(x, approximate=True), id="gelu_tanh"),
    case(F.gelu_sigmoid, lambda x: x * nn.sigmoid(1.702 * x), id="gelu_sigmoid"),
    case(F.silu, nn.silu, id="silu"),
    case(F.swish, lambda x, b: x * nn.sigmoid(b * x), M23, (), id="swish"),
    case(F.mish, lambda x: x * jnp.tanh(nn.softplus(x)), id="mish"),
    case(F.erf, jax.scipy.special.erf, id="erf"),
    case(F.maximum, jnp.maximum, M23, V3, id="maximum"),
    case(F.minimum, jnp.minimum, M23, V3, id="minimum"),
    case(lambda x: F.maximum(x, 0.5), lambda x: jnp.maximum(x, 0.5), id="maximum with a number"),
    case(lambda c, a, b: F.where(c > 0, a, b), lambda c, a, b: jnp.where(c > 0, a, b), M23, M23, V3, id="where"),
    case(lambda x: F.where((x > -1) * (x < 1), x**2, 2), lambda x: jnp.where((x > -1) & (x < 1), x**2, 2.0),
         id="where both"),
    case(lambda a, b: (a >= b) * a + (a <= b) * b * 3 + (a < b) * a**2, lambda a, b:
         jnp.where(a >= b, a, 0) + 3 * jnp.where(a <= b, b, 0) + jnp.where(a < b, a**2, 0), M23, M23, id="comparisons"),
    case(lambda a, b: a**b, lambda a, b: a**b, M23, M23, id="power", domain=POSITIVE),
    case(lambda a: 2**a + a**-2 + a**0.5 + a**3, lambda a: 2**a + a**-2.0 + a**0.5 + a**3, id="powers",
         domain=POSITIVE),
    case(lambda a, b: (a - 2 * b) / (1 + b**2) - (-a) * b / 3, lambda a, b: (a - 2 * b) / (1 + b**2) + a * b / 3,
         M23, V3, id="arithmetic"),
]

REDUCTIONS = [
    case(lambda x, o=o, n=n: getattr(F, n)(x, **o), lambda x, o=o, t=t: t(x, **o), (2, 3, 4), id=f"{n} {o}")
    for n, t in {"sum": jnp.sum, "mean": jnp.mean, "max": jnp.max, "min": jnp.min, "var": jnp.var,
                 "logsumexp": nn.logsumexp, "norm": _norm}.items()
    for o in ({}, {"axis": 0}, {"axis": -1}, {"axis": (0, 2)}, {"axis": 1, "keepdims": True}, {"keepdims": True},
              {"axis": (1, -1), "keepdims": True})
] + [
    case(lambda x, o=o, n=n: getattr(F, n)(x, **o), lambda x, o=o, t=t: t(x, **o), (2, 3, 4), id=f"{n} {o}")
    for n, t in {"softmax": nn.softmax, "log_softmax": nn.log_softmax, "layer_norm": _layer_norm,
                 "rms_norm": _rms_norm}.items()
    for o in ({}, {"axis": 0}, {"axis": 1}, {"axis": (1, 2)})
] + [
    case(lambda x: F.softmax(x, axis=1, keepdims=True), lambda x: nn.softmax(x, axis=1), id="softmax keepdims"),
    case(lambda x: F.layer_norm(x, eps=0.5), lambda x: _layer_norm(x, eps=0.5), id="layer_norm eps"),
    case(lambda x: F.rms_norm(x, axis=0, eps=0.5), lambda x: _rms_norm(x, 0, 0.5), id="rms_norm eps"),
]

PRODUCTS = [
    *[
        case(lambda a, b: a @ b, jnp.matmul, s, t, id=f"matmul {s} {t}")
        for s, t in [(M23, M34), (V3, M34), (M23, V3), (V3, V3), ((5, 2, 3), M34), ((5, 2, 3), (5, 3, 4)),
                     ((5, 2, 3), V3), (V3, (5, 3, 4)), (M23, (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)),
                     ((1, 2, 3), (5, 3, 4))]
    ],
    case(F.dot, jnp.dot, V3, V3, id="dot"),
    case(F.outer, jnp.outer, (2,), V3, id="outer"),
    case(F.trace, jnp.trace, (3, 3), id="trace"),
    case(F.diag, jnp.diag, (3, 3), id="diag of a matrix"),
    case(F.diag, jnp.diag, V3, id="diag of a vector"),
    case(lambda a: a.T, jnp.transpose, id="T"),
    case(lambda a: F.transpose(a, (2, 0, 1)), lambda a: jnp.transpose(a, (2, 0, 1)), (2, 3, 4), id="transpose"),
    *[
        case(lambda *a, s=s: F.einsum(s, *a), lambda *a, s=s: jnp.einsum(s, *a), *shapes, id=f"einsum {s}")
        for s, shapes in {
            "ij,jk->ik": (M23, M34), "ij->": (M23,), "ij->j": (M23,), "bij,bjk->bik": ((5, 2, 3), (5, 3, 4)),
            "i,j,ij->": ((2,), V3, M23), "ijk,ik->j": ((2, 3, 4), (2, 4)), "ii->i": ((3, 3),), "ij,ij->i": (M23, M23),
            "abc,dc,d->ab": ((2, 3, 4), (5, 4), (5,)),
        }.items()
    ],
]

ARRANGEMENT = [
    case(lambda a, b: F.concat(a, b, axis=1), lambda a, b: jnp.concatenate([a, b], 1), M23, (2, 4), id="concat"),
    case(lambda a, b: F.concat([a, b, a]), lambda a, b: jnp.concatenate([a, b, a]), M23, (4, 3), id="concat of a list"),
    case(lambda a, b: F.stack(a, b, axis=1), lambda a, b: jnp.stack([a, b], 1), M23, M23, id="stack"),
    case(lambda a, b: F.stack(a, b, axis=-1), lambda a, b: jnp.stack([a, b], -1), M23, M23, id="stack last"),
    case(lambda a: F.reshape(a, (3, 2)), lambda a: a.reshape(3, 2), id="reshape"),
    case(lambda a: F.reshape(a, 3, -1), lambda a: a.reshape(3, -1), (2, 3, 2), id="reshape -1"),
    *[
        case(lambda a, k=k: a[k], lambda a, k=k: a[k], (5, 4), id=f"a[{k}]")
        for k in (0, -1, (2, 1), slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(-3, -1),
                  slice(3, 0, -2), slice(4, None, -3), (slice(None), slice(1, None)), (slice(None), -2),
                  (None, slice(0, 2)),
                  (Ellipsis, 1), (slice(None), None, slice(None, None, 3)), slice(2, 100), slice(3, 3))
    ],
    *[
        case(lambda a, s=s, x=x: F.roll(a, s, x), lambda a, s=s, x=x: jnp.roll(a, s, x), (4, 3), id=f"roll {s} {x}")
        for s, x in [(1, 0), (-1, 1), (5, 0), (-7, -1), (0, 0)]
    ],
    case(lambda a: F.repeat(a, 3, 1), lambda a: jnp.repeat(a, 3, 1), id="repeat"),
    case(lambda a: F.repeat(a, 2), lambda a: jnp.repeat(a, 2, 0), id="repeat first"),
    *[
        case(lambda a, x=x: F.flip(a, x), lambda a, x=x: jnp.flip(a, x), (3, 4), id=f"flip {x}")
        for x in (None, 0, -1, (0, 1))
    ],
    *[case(lambda a, x=x: F.sort(a, x), lambda a, x=x: jnp.sort(a, x), (3, 4), id=f"sort {x}") for x in (0, 1, -1)],
    case(lambda a: F.cumsum(a), lambda a: jnp.cumsum(a, 0), (4, 3), id="cumsum"),
    case(lambda a: F.cumsum(a, axis=-1), lambda a: jnp.cumsum(a, -1), (2, 3, 4), id="cumsum last"),
]

LOSSES = [
    case(lambda p, y: F.binary_cross_entropy(p, y), lambda p, y: -(y * jnp.log(p) + (1 - y) * jnp.log(1 - p)),
         M23, M23, id="binary_cross_entropy", domain=UNIT),
    case(F.binary_cross_entropy_with_logits, lambda z, y: nn.softplus(z) - y * z, M23, M23,
         id="binary_cross_entropy_with_logits"),
    case(lambda z, t: F.cross_entropy(z, F.softmax(t)), lambda z, t: -(nn.softmax(t) * nn.log_softmax(z)).sum(-1),
         M23, M23, id="cross_entropy with a distribution"),
    case(losses.squared_error, lambda a, b: (a - b) ** 2, M23, M23, id="squared_error"),
    case(losses.absolute_error, lambda a, b: jnp.abs(a - b), M23, M23, id="absolute_error"),
    case(losses.huber, lambda a, b: jnp.where(jnp.abs(a - b) <= 1, 0.5 * (a - b) ** 2, jnp.abs(a - b) - 0.5), M23, M23,
         id="huber"),
    case(losses.hinge, lambda s, y: nn.relu(1 - y * s), M23, M23, id="hinge"),
    case(losses.kl_divergence, lambda p, q: (p * (jnp.log(p) - jnp.log(q))).sum(-1), M23, M23, id="kl", domain=UNIT),
    case(losses.cosine_similarity, lambda a, b: (a * b).sum(-1) / (_norm(a, axis=-1) * _norm(b, axis=-1)), M23, M23,
         id="cosine_similarity"),
    case(losses.l1, lambda w: jnp.abs(w).sum(), id="l1"),
    case(losses.l2, lambda w: (w**2).sum(), id="l2"),
]


CASES = ELEMENTWISE + REDUCTIONS + PRODUCTS + ARRANGEMENT + LOSSES


@pytest.mark.parametrize(("ours", "theirs", "shapes", "domain"), few_in_ci(CASES, 2))
def test_against_jax(ours: Callable[..., Node], theirs: Callable[..., Any], shapes: Any, domain: Any) -> None:
    rng = np.random.default_rng(11)
    arrays = [rng.uniform(*domain, shape) for shape in shapes]
    graph = Graph()
    leaves = [graph.leaf(f"x{i}", shape) for i, shape in enumerate(shapes)]
    row = ours(*leaves)
    given = {f"x{i}": a for i, a in enumerate(arrays)}
    upstream = rng.normal(size=evaluate_shape(row.shape, {}))
    expected, slopes = by_jax(theirs, arrays, upstream)
    close(value(row, **given), expected)
    for our_slope, slope in zip(gradients(row, leaves, given, upstream), slopes, strict=True):
        close(our_slope, slope)


CONTRACT = {
    "exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tanh", "sigmoid", "softplus", "relu",
    "leaky_relu", "prelu", "elu", "gelu", "gelu_tanh", "gelu_sigmoid", "silu", "swish", "mish", "erf", "maximum",
    "minimum", "where", "sum", "mean", "max", "min", "var", "logsumexp", "softmax", "log_softmax", "norm",
    "cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "layer_norm", "rms_norm", "concat",
    "reshape", "transpose", "one_hot", "einsum", "conv2d", "max_pool2d", "avg_pool2d", "outer", "dot", "diag", "trace",
    "cumsum", "roll", "repeat", "stack", "take_along_axis",
}


def test_the_language_has_the_functions_it_promises() -> None:
    assert CONTRACT - set(F.FUNCTIONS) == set()
    assert set(F.CONSTANTS) >= {"arange", "zeros", "ones", "eye", "causal_mask"}


# -- functions of integers


def indexed(shape: tuple[int, ...], below: int, index_shape: tuple[int, ...]) -> tuple[Node, Node, dict[str, Any]]:
    g = Graph()
    rng = np.random.default_rng(5)
    rows = g.leaf("a", shape), g.leaf("i", index_shape, kind="int", below=sp.Integer(below))
    return *rows, {"a": rng.normal(size=shape), "i": rng.integers(0, below, index_shape)}


INDEXED = [
    pytest.param(lambda a, i: F.cross_entropy(a, i), lambda a, i: nn.logsumexp(a, -1) - (a * nn.one_hot(i, 4)).sum(-1),
                 (3, 4), 4, (3,), id="cross_entropy"),
    pytest.param(lambda a, i: F.cross_entropy(a, i), lambda a, i: nn.logsumexp(a, -1) - (a * nn.one_hot(i, 4)).sum(-1),
                 (2, 3, 4), 4, (2, 3), id="cross_entropy of a batch of sequences"),
    pytest.param(lambda a, i: F.cross_entropy(a, i), lambda a, i: nn.logsumexp(a, -1) - (a * nn.one_hot(i, 4)).sum(-1),
                 (4,), 4, (), id="cross_entropy of one example"),
    pytest.param(lambda a, i: F.pick(a, i), lambda a, i: (a * nn.one_hot(i, 4)).sum(-1), (3, 4), 4, (3,), id="pick"),
    pytest.param(lambda a, i: a[i], lambda a, i: a[i], (5, 2), 5, (4,), id="rows by index"),
    pytest.param(lambda a, i: a[i], lambda a, i: a[i], (5, 2), 5, (2, 3), id="rows by a matrix of indices"),
    pytest.param(lambda a, i: a[:, i], lambda a, i: a[:, i], (3, 4), 4, (2,), id="columns by index"),
    pytest.param(lambda a, i: a[..., i, 1:], lambda a, i: a[..., i, 1:], (2, 4, 3), 4, (3, 2), id="a middle axis"),
    pytest.param(lambda a, i: a[1, i, None], lambda a, i: a[1, i, None], (3, 4), 4, (), id="one entry by index"),
    pytest.param(lambda a, i: a[F.CONSTANTS["arange"](a.graph, 3), i], lambda a, i: a[np.arange(3), i],
                 (3, 4), 4, (3,), id="an entry of each row"),
    pytest.param(lambda a, i: a[F.broadcast(F.CONSTANTS["arange"](a.graph, 1), (3,)), i], lambda a, i: a[0, i],
                 (3, 4), 4, (3,), id="entries of the first row"),
    pytest.param(lambda a, i: a[F.CONSTANTS["arange"](a.graph, 2), i], lambda a, i: a[np.arange(2), i],
                 (2, 4, 3), 4, (2,), id="a row of each matrix"),
    pytest.param(lambda a, i: F.take_along_axis(a, i, axis=1), lambda a, i: jnp.take_along_axis(a, i, 1),
                 (3, 4), 4, (3, 2), id="take_along_axis"),
    pytest.param(lambda a, i: F.take_along_axis(a, i, axis=0), lambda a, i: jnp.take_along_axis(a, i, 0),
                 (3, 4), 3, (2, 4), id="take_along_axis first"),
    pytest.param(lambda a, i: a * F.one_hot(i, 4), lambda a, i: a * nn.one_hot(i, 4), (3, 4), 4, (3,), id="one_hot"),
    pytest.param(lambda a, i: losses.multiclass_hinge(a, i),
                 lambda a, i: (nn.relu(a - jnp.take_along_axis(a, i[:, None], 1) + 1) * (1 - nn.one_hot(i, 4))).sum(-1),
                 (3, 4), 4, (3,), id="multiclass_hinge"),
    pytest.param(lambda a, i: losses.smoothed_cross_entropy(a, i),
                 lambda a, i: nn.logsumexp(a, -1) - 0.9 * (a * nn.one_hot(i, 4)).sum(-1) - 0.1 * a.mean(-1),
                 (3, 4), 4, (3,), id="smoothed_cross_entropy"),
    pytest.param(lambda a, i: a * i + F.sqrt(1 + i), lambda a, i: a * i + jnp.sqrt(1.0 + i), (3,), 5, (3,),
                 id="integers in arithmetic"),
]


@pytest.mark.parametrize(("ours", "theirs", "shape", "below", "index_shape"), INDEXED)
def test_integers_against_jax(ours: Callable[..., Node], theirs: Callable[..., Any], shape: Any, below: int,
                              index_shape: Any) -> None:
    a, i, given = indexed(shape, below, index_shape)
    row = ours(a, i)
    upstream = np.random.default_rng(2).normal(size=evaluate_shape(row.shape, {}))
    expected, slopes = by_jax(lambda x: theirs(x, given["i"]), [given["a"]], upstream)
    close(value(row, **given), expected)
    close(gradients(row, [a], given, upstream)[0], slopes[0])


# -- constants and symbolic sizes


def test_constants() -> None:
    g = Graph()
    n = dim("N")
    rows = {name: F.CONSTANTS[name](g, *args) for name, args in
            {"arange": (n,), "eye": (n,), "zeros": (n, 2), "ones": (2, n), "causal_mask": (n,)}.items()}
    found = dict(zip(rows, evaluate(list(rows.values()), {}, {"N": 3}), strict=True))
    expected = {"arange": np.arange(3), "eye": np.eye(3), "zeros": np.zeros((3, 2)), "ones": np.ones((2, 3)),
                "causal_mask": np.tril(np.ones((3, 3)))}
    for name, array in expected.items():
        close(found[name], array)


@pytest.mark.parametrize("write", [
    lambda a: F.roll(a, 1, 0),
    lambda a: F.roll(a, -1, 0),
    lambda a: F.repeat(a, 2, 0),
    lambda a: a[1:],
    lambda a: a[:-1],
    lambda a: a[::-1],
    lambda a: a[-1],
    lambda a: F.reshape(a, -1),
    lambda a: F.mean(a, axis=0),
    lambda a: F.cumsum(a),
    lambda a: F.concat(a, a[1:]),
    lambda a: F.diag(a @ a.T),
])
def test_symbolic_sizes_agree_with_numbers(write: Callable[[Node], Node]) -> None:
    """What is declared with symbols computes what it does with numbers, shapes and gradients included."""
    at = np.random.default_rng(4).normal(size=(4, 3))
    found = []
    for shape in ((4, 3), (dim("N"), dim("D"))):
        x = Graph().leaf("x", shape)
        row = write(x)
        result = evaluate([row], {"x": at})[0]
        assert evaluate_shape(row.shape, {"N": 4, "D": 3}) == result.shape
        found.append((result, gradients(row, [x], {"x": at}, np.cos(np.arange(result.size)).reshape(result.shape))[0]))
    close(found[1][0], found[0][0])
    close(found[1][1], found[0][1])


@pytest.mark.parametrize("write", [F.trace, F.diag, lambda a: F.diagonal(a, -1), lambda a: F.diag(a.T, 1)])
def test_the_diagonal_of_a_matrix_that_has_more_columns_for_all_sizes(write: Callable[[Node], Node]) -> None:
    at = np.random.default_rng(4).normal(size=(3, 5))
    m, k = dim("M"), dim("K")
    rows = [write(Graph().leaf("x", shape)) for shape in ((3, 5), (m, m + k))]
    numbers, symbols = (evaluate([row], {"x": at})[0] for row in rows)
    close(symbols, numbers)
    with pytest.raises(ShapeError, match=r"M or K is the smaller one says how long a diagonal of x \(M x K\) is"):
        F.trace(Graph().leaf("x", (m, k)))


# -- errors


def wrong(write: Callable[[Node, Node, Node], Any]) -> str:
    g = Graph()
    n, d = dim("N"), dim("D")
    with pytest.raises(ModelError) as caught:
        write(g.leaf("X", (n, d)), g.leaf("v", (d,)), g.leaf("y", (n,), kind="int", below=d))
    return str(caught.value)


@pytest.mark.parametrize(("write", "words"), [
    (lambda X, v, y: X + v[:, None] * v, ["N", "D", "axis"]),
    (lambda X, v, y: X @ X, ["X @ X", "D", "N", "did you mean"]),
    (lambda X, v, y: v @ 2, ["scalar", "use *"]),
    (lambda X, v, y: F.sum(X, axis=2), ["axis 2", "2 axes"]),
    (lambda X, v, y: F.sum(X, axis=(0, 0)), ["twice"]),
    (lambda X, v, y: F.cross_entropy(X, X.T), ["X", "N x D", "D x N"]),
    (lambda X, v, y: F.cross_entropy(v, y), ["class indices", "v"]),
    (lambda X, v, y: X[v], ["v", "not integer data"]),
    (lambda X, v, y: X[None][0, :, y], ["y", "a[0][:, i]"]),
    (lambda X, v, y: X[y, y], ["y", "below D", "size N"]),
    (lambda X, v, y: F.one_hot(v, 3), ["v", "not integer data"]),
    (lambda X, v, y: F.reshape(X, (3,)), ["reshape", "N x D", "3"]),
    (lambda X, v, y: F.reshape(X, (-1, -1)), ["-1"]),
    (lambda X, v, y: F.concat(X, v), ["concat", "N x D", "D"]),
    (lambda X, v, y: F.transpose(X, (0, 0)), ["transpose"]),
    (lambda X, v, y: F.trace(X), ["N", "D"]),
    (lambda X, v, y: F.diag(F.sum(X)), ["axes"]),
    (lambda X, v, y: F.einsum("ij,jk->ik", X, v), ["jk", "v", "axes"]),
    (lambda X, v, y: F.einsum("ij->ik", X), ["letters"]),
    (lambda X, v, y: F.einsum("i-j", X), ["pattern"]),
    (lambda X, v, y: X[0, 0, 0], ["too many indices", "X"]),
    (lambda X, v, y: v[::0], ["step"]),
    (lambda X, v, y: v["a"], ["indexed by"]),
])
def test_errors_name_what_is_wrong(write: Callable[..., Any], words: list[str]) -> None:
    message = wrong(write)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(("write", "words"), [
    (lambda x, n: F.fold(x, 5), "windows of 4 at stride 1 are 2 along an axis of size 5, x has 3"),
    (lambda x, n: F.fold(x, 10, stride=2), "are 4 along an axis of size 10, x has 3"),
    (lambda x, n: F.fold(x, n), "are N - 3 along an axis of size N, x has 3"),
    (lambda x, n: F.fold(x, 3), "a window of 4 does not fit into an axis of size 3"),
    (lambda x, n: F.fold(x, 6, axis=-1), "fold needs an axis of windows"),
    (lambda x, n: F.unfold(x, 0), "at least 1, not 0"),
    *[(lambda x, n, f=f, s=s: f(x, 4, stride=s), f"a stride is a whole number of at least 1, not {s}")
      for f in (F.fold, F.unfold) for s in (0, -1, 1.5, None)],
])
def test_windows_that_do_not_fit_are_told(write: Callable[[Node, sp.Expr], Node], words: str) -> None:
    """As errors of the user, when they are written."""
    graph = Graph()
    with pytest.raises(ShapeError, match=re.escape(words)):
        write(graph.leaf("x", (3, 4)), dim("N"))


def test_fixed_sizes_are_checked() -> None:
    x = Graph().leaf("x", (3,))
    for write in (lambda: x[3], lambda: x[-4], lambda: F.reshape(x, (2, 2)), lambda: x + Graph().leaf("y", (2,))):
        with pytest.raises(ModelError):
            write()
    with pytest.raises(ShapeError, match="axis -1 is 3 in one and 2 in the other"):
        x + x.graph.leaf("y", (2,))


def test_channels_that_stand_first_are_told() -> None:
    m = Graph()
    with pytest.raises(ShapeError, match=r'with the same C\. They fit layout="NCHW"$'):
        F.conv2d(m.leaf("x", (2, 3, 16, 16)), m.leaf("w", (8, 3, 3, 3)), padding=1)
    with pytest.raises(ShapeError, match=r"kh x kw x C/2 x K with the same C$"):
        F.conv2d(m.leaf("y", (2, 9, 9, 4)), m.leaf("v", (3, 3, 4, 8)), groups=2)


def test_singular_values_of_unknown_number() -> None:
    graph, m, n, more = Graph(), dim("M"), dim("N"), dim("K")
    with pytest.raises(ShapeError, match=r"A \(M x N\) has: write the larger one as a sum, N \+ K x N for more rows"):
        F.svd(graph.leaf("A", (m, n)))
    for name, shape in {"B": (n + more, n), "C": (n, n + more)}.items():
        assert F.svd(graph.leaf(name, shape))[1].shape == (n,)


@pytest.mark.parametrize("place", [1, -1])
def test_a_number_takes_one_row(place: int) -> None:
    graph, a = Graph(), np.arange(6.0).reshape(2, 3)
    row = F.take(graph.leaf("x", (2, 3)), graph.const(place), axis=1)
    close(value(row, x=a), a[:, place])
