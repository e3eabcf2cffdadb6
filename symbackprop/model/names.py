"""Which names a model may use, and how they may print. What is printed or emitted later builds on what is let through
here: of LaTeX letters, digits, accents, fonts and scripts, nothing that could run or break a document."""

from __future__ import annotations

import keyword
import re
from collections.abc import Container, Iterable, Sequence

from symbackprop.core.names import GREEK, parse_name
from symbackprop.errors import ModelError, NameProblem, UsageError, did_you_mean
from symbackprop.patterns import lazy

MAX_LENGTH = 64
RESULT = "result"  # what has no name
_NAME = lazy(r"[A-Za-z][A-Za-z0-9_]*\Z")
_DATA = lazy(r"[xy].*|t(s|[0-9]*)(_.*)?|(target|label).*|data|inputs?|images?|(\w+_)?masks?|actions?|obs(ervations?)?",
             re.IGNORECASE)
_PREDICTED = lazy(r"hat(?:_|$)|pred")  # ŷ, y_pred
LONGEST_NOTATION, MAX_DEPTH = 80, 6
_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho varrho "
    "sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
_OTHER = "ell hbar imath jmath partial nabla infty prime star ast top bot odot otimes cdot"
_ACCENTS = "hat widehat tilde widetilde bar overline vec dot ddot check breve mathring underline"
_FONTS = "mathbf mathrm mathit mathcal mathbb mathsf mathfrak boldsymbol"
SYMBOLS = frozenset(f"{_GREEK} {_OTHER}".split())
FONTS = frozenset(_FONTS.split())
ACCENTS = frozenset(_ACCENTS.split()) | FONTS
_PIECE = lazy(r"\\[A-Za-z]+|[A-Za-z0-9]|[{}^_ ',()\[\]+\-|*]|\\[,;]")
_SPACES = (" ", "\\,", "\\;")


def listed(names: Iterable[str] | str) -> list[str]:
    """Several names, also as one text: "W1 b1" or "W1, b1"."""
    if isinstance(names, str):
        return names.replace(",", " ").split()
    if not isinstance(names, Iterable):
        raise UsageError(f"names are a list or a text, such as 'W1 b1', not {names!r:.60}")
    return list(names)


def check_name(name: str) -> str:
    """The name itself, or a `NameProblem`: ASCII letters, digits and underscores, no keyword, at most 64 long."""
    if not isinstance(name, str):
        raise NameProblem(f"a name is a text, not {name!r:.60}")
    if len(name) > MAX_LENGTH:
        raise NameProblem(f"the name {name[:20]!r}… is {len(name)} characters long; at most {MAX_LENGTH} are allowed")
    if not _NAME.match(name):
        raise NameProblem(f"{name!a} is not a name: use ASCII letters, digits and _, beginning with a letter")
    if keyword.iskeyword(name):
        raise NameProblem(f"{name!r} is a Python keyword and cannot be a name; try {name + '_'!r}")
    if name.endswith("__"):
        raise NameProblem(f"{name!r} ends in two underscores, which emitted code reserves")
    return name


def python_name(name: str) -> str:
    """How a name is spelled without brackets: ``h[0]`` is h0, ``h[T + 1]`` is hT1."""
    return re.sub(r"\W", "", name)


def sounds_like_data(name: str) -> bool:
    """Whether data is usually called so."""
    return not is_greek(name) and _DATA.fullmatch(name) is not None


def data_among(names: Sequence[str], integers: Container[str] = (), counts: Container[str] = (), learnt: bool = False
               ) -> list[str]:
    """Those of undeclared names that are data: what is called so, integers and counts. One has to be a parameter,
    unless there are others that are ``learnt``: what is predicted, as ŷ, or else all but counts."""
    data = [n for n in names if sounds_like_data(n) or n in integers or n in counts]
    if learnt or len(data) < len(names):
        return data
    others = [n for n in data if n not in counts]
    predicted = [n for n in others if _PREDICTED.search(n)]
    return [n for n in data if n not in (predicted or others)]


def result_name(taken: Container[str], has_axes: bool) -> str:
    """What an output, if it ``has_axes``, or a loss is called that has no name."""
    return next((n for n in ("YZ" if has_axes else "LJ") if n not in taken), RESULT)


def is_greek(name: str) -> bool:
    return parse_name(name).base in GREEK


# -- checked LaTeX
def check_notation(latex: str) -> str:
    """The LaTeX itself, or a `ModelError` that names what is not allowed."""
    if not latex.strip() or len(latex) > LONGEST_NOTATION:
        raise ModelError(f"a notation has 1 to {LONGEST_NOTATION} characters, not {len(latex)}")
    _Checker(pieces(latex), latex).check()
    return latex


def pieces(latex: str) -> list[str]:
    """The commands, letters and signs of a notation. Raises `ModelError` at one that is not allowed."""
    found, place = [], 0
    while place < len(latex):
        match = _PIECE.match(latex, place)
        if match is None:
            raise ModelError(f"{latex[place]!a} is not allowed in a notation: letters, digits, accents, scripts only")
        found.append(match.group())
        place = match.end()
    return found


class _Checker:
    """items := {item}; item := base {"^" argument | "_" argument | "'"}, each script once."""

    def __init__(self, pieces: list[str], latex: str) -> None:
        self.pieces, self.latex, self.place = pieces, latex, 0

    def fail(self, message: str) -> ModelError:
        return ModelError(f"the notation {self.latex!a} {message}")

    @property
    def now(self) -> str:
        return self.pieces[self.place] if self.place < len(self.pieces) else ""

    def take(self) -> str:
        piece = self.now
        self.place += 1
        return piece

    def check(self) -> None:
        self.items(0)
        if self.now:
            raise self.fail("closes a brace that is not open")

    def items(self, depth: int) -> None:
        count = 0
        while self.now and self.now != "}":
            self.item(depth)
            count += 1
        if not count:
            raise self.fail("has an empty group")

    def item(self, depth: int) -> None:
        if self.now in _SPACES:
            self.take()
            return
        self.base(depth)
        seen = ""
        while self.now and self.now in "^_'":
            script = self.take()
            kind = "^" if script == "'" else script
            if kind in seen:
                raise self.fail(f"has two {'sub' if kind == '_' else 'super'}scripts on one letter")
            if script != "'":
                self.argument(depth)
                seen += kind
            elif self.now != "'":
                seen += "^"

    def base(self, depth: int) -> None:
        piece = self.take()
        if piece == "{":
            self.group(depth)
        elif piece.startswith("\\"):
            self.command(piece[1:], depth)
        elif piece in "^_'":
            raise self.fail("has a script without a letter before it")

    def command(self, name: str, depth: int) -> None:
        if name in ACCENTS:
            self.argument(depth)
        elif name not in SYMBOLS:
            hint = did_you_mean(name, SYMBOLS | ACCENTS)
            raise self.fail(f"uses \\{name}, which is not allowed: letters, accents and scripts only.{hint}")

    def argument(self, depth: int) -> None:
        while self.now == " ":
            self.take()
        piece = self.take()
        if piece == "{":
            self.group(depth)
        elif piece.startswith("\\") and piece[1:] in SYMBOLS:
            return
        elif not piece.isalnum() and piece not in ("*", "+", "-"):
            raise self.fail("has a script or an accent without anything to apply to")

    def group(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise self.fail(f"is nested more than {MAX_DEPTH} deep")
        self.items(depth + 1)
        if self.take() != "}":
            raise self.fail("has a brace that is never closed")
