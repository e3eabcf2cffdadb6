"""Typeset mathematics as the text that derivations print: ``\\frac{\\partial L}{\\partial W^{[2]}}`` is ∂L/∂W2.

What LaTeX means is decided by its own commands alone; what the names mean is for the reader of that text to say.
"""

from __future__ import annotations

import re
import unicodedata

from symbackprop.core.graph import INT
from symbackprop.core.names import ACCENTS, GREEK, PLACE, TEX_GREEK, text_index
from symbackprop.errors import SyntaxProblem
from symbackprop.grade.naming import Dictionary

MAX_DEPTH = 50
_PIECE = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)
# W^{[2]}, c_{1,t}; X^{T} @ g_total is none, with a name of several letters
_COMMAND = re.compile(r"\\[A-Za-z,;:!]|\^\{\s*\[|_\{\d+,|&\s*:?=")
_FRACTIONS = ("frac", "tfrac", "dfrac", "cfrac")
_FONTS = {"mathbf", "mathrm", "mathit", "mathcal", "mathbb", "mathsf", "mathfrak", "boldsymbol", "bm", "text", "textbf",
          "textit", "textrm", "mbox", "operatorname", "boxed", "fbox"}
_DROPPED = {"left", "right", "big", "bigl", "bigr", "Big", "Bigl", "Bigr", "bigg", "biggl", "biggr", "Bigg", "Biggl",
            "Biggr", "displaystyle", "textstyle", "limits", "nolimits", "nonumber", "notag"}
_WITH_ARGUMENT = ("tag", "label", "begin", "end", "color", "phantom", "hypertarget", "hyperlink")
_SPACES = ("quad", "qquad", "enspace", "thinspace", ",", ";", ":", " ")
_SIGNS = {
    "cdot": "·", "odot": "⊙", "circ": "⊙", "otimes": "⊗", "times": "×", "partial": "∂", "nabla": "∇", "sum": "Σ",
    "top": "ᵀ", "intercal": "ᵀ", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "lt": "<",
    "gt": ">", "ldots": "…", "dots": "…", "cdots": "…", "prime": "'", "colon": ":", "infty": "∞", "lbrace": "{",
    "rbrace": "}", "lbrack": "[", "rbrack": "]", "{": "{", "}": "}", "!": "", "cr": "", "\\": "",
    "_": "_", "triangleq": "=", "coloneqq": "=", "ast": "*", "star": "*", "ell": "l",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "bmod": " mod ", "vert": "|", "lvert": "|", "rvert": "|",
    "Vert": "‖", "lVert": "‖", "rVert": "‖", "|": "‖",
}
_LETTERS = GREEK | {tex.removeprefix("\\"): GREEK[name] for name, tex in TEX_GREEK.items()} | {"epsilon": "ε"}
_MARKS = {tex.removeprefix("\\"): mark for mark, tex in ACCENTS.values()}
_MARKS |= {"widehat": _MARKS["hat"], "overline": _MARKS["bar"], "widetilde": _MARKS["tilde"]}
_LAYER = re.compile(r"[\[(]([A-Za-z0-9]+)[\])]")
_TURNED = re.compile(r"([\[(][A-Za-z0-9]+[\])])\s*[ᵀT]")
_PRIMED = re.compile(r"[\[(]\w+[\])]\s*'")  # g^{[1]'}(z): the activation of a layer
_OF_SAMPLE = re.compile(r"([\[(]\w+[\])])\s*\([a-z]\)")  # dZ^{[2](i)}: of layer 2, for the sample i
_SHAPED = re.compile(r"(?:(?<!\w)[01]|\breshape|\btranspose)$")
_GAP = re.compile(r"(?<=[A-Za-z0-9)])\s+(?=[A-Za-z0-9(])")
_ENDED = re.compile(r"(?<![^\W_])(?!d$)[^\W_]+$")  # a name or number: a command behind it is another, but for dδ
_INDEX = re.compile(r"[a-z][₀-₉]*")
_DERIVATIVE = re.compile(r"[∂d]\s?[^\W\d].*")


def is_typeset(text: str) -> bool:
    """Whether a line is LaTeX: it has a command, or in braces the number of a layer or one before a step."""
    return _COMMAND.search(text) is not None


