"""The report: contract keys to the letter, valid JSON, text that stands alone."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path

import pytest

from symbackprop.verify.report import GradientReport, Report, ResultReport
from tests.verify.helpers import check, mutant
from tests.verify.modules import LAYER, MLP


def strict(data: object) -> str:
    return json.dumps(data, allow_nan=False)


def test_json_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    data = check(tmp_path, MLP, seed=3).to_json()
    strict(data)
    assert data["verdict"] == "pass" and data["model"] == "mlp" and data["seed"] == 3 and data["method"] == "complex"
    assert [g["name"] for g in data["gradients"]] == ["W1", "b1", "W2", "b2"]
    first = data["gradients"][0]
    assert {"name", "shape", "verdict", "max_relative_error", "worst_index", "analytic", "numeric"} <= set(first)
    assert first["verdict"] == "pass" and first["max_relative_error"] <= 1e-6
    assert len(first["shape"]) == len(first["worst_index"]) == 2
    assert all(0 <= i < n for i, n in zip(first["worst_index"], first["shape"], strict=True))


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    data = check(tmp_path, mutant(MLP, ('"b1": db1', '"b1": db1 / 0 * 0'))).to_json()
    strict(data)
    b1 = data["gradients"][1]
    assert b1["verdict"] == "fail" and b1["analytic"] is None and b1["numeric"] is not None


def test_text_names_the_entry_both_values_and_the_error(tmp_path: Path) -> None:
    text = check(tmp_path, mutant(MLP, ("dW2 = A1.T", "dW2 = -A1.T"))).text()
    line = next(line for line in text.splitlines() if line.strip().startswith("W2 "))
    assert "FAIL" in line and "H x C" in line and "[" in line and "2.0e+00" in line
    assert "W2: the sign is flipped" in text and "seed 0" in text


def test_the_layer_reports_every_output(tmp_path: Path) -> None:
    data = check(tmp_path, LAYER).to_json()
    assert [(r["name"], r["verdict"]) for r in data["results"]] == [("Y", "pass"), ("S", "pass")]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "fail"], "fail"),
        (["inconclusive", "fail"], "fail"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", "kink"], "inconclusive"),
        ([], "pass"),
    ],
)
def test_the_verdict_is_that_of_the_worst_part(verdicts: list[str], expected: str) -> None:
    report = Report("m", tuple(GradientReport(f"g{i}", (), v) for i, v in enumerate(verdicts)))
    assert report.verdict == expected and bool(report) == (expected == "pass")
    assert Report("m", report.gradients, (ResultReport("L", "fail", 1.0),)).verdict == "fail"
    assert Report("m", report.gradients, problems=("it raised",)).verdict == "fail"


def test_html_escapes_names_and_causes() -> None:
    report = Report("<m>", (GradientReport("W", (2,), "fail", inf, (1,), nan, 0.5, "a < b & c"),))
    html = report._repr_html_()
    assert "<m>" not in html and "&lt;m&gt;" in html and "a &lt; b &amp; c" in html and "<table>" in html
