"""Function calls of model text: looked up in the library's tables and bound to the signature.

Every argument is checked against its parameter's annotation in the library, so a new function needs nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, cached_property, partial
from inspect import Parameter, Signature, signature
from itertools import combinations, permutations
from math import inf
from typing import Any

import sympy as sp

from symbackprop import errors
from symbackprop.core import numpy_calls
from symbackprop.core.functions import CONSTANTS, FUNCTIONS
from symbackprop.core.functions.words import ARGUMENTS, IDLE_OPTIONS, meant
from symbackprop.core.graph import Graph, Node, label
from symbackprop.core.names import GREEK, unprimed
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import MAX_DIM, shape_text
from symbackprop.errors import Meant, ModelError, NameProblem, SyntaxProblem, UsageError, nearest, suggested
from symbackprop.model.text.known_numbers import numbered, short, whole
from symbackprop.model.text.meant_lines import axis_of_julia, entries_from_one, its_size, of_pytorch, without_option
from symbackprop.model.text.spellings import WHY_NOT, calls_of
from symbackprop.records import record

Value = Any
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@record(frozen=True)
class Callee:
    """A function as model text sees it."""

    name: str
    apply: Callable[..., Node]
    signature: Signature
    takes_graph: bool = False

    @cached_property
    def parameters(self) -> list[Parameter]:
        """What it is called with, in order."""
        return [*self.signature.parameters.values()]

    @cached_property
    def needed(self) -> int:
        """How many arguments it cannot do without."""
        return sum(p.default is Parameter.empty for p in self.parameters)

    @cached_property
    def most(self) -> float:
        """How many arguments it takes by their places."""
        many = any(p.kind is Parameter.VAR_POSITIONAL for p in self.parameters)
        return inf if many else sum(p.kind in _POSITIONAL for p in self.parameters)

    @cached_property
    def words(self) -> frozenset[str]:
        """The names of its options."""
        return frozenset([*self.signature.parameters, *IDLE_OPTIONS])

    @cached_property
    def several(self) -> int:
        """The place of the parameter that takes any number of arguments; how many there are where none does."""
        kinds = [p.kind for p in self.parameters]
        return kinds.index(Parameter.VAR_POSITIONAL) if Parameter.VAR_POSITIONAL in kinds else len(kinds)

    @cached_property
    def arrays(self) -> Sequence[bool]:
        """Which of its parameters are one array each; NumPy's own functions say so by their names alone."""
        return [RULES.get(str(p.annotation)) in (Place.row, Place.operand) or p.name in numpy_calls.ONE_ARRAY
                for p in self.parameters]

    @cached_property
    def sizes(self) -> Sequence[bool]:
        """Which of them are sizes."""
        return [RULES.get(str(p.annotation)) in (Place.size, Place.sizes) for p in self.parameters]

    def by_place(self, of: Sequence[bool], count: int) -> Sequence[bool]:
        """What is known ``of`` its parameters, for so many arguments by place, as far as there are parameters."""
        return [*of[: self.several], *[*of[self.several : self.several + 1]] * (count - self.several)][:count]

    def bound(self, given: Sequence[Value], options: Mapping[str, Value]) -> dict[str, Any]:
        """The arguments by the names of the parameters; `TypeError` where they do not fit."""
        if not options and len(given) == len(self.parameters) == self.most:  # all by place, as of nearly every call
            return dict(zip(self.signature.parameters, given, strict=True))
        return self.signature.bind(*given, **options).arguments

    def fits(self, count: int, words: Collection[str]) -> bool:
        """Whether it may be called with so many arguments, and options of these names."""
        return (self.needed <= count + len(words) and count <= self.most
                and all(word in self.words or _argument(self, word) in self.words for word in words))

    def usage(self) -> str:
        """``mean(a, axis=None, keepdims=False)``"""
        parts = [_parameter_text(p) for p in self.signature.parameters.values()]
        return f"{self.name}({', '.join(parts)})"


def _parameter_text(p: Parameter) -> str:
    if p.kind is Parameter.VAR_POSITIONAL:
        return f"{p.name}, …"
    return p.name if p.default is Parameter.empty else f"{p.name}={p.default!r}".replace("'", '"')


@cache
def callee(name: str) -> Callee | None:
    """The function of that name: a library function, a constant array, or a scalar function of the table."""
    if name in FUNCTIONS:
        return Callee(name, FUNCTIONS[name], signature(FUNCTIONS[name]))
    if name in CONSTANTS:
        call = signature(CONSTANTS[name])
        rest = [p.replace(annotation="DimLike") for p in list(call.parameters.values())[1:]]
        return Callee(name, CONSTANTS[name], call.replace(parameters=rest), takes_graph=True)
    if name in TABLE:
        return _scalar(name)
    return _of_numpy(name) if name.startswith(NUMPY) else None


