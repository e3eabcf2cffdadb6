"""An emitted (perhaps hand-edited) module, loaded from its file or seen through a process of its own, and calling what
it promises."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from symbackprop.apart.files import CallFailed, called, run_file
from symbackprop.apart.libraries import as_numpys, precision
from symbackprop.apart.process import Process, RemoteModule
from symbackprop.apart.threads import Call, interrupted
from symbackprop.apart.wire import Thing
from symbackprop.core.graph import FLOAT, Node
from symbackprop.errors import BrokenModule, did_you_mean
from symbackprop.model.model import Model
from symbackprop.verify.sampling import Sample, hidden_dims

T = TypeVar("T")
REQUIRED = ("MODEL", "forward", "backward")
ONE_BY_ONE, FEWEST, GIVEN = 64, 8, 40_000  # arrays or sizes that are tried, and those given in a call with each


def load_module(path: str | Path) -> ModuleType:
    """An emitted module, fresh from its file.

    Raises `UsageError` where there is no such file and `BrokenModule` where it does not run or lacks a required part.
    """
    module = run_file(Path(path))
    _check_parts(module, Path(path))
    return module


def module_apart(process: Process) -> ModuleType:
    """The same, run in a process of its own."""
    module = RemoteModule(process)
    _check_parts(module, process.path)
    return module


@contextmanager
def beside(module: ModuleType, path: Path) -> Iterator[ModuleType]:
    """Another file run where the module is: in a process of its own if that is in one."""
    if not isinstance(module, RemoteModule):
        yield load_module(path)
        return
    own: Process = module._process
    with Process(path, own.timeout, own.memory) as process:
        yield module_apart(process)


def _check_parts(module: ModuleType, path: Path) -> None:
    missing = [name for name in REQUIRED if not hasattr(module, name)]
    if missing:
        raise BrokenModule(
            f"{path} is no emitted module: it has no {' and no '.join(missing)}"
            + (" (the model text that says what its gradients should be)" if missing == ["MODEL"] else "")
        )
    if not isinstance(module.MODEL, str):
        raise BrokenModule(f"{path}: MODEL should be the model text, not {type(module.MODEL).__name__}")
    for name in REQUIRED[1:]:
        if not callable(getattr(module, name)):
            raise BrokenModule(f"{path}: {name} is not a function")


def call(module: ModuleType, name: str, *args: Any, **options: Any) -> Any:
    """``module.name(*args)``; raises `CallFailed`."""
    if isinstance(module, RemoteModule):
        return getattr(module, name)(*args, **options)
    return called(getattr(module, name), name, getattr(module, "__file__", None), args, options)


def between(module: ModuleType, one: Call, other: Call) -> int | None:
    """The number of the line before which calls of another thread change what forward and backward give for ``one``."""
    if isinstance(module, RemoteModule):
        found: int | None = module._process.ask("two threads", "interrupted", one, other)
        return found
    return interrupted(module, one, other)


def refused(names: Container[str], function: Callable[..., Any], *args: Any, **options: Any) -> bool:
    """Whether a call of the module raises a ValueError that names one of these: NumPy's own names none."""
    try:
        function(*args, **options)
    except CallFailed as failure:
        return "ValueError" in failure.kinds and any(word in names for word in re.findall(r"\w+", failure.says))
    return False


