"""What modules for other libraries have to compute as those for NumPy do: models with their arrays, by kind.

What can stand beside each other in one module does: a library compiles, and we emit, once for ten of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from symbackprop.core.registry import Op, Sample
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.model import zoo
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verify.sampling import choose_sizes, draw, hidden_dims
from tests.codegen.test_dims import HIDDEN
from tests.codegen.test_kinds import DATA, DECLARED, NAMED, P
from tests.codegen.test_loop_starts import MODELS
from tests.codegen.test_models import ALL
from tests.codegen.test_registry import CASES as OP_CASES
from tests.codegen.test_registry import op_case, scalar_case
from tests.codegen.test_selection import CASES, NOTHING, POINTS, ROWS
from tests.zoo.helpers import as_meant

Item = TypeVar("Item")
Arrays = dict[str, Any]
CLOSE = 1e-10
PRECISIONS = {"float64": CLOSE, "float32": 1e-5}


@dataclass(frozen=True)
class Given:
    """A model with its arrays and sizes, options of `codegen`, and how close results have to be."""

    model: Model
    params: Arrays
    data: Arrays
    dims: dict[str, int] | None = None
    within: float = CLOSE
    options: Mapping[str, Any] = field(default_factory=dict)


def together(items: Iterable[Item], most: int = 10) -> list[list[Item]]:
    """The items in lists of that many."""
    rest = iter(items)
    return list(iter(lambda: list(islice(rest, most)), []))


def drawn(model: Model, seed: int = 0, sizes: dict[str, int] | None = None) -> Given:
    rng = np.random.default_rng(seed)
    sizes = sizes or choose_sizes(model, rng, {})
    values = draw(model, sizes, rng).values
    hidden = {n: sizes[n] for n in hidden_dims(model, sizes)}
    data = {n: values[n] for n in model.leaves() if n not in model.params}
    return Given(model, {n: values[n] for n in model.params}, data, hidden or None)


def built_in(name: str) -> Given:
    given = drawn(zoo.build(name))
    return Given(given.model, given.params, as_meant(name, given.data), given.dims)


TEXTS = {**ALL, **HIDDEN, **MODELS}
OPS = together(OP_CASES)
SCALARS = together(TABLE.values())
LOSSES = together(NAMED)


def of_ops(cases: list[tuple[Op, Sample]]) -> Given:
    model, data = Model("ops"), Arrays()
    for op, case in cases:
        data |= op_case(op, case, model).data
    return Given(model, {}, data, options={"level": 0})


def of_scalars(records: list[Scalar], shape: tuple[int, ...]) -> Given:
    model, data = Model("functions"), Arrays()
    for record in records:
        data |= scalar_case(record, shape, model).data
    return Given(model, {}, {n: np.asarray(a)[()] for n, a in data.items()})


def of_kinds(losses: list[str], dtype: str) -> Given:
    lines = "".join(f"output Y{k} = {loss}\n" for k, loss in enumerate(losses))
    data = {n: v if n == "y" else v.astype(dtype) for n, v in DATA.items()}
    return Given(parse(DECLARED + lines), {"p": P.astype(dtype)}, data, None, PRECISIONS[dtype], {"dtype": dtype})


def masked(name: str) -> Given:
    text, params, data, spoilt = CASES[name]
    return Given(parse(text), *({n: spoilt.get(n, v) for n, v in values.items()} for values in (params, data)))


def at_point(name: str) -> Given:
    text, point, _ = POINTS[name]
    return Given(parse(text), {"x": np.array(point)}, {})


def rows_of_nothing() -> Given:
    lines = "".join(f"output Y{k} = sum({form})\n" for k, form in enumerate(NOTHING.values()))
    model = parse(f"dim N, D\nparam x: N x D\ndata m: N x D\ns = where(m, x, -inf)\n{lines}")
    return Given(model, {"x": ROWS}, {"m": np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])})


def of_nothing(text: str, *empty: str) -> Given:
    """With sizes of 0."""
    model = parse(text)
    return drawn(model, sizes={n: 0 if n in empty else 2 for n in model.sizes})


def tests_of(agrees: Callable[[Given, Path], None], some: Callable[[Iterable[Any]], list[Any]], shapes: Sequence[Any]
             ) -> type:
    """The tests of every target, which ``agrees`` compares with NumPy: of ``some`` cases of the long tables, scalar
    functions at entries of these ``shapes``."""

    class TestNumbers:
        @pytest.mark.parametrize("name", some(TEXTS))
        def test_models(self, name: str, tmp_path: Path) -> None:
            agrees(drawn(parse(TEXTS[name])), tmp_path)

        @pytest.mark.parametrize("cases", OPS, ids=lambda some: f"{some[0][0].name} to {some[-1][0].name}")
        def test_every_op(self, cases: list[tuple[Op, Sample]], tmp_path: Path) -> None:
            agrees(of_ops(cases), tmp_path)

        @pytest.mark.parametrize("shape", shapes, ids=["matrix", "scalar"])
        @pytest.mark.parametrize("records", SCALARS, ids=lambda some: f"{some[0].name} to {some[-1].name}")
        def test_every_scalar_function(self, records: list[Scalar], shape: tuple[int, ...], tmp_path: Path) -> None:
            agrees(of_scalars(records, shape), tmp_path)

        @pytest.mark.parametrize("dtype", PRECISIONS)
        @pytest.mark.parametrize("losses", LOSSES, ids=lambda some: some[0])
        def test_kinds(self, losses: list[str], dtype: str, tmp_path: Path) -> None:
            agrees(of_kinds(losses, dtype), tmp_path)

        @pytest.mark.parametrize("name", some(CASES))
        def test_masks(self, name: str, tmp_path: Path) -> None:
            agrees(masked(name), tmp_path)

        @pytest.mark.parametrize("name", some(POINTS))
        def test_points(self, name: str, tmp_path: Path) -> None:
            agrees(at_point(name), tmp_path)

        def test_rows_of_nothing(self, tmp_path: Path) -> None:
            agrees(rows_of_nothing(), tmp_path)

    return TestNumbers
