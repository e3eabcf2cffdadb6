"""What holds for every test."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def let_go_of_what_jax_compiled() -> Iterator[None]:
    """A loop that is not under jit is compiled at every call, and JAX keeps the code: some tests' worth of it are more
    regions of memory than a process may map, at which LLVM ends it."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
