"""Rows as printed mathematics: library functions by their mathematical form, structural ops by theirs.

Numbers that stand inside an unnamed row come out to the front: ½ Σ_n x rather than Σ_n ½ x, 0.1 δᵀ Q rather than
(0.1 δ)ᵀ Q. So a row is read as a number and the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core import maths
from symbackprop.core.build import numbers_in
from symbackprop.core.facts import (
    has_new_axes,
    is_joined,
    is_padded,
    is_product,
    is_put,
    is_range,
    is_repeated,
    is_reshaped,
    is_squeezed,
    is_sum,
    made_as,
    step_read,
)
from symbackprop.core.graph import Node
from symbackprop.core.kernel import index_of, renumbered
from symbackprop.core.literals import fraction
from symbackprop.core.maths import Dims, Math, negative, product, shaped, signed, within
from symbackprop.core.names import free_name, subscripts_of, text_name
from symbackprop.core.notation import Operands, Over, Written
from symbackprop.core.noughts import has_nought, without_weights
from symbackprop.core.registry import OPS, composed
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import is_one, normalise_axes, same, same_shape
from symbackprop.render.abridging import DOTS, LEFT_OUT, abridged, dotted, dotted_table, few
from symbackprop.render.axes import AxisLetters
from symbackprop.render.conditions import settled
from symbackprop.render.products import bound_in, bound_inside, contracted, inner_product
from symbackprop.render.spread import (
    FIRST,
    NEW,
    in_parts,
    indexed,
    opened,
    own_letters,
    repeated,
    reshaped,
    with_axes,
    with_numbers,
    with_outer,
    without_copies,
)

ONE, TWO = sp.S.One, f.Num(sp.Integer(2))
MAX_LISTED = 8  # numbers, of which all but one are 0

T = TypeVar("T")


class Scaled(NamedTuple):
    """A number times something."""

    number: sp.Expr
    rest: Math


class Rows(Written):
    """Writes rows as trees. ``symbols`` says what rows are called, with links to where they are computed; a row without
    one is written out. ``plain`` holds the same names without links, ``gradients`` what the gradient of a row is
    called (``linked`` with links). ``mentioned`` collects the functions that a glossary has to explain, with the first
    call of each; ``otherwise`` the calls by the name of an op that other ops made. ``maps``: rules may say what becomes
    of a gradient in the shape of its variable; ``by_entry``: what follows from entry forms needs no rule. ``cited`` are
    the rules that an appendix proves, with their numbers; None where there is none."""

    def __init__(self, symbols: Mapping[int, Math], letters: AxisLetters, expanded: Collection[int] = (),
                 order: Sequence[str] = ()) -> None:
        super().__init__({}, expanded)
        self.symbols, self.letters, self.order = dict(symbols), letters, tuple(order)
        self.mentioned: dict[str, Node | None] = {}
        self.otherwise: dict[str, Node] = {}
        self.factors: dict[int, tuple[object, list[Math]]] = {}
        self.spelled: dict[Any, Any] = {}
        self.plain: dict[int, Math] = {}
        self.gradients: dict[int, Math] = {}
        self.linked: dict[int, Math] = {}
        self.loss: Math = maths.Sym("L")
        self.partial = False
        self.maps, self.by_entry = True, False
        self.cited: dict[Any, int] | None = None
        self.rate: Math = maths.Sym(free_name(letters.taken, "eta", "alpha", "gamma", "rho"))
        own = "δ" in {name[:1] for name in letters.taken}  # a model's own δ is no gradient
        self.upstream: Math = maths.Sym(free_name(letters.taken, "g", "G", "v")) if own else maths.Delta()
        self.computing: dict[tuple[f.Formula, tuple[int, ...]], Node] = {}  # rows with a letter by what they compute
        self.read_as: dict[int, Node] = {}  # what is written in the place of rows
        self.whole = True  # whether long formulas are written in full

    # -- names, sizes, derivatives
    @cached_property
    def called_by(self) -> dict[str | tuple[str, ...], list[maths.Sym]]:
        """The names of rows by what they are, by how they print (alone in a tuple) and by base and subscripts."""
        found: dict[str | tuple[str, ...], list[maths.Sym]] = {}
        for symbol in map(within, self.plain.values()):
            if isinstance(symbol, maths.Sym):
                for key in (symbol.name, (text_name(symbol.name),), subscripts_of(symbol.name)):
                    found.setdefault(key, []).append(symbol)
        return found

    def ref(self, node: Node) -> Math:
        """A row as an operand: its name, else its right-hand side."""
        symbol = self.symbols.get(node.id)
        return self.row(node) if symbol is None else symbol

    def bare(self, node: Node) -> Math:
        """A row's name without a link."""
        return self.plain[node.id] if node.id in self.plain else self.ref(node)

    @contextmanager
    def called(self, node: Node, name: Math) -> Iterator[None]:
        """Inside this context a row goes by another name."""
        before = self.symbols.get(node.id)
        self.symbols[node.id] = name
        self.spelled.clear()
        try:
            yield
        finally:
            self.spelled.clear()
            if before is None:
                del self.symbols[node.id]
            else:
                self.symbols[node.id] = before

    def size(self, size: sp.Expr) -> maths.Num:
        return maths.Num(size, self.order)

    def shape(self, shape: Dims) -> maths.Shape:
        return maths.Shape(tuple(shape), self.order)

    def delta(self, of: Math) -> Math:
        """What the gradient of an intermediate is called: δ_a, but where δ is the model's."""
        return maths.Delta(of) if isinstance(self.upstream, maths.Delta) else self.derivative(of)

    def nabla(self, bottom: Math) -> maths.Derivative:
        """∇_bottom L."""
        return maths.Derivative(self.loss, bottom, "∇")

    def derivative(self, bottom: Math) -> maths.Derivative:
        """∂L/∂bottom."""
        return maths.Derivative(self.loss, bottom, "∂" if self.partial else "d")

    def number(self, value: sp.Expr) -> Math:
        return maths.Num(value, self.order if value.free_symbols else ())

    def scaled(self, number: sp.Expr, *factors: Math) -> Math:
        if not factors:
            return self.number(number)
        if len(factors) == 1 and isinstance(inner := within(factors[0]), maths.Prod) and inner.number != 1:
            return self.scaled(number * inner.number, *inner.factors)
        if number != 1:
            numbers, factors = zip(*map(_led, factors), strict=True)
            number, factors = _below(number * sp.Mul(*numbers), factors)
        if number == 1:
            return product(*factors)
        is_negative, body = signed(False, factors[0])
        if is_negative and len(factors) == 1:
            return negative(self.scaled(number, body))
        if f.is_negative(number):
            return negative(self.scaled(-number, *factors))
        return maths.Prod(factors, number, self.order)

    def filled(self, value: sp.Expr, shape: Dims) -> Math:
        if not shape:
            return self.number(value)
        return negative(self.filled(-value, shape)) if f.is_negative(value) else maths.Fill(value, self.shape(shape))

    def identity(self, size: sp.Expr) -> Math:
        self.mention("eye")
        return maths.Identity(size)

    def diagonal(self, entries: Math) -> Math:
        """A matrix with these entries on its diagonal."""
        self.mention("diagonal matrix")
        return maths.Op("diag", (entries,))

    def vec(self, node: Node) -> Math:
        """The rows of a matrix, one behind the other, by its name; a vector as it is."""
        if node.ndim < 2:
            return self.plain[node.id]
        self.mention("vec")
        return maths.Op("vec", (self.plain[node.id],))

    def mention(self, name: str, call: Node | None = None) -> None:
        if call is not None and call.op is not OPS.get(name, call.op):  # with options that the op does not have
            self.otherwise.setdefault(name, call)
        else:
            self.mentioned.setdefault(name, call)

    # -- rows
    def row(self, node: Node) -> Math:
        """The right-hand side of a row."""
        node = self.read_as.get(node.id, node)
        if node.value is not None:
            return self.filled(node.value, node.shape)
        if node.form is not None and not self.is_call(node):
            form, args = self._with_numbers(node)
            return shaped(self._with_weights(node, form, args, self._entrywise(node, form, args)), node.shape)
        number, rest = self.split(node)
        return shaped(self.scaled(number, rest), node.shape)

    def term(self, node: Node) -> Scaled:
        """An operand: its name, or a number and the rest of what it is."""
        shape = node.shape
        while _is_copy(node) and node.value is None and node.id not in self.symbols:
            node = node.args[0]
        number, rest = self._operand(node)
        return Scaled(number, self.repeated(rest, node.shape, shape))

    def _operand(self, node: Node) -> Scaled:
        node = self.read_as.get(node.id, node)
        if node.id in self.symbols or node.value is not None:
            return Scaled(ONE, self.ref(node))
        number, rest = self.split(node)
        return Scaled(number, shaped(rest, node.shape))

    def repeated(self, m: Math, have: Dims, want: Dims) -> Math:
        """An array repeated until it has the wanted shape; ones are what a glossary explains."""
        return repeated(m, have, want, self.lettered, self.order)

    def lettered(self, shape: Dims, trees: Sequence[Math], known: Mapping[int, str]) -> tuple[str, ...]:
        """An index letter for every axis of an array that is written by its entries, which the legend binds."""
        found = tuple(self.every(shape, trees, known))
        self.letters.mention(found, shape)
        return found

    def every(self, shape: Dims, trees: Sequence[Math], known: Mapping[int, str]) -> list[str]:
        """An index letter for every axis of what is made of ``trees``; some are ``known``."""
        used = {*bound_in(trees), *known.values()}
        free = iter(self.letters.of([d for k, d in enumerate(shape) if k not in known], used))
        return [known[k] if k in known else next(free) for k in range(len(shape))]

    def split(self, node: Node) -> Scaled:
        """The right-hand side of a row as a number and the rest."""
        if self.is_call(node):
            assert node.origin is not None
            if node.origin.function != node.op.name and not composed(node.origin.function).by_formula:
                return Scaled(ONE, self.library(node))
        if node.form is not None:
            if node.role is Role.LIKELIHOOD:
                return self.likelihood(node)
            form, args = self._with_numbers(node)
            number, rest = f.split_sign(form)
            return Scaled(number, self._entrywise(node, rest, args))
        write = next((write for is_so, write in WAYS if is_so(node)), None)
        written = self.structural(node) if write is None else write(self, node, *node.args)
        return written if isinstance(written, Scaled) else Scaled(ONE, written)

    def structural(self, node: Node) -> Math:
        """A structural op by its name and arguments."""
        m = super().structural(node)
        if isinstance(m, maths.Identity):
            return self.identity(m.size)
        if isinstance(m, maths.Vector):
            return maths.Vector(tuple(self.dotted(m.items)))
        if isinstance(m, maths.Matrix) and not self.whole:
            return maths.Matrix(tuple(map(tuple, dotted_table(m.rows, DOTS))))
        if not isinstance(m, maths.Op):
            return m
        self.mention(m.name)
        m = replace(m, args=tuple(self.dotted(m.args[: node.op.shown or None])))
        rank = node.args[0].ndim if node.args else 0
        found = replace(_counted(_without_keepdims(m), rank), row=node.id)
        return with_axes(found, node.ndim, node.attr[0]) if len(found.args) < len(m.args) else found

    def library(self, node: Node) -> Math:
        """A library function as it was called, its axes kept by an index."""
        assert node.origin is not None
        if made_as(node) is Role.ONE_HOT and node.ndim == 2 and same(*node.shape) and is_range(node.origin.args[0]):
            return self.identity(node.shape[-1])
        self.mention(node.origin.function, node)
        rank = next((a for a in node.origin.args if isinstance(a, Node)), node).ndim
        call = self.call(node)
        found = _counted(_without_keepdims(replace(call, args=call.args[: composed(call.name).shown or None])), rank)
        if not node.origin.options.get("keepdims"):
            return found
        return with_axes(found, node.ndim, normalise_axes(node.origin.options.get("axis"), node.ndim))

    def _with_numbers(self, node: Node) -> tuple[f.Formula, list[Math]]:
        """A kernel's formula with the numbers of its operands folded in."""
        form, operands = self._with_letters(node, *self._gathered(node))
        terms = [Scaled(ONE, DOTS) if a is None else self.term(a) for a in operands]
        if any(t.number != 1 for t in terms):
            form = f.substitute(form, lambda leaf: f.mul(f.Num(terms[index_of(leaf)].number), leaf))
        alike = [t.rest if a is None else self.alike(t.rest, a, node.shape)
                 for t, a in zip(terms, operands, strict=True)]
        return form, without_copies(alike, _only_factors(form))

    def _with_weights(self, node: Node, form: f.Formula, args: Sequence[Math], tree: Math) -> Math:
        """The tree of a formula; of numbers beside weights, which do not print, repeated as the weights are."""
        hides = node.ndim > 0 and has_nought(form)
        numbers = hides and not any([args[k].rank for k in f.arguments(without_weights(form))])
        return self.repeated(tree, (), node.shape) if numbers else tree

    def _with_letters(self, node: Node, form: f.Formula, operands: Sequence[Node | None]
                      ) -> tuple[f.Formula, Sequence[Node | None]]:
        """A formula with the letters of rows that its parts compute: −y/(N k) for −y/(N (μ/(a + μ))), k = μ/(a + μ)."""
        found = list(operands)

        def lettered(part: f.Formula) -> f.Formula:
            order = f.arguments(part) if part.children else ()
            rows = [operands[k] for k in order]
            key = renumbered(part, order), tuple([-1 if row is None else row.id for row in rows])
            letter = self.computing.get(key) if order else None
            if letter is None or letter.id >= node.id:
                return f.changed(part, lettered)
            found.extend([letter] if letter not in found else [])
            return f.Arg(found.index(letter))

        return (f.changed(form, lettered), found) if self.computing else (form, operands)

    def _entrywise(self, node: Node, form: f.Formula, args: Sequence[Math]) -> Math:
        """A formula over arrays; one entry of it, where one of them is written by its entries."""
        inside = [*map(within, args)]
        arrays = [m for m in inside if isinstance(m, maths.Array)]
        if not arrays:
            new = any([isinstance(m, maths.Item) and NEW in m.index for m in inside])
            return self._before_new_axes(node, form, args) if new else self.formula(form, args)
        bound = {x for m in inside for x in bound_inside(m)}
        known = {k: x for k, x in enumerate(arrays[0].letters) if x not in bound}
        letters = self.lettered(node.shape, args, known)
        at = {k: maths.Letter(x) for k, x in enumerate(letters)}
        entries = [indexed(m, node.ndim, at) if m.rank else m for m in args]
        return maths.Array(self.formula(form, entries), letters, node.shape)

    def _before_new_axes(self, node: Node, form: f.Formula, args: Sequence[Math]) -> Math:
        """``(a/b)[:, None]`` for a[:, None]/b[:, None]: a formula over several arrays with the same new axes."""
        found = [opened(m, node.ndim) for m in args]
        places = [at for m, (_, at) in zip(args, found, strict=True) if m.rank]
        if len(places) == 1 or places.count(places[0]) < len(places):
            return self.formula(form, args)
        new = [k for k, place in enumerate(places[0]) if place is None]
        shape = tuple([d for k, d in enumerate(node.shape) if k not in new])
        inner = [shaped(base, shape) if m.rank else m for m, (base, _) in zip(args, found, strict=True)]
        return with_axes(self.formula(form, inner), node.ndim, new)

    def _gathered(self, node: Node) -> tuple[f.Formula, Sequence[Node | None]]:
        """A kernel's formula and operands, unnamed sums within a sum and products within a product taken in: a chain
        of rows is one sum, however long. None is what stands for the dots in a long one."""
        form, operands = node.attr.form, list[Node | None](node.args)
        if not any([self._continues(a, node) for a in node.args]):
            return form, operands
        places: dict[tuple[int, int], int] = {}
        operands.clear()

        def place(row: Node | None, leaf: f.Formula) -> f.Formula:
            key = (-1, 0) if row is None else (row.id, index_of(leaf))
            if key not in places:
                places[key] = len(operands)
                operands.append(None if row is None else row.args[key[1]])
            return f.Arg(places[key])

        parts = self._parts(node)
        shown = parts if self.whole else dotted(parts, (f.Arg(0), None))
        return type(form)(tuple([f.substitute(part, partial(place, row)) for part, row in shown])), operands

    def _parts(self, node: Node) -> Sequence[tuple[f.Formula, Node | None]]:
        """The terms or factors of a chain of rows, each with the row whose arguments it is over."""
        parts: list[tuple[f.Formula, Node | None]] = []
        waiting = [(part, node) for part in reversed(node.attr.form.children)]
        while waiting:
            part, row = waiting.pop()
            if isinstance(part, f.Arg) and self._continues(inner := row.args[part.index], node):
                waiting += [(p, inner) for p in reversed(inner.attr.form.children)]
            else:
                parts.append((part, row))
        return parts

    def _continues(self, a: Node, node: Node) -> bool:
        """Whether an operand is a part of the sum or product that reads it."""
        if a.form is None or a.id in self.symbols or a.value is not None or self.is_call(a):
            return False
        form = a.attr.form
        number_first = isinstance(form, f.Mul) and isinstance(form.factors[0], f.Num)
        same = isinstance(form, (f.Add, f.Mul)) and type(form) is type(node.attr.form)
        return same and not number_first and a.shape == node.shape

    def alike(self, m: Math, a: Node, shape: Dims) -> Math:
        """An operand in the shape of the result; a number goes with any."""
        return self.repeated(m, a.shape, shape) if a.shape else m

    # -- what is long
    def few(self, found: Sequence[T]) -> Sequence[T]:
        """All of what is found, or of many things the first and the last."""
        return found if self.whole else few(found)

    def dotted(self, found: Sequence[Math]) -> Sequence[Math]:
        """The same with dots in the place of what is left out."""
        return found if self.whole else dotted(found, DOTS)

    def named(self, found: Sequence[Node]) -> list[Math]:
        """The names of rows, with dots for those that are left out."""
        names = [*map(self.bare, self.few(found))]
        return names if len(names) == len(found) else [*names[:-1], DOTS, names[-1]]

    def total(self, found: Sequence[T], term: Callable[[T], tuple[bool, Math]]) -> Math:
        """The sum of the terms of what is found, with dots for those that are left out."""
        terms = [*map(term, self.few(found))]
        return maths.total(*terms if len(terms) == len(found) else [*terms[:-1], (False, DOTS), terms[-1]])

    # -- formulas
    def shown(self, form: f.Formula) -> f.Formula:
        """A formula as it is printed: a long one is abridged."""
        return form if self.whole else abridged(form)

    def formula(self, form: f.Formula, args: Operands, out: Math | None = None) -> Math:
        return super().formula(self.shown(form), args, out)

    def _spelled(self, form: f.Formula, over: Over) -> Math:
        """A gradient that is written out where it is read may be a number, or divided by the next factor: (1/a)·a."""
        if form is LEFT_OUT:
            return DOTS
        m = settled(super()._spelled(form, over))
        if isinstance(m, maths.Frac):
            return self._quotient(m)
        if isinstance(m, maths.Sum):
            some = [t for t in m.terms if not _is_nothing(t[1])]
            return maths.total(*some) if 0 < len(some) < len(m.terms) else m
        if not isinstance(m, maths.Prod) or len(m.factors) < 2:
            return m
        m = self.scaled(m.number, *with_outer([x for factor in m.factors for x in _factors_of(factor)]))
        if not isinstance(m, maths.Prod):
            return m
        if not any([isinstance(within(x), INVERSES) for x in m.factors]):
            return m
        number, kept = _without_inverses(m.factors)
        return self.scaled(number * m.number, *kept)

    def _quotient(self, m: maths.Frac) -> Math:
        """One fraction, its sign in front: (a/N)/b is a/(N·b)."""
        top = within(m.top)
        number = top.value if isinstance(top, maths.Num) else top.number if isinstance(top, maths.Prod) else ONE
        if f.is_negative(number) and isinstance(top, maths.Num):
            return negative(self._quotient(replace(m, top=self.number(-number))))
        above, below = fraction(number)
        if not below.free_symbols:
            return m
        rest = self.scaled(above, *(top.factors if isinstance(top, maths.Prod) else ()))
        return maths.Frac(rest, self.scaled(below, *_factors_of(m.bottom)))

    def _signed(self, term: f.Formula, over: Over) -> tuple[bool, Math]:
        return signed(*super()._signed(term, over))

    def scalar(self, name: str, args: list[Math], form: f.Call) -> Math:
        """A function of the scalar table."""
        condition, record = within(args[0]), TABLE[name]
        if form.role is Role.LIKELIHOOD:
            return negative(maths.Likelihood(args[0], args[1]))
        if form.role is Role.COUNTED:
            return maths.Indicator(maths.Marked(args[0], "counts"))
        if record.spelled is not None:
            return self.formula(record.spelled, args)
        if record.means:
            self.mention(name)
        if record.exponential and "e" in self.letters.taken:
            return maths.Fn(name, (args[0],), (), True)
        if form.role is Role.CHOICE and isinstance(condition, maths.Indicator):
            args[0] = condition.holds
        return super().scalar(name, args, form)

    def likelihood(self, node: Node) -> Scaled:
        """−[y log p + (1 − y) log(1 − p)], its sign apart."""
        args = [self.ref(a) for a in node.args]
        p, y = (self.formula(x, args) for x in node.attr.form.args)
        return Scaled(-ONE, maths.Likelihood(p, y))

    # -- reductions
    def bound(self, a: Node, axes: Sequence[int], trees: Sequence[Math]
              ) -> tuple[tuple[str, ...], Dims, tuple[int, ...]]:
        """The index letters of axes of ``trees`` that something runs over, how far they run, and which axes these
        are."""
        letters = self.every(a.shape, trees, {k: x for m in trees for k, x in own_letters(m).items()})
        kept = tuple([i for i in axes if not is_one(a.shape[i])])
        sizes = tuple([a.shape[i] for i in kept])
        self.letters.mention([letters[i] for i in kept], sizes)
        return tuple([letters[i] for i in kept]), sizes, kept

    def big_sum(self, a: Node, axes: Sequence[int], keepdims: bool) -> Scaled:
        number, rest = self.term(a)
        numbers, array, below = in_parts(rest)
        inner = None if a.ndim > 1 or keepdims else inner_product(array)
        whole = inner or self.over("sum", array, a, axes, keepdims)
        left = [ONE if k in axes else d for k, d in enumerate(a.shape) if keepdims or k not in axes]
        return Scaled(number, with_numbers(whole, numbers, below, left))

    def over(self, sign: str, m: Math, a: Node, axes: Sequence[int], keepdims: bool) -> Math:
        """Σ_n m[n], the letters of what it runs over on the array itself. Axes that stay are new ones of size 1."""
        letters, sizes, kept = self.bound(a, axes, [m])
        at: dict[int, Math] = dict.fromkeys(axes, FIRST)
        at |= {k: maths.Letter(x) for k, x in zip(kept, letters, strict=True)}
        body = indexed(m, a.ndim, at)
        whole = body
        if letters and isinstance(body, maths.Array):  # [Σ_d …]_nk: the sum of entries, not of arrays
            whole = replace(body, body=maths.Big(sign, letters, body.body, sizes))
        elif letters:
            whole = maths.Big(sign, letters, body, sizes)
        return with_axes(whole, a.ndim, axes) if keepdims else whole


