"""The scalar functions: one record each, from which printing, reference values, tests and docs follow.

To add an elementwise function, add one `Scalar` below: with a head of its own and its derivatives, or with SymPy's own
function as its head, whose ``diff`` is used where a derivative is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from inspect import signature
from math import inf
from typing import Any, NamedTuple, TypeAlias

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.formula import (
    ARITHMETIC,
    FOLDED,
    GUARDED,
    ONE,
    OUT,
    ROLES,
    ZERO,
    Add,
    Arg,
    Call,
    Div,
    Formula,
    Mul,
    Neg,
    Num,
    Out,
    Pow,
    arguments,
    call,
    calls,
    monomial,
    nought,
    power,
)
from symbackprop.core.names import primes
from symbackprop.core.roles import Role
from symbackprop.errors import UsageError

X, Y, Z, M = Arg(0), Arg(1), Arg(2), Arg(3)
Numpy = Any
Show: TypeAlias = Callable[[Sequence[maths.Math], Call], maths.Math]


class Switch(NamedTuple):
    """Where a function passes from one piece to another: ``left no right`` holds for one piece, ``left yes right`` for
    the other; both are relations such as ``<``."""

    left: Formula
    right: Formula
    no: str
    yes: str


NO_POLE = "x is not 0, -1, -2, …"
AT_ZERO, AT_TIE = (Switch(X, ZERO, "<", ">"),), (Switch(X, Y, "<", ">"),)
TRUTH = (Switch(X, ZERO, "==", "!="),)


class Opaque(sp.Function):  # type: ignore[misc]
    """A real function that SymPy never evaluates or rewrites; its derivative is that of its record, over the heads of
    other records: the derivative of softplus is then the very sigmoid that another row may already hold."""

    is_real = True
    is_commutative = True

    def __init_subclass__(cls) -> None:
        """Heads differ in nothing that SymPy works out for every class."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        slope = BY_HEAD[type(self)].partials[argindex - 1]
        assert slope is not None
        return to_sympy(slope, self.args, self)


def opaque(name: str) -> type[Opaque]:
    """A new head."""
    return type(name, (Opaque,), {})


@dataclass(frozen=True)
class Scalar:
    """One elementwise function.

    ``partials`` are the derivatives by each argument over `Arg` and `OUT` (None: by SymPy's ``diff``), those at the
    ``canonical`` places written in SymPy's order. ``shown`` is how many arguments print; the rest are conventions. It
    prints by its name, or as ``text`` and ``latex`` call it, as the formula in ``spelled``, or as ``show`` makes it of
    its arguments as mathematics; in model text it may be ``called`` otherwise. ``reference(np, *arrays)`` is written
    independently of emitted code (`codegen.arrays`) and is what `verify` trusts. ``domain`` is where random inputs are
    drawn, one interval per argument; ``defined`` says where the function is. ``log`` is log f and ``complement`` 1 − f,
    of a function of one argument, where these have a form that neither overflows nor cancels; so are ``log1p`` for
    log(1 + f), ``log_minus`` for log(−f), ``centred`` for f − 1/2, ``rest`` for 1 − f²,
    ``mean`` for f(x)/x and ``excess`` for f(x) − x;
    f(x) is the angle whose sine (0) or cosine (1) is x, as ``angle`` says, the ``area`` whose hyperbolic cosine is x,
    or on all numbers the inverse of what it ``undoes``;
    ``scaled`` is (a, b) where f is e^a·b and b of moderate size, ``mirrored`` is g where f(x) is e^x·g. The ``tails``
    are (a, b) where f is, to rounding error, a number times e^(a·x) far out on the left and e^(b·x) on the right, or
    None for neither.
    ``odd``: f(−x) = −f(x), ``even``: f(−x) = f(x); f is Σ sign·log of ``logs``; ``power``: f(x) is x to that power;
    ``square``: an even power of f(x) is one of x, with the exponent times that.
    ``guards`` is the arithmetic that the function is but for points where that is nan: it is written as that, and is
    part of the formula around it unless it is a row of its own (``alone``). What makes a call of its arguments where
    numbers among them may need none is ``folded``; what rewrites know it as is its ``role``. A glossary says what it
    ``means`` where not every reader knows that: a formula, or words about it. Weights in front of it start with
    ``gain`` times the variance that a product alone asks for. Where its first argument may be a logarithm, of which a
    slope of 1e-200 is one of 1 behind, `of_log` names its twin, whose derivatives are ``from_argument``: its value has
    long been its limit there. A derivation calls its value what it ``gives``, and its
    first argument what it ``reads``, where they have no names.

    What is known of the values: ``said`` are the derivatives by each argument that are better said than written,
    and ``kink`` is what holds where there is none. A function made of pieces says in ``switches`` where they meet,
    and the slopes by each argument that are ``stated`` there, over the values of these (for `verify`, as
    ``reference``); one whose derivative is infinite at 0 is ``singular`` there. One that ``chooses`` is always
    equal to one of these arguments (the ``largest``), one that is ``whole`` keeps integers integers, and one
    that is known of sizes has its value there from ``exact``. Over all
    floats, infinite ones too, values lie in the ``range``; ``positive``: they are never 0; ``flat``: where they are
    0, their least, the derivative is 0 too. ``finite``: they are so at all finite arguments, or where a formula
    over these is positive, or not known to be so. Where it levels off, one that is ``slow`` does so as a power of its
    argument, any other one as an exponential. A ``logarithm`` is −∞ where what it is the logarithm of is 0: a
    weight 0 makes that 0.
    """

    name: str
    head: Any
    reference: Callable[..., Any]
    partials: tuple[Formula | None, ...] = (None,)
    domain: tuple[tuple[float, float], ...] = ((-2.0, 2.0),)
    canonical: tuple[int, ...] = ()
    shown: int = 0
    latex: str | None = None
    text: str | None = None
    spelled: Formula | None = None
    means: Formula | str = ""
    show: Show | None = None
    public: bool = True
    called: str = ""
    boolean: bool = False
    note: str = ""
    said: tuple[str, ...] = ()
    kink: tuple[str | maths.Math, ...] = ()
    defined: str = "any floats"
    log: Formula | None = None
    complement: Formula | None = None
    centred: Formula | None = None
    log_minus: Formula | None = None
    rest: Formula | None = None
    mean: Formula | None = None
    excess: Formula | None = None
    angle: int | None = None
    area: bool = False
    undoes: str = ""
    scaled: tuple[Formula, Formula] | None = None
    mirrored: Formula | None = None
    tails: tuple[int | None, int | None] = (None, None)
    odd: bool = False
    even: bool = False
    power: sp.Expr | None = None
    square: sp.Expr | None = None
    switches: tuple[Switch, ...] = ()
    stated: Callable[..., tuple[Any, ...]] | None = None
    singular: bool = False
    chooses: tuple[int, ...] = ()
    largest: bool = False
    whole: bool = False
    exact: Callable[..., sp.Expr] | None = None
    range: tuple[float, float] = (-inf, inf)
    positive: bool = False
    flat: bool = False
    finite: Formula | bool = True
    slow: bool = False
    logarithm: bool = False
    log1p: Formula | None = None
    logs: tuple[tuple[int, Formula], ...] = ()
    guards: Formula | None = None
    folded: Callable[..., Formula] | None = None
    role: Role | None = None
    alone: bool = False
    from_argument: tuple[Formula | None, ...] = ()
    gain: int = 1
    gives: str = ""
    reads: str = ""

    @property
    def arity(self) -> int:
        return self.shown or len(self.domain)

    @property
    def stays(self) -> bool:
        """Whether SymPy never evaluates or rewrites it."""
        return isinstance(self.head, type) and issubclass(self.head, Opaque)

    @property
    def of_log(self) -> str:
        """The name of its twin, whose derivatives are taken from its argument; nothing where there is none."""
        return f"{self.name}_of_log" if self.from_argument else ""

    @property
    def exponential(self) -> bool:
        """Whether it is exp."""
        return self.log == X

    @property
    def overflows(self) -> bool:
        """Whether it has a logarithm and is infinite at no number, but in floats."""
        return self.log is not None and self.range[1] == inf and self.finite is not True


