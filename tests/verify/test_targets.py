"""Modules that were emitted for some names: they say which, and are held to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbackprop.codegen import codegen
from symbackprop.errors import BrokenModule, NameProblem
from symbackprop.model import Model
from tests.sweeps import few_in_ci
from tests.verify.helpers import check

MLP = """
dim N, D, H, C
data X: N x D, y: N int < C
param W1: D x H, b1: H, W2: H x C, b2: C
Z1 = X @ W1 + b1
A1 = tanh(Z1)
Z2 = A1 @ W2 + b2
unread = sum(A1)
loss L = mean(cross_entropy(Z2, y)) + 0.01 * sum(W1**2)
"""
LAYER = """
dim N, D
input X: N x D
param W: D x D, s
output Y = tanh(X @ W)
output Z = s * sum(Y, axis=1)
"""
LOOP = """
dim T, N
data x: T x N, h[0]: N
param w: N x N
for t in 1..T:
    h[t] = tanh(x[t] + h[t-1] @ w)
s = sum(h, axis=0)
loss L = sum(s * h[T])
"""
ASKED = [
    (MLP, ["W2"]), (MLP, ["A1", "W2"]), (MLP, []), (MLP, ["X", "Z1", "Z2", "L"]), (MLP, ["unread"]),
    (LAYER, ["Y", "Z"]), (LAYER, ["s"]), (LAYER, []), (LOOP, ["h0", "s"]), (LOOP, ["x"]),
]


@pytest.mark.parametrize("level", few_in_ci([1, 0, 2], 3))
@pytest.mark.parametrize(("text", "names"), ASKED, ids=[",".join(names) or "nothing" for _, names in ASKED])
def test_a_module_for_some_names_passes(text: str, names: list[str], level: int, tmp_path: Path) -> None:
    report = check(tmp_path, codegen(Model.parse(text), wrt=names, level=level))
    assert report.passed, report.text()
    assert [g.name for g in report.gradients] == names
    asked = ", ".join(names) or "nothing"
    assert f"emitted for the gradients of {asked} (GRADIENTS); no others are promised" in report.text()


def test_what_is_asked_for_twice_is_there_once(tmp_path: Path) -> None:
    source = codegen(Model.parse(MLP), wrt=["W1", "W1"])
    assert 'GRADIENTS = ("W1",)' in source
    assert check(tmp_path, source).passed


@pytest.mark.parametrize("names", [None, ["b2", "W2", "b1", "W1"]])
def test_a_module_for_all_names_says_nothing(names: list[str] | None) -> None:
    assert "GRADIENTS" not in codegen(Model.parse(MLP), wrt=names)


@pytest.mark.parametrize("names", [["W3"], ["y"], [""], ["N"]])
def test_names_that_have_no_gradient_are_refused(names: list[str]) -> None:
    with pytest.raises(NameProblem):
        codegen(Model.parse(MLP), wrt=names)


CHANGES = [
    ('"A1": dA1', '"A1": -dA1', "A1: the sign is flipped"),
    ('"A1": dA1', '"A1": 2 * dA1', "A1: twice too large"),
    (', "A1": dA1}', "}", "A1: backward returns no gradient of that name"),
    ('"A1": dA1', '"A1": dA1, "Z2": dZ2', "backward returns 'Z2', which GRADIENTS does not name"),
    ('GRADIENTS = ("W2", "A1")', "", "W1, b1, b2: backward returns no gradient of that name"),
    ('GRADIENTS = ("W2", "A1")', 'GRADIENTS = ("W2", "A1", "b2")', "b2: backward returns no gradient of that name"),
]


@pytest.mark.parametrize(("old", "new", "said"), few_in_ci([pytest.param(*c) for c in CHANGES], 2))
def test_a_promise_that_is_not_kept_fails(old: str, new: str, said: str, tmp_path: Path) -> None:
    source = codegen(Model.parse(MLP), wrt=["W2", "A1"])
    assert old in source
    report = check(tmp_path, source.replace(old, new))
    assert report.verdict == "fail"
    assert said in report.text()


@pytest.mark.parametrize(
    ("constant", "said"),
    [
        ('("W2", "A3")', "GRADIENTS names 'A3', which is no array of the model"),
        ('("W2", "y")', "GRADIENTS names 'y', which is no array of floats"),
        ('"W2"', "GRADIENTS should be a tuple of names"),
        ("(1, 2)", "GRADIENTS should be a tuple of names"),
    ],
)
def test_a_constant_that_cannot_be_meant(constant: str, said: str, tmp_path: Path) -> None:
    source = codegen(Model.parse(MLP), wrt=["W2", "A1"])
    with pytest.raises(BrokenModule, match=said):
        check(tmp_path, source.replace('GRADIENTS = ("W2", "A1")', f"GRADIENTS = {constant}"))


def test_names_of_one_model_do_not_meet_the_constant(tmp_path: Path) -> None:
    text = "dim N\nparam GRADIENTS: N, w: N\nloss L = sum(GRADIENTS * w**2)"
    assert check(tmp_path, codegen(Model.parse(text))).passed
    assert check(tmp_path, codegen(Model.parse(text), wrt=["GRADIENTS"])).passed
