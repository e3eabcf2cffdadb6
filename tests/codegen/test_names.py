"""Names of models that mean something to Python, NumPy or the module itself; names never meet."""

from __future__ import annotations

import ast
import builtins
import keyword
from pathlib import Path

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.codegen.module import require_imports
from symbackprop.codegen.names import Scope, escape, reserved
from symbackprop.core.functions import sum as total
from symbackprop.core.functions import tanh
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from tests.codegen.helpers import emit, run
from tests.sweeps import few_in_ci

AWKWARD = ["np", "params", "data", "cache", "grads", "upstream", "dtype", "dtypes", "sizes", "arrays", "rng", "dims",
           "forward", "backward", "outputs", "NAME", "MODEL", "PARAMS", "DATA", "DTYPE", "dict", "float", "range",
           "len", "tuple", "set", "map", "type", "print", "softmax", "sigmoid", "scaled", "returned", "check_names",
           "read", "at", "chosen", "t1", "t2", "p", "self", "__name", "loss", "match", "t", "T",
           "S", "I", "E", "O", "C", "pi", "oo", "beta", "gamma", "zeta", "Symbol"]  # the last are names of SymPy
WORDS = sorted({*AWKWARD, *reserved()} - {*keyword.kwlist})
WORDS = [word for word in WORDS if not word.startswith("_") and word != "int"]  # int is a word of the model text
ROLES = {
    "a parameter": "dim N\nparam {0}: N\nloss q = sum({0}**2)",
    "data": "dim N\ndata {0}: N\nparam q: N\nloss Q = sum({0} * q)",
    "an input": "dim N\ninput {0}: N\noutput Q = 2*{0}",
    "a size": "dim {0}\nparam q: {0}\nloss Q = sum(q) / {0}",
    "a row": "dim N\nparam q: N\n{0} = 2*q\nloss Q = sum({0} * q)",
    "a constant": "const {0} = 2\nparam q\nloss Q = q * {0}",
    "a result": "param q\nloss {0} = q**2",
    "an output": "dim N\ninput q: N\noutput {0} = 2*q",
    "a state": "dim N\ndata q: N\nparam v\n{0}[0] = v\nfor i in 1..N:\n    {0}[i] = {0}[i-1] * q[i]\nloss Q = {0}[N]",
    "a counter": "dim N\ndata q: N\nparam v\nh[0] = v\nfor {0} in 1..N:\n    h[{0}] = h[{0}-1] * q[{0}]\nloss Q = h[N]",
}
ARRAYS = {"q", "Q", "v", "h", "i", "N"}


@pytest.mark.parametrize(("role", "target"), few_in_ci(
    [pytest.param(r, t) for r in ROLES for t in ("numpy", "jax")], 3))
def test_any_name_but_a_keyword_can_be_anything(role: str, target: str, tmp_path: Path) -> None:
    """It is refused where it is declared, or the module has it under a name that is free, and its key as declared."""
    pytest.importorskip("jax" if target == "jax" else "numpy")
    for word in sorted({*WORDS[::14], "np", "jnp", "jax", "params", "print", "forward", "match", "sum"} - ARRAYS):
        module = emit(ROLES[role].format(word), tmp_path, target=target)
        declared = {*module.PARAMS, *module.DATA, *module.DIMS, *getattr(module, "OUTPUTS", ()), module.LOSS}
        assert word in declared or role in ("a row", "a constant", "a state", "a counter"), word
    refused = "'{0}' is (a Python keyword|Python, not model text)|{0} is neither"
    for word in ("lambda", "in", "None", "class"):
        with pytest.raises(ModelError, match=refused.format(word)):
            parse(ROLES[role].format(word))


@pytest.mark.parametrize("name", [n for n in AWKWARD if not n.startswith("_")])
def test_any_name_can_be_an_array(name: str, tmp_path: Path) -> None:
    model = Model("awkward")
    size = model.dim("N")
    row = model.param(name, (size,))
    model.loss("L", total(tanh(row) ** 3))
    module = emit(model, tmp_path)
    x = np.array([0.3, -0.7])
    loss, grads = module.loss_and_grads({name: x}, {})
    assert loss == pytest.approx(np.sum(np.tanh(x) ** 3), rel=1e-14)
    np.testing.assert_allclose(grads[name], 3 * np.tanh(x) ** 2 * (1 - np.tanh(x) ** 2), rtol=1e-13)
    assert {name: ("N",)} == module.PARAMS


