"""Numbers written as ``a=3, b=-.5, W=[[1, 2], [3, 4]]``: read without evaluating anything."""

from __future__ import annotations

from typing import TypeAlias

from symbackprop.model.text.cursor import Cursor
from symbackprop.model.text.expressions import number
from symbackprop.model.text.tokens import NUMBER, logical_lines

Values: TypeAlias = "int | float | list[Values]"
MAX_NESTING = 16


def read_values(text: str) -> dict[str, object]:
    """Values by name: an int, a float, or nested lists of them. Raises a `SyntaxProblem`."""
    values: dict[str, object] = {}
    for line in logical_lines(text):
        c = Cursor(line.tokens)
        while True:
            name = c.word("a name").text
            if name in values:
                raise c.unexpected(f"{name} is given twice", named=True)
            c.expect("=", f"and a value for {name}")
            values[name] = _value(c, 0)
            if not c.accept(","):
                break
        c.finish("the values")
    return values


def _value(c: Cursor, nesting: int) -> Values:
    if nesting > MAX_NESTING:
        raise c.unexpected(f"lists are nested more than {MAX_NESTING} deep", named=True)
    if not c.accept("["):
        return _number(c)
    items: list[Values] = []
    while not c.accept("]"):
        items.append(_value(c, nesting + 1))
        if not c.at("]"):
            c.expect(",", "or ']' in a list")
    return items


def _number(c: Cursor) -> int | float:
    """A decimal or a fraction p/q, perhaps with a sign."""
    negative = False
    while c.at("-", "+"):
        negative ^= c.take().text == "-"
    if c.now.kind != NUMBER:
        raise c.unexpected("expected a number or a list such as [1, 2]")
    value = number(c.take())
    if c.accept("/"):
        if c.now.kind != NUMBER or number(c.now) == 0:
            raise c.unexpected("expected a number other than 0 to divide by")
        value = value / number(c.take())
    value = -value if negative else value
    return int(value) if value.is_Integer else float(value)
