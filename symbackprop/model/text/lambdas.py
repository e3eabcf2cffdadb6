"""Functions without a name, ``lambda z: z**2``: what they are of arguments stands in the place of their calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from symbackprop.core.functions.words import ALSO
from symbackprop.core.scalars import TABLE
from symbackprop.errors import Meant, Place, SyntaxProblem
from symbackprop.model.text import tree
from symbackprop.model.text.brackets import unopened
from symbackprop.model.text.branches import Values
from symbackprop.model.text.tokens import problem
from symbackprop.patterns import lazy

AS_IT_IS = ("jit", "compile", "checkpoint", "remat")  # of a function what computes the same
OF_ENTRIES, OF_ROWS = "vectorize", "vmap"  # calls it for every entry, for every row
GRADIENTS = ("gradient", "grad", "value_and_grad", "jacobian", "hessian", "jacrev", "jacfwd")  # functions of these
WRAPPERS = (*AS_IT_IS, OF_ENTRIES, OF_ROWS)
_OPERATORS = ("Number", "Name", "Negative", "Power", "Compare")


def called(function: tree.Expr, args: Sequence[tree.Expr], options: Sequence[tuple[str, tree.Expr]],
           place: Place | None) -> tree.Expr:
    """What a function, one in a wrapper, or a name of one is of arguments. Raises a `SyntaxProblem`."""
    match function:
        case tree.Name(name):
            return tree.Call(name, tuple(args), tuple(options), place=place)
        case tree.Function(parameters, value):
            names = [name for name, _ in parameters]
            given = dict(zip(names, args, strict=False)) | dict(options)
            found = {name: given.get(name, usual) for name, usual in parameters}
            if len(args) > len(names) or given.keys() - {*names} or None in found.values():
                raise _problem(f"this function takes {', '.join(names)}", place)
            known = {k: v for k, v in found.items() if v is not None}
            return replace(Values(known).give("", value, place.line if place else 0), place=place)
        case tree.Member(base, name, None):
            return tree.Member(base, name, tuple(args), tuple(options), place=place)
    inner = unwrapped(function)
    if inner is function:
        raise _problem("what is called is a function by its name", place)
    return called(inner, args, options, place)


def unwrapped(function: tree.Expr) -> tree.Expr:
    """The function that ``np.vectorize(f)`` computes too. Raises a `SyntaxProblem` where it computes another one."""
    match function:
        case (tree.Call(wrapper, (inner, *more), options) | tree.Member(_, wrapper, (inner, *more), options)
              ) if wrapper in WRAPPERS:
            plain = not more and {word for word, _ in options} <= {"otypes"}  # others say along which axes
            if wrapper not in AS_IT_IS and not (plain and is_of_entries(inner, wrapper)):
                raise _row_by_row(wrapper, inner, function.place)
            return unwrapped(inner)
    return function


def is_called(function: tree.Expr) -> bool:
    """Whether brackets behind an expression call it: a function, or what makes another one of it."""
    match function:
        case tree.Function():
            return True
        case tree.Call(wrapper, (_, *_)) | tree.Member(_, wrapper, (_, *_)):
            return wrapper in WRAPPERS
    return False


def resolved(call: tree.Expr) -> tree.Expr:
    """A call with what the functions among its arguments are: of ``piecewise``, of its first argument; of ``cond``, of
    the last ones."""
    match call:
        case tree.Call(name, args) | tree.Member(_, name, tuple() as args):
            if name == "piecewise" and len(args) == 3 and isinstance(args[2], tree.Tuple):
                values = [_of(f, args[:1]) for f in args[2].items]
                return replace(call, args=(*args[:2], replace(args[2], items=tuple(values))))
            if name == "cond" and len(args) > 3 and isinstance(args[1], (tree.Function, tree.Name)):
                sides = [called(f, args[3:], (), call.place) for f in args[1:3]]
                return tree.Choice(tree.CHOICE, (args[0], *sides), (), place=call.place)
    return call


def _of(function: tree.Expr, args: Sequence[tree.Expr]) -> tree.Expr:
    return called(function, args, (), function.place) if isinstance(function, tree.Function) else function


def is_of_entries(function: tree.Expr, wrapper: str) -> bool:
    """Whether a function computes every entry by itself, so that it may as well be called with all of them."""
    match function:
        case tree.Function(parameters, value):
            names = [*tree.mentioned(value)] if wrapper == OF_ROWS else []  # a row beside another array
            return all(map(_is_entrywise, tree.all_parts(value))) and {*names} <= {*dict(parameters)}
        case tree.Name(name) | tree.Member(_, name, None):
            return ALSO.get(name, name) in TABLE
    return False


def _is_entrywise(part: tree.Expr) -> bool:
    match part:
        case tree.Chain(_, rest):
            return all(sign != "@" for sign, _ in rest)
        case tree.Call(name) | tree.Member(_, name, tuple()):
            return ALSO.get(name, name) in TABLE
        case tree.Member(tree.Name()):  # the np of np.exp(x)
            return True
    return type(part).__name__ in _OPERATORS


def _row_by_row(wrapper: str, inner: tree.Expr, place: Place | None) -> SyntaxProblem:
    return _problem(f"{wrapper} calls a function for every row: that is a loop, `for n in 1..N:`", place, wrapper,
                   [partial(_with_loop, inner)])


def _problem(message: str, place: Place | None, near: str = "", instead: Sequence[Meant] = ()) -> SyntaxProblem:
    return problem(message, place.line if place else 0, near, place, instead)


def _with_loop(inner: tree.Expr, line: str, place: Place) -> str:
    """``p = vmap(f)(X)`` as ``for n in 1..X.shape[0]: p = f(X[n])``."""
    found = _MAPPED.match(line)
    if found is None:
        return line
    indent, name, function, arrays = *found.group(1, 2), line[found.end() :], ""
    end = unopened(function)
    function, arrays = function[:end], function[end + 1 :].strip()
    names = re.fullmatch(r"\((\w+(?:\s*,\s*\w+)*)\)", arrays)
    if names is None:
        return line
    rows = re.split(r"\s*,\s*", names[1])
    body = f"({function})" if isinstance(inner, tree.Function) else function
    return f"{indent}for n in 1..{rows[0]}.shape[0]: {name} = {body}({', '.join(f'{row}[n]' for row in rows)})"


_MAPPED = lazy(r"(\s*)(\w+)\s*=\s*(?:\w+\.)*(?:vmap|vectorize)\(")
