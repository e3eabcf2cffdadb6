"""Closed forms as lines: what the rules leave, names for parts that stand in it several times, the form itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property

from symbackprop.core import formula as f
from symbackprop.core.facts import is_squeezed, is_sum, is_view
from symbackprop.core.graph import Node, arguments_first
from symbackprop.core.maths import Math, Sum, Sym, walk, within
from symbackprop.core.names import free_name, text_name, wishes
from symbackprop.derive.closing import ClosedForms, Shown
from symbackprop.derive.terms import FACTOR
from symbackprop.render.context import Context, Writer
from symbackprop.render.document import Line, Prose
from symbackprop.render.factors import flat
from symbackprop.render.print.text import text
from symbackprop.render.symbols import Located

MEANS = 1000  # names for means, m₁ and on
LONGEST = 185  # a form of more characters says less than the steps that lead to it
SHORT = 60  # characters: longer lines between are left out, parts of a longer form get names


class ClosedLines:
    """The lines of closed forms in one document. A name stands for one part on the whole page. In views that are not
    ``plain``, with entries or Jacobians, a form is one line with its left side."""

    def __init__(self, context: Context, forms: ClosedForms, writer: Writer, plain: bool) -> None:
        self.context, self.rows, self.forms, self.writer, self.plain = context, context.rows, forms, writer, plain
        self.names: dict[int, str] = {}
        self.sums: set[str] = set()

    def of(self, s: Located, lines: Sequence[Line]) -> tuple[Line, ...]:
        """The shortest form of a gradient, where that is not how it was just written."""
        total, last = s.step.total, within(lines[-1].right)
        if isinstance(last, Sum):
            self.sums.add(text(last))
        rules, shown = self.forms.rules.get(total.id, ()), self.forms.shown.get(total.id)
        if not rules or shown is None or not self.context.owns(s):
            return ()
        left, whole = self.writer.shortest(s, shown.whole)
        if self._spells_out(whole, rules) or any(within(line.right) == within(whole) for line in lines):
            return ()
        if text(last) == text(within(whole)):
            return ()
        if self.plain:
            return self._with_names(s, left, whole, shown, rules, lines)
        reason = ("closed form: ", "; ".join(rules))
        return (Line("closed", left, whole, reason, value=self.context.value(total)),)

    def _spells_out(self, whole: Math, rules: Sequence[str]) -> bool:
        """Whether a form only has the terms of another gradient, which has a name, in the place of that one."""
        bare = within(whole)
        terms = [term for _, term in bare.terms] if isinstance(bare, Sum) else [bare]
        factors = [x for term in terms for x in flat(term)]
        return rules == (FACTOR,) and any(isinstance(x, Sum) and text(x) in self.sums for x in factors)

    def _with_names(self, s: Located, left: Math, whole: Math, shown: Shown, rules: Sequence[str],
                    lines: Sequence[Line]) -> tuple[Line, ...]:
        """With the terms that a common factor was taken out of, and names for parts of what is long."""
        between = self._between(shown, rules, [*lines, Line("closed", None, whole)])
        reason = ("closed form: ", *self._reason(shown, rules if not between else rules[-1:]))
        value = self.context.value(s.step.total)
        parts = self._parts(shown.whole) if len(text(whole)) > SHORT else []
        if not parts and len(text(whole)) > LONGEST:
            return ()
        if not parts:
            self.writer.close(s, shown.whole)
            return (*between, Line("closed", None, whole, reason, value=value))
        with ExitStack() as names:
            named = [self._named(part, names) for part in parts]
            right = self.rows.row(shown.whole)
            found = (*between, *named, Line("closed", left, right, reason, value=value))
            return found if len(text(right)) <= LONGEST else ()

    def _between(self, shown: Shown, rules: Sequence[str], lines: Sequence[Line]) -> tuple[Line, ...]:
        """What is left before a common factor is taken out."""
        if shown.terms is None or rules[-1] != FACTOR or len(rules) == 1:
            return ()
        terms = self.rows.row(shown.terms)
        known = any(text(line.right) == text(terms) for line in lines)
        return () if known or len(text(terms)) > SHORT else (Line("terms", None, terms, ("; ".join(rules[:-1]),)),)

    def _reason(self, shown: Shown, rules: Sequence[str]) -> Prose:
        """The names of the rules, with a common factor that is short."""
        said: Prose = ("; ".join(rules),)
        if shown.factor is None or rules[-1] != FACTOR or shown.factor.value == 1:
            return said
        factor = self._as_it_stands(shown.factor, self.rows.row(shown.whole))
        return (*said[:-1], f"{said[-1]} ", factor) if len(text(factor)) < SHORT // 2 else said

    def _as_it_stands(self, factor: Node, whole: Math) -> Math:
        """A factor without the axes of size 1 that its operands lose in it and have in the whole."""
        inside = set(walk(whole))
        with ExitStack() as names:
            for a in factor.args:
                if is_squeezed(a) and within(self.rows.ref(a)) not in inside:
                    names.enter_context(self.rows.called(a, self.rows.ref(a.args[0])))
            return self.rows.ref(factor)

    # -- names
    def _parts(self, whole: Node) -> list[Node]:
        """Rows without a name that a form reads several times, and its sums where it has several; inner ones first."""
        known = self.rows.symbols
        order = arguments_first([whole], lambda n: () if n.id in known and n is not whole else n.args)[:-1]
        open_rows = [n for n in order if n.id not in known and n.args and n.value is None and not is_view(n)]
        reads = Counter([a.id for n in (*open_rows, whole) for a in n.args])
        means = [n for n in open_rows if _is_mean(n)]
        inside = {a for mean in means for a in mean.args}
        outer = {n for n in means if n not in inside}
        return [n for n in open_rows if (len(outer) > 1 if n in outer else reads[n.id] > 1)]

    def _named(self, part: Node, names: ExitStack) -> Line:
        right = self.rows.row(part)
        if part.id not in self.names:
            self.names[part.id] = free_name(self._taken, *self._wishes(part))
            self._taken.add(text_name(self.names[part.id]))
        symbol = Sym(self.names[part.id], tuple(part.shape), part.id)
        names.enter_context(self.rows.called(part, symbol))
        return Line("part", symbol, right, ("for short",))

    @cached_property
    def _taken(self) -> set[str]:
        """What names on the page look like; those of parts are added as they are given."""
        symbols = [x.name for x in self.rows.symbols.values() if isinstance(x, Sym)]
        return {*self.rows.letters.taken, *map(text_name, symbols)}

    def _wishes(self, part: Node) -> list[str]:
        """What a part would like to be called: by its role, as x̂ of a normalisation."""
        if _is_mean(part):
            return [f"m{k}" for k in range(1, MEANS)]
        first = self.rows.plain.get(part.args[0].id) if part.hint else None
        role = wishes(part.hint, first.name if isinstance(first, Sym) else None) if part.hint else []
        return [*role, "q", "r", "u", "v"]


def _is_mean(node: Node) -> bool:
    """Whether a row is a sum over entries, perhaps times a number."""
    scaled = isinstance(node.form, f.Mul | f.Div) and len(node.args) == 1
    return is_sum(node) or (scaled and is_sum(node.args[0]))
