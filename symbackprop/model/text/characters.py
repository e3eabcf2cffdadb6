"""Characters that people type and paste, as the ASCII that formulas are written in: α·x², hₜ₋₁ᵀ."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from symbackprop.core.names import ACCENTS, GREEK, LETTERS
from symbackprop.errors import SyntaxProblem
from symbackprop.model.text.tree import BESIDE
from symbackprop.patterns import lazy

_compiled = cache(re.compile)  # what no text needs is not compiled
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUB = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789+-aehijklmnoprstuvx")
_LOW = "[₀-₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ]"
_LOWERED = lazy(f"([₀-₉]*)({_LOW}*)")
_LETTERS = {**LETTERS, "∇": "nabla", "∂": "d"}
OUTER = "⊗"
NORM = "‖"  # the bars of a norm, which formulas have as they are
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "·": " ~ ", "⋅": " ~ ", "∙": " ~ ", "•": " ~ ", "×": "*", "⊙": "*",
    "∘": "*",
    "◦": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "’": "'", "′": "'", "‘": "'", "ᵀ": ".T", "⊤": ".T",
    "∥": NORM, "∣": "|", "≥": ">=", "≤": "<=", "≠": "!=", "√": "sqrt", "Σ": "sum",
    "∑": "sum", "∏": "prod", "∛": "cbrt", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "∞": "inf", "𝟙": "1",
    "𝟏": "1", "“": '"', "”": '"', "＝": "=", "（": "(", "）": ")",
}
_SIGNS |= {c: f"({unicodedata.normalize('NFKC', c).replace('⁄', '/')})" for c in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
_BRACKETS = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"  # three deep
_SUM = lazy(rf"[Σ∑]\s*({_BRACKETS}\s*(?:\^|\*\*)\s*[0-9.]+)")  # Σ (y - p)² sums the squares
_RAISED_LETTERS = "[ᴬ-ᵂⱽᵃ-ᵡⁿⁱʰ-ʸˠ-ˤ⁰¹²³⁴-⁹×]+"
# W ∈ ℝ^{D×H}, W: ℝᴰˣᴴ
_IN_REALS = lazy(rf"(?<!\s)\s*[∈:]\s*ℝ(?:\s*\^\s*(?:[({{]([^(){{}}]*)[)}}]|(\w+))|({_RAISED_LETTERS}))?")
INDEX = r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]"  # what stands in square brackets, two deep
_EXPECTED = lazy(rf"𝔼(?:_\w+|{_LOW})?\s*{INDEX}")
_SIGMA = lazy(r"Σ(?=\s*(?:$|[])⁻^,*/+@=:ᵀ]))")  # a matrix, where nothing is summed
_RANGE = lazy(f"([Σ∑∏Π])({_LOW})₌([₀-₉]+)([ᴬ-ᵂⱽᵃ-ᵡⁿⁱʰ-ʸˠ-ˤ⁰¹²³⁴-⁹⁺⁻]*)")  # Σᵢ₌₁ᴺ
_MEAN_OVER = lazy(rf"\(?1/(\w)\)?\s*[Σ∑]({_LOW})₌₁([ᴬ-ᵂⁿᵃ-ᵡ])(?=\s*[(\[])")  # (1/n) Σᵢ₌₁ⁿ (…)
_BEHIND, _COEFFICIENT = lazy(r"(?<=[^\W\d_])(?=√\()"), lazy(r"(?<![\w.])(\d+(?:\.\d+)?)(?=[^\W\d_][₀-₉])")  # 2x₁
_SPACES = {"\u00a0", "\u2009", "\u202f", "\u200a", "\u2002", "\u2003", "\u2062", "\u200b", "\ufeff"}
MARKS = {mark: accent for accent, (mark, _) in ACCENTS.items()}
_POWER = lazy(r"[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
# ‖w‖²₂ and w²₁: what is lowered belongs to what is raised; not A⁻¹ᵢⱼ, an entry of the inverse
_BOTH = lazy(rf"(?<![⁻⁰¹²³⁴⁵⁶⁷⁸⁹])([⁰¹²³⁴⁵⁶⁷⁸⁹]+)({_LOW}+)")
# eˣ, xⁿ and e⁻²ˣ: raised letters, not the ᵀ of a transpose
_LIFTED = "⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_RAISED_WORD = lazy(rf"((?<!\w)e)?(?<=[\w)\]])([{_LIFTED}]*[ᵃ-ᵡⁿⁱʰ-ʸˠ-ˤ][{_LIFTED}ᵃ-ᵡⁿⁱʰ-ʸˠ-ˤ]*)")
# mu <- b of R, x := y of algorithms, and ‖A‖²_F, whose order belongs to the bars
_FOREIGN_SIGNS = lazy(r"<-|:=|\|\^2_")
_ARROW = lazy(r"((?:^|;)\s*(?:for [^:]*: )?(?:(?:loss|output)\s+)?[^\W\d]\w*(?:\[[^\[\]]*\])?\s*)(?:<-|:=|←|≔)")
# $ … $, \begin{align} and its & and \\, which say where a formula stands and nothing of it
_TYPESET = (
    (r"^\s*(?:\\(?:begin|end)\s*\{[a-z]+\*?\}|\$\$|\\[\[\]])\s*$", ""),
    (r"^(\s*(?:(?:loss|output)\s+)?)(?:\$\$?|\\[(\[])([^$\"]*)(?:\$\$?|\\[)\]])\s*$", r"\1\2"),
    (r"^([^\"&]*)&\s*=", r"\1="),
    (r"^([^\"]*\S)\s*\\\\\s*$", r"\1"),
)
RAISED_ORDER = lazy(r"(?<=[‖|])(\^2|²)(_(?:F|1|2|inf)\b)")
_APART = lazy(r"(\"[^\"]*\"|#.*)")  # strings and comments, which stay as they are
_OF_MODELS = "×ᵀ′″‴·"  # what model text means something by
ROOT = lazy(r"√([^\W_][\w.₀-₉]*)")
# √x and √(2x); √2x, which may be √(2x) or √2·x, stays, to be refused
_PLAIN_ROOT = lazy(rf"(?!√[\d.¼½¾⅐-⅞]+[A-Za-zΑ-Ωα-ω])(?:{ROOT.pattern}|√(?=\s*\())")
# a raised number, but ⁻¹ of a matrix on paper, of entries in NumPy, stays, to be refused
_RAISED = lazy(rf"(?P<inverse>(?:(?<![^\Wᵀ])[A-ZΑ-Ω]\w*?|(?<=[A-ZΑ-Ω)\]]))[0-9₀-₉]*⁻¹)|{_POWER.pattern}")


def readable(line: str) -> str:
    """A line of model text with the signs and letters of mathematics in ASCII, and R's arrow as =; what means nothing
    stays, to be refused where it stands."""
    if "$" in line or "\\" in line:
        for pattern, text in _TYPESET:
            line = _compiled(pattern).sub(text, line)
    if line.isascii() and not _FOREIGN_SIGNS.search(line):
        return line
    line = _ARROW.sub(r"\1 =", line)
    return "".join([part if k % 2 else _formula(part) for k, part in enumerate(_APART.split(line))])


def _mean_over(found: re.Match[str]) -> str:
    return f"mean{found[2]}" if unicodedata.normalize("NFKC", found[3]) == found[1] else found[0]


def _formula(text: str) -> str:
    text = _RANGE.sub(_with_limits, _MEAN_OVER.sub(_mean_over, RAISED_ORDER.sub(r"\2\1", text)))
    if text.isascii():
        return text
    text = _COEFFICIENT.sub(r"\1 ", _BEHIND.sub(" ", text))
    text = unicodedata.normalize("NFC", text)
    text = _EXPECTED.sub(r"mean(\1)", text)
    text = _ROOT_OF_CALL.sub(r"sqrt(\1)", text.replace("⊤", "ᵀ"))
    text = _PI.sub("π ", _IN_REALS.sub(_declared, text))
    text = _RAISED_WORD.sub(_raised_word, _OPPOSITE_OF.sub(r"a\1", _CUBE_ROOT.sub(r"cbrt(\1)", text)))
    text = _BESIDE_ROOT.sub(_factor, _HALF.sub(_factor, text))
    text = _BOTH.sub(r"\2\1", _PLAIN_ROOT.sub(lambda found: f"sqrt({found[1]})" if found[1] else "sqrt", text))
    text = _RAISED.sub(lambda found: found["inverse"] or _power(found) + _gap(found), text)
    text = _SIGMA.sub("Sigma", text)
    text = _SUM.sub(r"sum(\1)", _LOWERED.sub(_indexed, text))
    return "".join([c if c.isascii() or c in _OF_MODELS or c in "⁻¹√" else _in_ascii(c) for c in text])


def _with_limits(found: re.Match[str]) -> str:
    """``Σ_{i=1}^{N}``, as LaTeX has it, for ``Σᵢ₌₁ᴺ``."""
    sign, index = found[1].replace("Π", "∏"), found[2].translate(_SUB)
    first, last = found[3].translate(_SUB), unicodedata.normalize("NFKC", found[4].translate(_SUPER))
    if not last and first in ("0", "1"):
        return f"{sign}{found[2]}"
    return f"{sign}_{{{index}={first}}}^{{{last}}} " if last else f"{sign}_{{{index}={first}}} "


def _declared(found: re.Match[str]) -> str:
    """``: N × D`` for ``∈ ℝ^{N×D}`` and ``∈ ℝᴺˣᴰ``."""
    sizes = re.split("[×ˣ]", found[3] or found[1] or found[2] or "")
    return f": {' x '.join([unicodedata.normalize('NFKC', size).strip() for size in sizes])}" if sizes[0] else ""


def _gap(raised: re.Match[str]) -> str:
    """What keeps ``a²b`` from being a^(2b): only the 2 is raised."""
    return " " if raised.string[raised.end() : raised.end() + 1].isalpha() else ""


def _factor(found: re.Match[str]) -> str:
    """``½*x`` for ½x, where nothing in front binds more strongly."""
    free = not found["before"] or found["before"].rstrip() in ("return", "else", "if", "and", "or", "not")
    return found[0] + "*" * free


# ½x, ½(a + b) and σ√x; 1/σ√x may be divided by both, e**½x raised to both, and sin ½x is of both
_HALF = lazy(r"(?P<before>(?:[/^@.√]|\*\*|\b\w+)\s*)?[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞](?=\s*(?:[^\W_]|[(√]))")
_BESIDE_ROOT = lazy(r"(?P<before>(?:[/^@.]|\*\*)\s*|\w)?[Α-ΡΤ-Ωα-ω][₀-₉²³]*(?=√)")
_PI = lazy(r"(?<![^\W\d])π(?=[A-Za-zα-ω])")  # 2πr
_ROOT_OF_CALL = lazy(rf"√([^\W\d_]{{2,}}\w*{_BRACKETS})")  # √sum(x)
_OPPOSITE_OF = lazy(r"\b((?:sin|cos|tan)h?)⁻¹(?=\s*\()")  # tanh⁻¹(x)
_CUBE_ROOT = lazy(r"∛([^\W_][\w.₀-₉]*)")


def _raised_word(match: re.Match[str]) -> str:
    """``exp(x)`` for eˣ, ``a^(n+1)`` for aⁿ⁺¹; one letter needs no brackets."""
    word = unicodedata.normalize("NFKC", match[2].translate(_SUPER))
    return f"exp({word})" if match[1] else f"^{word} " if len(word) == 1 else f"^({word})"


def _indexed(match: re.Match[str]) -> str:
    """w₂ is w2, hₜ₋₁ is h[t-1] and Wₕ is W_h."""
    number, rest = match.group(1).translate(_SUB), match.group(2).translate(_SUB)
    if rest == "+":  # (1 - c)₊
        return f"{number}_+"
    if match.string.endswith((*"Σ∑∏",), 0, match.start()) and rest.isalpha():  # no entry of an array
        return f"_{rest} "
    counts = rest == "t" or any(sign in rest for sign in "+-")
    behind = match.string[match.end() : match.end() + 1] or " "
    gap = " " * (behind in "∑∏√" or unicodedata.category(behind) in ("Lu", "Ll"))  # θ₁x, aᵢxᵢ
    return number + (f"[{rest}]" if counts else f"_{rest}" if rest else "") + gap * bool(number or rest)


def _in_ascii(char: str) -> str:
    """A sign, or a Greek or accented letter by its name; any other character as it is."""
    sign = _SIGNS.get(char, "")
    if sign:
        return "·" if sign == " ~ " else sign
    parts = [c if c.isascii() else _letter_name(c) for c in unicodedata.normalize("NFD", char)]
    return "".join(parts) if all(parts) else char


def _letter_name(char: str) -> str:
    """The name of a Greek letter, λ's being no word of Python's, or an accent behind its letter, _hat, which prints as
    that again; nothing for any other character."""
    name = LETTERS.get(unicodedata.normalize("NFKC", char), "")
    return "lam" if name == "lambda" else name or (f"_{MARKS[char]}" if char in MARKS else "")


def plain(text: str, notes: list[str]) -> str:
    """A formula in ASCII; ``notes`` are told what was changed. A ``~`` is a product that may be either kind. Raises
    `SyntaxProblem` for a character without meaning."""
    text = _BOTH.sub(r"\2\1", text)
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
    if char.isascii() or char in (OUTER, NORM):
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


# -- LaTeX, of which only the corrected line is made
_SIGNS_OF = {"cdot": "·", "circ": "*", "times": "*", "odot": "*", "le": "<=", "leq": "<=", "ge": ">=", "geq": ">=",
             "neq": "!=", "lambda": "lam", "varepsilon": "epsilon", "varphi": "phi",
             "ln": "log", "infty": "inf", "ell": "ell"}
_BRACES = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"  # three deep
_FUNCTIONS = r"log|ln|exp|sin|cos|tan|sinh|cosh|tanh|det|logdet|tr"
_SQUARED = lazy(r"\b(tr|trace|det|logdet)\(([A-Z])\^2\)")  # of a matrix, which tells that it is one


def _with_base(found: re.Match[str]) -> str:
    """``log10(x)``"""
    name = f"log{found[1] or found[2]}"
    return f"{name}({found[3]})" if found[3] else name


_EXPECTATION = r"\\(?:mathbb|mathrm|mathbf|operatorname)\s*\{\s*E\s*\}(?:\s*_\s*(?:\{[^{}]*\}|\\?\w+))?"
_NO_FACTOR = r"\\(?:times|[co]dot|[lg]e)"
_ALONE = rf"(?!\s*/|\s*(?!\\(?:{_FUNCTIONS})(?![A-Za-z])|{_NO_FACTOR})\\?[A-Za-z0-9])"  # log xy is log(x)y or log(xy)
_ACCENTS = "hat|bar|tilde|dot|ddot"
_ONES = r"\\(?:mathbf|mathbb|mathds|boldsymbol|bm)\s*\{\s*1\s*\}"
_FONTS = "mathrm|mathbf|mathcal|mathit|mathsf|boldsymbol|bm|vec|text|operatorname"
_WORD = r"\\(?:mathbf|boldsymbol|bm|vec)\s*\{\\?[A-Za-z]\w*\}|\\[A-Za-z]+"  # a letter of a font, or by its name
_TURNED = r"\s*\^\s*(?:(?:T|\\top|\\intercal)(?!\w)|\{\s*(?:T|\\top|\\intercal)\s*\})"
_LIMITS = r"\\(?:sum|prod)\s*_\s*(?:\{[^{}]*\}|\w)"  # of a sum to T, which turns nothing
POSITIVE = rf"(?:{INDEX}|(?<![A-Za-z])({_BRACKETS}))\s*_\s*(?:\+|\{{\s*\+\s*\}})"  # [x]_+
_REWRITTEN = (
    (r"\\begin\{cases\}\s*(.+?)\s*,?\s*&\s*(?:\\text\{\s*(?:if|for)\s*\}|\\text\{\s*\})?\s*(.+?)\s*\\\\\s*(.+?)\s*,?\s*&"
     r"\s*\\text\{\s*(?:otherwise|else)\s*\}\s*\\end\{cases\}", r"where(\2, \1, \3)"),
    (r"\\(?:tag|label)\s*\{[^{}]*\}|\\(?:nonumber|notag)\b", ""),
    (rf"{_ONES}{_TURNED}\s*({_WORD}|\w)(?![\w^])(\s*(?=[A-Za-z(]|\\(?:{_FONTS})(?![A-Za-z])))?",
     lambda found: f"sum({found[1]}, axis=0)" + " @ " * (found[2] is not None)),
    (rf"({_WORD}|\b\w){_TURNED}\s*{_ONES}(?!\s*\^)", r"sum(\1, axis=0)"),
    (rf"{_ONES}\s*(?:{INDEX}|_?\s*\\?\{{([^{{}}]*?)\\?\}})", r"(\1\2)"), (rf"{_ONES}\s*(?=\()", ""),
    (rf"((?:^|[-+=(])\s*){_ONES}(?=\s*(?:$|[-+)]))", r"\g<1>1"),  # beside others it is a vector
    (r"(?<=[A-Za-z0-9})])\\(?=[A-Za-z])", r" \\"),  # commands end a word
    (rf"\\(?:{_FONTS})\s*\{{(\\?[A-Za-z]\w*)\}}", r"\1"),
    (r"\\(?:\||lVert|rVert|Vert)", "‖"), (r"\\(?:lvert|rvert|vert)(?![A-Za-z])", "|"),
    (r"\\(sum|prod)\s*_\s*\{\s*([a-z])\s*,?\s*([a-z])\s*\}", r"\\\1_{\2} \\\1_{\3}"),
    (rf"\\sqrt\s*\[\s*(\d+)\s*\]\s*{_BRACES}", r"(\2)^(1/\1)"),
    (r"\\(log|ln|exp)\s*(?=\\frac)", r"\\\1 "),
    (r"\\(log|ln)\s*\|([^|]+?)\|", r"\\\1(|\2|)"),
    (r"\\langle\s*(\\?\w+)\s*,\s*(\\?\w+)\s*\\rangle", r"sum(\1 * \2)"),
    (r"\\langle\s*([^,]*?)\s*,\s*([^,]*?)\s*\\rangle", r"sum((\1) * (\2))"),
    (rf"\\log\s*_\s*(?:\{{(2|10)\}}|(2))\s*(?:(\\?[A-Za-z]\w*(?:\s*\^\s*\d+)?)(?!\w|\s*[(^{{]){_ALONE}|(?=\())",
     _with_base),
    (r"\\Gamma\s*(?=\()", r"gamma"),
    (rf"\\binom\s*{_BRACES}\s*{_BRACES}", r"binom(\1, \2)"), (r"\\\{", "("), (r"\\\}", ")"),
    (r"\\lfloor(.*?)\\rfloor", r"floor(\1)"), (r"\\lceil(.*?)\\rceil", r"ceil(\1)"),
    (POSITIVE, lambda found: f"relu({found[1] or found[2][1:-1]})"),
    (rf"{_EXPECTATION}\s*{INDEX}", r"mean(\1)"), (rf"{_EXPECTATION}\s*(?=\()", "mean"),
    (r"\^\s*(\d)(?=\s*\\?[A-Za-z(])", r"^\1 "),  # only the 2 is raised in a^2b
    (rf"({_LIMITS}){_TURNED}|{_TURNED}", lambda found: f"{found[1]}^{{T}}" if found[1] else ".T"),
    (r"\.T(?=[A-Za-z])", ".T "),
    (rf"\\({_ACCENTS})\s*\{{(\\?\w+)\}}", r"\2_\1"),
    (r"\\sigma(?=\s*\()", "sigmoid"),
    (r"(?<![A-Za-z\\])e\s*\^\s*(?=\{)", "exp"),
    (r"\\log\s*\\det(?![A-Za-z])", r"\\logdet"),
    (r"(?<![a-z\\])(\\[A-Z][a-z]+|[A-Z])(_\w|_\{\w+\})?\s*\^\s*\{\s*-\s*1\s*\}", r" inv(\1\2)"),
    (r"(?<![a-z\\])(\\[A-Z][a-z]+|[A-Z])(_\w|_\{\w+\})?\s*\^\s*\{\s*-\s*(?:T|\\top|\\intercal)\s*\}", r" inv(\1\2).T "),
    (r"(?<![A-Za-z]) inv(?=\()", "inv"),
    (rf"(?<![A-Za-z0-9_])(?={_BRACKETS}\s*\^\s*\{{\s*-\s*1)(\([^()]*(?<![A-Za-z\\])[A-Z](?![A-Za-z])[^()]*\))"
     r"\s*\^\s*\{\s*-\s*1\s*\}", r"inv\1"),
    (r"_\{(\\?\w+)\}", r"_\1"),
    (r"(?<=\^)\{(\d+|[A-Za-z]\w*)\}(?=[A-Za-z\\(])", r"\1 "),  # not 2n, which is raised as a whole
    (r"(?<=\^)\{(\d+|[A-Za-z]\w*)\}", r"\1"),
    (rf"\\({_FUNCTIONS})\s*\^\s*(\d+)\s*(\\?[A-Za-z]\w*)(?!\w|\s*[(^{{]){_ALONE}", r"\\\1(\3)^\2"),
    (rf"\\({_FUNCTIONS})\s+(\\?[A-Za-z]\w*\s*\^\s*\d+)(?!\w|\s*[(^{{]){_ALONE}", r"\\\1(\2)"),
    (rf"\\({_FUNCTIONS})\s+(?!\\(?:sum|prod))(\\?[A-Za-z0-9]\w*)(?!\w|\s*[(^{{]){_ALONE}", r"\\\1(\2)"),
)
_FRACTION = lazy(rf"\\frac\s*{_BRACES}\s*{_BRACES}")


def _of_one(name: str, end: str, row: str | None, index: str, column: str | None) -> str:
    """``A[0]_{j}`` for ``A_{1j}`` and ``A[:, 0]_{i}`` for ``A_{i1}``, entries of a row or column; ``x1_{i}`` for
    ``x_{1i}`` and ``x_{i1}``, which is of the first of several."""
    of = row or column or ""
    line = f"[{':, ' * (row is None)}{int(of) - 1}]" if len(name) == 1 and name.isupper() and of != "0" else of
    return f"{name}{end}{line}_{{{index}}}"


# what says how a formula looks, and nothing of it: the size of its brackets, spaces, accents by other names
_SIZED = r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\s*"
# w* = \arg\min_w, \min_{w}
_SOUGHT = (r"^\s*(?:\\?\w+(?:\s*\^\s*(?:\*|\{\s*\*\s*\}|\\star))?\s*=\s*)?(?:\\arg\s*)?\\(?:min|max)\s*_"
           r"\s*(?:\{([^{}]*)\}|(\\?[A-Za-z]+))")


def _is_index(over: str, rest: str) -> bool:
    """Whether the least of several entries is meant, no formula that something makes small: they have an index."""
    name = over.strip()
    return name[:1] in COUNTED or re.search(rf"_\s*\{{?\s*{re.escape(name)}(?!\w)", rest) is not None


_LOOKS = (
    (_SOUGHT, lambda found: found[0] if _is_index(found[1] or found[2], found.string[found.end() :]) else ""),
    (r"\\[,;:!]|\\(?:q?quad|limits|displaystyle|textstyle|middle)(?![A-Za-z])", " "),
    (rf"{_SIZED}\[", "("), (rf"{_SIZED}\]", ")"), (rf"{_SIZED}\.?", ""),
    (r"(?<![\\A-Za-z])(sum|prod|max|min)(?=\s*_\s*(?:\{|[a-z](?![A-Za-z0-9])))", r"\\\1"),
    (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"), (r"\\overline(?![A-Za-z])", r"\\bar"),
    (r"\\wide(?=hat|tilde)", r"\\"),
    (r"(?<![A-Za-z\\])(\\?[A-Za-z]+)(\}?)\s*_\s*\{\s*(?:(\d)\s*,?\s*([ijklmnt])|([ijklmnt])\s*,?\s*(\d))\s*\}",
     lambda found: _of_one(found[1], found[2], found[3], found[4] or found[5], found[6])),
    (r"(?:_\s*\{?(\w)\}?\s*)?\^\s*\{\s*\(([ijn])\)\s*\}", r"_{\2\1}"),  # x_j^{(i)}, of the sample i
)
_TAKES = lazy(rf"\\(?:(frac|binom)|sqrt(?!\s*\[)|{_ACCENTS}|mathbb|mathds|{_FONTS})(?![A-Za-z])")
_ARGUMENT = lazy(rf"\s*(?:{_BRACES}|(\\[A-Za-z]+|[^\s{{}}\\(\[]))")  # \sqrt(x) is meant to be \sqrt{x}
_OF_CALL = lazy(rf"\\({_FUNCTIONS})\s+(?=(\\?[A-Za-z]\w*\s*{_BRACKETS}){_ALONE})")
_CALLED = rf"{_FUNCTIONS}|max|min|arcsin|arccos|arctan"
_OVER = "sum|prod|mean|max|min"
OVER_AN_INDEX = rf"\b({_OVER})_([a-z]{{1,2}})\b"
SUM_OVER = lazy("(?:sum|prod)_[ijklmnt]{1,2}")  # which no array is called
_INDEXED_SUM = lazy(rf"(?<!\.)\b(sum|prod)()\s*(?=[\[(])|{OVER_AN_INDEX}\s*(?=[-\w|‖\[(])")
_FACTOR = lazy(r"\\?(?<![A-Za-z_])([A-Za-z]+)\d*(_\w+)?\Z")  # a name, and its index
_BESIDE = lazy(rf"(?<=[\w)}}\]])(?<!\\times)(?<!\\[co]dot)\s+(?=\\?[A-Za-z(])(?!{_NO_FACTOR})")
BESIDE_BARS = lazy(r"(?:(?<=\))|(?<=[\w)])\s+)(\|[^|]+\|)")  # lam |w|
_SCRIPT = lazy(r"_([a-z]{1,3})(?![A-Za-z0-9])")
_OF_ONE = lazy(r"\[([a-z](?:[+-]\d+)?)\]")  # h[t] of hₜ
COUNTED = set("ijklmnt")  # letters that count on paper
ROWS = "[0:, 0:]"  # behind an array of rows in a line that is tried: one with a single axis is none
_ROWS_OF = lazy(r"‖|\.T")  # what is of whole rows, not of numbers
_ENTRIES = "\t"  # behind one of entries, which is a blank to who reads the line
_OF_ROWS = lazy(r"([A-Za-z]\w*)\[0:, 0:\]")
_OF_ENTRIES, _MARK = lazy(rf"([A-Za-z]\w*){_ENTRIES}"), lazy(rf"(?<=\S){_ENTRIES}")
_SCRIPTS = lazy(rf"([A-Za-z]+\d*)(?:_(?:{'|'.join(MARKS.values())}))?\}}?\s*_\s*"
                rf"(?:\{{\s*([a-z]{{1,3}})\s*\}}|([a-z]{{1,3}})(?!\w))")
_TIMES = r"\s*(?:\\cdot|·)?\s*"
_FIXED = r"\\?\b[A-Za-z]+\d*(?:_(?![ijklmnt]{1,3}(?!\w))\w+)?(?!\w)"  # a name without an index
_ROW = rf"{_FIXED}\.T{_TIMES}[A-Za-z]+_[a-z]\b|\b[A-Za-z]+_[a-z]\.T{_TIMES}{_FIXED}"  # wᵀx_i, x_iᵀw
_IN_BARS = lazy(r"‖([^‖]*)‖(?:_(1|2|inf)(?![A-Za-z0-9]))?")
_FROM, _UP_TO = r"(?:\s*_\s*(?:\{\s*(\w)\s*(?:=\s*(\d+)\s*)?\}|(\w)))?", r"(?:\s*\^\s*(?:\{([^{}]*)\}|(\w)))?"
_A_SUM = rf"\\(sum|prod|mean|(?:max|min)(?=\s*_))(?![A-Za-z]){_FROM}{_UP_TO}"
_MEAN = lazy(r"\\frac\s*\{\s*1\s*\}\s*\{\s*(\w+)\s*\}\s*\\sum\s*_\s*\{\s*(\w)\s*=\s*1\s*\}"
                   r"\s*\^\s*\{?\s*\1\b\s*\}?")
_SUM_OF, _SUMS = lazy(rf"{_A_SUM}(?!\s*[_^])"), lazy(rf"(?:{_A_SUM}\s*)+(?!\s*[_^])")
_LAST = lazy(r"(\d+|\|?[A-Za-z]\w*\|?)([+-]\d+)?")
_WITH_SCRIPT = lazy(r"([A-Za-z]+)\}?(\[\d+\])?(?:\[:, \d+\])?\s*_\s*(?:\{\s*(\w+)\s*\}|([A-Za-z]))")
_LEFT = lazy(r"^(\s*(?:(?:loss|output)\s+)?\\?[A-Za-z]+)_([ijkmn]{1,2})(\s*=(?!=))(.*)$")
_NO_SCRIPT = lazy(r"^(\s*(?:(?:loss|output)\s+)?\\?[A-Za-z]\w*\s*=(?!=))(.*einsum\(.*)$")
_ENTRY = r"\\?[A-Za-z]+\d*_[a-z]{1,3}(?![A-Za-z0-9])"
_OF_FACTORS = lazy(rf"\s*({_ENTRY}(?:\s*(?:\\cdot|\\times|\*|·)?\s*{_ENTRY})*)\s*")
_PRODUCT_SIGN = r"(?:\\cdot|·|\*)"
_NO_INDEX = rf"(?!\\?(?:{_CALLED}|sigma)\b)\\?[A-Za-z]+\d*(?:\^\d+)?"
_A_NAME = lazy(rf"{_ENTRY}(?:\^\d+)?|{_NO_INDEX}")
_IN_FRONT = lazy(rf"{_NO_INDEX}(?:\s*{_PRODUCT_SIGN}\s*|\s+)(?=[(|‖\\A-Za-z])")
_CAPITAL = lazy(r"(?<![\w\\.])[A-Z]\w*(?!\w|\s*\()")
_ROOT_OF = lazy(r"\\(?=sqrt\s*[({])")


_MATRIX = lazy(r"\\begin\s*\{([pbvVB]?|small)matrix\}(.*?)\\end\s*\{\1matrix\}")


def _stacked(found: re.Match[str]) -> str:
    """The entries of a matrix in LaTeX as an array; of one column as a vector, of one between bars its determinant."""
    lines = [[cell.strip() for cell in line.split("&")] for line in found[2].split("\\\\") if line.strip()]
    rows = [f"stack({', '.join(line)})" for line in lines]
    whole = f"stack({', '.join(rows if len(lines[0]) > 1 else [line[0] for line in lines])})"
    return f" det({whole}) " if found[1] == "v" else f" {whole} "


ALL, FIRST, GREEKS = "", "first", "greeks"  # what sums are of: v, v[:K] up to K, phi[:] of letters that are numbers


def plain_latex(text: str, capitals: bool = False, rows: bool = True, entries: str = ALL) -> str:
    """A formula in LaTeX as model text; commands of which it is not known what they mean stay. With
    ``capitals`` the rows x_i in sums are those of X; with ``rows`` norms of x_i are those of rows, else of numbers."""
    text = _in_braces(_MATRIX.sub(_stacked, _MARK.sub(" ", text)))
    for pattern, plain in _REWRITTEN:
        text = _compiled(pattern).sub(plain, text)
    text = _ROOT_OF.sub("", text)
    while _FRACTION.search(text):
        text = _FRACTION.sub(_divided, text)
    text = _of_pairs(_of_calls(text))
    text = _entry_by_entry(_of_calls(_summed(_contracted(text), capitals, rows, entries)), capitals)
    text = re.sub(r"\\([A-Za-z]+)(?=((?:\s*\^\s*\d+)?\s*[({])?)", _command, text)
    return _SQUARED.sub(r"\1(\2 @ \2)", text.replace("{", "(").replace("}", ")"))


def _in_braces(text: str) -> str:
    """LaTeX without what only says how it looks, and with braces around what commands are of: ``\\frac{1}{N}`` for
    ``\\tfrac1N``."""
    for pattern, plain in _LOOKS:
        text = _compiled(pattern).sub(plain, text)
    for command in reversed([*_TAKES.finditer(text)]):
        text = _braced(text, command.end(), 2 if command[1] else 1)
    return text


def _braced(text: str, place: int, count: int) -> str:
    """The text with braces around so many arguments that stand from a place on."""
    found = _ARGUMENT.match(text, place) if count else None
    if found is None:
        return text
    if found[2] is None:
        return _braced(text, found.end(), count - 1)
    return _braced(f"{text[:place]}{{{found[2]}}}{text[found.end() :]}", place + len(found[2]) + 2, count - 1)


_ANGLE = rf"(?:(?:\\(?:{'|'.join(GREEK)})|[A-Za-z]\w*)(?![A-Za-z])|\d+)(?:_\w|_\{{\w+\}})?"
_OF_ANGLE = lazy(rf"\\(sin|cos|tan)(?![A-Za-z])\s*({_ANGLE}(?:\s*{_ANGLE})+)(?!\s*[({{^])")


def with_angles(text: str) -> str:
    """``\\cos(\\omega * t)`` for ``\\cos\\omega t``."""
    return _OF_ANGLE.sub(lambda found: rf"\{found[1]}({' * '.join(re.findall(_ANGLE, found[2]))})", text)


def with_means(text: str) -> str:
    """``\\frac{1}{N} \\sum_{i=1}^{N}``, whatever N is called, as the mean over i."""
    return _MEAN.sub(r"\\mean_{\2} ", _in_braces(text))


def indexed_sums(line: str, capitals: bool) -> str:
    """``Σᵢ [yᵢ log pᵢ]``, of which the sign is read already, as sums of whole arrays."""
    found = _INDEXED_SUM.search(line)
    if found is None:
        return line
    first = found[2] or found[4] or next(iter(re.findall(r"_([a-z])(?![A-Za-z0-9])", line)), "")

    def summed(sign: re.Match[str]) -> str:
        index, word = sign[2] or sign[4] or first, sign[1] or sign[3]
        return rf"\{word}_{{{index}}} " if index else rf"\{word} "

    return plain_latex(with_commands(_INDEXED_SUM.sub(summed, line)), capitals)


def with_commands(line: str) -> str:
    """A line of paper with its indices, x[i+1] of xᵢ₊₁, and functions as LaTeX has them; other brackets are round."""
    text = _OF_ONE.sub(r"_{\1}", line)
    text = re.sub(rf"(?<![\w\\])({_FUNCTIONS}|sigma)(?=\s*[(A-Za-z])(?![A-Za-z])", r"\\\1", text)
    return text.replace("[", "(").replace("]", ")").replace("ᵀ", ".T ")


def without_marks(line: str) -> str:
    """A line that was tried, as it is offered."""
    return _MARK.sub("", line.replace(ROWS, ""))


def of_entries(tried: str, line: str) -> Iterator[tuple[str, set[int]]]:
    """The arrays of which a line that is tried has entries for those that are typed, with as many indices as they have
    there, none of numbers, and those of which it has rows, with two."""
    scripts = defaultdict[str, set[int]](set)
    for found in _SCRIPTS.finditer(_in_braces(_OF_ONE.sub(r"_{\1}", line))):
        scripts[found[1]].add(len(found[2] or found[3]))
    yield from ((name, scripts[name.partition("_")[0]] or {0}) for name in _OF_ENTRIES.findall(tried))
    yield from ((name, {2}) for name in _OF_ROWS.findall(tried))


class Counted(NamedTuple):
    """What a sum that ends somewhere says of sizes: an array, one of its axes, and how many entries it has there: so
    many more than a number, or than what a name is."""

    name: str
    axis: int
    last: str
    more: int


def counted_up_to(line: str) -> list[Counted]:
    """What sums that begin at the first entry say of sizes; of ``x_{i+1} - x_i`` up to N - 1 that there are N. Where a
    sum within a sum counts by the same letter it counts there."""
    text, found = _in_braces(line), dict[tuple[int, int], Counted]()
    for begin in _SUM_OF.finditer(text):
        index = begin[2]
        last = _LAST.fullmatch(_end_of(begin))
        if index and begin[3] and last is not None:
            body = text[begin.end() : _end_of_term(text, begin.end())[0]]
            more = max([0, *map(_step, _stepped(index).findall(body))]) + int(last[2] or 0) + (begin[3] == "0")
            for x in _WITH_SCRIPT.finditer(body):
                axis = (x[3] or x[4]).find(index)
                if axis >= 0:  # in A[0]_j of the other one
                    found[begin.end() + x.start(), axis] = Counted(x[1], axis + bool(x[2]), last[1], more)
    return [*found.values()]


def ends_elsewhere(line: str) -> bool:
    """Whether a sum ends at neither a number nor a name, perhaps with a number added: at 2K, or at another index."""
    sums = [*_SUM_OF.finditer(_in_braces(line))]
    ends = {end for begin in sums if (end := _end_of(begin))}
    return any(_LAST.fullmatch(end) is None for end in ends) or any((begin[2] or begin[4]) in ends for begin in sums)


def _end_of(begin: re.Match[str]) -> str:
    return re.sub(r"\s", "", begin[5] or begin[6] or "")


def _step(found: tuple[str, str]) -> int:
    return int(f"{found[0]}{found[1] or 0}")


def _of_calls(text: str) -> str:
    """``\\log \\sigma(x)`` with what the logarithm is of in brackets."""
    text = re.sub(rf"\\({_FUNCTIONS})\s+(?=\()", r"\\\1", text)
    while found := _OF_CALL.search(text):
        end = found.end() + len(found[2])
        text = f"{text[: found.start()]}\\{found[1]}({text[found.end() : end]}){text[end:]}"
    return text


def _summed(text: str, capitals: bool, rows: bool, entries: str) -> str:
    """``\\sum_{i=1}^{N} y_i`` as a sum of arrays, from the last on, and products alike; one whose end may be meant
    elsewhere stays, and one that is not over all entries, as of a row of a matrix."""
    while found := [*_SUM_OF.finditer(text)]:
        begin, index = found[-1], found[-1][2] or found[-1][4] or ""
        end, ended = _end_of_term(text, begin.end())
        body = text[begin.end() : end].strip()
        if not (ended or (index and not _with_index(text[end:], index))) or not _same_entries(body, index):
            return text
        if not re.search("[A-Za-z]", body):  # the sum of 1 up to N is N, no 1
            return text
        among = _neighbours(body, index, begin) if index else body
        if among is None:
            return text
        inner = text[: begin.start()].rstrip().endswith(found[-2][0].rstrip()) if len(found) > 1 else False
        partial = any(script != index for script in _with_index(among, index)) if index else False
        among = _first_entries(among, index, begin) if entries == FIRST else among
        among = _with_norms(among, index, capitals, rows) if index else among
        if among is not None and (_of_rows(among, index) or _reads(among, index)):
            return text
        if among is None or "{" + index in among or (partial and not (inner and found[-2][1] == begin[1])):
            return text
        numbers, among = ([], among) if partial or begin[1] != "sum" else _numbers(among)
        among = _of_greeks(among, index) if index and entries == GREEKS else among
        body = _entrywise(among, index, capitals) if index else body
        whole = " * ".join([f"{begin[1]}({body})", *numbers])
        whole = f"({whole})" if numbers and text[: begin.start()].rstrip().endswith(("/", "^")) else whole
        text = text[: begin.start()] + (f" {body} " if partial else whole) + text[end:]
    return text


def _of_rows(body: str, index: str) -> bool:
    """Whether a sum may be of matrices, ``(x_i - m)(x_i - m).T`` and ``x_i x_i.T``: those of rows, not of numbers."""
    script = rf"_{index}(?!\w)" if index else r"_[a-z](?!\w)"
    outer = rf"{script}{_TIMES}\\?[A-Za-z]+\d*{script}\.T(?!{_TIMES}[\\A-Za-z(])"
    return re.search(rf"\([^()]*{script}[^()]*\)\s*\.T|{outer}", body) is not None


def _reads(body: str, index: str) -> bool:
    """Whether the index is a number itself in what is summed, as in ``\\sum_i i v_i``."""
    return bool(index) and re.search(rf"(?<![\w\\]){index}(?!\w)", re.sub(r'"[^"]*"', "", body)) is not None


def _numbers(product: str) -> tuple[list[str], str]:
    """The factors of a product that have no index, which are numbers beside such that have one, and the rest of it: of
    names all, of other factors those in front."""
    factors = re.split(rf"\s*{_PRODUCT_SIGN}\s*|\s+", product.strip())
    if all(map(_A_NAME.fullmatch, factors)):
        numbers, rest = [f for f in factors if "_" not in f], [f for f in factors if "_" in f]
        return (numbers, " ".join(rest)) if rest else ([], product)
    found = _IN_FRONT.match(product)
    return ([found[0].rstrip(" *·")], product[found.end() :]) if found is not None else ([], product)


_PAIRS = lazy(r"\\sum\s*_\s*\{\s*([a-z])\s*(<|\\neq?(?![A-Za-z])|!=)\s*([a-z])\s*\}")
_IN_PAIRS = lazy(rf"(?<![A-Za-z_\\\t])(\\?(?!(?:{_CALLED}|sqrt|frac|sigma|exp)(?![A-Za-z]))[A-Za-z]+\d*)"
                 r"(?:_(?:\{([a-z]{1,2})\}|([a-z]{1,2})(?![A-Za-z0-9])))?(?![\w({])")


def _of_pairs(text: str) -> str:
    """``\\sum_{i<j} (x_i - x_j)^2`` as the sum over the upper triangle of all pairs, of ``i \\neq j`` over both; as it
    is where anything but numbers and entries with these indices is in it."""
    found = _PAIRS.search(text)
    if found is None:
        return text
    end, ended = _end_of_term(text, found.end())
    body, (i, sign, j) = text[found.end() : end].strip(), found.groups()
    known = {(*i,): "[:, None]", (*j,): "[None, :]", (*i, *j): ""}

    def entry(name: re.Match[str]) -> str:
        script = name[2] or name[3]
        return f"{name[1]}{_ENTRIES}{known.get((*script,), '_') if script else ''}"

    bare = re.sub(r"\|([^|]+)\|", r"abs(\1)", BESIDE_BARS.sub(r" * \1", body))  # of numbers, not of a matrix
    pairs = _IN_PAIRS.sub(entry, _BESIDE.sub(" * ", bare))
    if not ended or _ROWS_OF.search(body) or "\\sum" in body or "_" in pairs or not _with_index(body, i):
        return text
    whole = f"triu({pairs}, 1)" + (f" + tril({pairs}, -1)" if sign != "<" else "")
    return f"{text[: found.start()]}sum({whole}){text[end:]}"


def _contracted(text: str) -> str:
    """``\\sum_i \\sum_j A_{ij} B_{ji}``, a sum of products over indices that stand at other places, as einsum; what has
    indices left has them behind it. A sum over a part of the entries stays."""
    left = _LEFT.match(text)
    for sums in reversed([*_SUMS.finditer(text)]):
        end = _end_of_term(text, sums.end())[0]
        product = _OF_FACTORS.fullmatch(text, sums.end(), end)
        each = [*_SUM_OF.finditer(sums[0])]
        if product is None or not all(map(_is_over_all, each)) or any(s[1] != "sum" for s in each):
            continue
        factors = [factor.rpartition("_") for factor in re.findall(_ENTRY, product[1])]
        letters = "".join(dict.fromkeys("".join(script for *_, script in factors)))
        over = {s[2] or s[4] for s in each if s[2] or s[4]} or (set(letters) if len(letters) == len(each) else set())
        known = COUNTED | over | {*(left[2] if left is not None else "")}
        if not over or not over <= {*letters} <= known or len({script for *_, script in factors}) < 2:
            continue
        free = "".join(c for c in letters if c not in over)
        free = left[2] if left is not None and sorted(left[2]) == sorted(free) else free
        spec = ",".join(script for *_, script in factors)
        call = f'einsum("{spec}->{free}", {", ".join(name for name, *_ in factors)})' + (f"_{free}" if free else "")
        text = f"{text[: sums.start()]}{call} {text[end:]}".rstrip()
    return text


def _is_over_all(sign: re.Match[str]) -> bool:
    """Whether a sum's limits, if it has some, are the first and the last entry."""
    first, last = sign[3], re.sub(r"\s", "", sign[5] or sign[6] or "")
    return last.endswith("-1") if first == "0" else first in (None, "1") and not {*"+-"} & {*last}


