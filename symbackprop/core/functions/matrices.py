"""Functions of matrices made of those in `core.ops.matrices`: triangles, decompositions, least squares, powers."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

import sympy as sp

from symbackprop.core import build
from symbackprop.core.functions.calls import function, plain
from symbackprop.core.functions.pointwise import sign, where
from symbackprop.core.graph import Node, label
from symbackprop.core.ops.matrices import cholesky, det, eigh, inv, logdet, lu_factors, lu_parts, solve, swapped
from symbackprop.core.registry import known
from symbackprop.core.shapes import normalise_axis, same, shape_text, smaller
from symbackprop.errors import ShapeError


def triangle(a: Node, below: bool, k: int) -> Node:
    """The entries of the last two axes on one side of the k-th diagonal, itself included; 0 on the other side."""
    row, column = (build.expand(build.arange(a.graph, a.shape[i - 2]), 1 - i) for i in (0, 1))
    return where(a.graph.call("greater_equal" if below else "less_equal", row + k, column), a, 0)


@function
def tril(a: Node, k: int = 0) -> Node:
    """The lower triangle up to the k-th diagonal, 0 above it."""
    return triangle(a, True, k)


@function
def triu(a: Node, k: int = 0) -> Node:
    """The upper triangle from the k-th diagonal on, 0 below it."""
    return triangle(a, False, k)


@plain
def kron(a: Node, b: Node) -> Node:
    """The Kronecker product: every entry of a times the whole of b; the one with fewer axes gets some in front."""
    rank = max(a.ndim, b.ndim)
    first, second = (build.reshape(x, (*[1] * (rank - x.ndim), *x.shape)) for x in (a, b))
    pairs, left, right = [], ascii_lowercase[:rank], ascii_uppercase[:rank]
    for one, other in zip(left, right, strict=True):
        pairs += [one, other]
    wide = build.einsum(f"{left},{right}->{''.join(pairs)}", first, second)
    return build.reshape(wide, [m * n for m, n in zip(first.shape, second.shape, strict=True)])


@known(asks=((3,), (3,)))
@function
def cross(a: Node, b: Node, axis: int = -1) -> Node:
    """The cross product of vectors of 3 entries, which stand along an axis."""
    for x in (a, b):
        if not x.ndim or not same(x.shape[normalise_axis(axis, x.ndim)], sp.Integer(3)):
            raise ShapeError(f"cross is of vectors of 3 entries along an axis, and {label(x)} is {shape_text(x.shape)}")
    (a1, a2), (b1, b2) = ([_turned(x, axis, k) for k in (1, 2)] for x in (a, b))
    return a1 * b2 - a2 * b1


def _turned(x: Node, axis: int, k: int) -> Node:
    """The entries along an axis of 3 from the k-th on, then those before it."""
    return build.concat([build.slice_axis(x, axis, k, 3 - k), build.slice_axis(x, axis, 0, k)], axis)


@function
def solve_triangular(a: Node, b: Node, lower: bool = False) -> Node:
    """The x with T @ x = b for the upper, or with ``lower`` the lower, triangle T of a."""
    return solve(triangle(a, lower, 0), b)


@known(asks=((0, 0),))
@plain
def slogdet(a: Node) -> tuple[Node, Node]:
    """The sign of the determinant and log |det a|."""
    log = logdet(a)
    scale = build.reshape(-log / a.shape[-1] if a.shape[-1] != 0 else log, (*log.shape, 1, 1))
    return sign(det(a * a.graph.call("exp", scale))), log


plain(eigh)


@plain
def svd(a: Node) -> tuple[Node, Node, Node]:
    """U, the singular values (descending) and Vᵀ of a = U diag(s) Vᵀ, as in NumPy without full matrices; U and Vᵀ have
    no derivative where singular values are equal."""
    (m, n), rows = a.shape[-2:], a.ndim - 2
    k = smaller(m, n, f"how many singular values {label(a)} ({m} x {n}) has")
    if k == 0:
        none = [a.graph.full(0, (*a.shape[:-2], *shape)) for shape in ((m, k), (k,), (k, n))]
        return none[0], none[1], none[2]
    corners = [a.graph.full(0, (*a.shape[:-2], d, d)) for d in (m, n)]
    block = build.concat([build.concat([corners[0], a], -1), build.concat([swapped(a), corners[1]], -1)], -2)
    values, vectors = eigh(block)
    largest = build.slice_axis(vectors * sp.sqrt(2), -1, m + n - 1, k, -1)
    left, right = build.slice_axis(largest, rows, 0, m), build.slice_axis(largest, rows, m, n)
    return left, build.slice_axis(values, -1, m + n - 1, k, -1), swapped(right)


@function
def svdvals(a: Node) -> Node:
    """The singular values, descending: the largest eigenvalues of [[0, a], [aᵀ, 0]]."""
    return svd(a)[1]


@plain
def lu(a: Node) -> tuple[Node, Node, Node]:
    """P, L and U with P L U = a, of square matrices: a permutation, ones on the diagonal of L, an upper triangle U."""
    return lu_parts(lu_factors(a))


@plain
def qr(a: Node) -> tuple[Node, Node]:
    """Q with orthonormal columns and the upper triangle R of a = Q R; a has full column rank, R a positive diagonal."""
    first = swapped(cholesky(swapped(a) @ a))
    q = swapped(solve(swapped(first), swapped(a)))
    again = swapped(cholesky(swapped(q) @ q))  # what rounding has left of orthogonality, mended
    return swapped(solve(swapped(again), swapped(q))), again @ first


def _is_wide(a: Node) -> bool:
    """Whether there are fewer rows than columns, as far as that is known."""
    return bool((a.shape[-1] - a.shape[-2]).is_positive)


@function
def lstsq(a: Node, b: Node) -> Node:
    """The x for which ‖a @ x − b‖ is least, of several the shortest one; a has full rank."""
    if _is_wide(a):
        return pinv(a) @ b
    q, r = qr(a)
    return solve(r, swapped(q) @ b)


@known(asks=((0, 0),))
@function
def pinv(a: Node) -> Node:
    """The pseudo-inverse of a matrix of full rank: (aᵀ a)⁻¹ aᵀ, or aᵀ (a aᵀ)⁻¹ where it has fewer rows than columns."""
    if _is_wide(a):
        return swapped(pinv(swapped(a)))
    q, r = qr(a)
    return solve(r, swapped(q))


@known(asks=((0, 0),))
@function
def matrix_power(a: Node, n: int) -> Node:
    """a @ a @ … of square matrices, n times; of the inverse for negative n."""
    base, power = inv(a) if n < 0 else a, build.eye(a.graph, a.shape[-1])
    if n == 0:
        return a.graph.broadcast(power, a.shape)
    for left in range(abs(n).bit_length()):
        base = base @ base if left else base
        power = power @ base if abs(n) >> left & 1 else power
    return power
