"""Models whose outputs are gradients and Hessian-vector products, and the same numbers by JAX.

JAX differentiates the loss itself, whose rows are evaluated by its own functions (those that the ops are tested
against) or by the reference of each scalar function: nothing of the derivation, nothing of what is emitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add, mul
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.scipy.special import erf, ndtr

from symbackprop import Model
from symbackprop.core import formula as f
from symbackprop.core import functions as F
from symbackprop.core.graph import Leaf, Node
from symbackprop.core.loops import Loop
from symbackprop.core.reverse import grad
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import evaluate_dim, evaluate_shape
from symbackprop.core.sizes import in_numbers
from tests.core.test_ops_oracle import ORACLE
from tests.zoo.helpers import SIZES, as_meant

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
jnp = jax.numpy
Arrays = dict[str, Any]
Sizes = Mapping[str, int]
SCALARS = {"erf": erf, "normal_cdf": ndtr}  # whose references call Python's math


class Second(NamedTuple):
    """A model with the outputs G_w (∂L/∂w) and H_w (Σ_u ∂²L/∂w∂u · v_u) for the arrays ``wrt``; ``loss`` is L."""

    model: Model
    loss: Node
    wrt: tuple[str, ...]


def second_order(model: Model, wrt: Sequence[str] | None = None) -> Second:
    """The model with other outputs. A layer's L is Σ u·Y over its outputs; directions v and weights u are data."""
    results, had_loss = model.results(), model.loss_row is not None
    model.loss_row, model.output_rows = None, {}
    model.statements = [replace(s, keyword="let") if s.keyword in ("loss", "output") else s for s in model.statements]
    loss = results[0] if had_loss else sum((F.sum(r * model.data(f"u_{r.name}", r.shape)) for r in results),
                                           model.graph.const(0))
    return with_outputs(model, loss, list(model.targets()) if wrt is None else wrt)


def with_outputs(model: Model, loss: Node, wrt: Sequence[str]) -> Second:
    """A model without results, given G_w and H_w as outputs."""
    rows = [model.graph.names[name] for name in wrt]
    first = grad(loss, rows)
    along = model.graph.const(0)
    for name, row, slope in zip(wrt, rows, first, strict=True):
        along = along + F.sum(slope * model.data(f"v_{name}", row.shape))
    for name, slope, product in zip(wrt, first, grad(along, rows), strict=True):
        model.output(f"G_{name}", slope)
        model.output(f"H_{name}", product)
    return Second(model, loss, tuple(wrt))


def by_jax(second: Second, at: Arrays, sizes: Sizes) -> Arrays:
    """G and H by JAX: jvp of grad."""
    leaves = {name: row.id for name, row in second.model.leaves().items()}

    def loss(p: Arrays) -> Any:
        return run([second.loss], {leaves[n]: p.get(n, at[n]) for n in leaves}, sizes)[second.loss.id]

    point, towards = {n: at[n] for n in second.wrt}, {n: at[f"v_{n}"] for n in second.wrt}
    first, product = jax.jit(lambda p, v: jax.jvp(jax.grad(loss), (p,), (v,)))(point, towards)
    return {f"G_{n}": x for n, x in first.items()} | {f"H_{n}": x for n, x in product.items()}


# -- rows in JAX
def run(rows: Sequence[Node], given: Mapping[int, Any], sizes: Sizes, stop: frozenset[int] = frozenset()) -> Any:
    """The values by id of the rows and all that they read."""
    values = dict(given)
    for row in rows[0].graph.topological(rows, stop):
        if row.id not in values:
            values[row.id] = _row(row, [values[a.id] for a in row.args], sizes)
    return values


def _row(row: Node, args: list[Any], sizes: Sizes) -> Any:
    if isinstance(row.attr, Leaf):
        return jnp.float64(row.attr.value)
    if isinstance(row.attr, Loop):
        return _loop(row, args, sizes)
    attr = in_numbers(row.attr, sizes, exact=row.op.name == "const")
    if row.op.name == "elementwise":
        return jnp.broadcast_to(_formula(attr.form, args), evaluate_shape(row.shape, sizes))
    if row.op.name in ORACLE:
        return ORACLE[row.op.name](attr, *args)
    return jnp.float64(attr) if row.op.name == "const" else row.op.reference(jnp, attr, *args)


