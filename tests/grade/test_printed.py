"""Notation of printed derivations that people may copy: index letters, ones, outer products, sizes left out."""

from __future__ import annotations

import pytest

from symbackprop import Model, derive
from symbackprop.core.names import ACCENTS, GREEK, text_name
from symbackprop.grade import Grader, Item

BATCH = Grader(
    Model.parse("""
dim N, D, H
data X: N x D, y: N int < H
param W: D x H, b: H
z = X @ W + b
loss L = -mean(log(pick(softmax(z), y)))
""")
)
ROWS = Grader(
    Model.parse("""
dim N, D, T
param X: N x D, s: D, g: D, B: N x T x D
A = X * s
c = sum(tanh(A), axis=1)
loss L = sum(c**2) + sum(tanh(g * B))
""")
)
TABLE = Grader(
    Model.parse("""
dim N, V, E
data words: N int < V
param C: V x E
c = C[words]
loss L = sum(c**2)
""")
)
DZ = "δ_z = (softmax(z) − onehot(y))/N"
DA = "δ_A = (2c 1_Dᵀ) ⊙ (1 − tanh(A)^⊙2)"


def last(grader: Grader, lines: str, name: str) -> Item:
    report = grader.grade(lines)
    return next(i for i in report.items if i.name == name)


@pytest.mark.parametrize(
    ("grader", "before", "line", "name"),
    [
        (BATCH, "", DZ, "dz"),
        (BATCH, "", "δ_z = (softmax(z) − 1_N×H ⊙ onehot(y))/N", "dz"),
        (BATCH, DZ, "∂L/∂b = Σ_n δ_z[n]", "db"),
        (BATCH, DZ, "∂L/∂b = Σ_n δ_z[n, :]", "db"),
        (BATCH, DZ, "∂L/∂b = Σ_n (δ_z ⊙ 1_N×H)[n]", "db"),
        (BATCH, DZ, "∂L/∂b = δ_zᵀ 1_N", "db"),
        (BATCH, DZ, "∂L/∂b = 1/N Σ_n (softmax(z) − onehot(y))[n]", "db"),
        (BATCH, DZ, "∂L/∂b = [Σ_n δ_z[n,h]]_h", "db"),
        (BATCH, DZ, "∂L/∂b = Σ_n where(δ_z[n] > 0, δ_z[n], −abs(δ_z[n]))", "db"),
        (BATCH, DZ, "∂L/∂W = Σ_n X_n δ_z[n]ᵀ", "dW"),
        (BATCH, "", "∂L/∂z_nh = (softmax(z)[n,h] − 1[y_n = h])/N", "dz"),
        (BATCH, DZ, "∂L/∂W = [Σ_n X_nd·δ_z[n,h]]_dh", "dW"),
        (BATCH, DZ, "∂L/∂W = [Σ_n δ_z[n,h] X_nd]_dh", "dW"),
        (BATCH, DZ, r"\frac{\partial L}{\partial b} = \sum_{n} \delta_{z,n}", "db"),
        (BATCH, DZ, "∂L/∂b = Σ_n (δ_z ⊙ 1_N×H)_n", "db"),
        (BATCH, DZ, r"\frac{\partial L}{\partial W} = X^T\delta_z", "dW"),
        (BATCH, DZ, r"\frac{\partial L}{\partial W} = \mathbf{X}^T\mathbf{\delta}_z", "dW"),
        (BATCH, DZ, "∂L/∂W = X.T @ δ_z + 0*Σ_ij X_ij", "dW"),
        (ROWS, "", DA, "dA"),
        (ROWS, "", DA.replace("1_Dᵀ", "1ᵀ"), "dA"),
        (ROWS, DA, "∂L/∂s = Σ_n (δ_A ⊙ X)[n]", "ds"),
        (ROWS, DA, "∂L/∂X = δ_A ⊙ (1_N sᵀ)", "dX"),
        (ROWS, "", "∂L/∂g = Σ_n,t ((1 − tanh((1_N×T ⊗ g) ⊙ B)^⊙2) ⊙ B)[n, t]", "dg"),
        (ROWS, "", "∂L/∂B = (1 − tanh((1_N×T ⊗ g) ⊙ B)^⊙2) ⊙ (1_N×T ⊗ g)", "dB"),
        (ROWS, "", "∂L/∂B = reshape_N×T×D((1 − tanh((1_N×T ⊗ g) ⊙ B)^⊙2) ⊙ (1_N×T ⊗ g))", "dB"),
        (ROWS, "", "∂L/∂B = transpose_213(transpose_213((1 − tanh((1_N×T ⊗ g) ⊙ B)^⊙2) ⊙ (1_N×T ⊗ g)))", "dB"),
        (ROWS, "", "∂L/∂B = transpose_102(transpose_102((1 − tanh((1_N×T ⊗ g) ⊙ B)^⊙2) ⊙ (1_N×T ⊗ g)))", "dB"),
        (TABLE, "", "∂L/∂C = scatter(2c, words)", "dC"),
    ],
)
def test_printed_notation_is_read(grader: Grader, before: str, line: str, name: str) -> None:
    found = last(grader, f"{before}\n{line}", name)
    assert found.verdict == "right", found.finding


