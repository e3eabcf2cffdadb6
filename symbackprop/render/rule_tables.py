"""The rules by which the gradient goes back through an op, in words."""

from __future__ import annotations

import sympy as sp

from symbackprop.core.maths import (
    Delta,
    Derivative,
    Frac,
    Math,
    Num,
    Op,
    Prime,
    Relation,
    Shaped,
    Sum,
    Sym,
    Words,
)  # fmt: skip
from symbackprop.render.document import Prose

_N = (sp.Symbol("n"),)
_P, _X, _Z = Sym("p", _N), Sym("x"), Sym("z")
_DELTA = Shaped(Delta(), _N)
_ONE = Num(sp.S.One)


def _minus(left: Math, right: Math) -> Math:
    return Sum(((False, left), (True, right)))


# Rules of whole library functions, which say more than those of the ops inside.
_SOFTMAX_LOSS = Relation(Derivative(Words("CE"), _Z), "=", _minus(Op("softmax", (_Z,)), Words("target")))
FUNCTION_RULES: dict[str, Prose] = {
    "mean": ("mean of n terms: each gets ", Frac(_ONE, Sym("n"))),
    "cross_entropy": ("softmax with cross-entropy: ", _SOFTMAX_LOSS),
    "binary_cross_entropy": ("term by term, ", Relation(Prime("log", _X), "=", Frac(_ONE, _X))),
    "pick": ("picked entries get the gradient, the others 0",),
}
