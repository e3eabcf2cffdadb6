"""Checking gradients numerically, independently of how they were derived.

`verify_module` checks a loaded module against its model: an interpreter of the model that shares no code with the
derivation, slopes of that interpreter, and the module run as the file it is. `verify_file` does so for a file that says
itself what model it came from, run in a process of its own, `verify_process` where that has been started.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symbackprop.verify.checker import model_of, verify_file, verify_module, verify_process
    from symbackprop.verify.interpreter import evaluate
    from symbackprop.verify.module import load_module
    from symbackprop.verify.report import GradientReport, Report, ResultReport


def __getattr__(name: str) -> Any:
    """The names are loaded when one is used: who wants the interpreter alone need not load the checker."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from symbackprop.verify import checker, interpreter, module, report

    return next(getattr(home, name) for home in (checker, interpreter, module, report) if hasattr(home, name))


__all__ = [
    "GradientReport",
    "Report",
    "ResultReport",
    "evaluate",
    "load_module",
    "model_of",
    "verify_file",
    "verify_module",
    "verify_process",
]
