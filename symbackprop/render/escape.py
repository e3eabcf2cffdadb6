"""Running text that the user writes (titles, sources, notes), made safe for LaTeX.

Names are ASCII letters, digits and underscores by the time they come here and print by `print.display`; ``notation``
lines are checked by `model.notations`. Everything else that a user controls reaches LaTeX through `latex_text`.
"""

from __future__ import annotations

import unicodedata

from symbackprop.core.names import GREEK, TEX_GREEK, Characters

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
    return text.translate(_CHARACTERS)


def _latex_character(c: str) -> str:
    if c in _SPECIAL:
        return _SPECIAL[c]
    if c in _UNICODE:
        return _UNICODE[c]
    if c.isascii():
        return c if c.isprintable() else " "
    return c if unicodedata.category(c) in ("Ll", "Lu") and ord(c) < 0x180 else "?"


_CHARACTERS = Characters(_latex_character)
