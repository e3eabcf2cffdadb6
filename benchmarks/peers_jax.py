"""The workloads in JAX, compiled: `jit` of `value_and_grad`, loops as `lax.scan`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from peers_arrays import LOSSES

Arrays = dict[str, Any]


class Lib:
    """JAX for `peers_arrays`."""

    np = jax.numpy
    logsumexp = staticmethod(lambda x: jax.nn.logsumexp(x, axis=-1))
    softplus = staticmethod(jax.nn.softplus)

    @staticmethod
    def scan(step: Callable[[Any, Any], Any], carry: Any, xs: Any) -> Any:
        return jax.lax.scan(step, carry, xs)[1]

    @staticmethod
    def conv(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    @staticmethod
    def pool(x: Any) -> Any:
        return jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def build(name: str, params: Arrays, data: Arrays, wanted: list[str]) -> Callable[[], tuple[Any, Arrays]]:
    given = {k: jax.numpy.asarray(v) for k, v in {**params, **data}.items()}
    leaves, rest = {k: given[k] for k in wanted}, {k: v for k, v in given.items() if k not in wanted}
    both = jax.jit(jax.value_and_grad(lambda p, d: LOSSES[name](Lib, {**p, **d})))
    return lambda: jax.block_until_ready(both(leaves, rest))
