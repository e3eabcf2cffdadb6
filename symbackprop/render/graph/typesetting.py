"""Mathematics in pictures: the text of `render.print.text`, with how its characters are set. SVG knows no formulas, but
letters that slant and stand lower or higher.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from symbackprop.core import maths
from symbackprop.core.literals import entries
from symbackprop.core.maths import Rounded
from symbackprop.core.names import ACCENTS, GREEK, parse_name
from symbackprop.core.printer import ATOM, Run, Text
from symbackprop.render.print.mathml import FONTS, SYMBOLS, styled
from symbackprop.render.print.own import OwnNames
from symbackprop.render.print.text import MINUS, TextPrinter

_MARKS = {"widehat": "\u0302", "widetilde": "\u0303", "overline": "\u0304", "ddot": "\u0308", "check": "\u030c",
          "breve": "\u0306", "mathring": "\u030a", "underline": "\u0331"}
_MARKS |= {command[1:]: mark for mark, command in ACCENTS.values()}


class PicturePrinter(TextPrinter, OwnNames[Text, Text]):
    """Text, and the runs that it is drawn as."""

    signs: ClassVar = TextPrinter.signs | {"top": Text("ᵀ", runs=(Run("⊤", -1),))}

    def row(self, *items: Text, level: int = ATOM) -> Text:
        runs = [run for x in items for run in runs_of(x)]
        return super().row(*items, level=level)._replace(runs=tuple(runs))

    def between(self, left: str, body: Text, right: str, tall: bool) -> Text:
        return super().between(left, body, right, tall)._replace(runs=(Run(left), *runs_of(body), Run(right)))

    # -- letters
    def plain(self, text: str) -> Text:
        text = text.replace("-", MINUS)
        return Text(text, runs=(_run(text),))

    def function_token(self, name: str) -> Text:
        text = super().function_token(name)
        return text._replace(runs=(_run(text.text),))

    def named(self, name: str) -> Text:
        parts = parse_name(name)
        base = GREEK.get(parts.base, parts.base)
        low = [[_run(GREEK.get(x, x))] for x in parts.subscripts] + ([_place(parts.place)] if parts.place else [])
        script = self.separated([Text("", runs=tuple(runs)) for runs in low], "tight comma")
        head = Text(base, runs=(_run(base, [ACCENTS[a][0] for a in parts.accents]),))
        return super().named(name)._replace(runs=_scripted(head, script, 1))

    def rooted(self, m: maths.Math) -> Text:
        """A root with a bar over what it is taken of, which needs no parentheses."""
        whole = (Run("√"), *runs_of(self(m)))
        return super().rooted(m)._replace(runs=tuple([run._replace(rooted=True) for run in whole]))

    def sym(self, m: maths.Sym) -> Text:
        if not m.notation:
            return super().sym(m)
        found = self.own(m.notation)
        return found._replace(word=found.text.isalpha())

    def symbol(self, name: str) -> Text:
        return self.plain(SYMBOLS[name] if name not in GREEK else GREEK[name])

    def styled(self, letter: str, font: str) -> Text:
        if font in ("mathrm", "mathit"):
            return Text(letter, runs=(Run(letter, 0, font == "mathit"),))
        return self.plain(styled(letter, FONTS[font]))

    def accented(self, accent: str, base: Text) -> Text:
        *before, last = runs_of(base)
        marked = last._replace(text=unicodedata.normalize("NFC", last.text + _MARKS[accent]))
        return Text(unicodedata.normalize("NFC", base.text + _MARKS[accent]), runs=(*before, marked))

    # -- scripts
    def lowered(self, base: Text, index: Text) -> Text:
        return super().lowered(base, index)._replace(runs=_scripted(base, index, 1))

    def raised(self, base: Text, exponent: Text) -> Text:
        return super().raised(base, exponent)._replace(runs=_scripted(base, exponent, -1))

    def to_power(self, base: Text, exponent: str) -> Text:
        script = Text(exponent.replace("-", MINUS))
        return super().to_power(base, exponent)._replace(runs=_scripted(base, script, -1))

    def indexed(self, base: Text, index: Sequence[Text], short: bool) -> Text:
        script = self.row(*index) if short else self.separated(index, "tight comma")
        return super().indexed(base, index, short)._replace(runs=_scripted(self.at_least(base, ATOM), script, 1))


line = PicturePrinter()


def runs_of(text: Text) -> tuple[Run, ...]:
    """How a text is drawn; what nobody has set stands as it is."""
    return text.runs or ((Run(text.text),) if text.text else ())


def _run(text: str, accents: Sequence[str] = ()) -> Run:
    """One letter slants; a word or a number does not."""
    return Run(unicodedata.normalize("NFC", text + "".join(accents)), 0, len(text) == 1 and text.isalpha())


def _place(index: str) -> list[Run]:
    """``t-1``: letters slant, all else does not."""
    return [_run("".join(part)) for _, part in groupby(index.replace("-", MINUS), str.isalpha)]


def _scripted(base: Text, script: Text, level: int) -> tuple[Run, ...]:
    """A script behind a base; a comma stands between two of one level."""
    before = runs_of(base)
    comma = [Run(",", level)] if before and before[-1].level == level else []
    return (*before, *comma, *[run._replace(level=level) for run in runs_of(script)])


# -- numbers
def is_tall(value: Rounded) -> bool:
    """Whether a value takes several lines, in tall brackets."""
    return isinstance(value.values, tuple) and len(value.values) > 1 and isinstance(value.values[0], tuple)


def columns(value: Rounded) -> int:
    """How many numbers stand beside each other."""
    row = value.values[0] if is_tall(value) else value.values  # type: ignore[index]
    return len(row) if isinstance(row, tuple) else 1


def cells(value: Rounded) -> list[list[Text]]:
    """The numbers of a matrix."""
    rows = value.values if isinstance(value.values, tuple) else ()
    return [[line(Rounded(v, value.digits)) for v in entries(row)] for row in rows]


def lines(value: Rounded | None) -> list[Text]:
    """The lines that a value takes; those of a matrix without its brackets."""
    if value is None:
        return []
    if not is_tall(value):
        return [line(value)]
    rows = cells(value)
    width = max(len(x.text) for row in rows for x in row)
    return [line.separated([line.row(Text(" " * (width - len(x.text))), x) for x in row], "column") for row in rows]