def _counted(body: str) -> set[str]:
    """The scripts of a text that count."""
    return {script for script in _SCRIPT.findall(re.sub(_ROW, " ", body)) if set(script) <= COUNTED}


def _stepped(index: str) -> re.Pattern[str]:
    """Where x_i and x_{i+1} have their indices, with how many steps."""
    return re.compile(rf"(?<=\w)_(?:\{{\s*{index}\s*([+-])\s*(\d+)\s*\}}|{index}(?![A-Za-z0-9]))")


def _neighbours(body: str, index: str, begin: re.Match[str]) -> str | None:
    """``x_{i+1} - x_i`` as ``x[1:] - x[:-1]``; None where the limits leave out more entries, or fewer."""
    script = _stepped(index)
    steps = [*map(_step, script.findall(body))] or [0]
    low, high = min(0, *steps), max(0, *steps)
    first, last = begin[3], re.fullmatch(r"(.*?)(?:-(\d+))?", _end_of(begin))
    assert last is not None
    start = int(first or 1 - low)
    below = 1 - low - start  # 0 where entries count from 1, 1 where from 0; further on some are left out
    ends = high + max(below, 0)
    if below > 1 or (last[1] and int(last[2] or 0) != ends) or (last[1].isdigit() and (low != high or below < 0)):
        return None

    def sliced(found: re.Match[str]) -> str:
        at = int(f"{found[1] or ''}{found[2] or 0}")
        return f"[{at - low - min(below, 0) or ''}:{at - high or ''}]"

    if low == high and below >= 0:
        return body
    alone = all(other == index for other in _with_index(script.sub("", body), index))
    return script.sub(sliced, body) if alone and not _ROWS_OF.search(body) else None  # of rows, no entries


