"""Writing rows down: one walk over formulas and rows, many notations.

`Notation` writes model text (ASCII, parsable). The other notations (LaTeX, Unicode text, NumPy code) override how a
sum, a product, a call … looks; none of them walks a formula itself. Every piece of text carries how strongly it binds,
so parentheses are put where they are needed and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sympy as sp
from sympy.printing.str import StrPrinter

from symbackprop.core import formula as f
from symbackprop.core import maths
from symbackprop.core.graph import Node
from symbackprop.core.kernel import Kernel
from symbackprop.core.pattern import Pattern
from symbackprop.core.scalars import RELATIONS, TABLE, Scalar
from symbackprop.core.shapes import dim_text

COMPARE, SUM, PRODUCT, SIGN, POWER, ATOM = 5, 10, 20, 25, 30, 100


class Text(NamedTuple):
    """Written mathematics and how strongly it binds."""

    text: str
    level: int = ATOM


@dataclass(frozen=True)
class Written(maths.Math):
    """An argument that is written already."""

    text: str
    level: int


class Notation:
    """Model text. ``names`` maps row ids to what they are called; a row without a name is written out in place. Rows in
    ``expanded`` are written by their own formula even if a library function made them."""

    times, division, power_sign, minus = " * ", " / ", "**", "-"

    def __init__(self, names: Mapping[int, str] | None = None, expanded: Collection[int] = ()) -> None:
        self.names = names or {}
        self.expanded = expanded

    # -- rows
    def ref(self, node: Node) -> Text:
        """A row as an operand: its name, else its right-hand side."""
        name = self.name_of(node)
        return self.row(node) if name is None else Text(self.name(name))

    def name_of(self, node: Node) -> str | None:
        return self.names.get(node.id) or node.name

    def row(self, node: Node) -> Text:
        """The right-hand side of a row, as it was written where that is known."""
        if node.origin is not None and node.id not in self.expanded:
            return self.origin(node)
        if isinstance(node.attr, Kernel):
            return self.kernel(node)
        return self.structural(node, [self.ref(a) for a in node.args])

    def structural(self, node: Node, args: Sequence[Text]) -> Text:
        return self.shown_row(node, args)

    def shown_row(self, node: Node, args: Sequence[Text]) -> Text:
        """A row as its op says it."""
        return self.tree(node.op.show(node, [Written(*a) for a in args]))

    def tree(self, m: maths.Math) -> Text:
        """What ops say of their rows: calls, indices, products."""
        match m:
            case Written(text, level):
                return Text(text, level)
            case maths.Op("einsum", (maths.Words(pattern), *args)):
                return self.indexed_sum(Pattern.parse(pattern), [self.tree(a) for a in args])
            case maths.Op(name, args):
                options = {a.key: self.tree(a.value).text for a in args if isinstance(a, maths.Option)}
                return self.function(name, [self.tree(a) for a in args if not isinstance(a, maths.Option)], options)
            case maths.MatMul(left, right):
                return self.matmul(self.tree(left), self.tree(right))
            case maths.Transpose(body):
                return self.transpose(self.tree(body))
            case maths.Item(base, index):
                return self.index(self.tree(base), ", ".join([self.tree(i).text for i in index]))
            case maths.Span(start, stop, step):
                ends = ["" if x is None else self.tree(x).text for x in (start, stop)]
                return Text(":".join([*ends, *([str(step)] if step != 1 else [])]))
            case maths.Tuple(items):
                inside = ", ".join([self.tree(x).text for x in items])
                return Text(f"({inside}{',' if len(items) == 1 else ''})")
            case maths.Size(value):
                return self.dim(value)
            case maths.Num(value):
                return self.num(value)
            case maths.Sym(name):
                return Text(self.name(name))
            case maths.Words(text):
                return Text(text)
        raise TypeError(f"no op says {m!r}")

    def kernel(self, node: Node) -> Text:
        return self.formula(node.attr.form, [self.ref(a) for a in node.args])

    def origin(self, node: Node) -> Text:
        assert node.origin is not None
        args = [self.ref(a) if isinstance(a, Node) else self.value(a) for a in node.origin.args]
        options = {k: self.value(v).text for k, v in node.origin.options.items()}
        return self.function(node.origin.function, args, options)

    def value(self, value: Any) -> Text:
        """An option or a plain argument of a library function: number, dimension, string, tuple."""
        if isinstance(value, Node):
            return self.ref(value)
        if isinstance(value, str):
            return Text('"' + value + '"')
        if isinstance(value, (tuple, list)):
            return Text("(" + ", ".join(self.value(v).text for v in value) + ("," if len(value) == 1 else "") + ")")
        if isinstance(value, bool) or value is None:
            return Text(str(value))
        return self.num(f.exact(value))

    # -- formulas
    def formula(self, form: f.Formula, args: Sequence[Text], out: Text | None = None) -> Text:
        """A formula over printed arguments; ``out`` is how the row's own value is called."""
        form = self.shown(form)
        match form:
            case f.Num(value):
                return self.num(value)
            case f.Arg(index):
                return args[index]
            case f.Out():
                return out or Text("out")
            case f.Neg(body):
                return self.negative(self.formula(body, args, out))
            case f.Add(terms):
                return self.sum([self._signed(t, args, out) for t in terms])
            case f.Mul(factors):
                return self._product(factors, args, out)
            case f.Div(num, den):
                return self.quotient(self.formula(num, args, out), self.formula(den, args, out))
            case f.Pow(base, exponent):
                return self.power(self.formula(base, args, out), self.formula(exponent, args, out))
            case f.Call(name, parts):
                return self.scalar(TABLE[name], [self.formula(p, args, out) for p in parts], form)
        raise TypeError(f"not a formula: {form!r}")

    def shown(self, form: f.Formula) -> f.Formula:
        """The formula that is written for a formula."""
        return f.written(form)

    def _signed(self, term: f.Formula, args: Sequence[Text], out: Text | None) -> tuple[bool, Text]:
        if isinstance(term, f.Neg):
            return True, self.formula(term.body, args, out)
        if isinstance(term, f.Num) and f.is_negative(term.value):
            return True, self.num(-term.value)
        return False, self.formula(term, args, out)

    def _product(self, factors: Sequence[f.Formula], args: Sequence[Text], out: Text | None) -> Text:
        first = factors[0]
        if isinstance(first, f.Num):
            rest = [self.formula(x, args, out) for x in factors[1:]]
            return self.scaled(first.value, rest)
        return self.product([self.formula(x, args, out) for x in factors])

    # -- atoms that notations override
    def name(self, name: str) -> str:
        return name

    def dim(self, dim: sp.Expr) -> Text:
        text = dim_text(dim)
        return Text(text, ATOM if dim.is_Symbol or dim.is_Integer else SUM if dim.is_Add else PRODUCT)

    def num(self, value: sp.Expr) -> Text:
        """A number or an expression in dimensions, exactly."""
        return number_text(value)

    def sum(self, terms: Sequence[tuple[bool, Text]]) -> Text:
        """Terms with their signs (True is minus)."""
        negative, first = terms[0]
        parts = [self.minus + wrap(first, PRODUCT) if negative else wrap(first, SUM)]
        for negative, term in terms[1:]:
            parts.append(f" {self.minus} {wrap(term, PRODUCT)}" if negative else f" + {wrap(term, SUM)}")
        return Text("".join(parts), SUM)

    def negative(self, body: Text) -> Text:
        return Text(self.minus + wrap(body, PRODUCT), SUM)

    def product(self, factors: Sequence[Text]) -> Text:
        """Factors in order, left to right."""
        head = wrap(factors[0], PRODUCT)
        return Text(self.times.join([head, *[wrap(x, PRODUCT + 1) for x in factors[1:]]]), PRODUCT)

    def scaled(self, coefficient: sp.Expr, factors: Sequence[Text]) -> Text:
        """A numeric coefficient times factors; 1/N is written as a division."""
        num, den = sp.fraction(coefficient)
        if coefficient.is_Rational and den != 1 and is_decimal(coefficient):
            return self.product([self.num(coefficient), *factors])
        text = self.product([self.num(num), *factors]) if num != 1 else self.product(factors)
        return text if den == 1 else self.quotient(text, self.num(den))

    def quotient(self, num: Text, den: Text) -> Text:
        return Text(f"{wrap(num, PRODUCT)}{self.division}{wrap(den, PRODUCT + 1)}", PRODUCT)

    def power(self, base: Text, exponent: Text) -> Text:
        return Text(f"{wrap(base, POWER + 1)}{self.power_sign}{wrap(exponent, POWER + 1)}", POWER)

    def scalar(self, record: Scalar, args: Sequence[Text], form: f.Call) -> Text:
        """A function of the scalar table applied to printed arguments."""
        if record.name == "where_selected":
            return args[0]
        relation = _SIGNS.get(record.name)
        if relation:
            return Text(f"{wrap(args[0], SUM)} {relation} {wrap(args[1], SUM)}", COMPARE)
        if record.name == "above":
            return self.indicator(args, form)
        if record.name == "truth":
            return args[0] if args[0].level == COMPARE else Text(f"{wrap(args[0], SUM)} != 0", COMPARE)
        if record.name == "log_normal_cdf":
            return self.function("log", [self.function("normal_cdf", args, {})], {})
        return self.function(record.called or record.name, args[: record.arity], {})

    def indicator(self, args: Sequence[Text], form: f.Call) -> Text:
        """1[a > b]; the relation says what happens at a tie."""
        left, right = wrap(args[0], SUM), wrap(args[1], SUM)
        if is_halved(form):
            return Text(f"({left} > {right}) + ({left} == {right}) / 2", SUM)
        return Text(f"{left} {'>=' if form.args[2] == f.ONE else '>'} {right}", COMPARE)

    def function(self, name: str, args: Sequence[Text], options: Mapping[str, str]) -> Text:
        """A library function: name(args, option=value)."""
        parts = [a.text for a in args] + [f"{k}={v}" for k, v in options.items()]
        return Text(f"{name}({', '.join(parts)})")

    # -- what structural ops say
    def matmul(self, a: Text, b: Text) -> Text:
        return Text(f"{wrap(a, PRODUCT)} @ {wrap(b, PRODUCT + 1)}", PRODUCT)

    def transpose(self, a: Text) -> Text:
        return Text(f"{wrap(a, ATOM)}.T")

    def index(self, a: Text, inside: str) -> Text:
        return Text(f"{wrap(a, ATOM)}[{inside}]")

    def indexed_sum(self, pattern: Pattern, args: Sequence[Text]) -> Text:
        """An einsum that has no shorter form."""
        return Text("einsum(" + ", ".join([f'"{pattern}"', *[a.text for a in args]]) + ")")


