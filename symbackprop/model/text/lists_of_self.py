"""Lists of layers that a class keeps, ``self.layers = nn.ModuleList([…])``, as names while the entries of lists are put
in the place of what reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from symbackprop.model.text.comprehensions import repeated_layers
from symbackprop.model.text.tokens import NAME, NUMBER, SIGN, TEXT, Line, Token, body_of, ended
from symbackprop.model.text.writing import FreeNames, between_commas, closing, words

_LISTS = ("ModuleList", "ParameterList")


def with_counts(lines: list[Line]) -> None:
    """Put the numbers that the objects of a class are given, or that ``__init__`` has as usual, in the place of the
    names of its parameters in ``range(n_layers)``."""
    for k, line in enumerate(lines):
        if line.tokens[0].text == "class":
            below = body_of(lines, k)
            counts = _counts(line.tokens[1].text, below, lines)
            lines[k + 1 : k + 1 + len(below)] = [_counted(other, counts) for other in below] if counts else below


def _counts(name: str, below: Sequence[Line], lines: Sequence[Line]) -> dict[str, Token]:
    """The parameters of a class that are the same whole number wherever an object is made."""
    head = next((line.tokens for line in below if [*map(TEXT, line.tokens[:2])] == ["def", "__init__"]), ())
    parameters = [part for part in between_commas(head[3 : closing(head, 2)]) if part][1:] if head else []
    names = [part[0].text for part in parameters]
    usual = {part[0].text: part[2] for part in parameters if len(part) == 3 and part[1].is_sign("=")}
    made = [between_commas(line.tokens[k + 2 : closing(line.tokens, k + 1)]) for line in lines
            for k, token in enumerate(line.tokens[:-1]) if token.text == name and line.tokens[k + 1].is_sign("(")
            and line.tokens[0].text != "class"]
    given = [usual | dict(_given(names, args)) for args in made] or [usual]
    return {n: given[0][n] for n in names if all(n in one and one[n].text == given[0][n].text for one in given)
            and given[0][n].kind == NUMBER and given[0][n].text.isdigit()}


def _given(names: Sequence[str], args: Sequence[Sequence[Token]]) -> Iterator[tuple[str, Token]]:
    """What parameters are given, by place or by name; what is more than a token as the sign that it begins with."""
    for k, arg in enumerate(args):
        if len(arg) > 2 and arg[1].is_sign("="):
            yield arg[0].text, arg[2]._replace(kind=arg[2].kind if len(arg) == 3 else SIGN)
        elif arg and k < len(names):
            yield names[k], arg[0]._replace(kind=arg[0].kind if len(arg) == 1 else SIGN)


def _counted(line: Line, counts: Mapping[str, Token]) -> Line:
    """A line with numbers for what ranges go to, ``range(n_layers)`` and ``range(self.n_layers)``."""
    tokens = [*line.tokens]
    for k in range(len(tokens) - 3, -1, -1):
        end = closing(tokens, k + 1) if tokens[k].text == "range" and tokens[k + 1].is_sign("(") else k
        inside = [*map(TEXT, tokens[k + 2 : end])]
        name = inside[-1] if len(inside) == 1 or (len(inside) == 3 and inside[:2] == ["self", "."]) else ""
        if name in counts:
            tokens[k + 2 : end] = [counts[name]._replace(line=line.number, column=0)]
    return line._replace(tokens=tuple(tokens))


class OfSelf:
    """The lists of a text that stand behind ``self.``: ``names``, what they are called instead."""

    def __init__(self, lines: list[Line]) -> None:
        self.names = dict[str, str]()  # with what stands behind the dot
        self.lines = dict[int, Line]()  # as they were, those that make the lists
        given = Counter(line.tokens[2].text for line in lines if [*map(TEXT, line.tokens[:4:3])] == ["self", "="])
        if not given:
            return
        free = FreeNames(token.text for line in lines for token in line.tokens).free
        for k, line in enumerate(lines):
            inside = _listed(line.tokens)
            if inside and given[line.tokens[2].text] == 1:  # another class may have one of that name
                self.lines[line.number] = line
                self.names[free(f"self_{line.tokens[2].text}")] = line.tokens[2].text
                lines[k] = line._replace(tokens=tuple(ended([*line.tokens[:4], *inside])))
        called = {name: other for other, name in self.names.items()}
        lines[:] = [line._replace(tokens=tuple(_folded(line.tokens, called))) for line in lines] if called else lines

    def put_back(self, lines: list[Line], entries: Mapping[str, Sequence[Sequence[Token]]]) -> None:
        """``self.layers_0`` for the names of what was in the lists; a list that was none as it was."""
        names = dict(self.names)
        for name, own in self.names.items():
            for j, entry in enumerate(entries.get(name, ())):
                names |= {token.text: f"{own}_{j}" for token in entry}
        for k, line in enumerate(lines) if names else ():
            first = line.tokens[0].text
            as_it_was = first in self.names and line.tokens[1].is_sign("=") and line.number in self.lines
            tokens = self.lines[line.number].tokens if as_it_was else tuple(_unfolded(line.tokens, names))
            lines[k] = line._replace(tokens=tokens)


def _listed(tokens: Sequence[Token]) -> list[Token]:
    """The list in ``self.layers = nn.ModuleList([…])``; nothing of any other line."""
    texts = [*map(TEXT, tokens)]
    made = texts[:2] == ["self", "."] and texts[3:6] == ["=", "nn", "."] and texts[6] in _LISTS
    if not made or closing(tokens, 7) != len(tokens) - 2 or texts[8] != "[":
        return []
    return repeated_layers(tokens[8:-2])


def _folded(tokens: Sequence[Token], called: Mapping[str, str]) -> list[Token]:
    """Tokens with one name for ``self.layers``."""
    found: list[Token] = []
    for token in tokens:
        own = token.kind == NAME and [*map(TEXT, found[-2:])] == ["self", "."] and token.text in called
        found[len(found) - 2 * own :] = [token._replace(text=called[token.text]) if own else token]
    return found


def _unfolded(tokens: Sequence[Token], names: Mapping[str, str]) -> list[Token]:
    """Tokens with ``self.layers_0`` for such a name."""
    found: list[Token] = []
    for token in tokens:
        own = names.get(token.text) if token.kind == NAME else None
        found += [token] if own is None else [*words("self .", token.line), token._replace(text=own)]
    return found
