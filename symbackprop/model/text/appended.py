"""Lists that lines of their own append to, ``hs = []`` with ``hs.append(f(x))`` below it, outside of loops: the same
list written out, behind the last of these lines, and an equation for each entry. Lists of layers, to which loops over
few numbers may append too, stand where they are read: ``nn.Sequential(*layers)``, ``self.layers = nn.ModuleList()``."""

from __future__ import annotations

from collections.abc import Container, Sequence

from symbackprop.model.text.listed import place_in
from symbackprop.model.text.tokens import NAME, NUMBER, TEXT, Line, Token, body_of, ended, problem
from symbackprop.model.text.writing import FreeNames, between_commas, closing, given_names, items, words
from symbackprop.records import record

_MOST, _MOST_LAYERS = 200, 20  # entries
_LOOPS = ("for", "while")
_UNFINISHED = ("{name} is read in the loop that fills it, where it has the entries so far: read it below the loop, or "
               "an entry of it, {name}[-1]")
_MOST_LINES = 400  # of a text, of which each may make a list
_LONGEST = 12  # tokens of self.layers = torch.nn.ModuleList([])
_LAYERS, _MODULES = ("Sequential", "ModuleList"), "ModuleList"
_APPEND = [".", "append", "("]


@record(frozen=True)
class _List:
    """Where a list is made, the places of the lines that append to it, and its entries' names."""

    made: int
    appends: Sequence[int]
    names: Sequence[str]


def refuse_unfinished(lines: Sequence[Line], lists: Container[str]) -> None:
    """Raises a `SyntaxProblem` where a list is read as a whole in a loop that appends to it: it has the entries so
    far."""
    for k, line in enumerate(lines):
        body = body_of(lines, k) if line.tokens[0].text in _LOOPS else []
        filled = {part.tokens[0].text for part in body if [*map(TEXT, part.tokens[1:4])] == _APPEND}
        begun = {name for part in body for name in given_names(part) if not part.tokens[1].is_sign(".")}
        for name in sorted(filled - begun):
            for part in body if name in lists else ():
                for n in _uses(part.tokens, name, part.tokens[0].text == name):
                    if not part.tokens[n + 1].is_sign("[") and part.tokens[n - 2].text != "len":
                        raise problem(_UNFINISHED.format(name=name), part.number, near=name)


def with_appended(lines: list[Line]) -> list[int]:
    """Put lists that are written out in the place of those that lines append to one by one; the numbers of the lines
    on which these are made."""
    if len(lines) > _MOST_LINES or not any([*map(TEXT, line.tokens[1:4])] == _APPEND for line in lines):
        return []
    lines[:] = [part for line in lines for part in _apart(line)]
    free, changed = FreeNames(token.text for line in lines for token in line.tokens), list[int]()
    for k in range(len(lines) - 1, -1, -1):
        found = _list_of(lines, k, free)
        if found is not None:
            changed.append(lines[k].number)
            _write(lines, found)
    return changed[::-1]


def _apart(line: Line) -> list[Line]:
    """``a, s = [], 0.0`` as a line for each."""
    equal = next((k for k, token in enumerate(line.tokens) if token.is_sign("=")), 0)
    names, values = line.tokens[:equal:2], between_commas(line.tokens[equal + 1 : -1])
    texts = ["".join(map(TEXT, value)) for value in values]
    several = len(names) > 1 and len(names) == len(values) and all(t.is_sign(",") for t in line.tokens[1:equal:2])
    if not several or "[]" not in texts or not all(text == "[]" or (len(value) == 1 and value[0].kind == NUMBER)
                                                   for text, value in zip(texts, values, strict=True)):
        return [line]
    return [line._replace(tokens=ended([name, *words("=", line.number), *value]))
            for name, value in zip(names, values, strict=True)]


def _list_of(lines: Sequence[Line], k: int, free: FreeNames) -> _List | None:
    """The list that line k makes, where lines at its own place append to it before any loop or condition does."""
    name, begun = lines[k].tokens[0], _begun(lines[k])
    if begun is None:
        return None
    block = range(k + 1, _end(lines, k))
    appends = [j for j in block if [*map(TEXT, lines[j].tokens[:4])] == [name.text, *_APPEND]]
    own = [j for j in appends if lines[j].indent == lines[k].indent]
    if not own or len(own) > _MOST or any(j < own[-1] for j in appends if j not in own):
        return None
    names = [free.free(f"{name.text}_{n}") for n in range(len(begun) + len(own))]
    between = (j for j in range(k + 1, own[-1] + 1))
    known = len(begun)
    for j in between:
        if any(_entry(lines[j].tokens, n, names[:known]) is None for n in _uses(lines[j].tokens, name.text, j in own)):
            return None
        known += j in own
    return _List(k, own, names)


