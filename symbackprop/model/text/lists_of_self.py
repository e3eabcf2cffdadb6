"""Lists of layers that a class keeps, ``self.layers = nn.ModuleList([…])``, as names while the entries of lists are put
in the place of what reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from symbackprop.model.text.comprehensions import repeated_layers
from symbackprop.model.text.tokens import NAME, TEXT, Line, Token, ended
from symbackprop.model.text.writing import FreeNames, closing, words

_LISTS = ("ModuleList", "ParameterList")


class OfSelf:
    """The lists of a text that stand behind ``self.``: ``names``, what they are called instead."""

    def __init__(self, lines: list[Line]) -> None:
        free = FreeNames(token.text for line in lines for token in line.tokens).free
        given = Counter(line.tokens[2].text for line in lines if [*map(TEXT, line.tokens[:4:3])] == ["self", "="])
        self.names = dict[str, str]()  # with what stands behind the dot
        self.lines = dict[int, Line]()  # as they were, those that make the lists
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
