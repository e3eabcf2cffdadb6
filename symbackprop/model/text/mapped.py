"""``jax.vmap(f, in_axes=(None, 0))(w, X)`` as the list that it stacks, ``jnp.stack([f(w, x) for x in X])``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, islice

from symbackprop.errors import ModelError
from symbackprop.model.text.expressions import formula_of
from symbackprop.model.text.lambdas import OF_ROWS as _ROW_BY_ROW
from symbackprop.model.text.lambdas import is_of_entries
from symbackprop.model.text.tokens import NAME, TEXT, Line, Token, body_of, ended
from symbackprop.model.text.writing import FreeNames, between_commas, closing, items, words

_AXES = ["in_axes", "="]
_MAP = ["lax", ".", "map", "("]  # of a function and what it is called for every row of
_ROWS, _WHOLE = "0", "None"  # of an argument
_MOST, _DEEPEST = 20, 20  # on a line, and brackets around one
_HEADS = ("def", "for", "if", "elif", "while", "with", "class")


def mapped(lines: list[Line]) -> None:
    """Put lists with a loop in the place of functions of the text that are called for every row of arrays; an array
    that is computed gets a name on a line above."""
    if not any(_ROW_BY_ROW in (texts := [*map(TEXT, line.tokens)]) or "map" in texts for line in lines):
        return
    defined = {line.tokens[1].text for k, line in enumerate(lines)
               if line.tokens[0].text == "def" and not _gives_several(lines, k)}
    free = FreeNames(token.text for line in lines for token in line.tokens)
    lines[:] = [part for line in lines for part in _written(line, defined, free)]


def _written(line: Line, defined: set[str], free: FreeNames) -> list[Line]:
    """A line without such calls, behind those of the arrays that they take."""
    above = list[Line]()
    for _ in range(_MOST):
        found = _of_line(line.tokens, defined, free)
        if found is None:
            break
        arrays, tokens = found
        above += [line._replace(tokens=ended(array)) for array in arrays]
        line = line._replace(tokens=tokens)
    return [*above, line]


def _gives_several(lines: Sequence[Line], k: int) -> bool:
    """Whether a function returns several: of these vmap stacks each."""
    return any(line.tokens[0].text == "return" and len(items(line.tokens[1:-1])) > 1 for line in body_of(lines, k))


def _of_line(tokens: tuple[Token, ...], defined: set[str], free: FreeNames
             ) -> tuple[list[list[Token]], tuple[Token, ...]] | None:
    """The lines that name arrays, and the tokens with a list for the last such call; None where there is none."""
    for place in islice((k for k in range(len(tokens) - 2, 0, -1) if _begins(tokens, k)), _MOST):
        found = None if _is_in_function(tokens, place) else _written_at(tokens, place, defined, free)
        if found is not None and not (found[0] and _is_in_list(tokens, place)):  # whose rows no line above has
            return found
    return None


def _written_at(tokens: tuple[Token, ...], place: int, defined: set[str], free: FreeNames
                ) -> tuple[list[list[Token]], tuple[Token, ...]] | None:
    """The same of the call that begins at a place."""
    opened = place + 1
    closed = closing(tokens, opened)
    if not closed:
        return None
    given, last = between_commas(tokens[opened + 1 : closed]), closed
    if tokens[place].text == _ROW_BY_ROW:
        last = closing(tokens, closed + 1) if tokens[closed + 1].is_sign("(") else 0
        args, axes = between_commas(tokens[closed + 2 : last]), given[1:]
    else:
        args, axes = given[1:], []
    if not last or not args[0]:
        return None
    written = _list(given[0], args, _axes(axes, len(args)), defined, free)
    if written is None:
        return None
    begin = place
    while begin > 1 and tokens[begin - 1].is_sign("."):
        begin -= 2
    arrays, whole = written
    return arrays, (*tokens[:begin], *whole, *tokens[last + 1 :])


def _begins(tokens: Sequence[Token], k: int) -> bool:
    return tokens[k + 1].is_sign("(") and (
        tokens[k].text == _ROW_BY_ROW or [*map(TEXT, tokens[max(k - 2, 0) : k + 2])] == _MAP)


def _is_in_function(tokens: Sequence[Token], place: int) -> bool:
    """Whether a place is in a function without a name, or on a line that is the head of one; or deep inside."""
    begun = _begun(tokens, place)
    if tokens[0].text in _HEADS or len(begun) > _DEEPEST:
        return True
    parts = [between_commas(tokens[begin:place])[-1] for begin in (0, *begun)]
    return any("lambda" in _outside(part) for part in parts)


def _is_in_list(tokens: Sequence[Token], place: int) -> bool:
    """Whether a place is in a list with a loop."""
    return any("for" in _outside(tokens[begin : closing(tokens, begin - 1)]) for begin in _begun(tokens, place))


def _begun(tokens: Sequence[Token], place: int) -> list[int]:
    """Where the brackets begin that are open at a place."""
    begun = list[int]()
    for k in range(place):
        if tokens[k].is_sign("(", "["):
            begun.append(k + 1)
        elif tokens[k].is_sign(")", "]") and begun:
            begun.pop()
    return begun


def _outside(tokens: Sequence[Token]) -> list[str]:
    """What stands in no brackets that close."""
    found, k = list[str](), 0
    while k < len(tokens):
        end = closing(tokens, k) if tokens[k].is_sign("(", "[") else 0
        found.append(tokens[k].text)
        k = max(end, k) + 1
    return found


def _list(function: Sequence[Token], args: Sequence[list[Token]], axes: Sequence[str], defined: set[str],
          free: FreeNames) -> tuple[list[list[Token]], list[Token]] | None:
    """The lines that name arrays, and ``np.stack([f(w, row) for row in X])``; None where a function of several, or
    something else, is called, or the rows are none of the first axis."""
    line, name = function[0].line, "".join(map(TEXT, function))
    if len(axes) != len(args) or not {*axes} <= {_ROWS, _WHOLE} or _ROWS not in axes:
        return None
    body = _of_lambda(function, len(args)) if function[0].text == "lambda" else None
    if body is None and name not in defined and not _is_map(function, defined):
        return None
    arrays, rows, inner = list[list[Token]](), list[list[Token]](), list[list[Token]]()
    for arg, axis in zip(args, axes, strict=True):
        of_name = len(arg) == 1 and arg[0].kind == NAME
        if axis == _ROWS and not of_name:
            named = arg[0]._replace(kind=NAME, text=free.free("rows"))
            arrays.append([named, *words("=", line), *arg])
            arg = [named]
        rows += [arg] * (axis == _ROWS)
        inner.append([arg[0]._replace(kind=NAME, text=free.free("row"), column=0)] if axis == _ROWS else arg)
    over = [*words("zip (", line), *_listed(rows, line), *words(")", line)] if rows[1:] else rows[0]
    called = [*function, *words("(", line), *_listed(inner, line), *words(")", line)] if body is None else (
        _put(*body, inner, line))
    names = [name for name, axis in zip(inner, axes, strict=True) if axis == _ROWS]
    return arrays, [*words("np . stack ( [", line), *called, *words("for", line), *_listed(names, line),
                    *words("in", line), *over, *words("] )", line)]


def _is_map(function: Sequence[Token], defined: set[str]) -> bool:
    """Whether a function is a map over rows, ``jax.vmap(f)``, itself."""
    place = next((k for k, token in enumerate(function) if token.text == _ROW_BY_ROW), 0)
    path = all(token.kind == NAME or token.is_sign(".") for token in function[:place])
    closed = closing(function, place + 1) if path and function[place].text == _ROW_BY_ROW else 0
    inner = between_commas(function[place + 2 : closed])[0]
    return closed == len(function) - 1 > 0 and ("".join(map(TEXT, inner)) in defined or _is_map(inner, defined))


def _of_lambda(function: Sequence[Token], count: int) -> tuple[list[str], Sequence[Token]] | None:
    """The parameters of a function without a name, and its value; None where it takes others, gives several, or may as
    well be called with all rows at once."""
    colon = next((k for k, token in enumerate(function) if token.is_sign(":")), 0)
    parameters, value = [*map(TEXT, function[1:colon])], function[colon + 1 :]
    several = len(between_commas(value)) > 1 or len(items(value)) > 1 or _takes_again(value, parameters)
    with suppress(ModelError):
        several = several or is_of_entries(formula_of(ended(function)), _ROW_BY_ROW)
    fits = len(parameters) == 2 * count - 1 and all(map(str.isidentifier, parameters[::2]))
    return (parameters[::2], value) if fits and value and not several else None


def _takes_again(value: Sequence[Token], parameters: Sequence[str]) -> bool:
    """Whether a function in a formula has a parameter of one of these names."""
    heads = [value[k : next(j for j in range(k, len(value)) if value[j].is_sign(":"))]
             for k, token in enumerate(value) if token.text == "lambda"]
    return any(token.text in parameters for head in heads for token in head if token.kind == NAME)


def _put(parameters: Sequence[str], value: Sequence[Token], args: Sequence[Sequence[Token]], line: int) -> list[Token]:
    """The value of a function with what it is given for its parameters."""
    given = {name: arg if len(arg) == 1 else [*words("(", line), *arg, *words(")", line)]
             for name, arg in zip(parameters, args, strict=True)}
    return [t for k, token in enumerate(value) for t in (
        given[token.text] if token.text in given and not (k and value[k - 1].is_sign(".")) else [token])]


def _axes(options: Sequence[Sequence[Token]], count: int) -> list[str]:
    """Along which axis each argument is mapped; nothing where that is said otherwise."""
    if not options:
        return [_ROWS] * count
    said = [*map(TEXT, options[0])]
    said = said[2:] if said[:2] == _AXES else said
    if len(options) > 1 or not said:
        return []
    return [_ROWS] * count if said == [_ROWS] else [word for word in said[1:-1] if word != ","]


def _listed(parts: Sequence[Sequence[Token]], line: int) -> list[Token]:
    return [*chain.from_iterable((*words("," * (k > 0), line), *part) for k, part in enumerate(parts))]
