"""What pyproject.toml promises is what CI installs: the oldest versions it allows, and a pin for every tool."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PINS = {path.stem: path for path in (ROOT / "constraints").glob("*.txt")}


@pytest.fixture(scope="module")
def project() -> Any:
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def named(project: Any) -> list[str]:
    """The Pythons that the classifiers name, in order."""
    found = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    return sorted(found, key=lambda version: int(version.split(".")[1]))


def lower(requirements: list[str]) -> dict[str, str]:
    return dict(r.lower().split(">=") for r in requirements)


def pins(version: str) -> dict[str, str]:
    lines = PINS[version].read_text(encoding="utf-8").lower().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_the_pythons_named_are_those_allowed_and_the_ends_have_constraints(project: Any) -> None:
    assert project["requires-python"] == f">={named(project)[0]}"
    assert {named(project)[0], named(project)[-1]} <= set(PINS) <= set(named(project))


def test_the_oldest_python_has_the_oldest_dependencies(project: Any) -> None:
    found = pins(named(project)[0])
    allowed = lower(project["dependencies"])
    assert {name: padded(found[name]) for name in allowed} == {name: padded(v) for name, v in allowed.items()}


def padded(version: str) -> tuple[int, ...]:
    """1.12 and 1.12.0 are one version."""
    numbers = [int(n) for n in version.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))


@pytest.mark.parametrize("version", sorted(PINS))
def test_every_tool_is_pinned(project: Any, version: str) -> None:
    """Warnings are errors: a release of a tool must not decide whether the tests pass."""
    wanted = lower([*project["dependencies"], *project["optional-dependencies"]["dev"]])
    assert wanted.keys() <= pins(version).keys()
