"""Formulas: a scalar function as a reader sees it, the order of its terms kept.

SymPy's canonical form decides what is *equal* (`kernel.py`); a formula decides how it is *written*: SymPy sorts
``y - o`` into ``-o + y``, a lecturer does not. A formula is a small immutable tree over the placeholders ``Arg(0)``,
``Arg(1)`` … and ``Out`` (the value of the row itself). The constructors fold constants and signs and nothing else.

Formulas are interned: equal ones are one object, so comparing and hashing them, and remembering what was found about
them, costs nothing however often a model repeats a pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import FrozenInstanceError
from functools import cache, lru_cache
from itertools import chain
from math import isinf, isnan
from numbers import Integral, Rational, Real
from operator import attrgetter
from typing import Any, ClassVar, TypeAlias

import sympy as sp

from symbackprop.core.roles import Role
from symbackprop.errors import ModelError
from symbackprop.records import record

Number: TypeAlias = int | float | sp.Expr
_INTERNED: dict[tuple[Any, ...], Formula] = {}
arguments: Callable[[Formula], tuple[int, ...]] = attrgetter("reads")  # their indices in order of first appearance
size: Callable[[Formula], int] = attrgetter("nodes")  # how many nodes the formula has


def _together(parts: Iterable[Formula]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(map(arguments, parts))))


class Formula:
    """Base of the tree, with the direct sub-formulas in written order; Python's operators call the folding
    constructors. What most formulas are asked for is found when they are made."""

    composed: ClassVar[bool] = True
    children: tuple[Formula, ...]
    reads: tuple[int, ...]
    nodes: int
    kinds: int  # a bit for each kind of node in it
    bit: ClassVar[int]

    def __init_subclass__(cls) -> None:
        cls.bit = 1 << len(Formula.__subclasses__())

    def __new__(cls, *parts: Any) -> Formula:
        key = (cls, *parts)
        known = _INTERNED.get(key)
        return _INTERNED.setdefault(key, cls._made(parts)) if known is None else known

    @classmethod
    def _made(cls, parts: tuple[Any, ...]) -> Formula:
        new: Formula = object.__new__(cls)
        found: dict[str, Any] = new.__dict__
        found.update(zip(cls.__match_args__, parts, strict=True))  # type: ignore[attr-defined]
        found["children"] = within = parts[-1] if parts and type(parts[-1]) is tuple else parts if cls.composed else ()
        if not within:
            found["reads"], found["nodes"], found["kinds"] = parts if cls is Arg else (), 1, cls.bit
            return new
        try:
            nodes, kinds, reads = 1, cls.bit, within[0].reads  # mostly all read the same
            for part in within:
                nodes += part.nodes
                kinds |= part.kinds
                if part.reads != reads:
                    reads = ()
            found["reads"], found["nodes"], found["kinds"] = reads or _together(within), nodes, kinds
        except AttributeError:  # of a part that is no formula, which is told where a function with it is registered
            found |= {"reads": (), "nodes": 1, "kinds": cls.bit}
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to {name!r}: equal formulas are one object")

    @property
    def role(self) -> Role | None:
        """What the function is that the formula is a call of."""
        return None

    @property
    def guards(self) -> Formula | None:
        """The arithmetic over its arguments that the formula, a call, stands for."""
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple([getattr(self, name) for name in self.__match_args__])  # type: ignore[attr-defined]

    def __add__(self, other: Formula | Number) -> Formula:
        return add(self, lift(other))

    def __radd__(self, other: Number) -> Formula:
        return add(lift(other), self)

    def __sub__(self, other: Formula | Number) -> Formula:
        return add(self, neg(lift(other)))

    def __rsub__(self, other: Number) -> Formula:
        return add(lift(other), neg(self))

    def __mul__(self, other: Formula | Number) -> Formula:
        return mul(self, lift(other))

    def __rmul__(self, other: Number) -> Formula:
        return mul(lift(other), self)

    def __truediv__(self, other: Formula | Number) -> Formula:
        return div(self, lift(other))

    def __rtruediv__(self, other: Number) -> Formula:
        return div(lift(other), self)

    def __pow__(self, other: Formula | Number) -> Formula:
        return power(self, lift(other))

    def __neg__(self) -> Formula:
        return neg(self)


@record(frozen=True, eq=False)
class Num(Formula):
    """A number known before run time: exact rational, π, or an expression in the symbolic dimensions."""

    composed: ClassVar[bool] = False
    value: sp.Expr


@record(frozen=True, eq=False)
class Arg(Formula):
    """The i-th argument of the row."""

    composed: ClassVar[bool] = False
    index: int


@record(frozen=True, eq=False)
class Out(Formula):
    """The row's own value, already computed by forward."""


