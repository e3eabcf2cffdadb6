"""What explains wrong gradients in `check`, and checking without one part of it: what that part is needed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import patch

from symbackprop import Model, check
from symbackprop.own import array_mistakes, diagnosis, other_values
from symbackprop.own.diagnosis import Diagnosis
from symbackprop.own.report import Gradient
from tests.own.cases import ELSEWHERE, WRONG, Wrong
from tests.own.helpers import checked
from tests.own.test_array_mistakes import SLIPS, UNEXPLAINED

Engine: TypeAlias = Callable[..., Any]
VAGUE = ("unexplained", "rounded", "undefined")
FACTS = {"undefined", "swapped", "another_gradient", "zero", "shape", "rounded"}  # seen without looking for a mistake
HOW = {"same_as_earlier", "one_mistake"}  # how the mistakes that the others make are tried
TABLES: list[tuple[Any, str]] = [
    (array_mistakes, "AT_EDGES"), (array_mistakes, "FEW_AT_EDGES"), (array_mistakes, "AT_ROWS"),
    (array_mistakes, "FEW_AT_ROWS"), (diagnosis, "RULES"),
]
FUNCTIONS: list[tuple[Any, str]] = [(diagnosis, "repeated"), (other_values, "_roots")]


ENGINES = [name for name in dict.fromkeys([
    *[rule.__name__ for module, table in TABLES for rule in getattr(module, table)],
    *[name for _, name in FUNCTIONS],
]) if name not in FACTS | HOW]


class Case(NamedTuple):
    """A wrong backward pass, and the words of a good explanation of one gradient."""

    id: str
    run: Callable[[], Gradient]
    words: tuple[str, ...]

    def finding(self) -> tuple[str, str]:
        gradient = self.run()
        return gradient.kind, gradient.says

    def met_by(self, finding: tuple[str, str]) -> bool:
        return finding[0] not in VAGUE and all(w in finding[1] for w in self.words)


@cache
def cases() -> list[Case]:
    """All wrong passes of the three tables."""
    files = [Case(f"{w.file}:{w.name} {w.old} -> {w.new} {w.gradient}", _in_file(w), w.words)
             for w in (*WRONG, *ELSEWHERE)]
    return files + [Case(f"{says} {k}", _here(model, back, name), (says,))
                    for k, (model, back, name, says) in enumerate((*SLIPS, *UNEXPLAINED))]


def _in_file(case: Wrong) -> Callable[[], Gradient]:
    def run() -> Gradient:
        with TemporaryDirectory() as folder:
            return checked(case, Path(folder))[case.gradient]

    return run


def _here(model: str, back: Callable[..., Any], name: str) -> Callable[[], Gradient]:
    return lambda: check(Model.parse(model), back)[name]


@contextmanager
def without(engine: str) -> Iterator[None]:
    """Checking with one engine switched off."""
    with ExitStack() as stack:
        for module, table in TABLES:
            kept = tuple(e for e in getattr(module, table) if e.__name__ != engine or table == "RULES")
            stack.enter_context(patch.object(module, table, kept))
        _replaced(stack, lambda name, rule: _nothing if name == engine else rule)
        yield


def _nothing(*args: Any, **options: Any) -> Any:
    return ()


def _replaced(stack: ExitStack, new: Callable[[str, Engine], Engine]) -> None:
    """Rules, functions and the tables of `grade` with others in their place."""
    rules = tuple(_rule(new(r.__name__, r), r) for r in diagnosis.RULES)
    for old, rule in zip(diagnosis.RULES, rules, strict=True):
        stack.enter_context(patch.object(Diagnosis, old.__name__, rule))
    stack.enter_context(patch.object(diagnosis, "RULES", rules))
    stack.enter_context(patch.dict(diagnosis.AT_EDGES, {n: new(n, r) for n, r in diagnosis.AT_EDGES.items()}))
    for module, name in FUNCTIONS:
        stack.enter_context(patch.object(module, name, new(name, getattr(module, name))))


def _rule(new: Engine, old: Engine) -> Engine:
    return (lambda self: None) if new is _nothing else new


def heard(case: Case) -> tuple[tuple[str, str], set[str]]:
    """The explanation of a case, and the engines that may have had a say in it."""
    names: set[str] = set()
    words: list[tuple[str, str]] = []
    with ExitStack() as stack:
        for module, table in TABLES[:4]:
            noted = tuple(_noted(e.__name__, e, names, words) for e in getattr(module, table))
            stack.enter_context(patch.object(module, table, noted))
        _replaced(stack, lambda name, rule: _noted(name, rule, names, words))
        finding = case.finding()
    names |= {name for name, says in words if says in finding[1]}
    return finding, names


def _noted(name: str, rule: Engine, names: set[str], words: list[tuple[str, str]]) -> Engine:
    """The same rule, which notes its name when what it found is told."""

    def run(*args: Any) -> Any:
        found = rule(*args)
        if isinstance(args[0], Diagnosis):
            names.update({name} if found is not None else ())
            return found
        return _told(name, found, names, words)

    run.__name__ = name
    return run


def _told(name: str, found: Any, names: set[str], words: list[tuple[str, str]]) -> Iterator[Any]:
    for c in found:
        if isinstance(c, other_values.Substitution):
            words.append((name, c.says))
            yield c
        else:
            yield replace(c, tell=lambda c=c: (names.add(name), c.tell())[1])
