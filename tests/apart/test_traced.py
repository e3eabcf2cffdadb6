"""Functions over JAX arrays are compiled as a whole where that is the same, and run operation by operation if not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbackprop.apart.child import Answers

CODE = """
import jax.numpy as jnp
import numpy as np

KEPT, TIMES = {}, []


def compiled(x, N):
    return 2 * x + jnp.arange(N)


def looks(x):
    return 2 * x if x.sum() > 0 else x


def keeps(x):
    KEPT.setdefault(x.shape, 2 * jnp.ones_like(x))
    return KEPT[x.shape] * x


def counts(x):
    TIMES.append(1)
    return len(TIMES) * x


def in_numpy(x):
    return np.asarray(2 * x)
"""


def ran(path: Path, name: str) -> tuple[Answers, list[Any]]:
    """What two calls give, and again at another size."""
    answers, found = Answers(60.0), []
    answers.load(str(path))
    answers.form(name)
    for size, twice in ((3, True), (4, False)):
        x = np.arange(1.0, size + 1)
        given = {"values": {"x": ("x", x), "N": ("N", size)}, "params": {}, "data": {}, "dims": {}, "upstream": {},
                 "library": "jax"}
        found += [answers.run({**given, "twice": twice, "fresh": fresh})["results"] for fresh in (True, False)]
    return answers, [np.asarray(a) for a in found]


@pytest.mark.parametrize(("name", "compiles"), [("compiled", True), ("counts", True), ("looks", False),
                                                ("keeps", False), ("in_numpy", False)])
def test_compiled_where_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, compiles: bool
                                       ) -> None:
    pytest.importorskip("jax")
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "code.py"
    path.write_text(CODE, encoding="utf-8")
    answers, found = ran(path, name)
    assert answers.compiles == compiles
    x, y = np.arange(1.0, 4), np.arange(1.0, 5)
    factors = [1, 2, 3, 4] if name == "counts" else [2] * 4
    more = [np.arange(a.size) * (name == "compiled") for a in (x, x, y, y)]
    assert all(np.allclose(f * a + b, c) for f, a, b, c in zip(factors, (x, x, y, y), more, found, strict=True))


def test_a_float_is_not_taken_for_the_whole_number_that_is_equal() -> None:
    jax = pytest.importorskip("jax")
    from symbackprop.apart.libraries import traced

    call = traced(lambda x, n: x * (n / 2 if isinstance(n, float) else n), False)
    assert [float(call(jax.numpy.ones(()), n)) for n in (2, 2.0)] == [2, 1]