@record(frozen=True, eq=False)
class Neg(Formula):
    body: Formula


@record(frozen=True, eq=False)
class Add(Formula):
    terms: tuple[Formula, ...]


@record(frozen=True, eq=False)
class Mul(Formula):
    """A product in written order; a numeric coefficient, if any, is the first factor."""

    factors: tuple[Formula, ...]


@record(frozen=True, eq=False)
class Div(Formula):
    num: Formula
    den: Formula


@record(frozen=True, eq=False)
class Pow(Formula):
    base: Formula
    exponent: Formula


@record(frozen=True, eq=False)
class Call(Formula):
    """A scalar function of the table in `scalars.py`."""

    name: str
    args: tuple[Formula, ...]

    @property
    def role(self) -> Role | None:
        return ROLES.get(self.name)

    @property
    def guards(self) -> Formula | None:
        return GUARDED.get(self.name)


ZERO, ONE = Num(sp.S.Zero), Num(sp.S.One)
OUT = Out()
argument: Callable[[int], Arg] = cache(Arg)  # what is made most often


def lift(value: Formula | Number) -> Formula:
    """A Python or SymPy number as a formula; floats are read as the decimals they print as, so 0.1 is exactly 1/10."""
    if isinstance(value, Formula):
        return value
    return Num(exact(value))


@lru_cache(maxsize=4096)
def _exact_float(value: float) -> sp.Expr:
    if isnan(value):
        raise ModelError("nan is not a number that a model can hold")
    return sp.Float(value) if isinf(value) else sp.Rational(repr(value))


def exact(value: Number) -> sp.Expr:
    """The exact SymPy number that a literal stands for; `ModelError` for what is no real number."""
    if isinstance(value, sp.Expr):
        if value.is_extended_real is False or value is sp.nan:
            raise ModelError(f"{value} is not a real number")
        return sp.Rational(str(value)) if value.is_Float else value
    if isinstance(value, Integral):
        return sp.Integer(int(value))
    if isinstance(value, Rational):
        return sp.Rational(value.numerator, value.denominator)
    if isinstance(value, Real):
        return _exact_float(float(value))
    single: Any = value
    if getattr(single, "shape", None) == ():  # NumPy's arrays without axes, its truth values
        return exact(single.item())
    raise ModelError(_not_a_number(value))


FEW = 64  # numbers of an array that a model writes out
AT_RUN_TIME = "declare it with data(…) and pass its values at run time"


def written_out(value: Any) -> Any:
    """The lists that an array of a few numbers is; anything else as it is. NumPy's matrices multiply by another *."""
    numbers = getattr(getattr(value, "dtype", None), "kind", "") in {"i", "u", "f"} and value.size <= FEW
    return value.tolist() if numbers and type(value).__name__ != "matrix" else value


def _not_a_number(value: Any) -> str:
    kind = type(value).__name__
    if hasattr(value, "shape"):
        return f"a {kind} cannot be part of a model, as an array of up to {FEW} integers or floats can: {AT_RUN_TIME}"
    return f"{value!r} ({kind}) is neither a row nor a number"


def neg(f: Formula) -> Formula:
    """−f, never a double sign."""
    if isinstance(f, Num):
        return Num(-f.value)
    if isinstance(f, Neg):
        return f.body
    if isinstance(f, Mul) and isinstance(f.factors[0], Num) and is_negative(f.factors[0].value):
        return mul(Num(-f.factors[0].value), *f.factors[1:])
    return Neg(f)


def is_negative(value: sp.Expr) -> bool:
    """Whether a coefficient is written with a leading minus, a sum where all its terms are: N − G is not −(G − N)."""
    if isinstance(value, sp.Rational):
        return bool(value.p < 0)
    return all(map(is_negative, value.args)) if value.is_Add else bool(value.as_coeff_Mul()[0].is_extended_negative)


