"""Blocks of Jacobians and Hessians under verify, here and in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbackprop.codegen import codegen
from symbackprop.model.load import load
from symbackprop.model.text import parse
from symbackprop.verified import verify_source
from symbackprop.verify import verify_file
from tests.sweeps import few_in_ci
from tests.verify.in_steps import TEXTS as IN_STEPS

LAYER = ("dim N, D, H\ninput X: N x D\nparam W: D x H, b: H\nZ = X @ W\noutput Y = tanh(Z + b)\n"
         "output S = sum(Z**2, axis=1)")
LOSS = "dim N, D\ndata X: N x D, y: N\nparam w: D, b\nloss L = mean((tanh(X @ w + b) - y)**2)"
CASES = [
    (LAYER, "J_Y_b = 1 - Y ** 2", "J_Y_b = 1 - Y", "jacobian: (Y, X) v["),
    (LAYER, '("S", "b"): Block("low rank", "ab", (N, H), ()),', "", "not of Y, S by X, W, b"),
    (LAYER, '(((J_S_W,), ("abc",), ()),)', '(((J_S_W,), ("acb",), ()),)', "jacobian: (S, W) v"),
    (LAYER, 'Block("dense", "abc", (N, D, H), (((J_S_W,), ("abc",), ()),))', "None",
     "the block S, W of jacobian is no array, expected "),
    (LOSS, '("b", "b"): ', '("b", "x"): ', "not of w, b by w, b"),
    (LOSS, "(((H_b_b,), (\"\",), ()),)", "(((2 * H_b_b,), (\"\",), ()),)", "hessian: (b, b) v is "),
]


@pytest.mark.parametrize(("text", "right", "wrong", "said", "apart"),
                         few_in_ci([pytest.param(*case, apart) for apart in (False, True) for case in CASES], 4))
def test_a_wrong_block_is_found(text: str, right: str, wrong: str, said: str, apart: bool, tmp_path: Path) -> None:
    whole = ["jacobian"] if text == LAYER else ["hessian"]
    source, path = codegen(parse(text), whole=whole), tmp_path / "net.py"
    assert right in source
    for emitted, verdict in ((source, "pass"), (source.replace(right, wrong), "fail")):
        path.write_text(emitted, encoding="utf-8")
        report = verify_file(path, seed=0) if apart else verify_source(emitted, parse(text))
        assert report.verdict == verdict, report.text()
    assert said in report.text()


@pytest.mark.parametrize("apart", [False, True])
def test_a_compressed_block_of_a_jax_module_is_whole_in_double_precision(apart: bool, tmp_path: Path) -> None:
    """Its entries were multiplied outside of the switch, in single precision."""
    pytest.importorskip("jax")
    model, path = load("softmax-regression"), tmp_path / "net.py"
    path.write_text(source := codegen(model, target="jax", whole=["hessian"]), encoding="utf-8")
    report = verify_file(path, seed=0, trials=1) if apart else verify_source(source, model, seed=0, trials=1)
    assert report.verdict == "pass", report.text()


def test_a_block_in_which_all_cancels_is_rounding() -> None:
    model = parse(IN_STEPS["attention steps"])
    source = codegen(model, along=["hvp", "jvp"], whole=["hessian", "hessian_diagonal", "jacobian"])
    assert verify_source(source, model, seed=7).passed


def test_a_factor_is_found_where_a_slope_cancels_by_chance() -> None:
    """Along the direction that is drawn there gradients cancel; rounding leaves second derivatives all their digits."""
    right = '(((H_b_b,), ("",), ()),)'
    source = codegen(parse(LOSS), whole=["hessian"])
    assert right in source
    wrong = source.replace(right, right.replace("H_b_b", "1.001 * H_b_b"))
    assert verify_source(wrong, parse(LOSS), seed=56, trials=1).verdict == "fail"


def test_each_entry_of_a_diagonal_is_compared() -> None:
    source = codegen(parse(LOSS), whole=["hessian_diagonal"])
    wrong = source.replace('{"w": H_w,', '{"w": H_w * (1 + 0.001 * (np.arange(len(w)) == 7)),')
    assert wrong != source
    report = verify_source(wrong, parse(LOSS), trials=1, sizes={"N": 5, "D": 9})
    assert "hessian_diagonal: w[7] is " in report.text(), report.text()
