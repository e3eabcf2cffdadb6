"""Which names a model may use. Everything printed or emitted later builds on what is let through here."""

from __future__ import annotations

import keyword
import re

from symbackprop.errors import NameProblem

MAX_LENGTH = 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def check_name(name: str) -> str:
    """The name itself, or a `NameProblem`: ASCII letters, digits and underscores, no keyword, at most 64 long."""
    if len(name) > MAX_LENGTH:
        raise NameProblem(f"the name {name[:20]!r}… is {len(name)} characters long; at most {MAX_LENGTH} are allowed")
    if not _NAME.match(name):
        raise NameProblem(f"{name!a} is not a name: use ASCII letters, digits and _, beginning with a letter")
    if keyword.iskeyword(name):
        raise NameProblem(f"{name!r} is a Python keyword and cannot be a name; try {name + '_'!r}")
    if name.endswith("__"):
        raise NameProblem(f"{name!r} ends in two underscores, which emitted code reserves")
    return name
