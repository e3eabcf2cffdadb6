"""Right answers that were called wrong, or that ended in an exception."""

from __future__ import annotations

import pytest

from symbackprop import derive
from symbackprop.grade import grade
from symbackprop.model.text import parse

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
}


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