def _begun(line: Line) -> list[list[Token]] | None:
    """The entries of ``hs = []``, ``hs = [h]`` and ``hs = list()``; None of any other line."""
    match [*map(TEXT, line.tokens)]:
        case [_, "=", "list", "(", ")", _]:
            return []
        case [_, "=", "[", *_, "]", _] if closing(line.tokens, 2) == len(line.tokens) - 2:
            entries = items(line.tokens[3:-2])
            return entries if all(line.tokens[0].text not in map(TEXT, part) for part in entries) else None
    return None


def _end(lines: Sequence[Line], k: int) -> int:
    """Where the block of line k ends, or its name gets another value."""
    name, indent = lines[k].tokens[0].text, len(lines[k].indent)
    return next((j for j in range(k + 1, len(lines)) if len(lines[j].indent) < indent or (
        lines[j].tokens[0].text == name and lines[j].tokens[1].text != ".")), len(lines))


def _uses(tokens: Sequence[Token], name: str, appends: bool) -> list[int]:
    """The places on a line where a list is read."""
    return [n for n, token in enumerate(tokens) if token.kind == NAME and token.text == name and not (
        n and tokens[n - 1].is_sign(".")) and not (appends and n == 0)]


def _entry(tokens: Sequence[Token], n: int, names: Sequence[str]) -> tuple[str, int] | None:
    """The name for ``hs[-1]`` at a place, and where that ends; None where another part of the list is read."""
    if not tokens[n + 1].is_sign("["):
        return None
    end = closing(tokens, n + 1)
    place = place_in(tokens[n + 2 : end], len(names))
    return None if place is None else (names[place], end + 1)


def _write(lines: list[Line], found: _List) -> None:
    """The lines with an equation for each entry."""
    head = lines[found.made]
    name, begun = head.tokens[0], _begun(head) or []
    known = len(begun)
    last = lines[found.appends[-1]]
    for j in range(found.made + 1, found.appends[-1] + 1):
        tokens = _read(lines[j].tokens, name.text, found.names[:known], j in found.appends)
        if j in found.appends:
            tokens = _equation(found.names[known], tokens[4 : closing(tokens, 3)], name)
            known += 1
        lines[j] = lines[j]._replace(tokens=tokens)
    whole = ended([name, *words(f"= [ {' , '.join(found.names)} ]", last.number)])
    lines.insert(found.appends[-1] + 1, last._replace(tokens=whole))
    lines[found.made : found.made + 1] = [head._replace(tokens=_equation(entry, part, name))
                                          for entry, part in zip(found.names, begun, strict=False)]


def _equation(name: str, value: Sequence[Token], near: Token) -> tuple[Token, ...]:
    return ended([near._replace(text=name), *words("=", near.line), *value])


def _read(tokens: tuple[Token, ...], name: str, names: Sequence[str], appends: bool) -> tuple[Token, ...]:
    """Tokens with names for the entries of a list that are read."""
    for n in reversed(_uses(tokens, name, appends)):
        entry = _entry(tokens, n, names)
        if entry is not None:
            tokens = (*tokens[:n], tokens[n]._replace(text=entry[0]), *tokens[entry[1] :])
    return tokens


def with_layers(lines: list[Line]) -> list[int]:
    """Put lists of layers that are written out in the place of those that grow layer by layer; the numbers of the lines
    on which these are made."""
    changed = list[int]()
    for k in range(len(lines) - 1, -1, -1) if len(lines) <= _MOST_LINES else ():
        target = _target_of_layers(lines[k])
        found = _layers(lines, k, target) if target else None
        if found is None:
            continue
        layers, places = found
        last = places[-1] + 1
        whole = [*words("[", lines[k].number), *_between(layers, lines[k].number), *words("]", lines[k].number)]
        if len(target) == 1:
            if not _put_where_read(lines, last, target[0].text, layers, whole):
                continue
        else:
            head = [*target, *words(f"= nn . {_MODULES} (", lines[k].number), *whole, *words(")", lines[k].number)]
            lines.insert(last, lines[k]._replace(tokens=ended(head)))
        changed.append(lines[k].number)
        lines[k:last] = [lines[j] for j in range(k + 1, last) if j not in places]
    return changed[::-1]


