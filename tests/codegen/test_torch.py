"""Modules for PyTorch: the numbers of the NumPy modules; skipped where PyTorch is missing."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen import codegen
from symbackprop.errors import UsageError
from symbackprop.model import zoo
from symbackprop.model.text import parse
from symbackprop.verified import verify_source
from tests.codegen import targets
from tests.codegen.helpers import emit
from tests.codegen.targets import CLOSE, Arrays, Given
from tests.codegen.test_empty import LOOPS as STARTED
from tests.codegen.test_empty import MATRICES, MEANS, WINDOWS
from tests.codegen.test_models import MLP, RNN
from tests.sweeps import sample

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.oracle

# plain numbers
CONSTANT = """const c = 0.5
param x, y, w: 3, u: 3
k = c * sum(u**2) + x * where(c > 0.2, relu(c), 1)
loss L = 3 * x + sum(w) + 0 * y + exp(c) * x * c + sum(maximum(w, c) * c) + c**2 + k
"""



def results(module: ModuleType, params: Arrays, data: Arrays, dims: dict[str, int] | None) -> list[Arrays]:
    """Results and gradients by name, for an upstream gradient of 0.5 for a loss or the first output, then 1.5 …; and
    the intermediates."""
    found, cache = module.forward(params, data, dims=dims)
    outputs = dict(sorted(found.items())) if isinstance(found, dict) else {"": found}
    upstream = {n: np.full(np.shape(v), 0.5 + k) for k, (n, v) in enumerate(outputs.items())}
    given = upstream if isinstance(found, dict) else upstream[""]
    return [outputs, module.backward(cache, given), module.outputs(params, data, dims=dims)]


def same(found: Arrays, expected: Arrays, within: float = CLOSE) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        array = found[name].numpy()
        assert array.shape == np.shape(value) and array.dtype == np.asarray(value).dtype, name
        np.testing.assert_allclose(array, value, rtol=within, atol=within, err_msg=name)


def agrees(given: Given, folder: Path, **options: Any) -> None:
    """The module for PyTorch gives what that for NumPy gives."""
    plain, module = (emit(given.model, folder, target=t, **given.options, **options) for t in ("numpy", "torch"))
    for constant in ("NAME", "MODEL", "PARAMS", "DATA", "LOSS", "DIMS", "INTEGERS"):
        assert getattr(module, constant) == getattr(plain, constant)
    with np.errstate(all="ignore"):
        expected = results(plain, given.params, given.data, given.dims)
    for ours, theirs in zip(results(module, given.params, given.data, given.dims), expected, strict=True):
        same(ours, theirs, given.within)


def drawn(text: str) -> tuple[Arrays, Arrays]:
    given = targets.drawn(parse(text))
    return given.params, given.data


TestNumbers = targets.tests_of(agrees, lambda cases: sample(cases, 6), [(3, 4), ()])


BUILT_IN = sorted({"gpt", "conv-net", "lstm", *sample(zoo.names(), 6)})


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_models(name: str, level: int, tmp_path: Path) -> None:
    agrees(targets.built_in(name), tmp_path, level=level)


@pytest.mark.parametrize("text", [*sample(STARTED, 2), *sample(MEANS, 2), *WINDOWS, *MATRICES])
def test_nothing_at_all(text: str, tmp_path: Path) -> None:
    agrees(targets.of_nothing(text, "T", "N"), tmp_path)


LOOPS = """
dim T, N, K
data x: T x N, k: T x N int < K
param w: N, v: K
h[0] = zeros(N)
c[0] = 0.5
for t in 1..T:
    s[t] = tanh(h[t-1] * w + x[t]) + log(T) / sqrt(N)
    c[t] = exp(-c[t-1]) + T
    h[t] = s[t] + v[k[t]] + c[t-1]
