"""What functions return, and functions beside forward and backward, such as derivatives along a direction v."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from symbackprop.codegen.names import Scope, escape
from symbackprop.codegen.program import Along, Assign, Block, For, is_plain
from symbackprop.codegen.rows import base, given_back, sharing
from symbackprop.codegen.schedule import Scheduler, Variables
from symbackprop.core.facts import is_repeated
from symbackprop.core.graph import Node
from symbackprop.derive.products import Product
from symbackprop.model.model import Model

DIRECTION = "v"  # the argument of a function of a derivative along something; no row is called so in there

# -- every result is an array of its own


def finished(block: Block, results: Mapping[str, Node], known: Collection[int], scope: Scope) -> list[str]:
    """The variables of a block's results, by the names wanted; what would share memory with something else is copied,
    and a result that has another name gets its own as well."""
    copies = to_copy(results.values(), known)
    places = {(s.row.id, s.name): k for k, s in enumerate(block.statements) if isinstance(s, Assign)}
    places |= {(row.id, word): k for k, s in enumerate(block.statements) if isinstance(s, For)
               for word, _ in s.last for row in results.values() if block.variable(row) == word}
    names: set[str] = set()
    found: list[str] = []
    for position, (wanted, row) in enumerate(results.items()):
        name, own = block.variable(row), position in copies
        if own or row.id in known or name in names or name != escape(wanted):
            place = None if name in names else places.get((row.id, escape(wanted)))
            name = _own(block, row, place, wanted, own, scope)
        names.add(name)
        found.append(name)
    return found


def _own(block: Block, row: Node, place: int | None, wanted: str, own: bool, scope: Scope) -> str:
    """A variable for a result: the one it is computed into, by the statement at that place, or one more. One that is
    a plain number becomes one of its kind."""
    kind = row.kind if is_plain(row) else None
    if place is not None:
        name, statement = escape(wanted), block.statements[place]
        made = replace(statement, own=statement.own | {name}) if isinstance(statement, For) else None
        block.statements[place] = made or Assign(name, row, own, kind)
        return name
    name = scope.fresh(wanted)
    block.statements.append(Assign(name, row, own, kind))
    return name


def to_copy(results: Iterable[Node], known: Collection[int]) -> set[int]:
    """The positions of the results that have to be copied; ``known`` are rows that somebody else holds."""
    found, claimed = set(), set(known)
    for position, row in enumerate(results):
        if not row.ndim:
            continue
        *views, owner = [row] if row.value is not None else sharing(row)
        owners = [*owners_of(owner)]
        if any(o.is_declared or o.id in claimed for o in owners) or any(is_repeated(v) for v in views):
            found.add(position)
        claimed.update(o.id for o in owners)
    return found


def owners_of(row: Node) -> Iterator[Node]:
    """A row, and what it may be: what a loop carries to its end what it begins with, where the loop has no step, what
    is guarded what it guards."""
    yield row
    guarded = given_back(row.form)
    if guarded is not None:
        yield from owners_of(base(row.args[guarded]))
    scan = row.args[0] if row.is_result else None
    if scan is not None and row.attr < len(scan.attr.carry) and not scan.attr.length.is_Integer:
        *_, first = sharing(scan.args[row.attr])
        yield from owners_of(first)


# -- functions that compute something of their own


@dataclass(frozen=True)
class Maker:
    """Makes functions beside forward and backward for a model. ``given`` are the declared arrays, ``leaves`` what other
    functions call them, by id, ``like`` is their scheduler."""

    model: Model
    given: Mapping[str, Node]
    leaves: Mapping[int, str]
    like: Scheduler

    def body(self, results: Mapping[str, Node], names: Mapping[int, str], further: Sequence[Node] = ()
             ) -> tuple[Block, dict[str, str], dict[int, str]]:
        """Statements that compute ``results``, and all they need, once; the variables of these, by the names wanted,
        and of leaves that are given ``further``, by id. ``names`` are what rows are called."""
        scope = Scope([*map(escape, self.model.sizes), *self.leaves.values()])
        own = {row.id: scope.fresh(row.name or "") for row in further}
        leaves = {**self.leaves, **own}
        called = {i: f"{n}_" if n == DIRECTION else n for i, n in names.items() if i not in leaves}
        variables = Variables(called, scope)
        variables.given |= leaves
        known = {row.id: variables.expr(row) for row in (*self.given.values(), *further)}
        scheduler = Scheduler(self.like.rows, variables, self.like.level, self.like.target)
        block = scheduler.block([*results.values()], known)
        return block, dict(zip(results, finished(block, results, known, scope), strict=True)), own


def product_function(product: Product, maker: Maker) -> Along:
    """The function of a derivative along v."""
    wanted = {name: product.word.format(name) for name in product.results}
    results = {wanted[name]: row for name, row in product.results.items()}
    further = [*product.directions.values(), *product.upstream.values()]
    block, found, own = maker.body(results, product.names, further)
    return Along(
        product.kind, product.says, block, product.names, {n: own[row.id] for n, row in product.directions.items()},
        {n: own[row.id] for n, row in product.upstream.items()}, {n: found[w] for n, w in wanted.items()}, product.like,
    )