def printed(text: str, words: Dictionary) -> str:
    """LaTeX as plain text. ``words`` says what the model's own notations stand for, which letters its loops count with
    and what is a function. What stands behind a second ``&`` is a remark. Raises `SyntaxProblem` for a command without
    a meaning here."""
    notations = {tex: name for name, tex in words.reference.model.notation_of.items()}
    for notation in sorted(notations, key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z\\]){re.escape(notation)}(?![A-Za-z])", notations[notation], text)
    cells = re.split(r"(?<!\\)&", re.sub(r"\\negthinspace\s*", "", text))
    return _Typeset(_PIECE.findall(" ".join(cells[:2])), words).items("")


class _Typeset:
    """A place in the pieces of a formula."""

    def __init__(self, pieces: list[str], words: Dictionary) -> None:
        self.pieces, self.place, self.words, self.depth = pieces, 0, words, 0

    def items(self, end: str) -> str:
        """Everything up to a closing brace, or to the end."""
        said = ""
        while self.place < len(self.pieces) and self.pieces[self.place] != end:
            said = self._next(said)
        self.place += 1
        return said

    def _next(self, said: str) -> str:
        """What was read, and the next piece with all that belongs to it."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SyntaxProblem(f"the LaTeX is nested more than {MAX_DEPTH} deep")
        said = self._joined(said, self._take())
        self.depth -= 1
        return said

    def _joined(self, said: str, piece: str) -> str:
        if piece == "^":
            return self._raised(said, self._argument().strip())
        if piece == "_":
            return self._lowered(said, self._argument().strip())
        if piece == "{":
            return said + self.items("}")
        if piece.startswith("\\"):
            found = self._command(piece[1:])
            apart = _ENDED.search(said) and (found[:1].isalnum() or found[:1] == "∂")
            return f"{said} {found}" if apart else said + found
        return said + (" " if piece.isspace() else piece)

    def _take(self) -> str:
        self.place += 1
        return self.pieces[self.place - 1] if self.place <= len(self.pieces) else ""

    def _argument(self) -> str:
        """What a command or a script applies to: a group, a command, or one character."""
        self._skip()
        return self._next("")

    def _command(self, name: str) -> str:
        if name in _FRACTIONS:
            return self._fraction()
        if name in _FONTS:
            return self._argument()
        if name in _MARKS:
            return unicodedata.normalize("NFC", self._argument() + _MARKS[name])
        if name == "sqrt":
            return f"√({self._argument()})"
        if name in _WITH_ARGUMENT:
            self._argument()
            return ""
        return self._sign(name)

    def _sign(self, name: str) -> str:
        if name in _DROPPED:
            return self._fence()
        if name in _SPACES:
            return " "
        if name == "partial":
            self._skip()
        found = _SIGNS.get(name, _LETTERS.get(name, name if self.words.function(name) else None))
        if found is None:
            raise SyntaxProblem(f"the LaTeX command \\{name} cannot be read in an answer", near=f"\\{name}")
        return found

    def _skip(self) -> None:
        while self.place < len(self.pieces) and self.pieces[self.place].isspace():
            self.place += 1

    def _fence(self) -> str:
        """Nothing; the dot of ``\\right.`` is no sign either."""
        if self.place < len(self.pieces) and self.pieces[self.place] == ".":
            self.place += 1
        return ""

    def _fraction(self) -> str:
        above, below = self._argument().strip(), self._argument().strip()
        derivative = _DERIVATIVE.fullmatch(above) and _DERIVATIVE.fullmatch(below)
        scripted = self.place < len(self.pieces) and self.pieces[self.place] in ("^", "_")
        if derivative:
            return f"({above}/{below})" if scripted else f"{above}/{below}"
        return f"(({above})/({below}))"

    def _raised(self, base: str, exponent: str) -> str:
        """A power, a transpose, the number of a layer ``W^{[2]}`` or step ``x^{(t)}``."""
        layer = _LAYER.fullmatch(exponent)
        if layer is not None and base[-1:].isalnum():
            return self._lowered(base, layer[1])
        sample = _OF_SAMPLE.fullmatch(exponent)
        if sample is not None:
            return self._raised(base, sample[1])
        turned = _TURNED.fullmatch(exponent)
        if turned is not None:  # W^{(2)\top}
            return f"{self._raised(base, turned[1])}ᵀ"
        if exponent in ("ᵀ", "'") or _PRIMED.fullmatch(exponent):
            return base + exponent[-1]
        if self._is_label(base, exponent):
            return f"{base}_{exponent}"
        exponent = exponent.removeprefix("⊙").strip()
        return f"{base}^{exponent}" if exponent.isalnum() else f"{base}^({exponent})"

    def _is_label(self, base: str, exponent: str) -> bool:
        """Whether a word above belongs to the name, δ^{out}: of what the model has neither."""
        of = re.search(r"(?<!\w)[^\W\d_]+$", base)
        unknown = exponent.isalpha() and exponent.isascii() and self.words.pieces(exponent) is None
        return (of is not None and of[0].isalpha() and len(exponent) > 1 and unknown and of[0] != "e"
                and self.words.value(of[0]) is None and self.words.value(exponent) is None)

    def _lowered(self, base: str, index: str) -> str:
        """A subscript: ``W_{hh}`` is W_hh, ``h_{t-1}`` is hₜ₋₁, ``\\mathbf{1}_{N \\times D}`` is 1_N×D."""
        row = self.words.reference.rows.get(index)
        if base.endswith("1") and row is not None and row.kind == INT:
            return f"{base[:-1]}one_hot({index})"
        if _SHAPED.search(base):
            return f"{base}_{'×'.join(map(_size, index.split('×')))}"
        if base.endswith("Σ"):
            return f"{base}_{{{index}}}" if "=" in index else f"{base}_{index.replace(' ', '')}"
        if base.endswith(")") and re.fullmatch(r"[a-z](?:,? ?[a-z])*", index) and index not in self.words.counters:
            return f"{base}[{','.join(re.sub('[, ]', '', index))}]"
        of_name = base[-1:].isalpha() or unicodedata.combining(base[-1:] or " ")
        if (of_name and re.fullmatch(r"[0-9t+-]+", index)) or (base[-1:].isalnum() and self._is_step(base, index)):
            return base + text_index(index)
        name, _, step = index.rpartition(",")
        if name and re.fullmatch(r"([a-z])([+-]\d+)?", step) and step[0] in self.words.counters:
            whole = f"{base}{text_index(name)}" if name.isdigit() else _named(base, name)
            return self._lowered(whole, step)  # z_{i,t}: one step of z_i
        if self._is_entry(base, parts := index.split(",")):
            return f"{base}[{','.join(parts)}]"
        return _named(base, index)

    def _is_step(self, base: str, index: str) -> bool:
        """Whether an index counts steps: k or k-1, and not a letter of the name W_k."""
        counts = re.fullmatch(r"(\w)([+-]\d+)?", index)
        return counts is not None and counts[1] in self.words.counters and f"{base}_{index}" not in self.words.known

    def _is_entry(self, base: str, parts: list[str]) -> bool:
        """Whether indices stand below, P_{i,j,i₂}, of which those with a number are apart from the others."""
        numbered = len(parts) > 1 and any(len(p) > 1 for p in parts) and all(map(_INDEX.fullmatch, parts))
        return numbered and "_".join([base, *parts]) not in self.words.reference.rows


def _size(text: str) -> str:
    """A size of an array of ones, in parentheses where it is more than one word."""
    text = _GAP.sub("·", text.strip())
    return text if text.isalnum() or text[:1] + text[-1:] == "()" else f"({text})"


def _named(base: str, index: str) -> str:
    """A subscript that belongs to the name; the words of several, ``z_{gelu,t}``, and a number before a step."""
    parts = index.split(",")
    if len(parts) > 1 and parts[0].isdigit():
        return f"{base}{parts[0]}_{{{','.join(parts[1:])}}}"
    if len(parts) > 1 and all(re.fullmatch(r"\w+", p) for p in parts) and any(len(p) > 1 for p in parts):
        return f"{base}_{'_'.join(parts)}"
    return f"{base}_{index}" if re.fullmatch(rf"\w+{PLACE}?", index) else f"{base}_{{{index}}}"
