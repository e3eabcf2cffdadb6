"""Rows as they are written: as trees, and as model text, the inverse of the parser (`model.text`).

A row with a name is called by it; one without is written out in place, by the library function that made it or by its
own formula. Printers know how strongly every piece binds, so parentheses stand where they are needed and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core import maths
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.literals import is_decimal, number_text
from symbackprop.core.maths import Math, negative, product
from symbackprop.core.pattern import Pattern
from symbackprop.core.printer import ATOM, POWER, PRODUCT, SUM, LinePrinter, Text
from symbackprop.core.scalars import TABLE

COMPARE = 5


Operands: TypeAlias = Sequence[Math] | Mapping[int, Math]  # by their numbers


class Over:
    """What one formula is written over: the trees of its arguments and of its own value. A part that stands in it in
    several places is one tree, which printers print once."""

    __slots__ = ("args", "known", "out")

    def __init__(self, args: Operands, out: Math | None) -> None:
        self.args, self.out = args, out
        self.known: dict[f.Formula, Math] = {}


class Written:
    """Rows as trees. ``names`` maps row ids to what they are called; rows in ``expanded`` are written by their own
    formula even if a library function made them."""

    def __init__(self, names: Mapping[int, str] | None = None, expanded: Collection[int] = ()) -> None:
        self.names, self.expanded = {} if names is None else names, expanded

    # -- rows
    def ref(self, node: Node) -> Math:
        """A row as an operand: its name, else its right-hand side."""
        name = self.name_of(node)
        if name is None:
            return maths.Shaped(self.row(node), node.shape)
        return maths.Sym(name, node.shape, node.id, verbatim=True)

    def name_of(self, node: Node) -> str | None:
        return self.names.get(node.id) or node.name

    def is_within(self, node: Node, most: int) -> bool:
        """Whether a row is written with at most so many rows that have no name, each counted as often as it is read."""
        inside = [node]
        for row in inside:
            inside += [a for a in row.args if self.name_of(a) is None]
            if len(inside) > most + 1:
                return False
        return True

    def row(self, node: Node) -> Math:
        """The right-hand side of a row, as it was written where that is known."""
        if self.is_call(node):
            return self.call(node)
        if isinstance(node.attr, Kernel):
            return self.kernel(node)
        return self.structural(node)

    def is_call(self, node: Node) -> bool:
        """Whether a row is written as the call of the library function that made it."""
        return node.origin is not None and node.id not in self.expanded

    def call(self, node: Node) -> maths.Op:
        """A library function as it was called."""
        assert node.origin is not None
        args = [self.value(a) for a in node.origin.args]
        options = [maths.Option(k, self.value(v)) for k, v in node.origin.options.items()]
        return maths.Op(node.origin.function, (*args, *options), (), node.id)

    def kernel(self, node: Node) -> Math:
        return self.formula(node.attr.form, [self.ref(a) for a in node.args])

    def structural(self, node: Node) -> Math:
        """A row as its op says it."""
        return node.op.show(node, [self.ref(a) for a in node.args])

    def value(self, value: Any) -> Math:
        """An argument or option of a library function."""
        if isinstance(value, Node):
            return self.ref(value)
        if isinstance(value, (tuple, list)):
            return maths.Several(tuple([self.value(v) for v in value]), fenced=True)
        return maths.Words(str(value)) if isinstance(value, (str, bool)) or value is None else maths.Num(f.exact(value))

    # -- formulas
    def formula(self, form: f.Formula, args: Operands, out: Math | None = None) -> Math:
        """A formula over trees; ``out`` is how the row's own value is called."""
        return self._formula(f.written(form), Over(args, out))

    def _formula(self, form: f.Formula, over: Over) -> Math:
        found = over.known.get(form)
        if found is None:
            found = over.known[form] = self._spelled(form, over)
        return found

    def _spelled(self, form: f.Formula, over: Over) -> Math:
        match form:
            case f.Num(value):
                return self.number(value)
            case f.Arg(index):
                return over.args[index]
            case f.Out():
                assert over.out is not None
                return over.out
            case f.Neg(body):
                return negative(self._formula(body, over))
            case f.Add(terms):
                return maths.Sum(tuple([self._signed(t, over) for t in terms]))
            case f.Mul((f.Num(value), *rest)):
                return self.scaled(value, *[self._formula(x, over) for x in rest])
            case f.Mul(factors):
                return product(*[self._formula(x, over) for x in factors])
            case f.Div(top, bottom):
                return maths.Frac(self._formula(top, over), self._formula(bottom, over))
            case f.Pow(base, exponent):
                return maths.Pow(self._formula(base, over), self._formula(exponent, over))
            case f.Call(name, parts):
                return self.scalar(name, [self._formula(p, over) for p in parts], form)
        raise TypeError(f"not a formula: {form!r}")

    def _signed(self, term: f.Formula, over: Over) -> tuple[bool, Math]:
        if isinstance(term, f.Neg):
            return True, self._formula(term.body, over)
        if isinstance(term, f.Num) and f.is_negative(term.value):
            return True, self.number(-term.value)
        return False, self._formula(term, over)

    def number(self, value: sp.Expr) -> Math:
        return maths.Num(value)

    def scaled(self, number: sp.Expr, *factors: Math) -> Math:
        return maths.Prod(factors, number)

    def scalar(self, name: str, args: list[Math], form: f.Call) -> Math:
        """A function of the scalar table."""
        record = TABLE[name]
        if record.show is not None:
            return record.show(args, form)
        return maths.Fn(name, tuple(args[: record.arity]), tuple(args[record.arity :]))


