"""How long the playground takes in Chromium, served from this machine: `scripts/site` builds it before.

    python benchmarks/playground_speed.py [ROUNDS]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests.browser drives the browser

from symbackprop.playground import example
from tests.browser.chromium import Chromium
from tests.browser.serving import served

SITE = Path(__file__).parents[1] / "build" / "playground"
NEW = "data x, y\\nparam w\\nz = sigmoid(w*x)\\nloss L = (y - z)^2 + w^2\\n"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
CHANGED = """
new Promise((done) => {
  const shown = document.getElementById("PLACE"), field = document.getElementById("text");
  const began = FROM;
  new MutationObserver((_, watch) => { watch.disconnect(); shown.offsetHeight; done(performance.now() - began); })
    .observe(shown, { childList: true });
  field.value = TEXT;
  field.dispatchEvent(new Event("input"));
})
"""
PAUSE = 150  # ms that the page waits after the last key


def seen(browser: Chromium, text: str, since: str, place: str = "derivation") -> float:
    """Milliseconds from ``since`` until the derivation of a text, or what is wrong with it, is on the page."""
    return float(browser.js(CHANGED.replace("FROM", since).replace("TEXT", text).replace("PLACE", place)))


def cold(address: str, folder: Path) -> tuple[float, float]:
    """First paint, and the first derivation of a text that is typed at once, from the beginning of the visit."""
    browser = Chromium(folder)
    try:
        browser.visit(address)
        derived = seen(browser, f'"{NEW}"', "0")
        return float(browser.js(PAINTED)), derived
    finally:
        browser.close()


def warm(address: str, folder: Path, names: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """The derivation of each model, changed a little each time, from the end of the pause after the last key."""
    browser = Chromium(folder)
    try:
        browser.visit(address)
        browser.wait("document.getElementById('state').textContent === ''")
        texts = {name: example(name) for name in names}
        return {name: [seen(browser, json.dumps(f"{texts[name]}# {k}\n"), "performance.now()") - PAUSE
                       for k in range(rounds + 1)][1:] for name in names}
    finally:
        browser.close()


def marked(address: str, folder: Path, names: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """An error in the last line of each model, from the last key on."""
    browser = Chromium(folder)
    times: dict[str, list[float]] = {}
    try:
        browser.visit(address)
        browser.wait("document.getElementById('state').textContent === ''")
        for name in names:
            seen(browser, json.dumps(f"{example(name)}# once\n"), "performance.now()")
            for k in range(rounds):
                text = json.dumps(f"{example(name)}q{k} = nowhere + 1\n")
                times.setdefault(f"error in {name}", []).append(seen(browser, text, "performance.now()", "problem"))
        return times
    finally:
        browser.close()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with served(SITE) as address, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        visits = [cold(address, Path(folder) / str(k)) for k in range(rounds)]
        later = warm(address, Path(folder) / "warm", ("two-weight-tanh", "two-step-rnn", "lstm", "gpt"), rounds)
        later |= marked(address, Path(folder) / "marked", ("two-weight-tanh", "lstm", "gpt"), rounds)
    for what, times in (("first paint", [v[0] for v in visits]), ("first derivation", [v[1] for v in visits]),
                        *later.items()):
        print(f"{what:24}{median(times):8.0f} ms   ({', '.join(f'{t:.0f}' for t in sorted(times))})")


if __name__ == "__main__":
    main()
