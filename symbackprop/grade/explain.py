"""What is wrong with one answer: its shape, mistakes made on purpose in the derivation, changes to the line itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from itertools import combinations, count, permutations, product
from operator import add

import numpy as np
import sympy as sp

from symbackprop.core.build import reduce_sum, transpose
from symbackprop.core.graph import FLOAT, INT, Node
from symbackprop.core.shapes import is_one, same_shape, shape_text
from symbackprop.errors import ModelError
from symbackprop.grade import mistakes as m
from symbackprop.grade.diagnose import Diagnosis
from symbackprop.grade.equality import are_equal, fitted, how_equal
from symbackprop.grade.formulas import Formula
from symbackprop.grade.functions import classes
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.naming import Gradient, Local, Meaning, Own
from symbackprop.grade.points import Point
from symbackprop.grade.reference import Reference
from symbackprop.grade.scope import MENDED
from symbackprop.grade.session import Entry, Outcome, Session
from symbackprop.grade.tree_text import flattened, unparsed
from symbackprop.model.text import tree
from symbackprop.verify.aiming import numbers_in

MAX_WORK = 12_000


class Explainer:
    """Explains one wrong answer. Earlier answers count as put right, so that only the line's own mistake is left."""

    def __init__(self, session: Session, points: Sequence[Point], outcome: Outcome, right: Node) -> None:
        self.session, self.reference, self.points = session, session.reference, points
        self.outcome, self.right = outcome, right
        self.form = outcome.entry.form

    def finding(self) -> Finding:
        """The mistake."""
        found = self._one_hot() or self._found()
        letters = self._letters(found)
        return replace(found, says=f"{found.says}, where {letters}") if letters else found

    def _letters(self, found: Finding) -> str:
        """What the letters of rows without a name stand for that the mistake is told with, unless the person uses them:
        they are a derivation's, which nobody needs to have read."""
        reference = self.reference
        waiting, told = [found.factor, found.right, found.wrong], dict[str, str]()
        while waiting:
            for word in re.findall(r"(?<!\w)(?:d(?=\w))?(\w+)", waiting.pop(0)):
                row = reference.rows.get(word)
                if row is not None and row.name is None and word not in told and word not in self.session.words:
                    told[word] = reference.notation.right(row)
                    waiting.append(told[word])
        return ", ".join([f"{word} = {m.clipped(formula)}" for word, formula in told.items()])

    def _found(self) -> Finding:
        if not self.outcome.mended:
            error = self.outcome.mended_error
            message = "" if error is None else error.message
            return self._edited() or Finding(m.SHAPE, f"the shapes do not fit: {message}")
        row = self.outcome.mended[0]
        fit = fitted(row, self.right)
        if fit is None:
            return self._misshaped(row)
        if isinstance(self.outcome.meaning, Local):
            return self._local(self.outcome.meaning, fit[0])
        if turned := self._by([partial(thresholds, numbers_in(self.right))]):
            return turned
        finding = self._diagnosis(fit[0]).finding()
        vague = finding.kind in (m.UNEXPLAINED, m.WRONG_FACTOR) or finding.also
        return (self._edited() if vague else None) or finding

    def _diagnosis(self, row: Node) -> Diagnosis:
        target, outcomes = self.reference.rows[self.outcome.row_name], self.session.outcomes
        read = [outcomes[k] for k in sorted(self.outcome.uses, key=str) if k in outcomes]
        known = frozenset(self.reference.rows[o.row_name].id for o in read if self.session.meant(o) is not None)
        known -= {target.id}
        return Diagnosis(self.reference, self.points, target, row, known, self.mentioned(), self.factors())

    def _local(self, meaning: Local, row: Node) -> Finding:
        """A wrong local derivative, given as a line of its own."""
        edited, wanted, shown = self._edited(), self.reference.text(self.right), self.reference.text(row)
        factor = str(meaning)
        kind = edited.kind if edited else m.WRONG_DERIVATIVE
        return Finding(kind, f"{factor} is {wanted}, not {m.clipped(shown)}", factor, wanted, shown)

    # -- shapes
    def _misshaped(self, row: Node) -> Finding:
        """A formula of the wrong shape: mended by a transpose, a sum or a change to the line."""
        words = f"its shape is {shape_text(row.shape)}, expected {shape_text(self.right.shape)}"
        for kind, says, fixed in mended_shapes(row, self.right):
            if how_equal(fixed, self.right, self.points):
                return Finding(kind, f"{says}; {words}")
        finding = self._edited()
        return Finding(m.SHAPE, words) if finding is None else replace(finding, says=f"{finding.says}; {words}")

    # -- class indices
    def _one_hot(self) -> Finding | None:
        """Class indices where their one-hot vectors belong, perhaps with a second mistake."""
        rows = self.reference.rows.items()
        rule = partial(one_hots, [n for n, r in rows if r.kind == INT and classes(r) is not None])
        for edit in edits(self.form, rule):
            row = self._whole(edit.whole)
            if row is None or not same_shape(row.shape, self.right.shape):
                continue
            says, wrong, right = edit.words, unparsed(edit.before), unparsed(edit.after)
            if self._is_right(row):
                return Finding(m.ONE_HOT, says, "", right, wrong)
            more = None if isinstance(self.outcome.meaning, Local) else self._diagnosis(row).finding()
            if more is not None and more.kind != m.UNEXPLAINED and not more.also:
                says = f"two things: {says}; and besides, {more.says}"
                return Finding(m.ONE_HOT, says, more.factor, right, wrong, more.kind)
        return None

    # -- changes to the line itself
    def _edited(self) -> Finding | None:
        """The one change to the person's line that makes it right, or to what it reads of the person's own."""
        rules, spelled = [rule(self) for rule in RULES.values()], self._spelled_out()
        return self._by(rules) or (None if spelled == self.form else self._by(rules, spelled))

    def _spelled_out(self) -> Expr:
        """The line with the person's own quantities written out, of which no verdict tells."""
        outcomes, used = self.session.outcomes, sorted(self.outcome.uses, key=str)
        own = {k.name: outcomes[k] for k in used if isinstance(k, Own) and k.index is None and k in outcomes}
        return tree.put(self.form, {n: o.entry.form for n, o in own.items() if o.assumed is None
                                    and len(o.entries) == 1 and not (o.entry.counters or o.entry.answer.letters
                                                                     or o.entry.answer.meanings)})

    def _by(self, rules: Iterable[Rule], form: Expr | None = None) -> Finding | None:
        """The one change by some rules; long lines get fewer tries."""
        form = self.form if form is None else form
        tries = MAX_WORK // (tree.count_nodes(form) * len(self.outcome.entries))
        for rule in rules:
            for edit, _ in zip(edits(form, rule), range(tries), strict=False):
                if self._is_right(self._whole(edit.whole)):
                    return self._mended(edit)
        return None

    def _is_right(self, row: Node | None) -> bool:
        if row is None or not same_shape(row.shape, self.right.shape):
            return False
        try:
            return are_equal(row, self.right, self.points)
        except np.linalg.LinAlgError:  # the inverse of x xᵀ, which rounding alone may leave one
            return False

    def _mended(self, edit: Edit) -> Finding:
        before, after = self._text(edit.before), self._text(edit.after)
        kind = edit.kind
        if kind == m.SUBSTITUTION:
            old, new = self._evaluated(edit.after), self._evaluated(edit.before)
            assert old is not None and new is not None
            kind, _ = m.exchange(old, new, after, before)
        says = edit.words or f"{m.clipped(before)} stands where {m.clipped(after)} belongs"
        return Finding(kind, says, "", after, before)

    def _text(self, expr: tree.Expr) -> str:
        """A part of the line as it is read: 2 exp(s) W is no matrix product."""
        formula = self._formula(self.outcome.entry)
        with suppress(ModelError, ZeroDivisionError, OverflowError):
            formula.row(expr)
        return unparsed(expr, formula.signs)

    def _whole(self, expr: tree.Expr) -> Node | None:
        """What the quantity comes to with another right side, at every step at which the line adds to it."""
        line = self.outcome.entry.answer
        rows = [self._evaluated(expr if e.answer is line else e.form, e) for e in self.outcome.entries]
        known = [row for row in rows if row is not None]
        with suppress(ModelError):  # of other shapes
            return reduce(add, known) if len(known) == len(rows) else None
        return None

    def _evaluated(self, expr: tree.Expr, entry: Entry | None = None) -> Node | None:
        """An expression at one of the line's steps, the last one where none is given."""
        try:
            return self._formula(entry or self.outcome.entry).row(expr)
        except (ModelError, ZeroDivisionError, OverflowError):
            return None

    def _formula(self, entry: Entry) -> Formula:
        meanings = {**self.gradients, **entry.answer.meanings}
        return Formula(self.reference, self.session.scope(self.outcome, entry, MENDED, meanings), entry.answer)

    @cached_property
    def gradients(self) -> dict[str, Meaning]:
        """The gradients that lines give, by the words for them."""
        given = [key for key in self.session.outcomes if isinstance(key, Gradient) and key != self.outcome.key]
        return {self.session.dictionary.spelled(key, fraction): key for key in given for fraction in (False, True)}

    # -- what the line is made of
    def factors(self) -> list[tuple[Node, bool]]:
        """The factors of the line's product as rows, each with whether it divides; none where one has no value."""
        found = [(self._evaluated(expr), divides) for expr, divides in flattened(self.form, False)]
        known = [(row, divides) for row, divides in found if row is not None]
        return known if len(known) == len(found) else []

    def mentioned(self) -> frozenset[int]:
        """The rows that the line names, with those that the person's own lines that it reads name."""
        outcomes = self.session.outcomes
        own = [outcomes[k].entry.form for k in self.outcome.uses if isinstance(k, Own) and k in outcomes]
        words = set(tree.mentioned((*own, self.form)))
        families = words & self.session.dictionary.bases
        return frozenset(r.id for n, r in self.reference.rows.items() if n in words or m.base_name(n) in families)


