"""Printed mathematics as a tree: what is said. How it looks is a printer's business (`render.print`).

A tree is read strictly by shape, as it is printed. Sizes are SymPy expressions in the dimensions; a shape is a tuple of
them.

==================  ===================================================================================================
``Num``             a number, or an expression in dimensions that counts as one, as a number of entries does; shape ()
``Shape``           sizes with × between, as beside an equation; no value of an array
``Rounded``         a value at some digits: a number, a vector, a matrix
``Sym``             a name. ``row`` is the id of the row (`Node.id`) whose value it stands for; None: it is only a name
``Letter``          an index, bound by a `Big`, an `Array`, a `Range` or by the entry on the other side of the equation
``Fill, Identity``  an array whose entries are all one number; I
``Sum``             terms with signs (True is minus), entry by entry: all of one shape, or numbers
``Prod``            factors, entry by entry (⊙ between arrays): all of one shape, or numbers; a ``number`` in front,
                    perhaps of one factor alone
``Chain``           factors of the chain rule with visible dots: numbers, or Jacobian matrices from left to right
``Frac``            a quotient, entry by entry
``Pow``             entry by entry; the exponent is a number or of the same shape
``MatMul``          a product over the last axis of the left and the last but one (of a vector: the only one) of the
                    right; a transposed vector on the left makes an inner product, one on the right an outer one
``Transpose``       the last two axes change places; of a vector a row
``Outer``           every entry of the left times every entry of the right: a ⊗ b; in ``blocks`` a_ij·b the matrix of
                    two matrices or rows, which is the Kronecker product
``Big``             Σ, Π or max over letters that are bound in the body (``sizes``: how far they run)
``Shaped``          the body, which stands for an array of this shape (printers write the body alone)
``Entry``           one entry, or the slice where only the first axes have an index
``Array``           the array whose entry at ``letters`` (running over ``sizes``) is the body
``Item``            ``a[i]``, as in NumPy: indices are numbers, arrays of whole numbers, `Span`\\ s
``Place``           an index that is counted out: Σ factor·letter, divided by ``over`` (only whole places count)
``Matrix``          a matrix, entry by entry
``Vector``          what lies along the first axis of an array, one by one: numbers, or arrays of one shape
``Fn``              a function of the scalar table, entry by entry, or its derivative (``prime``); ``hidden`` are the
                    arguments that do not print; without arguments the name of the function alone
``Indicator``       1[…]: 1 where the relation holds, else 0
``Likelihood``      [y log p + (1 − y) log(1 − p)]
``Op``              a library function or structural op by its name, with `Option`\\ s; ``below`` stands under its name
``Bars``            the norm ‖a‖ of all entries
``Derivative``      ∂top/∂bottom (or with d, the ``sign``). With the loss on top: the gradient, in the shape of bottom
                    (in the Jacobian view a row). Else a Jacobian: among scalars a number, entry by entry where both are
                    entries; in the matrix view the entries' own derivatives where both have one shape. By ∇, as ∇_W s,
                    the gradient of top in the shape of bottom, where a derivative would be a row
``Second``          ∂²top/∂row∂column: a matrix with the entries of ``row`` along its rows and of ``column``, which is
                    written transposed, along its columns; of scalars or entries a number
``Delta``           δ_a = ∂L/∂a; without ``of`` some upstream gradient
``Marked``          a word at a symbol: ``direct`` (a derivative with other branches held fixed), ``later`` (the part of
                    a gradient that later steps of a loop hand back), ``old`` and ``new`` (before and after an update),
                    ``counts`` (in an `Indicator`: the value is finite or a gradient meets it)
``AtStep``          what one step of a loop contributes to a gradient, or one element of a stack: at step ``letter``; at
                    all of them (a `Range`), at the first (a number) or the last (`Words`) where ``steps`` says so
``Listed``          (h₁, …, h_T), the stack over a loop
``Range``           t = 1, …, T
``Several``         things with commas between, perhaps ``fenced`` by parentheses
``Relation``        left sign right: = < > ≤ ≥ ≠ ↦ (becomes) ⇒ (gives) : (is)
``Words``           words inside mathematics
``Link``            the body, which was computed where the anchor points to
==================  ===================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from operator import is_
from typing import Any, ClassVar

import sympy as sp

from symbackprop.records import record

Dims = tuple[sp.Expr, ...]
Values = float | tuple["Values", ...]


@record(frozen=True)
class Math:
    """A piece of mathematics. ``rank``: its axes, as far as printing cares: of two arrays the product is ⊙, the power
    of an array is ^⊙. It is the greatest of those of the fields in ``ranked``, or ``fixed``."""

    ranked: ClassVar[tuple[str, ...]]
    fixed: ClassVar[int]

    def __init_subclass__(cls, ranked: tuple[str, ...] = (), fixed: int = 0) -> None:
        cls.ranked, cls.fixed = ranked, fixed

    @cached_property
    def rank(self) -> int:
        return max([_rank(getattr(self, name)) for name in self.ranked], default=self.fixed)


def _rank(value: Any) -> int:
    rank: int = max([m.rank for m in value], default=0) if type(value) is tuple else value.rank
    return rank


# -- leaves
@record(frozen=True)
class Num(Math):
    """``order``: the dimensions as they were declared, the order of factors."""

    value: sp.Expr
    order: tuple[str, ...] = ()


@record(frozen=True)
class Shape(Math):
    sizes: Dims
    order: tuple[str, ...] = ()


@record(frozen=True)
class Rounded(Math):
    """``steady``: it is drawn with the room of any number of these digits, for numbers that move."""

    values: Values
    digits: int
    steady: bool = False


@record(frozen=True)
class Sym(Math):
    """``name`` as in model text; ``notation`` is LaTeX that a model asks for instead; ``verbatim``: it prints as it is
    written, since taken apart it would look like another one. ``entry``: it stands for this entry of the row, counted
    from 1."""

    name: str
    shape: Dims = ()
    row: int | None = None
    notation: str = ""
    verbatim: bool = False
    entry: tuple[int, ...] = ()

    @cached_property
    def rank(self) -> int:
        return min(len(self.shape), 2)


@record(frozen=True)
class Letter(Math):
    name: str


@record(frozen=True)
class Fill(Math):
    value: sp.Expr
    shape: Shape

    @cached_property
    def rank(self) -> int:
        return 1 if self.value in (0, 1) else 2


@record(frozen=True)
class Identity(Math, fixed=2):
    size: sp.Expr


@record(frozen=True)
class Words(Math):
    text: str


# -- arithmetic
@record(frozen=True)
class Sum(Math):
    terms: tuple[tuple[bool, Math], ...]

    @cached_property
    def rank(self) -> int:
        return max([m.rank for _, m in self.terms], default=0)


@record(frozen=True)
class Prod(Math, ranked=("factors",)):
    """``order``: of the dimensions in the number."""

    factors: tuple[Math, ...]
    number: sp.Expr = sp.S.One
    order: tuple[str, ...] = ()


@record(frozen=True)
class Chain(Math):
    factors: tuple[Math, ...]


@record(frozen=True)
class Frac(Math, ranked=("top", "bottom")):
    top: Math
    bottom: Math


@record(frozen=True)
class Pow(Math, ranked=("base",)):
    base: Math
    exponent: Math


# -- arrays
@record(frozen=True)
class MatMul(Math, fixed=1):
    left: Math
    right: Math


@record(frozen=True)
class Outer(Math, fixed=2):
    left: Math
    right: Math
    blocks: bool = False


@record(frozen=True)
class Transpose(Math, fixed=2):
    body: Math


@record(frozen=True)
class Inverse(Math, fixed=2):
    """Of a matrix; ``flipped``: the transposed one."""

    body: Math
    flipped: bool = False


@record(frozen=True)
class Commutation(Math, fixed=2):
    """The matrix that turns vec(A) into vec(Aᵀ), of square matrices of that size."""

    name: str
    size: sp.Expr


@record(frozen=True)
class Big(Math, ranked=("body",)):
    sign: str  # sum, prod or max
    letters: tuple[str, ...]
    body: Math
    sizes: Dims = ()


@record(frozen=True)
class Shaped(Math):
    body: Math
    shape: Dims

    @cached_property
    def rank(self) -> int:
        return min(len(self.shape), 2)


@record(frozen=True)
class Entry(Math):
    """``left`` says how many of the base's axes have no index."""

    base: Math
    index: tuple[Math, ...]
    left: int = 0

    @cached_property
    def rank(self) -> int:
        return min(self.left, 2)


