"""What a module holds that calls of another thread could change: many lines of one that holds something are tried."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from symbackprop.apart.threads import holds, lines_run
from symbackprop.codegen import codegen
from symbackprop.model.text import parse


def module_of(source: str) -> ModuleType:
    module = ModuleType("emitted")
    exec(compile(source, "emitted.py", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_an_emitted_module_remembers_of_a_call_is_bound_anew_and_never_changed(level: int) -> None:
    source = codegen(parse("dim N\ndata x: N\nparam w: N\nloss L = sum(tanh(w * x))"), level=level)
    module = module_of(source)
    given = {"w": np.ones(3)}, {"x": np.ones(3)}
    first, second = module.loss_and_grads(*given)[1]["w"], module.loss_and_grads(*given)[1]["w"]
    assert np.array_equal(first, second) and module.SEEN
    assert not holds(module) and holds(module_of(source + "\nCALLS: list = []\n"))


def test_lines_behind_the_one_that_is_met_are_not_looked_at() -> None:
    module = module_of(codegen(parse("data x\nparam w\nloss L = tanh(w * x)**2")))
    module.__file__ = "emitted.py"
    given = {"w": np.float64(0.5)}, {"x": np.float64(2.0)}, (), {}
    lines, whole = lines_run(module, given)
    met, earlier = list[bool](), sys.gettrace()
    first, same = lines_run(module, given, lines[3], lambda: met.append(sys.gettrace() is earlier))
    assert first == lines[:4] and len(lines) > 4 and same == whole and met == [True]
