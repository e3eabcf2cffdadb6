"""What functions return, and functions beside forward and backward: derivatives along a direction v."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from symbackprop.codegen.names import Scope, escape
from symbackprop.codegen.program import Assign, Block, Function
from symbackprop.codegen.rows import sharing
from symbackprop.codegen.schedule import Scheduler, Variables
from symbackprop.core.facts import is_repeated
from symbackprop.core.graph import Node
from symbackprop.derive.products import Product

# -- every result is an array of its own


def finished(block: Block, results: Mapping[str, Node], known: Collection[int], scope: Scope) -> list[str]:
    """The variables of a block's results, by the names wanted; what would share memory with something else is copied,
    and a result that has another name gets its own as well."""
    copies = to_copy(results.values(), known)
    names: list[str] = []
    for position, (wanted, row) in enumerate(results.items()):
        name, own = block.variable(row), position in copies
        if own or row.id in known or name in names or name != escape(wanted):
            name = _own(block, row, name in names, wanted, own, scope)
        names.append(name)
    return names


def _own(block: Block, row: Node, taken: bool, wanted: str, own: bool, scope: Scope) -> str:
    """A variable for a result: the one it is computed into, or one more."""
    for k, statement in enumerate(block.statements):
        if taken or not isinstance(statement, Assign):
            continue
        if statement.row is row and statement.name == escape(wanted):
            block.statements[k] = Assign(statement.name, row, own)
            return statement.name
    name = scope.fresh(wanted)
    block.statements.append(Assign(name, row, own))
    return name


def to_copy(results: Iterable[Node], known: Collection[int]) -> set[int]:
    """The positions of the results that have to be copied; ``known`` are rows that somebody else holds."""
    found, claimed = set(), set(known)
    for position, row in enumerate(results):
        if not row.ndim:
            continue
        *views, owner = [row] if row.value is not None else sharing(row)
        if owner.is_declared or owner.id in claimed or any(is_repeated(v) for v in views):
            found.add(position)
        claimed.add(owner.id)
    return found


# -- derivatives along a direction


def product_function(product: Product, given: Mapping[str, Node], leaves: Mapping[int, str], like: Scheduler
                     ) -> Function:
    """The function of a derivative along v: all that it needs is computed in it, once. ``given`` are the declared
    arrays, ``leaves`` what the other functions call them, ``like`` their scheduler."""
    scope = Scope([*map(escape, product.model.sizes), *leaves.values()])
    further = [*product.directions.values(), *product.upstream.values()]
    own = {row.id: scope.fresh(row.name or "") for row in further}
    variables = Variables({i: n for i, n in product.names.items() if i not in {**leaves, **own}}, scope)
    variables.given |= {**leaves, **own}
    known = {row.id: variables.expr(row) for row in (*given.values(), *further)}
    scheduler = Scheduler(like.rows, variables, like.level, like.target)
    block = scheduler.block(list(product.results.values()), known)
    names = finished(block, {product.word.format(n): row for n, row in product.results.items()}, known, scope)
    return Function(
        product.kind, product.says, block, {n: own[row.id] for n, row in product.directions.items()},
        {n: own[row.id] for n, row in product.upstream.items()},
        dict(zip(product.results, names, strict=True)), product.like, product.names,
    )
