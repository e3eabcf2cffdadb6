"""Built-in models as modules, run on arrays, and as `derive` prints them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from zlib import crc32

import numpy as np
from click.testing import CliRunner

from symbackprop.__main__ import load_cli
from symbackprop.codegen import codegen
from symbackprop.core.shapes import evaluate_shape
from symbackprop.model import Model, zoo

Arrays = dict[str, Any]
SIZES = {  # where the model's own sizes would hide a mistake in an axis, or are large
    "conv-net": {"K": 2, "M": 3, "H": 5, "C": 4},
    "elementwise-relu": {"N": 50},
    "linear-layer": {"N": 4, "D": 3, "M": 5},
    "neural-turing-machine": {"R": 5, "W": 2},
    "squared-norm": {"M": 3, "N": 4},
}
CHANCES = {"logistic-regression": "y", "logistic-regression-batch": "y", "mlp-relu-sigmoid": "y",
           "neural-turing-machine": "y", "vae": "X"}  # data between 0 and 1
PLACES = ("p0", "q0", "w0")  # of the Turing machine's heads, to begin with: they sum to 1


@cache
def model(name: str) -> Model:
    return zoo.build(name)


@cache
def module(name: str, wrt: tuple[str, ...] | None = None) -> ModuleType:
    """The module emitted for a built-in model, imported from a file; ``wrt``: with gradients of these names."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"emitted_{name.replace('-', '_')}.py")
        path.write_text(codegen(model(name), wrt=wrt), encoding="utf-8")
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        loaded = module_from_spec(spec)
        spec.loader.exec_module(loaded)
    return loaded


def run(name: str, params: Mapping[str, Any], data: Mapping[str, Any], upstream: Any = None) -> tuple[Arrays, Arrays]:
    """What a module computes: its loss or outputs by name, and its gradients."""
    emitted = module(name)
    results, cache = emitted.forward(params, data)
    grads = emitted.backward(cache) if upstream is None else emitted.backward(cache, upstream)
    return results if isinstance(results, dict) else {(emitted.LOSS or emitted.OUTPUTS[0]): results}, grads


def draw(name: str, dims: Mapping[str, int], seed: int = 0) -> tuple[Arrays, Arrays]:
    """Random parameters and data of a built-in model; the same ones every time."""
    rng = np.random.default_rng([crc32(name.encode()), seed])
    found: Arrays = {}
    for key, row in model(name).leaves().items():
        size, below = evaluate_shape(row.shape, dims), row.attr.below
        high = 0 if below is None else evaluate_shape((below,), dims)[0]
        found[key] = rng.integers(0, high, size) if high else rng.normal(size=size)
    return {n: found[n] for n in module(name).PARAMS}, {n: found[n] for n in module(name).DATA}


def as_meant(name: str, at: Mapping[str, Any]) -> Arrays:
    """The arrays of a built-in model, those that are meant to lie in a range or to be distributions made so."""
    found = dict(at)
    if name in CHANCES and CHANCES[name] in found:
        found[CHANCES[name]] = 1 / (1 + np.exp(-found[CHANCES[name]]))
    if name == "neural-turing-machine":
        found |= {k: np.exp(found[k]) / np.exp(found[k]).sum(-1, keepdims=True) for k in PLACES}
    return found


def distance(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest entry."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    assert np.isfinite(ours).all() and np.isfinite(theirs).all()
    scale = float(np.max(np.abs(theirs), initial=0.0))
    return float(np.max(np.abs(ours - theirs), initial=0.0)) / (scale or 1.0)


# -- what `derive` prints
def derive(name: str, *options: str) -> str:
    """The output of `symbackprop derive`."""
    result = CliRunner().invoke(load_cli().cli, ["derive", name, *options])
    assert result.exit_code == 0, result.output
    return result.output


_EQUATION = re.compile(r"^ +(?:\(\d+\) +)?(?P<left>[^=]*?) *= (?P<right>.*?)(?:   .*)?$")
_EQUALS = re.compile(r" = (?![^\[]*\])")  # not the one in 1[k = i]
_NUMBER = re.compile(r"−?\d+(\.\d+)?$")


def equations(text: str) -> dict[str, list[str]]:
    """Every right side that the passes print for a left side; a line without one continues the line above."""
    found: dict[str, list[str]] = {}
    left = ""
    for line in text.partition("\nForward pass\n")[2].partition("\nResult\n")[0].splitlines():
        if match := _EQUATION.match(line):
            left = match["left"] or left
            found.setdefault(left, []).extend(_EQUALS.split(match["right"]))
        elif left and line.strip()[:2] in ("+ ", "− "):  # a long formula goes on
            found[left][-1] += " " + line.strip()
    return found


def numbers(text: str) -> dict[str, str]:
    """The number printed for each left side, wherever it is printed: always the same one."""
    found = {left: {r for r in rights if _NUMBER.match(r)} for left, rights in equations(text).items()}
    assert not [left for left, values in found.items() if len(values) > 1], found
    return {left: values.pop() for left, values in found.items() if values}