INVERSES = (maths.Frac, maths.Num)


def _factors_of(m: Math) -> tuple[Math, ...]:
    """What a factor is the product of."""
    inner = within(m)
    return inner.factors if isinstance(inner, maths.Prod) and inner.number == 1 else (m,)


def _is_nothing(m: Math) -> bool:
    """Whether a term is an array of zeros, as what a state that no step reads hands on."""
    inner = within(m)
    return isinstance(inner, maths.Fill) and inner.value == 0


def _led(factor: Math) -> tuple[sp.Expr, Math]:
    """The number that a factor begins with, and the rest: ½ and 1/c of ½/c."""
    m = within(factor)
    if isinstance(m, maths.Prod) and m.number.is_Rational and m.number != 1:
        return m.number, product(*m.factors)
    if isinstance(m, maths.Frac):
        number, top = (m.top.value, maths.Num(ONE)) if isinstance(m.top, maths.Num) else _led(m.top)
        return (number, replace(m, top=top)) if number.is_Rational and number != 1 else (ONE, factor)
    return ONE, factor


def _below(number: sp.Expr, factors: Sequence[Math]) -> tuple[sp.Expr, tuple[Math, ...]]:
    """A number in front without what quotients are divided by: 2·(δ/(2u)) is δ/u."""
    found = list[Math]()
    for factor in factors:
        m = within(factor)
        below = within(m.bottom) if isinstance(m, maths.Frac) else m
        if isinstance(m, maths.Frac) and isinstance(below, maths.Prod) and (number / below.number).is_Integer:
            number, factor = number / below.number, replace(m, bottom=product(*below.factors))
        found.append(factor)
    return number, tuple(found)


