"""Model text (`.sbp`): text to `Model` and back. Nothing in a text is ever executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.functions.words import meant
from symbackprop.core.graph import Node
from symbackprop.core.names import GREEK
from symbackprop.core.scalars import TABLE
from symbackprop.cycles import uncollected
from symbackprop.errors import (
    MOST,
    Meant,
    ModelError,
    NameProblem,
    NoResult,
    NotDeclared,
    OnPaper,
    Place,
    ShapeError,
    SyntaxProblem,
    UsageError,
)
from symbackprop.frames import roomy
from symbackprop.model.model import Model
from symbackprop.model.text import tree
from symbackprop.model.text.builder import Builder, conventions, located
from symbackprop.model.text.calls import TIMES
from symbackprop.model.text.characters import (
    ALL,
    FIRST,
    GREEKS,
    OVER_AN_INDEX,
    SUM_OVER,
    indexed_sums,
    plain_latex,
    readable,
    with_angles,
    with_commands,
    with_means,
    without_marks,
)
from symbackprop.model.text.doubtful import doubtful, numbers_on_paper
from symbackprop.model.text.evaluate import Evaluator
from symbackprop.model.text.expressions import one_formula, read_values
from symbackprop.model.text.guess import guessed
from symbackprop.model.text.header import read_header
from symbackprop.model.text.languages import PYTHON, Language, language
from symbackprop.model.text.meant_lines import (
    commented,
    expected,
    in_reals,
    log_of_det,
    named_sizes,
    positive,
    power_behind,
    product_of_matrices,
    product_with_turned,
    solved,
    times_bars,
    without_prose,
)
from symbackprop.model.text.meant_lines import (
    of_paper as as_on_paper,
)
from symbackprop.model.text.scope import ModelScope
from symbackprop.model.text.statements import WITHOUT_ARGUMENTS, parse_statements
from symbackprop.model.text.sums import same_entries, says_how_many
from symbackprop.model.text.tokens import physical_lines
from symbackprop.model.text.undeclared import declarations as guessed_declarations
from symbackprop.model.text.write import declarations, to_text
from symbackprop.patterns import lazy
from symbackprop.records import record

# -- what is wrong with a text as its writer sees it: the line, a caret below the place, the line that is right
Read: TypeAlias = tuple[Model, Sequence[ModelError], set[int]]  # what was read, what is wrong, lines not reached
# xᵀAx, Ax - b, Xβ, Φβ, αx and αβ, where nothing is declared; Δt, δx, Fx², Fx beside Fy and Wx beside a sign are names
_FUNCTIONS = "σφψΓΦΨ"  # letters that functions are called by too; 1/σμ may be divided by both
_GLUED = lazy(r"(?:(?<=ᵀ)[A-ZΑ-Ω]|(?<![^\W\d])[α-γε-ω])(?=[a-z](?![\w₀-₉]))|(?<![^\Wᵀ])[A-Z](?=[α-ω](?![\w₀-₉]))"
                    rf"|(?:(?![{_FUNCTIONS}])[α-γε-ωΘΛΞΥΩ]|(?<![/^])(?<![/^] )[{_FUNCTIONS}])(?=[α-ω])"
                    r"|(?:(?<![\w.@*(,])(?<![@*] )|(?<![\w.]\()(?<=\())[A-Z](?=x(?![\w₀-₉]|\s*[@*.=(\[^²]))")
_PROGRAM = lazy(r"^\s*(?:def|class|import|from)\s", re.MULTILINE)  # in which Wx is a name
_WORD = rf"\b(?!(?:{'|'.join(GREEK)})\b)[A-Za-z]{{2,}}\b(?!\s*[(.])"  # of prose, or a function without brackets
_BESIDE = lazy(rf"\s*{tree.BESIDE}\s*")
_PROSE = rf"{_WORD}\s*{tree.BESIDE}|{tree.BESIDE}\s*(?!(?:{'|'.join([*FUNCTIONS, *TABLE])})\b){_WORD}"
_WIDEST, _LONGEST = 100, 10_000  # columns of a line that are shown, characters of a text that is read again
_TRANSPOSED = lazy(r"\^\s*T\b|\.T\b|'|ᵀ|\\top")
_OF_ARRAYS = lazy(r"@|‖|\b(?:tr|trace|det|logdet|inv|norm|sum|mean)\b")
_OTHER_COMMENTS = lazy(r"//|%(?!\w*%)|--|/\*")
_MOST, _BUDGET = 5, 100_000  # further mistakes of a line that are mended with the first; characters that are read again


def mended(errors: Sequence[ModelError], text: str, read: Callable[[str], Read], guesses: bool = False) -> Model:
    """The model of a text in which nothing is wrong but what is written as on paper, which is told. Raises the first
    error with the others; each shows its place and, where it knows what may be meant, the corrected line: the text
    with it has been read again, and nothing was wrong with that line any more. ``guesses``: what is read, and the
    names of sizes, no line declares."""
    typed = [line if "<-" in line and line.isascii() else readable(line) for line in physical_lines(text)]
    spoken = language(text)
    lines, firm = [*typed], [*typed]  # with the corrections of the lines above; without declarations that are guessed
    read, told, sure, kept = _sparingly(read, spoken), list[str](), True, list[ModelError]()
    for k, error in enumerate(errors):
        if len(kept) >= MOST and not sure:  # nobody is shown the rest
            kept += errors[k:]
            break
        left = error if firm == typed else _left_of(error, firm, read)
        if left is None:
            continue
        error = left
        kept.append(error)
        error.place = error.place or _about(error, typed)
        if error.place is not None:
            line = lines[error.place.line - 1] = typed[error.place.line - 1]
            right, shown, of_paper = _right(error, _narrowed(line, error.place, error.near), lines, read, spoken,
                                           guesses)
            sure &= of_paper
            told.append(f"{error.where}: is read as {shown.strip()}")
            lines[error.place.line - 1] = right or line
            if not isinstance(error, NotDeclared):
                firm[error.place.line - 1] = right or line
    errors = kept
    model, wrong, _ = read("\n".join(lines)) if sure and told else (Model(), errors, set[int]())
    if wrong and {e.line for e in wrong}.isdisjoint(e.line for e in errors):  # an expression's are told one by one
        try:
            model, wrong = mended(wrong, "\n".join(lines), read, guesses), []
        except ModelError as further:
            errors = [*errors, further, *further.others]
    if wrong:
        errors[0].others = errors[1:]
        raise errors[0]
    for note in told:
        model.remark(note)
    return model


def _left_of(error: ModelError, lines: Sequence[str], read: Callable[[str], Read]) -> ModelError | None:
    """What is still wrong with the line of an error where those above it are corrected; None where nothing is."""
    _, wrong, unbuilt = read("\n".join(lines))
    here = [e for e in wrong if e.line == error.line]
    if not here:
        return error if error.line in unbuilt else None
    return error if any([e.message == error.message for e in here]) else here[0]


def _right(error: ModelError, place: Place, lines: Sequence[str], read: Callable[[str], Read],
           spoken: Language | None, guesses: bool) -> tuple[str, str, bool]:
    """The corrected line of an error, to be read and as the error shows it, and whether it only says what is written as
    on paper."""
    line, short = lines[place.line - 1], sum(map(len, lines)) <= _LONGEST
    if short and isinstance(error, ShapeError) and any(c.isdigit() for c in line):
        error.instead = [*named_sizes(read("\n".join(lines))[0].sizes), *error.instead]
    if isinstance(error, (SyntaxProblem, NameProblem)) and (
            _OVER_AN_INDEX.search(line) or "sum" in line or "prod" in line):  # of one alone
        error.instead += _SUMS
    ways = [(_on_paper, more) for more in range(2 * _MOST)] + [(partial(_meant, spoken), k) for k in range(_MOST + 1)]
    tried = ((right, meant) for meant, more in ways for right in _corrected(error, place, lines, read, meant, more, {})
             if _counts_all(line, right, place, lines, read, guesses))
    right, way = next(tried, ("", None))
    right = without_marks(right)
    right = right.replace("·", "*") if "\\" in line else right  # which \cdot of numbers is
    shown = _with_signs(right, place, lines, read)
    other = shown.rstrip() not in ("", line.rstrip())  # a line that one above mends is none
    said = shown.rstrip() if shown.strip() == line.strip() else shown.strip()  # of one that is indented
    error.shown = [*_marked(line, place), *([f"{said}   corrected"] if other else [])]
    return right, shown, way is _on_paper and other


def _with_signs(right: str, place: Place, lines: Sequence[str], read: Callable[[str], Read]) -> str:
    """The corrected line with a sign wherever a product has none."""
    if tree.BESIDE not in right:
        return right
    model, *_ = _put(right, place, lines, read)
    signs = {there.start: sign for there, sign in model.products.items() if there.line == place.line}

    def sign(found: re.Match[str]) -> str:
        behind = min((start for start in signs if start > found.end()), default=0)
        return f" {signs.get(behind, '*')} "

    return _BESIDE.sub(sign, right)


def _on_paper(error: ModelError, line: str) -> list[Meant]:
    """What may be meant that has one meaning, as on paper; in code a missing sign is a slip."""
    if _CODE.search(line):
        return []
    turned = [product_with_turned] * isinstance(error, SyntaxProblem)
    sums = _OVER_AN_INDEX.search(line) is not None  # nothing is multiplied with these
    known = [text for text in error.instead if text in _SUMS or isinstance(text, OnPaper) or text in _ON_PAPER]
    return [*turned, *[text for text in known if (text in _SUMS) == sums]]


def _meant(spoken: Language | None, error: ModelError, line: str) -> list[Meant]:
    """What may be meant: what the error knows, and what on paper and in other languages is written with other signs."""
    if spoken is not None and spoken.has_products:
        return [partial(_in_language, meant) for meant in _meant(None, error, line)]
    if not isinstance(error, (SyntaxProblem, NameProblem)):
        return [*error.instead, *[times_bars] * ("|" in line)]
    first = [commented] * (_OTHER_COMMENTS.search(line) is not None) + [product_with_turned]
    others = [expected] * ("E[" in line) + [in_reals] * ("R" in line) + [log_of_det] * ("det" in line)
    others += [positive] * ("_+" in line) + [times_bars] * ("|" in line)
    turned = [as_on_paper] * (_TRANSPOSED.search(line) is not None)
    return [*first, *error.instead, *others, *turned]


def _in_language(meant: Meant, line: str, place: Place) -> str:
    """A corrected line with the products and transposes of Matlab's and Julia's."""
    right = meant(line, place) if callable(meant) else place.put(line, meant.replace("…", place.cut(line)[1]))
    return right if "@" in line else right.replace(".T", "'").replace(" @ ", " * ")


def _about(error: ModelError, lines: Sequence[str]) -> Place | None:
    """Where on its line the first word stands that an error quotes; all of the line where it quotes none."""
    if not 0 < error.line <= len(lines):
        return None
    line = lines[error.line - 1].partition("#")[0].rstrip()
    quoted = (re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line) for word in re.findall(r"'(\w+)'", error.message))
    found = next(filter(None, quoted), None) or re.search(r"\S.*", line)
    return None if found is None else Place(error.line, found.start() + 1, found.end() + 1)


def _sparingly(read: Callable[[str], Read], spoken: Language | None) -> Callable[[str], Read]:
    """The reader of a text, as long as it has not read too much, and in the language that the text is in: what is
    another one's means something else on other lines."""
    left, known = _BUDGET, dict[str, Read]()

    def again(text: str) -> Read:
        nonlocal left
        if text not in known:
            left -= len(text)
            same = spoken == language(text) or {spoken, language(text)} == {None, PYTHON}
            known[text] = read(text) if left > 0 and same else (Model(), [], {*range(text.count("\n") + 2)})
        return known[text]

    return again