@pytest.mark.parametrize(
    ("grader", "line", "name", "verdict"),
    [
        (BATCH, f"{DZ}\n∂L/∂b = Σ_h δ_z[:, h]", "db", "wrong"),
        (BATCH, f"{DZ}\n∂L/∂W = [Σ_n X_nd·X_nh]_dh", "dW", "wrong"),
        (BATCH, f"{DZ}\n∂L/∂b = Σ_m δ_z", "db", "unreadable"),
        (BATCH, f"{DZ}\n∂L/∂W = [Σ_n X_nd·X_nd]_dh", "dW", "wrong"),
        (ROWS, "∂L/∂g = Σ_n,t B[n, t]", "dg", "wrong"),
    ],
)
def test_what_is_wrong_with_letters_is_not_right(grader: Grader, line: str, name: str, verdict: str) -> None:
    assert last(grader, line, name).verdict == verdict


def test_an_indicator_of_equality() -> None:
    found = last(Grader(Model.parse("param x, y\nloss L = maximum(x, y)")),
                 "∂L/∂x = 1[x > y] + ½·1[x = y]", "dx")
    assert found.verdict == "right"


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("(∂L/∂W)ᵀ = δ_zᵀ X", "right"),
        ("(∂L/∂W)ᵀ = Xᵀ δ_z", "wrong"),
        ("∂L/∂W.T = δ_zᵀ X", "right"),
        ("(∂L/∂b)ᵀ = δ_zᵀ 1_N", "right"),
    ],
)
def test_a_transpose_on_the_left(line: str, verdict: str) -> None:
    assert last(BATCH, f"{DZ}\n{line}", "db" if "∂b" in line else "dW").verdict == verdict


HEADS = Grader(Model.parse("""
dim N, T, h, d
param Q: N x h x T x d, K: N x h x T x d, g: d, r: h
S = Q @ transpose(K, (0, 1, 3, 2))
P = where(causal_mask(T), S, 0)
loss L = sum(tanh(P))
"""))


@pytest.mark.parametrize(
    "line",
    [
        "∂L/∂Q = (δ_P ⊙ (1_N×h ⊗ 1[mask(T)])) K",
        "∂L/∂K = (δ_P ⊙ (1_N×h ⊗ 1[mask(T)]))ᵀ Q",
    ],
)
def test_products_and_transposes_of_more_axes_act_on_the_last_two(line: str) -> None:
    found = last(HEADS, f"δ_P = 1 − tanh(P)^⊙2\n{line}", f"d{line[4]}")
    assert found.verdict == "right", found.finding


