"""The first line of a module that is wrong.

The functions of a failing module are run once more as copies that return their variables. A variable with the name of
an equation is held against the interpreter's value of that row, one called d and the name against slopes in that row,
and any other is right when some row of the model has this value, or this slope. The first that is wrong, in the order
of the file, is blamed, with the lines it reads of which nothing is known.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from symbackprop.apart.files import CallFailed
from symbackprop.core.graph import FLOAT, Node
from symbackprop.errors import BrokenModule
from symbackprop.verify.differences import Objective
from symbackprop.verify.everywhere import slope_in
from symbackprop.verify.interpreter import Array
from symbackprop.verify.module import Candidate, beside, call, numbers
from symbackprop.verify.sampling import Sample

COPY, SHOWN, ROWS = "variables_of_", 3, 400


def first_wrong_line(candidate: Candidate, sample: Sample, objective: Objective, within: float) -> str:
    """`` net.py:91: dz = da * (z >= 0)``, or two or three lines of which one is; nothing where none is found."""
    source = candidate.source
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)} if source else {}
    if not {"forward", "backward"} <= set(functions):
        return ""
    try:
        forward, backward = _variables(candidate, functions, sample)
    except (CallFailed, BrokenModule):
        return ""
    values = Values(objective, within)
    found = blamed(functions["forward"], forward, values.of_row, values.is_some)
    slopes = Slopes(objective, within)
    found = found or blamed(functions["backward"], backward, slopes.of_row, slopes.is_some)
    lines, name = source.splitlines(), Path(str(candidate.module.__file__)).name
    if len(found) > SHOWN:
        return f"one of {name}:{found[0]} to {found[-1]}: {lines[found[-1] - 1].partition('  #')[0].strip()}"
    return " or ".join(f"{name}:{k}: {lines[k - 1].partition('  #')[0].strip()}" for k in found)


def _variables(candidate: Candidate, functions: Mapping[str, ast.FunctionDef], sample: Sample
               ) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables of forward and of backward as they are when these return."""
    copies = "\n\n\n".join(ast.unparse(_copied(functions[n])) for n in ("forward", "backward"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_text(f"{candidate.source}\n\n\n{copies}\n", encoding="utf-8")
        with beside(candidate.module, path) as module:
            traced = Candidate(module, candidate.model, candidate.given)
            forward = traced.ask(f"{COPY}forward", *traced.inputs(sample), sample)
            cache = traced.pair(traced.ask("forward", *traced.inputs(sample), sample))[1]
            return forward, call(module, f"{COPY}backward", cache, *traced.seed(sample))


def _copied(function: ast.FunctionDef) -> ast.FunctionDef:
    """The function under another name, returning its variables."""
    made = copy.deepcopy(function)
    made.name = COPY + function.name
    for node in ast.walk(made):
        if isinstance(node, ast.Return):
            node.value = ast.parse("dict(locals())", mode="eval").body
    return made


# -- the lines of a function
@dataclass
class Line:
    """A statement that gives variables a value (a loop is one, at its last line that does so), and what it reads."""

    number: int
    gives: set[str]
    reads: set[str]


def lines_of(function: ast.FunctionDef) -> Iterator[Line]:
    for statement in function.body:
        nodes = [n for n in ast.walk(statement) if isinstance(n, ast.expr)]
        stores = [(n.lineno, name) for n in nodes if (name := _stored(n))]
        reads = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        for name in dict.fromkeys(name for _, name in stores):
            number = max(k for k, other in stores if other == name)
            yield Line(number, {name}, reads - {name})


def _stored(node: ast.AST) -> str:
    """The variable that a target writes, or writes into."""
    while isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        node = node.value
        if isinstance(node, ast.Name):
            return node.id
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else ""


def blamed(function: ast.FunctionDef, variables: Mapping[str, Any], right: Callable[[str, Array], bool | None],
           known: Callable[[Array], bool]) -> list[int]:
    """The lines of which one is the first that is wrong; none where no variable is known to be. ``right`` says of a
    variable whether it is what its name says (None: it says nothing), ``known`` of one whether it is some row."""
    open_, lines = dict[str, list[int]](), list(lines_of(function))
    last = {name: line for line in lines for name in line.gives}
    for line in lines:
        (name,) = line.gives
        array = numbers(variables.get(name))
        doubted = sorted({k for n in (*line.reads, name) for k in open_.get(n, [])})
        if line is not last[name]:  # its value is not what the variable holds in the end
            open_[name] = [*doubted, line.number]
            continue
        verdict = None if array is None else right(name, array)
        if verdict is False:
            return [*doubted, line.number]
        sure = verdict is True or array is None or (not doubted and not line.reads - _GIVEN) or known(array)
        open_[name] = [] if sure else [*doubted, line.number]
    return []


_GIVEN = {"cache", "arrays", "sizes", "dtype", "dtypes", "params", "data", "upstream", "w", "np", "jnp", "jax"}


# -- what is right
class Values:
    """The interpreter's values of rows."""

    def __init__(self, objective: Objective, within: float) -> None:
        self.objective, self.within = objective, within
        self.rows = _rows(objective)
        self.named = {r.name: r for r in self.rows if r.name is not None and r.id in objective.base}

    def of_row(self, name: str, array: Array) -> bool | None:
        row = self.named.get(name.rstrip("_") if name not in self.named else name)
        return None if row is None or row.is_leaf else self._equal(array, self.objective.base[row.id])

    def is_some(self, array: Array) -> bool:
        return any(self._equal(array, self.objective.base[r.id]) for r in self.rows)

    def _equal(self, array: Array, value: Any) -> bool:
        value = np.asarray(value)
        if array.shape != value.shape or value.dtype.kind not in "fiub":
            return False
        with np.errstate(all="ignore"):
            scale = np.max(np.abs(value), initial=1e-3)
            return bool(np.all(np.abs(array - value) <= self.within * scale))


class Slopes:
    """Slopes in rows, along a random direction each."""

    def __init__(self, objective: Objective, within: float) -> None:
        self.objective, self.within = objective, within
        self.rows = [r for r in _rows(objective) if r.kind == FLOAT][:ROWS]
        self.named = {f"d{r.name}": r for r in self.rows if r.name is not None}
        self.found: dict[int, float | None] = {}

    def of_row(self, name: str, array: Array) -> bool | None:
        row = self.named.get(name)
        if row is not None and row.is_leaf and np.shape(self.objective.base[row.id]) != array.shape:
            return False
        return None if row is None else self._agrees(row, array)

    def is_some(self, array: Array) -> bool:
        return any(self._agrees(row, array) for row in self.rows)

    def _agrees(self, row: Node, array: Array) -> bool | None:
        shape = np.shape(self.objective.base[row.id])
        if shape != array.shape or not array.size:
            return None
        direction = np.random.default_rng(array.size).uniform(0.5, 1.5, shape)
        if row.id not in self.found:
            self.found[row.id] = slope_in(self.objective, row, direction)
        slope, terms = self.found[row.id], array * direction
        if slope is None:
            return None
        allowed = self.within * float(np.linalg.norm(terms)) + 1e-14 * self.objective.magnitude
        return bool(abs(float(terms.sum()) - slope) <= allowed)


def _rows(objective: Objective) -> Sequence[Node]:
    rows = objective.rows[0].graph.topological(objective.rows)
    return [r for r in rows if r.id in objective.base and not r.is_loop]