def is_even(value: sp.Expr) -> bool:
    """Whether an exponent is an even number; of a number SymPy would deduce much more."""
    return value.p % 2 == 0 if value.is_Integer else bool(value.is_even)


def add(*terms: Formula) -> Formula:
    """A sum in written order; numbers are folded into the place of the first one."""
    if len(terms) == 1:
        return terms[0]
    flat: list[Formula] = []
    places: dict[Formula, int] = {}
    for term in terms:
        for part in summands(term):
            rest = split_sign(part)[1]
            if rest in places or part is ZERO:
                _push_summand(flat, places, part)
            else:
                places[rest] = len(flat)
                flat.append(part)
    flat = _merged([t for t in flat if t != ZERO])
    if not flat:
        return ZERO
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def _merged(terms: list[Formula]) -> list[Formula]:
    """Terms that are nought beside the same weight as one: log p + 1 is nought at p = 0 as a whole."""
    if not any([term.kinds & Call.bit for term in terms]):
        return terms
    found: list[Formula] = []
    places: dict[Formula, int] = {}
    for term in terms:
        weight = weight_of(term)
        place = len(found) if weight is None else places.setdefault(weight, len(found))
        if place == len(found) or weight is None:
            found.append(term)
        else:
            found[place] = nought(add(unweighed(found[place]), unweighed(term)), weight)
            if weight_of(found[place]) is not weight:  # nothing is left of them
                del places[weight]
    return found


def summands(term: Formula) -> tuple[Formula, ...]:
    """The terms of a sum, or the formula alone."""
    if isinstance(term, Add):
        return term.terms
    return (term,)


def _push_summand(flat: list[Formula], places: dict[Formula, int], part: Formula) -> None:
    """Append, merging with an earlier equal term: x + x is 2x. ``places`` says where terms are, by what is left of them
    without their numbers; one that is cancelled is 0."""
    count, rest = split_sign(part)
    i = places.pop(rest, len(flat))
    if i < len(flat):
        total = Num(split_sign(flat[i])[0] + count)
        flat[i] = part = total if rest is ONE else mul(total, rest)
        rest = split_sign(part)[1]
    else:
        flat.append(part)
    if part != ZERO:
        places.setdefault(rest, i)


def mul(*factors: Formula) -> Formula:
    """A product in written order: signs to the front, numbers into one coefficient, equal neighbours into a power."""
    for i, factor in enumerate(factors):
        weight = _weight_of(factor) if factor.kinds & Call.bit else None
        if weight is not None:
            return nought(mul(*factors[:i], unweighed(factor), *factors[i + 1 :]), weight)
    coefficient, parts = _collected(factors)
    if coefficient is sp.S.Zero:
        return ZERO
    if any([type(p) is Div and (len(parts) > 1 or split_sign(p.den)[0] != 1) for p in parts]):
        return _one_fraction(coefficient, parts)
    if coefficient is sp.S.One and parts:
        return parts[0] if len(parts) == 1 else Mul(tuple(parts))
    sign = is_negative(coefficient)
    number = Num(-coefficient if sign else coefficient)
    body = tuple(parts) if number is ONE and parts else (number, *parts)
    product = body[0] if len(body) == 1 else Mul(body)
    return neg(product) if sign else product


def _one_fraction(coefficient: sp.Expr, parts: list[Formula]) -> Formula:
    """u·(v/w) is uv/w."""
    numerators = [p.num if isinstance(p, Div) else p for p in parts]
    return div(mul(Num(coefficient), *numerators), mul(*[p.den for p in parts if isinstance(p, Div)]))


def _collected(product: tuple[Formula, ...]) -> tuple[sp.Expr, list[Formula]]:
    """The number in front and the other factors, equal ones as a power."""
    coefficient: sp.Expr = sp.S.One
    parts: list[Formula] = []
    places: dict[Formula, int] = {}
    for factor in product:
        if type(factor) is Neg:
            coefficient, factor = -coefficient, factor.body
        for part in factor.factors if type(factor) is Mul else (factor,):
            if type(part) is Num:
                coefficient = part.value if coefficient is sp.S.One else coefficient * part.value
            elif part in places or type(part) is Pow:
                _push_factor(parts, places, part)
            else:
                places[part] = len(parts)
                parts.append(part)
    return coefficient, [part for part in parts if part is not ONE]


