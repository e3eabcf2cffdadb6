"""Somebody's own code as it stands in a file: loading it, and reading off what a function calls its results.

The file is run as its owner's own code. What its functions return is read with `ast` from their text and never
executed for that.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop.apart.files import package_of, run_file
from symbackprop.errors import UsageError, did_you_mean

LIBRARIES = {"numpy": ("np", "numpy"), "torch": ("torch", "F", "nn"), "jax": ("jax", "jnp", "lax")}
_SAME = ("copy", "astype", "reshape", "view", "squeeze", "clone", "contiguous", "detach", "to", "numpy", "item",
         "float", "double", "type_as", "view_as", "reshape_as")  # methods that leave a gradient what it is
_CASTS = ("asarray", "array", "ascontiguousarray", "squeeze", "reshape", "float32", "float64")
_MODULES = {word for words in LIBRARIES.values() for word in words}


def split_target(target: str) -> tuple[Path, str | None]:
    """``net.py:backward`` as a path and a name; the name may be left out."""
    path, python, name = target.rpartition(".py:") if ".py:" in target else ("", "", "")
    if python:
        return Path(path + ".py"), name or None
    if not target.endswith(".py"):
        raise UsageError(f"{target} is no Python file; what is checked is FILE.py or FILE.py:NAME")
    return Path(target), None


def is_emitted(target: str) -> bool:
    """Whether a Python file is a module to check rather than a declaration of a model: it says what MODEL it came from,
    or it says nothing that could be one. It is read, not run."""
    if not target.endswith(".py"):
        return False
    try:
        names = _top_level_names(Path(target).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True  # what is wrong with it is told when it is loaded
    return "MODEL" in names or "model" not in names


def _top_level_names(source: bytes) -> set[str]:
    found = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            found.add(statement.name)
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        found |= {n.id for t in targets if t is not None for n in ast.walk(t) if isinstance(n, ast.Name)}
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name for alias in statement.names}
    return found


@contextmanager
def loaded(path: Path) -> Iterator[ModuleType]:
    """The file as a module; while the block runs, it can import what lies beside it.

    Raises `UsageError` where there is no such file, `BrokenModule` where it does not run, `MissingExtra` where it
    imports PyTorch or JAX and they are not installed.
    """
    folders = [str(path.resolve().parent), str(package_of(path)[0])]
    sys.path[:0] = folders
    with ExitStack() as after:
        for folder in folders:
            after.callback(_forget, folder)
        module = run_file(path)
        sys.modules[module.__name__] = module
        after.callback(sys.modules.pop, module.__name__, None)
        yield module


def _forget(folder: str) -> None:
    if folder in sys.path:
        sys.path.remove(folder)


def member(module: ModuleType, name: str, path: Path) -> Any:
    """What ``NAME`` (or ``Class.method``) is in a file."""
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [n for n, v in vars(found).items() if callable(v) and not n.startswith("__")]
            hint = did_you_mean(part, known) or (f" It has {', '.join(known)}." if known else "")
            raise UsageError(f"{path.name} has no {name!r}.{hint}")
        found = getattr(found, part)
    return found


def own_functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions that a file defines itself."""
    return {n: f for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__}


# -- what a function calls its results


def returned_words(function: Any) -> list[list[str | None]]:
    """What every return statement of a function calls its results; None for one that has no name. Empty where the
    function has no text that can be read."""
    tree = _definition(function)
    if tree is None:
        return []
    if isinstance(tree, ast.Lambda):
        return list(_lines(tree.body, {}))
    assigned = {t.id: s.value for s in ast.walk(tree) if isinstance(s, ast.Assign)
                for t in s.targets if isinstance(t, ast.Name)}
    return [line for s in _returns(tree.body) if s.value is not None for line in _lines(s.value, assigned)]


def _definition(function: Any) -> ast.FunctionDef | ast.Lambda | None:
    inner = inspect.unwrap(function)
    inner = getattr(inner, "__func__", inner)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inner)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    found = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Lambda))]
    return found[0] if found else None


def _returns(body: list[ast.stmt]) -> Iterator[ast.Return]:
    """The return statements of a function, not those of functions in it."""
    for statement in body:
        if isinstance(statement, ast.Return):
            yield statement
        elif not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            inner = [n for n in ast.iter_child_nodes(statement) if isinstance(n, ast.stmt)]
            yield from _returns(inner)


