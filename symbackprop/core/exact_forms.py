"""Arithmetic that cancels, overflows or underflows on the way, as forms of the same value that do not.

e^u − 1 is expm1(u), √a − √b is (a − b)/(√a + √b) where a − b is shorter than they are, sin(u)/u is a function that is
1 at 0. Each is an identity of real numbers, wherever what was written is one. What functions have such forms, and
which, their records say (``complement``, ``rest``, ``mean``, ``excess``, ``scaled``, ``log``). A row with a name is
a barrier: what is computed from it is computed from its value, but for quotients of what is 0 at 0, which have none
there. So is one of ``ends``, which a loop's body is given.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from math import isinf

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import is_sum
from symbackprop.core.graph import Node
from symbackprop.core.hazards import is_nonnegative, is_positive
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE, Scalar

MAX_POWER = 4  # up to which a^n − b^n is taken apart


class Forms:
    """Rewrites a formula over rows; ``args`` grows by the rows that stand for its parts."""

    def __init__(self, args: list[Node], ends: Container[int]) -> None:
        self.args, self.ends = args, ends
        self.scales: set[int] = set()

    def rewritten(self, form: f.Formula) -> f.Formula:
        """The formula with its parts rewritten, then itself. What is guarded is meant as it is written, but for what is
        0 at 0 beside a weight: w·log(1 + x)/x."""
        if f.weight_of(form) is not None:
            found = self._means([*powers(f.unweighed(form))])
            return form if found is None else self._product(product(found))
        form = form if isinstance(form, f.Call) else f.changed(form, self.rewritten)
        match form:
            case f.Add(terms):
                return self._sum(list(terms))
            case f.Mul() | f.Div() | f.Neg() | f.Pow(f.Add(), f.Num()):
                return self._product(form)
            case f.Pow(_, f.Num(exponent)) if exponent.is_negative:
                return self._product(form)
            case f.Pow(f.Add(terms), exponent) if f.ONE in terms and not isinstance(exponent, f.Num):
                return self._compounded(form, terms, exponent)
        return form

    # -- what a part is
    def _call(self, form: f.Formula) -> tuple[Scalar, Node] | None:
        """The function of one argument that a part of a formula is, under no name, and its argument."""
        function = self._function(form)
        if function is None or not isinstance(form, f.Arg):
            return None
        row = self.args[form.index]
        return function, row.graph.apply(row.attr.form.children[0], *row.args)

    def _function(self, form: f.Formula) -> Scalar | None:
        row = self.args[form.index] if isinstance(form, f.Arg) else None
        known = row is not None and not is_barrier(row, self.ends) and row.head is not None
        return row.function if known and row is not None and len(row.attr.form.children) == 1 else None

    def _row(self, row: Node) -> f.Formula:
        """A row as a part of the formula."""
        if row.value is not None:
            return f.Num(row.value)
        self.args.append(row)
        return f.Arg(len(self.args) - 1)

    def _over(self, form: f.Formula, u: Node) -> f.Formula:
        """A record's formula over a row."""
        return self._inlined(u.graph.apply(form, u))

    def _value(self, form: f.Formula) -> Node:
        """A part of the formula as a row."""
        return self.args[0].graph.arithmetic(form, self.args)

    # -- sums
    def _sum(self, terms: list[f.Formula]) -> f.Formula:
        for begins, rule in ((_is_number, self._complement), (_is_number, self._one_and), (_is_number, self._centred),
                             (_is_number, self._cancelled), (self._exceeds, self._excess),
                             (self._is_root, self._roots), (lambda term: isinstance(term, f.Pow), self._powers)):
            found = self._paired(terms, [k for k, term in enumerate(terms) if begins(term)], rule)
            if found is not None:
                return self._sum(found)
        return f.add(*terms)

    def _paired(self, terms: list[f.Formula], first: Sequence[int],
                rule: Callable[[f.Formula, f.Formula], f.Formula | None]) -> list[f.Formula] | None:
        """The terms with one in place of two, one of them at the ``first`` places, of which the rule knows a form."""
        for i in first:
            for k, b in enumerate(terms):
                found = rule(terms[i], b) if i != k else None
                if found is not None:
                    rest = [t for j, t in enumerate(terms) if j not in (i, k)]
                    return [*rest[: min(i, k)], found, *rest[min(i, k) :]]
        return None

    def _complement(self, one: f.Formula, other: f.Formula) -> f.Formula | None:
        """c − c·f(u) by the complement of f; c − c·f(u)² by what is left of it."""
        factor, part = f.split_sign(other)
        if not isinstance(one, f.Num) or factor + one.value != 0:
            return None
        if isinstance(part, f.Pow) and part.exponent == f.lift(2):
            rest = self.rest(part.base)
            return None if rest is None else f.mul(one, rest)
        called = self._call(part)
        form = None if called is None else called[0].complement
        return None if called is None or form is None else f.mul(one, self._over(form, called[1]))

    def rest(self, form: f.Formula) -> f.Formula | None:
        """1 − f(u)², as the record has it or by the complement of f."""
        called = self._call(form)
        if called is None or called[0].rest is None:
            return None if called is None or called[0].complement is None else self.sides(form)
        return self._over(called[0].rest, called[1])

    def sides(self, form: f.Formula) -> f.Formula | None:
        """(1 − u)·(1 + u), where one of these has a form of its own."""
        less, more = self.one_less(f.neg(form)), self.one_less(form)
        if less is None and more is None:
            return None
        return f.mul(f.add(f.ONE, f.neg(form)) if less is None else less, f.add(f.ONE, form) if more is None else more)

    def one_less(self, form: f.Formula) -> f.Formula | None:
        """1 + ``form``, where a rule knows a form of it."""
        rules = (self._complement, self._one_and, self._cancelled)
        return next((found for rule in rules if (found := rule(f.ONE, form)) is not None), None)

    def _cancelled(self, one: f.Formula, other: f.Formula) -> f.Formula | None:
        """c + k·(a + b) where a number in a row cancels against c; c − c·a/b = c·(b − a)/b where b − a is a number."""
        factor, part = f.split_sign(other)
        row = self.args[part.index] if isinstance(part, f.Arg) else None
        written = part if row is None else arithmetic_of(row, self.ends)[0]
        if isinstance(one, f.Num) and factor == -one.value and isinstance(written, (f.Mul, f.Div)):
            left = self._left(written if row is None else self._inlined(row))
            return None if left is None else f.mul(one, left)
        if not (isinstance(written, f.Add) and any(map(_is_number, written.terms))):
            return None
        inside = written if row is None else self._inlined(row)
        less = f.add(one, *_times(factor, inside))
        return less if f.size(less) < f.size(inside) else None

    def _left(self, form: f.Formula) -> f.Formula | None:
        """1 − a/b = (b − a)/b where b − a is a number, 1 − f(u)·q = q where q = 1/(1 + f(u))."""
        if isinstance(form, f.Div) and isinstance(less := f.add(form.den, *_times(-sp.S.One, form.num)), f.Num):
            return f.div(less, form.den)
        factors = [*powers(form)]
        for k, (base, n) in enumerate(factors):
            called = self._call(base) if n == 1 else None
            more = None if called is None else one_more(called[0])
            if called is not None and more is not None:
                q = product([*factors[:k], *factors[k + 1 :]])
                if self._product(f.mul(q, self._over(more, called[1]))) == f.ONE:
                    return q
        return None

    def _one_and(self, one: f.Formula, other: f.Formula) -> f.Formula | None:
        """c + c·f(u) = c·(1 − f(−u)) of an odd f, c·g(u) where −f is the complement of g."""
        factor, part = f.split_sign(other)
        called = self._call(part) if isinstance(one, f.Num) and factor == one.value else None
        form = None if called is None else one_more(called[0])
        return None if called is None or form is None else f.mul(one, self._over(form, called[1]))

    def _centred(self, one: f.Formula, other: f.Formula) -> f.Formula | None:
        """c·f(u) − c/2 of what is 1/2 at 0."""
        factor, part = f.split_sign(other)
        called = self._call(part) if isinstance(one, f.Num) and factor + 2 * one.value == 0 else None
        form = None if called is None else called[0].centred
        return None if called is None or form is None else f.mul(f.Num(factor), self._over(form, called[1]))

    def _exceeds(self, term: f.Formula) -> bool:
        function = self._function(f.split_sign(term)[1])
        return function is not None and function.excess is not None

    def _excess(self, one: f.Formula, other: f.Formula) -> f.Formula | None:
        """c·f(u) − c·u."""
        factor, part = f.split_sign(one)
        called = self._call(part)
        if called is None or called[0].excess is None:
            return None
        argument = self._value(other) is scaled(called[1], -factor)
        return f.mul(f.Num(factor), self._over(called[0].excess, called[1])) if argument else None

    def _is_root(self, term: f.Formula) -> bool:
        part = f.split_sign(term)[1]
        function = self._function(part)
        square_root = function is not None and function.power == sp.Rational(1, 2)
        return isinstance(term, f.Num) or square_root or bool(self._sides(part))

    def _sides(self, form: f.Formula) -> list[Node]:
        """a and b of a part that is √(a² + b²)."""
        return sides_of(self.args[form.index], self.ends) if isinstance(form, f.Arg) else []

    def _roots(self, one: f.Formula, other: f.Formula) -> f.Formula | None:
        """√a − √b = (a − b)/(√a + √b)."""
        if not f.split_sign(other)[0].is_negative:
            return None
        (sign, a), (less, b) = self._squared(one), self._squared(other)
        if a is None or b is None or (sign, less) != (1, -1) or (isinstance(one, f.Num) and isinstance(other, f.Num)):
            return None
        difference = f.add(a, f.neg(b))
        if f.size(difference) >= f.size(a) + f.size(b):
            return None
        both = f.add(one, f.neg(other))
        match difference:
            case f.Pow(x, f.Num(value=2)):  # which overflows long before √(x² + c²) does
                share = self._value(f.div(x, both))
                share.graph.set_apart(share)
                return f.mul(x, self._row(share))
        return f.div(difference, both)

    def _squared(self, form: f.Formula) -> tuple[int, f.Formula | None]:
        """The sign of a root, or of a positive number, and its square."""
        if isinstance(form, f.Num):
            return (-1 if form.value.is_negative else 1), f.Num(form.value**2) if form.value.is_Rational else None
        factor, part = f.split_sign(form)
        called = self._call(part)
        if factor in (1, -1) and called is not None and called[0].power == sp.Rational(1, 2):
            return int(factor), self._inlined(called[1])
        squares = [self._inlined(side) ** 2 for side in self._sides(part)] if factor in (1, -1) else []
        return (int(factor), f.add(*squares)) if squares else (1, None)

    def _inlined(self, row: Node) -> f.Formula:
        """A row as the arithmetic that it is."""
        form, rows = arithmetic_of(row, self.ends)
        return f.over(form, [self._known(a) for a in rows])

    def _known(self, row: Node) -> f.Formula:
        """A row as a part of the formula, which may have it already."""
        places = [k for k, a in enumerate(self.args) if a is row]
        return f.Arg(places[0]) if places else self._row(row)

    def _powers(self, one: f.Formula, other: f.Formula) -> f.Formula | None:
        """a^n − b^n = (a − b)·(a^(n−1) + … + b^(n−1)), where a − b is shorter than a."""
        if not isinstance(one, f.Pow) or not isinstance(one.base, f.Add) or not isinstance(one.exponent, f.Num):
            return None
        n, a = one.exponent.value, one.base
        if not (n.is_Integer and 1 < n <= MAX_POWER):
            return None
        b = self._root_of(f.neg(other), int(n))
        difference = None if b is None else f.add(a, f.neg(b))
        if b is None or difference is None or f.size(difference) >= f.size(a):
            return None
        return f.mul(difference, f.add(*[f.mul(f.power(a, int(n) - 1 - k), f.power(b, k)) for k in range(int(n))]))

    @staticmethod
    def _root_of(form: f.Formula, n: int) -> f.Formula | None:
        if isinstance(form, f.Pow) and form.exponent == f.lift(n):
            return form.base
        root = form.value ** sp.Rational(1, n) if isinstance(form, f.Num) and form.value.is_positive else None
        return f.Num(root) if root is not None and root.is_Rational else None

    # -- powers
    def _compounded(self, form: f.Formula, terms: Sequence[f.Formula], exponent: f.Formula) -> f.Formula:
        """(1 + a)^n = e^(n·log(1 + a)) where the base is positive."""
        place = terms.index(f.ONE)
        a = self._value(f.add(*terms[:place], *terms[place + 1 :]))
        graph = a.graph
        power = graph.call("exp", self._value(exponent) * graph.call("log1p", a))
        return self._row(graph.call("where", graph.call("greater", a, -1), power, self._value(form)))

    # -- products and quotients
    def _product(self, form: f.Formula) -> f.Formula:
        factors = [*powers(form)]
        if _cancel(factors, factors) or _is_double(form):
            return self._product(product(_collected(factors)))
        rules = (self._unfolded, self._spelled, self._exponentials, self._gates, self._means, self._shares, self._under)
        found = next((found for rule in rules if (found := rule(factors))), None)
        return self._far_out(form, factors) if found is None else self._product(product(found))

    def _unfolded(self, factors: Factors) -> Factors | None:
        """x·σ(x)/x as σ(x) of a factor that is such a product, x·σ(x)/sin(x) as x/sin(x)·σ(x), x·σ(x)·cosh(x) as
        x times what is left of both far out, a/(b/c) as a·c/b."""
        opened = [self._opened(base, n) for base, n in factors]
        for k, (inside, quotient) in enumerate(opened):
            if len(inside) < 2:
                continue
            rest = [part for j, (parts, _) in enumerate(opened) if j != k for part in parts]
            double = quotient and factors[k][1].is_negative
            if double or any(meet(rest, inside) for meet in (_cancel, self._meet_at_0, self._meet_beyond)):
                return _collected([*factors[:k], *factors[k + 1 :], *inside])
        return None

    def _opened(self, base: f.Formula, n: sp.Expr) -> tuple[Factors, bool]:
        """The factors of a part that is a product, those that are products themselves taken apart; whether it is a
        quotient."""
        row = self.args[base.index] if isinstance(base, f.Arg) and n.is_Integer else None
        written = f.Arg(0) if row is None else unguarded(arithmetic_of(row, self.ends)[0])
        if row is None or not isinstance(written, (f.Mul, f.Div)):
            return [(base, n)], False
        whole = powers(unguarded(self._inlined(row)), n)
        rows = [(self._inlined(self.args[x.index]) if isinstance(x, f.Arg) else x, m) for x, m in whole]
        return [part for x, m in rows for part in powers(x, m)], isinstance(written, f.Div)

    def _exponentials(self, factors: Factors) -> Factors | None:
        """e^a·e^b = e^(a + b), also of what is e^a by its logarithm; a function that overflows under a fraction bar is
        e^(−log)."""
        grown = {k: found for k, (base, n) in enumerate(factors) if (found := self._growing(base, n)) is not None}
        exps = [k for k, found in grown.items() if found[0]]
        mirrored = self._mirrored(factors, exps)
        if mirrored is not None:
            return mirrored
        grown |= self._vanishing(factors)
        signed = self._signed(factors, grown)
        if signed is not None:
            return signed
        if len(grown) < 2 and all(factors[k][1].is_positive is not False for k in grown):
            return self._compensated(factors)
        return self._gathered(factors, [*grown], [row for _, row in grown.values()])

    def _mirrored(self, factors: Factors, exps: Sequence[int]) -> Factors | None:
        """e^−u·f(u), of an f that is e^u·g."""
        for k, (base, n) in enumerate(factors):
            called = self._call(base)
            if called is None or called[0].mirrored is None or not n.is_Integer:
                continue
            for e in exps:
                u, exponent = called[1], self._exponent(factors[e])
                c = self._ratio(exponent, u)
                count = sp.sign(n) * min(abs(n), sp.floor(abs(c)))
                if c * count < 0:
                    left = self._gathered(factors, [k, e], [exponent, u * count])
                    return [*left, (base, n - count), (self._over(called[0].mirrored, u), count)]
        return None

    def _exponent(self, factor: tuple[f.Formula, sp.Expr]) -> Node:
        """n·u, of a factor (e^u)^n."""
        called = self._call(factor[0])
        assert called is not None
        return scaled(called[1], factor[1])

    def _ratio(self, a: Node, b: Node) -> sp.Expr:
        """c where a row is a number c times another one; 0 where it is no such thing."""
        (c, one), (d, other) = self._scaled(a), self._scaled(b)
        return c / d if one is other and d != 0 and (c / d).is_number else sp.S.Zero

    def _scaled(self, row: Node) -> tuple[sp.Expr, Node]:
        form, rows = arithmetic_of(row, self.ends)
        factor, rest = f.split_sign(form)
        return factor, row.graph.arithmetic(rest, rows)

    def _vanishing(self, factors: Factors) -> dict[int, tuple[bool, Node]]:
        """The factors that are 0 somewhere far out, by their logarithms, beside what overflows for the same reason."""
        called = {k: found for k, (base, _) in enumerate(factors) if (found := self._call(base)) is not None}
        over = [k for k, (record, _) in called.items() if record.overflows]
        logs: dict[int, tuple[bool, Node]] = {}
        for k, (record, u) in called.items():
            small = record.range[0] == 0 and k not in over and any(self._ratio(called[j][1], u) != 0 for j in over)
            if small and record.log is not None:
                logs[k] = False, u.graph.apply(record.log, u) * factors[k][1]
        return logs

    def _signed(self, factors: Factors, grown: Mapping[int, tuple[bool, Node]], under: bool = False
                ) -> Factors | None:
        """sinh(u)/cosh(v) as tanh(u)·e^(log cosh u − log cosh v), and sinh(u)·e^v likewise: what overflows and has both
        signs is its sign and size beside what may overflow or vanish too."""
        for k, (base, n) in enumerate(factors):
            called = self._call(base)
            if called is None or called[0].scaled is None or not isinf(called[0].range[1]):
                continue
            if under and n.is_positive is not False:
                continue
            (size, moderate), u = called[0].scaled, called[1]
            meets = [j for j, (exp, _) in grown.items() if (called[0].odd if exp else self._meet(factors[j], n))]
            if meets or under:
                logs = [u.graph.apply(size, u) * n, *[grown[j][1] for j in meets]]
                return self._gathered(factors, [k, *meets], logs, f.power(self._over(moderate, u), f.Num(n)))
        return None

    def _under(self, factors: Factors) -> Factors | None:
        """1/sinh(u): its slope is cosh(u) over a square."""
        return self._signed(factors, {}, under=True)

    def _meet(self, factor: tuple[f.Formula, sp.Expr], n: sp.Expr) -> bool:
        """Whether a factor may be 0 where one to the power n overflows."""
        called = self._call(factor[0])
        return called is not None and (factor[1] * n).is_negative is isinf(called[0].range[1])

    def _growing(self, base: f.Formula, n: sp.Expr) -> tuple[bool, Node] | None:
        """Of a factor that overflows and has a logarithm: whether it is an exponential, and the logarithm of it."""
        called = self._call(base)
        if called is None or called[0].log is None or not called[0].positive or not called[0].overflows:
            return None
        return called[0].exponential, called[1].graph.apply(called[0].log, called[1]) * n

    def _gathered(self, factors: Factors, places: Sequence[int], logs: Sequence[Node], over: f.Formula = f.ONE
                  ) -> Factors:
        """The factors with one exponential for those at the places."""
        whole = sum(logs[1:], logs[0])
        rest = [x for k, x in enumerate(factors) if k not in places]
        return [*rest, *powers(over), (self._row(whole.graph.call("exp", whole)), sp.S.One)]

    def _compensated(self, factors: Factors) -> Factors | None:
        """e^a·f(u) where f is e^−a·g, also of what is e^a by its logarithm."""
        for k, (base, n) in enumerate(factors):
            called = self._call(base)
            if called is None or called[0].scaled is None or called[0].exponential or n != 1:
                continue
            u, (exponent, moderate) = called[1], called[0].scaled
            for e, (other, m) in enumerate(factors):
                log = self._polynomial(other) if e != k else None
                if log is None:
                    continue
                total = self._value(f.mul(f.Num(m), log) + f.over(exponent, (self._inlined(u),)))
                if total.value is not None:
                    return self._gathered(factors, [k, e], [total], self._over(moderate, u))
        return None

    def _polynomial(self, base: f.Formula) -> f.Formula | None:
        """The logarithm of a function, where that is arithmetic."""
        called = self._call(base)
        if called is None or called[0].log is None or f.calls(called[0].log):
            return None
        return f.over(called[0].log, (self._inlined(called[1]),))

    def _spelled(self, factors: Factors) -> Factors | None:
        """f(u)/g(u), which a record is spelled as."""
        called = {k: found for k, (base, n) in enumerate(factors) if abs(n) == 1 and (found := self._call(base))}
        for k, (one, u) in called.items():
            for j, (other, v) in called.items():
                same = u is v or (one.even and u is scaled(v, -sp.S.One))
                name = quotients().get((one.name, other.name)) if same else None
                if name is not None and (factors[k][1], factors[j][1]) == (1, -1):
                    rest = [x for i, x in enumerate(factors) if i not in (k, j)]
                    return [*rest, (self._row(v.graph.call(name, v)), sp.S.One)]
        return None

    def _gates(self, factors: Factors) -> Factors | None:
        """σ(u)·σ(−u) = sech²(u/2)/4, whose slope is 0 at 0."""
        sigmoids = [(k, called[1]) for k, (base, n) in enumerate(factors)
                    if n == 1 and (called := self._call(base)) is not None and called[0].role is Role.LOGISTIC]
        for k, u in sigmoids:
            for j, v in sigmoids:
                if k < j and v is scaled(u, -sp.S.One):
                    rest = [x for i, x in enumerate(factors) if i not in (k, j)]
                    over = f.call("exp", -2 * f.call("log_cosh", f.Arg(0) / 2))
                    return [(f.Num(sp.Rational(1, 4)), sp.S.One), *rest, (self._over(over, u), sp.S.One)]
        return None

    def _means(self, factors: Factors) -> Factors | None:
        """f(c·u)/u, u/f(c·u) and f(c·u)/g(d·u) of functions that are 0 at 0, by f(u)/u near 0."""
        zeros = {k: zero for k, (base, n) in enumerate(factors) if n.is_Integer and (zero := self._zero(base))}
        for k, zero in zeros.items():
            others = [(j, zeros[j]) for j in zeros if (factors[k][1] * factors[j][1]).is_negative]
            ways = [*[self._over_product(factors, k, zero, parts) for parts in self._products(zero[1])],
                    *[self._over_other(factors, k, zero, j, other) for j, other in others]]
            found = next((way for way in ways if way is not None), None)
            if found is not None:
                return found
        return None

    def _meet_at_0(self, one: Factors, other: Factors) -> bool:
        """Whether an argument stands over a function that is 0 where it is, or under it."""
        zeros = [(self._multiple(zero[1])[1], n) for base, n in one if (zero := self._zero(base))]
        return any(u is self._value(x) and (n * m).is_negative for u, n in zeros for x, m in other)

    def _zero(self, base: f.Formula) -> Zero | None:
        """The function that is 0 at 0 and its argument, of a part that is such a call, under whatever name."""
        row = self.args[base.index] if isinstance(base, f.Arg) else None
        if row is None or row.id in self.ends or row.function is None or row.function.mean is None:
            return None
        return row.function, row.graph.apply(row.attr.form.children[0], *row.args)

    def _products(self, u: Node) -> list[list[tuple[Node, sp.Expr]]]:
        """What a row is the product of, under whatever name: itself, or rows, numbers among them, to their powers."""
        form = None if u.id in self.ends else u.arithmetic
        parts = [] if form is None else [(u.graph.arithmetic(base, u.args), n) for base, n in powers(form)]
        return [[(u, sp.S.One)], parts]

    def _over_product(self, factors: Factors, k: int, zero: Zero, product_of: Sequence[tuple[Node, sp.Expr]]
                      ) -> Factors | None:
        """f(u) to its power beside the parts of u to powers of the other sign."""
        (record, u), n, rows = zero, factors[k][1], [self._value(base) for base, _ in factors]
        parts = [(row, m) for row, m in product_of if row.value is None]
        places = {next((j for j, x in enumerate(rows) if x is row and j != k), k): m for row, m in parts}
        if k in places or not any(m.is_positive and not _is_away(row) for row, m in parts):
            return None
        sign, count = sp.sign(n), min([abs(n), *[sp.floor(-sp.sign(n) * factors[j][1] / m) for j, m in places.items()]])
        if not count.is_positive:
            return None
        taken = {k: -sp.S.One, **places}
        left = [(base, m + sign * count * taken.get(j, 0)) for j, (base, m) in enumerate(factors)]
        numbers = [(f.Num(row.value), m * sign * count) for row, m in product_of if row.value is not None]
        return [*[x for x in left if x[1] != 0], *numbers, self._mean(u, record, n, count)]

    def _mean(self, u: Node, record: Scalar, sign: sp.Expr, count: sp.Expr) -> tuple[f.Formula, sp.Expr]:
        """f(u)/u, or u/f(u): that of what goes to 0 far out has the square of that in its slope."""
        assert record.mean is not None
        if sign.is_positive or (isinstance(record.mean, f.Call) and TABLE[record.mean.name].exponential):
            return self._over(record.mean, self._sized(u, [record])), sp.sign(sign) * count
        return self._quotient(u, [(record, sp.S.One)], sign, count)

    def _over_other(self, factors: Factors, k: int, zero: Zero, j: int, other: Zero) -> Factors | None:
        """f(c·u)/g(d·u), over the larger of both arguments."""
        (c, core), (d, same) = self._multiple(zero[1]), self._multiple(other[1])
        if core is not same or not (c.is_number and d.is_number) or _is_away(core):
            return None
        n, size = factors[k][1], max(abs(c), abs(d))
        count = min(abs(n), abs(factors[j][1]))
        taken = {k: -sp.sign(n) * count, j: sp.sign(n) * count}
        left = [(base, m + taken.get(i, 0)) for i, (base, m) in enumerate(factors)]
        whole = self._quotient(scaled(core, size), [(zero[0], c / size), (other[0], d / size)], n, count)
        return [*[x for x in left if x[1] != 0], whole]

    def _multiple(self, row: Node) -> tuple[sp.Expr, Node]:
        """c and u where a row is c·u, under whatever name."""
        form = None if row.id in self.ends else row.arithmetic
        if form is None:
            return sp.S.One, row
        factor, rest = f.split_sign(form)
        return factor, row.graph.arithmetic(rest, row.args)

    def _quotient(self, u: Node, both: Sequence[tuple[Scalar, sp.Expr]], sign: sp.Expr, count: sp.Expr
                  ) -> tuple[f.Formula, sp.Expr]:
        """f(c·u)/u or f(c·u)/g(d·u), or what is 1 over that: as it is written, near 0 by means."""
        size = self._sized(u, [record for record, _ in both])
        away, near = [size.graph.apply(form, size) for form in (_AWAY, _NEAR)]
        written = [*[size.graph.call(record.name, away * c) for record, c in both], away]
        means = [size.graph.apply(c * record.mean, near * c) for record, c in both if record.mean is not None]
        over = [*map(self._row, written[:2])]
        far = self._value(self._product(f.div(*(over if sign.is_positive else over[::-1]))))
        a, b = (*means, size.graph.const(1))[:2]
        choice = size.graph.call("where", size.graph.apply(_FAR, size), far, a / b if sign.is_positive else b / a)
        return self._row(choice), count

    def _sized(self, u: Node, records: Sequence[Scalar]) -> Node:
        """u, of |u| where odd functions are over one another."""
        seen = u.form == _SIZE and u.id not in self.ends and all(record.odd for record in records)
        return u.args[0] if seen else u

    def _shares(self, factors: Factors) -> Factors | None:
        """a/√(a² + b²)."""
        for k, (base, n) in enumerate(factors):
            row = self.args[base.index] if isinstance(base, f.Arg) and n == -1 else None
            sides = [] if row is None else sides_of(row, self.ends)
            if row is None or not sides:
                continue
            for j, (x, m) in enumerate(factors):
                side = [i for i, s in enumerate(sides) if isinstance(x, f.Arg) and self.args[x.index] is s]
                if side and m.is_positive and m.is_Integer:
                    share = self._row(row.graph.call("over_hypot", sides[side[0]], sides[1 - side[0]]))
                    left = [*factors, (share, sp.S.One)]
                    left[j] = (x, m - 1)
                    return [p for i, p in enumerate(left) if i != k and p[1] != 0]
        return None

    # -- far out
    def _far_out(self, form: f.Formula, factors: Factors) -> f.Formula:
        """A product of what overflows and what vanishes for the same reason: f(u) is f(u − s)·e^(c·s) far out, where s
        is what u is beyond ±150, and all such exponentials, which are held constant, are one."""
        parts = [self._within(base, n) for base, n in factors]
        if not any(self._meet_far_out(a, b) for a in parts for b in parts):
            return form
        whole = sum_of([p.exponent for p in parts if p.exponent is not None])
        rest = product([(p.base, n) for p, (_, n) in zip(parts, factors, strict=True)])
        return rest if whole is None else f.mul(rest, self._scale(whole))

    def _scale(self, exponent: Node) -> f.Formula:
        """e to what is held constant, into which nobody looks again."""
        row = exponent.graph.call("exp", exponent.graph.make("stop_gradient", (exponent,)))
        self.scales.add(row.id)
        return self._row(row)

    def _meet_beyond(self, one: Factors, other: Factors) -> bool:
        """Whether a factor of the one overflows where one of the other vanishes, or the other way round."""
        a, b = ([self._within(base, n) for base, n in factors] for factors in (one, other))
        pairs = [(x, y) for x in a for y in b if not (x.under or y.under)]
        return any(self._meet_far_out(x, y) or self._meet_far_out(y, x) for x, y in pairs)

    def _meet_far_out(self, one: Within, other: Within) -> bool:
        """Whether one factor overflows where the other one vanishes; a sum under a bar has a slope over its square."""
        if one is other:
            return one.under
        return any(a.grows and not b.grows and self._same_end(a, b) for a in one.ends for b in other.ends)

    def _same_end(self, one: End, other: End) -> bool:
        c = self._ratio(one.row, other.row)
        return one.side == other.side * sp.sign(c) if c != 0 else bool(self._reads(one.row) & self._reads(other.row))

    def _reads(self, row: Node, depth: int = 8) -> set[int]:
        """The rows that elementwise rows without a name are computed from."""
        seen = not is_barrier(row, self.ends) and row.form is not None and depth > 0
        return {i for a in row.args for i in self._reads(a, depth - 1)} if seen else {row.id}

    def _within(self, base: f.Formula, n: sp.Expr) -> Within:
        """A factor without the exponential that it is far out."""
        if isinstance(base, f.Add):
            return self._sum_within(base, n)
        tail = self._tail(base) if n.is_Integer else None
        if tail is None:
            return Within(base)
        name, u, (left, right), sides = tail
        ends = [End(u, side, bool(side * c * n > 0)) for side, c in ((-1, left), (1, right)) if c and side in sides]
        return Within(self._row(_near(name, u, right)), scaled(_beyond(u, left or 0, right or 0), n), ends)

    def _tail(self, base: f.Formula) -> Tail | None:
        """The name of a function with exponential tails, its argument, its tails, and which of them the argument meets;
        what vanishes otherwise is the exponential of its logarithm."""
        called = self._call(base)
        if called is None or (isinstance(base, f.Arg) and self.args[base.index].id in self.scales):
            return None
        record, u = called
        if record.tails != (None, None):
            sides = [side for side in (-1, 1) if not is_nonnegative(f.Arg(0), (u * -side,))]
            return record.name, u, record.tails, sides
        small = record.range[0] == 0 and not isinf(record.range[1])
        return ("exp", u.graph.apply(record.log, u), (1, 1), [-1]) if small and record.log is not None else None

    def _sum_within(self, form: f.Add, n: sp.Expr) -> Within:
        """c + w·e^u as (c·e^−s + w·e^(u − s))·e^s, s the largest exponent."""
        factors = [[] if isinstance(t, f.Num) else powers(t) for t in form.terms]
        parts = [[self._within(base, m) for base, m in x] for x in factors]
        exponents = [sum_of([p.exponent for p in x if p.exponent is not None]) for x in parts]
        top = _largest(exponents)
        if top is None:
            return Within(form)
        rest = [product([(p.base, m) for p, (_, m) in zip(x, known, strict=True)]) if x else t
                for t, x, known in zip(form.terms, parts, factors, strict=True)]
        added = [f.mul(r, self._scale(-top if e is None else e - top)) for r, e in zip(rest, exponents, strict=True)]
        ends = [End(end.row, end.side, bool(n.is_positive)) for x in parts for p in x for end in p.ends if end.grows]
        return Within(f.add(*added), scaled(top, n), ends, under=bool(n.is_negative and ends))


