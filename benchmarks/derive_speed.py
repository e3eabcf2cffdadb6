"""How fast models are derived, printed and emitted: a chain of tanh layers of growing length, GPT blocks, all
built-in models, and texts of 100 kB.

    python benchmarks/derive_speed.py            # declare, derive, bring into closed form
    python benchmarks/derive_speed.py --emit     # and print as text and as LaTeX, and write the modules
    python benchmarks/derive_speed.py --models   # the built-in models, printed and emitted
    python benchmarks/derive_speed.py --large    # commands on texts of `large.py`: seconds and memory of the process
    python benchmarks/derive_speed.py --large --inputs powers,layers --scale 0.5 --commands text,emit

Times are CPU seconds, the best of three runs in this process, after one that fills SymPy's caches; printing is without
the closed forms, which are looked for once. A row is one line of the model's table: an operation with its result.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from large import INPUTS

from symbackprop import Model, codegen, derive, load
from symbackprop.core import functions as F
from symbackprop.core.functions.layers import attention, merge_heads, split_heads
from symbackprop.derive.closing import closed_forms
from symbackprop.model import zoo

CHAINS = (100, 300, 1_000, 3_000, 10_000)
BLOCKS = (1, 6, 12, 24, 48)
COMMANDS = {
    "show": "show FILE",
    **{form: f"derive FILE --format {form}" for form in ("text", "latex", "html", "json")},
    "board": "derive FILE --detail board",
    "whole": "derive FILE --whole",
    **{name: f"codegen FILE -o - --no-verify -O{level}" for name, level in (("emit", 1), ("emit -O2", 2))},
    "verify": "verify FILE",
}


def chain(layers: int) -> Model:
    """h_k = tanh(w_k h_{k−1}), every layer with a weight of its own; the loss is ½h²."""
    m = Model("chain")
    h = m.data("x")
    for k in range(layers):
        h = m.let(f"h{k}", F.tanh(m.param(f"w{k}") * h))
    m.loss("L", h**2 / 2)
    return m


def gpt(blocks: int) -> Model:
    """A decoder of pre-norm transformer blocks with tied embeddings and cross-entropy."""
    m = Model("gpt")
    n, t, e, v, f = m.dims("N T E V F", E=64)
    tokens, target = m.data("tokens", (n, t), below=v), m.data("target", (n, t), below=v)
    table = m.param("table", (v, e))
    x = m.let("x", table[tokens] + m.param("places", (t, e)))
    for k in range(blocks):
        a = m.let(f"a{k}", F.layer_norm(x) * m.param(f"g{k}", (e,)) + m.param(f"b{k}", (e,)))
        q, key, value = (split_heads(a @ m.param(f"W{s}{k}", (e, e)), 4) for s in "qkv")
        mixed = merge_heads(attention(q, key, value, causal=True))
        x = m.let(f"y{k}", x + mixed @ m.param(f"Wo{k}", (e, e)))
        wide = m.let(f"u{k}", F.gelu(F.layer_norm(x) @ m.param(f"W1_{k}", (e, f)) + m.param(f"c{k}", (f,))))
        x = m.let(f"x{k}", x + wide @ m.param(f"W2_{k}", (f, e)))
    m.loss("L", F.mean(F.cross_entropy(F.layer_norm(x) @ table.T, target)))
    return m


def best_of(runs: int, action: Callable[[], object]) -> float:
    """The shortest of several runs, in CPU seconds, without the garbage collector."""
    times = []
    for _ in range(runs):
        gc.collect()
        gc.disable()
        start = process_time()
        action()
        times.append(process_time() - start)
        gc.enable()
    return min(times)


def report(title: str, make: Callable[[int], Model], sizes: Iterable[int], emit: bool, runs: int) -> None:
    """One table: a line per size."""
    print(f"\n{title:>10}{'rows':>9}{'declare':>11}{'derive':>11}{'per row':>11}{'closed forms':>14}{'per row':>11}"
          + (f"{'text':>11}{'latex':>11}{'emit':>11}" if emit else ""))
    for size in sizes:
        declared = best_of(runs, lambda size=size: make(size))
        derived = best_of(runs, lambda size=size: derive(make(size)))
        model = make(size)
        derivation = derive(model)
        rows = model.graph.count
        closed = best_of(runs, lambda size=size: closed_forms(derive(make(size)))) - derived
        line = (f"{size:>10,}{rows:>9,}{declared:>10.3f}s{derived - declared:>10.3f}s"
                f"{(derived - declared) / rows * 1e6:>8.1f} µs{closed:>13.3f}s{closed / rows * 1e6:>8.1f} µs")
        if emit:
            printed = [best_of(runs, partial(write, whole=True)) for write in (derivation.text, derivation.latex)]
            line += "".join(f"{t:>10.3f}s" for t in printed)
            line += f"{best_of(runs, lambda size=size: codegen(make(size), verify=False)) - derived:>10.3f}s"
        print(line, flush=True)


def report_models(runs: int) -> None:
    """The built-in models, and all together, in milliseconds."""
    titles = ("derive", "text", "latex", "emit")
    print(f"\n{'':>26}" + "".join(f"{title:>12}" for title in titles))
    sums = [0.0] * len(titles)
    for name in zoo.names():
        model, derivation = load(name), derive(load(name))
        actions = (partial(derive, model), derivation.text, derivation.latex, partial(codegen, name, verify=False))
        found = [best_of(runs, action) * 1e3 for action in actions]
        sums = [a + b for a, b in zip(sums, found, strict=True)]
        print(f"{name:>26}" + "".join(f"{t:>9.1f} ms" for t in found), flush=True)
    print(f"{'all':>26}" + "".join(f"{t:>9.1f} ms" for t in sums))


def report_large(inputs: Iterable[str], commands: Iterable[str], scale: float) -> None:
    """CPU seconds of whole commands on texts, and the most memory that one of them needs; what ends otherwise than
    well, as what is refused does, has its exit code behind the time."""
    commands = list(commands)
    print(f"\n{'':>18}{'size':>8}{'kB':>7}" + "".join(f"{name:>11}" for name in commands) + f"{'memory':>11}")
    with TemporaryDirectory() as folder:
        for name in inputs:
            size = max(1, round(INPUTS[name].size * scale))
            path = Path(folder, f"{name}.sbp")
            path.write_text(INPUTS[name].write(size), encoding="utf-8")
            took = [of_command(COMMANDS[command].replace("FILE", str(path)).split()) for command in commands]
            print(f"{name:>18}{size:>8,}{path.stat().st_size / 1e3:>7.1f}"
                  + "".join(f"{seconds:>7.2f} ({code})" if code else f"{seconds:>9.2f} s" for seconds, _, code in took)
                  + f"{max(memory for _, memory, _ in took):>8.0f} MB", flush=True)


def of_command(words: list[str]) -> tuple[float, float, int]:
    """CPU seconds, megabytes and exit code of a command in a process of its own."""
    child = os.fork()
    if not child:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.execv(sys.executable, [sys.executable, "-m", "symbackprop", *words])
    _, status, used = os.wait4(child, 0)
    per_megabyte = 1e6 if sys.platform == "darwin" else 1e3
    return used.ru_utime + used.ru_stime, used.ru_maxrss / per_megabyte, os.waitstatus_to_exitcode(status)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast models are derived, printed and emitted.")
    parser.add_argument("--emit", action="store_true", help="print and write the modules, too")
    parser.add_argument("--models", action="store_true", help="the built-in models instead")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the best counts")
    parser.add_argument("--most", type=int, default=CHAINS[-1], help="the longest chain")
    parser.add_argument("--large", action="store_true", help="commands on long texts instead")
    parser.add_argument("--inputs", default=",".join(INPUTS), help="of --large: these texts alone")
    parser.add_argument("--commands", default=",".join(COMMANDS), help="of --large: these alone")
    parser.add_argument("--scale", type=float, default=1, help="of --large: parts of the size")
    options = parser.parse_args()
    if options.models:
        return report_models(options.runs)
    if options.large:
        return report_large(options.inputs.split(","), options.commands.split(","), options.scale)
    derive(chain(20))
    derive(gpt(2))
    report("layers", chain, [n for n in CHAINS if n <= options.most], options.emit, options.runs)
    report("blocks", gpt, BLOCKS, options.emit, options.runs)


if __name__ == "__main__":
    main()
