"""A C function of a shared library, called through ctypes by its signature.

``void linear_backward(const double *X, const double *dY, double *dW, int N, int D, int M)``: what is const or a name of
the model is handed in, other pointers whose names are gradients are results.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symbackprop.apart.files import called
from symbackprop.apart.forms import Form, Given, Raw, UnknownWord
from symbackprop.errors import UsageError

_TYPES: dict[str, Any] = {
    "float": ctypes.c_float, "double": ctypes.c_double, "int": ctypes.c_int, "unsigned": ctypes.c_uint,
    "short": ctypes.c_short, "long": ctypes.c_long, "long long": ctypes.c_longlong, "int8_t": ctypes.c_int8,
    "uint8_t": ctypes.c_uint8, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
    "size_t": ctypes.c_size_t, "ptrdiff_t": ctypes.c_ssize_t,
}
_SIGNATURE = re.compile(r"\s*(?:[\w\s*]+?[\s*])??(?P<name>\w*)\s*\((?P<params>[^()]*)\)\s*;?\s*$", re.DOTALL)
_PARAMETER = re.compile(r"(?P<type>[\w\s]+?)\s*(?P<pointer>\**)\s*(?:restrict\s+|__restrict__\s+|__restrict\s+)?"
                        r"(?P<name>[A-Za-z_]\w*)\s*(?P<array>(?:\[[^\]]*\])*)$")


@dataclass(frozen=True)
class Parameter:
    """One parameter of the C function."""

    name: str
    type: str
    pointer: bool
    const: bool


class CForm(Form):
    """A function of a library that ctypes has loaded; ``signature`` is its declaration in C, or its parameters."""

    def __init__(self, function: Any, signature: str) -> None:
        self.function = function
        self.label, self.parameters = parsed(signature, getattr(function, "__name__", "the function"))
        function.argtypes = [ctypes.c_void_p if p.pointer else _TYPES[p.type] for p in self.parameters]
        function.restype = None

    def functions(self) -> list[Callable[..., Any]]:
        return []

    def wanted(self) -> list[str]:
        return [p.name for p in self.parameters]

    def filled(self) -> list[str]:
        return [p.name for p in self.parameters if p.pointer and not p.const]

    def call(self, given: Given) -> tuple[Raw, Callable[[], Any] | None]:
        results = self._results(given)
        self._call(given, results)
        raw = Raw(results)

        def again() -> dict[str, Any]:
            """What is added to other numbers in the buffers is told; anything else but the same is another result."""
            begun = self._results(given, 1)
            self._call(given, begun)
            for name, first in results.items():
                if not np.array_equal(begun[name], first) and np.allclose(begun[name], first + 1, 1e-4, 1e-5):
                    raw.added.append(name)
                    begun[name] -= 1
            return begun

        return raw, again

    def _results(self, given: Given, filled: float = 0) -> dict[str, Any]:
        return {p.name: np.full(given.shapes[p.name], filled, _TYPES[p.type]) for p in self.parameters
                if p.name in given.shapes}

    def _call(self, given: Given, results: dict[str, Any]) -> None:
        args = [results[p.name] if p.name in results else self._argument(p, given) for p in self.parameters]
        called(self.function, self.label, None, [a.ctypes.data if isinstance(a, np.ndarray) else a for a in args])
        given.handed += [(given.values[p.name][0], array) for p, array in zip(self.parameters, args, strict=True)
                         if isinstance(array, np.ndarray) and p.name not in results]

    def _argument(self, p: Parameter, given: Given) -> Any:
        dtype = np.dtype(_TYPES[p.type])
        if p.name not in given.values:
            raise UnknownWord(self.label, p.name)
        value = given.values[p.name][1]
        if not p.pointer:
            return int(value) if dtype.kind in "iu" else float(value)
        return np.ascontiguousarray(np.atleast_1d(np.asarray(value)).astype(dtype))


def parsed(signature: str, name: str) -> tuple[str, list[Parameter]]:
    """The name and the parameters in a C declaration; raises `UsageError` for what is none."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", signature, flags=re.DOTALL).strip()
    found = _SIGNATURE.match(text if "(" in text else f"({text})")
    if found is None:
        raise UsageError(f"the signature {signature!r:.80} is no C declaration, as in void f(const double *X, int N)")
    parameters = [_parameter(part.strip()) for part in found["params"].split(",") if part.strip() not in ("", "void")]
    return found["name"] or name, parameters


def _parameter(text: str) -> Parameter:
    found = _PARAMETER.match(text)
    words = found["type"].split() if found else []
    plain = " ".join(w for w in words if w not in ("const", "signed", "struct", "volatile"))
    if found is None or plain not in _TYPES:
        raise UsageError(f"the parameter {text!r} of the C signature cannot be read; types are {', '.join(_TYPES)}")
    return Parameter(found["name"], plain, bool(found["pointer"] or found["array"]), "const" in words)
