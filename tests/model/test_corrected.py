"""Refused lines of other languages and of papers: the corrected line is read itself, and is what was meant."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from symbackprop.errors import ModelError, NoResult
from symbackprop.model import Model
from symbackprop.model.text import parse_alone
from symbackprop.model.text.characters import plain_latex
from tests.core.helpers import value
from tests.model import test_complaints, test_foreign, test_pasted
from tests.model.test_foreign import s

RNG = np.random.default_rng(3)
SHAPES = {"A": (4, 3), "B": (4, 3), "S": (3, 3), "v": (3,), "u": (3,), "t": (4,), "s": (4,), "c": ()}
HEAD = "".join(f"param {n}{': ' * bool(shape)}{' x '.join(map(str, shape))}\n" for n, shape in SHAPES.items())
ARRAYS = {name: np.asarray(RNG.normal(size=shape)) for name, shape in SHAPES.items()}
ARRAYS["S"] = ARRAYS["S"] @ ARRAYS["S"].T + np.eye(3)
GIVEN: Any = SimpleNamespace(**ARRAYS)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def softmax(z: Any) -> Any:
    return np.exp(z) / np.exp(z).sum()


MEANT: list[tuple[str, Callable[[Any], Any]]] = [
    ("v(2)", lambda n: n.v[1]),
    (r"S\v", lambda n: np.linalg.solve(n.S, n.v)),
    ("[v; u]", lambda n: np.hstack([n.v, n.u])),
    ("∏ᵢ vᵢ", lambda n: n.v.prod()),
    ("Σᵢ vᵢ²", lambda n: (n.v ** 2).sum()),
    ("Σᵢ vᵢ uᵢ", lambda n: n.v @ n.u),
    ("vᵀ S v", lambda n: n.v @ n.S @ n.v),
    ("tr(SᵀS)", lambda n: np.trace(n.S.T @ n.S)),
    ("log det S", lambda n: np.linalg.slogdet(n.S)[1]),
    ("v ⊗ u", lambda n: np.outer(n.v, n.u)),
    ("S⁻¹ v", lambda n: np.linalg.solve(n.S, n.v)),
    ("σ(A v)", lambda n: sigmoid(n.A @ n.v)),
    ("½ |v|₁", lambda n: abs(n.v).sum() / 2),
    ("√(vᵀv)", lambda n: np.sqrt(n.v @ n.v)),
    ("e^{-c}", lambda n: np.exp(-n.c)), (r"\sum_i |v_i|^{2c}", lambda n: (abs(n.v) ** (2 * n.c)).sum()),
    (r"\sum_{i<j} (v_i - u_j)^2", lambda n: np.triu((n.v[:, None] - n.u) ** 2, 1).sum()),
    (r"\sum_{i \neq j} S_{ij} v_i v_j", lambda n: n.v @ (n.S - np.diag(np.diag(n.S))) @ n.v),
    (r"\sum_{i<j} \frac{v_i u_j}{2 + |v_i - v_j|}",
     lambda n: sum(n.v[i] * n.u[j] / (2 + abs(n.v[i] - n.v[j])) for i in range(3) for j in range(i + 1, 3))),
    ("1/4 Σᵢ tᵢ", lambda n: n.t.mean()),
    (r"\frac{1}{2} v^\top S v", lambda n: n.v @ n.S @ n.v / 2),
    (r"v v^\top", lambda n: np.outer(n.v, n.v)),
    ("v^T u", lambda n: n.v @ n.u),
    (r"\frac{1}{N}\sum_{i=1}^N t_i", lambda n: n.t.mean()),
    (r"\sum_{i=1}^{2} v_i", lambda n: n.v[:2].sum()),
    (r"\sum_j A_{1j} v_j", lambda n: n.A[0] @ n.v), (r"\sum_i A_{i2} t_i", lambda n: n.A[:, 1] @ n.t),
    (r"\sum_{j} \mathbf{A}_{2,j}^2", lambda n: (n.A[1] ** 2).sum()),
    (r"\sum_{i=1}^2 (v_i - u_i)^2", lambda n: ((n.v - n.u)[:2] ** 2).sum()),
    (r"\frac{1}{4}\sum_{i=1}^{4} t_i^2", lambda n: (n.t ** 2).mean()),
    (r"\sum_{i} (t_i - s_i)^2", lambda n: ((n.t - n.s) ** 2).sum()),
    (r"\log \sum_j e^{v_j}", lambda n: np.log(np.exp(n.v).sum())),
    (r"\prod_{i} v_i", lambda n: n.v.prod()),
    (r"\lVert v - u \rVert_2^2", lambda n: ((n.v - n.u) ** 2).sum()),
    (r"\|A\|_F^2", lambda n: (n.A ** 2).sum()),
    (r"\operatorname{tr}(S)", lambda n: np.trace(n.S)),
    (r"\max(0, 1 - c)", lambda n: max(0, 1 - n.c)),
    (r"\sigma(A v)", lambda n: sigmoid(n.A @ n.v)),
    (r"\tanh(A v)", lambda n: np.tanh(n.A @ n.v)),
    (r"\frac{e^{v_k}}{\sum_j e^{v_j}}", lambda n: softmax(n.v)),
    (r"\sqrt{v^\top v}", lambda n: np.sqrt(n.v @ n.v)),
    (r"\left( v - u \right)^\top S^{-1} \left( v - u \right)", lambda n: (n.v - n.u) @ np.linalg.solve(n.S, n.v - n.u)),
    (r"-\sum_k u_k \log \operatorname{softmax}(v)_k", lambda n: -(n.u * np.log(softmax(n.v))).sum()),
    (r"v \odot u", lambda n: n.v * n.u),
    (r"v \cdot u", lambda n: n.v @ n.u),
    (r"v \circ u", lambda n: n.v * n.u),
    ("c^{2} + 3c", lambda n: n.c ** 2 + 3 * n.c),
    (r"\ln c^2", lambda n: np.log(n.c ** 2)),
    (r"\mathbf{v}^\top \mathbf{u}", lambda n: n.v @ n.u),
    (r"\lvert c \rvert", lambda n: abs(n.c)),
    (r"\begin{cases} c & c > 0 \\ 0 & \text{otherwise} \end{cases}", lambda n: max(n.c, 0)),
    (r"\min_i v_i", lambda n: n.v.min()),
    (r"\max_i v_i", lambda n: n.v.max()),
    (r"\mathbb{E}[v]", lambda n: n.v.mean()),
    (r"\exp\left(-\frac{c^2}{2}\right)", lambda n: np.exp(-n.c ** 2 / 2)),
    (r"\log\left(1 + e^{-c}\right)", lambda n: np.log(1 + np.exp(-n.c))),
    (r"\text{ReLU}(A v)", lambda n: np.maximum(n.A @ n.v, 0)),
    (r"\mathrm{softmax}(v)", lambda n: softmax(n.v)),
    (r"\langle v, u \rangle", lambda n: n.v @ n.u),
    (r"\sum_{i=1}^{4}\sum_{j=1}^{3} A_{ij}^2", lambda n: (n.A ** 2).sum()),
    (r"\sum_{i,j} A_{ij} B_{ij}", lambda n: (n.A * n.B).sum()),
    ("S^2 v", lambda n: n.S @ n.S @ n.v),  # it was of the squares of the entries
    ("A S^3", lambda n: n.A @ n.S @ n.S @ n.S),
    ("v' S² u", lambda n: n.v @ n.S @ n.S @ n.u),
    ("A S^2 v", lambda n: n.A @ n.S @ n.S @ n.v),
    ("softmax(1, A)", lambda n: np.exp(A := n.A) / np.exp(A).sum(1, keepdims=True)),
    ("roll(1, v)", lambda n: np.roll(n.v, 1)),
    ("where(v, u, v > 0)", lambda n: np.where(n.v > 0, n.v, n.u)),
    ("reshape((3, 4), A)", lambda n: n.A.reshape(3, 4)),
    ("transpose((1, 0), A)", lambda n: n.A.T),
    ("einsum(A, v, 'ij,j->i')", lambda n: n.A @ n.v),
    (r"\cos 2\pi c", lambda n: np.cos(2 * np.pi * n.c)),
    ("cos 2 c", lambda n: np.cos(2 * n.c)),  # it was cos(2) * c
    ("Σᵢ vᵢ |uᵢ|", lambda n: n.v @ abs(n.u)),
    ("Σᵢ -vᵢ·uᵢ", lambda n: -n.v @ n.u),
    ("Σᵢⱼ Aᵢⱼ tᵢ vⱼ", lambda n: n.t @ n.A @ n.v),
    (r"-\frac1N\sum_{i=1}^N t_i s_i", lambda n: -(n.t * n.s).mean()),
    (r"\tfrac\pi2 \frac{c}2", lambda n: np.pi * n.c / 4),
    (r"\frac{1}{1+\exp(-v^{\top}u)}", lambda n: sigmoid(n.v @ n.u)),
    (r"\Bigl( v - u \Bigr)^\top \bigl[ v-u \bigr]", lambda n: (n.v - n.u) @ (n.v - n.u)),
    (r"\Big\| v - u \Big\|_\infty", lambda n: abs(n.v - n.u).max()),
    (r"\mathbf v^\top\mathbf{u} + \sqrt2", lambda n: n.v @ n.u + np.sqrt(2)),
    (r"v^\top \mathbf{1}", lambda n: n.v.sum()),  # it was v
    (r"A^\top \mathbf 1", lambda n: n.A.sum(0)),
    (r"\mathbf 1^\top A v", lambda n: n.A.sum(0) @ n.v),
    (r"\mathbf{1}^\top\mathbf{A}\mathbf{v} + c", lambda n: n.A.sum(0) @ n.v + n.c),  # it was sum(A, axis=0) * v
    (r"\mathbf 1\{c > 0\} c + \mathbb{1}(c < 0)", lambda n: max(n.c, 0) + (n.c < 0)),
    (r"\left[1 - c\right]_+ + (c - 1)_+^2 + [c]_{+}", lambda n: max(1 - n.c, 0) + max(n.c - 1, 0)**2 + max(n.c, 0)),
    (r"\operatorname{sign}(c)|c|", lambda n: n.c),
    (r"\log_2 c^2", lambda n: np.log2(n.c ** 2)),  # it was log2(c)^2
    (r"\sum_{i=1}^{4}\sum_{j=1}^{3} A_{ij}\log B_{ij}^2", lambda n: (n.A * np.log(n.B ** 2)).sum()),
    (r"\sum_{i=1}^{4}\left(t_i - \sum_{j=1}^{3} A_{ij} v_j\right)^2", lambda n: ((n.t - n.A @ n.v) ** 2).sum()),
    (r"\frac{1}{4}\sum_{i=1}^{4}(v^\top a^{(i)} - t^{(i)})^2", lambda n: ((n.A @ n.v - n.t) ** 2).mean()),
    (r"\sum_i \|a_i - v\|", lambda n: np.linalg.norm(n.A - n.v, axis=1).sum()),  # it was the norm of all of A - v
    (r"\sum_i t_i\|a_i\|_1", lambda n: (n.t * abs(n.A).sum(1)).sum()),
    (r"\sum_i t_i a_i^\top b_i", lambda n: n.t @ (n.A * n.B).sum(1)),  # it was t * A.T @ B
    (r"\sqrt(c^2 + 1) + \sqrt2", lambda n: np.sqrt(n.c ** 2 + 1) + np.sqrt(2)),
    (r"\sum_i \|t_i - s_i\|_2", lambda n: abs(n.t - n.s).sum()),
    ("max_i v_i", lambda n: n.v.max()),  # max_i was a number
    ("minⱼ |vⱼ|", lambda n: abs(n.v).min()),
    ("Σᵢ|vᵢ| + mean_i t_i", lambda n: abs(n.v).sum() + n.t.mean()),
    ("∑ᵢ∑ⱼ Aᵢⱼ²", lambda n: (n.A ** 2).sum()),
    ("sum_{i=1}^4 (t_i - s_i)^2", lambda n: ((n.t - n.s) ** 2).sum()),
    ("∏ᵢ vᵢ^{uᵢ²}(2+vᵢ²)^{1−uᵢ²}", lambda n: np.prod(n.v ** n.u ** 2 * (2 + n.v ** 2) ** (1 - n.u ** 2))),
    ("(1−c)₊", lambda n: max(1 - n.c, 0)),
    ("[1 - c]_+^2", lambda n: max(1 - n.c, 0) ** 2),
    ("A⊤A", lambda n: n.A.T @ n.A),
    ("A S⁻¹", lambda n: n.A @ np.linalg.inv(n.S)),  # it was A * (1/S)
    ("v'S^-1 u", lambda n: n.v @ np.linalg.solve(n.S, n.u)),  # it was v @ S^-1 * u, of entries
    ("v'S^-1u", lambda n: n.v @ np.linalg.solve(n.S, n.u)),
    ("ASSv", lambda n: n.A @ n.S @ n.S @ n.v),
    ("t * Av", lambda n: n.t * (n.A @ n.v)),
    ("c^2c", lambda n: n.c ** 3),
    ("sin² c c", lambda n: np.sin(n.c * n.c) ** 2),
    ("e^(−½c²)", lambda n: np.exp(-n.c ** 2 / 2)),
    ("2/3c", lambda n: 2 / (3 * n.c)),
]


@pytest.mark.parametrize(("typed", "meant"), MEANT)
def test_the_corrected_line_has_the_value_that_is_meant(typed: str, meant: Callable[[Any], Any]) -> None:
    lines = corrected(f"{HEAD}output Q = {typed}")
    model = Model.parse("\n".join(lines))
    assert lines[-1] != f"output Q = {typed}" or any("is read as output Q = " in note for note in model.remarks)
    found = value(model.equations["Q"], **ARRAYS)
    np.testing.assert_allclose(found, meant(GIVEN), rtol=1e-9)


@pytest.mark.parametrize("typed", [
    r"v \otimes u",  # it was solve(v, otimes) * u
    r"\sum_{i,j}(S_{ij} - u_i^\top v_j)^2",  # it was S - V @ u
    r"\sum_i \| a_i - S a_i\|^2", r"A\mathbf{1}",
    r"\sum_{i=0}^{1} v_i", r"\sum_{i=2}^3 (v_i - u_i)^2", r"\frac12\sum_{i=1}^2 (\mathbf t_i - v^\top a_i)^2",
    r"\sum_{i=1}^4\sum_{j=1}^2 A_{ij}^2",  # were of all
    r"\sum_i (a_i - v)^\top (b_i - u)",  # it was of all entries of (A - v).T @ (B - u)
    r"\sum_i i v_i", r"\sum_i \frac{v_i}{i^2}", "Σᵢ i·vᵢ",  # the index was another number's name
    r"\sum_i v_i v_i^\top", r"\sum v_i v_i^\top", r"\sum_i a_i a_i^\top", "Σᵢ vᵢvᵢᵀ",  # matrices were numbers
    r"\sum_i A_i", r"\sum_i A_i^2", r"\prod_i A_i", "Σᵢ Aᵢ",  # they were of all entries
    r"\sum_i \pi_i v_i",  # it was pi * sum(v)
])
def test_nothing_is_offered_where_it_is_not_known_what_is_meant(typed: str) -> None:
    assert corrected(f"{HEAD}output Q = {typed}")[-1] == f"output Q = {typed}"


@pytest.mark.parametrize(("declared", "read"), [
    ("param v: 4", "sum(v[:3])"), ("param v: 3", "sum(v)"), ("dim N\nparam v: N", "sum(v[:3])"),
    ("dim N = 4\nparam v: N", "sum(v[:3])"), ("dim N = 3\nparam v: N", "sum(v)"),
])
def test_sums_up_to_a_number_are_of_so_many_entries(declared: str, read: str) -> None:
    """The default of a dimension is a size too: the sum was of all four, and of N entries of all."""
    model = Model.parse(declared + "\nloss L = \\sum_{i=1}^{3} v_i")
    assert model.remarks[-1].endswith(f"is read as loss L = {read}")


@pytest.mark.parametrize(("typed", "read"), [
    (r"\sum_{i=1}^{K} v_i", "sum(v[:K])"), (r"\sum_{i=1}^{N} v_i", "sum(v)"), (r"\sum_i v_i", "sum(v)"),
    (r"\frac{1}{K}\sum_{i=1}^{K} v_i", "(1/K) * sum(v[:K])"), (r"\frac{1}{N}\sum_{i=1}^{N} v_i", "mean(v)"),
    (r"\sum_{i=1}^{K} (v_i - w_i)^2", "sum((v[:K] - w[:K])^2)"),
    (r"\sum_{i=1}^{N-1} (v_{i+1} - v_i)^2", "sum((v[1:] - v[:-1])^2)"),
    (r"\sum_{i=1}^{K-1} (v_{i+1} - v_i)^2", None),  # it was of all
    (r"\sum_{i=1}^{N}\sum_{j=1}^{N} A_{ij} w_j", None), (r"\sum_{i=1}^{M} v_i", "sum(v)"),
    (r"\sum_{i=1}^{M} v_i + \sum_{i=1}^{J} v_i", None),
    (r"\sum_{i=1}^{K+1} v_i", None), (r"\sum_{i=1}^{2K} v_i", None), (r"\sum_{i=1}^{N/2} v_i", None),  # were of all,
    (r"\sum_{i=1}^{N}\sum_{j=1}^{i} v_j", None),  # as this was
    (r"\sum_{i=1}^{K} v_i + \sum_{i=1}^{K} \|v_i\|", None),  # the second was of all
    (r"\sum_{i=1}^{K} v_i / \sum_{i=1}^{N} v_i", "sum(v[:K] / sum(v[:N]))"),
    (r"\sum_{j=1}^{2} A_{1j}", None), (r"\sum_{i=1}^{K} A_{i3}", None),  # were of all of the row and the column
    (r"\sum_{j=1}^{K} A_{1j}", "sum(A[0])"), (r"\sum_{i=1}^{N} A_{i3}", "sum(A[:, 2])"),
    (r"\sum_{i=1}^{K} v_i + \sum_{i=1}^{K+1} v_i", None),
])
def test_sums_up_to_a_dimension_are_of_so_many_entries(typed: str, read: str | None) -> None:
    """A letter that is no dimension is what ends the axis, one for each."""
    text = f"dim N, K\nparam v: N, w: K, A: N x K\noutput Q = {typed}"
    if read is None:
        with pytest.raises(ModelError):
            Model.parse(text)
    else:
        assert Model.parse(text).remarks[-1].endswith(f"is read as output Q = {read}")


@pytest.mark.parametrize(("typed", "read"), [
    (r"\frac{1}{T}\sum_{t=1}^{T} x_t^2", "mean(x^2)"),
    (r"\sum_{t=2}^T (y_t - \phi y_{t-1})^2", "sum((y[1:] - phi * y[:-1])^2)"),
    (r"\sum_i (1-y_i)\log(1-p_i)", "sum((1-y) * log(1-p))"), (r"\frac12 m\dot{x}^2", "(1/2) * m * x_dot^2"),
    (r"w^\top\Sigma w - \lambda \mu^\top w", "w.T @ Sigma @ w - lam * mu.T @ w"),
    (r"\sum_i \frac{k_i}{2} (\|x_i\| - l_i)^2", "sum((k/2) * (|x| - l)^2)"),
    (r"(y - \sum_k w_k \phi_k)^2", "(y - sum(w * phi[:]))^2"), ("½mv² − ½kx²", "(1/2)*m * v^2 - (1/2)*k * x^2"),
    (r"\prod_{i=1}^n p_i^{y_i} (1-p_i)^{1-y_i}", "prod(p^y * (1-p)^(1-y))"),
    ("Σₜ₌₁ᵀ rₜ²", "sum(r^2)"),  # it was sum[t] * r[t]^2
    ("Σₜ₌₁ᵀ (yₜ − wᵀxₜ)²", "sum((y - (X @ w))^2)"), ("(1/n) Σᵢ₌₁ⁿ (yᵢ − b)²", "mean((y - b)^2)"),
    ("(1/2) Σᵢ₌₁ⁿ (yᵢ − b)²", "(1/2) * sum((y - b)^2)"), ("(1/n) Σᵢ₌₁ᵐ (yᵢ − b)²", "(1/n) * sum((y - b)^2)"),
    (r"\sum_{i=2}^N v_i", "sum(v[1:])"), ("Σᵢ₌₂ᴺ vᵢ", "sum(v[1:])"), ("Σᵢ₌₁³ vᵢ", "sum(v[:3])"),
    ("Σᵢ₌₁ᴺ⁻¹ (xᵢ₊₁ − xᵢ)²", "sum((x[1:] - x[:-1])^2)"), ("Πᵢ₌₁ᴺ pᵢ", "prod(p)"),
    (r"\min(r_t A_t, \operatorname{clip}(r_t, 1-\epsilon, 1+\epsilon) A_t)",
     "min(r_t * A_t, clip(r_t, 1-epsilon, 1+epsilon) * A_t)"),
    (r"w = \arg\min_w \|Xw-y\|^2", "‖X @ w-y‖^2"),
    (r"\max_a q_a", "max(q)"), (r"\min_{\theta} \sum_i (y_i - \theta x_i)^2", "sum((y - theta * x)^2)"),
    (r"\frac{1}{2 s^2} \sum_{i=1}^n (x_i - \mu)^2 + \frac{n}{2} \log s^2",
     "(1/(2 * s^2)) * sum((x - mu)^2)+ (n/2) * log(s^2)"),
    (r"J(\beta) = \sum_i \log\sigma(x_i^\top\beta)", "loss J = sum(log(sigmoid((X @ beta))))"),
])
def test_lines_of_papers_alone_are_read_as_they_are_meant(typed: str, read: str) -> None:
    """Sums to T were transposed, numbers in front of transposes columns, x_i with a norm one vector for all i."""
    assert parse_alone(typed).remarks[-1].endswith(f"is read as {read}")


@pytest.mark.parametrize("sign", [r"\sum_{i=1}^K v_i", "Σᵢ₌₁ᴷ vᵢ"])
def test_a_sum_up_to_another_dimension_is_of_the_first_entries(sign: str) -> None:
    """The end of one in Unicode was passed over: it was of all entries."""
    model = Model.parse(f"dim N, K\ndata v: N\nparam w\nloss L = w*{sign}")
    assert model.remarks[-1].endswith("is read as loss L = w*sum(v[:K])")


def test_a_sum_over_pairs_of_rows_is_refused() -> None:
    """Of pairs of entries it is read."""
    with pytest.raises(ModelError):
        Model.parse(HEAD + r"loss L = \sum_{i<j} (A_i - A_j)^2")


def test_a_sum_from_the_second_entry_to_another_dimension_is_refused() -> None:
    with pytest.raises(ModelError):
        Model.parse("dim N, K\ndata v: N\nparam w\nloss L = w*Σᵢ₌₂ᴷ vᵢ")


@pytest.mark.parametrize("typed", ["Σₜ γᵗ rₜ", "Σₜ log hₜ + rₜ²/hₜ", "Σᵢ₌₁ⁿ Σⱼ₌₁ⁱ vⱼ", "Σₖ Σⱼ₌₁ᵏ vⱼ",
                                   r"\sum_{i<j} \|x_i - x_j\|^2", r"\sum_{i<j} w_{ji} x_i x_j",
                                   r"\sum_k \sum_{j=1}^k v_j", "Σₖ₌₁ᴷ Σⱼ₌₁ᵏ vⱼ", "Σᵢ₌₁ⁿ⁻¹ xᵢ",
                                   r"\sum_{t=1}^{T-1} (y_{t+1} - w^T x_t)^2", "Σᵢ₌₂ᴺ (yᵢ − wᵀxᵢ)²"])
def test_lines_of_papers_alone_that_may_mean_something_else_are_refused(typed: str) -> None:
    """A sum over t was an entry of an array that was called sum, one that ends at another index was over all, rows in
    one that leaves some out were entries of one vector."""
    with pytest.raises(ModelError):
        parse_alone(typed)


def test_numbers_stand_in_front_of_numbered_letters() -> None:
    """2x₁ was 2 by 1, and π√ the name of a function."""
    assert [*parse_alone("x₁² + 2x₁x₂ + 2π√(x₂)").params] == ["x1", "x2"]


def test_a_number_in_front_of_brackets_alone_is_offered_as_one() -> None:
    """It was y @ (…)."""
    with pytest.raises(ModelError) as refused:
        parse_alone(r"\max(0, 1 - y (w^\top x + b))")
    assert refused.value.shown[-1] == "max(0, 1 - y * (w.T @ x + b))   corrected"


def test_a_sum_up_to_a_number_alone_is_of_so_many_entries() -> None:
    """It was a mean of any number."""
    assert parse_alone(r"\frac14\sum_{i=1}^4 a_i").remarks[-1].endswith("is read as (1/4) * sum(a[:4])")


@pytest.mark.parametrize(("typed", "read"), [
    (r"\sum_j A_{1j}", "sum(A[0])"), (r"\sum_i A_{i2} x_i", "sum(A[:, 1] * x)"),
    (r"\sum_i (x_{1i} - x_{2i})^2", "sum((x1 - x2)^2)"),
    (r"\sum_i (y_i - \beta_0 - \beta_1 x_{i1})^2", "sum((y - beta_0 - beta_1 * x1)^2)"),
])
def test_entries_of_one_row_are_of_it(typed: str, read: str) -> None:
    """They were those of all of a matrix that was called A_1j."""
    assert parse_alone(typed).remarks[-1].endswith(f"is read as {read}")


def test_another_writing_of_a_name_is_that_name_wherever_it_stands() -> None:
    lines = corrected("dim N\ndata y: N\nparam yhat: N\nloss L = sum(−y log ŷ − (1−y) log(1−ŷ))")
    assert lines[-1] == "loss L = sum(-y * log(yhat) - (1-y) * log(1-yhat))"


@pytest.mark.parametrize(("typed", "told"), [
    ("v'*S*v", "v * S is a product of entries, v @ S the matrix product"),
    ("v*u'", "a vector has no other side: v * u.T is a product of entries, outer(v, u) that of every two"),
    ("c^1/2", "c^1/… is c divided by what follows: a root is c^(1/…)"),
    ("c^-c/2", "c^-…/… divides the whole power: a quotient in the exponent takes brackets, c^(-…/…)"),
    ("c^(-c)/2", ""),
])
def test_what_is_rarely_meant_is_told(typed: str, told: str) -> None:
    notes = Model.parse(f"{HEAD}Q = {typed}\nloss L = sum(Q)").remarks
    assert [note.partition(": ")[2] for note in notes] == [told] * bool(told)


@pytest.mark.parametrize(("typed", "read"), [("∥v∥²", "‖v‖²"), ("√sum(v^2)", "sqrt(sum(v^2))"), ("∣c∣", "|c|")])
def test_signs_of_papers_are_read(typed: str, read: str) -> None:
    found, meant = (Model.parse(f"{HEAD}output Q = {text}").equations["Q"] for text in (typed, read))
    assert str(value(found, **ARRAYS)) == str(value(meant, **ARRAYS))


def test_a_letter_beside_the_identity_is_its_factor() -> None:
    lines = corrected("dim D\nparam S: D x D, lam\noutput Q = S + λI")
    assert lines[-1] == "output Q = S + lam * eye(D)"


def test_arrows_are_no_large_brackets() -> None:
    """The arrow was read as a bracket of some size, and a name."""
    assert plain_latex(r"v \leftarrow \left(u\right) \rightarrow c") == r"v \leftarrow (u) \rightarrow c"


def test_places_and_axes_are_offered_where_they_belong() -> None:
    head = "data y: 4 int < 4\n" + HEAD
    assert corrected(f"{head}Q = index_add(A, 0, y, B)")[-1] == "Q = index_add(A, y, B, 0)"
    assert corrected(f"{head}Q = one_hot(5, y)")[-1] == "Q = one_hot(y, 5)"
    assert corrected(f"{head}Q = attention(A, B, S)")[-1] == "Q = attention(A, B, S)"  # which is which nobody knows


def errors_of(text: str) -> list[ModelError]:
    try:
        Model.parse(text)
    except ModelError as error:
        return [error, *error.others]
    return []


def corrected(text: str) -> list[str]:
    """The lines of a refused text with the corrected ones in their places."""
    lines = text.split("\n")
    for error in errors_of(text):
        right = error.shown[-1].removesuffix("   corrected") if error.shown else ""
        if error.place is not None and error.shown and right != error.shown[-1]:
            old = lines[error.place.line - 1]
            lines[error.place.line - 1] = old[: len(old) - len(old.lstrip())] + right
    return lines


CASES = [test_pasted.HEAD + typed for typed, right in test_pasted.CORRECTED if right]
CASES += [test_complaints.HEAD + line for line in """
Z = W @ X + b | Z = b + tnah(X @ W.T) | parm q: H | param q H x D | Z = relu(b W) | Z = 1 / 2N^2 | Z = norm(b, 1)
Z = X b2 | Z = X @ W.T + lam | Z = where(b > 0 & b < 1, b, 0) | loss Z = X @ W.T | param lambda: H
""".replace("\n", " | ").strip(" |").split(" | ")]


@pytest.mark.parametrize("text", CASES)
def test_every_corrected_line_is_read(text: str) -> None:
    lines = corrected(text)
    changed = {k for k, (old, new) in enumerate(zip(text.split("\n"), lines, strict=True), 1) if old != new}
    assert changed or Model.parse(text).remarks
    assert not [e for e in errors_of("\n".join(lines)) if e.line in changed and not isinstance(e, NoResult)]


# refused lines of every language: what is meant by the line that is offered, None where none is
OFFERED: list[tuple[str, Callable[[Any], Any] | None]] = [
    ("loss L = sum(dot(X, Y))", lambda n: (n.X * n.Y).sum()),
    ("loss L = dot(X, X)", lambda n: (n.X**2).sum()),
    ("loss L = sum(X * w.T * y)", None),
    ("q = 0 < y < 1\nloss L = sum(q * y)", lambda n: n.y[(n.y>0)&(n.y<1)].sum()),
    ("q = [w w]\nloss L = sum(q)", lambda n: 2*n.w.sum()),
    ("q = [w; v]\nloss L = sum(q**2)", lambda n: n.w@n.w+n.v@n.v),
    ("loss L = w v", lambda n: n.w @ n.v),
    ("loss L = sum(X w)", lambda n: (n.X@n.w).sum()),
    ("loss L = sum(2 w)", lambda n: 2*n.w.sum()),
    ("loss L = sum log(y^2)", lambda n: np.log(n.y**2).sum()),
    ("loss L = w' S w", lambda n: n.w@n.S@n.w),
    ("loss L = w^T S w", lambda n: n.w@n.S@n.w),
    ("loss L = w^T v", lambda n: n.w@n.v),
    ("loss L = (X w - y)^T (X w - y)", lambda n: ((n.X@n.w-n.y)**2).sum()),
    ("loss L = sum(X * w @ y)", None),
    ("loss L = sum(y - X * w)", lambda n: (n.y-n.X@n.w).sum()),
    ("loss L = sum((y - w * X)^2)", lambda n: ((n.y - n.X @ n.w)**2).sum()),
    ("Z = X @ w + v\nloss L = sum(Z)", None),
    ("Z = X - mean(X, axis=1)\nloss L = sum(Z**2)", lambda n: ((n.X-n.X.mean(1,keepdims=True))**2).sum()),
    ("Z = X / sum(X, axis=1)\nloss L = sum(Z**2)", lambda n: ((n.X/n.X.sum(1,keepdims=True))**2).sum()),
    ("Z = X / np.linalg.norm(X, axis=1)\nloss L = sum(Z * Y)",
     lambda n: ((n.X/np.linalg.norm(n.X,axis=1,keepdims=True))*n.Y).sum()),
    ("loss L = w(2)", lambda n: n.w[1]),
    ("loss L = X(2, 1)", lambda n: n.X[1,0]),
    ("loss L = sum(w(2:end))", lambda n: n.w[1:].sum()),
    ("loss L = sum(w[2:end])", lambda n: n.w[1:].sum()),
    ("loss L = w[end]", lambda n: n.w[-1]),
    ("loss L = sum(X, dims=1) @ w", None),
    ("loss L = log|S|", lambda n: np.linalg.slogdet(n.S)[1]),
    ("q = S\\w\nloss L = sum(q)", lambda n: np.linalg.solve(n.S,n.w).sum()),
    ("q = S⁻¹w\nloss L = sum(q)", lambda n: np.linalg.solve(n.S,n.w).sum()),
    ("q = S^-1 w\nloss L = sum(q)", lambda n: np.linalg.solve(n.S,n.w).sum()),
    ("q = w ⊗ v\nloss L = sum(q * W)", lambda n: (np.outer(n.w,n.v)*n.W).sum()),
    ("q = ⟨w, v⟩\nloss L = q", lambda n: n.w@n.v),
    ("c = w[0]\nloss L = sum(w @ v * c + c @ v)", lambda n: (n.w@n.v*n.w[0] + n.w[0]*n.v).sum()),
    ("loss L = <w, v> + 2 * <v, v>", lambda n: n.w@n.v + 2*n.v@n.v),
    ("q = tnah(w)\nloss L = sum(q)", lambda n: np.tanh(n.w).sum()),
    ("q = sigmod(w)\nloss L = sum(q)", lambda n: s(n.w).sum()),
    ("q = np.c_[X, Y]\nloss L = sum(q)", lambda n: n.X.sum()+n.Y.sum()),
    ("loss L = sum(w, dim=0", lambda n: n.w.sum()),
    ("loss L = sum(w))", lambda n: n.w.sum()),
    ("loss L == sum(w)", lambda n: n.w.sum()),
    ("loss L: sum(w)", lambda n: n.w.sum()),
    ("loss sum(w)", lambda n: n.w.sum()),
    ("minimize sum(w)", lambda n: n.w.sum()),
    ("L(w) = sum(w)\nloss L", lambda n: n.w.sum()),
    ("let q = sum(w)\nloss L = q", lambda n: n.w.sum()),
    ("loss L = 0,5 * sum(w)", lambda n: .5*n.w.sum()),
    ("loss L = 1/2 sum(w)", lambda n: .5*n.w.sum()),
    ("loss L = sum(exp(w)(1 + v))", lambda n: (np.exp(n.w)*(1+n.v)).sum()),
    ("loss L = sum((1 + w)(1 + v))", lambda n: ((1+n.w)*(1+n.v)).sum()),
    ("loss L = sin^2(b)", lambda n: np.sin(n.b)**2),
    ("loss L = 3!", lambda n: 6),
    ("q = w.dot(v) // loss\nloss L = q", lambda n: n.w@n.v),
    ("q = cross_entropy(k, Y)\nloss L = mean(q)", lambda n: (np.log(np.exp(n.Y).sum(1))-n.Y[np.arange(5),n.k]).mean()),
    ("q = X.max(1)[0]\nloss L = sum(q)", lambda n: n.X.max(1).sum()),
    ("q = norm(w, 1)\nloss L = q", lambda n: abs(n.w).sum()),
    ("q = mse_loss(w, v, reduction='sum')\nloss L = q", lambda n: ((n.w-n.v)**2).sum()),
    ("q = cross_entropy(Y, k, label_smoothing=0)\nloss L = q",
     lambda n: (np.log(np.exp(n.Y).sum(1))-n.Y[np.arange(5),n.k]).mean()),
    ("q = F.mse_loss(w, v, reduce=False)\nloss L = sum(q)", None),
    ("q = np.var(w, ddof=1\nloss L = q", lambda n: n.w.var(ddof=1)),
    ("loss L = sum(w) +", None),
    ("loss L = sum(w) % comment", lambda n: n.w.sum()),
    ("loss L = sum(w) // comment here", lambda n: n.w.sum()),
    ("loss L = sum(w) -- comment here", lambda n: n.w.sum()),
    ("Z = X .* 2;\nA = Z / w;\nloss L = sum(A(:));", lambda n: (2 * n.X / n.w).sum()),
    ("q = w / v;\nloss L = sum(q .* 2);", lambda n: 2*(n.w/n.v).sum()),
    ("q = 1 / w;\nloss L = sum(q .* 2);", lambda n: 2*(1/n.w).sum()),
    ("q = X^2;\nloss L = sum(q(:) .* 2);", lambda n: 2*(n.X**2).sum()),
    ("q = X * y;\nloss L = sum(q .* 2);", lambda n: 2*(n.X.T@n.y).sum()),
    ("q = 1:3;\nloss L = q * w .* 2;", None),
    ("q = length(X) .* b;\nloss L = q;", None),
    ("q = w .^ 2;\nif b > 0\n  q = q * 2;\nend\nloss L = sum(q);", lambda n: 2*(n.w**2).sum()),
    ("q = X .* 1;\nloss L = q(2);", None),
    ("q = exp(w) ./ sum exp(w);\nloss L = q(1);", lambda n: (np.exp(n.w) / np.exp(n.w).sum())[0]),
    ("p = 1 ./ (1 + exp(-X w));\nloss L = sum(p);", lambda n: s(n.X@n.w).sum()),
    ("q = randn(3, 1);\nloss L = sum(w .* q);", None),
    ("q = fminunc(@(t) t, w);\nloss L = sum(w .* v);", None),
    ("q = sum(w .* v\nloss L = q;", lambda n: n.w@n.v),
    ("q = w / v\nloss L = sum(q .* 2)", lambda n: 2*(n.w/n.v).sum()),
    ("q = .!(w .> 0)\nloss L = sum(q .* w)", None),
    ("q = w ⋅ v\nloss L = q .+ 0", lambda n: n.w@n.v),
    ("q = b > 0 ? b : 0.0\nloss L = q .+ sum(w)", lambda n: max(n.b,0)+n.w.sum()),
    ("q = X .* mean(X)\nloss L = sum(q * w)", None),
    ("q = sum(X .* Y)\nloss L = q^2", None),
    ("q = 1:3\nloss L = sum(q .* w)", None),
    ("q = W[2] .* 1\nloss L = q", None),
    ("q = reshape(W, :)\nloss L = sum(q .* vec(S))", None),
    ("w .= 0\nloss L = sum(w .* v)", None),
    ("q = S + b * I\nloss L = sum(q .* W)", None),
    ("q = @. exp(w) + v^2\nloss L = sum(q)", None),
    ("for i in eachindex(w)\n  q[i] = w[i]^2 .* 1\nend\nloss L = sum(q)", None),
    ("q <- !(w > 0)\nloss L <- sum(q * w)", lambda n: (~(n.w>0))@n.w),
    ("q <- which(w > 0)\nloss L <- sum(q * w)", None),
    ("q <- which.max(w)\nloss L <- w[q]", None),
    ("q <- W[1]\nloss L <- q", None),
    ("q <- X * w\nloss L <- sum(q)", lambda n: (n.X * n.w).sum()),
    ("q <- X %*% y\nloss L <- sum(q)", lambda n: (n.X.T@n.y).sum()),
    ("q <- X * W\nloss L <- sum(q)", None),
    ("q <- w |> exp() |> sum()\nloss L <- q", None),
    ("f <- \\(z) z^2\nloss L <- sum(f(w))", None),
    ("q <- 1:3 * w\nloss L <- sum(q)", None),
    ("q <- 1:3\nloss L <- sum(q * w)", None),
    ("q <- var(X)\nloss L <- sum(q * W)", lambda n: (np.cov(n.X.T)*n.W).sum()),
    ("q <- sapply(w, function(z) { z^2 })\nloss L <- sum(q)", lambda n: (n.w**2).sum()),
    ("q <- k %in% v\nloss L <- sum(q * y)", None),
    ("q <- X[, 1, drop = FALSE]\nloss L <- sum(q)", None),
    ("q <- lm(y ~ X)\nloss L <- sum(w)", None),
    ("q <- rnorm(3)\nloss L <- sum(w * q)", None),
    ("q <- norm(w, '2')\nloss L <- q + 1", None),
    ("q <- dist(X)\nloss L <- sum(q)", None),
    ("loss L <- sum(w * v", lambda n: n.w@n.v),
    ("q <- if (b > 0) b else 0\nloss L <- q + w[1]", None),
    ("y.hat <- X %*% w\nloss L <- sum((y - y.hat)^2)", None),
]


@pytest.mark.parametrize(("text", "meant"), OFFERED)
def test_a_line_that_is_offered_is_read_in_its_language_and_means_what_was_written(
        text: str, meant: Callable[[Any], Any] | None) -> None:
    whole = test_foreign.HEAD + text
    read = not errors_of(whole)  # as on paper, which is told
    lines = "\n".join(corrected(whole))
    assert (lines == whole) == (meant is None or read), lines
    assert not read or any("is read as" in note for note in Model.parse(whole).remarks)
    if meant is not None:
        model = Model.parse(lines)
        given = {name: array for name, array in test_foreign.ARRAYS.items() if name in model.graph.names}
        np.testing.assert_allclose(value(model.equations["L"], **given), meant(test_foreign.GIVEN), rtol=1e-9)


DECLARED = [  # what beginners write for a declaration, the rest of the text, and the line that is meant
    ("x: 3", "data x: 3"), ("x: 3 x 3", "data x: 3 x 3"), ("x: 3, 3", "data x: 3 x 3"), ("x 3", "data x: 3"),
    ("data x 3", "data x: 3"), ("data x: 3 by 3", "data x: 3 x 3"), ("data x: vector(3)", "data x: 3"),
    ("data x: Matrix(3, 3)", "data x: 3 x 3"), ("data x: matrix 3 3", "data x: 3 x 3"), ("data: x", "data x"),
    ("vector x: 3", "data x: 3"), ("float x", "data x"), ("x in R^3", "data x: 3"), ("x is a scalar", "data x"),
    ("data x: array", None), ("int x", None), ("data x: int", None),  # of which nobody knows how many there are
]


@pytest.mark.parametrize(("typed", "right"), DECLARED)
def test_what_may_be_a_declaration_is_told_as_one(typed: str, right: str | None) -> None:
    """They had no corrected line, or one that declared a dimension called scalar or by."""
    with pytest.raises(ModelError) as raised:
        Model.parse(f"{typed}\nparam w\nloss L = w*sum(x)")
    lines = [line.removesuffix("   corrected") for line in raised.value.shown if line.endswith("corrected")]
    assert lines == ([right] if right else [])


@pytest.mark.parametrize(("before", "typed", "right"), [
    ("data x", "let w", "param w"), ("data x", "param w,", "param w"),
    ("param w\ndata x", "cost L = w*x", "loss L = w*x"),
    ("param w\ndata x", "loss L w*x", "loss L = w*x"), ("param w", "dim N: 3", "dim N = 3"),
    ("param w\ndata x", "loss L = if x > 0 then w else 0", "loss L = w if x > 0 else 0"),
    ("param w\ndata x", "loss L = w*x, y = 3", "loss L = w*x; y = 3"),
    ("dim N, C", "data k: N int C", "data k: N int < C"), ("dim N, C", "data k: int N < C", "data k: N int < C"),
    ("param w: 3", "loss L = w.sum", "loss L = w.sum()"),
    ("param w\nh[0] = 1\nfor t in 1..3:", "h[t] = w*h[t-1]", "    h[t] = w*h[t-1]"),
])
def test_slips_of_beginners_have_a_corrected_line(before: str, typed: str, right: str) -> None:
    with pytest.raises(ModelError) as raised:
        Model.parse(f"{before}\n{typed}")
    errors = [raised.value, *raised.value.others]
    assert f"{right}   corrected" in [line for error in errors for line in error.shown]


@pytest.mark.parametrize("kind", ["float", "scalar", "real"])
def test_a_number_is_declared_by_its_kind(kind: str) -> None:
    """It was an array along a dimension of that name."""
    assert Model.parse(f"data x: {kind}\nparam w\nloss L = w*x").graph.names["x"].ndim == 0


@pytest.mark.parametrize("kind", ["float", "scalar", "real"])
def test_a_dimension_that_is_called_like_a_kind_is_one(kind: str) -> None:
    model = Model.parse(f"dim {kind}\ndata x: {kind}\nparam w\nloss L = w*sum(x)")
    assert model.graph.names["x"].ndim == 1