def is_halved(form: f.Formula) -> bool:
    """An indicator that is ½ at a tie: its values are no truth values."""
    return isinstance(form, f.Call) and form.name == "above" and form.args[2] not in (f.ZERO, f.ONE)


class Brief(Notation):
    """Model text for messages: what is more than three rows down, or nameless in a loop, is left out."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.depth = depth

    def ref(self, node: Node) -> Text:
        if node.name is not None:
            return Text(node.name)
        unnamed = node.op.name == "out" and node.args[0].attr.results()[node.attr].name is None
        return Brief(self.depth - 1).row(node) if self.depth and not unnamed else Text("…")


def brief(row: Node) -> str:
    """A row as messages show it."""
    return Brief().row(row).text


_SIGNS = {name: sign for sign, name in RELATIONS.items()}


def wrap(text: Text, level: int, left: str = "(", right: str = ")") -> str:
    """Parentheses when the text binds more weakly than its surroundings need."""
    return text.text if text.level >= level else f"{left}{text.text}{right}"


def number_text(value: sp.Expr) -> Text:
    """A number as a literal: integers, short decimals, fractions, and expressions in dimensions."""
    if value.is_Integer:
        return Text(str(value), ATOM if value >= 0 else SUM)
    if value.is_Rational:
        return rational_text(value)
    if value.is_Symbol:
        return Text(str(value.name))
    text = _Printer().doprint(value)
    fraction = value.is_Mul or (value.is_Pow and value.exp.could_extract_minus_sign())
    return Text(text, SUM if value.is_Add or text.startswith("-") else PRODUCT if fraction else _level(value))


def _level(value: sp.Expr) -> int:
    return POWER if value.is_Pow else ATOM


class _Printer(StrPrinter):  # type: ignore[misc]
    """SymPy's printer, with e as a call (a dimension may be called E) and ∞ as inf."""

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "exp(1)"

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "inf"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "-inf"


def rational_text(value: sp.Rational) -> Text:
    """p/q, or a decimal where that is exact and shorter."""
    decimal = decimal_text(value)
    if decimal is not None and is_decimal(value):
        return Text(decimal, ATOM if value >= 0 else SUM)
    return Text(f"{value.p} / {value.q}", PRODUCT if value >= 0 else SUM)


def is_decimal(value: sp.Rational) -> bool:
    """Whether a fraction is written as a decimal: 0.001, but 1 / 2."""
    decimal = decimal_text(value)
    return decimal is not None and len(decimal) < len(f"{value.p}/{value.q}")


def decimal_text(value: sp.Rational) -> str | None:
    """The decimal literal that is exactly this rational, when it has one of at most 15 digits."""
    literal = repr(float(value)).replace("e-0", "e-")
    return literal if sp.Rational(literal) == value else None
