"""The rules that shorten one term of a normal form, each a named identity with its proof.

A rule gets a term and gives the shorter one, None where it does not apply, and `GONE` where the term is 0. What a rule
is called is what a derivation says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from typing import NamedTuple

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import is_identity, is_range, is_simplex, is_symmetric, one_hot_index
from symbackprop.core.graph import BOOL, Node
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.derive.computed import Facts
from symbackprop.derive.factoring import matched, times
from symbackprop.derive.flatten import Deep, Flattening, fitted
from symbackprop.derive.terms import (
    KNOWN_PRODUCT,
    KNOWN_SUM,
    ONE,
    Key,
    Powers,
    Term,
    all_letters,
    canonical,
    collected,
    is_number,
    product,
    raised,
)

MAX_ROUNDS = 24
EXCHANGED = "Σ P ⊙ (δ Vᵀ) = Σ δ ⊙ (P V)"
GONE = Term(Fraction(0), frozenset(), {})


class Rule(NamedTuple):
    """An identity of terms: what a derivation calls it, the function that applies it, and whether a row is one that it
    looks at among the factors; None for a rule of sums over whatever rows."""

    name: str
    apply: Callable[[Rules, Term], Term | None]
    looks_at: Callable[[Rules, Node], bool] | None


RULES: list[Rule] = []


def rule(name: str, looks_at: Callable[[Rules, Node], bool] | None = None
         ) -> Callable[[Callable[[Rules, Term], Term | None]], Callable[[Rules, Term], Term | None]]:
    """Makes a function a rule of that name."""

    def register(apply: Callable[[Rules, Term], Term | None]) -> Callable[[Rules, Term], Term | None]:
        RULES.append(Rule(name, apply, looks_at))
        return apply

    return register


def is_product(_: Rules, node: Node) -> bool:
    return isinstance(node.attr, Pattern)


class Rules:
    """Applies the rules to terms. ``fired`` are the names of those that did something, in order; ``own`` is the
    gradient that is looked at, which cannot be read itself."""

    def __init__(self, flattening: Flattening, facts: Facts, rows: Iterable[Node]) -> None:
        self.flattening, self.facts, self.space = flattening, facts, flattening.space
        self.nodes = flattening.graph.nodes
        self.deep = Deep(flattening, rows)
        self.fired: dict[str, None] = {}
        self.alone: list[tuple[Key, tuple[int, ...]]] = []
        self.own = 0
        self._cancelled: dict[tuple[int, tuple[int, ...]], bool] = {}
        self._totals: dict[tuple[int, tuple[int, ...]], Term | None] = {}
        self._of_rows: dict[int, list[Rule]] = {}

    def tidied(self, term: Term) -> Term | None:
        """A term that no rule shortens further; None where it is 0."""
        for _ in range(MAX_ROUNDS):
            found = self._once(term)
            if found is None:
                return term
            if found is GONE:
                return None
            term = self.flattening.settled(found.with_powers(found.powers))
        return term

    def _once(self, term: Term) -> Term | None:
        own = {each.name for key in term.powers for each in self._of_row(key[0])}
        if not own and not term.summed:
            return None
        self.alone = self._alone(term)
        for each in RULES:
            looks = term.summed if each.looks_at is None else each.name in own
            found = each.apply(self, term) if looks else None
            if found is not None:
                self.fired.setdefault(each.name)
                return found
        return None

    def _of_row(self, id_: int) -> list[Rule]:
        """The rules that look at a factor."""
        found = self._of_rows.get(id_)
        if found is None:
            node = self.nodes.get(id_)
            found = [] if node is None else [each for each in RULES if each.looks_at and each.looks_at(self, node)]
            self._of_rows[id_] = found
        return found

    def _alone(self, term: Term) -> list[tuple[Key, tuple[int, ...]]]:
        """Factors to the power 1, and the axes of them that are summed over in them alone."""
        own = {i for i in term.summed if sum([i in key[1] for key in term.powers]) == 1}
        if not own:
            return []
        places = [(k, tuple([a for a, i in enumerate(k[1]) if i in own])) for k, p in term.powers.items() if p == 1]
        return [(key, axes) for key, axes in places if axes and not is_number(key)]

    def cancels(self, id_: int, axes: tuple[int, ...]) -> bool:
        """Whether the entries of a gradient array sum to 0 along axes: the terms that it is the sum of add up to 0."""
        key, (own, terms) = (id_, axes), self.flattening.sums.get(id_, ((), []))
        if key not in self._cancelled and len(terms) > 1:
            before = self.fired, self.alone
            self.fired = {}
            over = {own[a] for a in axes if own[a]}
            found = [self.tidied(self.flattening.bound(t, over)) for t in terms]
            self._cancelled[key] = not collected([t for t in found if t is not None])
            self.fired, self.alone = before
        elif key not in self._cancelled and isinstance(self.nodes[id_].attr, Pattern):
            self._cancelled[key] = self._is_product_of_centred(self.nodes[id_], axes)
        return self._cancelled.get(key, False)

    def total(self, node: Node, axes: tuple[int, ...]) -> Term | None:
        """The number that the entries of a sum of forward rows add up to along axes; None where it is none."""
        key = node.id, axes
        if key not in self._totals and isinstance(node.form, f.Add):
            before, self._totals[key] = (self.fired, self.alone), None
            self.fired, index = {}, self.space.index(node)
            over = {index[a] for a in axes if index[a]}
            terms = self.flattening.form(node.form, node.args, index)
            whole = [self.tidied(self.flattening.bound(t, over)) for t in terms]
            found = collected([t for t in whole if t is not None])
            if len(found) == 1 and not all_letters(found[0].powers):
                self._totals[key] = found[0]
            self.fired, self.alone = before
        return self._totals.get(key)

    def _is_product_of_centred(self, node: Node, axes: tuple[int, ...]) -> bool:
        """Whether a matrix product has a forward row whose entries sum to 0 along axes: 1ᵀ(A B) = (1ᵀA) B."""
        index = self.space.index(node)
        whole = self.flattening.bound(self.flattening.product_of(node, index), {index[a] for a in axes if index[a]})
        return any(self.flattening.is_computed(id_) and self.deep.vanishes(self.nodes[id_], own)
                   for (id_, _), own in self._alone(whole))

    def known_sum(self, term: Term, part: Powers) -> Term | None:
        """The term with some factors read from the row that is their sum over all letters that only they have."""
        if frozenset([key[0] for key in part]) not in self.facts.summed:
            return None
        rest = {k: p for k, p in term.powers.items() if k not in part}
        own = (all_letters(part) & term.summed) - all_letters(rest)
        key, names = canonical(part.items(), (), loose=True)
        known = self.facts.sums.get((key, tuple(sorted(names[i] for i in own))))
        if known is None or known.id == self.own:
            return None
        letter = {number: i for i, number in names.items()}
        index = tuple([letter[known.names[i]] if i else 0 for i in known.at])
        to = {i: letter[number] for i, number in known.names.items()}
        inverse = raised(self.space, self.space.renamed(known.outside, to), -1)
        if inverse is None or set(index) & own or all_letters(inverse.powers) & own:
            return None
        node, forward = self.nodes[known.id], known.id in self.flattening.forward
        read = self.flattening.forward_entry(node, index) if forward else [self.flattening.atom(node, index)]
        rest_of = Term(term.number, term.summed - own, rest, term.weighed)
        found = product(self.space, product(self.space, rest_of, inverse), read[0])
        divides = any(p < 0 and term.powers.get(k, 0) >= 0 for k, p in found.powers.items() if not is_number(k))
        return None if divides else found


@rule("Σ of centred entries is 0")
def _centred(rules: Rules, term: Term) -> Term | None:
    """Σ_i c_i = 0 where the row c, written out, is a sum that vanishes: for c = x − mean(x), Σ c = Σ x − N·(Σ x)/N."""
    for (id_, _), axes in rules.alone:
        node = rules.nodes[id_]
        if rules.deep.vanishes(node, axes) if rules.flattening.is_computed(id_) else rules.cancels(id_, axes):
            return GONE
    return None


@rule("probabilities add up to 1", lambda rules, node: bool(_axes_of_shares(node)))
def _probabilities(rules: Rules, term: Term) -> Term | None:
    """Σ_i p_i = 1 for p = softmax(z) along its axis, since p_i = e^(z_i)/Σ_k e^(z_k); and for one-hot rows, such as
    those of the identity."""
    return _added_up(rules, term, _axes_of_shares)


def _added_up(rules: Rules, term: Term, axes_of: Callable[[Node], Collection[int]]) -> Term | None:
    """The term without a factor that adds up to 1 along one of the axes that ``axes_of`` says of its row."""
    for key, axes in rules.alone:
        node = rules.nodes.get(key[0])
        axis = None if node is None else next((a for a in axes_of(node) if a in axes), None)
        if axis is not None:
            own = {key[1][a] for a in axes}
            rest = {k: p for k, p in term.powers.items() if k is not key}
            left = Term(term.number, term.summed - own, rest, term.weighed)
            return rules.flattening.bound(left, own - {key[1][axis]})
    return None


@rule("rows of a simplex add up to 1", lambda rules, node: is_simplex(node))
def _simplex(rules: Rules, term: Term) -> Term | None:
    """Σ_i p_i = 1 along the last axis of an array that is stated to be simplex."""
    return _added_up(rules, term, lambda node: (node.ndim - 1,) if is_simplex(node) else ())


@rule("entries add up to a number")
def _number(rules: Rules, term: Term) -> Term | None:
    """Σ_i (a p_i + b/n) = a + b for Σ_i p_i = 1: smoothed labels, 0.9·1[i = y] + 0.1/n, add up to 1."""
    for key, axes in rules.alone:
        total = rules.total(rules.nodes[key[0]], axes) if rules.flattening.is_computed(key[0]) else None
        if total is not None:
            rest = {k: p for k, p in term.powers.items() if k is not key}
            left = Term(term.number, term.summed - {key[1][a] for a in axes}, rest, term.weighed)
            return product(rules.space, left, total)
    return None


def _axes_of_shares(node: Node) -> Collection[int]:
    """The axes along each of which the entries of a row add up to 1."""
    if _is_softmax(node):
        return (int(node.attr),)
    if is_identity(node):
        return (0, 1)
    return (node.ndim - 1,) if node.ndim and one_hot_index(node) is not None else ()


@rule("a truth value is its square", lambda rules, node: node.kind == BOOL)
def _truth(rules: Rules, term: Term) -> Term | None:
    """b·b = b for b = 0 and b = 1."""
    for key, p in term.powers.items():
        if p > 1 and key[0] in rules.nodes and rules.nodes[key[0]].kind == BOOL:
            return term._replace(powers={**term.powers, key: 1})
    return None


@rule("a symmetric matrix is its transpose",
      lambda rules, node: _is_its_transpose(node) or (is_product(rules, node) and any(map(is_symmetric, node.args))))
def _symmetric(rules: Rules, term: Term) -> Term | None:
    """δ_ij = δ_ji for the identity matrix, a one-hot array whose indices are 0, 1, 2 …, and S_ij = S_ji where S is
    stated to be symmetric. So Sᵀ x = S x: a product with S is the one with Sᵀ where that is there."""
    for key, p in term.powers.items():
        node, index, found = rules.nodes.get(key[0]), key[1], None
        if node is None or p != 1:
            continue
        if len(index) == 2 and 0 not in index and index[0] > index[1] and _is_its_transpose(node):
            found = rules.flattening.atom(node, index[::-1])
        elif isinstance(node.attr, Pattern) and any(map(is_symmetric, node.args)):
            found = rules.flattening.known_product(node, index, mirrored=True)
        if found is not None:
            return _in_place_of(rules, term, key, found)
    return None


@rule(KNOWN_PRODUCT, is_product)
def _multiple(rules: Rules, term: Term) -> Term | None:
    """(λ u) B = λ (u B), for a number or a factor of every row: it is used where u B is there."""
    for key, p in term.powers.items():
        node = rules.nodes.get(key[0])
        if p == 1 and node is not None and isinstance(node.attr, Pattern) and key[0] not in rules.flattening.forward:
            found = rules.flattening.known_product(node, key[1], mirrored=False)
            if found is not None:
                return _in_place_of(rules, term, key, found)
    return None


def _in_place_of(rules: Rules, term: Term, key: Key, other: Term) -> Term:
    """The term with another one in the place of a factor."""
    return product(rules.space, term.with_powers({k: p for k, p in term.powers.items() if k is not key}), other)


def _is_its_transpose(node: Node) -> bool:
    return is_symmetric(node) or _is_identity(node)


def _is_identity(node: Node) -> bool:
    index = one_hot_index(node)
    return index is not None and is_range(index)


@rule("relu(u) ⊙ 1[u > 0] = relu(u)", lambda rules, node: node.role is Role.RECTIFIED)
def _rectified(rules: Rules, term: Term) -> Term | None:
    """max(u, 0)·1[u > 0] = max(u, 0): both are 0 where u is not positive, whatever is said to be the slope at 0."""
    for (id_, index), p in term.powers.items():
        node = rules.nodes.get(id_)
        if p > 0 and node is not None and node.role is Role.RECTIFIED:
            for key in term.powers:
                mask = rules.nodes.get(key[0])
                if key[1] == index and mask is not None and _is_positive(mask, node.args):
                    return term._replace(powers={k: q for k, q in term.powers.items() if k is not key})
    return None


def _is_positive(mask: Node, args: tuple[Node, ...]) -> bool:
    """Whether a row is 1[u > 0] of these arguments, and 1[u > 1] is not."""
    match mask.form:
        case f.Call(role=Role.ABOVE, args=(f.Arg(0), f.ZERO, _)):
            return mask.args == args
    return False


@rule("p ⊙ 1[mask] = p", lambda rules, node: _mask_of(node) is not None)
def _masked(rules: Rules, term: Term) -> Term | None:
    """p_i·1[m_i] = p_i for p = softmax(where(m, s, −∞)): p_i = 0 where m_i does not hold."""
    for (id_, index), p in term.powers.items():
        mask = _mask_of(rules.nodes.get(id_)) if p > 0 else None
        for key in term.powers if mask is not None else ():
            node = rules.nodes.get(key[0])
            if mask is not None and _truth_of(node) is mask and key[1] == fitted(index, mask):
                return term._replace(powers={k: q for k, q in term.powers.items() if k is not key})
    return None


def _mask_of(node: Node | None) -> Node | None:
    """The condition outside of which the scores of a softmax are −∞."""
    if node is None or not _is_softmax(node):
        return None
    scores = node.args[0]
    match scores.form:
        case f.Call(role=Role.CHOICE, args=(f.Arg(place), _, f.Num(value))) if value == -sp.oo:
            return scores.args[place]
    return None


def _is_softmax(node: Node) -> bool:
    return node.op.distribution


def _truth_of(node: Node | None) -> Node | None:
    """The condition that a row of zeros and ones is."""
    return node.args[0] if node is not None and node.role is Role.TRUTH and node.args else None


@rule("p ⊙ onehot(y) = pick(p, y) ⊙ onehot(y)", lambda rules, node: node.id in rules.facts.picks)
def _picked(rules: Rules, term: Term) -> Term | None:
    """p_iv·1[v = y_i] = p_(i,y_i)·1[v = y_i]: both are 0 where v is not y_i. It is used where p_(i,y_i) is there."""
    for (id_, index), q in term.powers.items():
        for pick in rules.facts.picks.get(id_, ()) if q > 0 else ():
            found = matched(term.powers, pick.term.powers, dict(zip(pick.place, index, strict=True)))
            if found is not None:
                letter, sign = found
                powers = times(term.powers, pick.term.powers, letter, -sign)
                powers = times(powers, {(pick.id, pick.at): 1}, letter, sign)
                return term._replace(number=term.number / pick.term.number**sign, powers=powers)
    return None


@rule("e/(1 + e) = 1 − 1/(1 + e)", lambda rules, node: node.id in rules.facts.shares)
def _other_share(rules: Rules, term: Term) -> Term | None:
    """e·s = e/(1 + e) = 1 − 1/(1 + e) = 1 − s where s = 1/(1 + e) is there, and 1/(1 + e) = 1 − s for s = e/(1 + e)."""
    for key, p in term.powers.items():
        share = rules.facts.shares.get(key[0]) if p < 0 else None
        parts = 0 if share is None else term.powers.get((share.id, key[1]), 0)
        if share is not None and (parts >= 1 if share.part else parts < -p):
            change: Powers = {key: 1, (share.other.id, key[1]): 1, **({(share.id, key[1]): -1} if share.part else {})}
            return product(rules.space, term, Term(ONE, frozenset(), change))
    return None


@rule(KNOWN_SUM)
def _known(rules: Rules, term: Term) -> Term | None:
    """Σ_k u_k v_k is the row s where the forward pass has computed s = Σ_k u_k v_k."""
    for i in sorted(term.summed):
        found = rules.known_sum(term, {k: p for k, p in term.powers.items() if i in k[1]})
        if found is not None:
            return found
    return None


@rule(EXCHANGED, is_product)
def _exchanged(rules: Rules, term: Term) -> Term | None:
    """Σ_j P_ij (Σ_e δ_ie V_je) = Σ_e δ_ie (Σ_j P_ij V_je): the order of finite sums does not matter. It is used where
    P V is there."""
    for i in sorted(term.summed):
        part = {k: p for k, p in term.powers.items() if i in k[1]}
        for key in part:
            node = rules.nodes.get(key[0])
            product_of = node is not None and key[0] not in rules.flattening.forward and isinstance(node.attr, Pattern)
            if not product_of or part[key] != 1 or len(part) != 2 or node is None:
                continue
            inner = rules.flattening.product_of(node, key[1])
            others = {k: p for k, p in term.powers.items() if k is not key}
            whole = product(rules.space, term._replace(powers=others), inner)
            found = rules.known_sum(whole, {k: p for k, p in whole.powers.items() if i in k[1]})
            if found is not None and len(found.powers) == len(term.powers):
                return found
    return None