@dataclass(frozen=True)
class End:
    """Where a factor overflows (``grows``) or vanishes: where a row is far out on the left (−1) or on the right."""

    row: Node
    side: int
    grows: bool


@dataclass(frozen=True)
class Within:
    """A factor (without its power) as what it is within ±150, and the exponent (with it) of what it is beyond; it may
    be a sum that overflows ``under`` a fraction bar."""

    base: f.Formula
    exponent: Node | None = None
    ends: Sequence[End] = ()
    under: bool = False


def _near(name: str, u: Node, right: int | None) -> Node:
    """f(u) of what u is within ±150, on the sides where f is an exponential beyond."""
    near = u.graph.call("within", u)
    found: Node = u.graph.call(name, near if right is not None else u.graph.call("maximum", u, near))
    return found


def _beyond(u: Node, left: int, right: int) -> Node:
    """The exponent of what a function with these tails is beyond ±150."""
    s = u - u.graph.call("within", u)
    if left == right:
        return scaled(s, sp.Integer(left))
    if left == -right:
        return scaled(u.graph.call("abs", s), sp.Integer(right))
    return scaled(u.graph.call("maximum" if right else "minimum", s, 0), sp.Integer(left or right))


def _largest(exponents: Sequence[Node | None]) -> Node | None:
    """The largest exponent, of which None is 0; 0 where that is infinite."""
    known = [e for e in exponents if e is not None]
    if not known:
        return None
    graph = known[0].graph
    first = [graph.const(0)] if len(known) < len(exponents) else []
    top = reduce(lambda a, b: graph.call("maximum", a, b), [*first, *known])
    return graph.call("where", graph.call("less", graph.call("abs", top), sp.oo), top, 0)


