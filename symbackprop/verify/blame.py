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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from symbackprop.apart.files import CallFailed
from symbackprop.core.graph import FLOAT, Node
from symbackprop.errors import BrokenModule
from symbackprop.verify.calls import SAME, SAME_SINGLE, gap, other_arrays, spread
from symbackprop.verify.differences import Objective
from symbackprop.verify.everywhere import slope_in
from symbackprop.verify.interpreter import Array, Watch, magnitude
from symbackprop.verify.lines import shown
from symbackprop.verify.module import Candidate, beside, call, numbers
from symbackprop.verify.rounding import DOUBLE, Rounding, of_slope
from symbackprop.verify.sampling import Sample, in_single, named_values

COPY, SHOWN, ROWS = "variables_of_", 3, 400
COPIED = ("forward", "backward", "outputs")
RETURN, FACTOR, READ = "return ", -1.75, {"cache", "arrays", "sizes"}


def first_wrong_line(candidate: Candidate, sample: Sample, objective: Objective, within: float) -> str:
    """`` net.py:91: dz = da * (z >= 0)``, or two or three lines of which one is; nothing where none is found."""
    functions = _functions(candidate)
    if not functions:
        return ""
    try:
        forward, backward = _variables(candidate, functions, sample)
    except (CallFailed, BrokenModule):
        return ""
    values = Values(objective, within)
    found = blamed(functions["forward"], forward, values.of_row, values.is_some)
    slopes = Slopes(objective, within)
    return _shown(candidate, found or blamed(functions["backward"], backward, slopes.of_row, slopes.is_some))


def first_changed_line(candidate: Candidate, sample: Sample) -> str:
    """The same where a module is right once, and not after other calls, for other layouts, in a workspace, in float32:
    the first line that gives a variable another value then; or the last one of a function that only hands on."""
    functions = _functions(candidate)
    try:
        with _traced(candidate, functions) as traced:
            for name, right, wrong, within in Situations(traced, sample) if functions else ():
                number = _changed(functions[name], right, wrong, within) if name in functions else None
                if number is not None:
                    return _shown(candidate, [number])
    except (CallFailed, BrokenModule):
        pass
    return ""


def _functions(candidate: Candidate) -> dict[str, ast.FunctionDef]:
    """The functions of the module's text, where it has those that a module needs."""
    source = candidate.source
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)} if source else {}
    return functions if {"forward", "backward"} <= set(functions) else {}


def _shown(candidate: Candidate, found: Sequence[int]) -> str:
    path, found = str(candidate.module.__file__), list(dict.fromkeys(found))  # of statements on one line, the line
    if len(found) > SHOWN:
        return f"one of {shown(path, found[-1], found[0])}"
    return " or ".join(shown(path, number) for number in found)


@contextmanager
def _traced(candidate: Candidate, functions: Mapping[str, ast.FunctionDef]) -> Iterator[Candidate]:
    """The module, beside whose functions stand copies that return their variables as they are at the end."""
    copies = "\n\n\n".join(ast.unparse(_copied(functions[n])) for n in COPIED if n in functions)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_text(f"{candidate.source}\n\n\n{copies}\n", encoding="utf-8")
        with beside(candidate.module, path) as module:
            yield Candidate(module, candidate.model, candidate.given)


def _variables(candidate: Candidate, functions: Mapping[str, ast.FunctionDef], sample: Sample
               ) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables of forward and of backward, after a call for other arrays."""
    with _traced(candidate, functions) as traced:
        traced.run(other_arrays(traced, sample))
        forward = traced.pair(traced.ask(f"{COPY}forward", *traced.inputs(sample), sample))[0]
        cache = traced.pair(traced.ask("forward", *traced.inputs(sample), sample))[1]
        return forward, traced.pair(call(traced.module, f"{COPY}backward", cache, *traced.seed(sample)))[0]


Situation = tuple[str, Mapping[str, Any], Mapping[str, Any], float]


class Situations:
    """What the functions of a module compute in situations in which nothing should change: their variables by name, and
    what they return by ``return`` and a name. Each is (function, as it should be, as it is, how well they agree)."""

    def __init__(self, traced: Candidate, sample: Sample) -> None:
        self.traced, self.sample = traced, sample
        self.other = other_arrays(traced, sample)

    def __iter__(self) -> Iterator[Situation]:
        right, cache = self.forward(self.sample)
        gradients = self.backward(cache, self.sample)
        yield "backward", gradients, self.backward(cache, self.sample), SAME
        yield from self._handed_on(right, gradients)
        kept = self.forward(self.sample)[1]
        self.forward(self.other)
        for found, cache in self._again(kept):
            yield "forward", right, found, SAME
            yield "backward", gradients, self.backward(cache, self.sample), SAME
        workspace = self.ask("make_workspace", self.sample) if self.traced.has("make_workspace") else None
        for sample in (self.other, self.sample) if workspace is not None else ():
            found, cache = self.forward(sample, workspace=workspace)
            slopes = [self.backward(cache, sample, workspace=workspace) for _ in range(2)]
            if sample is self.sample:
                yield "forward", right, found, SAME
                yield from (("backward", gradients, s, SAME) for s in slopes)
        single = in_single(self.sample)
        found, cache = self.forward(single)
        yield "forward", right, _in_single(found), SAME_SINGLE
        yield "backward", gradients, _in_single(self.backward(cache, single)), SAME_SINGLE

    def _handed_on(self, right: Mapping[str, Any], gradients: Mapping[str, Any]) -> Iterator[Situation]:
        """What outputs and loss_and_grads give, and backward for another upstream gradient."""
        traced = self.traced
        if traced.has("outputs"):
            values = named_values(traced.model, traced.intermediates, self.sample)
            found, returned = traced.pair(self.ask(f"{COPY}outputs", self.sample))
            wanted = {n: v for n, v in values.items() if n in found} | _returned(values)
            yield "outputs", wanted, {**found, **_returned(traced.mapping("outputs", returned))}, SAME
        if traced.is_loss and traced.has("loss_and_grads"):
            loss, grads = traced.pair(self.ask("loss_and_grads", self.sample), "loss_and_grads")
            wanted = {n: v for n, v in {**right, **gradients}.items() if n.startswith(RETURN)}
            yield "loss_and_grads", wanted, _returned({**traced.named(loss), **grads}), SAME
        cache = traced.pair(self.ask("forward", self.sample))[1]
        found = traced.backward(cache, *traced.scaled(traced.seed(self.sample), FACTOR))
        wanted = {n: FACTOR * np.asarray(v) for n, v in gradients.items() if n.startswith(RETURN)}
        yield "backward", wanted, _returned(found), SAME

    def _again(self, kept: Any) -> Iterator[tuple[dict[str, Any], Any]]:
        """Variables and caches after a call for other arrays, and for arrays that are not contiguous."""
        yield self.forward(self.sample)[0], kept
        yield self.forward(self.sample, spread)

    def ask(self, name: str, sample: Sample, *change: Callable[[Any], Any], **options: Any) -> Any:
        return self.traced.ask(name, *self.traced.inputs(sample, *change), sample, **options)

    def forward(self, sample: Sample, *change: Callable[[Any], Any], **options: Any) -> tuple[dict[str, Any], Any]:
        found = self.traced.pair(self.ask(f"{COPY}forward", sample, *change, **options))[0]
        results, cache = self.traced.pair(self.ask("forward", sample, *change, **options))
        return {**_copies(found), **_returned(self.traced.named(results))}, cache

    def backward(self, cache: Any, sample: Sample, **options: Any) -> dict[str, Any]:
        name, seed = f"{COPY}backward", self.traced.seed(sample)
        found, returned = self.traced.pair(call(self.traced.module, name, cache, *seed, **options))
        return {**_copies(found), **_returned(self.traced.mapping("backward", returned))}


def _copies(found: Mapping[str, Any]) -> dict[str, Any]:
    return {n: np.array(v) for n, v in found.items() if numbers(v) is not None}


def _returned(found: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{RETURN}{n}": v for n, v in _copies(found).items()}


def _in_single(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is returned in another precision."""
    return {n: v for n, v in found.items() if not n.startswith(RETURN) or v.dtype != np.float64}


