"""Names as a model wants them, in the little LaTeX that `model.notations` admits."""

from __future__ import annotations

from abc import abstractmethod

from symbackprop.core.printer import P, Printer, T
from symbackprop.model.names import FONTS, SYMBOLS, pieces


class OwnNames(Printer[P, T]):
    """A printer with pieces for checked notations."""

    @abstractmethod
    def symbol(self, name: str) -> T:
        """A Greek letter, or another sign, by its name."""

    @abstractmethod
    def raised(self, base: P, exponent: P) -> P:
        """A superscript."""

    @abstractmethod
    def accented(self, accent: str, base: P) -> P:
        """A letter with an accent, as LaTeX calls it."""

    @abstractmethod
    def styled(self, letter: str, font: str) -> T:
        """A letter or digit in a font, as LaTeX calls it."""

    def own(self, notation: str) -> P:
        """A name as a model wants it, in LaTeX."""
        return self._own_items([t for t in pieces(notation) if not t.isspace()], "")

    def _own_items(self, tokens: list[str], font: str) -> P:
        """Until the group closes; letters are in a font if one is given."""
        found: list[P] = []
        while tokens and tokens[0] != "}":
            token = tokens.pop(0)
            base = found.pop() if token in ("^", "_", "'") and found else self.row()
            if token == "'":
                found.append(self.primed(base))
            elif token in ("^", "_"):
                script = self._of_own(tokens.pop(0), tokens, font)
                found.append(self.raised(base, script) if token == "^" else self.lowered(base, script))
            else:
                found.append(self._of_own(token, tokens, font))
        return found[0] if len(found) == 1 else self.row(*found)

    def _of_own(self, token: str, tokens: list[str], font: str) -> P:
        name = token[1:]
        if token == "{":
            inside = self._own_items(tokens, font)
            tokens.pop(0)
            return inside
        if token in ("\\,", "\\;"):
            return self.row(self.sign("space"))
        if name in FONTS:
            return self._of_own(tokens.pop(0), tokens, name)
        if name in SYMBOLS:
            return self.row(self.symbol(name))
        if name:
            return self.accented(name, self._of_own(tokens.pop(0), tokens, font))
        return self.row(self.styled(token, font)) if font else self.plain(token)
