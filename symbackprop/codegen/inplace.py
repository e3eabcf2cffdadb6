"""-O2: a formula computed into one array, step by step in place: nothing of the size of the result is allocated twice.

Z = X W + b becomes ``Z = np.matmul(X, W, out=…)``, ``Z += b``. The first step takes the buffer; parts that are smaller
than the result, or that no in-place step computes, are written as ordinary expressions.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from symbackprop.codegen.numpy import NumpyNotation
from symbackprop.codegen.products import matrix_product
from symbackprop.core import formula as f
from symbackprop.core.graph import BOOL, FLOAT, Node
from symbackprop.core.notation import Text
from symbackprop.core.noughts import without_needless
from symbackprop.core.shapes import same_shape

UNARY = {"exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tanh"}
BINARY = {"maximum", "minimum"}
Steps = list[str]


class InPlace:
    """Computes one row into the array ``name``; ``buffer`` is the code of the array to use, or None."""

    def __init__(self, p: NumpyNotation, row: Node, name: str, buffer: str) -> None:
        self.p, self.row, self.name, self.buffer = p, row, name, buffer

    def steps(self) -> Steps | None:
        """The statements after ``name = ``: the first is an expression, the others work on the array; None where the
        row has no such form."""
        row = self.p.rows.actual(self.row)
        if not row.ndim or row.kind != FLOAT or row.value is not None:
            return None
        return self.of_row(row)

    def of_row(self, row: Node) -> Steps | None:
        if row.op.name == "einsum" and len(row.args) > 1:
            found = matrix_product(self.p, row, self.p.arguments(row))
            if found is not None and not found.after:
                return [f"np.matmul({found.left}, {found.right}, out={self.buffer})"]
        if row.op.name == "sum" and row is self.p.rows.actual(self.row):
            return self.of_sum(row)
        return self.of_formula(without_needless(row.attr.form, row.args), row) if row.op.name == "elementwise" else None

    def of_sum(self, row: Node) -> Steps | None:
        code = self.p.row(row).text
        if ".sum(axis=" not in code or not code.endswith(")"):
            return None
        return [f"{code[:-1]}, out={self.buffer})"]

    # -- formulas: the code that leaves the value of a form over a row's arguments in the array
    def of_formula(self, form: f.Formula, row: Node) -> Steps | None:
        match form:
            case f.Arg(index):
                return self.of_argument(row.args[index])
            case f.Neg(body):
                inner = self.full(body, row)
                if inner is None:
                    return self.first("np.negative", form, [body], row)
                return [*inner, f"np.negative({self.name}, out={self.name})"]
            case f.Add(terms):
                return self.of_sum_of_terms(terms, row)
            case f.Mul(factors):
                return self.of_product(factors, row)
            case f.Div(num, den):
                return self.of_quotient(num, den, row)
            case f.Pow(base, f.Num(exponent)):
                return self.of_power(base, exponent, row)
            case f.Call(name, args):
                return self.of_call(name, args, row)
        return None

    def of_argument(self, arg: Node) -> Steps | None:
        """An argument that is written in place is computed in place; a variable is left alone."""
        arg = self.p.rows.actual(arg)
        if arg.id in self.p.names or arg.kind != FLOAT or arg.value is not None:
            return None
        if not same_shape(arg.shape, self.row.shape):
            return None
        return self.of_row(arg) if arg.op.name in ("einsum", "elementwise") else None

    def full(self, form: f.Formula, row: Node) -> Steps | None:
        """The steps for a part that has the whole shape, when it is more than a variable or a number."""
        return self.of_formula(form, row) if self.is_full([form], row) else None

    def is_full(self, parts: Sequence[f.Formula], row: Node) -> bool:
        """Whether some argument of the parts is an array of floats of the whole shape."""
        args = [row.args[i] for part in parts for i in f.arguments(part)]
        return any(same_shape(a.shape, self.row.shape) and a.kind == FLOAT for a in args)

    def text(self, form: f.Formula, row: Node) -> Text:
        """A part as an operand of floating-point arithmetic."""
        return self.p.formula(form, [self.p.as_float(a) for a in row.args])

    def factor(self, form: f.Formula, row: Node) -> Text:
        """A part as a factor of an array: truth values may stay what they are."""
        mask = isinstance(form, f.Arg) and row.args[form.index].kind == BOOL
        return self.p.ref(row.args[form.index]) if mask and isinstance(form, f.Arg) else self.text(form, row)

    def first(self, function: str, form: f.Formula, parts: Sequence[f.Formula], row: Node) -> Steps | None:
        """The step that takes the buffer: a NumPy function of whole expressions."""
        if not self.is_full(parts, row):
            return None
        texts = [self.text(part, row).text for part in parts]
        return [f"{function}({', '.join(texts)}, out={self.buffer})"]

    def of_sum_of_terms(self, terms: Sequence[f.Formula], row: Node) -> Steps | None:
        """One term is computed in place and the others are added to it; or the first two make the first step."""
        for k, term in enumerate(terms):
            body = term.body if isinstance(term, f.Neg) else term
            steps = self.full(body, row)
            if steps is not None:
                rest = [*terms[:k], *terms[k + 1 :]]
                if body is not term:
                    steps = [*steps, self.subtracted(rest, row)]
                return steps + [self.added(t, row) for t in rest]
        left, right, *rest = sorted(terms, key=lambda t: isinstance(t, f.Neg) or not self.is_full([t], row))
        minus = isinstance(right, f.Neg)
        if isinstance(left, f.Neg):
            return None
        parts = [left, right.body if isinstance(right, f.Neg) else right]
        steps = self.first("np.subtract" if minus else "np.add", left, parts, row)
        return None if steps is None else steps + [self.added(t, row) for t in rest]

    def subtracted(self, rest: list[f.Formula], row: Node) -> str:
        """The array subtracted from the first positive one of the other terms, which is taken from them."""
        for k, term in enumerate(rest):
            if not isinstance(term, f.Neg):
                del rest[k]
                return f"np.subtract({self.text(term, row).text}, {self.name}, out={self.name})"
        return f"np.negative({self.name}, out={self.name})"

    def added(self, term: f.Formula, row: Node) -> str:
        if isinstance(term, f.Neg):
            return f"{self.name} -= {self.text(term.body, row).text}"
        return f"{self.name} += {self.text(term, row).text}"

    def of_product(self, factors: Sequence[f.Formula], row: Node) -> Steps | None:
        for k, factor in enumerate(factors):
            steps = self.full(factor, row)
            if steps is not None:
                return steps + [self.multiplied(x, row) for x in (*factors[:k], *factors[k + 1 :])]
        numbers = [x for x in factors if isinstance(x, f.Num)]
        left, *rest = sorted((x for x in factors if not isinstance(x, f.Num)), key=lambda x: not self.is_full([x], row))
        if not self.is_full([left], row):
            return None
        operation, right = self.operation(rest.pop(0) if rest else numbers.pop(), row)
        function = "np.divide" if operation == "/" else "np.multiply"
        step = f"{function}({self.text(left, row).text}, {right}, out={self.buffer})"
        return [step, *[self.multiplied(x, row) for x in (*numbers, *rest)]]

    def multiplied(self, factor: f.Formula, row: Node) -> str:
        operation, operand = self.operation(factor, row)
        return f"{self.name} {operation}= {operand}"

    def operation(self, factor: f.Formula, row: Node) -> tuple[str, str]:
        """Times a factor, or divided by a number."""
        if isinstance(factor, f.Num):
            num, den = sp.fraction(factor.value)
            if num == 1:
                return "/", self.p.num(den).text
        return "*", self.factor(factor, row).text

    def of_quotient(self, num: f.Formula, den: f.Formula, row: Node) -> Steps | None:
        steps = self.full(num, row)
        if steps is not None:
            return [*steps, f"{self.name} /= {self.text(den, row).text}"]
        return self.first("np.divide", num, [num, den], row)

    def of_power(self, base: f.Formula, exponent: sp.Expr, row: Node) -> Steps | None:
        if exponent == sp.Rational(1, 2):
            return self.of_call("sqrt", (base,), row)
        if exponent != 2:
            return None
        steps = self.full(base, row)
        if steps is not None:
            return [*steps, f"{self.name} *= {self.name}"]
        return self.first("np.square", base, [base], row)

    def of_call(self, name: str, args: Sequence[f.Formula], row: Node) -> Steps | None:
        if name in ("relu", "root"):
            args = (args[0], f.ZERO) if name == "relu" else args
            name = {"relu": "maximum", "root": "sqrt"}[name]
        if name not in UNARY | BINARY:
            return None
        steps = self.full(args[0], row)
        others = "".join(f", {self.text(a, row).text}" for a in args[1:])
        if steps is not None:
            return [*steps, f"np.{name}({self.name}{others}, out={self.name})"]
        return self.first(f"np.{name}", args[0], args, row)