class ModelPrinter(LinePrinter):
    """Model text, which keeps the order of what was written."""

    numbers_first: ClassVar = False
    signs: ClassVar = {
        name: Text(sign) for name, sign in {
            "minus": "-", "less": " - ", "plus": " + ", "odot": " * ", "dot": " * ", "comma": ", ", "tight comma": ",",
            ":": ":", "tight": "", "≥": " >= ", "≤": " <= ", "=": " == ", "≠": " != ", ">": " > ", "<": " < ",
        }.items()
    }

    # -- leaves
    def sym(self, m: maths.Sym) -> Text:
        return Text(m.name)

    def num(self, m: maths.Num) -> Text:
        """A number or an expression in dimensions, exactly."""
        return Text(*number_text(m.value))

    def words(self, m: maths.Words) -> Text:
        return Text(m.text if m.text in ("True", "False", "None") else f'"{m.text}"')

    # -- arithmetic
    def scaled(self, m: maths.Prod) -> Text:
        """A number times factors; 1/N is written as a division."""
        top, bottom = sp.fraction(m.number)
        if m.number.is_Rational and bottom != 1 and is_decimal(m.number):
            return self(product(maths.Num(m.number), *m.factors))
        text = self(product(*([] if top == 1 else [maths.Num(top)]), *m.factors))
        return text if bottom == 1 else self.fraction(text, self(maths.Num(bottom)))

    def fraction(self, top: Text, bottom: Text) -> Text:
        return Text(f"{self.at_least(top, PRODUCT).text} / {self.at_least(bottom, PRODUCT + 1).text}", PRODUCT)

    def pow(self, m: maths.Pow) -> Text:
        base, exponent = self.wrapped(m.base, POWER + 1), self.wrapped(m.exponent, POWER + 1)
        return Text(f"{base.text}**{exponent.text}", POWER)

    def matmul(self, m: maths.MatMul) -> Text:
        return Text(f"{self.wrapped(m.left, PRODUCT).text} @ {self.wrapped(m.right, PRODUCT + 1).text}", PRODUCT)

    def transpose(self, m: maths.Transpose) -> Text:
        return Text(f"{self.wrapped(m.body, ATOM).text}.T")

    def inverse(self, m: maths.Inverse) -> Text:
        whole = self.applied(Text("inv"), [m.body])
        return Text(f"{whole.text}.T") if m.flipped else whole

    def item(self, m: maths.Item) -> Text:
        """Of a list an index takes one of what is listed: it is stacked where an array is meant."""
        match maths.within(m.base):
            case maths.Vector(items):
                return super().item(maths.Item(maths.Op("stack", items), m.index))
            case maths.Matrix(rows):
                return super().item(maths.Item(maths.Op("stack", tuple(map(maths.Vector, rows))), m.index))
        return super().item(m)

    # -- functions
    def identity(self, m: maths.Identity) -> Text:
        return self.applied(Text("eye"), [maths.Num(m.size)])

    def bars(self, m: maths.Bars) -> Text:
        return self.applied(Text("norm"), [m.body])

    def fn(self, m: maths.Fn) -> Text:
        return self.applied(Text(TABLE[m.name].called or m.name), m.args)

    def op(self, m: maths.Op) -> Text:
        match m:
            case maths.Op("einsum", (maths.Words(pattern), *args)):
                return self.contracted(Pattern.parse(pattern), args)
        return self.applied(Text(m.name), m.args)

    def contracted(self, pattern: Pattern, args: Sequence[Math]) -> Text:
        """Products of matrices where it is one, perhaps added up over leading axes: sum(aᵀ @ b, axis=0)."""
        stacked = pattern.stacked()
        if stacked is None:
            return self.einsum(pattern, args)
        product = stacked.product.of(args, self.turn(stacked.lead))
        axes = 0 if stacked.lead == 1 else (*range(stacked.lead),)
        return self(maths.called("sum", product, axis=axes) if stacked.summed else product)

    def einsum(self, pattern: Pattern, args: Sequence[Math]) -> Text:
        """A product by its letters."""
        return self.applied(Text("einsum"), [maths.Words(str(pattern)), *args])

    def turn(self, lead: int) -> Callable[[Math], Math]:
        """What transposes the matrices behind leading axes: .T turns all axes around."""
        axes = maths.plain((*range(lead), lead + 1, lead))
        return lambda m: maths.called("transpose", m, axes)

    def option(self, m: maths.Option) -> Text:
        return Text(f"{m.key}={self(m.value).text}")

    def relation(self, m: maths.Relation) -> Text:
        return self.row(self.wrapped(m.left, SUM), self.sign(m.sign), self.wrapped(m.right, SUM), level=COMPARE)

    def indicator(self, m: maths.Indicator) -> Text:
        p = self(m.holds)
        return p if p.level == COMPARE else Text(f"{self.at_least(p, SUM).text} != 0", COMPARE)


