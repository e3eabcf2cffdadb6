#!/usr/bin/env python
"""Model text fuzzed under coverage: texts are changed at random, and one that reaches a line of the package that none
reached before is kept and changed further. What comes of a text is a model or a refusal, the same twice, in two seconds
of CPU time; a model is written and read again, derived, printed and emitted, or refused. Anything else is a failure:
the text is cut down while it fails alike, shown, and the exit status is 1. `--minutes M` or `--texts N` end it,
`--seed S` repeats it, `--keep DIR` keeps the texts that reached something, and goes on from those there; `--every K`
begins with every K-th text alone. Needs Python 3.12 (sys.monitoring).
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sys
import time
import traceback
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from symbackprop import Model, codegen, derive  # noqa: E402
from symbackprop.errors import SymbackpropError  # noqa: E402
from symbackprop.model import zoo  # noqa: E402
from symbackprop.model.load import load  # noqa: E402
from symbackprop.model.text.write import to_text  # noqa: E402
from tests.model.test_hostile import ALL, HEAD  # noqa: E402

PACKAGE = str(ROOT / "symbackprop")
TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
SECONDS, LONGEST = 2.0, 1500
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")


class Coverage:
    """Lines of the package that have been reached; each tells of itself once, so that watching costs little."""

    def __init__(self) -> None:
        self.lines, monitoring = 0, sys.monitoring
        monitoring.use_tool_id(monitoring.COVERAGE_ID, "fuzz")
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, self.reached)
        monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)

    def reached(self, code: CodeType, line: int) -> Any:
        self.lines += code.co_filename.startswith(PACKAGE)
        return sys.monitoring.DISABLE


def forbid(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook: text that runs something is the worst that can happen."""
    if event in FORBIDDEN:
        raise SystemError(f"a text did {event}{args}")


def verdict(text: str) -> tuple[str, Model | None]:
    """What is said of a text, and its model."""
    try:
        model = Model.parse(text)
    except SymbackpropError as error:
        return error.told(), None
    return to_text(model), model


class TooSlow(Exception):
    """What a text comes to is not known after two seconds."""


def ends(number: int, frame: object) -> None:
    raise TooSlow(f"more than {SECONDS} s")


def tried(text: str) -> None:
    """Raises what must not happen."""
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        said, model = verdict(text)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if model is None:
        if len(said) > 10_000:
            raise ValueError(f"a message of {len(said)} characters")
    elif verdict(said)[1] is None:
        raise ValueError(f"what was written is not read: {verdict(said)[0]}")
    if verdict(text)[0] != said:
        raise ValueError("twice the same text, and two verdicts")
    if model is not None:
        used(model)


def used(model: Model) -> None:
    """What follows from a model, or a refusal."""
    for way in (lambda: derive(model).text(), lambda: derive(model).latex(), lambda: codegen(model)):
        try:
            way()
        except SymbackpropError as error:
            error.told()


def fault(text: str) -> str | None:
    """The kind of what went wrong, and where in the package."""
    try:
        tried(text)
    except Exception as error:
        frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        places = [f"{path.name}:{line}" for path, line in frames if path.is_relative_to(PACKAGE)]
        place = "" if isinstance(error, TooSlow) else f" at {(places or ['']).pop()}"
        return f"{type(error).__name__}{place}: {error}"
    return None


def changed(r: random.Random, corpus: list[str], pieces: list[str]) -> str:
    """One of the texts after some changes of its pieces or lines."""
    text = r.choice(corpus)
    for _ in range(r.choice((1, 1, 2, 3, 6))):
        text = r.choice((in_pieces, in_pieces, in_pieces, in_lines))(r, text, r.choice(corpus), pieces)
    return text[:LONGEST]


