"""Formulas: what the constructors fold, that folding keeps the value, and that derivatives are SymPy's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.core import formula as f
from symbackprop.core.calculus import from_sympy, partial
from symbackprop.core.formula import OUT, Arg, Num
from symbackprop.core.kernel import Kernel, composed, renumbered
from symbackprop.core.maths import Sym
from symbackprop.core.notation import Notation
from symbackprop.core.scalars import PLACEHOLDERS, to_sympy
from symbackprop.errors import ModelError

A, B, C = Arg(0), Arg(1), Arg(2)
X = PLACEHOLDERS[:3]
POINTS = [dict(zip(X, map(sp.Rational, p), strict=True)) for p in (("3/7", "5/3", "2"), ("11/5", "1/9", "7/4"))]


def text_of(form: f.Formula, args: list[Sym], out: Sym | None = None) -> str:
    """A formula as model text."""
    notation = Notation()
    return notation.text(notation.formula(form, args, out))


def number(expr: sp.Expr, at: dict[sp.Expr, sp.Expr]) -> complex:
    return complex(sp.N(expr.xreplace(at), 30))


def agree(a: sp.Expr, b: sp.Expr) -> bool:
    """Equal numbers at two points with positive coordinates."""
    return all(abs(number(a, p) - number(b, p)) <= 1e-12 * (1 + abs(number(a, p))) for p in POINTS)


NUMBERS = st.sampled_from([sp.Integer(k) for k in (-3, -1, 0, 1, 2)] + [sp.Rational(1, 2), sp.Rational(-3, 10)])
LEAVES = st.one_of(st.sampled_from([A, B, C]), NUMBERS.map(Num))


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A pair (formula by the folding constructors, expression by SymPy) over such pairs."""
    several = st.lists(inner, min_size=2, max_size=4)
    positive = inner.map(lambda p: (f.add(f.power(p[0], f.lift(2)), f.ONE), p[1] ** 2 + 1))
    return st.one_of(
        several.map(lambda ps: (f.add(*[p[0] for p in ps]), sp.Add(*[p[1] for p in ps]))),
        several.map(lambda ps: (f.mul(*[p[0] for p in ps]), sp.Mul(*[p[1] for p in ps]))),
        inner.map(lambda p: (f.neg(p[0]), -p[1])),
        st.tuples(inner, positive).map(lambda ps: (f.div(ps[0][0], ps[1][0]), ps[0][1] / ps[1][1])),
        st.tuples(inner, st.integers(0, 3)).map(lambda p: (f.power(p[0][0], f.lift(p[1])), p[0][1] ** p[1])),
        positive.map(lambda p: (f.power(p[0], f.lift(0.5)), sp.sqrt(p[1]))),
        inner.map(lambda p: (f.call("tanh", p[0]), sp.tanh(p[1]))),
        inner.map(lambda p: (f.call("sin", p[0]), sp.sin(p[1]))),
        positive.map(lambda p: (f.call("log", p[0]), sp.log(p[1]))),
    )


PAIRS = st.recursive(LEAVES.map(lambda leaf: (leaf, to_sympy(leaf))), _grown, max_leaves=8)
MANY = settings(max_examples=120)


@MANY
@given(PAIRS)
def test_folding_keeps_the_value(pair: Any) -> None:
    form, expr = pair
    assert agree(to_sympy(form), expr)


@MANY
@given(PAIRS, st.integers(0, 2))
def test_partial_is_sympy_s_derivative(pair: Any, i: int) -> None:
    form, expr = pair
    assert agree(to_sympy(partial(form, i), out=expr), sp.diff(expr, X[i]))


@MANY
@given(PAIRS)
def test_round_trip_through_sympy(pair: Any) -> None:
    form, expr = pair
    assert agree(to_sympy(from_sympy(to_sympy(form))), expr)


@MANY
@given(PAIRS)
def test_rebuilding_is_idempotent(pair: Any) -> None:
    form, _ = pair
    assert f.substitute(form, lambda leaf: leaf) is form
    parts = form.children
    if parts:
        assert agree(to_sympy(f.rebuild(form, parts)), to_sympy(form))


