"""What `--report` tells: multiplications counted by hand, memory held against what is allocated."""

from __future__ import annotations

import ast
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop import Model, load
from symbackprop.codegen import codegen
from symbackprop.codegen.report import Costs, report
from symbackprop.model import zoo
from tests.codegen.test_random_loops import module_of
from tests.sweeps import few_in_ci
from tests.test_cli import run

SIZES = {"N": 200, "T": 24, "V": 64, "E": 32, "H": 64, "D": 64, "C": 20, "F": 128, "h": 4, "d": 16}
NEAR = 0.7, 1.2  # of the peak: what NumPy allocates inside of its functions is not known
MLP = "dim N, D, H\ndata X: N x D, Y: N x H\nparam W: D x H, b: H\nA = tanh(X @ W + b)\nloss L = mean((A - Y)^2)\n"


def formulas(costs: Costs) -> dict[str, sp.Expr]:
    return {key: sp.expand(value) for key, _, value in costs.entries()}


def test_multiplications_of_a_layer_counted_by_hand() -> None:
    N, D, M = Model("sizes").dims("N D M")
    found = formulas(report(load("linear-layer")))
    assert found["forward"] == N * D * M and found["backward"] == 2 * N * D * M  # X W; dY Wᵀ and Xᵀ dY


def test_multiplications_of_a_network_counted_by_hand() -> None:
    N, D, H = Model("sizes").dims("N D H")
    found = formulas(report(Model.parse(MLP)))
    assert found["forward"] == N * D * H + N * H + 1  # X W, a square each, 1/(N H)
    assert found["backward"].coeff(D) == N * H  # Xᵀ dZ: nobody wants the gradient of X


def test_a_loop_costs_its_steps_and_once_more_with_checkpoints() -> None:
    T, N, V, E, H = Model("sizes").dims("T N V E H")
    plain, again = (formulas(report(load("rnn-lm"), checkpoint=c)) for c in (None, "every:4"))
    assert plain["forward"] == again["forward"] == sp.expand(T * N * (E * H + H * H + H * V + V) + 1)
    assert sp.expand(again["backward"] - plain["backward"]) == sp.expand(T * N * (E * H + H * H))


@pytest.mark.parametrize("name", few_in_ci(zoo.names(), 6, 4))
def test_what_is_told_is_of_the_module_that_codegen_writes(name: str) -> None:
    model = zoo.build(name)
    told, functions = report(model).passes, ast.parse(codegen(model)).body
    for function in [f for f in functions if isinstance(f, ast.FunctionDef) and f.name in told]:
        names = [x for x in ast.walk(function) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)]
        assert told[function.name].arrays.keys() <= {x.id for x in names}


def arguments(module: Any, sizes: dict[str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    rng, whole = np.random.default_rng(0), getattr(module, "INTEGERS", {})
    shapes = {n: [eval(str(d), {}, sizes) for d in shape] for n, shape in {**module.PARAMS, **module.DATA}.items()}
    made = {n: rng.integers(2, size=s) if n in whole else rng.uniform(0.1, 0.9, s) / 50 for n, s in shapes.items()}
    return {n: made[n] for n in module.PARAMS}, {n: made[n] for n in module.DATA}


def base(array: Any) -> Any:
    while array.base is not None:
        array = array.base
    return array


CASES = {"gru": "sqrt", "vae": None, "lstm": None, "rnn-lm": "every:5", "window-lm": None, "gpt": None,
         "neural-turing-machine": "sqrt", "conv-net": None, "autoencoder": None}


@pytest.mark.parametrize(("name", "checkpoint"), few_in_ci([pytest.param(*c, id=c[0]) for c in CASES.items()], 4))
def test_memory_is_what_is_allocated(name: str, checkpoint: str | None) -> None:
    model = load(name)
    costs = report(model, checkpoint=checkpoint)
    sizes = {d: SIZES.get(d, 16) for d in costs.program.dims}
    costs.program.dims.update(sizes)
    told, module = costs.numbers(), module_of(codegen(model, checkpoint=checkpoint))
    assert told is not None
    params, data = arguments(module, sizes)
    cache = [base(a) for a in module.forward(params, data)[1].values() if isinstance(a, np.ndarray)]
    given = {id(base(a)) for a in (*params.values(), *data.values())}
    kept = sum({id(a): a.nbytes for a in cache if id(a) not in given}.values())
    assert kept * 0.97 <= told["cache"] <= kept * 1.03
    tracemalloc.start()
    module.loss_and_grads(params, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert NEAR[0] < told["peak"] / peak < NEAR[1], (told["peak"], peak)
    assert told["largest"] <= told["peak"]


def test_the_command_writes_nothing_and_gives_numbers_where_all_sizes_are_given() -> None:
    found = run("codegen", "linear-layer", "--report", "--dim", "N=4,D=3,M=2", "--dtype", "float32")
    assert found.exit_code == 0 and "multiplications, backward: 48\n    2*D*M*N\n" in found.stdout
    assert "numbers need a size" in run("codegen", "rnn-lm", "--report").stdout
    data = json.loads(run("codegen", "rnn-lm", "--report", "--json", "--checkpoint", "sqrt").stdout)
    assert data["forward"]["number"] is None and "sqrt(T)" in data["cache"]["formula"]
    assert "once in about √T steps" in data["checkpoints"]


@pytest.mark.parametrize("options", [["--report", "--hvp"], ["--json"], ["--report", "--target", "jax"]])
def test_the_report_is_of_both_passes_for_numpy(options: list[str]) -> None:
    assert run("codegen", "rnn-lm", *options).exit_code == 2
