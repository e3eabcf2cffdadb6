"""One change to a line."""

from __future__ import annotations

import pytest

from symbackprop.grade.explain import arithmetic, edits, products
from symbackprop.grade.grading import grade
from symbackprop.grade.tree_text import unparsed
from symbackprop.model import Model
from symbackprop.model.text.expressions import one_formula
from tests.grade.helpers import item


def test_edits_change_one_place() -> None:
    found = {unparsed(e.whole) for e in edits(one_formula("A @ B + C"), products)}
    assert {"B @ A + C", "A.T @ B + C", "A * B + C", "A @ B.T + C"} <= found
    assert "A @ B - C" in {unparsed(e.whole) for e in edits(one_formula("A @ B + C"), arithmetic)}


PENALTY = "dim N\nparam W: N x N, s\nloss L = exp(s)*sum(W**2)"
SIGMOID = "data x, y\nparam w, b\nloss L = (y - sigmoid(w*x + b))^2/2"


@pytest.mark.parametrize(("model", "lines", "words"), [
    (PENALTY, "ds = exp(s)*sum(W)", ["where a = W**2"]),
    (SIGMOID, "dw = (sigmoid(w*x + b) - y)*x", ["dh/dz", "where h = sigmoid(z), z = w * x + b"]),
    (SIGMOID, "h = sigmoid(w*x + b)\ndw = (h - y)*x", ["factor"]),
    (PENALTY, "dW = 2 exp(s) W.T", ["2 * exp(s) * W.T stands where 2 * exp(s) * W belongs"]),
    ("data y\nparam a\nloss L = log(1 + exp(-y*a))", "da = -y*sigmoid(y*a)", ["sigmoid(y * a)", "sigmoid(-y * a)"]),
])
def test_it_is_told_in_names_that_can_be_known(model: str, lines: str, words: list[str]) -> None:
    """What a derivation's letters stand for is said, unless the lines use them; products are told as they are read."""
    finding = item(model, lines, lines.splitlines()[-1].split(" ")[0]).finding
    assert finding is not None and [w for w in words if w not in finding.says] == []
    assert "where h =" not in finding.says or "h = " not in lines


@pytest.mark.parametrize("norm", ["‖W‖_F²", "‖W‖²_F", "||W||_F^2", "||W||^2", "‖W‖_F**2"])
def test_norms_with_their_order_at_the_bars(norm: str) -> None:
    assert item(PENALTY, f"ds = exp(s) {norm}", "ds").verdict == "right"


@pytest.mark.parametrize(("model", "given", "says"), [
    ("dim N\ndata x: N\nparam s\nloss L = N/2*log(s) + sum(x^2)/(2*s)", "ds = 1/(2*s) - sum(x^2)/(2*s^2)",
     "in N/2, the number N is missing: you have 1 / 2"),
    ("dim N, K\ndata x: N\nparam p: K\nl = p - x[:, None]\nloss L = sum(logsumexp(l, axis=1))",
     "dp = sum(softmax(l, axis=0), axis=0)", "softmax(l, axis=0) stands where softmax(l, axis=1) belongs"),
    ("dim T\ndata x: T, y: T - 2\nparam k: 3\no = k[0]*x[:-2] + k[1]*x[1:-1] + k[2]*x[2:]\nloss L = sum((o - y)^2)/2",
     "dk_i = sum_t (o_t - y_t) x_{t-i}", "x[t - i] stands where x[t + i] belongs"),
], ids=["size", "axis", "index"])
def test_a_part_that_stands_for_another_one(model: str, given: str, says: str) -> None:
    found = grade(Model.parse(model), given).items[-1].finding
    assert found is not None and says in found.says
