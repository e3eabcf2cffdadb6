"""Right answers that were called wrong, or that ended in an exception."""

from __future__ import annotations

import pytest

from symbackprop import derive
from symbackprop.grade import grade
from symbackprop.model.text import parse

ATTENTION = """dim T, d, e
input Q: T x d, K: T x d, V: T x e
S = Q @ K.T / sqrt(d)
P = softmax(S)
output O = P @ V"""
RIDGE = """dim N, D
data X: N x D, y: N
param w: D, b
const lam = 0.1
r = X @ w + b - y
loss L = sum(r**2) / (2*N) + lam/2 * sum(w**2)"""
CLASSES = """dim N, D, C
data X: N x D, Y: N x C simplex
param W: D x C
loss L = mean(cross_entropy(X @ W, Y))"""
RIGHT = {
    "0 by cancellation": ("dim N\nparam z: N\np = softmax(z)\nloss L = sum(p)", "dz = 0*z"),
    "0 beyond a clip": (
        "dim N\nparam g: N\nn = norm(g)\nloss L = sum((g*minimum(1, 5/n))^2)", "dg = where(n < 5, 2*g, 0)",
    ),
    "without the eps": (
        "dim D\nparam x: D, y: D\nc = cosine_similarity(x, y)\nloss L = c^2",
        "dx = 2*c*y/(norm(x)*norm(y)) - 2*c^2*x/norm(x)^2\ndy = 2*c*x/(norm(x)*norm(y)) - 2*c^2*y/norm(y)^2",
    ),
    "the first step apart": (
        "dim T, N\ndata c: T x N, h[0]: N\nparam w: N\nfor t in 1..T:\n"
        "    h[t] = where(t == 1, c[t]*w, tanh(w*h[t-1]))\nloss L = sum(h[T]**2)",
        "dh[T]=2*h[T]\nfor t in T..1:\n    dw += where(t==1, c[t]*dh[t], dh[t]*(1-h[t]^2)*h[t-1])\n"
        "    dh[t-1] = where(t==1, 0, dh[t]*(1-h[t]^2)*w)",
    ),
    "all ones behind an array": (ATTENTION, "dV = Pᵀ dO\ndP = dO Vᵀ\ndS = P ⊙ (dP − (P ⊙ dP) 1 1ᵀ)\n"
                                 "dQ = dS K / √d\ndK = dSᵀ Q / √d"),
    "gradients with a bar": (ATTENTION, "\n".join([
        r"\[ \bar V = P^\top \bar O,\quad \bar P = \bar O V^\top \]",
        r"\[ \bar S_{ij} = P_{ij}\left(\bar P_{ij} - \sum_k P_{ik} \bar P_{ik}\right) \]",
        r"\[ \bar Q = \frac{1}{\sqrt{d}} \bar S K, \qquad \bar K = \frac{1}{\sqrt{d}} \bar S^\top Q \]"])),
    "a mean with a bar": ("dim D\nparam x: D\nloss L = sum((x - mean(x))^2)", "xbar = mean(x)\ndx = 2*(x - xbar)"),
    "a number beside the vector of ones": (RIDGE, "\n".join([
        r"\nabla_w L = \frac{1}{N} X^\top (X w + b\mathbf{1} - y) + \lambda w",
        r"\frac{\partial L}{\partial b} = \frac1N \mathbf 1^\top r"])),
    "a definition in an align": (RIDGE, "\n".join([
        r"\begin{align*}", r"e &:= Xw + b - y \\",
        r"\frac{\partial L}{\partial w} &= \frac{1}{N} X^{T} e + \lambda w \\",
        r"\frac{\partial L}{\partial b} &= \frac{1}{N}\sum_{k=1}^{N} e_k", r"\end{align*}"])),
    "words above a letter": ("dim D, H\ndata x: D, t: D\nparam W: H x D, V: D x H\na = W @ x\nh = sigmoid(a)\n"
                             "y = V @ h\nloss E = sum((y - t)**2) / 2", "\n".join([
        r"\delta^{out} = y - t", r"\frac{\partial E}{\partial V_{ij}} = \delta^{out}_i h_j",
        r"\delta^{hid}_j = \sigma'(a_j) \sum_i V_{ij} \delta^{out}_i",
        r"\frac{\partial E}{\partial W_{jk}} = \delta^{hid}_j x_k"])),
    "a letter that the derivation gives": (
        "dim n, k\ndata Y: n x n\nparam U: n x k, V: n x k\nR = U @ V.T - Y\nloss L = sum(R**2) / 2",
        "dU_{ia} = \\sum_j R_{ij} V_{ja}\ndV_{jb} = \\sum_i R_{ij} U_{ib}",
    ),
    "row by row": (
        "dim N, D\ninput a: N x D, p: N x D\nloss L = mean(sum((a - p)**2, axis=1))",
        "da_i = 2/N (a_i - p_i)\ndL/dp_i = 2/N (p_i - a_i)",
    ),
    "a loop over samples": (CLASSES, "dW = np.zeros((D, C))\nfor i in range(N):\n    dz = softmax(X[i] @ W) - Y[i]\n"
                            "    dW += np.outer(X[i], dz)\ndW /= N"),
}


