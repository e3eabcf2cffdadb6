"""Grading a person's own gradients: right or wrong, and which factor is wrong."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symbackprop.grade.grading import ClassReport, Grader, grade, grade_folder, grade_path, read_answers, table
    from symbackprop.grade.report import Item, Report

_HOME = {
    "ClassReport": "grading", "Grader": "grading", "grade": "grading", "grade_folder": "grading",
    "grade_path": "grading", "read_answers": "grading", "table": "grading", "Item": "report", "Report":
    "report",
}


def __getattr__(name: str) -> Any:
    """A name is loaded when it is first used: `own` needs the points and mistakes of this package alone."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


__all__ = ["ClassReport", "Grader", "Item", "Report", "grade", "grade_folder", "grade_path", "read_answers", "table"]
