"""Which rules no test needs: every ``if`` and ``case`` of some files is switched off in turn, and the tests that reach
it are run, the fastest first, until one fails.

    .venv/bin/python scripts/rules.py symbackprop/core/squares.py … -- tests/core/test_squares.py …

What is told has no place, or misses a test, or is a guard of what no test hands in; what ends sooner without changing
anything is told too. Branches that only raise an error are left out. Needs Python 3.12 (sys.monitoring) and a system
with fork.
"""

from __future__ import annotations

import ast
import gc
import os
import pickle
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
SECONDS = 20.0  # of tests a rule
FUNCTION = 2  # the flag of code that has variables of its own, which that of a class has not


class Rule(NamedTuple):
    """The branch that begins on a line, and the function around it without that branch."""

    path: str
    line: int
    code: CodeType


class Reached(NamedTuple):
    """The places of the tests that reach a line, and how long each test takes."""

    tests: dict[tuple[str, int], list[int]]
    seconds: list[float]


def rules(path: str) -> Iterator[Rule]:
    source = Path(path).read_text(encoding="utf-8")
    for number in range(len([*_branches(ast.parse(source))])):
        tree = ast.parse(source)
        function, branch = [*_branches(tree)][number]
        never = ast.copy_location(ast.Constant(False), branch.body[0])
        setattr(branch, "test" if isinstance(branch, ast.If) else "guard", never)
        begins = min(part.lineno for part in (function, *function.decorator_list))
        code = next(c for c in _functions(compile(tree, path, "exec")) if c.co_firstlineno == begins)
        yield Rule(path, branch.body[0].lineno, code)


def _branches(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef, Any]]:
    """The branches, each with the outermost function around it."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef):
            yield from ((child, node) for node in ast.walk(child) if _is_rule(node))
        else:
            yield from _branches(child)


def _is_rule(node: Any) -> bool:
    matches = isinstance(node, ast.match_case) and not isinstance(node.pattern, ast.MatchAs)
    return (matches or isinstance(node, ast.If)) and not isinstance(node.body[0], ast.Raise)


def _functions(code: CodeType) -> Iterator[CodeType]:
    """The functions of a module and of its classes, none in functions."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from [inner] if inner.co_flags & FUNCTION else _functions(inner)


def without(rule: Rule) -> None:
    """Switch a rule off, in the functions that there are."""
    gc.unfreeze()
    for x in gc.get_objects():
        if isinstance(x, FunctionType) and x.__code__.co_filename == rule.path and (
                x.__code__.co_qualname, x.__code__.co_firstlineno) == (rule.code.co_qualname, rule.code.co_firstlineno):
            x.__code__ = rule.code


class Switching:
    """Runs tests that were collected once, for each rule in a process of its own."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reached: Reached = in_child(lambda: self._reached(session), 3600.0)
        for rule in [rule for path in self.paths for rule in rules(path)]:
            tests = sorted(reached.tests[rule.path, rule.line], key=reached.seconds.__getitem__)
            told = in_child(lambda rule=rule, tests=tests: self._told(session, rule, tests), 3 * SECONDS)
            if told != "":
                place = f"{os.path.relpath(rule.path, ROOT)}:{rule.line} {rule.code.co_qualname}"
                print(place, "without end" if told is None else told, file=sys.stderr, flush=True)
        return True

    def _reached(self, session: pytest.Session) -> Reached:
        monitoring, now, found = sys.monitoring, set[tuple[str, int]](), Reached(defaultdict(list), [])

        def line(code: CodeType, number: int) -> Any:
            if code.co_filename in self.paths:
                now.add((code.co_filename, number))
            return monitoring.DISABLE

        monitoring.use_tool_id(monitoring.COVERAGE_ID, "rules")
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, line)
        monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)
        for k, item in enumerate(session.items):
            now.clear()
            monitoring.restart_events()
            begun = time.process_time()
            passes(item)
            found.seconds.append(time.process_time() - begun)
            for place in now:
                found.tests[place].append(k)
        return found

    def _told(self, session: pytest.Session, rule: Rule, tests: list[int]) -> str:
        """What is told of a rule; nothing of one that a test needs."""
        without(rule)
        begun = time.process_time()
        for count, k in enumerate(tests):
            if not passes(session.items[k]):
                return ""
            if time.process_time() - begun > SECONDS:
                return f"{count + 1} of {len(tests)} tests need it not, the others take long"
        return f"{len(tests)} tests need it not" if tests else "no test reaches"


def passes(item: pytest.Item) -> bool:
    return all(report.outcome != "failed" for report in runtestprotocol(item, log=False, nextitem=None))


def in_child(run: Callable[[], Any], seconds: float) -> Any:
    """What a function returns in a process of its own, which says nothing; None where it takes longer."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            said = pickle.dumps(run())
            with os.fdopen(write, "wb") as out:
                out.write(said)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as given:
        said = given.read()
    os.waitpid(child, 0)
    return pickle.loads(said) if said else None


def main() -> None:
    cut = sys.argv.index("--")
    paths = [str(Path(path).resolve()) for path in sys.argv[1:cut]]
    options = ["-q", "-p", "no:cacheprovider", *sys.argv[cut + 1 :]]
    sys.exit(pytest.main(options, plugins=[Switching(paths)]))


if __name__ == "__main__":
    main()
