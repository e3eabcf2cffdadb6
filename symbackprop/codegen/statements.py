"""Statements as lines of NumPy, each with its equation and its shape as a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from symbackprop.codegen.casts import DTYPES
from symbackprop.codegen.equations import Equation, shape_note
from symbackprop.codegen.layout import Line
from symbackprop.codegen.numpy import NumpyNotation
from symbackprop.codegen.passes.onehot import one_hot_index
from symbackprop.codegen.program import Assign, Block, For, OneHot, Program, Softmax, Statement, Store
from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import ATOM, Text, wrap
from symbackprop.core.shapes import Shape, same_shape

COPIED = "a copy, since every step reads it"


class Writer:
    """Writes the statements of one block."""

    def __init__(self, program: Program, block: Block) -> None:
        self.program, self.block = program, block
        self.p = NumpyNotation(program.rows, block.names, program.level)
        self.equation = Equation(block.names | program.written, program.expanded)
        results = program.loss or ", ".join(program.outputs)
        self.remarks = {
            program.gradients[n]: f"0: {results} does not depend on {n}"
            for n in program.unreached
            if n in program.gradients and block is program.backward
        }

    def lines(self) -> list[Line]:
        return list(self._all(self.block.statements, 0))

    def _all(self, statements: Iterable[Statement], depth: int) -> Iterator[Line]:
        for statement in statements:
            if isinstance(statement, For):
                yield from self._loop(statement, depth)
            else:
                for code, comment in self._simple(statement):
                    yield Line(code, comment, depth)

    def _simple(self, statement: Statement) -> Iterator[tuple[str, str]]:
        if isinstance(statement, OneHot):
            yield from self._one_hot(statement)
        elif isinstance(statement, Softmax):
            yield from self._softmax(statement)
        elif isinstance(statement, Assign):
            code = f"{statement.name} = {self._right(statement)}"
            comment = self.remarks.get(statement.name) or self._comment(statement.row, statement.name)
            yield code, "" if comment == code else comment

    # -- one line each
    def _right(self, statement: Assign) -> str:
        row = statement.row
        mine = self.block.names.get(row.id) == statement.name
        text = self.p.row(row) if mine and row.op.name != "leaf" else self.p.ref(row)
        if statement.kind is not None:
            text = self.p.as_kind(row, statement.kind)
        return f"{wrap(text, ATOM)}.copy()" if statement.own and row.ndim else text.text

    def _comment(self, row: Node, name: str) -> str:
        """``Z1 = X W1 + b1   N×H``."""
        left = self.program.written.get(row.id, name)
        same = self.block.names.get(row.id) == name
        right = self.equation.row(row) if same and row.op.name != "leaf" else self.equation.ref(row)
        declared = self.program.identities.get(row.id) if same else None
        middle = "" if declared is None else f"{self.equation.row(declared).text} = "
        return with_shape(f"{left if same else name} = {middle}{right.text}", row.shape)

    def _softmax(self, statement: Softmax) -> Iterator[tuple[str, str]]:
        axes, keepdims = statement.log_row.attr
        argument = self.p.as_float(statement.row.args[0]).text
        kept = ", keepdims=True" if keepdims else ""
        yield (
            f"{statement.name}, {statement.log_name} = softmax_logsumexp({argument}, axis={axes[0]}{kept})",
            with_shape(f"{statement.name} = {self.equation.row(statement.row).text}", statement.row.shape),
        )

    # -- an array that differs from a formula at one entry of every row
    def _one_hot(self, statement: OneHot) -> Iterator[tuple[str, str]]:
        row, name = statement.row, statement.name
        whole = self.p.formula(statement.base, [self.p.as_float(a) for a in row.args])
        if isinstance(statement.base, f.Num):
            whole = self.p.filled(statement.base.value, row.shape)
        elif isinstance(statement.base, f.Arg):
            whole = Text(f"{whole.text}.copy()")
        yield f"{name} = {whole.text}", self._comment(row, name)
        index = self.p.last_index(statement.index).text
        place = index
        if row.ndim > 1:
            yield f"at = {self._rows(row.shape)}, {index}", "the entry of every row that the one-hot array marks"
            place = "at"
        at = [self._entries(a, row, place) for a in row.args]
        yield f"{name}[{place}] = {self.p.formula(statement.hit, at).text}", ""

    def _rows(self, shape: Shape) -> str:
        """The index of every row: all axes but the last."""
        if len(shape) == 2:
            return f"np.arange({self.p.dim(shape[0]).text})"
        return f"*np.indices({self.p.shape(shape[:-1])}, sparse=True)"

    def _entries(self, a: Node, row: Node, place: str) -> Text:
        """An argument at the marked entries."""
        text = self.p.as_float(a)
        if not a.ndim or one_hot_index(a) is not None:
            return text
        return Text(f"{text.text}[{place}]" if same_shape(a.shape, row.shape) else f"{text.text}[:, 0]")

    # -- loops
    def _loop(self, loop: For, depth: int) -> Iterator[Line]:
        yield from self._all(loop.start, depth)
        for store in loop.stores:
            for code, comment in self._stack(store):
                yield Line(code, comment, depth)
        body = list(self._body(loop, depth + 1))
        if self.program.level:
            copies, body = turned(loop.fixed, body)
            yield from (Line(code, COPIED, depth) for code in copies)
        steps = f"range({self.p.dim(loop.length).text})"
        yield Line(f"for {loop.index} in {f'reversed({steps})' if loop.reverse else steps}:", "", depth)
        yield from body
        for name, value in loop.last:
            yield Line(f"{name} = {value}", "", depth)

    def _body(self, loop: For, depth: int) -> Iterator[Line]:
        for name, place in loop.elements:
            yield Line(f"{name} = {place}", "", depth)
        yield from self._inside(loop)._all(loop.body.statements, depth)
        for store in loop.stores:
            yield Line(f"{store.stack}[{loop.index}] = {store.value}", "", depth)
        moved = [(a, b) for a, b in loop.update if a != b]
        if moved or not (loop.elements or loop.body.statements or loop.stores):
            code = f"{', '.join(a for a, _ in moved)} = {', '.join(b for _, b in moved)}" if moved else "pass"
            yield Line(code, "", depth)

    def _inside(self, loop: For) -> Writer:
        """The writer of a loop's body, which calls rows by the names that they have there."""
        return type(self)(self.program, loop.body)

    def _stack(self, store: Store) -> Iterator[tuple[str, str]]:
        """An array for the values of all steps."""
        dtype = DTYPES[store.kind]
        note = shape_note(store.shape)
        if store.states is None:
            yield f"{store.stack} = np.empty({self.p.shape(store.shape)}, {dtype})", note
            return
        array, before, first = store.states
        shape = (store.shape[0] + 1, *store.shape[1:])
        yield f"{array} = np.empty({self.p.shape(shape)}, {dtype})", shape_note(shape)
        yield f"{array}[0] = {first}", ""
        yield f"{before}, {store.stack} = {array}[:-1], {array}[1:]", f"before and after every step   {note}"


def turned(fixed: Iterable[tuple[str, str]], body: Sequence[Line]) -> tuple[list[str], list[Line]]:
    """Copies of the transposes that a loop's body reads, and the body reading the copies."""
    copies = []
    for name, copy in fixed:
        transpose = re.compile(rf"\b{name}\.T\b")
        if any(transpose.search(line.code) for line in body):
            copies.append(f"{copy} = {name}.T.copy()")
            body = [Line(transpose.sub(copy, line.code), line.comment, line.depth) for line in body]
    return copies, list(body)


def with_shape(equation: str, shape: Shape) -> str:
    note = shape_note(shape)
    return f"{equation}   {note}" if note else equation
