"""The syntax tree of model text: expressions and statements as plain data.

Sums and products are chains, not nested pairs, so a long formula is a flat tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, fields, replace
from operator import is_
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import sympy as sp

from symbackprop.errors import Place
from symbackprop.records import record

if TYPE_CHECKING:
    from symbackprop.model.text.languages import Language


@record(frozen=True)
class Placed:
    """What stands at a place in the text, where that is known; two of the same are equal wherever they stand. What a
    helper returns is ``written`` elsewhere than where it is called."""

    place: Place | None = field(default=None, compare=False, repr=False, kw_only=True)
    written: Place | None = field(default=None, compare=False, repr=False, kw_only=True)


@record(frozen=True)
class Number(Placed):
    value: sp.Rational


DICT = "dict"  # the function of what {…} is a call of
CHOICE = "where"  # the function of one of two values, by a condition
FORWARD = "forward"  # what calls a layer of PyTorch's
ZERO, ONE = Number(sp.S.Zero), Number(sp.S.One)


@record(frozen=True)
class Name(Placed):
    name: str


@record(frozen=True)
class String(Placed):
    value: str


@record(frozen=True)
class Word(Placed):
    """``True``, ``False``, ``None`` and ``...``."""

    value: object


@record(frozen=True)
class Negative(Placed):
    body: Expr


@record(frozen=True)
class Chain(Placed):
    """``first op a op b …`` with operators of one precedence, left to right."""

    first: Expr
    rest: tuple[tuple[str, Expr], ...]


@record(frozen=True)
class Power(Placed):
    base: Expr
    exponent: Expr
    sign: str = ""  # POWER or none


@record(frozen=True)
class Compare(Placed):
    sign: str
    left: Expr
    right: Expr


@record(frozen=True)
class Transpose(Placed):
    """``sign`` is how it was written."""

    body: Expr
    sign: str = field(default=".T", compare=False)


@record(frozen=True)
class Call(Placed):
    function: str
    args: tuple[Expr, ...]
    options: tuple[tuple[str, Expr], ...]
    dotted: bool = field(default=False, compare=False)  # f.(a), or f (a)


@record(frozen=True)
class Bars(Call):
    """``|a|``, ``‖a‖``, or ``exp(a)`` of Julia's: a call which may mean something else of a matrix."""


@record(frozen=True)
class Choice(Call):
    """``a if c else b``, and what a name is behind ``if c:``: a where(c, a, b) of which Python computes one side."""


@record(frozen=True)
class Slice(Placed):
    start: Expr | None
    stop: Expr | None
    step: Expr | None


@record(frozen=True)
class Index(Placed):
    base: Expr
    items: tuple[Expr, ...]


@record(frozen=True)
class Member(Placed):
    """``base.name``, and ``base.name(args, options)`` where there are ``args``: what NumPy and PyTorch write."""

    base: Expr
    name: str
    args: tuple[Expr, ...] | None = None
    options: tuple[tuple[str, Expr], ...] = ()


@record(frozen=True)
class Tuple(Placed):
    items: tuple[Expr, ...]


@record(frozen=True)
class Function(Placed):
    """``lambda a, b: value``"""

    parameters: tuple[tuple[str, Expr | None], ...]  # each with what it is where it is left out
    value: Expr


Expr: TypeAlias = (
    Number | Name | String | Word | Negative | Chain | Power | Compare | Transpose | Call | Slice | Index | Member
    | Tuple | Function
)
_EXPRESSIONS = get_args(Expr)
POWER = "^@"  # the sign of a power that is one of a matrix where there is one
QUOTIENT = "/@"  # the sign of a division that is a product with the inverse of a matrix where it is by one
FROM_LEFT, FROM_EITHER = "<", "?"  # behind the sign of a power, where a^b^c is (a^b)^c, or where it may be
COLUMNS = String("columns")  # an axis that is one where there is a matrix: of a vector it is all
_AXES: dict[Expr | None, int] = {String("down"): 0, String("across"): 1}
PRODUCT = "*@"  # the sign of a product that is one of matrices where there are two arrays
BESIDE = "⁎"  # stands where a product has no sign, as on paper: one of matrices where there are two arrays
RAISED_T = Name("T")  # the exponent that is a transpose on paper