def _without_inverses(factors: Sequence[Math]) -> tuple[sp.Expr, Sequence[Math]]:
    """Factors without one that another one is divided by; numbers in front."""
    found = (divided_out(x, [*factors[:k], *factors[k + 1 :]]) for k, x in enumerate(factors) if not x.rank)
    kept = next((x for x in found if x is not None), factors)
    numbers = [y.value for y in map(within, kept) if isinstance(y, maths.Num)]
    return sp.Mul(*numbers), [y for y in kept if not isinstance(within(y), maths.Num)]


def divided_out(quotient: Math, others: Sequence[Math]) -> list[Math] | None:
    """The factors that a quotient and others come to, where one of these is what it is divided by."""
    inner, plain = within(quotient), [within(x) for x in others]
    if not isinstance(inner, maths.Frac) or within(inner.bottom) not in plain:
        return None
    place = plain.index(within(inner.bottom))
    return [inner.top, *others[:place], *others[place + 1 :]]


def _without_keepdims(m: maths.Op) -> maths.Op:
    return replace(m, args=tuple([x for x in m.args if not isinstance(x, maths.Option) or x.key != "keepdims"]))


def _counted(m: maths.Op, rank: int) -> maths.Op:
    """The axes of an option counted from the first one, as everywhere in print."""
    return replace(m, args=tuple([_from_first(x, rank) if isinstance(x, maths.Option) and x.key == "axis" else x
                                  for x in m.args]))


