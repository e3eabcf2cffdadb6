"""The public names are what they say, in whatever order they are imported."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import pytest

NAMES = ("Model", "derive", "codegen", "verify")


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES))[::9], ids="-".join)
def test_public_names_are_not_replaced_by_subpackages(order: tuple[str, ...]) -> None:
    lines = [f"from symbackprop import {name}" for name in order]
    lines += [f"import symbackprop.{name}" for name in order if name != "Model"]
    lines += ["import symbackprop.derive.steps, types, symbackprop"]
    lines += [f"assert callable(symbackprop.{name}) and not isinstance({name}, types.ModuleType)" for name in NAMES]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_functions_of_the_language_are_public() -> None:
    import symbackprop

    assert symbackprop.relu is not None and symbackprop.mean(leaf()).shape == ()
    with pytest.raises(AttributeError, match="no attribute 'rellu'"):
        symbackprop.rellu  # noqa: B018


def leaf() -> Any:
    from symbackprop import Model

    return Model("m").data("x", (3,))
