"""The appendix proves every rule that a reason cites, once, from what records say of entries."""

from __future__ import annotations

import pytest

from symbackprop import Model, derive
from symbackprop.render.board import build_document
from symbackprop.render.document import Document, Ref
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from tests.render.claims import WRONG, verdicts
from tests.render.helpers import derivation

PROOFS = {
    "dim N, C\nparam z: N x C\ndata y: N int < C\nloss L = mean(cross_entropy(z, y))": [
        "L = log(Σ_m e^z_m) − z[y]", "∂L/∂z_i = −1[y = i] + e^z_i/(Σ_m e^z_m) = e^z_i/(Σ_m e^z_m) − 1[y = i]",
        "∂L/∂z = softmax(z) − onehot(y)"],
    "dim N, D, M\nparam W: D x M\ndata X: N x D\nZ = X @ W\nloss L = sum(Z**3)": [
        "Y_in = Σ_k A_ik·B_kn", "∂Y_kn/∂A_ij = Σ_l B_ln·1[k = i]·1[l = j] = B_jn·1[k = i]", "∂L/∂B = Aᵀ (∂L/∂Y)"],
    "dim N, D\nparam A: N x D\nn = norm(A, axis=1)\nloss L = sum(n**3)": ["y = √(Σ_m a_m²)", "∂y/∂a_i = a_i/y"],
    "dim N, D\nparam A: N x D\nn = logsumexp(A, axis=1)\nloss L = sum(n**3)": [
        "y = log(Σ_m e^a_m)", "∂y/∂a_i = e^a_i/(Σ_m e^a_m) = exp(a_i − y)"],
}


def test_a_rule_is_proved_once_whatever_the_sizes() -> None:
    titles = [rule.title for rule in build_document(derivation("conv-net")).rules]
    assert titles.count("convolution") == 1


def test_where_vectors_have_rows_a_gradient_is_a_nabla_as_on_the_page() -> None:
    rules = build_document(derivation("linear-layer"), Options(view="jacobian")).rules
    shown = [f"{text(x.left)} = {text(x.right)}" for rule in rules for x in rule.lines if x.left is not None]
    assert "∇_A L = (∇_Y L) Bᵀ" in shown and "∂L/∂A_ij = Σ_k,n ∂L/∂Y_kn·B_jn·1[k = i] = Σ_n ∂L/∂Y_in·B_jn" in shown


def anchors(document: Document) -> set[str]:
    reasons = [x for s in document.steps for line in s.lines for x in line.reason if isinstance(x, Ref)]
    return {x.anchor for x in reasons if x.anchor.startswith("rule-")}


@pytest.mark.parametrize(("model", "lines"), PROOFS.items(), ids=["softmax", "product", "norm", "logsumexp"])
def test_a_rule_is_proved_from_entries(model: str, lines: list[str]) -> None:
    d = derive(Model.parse(model))
    assert not [x for x in verdicts(d, "matrix") if x.verdict == WRONG]
    (rule,) = build_document(d).rules
    shown = [f"{text(x.left)} = {text(x.right)}" for x in rule.lines if x.left is not None]
    assert not [line for line in lines if line not in shown], shown


@pytest.mark.parametrize("name", ["rnn-lm", "gpt", "ner-window", "cube"])
def test_an_appendix_has_the_rules_that_are_cited_in_their_order(name: str) -> None:
    for view, detail in (("auto", "full"), ("auto", "brief"), ("index", "full")):
        document = build_document(derivation(name), Options(view=view, detail=detail))
        assert [r.anchor for r in document.rules] == [f"rule-{k}" for k in range(1, len(document.rules) + 1)]
        assert anchors(document) == {r.anchor for r in document.rules}
    assert not build_document(derivation(name), Options(detail="board")).rules


@pytest.mark.parametrize("form", ["text", "latex", "markdown", "html", "json"])
def test_every_format_has_the_appendix(form: str) -> None:
    page = derivation("ffnn-softmax").printed(form)
    assert "(R2)" in page or form == "json"
    assert "softmax with cross-entropy" in page.split("Rules" if form != "json" else '"rules"')[1]


def test_a_wrong_proof_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: gradients twice as large solve no proof."""
    from tests.render.world import World

    whole = World.gradient
    monkeypatch.setattr(World, "gradient", lambda self, row: (whole(self, row)[0], 2 * whole(self, row)[1], False))
    monkeypatch.setattr("tests.render.claims.PROVED", {})
    found = [x for x in verdicts(derivation("ffnn-softmax"), "matrix") if x.where == "softmax with cross-entropy"]
    assert any(x.verdict == WRONG for x in found)
