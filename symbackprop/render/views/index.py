"""The index view: ∂L/∂W_ij = Σ_k ∂L/∂z_k · ∂z_k/∂W_ij = Σ_k δ_k·x_j·1[k = i] = δ_i·x_j.

The rules for matrices are proved here: a local derivative is written with the sum of its row and a Kronecker delta for
every index that two entries have to share, then without the sums that these settle. What has no form by entries (equal
largest entries, parts among zeros) goes by a rule, as in the matrix view.

For small literal sizes the entries of a gradient come together as a matrix product: ∂Y/∂x₁₁ is a matrix with a row of W
in it; ∂L/∂x₁₁ is the sum of its entries times those of ∂L/∂Y; all of them side by side are ∂L/∂Y Wᵀ.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from symbackprop.core.facts import is_product
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.maths import (
    AtStep,
    Big,
    Derivative,
    Entry,
    Indicator,
    Letter,
    Marked,
    Math,
    Matrix,
    Num,
    Prod,
    Sym,
    chain,
    product,
    total,
    walk,
    within,
)
from symbackprop.core.shapes import evaluate_shape
from symbackprop.derive.record import Edge
from symbackprop.render.context import Context, is_loop
from symbackprop.render.document import Line, Prose
from symbackprop.render.entries import BETWEEN, Entries, Index, index_of, letters_in
from symbackprop.render.factors import cancelling
from symbackprop.render.jacobian_entries import jacobian_entry
from symbackprop.render.loops import is_shared, read_as, shared_within, shares, steps_through
from symbackprop.render.print.text import text
from symbackprop.render.rules import joined, path_rules
from symbackprop.render.symbols import Group, Located
from symbackprop.render.views.matrix import MatrixView

# -- element by element
MAX_ENTRIES = 12
Place = tuple[int, ...]


def element_lines(context: Context, s: Located, parts: Sequence[Group]) -> tuple[Line, ...]:
    """The assembly of a gradient through one product of small matrices; nothing for others."""
    path = parts[0].contributions[0].path
    if len(parts[0].contributions) > 1 or len(path) != 1 or not is_product(path[0].consumer):
        return ()
    sizes = _sizes(context, [path[0].consumer, *path[0].consumer.args])
    if sizes is None or len(path[0].consumer.args) != 2:
        return ()
    return tuple(Assembly(context, s, path[0], sizes).lines())


def _sizes(context: Context, rows: Sequence[Node]) -> dict[int, Place] | None:
    """The literal shape of every row; None where a dimension has no size or an array is large."""
    given = {name: size for name, size in context.derivation.model.sizes.items() if size is not None}
    names = {symbol.name for row in rows for d in row.shape for symbol in d.free_symbols}
    if not names <= set(given):
        return None
    shapes = {row.id: evaluate_shape(row.shape, given) for row in rows}
    small = all(len(shape) == 2 and shape[0] * shape[1] <= MAX_ENTRIES for shape in shapes.values())
    return shapes if small else None


class Assembly:
    """The lines for one product and one of its operands."""

    def __init__(self, context: Context, s: Located, edge: Edge, sizes: Mapping[int, Place]) -> None:
        self.context, self.rows, self.s, self.edge, self.sizes = context, context.rows, s, edge, sizes
        self.ins, self.out = edge.consumer.attr.ins, edge.consumer.attr.out
        self.other = edge.consumer.args[1 - edge.index]

    def lines(self) -> list[Line]:
        target = self.s.step.target
        entries = [line for place in self._places(target) for line in self._entry_lines(target, place)]
        whole = self.rows.gradients[target.id]
        assembled = Line("element", whole, self._assembled(target), ("entry by entry",))
        put = self.rows.row(self.s.step.total)
        return [*entries, assembled, Line("element", whole, put, ("which is this matrix product",))]

    def _entry_lines(self, target: Node, place: Place) -> tuple[Line, Line]:
        entry = self._entry(target, place)
        local = Derivative(self.rows.plain[self.edge.consumer.id], entry)
        whole = Derivative(self.rows.loss, entry)
        return Line("element", local, self._jacobian(place)), Line("element", whole, self._sum(place))

    def _assembled(self, target: Node) -> Math:
        rows, columns = self.sizes[target.id]
        entries = [[self._entry(target, (i, j)) for j in range(columns)] for i in range(rows)]
        return Matrix(tuple([tuple([Derivative(self.rows.loss, x, flat=True) for x in row]) for row in entries]))

    def _places(self, node: Node) -> list[Place]:
        return list(itertools.product(*[range(k) for k in self.sizes[node.id]]))

    def _entry(self, node: Node, place: Place) -> Math:
        """x₁₁: an entry by the small letter of its matrix."""
        name = self.context.derivation.names.get(node.id) or node.name or "?"
        small = name.lower() if len(name) == 1 and name.lower() not in self.context.derivation.names.values() else name
        counted = tuple([k + 1 for k in place])
        if len(small) == 1:
            return Sym(small + "".join(map(str, counted)), (), node.id, entry=counted)
        return Entry(Sym(name, node.shape, node.id), tuple([Num(sp.Integer(k)) for k in counted]))

    def _local(self, out: Place, place: Place) -> Math | None:
        """∂y_out/∂x_place: an entry of the other operand, or nothing where indices differ."""
        known = dict(zip(self.out, out, strict=True))
        for letter, k in zip(self.ins[self.edge.index], place, strict=True):
            if known.setdefault(letter, k) != k:
                return None
        return self._entry(self.other, tuple(known[c] for c in self.ins[1 - self.edge.index]))

    def _jacobian(self, place: Place) -> Math:
        rows, columns = self.sizes[self.edge.consumer.id]
        zero = Num(sp.S.Zero)
        return Matrix(tuple([tuple([self._local((i, j), place) or zero for j in range(columns)]) for i in range(rows)]))

    def _sum(self, place: Place) -> Math:
        consumer = self.edge.consumer
        local = {out: self._local(out, place) for out in self._places(consumer)}
        terms = [chain(Derivative(self.rows.loss, self._entry(consumer, out)), x) for out, x in local.items() if x]
        return total(*[(False, t) for t in terms])


REMAIN: Prose = ("the terms with equal indices remain",)


@dataclass(frozen=True)
class Branch:
    """One branch of a gradient: the letters of its consumer's entry, and ∂consumer/∂target by entries, with the sums of
    its rows (``proven``) and without those that Kronecker deltas settle (None: it has no such form)."""

    group: Group
    index: Index
    proven: Math | None = None
    local: Math | None = None

    @property
    def is_proof(self) -> bool:
        return self.proven is not None and self.local is not None and text(self.proven) != text(self.local)


class IndexView(MatrixView):
    """Lines of the steps, entry by entry."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.rows.by_entry = True

    def lines(self, s: Located) -> tuple[Line, ...]:
        parts = s.groups
        target = self._index(s, parts)
        left = self._by_entry(s.step.target, target)
        if all(g.consumer is None for g in parts):
            return self._first(s, left, parts, target)
        if len(parts) == 1 and is_loop(parts[0]):
            return (*self._all_steps(s, left, parts[0], target), *self._together(s, parts), *self._value(s))
        branches = [self._found(g, target) for g in parts]
        if len(parts) == 1 and self._is_direct(parts[0]):
            lines = self._of_loss(s, left, branches[0], target)
            return (*lines, *self._together(s, parts), *self._value(s))
        rule = self._chain_entry(s, left, branches, target)
        few = self.rows.few(branches)
        known = [self._known_entry(b) for b in few if self._is_cached(b.group)]
        local = [line for b in few for line in self._local_entry(s, b, target)]
        elements = element_lines(self.context, s, parts) if len(parts) == 1 else ()
        elements = elements or self._together(s, parts)
        return (rule, *known, *local, *self._result_entry(s, left, branches, target), *elements, *self._value(s))

    def shortest(self, s: Located, whole: Node) -> tuple[Math, Math]:
        target = self._index(s, s.groups)
        return self._by_entry(s.step.target, target), Entries(self.rows, target).row(whole, target)

    # -- entries
    def _index(self, s: Located, parts: Sequence[Group]) -> list[Math]:
        """The letters of a gradient; the first one of a stack is the counter of the loop that goes through it."""
        found = index_of(self.rows, s.step.target, batch=False)
        counters = [] if s.depth else [x for x in map(steps_through, parts) if x]
        return [Letter(counters[0]), *found[1:]] if counters else found

    def _found(self, group: Group, target: Index) -> Branch:
        if group.consumer is None or is_loop(group):
            return Branch(group, ())
        index = index_of(self.rows, group.consumer, BETWEEN, target)
        return Branch(group, index, self._jacobian(group, index, target, True), self._jacobian(group, index, target))

    def _jacobian(self, group: Group, index: Index, target: Index, proven: bool = False) -> Math | None:
        return jacobian_entry(Entries(self.rows, (*target, *index)), group.paths, index, target, proven)

    def _entry(self, node: Node, index: Index) -> Math:
        return Entries(self.rows, index).named(node, self.rows.plain[node.id], index)

    def _by_entry(self, node: Node, index: Index) -> Math:
        """∂L/∂(entry of the row), as its gradient is called."""
        symbol = within(self.rows.gradients[node.id])
        if isinstance(symbol, Marked):
            return Entries(self.rows, index).named(node, symbol, index)
        whole = Derivative(self.rows.loss, self._entry(node, index))
        return AtStep(whole, symbol.letter) if isinstance(symbol, AtStep) else whole

    # -- lines
    def _first(self, s: Located, left: Math, parts: Sequence[Group], target: Index) -> tuple[Line, ...]:
        whole = self._seed(s, left, parts)
        if not s.depth:
            return (whole,)
        e, own = Entries(self.rows, target), self.rows.symbols.get(s.step.total.id)
        is_own = own is None or self._total(s) is not own
        return (Line("result", left, (e.row if is_own else e.ref)(s.step.total, target), whole.reason),)

    def _of_loss(self, s: Located, left: Math, branch: Branch, target: Index) -> list[Line]:
        """∂L/∂(entry) for what the loss reads itself."""
        (result,), reason = self._come_to(s, left, [branch], target, ()), self._reason(branch.group)
        if branch.proven is None or not branch.is_proof:
            return [Line("result", left, result.right, reason, value=result.value)]
        return [Line("substitution", left, branch.proven, reason),
                Line("result", None, result.right, REMAIN, value=result.value)]

    def _chain_entry(self, s: Located, left: Math, branches: Sequence[Branch], target: Index) -> Line:
        right = self.rows.total(branches, lambda b: (False, self._branch_entry(s, b, target)))
        return Line("chain", left, right, ("chain rule" if len(branches) == 1 else RULE,))

    def _branch_entry(self, s: Located, b: Branch, target: Index) -> Math:
        consumer = b.group.consumer
        if consumer is None:
            return self._given(b, target)
        if is_loop(b.group):
            return self._share(b.group, target, written=False)
        if self._is_direct(b.group):
            return Marked(self._by_entry(s.step.target, target), "direct")
        local = Derivative(self._entry(consumer, b.index), self._entry(s.step.target, target))
        return self._over(b, chain(self._by_entry(consumer, b.index), local))

    def _given(self, b: Branch, target: Index) -> Math:
        e = Entries(self.rows, target)
        return total(*[(False, e.ref(c.value, target)) for c in b.group.contributions])

    def _over(self, b: Branch, body: Math) -> Math:
        """The sum over the entries of the consumer."""
        assert b.group.consumer is not None
        letters = {i: d for i, d in zip(b.index, b.group.consumer.shape, strict=True) if isinstance(i, Letter)}
        return Entries(self.rows, ()).sum(body, list(letters), letters.values()) if letters else body

    def _is_cached(self, group: Group) -> bool:
        return not is_loop(group) and not self._is_direct(group) and self._has_symbol(group.consumer)

    def _known_entry(self, b: Branch) -> Line:
        consumer = b.group.consumer
        assert consumer is not None
        right = Entries(self.rows, b.index).named(consumer, self.rows.linked[consumer.id], b.index)
        return Line("cached", self._by_entry(consumer, b.index), right, ("cached: ", self.context.step_ref(consumer)))

    def _local_entry(self, s: Located, b: Branch, target: Index) -> list[Line]:
        consumer = b.group.consumer
        if consumer is None or is_loop(b.group):
            return []
        if b.local is None or b.proven is None:
            return [self._local(s, b.group)]
        left: Math = Derivative(self._entry(consumer, b.index), self._entry(s.step.target, target))
        left = Marked(left, "direct") if self._is_direct(b.group) else left
        first = Line("local", left, b.proven, self._reason(b.group))
        return [first, Line("local", None, b.local, REMAIN)] if b.is_proof else [first]

    def _reason(self, group: Group, before: str = "") -> Prose:
        """The equation, which is written entry by entry, and rules for what is no sum of products of entries."""
        ref = None if group.consumer is None else self.context.equation_ref(group.consumer)
        rules = joined(dict.fromkeys(r for c in group.contributions for r in path_rules(self.rows, c.path)))
        return (*(() if ref is None else (ref,)), *((": ",) if ref and rules else ()), *rules)

    # -- what it comes to
    def _result_entry(self, s: Located, left: Math, branches: Sequence[Branch], target: Index) -> list[Line]:
        lines = self._come_to(s, left, branches, target, ("put together",))
        put = self._put(branches, target)
        if put is None or text(put) == text(lines[0].right):
            return lines
        first = Line(lines[0].kind, None, lines[0].right, REMAIN, value=lines[0].value)
        return [Line("substitution", left, put, ("substituted",)), first, *lines[1:]]

    def _come_to(self, s: Located, left: Math, branches: Sequence[Branch], target: Index, reason: Prose) -> list[Line]:
        """The gradient as later steps use it."""
        value = None if s.step.target.shape else self.context.value(s.step.total)
        right = self._whole(s, branches, target)
        shortened = self._shortened(s, [b.group for b in branches]) if reason else None
        if shortened is None:
            return [Line("result", left, right, reason, value=value)]
        upstream, factor = shortened
        e = Entries(self.rows, target, [i for b in branches for i in b.index])
        put = product(e.row(upstream, target), e.formula(factor.form, factor.rows, target))
        return cancelling(self.rows, left, put, right, value)

    def _whole(self, s: Located, branches: Sequence[Branch], target: Index) -> Math:
        row = s.step.total
        e = Entries(self.rows, target, [i for b in branches for i in b.index])
        if any(is_shared(self.context, b.group) for b in branches):
            return total(*[(False, self._summed_up(b, target)) for b in branches])
        own = self.context.owns(s) and row.id not in self.context.derivation.forward_ids
        return e.row(row, target) if own else e.ref(row, target)

    def _summed_up(self, b: Branch, target: Index) -> Math:
        shared = is_shared(self.context, b.group)
        return self._share(b.group, target, written=True) if shared else self._given(b, target)

    def _put(self, branches: Sequence[Branch], target: Index) -> Math | None:
        """The local derivatives put into the chain; None where no Kronecker delta settles a sum."""
        terms = [self._term(b, target) for b in branches]
        known = [x for x in terms if x is not None]
        settles = any(b.local is not None and _ties(b.local, b.index) for b in branches)
        return self.rows.total(known, lambda x: (False, x)) if settles and len(known) == len(terms) else None

    def _term(self, b: Branch, target: Index) -> Math | None:
        upstream = b.group.contributions[0].upstream
        if b.local is None or upstream is None:
            return None
        before = Entries(self.rows, (*target, *b.index, *bound_in(b.local))).ref(upstream, b.index)
        if upstream.value == 1:
            return self._over(b, b.local)
        local = b.local.factors if isinstance(b.local, Prod) and b.local.number == 1 else (b.local,)
        return self._over(b, product(before, *local))

    # -- loops
    def _all_steps(self, s: Located, left: Math, group: Group, target: Index) -> list[Line]:
        """What a loop leaves for one of its arguments."""
        named, written = (self._share(group, target, x) for x in (False, True))
        value = None if s.step.target.shape else self.context.value(s.step.total)
        if named == written:
            return [Line("result", left, named, ("from the loop",), value=value)]
        return [Line("chain", left, named, ("each step contributes, the others held fixed",)),
                Line("result", None, written, ("one sum over all steps",), value=value)]

    def _share(self, group: Group, index: Index, written: bool) -> Math:
        """An entry of what the steps of a loop contribute (`loops.shares`)."""
        leaf, r = read_as(group), self.rows
        assert group.consumer is not None
        loop: Loop = group.consumer.attr
        if is_shared(self.context, group):
            step = self.context.by_target[leaf.id]
            inner = shared_within(self.context, step) if written else None
            if inner is not None:
                return Big("sum", (loop.index,), self._share(inner, index, written), (loop.length,))
            total_row, own = step.step.total, self.context.owns(step)
            with r.letters.at_step():
                e = Entries(r, (*index, Letter(loop.index)))
                body = (e.row if own else e.ref)(total_row, index) if written else self._by_entry(leaf, index)
            return Big("sum", (loop.index,), body, (loop.length,))
        if leaf.id in self.context.by_target and steps_through(group) and index[:1] == [Letter(loop.index)]:
            return self._by_entry(leaf, index[1:])
        if leaf.id in self.context.by_target and not steps_through(group):
            return AtStep(self._by_entry(leaf, index), loop.index, r.size(loop.begin))
        return Entries(r, index).named(group.contributions[0].value, shares(self.context, group, written), index)

    def _together(self, s: Located, parts: Sequence[Group]) -> tuple[Line, ...]:
        """All entries of a gradient that was asked for: the rule for matrices that is proved by now."""
        target = s.step.target
        if s.depth or not target.shape or target.name not in self.context.wanted:
            return ()
        shared = any(is_shared(self.context, g) for g in parts)
        through = len(parts) == 1 and is_loop(parts[0])
        whole = shares(self.context, parts[0], True) if through else None
        right = whole or (self._with_shares(s, parts) if shared else self._total(s))
        return (Line("element", self.rows.gradients[target.id], right, ("all entries together",)),)

    def _value(self, s: Located) -> list[Line]:
        """The numbers of the whole array."""
        value = self.context.value(s.step.total)
        if not s.step.target.shape or value is None or value.shown is None:
            return []
        return [Line("value", self.rows.gradients[s.step.target.id], value.shown)]


RULE = "chain rule, one term for each branch"


def _ties(local: Math, index: Index) -> bool:
    """Whether a Kronecker delta of a local derivative settles one of these letters."""
    letters, deltas = set(letters_in(index)), [x for x in walk(local) if isinstance(x, Indicator)]
    return any(isinstance(x, Letter) and x.name in letters for delta in deltas for x in walk(delta))


def bound_in(m: Math) -> list[Math]:
    """The letters that sums in a tree bind."""
    return [Letter(x) for big in walk(m) if isinstance(big, Big) for x in big.letters]
