"""The rules by which the gradient goes back through an op, in words."""

from __future__ import annotations

import sympy as sp

from symbackprop.core.maths import (
    Bars,
    Big,
    Delta,
    Derivative,
    Frac,
    Math,
    Num,
    Op,
    Prime,
    Prod,
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


# Rules of structural ops: what becomes of the upstream gradient.
OP_RULES: dict[str, Prose] = {
    "sum": ("sum: every term gets the gradient of the sum",),
    "broadcast": ("broadcast: the gradient is summed over the copies",),
    "reshape": ("reshape: the same entries in the old shape",),
    "softmax": ("softmax: ", Prod((_P, _minus(_DELTA, Big("sum", (), Prod((_DELTA, _P))))))),
    "logsumexp": ("the gradient of logsumexp is softmax",),
    "norm": (Relation(Derivative(Bars(_X), _X), "=", Frac(_X, Bars(_X))),),
    "max": ("max: the largest entry gets the gradient, equal ones in equal shares",),
    "gather": ("lookup: the gradient is added into the rows that were read; repeated rows add up",),
    "scatter_add": ("scatter: each row reads the gradient back from where it went",),
    "take_along_axis": ("picked entries get the gradient, the others 0",),
    "put_along_axis": ("each entry reads the gradient back from where it went",),
    "concat": ("concatenation: each part gets its slice",),
    "slice": ("slice: the gradient goes back to its place, 0 elsewhere",),
    "pad": ("padding: the slice that holds the array",),
    "unfold": ("windows: entries in several windows add up",),
    "fold": ("sum of windows: every window reads its place",),
    "conv2d": ("convolution: the kernel gets the input correlated with the gradient, the input gets the gradient "
               "convolved with the kernel",),
    "conv2d_input": ("convolution: linear in the gradient and in the kernel",),
    "conv2d_kernel": ("convolution: linear in the input and in the gradient",),
    "out": (),
}

# Rules of whole library functions, which say more than those of the ops inside.
_SOFTMAX_LOSS = Relation(Derivative(Words("CE"), _Z), "=", _minus(Op("softmax", (_Z,)), Words("target")))
FUNCTION_RULES: dict[str, Prose] = {
    "mean": ("mean of n terms: each gets ", Frac(_ONE, Sym("n"))),
    "cross_entropy": ("softmax with cross-entropy: ", _SOFTMAX_LOSS),
    "binary_cross_entropy": ("term by term, ", Relation(Prime("log", _X), "=", Frac(_ONE, _X))),
    "pick": ("picked entries get the gradient, the others 0",),
}

# Rules of scalar functions that are better said than written, by the place of the argument.
SAID = {
    ("maximum", 0): "max: the larger one gets the gradient, equal ones half of it",
    ("maximum", 1): "max: the larger one gets the gradient, equal ones half of it",
    ("minimum", 0): "min: the smaller one gets the gradient, equal ones half of it",
    ("minimum", 1): "min: the smaller one gets the gradient, equal ones half of it",
    ("where", 1): "where: only the branch taken gets the gradient",
    ("where", 2): "where: only the branch taken gets the gradient",
    ("leaky", 0): "slope 1 where positive, else the given slope",
    ("leaky", 1): "linear in the slope where the argument is negative",
    ("elu_unit", 0): "1 where positive, else the value plus α",
    ("logit_loss", 0): "softplus has the derivative σ, term by term",
    ("bernoulli_loss", 0): "log rule, term by term",
}