def sum_of(rows: Sequence[Node]) -> Node | None:
    """The sum of rows; None of none."""
    return sum(rows[1:], rows[0]) if rows else None


def _is_number(term: f.Formula) -> bool:
    return isinstance(term, f.Num)


@cache
def quotients() -> dict[tuple[str, str], str]:
    """The functions that are quotients of two others of the same argument, by the names of these."""
    found = {r.name: r.spelled for r in TABLE.values() if isinstance(r.spelled, f.Div)}
    return {(q.num.name, q.den.name): name for name, q in found.items()
            if isinstance(q.num, f.Call) and isinstance(q.den, f.Call) and q.num.args == q.den.args == (f.Arg(0),)}


@cache
def one_more(record: Scalar) -> f.Formula | None:
    """1 + f(u) of an odd f that has a complement, or where −f is the complement of another function."""
    if record.odd and record.complement is not None:
        return f.over(record.complement, (-f.Arg(0),))
    minus = -f.call(record.name, f.Arg(0))
    return next((f.call(r.name, f.Arg(0)) for r in TABLE.values() if r.complement == minus), None)


def scaled(row: Node, factor: sp.Expr) -> Node:
    """A number times a row."""
    found: Node = row * factor
    return found


def is_barrier(row: Node, ends: Container[int]) -> bool:
    """Whether nobody looks into how a row is computed."""
    return row.name is not None or row.id in ends


