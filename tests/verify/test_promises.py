"""What a module promises beside right gradients: with one of its checks gone, the report says so."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from symbackprop import Model, codegen, load, verify
from symbackprop.core.functions import tanh
from symbackprop.core.loops import scan
from symbackprop.model import zoo
from symbackprop.verified import verify_source
from symbackprop.verify import Report
from symbackprop.verify.initial import DEVIATIONS, Start, _misses
from symbackprop.verify.module import ONE_BY_ONE
from tests.sweeps import few_in_ci, sample
from tests.verify.helpers import check
from tests.verify.modules import MLP
from tests.verify.mutation import SIZES

CHECKS = {  # a line of what `read` does, what it becomes, and what the module then takes
    "params": (r'    check_names\(params, .*\n', "", "beside what the model has"),
    "data": (r'    check_names\(data, .*\n', "", "beside what the model has"),
    "ranks": (r"    check_ranks\(.*\n", "", "with an axis too few"),
    "shapes": (r"    check_shapes\(.*\n", "", "of another size along axis"),
    "range": (r" check_range\(.*", " pass", "with an entry out of range"),
    "integers": (r"as_integers\(name, (array|np\.asarray\(array\))\)", r"\1.astype(int)", "with fractions"),
}
JAX = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
LOST = [*(pytest.param(lost, name, "numpy") for name in ("window-lm", "ffnn-softmax-batch") for lost in CHECKS),
        *(pytest.param(lost, "window-lm", "jax", marks=JAX) for lost in ("shapes", "range", "integers"))]


def report_without(lost: str, name: str, target: str) -> Report:
    """The report on a module that lost a check."""
    model, (line, new, _) = load(name), CHECKS[lost]
    source = codegen(model, target=target, verify=False)
    start = source.index("def read(")
    end = source.index("\ndef check_names(", start)
    reading, count = re.subn(line, new, source[start:end])
    assert count == 1
    return verify_source(source[:start] + reading + source[end:], model, trials=1)


def test_what_a_module_remembers_of_one_call_lets_nothing_wrong_pass_in_the_next() -> None:
    model = load("ffnn-softmax-batch")
    source = codegen(model, verify=False)
    forgetful = source.replace("kinds_of(params, data)", "kinds_of(params, params)")
    report = verify_source(forgetful, model, trials=1)
    assert forgetful != source and report.verdict == "fail", report.text()
    assert any("its check is missing" in problem for problem in report.problems)


@pytest.mark.parametrize(("lost", "name", "target"), few_in_ci(LOST, 6))
def test_a_check_that_was_removed_is_missed(lost: str, name: str, target: str) -> None:
    report = report_without(lost, name, target)
    said = [p for p in report.problems if CHECKS[lost][2] in p]
    assert report.verdict == "fail" and len(said) >= 1, report.text()
    assert said[0].startswith("forward does not refuse ") and said[0].endswith("its check is missing")
    assert f"problem: {said[0]}" in report.text()


@pytest.mark.parametrize("name", sample(zoo.names(), 5))
def test_without_any_check_every_kind_of_misfit_is_told(name: str) -> None:
    model = load(name)
    source = codegen(model, verify=False)
    head = r"^(def check_(?:names|ranks|shapes|range)\(.*\) -> None:)$"
    blind = re.sub(head, r"\1\n    return", source, flags=re.MULTILINE)
    report = verify_source(blind, model, sizes=SIZES.get(name), trials=1)
    told = {leaf for p in report.problems for leaf in re.findall(r"\w+", p)}
    assert report.verdict == "fail" and set(model.leaves()) <= told, report.text()


def test_a_module_that_states_no_shapes_promises_no_check(tmp_path: Path) -> None:
    assert "PARAMS" not in MLP and check(tmp_path, MLP).verdict == "pass"
    report = check(tmp_path, MLP + '\nPARAMS, DATA = {"W1": ("D", "H")}, {"X": ("N", "D")}\n')
    missing = [p for p in report.problems if "its check is missing" in p]
    assert report.verdict == "fail" and missing, report.text()
    assert any(p.startswith("PARAMS: b1 is missing, expected ('H',): so MODEL has it") for p in report.problems)
    assert "the module has no function init_params" in report.problems


@pytest.mark.parametrize("target", ["numpy", pytest.param("jax", marks=JAX)])
def test_a_model_of_integers_alone_promises_no_precision(target: str) -> None:
    model = Model.parse("dim N\ndata y: N int < 5\nloss L = mean(y)\n")
    assert verify_source(codegen(model, target=target, verify=False), model, trials=1).verdict == "pass"


def test_names_with_a_line_behind_them_are_the_models_own() -> None:
    codegen("param v: 3, v_: 3\nloss L = sum(v * exp(v_))")


def steps() -> Model:
    """A loop in Python, which carries what nothing reads but itself, and whose rows have no names."""
    m = Model("steps")
    T, = m.dims("T")
    x, w, h0 = m.data("x", (T,)), m.param("w", ()), m.param("h0", ())
    (last, _), _ = scan(lambda c, e: ((tanh(w * e[0] + c[0]), c[1] * 2 + c[0]), ()), (h0, h0), x, names=["h", "s"])
    m.loss("L", last**2)
    return m


IN_A_LOOP = ("dim T\ndata x: T\nparam w, h[0]\nfor t in 1..T:\n    i[t] = tanh(w * x[t])\n    h[t] = i[t] * h[t-1]\n"
             "loss L = h[T]**2")


@pytest.mark.parametrize(("make", "name"), [*((partial(Model.parse, IN_A_LOOP), name) for name in "ih"), (steps, "s")])
def test_what_a_loop_names_stands_in_outputs(make: Callable[[], Model], name: str, tmp_path: Path) -> None:
    source = codegen(make(), verify=False)
    start = source.index("def outputs(")
    assert check(tmp_path, source, trials=1).passed
    for wrong, said in (("", "it is missing"), (rf'"{name}": 2 * \1, ', "expected")):
        changed = source[:start] + re.sub(rf'"{name}": (\w+)(?:, )?', wrong, source[start:], count=1)
        report = check(tmp_path, changed, trials=1)
        assert f"outputs()['{name}'] differs from what the model says it is: " in report.text(), changed[start:]
        assert said in report.text()


@pytest.mark.parametrize("factor", ["10**200", "exp(700)", "factorial(100)", "1e300 * 1e-3"])
def test_what_no_float32_holds_is_no_mistake(factor: str) -> None:
    """The loss is infinite there, as it has to be; codegen refused such modules."""
    report = verify_source(codegen(model := Model.parse(f"param w\nloss L = w * {factor}"), verify=False), model)
    assert report.verdict == "pass", report.text()


ON_THE_WAY = [
    "param w: N\nloss L = sum(tanh(w * 10**200))",
    "param w: N\nloss L = softmax(w * 10**60)[0]", "param w: N\nloss L = sum(exp(w) * 10**40 / 10**40)",
    "param w: N\na = exp(w) * 10**40\nloss L = sum(log(a))", "param w: N\nloss L = sum(w * 10**-50) * 10**50",
    "data x: T\nparam w, h[0]\nfor t in 1..T:\n    a[t] = exp(w) * 10**39 * x[t]\n"
    "    h[t] = tanh(h[t-1] + a[t] / 10**39)\nloss L = h[T]",
]


@pytest.mark.parametrize("text", ON_THE_WAY)
def test_what_no_float32_holds_on_the_way_is_no_mistake(text: str) -> None:
    model = Model.parse(f"dim {'T' if 'T' in text else 'N'}\n{text}" if ":" in text else text)
    assert (report := verify_source(codegen(model, verify=False), model)).passed, report.text()


def test_what_float32_holds_but_does_not_resolve_is_no_mistake() -> None:
    model = Model.parse("dim N\nparam w: N\nloss L = sum(sin(w * 10**20) * 10**25) / 10**25")
    for seed in range(3):
        report = verify_source(codegen(model, verify=False), model, seed=seed)
        assert report.verdict != "fail", report.text()  # w * 10^20 is 10^4 radians off: nothing of its sine is certain


@pytest.mark.parametrize("result", [
    "sum(w * x * exp(lgamma(x**2 + 10**9) - lgamma(x**2 + 10**9 - 3)))",  # few digits, and the same factor for all w
    "sum(cos(w * 10**8) * x)", "sum((w * 10**7 - floor(w * 10**7)) * x)",  # no step of Taylor's is near the slope
])
def test_what_rounds_beside_a_parameter_or_turns_within_a_step_is_no_mistake(result: str) -> None:
    model = Model.parse(f"dim N\ndata x: N\nparam w: N\nloss L = {result}")
    report = verify_source(codegen(model, verify=False), model)
    assert report.verdict != "fail", report.text()


@pytest.mark.parametrize("text", ["var(cumsum(w + x) + 10**16)", "sum((w + 10**15 - mean(w + 10**15))**2)"])
def test_what_sums_to_0_but_for_rounding_is_left_out_by_a_backward_pass_and_no_mistake(text: str) -> None:
    """Its slope, 0 in numbers too where all entries move alike, does not show how far from 0 the sum is."""
    model = Model.parse(f"dim N\nparam w: N\ndata x: N\nloss L = {text}")
    source = codegen(model, verify=False)
    for seed in range(3):
        report = verify_source(source, model, seed=seed)
        assert report.verdict != "fail", report.text()


@pytest.mark.parametrize("function", ["acos", "asin"])
def test_an_infinite_slope_at_a_bound_is_no_mistake_and_another_one_there_is(function: str) -> None:
    """arccos(clip(x, -1, 1)), as people write it: the complex step at -1 is as large as the step is small."""
    model = Model.parse(f"dim N\nparam w: N\nloss L = sum({function}(clip(w, -1, 1)))", name="m")
    source = codegen(model, level=0)
    assert verify_source(source, model).passed
    end = "    return returned(grads, dtypes)\n"
    assert source.count(end) == 1
    for wrong in ("-g", "np.nan"):
        changed = f"    g = grads['w']\n    grads = {{'w': np.where(np.isinf(g), {wrong}, g)}}\n{end}"
        assert verify_source(source.replace(end, changed), model).verdict == "fail", wrong


@pytest.mark.parametrize("text", [
    "dim N, D\nparam x: N x D, y: D\nloss L = sum(acos(x @ y / (norm(x, axis=1)*norm(y))))",  # ±1 at D = 1
    "dim N\nparam x: N\nloss L = sum(acos(1 - relu(x)))", "dim N\nparam x: N\nloss L = sum(asin(1 - abs(x)))",
])
def test_where_a_slope_is_0_times_infinity_a_module_may_say_nan(text: str) -> None:
    model = Model.parse(text)
    source = codegen(model, verify=False)
    for seed in range(3):
        report = verify_source(source, model, seed=seed)
        assert report.passed, report.text()


def test_nan_beside_an_infinite_slope_is_a_mistake() -> None:
    """The slope by v, which does not go through the root."""
    model = Model.parse("dim N\nparam x: N, v: N\nloss L = sum(acos(1 - relu(x)) + abs(v))")
    source, end = codegen(model, level=0), "    return returned(grads, dtypes)\n"
    changed = f"    grads['v'] = np.where((grads['v'] == 0) & (upstream == 1), np.nan, grads['v'])\n{end}"
    report = verify_source(source.replace(end, changed), model)
    assert report.verdict == "fail" and "v[" in report.text()


def test_an_infinite_slope_where_the_models_is_finite_is_a_mistake() -> None:
    """2 is the slope at 0 alone, by what is stated of abs."""
    model = Model.parse("dim N\nparam w: N\nloss L = sum(abs(w) + 2*w)", name="m")
    source, end = codegen(model, level=0), "    return returned(grads, dtypes)\n"
    assert source.count(end) == 1
    changed = f"    grads = {{'w': np.where(grads['w'] == 2, np.inf, grads['w'])}}\n{end}"
    report = verify_source(source.replace(end, changed), model)
    assert report.verdict == "fail" and "inf, and 2 by the model" in report.text()


def test_what_no_float64_resolves_is_not_decided() -> None:
    model = Model.parse("param w\nloss L = sin(w * 10**39)")
    assert verify_source(codegen(model, verify=False), model).verdict == "inconclusive"


def test_gradients_that_a_float32_holds_are_compared_beside_others() -> None:
    old, new = "dv = dA * t1", "dv = (3 if v.dtype == np.float32 else 1) * dA * t1"
    model = Model.parse("dim N\nparam w: N, v: N, u: N\noutput A = sin(w) * v\noutput B = u * 10**200")
    right = codegen(model, verify=False)
    assert old in right, right
    assert verify_source(right, model).passed
    report = verify_source(right.replace(old, new), model)
    assert report.verdict == "fail" and "v[" in report.text() and "in float32" in report.text(), report.text()


def test_what_a_float32_holds_is_still_compared_beside_it() -> None:
    model = Model.parse("data x\nparam w\noutput z = w * x\noutput q = z * 10**200")
    right = codegen(model, verify=False)
    wrong = right.replace("    z = w * x", "    z = w * x * (2 if np.result_type(w) == np.float32 else 1)", 1)
    assert wrong != right and verify_source(right, model).verdict == "pass"
    report = verify_source(wrong, model)
    assert report.verdict == "fail" and any("several precisions z differs" in p for p in report.problems), report.text()


@pytest.mark.parametrize("text", [
    "data x: N x 2 x C\nparam w: 5 x C x K\nloss L = sum(conv1d(x, w, padding=2)^2)",
    "data x: N x 1 x 2 x C\nparam w: 3 x 3 x C x K\nloss L = sum(conv2d(x, w, padding=1)^2)",
    "data x: N x C x 2 x 2\nparam w: K x C x 3 x 3\nloss L = sum(conv2d(x, w, padding=1, layout=\"NCHW\")^2)",
    "data y: N x 2 x 2 x K\nparam w: 3 x 3 x C x K\nloss L = sum(conv_transpose2d(y, w, stride=2)^2)",
])
def test_a_kernel_starts_as_it_does_where_no_image_holds_a_window_of_it(text: str) -> None:
    model = Model.parse(f"dim N, C, K\n{text}")
    assert (report := verify(model, trials=1)).verdict == "pass", report.text()


def test_a_few_normal_draws_may_have_any_fourth_moment() -> None:
    """Of 400 it is off by six of its deviations once in 60,000 times: these are such draws."""
    values = np.random.default_rng(70618).standard_normal(400)
    assert np.mean(values**4) > 3 + DEVIATIONS * np.sqrt(96 / 400)
    assert not _misses(values, Start(0.0, 1.0, ""))
    assert "fourth moment" in _misses(np.random.default_rng(0).uniform(-(3**0.5), 3**0.5, 4000), Start(0.0, 1.0, ""))


def test_of_very_many_arrays_and_sizes_some_are_given_as_they_may_not_be() -> None:
    """It is told of how many; each of them is several calls that take all arrays."""
    count = ONE_BY_ONE + 1
    names = ", ".join(f"D{k}" for k in range(count))
    text = "\n".join([f"dim {names}", *[f"param w{k}: D{k}" for k in range(count)],
                      f"loss L = {' + '.join(f'sum(w{k})**2' for k in range(count))}"])
    report = verify(Model.parse(text), trials=1)
    assert report.verdict == "pass", report.text()
    for what in ("array", "size"):
        told = f"what is refused of every {what}: {ONE_BY_ONE} of {count} were given as they may not be"
        assert told in report.unchecked, report.unchecked
