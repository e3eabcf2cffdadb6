"""The program of a module as data: what is computed where, under which variable; not how a target language writes it.

A statement gives a variable the value of a row. Rows without a variable are written inside the statement that reads
them. A target prints statements from the rows alone; it never looks at the derivation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from symbackprop.codegen.initial import Initial
from symbackprop.codegen.sizes import Demands
from symbackprop.codegen.tree import NUMBER, Expr, name
from symbackprop.core.facts import unnamed
from symbackprop.core.formula import Formula
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import Dim, Shape

if TYPE_CHECKING:
    from symbackprop.codegen.arrays import Arrays


def is_plain(row: Node) -> bool:
    """Whether a row is one number that is known before anything is given, by whatever names: a Python number."""
    found = unnamed(row)
    constant = found.is_declared and found.attr.value is not None
    return not row.ndim and (constant or found.value is not None)


def of_numbers(row: Node) -> bool:
    """Whether a row without axes is computed of sizes and numbers alone: what code computes may be a Python number."""
    below = row.graph.topological([row])
    return not row.ndim and all(is_plain(leaf) for leaf in below if leaf.is_declared)


def variable(word: str, row: Node) -> Expr:
    """A variable that holds a row. One number, by whatever names, is a Python number, or an array of floats."""
    kind = NUMBER if is_plain(row) else row.kind if unnamed(row).value is None else FLOAT
    return Expr(name(word), row.shape, kind)


@dataclass(frozen=True)
class Assign:
    """``name`` := the row. ``own``: the value must be an array of its own, not a view of something given or kept.
    ``kind``: what its values become (None: they stay what they are)."""

    name: str
    row: Node
    own: bool = False
    kind: str | None = None


@dataclass(frozen=True)
class OneHot:
    """``name`` := the elementwise row over a one-hot argument, without forming it: ``base`` everywhere, ``hit`` at the
    entry that ``index`` names in the last axis. Both are formulas over the row's arguments."""

    name: str
    row: Node
    base: Formula
    hit: Formula
    index: Node


@dataclass(frozen=True)
class Softmax:
    """Variables from the same exponentials: a softmax row, and others that `rows.softmax_groups` tells."""

    names: tuple[str, ...]
    rows: tuple[Node, ...]


@dataclass(frozen=True)
class Store:
    """``stack[t]`` := ``value``; the stack has a shape and a kind (float, int, bool).

    ``states`` names an array of one entry more, the stack of its entries but the last, and the variable carried: the
    stack is then that array without its first entry, which is what is carried into the loop. One of a segment begins
    with the step that the variable ``first`` says.
    """

    stack: str
    value: Expr
    shape: Shape
    kind: str
    states: tuple[str, str, str] | None = None
    first: str = ""


@dataclass(frozen=True)
class Element:
    """A variable for one step of a stack, as a value of a kind; ``first`` as in `Store`."""

    name: str
    stack: Expr
    kind: str
    shape: Shape
    first: str = ""


@dataclass(frozen=True)
class Segments:
    """A loop in segments of ``steps`` steps (0: about the root of all), from the step ``first``; ``every`` is what
    their length is called. In forward every segment first stores what it is ``given``, the variables carried; backward
    reads these from there and computes the steps ``again`` before it goes back through them."""

    steps: int
    every: str
    first: str
    given: tuple[Store, ...]
    again: For | None = None


@dataclass(frozen=True)
class For:
    """A loop over time. ``start`` sets the carried variables, ``elements`` name step t of sequences, ``body`` has
    variables of its own, ``update`` moves the carried variables on, all at once; ``last`` names the final carries, of
    which those in ``own`` must be arrays of their own: without a step they are what the loop begins with;
    ``lasting`` are the variables of the body whose arrays a later step may still read; ``fixed`` are matrices that
    every step reads, and a name for the transpose of each; ``segments``: see there."""

    index: str
    length: Dim
    reverse: bool
    start: tuple[Assign, ...]
    elements: tuple[Element, ...]
    body: Block
    update: tuple[tuple[str, Expr], ...]
    stores: tuple[Store, ...]
    last: tuple[tuple[str, str], ...]
    lasting: frozenset[str] = frozenset()
    fixed: tuple[tuple[str, str], ...] = ()
    segments: Segments | None = None
    own: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Recompute:
    """Statements of forward, written in backward as they are there."""

    block: Block


@dataclass(frozen=True)
class Forget:
    """Variables that nothing reads from here on."""

    names: tuple[str, ...]


Statement: TypeAlias = Assign | OneHot | Softmax | For | Recompute | Forget


@dataclass
class Block:
    """The body of one function or of one loop: statements in order, and the expression of every row that has a variable
    or comes in from outside. A row may be computed in one body and be an element of a sequence in another: names hold
    in their own block only. Rows that are ``absent`` have a name in the derivation and none here."""

    statements: list[Statement] = field(default_factory=list)
    names: dict[int, Expr] = field(default_factory=dict)
    absent: frozenset[int] = frozenset()

    def variable(self, row: Node) -> str:
        """The variable of a row that has one."""
        return self.names[row.id].variable or ""


