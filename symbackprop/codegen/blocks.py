"""Whole Jacobians and Hessians in a module: functions that return their blocks compressed, or one dense matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_letters

from symbackprop.codegen.functions import finished
from symbackprop.codegen.names import Scope, escape
from symbackprop.codegen.program import Block as Body
from symbackprop.codegen.program import BlockCode, Function, PartCode
from symbackprop.codegen.schedule import Scheduler, Variables
from symbackprop.core import build
from symbackprop.core.graph import Node
from symbackprop.core.shapes import size_of
from symbackprop.derive.blocks import HESSIAN, JACOBIAN, Block, Blocks, Whole
from symbackprop.derive.blocks.contraction import Operand
from symbackprop.derive.steps import Derivation

BY_PRODUCTS, BY_BACKWARD = "by_products", "by_backward"  # helpers that ask hvp for every column, backward for a row
Leaves = Mapping[int, str]


def whole_functions(wholes: Iterable[Whole], derivation: Derivation, given: Mapping[str, Node], leaves: Leaves,
                    like: Scheduler) -> list[Function]:
    """Their functions. ``given`` are the declared arrays, ``leaves`` what other functions call them."""
    making = Making(derivation, given, leaves, like)
    return [f for whole in wholes for f in (_hessian(making, whole) if whole.kind == HESSIAN else [
        _jacobian(making, whole)])]


class Making:
    """Makes functions of blocks that one derivation has."""

    def __init__(self, derivation: Derivation, given: Mapping[str, Node], leaves: Leaves, like: Scheduler) -> None:
        self.d, self.model, self.graph = derivation, derivation.model, derivation.model.graph
        self.given, self.leaves, self.like = given, leaves, like

    def function(self, name: str, says: str, blocks: Blocks) -> Function:
        """The function that returns blocks."""
        rows: dict[str, Node] = {}
        codes = dict[tuple[str, str], BlockCode]()
        for key, b in blocks.items():
            other = codes.get(key[::-1]) if blocks.twice else None
            codes[key] = self._code(b, rows) if other is None else other.turned(len(b.shapes[1]))
        body, names, written = self._body(rows)
        named = {key: code.renamed(names) for key, code in codes.items()}
        return Function(name, says, body, {}, {}, {}, False, written, blocks=named)

    def matrix(self, name: str, says: str, row: Node) -> Function:
        """The function that returns one array."""
        body, names, written = self._body({"H": row})
        return Function(name, says, body, {}, {}, {}, False, written, matrix=names["H"])

    def _body(self, rows: Mapping[str, Node]) -> tuple[Body, dict[str, str], dict[int, str]]:
        """Statements that compute rows, and their variables by the names that they are wanted under."""
        scope = Scope([*map(escape, self.model.sizes), *self.leaves.values()])
        called = {row.id: name for name, row in rows.items() if row.id not in self.leaves and row.value is None}
        written = called | {i: n for i, n in self.d.names.items() if i not in self.leaves}
        variables = Variables(written, scope)
        variables.given |= self.leaves
        known = {row.id: variables.expr(row) for row in self.given.values()}
        body = Scheduler(self.like.rows, variables, self.like.level, self.like.target).block(list(rows.values()), known)
        return body, dict(zip(rows, finished(body, rows, known, scope), strict=True)), called | self.d.names

    def _code(self, b: Block, rows: dict[str, Node]) -> BlockCode:
        """A block over letters; the rows that it is made of get names in ``rows``."""
        letter: dict[int, str] = {}
        axes = list[str]()
        for i in (*b.own, *b.into):
            axes.append(ascii_letters[len(axes)])
            if i:
                letter[i] = axes[-1]
        parts = []
        for part in b.parts:
            found = b.operands(part)
            for i in [i for x in found for i in x.letters]:
                letter.setdefault(i, ascii_letters[len(axes) + len(letter)])
            ties = tuple([letter[i] + letter[j] for j, i in part.ties.items()])
            names = tuple([_named(rows, b, x) for x in found])
            parts.append(PartCode(names, tuple(["".join(letter[i] for i in x.letters) for x in found]), ties))
        return BlockCode(b.structure, "".join(axes), b.shape, tuple(parts))


def _named(rows: dict[str, Node], b: Block, x: Operand) -> str:
    """The name of a row, which is that of the block, counted on; the same for the same row."""
    for name, row in rows.items():
        if row is x.row:
            return name
    base = escape(f"H_{b.row}_{b.column}")
    names = (base if not k else f"{base}_{k}" for k in range(len(rows) + 1))
    name = next(n for n in names if n not in rows)
    rows[name] = x.row
    return name


def _jacobian(made: Making, whole: Whole) -> Function:
    """jacobian; where no compressed form is known, by unit upstream gradients."""
    if whole.blocks is not None:
        return made.function(JACOBIAN, whole.says, whole.blocks)
    of = tuple([row.name or "" for row in made.model.results()])
    return Function(JACOBIAN, whole.says, Body(), {}, {}, {}, False, {}, by=tuple(whole.wrt), of=of)


def _hessian(made: Making, whole: Whole) -> list[Function]:
    """hessian and hessian_dense; where no compressed form is known, by products with unit vectors."""
    names, blocks = tuple(whole.wrt), whole.blocks
    dense, says = f"{HESSIAN}_dense", f"The Hessian as one matrix over all entries of {', '.join(names)}."
    if blocks is None:
        empty = Body()
        return [Function(HESSIAN, whole.says, empty, {}, {}, {}, False, {}, by=names),
                Function(dense, says, empty, {}, {}, {}, False, {}, joined=names)]
    return [made.function(HESSIAN, whole.says, blocks), made.matrix(dense, says, _matrix(blocks, whole.wrt, made))]


def _matrix(blocks: Blocks, wrt: Mapping[str, Node], made: Making) -> Node:
    """All blocks in their places."""
    def flat(a: str, b: str) -> Node:
        return build.reshape(blocks[a, b].dense, [size_of(wrt[a].shape), size_of(wrt[b].shape)])

    with made.graph.evaluating():
        rows = [_joined([flat(a, b) for b in wrt], 1) for a in wrt]
        return _joined(rows, 0)


def _joined(parts: Sequence[Node], axis: int) -> Node:
    return parts[0] if len(parts) == 1 else build.concat(parts, axis)
