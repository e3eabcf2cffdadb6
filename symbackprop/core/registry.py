"""The record of a structural op, and the table of all of them.

A model is a table of rows; every row is an elementwise kernel or one of these ops. A record is complete or refused:
shape rule, derivative rule, printing, reference values and a sampler of valid inputs all have to be there,
because tests, documentation and every output are generated from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, field, fields
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import sympy as sp

from symbackprop.core.entry import Digit, Entry, Fold, Jacobian, letters, parts_of
from symbackprop.core.maths import called
from symbackprop.core.roles import Role
from symbackprop.core.shapes import Shape
from symbackprop.records import record

if TYPE_CHECKING:
    from symbackprop.core.graph import Node
    from symbackprop.core.maths import Math

Attr = Any
Array = Any
Cotangents: TypeAlias = "Sequence[Node | None]"
Rule: TypeAlias = Callable[..., Cotangents]
Said: TypeAlias = "tuple[str | Math, ...]"  # words with mathematics among them


class Slopes(NamedTuple):
    """∂(entry of a row)/∂(entry of an argument): letters of both, the same where they are equal wherever it is not 0,
    and a sum of numbers times rows at letters, others being summed over."""

    out: str
    wanted: str
    terms: Sequence[tuple[sp.Expr, Sequence[tuple[Node, str]]]]


@record(frozen=True)
class Sample:
    """A valid call of an op: argument shapes (ints), an attribute, and for integer arguments their bound."""

    shapes: tuple[tuple[int, ...], ...]
    attr: Attr = None
    below: dict[int, int] = field(default_factory=dict)


@record(frozen=True)
class Spelled:
    """How the entry form is told in a glossary: a letter for every argument (δ: an upstream gradient) and how many axes
    it has there, the letters of the result's index and of what is summed over (without those that ties determine, if
    these are left out), the attribute in symbols, words."""

    arguments: str
    ranks: tuple[int, ...]
    index: str
    summed: str = ""
    attr: Attr = None
    words: Said = ()


@record(frozen=True)
class Op:
    """One structural op.

    ``infer(attr, args)`` gives the shape and kind of the result or raises `ShapeError`.

    ``vjp(output, upstream, wanted, idle)`` is the derivative rule: the cotangents of all arguments, as rows of the same
    table, from that of the output. It gives None where no gradient flows, and may do so where none is ``wanted``; axes
    along which an argument was broadcast are summed elsewhere. ``idle`` is what may be infinite or NaN where the
    upstream gradient is 0 (see `selection`). A loop has several results: both come by their numbers.

    ``show`` says a row as it is written, over its arguments (see `maths`), if that is no call by its name, and
    ``written`` what is read back as it, if that is not the same; its code is a rule of `codegen.arrays`. ``rule`` says
    what becomes of the gradient, under a ``title`` if it has one, ``kink`` what holds where there is none.
    ``reference(np, attr, *arrays)`` computes the value plainly, with ``attr`` resolved to integers, and shares nothing
    with emitted code. An op ``selects`` when entries of its input may have no influence on its result; values lie in
    the ``range``. ``gaps(np, attr, *arrays)`` are numbers that change their sign where the derivative jumps; of a
    ``singular`` op they are 0 where it is infinite, or would be. A ``loop`` has several results, each of which is a row
    whose op is a ``result``. The entries of a ``distribution`` sum to 1 along its axis; a ``logarithm`` is that of a
    sum of exponentials; an op that ``chooses`` gives the greatest entry; of one of ``matrices`` of a kind the arguments
    are drawn so (`REGULAR` or `DEFINITE`), and its ``cost`` over the arguments' shapes are the multiplications and
    divisions of elimination. What is ``held`` stays as it is when what it is computed from changes, for
    derivatives and differences alike. The Jacobian of a ``symmetric`` op of one argument is its own transpose; one that
    ``keeps_symmetry`` of a symmetric matrix is symmetric. ``functions`` are what users call, in Python and in model
    text: they take rows and make this op. In printed mathematics it is called ``text``, where that is not its name,
    with as many arguments as are ``shown`` (0: all); a glossary says what it ``means``: words behind such a call, or
    all of the line. A derivation calls its value what it ``gives``, and its first argument what it ``reads``, where
    they have no names.

    What rewrites know it as is its ``role``. ``entry(attr, argument shapes, indices)`` says what one entry of the
    result is (see `entry`): from it follow its Jacobian, which arguments it is linear in, which are indices, and
    whether it moves entries (see `facts`). A glossary tells it as it is ``spelled``. An op whose entries are no sums of
    products gives the ``jacobian(attr, argument shapes, indices of the result, indices of the argument)`` of its first
    argument instead, others being held, and perhaps how one is ``folded`` from a sum, from which the Jacobian is
    proved; one that has neither says in ``no_entry`` why, and perhaps its ``slopes(output, place)`` over other rows,
    which whole Hessians are made of.
    """

    name: str
    signature: str
    shape_rule: str
    derivative: str
    domain: str
    infer: Callable[[Attr, tuple[Node, ...]], tuple[Shape, str]]
    vjp: Rule
    reference: Callable[..., Array]
    samples: tuple[Sample, ...]
    role: Role | None = None
    show: Callable[[Node, Sequence[Math]], Math] = lambda node, args: called(node.op.name, *args)
    written: Callable[[Node, Sequence[Math]], Math] | None = None
    convention: str = ""
    title: str = ""
    rule: Said = ()
    kink: Said = ()
    entry: Entry | None = None
    jacobian: Jacobian | None = None
    folded: Fold | None = None
    no_entry: str = ""
    slopes: Callable[[Node, int], Slopes] | None = None
    spelled: Spelled | None = None
    range: tuple[float, float] = (-inf, inf)
    selects: bool = False
    gaps: Callable[..., Array] | None = None
    singular: bool = False
    functions: tuple[Callable[..., Node], ...] = ()
    loop: bool = False
    result: bool = False
    distribution: bool = False
    logarithm: bool = False
    chooses: bool = False
    held: bool = False
    symmetric: bool = False
    keeps_symmetry: bool = False
    matrices: str = ""
    cost: Callable[[Sequence[Shape]], sp.Expr] | None = None
    text: str = ""
    shown: int = 0
    means: str | Said = ""
    gives: str = ""
    reads: str = ""

    @property
    def is_leaf(self) -> bool:
        """Whether its rows are declared or written, so that no function makes them."""
        return self.role in (Role.DECLARED, Role.NUMBER)


OPS: dict[str, Op] = {}
REGULAR, DEFINITE = "regular", "definite"  # invertible; symmetric and positive definite


def register(op: Op) -> Op:
    """Add an op; an incomplete record or a second one of the same name is refused."""
    if op.name in OPS:
        raise ValueError(f"the op {op.name!r} is registered twice")
    for f in fields(op):
        if f.default is MISSING and f.name != "samples" and not getattr(op, f.name):
            raise ValueError(f"the op {op.name!r} has no {f.name}")
    if not op.samples and not op.is_leaf:
        raise ValueError(f"the op {op.name!r} has no samples")
    if sum(map(bool, (op.entry, op.jacobian, op.no_entry))) != 1:
        raise ValueError(f"the op {op.name!r} states one of: what an entry is, its Jacobian, why it has neither")
    if op.spelled is not None and not _can_be_spelled(op, op.spelled):
        raise ValueError(f"the op {op.name!r} is spelled without an entry form, or has one that takes an index apart")
    OPS[op.name] = op
    return op


def _can_be_spelled(op: Op, spelled: Spelled) -> bool:
    """Whether letters say the entry form: there is one, and none of its indices is a part of another one."""
    if op.entry is None:
        return False
    *shapes, out = (tuple([sp.Dummy(positive=True) for _ in range(n)]) for n in (*spelled.ranks, len(spelled.index)))
    terms = op.entry(spelled.attr, shapes, letters(out))
    indices = [i for t in terms for i in (*t.entries, *chain(*t.ties))]
    return not any(isinstance(x, Digit) for i in indices for x in parts_of(i))


@record(frozen=True)
class Composed:
    """What is said of a function made of others. In printed mathematics it is called ``text``, where that is not its
    name, with as many arguments as are ``shown`` (0: all), or only ``by_formula``; a glossary says what it ``means``;
    ``rule``, perhaps under a ``title``, says more of its gradient than those of the ops inside (``proved``: an appendix
    proves it, for one row of classes); ``by_entry``: one entry of it is written by the op that it ends with, not as an
    entry of the call. The ``target`` is the argument that holds probabilities of classes, if one does. A derivation
    calls its value what it ``gives``, and its first argument what it ``reads``, where they have no names. What is asked
    of its calls is its ``role``. It ``asks`` for last axes of its first arguments where nothing is declared, 0 of any
    size: images and kernels are of numbers, since of symbols nobody knows which is larger."""

    text: str = ""
    shown: int = 0
    by_formula: bool = False
    means: Said = ()
    title: str = ""
    rule: Said = ()
    by_entry: bool = False
    target: int | None = None
    gives: str = ""
    reads: str = ""
    proved: bool = False
    role: Role | None = None
    asks: tuple[tuple[int, ...], ...] = ()


COMPOSED: dict[str, Composed] = {}
Made = TypeVar("Made", bound=Callable[..., Any])


def known(text: str = "", **facts: Any) -> Callable[[Made], Made]:
    """Says a `Composed` of a function."""

    def register(call: Made) -> Made:
        COMPOSED[call.__name__] = Composed(text, **facts)
        return call

    return register


def composed(name: str) -> Composed:
    """What is said of a function; nothing of most."""
    return COMPOSED.get(name, _NOTHING)


_NOTHING = Composed()


def rule_of(record: Op | Composed) -> Said:
    """The rule with its title in front."""
    return (f"{record.title}: ", *record.rule) if record.title else record.rule


def texts() -> dict[str, str]:
    """What ops and functions are called in printed mathematics, those that are not called by their names."""
    records: list[tuple[str, Op | Composed]] = [*OPS.items(), *COMPOSED.items()]
    return {name: x.text for name, x in records if x.text}


def text_of(name: str) -> str:
    """What an op or a function is called in printed mathematics."""
    return (OPS[name].text if name in OPS else "") or composed(name).text or name
