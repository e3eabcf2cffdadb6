"""What takes how long, said by counts, which are the same on every machine and at every load; and what must end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


def calls(action: Callable[[], object]) -> int:
    """How many functions are called while it runs, built-in ones too."""
    count = 0

    def called(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def steps(action: Callable[[], object]) -> int:
    """How many lines of Python are run, those of loops that call nothing too; what C does within a line is not seen."""
    count = 0

    def traced(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += 1
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def growth(of: Callable[[int], Callable[[], object]], size: int) -> float:
    """How many times the steps of a size twice that takes: 2 where each part takes as many as any other. What is done
    once per process is done before, on a small one; and what is remembered of the half is work that was done, not work
    of the whole."""
    of(7)()
    half = steps(of(size))
    return steps(of(2 * size)) / half


@contextmanager
def ends(seconds: int = 300) -> Iterator[None]:
    """Fails where the body hangs: the limit is a hundred times what it takes, no measure of a machine."""

    def late(number: int, frame: object) -> None:
        raise AssertionError(f"it did not end within {seconds} seconds")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