def _target_of_layers(line: Line) -> list[Token]:
    """``layers`` of ``layers = []``, ``self.layers`` of ``self.layers = nn.ModuleList()``; nothing of another line."""
    texts = [*map(TEXT, line.tokens[:-1])] if len(line.tokens) <= _LONGEST else []
    of_self = texts[:2] == ["self", "."]
    target, value = line.tokens[: 1 + 2 * of_self], texts[1 + 2 * of_self :]
    bare = [word for word in value if word not in ("=", "[", "]", "(", ")", "nn", "torch", ".")]
    empty = value[:1] == ["="] and bare in ([], ["list"], [_MODULES]) and (of_self or _MODULES not in bare)
    return [*target] if empty and target[-1].kind == NAME else []


def _layers(lines: Sequence[Line], k: int, target: Sequence[Token]) -> tuple[list[list[Token]], list[int]] | None:
    """The layers that lines below line k append, and the places of these and of the loops around them; None where there
    are none, or something else is done with the list or with what they are made of."""
    layers, places, j = list[list[Token]](), list[int](), k + 1
    given = set[str]()
    while j < len(lines) and len(lines[j].indent) >= len(lines[k].indent):
        below = body_of(lines, j)
        found = _appended_layers(lines[j], below, target)
        if found is None:
            break
        if given & {token.text for layer in found for token in layer}:
            return None
        given |= {*given_names(lines[j])} if not found else set()
        layers, behind = layers + found, j + 1 + len(below)
        places += range(j, behind) if found else ()
        j = behind
    few = 0 < len(layers) <= _MOST_LAYERS
    return (layers, places) if few and all(map(_makes_a_layer, layers)) else None


def _appended_layers(line: Line, below: Sequence[Line], target: Sequence[Token]) -> list[list[Token]] | None:
    """What a line, or a loop over few numbers, appends to a list; nothing where it does not read that, else None."""
    name = target[-1].text
    texts = [*map(TEXT, line.tokens)]
    counts = texts[:1] == ["for"] and texts[2:5] == ["in", "range", "("] and texts[6:8] == [")", ":"]
    if counts and texts[5].isdigit():
        inner = [_appended(part, target) for part in below]
        each = [part for part in inner if part]
        if len(each) == len(inner) and each:
            return [[token if token.text != texts[1] else token._replace(kind=NUMBER, text=str(n)) for token in part]
                    for n in range(min(int(texts[5]), _MOST_LAYERS + 1)) for part in each]
    own = _appended(line, target)
    if own or name not in {*texts, *(token.text for part in below for token in part.tokens)}:
        return [own] if own else []
    return None


def _appended(line: Line, target: Sequence[Token]) -> list[Token]:
    """What ``layers.append(…)`` appends; nothing of any other line."""
    count = len(target)
    begins = [*map(TEXT, line.tokens[: count + 3])] == [*map(TEXT, target), *_APPEND]
    return [*line.tokens[count + 3 : closing(line.tokens, count + 2)]] if begins else []


def _makes_a_layer(tokens: Sequence[Token]) -> bool:
    return "nn" in map(TEXT, tokens[:3]) and tokens[-1].is_sign(")")


def _between(layers: Sequence[Sequence[Token]], line: int) -> list[Token]:
    return [token for k, layer in enumerate(layers) for token in (*words("," * (k > 0), line), *layer)]


def _put_where_read(lines: list[Line], begin: int, name: str, layers: Sequence[list[Token]],
                    whole: Sequence[Token]) -> bool:
    """Put layers into ``nn.Sequential(*layers)`` and ``nn.ModuleList(layers)``, where nothing else reads them."""
    uses = [(j, n) for j in range(begin, len(lines)) for n, token in enumerate(lines[j].tokens)
            if token.kind == NAME and token.text == name and not (n and lines[j].tokens[n - 1].is_sign("."))]
    for j, n in uses:
        before = [*map(TEXT, lines[j].tokens[max(n - 3, 0) : n])]
        if not (before[1:] == ["(", "*"] or before[2:] == ["("]) or not {*before} & {*_LAYERS}:
            return False
    for j, n in reversed(uses):
        tokens = lines[j].tokens
        star = tokens[n - 1].is_sign("*")
        put = _between(layers, lines[j].number) if star else whole
        lines[j] = lines[j]._replace(tokens=(*tokens[: n - star], *put, *tokens[n + 1 :]))
    return bool(uses)
