"""Rows as model text, exactly: what is written parses back to the same row."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core import maths
from symbackprop.core.facts import is_part, is_product, is_reshaped, step_read
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.maths import Math
from symbackprop.core.notation import ModelPrinter, Notation, Operands, Over
from symbackprop.core.noughts import guarded
from symbackprop.core.pattern import Pattern
from symbackprop.core.printer import TERM, Text
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import Shape, broadcast, is_one, same_shape
from symbackprop.core.squares import is_flat


class ExactPrinter(ModelPrinter):
    """Model text in which a term that is a sum itself keeps its brackets: it is a row of its own. ``shadows_pi``: the
    model calls something of its own pi."""

    inner_sum = TERM

    def __init__(self, shadows_pi: bool) -> None:
        self.shadows_pi = shadows_pi

    def pow(self, m: maths.Pow) -> Text:
        """``W**T`` may be a transpose to its reader."""
        return self.applied(Text("pow"), [m.base, m.exponent]) if self(m.exponent).text == "T" else super().pow(m)

    def contracted(self, pattern: Pattern, args: Sequence[Math]) -> Text:
        """An einsum where a product would be read with operands in the other order, or as one more row."""
        stacked = pattern.stacked()
        if stacked is None or stacked.summed or stacked.product.order == (1, 0) or stacked.product.flip_out:
            return self.einsum(pattern, args)
        return super().contracted(pattern, args)

    def vector(self, m: maths.Vector) -> Text:
        """``2 * [a, b]`` and ``[a, b] + [c, d]`` are refused, as what Python does not mean."""
        return self.applied(Text("stack"), m.items)

    def matrix(self, m: maths.Matrix) -> Text:
        return self.vector(maths.Vector(tuple(map(maths.Vector, m.rows))))

    def num(self, m: maths.Num) -> Text:
        if self.shadows_pi and m.value.has(sp.pi):
            m = maths.Num(m.value.xreplace({sp.pi: sp.Rational(repr(math.pi))}))
        return super().num(m)


class ModelText(Notation):
    """`Notation` with what only matters for reading back: which operand comes first when shapes differ, conventions of
    derivative functions, indices instead of reshapes."""

    def __init__(self, names: Mapping[int, str], declared: Sequence[str] = ()) -> None:
        super().__init__(names)
        self.printer = ExactPrinter("pi" in declared)
        self.scopes: list[Mapping[int, Math]] = []
        self.results: dict[int, str] = {}
        self.pending: set[int] = set()

    def name_of(self, node: Node) -> str | None:
        """The name of a row, once the equation that gives it the name is written."""
        return None if node.id in self.pending else super().name_of(node)

    @contextmanager
    def inside(self, scope: Mapping[int, Math], expanded: Collection[int]) -> Iterator[None]:
        """While the body of a loop is written: what its leaves stand for and what its rows are called there; a row may
        be computed in one body and be an element of a sequence in another."""
        before, self.expanded = self.expanded, expanded
        self.scopes.append(scope)
        try:
            yield
        finally:
            self.scopes.pop()
            self.expanded = before

    def ref(self, node: Node) -> Math:
        """A row as an operand, called as in the innermost loop that knows it."""
        return self._in_loop(node) or super().ref(node)

    def _in_loop(self, node: Node) -> Math | None:
        return next((scope[node.id] for scope in reversed(self.scopes) if node.id in scope), None)

    def kernel(self, node: Node) -> Math:
        form = node.attr.form
        if guarded(f.written(form), node.args) is form:  # reading guards it again
            form = f.written(form)
        args = [self.ref(a) for a in node.args]
        flat_root = node.role is Role.FLAT_ROOT and bool(args)
        if flat_root and not is_flat(f.Arg(0), node.args):  # else reading a sqrt finds it again
            return maths.Op("root", tuple(args))
        return self.formula(readable(form, [a.shape for a in node.args], node.shape), args)

    def formula(self, form: f.Formula, args: Operands, out: Math | None = None) -> Math:
        """What is read back as the same formula: guarded arithmetic is spelled out, but for a power of a sum of
        squares, which is found again."""
        return self._formula(f.without_flat_powers(form), Over(args, out))

    def scalar(self, name: str, args: list[Math], form: f.Call) -> Math:
        record = TABLE[name]
        hides = record.shown and not (record.public or record.called)  # what no function of model text adds
        if record.role is Role.TRUTH or record.guards is not None or hides:
            return maths.Op(name, tuple(args))
        return super().scalar(name, args, form)

    def structural(self, node: Node) -> Math:
        if node.value is not None and node.value.is_Integer and node.kind == FLOAT:
            return self._floats(node.value, tuple(map(maths.Num, node.shape)))
        if node.is_result:  # ``h[T]``, the last value that a loop carries, or ``h``, all of a row of its body
            return maths.Sym(self.results[node.id])
        args = [self.ref(a) for a in node.args]
        special = _product(node, args) if is_product(node) else None
        special = self._reshape(node, args) if is_reshaped(node) else special
        return (node.op.written or node.op.show)(node, args) if special is None else special

    def _floats(self, value: sp.Expr, shape: tuple[Math, ...]) -> Math:
        """A whole number that is a float, or an array of it; the number alone is read as an integer."""
        if value == 0:
            return maths.Op("zeros", shape)
        return self.formula(f.mul(f.Num(value), f.Arg(0)), [maths.Op("ones", shape)])

    def _reshape(self, node: Node, args: Sequence[Math]) -> Math | None:
        """``a[:, 0]`` and ``a[:, None]`` where a reshape is one of these."""
        a = node.args[0]
        new = _inserted(a.shape, node.shape)
        if new is not None:
            return maths.Item(args[0], (*[maths.Span()] * new, maths.Words("None")))
        written_out = self._in_loop(a) is None and self.name_of(a) is None and a.origin is None
        if is_part(a) and written_out:
            axis, start, length, step = a.attr
            if is_one(length) and step == 1 and same_shape(node.shape, (*a.shape[:axis], *a.shape[axis + 1 :])):
                _, place = step_read(node) or (None, start)
                return maths.Item(self.ref(a.args[0]), (*[maths.Span()] * axis, maths.Num(place)))
        return None


def _product(node: Node, args: Sequence[Math]) -> Math | None:
    """A product with its operands in the order of the row, where its op would change it."""
    product = node.attr.matmul()
    if product is None or not (product.order == (1, 0) or product.flip_out):
        return None
    if product.order == (1, 0) and node.args[0].ndim == 1:  # x @ W and x @ W.T
        return maths.MatMul(args[0], args[1] if product.flips[0] else maths.Transpose(args[1]))
    return maths.Op("einsum", (maths.Words(str(node.attr)), *args))


def _inserted(before: Shape, after: Shape) -> int | None:
    """The place of the one new axis of size 1."""
    if len(after) != len(before) + 1:
        return None
    for k in range(len(after)):
        if is_one(after[k]) and same_shape(before, (*after[:k], *after[k + 1 :])):
            return k
    return None


def readable(form: f.Formula, shapes: Sequence[Shape], full: Shape) -> f.Formula:
    """The formula with the operand of full shape in front where the written order, read from the left, would compute
    something of a smaller shape first and so make another row of it."""
    if all(same_shape(s, full) for s in shapes):
        return form
    match form:
        case f.Mul(factors):
            number = [x for x in factors if isinstance(x, f.Num)]
            rest = [readable(x, shapes, full) for x in factors if not isinstance(x, f.Num)]
            return f.Mul((*number, *_largest_first(rest, shapes, full, alone=bool(number))))
        case f.Add(terms):
            return f.Add(tuple(_largest_first([readable(t, shapes, full) for t in terms], shapes, full)))
        case f.Neg(body):
            return f.Neg(readable(body, shapes, full))
        case f.Div(num, den):
            return _quotient(readable(num, shapes, full), readable(den, shapes, full), shapes, full)
        case f.Pow(base, exponent):
            return f.Pow(readable(base, shapes, full), readable(exponent, shapes, full))
        case f.Call(name, args):
            return f.Call(name, tuple([readable(a, shapes, full) for a in args]))
    return form


def _quotient(num: f.Formula, den: f.Formula, shapes: Sequence[Shape], full: Shape) -> f.Formula:
    """``a / X * b`` for ``a * b / X`` where only X has the full shape."""
    if isinstance(num, f.Mul) and not _has_shape([num], shapes, full):
        for factor in num.factors:
            if _has_shape([factor, den], shapes, full) and not isinstance(factor, f.Num):
                number = [x for x in num.factors if isinstance(x, f.Num)]
                rest = [x for x in num.factors if x is not factor and not isinstance(x, f.Num)]
                return f.Mul((*number, f.Div(factor, den), *rest))
    return f.Div(num, den)


def _largest_first(
    parts: list[f.Formula], shapes: Sequence[Shape], full: Shape, alone: bool = False
) -> list[f.Formula]:
    """Reordered so that every prefix of two (with ``alone``: of one) has the full shape, if that can be."""
    alone = alone or isinstance(parts[0], f.Neg)
    head = parts[:1] if alone else parts[:2]
    if _has_shape(head, shapes, full):
        return parts
    for part in sorted(parts, key=lambda p: isinstance(p, f.Neg)):
        if _has_shape([part], shapes, full):
            return [part, *[p for p in parts if p is not part]]
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            if _has_shape([first, second], shapes, full):
                return [first, second, *[p for p in parts if p is not first and p is not second]]
    return parts


def _has_shape(parts: Sequence[f.Formula], shapes: Sequence[Shape], full: Shape) -> bool:
    used = [shapes[i] for p in parts for i in f.arguments(p)]
    return bool(used) and same_shape(broadcast(used), full)
