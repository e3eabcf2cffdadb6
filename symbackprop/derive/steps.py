"""The derivation as data: one step for every named quantity, in the order of the reverse sweep.

A step says which gradient is found, the contributions of every branch that reads its target (through which consumer,
times which upstream gradient), and their sum as a row of the model's own language. Printing, code and numbers all read
these steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from symbackprop.core.graph import Node
from symbackprop.derive.record import Contribution
from symbackprop.doorway import late
from symbackprop.model.model import Model
from symbackprop.records import record

if TYPE_CHECKING:
    from symbackprop.derive.closing import ClosedForms
    from symbackprop.derive.compressed import Blocks
    from symbackprop.render.graph import Picture


@record(frozen=True)
class Step:
    """∂L/∂target = the sum of the contributions = ``total``."""

    number: int
    target: Node
    contributions: tuple[Contribution, ...]
    total: Node


@record(frozen=True)
class LoopStep:
    """The sweep through a loop: ``steps`` are those of one time step, for rows of the body.

    ``loop`` and ``reverse`` are the scan rows of the forward and the backward loop. In the steps, the total of a
    carried value is what step t hands back to step t−1, and the total of an invariant (a shared weight) is step t's
    contribution, its immediate partial; the sum over t follows outside.
    """

    number: int
    loop: Node
    reverse: Node
    steps: tuple[Step | LoopStep, ...]


@dataclass(frozen=True)
class Derivation:
    """All steps of one reverse sweep over a model.

    ``forward`` lists the rows with a name, in order, and the loops (rows of the op scan); ``bodies`` maps the id of a
    loop to the named rows of its body. ``names`` gives every name by row id: those the user gave, those
    found for unnamed intermediates, and ``d<name>`` for gradients. ``expanded`` are rows made by a library function
    whose inner rows have names of their own, so that the call says too little. ``gradients`` maps each wanted name to
    its row. ``identities`` maps a row that stands for a declared one (`derive.stable`) to that one, by id.
    ``second`` are second derivatives, or those of another row, where they were asked for.
    ``shortest`` are its closed forms, once they were looked for, by whether they are to be printed and of which rows.
    """

    model: Model
    wrt: tuple[str, ...]
    forward: tuple[Node, ...]
    steps: tuple[Step | LoopStep, ...]
    gradients: dict[str, Node]
    names: dict[int, str]
    forward_ids: frozenset[int] = field(repr=False)
    expanded: frozenset[int] = field(repr=False)
    bodies: dict[int, tuple[Node, ...]] = field(repr=False)
    identities: dict[int, Node] = field(repr=False, default_factory=dict)
    second: Blocks | None = field(repr=False, compare=False, default=None)
    shortest: dict[tuple[bool, tuple[int, ...] | None], ClosedForms] = field(
        repr=False, compare=False, init=False, default_factory=dict)

    def __repr__(self) -> str:
        return f"<Derivation of {self.model.name} by {', '.join(self.wrt)}: {len(self.steps)} steps>"

    def name(self, node: Node) -> str | None:
        return self.names.get(node.id)

    @property
    def hessian(self) -> Blocks | None:
        """The blocks of second derivatives, by the names of both arrays; None where they were not asked for."""
        return None if self.second is None or not self.second.twice or self.second.outputs else self.second

    # -- printed: options are view, layout, detail, values, sizes, digits (see render.options)
    def printed(self, form: str, **options: Any) -> str:
        """The derivation in any of the formats (see render.formats); UsageError for words that are none."""
        return str(late("printed")(self, form, **options))

    def text(self, **options: Any) -> str:
        """The derivation as plain text with Unicode mathematics."""
        return self.printed("text", **options)

    def latex(self, standalone: bool = False, **options: Any) -> str:
        """The derivation in LaTeX: a fragment, or a document that compiles."""
        return self.printed("latex", standalone=standalone, **options)

    def markdown(self, **options: Any) -> str:
        """The derivation in Markdown with mathematics between dollar signs."""
        return self.printed("markdown", **options)

    def html(self, **options: Any) -> str:
        """The derivation as one self-contained page."""
        return self.printed("html", **options)

    def to_json(self, **options: Any) -> str:
        """The derivation as JSON; docs/derivation-json.md describes the schema."""
        return self.printed("json", **options)

    def graph(self, **options: Any) -> Picture:
        """The computation graph, which a notebook shows; options are values, sizes, digits, expand."""
        picture: Picture = late("picture_of")(self, **options)
        return picture

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython shows in a terminal."""
        printer.text(self.text())

    def _repr_latex_(self) -> str:
        return str(late("summary_latex")(self))

    def _repr_html_(self) -> str | None:
        page: str | None = late("fragment_html")(self)
        return page

    def _repr_markdown_(self) -> str:
        return self.markdown()
