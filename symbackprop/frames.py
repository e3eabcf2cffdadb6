"""Frames of functions: Python takes memory for them in pieces of 16 KB, and gives a piece back as soon as nothing in it
is left. What is nested deep goes over such an edge and back thousands of times: to do so took up to a seventh of the
time that a text of nested calls was read."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

ROOM = 1 << 15  # words, in the frame itself and as many behind it

P = ParamSpec("P")
T = TypeVar("T")


def roomy(function: Callable[P, T]) -> Callable[P, T]:
    """The function, called from a frame so large that the piece it stands in has room for all that it calls."""
    @wraps(function)
    def called(*args: P.args, **options: P.kwargs) -> T:
        return function(*args, **options)

    called.__code__ = called.__code__.replace(co_stacksize=ROOM)  # type: ignore[attr-defined]
    return called