def arithmetic_of(row: Node, ends: Container[int]) -> tuple[f.Formula, Sequence[Node]]:
    """The arithmetic that a row is, and over what; itself where it is none, or a barrier."""
    if is_barrier(row, ends) or row.arithmetic is None:
        return f.Arg(0), (row,)
    return row.arithmetic, row.args


_FAR = f.call("greater", f.call("abs", f.Arg(0)), sp.S.Half)
_AWAY, _NEAR = f.call("where", _FAR, f.Arg(0), sp.S.Half), f.call("where", _FAR, f.ZERO, f.Arg(0))
_SIZE = f.call("abs", f.Arg(0))


def _is_away(row: Node) -> bool:
    """Whether a row is held away from 0, or is so by itself."""
    held = row.role is Role.CHOICE and len(row.args) > 1 and row is row.graph.apply(_AWAY, row.args[-1])
    return held or is_positive(f.Arg(0), (row,))


_HYPOTENUSE = f.call("sqrt", f.Arg(0) ** 2 + f.Arg(1) ** 2)


def sides_of(row: Node, ends: Container[int]) -> list[Node]:
    """a and b of a √(a² + b²)."""
    form = row.form
    if is_barrier(row, ends) or form is None or form.guards != _HYPOTENUSE:
        return []
    return [row.graph.apply(part, *row.args) for part in form.children]


