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

    known = {*NAMES, "load", "scan", "grad", "jvp", "flat", "hessian", "jacobian", "lstm_cell", "gru_cell", "relu"}
    assert known <= set(dir(symbackprop))
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


def test_a_star_brings_the_public_names() -> None:
    code = "from symbackprop import *\nm = Model('m')\nm.loss('L', mean(relu(m.param('w', (3,)))))\nderive(m)"
    code += "\nassert {*dir(__import__('symbackprop'))} - {'__version__'} <= {*globals()}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys, symbackprop\nassert not {'sympy', 'numpy', 'jinja2'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_dimension_by_itself_or_unpacked() -> None:
    import pickle

    import sympy as sp

    from symbackprop import Model

    N, (D,), (K,), (E, F) = (Model("m").dims(names) for names in ("N", "D", ["K"], "E, F"))
    for dim in (N, D, K, E, F):
        plain = sp.Symbol(dim.name, integer=True, positive=True)
        assert dim == plain == dim and hash(dim) == hash(plain) and dim - plain == 0 and dim != sp.Symbol(dim.name)
        assert pickle.loads(pickle.dumps(dim)) == plain and str(sp.Tuple(dim)) == f"({dim.name},)"
    with pytest.raises(Exception, match="a size is given for 'Q'"):
        Model("m").dims("N D", Q=3)


def test_a_loss_that_is_given_alone_is_called_l() -> None:
    from symbackprop import Model
    from symbackprop.errors import ModelError

    named, alone = Model("m"), Model("m")
    named.loss("L", named.param("w", "N").sum())
    assert alone.loss(alone.param("w", "N").sum()).name == "L" and alone.text() == named.text()
    for nothing in ("L", None):
        with pytest.raises(ModelError, match="neither a row nor a number"):
            Model("m").loss(nothing)  # type: ignore[arg-type]


def test_options_by_the_words_of_pytorch_and_no_generators() -> None:
    from symbackprop import Model, softmax, sum

    A = Model("m").data("A", "(N, D)")
    assert softmax(A, dim=0) is softmax(A, axis=0) and sum(A, dim=1, keepdim=True).shape == A.sum(1, True).shape
    with pytest.raises(TypeError, match="a generator is no array: give a list"):
        sum(A[k] for k in range(3))
    with pytest.raises(TypeError, match="dim is PyTorch's word for axis, which is given too"):
        softmax(A, dim=0, axis=1)


def test_a_seed_in_place_of_a_generator() -> None:
    import numpy as np

    from symbackprop import codegen

    space: dict[str, Any] = {}
    exec(codegen("dim D\ndata x: D\nparam W: D x D, b: D\nloss L = sum(W @ x + b)\n"), space)
    seeded, drawn = space["init_params"](0, D=3), space["init_params"](np.random.default_rng(0), D=3)
    assert all(np.array_equal(seeded[n], drawn[n]) for n in drawn)
    with pytest.raises(ValueError, match="rng has to be"):
        space["init_params"]("zero", D=3)


