"""What a name in an answer means, however it is spelled: a gradient, a local derivative, a row, a function.

People write ``dw2``, ``dL/dw2``, ``delta_z2``, ``grad_w2``, ``w2.grad``; ``W_2`` for ``W2``, ``Sigmoid`` for
``sigmoid``. A spelling is only accepted when it can mean one thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from symbackprop.core.functions.words import ALSO, meant
from symbackprop.core.names import unplaced
from symbackprop.core.registry import texts
from symbackprop.grade.functions import EXTRA
from symbackprop.grade.mistakes import base_name
from symbackprop.grade.reference import Reference
from symbackprop.model.text.calls import callee, function_names

TURNED, INVERTED = ".T", "inv"  # what a power came to mean that is none
# calls that no model text has; first in them stands, as a string, the function or the letters that are bound
PRIME, SUM, MAX, STACK, ARRAY = "derivative of", "sum over", "max over", "stack over", "array over"
SHARE = "share_"  # of a gradient, which one step of a loop contributes
_PREFIX = re.compile(r"(?:delta_?|Delta_?|grad_?|nabla_?|d_?)(?P<name>[A-Za-z].*)")
_SUFFIX = re.compile(r"(?P<name>[A-Za-z].*)_(?:grad|gradient|bar)")
_BARRED = re.compile(r"(?P<name>[A-Za-z].*?)_?bar")  # V̄, which may be a mean
_JOINED = re.compile(r"d(?P<of>[A-Za-z]\w*?)_?(?:by_?)?d(?P<by>[A-Za-z]\w*)")
_UPSTREAM = ("grad_output", "grad_out", "dout", "d_out", "upstream")  # of the one output
_LOSS_WORDS = ("L", "J", "E", "Loss", "loss", "cost", "Cost", "C", "l")
_FUNCTIONS = {"heaviside": "step", "indicator": "step"}  # of gradients alone
PRINTED = {text: name for name, text in reversed(texts().items())}  # of those called alike the first


@dataclass(frozen=True)
class Gradient:
    """∂L/∂row."""

    row: str

    def __str__(self) -> str:
        return f"d{self.row}"


@dataclass(frozen=True)
class Local:
    """∂of/∂by for two rows of the model; ``indexed`` says of each whether it is a family that has an index there."""

    of: str
    by: str
    indexed: tuple[bool, bool] = (False, False)

    def __str__(self) -> str:
        return f"d{self.of}/d{self.by}"


@dataclass(frozen=True)
class Own:
    """A quantity of the person's own, perhaps one of a family."""

    name: str
    index: int | None = None

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"


