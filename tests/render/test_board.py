"""A board has what a lecturer writes: the three of the lectures line for line, and of every model a third of the long
form, with nothing that it does not say."""

from __future__ import annotations

import re

import pytest

from symbackprop.core import maths as m
from symbackprop.derive import derive
from symbackprop.errors import UsageError
from symbackprop.model import Model, load, zoo
from symbackprop.render.closed import LONGEST
from symbackprop.render.document import Document, board_lines
from symbackprop.render.html import derivation_html
from symbackprop.render.markdown import to_markdown
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from symbackprop.render.text import LINE, to_text, width
from tests.render.helpers import build, derivation, document, said
from tests.sweeps import few_in_ci


def lines(doc: Document) -> list[str]:
    """The equations of a board, and the reasons beside them."""
    return [f"{text(x.left) if x.left is not None else ''} {x.sign} {text(x.right)} | {said(x.reason)}".strip()
            for s in doc.steps for x in s.lines]


def board(source: str, **options: object) -> Document:
    from symbackprop.derive import derive
    from symbackprop.model import Model
    from symbackprop.render.board import build_document

    return build_document(derive(Model.parse(source)), Options(**{"detail": "board", **options}))  # type: ignore[arg-type]


def test_the_recurrent_network_of_two_steps() -> None:
    assert lines(document("two-step-rnn", detail="board")) == [
        "δ_o = −(y − o) | (6)",
        "δ_a = δ_o·do/dh₂·dh₂/da = δ_o·w_o·(1 − h₂²) | (5)(4)",
        "δ_b = δ_a·da/dh₁·dh₁/db = δ_a·w_h·(1 − h₁²) | (3)(2)",
        "dL/dw_o = δ_o·do/dw_o = δ_o·h₂ | (5)",
        "dL/dc₂ = δ_a·da/dc₂ = δ_a·w_e | (3)",
        "dL/dw_e = δ_a·∂a/∂w_e + δ_b·∂b/∂w_e = δ_a·c₂ + δ_b·c₁ | (3)(1); h₁ held fixed in ∂a/∂w_e",
        "dL/dw_e = −(y − o)·w_o·(1 − h₂²)·(c₂ + w_h·(1 − h₁²)·c₁) | written out",
        "dL/dc₁ = δ_b·db/dc₁ = δ_b·w_e | (1)",
        "dL/dw_h = δ_a·∂a/∂w_h + δ_b·∂b/∂w_h = δ_a·h₁ + δ_b·h₀ | (3)(1); h₁ held fixed in ∂a/∂w_h",
        "dL/dw_h = −(y − o)·w_o·(1 − h₂²)·(h₁ + w_h·(1 − h₁²)·h₀) | written out",
    ]


def test_the_window_with_an_abstract_function() -> None:
    source = "dim d, n\nfunction f\ninput x: 5*d\nparam W: n x 5*d, b: n, u: n\nz = W @ x + b\nh = f(z)\nloss s = u @ h"
    abstract, tanh = lines(board(source, view="jacobian")), lines(document("ner-window", detail="board"))
    assert [line.replace("1 − h^⊙2", "f′(z)").replace("(f′(z))ᵀ", "f′(z)ᵀ") for line in tanh] == abstract
    assert "δ_z = ∂s/∂z = uᵀ·diag(f′(z)) = δ_h ⊙ f′(z)ᵀ | (2)" in abstract


def test_the_window_with_jacobians() -> None:
    assert lines(document("ner-window", detail="board")) == [
        "δ_h = ∂s/∂h = uᵀ | (3)",
        "∂h/∂z = diag(1 − h^⊙2) |",
        "δ_z = ∂s/∂z = uᵀ·diag(1 − h^⊙2) = δ_h ⊙ (1 − h^⊙2)ᵀ | (2)",
        "∂s/∂u = hᵀ |",
        "∇_u s = h | (3)",
        "∂z_k/∂W_ij = x_j·1[k = i] |",
        "∂s/∂W_ij = Σ_k ∂s/∂z_k·x_j·1[k = i] = ∂s/∂z_i·x_j |",
        "∂z/∂vec(W) = I ⊗ xᵀ | [n×(5d·n)]",
        "∇_W s = δ_zᵀ xᵀ | [n×1][1×5d] (1)",
        "∂z/∂x = W |",
        "∂s/∂x = δ_z·W | [1×n][n×5d]",
        "∇_x s = Wᵀ·δ_zᵀ | (1)",
        "∂z/∂b = I |",
        "∂s/∂b = δ_z |",
        "∇_b s = δ_zᵀ | (1)",
    ]


