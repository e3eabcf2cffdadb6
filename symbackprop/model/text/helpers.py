"""Functions that a pasted text defines for itself, ``def relu(x):``, ``f = lambda z: …`` and ``f(z) = …``: what they
return stands in the place of every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from symbackprop.model.text import tree
from symbackprop.model.text.expressions import expression, formula_of
from symbackprop.model.text.tokens import END, NAME, Cursor, Line, Token, ended, problem

RETURN = "return"  # the keyword and the name of what a helper gives back
MAX_NODES = 20_000


@dataclass(frozen=True)
class Head:
    """What a helper is called and takes, with what an argument is that is left out; and its value where the head has
    it."""

    line: int
    name: str
    parameters: Mapping[str, tree.Expr | None]
    value: tree.Expr | None


class Helpers:
    """The helpers of a text: functions that are defined in it and called further down."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines, self.depth = lines, 0
        self.known: dict[str, tuple[Head, tree.Expr]] = {}
        self.opened: list[str] = []
        self.assigned: dict[str, int] = {}

    @cached_property
    def last_call(self) -> Mapping[str, int]:
        """The last line on which a name is called."""
        return {a.text: k for k, line in enumerate(self.lines) for a, b in pairwise(line.tokens)
                if b.text == "(" and a.kind == NAME}

    def head(self, place: int) -> Head | None:
        """The head of the helper that begins on a line; None where none does."""
        line = self.lines[place]
        tokens, defines = line.tokens, line.tokens[0].text == "def"
        begins = defines or tokens[1].text == "(" or (tokens[1].text == "=" and tokens[2].text == "lambda")
        name = tokens[1] if defines else tokens[0]
        if not begins or name.kind != NAME or self.last_call.get(name.text, 0) <= place:
            return None
        if defines:
            return self._with_parameters(line, name, tokens[2:], ":")
        if tokens[1].is_sign("=") and tokens[2].text == "lambda":
            return self._with_value(line, name, tokens[3:], ":")
        return self._with_parameters(line, name, tokens[1:], "=") if tokens[1].is_sign("(") else None

    def _with_parameters(self, line: Line, name: Token, tokens: Sequence[Token], sign: str) -> Head | None:
        """The head whose parameters stand in brackets; what types they are is passed over."""
        end = next((k for k, token in enumerate(tokens) if token.is_sign(")")), 0)
        behind = next((k for k, token in enumerate(tokens) if k > end and token.is_sign(sign)), 0)
        if not end or not behind or (sign == "=" and behind != end + 1):
            return None
        rest = tokens[behind + 1 :]
        if rest[0].kind == END:
            value = None
        else:
            rest = rest[1:] if rest[0].text == RETURN else rest
            value = self.inlined(formula_of(tuple(rest)))
        parameters = _parameters(tokens[1:end])
        return None if parameters is None else Head(line.number, name.text, parameters, value)

    def _with_value(self, line: Line, name: Token, tokens: Sequence[Token], sign: str) -> Head | None:
        end = next((k for k, token in enumerate(tokens) if token.is_sign(sign)), len(tokens))
        parameters = _parameters(tokens[:end])
        if parameters is None or end == len(tokens):
            return None
        return Head(line.number, name.text, parameters, self.inlined(formula_of(tuple(tokens[end + 1 :]))))

    def take(self, head: Head, body: Sequence[tree.Statement]) -> Sequence[tree.Statement]:
        """Keep a helper, and say so. Raises a `SyntaxProblem` for one that is more than formulas."""
        found: dict[str, tree.Expr] = {}
        if any(isinstance(s, tree.Equation) and s.target.name == RETURN for s in body[:-1]):
            raise problem(f"{head.name} returns before its last line: `return …` stands there alone", head.line)
        for s in body:
            if isinstance(s, tree.Equation) and s.target.index is None:
                found[s.target.name] = tree.put(s.value, found)
            elif not isinstance(s, tree.Said):
                raise problem(f"{head.name} is more than formulas: write what it computes where it is called", s.line)
        value = head.value if head.value is not None else found.get(RETURN)
        if value is None:
            raise problem(f"{head.name} returns nothing: its last line is `return …`", head.line)
        self.known[head.name] = head, value
        return [tree.Said(head.line, f"what {head.name} returns stands in the place of each call of it")]

    def put(self, statement: tree.Statement) -> tree.Statement:
        """A statement with what helpers return in the place of their calls."""
        if not self.known or not isinstance(statement, tree.Equation):
            return statement
        statement = replace(statement, value=self.inlined(statement.value))
        if not self.depth:
            self.assigned[statement.target.name] = statement.line
        return statement

    def inlined(self, expr: tree.Expr) -> tree.Expr:
        """An expression with what helpers return in the place of their calls."""
        if not self.known:
            return expr
        expr = tree.changed(expr, self.inlined)
        if not isinstance(expr, tree.Call) or expr.function not in self.known:
            return expr
        head, value = self._now(expr)
        arguments, uses = _arguments(head, expr), [*tree.mentioned(value)]
        self._refuse_changed(head, [a for n, a in arguments.items() if a is head.parameters[n]], expr)
        if tree.count_nodes(value) + sum(uses.count(n) * tree.count_nodes(a) for n, a in arguments.items()) > MAX_NODES:
            raise problem(f"{head.name} is called within calls of it too often: give a part of them a name",
                          expr.place.line if expr.place else head.line)
        return replace(tree.put(value, arguments), place=expr.place)

    def _refuse_changed(self, head: Head, usual: Sequence[tree.Expr], call: tree.Call) -> None:
        """Refuse arguments that are left out where their names have other values by now: Python keeps the old ones."""
        names = [n for argument in usual for n in tree.mentioned(argument) if self.assigned.get(n, 0) > head.line]
        if names:
            raise problem(f"{names[0]} has another value than on line {head.line}, where {head.name} takes it for an "
                          "argument that is left out: give that", call.place.line if call.place else head.line)

    def _now(self, call: tree.Call) -> tuple[Head, tree.Expr]:
        """The helper that is called; what it calls itself is what has that name by now, as in Python."""
        head, value = self.known[call.function]
        if not any(isinstance(part, tree.Call) and part.function in self.known for part in tree.all_parts(value)):
            return head, value
        if head.name in self.opened:
            raise problem(f"{head.name} calls itself: write a loop, `for t in 1..T:`", head.line)
        self.opened.append(head.name)
        try:
            return head, self.inlined(value)
        finally:
            self.opened.pop()


