"""Loading an emitted (perhaps hand-edited) module from its file, and calling what it promises.

The file is the user's own code and is run as that. Whatever goes wrong in it becomes one clear message with the line of
the file it happened on, never a traceback.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from symbackprop.core.graph import FLOAT, Node
from symbackprop.errors import BrokenModule, MissingExtra, UsageError, did_you_mean, said
from symbackprop.model.model import Model
from symbackprop.targets import installed_by
from symbackprop.verify.sampling import Sample, hidden_dims

REQUIRED = ("MODEL", "forward", "backward")
_QUICK = "jax_disable_most_optimizations"  # a switch of JAX
_numbers = count(1)


class CallFailed(Exception):
    """A function of the module raised; the message says which, what, and where."""


class _Loader(SourceFileLoader):
    """Reads the source every time: cached bytecode is told apart by whole seconds and length only, and a sign flipped a
    moment ago has changed neither."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_module(path: str | Path) -> ModuleType:
    """An emitted module, fresh from its file.

    Raises `UsageError` where there is no such file and `BrokenModule` where it does not run or lacks a required part.
    """
    module = run_file(Path(path))
    _check_parts(module, Path(path))
    return module


def run_file(path: Path) -> ModuleType:
    """The file as a fresh module, under a name of its own.

    Raises `UsageError` where there is no such file, `MissingExtra` where it imports JAX or PyTorch and they are not
    installed, and `BrokenModule` where it does not run.
    """
    if not path.is_file():
        raise UsageError(f"{path} is a directory" if path.is_dir() else f"there is no file {path}")
    name = f"symbackprop_checked_{next(_numbers)}"
    spec = spec_from_file_location(name, path, loader=_Loader(name, str(path)))
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    with quiet():
        try:
            spec.loader.exec_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            root = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
            install = installed_by(root)
            if install:
                missing = f"a module for {root} is checked by running it, and {root} is not installed"
                raise MissingExtra(f"{missing}: pip install '{install}'") from error
            raise BrokenModule(f"{path} cannot be imported: {describe(error, str(path))}") from error
        finally:
            sys.modules.pop(name, None)
    return module


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


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """JAX, where it is loaded, keeps the float64 that the check hands out, and compiles in half the time: nearly all
    that a check takes is compiling operations for sizes that come once."""
    jax = sys.modules.get("jax")
    switch = getattr(jax, "enable_x64", getattr(sys.modules.get("jax.experimental"), "enable_x64", None))
    before = getattr(getattr(jax, "config", None), "values", {}).get(_QUICK)
    with contextlib.nullcontext() if switch is None else switch(True), contextlib.ExitStack() as after:
        if jax is not None and before is not None:
            jax.config.update(_QUICK, True)
            after.callback(jax.config.update, _QUICK, before)
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the module prints goes to stderr: stdout holds the report."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def call(module: ModuleType, name: str, *args: Any, **options: Any) -> Any:
    """``module.name(*args)``; raises `CallFailed`."""
    function: Callable[..., Any] = getattr(module, name)
    with quiet(), in_float64():
        try:
            return function(*args, **options)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise CallFailed(f"{name} raised {describe(error, getattr(module, '__file__', None))}") from error


def refused(names: Container[str], function: Callable[..., Any], *args: Any, **options: Any) -> bool:
    """Whether a call of the module raises a ValueError that names one of these: NumPy's own names none."""
    try:
        function(*args, **options)
    except CallFailed as failure:
        error = failure.__cause__
        return isinstance(error, ValueError) and any(word in names for word in re.findall(r"\w+", str(error)))
    return False


def describe(error: BaseException, path: str | None) -> str:
    """``TypeError: … (net.py:12: dW = X.T @ dZ)``: the error and the last line of the file that led to it."""
    if isinstance(error, SyntaxError):
        place = f"line {error.lineno}" if error.lineno else ""
        line = f": {error.text.strip()}" if error.text else ""
        return f"{type(error).__name__}: {error.msg} ({place}{line})" if place else f"{type(error).__name__}: {error}"
    text = said(error).rstrip(": ")
    frames = [s for s in traceback.extract_tb(error.__traceback__) if s.filename == path]
    if not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).name}:{frames[-1].lineno}: {frames[-1].line})"