def mended_shapes(row: Node, right: Node) -> Iterator[tuple[str, str, Node]]:
    """(kind, words, row) for every simple way to bring an answer to the shape of the right one."""
    if row.ndim == 2 and same_shape(row.shape[::-1], right.shape):
        yield m.TRANSPOSE, "it is transposed", transpose(row)
    for axes in _summed_axes(row, right):
        place, keeps = f"the axis {axes[0] if len(axes) == 1 else axes}", row.ndim == right.ndim
        says = f"the sum over {place} is missing: it was broadcast in forward"
        yield m.MISSING_SUM, says, reduce_sum(row, axes, keepdims=keeps)


def _summed_axes(row: Node, right: Node) -> Iterator[tuple[int, ...]]:
    """The axes along which a sum would give the right shape."""
    if row.ndim == right.ndim:
        axes = tuple(i for i, d in enumerate(right.shape) if is_one(d) and not is_one(row.shape[i]))
        if axes and same_shape(tuple(d for i, d in enumerate(row.shape) if i not in axes),
                               tuple(d for i, d in enumerate(right.shape) if i not in axes)):
            yield axes
    for axes in combinations(range(row.ndim), max(row.ndim - right.ndim, 0)):
        if axes and same_shape(tuple(d for i, d in enumerate(row.shape) if i not in axes), right.shape):
            yield axes


