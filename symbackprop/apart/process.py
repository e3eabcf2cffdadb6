"""Running somebody's file in a process of its own, with limits of time and memory, and asking it.

The file can end, hang or flood its process, and patch whatever is in it: here that is one exception, `CodeEnded`, with
a sentence for the user. This keeps accidents and tricks out of a verdict. It is no sandbox: the file runs with the
user's own rights.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from symbackprop import errors
from symbackprop.apart import GIGABYTES, SECONDS, wire
from symbackprop.apart.child import NO_MEMORY
from symbackprop.apart.files import CallFailed, existing
from symbackprop.apart.forms import Form, Given, Raw, UnknownWord
from symbackprop.terminal import visible

PRINTED, FLOOD = 20_000, 64 << 20  # bytes of what the file prints that are passed on; in a call, that end it
SETTLING = 1.0  # seconds in which a process that has closed its channel ends by itself
STAYS = {"forward": "last", "make_workspace": "all"}
_START = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from symbackprop.apart.child import main; main()"


class CodeEnded(Exception):
    """The process of somebody's file did not live to answer: what it was asked, and how it ended."""


class Process:
    """A file in a process of its own; for a ``with`` block, after which nothing of it is left. Each call, and loading
    the file, may take ``timeout`` seconds, all of it together ``memory`` GiB."""

    def __init__(self, path: str | Path, timeout: float = SECONDS, memory: float = GIGABYTES) -> None:
        self.path, self.timeout, self.memory = existing(Path(path)), timeout, memory
        self.asked, self.ended, self.gone, self.printed = 0, "", list[int](), 0
        limits = {"timeout": timeout, "memory": memory, "parent": os.getpid()}
        command = [sys.executable, "-c", _START, json.dumps([p or os.getcwd() for p in sys.path]),
                   json.dumps(limits)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)
        self.answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self._speak, self._listen, self._pass_on)]
        for thread in self.threads:
            thread.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        self._kill()
        self.questions.put(b"")
        for thread, pipe in zip(self.threads, (self.process.stdin, self.process.stdout, self.process.stderr),
                                strict=True):
            thread.join(SETTLING)
            if pipe is not None and not thread.is_alive():
                with contextlib.suppress(OSError):
                    pipe.close()

    # -- asking
    def ask(self, subject: str, what: str, *args: Any) -> Any:
        """The answer to a question about ``subject``, a function or the file. Raises what the call raised as
        `CallFailed`, our own errors, and `CodeEnded`."""
        if self.ended:
            raise CodeEnded(self.ended)
        self.asked, self.printed = self.asked + 1, 0
        gone = self.gone[:]
        del self.gone[: len(gone)]
        self.questions.put(wire.message((self.asked, subject, what, args, gone)))
        try:
            answer = self.answers.get(timeout=self.timeout)
        except queue.Empty:
            self._kill()
            raise self._end(f"{subject} did not end within {self.timeout:g} seconds") from None
        known = isinstance(answer, tuple) and type(answer[0]) is int
        match answer if known else None if answer is None else ():
            case (self.asked, "ok", value):
                return value
            case (self.asked, "failed", str(message), tuple(kinds), str(says)):
                raise CallFailed(message, kinds, says)
            case (self.asked, "unknown", str(label), str(word)):
                raise UnknownWord(label, word)
            case (self.asked, "refused", "UsageError" | "BrokenModule" | "MissingExtra" as name, str(message)):
                raise getattr(errors, name)(message)
            case None:
                raise self._end(f"{subject} {self._how_it_ended()}")
        self._kill()
        raise self._end(f"{subject} wrote into the channel by which its results come back")

    def _end(self, message: str) -> CodeEnded:
        self.ended = message
        return CodeEnded(message)

    def _how_it_ended(self) -> str:
        if self.printed > FLOOD:
            return f"printed more than {FLOOD >> 20} MB"
        try:
            code = self.process.wait(SETTLING)
        except subprocess.TimeoutExpired:
            return "closed the channel by which its results come back"
        finally:
            self._kill()
        if code == NO_MEMORY:
            return f"took more than the {self.memory:g} GiB of memory that it may use"
        if code >= 0:
            return f"ended the process, with exit code {code}"
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            why = ", as where memory runs out" if name == "SIGKILL" else ""
            return f"ended the process: it was stopped by {name}{why}"
        return f"ended the process: it was stopped by signal {-code}"

    def _kill(self) -> None:
        """End the process and those that it has started."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()
        self.process.wait()

    # -- threads: a pipe that nobody reads, or writes to, stops one of these, and never the clock
    def _speak(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it is gone, and who waits for the answer is told
            while question := self.questions.get():
                self.process.stdin.write(question)
                self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                self.answers.put(wire.read(self.process.stdout, self.memory * 2**30))  # type: ignore[arg-type]
        except EOFError:
            self.answers.put(None)
        except (wire.WireError, OSError, ValueError, MemoryError):
            self.answers.put("nonsense")

    def _pass_on(self) -> None:
        """What the file prints goes to stderr, to a limit; the rest is read and dropped, to another one for
        each call."""
        assert self.process.stderr is not None
        left = PRINTED
        while chunk := os.read(self.process.stderr.fileno(), 1 << 16):
            if left > 0:
                print(visible(chunk[:left].decode(errors="replace")), end="", file=sys.stderr, flush=True)
            if left > 0 >= left - len(chunk):
                print("\nnote: it prints more than is shown here", file=sys.stderr, flush=True)
            left -= len(chunk)
            self.printed += len(chunk)
            if self.printed > FLOOD:
                self._kill()
                return

    # -- the file
    def load(self) -> None:
        """Run the file. Raises `BrokenModule`, `MissingExtra` and `CodeEnded`."""
        try:
            self.ask(f"{self.path}, while it was loaded,", "load", str(self.path))
        except CallFailed as failure:
            raise errors.BrokenModule(f"{self.path} cannot be imported: {failure}") from None

    def forget_with(self, thing: wire.Thing) -> None:
        """What the thing stands for over there is forgotten when nobody has the thing any more."""
        weakref.finalize(thing, self.gone.append, thing.number)


class RemoteModule(ModuleType):
    """A loaded file seen through its process: its constants are copies, its functions are called over there. When the
    process has ended, what nobody has asked for before is not there."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.path.stem)
        self.__dict__.update(__file__=str(process.path), _process=process)
        process.load()

    def __getattr__(self, name: str) -> Any:
        none = name.startswith("__") or self._process.ended
        found = ("no",) if none else self._process.ask(str(self.__file__), "look", name)
        match found:
            case ("value", value):
                made: Any = value
            case ("function", parameters):
                made = RemoteFunction(self._process, name, parameters)
            case _:
                raise AttributeError(f"{self.__file__} has no {name}")
        self.__dict__[name] = made
        return made