def tried(names: Sequence[str]) -> Sequence[str]:
    """The arrays or sizes that are tried one by one: all, or a number of them spread over all, each of which is several
    calls that take all arrays."""
    most = max(FEWEST, min(ONE_BY_ONE, GIVEN // max(len(names), 1)))
    return names if len(names) <= most else [names[k * (len(names) - 1) // (most - 1)] for k in range(most)]


def as_given(values: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of some names as a module takes them: copies, scalars as NumPy's, which keep their precision."""
    return {n: v if isinstance(v := values[n], str) else v.copy() if v.ndim else v[()] for n in names}


# -- the module seen through its contract
@dataclass(frozen=True)
class Outcome:
    """The loss or the outputs by name, and the gradients by name as the module returned them."""

    results: dict[str, Any]
    gradients: dict[str, Any]


class Candidate:
    """The module under test. ``targets`` are the rows that it promises the gradients of, ``chosen`` their names if it
    says so itself; ``given`` are sizes that have to stay. ``intermediates`` are the model's, those that stand in
    loops as stacks over time. Calls raise `CallFailed` where its functions raise or return something else than told."""

    def __init__(self, module: ModuleType, model: Model, given: Mapping[str, int] | None = None) -> None:
        self.module, self.model, self.given = module, model, given or {}
        self.intermediates = dict(sorted(model.intermediates().items(), key=lambda named: _written(named[1]).id))
        self.chosen, self.targets = chosen(module), promised_rows(module, model)
        self.results = [model.loss_row.name or ""] if model.loss_row is not None else list(model.output_rows)
        self._hidden: dict[tuple[tuple[str, int], ...], dict[str, int]] = {}

    def has(self, name: str) -> bool:
        return callable(getattr(self.module, name, None))

    @property
    def states_arrays(self) -> bool:
        """Whether the module says in its constants what it takes: then it is held to that, and to all constants."""
        return hasattr(self.module, "PARAMS") and hasattr(self.module, "DATA")

    def takes_dims(self, name: str) -> bool:
        """Whether a function of the module can be told the sizes that no array shows."""
        return "dims" in self.options(name)

    def options(self, name: str) -> dict[str, Any]:
        """The parameters of a function of the module and their values where they are left out."""
        try:
            found = inspect.signature(getattr(self.module, name, None)).parameters  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return {}
        return {n: p.default for n, p in found.items()}

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the module computes in, as its DTYPE says if that is a dtype."""
        return precision(getattr(self.module, "DTYPE", None)) or np.dtype(np.float64)

    @cached_property
    def compiles(self) -> bool:
        """Whether the module compiles anew what it computes for every size."""
        return "jax" in imports(self.source)

    @property
    def path(self) -> Path | None:
        """The module's file, where there is one."""
        path = getattr(self.module, "__file__", None)
        return Path(path) if path and Path(path).is_file() else None

    @cached_property
    def source(self) -> str:
        """The text of the module's file; nothing where there is none."""
        return "" if self.path is None else self.path.read_text(encoding="utf-8")

    @property
    def written(self) -> set[int]:
        """The whole numbers in the text of its functions."""
        return self._numbers[0]

    @property
    def compared(self) -> set[int]:
        """Those that something is compared with."""
        return self._numbers[1]

    @cached_property
    def _numbers(self) -> tuple[set[int], set[int]]:
        """Both, found together; none where the model has no sizes that they may be."""
        if not self.model.sizes:
            return set(), set()
        found = _in_parts(self.source, "", _numbers_in)
        return {n for n, _ in found}, {n for n, compared in found if compared}

    def hidden(self, sample: Sample) -> dict[str, int]:
        """The sizes of a sample that its arrays do not show."""
        key = tuple(sample.sizes.items())
        if key not in self._hidden:
            self._hidden[key] = {n: sample.sizes[n] for n in hidden_dims(self.model, sample.sizes)}
        return self._hidden[key]

    def ask(self, name: str, params: dict[str, Any], data: dict[str, Any], sample: Sample, **options: Any) -> Any:
        """What a function of arrays returns; it is told the sizes that they do not show."""
        return call(self.module, name, params, data, **options, **self._told(name, sample))

    def _told(self, name: str, sample: Sample) -> dict[str, Any]:
        dims = self.hidden(sample)
        return {"dims": dims} if dims and self.takes_dims(name) else {}

    def along(self, name: str, sample: Sample, v: Any, given: tuple[dict[str, Any], dict[str, Any]] | None = None,
              **options: Any) -> dict[str, Any]:
        """What a derivative along v returns, by name. That of a layer's gradients is given upstream ones."""
        upstream = () if name == "jvp" else self.seed(sample)
        params, data = given or self.inputs(sample)
        found = call(self.module, name, params, data, v, *upstream, **options, **self._told(name, sample))
        return self.mapping(name, found, "a dict of arrays by name")

    def inputs(self, sample: Sample, change: Callable[[Any], Any] = lambda value: value
               ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fresh (params, data) for the module, each array changed; inputs whose gradient is wanted are in data."""
        data = [n for n in self.model.leaves() if n not in self.model.params]
        params, rest = (as_given(sample.values, names) for names in (self.model.params, dict.fromkeys(data)))
        return {n: change(v) for n, v in params.items()}, {n: change(v) for n, v in rest.items()}

    def whole(self, sample: Sample) -> Call:
        """What forward and backward are called with, with a workspace of its own where there are any."""
        options = self._told("forward", sample)
        if self.has("make_workspace"):
            options["workspace"] = self.ask("make_workspace", *self.inputs(sample), sample)
        return *self.inputs(sample), self.seed(sample), options

    def run(self, sample: Sample, **options: Any) -> Outcome:
        """forward, then backward with the sample's upstream gradient (1 for a loss)."""
        return self.run_on(*self.inputs(sample), sample, **options)

    def run_on(self, params: dict[str, Any], data: dict[str, Any], sample: Sample, upstream: Any = None,
               **options: Any) -> Outcome:
        results, cache = self.pair(self.ask("forward", params, data, sample, **options))
        gradients = self.backward(cache, *self.seed(sample, upstream), **options)
        return Outcome(self.named(results), gradients)

    def pair(self, found: Any, function: str = "forward") -> tuple[Any, Any]:
        """(loss or outputs, cache) as forward returns them, (loss, gradients) of loss_and_grads."""
        if not isinstance(found, tuple) or len(found) != 2:
            first, second = "loss" if self.is_loss else "output", "cache" if function == "forward" else "grads"
            raise CallFailed(f"{function} returned {kind(found)}, expected ({first}, {second})")
        return found

    def backward(self, cache: Any, *upstream: Any, **options: Any) -> dict[str, Any]:
        return self.mapping("backward", call(self.module, "backward", cache, *upstream, **options))

    @property
    def is_loss(self) -> bool:
        return self.model.loss_row is not None

    def seed(self, sample: Sample, upstream: Any = None) -> tuple[Any, ...]:
        """The arguments of backward after the cache."""
        if self.is_loss:
            return () if upstream is None else (upstream,)
        return (self.as_upstream(as_given(sample.upstream, sample.upstream)),)

    def as_upstream(self, given: dict[str, Any]) -> Any:
        """Upstream gradients by output as backward takes them: of a single output just that."""
        return given if len(given) > 1 else given[self.results[0]]

    def by_output(self, seed: tuple[Any, ...]) -> dict[str, Any]:
        """The upstream gradients of a layer by output, from the arguments of backward."""
        if self.is_loss:
            return {}
        return dict(seed[0]) if len(self.results) > 1 else {self.results[0]: seed[0]}

    def scaled(self, seed: tuple[Any, ...], factor: float) -> tuple[Any, ...]:
        """The arguments of backward after the cache, times a number."""
        if self.is_loss:
            return (factor,)
        return (self.as_upstream({n: factor * u for n, u in self.by_output(seed).items()}),)

    def named(self, results: Any) -> dict[str, Any]:
        """The loss or outputs by name."""
        if len(self.results) == 1:
            return {self.results[0]: as_numpys(results)}
        found = self.mapping("forward", results, "a dict of outputs")
        missing = [n for n in self.results if n not in found]
        if missing:
            raise CallFailed(f"forward returned no output {missing[0]!r}")
        return found

    def mapping(self, name: str, value: Any, what: str = "a dict of gradients") -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise CallFailed(f"{name} returned {kind(value)}, expected {what}")
        return {name: as_numpys(array) for name, array in value.items()}


def _in_parts(source: str, word: str, found: Callable[[Sequence[ast.stmt]], Collection[T]]) -> set[T]:
    """What is found in the statements of a text, its functions parsed one at a time, since a tree takes eighty times
    the memory of its text, and those alone that have a word in them; in all together where a line in a string looks
    like the head of one."""
    try:
        return set().union(*[found(ast.parse(part).body) for part in re.split(r"\n(?=def )", source) if word in part])
    except SyntaxError:
        return {*found(ast.parse(source).body)}


def _whole_numbers(parts: Iterable[ast.AST]) -> set[int]:
    return {n.value for n in parts if isinstance(n, ast.Constant) and type(n.value) is int}


def _numbers_in(body: Iterable[ast.stmt]) -> set[tuple[int, bool]]:
    """The whole numbers in functions, each with whether something is compared with it."""
    parts = [n for f in body if isinstance(f, ast.FunctionDef) for n in ast.walk(f)]
    compared = _whole_numbers(n for part in parts if isinstance(part, ast.Compare) for n in ast.walk(part))
    return {(n, n in compared) for n in _whole_numbers(parts)}


def _written(row: Node) -> Node:
    """The row that a name stands for: of a stack over time the one in the loop."""
    if not row.is_result:
        return row
    found: Node = row.args[0].attr.results()[row.attr]
    return found


def imports(source: str) -> set[str]:
    """The modules that a module imports, as the first words of their names."""
    return _in_parts(source, "import", lambda body: [
        name.partition(".")[0] for n in body for name in (
            [a.name for a in n.names] if isinstance(n, ast.Import) else
            [n.module or ""] if isinstance(n, ast.ImportFrom) else [])])


def kind(value: Any) -> str:
    """What a value is, for a message."""
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    name = value.kind if isinstance(value, Thing) else type(value).__name__
    return "nothing" if name == "NoneType" else f"a {name}"


def numbers(value: Any) -> Any:
    """A returned value as a float64 array; None when it is none."""
    try:
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind in "fiub" else None
    except (TypeError, ValueError):
        return None


def arrays_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the returned values that are numbers, as float64 arrays."""
    return {n: array for n, value in given.items() if (array := numbers(value)) is not None}


# -- which gradients it promises
def chosen(module: ModuleType) -> tuple[str, ...] | None:
    """The names in the module's GRADIENTS; None where it has no such constant. Raises `BrokenModule` for anything but
    a tuple or a list of names."""
    names = getattr(module, "GRADIENTS", None)
    if names is None:
        return None
    if not isinstance(names, (tuple, list)) or not all(isinstance(n, str) for n in names):
        raise BrokenModule(f'{_place(module)}: GRADIENTS should be a tuple of names, such as ("W",), not {names!r:.60}')
    return tuple(dict.fromkeys(names))


def promised_rows(module: ModuleType, model: Model) -> dict[str, Node]:
    """The rows that the module promises the gradients of, intermediates among them, by name. Raises `BrokenModule`
    where GRADIENTS names what the model does not have or what has no gradient."""
    names = chosen(module)
    if names is None:
        return model.targets()
    known = {**model.leaves(), **model.equations}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise BrokenModule(f"{_place(module)}: GRADIENTS names {name!r:.60}, which is no array of the model.{hint}")
        if known[name].kind != FLOAT:
            raise BrokenModule(f"{_place(module)}: GRADIENTS names {name!r}, which is no array of floats")
    return {name: known[name] for name in names}


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__
