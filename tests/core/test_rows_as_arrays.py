"""Rows have the methods and operators of arrays, with NumPy's meaning; models can be copied and pickled."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symbackprop
from symbackprop import derive
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from tests.core.helpers import close, value

RNG = np.random.default_rng(1)
NUMBERS: dict[str, Any] = {"A": RNG.normal(size=(4, 3)), "v": RNG.normal(size=3), "T": RNG.normal(size=(2, 3, 4)),
                           "s": np.float64(0.7)}
Call = Callable[[Any, Any, Any, Any], Any]


def rows() -> list[Any]:
    m = Model("m")
    n, d = m.dims("N D")
    return [m.data("A", (n, d)), m.data("v", (d,)), m.data("T", (2, 3, 4)), m.data("s")]


CALLS: list[Call] = [
    lambda A, v, T, s: (A @ v).sum() + A.mean() + A.max() - A.min() + v.prod(),
    lambda A, v, T, s: A.sum(axis=0) + A.mean(0) + A.std(axis=0) + A.var(axis=0, ddof=1),
    lambda A, v, T, s: A.sum(axis=1, keepdims=True) * A.max(axis=-1, keepdims=True),
    lambda A, v, T, s: A.dot(v), lambda A, v, T, s: A.T.dot(A), lambda A, v, T, s: A.reshape(-1),
    lambda A, v, T, s: T.reshape(3, 8) + T.reshape((3, 8)), lambda A, v, T, s: A.transpose(),
    lambda A, v, T, s: T.transpose(2, 0, 1), lambda A, v, T, s: T.swapaxes(0, 2), lambda A, v, T, s: A.flatten(),
    lambda A, v, T, s: A.ravel(), lambda A, v, T, s: A.cumsum(axis=1) + A.cumprod(axis=1),
    lambda A, v, T, s: A.clip(-0.5, 0.5) + A.clip(min=0), lambda A, v, T, s: T[:, :, :1].squeeze(2),
    lambda A, v, T, s: A.astype(float) + A.copy(), lambda A, v, T, s: A.argmax(axis=1) + 0.5,
    lambda A, v, T, s: T[0, :, :3].trace() + T[0, :, :3].diagonal(), lambda A, v, T, s: A.round(1),
    lambda A, v, T, s: A.repeat(2, axis=0),
    lambda A, v, T, s: A.size * A, lambda A, v, T, s: A % 0.3 + A // 0.3 + 2 % A,
    lambda A, v, T, s: ((A > 0) & (A < 1)) + 2.0 * ((A > 1) | (A < -1)) + 3.0 * ~(A > 0),
    lambda A, v, T, s: divmod(A, 0.3)[0] - divmod(A, 0.3)[1],
    lambda A, v, T, s: sum(x * (k + 1) for k, x in enumerate(T)),
    lambda A, v, T, s: len(T) * T, lambda A, v, T, s: T * [1, 2, 3, 4], lambda A, v, T, s: [[s], [2]] * T[0, :2],
]
if hasattr(np.ndarray, "mT"):  # of NumPy 2
    CALLS.append(lambda A, v, T, s: T.mT)


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_methods_and_operators_are_those_of_arrays(number: int) -> None:
    close(value(CALLS[number](*rows()), **NUMBERS), np.asarray(CALLS[number](*NUMBERS.values()), dtype=float), 1e-12)


def test_methods_of_tensors_are_read_too() -> None:
    A, v, *_ = rows()
    assert str(A.sum(dim=1, keepdim=True)) == "sum(A, axis=-1, keepdims=True)"
    assert str(A.view(-1)) == str(A.reshape(-1)) and A.relu() is symbackprop.relu(A)
    assert A.matmul(v) is A @ v


REFUSED: dict[str, tuple[type[Exception], Call]] = {
    "a row has no 'meen'": (AttributeError, lambda A, v, T, s: A.meen()),
    "sort changes an array in place": (AttributeError, lambda A, v, T, s: v.sort()),
    "relu_ changes an array in place": (AttributeError, lambda A, v, T, s: A.relu_()),
    "it has N entries, which is no number yet": (TypeError, lambda A, v, T, s: list(A)),
    "it has D entries": (TypeError, lambda A, v, T, s: len(v)),
    "SymPy does not see what a row is computed from": (TypeError, lambda A, v, T, s: sp.diff(A, s)),
    "a row without axes has no length": (TypeError, lambda A, v, T, s: len(s)),
    "&, | and ~ are of conditions": (ModelError, lambda A, v, T, s: A & v),
    "'a' .str. is neither a row nor a number": (ModelError, lambda A, v, T, s: A * ["a", "b"]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_rows_have_not_is_refused(message: str) -> None:
    kind, call = REFUSED[message]
    with pytest.raises(kind, match=message):
        call(*rows())


def test_sizes_may_be_given_by_their_names() -> None:
    m = Model("m")
    X, y, w = m.data("X", ("N", 3)), m.data("y", "N"), m.param("w", "3 x D")
    assert m.text().splitlines()[1:] == ["dim N", "data X: N x 3, y: N", "dim D", "param w: 3 x D"]
    assert (X @ w).shape[0] == y.shape[0] and m.data("s", "").shape == ()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), copy.copy])
def test_models_are_copied(copied: Callable[[Model], Model]) -> None:
    model = Model.parse("# name: net\ndim N\ndata x: N\nparam w, u\nconvention relu0 = 1\n"
                        "loss L = mean(ln(1 + relu(w*x*u))**2)")
    other = copied(model)
    assert other.text() == model.text() and other.name == "net" and other.remarks == model.remarks != []
    assert derive(other).text() == derive(model).text()


def test_a_name_of_the_package_that_is_mistyped_is_told() -> None:
    with pytest.raises(AttributeError, match=r"'sigmod'. Did you mean 'sigmoid'"):
        symbackprop.__getattr__("sigmod")


@pytest.mark.parametrize("function", [math.exp, float, int, complex])
def test_a_row_has_no_number(function: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="a row is symbolic and has no number yet"):
        function(rows()[3])


def test_a_bound_may_be_given_by_its_name() -> None:
    m = Model("m")
    m.data("y", "N", below="C")
    assert m.text() == "# name: m\ndim C, N\ndata y: N int < C\n"


def test_the_body_of_a_loop_returns_two_things() -> None:
    _, v, _, s = rows()
    with pytest.raises(ModelError, match="returns two things, the next carry and what to stack"):
        symbackprop.scan(lambda carry, element: carry, s, v)
