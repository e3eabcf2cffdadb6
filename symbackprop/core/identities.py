"""Exact identities by which a formula is evaluated without overflow: what is declared stays as it is, what is emitted
and what numbers are computed from is rewritten, and its backward pass derived anew.

Each rule takes an elementwise row and gives a row of the same value, or None.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from symbackprop.core import build
from symbackprop.core import formula as f
from symbackprop.core.facts import plainly
from symbackprop.core.graph import Node
from symbackprop.core.logarithms import Logarithms, log_of_value
from symbackprop.core.noughts import term_by_term
from symbackprop.core.pattern import Pattern
from symbackprop.core.scalars import TABLE
from symbackprop.core.selection import zero_branch
from symbackprop.core.shapes import same_shape

Rule = Callable[[Node, Logarithms], Node | None]


def _logarithm(row: Node, logs: Logarithms) -> Node | None:
    """log(1 + x) over what x is computed from."""
    match row.attr.form:
        case f.Call("log1p", (f.Arg(index),)):
            inner = row.args[index]
            form, args = (f.Arg(0), (inner,)) if inner.arithmetic is None else (inner.arithmetic, inner.args)
            return logs.of_formula(f.add(f.ONE, form), args)
    return None


def _sum_of_logarithms(row: Node, logs: Logarithms) -> Node | None:
    """log x, and what a record states as a sum of logarithms, over what x is computed from where that is better: log
    softmax(z) = z − logsumexp(z)."""
    record = row.function
    inner = [] if record is None else [(sign, f.over(x, row.attr.form.args)) for sign, x in record.logs]
    found = [logs.of_formula(x, row.args) for _, x in inner]
    if all(log is None for log in found):
        return None
    total = row.graph.const(0)
    for (sign, x), log in zip(inner, found, strict=True):
        total = total + sign * (log_of_value(row.graph.apply(x, *row.args)) if log is None else log)
    return total


def _power(row: Node, logs: Logarithms) -> Node | None:
    """p^c = e^(c·log p) of a probability, 0 < c < 1: its derivative is finite where p underflows."""
    form = row.attr.form
    match form:
        case f.Call(name, _):
            power = TABLE[name].power
        case f.Pow(_, f.Num(power)):
            pass
        case _:
            return None
    if power is None or not (power.is_number and 0 < power < 1):
        return None
    log = logs.of_formula(form, row.args)
    return None if log is None else row.graph.call("exp", log)


def _bernoulli(row: Node, logs: Logarithms) -> Node | None:
    """−(y log σ(z) + (1 − y) log(1 − σ(z))) from the logit z; over the logs of any other probability that has them."""
    if row.head != "bernoulli_loss":
        return None
    p, y = row.attr.form.args
    call = logs.function(row.args[p.index]) if isinstance(p, f.Arg) else None
    target = row.graph.apply(y, *row.args)
    if call is not None and call[0].name == "sigmoid":
        from symbackprop.core.functions.losses import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(call[1], target)
    hit, miss = logs.of_formula(p, row.args), logs.of_formula(f.add(f.ONE, f.neg(p)), row.args)
    return None if hit is None or miss is None else -(target * hit + (1 - target) * miss)


def _quotient(row: Node, logs: Logarithms) -> Node | None:
    """1/(1 + e^u) = σ(−u), e^a/(e^a + e^b) = σ(a − b), (e^a − e^b)/(e^a + e^b) = tanh((a − b)/2) and
    e^z/Σe^z = softmax(z), wherever they stand in a formula."""
    if row.arithmetic is None or not f.has_quotient(row.arithmetic):
        return None
    args = list(row.args)
    form = _Quotients(args, logs).shortened(row.arithmetic)
    return None if form is row.arithmetic else row.graph.arithmetic(form, args)


IDENTITIES: tuple[Rule, ...] = (_logarithm, _sum_of_logarithms, _power, _bernoulli, _quotient)


class _Quotients:
    """Replaces quotients of exponentials in a formula; ``args`` grows by the rows that stand for them."""

    def __init__(self, args: list[Node], logs: Logarithms) -> None:
        self.args, self.logs = args, logs

    def shortened(self, form: f.Formula) -> f.Formula:
        parts = f.children(form)
        new = tuple([self.shortened(p) for p in parts])
        if any(a is not b for a, b in zip(parts, new, strict=True)):
            form = f.rebuild(form, new)
        if not isinstance(form, f.Div):
            return form
        found = self._of_two(form.num, form.den) or self._of_all(form.num, form.den)
        return form if found is None else found

    def _argument(self, row: Node) -> Node | None:
        """u, of a row that is e^u; where(c, u, −∞), of one that is e^u only where c holds, else 0."""
        call = self.logs.function(row)
        if call is not None:
            return call[1] if call[0].name == "exp" else None
        return None if zero_branch(plainly(row)) is None else self.logs.sure(f.Arg(0), (row,))

    def _exponent(self, term: f.Formula) -> Node | sp.Expr | None:
        """u, of a term that is e^u; 1 is e^0."""
        if term == f.ONE:
            return sp.S.Zero
        return self._argument(self.args[term.index]) if isinstance(term, f.Arg) else None

    def _of_two(self, num: f.Formula, den: f.Formula) -> f.Formula | None:
        if not isinstance(den, f.Add) or len(den.terms) != 2:
            return None
        (one, other), (a, b) = den.terms, [self._exponent(t) for t in den.terms]
        if a is None or b is None:
            return None
        for x, y, u in ((one, other, a - b), (other, one, b - a)):
            if num == f.add(x, f.neg(y)):
                return self._call("tanh", u / 2)
            rest = f.ONE if num == x else _without(num, x)
            if rest is not None:
                return f.mul(rest, self._call("sigmoid", u))
        if f.ONE in den.terms:
            return f.mul(num, self._call("sigmoid", a - b if one == f.ONE else b - a))
        return None

    def _of_all(self, num: f.Formula, den: f.Formula) -> f.Formula | None:
        """e^z over its own sum along one axis, which broadcasts against it."""
        if not isinstance(den, f.Arg):
            return None
        total = plainly(self.args[den.index])
        if total.op.name != "sum":
            return None
        for k in f.arguments(num):
            e, rest = self.args[k], f.ONE if num == f.Arg(k) else _without(num, f.Arg(k))
            if rest is not None and plainly(e) is plainly(total.args[0]) and self._divides(e, total, den.index):
                u = self._argument(e)
                return None if u is None else f.mul(rest, self._row(build.softmax(u, total.attr[0][0])))
        return None

    def _divides(self, e: Node, total: Node, place: int) -> bool:
        """Whether the sum along one axis is read as broadcasting against that axis, which it may lack in front."""
        axes, given = total.attr[0], self.args[place].shape
        whole = build.reduced_shape(e.shape, axes, keepdims=True)
        return len(axes) == 1 and len(given) >= e.ndim - axes[0] - 1 and same_shape(given, whole[e.ndim - len(given) :])

    def _call(self, name: str, u: Node) -> f.Formula:
        return self._row(u.graph.call(name, u))

    def _row(self, row: Node) -> f.Formula:
        self.args.append(row)
        return f.Arg(len(self.args) - 1)


def _without(product: f.Formula, factor: f.Formula) -> f.Formula | None:
    """The other factors of a product."""
    if isinstance(product, f.Mul) and factor in product.factors:
        place = product.factors.index(factor)
        return f.mul(*product.factors[:place], *product.factors[place + 1 :])
    return None


def better(row: Node, logs: Logarithms) -> Node | None:
    """The row of an identity that applies."""
    if isinstance(row.attr, Pattern):
        return term_by_term(row)
    if row.form is None:
        return None
    return next((found for rule in IDENTITIES if (found := rule(row, logs)) is not None), None)