def test_the_recurrent_language_model() -> None:
    assert lines(document("rnn-lm", detail="board")) == [
        "δ_z = (o − onehot(target))/(T·N) | (8)",
        "δ_h = δ_z W_oᵀ | (6)",
        "δ_hₜ^later = 0_N×H | at t = T",
        "∂h[T]/∂h₀ = Π_t diag(1 − hₜ^⊙2) W_hᵀ | the factor of t = T in front, for every row",
        "δ_z_hₜ = (δ_hₜ^later + δ_h[t]) ⊙ (1 − hₜ^⊙2) | (5)(4)",
        "δ_hₜ₋₁^later = δ_z_hₜ W_hᵀ | (3)",
        "∂L/∂W_o = Σ_t h_tᵀ δ_z[t] | (6)",
        "∂L/∂b_o = Σ_t,n δ_z[t,n] | (6)",
        "∂L/∂W_e = Σ_t cₜᵀ δ_z_hₜ | (3)",
        "∂L/∂W_h = Σ_t hₜ₋₁ᵀ δ_z_hₜ | (3)",
        "∂L/∂b = Σ_t Σ_n δ_z_hₜ[n] | (3)",
        "∂L/∂C = scatter((δ_z_hₜ for t = 1, …, T) W_eᵀ, words) | (3)(1)",
    ]


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3, 1))
def test_a_board_is_a_third_of_the_long_form(name: str) -> None:
    long, short = (to_text(document(name, detail=detail)).count("\n") for detail in ("full", "board"))
    assert 3 * short <= long


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3))
@pytest.mark.parametrize("view", ["auto", "index", "jacobian", "matrix"])
def test_what_a_board_refers_to_stands_on_it(name: str, view: str) -> None:
    if name == "neural-turing-machine" and view != "auto":
        pytest.skip("its long form is written in every view by the strict tests")
    doc = document(name, detail="board", view=view)
    there = set(doc.anchors())
    for s in doc.steps:
        assert s.lines
        for line in s.lines:
            assert set(m.anchors(line.right)) <= there


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 3, 2))
def test_every_gradient_that_is_asked_for_is_on_the_board(name: str) -> None:
    doc, long = document(name, detail="board"), document(name)
    wanted = {s.name for s in long.steps if s.role == "result" and not s.depth}
    assert wanted <= {s.name for s in doc.steps if s.role == "result"}


def test_conventions_stand_only_where_they_are_used() -> None:
    assert not document("cube", detail="board").conventions
    assert "shape convention" not in to_text(document("two-layer-net", detail="board"))
    assert "ReLU′(0) = 0" in to_text(document("two-layer-net", detail="board"))
    assert "Jacobian" in to_text(document("two-layer-net", detail="board", layout="jacobian"))


def test_a_delta_read_twice_has_a_line() -> None:
    doc = board("param a, b, c\nz = tanh(a * b)\ny = z * z * c\nloss L = y**2")
    assert [text(s.symbol) for s in doc.steps][:1] == ["δ_y"]
    twice = board("param a, b, c\nz = a * b\nloss L = sin(z) * c + cos(z)")
    assert "δ_z = −sin(z) + c·cos(z) | (2)" in lines(twice)


def test_closed_forms_stand_in_the_place_of_what_was_swept() -> None:
    page = to_text(board("dim N, D\ninput x: N x D\nparam g: D, b: D\noutput y = layer_norm(x) * g + b"))
    assert "closed form" not in page and page.count("∂L/∂x") == 1


def test_numbers_stand_beside_the_results() -> None:
    doc = board("param w\ndata x\nloss L = (w * x)**2", values={"w": 2.0, "x": 3.0})
    assert "36" in to_text(doc)


def test_an_influence_of_nothing_is_said() -> None:
    assert "dL/db = 0: no path leads from b to L" in to_text(board("param a, b\nloss L = a**2"))


