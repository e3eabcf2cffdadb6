"""Slips of syntax: what people type, as model text, and what cannot be read."""

from __future__ import annotations

import re

import pytest

from symbackprop import Model, derive
from symbackprop.errors import SyntaxProblem
from symbackprop.grade.lines import read_lines
from symbackprop.grade.naming import PRIME, Dictionary, Gradient, Local
from symbackprop.grade.reading import ascii_text
from symbackprop.grade.reference import Reference
from symbackprop.grade.slips import Tidy
from symbackprop.model.copying import copied
from symbackprop.model.text.tokens import forgiving_tokens
from symbackprop.model.zoo import build
from symbackprop.render.formats import printed
from tests.grade.helpers import item, report


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return Dictionary(Reference(copied(build("two-weight-tanh"))))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("−(y−o)·(1−o²)·h", "-(y - o) @ (1 - o^2) @ h"),
        ("-(y-o)(1-o^2)h", "-(y - o) @ (1 - o^2) @ h"),
        ("2x + 3(y-o)", "2 * x + 3 * (y - o)"),
        ("w2h", "w2 @ h"),
        ("-[y-o]*{1-o^2}", "-(y - o) * (1 - o^2)"),
        ("tanh'(a)", '°("tanh", a)'),
        ("σ'(a)", '°("sigmoid", a)'),
        ("tanh'(sigma'(a))", '°("tanh", °("sigmoid", a))'),
        ("tanh_prime(a)", '°("tanh", a)'),
        ("tanh a", "tanh(a)"),
        ("tanh²(a)", "tanh(a)^2"),
        ("e^{-x}", "exp((-x))"),
        ("1[a > 0] * 1{b > 0} * I(x > 0)", "(a > 0) * (b > 0) * (x > 0)"),
        ("np.tanh(a)", "tanh(a)"),
        ("(a * b).sum(axis=0)", "sum((a * b), axis = 0)"),
        ("aᵀ b^T", "a.T @ b.T"),
        ("h⁻¹", "h^(-1)"),
        ("w²₂", "w2^2"),
        ("½(y-o)", "(1/2) @ (y - o)"),
        ("W2 * H", "w2 * h"),
        ("ln(x)", "log(x)"),
        ("(y-o", "(y - o)"),
        ("h;", "h"),
    ],
)
def test_what_people_type(dictionary: Dictionary, typed: str, read: str) -> None:
    found = [x.text for x in Tidy(dictionary).run(forgiving_tokens(ascii_text(typed)[0]))]
    assert found == [PRIME if x == "°" else x for x in tokens_of(read)]


def test_an_entry_of_an_inverse_is_no_power_of_an_entry() -> None:
    assert [ascii_text(t)[0] for t in ("A⁻¹ᵢⱼ", "w²ᵢ")] == ["A^(-1)_{ij}", "w_{i}^2"]


def tokens_of(read: str) -> list[str]:
    """The tokens of a formula, ° standing for the derivative of a function."""
    first, *rest = read.split("°")
    return [*words(first), *[x for part in rest for x in ("°", *words(part))]]


def words(text: str) -> list[str]:
    return [x.text for x in forgiving_tokens(ascii_text(text)[0])]


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        ("exp(x) + exp(-x)", "2 sinh(x)"),
        ("exp(x) - exp(-x)", "2 cosh(x)"),
        ("tanh(x)", "square(sech(x))"),
        ("log(cos(x)^2)", "-2 tan(x)"),
        ("x^3 / 3", "pow(x, 2) + zeros_like(x)"),
        ("x", "ones_like(x)"),
        ("relu(x)", "step(x)"),
        ("x^2 / 2 + abs(x^2) / 2", "2 max(x, -x) sign(x)"),
    ],
)
def test_functions_that_gradients_are_written_with(loss: str, answer: str) -> None:
    assert item(f"param x\nloss L = {loss}", f"dx = {answer}", "dx").verdict == "right"