loss L = sum(flip(s)[:, ::-1] * w) + sum(h[T] ** 2) / (N * T)
"""


def test_a_loop_that_begins_with_a_number_and_runs_backwards(tmp_path: Path) -> None:
    agrees(targets.drawn(parse(LOOPS)), tmp_path)


# -- precision, devices, the rest of the interface


def test_each_gradient_has_the_dtype_of_its_array(tmp_path: Path) -> None:
    module = emit("dim N\nparam a: N, b: N, c: N\nloss L = sum(tanh(a * b) * c)", tmp_path, target="torch")
    params = {"a": torch.ones(2), "b": torch.ones(2, dtype=torch.bfloat16), "c": [1.0, 2.0]}
    loss, grads = module.loss_and_grads(params, {})
    assert [g.dtype for g in grads.values()] == [torch.float32, torch.bfloat16, torch.float32]
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("name", ["gpt", "conv-net", "lstm", "rnn-lm"])
def test_everything_is_made_where_the_arrays_are(name: str, tmp_path: Path) -> None:
    """Any tensor that was made elsewhere would meet one of the device meta."""
    given = targets.built_in(name)
    away = [{n: torch.as_tensor(v).to("meta") for n, v in values.items()} for values in (given.params, given.data)]
    loss, grads = emit(given.model, tmp_path, target="torch").loss_and_grads(*away, dims=given.dims)
    assert loss.is_meta and all(g.is_meta and g.shape == away[0][n].shape for n, g in grads.items() if n in away[0])


@pytest.mark.parametrize("text", [
    MLP, RNN, CONSTANT, "dim N, M\ninput x: N\nparam w: N x M\noutput y = softmax(tanh(x) @ w)\noutput z = sum(y) * x"])
def test_products_and_blocks_are_made_where_the_arrays_are(text: str, tmp_path: Path) -> None:
    """Those that are formed row by row or column by column too."""
    model = parse(text)
    loss = model.loss_row is not None
    along = ["hvp", "jvp", "ggn"] if loss else ["jvp"]
    module = emit(model, tmp_path, target="torch", along=along,
                  whole=["hessian", "hessian_diagonal"] if loss else ["jacobian"])
    params, data = ({n: torch.as_tensor(v).to("meta") for n, v in values.items()} for values in drawn(text))
    found = [value for name in along for value in getattr(module, name)(params, data, params).values()]
    blocks = (module.hessian if loss else module.jacobian)(params, data)
    found += [block.dense() for block in blocks.values()]
    if loss:
        found.append(module.hessian_dense(params, data))
    if hasattr(module, "hessian_diagonal"):
        found += module.hessian_diagonal(params, data).values()
    if hasattr(module, "hessian_diagonal_estimate"):
        found += [a for some in module.hessian_diagonal_estimate(params, data, 0, 3) for a in some.values()]
    grads = module.backward(module.forward(params, data)[1]) if loss else {}
    assert found and all(a.is_meta for a in [*found, *grads.values()])


@pytest.mark.parametrize("name", ["llama-block"])
def test_a_jacobian_row_by_row(name: str, tmp_path: Path) -> None:
    given = targets.built_in(name)
    module, plain = (emit(given.model, tmp_path, whole=["jacobian"], target=t) for t in ("torch", "numpy"))
    found, expected = (m.jacobian(given.params, given.data, dims=given.dims) for m in (module, plain))
    same({k: b.dense() for k, b in found.items()}, {k: b.dense() for k, b in expected.items()})


def test_parameters_of_a_module_are_taken_as_they_are(tmp_path: Path) -> None:
    module = emit("dim N\nparam w: N\ndata x: N\nloss L = sum((w - x)**2)", tmp_path, target="torch")
    w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    loss, grads = module.loss_and_grads({"w": w}, {"x": [0, 1]})
    assert not loss.requires_grad and grads["w"].tolist() == [2.0, 2.0]


def test_what_is_given_is_checked(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, target="torch")
    params, data = drawn(MLP)
    for wrong, message in (
        ({"X": data["X"][:, 1:]}, r"X has shape .*, expected \(N, D\) .*: axis 1 is"),
        ({"y": np.full(len(data["y"]), 99)}, r"y holds 99, outside 0 <= y < C = "),
        ({"y": np.full(len(data["y"]), 0.5)}, "y has to hold integers, not torch.float64"),
        ({"X": "no"}, "X is not an array"),
        ({"X": 1j * data["X"]}, "X is not an array of real numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            module.forward(params, data | wrong)
    with pytest.raises(ValueError, match="upstream has to be a number"):
        module.backward(module.forward(params, data)[1], [1.0, 2.0])


def test_initial_parameters_and_a_step(tmp_path: Path) -> None:
    module = emit(MLP, tmp_path, target="torch", optimizer="adam")
    first, again = module.init_params(0, D=300, H=4, C=2), module.init_params(torch.Generator().manual_seed(0), D=300,
                                                                               H=4, C=2)
    assert all(bool((first[n] == again[n]).all()) for n in first)
    assert float(first["W1"].std()) == pytest.approx((2 / 300) ** 0.5, rel=0.1) and not first["b1"].any()
    numpy = emit(MLP, tmp_path, optimizer="adam")
    same(module.init_params(np.random.default_rng(0), D=3, H=4, C=2), numpy.init_params(0, D=3, H=4, C=2))
    params, data = drawn(MLP)
    steps = [m.update(params, m.loss_and_grads(params, data)[1], m.init_state(params))[0] for m in (module, numpy)]
    same(*steps)


@pytest.mark.parametrize("text", [MLP, RNN])
def test_derivatives_along_a_direction_and_whole_ones(text: str, tmp_path: Path) -> None:
    params, data = drawn(text)
    options: dict[str, Any] = {"along": ["hvp", "jvp", "ggn"], "whole": ["hessian"]}
    module, plain = emit(text, tmp_path, target="torch", **options), emit(text, tmp_path, **options)
    for name in options["along"]:
        same(getattr(module, name)(params, data, params), getattr(plain, name)(params, data, params))
    blocks = plain.hessian(params, data)
    same({key: b.dense() for key, b in module.hessian(params, data).items()}, {k: b.dense() for k, b in blocks.items()})


@pytest.mark.parametrize("name", ["three-layer-net", "gru"])
def test_verify_takes_the_file(name: str) -> None:
    model = zoo.build(name)
    report = verify_source(codegen(model, target="torch"), model)
    assert report.passed, report.text()


def test_a_mistake_is_found() -> None:
    model = zoo.build("three-layer-net-sigmoid")
    source = codegen(model, target="torch")
    assert "dW1 = " in source
    assert not verify_source(source.replace("dW1 = ", "dW1 = 2 * "), model).passed


def test_there_are_no_workspaces() -> None:
    with pytest.raises(UsageError, match="-O2 is not for torch"):
        codegen(parse(MLP), target="torch", level=2)


def test_an_estimated_diagonal(tmp_path: Path) -> None:
    """Of the same draws as NumPy's: those of a numpy.random.Generator; of a seed in the precision of the tensors."""
    text = "dim T, N\ndata x: T x N\nparam w: N\nh[0] = zeros(N)\nfor t in 1..T:\n    h[t] = tanh(h[t-1]*w + x[t])\n" \
           "loss L = sum(h[T])**2"
    plain, module = (emit(text, tmp_path, whole=["hessian_diagonal"], target=t) for t in ("numpy", "torch"))
    params, data = drawn(text)
    found, expected = (m.hessian_diagonal_estimate(params, data, np.random.default_rng(3), samples=4)
                       for m in (module, plain))
    for ours, theirs in zip(found, expected, strict=True):
        same(ours, theirs)
    single = [{n: torch.tensor(a, dtype=torch.float32) for n, a in some.items()} for some in (params, data)]
    assert module.hessian_diagonal_estimate(*single, 0, samples=2)[0]["w"].dtype == torch.float32


def test_the_sign_of_nan_is_nan(tmp_path: Path) -> None:
    module = emit("dim N\nparam x: N\nloss L = sum(abs(x))", tmp_path, target="torch")
    slopes = module.loss_and_grads({"x": torch.tensor([np.nan, -2.0, 0.0])}, {})[1]["x"]
    np.testing.assert_array_equal(slopes, [np.nan, -1, 0])
