"""The public names are what they say, in whatever order they are imported."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import pytest

NAMES = ("Model", "derive", "codegen", "verify")


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES))[::9], ids="-".join)
def test_public_names_are_not_replaced_by_subpackages(order: tuple[str, ...]) -> None:
    lines = [f"from symbackprop import {name}" for name in order]
    lines += [f"import symbackprop.{name}" for name in order if name != "Model"]
    lines += ["import symbackprop.derive.steps, types, symbackprop"]
    lines += [f"assert callable(symbackprop.{name}) and not isinstance({name}, types.ModuleType)" for name in NAMES]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_functions_of_the_language_are_public() -> None:
    import symbackprop

    assert symbackprop.relu is not None and symbackprop.mean(leaf()).shape == ()
    with pytest.raises(AttributeError, match="no attribute 'rellu'"):
        symbackprop.rellu  # noqa: B018


def leaf() -> Any:
    from symbackprop import Model

    return Model("m").data("x", (3,))


def test_what_is_public_is_listed_and_can_be_imported() -> None:
    import symbackprop

    assert {*NAMES, "load", "scan", "grad", "lstm_cell", "gru_cell", "relu", "conv2d"} <= set(dir(symbackprop))
    assert all(callable(getattr(symbackprop, name)) for name in dir(symbackprop) if name != "__version__")


def test_a_loop_in_python_reads_like_one_in_text() -> None:
    from symbackprop import Model, grad, mean, scan, tanh

    m = Model("rnn")
    T, H = m.dims("T H")
    x, h0, u = m.data("x", (T, H)), m.data("h0", (H,)), m.param("u", (H,))
    (last,), _ = scan(lambda carry, element: (tanh(element[0] + u * carry[0]),) * 2, h0, x, names=["h"])
    m.loss("L", mean(last**2))
    assert "    h[t] = tanh(x[t] + u * h[t-1])\nloss L = mean(h[T]**2)" in m.text()
    assert [g.shape for g in grad(m.loss_row, [u])] == [u.shape]
    backwards, _ = scan(lambda carry, element: (element[0] * carry[0],) * 2, h0, x, reverse=True, names=["b"])
    m.let("first", backwards[0])
    assert "b[t] = x[t] * b[t+1]" in m.text()


def test_a_row_says_what_it_computes() -> None:
    from symbackprop import Model, derive, load, tanh

    m = Model("net")
    x, y, w = m.data("x"), m.data("y"), m.param("w")
    o = m.let("o", tanh(w * x))
    m.loss("L", (y - o) ** 2 / 2)
    assert [str(row) for row in (x, o, derive(m).gradients["w"])] == ["x", "tanh(w * x)", "(-(y - o)) * (1 - o**2) * x"]
    assert str(derive(load("rnn-lm")).gradients["C"]) == "scatter_add(… @ W_e.T, words, V)"


SLIPS = [
    ("m.data('z', m.dim('N'))", r"a shape is a tuple of sizes, such as \(N, D\) or \(N,\), not N"),
    ("derive(m).text(view='jacobain')", "view is one of auto, scalar, index, .* Did you mean 'jacobian'"),
    ("derive(m).latex(detail='breif')", "detail is one of brief, full, not 'breif'. Did you mean 'brief'"),
    ("derive(m).markdown(layout='row')", "layout is one of shape, jacobian, not 'row'"),
    ("verify(m, method='slow')", "method is auto, central or complex, not 'slow'"),
    ("codegen(m, optimizer='adan')", "Did you mean 'adam'"),
    ("codegen(m, dtype='half')", "dtype is float64 or float32"),
    ("load('two-weigth-tanh')", "Did you mean 'two-weight-tanh'"),
]


@pytest.mark.parametrize(("line", "message"), SLIPS)
def test_slips_in_python(line: str, message: str) -> None:
    from symbackprop import Model, codegen, derive, load, tanh, verify
    from symbackprop.errors import SymbackpropError

    m = Model("net")
    m.loss("L", tanh(m.param("w")))
    with pytest.raises(SymbackpropError, match=message):
        eval(line, {"m": m, "codegen": codegen, "derive": derive, "load": load, "verify": verify})


def test_a_model_without_parameters_says_so() -> None:
    from symbackprop import Model, derive

    m = Model("none")
    m.loss("L", m.data("x") ** 2)
    assert "Gradients of L: there is nothing to take them of." in derive(m).text()