@pytest.mark.parametrize("name", ["cube", "rnn-lm", "ner-window"])
def test_the_page_has_board_and_steps(name: str) -> None:
    for detail in ("board", "brief", "full"):
        page = derivation_html(derivation(name), Options(detail=detail))
        assert f'id="as-{detail}" checked' in page and page.count(" checked") == 1
        assert page.count('class="heading"') == sum(
            x.line is None for x in board_lines(document(name, detail="board").steps))


@pytest.mark.parametrize("name", zoo.names())
def test_markdown_of_a_board_is_safe(name: str) -> None:
    page = to_markdown(document(name, detail="board"))
    assert r"\operatorname" not in page and page.count("$$") == 4


def test_models_without_a_loss_have_boards() -> None:
    assert "δ_z" in to_text(document("two-layer-net", detail="board"))
    assert build("param a\nloss L = a").steps


OUTPUTS = """
dim N, D, M
input X: N x D
param W: D x M, b: M
output Y = X @ W + b
output Z = tanh(Y) * 2
output s = sum(Y * Y)
"""


@pytest.mark.parametrize("detail", ["board", "full"])
@pytest.mark.parametrize("view", ["matrix", "index", "jacobian"])
def test_what_is_given_for_an_output_that_others_read_is_not_its_whole_gradient(view: str, detail: str) -> None:
    page = to_text(board(OUTPUTS, view=view, detail=detail))
    given = "= (∂L/∂Y)_given[i,j] + " if view == "index" else "= (∂L/∂Y)_given + 2 ∂L/∂s·Y"
    assert given in page and "= ∂L/∂Y + " not in page and "∂L/∂Y = ∂L/∂Y" not in page
    assert "(∂L/∂Z)_given" not in page  # nothing reads Z


def test_the_same_of_scalars() -> None:
    doc = board("input x\nparam w\noutput a = w * x\noutput b = tanh(a)")
    assert lines(doc)[0] == "dL/da = (dL/da)_given + dL/db·db/da = (dL/da)_given + dL/db·(1 − b²) | (2)"
    assert lines(doc)[1] == "dL/dw = dL/da·da/dw = dL/da·x | (1)"


def shapes(doc: Document) -> dict[str, str]:
    """The shapes beside the last lines."""
    return {text(s.lines[-1].left): text(s.shape) for s in doc.steps if s.shape is not None and s.lines[-1].left}


def test_a_shape_is_that_of_what_its_line_says() -> None:
    found = shapes(document("ner-window", detail="board"))
    assert found["∇_x s"] == "5d" and found["δ_z"] == "1×n" and found["∇_W s"] == "n×5d"
    flipped = shapes(document("ner-window", detail="board", layout="jacobian"))
    assert flipped["∂s/∂x"] == "1×5d" and flipped["(∂s/∂W)ᵀ"] == "5d×n"
    in_matrices = shapes(document("logistic-regression-batch", detail="board", layout="jacobian"))
    assert in_matrices["(∂L/∂w)ᵀ"] == "1×D"


def test_updates_take_gradients_in_the_shape_of_the_parameter() -> None:
    (update,) = document("ner-window", detail="board").updates
    assert said(update.reason) == "for every parameter θ" and text(update.right).endswith("∇_θ s")


def test_a_line_by_entries_tells_every_equation_that_it_uses() -> None:
    found = lines(document("ner-window", detail="board", view="index"))
    assert "∂s/∂z_i = Σ_j u_j·(1 − h_j²)·1[j = i] = u_i·(1 − h_i²) | (3)(2)" in found


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.parametrize("detail", ["board", "full"])
def test_a_name_for_short_stands_for_one_thing(name: str, detail: str) -> None:
    every = [x for s in document(name, detail=detail).steps for x in s.lines if x.kind == "part"]
    rows = {(text(x.left), x.left.row) for x in every if isinstance(x.left, m.Sym)}
    assert len(rows) == len({left for left, _ in rows})
    assert detail == "full" or len(every) == len(rows)


def test_any_quantity_is_called_by_a_name_that_none_has() -> None:
    (said_of_all,) = document("gpt", detail="board").conventions
    assert said(said_of_all) == "δ_u := ∂L/∂u"


def test_what_only_a_loop_hands_on_is_a_delta_too() -> None:
    found = board("""
        dim T
        data x: T
        param r, s0
        for t in 1..T:
            s[t] = r * s[t-1] + x[t]
        loss L = s[T]^2""")
    assert "δ_sₜ₋₁^later = δ_sₜ^later·r | (2)" in lines(found)
    assert [said(x) for x in found.conventions] == ["δ_v := ∂L/∂v"]


