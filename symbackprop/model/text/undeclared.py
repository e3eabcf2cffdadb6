"""What a text reads and declares nowhere, and declarations that fit: those of an expression alone, and of the corrected
line of a text.

Names that begin with x or y, t itself, inputs, targets and labels are data, the others parameters, as Greek letters
always are.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import chain

import sympy as sp

from symbackprop.core.functions.words import IDLE_OPTIONS, MODULES
from symbackprop.errors import ModelError
from symbackprop.model.names import data_among
from symbackprop.model.text import dialect, tree
from symbackprop.model.text.expressions import one_formula
from symbackprop.model.text.guessed_shapes import Known, Shapes
from symbackprop.model.text.layers import Layers
from symbackprop.model.text.sizes import SIGNS, Size

_KEPT = ("pi", "inf")
_NO_SIZE = sp.Symbol("?")


def declarations(statements: Sequence[tree.Statement]) -> str:
    """``dim N, D; data x: N x D; param W: D x D``, guessed as of an expression alone; nothing where nothing is missing,
    or no shapes are found that fit."""
    arrays = [s for s in statements if isinstance(s, tree.Arrays)]
    named = {name for s in statements if isinstance(s, tree.Named) for name, _ in s.items}
    if any(item.target.index is not None for s in arrays for item in s.items):  # W[2] is no row of W there
        return ""
    try:
        plain, known = without_layers(statements)
        missing = [n for n in read_first(plain) if n not in known and n not in named]
        learnt = any(s.role == "param" for s in arrays) or len(known) > sum(len(s.items) for s in arrays)
        found = declared(missing, Shapes(plain, missing, known), learnt, named)
        return "; ".join(map(_written, found))
    except ModelError:  # which is told where it is read
        return ""


def _written(s: tree.Named | tree.Arrays) -> str:
    """A declaration as text."""
    if isinstance(s, tree.Named):
        return f"{s.keyword} {', '.join(name for name, _ in s.items)}"
    return f"{s.role} {', '.join(map(_array_text, s.items))}"


def _array_text(item: tree.ArrayItem) -> str:
    below = "" if item.below is None else f" int < {size_of(item.below)}"
    shape = " x ".join(map(str, map(size_of, item.shape)))
    return f"{item.target.name}{':' * bool(shape or below)}{' ' * bool(shape)}{shape}{below}"


def without_layers(body: Sequence[tree.Statement]) -> tuple[Sequence[tree.Statement], Known]:
    """The statements with what layers compute, and functions of other libraries mean, in the place of their calls; and
    the shapes of the layers' parameters and of arrays that are declared."""
    arrays = [item for s in body if isinstance(s, tree.Arrays) for item in s.items]
    shapes = {item.target.name: item.shape for item in arrays}
    layers = Layers(lambda name, made, parameters: shapes.update(parameters))
    rest = [s for s in body if not (isinstance(s, tree.Equation) and s.target.index is None
                                    and layers.take(s.target.name, s.value))]
    body = tree.with_values(rest, lambda value: _in_own_words(layers.put(value)))
    return body, {name: [*map(size_of, shape)] for name, shape in shapes.items()}


def _in_own_words(expr: tree.Expr) -> tree.Expr:
    """An expression with what functions of other libraries mean: the sum in ``apply(X, 1, sum)`` is no array."""
    expr = tree.changed(expr, _in_own_words)
    if isinstance(expr, (tree.Call, tree.Member)) and expr.options:
        options = [(k, v) for k, v in expr.options if k not in IDLE_OPTIONS or not dialect.is_idle(v)]
        expr = replace(expr, options=tuple(options))
    try:
        meant = dialect.called(expr) if isinstance(expr, tree.Call) else None
    except ModelError:  # which is told where it is read
        return expr
    return expr if meant is None else replace(meant, place=expr.place)


def size_of(expr: tree.Expr) -> sp.Expr:
    """A size that stands in a declaration; what is more than sums and products of names and numbers is ``_NO_SIZE``."""
    match expr:
        case tree.Name(name):
            return sp.Symbol(name)
        case tree.Number(value):
            return value
        case tree.Chain(first, rest) if all(sign in SIGNS for sign, _ in rest):
            return reduce(lambda value, part: SIGNS[part[0]](value, size_of(part[1])), rest, size_of(first))
    return _NO_SIZE


def read_first(body: Sequence[tree.Statement], taken: Container[str] = ()) -> list[str]:
    """The names that equations read and none gives a value; and such as are read in what first gives them one,
    ``x = x / 255``. What is ``taken`` by a function is no number π."""
    equations, loops = [*tree.equations(body)], [*tree.loops(body)]
    values = [bound for loop in loops for bound in (loop.start, loop.stop)] + [e.value for e in equations]
    libraries = {m.base.name for value in values for m in tree.all_parts(value) if isinstance(m, tree.Member)
                 and isinstance(m.base, tree.Name) and (m.base.name in MODULES or dialect.is_of_distribution(m))}
    first = {e.target.name: e for e in reversed(equations)}
    seen, anew = set[str](), set[str]()
    for e in equations:
        seen.update(tree.mentioned(e.value))
        anew |= {e.target.name} & seen if e is first[e.target.name] and e.target.index is None else set()
    kept = [n for n in _KEPT if n not in taken]
    others = (first.keys() - anew) | {*kept, dialect.SELF.name} | libraries | {loop.variable for loop in loops}
    return [n for n in dict.fromkeys(n for value in values for n in tree.mentioned(value)) if n not in others]


def declared(leaves: Sequence[str], shapes: Shapes, learnt: bool = False, known: Container[Size] = ()
             ) -> Iterator[tree.Named | tree.Arrays]:
    """The declarations of the leaves, and of sizes that are not ``known``; ``learnt``: whether there are parameters
    beside them."""
    leaves = [n for n in leaves if n not in shapes.asked]
    named = chain(shapes.asked, *shapes.known.values(), *map(shapes.named, leaves))
    sizes = [n for n in dict.fromkeys(n for s in named for n in re.findall(r"[^\W\d]\w*", str(s))) if n not in known]
    leaves = [n for n in leaves if n not in sizes]
    data = data_among(leaves, shapes.below, shapes.counts, learnt)
    if sizes:
        yield tree.Named(1, "dim", tuple([(s, None) for s in sizes]))
    for role, names in (("data", data), ("param", [n for n in leaves if n not in data])):
        if names:
            yield tree.Arrays(1, role, tuple([_array(n, shapes) for n in names]))


def _array(name: str, shapes: Shapes) -> tree.ArrayItem:
    shape = tuple([sized(size) for size in shapes.named(name)])
    if name not in shapes.below:
        return tree.ArrayItem(tree.Target(name), shape)
    return tree.ArrayItem(tree.Target(name), shape, True, sized(shapes.size(shapes.below[name])))


def sized(size: Size) -> tree.Expr:
    """A size as it stands in a declaration."""
    return one_formula(size) if isinstance(size, str) else tree.Number(sp.Integer(size))
