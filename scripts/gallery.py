"""Writes the gallery: an HTML page for every built-in model, and index.html.

    python scripts/gallery.py DIRECTORY [MODEL ...]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from symbackprop.errors import SymbackpropError
from symbackprop.render.gallery import pages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="where the pages go; it is made if it is missing")
    parser.add_argument("models", nargs="*", help="only these models")
    options = parser.parse_args()
    try:
        options.directory.mkdir(parents=True, exist_ok=True)
        for name, page in pages(options.models):
            (options.directory / name).write_text(page, encoding="utf-8")
            print(name, file=sys.stderr)
    except SymbackpropError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    print(options.directory / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
