"""Loading an emitted (perhaps hand-edited) module from its file, and calling what it promises.

The file is the user's own code and is run as that. Whatever goes wrong in it becomes one clear message with the line of
the file it happened on, never a traceback.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from symbackprop.errors import BrokenModule, MissingExtra, UsageError, said

REQUIRED = ("MODEL", "forward", "backward")
EXTRAS = {"jax": "jax", "jaxlib": "jax"}  # what a module may import beside NumPy, and the extra that has it
_numbers = count(1)


class CallFailed(Exception):
    """A function of the module raised; the message says which, what, and where."""


class _Loader(SourceFileLoader):
    """Reads the source every time: cached bytecode is told apart by whole seconds and length only, and a sign flipped a
    moment ago has changed neither."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_module(path: str | Path) -> ModuleType:
    """The file as a fresh module, under a name of its own.

    Raises `UsageError` where there is no such file and `BrokenModule` where it does not run or lacks a required part.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path} is a directory" if path.is_dir() else f"there is no file {path}")
    name = f"symbackprop_checked_{next(_numbers)}"
    spec = spec_from_file_location(name, path, loader=_Loader(name, str(path)))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    with quiet():
        try:
            spec.loader.exec_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            extra = EXTRAS.get(error.name or "") if isinstance(error, ModuleNotFoundError) else None
            if extra is not None:
                missing = f"a module for {extra} is checked by running it, and {extra} is not installed"
                raise MissingExtra(f"{missing}: pip install 'symbackprop[{extra}]'") from error
            raise BrokenModule(f"{path} cannot be imported: {describe(error, str(path))}") from error
    _check_parts(module, path)
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
    """JAX, where it is loaded, keeps the float64 that the check hands out."""
    older = getattr(sys.modules.get("jax.experimental"), "enable_x64", None)
    switch = getattr(sys.modules.get("jax"), "enable_x64", older)
    with contextlib.nullcontext() if switch is None else switch(True):
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