@pytest.mark.parametrize(
    "word", ["dw2", "dW2", "d_w2", "dw_2", "delta_w2", "deltaw2", "grad_w2", "w2_grad", "dL_dw2", "dLdw2"]
)
def test_spellings_of_a_gradient(dictionary: Dictionary, word: str) -> None:
    assert dictionary.gradient(word) == Gradient("w2")


def test_fractions_are_gradients_or_local_derivatives(dictionary: Dictionary) -> None:
    assert dictionary.fraction("L", "o") == Gradient("o")
    assert dictionary.fraction("J", "o") == Gradient("o")
    assert dictionary.fraction("o", "a") == Local("o", "a")
    assert dictionary.fraction("o", "zz") is None


@pytest.mark.parametrize(
    "left",
    [
        "dw2",
        "dL/dw2",
        "∂L/∂w₂",
        "w2.grad",
        "grad_w2",
        "∇w2",
        "nabla_w2 L",
        "grad(w2)",
        "w2",
        "(dL/dw2)",
        "d w2",
        "dJ/dw2",
    ],
)
def test_left_sides(left: str) -> None:
    assert item("two-weight-tanh", f"{left} = -(y-o)*(1-o^2)*h", "dw2").verdict == "right"


@pytest.mark.parametrize("sign", ["=", ":=", ":", "=="])
def test_signs_of_equality(sign: str) -> None:
    assert item("two-weight-tanh", f"dw2 {sign} -(y-o)*(1-o^2)*h", "dw2").verdict == "right"


def test_slips_are_told() -> None:
    found = item("two-weight-tanh", "dw2 = -(y-o)(1-o²)h", "dw2")
    assert "a missing product sign is put in" in found.notes
    assert found.read_as == "-(y - o) * (1 - o**2) * h"


def test_a_chain_of_equalities_is_checked_link_by_link() -> None:
    broken = item("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*h = (y-o)*(1-o^2)*h", "dw2")
    assert broken.verdict == "wrong"
    assert any("is right, so it is not equal" in n for n in broken.notes)


def test_derivatives_that_are_only_named_are_told() -> None:
    found = item("two-weight-tanh", "dw2 = dL/do * do/da * da/dw2", "dw2")
    assert found.taken == ["dL/do", "do/da", "da/dw2"]
    assert "not worked out" in report("two-weight-tanh", "dw2 = dL/do * do/da * da/dw2").text(0)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("dw2", "there is no ="),
        ("dw2 =", "nothing right of the ="),
        ("= h", "nothing left of the ="),
        ("dw2 = h)", "closes nothing"),
        ("dw2 = h §", "cannot be read"),
        ("dw2 = lambda: 1", "lambda"),
        ("dw2 = __import__('os').system('x')", "cannot be read"),
        ("dw2 = ().__class__", "an array has .T"),
        ("dw2 = " + "(" * 3000 + "h" + ")" * 3000, "cannot be read|at most|nested"),
        ("dw2 = " + "h+" * 3000 + "h", "at most 1000"),
        ("dw2 = 1e999", "beyond what a float can hold"),
        ("dw2 = h\x00", "U\\+0000"),
        ("dw2 = h\u202e", "RIGHT-TO-LEFT"),
        ("y - o = dy", "no name"),
        ("dw2/dw1 = 5", "does not depend"),
        ("for t in 1..T:\n  dw2 = h", "neither a name"),
        ("for t in 1..1000000: dw2 = h", "too long"),
        ("dw2 = sum_(", "a sum over steps is written"),
    ],
)
def test_what_cannot_be_read_is_said(lines: str, words: str) -> None:
    found = report("two-weight-tanh", lines)
    assert found.exit_code == 3
    assert len(found.unread) == 1
    assert re.search(words, found.unread[0].message), found.unread[0].message


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("dw2 = foo*h", "'foo' is neither"),
        ("dw2 = delta_a*h", "da is used, but no line above defines it"),
        ("dw2 = dL/dw2", "defined by itself"),
        ("dw2 = dw2", "defined by itself"),
        ("dw2 = h/0", "division by the number 0"),
        ("dw2 = 9**9**9**9", "too large"),
        ("dw2 = tanh()", "missing a required argument"),
        ("dw2 = zeta'(h)", "'zeta'"),
        ("dw2 = sum_t h", "needs its bounds"),
        ("dw2 = sum_{t=1}^{10^9} h", "is too long"),
        ("dw2 = sum_t(h, 1, 2, 3)", "has two bounds"),
    ],
)
def test_formulas_that_have_no_value_are_unreadable(lines: str, words: str) -> None:
    found = item("two-weight-tanh", lines, "dw2")
    assert found.verdict == "unreadable"
    assert found.finding is not None and words in found.finding.says
    assert report("two-weight-tanh", lines).exit_code == 3


