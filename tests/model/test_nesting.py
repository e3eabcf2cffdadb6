"""Formulas that are nested too deeply to be written: the error names the equation, its file and its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from symbackprop import codegen, derive
from symbackprop.errors import ModelError, ShapeError, SymbackpropError
from symbackprop.model import Model, load, to_text
from symbackprop.model.text import parse_alone
from symbackprop.render.graph import draw
from symbackprop.render.show import show
from tests.counting import ends, steps

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


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model]:
    path = tmp_path_factory.mktemp("nesting") / "deep.py"
    path.write_text(DEEP)
    return path, load(str(path))


@pytest.mark.parametrize("write", WRITES)
def test_the_equation_is_named_with_its_place(write: Callable[[Model], object], deep: tuple[Path, Model]) -> None:
    path, model = deep
    with pytest.raises(ModelError, match=f"{path}:9: model error: the formula of y is nested too deeply: name a part"):
        write(model)


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


def _within(form: str, times: int) -> str:
    text = form.partition("|")[2]
    for _ in range(times):
        text = form.partition("|")[0].replace("…", text)
    return text


FORMS = ["tanh(…)|w", "(…)^w|w * x", "v[…]|0", "v[-…]|1", "…[-2,]|(X %*% W)", "…[-2]|(w %*% X)",
         "(… if w > 0 else x)|w", "(w if … > 0 else x)|x", "where(… > 0, w, x)|w", "1 / (1 + …)|w", "mean(… * v)|v[0]",
         "(… %*% A)|A"]


@pytest.mark.parametrize("form", FORMS)
def test_thirty_in_each_other_take_little_longer_than_ten(form: str) -> None:
    def derived(times: int) -> int:
        def read() -> None:
            try:
                derive(parse_alone(f"sum({_within(form, times)})"))
            except SymbackpropError as error:
                error.told()

        with ends():
            return steps(read)

    derived(3)  # the tables that are read once
    assert derived(30) < 8 * derived(10) + 500_000


@pytest.mark.parametrize("text", [
    "param w\nloss L = " + "sin " * 3000 + "w",
    "param w\nif w > 0:\n    a = w\n" + "    a = tanh(a)\n" * 500 + "else:\n    a = w\nloss L = a",
    "param w\ndef f(z):\n    a = z\n" + "    a = tanh(a)\n" * 500 + "    return a\nloss L = f(w)",
    "param w\ndef f0(z):\n    return z\n" + "".join(
        f"def f{k}(z):\n    return tanh(f{k - 1}(z))\n" for k in range(1, 1500)) + "loss L = f1499(w)",
])
def test_what_is_nested_too_deeply_to_be_read_is_told(text: str) -> None:
    alone = text.partition("\n")[2].replace("loss L = ", "")
    for read in (lambda: Model.parse(text), lambda: parse_alone(alone)):
        with pytest.raises(ModelError, match="nested too deep"):
            read()
