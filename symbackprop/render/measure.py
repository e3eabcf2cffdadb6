"""How wide a formula will be: Computer Modern at 10 points, estimated a little too wide rather than too narrow."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}^_&]|\s+|.", re.DOTALL)
_SCRIPT = 0.75
_WORDS = {"operatorname", "mathrm", "text", "mathit", "mathbf", "mathsf", "boldsymbol", "mathcal", "mathbb", "mathfrak"}
_ACCENTS = {"hat", "bar", "tilde", "dot", "ddot", "vec", "widehat", "widetilde", "overline", "underline", "check",
            "breve", "mathring"}  # fmt: skip
_WIDE = {"cdot": 8.0, "odot": 13.0, "times": 13.0, "mapsto": 17.0, "Rightarrow": 17.0, "to": 17.0, "leftarrow": 17.0,
         "ge": 14.0, "le": 14.0, "ne": 14.0, "sum": 17.0, "prod": 15.0, "max": 20.0, "log": 16.0, "tanh": 24.0,
         "sin": 15.0, "cos": 15.0, "exp": 18.0, "quad": 10.0, "qquad": 20.0, "top": 8.0, "partial": 6.0, "sigma": 6.5,
         "lVert": 6.0, "rVert": 6.0, "infty": 10.5}  # fmt: skip
_NARROW = {",": 2.0, "!": -1.7, ";": 3.0, " ": 3.5, "_": 5.0, "{": 5.0, "}": 5.0, "\\": 0.0}
_SIGNS = {"+": 12.5, "-": 12.5, "=": 14.0, "<": 14.0, ">": 14.0, "(": 4.0, ")": 4.0, "[": 3.0, "]": 3.0, ",": 4.5,
          ".": 2.8, "/": 5.0, "|": 3.0, ":": 5.0, "'": 3.0, "~": 3.5}  # fmt: skip


def width(latex: str) -> float:
    """The width of a formula in points."""
    return _Meter(latex).row()


class _Meter:
    """A small reader of the LaTeX that our notations write."""

    def __init__(self, latex: str) -> None:
        self.tokens = [t for t in _TOKEN.findall(latex) if not t.isspace()]
        self.place = 0

    def row(self, stop: str = "") -> float:
        total = 0.0
        while self.place < len(self.tokens) and self.tokens[self.place] != stop:
            total += self.item()
        self.place += 1
        return total

    def item(self) -> float:
        token = self.tokens[self.place]
        self.place += 1
        if token == "{":
            return self.row("}")
        if token in "^_":
            return _SCRIPT * self.item()
        if token.startswith("\\"):
            return self.command(token[1:])
        if token.isalpha():
            return 8.6 if token.isupper() or token in "mw" else 5.6
        return _SIGNS.get(token, 5.1)

    def command(self, name: str) -> float:
        if name in ("frac", "tfrac", "dfrac"):
            return max(self.item(), self.item()) + 3.0
        if name == "sqrt":
            return self.item() + 9.0
        if name in _WORDS or name in _ACCENTS:
            return self.item() + (3.4 if name == "operatorname" else 0.5)
        if name in ("left", "right", "bigl", "bigr"):
            self.place += 1
            return 7.5
        if name == "begin":
            return self.matrix()
        return _WIDE.get(name, _NARROW.get(name, 6.5))

    def matrix(self) -> float:
        """The columns of a bmatrix: each as wide as its widest entry."""
        self.item()
        widths, column, cell = [0.0], 0, 0.0
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            if token in ("&", "\\\\", "\\end"):
                self.place += 1
                widths[column] = max(widths[column], cell)
                column, cell = (column + 1 if token == "&" else 0), 0.0
                widths += [0.0] * (column + 1 - len(widths))
                if token == "\\end":
                    self.item()
                    break
            else:
                cell += self.item()
        return sum(widths) + 10.0 * len(widths) + 8.0
