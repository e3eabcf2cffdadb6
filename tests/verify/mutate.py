"""Mistakes put into the backward function of a module, one at a time: what a slip of the pen makes of a gradient."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Mutant(NamedTuple):
    """A module with one mistake, and the line that has it, before and after."""

    source: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}  ->  {self.after}"


def mutants(source: str) -> Iterator[Mutant]:
    """Every module that has one mistake in its backward function."""
    tree = ast.parse(source)
    backward = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "backward")
    cached = _cached_names(backward)
    for place, statement in enumerate(backward.body):
        if not _computes(statement):
            continue
        for changed in _changed_statements(statement, cached):
            body = [*backward.body]
            body[place] = ast.fix_missing_locations(changed)
            mutated = copy.copy(backward)
            mutated.body = body
            module = ast.Module([mutated if n is backward else n for n in tree.body], [])
            yield Mutant(ast.unparse(module), ast.unparse(statement), ast.unparse(changed))


def _computes(statement: ast.stmt) -> bool:
    """Whether a statement computes a gradient: not a read of the cache, not the collecting of the results."""
    if not isinstance(statement, (ast.Assign, ast.AugAssign)):
        return False
    text = ast.unparse(statement.value)
    return not isinstance(statement.value, ast.Dict) and "cache[" not in text and not text.startswith("np.arange(")


def _cached_names(backward: ast.FunctionDef) -> set[str]:
    reads = [s for s in backward.body if isinstance(s, ast.Assign) and ast.unparse(s.value).startswith("cache[")]
    return {n.id for s in reads for t in s.targets for n in ast.walk(t) if isinstance(n, ast.Name)}


def _changed_statements(statement: Any, cached: set[str]) -> Iterator[ast.stmt]:
    for wrong in ("-({})", "2 * ({})", "({}) / 2"):
        yield _with_value(statement, ast.parse(wrong.format(ast.unparse(statement.value)), mode="eval").body)
    count = len(list(ast.walk(statement.value)))
    for number in range(count):
        for rule in (_other_sign, _left_only, _right_only, _no_transpose, _no_minus, _mean, _no_sum, _no_square):
            changed = _apply(statement, number, rule)
            if changed is not None:
                yield changed
        changed = _apply(statement, number, lambda node: _stale(node, cached))
        if changed is not None:
            yield changed


def _with_value(statement: Any, value: ast.expr) -> ast.stmt:
    changed = copy.copy(statement)
    changed.value = value
    return changed  # type: ignore[no-any-return]


def _apply(statement: Any, number: int, rule: Callable[[ast.AST], ast.expr | None]) -> ast.stmt | None:
    """The statement with the number-th node of its value replaced by what a rule makes of it; None where it does not
    apply."""
    changed = copy.deepcopy(statement)
    node = list(ast.walk(changed.value))[number]
    new = rule(node)
    if new is None:
        return None
    if node is changed.value:
        changed.value = new
        return changed  # type: ignore[no-any-return]
    for parent in ast.walk(changed.value):
        for name, child in ast.iter_fields(parent):
            if child is node:
                setattr(parent, name, new)
            elif isinstance(child, list) and any(c is node for c in child):
                child[:] = [new if c is node else c for c in child]
    return changed  # type: ignore[no-any-return]


def _other_sign(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    return None


def _left_only(node: ast.AST) -> ast.expr | None:
    """A term, a factor or a divisor forgotten."""
    dropped = (ast.Add, ast.Sub, ast.Mult, ast.Div)
    return node.left if isinstance(node, ast.BinOp) and isinstance(node.op, dropped) else None


def _right_only(node: ast.AST) -> ast.expr | None:
    return node.right if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)) else None


def _no_transpose(node: ast.AST) -> ast.expr | None:
    return node.value if isinstance(node, ast.Attribute) and node.attr == "T" else None


def _no_minus(node: ast.AST) -> ast.expr | None:
    return node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else None


def _is_sum(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "np.sum"


def _mean(node: ast.AST) -> ast.expr | None:
    """1/N too often."""
    if not isinstance(node, ast.Call) or not _is_sum(node):
        return None
    return ast.Call(ast.parse("np.mean", mode="eval").body, node.args, node.keywords)


def _no_sum(node: ast.AST) -> ast.expr | None:
    return node.args[0] if isinstance(node, ast.Call) and _is_sum(node) else None


def _no_square(node: ast.AST) -> ast.expr | None:
    return node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) else None


def _stale(node: ast.AST, cached: set[str]) -> ast.expr | None:
    """The value of the step before: h1 for h2."""
    found = re.fullmatch(r"(\D+)(\d+)", node.id) if isinstance(node, ast.Name) else None
    if found is None or f"{found[1]}{int(found[2]) - 1}" not in cached:
        return None
    return ast.Name(f"{found[1]}{int(found[2]) - 1}", ast.Load())
