"""symbackprop derives backpropagation symbolically and shows its work.

The public names are loaded when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Model": "symbackprop.model",
    "load": "symbackprop.model",
    "derive": "symbackprop.derive",
    "codegen": "symbackprop.verified",
    "verify": "symbackprop.verified",
    "check": "symbackprop.own",
    "flat": "symbackprop.flat",
    "from_onnx": "symbackprop.imported",
    "from_torch": "symbackprop.imported",
    "scan": "symbackprop.core.loops",
    "grad": "symbackprop.core.reverse",
    "jvp": "symbackprop.core.forward",
    "hessian": "symbackprop.derive.compressed",
    "jacobian": "symbackprop.derive.compressed",
    "lstm_cell": "symbackprop.core.functions.layers",
    "gru_cell": "symbackprop.core.functions.layers",
}


def __getattr__(name: str) -> Any:
    """Public names; any function of the model language (``relu``, ``mean``, ``softmax`` …) is one too."""
    if name == "__all__":
        return [n for n in __dir__() if n != "__version__"]
    if name.startswith("__"):
        raise AttributeError(name)
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    functions = import_module("symbackprop.core.functions").FUNCTIONS
    if name in functions:
        return functions[name]
    hint = import_module("symbackprop.errors").did_you_mean(name, (*_HOME, *functions))
    raise AttributeError(f"module 'symbackprop' has no attribute {name!r}.{hint}" if hint else (
        f"module 'symbackprop' has no attribute {name!r}"))


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext symbackprop`` in a notebook gives the cell magic ``%%sbp``."""
    import_module("symbackprop.render.notebook").register_magic(shell)


def __dir__() -> list[str]:
    functions = import_module("symbackprop.core.functions").FUNCTIONS
    return sorted({"__version__", *_HOME, *functions})


class _Package(ModuleType):
    """Keeps ``symbackprop.derive`` the function: importing the subpackage of that name would bind it here instead."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOME or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
