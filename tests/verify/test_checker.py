"""The check as a whole: large arrays, kinks, what cannot be decided, seeds, sizes, progress."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop import codegen
from symbackprop.core.registry import OPS
from symbackprop.errors import ModelError, ShapeError
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verified import verify_source
from symbackprop.verify import Report, points, verify_module
from symbackprop.verify.checker import MOST, places_of
from symbackprop.verify.interpreter import Program
from symbackprop.verify.sampling import Sample
from tests.sweeps import few_in_ci
from tests.verify.helpers import check, gradient, mutant
from tests.verify.modules import LAYER, MLP, SQUARE


def module(forward: Any, backward: Any) -> ModuleType:
    made = ModuleType("made")
    made.forward, made.backward = forward, backward  # type: ignore[attr-defined]
    return made


def at(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """Make the checker look at one point."""
    arrays = {n: np.asarray(v, dtype=float) for n, v in values.items()}
    monkeypatch.setattr(points, "draw", lambda model, sizes, rng, attempt: Sample(sizes, arrays, {}))
    monkeypatch.setattr(points.Points, "aimed", lambda self, sizes: iter(()))


def square(sizes: dict[str, int], wrong: tuple[int, ...] | None = None, factor: float = 1.001) -> Report:
    """Check L = Σ(XA)² with one entry of its gradient wrong."""
    model = parse("dim N, D\ndata X: N x D\nparam A: D x D\nq = X @ A\nloss L = sum(q**2)")

    def backward(cache: Any, upstream: float = 1.0) -> Any:
        X, q = cache
        dA = (X.T @ (2 * upstream * q)).astype(X.dtype)
        if wrong is not None:
            dA[wrong] *= factor
        return {"A": dA}

    def forward(params: Any, data: Any) -> Any:
        q = data["X"] @ params["A"]
        return (q**2).sum(), (data["X"], q)

    return verify_module(module(forward, backward), model, sizes=sizes)


def test_one_wrong_entry_in_ten_thousand_is_found() -> None:
    sizes = {"N": 2, "D": 100}
    assert square(sizes).verdict == "pass"
    found = gradient(square(sizes, (37, 91)), "A")
    assert found.verdict == "fail" and found.worst_index == (37, 91) and found.checked == 10_000
    assert "single entry" in found.cause


def test_one_wrong_entry_in_a_hundred_thousand_is_found_along_random_directions() -> None:
    sizes = {"N": 2, "D": 320}
    right = gradient(square(sizes), "A")
    assert right.verdict == "pass" and right.checked < 1000 and right.total == 320**2
    found = gradient(square(sizes, (137, 291)), "A")
    assert found.verdict == "fail" and found.worst_index == (137, 291)


KINKED = "param w: 3\ndata x: 3\nloss L = sum(relu(w * x))"


def relu_module(tie: float) -> ModuleType:
    def forward(params: Any, data: Any) -> Any:
        z = params["w"] * data["x"]
        return np.maximum(z, 0).sum(), (z, data["x"])

    def backward(cache: Any, upstream: float = 1.0) -> Any:
        z, x = cache
        return {"w": (upstream * np.where(z == 0, tie, z > 0) * x).astype(x.dtype)}

    return module(forward, backward)


@pytest.mark.parametrize("method", ["auto", "central", "complex"])
@pytest.mark.parametrize("tie", [0.0, 0.5, 1.0, 7.0])
def test_an_entry_at_a_kink_is_neither_right_nor_wrong(
    monkeypatch: pytest.MonkeyPatch, tie: float, method: str
) -> None:
    at(monkeypatch, w=[0.5, 0.0, -0.7], x=[1.0, 1.0, 1.0])
    report = verify_module(relu_module(tie), parse(KINKED), method=method, trials=1)
    found = gradient(report, "w")
    assert found.verdict == "pass" and found.checked == 2 and found.kinks == ((1,),)
    assert "1 entries at a kink" in report.text() and "[1]" in report.text()
    assert report.to_json()["gradients"][0]["kinks"] == [[1]]


def test_a_gradient_with_nothing_but_kinks_is_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, w=[0.0, 0.0, 0.0], x=[1.0, 2.0, 3.0])
    report = verify_module(relu_module(0.0), parse(KINKED), trials=2)
    assert gradient(report, "w").verdict == "kink" and report.verdict == "inconclusive" and not report


def test_a_wrong_entry_beside_a_kink_still_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, w=[0.5, 0.0, -0.7], x=[1.0, 1.0, 1.0])
    wrong = module(relu_module(0).forward, lambda cache, upstream=1.0: {"w": -upstream * (cache[0] > 0) * cache[1]})
    found = gradient(verify_module(wrong, parse(KINKED), trials=1), "w")
    assert found.verdict == "fail" and found.worst_index == (0,)


def test_where_no_input_is_valid_it_says_so() -> None:
    model = parse("param w\nloss L = log(-exp(w))")
    report = verify_module(module(lambda p, d: None, lambda c: None), model)
    assert report.verdict == "inconclusive" and "no random inputs were found at which L is finite" in report.text()


@pytest.mark.parametrize("loss", ["exp(-744 - w)", "exp(-372 - w) * exp(-371 - w) * tanh(w)"])
def test_a_gradient_that_underflows_is_not_wrong(tmp_path: Path, loss: str) -> None:
    assert check(tmp_path, codegen(parse(f"param w\nloss L = {loss}"), verify=False)).passed


@pytest.mark.parametrize(("shift", "seed"), [("max(z)", 1), ("max(z, axis=1, keepdims=True)", 1),
                                             ("max(z, axis=1, keepdims=True)", 3)])
def test_a_softmax_in_steps_that_saturates_passes(tmp_path: Path, shift: str, seed: int) -> None:
    """dW = Xᵀ dz rounds as X does where X is large and dz is the little that p leaves of 1."""
    text = f"dim N, D, C\ndata X: N x D\nparam W: D x C\nz = X @ W\np = exp(z - {shift})\n"
    model = parse(text + "q = p / sum(p, axis=1, keepdims=True)\nloss L = mean(q^2)")
    assert check(tmp_path, codegen(model, verify=False), seed=seed).passed


ATTENTION = """dim T, D, K
data X: T x D
param Q: D x K, R: D x K, V: D x K
s = (X @ Q) @ (X @ R).T / sqrt(K)
e = exp(s - max(s, axis=1, keepdims=True))
a = e / sum(e, axis=1, keepdims=True)
loss L = mean((a @ (X @ V)) ** 2)"""
MASKED = """dim T, D
input q: T x D, k: T x D, v: T x D
s = where(causal_mask(T), q @ k.T / sqrt(D), -1e9)
e = exp(s - max(s, axis=1, keepdims=True))
output o = (e / sum(e, axis=1, keepdims=True)) @ v"""
TRANSPORT = """dim N
data C: N x N
param e
K = exp(-C * e)
u = 1 / sum(K, axis=1)
v = 1 / (K.T @ u)
loss L = sum(outer(u, v) * K * C)"""
RIDGE = """dim N, D
data X: N x D, y: N
param a
w = solve(X.T @ X + exp(a) * eye(D), X.T @ y)
loss L = mean((X @ w - y) ** 2)"""


ENTROPY = """dim N, D, C
data X: N x D, y: N int < C
param W: D x C, b: C
z = X @ W + b
e = exp(z - max(z, axis=1, keepdims=True))
p = e / sum(e, axis=1, keepdims=True)
loss L = -mean(log(p[range(N), y]))"""


@pytest.mark.parametrize(("text", "seed"), few_in_ci([
    pytest.param(ENTROPY, 746508, id="gradients far below their terms"),
    pytest.param(ENTROPY, 35631, id="gradients far below what differences see"),
    pytest.param(ATTENTION, 755167, id="terms that cancel"),
    pytest.param(ATTENTION, 491855, id="terms that cancel, elsewhere"),
    pytest.param(MASKED, 539092, id="a mask that is met"),
    pytest.param(MASKED, 123918, id="a result of large numbers"),
    pytest.param(TRANSPORT, 749178, id="squares out of reach"),
    pytest.param(RIDGE, 992858, id="no inverse"),
    pytest.param(RIDGE, 443829, id="an inverse of rounding"),
], 2, 1))
def test_what_only_rounds_is_not_wrong(tmp_path: Path, text: str, seed: int) -> None:
    assert check(tmp_path, codegen(parse(text), verify=False), seed=seed).passed


def test_no_gradient_is_allowed_more_than_it_rounds_by(tmp_path: Path) -> None:
    """Where softmaxes saturate too, an entry that is off by a millionth of what it is made of is wrong."""
    source = codegen(parse(ATTENTION), verify=False)
    off = mutant(source, ("return scaled(grads,", "dQ[0, 0] += 3e-6 * abs(dQ).max()\n    return scaled(grads,"))
    assert all(gradient(check(tmp_path, off, seed=seed), "Q").verdict == "fail" for seed in (755167, 491855))


def test_where_results_are_infinite_it_says_so(tmp_path: Path) -> None:
    report = check(tmp_path, codegen(parse(TRANSPORT), verify=False), seed=749178)
    assert any("with e so large that functions saturate" in said for said in report.unchecked)


def test_where_rounding_hides_the_slope_it_says_so() -> None:
    model = parse("param w: 2\nloss L = sum(w) + 10**15")

    def backward(cache: Any, upstream: float = 1.0) -> Any:
        return {"w": np.full_like(cache, upstream)}

    made = module(lambda p, d: (p["w"].sum() + 1e15, p["w"]), backward)
    assert verify_module(made, model, method="central").verdict == "inconclusive"
    assert verify_module(made, model, method="complex").verdict == "pass", "the complex step has no such trouble"


MISTAKES = {"one entry": "1 + 0.01 * (np.arange(len(g)) == 0)", "all": "1.00003", "nothing": "0", "none": "1"}
WITH = """

