"""Statements as lines of a Python target, each with its equation and its shape as a comment."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.buffers import reuse
from symbackprop.codegen.equations import Equation, shape_note
from symbackprop.codegen.program import (
    Assign,
    Block,
    For,
    Forget,
    OneHot,
    Program,
    Recompute,
    Segments,
    Softmax,
    Statement,
    Store,
)
from symbackprop.codegen.rows import given_back
from symbackprop.codegen.tree import (
    Code,
    Expr,
    Line,
    as_code,
    assign,
    at_step,
    attribute,
    binary,
    call,
    index,
    name,
    names_read,
    statement,
    text,
)
from symbackprop.core import formula as f
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import Shape, same_shape

AT_ONCE = 8  # variables that one line forgets
COPIED = "a copy, since every step reads it"
MOST_NAMELESS = 24  # rows without a name in what a line is another form of; with more it is not told


class Words(Mapping[int, str]):
    """What rows are called in the equations of a block: by the name that they have there, else as their code is
    written. Looked up one by one: every loop is a block, and knows all rows outside."""

    def __init__(self, block: Block, written: Mapping[int, str]) -> None:
        self.block, self.written = block, written

    def __getitem__(self, row: int) -> str:
        if row in self.written and row not in self.block.absent:
            return self.written[row]
        return text(self.block.names[row].code)

    def __iter__(self) -> Iterator[int]:
        there = [row for row in self.written if row not in self.block.absent]
        return iter(dict.fromkeys([*self.block.names, *there]))

    def __len__(self) -> int:
        return len({*self})


class Writer:
    """Writes the statements of one block. Loops are Python's, and arrays are changed in place where that is quicker: a
    target without either writes `loop` and `marked` anew."""

    copies = True  # whether one array could be changed through another's name

    def __init__(self, program: Program, block: Block, workspace: bool = False,
                 written: Mapping[int, str] | None = None) -> None:
        self.program, self.block, self.workspace = program, block, workspace
        self.names = program.written if written is None else written
        self.p: Arrays = program.target(block.names, program.level)
        self.equation = Equation(Words(block, self.names), program.expanded)
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
                case Recompute(block):
                    yield from type(self)(self.program, block, self.workspace, self.names).all(block.statements, depth)
                case Forget(names):
                    parts = [names[k:k + AT_ONCE] for k in range(0, len(names), AT_ONCE)]
                    yield from [Line(ast.Delete([*map(name, part)]), "", depth) for part in parts]

    # -- one line each
    def assignment(self, item: Assign, depth: int) -> Line:
        value = self.right(item)
        code = assign(item.name, value.code)
        if item.name in self.remarks:
            return Line(code, self.remarks[item.name], depth, value)
        line = self.told(Line(code, depth=depth, value=value), item.row, item.name)
        says_the_same = not item.row.ndim and line.note == statement(code)
        return Line(code, depth=depth, value=value) if says_the_same else line

    def right(self, item: Assign) -> Expr:
        row = item.row
        value = self.p.row(row) if self.is_own(row, item.name) else self.p.ref(row)
        if item.kind is not None:
            value = self.p.converted(value, item.kind)
        if item.own and row.ndim and self.copies:
            return Expr(self.p.copied(value.code), value.shape, value.kind, (value,))
        return value

    def is_own(self, row: Node, word: str) -> bool:
        """Whether a variable is the one that a row is computed into."""
        own = self.block.names.get(row.id)
        return own is not None and own.variable == word and not row.is_declared

    def told(self, line: Line, row: Node, word: str) -> Line:
        """The line with its equation, ``Z1 = X W1 + b1   N×H``."""
        left = word if row.id in self.block.absent else self.names.get(row.id, word)
        known = self.block.names.get(row.id)
        same = known is not None and known.variable == word
        right = self.equation.right(row) if self.is_own(row, word) else self.equation.operand(row)
        declared = self.program.identities.get(row.id) if same else None
        told = declared is not None and self.equation.is_within(declared, MOST_NAMELESS)
        middle = self.equation.right(declared) if declared is not None and told else right
        whole = right if middle == right else f"{middle} = {right}"
        return replace(line, left=left if same else word, comment=with_shape(whole, row.shape))

    def softmax(self, item: Softmax, depth: int) -> Line:
        p, *_, other = item.rows
        note, targets = f"{item.names[0]} = {self.equation.right(p)}", tuple(map(name, item.names))
        if other.form is not None:
            value = call("softmax_log", self.p.as_float(p.args[0]).code, axis=p.attr)
            note, arrays = f"{note}, {item.names[1]} = log({item.names[0]})", targets
        else:
            axes, keepdims = other.attr
            options: dict[str, Any] = {"axis": axes[0], **({"keepdims": True} if keepdims else {})}
            word = "softmax_logsumexp" if len(item.rows) == 2 else "softmax_parts"
            value, arrays = call(word, self.p.as_float(p.args[0]).code, **options), targets[:1]
        made = Expr(value, p.shape, FLOAT, tuple([Expr(array, p.shape, FLOAT) for array in arrays]))
        return Line(assign([as_code(targets)], value), with_shape(note, p.shape), depth, made)

    # -- an array that differs from a formula at one entry of every row
    def one_hot(self, item: OneHot, depth: int) -> Iterator[Line]:
        row = item.row
        whole = self.p.formula(item.base, [self.p.as_kind(a, row.kind) for a in row.args])
        if isinstance(item.base, f.Num):
            whole = self.p.filled(item.base.value, row.shape, row.kind)
        elif given_back(item.base) is not None and self.copies:
            whole = Expr(self.p.copied(whole.code), whole.shape, whole.kind, (whole,))
        yield self.told(Line(assign(item.name, whole.code), depth=depth, value=whole), row, item.name)
        place = self.p.last_index(item.index).code
        if row.ndim > 1:
            note = "the entry of every row that the one-hot array marks"
            yield Line(assign("at", (*self.rows(row.shape), place)), note, depth)
            place = name("at")
        read = {*f.arguments(item.hit)}
        args = [self.entries(a, row, place) if k in read else self.p.as_kind(a, row.kind)
                for k, a in enumerate(row.args)]
        hit = self.p.formula(item.hit, args)
        yield Line(self.marked(item.name, place, hit.code), "", depth)

    def marked(self, word: str, place: ast.expr, value: ast.expr) -> ast.stmt:
        """The statement that sets entries of an array."""
        return assign([index(word, place)], value)

    def rows(self, shape: Shape) -> list[ast.expr]:
        """The index of every row: all axes but the last."""
        if len(shape) == 2:
            return [self.p.made("arange", self.p.dim(shape[0]))]
        return [ast.Starred(self.p.made("indices", self.p.dims(shape[:-1]), sparse=True), ast.Load())]

    def entries(self, a: Node, row: Node, place: ast.expr) -> Expr:
        """An argument at the marked entries."""
        whole = self.p.as_kind(a, row.kind)
        if not a.ndim:
            return whole
        inside = [place] if same_shape(a.shape, row.shape) else [*[ast.Slice()] * (row.ndim - 1), 0]
        return Expr(index(whole.code, *inside), row.shape[:-1], whole.kind)

    # -- loops
    def loop(self, loop: For, depth: int) -> Iterator[Line]:
        yield from self.begin(loop.start, depth)
        for store in loop.stores:
            yield from self.stack(store, depth)
        if loop.segments is None:
            copies, steps = self.steps(loop, call("range", self.p.dim(loop.length)), depth)
            yield from (Line(code, COPIED, depth) for code in copies)
            yield from steps
        else:
            yield from self.segments(loop, loop.segments, depth)
        carried, stored = dict(loop.update), {s.value.variable for s in loop.stores}
        for word, value in loop.last:
            last = carried[value]
            in_stack = self.workspace and last.shape and last.variable in stored  # where the last entry was computed
            apart = in_stack or word in loop.own
            yield Line(assign(word, self.p.copied(name(value)) if apart else name(value)), "", depth)

    def begin(self, start: Sequence[Assign], depth: int) -> Iterator[Line]:
        """What a loop begins with; variables that begin with the same number everywhere share one array, as h = c = 0.
        """
        for _, group in groupby(start, lambda a: (a.row.id, a.kind, "" if a.row.value is not None else a.name)):
            first, *others = group
            words = [first.name, *[other.name for other in others]]
            value = self.right(first)
            line = Line(assign(map(name, words), value.code), depth=depth, value=value)
            yield self.told(line, first.row, " = ".join(words) if others else first.name)

    def steps(self, loop: For, counts: Code, depth: int) -> tuple[list[ast.stmt], list[Line]]:
        """Copies of what every step reads, and the loop over some steps."""
        body = self.finished(self.body(loop, depth + 1), loop.lasting)
        copies, body = turned(loop.fixed, body, self.p.copied) if self.program.level else ([], body)
        return copies, [self.head(loop.index, counts, loop.reverse, depth), *body]

    def head(self, counter: str, counts: Code, reverse: bool, depth: int, says: str = "") -> Line:
        return Line(ast.For(name(counter), call("reversed", counts) if reverse else counts, [], []), says, depth)

    def segments(self, loop: For, parts: Segments, depth: int) -> Iterator[Line]:
        """The loop from checkpoint to checkpoint: forward stores what is carried there, backward begins with it."""
        length, every, first = self.p.dim(loop.length), name(parts.every), name(parts.first)
        size = call("min", parts.steps, length) if parts.steps else call("round", binary(length, ast.Pow, as_code(0.5)))
        yield Line(assign(parts.every, call("max", size, 1)), "steps from one checkpoint to the next", depth)
        for store in (parts.given if parts.again is None else parts.again.stores):
            yield from self.stack(store, depth, begins=False)
        counts = call("range", first, call("min", binary(first, ast.Add, every), length))
        loops = [loop] if parts.again is None else [parts.again, loop]
        found = [self.steps(part, counts, depth + 1) for part in loops]
        made = {statement(code): code for copies, _ in found for code in copies}
        yield from (Line(code, COPIED, depth) for code in made.values())
        yield self.head(parts.first, call("range", 0, length, every), loop.reverse, depth)
        place = binary(first, ast.FloorDiv, every)
        for store in parts.given:
            kept = index(store.stack, place)
            code = assign([kept], store.value.code) if parts.again is None else assign([store.value.code], kept)
            yield Line(code, "", depth + 1)
        yield from self.begun(parts, depth + 1)
        for part, (_, lines) in zip(loops, found, strict=True):
            if part is parts.again:
                yield Line(lines[0].code, "the steps of the segment once more", depth + 1)
                lines = lines[1:]
            yield from lines

    def begun(self, parts: Segments, depth: int) -> Iterator[Line]:
        """The states before each step of a segment that is computed again begin with what it is given."""
        for store in () if parts.again is None else parts.again.stores:
            if store.states is not None:
                array, _, carried = store.states
                yield Line(assign([index(array, 0 if store.first else name(parts.first))], name(carried)), "", depth)

    def body(self, loop: For, depth: int) -> Iterator[Line]:
        found = []
        for element in loop.elements:
            step = at_step(loop.index, element.first)
            place = Expr(index(element.stack.code, step), element.shape, element.stack.kind)
            found.append(Line(assign(element.name, self.p.converted(place, element.kind).code), "", depth))
        found += self.inside(loop).all(loop.body.statements, depth)
        own = {} if depth > 1 else {s.value.variable: s for s in loop.stores[::-1] if s.kind == s.value.kind == FLOAT}
        last = last_words(found, depth) if self.program.level and not self.workspace else {}
        for store in loop.stores:
            stored = (store.value.variable or "") if own.get(store.value.variable) is store else ""
            into = index(store.stack, at_step(loop.index, store.first))
            if stored in last:
                found[last[stored]] = put_too(found[last[stored]], into)
            else:
                found.append(Line(assign([into], store.value.code), "", depth, stored=stored))
        moved = [(word, value) for word, value in loop.update if value.variable != word]
        if moved:
            names, values = [name(a) for a, _ in moved], tuple(b.code for _, b in moved)
            code = assign(names, values[0]) if len(moved) == 1 else assign([as_code(tuple(names))], values)
            found.append(Line(code, "", depth))
        yield from unnamed(found, [*loop.lasting, *dict(loop.last).values()]) or [Line(ast.Pass(), "", depth)]

    def inside(self, loop: For) -> Writer:
        """The writer of a loop's body, which calls rows by the names that they have there."""
        return type(self)(self.program, loop.body, self.workspace, self.names)

    def stack(self, store: Store, depth: int, begins: bool = True) -> Iterator[Line]:
        """An array for the values of all steps, or of a segment's, which does not begin yet."""
        dtype, note = self.p.dtype_of(store.kind), shape_note(store.shape)
        if store.states is None:
            yield self.empty(store.stack, store.shape, dtype, depth)
            return
        array, before, first = store.states
        yield self.empty(array, (store.shape[0] + 1, *store.shape[1:]), dtype, depth)
        if begins:
            yield Line(assign([index(array, 0)], name(first)), "", depth)
        views = (index(array, ast.Slice(None, as_code(-1))), index(array, ast.Slice(as_code(1))))
        targets = [as_code((name(before), name(store.stack)))]
        yield Line(assign(targets, views), f"before and after every step   {note}", depth)

    def empty(self, word: str, shape: Shape, dtype: ast.expr, depth: int) -> Line:
        value = self.p.made("empty", self.p.sizes(shape), dtype=dtype)
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


