"""Characters that people type and paste, as the ASCII that formulas are written in: α·x², hₜ₋₁ᵀ."""

from __future__ import annotations

import re
import unicodedata

from symbackprop.core.names import ACCENTS, LETTERS
from symbackprop.errors import SyntaxProblem

_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUB = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789+-aehijklmnoprstuvx")
_LOWERED = re.compile("([₀-₉]*)([₀-₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ]*)")
_LETTERS = {**LETTERS, "∇": "nabla", "∂": "d"}
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "·": " ~ ", "⋅": " ~ ", "∙": " ~ ", "•": " ~ ", "×": "*", "⊙": "*",
    "∘": "*",
    "◦": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "’": "'", "′": "'", "‘": "'", "ᵀ": ".T", "⊤": ".T",
    "≥": ">=", "≤": "<=", "≠": "!=", "½": "(1/2)", "¼": "(1/4)", "¾": "(3/4)", "⅓": "(1/3)", "√": "sqrt", "Σ": "sum",
    "∑": "sum", "𝟙": "1",
    "𝟏": "1", "“": '"', "”": '"', "＝": "=", "（": "(", "）": ")",
}
OUTER = "⊗"
_SPACES = {"\u00a0", "\u2009", "\u202f", "\u200a", "\u2002", "\u2003", "\u2062", "\u200b", "\ufeff"}
MARKS = {mark: accent for accent, (mark, _) in ACCENTS.items()}
_POWER = re.compile(r"[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_APART = re.compile(r"(\"[^\"]*\"|#.*)")  # strings and comments, which stay as they are
_OF_MODELS = "×ᵀ′″‴·"  # what model text means something by
ROOT = re.compile(r"√([^\W_][\w.₀-₉]*)")
_INVERSE = re.compile(r"(?<=[A-ZΑ-Ω)\]])([0-9₀-₉]*)⁻¹")  # of a matrix on paper, of entries in NumPy: refused


def readable(line: str) -> str:
    """A line of model text with the signs and letters of mathematics in ASCII; what means nothing stays, to be refused
    where it stands."""
    return "".join([part if k % 2 or part.isascii() else _formula(part) for k, part in enumerate(_APART.split(line))])


def _formula(text: str) -> str:
    text = ROOT.sub(r"√(\1)", unicodedata.normalize("NFC", text))
    parts = [_POWER.sub(_power, part) for part in _INVERSE.split(text)]
    text = _LOWERED.sub(_indexed, "⁻¹".join([a + b for a, b in zip(parts[::2], [*parts[1::2], ""], strict=True)]))
    return "".join([c if c.isascii() or c in _OF_MODELS or c in "⁻¹" else _in_ascii(c) for c in text])


def _indexed(match: re.Match[str]) -> str:
    """w₂ is w2, hₜ₋₁ is h[t-1] and Wₕ is W_h."""
    number, rest = match.group(1).translate(_SUB), match.group(2).translate(_SUB)
    counts = rest == "t" or any(sign in rest for sign in "+-")
    return number + (f"[{rest}]" if counts else f"_{rest}" if rest else "")


def _in_ascii(char: str) -> str:
    """A sign, or a Greek or accented letter by its name; any other character as it is."""
    sign = _SIGNS.get(char, "")
    if sign:
        return "·" if sign == " ~ " else sign
    parts = [c if c.isascii() else _letter_name(c) for c in unicodedata.normalize("NFD", char)]
    return "".join(parts) if all(parts) else char


def _letter_name(char: str) -> str:
    """The name of a Greek letter or an accent, λ's being no word of Python's; nothing for any other character."""
    name = LETTERS.get(unicodedata.normalize("NFKC", char)) or MARKS.get(char, "")
    return "lam" if name == "lambda" else name


def plain(text: str, notes: list[str]) -> str:
    """A formula in ASCII; ``notes`` are told what was changed. A ``~`` is a product that may be either kind. Raises
    `SyntaxProblem` for a character without meaning."""
    if _POWER.search(text):
        notes.append("a raised number is written ^2")
        text = _POWER.sub(_power, text)
    text = _LOWERED.sub(_subscript, text.replace("^⊙", "^"))
    return "".join([_one(char, notes) for char in text])


def _subscript(match: re.Match[str]) -> str:
    """w₂ is w2, hₜ₋₁ is h_{t-1}, and w₂ₜ is w2_{t}."""
    number, rest = match.group(1).translate(_SUB), match.group(2).translate(_SUB)
    return f"{number}_{{{rest}}}" if rest else number


def _power(match: re.Match[str]) -> str:
    raised = match.group().translate(_SUPER)
    return f"^{raised}" if raised.isdigit() else f"^({raised})"


def _one(char: str, notes: list[str]) -> str:
    if char.isascii() or char == OUTER:
        if char.isprintable() or char == "\t":
            return char
        raise SyntaxProblem(f"the control character U+{ord(char):04X} cannot be read")
    if char in _SPACES:
        return " "
    if char in _SIGNS:
        notes.append(f"{char} is read as {_SIGNS[char].strip() if _SIGNS[char] != ' ~ ' else 'a product'}")
        return _SIGNS[char]
    return _letter(char)


def _letter(char: str) -> str:
    """α is alpha and ŷ is yhat; letters of other shapes are plain letters."""
    found = [_plain_letter(part) for part in unicodedata.normalize("NFD", char)]
    if all(found):
        return "".join(found)
    name = unicodedata.name(char, "unnamed")
    raise SyntaxProblem(f"the character U+{ord(char):04X} {name} cannot be read", near=char)


def _plain_letter(char: str) -> str:
    """A letter, digit or accent in ASCII; nothing for any other character."""
    plain = unicodedata.normalize("NFKC", char)
    if plain.isascii() and plain.isalnum():
        return plain
    return _LETTERS.get(plain) or MARKS.get(char, "")
