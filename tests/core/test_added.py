"""Functions and ops that were added by their records: each is known to few files, and nothing is poorer for them."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from symbackprop import Model, codegen, derive
from symbackprop.core import functions as F
from symbackprop.core.graph import Graph
from symbackprop.core.ops import OPS
from symbackprop.core.reverse import grad
from symbackprop.core.scalars import TABLE
from symbackprop.verified import verify_source
from symbackprop.verify.conditions import sides_of
from symbackprop.verify.interpreter import evaluate
from tests.codegen.helpers import emit

PACKAGE = Path(__file__).parents[2] / "symbackprop"
ELSEWHERE = [PACKAGE / p for p in (  # names that others use too; what differs in a further target
    "core/numpy_calls.py", "core/plain_arrays.py", "core/functions/words.py", "imported/formulas.py",
    "imported/onnx_operators.py", "codegen/torch.py", "model/text/sides.py")]
LEVELS = [0, 1, 2]


@pytest.mark.parametrize(("name", "op"), [("logit", "logit"), ("hardtanh", "hardtanh"), ("flip", "flip"),
                                          ("sort", "argsort")])
def test_two_files_know_of_it(name: str, op: str) -> None:
    assert name in F.FUNCTIONS
    known = re.compile("|".join(rf'"{x}"|\bdef {x}\(|F\.{x}\(' for x in (name, op)))
    files = [p for p in PACKAGE.rglob("*.py") if p not in ELSEWHERE]
    assert len([p for p in files if known.search(p.read_text(encoding="utf-8"))]) == 2


def run(text: str, level: int, tmp_path: Path, **arrays: Any) -> tuple[Any, dict[str, Any]]:
    module: ModuleType = emit(text, tmp_path, level=level)
    with np.errstate(all="ignore"):
        loss, grads = module.loss_and_grads({n: np.asarray(a, float) for n, a in arrays.items()}, {})
    return loss, grads


# -- logit
@pytest.mark.parametrize("level", LEVELS)
def test_logit_hidden_by_where_has_a_finite_gradient(level: int, tmp_path: Path) -> None:
    """At 0 and 1 it is infinite, and so is its derivative: what is not chosen there counts as nothing."""
    text = "dim N\nparam p: N\nloss L = sum(where((p > 0) * (p < 1), logit(p), 0))"
    loss, grads = run(text, level, tmp_path, p=[0.0, 0.25, 1.0])
    np.testing.assert_allclose(loss, np.log(1 / 3))
    np.testing.assert_allclose(grads["p"], [0.0, 1 / (0.25 * 0.75), 0.0])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("z", [-800.0, -30.0, 0.5, 30.0, 800.0])
def test_logit_undoes_sigmoid_far_from_0(level: int, z: float, tmp_path: Path) -> None:
    text = "param z\np = sigmoid(z)\nloss L = logit(p)"
    loss, grads = run(text, level, tmp_path, z=z)
    np.testing.assert_allclose([loss, grads["z"]], [z, 1.0], rtol=1e-12)
    model = Model.parse(text)
    np.testing.assert_allclose(evaluate([model.graph.names["L"]], {"z": np.asarray(z)}), [z], rtol=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_a_weight_of_0_makes_logit_0(level: int, tmp_path: Path) -> None:
    text = "dim N\nparam p: N, t: N\nloss L = sum(t * logit(p))"
    loss, grads = run(text, level, tmp_path, p=[0.0, 0.5, 1.0], t=[0.0, 2.0, 0.0])
    np.testing.assert_allclose(loss, 0.0)
    np.testing.assert_allclose(grads["p"], [0.0, 8.0, 0.0])


# -- hardtanh
def test_every_piece_of_hardtanh_is_a_side() -> None:
    model = Model.parse("param x\nloss L = hardtanh(x)**2")
    found = {(s.condition, s.holds) for s in sides_of([model.graph.names["L"]], {})}
    assert found == {(f"x > {k}", holds) for k in ("-1", "1") for holds in (False, True)}


@pytest.mark.parametrize("wrong", ["a > -1", "a < 1"])
def test_a_slope_that_is_wrong_on_one_side_of_hardtanh_is_found(wrong: str, tmp_path: Path) -> None:
    model = Model.parse("dim N\nparam x: N\na = x / 2\nloss L = sum(hardtanh(a)**2)", name="net")
    good = codegen(model, verify=False)
    assert verify_source(good, model).passed and "np.abs(a) < 1" in good
    assert not verify_source(good.replace("np.abs(a) < 1", f"({wrong})"), model).passed


def test_the_convention_of_hardtanh_is_printed() -> None:
    d = derive(Model.parse("param x\nloss L = hardtanh(x)"))
    assert "the derivative of hardtanh is 0 at −1 and 1" in d.text() and "hardtanh′(x) = 1[|x| < 1]" in d.text()


# -- steps
@pytest.mark.parametrize(("name", "theirs", "slope"), [
    ("floor", np.floor, 0), ("ceil", np.ceil, 0), ("round", np.round, 0), ("trunc", np.trunc, 0),
    ("frac", lambda x: x - np.trunc(x), 1), ("remainder", lambda x: np.remainder(x, 1.0), 1),
])
def test_steps_have_the_slope_of_their_pieces(name: str, theirs: Any, slope: float, tmp_path: Path) -> None:
    second = ", 1" if name == "remainder" else ""
    x = np.array([-2.5, -1.0, -0.25, 0.0, 0.5, 1.5, 3.75])
    loss, grads = run(f"dim N\nparam x: N\nloss L = sum({name}(x{second}))", 1, tmp_path, x=x)
    np.testing.assert_allclose([loss, *grads["x"]], [theirs(x).sum(), *[slope] * 7])


@pytest.mark.parametrize("level", LEVELS)
def test_whole_quotients_and_their_rests_are_those_of_floats(level: int, tmp_path: Path) -> None:
    """1 // 0.1 is 9: 0.1 as a float is more than a tenth, and the quotient is not rounded to 10 first."""
    a, b = (v.ravel() for v in np.meshgrid([1.0, 0.3, -1.0, 6.0, 7.5], [0.1, -0.1, 0.3, 0.7, 2.5]))
    module = emit("dim N\nparam a: N, b: N\nq = a // b\nr = a % b\nloss L = sum(q) + sum(r)", tmp_path, level=level)
    loss, grads = module.loss_and_grads({"a": a, "b": b}, {})
    np.testing.assert_allclose(loss, (a // b).sum() + (a % b).sum(), rtol=1e-15)
    np.testing.assert_array_equal([grads["a"], grads["b"]], [np.ones(25), -(a // b)])


@pytest.mark.parametrize(("written", "value"), [
    ("1 // 0.1", 1 // 0.1), ("1 % 0.1", 1 % 0.1), ("-7 // 2", -7 // 2), ("-7 % 2", -7 % 2),
    ("0.5 // 0.25", 0.5 // 0.25)])
def test_numbers_are_divided_as_floats_are(written: str, value: float) -> None:
    model = Model.parse(f"param w\nloss L = w * ({written})")
    assert evaluate([model.graph.names["L"]], {"w": np.array(1.0)})[0] == value


def test_orders_of_polygamma() -> None:
    x = np.array([0.2, 1.0, 5.5])
    g = Graph()
    row = F.polygamma(3, g.leaf("x", (3,)))
    found = evaluate([row, grad(F.sum(row), [g.names["x"]])[0]], {"x": x})
    for k, values in enumerate(found, 3):
        np.testing.assert_allclose(values, [(-1) ** (k + 1) * float(mpmath.fac(k) * mpmath.zeta(k + 1, v)) for v in x])


def test_sympy_s_own_are_ours() -> None:
    g = Graph()
    x = g.leaf("x", (3,))
    for call, name in ((sp.tan, "tan"), (sp.erfc, "erfc"), (sp.loggamma, "lgamma"), (sp.acosh, "acosh")):
        assert g.lift(call(sp.sympify(x))) is F.FUNCTIONS[name](x)


# -- flip and sort
def test_equal_entries_of_sort_hand_their_gradients_back_in_order() -> None:
    g = Graph()
    x, w = g.leaf("x", (4,)), g.leaf("w", (4,))
    loss = F.sum(F.sort(x) * w)
    given = {"x": np.array([2.0, 1.0, 2.0, 1.0]), "w": np.array([1.0, 2.0, 3.0, 4.0])}
    np.testing.assert_allclose(evaluate(grad(loss, [x]), given)[0], [3.0, 1.0, 4.0, 2.0])


def test_places_of_sort_are_integers_without_a_gradient() -> None:
    g = Graph()
    x = g.leaf("x", (3,))
    places = F.argsort(x)
    assert places.kind == "int" and grad(F.sum(places * 1.0), [x])[0].value == 0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("body", [
    "s = sort(x, axis=0)\nloss L = sum(s[0] * s[2]**2)", "s = sort(x)\nloss L = sum(cumsum(s, axis=1)**2)",
    "f = flip(x)\nloss L = sum(f * x * tanh(f[0]))", "f = flip(x, axis=1)\nf2 = flip(f + x)\nloss L = sum(f2**3 * x)",
])
def test_emitted_at_every_level(level: int, body: str) -> None:
    model = Model.parse(f"dim N, D\nparam x: N x D\n{body}", name="net")
    assert verify_source(codegen(model, level=level, verify=False), model, sizes={"N": 4, "D": 3}).passed


def test_flip_shares_memory_and_is_not_written_over() -> None:
    """NumPy's flip is a view of its argument."""
    model = Model.parse("dim N\nparam x: N\nf = flip(x)\ng = f + 1\nloss L = sum(g * f * x)", name="net")
    assert verify_source(codegen(model, level=2, verify=False), model).passed


# -- stop_gradient
HELD = {
    "a part": "t = stop_gradient(tanh(x @ W))\nloss L = sum((x @ W - t)**2 * t)",
    "a logarithm of probabilities": "p = softmax(x @ W)\nloss L = sum(log(stop_gradient(p)) * p**2)",
    "a straight-through estimator": "z = x @ W\nq = z + stop_gradient(where(z > 0, 1, 0) - z)\nloss L = sum(q**2)",
    "states of a loop": "h[0] = x[0]\nfor t in 1..3:\n    s[t] = stop_gradient(h[t-1] * 2)\n"
                        "    h[t] = tanh(h[t-1] @ W + s[t] @ W)\nloss L = sum(h[3]**2)",
    "in a scan": "data c: T x N x D, h[0]: N x D\nfor t in 1..T:\n    s[t] = stop_gradient(h[t-1] * 2)\n"
                 "    h[t] = tanh(c[t] + h[t-1] @ W + s[t] @ W)\nloss L = mean(h[T]**2) + mean(stop_gradient(h) * h)",
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("body", HELD.values(), ids=HELD)
def test_what_is_held_constant_is_so_for_differences_too(body: str, level: int) -> None:
    model = Model.parse(f"dim N=3, D=3, T=4\nparam x: N x D, W: D x D\n{body}", name="net")
    assert verify_source(codegen(model, level=level, verify=False), model).passed


@pytest.mark.parametrize("body", HELD.values(), ids=HELD)
def test_a_module_that_does_not_hold_it_is_wrong(body: str) -> None:
    text = f"dim N=3, D=3, T=4\nparam x: N x D, W: D x D\n{body}"
    let_through = Model.parse(text.replace("stop_gradient", ""), name="net")
    assert not verify_source(codegen(let_through), Model.parse(text, name="net")).passed


def test_its_slope_is_0_in_second_derivatives_too() -> None:
    """L = x·stop(x²): L' = x² held, L'' = 0."""
    g = Graph()
    x = g.leaf("x")
    first = grad(x * F.stop_gradient(x**2), [x])
    assert evaluate(first, {"x": np.asarray(3.0)})[0] == 9.0 and grad(first[0], [x])[0].value == 0


def test_numbers_and_integers_need_no_holding() -> None:
    g = Graph()
    i = g.leaf("i", (3,), kind="int")
    assert F.stop_gradient(i) is i and F.stop_gradient(g.const(2)).value == 2


def test_derivation_says_that_it_is_held_and_its_differences_hold_it() -> None:
    text = "param x\nt = stop_gradient(x**2)\nloss L = x * t"
    shown = derive(Model.parse(text, name="net")).text(values={"x": 3.0})
    assert "stop(x²)" in shown and "its derivative is 0" in shown
    assert re.search(r"≈ 9\b.*error", shown)


@pytest.mark.parametrize("name", ["logit", "hardtanh", "flip", "sort", "argsort", "stop_gradient"])
def test_each_is_documented(name: str) -> None:
    pages = [(PACKAGE.parent / "docs" / page).read_text(encoding="utf-8") for page in ("model-text.md", "ops.md")]
    assert all(f"`{name}" in page for page in pages)
    assert name in TABLE or name in OPS or name == "sort"