def _times(factor: sp.Expr, form: f.Formula) -> list[f.Formula]:
    """The terms of a number times a formula."""
    return [f.mul(f.Num(factor), t) for t in (form.terms if isinstance(form, f.Add) else (form,))]


Factors = list[tuple[f.Formula, sp.Expr]]
Zero = tuple[Scalar, Node]
Tail = tuple[str, Node, tuple[int | None, int | None], Sequence[int]]


def powers(form: f.Formula, exponent: sp.Expr = sp.S.One) -> Factors:
    """The factors of a product or quotient, as bases and exponents, the number in front among them."""
    if isinstance(form, f.Div):
        return [*powers(form.num, exponent), *powers(form.den, -exponent)]
    if isinstance(form, f.Neg):
        return [(f.Num(-sp.S.One), sp.S.One), *powers(form.body, exponent)]
    return f.powers(form, exponent)


def unguarded(form: f.Formula) -> f.Formula:
    """A gated product as one, which it is where the gate is divided by."""
    if isinstance(form, f.Call) and form.role is Role.GATED and form.guards is not None:
        return f.over(form.guards, form.children)
    return form


def _is_double(form: f.Formula) -> bool:
    """a/(b/c)."""
    return isinstance(form, f.Div) and any(isinstance(x, f.Div) for x in f.factors(form.den))