def _arguments(head: Head, call: tree.Call) -> dict[str, tree.Expr]:
    """What a call gives the parameters. Raises a `SyntaxProblem` for too few, too many or others."""
    given = dict(zip(head.parameters, call.args, strict=False)) | dict(call.options)
    found = {name: given.get(name, usual) for name, usual in head.parameters.items()}
    arguments = {name: argument for name, argument in found.items() if argument is not None}
    fits = len(call.args) <= len(head.parameters) and given.keys() <= head.parameters.keys()
    if not fits or arguments.keys() != found.keys():
        raise problem(f"{head.name} is defined on line {head.line} with ({', '.join(head.parameters)})",
                      call.place.line if call.place else head.line, head.name, call.place)
    return arguments


def _parameters(tokens: Sequence[Token]) -> Mapping[str, tree.Expr | None] | None:
    """The parameters between brackets, with their defaults; None where they are something else."""
    found: dict[str, tree.Expr | None] = {}
    for part in _parts(tokens):
        typed = next((k for k, token in enumerate(part) if token.is_sign(":")), len(part))
        usual = next((k for k, token in enumerate(part) if token.is_sign("=")), len(part))
        if part[0].kind != NAME or min(typed, usual) != 1:
            return None
        found[part[0].text] = expression(Cursor(ended(part[usual + 1 :]))) if usual < len(part) else None
    return found


def _parts(tokens: Sequence[Token]) -> list[list[Token]]:
    """What stands between commas."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.is_sign(","):
            parts.append([])
        elif token.kind != END:
            parts[-1].append(token)
    return [part for part in parts if part]
