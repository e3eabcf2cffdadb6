"""Functions of whole matrices, over the last two axes: inverse, solutions, determinants, the Cholesky factor,
eigenvalues and -vectors of symmetric matrices, the exponential. Axes in front are a batch. Each derivative is made of
rows of these.

The derivatives are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), Murray (2016) for the Cholesky factor, and Van Loan's block matrix (1978) for the exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.entry import RESULT, At, Indices, Term, Terms
from symbackprop.core.graph import Node, label
from symbackprop.core.maths import Inverse, MatMul, Sym, negative, turned
from symbackprop.core.registry import DEFINITE, REGULAR, Cotangents, Op, Sample, Slopes, known, register
from symbackprop.core.roles import Role
from symbackprop.core.shapes import ONE, Shape, broadcast, same, same_shape, shape_text, size_of
from symbackprop.errors import ShapeError

NO_SUM = "an entry is no sum of products of entries: every one depends on the whole matrix"
COMPUTED = "computed"  # the attribute of a determinant whose gradient is made of cofactors
THIRD = sp.Rational(1, 3)
SYMMETRISED = "of a matrix that is not symmetric the symmetric part (A + Aᵀ)/2 is taken"


def swapped(a: Node) -> Node:
    """Aᵀ: the last two axes changed."""
    return build.swapaxes(a, -1, -2)


def _symmetric(a: Node) -> Node:
    half: Node = (a + swapped(a)) / 2
    return half


def _matrices(name: str, cut: int = 0, more: int = 0) -> Callable[[Any, tuple[Node, ...]], tuple[Shape, str]]:
    """The shape rule of a function of square matrices: without the last ``cut`` axes, with ``more`` rows."""

    def infer(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
        a = args[0]
        if a.ndim < 2 or not same(a.shape[-1], a.shape[-2]):
            raise ShapeError(f"{name} is of square matrices, {label(a)} is {shape_text(a.shape)}")
        shape = a.shape[: a.ndim - cut]
        return (*shape[:-2], shape[-2] + more, shape[-1]) if more else shape, "float"

    return infer


def _in_double(reference: Callable[..., Any]) -> Callable[..., Any]:
    """The reference in float64 where more digits are given, which LAPACK has not."""

    def double(np: Any, attr: Any, *arrays: Any) -> Any:
        kinds = [np.complex128 if np.iscomplexobj(a) else np.float64 for a in arrays]
        return reference(np, attr, *[np.asarray(a, kind) for a, kind in zip(arrays, kinds, strict=True)])

    return double


def _over_matrices(g: Node) -> Node:
    """One number for every matrix, with the two axes of matrices; that of a single one as it is."""
    return build.reshape(g, (*g.shape, ONE, ONE)) if g.shape else g


def _eye_of(a: Node) -> Node:
    return build.eye(a.graph, a.shape[-1])


def _where(relation: str, a: Node) -> Node:
    """The entries of a matrix whose row is in this relation to their column: below the diagonal it is greater."""
    places = build.arange(a.graph, a.shape[-1])
    return a.graph.call(relation, build.expand(places, 1), build.expand(places, 0))


def _cubes(*numbers: sp.Expr | int) -> Callable[[Sequence[Shape]], sp.Expr]:
    """What n×n matrices cost each: a polynomial in n, the number of n³ first."""
    def cost(shapes: Sequence[Shape]) -> sp.Expr:
        *batch, n, _ = shapes[0]
        return sp.expand(sp.Mul(*batch) * sp.Add(*[number * n ** (3 - k) for k, number in enumerate(numbers)]))

    return cost


def _of_squares(name: str, call: Callable[[Node], Node], *others: Callable[..., Node], cut: int = 0, more: int = 0,
                no_entry: str = NO_SUM, **facts: Any) -> None:
    """The record of a function of square matrices, without their last ``cut`` axes or with ``more`` rows."""
    shape = "without the last two axes, which are square matrices" if cut else (
        "the shape of a; its last two axes are square matrices")
    shapes = {"infer": _matrices(name, cut, more), "shape_rule": shape, "signature": f"{name}(a)"}
    samples = (Sample(((3, 3),)), Sample(((2, 2, 2),)))
    register(Op(name, **{**shapes, "samples": samples, "functions": (call, *others), "no_entry": no_entry, **facts}))


# -- inverse and solutions
@known(asks=((0, 0),))
def inv(a: Node) -> Node:
    """The inverse of square matrices. ``solve(a, b)`` is better than ``inv(a) @ b``."""
    return a.graph.make("inv", (a,))


def _slope_inv(attr: Any, shapes: Sequence[Shape], index: Indices, wanted: Indices) -> Terms:
    """∂(A⁻¹)_ij/∂A_kl = −(A⁻¹)_ik·(A⁻¹)_lj."""
    batch, (i, j), (k, x) = index[:-2], index[-2:], wanted[-2:]
    ties = tuple(zip(batch, wanted[:-2], strict=True))
    return [Term((At(RESULT, (*batch, i, k)), At(RESULT, (*batch, x, j))), -(f.Arg(0) * f.Arg(1)), (), ties)]


def _vjp_inv(output: Node, upstream: Node, *_: object) -> Cotangents:
    turn = swapped(output)
    return (-build.matmul(build.matmul(turn, upstream), turn),)


_X, _G = Sym("X"), Sym("G")

_of_squares(
    "inv", inv, no_entry="",
    show=lambda node, args: Inverse(args[0]),
    keeps_symmetry=True,
    derivative="-(inv(a).T @ upstream @ inv(a).T)",
    rule=("inverse X of A with upstream gradient G: A gets ", negative(MatMul(MatMul(turned(_X), _G), turned(_X)))),
    domain="invertible matrices",
    vjp=_vjp_inv,
    jacobian=_slope_inv,
    reference=_in_double(lambda np, attr, a: np.linalg.inv(a)),
    cost=_cubes(1),
    matrices=REGULAR,
)


@known(asks=((0, 0),))
def solve(a: Node, b: Node) -> Node:
    """The x with a @ x = b: a …×n×n, b a vector of n or matrices …×n×k."""
    if b.ndim == 1:
        columns = solve(a, build.expand(b, 1))
        return build.squeeze(columns, columns.ndim - 1)
    batch = broadcast([a.shape[:-2], b.shape[:-2]], lambda: [label(a), label(b)])
    wide = [x.graph.broadcast(x, (*batch, *x.shape[-2:])) for x in (a, b)]
    return a.graph.make("solve", wide)


def _infer_solve(attr: Any, args: tuple[Node, ...]) -> tuple[Shape, str]:
    (a, b), (_, kind) = args, _matrices("solve")(attr, args)
    if b.ndim != a.ndim or not same_shape(a.shape[:-1], b.shape[:-1]):
        raise ShapeError(f"solve: {label(a)} ({shape_text(a.shape)}) and {label(b)} ({shape_text(b.shape)}) do not fit")
    return b.shape, kind


def _vjp_solve(output: Node, upstream: Node, wanted: Sequence[bool], *_: object) -> Cotangents:
    right = solve(swapped(output.args[0]), upstream)
    return -build.matmul(right, swapped(output)) if wanted[0] else None, right


def _batch(row: Node, cut: int) -> str:
    """Letters for all axes but the last ones."""
    return "uvwxyzabcdefgh"[: row.ndim - cut]


def _slopes_solve(output: Node, place: int) -> Slopes:
    """∂X_ij/∂B_kj = (A⁻¹)_ik, ∂X_ij/∂A_kl = −(A⁻¹)_ik X_lj."""
    s, inverse = _batch(output, 2), inv(output.args[0])
    if place == 1:
        return Slopes(f"{s}ij", f"{s}kj", [(ONE, [(inverse, f"{s}ik")])])
    return Slopes(f"{s}ij", f"{s}kl", [(-ONE, [(inverse, f"{s}ik"), (output, f"{s}lj")])])


register(Op(
    name="solve",
    means="is what the first, a matrix, takes to the second",
    signature="solve(a, b)",
    shape_rule="the shape of b",
    derivative="b: solve(a.T, upstream); a: -(that @ x.T)",
    rule=("A X = B: B gets R, the solution of Aᵀ R = upstream, and A gets ", negative(MatMul(Sym("R"), turned(_X)))),
    domain="invertible matrices a",
    infer=_infer_solve,
    vjp=_vjp_solve,
    no_entry=NO_SUM,
    slopes=_slopes_solve,
    reference=_in_double(lambda np, attr, a, b: np.linalg.solve(a, b)),
    samples=(Sample(((3, 3), (3, 2))), Sample(((2, 2, 2), (2, 2, 1)))),
    functions=(solve,),
    cost=lambda shapes: _cubes(THIRD, 0, -THIRD)(shapes) + size_of(shapes[1]) * shapes[0][-1],
    matrices=REGULAR,
))


# -- determinants
@known(asks=((0, 0),))
def det(a: Node) -> Node:
    """The determinant of square matrices."""
    return a.graph.make("det", (a,))


@known(asks=((0, 0),))
def logdet(a: Node) -> Node:
    """log |det a|, which neither over- nor underflows."""
    return a.graph.make("logdet", (a,))


def _reference_logdet(np: Any, attr: Any, a: Any) -> Any:
    """Over complex numbers the continuation to first order: that of the modulus is none."""
    log = np.linalg.slogdet(np.real(a))[1]
    moved = np.iscomplexobj(a)
    return log + 1j * np.trace(np.linalg.solve(np.real(a), np.imag(a)), axis1=-2, axis2=-1) if moved else log


@known(asks=((0, 0),))
def cofactors(a: Node) -> Node:
    """The cofactors of square matrices, det(a)·inv(a).T: the gradient of `det`, also of a singular matrix."""
    return a.graph.make("cofactors", (a,))


def _vjp_det(output: Node, upstream: Node, *_: object) -> Cotangents:
    """det(A) A⁻ᵀ as it is printed, the cofactors of A in what is computed."""
    a = output.args[0]
    if output.attr == COMPUTED:
        return (_over_matrices(upstream) * cofactors(a),)
    return (_over_matrices(upstream * output) * swapped(inv(a)),)


def _vjp_cofactors(output: Node, upstream: Node, *_: object) -> Cotangents:
    """⟨G, C⟩ A⁻ᵀ − C Gᵀ A⁻ᵀ."""
    turn = swapped(inv(output.args[0]))
    whole = build.reduce_sum(upstream * output, (output.ndim - 2, output.ndim - 1))
    return (_over_matrices(whole) * turn - build.matmul(build.matmul(output, swapped(upstream)), turn),)


def _reference_cofactors(np: Any, attr: Any, a: Any) -> Any:
    """Determinants of what is left without a row and a column, to first order over complex numbers."""
    found, rest = np.zeros_like(a), range(a.shape[-1])
    for i in rest:
        for j in rest:
            rows, columns = ([k for k in rest if k != n] for n in (i, j))
            found[..., i, j] = (-1) ** (i + j) * np.linalg.det(a[..., rows, :][..., columns])
    return found


def _slopes_det(output: Node, place: int) -> Slopes:
    """∂det(A)/∂A_kl = det(A) (A⁻¹)_lk."""
    s = _batch(output, 0)
    return Slopes(s, f"{s}kl", [(ONE, [(output, s), (inv(output.args[0]), f"{s}lk")])])


def _slopes_logdet(output: Node, place: int) -> Slopes:
    """∂log|det(A)|/∂A_kl = (A⁻¹)_lk."""
    s = _batch(output, 0)
    return Slopes(s, f"{s}kl", [(ONE, [(inv(output.args[0]), f"{s}lk")])])


_of_squares(
    "det", det, cut=2, slopes=_slopes_det,
    means="is the determinant",
    derivative="upstream * det(a) * inv(a).T",
    title="determinant",
    rule=("the gradient is det(A) times the transposed inverse",),
    domain="any square matrices; of a singular one there is no second derivative",
    role=Role.DETERMINANT,
    vjp=_vjp_det,
    reference=_in_double(lambda np, attr, a: np.linalg.det(a)),
    cost=_cubes(THIRD, 0, 2 * THIRD, -1),
    matrices=REGULAR,
)
_of_squares(
    "cofactors", cofactors,
    means="are the cofactors, det(A) A⁻ᵀ",
    derivative="sum(upstream * C) * inv(a).T - C @ upstream.T @ inv(a).T, C: cofactors(a)",
    rule=("cofactors C of A with upstream gradient G: A gets the sum of G ⊙ C times A⁻ᵀ, less C Gᵀ A⁻ᵀ",),
    domain="any square matrices; of a singular one there is a value, but no gradient",
    vjp=_vjp_cofactors,
    reference=_in_double(_reference_cofactors),
    cost=_cubes(4 * THIRD, 1, 2 * THIRD, -1),
    matrices=REGULAR,
)
_of_squares(
    "logdet", logdet, cut=2, slopes=_slopes_logdet,
    means="is the logarithm of the modulus of the determinant",
    derivative="upstream * inv(a).T",
    rule=("the gradient of log |det A| is the transposed inverse",),
    domain="invertible matrices",
    vjp=lambda output, upstream, *_: (_over_matrices(upstream) * swapped(inv(output.args[0])),),
    reference=_in_double(_reference_logdet),
    cost=_cubes(THIRD, 0, -THIRD),
    matrices=REGULAR,
)


# -- triangular factors
def lu_factors(a: Node) -> Node:
    """Row numbers of square matrices in the order of partial pivoting in a first row; below them the factors of the
    rows so ordered in one matrix: L without its diagonal, which is 1, and U."""
    return a.graph.make("lu_factors", (a,))


def lu_parts(packed: Node) -> tuple[Node, Node, Node]:
    """Of what `lu_factors` gives: the P, L and U with P L U = a."""
    rows, n = packed.ndim - 2, packed.shape[-1]
    order, both = build.slice_axis(packed, rows, 0, 1), build.slice_axis(packed, rows, 1, n)
    p = packed.graph.call("equal", build.expand(build.arange(packed.graph, n), 1), order) * 1
    below = _where("greater", packed)
    return p, both * below + _eye_of(packed), both * (1 - below)


def _vjp_lu(output: Node, upstream: Node, *_: object) -> Cotangents:
    """P L⁻ᵀ (Φ(Lᵀ G) + G's upper triangle Uᵀ, its upper triangle) U⁻ᵀ, where Φ keeps what is below the diagonal."""
    (p, lower, upper), g = lu_parts(output), build.slice_axis(upstream, output.ndim - 2, 1, output.shape[-1])
    below = _where("greater", output)
    inner = build.matmul(swapped(lower), g * below) * below
    inner = inner + build.matmul(g * (1 - below), swapped(upper)) * (1 - below)
    return (build.matmul(p, solve(swapped(lower), swapped(solve(upper, swapped(inner))))),)


def _reference_lu(np: Any, attr: Any, a: Any) -> Any:
    """Doolittle's elimination; the order is decided by the real parts, so that a complex step passes."""
    found = []
    for matrix in np.reshape(a, (-1, *a.shape[-2:])):
        matrix, order = np.array(matrix), np.arange(len(matrix))
        for k in range(len(matrix)):
            top = k + int(np.argmax(np.abs(np.real(matrix[k:, k]))))
            matrix[[k, top]], order[[k, top]] = matrix[[top, k]], order[[top, k]]
            matrix[k + 1 :, k] = matrix[k + 1 :, k] / matrix[k, k]
            matrix[k + 1 :, k + 1 :] = matrix[k + 1 :, k + 1 :] - np.outer(matrix[k + 1 :, k], matrix[k, k + 1 :])
        found.append(np.concatenate([order[None, :], matrix]))
    return np.reshape(np.stack(found), (*a.shape[:-2], a.shape[-1] + 1, a.shape[-1]))


_of_squares(
    "lu_factors", lu_factors, more=1,
    means="holds the order of the rows in its first row, and below it the triangular factors of the rows so ordered",
    shape_rule="a row more than a, whose last two axes are square: the order of rows, below it L - 1 and U in one",
    derivative="P @ inv(L).T @ (tril(L.T @ G, -1) + triu(triu(G) @ U.T)) @ inv(U).T, G: upstream without its first row",
    title="triangular factors L and U of A",
    rule=("A gets P L⁻ᵀ M U⁻ᵀ, M being LᵀG below the diagonal and the upper triangle of G times Uᵀ elsewhere",),
    domain="invertible matrices",
    convention="the order of the rows is that of partial pivoting, and is not differentiated",
    vjp=_vjp_lu,
    reference=_reference_lu,
    cost=_cubes(THIRD, 0, -THIRD),
    matrices=REGULAR,
)


# -- Cholesky
@known(asks=((0, 0),))
def cholesky(a: Node) -> Node:
    """The lower triangular matrix L with L Lᵀ = a, of symmetric positive definite matrices."""
    return a.graph.make("cholesky", (a,))


def _phi(a: Node) -> Node:
    """1 below the diagonal, ½ on it: what Φ keeps of a matrix."""
    return _where("greater", a) + _where("equal", a) / 2


def _vjp_cholesky(output: Node, upstream: Node, *_: object) -> Cotangents:
    """½(S + Sᵀ) for S = L⁻ᵀ Φ(Lᵀ G) L⁻¹, where Φ keeps the lower triangle and half of the diagonal."""
    turn = swapped(output)
    kept = build.matmul(turn, upstream) * _phi(output)
    return (_symmetric(solve(turn, swapped(solve(turn, swapped(kept))))),)


def _slopes_cholesky(output: Node, place: int) -> Slopes:
    """∂L_ij/∂A_kl = Σ_m L_im Φ_mj ½ ((L⁻¹)_mk (L⁻¹)_jl + (L⁻¹)_ml (L⁻¹)_jk), Φ as above."""
    s, inverse, kept = _batch(output, 2), inv(output), _phi(output)
    ends = [[(inverse, f"{s}m{a}"), (inverse, f"{s}j{b}")] for a, b in ("kl", "lk")]
    return Slopes(f"{s}ij", f"{s}kl", [(ONE / 2, [(output, f"{s}im"), (kept, "mj"), *x]) for x in ends])


def _reference_cholesky(np: Any, attr: Any, a: Any) -> Any:
    """Column by column (Cholesky and Banachiewicz), without conjugates, so that a complex step passes."""
    a = (a + np.swapaxes(a, -1, -2)) / 2
    out = np.zeros_like(a)
    for j in range(a.shape[-1]):
        rest = a[..., j:, j] - np.sum(out[..., j:, :j] * out[..., j : j + 1, :j], axis=-1)
        out[..., j:, j] = rest / np.sqrt(rest[..., :1])
    return out


_of_squares(
    "cholesky", cholesky, slopes=_slopes_cholesky,
    means="is the lower triangular matrix whose product with its transpose is the matrix",
    derivative="(S + S.T) / 2 with S = inv(L).T @ phi(L.T @ upstream) @ inv(L); phi: lower triangle, half the diagonal",
    rule=("Cholesky factor L with upstream gradient G: the gradient is the symmetric part of S = L⁻ᵀ Φ(Lᵀ G) L⁻¹; "
          "Φ keeps the lower triangle and half of the diagonal",),
    domain="symmetric positive definite matrices",
    convention=SYMMETRISED,
    vjp=_vjp_cholesky,
    reference=_reference_cholesky,
    cost=_cubes(THIRD / 2, 3 * THIRD / 2, -2 * THIRD),
    matrices=DEFINITE,
)


# -- eigenvalues
def eigensystem(a: Node) -> Node:
    """The eigenvalues of symmetric matrices, ascending, in a first row, and below them the eigenvectors as columns."""
    return a.graph.make("eigensystem", (a,))


@known(asks=((0, 0),))
def eigvalsh(a: Node) -> Node:
    """The eigenvalues of symmetric matrices, ascending."""
    return eigh(a)[0]


@known(asks=((0, 0),))
def eigh(a: Node) -> tuple[Node, Node]:
    """The eigenvalues of symmetric matrices, ascending, and their eigenvectors as columns, which have no derivative
    where eigenvalues are equal."""
    whole, rows = eigensystem(a), a.ndim - 2
    return (build.squeeze(build.slice_axis(whole, rows, 0, 1), rows),
            build.slice_axis(whole, rows, 1, a.shape[-1]))


def _vjp_eigensystem(output: Node, upstream: Node, *_: object) -> Cotangents:
    """V (diag(g) + F ∘ (Vᵀ G)) Vᵀ, its symmetric part, with F_ij = 1/(λ_j − λ_i), and 0 where they are equal."""
    rows, n = output.ndim - 2, output.shape[-1]
    (values, g), (v, down) = ([build.slice_axis(x, rows, k, m) for x in (output, upstream)]
                              for k, m in ((0, 1), (1, n)))
    inverse = output.graph.call("reciprocal", values - swapped(values))
    inner = g * _eye_of(output) + inverse * build.matmul(swapped(v), down)
    return (_symmetric(build.matmul(build.matmul(v, inner), swapped(v))),)


def _reference_eigensystem(np: Any, attr: Any, a: Any) -> Any:
    """Over complex numbers the continuation to first order: λ' = diag(Vᵀ E V), V' = V (F ∘ Vᵀ E V)."""
    a = (a + np.swapaxes(a, -1, -2)) / 2
    values, v = np.linalg.eigh(np.real(a))
    largest = np.take_along_axis(v, np.argmax(np.abs(v), axis=-2, keepdims=True), axis=-2)
    v = v * np.sign(largest)
    values = values[..., None, :]
    found = np.concatenate([values, v], axis=-2)
    if not np.iscomplexobj(a):
        return found
    inner = np.swapaxes(v, -1, -2) @ np.imag(a) @ v
    gap = values - np.swapaxes(values, -1, -2)
    turned = np.where(gap == 0, 0, inner / np.where(gap == 0, 1, gap))
    first = np.diagonal(inner, axis1=-2, axis2=-1)[..., None, :]
    return found + 1j * np.concatenate([first, v @ turned], axis=-2)


_of_squares(
    "eigensystem", eigensystem, eigvalsh, more=1,
    means="holds the eigenvalues, ascending, in its first row, and below them the eigenvectors as columns",
    shape_rule="a row more than a, whose last two axes are square: eigenvalues, below them eigenvectors as columns",
    derivative="V @ (diag(g) + F * (V.T @ G)) @ V.T, its symmetric part; F = 1/(λ_j - λ_i), g and G: upstream",
    rule=("eigenvalues λ and eigenvectors V of A: A gets the symmetric part of V (diag(g) + F ⊙ (Vᵀ G)) Vᵀ with "
          "F = 1/(λ_j − λ_i)",),
    domain="symmetric matrices; eigenvectors have a derivative where eigenvalues differ",
    convention=f"equal eigenvalues do not turn into each other (F is 0); the largest entry of an eigenvector is "
               f"positive; {SYMMETRISED}",
    vjp=_vjp_eigensystem,
    reference=_in_double(_reference_eigensystem),
)


# -- the exponential
@known(asks=((0, 0),))
def matrix_exp(a: Node) -> Node:
    """e^a of square matrices: Σ aᵏ/k!, no function of single entries."""
    return a.graph.make("matrix_exp", (a,))


def _vjp_matrix_exp(output: Node, upstream: Node, *_: object) -> Cotangents:
    """The corner of the exponential of [[Aᵀ, G], [0, Aᵀ]]."""
    turn, n = swapped(output.args[0]), output.shape[-1]
    zeros = output.graph.full(0, output.shape)
    block = build.concat([build.concat([turn, upstream], -1), build.concat([zeros, turn], -1)], -2)
    return (build.slice_axis(build.slice_axis(matrix_exp(block), -2, 0, n), -1, n, n),)


def _reference_matrix_exp(np: Any, attr: Any, a: Any) -> Any:
    """Taylor's series of a/2ᵏ, squared k times."""
    size = np.max(np.sum(np.abs(a), axis=-1), initial=0.0)
    halvings = int(np.ceil(np.log2(max(size, 1)))) + 4
    term = out = np.zeros_like(a) + np.eye(a.shape[-1])
    for k in range(1, 20):
        term = term @ (a / 2**halvings) / k
        out = out + term
    for _ in range(halvings):
        out = out @ out
    return out


_of_squares(
    "matrix_exp", matrix_exp,
    means="is the exponential of the matrix",
    derivative="the upper right corner of matrix_exp([[a.T, upstream], [0, a.T]])",
    title="matrix exponential",
    rule=("the gradient is the upper right corner of the exponential of "
          "[[Aᵀ, G], [0, Aᵀ]], G being upstream",),
    domain="any square matrices",
    vjp=_vjp_matrix_exp,
    reference=_reference_matrix_exp,
)
