"""The layered layout: edges run one way, nothing overlaps, few crossings, always the same."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from symbackprop.render.graph.layout import Edge, Layered, crossings, isotonic, layered, positions


def dag(seed: int) -> tuple[int, list[Edge]]:
    """A random graph whose edges go from smaller to greater numbers."""
    rng = random.Random(seed)
    count = rng.randint(2, 16)
    edges = [(a, b) for b in range(count) for a in range(b) if rng.random() < 2.2 / count]
    return count, edges


SEEDS = range(25)


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_edges_run_through_every_layer_between(seed: int, near: bool) -> None:
    count, edges = dag(seed)
    graph = layered(count, edges, near)
    level = {v: k for k, layer in enumerate(graph.layers) for v in layer}
    assert sorted(v for v in level if v < count) == list(range(count))
    for (a, b), chain in zip(edges, graph.chains, strict=True):
        assert (chain[0], chain[-1]) == (a, b)
        assert [level[v] for v in chain] == list(range(level[a], level[b] + 1))
        assert all(v >= count for v in chain[1:-1])


@pytest.mark.parametrize("seed", SEEDS)
def test_layers_with_odd_numbers_are_kept_for_dummies(seed: int) -> None:
    count, edges = dag(seed)
    graph = layered(count, edges, near=True, spread=2)
    assert all(v >= count for layer in graph.layers[1::2] for v in layer)
    assert all(len(chain) >= 3 for chain in graph.chains), "every edge has a dummy for its label"


@pytest.mark.parametrize("seed", SEEDS)
def test_vertices_keep_order_and_distance(seed: int) -> None:
    graph = layered(*dag(seed), near=True)
    extents = {v: (3.0 + v % 5, 4.0 + v % 3) for layer in graph.layers for v in layer}
    at = positions(graph, extents.__getitem__, 10.0)
    assert min(at[v] - extents[v][0] for v in at) == pytest.approx(0.0)
    for layer in graph.layers:
        for v, w in pairwise(layer):
            assert at[w] - at[v] >= extents[v][1] + 10.0 + extents[w][0] - 1e-9


def slow_crossings(graph: Layered) -> int:
    """Every pair of edges, one by one."""
    total = 0
    for upper, lower in pairwise(graph.layers):
        lines = [(upper.index(v), lower.index(w)) for v in upper for w in graph.below[v]]
        total += sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(lines) for c, d in lines[:i])
    return total


@pytest.mark.parametrize("seed", SEEDS)
def test_crossings_are_counted(seed: int) -> None:
    graph = layered(*dag(seed), near=False)
    assert crossings(graph) == slow_crossings(graph)
    for layer in graph.layers:
        layer.reverse()
    graph.layers[0].sort()
    assert crossings(graph) == slow_crossings(graph)


def test_a_tangle_that_can_be_undone_is() -> None:
    edges = [(a, 9 - a) for a in range(5)]
    assert crossings(layered(10, edges, near=False)) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_same_graph_same_layout(seed: int) -> None:
    count, edges = dag(seed)
    first, second = layered(count, edges, True), layered(count, edges, True)
    assert first.layers == second.layers
    assert positions(first, lambda v: (5.0, 5.0), 8.0) == positions(second, lambda v: (5.0, 5.0), 8.0)


def test_leaves_stand_before_their_reader_or_in_the_first_column() -> None:
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 4), (6, 2)]  # 5 is needed late, 6 soon
    level = {v: k for k, layer in enumerate(layered(7, edges, near=False).layers) for v in layer}
    assert (level[5], level[6]) == (3, 0)
    level = {v: k for k, layer in enumerate(layered(7, edges, near=True).layers) for v in layer}
    assert (level[5], level[6]) == (3, 1)


def test_isotonic_is_the_nearest_increasing_sequence() -> None:
    assert isotonic([1, 2, 3], [1, 1, 1]) == [1, 2, 3]
    assert isotonic([3, 1], [1, 1]) == [2, 2]
    assert isotonic([3, 1], [3, 1]) == [2.5, 2.5]
    assert isotonic([1, 5, 3, 4, 2, 9], [1] * 6) == [1, 3.5, 3.5, 3.5, 3.5, 9]


@pytest.mark.parametrize("seed", range(10))
def test_isotonic_against_all_ways_to_pool(seed: int) -> None:
    rng = random.Random(seed)
    wishes, weights = [rng.uniform(-3, 3) for _ in range(6)], [rng.uniform(0.2, 2) for _ in range(6)]

    def cost(values: list[float]) -> float:
        return sum(w * (x - y) ** 2 for w, x, y in zip(weights, wishes, values, strict=True))

    best = float("inf")
    for cuts in range(2**5):
        bounds = [0, *[k + 1 for k in range(5) if cuts >> k & 1], 6]
        values: list[float] = []
        for a, b in pairwise(bounds):
            mean = sum(w * x for w, x in zip(weights[a:b], wishes[a:b], strict=True)) / sum(weights[a:b])
            values += [mean] * (b - a)
        if all(x <= y + 1e-12 for x, y in pairwise(values)):
            best = min(best, cost(values))
    assert cost(isotonic(wishes, weights)) == pytest.approx(best)


def test_large_pictures_are_placed_less_often() -> None:
    """A wire over many layers is a dummy in each: of as many wires they are what takes the time."""
    small, large = (layered(n, [(a, b) for b in range(1, n) for a in {b - 1, b // 2}], near=True) for n in (20, 200))
    assert [*small.turns(24)] == [*range(24)]
    assert len(large.above) > 5000 and 2 <= len(large.turns(24)) < 10


def test_vertices_of_the_largest_pictures_are_placed_again_too() -> None:
    above: dict[int, list[int]] = {v: [] for v in range(60_000)}
    assert len(Layered(len(above), [], [], above, {}).turns(24)) == 2
