"""Where the files that are not Python modules live.

`cli.py` and `templates/` stand beside the package in a checkout and inside it in a wheel.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """The path of `name`, from inside the package if it is there, else from beside it."""
    candidates = (PACKAGE / name, PACKAGE.parent / name)
    for path in candidates:
        if path.exists():
            return path
    looked = " nor ".join(str(path) for path in candidates)
    raise FileNotFoundError(f"symbackprop is not installed completely: neither {looked} exists")


def templates() -> Path:
    """The folder of the Jinja templates."""
    return resource("templates")
