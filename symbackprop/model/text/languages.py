"""Languages that count from 1: which one a text is in, and what its products, sums, entries and variances are here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache, partial
from itertools import compress
from typing import TypeGuard

import sympy as sp

from symbackprop.core.functions.words import MODULES
from symbackprop.core.shapes import is_one
from symbackprop.errors import NameProblem
from symbackprop.model.text import foreign, lambdas, tree
from symbackprop.model.text.calls import callee
from symbackprop.model.text.spellings import OTHERWISE, WHY_NOT, calls_of, spelled
from symbackprop.model.text.tokens import NAME, NUMBER, SIGN, Line, Token, physical_lines
from symbackprop.patterns import lazy
from symbackprop.records import record


def _pattern(text: str) -> re.Pattern[str]:
    return lazy(text, re.VERBOSE | re.MULTILINE)


class Signs:
    """A pattern whose alternatives each hold one of some ``words``: a text without any, as most model text is, is not
    searched place by place."""

    def __init__(self, words: str, pattern: str) -> None:
        self.words, self.pattern = words.split(), pattern

    def found(self, text: str) -> bool:
        some = any([word in text for word in self.words])
        return some and re.search(self.pattern, text, re.VERBOSE | re.MULTILINE) is not None


@record(frozen=True)
class Language:
    """What tells it, alone or beside signs with a dot; what is told of a line that is read by it; whether its * is the
    matrix product, sums go down the columns, z[-2] is all but the second entry, V[3] of a matrix is the third one down
    its columns; and what stands behind signs of powers."""

    name: str
    letter: str  # in the table of spellings
    says: str
    signs: Signs
    with_dots: re.Pattern[str]
    has_products: bool = True
    sums_down: bool = False
    leaves_out: bool = False
    counts_down: bool = field(default=True, compare=False)
    of_powers: str = ""


_NEVER = _pattern(r"(?!)")
_DOTTED = Signs(".- .+ .* ./ .^", r"\b[A-Za-z_]\w*\.[-+*/^] | [)\]'\s]\.[-+*/^](?!\.)")
_TURNED, _LAST = Signs("' [", r"[\w)\]]'(?!\w) | =\ ?\[\w+\ +\w+[\ \];]"), _pattern(r";[ \t]*$")  # together Matlab's
_ENDED = _pattern(r"^[ \t]*end;?[ \t]*$")  # a block
# of Python and model text, not of R
_OF_PYTHON = r"\*\*|[\w)\]]\ ?@\ ?\w|\b(?:axis|dim|keepdims)=|\.T\b|\[:|:\]|\b(?:def|data|param)\ "
_FROM_ONE, _PRODUCTS = "counts entries from 1", "* is the matrix product"
R, JULIA, MATLAB, EITHER = _LANGUAGES = (
    Language(
        "R", "R", f"{_FROM_ONE} and leaves out those with a minus, var divides by n - 1, and norm of a matrix is its "
        "largest sum of a column",
        Signs("<- %*% %o% [ function",
              r"^[ \t]*(?:(?:loss|output)[ \t]+)?[A-Za-z][\w.]*(?:\[[^\[\]]*\])?[ \t]*<- | %\*% | %o% | \w\[\s*, | "
                 rf"(?s:\A(?!.*(?:{_OF_PYTHON})).*?)\w\[[^\[\]\n]*,[ \t]*\] | (?:<-|=)\s*function\s*\("), _NEVER,
        has_products=False, leaves_out=True),
    Language(
        "Julia", "J", f"{_FROM_ONE}, {_PRODUCTS}, and var divides by n - 1",
        Signs("dims .( .- .+ abs2",
              r"(?<![.\w])(?:sum|mean|prod|maximum|minimum|std|var|cumsum|cumprod)\([^\n]{0,200}?[,;]\s*dims\s*=\s*[1-9]"
                 r" | \w\.\( | [A-Za-z_\])]\d{0,3}\.[-+][^*/^] | \babs2\( | \(abs2,\s*(?![-\d]|\w+\s*=)"),
        _pattern(r"[\w)\]'\s]\.[-+]\s | \w\[ | ^[ \t]*function\s+\w+\(")),
    Language(
        "Matlab", "M", f"{_FROM_ONE}, {_PRODUCTS}, sums, means and the like go down the columns, and var divides by "
        "n - 1",
        Signs("[ (: :) @( numel bsxfun",
              r"\[\s*\]\s*,\s*[12]\) | \w\(:[,)] | ,\s*:\) | [=(,]\s*@\(\w | (?<![.\w])numel\( | \bbsxfun\("),
        _pattern(r";[ \t]*$ | \bsum\(sum\( | \b(?:sum|mean|prod|std|var)\(\w+,\s*[12]\) | \w\(\d+: | :end\) | "
                 r"\b[a-z]\(\d+\)"),
        sums_down=True, of_powers=tree.FROM_LEFT),
    Language("Matlab or Julia", "D", f"{_FROM_ONE}, and {_PRODUCTS}", Signs("", ""), _pattern(""),
             of_powers=tree.FROM_EITHER),
)
_LIBRARIES = Signs("np. numpy. torch. tf. math. F. nn. import from",
                   r"(?<![.\w])(?:(?:np|numpy|jnp|torch|tf|math)\.\w | F\.[a-z]\w*\( | nn\.[A-Z]\w*\() | "
                   r"^[ \t]*(?:import|from)\s+(?:numpy|scipy|torch|jax|math|tensorflow)\b")
PYTHON = Language("Python", "P", "", Signs("def import from", r"^[ \t]*(?:def|import|from)\s"), _NEVER,
                  has_products=False, counts_down=False)
# strings, whose marks are no transposes, and comments
_APART = lazy(r"\"[^\"]*\"|'''(?s:.*?)'''|(?<![\w)\]}'.])'[^'\n]*'|#.*|^[ \t]*%.*", re.MULTILINE)
_OURS = _pattern(r"[\w)\]']\s*@\s*[\w(]")
# what is one of a square matrix in Julia, without a dot
_FUNCTIONS = "exp log sqrt sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh"
_OF_SQUARE = frozenset(_FUNCTIONS.split())
_ALL = tree.Slice(None, None, None)
_COLUMN: tuple[tree.Expr, ...] = (_ALL, tree.Word(None))
_TRUTHS = {"T": tree.Name("TRUE"), "F": tree.Name("FALSE")}
_JOINED = "c"
_MOST_LEFT_OUT = 20
_LISTS = (_JOINED, "stack", foreign.BESIDE, foreign.BELOW, foreign.LISTED)
# axes that are known with the array: the columns of a matrix, their pairs, its rows; of a vector all; what is of all in
# one language and of the columns in another
_PAIRS, _ROWS, _EITHER_WAY = map(tree.String, ("pairs", "rows", "either"))
_END, _BEGIN = tree.Name("end"), tree.Name("begin")
_SIZES = lazy(r"length|size|numel|nrow|ncol")  # what R, Matlab and Julia call them


@lru_cache(maxsize=4)  # of one text it is asked for several times
def language(text: str) -> Language | None:
    """The language that a text has signs of, in its lines as they are typed or read; Python where functions of its
    libraries are called, whatever else looks so; None of model text, whose products have an @."""
    typed = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    read = physical_lines(text)
    ended = _ENDED.search("\n".join(typed)) is not None
    both = dict.fromkeys("\n".join(lines) for lines in (compress(typed, read), filter(None, read)))  # one of most
    text = "\n".join(_APART.sub("", lines) for lines in both)
    if _LIBRARIES.found(text):
        return PYTHON
    dotted = _DOTTED.found(text) or ended
    found = next((each for each in _LANGUAGES if each.signs.found(text) or (dotted and each.with_dots.search(text))),
                 MATLAB if _TURNED.found(text) and _LAST.search(text) else None)
    found = PYTHON if found is None and PYTHON.signs.found(text) else found
    return None if found in _LANGUAGES[1:] and _OURS.search(text) else found


# -- what signs mean in it
def with_its_signs(lines: list[Line], spoken: Language | None) -> None:
    """Put signs in the lines for those that mean something else in a language: of products of arrays, and of entries
    in round brackets; and a name for ``lambda``, which is none in Python."""
    if spoken is None or spoken is PYTHON:
        return
    counters = {line.tokens[1].text for line in lines if line.tokens[0].text == "for"}
    arrays = counters | foreign.arrays(lines)
    dotted = foreign.called_by_entries(lines) if spoken in (JULIA, EITHER) else set[str]()
    inside, outer = "", ""  # the function whose lines these are, and how far that is indented
    for k, line in enumerate(lines):
        inside = "" if len(line.indent) <= len(outer) else inside
        if line.tokens[0].text == "def":
            inside, outer = line.tokens[1].text, line.indent
        named = _named(line.tokens)
        tokens = tuple(foreign.of_entries(named)) if dotted & {inside, _defined(named)} else named
        tokens = _rewritten(tokens, spoken)
        tokens = _with_entries(tokens, arrays, counters) if spoken.sums_down else tokens
        meant = [token if token.kind != SIGN else token._replace(text=_sign(spoken, tokens[max(j - 3, 0) : j], token,
                 tokens[j + 1])) for j, token in enumerate(tokens[:-1])]
        lines[k] = line._replace(tokens=(*meant, tokens[-1]))


def _defined(tokens: tuple[Token, ...]) -> str:
    """The function that a line says, ``f(z) = …`` or ``f = z -> …``; nothing for any other."""
    is_function = tokens[1].is_sign("(") or (tokens[1].is_sign("=") and any(token.is_sign(">") for token in tokens))
    return tokens[0].text if is_function and any(token.is_sign("=") for token in tokens) else ""


def _rewritten(tokens: tuple[Token, ...], spoken: Language) -> tuple[Token, ...]:
    """Tokens with lists, functions and ranges as Python has them."""
    texts = {token.text for token in tokens}
    if spoken in (JULIA, EITHER):
        tokens = tuple(foreign.with_commas(tokens)) if ";" in texts else tokens
        tokens = tuple(foreign.with_factors(foreign.with_loops(tokens) if "for" in texts else tokens))
    if spoken.has_products and "[" in texts:
        tokens = tuple(foreign.with_lists(foreign.with_sizes(tokens), spoken.sums_down))
    elif "," in texts:
        tokens = tuple(foreign.with_sizes(tokens))
    if not texts.isdisjoint(("@", ">", "function", *foreign.APPLIED)):
        tokens = tuple(foreign.with_functions(tokens))
    if spoken.leaves_out:
        tokens = tuple(foreign.with_words(foreign.with_ranges(tokens) if ":" in texts else tokens))
    return tokens


def _sign(spoken: Language, before: tuple[Token, ...], sign: Token, behind: Token) -> str:
    """What a sign is in a language: one of matrices where such may stand beside it, a power that is taken from the
    left."""
    if sign.text in ("&", "|") and spoken in (R, MATLAB):  # which bind less than comparisons there
        between = bool(before) and foreign.ends_a_value(before[-1]) and foreign.begins_a_value(behind)
        return sign.text * 2 if sign.text == "&" or between else sign.text
    if sign.text in ("^", ".^") and spoken.has_products:
        return {"^": tree.POWER, ".^": sign.text}[sign.text] + spoken.of_powers
    if sign.text == "/" and spoken.has_products:
        return tree.QUOTIENT
    return tree.PRODUCT if spoken.has_products and before and _is_product(before, sign, behind) else sign.text


def _named(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """``lam`` for ``lambda``, but for the argument of a function, ``lambda=2``."""
    return tuple([token._replace(text="lam") if token.text == "lambda" and not (k and behind.is_sign("=")) else token
                  for k, (token, behind) in enumerate(zip(tokens, (*tokens[1:], tokens[-1]), strict=True))])


def _is_product(before: tuple[Token, ...], sign: Token, behind: Token) -> bool:
    """Whether a * may be one of arrays: numbers are none, but for those that something is raised to."""
    if sign.text != "*" or behind.kind == NUMBER:
        return False
    raised = [token for token in before[:-1] if not token.is_sign("-")][-1:]
    return before[-1].kind != NUMBER or any(token.is_sign("^", ".^", "**") for token in raised)


_PLACES = (":", ",", "-", "+", "end", "(", ")", foreign.BESIDE)


def _with_entries(tokens: tuple[Token, ...], arrays: set[str], counters: set[str]) -> tuple[Token, ...]:
    """``X[:, 1]`` for ``X(:, 1)``, of an array or of what is no function and has places alone in its brackets."""
    found, opened = [*tokens], list[int]()
    for k, token in enumerate(tokens):
        if token.is_sign("("):
            opened.append(k)
        elif token.is_sign(")") and opened:
            begin = opened.pop()
            name, inside = tokens[max(begin - 1, 0)], tokens[begin + 1 : k]
            places = all(t.kind == NUMBER or t.text in _PLACES or t.text in counters for t in inside)
            if name.kind == NAME and inside and name.text not in _LISTS and (
                    name.text in arrays or (places and callee(name.text) is None and name.text not in WHY_NOT)):
                found[begin], found[k] = found[begin]._replace(text="["), token._replace(text="]")
    return tuple(found)


# -- what statements mean in it
def as_read(statements: Sequence[tree.Statement], spoken: Language) -> tuple[tree.Statement, ...]:
    """The statements with entries counted from 0, and with functions that are the same here; entries as they are where
    a 0 among indices says that they are so."""
    every = [*tree.flat(statements)]
    if spoken is PYTHON:  # or model text, which has functions of Python's libraries too
        declares = any(isinstance(s, tree.Arrays) for s in every)
        return tuple(statements) if declares else tree.with_values(statements, _by_rows)
    targets = [target for s in every for target in tree.targets(s)]
    families = {target.name for target in targets if target.index is not None}
    numbers = {name: s.keyword for s in every if isinstance(s, tree.Named) for name, _ in s.items}
    named = {name for name, keyword in numbers.items() if keyword == "dim"}
    counting = _Counting(spoken, families, named)
    counting.dims |= {e.target.name for e in every if _is_equation(e) and e.target.index is None and not _is_number(
        e.value) and counting.is_size(e.value)}
    values = [part for e in every if isinstance(e, tree.Equation) for part in tree.all_parts(e.value)]
    indices = [part for part in values if isinstance(part, tree.Index) and counting.counts(part)]
    counting.from_one = not any(item == tree.ZERO for index in indices for item in index.items)
    if not counting.from_one and spoken.leaves_out:
        return tuple(statements)
    given = {target.name for target in targets} | numbers.keys()
    truths = {n: word for n, word in _TRUTHS.items() if n not in given} if spoken.leaves_out else {}
    counting.truths = truths if all(_is_argument(n, values) for n in truths) else {}
    counting.last = next(filter(_is_equation, reversed(every)), None)
    return tree.Written(replace(spoken, counts_down=counting.from_one)), *counting.block(statements)


def _is_equation(s: tree.Statement) -> TypeGuard[tree.Equation]:
    return isinstance(s, tree.Equation)


def _of_all(expr: tree.Expr) -> tree.Expr:
    """A result, which is a number, with sums of all entries where they may be those of columns elsewhere."""
    match expr:
        case tree.Call(_, _, options) if ("axis", _EITHER_WAY) in options:
            return replace(expr, options=tuple([x for x in options if x[0] != "axis"]))
        case tree.Chain() | tree.Negative() | tree.Power():
            return tree.changed(expr, _of_all)
    return expr


def _by_rows(expr: tree.Expr, within: bool = False) -> tree.Expr:
    """Sums by Python's own function along rows; ``within`` another one, where it is seen that they are meant so."""
    sums = isinstance(expr, tree.Call) and bool(calls_of(PYTHON.letter, expr.function))
    expr = tree.changed(expr, partial(_by_rows, within=within or sums))
    if not isinstance(expr, tree.Call):
        return expr
    found = spelled(PYTHON.letter, expr.function, expr.args, dict(expr.options))
    if found is None or not isinstance(found[0], tree.Call):
        return expr
    options = (("axis", tree.COLUMNS),) if within else found[0].options
    return replace(found[0], options=options, place=expr.place)


