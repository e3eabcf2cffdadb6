"""The "read as" note is what was read: submitted verbatim it means the same rows and gets the same verdict."""

from __future__ import annotations

import os
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symbackprop.grade.lines import read_lines
from symbackprop.grade.naming import Own
from symbackprop.grade.reference import Reference
from symbackprop.grade.session import Session
from symbackprop.model.copying import copied, loop_counters, loop_dimensions
from symbackprop.model.zoo import build
from tests.grade.cases.right import RIGHT
from tests.grade.cases.wrong import WRONG
from tests.grade.helpers import grader, report
from tests.grade.notes import verbatim
from tests.grade.writing import Language, formulas

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "12"))
ANSWERS = list(dict.fromkeys((c.model, c.lines) for c in (*RIGHT, *WRONG)))[:: 1 if EXAMPLES > 25 else 9]


@pytest.mark.parametrize(("model", "lines"), ANSWERS, ids=lambda x: str(x)[:40])
def test_a_note_submitted_verbatim_gets_the_same_verdict(model: str, lines: str) -> None:
    first = report(model, lines)
    second = grader(model).grade(verbatim(lines, first))
    assert [(i.name, i.verdict, i.read_as) for i in second.items] == [
        (i.name, i.verdict, i.read_as) for i in first.items
    ]


LANGUAGES = {
    "two-weight-tanh": (
        Language(
            ("o", "y", "h", "a", "w2", "w_2", "w₁", "x", "O", "s", "δ", "e1"),
            ("dL/do", "∂L/∂h", "do/da", "da/dw2", "δ_o", "dL/dw₂", "δ_a", "dh/db", "grad_h"),
        ),
        "s = 1-o^2\ndelta = (o-y) s\ne1 = 3\ndo = o-y\nda = δ\ndh = da w2\n",
    ),
    "two-paths": (Language(("c", "x", "y", "λ", "L", "R"), ("dO/dc", "dO/dL", "dL/dc", "dR/dc")), "dc = x\n"),
    "two-step-rnn": (
        Language(
            ("h1", "h[2]", "h_1", "h₂", "w_e", "wh", "c[1]", "c2"), ("dL/dh2", "dL/dh[1]", "dh2/da", "dh[1]/db", "dh1")
        ),
        "dh[1] = h1\n",
    ),
    "ffnn-softmax-batch": (
        Language(
            ("X", "W", "U", "h", "ŷ", "s", "z", "b", "g", "W'"),
            ("ds", "δ_s", "dL/dh", "dh/dz", "dU"),
            True,
            ("N", "X.shape[0]", "one_hot(y, C)", "len(X)", "onehot(y, C)"),
        ),
        "ds = (ŷ - onehot(y, C))/N\ng = ds\ndU = hᵀ ds\n",
    ),
    "squared-norm": (Language(("q", "x", "W", "Q", "v"), ("dq", "dL/dq", "dL/dx"), True), "dq = 2 q\nv = x\n"),
    "rnn-lm": (
        Language(
            ("h[t]", "h[t-1]", "h_t", "h_{t-1}", "hₜ₋₁", "c[t]", "W_h", "W_{h}", "W_o", "o[T]", "e", "r[t]"),
            ("dz[t]", "dL/dh[t]", "dh_t", "δ_hₜ", "dh[t]/dh[t-1]", "dz", "dh1", "dh", "dL/dh[1]"),
            True,
            ("T*N", "Σ_t h_tᵀ h_{t-1}", "sum_t(h[t])", "Σ_{t=2}^T c_t", "t"),
        ),
        "dz = (o - one_hot(target, V))/(T N)\nfor t in T..1:\n    dh[t] = dz[t] W_oᵀ\n    r[t] = dh_t²\ne = W_h\n",
    ),
}


@pytest.mark.parametrize("formula", ["W_h⁻¹", "(Σ_t h_tᵀ h_{t-1})⁻¹", "W_hᵀ W_h^{-1}", "W_h^{-T}"])
def test_the_note_of_an_inverse_says_so(formula: str) -> None:
    model, lines = "rnn-lm", LANGUAGES["rnn-lm"][1]
    rows = read(model, lines, formula)
    assert rows
    for row, note in rows.items():
        assert "inv(" in note and read(model, lines, note) == {row: note}


@cache
def reference(model: str) -> tuple[Reference, dict[str, int]]:
    made = build(model)
    fixed = dict.fromkeys(loop_dimensions(made), 3)
    return Reference(copied(made, fixed), loop_counters(made)), fixed


@pytest.mark.parametrize("model", LANGUAGES)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_what_a_note_says_is_read_as_the_same_rows(model: str, data: st.DataObject) -> None:
    language, lines = LANGUAGES[model]
    formula = data.draw(formulas(language))
    rows = read(model, lines, formula)
    assume(rows)
    for row, note in rows.items():
        again = read(model, lines, note)
        assert row in again, (formula, note, again)
        assert again[row] == note, formula


def test_rows_multiplied_entry_by_entry_are_told_so() -> None:
    """* between vectors of which one is a row is an inner product."""
    lines = LANGUAGES["squared-norm"][1]
    noted = read("squared-norm", lines, "qᵀ ⊙ q")
    assert [*noted.values()] == ["q.T ⊙ q"] and read("squared-norm", lines, "q.T ⊙ q") == noted
    assert read("squared-norm", lines, "q.T * q").keys() != noted.keys()


def read(model: str, lines: str, formula: str) -> dict[int, str]:
    """The rows that a formula is read as, with their notes; none where it has no value."""
    made, fixed = reference(model)
    session = Session(made, fixed)
    head = "for t in 2..2:\n    " if fixed else ""
    session.run(read_lines(f"{lines}{head}probe = {formula}"))
    outcome = session.outcomes.get(Own("probe"))
    return {} if outcome is None else {row.id: outcome.reads[row.id] for row in outcome.given}
