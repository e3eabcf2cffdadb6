"""Text on its way to a terminal, where what would steer it, or cannot be seen or written, is shown as an escape; the
end by Ctrl-C."""

from __future__ import annotations

import sys
import unicodedata
from contextlib import suppress
from typing import NoReturn

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, half a pair, separators of lines and paragraphs
NO_BREAK = "\u00a0"  # which pages are full of; Python counts no space but the plain one as printable
INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended


def visible(text: str) -> str:
    """The text with such characters as ``\\u001b``, which JSON reads back as well; lines and tabs stay."""
    seen = text.replace("\n", "").replace("\t", "").replace(NO_BREAK, "")
    return text if seen.isprintable() else text.translate(_SHOWN)


class _Shown(dict[int, str]):
    """How every character that was met is shown, by its number."""

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, _shown(chr(code)))


_SHOWN = _Shown()


def _shown(c: str) -> str:
    if c in "\n\t" or unicodedata.category(c) not in UNSEEN:
        return c
    code = ord(c)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def end_interrupted() -> NoReturn:
    """End the process as one that Ctrl-C stopped."""
    with suppress(OSError):
        print("interrupted", file=sys.stderr, flush=True)
    sys.exit(INTERRUPTED)
