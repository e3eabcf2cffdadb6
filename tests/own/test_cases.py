"""Right implementations pass, wrong ones fail, and what is wrong with them is said in the model's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbackprop import load
from symbackprop.model import zoo
from symbackprop.own import check_file
from tests.own.cases import ELSEWHERE, RIGHT, WRONG, Right, Wrong
from tests.own.helpers import checked
from tests.sweeps import few_in_ci, sample

GENERATED = Path(__file__).resolve().parents[2] / "generated"
EXPLAINED = [c for c in (*WRONG, *ELSEWHERE) if c.explained]
VAGUE = ("unexplained", "rounded", "undefined")


def test_the_table_is_large_enough() -> None:
    assert len(RIGHT) >= 75 and len(WRONG) >= 130 and len(ELSEWHERE) >= 70
    assert {c.file for c in RIGHT} == {c.file for c in (*WRONG, *ELSEWHERE)}


@pytest.mark.parametrize("case", few_in_ci(RIGHT, 3), ids=str)
def test_right_ones_pass(case: Right, tmp_path: Path) -> None:
    report = checked(case, tmp_path)
    assert report, report.text()
    assert {g.verdict for g in report.gradients} == {"pass"}


@pytest.mark.parametrize("case", sample([c for c in RIGHT if c.file != "jaxes.py"], 3), ids=str)
def test_right_ones_pass_in_float32(case: Right, tmp_path: Path) -> None:
    report = checked(case, tmp_path, dtype="float32")
    assert report, report.text()


@pytest.mark.parametrize("case", few_in_ci(EXPLAINED, 8), ids=str)
def test_wrong_ones_are_explained(case: Wrong, tmp_path: Path) -> None:
    report = checked(case, tmp_path)
    gradient = report[case.gradient]
    assert report.verdict == "fail" and gradient.verdict == "fail"
    assert gradient.kind not in VAGUE, gradient.says
    assert [w for w in case.words if w not in gradient.says] == [], gradient.says
    assert len(gradient.says) <= 400 and "\n" not in gradient.says


@pytest.mark.parametrize("case", few_in_ci([c for c in (*WRONG, *ELSEWHERE) if not c.explained], 8), ids=str)
def test_what_is_not_explained_is_found(case: Wrong, tmp_path: Path) -> None:
    gradient = checked(case, tmp_path)[case.gradient]
    assert gradient.verdict == "fail" and gradient.says


@pytest.mark.parametrize("case", sample(EXPLAINED, 12), ids=str)
def test_wrong_ones_are_explained_in_float32(case: Wrong, tmp_path: Path) -> None:
    if case.new.endswith("sqrt(ms)") or "sqrt(var) + eps" in case.new:
        return  # an eps of 1e-5 tells at small values alone
    gradient = checked(case, tmp_path, dtype="float32")[case.gradient]
    assert gradient.verdict == "fail"
    assert gradient.kind not in VAGUE and all(w in gradient.says for w in case.words), gradient.says


@pytest.mark.parametrize("case", {c.file: c for c in (*RIGHT, *EXPLAINED)}.values(), ids=str)
def test_in_a_process_of_its_own_the_same_is_said(case: Wrong, tmp_path: Path) -> None:
    assert checked(case, tmp_path, apart=True).text() == checked(case, tmp_path).text()


@pytest.mark.parametrize("name", few_in_ci((n for n in zoo.names() if n != "neural-turing-machine"), 4))
def test_emitted_modules_pass(name: str) -> None:
    report = check_file(load(name), str(GENERATED / f"{name.replace('-', '_')}.py"))
    assert report and not report.notes, report.text()
