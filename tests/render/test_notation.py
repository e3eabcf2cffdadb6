"""Formulas and rows in Unicode and in LaTeX."""

from __future__ import annotations

import re

import pytest
import sympy as sp

from symbackprop.core.maths import Math, Num, Option, Sym, walk
from symbackprop.derive import derive
from symbackprop.model import Model
from symbackprop.render.axes import AxisLetters
from symbackprop.render.print.latex import latex
from symbackprop.render.print.text import MINUS, text
from symbackprop.render.rows import Rows

HEAD = """
dim N, D, H
data x, y, X: N x D, Y: N x D, v: D, u: D, i: N int < D
param w2, W: D x H, b: H, Q: N x D x H, K: N x D x H
"""

CASES = {
    "w2 * x": ("w₂·x", r"w_{2} \, x"),
    "(y - x)**2 / 2": ("½(y − x)²", r"\frac{1}{2} (y - x)^{2}"),
    "-(y - x) * w2": ("−(y − x)·w₂", r"-(y - x) \, w_{2}"),
    "1 / (1 + exp(-x))": ("1/(1 + exp(−x))", r"\frac{1}{1 + e^{-x}}"),
    "0.002 * x": ("0.002 x", r"0.002 \, x"),
    "tanh(x)**2": ("tanh(x)²", r"\tanh(x)^{2}"),
    "sqrt(x)": ("√x", r"\sqrt{x}"),
    "x / (2 * y)": ("x/(2y)", r"\frac{x}{2 \, y}"),
    "x / N / y": ("x/(N·y)", r"\frac{x}{N \, y}"),
    "-1 / N / v": ("−1/(N·v)", r"-\frac{1}{N \, v}"),
    "X / (N * D) / (x * y)": ("X/(N·D·x·y)", r"\frac{X}{N \, D \, x \, y}"),
    "sqrt(2) / sqrt(pi) / 2 * x": ("1/√(2·π) x", r"\frac{1}{\sqrt{2 \, \pi}} \, x"),
    "X @ W + b": ("X W + 1_N bᵀ", r"X \, W + \mathbf{1}_{N} \, b^{\top}"),
    "X * Y": ("X ⊙ Y", r"X \odot Y"),
    "X * w2": ("w₂·X", r"w_{2} \, X"),
    "X * (x - 2) * Y * w2": ("(x − 2)·w₂·X ⊙ Y", r"(x - 2) \, w_{2} \, X \odot Y"),
    "X * (Y * x)": ("x·X ⊙ Y", r"x \, X \odot Y"),
    "X @ (W * x)": ("x·X W", r"x \, X \, W"),
    "(X / x).T @ Y": ("Xᵀ Y/x", r"\frac{X^{\top} \, Y}{x}"),
    "sum(X * x, axis=1)": ("x·(Σ_d X[:, d])", r"x \, \left(\sum_{d} X[:, d]\right)"),
    "X.T @ Y": ("Xᵀ Y", r"X^{\top} \, Y"),
    "(X + Y).T @ X": ("(X + Y)ᵀ X", r"(X + Y)^{\top} \, X"),
    "X ** 2": ("X^⊙2", r"X^{\odot 2}"),
    "v ** 2": ("v^⊙2", r"v^{\odot 2}"),
    "u @ v": ("uᵀ v", r"u^{\top} \, v"),
    "outer(u, v)": ("u vᵀ", r"u \, v^{\top}"),
    "sum(X ** 2)": ("‖X‖²", r"\left\lVert X \right\rVert^{2}"),
    "sum(v ** 2, axis=0, keepdims=True)": ("(‖v‖²)[None]", r"\left(\left\lVert v \right\rVert^{2}\right)[\text{None}]"),
    "sum(sum(v ** 2, axis=0, keepdims=True) * v)": (
        "‖v‖²·(Σ_d v_d)", r"\left\lVert v \right\rVert^{2} \, \left(\sum_{d} v_{d}\right)"),
    "sum(X, axis=0)": ("Σ_n X_n", r"\sum_{n} X_{n}"),
    "mean(X)": ("1/(N·D) Σ_n,d X_nd", r"\frac{1}{N \, D} \, \sum_{n,d} X_{nd}"),
    "relu(X)": ("ReLU(X)", r"\operatorname{ReLU}(X)"),
    "softmax(X)": ("softmax(X)", r"\operatorname{softmax}(X)"),
    "W[i]": ("W[i]", "W[i]"),
    "Q @ transpose(K, (0, 2, 1))": ("Q Kᵀ", r"Q \, K^{\top}"),
    "where(x > 0, x, y)": ("where(x > 0, x, y)", r"\operatorname{where}\left(x > 0, x, y\right)"),
    "X * (Y @ W @ W.T)": ("X ⊙ (Y W Wᵀ)", r"X \odot (Y \, W \, W^{\top})"),
    "-mean(X)": ("−1/(N·D) Σ_n,d X_nd", r"-\frac{1}{N \, D} \, \sum_{n,d} X_{nd}"),
    "binary_cross_entropy(x, y)": ("−[y log x + (1 − y) log(1 − x)]", r"-\left[y \log x + (1 - y) \log(1 - x)\right]"),
    "binary_cross_entropy(sigmoid(u), v)": (
        "−[v ⊙ log σ(u) + (1 − v) ⊙ log(1 − σ(u))]",
        r"-\left[v \odot \log \sigma(u) + (1 - v) \odot \log(1 - \sigma(u))\right]",
    ),
}