# -- whose methods are called
_OWNERS = {"torch": _pattern(r"(?<![.\w])(?:torch\.\w | F\.[a-z]\w*\( | nn\.[A-Z]\w*\() | "
                              r"^[ \t]*(?:import|from)\s+torch\b"),
           "np": _pattern(r"(?<![.\w])(?:np|numpy|jnp|jax|tf|scipy)\.\w | "
                          r"^[ \t]*(?:import|from)\s+(?:numpy|jax|tensorflow)\b")}


def with_methods(statements: Sequence[tree.Statement], text: str) -> Sequence[tree.Statement]:
    """The statements with ``torch.std(x)`` for ``x.std()`` in a text that calls functions of PyTorch's alone, and
    ``np.std(x)`` in one that calls some of NumPy's."""
    if language(text) is not PYTHON:
        return statements
    owners = [name for name, signs in _OWNERS.items() if signs.search(text)]
    return tree.with_values(statements, partial(_of_owner, owners[0])) if len(owners) == 1 else statements


def _of_owner(owner: str, expr: tree.Expr) -> tree.Expr:
    """Methods in an expression as functions of a library."""
    expr = tree.changed(expr, partial(_of_owner, owner))
    match expr:
        case tree.Member(tree.Name(name), method) if name in MODULES or name == "self":
            return expr
        case tree.Member(tree.Name() | tree.Index() | tree.Call() | tree.Chain() | tree.Transpose() as base, method,
                         tuple() as args, options) | tree.Member(tree.Member(_, _, tuple()) as base, method,
                                                                tuple() as args, options) if method in OTHERWISE:
            return tree.Member(tree.Name(owner), method, (base, *args), options, place=expr.place)
    return expr