@pytest.mark.parametrize("name", [n for n in AWKWARD if not n.startswith("_")])
def test_any_name_can_be_a_size_and_an_intermediate(name: str, tmp_path: Path) -> None:
    module = emit(f"dim {name}\nparam x: {name}\nloss L = mean(x**2) + sum(zeros({name}))", tmp_path)
    np.testing.assert_allclose(module.loss_and_grads({"x": np.ones(4)}, {})[1]["x"], 0.5)
    module = emit(f"dim N\nparam x: N\n{name} = x**2\nloss L = sum({name})", tmp_path)
    np.testing.assert_allclose(module.outputs({"x": np.ones(4)}, {})[name], np.ones(4))


def test_all_awkward_names_at_once(tmp_path: Path) -> None:
    model = Model("awkward")
    names = [n for n in AWKWARD if not n.startswith("_")]
    rows = [model.param(n) for n in (*names, *[f"{n}_" for n in names])]
    result = rows[0]
    for row in rows[1:]:
        result = tanh(result * row)
    model.loss("L", result)
    module = emit(model, tmp_path)
    values = {row.name or "": 1.0 + 0.01 * k for k, row in enumerate(rows)}
    expected = values["np"]
    for row in rows[1:]:
        expected = np.tanh(expected * values[row.name or ""])
    loss, grads = module.loss_and_grads(values, {})
    assert loss == pytest.approx(expected, rel=1e-14)
    assert set(grads) == set(values)


def test_escaping_never_makes_two_names_one() -> None:
    names = [*AWKWARD, *[n + "_" for n in AWKWARD], *dir(builtins), "x", "x_", "h[t]", "h[t-1]", "c[1]", "W[l]"]
    escaped = [escape(n) for n in dict.fromkeys(names)]
    assert len(set(escaped)) == len(escaped)
    assert not set(escaped) & reserved()
    assert all(e.isidentifier() and not keyword.iskeyword(e) for e in escaped)


def test_indexed_names() -> None:
    assert [escape(n) for n in ("h[t]", "h[t-1]", "h[12]", "x")] == ["h_t", "h_prev", "h12", "x"]


def test_a_scope_hands_out_every_name_once() -> None:
    scope = Scope(["x", "t1"])
    assert [scope.fresh("x"), scope.fresh("x"), scope.fresh("np"), scope.temp(), scope.temp()] == [
        "x_2", "x_3", "np_", "t2", "t3"
    ]
    assert [scope.index("t"), scope.index("t"), scope.index("x")] == ["t", "t", "x_"]


NASTY = ['"""', "'''", "\\", "{{7*7}}", "{% include 'x' %}", "\n", "import os", "\u202eevil", "\x00", "𝐱", "#"]


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_a_user_writes_ends_a_string(nasty: str, tmp_path: Path) -> None:
    model = Model(f"name{nasty}", summary=f"about {nasty} this", source=nasty, tags=[nasty])
    x = model.param("x")
    model.loss("L", x**2)
    model.notes.append(nasty)
    text = codegen(model)
    module = run(text, tmp_path)
    assert f"name{nasty}" == module.NAME
    assert module.loss_and_grads({"x": 3.0}, {})[1]["x"] == 6
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == ["import numpy as np"]


@pytest.mark.parametrize("line", ["import os", "import numpy", "from os import path", "    import numpy as np, os"])
def test_no_module_that_imports_anything_else_is_written(line: str) -> None:
    for allowed in (["import numpy as np"], ["import jax", "import jax.numpy as jnp"]):
        require_imports(ast.walk(ast.parse("\n".join(allowed))), allowed)
        with pytest.raises(AssertionError, match=r"emitted code has `.*import"):
            require_imports(ast.walk(ast.parse(f"def f():\n    {line.strip()}")), allowed)


def test_notation_lines_survive_in_the_model_text(tmp_path: Path) -> None:
    source = 'param W1\nnotation W1 = "W^{[1]}"\nloss L = W1**2\n'
    module = emit(source, tmp_path)
    assert 'notation W1 = "W^{[1]}"' in module.MODEL
    assert parse(module.MODEL).notation_of == {"W1": "W^{[1]}"}


def test_constants_are_module_constants(tmp_path: Path) -> None:
    module = emit("const eps = 1e-5, np = 2\nparam x\nloss L = x**2 / (x + eps) * np", tmp_path)
    assert (module.eps, module.np_) == (1e-5, 2)
    assert module.forward({"x": 1.0}, {})[0] == pytest.approx(2 / 1.00001, rel=1e-15)