class Telling:
    """What was mended, each thing told once."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


Meaning = Gradient | Local
Key = Gradient | Local | Own  # what a line defines


class Dictionary:
    """The names of a model and the ways to spell them. ``own`` are the names that the answers themselves define,
    ``filled`` those of arrays that they fill entry by entry."""

    def __init__(self, reference: Reference, barred: bool = False) -> None:
        self.reference = reference
        self.marks = (_PREFIX, _SUFFIX, *([_BARRED] if barred else []))  # of gradients
        self.rows = set(reference.rows)
        self.known = self.rows | set(reference.model.sizes)
        self.derived = set(reference.rows) - set(reference.model.graph.names)  # names that the derivation gives
        self.bases = {base_name(n) for n in self.rows} - self.rows
        self.bases |= {unplaced(n) for n in self.rows if "[" in n}
        self.own: set[str] = set()
        self.filled: set[str] = set()
        self.loops = {s.name for spans in reference.loops.values() for _, last in spans for s in last.free_symbols}
        self.counters = set(reference.loops)
        losses = {row.name for row in reference.results if row.name and row is reference.model.loss_row}
        self.losses = losses | {w for w in _LOSS_WORDS if w not in self.known}
        self.loss = reference.loss_word if reference.loss_word in self.losses else min(self.losses)

    def take(self, names: set[str]) -> None:
        """Make names of rows the person's own."""
        self.own |= names
        self.rows -= names
        self.known -= names

    # -- rows and values
    def row(self, name: str) -> str | None:
        """The model's name for ``name``: itself, or the one that differs only in case, underscores and brackets where
        the person calls nothing so."""
        if self.reference.stack(name):
            self.rows.add(name)
            self.known.add(name)
        return name if name in self.rows else None if name in self.own else self._alike(name, sorted(self.rows))

    def value(self, name: str) -> str | None:
        """The name of a row, a dimension or an own line."""
        if name in self.own or name in self.known or self.row(name) == name:
            return name
        if name == "lambda":  # what λ is in Python's letters; models call it otherwise, since Python reserves the word
            return next((n for n in ("lam", "lambda_", "lmbda", "lamda") if n in self.known), None)
        of_model = self.known & (self.rows | set(self.reference.model.sizes))  # I is no index i
        return self._alike(name, sorted(of_model)) or self._alike(name, sorted(self.own))

    def family(self, name: str) -> str | None:
        """The family that a word with an index means, as the model spells it: h_2 for the h2 of h₂ₜ."""
        taken = name in self.own or name in self.known
        return name if name in self.bases else None if taken else self._alike(name, sorted(self.bases))

    def _alike(self, name: str, names: Iterable[str]) -> str | None:
        bare, cased = plain(name), plain(name, fold=False)
        alike = [n for n in names if plain(n) == bare]
        found = [n for n in alike if plain(n, fold=False) == cased] or alike
        return found[0] if len(found) == 1 else None

    # -- gradients
    def gradient(self, name: str, indexed: bool = False) -> Gradient | None:
        """The gradient that a single word names: ``dw2``, ``delta_z2``, ``grad_w2``, ``w2_grad``, ``dL_dw2``.

        Where an index follows, ``dh`` may also be that of a family h[1], h[2] … A row that is called ``out`` comes
        before what ``dout`` is short for.
        """
        joined = _JOINED.fullmatch(name)
        if joined and joined["of"] in self.losses and self.row(joined["by"]):
            return Gradient(self.row(joined["by"]) or "")
        for pattern in self.marks:
            match = pattern.fullmatch(name)
            family = self.family(match["name"]) if match and indexed else None
            if family is not None and not self._is_kept(family):
                return Gradient(family)
            row = self.row(match["name"]) if match else None
            if row is not None:
                return Gradient(row)
        if name in _UPSTREAM and len(self.reference.results) == 1 and name not in self.known:
            return Gradient(self.reference.called(self.reference.results[0].name or ""))
        return None

    def _is_kept(self, base: str) -> bool:
        """Whether a line says what the steps of a family are, of which the model has only what it begins with."""
        return base in self.own and sum(unplaced(name) == base for name in self.rows) == 1

    def fraction(self, above: str, below: str, indexed: tuple[bool, bool] = (False, False)) -> Meaning | None:
        """What ``d<above>/d<below>`` means; None when it is no derivative of two known names.

        ``indexed`` says which of them an index follows, as in ``dL/dh[t]`` and ``dh[t]/dh[t-1]``.
        """
        of, by = (self.family(word) if at and self.family(word) else self.row(word)
                  for word, at in zip((above, below), indexed, strict=True))
        if by is None:
            return None
        if above in self.losses or (of in self.rows and self.reference.rows[of] is self.reference.model.loss_row):
            return Gradient(by)
        families = (indexed[0] and of in self.bases, indexed[1] and by in self.bases)
        return Local(of, by, families) if of is not None and (of != by or all(families)) else None

    def unseen(self, above: str, below: str) -> bool:
        """Whether ``d<above>/d<below>`` is a gradient of a row without a name, as the a[t] of a derivation, or of one
        that a line names."""
        return bool(self.loops) and above in self.losses and (self.value(below) is None or below in self.own)

    def spelled(self, meaning: Meaning, fraction: bool = True) -> str:
        """A derivative as a word that is read as ``meaning``; ``[]`` stands where an index belongs."""
        if isinstance(meaning, Local):
            above, below = ("[]" if x else "" for x in meaning.indexed)
            return f"d{meaning.of}{above}/d{meaning.by}{below}"
        if fraction:
            return f"d{self.loss}/d{meaning.row}"
        words = [f"{prefix}{meaning.row}" for prefix in ("d", "delta_", "grad_")]
        return next((w for w in words if w not in self.known and w not in self.own), words[-1])

    # -- functions
    def function(self, name: str) -> str | None:
        """The function's name in model text; None when there is no such function."""
        if callee(name) is not None or name in EXTRA:
            return name
        return _FUNCTIONS.get(name) or ALSO.get(name) or PRINTED.get(name) or meant(name, (*function_names(), *EXTRA))

    # -- words without a sign between their letters
    def pieces(self, word: str) -> list[str] | None:
        """``w2h`` as w2 and h, when there is one way to read it as known names."""
        ways = list(self._ways(word, 0))
        return ways[0] if len(ways) == 1 and len(ways[0]) > 1 else None

    def _ways(self, word: str, depth: int) -> Iterator[list[str]]:
        if not word:
            yield []
        if depth > 4:
            return
        for end in range(1, len(word) + 1):
            head = word[:end]
            if (head in self.known or head in self.own) and not word[end : end + 1].isdigit():
                yield from ([head, *rest] for rest in self._ways(word[end:], depth + 1))


@lru_cache(maxsize=10_000)
def plain(name: str, fold: bool = True) -> str:
    """A name without what people add or leave out: underscores, brackets and (``fold``) the case."""
    bare = re.sub(r"[_\[\]]", "", name)
    return bare.lower() if fold else bare