def _is_argument(name: str, values: Sequence[tree.Expr]) -> bool:
    """Whether a name only stands where functions take it, as R's T for TRUE."""
    taken = [arg for v in values if isinstance(v, tree.Call) for arg in (*v.args, *[x for _, x in v.options])]
    return values.count(tree.Name(name)) == taken.count(tree.Name(name))


class _Counting:
    """Goes through statements. ``families`` are names whose steps are no entries; of what else stands in an index than
    numbers and sizes, integer data count from 0 and counters of loops from 1 already."""

    from_one = True
    truths: Mapping[str, tree.Expr] = {}

    def __init__(self, spoken: Language, families: set[str], dims: set[str]) -> None:
        self.spoken, self.families, self.dims = spoken, families, dims
        self.last: tree.Equation | None = None

    def counts(self, expr: tree.Index) -> bool:
        return not _is_shape(expr.base) and not (isinstance(expr.base, tree.Name) and expr.base.name in self.families)

    def block(self, statements: Sequence[tree.Statement]) -> Iterator[tree.Statement]:
        for s in statements:
            if isinstance(s, tree.For):  # in which nothing is told
                body = [*self.block(s.body)]
                yield from [x for x in body if isinstance(x, tree.Said)]
                yield replace(s, body=tuple([x for x in body if not isinstance(x, tree.Said)]))
            elif isinstance(s, tree.Equation):
                value = self.expression(s.value)
                value = _of_all(value) if s.keyword != "let" or s is self.last else value
                told = f"{self.spoken.name} {self.spoken.says}: this line is read so"
                multiplies = self.spoken.has_products and _has_product(value)
                yield from [tree.Said(s.line, told)] * (value != s.value or multiplies)
                yield replace(s, value=value)
            else:
                yield s

    def expression(self, expr: tree.Expr) -> tree.Expr:
        match expr:  # before size(X) is a shape, whose entries count from 0
            case tree.Index(tree.Call(("size" | "dim"), (array,)), (place,)) if self.from_one:
                return replace(expr, base=tree.Member(self.expression(array), "shape"), items=(self.item(place),))
        expr = tree.changed(expr, self.expression)
        match expr:
            case tree.Index(base, (item,)) if item == _ALL and self.spoken.sums_down:
                return tree.Call("flatten", (tree.Transpose(base, ".T"),), (), place=expr.place)
            case tree.Member(tree.Call("cholesky", (array,)), ("L" | "U") as which, None):
                factor = tree.Call("cholesky", (array,), (), place=expr.place)
                return factor if which == "L" else tree.Transpose(factor)
            case tree.Index(_, items) if self.from_one and self.counts(expr):
                places = [i if self._left_out(i) else self.item(i) for i in items]
                return self.without(replace(expr, items=tuple(places)))
            case tree.Call("t", (array,), ()) if self.spoken.leaves_out:
                return tree.Transpose(array, place=expr.place)
            case tree.Call():
                return replace(self.call(expr), place=expr.place)
        return expr

    def call(self, expr: tree.Call) -> tree.Expr:
        """A function that is the same here."""
        if self.truths:
            expr = replace(expr, args=tuple([self._truth(a) for a in expr.args]),
                           options=tuple([(word, self._truth(x)) for word, x in expr.options]))
        if expr.function == _JOINED and all(isinstance(a, (tree.Number, tree.Negative)) for a in expr.args):
            return tree.Call("stack", expr.args, ())
        if len(expr.args) == 2 and isinstance(expr.args[0], tree.Function) and not expr.options:  # sum(f, x)
            expr = replace(expr, args=(lambdas.called(expr.args[0], expr.args[1:], (), expr.place),))
        if self.spoken is JULIA and expr.function in _OF_SQUARE and not expr.dotted:
            return tree.Bars(expr.function, expr.args, expr.options)
        if expr.function == "outer" and len(expr.args) == 3 and isinstance(expr.args[2], tree.Function):
            column, row = (tree.Index(a, item) for a, item in zip(expr.args, (_COLUMN, _COLUMN[::-1]), strict=False))
            return lambdas.called(expr.args[2], (column, row), (), expr.place)
        if len(expr.args) == 1 and _is_shape(expr.args[0]):  # zeros(size(X))
            return expr
        found = spelled(self.spoken.letter, expr.function, expr.args, dict(expr.options))
        return expr if found is None else found[0]

    def _truth(self, expr: tree.Expr) -> tree.Expr:
        return self.truths.get(expr.name, expr) if isinstance(expr, tree.Name) else expr

    def without(self, expr: tree.Index) -> tree.Expr:
        """``z[-2]`` as ``delete(z[:], 1, axis=0)``."""
        last = [tree.Slice(None, tree.Negative(tree.ONE), None) if _is_last(i, expr.base) else i for i in expr.items]
        expr = replace(expr, items=tuple(last))
        left_out = {k: out for k, i in enumerate(expr.items) if (out := self._left_out(i))}
        found: tree.Expr = replace(expr, items=tuple([_ALL if k in left_out else i for k, i in enumerate(expr.items)]))
        for k, out in left_out.items():
            axis = tree.Number(sp.Integer(sum(isinstance(i, tree.Slice) or j in left_out
                                              for j, i in enumerate(expr.items[:k]))))
            for place in out:
                found = tree.Call("delete", (found, place), (("axis", axis),), place=expr.place)
        return found

    def _left_out(self, item: tree.Expr) -> Sequence[tree.Expr]:
        """The places that an index of R's leaves out, the last one first."""
        if not self.spoken.leaves_out:
            return ()
        match item:
            case tree.Slice(tree.Negative(tree.Number(first)), tree.Negative(tree.Number(last)), None) if (
                    last - first < _MOST_LEFT_OUT):
                return [tree.Number(sp.Integer(k - 1)) for k in range(int(last), int(first) - 1, -1)]
            case tree.Negative(tree.Call(function, args)) if function in _LISTS and all(map(_is_number, args)):
                places = sorted({arg.value - 1 for arg in args if _is_number(arg)}, reverse=True)
                return [*map(tree.Number, places)]
            case tree.Negative(body) if (place := self.item(body)) != body:
                return (place,)
        return ()

    def item(self, item: tree.Expr) -> tree.Expr:
        """A place counted from 0."""
        if isinstance(item, tree.Slice) and item.step is not None and self.spoken.has_products:
            return self._stepped(item)
        if isinstance(item, tree.Slice):
            start = None if item.start is None else self.item(item.start)
            return replace(item, start=start, stop=None if item.stop is None else _stop(item.stop))
        if item == _END or (isinstance(item, tree.Chain) and item.first == _END):
            return _from_the_end(item)
        if item == _BEGIN and self.spoken in (JULIA, EITHER):
            return tree.ZERO
        if isinstance(item, tree.Number):
            return replace(item, value=item.value - 1)
        if isinstance(item, tree.Call) and item.function in _LISTS and item.args and all(map(_is_number, item.args)):
            return tree.Tuple(tuple(map(self.item, item.args)), place=item.place)
        return tree.Chain(item, (("-", tree.ONE),), place=item.place) if self.is_size(item) else item

    def is_size(self, item: tree.Expr) -> bool:
        """Whether a place is a number that is computed of sizes."""
        match item:
            case tree.Name(name):
                return name in self.dims
            case tree.Number():
                return True
            case tree.Chain(first, rest):
                return all(self.is_size(part) for part in (first, *[part for _, part in rest]))
            case tree.Call(name, _, ()):
                return _SIZES.fullmatch(name) is not None
            case tree.Index(base):
                return _is_shape(base)
        return False

    def _stepped(self, item: tree.Slice) -> tree.Slice:
        """``1:2:5``, whose step is in the middle."""
        start, step, last = item.start, item.stop, item.step
        if isinstance(step, tree.Negative) and last is not None:
            stop = None if last == tree.ONE else self.item(tree.Chain(last, (("-", tree.ONE),)))
        else:
            stop = None if last is None else _stop(last)
        return replace(item, start=None if start is None else self.item(start), stop=stop, step=step)