def test_a_board_tells_the_learning_rate_and_the_step_of_its_differences() -> None:
    doc = board("param w\ndata x\nloss L = (w * x)**2", values={"w": 2.0, "x": 3.0}, lr=0.1)
    assert said(doc.updates[0].reason) == "η = 0.1"
    assert said(doc.checks[0].reason).endswith("; central differences, step 0.0001")


@pytest.mark.parametrize(("name", "wrt", "line"), [
    ("two-weight-tanh", "L", "dL/dL = 1"), ("linear-layer", "Y", "given")])
def test_the_gradient_of_what_the_sweep_starts_with_is_on_the_board(name: str, wrt: str, line: str) -> None:
    assert line in derive(load(name), [wrt]).text(detail="board")


def test_what_comes_after_the_loss_is_said_not_to_influence_it() -> None:
    assert "∂s/∂J = 0: no path leads from J to s" in derive(load("ner-window"), ["J"]).text(detail="board")


def test_several_steps_need_a_learning_rate() -> None:
    with pytest.raises(UsageError, match="need a learning rate"):
        derive(load("cube")).text(values={"x": 1.0}, steps=3)


def test_a_closed_form_does_not_spell_out_a_gradient_that_has_a_name() -> None:
    source = """
        dim N, D
        data X: N x D
        param U: D x D, W[1..2]: D x D, V[1..2]: D x D
        A = tanh(X @ W[1]) * sigmoid(X @ V[1])
        B = tanh(A @ W[2]) * sigmoid(A @ V[2]) + A
        loss L = sum((B @ U)^2)"""
    found = lines(board(source))
    assert [line for line in found if line.startswith("δ_A = ")] and sum("W₂ᵀ" in line for line in found) == 1


LOOPED = """
    dim T, D
    data h[0]: D, X: D x D
    param A: D x D, B: D x D, b: D
    for t in 1..T:
        S[t] = X @ X @ h[t-1] + b
        h[t] = exp(S[t]) @ (A + B)
    loss L = sum(h[T]^2)"""


def test_what_a_loop_reads_from_outside_and_what_its_steps_contribute_goes_by_its_name_or_in_parentheses() -> None:
    outside = board(LOOPED)
    found = [text(e.line.right) for e in outside.forward]
    assert "aᵀ cₜ" in found and "A + B" in found and not any("Bᵀ" in x for x in found)
    assert "∂h[T]/∂h₀ = Π_t aᵀ diag(cₜ) (X X) | the factor of t = T in front" in lines(outside)
    assert "∂L/∂b = Σ_t δ_Sₜ | (3)" in lines(outside)


def test_a_closed_form_that_is_longer_than_its_steps_are_is_not_on_the_board() -> None:
    source = """
        dim N, C, O
        data y: N int < C
        param u: N x C x O
        s = sum(u^2, axis=2, keepdims=True)
        v = u * sqrt(s + 2) * tanh(s) / (1 + s + exp(s))
        z = norm(v, axis=2)
        loss L = mean(cross_entropy(z, y))"""
    found = lines(board(source))
    assert max(map(len, found)) < LONGEST and [line.split(" = ")[0] for line in found] == [
        "δ_v", "δ_c", "δ_h", "δ_b", "∂L/∂u"]


def test_the_gradient_of_a_log_of_a_determinant_is_the_transposed_inverse() -> None:
    found = lines(board("dim D\nparam A: D x D\nloss L = log(det(A))"))
    assert found[-1] == "∂L/∂A = δ_a·a·A⁻ᵀ = A⁻ᵀ | (1)"


def test_entries_stand_at_what_has_them() -> None:
    source = "dim N, D\ndata y: N x D, m: N\nparam x: N x D\nloss L = mean((x - y)^2 * expand_dims(m, 1))"
    assert "1/(N·D) Σ_n,d (x_nd − y_nd)²·m_n" in text(board(source).forward[-1].line.right)


GATED = """
    dim T, N, H
    data x: T x N x 2*H, h[0]: N x H, c[0]: N x H
    param W: H x 2*H, v: H
    for t in 1..T:
        s, u = split(x[t] + h[t-1] @ W, 2, axis=1)
        g = sigmoid(s + v * c[t-1])
        c[t] = (1 - g) * c[t-1] + g * tanh(u)
        h[t] = c[t] * tanh(c[t])
    loss L = sum(h[T]^2)"""


