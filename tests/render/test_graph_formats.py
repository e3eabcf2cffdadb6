"""The graph as text and in DOT, and the command that draws it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop import Model
from symbackprop.__main__ import load_cli
from symbackprop.derive import derive
from symbackprop.render.graph import draw, picture_of
from symbackprop.render.graph.dot import quoted, to_dot
from symbackprop.render.graph.text import picture_text
from tests.render.helpers import derivation


def test_text_of_sum_times_z() -> None:
    model = derivation("sum-times-z").model
    assert draw(model, "text", model.example) == (
        "sum-times-z\n\n"
        "x              input                       −2    ∂f/∂x = −4\n"
        "y              input                       5     ∂f/∂y = −4\n"
        "q = x + y      ← x (× 1), y (× 1)          3     ∂f/∂q = −4\n"
        "z              input                       −4    ∂f/∂z = 3\n"
        "f = q·z        loss, ← q (× −4), z (× 3)   −12   ∂f/∂f = 1\n\n"
        "in brackets: local gradient; gradient: upstream × local, summed over its consumers\n"
    )


def test_text_of_a_loop_is_indented() -> None:
    lines = draw(derivation("rnn-lm").model, "text").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("for t = 1, …, T:"))
    assert "(carried from t−1 to t)" in lines[start]
    assert [line.split()[0] for line in lines[start + 1 : start + 3]] == ["hₜ₋₁", "cₜ"]
    assert any(line.startswith("h = all hₜ") and "← the loop over t" in line for line in lines)


def test_text_says_every_wire(any_model: str) -> None:
    picture = picture_of(derivation(any_model))
    text = picture_text(picture)
    for box in picture.boxes():
        assert box.equation.text in text


QUOTED = r'"(?:[^"\\]|\\.)*"'


def test_dot_has_every_box_and_wire(any_model: str) -> None:
    picture = picture_of(derivation(any_model))
    dot = to_dot(picture)
    assert dot.count("{") == dot.count("}") == 1 + len(list(picture.frames()))
    nodes = re.findall(rf"^ +({QUOTED}) \[label=", dot, re.M)
    assert nodes == [quoted(b.key) for b in picture.boxes()]
    ends = re.findall(rf"^ +({QUOTED}) -> ({QUOTED})", dot, re.M)
    assert {e for pair in ends for e in pair} <= set(nodes)
    wires = len(picture.wires) + sum(len(f.inside.wires) for f in picture.frames())
    assert len(ends) == wires


def test_dot_shows_numbers_apart_in_more_than_colour() -> None:
    dot = draw(derivation("max-gate").model, "dot", {"z": 2, "w": -1})
    assert '<font color="#0a6b3d">2</font>' in dot
    assert re.search(r'<font color="#b3261e"><i>1</i></font>', dot)


def test_dot_shows_local_gradients_on_edges_and_says_so() -> None:
    model = derivation("max-gate").model
    dot = draw(model, "dot", {"z": 2, "w": -1})
    assert re.findall(r'-> "\w+" \[label=<<font color="#1f4f8f">(.*)</font>>\]', dot) == ["× 1", "× 0"]
    assert "on edges: local gradient; below a node: upstream × local, summed over its consumers" in dot
    assert "local" not in draw(model, "dot") + draw(model, "text")


def test_dot_quotes_what_a_model_says() -> None:
    model = Model('a"b\\c')
    model.loss("L", model.param("w") * 2)
    assert to_dot(picture_of(derive(model))).startswith('digraph "a\\"b\\\\c" {')


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it(any_model: str) -> None:
    dot = to_dot(picture_of(derivation(any_model)))
    run = subprocess.run(["dot", "-Tplain"], input=dot.encode(), capture_output=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(b"graph")


def command(*args: str) -> Result:
    return CliRunner().invoke(load_cli().cli, ["graph", *args])


def test_command_writes_svg_by_default(tmp_path: Path) -> None:
    assert command("two-paths").stdout.startswith("<svg")
    target = tmp_path / "graph.svg"
    result = command("two-paths", "-o", str(target))
    assert (result.exit_code, result.stdout) == (0, "")
    assert target.read_text(encoding="utf-8").startswith("<svg")


def test_command_puts_numbers_in(tmp_path: Path) -> None:
    result = command("sum-times-z", "--format", "text", "--at", "x=-2,y=5,z=-4", "--digits", "1")
    assert result.exit_code == 0 and "∂f/∂q = −4" in result.stdout
    values = tmp_path / "at.json"
    values.write_text('{"x": -2.04, "y": 5, "z": -4}', encoding="utf-8")
    assert "−2.04 " in command("sum-times-z", "--format", "text", "--at", str(values), "--digits", "2").stdout


@pytest.mark.parametrize(("args", "code", "said"), [
    (["sum-times-zz"], 2, "sum-times-z"),
    (["sum-times-z", "--at", "x=1"], 3, "no value is given for y, z"),
    (["sum-times-z", "--at", "x="], 2, "--at"),
    (["sum-times-z", "--format", "png"], 2, "png"),
    (["sum-times-z", "-o", "/nowhere/at/all.svg"], 2, "/nowhere/at/all.svg"),
])
def test_command_says_what_is_wrong(args: list[str], code: int, said: str) -> None:
    result = command(*args)
    assert result.exit_code == code
    assert said in result.stderr and "Traceback" not in result.stderr


def test_command_expands_blocks() -> None:
    text = "dim D\ndata X0: D\n" + "".join(
        f"param W{k}: D x D, b{k}: D\nH{k} = W{k} @ X{k - 1} + b{k}\nX{k} = tanh(H{k})\n" for k in range(1, 14)
    )
    text += "loss L = sum(X13)\n"
    short = CliRunner().invoke(load_cli().cli, ["graph", "-", "--format", "text"], input=text).stdout
    full = CliRunner().invoke(load_cli().cli, ["graph", "-", "--format", "text", "--expand"], input=text).stdout
    assert "for ℓ = 1, …, 13:" in short and len(short.splitlines()) < 12
    assert len(full.splitlines()) == 2 + 1 + 4 * 13 + 1
