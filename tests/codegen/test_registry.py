"""Every op and every scalar function, emitted and run: values by the record's reference, gradients by differences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.codegen.arrays import SCALARS, Arrays
from symbackprop.codegen.helpers import library
from symbackprop.codegen.jax import Jax
from symbackprop.codegen.numpy import NumPy
from symbackprop.core.graph import Node
from symbackprop.core.registry import OPS, Op, Sample
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.errors import ModelError
from symbackprop.model.model import Model
from tests.codegen.helpers import emit
from tests.core.helpers import differences, in_sympy, moving
from tests.core.test_ops_registry import drawn
from tests.sweeps import few_in_ci

ARRAYS = [op for op in OPS.values() if not op.is_leaf and op.name not in ("scan", "out")]
CASES = [(op, s) for op in ARRAYS for s in op.samples]
SAMPLES = [pytest.param(op, s, id=f"{op.name}-{i}") for op in ARRAYS for i, s in enumerate(op.samples)]
LEVELS = pytest.mark.parametrize("level", few_in_ci([1, 0, 2], 3))


@dataclass
class Case:
    """A layer Y = f(x0, x1, …) with numbers for its arguments; a shared model has other outputs, too."""

    model: Model
    data: dict[str, Any]
    floats: list[str]
    value: Any

    def check(self, folder: Path, level: int, rtol: float = 1e-8) -> None:
        module = emit(self.model, folder, level=level)
        expected = np.asarray(self.value(*self.data.values()), dtype=float)
        result, cache = module.forward({}, self.data)
        np.testing.assert_allclose(np.asarray(result, dtype=float), expected, rtol=1e-12, atol=1e-13)
        assert np.shape(result) == expected.shape
        upstream = np.random.default_rng(3).normal(size=expected.shape)
        grads = module.backward(cache, upstream)
        assert list(grads) == self.floats
        floats = [np.asarray(a) for a in self.data.values()]
        for name in self.floats:
            numeric = differences(self.value, floats, list(self.data).index(name), upstream)
            np.testing.assert_allclose(grads[name], numeric, rtol=rtol, atol=1e-9)
            assert grads[name].dtype == np.float64


def declared(model: Model, shapes: list[tuple[int, ...]], below: dict[int, int]) -> dict[str, Node]:
    """Arrays of these shapes under names of their own."""
    names = [f"x{len(model.leaves()) + i}" for i in range(len(shapes))]
    return {n: model.data(n, s, below=below[i]) if i in below else model.input(n, s)
            for i, (n, s) in enumerate(zip(names, shapes, strict=True))}


def op_case(op: Op, sample: Sample, model: Model | None = None) -> Case:
    """An op on a sample of its own, as an output of a model."""
    rng, model = np.random.default_rng(7), model or Model("case")
    rows = declared(model, list(sample.shapes), sample.below)
    arrays = [
        rng.integers(0, sample.below[i], s) if i in sample.below else drawn(op, rng, s)
        for i, s in enumerate(sample.shapes)
    ]
    model.output(f"Y{len(model.statements)}", model.graph.make(op.name, rows.values(), in_sympy(sample.attr)))
    floats = [name for i, name in enumerate(rows) if i not in sample.below]
    return Case(model, dict(zip(rows, arrays, strict=True)), floats, moving(op, sample.attr, *arrays))


@LEVELS
@pytest.mark.parametrize(("op", "sample"), SAMPLES)
def test_every_op(op: Op, sample: Sample, level: int, tmp_path: Path) -> None:
    op_case(op, sample).check(tmp_path, level)


def scalar_case(record: Scalar, shape: tuple[int, ...], model: Model | None = None) -> Case:
    """A scalar function on arrays of its domain, as an output of a model."""
    rng, model = np.random.default_rng(11), model or Model("case")
    rows = declared(model, [shape] * record.arity, {})
    arrays: list[Any] = [rng.uniform(low, high, shape) for low, high in record.domain[: record.arity]]
    if record.name == "where":
        arrays[0] = np.round(arrays[0])
    conventions = [low for low, _ in record.domain[record.arity :]]
    model.output(f"Y{len(model.statements)}", model.graph.call(record.name, *rows.values(), *conventions))
    value = lambda *a: record.reference(np, *a, *conventions) * np.ones(shape)  # noqa: E731
    return Case(model, dict(zip(rows, arrays, strict=True)), list(rows), value)


@LEVELS
@pytest.mark.parametrize("shape", few_in_ci([(3, 4), ()], 2), ids=["matrix", "scalar"])  # plain numbers stand below
@pytest.mark.parametrize("record", TABLE.values(), ids=lambda r: r.name)
def test_every_scalar_function(record: Scalar, shape: tuple[int, ...], level: int, tmp_path: Path) -> None:
    scalar_case(record, shape).check(tmp_path, level, rtol=1e-7)


@pytest.mark.parametrize("record", TABLE.values(), ids=lambda r: r.name)
def test_every_scalar_function_on_plain_numbers(record: Scalar, tmp_path: Path) -> None:
    case = scalar_case(record, ())
    case.data = {n: float(a) for n, a in case.data.items()}
    case.check(tmp_path, 1, rtol=1e-7)


@pytest.mark.parametrize("record", TABLE.values(), ids=lambda r: r.name)
def test_every_scalar_function_keeps_float32(record: Scalar, tmp_path: Path) -> None:
    case = scalar_case(record, (3, 4))
    module = emit(case.model, tmp_path)
    data = {n: a.astype(np.float32) for n, a in case.data.items()}
    result, cache = module.forward({}, data)
    assert result.dtype == np.float32 or TABLE[record.name].boolean
    grads = module.backward(cache, np.ones((3, 4), np.float32))
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


def missing_code(target: type[Arrays]) -> list[str]:
    """Ops and scalar functions that a target has no code for."""
    otherwise = {"elementwise"} | {word for word, op in OPS.items() if op.is_leaf or op.loop or op.result}
    ops = [word for word in OPS if word not in otherwise and word not in target.rules]
    return ops + [word for word in TABLE if word not in SCALARS and word not in library(target.module)]


@pytest.mark.parametrize("target", [NumPy, Jax], ids=lambda t: t.target)
def test_every_op_and_every_scalar_function_has_code(target: type[Arrays]) -> None:
    assert missing_code(target) == []


def test_an_op_without_code_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(NumPy, "rules", {k: v for k, v in NumPy.rules.items() if k != "pad"})
    assert missing_code(NumPy) == ["pad"]
    with pytest.raises(ModelError, match="the op 'pad' has no code for numpy"):
        emit("param x: 3\nloss L = sum(x[1:]**2)", tmp_path)
