"""Formulas that are nested too deeply to be written: the error names the equation, its file and its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from symbackprop import codegen, derive
from symbackprop.errors import ModelError, ShapeError
from symbackprop.model import Model, load, to_text
from symbackprop.render.graph import draw
from symbackprop.render.show import show

DEEP = """
from symbackprop import Model

model = Model("deep")
x, w = model.data("x"), model.param("w")
h = model.let("z", x * w)
for _ in range(3000):
    h = (h * w + 1) * x
model.output("y", h)
model.output("u", x + 1)
"""
WRITES: list[Callable[[Model], object]] = [
    lambda m: derive(m).text(), lambda m: derive(m).latex(), lambda m: derive(m).to_json(),
    codegen, to_text, show, draw,
]


@pytest.mark.parametrize("write", WRITES)
def test_the_equation_is_named_with_its_place(write: Callable[[Model], object], tmp_path: Path) -> None:
    path = tmp_path / "deep.py"
    path.write_text(DEEP)
    with pytest.raises(ModelError, match=f"{path}:9: model error: the formula of y is nested too deeply: name a part"):
        write(load(str(path)))


def test_the_place_is_that_of_the_script_or_of_the_text() -> None:
    model = Model("own")
    model.loss("L", model.param("w") ** 2)
    assert model.statements[-1].where == f"{__file__}:{model_line()}"
    assert Model.parse("param w\n\nloss L = w^2", path="net.sbp").statements[-1].where == "net.sbp:3"


def model_line() -> int:
    lines = Path(__file__).read_text().splitlines()
    return 1 + next(k for k, line in enumerate(lines) if line.startswith("    model.loss("))


def test_errors_of_a_python_file_name_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(
        "from symbackprop import Model\nmodel = Model()\nx, y = model.data('x', (3,)), model.data('y', (4,))\n"
        "model.output('z', x * y)\n"
    )
    with pytest.raises(ShapeError, match=f"{path}:4: shape error: x .3. and y .4. do not broadcast"):
        load(str(path))
