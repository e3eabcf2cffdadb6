"""-O2: a pass over the lines of a block, after which values are written into arrays that are used again.

Z = X @ W + b becomes ``Z = w["Z"] = np.matmul(X, W, out=w.get("Z"))``, ``Z += b``: the first step takes the buffer, the
others work on it. ``w`` is the table of those arrays by variable; without a workspace it is empty, and NumPy allocates.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

from symbackprop.codegen.tree import Code, Expr, Line, assign, attribute, call, index, method, name, operands
from symbackprop.core.graph import FLOAT
from symbackprop.core.shapes import same_shape

FUNCTIONS = {"exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tanh", "maximum", "minimum"}
OPERATIONS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
REDUCTIONS, VIEWS = {"sum", "max"}, {"reshape", "transpose"}  # methods: the first take out=
Steps: TypeAlias = tuple[Code, list[ast.stmt]]  # what takes the buffer, and what is done to the array then


def reuse(lines: Iterable[Line], lasting: Collection[str] = ()) -> list[Line]:
    """The lines with their values in arrays of the workspace. What a loop carries on (``lasting``) gets an array of its
    own in every step: the next one still reads it."""
    found = []
    for line in lines:
        steps = _steps(line.code, line.value, lasting) or [line.code]
        found.append(Line(steps[0], line.comment, line.depth))
        found += [Line(step, "", line.depth) for step in steps[1:]]
    return found


def _steps(code: ast.stmt, value: Expr | None, lasting: Collection[str]) -> list[ast.stmt]:
    """The statements that give a variable its value in its buffer; none where it cannot be put there."""
    target = code.targets[0] if isinstance(code, ast.Assign) else None
    first = target.elts[0] if isinstance(target, ast.Tuple) else target
    if value is None or not value.shape or not isinstance(first, ast.Name) or first.id in lasting:
        return []
    kept, after = index("w", first.id), list[ast.stmt]()
    match value.code:
        case ast.Call() as whole if isinstance(target, ast.Tuple):  # p, s = softmax_logsumexp(…)
            return [assign([target], _into(whole, first)), assign([kept], first)]
        case ast.Call(func=ast.Attribute(attr="empty"), args=args):
            return [assign(first.id, call("stack", name("w"), first.id, *args))]
        case ast.Call(func=ast.Attribute(attr=word), args=args) if word in VIEWS and value.parts:
            value, after = value.parts[0], [assign(first.id, method(first, word, *args))]
    found = InPlace(first, value).steps(value)
    return [] if found is None else [assign([first, kept], found[0]), *found[1], *after]


def _into(code: ast.Call, variable: ast.Name) -> Code:
    """A call that writes into the array of the workspace for a variable, if there is one."""
    return call(code.func, *code.args, **{k.arg or "": k.value for k in code.keywords},
                out=method(name("w"), "get", variable.id))


class InPlace:
    """Computes an expression into one array, a variable's, step by step."""

    def __init__(self, variable: ast.Name, whole: Expr) -> None:
        self.variable, self.shape = variable, whole.shape

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
                return self.function("square", whole.parts[:1])
            case ast.BinOp(op=operation) if whole.parts and type(operation) in OPERATIONS:
                return self.arithmetic(operands(whole))
            case ast.UnaryOp() if whole.parts:
                return self.function("negative", whole.parts)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=word)) if word in FUNCTIONS:
                return self.function(word, whole.parts)
            case ast.Call(func=ast.Attribute(attr="copy")) if whole.parts:
                return self.first("positive", *whole.parts)
            case ast.Call(func=ast.Attribute(attr=word), keywords=[_, *_]) as code if word in REDUCTIONS:
                return _into(code, self.variable), []
        return None

    def first(self, word: str, *parts: Expr) -> Steps:
        return _into(call(attribute("np", word), *[p.code for p in parts]), self.variable), []

    def then(self, steps: Steps, word: str, *codes: Code) -> Steps:
        """The steps, then a function written back into the array."""
        return steps[0], [*steps[1], ast.Expr(call(attribute("np", word), *codes, out=self.variable))]

    def function(self, word: str, parts: Sequence[Expr]) -> Steps | None:
        inner = self.steps(parts[0])
        if inner is not None:
            return self.then(inner, word, self.variable, *[p.code for p in parts[1:]])
        return self.first(word, *parts) if any(map(self.fits, parts)) else None

    def arithmetic(self, chain: list[tuple[ast.operator, Expr]]) -> Steps | None:
        """The first operand that is computed in place takes the buffer, else two of which one has the whole shape; the
        others are combined with it one by one."""
        for k, (operation, part) in enumerate(chain):
            found = self.steps(part)
            if found is not None:
                rest = chain[:k] + chain[k + 1 :]
                if not isinstance(operation, (ast.Add, ast.Mult)):
                    found = self.then(found, OPERATIONS[type(operation)], rest.pop(0)[1].code, self.variable)
                return found[0], [*found[1], *self.changed(rest)]
        for k, (_, part) in enumerate(chain):
            if self.fits(part):
                operation, second = chain.pop(max(k, 1))
                return self.first(OPERATIONS[type(operation)], chain[0][1], second)[0], self.changed(chain[1:])
        return None

    def changed(self, rest: Iterable[tuple[ast.operator, Expr]]) -> list[ast.stmt]:
        return [ast.AugAssign(self.variable, operation, part.code) for operation, part in rest]
