"""Keys that a program makes of numbers, ``params["W" + str(l)]`` and ``params[f"W{l}"]``: loops whose counters are in
such keys are written out, step by step, where it is known how many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from symbackprop.model.text.tokens import KIND, NAME, NUMBER, SIGN, STRING, TEXT, Line, Token, body_of, partner, problem
from symbackprop.patterns import lazy

_MOST, _LONGEST = 20, 2000  # steps of a loop, lines of a text that are written out
_HOLE = lazy(r"\{((?:\w+(?:\s*[-+]\s*\w+)*)?)\}|%[di]")
_PART = lazy(r"\d+|\w+|[-+]")


def with_made_keys(lines: list[Line]) -> list[int]:
    """Put keys in the place of what they are made of, and the steps of loops in the place of those whose counters are
    in them; the numbers of these loops' lines. Raises a `SyntaxProblem` for a loop of which it is not known how long
    it is."""
    if not any(map(_is_made, _keys(lines))):
        return []
    known = _known(lines)
    changed = list[int]()
    lines[:] = _written_out(lines, known, changed)
    lines[:] = [line._replace(tokens=_folded(line.tokens, known)) for line in lines]
    return changed


def _keys(lines: Sequence[Line]) -> Iterator[tuple[Line, int]]:
    """The places of strings that stand first in brackets, ``params[f"W{l}"]``."""
    for line in [line for line in lines if STRING in map(KIND, line.tokens)]:
        for k, token in enumerate(line.tokens):
            if token.kind == STRING and line.tokens[max(k - 1 - _is_f(line.tokens, k), 0)].is_sign("["):
                yield line, k


def _is_f(tokens: Sequence[Token], k: int) -> bool:
    """Whether a string is one with names in it, ``f"W{l}"``."""
    return k > 0 and tokens[k - 1].text == "f" and tokens[k - 1].kind == NAME


def _is_made(key: tuple[Line, int]) -> bool:
    line, k = key
    behind = line.tokens[k + 1]
    return _is_f(line.tokens, k) or behind.is_sign("+", "%", ".")


def _known(lines: Sequence[Line]) -> Mapping[str, int]:
    """The names that are one whole number all over, ``L = 3``."""
    given = [line.tokens[0].text for line in lines if len(line.tokens) > 2 and line.tokens[1].is_sign("=", "+=", "-=")]
    return {line.tokens[0].text: int(line.tokens[2].text) for line in lines
            if len(line.tokens) == 4 and line.tokens[1].is_sign("=") and line.tokens[2].text.isdigit()
            and given.count(line.tokens[0].text) == 1}


def _written_out(lines: Sequence[Line], known: Mapping[str, int], changed: list[int]) -> Iterator[Line]:
    k = 0
    while k < len(lines):
        head = lines[k]
        body = body_of(lines, k)
        counter = head.tokens[1].text if head.tokens[0].text == "for" and len(head.tokens) > 4 else ""
        if not counter or not any(_has(counter, *key) for key in _keys(body) if _is_made(key)):
            yield head
            k += 1
            continue
        changed.append(head.number)
        within = [line._replace(indent=head.indent + line.indent[len(body[0].indent) :]) for line in body]
        for step in _steps(head, known, len(body)):
            yield from _written_out([_at(line, counter, step) for line in within], known, changed)
        k += 1 + len(body)


def _has(counter: str, line: Line, k: int) -> bool:
    """Whether a name is in what a key is made of."""
    if _is_f(line.tokens, k):
        return any(counter in _PART.findall(hole[1] or "") for hole in _HOLE.finditer(line.tokens[k].text))
    behind = takewhile(lambda token: not token.is_sign("]"), line.tokens[k:])
    return any(token.text == counter for token in behind)


def _steps(head: Line, known: Mapping[str, int], length: int) -> Sequence[int]:
    """The numbers that a loop counts, ``for l in range(1, 4):``."""
    tokens = head.tokens[3:-2]
    back = tokens[0].text == "reversed"
    ends = _ends(tokens[2:-1] if back else tokens, known)
    steps = range(*ends) if ends and len(ends) < 4 and (*ends, 1)[2:3] != (0,) else range(0)
    if not steps or len(steps) > _MOST or len(steps) * length > _LONGEST:
        raise problem("what is read under a key that is made of a counter is another parameter at each step, and it "
                      "has to be known how many steps there are: write numbers, as in `for l in range(1, 4):`, or "
                      "`L = 3` above the loop", head.number, "range", tokens[0].to(tokens[-1]))
    return steps[::-1] if back else steps


def _ends(tokens: Sequence[Token], known: Mapping[str, int]) -> list[int]:
    """What ``range(…)`` is given; nothing where it is no such call, or where that is not known."""
    if len(tokens) < 4 or tokens[0].text != "range" or not tokens[-1].is_sign(")"):
        return []
    parts = [[Token(SIGN, ",")]]
    for token in tokens[2:-1]:
        parts = [*parts, []] if token.is_sign(",") else [*parts[:-1], [*parts[-1], token]]
    found = [_number(part[1:] if k == 0 else part, known) for k, part in enumerate(parts)]
    return [end for end in found if end is not None] if None not in found else []


def _number(tokens: Sequence[Token], known: Mapping[str, int]) -> int | None:
    """What is computed of whole numbers, ``L - 1``; None where one is not known."""
    values = [known.get(t.text, t.text) if t.kind == NAME else int(t.text) if t.text.isdigit() else t.text
              for t in tokens]
    total, sign = 0, 1
    for value in values:
        if value in ("+", "-"):
            sign = -sign if value == "-" else sign
        elif isinstance(value, int):
            total, sign = total + sign * value, 1
        else:
            return None
    return total if values and isinstance(values[-1], int) else None


def _at(line: Line, counter: str, step: int) -> Line:
    """A line of a loop at one of its steps."""
    tokens = list[Token]()
    for k, token in enumerate(line.tokens):
        here = token.text == counter and token.kind == NAME and not (k and line.tokens[k - 1].is_sign("."))
        if token.kind == STRING and _is_f(line.tokens, k):
            token = token._replace(text=_HOLE.sub(lambda hole: _put(hole[0], counter, step), token.text))
        tokens.append(token._replace(kind=NUMBER, text=str(step)) if here else token)
    return line._replace(tokens=tuple(tokens))


def _put(hole: str, counter: str, step: int) -> str:
    return _PART.sub(lambda part: str(step) if part[0] == counter else part[0], hole)


def _folded(tokens: Sequence[Token], known: Mapping[str, int]) -> tuple[Token, ...]:
    """The tokens with a string for what makes a key, where it is known."""
    found = [*tokens]
    for k in range(len(tokens) - 1, 0, -1):
        if tokens[k].kind != STRING or not _is_made((Line(0, "", tuple(tokens)), k)):
            continue
        first = k - _is_f(tokens, k)
        last, numbers = (k, None) if first < k else _made_of(tokens, k)
        text = _filled(tokens[k].text, numbers, known) if last else ""
        if text and tokens[first - 1].is_sign("[") and tokens[last + 1].is_sign("]"):
            found[first : last + 1] = [tokens[k]._replace(text=text)]
    return tuple(found)


def _made_of(tokens: Sequence[Token], k: int) -> tuple[int, Sequence[Token] | None]:
    """Where what makes a key of a string ends, ``"W" + str(l)``, ``"W%d" % l`` and ``"W{}".format(l)``, and the number
    in it; 0 where it is made otherwise."""
    words = [*map(TEXT, tokens[k + 1 : k + 4])]
    if words in (["+", "str", "("], [".", "format", "("]):
        end = partner(tokens, range(k + 3, len(tokens)), "(", ")", 0)
        return end, tokens[k + 4 : end]
    if words[:1] == ["%"]:
        number = [*takewhile(lambda token: not token.is_sign("]"), tokens[k + 2 :])]
        return k + 1 + len(number), number[1:-1] if number[:1] and number[0].is_sign("(") else number
    return 0, None


def _filled(string: str, number: Sequence[Token] | None, known: Mapping[str, int]) -> str:
    """A string with numbers for what it leaves open, or behind it where that is nothing; empty where one is unknown."""
    if number is not None:
        value = _number(number, known)
        whole = string if _HOLE.search(string) else f"{string[:-1]}{{}}{string[-1]}"
        return "" if value is None else _HOLE.sub(str(value), whole)
    holes = [_number([Token(NAME if part.isidentifier() else NUMBER if part.isdigit() else SIGN, part)
                      for part in _PART.findall(hole[1] or "")], known) for hole in _HOLE.finditer(string)]
    values = iter(holes)
    return "" if None in holes else _HOLE.sub(lambda hole: str(next(values)), string)
