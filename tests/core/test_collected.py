"""Sums of products of powers that are collected without SymPy: always what SymPy's canonical form holds."""

from __future__ import annotations

import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

from symbackprop.core import formula as f
from symbackprop.core.collected import Collected, collected, collected_by_sympy, slope, terms_of
from symbackprop.core.kernel import Kernel, identity_in, renumbered
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy

ARGUMENTS = [f.Arg(k) for k in range(3)]
NUMBERS = [f.lift(sp.Rational(x)) for x in ("1", "-1", "2", "5", "1/2", "-2/3")]
POINT = {x: sp.Rational(p, 101) for x, p in zip(PLACEHOLDERS, (211, 307, 401), strict=False)}
EXPONENTS = [sp.Rational(x) for x in ("2", "3", "-1", "-2", "1/2")]


def _several(parts: st.SearchStrategy[f.Formula]) -> st.SearchStrategy[list[f.Formula]]:
    return st.lists(parts, min_size=2, max_size=4)


FORMULAS = st.recursive(
    st.sampled_from([*ARGUMENTS, *NUMBERS]),
    lambda parts: st.one_of(
        parts.map(f.neg), _several(parts).map(lambda x: f.add(*x)), _several(parts).map(lambda x: f.mul(*x)),
        st.tuples(parts, parts).filter(lambda x: x[1] != f.ZERO).map(lambda x: f.div(*x)),
        st.tuples(parts.filter(lambda x: x != f.ZERO and not isinstance(x, f.Num)), st.sampled_from(EXPONENTS))
        .map(lambda x: f.power(*x)),
    ),
    max_leaves=12,
)


def _value(sum_of: Collected) -> sp.Expr:
    """At a point, exactly; SymPy may write the derivative of a power of a sum otherwise."""
    bases = {base: _value(terms_of(base)) if base < 0 else POINT[PLACEHOLDERS[base]]
             for powers in sum_of for base, _ in powers}
    return sp.Add(*[sp.Rational(number) * sp.Mul(*[bases[base] ** n for base, n in powers])
                    for powers, number in sum_of.items()])


@given(FORMULAS)
def test_it_is_what_the_canonical_form_holds(form: f.Formula) -> None:
    known, expr = collected(form), to_sympy(form)
    if known is None:
        return
    assert known == collected_by_sympy(expr)
    for index, x in enumerate(PLACEHOLDERS[:3]):
        said = sp.diff(expr, x)
        assert slope(known, index) == collected_by_sympy(said) or _value(slope(known, index)) == said.subs(POINT)


@given(FORMULAS, FORMULAS)
def test_kernels_are_one_where_their_canonical_forms_are(a: f.Formula, b: f.Formula) -> None:
    first, second = Kernel(a), Kernel(b)
    alike = first.expr == second.expr and first.arity == second.arity
    assert (first.identity == second.identity) == alike


@example(f.Neg(f.Div(f.Mul((f.Num(sp.Integer(4)), f.Arg(0), f.Arg(2))), f.Arg(0))), [0, 1, 2])
@given(FORMULAS, st.permutations(range(3)))
def test_the_identity_of_another_order_is_that_of_the_formula_in_it(form: f.Formula, order: list[int]) -> None:
    left = Kernel(renumbered(form, f.arguments(form))).form  # an argument may cancel, which rows leave out too
    kernel = Kernel(renumbered(left, f.arguments(left)))
    places = tuple([k for k in order if k < kernel.arity])
    assert identity_in(kernel, places) == Kernel(renumbered(kernel.form, places)).identity


def test_most_formulas_are_such_sums_and_powers_of_sums_have_no_number_in_front() -> None:
    x, y, z = ARGUMENTS
    assert collected(x * y / 2 - 3 * y / x**2 + x * y) == {((0, 1), (1, 1)): sp.Rational(3, 2), ((0, -2), (1, 1)): -3}
    assert collected(2 * (x - y)) == {((0, 1),): 2, ((1, 1),): -2}
    assert collected(f.Add((x, f.Neg(x)))) == {} and collected(f.call("exp", x)) is collected(x**y) is None
    assert collected(z * (x + y) * 2) == collected(2 * (z * (y + x))) != collected(z * (2 * x + 2 * y))
    assert collected((x + y) ** 2 / (y + x)) == collected(x + y)
    assert collected((x * z * (x + y)) ** 2 / z**2 / x**2) == collected((y + x) ** 2)
    assert Kernel(f.Div(f.Pow(x + y, f.lift(2)), x + y)).identity == Kernel(y + x).identity
