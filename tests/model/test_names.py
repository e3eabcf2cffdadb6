"""Names are barriers: a named row is an operand of its own.

Property: the gradient of an intermediate is that of the same text in which its equation is replaced by a parameter.
The long run:

    SYMBACKPROP_EXAMPLES=3000 python -m pytest tests/model/test_names.py
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.core import functions as F
from symbackprop.core.reverse import grad
from symbackprop.derive import derive
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verify.interpreter import evaluate

EXAMPLES = int(os.environ.get("SYMBACKPROP_EXAMPLES", "60"))
LOGISTIC = "data y\nparam z\na = sigmoid(z)\nloss L = -(y * log(a) + (1 - y) * log(1 - a))"
SOFTMAX = "dim N, K\ndata t: N x K\nparam z: N x K\np = softmax(z)\nloss L = "
LOOP = """dim T
param w, h[0]
for t in 1..T:
    a[t] = w*h[t-1]
    b[t] = w*h[t-1]
    h[t] = a[t] + 2*b[t]
loss L = h[T]"""
LAST = """dim T
data c: T
param w
h[0] = w
for t in 1..T:
    h[t] = tanh(c[t] * h[t-1])
"""
ONE_STEP, H = {"c": np.array([0.9]), "w": 0.5}, np.tanh(0.45)
Z, T = np.array([[0.3, -1.2, 0.5], [1.0, 0.1, -0.4]]), np.array([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
P = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)


def gradient(text: str, of: str, **at: object) -> np.ndarray:
    model = parse(text)
    return np.asarray(evaluate([derive(model, [of]).gradients[of]], at)[0])


CASES = {
    "logistic": (LOGISTIC, "a", {"y": 0.25, "z": 0.7}, -(0.25 / 0.66818777 - 0.75 / 0.33181223)),
    "mean log softmax": (SOFTMAX + "-mean(sum(t*log(p), axis=1))", "p", {"t": T, "z": Z}, -T / P / 2),
    "two readers": (SOFTMAX + "-sum(t*log(p)) + sum(p**2)", "p", {"t": T, "z": Z}, 2 * P - T / P),
    "equal products": ("param w, x\np = w*x\nq = w*x\nloss L = p*q", "p", {"w": 2.0, "x": 3.0}, 6.0),
    "written again": ("param w, x\na = w*x\nloss L = (w*x)**2 + a", "a", {"w": 2.0, "x": 3.0}, 1.0),
    "written before": ("param x\ny = exp(x) + sin(x)\ne = exp(x)\nloss L = y*e", "e", {"x": 0.0}, 1.0),
    "a number": ("dim N\nparam x: N\nz = zeros(N)\nloss L = sum((x + z)**2)", "z", {"x": np.array([1.0, 2.0])}, [2, 4]),
    "identity": ("dim N\nparam A: N x N\nI = eye(N)\nloss L = sum(A @ I)", "I", {"A": np.eye(2)}, np.ones((2, 2))),
    "a last state": (LAST + "e = h[T]\nloss L = sin(e) * h[T]", "e", ONE_STEP, np.cos(H) * H),
    "a last state read before": (LAST + "r = h[T]**2\ne = h[T] + 0*w\nloss L = e*r", "e", ONE_STEP, H**2),
    "in a loop": (LOOP, "w", {"w": 1.0, "h0": 1.0, "T": 2}, 18.0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_named_row_is_an_operand_of_its_own(name: str) -> None:
    text, of, at, expected = CASES[name]
    sizes = {n: at[n] for n in at if n.isupper() and len(n) == 1 and n != "A"}
    rows = [derive(parse(text), [of]).gradients[of]]
    found = evaluate(rows, {n: v for n, v in at.items() if n not in sizes}, sizes)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_equal_rows_with_two_names_print_as_declared() -> None:
    printed = derive(parse("param w, x\np = w*x\nq = w*x\nloss L = p*q")).text()
    assert "q = w·x" in printed and "dL/dp = q" in printed and "dL/dq = p" in printed


def test_a_difference_of_equal_rows_is_a_zero_of_their_kind() -> None:
    real = parse("param p\nk = p - p\nloss L = k*p")
    whole = parse("dim N\ndata y: N int < 3\nk = y - y\noutput Y = k*2.5")
    assert real.equations["k"].kind == "float" and whole.equations["k"].kind == "int"
    assert evaluate([derive(real, ["k"]).gradients["k"]], {"p": 3.0}) == [3.0]


def test_a_whole_number_with_a_name_is_still_an_index() -> None:
    model = parse("dim N\nparam E: N x 3\nk = 2\nloss L = sum(E[k])")
    found = evaluate(list(derive(model).gradients.values()), {"E": np.zeros((4, 3))})[0]
    np.testing.assert_array_equal(found, np.eye(4)[2][:, None] * np.ones(3))


def test_python_names_the_row_that_the_user_holds() -> None:
    model = Model()
    x = model.param("x", (2,))
    a = x * 3
    h = F.tanh(a)
    named = model.let("a", a)
    assert named is a and h.args == (a,)
    again = model.let("h", F.tanh(a))
    assert again is h
    other = F.exp(x)
    reader = other + h
    assert model.let("e", F.exp(x)) is not other and reader.args[0] is other


def test_a_sweep_reads_the_named_row_that_it_needs() -> None:
    model = parse("dim N\nparam z: N\np = softmax(z)\nloss L = logsumexp(z)")
    assert grad(model.equations["L"], [model.params["z"]]) == [model.equations["p"]]


TERMS = ("w*x", "exp(w)", "w + x", "sin(x)", "{0}*{1}", "tanh({0})", "{0} - {1}", "(w*x)^2 + {0}", "log(1 + exp({0}))",
         "sigmoid({0})", "log(sigmoid({0}))", "exp(w)*{1}")


@settings(max_examples=EXAMPLES)
@given(st.lists(st.sampled_from(TERMS), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_gradient_of_an_intermediate_is_that_of_a_parameter_in_its_place(terms, random) -> None:
    names, lines = ["w", "x"], []
    for k, term in enumerate(terms):
        lines.append(f"n{k} = {term.format(*random.choices(names, k=2))}")
        names.append(f"n{k}")
    total = " + ".join(random.choices([*TERMS[:4], *names], k=3)) + f" + {names[-1]}*{random.choice(names)}"
    k = random.randrange(len(terms))
    declared = parse("\n".join(["param w, x", *lines, f"loss L = {total}"]))
    open_ = [line for i, line in enumerate(lines) if i != k]
    replaced = parse("\n".join([f"param w, x, n{k}", *open_, f"loss L = {total}"]))
    at = {"w": 0.7, "x": -0.4}
    at_k = {**at, f"n{k}": evaluate([declared.equations[f"n{k}"]], at)[0]}
    expected = evaluate([derive(replaced, [f"n{k}"]).gradients[f"n{k}"]], at_k)[0]
    np.testing.assert_allclose(evaluate([derive(declared, [f"n{k}"]).gradients[f"n{k}"]], at)[0], expected, rtol=1e-10)


@pytest.mark.parametrize("number", ["const T = 4", "T = 4", "n = 2\nT = 2*n", "T = 3\nT = 4"])
def test_a_number_with_a_name_is_a_size(number: str) -> None:
    """T was an array, not a dimension."""
    model = parse(f"{number}\nparam X: T x T + 1\nloss L = sum(X)")
    assert [*map(int, model.params["X"].shape)] == [4, 5]


def test_a_number_that_is_no_size_is_none() -> None:
    with pytest.raises(ModelError, match="a size is a whole number"):
        parse("const r = 0.5\nparam X: r\nloss L = sum(X)")
