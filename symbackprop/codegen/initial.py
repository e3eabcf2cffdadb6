"""Sensible initial values of parameters, found from how the forward pass uses them.

A weight of a product is normal with variance 1/fan-in (2/fan-in where a ReLU follows), a table that is indexed is
normal with a tenth, a bias is zero, a gain (an array times something computed) is one, a lone number is normal. What is
divided by, or taken the logarithm or a root of, is one: at 0 that is infinite, or its slope is.

The arithmetic is read, not the rows that it happens to be cut into: a product of products is one product and a sum of
sums one sum, behind names, views and the edges of loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.entry import At, Digit, Letter, Place, letters
from symbackprop.core.facts import entries, is_lookup, is_product, is_view, kind
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.loops import Loop
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
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


class Around(NamedTuple):
    """What is around a part of a row's formula; the part itself where the row computes something else."""

    whole: f.Formula
    part: f.Formula
    use: Use


class Product(NamedTuple):
    """Whether an array is multiplied by another one, and whether anything there is computed."""

    multiplied: bool = False
    computed: bool = False


class Ahead(NamedTuple):
    """What becomes of an array: whether it ends as a term of sums, which are not of parameters alone, the gain of what
    follows behind sums, the products that it is a factor of, and whether one of these has no value or slope at 0."""

    added: bool
    gain: int
    products: frozenset[Product]
    singular: bool = False


Key = tuple[Scope, int]
ALONE = frozenset({Product()})
UNREAD = Ahead(True, 1, ALONE)