def _is_last(item: tree.Expr, base: tree.Expr) -> bool:
    """Whether it is the last entry that R leaves out, ``-length(w)`` of w."""
    body = item.body if isinstance(item, tree.Negative) else None
    return isinstance(body, tree.Call) and _SIZES.fullmatch(body.function) is not None and body.args == (base,)


def _stop(item: tree.Expr) -> tree.Expr | None:
    """Where a slice ends that goes up to a place: ``a[2:end]`` and ``a[2:end-1]``."""
    last = _from_the_end(item)
    return item if last is item else None if last == tree.Negative(tree.ONE) else tree.Chain(last, (("+", tree.ONE),))


def _from_the_end(item: tree.Expr) -> tree.Expr:
    """``end`` and ``end - 1`` as -1 and -2; any other place as it is."""
    match item:
        case tree.Name(_END.name):
            return tree.Negative(tree.ONE)
        case tree.Chain(tree.Name(_END.name), (("-", tree.Number(k)),)):
            return tree.Negative(tree.Number(k + 1))
    return item


def _is_number(expr: tree.Expr) -> TypeGuard[tree.Number]:
    return isinstance(expr, tree.Number)


def _is_shape(base: tree.Expr) -> bool:
    return isinstance(base, tree.Member) and base.name == "shape"


