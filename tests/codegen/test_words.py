"""What rows are called beside the lines of a block."""

from __future__ import annotations

import pytest

from symbackprop import Model
from symbackprop.codegen import codegen, statements


def loops(count: int) -> str:
    names = [f"h{k}x" for k in range(count)]
    steps = "\n".join([
        f"{n}[0] = w\nfor t in 1..T:\n    {n}[t] = tanh({n}[t-1]*x[t] + {k})" for k, n in enumerate(names)
    ])
    return f"dim T\ndata x: T\nparam w\n{steps}\nloss L = {' + '.join([f'{n}[T]' for n in names])}"


def test_names_outside_a_loop_are_written_where_an_equation_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every loop wrote out all names outside it: 800 loops took 10 seconds to emit."""
    calls: list[int] = []
    usual = statements.text

    def counted(code: object) -> str:
        calls[-1] += 1
        return usual(code)  # type: ignore[arg-type]

    monkeypatch.setattr(statements, "text", counted)
    for count in (10, 40):
        calls.append(0)
        codegen(Model.parse(loops(count)))
    assert sum(calls) <= 50, calls