def _cancel(one: Factors, other: Factors) -> bool:
    """Whether a factor stands above and under the fraction bar."""
    return any(a == b and (n * m).is_negative for a, n in one for b, m in other if not isinstance(a, f.Num))


def _collected(factors: Factors) -> Factors:
    """Each base once; those that cancel are gone."""
    found: dict[f.Formula, sp.Expr] = {}
    for base, n in factors:
        found[base] = found.get(base, sp.S.Zero) + n
    return [(base, n) for base, n in found.items() if n != 0]


def product(factors: Factors) -> f.Formula:
    """The formula of factors: those with a negative exponent under the fraction bar."""
    num = f.mul(*[f.power(base, n) for base, n in factors if not _is_under(base, n)])
    den = [f.power(base, -n) for base, n in factors if _is_under(base, n)]
    return f.div(num, f.mul(*den)) if den else num


def _is_under(base: f.Formula, n: sp.Expr) -> bool:
    return bool(n.is_negative) and not isinstance(base, f.Num)


def arithmetic(form: f.Formula, args: list[Node], ends: Container[int]) -> f.Formula:
    """A formula over rows, rewritten where that is better; ``args`` grows."""
    return Forms(args, ends).rewritten(form)


# -- rows
def root_of_squares(row: Node, ends: Container[int]) -> Node | None:
    """√(a²) = |a|, √(a² + b²) as a hypotenuse, √(Σ a²) as a norm."""
    record = row.function
    if record is None or record.power != sp.Rational(1, 2) or not isinstance(row.form, f.Call):
        return None
    inside = row.graph.apply(row.form.args[0], *row.args)
    if is_barrier(inside, ends):
        return None
    found = _norm(inside, ends)
    return _of_squares(inside) if found is None else found


