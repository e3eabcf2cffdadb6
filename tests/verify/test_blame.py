"""The first line of a module that is wrong is named."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from random import Random

import pytest

from symbackprop import codegen, load
from symbackprop.model.text import parse
from symbackprop.verify.blame import lines_of
from tests.verify.helpers import check
from tests.verify.mutate import Mutants
from tests.verify.test_calls import changed
from tests.verify.test_further import NET, PIECES

CASES = [
    (NET, ("forward", "z = X @ W + b  ", "z = X @ W - b  "), "z = X @ W - b"),
    (NET, ("forward", "a = np.maximum(z, 0)", "a = np.maximum(z, 1)"), "a = np.maximum(z, 1)"),
    (NET, ("backward", "da = 2 * (a - t)", "da = 3 * (a - t)"), "da = 3 * (a - t) / (H * N)"),
    (NET, ("backward", "(z > 0)  ", "(z >= 0) "), "dz = da * (z >= 0)"),
    (NET, ("backward", "db = dz.sum(axis=0)", "db = dz.mean(axis=0)"), "db = dz.mean(axis=0)"),
    (NET, ("backward", "dW = X.T @ dz ", "dW = 1.0 * X.T @ np.abs(dz) "), "dW = 1.0 * X.T @ np.abs(dz)"),
    (PIECES, ("backward", "(dtype) / t3", "(dtype) / 1"),
     "dx = da * heaviside(x, -0.5) + np.sign(x) + t2.astype(dtype) / 1"),
    ("dim N, V, E\ndata i: N int < V\nparam A: V x E\nloss L = sum(A[i]**3)",
     ("backward", "dA = scatter_add(da, i, V)", "dA = np.zeros((V, da.shape[1])); dA[i] += da"),
     "dA = np.zeros((V, da.shape[1])); dA[i] += da"),
]

AFTERWARDS = [
    # (level, change, the line): right in a first call of forward and backward
    (1, ("forward", "z = X @ W + b  ", "z = np.ravel(X, 'K').reshape(X.shape) @ W + b  "),
     "z = np.ravel(X, 'K').reshape(X.shape) @ W + b"),
    (1, ("backward", "da = 2 * (a - t)", "da = np.subtract(a, t, out=a); da = 2 * da"), "da = 2 * da"),
    (1, ("backward", "db = dz.sum(axis=0)", "db = dz.sum(axis=0) * dz.dtype.itemsize / 8"),
     "db = dz.sum(axis=0) * dz.dtype.itemsize / 8"),
    (1, ("loss_and_grads", "backward(cache)", "backward(cache, 2.0)"), "return loss, backward(cache, 2.0)"),
    (1, ("outputs", "a = np.maximum(z, 0)", "a = np.maximum(z, 1)"), "a = np.maximum(z, 1)"),
    (1, ("backward", '"], upstream)', '"], abs(upstream))'), 'return scaled(grads, cache["dtypes"], abs(upstream))'),
    (2, ("backward", "grads = {", "dW += kept.setdefault('s', 0 * dW); kept['s'] = dW.copy(); grads = {"), "dW += "),
]


@pytest.mark.parametrize(("level", "change", "line"), AFTERWARDS)
def test_the_first_line_that_changes_is_named(tmp_path: Path, level: int, change: tuple[str, str, str], line: str
                                              ) -> None:
    report = check(tmp_path, changed(codegen(parse(NET, name="net"), level=level), *change))
    assert report.verdict == "fail" and line in report.line, report.text()


@pytest.mark.parametrize(("text", "change", "line"), CASES)
def test_the_first_wrong_line_is_named(tmp_path: Path, text: str, change: tuple[str, str, str], line: str) -> None:
    report = check(tmp_path, changed(codegen(parse(text, name="net")), *change))
    number = next(k for k, s in enumerate((tmp_path / "module.py").read_text().splitlines(), 1) if line in s)
    assert re.fullmatch(f".*module.py:{number}: {re.escape(line)}", report.line), report.text()
    assert report.line.count("module.py:") == 1, report.line
    assert f"the first line that is wrong: {report.line}" in report.text() and report.to_json()["line"] == report.line


@pytest.mark.parametrize("name", ["three-layer-net", "rnn-lm", "window-lm", "svm-hinge"])
def test_the_line_of_a_slip_is_among_those_named(tmp_path: Path, name: str) -> None:
    source = codegen(load(name), verify=False)
    mutants = Mutants(source, ("forward", "backward"))
    slips = [m for m in mutants.all if isinstance(m.new, ast.UnaryOp) and isinstance(m.new.operand, ast.BinOp)]
    for mutant in Random(0).sample(slips, 3):
        with mutants.put(mutant):
            wrong = ast.unparse(mutants.tree)
        right, lines = ast.unparse(ast.parse(source)).splitlines(), wrong.splitlines()
        number = next(k for k, s in enumerate(lines, 1) if s not in right)
        report = check(tmp_path, wrong)
        named = [int(k) for k in re.findall(r"module.py:(\d+)| to (\d+):", report.line) for k in k if k]
        told = ("one of" in report.line and named[0] <= number <= named[-1]) or number in named
        assert told, f"{number}: {lines[number - 1]}\n{report.text()}"


def test_a_right_module_has_no_wrong_line(tmp_path: Path) -> None:
    report = check(tmp_path, codegen(parse(NET, name="net")))
    assert report.line == "" and report.unchecked == ()


def test_what_a_statement_gives_and_reads() -> None:
    function = ast.parse("def f(x):\n    a = b = x\n    for t in x:\n        c[t] = a\n    a += d\n").body[0]
    assert isinstance(function, ast.FunctionDef)
    found = [(line.number, line.gives, *sorted(line.reads)) for line in lines_of(function)]
    assert found == [(2, "a", "x"), (2, "b", "x"), (3, "t", "a", "c", "x"), (4, "c", "a", "t", "x"), (5, "a", "d")]
