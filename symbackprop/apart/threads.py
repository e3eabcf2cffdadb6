"""Two threads at a time in a module of the contract: forward and backward of the one, with calls of the other between
any two lines of the file."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from symbackprop.apart.files import quiet

TIME, FEWEST = 0.04, 4  # seconds that are spent on it, and lines that are looked at
LONG, MOST = 2.0, 400  # the same where a module holds something
PATIENCE = 1.0  # seconds in which a thread that waits for a lock of the other lets it go on
SHARED, TABLES = 1e-9, ("PARAMS", "DATA", "DIMS", "INTEGERS")
Call = tuple[Any, ...]  # (params, data, what backward is given after the cache, options)


class Place(NamedTuple):
    """Where a line begins in what a function was compiled to. Only the number of the line that is told is looked up:
    Python goes through all lines in front of it for that."""

    code: CodeType
    offset: int

    @property
    def line(self) -> int | None:
        return next(line for start, end, line in self.code.co_lines() if start <= self.offset < end)


def interrupted(module: Any, one: Call, other: Call) -> int | None:
    """The number of the first line of the file before which another thread's calls of forward and backward change what
    these give: at some lines, or at each of them where the module holds something that can change."""
    with quiet(), np.errstate(all="ignore"):
        began = time.perf_counter()
        places, right = lines_run(module, one)
        share = (LONG if holds(module) else TIME) / (2 * (time.perf_counter() - began))
        most = int(min(max(share, FEWEST), MOST))
        some = places[:: max(1, -(-len(places) // most))]
        return next((place.line for place in some if disturbs(module, one, other, place, right)), None)


def disturbs(module: Any, one: Call, other: Call, place: Place, right: Any) -> bool:
    """Whether the other calls before a line change what the one gives."""
    return not alike(lines_run(module, one, place, lambda: meanwhile(module, other))[1], right)


def meanwhile(module: Any, other: Call) -> None:
    """The calls, in a thread of their own, and its end."""

    def run() -> None:
        with contextlib.suppress(Exception), np.errstate(all="ignore"):
            both(module, other)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)


def lines_run(module: Any, given: Call, until: Place | None = None, then: Callable[[], None] = lambda: None
              ) -> tuple[list[Place], Any]:
    """The lines of the file that forward and backward run through, and what they return, or that they raise. Before
    the line ``until`` runs first, ``then`` is called, and no more lines are looked at, in any thread."""
    seen, path, earlier = dict[tuple[int, int], CodeType](), module.__file__, sys.gettrace()
    last = until and (id(until.code), until.offset)

    def line(frame: Any, event: str, _: Any) -> Any:
        place = id(frame.f_code), frame.f_lasti  # a code's own hash reads all of it
        if event == "line" and place not in seen:
            seen[place] = frame.f_code
            if place == last:
                sys.settrace(earlier)
                then()
        return line

    sys.settrace(lambda frame, event, _: line if frame.f_code.co_filename == path else None)
    try:
        found: Any = both(module, given)
    except Exception as error:
        found = type(error).__name__
    finally:
        sys.settrace(earlier)
    return [Place(code, offset) for (_, offset), code in seen.items()], found


def both(module: Any, given: Call) -> Any:
    """What forward and backward return, apart from the workspace that it may live in."""
    params, data, seed, options = given
    found, cache = module.forward(params, data, **options)
    own = {n: v for n, v in options.items() if n == "workspace"}
    return copied((found, module.backward(cache, *seed, **own)))


def copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {n: copied(v) for n, v in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(map(copied, value))
    return value.copy() if isinstance(value, np.ndarray) else value


def holds(module: ModuleType) -> bool:
    """Whether a module has a variable of its own that calls can change: an array, a list, a table that no contract has
    it have."""
    fixed = (ModuleType, FunctionType, type, str, int, float, tuple, frozenset, type(None))
    return any(not isinstance(v, fixed) and not n.startswith("__") and n not in TABLES for n, v in vars(module).items())


def alike(a: Any, b: Any) -> bool:
    """Whether two results are the same numbers, but for rounding; of what are no numbers nothing is said."""
    if isinstance(b, Mapping):
        return isinstance(a, Mapping) and all(n in a and alike(a[n], b[n]) for n in b)
    if isinstance(b, (tuple, list)):
        return isinstance(a, (tuple, list)) and len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    try:
        return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, SHARED, SHARED, equal_nan=True))
    except (TypeError, ValueError):
        return True
