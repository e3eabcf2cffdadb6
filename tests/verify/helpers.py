"""Files of modules, changed as a mistake would change them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from symbackprop.verify import Report, load_module, model_of, verify_module
from symbackprop.verify.report import GradientReport


def mutant(source: str, *changes: tuple[str, str]) -> str:
    """The source with every (old, new) replaced; an old text that is not there would test nothing."""
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times"
        source = source.replace(old, new)
    return source


def check(folder: Path, source: str, **options: Any) -> Report:
    """The report on a module, written to a file and checked by its own model text; here, and not apart, which takes
    less time."""
    path = folder / "module.py"
    path.write_text(source, encoding="utf-8")
    module = load_module(path)
    return verify_module(module, model_of(module, path), **options)


def gradient(report: Report, name: str) -> GradientReport:
    return next(g for g in report.gradients if g.name == name)


def failing(report: Report) -> set[str]:
    return {g.name for g in report.gradients if g.verdict == "fail"}