def axis_of(call: Call) -> int | None:
    """Which axis of two a call goes along, where a vector has the other one by its side."""
    return _AXES.get(dict(call.options).get("axis"))


@record(frozen=True)
class Target:
    """A declared or assigned name: plain, with an index ``h[t]``, or a family ``W[1..12]``."""

    name: str
    index: Expr | None = None
    stop: Expr | None = None


@record(frozen=True)
class ArrayItem:
    target: Target
    shape: tuple[Expr, ...]
    integer: bool = False
    below: Expr | None = None
    stated: str = ""


@record(frozen=True)
class Arrays:
    """``data``, ``input`` or ``param``."""

    line: int
    role: str
    items: tuple[ArrayItem, ...]


@record(frozen=True)
class Named:
    """``dim``, ``const`` and ``convention``: names with numbers; a dimension need not have one.
    ``function``: names alone."""

    line: int
    keyword: str
    items: tuple[tuple[str, Expr | None], ...]


@record(frozen=True)
class Notate:
    line: int
    target: Target
    latex: str


@record(frozen=True)
class Equation:
    """``keyword`` is let, loss or output; ``changes`` are the names whose numbers Python changes here."""

    line: int
    keyword: str
    target: Target
    value: Expr
    changes: tuple[str, ...] = ()

    @property
    def is_alone(self) -> bool:
        """Whether this is ``loss L``, which says what an equation elsewhere is."""
        return self.keyword != "let" and self.value == Name(self.target.name)


@record(frozen=True)
class For:
    """A loop; the body is a list of statements. ``from_zero``: it was one over ``range(T)``; ``by``: what that counts
    by, where its bounds do not say whether it goes down, as those of ``range(n, n)`` do not."""

    line: int
    variable: str
    start: Expr
    stop: Expr
    body: tuple[Statement, ...] = field(default=())
    from_zero: bool = False
    by: int = 0


@record(frozen=True)
class Said:
    """What is to be told of a line of Python."""

    line: int
    text: str


@record(frozen=True)
class Shared:
    """``name`` has the numbers of ``value``, which the line above changes: all of them where it ``is_all``; where these
    are one number only PyTorch does that, or nothing that is read here (``of_numbers``)."""

    line: int
    name: str
    value: Expr
    text: str
    is_all: bool
    of_numbers: bool


@record(frozen=True)
class Written:
    """The language that a text is in."""

    language: Language
    line: int = 1


Statement: TypeAlias = Named | Arrays | Notate | Equation | For | Said | Shared | Written


def flat(statements: Sequence[Statement]) -> Iterator[Statement]:
    """The statements, and behind each loop those in it."""
    for s in statements:
        yield s
        if isinstance(s, For):
            yield from flat(s.body)


def parts(expr: object) -> list[Expr]:
    """The direct parts of an expression, from left to right; of a tuple those in it."""
    found: list[Expr] = []
    for part in expr if isinstance(expr, tuple) else [getattr(expr, name) for name in _inside(expr)]:
        if isinstance(part, tuple):
            found += parts(part)
        elif hasattr(part, "__dataclass_fields__"):  # as dataclasses.is_dataclass says
            found.append(part)
    return found


def equations(statements: Sequence[Statement]) -> Iterator[Equation]:
    """The equations, those of loops too."""
    return (s for s in flat(statements) if isinstance(s, Equation))


def given(statements: Sequence[Statement]) -> set[str]:
    """The names to which equations give a value, in loops too."""
    return {e.target.name for e in equations(statements)}


def targets(s: Statement) -> Sequence[Target]:
    """What a statement itself gives a value: equations, and declarations of arrays."""
    match s:
        case Arrays(items=items):
            return [item.target for item in items]
        case Equation(target=target):
            return [target]
    return []


