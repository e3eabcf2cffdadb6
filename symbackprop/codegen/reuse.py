"""-O2: a pass over the lines of a block, after which values are written into arrays that are used again.

Z = X @ W + b becomes ``Z = w["Z"] = np.matmul(X, W, out=w.get("Z"))``, ``Z += b``: the first step takes the buffer, the
others work on it, and nothing of the size of the result is allocated twice. ``w`` is the table of those arrays by
variable, empty without a workspace: ``out=w.get("Z")`` then is ``out=None``, and NumPy allocates as ever.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeAlias

from symbackprop.codegen.layout import Line
from symbackprop.codegen.tree import Code, Expr, assign, attribute, call, index, method, name
from symbackprop.core.graph import FLOAT
from symbackprop.core.shapes import same_shape

FUNCTIONS = {"exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tanh", "maximum", "minimum"}
OPERATIONS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
REDUCTIONS, VIEWS = {"sum", "max"}, {"reshape", "transpose"}  # methods: the first take out=


def reuse(lines: Iterable[Line], lasting: Collection[str] = ()) -> list[Line]:
    """The lines with their values in arrays of the workspace. What a loop carries on (``lasting``) gets an array of its
    own in every step: the next one still reads it."""
    return [new for line in lines for new in _reused(line, lasting)]


def _reused(line: Line, lasting: Collection[str]) -> Iterator[Line]:
    value, code = line.value, line.code
    target = code.targets[0] if isinstance(code, ast.Assign) else None
    first = target.elts[0] if isinstance(target, ast.Tuple) else target
    usable = value is not None and bool(value.shape) and isinstance(first, ast.Name) and first.id not in lasting
    steps = _steps(value, first, target) if usable and value and isinstance(first, ast.Name) and target else None
    if steps is None:
        yield Line(code, line.comment, line.depth)
        return
    yield Line(steps[0], line.comment, line.depth)
    yield from (Line(step, "", line.depth) for step in steps[1:])


def _steps(value: Expr, first: ast.Name, target: Code) -> list[ast.stmt] | None:
    """The statements that give a variable its value in its buffer; None where it cannot be put there."""
    kept, code = index("w", first.id), value.code
    if target is not first and isinstance(code, ast.Call):  # p, s = softmax_logsumexp(…)
        return [assign([target], _into(code, _buffer(first))), assign([kept], first)]
    after: list[ast.stmt] = []
    match code:
        case ast.Call(func=ast.Attribute(attr="empty"), args=args):
            return [assign(first.id, call("stack", name("w"), first.id, *args))]
        case ast.Call(func=ast.Attribute(attr=word), args=args) if word in VIEWS and value.parts:
            value, after = value.parts[0], [assign(first.id, method(first, word, *args))]
    found = InPlace(first, value).steps(value)
    return None if found is None else [assign([first, kept], found[0]), *found[1], *after]


def _buffer(variable: ast.Name) -> Code:
    """The array of the workspace for a variable, or None."""
    return method(name("w"), "get", variable.id)


def _into(code: ast.Call, array: Code) -> Code:
    return ast.Call(code.func, code.args, [*code.keywords, ast.keyword("out", array)])


Steps: TypeAlias = tuple[Code, list[ast.stmt]]  # what takes the buffer, and what is done to the array then


class InPlace:
    """Computes an expression into one array, a variable's, step by step."""

    def __init__(self, variable: ast.Name, whole: Expr) -> None:
        self.variable, self.shape, self.buffer = variable, whole.shape, _buffer(variable)

    def fits(self, part: Expr) -> bool:
        """Whether a part is an array of floats of the whole shape."""
        return part.kind == FLOAT and same_shape(part.shape, self.shape)

    def steps(self, whole: Expr) -> Steps | None:
        """How an expression of the whole shape is computed; None for variables, views and what takes no buffer."""
        if not self.fits(whole):
            return None
        match whole.code:
            case ast.BinOp(op=ast.MatMult()) if whole.parts:
                return self.first("matmul", *whole.parts)
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=2)) if whole.parts:
                return self.square(whole.parts[0])
            case ast.BinOp(op=operation) if whole.parts and type(operation) in OPERATIONS:
                return self.arithmetic(whole)
            case ast.UnaryOp() if whole.parts:
                return self.function("negative", whole.parts)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=word)) if word in FUNCTIONS:
                return self.function(word, whole.parts)
            case ast.Call(func=ast.Attribute(attr="copy")) if whole.parts:
                return self.first("positive", *whole.parts)
            case ast.Call(func=ast.Attribute(attr=word), keywords=[_, *_]) if word in REDUCTIONS:
                return _into(whole.code, self.buffer), []
        return None

    def first(self, function: str, *parts: Expr) -> Steps:
        return call(attribute("np", function), *[p.code for p in parts], out=self.buffer), []

    def then(self, steps: Steps, function: str, *codes: Code) -> Steps:
        """The steps, then a function written back into the array."""
        code = call(attribute("np", function), *codes, out=self.variable)
        return steps[0], [*steps[1], ast.Expr(code)]

    def function(self, word: str, parts: Sequence[Expr]) -> Steps | None:
        inner = self.steps(parts[0])
        if inner is not None:
            return self.then(inner, word, self.variable, *[p.code for p in parts[1:]])
        return self.first(word, *parts) if any(map(self.fits, parts)) else None

    def square(self, base: Expr) -> Steps | None:
        inner = self.steps(base)
        if inner is None:
            return self.first("square", base) if self.fits(base) else None
        return inner[0], [*inner[1], ast.AugAssign(self.variable, ast.Mult(), self.variable)]

    def arithmetic(self, whole: Expr) -> Steps | None:
        """The first operand that is computed in place takes the buffer, else two of which one has the whole shape; the
        others are combined with it one by one."""
        chain = _operands(whole)
        for k, (operation, part) in enumerate(chain):
            inner, others = self.steps(part), chain[:k] + chain[k + 1 :]
            if inner is not None and isinstance(operation, (ast.Add, ast.Mult)):
                return inner[0], [*inner[1], *map(self.changed, others)]
            if inner is not None:
                found = self.then(inner, OPERATIONS[type(operation)], others[0][1].code, self.variable)
                return found[0], [*found[1], *map(self.changed, others[1:])]
        full = [k for k, (_, part) in enumerate(chain) if self.fits(part)]
        if not full:
            return None
        operation, second = chain.pop(max(full[0], 1))
        code, _ = self.first(OPERATIONS[type(operation)], chain[0][1], second)
        return code, [self.changed(step) for step in chain[1:]]

    def changed(self, step: tuple[ast.operator, Expr]) -> ast.stmt:
        return ast.AugAssign(self.variable, step[0], step[1].code)


def _operands(whole: Expr) -> list[tuple[ast.operator, Expr]]:
    """The terms of a sum or the factors of a product, with the sign before each; the first has the usual one."""
    assert isinstance(whole.code, ast.BinOp)
    left, right = whole.parts
    usual, other = (ast.Add, ast.Sub) if isinstance(whole.code.op, (ast.Add, ast.Sub)) else (ast.Mult, ast.Div)
    same = isinstance(left.code, ast.BinOp) and isinstance(left.code.op, (usual, other)) and bool(left.parts)
    return [*(_operands(left) if same else [(usual(), left)]), (whole.code.op, right)]
