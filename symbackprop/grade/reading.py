"""The text of one answer: which quantity its left side names, its right sides as trees. Nothing is evaluated yet."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

from symbackprop.core.names import PLACE, text_index, text_name
from symbackprop.core.shapes import dim, same
from symbackprop.errors import ModelError, NameProblem, SyntaxProblem
from symbackprop.grade.lines import Line
from symbackprop.grade.naming import SHARE, Dictionary, Gradient, Local, Meaning
from symbackprop.grade.python import UPDATES, branch_of, updated
from symbackprop.grade.slips import (
    CLOSING,
    OPENING,
    Tidy,
    Tokens,
    closing,
    derivative,
    joined,
    opening,
    sign,
    split,
    subscripts,
    unseen,
)
from symbackprop.grade.tree_text import unparsed
from symbackprop.grade.typeset import is_typeset, printed
from symbackprop.model.text import tree
from symbackprop.model.text.characters import MARKS, RAISED_ORDER, ROOT, plain
from symbackprop.model.text.expressions import expression, formula_of, size
from symbackprop.model.text.statements import KEYWORDS
from symbackprop.model.text.tokens import NAME, Cursor, Token, ended, forgiving_tokens, refuse_foreign

_DECLARATION = re.compile(rf"\s*({'|'.join(k for k in KEYWORDS if k != 'for')})\s+[A-Za-z]")
_RESTATED = re.compile(  # W = params["W"], N = X.shape[0], W -= 0.1 * dW
    r"""\s*(\w+)\s*=\s*(?:[\w.]+\[["']\1["']\]|[\w.]+\.\1|len\(\w+\)|\w+\.(?:shape\[-?\d\]|size\(-?\d\)))\s*$"""
    r"""|\s*(?:\w+\[["'])?(?=\w+(?:["']\])?\s*-=)(\w+)"""
)
_SIZE_OF = re.compile(r"\s*(\w+)\s*=\s*(?:len\()?(\w+)(?:\)|\.shape\[(-?\d)\]|\.size\((-?\d)\))\s*")
_GROUPED = re.compile(r"\\partial \(([^()]+)\)(?=_)")  # \partial (a^{[1]})_{i}, whose entries are meant
_DOTTED = re.compile(r"%\*%|(?<=[A-Za-z_)\]'\s])\.(?=[-+*/^](?!=))|(?<=\w\d)\.(?=[-+*/^](?!=))")  # of R's, of Julia's
_LOSSES = ("L", "J", "E", "Loss", "loss", "f")


@dataclass(frozen=True)
class Target:
    """What a line defines: a gradient, a local derivative, or (``meaning`` None) a name of the person's own.

    ``index`` are the tokens between [ and ] where a loop counter may stand, ``entry`` those of the entry of an array
    that the line fills. ``restated`` says that the line repeats an equation of the model.
    """

    text: str
    meaning: Meaning | None
    name: str
    index: tuple[Token, ...] = ()
    entry: tuple[Token, ...] = ()
    restated: bool = False


@dataclass
class Answer:
    """One line as read.

    ``forms`` are the right sides of ``a = b = c``, of which the last one counts; ``reads`` is that one as model text.
    ``adds`` is true for ``+=`` and ``-=``, ``rereads`` where the line says what its name holds by what it held before,
    ``updates`` where it does so in place; ``turned`` says that the left side is a transpose, ``entrywise`` that * is ⊙.
    ``letters`` are the index letters of an answer entry by entry, dW[i,j] = …, ``entry`` is where in an array the line
    puts its value.
    ``juxtaposed`` says that no product is marked as a matrix product, ``error`` why the line could not be read.
    """

    number: int
    text: str
    target: Target | None = None
    forms: tuple[tree.Expr, ...] = ()
    index: tree.Expr | None = None
    reads: str = ""
    adds: bool = False
    rereads: bool = False
    updates: bool = False
    turned: bool = False
    entrywise: bool = False
    letters: str = ""
    entry: tuple[tree.Expr, ...] = ()
    juxtaposed: bool = True
    notes: list[str] = field(default_factory=list)
    meanings: dict[str, Meaning] = field(default_factory=dict)
    error: ModelError | None = None


class Reader:
    """Reads lines one by one; own names have to be announced by `read_left` before right sides are read."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._sides: dict[int, list[Tokens]] = {}

    def is_answer(self, line: Line) -> bool:
        """Whether a line is an answer at all: declarations copied from the model are not, nor what takes the model's
        own arrays and sizes under their names, nor a step of an optimiser."""
        restated = _RESTATED.match(line.text)
        words = self.dictionary
        known = restated is not None and (restated[1] in words.known or restated[2] in words.reference.targets)
        known = known and not _is_another_size(line.text, words)
        return line.loop is None and not known and not _DECLARATION.match(line.text)

    def read_left(self, line: Line, inside: bool) -> Answer:
        """The line, perhaps one ``inside`` a loop, with its left side; its error where it has none."""
        answer = Answer(line.number, line.text)
        try:
            _refuse_branches(line)
            text = line.text
            if is_typeset(text):
                text = printed(_GROUPED.sub(r"\\partial \1", text), self.dictionary)
            answer.entrywise = "⊙" in text or ".*" in text
            text, notes = ascii_text(text, self.dictionary.known | self.dictionary.counters)
            sides, mark = _sides(forgiving_tokens(_DOTTED.sub(lambda sign: "@" * (sign[0] == "%*%"), text)))
            answer.notes += notes
            left = self._update(answer, subscripts(sides[0], self.dictionary), sides, mark)
            while len(left) > 1 and left[-1].is_sign(".T", "'"):
                left, answer.turned = left[:-1], not answer.turned
            left, answer.letters = without_letters(_bare(left), self.dictionary, sides[-1], inside)
            answer.target = read_target(left, self.dictionary, answer.notes)
            if answer.target.entry and not answer.adds:
                answer.rereads = answer.updates = True
            self._sides[id(answer)] = sides[1:]
            if answer.target.meaning is None and not answer.target.restated:
                self.dictionary.own.add(answer.target.name)
        except ModelError as error:
            answer.error = error
        return answer

    def _update(self, answer: Answer, left: Tokens, sides: list[Tokens], mark: str) -> Tokens:
        """The left side; of a line that changes what a name holds the name, its right side being what it holds then."""
        changed = updated(left, sides[-1], mark, self.dictionary)
        answer.updates = changed is not None
        if changed is not None:
            left, sides[-1] = changed
            self.dictionary.take({x.text for x in left} & self.dictionary.rows - set(self.dictionary.reference.targets))
        else:
            answer.adds = mark in ("+=", "-=")
            sides[-1] = [sign("-"), sign("("), *sides[-1], sign(")")] if mark == "-=" else sides[-1]
        answer.rereads = len(left) == 1 and left[0] in [x._replace(column=0) for x in sides[-1]]
        return left

    def read_right(self, answer: Answer) -> None:
        """The right sides, now that all names are known."""
        if answer.error is not None or answer.target is None:
            return
        try:
            if answer.target.index:
                answer.index = _tree(Tidy(self.dictionary).run(list(answer.target.index)), size)
            if answer.target.entry:
                whole = _tree(Tidy(self.dictionary).run([Token(NAME, "d"), sign("["), *answer.target.entry, sign("]")]))
                answer.entry = whole.items if isinstance(whole, tree.Index) else ()
            forms = [self._form(side, answer) for side in self._sides.pop(id(answer))]
            answer.forms = tuple([f for f in forms[:-1] if not _says_itself(f, answer)] + forms[-1:])
        except ModelError as error:
            answer.error = error

    def _form(self, items: Tokens, answer: Answer) -> tree.Expr:
        answer.juxtaposed = not any(x.is_sign("@") for x in items)
        tokens, words = self._tidied(items, answer)
        form = tree.renamed(_tree(tokens), words)
        form = tree.Transpose(form) if answer.turned else form
        answer.reads = unparsed(form)
        return form

    def _tidied(self, items: Tokens, answer: Answer) -> tuple[Tokens, dict[str, str]]:
        """The tokens of model text, and the words in them that stand for derivatives."""
        tidy = Tidy(self.dictionary, answer.letters)
        tokens = tidy.run(items)
        answer.notes += [n for n in tidy.notes if n not in answer.notes]
        answer.meanings |= tidy.meanings
        return tokens, tidy.words


def _is_another_size(text: str, words: Dictionary) -> bool:
    """Whether ``D = X.shape[0]`` gives a dimension of the model the size of another one."""
    model, found = words.reference.model, _SIZE_OF.fullmatch(text)
    row = model.graph.names.get(found[2]) if found is not None and found[1] in model.sizes else None
    if found is None or row is None:
        return False
    axis = int(found[3] or found[4] or 0)
    return -row.ndim <= axis < row.ndim and not same(row.shape[axis], dim(found[1]))


def _says_itself(form: tree.Expr, answer: Answer) -> bool:
    """Whether a part of ``δ_h = ∂L/∂h = …`` only says what the left side stands for."""
    assert answer.target is not None
    return isinstance(form, tree.Name) and answer.meanings.get(form.name) == answer.target.meaning is not None


def _tree(items: Tokens, read: Callable[[Cursor], tree.Expr] = expression) -> tree.Expr:
    """A formula, or with `size` an index."""
    if not items:
        raise SyntaxProblem("there is nothing right of the =")
    refuse_foreign(items)
    return formula_of(ended(items), read)


def _refuse_branches(line: Line) -> None:
    """What Python does only under a condition has no one formula."""
    if line.under:
        raise SyntaxProblem(f"it holds only under a condition, {line.under.rstrip(': ')}", near=line.text)
    if branch := branch_of(line.text):
        case = "write the case that holds, or where(condition, a, b)"
        instead = "a loop is for t in range(T):" if branch == "while" else case
        raise SyntaxProblem(f"{branch} … : cannot be read: {instead}", near=branch)


def _sides(items: Tokens) -> tuple[list[Tokens], str]:
    """The parts between the = signs that are not inside brackets, and the first such sign."""
    places = list(_equals(items))
    if not places:
        raise SyntaxProblem("there is no = : a line is dw = formula")
    bounds = [-1, *places, len(items)]
    return [items[a + 1 : b] for a, b in pairwise(bounds)], items[places[0]].text


def _equals(items: Tokens) -> Iterator[int]:
    depth = 0
    signs = ("=", ":=", *UPDATES)
    signs = signs if any(x.is_sign(*signs) for x in items) else (":", "==")
    for k, token in enumerate(items):
        depth += token.is_sign(*OPENING) - token.is_sign(*CLOSING)
        if depth == 0 and token.is_sign(*signs):
            yield k


# -- left sides


def read_target(items: Tokens, dictionary: Dictionary, notes: list[str]) -> Target:
    """The target of the tokens left of the =. Raises `NameProblem` or `SyntaxProblem`."""
    items = _bare(items)
    text = joined(items)
    if own := unseen(items, 0, dictionary):
        items = [Token(NAME, own), *items[3:]]
    if not items:
        raise SyntaxProblem("there is nothing left of the =")
    if any(x.is_sign("/") for x in items):
        return _fraction(text, items, dictionary)
    word, rest = _word(items, dictionary)
    if index := _indices(rest):
        return _indexed(text, word, index, dictionary, notes)
    if rest:
        raise SyntaxProblem(f"{text} is no name: a line is dw = …, dL/dw = …, delta_z = … or a name of your own")
    return _plain(text, word, dictionary, notes)


def _indices(items: Tokens) -> Tokens:
    """What stands between the brackets of ``[i, j]`` or ``[i][j]``; nothing where it is anything else."""
    found: Tokens = []
    place = 0
    while place < len(items):
        if not items[place].is_sign("["):
            return []
        end = closing(items, place)
        found += [*([sign(",")] if found else []), *items[place + 1 : end]]
        place = end + 1
    return found


def _bare(items: Tokens) -> Tokens:
    """Without $, outer brackets and a sign for "at this point"."""
    items = [x for x in items if not x.is_sign("$", ";", "\\")]
    while len(items) > 2 and items[0].is_sign("(") and closing(items, 0) == len(items) - 1:
        items = items[1:-1]
    return items


def _fraction(text: str, items: Tokens, dictionary: Dictionary) -> Target:
    """``dL/dw2``, ``do/da``, ``dL/dh[t]``."""
    found = derivative(items, 0, dictionary)
    if found is None or found[2] != len(items):
        raise NameProblem(f"{text} is no derivative of names in the model")
    meaning, indices, _ = found
    if isinstance(meaning, Local) and indices:
        raise NameProblem(f"{text}: steps of local derivatives stand right of the =")
    index = tuple(x for part in indices for x in part)
    return Target(text, meaning, meaning.row if isinstance(meaning, Gradient) else text, index)


def without_letters(items: Tokens, words: Dictionary, right: Tokens, inside: bool) -> tuple[Tokens, str]:
    """What ``dW[h,k]``, ``db_k`` or ``dL/dq_i`` gives the entries of, and the index letters; no letters elsewhere. A
    name of one's own has them, ``a_ni``, where they are indices of the ``right`` side too; among others they may be
    counters, ``a_tj``, where no loop is around."""
    if not items or not items[-1].is_sign("]"):
        base, _, letters = items[-1].text.rpartition("_") if items and items[-1].kind == NAME else ("", "", "")
        of_step = not base and len(items) > 1 and items[-2].is_sign("]")
        bare, whole = [*items[:-1], *([] if of_step else [Token(NAME, base)])], _gradient_of(items, words)
    else:
        start = opening(items, len(items) - 1)
        letters, bare, whole = "".join([joined(x) or "?" for x in split(items[start + 1 : -1])]), items[:start], None
    counts = words.counters if inside or len(letters) < 2 else set()
    taken = (words.known - words.derived | words.own | words.loops) - words.counters | counts
    if not bare[-1:] or whole or not (letters.islower() and letters.isalpha()) or set(letters) & taken:
        return items, ""
    of = _gradient_of(bare, words)
    bare = _bare(bare)
    hidden = unseen(bare, 0, words)
    named = bare[2:] if hidden else bare
    counted = named[0].text.startswith("later_") or any(x.text in words.counters | words.loops for x in named[2:])
    step = named[-1].is_sign("]") and counted
    row = words.reference.rows.get(words.reference.last_step(of.row) if step else of.row) if of else None
    told = hidden.startswith("delta_")  # of what a line introduces
    one = len(bare) == 1 and bare[0].text not in ("", "delta", "d")
    indexed = {*letters} <= _letters_of(right, taken)
    own = of is None and (step or told or (one and (items[-1].is_sign("]") or indexed)))
    rows = row is not None and len(letters) < row.ndim and indexed  # da_i, row by row
    fits = row is not None and (rows or len(letters) in (row.ndim, sum(d != 1 for d in row.shape)))
    return (bare, letters) if own or fits else (items, "")


def _letters_of(items: Tokens, taken: Collection[str]) -> set[str]:
    """The letters that may be indices: those of ``x_ni``, ``c[i, n]``, and not in names that are ``taken``."""
    names = [x.text for x in items if x.kind == NAME and x.text not in taken]
    return {letter for word in names for letter in (word if len(word) == 1 else word.rpartition("_")[2])}


def _gradient_of(items: Tokens, words: Dictionary) -> Gradient | None:
    """The gradient that these tokens name, if they do."""
    try:
        meaning = read_target(items, words, []).meaning
    except ModelError:
        return None
    return meaning if isinstance(meaning, Gradient) else None


def _word(items: Tokens, dictionary: Dictionary) -> tuple[str, Tokens]:
    """One word from what may be several tokens: ``w2.grad``, ``grad(w2)``, ``nabla w2``, ``d w2``."""
    texts = [x.text for x in items]
    if texts[1:] == [".", "grad"] or texts[1:] == [".", "gradient"]:
        return f"d{texts[0]}", []
    if len(items) == 4 and texts[0] in ("grad", "nabla", "gradient") and texts[1] == "(" and texts[3] == ")":
        return f"d{texts[2]}", []
    if len(items) >= 2 and texts[0].rstrip("_") in ("grad", "nabla", "delta", "d") and items[1].kind == NAME:
        return f"d{texts[1]}", _without_loss(items[2:], dictionary)
    if items[0].kind == NAME and len(items) == 2 and items[1].kind == NAME:
        return texts[0], _without_loss(items[1:], dictionary)
    if items[0].kind != NAME:
        raise SyntaxProblem(f"{texts[0]} is no name")
    return texts[0], items[1:]


def _without_loss(items: Tokens, dictionary: Dictionary) -> Tokens:
    """``nabla_w2 L`` names the loss behind."""
    return [] if len(items) == 1 and items[0].text in (*_LOSSES, *dictionary.losses) else items


def _indexed(text: str, word: str, index: Tokens, dictionary: Dictionary, notes: list[str]) -> Target:
    """``dh[t]`` of a family, or of an array that is filled; the index is evaluated when its loop runs."""
    if word in dictionary.filled:
        return replace(_plain(text, word, dictionary, notes), entry=tuple(index))
    gradient = dictionary.gradient(word, indexed=True)
    if gradient is not None and gradient.row in dictionary.bases:
        return Target(text, gradient, gradient.row, tuple(index))
    return Target(text, None, word, tuple(index))


def _plain(text: str, word: str, dictionary: Dictionary, notes: list[str]) -> Target:
    if word in dictionary.own:
        return Target(text, None, word)
    if word not in dictionary.known:
        gradient = dictionary.gradient(word)
        return Target(text, gradient, word if gradient is None else gradient.row)
    row = dictionary.reference.rows.get(word)
    if row is not None and word in dictionary.reference.targets:
        notes.append(f"{word} = … is read as d{word} = …")
        return Target(text, Gradient(word), word)
    if row is None:
        raise NameProblem(f"{word} is a dimension of the model and cannot be given a value")
    return Target(text, None, word, restated=True)


# -- characters that people type and paste, as the ASCII that model text is written in


_GLUED = re.compile(r"([ᵀ⊤])(?=\w)")  # Xᵀδ
_NORM = re.compile(r"\|\|([^|]+)\|\|")
_AMOUNT = re.compile(r"(?<!\|)\|([^|]+)\|(?!\|)")
_TRANSPOSED = re.compile(r"\^\s*(?:T\b|\{\s*(?:T|\\top|\\intercal)\s*\}|⊤|ᵀ|\\top\b)")


def ascii_text(text: str, known: Collection[str] = ()) -> tuple[str, list[str]]:
    """The text in ASCII and what was changed on the way, said once each. A ``~`` is a product that may be either kind.

    ``known`` are the names of the model: they are read as they print, and where T is one, ``^T`` is a power. Raises
    `SyntaxProblem` for a character without meaning.
    """
    notes: list[str] = []
    text = _spelled_out(_named(unicodedata.normalize("NFC", text), frozenset(known)), known)
    text = _GLUED.sub(r"\1 ", RAISED_ORDER.sub(r"\2\1", _NORM.sub(r"‖\1‖", text)))
    text = _AMOUNT.sub(r"abs(\1)", text)
    if "T" not in known and _TRANSPOSED.search(text):
        text = _TRANSPOSED.sub(".T", text)
    return plain(text, notes), list(dict.fromkeys(notes))


def _named(text: str, known: frozenset[str]) -> str:
    """The text with the model's names in place of how they print: Σ is a name where the model has a Sigma."""
    pattern, names = _printed(known)
    return text if text.isascii() or not names else pattern.sub(lambda m: names[m.group()], text)


@lru_cache(maxsize=64)
def _printed(known: frozenset[str]) -> tuple[re.Pattern[str], dict[str, str]]:
    """What finds printed names in a text, and the name that each stands for; only those that stand for one."""
    printed = [(text_name(name), name) for name in known if name.isidentifier()]
    times = Counter(shown for shown, _ in printed)
    names = {shown: name for shown, name in printed if times[shown] == 1 and not shown.isascii()}
    longest = sorted(names, key=len, reverse=True)
    return re.compile(f"(?:{'|'.join(map(re.escape, longest))})(?![\\w{''.join(MARKS)}])"), names


# -- what derivations print and people rarely type: 1_N×D, reshape_N×D(a), Σ_n,t, padding 1

_SIZE = r"(?:\([^()]*\)|[A-Za-z0-9₀-₉²³]+)"
_SHAPE = rf"{_SIZE}(?:×{_SIZE})*"
_FILL = re.compile(rf"(?<![\w.₀-₉])([01])_({_SHAPE})")
_RESHAPE = re.compile(rf"\breshape_({_SHAPE})\(")
_TRANSPOSE = re.compile(r"\btranspose_(\d+)\(")
_SUMS = re.compile(r"([Σ∑])_([^\W\d][₀-₉]*(?:,[^\W\d][₀-₉]*)+|[i-n]{2,3})(?!\w)")
_OPTION = re.compile(r", (axis|padding|stride|step) ([−-]?\d+|\([^()]*\))")
_WORD = rf"[\w{''.join(MARKS)}]+"
_LATER = re.compile(  # what later steps of a loop hand back
    rf"(?:δ_|\(?[∂d]\w+/[∂d])(?:({_WORD}{PLACE}*)|\{{(\w+_\{{\w+\}})\}})\)?\^later")
_AT = re.compile(r"(\([^()]*\))_(?:\{(\w) ?= ?([^{},]+)\}|(\w) ?= ?([A-Za-z0-9]+))")  # of all steps (δ_hₜ₋₁^later)_t=1
_STEPS = r"(\w) ?= ?(\w+), ?(?:…|\.\.\.), ?([^{}()]+)"
_STACK = re.compile(  # all steps of an array
    rf"\(((?:[^\s()]|\([^()]*\)){{1,99}})(?:\)_\{{{_STEPS}\}}| for {_STEPS}\))")
_STEP = re.compile(r"\((δ_\w+)\)_(\w)\b")  # one step of what reads a stack outside of its loop
_ELEMENT = re.compile(r"(δ_\w+|\([∂d]\w+/[∂d]\w+\))\[(\w)(?:,(\w(?:,\w)*))?\]")  # the same, beside steps as they print
_SHARE = re.compile(r"\(([∂d]\w+/[∂d]([^\W_]\w*))(\[[\w,]+\])?\)_(\w)\b")  # what one step contributes, or an entry
_TRUTH = re.compile(r"(?<![\w.₀-₉\])])1\[([^\[\]<>=≤≥≠!]*)\]")


_TURNED = re.compile(r"⁻ᵀ|\^\s*[({]?\s*[-−]\s*(?:ᵀ|⊤|\\top\b|T\b)\s*[)}]?")  # A⁻ᵀ, A^{-T}
_INVERSE = re.compile(r"([^\W\d]\w*ᵀ?)\s*(?:⁻¹|\^\(-1\))(?=\[)")  # A⁻¹[i,j]
_FLOOR = re.compile(r"⌊([^⌊⌋]*)⌋")
_MODULO = re.compile(r"(\w+) mod (\w+|\([^()]*\))")
_ENTRY = re.compile(r"\b(\w+)\[\s*(['\"])(\w+)\2\s*\]")  # grads['W1'], params["W1"]
_SUBSCRIPTED = re.compile(r"'([A-Za-z, .]*->[A-Za-z. ]*)'")  # what einsum is told


def _entry(match: re.Match[str]) -> str:
    """An array that is kept under its name; the gradient of it where what keeps it holds gradients."""
    word = match[3]
    return f"grad_{word}" if re.match(r"d?_?grad|dparam|d_", match[1]) and not word.startswith(("d", "grad")) else word


def _element(match: re.Match[str], text: str) -> str:
    """``δ_h[t]`` or ``δ_h[t,n,i]``, where t counts steps in the text, as what indexes the whole of δ_h."""
    lowered = text_index(match[2])
    if lowered not in text or not lowered.isalpha():
        return match[0]
    return f"stacked({match[1]})[{match[2]}]" + (f"[{match[3]}]" if match[3] else "")


def _spelled_out(text: str, known: Collection[str]) -> str:
    """The text with printed notation spelled out."""
    text = _SUBSCRIPTED.sub(r'"\1"', _ENTRY.sub(_entry, text.replace("self.", "")))
    text = _FILL.sub(lambda m: f"{('zeros', 'ones')[int(m[1])]}({_sizes(m[2])})", text)
    text = _RESHAPE.sub(lambda m: f"reshape_to(({_sizes(m[1])},), ", text)
    text = _TRANSPOSE.sub(lambda m: f"transpose_to(({_places(m[1])},), ", text)
    text = _SUMS.sub(lambda m: " ".join(f"{m[1]}_{x}" for x in (m[2].split(",") if "," in m[2] else m[2])), text)
    text = _STACK.sub(_stack, text)
    text = _ELEMENT.sub(lambda m: _element(m, text), text)
    text = _SHARE.sub(lambda m: _share(m, known), text)
    text = _AT.sub(_at, text)
    text = _LATER.sub(r"later_\1\2", _STEP.sub(r"stacked(\1)[\2]", text))
    text = _INVERSE.sub(r"(\1^(-1))", _TURNED.sub("ᵀ⁻¹", text))
    text = _MODULO.sub(r"remainder(\1, \2)", _FLOOR.sub(r"floor(\1)", _TRUTH.sub(r"(\1 != 0)", text)))
    return ROOT.sub(r"√(\1)", _OPTION.sub(r", \1=\2", text))


def _share(match: re.Match[str], known: Collection[str]) -> str:
    """``(∂L/∂W_ij)_t``, what a step contributes to an entry; without a counter it is an entry of a gradient."""
    of, step = match[2], match[4]
    base, _, letters = of.rpartition("_")
    if step not in known:
        return f"({match[1]})[{step}]"
    whole = not base or of in known or of in map(text_name, known)  # W_h of Wh, not an entry of W
    name, entry = (of, match[3] or "") if whole else (base, f"[{', '.join(letters)}]")
    return f"{SHARE}{name}_{step}{entry}"


def _stack(match: re.Match[str]) -> str:
    """All steps of an array, beside each other."""
    value, counter, first, last = [x for x in match.groups() if x is not None]
    return f"(stack_{{{counter}={first}}}^({last}) ({value}))"


def _at(match: re.Match[str]) -> str:
    """One step alone, as the sum from it to it."""
    step = match[3] or match[5]
    return f"(sum_{{{match[2] or match[4]}={step}}}^({step}) {match[1]})"


def _places(digits: str) -> str:
    """Axes in their order; without a 0 among them they are counted from 1."""
    first = 0 if "0" in digits else 1
    return ", ".join([str(int(d) - first) for d in digits])


def _sizes(shape: str) -> str:
    return shape.replace("×", ", ")
