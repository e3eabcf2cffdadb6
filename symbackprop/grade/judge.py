"""One verdict per answer: shape first, then equality, then which mistake it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from symbackprop.core.graph import Node
from symbackprop.core.shapes import same_shape
from symbackprop.errors import ModelError, NameProblem, SyntaxProblem
from symbackprop.grade import mistakes as m
from symbackprop.grade.diagnose import Diagnosis
from symbackprop.grade.edits import MAX_EDITS, Edit, Rule, arithmetic, edits, names, products, sums
from symbackprop.grade.equality import fitted, how_equal
from symbackprop.grade.formulas import Formula
from symbackprop.grade.locals import local_derivatives
from symbackprop.grade.mistakes import Finding
from symbackprop.grade.naming import Local
from symbackprop.grade.points import DISTRIBUTION, GENERAL, HARD, Point, class_targets, points
from symbackprop.grade.reference import Reference
from symbackprop.grade.scope import MENDED, Scope
from symbackprop.grade.session import Outcome, Session
from symbackprop.grade.shapes import mended_shapes, shape_words, summed_too_far
from symbackprop.grade.trees import every_name, flattened, unparsed
from symbackprop.model.text import tree

RIGHT, WRONG, FOLLOWS, MISSING, UNREADABLE = "right", "wrong", "follow-through", "missing", "unreadable"
SCALAR_POINTS, ARRAY_POINTS, DIAGNOSIS_POINTS = 12, 6, 4


@dataclass
class Verdict:
    """What became of one answer. ``equality`` says how it is known to be right."""

    state: str
    finding: Finding | None = None
    equality: str = ""
    notes: list[str] = field(default_factory=list)
    given: Node | None = None


class Judge:
    """Judges the answers of one session."""

    def __init__(self, session: Session, sizes: dict[str, int], seed: int) -> None:
        self.session, self.reference = session, session.reference
        self.sizes, self.seed = sizes, seed
        self.verdicts: dict[str, Verdict] = {}

    def run(self) -> None:
        """Judge everything that has a meaning, in the order of the lines."""
        for key, outcome in self.session.outcomes.items():
            if outcome.meaning is not None:
                self.verdicts[key] = self.verdict(outcome)

    # -- points
    @cached_property
    def styles(self) -> dict[str, list[Point]]:
        """Points in every style that the model's targets allow, general ones first."""
        scalars = all(not n.shape for n in self.reference.order)
        count = SCALAR_POINTS if scalars else ARRAY_POINTS
        special = (DISTRIBUTION, HARD) if class_targets(self.reference) else ()
        return {s: points(self.reference, count, self.sizes, s, self.seed) for s in (GENERAL, *special)}

    @cached_property
    def usual(self) -> list[Point]:
        """The points at which mistakes are looked for: targets are what a person takes them for."""
        return self.styles[DISTRIBUTION if DISTRIBUTION in self.styles else GENERAL][:DIAGNOSIS_POINTS]

    # -- verdicts
    def verdict(self, outcome: Outcome) -> Verdict:
        rights = self.rights(outcome)
        if isinstance(outcome.error, (SyntaxProblem, NameProblem)) or not outcome.entry.answer.forms:
            return Verdict(UNREADABLE, Finding(m.UNREADABLE, _message(outcome.error)))
        found = self._equal(outcome.given, rights)
        if found is not None:
            return found
        follows = self._equal(outcome.mended, rights)
        if follows is not None and self._wrong_uses(outcome):
            names = ", ".join(self._wrong_uses(outcome))
            return replace(
                follows, state=FOLLOWS, finding=Finding(m.FOLLOW_THROUGH, f"it is right, given your {names}", names)
            )
        finding = self.explain(outcome, rights[0])
        wrong = self._wrong_uses(outcome)
        if wrong and finding.kind not in (m.UNEXPLAINED, m.SHAPE):
            finding = replace(finding, says=f"{finding.says} (your {', '.join(wrong)} aside)")
        return Verdict(WRONG, finding, given=outcome.given[0] if outcome.given else None)

    def rights(self, outcome: Outcome) -> list[Node]:
        """The right rows for what an answer means; several where a local derivative can be read in two ways."""
        if isinstance(outcome.meaning, Local):
            return local_derivatives(self.reference, outcome.meaning.of, outcome.meaning.by)
        return [self.reference.gradient(self.reference.rows[outcome.row_name])]

    def _equal(self, rows: Sequence[Node], rights: Sequence[Node]) -> Verdict | None:
        for row in rows:
            for right in rights:
                fit = fitted(row, right)
                if fit is None:
                    continue
                for style, at in self.styles.items():
                    how = how_equal(fit[0], right, at)
                    if how is not None:
                        notes = [fit[1]] if fit[1] else []
                        return Verdict(RIGHT, None, how, notes + _STYLE_NOTES[style], row)
        return None

    def _wrong_uses(self, outcome: Outcome) -> list[str]:
        """The earlier answers that a line reads and that are wrong, as the person called them."""
        wrong = [k for k in self.session.outcomes if k in outcome.uses and k != outcome.key and self._is_wrong(k)]
        return [self.session.outcomes[k].label for k in wrong]

    def _is_wrong(self, key: str) -> bool:
        return key in self.verdicts and self.verdicts[key].state in (WRONG, UNREADABLE, FOLLOWS)

    # -- what is wrong
    def explain(self, outcome: Outcome, right: Node) -> Finding:
        """The mistake, earlier mistakes being put right first."""
        if not outcome.mended:
            return self._unfit(outcome, right)
        row = outcome.mended[0]
        fit = fitted(row, right)
        if fit is None:
            return self._misshaped(outcome, row, right)
        if isinstance(outcome.meaning, Local):
            return self._local(outcome, fit[0], right)
        finding = self._diagnosis(outcome).explain(fit[0], self.factors(outcome), self.mentioned(outcome))
        if finding.kind in (m.UNEXPLAINED, m.WRONG_FACTOR):
            return self._edited(outcome, right, (products, sums, names(self._names()), arithmetic)) or finding
        return finding

    def _diagnosis(self, outcome: Outcome) -> Diagnosis:
        return Diagnosis(self.reference, self.usual, self.reference.rows[outcome.row_name])

    def _local(self, outcome: Outcome, row: Node, right: Node) -> Finding:
        """A wrong local derivative, given as a line of its own."""
        assert isinstance(outcome.meaning, Local)
        edited = self._edited(outcome, right, (names(self._names()), arithmetic))
        wanted, shown = (self.reference.notation.ref(r).text for r in (right, row))
        factor = f"d{outcome.meaning.of}/d{outcome.meaning.by}"
        says = f"{factor} is {wanted}, not {shown}"
        kind = edited.kind if edited else m.WRONG_DERIVATIVE
        return Finding(kind, says, factor, wanted, shown)

    def _unfit(self, outcome: Outcome, right: Node) -> Finding:
        """A formula whose shapes do not fit together."""
        edited = self._edited(outcome, right, (products, sums))
        if edited is not None:
            return edited
        return Finding(m.SHAPE, f"the shapes do not fit: {_message(outcome.mended_error)}")

    def _misshaped(self, outcome: Outcome, row: Node, right: Node) -> Finding:
        """A formula of the wrong shape: mended by a transpose or a sum, and then perhaps wrong besides."""
        words = shape_words(row, right)
        diagnosis = None if isinstance(outcome.meaning, Local) else self._diagnosis(outcome)
        ways = list(mended_shapes(row, right))
        for kind, says, fixed in ways:
            if self._equal([fixed], [right]):
                return Finding(kind, f"{says}; {words}")
        finding = self._edited(outcome, right, (products, sums)) or summed_too_far(row, right, self.usual)
        if finding is not None:
            return replace(finding, says=f"{finding.says}; {words}")
        for kind, says, fixed in ways if diagnosis else ():
            second = diagnosis.explain(fixed, (), self.mentioned(outcome)) if diagnosis else None
            if second is not None and second.kind != m.UNEXPLAINED:
                return replace(
                    second,
                    kind=kind,
                    says=f"two things: {says} ({words}); and besides, {second.says}",
                    also=second.kind,
                )
        return Finding(m.SHAPE, words)

    # -- changes to the line itself
    def _edited(self, outcome: Outcome, right: Node, rules: Sequence[Rule]) -> Finding | None:
        """The one change to the person's line that makes it right."""
        for rule in rules:
            for count, edit in enumerate(edits(outcome.entry.answer.forms[-1], rule)):
                if count >= MAX_EDITS:
                    break
                row = self._evaluated(outcome, edit.whole)
                if row is not None and same_shape(row.shape, right.shape) and how_equal(row, right, self.usual):
                    return self._mended(outcome, edit)
        return None

    def _mended(self, outcome: Outcome, edit: Edit) -> Finding:
        before, after = unparsed(edit.before), unparsed(edit.after)
        kind = edit.kind
        if kind == m.SUBSTITUTION:
            old, new = self._evaluated(outcome, edit.after), self._evaluated(outcome, edit.before)
            assert old is not None and new is not None
            kind, _ = m.exchange(old, new, after, before)
        return Finding(kind, f"{before} stands where {after} belongs", "", after, before)

    def _evaluated(self, outcome: Outcome, expr: tree.Expr) -> Node | None:
        entry = outcome.entry
        scope = Scope(self.session, MENDED, entry.counters, outcome.key, 0, entry.answer.meanings)
        try:
            return Formula(self.reference, scope, entry.answer.juxtaposed).row(expr)
        except (ModelError, ZeroDivisionError, OverflowError):
            return None

    def _names(self) -> list[str]:
        return [n for n, r in self.reference.rows.items() if r.kind == "float" and "[" not in n]

    # -- what a person's line is made of
    def factors(self, outcome: Outcome) -> list[tuple[Node, bool]]:
        """The factors of the line's product as rows, each with whether it divides; none where it is no product."""
        found: list[tuple[Node, bool]] = []
        for expr, divides in flattened(outcome.entry.answer.forms[-1], False):
            row = self._evaluated(outcome, expr)
            if row is None:
                return []
            found.append((row, divides))
        return found

    def mentioned(self, outcome: Outcome) -> frozenset[int]:
        """The rows that the line names, with those that its own helper lines name."""
        keys = [outcome.key, *[k for k in outcome.uses if k.startswith("own ")]]
        trees = [
            f for k in keys if k in self.session.outcomes for f in self.session.outcomes[k].entry.answer.forms[-1:]
        ]
        words = {n for t in (*trees, outcome.entry.answer.forms[-1]) for n in every_name(t)}
        families = words & self.session.dictionary.bases
        return frozenset(r.id for n, r in self.reference.rows.items() if n in words or m.base_name(n) in families)


_STYLE_NOTES = {
    GENERAL: [],
    DISTRIBUTION: ["it holds for targets that sum to one, as they do"],
    HARD: ["it holds for targets that are 0 or 1"],
}


def _message(error: ModelError | None) -> str:
    return "" if error is None else error.message