def test_what_cannot_stand_for_itself_cannot_stand_for_another() -> None:
    found = report("two-weight-tanh", "dw2 = dw1\ndw1 = dw2")
    assert all(i.verdict != "right" for i in found.items)


def test_lines_with_comments_brackets_and_loops() -> None:
    lines = read_lines("﻿# heading\r\n\r\na = (b  # why\n  + c)\r\nfor t in T..1:\n  d = 1\n  e = 2\nf = 3 \\\n + 4\n")
    assert [line.text for line in lines] == ["a = (b + c)", "for t in T..1:", "f = 3 + 4"]
    loop = lines[1].loop
    assert loop is not None and (loop.start, loop.stop) == ("T", "1")
    assert [line.text for line in loop.body] == ["d = 1", "e = 2"]


def test_an_open_bracket_does_not_swallow_the_next_answer() -> None:
    found = report("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*(h\ndw1 = -(y-o)*(1-o^2)*w2*(1-h^2)*x")
    assert found.right == 2


def test_loops_without_a_body_are_refused() -> None:
    with pytest.raises(SyntaxProblem, match="line 1: syntax error: the loop has no body"):
        report("two-weight-tanh", "for t in 1..3:\nx")


NETWORK = "ffnn-softmax-batch"


@pytest.mark.parametrize(
    "line",
    [
        r"\frac{\partial L}{\partial W} = X^\top \left( \delta_s U^{\top} \odot (1 - h^{\odot 2}) \right)",
        r"\dfrac{\partial L}{\partial W} &= X^T ((\delta_{s} \, U^T) \circ (1-h^2)) &\quad& \text{since …} \\",
        r"$$\nabla_W L = X^{\mathsf{T}} (\delta_s U^{\mathsf T} \odot \tanh'(z))$$",
        r"So we get $\frac{\partial\mathcal{L}}{\partial W} = X^\top(\delta_s U^\top \odot (1-h^2))$ at last.",
        r"\[ \frac{\partial L}{\partial W} = X^{\top} \frac{\partial L}{\partial z} \]",
        "\\begin{align*}\n\\delta_h &= \\delta_s U^\\top \\\\\n"
        "\\frac{\\partial L}{\\partial W}\n&= X^\\top (\\delta_h \\odot (1-h^2))\n\\end{align*}",
        "Some words.\n\n```python\ndW = X.T @ (ds @ U.T * (1 - h**2))\n```\n\nand `more = words` here.",
        "- dW = X.T @ (ds @ U.T * (1 - h**2))\n- $x = 1$ costs $5\n",
        "$$\\delta_h = \\delta_s U^\\top$$\n∇_W L = Xᵀ (δ_h ⊙ (1 - h^2))",
        "$$\\delta_h = \\delta_s U^\\top$$\n∂L/∂W_ij = Σ_n X[n,i] δ_h[n,j] (1 - h[n,j]^2)",
    ],
)
def test_latex_and_markdown(line: str) -> None:
    above = r"\delta_{s} = \frac{1}{N} \left(\hat{y} - \operatorname{onehot}(y)\right)"
    found = report(NETWORK, f"{above}\n{line}")
    assert not found.unread, found.unread
    assert {i.name: i.verdict for i in found.items if i.given} | {"dW": "right"} == {
        i.name: "right" for i in found.items if i.given
    }