_right = backward

def backward(cache, upstream=1.0):
    grads = _right(cache, upstream)
    g = grads["w"]
    return grads | {{"w": (g * ({wrong})).astype(g.dtype)}}
"""
BESIDE = {"a constant": "10**{k} + sum(x * w**2)", "a parameter": "10**{k} * sum(v * x) + sum(x * w**2)",
          "what cancels": "sum((v + 10**{k}) * x) - sum(10**{k} * x) + sum(x * w**2)"}


@pytest.mark.parametrize(("beside", "power", "method"), few_in_ci(
    [pytest.param(*case) for case in product(BESIDE, [6, 12, 16], ["complex", "central"])], 3))
def test_a_mistake_beside_large_numbers_does_not_pass(beside: str, power: int, method: str) -> None:
    model = parse(f"dim N\ndata x: N\nparam w: N, v: N\nloss L = {BESIDE[beside].format(k=power)}")
    source = codegen(model, verify=False)
    found = {said: verify_source(source + WITH.format(wrong=wrong), model, method=method).verdict
             for said, wrong in MISTAKES.items()}
    right = found.pop("none")
    assert right != "fail" and "pass" not in found.values(), found
    assert method == "central" or (right == "pass" and {*found.values()} == {"fail"}), found


def test_the_complex_step_where_it_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    known = OPS["softmax"]
    for reference in (
        lambda np, attr, a: known.reference(np, attr, np.asarray(a, dtype=float)),  # refuses complex numbers
        lambda np, attr, a: known.reference(np, attr, np.real(a)),  # is wrong over them, in silence
    ):
        monkeypatch.setitem(OPS, "softmax", replace(known, reference=reference))
        model = parse("param w: 3, v: 3\nloss L = sum(softmax(w) * v)")

        def forward(params: Any, data: Any) -> Any:
            e = np.exp(params["w"] - params["w"].max())
            return e / e.sum() @ params["v"], (e / e.sum(), params["v"])

        def backward(cache: Any, upstream: float = 1.0) -> Any:
            p, v = cache
            return {"w": p * (v - p @ v) * p.dtype.type(upstream), "v": p * p.dtype.type(upstream)}

        report = verify_module(module(forward, backward), model, method="auto")
        assert report.verdict == "pass" and gradient(report, "w").method == "central", report.text()
        assert gradient(report, "v").method == "complex"


def test_the_complex_step_that_was_asked_for_and_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    known = OPS["softmax"]
    real = replace(known, reference=lambda np, attr, a: known.reference(np, attr, np.asarray(a, dtype=float)))
    monkeypatch.setitem(OPS, "softmax", real)
    model = parse("param w: 3\nloss L = sum(softmax(w)**2)")
    made = module(lambda p, d: (0.0, None), lambda c, u=1.0: {"w": np.zeros(3, dtype=np.float32)})
    report = verify_module(made, model, method="complex")
    assert "the complex step does not pass through" in gradient(report, "w").cause
    assert gradient(report, "w").verdict == "inconclusive"


def test_a_gradient_that_vanishes_by_cancellation_passes() -> None:
    """Softmax does not see a shift of all logits: the gradient is 0, its terms are not."""
    model = parse("dim N, C\ndata Z: N x C, y: N int < C\nparam b\nloss L = mean(cross_entropy(Z + b, y))")

    def forward(params: Any, data: Any) -> Any:
        Z = data["Z"] + params["b"]
        Z = Z - Z.max(axis=1, keepdims=True)
        P, picked = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True), Z[np.arange(len(Z)), data["y"]]
        return (np.log(np.exp(Z).sum(axis=1)) - picked).mean(), (P, data["y"])

    def backward(cache: Any, upstream: float = 1.0) -> Any:
        P, y = cache[0].copy(), cache[1]
        P[np.arange(len(P)), y] -= 1
        return {"b": upstream * P.sum() / len(P)}

    for method in ("central", "complex"):
        for seed in range(5):
            report = verify_module(module(forward, backward), model, method=method, seed=seed)
            assert report.verdict == "pass", report.text()


def test_a_model_without_parameters_is_compared_in_its_results() -> None:
    model = parse("dim N\ndata x: N\nloss L = sum(x**2)")
    right = module(lambda p, d: ((d["x"] ** 2).sum(), None), lambda c, u=1.0: {})
    wrong = module(lambda p, d: ((d["x"] ** 2).mean(), None), lambda c, u=1.0: {})
    report = verify_module(right, model)
    assert report.verdict == "pass" and "no gradient to check" in report.text()
    assert verify_module(wrong, model).verdict == "fail"


def test_a_parameter_that_is_not_reached_has_gradient_zero_and_a_note() -> None:
    model = parse("param w, v\nloss L = w**2")
    forward = lambda p, d: (p["w"] ** 2, p["w"])  # noqa: E731
    report = verify_module(module(forward, lambda w, u=1.0: {"w": 2 * w * u, "v": 0.0}), model)
    assert report.verdict == "pass" and "v does not reach the result" in report.text()
    wrong = verify_module(module(forward, lambda w, u=1.0: {"w": 2 * w * u, "v": u}), model)
    assert gradient(wrong, "v").verdict == "fail"


def test_the_seed_decides_and_is_reported(tmp_path: Path) -> None:
    one, again, other = (check(tmp_path, MLP, seed=s).to_json() for s in (1, 1, 2))
    assert one == again and one != other and one["seed"] == 1


def test_given_sizes_are_used_in_every_trial(tmp_path: Path) -> None:
    report = check(tmp_path, MLP, sizes={"N": 2, "C": 3}, trials=4)
    assert report.trials == 4
    assert all(s["N"] == 2 and s["C"] == 3 for s in report.sizes)
    assert len({s["D"] for s in report.sizes}) > 1
    with pytest.raises(ModelError, match="no dimension 'Q'"):
        check(tmp_path, MLP, sizes={"Q": 3})
    with pytest.raises(ShapeError, match="N has to be positive"):
        check(tmp_path, MLP, sizes={"N": 0})


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    check(tmp_path, MLP, progress=lambda done, total: told.append((done, total)))
    assert told and all(0 < done <= total for done, total in told)
    assert [d for d, _ in told] == sorted(d for d, _ in told)


def test_a_workspace_must_not_carry_over(tmp_path: Path) -> None:
    with_workspace = (
        SQUARE.replace("def forward(params, data):", "def forward(params, data, workspace=None):").replace(
            "def backward(cache, upstream=1.0):", "def backward(cache, upstream=1.0, workspace=None):"
        )
        + "\n\ndef make_workspace(params, data):\n    return {}\n"
    )
    assert check(tmp_path, with_workspace).verdict == "pass"
    stale = mutant(
        with_workspace,
        ('return {"A": data["X"].T @ dq}',
         'if workspace is None:\n        return {"A": data["X"].T @ dq}\n'
         '    workspace["A"] = workspace.get("A", 0) + data["X"].T @ dq\n    return workspace'),
    )
    report = check(tmp_path, stale)
    assert report.verdict == "fail" and any("used workspace" in p for p in report.problems)


def test_inputs_are_checked_as_given_upstream(tmp_path: Path) -> None:
    """A layer's gradients depend on the upstream gradient, which is random."""
    report = check(tmp_path, mutant(LAYER, ('upstream["Y"] + 2', "1 + 2")))
    assert report.verdict == "fail"


