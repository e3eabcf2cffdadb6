"""No branch is unseen: both sides of every condition are aimed at, and one that stays unseen is told.

    SYMBACKPROP_EXAMPLES=2000 python -m pytest tests/verify/test_unseen.py
"""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from symbackprop import codegen, verify
from symbackprop.model.text import parse
from symbackprop.verify import aiming, verify_file
from symbackprop.verify.conditions import sides_of
from symbackprop.verify.ranges import REALS, UNIT, Range, range_of
from tests.sweeps import few_in_ci
from tests.verify.halves import branchy, check_halves

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "3"))
NX = "dim N\nparam x: N\n"

# (declarations and equations, the loss, the same with one side's gradient wrong, with the other's)
HALVES = [
    ("data m: N\n", "sum(where(m, x^2, x^3))", "sum(where(m, x^2, x^2))", "sum(where(m, x^3, x^3))"),
    ("data y: N\n", "sum(where(y == 1, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("data y: N int < 20\n", "sum(where(y == 17, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("data y: N, z: N\n", "sum(where(3*y + 1 == z, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("", "sum(where(x > 100, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("c = x > 1000000\n", "sum(where(c, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("", "sum(minimum(x, 50)^2)", "sum(x^2)", "sum(0*x)"),
    ("", "sum(maximum(x, -4000)^2)", "sum(x^2)", "sum(0*x)"),
    ("", "sum(huber(x, 0, 1000))", "sum(x^2)/2", "sum(1000*abs(x))"),
    ("", "sum(where(sum(x^2) > 1000, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("", "sum(relu(x - 300)^2)", "sum(0*x)", "sum((x - 300)^2)"),
    ("", "sum(minimum(maximum(x, -70), 90)^2)", "sum(minimum(x, 90)^2)", "sum(maximum(x, -70)^2)"),
    ("param z: N\n", "max(concat(x, 500 + z, axis=0))", "max(z) + 0*sum(x)", "max(x) + 0*sum(z)"),
    ("", "sum((x > 100) * x^2 + (x <= 100) * x^3)", "sum(x^2)", "sum(x^3)"),
    ("", "sum(where(exp(x) > 1e20, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("", "sum(where(abs(x - 3) < 0.01, x^2, x^3))", "sum(x^2)", "sum(x^3)"),
    ("", "sum(leaky_relu(x + 200, 0.3))", "sum(x)", "0.3*sum(x)"),
    ("", "sum(elu(x - 40))", "sum(x)", "sum(exp(x - 40))"),
    ("", "sum(abs(x - 1000))", "-sum(x)", "sum(x)"),
    ("", "sum(x / maximum(norm(x), 1e-12))", "sum(x / norm(x))", "sum(x) * 1e12"),
    ("param z: N\n", "sum(where(x > 100, where(z > 50, x^2, z*x^3), x*z))",
     "sum(where(x > 100, z*x^3, x*z))", "sum(where(x > 100, x^2, x*z))"),
    ("", "sum(where(x > 100, where(x < 100.5, x^2, x^3), x))",
     "sum(where(x > 100, x^3, x))", "sum(where(x > 100, x^2, x))"),
    ("param z: N\n", "sum(where((x > 100) * (z < -70), x^2, x^3))", "sum(x^2) + 0*sum(z)", "sum(x^3) + 0*sum(z)"),
]


@pytest.mark.parametrize(("more", "loss", "one", "other"), few_in_ci([pytest.param(*h, id=h[1]) for h in HALVES], 3))
def test_a_gradient_that_forgets_one_side_fails(more: str, loss: str, one: str, other: str) -> None:
    for wrong in (one, other):
        right, broken = check_halves(*(f"{NX}{more}loss L = {body}" for body in (loss, wrong)))
        assert right.verdict == "pass", right.text()
        assert broken.verdict == "fail", broken.text()


def test_the_largest_of_whole_numbers_has_sides() -> None:
    assert verify("dim N\ndata k: N int < 3\nparam x: N\nloss L = sum(x) * max(k)").passed


LOOP = """dim T, N, D
param w: D
data c: T x N x D, m: T x N, h[0]: N x D
for t in 1..T:
    g[t] = tanh(c[t] * w + h[t-1])
    h[t] = where({condition}, {one}, {other})
loss L = sum(h[T]^2)"""


@pytest.mark.parametrize("condition", ["reshape(m[t], (N, 1))", "c[t] * h[t-1] > 60", "c[t] > 300"])
def test_conditions_inside_a_loop(condition: str) -> None:
    text = LOOP.format(condition=condition, one="g[t]", other="h[t-1]/2")
    for wrong in ({"one": "g[t]", "other": "h[t-1]*w/2"}, {"one": "g[t]*w", "other": "h[t-1]/2"}):
        right, broken = check_halves(text, LOOP.format(condition=condition, **wrong))
        assert right.verdict == "pass", right.text()
        assert broken.verdict == "fail", broken.text()


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_random_models_with_conditions(seed: int) -> None:
    """A module that is wrong on one side only never passes; the right one never fails."""
    found = branchy(seed)
    text = found.text(found.values)
    for k in range(len(found.values)):
        wrong = tuple(v + " + x/3" if i == k else v for i, v in enumerate(found.values))
        right, broken = check_halves(text, found.text(wrong), seed=seed)
        assert right.verdict != "fail", f"{text}\n{right.text()}"
        assert broken.verdict != "pass", f"{text}\n{wrong}\n{broken.text()}"


def test_a_side_that_no_point_reaches_is_named(tmp_path: Path) -> None:
    report = verify(parse(f"{NX}s = where(x > 1e300, x^2, x^3)\nloss L = sum(s)"))
    assert report.verdict == "inconclusive" and not report
    assert "x > 1e300 (in s) was never true" in report.text()
    assert report.to_json()["unseen"] == [{"condition": "x > 1e300", "equation": "s", "side": True}]


ONE_SIDED = [
    "sum(relu(x^2))", "sum(where(exp(x) > 0, x, 0))", "sum(where(x^2 >= 0, x, 1))", "sum(relu(softmax(x)))",
    "sum(sqrt(abs(x)))", "sum(relu(relu(x)))", "log(maximum(sum(exp(x)), 0))", "sum(maximum(tanh(x), -1))",
    "sum(where(x > 0, log(where(x > 0, x, 1)), 0))", "sum(where(x > 0, relu(x)^2, x))", "sum((x > 0) * relu(x))",
    "sum(where(arange(N) < 2, x, x^2))", "sum(maximum(x @ x, 0))", "log(sum(exp(x - max(x))^2)) + 2*max(x)",
    "sum(sqrt(maximum(x^2 + x[0]^2 - 2*x*x[0] + 1, 1)))", "sum(where(x == 0, 1, sin(x)/x))",
]


@pytest.mark.parametrize("loss", ONE_SIDED)
def test_what_has_one_side_only_is_no_condition(loss: str) -> None:
    report = verify(parse(f"{NX}loss L = {loss}"))
    assert report.verdict == "pass", report.text()


@pytest.mark.parametrize(("loss", "verdict"), [
    ("mean(where(x^2 - 2*x + 2 > 0, x^2, inf))", "pass"),
    ("sum(exp(where(x^2 - 2*x + 2 > 0, x, -inf)))", "inconclusive"),
])
def test_where_the_result_is_infinite_there_is_nothing_to_see(loss: str, verdict: str) -> None:
    assert verify(parse(f"{NX}loss L = {loss}")).verdict == verdict


def test_the_seed_decides_where_is_aimed() -> None:
    text = f"{NX}data y: N\nloss L = sum(where(y == 4, minimum(x, 77), x^3))"
    one, again = (verify(parse(text), seed=5).to_json() for _ in range(2))
    assert one == again and one["verdict"] == "pass" and not one["unseen"]


def test_looking_for_sides_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse(NX + "loss L = sum(where(x > 100, x^2, x^3)) + sum(where(x < -100, x, x^3))")
    assert verify(model).passed
    monkeypatch.setattr(aiming, "IN_ALL", 1.0)
    assert len(verify(model).unseen) == 1  # a search that has begun goes on


def test_points_aimed_at_are_no_kinks() -> None:
    for text in ("sum(minimum(x, 50))", "sum(where(x > 100, x^2, x^3))", "sum(relu(relu(x - 7) - 30))"):
        report = verify(parse(f"{NX}loss L = {text}"))
        assert report.passed and not any(g.kinks for g in report.gradients)


def test_integers_below_a_dimension_are_drawn_wide_enough() -> None:
    text = "dim C, N\nparam x: N, b: C\ndata y: N int < C\nloss L = sum(where(y == 13, x^2, x^3)) + sum(b^2)"
    wrong = text.replace("x^2, x^3", "x^3, x^3")
    right, broken = check_halves(text, wrong)
    assert right.verdict == "pass" and broken.verdict == "fail"
    assert verify(parse(text), sizes={"C": 5}).verdict == "inconclusive"


def test_a_file_says_what_stays_unseen(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(codegen(parse(f"{NX}loss L = sum(where(sin(x) > 2, x, x^2))"), verify=False), encoding="utf-8")
    assert "sin(x) > 2 (in L) was never true" in verify_file(path).text()


RANGES = [("exp(x)", 0.0, np.inf), ("x^2 + 1", 1.0, np.inf), ("sigmoid(x) - 1", -1.0, 0.0), ("abs(x) * 3", 0.0, np.inf),
          ("-relu(x)", -np.inf, 0.0), ("sin(x)", -np.inf, np.inf), ("cos(x)", -np.inf, 1.0), ("1/x", -np.inf, np.inf),
          ("1/(1 + x^2)", 0.0, 1.0), ("minimum(x, 3)", -np.inf, 3.0), ("tanh(x)*2", -2.0, 2.0)]


@pytest.mark.parametrize(("text", "low", "high"), RANGES)
def test_what_values_a_row_can_have(text: str, low: float, high: float) -> None:
    model = parse(f"{NX}r = {text}\nloss L = sum(relu(r - 0.5) + relu(r))")
    facts: dict[int, Range] = {}
    row = model.graph.names["r"]
    for node in model.graph.topological([row]):
        given = node.is_leaf and node.value is None
        facts[node.id] = REALS if given else range_of(node, [facts[a.id] for a in node.args])
    assert facts[row.id][:2] == (low, high)


def test_ranges_say_which_sides_there_are() -> None:
    assert UNIT.can(">") and not UNIT.can("<") and not UNIT.can("<=")
    assert Range(0.0, 1.0, atoms=True).can("<=") and REALS.can("!=") and not REALS.can("==")


def test_the_leaves_of_thousands_of_conditions_take_little_memory() -> None:
    count = 800
    model = parse("\n".join(["data h0", *[f"param w{k}" for k in range(1, count)],
                             *[f"h{k} = relu(w{k}*h{k - 1})" for k in range(1, count)], f"loss L = h{count - 1}"]))
    tracemalloc.start()
    sides = sides_of(model.results(), {})
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    read = [sum(leaf.id in sides[k].leaves for leaf in model.leaves().values()) for k in (0, -1)]
    assert len(sides) == 2 * (count - 1) and read == [2, count] and most < 1e7


def test_what_underflows_and_is_made_large_again_is_no_wrong_gradient() -> None:
    """log(exp(-740)): what the complex step of exp(-740) is underflows, and the slope of the logarithm with it."""
    model = parse("data X: 5 x 4, y: 5 int < 7\nparam W: 4 x 6, V: 6 x 7, b: 7\nlogits = tanh(X @ W) @ V + b\n"
                  "counts = exp(logits - max(logits, axis=1, keepdims=True))\n"
                  "probs = counts * sum(counts, axis=1, keepdims=True)**-1\nloss L = -mean(pick(log(probs), y))")
    for seed in range(4):
        assert verify(model, seed=seed).verdict == "pass"
