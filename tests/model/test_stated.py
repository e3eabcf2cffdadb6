"""What is stated of an array: read, kept, written back, shown, drawn, used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli import cli
from symbackprop import Model, codegen, derive, verify
from symbackprop.core.build import reduce_sum
from symbackprop.core.functions.losses import cross_entropy
from symbackprop.core.functions.reductions import mean
from symbackprop.errors import ModelError, ShapeError
from symbackprop.verified import first_difference, verify_source
from symbackprop.verify.sampling import draw
from tests.codegen.helpers import emit

SOFT = "dim N, V\ndata p: N x V simplex\nparam Z: N x V\nloss L = mean(cross_entropy(Z, p))\n"


def in_python() -> Model:
    m = Model("net")
    n, v = m.dims("N V")
    p, z = m.data("p", (n, v), simplex=True), m.param("Z", (n, v))
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
    source = codegen(model, level=level, verify=False)
    assert verify(model).passed and verify_source(source, model).passed
    total = "p.sum" if level < 2 else '"ab->a", p)'
    assert total not in source and total in codegen(Model.parse(SOFT.replace(" simplex", "")), level=level)


def test_the_derivation_says_it() -> None:
    text = derive(Model.parse(SOFT, name="net")).text()
    assert "adds up to 1 along its last axis" in text and "rows of a simplex add up to 1" in text


@pytest.mark.parametrize(("line", "said"), [
    ("param p: N x V simplex", "p is param and cannot be simplex: only data can"),
    ("input p: N x V simplex", "p is input and cannot be simplex: only data can"),
    ("data p: N x V simplx", "'simplx' is nothing that can be stated of an array. Did you mean 'simplex'?"),
    ("data p: N x V bool", "truth values are integers, 0 and 1"),
    ("data p: N x V < V", "data with a bound is integers"),
])
def test_errors_name_the_line(line: str, said: str) -> None:
    with pytest.raises(ModelError, match=r"net\.sbp:2") as caught:
        Model.parse(f"dim N, V\n{line}\nparam w\nloss L = sum(p * w)", path="net.sbp")
    assert said in str(caught.value)


def test_what_cannot_be_simplex_in_python() -> None:
    with pytest.raises(ShapeError, match="p is a number and cannot be simplex; did you mean `data p: C simplex`"):
        Model("net").data("p", simplex=True)
    with pytest.raises(ModelError, match="p can be one only of integers, simplex and symmetric"):
        Model("net").data("p", (3,), below=2, simplex=True)


@pytest.mark.parametrize(("numbers", "said"), [
    ([0.5, 0.6], "its last axis adds up to 1.1, not to 1"), ([1.5, -0.5], "it holds -0.5, which is below 0"),
])
def test_numbers_that_are_not_as_stated_are_refused(numbers: list[float], said: str) -> None:
    d = derive(Model.parse("data p: 2 simplex\nparam z: 2\nloss L = cross_entropy(z, p)", name="net"))
    assert "softmax" in d.text(values={"p": [0.25, 0.75], "z": [0.0, 1.0]})
    with pytest.raises(ModelError, match=said):
        d.text(values={"p": numbers, "z": [0.0, 1.0]})


# -- symmetric
QUADRATIC = "dim D\nparam S: D x D symmetric, x: D, y: D\nloss L = x @ S @ y + sum(tanh(S) * x)\n"


@pytest.mark.parametrize("role", ["param", "input", "data"])
def test_a_symmetric_array_is_read_kept_and_written_back(role: str) -> None:
    model = Model.parse(f"dim D\n{role} S: D x D symmetric\nparam w\nloss L = w * sum(S)", name="net")
    assert model.leaves()["S"].attr.stated == "symmetric" and f"{role} S: D x D symmetric" in model.text()
    m = Model("net")
    d = m.dims("D")
    s, w = getattr(m, role)("S", (d, d), symmetric=True), m.param("w")
    m.loss("L", w * reduce_sum(s))
    assert first_difference(model, m) is None


@pytest.mark.parametrize("shape", ["D x N", "D", "D x D x D"])
def test_a_symmetric_array_is_square(shape: str) -> None:
    with pytest.raises(ShapeError, match=r"net\.sbp:2") as caught:
        Model.parse(f"dim D, N\nparam S: {shape} symmetric\nloss L = sum(S)", path="net.sbp")
    meant = f"param S: {shape[-1]} x {shape[-1]} symmetric"
    assert f"its shape is {shape} and not square; did you mean `{meant}` ?" in str(caught.value)


@pytest.mark.parametrize("attempt", range(8))
@pytest.mark.parametrize("use", ["sum(S**3)", "sum(log(S))"])
def test_a_symmetric_array_is_drawn_so(attempt: int, use: str) -> None:
    model = Model.parse(f"dim D\nparam S: D x D symmetric\nloss L = {use}")
    s = draw(model, {"D": 4}, np.random.default_rng(0), attempt).values["S"]
    np.testing.assert_array_equal(s, s.T)
    assert len(set(s.reshape(-1))) == 10 and ("log" not in use or (s > 0).all())


@pytest.mark.parametrize("target", ["numpy", "jax"])
def test_init_params_draws_it_symmetric(target: str, tmp_path: Path) -> None:
    if target == "jax":
        pytest.importorskip("jax")
    module = emit(QUADRATIC, tmp_path, target=target)
    s = np.asarray(module.init_params(3, D=50)["S"])
    np.testing.assert_array_equal(s, s.T)
    assert abs(s.std() * 50**0.5 - 1) < 0.1


def test_the_gradient_is_the_whole_one_and_the_derivation_says_so(tmp_path: Path) -> None:
    module = emit(QUADRATIC, tmp_path)
    x, y, s = np.array([1.0, 2.0]), np.array([3.0, 5.0]), np.array([[0.0, 0.5], [0.5, 1.0]])
    _, grads = module.loss_and_grads({"S": s, "x": x, "y": y}, {})
    np.testing.assert_allclose(grads["S"], np.outer(x, y) + x * (1 - np.tanh(s) ** 2))
    assert "G + Gᵀ − diag(G)" in derive(Model.parse(QUADRATIC)).text().replace("\n", " ")
    assert "diag(G)" not in derive(Model.parse(QUADRATIC.replace(" symmetric", ""))).text()


def test_a_module_with_a_symmetric_parameter_is_right_and_one_that_draws_another_is_not() -> None:
    model = Model.parse(QUADRATIC, name="net")
    source = codegen(model, verify=False)
    assert verify(model).passed and verify_source(source, model).passed
    report = verify_source(source.replace("mirrored(rng", "(rng"), model)
    assert not report.passed and "S is not symmetric" in report.text()


def test_words_of_python_in_small_letters() -> None:
    with pytest.raises(ModelError, match=r"'true' is not declared\. Did you mean 'True'\?"):
        Model.parse("param w: 3\nloss L = sum(w / sum(w, axis=0, keepdims=true))")
