"""How large the Jacobian of a carried value is from step to step, in numbers: what vanishes and what explodes.

NumPy is imported by the functions that compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop, body_leaf
from symbackprop.core.reverse import vjp

MAX_ENTRIES = 512  # entries of a carried value, per row of the batch, above which no Jacobian is formed


def jacobian_norms(scan: Node, place: int, args: list[Any], sizes: Mapping[str, int]) -> list[float] | None:
    """The spectral norm of ∂h_t/∂h_{t−1} at every step in the order of the loop, then that of ∂h_T/∂h_0; for a batch
    the largest over its rows. None for a carried value that is no vector or batch of vectors, or is too long."""
    import numpy as np

    loop: Loop = scan.attr
    leaf, row = loop.carry[place], loop.carried[place]
    start = np.asarray(args[place], dtype=float)
    if start.ndim > 2 or start.shape[-1:] > (MAX_ENTRIES,):
        return None
    seed = body_leaf(scan.graph, "seed", row.shape)
    gradient = vjp([row], [seed], [leaf], stop=loop.stop)[0]
    norms, product = [], None
    for given in _steps(loop, args, sizes):
        jacobian = _jacobian(gradient, seed, loop, given, sizes, start.shape)
        norms.append(float(np.linalg.norm(jacobian, 2, axis=(-2, -1)).max()))
        product = jacobian if product is None else jacobian @ product
    if product is not None:
        norms.append(float(np.linalg.norm(product, 2, axis=(-2, -1)).max()))
    return norms


def _steps(loop: Loop, args: list[Any], sizes: Mapping[str, int]) -> list[dict[int, Any]]:
    """The values of the body's leaves at every step."""
    from symbackprop.core.shapes import evaluate_dim
    from symbackprop.verify.interpreter import Program

    n, m = len(loop.carry), len(loop.sequences)
    body = Program(loop.carried, sizes, loop.stop)
    carry, length, found = list(args[:n]), evaluate_dim(loop.length, sizes), []
    fixed = {leaf.id: a for leaf, a in zip(loop.invariants, args[n + m :], strict=True)}
    for t in reversed(range(length)) if loop.reverse else range(length):
        moving = {leaf.id: a[t] for leaf, a in zip(loop.sequences, args[n : n + m], strict=True)}
        given = {c.id: a for c, a in zip(loop.carry, carry, strict=True)} | moving | fixed
        found.append(given)
        values = body.run(given)
        carry = [values[r.id] for r in loop.carried]
    return found


def _jacobian(
    gradient: Node, seed: Node, loop: Loop, given: dict[int, Any], sizes: Mapping[str, int], shape: tuple[int, ...]
) -> Any:
    """∂(next value)/∂(carried value) of every row of the batch, one row of it per seed: batch × H × H."""
    import numpy as np

    from symbackprop.verify.interpreter import Program

    program = Program([gradient], sizes, loop.stop | {seed.id})
    width = shape[-1] if shape else 1
    rows = []
    for k in range(width):
        one = np.zeros(shape)
        one.reshape(-1, width)[:, k] = 1.0
        rows.append(np.broadcast_to(program.run({**given, seed.id: one})[gradient.id], shape).reshape(-1, width))
    return np.stack(rows, axis=1)