@record(frozen=True)
class Array(Math):
    body: Math
    letters: tuple[str, ...]
    sizes: Dims = ()

    @cached_property
    def rank(self) -> int:
        return min(len(self.letters), 2)


@record(frozen=True)
class Span(Math):
    """``start:stop:step`` along an axis."""

    start: Math | None = None
    stop: Math | None = None
    step: int = 1


@record(frozen=True)
class Item(Math):
    base: Math
    index: tuple[Math, ...]


@record(frozen=True)
class Place(Math):
    """``terms``: (factor, letter or size), or (number, None)."""

    terms: tuple[tuple[int, Math | None], ...]
    over: int = 1


@record(frozen=True)
class Matrix(Math, fixed=2):
    rows: tuple[tuple[Math, ...], ...]


@record(frozen=True)
class Vector(Math):
    items: tuple[Math, ...]

    @cached_property
    def rank(self) -> int:
        return min(1 + self.items[0].rank, 2)


# -- functions
@record(frozen=True)
class Fn(Math, ranked=("args", "hidden")):
    """``spelled``: by its name, where a sign is usual but taken."""

    name: str
    args: tuple[Math, ...] = ()
    hidden: tuple[Math, ...] = ()
    spelled: bool = False
    prime: bool = False


@record(frozen=True)
class Relation(Math, ranked=("left", "right")):
    left: Math
    sign: str
    right: Math


