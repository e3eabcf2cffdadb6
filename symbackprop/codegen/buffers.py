"""-O2: a pass over the lines of a block has values written into arrays that are used again.

Z = X @ W + b becomes ``Z = kept["Z"] = np.matmul(X, W, out=kept.get("Z"))``, ``Z += b``: the first step takes the
buffer, the others work on it. ``kept`` is the table of those arrays by variable; without a workspace it is empty, and
NumPy allocates.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import frexp

from symbackprop.codegen.tree import (
    Code,
    Expr,
    Line,
    as_code,
    assign,
    attribute,
    call,
    index,
    joined,
    method,
    name,
    operands,
)
from symbackprop.core.graph import FLOAT
from symbackprop.core.shapes import Shape, same_shape

FUNCTIONS = {"exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tanh", "maximum", "minimum"}
OPERATIONS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
KEPT = "kept"  # what a module calls the table of those arrays
REDUCTIONS, VIEWS = {"sum", "max"}, {"reshape", "transpose"}  # methods: the first take out=


def reuse(lines: Iterable[Line], lasting: Collection[str]) -> list[Line]:
    """The lines with their values in arrays of the workspace. What a loop carries on (``lasting``) gets an array of its
    own in every step: the next one still reads it. What is stored is computed where it is stored."""
    lines = list(lines)
    places = {line.stored: line.code.targets[0] for line in lines if line.stored and isinstance(line.code, ast.Assign)}
    found, done = list[Line](), set[str]()
    for line in lines:
        if line.stored in done:
            continue
        place = places.get(line.first)
        steps = _steps(line, lasting, place)
        done |= {line.first} if steps and place is not None else set()
        first, *rest = steps or [line.code]
        found += [Line(first, line.comment, line.depth, left=line.left), *[Line(s, "", line.depth) for s in rest]]
    return found


def _steps(line: Line, lasting: Collection[str], place: Code | None) -> list[ast.stmt]:
    """The statements that compute a line's array in its place, else in the workspace; none where that cannot be."""
    word, value = line.first, line.value
    if value is None or not value.shape or not word or (word in lasting and place is None):
        return []
    if place is not None:
        return InPlace(name(word), value.shape, place).steps(value)
    match line.code, value.code:
        case ast.Assign(targets=[ast.Tuple()] as targets), ast.Call() as whole:
            return _together(targets, whole, [part.code for part in value.parts])
        case _, ast.Call(func=ast.Attribute(attr="empty"), args=args):
            return [assign(word, call("stack", name(KEPT), word, *args))]
    return InPlace(name(word), value.shape, method(name(KEPT), "get", word), (index(KEPT, word),)).steps(value)


def _together(targets: Sequence[Code], whole: ast.Call, arrays: Sequence[Code]) -> list[ast.stmt]:
    """p, total = softmax_logsumexp(…), of which some get arrays of the workspace."""
    words = [array.id for array in arrays if isinstance(array, ast.Name)]
    pairs = [method(name(KEPT), "get", w) for w in words], [index(KEPT, w) for w in words], arrays
    buffer, place, made = [part[0] if len(words) == 1 else as_code(tuple(part)) for part in pairs]
    return [assign(targets, _into(whole, buffer)), assign([place], made)]


def _into(code: ast.Call, buffer: Code) -> Code:
    """A call that writes into an array, if there is one."""
    return call(code.func, *code.args, **{k.arg or "": k.value for k in code.keywords}, out=buffer)


def _multiplied(operation: ast.operator, part: Expr) -> tuple[ast.operator, Expr]:
    """x / 2^k as x · 2^−k, which is the same float and takes less than half the time."""
    match operation, part.code:
        case ast.Div(), ast.Constant(value=int() | float() as n) if 1 < n < 2**100 and frexp(n)[0] == 0.5:
            return ast.Mult(), replace(part, code=as_code(1 / n))
    return operation, part


def is_diagonal(code: Code) -> bool:
    """Whether a call of einsum only has another look at an array: nothing of it is summed."""
    match code:
        case ast.Call(func=ast.Attribute(attr="einsum"), args=[ast.Constant(value=str(pattern)), _]):
            letters, out = pattern.split("->")
            return {*letters} == {*out}
    return False


