"""The index view: ∂L/∂W_ij = Σ_{n,k} ∂L/∂Z_nk · ∂Z_nk/∂W_ij = Σ_n X_ni δ_nj, with bound indices and 1[k = j].

Steps whose rows have no form by entries (softmax, windows, loops) are written as in the matrix view.
"""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.core.graph import Node
from symbackprop.core.maths import Derivative, Letter, Marked, Math, chain, product, total
from symbackprop.core.shapes import is_one
from symbackprop.render.context import Group, groups, is_loop
from symbackprop.render.document import Line
from symbackprop.render.entries import ONLY, Entries, letters_in
from symbackprop.render.jacobian_entries import jacobian_entry
from symbackprop.render.symbols import Located
from symbackprop.render.views.elements import element_lines
from symbackprop.render.views.matrix import MatrixView

Index = Sequence[Math]


class IndexView(MatrixView):
    """Lines of the steps, entry by entry."""

    def lines(self, s: Located) -> tuple[Line, ...]:
        parts = groups(s)
        if any(g.consumer is None or is_loop(g) for g in parts) or s.depth:
            return super().lines(s)
        target = self._letters(s.step.target, "ijpqrs", ())
        consumers = [self._letters(g.consumer, "klmuvw", target) for g in parts if g.consumer is not None]
        left = self._by_entry(s.step.target, target)
        rule = [] if all(self._is_direct(g) for g in parts) else [self._chain_entry(s, left, parts, consumers, target)]
        known = [self._known(g) for g in parts if self._has_symbol(g.consumer)]
        elements = element_lines(self.context, s, parts) if len(parts) == 1 else ()
        local = [x for g, k in zip(parts, consumers, strict=True) if rule for x in self._local_entry(s, g, k, target)]
        result = self._result_entry(s, left, target, [i for index in consumers for i in index], parts)
        return (*rule, *known, *local, *result, *elements, *self._value(s))

    # -- indices
    def _letters(self, node: Node, wishes: str, taken: Index) -> list[Math]:
        """Index letters of an array: of its sizes for a consumer's batch, else from a fixed list."""
        used, letters = set(letters_in(taken)), list[Math]()
        for d in node.shape:
            if is_one(d):
                letters.append(ONLY)
                continue
            batch = wishes.startswith("k") and d.is_Symbol and d.name[0].lower() == "n"
            letter = self.rows.letters.in_step(d, used, "n" if batch else wishes)
            used.add(letter)
            letters.append(Letter(letter))
        return letters

    # -- lines
    def _entry(self, node: Node, index: Index) -> Math:
        return Entries(self.rows, index).named(node, self.rows.plain[node.id], index)

    def _by_entry(self, node: Node, index: Index) -> Math:
        return Derivative(self.rows.loss, self._entry(node, index))

    def _chain_entry(self, s: Located, left: Math, parts: Sequence[Group], consumers: Sequence[Index],
                     target: Index) -> Line:
        pairs = zip(parts, consumers, strict=True)
        right = total(*[(False, self._branch_entry(s, g, k, target)) for g, k in pairs])
        reason = "chain rule" if len(parts) == 1 else "chain rule, one term for each branch"
        return Line("chain", left, right, (reason,))

    def _branch_entry(self, s: Located, group: Group, index: Index, target: Index) -> Math:
        consumer = group.consumer
        assert consumer is not None
        if self._is_direct(group):
            return Marked(self._by_entry(s.step.target, target), "direct")
        own = self._entry(consumer, index)
        body = chain(self._by_entry(consumer, index), Derivative(own, self._entry(s.step.target, target)))
        letters = {i: d for i, d in zip(index, consumer.shape, strict=True) if isinstance(i, Letter)}
        return Entries(self.rows, ()).sum(body, list(letters), letters.values()) if letters else body

    def _local_entry(self, s: Located, group: Group, index: Index, target: Index) -> list[Line]:
        consumer = group.consumer
        assert consumer is not None
        right = self._jacobian(group, index, target)
        if right is None:
            return [self._local(s, group)] if self._has_local(s, group) else []
        left: Math = Derivative(self._entry(consumer, index), self._entry(s.step.target, target))
        return [Line("local", Marked(left, "direct") if self._is_direct(group) else left, right, self._reason(group))]

    def _jacobian(self, group: Group, index: Index, target: Index) -> Math | None:
        entries = Entries(self.rows, (*target, *index))
        found = [jacobian_entry(entries, c.path, index, target) for c in group.contributions]
        known = [x for x in found if x is not None]
        return None if len(known) < len(found) else total(*[(False, x) for x in known])

    def _result_entry(self, s: Located, left: Math, target: Index, between: Index,
                      parts: Sequence[Group]) -> tuple[Line, ...]:
        row, told = s.step.total, not all(self._is_direct(g) for g in parts)
        e = Entries(self.rows, target, between)
        own = self.context.owns(s) and row.id not in self.context.derivation.forward_ids
        right = e.row(row, target) if own else e.ref(row, target)
        value = None if s.step.target.shape else self.context.value(row)
        shortened = self._shortened(s, parts) if told else None
        if shortened is None:
            return (Line("result", left, right, ("put together",) if told else self._reason(parts[0]), value=value),)
        upstream, factor = shortened
        e = Entries(self.rows, target, between)
        put = product(e.row(upstream, target), e.formula(factor.form, factor.rows, target))
        return (Line("substitution", left, put, ("substituted",)),
                Line("result", None, right, ("common factors cancel",), value=value))

    def _value(self, s: Located) -> list[Line]:
        """The numbers of the whole array."""
        value = self.context.value(s.step.total)
        if not s.step.target.shape or value is None or value.shown is None:
            return []
        return [Line("value", self.rows.gradients[s.step.target.id], value.shown)]
