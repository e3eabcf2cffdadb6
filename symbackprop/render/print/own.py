"""Names as a model wants them, in the little LaTeX that `model.notations` admits, read into boxes."""

from __future__ import annotations

from symbackprop.core.printer import POWER
from symbackprop.model.names import FONTS, SYMBOLS, pieces
from symbackprop.render.print.display import Box, Display, Start, row


def read(display: Display, notation: str) -> Box:
    """The box of a checked notation. With a superscript of its own it needs brackets before it gets another."""
    tokens = [t for t in pieces(notation) if not t.isspace()]
    box = _items(display, list(tokens), "")
    starts = Start.COMMAND if tokens[0].startswith(("\\", "{")) else box.starts
    return box._replace(starts=starts, level=POWER if "^" in tokens else box.level)


def _items(display: Display, tokens: list[str], font: str) -> Box:
    """Until the group closes; letters are in a font if one is given."""
    boxes: list[Box] = []
    while tokens and tokens[0] != "}":
        token = tokens.pop(0)
        base = boxes.pop() if token in ("^", "_", "'") and boxes else row()
        if token == "'":
            boxes.append(display.primed(base))
        elif token in ("^", "_"):
            script = _base(display, tokens.pop(0), tokens, font)
            boxes.append(display.raised(base, script) if token == "^" else display.lowered(base, script))
        else:
            boxes.append(_base(display, token, tokens, font))
    return boxes[0] if len(boxes) == 1 else row(*boxes)


def _base(display: Display, token: str, tokens: list[str], font: str) -> Box:
    name = token[1:]
    if token == "{":
        inside = _items(display, tokens, font)
        tokens.pop(0)
        return inside
    if token in ("\\,", "\\;"):
        return row(display.sign("thin"))
    if name in FONTS:
        return _base(display, tokens.pop(0), tokens, name)
    if name in SYMBOLS:
        return row(display.symbol(name))
    if name:
        return display.accented(name, _base(display, tokens.pop(0), tokens, font))
    return row(display.styled(token, font)) if font else display.plain(token)