def _first_entries(body: str, index: str, begin: re.Match[str]) -> str:
    """``v_i`` up to K as ``v[:K]``, where only entries have the index."""
    last = (begin[5] or begin[6] or "").strip()
    alone = last.isalnum() and begin[3] == "1" and all(script == index for script in _with_index(body, index))
    return _stepped(index).sub(f"{_ENTRIES}[:{last}]", body) if alone and not _ROWS_OF.search(body) else body


def _of_greeks(body: str, index: str) -> str:
    """``phi[:]`` for ``phi_i``, which nobody takes for a number."""
    return re.sub(rf"(?<![\w\\])(\\?(?:{'|'.join(GREEK)}))_{index}(?!\w)", rf"\1{_ENTRIES}[:]", body)


def _entry_by_entry(text: str, capitals: bool) -> str:
    """``s_i = e^{z_i} / sum(e^z)`` as an equation of whole arrays; as it is where one of them may be a matrix."""
    found = _LEFT.match(text)
    left, script, right = (found[1] + found[3], found[2], found[4]) if found is not None else _without_script(text)
    if not script or _counted(right) != {script} or (
            len(script) == 1 and _CAPITAL.search(re.sub(rf"{_ROW}|einsum\([^()]*\)", " ", right))):
        return text
    return left + _entrywise(right, script, capitals)


