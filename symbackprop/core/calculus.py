"""Scalar calculus on formulas: SymPy is the judge, the written order is kept.

The rules below differentiate a formula term by term, as at a blackboard, so ½(y−o)² gives −(y−o) and not o − y. Every
result, but what the record of a function says of it, is then compared with the derivative of the canonical kernel:
SymPy's own ``diff``, or of a sum of products of powers that of its terms (of arguments to whole powers without SymPy's
objects). Where they cannot be shown equal, SymPy's is used: SymPy decides the mathematics, and the formula only decides
how it is written.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.collected import collected, slope
from symbackprop.core.scalars import BY_HEAD, OUTPUT, PLACEHOLDERS, TABLE, to_sympy
from symbackprop.errors import ModelError

_DIGITS = 50


def from_sympy(expr: sp.Expr) -> f.Formula:
    """A formula for a SymPy expression over the placeholders, terms in SymPy's order but positive ones first."""
    if expr in PLACEHOLDERS:
        return f.Arg(PLACEHOLDERS.index(expr))
    if expr == OUTPUT:
        return f.OUT
    if not expr.free_symbols & {*PLACEHOLDERS, OUTPUT}:
        return f.Num(expr)
    if expr.is_Add:
        return f.add(*[from_sympy(a) for a in sorted_terms(expr)])
    if expr.is_Mul:
        num, den = sp.fraction(expr)
        if den != 1 and den.free_symbols & {*PLACEHOLDERS, OUTPUT}:
            return f.div(from_sympy(num), from_sympy(den))
        return f.mul(*[from_sympy(a) for a in expr.args])
    if expr.is_Pow:
        return _power(expr)
    record = BY_HEAD.get(expr.func)
    if record is None:
        raise TypeError(f"the function {expr.func.__name__} is not in the table of scalar functions")
    return f.call(record.name, *[from_sympy(a) for a in expr.args])


def _power(expr: sp.Expr) -> f.Formula:
    if expr.exp.is_Number and expr.exp.is_negative:
        return f.div(f.ONE, from_sympy(sp.Pow(expr.base, -expr.exp)))
    if expr.exp == sp.Rational(1, 2):
        return f.call("sqrt", from_sympy(expr.base))
    return f.power(from_sympy(expr.base), from_sympy(expr.exp))


def unguarded(expr: sp.Expr) -> sp.Expr:
    """An expression with its guarded arithmetic (0/0 is 0) as plain arithmetic, so that it can be cancelled."""
    for name, form in f.GUARDED.items():
        expr = expr.replace(TABLE[name].head, lambda *args, form=form: to_sympy(form, args))
    return expr


def sorted_terms(expr: sp.Expr) -> list[sp.Expr]:
    """The terms of a sum, those without a leading minus first; otherwise SymPy's own deterministic order."""
    return sorted(sp.Add.make_args(expr), key=lambda t: (t.could_extract_minus_sign(), sp.default_sort_key(t)))


def partial(form: f.Formula, index: int) -> f.Formula:
    """∂form/∂Arg(index) over the arguments and `OUT`, written in the order of the formula."""
    written, known = _derivative(form, index, top=True), collected(form)
    agrees = known is not None and written is not None and collected(written) == slope(known, index)
    if written is not None and (agrees or _is_of_table(form)):
        return written
    value, x = to_sympy(form), PLACEHOLDERS[index]
    said = None if written is None else to_sympy(written, out=value)
    if written is not None and said == _by_terms(value, x):
        return written
    canonical = sp.diff(value, x)
    if written is not None and _says(said, canonical):
        return written
    return from_sympy(_reuse(canonical, value))


def _is_of_table(form: f.Formula) -> bool:
    """Whether it is one function of arguments and numbers, whose derivative is what its record says."""
    if not isinstance(form, f.Call):
        return False
    read = [a for a in form.args if not isinstance(a, f.Num)]
    return all([isinstance(a, f.Arg) for a in read]) and len({*read}) == len(read)