def turned(fixed: Iterable[tuple[str, str]], body: Sequence[Line], copied: Callable[[Code], Code]
           ) -> tuple[list[ast.stmt], list[Line]]:
    """Copies of the transposes that a loop's body reads, and the body reading the copies."""
    change = Turned(dict(fixed))
    for line in body:
        change.visit(line.code)
    return [assign(c, copied(attribute(m, "T"))) for m, c in fixed if m in change.found], list(body)


def last_words(lines: Sequence[Line], depth: int) -> dict[str, int]:
    """The line that gives a variable its value, for those of which it is the last word."""
    found: dict[str, int] = {}
    for k, line in enumerate(lines):
        for word in _changed(line.code):
            found.pop(word, None)
        found |= dict.fromkeys(_given(line.code) if line.depth == depth else (), k)
    return found


def put_too(line: Line, place: Code) -> Line:
    """The line that puts the value which it gives a variable into a place too, h_t = h[t] = np.tanh(z_t)."""
    assert isinstance(line.code, ast.Assign)
    return replace(line, code=assign([*line.code.targets, place], line.code.value))


def unnamed(lines: Sequence[Line], lasting: Collection[str]) -> list[Line]:
    """The lines of a step; a value that nothing but its place is for has no variable beside it."""
    counts = Counter([*lasting, *[word for line in lines for word in line.names]])
    return [_only_placed(line) if counts[line.first] == 1 else line for line in lines]


def _only_placed(line: Line) -> Line:
    match line.code:
        case ast.Assign(targets=[ast.Name(id=word), *places], value=value):
            if places and word not in names_read([value]):
                return replace(line.called(places[0]), code=assign(places, value))
    return line


def _given(code: ast.stmt) -> set[str]:
    """The variables that a statement gives one value, not one of several each."""
    return {t.id for t in code.targets if isinstance(t, ast.Name)} if isinstance(code, ast.Assign) else set()


def _changed(code: ast.stmt) -> set[str]:
    """The variables that a statement gives a value, or of which it changes entries."""
    targets = code.targets if isinstance(code, ast.Assign) else [code.target] if isinstance(code, ast.AugAssign) else []
    return names_read(targets)


def with_shape(equation: str, shape: Shape) -> str:
    note = shape_note(shape)
    return f"{equation}   {note}" if note else equation