def defined(s: Statement) -> list[str]:
    """The names of these, and of what is declared without a shape."""
    return [*[t.name for t in targets(s)], *([name for name, _ in s.items] if isinstance(s, Named) else [])]


def loops(statements: Sequence[Statement]) -> Iterator[For]:
    return (s for s in flat(statements) if isinstance(s, For))


def inside(statements: Sequence[Statement]) -> list[Expr]:
    """All that stands in the values of equations."""
    return [part for equation in equations(statements) for part in all_parts(equation.value)]


def with_values(statements: Sequence[Statement], change: Callable[[Expr], Expr]) -> tuple[Statement, ...]:
    """The statements with the values of all equations changed, in loops too."""
    return tuple([replace(s, body=with_values(s.body, change)) if isinstance(s, For) else
                  s if not isinstance(s, Equation) or (value := change(s.value)) is s.value else replace(s, value=value)
                  for s in statements])


def called_so(s: Statement, values: Mapping[str, Expr], names: Mapping[str, str]) -> Statement:
    """A statement with values in the place of names, and what it gives a value and counts with called otherwise."""
    match s:
        case For():
            return replace(s, variable=names.get(s.variable, s.variable), start=put(s.start, values), stop=put(
                s.stop, values), body=tuple([called_so(inner, values, names) for inner in s.body]))
        case Shared():
            return replace(s, name=names.get(s.name, s.name), value=put(s.value, values))
        case Arrays(items=items):
            return replace(s, items=tuple([replace(item, target=replace(item.target, name=names.get(
                item.target.name, item.target.name))) for item in items]))
        case Equation(target=target):
            index = None if target.index is None else put(target.index, values)
            to = replace(target, name=names.get(target.name, target.name), index=index)
            return replace(s, value=put(s.value, values), target=to)
    return s


def formulas(statements: Sequence[Statement]) -> Iterator[Expr]:
    """All values, bounds of loops and sizes of arrays."""
    for s in flat(statements):
        match s:
            case Equation():
                yield s.value
            case For():
                yield from (s.start, s.stop)
            case Arrays():
                yield from (size for item in s.items for size in item.shape)


def with_formulas(statements: Sequence[Statement], change: Callable[[Expr], Expr]) -> tuple[Statement, ...]:
    """The statements with all values, bounds of loops and sizes of arrays changed."""
    return tuple([_with_formulas(s, change) for s in statements])


def _with_formulas(s: Statement, change: Callable[[Expr], Expr]) -> Statement:
    match s:
        case Equation():
            return replace(s, value=change(s.value))
        case For():
            return replace(s, start=change(s.start), stop=change(s.stop), body=with_formulas(s.body, change))
        case Arrays():
            return replace(s, items=tuple([replace(x, shape=tuple(map(change, x.shape))) for x in s.items]))
    return s


def all_parts(expr: Expr) -> Iterator[Expr]:
    """An expression and everything in it, each before what is in it."""
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += parts(part)[::-1]


def of_value(value: Any, other: Callable[[Any], Expr]) -> Expr:
    """A value of Python's as a formula; ``other`` says what those are that no text has."""
    if value is None or value is ... or isinstance(value, bool):
        return Word(value)
    if isinstance(value, str):
        return String(value)
    if isinstance(value, (list, tuple)):
        return Tuple(tuple([of_value(item, other) for item in value]))
    if isinstance(value, slice):
        return Slice(*[None if b is None else of_value(b, other) for b in (value.start, value.stop, value.step)])
    return other(value)


def called(expr: Expr) -> tuple[str, tuple[Expr, ...], Mapping[str, Expr]]:
    """The last word of what is called, and what it is given."""
    match expr:
        case Call(name, args, options) | Member(_, name, tuple() as args, options):
            return name, args, dict(options)
    return "", (), {}


