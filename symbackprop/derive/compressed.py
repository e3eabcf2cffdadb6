"""Jacobians and Hessians that are kept compressed: `hessian`, `jacobian`, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.core.graph import Node
from symbackprop.core.loops import with_bodies
from symbackprop.core.outputs import convex_outputs
from symbackprop.core.reverse import vjp
from symbackprop.derive.push import OF_DIAGONAL, NoPush, Pushing
from symbackprop.derive.steps import Derivation
from symbackprop.derive.structure import Block
from symbackprop.errors import ModelError, UsageError
from symbackprop.model.load import as_model
from symbackprop.model.model import Model
from symbackprop.model.names import listed


class Blocks(Mapping[tuple[str, str], Block]):
    """The blocks of a Hessian (``twice``) or of a Jacobian, by the names of what is differentiated and of what by;
    ``why`` there are none, where they have no compressed form. Those of a Gauss–Newton matrix have its ``outputs``."""

    def __init__(self, blocks: Mapping[tuple[str, str], Block], twice: bool, why: str = "",
                 outputs: Sequence[Node] = ()) -> None:
        self._blocks, self.twice, self.why, self.outputs = dict(blocks), twice, why, tuple(outputs)

    def __getitem__(self, key: tuple[str, str]) -> Block:
        return self._blocks[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._blocks.values()))


def hessian(model: Model | str, wrt: Iterable[str] | str | None = None) -> Blocks:
    """The second derivatives of a model's loss by its parameters, or by the arrays in ``wrt``: a block for every pair.

    Raises `NoPush` where a block has no compressed form, `ModelError` for a model without a loss.
    """
    model = as_model(model)
    if model.loss_row is None:
        raise ModelError(f"{model.name} has outputs and no loss: ask for a Jacobian")
    names, rows = _wanted(model, wrt)
    gradients = vjp([model.loss_row], [model.graph.const(1)], rows)
    return hessian_of(gradients, names, rows)


def hessian_of(gradients: Sequence[Node], names: Sequence[str], rows: Sequence[Node]) -> Blocks:
    """The derivatives of gradients, of which those on one side of the diagonal are the transposed others."""
    graph = rows[0].graph
    pushing, found = Pushing(graph), dict[tuple[str, str], Block]()
    with graph.evaluating():
        for k, (name, row) in enumerate(zip(names, rows, strict=True)):
            for other, g, w, x in zip(names, gradients, rows, pushing.tangents(gradients[: k + 1], row), strict=False):
                block = Block(pushing.algebra, (other, name), (g.shape, row.shape), x.own, x.into, x.terms, w is row)
                found[other, name], found[name, other] = block, block if w is row else block.transposed()
    return Blocks({(a, b): found[a, b] for a in names for b in names}, True)


def diagonal_of(gradients: Sequence[Node], names: Sequence[str], rows: Sequence[Node]) -> Blocks:
    """The blocks of gradients by their own arrays alone, which the diagonal is read off."""
    graph = rows[0].graph
    pushing, found = Pushing(graph, OF_DIAGONAL), dict[tuple[str, str], Block]()
    with graph.evaluating():
        for name, row, g in zip(names, rows, gradients, strict=True):
            (x,) = pushing.tangents([g], row)
            found[name, name] = Block(pushing.algebra, (name, name), (g.shape, row.shape), x.own, x.into, x.terms, True)
    return Blocks(found, True)


def gauss_newton_of(loss: Node, names: Sequence[str], rows: Sequence[Node]) -> Blocks:
    """Jᵀ H J, J being the derivatives of the rows that the loss is a convex function of, H its second ones by these."""
    graph, pushing, found = loss.graph, Pushing(loss.graph), dict[tuple[str, str], Block]()
    outputs, held = convex_outputs(loss, rows)
    slopes = vjp([loss], [graph.const(1)], outputs, frozenset([row.id for row in (*outputs, *held)]))
    with graph.evaluating():
        left = {name: pushing.tangents(outputs, row) for name, row in zip(names, rows, strict=True)}
        for k, (name, row) in enumerate(zip(names, rows, strict=True)):
            right = pushing.through(slopes, outputs, pushing.tangents(outputs, row), row, held)
            for other, w in zip(names[: k + 1], rows, strict=False):
                terms = pushing.joined(left[other], right, loss)
                ends, shapes = (left[other][0].into, right[0].into), (w.shape, row.shape)
                block = Block(pushing.algebra, (other, name), shapes, *ends, terms, w is row)
                found[other, name], found[name, other] = block, block if w is row else block.transposed()
    return Blocks({(a, b): found[a, b] for a in names for b in names}, True, outputs=outputs)


def jacobian(model: Model | str, row: Node | str, wrt: Iterable[str] | str | None = None) -> Blocks:
    """∂(entries of a row, or of what has that name)/∂(entries of the parameters, or of the arrays in ``wrt``)."""
    model = as_model(model)
    names, rows = _wanted(model, wrt)
    return jacobian_of(row if isinstance(row, Node) else model.differentiable(row), names, rows)


def jacobian_of(node: Node, names: Sequence[str], rows: Sequence[Node]) -> Blocks:
    """The derivatives of a row by others."""
    label, graph = node.name or "row", node.graph
    pushing, found = Pushing(graph), dict[tuple[str, str], Block]()
    with graph.evaluating():
        for name, w in zip(names, rows, strict=True):
            (x,) = pushing.tangents([node], w)
            block = Block(pushing.algebra, (label, name), (node.shape, w.shape), x.own, x.into, x.terms, False)
            found[label, name] = block
    return Blocks(found, False)


HESSIAN, JACOBIAN, DIAGONAL = "hessian", "jacobian", "hessian_diagonal"


@dataclass(frozen=True)
class Whole:
    """What a function of that ``kind`` gives: ``blocks``, None where they have no compressed form; the arrays by which;
    what it is in words."""

    kind: str
    blocks: Blocks | None
    wrt: dict[str, Node]
    says: str


def wholes(derivation: Derivation, kinds: Iterable[str]) -> list[Whole]:
    """The whole Hessian of a derivation's loss by its parameters (of a model that has none by its inputs), the Jacobian
    of its results by parameters and inputs; of a diagonal perhaps two, of what is exact and of what is not. Raises
    `UsageError` for another kind, `ModelError` without a loss."""
    model, graph, found = derivation.model, derivation.model.graph, list[Whole]()
    graph.recognise(with_bodies(graph.topological([*model.results(), *derivation.gradients.values()])))
    for kind in kinds:
        if kind not in MADE:
            raise UsageError(f"there is no whole {kind!r}, but a {HESSIAN}, a {JACOBIAN} and a {DIAGONAL}")
        if not model.targets():
            what = kind.replace("_", " ").capitalize()
            raise UsageError(f"a {what} is by parameters or inputs, and {model.name} has none")
        found += MADE[kind](derivation)
    return found


def _slopes(derivation: Derivation) -> tuple[Node, dict[str, Node], list[Node]]:
    """The loss, the arrays that a Hessian is by, and its gradients in them."""
    model, loss = derivation.model, derivation.model.loss_row
    if loss is None:
        raise ModelError(f"{model.name} has outputs and no loss, and so no Hessian: ask for a Jacobian")
    wrt, known, one = dict(model.params) or model.targets(), derivation.gradients, [model.graph.const(1)]
    return loss, wrt, [known[n] if n in known else vjp([loss], one, [row])[0] for n, row in wrt.items()]


def _whole_hessian(derivation: Derivation) -> list[Whole]:
    loss, wrt, gradients = _slopes(derivation)
    says = f"The second derivatives of {loss.name}, by the names of rows and of columns"
    try:
        blocks = hessian_of(gradients, list(wrt), list(wrt.values()))
    except NoPush as error:
        wrt = {n: row for n, row in wrt.items() if n in derivation.gradients}
        return [Whole(HESSIAN, None, wrt, f"{says}, dense by products: {error.message.split(';')[0]}.")]
    return [Whole(HESSIAN, blocks, wrt, f"{says}, kept compressed.")]


def _diagonals(derivation: Derivation) -> list[Whole]:
    """The diagonal of the arrays whose second derivatives are kept compressed, and of the others."""
    loss, wrt, gradients = _slopes(derivation)
    exact, why = dict[tuple[str, str], Block](), dict[str, str]()
    for (n, row), g in zip(wrt.items(), gradients, strict=True):
        try:
            exact |= diagonal_of([g], [n], [row])
        except NoPush as error:
            why[n] = error.message.split(";")[0]

    def whole(blocks: Blocks | None, names: Sequence[str], how: str) -> Whole:
        of = f" of {', '.join(names)}" if exact and why else ""
        says = f"The second derivatives of {loss.name} by every entry{of}, by name, {how}."
        return Whole(DIAGONAL, blocks, {n: wrt[n] for n in names}, says)

    found = [whole(Blocks(exact, True), [n for n, _ in exact], "exact")] if exact else []
    asked = [n for n in why if n in derivation.gradients]
    if asked or not exact:
        found.append(whole(None, asked, f"estimated by products: {next(iter(why.values()))}"))
    return found


def _whole_jacobian(derivation: Derivation) -> list[Whole]:
    model = derivation.model
    wrt, found = model.targets(), dict[tuple[str, str], Block]()
    of = ", ".join(row.name or "" for row in model.results())
    says = f"The derivatives of {of}, by the names of what is differentiated and of what by"
    try:
        for row in model.results():
            found |= jacobian_of(row, list(wrt), list(wrt.values()))
    except NoPush as error:
        known = {n: row for n, row in wrt.items() if n in derivation.gradients}
        return [Whole(JACOBIAN, None, known, f"{says}, dense by products: {error.message.split(';')[0]}.")]
    return [Whole(JACOBIAN, Blocks(found, False), wrt, f"{says}, kept compressed.")]


MADE: dict[str, Callable[[Derivation], list[Whole]]] = {
    HESSIAN: _whole_hessian, JACOBIAN: _whole_jacobian, DIAGONAL: _diagonals,
}


@dataclass(frozen=True)
class Further:
    """What is derived besides gradients: an ``order``, the arrays of a ``hessian``, the row of a ``jacobian``; ``ggn``:
    the Gauss–Newton matrix in the Hessian's place."""

    order: int = 1
    hessian: Iterable[str] | str | None = None
    jacobian: str | None = None
    ggn: bool = False

    def blocks(self, derivation: Derivation, chosen: bool) -> Blocks:
        """The blocks, or why there are none; ``chosen``: which arrays gradients are taken of was asked for."""
        try:
            return self._blocks(derivation, chosen)
        except NoPush as error:
            return Blocks({}, self.jacobian is None, error.message)

    def _blocks(self, derivation: Derivation, chosen: bool) -> Blocks:
        if self.order not in (1, 2):
            raise UsageError(f"the order of a derivation is 1 or 2, not {self.order}")
        model = derivation.model
        usual = list(derivation.wrt) if chosen or not model.params else list(model.params)
        names, rows = _wanted(model, usual if self.hessian is None else self.hessian)
        if self.jacobian is not None and self.ggn:
            raise UsageError("a Jacobian is of a row, the Gauss–Newton matrix of the loss: ask for one of them")
        if self.jacobian is not None:
            return jacobian_of(model.differentiable(self.jacobian), names, rows)
        if model.loss_row is None:
            raise ModelError(f"{model.name} has outputs and no loss: ask for a Jacobian (--jacobian NAME)")
        if self.ggn:
            return gauss_newton_of(model.loss_row, names, rows)
        known = derivation.gradients
        gradients = [known[n] if n in known else vjp([model.loss_row], [model.graph.const(1)], [r])[0]
                     for n, r in zip(names, rows, strict=True)]
        return hessian_of(gradients, names, rows)


def _wanted(model: Model, wrt: Iterable[str] | str | None) -> tuple[list[str], list[Node]]:
    names = list(model.params) if wrt is None else listed(wrt)
    return list(names), [model.differentiable(name) for name in names]