def _push_factor(parts: list[Formula], places: dict[Formula, int], part: Formula) -> None:
    """Append, merging with an earlier equal factor: o·o is o². ``places`` says where factors are, by what they are
    powers of; one that is cancelled is 1."""
    base, exponent = _as_power(part)
    i = places.setdefault(base, len(parts))
    if i == len(parts):
        parts.append(part)
        return
    del places[base]
    parts[i] = power(base, Num(_as_power(parts[i])[1] + exponent))
    if parts[i] is not ONE:
        places.setdefault(_as_power(parts[i])[0], i)


def factors(f: Formula) -> tuple[Formula, ...]:
    """The factors of a product, or the formula alone."""
    return f.factors if isinstance(f, Mul) else (f,)


def _as_power(f: Formula) -> tuple[Formula, sp.Expr]:
    if isinstance(f, Pow) and isinstance(f.exponent, Num):
        return f.base, f.exponent.value
    return f, sp.S.One


def powers(f: Formula, exponent: sp.Expr = sp.S.One) -> list[tuple[Formula, sp.Expr]]:
    """The factors of a formula to a number, as bases and exponents."""
    if isinstance(f, Mul):
        return [power for factor in f.factors for power in powers(factor, exponent)]
    if isinstance(f, Pow) and isinstance(f.exponent, Num):
        return powers(f.base, exponent * f.exponent.value)
    return [(f, exponent)]


def div(num: Formula, den: Formula) -> Formula:
    """A quotient; division by a number is a coefficient, signs go to the front."""
    if isinstance(den, Num):
        if den.value is sp.S.Zero:
            raise ModelError("division by the number 0")
        return mul(Num(1 / den.value), num)
    if num == ZERO:
        return ZERO
    weight = weight_of(num)
    if weight is not None:
        return nought(div(unweighed(num), den), weight)
    if isinstance(num, Neg) or isinstance(den, Neg):
        sign, top, bottom = _strip(num, den)
        return neg(div(top, bottom)) if sign else div(top, bottom)
    if num == den:
        return ONE
    return _cancelled(num, den) or _over(num, den)


def _over(num: Formula, den: Formula) -> Formula:
    """2u/(4v) is u/(2v)."""
    (above, top), (below, bottom) = split_sign(num), split_sign(den)
    if above is sp.S.One or below is sp.S.One:
        return Div(num, den)
    above, below = sp.fraction(above / below)
    return Div(mul(Num(above), top), mul(Num(below), bottom))


def _cancelled(num: Formula, den: Formula) -> Formula | None:
    """u·v/v^k is u/v^(k−1)."""
    base, exponent = _as_power(den)
    parts = list(factors(num))
    for k, part in enumerate(parts):
        if _as_power(part)[0] == base:
            left = _as_power(part)[1] - exponent
            parts[k : k + 1] = [power(base, Num(left))] if left.is_nonnegative else []
            return mul(*parts) if left.is_nonnegative else div(mul(*parts), power(base, Num(-left)))
    return None


def _strip(num: Formula, den: Formula) -> tuple[bool, Formula, Formula]:
    sign = isinstance(num, Neg) != isinstance(den, Neg)
    top = num.body if isinstance(num, Neg) else num
    bottom = den.body if isinstance(den, Neg) else den
    return sign, top, bottom


def power(base: Formula, exponent: Formula | Number) -> Formula:
    """base**exponent, with exponents 0 and 1 folded; the numeric power of a number is folded when it is exact."""
    exponent = lift(exponent)
    if isinstance(exponent, Num):
        if exponent.value is sp.S.Zero:
            return ONE
        if exponent.value is sp.S.One:
            return base
        if isinstance(base, Num):
            return Num(_number_power(base.value, exponent.value))
        if isinstance(base, Pow) and isinstance(base.exponent, Num) and exponent.value.is_Integer:
            return power(base.base, Num(base.exponent.value * exponent.value))
        if isinstance(base, Neg) and exponent.value.is_even:
            return power(base.body, exponent)
    return ONE if base == ONE else Pow(base, exponent)


MAX_EXPONENT = 10_000


