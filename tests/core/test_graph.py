"""The table of rows: what is one row, what is fused, who owns a name, what an operand may be."""

from __future__ import annotations

import random
from functools import reduce
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core import functions as F
from symbackprop.core.formula import FEW, Arg
from symbackprop.core.graph import Graph, Node, label
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import copy_row
from symbackprop.core.notation import Notation
from symbackprop.core.operators import Terms, operation
from symbackprop.core.pattern import Pattern
from symbackprop.core.reverse import grad
from symbackprop.core.shapes import dim
from symbackprop.errors import ModelError, NameProblem, ShapeError
from tests.core.helpers import close, value

N, D = dim("N"), dim("D")


def rows(shape: tuple[Any, ...] = (), names: str = "abcd") -> tuple[Node, ...]:
    g = Graph()
    return tuple(g.leaf(n, shape) for n in names)


def text(row: Node) -> str:
    return Notation().right(row)


# -- one row for one thing


@pytest.mark.parametrize("write", [
    lambda a, b: a + b,
    lambda a, b: F.tanh(a * b - 3),
    lambda a, b: F.sum(a * b, axis=0),
    lambda a, b: a[1:] * 2,
    lambda a, b: F.softmax(a),
    lambda a, b: F.layer_norm(a + b),
    lambda a, b: F.einsum("ij,kj->ik", a, b),
    lambda a, b: F.where(a > b, a, 0),
])
def test_the_same_call_is_the_same_row(write: Any) -> None:
    a, b, *_ = rows((N, D))
    assert write(a, b) is write(a, b)


def test_rows_that_differ_in_the_order_of_arguments_are_one() -> None:
    a, b, *_ = rows((N,))
    assert a * b is b * a and a + b is b + a
    assert a - b is not b - a and a / b is not b / a
    assert F.maximum(a, b) is not F.maximum(b, a), "functions are not known to be symmetric"


def test_patterns_of_an_einsum_are_canonical() -> None:
    a, b, *_ = rows((N, N))
    assert a @ b is F.einsum("pq,qr->pr", a, b)


def test_graphs_do_not_share_rows() -> None:
    a, b = rows()[0], rows()[1]
    with pytest.raises(ModelError, match="another model"):
        a + b


# -- arithmetic is one kernel, calls are rows


def test_unnamed_arithmetic_is_one_kernel() -> None:
    a, b, c, d = rows((N,))
    row = (a - b) * c / 2 + d**2
    assert row.args == (a, b, c, d) and text(row) == "(a - b) * c / 2 + d**2"


def test_named_rows_are_not_taken_apart() -> None:
    a, b, c, _ = rows((N,))
    e = a.graph.let("e", a - b)
    assert (e * c).args == (e, c)


def test_calls_are_rows_of_their_own() -> None:
    a, b, *_ = rows((N,))
    row = 1 + F.tanh(a - b)
    assert row.args[0].attr.head == "tanh" and row.args[0].args[0].args == (a, b)


def test_constants_are_folded() -> None:
    a, b, *_ = rows((N,))
    g = a.graph
    assert a * g.full(1, (N,)) is a and (a + g.full(0, (N,))) is a
    assert a * 2 * 3 is a * 6
    assert (a - a).value == 0 and (a - a).shape == (N,), "a − a keeps its shape"
    assert (F.exp(g.const(0))).value == 1
    assert (a * 0).value == 0 and (b + a - b) is a


def test_functions_of_numbers_are_exact_or_refused() -> None:
    a, *_ = rows((3,))
    assert F.log(a - a + 1).value == 0 and F.sqrt(a - a + 4).value == 2
    close(value(F.sigmoid(a - a), a=np.ones(3)), np.full(3, 0.5))
    for name, x in (("log", 0), ("log", -1), ("sqrt", -1)):
        with pytest.raises(ModelError, match=r"is not a finite real number"):
            F.FUNCTIONS[name](a - a + x)


def test_a_row_used_twice_in_a_formula_is_not_copied() -> None:
    a, b, *_ = rows((N,))
    s = a + b
    g = a.graph
    assert g.apply(Arg(0) ** 2 + Arg(0), s).args == (s,)


