"""Mistakes put into the backward function of a module, one at a time: what a slip of the pen makes of a gradient."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple


class Slip(NamedTuple):
    """One mistake: the statement that has it and its wrong right side."""

    statement: ast.Assign | ast.AugAssign
    wrong: ast.expr

    def __str__(self) -> str:
        return f"{ast.unparse(self.statement)}  ->  {ast.unparse(self.wrong)}"


class Slips:
    """Every mistake in the backward function of a module, loops included."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        backward = next(n for n in self.tree.body if isinstance(n, ast.FunctionDef) and n.name == "backward")
        cached = _cached_names(backward)
        statements = [n for n in ast.walk(backward) if isinstance(n, (ast.Assign, ast.AugAssign)) and _computes(n)]
        self.all = [Slip(s, wrong) for s in statements for wrong in _wrong_values(s.value, cached, _masks(backward))]

    def module(self, slip: Slip) -> str:
        """The module with one mistake in it."""
        right, slip.statement.value = slip.statement.value, ast.fix_missing_locations(slip.wrong)
        text = ast.unparse(self.tree)
        slip.statement.value = right
        return text


def _computes(statement: ast.Assign | ast.AugAssign) -> bool:
    """Whether a statement computes a gradient: not a read of the cache, not the collecting of the results, no start of
    a sum from zero, not the marking of the largest entries (whose shares are divided by their sum)."""
    text = ast.unparse(statement.value)
    fixed = text.startswith(("np.arange(", "np.zeros(", "np.empty(")) or isinstance(statement.value, ast.Compare)
    return not isinstance(statement.value, ast.Dict) and "cache[" not in text and not fixed


def _cached_names(backward: ast.FunctionDef) -> set[str]:
    reads = [s for s in backward.body if isinstance(s, ast.Assign) and ast.unparse(s.value).startswith("cache[")]
    return {n.id for s in reads for t in s.targets for n in ast.walk(t) if isinstance(n, ast.Name)}


def _wrong_values(value: ast.expr, cached: set[str], masks: set[str]) -> Iterator[ast.expr]:
    for wrong in ("-({})", "2 * ({})", "({}) / 2"):
        yield ast.parse(wrong.format(ast.unparse(value)), mode="eval").body
    rules = (
        _other_sign,
        partial(_left_only, masks=masks),
        _right_only,
        _no_transpose,
        _no_minus,
        _mean,
        _no_sum,
        _no_square,
    )
    for number in range(len(list(ast.walk(value)))):
        for rule in rules:
            changed = _apply(value, number, rule)
            if changed is not None:
                yield changed


def _apply(value: ast.expr, number: int, rule: Callable[[ast.AST], ast.expr | None]) -> ast.expr | None:
    """The expression with its number-th node replaced by what a rule makes of it; None where it does not apply."""
    changed = copy.deepcopy(value)
    node = list(ast.walk(changed))[number]
    new = rule(node)
    if new is None or node is changed:
        return new
    for parent in ast.walk(changed):
        for name, child in ast.iter_fields(parent):
            if child is node:
                setattr(parent, name, new)
            elif isinstance(child, list) and any(c is node for c in child):
                child[:] = [new if c is node else c for c in child]
    return changed


def _other_sign(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    return None


def _left_only(node: ast.AST, masks: set[str]) -> ast.expr | None:
    """A term, a factor or a divisor forgotten."""
    dropped = (ast.Add, ast.Sub, ast.Mult, ast.Div)
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, dropped):
        return None
    return None if _is_no_mistake(node.right, masks) else node.left


def _masks(backward: ast.FunctionDef) -> set[str]:
    """Names of comparisons of places."""
    assigned = [n for n in ast.walk(backward) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Compare)]
    return {ast.unparse(n.targets[0]) for n in assigned if "np.arange" in ast.unparse(n.value)}


def _is_no_mistake(dropped: ast.expr, masks: set[str]) -> bool:
    """A count of ties is 1 beside the kink; behind a softmax, a causal mask blanks what is zero already; an eps of 1e-8
    is smaller than the tolerance."""
    text = ast.unparse(dropped)
    causal = text in masks or (isinstance(dropped, ast.Compare) and "np.arange" in text)
    return causal or ".astype(dtype)" in text or text == "eps"


def _right_only(node: ast.AST) -> ast.expr | None:
    return node.right if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)) else None


def _no_transpose(node: ast.AST) -> ast.expr | None:
    return node.value if isinstance(node, ast.Attribute) and node.attr == "T" else None


def _no_minus(node: ast.AST) -> ast.expr | None:
    minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    return None if not minus or isinstance(node.operand, ast.Constant) else node.operand  # not -1 for the last axis


def _is_sum(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sum"


def _mean(node: ast.AST) -> ast.expr | None:
    """1/N too often."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not _is_sum(node):
        return None
    return ast.Call(ast.Attribute(node.func.value, "mean", ast.Load()), node.args, node.keywords)


def _no_sum(node: ast.AST) -> ast.expr | None:
    """What is summed by np.sum(a, …) or a.sum(…)."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not _is_sum(node):
        return None
    return node.args[0] if ast.unparse(node.func.value) == "np" else node.func.value


def _no_square(node: ast.AST) -> ast.expr | None:
    return node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) else None


def _stale(node: ast.AST, cached: set[str]) -> ast.expr | None:
    """The value of the step before: h1 for h2."""
    found = re.fullmatch(r"(\D+)(\d+)", node.id) if isinstance(node, ast.Name) else None
    if found is None or f"{found[1]}{int(found[2]) - 1}" not in cached:
        return None
    return ast.Name(f"{found[1]}{int(found[2]) - 1}", ast.Load())
