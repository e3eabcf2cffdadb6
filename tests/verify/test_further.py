"""Modules that are right at random points and wrong elsewhere: each kind of point catches its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop import codegen, load, verify
from symbackprop.model.text import parse
from symbackprop.verified import verify_source
from symbackprop.verify import further
from symbackprop.verify.differences import Objective
from symbackprop.verify.everywhere import Everywhere
from symbackprop.verify.further import Further, literals
from tests.sweeps import few_in_ci
from tests.verify.helpers import check, mutant

NET = """
dim N, D, H
data X: N x D, t: N x H
param W: D x H, b: H
z = X @ W + b
a = relu(z)
loss L = mean((a - t)^2)
"""
APART = "dim N\nparam x: N\nd = x[20:] - x[:-20]\nloss L = sum(d^2)"
DEFAULT = "dim N, D = 3\ndata X: N x D\nparam w: D\ns = mean(X * w, axis=1)\nloss L = sum(s^2)"
CLASSES = "dim N, C\ndata y: N int < C\nparam Z: N x C\nloss L = mean(cross_entropy(Z, y))"
PIECES = "dim N\nparam x: N\nloss L = max(x) + sum(abs(x)) + sum(minimum(maximum(x, -0.5), 0.5))"
DEEP = "dim N, D\ndata X: N x D, t: N\nparam W: D x 2, u: 2 x 2, v: 2\nz1 = X @ W\nz2 = relu(z1) @ u\n"
DEEP += "a = relu(z2) @ v\nloss L = mean((a - t)^2)"
GATES = "dim N, D, C\ndata X: N x D, y: N int < C\nparam A: D x D, B: D x C\nloss L = "
GATES += "mean(cross_entropy(sigmoid(X @ A) @ B, y))"
MASKED = "dim T, D\ninput Q: T x D, K: T x D\noutput Y = softmax(where(arange(T)[:, None] >= arange(T), Q @ K.T, -inf))"
PADDED = "dim N, K\ndata m: N x K, y: N x K\nparam z: N x K\nA = softmax(where(m, z, -inf), axis=1)\n"
PADDED += "loss L = sum(A * y)"
CHOICE = "dim N\nparam x: N\nloss L = sum(where(x >= 0.25, x^2, x))"
LOGISTIC = """dim N, D
data X: N x D, y: N
param w: D, b
p = sigmoid(X @ w + b)
loss L = mean(binary_cross_entropy(p, y))"""
SATURATED = "dim N, D = 9\ndata X: N x D, t: N\nparam w: D\na = tanh(X @ w)\nloss L = mean((a - t)^2)"
BEHIND_A_LOOP = """dim T, N
data x: T x N, y: T x N
param w, b, c
h[0] = zeros(N)
for t in 1..T:
    h[t] = tanh(w * x[t] + h[t-1])