def test_broadcasting_is_implicit_in_arithmetic() -> None:
    g = Graph()
    a, v = g.leaf("a", (N, D)), g.leaf("v", (D,))
    assert (a * v).args == (a, v)
    assert g.broadcast(v, (N, D)) * a is a * v


@pytest.mark.parametrize("write", [
    lambda h, x: h + x,
    lambda h, x: h * x,
    lambda h, x: (h + x) * x,
    lambda h, x: x - h,
    lambda h, x: h * h + x,
    lambda h, x: 1 / (h + x),
])
def test_long_chains_of_arithmetic(write: Any) -> None:
    """A thousand unnamed steps: no recursion in the core, rows stay small, and the numbers are right."""
    n = 1000
    g = Graph()
    xs = [g.leaf(f"x{i}") for i in range(n)]
    at = np.random.default_rng(0).uniform(0.15, 0.2, n)
    row, expected = xs[0], at[0]
    for x, v in zip(xs[1:], at[1:], strict=True):
        row, expected = write(row, x), write(expected, v)
    close(value(row, **{f"x{i}": v for i, v in enumerate(at)}), expected)
    used = g.topological([row])
    assert max(len(r.args) for r in used) <= 24
    slopes = grad(row, xs)
    assert len(g.topological(slopes)) < 12 * n
    assert len(label(row)) <= 50


def test_rows_grow_linearly_with_a_chain() -> None:
    sizes = []
    for n in (100, 200, 400):
        g = Graph()
        h = g.leaf("x")
        ws = [g.leaf(f"w{i}") for i in range(n)]
        for i, w in enumerate(ws):
            h = g.let(f"h{i}", F.tanh(w * h))
        grad(h, ws)
        sizes.append(len(g.nodes))
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])


# -- names


def test_a_name_has_one_owner() -> None:
    a, b, *_ = rows()
    g = a.graph
    g.let("e", a + b)
    for again in (lambda: g.let("e", a - b), lambda: g.leaf("e"), lambda: g.let("a", b)):
        with pytest.raises(NameProblem, match="already taken"):
            again()
    assert text(g.names["e"]) == "a + b"


def test_a_second_name_for_a_row_is_a_row() -> None:
    a, b, *_ = rows((N,))
    g = a.graph
    first = g.let("p", a * b)
    second = g.let("q", first)
    assert first is not second and second.args == (first,) and second.name == "q"
    third = g.let("r", a)
    assert third.args == (a,) and text(third) == "a"
    close(value(F.sum(second * third), a=np.ones(2), b=np.full(2, 3.0)), 6.0)
    assert [r.value for r in grad(F.sum(third), [a])] == [1]


def test_aliases_do_not_break_gradients() -> None:
    a, b, *_ = rows()
    g = a.graph
    p = g.let("p", a * b)
    q = g.let("q", a * b)
    assert text(grad(p + q, [a])[0]) in ("b + b", "2 * b")


# -- errors


def test_a_broadcast_that_fails_names_both_operands_and_the_axis() -> None:
    g = Graph()
    x, w = g.leaf("X", (N, D)), g.leaf("w", (N,))
    with pytest.raises(ShapeError, match=r"X \(N x D\) and w \(N\) do not broadcast: axis -1 is D in one and N"):
        x * w
    with pytest.raises(ShapeError, match=r"^shape error: X \+ 1 \(N x D\) and w"):
        (x + 1) * w


def test_labels_stay_short_in_deep_graphs() -> None:
    h = rows((N,))[0]
    for k in range(3000):
        h = F.tanh(h) if k % 2 else F.sin(h)
    assert label(h) == "tanh(sin(tanh(sin(…))))"
    many = rows((N,), "abcdefghi")
    assert label(many[0] + sum(F.exp(r) for r in many)) == "this elementwise term"


def test_a_row_is_no_number_yet() -> None:
    a, *_ = rows((N,))
    with pytest.raises(TypeError, match="truth value"):
        bool(a > 0)
    with pytest.raises(TypeError, match="iterated"):
        list(a)


