"""NumPy's functions on rows: ``np.dot(A, B)`` makes the row of what NumPy would compute, or is refused by its name.

NumPy hands such calls to the operands (NEP 13 for ufuncs, NEP 18 for the rest). The functions that answer stand in one
table, under NumPy's names and with NumPy's arguments; they compose those of the model language.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

from symbackprop.core.numpy_calls import moves, products, reductions, ufuncs
from symbackprop.core.numpy_calls.table import TABLE
from symbackprop.errors import NameProblem, UsageError, did_you_mean

__all__ = ["TABLE", "called", "moves", "name_of", "products", "reductions", "ufuncs"]

# What only arrays in memory have; a function of the table that lists one here does so for its place among the others.
OF_MEMORY = {"out", "where", "dtype", "order", "casting", "subok", "initial", "mode", "copy", "device", "like"}
SUBPACKAGES = ("linalg", "fft", "ma")


def called(name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """What ``np.name(*args, **options)`` is on rows. Raises `NameProblem` for a function that has no counterpart,
    `UsageError` for arguments that have none."""
    ours = TABLE.get(name)
    if ours is None:
        raise NameProblem(f"np.{name} does not work on the rows of a model.{did_you_mean(name, TABLE)}")
    parameters = signature(ours).parameters
    try:
        bound = signature(ours).bind(*args, **{k: v for k, v in options.items() if k not in OF_MEMORY - {*parameters}})
    except TypeError as error:
        raise UsageError(f"np.{name} on the rows of a model: {error}") from None
    asked = {k: v for k, v in {**options, **bound.arguments}.items() if k in OF_MEMORY}
    for option, value in asked.items():
        usual = parameters[option].default if option in parameters else None
        if not (_says_nothing(value) or (isinstance(value, (str, bool)) and value == usual)):
            raise UsageError(f"np.{name} on the rows of a model takes no {option}=: a row has no memory of its own")
        bound.arguments.pop(option, None)
    return ours(*bound.args, **bound.kwargs)


def _says_nothing(value: Any) -> bool:
    """Whether an argument asks for nothing special; ``dtype=float`` does not, since rows are floats."""
    return value is None or repr(value) == "<no value>" or (isinstance(value, type) and issubclass(value, float))


def name_of(function: Any) -> str:
    """What a NumPy function is called behind ``np.``: ``dot``, ``linalg.norm``."""
    home = (getattr(function, "__module__", None) or "").split(".")
    part = home[1] if len(home) > 1 and home[1] in SUBPACKAGES else ""
    return f"{part}.{function.__name__}" if part else str(function.__name__)
