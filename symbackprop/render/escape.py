"""What the user writes, made safe for LaTeX: running text, and the ``notation`` lines of a model.

Names are ASCII letters, digits and underscores by the time they come here and print by `names.latex_name`; everything
else a user controls (titles, sources, notes, notations) reaches LaTeX through the two functions of this module.
"""

from __future__ import annotations

import re
import unicodedata

from symbackprop.errors import ModelError
from symbackprop.render.names import ACCENTS, GREEK, TEX_GREEK

_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
            "_": r"\_", "^": r"\^{}", "~": r"\~{}", "<": r"\textless{}", ">": r"\textgreater{}"}
_UNICODE = {"′": "$'$", "·": r"$\cdot$", "×": r"$\times$", "−": "$-$", "–": "--", "—": "---", "…": r"\dots{}",
            "½": r"$\tfrac{1}{2}$", "²": "$^2$", "³": "$^3$", "Σ": r"$\Sigma$", "∂": r"$\partial$", "∇": r"$\nabla$",
            "⊙": r"$\odot$", "∘": r"$\circ$", "ᵀ": r"$^{\top}$", "∈": r"$\in$", "ℝ": r"$\mathbb{R}$", "≥": r"$\ge$",
            "≤": r"$\le$", "≠": r"$\ne$", "≈": r"$\approx$", "→": r"$\to$", "←": r"$\leftarrow$", "↦": r"$\mapsto$",
            "‖": r"$\|$", "Π": r"$\Pi$", "√": r"$\surd$", "∞": r"$\infty$", "⊗": r"$\otimes$", "ŷ": r"$\hat{y}$",
            "“": "``", "”": "''", "‘": "`", "’": "'", "\u00a0": "~", "Φ": r"$\Phi$", "∑": r"$\sum$", "⁻": "$^-$",
            "¹": "$^1$"}
_UNICODE |= {letter: rf"$\{name}$" for name, letter in GREEK.items() if name not in TEX_GREEK}
_UNICODE |= {"ε": r"$\varepsilon$", "φ": r"$\varphi$", "ο": "o"}
_UNICODE |= {digit: f"$_{k}$" for k, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")}


def latex_text(text: str) -> str:
    """Running text (titles, sources, notes) as LaTeX text: specials escaped, the maths signs we use translated, other
    characters that pdflatex does not know replaced by ``?``."""
    return "".join(_latex_character(c) for c in text)


def _latex_character(c: str) -> str:
    if c in _SPECIAL:
        return _SPECIAL[c]
    if c in _UNICODE:
        return _UNICODE[c]
    if c.isascii():
        return c if c.isprintable() else " "
    return c if unicodedata.category(c) in ("Ll", "Lu") and ord(c) < 0x180 else "?"


_ALLOWED = {
    *(f"\\{g}" for g in GREEK if g not in ("eps", "omicron")),
    *(accent for _, accent in ACCENTS.values()),
    *(rf"\var{g}" for g in ("epsilon", "theta", "phi", "rho", "sigma", "pi", "kappa")),
    r"\mathbf", r"\mathbb", r"\mathcal", r"\mathrm", r"\mathit", r"\mathsf", r"\mathfrak", r"\mathtt", r"\boldsymbol",
    r"\widehat", r"\widetilde", r"\overline", r"\underline", r"\ddot", r"\check", r"\acute", r"\grave", r"\breve",
    r"\prime", r"\ell", r"\star", r"\ast", r"\dagger", r"\top", r"\bot", r"\circ", r"\hbar", r"\nabla",
    r"\partial", r"\infty", r"\,", r"\operatorname", r"\text",
}
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|,)|[A-Za-z0-9 '+\-=,.()\[\]|*/!:;<>^_{}]")


def latex_notation(notation: str) -> str:
    """What a ``notation`` line says a name prints as, checked: maths letters, accents and scripts only."""
    tokens, place, depth = [], 0, 0
    while place < len(notation):
        match = _TOKEN.match(notation, place)
        token = match[0] if match else notation[place]
        if match is None or (token[0] == "\\" and token not in _ALLOWED):
            raise ModelError(f"notation {notation!r}: {token!r} is not allowed; use letters, accents and scripts")
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            break
        tokens.append(token)
        place = match.end()
    if depth or not notation.strip():
        raise ModelError(f"notation {notation!r}: the braces do not match")
    return notation
