"""How names print: ``w2`` as w₂, ``W_e`` as W_e, ``x_hat`` as x̂, ``h[t]`` as hₜ, ``delta`` as δ.

A name is read as a base, accents on it, subscripts and an index.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from itertools import chain, count
from typing import NamedTuple

from symbackprop.patterns import lazy

_LOWER = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
          "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega")
_LETTERS = "αβγδεζηθικλμνξοπρστυφχψω"
_UPPER = {"Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
          "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω"}
GREEK = {**dict(zip(_LOWER, _LETTERS, strict=True)), **_UPPER, "eps": "ε", "lam": "λ"}
TEX_GREEK = {"epsilon": r"\varepsilon", "eps": r"\varepsilon", "lam": r"\lambda", "omicron": "o", "phi": r"\varphi"}
LETTERS = {letter: name for name, letter in GREEK.items()} | {"ε": "eps", "λ": "lambda", "ς": "sigma"}  # read back
ACCENTS = {"hat": ("\u0302", r"\hat"), "bar": ("\u0304", r"\bar"), "tilde": ("\u0303", r"\tilde"),
           "dot": ("\u0307", r"\dot"), "vec": ("\u20d7", r"\vec")}
_ACCENT = lazy("|".join(ACCENTS))
SUBSCRIPTS = str.maketrans("0123456789+-aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
PLACE = rf"(?:[{''.join(map(chr, SUBSCRIPTS.values()))}]+|\[[^\[\]]*\])"  # what an index prints as, for who reads it
PRIMES = "′″‴"
_PARTS = lazy(r"(?P<base>[A-Za-z]+?)(?P<digits>\d*)(?P<rest>(?:_[A-Za-z0-9]+)*)_*(?P<index>(?:\[[^\]]*\])*)\Z")


class Characters(dict[int, str]):
    """A table for `str.translate`: how every character is ``written``, found when it is met first."""

    def __init__(self, written: Callable[[str], str]) -> None:
        self.written = written

    def __missing__(self, code: int) -> str:
        found = self[code] = self.written(chr(code))
        return found


class Name(NamedTuple):
    """A name taken apart: ``x_hat1`` is base x, accent hat, subscript 1."""

    base: str
    accents: tuple[str, ...]
    subscripts: tuple[str, ...]
    place: str = ""


@lru_cache(maxsize=1 << 16)
def parse_name(name: str) -> Name:
    """The parts of a name; a name of another form is all base."""
    match = _PARTS.match(name)
    if match is None:
        return Name(name, (), ())
    base, digits, rest, index = match.groups()
    words = _words(rest) if rest else []
    if not digits and len(base) == 2 and base[0].isupper() and base[1].islower() and base not in GREEK:
        base, digits = base[0], base[1]
    accents = tuple([w for w in words if w in ACCENTS])
    subscripts = ((digits,) if digits else ()) + tuple([w for w in words if w not in ACCENTS])
    return Name(base, accents, subscripts, index and index.replace("][", ",").strip("[]").replace(" ", ""))


def _words(rest: str) -> list[str]:
    """The parts between underscores, the digits behind an accent being a subscript: ``_hat1`` is hat and 1."""
    if _ACCENT.search(rest) is None:
        return [w for w in rest.split("_") if w]
    words: list[str] = []
    for word in rest.split("_"):
        stem = word.rstrip("0123456789")
        words += [stem, word[len(stem) :]] if stem in ACCENTS else [word]
    return [w for w in words if w]


@lru_cache(maxsize=1 << 16)
def text_name(name: str) -> str:
    """A name in Unicode: digits become subscripts, letters stay behind an underscore."""
    parts = parse_name(name)
    base = GREEK.get(parts.base, parts.base)
    if parts.accents or not base.isascii():
        base = unicodedata.normalize("NFC", base + "".join(ACCENTS[a][0] for a in parts.accents))
    for subscript in parts.subscripts:
        base += subscript.translate(SUBSCRIPTS) if subscript.isdigit() else "_" + GREEK.get(subscript, subscript)
    if not parts.place:
        return base
    return base + (f"[{parts.place}]" if number_of(parts) and parts.place[:1].isdigit() else text_index(parts.place))


def text_index(index: str) -> str:
    """An index behind a name: lowered where there are such letters, else in brackets."""
    if not index:
        return ""
    return index.translate(SUBSCRIPTS) if re.fullmatch(r"[0-9aehijklmnoprstuvx+-]+", index) else f"[{index}]"


def subscripts_of(name: str) -> tuple[str, ...]:
    """A name as it is typeset, its index among its subscripts: h_T and h[T] are one."""
    parts = parse_name(name)
    return (parts.base, *parts.accents, "_", *parts.subscripts, *([parts.place] if parts.place else []))


def primes(order: int) -> str:
    """What stands behind the name of a derivative: f′, f″ …"""
    return PRIMES[order - 1] if 0 < order <= len(PRIMES) else PRIMES[0] * order


def unprimed(name: str) -> tuple[str, int]:
    """A name without its primes, and of which derivative they make it the name."""
    base = name.rstrip(PRIMES)
    return base, sum([PRIMES.index(c) + 1 for c in name[len(base) :]])


def wishes(hint: str, first: str | None) -> list[str]:
    """The names in a hint; ``{}`` in them is that of the first argument, without its accents: ``X_hat`` of {}_hat. It
    is x where that has no name of one letter."""
    found = parse_name(unplaced(first or "x"))
    stem = found.base + number_of(found) if len(text_name(found.base)) == 1 else "x"
    return [wish.format(stem) for wish in hint.split()]


def unplaced(name: str) -> str:
    """A name without the step of a loop that it stands at: h of h[t-1]."""
    return name.partition("[")[0]


def dotted(name: str) -> str:
    """What the tangent of a row is called: h_dot[t], which prints as ḣₜ, of h[t]."""
    base, bracket, place = name.partition("[")
    return f"{base}_dot{bracket}{place}"


def number_of(name: Name) -> str:
    """The number behind the letters of a name, if it has one."""
    return name.subscripts[0] if name.subscripts[:1] and name.subscripts[0].isdigit() else ""


def free_name(taken: Collection[str], *wishes: str) -> str:
    """The first of the wishes that prints as no name that is taken; else the first one, numbered."""
    numbered = (f"{wishes[0]}{k}" for k in count(1))
    return next(name for name in chain(wishes, numbered) if text_name(name) not in taken)


def lookalikes(names: Iterable[str], fixed: Iterable[str]) -> set[str]:
    """Names that would print like another one, as c2 and c_2: all but the first of them print as they are written, and
    all that would print like a size, a function or the counter of a loop (``fixed``), as K_ beside the size K."""
    first = {text_name(name): name for name in fixed}
    met = dict(first)
    pairs = [(met.setdefault(text_name(name), name), name) for name in names]
    alike = {name for pair in pairs if pair[0] != pair[1] for name in pair}
    for name in sorted(alike, key=lambda name: ("_" in name, name)):
        first.setdefault(text_name(name), name)
    return {name for name in alike if first[text_name(name)] != name}
