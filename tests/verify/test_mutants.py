"""Modules with one mistake each: every one must fail, at the right gradient, with the likely cause."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symbackprop import verify
from tests.verify.helpers import check, failing, gradient, mutant
from tests.verify.modules import EMBEDDING, GATE, LAYER, MLP, RECURRENT, SHARED, SQUARE

WIDENS = pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1: no scalar widens an array")
ALL = {"MLP": MLP, "EMBEDDING": EMBEDDING, "RECURRENT": RECURRENT, "LAYER": LAYER, "SQUARE": SQUARE, "SHARED": SHARED,
       "GATE": GATE}


@pytest.mark.parametrize("method", ["auto", "central", "complex"])
@pytest.mark.parametrize("source", ALL.values(), ids=ALL)
def test_the_right_module_passes(tmp_path: Path, source: str, method: str) -> None:
    report = check(tmp_path, source, method=method)
    assert report.verdict == "pass", report.text()
    assert all(g.max_relative_error is not None and g.max_relative_error <= 1e-6 for g in report.gradients)


CASES = [
    # (id, module, what is changed, the gradients that are then wrong, words of the likely cause)
    ("sign", MLP, [("dW2 = A1.T", "dW2 = -A1.T")], {"W2"}, "ratio -1"),
    ("sign of the seed", MLP, [("-= 1", "+= 1")], {"W1", "b1", "W2", "b2"},
     "columns differ, the others are right"),
    ("sign inside", MLP, [("(1 - A1**2)", "(1 + A1**2)")], {"W1", "b1"}, "local derivative"),
    ("both factors negated", MLP, [("dZ2 / N", "-dZ2 / N"), (" + 0.1 * p", " - 0.1 * p")], {"W1", "b1", "W2", "b2"},
     "ratio -1"),
    ("no mean", MLP, [("dZ2 / N", "dZ2")], {"W1", "b1", "W2", "b2"}, "1/N of a mean"),
    ("mean twice", MLP, [("db2 = dZ2.sum(axis=0)", "db2 = dZ2.mean(axis=0)")], {"b2"}, "ratio 1/N"),
    ("no sum", MLP, [("db1 = dZ1.sum(axis=0)", "db1 = dZ1")], {"b1"}, "sum over the leading axis is missing"),
    ("sum left at size 1", MLP, [("db2 = dZ2.sum(axis=0)", "db2 = dZ2.sum(axis=0, keepdims=True)")], {"b2"}, "leading"),
    ("no derivative of tanh", MLP, [("dZ1 = dA1 * (1 - A1**2)", "dZ1 = dA1")], {"W1", "b1"}, "local derivative"),
    ("no regulariser", MLP, [(" + 0.1 * params[\"W1\"]", "")], {"W1"}, "0.1 times the parameter itself"),
    ("half a regulariser", MLP, [("0.1 * params", "0.05 * params")], {"W1"}, "0.05 times the parameter itself"),
    ("only the regulariser", MLP, [("data[\"X\"].T @ dZ1 + ", "")], {"W1"}, "it is 0.1 times W1 itself"),
    ("twice", MLP, [("db1 = dZ1.sum", "db1 = 2 * dZ1.sum")], {"b1"}, "factor 1/2 is missing"),
    ("half", MLP, [("dW2 = A1.T", "dW2 = 0.5 * A1.T")], {"W2"}, "factor 2 of a square"),
    ("minus half", MLP, [("dW2 = A1.T", "dW2 = -0.5 * A1.T")], {"W2"}, "ratio -1/2"),
    ("odd factor", MLP, [("dW2 = A1.T", "dW2 = 1.01 * A1.T")], {"W2"}, "same factor 1.01"),
    ("a factor next to 1", MLP, [("dW2 = A1.T", "dW2 = 1.00001 * A1.T")], {"W2"}, "same factor 1.00001"),
    ("a step that is a bit off", MLP, [("(1 - A1**2)", "(1 - 1.00001 * A1**2)")], {"W1", "b1"}, "entries differ"),
    ("a size written out", MLP, [("N = len(P)", "N = 3"), ("np.arange(N), data", "np.arange(len(P)), data")],
     {"W1", "b1", "W2", "b2"}, "right at N = 3"),
    ("another gradient", MLP, [('"b1": db1', '"b1": params["b1"]')], {"b1"}, "it is b1 itself"),
    ("the gradient of another", SHARED, [('"b": upstream * db', '"b": upstream * da')], {"b"},
     "it is the gradient of a"),
    ("a factor left out", SHARED, [("da = np.exp(a) * c", "da = np.exp(a)")], {"a"}, "the factor c is missing"),
    ("a factor too many", SHARED, [("c**2\n    return {", "c**3\n    return {")], {"b"},
     "the factor c stands there once too often"),
    ("no gradient", MLP, [('"b1": db1, ', "")], {"b1"}, "no gradient of that name"),
    ("zero", MLP, [('"b1": db1', '"b1": 0 * db1')], {"b1"}, "a branch that reaches the result is missing"),
    ("nan", MLP, [('"b1": db1', '"b1": db1 / 0 * 0')], {"b1"}, "not finite"),
    ("last one lost", MLP, [("return {name", "db1[-1] = 0\n    return {name")], {"b1"}, "are zero and should not be"),
    ("transposed", SQUARE, [('data["X"].T @ dq', '(data["X"].T @ dq).T')], {"A"}, "transposed"),
    ("no square's 2", SQUARE, [("2 * upstream", "upstream")], {"A"}, "factor 2 of a square"),
    ("shape transposed", LAYER, [('"W": data["X"].T @ dY', '"W": dY.T @ data["X"]')], {"W"}, "transposed"),
    ("one output forgotten", LAYER, [(" + 2 * upstream[\"S\"][:, None] * Y", "")], {"X", "W", "b"}, "a term of a sum"),
    ("no transpose", LAYER, [('params["W"].T', 'params["W"] @ params["W"].T')], set(), "backward raised ValueError"),
    ("overwritten rows", EMBEDDING, [("np.add.at(dC, data[\"words\"], drows)", "dC[data[\"words\"]] = drows")], {"C"},
     "repeated indices"),
    ("last time step only", RECURRENT, [("for t in (3, 2, 1):\n        dz", "for t in (3,):\n        dz")],
     {"w_e", "w_h"}, "a term of a sum"),
    ("stale time step", RECURRENT, [("dw_h += dz * h[t - 1]", "dw_h += dz * h[t]")], {"w_h"}, "a term of a sum"),
    ("stale derivative", RECURRENT, [("(1 - h[t] ** 2)", "(1 - h[3] ** 2)")], {"w_e", "w_h"}, "local derivative"),
    ("gate open", GATE, [("2 * upstream if w > z else upstream * (w == z)", "2 * upstream")], {"w"}, "should be zero"),
    ("gate shut", GATE, [("2 * upstream if w > z else upstream * (w == z)", "0.0")], {"w"}, "a branch"),
    ("gate the wrong way", GATE, [("w > z", "w < z")], {"w"}, "a term of a sum"),
]


@pytest.mark.parametrize(("source", "changes", "wrong", "words"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_a_mistake_is_caught_and_named(
    tmp_path: Path, source: str, changes: list[tuple[str, str]], wrong: set[str], words: str
) -> None:
    report = check(tmp_path, mutant(source, *changes))
    assert report.verdict == "fail", report.text()
    assert failing(report) == wrong, report.text()
    causes = [gradient(report, name).cause for name in wrong] or report.problems
    assert all(causes) and any(words in cause for cause in causes), causes
    assert all(name in report.text() for name in wrong)


def test_a_run_time_error_is_told_with_its_line(tmp_path: Path) -> None:
    report = check(tmp_path, mutant(LAYER, ('params["W"].T', 'params["W"]')))
    assert report.verdict == "fail"
    assert "backward raised ValueError" in report.problems[0] and "module.py:" in report.problems[0]
    assert 'return {"X": dY @ params["W"]' in report.problems[0]


def test_so_it_is_where_the_file_is_given_relatively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(mutant(LAYER, ('params["W"].T', 'params["W"]')), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "(net.py:" in verify("net.py").problems[0]


def test_a_wrong_forward_is_told_with_the_first_wrong_intermediate(tmp_path: Path) -> None:
    report = check(tmp_path, mutant(MLP, ("A1 = np.tanh(Z1)", "A1 = np.tanh(2 * Z1)")))
    assert report.verdict == "fail"
    assert report.results[0].verdict == "fail" and report.results[0].name == "L"
    assert any("'A1'" in p for p in report.problems) and not any("'Z2'" in p for p in report.problems)


@pytest.mark.parametrize(
    ("source", "changes", "words"),
    [
        (MLP, [("upstream * grad for", "grad for")], "upstream=-1.75"),
        (MLP, [("    return L, backward(cache)", "    return L, backward(cache, 2.0)")], "loss_and_grads"),
        (MLP, [("    return L, backward(cache)", "    return backward(cache)")], "loss_and_grads"),
        (MLP, [("    return found[\"L\"]",
               "    params[\"W1\"] *= 1.5\n    return found[\"L\"]")], "forward changes W1, "),
        pytest.param(MLP, [("upstream * grad for", "np.float64(upstream) * grad for")], "not float32", marks=WIDENS),
        (MLP, [('"b2": db2}', '"b2": db2, "X": dZ1}')], "'X', which is no parameter"),
        (SQUARE, [("import numpy as np", "import numpy as np\nseen = []"),
                  ("    dq = 2", "    seen.append(1)\n    dq = len(seen) * 2")], "upstream"),
    ],
)
def test_a_broken_promise_fails(tmp_path: Path, source: str, changes: list[tuple[str, str]], words: str) -> None:
    report = check(tmp_path, mutant(source, *changes))
    assert report.verdict == "fail"
    assert any(words in p for p in report.problems), report.text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('return found["L"], (params, data, found["A1"], found["P"])', "forward returned nothing"),
        ('return {"L": 1.0}', "forward returned a dict"),
        ("raise SystemExit(3)", "forward raised SystemExit"),
        ("return forward(params, data)", "RecursionError"),
    ],
)
def test_a_forward_that_breaks_the_contract_says_how(tmp_path: Path, change: str, words: str) -> None:
    line = 'return found["L"], (params, data, found["A1"], found["P"])'
    new = "pass" if change == line else change
    report = check(tmp_path, mutant(MLP, (line, new)))
    assert report.verdict == "fail" and words in report.problems[0]


@pytest.mark.parametrize(("value", "words"), [("None", "nothing"), ('"x"', "a str"), ("[[1], [1, 2]]", "a list")])
def test_a_gradient_that_is_no_array(tmp_path: Path, value: str, words: str) -> None:
    source = mutant(SQUARE, ('{"A": data["X"].T @ dq}', f'{{"A": {value}}}'))
    report = check(tmp_path, source)
    assert failing(report) == {"A"} and words in gradient(report, "A").cause


def test_a_near_miss_of_a_name_is_suggested(tmp_path: Path) -> None:
    report = check(tmp_path, mutant(MLP, ('"W1": dW1', '"W11": dW1')))
    assert "Did you mean 'W11'?" in gradient(report, "W1").cause