def written(expression: str) -> Math:
    model = Model.parse(f"{HEAD}\noutput o = {expression}")
    names = {r.id: Sym(r.name or "", r.shape, r.id) for r in model.graph.names.values() if r.is_leaf}
    return Rows(names, AxisLetters([]), (), tuple(model.sizes)).row(model.output_rows["o"])


@pytest.mark.parametrize("expression", CASES)
def test_text(expression: str) -> None:
    assert text(written(expression)) == CASES[expression][0]


@pytest.mark.parametrize("expression", CASES)
def test_latex(expression: str) -> None:
    assert latex(written(expression)) == CASES[expression][1]


@pytest.mark.parametrize(
    "call",
    ["softmax(X, axis=-2)", "sort(X, axis=-1)", "flip(X, axis=-2)", "cumsum(X, axis=-1)", "concat(X, Y, axis=-1)",
     "stack(X, Y, axis=-1)", "norm(X, axis=-1)", "logsumexp(X, axis=-2)", "norm(X, axis=-1, keepdims=True)",
     "take_along_axis(X, i[:, None], axis=-1)", "roll(X, 1, axis=-1)", "layer_norm(X, axis=-2)", "var(X, axis=-1)"],
)
def test_axes_are_counted_from_the_first(call: str) -> None:
    def options(m: Math) -> list[Math]:
        return [x.value for x in walk(m) if isinstance(x, Option) and x.key == "axis"]

    ranks = {"stack": 3}
    axis = int(re.search(r"axis=(-\d)", call)[1])  # type: ignore[index]
    wanted = Num(sp.Integer(axis + ranks.get(call.split("(")[0], 2)))
    assert options(written(call)) in ([wanted], [])
    assert f"axis {MINUS}" not in text(written(call))


def test_axes_in_another_order_are_told_by_index_letters() -> None:
    assert text(written("transpose(Q, (1, 0, 2))")) == "[Q_ndh]_dnh"
    assert latex(written("transpose(Q, (1, 0, 2))")) == r"\left[Q_{ndh}\right]_{dnh}"


def test_a_derivative_is_apart_from_the_sign_of_a_quotient() -> None:
    source = "dim N\ninput x: N\nparam s: N\ny = x / s\noutput z = y + x"
    page = derive(Model.parse(source)).text(view="matrix")
    assert "(∂L/∂z)/s" in page
    assert "∂L/∂z/s" not in page


def test_sizes_that_windows_leave() -> None:
    model = Model.parse("dim S, K\ndata x: 2 x S x S x K\nparam w: 2 x 2 x K x K\n"
                        "loss L = mean(conv2d(x, w, stride=2) ** 2)")
    printed = derive(model).text()
    assert "(2×⌊S/2⌋×⌊S/2⌋×K)" in printed and "/(2·⌊S/2⌋²·K)" in printed


def test_sizes_that_slices_leave() -> None:
    d = derive(Model.parse("dim N\nparam a: N\nloss L = mean(a[::2]**2) + sum(a[::-2])"))
    page, printed = d.text(), d.latex()
    assert "‖a[::2]‖²/⌈N/2⌉" in page and "a[N − 1::-2]" in page and "runs over ⌈N/2⌉ entries" in page
    assert r"\lceil \frac{N}{2} \rceil" in printed
    assert not any("ceil" in x.replace(r"\lceil", "").replace(r"\rceil", "") for x in (page, printed, d.html()))


