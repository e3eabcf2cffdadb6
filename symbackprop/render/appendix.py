"""The long form, with an appendix that proves the rules which its reasons cite.

A rule is proved by the index view of a model of one call, over arrays of any sizes: what an entry of the result is, its
derivative with Kronecker deltas, the gradient entry by entry and whole. So an op has its proof from its record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.maths import Derivative, Entry, Link, Math, Sym, replaced, walk, within
from symbackprop.core.names import free_name, text_name
from symbackprop.derive import derive
from symbackprop.derive.steps import Derivation
from symbackprop.model.model import Model
from symbackprop.render.anatomy import Anatomy
from symbackprop.render.document import Line, Proof, Ref, Step, equations, of_kinds
from symbackprop.render.options import Options
from symbackprop.render.rules import Rule

KINDS = ("local", "substitution", "result", "element")
NAMES = {0: "abcu", 1: "abcu", 2: "ABCU", "classes": "zt", "indices": "wc", "class": "y", "result": "yvr",
         "results": "YVR"}


class LongForm(Anatomy):
    """Puts the document of a long form together."""

    def __init__(self, derivation: Derivation, options: Options) -> None:
        super().__init__(derivation, options)
        self.rows.cited = {}

    def steps(self) -> tuple[Step, ...]:
        found = super().steps()
        self.rules = shown(found, self.rows.cited or {})
        numbers = {f"rule-{old}": k for k, old in enumerate(self.rules.values(), 1)}
        for rule in self.rules:
            for name in proved(rule)[1]:
                self.rows.mention(name)
        return tuple([_renumbered(s, numbers) for s in found])

    def _proofs(self) -> tuple[Proof, ...]:
        return tuple([Proof(k, f"rule-{k}", rule.title, self._proof(rule)) for k, rule in enumerate(self.rules, 1)])

    def _proof(self, rule: Rule) -> tuple[Line, ...]:
        lines = proved(rule)[0]
        return tuple(map(_by_nabla, lines)) if self.view.rows else lines


def shown(steps: Iterable[Step], cited: Mapping[Rule, int]) -> dict[Rule, int]:
    """The rules that are cited where it is read, in that order, by the numbers that they were given first."""
    known = {f"rule-{number}": rule for rule, number in cited.items()}
    anchors = [x.anchor for s in steps for line in s.lines for x in line.reason if isinstance(x, Ref)]
    return {known[a]: cited[known[a]] for a in dict.fromkeys(anchors) if a in known}


def _renumbered(s: Step, numbers: Mapping[str, int]) -> Step:
    if all(anchor == f"rule-{k}" for anchor, k in numbers.items()):
        return s
    return replace(s, lines=tuple([replace(x, reason=tuple([_moved(p, numbers) for p in x.reason])) for x in s.lines]))


def _moved(part: Any, numbers: Mapping[str, int]) -> Any:
    if not isinstance(part, Ref) or part.anchor not in numbers:
        return part
    return Ref(f"rule-{numbers[part.anchor]}", f"(R{numbers[part.anchor]})")


# -- proofs
@lru_cache(maxsize=256)
def derived(rule: Rule) -> Derivation:
    """The derivation of a model of one call."""
    m, used = Model("rule"), set[str]()
    sizes = [d for x in (*rule.shapes, rule.below) for d in x if d is not None]
    m.dims(sorted({s.name for d in sizes for s in getattr(d, "free_symbols", ())}))
    leaves = []
    for k, (shape, below) in enumerate(zip(rule.shapes, rule.below, strict=True)):
        kinds = ("classes", "class") if rule.is_function else (min(len(shape), 2), "indices")
        wishes = NAMES[kinds[below is not None]]
        name = free_name({*used, *m.sizes}, *wishes[k:], *wishes)
        used.add(text_name(name))
        leaves.append(m.input(name, shape) if below is None else m.data(name, shape, below=below))
    row = FUNCTIONS[rule.name](*leaves) if rule.is_function else m.graph.make(rule.name, leaves, rule.attr)
    if rule.is_function and not row.shape:
        m.loss(free_name({*used, *m.sizes}, "L", "J"), row)
    else:
        m.output(free_name({*used, *m.sizes}, *NAMES["results" if row.ndim > 1 else "result"]), row)
    return derive(m)


@lru_cache(maxsize=256)
def proved(rule: Rule) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """The lines of a proof, and the functions in them."""
    page = Anatomy(derived(rule), Options(view="index"))
    forward = [e.line for e in page.forward.equations(page.context)]
    lines = [line for s in page.steps() if s.role == "result" for line in equations(of_kinds(s.lines, KINDS), ())]
    return tuple([_alone(x) for x in (*forward, *lines)]), tuple(page.rows.mentioned)


def _alone(x: Line) -> Line:
    """A line without links and reasons."""
    links: dict[Math, Math] = {m: m.body for m in walk(x.right) if isinstance(m, Link)}
    return replace(x, right=replaced(x.right, links), reason=())


def _by_nabla(x: Line) -> Line:
    """A line in the words of a page whose derivatives in vectors are rows: a gradient in the shape of its variable is
    ∇_A L, one of its entries ∂L/∂A_ij."""
    left = None if x.left is None else _with_nabla(x.left)
    return replace(x, left=left, right=_with_nabla(x.right))


def _with_nabla(m: Math) -> Math:
    found: dict[Math, Math] = {}
    for x in walk(m):
        whole = within(x.base) if isinstance(x, Entry) else x
        if isinstance(whole, Derivative) and isinstance(whole.bottom, Sym) and whole.bottom.shape:
            bottom, top = whole.bottom, whole.top
            found[x] = Derivative(top, Entry(bottom, x.index)) if isinstance(x, Entry) else replace(whole, sign="∇")
    return replaced(m, found)
