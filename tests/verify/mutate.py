"""Mutants of a module: mistakes put into its syntax tree, one at a time.

Every rule stands in `RULES` and makes of one node what a slip would: another operator, constant, comparison, axis,
index or array, arguments swapped, a term, a statement, a keyword, a copy or a guard left out. What a message says is no
result: inside ``raise`` and formatted strings, in docstrings and in what only makes messages, nothing is changed. Nor
is what gives the same by its meaning: operands of a maximum, a sum or a product in another order, a slice that begins
at 0 without saying so, a multiple of memory that is 0 or not filled yet, a result that is not put into a workspace.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from functools import cache
from types import CodeType
from typing import Any

MESSAGES = {"misfit", "nearest"}  # functions that make nothing but messages
NAMES = {"NAME", "MODEL", "OPTIMIZER"}  # constants that say what is meant: another one is another module
SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.Mod: (ast.FloorDiv,),
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.And: (ast.Or,), ast.Or: (ast.And,),
}
COMMUTE = {"maximum", "minimum", "add", "multiply"}
BLANK = {"zeros", "empty", "zeros_like", "empty_like", "stack"}  # the last is a helper: memory of a workspace
OTHERS = {  # functions and methods that are taken for each other
    "sum": "mean", "mean": "sum", "max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum",
    "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "exp": "expm1", "expm1": "exp", "log": "log1p",
    "log1p": "log", "sin": "cos", "cos": "sin", "add": "subtract", "subtract": "add", "multiply": "divide",
    "divide": "multiply", "sqrt": "square", "square": "sqrt", "tanh": "sinh", "all": "any", "any": "all",
    "float32": "float64", "argmax": "argmin", "argmin": "argmax",
}


@dataclass(frozen=True)
class Mutant:
    """One mistake: the rule that made it, the function or constant and the line it is in, what it changes. ``form`` is
    the statement without its names, ``at`` its line: statements of one form compute alike."""

    rule: str
    place: str
    line: int
    form: str
    at: int
    before: str
    after: str
    owner: ast.stmt
    parent: Any
    field: str
    number: int | None
    new: ast.AST

    def __str__(self) -> str:
        return f"{self.place}, line {self.line}: {self.before}  ->  {self.after}"


Change = tuple[str, ast.AST]
Rule = Callable[[Any, "Scope"], Iterator[ast.AST]]


@dataclass(frozen=True)
class Scope:
    """Where a node stands: the names assigned in its function, in order, the strings of its statement or dict, and
    whether the value of its statement is ``kept``."""

    names: Sequence[str]
    strings: Sequence[str]
    kept: bool = True


class Mutants:
    """The mutants of the text of a module: of the functions and constants called as in ``of``, but for statements whose
    text is among ``known``."""

    def __init__(self, source: str, of: Container[str], known: Container[str] = ()) -> None:
        self.tree = ast.parse(source)
        places = [(name, n) for n in self.tree.body if (name := name_of(n)) in of and name not in MESSAGES | NAMES]
        self.all = [m for name, statement in places for m in _of_place(name, statement, known)]

    @contextmanager
    def put(self, mutant: Mutant) -> Iterator[None]:
        """One mistake in the tree, for the time of the block."""
        old = getattr(mutant.parent, mutant.field)
        if mutant.number is None:
            setattr(mutant.parent, mutant.field, mutant.new)
        else:
            old = list(old)
            getattr(mutant.parent, mutant.field)[mutant.number] = mutant.new
        ast.fix_missing_locations(mutant.owner)
        yield
        if mutant.number is None:
            setattr(mutant.parent, mutant.field, old)
        else:
            getattr(mutant.parent, mutant.field)[:] = old

    def code(self, mutant: Mutant | None = None) -> CodeType:
        """The module, compiled; of a mutant only the function or constant that has the mistake."""
        if mutant is None:
            return compile(self.tree, "mutant.py", "exec")
        with self.put(mutant):
            return compile(ast.Module([mutant.owner], []), "mutant.py", "exec")


def name_of(statement: ast.stmt) -> str:
    """The name of a function or a constant of a module."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _of_place(name: str, place: ast.stmt, known: Container[str]) -> Iterator[Mutant]:
    stored = [n.id for n in ast.walk(place) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    arguments = [a.arg for a in place.args.args] if isinstance(place, ast.FunctionDef) else []
    names = tuple(dict.fromkeys([*arguments, *stored]))
    strings = tuple(dict.fromkeys(n.value for n in ast.walk(place) if _is_text(n)))
    scope = Scope(names, strings)
    seen: set[tuple[int, str]] = set()
    if isinstance(place, ast.Assign):
        yield from _statement(name, place, place, Scope((), strings), seen)
        yield _mutant("statement left out", name, place, place, place, "value", None, ast.Constant(None))
        return
    for statement in _statements(place):
        if ast.unparse(statement) not in known:
            own = replace(scope, kept=not isinstance(statement, ast.Expr))
            yield from _statement(name, place, statement, own, seen)
    for parent in ast.walk(place):
        for field in ("body", "orelse", "handlers"):
            children = getattr(parent, field, None)
            for number, child in enumerate(children if isinstance(children, list) else []):
                if isinstance(child, ast.stmt) and not _is_docstring(child) and ast.unparse(child) not in known:
                    yield _mutant("statement left out", name, place, child, parent, field, number, ast.Pass())


def _statements(place: ast.AST) -> Iterator[Any]:
    """The statements of a function, those inside others too, and its arguments."""
    for node in ast.walk(place):
        if isinstance(node, ast.stmt) and node is not place and not _is_docstring(node):
            yield node
    if isinstance(place, ast.FunctionDef) and place.args.defaults:
        yield place.args  # their defaults


def _statement(name: str, place: ast.stmt, statement: Any, scope: Scope, seen: set[tuple[int, str]]
               ) -> Iterator[Mutant]:
    """The mutants inside one statement, without those of the statements in it."""
    for parent, field, number, node in _places(statement):
        for rule, change in RULES.items():
            for new in change(node, scope):
                text = ast.unparse(new) if isinstance(new, ast.expr) else type(new).__name__
                if (id(node), text) not in seen:
                    seen.add((id(node), text))
                    yield _mutant(rule, name, place, statement, parent, field, number, new)
    for rule, change in OWN_RULES.items():
        for field, new_value in change(statement):
            yield _mutant(rule, name, place, statement, statement, field, None, new_value)


def _mutant(rule: str, name: str, place: ast.stmt, statement: Any, parent: Any, field: str, number: int | None,
            new: Any) -> Mutant:
    old = getattr(parent, field) if number is None else getattr(parent, field)[number]
    before = _shown(old) if not isinstance(old, (ast.operator, ast.cmpop, ast.boolop)) else _shown(parent)
    line = getattr(old, "lineno", getattr(parent, "lineno", getattr(statement, "lineno", place.lineno)))
    form, at = form_of(statement), getattr(statement, "lineno", place.lineno)
    return Mutant(rule, name, line, form, at, before, _shown(new), place, parent, field, number, new)


class _Nameless(ast.NodeTransformer):
    """Numbers arrays and strings as they come; functions keep their names."""

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}

    def visit_Call(self, node: ast.Call) -> ast.Call:
        func = node.func if isinstance(node.func, ast.Name) else self.visit(node.func)
        return ast.Call(func, [self.visit(a) for a in node.args], [self.visit(k) for k in node.keywords])

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return node if _is_numpy(node) else ast.Name(self.numbers.setdefault(node.id, f"v{len(self.numbers)}"))

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(self.numbers.setdefault(node.value, f"v{len(self.numbers)}")) if _is_text(node) else node


