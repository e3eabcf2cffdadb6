"""Sensible initial values of parameters, found from how the forward pass uses them.

A weight of a product is normal with variance 1/fan-in (2/fan-in where a ReLU follows), a table that is indexed is
normal with a tenth, a bias is zero, a gain (an array times something computed) is one, a lone number is normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.entry import At, Digit, Letter, Place, letters
from symbackprop.core.facts import entries, is_lookup, is_product, is_view, kind
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.loops import Loop
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import Dim
from symbackprop.model.model import Model

ZERO, ONE, NORMAL = "zero", "one", "normal"


@dataclass(frozen=True)
class Initial:
    """How a parameter starts: all ``kind`` zero or one, or normal with standard deviation sqrt(gain / fan_in)."""

    kind: str
    gain: sp.Expr = sp.S.One
    fan_in: Dim = sp.S.One


Scope = tuple[int, ...]  # the loops around a row: a body's leaf is also one of the loop that sweeps it back


class Use(NamedTuple):
    """A row that reads another one, at which of its places (−1: a leaf of a loop stands for it), and where it is."""

    row: Node
    place: int
    scope: Scope


Readers = dict[tuple[Scope, int], list[Use]]


def initial_values(model: Model) -> dict[str, Initial]:
    """How every parameter starts: by the rows that a model declares, not by what they are written as for stability."""
    readers: Readers = {}
    for row in model.graph.topological([*model.intermediates().values(), *model.results()]):
        _read(row, readers)
    return {name: _initial(p, readers) for name, p in model.params.items()}


def _read(row: Node, readers: Readers, scope: Scope = ()) -> None:
    for k, a in enumerate(row.args):
        readers.setdefault((scope, a.id), []).append(Use(row, k, scope))
    if isinstance(row.attr, Loop):
        loop, within = row.attr, (*scope, row.id)
        for leaf, outer in zip(loop.leaves(), row.args, strict=True):
            readers.setdefault((scope, outer.id), []).append(Use(leaf, -1, within))
        for inner in loop.rows():
            if inner.id not in loop.stop:
                _read(inner, readers, within)


def _initial(param: Node, readers: Readers) -> Initial:
    if not param.ndim:
        return Initial(NORMAL)
    uses = _uses((), param, readers)
    for use in uses:
        if is_lookup(use.row) and use.place == 0:
            return Initial(NORMAL, sp.Rational(1, 100))
        fan_in = _fan_in(use.row, use.place)
        if fan_in is not None:
            return Initial(NORMAL, _gain(use, readers), fan_in)
    if any(_is_gain(use.row, use.place) for use in uses):
        return Initial(ONE)
    return Initial(ZERO) if param.ndim == 1 or all(_is_bias(use.row, use.place) for use in uses) else Initial(NORMAL)


def _uses(scope: Scope, row: Node, readers: Readers) -> list[Use]:
    """What reads a row, through views and into loops."""
    found, stack, seen = [], [(scope, row.id)], {(scope, row.id)}
    while stack:
        for use in readers.get(stack.pop(), []):
            reader, at = use.row, (use.scope, use.row.id)
            if use.place < 0 or is_view(reader) or (is_product(reader) and len(reader.args) == 1):
                if at not in seen:
                    seen.add(at)
                    stack.append(at)
            elif not isinstance(reader.attr, Loop):  # its leaves stand for what it reads
                found.append(use)
    return found


def _fan_in(row: Node, place: int) -> Dim | None:
    """How many products with an argument one entry of a row adds up; None where it is no sum of products with entries
    of it at letters (a convolution's image is read at places that are counted out)."""
    own_kind = kind(row)
    terms = entries(row, letters(row.shape)) if own_kind.linear and not own_kind.joined else []
    factors = [x for x in terms[0].entries if isinstance(x, At)] if len(terms) == 1 else []
    own = next((x.index for x in factors if x.place == place), ())
    if len(factors) < 2 or any(isinstance(i, (Place, Digit, At)) for i in own):
        return None
    return sp.Mul(*[i.size for i in own if isinstance(i, Letter) and i in terms[0].summed])


def _gain(product: Use, readers: Readers) -> sp.Expr:
    """The gain of the function that follows, perhaps behind a bias."""
    ahead = _uses(product.scope, product.row, readers)
    ahead += [use for add in ahead if _is_sum(add.row) for use in _uses(add.scope, add.row, readers)]
    heads = [use.row.head for use in ahead if use.row.form is not None]
    return sp.Integer(max([TABLE[head].gain for head in heads if head in TABLE], default=1))


def _is_sum(row: Node) -> bool:
    return isinstance(row.form, f.Add)


def _is_bias(row: Node, place: int) -> bool:
    """An array added to something that is not made of parameters alone, as a difference of two points is."""
    adds = row.form is not None and f.has_sum(row.form)
    return adds and any(not _is_param(a) for k, a in enumerate(row.args) if k != place)


def _is_param(row: Node) -> bool:
    """A parameter, or a view of one."""
    while row.args and is_view(row):
        row = row.args[0]
    return isinstance(row.attr, Leaf) and row.attr.role == "param"


def _is_gain(row: Node, place: int) -> bool:
    """An array times something computed."""
    if row.arithmetic is None:
        return False
    factors = _factors(f.written(row.attr.form))
    return f.Arg(place) in factors and any(a.args for k, a in enumerate(row.args) if k != place)


def _factors(form: f.Formula) -> tuple[f.Formula, ...]:
    """The factors of all products among the terms of a formula."""
    if isinstance(form, f.Mul):
        return form.factors
    return tuple(x for c in f.children(form) for x in _factors(c)) if isinstance(form, (f.Add, f.Neg, f.Div)) else ()