def _number_power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """A number to a number, refusing towers such as 9**9**9 that no float can hold."""
    if exponent.is_number and abs(exponent) > MAX_EXPONENT and abs(base) != 1:
        raise ModelError(f"the exponent {exponent} is too large for a number")
    value = base**exponent
    if base.is_number and exponent.is_number and (value.is_finite is False or not value.is_real):
        raise ModelError(f"{base}**{exponent} is not a finite real number")
    return value


def call(name: str, *args: Formula | Number) -> Call:
    return Call(name, tuple(lift(a) for a in args))


def nought(value: Formula, weight: Formula) -> Formula:
    """The value, and 0 where the weight is 0 and the value infinite or nan: 0·log 0 is 0. Numbers go to the front."""
    coefficient, rest = split_sign(value)
    if isinstance(weight, Num) and weight.value.is_zero is False:
        return value
    weight = ZERO if weight == ZERO else split_sign(weight)[1]
    if coefficient == 0:
        return ZERO
    guarded = rest if weight_of(rest) is weight else Call("nought", (rest, weight))
    negative = is_negative(coefficient)
    size = Num(-coefficient if negative else coefficient)
    product = guarded if size == ONE else Mul((size, guarded))
    return Neg(product) if negative else product


def weight_of(f: Formula) -> Formula | None:
    """The weight beside which a term is nought; None for a term that is what it is."""
    return _weight_of(f) if f.kinds & Call.bit else None


@cache
def _weight_of(f: Formula) -> Formula | None:
    if isinstance(f, Neg):
        f = f.body
    if isinstance(f, Mul) and len(f.factors) == 2 and isinstance(f.factors[0], Num):
        f = f.factors[1]
    return f.args[1] if isinstance(f, Call) and f.role is Role.NOUGHT else None


def unweighed(f: Formula) -> Formula:
    """A term that has a weight, as it is everywhere else."""
    coefficient, guarded = split_sign(f)
    assert isinstance(guarded, Call)
    return mul(Num(coefficient), guarded.args[0])


def monomial(c: Formula, a: Formula, b: Formula, m: Formula) -> Formula:
    """c·a^b·(log a)^m with the convention that it is 0 where c or a^b is 0; a plain power where neither matters."""
    if c == ZERO:
        return ZERO
    if m == ZERO and isinstance(c, Num) and (c.value.is_Rational or c.value.is_zero is False):
        return mul(c, power(a, b))
    return Call("monomial", (c, a, b, m))


_POWER = Pow(Arg(0), Arg(1))


@cache
def without_flat_powers(f: Formula) -> Formula:
    """The formula with plain powers for flat ones where the value is the same: for positive exponents."""
    if f.guards == _POWER:
        base, exponent = map(without_flat_powers, f.children)
        if isinstance(exponent, Num) and exponent.value.is_positive:
            return power(base, exponent)
    return changed(f, without_flat_powers)


def changed(f: Formula, change: Callable[[Formula], Formula]) -> Formula:
    """The formula with each of its parts changed, folded again; itself where they stay as they are."""
    parts = tuple([change(p) for p in f.children])
    return f if parts == f.children else rebuild(f, parts)


def rebuild(f: Formula, parts: tuple[Formula, ...]) -> Formula:
    """The same node over other children, folded again."""
    if isinstance(f, Call):
        return FOLDED[f.name](*parts) if f.name in FOLDED else Call(f.name, parts)
    fold = _FOLDING.get(type(f))
    return f if fold is None else fold(*parts)


_FOLDING: dict[type[Formula], Callable[..., Formula]] = {Add: add, Mul: mul, Neg: neg, Div: div, Pow: power}


def substitute(f: Formula, leaf: Callable[[Formula], Formula]) -> Formula:
    """Replace every Arg and Out by ``leaf(it)``."""
    return _replaced(f, leaf, rebuild, {})


def renamed(f: Formula, places: Mapping[int, int] | Sequence[int]) -> Formula:
    """The formula with Arg(i) called Arg(places[i]), no two of them alike: nothing is to be folded."""
    return _replaced(f, lambda leaf: argument(places[leaf.index]) if isinstance(leaf, Arg) else leaf, remade, {})


_LEAVES = Arg.bit | Out.bit