@cache
def form_of(statement: Any) -> str:
    """A statement, without those in it, with other names."""
    alone = copy(statement)
    for field in ("body", "orelse", "handlers", "finalbody"):
        if isinstance(getattr(alone, field, None), list):
            setattr(alone, field, [])
    return ast.unparse(_Nameless().visit(deepcopy(alone)))


def _shown(node: Any) -> str:
    if isinstance(node, (ast.operator, ast.cmpop, ast.boolop)):
        return f"by {type(node).__name__}"
    text = " ".join(ast.unparse(node).split())
    return text if len(text) < 100 else f"{text[:60]} … {text[-30:]}"


def _places(statement: ast.AST) -> Iterator[tuple[Any, str, int | None, ast.AST]]:
    """(parent, field, number, node) of everything in a statement but statements and what messages say."""
    stack: list[ast.AST] = [statement]
    while stack:
        parent = stack.pop()
        if isinstance(parent, (ast.Raise, ast.JoinedStr, ast.Lambda)):
            continue
        for field, value in ast.iter_fields(parent):
            for number, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, (ast.expr, ast.operator, ast.cmpop, ast.boolop, ast.keyword, ast.comprehension)):
                    yield parent, field, number, node
                    stack.append(node)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_docstring(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Expr) and _is_text(statement.value)