@pytest.mark.parametrize("write", [
    lambda a, v: a + v,
    lambda a, v: v + a,
    lambda a, v: v * a,
    lambda a, v: a @ v,
    lambda a, v: v @ a,
    lambda a, v: a > v,
    lambda a, v: F.maximum(a, v),
])
def test_arrays_of_many_numbers_are_not_operands(write: Any) -> None:
    a, *_ = rows((FEW + 1,))
    with pytest.raises(ModelError, match="declare it with data"):
        write(a, np.ones(FEW + 1))


@pytest.mark.parametrize("bad", ["x", None, [], {1.0: 2.0}, 1j, float("nan")])
def test_other_things_are_not_operands(bad: Any) -> None:
    a, *_ = rows()
    with pytest.raises(ModelError):
        a * bad


# -- SymPy on either side


def test_sympy_s_numbers_and_functions() -> None:
    a, b, *_ = rows((N,))
    assert text(sp.Rational(1, 2) * a) == "a / 2" and text(a * sp.Rational(1, 2)) == "a / 2"
    assert text(sp.Integer(2) - a) == "2 - a" and text(sp.pi * a) == "pi * a"
    assert a.graph.lift(sp.tanh(a)) is F.tanh(a)
    assert a.graph.lift(sp.exp(a) * sp.Symbol("b")) is F.exp(a) * b
    assert a.graph.lift(sp.Max(0, sp.Symbol("a"))) is F.relu(a)


def test_sympy_expressions_mix_with_rows() -> None:
    a, b, *_ = rows((N,))
    x = sp.Symbol("b")
    assert a * sp.sin(x) is a * F.sin(b) and sp.sin(x) * a is a * F.sin(b)
    assert F.tanh(a + sp.sin(x)) is F.tanh(a + F.sin(b))
    with pytest.raises(TypeError, match="has to be a row"):
        F.tanh(x)
    assert F.sum(sp.exp(a) + x) is F.sum(b + F.exp(a))


SYMPY = [
    lambda x, y: x**2 * y - y / x,
    lambda x, y: sp.sqrt(x * y) + 1 / (1 + sp.exp(-x)),
    lambda x, y: sp.log(x) * sp.cos(y) - sp.sin(x) ** 3,
    lambda x, y: sp.Abs(x - y) + sp.sign(x - y),
    lambda x, y: sp.Max(x, y, 1) * sp.Min(x, y),
    lambda x, y: sp.Piecewise((x, x > y), (y**2, True)),
    lambda x, y: sp.Piecewise((x, x > 2), (y, y > 1), (x * y, True)),
    lambda x, y: sp.tan(x / 4) + sp.sinh(y) - sp.cosh(x) * sp.erf(y),
    lambda x, y: x**y + y ** sp.Rational(-3, 2),
    lambda x, y: (x + y) ** 3 / (x - 3 * y) ** 2,
]


@pytest.mark.parametrize("write", SYMPY)
def test_sympy_expressions_have_sympy_s_values_and_derivatives(write: Any) -> None:
    g = Graph()
    x, y = g.leaf("x"), g.leaf("y")
    expr = write(sp.Symbol("x", positive=True), sp.Symbol("y", positive=True))
    row = g.lift(expr)
    for at in ({"x": 0.75, "y": 1.5}, {"x": 2.5, "y": 0.5}):
        numbers = [(s, at[s.name]) for s in expr.free_symbols]
        close(value(row, **at), float(expr.subs(numbers)), 1e-12)
        for leaf, slope in zip((x, y), grad(row, [x, y]), strict=True):
            symbol = sp.Symbol(leaf.name, positive=True)
            close(value(slope, **at), float(sp.diff(expr, symbol).subs(numbers).doit()), 1e-12)


def test_rows_of_one_name_in_two_graphs_are_different_symbols() -> None:
    a, other = rows()[0], rows()[0]
    first, second = sp.sympify(a), sp.sympify(other)
    assert first != second and first - second != 0 and a.graph.lift(first) is a
    with pytest.raises(ModelError):
        a.graph.lift(second * 2)


