"""What printers have in common: how pieces are put together for every kind of node, and how strongly they bind.

A printer has a method for every node, named like it in lower case. It is written once, here, over the pieces that a
syntax has (a sign, a fraction, a superscript, brackets …); a syntax overrides a node only where it wants another form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import sympy as sp

from symbackprop.core import maths
from symbackprop.core.literals import decimal, entries, is_simple, monomials, rounded, spelled, superscript
from symbackprop.core.maths import Math
from symbackprop.core.names import primes
from symbackprop.core.registry import text_of
from symbackprop.core.scalars import TABLE, Abstract

SUM, TERM, QUOTIENT, PRODUCT, MATRIX, SIGN, POWER, ATOM = 10, 18, 19, 20, 22, 25, 30, 100

ROUNDED = {"floor": ("⌊", "⌋"), "ceiling": ("⌈", "⌉")}  # sizes that windows and slices leave


class Levelled(Protocol):
    """Something printed that binds more or less strongly."""

    @property
    def level(self) -> int: ...


P = TypeVar("P", bound=Levelled)  # what is printed
T = TypeVar("T")  # a piece of it


class Printer(ABC, Generic[P, T]):
    """Prints a tree by the method that is named like its node. ``nameless``: functions that do not stand by name in
    front of their argument; ``inner_sum``: how strongly a term behind a plus has to bind; ``numbers_first``: of the
    factors of a product, whatever their order in the tree."""

    inner_sum: ClassVar[int] = SUM
    numbers_first: ClassVar[bool] = True
    nameless: ClassVar[tuple[str, ...]] = ("exp", "sqrt", "root", "abs")
    methods: ClassVar[Mapping[type[Math], Callable[[Any, Any], Any]]] = {}

    def __init_subclass__(cls) -> None:
        named = {kind: kind.__name__.lower() for kind in Math.__subclasses__()}
        cls.methods = {kind: getattr(cls, name) for kind, name in named.items() if hasattr(cls, name)}

    def __call__(self, m: Math) -> P:
        printed: P = self.methods[type(m)](self, m)
        return printed

    # -- pieces that a syntax has
    @abstractmethod
    def row(self, *items: P | T, level: int = ATOM) -> P:
        """Side by side; it starts as the first one does."""

    @abstractmethod
    def sign(self, name: str) -> T:
        """A sign by the name that it has in `latex.SIGNS`."""

    @abstractmethod
    def before(self, name: str) -> P:
        """A sign before which a long line may break."""

    @abstractmethod
    def levelled(self, p: P, level: int) -> P:
        """The same, binding otherwise."""

    @abstractmethod
    def plain(self, text: str) -> P:
        """Letters, digits and signs one by one."""

    @abstractmethod
    def number(self, text: str) -> P:
        """A number without a sign, perhaps with a decimal point."""

    @abstractmethod
    def named(self, name: str) -> P:
        """``W_e`` as W with a subscript, ``x_hat`` with an accent, ``h[t-1]`` with an index."""

    @abstractmethod
    def word(self, text: str, style: str) -> T:
        """Several letters as one name: ``operator``, ``upright`` or ``slanted``."""

    @abstractmethod
    def operator(self, name: str) -> P:
        """The name of a library function or op."""

    @abstractmethod
    def function_token(self, name: str) -> T:
        """What a function of the scalar table is called."""

    @abstractmethod
    def said(self, text: str) -> T:
        """Running words."""

    @abstractmethod
    def bold(self, digit: str) -> P | T:
        """A digit for an array."""

    @abstractmethod
    def to_power(self, base: P, exponent: str) -> P:
        """To the power of a whole number."""

    @abstractmethod
    def lowered(self, base: P, index: P) -> P:
        """A subscript."""

    @abstractmethod
    def indexed(self, base: P, index: Sequence[P], short: bool) -> P:
        """An entry; ``short``: every index is one letter or digit."""

    @abstractmethod
    def fraction(self, top: P, bottom: P) -> P:
        """A quotient."""

    @abstractmethod
    def rooted(self, m: Math) -> P:
        """A square root."""

    @abstractmethod
    def exponential(self, m: maths.Fn) -> P:
        """e to the power of the argument."""

    @abstractmethod
    def primed(self, body: P, order: int = 1) -> P:
        """f′, f″ …"""

    @abstractmethod
    def running(self, sign: str, below: P | None) -> P:
        """Σ, Π or max with what it runs over."""

    @abstractmethod
    def grid(self, rows: Sequence[Sequence[P]]) -> P:
        """A matrix in brackets."""

    @abstractmethod
    def between(self, left: str, body: P, right: str, tall: bool) -> P:
        """In brackets, which are as tall as what is between them if ``tall``."""

    @abstractmethod
    def fenced(self, p: P) -> P:
        """In parentheses."""

    @abstractmethod
    def gap(self, p: P) -> T:
        """What stands before a factor that is not multiplied entry by entry."""

    # -- putting together
    def wrapped(self, m: Math, level: int) -> P:
        """In parentheses where it binds more weakly than ``level``."""
        p = self(m)
        return p if p.level >= level else self.fenced(p)

    def at_least(self, p: P, level: int) -> P:
        return p if p.level >= level else self.fenced(p)

    def factors(self, m: maths.Prod) -> list[tuple[P, bool]]:
        """Factors in parentheses where they need them, and whether ⊙ stands before each."""
        ranked = [(x.rank > 0, x) for x in (_opened(m) if self.numbers_first else m.factors)]
        if self.numbers_first:
            ranked.sort(key=itemgetter(0))
        arrays = [is_array for is_array, _ in ranked]
        entrywise = sum(arrays) > 1
        found = []
        for k, (_, x) in enumerate(ranked):
            p = self(x)
            needs = POWER if entrywise and arrays[k] and p.level == MATRIX else PRODUCT + 1 if k else PRODUCT
            found.append((self.at_least(p, needs), arrays[k] and any(arrays[:k])))
        return found

    def separated(self, boxes: Iterable[P], sign: str = "comma") -> P:
        items: list[P | T] = []
        for box in boxes:
            items += [self.sign(sign), box] if items else [box]
        return self.row(*items)

    def comma(self, items: Iterable[Math]) -> P:
        return self.separated([self(x) for x in items])

    def applied(self, name: P, args: Sequence[Math], tall: bool = False) -> P:
        """A function's name before its arguments."""
        return self.row(name, self.between("(", self.comma(args), ")", tall))

    # -- numbers and sizes
    def num(self, m: maths.Num) -> P:
        value = m.value
        if value.is_Rational:
            return self.rational(value)
        if value in (sp.oo, -sp.oo):
            return self.row(*([self.sign("minus")] if value == -sp.oo else []), self.sign("infinity"), level=SUM)
        if value is sp.E:
            return self.plain("e")
        p = self.whole(value, m.order)
        return self.levelled(p, ATOM) if is_simple(value) else p

    def whole(self, value: sp.Expr, order: tuple[str, ...]) -> P:
        """A number that is no fraction, written out."""
        m = spelled(value, order)
        return self.size(value, order) if isinstance(m, maths.Num) else self(m)

    def rational(self, value: sp.Rational) -> P:
        size = abs(value)
        short = decimal(size)
        if short is None and value.is_Integer:
            p = self.number(str(size.p))
        elif short is None:
            p = self.levelled(self.fraction(self.number(str(size.p)), self.number(str(size.q))), ATOM)
        else:
            p = self.scientific(*short)
        return p if value >= 0 else self.row(self.sign("minus"), p, level=SUM)

    def scientific(self, mantissa: str, exponent: str) -> P:
        """0.002, 1.5·10⁻⁷."""
        if not exponent:
            return self.number(mantissa)
        ten = self.to_power(self.number("10"), exponent)
        return ten if mantissa == "1" else self.row(self.number(mantissa), self.sign("dot"), ten)

    def _measured(self, value: float, digits: int) -> P:
        mantissa, exponent = rounded(value, digits)
        size = mantissa.lstrip("-")
        known = {"inf": self.sign("infinity"), "nan": self.word("nan", "upright")}
        head = self.row(known.get(size) or self.number(size))
        head = self.row(self.sign("minus"), head) if mantissa.startswith("-") else head
        return self.row(head, self.sign("dot"), self.to_power(self.number("10"), exponent)) if exponent else head

    def rounded(self, m: maths.Rounded) -> P:
        values = m.values
        if not isinstance(values, tuple):
            return self._measured(values, m.digits)
        if not values or not isinstance(values[0], tuple):
            inside = self.separated([self._measured(v, m.digits) for v in entries(values)])
            return self.between("[", inside, "]", True)
        return self.grid([[self._measured(v, m.digits) for v in entries(line)] for line in values])

    def size(self, value: sp.Expr, order: tuple[str, ...]) -> P:
        """A number of entries, perhaps a sum of products of dimensions."""
        terms = monomials(value, order)
        if terms is None:
            return self.num(maths.Num(value, order))
        (first, names), *rest = terms
        if not rest and first >= 0:
            return self._monomial(first, names)
        items: list[P | T] = [self.sign("minus")] if first < 0 else []
        items.append(self._monomial(abs(first), names))
        for c, x in rest:
            items += [self.before("less" if c < 0 else "plus"), self._monomial(abs(c), x)]
        return self.row(*items, level=SUM)

    def _monomial(self, factor: int, names: list[tuple[str, int]]) -> P:
        powers = [self.named(x) if p == 1 else self.to_power(self.named(x), str(p)) for x, p in names]
        head = [self.rational(sp.Integer(factor))] if factor != 1 or not names else []
        body = [self.separated(powers, "thin")] if powers else []
        return self.row(*head, *body, level=ATOM if len(names) < 2 else PRODUCT)

    def shape(self, m: maths.Shape) -> P:
        least = ATOM if len(m.sizes) > 1 else SUM
        return self.separated([self.at_least(self.size(d, m.order), least) for d in m.sizes], "times")

    # -- leaves
    def letter(self, m: maths.Letter) -> P:
        return self.lettered(m.name)

    def lettered(self, name: str) -> P:
        """An index letter, lowered digits behind it where letters have run out."""
        return self.plain(name) if len(name) == 1 else self.named(name)

    def identity(self, m: maths.Identity) -> P:
        return self.named("I")

    def words(self, m: maths.Words) -> P:
        return self.row(self.said(m.text))

    # -- arithmetic
    def sum(self, m: maths.Sum) -> P:
        (negative, first), *rest = m.terms
        items: list[P | T] = [self.sign("minus")] if negative else []
        items.append(self.wrapped(first, TERM if negative else SUM))
        for n, t in rest:
            items += [self.before("less" if n else "plus"), self.wrapped(t, TERM if n else self.inner_sum)]
        return self.row(*items, level=SUM)

    def prod(self, m: maths.Prod) -> P:
        if m.number != 1:
            return self.scaled(m)
        (first, _), *rest = self.factors(m)
        items: list[P | T] = [first]
        for p, entrywise in rest:
            items += [self.before("odot") if entrywise else self.gap(p), p]
        return self.row(*items, level=PRODUCT)

    @abstractmethod
    def scaled(self, m: maths.Prod) -> P:
        """A product with a number in front."""

    def chain(self, m: maths.Chain) -> P:
        items: list[P | T] = [self.wrapped(m.factors[0], PRODUCT)]
        for x in m.factors[1:]:
            items += [self.before("dot"), self.wrapped(x, PRODUCT + 1)]
        return self.row(*items, level=PRODUCT)

    def frac(self, m: maths.Frac) -> P:
        return self.fraction(self(m.top), self(m.bottom))

    # -- arrays
    def matmul(self, m: maths.MatMul) -> P:
        left, right = self.beside(m.left, MATRIX), self.beside(m.right, MATRIX + 1)
        return self.row(left, self.sign("thin"), right, level=MATRIX)

    def beside(self, m: Math, level: int) -> P:
        """A factor of a product without a sign: ∇_Y L in parentheses, where L could be taken for a factor."""
        return self.fenced(self(m)) if maths.is_nabla(maths.within(m)) else self.wrapped(m, level)

    def outer(self, m: maths.Outer) -> P:
        left, right = self.wrapped(m.left, PRODUCT + 1), self.wrapped(m.right, PRODUCT + 1)
        return self.row(left, self.before("otimes"), right, level=QUOTIENT)

    def big(self, m: maths.Big) -> P:
        below = self.separated([self.lettered(x) for x in m.letters], "tight comma") if m.letters else None
        return self.row(self.running(m.sign, below), self.sign("space"), self.wrapped(m.body, TERM), level=TERM)

    def shaped(self, m: maths.Shaped) -> P:
        return self(m.body)

    def entry(self, m: maths.Entry) -> P:
        base = self(m.base)
        return self.indexed(base, [self(i) for i in m.index], all(map(_single, m.index))) if m.index else base

    def array(self, m: maths.Array) -> P:
        body = self.between("[", self(m.body), "]", True)
        return self.indexed(body, [self.lettered(x) for x in m.letters], all([len(x) == 1 for x in m.letters]))

    def item(self, m: maths.Item) -> P:
        return self.row(self.wrapped(m.base, ATOM), self.between("[", self.comma(m.index), "]", False))

    def span(self, m: maths.Span) -> P:
        start, stop = (self.row() if x is None else self(x) for x in (m.start, m.stop))
        ends = self.row(start, self.sign(":"), stop)
        return ends if m.step == 1 else self.row(ends, self.sign(":"), self.plain(str(m.step)))

    def place(self, m: maths.Place) -> P:
        items: list[P | T] = []
        for size, x in m.terms:
            items += [self.sign("-")] if size < 0 else [self.sign("+")] if items else []
            items += [self.plain(str(abs(size)))] if x is None or abs(size) != 1 else []
            items += [] if x is None else [self(x)]
        inside = self.row(*items)
        return inside if m.over == 1 else self.row(self.fenced(inside), self.sign("/"), self.plain(str(m.over)))

    def matrix(self, m: maths.Matrix) -> P:
        return self.grid([[self(x) for x in line] for line in m.rows])

    def vector(self, m: maths.Vector) -> P:
        return self.between("[", self.comma(m.items), "]", True)

    # -- functions
    def fn(self, m: maths.Fn) -> P:
        if m.prime or not m.args:
            return self.function(m)
        if m.name == "exp" and not m.spelled:
            return self.exponential(m)
        if m.name in ("sqrt", "root"):
            return self.rooted(m.args[0])
        if m.name == "abs":
            return self.between("|", self(m.args[0]), "|", True)
        return self.applied(self.function_name(m.name), m.args, len(m.args) > 1)

    def function(self, m: maths.Fn) -> P:
        """A function without arguments, or a derivative: σ, f′, (eˣ)′, log′(x)."""
        if m.name in self.nameless:
            whole = self(maths.Fn(m.name, m.args or (maths.Sym("x"),)))
            return self.primed(self.between("(", whole, ")", False)) if m.prime else whole
        name = self.function_name(m.name)
        name = self.primed(name) if m.prime else name
        return self.applied(name, m.args) if m.args else name

    def function_name(self, name: str) -> P:
        """A function of the scalar table by its name; an abstract one as the model writes it, with its primes."""
        if not isinstance(name, Abstract):
            return self.row(self.function_token(name))
        own = self.own_function(name.of, name.notation)
        return self.primed(own, name.order) if name.order else own

    def own_function(self, name: str, notation: str) -> P:
        """An abstract function; its notation is LaTeX."""
        return self.named(name)

    def indicator(self, m: maths.Indicator) -> P:
        return self.row(self.bold("1"), self.sign("tight"), self.between("[", self(m.holds), "]", True))

    def likelihood(self, m: maths.Likelihood) -> P:
        one = maths.Num(sp.S.One)
        y, p = (maths.Sum(((False, one), (True, x))) for x in (m.y, m.p))
        times = self.before("odot") if m.y.rank and m.p.rank else self.sign("space")
        happens = self.row(self.wrapped(m.y, POWER), times, self._log(m.p))
        does_not = self.row(self.wrapped(y, POWER), times, self._log(p))
        return self.between("[", self.row(happens, self.before("plus"), does_not), "]", True)

    def _log(self, m: Math) -> P:
        p, name = self(m), self.function_token("log")
        return self.row(name, self.sign("space"), p) if p.level == ATOM else self.row(name, self.fenced(p))

    def op(self, m: maths.Op) -> P:
        if m.name in ROUNDED:
            left, right = ROUNDED[m.name]
            return self.between(left, self(m.args[0]), right, False)
        if m.name == "mod":
            number, size = (self.wrapped(x, MATRIX) for x in m.args)
            return self.row(number, self.said(" mod "), size, level=PRODUCT)
        name = self.operator(text_of(m.name))
        if m.below:
            name = self.lowered(name, self.separated([self(x) for x in m.below], "tight comma"))
        return self.applied(name, m.args)

    def option(self, m: maths.Option) -> P:
        return self.row(self.said(f"{m.key} "), self(m.value))

    def bars(self, m: maths.Bars) -> P:
        return self.between("‖", self(m.body), "‖", True)

    def relation(self, m: maths.Relation) -> P:
        return self.row(self(m.left), self.sign(m.sign), self(m.right), level=SUM)

    # -- derivatives
    def nabla(self, m: maths.Derivative) -> P:
        """∇_W s."""
        sign = self.lowered(self.row(self.sign("∇")), self(m.bottom))
        return self.row(sign, self.sign("space"), self(m.top), level=SIGN)

    def delta(self, m: maths.Delta) -> P:
        delta = self.named("delta")
        return delta if m.of is None else self.lowered(delta, self(m.of))

    # -- loops
    def range(self, m: maths.Range) -> P:
        last = self.row(self.sign("comma"), self.sign("dots"), self.sign("comma"), self(m.last))
        return self.row(self.plain(m.letter), self.sign("="), self(m.first), last, level=SUM)

    def atstep(self, m: maths.AtStep) -> P:
        match m.steps:
            case None:
                place = self.plain(m.letter)
            case maths.Range():
                place = self(m.steps)
            case maths.Words(word):
                place = self.row(self.said(f"{word} "), self.plain(m.letter))
            case _:
                place = self.row(self.plain(m.letter), self.sign("tight ="), self(m.steps))
        return self.lowered(self.fenced(self(m.body)), place)

    # -- lists and references
    def several(self, m: maths.Several) -> P:
        if m.fenced:
            inside = self.comma(m.items)
            inside = self.row(inside, self.sign("tight comma")) if len(m.items) == 1 else inside
            return self.between("(", inside, ")", False)
        more = [self.sign("wide comma"), self.sign("and so on")] if m.more else []
        return self.row(self.separated([self(x) for x in m.items], "wide comma"), *more)

    def link(self, m: maths.Link) -> P:
        return self(m.body)