def _replaced(f: Formula, leaf: Callable[[Formula], Formula], node: Callable[[Formula, tuple[Formula, ...]], Formula],
              known: dict[Formula, Formula]) -> Formula:
    """The formula over other leaves, its nodes made anew; a part that stands in several places once."""
    if not f.kinds & _LEAVES:
        return f
    if not f.children:
        return leaf(f)
    found = known.get(f)
    if found is None:
        old = f.children
        new = tuple([_replaced(part, leaf, node, known) for part in old])
        found = known[f] = f if new == old else node(f, new)
    return found


def remade(f: Formula, parts: tuple[Formula, ...]) -> Formula:
    """The same node over other children, as they are."""
    if isinstance(f, (Add, Mul)):
        return type(f)(parts)
    return Call(f.name, parts) if isinstance(f, Call) else type(f)(*parts)


def over(f: Formula, args: Sequence[Formula]) -> Formula:
    """The formula over other formulas in place of its arguments."""
    return substitute(f, lambda leaf: args[leaf.index] if isinstance(leaf, Arg) else leaf)


@cache
def over_output(f: Formula, place: int) -> Formula:
    """The formula with an argument of that number in place of the row's own value."""
    return substitute(f, lambda leaf: leaf if isinstance(leaf, Arg) else Arg(place)) if has(f, Out) else f


@cache
def written_once(f: Formula) -> tuple[bool, ...]:
    """For each of `arguments`, whether it stands in one place only."""
    places = all_arguments(f)
    return tuple([places.count(i) == 1 for i in arguments(f)])


@cache
def all_arguments(f: Formula) -> tuple[int, ...]:
    return (f.index,) if isinstance(f, Arg) else tuple(chain.from_iterable(map(all_arguments, f.children)))


# what is known of functions by their names, see `scalars.register`
ROLES: dict[str, Role] = {}
FOLDED: dict[str, Callable[..., Formula]] = {}  # what makes a call of its arguments, where some of them need none
GUARDED: dict[str, Formula] = {}  # guarded arithmetic by name: what it is written as, over its arguments
ARITHMETIC: set[str] = set()  # what of it is part of the formula around it


def called(f: Formula) -> str | None:
    """The name when a formula is one function of the table; guarded arithmetic counts as arithmetic."""
    return f.name if isinstance(f, Call) and f.name not in ARITHMETIC else None


@cache
def written(f: Formula) -> Formula:
    """A formula as a reader sees it: guarded arithmetic as the arithmetic that it guards."""
    if not has(f, Call):
        return f
    return changed(f, written) if f.guards is None else over(f.guards, tuple(map(written, f.children)))


def has_calls(f: Formula) -> bool:
    return has(f, Call) and _has_calls(f)


@cache
def _has_calls(f: Formula) -> bool:
    return called(f) is not None or any(map(has_calls, f.children))


@cache
def calls_apart(f: Formula, count: int) -> tuple[tuple[Call, ...], Formula]:
    """The calls in a formula over ``count`` arguments, each over these and the values of the calls before it, which are
    the next arguments; and the formula without them."""
    apart: list[Call] = []
    left = _without_calls(f, count, apart)
    return tuple(apart), left


def _without_calls(f: Formula, count: int, apart: list[Call]) -> Formula:
    if not has_calls(f):
        return f
    parts = tuple([_without_calls(part, count, apart) for part in f.children])
    name = called(f)
    if name is None:
        return rebuild(f, parts)
    apart.append(Call(name, parts))
    return Arg(count + len(apart) - 1)


@cache
def calls(f: Formula) -> frozenset[str]:
    """The functions of the table that a formula calls, guarded arithmetic included."""
    own = {f.name} if isinstance(f, Call) else set()
    return frozenset(own.union(*map(calls, f.children))) if has(f, Call) else frozenset()


def has(f: Formula, kind: type[Formula]) -> bool:
    """Whether a node of a kind stands in the formula."""
    return bool(f.kinds & kind.bit)


@cache
def split_sign(f: Formula) -> tuple[sp.Expr, Formula]:
    """(coefficient, rest) with f = coefficient·rest and no number left in front of rest."""
    if isinstance(f, Neg):
        coefficient, rest = split_sign(f.body)
        return -coefficient, rest
    if isinstance(f, Num):
        return f.value, ONE
    if isinstance(f, Mul) and isinstance(f.factors[0], Num):
        others = f.factors[1:]
        return f.factors[0].value, others[0] if len(others) == 1 else Mul(others)
    return sp.S.One, f