NUMPY = "np."  # before the names of functions that are NumPy's own, with its arguments


def is_numpys(name: str) -> bool:
    """Whether a function of NumPy's, ``vstack`` or ``linalg.det``, works on rows."""
    return name in numpy_calls.TABLE


def _of_numpy(name: str) -> Callee | None:
    own = name.removeprefix(NUMPY)
    if not is_numpys(own):
        return None
    call = signature(numpy_calls.TABLE[own])
    places = [p.replace(annotation="") if p.annotation == "Any" else p for p in call.parameters.values()]

    def apply(*args: Any, **options: Any) -> Any:
        try:
            found = numpy_calls.called(own, args, options)
        except UsageError as error:
            raise ModelError(str(error)) from None
        return tuple(found) if isinstance(found, list) else sp.Integer(found) if isinstance(found, int) else found

    return Callee(name, apply, call.replace(parameters=places))


def _scalar(name: str) -> Callee:
    """A scalar function that is no library function of its own, for example the derivative of another one."""
    places = [Parameter(c, Parameter.POSITIONAL_ONLY, annotation="Operand") for c in "abcd"[: len(TABLE[name].domain)]]

    def apply(graph: Graph, *operands: Any) -> Node:
        return graph.call(name, *operands)

    return Callee(name, apply, Signature(places), takes_graph=True)


def function_names() -> list[str]:
    """Everything that can be called, for suggestions."""
    return sorted({*FUNCTIONS, *CONSTANTS, *(n for n, record in TABLE.items() if record.public)})


def known_callee(name: str, graph: Graph) -> Callee:
    """The function of that name; a `NameProblem` where there is none."""
    found = callee(name)
    if found is not None:
        return found
    base, order = unprimed(name)
    if base in graph.functions:
        place = Parameter("x", Parameter.POSITIONAL_ONLY, annotation="Operand")
        return Callee(name, lambda x: graph.functions[base](x, order), Signature([place]))
    if name in graph.names:
        if not graph.names[name].shape:
            raise NameProblem(f"{name} is a number, not a function: write {name} * (…)", instead=[TIMES])
        products: list[errors.Meant] = [partial(_times, sign) for sign in "*@"]
        raise NameProblem(f"{name} is an array, not a function: write {name} * (…) or {name} @ …, and {name}[…] for "
                          "entries, counted from 0", instead=[entries_from_one, *products])
    function = meant(name, tuple(function_names())) or (f"{NUMPY}{name}" if is_numpys(name) else None)
    if function is not None:
        found = callee(function)
        assert found is not None
        return found
    refuse_impossible(name)
    shown, known = name[:40], [*function_names(), *graph.functions]
    near = nearest(shown, known)
    hint = suggested(near) or f" An abstract one is declared above: function {shown}"
    factor = len(name) == 1 or name in GREEK  # x (y + 1), where it is none of the letters that functions have
    if factor and name not in _CALLED and not near:
        raise NameProblem(f"no function {shown!r}.{hint}", instead=[_times_a_sum])
    raise NameProblem(f"no function {shown!r}.{hint}", near=name, instead=near)


_CALLED = ("f", "g", "h", "F", "G", "H", "phi", "psi", "Phi", "Psi", "sigma")


def refuse_impossible(name: str) -> None:
    """Say why a function of other libraries cannot be here."""
    if name in WHY_NOT:
        raise NameProblem(f"{name} {WHY_NOT[name]}", near=name)


def call(found: Callee, graph: Graph, args: Sequence[Value], options: dict[str, Value]) -> Value:
    """The row that a call makes, or several; a number when every argument is one and the result is known, but of
    ``ones()``, which says that a number is a float."""
    options = {_argument(found, k): v for k, v in options.items()
               if k not in IDLE_OPTIONS or k in found.signature.parameters}
    try:
        given = _spread(found, args)
        if _wants_many(found) and not given:
            raise TypeError("it needs at least one array")
        bound = found.bound(given, options)
    except TypeError as error:
        unknown = next((k for k in options if k not in found.signature.parameters), "")
        near = nearest(unknown[:40], found.signature.parameters) if unknown else ""
        if unknown == "dims" and "axis" in found.signature.parameters:
            says = "dims= is Julia's, which counts axes from 1 and keeps those of a sum: write axis= and keepdims=True"
            raise SyntaxProblem(says, near=unknown, instead=[axis_of_julia("keepdims" in found.words)]) from None
        reason = f"no argument {unknown[:40]!r}.{suggested(near)}".removesuffix(".") if unknown else str(error)
        says = f"{found.name}: {reason}; it is called as {found.usage()}"
        others: list[Meant] = [partial(without_option, unknown) if unknown in _OF_MEMORY else partial(
            of_pytorch, _has_in_pytorch(unknown))] if unknown else []
        raise ModelError(says, near=unknown, instead=[near] if near else others) from None
    positional, named = _checked(found, bound, graph)
    row = _applied(found, graph, positional, named)
    if not isinstance(row, Node):
        return row
    numeric = found.name not in CONSTANTS and not any(isinstance(a, Node) for a in (*args, *options.values()))
    return row.value if numeric and not row.shape and row.value is not None else row