class Remembering(Printer[P, T]):
    """Remembers at every tree how it prints, as long as there is the tree: many hold the same ones, and a page that is
    laid out asks for each several times. Printers of one ``key`` are alike, those of one class if they say nothing."""

    key: str

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.key = f"by {cls.__name__}"

    def __call__(self, m: Math) -> P:
        found: P | None = m.__dict__.get(self.key)
        if found is None:
            found = m.__dict__[self.key] = self.methods[type(m)](self, m)
        return found


def _opened(m: maths.Prod) -> Iterator[Math]:
    """The factors of a product, those of an array times a number one by one."""
    for x in m.factors:
        inner = maths.within(x)
        if isinstance(inner, maths.Prod) and inner.number == 1 and len({y.rank > 0 for y in inner.factors}) > 1:
            yield from inner.factors
        else:
            yield x


_BIG = {"sum": "Σ", "max": "max", "prod": "Π"}
DIGIT = "digit"  # what a text may start with, so that a number in front needs a sign


class Run(NamedTuple):
    """Characters that are set alike: on the line, lowered (1) or raised (−1); slanted, as a variable is, or not; under
    the bar of a root, or not."""

    text: str
    level: int = 0
    slanted: bool = False
    rooted: bool = False


BRACKETS, INDEX = 4, 100  # how much more brackets, and those of an index, hold together