class Abstract(str):
    """The name of an abstract function that a model declares, or of its derivative of some ``order``: f, f′, f″ … It is
    all that its record is made of, and equal to that of another model's which prints the same (``notation``: LaTeX)."""

    of: str
    notation: str
    order: int

    def __new__(cls, of: str, notation: str = "", order: int = 0) -> Abstract:
        self = super().__new__(cls, of + primes(order))
        self.of, self.notation, self.order = of, notation, order
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.of, self.notation, self.order

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Abstract) and (self.notation, str(self)) == (other.notation, str(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((str(self), self.notation))

    def prime(self, by: int = 1) -> Abstract:
        """The derivative; with −1 what this is the derivative of."""
        return Abstract(self.of, self.notation, self.order + by)


@cache
def _abstract(name: Abstract) -> Scalar:
    """The record of an abstract function."""
    means = "is the derivative of" if name.order else "is a function of one number, applied to every entry"
    record = Scalar(name, opaque(name), lambda np, x: _undefined(name, np, x), (call(name.prime(), X),), means=means)
    BY_HEAD[record.head] = record
    return record


def _undefined(name: Abstract, np: Numpy, x: Any) -> Any:
    raise UsageError(undefined([name.of]))


def undefined(names: Sequence[str]) -> str:
    """What to say where numbers are wanted of abstract functions."""
    which = f"{' and '.join(names)} {'is an abstract function' if len(names) == 1 else 'are abstract functions'}"
    return f"{which} without values: give --define {','.join([f'{name}=tanh' for name in names])}"


class _Table(dict[str, Scalar]):
    """The records by name; those of abstract functions are made of the name."""

    def __missing__(self, name: str) -> Scalar:
        if isinstance(name, Abstract):
            return _abstract(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, Abstract) or super().__contains__(name)


TABLE: dict[str, Scalar] = _Table()
BY_HEAD: dict[Any, Scalar] = {}


def register(*records: Scalar) -> None:
    """Add records that may call each other; where one is incomplete or there already, none is added."""
    names = [*TABLE, *[r.name for r in records]]
    for record in records:
        problem = _problem(record, names)
        if problem:
            raise ValueError(f"{record.name}: {problem}")
    for record in records:
        TABLE[record.name] = BY_HEAD[record.head] = record
        if record.role is not None:
            ROLES[record.name] = record.role
        if record.folded is not None:
            FOLDED[record.name] = record.folded
        if record.guards is not None:
            GUARDED[record.name] = record.guards
            ARITHMETIC.update(() if record.alone else (record.name,))


def _problem(r: Scalar, names: Sequence[str]) -> str:
    """What is wrong with a record; nothing where all is well."""
    if names.count(r.name) > 1:
        return "the scalar function is registered twice"
    if not callable(r.reference) or len(r.domain) < r.arity:
        return "a reference and one domain per argument are required"
    if len(r.partials) < r.arity:
        return f"{r.arity} arguments but {len(r.partials)} derivatives"
    given = len(signature(r.reference).parameters) - 1
    if given != len(r.domain):
        return f"the reference takes {given} arguments, domain has {len(r.domain)}"
    given_forms = (*r.partials, r.log, r.log_minus, r.complement, r.centred, r.rest, r.mean, r.excess,
                   *(r.scaled or ()), r.mirrored, r.log1p, *[x for _, x in r.logs], r.guards, r.spelled,
                   *r.from_argument, None if isinstance(r.means, str) else r.means)
    forms = [x for x in given_forms if x is not None]
    forms += [] if isinstance(r.finite, bool) else [r.finite]
    forms += [side for switch in r.switches for side in switch[:2]]
    strange = [x for form in forms for x in _no_formulas(form)]
    if strange:
        return f"{strange[0]!r} is no formula"
    unknown = [n for form in forms for n in sorted(calls(form)) if n not in names]
    if unknown:
        return f"{unknown[0]} is not in the table of scalar functions"
    if any(i >= len(r.domain) for form in forms for i in arguments(form)):
        return f"a formula reads an argument that is none of the {len(r.domain)}"
    known = hasattr(r.head, "fdiff") and not issubclass(r.head, Opaque)
    undefined = [] if known else [k for k, p in enumerate(r.partials[: r.arity]) if p is None]
    return f"SymPy cannot differentiate the head: derivative {undefined[0]} is missing" if undefined else ""


def _no_formulas(form: Any) -> list[Any]:
    """The parts of a formula that are none."""
    return [x for c in form.children for x in _no_formulas(c)] if isinstance(form, Formula) else [form]


PLACEHOLDERS = tuple(sp.Symbol(f"x{i}", real=True) for i in range(64))
OUTPUT = sp.Symbol("o", real=True)


def to_sympy(form: Formula, args: Sequence[sp.Expr] = PLACEHOLDERS, out: sp.Expr = OUTPUT) -> sp.Expr:
    """The canonical SymPy expression of a formula over the given argument expressions."""
    if args is PLACEHOLDERS and out is OUTPUT:
        return _canonical(form)
    match form:
        case Arg(index):
            return args[index]
        case Out():
            return out
    return _combined(form, [to_sympy(part, args, out) for part in form.children])


@cache
def _canonical(form: Formula) -> sp.Expr:
    """The expression over the placeholders; sums that grow by a term have their other terms already."""
    match form:
        case Arg(index):
            return PLACEHOLDERS[index]
        case Out():
            return OUTPUT
    return _combined(form, [_canonical(part) for part in form.children])


def _combined(form: Formula, parts: Sequence[sp.Expr]) -> sp.Expr:
    match form:
        case Num(value):
            return value
        case Add():
            return sp.Add(*parts)
        case Mul():
            return sp.Mul(*parts)
        case Neg():
            return -parts[0]
        case Div():
            return parts[0] / parts[1]
        case Pow():
            return sp.Pow(parts[0], parts[1])
        case Call(name, _):
            return TABLE[name].head(*parts)
    raise TypeError(f"not a formula: {form!r}")


def _sigmoid(np: Numpy, x: Any) -> Any:
    e = np.exp(-_abs(np, x))
    return np.where(np.real(x) >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(np: Numpy, x: Any) -> Any:
    return np.where(np.real(x) >= 0, x, 0) + np.log1p(np.exp(-_abs(np, x)))


def _logaddexp(np: Numpy, a: Any, b: Any) -> Any:
    first = np.real(a) >= np.real(b)
    top, rest = np.where(first, a, b), np.where(first, b, a)
    gap = np.where(np.real(rest) == -np.inf, -np.inf, rest - np.where(np.isinf(np.real(top)), 0.0, top))
    return top + np.log1p(np.exp(gap))


def _abs(np: Numpy, x: Any) -> Any:
    """|x|; over complex numbers ±x by the sign of the real part, so that a complex step differentiates it."""
    return np.where(np.real(x) < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)


def _erf(np: Numpy, x: Any) -> Any:
    from math import erf

    return _integral(np, erf, lambda v: 2 * np.exp(-v * v) / np.sqrt(np.pi), x)


def _normal_cdf(np: Numpy, x: Any) -> Any:
    from math import erfc

    return _integral(np, lambda v: 0.5 * erfc(-v / 2**0.5), lambda v: np.exp(-v * v / 2) / np.sqrt(2 * np.pi), x)


def _log_normal_cdf(np: Numpy, x: Any) -> Any:
    from math import erfc, log, log1p, pi

    def value(v: float) -> float:
        if v > FAR:
            return log(0.5 * erfc(-v / 2**0.5)) if v < 0 else log1p(-0.5 * erfc(v / 2**0.5))
        return -v * v / 2 - log(2 * pi) / 2 - log(-v + _mills_fraction(-v))

    return _integral(np, value, lambda v: _inverse_mills(np, v), x)


def _inverse_mills(np: Numpy, x: Any) -> Any:
    from math import erfc, exp, pi, sqrt

    def value(v: float) -> float:
        if v > FAR:
            return 2 * exp(-min(v * v, 1e4) / 2) / sqrt(2 * pi) / erfc(-v / 2**0.5)
        return -v + _mills_fraction(-v)

    return _integral(np, value, lambda v: -_inverse_mills_fall(np, v), x)


def _inverse_mills_fall(np: Numpy, x: Any) -> Any:
    def value(v: float) -> float:
        ratio, rest = float(_inverse_mills(np, v)), _mills_fraction(-v) if v <= FAR else 0.0
        return 1.0 if v == -np.inf else ratio * (rest if v <= FAR else min(v, 1e3) + ratio)

    def slope(v: Any) -> Any:
        ratio, fall = _inverse_mills(np, v), _inverse_mills_fall(np, v)
        return ratio * (1 - fall) - fall * (v + ratio)

    return _integral(np, value, slope, x)


def _exact(np: Numpy, function: Callable[[Any], Any], slope: Callable[[Any], Any], x: Any) -> Any:
    """A function that mpmath evaluates to all digits; NaN where it is not real."""
    import mpmath

    def value(v: float) -> float:
        if v != v:
            return v
        with mpmath.workdps(50):
            found = function(mpmath.mpf(v))
        return float(found) if mpmath.im(found) == 0 else float("nan")

    return _integral(np, value, slope, x)


def _lgamma(np: Numpy, x: Any) -> Any:
    from mpmath import loggamma, re

    return _exact(np, lambda v: inf if _is_pole(v) else re(loggamma(v)), lambda v: _polygamma(np, 0, v), x)


def _is_pole(v: Any) -> bool:
    """Whether the gamma function is infinite there: at 0, −1, −2, …"""
    return float(v) <= 0 and float(v).is_integer()


def _polygamma(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import nan, psi

    def value(k: int, v: Any) -> Any:
        if abs(v) == inf:
            return nan if v < 0 else 0 if k else inf
        return nan if _is_pole(v) else psi(k, v)

    return _by_order(np, n, lambda k: _exact(np, lambda v: value(k, v), lambda v: _polygamma(np, k + 1, v), x))


def _bessel_ratio(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import besseli

    def ratio(k: int, v: Any) -> Any:
        size = abs(v)
        return size if size == inf else besseli(k, size) / size**k if size > 1e-30 else _bessel_at_0(k)

    return _by_order(np, n, lambda k: _exact(np, lambda v: ratio(k, v), lambda v: v * _bessel_ratio(np, k + 1, v), x))


def _bessel_at_0(k: int) -> Any:
    from mpmath import factorial, mpf

    return 1 / (mpf(2) ** k * factorial(k))


def _bessel_scaled(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import besseli, exp, mpf, pi, sqrt

    def scaled(k: int, v: Any) -> Any:
        size, m = abs(v), 4 * k**2
        if size < 1e6:
            return exp(-size) * besseli(k, size) / size**k if size > 1e-30 else _bessel_at_0(k)
        wave = 1 - (m - 1) / (8 * size) * (1 - (m - 9) / (16 * size))  # Hankel's expansion
        return mpf(0) if size == inf else wave / (sqrt(2 * pi * size) * size**k)

    def slope(k: int, v: Any) -> Any:
        return _bessel_slope(np, k, v)

    return _by_order(np, n, lambda k: _exact(np, lambda v: scaled(k, v), lambda v: slope(k, v), x))


def _bessel_slope(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import besseli, exp, mpf, pi, sign, sqrt

    def slope(k: int, v: Any) -> Any:
        size = abs(v)
        if size < 1e6:
            fall = exp(-size) * (besseli(k, size) - besseli(k + 1, size)) / size**k if size > 1e-30 else _bessel_at_0(k)
            return -sign(v) * fall
        ones = [(4 * m**2 - 1) / (8 * size) * (1 - (4 * m**2 - 9) / (16 * size)) for m in (k, k + 1)]
        return mpf(0) if size == inf else sign(v) * (ones[0] - ones[1]) / (sqrt(2 * pi * size) * size**k)

    def curve(k: int, v: Any) -> Any:
        return _bessel_scaled(np, k + 1, v) + v * _bessel_slope(np, k + 1, v) - np.sign(v) * _bessel_slope(np, k, v)

    return _by_order(np, n, lambda k: _exact(np, lambda v: slope(k, v), lambda v: curve(k, v), x))


def _by_order(np: Numpy, n: Any, function: Callable[[int], Any]) -> Any:
    """A function of an order, which counts as the nearest whole number, for every order up to 100 that there is."""
    orders = np.round(np.real(n))
    known = [int(k) for k in np.unique(orders) if 0 <= k <= 100]
    return sum([np.where(orders == k, function(k), 0.0) for k in known], np.where(np.isin(orders, known), 0.0, np.nan))


def _erfc(np: Numpy, x: Any) -> Any:
    from math import erfc

    return _integral(np, erfc, lambda v: -2 * np.exp(-v * v) / np.sqrt(np.pi), x)


def _erfinv(np: Numpy, x: Any) -> Any:
    from mpmath import erfinv, nan, sign

    def value(v: Any) -> Any:
        return erfinv(v) if abs(v) < 1 else sign(v) * inf if abs(v) == 1 else nan

    return _exact(np, value, lambda v: np.sqrt(np.pi) / 2 * np.exp(_erfinv(np, v) ** 2), x)


def _ndtri(np: Numpy, x: Any) -> Any:
    from statistics import NormalDist

    def value(p: float) -> float:
        return NormalDist().inv_cdf(p) if 0 < p < 1 else {0.0: -inf, 1.0: inf}.get(p, float("nan"))

    return _integral(np, value, lambda v: np.sqrt(2 * np.pi) * np.exp(_ndtri(np, v) ** 2 / 2), x)


def _erfcx(np: Numpy, x: Any) -> Any:
    from math import erfc, pi, sqrt

    def value(v: float) -> float:
        if v > -FAR:
            return sqrt(2 / pi) / (sqrt(2) * v + _mills_fraction(sqrt(2) * v))
        return float(np.exp(v * v) * erfc(v))

    return _integral(np, value, lambda v: -_erfcx_fall(np, v), x)


def _erfcx_fall(np: Numpy, x: Any) -> Any:
    def value(v: float) -> float:
        if v > -FAR:  # 2(1/√π − v·erfcx), with erfcx = 1/(√π·(v + m/√2))
            rest = _mills_fraction(2**0.5 * v) / 2**0.5
            return float(2 / np.sqrt(np.pi) * (rest / (v + rest)))
        return float(2 / np.sqrt(np.pi) - 2 * v * _erfcx(np, v))

    return _integral(np, value, lambda v: 2 * v * _erfcx_fall(np, v) - 2 * _erfcx(np, v), x)


def _log_cosh(np: Numpy, x: Any) -> Any:
    size = _abs(np, x)
    near = np.log1p(2 * np.sinh(np.where(np.real(size) < 1, x, 0) / 2) ** 2)
    return np.where(np.real(size) < 1, near, size + np.log1p(np.exp(-2 * size)) - np.log(2.0))


def _atan2(np: Numpy, y: Any, x: Any) -> Any:
    """The angle; over complex numbers its continuation to first order."""
    b, a = np.real(y), np.real(x)
    angle = np.arctan2(b, a)
    turned = np.iscomplexobj(x) or np.iscomplexobj(y)
    return angle + 1j * (a * np.imag(y) - b * np.imag(x)) / (a * a + b * b) if turned else angle


def _floor_divide(np: Numpy, a: Any, b: Any) -> Any:
    return np.floor_divide(np.real(a), np.real(b))


def _whole_quotient(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return sp.floor(to_sympy(Num(a) / Num(b)))


def _remainder(np: Numpy, a: Any, b: Any) -> Any:
    rest, whole = np.remainder(np.real(a), np.real(b)), _floor_divide(np, a, b)
    moved = np.iscomplexobj(a) or np.iscomplexobj(b)
    return rest + 1j * (np.imag(a) - whole * np.imag(b)) if moved else rest


FAR = -5.0


def _mills_fraction(t: float) -> float:
    """1/(t + 2/(t + 3/(t + …))) = φ(t)/(1 − Φ(t)) − t, Laplace's continued fraction."""
    tail = t
    for k in range(200, 0, -1):
        tail = t + (k + 1) / tail
    return 1 / tail


def _logit_loss(np: Numpy, z: Any, y: Any) -> Any:
    def term(weight: Any, x: Any) -> Any:
        return _gated(np, _softplus(np, x), weight)

    return term(y, -z) + term(1 - y, z)


def _integral(np: Numpy, function: Callable[[float], float], density: Callable[[Any], Any], x: Any) -> Any:
    """A function that is defined as the integral of a density; over complex numbers its continuation to first order,
    which is exact for the tiny imaginary parts of a complex step."""
    real = np.vectorize(lambda v: function(float(v)), otypes=[float])(np.real(x))  # mpmath takes no others of NumPy's
    if not np.iscomplexobj(x):
        return real
    moved = np.imag(x) != 0  # where the slope is infinite, too, what stays is real
    return real + 1j * np.where(moved, np.imag(x) * density(np.real(x)), 0)


def _log_one_minus_exp(np: Numpy, x: Any) -> Any:
    return np.where(np.real(x) > -1, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def _softplus_share(np: Numpy, x: Any) -> Any:
    far = np.real(x) < -37  # where both are e^x to rounding
    near = np.where(far, 0, x)
    return np.where(far, 1.0, _sigmoid(np, near) / _softplus(np, near))


def _log_softplus(np: Numpy, x: Any) -> Any:
    far = np.real(x) < -37  # where softplus is e^x to rounding
    return np.where(far, x, np.log(_softplus(np, np.where(far, 0, x))))


def _log_twice_sigmoid(np: Numpy, x: Any) -> Any:
    near = np.log1p(np.tanh(np.where(np.abs(np.real(x)) < 1, x, 0) / 2))
    return np.where(np.abs(np.real(x)) < 1, near, np.log(2.0) - _softplus(np, -x))


def _known(np: Numpy, near: Callable[[Any], Any], far: Callable[[Any], Any], slope: Callable[[Any], Any], x: Any,
           ends: tuple[float, float]) -> Any:
    """A function that mpmath evaluates to all digits, up to 30 by ``near``; ``ends`` are its limits."""
    import mpmath

    def value(v: float) -> float:
        if v != v or abs(v) == inf:
            return v if v != v else ends[v > 0]
        with mpmath.workdps(60 - 2 * min(0, int(mpmath.log10(abs(v) or 1)))):
            return float((near if abs(v) <= 30 else far)(mpmath.mpf(v)))

    return _integral(np, value, slope, x)


def _climbed(first: Any, step: Callable[[int, Any], Any], k: int) -> Any:
    """What follows k steps after the first."""
    for j in range(k):
        first = step(j, first)
    return first


def _log1p_excess(np: Numpy, x: Any) -> Any:
    from mpmath import log

    def value(v: Any) -> Any:
        return v - log(1 + v) if v > -1 else float("nan" if v < -1 else "inf")

    return _known(np, value, value, lambda v: v / (1 + v), x, (float("nan"), inf))


def _e(v: Any) -> Any:
    from mpmath import exp

    return exp(v)


def _exp_mean(k: int, v: Any) -> Any:
    """The integral of tᵏ·e^(t·v) over 0 < t < 1."""
    from mpmath import hyp1f1

    if abs(v) <= 30:
        return hyp1f1(k + 1, k + 2, v) / (k + 1)
    return _climbed((_e(v) - 1) / v, lambda j, found: (_e(v) - (j + 1) * found) / v, k)


def _log_exp_mean(np: Numpy, x: Any) -> Any:
    from mpmath import log

    return _known(np, lambda v: log(_exp_mean(0, v)), lambda v: log(_exp_mean(0, v)), lambda v: _exp_share(np, 1, v),
                  x, (-inf, inf))


def _exp_share(np: Numpy, n: Any, x: Any) -> Any:
    def of_order(k: int) -> Any:
        def share(v: Any) -> Any:
            return _exp_mean(k, v) / _exp_mean(0, v)

        def slope(v: Any) -> Any:
            return _exp_share(np, k + 1, v) - _exp_share(np, k, v) * _exp_share(np, 1, v)

        return _known(np, share, share, slope, x, (0.0 ** min(k, 1), 1.0))

    return _by_order(np, n, of_order)


def _log_mean(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import factorial, hyp2f1, log

    def near(k: int, v: Any) -> Any:
        factor = (-1) ** k * factorial(k) / (k + 1)
        return factor * hyp2f1(k + 1, k + 1, k + 2, -v) if v > -1 else float("inf" if v == -1 and not k else "nan")

    def far(k: int, v: Any) -> Any:
        if v < -1:
            return float("nan")
        step = _climbed(log(1 + v) / v, lambda j, found: (found - (1 + v) ** -(j + 1) / (j + 1)) / v, k)
        return (-1) ** k * factorial(k) * step

    return _by_order(np, n, lambda k: _known(np, lambda v: near(k, v), lambda v: far(k, v),
                                             lambda v: _log_mean(np, k + 1, v), x, (float("nan"), 0.0)))


def _sine_mean(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import cos, fac2, hyp0f1, sin

    def far(k: int, v: Any) -> Any:
        pairs = _climbed((cos(v), sin(v) / v), lambda j, p: (p[1], ((2 * j + 1) * p[1] - p[0]) / v**2), k)
        return pairs[1]

    return _by_order(np, n, lambda k: _known(
        np, lambda v: hyp0f1(k + 1.5, -v * v / 4) / fac2(2 * k + 1), lambda v: far(k, v),
        lambda v: -v * _sine_mean(np, k + 1, v), x, (0.0, 0.0)))


def _tanh_mean(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import hyp0f1, tanh

    def near(k: int, v: Any) -> Any:
        return hyp0f1(k + 1.5, v * v / 4) / hyp0f1(k + 0.5, v * v / 4) / (2 * k + 1)

    def far(k: int, v: Any) -> Any:
        return _climbed(tanh(v) / v, lambda j, found: (1 / found - (2 * j + 1)) / v**2, k)

    def slope(k: int, v: Any) -> Any:
        return v * _tanh_mean(np, k, v) * (_tanh_mean(np, k + 1, v) - _tanh_mean(np, k, v))

    return _by_order(np, n, lambda k: _known(np, lambda v: near(k, v), lambda v: far(k, v), lambda v: slope(k, v), x,
                                             (0.0, 0.0)))


def _gauss_mean(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import hyp1f1

    def of_order(k: int) -> Any:
        def mean(v: Any) -> Any:
            return hyp1f1(k + 0.5, k + 1.5, -v * v) / (2 * k + 1)

        return _known(np, mean, mean, lambda v: -2 * v * _gauss_mean(np, k + 1, v), x, (0.0, 0.0))

    return _by_order(np, n, of_order)


def _arc_mean(np: Numpy, n: Any, x: Any, c: Any, p: Any) -> Any:
    from mpmath import hyp2f1, im, nan, rf

    sign, power = -1 if max(np.unique(np.real(c))) < 0 else 1, 0.5 if max(np.unique(np.real(p))) < 0.75 else 1

    def of_order(k: int) -> Any:
        def mean(v: Any) -> Any:
            inside = sign < 0 or abs(v) <= 1
            found = rf(power, k) * hyp2f1(power + k, k + 0.5, k + 1.5, sign * v * v) / (2 * k + 1) if inside else nan
            return found if im(found) == 0 else nan

        ends = (0.0, 0.0) if sign < 0 else (float("nan"), float("nan"))
        return _known(np, mean, mean, lambda v: 2 * sign * v * _arc_mean(np, k + 1, v, c, p), x, ends)

    return _by_order(np, n, of_order)


def _log_i0(np: Numpy, x: Any) -> Any:
    from mpmath import besseli, hyp0f1, log

    return _known(np, lambda v: log(hyp0f1(1, v * v / 4)), lambda v: log(besseli(0, v)),
                  lambda v: v * _bessel_share(np, 1, v), x, (inf, inf))


def _bessel_share(np: Numpy, n: Any, x: Any) -> Any:
    from mpmath import besseli, factorial, hyp0f1

    def near(k: int, v: Any) -> Any:
        return hyp0f1(k + 1, v * v / 4) / hyp0f1(1, v * v / 4) / (2**k * factorial(k))

    def slope(k: int, v: Any) -> Any:
        return v * (_bessel_share(np, k + 1, v) - _bessel_share(np, k, v) * _bessel_share(np, 1, v))

    return _by_order(np, n, lambda k: _known(
        np, lambda v: near(k, v), lambda v: besseli(k, v) / besseli(0, v) / v**k, lambda v: slope(k, v), x,
        (0.0 ** min(k, 1), 0.0 ** min(k, 1))))


def _above(np: Numpy, a: Any, b: Any, tie: Any) -> Any:
    return np.where(np.asarray(a) == b, tie, np.where(np.asarray(a) > b, 1.0, 0.0))


def _reciprocal(np: Numpy, x: Any) -> Any:
    return np.where(np.asarray(x) == 0, 0.0, 1 / np.where(np.asarray(x) == 0, 1.0, x))


def _ratio(np: Numpy, a: Any, b: Any) -> Any:
    none = (np.asarray(a) == 0) & (np.asarray(b) == 0)
    return np.where(none, 0.0, a / np.where(none, 1.0, b))


def _flat_power(np: Numpy, x: Any, c: Any) -> Any:
    return np.where(np.asarray(x) == 0, 0.0, np.power(np.where(np.asarray(x) == 0, 1.0, x), c))


def _monomial(np: Numpy, c: Any, a: Any, b: Any, m: Any) -> Any:
    none = np.asarray(c) == 0
    power = np.power(a * 1.0, np.where(none, 1.0, b))
    logs = np.log(np.where(power == 0, 1.0, a)) ** m
    return np.where(none, 0.0, c * power * logs)


def _is_selected(np: Numpy, a: Any, s: Any) -> Any:
    return np.isfinite(a) | (np.asarray(s) != 0)


def _selected(np: Numpy, a: Any, s: Any) -> Any:
    return np.where(_is_selected(np, a, s), a, 0.0)


def _gated(np: Numpy, x: Any, gate: Any) -> Any:
    return np.where(np.asarray(gate) == 0, 0.0, x) * gate


def _limited(np: Numpy, x: Any) -> Any:
    size = np.abs(np.real(x))
    return np.where(size > LIMIT, LIMIT * np.sign(np.real(x)), x)


def _beyond(np: Numpy, x: Any) -> Any:
    return np.real(x) - np.minimum(np.maximum(np.real(x), -EXPONENT), EXPONENT)


def _bernoulli_loss(np: Numpy, p: Any, y: Any) -> Any:
    def term(weight: Any, q: Any) -> Any:
        return np.where(np.asarray(weight) == 0, 0.0, weight * np.log(np.where(np.asarray(weight) == 0, 1.0, q)))

    return -(term(y, p) + term(1 - y, 1 - p))


def _within(np: Numpy, x: Any) -> Any:
    near = np.minimum(np.maximum(np.real(x), -EXPONENT / 2), EXPONENT / 2)
    return near + 1j * np.imag(x) if np.iscomplexobj(x) else near


LIMIT = 1e100  # its cube is a float, and so is that of 1e12 in float32; gates are constant beyond it
EXPONENT = 300.0  # the square of e^300 is a float, and so is that of e^40 in float32: second derivatives have them
POSITIVE = ((0.3, 3.0),)
UNIT = ((-0.9, 0.9),)
ANY = (-2.0, 2.0)
TWO = (ANY, ANY)
NO = ZERO  # the derivative is 0 almost everywhere
HALF, LOG_2 = sp.Rational(1, 2), sp.log(2)

_MILLS = call("normal_pdf", X) / call("normal_cdf", X)

_ORDER = "the order counts as the nearest whole number"
TIES = "equal arguments of max and min share the gradient equally"
FLAT_ROOT = "the gradient of a norm, or of another root of a sum of squares, is 0 where that is 0"
RELU0 = maths.Sym("relu0")  # the convention of the model
_ZERO, _X = maths.Num(sp.S.Zero), maths.Sym("x")
_LARGER, _SMALLER = (f"{word}: the {which} one gets the gradient, equal ones half of it"
                     for word, which in (("max", "larger"), ("min", "smaller")))
_BRANCH = "where: only the branch taken gets the gradient"


def _prime(name: str, at: maths.Math, value: maths.Math) -> maths.Math:
    return maths.equal(maths.Fn(name, (at,), prime=True), value)


def _relation(sign: str) -> Show:
    return lambda args, form: maths.Indicator(maths.Relation(args[0], sign, args[1]))


def _is_above(args: Sequence[maths.Math], form: Call) -> maths.Math:
    """1[a > b]; the relation says what happens at a tie."""
    if form.args[2] == ONE:
        return _relation("≥")(args, form)
    above, equal = (_relation(sign)(args, form) for sign in ">=")
    return above if form.args[2] == ZERO else maths.total((False, above), (False, maths.Prod((equal,), sp.S.Half)))


def _holds(condition: maths.Math) -> maths.Math:
    return condition if is_truth(condition) else maths.Indicator(condition)


def is_truth(m: maths.Math) -> bool:
    """Whether what prints is 1 or 0 by itself: a comparison, a mask, by its entries or repeated, and what is made of
    such: both of them hold, one does, or the one does not."""
    match maths.within(m):
        case maths.Array(body) | maths.Outer(maths.Fill(), body):
            return is_truth(body)
        case maths.Sum(((False, maths.Num(sp.S.One)), (True, body))):
            return is_truth(body)
        case maths.Prod(parts, sp.S.One):
            return all(map(is_truth, parts))
        case maths.Fn(name, parts) if TABLE[name].chooses == (0, 1):
            return all(map(is_truth, parts))
        case inner:
            return isinstance(inner, maths.Indicator) or (isinstance(inner, maths.Op) and inner.name == "causal_mask")


def _piecewise(name: str) -> Callable[..., Any]:
    return lambda np, x: getattr(np, name)(np.real(x))


_RECORDS = [
    Scalar("exp", sp.exp, lambda np, x: np.exp(x), (OUT,), latex=r"\exp", log=X,
           range=(0.0, inf), positive=True, finite=1 - X, log1p=call("softplus", X),
           complement=-call("expm1", X), rest=-call("expm1", 2 * X), scaled=(X, ONE), tails=(1, 1)),
    Scalar("log", sp.log, lambda np, x: np.log(x), (1 / X,), POSITIVE, latex=r"\log",
           role=Role.LOG, defined="x > 0", logs=((1, X),),
           finite=X, logarithm=True),
    Scalar("log1p", opaque("log1p"), lambda np, x: np.log1p(x), (1 / (1 + X),), ((-0.5, 2.0),),
           spelled=call("log", 1 + X), defined="x > -1",
           finite=1 + X, logarithm=True, mean=call("log_mean", 0, X), excess=-call("log1p_excess", X)),
    Scalar("expm1", opaque("expm1"), lambda np, x: np.expm1(x), (call("exp", X),),
           spelled=call("exp", X) - 1, range=(-1.0, inf),
           finite=1 - X, log=X + call("log_one_minus_exp", -X), log_minus=call("log_one_minus_exp", X),
           mean=call("exp", call("log_exp_mean", X)), mirrored=-call("expm1", -X),
           scaled=(call("where", call("greater", X, 0), call("log_cosh", X / 2) + X / 2, call("softplus", X) - LOG_2),
                   2 * call("tanh", X / 2)), tails=(0, 1)),
    Scalar("sqrt", sp.sqrt, lambda np, x: np.sqrt(x), (1 / (2 * OUT),), POSITIVE,
           role=Role.ROOT, defined="x >= 0", power=HALF,
           range=(0.0, inf), singular=True),
    Scalar("abs", opaque("magnitude"), _abs, (call("sign", X),),
           note="derivative 0 at 0",
           switches=AT_ZERO, stated=lambda x: (0.0,),
           range=(0.0, inf), flat=True, whole=True,
           kink=(_prime("abs", _X, _ZERO), " at ", maths.equal(_X, _ZERO)), square=sp.S.One),
    Scalar("sign", opaque("signum"), lambda np, x: np.sign(np.real(x)), (NO,),
           note="derivative 0 everywhere", switches=AT_ZERO,
           range=(-1.0, 1.0)),
    Scalar("logit", opaque("logit"), lambda np, x: np.log(x) - np.log(1 - x), (1 / (X * (1 - X)),), ((0.1, 0.9),),
           means=call("log", X / (1 - X)), defined="0 < x < 1",
           logs=((1, X), (-1, 1 - X)), finite=X * (1 - X), logarithm=True),
    Scalar("sin", sp.sin, lambda np, x: np.sin(x), (call("cos", X),), latex=r"\sin", rest=call("cos", X) ** 2,
           mean=call("sine_mean", 0, X), odd=True),
    Scalar("cos", sp.cos, lambda np, x: np.cos(x), (-call("sin", X),), latex=r"\cos", rest=call("sin", X) ** 2,
           complement=2 * call("sin", X / 2) ** 2, even=True),
    Scalar("tan", sp.tan, lambda np, x: np.tan(x), (1 + OUT**2,), latex=r"\tan", odd=True, undoes="atan",
           mean=call("sine_mean", 0, X) / call("cos", X)),
    Scalar("asin", sp.asin, lambda np, x: np.arcsin(x), (1 / call("sqrt", 1 - X**2),), UNIT, latex=r"\arcsin",
           defined="-1 <= x <= 1", odd=True, finite=1 - X**2, angle=0, mean=call("arc_mean", 0, X, 1, HALF)),
    Scalar("acos", sp.acos, lambda np, x: np.arccos(x), (-1 / call("sqrt", 1 - X**2),), UNIT, latex=r"\arccos",
           defined="-1 <= x <= 1", finite=1 - X**2, angle=1),
    Scalar("atan", sp.atan, lambda np, x: np.arctan(x), (1 / (1 + X**2),), latex=r"\arctan", odd=True,
           range=(-1.6, 1.6), slow=True, mean=call("arc_mean", 0, X, -1, 1)),
    Scalar("atan2", opaque("atan2"), _atan2,
           (call("over_squares", Y, X), -call("over_squares", X, Y)), ((0.3, 2.0), ANY),
           means="is the angle of the point whose coordinates are its second and its first argument",
           note="derivative 0 at (0, 0)", finite=X**2 + Y**2, range=(-3.2, 3.2), slow=True),
    Scalar("sinh", sp.sinh, lambda np, x: np.sinh(x), (call("cosh", X),), latex=r"\sinh", odd=True, finite=False,
           log=X + call("log_one_minus_exp", -2 * X) - sp.log(2), scaled=(call("log_cosh", X), call("tanh", X)),
           tails=(-1, 1), mean=call("cosh", X) * call("tanh_mean", 0, X)),
    Scalar("cosh", sp.cosh, lambda np, x: np.cosh(x), (call("sinh", X),), latex=r"\cosh", finite=False,
           log=call("log_cosh", X), range=(0.0, inf), positive=True, complement=-2 * call("sinh", X / 2) ** 2,
           rest=-call("sinh", X) ** 2, tails=(-1, 1), even=True),
    Scalar("log_cosh", opaque("log_cosh"), _log_cosh, (call("tanh", X),), means=call("log", call("cosh", X)),
           range=(0.0, inf), flat=True, even=True),
    Scalar("asinh", sp.asinh, lambda np, x: np.arcsinh(x), (1 / call("hypot", 1, X),), odd=True, undoes="sinh",
           mean=call("arc_mean", 0, X, -1, HALF)),
    Scalar("acosh", sp.acosh, lambda np, x: np.arccosh(x),
           (1 / (call("sqrt", X - 1) * call("sqrt", X + 1)),), ((1.3, 3.0),), defined="x >= 1", finite=X - 1,
           area=True),
    Scalar("atanh", sp.atanh, lambda np, x: np.arctanh(x), (1 / (1 - X**2),), UNIT, defined="-1 < x < 1", odd=True,
           finite=1 - X**2, undoes="tanh", mean=call("arc_mean", 0, X, 1, 1)),
    *[Scalar(name, opaque(name), _piecewise(name), (NO,), note="derivative 0 everywhere", whole=True, exact=exact)
      for name, exact in (("floor", sp.floor), ("ceil", sp.ceiling), ("trunc", None), ("round", None))],
    Scalar("floor_divide", opaque("floor_divide"), _floor_divide, (NO, NO), (ANY, (0.3, 2.0)),
           means=call("floor", X / Y), note="derivative 0 everywhere; the quotient is not rounded before its floor is",
           defined="y is not 0", finite=Y**2, exact=_whole_quotient),
    Scalar("remainder", opaque("remainder"), _remainder, (ONE, -call("floor_divide", X, Y)), (ANY, (0.3, 2.0)),
           means=X - Y * call("floor_divide", X, Y), defined="y is not 0", finite=Y**2,
           exact=lambda x, y: x - y * _whole_quotient(x, y)),
    Scalar("tanh", sp.tanh, lambda np, x: np.tanh(x), (1 - OUT**2,), latex=r"\tanh",
           complement=call("twice_sigmoid", -2 * X), rest=call("exp", -2 * call("log_cosh", X)), odd=True,
           mean=call("tanh_mean", 0, X), range=(-1.0, 1.0), gives="h a", reads="z",
           log=call("log_one_minus_exp", -2 * X) - call("softplus", -2 * X),
           from_argument=(call("exp", -2 * call("log_cosh", X)),)),
    Scalar("sigmoid", opaque("sigmoid"), _sigmoid, (OUT * (1 - OUT),), latex=r"\sigma",
           role=Role.LOGISTIC, text="σ", means=1 / (1 + call("exp", -X)), log=-call("softplus", -X),
           complement=call("sigmoid", -X), centred=call("tanh", X / 2) / 2,
           range=(0.0, 1.0), positive=True, gives="h a", reads="z",
           mirrored=call("sigmoid", -X), from_argument=(OUT * call("sigmoid", -X),), tails=(1, 0)),
    Scalar("softplus", opaque("softplus"), _softplus, (call("sigmoid", X),), means=call("log", 1 + call("exp", X)),
           range=(0.0, inf), positive=True, reads="z", tails=(1, None), log=call("log_softplus", X)),
    Scalar("logaddexp", opaque("logaddexp"), _logaddexp,
           (call("sigmoid", X - Y), call("sigmoid", Y - X)), TWO,
           role=Role.LOG_OF_TWO, means=call("log", call("exp", X) + call("exp", Y))),
    Scalar("erf", sp.erf, _erf, (call("exp", -(call("limited", X) ** 2)) * (2 / sp.sqrt(sp.pi)),),
           complement=2 * call("normal_cdf", -sp.sqrt(2) * X), odd=True,
           range=(-1.0, 1.0), mean=call("gauss_mean", 0, X) * (2 / sp.sqrt(sp.pi))),
    Scalar("erfc", opaque("erfc"), _erfc, (-(call("exp", -(call("limited", X) ** 2)) * (2 / sp.sqrt(sp.pi))),),
           complement=call("erf", X), log=sp.log(2) + call("log_normal_cdf", -sp.sqrt(2) * X), range=(0.0, 2.0),
           scaled=(-X**2, call("erfcx", X))),
    Scalar("erfinv", opaque("erfinv"), _erfinv, (call("exp", OUT**2) * (sp.sqrt(sp.pi) / 2),), UNIT, odd=True,
           means="is the inverse of erf", defined="-1 < x < 1", finite=1 - X**2, undoes="erf"),
    Scalar("ndtri", opaque("ndtri"), _ndtri, (call("exp", OUT**2 / 2) * sp.sqrt(2 * sp.pi),), ((0.05, 0.95),),
           means="is the inverse of the distribution function of the normal distribution", defined="0 < x < 1",
           finite=X * (1 - X), undoes="normal_cdf"),
    Scalar("erfcx", opaque("erfcx"), _erfcx, (-call("erfcx_fall", X),), means=call("exp", X**2) * call("erfc", X),
           note="neither factor has to be a float", finite=False, range=(0.0, inf), slow=True),
    Scalar("erfcx_fall", opaque("erfcx_fall"), _erfcx_fall, (2 * call("gated", X, OUT) - 2 * call("erfcx", X),),
           spelled=2 / sp.sqrt(sp.pi) - 2 * X * call("erfcx", X), finite=False, public=False, range=(0.0, inf),
           slow=True),
    Scalar("lgamma", opaque("lgamma"), _lgamma, (call("digamma", X),), POSITIVE,
           means="is the logarithm of the modulus of the gamma function", defined=NO_POLE, finite=X),
    Scalar("digamma", opaque("digamma"), lambda np, x: _polygamma(np, 0, x), (call("polygamma", 1, X),), POSITIVE,
           means="is the derivative of lgamma", defined=NO_POLE, finite=X, latex=r"\psi", text="ψ"),
    Scalar("polygamma", opaque("polygamma"), _polygamma, (NO, call("polygamma", X + 1, Y)), ((1.0, 1.4), (0.3, 3.0)),
           means="is the derivative of digamma, as often as its first argument says",
           note="the order counts as the nearest whole number", defined=NO_POLE.replace("x", "y"), finite=False),
    Scalar("i0", opaque("i0"), lambda np, x: _bessel_ratio(np, 0, x), (X * call("bessel_ratio", 1, X),), finite=False,
           means="is the modified Bessel function of order 0", range=(0.0, inf), positive=True, log=call("log_i0", X),
           even=True),
    Scalar("bessel_ratio", opaque("bessel_ratio"), _bessel_ratio, (NO, Y * call("bessel_ratio", X + 1, Y)),
           ((1.0, 1.4), ANY), finite=False, public=False, range=(0.0, inf),
           means="is, at (n, x), the modified Bessel function of order n at x over xⁿ",
           note="the order counts as the nearest whole number"),
    Scalar("bessel_scaled", opaque("bessel_scaled"), _bessel_scaled,
           (NO, call("bessel_slope", X, Y)), ((1.0, 1.4), ANY),
           public=False, range=(0.0, inf), slow=True, note="the order counts as the nearest whole number",
           means="is, at (n, x), e^−|x| times the modified Bessel function of order n at x over xⁿ"),
    Scalar("bessel_slope", opaque("bessel_slope"), _bessel_slope,
           (NO, call("bessel_scaled", X + 1, Y) + call("gated", Y, call("bessel_slope", X + 1, Y))
            - call("sign", Y) * OUT), ((1.0, 1.4), ANY),
           public=False, note="the order counts as the nearest whole number",
           means="is, at (n, x), the derivative of bessel_scaled(n, x), 0 at 0"),
    Scalar("normal_cdf", opaque("normal_cdf"), _normal_cdf, (call("normal_pdf", X),),
           latex=r"\Phi", text="Φ", means="is the distribution function of the normal distribution",
           log=call("log_normal_cdf", X), complement=call("normal_cdf", -X), centred=call("erf", X / sp.sqrt(2)) / 2,
           scaled=(-(X**2) / 2, call("erfcx", -X / sp.sqrt(2)) / 2), range=(0.0, 1.0), positive=True),
    Scalar("normal_pdf", opaque("normal_pdf"), lambda np, x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
           (-call("limited", X) * OUT,), latex=r"\varphi", text="φ", means="is the density of the normal distribution",
           range=(0.0, 0.4), positive=True, log=-(X**2) / 2 - Num(sp.log(2 * sp.pi) / 2), even=True),
    Scalar("log_normal_cdf", opaque("log_normal_cdf"), _log_normal_cdf,
           (call("inverse_mills", X),), spelled=call("log", call("normal_cdf", X)), public=False,
           show=lambda args, form: maths.Fn("log", (maths.Fn("normal_cdf", (args[0],)),)),
           logarithm=True),
    Scalar("inverse_mills", opaque("inverse_mills"), _inverse_mills,
           (-call("inverse_mills_fall", X),), public=False, spelled=_MILLS),
    Scalar("inverse_mills_fall", opaque("inverse_mills_fall"), _inverse_mills_fall,
           (call("inverse_mills", X) * (1 - OUT) - OUT * (X + call("inverse_mills", X)),), public=False,
           spelled=_MILLS * (X + _MILLS)),
    Scalar("relu", opaque("relu"), lambda np, x, tie: np.where(x != x, x, np.maximum(x, 0)),
           (call("above", X, 0, Y),), (ANY, (0.0, 0.0)), shown=1, text="ReLU",
           role=Role.RECTIFIED, means=call("maximum", ZERO, X), note="derivative at 0: the relu0 convention",
           gain=2, switches=AT_ZERO, stated=lambda x, tie: (tie,),
           range=(0.0, inf), flat=True, whole=True,
           gives="h a", reads="z",
           kink=(_prime("relu", _ZERO, RELU0),)),
    Scalar("leaky", opaque("leaky"), lambda np, x, a, tie: np.where(x > 0, x, a * x),
           (Y * (1 - call("above", X, 0, Z)) + call("above", X, 0, Z), call("where", call("greater", X, 0), 0, X)),
           (ANY, (0.1, 0.4), (0.0, 0.0)), shown=2,
           text="LeakyReLU", public=False, means=call("where", call("greater", X, 0), X, Y * X),
           note="derivative at 0: the relu0 convention",
           canonical=(0,), gain=2, switches=AT_ZERO, stated=lambda x, a, tie: (tie + (1 - tie) * a, 0.0),
           gives="h a", reads="z",
           kink=(_prime("relu", _ZERO, RELU0),), said=("slope 1 where positive, else the given slope",
                 "linear in the slope where the argument is negative"), called="leaky_relu"),
    Scalar("elu_unit", opaque("elu"), lambda np, x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
           (call("where", call("greater", X, 0), 1, OUT + Y), call("negexpm1", X)),
           (ANY, (0.5, 1.5)),
           text="ELU", public=False, means=call("where", call("greater", X, 0), X, Y * (call("exp", X) - 1)),
           gain=2, switches=AT_ZERO, stated=lambda x, a: (a, 0.0),
           gives="h a", reads="z",
           kink=(maths.Fn("elu_unit", (_ZERO,), prime=True), " is the second argument"),
           said=("1 where positive, else the value plus the second argument",),
           from_argument=(call("where", call("greater", X, 0), 1, Y * call("exp", call("minimum", X, 0))),
                          call("negexpm1", X)),
           called="elu"),
    Scalar("negexpm1", opaque("negexpm1"), lambda np, x: np.expm1(np.minimum(x, 0)),
           (call("where", call("greater", X, 0), 0, OUT + 1),),
           spelled=call("exp", call("minimum", X, 0)) - 1, public=False, range=(-1.0, 0.0),
           switches=AT_ZERO, stated=lambda x: (1.0,)),
    Scalar("maximum", opaque("maximum"), lambda np, a, b: np.maximum(a, b),
           (call("above", X, Y, HALF), call("above", Y, X, HALF)), TWO,
           latex=r"\max", text="max", note="ties share the gradient equally",
           switches=AT_TIE, stated=lambda a, b: (0.5, 0.5),
           chooses=(0, 1), largest=True, whole=True,
           kink=(TIES,), said=(_LARGER, _LARGER)),
    Scalar("minimum", opaque("minimum"), lambda np, a, b: np.minimum(a, b),
           (call("above", Y, X, HALF), call("above", X, Y, HALF)), TWO,
           latex=r"\min", text="min", note="ties share the gradient equally",
           switches=AT_TIE, stated=lambda a, b: (0.5, 0.5),
           chooses=(0, 1), whole=True,
           kink=(TIES,), said=(_SMALLER, _SMALLER)),
    Scalar("hardtanh", opaque("hardtanh"), lambda np, x: np.minimum(np.maximum(x, -1), 1),
           (call("less", call("abs", X), 1),), odd=True, means=call("minimum", call("maximum", X, -1), 1),
           note="derivative 0 at -1 and 1",
           switches=(Switch(X, Num(-sp.S.One), "<", ">"), Switch(X, ONE, "<", ">")), stated=lambda x: (0.0,),
           range=(-1.0, 1.0), whole=True,
           gives="h a", reads="z",
           kink=("the derivative of hardtanh is 0 at −1 and 1",)),
    Scalar("where", opaque("where"), lambda np, c, a, b: np.where(c, a, b),
           (NO, call("truth", X), 1 - call("truth", X)), ((0.0, 1.0), ANY, ANY), role=Role.CHOICE,
           switches=TRUTH,
           chooses=(1, 2), whole=True,
           said=("", _BRANCH, _BRANCH)),
    Scalar("truth", opaque("truth"), lambda np, c: np.where(c, 1.0, 0.0), (NO,),
           ((0.0, 1.0),), public=False, boolean=True, role=Role.TRUTH, show=lambda args, form: _holds(args[0]),
           switches=TRUTH),
    Scalar("above", opaque("above"), _above, (NO, NO), (ANY, ANY, (0.0, 0.0)),
           shown=2, public=False, role=Role.ABOVE, show=_is_above,
           boolean=True, switches=AT_TIE),

    Scalar("root", opaque("root"), lambda np, x: np.sqrt(x), (call("reciprocal", 2 * OUT),), POSITIVE,
           public=False, role=Role.FLAT_ROOT, defined="x >= 0", power=HALF,
           note="derivative 0 at 0",
           range=(0.0, inf), flat=True, singular=True,
           kink=(FLAT_ROOT,), square=HALF, called="sqrt"),
    Scalar("reciprocal", opaque("reciprocal"), _reciprocal, (-(OUT**2),), POSITIVE,
           public=False, guards=ONE / X, alone=True, note="0 at 0",
           singular=True),
    Scalar("ratio", opaque("ratio"), _ratio, (call("reciprocal", Y), -call("ratio", OUT, Y)),
           (ANY, (0.3, 3.0)), public=False, guards=X / Y, note="0 where both are 0",
           finite=False),
    Scalar("nought", opaque("nought"), _selected, (call("nought", ONE, Y), NO), TWO,
           public=False, role=Role.NOUGHT, folded=nought, guards=X,
           note="0 where the second is 0 and the first infinite or nan",
           kink=(maths.equal(maths.product(_ZERO, maths.Fn("log", (_ZERO,))), _ZERO), ", also in gradients")),
    Scalar("gated", opaque("gated"), _gated, (Y, call("limited", X)), (ANY, (0.0, 1.0)), role=Role.GATED,
           public=False, guards=X * Y, note="0 where the gate y is 0, even at an infinite x"),
    Scalar("limited", opaque("limited"), _limited, (ONE,), public=False, guards=X, role=Role.LIMITED,
           note="no further from 0 than 1e100, 1e12 in float32: a factor beside gates, which are constant out there"),
    Scalar("beyond", opaque("beyond"), _beyond, (NO,), public=False,
           note="what an exponent is beyond ±300, in float32 beyond ±40; held constant"),
    Scalar("within", opaque("within"), _within, (ONE,), public=False, guards=X, alone=True,
           note="no further from 0 than 150, 20 in float32: in front of an exponential whose rest is held constant"),
    Scalar("logit_loss", opaque("logit_loss"), _logit_loss, (call("sigmoid", X) - Y, -X),
           (ANY, (0.1, 0.9)), spelled=call("softplus", X) - Y * X, public=False,
           said=("softplus has the derivative σ, term by term",), called="binary_cross_entropy_with_logits", reads="z"),
    Scalar("flat_power", opaque("flat_power"), _flat_power,
           (Y * call("flat_power", X, Y - 1), None), ((0.3, 3.0), (0.2, 0.8)), shown=1, public=False,
           guards=power(X, Y), note="0 at 0",
           flat=True, finite=False,
           kink=(FLAT_ROOT,)),
    Scalar("monomial", opaque("monomial"), _monomial,
           (call("monomial", 1, Y, Z, M),
            call("monomial", X * Z, Y, Z - 1, M) + M * call("monomial", X, Y, Z - 1, M - 1),
            call("monomial", X, Y, Z, M + 1)),
           (ANY, (0.3, 3.0), ANY, (0.0, 0.0)), shown=3, public=False,
           guards=X * power(Y, Z) * power(call("log", Y), M), folded=monomial,
           note="0 where the coefficient or the power is 0", finite=False),
    Scalar("bernoulli_loss", opaque("bernoulli_loss"), _bernoulli_loss,
           (-(call("ratio", Y, X) + call("ratio", Y - 1, 1 - X)), call("log", 1 - X) - call("log", X)),
           ((0.1, 0.9), (0.1, 0.9)),
           public=False, role=Role.LIKELIHOOD,
           defined="0 <= x <= 1",
           finite=False,
           said=("log rule, term by term",)),

    Scalar("where_selected", opaque("where_selected"), _selected,
           (call("is_selected", X, Y), NO), TWO, shown=1, public=False,
           role=Role.SELECTED, show=lambda args, form: args[0],
           said=("what is not selected contributes nothing",),
           note="0 where x is infinite or NaN and y, the gradient that meets it, is 0"),
    Scalar("is_selected", opaque("is_selected"), lambda np, a, s: _is_selected(np, a, s) * 1.0, (NO, NO), TWO, shown=1,
           public=False, role=Role.COUNTED,
           boolean=True),
    # -- forms of others that neither cancel nor overflow, see `exact_forms`
    Scalar("hypot", opaque("hypot"), lambda np, x, y: np.sqrt(x * x + y * y),
           (call("over_hypot", X, Y), call("over_hypot", Y, X)), ((0.3, 2.0), ANY), public=False,
           guards=call("sqrt", X**2 + Y**2), alone=True, note="derivative 0 at (0, 0)", range=(0.0, inf)),
    Scalar("over_hypot", opaque("over_hypot"), lambda np, x, y: _ratio(np, x, np.sqrt(x * x + y * y)),
           (call("ratio", call("over_hypot", Y, X) ** 2, call("hypot", X, Y)),
            -call("ratio", OUT * call("over_hypot", Y, X), call("hypot", X, Y))),
           ((0.3, 2.0), ANY), public=False, spelled=X / call("sqrt", X**2 + Y**2), note="0 at (0, 0)"),
    Scalar("over_squares", opaque("over_squares"), lambda np, x, y: _ratio(np, x, x * x + y * y),
           (call("over_squares", Y, X) ** 2 - OUT**2, -2 * OUT * call("over_squares", Y, X)),
           ((0.3, 2.0), ANY), public=False, spelled=X / (X**2 + Y**2), note="0 at (0, 0)", finite=X**2 + Y**2),
    Scalar("atan_quotient", opaque("atan_quotient"), lambda np, x, y: np.arctan(x / y),
           (call("over_squares", Y, X), -call("over_squares", X, Y)), (ANY, (0.3, 2.0)), public=False,
           spelled=call("atan", X / Y), defined="y is not 0", finite=Y**2),
    Scalar("log_product", opaque("log_product"), lambda np, x, y: np.log(x * y), (1 / X, 1 / Y),
           ((0.3, 3.0), (0.3, 3.0)), public=False, spelled=call("log", X * Y), defined="x*y > 0", finite=X * Y,
           logarithm=True),
    Scalar("log_quotient", opaque("log_quotient"), lambda np, x, y: np.log(x / y), (1 / X, -1 / Y),
           ((0.3, 3.0), (0.3, 3.0)), public=False, spelled=call("log", X / Y), defined="x/y > 0", finite=X * Y,
           logarithm=True),
    Scalar("log_one_minus_exp", opaque("log_one_minus_exp"), _log_one_minus_exp,
           (-call("exp", X - OUT),), ((-3.0, -0.3),), public=False, spelled=call("log", 1 - call("exp", X)),
           defined="x < 0", finite=-X, logarithm=True, range=(-inf, 0.0)),
    Scalar("twice_sigmoid", opaque("twice_sigmoid"), lambda np, x: 2 * _sigmoid(np, x), (OUT * call("sigmoid", -X),),
           public=False, spelled=2 * call("sigmoid", X), log=call("log_twice_sigmoid", X), range=(0.0, 2.0),
           complement=-call("tanh", X / 2),
           positive=True, tails=(1, 0)),
    Scalar("log_twice_sigmoid", opaque("log_twice_sigmoid"), _log_twice_sigmoid,
           (call("sigmoid", -X),), public=False, spelled=call("log", 2 * call("sigmoid", X)), range=(-inf, 0.7)),
    Scalar("log_softplus", opaque("log_softplus"), _log_softplus, (call("softplus_share", X),),
           public=False, spelled=call("log", call("softplus", X))),
    Scalar("softplus_share", opaque("softplus_share"), _softplus_share, (OUT * (call("sigmoid", -X) - OUT),),
           public=False, spelled=call("sigmoid", X) / call("softplus", X), range=(0.0, 1.0), slow=True),
    Scalar("log1p_excess", opaque("log1p_excess"), _log1p_excess, (X / (1 + X),), ((-0.5, 2.0),), public=False,
           spelled=X - call("log", 1 + X), defined="x > -1", finite=1 + X, range=(0.0, inf), flat=True),
    Scalar("log_exp_mean", opaque("log_exp_mean"), _log_exp_mean, (call("exp_share", 1, X),), public=False,
           spelled=call("log", (call("exp", X) - 1) / X)),
    Scalar("exp_share", opaque("exp_share"), _exp_share,
           (NO, call("exp_share", X + 1, Y) - OUT * call("exp_share", 1, Y)), ((1.0, 1.4), ANY), public=False,
           means="is, at (n, x), the mean of tⁿ over 0 < t < 1 with weights e^(t·x)", note=_ORDER, range=(0.0, inf),
           slow=True),
    Scalar("log_mean", opaque("log_mean"), _log_mean, (NO, call("log_mean", X + 1, Y)), ((1.0, 1.4), (-0.5, 2.0)),
           public=False, defined="y > -1", finite=1 + Y, note=_ORDER, logarithm=True,
           means="is, at (n, x), the derivative of order n of log(1 + x)/x"),
    Scalar("sine_mean", opaque("sine_mean"), _sine_mean, (NO, -Y * call("sine_mean", X + 1, Y)), ((1.0, 1.4), ANY),
           public=False, note=_ORDER,
           means="is, at (n, x), the spherical Bessel function of order n at x over xⁿ: sin(x)/x for n = 0"),
    Scalar("tanh_mean", opaque("tanh_mean"), _tanh_mean, (NO, Y * OUT * (call("tanh_mean", X + 1, Y) - OUT)),
           ((1.0, 1.4), ANY), public=False, range=(0.0, inf), slow=True, note=_ORDER,
           means="is, at (n, x), 1/(2n + 1 + x²·tanh_mean(n + 1, x)): tanh(x)/x for n = 0"),
    Scalar("gauss_mean", opaque("gauss_mean"), _gauss_mean, (NO, -2 * Y * call("gauss_mean", X + 1, Y)),
           ((1.0, 1.4), ANY), public=False, range=(0.0, inf), slow=True, note=_ORDER,
           means="is, at (n, x), the integral of t²ⁿ·e^(−x²t²) over 0 < t < 1"),
    Scalar("arc_mean", opaque("arc_mean"), _arc_mean,
           (NO, 2 * Z * Y * call("arc_mean", X + 1, Y, Z, M)),
           ((1.0, 1.4), ANY, (-1.0, -1.0), (0.5, 0.5)), shown=2, public=False, note=_ORDER, finite=False,
           show=lambda args, form: maths.Fn("arc_mean", tuple(args)),
           means="is, at (n, x, c, p), the integral of p·(p + 1)⋯(p + n − 1)·t²ⁿ·(1 − c·x²t²)^−(p + n) over 0 < t < 1"),
    Scalar("log_i0", opaque("log_i0"), _log_i0, (X * call("bessel_share", 1, X),), public=False,
           spelled=call("log", call("i0", X)), range=(0.0, inf), flat=True),
    Scalar("bessel_share", opaque("bessel_share"), _bessel_share,
           (NO, Y * (call("bessel_share", X + 1, Y) - OUT * call("bessel_share", 1, Y))), ((1.0, 1.4), ANY),
           public=False, range=(0.0, inf), slow=True, note=_ORDER,
           spelled=call("bessel_ratio", X, Y) / call("i0", Y)),
]

RELATIONS = {">": "greater", ">=": "greater_equal", "<": "less", "<=": "less_equal", "==": "equal", "!=": "not_equal"}
_SHOWN = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}
_CONTRARY = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}


def _compared(name: str) -> Callable[..., Any]:
    return lambda np, a, b: getattr(np, name)(a, b) * 1.0




def _of_log(record: Scalar) -> Scalar:
    """The twin of a function whose value is its limit long before its slope is 0."""
    spelled = call(record.name, *[Arg(k) for k in range(len(record.domain))])
    return replace(record, name=record.of_log, head=opaque(record.of_log), partials=record.from_argument, public=False,
                   spelled=spelled, called=record.called or record.name, from_argument=(),
                   note=f"is {record.name} of what may be a logarithm")


register(*_RECORDS, *[_of_log(r) for r in _RECORDS if r.from_argument], *[
    Scalar(name, opaque(name), _compared(name), (NO, NO), TWO, role=Role.EQUALITY if sign == "==" else None,
           show=_relation(_SHOWN.get(sign, sign)), boolean=True, switches=(Switch(X, Y, _CONTRARY[sign], sign),))
    for sign, name in RELATIONS.items()
])
BY_HEAD |= {sp.Abs: TABLE["abs"], sp.sign: TABLE["sign"]}  # SymPy's own, which it makes of roots of squares
BY_HEAD |= {head: TABLE[name] for name, head in {"erfc": sp.erfc, "erfinv": sp.erfinv, "lgamma": sp.loggamma,
                                                 "polygamma": sp.polygamma, "atan2": sp.atan2}.items()}