def in_pieces(r: random.Random, text: str, other: str, pieces: list[str]) -> str:
    found = TOKEN.findall(text) or [""]
    k, j = r.randrange(len(found)), r.randrange(len(found))
    piece = r.choice((r.choice(pieces), r.choice(found), r.choice(TOKEN.findall(other) or [""])))
    part = found[min(j, k) : max(j, k)]
    place, new = r.choice((
        (slice(k, k + 1), [piece]), (slice(k, k), [piece]), (slice(k, k + 1), []), (slice(k, k + len(part)), []),
        (slice(k, k), part[:12]), (slice(k, k + 1), [chr(r.randrange(r.choice((128, 0x3000))))]),
    ))
    found[place] = new
    return "".join(found)


def in_lines(r: random.Random, text: str, other: str, pieces: list[str]) -> str:
    lines, others = text.split("\n"), other.split("\n")
    k = r.randrange(len(lines))
    new = r.choice((r.sample(others, 1), r.sample(lines, 1), [], ["    " + lines[k]]))
    lines[k : k + r.choice((0, 0, 1))] = new
    return "\n".join(lines)


def shrunk(text: str, kind: str) -> str:
    """A part of the text that fails alike."""
    for split, join in ((lambda s: s.split("\n"), "\n"), (TOKEN.findall, "")):
        parts, k = split(text), 0
        while k < len(parts):
            less = parts[:k] + parts[k + 1 :]
            if (fault(join.join(less)) or "").startswith(f"{kind}: "):
                parts = less
            else:
                k += 1
        text = join.join(parts)
    return text


def seeds(keep: Path | None) -> list[str]:
    """Texts to begin with: those of the built-in models, of the tests' refusals and of an earlier run."""
    found = [to_text(load(name), header=False) for name in zoo.names()]
    found += [HEAD + text for text, *_ in ALL.values() if len(text) < 200]
    found += [path.read_text(encoding="utf-8") for path in sorted(keep.iterdir())] if keep and keep.is_dir() else []
    return [text for text in found if len(text) <= LONGEST]


class Run:
    """The texts that are changed, and the kinds of failure found so far."""

    def __init__(self, seed: int, keep: Path | None, every: int) -> None:
        self.random, self.corpus, self.keep, self.faults = random.Random(seed), seeds(keep)[::every], keep, set[str]()
        self.pieces = sorted({piece for text in self.corpus for piece in TOKEN.findall(text)} | {*"²·θŷ≤∑√ᵀ"})
        self.coverage, self.begun, self.done = Coverage(), len(self.corpus), 0
        for text in self.corpus:
            self.take(text)
        self.first = self.coverage.lines

    def step(self) -> None:
        """One text more."""
        before, text = self.coverage.lines, changed(self.random, self.corpus, self.pieces)
        self.done += 1
        if self.take(text) and self.coverage.lines > before:
            self.corpus.append(text)
            if self.keep:
                self.keep.mkdir(parents=True, exist_ok=True)
                (self.keep / f"{len(self.corpus):06}.sbp").write_text(text, encoding="utf-8", errors="replace")

    def take(self, text: str) -> bool:
        """Whether nothing goes wrong with a text; of each kind the first is told."""
        found = fault(text)
        kind = "" if found is None else found.split(": ")[0]
        if kind and kind not in self.faults:
            self.faults.add(kind)
            print(f"{found}\n{shrunk(text, kind)!r}\n", flush=True)
        return not kind

    def told(self) -> str:
        return (f"{self.done} texts: {self.coverage.lines} lines of the package reached, {self.first} of them by the "
                f"{self.begun} texts it began with; {len(self.corpus) - self.begun} kept, {len(self.faults)} kinds of "
                "failure")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("minutes", 10.0), ("texts", 10**9), ("seed", 0), ("every", 1)):
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    sys.addaudithook(forbid)
    signal.signal(signal.SIGVTALRM, ends)
    run, end = Run(given.seed, given.keep, given.every), time.monotonic() + 60 * given.minutes
    while run.done < given.texts and time.monotonic() < end:
        run.step()
    print(run.told())
    return int(bool(run.faults))


if __name__ == "__main__":
    raise SystemExit(main())
