"""What a model's ``notation`` lines look like in a picture, which sets scripts but no LaTeX."""

from __future__ import annotations

import re
import unicodedata

from symbackprop.render.names import ACCENTS, GREEK

_SCRIPT = r"(?:\{([^{}]*)\}|([A-Za-z0-9]))"
_NOTATION = re.compile(rf"(?:\\(\w+)\{{([A-Za-z])\}}|(\\?[A-Za-z]+))(?:_{_SCRIPT})?(?:\^{_SCRIPT})?\Z")
_COMMANDS = {command: mark for mark, command in ACCENTS.values()}


def noted(notation: str) -> str:
    """``W^{[1]}`` as W^[1], ``\\hat{y}_t`` as ŷ_t; nothing for what needs more than an accent and scripts."""
    match = _NOTATION.match(notation.strip())
    if match is None:
        return ""
    command, letter, word, *scripts = match.groups()
    base = _accented(command, letter) if command else _letter(word)
    low, high = scripts[0] or scripts[1] or "", scripts[2] or scripts[3] or ""
    if not base or not re.fullmatch(r"[\w,]*", low) or not re.fullmatch(r"\w*|\[\w+\]", high):
        return ""
    return base + (f"_{low}" if low else "") + (f"^{high}" if high else "")


def _accented(command: str, letter: str) -> str:
    mark = _COMMANDS.get(f"\\{command}")
    return unicodedata.normalize("NFC", letter + mark) if mark else ""


def _letter(word: str) -> str:
    return GREEK.get(word[1:], "") if word.startswith("\\") else word