@MANY
@given(PAIRS, st.tuples(PAIRS, PAIRS, PAIRS))
def test_composition(outer: Any, inner: Any) -> None:
    form, expr = outer
    parts = [p[0] for p in inner]
    used = f.arguments(form)
    whole, order = composed(form, tuple(parts[i] for i in used))
    back = to_sympy(whole, [X[i] for i in order] + [sp.nan] * 3)
    assert agree(back, expr.subs(dict(zip(X, [p[1] for p in inner], strict=True)), simultaneous=True))
    assert f.arguments(whole) == tuple(range(len(order)))


@MANY
@given(PAIRS)
def test_bookkeeping(pair: Any) -> None:
    form, _ = pair
    written = read(form)
    assert f.arguments(form) == tuple(dict.fromkeys(written))
    assert f.written_once(form) == tuple(written.count(i) == 1 for i in f.arguments(form))
    coefficient, rest = f.split_sign(form)
    assert agree(coefficient * to_sympy(rest), to_sympy(form))
    assert f.substitute(form, lambda leaf: leaf) is form


def read(form: f.Formula) -> list[int]:
    """The arguments of a formula wherever they stand, from left to right."""
    return [form.index] if isinstance(form, Arg) else [i for part in form.children for i in read(part)]


@MANY
@given(PAIRS)
def test_printing_keeps_the_value(pair: Any) -> None:
    """What is printed, read by Python's own grammar, has the value of the formula: no parentheses are missing."""
    form, expr = pair
    text = text_of(form, [Sym("x0"), Sym("x1"), Sym("x2")])
    assert agree(parsed(text), expr), text


def parsed(text: str) -> sp.Expr:
    """A formula's text through Python's parser; calls of the scalar functions are the only names."""
    import ast

    def walk(node: ast.AST) -> Any:
        match node:
            case ast.Expression(body):
                return walk(body)
            case ast.Constant(v):
                return sp.Rational(str(v))
            case ast.Name(n):
                return X[int(n[1])]
            case ast.UnaryOp(ast.USub(), v):
                return -walk(v)
            case ast.Call(ast.Name(name), [arg]):
                return getattr(sp, name)(walk(arg))
            case ast.BinOp(a, op, b):
                left, right = walk(a), walk(b)
                return {"Add": left + right, "Sub": left - right, "Mult": left * right, "Pow": left**right,
                        "Div": left / right if isinstance(op, ast.Div) else None}[type(op).__name__]
        raise AssertionError(ast.dump(node))

    return walk(ast.parse(text, mode="eval"))


# -- what is folded, and what is kept as written

WRITTEN = [
    (B - A, "b - a"),
    ((B - A) ** 2 / 2, "(b - a)**2 / 2"),
    (-(B - A) * (1 - C**2), "-(b - a) * (1 - c**2)"),
    (A + 0, "a"),
    (1 * A * 1, "a"),
    (0 * A, "0"),
    (A - A, "0"),
    (A + B - A, "b"),
    (f.neg(-A), "a"),
    (-A * -B, "a * b"),
    (A * A, "a**2"),
    (A * B * A, "a**2 * b"),
    (A**2 * A**3, "a**5"),
    (A / A, "1"),
    ((A * B) / B, "a"),
    (A / 2, "a / 2"),
    (2 * A / 4, "a / 2"),
    (A * 0.1, "0.1 * a"),
    (A / (B / C), "a / (b / c)"),
    ((A / B) * (B / C) * B, "a * b**2 / (b * c)"),
    (A ** (-1), "a**(-1)"),
    ((A**2) ** 3, "a**6"),
    ((-A) ** 2, "a**2"),
    (A**0, "1"),
    (2 + A + 3, "5 + a"),
    (f.power(f.lift(2), f.lift(10)) * A, "1024 * a"),
]


@pytest.mark.parametrize(("form", "text"), WRITTEN, ids=[t for _, t in WRITTEN])
def test_folding(form: f.Formula, text: str) -> None:
    assert text_of(form, [Sym("a"), Sym("b"), Sym("c")]) == text


DERIVATIVES = [
    ((B - A) ** 2 / 2, 0, "-(b - a)"),
    ((B - A) ** 2 / 2, 1, "b - a"),
    (f.call("tanh", A), 0, "1 - out**2"),
    (f.call("exp", A), 0, "out"),
    (f.call("sigmoid", A), 0, "out * (1 - out)"),
    (f.call("softplus", A), 0, "sigmoid(a)"),
    (f.call("sqrt", A), 0, "1 / (2 * out)"),
    (A * B, 0, "b"),
    (A / B, 0, "1 / b"),
    (A / B, 1, "-out / b"),
    (A**3, 0, "3 * a**2"),
    (f.power(A, B), 1, "a**b * log(a)"),
    (A * B + C, 1, "a"),
    ((1 - A) * B + A * C, 0, "c - b"),
    (A, 0, "1"),
    (A + 1, 1, "0"),
]