def test_no_term_of_a_closed_form_spells_out_a_gradient_that_has_a_name() -> None:
    found = lines(board(GATED))
    spelled = [line for line in found if "δ_cₜ^later + " in line.split("|")[0]]
    assert spelled and all(line.startswith("δ_cₜ = ") for line in spelled)


def test_what_is_divided_by_itself_has_its_closed_form_on_the_board() -> None:
    source = """
        dim N, K
        data d: N x K
        param a: K, s: K
        q = a - d / (2*exp(2*s))
        loss L = -sum(logsumexp(q, axis=1))"""
    assert lines(board(source))[-1] == "∂L/∂s = −(Σ_n (softmax(q) ⊙ d)[n])/e^b | (3)(2)(1)"


def test_equal_numbers_beside_an_array_are_a_power() -> None:
    source = """
        dim N, D, C
        data X: N x D, t: N x C simplex
        param W: D x C, tau
        p = softmax(X @ W / tau)
        loss L = -sum(t * log(p))"""
    assert "∂L/∂τ = −(Σ_n,c δ_z_p[n,c]·a_nc)/τ² | (2)" in lines(board(source))


def test_a_quadratic_form_of_a_symmetric_matrix() -> None:
    found = board("dim D\ndata x: D\nparam S: D x D symmetric, m: D\nr = x - m\nloss L = r @ S @ r / 2")
    assert text(found.forward[-1].line.right) == "½rᵀ S r" and lines(found)[-1] == "∂L/∂m = −S r | (2)(1)"
    assert text(board("dim D\nparam A: D x D, r: D\nloss L = r @ A @ r").forward[-1].line.right) == "rᵀ A r"


@pytest.mark.parametrize(("view", "line"), [
    ("jacobian", "∇_A L = (B − a ⊙ ((Σ_d (a ⊙ B)[:, d]) 1_Dᵀ))/(b 1_Dᵀ)"),
    ("index", "∂L/∂A_ij = (B_ij − a_ij·(Σ_k a_ik·B_ik))/b_i"),
])
def test_a_closed_form_by_jacobians_or_entries_is_on_the_board(view: str, line: str) -> None:
    source = "dim N, D\ndata B: N x D\nparam A: N x D\na = A / norm(A, axis=1, keepdims=True)\nloss L = sum(a * B)"
    assert any(x.startswith(line) for x in lines(board(source, view=view)))


def test_a_gradient_whose_only_line_is_a_closed_form_is_on_the_board_of_jacobians() -> None:
    source = "dim D\ndata S: D x D symmetric\nparam b: D, y: D\ng = b + y\ns = g @ S @ g\nloss L = s + sum(b)"
    assert "δ_gᵀ = 2S g | (3)(2)" in lines(board(source, view="jacobian"))


def test_a_loss_of_classes_in_a_loop_stays_one_row() -> None:
    found = board("""
        dim T, N, V, H
        data y: T x N int < V, X: T x N x H
        param O: H x V
        for t in 1..T:
            l = cross_entropy(X[t] @ O, y[t])
        loss L = mean(l)""")
    assert "CE(zₜ, yₜ)" in [text(e.line.right) for e in found.forward]
    assert "δ_zₜ = −(δ_l[t] 1_Vᵀ) ⊙ onehot(yₜ) + (δ_l[t] 1_Vᵀ) ⊙ softmax(zₜ) | (4)(3)" in lines(found)


@pytest.mark.parametrize(("detail", "line"), [("board", "∂L/∂y = 2S g | (3)(2)(1)"), ("full", "= 2S g | written out")])
def test_what_is_written_out_of_a_closed_form_is_that(detail: str, line: str) -> None:
    source = "dim D\nparam b: D, S: D x D symmetric, y: D\ng = b + y\ns = g @ S @ g\nloss L = s + sum(b)"
    assert line in lines(board(source, detail=detail, view="matrix"))


