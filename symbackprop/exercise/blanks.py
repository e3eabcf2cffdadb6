"""What is asked: steps of a derivation, chosen by a seed, each with a factor or a gradient left out.

A `Blank` is the one record of a question. The page (`exercise.page`), the sheet and its key (`exercise.sheet`) print
it; which answers are right, and what a wrong one is, the page says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from symbackprop.core.graph import Node
from symbackprop.core.maths import Math
from symbackprop.core.shapes import same_shape
from symbackprop.derive import Step
from symbackprop.derive.record import Edge
from symbackprop.doorway import late
from symbackprop.errors import ModelError, UsageError, did_you_mean
from symbackprop.grade.naming import Gradient, Local
from symbackprop.grade.reference import Reference, local_derivatives
from symbackprop.model.copying import copied, loop_dimensions
from symbackprop.model.model import Model
from symbackprop.model.text import tree
from symbackprop.model.text.expressions import one_formula
from symbackprop.render import document
from symbackprop.render.board import build_document
from symbackprop.render.options import Options

LOOPS, MOST = 2, 12  # steps of a loop, which is written out; questions where nobody says how many


class Difficulty(Enum):
    """How much of a step is left out; the value is in how many steps, one in so many."""

    EASY = 3  # a factor of the chain rule, where it is a formula, else the gradient
    MEDIUM = 2  # the gradient; the chain rule stands above it
    HARD = 1  # the gradient and its chain rule


# The page's evaluator (templates/exercise.js) is a target: these are the functions of model text that it computes.
FUNCTIONS = frozenset((
    "abs", "broadcast", "causal_mask", "concat", "conv2d", "conv2d_input", "conv2d_kernel", "cos", "cosh", "dot",
    "einsum", "exp", "fold", "log", "matmul", "max", "maximum", "mean", "min", "minimum", "multiply", "normal_cdf",
    "normal_pdf", "one_hot", "outer", "pad", "put_along_axis", "relu", "reshape", "scatter_add", "sigmoid", "sin",
    "sinh", "softmax", "softplus", "sqrt", "square", "sum", "take_along_axis", "tan", "tanh", "transpose", "where",
))
_SPOKEN = (tree.Number, tree.Name, tree.String, tree.Word, tree.Negative, tree.Chain, tree.Power, tree.Compare,
           tree.Transpose, tree.Tuple, tree.Index, tree.Slice)


@dataclass(frozen=True)
class Blank:
    """A question: ``left`` = ?, which `grade` calls ``name``; ``right`` is the answer, ``text`` the same as model text.

    ``row`` is the answer as a row, ``target`` the row whose gradient the step finds, ``edge`` the link of the chain
    rule that is asked for where it is a factor.
    """

    number: int
    name: str
    left: Math
    right: Math
    text: str
    row: Node
    target: Node
    edge: Edge | None


@dataclass(frozen=True)
class Card:
    """A step as it is shown: its lines whole in ``step``, those above a question in ``given``."""

    step: document.Step
    given: tuple[document.Line, ...]
    blank: Blank | None


@dataclass(frozen=True)
class Exercise:
    """The questions in their derivation; ``model`` is the one with its loops written out, as the ``sizes`` say."""

    reference: Reference
    document: document.Document
    cards: tuple[Card, ...]
    seed: int
    difficulty: Difficulty
    sizes: Mapping[str, int]

    @property
    def model(self) -> Model:
        return self.reference.model

    @property
    def blanks(self) -> list[Blank]:
        return [c.blank for c in self.cards if c.blank is not None]

    def html(self, links: Mapping[str, str] | None = None) -> str:
        """The exercise as one self-contained page, with ``links``, addresses by their words, in its head."""
        return str(late("to_page")(self, links or {}))

    def latex(self, key: bool = False) -> str:
        """The exercise as a sheet in LaTeX, or its key."""
        return str(late("to_sheet")(self, key))


def exercise(model: Model, seed: int = 0, difficulty: str = "medium", steps: str = "",
             sizes: Mapping[str, int] | None = None) -> Exercise:
    """An exercise of a model. ``steps``: how many are asked, or the names of the rows whose gradients are, as in
    ``w1,h``. Loops over a symbolic axis are written out, for as many steps as ``sizes`` say. Raises a `UsageError` for
    steps that are none, a `ModelError` where no step can be asked."""
    model.require_definitions()
    given = {n: k for n, k in (sizes or {}).items() if n in model.sizes}
    fixed = {n: given.get(n, LOOPS) for n in loop_dimensions(model)}
    reference = Reference(copied(model, fixed))
    whole = build_document(reference.derivation, Options(view="matrix", whole=True))
    level = Difficulty[difficulty.upper()]
    found = dict(_questions(reference, whole.steps, level))
    if not found:
        raise ModelError(f"no step of {model.name} can be asked: its gradients are given, or are formulas that the "
                         f"page cannot compute; it knows {', '.join(sorted(FUNCTIONS))}")
    asked = _chosen(found, steps, seed, level)
    numbers = {name: k for k, name in enumerate([n for n in found if n in asked], 1)}
    cards = [_card(s, found[s.name] if s.name in asked else None, numbers.get(s.name, 0), level) for s in whole.steps]
    return Exercise(reference, whole, tuple(cards), seed, level, given | fixed)


def _questions(reference: Reference, printed: Sequence[document.Step], level: Difficulty
               ) -> Iterator[tuple[str, Blank]]:
    """What can be asked of every step, by the name of its row."""
    steps = {reference.names.get(s.target.id): s for s in reference.derivation.steps if isinstance(s, Step)}
    for shown in printed:
        step = steps.get(shown.name)
        if step is None or all(c.consumer is None for c in step.contributions):
            continue
        blank = (_factor(reference, step, shown) if level is Difficulty.EASY else None) or _gradient(
            reference, step, shown)
        if f"d{shown.name}" in reference.rows:  # what would be typed is the name of something else
            continue
        if speaks(blank.text):
            yield shown.name, blank


def _gradient(reference: Reference, step: Step, shown: document.Step) -> Blank:
    name = str(Gradient(reference.names[step.target.id]))
    right = next(x.right for x in shown.lines if x.kind == "result")
    return Blank(0, name, shown.symbol, right, _written(reference, step.total, name), step.total, step.target, None)


def _factor(reference: Reference, step: Step, shown: document.Step) -> Blank | None:
    """The local derivative of a step on one path between named rows of one shape, where it is no product of arrays."""
    local = next((x for x in shown.lines if x.kind == "local" and x.sign == "="), None)
    paths = [c.path for c in step.contributions]
    if local is None or local.left is None or len(paths) != 1 or len(paths[0]) != 1:
        return None
    edge = paths[0][0]
    of, by = (reference.names.get(row.id) for row in (edge.consumer, step.target))
    if of is None or by is None or edge.consumer.form is None or not same_shape(edge.consumer.shape, step.target.shape):
        return None
    row = local_derivatives(reference, of, by)[0]
    name = str(Local(of, by))
    return Blank(0, name, local.left, local.right, _written(reference, row, name), row, step.target, edge)


def _written(reference: Reference, row: Node, own: str) -> str:
    """A row as model text: the name of another quantity that is equal, else its formula."""
    known = reference.names.get(row.id) or reference.spelled.get(row.id, own)
    return reference.line(row) if known == own else known


def speaks(text: str) -> bool:
    """Whether the page can compute a formula; h[1] is a name there, h[1:] a part of h."""
    for part in tree.all_parts(one_formula(text)):
        if isinstance(part, tree.Call) and type(part) is tree.Call:
            if part.function not in FUNCTIONS:
                return False
        elif not isinstance(part, _SPOKEN):
            return False
    return True


def _chosen(found: Mapping[str, Blank], steps: str, seed: int, level: Difficulty) -> Collection[str]:
    """The names of the rows of the steps that are asked."""
    wanted = [word.strip() for word in steps.split(",") if word.strip()]
    if wanted and not (len(wanted) == 1 and wanted[0].isdecimal()):
        for word in wanted:
            if word not in found:
                raise UsageError(f"no step that can be asked finds the gradient of {word!r}; there are "
                                 f"{', '.join(found)}.{did_you_mean(word, found)}")
        return wanted
    many = int(wanted[0]) if wanted else min(MOST, -(-len(found) // level.value))
    if not many > 0:
        raise UsageError("at least one step is asked")
    return sorted(found, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())[:many]


def _card(step: document.Step, blank: Blank | None, number: int, level: Difficulty) -> Card:
    """A step with the lines that are shown: the chain rule, a factor that is asked for, the gradient."""
    kinds = ("chain", "local") if blank is not None and blank.edge is not None else ("chain",)
    chain = [x for x in step.lines if x.kind in kinds]
    result = next((x for x in step.lines if x.kind == "result"), None)
    shown = replace(step, lines=(*chain, *([] if result is None else [result])))
    given = tuple([x for x in chain if x.kind == "chain"]) if level is not Difficulty.HARD else ()
    return Card(shown, given, None if blank is None else replace(blank, number=number))