@pytest.mark.parametrize(("form", "i", "text"), DERIVATIVES, ids=[f"d({t}) {i}" for _, i, t in DERIVATIVES])
def test_derivatives_read_as_at_a_blackboard(form: f.Formula, i: int, text: str) -> None:
    assert text_of(partial(form, i), [Sym("a"), Sym("b"), Sym("c")], Sym("out")) == text


# -- identity


def test_equal_formulas_are_one_object() -> None:
    assert (A + B) * 2 is (A + B) * 2
    assert Arg(5) is Arg(5) and OUT is f.Out() and f.lift(0.5) is f.lift(sp.Rational(1, 2))
    assert A + B is not B + A


def test_copies_and_pickles_are_the_same_object() -> None:
    form = f.call("tanh", (A - B) / 3) ** 2
    assert copy.deepcopy(form) is form and pickle.loads(pickle.dumps(form)) is form


def test_formulas_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        (A + B).terms = ()  # type: ignore[attr-defined]


def test_kernels_of_equal_value_share_their_identity() -> None:
    assert Kernel(A + B) is Kernel(A + B)
    assert Kernel(A + B).identity == Kernel(B + A).identity
    assert Kernel(A - B).identity != Kernel(B - A).identity
    assert Kernel(A - B).identity == Kernel(renumbered(B - A, (1, 0))).identity


# -- numbers


@pytest.mark.parametrize(("given_number", "exact"), [
    (0.1, sp.Rational(1, 10)),
    (1e-5, sp.Rational(1, 100000)),
    (3, sp.Integer(3)),
    (True, sp.Integer(1)),
    (sp.Float("0.25"), sp.Rational(1, 4)),
    (sp.pi, sp.pi),
    (float("-inf"), -sp.oo),
])
def test_numbers_are_exact(given_number: Any, exact: sp.Expr) -> None:
    assert f.exact(given_number) == exact


def test_numpy_s_numbers_are_numbers() -> None:
    import numpy as np

    assert f.exact(np.float64(0.1)) == sp.Rational(1, 10) and f.exact(np.int32(7)) == 7


@pytest.mark.parametrize("bad", [float("nan"), sp.nan, sp.I, 1j, "3", None, [1, 2], sp.zoo])
def test_what_is_no_real_number_is_refused(bad: Any) -> None:
    with pytest.raises(ModelError):
        f.exact(bad)


def test_arrays_are_refused_with_a_hint() -> None:
    import numpy as np

    with pytest.raises(ModelError, match="declare it with data"):
        f.exact(np.ones(3))


def test_towers_of_powers_are_refused() -> None:
    with pytest.raises(ModelError, match="too large"):
        f.lift(9) ** (f.lift(9) ** 9)
    with pytest.raises(ModelError, match="not a finite real number"):
        f.power(f.lift(-1), f.lift(0.5))


def test_a_power_takes_numbers() -> None:
    assert f.power(A, sp.Rational(1, 2)) is f.power(A, f.lift(0.5)) is A**0.5


@pytest.mark.parametrize(
    ("form", "same"),
    [
        (A + A, 2 * A), (3 * A + B + 2 * A, 5 * A + B), (A**2 + 3 * A**2, 4 * A**2), (3 * A - 3 * A, f.ZERO),
        (2 * A / (4 * B), f.Div(A, f.mul(f.lift(2), B))), (2 * (1 / (2 * B)), 1 / B), (A * (2 / (2 * B)), A / B),
    ],
)
def test_equal_terms_are_counted_and_numbers_cancelled(form: f.Formula, same: f.Formula) -> None:
    assert form is same


def test_division_by_zero_is_refused() -> None:
    with pytest.raises(ModelError, match="division by the number 0"):
        A / 0


# -- cost


def test_nested_powers_are_differentiated_at_once() -> None:
    """Expanding ((x² + y)² + y)² … to compare derivatives would take exponential time."""
    form: f.Formula = A
    for _ in range(14):
        form = form**2 + B
    assert f.size(partial(form, 0)) < 2000