@pytest.mark.parametrize("samples", ["range(N - 1)", "range(1, N)"])
def test_a_loop_that_leaves_out_a_sample(samples: str) -> None:
    lines = f"dW = 0\nfor i in {samples}:\n    dW += outer(X[i], softmax(X[i] @ W) - Y[i]) / N"
    assert [i.verdict for i in grade(parse(CLASSES), lines).items] == ["wrong"]


@pytest.mark.parametrize("samples", ["range(N + 1)", "range(0, N + 1)", "0..N"])
def test_a_loop_over_more_samples_than_there_are(samples: str) -> None:
    """The one behind the last was 0, as what comes after the last step of a loop is."""
    lines = f"dW = 0\nfor i in {samples}:\n    dW += outer(X[i], softmax(X[i] @ W) - Y[i]) / N"
    report = grade(parse(CLASSES), lines)
    assert report.verdict != "right" and "more steps than there are entries" in report.unread[0].message


STEPS = """dim T
dim H
data x: T x H
data h[0]: H
param W: H x H
for t in 1..T:
    h[t] = tanh(h[t-1] @ W + x[t])
loss L = sum(h^2)"""


@pytest.mark.parametrize(("steps", "is_right"), [
    ("reversed(range(T))", True), ("range(T - 1, -1, -1)", True), ("reversed(range(T + 1))", False),
    ("range(T, -1, -1)", False),
])
def test_a_loop_over_more_steps_than_the_models_loop_has(steps: str, is_right: bool) -> None:
    """At the step behind the last 2 h[t] was 0, and with it all that was added there."""
    body = "    dh = 2*h[t] + dh_next\n    da = dh * (1 - h[t]**2)\n    dW += outer(h[t-1], da)\n    dh_next = W @ da"
    report = grade(parse(STEPS), f"dh_next = zeros(H)\ndW = zeros(H, H)\nfor t in {steps}:\n{body}")
    assert (report.verdict == "right") is is_right


def test_a_loop_over_one_more_is_read_where_there_are_so_many() -> None:
    model = "dim N\ndata x: N + 1\nparam w\nloss L = sum((w * x)**2) / 2"
    report = grade(parse(model), "dw = 0\nfor i in range(N + 1):\n    dw += w * x[i]**2")
    assert [i.verdict for i in report.items] == ["right"]


@pytest.mark.parametrize("lines, model, says", [
    ("dw_j = Σ_i r_i X_ij / D + λ w_j\ndb = mean(r)", RIDGE, "D stands where N belongs"),
    ("P = softmax(X @ W, axis=0)\ndW = X.T @ (P - Y) / N", CLASSES, "softmax(X @ W, axis=0) stands where"),
])
def test_what_is_said_of_another_size_and_of_a_mistake_in_ones_own_quantity(lines: str, model: str, says: str) -> None:
    wrong = [i for i in grade(parse(model), lines).items if i.verdict == "wrong"]
    assert len(wrong) == 1 and wrong[0].finding is not None and says in wrong[0].finding.says


def test_a_change_to_a_wrong_line_that_cannot_be_computed_explains_nothing() -> None:
    model = "dim n\nparam S: n x n\ndata x: n\nz = solve(S, x)\nloss L = logdet(S) / 2 + dot(x, z) / 2"
    assert [i.verdict for i in grade(parse(model), "dS = 1/2 S^{-T} - 1/2 x z^T").items] == ["wrong"]


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers(name: str) -> None:
    model, answers = RIGHT[name]
    report = grade(parse(model), answers)
    assert report.items and all(i.verdict == "right" for i in report.items)


OVERLAP = """
dim N
data t: N x 4
param b: N x 4
x1 = maximum(b[:, 0], t[:, 0])
y1 = maximum(b[:, 1], t[:, 1])
x2 = minimum(b[:, 2], t[:, 2])
y2 = minimum(b[:, 3], t[:, 3])
inter = relu(x2 - x1)*relu(y2 - y1)
ab = (b[:, 2] - b[:, 0])*(b[:, 3] - b[:, 1])
at = (t[:, 2] - t[:, 0])*(t[:, 3] - t[:, 1])
un = ab + at - inter
cx = maximum(b[:, 2], t[:, 2]) - minimum(b[:, 0], t[:, 0])
cy = maximum(b[:, 3], t[:, 3]) - minimum(b[:, 1], t[:, 1])
hull = cx*cy
loss L = mean(1 - inter/un + (hull - un)/hull)
"""


def test_where_all_cancels_near_a_kink_only_what_is_more_than_rounding_is_wrong() -> None:
    model = parse(OVERLAP)
    page = derive(model).text()
    assert {item.verdict for item in grade(model, page).items} == {"right"}
    wrong = grade(model, page.replace("½·1[c = t[:, 1]]", "1[c = t[:, 1]]"))
    assert [item.name for item in wrong.items if item.verdict == "wrong"] == ["dc"]


def test_a_wrong_answer_to_elu_is_explained() -> None:
    [item] = grade(parse("dim N\nparam x: N\nloss L = sum(elu(x))"), "dx = 3*x").items
    assert item.verdict == "wrong"