@dataclass
class Readings:
    """Who reads every row; which rows are plain, products of leaves at most, and which are made of parameters alone.
    Of products and quotients that were met, the parts that are not plain, of sums those not of parameters alone."""

    readers: dict[Key, list[Use]] = field(default_factory=dict)
    plain: set[Key] = field(default_factory=set)
    own: set[Key] = field(default_factory=set)
    order: list[Key] = field(default_factory=list)
    unknown: dict[tuple[Key, f.Formula], list[f.Formula]] = field(default_factory=dict)

    def read(self, row: Node, scope: Scope = ()) -> None:
        """A row whose arguments have been read."""
        self.order.append((scope, row.id))
        for k, a in enumerate(row.args):
            self.readers.setdefault((scope, a.id), []).append(Use(row, k, scope))
        if isinstance(row.attr, Loop):
            self._read_loop(row, row.attr, scope)
        here, form = Use(row, 0, scope), None if row.form is None else f.written(row.form)
        if not row.args or row.value is not None or self._turns(row, scope, self.plain) or self._is_plain(form, here):
            self.plain.add((scope, row.id))
        if _is_param(row) or self._turns(row, scope, self.own) or self._is_own(form, here):
            self.own.add((scope, row.id))

    def _read_loop(self, row: Node, loop: Loop, scope: Scope) -> None:
        within = (*scope, row.id)
        for k, (leaf, outer) in enumerate(zip(loop.leaves(), row.args, strict=True)):
            self.order.append((within, leaf.id))
            self.readers.setdefault((scope, outer.id), []).append(Use(leaf, -1, within))
            for known in (self.plain, self.own):  # what is carried is computed
                if k >= len(loop.carry) and (scope, outer.id) in known:
                    known.add((within, leaf.id))
        for inner in loop.rows():
            if inner.id not in loop.stop:
                self.read(inner, within)

    def _turns(self, row: Node, scope: Scope, known: set[Key]) -> bool:
        """Whether a row is a view or a transposition of a known one."""
        moves = is_view(row) or (_is_of_one(row) and row.ndim == row.args[0].ndim)
        return bool(row.args) and moves and (scope, row.args[0].id) in known

    def _is_plain(self, form: f.Formula | None, use: Use) -> bool:
        match form:
            case f.Arg(k):
                return (use.scope, use.row.args[k].id) in self.plain
            case f.Pow(base, f.Num(value)):
                return bool(value.is_Integer) and self._is_plain(base, use)
            case f.Num() | f.Neg() | f.Mul() | f.Div():
                return all(self._is_plain(x, use) for x in form.children)
        return False

    def _is_own(self, form: f.Formula | None, use: Use) -> bool:
        return form is not None and all((use.scope, use.row.args[k].id) in self.own for k in f.arguments(form))

    def _unlike(self, at: Around, like: Callable[[f.Formula | None, Use], bool]) -> bool:
        """Whether anything beside a part is not ``like`` that."""
        key = (at.use.scope, at.use.row.id), at.whole
        if key not in self.unknown:
            self.unknown[key] = [x for x in at.whole.children if not like(x, at.use)]
        return any(x is not at.part for x in self.unknown[key])

    # -- what becomes of arrays, read from the end
    def ahead(self) -> dict[Key, Ahead]:
        """What becomes of every row, through views, into loops, and through arithmetic."""
        found: dict[Key, Ahead] = {}
        for key in reversed(self.order):
            uses = self.readers.get(key, [])
            ways = [self._through(path, found[use.scope, use.row.id]) for use in uses for path in _paths(use)]
            found[key] = Ahead(all(w.added for w in ways), max([w.gain for w in ways], default=1),
                               frozenset().union(*[w.products for w in ways]),
                               any(w.singular for w in ways)) if ways else UNREAD
        return found

    def _through(self, path: list[Around], ahead: Ahead) -> Ahead:
        for at in reversed(path):
            ahead = Ahead(self._added(at, ahead.added), _gain(at, ahead.gain), self._products(at, ahead.products),
                          _singular(at, ahead.singular))
        return ahead

    def _added(self, at: Around, ahead: bool) -> bool:
        if isinstance(at.whole, f.Add) and self._unlike(at, self._is_own):
            return True
        return ahead and _is_term(at)

    def _products(self, at: Around, ahead: frozenset[Product]) -> frozenset[Product]:
        """The products around a part: factors, signs, what is divided, whole powers."""
        match at.whole:
            case f.Neg():
                return ahead
            case f.Mul():
                here = Product(not _beside_numbers(at), self._unlike(at, self._is_plain))
            case f.Div(num, _) if num is at.part:
                here = Product(False, self._unlike(at, self._is_plain))
            case f.Pow(_, f.Num(value)) if _is_whole(value):
                here = Product(True, False)
            case _:
                return ALONE
        return frozenset([Product(here.multiplied or p.multiplied, here.computed or p.computed) for p in ahead])

    def uses(self, row: Node) -> Iterator[Use]:
        """What reads a parameter, through views and into loops."""
        stack: list[Key] = [((), row.id)]
        seen = {*stack}
        while stack:
            for use in self.readers.get(stack.pop(), []):
                at = use.scope, use.row.id
                if _hands_on(use) and at not in seen:
                    seen.add(at)
                    stack.append(at)
                elif not (_hands_on(use) or isinstance(use.row.attr, Loop)):  # its leaves stand for what it reads
                    yield use


def _gain(at: Around, ahead: int) -> int:
    """The gain of the function that follows, perhaps behind a bias."""
    if isinstance(at.whole, f.Call):
        return TABLE[at.whole.name].gain
    return ahead if _is_term(at) else 1


def _singular(at: Around, ahead: bool) -> bool:
    """Whether a part is divided by, or a logarithm or a root is taken of it, as a factor of a product perhaps."""
    match at.whole:
        case f.Neg() | f.Mul():
            return ahead
        case f.Div(num, _):
            return ahead or num is not at.part
        case f.Pow(base, f.Num(value)) if base is at.part:
            return ahead or not _is_whole(value)
        case f.Call(name, _):
            record = TABLE[name]
            return record.role is Role.LOG or (record.power is not None and (ahead or not _is_whole(record.power)))
    return False


def _is_whole(exponent: sp.Expr) -> bool:
    return bool(exponent.is_Integer and exponent.is_positive)