def test_one_order_of_dimensions_and_one_index_for_one_place() -> None:
    page = derive(Model.parse("""
    dim N, D, H
    param x: N x D, c
    a = x * 8 * D * N / (H * D * 3) + D * N
    b = log(2 * c) + x[0, 1] + sum(x[:, 2])
    loss L = sum(a**2) + mean(x) * sqrt(D * N) + b
    """)).text()
    assert "8N·x/(3H)" in page and "+ N·D " in page and "√(N·D)" in page and "  N·D  " in page and "D·N" not in page
    assert "x[0]" in page and "x[:, 2]" in page and "][0]" not in page


def test_numbers_cancel_where_something_is_written_out() -> None:
    page = derive(Model.parse("param x, c\nloss L = log(2*c) + x / (2*c)")).text()
    assert "= −x/(2c²) + 1/c  " in page and "2(1/(2c))" not in page


CONVOLVED = """
dim N, K
data X: N x 8 x 8 x 4
param w: 3 x 3 x {channels} x 4
H = relu(conv2d(X, w, {options}))
loss L = sum(H^2)
"""


@pytest.mark.parametrize(("channels", "options", "told"), [
    (4, "stride=2", {"conv(x, a)[": True, "conv(x, a, ": False}),
    (1, "groups=4", {"conv(x, a)[": False, "conv(x, a, groups 4) =": True, "unfold(x)[": True}),
    (4, "dilation=2", {"conv(x, a)[": False, "conv(x, a, dilation 2) =": True, "unfold(x)[": True}),
])
def test_a_call_by_the_name_of_an_op_is_told_as_what_it_is(channels: int, options: str, told: dict[str, bool]) -> None:
    """With groups the entries of the plain one were told, in which every kernel reads the first channel."""
    printed = re.sub(r"\s+", " ", derive(Model.parse(CONVOLVED.format(channels=channels, options=options))).text())
    found = re.sub(r"conv\(x, \w", "conv(x, a", re.sub(r"unfold\(\w\)\[", "unfold(x)[", printed))
    assert {part: part in found for part in told} == told


@pytest.mark.parametrize(("size", "said"), [("N x D", True), ("N", False)])
def test_the_exponential_of_a_matrix_is_said_to_be_by_entries(size: str, said: bool) -> None:
    model = Model.parse(f"dim N, D\ndata X: {size}\nparam w: {size}\nloss L = sum(exp(w * X) * X)")
    assert ("of a matrix is taken entry by entry" in derive(model).text()) is said


MASKED = """
dim B, T, K
data m: B x T, Q: B x T x K
param W: K x K
S = einsum("btk,bsk->bts", Q @ W, Q)
P = softmax(where(m[:, None, :] == 0, -inf, S))
loss L = sum(P**2)
"""


def test_what_is_1_or_0_by_itself_is_no_condition_again() -> None:
    """1[[1[m_bi = 0]]_bti] and 1[mask(T)]"""
    page = derive(Model.parse(MASKED)).text()
    assert "[1[m_bi ≠ 0]]_bti" in page and "1[[" not in page and "1[1[" not in page
    page = derive(Model.parse("dim T\nparam S: T x T\nloss L = sum(where(causal_mask(T), S, 0)**2)")).text()
    assert "mask(T)" in page and "1[mask" not in page


def test_a_legend_is_of_no_letter_that_only_a_proof_has() -> None:
    page = derive(Model.parse(MASKED)).text()
    assert "b runs over B entries" in page and "Σ_k A_ik·B_kn" in page and "k runs over" not in page


def test_a_legend_is_of_ones_beside_a_number_too() -> None:
    page = derive(Model.parse("dim N\nparam f: N\nloss L = sum(f[1:] + f[:-1]) / 2")).text()
    assert "½·1_(N − 1)" in page and "1_N is a vector of ones" in page


def test_a_legend_of_rows_of_the_identity_is_not_of_its_columns() -> None:
    page = derive(Model.parse("dim B\nparam S: B\nloss L = sum(S*max(eye(B), axis=1))")).text()
    assert "I[:, i]" in page and "I is the identity" in page and "rows of I" not in page