def _norm(inside: Node, ends: Container[int]) -> Node | None:
    form, rows = arithmetic_of(inside, ends)
    factor, rest = f.split_sign(form)
    total = rows[rest.index] if isinstance(rest, f.Arg) and factor == 1 else None
    if total is None or is_barrier(total, ends) or not is_sum(total) or is_barrier(total.args[0], ends):
        return None
    square = total.args[0].arithmetic
    if not isinstance(square, f.Pow) or square.exponent != f.lift(2):
        return None
    return build.norm(total.graph.arithmetic(square.base, total.args[0].args), *total.attr)


def _of_squares(inside: Node) -> Node | None:
    """Of a square, or a sum of two, one of which may be a number."""
    form = inside.arithmetic
    sides = [_side(t) for t in (form.terms if isinstance(form, f.Add) else () if form is None else (form,))]
    if len(sides) == 1 and sides[0] is not None and not isinstance(sides[0], f.Num):
        return inside.graph.call("abs", inside.graph.arithmetic(sides[0], inside.args))
    if len(sides) != 2 or None in sides or all(isinstance(s, f.Num) for s in sides):
        return None
    graph = inside.graph
    return graph.call("hypot", *[graph.arithmetic(s, inside.args) if not isinstance(s, f.Num) else s.value
                                 for s in sides if s is not None])


