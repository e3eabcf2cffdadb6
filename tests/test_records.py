"""Records are what `dataclasses` makes of the same class."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest

from symbackprop.core.maths import Math
from symbackprop.model.text.tree import Placed
from symbackprop.records import record


def _classes(make: Any) -> tuple[type, type, type]:
    @make(frozen=True)
    class Empty:
        pass

    @make(frozen=True)
    class Base:
        """Said."""

        kept: int = field(default=0, compare=False, repr=False, kw_only=True)
        items: tuple[Any, ...] = ()

    @make(frozen=True)
    class Further(Base):
        name: str = "a"

    return Empty, Base, Further


OURS, THEIRS = _classes(record), _classes(dataclass)


@pytest.mark.parametrize("k", range(3))
def test_equality_hash_and_text_are_those_of_dataclasses(k: int) -> None:
    made = [([], {}), ([], {"kept": 3}), ([(1, 2)], {}), ([(1, 2), "b"], {"kept": 1}), ([(), "b"], {})]
    mine, their = ([kind(*a, **b) for a, b in made if k == 2 or (k and len(a) < 2) or not (a or b)]
                   for kind in (OURS[k], THEIRS[k]))
    assert [[a == b for a in mine] for b in mine] == [[a == b for a in their] for b in their]
    assert [[hash(a) == hash(b) for a in mine] for b in mine] == [[hash(a) == hash(b) for a in their] for b in their]
    assert [*map(repr, mine)] == [*map(repr, their)]


def test_what_looks_at_dataclasses_sees_records() -> None:
    assert [f.name for f in fields(OURS[2])] == [f.name for f in fields(THEIRS[2])] == ["kept", "items", "name"]
    assert OURS[2].__match_args__ == THEIRS[2].__match_args__ == ("items", "name")  # type: ignore[attr-defined]
    assert replace(OURS[2]((1,)), name="b") == OURS[2]((1,), "b") != OURS[2]((1,))  # type: ignore[type-var]
    assert OURS[1]() != OURS[2]() and OURS[1].__doc__ == "Said."


@pytest.mark.parametrize("kind", [*Math.__subclasses__(), *Placed.__subclasses__()], ids=lambda kind: kind.__name__)
def test_trees_are_records(kind: type) -> None:
    assert kind.__init__.__qualname__.startswith(kind.__name__)  # type: ignore[misc]
    assert kind.__repr__ is Math.__repr__
