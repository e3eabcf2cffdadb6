"""Finding a model by what a user calls it: a built-in name, a `.sbp` file, `path.py:NAME`, or `-` for stdin."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from inspect import Parameter, isfunction, signature
from pathlib import Path
from types import ModuleType
from typing import Any

import sympy as sp

from symbackprop.errors import BrokenModule, ModelError, SymbackpropError, SyntaxProblem, UsageError, did_you_mean, said
from symbackprop.files import read_stdin
from symbackprop.model import zoo
from symbackprop.model.model import Model
from symbackprop.model.of_sympy import of_expression
from symbackprop.model.text import parse, parse_alone, to_text
from symbackprop.model.text.tokens import MAX_TEXT

DEFAULT_NAME = "model"


def load(spec: str | Path, *, relu0: Any = None, dims: Mapping[str, int] | None = None,
         define: Mapping[str, str] | None = None, expression: bool = False) -> Model:
    """The model that ``spec`` names, or is where it is an ``expression``.

    ``relu0`` (0, 1, 0.5 or these as text; None: what the model says) is the derivative of relu at 0; ``dims`` are sizes
    for its dimensions; ``define`` says what its abstract functions are: ``{"f": "tanh"}``. Raises `UsageError` where
    there is no such model and `ModelError` where it is wrong.
    """
    spec, convention = str(spec), None if relu0 is None else _convention(relu0)
    path, python, name = spec.rpartition(".py:") if ".py:" in spec else ("", "", "")
    if expression:
        model = parse_alone(spec, convention, define)
    elif spec == "-":
        model = parse(_decoded(read_stdin(MAX_TEXT + 1), "<stdin>"), path="<stdin>", relu0=convention, define=define)
    elif python or spec.endswith(".py"):
        model = _python(Path(path + ".py" if python else spec), name or DEFAULT_NAME, convention, define)
    elif spec.endswith(".sbp"):
        model = load_text(Path(spec), convention, define)
    else:
        model = _built_in(spec, convention, define)
    model.resize(dims or {})
    return model


def as_model(model: Any) -> Model:
    """A model; a text of several lines is model text, a formula or a SymPy expression the model of it alone, any other
    text what `load` takes."""
    if isinstance(model, Model):
        return model
    if isinstance(model, str) and "\n" in model:
        return parse(model)
    if isinstance(model, (str, Path)):
        return load(model, expression=isinstance(model, str) and _is_formula(model))
    if isinstance(model, (sp.Basic, sp.MatrixBase)):
        return of_expression(model)
    raise UsageError(f"a Model, the name or the text of one, or a SymPy expression is expected here, not {model!r:.60}")


def _is_formula(text: str) -> bool:
    """Whether it is no name of a model and no path."""
    return re.search(r"[()*^=+@]", text) is not None and not re.search(r"\.sbp$|\.py\b", text)


def load_text(path: str | Path, relu0: Any = None, define: Mapping[str, str] | None = None) -> Model:
    """The model in a `.sbp` file."""
    return parse(_read(Path(path)), path=str(path), relu0=relu0, define=define)


def _convention(relu0: Any) -> float:
    try:
        value = float(relu0)
    except (TypeError, ValueError):
        value = -1.0
    if value not in (0.0, 0.5, 1.0):
        raise UsageError(f"relu0 is 0, 1 or 0.5, not {relu0}")
    return value


# -- files
def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{path} is a directory, not a model text")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise UsageError(f"{path} is not a file")
        with path.open("rb") as file:
            return _decoded(file.read(MAX_TEXT + 1), str(path))
    except OSError as error:
        hint = _other_files(path) if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"cannot read {path}: {error.strerror}.{hint}") from None
    except ValueError as error:
        raise UsageError(f"{str(path)!a} is not a path: {error}") from None


def _decoded(data: bytes, where: str) -> str:
    """UTF-8 text; a NUL byte means that it is no text at all."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SyntaxProblem(f"the text is not UTF-8 (byte {data[error.start]:#04x})", f"{where}:{line}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SyntaxProblem("a NUL character: this is not model text", f"{where}:{line}")
    return text


def _other_files(path: Path) -> str:
    """The nearest name in the directory of a missing file."""
    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix == path.suffix][:1000]
    except OSError:
        return ""
    return did_you_mean(path.name, names)


# -- built-in models
def _built_in(name: str, relu0: float | None, define: Mapping[str, str] | None) -> Model:
    if name in zoo.names():
        return zoo.build(name, relu0, define)
    here = [name + ending for ending in (".sbp", ".py") if Path(name[:200] + ending).is_file()]
    hint = f" Did you mean {here[0]!r}?" if here else did_you_mean(name, zoo.names())
    if _is_formula(name):
        hint = f' An expression stands behind -e: symbackprop derive -e "{name[:80]}"'
    if "/" in name or "." in name or Path(name[:200]).exists():
        hint += " A model text ends in .sbp, a Python model in .py"
    raise UsageError(f"there is no built-in model {name[:80]!r}.{hint or ' `symbackprop models` lists them.'}")


# -- Python files
def python_value(spec: str) -> Any:
    """What NAME of `path.py:NAME` is, or returns where it is a function; the file is run as the user's own code."""
    path, python, name = spec.rpartition(".py:")
    if not (python and name) and not spec.endswith(".py"):
        raise UsageError(f"{spec!r:.80} is no FILE.py:NAME")
    return _value(Path(path + ".py" if python else spec), name or DEFAULT_NAME, "of what is to be read")


def _value(path: Path, name: str, wanted: str, hint: str = "") -> Any:
    found = getattr(_module(path), name, None)
    if found is None:
        raise UsageError(f"{path} has no {name!r}; write {path}:NAME with the name {wanted} in it.{hint}")
    if isfunction(found) and any(map(_is_required, signature(found).parameters.values())):
        raise UsageError(f"{name} in {path} takes arguments, and what is called here takes none.{hint}")
    with _running(path):
        return found() if callable(found) and not hasattr(found, "forward") else found


def _is_required(parameter: Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def _python(path: Path, name: str, relu0: float | None, define: Mapping[str, str] | None) -> Model:
    """The model NAME of a Python file, which is run as the user's own code."""
    hint = f' A function of arrays is read as text: -e "$(cat {path})"'
    model = _value(path, name, "of a Model", hint)
    if not isinstance(model, (Model, sp.Basic, sp.MatrixBase)):
        raise UsageError(f"{name} in {path} is a {type(model).__name__}, not a Model")
    model = as_model(model)
    if model.name == DEFAULT_NAME:
        model.name = path.stem if name == DEFAULT_NAME else name
    relu0 = model.graph.relu0 if relu0 is None else relu0
    if define or relu0 != model.graph.relu0:
        return parse(to_text(model), name=model.name, path=str(path), relu0=relu0, define=define)
    return model


def _module(path: Path) -> ModuleType:
    if path.is_dir():
        raise UsageError(f"{path} is a directory, not a Python file")
    if not path.is_file():
        raise UsageError(f"there is no file {path}.{_other_files(path)}")
    spec = spec_from_file_location(f"symbackprop_model_{abs(hash(str(path.resolve())))}", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with _running(path):
            spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.resolve().parent))
        sys.modules.pop(spec.name, None)
    return module


@contextmanager
def _running(path: Path) -> Iterator[None]:
    """Whatever goes wrong in the user's file is told with the line of that file."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _told(error, path) from error


def _told(error: BaseException, path: Path) -> SymbackpropError:
    line = getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f"{path}{f':{line}' if line else ''}"
    if isinstance(error, SymbackpropError):
        return error.at(where) if isinstance(error, ModelError) else error
    what = f"{type(error).__name__}: {error.msg}" if isinstance(error, SyntaxError) else said(error)
    return BrokenModule(f"{where}: {what}")
