"""Every op against JAX: its value and its vector-Jacobian product, by JAX's own implementation of the same op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from symbackprop.core.registry import Op, Sample
from tests.core.helpers import by_jax, close, gradients
from tests.core.test_ops_registry import ARRAYS, Call

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)  # compiling is what takes the time
jnp = jax.numpy
pytestmark = pytest.mark.oracle


def _elementwise(kernel: Any, *arrays: Any) -> Any:
    """The kernel's canonical expression through SymPy's own printer: nothing of the product's evaluation."""
    import sympy as sp

    from symbackprop.core.scalars import PLACEHOLDERS

    return sp.lambdify(PLACEHOLDERS[: len(arrays)], kernel.expr, modules=[{"tanh": jnp.tanh}, jnp])(*arrays)


def _slice(attr: Any, a: Any) -> Any:
    axis, start, length, step = attr
    return jnp.take(a, jnp.array([start + k * step for k in range(length)]), axis=axis)


def _pad(attr: Any, a: Any) -> Any:
    axis, start, size, step = attr
    moved = jnp.moveaxis(a, axis, 0)
    places = start + step * jnp.arange(moved.shape[0])
    return jnp.moveaxis(jnp.zeros((size, *moved.shape[1:])).at[places].set(moved), 0, axis)


def _put(attr: Any, g: Any, index: Any) -> Any:
    axis, size = attr
    hot = jax.nn.one_hot(jnp.moveaxis(index, axis, -1), size)
    return jnp.moveaxis(jnp.einsum("...j,...js->...s", jnp.moveaxis(g, axis, -1), hot), -1, axis)


def _scatter(rows: int, g: Any, index: Any) -> Any:
    return jnp.zeros((rows, *g.shape[index.ndim :])).at[index].add(g)


def _unfold(attr: Any, a: Any) -> Any:
    axis, width, stride = attr
    count = (a.shape[axis] - width) // stride + 1
    places = stride * jnp.arange(count)[:, None] + jnp.arange(width)
    return jnp.take(a, places, axis=axis)


def _fold(attr: Any, a: Any) -> Any:
    axis, size, stride = attr
    moved = jnp.moveaxis(a, (axis, axis + 1), (0, 1))
    places = stride * jnp.arange(moved.shape[0])[:, None] + jnp.arange(moved.shape[1])
    return jnp.moveaxis(jnp.zeros((size, *moved.shape[2:])).at[places].add(moved), 0, axis)


def _conv(attr: Any, x: Any, w: Any) -> Any:
    stride, padding, _ = attr
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, w, stride, [(p, p) for p in padding], dimension_numbers=layout)


def _conv_input(attr: Any, y: Any, w: Any) -> Any:
    x = jnp.zeros((y.shape[0], *attr[2], w.shape[2]))
    return jax.vjp(lambda x: _conv(attr, x, w), x)[1](y)[0]


def _conv_kernel(attr: Any, x: Any, y: Any) -> Any:
    w = jnp.zeros((*attr[2], x.shape[3], y.shape[3]))
    return jax.vjp(lambda w: _conv(attr, x, w), w)[1](y)[0]


ORACLE: dict[str, Callable[..., Any]] = {
    "elementwise": _elementwise,
    "einsum": lambda pattern, *arrays: jnp.einsum(str(pattern), *arrays),
    "sum": lambda attr, a: jnp.sum(a, axis=attr[0], keepdims=attr[1]),
    "max": lambda attr, a: jnp.max(a, axis=attr[0], keepdims=attr[1]),
    "logsumexp": lambda attr, a: jax.nn.logsumexp(a, axis=attr[0], keepdims=attr[1]),
    "softmax": lambda axis, a: jax.nn.softmax(a, axis=axis),
    "broadcast": lambda shape, a: jnp.broadcast_to(a, shape),
    "reshape": lambda shape, a: jnp.reshape(a, shape),
    "concat": lambda axis, *parts: jnp.concatenate(parts, axis=axis),
    "slice": _slice,
    "pad": _pad,
    "gather": lambda attr, table, index: table[index],
    "scatter_add": _scatter,
    "take_along_axis": lambda axis, a, index: jnp.take_along_axis(a, index, axis=axis),
    "put_along_axis": _put,
    "unfold": _unfold,
    "fold": _fold,
    "conv2d": _conv,
    "conv2d_input": _conv_input,
    "conv2d_kernel": _conv_kernel,
    "eye": lambda n: jnp.eye(n),
    "arange": lambda n: jnp.arange(n),
    "stop_gradient": lambda attr, a: jax.lax.stop_gradient(a),
}


def oracle_of(op: Op) -> Callable[..., Any]:
    if op.name not in ORACLE:
        pytest.skip(f"no counterpart of {op.name} in JAX is listed; its derivative is tested by differences")
    return ORACLE[op.name]


CASES = [pytest.param(op, s, id=f"{op.name}-{i}") for op in ARRAYS for i, s in enumerate(op.samples)]


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_value_and_vjp(op: Op, sample: Sample) -> None:
    call = Call(op, sample)
    theirs = oracle_of(op)

    def oracle(*floats: Any) -> Any:
        arrays = list(call.arrays)
        for i, a in zip(call.floats, floats, strict=True):
            arrays[i] = a
        return theirs(sample.attr, *arrays)

    floats = [call.arrays[i] for i in call.floats]
    expected, slopes = by_jax(oracle, floats, call.upstream) if floats else (oracle(), [])
    close(call.value(*call.arrays), expected)
    found = gradients(call.row, [call.leaves[i] for i in call.floats], call.given(), call.upstream)
    for gradient, slope in zip(found, slopes, strict=True):
        close(gradient, slope)
