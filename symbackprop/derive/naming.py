"""Names for what a derivation talks about: unnamed intermediates and gradients. Every name has one owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symbackprop.core.graph import Node

_LETTERS = "abcdeghkmpqrsuvz"


class Names:
    """Hands out names that nothing else has; the same calls give the same names.

    Intermediates are not called like anything ``avoided`` either: the names inside loops, whose stacks go by them.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
        self._printed = {_printed(name) for name in self.taken}
        self.avoided: set[str] = set()
        self._free = self._letters()

    def unique(self, wanted: str) -> str:
        """``wanted``, or the first of wanted_2, wanted_3 … that is free. c_2 is not, beside c2: both print as c₂."""
        name, count = wanted, 1
        while name in self.taken or _printed(name) in self._printed:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        self._printed.add(_printed(name))
        return name

    def intermediate(self, node: Node) -> str:
        """A name for an unnamed row: what its maker suggested, or the next letter ("let a = …")."""
        if node.hint and node.hint not in self.avoided:
            return self.unique(node.hint)
        return self.unique(next(self._free))

    def _letters(self) -> Iterator[str]:
        for letter in _LETTERS:
            if letter not in self.taken and letter not in self.avoided:
                yield letter
        count = 0
        while True:
            count += 1
            yield f"t{count}"


def _printed(name: str) -> str:
    """What is left of a name when its digits become subscripts."""
    return name.replace("_", "")
