"""What makes a Python function a function of the model language: it lifts its arguments and leaves its name behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar

import sympy as sp

from symbackprop.core.bridge import RowSymbol
from symbackprop.core.functions.words import OPTIONS
from symbackprop.core.graph import Graph, Node, mark

FUNCTIONS: dict[str, Callable[..., Node]] = {}
F = TypeVar("F", bound=Callable[..., Node])
G = TypeVar("G", bound=Callable[..., "Node | tuple[Node, ...]"])


def function(call: F) -> F:
    """Make a composition callable from model text, and its rows print as the call that made them."""
    parameters = signature(call).parameters
    needed = {k for k, p in parameters.items() if p.default is Parameter.empty}
    arrays = _arrays(parameters)

    @wraps(call)
    def wrapped(*args: Any, **options: Any) -> Node:
        lifted, options = _lifted(args, options, arrays)
        rows = tuple([whole(a) if isinstance(a, Node) else a for a in lifted])
        given = dict(zip(parameters, rows, strict=False)) | options
        required = tuple(v for k, v in given.items() if k in needed)
        optional = {k: v for k, v in given.items() if k not in needed and not _same(v, parameters[k].default)}
        count = graph_of(*rows, *options.values()).count
        row = call(*rows, **options)
        return mark(row, call.__name__, required, optional, fresh=row.id >= count)

    FUNCTIONS[call.__name__] = wrapped
    return wrapped  # type: ignore[return-value]


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))


def plain(call: G, name: str = "") -> G:
    """Make a function callable from model text, perhaps by another name; its row, or each of several, prints by
    itself."""

    arrays = _arrays(signature(call).parameters)

    @wraps(call)
    def wrapped(*args: Any, **options: Any) -> Any:
        lifted, options = _lifted(args, options, arrays)
        return call(*lifted, **options)

    FUNCTIONS[name or call.__name__] = wrapped
    return wrapped  # type: ignore[return-value]


def _arrays(parameters: Mapping[str, Parameter]) -> list[str]:
    """The arguments in front that are one array each."""
    places = [p.kind in _PLACES and p.annotation == "Node" for p in parameters.values()]
    return [*parameters][: [*places, False].index(False)]


_PLACES = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def _lifted(args: Sequence[Any], options: Mapping[str, Any], arrays: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments, a number as a row where an array stands; what is neither is refused there. PyTorch's words for
    options are NumPy's."""
    graph = graph_of(*args, *options.values())
    lifted = [graph.lift(a) if k < len(arrays) or _is_operand(a) else a for k, a in enumerate(args)]
    if twice := [k for k in options if OPTIONS.get(k) in options]:
        raise TypeError(f"{twice[0]} is PyTorch's word for {OPTIONS[twice[0]]}, which is given too")
    return lifted, {OPTIONS.get(k, k): graph.lift(a) if k in arrays else a for k, a in options.items()}


def _is_operand(value: Any) -> bool:
    """Whether a SymPy expression speaks of rows; one in dimensions alone may be a size."""
    if not isinstance(value, sp.Expr):
        return False
    return any(not (s.is_integer and s.is_positive) for s in value.free_symbols)


def graph_of(*args: Any) -> Graph:
    """The graph that the arguments belong to, which may be lists of rows."""
    found = next(_graphs(args), None)
    if any([not isinstance(a, Node) and isinstance(a, Iterator) for a in args]):
        raise TypeError("a generator is no array: give a list; Python's own sum and max are builtins.sum, builtins.max")
    if found is None:
        raise TypeError("at least one argument has to be a row of a model")
    return found


def _graphs(args: Iterable[Any]) -> Iterator[Graph]:
    for a in args:
        if isinstance(a, Node):
            yield a.graph
        elif isinstance(a, (list, tuple)):
            yield from _graphs(a)
        elif isinstance(a, sp.Expr):
            yield from (symbol.row.graph for symbol in sorted(a.atoms(RowSymbol), key=str))


def hint(node: Node, name: str) -> Node:
    """What an unnamed row would like to be called when a derivation has to name it; it stays one row."""
    if node.name is None and node.hint is None:
        node.hint = name
    return whole(node)


def whole(node: Node) -> Node:
    """Keep an unnamed row that is read more than once from being copied into the formulas that read it."""
    node.apart = True
    return node