# -- the rules: what may stand in the place of a node
def _operators(node: Any, scope: Scope) -> Iterator[ast.AST]:
    yield from [other() for other in SWAPS.get(type(node), ())]


def _dropped(node: Any, scope: Scope) -> Iterator[ast.AST]:
    """A term, a factor, a divisor, a sign, an operand of and, or."""
    if isinstance(node, ast.BinOp):
        yield node.left
        if isinstance(node.op, (ast.Add, ast.Mult, ast.MatMult)):
            yield node.right
        if isinstance(node.op, ast.Sub):
            yield ast.UnaryOp(ast.USub(), node.right)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)


def _negated(node: Any, scope: Scope) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield from (ast.Constant(True), ast.Constant(False))


def _swapped(node: Any, scope: Scope) -> Iterator[ast.AST]:
    """Operands, arguments, entries of tuples in another order."""
    if isinstance(node, ast.BinOp) and not isinstance(node.op, (ast.Add, ast.Mult)):
        yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.Call):
        pairs = list(_pairs(node.args))[_called(node) in COMMUTE :]
        yield from [ast.Call(node.func, args, node.keywords) for args in pairs]
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        yield from [ast.Tuple(entries, node.ctx) for entries in _pairs(node.elts)]
    elif isinstance(node, ast.Dict):
        yield from [ast.Dict(node.keys, values) for values in _pairs(node.values)]


def _called(node: Any) -> str:
    """The name of a function or method that is called; nothing where there is none."""
    func = node.func if isinstance(node, ast.Call) else None
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _pairs(items: Sequence[ast.expr]) -> Iterator[list[ast.expr]]:
    for k in range(len(items) - 1):
        if ast.dump(items[k]) != ast.dump(items[k + 1]) and not isinstance(items[k], ast.Starred):
            yield [*items[:k], items[k + 1], items[k], *items[k + 2 :]]


def _constants(node: Any, scope: Scope) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield from (ast.Constant(node.value + 1), ast.Constant(node.value - 1))
    elif isinstance(node.value, float):
        yield from (ast.Constant(2 * node.value), ast.Constant(-node.value), ast.Constant(0.0))
    elif isinstance(node.value, str) and node.value in scope.strings:
        at = scope.strings.index(node.value)
        yield from [ast.Constant(s) for s in (*scope.strings[at + 1 :], *scope.strings[:at])[:1]]
    elif node.value is None:
        yield ast.Constant(0)


