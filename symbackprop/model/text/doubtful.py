"""What formulas on paper say that an expression with nothing declared does not: which entry z_y is beside Σ_j z_j, and
what is derived by d/dx."""

from __future__ import annotations

from symbackprop.errors import ModelError, SyntaxProblem
from symbackprop.patterns import lazy

_LETTER = r"[A-Za-z]"
_SUMMED = lazy(r"(?:\\sum|\\prod|[Σ∑∏])(?:\\limits)?\s*_\s*"
               rf"(?:\{{\s*({_LETTER}(?:\s*,\s*{_LETTER})*)\s*(?:=\s*(\d+))?[^{{}}]*\}}|({_LETTER}))")
_INDEXED = lazy(rf"((?<![A-Za-z\\_^])\\?{_LETTER}+|\\(?:hat|tilde|bar)\s*\{{?\s*{_LETTER}\s*\}}?)\s*_\s*"
                r"(?:\{\s*([^{}]*?)\s*\}|([A-Za-z0-9]))")
_BY = lazy(rf"\\[dt]?frac\s*\{{\s*(?:\\(?:mathrm|text|operatorname)\s*\{{\s*d\s*\}}|d)\s*\\?{_LETTER}*\s*\}}\s*"
           rf"\{{\s*(?:\\(?:mathrm|text|operatorname)\s*\{{\s*d\s*\}}|d)\s*\\?{_LETTER}+\s*\}}")
_ENTRY = ("{0}_{1} may be an entry of {0}, which is summed over {2}: declare the arrays and write {3}, or give what is "
          "none another name")
_PLACE, _LABEL = "{0}[{1}]", "{0}[{1}] with `data {1}: int < N`"
_LIMITS = lazy(r"\\(?:sum|prod)(?:\\limits)?(?:\s*[_^]\s*(?:\{[^{}]*\}|\\?\w+))*")
_OF_VECTORS = lazy(r"\\(?:mathbf|boldsymbol|bm|vec|top|intercal|cdot|odot|times|langle|Vert|lVert|nabla)"
                   r"|\\\||'|\^\s*\{?T|[)\]]\s*_")
_GREEK = "alpha|beta|gamma|delta|epsilon|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|psi|omega"
_WORDS = lazy(r"\\(?:text|mathrm|operatorname|begin|end)\s*\{[^{}]*\}"
              rf"|\\(?!(?:{_GREEK})(?![A-Za-z]))[A-Za-z]+")
_SINGLE = lazy(rf"(\\{_LETTER}+|{_LETTER})(\s*_)?")
_DERIVED = "d/dx is what is derived here: write what stands behind it alone"


def doubtful(typed: str) -> ModelError | None:
    """Why an expression may mean something else than what is guessed of it; None where nothing says so."""
    by = _BY.search(typed) if "frac" in typed else None
    if by is not None:
        return SyntaxProblem(_DERIVED, near=by[0])
    begins = {letter: int(found[2] or 1) for found in _SUMMED.finditer(typed)
              for letter in (found[1] or found[3]).replace(",", " ").split()}
    if not begins:
        return None
    places = [(found[1], found[2] or found[3]) for found in _INDEXED.finditer(typed)]
    over = {name: letter for name, at in places for letter in begins if letter in at}
    other = next(((name, at) for name, at in places if name in over and _is_entry(at, begins)), None)
    if other is None:
        return None
    name, at = other
    entry = _PLACE.format(name, int(at) - 1) if at.isdigit() else _LABEL.format(name, at)
    return SyntaxProblem(_ENTRY.format(name, at, over[name], entry), near=f"{name}_")


def _is_entry(at: str, begins: dict[str, int]) -> bool:
    """Whether an index is of one entry, which is among those that are summed: a letter, or a number from the first."""
    return at not in begins and ((at.isalpha() and len(at) == 1 and at.islower()) or (
        at.isdigit() and int(at) >= max(1, *begins.values())))


def numbers_on_paper(typed: str) -> set[str]:
    """The names without an index in a sum over entries, which are numbers there: m of ``\\sum_i (x_i - m)^2``, as long
    as nothing is written as a vector, and a capital stands in front of none."""
    if "\\sum" not in typed or _OF_VECTORS.search(typed):
        return set()
    indexed = {found[1] for found in _INDEXED.finditer(_LIMITS.sub(" ", typed))}
    bare = _INDEXED.sub(" # ", _WORDS.sub(" ", _LIMITS.sub(" ", typed)))
    found = {name[1] for name in _SINGLE.finditer(bare) if not bare[name.end() :].lstrip().startswith(("(", r"\left("))
             and not (name[1].isupper() and bare[name.end() :].lstrip().startswith("#"))}
    return {name.removeprefix("\\") for name in found - indexed - {"e", "d", "i"}} if indexed else set()