def _side(term: f.Formula) -> f.Formula | None:
    """What a term is the square of."""
    if isinstance(term, f.Num):
        return f.Num(sp.sqrt(term.value)) if term.value.is_positive else None
    factor, square = f.split_sign(term)
    if not isinstance(square, f.Pow) or square.exponent != f.lift(2) or not factor.is_positive:
        return None
    return f.mul(f.Num(sp.sqrt(factor)), square.base)


def _inside(row: Node, name: str, ends: Container[int]) -> Node | None:
    """The row that the function of this name is taken of."""
    match row.form:
        case f.Call(called, (f.Arg(k),)) if called == name and not is_barrier(row.args[k], ends):
            return row.args[k]
    return None


def logarithm(row: Node, ends: Container[int]) -> Node | None:
    """log(1 + a) as log1p, log(a + √(a² + c²)) as an inverse function, log of a power, a product or a quotient by
    logarithms of what stands in it."""
    inside = _inside(row, "log", ends)
    if inside is None or inside.arithmetic is None:
        return None
    form, args = inside.arithmetic, inside.args
    if isinstance(form, f.Add):
        return _log_of_sum(form.terms, args, ends)
    return _log_of_product(form, args, ends) if isinstance(form, (f.Mul, f.Div, f.Pow)) else None


def _log_of_sum(terms: Sequence[f.Formula], args: Sequence[Node], ends: Container[int]) -> Node | None:
    graph = args[0].graph
    if f.ONE in terms:
        place = terms.index(f.ONE)
        rest = graph.arithmetic(f.add(*terms[:place], *terms[place + 1 :]), args)
        return graph.call("log1p", rest)
    if len(terms) != 2:
        return None
    for a, root in (terms, terms[::-1]):
        sides = sides_of(args[root.index], ends) if isinstance(root, f.Arg) else []
        row, numbers = graph.arithmetic(a, args), [s.value for s in sides if s.value is not None]
        if len(numbers) == 1 and any(s is row for s in sides):
            inverse = graph.call("asinh", row / numbers[0])
            return inverse if numbers[0] == 1 else inverse + sp.log(numbers[0])
    return None


def _log_of_product(form: f.Formula, args: Sequence[Node], ends: Container[int]) -> Node | None:
    number, factors = sp.S.One, []
    for base, n in powers(form):
        if isinstance(base, f.Num):
            number = number * base.value**n
        else:
            factors.append((base, n))
    if not number.is_positive or not factors or any(not n.is_number for _, n in factors):
        return None
    graph = args[0].graph
    over = [x for x in factors if not x[1].is_negative]
    under = [(base, -n) for base, n in factors if n.is_negative]
    u = _of_tanh(over, under)
    if len(factors) == 1:
        found = _log_of_power(*factors[0], args, ends)
    elif u is not None:
        found = graph.call("atanh", graph.arithmetic(u, args)) * 2
    else:
        name, sides = ("log_quotient", (over, under)) if over and under else ("log_product", _halves(over or under))
        found = graph.call(name, *[graph.arithmetic(product(side), args) for side in sides]) * (1 if over else -1)
    return None if found is None else found if number == 1 else found + sp.log(number)


def _of_tanh(over: Factors, under: Factors) -> f.Formula | None:
    """u, of (1 + u)/(1 − u)."""
    match over, under:
        case [(f.Add(terms), sp.S.One)], [(below, sp.S.One)] if f.ONE in terms:
            u = f.add(*[t for t in terms if t != f.ONE])
            return u if f.add(f.ONE, *_times(-sp.S.One, u)) == below else None
    return None


def _halves(factors: Factors) -> tuple[Factors, Factors]:
    return factors[: len(factors) // 2], factors[len(factors) // 2 :]


def _log_of_power(base: f.Formula, n: sp.Expr, args: Sequence[Node], ends: Container[int]) -> Node | None:
    """log a^n = n·log a, of |a| for an even n."""
    if n == 1:
        return None
    graph = args[0].graph
    row = graph.arithmetic(base, args)
    if n.is_even and not is_nonnegative(base, args):
        row = graph.call("abs", row)
    log = _log_of_sum(base.terms, args, ends) if isinstance(base, f.Add) and not n.is_even else None
    found: Node = (graph.call("log", row) if log is None else log) * n
    return found


def angle(row: Node, ends: Container[int], root: Callable[[Node], Node]) -> Node | None:
    """The arc tangent of a quotient; an arc sine or cosine of u over the ``root`` of 1 − u², acosh by that of u − 1,
    where these have forms of their own."""
    record = row.function
    if record is not None and record.angle is not None:
        return _on_circle(row, record.angle, ends, root)
    if record is not None and record.area:
        return _on_hyperbola(row, ends, root)
    inside = _inside(row, "atan", ends)
    if inside is None or not isinstance(inside.arithmetic, f.Div):
        return None
    sides = [inside.graph.arithmetic(x, inside.args) for x in (inside.arithmetic.num, inside.arithmetic.den)]
    return row.graph.call("atan_quotient", *sides)


def _on_circle(row: Node, place: int, ends: Container[int], root: Callable[[Node], Node]) -> Node | None:
    """The angle of (√(1 − u²), u) or of (u, √(1 − u²)) for the function of u that a row is."""
    match row.form:
        case f.Call(_, (part,)):
            forms = Forms([u := row.graph.apply(part, *row.args)], ends)
            rest = forms.rest(f.Arg(0)) or forms.sides(f.Arg(0))
        case _:
            return None
    if rest is None:
        return None
    sides = [u, root(row.graph.arithmetic(rest, forms.args))]
    return row.graph.call("atan2", *sides[:: -1 if place else 1])


def _on_hyperbola(row: Node, ends: Container[int], root: Callable[[Node], Node]) -> Node | None:
    """acosh(1 + v) = 2·asinh(√(v/2)), as cosh y − 1 is 2·sinh²(y/2)."""
    match row.form:
        case f.Call(_, (part,)):
            forms = Forms([row.graph.apply(part, *row.args)], ends)
            less = forms.one_less(f.neg(f.Arg(0)))
        case _:
            return None
    if less is None:
        return None
    half: Node = row.graph.call("asinh", root(row.graph.arithmetic(f.neg(less), forms.args)) / sp.sqrt(2))
    return half * 2
