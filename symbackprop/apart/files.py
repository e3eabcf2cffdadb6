"""Running a file of somebody's, and calling what it defines.

The file is the user's own code and is run as that. Whatever goes wrong in it becomes one clear message with the line of
the file it happened on, never a traceback.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from symbackprop.errors import BrokenModule, MissingExtra, UsageError, said
from symbackprop.targets import installed_by

_QUICK = "jax_disable_most_optimizations"  # a switch of JAX
_numbers = count(1)


class CallFailed(Exception):
    """A function of the code raised, or returned something else than told; the message says which, what, and where.
    Of an exception, ``kinds`` names its class and those above it, ``says`` is its own message."""

    def __init__(self, message: str, kinds: Sequence[str] = (), says: str = "") -> None:
        super().__init__(message)
        self.kinds, self.says = tuple(kinds), says


class _Loader(SourceFileLoader):
    """Reads the source every time: cached bytecode is told apart by whole seconds and length only, and a sign flipped a
    moment ago has changed neither."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def existing(path: Path) -> Path:
    """The path; raises `UsageError` where there is no such file."""
    if not path.is_file():
        raise UsageError(f"{path} is a directory" if path.is_dir() else f"there is no file {path}")
    return path


def run_file(path: Path) -> ModuleType:
    """The file as a fresh module, under a name of its own.

    Raises `UsageError` where there is no such file, `MissingExtra` where it imports JAX or PyTorch and they are not
    installed, and `BrokenModule` where it does not run.
    """
    home = str(existing(path).absolute())  # what tracebacks and `__file__` call it, however it was given
    name = ".".join([*package_of(path)[1], f"symbackprop_checked_{next(_numbers)}"])
    spec = spec_from_file_location(name, home, loader=_Loader(name, home))
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
            raise BrokenModule(f"{path} cannot be imported: {describe(error, home)}") from error
        finally:
            sys.modules.pop(name, None)
    return module


def package_of(path: Path) -> tuple[Path, list[str]]:
    """The folder above the package that a file is in, and the names that lead to it; its own folder where it is in
    none. A file of a package may import its neighbours relatively."""
    folder, names = path.resolve().parent, list[str]()
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, names


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """JAX, where it is loaded, keeps the float64 that the check hands out, and compiles in half the time: nearly all
    that a check takes is compiling operations for sizes that come once."""
    jax = sys.modules.get("jax")
    switch = getattr(jax, "enable_x64", getattr(sys.modules.get("jax.experimental"), "enable_x64", None))
    before = _switched(jax)
    with contextlib.nullcontext() if switch is None else switch(True), contextlib.ExitStack() as after:
        if jax is not None and before is not None:
            jax.config.update(_QUICK, True)
            after.callback(jax.config.update, _QUICK, before)
        yield


def _switched(jax: ModuleType | None) -> Any:
    """How that switch stands; None without JAX, and where this JAX has none."""
    with contextlib.suppress(AttributeError):  # `config.values` would be a dict of all switches, for every call
        return jax.config.read(_QUICK) if jax is not None else None
    return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the code prints goes to stderr: stdout holds the report."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def called(function: Callable[..., Any], label: str, path: str | None, args: Sequence[Any] = (),
           options: Mapping[str, Any] | None = None) -> Any:
    """A call of somebody's function; raises `CallFailed` with the line of its file at ``path``."""
    with quiet(), in_float64(), np.errstate(all="ignore"):
        try:
            return function(*args, **(options or {}))
        except (KeyboardInterrupt, UsageError):
            raise
        except BaseException as error:
            raise CallFailed(f"{label} raised {describe(error, path)}", kinds_of(error), said(error)) from error


def kinds_of(error: BaseException) -> tuple[str, ...]:
    """The names of the classes of an exception."""
    return tuple(c.__name__ for c in type(error).__mro__)


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
