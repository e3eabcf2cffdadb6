"""The optimisers of emitted modules: each against PyTorch's over many steps, and what they promise."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from symbackprop import Model, codegen
from symbackprop.errors import UsageError
from symbackprop.model import load
from symbackprop.model.optimizers import OPTIMIZERS, Optimizer
from tests.codegen.helpers import emit

STEPS = 20


def emitted(tmp_path, name: str) -> ModuleType:
    path = tmp_path / f"with_{name}.py"
    path.write_text(codegen(load("autoencoder"), optimizer=name), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def problem(module: ModuleType, dtype=np.float64):
    rng = np.random.default_rng(0)
    params = {n: p.astype(dtype) for n, p in module.init_params(rng, D=4, H=3).items()}
    return params, {"X": rng.standard_normal((5, 4)).astype(dtype)}


def peer(torch, name: str, tensors):
    made = {
        "sgd": lambda: torch.optim.SGD(tensors, lr=0.01),
        "momentum": lambda: torch.optim.SGD(tensors, lr=0.01, momentum=0.9),
        "adagrad": lambda: torch.optim.Adagrad(tensors, lr=0.01, eps=1e-10),
        "adam": lambda: torch.optim.Adam(tensors, lr=0.001),
        "adamw": lambda: torch.optim.AdamW(tensors, lr=0.001, weight_decay=0.01),
    }
    return made[name]()


@pytest.mark.oracle
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_agrees_with_torch(tmp_path, name: str) -> None:
    torch = pytest.importorskip("torch")
    module = emitted(tmp_path, name)
    params, data = problem(module)
    tensors = {n: torch.tensor(p, requires_grad=True) for n, p in params.items()}
    other, state = peer(torch, name, list(tensors.values())), module.init_state(params)
    for _ in range(STEPS):
        _, grads = module.loss_and_grads(params, data)
        for n, t in tensors.items():
            t.grad = torch.tensor(grads[n])
        params, state = module.update(params, grads, state)
        other.step()
    for n, t in tensors.items():
        np.testing.assert_allclose(params[n], t.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lowers_the_loss_keeps_precision_and_changes_nothing_given(tmp_path, name: str) -> None:
    module = emitted(tmp_path, name)
    params, data = problem(module, np.float32)
    first, state = module.loss_and_grads(params, data)[0], module.init_state(params)
    before = {n: p.copy() for n, p in params.items()}
    now = params
    for _ in range(STEPS):
        _, grads = module.loss_and_grads(now, data)
        now, state = module.update(now, grads, state)
    assert module.loss_and_grads(now, data)[0] < first
    assert all(p.dtype == np.float32 for p in now.values())
    assert all(np.array_equal(before[n], params[n]) for n in params)


def test_scalars_and_hyperparameters(tmp_path) -> None:
    path = tmp_path / "scalar.py"
    path.write_text(codegen(load("two-weight-tanh"), optimizer="sgd"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("scalar", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    new, _ = module.update({"w1": 1.0, "w2": 2.0}, {"w1": 0.5, "w2": -1.0}, module.init_state({}), eta=0.1)
    assert float(new["w1"]) == pytest.approx(0.95) and float(new["w2"]) == pytest.approx(2.1)


@pytest.mark.parametrize("target", ["numpy", "jax"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_given_is_taken_as_the_floats_that_forward_takes_it_for(tmp_path, name: str, target: str) -> None:
    pytest.importorskip("jax" if target == "jax" else "numpy")
    model = Model.parse("dim N\nparam a, b: N, c: N\nloss L = sum((a * b - c)**2)")
    module = emit(model, tmp_path, optimizer=name, target=target)
    given = {"a": 1, "b": [1, -2], "c": np.array([3, 4])}
    floats = {n: np.asarray(v, np.float64) for n, v in given.items()}
    for _ in range(3):
        steps = [(p, module.loss_and_grads(p, {})[1], module.init_state(p)) for p in (given, floats)]
        (given, state), (floats, expected) = [module.update(*step) for step in steps]
        for n, w in floats.items():
            assert given[n].dtype == w.dtype == module.init_state(floats).get("m", given)[n].dtype
            np.testing.assert_array_equal(given[n], w)
            assert not np.any(w == np.round(w))
        assert all(np.array_equal(state[k][n], expected[k][n]) for k in expected if k != "k" for n in floats)


def test_an_unknown_optimizer_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'adam'"):
        codegen(load("cube"), optimizer="adma")


def test_a_rule_may_read_the_number_of_the_step_in_any_way(tmp_path, monkeypatch) -> None:
    rule = Optimizer("falling", "descent by ever smaller steps", "", (), {"eta": 0.5}, "w_new = w - eta * g / sqrt(k)")
    monkeypatch.setitem(OPTIMIZERS, "falling", rule)
    module = emitted(tmp_path, "falling")
    params, data = problem(module)
    state = module.init_state(params)
    for k in (1, 2, 3):
        _, grads = module.loss_and_grads(params, data)
        before = params
        params, state = module.update(params, grads, state)
        for n, w in before.items():
            np.testing.assert_allclose(params[n], w - 0.5 * grads[n] / np.sqrt(k), rtol=1e-12)
