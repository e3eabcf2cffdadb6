"""What a text reads of objects that it does not make, ``self.W`` and ``config.width``, as what has the last name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Sequence

from symbackprop.core.functions.words import MODULES
from symbackprop.model.text import dialect, tree

_TOLD = "what {0} has, as {0}.{1}, is read under its own name"
_GIVEN = re.compile(r"^\s*self\.register_buffer\(\s*[\"'](\w+)|"
                    r"^\s*((?:self\.\w+\s*,\s*)*self\.\w+)\s*=(?!=)", re.MULTILINE)
_ITS_OWN = re.compile(r"\bself\.(\w+)\b")


def with_own_names(body: Sequence[tree.Statement], text: str) -> Sequence[tree.Statement]:
    """The statements with W for ``self.W`` and width for ``config.width``; what else has that name is another thing if
    it is no line of the object that gives it that."""
    if not any(isinstance(part, tree.Member) for part in _all_in(body)):
        return body
    own = {name for buffer, names in _GIVEN.findall(text) for name in (buffer, *_ITS_OWN.findall(names))}
    given = {e.target.name for e in tree.equations(body)}
    body = _without(body, dialect.SELF.name, _read_behind(body) - own)
    for name in _records(body, given):
        body = _without(body, name, set())
    return body


def _read_behind(body: Sequence[tree.Statement]) -> set[str]:
    """What is read of self below a line that gives another thing that name."""
    given, found = set[str](), set[str]()
    for s in tree.flat(body):
        read = [part for part in _all_in([s]) if isinstance(part, tree.Member) and part.base == dialect.SELF]
        found |= {part.name for part in read} & given
        given |= {e.target.name for e in tree.equations([s])}
    return found


def _without(body: Sequence[tree.Statement], record: str, others: Container[str]) -> Sequence[tree.Statement]:
    """The statements with names for what they read of a record, longer ones for what others have."""
    read = [part for part in _all_in(body) if isinstance(part, tree.Member) and _is_read_of(part, record)]
    if not read:
        return body

    def own(expr: tree.Expr) -> tree.Expr:
        if isinstance(expr, tree.Member) and _is_read_of(expr, record):
            return tree.Name(f"{record}_{expr.name}" if expr.name in others else expr.name, place=expr.place)
        return tree.changed(expr, own)

    first = read[0]
    told = tree.Said(first.place.line if first.place else 1, _TOLD.format(record, first.name))
    return [told, *tree.with_formulas(body, own)]


def _all_in(body: Sequence[tree.Statement]) -> list[tree.Expr]:
    return [part for expr in tree.formulas(body) for part in tree.all_parts(expr)]


def _records(body: Sequence[tree.Statement], given: Container[str]) -> list[str]:
    """The names of which nothing is read but what has a name there, as no array has it."""
    parts = _all_in(body)
    names = Counter(part.name for part in parts if isinstance(part, tree.Name))
    bases = [(part, part.base.name) for part in parts if isinstance(part, tree.Member)
             and isinstance(part.base, tree.Name)]
    read = Counter(name for part, name in bases if _is_read_of(part, name))
    return [name for name in read if read[name] == names[name] and name not in given and name not in MODULES]


def _is_read_of(part: tree.Expr, record: str) -> bool:
    """Whether it is ``record.name``, where that is no part of an array."""
    return (isinstance(part, tree.Member) and part.args is None and part.base == tree.Name(record)
            and not dialect.is_of_arrays(part.name))
