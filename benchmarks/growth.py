"""How the time of one step grows with batch, width, depth and steps, beside PyTorch and JAX; a plot for the docs.

    python benchmarks/growth.py                                   # prints the ratios
    python benchmarks/growth.py --svg docs/growth.svg --rounds 15
    python benchmarks/growth.py steps --peer torch --peer compile

The time of each divided by that of the module at -O1, medians of CPU time on one thread in float32 (see
`benchmarks/emitted.py`): above 1, the module is faster. Loss and gradients of all agree in double precision first.
"""

from __future__ import annotations

from emitted import microseconds, start_again

if __name__ == "__main__":
    start_again()

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment
from race import agreement, names, participant, timed
from workloads import Workload

COLORS = {"torch": "#d1495b", "nn": "#8d6a9f", "jax": "#00798c", "compile": "#edae49", "autograd": "#66717e"}
WIDE, HIGH, LEFT, TOP = 190, 150, 44, 34  # of a panel, and around it


class Axis(NamedTuple):
    """What grows, in which workload, by which dimension, and how far."""

    name: str
    title: str
    text: str
    dim: str
    values: tuple[int, ...]

    def workload(self, value: int) -> Workload:
        return Workload(f"{self.text}_{self.dim}{value}", "", lambda s: [], text=self.text, sizes=((self.dim, value),))


AXES = (
    Axis("batch", "MLP: batch", "mlp", "N", (4, 16, 64, 256, 1024)),
    Axis("width", "MLP: width", "mlp", "H", (16, 64, 256, 1024)),
    Axis("depth", "layers: depth", "layers", "K", (2, 8, 32, 128)),
    Axis("steps", "tanh RNN: steps", "rnn", "T", (5, 20, 80, 320)),
    Axis("steps", "LSTM: steps", "lstm", "T", (5, 20, 80, 320)),
)
TEMPLATE = Path(__file__).with_name("growth.svg.j2")
Ratios = dict[str, list[tuple[int, float]]]


def measured(axis: Axis, libraries: list[str], rounds: int) -> Ratios:
    """The ratios of every peer along an axis, printed too."""
    found: Ratios = {library: [] for library in libraries}
    for value in axis.values:
        workload = axis.workload(value)
        agreement(workload, libraries, [1])
        who = names(workload, libraries, [1])
        times = timed({name: participant(workload, "float32", name) for name in who}, rounds, time.process_time)
        for name in who[1:]:
            found[name].append((value, times[name] / times["-O1"]))
        row = [f"{times[name] / times['-O1']:>10.2f}" if name in times else f"{'–':>10}" for name in libraries]
        print(f"{axis.title:<18}{value:>6}{microseconds(times['-O1']):>12}{''.join(row)}", flush=True)
    return {name: points for name, points in found.items() if points}


# -- the plot
def plot(measured: list[tuple[Axis, Ratios]]) -> str:
    """All panels beside each other, as SVG: ratios upwards, what grows to the right, both in powers."""
    ratios = [math.log2(ratio) for _, found in measured for points in found.values() for _, ratio in points]
    low, high = min(math.floor(min(ratios)), -1), max(math.ceil(max(ratios)), 1)
    places = [LEFT + k * (WIDE + LEFT) for k in range(len(measured))]
    known = dict.fromkeys(name for _, found in measured for name in found)
    template = Environment(trim_blocks=True, keep_trailing_newline=True).from_string(TEMPLATE.read_text("utf-8"))
    return template.render(
        width=LEFT + len(measured) * (WIDE + LEFT), height=TOP + HIGH + 40, bottom=TOP + HIGH, wide=WIDE, colors=COLORS,
        key=[(name, LEFT + 90 * k) for k, name in enumerate(known)],
        panels=[panel(axis, found, x, low, high) for (axis, found), x in zip(measured, places, strict=True)])


def panel(axis: Axis, found: Ratios, x0: int, low: int, high: int) -> dict[str, Any]:
    """What the template draws of one."""
    first, last = math.log2(axis.values[0]), math.log2(axis.values[-1])

    def across(value: int) -> float:
        return round(x0 + WIDE * (math.log2(value) - first) / (last - first), 1)

    def up(ratio: float) -> float:
        return round(TOP + HIGH * (high - math.log2(ratio)) / (high - low), 1)

    return {
        "x": x0, "title": axis.title,
        "rules": [(up(2.0**power), 2.0**power) for power in range(low, high + 1)],
        "ticks": [(across(value), value) for value in axis.values],
        "lines": [(name, " ".join(f"{across(v)},{up(r)}" for v, r in points)) for name, points in found.items()],
    }


def options_of(arguments: list[str]) -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = list(dict.fromkeys(axis.name for axis in AXES))
    parser.add_argument("names", nargs="*", metavar="what", help=f"{', '.join(known)} (default: all)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peer", action="append", choices=tuple(COLORS), help="default: torch, nn and jax")
    parser.add_argument("--svg", type=Path, help="where to write the plot")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(known):
        parser.error(f"nothing grows that is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


def main() -> None:
    options = options_of(sys.argv[1:])
    libraries = options.peer or ["torch", "nn", "jax"]
    print(f"{'':<24}{'-O1 µs':>12}{''.join(f'{name:>10}' for name in libraries)}")
    axes = [axis for axis in AXES if not options.names or axis.name in options.names]
    panels = [(axis, measured(axis, libraries, options.rounds)) for axis in axes]
    if options.svg is not None:
        options.svg.write_text(plot(panels), encoding="utf-8")


if __name__ == "__main__":
    main()