TRAPS = {
    "no inverse on a kink": "param A: 3 x 3\nloss L = abs(det(A))",
    "no inverse of whole numbers": "param v: 3\nloss L = sum(inv(diag(v)))",
    "a distribution stays one": "dim N, C\ndata t: N x C simplex\nparam Z: N x C\nq = softmax(Z)\n"
    "loss L = sum(t*(log(t) - log(q)))",
    "a root at 0 where a size is 1": "dim D\ndata x: D\nparam w: D\nc = dot(x / norm(x), w / norm(w))\n"
    "loss L = sum(sqrt(1 - c**2))",
    "a diagonal matrix": "dim N\nparam v: N\nloss L = logdet(diag(v**2 + 1))",
    "a parameter beside a constant matrix": "param A: 3 x 3\nloss L = sum(inv(A + 4*eye(3)))",
    "fewer rows than columns": "dim N, D\nparam A: N x D\nloss L = sum(pinv(A)^2)",
    "a state that overflows": "dim T, N\ndata x: T x N\nparam W: N x N, h[0]: N\nfor t in 1..T:\n"
    "    e[t] = exp(W @ h[t-1] + x[t])\n    p[t] = e[t] / sum(e[t])\n    h[t] = log(p[t]) + h[t-1]\n"
    "loss L = -sum(h[T])",
    "points and their distances": "dim N, D\nparam X: N x D\nloss L = sum(cdist(X, X)^2)",
}


