"""Cycles of objects: Python looks for them again and again while rows and trees are made, of which few have any.

A large model has millions of objects that live until it is printed; looking through them took up to two fifths of the
time. What was left unlooked at is looked through when the outermost call ends.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 2_000_000  # objects, some 200 MB


@contextmanager
def uncollected() -> Iterator[None]:
    """Cycles are not looked for inside this context, or inside a function that it decorates."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def kept() -> Iterator[None]:
    """The rest of a process: what it has loaded is looked through no more, what it makes only when there is more of it
    than any model has, and what there is at its end goes with it. To look through a large model once more there took a
    sixth of the time, to do so whenever one of its stages ended up to a tenth."""
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(MANY, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.freeze()
