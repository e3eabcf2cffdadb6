"""Names of an imported model: short ones for parameters, those of the module's own source for what it computes."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, product
from string import ascii_lowercase, digits
from typing import Any

from symbackprop.core.functions import CONSTANTS, FUNCTIONS
from symbackprop.core.scalars import TABLE
from symbackprop.errors import NameProblem, UsageError, did_you_mean
from symbackprop.model.names import check_name

WEIGHT, BIAS = "weight", "bias"
LETTERS = (("Embedding", "E"), ("Norm", "g"))  # of the weights of modules whose class is called so; else W


class Names:
    """Hands out names, each once; one that is taken gets a number. What has an index, ``h[0]``, is spelled h0 in
    Python: no other name is such a one."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*taken}
        self.stems: set[str] = set()  # of names that have indices

    def free(self, wanted: str) -> str:
        """That name, as far as it is one, or the first of its kind that is free."""
        name = next(n for n in self._of(_word(wanted)) if n not in self.taken and n.rstrip(digits) not in self.stems)
        self.taken.add(name)
        return name

    def indexed(self, wanted: str) -> str:
        """A name for what has an index: itself without a number, or with a letter behind it."""
        word = _word(wanted).rstrip(digits).rstrip("_") or "h"
        used = {name.rstrip(digits) for name in self.taken}
        letters = chain.from_iterable(product(ascii_lowercase, repeat=length) for length in count(1))
        others = (f"{word}_{''.join(some)}" for some in letters)
        known = word in FUNCTIONS or word in CONSTANTS or word in TABLE
        name = next(n for n in chain([] if known else [word], others) if n not in used)
        self.stems.add(name)
        self.taken.add(name)
        return name

    def claim(self, wanted: str) -> str:
        """That very name; raises `UsageError` where it is none, or taken."""
        if self.free(wanted) != wanted:
            raise UsageError(f"{wanted!r} cannot be the name of a parameter here: it is taken, or a word of model text")
        return wanted

    def _of(self, word: str) -> Iterator[str]:
        if word not in FUNCTIONS and word not in CONSTANTS and word not in TABLE:
            yield word
        joint = "_" if word[-1].isdigit() or word in self.stems else ""
        yield from (f"{word}{joint}{k}" for k in count(1))


def _word(wanted: str) -> str:
    """What is wanted, as far as it can be a name."""
    word = re.sub(r"\W|^[\d_]+", "", wanted.replace(".", "_"), flags=re.ASCII)[:40].rstrip("_") or "h"
    try:
        return check_name(word)
    except NameProblem:
        return f"{word}_"


def parameter_names(module: Any, names: Names, rename: Mapping[str, str]) -> dict[str, str]:
    """A short name for every parameter and buffer, by PyTorch's: ``weight`` is W (E of an embedding, g of a
    normalisation), ``bias`` is b, others keep theirs; where several modules have parameters, with the module's place
    among them. ``rename`` gives single ones names of the user's choice."""
    arrays = {name: value for name, value in (*module.named_parameters(remove_duplicate=False),
                                              *module.named_buffers(remove_duplicate=False))}
    for unknown in rename.keys() - set(arrays):
        raise UsageError(f"the module has no parameter {unknown!r} to rename.{did_you_mean(unknown, arrays)}")
    owners = [path for path, owner in module.named_modules() if any(True for _ in owner.parameters(recurse=False))]
    chosen = {name: names.claim(rename[name]) for name in arrays if name in rename}
    first = {id(arrays[name]): name for name in chosen}
    for name, value in arrays.items():
        path, _, own = name.rpartition(".")
        place = numbered(path, owners)
        if id(value) in first:  # one array under two names, as tied weights are
            chosen[name] = chosen[first[id(value)]]
        elif name not in chosen:
            first[id(value)] = name
            chosen[name] = names.free(short_name(own, type(module.get_submodule(path)).__name__, place))
    return chosen


def numbered(path: str, owners: Sequence[str]) -> str:
    """Which module with parameters the one at a path is; nothing where there is but one."""
    return str(owners.index(path) + 1) if len(owners) > 1 and path in owners else ""


def short_name(own: str, kind: str, place: str) -> str:
    """``weight_ih_l0`` of the second module is W2_ih_l0, ``mask`` stays."""
    weight = next((letter for word, letter in LETTERS if word in kind), "W")
    words = own.split("_")
    for long, letter in ((WEIGHT, weight), (BIAS, "b")):
        if long in words:
            words.remove(long)
            return "_".join((letter + place, *words))
    return own


def place_of(node: Any) -> tuple[str, int]:
    """The user's own line that a node of an exported graph comes from: the innermost outside of the library."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    own = [(file, int(line)) for file, line in frames if "/torch/" not in file.replace("\\", "/")]
    return own[-1] if own else ("", 0)


def assigned(place: tuple[str, int]) -> Sequence[str]:
    """The names that a line of Python gives to what it computes; none where it is no assignment on a line alone."""
    try:
        (statement,) = ast.parse(linecache.getline(*place).strip()).body
    except (SyntaxError, ValueError):
        return ()
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return ()
    target = statement.targets[0]
    items = target.elts if isinstance(target, ast.Tuple) else [target]
    return [item.id if isinstance(item, ast.Name) else "" for item in items]