def _loop(row: Node, args: list[Any], sizes: Sizes) -> Any:
    loop = row.attr

    def once(rows: Sequence[Node], given: Mapping[int, Any]) -> list[Any]:
        found = run(rows, given, sizes, loop.stop)
        return [found[r.id] for r in rows]

    return row.op.reference(jnp, loop, *args, evaluate=once, length=evaluate_dim(loop.length, sizes))


def _formula(form: f.Formula, args: Sequence[Any]) -> Any:
    if isinstance(form, f.Arg):
        return args[form.index]
    if isinstance(form, f.Num):
        return int(form.value) if form.value.is_Integer and abs(form.value) < 2**53 else float(form.value)
    parts = [_formula(c, args) for c in form.children]
    match form:
        case f.Neg():
            return -parts[0]
        case f.Add():
            return reduce(add, parts)
        case f.Mul():
            return reduce(mul, parts)
        case f.Div():
            return parts[0] / parts[1]
        case f.Pow():
            return (parts[0] * 1.0) ** parts[1]
        case f.Call(name, _):
            return SCALARS[name](*parts) if name in SCALARS else TABLE[name].reference(jnp, *parts)
    raise TypeError(f"not a formula over arguments: {form!r}")


# -- numbers
def numbers(model: Model, sizes: Sizes, seed: int = 0, scale: float = 0.6) -> Arrays:
    """Random values of all leaves."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, row in model.leaves().items():
        shape = evaluate_shape(row.shape, sizes)
        high = evaluate_dim(row.attr.below, sizes) if row.attr.below is not None else 0
        found[name] = rng.integers(0, high, shape) if high else scale * rng.normal(size=shape)
    return found


def outputs_of(module: Any, at: Arrays) -> Arrays:
    """What forward of a module returns, by name."""
    found, _ = module.forward({n: at[n] for n in module.PARAMS}, {n: at[n] for n in module.DATA})
    return found if isinstance(found, dict) else {module.OUTPUTS[0]: found}


def drawn_for(model: Model, name: str, more: Sequence[Node] = ()) -> tuple[dict[str, int], Arrays]:
    """Sizes, and random values of all leaves of a built-in model and of ``more``, in the ranges that they are meant to
    have."""
    sizes = model.default_sizes(SIZES.get(name))
    at, rng = as_meant(name, numbers(model, sizes)), np.random.default_rng(1)
    return sizes, at | {leaf.name or "": rng.normal(size=evaluate_shape(leaf.shape, sizes)) for leaf in more}


def along_by_jax(model: Model, at: Arrays, sizes: Sizes) -> list[Any]:
    """By JAX, along v_w for every parameter and input w: the tangents of the results, then of the gradients (of a
    layer, those of Σ upstream·Y)."""
    leaves, wrt = {name: row.id for name, row in model.leaves().items()}, list(model.targets())
    point, towards = {n: at[n] for n in wrt}, {n: at[f"v_{n}"] for n in wrt}

    def results(p: Arrays) -> list[Any]:
        values = run(model.results(), {leaves[n]: p.get(n, at[n]) for n in leaves}, sizes)
        return [values[r.id] for r in model.results()]

    def loss(p: Arrays) -> Any:
        return sum(jnp.sum(r * at.get(s.name or "", 1.0)) for r, s in zip(results(p), model.seeds(), strict=True))

    def both(p: Arrays, v: Arrays) -> Any:
        return jax.jvp(results, (p,), (v,))[1], jax.jvp(jax.grad(loss), (p,), (v,))[1]

    ahead, curved = jax.jit(both)(point, towards)
    return [np.asarray(x) for x in (*ahead, *[curved[n] for n in wrt])]