@pytest.mark.parametrize("name", ["gpt", "llama-block", "conv-net", "activations"])
def test_shapes_stand_in_line_beside_formulas_of_several_lines(name: str) -> None:
    page = to_text(document(name, detail="board"))
    backward = page.split(":= ")[1]
    shaped = [row for row in backward.splitlines() if (found := row.rfind("   [")) > 0 and row[found + 4] not in ":0"]
    assert len(shaped) > 8
    assert len({len(unaccented(row[: row.rfind("   [")])) for row in shaped}) == 1
    assert all(width(row) <= LINE for row in page.splitlines())


def test_twice_a_gradient_by_twice_a_root_is_one_by_the_other() -> None:
    page = to_text(document("neural-turing-machine", detail="board"))
    assert "+ (δ_uₜ[n,i]/uₜ_ni)·Mₜ_nij" in page and "2(δ_v₂₅ₜ" not in page


def test_names_for_parts_have_their_shapes() -> None:
    page = to_text(document("llama-block", detail="board")) + to_text(document("gpt", detail="board"))
    parts = [row for row in page.splitlines() if re.match(r"  m[₀-₉]+ +=", row)]
    assert parts and all(re.search(r"   \[N×T×1\]$", row) for row in parts)


def test_a_state_that_no_step_reads_adds_nothing() -> None:
    page = to_text(board("dim T, H\ndata x: T x H\nparam s: H\nc[0] = s\nd[0] = 2*s\n"
                         "for t in 1..T:\n    c[t] = d[t-1]\n    d[t] = tanh(d[t-1] + x[t])\n"
                         "loss L = sum(c[T]) + sum(d[T]**2)"))
    assert "∂L/∂s          = 2(δ_dₜ₋₁^later)_t=1" in page, page


def unaccented(row: str) -> str:
    return "".join(c for c in row if width(c))


@pytest.mark.parametrize(("source", "line"), [
    ("dim N, G\ndata y: N, z: G\nparam s\nloss L = (N - G)*log(s) + sum(y*s) + sum(z*s)", "(N − G) log(s)"),
    ("dim N, G\ndata y: N, z: G\nparam s\nloss L = (1 - N/2)*log(s) + sum(y*s) + sum(z*s)", "(1 − N/2) log(s)"),
    ("dim N\ndata h, b: N\nparam w: N\nu = sin(w)\nk = h/6*(b + 2*u)\nloss L = sum(cos(k)*k)", "⅓h·"),
])
def test_numbers_in_front_are_one_and_begin_with_what_is_added(source: str, line: str) -> None:
    """−(−N + G), −N/2 + 1 and 2·⅙h are nobody's way to write them."""
    page = to_text(board(source))
    assert line in page, page


def test_what_the_steps_of_a_loop_contribute_to_goes_by_its_name() -> None:
    """Σ_t δ_Fₜ, and not what δ_Fₜ is made of, added up by itself."""
    page = to_text(board("dim T, S\ndata y: T x S, m[0]: S\nparam r\nfor t in 1..T:\n"
                         "    F[t] = sum(m[t-1]*y[t]) + exp(r)\n    k[t] = m[t-1]/F[t]\n    m[t] = tanh(k[t]) + y[t]\n"
                         "loss L = sum(log(F)) + sum(m[T])"))
    assert "= Σ_t δ_Fₜ" in page, page


def test_what_explains_a_function_uses_no_name_of_a_loop() -> None:
    page = to_text(board("dim T, K\ndata y: T x K\nparam w: K x K, a[0]: K\nfor t in 1..T:\n"
                         "    a[t] = logsumexp(a[t-1][:, None] + w, axis=0) + y[t]\nloss L = -logsumexp(a[T])"))
    assert "softmax(b)[c]" in page and "1_N bᵀ has" in page, page


def test_equations_of_a_call_that_follow_one_another_go_by_the_first_and_the_last() -> None:
    assert "rotary: (6), (11)–(13)" in to_text(document("llama-block", detail="board"))


def test_what_is_written_out_where_it_is_read_is_looked_through_once() -> None:
    """Of the first steps of many each reads the one before twice: the paths between them are 2^25."""
    lines = "".join([f"v{k + 1} = reshape(reshape(v{k}, 4, 6)*X, 24) + v{k}\n" for k in range(1000)])
    d = derive(Model.parse(f"data X: 4 x 6\nparam w: 24\nv0 = w*2\n{lines}loss L = sum(v1000)"))
    assert "∂L/∂w = " in d.text(detail="board")
