"""Entries of printed arrays: an index goes into what an array is computed of."""

from __future__ import annotations

import pytest
import sympy as sp

from symbackprop.core.maths import (
    AtStep,
    Fill,
    Fn,
    Indicator,
    Item,
    Letter,
    Math,
    MatMul,
    Num,
    Op,
    Outer,
    Range,
    Relation,
    Shape,
    Span,
    Sum,
    Sym,
    Transpose,
    Words,
    product,
    read_at,
)
from symbackprop.render.print.text import text
from symbackprop.render.spread import indexed

N, D, T = sp.symbols("N D T")
ZERO, ONE = Num(sp.S.Zero), Num(sp.S.One)
x, y, A = Sym("x", (N,)), Sym("y", (D,)), Sym("A", (N, D))
ONES = Fill(sp.S.One, Shape((N,)))
ROW, COLUMN = Letter("i"), Letter("j")

ENTRIES: list[tuple[Math, tuple[Math, ...], str]] = [
    (AtStep(x, "t", Range("t", ONE, Num(T))), (Letter("t"), ROW), "x_i"),
    (Indicator(Relation(x, ">", ZERO)), (ROW,), "1[x_i > 0]"),
    (Sum(((False, x), (True, ONES))), (ROW,), "x_i − 1"),
    (Item(A, (Span(), ZERO)), (ROW,), "A[i, 0]"),
    (Item(x, (Span(), Words("None"))), (ROW, ZERO), "x_i"),
    (Item(x, (Span(ONE),)), (ROW,), "x[i+1]"),
    (Fn("tanh", (x,)), (ROW,), "tanh(x_i)"),
    (Op("arange", (Num(N),)), (ROW,), "i"),
    (product(x, ONES), (ROW,), "x_i"),
    (ONES, (ROW,), "1"),
    (Transpose(A), (ROW, COLUMN), "A_ji"),
    (MatMul(A, Transpose(Fill(sp.S.One, Shape((N,))))), (ROW, COLUMN), "A[i, 0]"),
    (Outer(x, ONES), (ROW, COLUMN), "x_i"),
    (Outer(ONES, y), (ROW, COLUMN), "y_j"),
    (Outer(x, y), (ROW, COLUMN), "x_i·y_j"),
]


@pytest.mark.parametrize(("whole", "index", "entry"), ENTRIES)
def test_an_entry_is_one_of_the_parts(whole: Math, index: tuple[Math, ...], entry: str) -> None:
    assert text(indexed(whole, len(index), dict(enumerate(index)))) == entry


def test_a_slice_is_read_at_an_index_of_all_that_it_cuts() -> None:
    column = Item(A, (Span(), Span(ONE, Num(sp.Integer(2)))))
    assert read_at(column, [Span(), ZERO]) == (A, [Span(), ONE])
    assert read_at(column, [ZERO]) is None
    assert read_at(column, [Span(), ROW]) is None