@pytest.mark.parametrize(
    "line",
    [
        "\\delta_s = " + "{" * 15_000,
        "\\delta_s = " + "^" * 15_000,
        "\\delta_s = " + "\\frac" * 3_000,
        "\\delta_s = " + "\\sqrt{" * 2_000 + "h",
        "ctx" + ".a" * 2_000 + "(h)",
        "dU = h" + ".T" * 5_000,
        "dU, db = " + "(" * 2_000 + "h" + ")" * 2_000 + ", h",
        "dU, db = " + "-" * 4_000 + "h, h",
        "$" * 10_000,
        "`" * 3,
        "dU[" * 2_000 + "= 1",
        "x" + "[h > 0]" * 900 + " = 0",
    ],
)
def test_documents_and_code_without_an_end_are_refused(line: str) -> None:
    found = report(NETWORK, f"{line}\ndb = 0 * b")
    assert found.verdict in ("wrong", "unreadable")


def test_a_layer_in_brackets_is_its_number() -> None:
    assert item("mlp-relu-sigmoid", r"\frac{\partial L}{\partial b^{[2]}} = a^{[2]} - y", "db2").verdict == "right"


def test_an_unknown_command_is_said_and_the_rest_is_graded() -> None:
    found = report(NETWORK, "\\delta_s = \\foo{x}\n\\delta_s = \\frac{1}{N}(\\hat{y} - \\operatorname{onehot}(y))")
    assert [u.message for u in found.unread] == ["the LaTeX command \\foo cannot be read in an answer"]
    assert found.items[0].verdict == "right"


LAYERS = """dim N, D, H, K
data X: N x D, Y: N x K
param W1: D x H, b1: H, W2: H x K, b2: K
Z1 = X @ W1 + b1
A1 = sigmoid(Z1)
P = A1 @ W2 + b2
loss L = sum((P - Y)^2) / (2*N)"""
RECURRENT = """dim T, H
data x: T, y: T, h[0]: H
param u: H, W: H x H, v: H
for t in 1..T:
    a = W @ h[t-1] + u * x[t]
    h[t] = tanh(a)
    o = v @ h[t]
loss L = sum((o - y)^2) / 2"""
OUT = "dim N, D, K\ndata X: N x D, Y: N x K\nparam W: D x K\nout = X @ W\nloss L = sum((out - Y)^2)/2"


def all_right(model: str, lines: str) -> bool:
    """Whether what is answered is read and right."""
    found = report(model, lines)
    return not found.unread and {i.verdict for i in found.items} <= {"right", "missing"} and found.right > 0


@pytest.mark.parametrize("word", ["dout", "d_out", "grad_out"])
def test_a_row_comes_before_a_word_for_the_upstream_gradient(word: str) -> None:
    assert all_right(OUT, f"{word} = out - Y\ndW = X.T @ {word}")


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (LAYERS, "db2 = 1ᵀ(P-Y)/N"),
        (LAYERS, "δ2 = (P-Y)/N\n∂L/∂b2 = 1ᵀ δ2"),
        (LAYERS, "dP = (P-Y)/N\ndb2 = 1^T dP"),
        (LAYERS, "\\delta^{(2)} = (P-Y)/N\n\\frac{\\partial L}{\\partial b_2} = \\mathbf{1}^\\top \\delta^{(2)}"),
        (LAYERS, "d1 = (P-Y)/N\ndW2 = A1ᵀd1\ndb2 = 1ᵀd1"),
        (LAYERS, "dP = (P-Y)/N\ndW2 = A^{(1)\\top} dP"),
        (LAYERS, "1. dP: (P-Y)/N\n2) dW2: A1.T @ dP"),
        (LAYERS, "dP = (P-Y)/N,\\quad db_2 = \\sum_n dP_n"),
        (RECURRENT, "dv = \\sum_{t=1}^{T} (o_t - y_t) h_t"),
        (RECURRENT, "dv = \\sum_{t=1}^{T} \\left(o_t - y_t\\right) h_t"),
        ("param x\nloss L = x*abs(x)", "dx = 2|x|"),
    ],
)
def test_what_stands_on_paper(model: str, lines: str) -> None:
    assert all_right(model, lines), report(model, lines).text(2)


