"""The random examples of the tests are the same each time, whatever ran before."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def tried() -> list[str | int]:
    found: list[str | int] = []

    @settings(max_examples=300)
    @given(st.text() | st.integers())
    def body(example: str | int) -> None:
        found.append(example)

    body()
    return found


@pytest.mark.skipif("SYMBACKPROP_EXAMPLES" in os.environ, reason="long runs have examples of their own")
def test_what_is_imported_changes_no_example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = tried()
    module, path = ModuleType("imported_meanwhile"), tmp_path / "imported_meanwhile.py"
    path.write_text("\n".join(f"x = {n}\ny = 'a constant {n}'" for n in range(1000, 1100)), encoding="utf-8")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert tried() == first
