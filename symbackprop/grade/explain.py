"""What is wrong with one answer: mistakes made on purpose in the derivation first, then changes to the line itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import same_shape
from symbackprop.errors import ModelError
from symbackprop.grade import mistakes as m
from symbackprop.grade.diagnose import Diagnosis
from symbackprop.grade.edits import Edit, Rule, arithmetic, edits, names, products, sums
from symbackprop.grade.equality import fitted, how_equal
from symbackprop.grade.formulas import Formula
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.naming import Local
from symbackprop.grade.outcomes import Outcome
from symbackprop.grade.points import Point
from symbackprop.grade.scope import MENDED, Scope
from symbackprop.grade.session import Session
from symbackprop.grade.shapes import mended_shapes, shape_words, summed_too_far
from symbackprop.grade.trees import count_nodes, every_name, flattened, unparsed
from symbackprop.model.text import tree

MAX_WORK, MAX_FITTING = 12_000, 4


class Explainer:
    """Explains one wrong answer. Earlier answers count as put right, so that only the line's own mistake is left."""

    def __init__(self, session: Session, points: Sequence[Point], outcome: Outcome, right: Node) -> None:
        self.session, self.reference, self.points = session, session.reference, points
        self.outcome, self.right = outcome, right
        self.form = outcome.entry.form

    def finding(self) -> Finding:
        """The mistake."""
        if not self.outcome.mended:
            return self._unfit()
        row = self.outcome.mended[0]
        fit = fitted(row, self.right)
        if fit is None:
            return self._misshaped(row)
        if isinstance(self.outcome.meaning, Local):
            return self._local(self.outcome.meaning, fit[0])
        finding = self._diagnosis().explain(fit[0], self.factors(), self.mentioned())
        if finding.kind in (m.UNEXPLAINED, m.WRONG_FACTOR):
            return self._edited((products, sums, names(self._names()), arithmetic)) or finding
        return finding

    def _diagnosis(self) -> Diagnosis:
        target, outcomes = self.reference.rows[self.outcome.row_name], self.session.outcomes
        read = [outcomes[k] for k in sorted(self.outcome.uses) if k in outcomes]
        known = frozenset(self.reference.rows[o.row_name].id for o in read if self.session.meant(o) is not None)
        return Diagnosis(self.reference, self.points, target, known - {target.id})

    def _local(self, meaning: Local, row: Node) -> Finding:
        """A wrong local derivative, given as a line of its own."""
        edited = self._edited((names(self._names()), arithmetic))
        wanted, shown = (self.reference.notation.ref(r).text for r in (self.right, row))
        factor = f"d{meaning.of}/d{meaning.by}"
        kind = edited.kind if edited else m.WRONG_DERIVATIVE
        return Finding(kind, f"{factor} is {wanted}, not {m.clipped(shown)}", factor, wanted, shown)

    # -- shapes
    def _unfit(self) -> Finding:
        """A formula whose shapes do not fit together."""
        error = self.outcome.mended_error
        message = "" if error is None else error.message
        finding = self._edited((products, sums, names(self._names()))) or self._edited_twice()
        return finding or Finding(m.SHAPE, f"the shapes do not fit: {message}")

    def _misshaped(self, row: Node) -> Finding:
        """A formula of the wrong shape: mended by a transpose or a sum, and then perhaps wrong besides."""
        words = shape_words(row, self.right)
        ways = list(mended_shapes(row, self.right))
        for kind, says, fixed in ways:
            if how_equal(fixed, self.right, self.points):
                return Finding(kind, f"{says}; {words}")
        finding = self._edited((products, sums)) or summed_too_far(row, self.right, self.points)
        finding = finding or self._edited((names(self._names()), arithmetic))
        if finding is not None:
            return replace(finding, says=f"{finding.says}; {words}")
        both = next((x for way in ways if (x := self._two_things(*way)) is not None), None)
        return both or self._edited_twice() or Finding(m.SHAPE, words)

    def _two_things(self, kind: str, says: str, fixed: Node) -> Finding | None:
        """A wrong shape that is put right in ``fixed``, and a mistake besides."""
        if isinstance(self.outcome.meaning, Local):
            return None
        second = self._diagnosis().explain(fixed, (), self.mentioned())
        if second.kind in (m.UNEXPLAINED, m.UNDEFINED, m.WRONG_FACTOR):
            return None
        return replace(second, kind=kind, says=f"two things: {says}; and besides, {second.says}", also=second.kind)

    def _edited_twice(self) -> Finding | None:
        """A product whose shapes are put right by a change, and a mistake besides."""
        fitting = 0
        for edit in edits(self.form, products):
            row = self._evaluated(edit.whole)
            if row is None or not same_shape(row.shape, self.right.shape):
                continue
            first = self._mended(edit)
            both = self._two_things(first.kind, first.says, row)
            fitting += 1
            if both is not None or fitting >= MAX_FITTING:
                return both
        return None

    # -- changes to the line itself
    def _edited(self, rules: Sequence[Rule]) -> Finding | None:
        """The one change to the person's line that makes it right; long lines get fewer tries."""
        tries = MAX_WORK // count_nodes(self.form)
        for rule in rules:
            for count, edit in enumerate(edits(self.form, rule)):
                if count >= tries:
                    break
                if self._is_right(self._evaluated(edit.whole)):
                    return self._mended(edit)
        return None

    def _is_right(self, row: Node | None) -> bool:
        if row is None or not same_shape(row.shape, self.right.shape):
            return False
        return how_equal(row, self.right, self.points) is not None

    def _mended(self, edit: Edit) -> Finding:
        before, after = unparsed(edit.before), unparsed(edit.after)
        kind = edit.kind
        if kind == m.SUBSTITUTION:
            old, new = self._evaluated(edit.after), self._evaluated(edit.before)
            assert old is not None and new is not None
            kind, _ = m.exchange(old, new, after, before)
        says = edit.words or f"{m.clipped(before)} stands where {m.clipped(after)} belongs"
        return Finding(kind, says, "", after, before)

    def _evaluated(self, expr: tree.Expr) -> Node | None:
        entry = self.outcome.entry
        scope = Scope(self.session, MENDED, entry.counters, self.outcome.key, 0, entry.answer.meanings)
        try:
            return Formula(self.reference, scope, entry.answer.juxtaposed).row(expr)
        except (ModelError, ZeroDivisionError, OverflowError):
            return None

    def _names(self) -> list[str]:
        return [n for n, r in self.reference.rows.items() if r.kind == FLOAT and "[" not in n]

    # -- what the line is made of
    def factors(self) -> list[tuple[Node, bool]]:
        """The factors of the line's product as rows, each with whether it divides; none where one has no value."""
        found: list[tuple[Node, bool]] = []
        for expr, divides in flattened(self.form, False):
            row = self._evaluated(expr)
            if row is None:
                return []
            found.append((row, divides))
        return found

    def mentioned(self) -> frozenset[int]:
        """The rows that the line names, with those that the person's own lines that it reads name."""
        outcomes = self.session.outcomes
        own = [outcomes[k].entry.form for k in sorted(self.outcome.uses) if k.startswith("own ") and k in outcomes]
        words = {n for t in (*own, self.form) for n in every_name(t)}
        families = words & self.session.dictionary.bases
        return frozenset(r.id for n, r in self.reference.rows.items() if n in words or m.base_name(n) in families)