def _from_first(m: Any, rank: int) -> Any:
    """An option or a tuple of numbers with the negative ones counted from the first axis."""
    match m:
        case maths.Option(key, value):
            return maths.Option(key, _from_first(value, rank))
        case maths.Several(items):
            return replace(m, items=tuple([_from_first(x, rank) for x in items]))
        case maths.Num(value) if f.is_negative(value):
            return maths.Num(value + rank)
    return m


def _only_factors(form: f.Formula) -> set[int]:
    """The arguments that are factors of a formula and stand nowhere else in it."""
    parts = _factors(form)
    return {x.index for x in parts if isinstance(x, f.Arg)} - {
        i for x in parts if not isinstance(x, f.Arg) for i in f.arguments(x)}


def _factors(form: f.Formula) -> list[f.Formula]:
    match form:
        case f.Neg(body):
            return _factors(body)
        case f.Mul(factors):
            return [x for part in factors for x in _factors(part)]
        case f.Div(top, bottom):
            return [*_factors(top), *_factors(bottom)]
    return [form]


def _is_copy(node: Node) -> bool:
    """Whether a row only repeats its argument, or gives a number axes of size 1."""
    return is_repeated(node) or (is_reshaped(node) and not node.args[0].ndim)


# -- structural ops
def _sum(r: Rows, node: Node, a: Node) -> Scaled | Math:
    axes, keepdims = node.attr
    square = _squared(r, a) if len(axes) == a.ndim else None
    if square is None:
        return r.big_sum(a, axes, keepdims)
    norm = maths.Pow(maths.Bars(square), maths.Num(sp.Integer(2)))
    return with_axes(norm, a.ndim, axes) if keepdims else norm