def _is_term(at: Around) -> bool:
    """Whether the part is a term of a sum, or of a sum of sums: signs and numbers in front count for nothing."""
    return isinstance(at.whole, (f.Neg, f.Add)) or (isinstance(at.whole, f.Mul) and _beside_numbers(at))


def _beside_numbers(at: Around) -> bool:
    return all(isinstance(x, f.Num) for x in at.whole.children if x is not at.part)


def _hands_on(use: Use) -> bool:
    """Whether a row is its argument, moved or added up."""
    return use.place < 0 or is_view(use.row) or _is_of_one(use.row)


def _paths(use: Use) -> list[list[Around]]:
    """What is around every place where a row reads an argument, from inside; nothing where it is handed on as it is."""
    if _hands_on(use):
        return [[]]
    if isinstance(use.row.attr, Loop):  # its leaves stand for what it reads
        return []
    if use.row.form is None:
        return [[Around(f.Arg(use.place), f.Arg(use.place), use)]]
    paths = _upwards(f.written(use.row.form)).get(use.place, [])
    return [[Around(whole, part, use) for whole, part in path] for path in paths]


@cache
def _upwards(form: f.Formula) -> dict[int, list[tuple[tuple[f.Formula, f.Formula], ...]]]:
    """By argument, the wholes and their parts from every place of it to the top."""
    if isinstance(form, f.Arg):
        return {form.index: [()]}
    found: dict[int, list[tuple[tuple[f.Formula, f.Formula], ...]]] = {}
    for part in form.children:
        for place, paths in _upwards(part).items():
            found.setdefault(place, []).extend([(*path, (form, part)) for path in paths])
    return found


def _is_of_one(row: Node) -> bool:
    """A transposition, a diagonal or a sum of one array."""
    return is_product(row) and len(row.args) == 1


def _is_param(row: Node) -> bool:
    return row.value is not None or (isinstance(row.attr, Leaf) and row.attr.role == "param")


def initial_values(model: Model) -> dict[str, Initial]:
    """How every parameter starts: by the rows that a model declares, not by what they are written as for stability."""
    readings = Readings()
    for row in model.graph.topological([*model.intermediates().values(), *model.results()]):
        readings.read(row)
    ahead = readings.ahead()
    return {name: _initial(p, readings, ahead) for name, p in model.params.items()}


def _initial(param: Node, readings: Readings, ahead: dict[Key, Ahead]) -> Initial:
    own = ahead.get(((), param.id), UNREAD)
    if own.singular:
        return Initial(ONE)
    if not param.ndim:
        return Initial(NORMAL)
    for use in readings.uses(param):
        if is_lookup(use.row) and use.place == 0:
            return Initial(NORMAL, sp.Rational(1, 100))
        fan_in = _fan_in(use.row, use.place)
        if fan_in is not None:
            return Initial(NORMAL, sp.Integer(ahead[use.scope, use.row.id].gain), fan_in)
    if Product(True, True) in own.products:
        return Initial(ONE)
    return Initial(ZERO) if param.ndim == 1 or own.added else Initial(NORMAL)


def _fan_in(row: Node, place: int) -> Dim | None:
    """How many products with an argument one entry of a row adds up; None where it is no sum of products with entries
    of it at letters. A convolution's image is read at places that are counted out, but for a kernel of one entry."""
    own_kind = kind(row)
    if place < len(row.args) - 1 and not isinstance(row.attr, Pattern):
        return None
    terms = entries(row, letters(row.shape)) if own_kind.linear and not own_kind.joined else []
    factors = [x for x in terms[0].entries if isinstance(x, At)] if len(terms) == 1 else []
    own = next((x.index for x in factors if x.place == place), ())
    if len(factors) < 2 or any(isinstance(i, (Place, Digit, At)) for i in own):
        return None
    return sp.Mul(*[i.size for i in dict.fromkeys(own) if isinstance(i, Letter) and i in terms[0].summed])
