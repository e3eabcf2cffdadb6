"""A training step over many devices: how arrays are split over a mesh of JAX, said by dimension or by axis."""

from __future__ import annotations

from collections.abc import Mapping

from symbackprop.codegen.module import environment
from symbackprop.codegen.program import Program
from symbackprop.codegen.sizes import SizePlan
from symbackprop.codegen.tree import attribute, call, listed, string, text
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.shapes import dim_text, shape_text
from symbackprop.errors import UsageError, did_you_mean
from symbackprop.model.model import Model

DATA_PARALLEL = "data"  # the axis of a mesh along which a batch is split where nothing is said
WAY = "--shard takes N=data,W.1=model: a dimension, or an array and the number of its axis, and an axis of the mesh"


def read_sharding(text: str) -> dict[str, str]:
    """``N=data,W.1=model`` as a table; a `UsageError` says what is no such thing."""
    items = [item.partition("=") for item in text.split(",") if item.strip()]
    wrong = next((name for name, sign, along in items if not (sign and name.strip() and along.strip())), None)
    if wrong is not None:
        raise UsageError(f"{WAY}; {wrong.strip()!r} says no axis")
    found: dict[str, str] = {}
    for name, _, along in items:
        if found.setdefault(name.strip(), along.strip()) != along.strip():
            raise UsageError(f"{name.strip()} is split along {found[name.strip()]} and along {along.strip()}: say one")
    return found


def specs(program: Program, model: Model, said: Mapping[str, str]) -> dict[str, tuple[str | None, ...]]:
    """The axis of the mesh, or None, for each axis of every parameter and datum. What is said of an axis of an array
    counts for that array alone, for which the dimensions then say nothing."""
    arrays = {**program.params, **program.data}
    dims = {name: along for name, along in said.items() if name in program.dims}
    own: dict[str, dict[int, str]] = {}
    for name, along in said.items():
        if name not in dims:
            array, axis = _axis_of(name, arrays, program)
            own.setdefault(array, {})[axis] = along
    dims = dims or ({} if said else {_batch(arrays, model): DATA_PARALLEL})
    found = {n: _spec(row, dims, own.get(n)) for n, row in arrays.items()}
    for n, spec in found.items():
        _require_once(n, arrays[n], spec)
    return found


def _axis_of(said: str, arrays: Mapping[str, Node], program: Program) -> tuple[str, int]:
    """The array and the axis that W.1 names."""
    name, dot, axis = said.rpartition(".")
    if not dot:
        raise UsageError(f"{WAY}; {said} is {_no_dimension(said, arrays, program)}")
    if name not in arrays:
        raise UsageError(f"no parameter or datum {name!r} to split.{did_you_mean(name, arrays)}")
    shape = arrays[name].shape
    if not axis.isdecimal() or int(axis) >= len(shape):
        raise UsageError(f"{said}: {name} has {len(shape)} axes, {shape_text(shape)}, which are counted from 0")
    return name, int(axis)


def _no_dimension(said: str, arrays: Mapping[str, Node], program: Program) -> str:
    if said in arrays:
        return f"an array: say {said}.0 for its first axis"
    return f"no dimension of {program.name}.{did_you_mean(said, program.dims)}"


def _batch(arrays: Mapping[str, Node], model: Model) -> str:
    """The dimension to split where nothing is said: one of all data but numbers, not of parameters or loops."""
    loops = {str(r.attr.length) for r in model.graph.topological(model.results()) if isinstance(r.attr, Loop)}
    shown = {n: [str(d) for d in row.shape] for n, row in arrays.items()}
    data = [shape for n, shape in shown.items() if n not in model.params and shape]
    whole = {d for n, shape in shown.items() if n in model.params for d in shape} | loops
    found = [d for d in (data[0] if data else []) if d in model.sizes and d not in whole and all(d in s for s in data)]
    if not found:
        raise UsageError("no dimension is one of all data and of no parameter: say it, as in --shard N=data")
    return found[0]


def _spec(row: Node, dims: Mapping[str, str], own: Mapping[int, str] | None) -> tuple[str | None, ...]:
    if own is not None:
        return tuple([own.get(k) for k in range(row.ndim)])
    return tuple([dims.get(dim_text(d)) for d in row.shape])


def _require_once(name: str, row: Node, spec: tuple[str | None, ...]) -> None:
    """An array is split along an axis of the mesh once."""
    twice = next((along for k, along in enumerate(spec) if along and along in spec[:k]), None)
    if twice:
        raise UsageError(f"{name}: {shape_text(row.shape)} would be split along {twice} twice: say of one axis, as in "
                         f"--shard {name}.{spec.index(twice)}={twice}")


def step_below(program: Program, model: Model, said: Mapping[str, str], sizes: SizePlan) -> str:
    """What stands below the lines of a module. Raises `UsageError` for a model that has no training step, and for what
    cannot be split."""
    if program.loss is None:
        raise UsageError(f"--shard writes a training step, which needs a loss; {program.name} has outputs")
    if program.chosen is not None:
        raise UsageError("a training step takes the gradients of all parameters: leave out wrt")
    hidden = [n for n, size in sizes.hidden.items() if size is None]
    if hidden:
        raise UsageError(f"no array shows {hidden[0]}, which a training step needs: give it a number, as --dim does")
    made = attribute(attribute("jax", "sharding"), "PartitionSpec")
    items = [f"{string(n)}: {text(call(made, *spec))}" for n, spec in specs(program, model, said).items()]
    fields = {"title": program.name, "loss": program.loss, "specs": listed("SPECS = {", items, "}", "")}
    found: str = environment().get_template("shard_jax.py.j2").render(fields)
    return found