def _squared(r: Rows, a: Node) -> Math | None:
    """x where a row is the unnamed square of x."""
    if a.id in r.symbols or a.form is None or len(a.args) != 1:
        return None
    form = a.attr.form
    square = isinstance(form, f.Pow) and isinstance(form.base, f.Arg) and form.exponent == TWO
    return r.ref(a.args[0]) if square else None


def _max(r: Rows, node: Node, a: Node) -> Math:
    axes, keepdims = node.attr
    return r.over("max", r.ref(a), a, axes, keepdims)


def _broadcast(r: Rows, node: Node, a: Node) -> Scaled:
    number, rest = r.term(a)
    return Scaled(number, r.repeated(rest, a.shape, node.shape))


def _reshape(r: Rows, node: Node, a: Node) -> Scaled | Math:
    read = None if a.id in r.symbols else step_read(node)
    if read is not None:
        stack, number = read
        return maths.Item(r.ref(stack), (r.size(number),))
    if is_squeezed(node):
        number, rest = r.term(a)
        if not a.shape:
            return Scaled(number, r.repeated(rest, (), node.shape))
        numbers, array, below = in_parts(rest)
        return Scaled(number, with_numbers(reshaped(array, a.shape, node.shape), numbers, below, node.shape))
    r.mention("reshape")
    return maths.Op("reshape", (r.ref(a),), (r.shape(node.shape),), node.id)


