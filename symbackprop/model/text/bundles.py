"""What a program hands on as one, ``w, b = params``, where nothing says what it is: what is taken out of it is what is
declared under these names, as it is with ``params["w"]``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from keyword import iskeyword

from symbackprop.model.text.lambdas import GRADIENTS, OF_ROWS
from symbackprop.model.text.tokens import NAME, STRING, Line, Token
from symbackprop.model.text.writing import between_commas, closing, given_names, items, words

_FIRST = ("self", "cls")
_MAKERS = (OF_ROWS, *GRADIENTS)  # of functions, functions of the same arguments


def without_bundles(lines: list[Line]) -> list[int]:
    """Leave out the lines that take apart what is handed on as one; the numbers of these."""
    taken = {k: found for k, line in enumerate(lines) if (found := _taken_apart(line.tokens)) is not None}
    declared = {token.text for line in lines if _declares(line.tokens) for token in line.tokens[1:]} if taken else set()
    taken = {k: (bundle, names) for k, (bundle, names) in taken.items() if declared.issuperset(names)}
    if not taken:
        return []
    functions = _parameters(lines)
    apart = {bundle for bundle, _ in taken.values()} & _only_handed_on(lines) - declared
    apart -= _given_otherwise(lines, functions, apart)
    names = {k: parts for k, (bundle, parts) in taken.items() if bundle in apart}
    holders = Counter(name for _, name in {(taken[k][0], name) for k, parts in names.items() for name in parts})
    given = Counter(name for line in lines for name in given_names(line))
    own = Counter(name for parts in names.values() for name in parts)
    said = [k for k, parts in names.items() if all(holders[n] == 1 and given[n] == own[n] for n in parts)]
    numbers = [lines[k].number for k in said]
    lines[:] = [line for k, line in enumerate(lines) if k not in said]
    return numbers


def _taken_apart(tokens: Sequence[Token]) -> tuple[str, list[str]] | None:
    """(what is taken apart, the names of its parts) of a line ``w, b = params``; None of any other."""
    if len(tokens) < 6 or not tokens[-3].is_sign("=") or tokens[-2].kind != NAME:
        return None
    left = tokens[:-3]
    plain = all(token.kind == NAME or token.is_sign(",", "(", ")") for token in left)
    names = [token.text for token in left if token.kind == NAME]
    return (tokens[-2].text, names) if plain and any(token.is_sign(",") for token in left) and names[1:] else None


def _parameters(lines: Sequence[Line]) -> dict[str, list[str]]:
    """The functions of a text with what they take."""
    found = dict[str, list[str]]()
    for tokens in [line.tokens for line in lines if line.tokens[0].text == "def" and line.tokens[2].is_sign("(")]:
        taken = [part[0].text for part in items(tokens[2 : closing(tokens, 2) + 1])]
        found[tokens[1].text] = [name for name in taken if name not in _FIRST]
    return found


def _only_handed_on(lines: Sequence[Line]) -> set[str]:
    """The names that are taken apart, or handed on as they are, and nothing else, and that no line gives a value."""
    uses, handed = Counter[str](), Counter[str]()
    for tokens in [line.tokens for line in lines]:
        found = _taken_apart(tokens)
        handed[found[0] if found is not None else ""] += 1
        for k, token in enumerate(tokens):
            if token.kind == NAME and not (k and tokens[k - 1].is_sign(".")):
                uses[token.text] += 1
                alone = k and tokens[k - 1].is_sign("(", ",") and tokens[k + 1].is_sign(",", ")")
                by_key = tokens[k + 1].is_sign("[") and tokens[k + 2].kind == STRING
                handed[token.text] += bool(alone or by_key)
    return {name for name, count in uses.items() if handed[name] == count}


def _declares(tokens: Sequence[Token]) -> bool:
    """Whether a line is a keyword with names behind it, which is none of Python's."""
    return tokens[0].kind == NAME and tokens[1].kind == NAME and not iskeyword(tokens[0].text)


def _given_otherwise(lines: Sequence[Line], functions: Mapping[str, Sequence[str]], bundles: set[str]) -> set[str]:
    """Those of ``bundles`` for which a function is given something else, or what is called otherwise."""
    found = set[str]()
    for tokens in [line.tokens for line in lines if line.tokens[0].text != "def"]:
        for name, args in _calls(tokens, functions):
            taken = functions[name]
            given = dict(zip(taken, args or (), strict=False))
            found |= {p for p in bundles.intersection(taken) if [t.text for t in given.get(p, ())] != [p]}
            found |= {arg[0].text for p, arg in given.items() if len(arg) == 1 and arg[0].text != p} & bundles
    return found