@record(frozen=True)
class Indicator(Math, ranked=("holds",)):
    holds: Math


@record(frozen=True)
class Likelihood(Math, ranked=("p", "y")):
    p: Math
    y: Math


@record(frozen=True)
class Option(Math):
    """An option of a library function: axis −1."""

    key: str
    value: Math


@record(frozen=True)
class Op(Math):
    """``row``: the row that it computes, for those who want its value and do not know the function."""

    name: str
    args: tuple[Math, ...]
    below: tuple[Math, ...] = ()
    row: int | None = None


@record(frozen=True)
class Bars(Math):
    body: Math


# -- derivatives
@record(frozen=True)
class Derivative(Math):
    """``flat``: in one line, for the entries of a matrix."""

    top: Math
    bottom: Math
    sign: str = "∂"  # or d or ∇
    flat: bool = False


@record(frozen=True)
class Second(Math):
    top: Math
    row: Math
    column: Math


@record(frozen=True)
class Delta(Math):
    of: Math | None = None


@record(frozen=True)
class Marked(Math):
    body: Math
    word: str  # direct, given, later, old, new, counts or GN (Gauss–Newton)


# -- loops
@record(frozen=True)
class Range(Math):
    letter: str
    first: Math
    last: Math


@record(frozen=True)
class AtStep(Math):
    body: Math
    letter: str
    steps: Math | None = None


@record(frozen=True)
class Listed(Math):
    name: Math
    first: Math
    last: Math


# -- lists and references
@record(frozen=True)
class Several(Math):
    """``more``: and so on. ``fenced``: (2, 3), as an option of a function."""

    items: tuple[Math, ...]
    more: bool = False
    fenced: bool = False


@record(frozen=True)
class Link(Math, ranked=("body",)):
    anchor: str
    body: Math


# -- looking at trees
def parts(m: Math) -> list[Math]:
    """The trees directly inside a tree, in order."""
    found: list[Math] = []
    for name in _HOLDING[type(m)]:
        value = m.__dict__[name]
        if type(value) is tuple:
            _collect(value, found)
        elif value is not None:
            found.append(value)
    return found


def _collect(items: tuple[Any, ...], found: list[Math]) -> None:
    for item in items:
        if type(item) is tuple:
            _collect(item, found)
        elif isinstance(item, Math):
            found.append(item)


def _holding(kind: type[Math]) -> tuple[str, ...]:
    """The names of the fields of a kind that hold trees, or tuples of them."""
    hints = kind.__annotations__.items()
    return tuple([name for name, hint in hints if not _KINDS.isdisjoint(re.findall(r"\w+", hint))])


_KINDS = {"Math", *[kind.__name__ for kind in Math.__subclasses__()]}
_HOLDING = {kind: _holding(kind) for kind in Math.__subclasses__()}


def walk(m: Math) -> Iterator[Math]:
    """A tree and all trees in it, outermost first, in the order in which they are read."""
    waiting = [m]
    while waiting:
        m = waiting.pop()
        yield m
        waiting += parts(m)[::-1]


def within(m: Math) -> Math:
    """A tree without what does not print around it."""
    while type(m) is Shaped:
        m = m.body
    return m


def turned(m: Math) -> Math:
    """The transpose; of a transpose what it is the transpose of: LaTeX refuses a second superscript."""
    inner = within(m)
    if isinstance(inner, Inverse):
        return replace(inner, flipped=not inner.flipped)
    if isinstance(inner, Fill) and len(inner.shape.sizes) > 1:
        return replace(inner, shape=replace(inner.shape, sizes=inner.shape.sizes[::-1]))
    return inner.body if isinstance(inner, Transpose) else Transpose(m)


