"""The index view: ∂L/∂W_ij = Σ_{n,k} ∂L/∂Z_nk · ∂Z_nk/∂W_ij = Σ_n X_ni δ_nj, with bound indices and 1[k = j].

Steps whose rows have no form by entries (softmax, windows, loops) are written as in the matrix view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.shapes import is_one
from symbackprop.render.context import Context, Group, groups
from symbackprop.render.document import Line, Math
from symbackprop.render.entries import Entries, Fresh
from symbackprop.render.jacobian_entries import jacobian_entry
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.symbols import Located
from symbackprop.render.views.elements import element_lines
from symbackprop.render.views.matrix import MatrixView, is_loop

Entry = Callable[[Entries], Text]


class IndexView(MatrixView):
    """Lines of the steps, entry by entry."""

    name = "index"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.blocked = sorted({name for name in context.derivation.names.values() if len(name) == 1})

    def lines(self, s: Located) -> tuple[Line, ...]:
        parts = groups(s)
        if any(g.consumer is None or is_loop(g) for g in parts) or s.depth:
            return super().lines(s)
        target = self._letters(s.step.target, "ijpqrs", ())
        consumers = [self._letters(g.consumer, "klmuvw", target) for g in parts if g.consumer is not None]
        left = self._write(target, (), lambda e: self._gradient(e, s.step.target, target))
        inner = [self._local_entry(s, g, k, target) for g, k in zip(parts, consumers, strict=True)]
        chain = [] if all(self._is_direct(g) for g in parts) else [self._chain_entry(s, left, parts, consumers, target)]
        known = [self._known(g) for g in parts if self._has_symbol(g.consumer)]
        elements = element_lines(self.context, s, parts) if len(parts) == 1 else ()
        local = inner if chain else []
        result = self._result_entry(s, left, target, parts, bool(chain))
        return (*chain, *known, *local, *result, *elements, *self._value(s))

    # -- indices
    def _letters(self, node: Node, wishes: str, taken: Sequence[str]) -> list[str]:
        """Index letters of an array: of its sizes for a consumer's batch, else from a fixed list."""
        free = [c for c in wishes if c not in taken and c not in self.blocked]
        fresh = Fresh([*taken, *free], self.blocked)
        letters = []
        for d in node.shape:
            named = wishes.startswith("k") and d.is_Symbol and d.name[0].lower() == "n"
            letters.append("1" if is_one(d) else fresh.letter(d) if named or not free else free.pop(0))
        return letters

    def _write(self, target: Sequence[str], consumer: Sequence[str], entry: Entry) -> Math:
        """Both notations, with the same letters for inner sums."""

        def write(n: RowNotation) -> Text:
            return entry(Entries(n, Fresh([*target, *consumer], self.blocked)))

        return self.pen(write)

    # -- lines
    def _gradient(self, e: Entries, node: Node, index: Sequence[str]) -> Text:
        return e.n.derivative(e.n.loss, e.named(node, e.n.plain[node.id], index), True)

    def _chain_entry(self, s: Located, left: Math, parts: Sequence[Group], consumers: Sequence[Sequence[str]],
                     target: Sequence[str]) -> Line:  # fmt: skip
        def write(e: Entries) -> Text:
            pairs = zip(parts, consumers, strict=True)
            return e.n.sum([(False, self._branch_entry(e, s, g, k, target)) for g, k in pairs])

        reason = "chain rule" if len(parts) == 1 else "chain rule, one term for each branch"
        return Line("chain", left, self._write(target, (), write), (reason,))

    def _branch_entry(self, e: Entries, s: Located, group: Group, index: Sequence[str], target: Sequence[str]) -> Text:
        consumer, wanted = group.consumer, self._named_entry(e, s.step.target, target)
        assert consumer is not None
        if self._is_direct(group):
            return e.n.directly(e.n.derivative(e.n.loss, wanted, True))
        own = self._named_entry(e, consumer, index)
        body = e.n.chain([e.n.derivative(e.n.loss, own, True), e.n.derivative(own, wanted, True)])
        letters = [i for i in index if i != "1"]
        return e.n.big_operator("sum", body, letters) if letters else body

    def _named_entry(self, e: Entries, node: Node, index: Sequence[str]) -> Text:
        return e.named(node, e.n.plain[node.id], index)

    def _local_entry(self, s: Located, group: Group, index: Sequence[str], target: Sequence[str]) -> Line:
        consumer = group.consumer
        assert consumer is not None
        reason = self._reason(group)
        direct = self._is_direct(group)

        def derivative(e: Entries) -> Text:
            own = self._named_entry(e, consumer, index)
            text = e.n.derivative(own, self._named_entry(e, s.step.target, target), True)
            return e.n.directly(text) if direct else text

        left = self._write(target, index, derivative)
        if self._jacobian(Entries(self.pen.text, Fresh([*target, *index], self.blocked)), group, index, target) is None:
            return self._local(s, group)
        right = self._write(target, index, lambda e: self._jacobian(e, group, index, target) or Text("?"))
        return Line("local", left, right, reason)

    def _jacobian(self, e: Entries, group: Group, index: Sequence[str], target: Sequence[str]) -> Text | None:
        found = [jacobian_entry(e, c.path, index, target) for c in group.contributions]
        known = [x for x in found if x is not None]
        return None if len(known) < len(found) else e.n.sum([(False, x) for x in known]) if len(known) > 1 else known[0]

    def _result_entry(self, s: Located, left: Math, target: Sequence[str], parts: Sequence[Group],
                      told: bool) -> tuple[Line, ...]:  # fmt: skip
        total = s.step.total
        own = self.context.owns(s) and total.id not in self.context.derivation.forward_ids
        right = self._write(target, (), lambda e: e.row(total, target) if own else e.ref(total, target))
        value = None if s.step.target.shape else self.context.value(total)
        shortened = self._shortened(s, parts) if told else None
        if shortened is None:
            return (Line("result", left, right, ("put together",) if told else self._reason(parts[0]), value=value),)
        upstream, factor = shortened
        product = self._write(target, (), lambda e: e.n.product([
            e.row(upstream, target), e.formula(factor.form, factor.rows, target)]))  # fmt: skip
        return (Line("substitution", left, product, ("substituted",)),
                Line("result", None, right, ("common factors cancel",), value=value))  # fmt: skip

    def _value(self, s: Located) -> list[Line]:
        """The numbers of the whole array."""
        value = self.context.value(s.step.total)
        if not s.step.target.shape or value is None or value.shown is None:
            return []
        return [Line("value", self.pen(lambda n: n.gradients[s.step.target.id]), value.shown)]
