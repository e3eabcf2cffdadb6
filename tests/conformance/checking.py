"""An expression of the language of models against a function that somebody else computes: values, gradients, and
second derivatives, as emitted code has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from symbackprop import Model, grad
from symbackprop import sum as total
from symbackprop.codegen import codegen

Arrays = Mapping[str, Any]
NONE: Arrays = {}
NEAR = 1e-7  # of differences of fourth order, relative to the largest entry


def declared(kind: str, name: str, array: Any) -> str:
    """The declaration of an array in model text."""
    shape = " x ".join(map(str, np.shape(array)))
    return f"{kind} {name}: {shape}" if shape else f"{kind} {name}"


def emitted(model: Model | str, **options: Any) -> SimpleNamespace:
    """The module of a model, or of model text, as a namespace."""
    space: dict[str, Any] = {}
    exec(codegen(Model.parse(model) if isinstance(model, str) else model, **options), space)
    return SimpleNamespace(**space)


def slope(function: Callable[..., Any], arrays: Arrays, direction: Arrays, step: float = 1e-3) -> Any:
    """The derivative of a function of arrays by name along a direction: central differences of fourth order."""
    def at(k: int) -> Any:
        return np.asarray(function(**{n: a + k * step * direction[n] for n, a in arrays.items()}), float)

    return (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * step)


def directions(arrays: Arrays, seed: int = 0, count: int = 3) -> list[dict[str, Any]]:
    """Random ones: a wrong entry shows in all of them."""
    rng = np.random.default_rng(seed)
    return [{n: rng.normal(size=np.shape(a)) for n, a in arrays.items()} for _ in range(count)]


def close(found: Any, expected: Any, near: float, what: str) -> None:
    """Equal up to ``near`` times the largest entry, and in shape."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    assert found.shape == expected.shape, f"{what} has shape {found.shape}, not {expected.shape}"
    scale = np.max(np.abs(expected), initial=1.0)
    off = np.max(np.abs(found - expected), initial=0.0)
    assert off <= near * scale, f"{what} is off by {off:.1e}: {found.ravel()[:4]} for {expected.ravel()[:4]}"


def agrees(
    text: str, reference: Callable[..., Any], arrays: Arrays, held: Arrays = NONE, order: int = 2, step: float = 1e-3,
    near: float = NEAR, before: str = "", level: int = 1,
) -> None:
    """That the expression ``text`` over ``arrays`` (and ``held`` ones, of which no derivative is taken) has the value
    of ``reference``, called with them by name, and its derivatives up to the order; ``before`` are lines of the model
    above it."""
    value = np.asarray(reference(**arrays, **held), float)
    data = {**held, "upstream_": np.random.default_rng(1).normal(size=value.shape)}
    lines = [*[_data(n, a) for n, a in data.items()], *[declared("param", n, a) for n, a in arrays.items()]]
    text = "\n".join([*lines, *[before] * bool(before), f"Y_ = {text}"])
    module = emitted(f"{text}\nloss L_ = sum(upstream_ * Y_)", level=level)
    loss, grads = module.loss_and_grads(dict(arrays), data)
    close(module.outputs(dict(arrays), data)["Y_"], value, 1e-11, "the value")
    close(loss, np.sum(data["upstream_"] * value), 1e-10, "the loss")
    function = lambda **moved: np.sum(data["upstream_"] * reference(**moved, **held))  # noqa: E731
    for d in directions(arrays):
        close(sum(np.sum(grads[n] * d[n]) for n in arrays), slope(function, arrays, d, step), near, "the gradient")
    if order > 1:
        _second(text, module, arrays, data, step, near)


def _data(name: str, array: Any) -> str:
    """Integers are declared as that."""
    whole = np.asarray(array).dtype.kind == "i"
    return declared("data", name, array) + (f" int < {np.max(array, initial=0) + 1}" if whole else "")


def _second(text: str, module: Any, arrays: Arrays, data: Arrays, step: float, near: float) -> None:
    """Hessian-vector products, emitted, against differences of the gradient that was just checked."""
    model = Model.parse(f"{text}\noutput L_ = sum(upstream_ * Y_)")
    seeds = {n: model.data(f"towards_{n}", np.shape(a)) for n, a in arrays.items()}
    first = grad(model.output_rows["L_"], [model.leaves()[n] for n in arrays])
    along = sum((total(g * v) for g, v in zip(first, seeds.values(), strict=True)), model.graph.const(0))
    for n, row in zip(arrays, grad(along, [model.leaves()[n] for n in arrays]), strict=True):
        model.output(f"H_{n}", row)
    second = emitted(model, wrt=[])
    for d in directions(arrays, count=1):
        found, _ = second.forward(dict(arrays), {**data, **{f"towards_{n}": a for n, a in d.items()}})
        for n in arrays:
            moved = lambda n=n, **moved: module.loss_and_grads(moved, data)[1][n]  # noqa: E731
            close(found[f"H_{n}"], slope(moved, arrays, d, step), 10 * near, f"the second derivative by {n}")
