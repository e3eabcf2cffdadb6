"""References of ops give the same arrays with and without NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop.core.ops import OPS
from symbackprop.core.plain_arrays import Arrays, Missing, asarray
from symbackprop.core.registry import Op

MATRICES = {name for name, op in OPS.items() if op.infer.__module__.endswith(".matrices")}
COMPUTED = [op for op in OPS.values() if not op.loop and not op.result]


@pytest.mark.parametrize("op", COMPUTED, ids=lambda op: op.name)
def test_samples_of_every_op(op: Op) -> None:
    rng = np.random.default_rng(0)
    for sample in op.samples:
        arrays = [rng.integers(0, sample.below[k], shape) if k in sample.below else rng.normal(size=shape)
                  for k, shape in enumerate(sample.shapes)]
        try:
            found = asarray(op.reference(Arrays(), sample.attr, *[asarray(a.tolist()) for a in arrays]))
        except Missing:
            assert "inv" in MATRICES and op.name in MATRICES, "only these have no reference without NumPy"
            return
        wanted = op.reference(np, sample.attr, *arrays)
        assert found.shape == np.shape(wanted)
        np.testing.assert_allclose(np.array(found.tolist(), float), wanted, rtol=1e-13, atol=1e-14)


def test_parts_of_arrays() -> None:
    wanted = np.arange(24.0).reshape(2, 3, 4)
    a = asarray(wanted.tolist())
    for key in (1, (0, 2), (Ellipsis, 1), (slice(None), None, slice(2, None, -1)), (-1, slice(1, 3), 0), (1, 2, 3)):
        part = asarray(a[key])
        np.testing.assert_array_equal(np.array(part.tolist()), wanted[key])
    a[:, 1, 1:3], wanted[:, 1, 1:3] = asarray([7.0, 8.0]), [7.0, 8.0]
    np.testing.assert_array_equal(np.array(a.tolist()), wanted)
    with pytest.raises(IndexError):
        a[2]
    with pytest.raises(ValueError, match="do not fit"):
        a + asarray([1.0, 2.0])
