"""Exact identities by which a formula is evaluated without overflow: what is declared stays as it is, what is emitted
and what numbers are computed from is rewritten, and its backward pass derived anew.

Most of them need log x of a row x as a row that neither overflows nor cancels, found in what x is computed from. A
probability p = softmax(z) underflows where z is far from its largest entry, log p = z − logsumexp(z) does not. What
stands between p and its logarithm (names, views, products, sums) is looked through: log of a view is that view of the
log, log of a product the sum of logs, log of a sum the logsumexp of logs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import isinf
from operator import mul
from typing import Any, TypeGuard, TypeVar

import sympy as sp

from symbackprop.core import build, exact_forms
from symbackprop.core import formula as f
from symbackprop.core.differences import Differences, is_read_along, less_total, unshifted
from symbackprop.core.exact_forms import sum_of
from symbackprop.core.facts import is_lookup, is_range, is_sum, kind, plainly, unnamed, way
from symbackprop.core.graph import BOOL, FLOAT, Node
from symbackprop.core.hazards import is_nonnegative
from symbackprop.core.noughts import aligned, reads_log, term_by_term
from symbackprop.core.ops.matrices import logdet
from symbackprop.core.ops.reductions import recurrence
from symbackprop.core.ops.views import flip
from symbackprop.core.pattern import Pattern
from symbackprop.core.reverse import vjp
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.core.selection import zero_branch
from symbackprop.core.shapes import ONE, Shape, is_one, same_shape

MAX_DEPTH = 40  # of searches in one another, before the innermost is done first
Known = Callable[[Node], Node | None]
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Found:
    """What a search found, the rows that it goes around by itself, the searches that it rests on, whether it is
    doubtful, and whether it has been told outside of searches what it goes around."""

    value: Any = None
    passed: set[int] = field(default_factory=set)
    behind: list[Found] = field(default_factory=list)
    doubtful: bool = False
    told: bool = False


class _TooDeep(Exception):
    """Searches are in one another as deeply as they may be; this one comes first."""

    def __init__(self, *search: Any) -> None:
        self.search = search


class Logarithms:
    """Logs of the rows of one graph. ``passed`` are the rows between those asked for and what their logs read.

    ``given`` knows the logs of rows that are not computed here: results of a loop, and ``ends``, which a body is given
    and which may be rows of another body. A log is ``doubtful`` where a part of it is that of a number which may be
    negative: log p + log w is NaN where log(p·w) is, but the logsumexp of such logs is NaN even where the numbers add
    up to a positive one: see `_checked`.
    """

    def __init__(self, given: Known, ends: Container[int] = frozenset()) -> None:
        self.given, self.ends, self._around = given, ends, Found()
        self._found: dict[tuple[str, int], Found] = {}
        self._depth = 0

    @property
    def passed(self) -> set[int]:
        return self._around.passed

    @property
    def doubtful(self) -> bool:
        return self._around.doubtful

    @doubtful.setter
    def doubtful(self, doubtful: bool) -> None:
        self._around.doubtful = doubtful

    def of(self, x: Node) -> Node | None:
        """log x; None where nothing is better than taking the logarithm of the value."""
        return self._remembered("log", self._of, x)

    def _remembered(self, what: str, find: Callable[[Node], T], x: Node) -> T:
        """What is found for a row, with the rows it is found behind and whether it is doubtful."""
        if (what, x.id) not in self._found:
            self._sought(what, find, x)
        found = self._found[what, x.id]
        if found.value is not None:
            self.doubtful |= found.doubtful
            self._rest_on(found)
        value: T = found.value
        return value

    def _sought(self, *search: Any) -> None:
        """Search; from the outermost search on, what would be too deep is sought first."""
        if self._depth:
            return self._seek(*search)
        waiting = [search]
        while waiting:
            try:
                self._seek(*waiting[-1])
                waiting.pop()
            except _TooDeep as first:
                waiting.append(first.search)

    def _seek(self, what: str, find: Callable[[Node], Any], x: Node) -> None:
        if self._depth == MAX_DEPTH:
            raise _TooDeep(what, find, x)
        outside, self._around = self._around, Found()
        self._depth += 1
        try:
            self._around.value = find(x)
            self._found[what, x.id] = self._around
        finally:
            self._around = outside
            self._depth -= 1

    def _rest_on(self, found: Found) -> None:
        """What is found goes around what that does on which it rests; outside of searches this is told once."""
        if self._depth:
            return self._around.behind.append(found)
        waiting = [found]
        while waiting:
            one = waiting.pop()
            if not one.told:
                one.told = True
                self.passed.update(one.passed)
                waiting += one.behind

    def sure(self, form: f.Formula, args: Sequence[Node]) -> Node | None:
        """log of a formula over rows that is positive or 0 wherever its log is asked for."""
        outside, self.doubtful = self.doubtful, False
        log = self.of_formula(form, args)
        found, self.doubtful = (None if self.doubtful else log), outside
        return found

    def _of(self, x: Node) -> Node | None:
        self.passed.add(x.id)
        if x.is_leaf or x.is_result or x.id in self.ends:
            return self.given(x)
        if x.form is not None:
            return self.of_formula(x.attr.form, x.args)
        if kind(x).views:
            return self._of_taken(x) if kind(x).indices else self._of_view(x)
        if x.op.distribution:
            return self._of_softmax(x)
        if x.role is Role.DETERMINANT:
            self.doubtful = True
            return sum_of([logdet(x.args[0]), x.graph.call("log", _side(x))])  # NaN where it is negative
        if kind(x).joined:
            return self._of_joined(x)
        log = self._of_weighted(x)
        return self._checked(lambda: self._of_several(x), lambda: x) if log is None else log

    # -- formulas
    def of_formula(self, form: f.Formula, args: Sequence[Node]) -> Node | None:
        """log of a formula over rows."""
        match form:
            case f.Arg(index):
                return self.of(args[index])
            case f.Call(name, parts):
                return self._of_call(TABLE[name], parts, args)
            case f.Pow(base, exponent):
                flips = not isinstance(exponent, f.Num) or exponent.value.is_even is not False
                log = (self.sure if flips else self.of_formula)(base, args)
                if log is None and isinstance(exponent, f.Num) and exponent.value.is_even:
                    log = self._of_size(base, args)
                return None if log is None else _over(exponent, args, log) * log
            case f.Mul(factors):
                return self._of_product(factors, (), args)
            case f.Div(num, den):
                return self._of_product(f.factors(num), f.factors(den), args)
            case f.Neg(body):
                return self._of_negative(body, args)
            case f.Add(terms):
                return self._of_terms(form, terms, args)
        return None

    def _of_terms(self, form: f.Formula, terms: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        for find in (self._of_raised, self._of_weights, self._of_difference):
            log = find(terms, args)
            if log is not None:
                return log
        return self._checked(lambda: self._of_sum(terms, args), lambda: args[0].graph.apply(form, *args))

    def _of_call(self, record: Scalar, parts: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        if record.log is not None:
            self.doubtful |= record.range[0] < 0
            return args[0].graph.apply(f.over(record.log, parts), *args)
        if record.power is not None:
            return self.of_formula(f.power(parts[0], f.Num(record.power)), args)
        if record.role is Role.CHOICE:
            return self._of_choice(parts, args)
        return self._of_size(parts[0], args) if record.square == 1 else None

    def _of_size(self, form: f.Formula, args: Sequence[Node]) -> Node | None:
        """log |x|, of what is too large or too small for a float."""
        size, rest = self._sized(form, args) or self._split(form, args)
        if size is None or rest is None or rest.op.held:  # a sign alone
            return size
        return sum_of([size, rest.graph.call("log", rest.graph.call("abs", rest))])

    def _sized(self, form: f.Formula, args: Sequence[Node]) -> tuple[Node, Node] | None:
        """s and r of what is e^s·r, r of its sign and no large number."""
        x = args[form.index] if isinstance(form, f.Arg) else None
        if x is not None and x.role is Role.DETERMINANT:
            self.passed.add(x.id)
            return logdet(x.args[0]), _side(x)
        return self._scaled(form, args)

    def _split(self, form: f.Formula, args: Sequence[Node]) -> tuple[Node | None, Node | None]:
        """Those of a product some factors of which have a log, a gated one too."""
        product, rows = self._written(form, args)
        product = exact_forms.unguarded(product)
        return self._factors(product, rows) if isinstance(product, (f.Mul, f.Div)) else (None, None)

    def _scaled(self, form: f.Formula, args: Sequence[Node]) -> tuple[Node, Node] | None:
        """Those of a function of either sign that overflows, as its record has them, of its size and of a power."""
        if isinstance(form, f.Pow):
            found, n = self._scaled(form.base, args), form.exponent
            return found if found is None else (found[0] * n.value, found[1] ** n.value) if _is_whole(n) else None
        record, u = self._call_of(form, args) or (None, None)
        if record is None or u is None or (record.range[0] == 0 and record.square != 1):
            return None
        if record.square == 1:
            found = self._scaled(f.Arg(0), (u,))
            return None if found is None else (found[0], u.graph.call(record.name, found[1]))
        if record.scaled is None or not isinf(record.range[1]):
            return None
        size, rest = [u.graph.apply(part, u) for part in record.scaled]
        return size, rest

    def _of_negative(self, form: f.Formula, args: Sequence[Node]) -> Node | None:
        """log(b − a) of −(a − b), log(−f(u)) of a function that is negative."""
        if isinstance(form, f.Add):
            return self.of_formula(f.add(*map(f.neg, form.terms)), args)
        if isinstance(form, f.Arg) and args[form.index].op.chooses:
            return self._of_smallest(args[form.index])
        record, u = self._call_of(form, args) or (None, None)
        self.doubtful |= record is not None and record.log_minus is not None
        return None if record is None or u is None or record.log_minus is None else u.graph.apply(record.log_minus, u)

    def _of_choice(self, parts: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        """log where(c, a, b) = where(c, log a, log b)."""
        condition, *branches = parts
        logs = [self.of_formula(b, args) for b in branches]
        if all(log is None for log in logs) or any(isinstance(b, f.Num) and b.value.is_negative for b in branches):
            return None
        given = [self._plain(b, args) if log is None else log for b, log in zip(branches, logs, strict=True)]
        graph = args[0].graph
        return graph.call("where", graph.apply(condition, *args), *given)

    def _of_product(self, over: Sequence[f.Formula], under: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        """log(p·r/q) = log p − log q + log r: factors that have a log are positive, the others stay together, unless
        it is one alone, which has the sign of the whole. What is too large for a float leaves a factor of its sign."""
        logs = {x: self.sure(x, args) for x in (*over, *under)}
        others = [x for x, log in logs.items() if log is None and not _is_positive(x)]
        if len(others) == 1:
            logs[others[0]] = self.of_formula(others[0], args)
        sized = {x: found for x in others if len(others) > 1 and (found := self._sized(x, args)) is not None}
        terms, rest = _with_logs(over, under, *_parted_from(sized, logs, args))
        if not terms or (isinstance(rest, f.Num) and not _is_positive(rest)):
            return None
        rows = [*args, *[r for _, r in sized.values()]]
        if rest == f.ONE:
            return sum_of(terms)
        log = self._plain(rest, rows)
        plain = exact_forms.logarithm(log, self.ends)
        return sum_of([*terms, log if plain is None else plain])

    def _of_sum(self, terms: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        """log(1 − p) by the complement of p, log(c + f(u)) by that of f; log(a + b) = logaddexp(log a, log b), which
        log 0 = −∞ leaves as it is."""
        whole = self._of_complement(terms, args)
        if whole is not None or all(map(_is_positive, terms)):
            return whole
        logs = [self._plain(t, args) if _is_positive(t) else self._of_term(t, args) for t in terms]
        found = sorted((log for log in logs if log is not None), key=lambda log: log.value is None)
        if len(found) < len(terms):
            return None
        if len(found) == 2 and found[1] is -found[0]:
            both: Node = found[0].graph.call("log_cosh", found[0]) + sp.log(2)
            return both
        return reduce(_log_of_both, found)

    # -- differences
    def _of_difference(self, terms: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        """log(a − b) = log a + log(1 − b/a); of two values of a function with a complement by that, or by the function
        itself at −u, where b is above 1/2, as it is the smaller one there."""
        sides = _sides(terms)
        if sides is None:
            return None
        logs, turned = self._sure_logs(sides, args), self._turned(sides, args)
        if logs is None:
            return self._of_difference(*turned[0]) if turned else None
        others = next((found for form, u in turned if (found := self._sure_logs(_sides(form) or (), u))), None)
        if others is not None:
            graph, large = args[0].graph, args[0].graph.call("greater", logs[1], -sp.log(2))
            logs = [graph.call("where", large, *pair) for pair in zip(others, logs, strict=True)]
        self.doubtful = True
        log, less = logs
        return sum_of([log, log.graph.call("log_one_minus_exp", less - log)])

    def _sure_logs(self, sides: Sequence[f.Formula], args: Sequence[Node]) -> list[Node] | None:
        logs = [self._plain(x, args) if _is_positive(x) else self.sure(x, args) for x in sides]
        found = [log for log in logs if log is not None]
        return found if len(found) == 2 else None

    def _turned(self, sides: Sequence[f.Formula], args: Sequence[Node]) -> list[tuple[list[f.Formula], list[Node]]]:
        """c·f(u) − c·f(v) = c·g(v) − c·g(u) by the complement g of f, and c·f(−v) − c·f(−u) where g is odd."""
        (c, a), (d, b) = map(f.split_sign, sides)
        (one, u), (other, v) = (self._call_of(x, args) or (None, None) for x in (a, b))
        if c != d or one is not other or one is None or one.complement is None or u is None or v is None:
            return []
        mirrored = [f.call(one.name, -f.Arg(0))] if _is_odd(one.complement) else []
        return [([f.mul(f.Num(k * c), f.over(g, (f.Arg(place),))) for k, place in ((1, 1), (-1, 0))], [u, v])
                for g in (one.complement, *mirrored)]

    # -- sums whose terms have factors that may be 0, which have no log there: the slope of the sum by them is finite
    def _of_weights(self, terms: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        """log(c + Σ r·e^l) = s + log c + log1p(e^(−s) − 1 + Σ r/c·e^(l − s)), s the largest l, held constant."""
        numbers = [t.value for t in terms if isinstance(t, f.Num)]
        parted = [self._parted(t, args) for t in terms if not isinstance(t, f.Num)]
        logs = [log for log, _ in parted if log is not None]
        weights = [weight for _, weight in parted]
        known = all(w.value is not None for w in weights)
        if len(logs) < len(parted) or known or any(not n.is_positive for n in numbers):
            return None
        c, graph = sum(numbers, sp.S.Zero), args[0].graph
        tops = [_size(w, log) for log, w in zip(logs, weights, strict=True)]
        s = _finite(reduce(lambda a, b: graph.call("maximum", a, b), tops, *([graph.const(0)] if numbers else [])))
        added = [w * _over_shift(log, s, w) for log, w in zip(logs, weights, strict=True)]
        s = _held(s)
        self.doubtful |= not all(is_nonnegative(f.Arg(0), (w,)) for w in weights)
        if numbers:
            total = reduce(lambda a, b: a + b / c, added, graph.call("expm1", -s))
            return sum_of([s + sp.log(c), graph.call("log1p", _apart(total))])
        return sum_of([s, graph.call("log", _apart(sum(added[1:], added[0])))])

    def _of_weighted(self, x: Node) -> Node | None:
        """log Σ r·e^l = s + log Σ r·e^(l − s)."""
        found = self._divided(x)
        if found is None:
            return None
        s, total = found
        self.doubtful |= not is_nonnegative(f.Arg(0), (total,))
        return sum_of([s, x.graph.call("log", _apart(total))])

    def _divided(self, x: Node) -> tuple[Node, Node] | None:
        """(s, x·e^(−s)) of a sum of products with exponentials, s held constant."""
        return self._remembered("sum", self._sum, x)

    def _sum(self, x: Node) -> tuple[Node, Node] | None:
        self.passed.add(x.id)
        if x.is_leaf or x.is_result or x.id in self.ends:
            return None
        if x.form == f.Arg(0):
            return self._divided(x.args[0])
        source = viewed(x)
        if source is None:
            return self._products(x) if isinstance(x.attr, Pattern) else self._entries(x) if is_sum(x) else None
        found = self._divided(source)
        return None if found is None else (_again(x, x.graph.broadcast(found[0], source.shape)), _again(x, found[1]))

    def _entries(self, x: Node) -> tuple[Node, Node] | None:
        """Of a sum along axes."""
        log, weight = self._parted(f.Arg(0), x.args)
        if log is None or weight.value is not None:
            return None
        axes, keepdims = x.attr
        s = _largest(log, weight, x.args[0].shape, axes)
        total = build.reduce_sum(weight * _over_shift(log, s, weight), axes, keepdims)
        return build.reshape(s, total.shape), total

    def _products(self, x: Node) -> tuple[Node, Node] | None:
        """Of an einsum: of the sum of its products, where there are as many exponentials; else the operands are divided
        by what is large along the axes that are summed."""
        p, full = x.attr, max(x.attr.ins, key=len)
        parts = [self._parted(f.Arg(0), (a,)) for a in x.args]
        places = [s for (log, _), s in zip(parts, p.ins, strict=True) if log is not None]
        if len(x.args) < 2 or not places or any(len({*s}) < len(s) for s in p.ins):
            return None
        if all(len(s) == len(p.letters) for s in places):
            rows = [weight if log is None else weight * log.graph.call("exp", log) for log, weight in parts]
            product = reduce(mul, [aligned(row, s, full) for row, s in zip(rows, p.ins, strict=True)])
            total = build.reduce_sum(product, [k for k, c in enumerate(full) if c not in p.out])
            return self._divided(build.einsum(Pattern(("".join(c for c in full if c in p.out),), p.out), total))
        over = [_operand(a, *part, s, p.out, len(places)) for a, part, s in zip(x.args, parts, p.ins, strict=True)]
        shift = sum_of([s for _, s in over if s is not None])
        return None if shift is None else (shift, build.einsum(p, *[row for row, _ in over]))

    def _parted(self, form: f.Formula, args: Sequence[Node]) -> tuple[Node | None, Node]:
        """The log of those factors of a product that surely have one, and the others."""
        if isinstance(form, f.Arg):
            return self._remembered("parts", self._parts, args[form.index])
        return self._factors(form, args)

    def _parts(self, x: Node) -> tuple[Node | None, Node]:
        return self._factors(*((f.Arg(0), (x,)) if x.id in self.ends else self._written(f.Arg(0), (x,))))

    def _factors(self, form: f.Formula, args: Sequence[Node]) -> tuple[Node | None, Node]:
        factor, part = f.split_sign(form)
        num, den = (part.num, part.den) if isinstance(part, f.Div) else (part, f.ONE)
        over, under = ([*x.factors] if isinstance(x, f.Mul) else [x] for x in (num, den))
        sums = {x: pair for x in over if isinstance(x, f.Arg) and (pair := self._divided(args[x.index])) is not None}
        sized = {x: pair for x in (*over, *under) if (pair := self._scaled(x, args)) is not None}
        others = [x for x in (*over, *under) if not isinstance(x, f.Num) and x not in {*sums, *sized}]
        logs = {x: self.sure(x, args) if x in others else None for x in (*over, *under)}
        found, rest = _with_logs(over, under, *_parted_from(sized, logs, args))
        rows = [sums[f.Arg(k)][1] if f.Arg(k) in sums else a for k, a in enumerate(args)]
        whole = args[0].graph.apply(f.mul(f.Num(factor), rest), *rows, *[r for _, r in sized.values()])
        return sum_of([*found, *[s for s, _ in sums.values()]]), whole

    def _of_term(self, term: f.Formula, args: Sequence[Node]) -> Node | None:
        """log of a term; that of a function which passes through 0 has an infinite slope there, and the log of the sum
        has not."""
        factor, part = f.split_sign(term)
        calls = [self._call_of(p, args) for p in (part.factors if isinstance(part, f.Mul) else (part,))]
        signed = any(c is not None and c[0].log is not None and c[0].range[0] < 0 for c in calls)
        return None if signed or factor.is_negative else self.of_formula(term, args)

    def _of_raised(self, terms: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        """log(c + k·f(u)) = log(c − k + k·g(u)), −f being the complement of g: g is positive where f passes through 0,
        and its log is a float where f itself is too large."""
        numbers, others = [t for t in terms if isinstance(t, f.Num)], [t for t in terms if not isinstance(t, f.Num)]
        if len(numbers) != 1 or len(others) != 1:
            return None
        factor, part = f.split_sign(others[0])
        record, u = self._call_of(part, args) or (None, None)
        more = None if record is None or record.odd else exact_forms.one_more(record)
        left = numbers[0].value - factor
        if more is None or u is None or not factor.is_positive or not left.is_positive:
            return None
        return self.of_formula(f.add(f.Num(left), f.mul(f.Num(factor), more)), (u,))

    def _of_complement(self, terms: Sequence[f.Formula], args: Sequence[Node]) -> Node | None:
        """log of 1 − f(u), of 1 + f(u) = 1 − f(−u) where f is odd, and of 1 − f(u)² = (1 − f(u))·(1 + f(u))."""
        if len(terms) != 2 or f.ONE not in terms:
            return None
        signs, inner = _one_and(terms[1 - terms.index(f.ONE)])
        within, rows = self._written(inner, args)
        match within:
            case f.Add((f.ONE, f.Neg(p))) if signs == (1,):  # 1 − (1 − p)
                return self.of_formula(p, rows)
        record, u = self._call_of(inner, args) or (None, None)
        if record is None or u is None:
            return self._of_others(args[inner.index]) if isinstance(inner, f.Arg) and signs == (1,) else None
        if len(signs) == 2 and record.rest is not None:
            return self.of_formula(record.rest, (u,))
        sides = {1: record.complement, -1: exact_forms.one_more(record)}
        logs = {s: None if (form := sides[s]) is None else self.of_formula(form, (u,)) for s in signs}
        if len(signs) == 1 or logs[1] is None:
            return logs[signs[0]]
        value = u.graph.apply(f.call(record.name, f.Arg(0)), u)
        return _near_1(value, logs[1] + (u.graph.call("log1p", value) if logs[-1] is None else logs[-1]))

    def _of_others(self, p: Node) -> Node | None:
        """log(1 − p) of an entry of a softmax: that of the sum of all others, where it is the smaller part."""
        log = self._log_of_others(p)
        if log is None:
            return None
        small = p.graph.call("less", p, sp.Rational(1, 2))
        return p.graph.call("where", small, p.graph.call("log1p", _apart(-p.graph.call("where", small, p, 0))), log)

    def _log_of_others(self, x: Node) -> Node | None:
        """The log of what the other entries of a softmax add up to, of which x is the only one along its axis."""
        p = None if x.id in self.ends else viewed(x)
        if p is None:
            return None
        log = self._log_of_others(p)
        if p.op.distribution and same_shape(x.shape, (*p.shape[: p.attr], ONE, *p.shape[p.attr + 1 :])):
            (chosen,) = vjp([x], [x.graph.full(1, x.shape)], [p])
            others = x.graph.call("where", x.graph.call("equal", chosen, 0), p.args[0], -sp.oo)
            log = build.logsumexp(others, p.attr, keepdims=True) - build.logsumexp(p.args[0], p.attr, keepdims=True)
        elif log is not None:
            log = _again(x, log)
        if log is not None:
            self.passed.update((x.id, p.id))
        return log

    def _written(self, form: f.Formula, args: Sequence[Node]) -> tuple[f.Formula, Sequence[Node]]:
        """A formula, or that of the row it is, and what it is over."""
        if not isinstance(form, f.Arg) or args[form.index].form is None:
            return form, args
        row = args[form.index]
        self.passed.add(row.id)
        return row.attr.form, row.args

    def _call_of(self, form: f.Formula, args: Sequence[Node]) -> tuple[Scalar, Node] | None:
        """The function of one argument that a formula is, and its argument."""
        if isinstance(form, f.Arg):
            return self.function(args[form.index])
        if isinstance(form, f.Call) and len(form.args) == 1:
            return TABLE[form.name], args[0].graph.apply(form.args[0], *args)
        return None

    def function(self, x: Node) -> tuple[Scalar, Node] | None:
        """The function of one argument whose value a row is, seen through names and views, and its argument."""
        if x.id in self.ends:
            return None
        if x.form is not None:
            found = self._call_of(x.attr.form, x.args)
        else:
            source = viewed(x)
            inner = None if source is None else self.function(source)
            found = None if inner is None else (inner[0], _again(x, inner[1]))
        if found is not None:
            self.passed.add(x.id)
        return found

    def _checked(self, find: Callable[[], Node | None], value: Callable[[], Node]) -> Node | None:
        """The log that is found of terms; where a negative one makes it NaN, the log of the value."""
        outside, self.doubtful = self.doubtful, False
        log = find()
        if log is not None and self.doubtful:
            log = log.graph.call("where", log.graph.call("greater_equal", log, -sp.oo), log, log_of_value(value()))
        self.doubtful |= outside
        return log

    def _plain(self, form: f.Formula, args: Sequence[Node]) -> Node:
        """The logarithm of the value of a formula over rows."""
        self.doubtful |= not is_nonnegative(form, args)
        return log_of_value(args[0].graph.apply(form, *args))

    # -- structural rows
    def _of_view(self, x: Node) -> Node | None:
        source = viewed(x)
        log = None if source is None else self.of(source)
        return None if log is None else _again(x, log)

    def _of_joined(self, x: Node) -> Node | None:
        logs = [self.of(a) for a in x.args]
        if all(log is None for log in logs) or any(a.value is not None and a.value.is_negative for a in x.args):
            return None
        whole = [self._plain(f.Arg(0), (a,)) if log is None else log for a, log in zip(x.args, logs, strict=True)]
        return x.graph.again(x, whole)

    def _of_softmax(self, x: Node) -> Node | None:
        """log softmax(z) = z − logsumexp(z)."""
        return less_total(x.args[0], build.logsumexp(x.args[0], x.attr, keepdims=True))

    def _of_taken(self, x: Node) -> Node | None:
        """The entry first, as in a cross-entropy, so that its gradient is p − 1[…]."""
        p, lookup = x.args[0], is_lookup(x)
        if not p.op.distribution or (p.ndim > 1 if lookup else p.attr != x.attr):
            return self._of_view(x)
        self.passed.add(p.id)
        return less_total(_again(x, p.args[0]), build.logsumexp(p.args[0], p.attr, keepdims=not lookup))

    def _of_several(self, x: Node) -> Node | None:
        """log Σ a = logsumexp(log a), log max a = max(log a), log Π a = Σ log a."""
        if isinstance(x.attr, Pattern):
            return self._of_masked(x)
        if x.role is Role.PRODUCT:
            log = self.of(x.args[0])
            return build.reduce_sum(self._plain(f.Arg(0), x.args) if log is None else log, (x.attr,))
        reduce = build.logsumexp if is_sum(x) else build.reduce_max if x.op.chooses else None
        log = None if reduce is None else self.of(x.args[0])
        return None if log is None or reduce is None else reduce(log, *x.attr)

    def _of_smallest(self, x: Node) -> Node | None:
        """log min a = min(log a), of the max of −a."""
        (minus,) = x.args
        log = None if minus.form is None else self.of_formula(f.neg(minus.form), minus.args)
        if log is None:
            return None
        self.passed.add(x.id)
        least: Node = -build.reduce_max(-log, *x.attr)
        return least

    def _of_masked(self, x: Node) -> Node | None:
        """Of Σ m⊙p with a mask m that has the axes of p."""
        if len(x.args) != 2:
            return None
        (left, right), out = x.attr.ins, x.attr.out
        if left != right or [c for c in left if c in out] != list(out) or len(set(left)) < len(left):
            return None
        for mask, p in (x.args, x.args[::-1]):
            log = self.of(p) if mask.kind == BOOL else None
            if log is not None:
                chosen = x.graph.call("where", mask, log, -sp.oo)
                return build.logsumexp(chosen, [k for k, c in enumerate(left) if c not in out])
        return None


def viewed(x: Node) -> Node | None:
    """What a row that only moves entries of one row reads."""
    return x.args[0] if kind(x).views else None


def _again(x: Node, a: Node) -> Node:
    """The view x of another row."""
    return x.graph.again(x, (a, *x.args[1:]))


def log_of_value(row: Node) -> Node:
    """The logarithm of the value; that of nothing is −∞."""
    return row.graph.full(-sp.oo, row.shape) if row.value == 0 else row.graph.call("log", row)


def _side(row: Node) -> Node:
    """−1 where a row is negative, else 1, also where it is too small for a float; held constant."""
    return _held(row.graph.call("where", row.graph.call("less", row, 0), -1, 1))


def _parted_from(sized: Mapping[f.Formula, tuple[Node, Node]], logs: Mapping[f.Formula, Node | None],
                 args: Sequence[Node]) -> tuple[dict[f.Formula, Node | None], dict[f.Formula, f.Formula]]:
    """The logs with those of sizes, and what is left of each factor, as arguments behind the others."""
    rest = {x: f.Arg(len(args) + k) for k, x in enumerate(sized)}
    return {**logs, **{x: s for x, (s, _) in sized.items()}}, dict(rest)


def _with_logs(over: Sequence[f.Formula], under: Sequence[f.Formula],
               logs: Mapping[f.Formula, Node | None],
               signs: Mapping[f.Formula, f.Formula]) -> tuple[list[Node], f.Formula]:
    """The logs to add up of a quotient's factors, and the quotient of those that have none and of the signs of those
    whose log is of their size."""
    found = [log for x in over if (log := logs[x]) is not None]
    found += [-log for x in under if (log := logs[x]) is not None]
    return found, f.div(
        *[f.mul(*[signs.get(x, x) for x in side if logs[x] is None or x in signs]) for side in (over, under)])


def _size(weight: Node, log: Node) -> Node:
    """log |r·e^l|."""
    graph, size = log.graph, weight.graph.call("abs", weight)
    if weight.value is not None:
        return graph.apply(f.Arg(0) + f.Num(sp.log(abs(weight.value))), log)
    zero = graph.call("equal", weight, 0)
    return graph.call("where", zero, -sp.oo, log + graph.call("log", graph.call("where", zero, 1, size)))


def _largest(log: Node, weight: Node, shape: Shape, axes: Sequence[int]) -> Node:
    """The largest log |r·e^l| along axes, which stay, held constant."""
    size = log.graph.broadcast(_size(weight, log), shape)
    return build.shift(size, axes) if axes else _finite(_held(size))


def _operand(a: Node, log: Node | None, weight: Node, letters: str, out: str, count: int) -> tuple[Node, Node | None]:
    """r·e^(l − s), of an operand of an einsum, and s, which is what the largest l along the axes that are summed is
    beyond what e^l holds, of each of ``count``: where a weight elsewhere is 0 smaller ones matter. A distribution is
    never large."""
    if log is None or plainly(a).op.distribution:
        return a, None
    axes = [k for k, c in enumerate(letters) if c not in out]
    top = _largest(log, weight, a.shape, axes)
    s = a.graph.call("beyond", top * count) / count
    least = s + a.graph.call("beyond", log - s) - 40  # what is left of the others may be e^300, of this one e^340
    kept = "".join(c for c in letters if c in out)
    return weight * _over_shift(log, s, weight, least), aligned(build.squeeze(s, axes), kept, out)


def _over_shift(log: Node, s: Node, weight: Node, least: Node | None = None) -> Node:
    """e^(l − s); where the weight is 0, s is at least ``least``, or l − 600, in float32 l − 80: this is a float, which
    times 0 is 0."""
    graph = log.graph
    if weight.value is None:
        over = graph.call("maximum", graph.call("beyond", (log - s) / 2), 0) * 2 if least is None else None
        larger = s + over if over is not None else graph.call("maximum", s, least)
        s = graph.call("where", graph.call("equal", weight, 0), larger, s)
    return graph.call("exp", log - _held(s))


def _finite(row: Node) -> Node:
    """A row, 0 where it is infinite."""
    graph = row.graph
    return graph.call("where", graph.call("less", graph.call("abs", row), sp.oo), row, 0)


def _held(row: Node) -> Node:
    return row if row.op.held else row.graph.make("stop_gradient", (row,))


def _apart(row: Node) -> Node:
    row.graph.set_apart(row)
    return row


def _sides(terms: Sequence[f.Formula]) -> tuple[f.Formula, f.Formula] | None:
    """a and b of a difference a − b, of which a is no number."""
    signs = [f.split_sign(t)[0].is_negative for t in terms]
    a, b = (terms[signs.index(negative)] if signs.count(negative) == 1 else None for negative in (False, True))
    return None if len(terms) != 2 or a is None or b is None or isinstance(a, f.Num) else (a, f.neg(b))


def _is_odd(form: f.Formula) -> bool:
    """Whether it is an odd function of a number times its argument."""
    match f.split_sign(form)[1]:
        case f.Call(name, (part,)):
            return TABLE[name].odd and f.split_sign(part)[1] == f.Arg(0)
    return False


def _log_of_both(a: Node, b: Node) -> Node:
    return b.graph.call("logaddexp", a, b) if a.value is None else a + b.graph.call("softplus", b - a)


def _near_1(x: Node, log: Node) -> Node:
    """log(1 − x²), the ``log`` where x² is above 1/2: below it that is a difference."""
    graph, square = x.graph, x**2
    small = graph.call("less", square, sp.Rational(1, 2))
    return graph.call("where", small, graph.call("log1p", _apart(-graph.call("where", small, square, 0))), log)


def _over(form: f.Formula, args: Sequence[Node], log: Node) -> Node | sp.Expr:
    return form.value if isinstance(form, f.Num) else log.graph.apply(form, *args)


def _one_and(form: f.Formula) -> tuple[tuple[int, ...], f.Formula]:
    """(signs, g) of the factors 1 − g(u) for a sign 1, 1 − g(−u) for −1, of 1 + ``form``."""
    match form:
        case f.Neg(f.Pow(inner, exponent)) if exponent == f.lift(2):
            return (1, -1), inner
        case f.Neg(inner):
            return (1,), inner
    return (-1,), form


def _is_whole(form: f.Formula) -> TypeGuard[f.Num]:
    return isinstance(form, f.Num) and bool(form.value.is_Integer)


def _is_positive(form: f.Formula) -> bool:
    return isinstance(form, f.Num) and bool(form.value.is_positive)


# -- identities: each takes an elementwise row and gives a row of the same value, or None
Rule = Callable[[Node, Logarithms], Node | None]


_LOG1P = f.call("log1p", f.Arg(0))
_SOFTPLUS = f.call("softplus", f.Arg(0))
_LOG, _SIZE = f.call("log", f.Arg(0)), f.call("abs", f.Arg(0))


def _logarithm(row: Node, logs: Logarithms) -> Node | None:
    """log(1 + x) over what x is computed from."""
    if row.form != _LOG1P:
        return None
    inner = row.args[0]
    form, args = (f.Arg(0), (inner,)) if inner.arithmetic is None else (inner.arithmetic, inner.args)
    return logs.of_formula(f.add(f.ONE, form), args)


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
    """p^c = e^(c·log p) of a probability, 0 < c < 1: its derivative is finite where p underflows. What may pass through
    0 is the power of its value there, whose slope is infinite."""
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
    graph, sure = row.graph, logs.sure(form, row.args)
    log = logs.of_formula(form, row.args) if sure is None else sure
    if log is None:
        return None
    power, positive = graph.call("exp", log), graph.call("greater", log, -sp.oo)
    return power if sure is not None else graph.call("where", positive, power, _power_at_0(row, positive, logs))


def _power_at_0(row: Node, positive: Node, logs: Logarithms) -> Node:
    """The power of a value that is 0; a function that may overflow is taken of 1 where it is not 0."""
    inner = logs.function(row.args[0]) if len(row.args) == 1 and row.attr.form.children[0] == f.Arg(0) else None
    if inner is None:
        return row
    value = row.graph.call(inner[0].name, row.graph.call("where", positive, 1, inner[1]))
    return row.graph.apply(row.attr.form, value)


def _bernoulli(row: Node, logs: Logarithms) -> Node | None:
    """−(y log σ(z) + (1 − y) log(1 − σ(z))) from the logit z; over the logs of any other probability that has them."""
    if row.role is not Role.LIKELIHOOD:
        return None
    p, y = row.attr.form.args
    call = logs.function(row.args[p.index]) if isinstance(p, f.Arg) else None
    target = row.graph.apply(y, *row.args)
    if call is not None and call[0].role is Role.LOGISTIC:
        from symbackprop.core.functions.losses import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(call[1], target)
    hit, miss = logs.of_formula(p, row.args), logs.of_formula(f.add(f.ONE, f.neg(p)), row.args)
    return None if hit is None or miss is None else -(target * hit + (1 - target) * miss)


def _both_outcomes(row: Node, logs: Logarithms) -> Node | None:
    """y·log σ(u) + (1 − y)·log σ(−u) = y·u − softplus(u), wherever it stands in a formula: the two ways out of one
    logit need one exponential. The logarithms are rows of the identities before, which no name holds."""
    return _rewritten(row, lambda form, args: _Outcomes(args, logs).joined(form))


def _quotient(row: Node, logs: Logarithms) -> Node | None:
    """1/(1 + e^u) = σ(−u), e^a/(e^a + e^b) = σ(a − b), (e^a − e^b)/(e^a + e^b) = tanh((a − b)/2) and
    e^z/Σe^z = softmax(z), wherever they stand in a formula."""
    return _rewritten(row, lambda form, args: _shortened(form, args, logs))


def _arithmetic(row: Node, logs: Logarithms) -> Node | None:
    """Such quotients, and what `exact_forms` knows."""
    return _rewritten(row, lambda form, args: exact_forms.arithmetic(_shortened(form, args, logs), args, logs.ends))


def _shortened(form: f.Formula, args: list[Node], logs: Logarithms) -> f.Formula:
    return _Quotients(args, logs).shortened(form) if f.has(form, f.Div) else form


def _rewritten(row: Node, rewrite: Callable[[f.Formula, list[Node]], f.Formula]) -> Node | None:
    """The row of another formula for its arithmetic; the rewriting makes its arguments grow."""
    if row.arithmetic is None:
        return None
    args = list(row.args)
    form = rewrite(row.arithmetic, args)
    return None if form is row.arithmetic else row.graph.arithmetic(form, args)


def _root(row: Node, logs: Logarithms) -> Node | None:
    return exact_forms.root_of_squares(row, logs.ends)


def _angle(row: Node, logs: Logarithms) -> Node | None:
    return exact_forms.angle(row, logs.ends, lambda square: _root_of(square, logs))


def _root_of(row: Node, logs: Logarithms) -> Node:
    root: Node = row.graph.call("sqrt", row)
    return next((found for rule in (_root, _power) if (found := rule(root, logs)) is not None), root)


def _plain_logarithm(row: Node, logs: Logarithms) -> Node | None:
    return exact_forms.logarithm(row, logs.ends)


def _inverse(row: Node, logs: Logarithms) -> Node | None:
    """f(g(u)) = u, where f is the inverse of g."""
    record = row.function
    if record is None or not record.undoes or row.form != f.call(record.name, f.Arg(0)):
        return None
    inner = logs.function(row.args[0])
    return inner[1] if inner is not None and inner[0].name == record.undoes else None


def _of_log(row: Node, logs: Logarithms) -> Node | None:
    """tanh(log x) with a slope that is not 1 − tanh², which is 0 where 1/x is not."""
    record = row.function
    if record is None or not record.of_log:
        return None
    parts = row.attr.form.args
    steep = any(reads_log(row.args[k]) for k in f.arguments(parts[0]))
    return row.graph.apply(f.call(record.of_log, *parts), *row.args) if steep else None


def _softplus_of_log(row: Node, logs: Logarithms) -> Node | None:
    """softplus(log y) = log(1 + y), whose slope is no σ(log y)/y where y is 0 or next to it."""
    log = row.args[0] if row.form == _SOFTPLUS and row.args[0].name is None else None
    return log.graph.call("log1p", log.args[0]) if log is not None and log.form == _LOG else None


def _even_of_size(row: Node, logs: Logarithms) -> Node | None:
    """f(|u|) = f(u) of an even f: the slope of |u| at 0 has no part in its second derivative."""
    record = row.function
    if record is None or not record.even or row.form != f.call(record.name, f.Arg(0)):
        return None
    size = row.args[0]
    return size.graph.call(record.name, size.args[0]) if size.name is None and size.form == _SIZE else None


IDENTITIES: tuple[Rule, ...] = (
    _softplus_of_log, _even_of_size,
    _inverse, _logarithm, _sum_of_logarithms, _plain_logarithm, _power, _root, _angle, _bernoulli, _both_outcomes,
    _arithmetic, _of_log,
)
OF_EXPONENTS: tuple[Rule, ...] = (_logarithm, _sum_of_logarithms, _power, _bernoulli, _quotient)  # what e^u was made of


class _Outcomes:
    """Joins weighted logarithms of a probability and of its complement; ``args`` grows by the rows that stand for
    both."""

    def __init__(self, args: list[Node], logs: Logarithms) -> None:
        self.args, self.logs = args, logs

    def joined(self, form: f.Formula) -> f.Formula:
        form = form if isinstance(form, f.Call) else f.changed(form, self.joined)
        if not isinstance(form, f.Add):
            return form
        for i, one in enumerate(form.terms):
            for other in form.terms[i + 1 :]:
                found = self._pair(one, other) or self._pair(other, one)
                if found is not None:
                    return self.joined(f.add(*[found if t is one else t for t in form.terms if t is not other]))
        return form

    def _pair(self, hit: f.Formula, miss: f.Formula) -> f.Formula | None:
        """c·y·log σ(u) + c·(1 − y)·log σ(−u) as −c·logit_loss(u, y)."""
        one, other = self._weighted(hit), self._weighted(miss)
        if one is None or other is None or one[0] != other[0] or f.add(one[1], other[1]) != f.ONE:
            return None
        (c, y, log), (_, _, rest) = one, other
        v, u = self._exponent(log), self._exponent(rest)
        if u is None or v is None or (v is not -u and u is not -v):
            return None
        self.logs.passed.update((log.id, rest.id))
        self.args.append(u.graph.call("logit_loss", u, u.graph.apply(y, *self.args)))
        return f.mul(f.Num(-c), f.Arg(len(self.args) - 1))

    def _weighted(self, term: f.Formula) -> tuple[sp.Expr, f.Formula, Node] | None:
        """(c, y, log a) of a term c·y·log a."""
        c, product = f.split_sign(term if f.weight_of(term) is None else f.unweighed(term))
        rows = {x: self.args[x.index] for x in f.factors(product) if isinstance(x, f.Arg)}
        logs = [x for x, row in rows.items() if self._exponent(row) is not None]
        rest = None if len(logs) != 1 else _without(product, logs[0])
        return None if rest is None else (c, rest, rows[logs[0]])

    def _exponent(self, row: Node) -> Node | None:
        """v, of a row that is −softplus(v) = log σ(−v)."""
        match row.form:
            case f.Neg(f.Arg(index)) if row.name is None:
                inner = row.args[index]
                return inner.args[0] if inner.form == _SOFTPLUS and inner.name is None else None
        return None


class _Quotients:
    """Replaces quotients of exponentials in a formula; ``args`` grows by the rows that stand for them."""

    def __init__(self, args: list[Node], logs: Logarithms) -> None:
        self.args, self.logs = args, logs

    def shortened(self, form: f.Formula) -> f.Formula:
        form = f.changed(form, self.shortened)
        if not isinstance(form, f.Div):
            return form
        found = self._of_powers(form.num, form.den) or self._of_all(form.num, form.den)
        return form if found is None else found

    def _of_powers(self, num: f.Formula, den: f.Formula) -> f.Formula | None:
        """A quotient by a product of sums of exponentials."""
        factors = [*exact_forms.powers(den)]
        for k, (base, n) in enumerate(factors):
            found = self._of_exponentials(num, base) if n.is_Integer and n > 0 else None
            if found is not None:
                rest = exact_forms.product([*factors[:k], (base, n - 1), *factors[k + 1 :]])
                return self.shortened(f.div(found, rest))
        return None

    def _argument(self, row: Node) -> Node | None:
        """u, of a row that is e^u; where(c, u, −∞), of one that is e^u only where c holds, else 0."""
        call = self.logs.function(row)
        if call is not None:
            return call[1] if call[0].exponential else None
        return None if zero_branch(plainly(row)) is None else self.logs.sure(f.Arg(0), (row,))

    def _exponent(self, term: f.Formula) -> Node | sp.Expr | None:
        """u, of a term that is e^u; 1 is e^0, c·e^u is e^(u + log c)."""
        c, part = f.split_sign(term)
        base, n = f.powers(part)[0]
        u = self._argument(self.args[base.index]) if isinstance(base, f.Arg) and f.power(base, n) == part else None
        if not c.is_positive or (u is None and part != f.ONE):
            return None
        return sp.log(c) if u is None else u * n + sp.log(c)

    def _of_exponentials(self, num: f.Formula, den: f.Formula) -> f.Formula | None:
        """x/(x + y) of exponentials and positive numbers, also beside other factors, and (x − y)/(x + y)."""
        exponents = [self._exponent(t) for t in den.terms] if isinstance(den, f.Add) else []
        known = [(x, a) for x, a in zip(den.children, exponents, strict=False) if a is not None]
        if not known or len(known) < len(exponents):
            return None
        if len(known) == 2:
            for (x, a), (y, b) in (known, known[::-1]):
                if num == f.add(x, f.neg(y)):
                    return self._call("tanh", (a - b) / 2)
        for x, a in sorted(known, key=lambda k: isinstance(k[0], f.Num)):
            rest = _beside(num, x)
            if rest is not None:
                others = [b for y, b in known if y is not x]
                share = self._call("sigmoid", a - others[0]) if len(others) == 1 else self._share(a, den)
                return None if share is None else f.mul(rest, share)
        return None

    def _share(self, a: Node | sp.Expr, den: f.Formula) -> f.Formula | None:
        """e^a over a sum that it is a part of."""
        log = self.logs.sure(den, self.args)
        return None if log is None else self._row(log.graph.call("exp", a - log))

    def _of_all(self, num: f.Formula, den: f.Formula) -> f.Formula | None:
        """e^z, or a sum of products with it, over its own sum along one axis, which broadcasts against it."""
        if not isinstance(den, f.Arg):
            return None
        divisor = self.args[den.index]
        total = plainly(divisor)
        if not is_sum(total) or len(total.attr[0]) != 1:
            return None
        for k in f.arguments(num):
            rest = f.ONE if num == f.Arg(k) else _without(num, f.Arg(k))
            for divided in () if rest is None else (self._divided, self._average, self._of_two):
                found = divided(self.args[k], total, divisor)
                if rest is not None and found is not None:
                    return f.mul(rest, self._row(found))
        return None

    def _divided(self, e: Node, total: Node, divisor: Node) -> Node | None:
        """e^z over its sum as a softmax."""
        same = plainly(e) is plainly(total.args[0]) and is_read_along(divisor, e.shape, total.attr[0])
        u = self._argument(e) if same else None
        return None if u is None else self._softmax(u, total, divisor)

    def _of_two(self, row: Node, total: Node, divisor: Node) -> Node | None:
        """Σ e^z over Σ e^w by their logarithms."""
        whole = plainly(row)
        if whole is total or not is_sum(whole) or None in map(self._argument, (whole.args[0], total.args[0])):
            return None
        logs = [self.logs.of(x) for x in (row, divisor)]
        return None if logs[0] is None or logs[1] is None else row.graph.call("exp", logs[0] - logs[1])

    def _average(self, row: Node, total: Node, divisor: Node) -> Node | None:
        """Σ e^z·v over Σ e^z with the softmax in the place of e^z: an average of v."""
        whole = unnamed(row)
        product = unnamed(whole.args[0]) if is_sum(whole) else whole
        places = [k for k, a in enumerate(product.args) if plainly(a) is plainly(total.args[0])]
        if len(places) != 1 or not _is_averaged(whole, product, places[0], total, divisor):
            return None
        e, args = product.args[places[0]], list(product.args)
        u = self._argument(e)
        if u is None:
            return None
        args[places[0]] = self._softmax(u, total, divisor)
        self.logs.passed.update(r.id for r in (*way(row), *way(product)))
        if whole is product:
            return build.einsum(whole.attr, *args)
        return build.reduce_sum(row.graph.apply(product.attr.form, *args), *whole.attr)

    def _softmax(self, u: Node, total: Node, divisor: Node) -> Node:
        z, around = unshifted(u, total.attr[0])
        self.logs.passed.update({row.id for row in way(divisor)} | around)
        return build.softmax(z, total.attr[0][0])

    def _call(self, name: str, u: Node) -> f.Formula:
        row = u.graph.call(name, u)
        found = _of_log(row, self.logs)
        return self._row(row if found is None else found)

    def _row(self, row: Node) -> f.Formula:
        self.args.append(row)
        return f.Arg(len(self.args) - 1)


def _is_averaged(whole: Node, product: Node, place: int, total: Node, divisor: Node) -> bool:
    """Whether ``whole`` adds up products with that argument along the axis of the total, which is read as broadcasting
    against it."""
    e, axis = product.args[place], total.attr[0][0]
    if not same_shape(e.shape, total.args[0].shape):
        return False
    if isinstance(product.attr, Pattern):
        letters, out = product.attr.ins[place], product.attr.out
        kept = letters[:axis] + letters[axis + 1 :]
        others = [k for k, c in enumerate(out) if c not in kept]
        return (whole is product and len({*letters}) == len(letters) and letters[axis] not in out
                and kept == "".join(c for c in out if c in kept) and is_read_along(divisor, whole.shape, others))
    factor = None if product.form is None else _without(product.form, f.Arg(place))
    return (factor is not None and place not in f.arguments(factor) and same_shape(e.shape, product.shape)
            and whole.attr[0] == total.attr[0] and same_shape(divisor.shape, whole.shape))


def _without(product: f.Formula, factor: f.Formula) -> f.Formula | None:
    """The other factors of a product."""
    if isinstance(product, f.Mul) and factor in product.factors:
        place = product.factors.index(factor)
        return f.mul(*product.factors[:place], *product.factors[place + 1 :])
    return None


_SELF, _UP_TO = f.Arg(0), f.call("greater_equal", f.Arg(0), f.Arg(1))


def _beside(num: f.Formula, x: f.Formula) -> f.Formula | None:
    """num/x, where x is a number or stands among the factors of ``num``."""
    (c, part), (d, top) = f.split_sign(x), f.split_sign(num)
    rest = f.ONE if top == part else top if part == f.ONE else _without(top, part)
    return None if rest is None else f.mul(f.Num(d / c), rest)


def _running_sum(product: Node) -> Node | None:
    """A product with a triangle of ones as running sums, or as those from behind: in time and memory of its result.
    What is never negative may have a logarithm, which is one of products."""
    pattern, args = product.attr, product.args
    for place in (0, 1) if len(args) == 2 else ():
        a, letters = args[1 - place], pattern.ins[1 - place]
        for k in (0, 1) if a.kind == FLOAT and not is_nonnegative(_SELF, (a,)) and _is_triangle(args[place]) else ():
            kept, summed = pattern.ins[place][k], pattern.ins[place][1 - k]
            if kept not in letters and pattern.out == letters.replace(summed, kept) != letters:
                axis, ones = letters.index(summed), a.graph.full(1, a.shape)
                return flip(recurrence(ones, flip(a, axis), axis), axis) if k else recurrence(ones, a, axis)
    return None


def _is_triangle(row: Node) -> bool:
    """Whether a square matrix is 1 where the column is not after the row, else 0."""
    mask = unnamed(row)
    return mask.form == _UP_TO and same_shape(mask.shape, mask.shape[::-1]) and all(
        a.ndim == 2 and is_one(a.shape[1 - k]) and is_range(plainly(a)) for k, a in enumerate(mask.args))


def better(row: Node, logs: Logarithms, rules: Sequence[Rule] = IDENTITIES) -> Node | None:
    """The row of an identity that applies, of the first of the ``rules``."""
    if isinstance(row.attr, Pattern):
        terms = term_by_term(row)
        return _running_sum(row) if terms is None else terms
    if row.form is None:
        return None
    return next((found for rule in rules if (found := rule(row, logs)) is not None), None)


def differences_apart(row: Node, logs: Logarithms) -> Node | None:
    """The row with the differences in it as `differences` has them."""
    return _rewritten(row, lambda form, args: Differences(args, logs.ends, logs.passed).apart(form))