def as_given(values: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of some names as a module takes them: copies, scalars as NumPy's, which keep their precision."""
    return {n: values[n].copy() if values[n].ndim else values[n][()] for n in names}


# -- the module seen through its contract
@dataclass(frozen=True)
class Outcome:
    """The loss or the outputs by name, and the gradients by name as the module returned them."""

    results: dict[str, Any]
    gradients: dict[str, Any]


class Candidate:
    """The module under test. ``targets`` are the rows that it promises the gradients of, ``chosen`` their names if it
    says so itself. Calls raise `CallFailed` where its functions raise or return something else than told."""

    def __init__(self, module: ModuleType, model: Model) -> None:
        self.module, self.model = module, model
        self.chosen, self.targets = chosen(module), promised_rows(module, model)
        self.results = [model.loss_row.name or ""] if model.loss_row is not None else list(model.output_rows)
        self._hidden: dict[tuple[tuple[str, int], ...], dict[str, int]] = {}

    def has(self, name: str) -> bool:
        return callable(getattr(self.module, name, None))

    def takes_dims(self, name: str) -> bool:
        """Whether a function of the module can be told the sizes that no array shows."""
        return "dims" in self.options(name)

    def options(self, name: str) -> dict[str, Any]:
        """The parameters of a function of the module and their values where they are left out."""
        try:
            found = inspect.signature(getattr(self.module, name)).parameters
        except (TypeError, ValueError):
            return {}
        return {n: p.default for n, p in found.items()}

    def hidden(self, sample: Sample) -> dict[str, int]:
        """The sizes of a sample that its arrays do not show."""
        key = tuple(sample.sizes.items())
        if key not in self._hidden:
            self._hidden[key] = {n: sample.sizes[n] for n in hidden_dims(self.model, sample.sizes)}
        return self._hidden[key]

    def ask(self, name: str, params: dict[str, Any], data: dict[str, Any], sample: Sample, **options: Any) -> Any:
        """What a function of arrays returns; it is told the sizes that they do not show."""
        dims = self.hidden(sample)
        if dims and self.takes_dims(name):
            options["dims"] = dims
        return call(self.module, name, params, data, **options)

    def inputs(self, sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fresh (params, data) for the module; inputs whose gradient is wanted are in data."""
        data = [n for n in self.model.leaves() if n not in self.model.params]
        return as_given(sample.values, self.model.params), as_given(sample.values, dict.fromkeys(data))

    def run(self, sample: Sample, **options: Any) -> Outcome:
        """forward, then backward with the sample's upstream gradient (1 for a loss)."""
        return self.run_on(*self.inputs(sample), sample, **options)

    def run_on(self, params: dict[str, Any], data: dict[str, Any], sample: Sample, upstream: Any = None,
               **options: Any) -> Outcome:
        found = self.ask("forward", params, data, sample, **options)
        if not isinstance(found, tuple) or len(found) != 2:
            first = "loss" if self.is_loss else "output"
            raise CallFailed(f"forward returned {kind(found)}, expected ({first}, cache)")
        results, cache = found
        gradients = call(self.module, "backward", cache, *self.seed(sample, upstream), **options)
        return Outcome(self.named(results), self.mapping("backward", gradients))

    @property
    def is_loss(self) -> bool:
        return self.model.loss_row is not None

    def seed(self, sample: Sample, upstream: Any = None) -> tuple[Any, ...]:
        """The arguments of backward after the cache."""
        if self.is_loss:
            return () if upstream is None else (upstream,)
        given = as_given(sample.upstream, sample.upstream)
        return (given if len(given) > 1 else given[self.results[0]],)

    def named(self, results: Any) -> dict[str, Any]:
        """The loss or outputs by name."""
        if len(self.results) == 1:
            return {self.results[0]: results}
        found = self.mapping("forward", results, "a dict of outputs")
        missing = [n for n in self.results if n not in found]
        if missing:
            raise CallFailed(f"forward returned no output {missing[0]!r}")
        return found

    def mapping(self, name: str, value: Any, what: str = "a dict of gradients") -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise CallFailed(f"{name} returned {kind(value)}, expected {what}")
        return dict(value)


def kind(value: Any) -> str:
    """What a value is, for a message."""
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def numbers(value: Any) -> Any:
    """A returned value as a float64 array; None when it is none."""
    try:
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind in "fiub" else None
    except (TypeError, ValueError):
        return None


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
