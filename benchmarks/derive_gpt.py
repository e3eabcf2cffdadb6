"""How long a GPT of twelve blocks takes: to read its text, to derive its backward pass, to write its module.

    python benchmarks/derive_gpt.py                # 12 blocks
    python benchmarks/derive_gpt.py --blocks 24

The text is the built-in model `gpt` with longer families (`param W_q[1..12]: …`, `for l in 1..12:`). Times are wall
time in this process: the first run, which fills SymPy's caches, and the median of the runs after it.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from symbackprop import Model, codegen, derive
from symbackprop.model import zoo

LIMIT = 2.0  # seconds, for the twelve blocks


class Timing(NamedTuple):
    """Seconds of one run, and what it made."""

    parse: float
    codegen: float
    derive: float
    rows: int
    lines: int

    @property
    def together(self) -> float:
        return self.parse + self.codegen


def gpt_text(blocks: int) -> str:
    """The text of the built-in GPT with so many blocks."""
    text = zoo.text("gpt")
    for short, long in (("1..2", f"1..{blocks}"), ("X[2]", f"X[{blocks}]")):
        if short not in text:
            raise SystemExit(f"the built-in model gpt has no {short} any more")
        text = text.replace(short, long)
    return text


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out, without the garbage collector."""
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    found = action()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds, found


def run(text: str) -> Timing:
    """Reading the text and writing the module, which derives; and deriving alone, for a model read anew."""
    parsing, model = timed(lambda: Model.parse(text, "gpt"))
    writing, source = timed(lambda: codegen(model, verify=False))
    again = Model.parse(text, "gpt")
    deriving, _ = timed(lambda: derive(again))
    return Timing(parsing, writing, deriving, model.graph.count, source.count("\n"))


COLUMNS: dict[str, Callable[[Timing], float]] = {
    "parse": lambda t: t.parse,
    "codegen": lambda t: t.codegen,
    "(derive)": lambda t: t.derive,
    "together": lambda t: t.together,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a GPT takes to derive and emit.")
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--runs", type=int, default=5, help="runs after the first")
    options = parser.parse_args()
    text = gpt_text(options.blocks)
    first, *rest = [run(text) for _ in range(options.runs + 1)]
    print(f"{options.blocks} blocks: {first.rows:,} rows, {first.lines:,} lines of NumPy\n")
    print(f"{'':>8}" + "".join(f"{title:>11}" for title in COLUMNS))
    for label, times in (("first", [first]), ("median", rest)):
        print(f"{label:>8}" + "".join(f"{statistics.median(map(of, times)):>10.3f}s" for of in COLUMNS.values()))
    print("\ncodegen derives and writes; the time of deriving alone is in parentheses")
    if options.blocks == 12:
        print(f"the first run took {first.together / LIMIT:.0%} of {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
