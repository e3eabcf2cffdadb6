"""Numbers put in: reading them and writing them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from symbackprop.core.maths import Rounded
from symbackprop.derive import derive
from symbackprop.errors import ModelError, ShapeError, UsageError
from symbackprop.model import Model, zoo
from symbackprop.model.text import to_text
from symbackprop.render.board import build_document
from symbackprop.render.context import Context
from symbackprop.render.document import Document
from symbackprop.render.forward import Forward
from symbackprop.render.numbers import Numbers, read_at, values_at
from symbackprop.render.options import Options
from symbackprop.render.print.latex import latex
from symbackprop.render.print.text import text
from symbackprop.render.symbols import Located, Symbols, locate
from symbackprop.render.views.terms import Terms
from symbackprop.verify.values import infer_sizes
from tests.render.helpers import built, derivation


@pytest.mark.parametrize(("value", "shown"), [
    (3.0, "3"), (-12.0, "−12"), (0.196611, "0.197"), (-0.2, "−0.200"), (1e-7, "1.000·10⁻⁷"), (2.5e12, "2.500·10¹²"),
    (float("inf"), "∞"), (float("-inf"), "−∞"), (float("nan"), "nan"), (-0.0, "0"), (0.0004, "4.000·10⁻⁴"),
])
def test_a_number(value: float, shown: str) -> None:
    assert text(Rounded(value, 3)) == shown


def test_the_same_in_latex() -> None:
    assert latex(Rounded(1e-7, 2)) == r"1.00 \cdot 10^{-7}"
    assert latex(Rounded(((1.0, -0.5),), 1)) == r"\begin{bmatrix} 1 & -0.5 \end{bmatrix}"


def test_small_matrices_have_tall_brackets() -> None:
    assert text(Rounded(((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)), 1)) == "⎡1  2⎤\n⎢3  4⎥\n⎣5  6⎦"


def test_values_on_the_command_line() -> None:
    assert read_at("x=.5, W=[[1, 2], [3, -4]]") == {"x": 0.5, "W": [[1, 2], [3, -4]]}
    assert read_at("h[0]=1") == {"h0": 1}


MALFORMED = ["x", "x=", "x=a", "x=__import__('os')", "x=[1", "x=1,x=2", "=1", "x=1e999,", "x=lambda: 1"]


@pytest.mark.parametrize("given", MALFORMED)
def test_malformed_values_are_a_usage_error(given: str) -> None:
    with pytest.raises(UsageError, match="--at"):
        read_at(given)


def test_values_from_files(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({"x": 0.5, "w": [1, 2]}))
    np.savez(tmp_path / "v.npz", x=np.array(0.5))
    assert read_at(str(tmp_path / "v.json")) == {"x": 0.5, "w": [1, 2]}
    assert float(read_at(str(tmp_path / "v.npz"))["x"]) == 0.5


UNREADABLE = [("v.json", "[1]"), ("v.json", "{"), ("v.npz", "no archive"), ("v.json", None)]


@pytest.mark.parametrize(("name", "content"), UNREADABLE)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: str | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="cannot read"):
        read_at(str(path))


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", x=np.array([object()], dtype=object))
    with pytest.raises(UsageError, match="cannot read"):
        read_at(str(tmp_path / "v.npz"))


@pytest.mark.parametrize(("values", "message"), [
    ({"x": 1, "z": 2, "w1": 1, "w2": 1, "y": 1}, "no data or parameter 'z'"),
    ({"x": 1}, "no value is given for y, w1, w2"),
])
def test_names_that_do_not_fit(values: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_document(derivation("two-weight-tanh"), Options(values=values))


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ModelError, match="W has shape"):
        build_document(derivation("squared-norm"), Options(values={"W": [1.0, 2.0], "x": [1.0, 2.0]}))


def test_large_arrays_are_not_printed() -> None:
    model = Model.parse("dim N\ninput x: N\nloss f = sum(x**2)")
    doc = build_document(derive(model), Options(values={"x": list(range(50))}))
    (x,) = doc.declarations
    assert x.value is not None and x.value.shown is None and x.value.data[49] == 49.0


SCALARS = [n for n in zoo.names() if built(n).example and built(n).loss_row is not None
           and not any(leaf.shape for leaf in built(n).leaves().values())
           and all(not r.shape for r in derivation(n).forward)]


@pytest.mark.parametrize("name", SCALARS)
def test_every_printed_product_of_factors_has_the_value_of_the_gradient(name: str) -> None:
    """The factors of the chain, multiplied out, are the gradient that the sweep found."""
    d = derivation(name)
    located, forward = locate(d.steps), Forward(d)
    numbers = Numbers(d, d.model.example, {}, 6)
    rows = Symbols(d, forward.anchors, deltas=False, partial=False).rows(located)
    terms = Terms(Context(d, rows, located, forward.numbers, numbers, "shape"))
    for s in located:
        assert isinstance(s, Located)
        product = numbers.factor(terms.folded(terms.of(s)))
        total = numbers.of(s.step.total)
        assert product is not None and total is not None
        assert product.data == pytest.approx(total.data, rel=1e-12, abs=1e-15)
        terms.settle(s)


def test_the_upstream_gradient_of_a_scalar_is_one_unless_given() -> None:
    d = derivation("max-gate")
    values = {k: v for k, v in d.model.example.items() if k != "dm"}
    doc = build_document(d, Options(values=values))
    assert [s.value.data for s in doc.steps if s.value is not None] == [1.0, 1.0, 0.0]


def with_rate(text: str, lr: float, steps: int = 1, **values: object) -> Document:
    d = derive(Model.parse(text))
    return build_document(d, Options(values=values, lr=lr, steps=steps, digits=6))


def test_a_central_difference_stands_beside_every_gradient() -> None:
    doc = build_document(derive(Model.parse("param w, v: 2\ndata x: 2\nloss L = (w * (v @ x))**2")),
                         Options(values={"w": 2.0, "v": [1.0, -1.0], "x": [3.0, 0.5]}))
    told = {text(c.left): (c.value.data, c.reason) for c in doc.checks if c.left is not None and c.value is not None}
    assert list(told) == ["∂L/∂w", "∂L/∂v"]
    assert np.allclose(told["∂L/∂w"][0], 2 * 2 * 2.5**2) and np.allclose(told["∂L/∂v"][0], [2 * 5 * 6, 2 * 5])
    assert all(float(str(reason[0]).split()[1]) < 1e-6 for _, reason in told.values())


def test_a_difference_disagrees_where_the_derivative_is_a_convention() -> None:
    doc = build_document(derive(Model.parse("param w\nloss L = relu(w)")), Options(values={"w": 0.0}))
    assert doc.checks[0].reason == ("error 5.0e-01; a kink, where the slopes on both sides differ",)


@pytest.mark.parametrize(("loss", "w"), [("exp(3 * w)", 3.0), ("abs(w)", 1e-3), ("relu(w)**2", 0.0), ("w**8", 7.0)])
def test_a_smooth_place_is_no_kink(loss: str, w: float) -> None:
    doc = build_document(derive(Model.parse(f"param w\nloss L = {loss}")), Options(values={"w": w}))
    assert "kink" not in str(doc.checks[0].reason)


def test_differences_of_a_layer_weigh_its_outputs() -> None:
    d = derive(Model.parse("input x: 2\noutput y = x**2"))
    doc = build_document(d, Options(values={"x": [1.0, 2.0], "dy": [3.0, 5.0]}))
    value = doc.checks[0].value
    assert value is not None and np.allclose(value.data, [6.0, 20.0])


def test_there_are_no_differences_without_numbers_or_of_large_arrays() -> None:
    d = derive(Model.parse("param w: 50\nloss L = sum(w**2)"))
    assert not build_document(d, Options()).checks
    assert not build_document(d, Options(values={"w": [1.0] * 50})).checks


def test_gradient_descent_in_numbers() -> None:
    doc = with_rate("param w\nloss L = w**2", 0.25, 2, w=4.0)
    values = [line.value.data for line in doc.updates if line.value is not None]
    assert np.allclose(values, [2.0, 16.0, 4.0, 1.0])
    assert not any("overshoots" in str(line.reason) for line in doc.updates)


def test_a_step_that_overshoots_is_told() -> None:
    doc = with_rate("param w\nloss L = w**2", 1.5, 2, w=1.0)
    assert [line.reason for line in doc.updates[1:]] == [
        ("before",), ("after 1 step: it has grown, the step overshoots",),
        ("after 2 steps: it has grown, the step overshoots",)]


def test_a_rate_without_numbers_is_refused() -> None:
    with pytest.raises(UsageError, match="--at"):
        Options(lr=0.1)


@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_is_a_positive_number(lr: float) -> None:
    with pytest.raises(UsageError, match="positive number"):
        Options(values={}, lr=lr)


def test_what_is_no_number_any_more_does_not_overshoot() -> None:
    doc = with_rate("param w\nloss L = log(w)", 4.0, 1, w=1.0)
    assert doc.updates[-1].reason == ("after 1 step: no number any more",)


def test_the_example_of_a_model() -> None:
    assert values_at("example", zoo.build("cube")) == {"x": 4}
    assert values_at(None, zoo.build("cube")) is None
    with pytest.raises(UsageError, match="carries no example"):
        values_at("example", zoo.build("gpt"))


@pytest.mark.parametrize("text", ["a=1/3,b=[pi/2, -sqrt(4)]", "a = 1/3; b = [pi/2, -2];", "a=1/3  b=[pi/2,-2.0]"])
def test_values_as_people_write_them(text: str) -> None:
    assert read_at(text) == {"a": 1 / 3, "b": [math.pi / 2, -2]}


@pytest.mark.parametrize(("text", "message"), [
    ("a=[1 2; 3 4]", "without semicolons; give x=.5,W="), ("a=[1 -2]", "expected ','"), ("a=one", "expected a number"),
    ("a=sqrt(-1)", "column 3 has no value"), ("a=1/0", "no value"), ("a=9^9^9", "beyond"), ("a=1e300*1e300", "beyond"),
])
def test_values_that_are_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        read_at(text)


@pytest.mark.parametrize(("value", "message"), [
    (1, "X has shape (), expected N x D"), ([[1, 2], [3]], "its lists have different lengths"),
])
def test_an_array_of_another_rank_is_told_its_shape(value: object, message: str) -> None:
    model = Model.parse("dim N, D\nparam X: N x D\nloss L = sum(X^2)")
    with pytest.raises(ShapeError, match=re.escape(message)):
        infer_sizes(model.leaves().values(), {"X": value}, {})


def test_whole_numbers_that_are_long_have_a_power_of_ten() -> None:
    """1e300 was printed, and written as model text, with 301 digits."""
    given = "param w\nloss L = 1e20 * w**2 + maximum(w, -1.5e300) + 1234567890123456 * w"
    model = Model.parse(given)
    printed, latex = derive(model).text(), derive(model).latex()
    assert "10²⁰ w²" in printed and "−1.5·10³⁰⁰" in printed and "1234567890123456 w" in printed
    assert r"10^{20}" in latex and "00000" not in printed + latex
    assert to_text(model).splitlines()[-1] == given.splitlines()[-1]
