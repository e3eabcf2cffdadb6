"""Derivatives along a direction v, as rows: what a module computes of them beside its gradients.

``jvp`` is J v, by one forward sweep from the arrays that v moves to the results. ``hvp`` is the Hessian of the loss
times v (of a layer: of Σ upstream·Y), by a forward sweep over the gradient's own rows: forward over reverse, so that
what the forward and the backward pass compute is computed once. ``ggn`` is the Gauss–Newton matrix Jᵀ H J times v
(Schraudolph 2002): J v forwards to the outputs that the loss is a convex function of, H by a forward sweep over the
loss's gradient in them, Jᵀ by a backward one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.core.forward import Push, totals
from symbackprop.core.graph import Node
from symbackprop.core.loops import body_leaf, with_bodies
from symbackprop.core.names import dotted
from symbackprop.core.outputs import Outputs, convex_outputs
from symbackprop.core.reverse import sweep, vjp
from symbackprop.core.reverse import totals as settled
from symbackprop.derive.backprop import stack_name
from symbackprop.derive.closing import closed_rows
from symbackprop.derive.steps import Derivation
from symbackprop.errors import ModelError, UsageError, did_you_mean
from symbackprop.model.model import Model

HVP, JVP, GGN = "hvp", "jvp", "ggn"


@dataclass(frozen=True)
class Product:
    """A derivative along v: the leaves that v holds and what comes out, both by name, one ``like`` the other where that
    is so; the upstream gradients that it reads; what rows are called, by their ids. ``says`` is what it is, and a
    result is called ``word`` with its own name in it."""

    kind: str
    says: str
    word: str
    like: bool
    model: Model
    directions: dict[str, Node]
    results: dict[str, Node]
    upstream: dict[str, Node]
    names: dict[int, str]


def products(derivation: Derivation, kinds: Iterable[str], declared: Model | None = None) -> list[Product]:
    """The products of these kinds, along the arrays that the derivation has the gradients of, intermediates left out;
    ``declared`` is the model that the derivation's is another form of. Raises `UsageError` for another kind, and where
    there is nothing to go along."""
    kinds = list(kinds)
    if not kinds:
        return []
    made = Products(derivation, declared or derivation.model)
    if not made.wrt:
        raise UsageError(f"{kinds[0]} goes along parameters and inputs, and gradients of none are asked for")
    return [made.of(kind) for kind in kinds]


class Products:
    """The products of one derivation, whose rows are found again by what is equal to them."""

    def __init__(self, derivation: Derivation, declared: Model) -> None:
        self.d, self.model, self.graph, self.declared = derivation, derivation.model, derivation.model.graph, declared
        targets = self.model.targets()
        self.wrt = {n: targets[n] for n in derivation.gradients if n in targets}
        self.directions = {n: body_leaf(self.graph, f"v_{n}", row.shape, "upstream") for n, row in self.wrt.items()}
        known = self.graph.topological([*self.model.results(), *derivation.gradients.values()])
        self.graph.recognise(with_bodies(known))
        self.count, self.known = self.graph.count, frozenset([row.id for row in known])

    def of(self, kind: str) -> Product:
        made = {HVP: self.hvp, JVP: self.jvp, GGN: self.ggn}
        if kind not in made:
            raise UsageError(f"a product is {', '.join(made)}, not {kind!r}.{did_you_mean(kind, made)}")
        return made[kind]()

    def jvp(self) -> Product:
        results = {row.name or "": row for row in self.model.results()}
        found, names = self._pushed(list(results.values()))
        says = f"J v, by name: how fast {', '.join(results)} changes along v."
        return self._product(JVP, says, "{}_dot", False, dict(zip(results, found, strict=True)), {}, names)

    def hvp(self) -> Product:
        found, names = self._pushed([self.d.gradients[n] for n in self.wrt])
        results, upstream = dict(zip(self.wrt, found, strict=True)), self.model.upstream
        whole = ", ".join(row.name or "" for row in self.model.results())
        of = whole if self.model.loss_row is not None else f"Σ upstream·({whole})"
        return self._product(HVP, f"The Hessian of {of} times v.", "Hv_{}", True, results, upstream, names)

    def ggn(self) -> Product:
        loss = self.model.loss_row
        if loss is None:
            raise ModelError(f"{self.model.name} has outputs and no loss, and so no Gauss–Newton matrix: ask for {JVP}")
        declared = self.declared.loss_row
        loss, (outputs, held) = self._convex(loss, loss if declared is None else declared)
        tangents, names = self._pushed(outputs)
        stop = frozenset([row.id for row in (*outputs, *held)])
        slopes = vjp([loss], [self.graph.const(1)], outputs, stop)
        push = Push(self.graph, self.count)
        curved = totals(push.run(slopes, dict(zip([row.id for row in outputs], tangents, strict=True))), slopes)
        names |= called(push.pairs, self.d.names, self.count)
        back = list(sweep(outputs, curved, list(self.wrt.values())))
        for name, row in ((f"Gv_{label}", s.total) for s in back if (label := self._label(s.node)) is not None):
            names |= {} if row.id < self.count or row.value is not None else {row.id: names.get(row.id, name)}
        of = ", ".join(self._label(row) or "a row without a name" for row in outputs)
        says = (f"The Gauss–Newton matrix JᵀHJ of {loss.name} times v, J being the derivatives of the outputs {of}, "
                f"H the second ones of {loss.name} by these.")
        results = dict(zip(self.wrt, settled(back, list(self.wrt.values())), strict=True))
        return self._product(GGN, says, "Gv_{}", True, results, {}, names)

    def _convex(self, loss: Node, declared: Node) -> tuple[Node, Outputs]:
        """The loss and the rows that it is a convex function of: the declared one where other words of it are convex in
        other rows, as e^(−log cosh z) for 1/cosh(z), or not known to be so."""
        wrt = list(self.wrt.values())
        said = convex_outputs(declared, wrt)
        try:
            found = convex_outputs(loss, wrt)
        except ModelError:
            return declared, said
        return (loss, found) if _called(said) == _called(found) else (declared, said)

    def _label(self, row: Node) -> str | None:
        return row.name or self.d.names.get(row.id)

    def _product(self, kind: str, says: str, word: str, like: bool, results: dict[str, Node], upstream: dict[str, Node],
                 names: dict[int, str]) -> Product:
        """The product; a result that is a row of its own is called one."""
        results, names = self._closed(results, names)
        own = {*self.d.names, *[row.id for row in (*self.directions.values(), *upstream.values())]}
        fresh = {row.id: word.format(n) for n, row in results.items() if row.id not in own and row.value is None}
        names |= fresh
        for row in with_bodies(self.graph.topological(list(results.values()))):
            if row.is_result and row.id not in names:
                names[row.id] = stack_name(row, names)
        return Product(kind, says, word, like, self.model, self.directions, results, upstream, names)

    def _closed(self, results: dict[str, Node], names: dict[int, str]) -> tuple[dict[str, Node], dict[int, str]]:
        """The results in the closed forms that are cheaper, under the names that their rows had."""
        new = closed_rows(self.model, list(results.values()), self.d.forward_ids | self.known)
        moved = {new[i].id: name for i, name in names.items() if i in new and new[i].value is None}
        return {n: new.get(row.id, row) for n, row in results.items()}, {**moved, **names}

    def _pushed(self, rows: Sequence[Node]) -> tuple[list[Node], dict[int, str]]:
        """The tangents of rows along v, and what everything is called then."""
        push = Push(self.graph, self.count)
        given = {row.id: self.directions[n] for n, row in self.wrt.items()}
        found = totals(push.run(rows, given), rows)
        return found, self.d.names | called(push.pairs, self.d.names, self.count)


def _called(outputs: Outputs) -> list[set[str | int]]:
    """The rows by which outputs are known."""
    return [{row.name or row.id for row in rows} for rows in outputs]


def called(pairs: Iterable[tuple[Node, Node]], names: Mapping[int, str], count: int) -> dict[int, str]:
    """The names of tangents that are new in a graph of ``count`` rows: those of their rows with a dot."""
    found: dict[int, str] = {}
    for row, tangent in pairs:
        name = names.get(row.id) or row.name
        if name is not None and tangent.id >= count and tangent.value is None:
            found.setdefault(tangent.id, dotted(name))
    return found
