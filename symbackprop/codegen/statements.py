"""Statements as lines of a Python target, each with its equation and its shape as a comment."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.equations import Equation, shape_note
from symbackprop.codegen.program import Assign, Block, For, OneHot, Program, Softmax, Statement, Store
from symbackprop.codegen.reuse import reuse
from symbackprop.codegen.tree import Expr, Line, as_code, assign, attribute, call, index, method, name, statement, text
from symbackprop.core import formula as f
from symbackprop.core.facts import one_hot_index
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import Shape, same_shape

COPIED = "a copy, since every step reads it"


class Writer:
    """Writes the statements of one block. Loops are Python's, and arrays are changed in place where that is quicker: a
    target without either writes `loop` and `marked` anew."""

    copies = True  # whether one array could be changed through another's name

    def __init__(self, program: Program, block: Block, workspace: bool = False) -> None:
        self.program, self.block, self.workspace = program, block, workspace
        self.p: Arrays = program.target(block.names, program.level)
        spelled = {id_: text(e.code) for id_, e in block.names.items()}
        self.equation = Equation(spelled | program.written, program.expanded)
        results = program.loss or ", ".join(program.outputs)
        self.remarks = {
            program.gradients[n]: f"0: {results} does not depend on {n}"
            for n in program.unreached
            if n in program.gradients and block is program.backward
        }

    def lines(self) -> list[Line]:
        return self.finished(self.all(self.block.statements, 0))

    def finished(self, lines: Iterable[Line], lasting: Collection[str] = ()) -> list[Line]:
        """The lines as they are, or with the arrays of a workspace."""
        return reuse(lines, lasting) if self.workspace else list(lines)

    def all(self, statements: Iterable[Statement], depth: int) -> Iterator[Line]:
        for item in statements:
            match item:
                case For():
                    yield from self.loop(item, depth)
                case OneHot():
                    yield from self.one_hot(item, depth)
                case Softmax():
                    yield self.softmax(item, depth)
                case Assign():
                    yield self.assignment(item, depth)

    # -- one line each
    def assignment(self, item: Assign, depth: int) -> Line:
        value = self.right(item)
        code = assign(item.name, value.code)
        comment = self.remarks.get(item.name) or self.comment(item.row, item.name)
        says_the_same = not item.row.ndim and comment == statement(code)
        return Line(code, "" if says_the_same else comment, depth, value)

    def right(self, item: Assign) -> Expr:
        row = item.row
        value = self.p.row(row) if self.is_own(row, item.name) else self.p.ref(row)
        if item.kind is not None:
            value = self.p.converted(self.p.ref(row), item.kind)
        if item.own and row.ndim and self.copies:
            return Expr(method(value.code, "copy"), value.shape, value.kind, (value,))
        return value

    def is_own(self, row: Node, word: str) -> bool:
        """Whether a variable is the one that a row is computed into."""
        own = self.block.names.get(row.id)
        return own is not None and own.variable == word and not row.is_declared

    def comment(self, row: Node, word: str) -> str:
        """``Z1 = X W1 + b1   N×H``."""
        left = self.program.written.get(row.id, word)
        known = self.block.names.get(row.id)
        same = known is not None and known.variable == word
        right = self.equation.right(row) if self.is_own(row, word) else self.equation.operand(row)
        declared = self.program.identities.get(row.id) if same else None
        middle = "" if declared is None else f"{self.equation.right(declared)} = "
        return with_shape(f"{left if same else word} = {middle}{right}", row.shape)

    def softmax(self, item: Softmax, depth: int) -> Line:
        axes, keepdims = item.log_row.attr
        argument = self.p.as_float(item.row.args[0]).code
        options: dict[str, Any] = {"axis": axes[0], **({"keepdims": True} if keepdims else {})}
        value = call("softmax_logsumexp", argument, **options)
        note = with_shape(f"{item.name} = {self.equation.right(item.row)}", item.row.shape)
        targets = [as_code((name(item.name), name(item.log_name)))]
        return Line(assign(targets, value), note, depth, Expr(value, item.row.shape, FLOAT))

    # -- an array that differs from a formula at one entry of every row
    def one_hot(self, item: OneHot, depth: int) -> Iterator[Line]:
        row = item.row
        whole = self.p.formula(item.base, [self.p.as_float(a) for a in row.args])
        if isinstance(item.base, f.Num):
            whole = self.p.filled(item.base.value, row.shape)
        elif isinstance(item.base, f.Arg) and self.copies:
            whole = Expr(method(whole.code, "copy"), whole.shape, whole.kind, (whole,))
        yield Line(assign(item.name, whole.code), self.comment(row, item.name), depth, whole)
        place = self.p.last_index(item.index).code
        if row.ndim > 1:
            note = "the entry of every row that the one-hot array marks"
            yield Line(assign("at", (*self.rows(row.shape), place)), note, depth)
            place = name("at")
        hit = self.p.formula(item.hit, [self.entries(a, row, place) for a in row.args])
        yield Line(self.marked(item.name, place, hit.code), "", depth)

    def marked(self, word: str, place: ast.expr, value: ast.expr) -> ast.stmt:
        """The statement that sets entries of an array."""
        return assign([index(word, place)], value)

    def rows(self, shape: Shape) -> list[ast.expr]:
        """The index of every row: all axes but the last."""
        if len(shape) == 2:
            return [self.p.np("arange", self.p.dim(shape[0]))]
        return [ast.Starred(self.p.np("indices", self.p.dims(shape[:-1]), sparse=True), ast.Load())]

    def entries(self, a: Node, row: Node, place: ast.expr) -> Expr:
        """An argument at the marked entries."""
        whole = self.p.as_float(a)
        if not a.ndim or one_hot_index(a) is not None:
            return whole
        inside = [place] if same_shape(a.shape, row.shape) else [ast.Slice(), 0]
        return Expr(index(whole.code, *inside), row.shape[:-1], whole.kind)

    # -- loops
    def loop(self, loop: For, depth: int) -> Iterator[Line]:
        yield from self.all(loop.start, depth)
        for store in loop.stores:
            yield from self.stack(store, depth)
        body = self.finished(self.body(loop, depth + 1), loop.lasting)
        if self.program.level:
            copies, body = turned(loop.fixed, body)
            yield from (Line(code, COPIED, depth) for code in copies)
        steps = call("range", self.p.dim(loop.length))
        yield Line(ast.For(name(loop.index), call("reversed", steps) if loop.reverse else steps, [], []), "", depth)
        yield from body
        yield from (Line(assign(word, name(value)), "", depth) for word, value in loop.last)

    def body(self, loop: For, depth: int) -> Iterator[Line]:
        found = []
        for element in loop.elements:
            place = Expr(index(element.stack.code, name(loop.index)), element.shape, element.stack.kind)
            found.append(Line(assign(element.name, self.p.converted(place, element.kind).code), "", depth))
        found += self.inside(loop).all(loop.body.statements, depth)
        for store in loop.stores:
            found.append(Line(assign([index(store.stack, name(loop.index))], store.value.code), "", depth))
        moved = [(word, value) for word, value in loop.update if value.variable != word]
        if moved:
            names, values = [name(a) for a, _ in moved], tuple(b.code for _, b in moved)
            code = assign(names, values[0]) if len(moved) == 1 else assign([as_code(tuple(names))], values)
            found.append(Line(code, "", depth))
        yield from found or [Line(ast.Pass(), "", depth)]

    def inside(self, loop: For) -> Writer:
        """The writer of a loop's body, which calls rows by the names that they have there."""
        return type(self)(self.program, loop.body, self.workspace)

    def stack(self, store: Store, depth: int) -> Iterator[Line]:
        """An array for the values of all steps."""
        dtype, note = self.p.dtype_of(store.kind), shape_note(store.shape)
        if store.states is None:
            yield self.empty(store.stack, store.shape, dtype, depth)
            return
        array, before, first = store.states
        yield self.empty(array, (store.shape[0] + 1, *store.shape[1:]), dtype, depth)
        yield Line(assign([index(array, 0)], name(first)), "", depth)
        views = (index(array, ast.Slice(None, as_code(-1))), index(array, ast.Slice(as_code(1))))
        targets = [as_code((name(before), name(store.stack)))]
        yield Line(assign(targets, views), f"before and after every step   {note}", depth)

    def empty(self, word: str, shape: Shape, dtype: ast.expr, depth: int) -> Line:
        value = self.p.np("empty", self.p.sizes(shape), dtype)
        return Line(assign(word, value), shape_note(shape), depth, Expr(value, shape, FLOAT))


class Turned(ast.NodeTransformer):
    """Replaces ``A.T`` by the name of a copy, for the matrices in a table."""

    def __init__(self, copies: dict[str, str]) -> None:
        self.copies, self.found = copies, set[str]()

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        word = node.value.id if isinstance(node.value, ast.Name) and node.attr == "T" else ""
        if word not in self.copies:
            self.generic_visit(node)
            return node
        self.found.add(word)
        return name(self.copies[word])


def turned(fixed: Iterable[tuple[str, str]], body: Sequence[Line]) -> tuple[list[ast.stmt], list[Line]]:
    """Copies of the transposes that a loop's body reads, and the body reading the copies."""
    change = Turned(dict(fixed))
    for line in body:
        change.visit(line.code)
    return [assign(c, method(attribute(m, "T"), "copy")) for m, c in fixed if m in change.found], list(body)


def with_shape(equation: str, shape: Shape) -> str:
    note = shape_note(shape)
    return f"{equation}   {note}" if note else equation
