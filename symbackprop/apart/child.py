"""The process of its own: it runs one file and answers calls of what the file defines, and decides nothing.

The channel is what was stdin and stdout; what the file prints goes to stderr. A question is (number, whom it is about,
what is asked, arguments, numbers of what is no longer needed here); an answer repeats the number, then says "ok" and
the value, or "failed", "unknown" or "refused" and why.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from symbackprop.apart import wire
from symbackprop.apart.files import CallFailed, called, kinds_of, package_of, run_file
from symbackprop.apart.forms import Form, FunctionForm, Given, Raw, UnknownWord, form_of
from symbackprop.apart.libraries import alike, traced
from symbackprop.apart.source import member
from symbackprop.apart.threads import Call, interrupted
from symbackprop.errors import SymbackpropError, said

NO_MEMORY = 77  # the exit code for that
WATCH, SLOW = 0.5, 0.3  # seconds


class Answers:
    """What can be asked about a file. Caches and workspaces stay here, known to the asker by a number."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.kept: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}  # by id
        self.module: ModuleType
        self.form_: Form
        self.name: str | None = None
        self.compiles = True
        self.slow: Counter[Any] = Counter()  # how often a call took long, by the kind of its arguments

    def answer(self, subject: str, what: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        questions: dict[str, Callable[..., Any]] = {
            "load": self.load, "look": self.look, "call": self.call, "form": self.form, "run": self.run,
            "interrupted": self.interrupted}
        _more_processor_time(self.seconds)
        try:
            return "ok", questions[what](*args)
        except CallFailed as failure:
            return "failed", str(failure), failure.kinds, failure.says
        except UnknownWord as unknown:
            return "unknown", *unknown.args
        except SymbackpropError as error:
            return "refused", type(error).__name__, str(error)
        except MemoryError:
            raise
        except BaseException as error:  # Ctrl-C of its own; objects of which nothing can be asked
            return "failed", f"{subject} raised {said(error)}".rstrip(": "), kinds_of(error), said(error)

    def load(self, path: str) -> None:
        """Run the file; it can import what lies beside it."""
        sys.path[:0] = [str(Path(path).resolve().parent), str(package_of(Path(path))[0])]
        self._load(Path(path))

    def _load(self, path: Path) -> None:
        self.module = run_file(path)
        sys.modules[self.module.__name__] = self.module

    # -- a module by its contract
    def look(self, name: str) -> Any:
        """("no",), ("function", names and defaults of its parameters) or ("value", …) of what the file calls by a
        name."""
        if not hasattr(self.module, name):
            return ("no",)
        found = getattr(self.module, name)
        if not callable(found) or isinstance(found, type):
            return "value", found
        try:
            parameters = inspect.signature(found).parameters.values()
        except (TypeError, ValueError):
            return "function", ()
        return "function", [(p.name,) if p.default is p.empty else (p.name, p.default) for p in parameters]

    def call(self, name: str, args: tuple[Any, ...], options: dict[str, Any], stays: str) -> Any:
        """What a function returns, and its arguments as they are after the call. Of the result, ``stays`` says what is
        kept here: nothing, the ``last`` of a pair, or ``all``."""
        result = self._called(name, args, options)
        if stays == "all":
            result = self.keep(result)
        elif stays == "last" and isinstance(result, tuple) and len(result) == 2:
            result = (result[0], self.keep(result[1]))
        return result, args, options

    def _called(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A call. JAX compiles loops anew in every call of a function that is not compiled as a whole: where that took
        long twice for arguments of the same kind, it is done so. The whole numbers are the same each time, of which a
        function that is compiled cannot look whether they are in range."""
        function, path = getattr(self.module, name), getattr(self.module, "__file__", None)
        key = (name, *alike((args, options))) if "jax" in sys.modules else ()
        if self.slow[key] > 1:
            with suppress(CallFailed):
                return called(traced(function, anew=False), name, path, args, options)
            self.slow[key] = -sys.maxsize
        start = time.perf_counter()
        result = called(function, name, path, args, options)
        self.slow[key] += key != () and time.perf_counter() - start > SLOW
        if key and _memory_left() < 0.5:
            sys.modules["jax"].clear_caches()
        return result

    def interrupted(self, one: Call, other: Call) -> int | None:
        return interrupted(self.module, one, other)

    def keep(self, value: Any) -> wire.Thing:
        number = self.numbers[id(value)] = max(self.kept, default=0) + 1
        self.kept[number] = value
        return wire.Thing(type(value).__name__, number)

    def forget(self, numbers: list[int]) -> None:
        for number in numbers:
            value = self.kept.pop(number)
            if self.numbers.get(id(value)) == number:
                del self.numbers[id(value)]

    def find(self, value: Any) -> wire.Thing | None:
        """Which of the objects that stay here this is."""
        number = self.numbers.get(id(value))
        return None if number is None else wire.Thing(type(value).__name__, number)

    def get(self, thing: wire.Thing) -> Any:
        """The object of that number; in place of what does not travel, an object that is no number either."""
        return self.kept[thing.number] if thing.number else object()

    # -- a backward in one of its forms
    def form(self, name: str | None) -> Any:
        """What the file, or NAME in it, is: (label, names of parameters, libraries and devices, numbers that it
        compares with)."""
        self.name = name
        found = self.module if name is None else member(self.module, name, Path(self.module.__file__ or ""))
        self.form_ = form_of(found, None, self.module)
        return self.form_.label, self.form_.wanted(), self.form_.places(), self.form_.limits()

    def run(self, given: dict[str, Any]) -> dict[str, Any]:
        raw = self._run(Given(**given))
        return {f.name: getattr(raw, f.name) for f in fields(raw)}

    def _run(self, given: Given) -> Raw:
        """A run; functions over JAX arrays compiled where that can be done. Where it fails, the file is loaded anew:
        something of the attempt may be left in it."""
        if self.compiles and given.library == "jax" and isinstance(self.form_, FunctionForm):
            try:
                return self.form_.run(replace(given, compiled=True))
            except CallFailed:
                self.compiles = False
                self._load(Path(self.module.__file__ or ""))
                self.form(self.name)
        return self.form_.run(given)


def serve(stdin: BinaryIO, stdout: BinaryIO, seconds: float) -> None:
    """Answer until the asker goes away. What is forked from this process answers nothing."""
    answers, us, getpid, leave = Answers(seconds), os.getpid(), os.getpid, os._exit
    while True:
        try:
            number, subject, what, args, gone = wire.read(stdin, get=answers.get)
        except EOFError:
            leave(0)
        answers.forget(gone)
        answer = answers.answer(subject, what, args)
        if getpid() != us:
            leave(0)
        try:
            message = wire.message((number, *answer), answers.find)
        except MemoryError:
            raise
        except Exception as error:
            message = wire.message((number, "failed", f"{subject} returned what cannot be read: {said(error)}", (), ""))
        stdout.write(message)
        stdout.flush()


def _more_processor_time(seconds: float) -> None:
    """The next answer may take this long on every processor; should nobody be there any more to end it, the system
    does."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = time.process_time() + seconds * (os.cpu_count() or 1) + 5
        resource.setrlimit(resource.RLIMIT_CPU, (int(used), resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit(gigabytes: float) -> None:
    """No more memory than this, where the system knows such a limit; no core is dumped. Linux counts what is written to
    by ``RLIMIT_DATA``: PyTorch and JAX map far more than they use."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(kind, (int(gigabytes * 2**30),) * 2)


def _memory_left() -> float:
    """The part of the memory allowed that is free; 1 where the system does not say. (Linux gives pages, of which the
    sixth number is what ``RLIMIT_DATA`` counts.)"""
    with suppress(ImportError, ValueError, OSError, AttributeError):
        import resource

        allowed = resource.getrlimit(resource.RLIMIT_DATA)[0]
        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        return 1 - used / allowed if allowed > 0 else 1.0
    return 1.0


def _watch(parent: int) -> None:
    """End this process when the one that asks is gone."""
    sleep, getppid, leave = time.sleep, os.getppid, os._exit
    while getppid() == parent:
        sleep(WATCH)
    leave(0)


def main() -> None:
    """``argv[1]`` has the limits, as JSON."""
    limits = json.loads(sys.argv[1])
    stdin, stdout = (os.fdopen(os.dup(fd), mode) for fd, mode in ((0, "rb"), (1, "wb")))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.argv[1:] = []
    _limit(limits["memory"])
    threading.Thread(target=_watch, args=(limits["parent"],), daemon=True).start()
    try:
        serve(stdin, stdout, limits["timeout"])  # type: ignore[arg-type]
    except MemoryError:
        os._exit(NO_MEMORY)
