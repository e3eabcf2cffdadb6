"""What is stated of an array: read, kept, written back, shown, drawn, used."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from cli import cli
from symbackprop import Model, codegen, derive, verify
from symbackprop.errors import ModelError, ShapeError
from symbackprop.model.same import first_difference
from symbackprop.verified import verify_source
from symbackprop.verify.sampling import draw

SOFT = "dim N, V\ndata p: N x V simplex\nparam Z: N x V\nloss L = mean(cross_entropy(Z, p))\n"


def in_python() -> Model:
    m = Model("net")
    n, v = m.dims("N V")
    p, z = m.data("p", (n, v), simplex=True), m.param("Z", (n, v))
    from symbackprop.core.functions.losses import cross_entropy
    from symbackprop.core.functions.reductions import mean

    m.loss("L", mean(cross_entropy(z, p)))
    return m


def test_it_is_read_kept_and_written_back() -> None:
    model = Model.parse(SOFT, name="net")
    assert model.data_rows["p"].attr.stated == "simplex" and "p: N x V simplex" in model.text()
    assert first_difference(model, in_python()) is None
    assert first_difference(model, Model.parse(model.text(), name="net")) is None
    assert first_difference(model, Model.parse(SOFT.replace(" simplex", ""), name="net")) == "p"


@pytest.mark.parametrize(("form", "said"), [
    ("text", "N x V, adds up to 1 along its last axis"), ("sbp", "p: N x V simplex"), ("json", '"stated": "simplex"'),
])
def test_it_is_shown(form: str, said: str) -> None:
    result = CliRunner().invoke(cli, ["show", "-", "--format", form], input=SOFT)
    assert result.exit_code == 0 and said in result.stdout
    if form == "json":
        assert json.loads(result.stdout)["params"][0]["stated"] is None


@pytest.mark.parametrize("attempt", range(8))
def test_simplex_data_is_drawn_on_the_simplex(attempt: int) -> None:
    p = draw(Model.parse(SOFT), {"N": 4, "V": 3}, np.random.default_rng(0), attempt).values["p"]
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert p.shape == (4, 3) and (p >= 0).all()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_emitted_modules_use_it_and_are_right(level: int) -> None:
    model = Model.parse(SOFT, name="net")
    source = codegen(model, level=level)
    assert verify(model).passed and verify_source(source, model).passed
    assert "p.sum" not in source and "p.sum" in codegen(Model.parse(SOFT.replace(" simplex", "")), level=level)


def test_the_derivation_says_it() -> None:
    text = derive(Model.parse(SOFT, name="net")).text()
    assert "adds up to 1 along its last axis" in text and "rows of a simplex add up to 1" in text


@pytest.mark.parametrize(("line", "said"), [
    ("param p: N x V simplex", "p is param and cannot be simplex: only data can"),
    ("input p: N x V simplex", "p is input and cannot be simplex: only data can"),
    ("data p: N x V simplx", "'simplx' is nothing that can be stated of an array. Did you mean 'simplex'?"),
])
def test_errors_name_the_line(line: str, said: str) -> None:
    with pytest.raises(ModelError, match=r"net\.sbp:2") as caught:
        Model.parse(f"dim N, V\n{line}\nparam w\nloss L = sum(p * w)", path="net.sbp")
    assert said in str(caught.value)


def test_what_cannot_be_simplex_in_python() -> None:
    with pytest.raises(ShapeError, match="p is a number and cannot be simplex: did you mean `data p: C simplex`"):
        Model("net").data("p", simplex=True)
    with pytest.raises(ModelError, match="p is integers and cannot be simplex"):
        Model("net").data("p", (3,), below=2, simplex=True)


@pytest.mark.parametrize(("numbers", "said"), [
    ([0.5, 0.6], "its last axis adds up to 1.1, not to 1"), ([1.5, -0.5], "it holds -0.5, which is below 0"),
])
def test_numbers_that_are_not_as_stated_are_refused(numbers: list[float], said: str) -> None:
    d = derive(Model.parse("data p: 2 simplex\nparam z: 2\nloss L = cross_entropy(z, p)", name="net"))
    assert "softmax" in d.text(values={"p": [0.25, 0.75], "z": [0.0, 1.0]})
    with pytest.raises(ModelError, match=said):
        d.text(values={"p": numbers, "z": [0.0, 1.0]})