def _arrays(node: Any, scope: Scope) -> Iterator[ast.AST]:
    """Another variable of the function: the next and the one before."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in scope.names:
        at = scope.names.index(node.id)
        near = [scope.names[at - 1], scope.names[(at + 1) % len(scope.names)]]
        yield from [ast.Name(n, ast.Load()) for n in dict.fromkeys(near) if n != node.id]


def _calls(node: Any, scope: Scope) -> Iterator[ast.AST]:
    """A function left out, taken for another, without one of its keywords or arguments."""
    if not isinstance(node, ast.Call):
        return
    method = isinstance(node.func, ast.Attribute) and not _is_numpy(node.func.value)
    if method:
        yield node.func.value  # type: ignore[attr-defined]
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]
    for k, keyword in enumerate(node.keywords):
        if keyword.arg not in ("out", "workspace") or not scope.kept:
            yield ast.Call(node.func, node.args, [*node.keywords[:k], *node.keywords[k + 1 :]])
    for k in range(1, len(node.args)):
        yield ast.Call(node.func, [*node.args[:k], *node.args[k + 1 :]], node.keywords)
    if isinstance(node.func, ast.Name) and node.func.id == "range" and len(node.args) == 1:
        less = ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1))
        yield from (ast.Call(node.func, [less], []), ast.Call(node.func, [ast.Constant(1), node.args[0]], []))


def _is_numpy(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "np"


def _attributes(node: Any, scope: Scope) -> Iterator[ast.AST]:
    """A transpose left out, a function taken for another."""
    if isinstance(node, ast.Attribute):
        if node.attr == "T":
            yield node.value
        if node.attr in OTHERS:
            yield ast.Attribute(node.value, OTHERS[node.attr], node.ctx)


def _indices(node: Any, scope: Scope) -> Iterator[ast.AST]:
    """An index or slice left out or moved by one, an entry of a tuple left out."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield node.value
        if isinstance(node.slice, (ast.Name, ast.BinOp)):
            for op in (ast.Add, ast.Sub):
                yield ast.Subscript(node.value, ast.BinOp(node.slice, op(), ast.Constant(1)), node.ctx)
    elif isinstance(node, ast.Slice):
        for name in ("lower", "upper", "step"):
            if getattr(node, name) is not None and (name != "lower" or ast.unparse(node.lower) != "0"):
                yield ast.Slice(**{f: getattr(node, f) for f in node._fields} | {name: None})
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield from [ast.Tuple([*node.elts[:k], *node.elts[k + 1 :]], node.ctx) for k in range(len(node.elts))]
    elif isinstance(node, ast.Dict):
        for k in range(len(node.keys)):
            yield ast.Dict([*node.keys[:k], *node.keys[k + 1 :]], [*node.values[:k], *node.values[k + 1 :]])


RULES: dict[str, Rule] = {
    "operator or comparison": _operators,
    "term, factor or sign left out": _dropped,
    "condition that always holds or never": _negated,
    "order": _swapped,
    "constant, axis or name": _constants,
    "another array": _arrays,
    "call": _calls,
    "transpose or another function": _attributes,
    "index, slice or entry": _indices,
}


def _assigned(statement: ast.stmt) -> Iterator[Change]:
    """A sign, a factor, = where += belongs: of what an assignment computes."""
    value = getattr(statement, "value", None)
    if isinstance(statement, (ast.Assign, ast.AugAssign)) and _computes(value):
        yield "value", ast.UnaryOp(ast.USub(), value)
        yield "value", ast.BinOp(ast.Constant(2), ast.Mult(), value)


def _computes(value: Any) -> bool:
    plain = (ast.Dict, ast.Tuple, ast.Constant, ast.Name, ast.DictComp, ast.ListComp, ast.List, ast.Compare)
    read = isinstance(value, ast.Subscript) and _is_text(value.slice)
    return not isinstance(value, plain) and not read and _called(value) not in BLANK


def _guards(statement: ast.stmt) -> Iterator[Change]:
    if isinstance(statement, (ast.If, ast.While)):
        yield "test", ast.UnaryOp(ast.Not(), statement.test)
        if isinstance(statement, ast.If):
            yield from (("test", ast.Constant(True)), ("test", ast.Constant(False)))


OWN_RULES: dict[str, Callable[[ast.stmt], Iterator[Change]]] = {
    "sign or factor of a result": _assigned,
    "guard": _guards,
}