def _has_in_pytorch(option: str) -> Callable[[str], bool]:
    return lambda name: option == _REDUCTION or f"{option}=" in calls_of("t", name)


_REDUCTION = "reduction"  # which all losses of PyTorch's have
_OF_MEMORY = ("out", "casting", "subok", "like", "memory_format", "optimize")  # where numbers stand, not which


def _argument(found: Callee, word: str) -> str:
    """The parameter that another library has this word for."""
    known = found.signature.parameters
    return ARGUMENTS[word] if word not in known and ARGUMENTS.get(word) in known else word


def _applied(found: Callee, graph: Graph, positional: list[Any], named: dict[str, Any]) -> Value:
    """The call itself. What a library function stumbles over is an argument that does not fit it."""
    try:
        return found.apply(graph, *positional, **named) if found.takes_graph else found.apply(*positional, **named)
    except (AttributeError, IndexError, TypeError, ValueError):
        given = [f"{label(a)} ({shape_text(a.shape)})" if isinstance(a, Node) else short(a) for a in positional]
        raise ModelError(f"{found.name} does not fit {', '.join(given)}; it is called as {found.usage()}") from None


def _spread(found: Callee, args: Sequence[Value]) -> Sequence[Value]:
    """``concat((a, b))`` is ``concat(a, b)``."""
    return args[0] if _wants_many(found) and len(args) == 1 and isinstance(args[0], tuple) else args


def _wants_many(found: Callee) -> bool:
    """Whether a function takes any number of arrays, as concat does."""
    return not found.several and bool(found.parameters) and found.parameters[0].annotation == "Node"


def orders(found: Callee, args: Sequence[Value], graph: Graph) -> list[Sequence[int]]:
    """The orders of arguments by place in which each fits what it is for, those first that change least: arguments of
    one kind stay in their order, unless there are but two."""
    kinds = [value.kind if isinstance(value, Node) else type(value).__name__ for value in args]
    others = [*permutations(range(len(args)))][1:] if 1 < len(args) <= _MOST_ORDERED else []
    kept = [order for order in others if len(args) == 2 or all(
        a < b for a, b in combinations(order, 2) if kinds[a] == kinds[b])]
    least = sorted(kept, key=lambda order: sum(a > b for a, b in combinations(order, 2)))
    return [order for order in least if _fits(found, [args[k] for k in order], graph)]


_MOST_ORDERED = 4


def _fits(found: Callee, args: Sequence[Value], graph: Graph) -> bool:
    try:
        _checked(found, found.bound(_spread(found, args), {}), graph)
    except (ModelError, TypeError):
        return False
    return True


def asked_arrays(found: Callee | None, count: int) -> list[bool]:
    """Which of so many arguments by place are one array each. One argument in the place of any number, as concat takes
    them, is what lists them."""
    if found is None or (count == 1 and not found.several):
        return [False] * count
    return [*found.by_place(found.arrays, count), *[False] * count][:count]


def asked_sizes(found: Callee | None, count: int) -> list[bool]:
    """Which of so many arguments by place are sizes."""
    return [] if found is None else [*found.by_place(found.sizes, count)]


