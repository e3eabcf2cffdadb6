"""Random points."""

from __future__ import annotations

from symbackprop.grade.equality import same
from symbackprop.grade.points import Points
from tests.grade.helpers import reference


def test_points_differ_in_sizes_and_repeat_for_a_seed() -> None:
    found = reference("ffnn-softmax-batch")
    first, second = Points(found, {}).first(3), Points(found, {}).first(3)
    assert len({tuple(sorted(p.sizes.items())) for p in first}) > 1
    assert all(same(a.value(found.rows["X"]), b.value(found.rows["X"])) for a, b in zip(first, second, strict=True))