class Notation(Written):
    """Model text of rows."""

    printer: LinePrinter = ModelPrinter()

    def structural(self, node: Node) -> Math:
        """A row as its op says it, but a place of h as a call where ``h[2]`` is a step of that name."""
        m = super().structural(node)
        match m:
            case maths.Item(base, (_,)) if node.op.written is not None and self._has_steps(maths.within(base)):
                return node.op.written(node, [self.ref(a) for a in node.args])
        return m

    def _has_steps(self, m: Math) -> bool:
        return isinstance(m, maths.Sym) and any(name.startswith(f"{m.name}[") for name in self.names.values())

    def text(self, m: Math) -> str:
        return self.printer(m).text

    def operand(self, node: Node) -> str:
        """What a row is called, else its right-hand side."""
        return self.text(self.ref(node))

    def right(self, node: Node) -> str:
        """The right-hand side of a row."""
        return self.text(self.row(node))


class Brief(Notation):
    """Model text for messages: what is more than three rows down, or nameless in a loop, is left out."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.depth = depth

    def ref(self, node: Node) -> Math:
        if node.name is not None:
            return maths.Sym(node.name)
        unnamed = node.is_result and node.args[0].attr.results()[node.attr].name is None
        if not self.depth or unnamed:
            return maths.Sym("…")
        return maths.Shaped(Brief(self.depth - 1).row(node), node.shape)


def brief(row: Node) -> str:
    """A row as messages show it."""
    return Brief().right(row)