def _has_product(expr: tree.Expr) -> bool:
    return any(isinstance(part, tree.Chain) and any(sign == tree.PRODUCT for sign, _ in part.rest)
               for part in tree.all_parts(expr))


# -- what depends on the axes of an array
def goes_down(call: tree.Call) -> bool:
    """Whether a call goes down the columns of a matrix."""
    return dict(call.options).get("axis") == tree.COLUMNS


def along(call: tree.Call, shape: Sequence[sp.Expr], tell: Callable[[str], None] = lambda text: None) -> tree.Call:
    """A call with the axis that its language goes along, by the shape of its array. Raises a `NameProblem` for R's var
    of a matrix, and for a sum that is one of columns in one language and of all in another."""
    if not call.options:
        return call
    axis = dict(call.options).get("axis")
    if (which := tree.axis_of(call)) is not None:
        last = tree.Number(sp.Integer(min(which, max(len(shape) - 1, 0))))
        return replace(call, options=tuple([(w, last if w == "axis" else x) for w, x in call.options]))
    if axis not in (tree.COLUMNS, _PAIRS, _ROWS, _EITHER_WAY):
        return call
    matrix = len(shape) > 1 and not is_one(shape[1]) and not is_one(shape[0])
    name = call.function
    if matrix and axis == _PAIRS:
        raise NameProblem(f"R's {name} of a matrix is cov, the covariances of its columns: write which is meant",
                          near=name, instead="cov")
    if matrix and axis == _EITHER_WAY:
        raise NameProblem(f"{name} of a matrix is one of its columns in Matlab and of all entries in Julia: write "
                          f"{name}(…, axis=0) or {name}(…, axis=None)", near=name)
    if matrix and axis == _ROWS:
        tell(f"Python's own {name} adds rows: this is the sum of all entries, as np.{name} is")
    options = [(word, value) for word, value in call.options if word != "axis"]
    return replace(call, options=(*options, *[("axis", tree.ZERO)] * (matrix and axis == tree.COLUMNS)))