class Text(NamedTuple):
    """A text, how strongly it binds, what it starts with, whether it is letters only, and where a long line may break:
    before which character, and how strongly what stands there holds together. ``runs``: how a picture sets it, where a
    printer for pictures says that."""

    text: str
    level: int = ATOM
    starts: str = ""
    word: bool = False
    runs: tuple[Run, ...] = ()
    breaks: tuple[tuple[int, int], ...] = ()

    def held(self, by: int) -> Text:
        """The same where it is held together."""
        return self._replace(breaks=tuple([(k, bound + by) for k, bound in self.breaks]))


_TEXT = attrgetter("text")


def joined(items: Iterable[Text]) -> str:
    """The characters of texts in a row."""
    return "".join(map(_TEXT, items))


def side_by_side(items: Sequence[Text]) -> tuple[tuple[int, int], ...]:
    """Where texts in a row may break."""
    found: list[tuple[int, int]] = []
    start = 0
    for x in items:
        if x.breaks:
            found += [(start + k, bound) for k, bound in x.breaks]
        start += len(x.text)
    return tuple(found)


class LinePrinter(Printer[Text, Text]):
    """What stands in one line of characters. ``signs`` by the names that they have in `latex.SIGNS`."""

    signs: ClassVar[Mapping[str, Text]]

    def row(self, *items: Text, level: int = ATOM) -> Text:
        starts = items[0].starts if items else ""
        return Text("".join([x.text for x in items]), level, starts, breaks=side_by_side(items))

    def sign(self, name: str) -> Text:
        return self.signs[name]

    before = sign

    def levelled(self, p: Text, level: int) -> Text:
        return p._replace(level=level)

    def plain(self, text: str) -> Text:
        return Text(text)

    def number(self, text: str) -> Text:
        return Text(text, ATOM, DIGIT)

    def named(self, name: str) -> Text:
        return Text(name)

    def word(self, text: str, style: str) -> Text:
        return Text(text)

    def operator(self, name: str) -> Text:
        return Text(name)

    def function_token(self, name: str) -> Text:
        return Text(function_name(name))

    def said(self, text: str) -> Text:
        return Text(text)

    def lowered(self, base: Text, index: Text) -> Text:
        return Text(f"{base.text}_{index.text}", breaks=base.breaks)

    def raised(self, base: Text, exponent: Text) -> Text:
        """A superscript."""
        return Text(f"{base.text}^{exponent.text}")

    def primed(self, body: Text, order: int = 1) -> Text:
        return self.row(body, Text(primes(order)))

    def between(self, left: str, body: Text, right: str, tall: bool) -> Text:
        at, breaks = len(left), body.breaks
        return Text(left + body.text + right, breaks=tuple([(at + k, bound + BRACKETS) for k, bound in breaks]))

    def fenced(self, p: Text) -> Text:
        return self.between("(", p, ")", False)

    def bold(self, digit: str) -> Text:
        return self.number(digit)

    def to_power(self, base: Text, exponent: str) -> Text:
        return base._replace(text=base.text + superscript(exponent), word=False)

    def indexed(self, base: Text, index: Sequence[Text], short: bool) -> Text:
        if base.word and short:
            return self.lowered(base, self.row(*index))
        base = base if base.level >= ATOM else self.fenced(base)
        return self.row(base, self.between("[", self.separated(index, "tight comma"), "]", False))

    def rooted(self, m: Math) -> Text:
        return self.row(Text("√"), self.wrapped(m, ATOM))

    def exponential(self, m: maths.Fn) -> Text:
        inner = self(m.args[0])
        if inner.level < ATOM:
            return self.row(Text("exp"), self.fenced(inner))
        return self.raised(self.plain("e"), inner)._replace(level=POWER)

    def running(self, sign: str, below: Text | None) -> Text:
        return Text(_BIG[sign]) if below is None else self.lowered(Text(_BIG[sign]), below)

    def grid(self, rows: Sequence[Sequence[Text]]) -> Text:
        width = max([len(x.text) for line in rows for x in line])
        return Text(bracketed(["  ".join([x.text.rjust(width) for x in line]) for line in rows]))

    def matrix(self, m: maths.Matrix) -> Text:
        """In one line."""
        return self.between("[", self.separated([self.vector(maths.Vector(line)) for line in m.rows]), "]", True)

    def gap(self, p: Text) -> Text:
        return self.signs["dot"]


def function_name(name: str) -> str:
    """What a function of the scalar table is called."""
    return TABLE[name].text or name


def _single(m: Math) -> bool:
    """Whether an index is one letter or digit, so that the next one needs no comma before it."""
    match m:
        case maths.Letter(name):
            return len(name) == 1
        case maths.Num(value):
            return bool(value.is_Integer and 0 <= value < 10)
    return False


def bracketed(lines: Sequence[str]) -> str:
    """Lines in tall brackets."""
    if len(lines) == 1:
        return f"[{lines[0]}]"
    left, right = "⎡" + "⎢" * (len(lines) - 2) + "⎣", "⎤" + "⎥" * (len(lines) - 2) + "⎦"
    return "\n".join(a + line + b for a, line, b in zip(left, lines, right, strict=True))