def _changed(function: ast.FunctionDef, right: Mapping[str, Any], wrong: Mapping[str, Any], within: float
             ) -> int | None:
    """The first line that computes a variable which is another one, or the last one where that is what it returns."""
    lines = list(lines_of(function))
    last = {line.gives: line.number for line in lines}
    for line in lines:
        name = line.gives
        reads = bool(line.reads) and line.reads <= READ
        if name in right and not reads and last[name] == line.number and gap(wrong.get(name), right[name], within):
            return line.number
    returned = [n for n in right if n.startswith(RETURN) and gap(wrong.get(n), right[n], within)]
    return function.body[-1].lineno if returned else None


def _copied(function: ast.FunctionDef) -> ast.FunctionDef:
    """The function under another name, returning its variables beside what it returns."""
    made = copy.deepcopy(function)
    made.name = COPY + function.name
    for node in ast.walk(made):
        if isinstance(node, ast.Return):
            variables = ast.parse("dict(locals())", mode="eval").body
            node.value = ast.Tuple([variables, node.value or ast.Constant(None)], ast.Load())
    return made


# -- the lines of a function
@dataclass
class Line:
    """A statement that gives a variable a value (a loop is one, at its last line that does so), and what it reads."""

    number: int
    gives: str
    reads: set[str]


def lines_of(function: ast.FunctionDef) -> Iterator[Line]:
    for statement in function.body:
        nodes = [n for n in ast.walk(statement) if isinstance(n, ast.expr)]
        stores = [(n.lineno, name) for n in nodes if (name := _stored(n))]
        reads = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        for name in dict.fromkeys(name for _, name in stores):
            number = max(k for k, other in stores if other == name)
            yield Line(number, name, reads - {name})


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
    last = {line.gives: line for line in lines}
    for line in lines:
        name = line.gives
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


_GIVEN = {"cache", "arrays", "sizes", "dtype", "dtypes", "params", "data", "upstream", "kept", "np", "jnp", "jax"}


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
            scale = magnitude(value)
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
        return None if row is None else self._agrees(row, array, known=False)

    def is_some(self, array: Array) -> bool:
        return any(self._agrees(row, array) for row in self.rows)

    def _agrees(self, row: Node, array: Array, known: bool = True) -> bool | None:
        shape = np.shape(self.objective.base[row.id])
        if shape != array.shape or not array.size:
            return None
        direction = np.random.default_rng(array.size).uniform(0.5, 1.5, shape)
        if row.id not in self.found:
            self.found[row.id] = slope_in(self.objective, row, direction)
        slope, terms = self.found[row.id], array * direction
        if slope is None:
            return None
        missed = abs(float(terms.sum()) - slope) - self.within * float(np.linalg.norm(terms))
        return bool(missed <= 0 or (not known and missed <= self._rounding(row, direction, slope)))

    def _rounding(self, row: Node, direction: Array, slope: float) -> float:
        def run(change: Watch) -> float:
            found = slope_in(self.objective, row, direction, change)
            return np.nan if found is None else found

        return of_slope(run, slope, Rounding(DOUBLE, np.random.default_rng(0)))


def _rows(objective: Objective) -> Sequence[Node]:
    rows = objective.rows[0].graph.topological(objective.rows)
    return [r for r in rows if r.id in objective.base and not r.is_loop]
