"""Checking gradients numerically, independently of how they were derived.

`verify_module` checks a loaded module against its model: an interpreter of the model that shares no code with the
derivation, slopes of that interpreter, and the module run as the file it is. `verify_file` does so for a file that says
itself what model it came from, run in a process of its own, `verify_process` where that has been started.
"""

from symbackprop.verify.checker import model_of, verify_file, verify_module, verify_process
from symbackprop.verify.interpreter import evaluate
from symbackprop.verify.module import load_module
from symbackprop.verify.report import GradientReport, Report, ResultReport

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