loss L = mean(binary_cross_entropy(sigmoid(b * h + c), y))"""
HALF = "astype(np.float16).astype(z.dtype) if z.dtype == np.float32 else"
OVERFLOWING = ("return np.divide(1, np.add(1, np.exp(e, out=out), out=out), out=out)",
               "return np.exp(x) / (1 + np.exp(x))")
CASES = [
    # (id, model, what is changed in its module, the array that is named, words of what is said)
    ("half precision in float32", NET, ("dW = X.T @ dz ", f"dW = X.T @ dz.{HALF} X.T @ dz "), "W[", "in float32: "),
    ("overflow in float32", NET, ("da = 2 * (a - t)", "da = 2e30 * (a - t) * 1e30 / 1e30 / 1e30"), "W", "in float32"),
    ("wrong for one sample", NET, ("(a - t) / (H * N)", "(a - t) / (H * max(N, 2))"), "[", "at N = 1"),
    ("wrong for one feature", NET, ("dz = da * (z > 0)", "dz = da * (z > 0) * (1 + (X.shape[1] == 1))"), "[", "D = 1"),
    ("wrong for many samples", NET, ("(a - t) / (H * N)", "(a - t) / (H * min(N, 10))"), "[", "at N = 1"),
    ("wrong where a slice has one entry", APART, ("dd = 2 * d  ", "dd = (2 + (N == 21)) * d  "), "x[", "at N = 21"),
    ("a default written out", DEFAULT, ("@ X) / D ", "@ X) / 3 "), "w[", "at N = "),
    ("exponentials not shifted", CLASSES, ("top = largest(a, axis)", "top = 0 * largest(a, axis)"), "L is inf",
     "with Z so large that functions saturate: "),
    ("relu at 0", NET, ("(z > 0)   ", "(z >= 0)  "), "[", "where z = 0: "),
    ("relu at 0 behind another", DEEP, ("(z1 > 0)   ", "(z1 >= 0)  "), "[", "where "),
    ("two equal sizes", NET, ("dW = X.T @ dz ", "dW = (X.T if N - X.shape[1] else X) @ dz "), "W[", "at N = "),
    ("one unit at many samples", NET, ("/ (H * N)", "/ (H * N) * (1 + (N > 1 and H < 2))"), "[", "H = 1"),
    ("wrong at one size", NET, ("/ (H * N)", "/ (H * N) * (1 + (N == 9))"), "[", "at N = 9"),
    ("wrong at two sizes", NET, ("/ (H * N)", "/ (H * N) * (1 + (len(X) in (8, 20)))"), "[", "at N = "),
    ("wrong where all numbers have one sign", SATURATED,
     ("dw = dz_a @ X ", "dw = dz_a @ X * (1 + (N > 2 and (X > 0).all())) "), "w[", "with all numbers positive: "),
    ("indices of one byte", CLASSES, ("(N), y", "(N), y.astype(np.int8)"), "Z[", "C = 300"),
    ("blocks of 32", NET, ("/ (H * N)", "/ (H * N) * (np.arange(N) < 32)[:, None]"), "[", "at N = 3"),
    ("scores beside infinite ones", MASKED, ("np.exp(e, out=e)", "np.exp(a, out=e)"), "Y",
     "so large that functions saturate: "),
    ("lines that a mask leaves nothing of", PADDED, ("np.where(finite, top, 0)", "np.where(finite, finite * axis, 0)"),
     "L is nan", "so large that functions saturate: "),
    ("lines that a mask leaves something of", PADDED, ("return top if", "return axis if"),
     "nan", "so large that functions saturate: "),
    ("a gate that overflows", GATES, OVERFLOWING, "nan", "so large that functions saturate: "),
    ("a gate that overflows where the loss is infinite", LOGISTIC, OVERFLOWING, "nan",
     "so large that functions saturate: "),
    ("the same behind a loop", BEHIND_A_LOOP, OVERFLOWING, "nan", "so large that functions saturate: "),
    ("equal largest entries", PIECES, ("t2.astype(dtype) / t3", "t2.astype(dtype)"), "x[",
     "several entries of x are the largest"),
    ("abs at 0", PIECES, ("np.sign(x)", "np.where(x >= 0, 1, -1)"), "x[", "x = 0"),
    ("the upper limit of a clip", PIECES, ("heaviside(0.5, a)   ", "(0.5 >= a)   "), "x[",
     "maximum(x, -1 / 2) = 1 / 2"),
    ("the lower limit of a clip", PIECES, ("heaviside(x, -0.5)", "(x > -0.5)"), "x[", "x = -1 / 2"),
    ("more or equal", CHOICE, ("da = x >= 0.25", "da = x > 0.25"), "x[", "where x = 1 / 4: "),
]


@pytest.mark.parametrize(("text", "change", "name", "words"),
                         few_in_ci([pytest.param(*c[1:], id=c[0]) for c in CASES], 2))
def test_what_is_wrong_at_such_a_point_is_found(
    tmp_path: Path, text: str, change: tuple[str, str], name: str, words: str
) -> None:
    source = codegen(parse(text, name="net"))
    start = source.index("def softmax" if "axis" in change[0] else "def backward")
    wrong = source[:start] + source[start:].replace(*change, 1)
    report = check(tmp_path, wrong)
    assert wrong != source and report.verdict == "fail", report.text()
    assert name in report.problems[0] and words in report.problems[0], report.text()


def test_a_miss_says_the_entry_and_both_values(tmp_path: Path) -> None:
    report = check(tmp_path, mutant(codegen(parse(PIECES, name="net")), ("np.sign(x)", "np.where(x >= 0, 1, -1)")))
    said, place = report.problems[0], report.problems[0].partition("x[")[2].partition("]")[0]
    assert f"x[{place}] is " in said and " by the model" in said


LARGE = NET.replace("dim N, D, H", "dim N = 100, D = 300, H = 60")


def test_large_declared_sizes_are_met_once_and_small_ones_at_every_slope(tmp_path: Path) -> None:
    source = codegen(parse(LARGE, name="net"), verify=False)
    right = check(tmp_path, source)
    assert right.verdict == "pass" and all(max(s.values()) <= 40 for s in right.sizes), right.text()
    wrong = check(tmp_path, mutant(source, ("(a - t) / (H * N)", "(a - t) / (H * N + (N * H > 5999))")))
    assert "at N = 100, D = 300, H = 60: " in wrong.problems[0], wrong.text()
    given = check(tmp_path, source, sizes={"N": 90})
    assert given.verdict == "pass" and given.sizes[0]["N"] == 90 and given.sizes[0]["D"] < 40


def test_declared_sizes_that_are_met_are_not_said_to_be_left_out() -> None:
    """Where sizes are hard to find, those that are nearly the declared ones are tried beside these."""
    model = parse(LARGE)
    sizes = {n: 10 * size for n, size in model.sizes.items() if size is not None}
    left_out = "N = 1000, D = 3000, H = 600: too much to compute"
    for most, said in ((further.EXPENSIVE, []), (further.EXPENSIVE + 1, [left_out])):
        found = Further(model, np.random.default_rng(0), {}, declared=sizes)
        assert found._drawn(sizes, most) is None and found.without == said


def test_numbers_in_slices_windows_and_shapes_are_what_sizes_are_near_to() -> None:
    text = "dim N\nparam x: N x 3\ny = x[4:, :]\nloss L = sum(max_pool2d(reshape(y, (1, N - 4, 3, 1)), 2, stride=1))"
    assert literals(parse(text)) >= {2, 3, 4}


def test_a_size_that_is_fixed_stays_and_the_others_are_1_once() -> None:
    model = parse(NET)
    sizes = [s.sample.sizes for s in Further(model, np.random.default_rng(0), {"D": 4}).situations([_first(model)])]
    assert all(s["D"] == 4 for s in sizes) and {1} in [{s["N"], s["H"]} for s in sizes]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_two_free_dimensions_are_taken_apart(count: int) -> None:
    names = [f"D{k}" for k in range(count)]
    model = parse(f"dim {', '.join(names)}\nparam {', '.join(f'w{n}: {n}' for n in names)}\nloss L = "
                  + " + ".join(f"sum(w{n})" for n in names))
    sides = Further(model, np.random.default_rng(0), {})._apart()
    assert sides and all(any((a in s) and (b not in s) for s in sides) for a in names for b in names if a != b)


def _first(model: further.Model) -> further.Sample:
    return further.draw(model, {"N": 3, "D": 4, "H": 5}, np.random.default_rng(1))


def test_a_switch_is_met_only_where_every_order_of_operations_meets_it() -> None:
    model = parse("dim N\nparam x: N\nloss L = sum(relu(x - 0.3))")
    for value, found in ((0.3, ["x - 0.3 = 0"]), (0.3 + 1e-12, []), (1.0, [])):
        values = {model.leaves()["x"].id: np.full(2, value)}
        objective = Objective(model.results(), [np.ones(())], values, {"N": 2})
        assert [*map(further.on_switch, further.met(objective, further.switching_rows(model)))] == found


@pytest.mark.parametrize(("text", "x", "found"), [
    ("relu(sum(tanh(x)))", [0.5, -0.5, 1.0, -1.0], 0),  # a module that adds 0.5 and 1 first may pass by it
    ("relu(sum(x))", [0.5, -0.5, 1.0, -1.0], 1),
    ("max(tanh(x))", [0.5, 0.5, 0.25, -1.0], 1),
])
def test_a_sum_that_is_0_by_its_order_meets_no_switch(text: str, x: list[float], found: int) -> None:
    """Sums of numbers of few digits are exact, and equal numbers are so after any function."""
    model = parse(f"dim N\nparam x: N\nloss L = {text}")
    objective = Objective(model.results(), [np.ones(())], {model.leaves()["x"].id: np.array(x)}, {"N": 4})
    assert len(further.met(objective, further.switching_rows(model))) == found


def test_a_switch_decides_only_where_something_depends_on_it() -> None:
    model = parse("dim N\nparam x: N, w: N\nloss L = sum(w * relu(x))")
    ids = {name: leaf.id for name, leaf in model.leaves().items()}
    (row,) = further.switching_rows(model)
    for weight, found in ((1.0, True), (0.0, False)):
        values = {ids["x"]: np.zeros(2), ids["w"]: np.full(2, weight)}
        objective = Objective(model.results(), [np.ones(())], values, {"N": 2})
        assert further.deciding(objective, {"here": row}) == ["here"] * found


def test_the_slope_that_switches_are_held_against_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = parse("dim N\nparam x: N\nloss L = sum(relu(x)) + sum(relu(2 * x)) + sum(relu(3 * x))")
    values = {model.leaves()["x"].id: np.zeros(2)}
    objective, runs = Objective(model.results(), [np.ones(())], values, {"N": 2}), list[object]()
    evaluated = objective.values

    def counted(*moved: Any) -> Any:
        runs.append(moved)
        return evaluated(*moved)

    monkeypatch.setattr(objective, "values", counted)
    switches = {str(row.id): row for row in further.switching_rows(model)}
    assert further.deciding(objective, switches) == [*switches] and len(runs) == len(switches) + 2


def test_the_remainder_of_a_gradient_falls_as_the_square_of_the_step() -> None:
    """And of what is none as the step."""
    model = parse("dim N\nparam x: N\nloss L = sum(exp(x) * x[0])")
    first = further.draw(model, {"N": 4}, np.random.default_rng(0))
    objective = Further(model, np.random.default_rng(0), {}).at("", first)
    assert objective is not None
    everywhere = Everywhere(objective.objective, model.targets(), np.random.default_rng(1))
    gradient = np.exp(first.values["x"]) * first.values["x"][0]
    gradient[0] += np.sum(np.exp(first.values["x"]))

    def forward(moved: dict[str, np.ndarray]) -> dict[str, float]:
        x = {**first.values, **moved}["x"]
        return {"L": float(np.sum(np.exp(x) * x[0]))}

    assert all(1.9 < r < 2.1 for r in everywhere.rates(forward, {"x": gradient}))
    assert abs(everywhere.rates(forward, {"x": 1.5 * gradient})[-1] - 1) < 0.1


@pytest.mark.parametrize(("name", "sizes", "unchecked"), [
    ("lstm", {}, ()), ("two-weight-tanh", {}, ()), ("autoencoder", {"N": 3}, ("other sizes than N = 3",)),
])
def test_what_was_not_compared_is_listed(name: str, sizes: dict[str, int], unchecked: tuple[str, ...]) -> None:
    """Of a recurrent net other sizes are compared too: a loop takes as long as all its steps."""
    model = load(name)
    report = verify_source(codegen(model, verify=False), model, sizes=sizes, trials=1)
    assert report.passed and report.unchecked == unchecked and report.rate == pytest.approx(2, abs=0.1)


def test_the_slope_of_a_saturated_gate_rounds_as_1_does() -> None:
    model = parse("dim T, N, D\ndata x: T x N x D, h[0]: N x D\nparam W: D x D\nfor t in 1..T:\n"
                  "    i = sigmoid(x[t] @ W)\n    h[t] = i * h[t-1]\nloss L = mean(h[T]^2)")
    assert "1 - i" in codegen(model)  # which has passed the check, at entries of 1e-14 that are off by one hundredth


@pytest.mark.parametrize(("far", "lost"), [(1.0, False), (-400.0, True), (-800.0, True)])
def test_a_root_whose_argument_underflows_is_no_point_to_compare_at(far: float, lost: bool) -> None:
    """sigmoid(-400)² is no number, and a² + b² is 0 where hypot(a, b) is not."""
    model = parse("dim N\nparam x: N, b: N\nloss L = sum(sqrt(sigmoid(x)^2 + (b * sigmoid(x))^2))")
    values = np.full(2, far), np.zeros(2)
    given = dict(zip([row.id for row in model.leaves().values()], values, strict=True))
    objective = Objective(model.results(), [np.ones(())], given, {"N": 2})
    assert further.underflows(objective) is lost


@pytest.mark.parametrize("form", ["exp(x)**0.1", "softplus(x)**(1/3)", "sum(exp(v))**0.3 * x", "softplus(x)**0.2 * x"])
def test_powers_of_less_than_one_are_roots(form: str) -> None:
    """Where exp(x) underflows, the module has the slope of exp(x/10), the model one of nothing: it was refused."""
    model = parse(f"param x, v: 3\nloss L = {form}")
    assert verify_source(codegen(model, verify=False), model, seed=0).passed


def test_a_root_of_nothing_is_one() -> None:
    """A kink, where a slope is stated."""
    model = parse("dim N\nparam x: N\nloss L = norm(x)")
    objective = Objective(model.results(), [np.ones(())], {row.id: np.zeros(2) for row in model.leaves().values()},
                          {"N": 2})
    assert not further.underflows(objective)


@pytest.mark.parametrize("form", ["relu(logdet(A))", "sum(relu(solve(A, b)))", "sum(abs(inv(A)))",
                                  "sum(abs(eigvalsh(A)))", "sum(relu(svdvals(A) - 1))"])
def test_switches_behind_functions_of_matrices_are_aimed_at(form: str) -> None:
    model = parse(f"param A: 2 x 2, b: 2\nloss L = {form}")
    assert verify_source(codegen(model, verify=False), model, seed=1).passed


def test_far_out_points_have_rows_of_which_a_mask_leaves_nothing() -> None:
    text = ("dim N, D, C\ndata X: N x D, m: N x C int < 2\nparam W: D x C\nP = softmax(where(m == 1, X @ W, -inf))\n"
            "loss L = sum(P**2)")
    source, right = codegen(parse(text), verify=False), "np.where(finite, top, 0)"
    assert right in source and verify_source(source, parse(text)).passed
    assert verify_source(source.replace(right, "np.where(top, finite, 0)"), parse(text)).verdict == "fail"


def test_functions_of_mpmath_take_longer_numbers() -> None:
    assert verify(parse("param a\nloss L = lgamma(2 + exp(a))"), seed=0).verdict == "pass"


def test_a_factor_of_numbers_alone_is_no_argument_that_grows() -> None:
    model = parse("param w\nloss L = lgamma(6) * w")
    assert verify(model, seed=0).verdict == "pass"


@pytest.mark.parametrize("condition", [
    "np.max(np.abs(w)) > 4", "np.max(np.abs(w)) > 50", "np.max(np.abs(w)) > 1e5", "not np.any(w)",
    "w.size > 3 and np.all(w > 0)", "w.size > 3 and np.all(w < 0)", "x.size > 3 and np.all(x < 0)",
])
def test_what_is_wrong_only_where_no_random_point_is(condition: str, tmp_path: Path) -> None:
    text = "dim N, D\ndata x: N x D, y: N\nparam w: D\nloss L = mean((y - x @ w)^2)"
    source = codegen(parse(text), verify=False)
    wrong = mutant(source, ('cache = {"y"', 'cache = {"w": w, "y"'), (
        "    dw = da @ x ", f'    w = cache["w"]\n    dw = da @ x * (1.01 if {condition} else 1) '))
    assert check(tmp_path, source, seed=0).verdict == "pass"
    report = check(tmp_path, wrong, seed=0)
    assert report.verdict == "fail", report.text()


@pytest.mark.parametrize("seed", [2, 3])
def test_numbers_that_float32_makes_equal_are_no_mistake(seed: int) -> None:
    """w + 10⁸ is a multiple of 8 there: its variance may be 0, and the slope 1/√ε."""
    model = parse("dim N, D\ndata y: N x D\nparam w: N x D\nloss L = sum(layer_norm(w + 10**8) * y)")
    assert verify(model, seed=seed).passed