def _narrowed(line: str, place: Place, near: str) -> Place:
    """Where in a place the word stands that an error is about."""
    word = re.search(rf"\b{re.escape(near)}\b", place.cut(line)[1]) if near.isidentifier() else None
    if word is None:
        return place
    return place._replace(start=place.start + word.start(), end=place.start + word.end())


def _marked(line: str, place: Place) -> list[str]:
    """The part of a line around a place, below it a mark."""
    first = 0 if place.end <= _WIDEST else max(place.start - 1 - _WIDEST // 4, 0)
    shown = line[first : first + _WIDEST].expandtabs(1)
    left, right = place.start - 1 - first, min(place.end - 1 - first, len(shown))
    lead = len(shown) - len(shown.lstrip())
    return [shown[lead:], " " * (left - lead) + "^" * max(right - left, 1)]


def _corrected(error: ModelError, place: Place, lines: Sequence[str], read: Callable[[str], Read],
               meant: Callable[[ModelError, str], list[Meant]], more: int, seen: dict[str, int]) -> Iterator[str]:
    """The lines with what may be meant that nothing is wrong with, here and in ``more`` places to the right; ``seen``
    are lines that were tried, and with how many."""
    short = sum(map(len, lines)) <= _LONGEST
    line = lines[place.line - 1]
    texts = meant(error, line) if short else []
    before, there, after = place.cut(line)
    braces = there.startswith("{") and "}" in after and ":" not in after  # no dict nor block
    latex = there.startswith("\\") or (braces and (before[-1:] in "_^" or meant is not _on_paper))
    if latex:
        before, after, texts = "", "", _without_latex(line, place, meant is _on_paper)
    for text in texts:
        right = before + text.replace("…", there) + after if isinstance(text, str) else text(line, place)
        if isinstance(error, NotDeclared) and isinstance(text, str) and text in error.instead[:1]:  # of all such names
            right = re.sub(rf"(?<!\w){re.escape(there)}(?!\w)", text, line)
        narrow = len(right) <= _WIDEST or isinstance(text, Declared)
        if seen.get(right, -1) >= more or not (latex or narrow):
            continue
        seen[right] = more
        others = [right if k == place.line else old for k, old in enumerate(lines, 1)]
        _, wrong, unbuilt = read("\n".join(others)) if narrow else (None, [error], set[int]())
        missing = () if isinstance(error, NoResult) else NoResult  # which is no matter of this line
        left = [e for e in wrong if e.line == error.line and not isinstance(e, missing)]
        if not left and error.line not in unbuilt:
            yield right
        elif more and left and left[0].place is not None and (latex or _follows(error, left[0]) or (
                left[0].place.start >= min(place.start, _first_change(line, right)) and right != line)):
            yield from _corrected(left[0], _narrowed(right, left[0].place, left[0].near), others, read, meant, more - 1,
                                  seen)


def _counts_all(line: str, right: str, place: Place, lines: Sequence[str], read: Callable[[str], Read],
                guesses: bool) -> bool:
    """Whether the sums of a corrected line are of what those of a line in LaTeX are of."""
    if not says_how_many(right, line):
        return True
    return same_entries(right, line, _put(without_marks(right), place, lines, read)[0], guesses)


def _put(right: str, place: Place, lines: Sequence[str], read: Callable[[str], Read]) -> Read:
    """The text with a corrected line, read."""
    return read("\n".join([right if k == place.line else old for k, old in enumerate(lines, 1)]))


def _first_change(line: str, other: str) -> int:
    """The first column where two lines differ."""
    return next((k for k, (a, b) in enumerate(zip(line, other, strict=False), 1) if a != b), len(line) + 1)


def _without_latex(line: str, place: Place, sure: bool) -> list[Meant]:
    """What a line of LaTeX may mean; of a very long one nothing. Only where that need not be ``sure`` is an angle all
    that stands behind its function."""
    if len(line) > 10 * _WIDEST:
        return []
    line = line if "\\" in line else with_commands(line)
    real = in_reals(line if sure else with_angles(line), place)
    written = (plain_latex(text, capitals, rows, entries) for entries in (ALL, FIRST, GREEKS) for rows in (True, False)
               for text in (real, with_means(real)) for capitals in (True, False))
    return [*dict.fromkeys([*written, solved(line, place)])]


def _with_sums(capitals: bool, line: str, place: Place) -> str:
    """The line with sums over an index as sums of whole arrays; as it is where there is none."""
    return indexed_sums(line, capitals)


_SUMS: list[Meant] = [partial(_with_sums, capitals) for capitals in (True, False)]
_ON_PAPER = (power_behind, TIMES, without_prose, *WITHOUT_ARGUMENTS)
_CODE = lazy(r"\*\*|\b[A-Za-z]\w*\.[a-z]\w*\(|^\s*return\b")
_OVER_AN_INDEX = lazy(OVER_AN_INDEX)


def _follows(error: ModelError, other: ModelError) -> bool:
    """Whether another mistake is only told when one is mended: a name behind one of signs, what may mean two things."""
    later = _told_at(other) - _told_at(error)
    return later == 1 or (later > 1 and not isinstance(other, ShapeError))


def _told_at(error: ModelError) -> int:
    """When a mistake is told: names are looked up where all of a line is read, shapes where all names are known."""
    return 0 if isinstance(error, SyntaxProblem) else 1 if isinstance(error, NameProblem) else 2


@uncollected()
def parse(text: str, name: str | None = None, path: str | None = None, relu0: Any = None,
          define: Mapping[str, str] | None = None) -> Model:
    """The model that a text declares.

    ``path`` is how errors call the text; its stem is the model's name when neither ``name`` nor the header gives one.
    ``relu0`` overrides the text's convention; ``define`` says what abstract functions are, by name. Raises a
    `ModelError` that names the line; its ``others`` are the further errors of the text.
    """
    if not isinstance(text, str):
        raise UsageError(f"model text is a string, not {text!r:.60}")
    where = path or "<text>"
    model, errors, _ = _read(text, where, name or "", relu0, define)
    if errors:
        _offer_declarations(errors, text)
        return mended(errors, text, lambda other: _read(other, where, name or "", relu0, define))
    return model


def _offer_declarations(errors: Sequence[ModelError], text: str) -> None:
    """What is not declared may be meant as it would be guessed, if not as a name that is much like it, or a sum."""
    missing = [error for error in errors if isinstance(error, NotDeclared)]
    statements = parse_statements(text)[0] if missing and len(text) <= _LONGEST else ()
    repeated = {s.line for loop in tree.loops(statements) for s in tree.flat(loop.body)}  # would declare at each step
    missing = [e for e in missing if e.line not in repeated and not SUM_OVER.fullmatch(e.near)]
    near = {error.place: error.instead[0] for error in missing if error.instead and isinstance(error.instead[0], str)}
    like = {part.name: tree.Name(near[part.place]) for part in tree.inside(statements)
            if isinstance(part, tree.Name) and part.place in near} if near else {}
    whole = guessed_declarations(statements) if missing else ""
    others = guessed_declarations(tree.with_values(statements, partial(tree.put, found=like))) if like else whole
    for error in missing:
        found = whole if error.place in near else others
        place = next((k for k, meant in enumerate(error.instead) if callable(meant)), len(error.instead))
        error.instead = [*error.instead[:place], *[Declared(found)] * bool(found), *error.instead[place:]]


@record(frozen=True)
class Declared:
    """The line with declarations in front of it."""

    declarations: str

    def __call__(self, line: str, place: Place) -> str:
        return f"{line[: len(line) - len(line.lstrip())]}{self.declarations}; {line.lstrip()}"


@roomy
def _read(text: str, where: str, name: str, relu0: Any,
          define: Mapping[str, str] | None) -> Read:
    """The model of a text as far as it can be read, what is wrong with the rest, and which lines that hides."""
    try:
        with located(where):
            statements, errors, unread = parse_statements(text)
    except ModelError as whole:  # of all of it
        return Model(), [whole], set()
    header = read_header(text)
    for error in errors:
        error.at(f"{where}:{error.line}")
    stated = conventions(statements, where, errors).get("relu0", 0)
    model = Model(
        _plain_name(name or header.name or _stem(where)),
        summary=header.summary,
        source=header.source,
        tags=header.tags,
        relu0=stated if relu0 is None else relu0,
    )
    model.notes += header.notes
    builder = Builder(model, where, statements, define, errors, unread)
    builder.run()
    if not builder.errors:
        model.example = _example(header.example, where)
    return model, builder.errors, builder.unbuilt


def parse_alone(text: str, relu0: Any = None, define: Mapping[str, str] | None = None) -> Model:
    """The model that an expression is, alone or behind equations with ``;`` between them: what is not declared is
    guessed, and stands in the model's ``remarks``. Raises a `ModelError`."""
    typed = text.strip()
    typed = typed if _PROGRAM.search(text) else _of_letters(_GLUED.sub(_apart, _ALIGNED.sub(_lines_of, typed)))
    numbers = numbers_on_paper(typed)
    model, errors, _ = _alone(typed, relu0, define, numbers)
    if errors:
        return mended(errors, typed, lambda other: _alone(other, relu0, define, numbers), guesses=True)
    return model


def _apart(letter: re.Match[str]) -> str:
    """A letter with a blank behind it, but where it has other components; σμ, which is no value of σ, as a product."""
    if letter[0] in _FUNCTIONS and letter.string[letter.end()] not in "xyz":
        return f"{letter[0]}{tree.BESIDE}"
    return letter[0] if re.search(rf"(?<![^\W\d]){letter[0]}[yz]\b", letter.string) else f"{letter[0]} "


_ALIGNED = lazy(r"\\begin\s*\{(align|aligned|gather|gathered|split|equation|eqnarray)\*?\}(.*?)\\end\s*\{\1\*?\}",
                re.DOTALL)


def _lines_of(found: re.Match[str]) -> str:
    """The equations of ``\\begin{aligned} … \\end{aligned}`` on lines of their own, as sentences end or not."""
    lines = found[2].replace("&", "").split("\\\\")
    return "\n".join(line.strip().rstrip(",.") for line in lines if line.strip())


# letters that stand together outside of words; in LaTeX a name of several has a font
_LETTERS = lazy(r"\\(?:text|math(?:rm|sf|tt)|operatorname|begin|end|tag|label)\*?\s*\{[^{}]*\}|\\[A-Za-z]+"
                r"|_\s*\{[^{}]*\}|(?<![A-Za-z0-9_.\"'])([A-Za-z]{2})(?![A-Za-z0-9(.'\"])")
_HALF_OF = lazy(r"[¼½¾⅐-⅞]\w+[²³]")  # ½mv²
_LATEX, _TYPESET = lazy(r"\\[A-Za-z]{2,}|\\\|"), lazy(r"[‖½Σ∑∏√ᵀ⊤⟨]|\|\|")
_OF_CODE = lazy(r"@|\*|\b[A-Za-z]\w*\.[A-Za-z]\w*\(|==")


def _of_letters(text: str) -> str:
    """Text of a paper with its products of letters apart: ``X w`` for Xw. In LaTeX no name is two letters long;
    elsewhere some are, such as Wx beside Wh, and those without a capital."""
    latex = _LATEX.search(text) is not None
    if _OF_CODE.search(text) or not (latex or _TYPESET.search(text)):
        return text
    words = [found[1] for found in _LETTERS.finditer(text) if found[1]]
    firsts = [word[0] for word in dict.fromkeys(words)]

    def apart(found: re.Match[str]) -> str:
        word = found[1]
        a_name = word is None or word[0] == "d" or meant(word, ()) is not None or word in (*GREEK, *FUNCTIONS, *TABLE)
        a_name = a_name or (not latex and (word.islower() or firsts.count(word[0]) > 1))
        a_name &= _HALF_OF.search(text, found.start() - 1, found.end() + 1) is None
        return found[0] if a_name else f"{word[0]} {word[1]}"

    return _LETTERS.sub(apart, text)


@roomy
def _alone(typed: str, relu0: Any, define: Mapping[str, str] | None, numbers: Collection[str]) -> Read:
    """The model of an expression as far as it can be read, what is wrong with it, and which lines that hides."""
    model = Model("expression", relu0=0 if relu0 is None else relu0)
    if re.search(_PROSE, typed):
        return model, [ModelError("words are not multiplied", "<expression>", line=1)], set()
    doubt = doubtful(typed)
    if doubt is not None:
        return model, [doubt.at("<expression>")], set()
    try:
        with located("<expression>"):
            statements, note = guessed(typed, numbers)
    except ModelError as error:
        error.line = error.place.line if error.place is not None else error.line or 1
        plain = readable(typed)
        other = "* …" if _TRANSPOSED.search(plain) else None if _OF_ARRAYS.search(plain) else product_of_matrices
        error.instead = [t for t in error.instead if t != other]  # numbers, if nothing says more
        return model, [error.at("<expression>")], set()
    builder = Builder(model, "<expression>", statements, define, guesses=True)
    builder.run()
    guess = ", ".join(declarations(model)) or "nothing has to be declared"
    model.remark(f"guessed: {guess}{note}", first=True)
    for wrong in builder.errors[:1]:
        wrong.message += f"; guessed was {guess}" if isinstance(wrong, ShapeError) else ""
    return model, builder.errors, builder.unbuilt


def parse_expression(text: str, model: Model, names: dict[str, Node] | None = None) -> Node:
    """The row that a formula over the model's names (and further ``names``) computes."""
    return Evaluator(ModelScope(model, names)).row(one_formula(text))


def _stem(path: str) -> str:
    return "model" if path.startswith("<") else re.split(r"[/\\]", path)[-1].removesuffix(".sbp")


def _plain_name(name: str) -> str:
    """A model's name as it can stand in a file name and in a comment."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:80] or "model"


def _example(text: str, where: str) -> dict[str, object]:
    if not text:
        return {}
    try:
        return read_values(text)
    except ModelError as error:
        raise ModelError(f"in the example values: {error.message}", where) from None


__all__ = ["declarations", "parse", "parse_alone", "parse_expression", "read_values", "to_text"]