@pytest.mark.parametrize(
    "lines",
    [
        "δ2 = (P-Y)/N\n∂L/∂b2 = Σₙ δ2",
        "db2 = Σ_n(P−Y)/N",
        "db2 = \\sum_{n=1}^N (P_n-Y_n)/N",
        "db2 = sum_{n=0}^{N-1} (P - Y)/N",
        "dW2[h,k] = sum_n A1[n,h]*(P[n,k]-Y[n,k])/N\ndb2[k] = sum_n (P[n,k]-Y[n,k])/N",
        "\\frac{\\partial L}{\\partial W_{2,hk}} = \\sum_{n=1}^N A_{1,nh} (P_{nk}-Y_{nk})/N",
        "∂L/∂P_ij = (P_ij − Y_ij)/N\ndA1_nh = sum_k dP_nk W2_hk\n"
        "g[n,h] = dA1[n,h]*A1[n,h]*(1-A1[n,h])\ndb1_h = Σ_n g_nh",
    ],
)
def test_sums_over_sizes_and_entries_by_letters(lines: str) -> None:
    assert all_right(LAYERS, lines), report(LAYERS, lines).text(2)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("dW2[h,k] = sum_n A1[n,h]*(P[n,k]-Y[n,k])", "N times too large"),
        ("dW2[k,h] = sum_n A1[n,h]*(P[n,k]-Y[n,k])/N", "transposed"),
        ("db2[k] = (P - Y)/N", "need each as an index: a[k]"),
        ("db2 = Σ_k (P - Y)/N", "its shape is N, expected K"),
        ("db2 = Σ_d (P - Y)/N", "no axes of what is summed have the size D"),
    ],
)
def test_mistakes_in_entries_and_their_sums_are_told(lines: str, says: str) -> None:
    assert says in report(LAYERS, lines).text(2)


@pytest.mark.parametrize("form", ["text", "latex"])
def test_the_index_view_of_a_derivation_is_right(form: str) -> None:
    model = Model.parse(LAYERS)
    found = report(LAYERS, printed(derive(model), form, view="index"))
    assert found.verdict == "right" and not found.unread, found.text(2)


@pytest.mark.parametrize(
    "lines",
    [
        "do_t = o_t - y_t\nda_t = do_t v (1-h_t^2) + W^T da_{t+1} (1-h_t^2)",
        "\\delta_t = (v (o_t-y_t) + W^\\top \\delta_{t+1}) \\odot (1 - h_t^2)\ndu = \\sum_t \\delta_t x_t",
        "dh_T = v (o_T-y_T)\ndh_t = v (o_t-y_t) + W^T ((1-h_{t+1}^2) ⊙ dh_{t+1})\ndu = sum_t dh_t (1-h_t^2) x_t",
        "for t in T..1:\n    da[t] = (v*(o[t]-y[t]) + W.T @ da[t+1]) * (1-h[t]^2)\n    du += da[t]*x[t]",
    ],
)
def test_recurrences_hold_at_every_step(lines: str) -> None:
    found = report(RECURRENT, lines)
    assert not found.unread and {i.verdict for i in found.items} <= {"right", "missing"}, found.text(2)
    assert len([i for i in found.items if i.verdict == "right"]) > 3 - ("+=" in lines)


def test_a_step_of_its_own_counts_before_the_line_for_every_step() -> None:
    lines = "dh_t = v (o_t-y_t) + W^T ((1-h_{t+1}^2) ⊙ dh_{t+1})\ndh_T = 2 v (o_T-y_T)"
    found = {i.name: i.verdict for i in report(RECURRENT, lines).items}
    assert (found["dh[3]"], found["dh[2]"]) == ("wrong", "follow-through")
    assert "dh[4] has no value" in report(RECURRENT, "dh_t = W.T @ dh_{t+1}").text(2)
