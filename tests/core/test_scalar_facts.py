"""What the records of scalar functions state of values and kinks, held against their references on many floats."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from symbackprop.core import formula as f
from symbackprop.core.graph import Graph
from symbackprop.core.ops.elementwise import evaluate_expr
from symbackprop.core.reverse import grad
from symbackprop.core.scalars import PLACEHOLDERS, TABLE, Scalar, register, to_sympy
from symbackprop.verify.interpreter import evaluate

MODERATE = [-30.0, -3.0, -1.0, -0.5, -1e-9, 0.0, 1e-9, 0.25, 0.5, 1.0, 2.0, 30.0]
FLOATS = [-1e300, -1000.0, *MODERATE, 1000.0, 1e300]
SCALARS = [pytest.param(r, id=r.name) for r in TABLE.values()]
LONG = {"bessel_ratio", "bessel_share"}  # a digit of which takes as long as a hundred of others: CI has the scaled one


def points(record: Scalar, numbers: list[float]) -> list[np.ndarray]:
    """All combinations of these numbers as arguments, of every second one for three; conventions at their value."""
    some = numbers[:: 1 + (record.arity > 2)]
    own = [some if k < record.arity else [low] for k, (low, _) in enumerate(record.domain)]
    return [np.array(x) for x in zip(*product(*own), strict=True)]


def values(record: Scalar, args: list[np.ndarray]) -> Any:
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(record.reference(np, *args), dtype=float), args[0].shape)


def formula(form: f.Formula, args: list[np.ndarray]) -> Any:
    with np.errstate(all="ignore"):
        found = evaluate_expr(np, to_sympy(form), dict(zip(PLACEHOLDERS, args, strict=False)))
        return np.broadcast_to(np.asarray(found, dtype=float), args[0].shape)


@pytest.mark.parametrize("record", [pytest.param(r, id=n, marks=pytest.mark.slow if n in LONG else ())
                                    for n, r in TABLE.items()])
def test_values_lie_in_the_range(record: Scalar) -> None:
    found = values(record, points(record, [-np.inf, *FLOATS, np.inf]))
    low, high = (0.0, 1.0) if record.boolean else record.range
    assert np.all(found[~np.isnan(found)] >= low) and np.all(found[~np.isnan(found)] <= high)
    if np.isfinite(record.range).all():
        assert not np.isnan(found).any(), "bounded functions are so at infinity, too"


@pytest.mark.parametrize("record", SCALARS)
def test_what_is_stated_to_be_finite_is(record: Scalar) -> None:
    """Infinite values, and NaN that is not outside the domain, are stated."""
    args = points(record, [x for x in FLOATS if abs(x) < 1e4])
    found = values(record, args)
    where = formula(record.finite, args) > 0 if isinstance(record.finite, f.Formula) else np.full(found.shape, True)
    if record.finite is not False:
        assert not np.isinf(found[where]).any()


@pytest.mark.parametrize("record", [c for c in SCALARS if c.values[0].positive])
def test_positive_functions(record: Scalar) -> None:
    assert np.all(values(record, points(record, MODERATE)) > 0) and record.range[0] == 0


@pytest.mark.parametrize("record", [c for c in SCALARS if c.values[0].flat])
def test_flat_functions_have_slope_0_where_they_are_0(record: Scalar) -> None:
    g = Graph()
    x, *others = (g.leaf(f"x{k}") for k in range(record.arity))
    row = g.call(record.name, x, *others, *[low for low, _ in record.domain[record.arity :]])
    slope = grad(row, [x])[0]
    given = {f"x{k}": 0.0 if k == 0 else 0.5 for k in range(record.arity)}
    with np.errstate(all="ignore"):
        at, before, behind = (evaluate([row, slope], given | {"x0": v}) for v in (0.0, -0.25, 0.25))
    assert at[0] == at[1] == 0 and behind[0] > 0 and (np.isnan(before[0]) or before[0] >= 0)


@pytest.mark.parametrize("record", [c for c in SCALARS if c.values[0].chooses])
def test_functions_that_choose_are_equal_to_an_argument(record: Scalar) -> None:
    args = points(record, MODERATE)
    chosen = np.stack([args[k] for k in record.chooses])
    assert (values(record, args) == chosen).any(axis=0).all()
    assert record.largest == bool((values(record, args) == chosen.max(axis=0)).all())


@pytest.mark.parametrize("record", SCALARS)
def test_whole_functions_keep_integers(record: Scalar) -> None:
    found = values(record, points(record, [-3.0, -1.0, 0.0, 1.0, 2.0]))
    if record.whole:
        assert np.array_equal(found, np.round(found))


@pytest.mark.parametrize("record", [c for c in SCALARS if c.values[0].log1p is not None])
def test_log_of_one_plus(record: Scalar) -> None:
    args = points(record, MODERATE[:-1])
    np.testing.assert_allclose(formula(record.log1p, args), np.log1p(values(record, args)))  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [c for c in SCALARS if c.values[0].arity == 1 and not c.values[0].boolean])
def test_kinks_are_stated(record: Scalar) -> None:
    """Where slopes on both sides differ, but for poles, there is a switch; where they are infinite the function is
    singular."""
    for at in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0):
        args = [at + np.array([-2e-6, -1e-6, 1e-6, 2e-6, 0.0]), *[np.full(5, v) for v, _ in record.domain[1:]]]
        y = values(record, args)
        slopes = (y[1] - y[0]) / 1e-6, (y[3] - y[2]) / 1e-6
        bends = np.isfinite([*slopes, y[4]]).all() and abs(slopes[1] - slopes[0]) > 1e-3 * (1 + abs(slopes[0]))
        assert not bends or record.singular or any(_met(s, at) for s in record.switches), (record.name, at)


def _met(switch: Any, at: float) -> bool:
    left, right = (at if isinstance(p, f.Arg) else float(p.value) for p in switch[:2])
    return left == right


X = f.Arg(0)
GOOD = Scalar("half", TABLE["softplus"].head, lambda np, x: x / 2, (f.lift(1) / 2,))


@pytest.mark.parametrize(("change", "message"), [
    ({"name": "tanh"}, "tanh: the scalar function is registered twice"),
    ({"reference": None}, "half: a reference and one domain"),
    ({"partials": ()}, "half: 1 arguments but 0 derivatives"),
    ({"domain": ((0.0, 1.0), (0.0, 1.0)), "partials": (X, X)}, "half: the reference takes 1 arguments, domain has 2"),
    ({"partials": (f.Call("cosine", (X,)),)}, "half: cosine is not in the table"),
    ({"log": f.Call("logarithm", (X,))}, "half: logarithm is not in the table"),
    ({"partials": (f.Arg(1),)}, "half: a formula reads an argument that is none of the 1"),
    ({"spelled": f.Arg(1)}, "half: a formula reads an argument that is none of the 1"),
    ({"head": lambda x: x / 2, "partials": (None,)}, "half: SymPy cannot differentiate the head: derivative 0"),
])
def test_registration_refuses(change: dict[str, Any], message: str) -> None:
    before = dict(TABLE)
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        register(replace(GOOD, **change))
    assert before == TABLE


def test_records_that_call_each_other_are_added_together_or_not_at_all() -> None:
    other = replace(GOOD, name="other", partials=(f.Call("half", (X,)),))
    with pytest.raises(ValueError, match="half is not in the table"):
        register(other)
    with pytest.raises(ValueError, match="nowhere is not in the table"):
        register(other, replace(GOOD, partials=(f.Call("nowhere", (X,)),)))
    assert "other" not in TABLE and "half" not in TABLE


@pytest.mark.parametrize("record", SCALARS)
def test_what_levels_off_as_a_power_is_stated_to_be_slow(record: Scalar) -> None:
    """An exponential has long been its limit at 1000; the slope of another one times that of 1/x may be any number."""
    bounded = np.isfinite(record.range).any() and not (record.flat or record.power or record.boolean or record.whole)
    middle, slow = [np.array(np.mean(interval)) for interval in record.domain], False
    for k in range(record.arity if bounded else 0):
        for far in (-1e3, 1e3):
            at, limit = (values(record, [x if k == i else m for i, m in enumerate(middle)])
                         for x in (np.array(far), np.array(far * np.inf)))
            slow |= bool(np.isfinite(limit) and abs(at - limit) > 1e-12)
    assert slow == record.slow


@pytest.mark.parametrize("record", [p for p in SCALARS if p.values[0].tails != (None, None)])
def test_tails_are_exponentials(record: Scalar) -> None:
    for side, tail in zip((-1, 1), record.tails, strict=True):
        near, far = values(record, [side * np.array([150.0, 350.0])])
        if tail is not None:
            np.testing.assert_allclose(far / near, np.exp(side * tail * 200.0), rtol=1e-13)


@pytest.mark.parametrize("record", SCALARS)
def test_what_is_stated_to_be_even_is(record: Scalar) -> None:
    at = np.array([0.3, 1.2, 2.5])
    if record.even:
        np.testing.assert_allclose(record.reference(np, at), record.reference(np, -at), rtol=1e-15)
