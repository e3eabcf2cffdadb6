"""What is nested deep takes no memory anew at every call."""

from __future__ import annotations

import sys

import pytest

from symbackprop.model.text import parse

resource = pytest.importorskip("resource")
NESTED = "param w\n" + "".join(f"a{k} = {'tanh(' * 48}w + {k}{')' * 48}\n" for k in range(60)) + "loss L = a0"


@pytest.mark.skipif(sys.platform != "linux", reason="pages are counted as Linux does")
def test_nested_calls_are_read_without_new_pages_at_each_call() -> None:
    """It was some 3,000, of which Python gave nearly all back."""
    parse(NESTED)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    parse(NESTED)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 1_500