def read_at(m: Math, index: Sequence[Math]) -> tuple[Math, list[Math]] | None:
    """An array and an index of it for ``m[index]``, where m is slices of it along different axes and the index reads
    some axes at 0: ``a[2, 0]`` for ``a[2:3][:, 0:1][0, 0]``. None where m is no slice."""
    base, spans = within(m), dict[int, Span]()
    while isinstance(base, Item):
        here = {k: s for k, s in enumerate(base.index) if isinstance(s, Span) and s.step == 1 and s != Span()}
        if len(here) + base.index.count(Span()) < len(base.index) or here.keys() & spans.keys():
            return None
        spans, base = spans | here, within(base.base)
    if not spans or max(spans) >= len(index) or not all(x in (Span(), Num(sp.S.Zero)) for x in index):
        return None
    inner = [spans.get(k, Span()) for k in range(len(index))]
    return base, [s if x == Span() else s.start or x for s, x in zip(inner, index, strict=True)]


def transposed(m: Math) -> Math:
    """The transpose, of a product that of its factors in the other order."""
    m = within(m)
    return MatMul(transposed(m.right), transposed(m.left)) if isinstance(m, MatMul) else turned(m)


def replaced(m: Math, found: Mapping[Math, Math]) -> Math:
    """The tree with others in the place of some of its parts."""
    return _replaced(m, found, {type(x) for x in found})


def _replaced(m: Math, found: Mapping[Math, Math], kinds: set[type[Math]]) -> Math:
    if type(m) in kinds and m in found:
        return found[m]
    inside = {name: _inside(m.__dict__[name], found, kinds) for name in _HOLDING[type(m)]}
    return m if all([x is m.__dict__[name] for name, x in inside.items()]) else replace(m, **inside)


def _inside(value: Any, found: Mapping[Math, Math], kinds: set[type[Math]]) -> Any:
    if type(value) is not tuple:
        return _replaced(value, found, kinds) if isinstance(value, Math) else value
    new = tuple([_inside(x, found, kinds) for x in value])
    return value if all(map(is_, new, value)) else new


def anchors(m: Math) -> tuple[str, ...]:
    """The anchors that a tree refers to, in order, each once."""
    return tuple(dict.fromkeys(x.anchor for x in walk(m) if isinstance(x, Link)))


# -- making trees
def equal(left: Math, right: Math) -> Math:
    return Relation(left, "=", right)


def negative(m: Math) -> Math:
    return Sum(((True, m),))


def product(*factors: Math) -> Math:
    return factors[0] if len(factors) == 1 else Prod(factors)


def minus(left: Math, right: Math) -> Math:
    return Sum(((False, left), (True, right)))


def is_nabla(m: Math | None) -> bool:
    """Whether a tree is a gradient by ∇."""
    return isinstance(m, Derivative) and m.sign == "∇"


def at(array: Math, *index: Math) -> Math:
    return Entry(array, index)


def total(*terms: tuple[bool, Math]) -> Math:
    """Terms with their signs; a positive one stays alone. What is only negative is one with the other sign."""
    known = [signed(negative, term) for negative, term in terms]
    return known[0][1] if len(known) == 1 and not known[0][0] else Sum(tuple(known))


def signed(negative: bool, term: Math) -> tuple[bool, Math]:
    """A term and its sign, where it is only negative without its own."""
    inner = within(term)
    if isinstance(inner, Sum) and len(inner.terms) == 1 and inner.terms[0][0]:
        return not negative, inner.terms[0][1]
    return negative, term


def chain(*factors: Math) -> Math:
    return factors[0] if len(factors) == 1 else Chain(factors)


def shaped(m: Math, shape: Dims) -> Math:
    """The same, known to be of this shape."""
    known = not shape or isinstance(m, (Sym, Fill))
    return m if known and m.rank == min(len(shape), 2) else Shaped(m, shape)


def called(function: str, *args: Math, **options: object) -> Op:
    """A library function by its name, with options."""
    return Op(function, (*args, *[Option(k, plain(v)) for k, v in options.items()]))


def sizes(shape: Dims) -> Several:
    """A shape as an argument of a function."""
    return Several(tuple(map(Num, shape)), fenced=True)


def plain(value: object) -> Math:
    """An option: a number, a tuple, a word."""
    if isinstance(value, (tuple, list)):
        return Several(tuple(map(plain, value)), fenced=True)
    if isinstance(value, (str, bool)) or value is None:
        return Words(str(value))
    return Num(value if isinstance(value, sp.Basic) else sp.Integer(value))


# -- what records speak of when they say what an op or a function means: vectors, a number, letters
A, B, Y, Z = (Sym(name, (sp.Symbol("N"),)) for name in "abyz")
X, C, K, M, N = Sym("x"), *map(Letter, "ckmn")
