"""One mistake in one formula."""

from __future__ import annotations

from symbackprop.core import formula as f
from symbackprop.grade.derivation_mistakes import variants
from symbackprop.grade.grading import grade
from symbackprop.model.model import Model


def test_variants_differ_from_the_formula_and_from_each_other() -> None:
    form = f.add(f.ONE, f.neg(f.power(f.OUT, f.lift(2))))
    forms = [v.form for v in variants(form)]
    assert form not in forms and len(set(forms)) == len(forms)
    assert f.add(f.ONE, f.power(f.OUT, f.lift(2))) in forms and f.add(f.ONE, f.neg(f.OUT)) in forms


def test_a_branch_is_called_by_the_row_that_it_alone_leads_to() -> None:
    model = ("dim N, H\nparam B: N x H\nmu = mean(B, axis=1, keepdims=True)\n"
             "v = mean((B - mu)**2, axis=1, keepdims=True)\nZ = (B - mu) / sqrt(v + 1)\nloss L = sum(Z**3)")
    given = "dZ = 3 * Z**2\ndB = (dZ - mean(dZ, axis=1, keepdims=True)) / sqrt(v + 1)"
    found = next(i for i in grade(Model.parse(model), given).items if i.name == "dB").finding
    assert found and found.says == "the branch through v (dv/dB) is missing: 3 branches meet at B and are summed"