def test_unknown_symbols_and_functions_are_named() -> None:
    a, *_ = rows()
    with pytest.raises(NameProblem, match="'alpha' is not declared"):
        a * sp.Symbol("alpha")
    with pytest.raises(ModelError, match="zeta"):
        a.graph.lift(sp.zeta(sp.Symbol("a")))
    with pytest.raises(ModelError, match="Piecewise"):
        a.graph.lift(sp.Piecewise((sp.Symbol("a"), sp.Symbol("a") > 0)))


def test_dimensions_are_numbers_in_formulas() -> None:
    a, *_ = rows((N,))
    row = a / N + N
    assert text(row) == "a / N + N"
    close(value(row, a=np.array([2.0, 4.0])), [3.0, 4.0])


def test_deep_sympy_expressions_are_refused_not_crashed_on() -> None:
    a, *_ = rows()
    expr = sp.Symbol("a")
    for _ in range(1500):
        expr = sp.sin(expr, evaluate=False)
    with pytest.raises(ModelError, match="nested too deeply"):
        a.graph.lift(expr)


def test_one_key_for_a_row_whichever_way_it_is_made() -> None:
    """By an operator, from its formula in another order of arguments, as a copy in the body of a loop."""
    g = Graph()
    x, y = g.leaf("x", (3,)), g.leaf("y", (3,))
    row = x - y * y
    form = f.add(f.neg(f.power(f.Arg(0), f.lift(2))), f.Arg(1))
    assert g.make("elementwise", (y, x), Kernel(form)) is row
    a = g.leaf("a", (3,))
    assert copy_row(a - y * y, (x, y), {}) is row


def test_a_multiple_of_the_identity_matrix_is_a_number_in_a_product() -> None:
    """Where it has no name, and only what is 0 off the diagonal."""
    g = Graph()
    a, c = g.leaf("a", (N, D)), g.leaf("c", ())
    eye = build.eye(g, N)
    assert build.matmul(c * eye / 2, a) is a * (c / 2)
    assert build.matmul(eye, a) is a
    for other in (eye + c, c * eye + 1, g.let("B", c * eye), eye * g.leaf("v", (N,))):
        assert isinstance(build.matmul(other, a).attr, Pattern)


def test_a_sum_of_what_an_identity_matrix_leaves_is_one_over_the_diagonal() -> None:
    g = Graph()
    a, c = g.leaf("a", (N, N)), g.leaf("c", ())
    eye = build.eye(g, N)
    assert build.reduce_sum(c * eye * a) is build.einsum("ii->", c * a)
    assert build.reduce_sum(c * eye * a, 1) is build.einsum("ii->i", c * a)
    assert build.reduce_sum(c * eye, 0, keepdims=True) is g.broadcast(c, (sp.S.One, N))
    assert (build.reduce_sum(eye, 1).value, build.reduce_sum(eye).value) == (1, N)
    for other in (c * eye + a, g.let("B", eye * a)):
        assert build.reduce_sum(other).op.name == "sum"
    for other in (a, g.leaf("b", (N, D))):
        assert build.reduce_sum(build.eye(g, 1) * other).op.name == "sum"


@pytest.mark.parametrize("seed", range(100))
def test_what_is_made_at_once_is_what_is_made_sign_by_sign(seed: int) -> None:
    a, b, c, d = rows((N,))
    parts = [a, b, c, d, a + b, 2 * a, -b, a * b, a / b, a**2, b * b, a * b + c, 3 * (a + b) + 1, F.log(a),
             F.log(a) + b, F.tanh(c), a.graph.let("h", a + c), F.norm(a) * c, F.abs(d), -F.log(b), (a + 1) * (b + 2),
             1 / c]
    dice = random.Random(seed)
    sign, together = dice.choice("*+-**"), dice.choices(parts, k=dice.randint(2, 12))
    whole = reduce(lambda found, part: found.plus(sign, part), together[1:], Terms(together[0])).made()
    assert whole is reduce(lambda left, right: operation(sign, left, right), together)


def test_a_product_of_many_has_no_rows_on_the_way() -> None:
    a, b, c, d = rows()
    before = a.graph.count
    reduce(lambda found, part: found.plus("*", part), (b, c, d), Terms(a)).made()
    assert a.graph.count == before + 1