def _without_script(text: str) -> tuple[str, str, str]:
    """The left side, the indices of all that stands behind it, and that, of a sum of products whose left side names no
    index: ``z = \\sum_d X_{nd} w_d``."""
    found = _NO_SCRIPT.match(text)
    scripts = [*_counted(found[2])] if found is not None else []
    return (found[1], scripts[0], found[2]) if found is not None and len(scripts) == 1 else ("", "", "")


def _with_index(text: str, index: str) -> list[str]:
    """The scripts in a text that have an index."""
    return [script for script in _SCRIPT.findall(text) if index in script]


def _same_entries(body: str, index: str) -> bool:
    """Whether a sum is over entries at the same place of all arrays: X_ij w_j is a product with a matrix, x_i − x_j are
    all pairs. Letters that count nothing may be part of a name."""
    found = _SCRIPT.findall(re.sub(_ROW, " ", body))
    scripts = {script for script in found if set(script) <= COUNTED}
    return not index or len(scripts) <= 1


def _with_norms(body: str, index: str, capitals: bool, rows: bool) -> str | None:
    """``‖x_i - m‖`` as the norms of all rows, or of entries, which are their sizes; None where products stand in the
    bars, which may be of matrices."""
    norms = [found for found in _IN_BARS.finditer(body) if _with_index(found[1], index)]
    if any(_BESIDE.search(found[1].strip()) or re.search(r"\.T|[*@·]|\\[co]dot", found[1]) for found in norms):
        return None
    for found in reversed(norms):
        row = rf"\b([A-Za-z]+\d*)_{index}(?!\w)"
        inner = re.sub(row, lambda name: _whole(name[1], capitals) + ROWS, found[1].strip())
        order = f", order={found[2]}" if found[2] in ("1", "inf") else ""
        norm = f"norm({inner}, axis=-1{order})" if rows else f"|{found[1].strip()}|"
        before = body[: found.start()]
        body = before + " " * before[-1:].isalnum() + norm + body[found.end() :]
    return body