# -- one change to what a person wrote


Expr = tree.Expr


@dataclass(frozen=True)
class Edit:
    """A changed formula: the kind of the mistake that the change mends, and the two parts, before and after.

    ``words`` is the sentence where "before stands where after belongs" says too little.
    """

    kind: str
    whole: Expr
    before: Expr
    after: Expr
    words: str = ""


Change = tuple[str, Expr, str]
Rule = Callable[[Expr], Iterator[Change]]


def edits(expr: Expr, rule: Rule) -> Iterator[Edit]:
    """Every formula that one application of ``rule`` to one part of ``expr`` gives."""
    for kind, after, words in rule(expr):
        yield Edit(kind, after, expr, after, words)
    if isinstance(expr, (tree.Index, tree.Tuple)):
        return
    for k, part in enumerate(tree.parts(expr)):
        for inner in edits(part, rule):
            yield replace(inner, whole=_with_part(expr, k, inner.whole))


def _with_part(expr: Expr, k: int, new: Expr) -> Expr:
    """An expression with another k-th part."""
    places = count()
    return tree.changed(expr, lambda part: new if next(places) == k else part)


# -- rules


def _chain(first: Expr, rest: tuple[tuple[str, Expr], ...]) -> Expr:
    """A chain, or its only part."""
    return tree.Chain(first, rest) if rest else first


def products(expr: Expr) -> Iterator[Change]:
    """A product in another order, with other transposes, or of the other kind."""
    if not isinstance(expr, tree.Chain):
        return
    for k, (sign, right) in sorted(enumerate(expr.rest), key=lambda item: item[1][0] != "@"):
        if sign not in "*@" or (sign == "*" and isinstance(expr.first if k == 0 else right, tree.Number)):
            continue
        for kind, a, other, b in _other_products(_chain(expr.first, expr.rest[:k]), sign, right):
            yield kind, _chain(tree.Chain(a, ((other, b),)), expr.rest[k + 1 :]), ""