@pytest.mark.parametrize(("loss", "printed"), [
    ("sum(Z[:, 1:]*Z[:, :2*H])", "Σ_n,i Z[n,i+1]·Z[n,i] "),
    ("sum(Z[:, H:]*v)", "Σ_n,i Z[n,i+H]·v_ni "),
    ("sum(Z[:, ::2]*v)", "Σ_n,i Z[n,2i]·v_ni "),
    ("sum(Z[:, 1::2]*v[:, :H])", "Σ_n,h Z[n,2h+1]·v[n,h] "),
])
def test_an_entry_of_a_slice_is_one_of_the_array(loss: str, printed: str) -> None:
    model = Model.parse(f"dim N, H\ndata u: N x (H + 1), v: N x (H + 1)\nparam Z: N x (2*H + 1)\nloss L = {loss}")
    assert printed in derive(model).text()


def test_gradients_are_written_with_the_letters_of_what_they_compute() -> None:
    """δ_k was −y/(N·(μ/(a + μ))) where the page calls μ/(a + μ) k; s·(1 − s) stays what it is."""
    model = Model.parse("dim N\ndata b: N, y: N\nparam w, a\nm = exp(w*b)\nloss L = -mean(y*log(m/(a + m)))")
    page = derive(model).text()
    letter = re.search(r"let (\w) = m/\(a \+ m\)", page)
    assert letter is not None and f"δ_{letter[1]} = −y/(N·{letter[1]})" in page
    gate = Model.parse("data x, y\nparam w\ns = sigmoid(w*x)\nc = 1 - s\nloss L = y*log(s) + log(c)*c")
    assert "s·(1 − s)" in derive(gate).text()


GDA = "dim N, D, K\ndata X: N x D, y: N int < K\nparam mu: K x D, eta: K\n" \
      "ell = eta - cdist(X, mu)^2\nloss L = -mean(pick(log_softmax(ell), y))\n"


@pytest.mark.parametrize("view", ["index", "jacobian"])
def test_every_letter_of_a_page_is_in_its_legend(view: str) -> None:
    page = derive(Model.parse(GDA)).text(view=view)
    legend = [x for x in page.split("Given")[0].splitlines() if " runs over " in x or " run over " in x]
    told = {letter for line in legend for letter in line.split(" run")[0].replace(",", " ").split()}
    used = set("".join(re.findall(r"Σ_([a-z](?:,[a-z])*)", page.split("Given")[1].split("Rules (")[0]))) - {","}
    assert used and used <= told


def test_a_softmax_within_a_jacobian_is_written_out() -> None:
    page = derive(Model.parse(GDA)).text(view="jacobian")
    assert "(e^ell_nj/(Σ_l e^ell_nl))·1[n = i]" in page and "log(Σ" not in page.split("Rules (")[0]


LAYER_NORM = """
dim N, D
data Z: N x D, T: N x D
param g: D
c = Z - mean(Z, axis=1, keepdims=True)
h = c/sqrt(mean(c^2, axis=1, keepdims=True) + 1e-5)
Y = g*h
loss L = sum((Y - T)^2)/(2*N)
"""


@pytest.mark.parametrize(("view", "line"), [("matrix", "δ_r = −1_N "), ("jacobian", "∂L/∂r = −1_Nᵀ ")])
def test_ones_have_their_sign_in_front(view: str, line: str) -> None:
    page = derive(Model.parse("dim N, D\ndata A: N x D\nparam x: D\nr = A @ x\nloss L = -sum(r)")).text(view=view)
    assert line in page and "1·1_N" not in page and "(−1)" not in page


def test_a_closed_form_that_prints_as_the_line_before_is_no_line() -> None:
    page = derive(Model.parse(LAYER_NORM)).text()
    assert page.count("= 1/N Σ_n ((Y − T) ⊙ h)[n] ") == 1


def test_what_is_made_of_conditions_is_one() -> None:
    """1[1[w < 1]·1[x > 0]] was the indicator of what is 1 or 0 itself."""
    page = derive(Model.parse("data x\nparam w\np = where((x > 0) & (w < 1), w**2, 0)\n"
                              "loss L = p + where((x > 0) | (w > 2), w**3, x)")).text()
    assert "= 1[x > 0]·1[w < 1]  " in page and "= max(1[x > 0], 1[w > 2])" in page
    assert "1[1[" not in page and "1[max" not in page


def test_a_vector_on_a_diagonal_is_diag() -> None:
    text = "dim N, D\ndata X: N x D\nparam s: D\nA = X @ diag(exp(s)) @ X.T\nloss L = sum(A**2)"
    page = derive(Model.parse(text)).text()
    assert "= diag(e^s) " in page and "diag(u) is the matrix with u on its diagonal and 0 elsewhere" in page
    assert "·I_" not in page