class RemoteFunction:
    """A function over there. What it does to its arguments is done to those here, as in a call."""

    def __init__(self, process: Process, name: str, parameters: list[tuple[Any, ...]]) -> None:
        """``parameters`` are (name, default) or (name,) each."""
        self.process, self.name = process, name
        kind, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
        self.__signature__ = inspect.Signature([
            inspect.Parameter(n, kind, default=default[0] if default else empty) for n, *default in parameters])

    def __call__(self, *args: Any, **options: Any) -> Any:
        stays = STAYS.get(self.name, "")
        match self.process.ask(self.name, "call", self.name, args, options, stays):
            case (result, tuple(args_now), dict(options_now)):
                restore(args, args_now)
                restore(options, options_now)
                for thing in result if isinstance(result, tuple) else (result,):
                    if isinstance(thing, wire.Thing) and thing.number:
                        self.process.forget_with(thing)
                return result
        raise CallFailed(f"{self.name} did not answer as agreed")


def restore(value: Any, now: Any) -> Any:
    """The value as a call left it: in the same dictionary or array, where that can be."""
    if isinstance(value, dict) and isinstance(now, dict):
        left = {k: restore(value.get(k), v) for k, v in now.items()}
        value.clear()
        value.update(left)
        return value
    if isinstance(value, np.random.Generator) and isinstance(now, np.random.Generator):
        value.bit_generator.state = now.bit_generator.state
        return value
    if isinstance(value, tuple) and isinstance(now, tuple) and len(value) == len(now):
        return tuple(restore(a, b) for a, b in zip(value, now, strict=True))
    if isinstance(value, np.ndarray) and isinstance(now, np.ndarray) and value.shape == now.shape and \
            value.dtype == now.dtype:
        if value.flags.writeable:
            value[...] = now
        return value
    return now


class RemoteForm(Form):
    """A backward of the file, in its form, run over there."""

    def __init__(self, process: Process, name: str | None) -> None:
        process.load()
        self.process = process
        label, wanted, places, numbers = process.ask(str(process.path), "form", name)
        self.label, self._wanted, self._places = str(label), [str(w) for w in wanted], [(str(n), str(d)) for n, d in
                                                                                         places]
        self._limits = [float(n) for n in numbers]

    def wanted(self) -> list[str]:
        return self._wanted

    def places(self) -> list[tuple[str, str]]:
        return self._places

    def limits(self) -> list[float]:
        return self._limits

    def run(self, given: Given) -> Raw:
        sent = vars(replace(given, handed=[]))
        found = self.process.ask(self.label, "run", sent)
        try:
            return Raw(**found)
        except TypeError:
            raise CallFailed(f"{self.label} did not answer as agreed") from None