def _lines(value: ast.expr, assigned: dict[str, ast.expr]) -> Iterator[list[str | None]]:
    """The words of what is returned, and those with tuples in it taken apart."""
    items = _parts(value, assigned) or [value]
    flat = [part for item in items for part in _parts(item, assigned) or [item]]
    yield [_word(item) for item in items]
    if len(flat) > len(items):
        yield [_word(item) for item in flat]


def _parts(value: ast.expr, assigned: dict[str, ast.expr]) -> list[ast.expr]:
    if isinstance(value, ast.Name) and isinstance(assigned.get(value.id), (ast.Tuple, ast.List)):
        value = assigned[value.id]
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("tuple", "list"):
        value = value.args[0] if len(value.args) == 1 else value
    return value.elts if isinstance(value, (ast.Tuple, ast.List)) else []


def _word(value: ast.expr) -> str | None:
    """``dW``, ``self.dW``, ``grads["W"]``, ``W.grad``, ``dW.T``, ``dW.copy()``, ``np.asarray(dW)`` and ``dW if wanted
    else None``."""
    match value:
        case ast.Name(word):
            return word
        case ast.Subscript(_, ast.Constant(str(word))):
            return word
        case ast.Attribute(inner, "grad" | "T" | "mT"):
            return _word(inner)
        case ast.Attribute(_, word):
            return word
        case ast.Call(ast.Attribute(ast.Name(module), cast), [first, *_]) if module in _MODULES and cast in _CASTS:
            return _word(first)
        case ast.Call(ast.Attribute(inner, method)) if method in _SAME:
            return _word(inner)
        case ast.IfExp(_, body, other):
            return _word(body) or _word(other)
    return None


# -- the numbers that it compares with


def limits(function: Any) -> list[float]:
    """The numbers in a function's text that it compares something with, x > 20, or that are bounds of a call, as two
    are: clip(d, -5, 5), and those of maximum and minimum."""
    tree = _definition(function)
    names = getattr(inspect.unwrap(function), "__globals__", {})
    sides = [x for node in (() if tree is None else ast.walk(tree)) for x in _compared(node)]
    return sorted({abs(v) for x in sides if (v := _number(x, names)) is not None})


_BOUND = ("maximum", "minimum", "fmax", "fmin", "clip", "clamp")  # by one number too: maximum(x, -3)


def _compared(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Compare(left, _, others):
            return [left, *others]
        case ast.Call(function, args, keywords):
            numbers = [a for a in (*args, *[k.value for k in keywords]) if _number(a, {}) is not None]
            return numbers if len(numbers) == 2 or getattr(function, "attr", None) in _BOUND else []
    return []


def _number(node: ast.expr, names: dict[str, Any]) -> float | None:
    """A number, perhaps with a sign or by its name in the file."""
    match node:
        case ast.UnaryOp(ast.USub(), inner):
            return _number(inner, names)
        case ast.Constant(value):
            return _as_float(value)
        case ast.Name(word):
            return _as_float(names.get(word))
    return None


def _as_float(value: Any) -> float | None:
    with suppress(OverflowError):  # of 10**400
        return None if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)
    return None


# -- which library's arrays it works on


def libraries(function: Any) -> list[str]:
    """The libraries whose arrays a function may want, the likeliest first: by what it and the functions that it calls
    read, then what its file imports."""
    inner = inspect.unwrap(function)
    inner = getattr(inner, "__func__", inner)
    names = getattr(inner, "__globals__", {})
    counts = dict.fromkeys(LIBRARIES, 0)
    _count(getattr(inner, "__code__", None), names, counts, set())
    used = sorted((n for n in counts if counts[n]), key=lambda n: -counts[n])
    imported = [n for n in LIBRARIES if n not in used and any(_library(v) == n for v in names.values())]
    order = [*used, *imported, *([] if "numpy" in (*used, *imported) else ["numpy"])]
    return [n for n in order if n == "numpy" or n in sys.modules]


def _count(code: Any, names: dict[str, Any], counts: dict[str, int], seen: set[int]) -> None:
    """Count how often the code, and what it calls in its file, reads something of each library."""
    if code is None or id(code) in seen:
        return
    seen.add(id(code))
    for word in code.co_names:
        value = names.get(word)
        library = _library(value)
        if library:
            counts[library] += 1
        elif inspect.isfunction(value):
            _count(value.__code__, names, counts, seen)
    for constant in code.co_consts:
        if inspect.iscode(constant):
            _count(constant, names, counts, seen)


def _library(value: Any) -> str | None:
    """The library that a module, or a function or class out of it, belongs to."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    root = name.partition(".")[0] if isinstance(name, str) else ""
    root = "jax" if root == "jaxlib" else root
    return root if root in LIBRARIES else None
