"""Whole Jacobians and Hessians in a module: functions that return their blocks compressed, or one dense matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_letters

from symbackprop.codegen.functions import Maker
from symbackprop.codegen.names import escape
from symbackprop.codegen.program import AskedFor, BlockCode, Dense, Diagonal, Estimate, Function, InBlocks, PartCode
from symbackprop.codegen.program import Block as Body
from symbackprop.core import build
from symbackprop.core.graph import Node
from symbackprop.core.shapes import size_of
from symbackprop.derive.closing import closed_rows
from symbackprop.derive.compressed import DIAGONAL, HESSIAN, JACOBIAN, Blocks, Whole
from symbackprop.derive.steps import Derivation
from symbackprop.derive.structure import Block

BY_PRODUCTS, BY_BACKWARD = "by_products", "by_backward"  # helpers that ask hvp for every column, backward for a row
ESTIMATED = "estimated"  # that which asks hvp for random sums of columns


def whole_functions(wholes: Iterable[Whole], derivation: Derivation, maker: Maker) -> list[Function]:
    """Their functions."""
    making = Making(derivation, maker)
    make = {HESSIAN: _hessian, JACOBIAN: _jacobian, DIAGONAL: _diagonal}
    return [f for whole in wholes for f in make[whole.kind](making, whole)]


class Wanted:
    """The rows that blocks are made of, by the names that they are wanted under, which begin with a ``letter``."""

    def __init__(self, letter: str) -> None:
        self.letter, self.rows = letter, dict[str, Node]()
        self._names: dict[int, str] = {}

    def name(self, b: Block, row: Node) -> str:
        """The name of a row, which is that of the block, counted on; the same for the same row."""
        if row.id not in self._names:
            base = escape(f"{self.letter}_{b.row}_{b.column}")
            names = (base if not k else f"{base}_{k}" for k in range(len(self.rows) + 1))
            self._names[row.id] = name = next(n for n in names if n not in self.rows)
            self.rows[name] = row
        return self._names[row.id]


class Making:
    """Makes functions of blocks that one derivation has."""

    def __init__(self, derivation: Derivation, maker: Maker) -> None:
        self.d, self.graph, self.maker = derivation, derivation.model.graph, maker

    def in_blocks(self, name: str, says: str, blocks: Blocks) -> InBlocks:
        """The function that returns blocks."""
        wanted, codes = Wanted("H" if blocks.twice else "J"), dict[tuple[str, str], BlockCode]()
        for key, b in blocks.items():
            other = codes.get(key[::-1]) if blocks.twice else None
            codes[key] = _code(b, wanted) if other is None else other.turned(len(b.shapes[1]))
        body, names, written = self._body(wanted.rows)
        return InBlocks(name, says, body, written, {key: code.renamed(names) for key, code in codes.items()})

    def dense(self, name: str, says: str, row: Node) -> Dense:
        """The function that returns one array."""
        body, names, written = self._body({"H": row})
        return Dense(name, says, body, written, names["H"])

    def diagonal(self, name: str, says: str, rows: Mapping[str, Node]) -> Diagonal:
        """The function that returns the diagonal by name."""
        closed = closed_rows(self.d.model, [*rows.values()], self.d.forward_ids)
        body, names, written = self._body({f"H_{n}": closed.get(row.id, row) for n, row in rows.items()})
        return Diagonal(name, says, body, written, {n: names[f"H_{n}"] for n in rows})

    def _body(self, rows: Mapping[str, Node]) -> tuple[Body, dict[str, str], dict[int, str]]:
        """Statements that compute rows, their variables by the names that they are wanted under, and what rows are
        called then: one that is no array of the model's as it is wanted."""
        names = {row.id: n for n, row in rows.items() if row.id not in self.maker.leaves and row.value is None}
        body, found, _ = self.maker.body(rows, names | self.d.names)
        return body, found, names | self.d.names


def _code(b: Block, wanted: Wanted) -> BlockCode:
    """A block over letters; the rows that it is made of get names."""
    letter: dict[int, str] = {}
    axes = list[str]()
    for i in (*b.own, *b.into):
        axes.append(ascii_letters[len(axes)])
        if i:
            letter[i] = axes[-1]
    parts = []
    for part in b.parts:
        found = b.operands(part)
        own = {**letter}  # what a part sums over has letters of its own in it
        for i in [i for x in found for i in x.letters]:
            own.setdefault(i, ascii_letters[len(axes) + len(own)])
        ties = tuple([own[i] + own[j] for j, i in part.ties.items()])
        names = tuple([wanted.name(b, x.row) for x in found])
        parts.append(PartCode(names, tuple(["".join(own[i] for i in x.letters) for x in found]), ties))
    return BlockCode(b.structure, "".join(axes), b.shape, tuple(parts))


def _jacobian(made: Making, whole: Whole) -> list[Function]:
    """jacobian; where no compressed form is known, by unit upstream gradients."""
    if whole.blocks is not None:
        return [made.in_blocks(JACOBIAN, whole.says, whole.blocks)]
    of = tuple([row.name or "" for row in made.d.model.results()])
    return [AskedFor(JACOBIAN, whole.says, tuple(whole.wrt), of)]


def _diagonal(made: Making, whole: Whole) -> list[Function]:
    """hessian_diagonal; of arrays where it is not exact, under a name that says so."""
    if whole.blocks is None:
        return [Estimate(f"{DIAGONAL}_estimate", whole.says, tuple(whole.wrt))]
    return [made.diagonal(DIAGONAL, whole.says, {a: b.diagonal for (a, _), b in whole.blocks.items()})]


def _hessian(made: Making, whole: Whole) -> list[Function]:
    """hessian and hessian_dense; where no compressed form is known, by products with unit vectors."""
    names, blocks = tuple(whole.wrt), whole.blocks
    dense, says = f"{HESSIAN}_dense", f"The Hessian as one matrix over all entries of {', '.join(names)}."
    if blocks is None:
        return [AskedFor(HESSIAN, whole.says, names), AskedFor(dense, says, names, dense=True)]
    return [made.in_blocks(HESSIAN, whole.says, blocks), made.dense(dense, says, _matrix(blocks, whole.wrt, made))]


def _matrix(blocks: Blocks, wrt: Mapping[str, Node], made: Making) -> Node:
    """All blocks in their places."""
    def flat(a: str, b: str) -> Node:
        return build.reshape(blocks[a, b].dense, [size_of(wrt[a].shape), size_of(wrt[b].shape)])

    with made.graph.evaluating():
        rows = [_joined([flat(a, b) for b in wrt], 1) for a in wrt]
        return _joined(rows, 0)


def _joined(parts: Sequence[Node], axis: int) -> Node:
    return parts[0] if len(parts) == 1 else build.concat(parts, axis)
