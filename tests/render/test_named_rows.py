"""What named rows and gradients are called in printed steps."""

from __future__ import annotations

from symbackprop.derive import derive
from symbackprop.model.text import parse

LOGISTIC = "data y\nparam z\na = sigmoid(z)\nloss L = -(y * log(a) + (1 - y) * log(1 - a))"


def test_a_forward_row_is_not_called_by_a_gradient_that_equals_it() -> None:
    d = derive(parse("param w\nb = 2*w\nloss L = exp(b) + w"))
    assert "L = e^b + w" in d.text() and "dL/db = e^b" in d.text()
    assert "sign(x)ᵀ x" in derive(parse("dim N\nparam x: N\nloss L = sum(sign(x)*x)")).text()


def test_an_immediate_partial_says_which_named_quantities_are_held_fixed() -> None:
    text = " ".join(derive(parse(LOGISTIC)).text().split())
    assert "dL/db·∂b/∂a·da/dz + ∂L/∂a·da/dz" in text
    assert "; b held fixed" in text and "log(a)" not in text.split("held fixed")[0].split(";")[-1]


def test_a_gradient_that_is_another_one_is_written_out_once() -> None:
    text = derive(parse("dim N\nparam x: N\ndata z: N\ny = x + z\nloss L = sum(y**2)")).text()
    assert "= 2y   " in text and "2·2y" not in text
    text = "dim N, M\nparam A: N x N, B: N x M\nv = einsum('ij,kl->il', A, B)\nloss L = sum(v)"
    assert "written out" not in derive(parse(text)).text()


def test_conventions_of_norms_and_elu_are_stated_where_they_occur() -> None:
    said = "the gradient of a norm"
    assert said in derive(parse("dim N\nparam x: N\nloss L = norm(x)")).text().replace("\n", " ")
    assert "ELU′(0) is the second argument" in derive(parse("dim N\nparam x: N\nloss L = sum(elu(x))")).text()
    assert said not in derive(parse(LOGISTIC)).text()


def test_the_index_view_tells_the_direct_part_from_the_whole() -> None:
    model = parse("dim N\nparam x: N\nloss L = sum(abs(x)*x) + sum(abs(x))**2")
    lines = [line.strip() for line in derive(model).text(view="index").splitlines()]
    assert any(line.startswith("(∂L/∂a_i)_direct = Σ_n x_n·1[n = i]") for line in lines)
    assert not any(line.startswith("∂L/∂a_i") and "= x_i " in line for line in lines)
