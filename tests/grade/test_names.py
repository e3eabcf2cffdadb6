"""Named rows are operands of their own: the gradient of each is that of the model as it was declared."""

from __future__ import annotations

import pytest

from symbackprop import Model
from symbackprop.grade import grade

LOGISTIC = "data y\nparam z\na = sigmoid(z)\nloss L = -(y * log(a) + (1 - y) * log(1 - a))"
SOFTMAX = "dim N, C\ndata t: N x C\nparam z: N x C\np = softmax(z)\nloss L = -mean(sum(t*log(p), axis=1))"
REGULARISED = "dim C\ndata t: C\nparam z: C\np = softmax(z)\nloss L = -dot(t, log(p)) + sum(p**2)"
TWINS = "data x\nparam w\np = w*x\nq = w*x\nloss L = p*q"
WRITTEN_TWICE = "data x\nparam w\na = w*x\nloss L = (w*x)**2 + a"
CHAIN = "data x\nparam w\na = w*x\nb = a\nloss L = a*b"
IN_A_LOOP = """dim T
data x: T
param w, h[0]
for t in 1..T:
    p = w*x[t]
    q = w*x[t]
    h[t] = h[t-1] + p*q
loss L = h[T]"""


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (LOGISTIC, "da = -(y/a - (1-y)/(1-a))\ndz = a - y"),
        (SOFTMAX, "dp = -t/p/N"),
        (REGULARISED, "dp = -t/p + 2*p"),
        (TWINS, "dp = q\ndq = p\ndw = 2*w*x^2"),
        (TWINS, "dp = w*x\ndw = dp*x + dq*x\ndq = w x"),
        (WRITTEN_TWICE, "da = 1\ndw = 2*w*x*x + x"),
        (WRITTEN_TWICE, "da = 1\ndw = da*x + 2*a*x"),
        (CHAIN, "db = a\nda = b + db\ndw = da*x"),
        (
            IN_A_LOOP,
            "for t in T..1:\n    dh[t] = 1\n    dp[t] = q[t]\n    dq[t] = p[t]\n    dw += 2*p[t]*x[t]\ndh0 = 1",
        ),
    ],
)
def test_right(model: str, lines: str) -> None:
    found = grade(Model.parse(model), lines)
    assert [i.hint(2) for i in found.items if i.verdict not in ("right", "missing")] == []
    assert not found.unread


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (LOGISTIC, "da = 0"),
        (SOFTMAX, "dp = 0"),
        (SOFTMAX, "dp = (p - t)/N"),
        (REGULARISED, "dp = 2*p"),
        (TWINS, "dp = p + q"),
        (WRITTEN_TWICE, "da = 2*a + 1"),
        (CHAIN, "db = 2*a"),
        (IN_A_LOOP, "dp[T] = 2*q[T]"),
    ],
)
def test_wrong(model: str, line: str) -> None:
    assert [i.verdict for i in grade(Model.parse(model), line).items if i.verdict != "missing"] == ["wrong"]


def test_what_is_written_out_is_still_the_named_row() -> None:
    found = grade(Model.parse(LOGISTIC), "dz = sigmoid(z) - y\na = sigmoid(z)")
    assert found.verdict == "right" and found.notes == []


def test_a_name_of_ones_own_is_none_of_the_model_in_other_letters() -> None:
    """da of a line's a was dA, given more than once."""
    model = Model.parse("dim N, D, H\ndata X: N x D\nparam A: D x H, w: H\nloss L = sum(tanh(X @ A) @ w)")
    lines = "a = tanh(X @ A)\ndA = X.T @ ((1 - a**2) * w)\nda = outer(ones(N), w)\ndw = sum(a, axis=0)"
    report = grade(model, lines)
    assert {item.name: item.verdict for item in report.required} == {"dA": "right", "dw": "right"}, report.text(2)


def test_a_mean_divides_by_numbers_too() -> None:
    model = Model.parse("dim N, C\ndata Y: N x 8 x 8 x C\nparam p: N x 8 x 8 x C\nloss L = mean((p - Y)**2)")
    found = grade(model, "dp = 2 * (p - Y) / N").items[0].finding
    assert found and found.says == "it is 64*C times too large: the mean divides by 64*C"
