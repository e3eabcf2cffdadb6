"""Random inputs: valid for the model, and such that they show something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop.core.shapes import evaluate_shape
from symbackprop.errors import ShapeError
from symbackprop.model.model import Model
from symbackprop.model.text import parse
from symbackprop.verify.sampling import choose_sizes, draw, intervals, named_values, needs_of


def sizes_of(text: str, trial: int = 0, **given: int) -> dict[str, int]:
    return choose_sizes(parse(text), np.random.default_rng(0), given, trial)


def test_sizes_are_the_given_the_declared_or_small_and_different() -> None:
    text = "dim N, D = 4, H, C\nparam W: N x D, V: H x C\nloss L = sum(W**2) + sum(V)"
    sizes = sizes_of(text, C=9)
    assert sizes["D"] == 4 and sizes["C"] == 9
    assert len(set(sizes.values())) == 4 and max(sizes.values()) < 10


@pytest.mark.parametrize("axis", ["D/h", "D - h"])
def test_what_is_computed_from_sizes_is_no_1_where_it_need_not_be(axis: str) -> None:
    text = f"dim D, h = 2\nparam W: D x h, v: {axis}\nloss L = sum(W) * sum(v)"
    model = parse(text)
    for seed in range(20):
        sizes = choose_sizes(model, np.random.default_rng(seed), {}, seed % 3, ["h"])
        assert evaluate_shape(model.leaves()["v"].shape, sizes)[0] > 1
    assert sizes_of(text, **{"D": 2 if "/" in axis else 3}).items() >= {"h": 2}.items()


def test_later_trials_change_free_sizes_only() -> None:
    text = "dim N, D = 4, H\nparam W: N x D, V: H\nloss L = sum(W**2) + sum(V)"
    seen = [sizes_of(text, trial, H=7) for trial in range(6)]
    assert {s["D"] for s in seen} == {4} and {s["H"] for s in seen} == {7}
    assert len({s["N"] for s in seen}) > 1


@pytest.mark.parametrize(
    "text",
    [
        "dim N, D, H\nparam W: N x D\nloss L = sum(W[:, :H]**2)",
        "dim N, D, H\nparam W: N x D\nloss L = sum(reshape(W, (N, H, D / H))**2)",
        "dim N, D, H, K\nparam W: N x D\nloss L = sum(reshape(W, (N * D / (H * K), H * K))**2)",
        "dim N, K\nparam W: N\nloss L = sum(W[K:]**2)",
    ],
)
def test_sizes_that_fit_are_searched_for(text: str) -> None:
    model = parse(text)
    sizes = sizes_of(text)
    assert needs_of(model).met(sizes)
    drawn = draw(model, sizes, np.random.default_rng(0))
    assert all(np.isfinite(v).all() for v in named_values(model, model.equations, drawn).values())


def test_numbers_made_of_sizes_are_finite() -> None:
    model = Model.parse("dim N\nparam x: N\nloss L = sum(std(x, ddof=1)) + sum(x) / (N - 3)")
    assert not needs_of(model).met({"N": 1}) and not needs_of(model).met({"N": 3}) and needs_of(model).met({"N": 2})


def test_an_axis_that_is_never_longer_than_1_is_found_a_size_at_once() -> None:
    """Where `ceil` adds a row, an odd T adds one and an even T none."""
    model = Model.parse("dim N, T, C\nparam x: N x T x C\nloss L = sum(max_pool1d(x, 2, ceil=True) ** 2)")
    for seed in range(20):
        sizes = choose_sizes(model, np.random.default_rng(seed), {})
        assert sizes["T"] % 2 and max(sizes.values()) < 9


def test_where_no_sizes_fit_they_are_asked_for() -> None:
    with pytest.raises(ShapeError, match="give them with --dim"):
        sizes_of("dim N, H\nparam W: N\nloss L = sum(reshape(W, (H, N / H))**2)", N=7, H=2)


def test_what_is_empty_at_all_sizes_is_told() -> None:
    model = parse("dim N\ndata x: N\nparam w: N, v: 3\nloss L = sum(x * w) + sum(v[4:])", name="m")
    with pytest.raises(ShapeError, match=r"v\[:0\] \(0\) of m has no entries at any sizes; a slice that begins"):
        choose_sizes(model, np.random.default_rng(0), {})


def test_a_sample_has_the_shapes_kinds_and_bounds_of_the_model() -> None:
    model = parse("dim N, D, V\ndata i: N int < V\ninput X: N x D\nparam E: V x D, s\noutput Y = E[i] * X * s")
    sizes = choose_sizes(model, np.random.default_rng(0), {})
    sample = draw(model, sizes, np.random.default_rng(1))
    for name, row in model.leaves().items():
        assert sample.values[name].shape == evaluate_shape(row.shape, sizes)
    i = sample.values["i"]
    assert i.dtype.kind == "i" and i.min() >= 0 and i.max() < sizes["V"]
    assert len(set(i.tolist())) < len(i), "no index is repeated: scatters that overwrite would pass"
    assert sample.upstream["Y"].shape == (sizes["N"], sizes["D"])


def test_the_same_seed_gives_the_same_sample() -> None:
    model = parse("dim N, D\nparam W: N x D\nloss L = sum(W**2)")
    a, b = (draw(model, {"N": 3, "D": 4}, np.random.default_rng(5)).values["W"] for _ in range(2))
    assert np.array_equal(a, b)


LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("loss L = sum(log(W))", {"W": (0.3, 3.0)}),
    ("loss L = sum(sqrt(W.T))", {"W": (0.3, 3.0)}),
    ("loss L = sum(log(reshape(W, (D, N))[1:]))", {"W": (0.3, 3.0)}),
    ("loss L = sum(binary_cross_entropy(W, V))", {"W": (0.1, 0.9), "V": (0.1, 0.9)}),
    ("loss L = sum(V / W)", {"W": (0.3, 2.0)}),
    ("loss L = sum(W ** V)", {"W": (0.3, 2.0)}),
    ("loss L = sum(W ** 0.3)", {"W": (0.3, 2.0)}),
    ("loss L = sum(W ** -1)", {"W": (0.3, 2.0)}),
    ("loss L = sum(W ** 2 + exp(W) - tanh(V))", {}),
    ("loss L = sum(log(exp(W)))", {}),
    ("loss L = sum(log(W)) + sum(log1p(W))", {"W": (0.3, 2.0)}),
]


@pytest.mark.parametrize(("line", "expected"), LIMITS, ids=[line for line, _ in LIMITS])
def test_domains_are_read_off_the_rows(line: str, expected: dict[str, Any]) -> None:
    model = parse(f"dim N, D\nparam W: N x D, V: N x D\n{line}")
    assert intervals(model.results()) == expected


def test_domains_reach_into_loops() -> None:
    from symbackprop.core import functions as F
    from symbackprop.core.loops import scan

    m = Model()
    T = m.dims("T")
    x, w = m.data("x", (T,)), m.param("w")
    (last,), _ = scan(lambda s, e: ((s[0] + F.log(e[0]) / w,), ()), m.graph.const(0), x)
    assert intervals([last]) == {"x": (0.3, 3.0), "w": (0.3, 2.0)}


def test_what_takes_neighbours_in_the_wrong_order_is_seen() -> None:
    """i of a, b, a has the pairs (a, b) and (b, a), whichever of both comes first."""
    model = parse("dim T, K\ndata i: T int < K\nparam A: K x K\nloss L = sum(A[i[:T-1], i[1:]])")
    for seed in range(20):
        i = draw(model, {"T": 3, "K": 4}, np.random.default_rng(seed)).values["i"]
        assert i[0] == i[1]
    i = draw(model, {"T": 5, "K": 4}, np.random.default_rng(0)).values["i"]
    assert i[0] == i[1] == i[2], "no pair is repeated: pairs that overwrite would pass"