SLIPS = [
    ("grad(v, [w])", "not a scalar .*: give its upstream gradient as seed="),
    ("grad(v, [w], seed=A)", "seed is the upstream gradient of v and has its shape, 3, not 3 x 3"),
    ("grad(v, [w], seed=1)", "seed is the upstream gradient of v and has its shape, 3, not scalar"),
    ("grad(L, w)", r"grad takes a row and a list of rows, as in grad\(L, \[w\]\)"),
    ("grad(L, ['w'])", "grad takes a row and a list of rows"),
    ("v[v > 0]", r"v\[v > 0\] would choose entries by truth values.*write where\(v > 0, v, 0\)"),
    ("A[:, v > 0]", r"write where\(v > 0, A, 0\)"),
    ("A[A > 0]", r"write where\(A > 0, A, 0\)"),
    ("v[[True, False, True]]", r"write where\(mask, v, 0\)"),
    ("v[np.array([True, False, True])]", r"write where\(mask, v, 0\)"),
    ("Model.parse('dim N\\ndata x: N\\noutput Y = x[x > 0]')", r"3: .*write where\(x > 0, x, 0\)"),
    ("v[True]", "would choose entries by truth values"),
    ("v[np.array([[0, 1]])]", "declare it as integer data"),
    ("A[[0, 1], [0, 1, 2]]", "lists of 2 and 3 places are taken together, .*: they need the same length"),
    ("A[[2, 0], m.data('y', (2,), below=3)]", "a list of places stands beside integer data"),
    ("m.data('X', '(3, 3)')[[0], :, None, [1]]", "too many indices|a slice stands between"),
    ("A[:, [0], ..., [1]]", "too many indices|a slice stands between"),
    ("A[None, [0], ..., [1]]", "a slice stands between"),  # axes were where NumPy moves them from
    ("A[[], []]", "lists of 0 and 0 places"),
    ("A * np.ones((1, 3)).view(np.matrix)", "a matrix cannot be part of a model"),  # was by entries
    ("v * np.ones(65)", "a ndarray cannot be part of a model, as an array of up to 64 .* can: declare it with data"),
    ("v * np.array([True, False, True])", "cannot be part of a model, as an array of .* integers or floats can"),
    ("A.item()", r"cannot reshape A \(3 x 3\) to scalar"),
    ("one_hot(m.data('k', (3,), below=3), '3')", "'3' .str. is neither a row nor a number"),  # SymPy evaluated it
    ("cross_entropy(A, v)", "v is used as an index but is not integer data: declare it as `int < 3`"),
    ("take_along_axis(A, A > 0)", "holds truth values and is no index"),
    *((f"{called}, trials={k})", f"trials is a whole number, 1 or more, not {k}")
      for called in ("verify(m", "check(m, lambda w: w") for k in (0, -3, 1.5)),  # 0 was 5, or an IndexError
    *((f"{called}, seed={k})", f"the seed is a whole number, 0 or more, not {k}")
      for called in ("verify(m", "check(m, lambda w: w") for k in (-1, "'a'")),
    ("verify(m, sizes=3)", "sizes is a mapping by name, not 3"),
    ("check(m, lambda w: w, tolerance='a')", "the tolerance has to be positive, not a"),
    *((f"Model.parse({k})", f"model text is a string, not {k}") for k in ("3", "b'param w'", "None")),
    ("m.dims(3)", "names are a list or a text, such as 'W1 b1', not 3"),
    ("derive(m, wrt=3)", "names are a list or a text, such as 'W1 b1', not 3"),
    ("m.dim(3)", "a name is a text, not 3"), ("m.data(3)", "a name is a text, not 3"),
    ("m.data('n', None)", r"a shape is a tuple of sizes, such as \(N, D\) or \(N,\), not None"),
    ("derive(3)", "a Model, the name or the text of one, or a SymPy expression"),
    ("derive('text')", "no built-in model 'text'"),
    ("m.data('z', m.dim('N'))", r"a shape is a tuple of sizes, such as \(N, D\) or \(N,\), not N"),
    ("m.data('q', ')N(')", "is not a name"),
    ("m.data('q', ',,')", "is not a name"),
    ("derive(m).text(view='jacobain')", "view is one of auto, scalar, index, .* Did you mean 'jacobian'"),
    ("derive(m).latex(detail='breif')", "detail is one of board, brief, full, not 'breif'. Did you mean 'brief'"),
    ("derive(m).markdown(layout='row')", "layout is one of shape, jacobian, not 'row'"),
    ("verify(m, method='slow')", "method is auto, central or complex, not 'slow'"),
    ("codegen(m, optimizer='adan')", "Did you mean 'adam'"),
    ("codegen(m, dtype='half')", "dtype is float64 or float32"),
    ("load('two-weigth-tanh')", "Did you mean 'two-weight-tanh'"),
]


@pytest.mark.parametrize(("line", "message"), SLIPS)
def test_slips_in_python(line: str, message: str) -> None:
    import numpy as np

    from symbackprop import (
        Model,
        check,
        codegen,
        cross_entropy,
        derive,
        grad,
        load,
        one_hot,
        take_along_axis,
        tanh,
        verify,
    )
    from symbackprop.errors import SymbackpropError

    m = Model("net")
    w, v, A = m.param("w"), m.data("v", (3,)), m.data("A", (3, 3))
    names = {"m": m, "w": w, "v": v, "A": A, "L": m.loss("L", tanh(w)), "np": np, "grad": grad}
    names |= {"Model": Model, "codegen": codegen, "derive": derive, "load": load, "verify": verify}
    names |= {"check": check, "take_along_axis": take_along_axis, "cross_entropy": cross_entropy, "one_hot": one_hot}
    with pytest.raises(SymbackpropError, match=message):
        eval(line, names)


def test_a_model_without_parameters_says_so() -> None:
    from symbackprop import Model, derive

    m = Model("none")
    m.loss("L", m.data("x") ** 2)
    assert "Gradients of L: there is nothing to take them of." in derive(m).text()
