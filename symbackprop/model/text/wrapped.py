"""Functions made of others: ``fast = jax.jit(f)`` and ``@jax.jit`` are the function itself, ``rows = jax.vmap(f)`` and
``@jax.vmap`` are called as ``jax.vmap(f)(x)`` is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from symbackprop.model.text.lambdas import AS_IT_IS, GRADIENTS, OF_ROWS
from symbackprop.model.text.tokens import NAME, Line, Token, body_of, ended
from symbackprop.model.text.writing import between_commas, closing, given_names, items, words

_GRADIENT = "{} is made a function of derivatives by @{}: these are derived, leave the decorator out"
_OWN = "{} is made another function by @{}: write what is computed then"
_WITHOUT_GRADIENT, _STOPS = ("no_grad", "inference_mode", "stop_gradient"), "stop_gradient"
_PARTIAL = "partial"
_DEEPEST, _MOST, _LONGEST = 8, 50, 500  # functions in each other, calls of such on a line, tokens of one
Function = list[Token]  # what stands in front of the brackets of a call


def with_wrapped(lines: list[Line]) -> list[int]:
    """Put what functions are made of in the place of their names, where these are called below; the numbers of the
    lines that say so, which are left out."""
    texts = {token.text for line in lines for token in line.tokens}
    if texts.isdisjoint((OF_ROWS, *AS_IT_IS, "@")):
        return []
    defined = {line.tokens[1].text for line in lines if line.tokens[0].text == "def"}
    given = Counter(name for line in lines for name in given_names(line))
    known, said = dict[str, Function](), list[int]()
    for k, line, head in [*_decorators(lines)]:
        maker, options = _maker(line)
        if maker in defined or maker in GRADIENTS:
            raise line.tokens[1].problem((_GRADIENT if maker in GRADIENTS else _OWN).format(head.text, maker))
        if maker == OF_ROWS:
            known[head.text] = _rows_of(head, known, options)
        elif maker in _WITHOUT_GRADIENT:
            _stop(lines, k)
        said += [line.number] if maker in (OF_ROWS, *_WITHOUT_GRADIENT) else []
    for k, line in enumerate([*lines]):
        name, function = _named(line, known, defined, given)
        if function:
            known[name] = function
            said.append(line.number)
        lines[k] = line if line.tokens[0].text == "def" else line._replace(
            tokens=tuple(_called(line.tokens, known, defined)))
    lines[:] = [line for line in lines if line.number not in said]
    return said


def _decorators(lines: Sequence[Line]) -> Iterator[tuple[int, Line, Token]]:
    """The lines above heads of functions, the lowest one first, with the place of the head and its name."""
    head: tuple[int, Token] | None = None
    for k in reversed(range(len(lines))):
        tokens = lines[k].tokens
        if not tokens[0].is_sign("@"):
            head = (k, tokens[1]) if tokens[0].text == "def" else None
        elif head is not None:
            yield head[0], lines[k], head[1]


def _maker(line: Line) -> tuple[str, list[list[Token]]]:
    """What a decorator is called, and with what."""
    maker, options = _parts(line.tokens[1:-1])
    if maker != _PARTIAL or not options:
        return maker, options
    return _parts(options[0])[0], options[1:]


def _rows_of(head: Token, known: Mapping[str, Function], options: Sequence[Sequence[Token]]) -> Function:
    """What a call of a function is that is mapped over rows."""
    function = known.get(head.text, [head])
    if len(function) > _LONGEST:
        raise head.problem(f"{head.text} is mapped too often")
    return _mapped(function, options)


def _stop(lines: list[Line], head: int) -> None:
    """Of what a function returns no gradient goes on."""
    for k in range(head + 1, head + 1 + len(body_of(lines, head))):
        word, *value = lines[k].tokens[:-1]
        if word.text == "return" and value:
            parts = [[*words(f"{_STOPS} (", word.line), *part, *words(")", word.line)] for part in items(value)]
            joined = [t for j, part in enumerate(parts) for t in (*words("," * (j > 0), word.line), *part)]
            lines[k] = lines[k]._replace(tokens=ended([word, *joined]))


def _named(line: Line, known: Mapping[str, Function], defined: set[str], given: Counter[str]) -> tuple[str, Function]:
    """The name that a line gives a function which is made of one, and what a call of it is; nothing of another line."""
    name, *rest = line.tokens[:-1]
    made = _made(rest[1:], known, defined) if rest[2:] and rest[0].is_sign("=") and given[name.text] == 1 else []
    return name.text, made if name.text not in defined or [token.text for token in made] == [name.text] else []


def _made(tokens: Sequence[Token], known: Mapping[str, Function], defined: set[str]) -> Function:
    """What a function is made of, by its name or for every row; nothing where that is something else."""
    found = _unwrapped(tokens, known, defined)
    return found if not found[1:] or found[0].text == OF_ROWS else []


def _unwrapped(tokens: Sequence[Token], known: Mapping[str, Function], defined: set[str], depth: int = 0) -> Function:
    """What computes the same as a function, without what only compiles it; nothing where it is not made of one of the
    text, or deep inside."""
    name = tokens[0].text
    if len(tokens) == 1 or name == "lambda":
        return [*known.get(name, tokens if name in (*defined, "lambda") else ())]
    maker, args = _parts(tokens)
    goes_on = args and maker in (OF_ROWS, *AS_IT_IS) and depth < _DEEPEST
    inner = _unwrapped(args[0], known, defined, depth + 1) if goes_on else []
    return _mapped(inner, args[1:]) if inner and maker == OF_ROWS else inner


def _parts(tokens: Sequence[Token]) -> tuple[str, list[list[Token]]]:
    """The name of what is called, perhaps with what it stands in, and its arguments; nothing of anything else."""
    opened = next((k for k, token in enumerate(tokens) if not (token.kind == NAME or token.is_sign("."))), len(tokens))
    if not opened or (opened < len(tokens) and closing(tokens, opened) != len(tokens) - 1):
        return "", []
    return tokens[opened - 1].text, [part for part in between_commas(tokens[opened + 1 : -1]) if part]


def _mapped(function: Sequence[Token], options: Sequence[Sequence[Token]]) -> Function:
    line = function[0].line
    return [function[0]._replace(text=OF_ROWS), *words("(", line), *function,
            *chain.from_iterable((*words(",", line), *option) for option in options), *words(")", line)]


def _called(tokens: Sequence[Token], known: Mapping[str, Function], defined: set[str]) -> Iterator[Token]:
    """The tokens of a line with functions in the place of what is made of them, where it is called."""
    k, tried = 0, 0
    while k < len(tokens):
        token, end = tokens[k], k
        begins = token.kind == NAME and not (k and tokens[k - 1].is_sign("."))
        function = list[Token]()
        if begins and token.text in known and tokens[k + 1].is_sign("("):
            function = known[token.text]
        elif begins and tried < _MOST and (opened := _opens(tokens, k)):
            tried, end = tried + 1, closing(tokens, opened)
            called = end and tokens[end + 1].is_sign("(")
            function = _made(tokens[k : end + 1], known, defined) if called else []
        yield from (function or [token])
        k = end + 1 if function else k + 1


def _opens(tokens: Sequence[Token], k: int) -> int:
    """Where the bracket opens behind the path of what only compiles functions, ``jax.jit(``; 0 where none does."""
    opened = next(j for j in range(k, len(tokens)) if not (tokens[j].kind == NAME or tokens[j].is_sign(".")))
    return opened if tokens[opened].is_sign("(") and tokens[opened - 1].text in AS_IT_IS else 0
