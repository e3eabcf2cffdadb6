"""Characters to tokens: a whitelist. What is not listed here does not get into a model.

A logical line is one statement: brackets left open join the next physical line, comments and empty lines are dropped.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import takewhile
from operator import attrgetter
from typing import NamedTuple

from symbackprop.errors import Meant, ModelError, NameProblem, OnPaper, Place, SyntaxProblem
from symbackprop.model.names import check_name
from symbackprop.model.text.characters import readable
from symbackprop.model.text.meant_lines import (
    combined_conditions,
    conditional,
    factorial,
    inner_product,
    inverse,
    left_out,
    negated,
    number_behind,
    opposite,
    outer_product,
    power_behind,
    power_of_angles,
    product_of_matrices,
    raised_inverse,
    reciprocal,
    solved,
    times_below,
    with_point,
)
from symbackprop.model.text.tree import BESIDE
from symbackprop.model.text.wrapping import GOES_ON, unwrapped
from symbackprop.patterns import lazy

NAME, NUMBER, STRING, SIGN, END = "name", "number", "string", "sign", "end of line"
TEXT, KIND = attrgetter("text"), attrgetter("kind")  # of a token
MAX_TEXT = 4_000_000
MAX_NUMBER = 60

_PATTERN = r"""[ \t]+|(?<=\w)\.(?=\()|\.(?=[<>&|!]|==)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*PRIMES)
    | (?P<number>(?:[0-9]+(?:\.(?!\.|T\b)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?![A-Za-z_]))?)
    | (?P<string>"[^"]*"|(?:(?<=[(,=\[{])|(?<=[(,=:{]\ )|(?<=in\ )|(?<=[(\[\ ]f))'[^']*'|(?<=[\ \t])'[^']*'(?=\s*:\ ))
    | (?P<sign>\.\.\.|\.\.|\*\*|//|[-<>=!+*/@~]=|MORE\.T(?![A-Za-z0-9_])|\.(?=_?[A-Za-z])|(?<=super\(\))\.
               |(?<=,\ self\))\.|\|\|
               |[-+*/%@^'()\[\],:;=<>‖|SIGNS])
    | (?P<comment>\#.*)"""
_PRIMES = r"(?:[′″‴]+(?=\())?"  # f′(z), the derivative of an abstract function
# dicts, with keys or without, signs with a dot, those of R's, and A \ b
_DICT = r"(?<=[=,(\ ])\{\}|\{(?=\s*[\"'])|(?:(?<=[=(,]\ )|(?<=[=(]))\{(?=\s*$)|\}(?=\s*(?:[,)\]}.\[\#]|$))|"
_NOTHING = _DICT + r"&&|\.[-+*/^](?!=)|%(?:\*|o|in|/)?%|(?<=[\w)\]']\ )\\(?=\ )|(?<=[\w)\]'])\\(?=\()|"
_PLAIN = lazy(_PATTERN.replace("MORE", _NOTHING).replace("SIGNS", f"ᵀ×·&~{BESIDE}")
                    .replace("PRIMES", _PRIMES), re.VERBOSE)
_FORGIVING = lazy(_PATTERN.replace("MORE", r":=|").replace("SIGNS", r"{}~&.!$\\⊗").replace(r"\|\||", "")
                        .replace("PRIMES", ""), re.VERBOSE)
_FACTOR = lazy(r"(?!x[A-Z0-9]|[eE][0-9]|[eEjJ]\b)[A-Za-z]\w*")  # no shape 2x3, no power of ten, no complex number
_BOUND = lazy(r"(?:[/@^]|\*\*)[\s+-]*$")
_OPENING, _CLOSING = "([{", ")]}"
_BRACKETS = frozenset(_OPENING + _CLOSING)

_HINTS = {
    "{": "braces are only used inside notation strings",
    "!": "the comparison is !=, the opposite of a condition is 1 - a, and the factorial is factorial(n)",
    "|": "log|K| is logdet(K), and conditions are combined with maximum(a > 0, b > 0)",
    "√": "what stands under it takes brackets: √(2*x), or √(2)*x",
    "⁻": "A⁻¹ is inv(A), the inverse matrix, or 1/A, of every entry",
    "\\": "a line goes on inside brackets, without a backslash, and A \\ b of Matlab's is solve(A, b)",
    "⊗": "it may be outer(a, b), kron(a, b) or a * b: write which", "⟨": "⟨a, b⟩ is sum(a * b)",
    "¬": "the opposite of a condition is 1 - a",
    '"': "the string is not closed; strings take one pair of double quotes on one line",
}


class Token(NamedTuple):
    """One token; ``column`` counts from 1 and is 0 where a token stands for what was typed otherwise."""

    kind: str
    text: str
    line: int = 1
    column: int = 0

    def is_sign(self, *signs: str) -> bool:
        return self.kind == SIGN and self.text in signs

    @property
    def where(self) -> Place | None:
        """Where it stands; None for one that stands for what was typed otherwise."""
        return self.to(self)

    def to(self, last: Token) -> Place | None:
        """From here to the end of another token; to the end of this one where that is on another line."""
        if not self.column:
            return None
        end = self.column + len(self.text)
        beyond = last.column + len(last.text) if last.column and last.line == self.line else 0
        return Place(self.line, self.column, end if end > beyond else beyond)

    def problem(self, message: str, instead: str | Sequence[Meant] = ()) -> SyntaxProblem:
        """The error to raise about this token, and what should stand there."""
        return problem(message, self.line, self.text, self.where, instead)


class Line(NamedTuple):
    """A logical line: where it starts, its indentation, and its tokens with an END at the end."""

    number: int
    indent: str
    tokens: tuple[Token, ...]


def body_of(lines: Sequence[Line], head: int) -> list[Line]:
    """The lines below a head that stand deeper than it does."""
    return [*takewhile(lambda line: len(line.indent) > len(lines[head].indent), lines[head + 1 :])]


TOO_DEEP = "the formulas are nested too deeply: name a part of them"


def problem(message: str, line: int, near: str = "", place: Place | None = None,
            instead: str | Sequence[Meant] = ()) -> SyntaxProblem:
    """The error to raise for a line, about what is ``near``, where that stands, and what should stand there; whoever
    knows the file's name puts it in front."""
    return SyntaxProblem(message, line=line, near=near, place=place, instead=instead)


def physical_lines(text: str) -> list[str]:
    """The lines of a text with any line ending, without a byte order mark and what stands around them."""
    return _lines(text)[0]


def notes_on_lines(text: str) -> Mapping[int, str]:
    """What is told of what stands around the lines, by the number of the first such line."""
    return _lines(text)[1]


@lru_cache(maxsize=4)  # of one text they are asked for several times
def _lines(text: str) -> tuple[list[str], Mapping[int, str]]:
    if len(text) > MAX_TEXT:
        raise problem(f"the text has {len(text)} characters; at most {MAX_TEXT} are read", 1)
    return unwrapped(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def logical_lines(text: str, errors: list[ModelError] | None = None) -> Iterator[Line]:
    """The statements of a text, as tokens. What is wrong is raised; with ``errors`` it is put there, and the line left
    out."""
    pending: list[Token] = []
    open_brackets: list[Token] = []
    indent, quoted = "", 0
    lines = physical_lines(text)
    for number, written in enumerate(lines, 1):
        quoted = quoted if quoted >= number or pending else _last_quoted(lines, number)
        if quoted >= number:  # text about a function, which says nothing
            continue
        raw, continued = readable(written).removesuffix(";"), 0  # as Matlab's lines end
        if "\\" in raw or "..." in raw:
            raw, continued = GOES_ON.subn(r"\1", raw)
        if not pending:
            indent = raw[: len(raw) - len(raw.lstrip(" \t"))]
        try:
            _refuse_invisible(written, number)
            tokens = _tokens(raw, number, before="".join(map(TEXT, pending[-3:])))
            _match_brackets(tokens, open_brackets)
        except ModelError as error:
            _put(error, errors)
            pending, open_brackets, tokens = [], [], []
        pending += tokens
        if pending and not open_brackets and (not continued or number == len(lines)):
            for statement in _statements(pending):
                yield Line(statement[0].line, indent, ended(statement))
            pending = []
    if open_brackets:
        _put(_never_closed(open_brackets), errors)


def _put(error: ModelError, errors: list[ModelError] | None) -> None:
    if errors is None:
        raise error
    errors.append(error)


def _never_closed(brackets: Sequence[Token]) -> ModelError:
    closing = "".join(_CLOSING[_OPENING.index(token.text)] for token in reversed(brackets))
    return brackets[-1].problem(f"the {brackets[-1].text!r} is never closed",
                                (lambda line, place: line.rstrip() + closing,))


def _last_quoted(lines: Sequence[str], number: int) -> int:
    """The number of the line that ends a text between three quotes which begins on one; 0 where none does."""
    quotes = lines[number - 1].lstrip()[:3]
    if quotes not in _QUOTES:
        return 0
    if lines[number - 1].count(quotes) > 1:
        return number
    return next((k for k, line in enumerate(lines[number:], number + 1) if quotes in line), 0)


_QUOTES = ('"""', "'''")


def _statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """What stands between ``;``, but behind the colon of a loop, where all of it belongs to the loop."""
    if ";" not in map(TEXT, tokens) or tokens[0].text == "for":
        yield tokens
        return
    part, depth = list[Token](), 0
    for token in [*tokens, Token(SIGN, ";")]:
        depth += token.is_sign(*_OPENING) - token.is_sign(*_CLOSING)
        if depth or not token.is_sign(";"):
            part.append(token)
        elif part:
            yield part
            part = []


def forgiving_tokens(text: str) -> list[Token]:
    """The tokens of one line as people write it: brackets of every kind, signs that model text has not, 2x as 2 and x.

    What they mean is for the reader to say, and `refuse_foreign` refuses what is left of them.
    """
    return [token._replace(column=0) for token in _tokens(text, 1, _FORGIVING)]


def refuse_foreign(tokens: Iterable[Token]) -> None:
    """Refuse the signs that only forgiving tokens have."""
    for token in tokens:
        if token.kind == SIGN and _PLAIN.fullmatch(token.text) is None:
            raise token.problem(_complaint(token.text))


def ended(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens of a line with its end."""
    last = tokens[-1]
    return (*tokens, Token(END, "", last.line, last.column + len(last.text)))


def _tokens(raw: str, number: int, pattern: re.Pattern[str] = _PLAIN, before: str = "") -> list[Token]:
    """The tokens of a line, which goes on behind what stands ``before``."""
    tokens, place = list[Token](), 0
    for match in pattern.finditer(raw):
        start, end = match.span()
        if start != place:
            break
        place, kind = end, match.lastgroup
        if kind is None or kind == "comment":
            continue
        tokens.append(_token((kind, match.group(), number, start + 1)))
        if kind == NUMBER:
            if end - start > MAX_NUMBER:
                raise problem(f"the number {match.group()[:12]}… has more than {MAX_NUMBER} characters", number)
            if pattern is _PLAIN and _check_number(raw, match, number, before):
                tokens.append(Token(SIGN, "*", number))
    if place < len(raw):
        raise _unreadable(raw, place, number, f" at column {place + 1}" if pattern is _PLAIN else "")
    return tokens


_token: Callable[[tuple[str, str, int, int]], Token] = partial(tuple.__new__, Token)  # in half the time of Token(…)


def _unreadable(raw: str, place: int, number: int, where: str) -> ModelError:
    """What is wrong with a character that begins no token."""
    command = re.match(r"\\([A-Za-z]+)", raw[place:])
    end = place + (command.end() if command else 1)
    letter = unicodedata.normalize("NFKC", raw[place])
    meant = _MEANT.get(raw[place], letter if letter.isascii() and letter.isalnum() else "")
    there = Place(number, place + 1, end + 1)
    return problem(_complaint(raw[place:], where), number, raw[place:end], there, meant)


def _check_number(raw: str, match: re.Match[str], number: int, before: str) -> bool:
    """A number ends where its digits end: no hexadecimals, no units, no complex numbers. Whether it is a factor of the
    name behind it, as in 2x: nothing before it may bind it more strongly."""
    rest = _GLUED.match(raw, match.end())
    if rest is None:
        return False
    bound, product = _bound(before, raw, match.start()), f"{match.group()}*{rest.group()}"
    factor = match.group() != "0" and _FACTOR.fullmatch(rest.group()) is not None
    if factor and bound is None:
        return True
    word = Token(NUMBER, match.group() + rest.group(), number, match.start() + 1)
    if factor and bound is not None:
        raised = re.match(r"\s*(?:\^|\*\*)\s*(?:\w+|\([^()]*\))", raw[match.end() + len(rest.group()) :])
        power = raised.group() if raised is not None else ""
        word, product = word._replace(text=word.text + power), product + power
        ways = (product, f"({product})") if "/" not in bound.group() else (f"({product})", product)  # x^2 y, 1/(2 N)
        raise word.problem(f"{word.text[:20]} behind {bound.group().strip()} is ({product}) or {product}: write which",
                           (raised_inverse, *ways))
    raise _no_number(word, match.group(), rest.group(), raw[match.end() :])


_GLUED = lazy(r"\w+|\.T\b")


def _no_number(word: Token, digits: str, rest: str, behind: str) -> ModelError:
    """What is wrong with digits that go on as a word, the rest of which is no name."""
    if word.text[:2].lower() in ("0x", "0b", "0o"):
        return word.problem(f"{word.text[:20]} is not a decimal number; numbers are written as 12, 0.5 or 1e-5")
    raised = re.match(r"[eE][+-]?\d+(?=[A-Za-z_])", behind)
    if raised is not None:
        literal = digits + raised.group()
        times: tuple[Meant, ...] = (lambda line, place: line.replace(literal, f"{literal}*", 1),)
        return word.problem(f"a * is missing behind {literal}", times)
    if re.fullmatch(r"(?:_\d+)+", rest):  # 1_000
        return word.problem(f"digits of a number stand together: {word.text[:20].replace('_', '')}",
                            word.text.replace("_", ""))
    meant = f"{digits} x {rest[1:]}" if re.fullmatch(r"x[A-Z0-9]\w*", rest) else ""
    hint = f"; did you mean {meant} ?" if meant else ""
    return word.problem(f"{word.text[:20]} is neither a number nor a name{hint}", meant)


def _bound(before: str, raw: str, place: int) -> re.Match[str] | None:
    """The operator in front of a place, signs and blanks between them, that binds more strongly than a product."""
    start = place
    while start and raw[start - 1] in " \t+-":
        start -= 1
    return _BOUND.search((before if start < 2 else "") + raw[max(start - 2, 0) : place])


def partner(tokens: Sequence[Token], places: range, deeper: Container[str], higher: Container[str], none: int) -> int:
    """Where the bracket ends that begins at the first of these places, be they counted up or down; ``none`` where it
    never does."""
    depth = 0
    for k in places:
        depth += tokens[k].kind == SIGN and tokens[k].text in deeper
        if tokens[k].kind == SIGN and tokens[k].text in higher:
            depth -= 1
            if depth == 0:
                return k
    return none


def _match_brackets(tokens: list[Token], stack: list[Token]) -> None:
    for token in [token for token in tokens if token.text in _BRACKETS]:
        if token.text in _OPENING:
            stack.append(token)
        else:
            if not stack or _OPENING.index(stack[-1].text) != _CLOSING.index(token.text):
                raise token.problem(_complaint("}", f" at column {token.column}") if token.text == "}" else
                                    f"{token.text!r} at column {token.column} closes nothing", (left_out,))
            stack.pop()


def _complaint(rest: str, where: str = "") -> str:
    """Why the character that ``rest`` begins with cannot be there."""
    char = rest[0]
    if char == ".":
        return "a dot is only used in numbers, in ranges 1..T and in .T; there are no attributes"
    if re.match(r"\\[A-Za-z|,;:{}]", rest):
        return "this LaTeX is not read: write a name, as in alpha, and functions and signs as in NumPy"
    hint = _HINTS.get(char)
    if hint is None and not char.isascii():
        plain = unicodedata.normalize("NFKC", char)
        hint = f"it looks like {plain!r}; names are plain ASCII" if plain.isascii() and plain.strip() else None
    verb = "used" if where else "read"
    return f"the character {describe(char)}{where} cannot be {verb}" + (f": {hint}" if hint else "")


def describe(char: str) -> str:
    """A character so that it can be recognised, even when it cannot be seen."""
    if char.isascii() and char.isprintable():
        return repr(char)
    name = unicodedata.name(char, "control character" if ord(char) < 160 else "unnamed")
    shown = f" {char!r}" if char.isprintable() else ""
    return f"U+{ord(char):04X} {name}{shown}"


def _refuse_invisible(raw: str, number: int) -> None:
    """Control, zero-width and direction-changing characters, even in comments: what is read is what is there."""
    if raw.isascii() and raw.replace("\t", "").isprintable():
        return
    for column, char in enumerate(raw, 1):
        if char != "\t" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            raise problem(f"the invisible character {describe(char)} at column {column} is not allowed", number,
                          place=Place(number, column, column + 1))


_MEANT: Mapping[str, Sequence[Meant]] = {  # what may be meant by signs that mean nothing here
    "?": (conditional,), "!": (opposite, factorial), "⁻": (inverse, reciprocal),
    "\\": (solved,), "⊗": (outer_product,), "⟨": (inner_product,), "¬": (negated,),
}


# -- a place in the tokens of a line
PYTHON_WORDS = frozenset(keyword.kwlist)
class Cursor:
    """A place in the tokens of one logical line."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens, self.depth, self.bars = tokens, 0, 0  # bars that are open
        self.go(0)

    def go(self, place: int) -> None:
        self.place, self.now = place, self.tokens[place]

    @property
    def before(self) -> Token:
        return self.tokens[max(self.place - 1, 0)]

    def since(self, first: Token) -> Place | None:
        """The place from a token up to here; None where tokens have none."""
        return first.to(self.before)

    @property
    def after(self) -> Token:
        return self.tokens[min(self.place + 1, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.now
        if token.kind != END:
            self.go(self.place + 1)
        return token

    def at(self, *signs: str) -> bool:
        return self.now.text in signs  # no name, number or string is written as one

    def accept(self, *signs: str) -> Token | None:
        return self.take() if self.now.text in signs else None

    def expect(self, sign: str, why: str) -> Token:
        if not self.at(sign):
            closes = sign in (",", ")", "]", "|", "||", "‖")
            instead: Sequence[Meant] = (sign,) if self.now.kind == END else ()
            if self.at("|", "||"):
                instead = (combined_conditions,)
            missing = closes and self.begins_a_value()
            instead = self._products() if missing else instead
            hint = ", or a * or an @ before the next" if missing else ""
            raise self.unexpected(f"expected {sign!r} {why}{hint}", instead=instead)
        return self.take()

    def _products(self) -> tuple[Meant, ...]:
        """What may be missing here: a product, as on paper, unless it may be meant otherwise."""
        over = self._start(self.place)
        matrix = any(t.kind == NAME and t.text[0].isupper() for t in (self.tokens[over], self.now))
        sure = self.now.kind != NUMBER and not self._may_bind_more(self._last(self.place))
        below = not sure and self.tokens[max(over - 1, 0)].is_sign("/") and self.now.kind == NAME and not (
            self.after.is_sign("(", "[", ".", ".T", "^", "**"))
        both: list[Meant] = [partial(times_below, self.tokens[over].column)] * below
        both += [product_of_matrices] * matrix
        return power_behind, power_of_angles, raised_inverse, *[OnPaper(f"{BESIDE}…")] * sure, *both, "* …"

    def _last(self, end: int) -> int:
        """Where the brackets or the token begin that end at a place."""
        last = self.tokens[end - 1]
        if last.is_sign("‖", "|", "||"):
            return next((k for k in range(end - 2, -1, -1) if self.tokens[k].text == last.text), end - 1)
        closed = last.is_sign(*_CLOSING)
        return partner(self.tokens, range(end - 1, -1, -1), _CLOSING, _OPENING, 0) if closed else end - 1

    def _start(self, end: int) -> int:
        """Where the factor begins that ends at a place, with what is called, transposed or raised."""
        start = self._last(end)
        before = self.tokens[start - 1] if start else self.tokens[start]
        called = self.tokens[start].is_sign(*_OPENING) and before.kind == NAME
        if start and (called or self.tokens[start].is_sign(".T", "'", "ᵀ")):
            return self._start(start)
        return self._start(start - 1) if start > 1 and before.is_sign("^", "**") else start

    def _may_bind_more(self, start: int) -> bool:
        """Whether the product with a factor that begins at a place may be what the sign in front of it is of: 1/a b,
        x/2 y, S^-1 w, √½x; not 1/2 x, 1/(2 s) x, nor 1/N Σᵢ yᵢ."""
        if start == 0:
            return False
        before, factor = self.tokens[start - 1], self.tokens[start : self.place]
        number = all(token.kind == NUMBER or token.is_sign("(", "/", ")") for token in factor)
        glued = self.now.column == self.before.column + 1 and factor[0].is_sign("(") and number
        over = max(self._start(self.place) - 1, 0)  # where 1 / 2 of 1/2 x has its sign
        behind, one = self.tokens[max(over - 2, 0)], self.tokens[over - 1]
        averaged = len(factor) == 1 and re.match(r"sum(?![a-z])", self.now.text) is not None
        half = (number or averaged) and one.kind == NUMBER and not behind.is_sign("^", "/", "**")
        half = half or (before.is_sign("/") and factor[0].is_sign("("))  # 1/(2 s) x
        return (self.tokens[over].is_sign("/") and not half) or (
            before.is_sign("-") and self.tokens[max(start - 2, 0)].is_sign("^", "**")) or (
            glued and not before.is_sign("+", "-", "=", "(", ","))

    def begins_a_value(self) -> bool:
        return (self.now.kind in (NAME, NUMBER) and self.now.text not in PYTHON_WORDS) or self.at("(", "‖")

    def word(self, why: str) -> Token:
        if self.now.kind != NAME:
            raise self.unexpected(f"expected {why}", instead=(number_behind,) if self.now.kind == NUMBER else ())
        return self.take()

    def declared(self, why: str) -> str:
        """A name that this line gives to something; what is wrong with it is told here, not where it is read."""
        token = self.word(why)
        try:
            return check_name(token.text)
        except NameProblem as error:
            instead = f": {self._with(token, token.text + '_')}" if token.text in PYTHON_WORDS else ""
            other = [token.text + "_"] if instead else [] if token.text.strip("_") else ["k", "i", "step"]
            raise NameProblem(f"{error.message} (column {token.column}){instead}", line=token.line, place=token.where,
                              instead=other) from None

    def _with(self, token: Token, text: str) -> str:
        """The line of a token, with another text for it."""
        line = ""
        for other in self.tokens:
            if other.line == token.line:
                added = len(text) - len(token.text) if other.column > token.column else 0
                line = line.ljust(other.column - 1 + added) + (text if other is token else other.text)
        return line.strip()

    def finish(self, after: str) -> None:
        if self.now.kind == END:
            return
        if self.at(",") and (self.before.kind, self.after.kind) == (NUMBER, NUMBER):
            raise self.unexpected("a number has a point, and no comma", named=True, instead=(with_point, left_out))
        missing = after == "the formula" and self.begins_a_value()
        combines = self.at("|", "||", "&", "&&")
        hint = "; is a * or an @ missing before it?" if missing else f"; {_HINTS['|']}" if combines else ""
        instead = self._products() if missing else (combined_conditions, "* …") if combines else ()
        if self.at(","):  # of nothing more, or of another equation
            instead = (left_out,) if self.after.kind == END else (";",)
        raise self.unexpected(f"unexpected {found(self.now)} after {after}{hint}", named=True, instead=instead)

    def typed_since(self, place: int) -> str:
        """What stands from a place on up to here, as it was typed."""
        line, first = "", self.tokens[place].column
        for token in self.tokens[place : self.place]:
            line = line.ljust(token.column - first) + token.text
        return line

    def unexpected(self, message: str, named: bool = False, instead: Sequence[Meant] = ()) -> SyntaxProblem:
        """An error at the current token."""
        tail = "" if named else f", found {found(self.now)}"
        place = "" if self.now.kind == END or not self.now.column else f" at column {self.now.column}"
        return self.now.problem(message + tail + place, instead or (("*",) if self.at("×") else ()))


def found(token: Token) -> str:
    """A token as an error message names it."""
    text = token.text if len(token.text) <= 30 else token.text[:30] + "…"
    text = text.rstrip("@<?") or text if token.kind == SIGN else text  # what a sign means in its language
    return "the end of the line" if token.kind == END else text if token.kind == STRING else f"{text!r}"
