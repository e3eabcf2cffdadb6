"""From values to verdicts: results against the interpreter, gradients that are missing or misshapen, trials merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symbackprop.core.graph import Node
from symbackprop.core.shapes import evaluate_shape, shape_text
from symbackprop.errors import did_you_mean
from symbackprop.verify.candidate import Candidate, Outcome, kind, numbers
from symbackprop.verify.causes import likely_cause, shape_cause
from symbackprop.verify.differences import Objective
from symbackprop.verify.gradient import FAIL, INCONCLUSIVE, KINK, PASS, Finding
from symbackprop.verify.interpreter import Sizes
from symbackprop.verify.report import GradientReport, ResultReport

AGREE = 1e-8
_RANK = {KINK: 0, PASS: 1, INCONCLUSIVE: 2, FAIL: 3}


@dataclass(frozen=True)
class Flaw:
    """Why a gradient could not be compared; ``fails`` tells a broken module from a method that does not apply."""

    message: str
    fails: bool = True


def compare_results(candidate: Candidate, objective: Objective, outcome: Outcome) -> Iterator[ResultReport]:
    """The loss or outputs that the module computes against the interpreter's."""
    for row in objective.rows:
        name = row.name or ""
        ours, theirs = np.asarray(objective.base[row.id], dtype=np.float64), numbers(outcome.results[name])
        if theirs is None or theirs.shape != ours.shape:
            yield ResultReport(name, FAIL, None)
            continue
        with np.errstate(all="ignore"):
            error = np.abs(theirs - ours) / np.max(np.abs(ours), initial=1e-3)
        error = np.where(theirs == ours, 0.0, np.where(np.isfinite(error), error, np.inf)).reshape(-1)
        worst = int(np.argmax(error)) if error.size else None
        values = (None, None) if worst is None else (float(theirs.reshape(-1)[worst]), float(ours.reshape(-1)[worst]))
        largest = float(np.max(error, initial=0.0))
        yield ResultReport(name, PASS if largest <= AGREE else FAIL, largest, *values)


def check_gradients_given(candidate: Candidate, outcome: Outcome, sizes: Sizes
                          ) -> tuple[dict[str, Any], dict[str, Flaw], list[str]]:
    """(gradients as arrays, flaws of those that are none, other problems)."""
    gradients, flaws = {}, {}
    for name, row in candidate.targets.items():
        flaw = _flaw(name, row, outcome.gradients, sizes)
        if flaw is None:
            gradients[name] = numbers(outcome.gradients[name])
        else:
            flaws[name] = Flaw(flaw)
    extra = "is no parameter or input of the model" if candidate.chosen is None else "GRADIENTS does not name"
    unknown = [n for n in outcome.gradients if n not in candidate.targets]
    return gradients, flaws, [f"backward returns {n!r}, which {extra}" for n in unknown]


def _flaw(name: str, row: Node, given: Mapping[str, Any], sizes: Sizes) -> str | None:
    if name not in given:
        near = did_you_mean(name, [str(n) for n in given])
        return f"backward returns no gradient of that name.{near}"
    array = numbers(given[name])
    if array is None:
        return f"backward returns {kind(given[name])}, not numbers"
    shape = evaluate_shape(row.shape, sizes)
    if array.shape != shape:
        expected = f"{shape_text(row.shape)} = {shape}" if shape else "a scalar"
        return f"the gradient has shape {array.shape}, expected {expected}: {shape_cause(array.shape, shape)}"
    dtype = np.asarray(given[name]).dtype
    if dtype.kind != "f" and array.ndim:
        return f"the gradient is {dtype} where the parameter is float64"
    return None


def merged(row: Node, sizes: Sizes | None, findings: Sequence[Finding], flaw: Flaw | None) -> GradientReport:
    """One report from all trials: the worst verdict counts, and within it the worst entry."""
    name, dims = row.name or "", shape_text(row.shape)
    if flaw is not None or not findings:
        shape = () if sizes is None else evaluate_shape(row.shape, sizes)
        verdict = FAIL if flaw is not None and flaw.fails else INCONCLUSIVE
        return GradientReport(name, shape, verdict, cause="" if flaw is None else flaw.message, dims=dims)
    worst = max(findings, key=lambda f: (_RANK[f.verdict], f.error))
    own = worst.evidence.shape
    return GradientReport(
        name, own, worst.verdict, worst.error, _index(worst.worst, own), worst.analytic, worst.numeric,
        _cause(worst.verdict, findings), worst.method, worst.checked, int(np.prod(own, dtype=int)),
        tuple(i for f in findings for k in f.kinks if (i := _index(k, f.evidence.shape)) is not None),
        dims,
    )


def _cause(verdict: str, findings: Sequence[Finding]) -> str:
    if verdict == FAIL:
        return likely_cause([f.evidence for f in findings])
    if verdict == INCONCLUSIVE:
        return "the numeric slope is too uncertain to tell"
    return ""


def _index(place: int | None, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return None if place is None else tuple(int(i) for i in np.unravel_index(place, shape))
