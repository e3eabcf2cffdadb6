"""Second derivatives in print: the forms of the literature, and every printed block has the numbers of differences."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from symbackprop import Model, derive, hessian
from symbackprop.derive.push import NoPush
from symbackprop.errors import ModelError, UsageError
from symbackprop.render.board import build_document
from symbackprop.render.document import Document
from symbackprop.render.options import Options
from symbackprop.render.print.latex import latex
from symbackprop.render.print.text import text
from tests.derive.test_blocks import CATALOGUE
from tests.render.claims import SKIPPED, WRONG, verdicts

MORE = {
    "margins": "dim N, D\ndata X: N x D\nparam w: D\np = sigmoid(X @ w)\nloss L = sum(p**3)",
    "a transpose": "dim D\nparam W: D x D, B: D x D\nloss L = sum(exp(W) * B.T) + trace(W @ W)",
    "transposes of other sizes": "dim K, D\nparam V: K x D, U: D x K\nloss L = sum(exp(V) * U.T) - 3 * sum(V * U.T)",
    "a multiple of what transposes": "dim D\nparam W: D x D, B: D x D, c\nloss L = c**2 * sum(W * B.T)",
    "rows scaled": "dim K, D\nparam W: K x D, a: K\nloss L = sum(W * a[:, None]**2) + sum(exp(W))",
    "columns scaled": "dim K, D\nparam W: K x D, a: D\nloss L = sum(exp(W) * a**2)",
    "a mixture": "dim N, D, K\ndata X: N x D\nparam mu: K x D, q: K, s\nd2 = sum((X[:, None, :] - mu)**2, axis=2)\n"
                 "loss L = -mean(logsumexp(log_softmax(q) - d2 / exp(s), axis=1))",
    "listed": "param t, u: 2\nR = [[cos(t), -sin(t)], [sin(t), cos(t)]]\nloss L = sum(exp(R @ u))",
    "entries": "dim N\ndata x: N\nparam p: 3\nloss L = sum((p[0] + tanh(p[1] * x) * p[2])**2)",
    "row vector": "dim N, D\ndata X: N x D\nparam s, w: D\nloss L = sum(exp(s * (X @ w)))",
}


def second(document: Document) -> list[Any]:
    return [s for s in document.steps if s.role == "second"]


@pytest.mark.parametrize("detail", ["full", "board"])
@pytest.mark.parametrize("name", [*CATALOGUE, *MORE])
def test_every_printed_block_has_the_numbers_of_differences(name: str, detail: str) -> None:
    d = derive(Model.parse({**CATALOGUE, **MORE}[name]), order=2)
    steps = {f"step {s.number}" for s in second(build_document(d, Options(view="matrix", detail=detail)))}
    with np.errstate(all="ignore"):
        found = [x for x in verdicts(d, "matrix", detail=detail) if x.where in steps]
    assert steps and not [x for x in found if x.verdict == WRONG]
    assert not [x for x in found if x.verdict == SKIPPED]


CURVED = ["logistic", "logits", "ridge", "one-softmax", "softmax", "factors", "poisson", "several", "network", "relu"]


@pytest.mark.parametrize("name", CURVED)
def test_every_printed_block_of_gauss_newton_has_the_numbers_of_products(name: str) -> None:
    d = derive(Model.parse(CATALOGUE[name]), ggn=True)
    steps = {f"step {s.number}" for s in second(build_document(d, Options(view="matrix")))}
    with np.errstate(all="ignore"):
        found = [x for x in verdicts(d, "matrix") if x.where in steps]
    assert steps and {x.verdict for x in found} == {"right"}, [x for x in found if x.verdict != "right"]


def test_gauss_newton_in_every_format() -> None:
    d = derive(Model.parse(CATALOGUE["network"], name="network"), wrt="W1", ggn=True)
    page = d.text()
    assert "Gauss–Newton, Jᵀ H J: J the derivatives of Z" in page
    assert "⪰ 0" in page and "convex" not in page and d.hessian is None
    assert "GN" in d.latex() and "GN" in d.html() and "GN" in d.markdown() and "GN" in d.to_json()
    with pytest.raises(ModelError, match="no Gauss–Newton matrix"):
        derive(Model.parse("param w\nloss L = w**3"), ggn=True)
    with pytest.raises(UsageError, match="ask for one of them"):
        derive(Model.parse(CATALOGUE["network"]), jacobian="Z", ggn=True)


FORMS = {
    "logistic": "Xᵀ diag(p ⊙ (1 − p)) X/N", "quadratic": "Aᵀ + A", "symmetric": "2A", "ridge": "Xᵀ X + λ·I",
    "one-softmax": "(diag(p) − p pᵀ) ⊗ x xᵀ", "softmax": "Σ_n (X_n X_nᵀ/N) ⊗ (diag(P_n) − P_n P_nᵀ)",
    "factors": "2blockdiag([Vᵀ diag(O_i^⊙2) V]_i)", "logdet": "(X⁻ᵀ ⊗ X⁻¹) K_n",
    "gaussian": "c·Xᵀ X", "poisson": "Xᵀ diag(e^η) X", "several": "Xᵀ X ⊗ I",
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_the_literature(name: str) -> None:
    step = second(build_document(derive(Model.parse(CATALOGUE[name]), order=2)))[0]
    assert text(step.lines[-1].right) == FORMS[name]


def test_a_symmetric_parameter_needs_no_commutation_matrix() -> None:
    page = derive(Model.parse("dim n\nparam X: n x n symmetric\nloss L = -logdet(X)"), order=2).text()
    assert "= −X⁻¹ " in page and "(X⁻¹ ⊗ X⁻¹) K_n     K_n vec(X) = vec(Xᵀ) of any X: on symmetric ones it is" in page


def test_parts_are_rows_of_the_identity() -> None:
    """What is read of a vector in parts has a Hessian whose blocks stand at their places; parts that have nothing in
    common have no entry on the diagonal together."""
    model = Model.parse("dim n\ndata A: n x n\nparam x: 2*n\na = x[:n]\nloss L = a @ A @ x[n:] + sum(exp(a))")
    *_, diagonal, whole = second(build_document(derive(model, order=2)))[0].lines
    assert text(whole.right) == "I[:n]ᵀ diag(e^a) I[:n] + I[:n]ᵀ A I[n:] + I[n:]ᵀ Aᵀ I[:n]"
    assert text(diagonal.right) == "Σ_i 1[i = j]·e^a_i"


CONVEX = ["logistic", "one-softmax", "softmax", "poisson", "several"]


@pytest.mark.parametrize("name", ["logdet", "quadratic", *CONVEX])
def test_convexity_is_told_where_the_form_shows_it(name: str) -> None:
    page = derive(Model.parse(CATALOGUE[name]), order=2).text()
    assert ("⪰ 0" in page) == (name in CONVEX)


def test_every_format_prints_it() -> None:
    d = derive(Model.parse(CATALOGUE["logistic"], name="logistic"), order=2)
    assert "Step 5" in d.markdown() and "<math" in d.html()
    data = json.loads(d.to_json())
    assert [s["role"] for s in data["steps"]].count("second") == 1
    assert latex(second(build_document(d))[0].symbol) in d.latex()


def test_numbers_are_put_in() -> None:
    d = derive(Model.parse("param w: 2\ndata c: 2\nloss L = sum(c * w**3)"), order=2)
    page = d.text(values={"w": [1.0, 2.0], "c": [1.0, 1.0]}, digits=3)
    assert "6" in page.split("∂²L/∂w∂wᵀ")[-1] and "12" in page.split("∂²L/∂w∂wᵀ")[-1]


def test_what_is_asked_for() -> None:
    model = Model.parse(CATALOGUE["network"])
    only = derive(model, hessian="W2")
    assert only.hessian is not None and list(only.hessian) == [("W2", "W2")]
    by_row = derive(model, jacobian="Z")
    assert by_row.hessian is None and by_row.second is not None and ("Z", "W1") in by_row.second
    with pytest.raises(ModelError, match="no loss"):
        derive(Model.parse("param w\noutput y = w**2"), order=2)


@pytest.mark.parametrize("view", ["matrix", "index", "jacobian"])
def test_every_view_prints_it(view: str) -> None:
    d = derive(Model.parse(CATALOGUE["logistic"]), order=2)
    assert second(build_document(d, Options(view=view)))


@pytest.mark.parametrize("detail", ["full", "board"])
def test_what_has_no_compressed_form_is_told(detail: str) -> None:
    page = derive("rnn-lm", order=2).text(detail=detail)
    assert "the derivative of a loop is not kept compressed" in page and "∂L/∂W" in page
    with pytest.raises(NoPush):
        hessian("rnn-lm")


def test_between_numbers_no_delta_contracts() -> None:
    said = derive(Model.parse("data x, y\nparam a, b\nloss L = (y - a * sin(b * x))^2"), order=2).text()
    assert "dL/da once more" in said and "δ contracts" not in said
    said = derive(Model.parse("dim N\nparam a, w: N\nloss L = sum((a * w)^2) * a"), order=2).text()
    assert said.count("δ contracts") == 1