def _other_products(a: Expr, sign: str, b: Expr) -> Iterator[tuple[str, Expr, str, Expr]]:
    """(kind, left factor, sign, right factor)"""
    flip_a, flip_b = _flipped(a), _flipped(b)
    yield m.ELEMENTWISE, a, "@" if sign == "*" else "*", b
    for x, y in ((flip_a, b), (a, flip_b), (flip_a, flip_b)):
        yield m.TRANSPOSE if sign == "@" else m.ELEMENTWISE, x, "@", y
    for x, y in ((b, a), (flip_b, a), (b, flip_a), (flip_b, flip_a)):
        yield m.ORDER if sign == "@" else m.ELEMENTWISE, x, "@", y


def _flipped(expr: Expr) -> Expr:
    return expr.body if isinstance(expr, tree.Transpose) else tree.Transpose(expr)


def sums(expr: Expr) -> Iterator[Change]:
    """A sum over other axes, a softmax along them."""
    if isinstance(expr, tree.Call) and expr.function not in ("sum", "mean"):
        given = [k for k, (name, _) in enumerate(expr.options) if name == "axis"]
        for k, axis in product(given, (0, 1, 2)):
            options = (*expr.options[:k], ("axis", tree.Number(sp.Rational(axis))), *expr.options[k + 1 :])
            yield m.SUMMED, replace(expr, options=options), ""
    if isinstance(expr, tree.Call) and expr.function in ("sum", "mean") and expr.args:
        others = tuple(option for option in expr.options if option[0] != "axis")
        kept = (("keepdims", tree.Word(True)),)
        for axis, more in product((0, 1, 2), (others, kept) if others != kept else (others,)):
            options = (("axis", tree.Number(sp.Rational(axis))), *more)
            yield m.SUMMED, tree.Call(expr.function, expr.args[:1], options), ""
        yield m.SUMMED, expr.args[0], ""
    for old, new in permutations(("sum", "mean")):
        if (turned := _with_calls(expr, old, new)) != expr:
            yield m.MEAN, turned, f"{old} stands where {new} belongs"


def _with_calls(expr: Expr, old: str, new: str) -> Expr:
    """With every call of a function as one of another."""
    inner = tree.changed(expr, lambda part: _with_calls(part, old, new))
    return replace(inner, function=new) if isinstance(inner, tree.Call) and inner.function == old else inner


def lacking(known: Sequence[str], expr: Expr) -> Iterator[Change]:
    """A factor more, or a division."""
    if isinstance(expr, (tree.Number, tree.Negative)):
        return
    for n, sign in product(known, "*/"):
        says = f"{m.clipped(unparsed(expr))} lacks the factor {n if sign == '*' else f'1/{n}'}"
        yield m.MISSING_FACTOR, tree.Chain(expr, ((sign, tree.Name(n)),)), says


def one_hots(indices: Sequence[str], expr: Expr) -> Iterator[Change]:
    """The one-hot vectors of class indices for the indices."""
    if isinstance(expr, tree.Name) and expr.name in indices:
        says = f"the one-hot is missing: {expr.name} holds class indices, one_hot({expr.name}) belongs there"
        yield m.ONE_HOT, tree.Call("one_hot", (expr,), ()), says


def names(known: Sequence[str], sizes: Sequence[str], expr: Expr) -> Iterator[Change]:
    """One name or index for another, one size for another."""
    if isinstance(expr, tree.Index) and len(expr.items) == 1:
        yield from ((m.STALE_INDEX, tree.Index(expr.base, (i,)), "") for i in _neighbours(expr.items[0]))
    if isinstance(expr, tree.Name):
        yield from ((m.SUBSTITUTION, tree.Name(n), "") for n in known if n != expr.name)
    if isinstance(expr, tree.Name) and expr.name in sizes:
        yield from ((m.MEAN, tree.Name(n), "") for n in sizes if n != expr.name)


def gradients(known: Mapping[str, Meaning], expr: Expr) -> Iterator[Change]:
    """The gradient of one row for that of another."""
    if isinstance(expr, tree.Name) and expr.name in known:
        others = [n for n in known if ("/" in n) == ("/" in expr.name)]
        yield from ((m.SUBSTITUTION, tree.Name(n), "") for n in others if n != expr.name)


def _neighbours(index: Expr) -> Iterator[Expr]:
    """The indices before and after ``2``, ``t`` or ``t - 1``; ``t + i`` for ``t - i``."""
    first, number = index, 0
    if isinstance(index, tree.Number):
        yield from (tree.Number(index.value + by) for by in (-1, 1) if index.value + by >= 0)
        return
    match index:
        case tree.Chain(inner, ((sign, tree.Number(value)),)) if sign in "+-":
            first, number = inner, int(value) if sign == "+" else -int(value)
        case tree.Chain(inner, ((sign, tree.Name() as other),)) if sign in "+-":
            yield tree.Chain(inner, (("-" if sign == "+" else "+", other),))
    if isinstance(first, tree.Name):
        for k in (number - 1, number + 1):
            yield tree.Chain(first, (("-" if k < 0 else "+", tree.Number(sp.Rational(abs(k)))),)) if k else first


