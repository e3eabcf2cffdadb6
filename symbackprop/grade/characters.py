"""Characters that people type and paste, as the ASCII that model text is written in."""

from __future__ import annotations

import re
import unicodedata

from symbackprop.errors import SyntaxProblem

_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUB = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789+-aehijklmnoprstuvx")
_LOWERED = re.compile("([₀-₉]*)([₀-₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ]*)")
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "delta", "ε": "eps", "ϵ": "eps", "η": "eta",
    "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "phi", "ϕ": "phi", "Φ": "Phi", "χ": "chi", "ψ": "psi", "ω": "omega", "∇": "nabla", "∂": "d", "𝛿": "delta",
    "𝜎": "sigma", "𝜕": "d",
}
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
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0307": "dot"}
_MARKED = re.compile(r"([A-Za-z])([\u0302\u0303\u0304\u0307])")
_POWER = re.compile(r"[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_TRANSPOSED = re.compile(r"\^\s*(?:T\b|\{\s*(?:T|\\top|\\intercal)\s*\}|⊤|ᵀ|\\top\b)")


def ascii_text(text: str, keeps_t: bool = False) -> tuple[str, list[str]]:
    """The text in ASCII and what was changed on the way, said once each. A ``~`` is a product that may be either kind.

    ``keeps_t``: T is a name of the model, so ``^T`` is a power. Raises `SyntaxProblem` for a character without meaning.
    """
    notes: list[str] = []
    text = _spelled_out(text)
    if not keeps_t and _TRANSPOSED.search(text):
        text = _TRANSPOSED.sub(".T", text)
    text = _MARKED.sub(lambda m: m.group(1) + _ACCENTS[m.group(2)], unicodedata.normalize("NFC", text))
    if _POWER.search(text):
        notes.append("a raised number is written ^2")
        text = _POWER.sub(_power, text)
    text = _LOWERED.sub(_subscript, text.replace("^⊙", "^"))
    return "".join([_one(char, notes) for char in text]), list(dict.fromkeys(notes))


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
    if char in _GREEK:
        return _GREEK[char]
    return _accented(char)


def _accented(char: str) -> str:
    """ŷ is yhat; letters of other shapes are plain letters."""
    parts = unicodedata.normalize("NFD", char)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return parts[0] + _ACCENTS[parts[1]]
    plain = unicodedata.normalize("NFKC", char)
    if plain.isascii() and plain.isalnum():
        return plain
    name = unicodedata.name(char, "unnamed")
    raise SyntaxProblem(f"the character U+{ord(char):04X} {name} cannot be read")


# -- what derivations print and people rarely type: 1_N×D, reshape_N×D(a), Σ_n,t, padding 1

_SIZE = r"(?:\([^()]*\)|[A-Za-z0-9₀-₉²³]+)"
_SHAPE = rf"{_SIZE}(?:×{_SIZE})*"
_FILL = re.compile(rf"(?<![\w.₀-₉])([01])_({_SHAPE})")
_RESHAPE = re.compile(rf"\breshape_({_SHAPE})\(")
_TRANSPOSE = re.compile(r"\btranspose_(\d+)\(")
_SUMS = re.compile(r"([Σ∑])_(\w(?:,\w)+)(?!\w)")
_OPTION = re.compile(r", (axis|padding|stride|step) ([−-]?\d+|\([^()]*\))")
_LATER = re.compile(r"δ_(\w+[ₐ-ₜ₊₋₀-₉]*(?:\[\w\])?)\^later")  # what later steps of a loop hand back
_STEP = re.compile(r"\((δ_\w+)\)_(\w)\b")  # one step of what reads a stack outside of its loop
_SHARE = re.compile(r"\(∂\w+/∂([^\W_]\w*)\)_(\w)\b")  # what one step contributes
_TRUTH = re.compile(r"(?<![\w.₀-₉\])])1\[([^\[\]<>=≤≥≠!]*)\]")
_ROOT = re.compile(r"√([A-Za-zπ0-9][\w₀-₉]*)")


def _spelled_out(text: str) -> str:
    """The text with printed notation spelled out."""
    text = _FILL.sub(lambda m: f"{('zeros', 'ones')[int(m[1])]}({_sizes(m[2])})", text)
    text = _RESHAPE.sub(lambda m: f"reshape_to(({_sizes(m[1])},), ", text)
    text = _TRANSPOSE.sub(lambda m: f"transpose_to(({', '.join(str(int(d) - 1) for d in m[1])},), ", text)
    text = _SUMS.sub(lambda m: " ".join(f"{m[1]}_{letter}" for letter in m[2].split(",")), text)
    text = _LATER.sub(r"later_\1", _STEP.sub(r"stacked(\1)[\2]", _SHARE.sub(r"share_\1_\2", text)))
    text = _TRUTH.sub(r"(\1 != 0)", text)
    return _ROOT.sub(r"√(\1)", _OPTION.sub(r", \1=\2", text))


def _sizes(shape: str) -> str:
    return shape.replace("×", ", ")