def _put(r: Rows, node: Node, g: Node, index: Node) -> Scaled | Math:
    """What one entry of every row receives: the gradient in every column times onehot."""
    rows = index.args[0] if is_reshaped(index) and index.id not in r.symbols else index
    if rows.shape != index.shape[:-1]:
        return r.structural(node)
    r.mention("one_hot")
    places = shaped(maths.Op("one_hot", (r.ref(rows),), (), node.id), node.shape)
    number, rest = r.term(g)
    return Scaled(number, product(r.repeated(rest, g.shape, node.shape), places))


def _out(r: Rows, node: Node, scan: Node) -> Math:
    """A result of a loop that has no name of its own: what one step computes, over all steps."""
    loop = scan.attr
    result, stacked = loop.results()[node.attr], node.attr >= len(loop.carry)
    if result.value is not None:
        return r.filled(result.value, node.shape)
    with r.letters.at_step():
        body = r.ref(result)
    first, last = r.size(loop.first), r.size(loop.last)
    if stacked:
        return maths.AtStep(body, loop.index, maths.Range(loop.index, first, last))
    return maths.AtStep(body, loop.index, r.size(loop.end))


def _einsum(r: Rows, node: Node, *args: Node) -> Scaled:
    terms = [r.term(a) for a in args]
    return Scaled(sp.Mul(*[t.number for t in terms]), contracted(r, node.attr, [t.rest for t in terms], args))