def arithmetic(expr: Expr) -> Iterator[Change]:
    """Another sign or exponent, a factor or a term less, a product for a sum."""
    if isinstance(expr, tree.Chain):
        yield from _less(expr)
        yield from _other_signs(expr)
    elif isinstance(expr, tree.Negative):
        yield m.SIGN, expr.body, ""
    elif isinstance(expr, tree.Call) and len(expr.args) == 1:
        yield m.SIGN, replace(expr, args=(tree.Negative(expr.args[0]),)), ""
    elif isinstance(expr, tree.Power) and isinstance(expr.exponent, tree.Number):
        for n in (1, 2, 3):
            yield m.EXPONENT, tree.Power(expr.base, tree.Number(sp.Rational(n))) if n > 1 else expr.base, ""
        yield from _power_inside(expr)
    elif isinstance(expr, tree.Compare) and expr.sign in "<>":
        yield m.SIGN, replace(expr, sign="<>"[expr.sign == "<"]), ""


def thresholds(known: Sequence[float], expr: Expr) -> Iterator[Change]:
    """Another number in a comparison, or one that holds, or does not, where both sides are equal."""
    if isinstance(expr, tree.Compare) and expr.sign[0] in "<>":
        yield m.SUBSTITUTION, replace(expr, sign=expr.sign[0] if "=" in expr.sign else f"{expr.sign}="), ""
        numbers = [tree.Number(sp.nsimplify(n)) for n in known]
        for new in numbers:
            yield from [(m.SUBSTITUTION, replace(expr, left=new), "")] * _is_number(expr.left)
            yield from [(m.SUBSTITUTION, replace(expr, right=new), "")] * _is_number(expr.right)


def _is_number(expr: Expr) -> bool:
    return isinstance(expr.body if isinstance(expr, tree.Negative) else expr, tree.Number)


def _power_inside(expr: tree.Power) -> Iterator[Change]:
    """The sum of squares for the square of a sum, 1 - a**2 for (1 - a)**2."""
    if isinstance(expr.base, tree.Chain) and expr.base.rest[-1][0] in "+-":
        *before, (sign, last) = expr.base.rest
        yield m.EXPONENT, replace(expr.base, rest=(*before, (sign, replace(expr, base=last)))), ""
    if isinstance(expr.base, tree.Call) and expr.base.function in ("sum", "mean"):
        first, *rest = expr.base.args
        yield m.EXPONENT, replace(expr.base, args=(replace(expr, base=first), *rest)), ""


def _less(expr: tree.Chain) -> Iterator[Change]:
    """Without one of the terms or factors."""
    kind = m.TERM if expr.rest[0][0] in "+-" else m.EXTRA_FACTOR
    for k, (_, part) in enumerate(expr.rest):
        rest = (*expr.rest[:k], *expr.rest[k + 1 :])
        yield kind, _chain(expr.first, rest), f"{unparsed(part)} does not belong there"
    sign, second = expr.rest[0]
    if sign in "+*@":
        yield kind, _chain(second, expr.rest[1:]), f"{unparsed(expr.first)} does not belong there"


def _other_signs(expr: tree.Chain) -> Iterator[Change]:
    """Plus for minus, a product for a sum."""
    for k, (sign, part) in enumerate(expr.rest):
        left, right = _chain(expr.first, expr.rest[:k]), _chain(part, expr.rest[k + 1 :])
        if sign in "+-":
            turned = ("-" if sign == "+" else "+", part)
            yield m.SIGN, tree.Chain(expr.first, (*expr.rest[:k], turned, *expr.rest[k + 1 :])), ""
            yield m.WRONG_FACTOR, tree.Chain(left, (("*", right),)), "a sum stands where a product belongs"


def _whole_arrays(reference: Reference) -> list[str]:
    return [n for n, r in reference.rows.items() if r.kind == FLOAT and "[" not in n]


RULES: dict[str, Callable[[Explainer], Rule]] = {
    "products": lambda of: products,
    "sums": lambda of: sums,
    "names": lambda of: partial(names, _whole_arrays(of.reference), list(of.reference.model.sizes)),
    "gradients": lambda of: partial(gradients, of.gradients),
    "arithmetic": lambda of: arithmetic,
    "lacking": lambda of: partial(lacking, _whole_arrays(of.reference)),
}
