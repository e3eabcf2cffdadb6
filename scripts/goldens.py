"""Rewrite the golden files of the printed derivations: `python scripts/goldens.py`, then read the diff."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.render.helpers import GOLDENS, golden_files  # noqa: E402 – found once the root is on the path


def main() -> None:
    """Write every file anew and remove those that nothing writes any more."""
    GOLDENS.mkdir(exist_ok=True)
    files = golden_files()
    for path in GOLDENS.iterdir():
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (GOLDENS / name).write_text(text, encoding="utf-8")
    print(f"{len(files)} golden files in {GOLDENS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
