"""Sensible initial values of parameters, found from how the forward pass uses them.

A weight of a product is normal with variance 1/fan-in (2/fan-in where a ReLU follows), a table that is indexed is
normal with a tenth, a bias is zero, a gain (an array times something computed) is one, a lone number is normal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.entry import At, Digit, Letter, Place, letters
from symbackprop.core.facts import entries, is_lookup, is_product, is_view, kind
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import Dim

ZERO, ONE, NORMAL = "zero", "one", "normal"


@dataclass(frozen=True)
class Initial:
    """How a parameter starts: all ``kind`` zero or one, or normal with standard deviation sqrt(gain / fan_in)."""

    kind: str
    gain: sp.Expr = sp.S.One
    fan_in: Dim = sp.S.One


Readers = dict[int, list[tuple[Node, int]]]


def initial_values(params: Iterable[Node], order: Iterable[Node]) -> dict[str, Initial]:
    """How every parameter starts; ``order`` are the rows of forward."""
    readers: Readers = {}
    for row in order:
        _read(row, readers)
    return {p.name or "": _initial(p, readers) for p in params}


def _read(row: Node, readers: Readers) -> None:
    for k, a in enumerate(row.args):
        readers.setdefault(a.id, []).append((row, k))
    if isinstance(row.attr, Loop):
        loop = row.attr
        for leaf, outer in zip(loop.leaves(), row.args, strict=True):
            readers.setdefault(outer.id, []).append((leaf, -1))
        for inner in row.graph.topological(loop.results(), loop.stop()):
            _read(inner, readers)


def _initial(param: Node, readers: Readers) -> Initial:
    for row, place in _uses(param, readers):
        if is_lookup(row) and place == 0:
            return Initial(NORMAL, sp.Rational(1, 100))
        fan_in = _fan_in(row, place)
        if fan_in is not None:
            return Initial(NORMAL, _gain(row, readers), fan_in)
    if not param.ndim:
        return Initial(NORMAL)
    if any(_is_gain(row, place) for row, place in _uses(param, readers)):
        return Initial(ONE)
    return Initial(ZERO) if param.ndim == 1 or _is_added(param, readers) else Initial(NORMAL)


def _uses(row: Node, readers: Readers) -> list[tuple[Node, int]]:
    """What reads a row, through views and into loops."""
    found, stack, seen = [], [row], {row.id}
    while stack:
        for reader, place in readers.get(stack.pop().id, []):
            if place < 0 or is_view(reader) or (is_product(reader) and len(reader.args) == 1):
                if reader.id not in seen:
                    seen.add(reader.id)
                    stack.append(reader)
            else:
                found.append((reader, place))
    return found


def _fan_in(row: Node, place: int) -> Dim | None:
    """How many products with an argument one entry of a row adds up; None where it is no sum of products with entries
    of it at letters (a convolution's image is read at places that are counted out)."""
    terms = entries(row, letters(row.shape)) if kind(row).linear else []
    factors = [x for x in terms[0].entries if isinstance(x, At)] if len(terms) == 1 else []
    own = next((x.index for x in factors if x.place == place), ())
    if len(factors) < 2 or any(isinstance(i, (Place, Digit, At)) for i in own):
        return None
    return sp.Mul(*[i.size for i in own if isinstance(i, Letter) and i in terms[0].summed])


def _gain(row: Node, readers: Readers) -> sp.Expr:
    """The gain of the function that follows, perhaps behind a bias."""
    ahead = _uses(row, readers)
    ahead += [use for reader, _ in ahead if _is_sum(reader) for use in _uses(reader, readers)]
    heads = [reader.head for reader, _ in ahead if reader.form is not None]
    return sp.Integer(max([TABLE[head].gain for head in heads if head in TABLE], default=1))


def _is_sum(row: Node) -> bool:
    return isinstance(row.form, f.Add)


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


def _is_added(param: Node, readers: Readers) -> bool:
    return all(_is_sum(row) for row, _ in _uses(param, readers))
