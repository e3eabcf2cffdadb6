"""Patterns wait until a text is looked at, and are what was written."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

import symbackprop
from symbackprop.patterns import _Lazy, lazy

READING = [m.name for p in ("core", "model", "render") for m in
           walk_packages([f"{symbackprop.__path__[0]}/{p}"], f"symbackprop.{p}.")]


def test_a_pattern_answers_as_a_compiled_one() -> None:
    pattern = lazy(r"(\w)=(\d)", re.IGNORECASE)
    found = pattern.search("w=1")
    assert found is not None and found.groups() == ("w", "1")
    assert pattern.sub(r"\2", "w=1") == "1"
    assert (pattern.pattern, pattern.flags) == (r"(\w)=(\d)", re.compile("", re.IGNORECASE).flags)
    with pytest.raises(AttributeError):
        pattern.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", READING)
def test_every_pattern_is_one(name: str) -> None:
    for pattern in vars(import_module(name)).values():
        if isinstance(pattern, _Lazy):
            assert re.compile(*pattern._given)


def test_a_start_compiles_few_patterns() -> None:
    code = """
import re, sys
import click, sympy
made, compile = [], re.compile
re.compile = lambda *given: made.append(given) or compile(*given)
import symbackprop.derive, symbackprop.render.board
print(len(made))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40
