"""What has to be said beside the formulas: the conventions in force, and what the functions in them mean."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.maths import (
    Big,
    Delta,
    Entry,
    Fill,
    Fn,
    Frac,
    Indicator,
    Letter,
    Math,
    MatMul,
    Num,
    Op,
    Outer,
    Pow,
    Relation,
    Shape,
    Sum,
    Sym,
    Transpose,
    negative,
    product,
    replaced,
)  # fmt: skip
from symbackprop.core.noughts import weights_a_log
from symbackprop.core.registry import OPS
from symbackprop.core.scalars import RELU0, TABLE
from symbackprop.model.model import Model
from symbackprop.render.document import Prose
from symbackprop.render.rows import Rows

LAYOUTS = {
    "shape": "every gradient has the shape of its variable (shape convention)",
    "jacobian": "derivatives in Jacobian (numerator) layout: one row for every output, one column for every input",
}
NUMERATOR = "derivatives in vectors are rows (numerator layout), which are transposed to gradients"


ZERO, TWO, X = Num(sp.S.Zero), Num(sp.Integer(2)), Sym("x")


def _is(left: Math, right: Math) -> Relation:
    return Relation(left, "=", right)


def conventions(model: Model, layout: str, view: str) -> tuple[Prose, ...]:
    """What holds at the kinks that the model has, and the layout of gradients: stated in every output."""
    steps = f"{NUMERATOR}, " if view == "jacobian" and layout == "shape" else ""
    return (*_at_kinks(model), (steps + LAYOUTS[layout],))


def kinks_of(model: Model) -> list[tuple[str | Math, ...]]:
    """What records say of the kinks of the functions that a model uses."""
    used = functions_of(model)
    return list(dict.fromkeys(r.kink for name, r in (TABLE | OPS).items() if name in used and r.kink))


def _at_kinks(model: Model) -> Iterator[Prose]:
    relu0: dict[Math, Math] = {RELU0: Num(model.graph.relu0)}
    for kink in kinks_of(model):
        yield tuple([x if isinstance(x, str) else replaced(x, relu0) for x in kink])


def functions_of(model: Model) -> set[str]:
    """The ops and scalar functions that a model uses, those in its loops included."""
    used: set[str] = set()
    pending, seen = list(model.equations.values()), set()
    while pending:
        row = pending.pop()
        if row.id not in seen:
            seen.add(row.id)
            used |= f.calls(row.attr.form) if isinstance(row.attr, Kernel) else {row.op.name}
            used |= {"nought"} if weights_a_log(row) is not None else set()
            pending += [*row.args, *(row.attr.results() if isinstance(row.attr, Loop) else ())]
    return used


def _at(array: Math, *index: Math) -> Math:
    return Entry(array, index)


def _sum(letters: str, *factors: Math) -> Math:
    return Big("sum", tuple(letters), product(*factors))


def _place(start: str, place: str, *rest: tuple[bool, Math]) -> Math:
    """The place that a window reaches: s·o + i."""
    return Sum(((False, product(Sym("s"), Letter(start))), (False, Letter(place)), *rest))


def _letters(names: str) -> tuple[Math, ...]:
    return tuple(map(Letter, names))


def _exp(m: Math) -> Math:
    return Fn("exp", (m,), spelled=True)


def _window(start: str, place: str) -> Math:
    """s·o + i − p"""
    return _place(start, place, (True, Sym("p")))


def _origin(place: str, offset: str) -> Math:
    """(a + p − i)/s"""
    return Frac(Sum(((False, Letter(place)), (False, Sym("p")), (True, Letter(offset)))), Sym("s"))


_Z, _Y, _G, _I, _A, _B, _W = (Sym(x, (sp.Symbol("N"),)) for x in "zygiabw")
_C, _K, _M, _N = (Letter(x) for x in "ckmn")
_SOFTMAX, _DELTA, _EPS = Op("softmax", (_Z,)), Delta(), Sym("eps")
_EXPONENTIALS = _sum("k", _exp(_at(_Z, _K)))
_CONV = _sum("ijc", _at(X, _N, _window("o", "i"), _window("q", "j"), _C), _at(_W, *_letters("ijck")))
_CONV_INPUT = _sum("ijk", _at(_DELTA, _N, _origin("a", "i"), _origin("b", "j"), _K), _at(_W, *_letters("ijck")))
_CONV_KERNEL = _sum("noq", _at(X, _N, _window("o", "i"), _window("q", "j"), _C), _at(_DELTA, *_letters("noqk")))

_MEANINGS: dict[str, Prose] = {
    "softmax": (_is(_at(_SOFTMAX, _C), Frac(_exp(_at(_Z, _C)), _EXPONENTIALS)),),
    "logsumexp": (_is(Op("logsumexp", (_Z,)), Fn("log", (_EXPONENTIALS,))),),
    "cross_entropy": (_is(Op("cross_entropy", (_Z, _Y)), negative(Fn("log", (_at(_SOFTMAX, _Y),)))),),
    "one_hot": (_is(_at(Op("one_hot", (_Y,)), _C), Indicator(_is(_Y, _C))),),
    "layer_norm": (_is(Op("layer_norm", (X,)), Frac(Sum(((False, X), (True, Op("mean", (X,))))),
                                                    Fn("sqrt", (Sum(((False, Op("var", (X,))), (False, _EPS))),)))),),
    "rms_norm": (_is(Op("rms_norm", (X,)), Frac(X, Fn("sqrt", (Sum(((False, Op("mean", (Pow(X, TWO),))),
                                                                    (False, _EPS))),)))),),
    "pick": (_is(_at(Op("pick", (_Z, _Y)), _N), _at(_Z, _N, _at(_Y, _N))),),
    "ones": (Fill(sp.S.One, Shape((sp.Symbol("N"),))), " is a vector of ones, ",
             MatMul(Fill(sp.S.One, Shape((sp.Symbol("N"),))), Transpose(_B)), " has ", _B, " in every row"),
    "outer": (_is(_at(Outer(_A, _B), _N, _M), product(_at(_A, _N), _at(_B, _M))), ", for any number of axes"),
    "scatter_add": (_is(_at(Op("scatter_add", (_G, _I)), _K),
                        _sum("m", Indicator(_is(_at(_I, _M), _K)), _at(_G, _M))),),
    "unfold": (_is(_at(Op("unfold", (_A,)), *_letters("ok")), _at(_A, _place("o", "k"))),
               ": window o of an axis, place k in it, stride s"),
    "fold": (_is(_at(Op("fold", (_G,)), _M),
                 _sum("ok", Indicator(_is(_place("o", "k"), _M)), _at(_G, *_letters("ok")))),
             ": overlapping windows added up"),
    "conv2d": (_is(_at(Op("conv2d", (X, _W)), *_letters("noqk")), _CONV), ": places from 0, outside is 0"),
    "conv2d_input": (_is(_at(Op("conv2d_input", (_DELTA, _W)), *_letters("nabc")), _CONV_INPUT), ": flipped kernel"),
    "conv2d_kernel": (_is(_at(Op("conv2d_kernel", (X, _DELTA)), *_letters("ijck")), _CONV_KERNEL), ": a correlation"),
}  # fmt: skip


def glossary(r: Rows) -> tuple[Prose, ...]:
    """The functions and index letters that the document uses."""
    said: list[Prose] = [("products and transposes act on the last two axes",)] if "batched" in r.mentioned else []
    meanings: list[Prose] = [_MEANINGS[name] for name in r.mentioned if name in _MEANINGS]
    indices: list[Prose] = [(Letter(x), " runs over ", r.size(size), " entries") for x, size in r.letters.used.items()]
    return (*said, *meanings, *indices)