def _checked(found: Callee, given: dict[str, Any], graph: Graph) -> tuple[list[Any], dict[str, Any]]:
    """The arguments in the types that the library wants: required ones by place, the others by name."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for name, p in found.signature.parameters.items():
        if name not in given:
            continue
        place = Place(found, p, graph)
        if p.kind is Parameter.VAR_POSITIONAL:
            positional += [place.accept(v) for v in given[name]]
        elif p.kind in _POSITIONAL and p.default is Parameter.empty:
            positional.append(place.accept(given[name]))
        else:
            named[name] = place.accept(given[name])
    return positional, named


# -- what parameters accept


class Place:
    """One parameter of a function: what it accepts."""

    def __init__(self, found: Callee, parameter: Parameter, graph: Graph) -> None:
        self.found, self.parameter, self.graph = found, parameter, graph
        self.annotation = str(parameter.annotation)

    def accept(self, value: Value) -> Any:
        if value is None and self.parameter.default is None:
            return None
        if isinstance(value, tuple) and len(value) == 1 and self.annotation in ("int", "int | None"):
            value = value[0]  # (2,) of PyTorch, of the one axis that there is
        if self.annotation in KINDS:
            kind, wanted, read = KINDS[self.annotation]
            value = numbered(value)
            if not isinstance(value, kind):
                raise self.fail(wanted, value)
            return read(value)
        return RULES.get(self.annotation, Place.plain)(self, value)

    def fail(self, wanted: str, value: Value) -> ModelError:
        message = f"{self.parameter.name} of {self.found.name} is {wanted}, not {short(value)}"
        if self.found.name in ("max", "min") and isinstance(value, Node) and self.parameter.name == "axis":
            message += f"; to compare two arrays write {self.found.name}imum(a, b)"
        return ModelError(f"{message}; it is called as {self.found.usage()}")

    def row(self, value: Value) -> Node:
        if isinstance(value, Node):
            return value
        if isinstance(value, sp.Expr):
            return self.graph.const(value)
        raise self.fail("an array", value)

    def operand(self, value: Value) -> Any:
        """An array or a number; a number with a default in its place stays one, so that it prints by name."""
        if isinstance(value, sp.Expr) and self.parameter.default is not Parameter.empty:
            return value
        return self.row(value)

    def size(self, value: Value) -> Any:
        value = numbered(value)
        if isinstance(value, sp.Expr) and value.is_integer is not False:
            if value.is_Integer and value > MAX_DIM:
                raise self.fail(f"a size of at most {MAX_DIM}", value)
            return value
        if isinstance(value, tuple) and self.parameter.kind is Parameter.VAR_POSITIONAL:
            return tuple(self.size(v) for v in value)
        error = self.fail("a size (a whole number or a dimension)", value)
        if isinstance(value, Node) and value.shape and label(value).isidentifier():
            error.instead += [partial(its_size, self.found.name, label(value))]
        raise error

    def sizes(self, value: Value) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return tuple(self.size(v) for v in value)
        raise self.fail("a tuple of sizes, such as (N, D)", value)

    def extent(self, value: Value) -> Any:
        """A size, or one of each axis; in a resized array None is that which an axis has."""
        if not isinstance(value, tuple):
            return self.size(value)
        return tuple(None if v is None and self.annotation == "Resized" else self.size(v) for v in value)

    def numbers(self, value: Value) -> Any:
        """A number, or one of each axis."""
        return tuple(map(self.operand, value)) if isinstance(value, tuple) else self.operand(value)

    def axes(self, value: Value) -> Any:
        value = numbered(value)
        if value is None:
            return None
        if isinstance(value, tuple):
            return tuple(whole(v, f"an axis of {self.found.name}") for v in value)
        if isinstance(value, sp.Integer):
            return int(value)
        raise self.fail("a whole number, a tuple of them or None", value)

    def plain(self, value: Value) -> Any:
        """Anything but a string, where the annotation is not one of the known ones."""
        if isinstance(value, str):
            raise self.fail("not a string", value)
        if isinstance(value, tuple):
            return tuple(self.plain(v) for v in value)
        return int(value) if isinstance(value, sp.Integer) else value


KINDS: dict[str, tuple[type, str, Callable[[Any], Any]]] = {
    "bool": (bool, "True or False", bool),
    "int": (sp.Integer, "a whole number", int),
    "str": (str, "a string in double quotes", str),
}
RULES: dict[str, Callable[[Place, Value], Any]] = {
    "Node": Place.row,
    "Operand": Place.operand,
    "Operand | None": Place.operand,
    "Axis": Place.axes,
    "Sequence[int] | None": Place.axes,
    "Pair": Place.axes,
    "Sizes": Place.axes,
    "Pair | None": Place.axes,
    "Padding": lambda place, value: value if isinstance(value, str) else place.axes(value),
    "int | None": Place.axes,
    "Places": lambda place, value: value if isinstance(value, tuple) else place.row(value),
    "Node | None": lambda place, value: None if value is None else place.row(value),
    "DimLike": Place.size,
    "Any": Place.size,
    "Sequence[DimLike]": Place.sizes,
    "Extent": Place.extent,
    "Extent | None": Place.extent,
    "Resized": Place.extent,
    "Operand | Sequence[Operand] | None": Place.numbers,
}


def _times(sign: str, line: str, place: errors.Place) -> str:
    """The line with ``a(b + c)`` as a product."""
    return place.put(line, re.sub(r"\s*\(", f" {sign} (", place.cut(line)[1], count=1))


def _times_a_sum(line: str, place: errors.Place) -> str:
    """The line with ``x * (y + 1)`` for x(y + 1); as it is where x may be a function, as in p(x)."""
    return _times("*", line, place) if re.search(r"[-+]", line[place.start - 1 : place.end - 1]) else line


TIMES = partial(_times, "*")  # a number in front of brackets