def operands(expr: Expr) -> Iterator[Name | Call]:
    """The names and calls whose values an expression computes with, as far as its form alone says: no exponent, which
    may be the T of a transpose, no index, no option, no library before a dot."""
    inner: tuple[Expr, ...] = ()
    match expr:
        case Name():
            yield expr
        case Call(args=inner):
            yield expr
        case Member(args=args):
            inner = args or ()
        case Power(base=body) | Index(base=body):
            inner = (body,)
        case Chain() | Negative() | Transpose() | Compare():
            inner = tuple(parts(expr))
    for part in inner:
        yield from operands(part)


def changed(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """An expression with every direct part changed, from left to right; itself where each stays what it is."""
    new = {}
    for name in _inside(expr):
        part = getattr(expr, name)
        other = _changed(part, change)
        if other is not part:
            new[name] = other
    return replace(expr, **new) if new else expr


def _changed(part: Any, change: Callable[[Expr], Expr]) -> Any:
    if isinstance(part, tuple):
        others = [_changed(x, change) for x in part]
        return part if all(map(is_, part, others)) else tuple(others)
    return change(part) if isinstance(part, _EXPRESSIONS) else part


def _inside(expr: object) -> tuple[str, ...]:
    """The fields of an expression in which others stand, and what they are put together with."""
    kind = type(expr)
    if kind not in _FIELDS:
        inner = [f for f in fields(kind) if f.name not in _WHERE and f.type not in _PLAIN]  # type: ignore[arg-type]
        _FIELDS[kind] = tuple([f.name for f in inner])
    return _FIELDS[kind]


_WHERE = ("place", "written")
_PLAIN = ("str", "bool", "int", "sp.Rational")  # of what no expression is part
_FIELDS: dict[type, tuple[str, ...]] = {}


def terms(expr: Expr) -> Sequence[Expr]:
    """What is added up, or subtracted: the expression itself where that is no sum."""
    if isinstance(expr, Chain) and expr.rest[0][0] in ("+", "-"):
        return expr.first, *[part for _, part in expr.rest]
    return (expr,)


def mentioned(expr: object, inside: bool = True) -> Iterator[str]:
    """The names that occur in an expression; with ``inside`` false, not those in indices and calls within it."""
    left = [expr]
    while left:
        part = left.pop()
        if isinstance(part, Name):
            yield part.name
        elif inside or not isinstance(part, (Index, Call)):
            left += reversed(parts(part))


def ahead(place: Expr, counter: str) -> int | None:
    """How far a place is ahead of a counter: 1 for ``t + 1``; None for what is no such place."""
    match place:
        case Name(name) if name == counter:
            return 0
        case Chain(Name(name), ((("+" | "-") as sign, Number(sp.Integer() as value)),)) if name == counter:
            return int(f"{sign}{value}")
    return None


def renamed(expr: Expr, names: Mapping[str, str]) -> Expr:
    """An expression with other names for some of its names."""
    return put(expr, {name: Name(other) for name, other in names.items()})


def put(expr: Expr, found: Mapping[str, Expr]) -> Expr:
    """An expression with others in the place of some of its names; what stands nowhere in the text stands there."""
    if isinstance(expr, Function):  # whose own names are others
        found = {name: other for name, other in found.items() if name not in dict(expr.parameters)}
    if not found:
        return expr
    if isinstance(expr, Name):
        other = found.get(expr.name, expr)
        return other if other.place is not None else replace(other, place=expr.place)
    return changed(expr, lambda part: put(part, found))


def whole(expr: Expr, items: tuple[Expr, ...]) -> Expr:
    """An expression with all of an array for the entries of it at these places: ``B`` for ``B[A < 0]``."""
    if isinstance(expr, Index) and expr.items == items:
        return expr.base
    return changed(expr, lambda part: whole(part, items))


def count_nodes(expr: Expr) -> int:
    """How many parts a formula has; what stands in it at several places is only gone through once."""
    known = dict[int, int]()

    def count(part: Expr) -> int:
        if id(part) not in known:
            known[id(part)] = 1 + sum(map(count, parts(part)))
        return known[id(part)]

    return count(expr)