@dataclass(frozen=True)
class InPlace:
    """Computes an expression into one array, a variable's, step by step; the first takes the ``buffer``. An array that
    the workspace has ``kept`` may have another shape, of which the variable is a view then."""

    variable: ast.Name
    shape: Shape
    buffer: Code
    kept: tuple[Code, ...] = ()

    def fits(self, part: Expr) -> bool:
        """Whether a part is an array of floats of the whole shape."""
        return part.kind == FLOAT and same_shape(part.shape, self.shape)

    def steps(self, whole: Expr) -> list[ast.stmt]:
        """How an expression of the whole shape is computed; none for variables, views and what takes no buffer."""
        match whole.code:
            case _ if not self.fits(whole) or is_diagonal(whole.code):
                return []
            case ast.Call(func=ast.Attribute(attr=word), keywords=axes) if word in (REDUCTIONS if axes else {"einsum"}):
                return self.begun(whole.code)
            case _ if not whole.parts:
                return []
            case ast.BinOp(op=ast.MatMult()):
                return self.first("matmul", *whole.parts)
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=2)):
                return self.function("square", *whole.parts[:1])
            case ast.BinOp(op=operation) if type(operation) in OPERATIONS:
                return self.arithmetic([_multiplied(*link) for link in operands(whole)])
            case ast.UnaryOp():
                return self.function("negative", *whole.parts)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=word)) if word in FUNCTIONS:
                return self.function(word, *whole.parts)
            case ast.Call(func=ast.Attribute(attr="copy")):
                return self.first("positive", *whole.parts)
            case ast.Call(func=ast.Attribute(attr=word), args=args) if word in VIEWS and self.kept:
                inner = replace(self, shape=whole.parts[0].shape).steps(whole.parts[0])  # and then looked at otherwise
                return inner and [*inner, assign(self.variable.id, method(self.variable, word, *args))]
        return []

    def begun(self, code: ast.Call) -> list[ast.stmt]:
        return [assign([self.variable, *self.kept], _into(code, self.buffer))]

    def first(self, word: str, *parts: Expr) -> list[ast.stmt]:
        return self.begun(call(attribute("np", word), *[p.code for p in parts]))

    def then(self, steps: Sequence[ast.stmt], word: str, *codes: Code) -> list[ast.stmt]:
        """The steps, then a function written back into the array."""
        return [*steps, ast.Expr(call(attribute("np", word), *codes, out=self.variable))]

    def function(self, word: str, *parts: Expr) -> list[ast.stmt]:
        if inner := self.steps(parts[0]):
            return self.then(inner, word, self.variable, *[p.code for p in parts[1:]])
        return self.first(word, *parts) if any(map(self.fits, parts)) else []

    def arithmetic(self, chain: list[tuple[ast.operator, Expr]]) -> list[ast.stmt]:
        """The first operand that is computed in place takes the buffer, else two of which one has the whole shape; the
        others are combined with it one by one."""
        while len(chain) > 2 and not any(same_shape(part.shape, self.shape) for _, part in chain[:2]):
            (sign, left), (then, right), *rest = chain  # 1 / s * (a − b) as (1 / s) * (a − b)
            chain = [(sign, joined(left, type(then), right)), *rest]
        for k, (sign, part) in enumerate(chain):
            if found := self.steps(part):
                rest = chain[:k] + chain[k + 1 :]
                if not isinstance(sign, (ast.Add, ast.Mult)):
                    found = self.then(found, OPERATIONS[type(sign)], rest.pop(0)[1].code, self.variable)
                return [*found, *self.changed(rest)]
        for k, (_, part) in enumerate(chain):
            if self.fits(part):
                how, second = chain.pop(max(k, 1))
                return [*self.first(OPERATIONS[type(how)], chain[0][1], second), *self.changed(chain[1:])]
        return []

    def changed(self, chain: Iterable[tuple[ast.operator, Expr]]) -> list[ast.stmt]:
        return [ast.AugAssign(self.variable, operation, part.code) for operation, part in chain]