def written(item: Statement) -> tuple[str, ...]:
    """The variables that a statement gives a value."""
    match item:
        case Softmax(names):
            return names
        case Recompute(block):
            return tuple([word for inner in block.statements for word in written(inner)])
        case Assign(word) | OneHot(word):
            return (word,)
    return ()


@dataclass(frozen=True)
class PartCode:
    """A summand of a block: the product of ``arrays`` (variables) at ``letters``, where the letters of ``ties`` are
    equal."""

    arrays: tuple[str, ...]
    letters: tuple[str, ...]
    ties: tuple[str, ...]


@dataclass(frozen=True)
class BlockCode:
    """A block of a Jacobian or Hessian, kept compressed: a letter and a size for each axis, and its parts."""

    structure: str
    letters: str
    shape: Shape
    parts: tuple[PartCode, ...]

    def turned(self, rows: int) -> BlockCode:
        """The block with its columns, and then its first ``rows`` axes."""
        axes = (*range(rows, len(self.shape)), *range(rows))
        shape, letters = tuple([self.shape[k] for k in axes]), "".join([self.letters[k] for k in axes])
        return replace(self, shape=shape, letters=letters)

    def renamed(self, names: Mapping[str, str]) -> BlockCode:
        """With these variables."""
        parts = [replace(p, arrays=tuple([names[a] for a in p.arrays])) for p in self.parts]
        return replace(self, parts=tuple(parts))


@dataclass(frozen=True)
class Function:
    """A function of the module beside forward and backward, of params and data, dicts of arrays; ``says`` is what it
    returns."""

    name: str
    says: str


@dataclass(frozen=True)
class Computed(Function):
    """One that computes what it returns, in ``block``. In equations rows are called as they are ``written``, by id."""

    block: Block
    written: dict[int, str]


@dataclass(frozen=True)
class Along(Computed):
    """A derivative along v, a dict of arrays like those that it names. Variables are, by name, the ``directions`` that
    v holds, the ``upstream`` gradients that it takes and the ``results`` that it returns, ``like`` v: in the dtypes of
    the arrays of those names."""

    directions: dict[str, str]
    upstream: dict[str, str]
    results: dict[str, str]
    like: bool


@dataclass(frozen=True)
class InBlocks(Computed):
    """A Jacobian or a Hessian as its ``blocks``, by the names of both arrays."""

    blocks: dict[tuple[str, str], BlockCode]


@dataclass(frozen=True)
class Dense(Computed):
    """A Hessian as one array, which is a variable."""

    matrix: str


@dataclass(frozen=True)
class Diagonal(Computed):
    """The diagonal of a Hessian: the variables of its arrays by name."""

    results: dict[str, str]


@dataclass(frozen=True)
class Estimate(Function):
    """The same by hvp along random directions, of the parameters ``by``, with standard errors."""

    by: tuple[str, ...]


@dataclass(frozen=True)
class AskedFor(Function):
    """What has no compressed form: row by row by backward, for each entry of the results ``of`` a layer, else column by
    column by hvp, for each entry of the parameters ``by``; ``dense`` is one array of all."""

    by: tuple[str, ...]
    of: tuple[str, ...] = ()
    dense: bool = False


@dataclass
class Program:
    """A module before it is printed. Names of arrays are the model's; ``variables`` says what code calls them.

    ``demands`` is what sizes have to be. ``kept`` are the variables, and their rows, that forward hands to backward;
    ``gradients``, ``results`` and ``equations`` map names to the variables that hold them at the end of backward,
    forward and outputs; ``numbers`` says whether some of the last are Python numbers. ``chosen`` are the names whose
    gradients backward returns, where these are not all parameters and inputs; ``functions`` come after these.
    ``identities`` maps rows, by id, to the declared ones whose value they compute without overflow.
    ``floats_are_safe`` says whether Python floats may be computed with as they are (see `planning`); ``checkpoints`` is
    what the module says on what forward keeps of loops, where that was asked for.
    """

    name: str
    summary: str
    text: str
    target: type[Arrays]
    level: int
    dtype: str
    dims: dict[str, int | None]
    demands: Demands
    params: dict[str, Node]
    data: dict[str, Node]
    constants: dict[str, Node]
    variables: dict[str, str]
    loss: str | None
    outputs: tuple[str, ...]
    initial: dict[str, Initial]
    forward: Block
    results: dict[str, str]
    result_rows: dict[str, Node]
    kept: dict[str, Node]
    backward: Block
    upstream: dict[str, Node]
    gradients: dict[str, str]
    chosen: tuple[str, ...] | None
    unreached: tuple[str, ...]
    evaluate: Block
    equations: dict[str, str]
    numbers: bool
    written: dict[int, str]
    expanded: frozenset[int]
    identities: dict[int, Node]
    floats_are_safe: bool
    functions: tuple[Function, ...] = ()
    checkpoints: str = ""
