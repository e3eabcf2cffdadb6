"""What holds for every test."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, settings

from tests import sweeps

# xdist has a process for every core: the threads of each would wait by spinning, ten times as long as they compute
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

REGIONS = Path("/proc/self/maps")  # of memory; Linux lets a process map 65,530
MOST = 20_000
LOOKED = [0.0]  # CPU seconds at the last look, which takes ten milliseconds and more


def pytest_configure(config: pytest.Config) -> None:
    """A short run has the same examples each time; a long one, or one with a seed, has its own."""
    alike = int(os.environ.get("SYMBACKPROP_EXAMPLES", "0")) < 500 and config.getoption("--hypothesis-seed") is None
    settings.register_profile("examples", derandomize=alike, deadline=None, suppress_health_check=list(HealthCheck))
    settings.load_profile("examples")
    if alike:
        _without_constants()


def _without_constants() -> None:
    """Hypothesis tries the constants of every module that is imported: what it tries would depend on the tests before,
    and on each change of the source."""
    from hypothesis.internal.conjecture import providers

    if hasattr(providers, "_get_local_constants"):
        providers._get_local_constants = providers.Constants


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """``SWEEP`` takes its part of the cases of each test, of those that the other options leave."""
    if sweeps.STEP > 1:
        taken = set(sweeps.of_every_test(items, lambda item: item.nodeid.partition("[")[0]))
        config.hook.pytest_deselected(items=[item for item in items if item not in taken])
        items[:] = [item for item in items if item in taken]


def pytest_sessionstart() -> None:
    """The thousands of tests stay: the garbage collector need not go through them again and again."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(10_000)  # two thousand new objects make Python look for cycles, and call JAX each time
    gc.enable()


@pytest.fixture(autouse=True)
def let_go_of_what_jax_compiled() -> Iterator[None]:
    """JAX keeps the code of all that it compiled, single operations too, which the next test may need. It is dropped
    where it grew large: past the regions of memory that a process may map, LLVM ends it."""
    yield
    if "jax" not in sys.modules or process_time() - LOOKED[0] < 1:  # what is compiled in a second are some hundred
        return
    LOOKED[0] = process_time()
    if not REGIONS.exists() or REGIONS.read_bytes().count(b"\n") > MOST:
        sys.modules["jax"].clear_caches()
