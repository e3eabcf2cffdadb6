"""What is pasted from chats, notebooks and notes."""

from __future__ import annotations

import pytest

from symbackprop import load
from symbackprop.grade import grade
from symbackprop.model.text import parse

W1, W2 = "-(y - o)*(1 - o**2)*w2*(1 - h**2)*x", "-(y - o)*(1 - o**2)*h"
CLASSES = "dim N, C\ndata y: N int < C\nparam z: N x C\nloss L = mean(cross_entropy(z, y))"
BOTH = {
    "a table": f"| gradient | value |\n|---|---|\n| dw2 | {W2} |\n| dw1 | {W1} |",
    "a table of equations": f"| step | result |\n|:--|--:|\n| 1 | dw2 = {W2} |\n| 2 | dw1 = {W1} |",
    "quotes of code": f"- the last one is `dw2 = {W2}`\n- and from it `dw1 = {W1}`",
    "boxes": r"\boxed{\frac{\partial L}{\partial w_2} = -(y-o)(1-o^2)h}" + f"\ndw1 = {W1}",
    "prompts": f">>> dw2 = {W2}\n>>> dw1 = {W1}",
    "what an interpreter answers": f">>> dw2 = {W2}\n0.25\n>>> dw1 = {W1}",
    "numbers of lines": f"1 dw2 = {W2}\n2 dw1 = {W1}",
    "quotes": f"> $$\n> dw2 = {W2}\n> $$\n> 2. $dw1 = {W1}$",
    "marks": f"\u2705 dw2 = {W2}\n\u274c dw1 = {W1}",
}
OF_CLASSES = {
    "a name for the rows of 0 and 1": ("dz = (softmax(z) - y_onehot)/N", "right"),
    "an indicator": (r"\frac{\partial L}{\partial z} = (softmax(z) - \mathbb{1}_y)/N", "right"),
    "its sign": ("dz = (softmax(z) + y_onehot)/N", "wrong"),
    "a line that changes it and cannot be read": ("dz = softmax(z)\ndz[~~, y] -= 1\ndz = dz/N", "unreadable"),
    "another name's": ("dz = (softmax(z) - one_hot(y))/N\nq[~~, y] -= 1", "right"),
}


@pytest.mark.parametrize("text", BOTH.values(), ids=BOTH)
def test_answers_are_found(text: str) -> None:
    report = grade(load("two-weight-tanh"), text)
    assert (report.verdict, report.right) == ("right", 2), report.text(1)
    wrong = grade(load("two-weight-tanh"), text.replace("(1 - h**2)", "h**2"))
    assert (wrong.verdict, wrong.right) == ("wrong", 1), wrong.text(1)


@pytest.mark.parametrize(("text", "verdict"), OF_CLASSES.values(), ids=OF_CLASSES)
def test_of_class_indices(text: str, verdict: str) -> None:
    report = grade(parse(CLASSES), text)
    (answer,) = report.required
    assert answer.verdict == verdict, report.text(1)
    assert "Did you mean 'dz'" not in report.text(1)


LOGISTIC = """
dim N, D
data X: N x D, y: N
param w: D, b
p = sigmoid(X @ w + b)
loss L = -mean(y*log(p) + (1 - y)*log(1 - p))
"""
RIGHT = [
    "dw = X'*(p - y)/N", "dw = (1/N) * X' * (p - y)", "dw = t(X) %*% (p - y) / N", "dw = X' * (p .- y) ./ N",
    "dw = X⊤(p−y)/N",
    r"\nabla_w \mathcal{L} = \frac1N \mathbf{X}^{\top} \bigl(\mathbf{p} - \mathbf{y}\bigr)", "dw = Xᵀ(σ(Xw + b) − y)/N",
    r"\frac{\partial L}{\partial b} = \frac{1}{N}\mathbf{1}^\top(p-y)",
    r"\frac{\partial L}{\partial b} = \frac{1}{N} \mathbf 1^T (p-y)",
    r"\frac{\partial L}{\partial w_j} = \frac{1}{N}\sum_{i=1}^N (p_i - y_i) x_{ij}", "db = mean(p .- y)",
]
WRONG = ["dw = X'*(y - p)/N", "dw = t(X) %*% (p - y)",
         r"\frac{\partial L}{\partial b} = \mathbf{1}^\top(p-y)", "db = sum(p .- y)"]


@pytest.mark.parametrize(("text", "verdict"), [*((t, "right") for t in RIGHT), *((t, "wrong") for t in WRONG)])
def test_answers_in_other_notations(text: str, verdict: str) -> None:
    report = grade(parse(LOGISTIC), text)
    assert [item.verdict for item in report.required if item.given] == [verdict], report.text(1)


def test_what_stands_behind_a_transpose_may_be_a_product_of_entries_too() -> None:
    text = "param A: 3 x 3, B: 3 x 3\nQ = A.T * B\nloss L = sum(Q**2)"
    assert grade(parse(text), "dB = 2 * A' * (A' * B) * A'").verdict != "right"
    assert next(i.verdict for i in grade(parse(text), "dB = 2 * A' * Q").required if i.name == "dB") == "right"