def _calls(tokens: Sequence[Token], functions: Mapping[str, Sequence[str]]
           ) -> Iterator[tuple[str, list[list[Token]] | None]]:
    """The functions on a line with what they are given, also by what is made of them, ``jax.grad(f)(params, x)``; None
    for what something else calls, as scan does."""
    for k, token in enumerate(tokens):
        if token.text not in functions:
            continue
        opened = k + 1
        if not tokens[opened].is_sign("("):
            maker = max([j for j in range(k) if tokens[j].is_sign("(") and closing(tokens, j) > k], default=0)
            opened = closing(tokens, maker) + 1 if maker and tokens[maker - 1].text in _MAKERS else 0
        if opened and tokens[opened].is_sign("("):
            yield token.text, between_commas(tokens[opened + 1 : closing(tokens, opened)])
        elif not opened:
            yield token.text, None


def with_tuples(lines: list[Line]) -> None:
    """Put what a tuple has in the place of what is taken out of it, ``t = (a, b)`` and ``x, y = t`` or ``t[0]``, where
    nothing else reads its name, and nothing in between changes what it has."""
    made = {line.tokens[0].text: k for k, line in enumerate(lines) if _parts(line)}
    if not made:
        return
    given: dict[str, list[int]] = {}
    reads: dict[str, list[int]] = {name: [] for name in made}
    for k, line in enumerate(lines):
        for name in given_names(line):
            given.setdefault(name, []).append(k)
        for name in reads.keys() & {token.text for token in line.tokens}:
            reads[name] += [k] if made[name] != k else []
    taken = {name: k for name, k in made.items() if reads[name] and len(given[name]) == 1
             and _is_taken_out(lines, name, k, reads[name], given)}
    for name, k in taken.items():
        for j in reads[name]:
            lines[j] = lines[j]._replace(tokens=tuple(_out_of(lines[j].tokens, name, _parts(lines[k]))))
    lines[:] = [line for k, line in enumerate(lines) if k not in taken.values()]


def _parts(line: Line) -> list[list[Token]]:
    """What a line ``t = (a, b)`` gives its name; nothing of any other."""
    name, equal, *value = line.tokens
    if name.kind != NAME or not equal.is_sign("=") or not any(token.is_sign(",") for token in value):
        return []
    parts = items(value[:-1]) if not value[0].is_sign("[", "{") else []
    return parts if parts[1:] and not any(part[0].is_sign("*") for part in parts) else []


def _is_taken_out(lines: Sequence[Line], name: str, k: int, reads: Sequence[int], given: Mapping[str, Sequence[int]]
                  ) -> bool:
    """Whether all that lines read of a tuple is what it had when it was made, on lines of its own block."""
    parts, indent = _parts(lines[k]), lines[k].indent
    has = {token.text for part in parts for token in part}
    stays = min([place for part in has for place in given.get(part, ()) if place > k], default=len(lines))
    return k < reads[0] and reads[-1] <= stays and all(lines[j].indent == indent for j in reads) and all(
        line.indent.startswith(indent) for line in lines[k : reads[-1]]) and all(
        _takes_out(lines[j].tokens, name, len(parts)) for j in reads)


def _takes_out(tokens: Sequence[Token], name: str, count: int) -> bool:
    """Whether a line reads entries of a tuple alone, or takes it apart."""
    apart = _taken_apart(tokens)
    if apart is not None and apart[0] == name:
        return len(apart[1]) == len(between_commas(tokens[:-3])) == count and name not in apart[1]
    return all(_entry(tokens, i, count) is not None for i, token in enumerate(tokens) if token.text == name)


def _entry(tokens: Sequence[Token], i: int, count: int) -> int | None:
    """Which of ``count`` parts is read at a place, ``t[1]``; None of anything else."""
    behind = [token.text for token in tokens[i + 1 : i + 4]]
    plain = behind[:1] == ["["] and behind[2:] == ["]"] and behind[1].isdigit() and not tokens[i - 1].is_sign(".")
    return int(behind[1]) if plain and i and int(behind[1]) < count else None


def _out_of(tokens: Sequence[Token], name: str, parts: Sequence[Sequence[Token]]) -> Iterator[Token]:
    """A line with the parts of a tuple in the place of its name."""
    line, i = tokens[0].line, 0
    while i < len(tokens):
        which = _entry(tokens, i, len(parts)) if tokens[i].text == name else None
        if tokens[i].text != name:
            yield tokens[i]
        elif which is None:
            yield from [t for k, part in enumerate(parts) for t in (*words("," * (k > 0), line), *part)]
        else:
            yield from (*words("(", line), *parts[which], *words(")", line))
        i += 1 if which is None else 4