STEPS = Grader(Model.parse("""
dim T, N, D, H
data x: T x N x D
param w: D x H, s[0]: N x H
for t in 1..T:
    s[t] = s[t-1] + tanh(x[t] @ w)
loss L = sum(s[T]**2)
"""))


@pytest.mark.parametrize(("letters", "verdict"), [("dk", "right"), ("kd", "wrong")])
def test_entries_of_a_step_and_names_with_a_number_and_a_step(letters: str, verdict: str) -> None:
    loop = f"for t in T..1:\n    e₂ₜ = 2 s[T] ⊙ (1 − tanh(xₜ w)^⊙2)\n    dw += [Σ_n xₜ_nd·e₂ₜ_nk]_{letters}"
    assert last(STEPS, loop, "dw").verdict == verdict


SQUARE = Grader(Model.parse("dim N, M\nparam A: N x M x N\nloss L = sum(einsum('nmn->m', A)**2)"))


@pytest.mark.parametrize(("answer", "verdict"), [
    ("∂L/∂A_imj = 2 (Σ_n A_nmn)·1[i = j]", "right"),
    ("∂L/∂A_imj = 2 (Σ_n A_nmn)", "wrong"),
    ("∂L/∂A_imj = 2 A_imi·1[i = j]", "wrong"),
])
def test_the_entries_of_a_diagonal(answer: str, verdict: str) -> None:
    assert last(SQUARE, answer, "dA").verdict == verdict


def test_indices_that_fit_no_array() -> None:
    unfit = last(BATCH, f"{DZ}\n∂L/∂b = Σ_n X[n, n]", "db")
    assert unfit.finding is not None and (
        unfit.finding.says == "an array has one index twice, on axes of different sizes")
    assert last(BATCH, f"{DZ}\n∂L/∂b = Σ_n δ_z[n]·X[:, n]", "db").verdict == "wrong"  # N is not D