@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS)
def test_what_the_model_does_not_say_is_no_mistake(text: str) -> None:
    """Where the interpreter has no number, or a gradient is not defined; and the text in the module says the same."""
    codegen(parse(text, name="trap"))


def test_where_a_slope_is_not_stated_nothing_is_said_of_its_remainder() -> None:
    """It was a traceback: the largest entry minus the largest is 0, where cbrt has no slope."""
    model = parse("dim N\nparam w: N\nloss L = var(cbrt(w - max(w)))")
    report = verify_source(codegen(model, verify=False), model)
    assert report.verdict != "fail" and "Taylor's remainder: sign" in report.text(), report.text()


def of_many(count: int) -> Model:
    """A sum over vectors, each with a kink."""
    declared = [f"param w{k}: 2\nh{k} = abs(w{k} - h0)" for k in range(1, count)]
    terms = " + ".join(f"h{k}^2" for k in range(1, count))
    return parse("\n".join(["data h0: 2", *declared, f"loss L = sum({terms})"]))


@pytest.mark.parametrize("wrong", ["", "w1", "w7"])
def test_thousands_of_gradients_are_compared_at_once(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "ARRAYS", 30)
    monkeypatch.setattr(points, "WORK", 1.0)
    monkeypatch.setattr(points, "FEWEST", 6)
    model, runs, rerun = of_many(61), [0], Program.rerun

    def counted(*args: Any) -> Any:
        runs[0] += 1
        return rerun(*args)

    monkeypatch.setattr(Program, "rerun", counted)
    source = codegen(model, verify=False)
    if wrong:
        source = source.replace("    grads = {", f"    d{wrong} = 1.01 * d{wrong}\n    grads = {{")
    report = verify_source(source, model, seed=0)
    assert report.verdict == ("fail" if wrong else "pass"), report.text()
    assert [g.name for g in report.gradients if g.verdict == "fail"] == ([wrong] if wrong else [])
    if not wrong:
        assert any("they were compared all at once" in said for said in report.unchecked)
        assert runs[0] < 60 * 6 and sum(g.checked > 0 for g in report.gradients) < 60


def test_of_a_long_model_as_many_slopes_are_taken_as_time_allows() -> None:
    """Of costly ones few in each of few gradients; the others are compared along random directions."""
    model = parse("dim N\n" + "\n".join(f"param w{k}: N" for k in range(8)) + "\nloss L = sum(w0)")
    for cost, most in ((1e4, MOST), (1e6, 125), (1e8, points.PLACES)):
        places = places_of(model.targets(), {"N": 20_000}, cost, np.random.default_rng(0), 0)
        assert all(0.9 * most < len(where) <= most for where in places.values()), cost


def test_a_model_that_is_dead_is_seen_to_be_in_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"w{k}" for k in range(20)]
    model = parse(f"param {', '.join(names)}\nloss L = relu({' + '.join(n + '^2' for n in names)} - 10^6)")
    runs: list[object] = []
    monkeypatch.setattr(points.Points, "_moves", lambda self, objective, name: runs.append(name))
    found = points.Points(model, np.random.default_rng(0), {}, model.targets()).next({})
    assert found is not None and found[1].value == 0 and not runs
