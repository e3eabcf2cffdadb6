"""-O2: statements that write into the arrays of a workspace, where the caller gives one.

``w`` is the table of those arrays by variable, empty without a workspace: ``out=w.get("Z")`` then is ``out=None``, and
NumPy allocates as ever. What a loop carries on gets an array of its own in every step: the next one still reads it.
"""

from __future__ import annotations

from collections.abc import Iterator

from symbackprop.codegen.inplace import InPlace
from symbackprop.codegen.literals import string
from symbackprop.codegen.products import matrix_product
from symbackprop.codegen.program import Assign, Block, For, OneHot, Program, Softmax, Statement, Store
from symbackprop.codegen.statements import Writer
from symbackprop.core import formula as f
from symbackprop.core.graph import BOOL, Node


class BufferedWriter(Writer):
    """Writes the statements of a block that may use a workspace."""

    def __init__(self, program: Program, block: Block, lasting: frozenset[str] = frozenset()) -> None:
        super().__init__(program, block)
        self.lasting = lasting
        self.plain = Writer(program, block)

    def _inside(self, loop: For) -> Writer:
        return BufferedWriter(self.program, loop.body, loop.lasting)

    def _simple(self, statement: Statement) -> Iterator[tuple[str, str]]:
        if not isinstance(statement, For) and statement.name in self.lasting:
            yield from self.plain._simple(statement)
        elif isinstance(statement, Assign):
            yield from self._assign(statement)
        else:
            yield from super()._simple(statement)

    def _assign(self, statement: Assign) -> Iterator[tuple[str, str]]:
        name, row = statement.name, statement.row
        mine = self.block.names.get(row.id) == name and row.op.name != "leaf"
        steps = self._shaped_product(row, name) if mine else None
        if mine and steps is None:
            steps = InPlace(self.p, row, name, taken(name)).steps()
        if steps is None and statement.own and row.ndim and row.kind != BOOL:
            steps = [f"np.positive({self._plain(statement)}, out={taken(name)})"]
        if steps is None:
            yield from super()._simple(statement)
            return
        yield f"{name} = {kept(name)} = {steps[0]}", self.remarks.get(name) or self._comment(row, name)
        yield from ((step, "") for step in steps[1:])

    def _plain(self, statement: Assign) -> str:
        """The value of a statement before it is copied."""
        return self._right(Assign(statement.name, statement.row))

    def _shaped_product(self, row: Node, name: str) -> list[str] | None:
        """A matrix product, then a view of it in the row's shape."""
        inner, shape = row, None
        if row.op.name == "reshape" and row.args[0].op.name == "einsum" and row.args[0].id not in self.block.names:
            inner, shape = row.args[0], row.shape
        if not row.ndim or inner.op.name != "einsum" or len(inner.args) < 2:
            return None
        found = matrix_product(self.p, inner, self.p.arguments(inner), shape)
        if found is None or not found.after:
            return None
        return [f"np.matmul({found.left}, {found.right}, out={taken(name)})", f"{name} = {name}{found.after}"]

    def _softmax(self, statement: Softmax) -> Iterator[tuple[str, str]]:
        (code, comment), *rest = super()._softmax(statement)
        yield f"{code[:-1]}, out={taken(statement.name)})", comment
        yield f"{kept(statement.name)} = {statement.name}", ""
        yield from rest

    def _one_hot(self, statement: OneHot) -> Iterator[tuple[str, str]]:
        """The array as any formula, then its marked entries."""
        (code, comment), *rest = super()._one_hot(statement)
        steps = self._base_steps(statement)
        if steps is None:
            yield code, comment
        else:
            yield f"{statement.name} = {kept(statement.name)} = {steps[0]}", comment
            yield from ((step, "") for step in steps[1:])
        yield from rest

    def _base_steps(self, statement: OneHot) -> list[str] | None:
        if isinstance(statement.base, f.Arg):
            source = self.p.as_float(statement.row.args[statement.base.index]).text
            return [f"np.positive({source}, out={taken(statement.name)})"]
        return InPlace(self.p, statement.row, statement.name, taken(statement.name)).of_formula(
            statement.base, statement.row
        )

    def _stack(self, store: Store) -> Iterator[tuple[str, str]]:
        lasting = store.stack in self.lasting or (store.states is not None and store.states[1] in self.lasting)
        for code, comment in super()._stack(store):
            yield code if lasting else _reused(code), comment


def taken(name: str) -> str:
    """The array of the workspace for a variable, or None."""
    return f"w.get({string(name)})"


def kept(name: str) -> str:
    return f"w[{string(name)}]"


def _reused(code: str) -> str:
    """``h = np.empty(shape, dtype)`` as a stack that the workspace keeps."""
    name, _, right = code.partition(" = ")
    if not right.startswith("np.empty("):
        return code
    return f"{name} = stack(w, {string(name)}, {right.removeprefix('np.empty(')}"