def _by_terms(value: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """The derivative of sums, products and powers, that `sp.diff` finds too; None for anything else, such as a function
    of x. `sp.diff` makes several objects for each part of a term, which takes twenty times as long."""
    if value == x:
        return sp.S.One
    if x not in value.free_symbols:
        return sp.S.Zero
    if value.is_Pow and value.exp.is_Number:
        inner = _by_terms(value.base, x)
        return None if inner is None else value.exp * value.base ** (value.exp - 1) * inner
    if not (value.is_Add or value.is_Mul):
        return None
    inside = {k: _by_terms(part, x) for k, part in enumerate(value.args) if x in part.free_symbols}
    if None in inside.values():
        return None
    if value.is_Add:
        return sp.Add(*inside.values())
    return sp.Add(*[sp.Mul(*value.args[:k], slope, *value.args[k + 1 :]) for k, slope in inside.items()])


def _says(written: sp.Expr, canonical: sp.Expr) -> bool:
    """Whether the rules agree with SymPy, as far as it knows: of 0**x it has no derivative."""
    return canonical.has(sp.zoo, sp.nan) or _equal(unguarded(written), unguarded(canonical))


def _reuse(derivative: sp.Expr, value: sp.Expr) -> sp.Expr:
    """Rewrite a derivative over the row's own output where the same call reappears in it."""
    if value.is_Function and derivative.has(value):
        return derivative.xreplace({value: OUTPUT})
    return derivative


def _equal(a: sp.Expr, b: sp.Expr) -> bool:
    """Whether two expressions agree: as they stand, or else to 30 digits at three points where every symbol and every
    function call is an unknown of its own. (Expanding their difference takes exponential time on nested powers.)"""
    if a == b:
        return True
    unknowns = sorted(_unknowns(a) | _unknowns(b), key=sp.default_sort_key)
    return all(_agree(a, b, dict(zip(unknowns, _point(len(unknowns), trial), strict=True))) for trial in range(3))


def _unknowns(expr: sp.Expr) -> set[sp.Expr]:
    if expr.is_Symbol or expr.is_Function:
        return {expr}
    return set().union(*[_unknowns(a) for a in expr.args])


def _point(n: int, trial: int) -> list[sp.Expr]:
    """n different numbers between 1/3 and 4/3; with mixed signs from the second trial on."""
    places = [sp.Rational((733 * k + 389 * trial) % 1009, 1009) + sp.Rational(1, 3) for k in range(1, n + 1)]
    return [sp.Float(-p if trial and (k + trial) % 2 else p, _DIGITS) for k, p in enumerate(places)]


def _agree(a: sp.Expr, b: sp.Expr, point: dict[sp.Expr, sp.Expr]) -> bool:
    known = {**point}
    va, vb = (_number(e, known) for e in (a, b))
    return bool(va.is_number and vb.is_number and abs(va - vb) <= sp.Float("1e-30") * (1 + abs(va)))


def _number(expr: sp.Expr, known: dict[sp.Expr, sp.Expr]) -> sp.Expr:
    """The value of an expression, every part evaluated once: `sp.N` takes exponential time on powers of powers."""
    if expr not in known:
        known[expr] = sp.N(expr.func(*[_number(a, known) for a in expr.args]) if expr.args else expr, _DIGITS)
    return known[expr]


@cache
def _derivative(form: f.Formula, i: int, top: bool = False) -> f.Formula | None:
    """Sum, product, quotient, power and chain rule; None where a table entry leaves the derivative to SymPy."""
    if i not in f.arguments(form):
        return f.ZERO
    match form:
        case f.Arg():
            return f.ONE
        case f.Neg(body):
            inner = _derivative(body, i)
            return None if inner is None else f.neg(inner)
        case f.Add(terms):
            parts = [_derivative(t, i) for t in terms]
            return None if None in parts else f.add(*_positive_first([p for p in parts if p not in (None, f.ZERO)]))
        case f.Mul(factors):
            return _product_rule(factors, i)
        case f.Div(num, den):
            return _quotient_rule(num, den, i, top)
        case f.Pow(base, exponent):
            return _power_rule(base, exponent, i)
        case f.Call(name, args):
            return _chain_rule(name, args, i, form, top)
    raise TypeError(f"not a formula: {form!r}")


def _positive_first(terms: list[f.Formula]) -> list[f.Formula]:
    """c − h of (1 − z)·h + z·c, which is −h + c in the order of the formula."""
    place = next((k for k, t in enumerate(terms) if not f.is_negative(f.split_sign(t)[0])), 0)
    return [*terms[place : place + 1], *terms[:place], *terms[place + 1 :]]


def _product_rule(factors: tuple[f.Formula, ...], i: int) -> f.Formula | None:
    """(uv)' = u'v + uv', every factor in its place."""
    terms = []
    for k, factor in enumerate(factors):
        inner = _derivative(factor, i)
        if inner is None:
            return None
        if inner is not f.ZERO:
            terms.append(f.mul(*factors[:k], inner, *factors[k + 1 :]))
    return f.add(*terms)


def _quotient_rule(num: f.Formula, den: f.Formula, i: int, top: bool) -> f.Formula | None:
    """(u/v)' = u'/v − u·v'/v², the u/v being the row's own output where that is at hand."""
    du = _derivative(num, i)
    falling = _falling(num if not top or isinstance(num, f.Num) else None, den, i)
    return None if du is None or falling is None else f.add(f.div(du, den), f.neg(falling))


def _falling(num: f.Formula | None, den: f.Formula, i: int) -> f.Formula | None:
    """u·v'/v², or out·v'/v without a u. Factor by factor of v, whose powers cancel: for 1/x³ it is 3/x⁴ and not 3x²/x⁶,
    which is 0/0 at 0."""
    terms = []
    for base, exponent in f.powers(den):
        slope = _derivative(base, i)
        if slope is None:
            return None
        over = base if num is None else f.mul(den, base)
        terms.append(f.div(f.mul(f.Num(exponent), f.OUT if num is None else num, slope), over))
    return f.add(*terms)


def _power_rule(base: f.Formula, exponent: f.Formula, i: int) -> f.Formula | None:
    """(u^v)' = u^v·log u·v' + v·u^(v−1)·u'. Where u is 0 the first is 0 for every v > 0, and where v is 0 the second
    is."""
    du, dv = _derivative(base, i), _derivative(exponent, i)
    if du is None or dv is None:
        return None
    by_base = f.mul(f.monomial(exponent, base, f.add(exponent, f.lift(-1)), f.ZERO), du)
    return by_base if dv == f.ZERO else f.add(f.mul(_exponential_slope(base, exponent), dv), by_base)


def _exponential_slope(base: f.Formula, exponent: f.Formula) -> f.Formula:
    """(u^v)' in v: u^v·log u, where the base is a number 0 for 0 and a plain product for a positive one."""
    if not isinstance(base, f.Num):
        return f.monomial(f.ONE, base, exponent, f.ONE)
    if base.value.is_negative:
        raise ModelError(
            f"a power of {base.value} has no derivative in its exponent: the base is negative; "
            "write it over a positive base, or let the exponent be data"
        )
    return f.ZERO if base.value.is_zero else f.mul(f.power(base, exponent), f.call("log", base))


def _chain_rule(name: str, args: tuple[f.Formula, ...], i: int, form: f.Formula, top: bool) -> f.Formula | None:
    """f(u)' = f'(u)·u', with f' over the output where the table says so."""
    terms = []
    for k, arg in enumerate(args[: TABLE[name].arity]):
        inner = _derivative(arg, i)
        outer = None if k in TABLE[name].canonical else TABLE[name].partials[k]
        if inner is None or (outer is None and inner != f.ZERO):
            return None
        if inner != f.ZERO and outer is not None:
            terms.append(f.mul(_over(outer, args, f.OUT if top else form), inner))
    return f.add(*terms)


def _over(outer: f.Formula, args: tuple[f.Formula, ...], out: f.Formula) -> f.Formula:
    return f.substitute(outer, lambda leaf: args[leaf.index] if isinstance(leaf, f.Arg) else out)