def _padded(r: Rows, node: Node, a: Node) -> Math:
    """A number among noughts, of which there are few, as a list of them."""
    numbers, (_, start, size, _) = () if a.id in r.symbols else numbers_in(a), node.attr
    few_places = node.ndim == 1 and start.is_Integer and size.is_Integer and size <= MAX_LISTED
    if len(numbers) != 1 or not few_places:
        return r.structural(node)
    return maths.Vector(tuple([r.ref(numbers[0]) if k == start else maths.Num(sp.S.Zero) for k in range(size)]))


def _joined(r: Rows, node: Node, *args: Node) -> Math:
    """Arrays that got an axis to be joined along, as a stack of them."""
    layers = [a.args[0] for a in args if _is_layer(r, a, node.attr)]
    if len(layers) < len(args):
        return r.structural(node)
    r.mention("stack")
    axis = [maths.Option("axis", maths.Num(sp.Integer(node.attr)))] if node.attr else []
    return maths.Op("stack", (*r.dotted([*map(r.ref, layers)]), *axis), (), node.id)


def _is_layer(r: Rows, a: Node, axis: int) -> bool:
    """Whether a row that is written out is another one with one axis more, this one."""
    if a.id in r.symbols or not has_new_axes(a):
        return False
    return same_shape(a.shape, (*a.args[0].shape[:axis], ONE, *a.args[0].shape[axis:]))


WAYS: tuple[tuple[Callable[[Node], bool], Callable[..., Scaled | Math]], ...] = (
    (is_product, _einsum), (is_sum, _sum), (is_repeated, _broadcast), (is_reshaped, _reshape), (is_put, _put),
    (is_padded, _padded), (is_joined, _joined),
    (attrgetter("op.chooses"), _max), (attrgetter("is_result"), _out),
)
