"""Patterns of products: which letters name the axes of the operands of an einsum, and those of its result."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import ClassVar, NamedTuple, TypeVar

from symbackprop.core.maths import Math, MatMul, turned
from symbackprop.errors import ShapeError
from symbackprop.records import record

Size = TypeVar("Size")


class Product(NamedTuple):
    """A product of at most two matrices or vectors: the operands in the ``order`` in which they stand, whether each is
    transposed, and whether the result is."""

    order: tuple[int, ...]
    flips: tuple[bool, ...]
    flip_out: bool = False

    def of(self, operands: Sequence[Math], turn: Callable[[Math], Math] = turned) -> Math:
        """The product of these operands as it is written; ``turn`` transposes."""
        factors = [turn(operands[k]) if flip else operands[k] for k, flip in zip(self.order, self.flips, strict=True)]
        whole = factors[0] if len(factors) == 1 else MatMul(*factors)
        return turn(whole) if self.flip_out else whole


class Stacked(NamedTuple):
    """A ``product`` of matrices for every place of the ``lead`` first axes, perhaps added up over these."""

    product: Product
    lead: int
    summed: bool


@record(frozen=True, eq=False)
class Pattern:
    """The letters of every operand and of the result; what the result lacks is summed over. Equal ones are one object,
    so that what is remembered of them is found at once."""

    _made: ClassVar[dict[tuple[tuple[str, ...], str], Pattern]] = {}
    ins: tuple[str, ...]
    out: str

    def __new__(cls, ins: tuple[str, ...], out: str) -> Pattern:
        known = cls._made.get((ins, out))
        if known is None:
            new = object.__new__(cls)
            new.__dict__.update(ins=ins, out=out)
            known = cls._made.setdefault((ins, out), new)
        return known

    def __getnewargs__(self) -> tuple[tuple[str, ...], str]:
        return self.ins, self.out

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """The pattern of ``ij,jk->ik``; raises `ShapeError` for what is none."""
        text = text.replace(" ", "")
        left, arrow, out = text.partition("->")
        if not arrow or not set(left + out) <= {*string.ascii_letters, ","} or "," in out:
            raise ShapeError(f"einsum needs a pattern such as 'ij,jk->ik', not {text!r}")
        return cls(tuple(left.split(",")), out)

    def __str__(self) -> str:
        return ",".join(self.ins) + "->" + self.out

    @cached_property
    def letters(self) -> str:
        """Every letter once, by first appearance."""
        return "".join(dict.fromkeys("".join(self.ins)))

    @property
    def summed(self) -> str:
        return "".join(c for c in self.letters if c not in self.out)

    def sizes(self, shapes: Iterable[Sequence[Size]]) -> dict[str, Size]:
        """The size of every letter, from the shapes of the operands."""
        return {c: d for s, shape in zip(self.ins, shapes, strict=True) for c, d in zip(s, shape, strict=True)}

    # -- other patterns
    def canonical(self, alphabet: str = string.ascii_letters) -> Pattern:
        """The same pattern over a, b, c … in order of appearance."""
        name = str.maketrans(dict(zip(self.letters, alphabet, strict=False)))
        return Pattern(tuple([s.translate(name) for s in self.ins]), self.out.translate(name))

    def without(self, place: int) -> Pattern:
        """Without one operand."""
        return Pattern(self.ins[:place] + self.ins[place + 1 :], self.out)

    def along(self, places: Iterable[int], summed: bool = False) -> Pattern:
        """With one more axis in front of the operands at these places and, unless it is summed, of the result."""
        own, moving = next(c for c in string.ascii_letters if c not in self.letters), set(places)
        ins = tuple([own + s if k in moving else s for k, s in enumerate(self.ins)])
        return Pattern(ins, self.out if summed else own + self.out)

    def behind(self, lead: str) -> Pattern:
        """Without the letters that stand in front."""
        return Pattern(tuple([s.removeprefix(lead) for s in self.ins]), self.out.removeprefix(lead))

    def cotangent(self, place: int) -> Pattern:
        """What gives the gradient of one operand: that of the result, in front of the others."""
        return Pattern((self.out, *self.without(place).ins), self.ins[place])

    # -- what it is
    @property
    def is_transpose(self) -> bool:
        """The axes of one operand in another order (or the same)."""
        source, *others = self.ins
        return not others and len({*source}) == len(source) == len(self.out)

    @property
    def order(self) -> tuple[int, ...]:
        """The axes of the one operand, in the order of the result."""
        return tuple(self.ins[0].index(c) for c in self.out)

    @property
    def outer(self) -> tuple[int, ...] | None:
        """The operands of a bᵀ in their order; None where the pattern is not the outer product of two vectors."""
        if [len(s) for s in self.ins] != [1, 1] or len(self.out) != 2 or not {*self.out} <= {*self.ins}:
            return None
        return tuple(self.ins.index(c) for c in self.out)

    @property
    def is_diagonal(self) -> bool:
        """The diagonal of a matrix."""
        return self.ins == (self.out * 2,) and len(self.out) == 1

    @property
    def is_trace(self) -> bool:
        return len(self.ins) == 1 and not self.out and len(self.ins[0]) == 2 and len(self.letters) == 1

    def matmul(self) -> Product | None:
        """The matrix product that the pattern is, or a transposition of one matrix; None for others. The first operand
        may have leading axes, and the second the same ones, as NumPy's ``@`` reads them."""
        if len(self.ins) == 1 and len(self.out) == 2 and self.out == self.ins[0][::-1]:
            return Product((0,), (True,))
        if len(self.ins) != 2 or any(len({*s}) < len(s) for s in self.ins):
            return None
        return self._plain() if all(len(s) < 3 for s in self.ins) else self._batched()

    def stacked(self) -> Stacked | None:
        """Matrix products along shared leading axes: one for every place, or added up over them."""
        lead = self.ins[0][:-2]
        if not lead or [s[:-2] for s in self.ins] != [lead, lead]:
            return None
        inner = self.behind(lead)
        found = inner.matmul()
        if found is None or set(lead) & set(inner.out):
            return None
        return Stacked(found, len(lead), inner.out == self.out)

    def _plain(self) -> Product | None:
        (a, b), shared = self.ins, {*self.ins[0]} & {*self.ins[1]}
        if len(shared) != 1 or {*self.out} != {*a} ^ {*b}:
            return None
        order = (1, 0) if self.out and self.out[0] in b else (0, 1)
        first, second = (self.ins[k] for k in order)
        flips = first[-1] not in shared, second[0] not in shared
        return Product(order[::-1], (False, False), True) if all(flips) else Product(order, flips)

    def _batched(self) -> Product | None:
        if len(self.ins[1]) < 2:
            return None
        for order in ((0, 1), (1, 0)):
            x, y = (self.ins[k] for k in order)
            batch, rest = y[:-2], x[:-1]
            if not 2 <= len(y) <= len(x) or (batch and x[:-2] != batch):
                continue
            if self.out == rest + y[-1] and y[-2] == x[-1]:
                return Product(order, (False, False))
            if not batch and self.out == rest + y[-2] and y[-1] == x[-1]:
                return Product(order, (False, True))
        return None