def _whole(rows: str, capitals: bool) -> str:
    return rows.upper() if capitals and len(rows) == 1 else rows


def _entrywise(body: str, index: str, capitals: bool) -> str:
    """What is summed over an index without it: products of entries are products of arrays, entry by entry, and wᵀxᵢ is
    the product of the rows with w."""
    matrices = _CAPITAL.search(re.sub(_ROW, " ", body))  # of which a · may be the product
    row, other = rf"\b([A-Za-z]+)_{index}\b", rf"({_FIXED})"
    body = re.sub(rf"{other}\.T{_TIMES}{row}", lambda m: f"({_whole(m[2], capitals)}{ROWS} @ {m[1]})", body)
    body = re.sub(rf"{row}\.T{_TIMES}{other}", lambda m: f"({_whole(m[1], capitals)}{ROWS} @ {m[2]})", body)
    body = re.sub(rf"{row}\.T{_TIMES}{row}",
                  lambda m: f"sum({_whole(m[1], capitals)}{ROWS} * {_whole(m[2], capitals)}{ROWS}, axis=-1)", body)
    body = body if matrices else re.sub(r"·|\\cdot(?![A-Za-z])", "*", body)

    def without(script: re.Match[str]) -> str:
        rest = script[1].replace(index, "", 1)
        return f"_{rest}" if rest else _ENTRIES

    def product(found: re.Match[str]) -> str:
        before = _FACTOR.search(body, 0, found.start())
        alone = before is not None and before[2] is None and before[1] not in _CALLED.split("|")
        return f" {BESIDE} " if alone else " * "

    return _SCRIPT.sub(without, _BESIDE.sub(product, BESIDE_BARS.sub(r" * \1", body)))


def _end_of_term(text: str, start: int) -> tuple[int, bool]:
    """Where a term ends that begins there, and whether nothing is added to it behind."""
    depth, bars = 0, 0
    for place in range(start, len(text)):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        bars ^= text[place] in "|‖"
        if depth < 0:
            return place, True
        if depth == 0 and not bars and text[place] in "+-=" and text[start:place].strip():
            return place, False
    return len(text), True


def _divided(match: re.Match[str]) -> str:
    parts = [part for part in match.groups() if part is not None]
    above, below = [part if part.isdigit() or part.isidentifier() else f"({part})" for part in parts]
    return f"({above}/{below})"


def _command(match: re.Match[str]) -> str:
    word = match.group(1)
    known = word in GREEK or (match.group(2) and re.fullmatch(_CALLED, word))
    return _SIGNS_OF.get(word, word if known else match.group())
