"""Built-in models as modules, run on random arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from zlib import crc32

import numpy as np

from symbackprop.codegen import codegen
from symbackprop.core.shapes import evaluate_shape
from symbackprop.model import Model, zoo

Arrays = dict[str, Any]


@cache
def model(name: str) -> Model:
    return zoo.build(name)


@cache
def module(name: str) -> ModuleType:
    """The module emitted for a built-in model, imported from a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"emitted_{name.replace('-', '_')}.py")
        path.write_text(codegen(model(name)), encoding="utf-8")
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


def distance(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest entry."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    assert np.isfinite(ours).all() and np.isfinite(theirs).all()
    scale = float(np.max(np.abs(theirs), initial=0.0))
    return float(np.max(np.abs(ours - theirs), initial=0.0)) / (scale or 1.0)