BASES = dict.fromkeys(["w", "W_e", "x1", *GREEK, *[f"{name}_2" for name in GREEK], *[f"w_{name}" for name in GREEK]])
NAMES = [base for base in BASES if base != "lambda"] + [
    f"{base}_{accent}{number}"
    for base in ("w", "y", "W", "alpha", "Omega") for accent in ACCENTS for number in ("", "2")
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_read_as_it_prints(name: str) -> None:
    grader = Grader(Model.parse(f"data x\nparam {name}, q\nloss L = tanh({name}*x) + q^2*{name}"))
    shown = text_name(name)
    report = grader.grade(
        f"dL/d{shown} = x (1 - tanh({shown} x)²) + q²\ndL/dq = 2q·{shown}".replace("L/d", "L/∂").replace("dL", "∂L")
    )
    assert [item.verdict for item in report.items] == ["right", "right"], report.text()


def test_a_sum_stays_a_sum_beside_a_sigma() -> None:
    grader = Grader(Model.parse("dim N\ndata x: N\nparam Sigma\nloss L = sum(Sigma*x)"))
    assert [item.verdict for item in grader.grade("∂L/∂Σ = Σ_n x[n]").items] == ["right"]


def test_letters_of_other_shapes() -> None:
    grader = Grader(Model.parse("data x\nparam theta, sigma\nloss L = theta*sigma*x"))
    assert [item.verdict for item in grader.grade("dϑ = ς x\ndς = 𝜃·x").items] == ["right", "right"]


@pytest.mark.parametrize(("answer", "verdict"), [
    ("dz = (I − h hᵀ) dh / n", "right"),
    ("dz = dh.T @ (I - np.outer(h, h)) / n", "right"),
    ("dz = (I + h hᵀ) dh / n", "wrong"),
])
def test_the_identity_matrix_is_as_large_as_what_stands_beside_it(answer: str, verdict: str) -> None:
    unit = Grader(Model.parse("dim N\nparam z: N, c: N\nn = norm(z)\nh = z/n\nloss L = sum(c*h)"))
    assert last(unit, f"dh = c\n{answer}", "dz").verdict == verdict


NOISE = Model.parse("dim N\ndata B: N x N, t: N\nparam s\nK = B + s * eye(N)\nloss L = t @ solve(K, t)")


@pytest.mark.parametrize(("answer", "verdict"), [
    ("Σ_n,i I_ni·(∂L/∂K)_ni", "right"), ("sum_n sum_i dL/dK[n,i]*I[n,i]", "right"),
    ("Σ_n,i 1[n = i]·(∂L/∂K)_ni", "right"), ("2·Σ_n,i I_ni·(∂L/∂K)_ni", "wrong"),
])
def test_entries_of_the_identity_matrix_in_a_sum(answer: str, verdict: str) -> None:
    a = "a = solve(K, t)\ndL/dK = -outer(solve(K.T, t), a)"
    assert last(Grader(NOISE), f"{a}\nds = {answer}", "ds").verdict == verdict


@pytest.mark.parametrize("detail", ["full", "board"])
def test_a_page_with_an_identity_matrix_is_right(detail: str) -> None:
    model = Model.parse("dim N, D\ndata A: N x D, B: N x D\nparam W: D x D, u\nS = A @ W @ B.T * exp(u)\n"
                        "loss L = -mean(diag(log_softmax(S)))")
    report = Grader(model).grade(derive(model).text(detail=detail))
    assert [item.verdict for item in report.items if item.role == "parameter"] == ["right", "right"]


def test_a_name_that_prints_as_an_entry_of_another_is_that_name() -> None:
    model = Model.parse("dim T\ndata y: T\nparam q\nP[0] = 1\nfor t in 1..T:\n    Pp = q * P[t-1]\n    K = Pp / 2\n"
                        "    P[t] = (1 - K) * Pp\nloss L = sum(y * P)")
    report = Grader(model).grade(derive(model).text(view="index"))
    assert {item.verdict for item in report.items} == {"right"}


@pytest.mark.parametrize("form", ["text", "index", "latex"])
@pytest.mark.parametrize("model", [
    "dim T\ndata x: T\nparam w\ns[0] = 0\nfor t in 1..T:\n    s[t] = tanh(w*s[t-1] + x[t])\nloss L = sum(s[1:]**2)",
    "dim T, H, E\ndata x: T x E\nparam Wz: H x E, Wh: H x E, Uh: H x H\nh[0] = zeros(H)\nfor t in 1..T:\n"
    "    z = sigmoid(Wz @ x[t])\n    h[t] = z*h[t-1] + tanh(Wh @ x[t] + Uh @ h[t-1])\nloss L = sum(h[T])",
    "dim T\ndata x: T, y: T\nparam a, c\nu = a*x[2:] + c*x[:-2]\nloss L = mean((tanh(u) - y[2:])**2)",
    "dim R, S\ndata delta: R x S\nparam sigma: R x S\nalpha = 1 - exp(-relu(sigma)*delta)\n"
    "T = cumprod(1 - alpha + 1e-10, axis=1)\nTx = concat(ones(R, 1), T[:, :-1], axis=1)\nw = alpha*Tx\n"
    "loss L = sum(w**2)",
], ids=["entries behind the first", "names with a subscript", "the first entries", "a map in two rows"])
def test_a_page_is_right_as_it_is_printed(form: str, model: str) -> None:
    """s[i+1] of a slice tells how far i runs, (∂L/∂W_h)_t of Wh is no entry at h, Σ_k δ[k]·x[k] goes as
    far as both have entries, and the second row of a map belonged to the row above it."""
    derivation = derive(Model.parse(model))
    page = derivation.latex() if form == "latex" else derivation.text(view="index" if form == "index" else "matrix")
    report = Grader(derivation.model).grade(page)
    assert {item.verdict for item in report.items} == {"right"} and not report.unread
