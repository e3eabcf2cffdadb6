"""The workloads in HIPS autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from autograd.scipy.special import logsumexp
from peers_arrays import LOSSES

Arrays = dict[str, Any]


class Lib:
    """autograd for `peers_arrays`."""

    np = anp
    logsumexp = staticmethod(lambda x: logsumexp(x, axis=-1))
    softplus = staticmethod(lambda x: anp.logaddexp(0, x))

    @staticmethod
    def scan(step: Callable[[Any, Any], Any], carry: Any, xs: Any) -> Any:
        found = []
        for t in range(xs.shape[0]):
            carry, out = step(carry, xs[t])
            found.append(out[None])
        return anp.concatenate(found)

    @staticmethod
    def conv(x: Any, w: Any) -> Any:
        """Windows side by side, then one product."""
        n, height, width, channels = x.shape
        rows = np.zeros((n, 1, width, channels), x.dtype)
        padded = anp.concatenate([rows, x, rows], axis=1)
        columns = np.zeros((n, height + 2, 1, channels), x.dtype)
        padded = anp.concatenate([columns, padded, columns], axis=2)
        windows = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
        flat = anp.reshape(anp.concatenate(windows, axis=3), (-1, 9 * channels))
        return anp.reshape(anp.dot(flat, anp.reshape(w, (9 * channels, -1))), (n, height, width, -1))

    @staticmethod
    def pool(x: Any) -> Any:
        n, height, width, channels = x.shape
        return anp.max(anp.max(anp.reshape(x, (n, height // 2, 2, width // 2, 2, channels)), axis=4), axis=2)


def build(name: str, params: Arrays, data: Arrays, wanted: list[str]) -> Callable[[], tuple[Any, Arrays]]:
    given = {**params, **data}
    leaves, rest = {k: given[k] for k in wanted}, {k: v for k, v in given.items() if k not in wanted}
    both = value_and_grad(lambda p: LOSSES[name](Lib, {**p, **rest}))
    return lambda: both(leaves)
