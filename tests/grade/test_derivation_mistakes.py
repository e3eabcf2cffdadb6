"""One mistake in one formula."""

from __future__ import annotations

from symbackprop.core import formula as f
from symbackprop.grade.derivation_mistakes import variants


def test_variants_differ_from_the_formula_and_from_each_other() -> None:
    form = f.add(f.ONE, f.neg(f.power(f.OUT, f.lift(2))))
    forms = [v.form for v in variants(form)]
    assert form not in forms and len(set(forms)) == len(forms)
    assert f.add(f.ONE, f.power(f.OUT, f.lift(2))) in forms and f.add(f.ONE, f.neg(f.OUT)) in forms
