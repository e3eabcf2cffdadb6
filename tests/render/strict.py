"""Printed mathematics read as a strict reader would: by what it says, and by shape.

⊙, +, = and / need equal shapes (a number goes with any); what repeats an array, sums an axis or keeps one has to be
written; an index letter is bound once, and runs as far as the axis that it indexes. The printers' code is not used, nor
the derivation's rows: names stand for values that `world` computed.

Every value has one axis for each index letter of its line in front (of size 1 where it does not depend on it), so a
line with free letters, or inside a loop, is checked at all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Protocol

import numpy as np
import sympy as sp

from symbackprop.core import maths as m
from symbackprop.core.scalars import TABLE
from tests.render.functions import FUNCTIONS, each
from tests.render.reading import Untold, Wrong

Array = Any
RELATIONS = {">": np.greater, "<": np.less, "≥": np.greater_equal, "≤": np.less_equal, "=": np.equal,
             "≠": np.not_equal}


@dataclass(frozen=True)
class Value:
    """``array`` has the axes of the letters in front; ``row``: a vector written as a row (1 × n in print)."""

    array: Array
    letters: int
    row: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape[self.letters :])

    @property
    def said(self) -> tuple[int, ...]:
        """The shape as a reader sees it."""
        return (1, *self.shape) if self.row else self.shape


class World(Protocol):
    """What names mean: all values of one derivation at one point."""

    sizes: Mapping[str, int]
    rate: float
    called_rate: m.Math
    called_upstream: m.Math
    rows: bool
    counters: Mapping[str, Any]

    def below(self, row: int) -> int:
        """How many values an array of whole numbers may have."""

    def of(self, row: int) -> tuple[tuple[str, ...], Array]:
        """The loops' letters around a row, outermost first, and its values over their steps."""

    def gradient(self, row: int) -> tuple[tuple[str, ...], Array, bool]:
        """The same of the gradient of the loss in a row; whether the document writes it as a row vector."""

    def given(self, row: int) -> tuple[tuple[str, ...], Array]:
        """The upstream gradient of an output."""

    def jacobian(self, top: int, bottom: int, immediate: bool) -> tuple[tuple[str, ...], Array]:
        """∂top/∂bottom: the axes of top, then those of bottom. ``immediate``: other named rows held fixed."""

    def second(self, row: int, column: int) -> tuple[tuple[str, ...], Array]:
        """The derivative of the gradient in one row by another row."""

    def later(self, row: int, name: str) -> tuple[tuple[str, ...], Array]:
        """What later steps of a loop hand back to a carried row."""

    def steps(self, letter: str) -> int:
        """How many steps the loop with this counter has."""

    def is_loss(self, tree: m.Math) -> bool: ...

    def is_gradient(self, tree: m.Derivative) -> bool: ...


class Reader:
    """Reads the trees of one line. ``delta`` is what an upstream gradient without a name stands for; ``squeezes``: axes
    of size 1 count for nothing, as where arrays are written by their entries."""

    squeezes = False

    def __init__(self, world: World, trees: Sequence[m.Math], counters: Sequence[str] = (),
                 delta: Array = None) -> None:
        self.world, self.delta = world, delta
        self.legend: Mapping[str, sp.Expr | None] | None = None
        self.own: dict[str, int] = {}  # letters of the step
        names = [*counters, *[x for tree in trees for x in _letters(tree)]]
        self.axes = {letter: k for k, letter in enumerate(dict.fromkeys(names))}
        self.bound: dict[str, int] = {}

    # -- letters
    def bind_free(self, tree: m.Math) -> None:
        """Letters of the left side run over the axes that they index there."""
        for x in m.walk(tree):
            if isinstance(x, m.Entry):
                shape = self.numbers(shape_of(x.base))
                if len(x.index) < len(shape):
                    shape = tuple(size for size in shape if size != 1)
                for item, size in zip(x.index, shape, strict=False):
                    if isinstance(item, m.Letter) and item.name not in self.bound:
                        self.bound[item.name] = size
                        self._told(item.name, size)

    def _told(self, letter: str, size: int) -> None:
        """The legend binds a letter to the axis that it sums or indexes; loops say how far their counters run."""
        if self.legend is None or letter in self.world.counters:
            return
        if letter not in self.legend:
            raise Wrong(f"no legend says that {letter} runs over {size} entries")
        told = self.legend[letter]
        known = self.own.setdefault(letter, size) if told is None else self.number(told)
        if known != size:
            raise Wrong(f"{letter} runs over {size} entries, not over {known}")

    @contextmanager
    def binding(self, letters: Sequence[str], sizes: Sequence[int]) -> Iterator[None]:
        for letter, size in zip(letters, sizes, strict=True):
            if letter in self.bound:
                raise Wrong(f"the letter {letter} is bound twice")
            self._told(letter, size)
        self.bound |= dict(zip(letters, sizes, strict=True))
        yield
        for letter in letters:
            del self.bound[letter]

    # -- values
    def number(self, value: sp.Expr) -> float:
        return float(value.subs({x: self.world.sizes[x.name] for x in value.free_symbols}))

    def numbers(self, sizes: Sequence[sp.Expr]) -> tuple[int, ...]:
        return tuple(int(self.number(sp.sympify(d))) for d in sizes)

    def value(self, array: Array, row: bool = False) -> Value:
        array = np.asarray(array)
        return Value(array.reshape((1,) * len(self.axes) + array.shape), len(self.axes), row)

    def over(self, letters: Sequence[str], array: Array, row: bool = False) -> Value:
        """An array whose first axes are steps of loops, each on the axis of its letter."""
        for letter in letters:
            if letter not in self.bound:
                raise Wrong(f"it depends on {letter}, which is not said")
        array = np.asarray(array)
        order = np.argsort([self.axes[letter] for letter in letters])
        array = np.moveaxis(array, [int(k) for k in order], range(len(letters))) if len(letters) > 1 else array
        front = [1] * len(self.axes)
        for letter, size in zip([letters[k] for k in order], array.shape, strict=False):
            front[self.axes[letter]] = size
        return Value(array.reshape((*front, *array.shape[len(letters) :])), len(self.axes), row)

    def __call__(self, tree: m.Math) -> Value:
        return getattr(self, f"read_{type(tree).__name__.lower()}")(tree)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("read_"):
            raise Untold("a list of elements")
        raise AttributeError(name)

    # -- leaves
    def read_num(self, tree: m.Num) -> Value:
        return self.value(self.number(tree.value))

    def read_sym(self, tree: m.Sym) -> Value:
        if tree == self.world.called_rate:
            return self.value(self.world.rate)
        if tree.row is None and tree == self.world.called_upstream and self.delta is not None:
            return self.delta  # type: ignore[no-any-return]
        if tree.row is None:
            raise Untold("a name that stands for no row")
        if tree.entry:
            return self.item(self.over(*self.world.of(tree.row)), _places(tree))
        return self._right_shape(self.over(*self.world.of(tree.row)), tree)

    def _right_shape(self, value: Value, tree: m.Sym) -> Value:
        if value.shape != self.numbers(tree.shape):
            raise Wrong(f"{tree.name} has the shape {value.shape}, not {tree.shape}")
        return value

    def read_letter(self, tree: m.Letter) -> Value:
        if tree.name not in self.bound:
            raise Wrong(f"the letter {tree.name} is bound nowhere")
        return self.over([tree.name], np.arange(self.bound[tree.name]))

    def read_fill(self, tree: m.Fill) -> Value:
        return self.value(np.full(self.numbers(tree.shape.sizes), self.number(tree.value)))

    def read_identity(self, tree: m.Identity) -> Value:
        return self.value(np.eye(*self.numbers([tree.size])))

    def read_link(self, tree: m.Link) -> Value:
        return self(tree.body)

    # What prints as its body alone says no more than its body.
    read_shaped = read_link

    # -- arithmetic
    def together(self, what: str, apply: Callable[..., Array], *values: Value) -> Value:
        """Entry by entry: all of one shape, or numbers."""
        values = tuple([self.number_of(v) for v in values])
        arrays = [v for v in values if v.shape]
        if len({(v.shape, v.row) for v in arrays}) > 1:
            raise Wrong(f"{what} of the shapes " + ", ".join("×".join(map(str, v.said)) for v in arrays))
        rank = max((len(v.shape) for v in values), default=0)
        full = [v.array.reshape((*v.array.shape, *(1,) * (rank - len(v.shape)))) for v in values]
        return Value(np.asarray(apply(*full)), len(self.axes), any(v.row for v in values))

    def read_sum(self, tree: m.Sum) -> Value:
        terms = [self._signed(negative, self(t)) for negative, t in tree.terms]
        return reduce(lambda a, b: self.together("+", np.add, a, b), terms)

    def _signed(self, negative: bool, value: Value) -> Value:
        return Value(-value.array, value.letters, value.row) if negative else value

    def read_prod(self, tree: m.Prod) -> Value:
        whole = reduce(lambda a, b: self.together("⊙", np.multiply, a, b), [self(x) for x in tree.factors])
        return self.together("·", np.multiply, self.value(self.number(tree.number)), whole)

    def read_frac(self, tree: m.Frac) -> Value:
        return self.together("/", np.divide, self(tree.top), self(tree.bottom))

    def read_pow(self, tree: m.Pow) -> Value:
        base, exponent = self(tree.base), self(tree.exponent)
        return self.together("^", np.power, Value(base.array.astype(float), base.letters, base.row), exponent)

    def read_chain(self, tree: m.Chain) -> Value:
        return reduce(self.times, [self(x) for x in tree.factors])

    def times(self, a: Value, b: Value) -> Value:
        """Factors of the chain rule: numbers, or Jacobian matrices from left to right."""
        if not a.shape or not b.shape:
            return self.together("·", np.multiply, a, b)
        return self.matmul(a, b)

    # -- arrays
    def read_matmul(self, tree: m.MatMul) -> Value:
        return self.matmul(self(tree.left), self(tree.right))

    def matmul(self, a: Value, b: Value) -> Value:
        """Vectors are columns; a product over the last axis of the left and the last but one of the right."""
        (x, s), (y, t) = self._matrix(a), self._matrix(b)
        if not a.shape or not b.shape:
            raise Wrong("a matrix product with a number")
        if s[-1] != t[-2]:
            raise Wrong(f"a matrix product of {a.said} and {b.said}")
        if len(a.shape) > 2 and len(b.shape) > 2 and s[:-2] != t[:-2]:
            raise Wrong(f"a matrix product of {a.said} and {b.said}")
        rank = max(len(s), len(t))
        x, y = (z.reshape((*z.shape[: len(self.axes)], *(1,) * (rank - len(d)), *d)) for z, d in ((x, s), (y, t)))
        return self._vector(x @ y, left=a.row, right=len(b.shape) == 1 and not b.row)

    def _matrix(self, v: Value) -> tuple[Array, tuple[int, ...]]:
        front = v.array.shape[: v.letters]
        shape = v.said if len(v.said) > 1 else (*v.said, 1)
        return v.array.reshape((*front, *shape)), shape

    def _vector(self, product: Array, left: bool, right: bool) -> Value:
        """A product with a row is a row, one with a column a column, both a number."""
        if left:
            product = product[..., 0, :]
        if right:
            product = product[..., 0]
        return Value(product, len(self.axes), left and not right)

    def read_outer(self, tree: m.Outer) -> Value:
        if tree.blocks:
            return self.kron(tree)
        a, b = self(tree.left), self(tree.right)
        if a.row or b.row:
            raise Wrong("an outer product with a row")
        x = a.array.reshape((*a.array.shape, *(1,) * len(b.shape)))
        y = b.array.reshape((*b.array.shape[: b.letters], *(1,) * len(a.shape), *b.shape))
        return Value(x * y, len(self.axes))

    def kron(self, tree: m.Outer) -> Value:
        a, b = (replace(x, array=x.array.reshape((*x.array.shape[: x.letters], *x.said)), row=False)
                for x in (self(tree.left), self(tree.right)))
        return each(self, np.kron, a, b)

    def read_transpose(self, tree: m.Transpose) -> Value:
        body = self(tree.body)
        if len(body.shape) == 1:
            return Value(body.array, body.letters, not body.row)
        if not body.shape:
            return body
        return Value(np.swapaxes(body.array, -1, -2), body.letters)

    def read_inverse(self, tree: m.Inverse) -> Value:
        body = self(tree.body)
        found = np.linalg.inv(body.array)
        return Value(np.swapaxes(found, -1, -2) if tree.flipped else found, body.letters)

    def read_commutation(self, tree: m.Commutation) -> Value:
        (n,) = self.numbers((tree.size,))
        eye = np.eye(n * n).reshape(n, n, n, n).swapaxes(0, 1).reshape(n * n, n * n)
        return Value(eye.reshape((*(1,) * len(self.axes), n * n, n * n)), len(self.axes))

    def read_big(self, tree: m.Big) -> Value:
        apply = {"sum": np.sum, "max": np.max, "prod": np.prod}[tree.sign]
        with self.binding(tree.letters, self.numbers(tree.sizes)):
            body = self(tree.body)
            array = np.broadcast_to(body.array, self._with(body, tree.letters))
        axes = tuple(self.axes[letter] for letter in tree.letters)
        return Value(apply(array, axis=axes, keepdims=True), body.letters, body.row)

    def _with(self, value: Value, letters: Sequence[str]) -> tuple[int, ...]:
        shape = list(value.array.shape)
        for letter in letters:
            shape[self.axes[letter]] = self.bound[letter]
        return tuple(shape)

    def read_array(self, tree: m.Array) -> Value:
        with self.binding(tree.letters, self.numbers(tree.sizes)):
            body = self(tree.body)
            if body.shape:
                raise Wrong("an entry that is an array")
            array = np.broadcast_to(body.array, self._with(body, tree.letters))
        places = [self.axes[letter] for letter in tree.letters]
        moved = np.moveaxis(array, places, range(-len(places), 0))
        for place in sorted(places):
            moved = np.expand_dims(moved, place)
        return Value(moved, len(self.axes))

    def read_entry(self, tree: m.Entry) -> Value:
        base = self(tree.base)
        return self.item(base, tree.index) if tree.left else self.entry(base, tree.index)

    def entry(self, base: Value, index: Sequence[m.Math]) -> Value:
        """One entry by letters: axes of size 1 have no index."""
        short = len(index) < len(base.shape) and len(index) == sum(size != 1 for size in base.shape)
        return self.item(_without_ones(base) if short else base, index)

    def read_item(self, tree: m.Item) -> Value:
        return self.item(self(tree.base), tree.index)

    def item(self, base: Value, index: Sequence[m.Math]) -> Value:
        """NumPy's indexing, at all letters at once; a place outside is 0."""
        return Indexing(self, base).run(list(index))

    def read_place(self, tree: m.Place) -> Value:
        terms = [self._signed(False, self.together("·", np.multiply, self.value(factor), self(letter)))
                 if letter is not None else self.value(factor) for factor, letter in tree.terms]
        total = reduce(lambda a, b: self.together("+", np.add, a, b), terms)
        return Value(total.array / tree.over, total.letters)

    def read_matrix(self, tree: m.Matrix) -> Value:
        rows = [[self(x) for x in row] for row in tree.rows]
        if any(x.shape for row in rows for x in row):
            raise Wrong("a matrix with entries that are arrays")
        flat = np.broadcast_arrays(*[x.array for row in rows for x in row])
        return Value(np.stack(flat, -1).reshape((*flat[0].shape, len(rows), len(rows[0]))), len(self.axes))

    def read_vector(self, tree: m.Vector) -> Value:
        items = [self(x) for x in tree.items]
        if any(x.shape != items[0].shape for x in items):
            raise Wrong("a list of arrays of several shapes")
        flat = np.broadcast_arrays(*[x.array for x in items])
        return Value(np.stack(flat, len(self.axes)), len(self.axes))

    # -- functions
    def read_fn(self, tree: m.Fn) -> Value:
        if tree.prime or not tree.args:
            raise Untold("a function without its argument")
        record = TABLE[tree.name]
        args = [self(a) for a in (*tree.args, *tree.hidden)]
        return self.together(tree.name, lambda *arrays: record.reference(np, *arrays), *args)

    def read_relation(self, tree: m.Relation) -> Value:
        if tree.sign not in RELATIONS:
            raise Untold(f"the relation {tree.sign}")
        return self.together(tree.sign, RELATIONS[tree.sign], self(tree.left), self(tree.right))

    def read_indicator(self, tree: m.Indicator) -> Value:
        holds = self(tree.holds)
        return Value((holds.array != 0).astype(float), holds.letters, holds.row)

    def read_likelihood(self, tree: m.Likelihood) -> Value:
        return self.together("likelihood", lambda p, y: y * np.log(p) + (1 - y) * np.log(1 - p),
                             self(tree.p), self(tree.y))

    def read_bars(self, tree: m.Bars) -> Value:
        body = self(tree.body)
        axes = tuple(range(body.letters, body.array.ndim))
        return Value(np.sqrt((body.array.astype(float) ** 2).sum(axes)), body.letters)

    def read_op(self, tree: m.Op) -> Value:
        args = [a for a in tree.args if not isinstance(a, m.Option)]
        options = {a.key: a.value for a in tree.args if isinstance(a, m.Option)}
        if tree.name not in FUNCTIONS:
            raise Untold(f"the function {tree.name}")
        return FUNCTIONS[tree.name](self, args, options, tree.below)  # type: ignore[no-any-return]

    # -- derivatives
    def read_derivative(self, tree: m.Derivative, direct: bool = False) -> Value:
        if tree.sign == "∇":
            found = self._gradient(_base(tree.bottom)[0])
            return Value(found.array, found.letters)
        if isinstance(tree.bottom, m.Op) and tree.bottom.name == "vec":
            return self._of_rows(tree)
        (top, above), (bottom, below) = _base(tree.top), _base(tree.bottom)
        if self.world.is_gradient(tree) and not direct:
            found = self._gradient(bottom)
            return self.entry(Value(found.array, found.letters), below) if below else found  # in an entry of no row
        letters, array = self.world.jacobian(_row(top), _row(bottom), tree.sign == "∂")
        whole = self.over(letters, array)
        split = len(shape_of(top))
        spans = [m.Span()] * (split - len(above)) if len(above) < sum(d != 1 for d in shape_of(top)) else []
        if above or below:
            return self.item(_without_ones(whole) if not spans else whole, [*above, *spans, *below])
        whole = self.number_of(whole)
        if not whole.shape or not split or split == len(whole.shape) == 1:
            row = len(whole.shape) == 1 and not split and (self.world.rows or not direct)
            return Value(whole.array, whole.letters, row)
        if split == 1 and len(whole.shape) == 2:
            return whole
        raise Untold("a Jacobian with more than two axes")

    def _of_rows(self, tree: m.Derivative) -> Value:
        """∂vec(Y)/∂vec(W): a matrix."""
        top, bottom = (x.args[0] if isinstance(x, m.Op) else x for x in (tree.top, tree.bottom))
        whole = self.over(*self.world.jacobian(_row(top), _row(bottom), tree.sign == "∂"))
        front, split = whole.array.shape[: whole.letters], len(shape_of(top))
        sizes = [int(np.prod(x)) for x in (whole.shape[:split], whole.shape[split:])]
        return Value(whole.array.reshape((*front, *sizes)), whole.letters)

    def read_second(self, tree: m.Second, curvature: bool = False) -> Value:
        """∂²L/∂vec(W)∂vec(V)ᵀ: a matrix, a vector beside a number; entries where both are entries. Of ``curvature`` as
        far as the Gauss–Newton matrix tells it."""
        column = tree.column.body if isinstance(tree.column, m.Transpose) else tree.column
        (top, above), (bottom, below) = (_base(x.args[0] if isinstance(x, m.Op) else x) for x in (tree.row, column))
        found = self.world.gauss_newton if curvature else self.world.second
        whole = self.over(*found(_row(top), _row(bottom)))
        if above or below:
            return self.item(_without_ones(whole), [*above, *below])
        front, split = whole.array.shape[: whole.letters], len(shape_of(top))
        sizes = [int(np.prod(x)) for x in (whole.shape[:split], whole.shape[split:]) if x]
        return Value(whole.array.reshape((*front, *sizes)), whole.letters)

    def _gradient(self, bottom: m.Math) -> Value:
        return self.number_of(self.over(*self.world.gradient(_row(bottom))))

    def number_of(self, value: Value) -> Value:
        """Where axes of size 1 count for nothing, an array of one entry is a number."""
        return _without_ones(value) if self.squeezes and set(value.shape) == {1} else value

    def read_marked(self, tree: m.Marked) -> Value:
        inner = tree.body.body if isinstance(tree.body, m.Link) else tree.body
        if tree.word == "GN" and isinstance(inner, m.Second):
            return self.read_second(inner, curvature=True)
        if tree.word == "direct" and isinstance(inner, m.Derivative):
            return self.read_derivative(inner, direct=True)
        if tree.word == "given" and isinstance(inner, m.Derivative):
            letters, array = self.world.given(_row(inner.bottom))
            return self.over(letters, array, self.world.rows and np.ndim(array) - len(letters) == 1)
        if tree.word == "old":
            return self(tree.body)
        of = inner.bottom if isinstance(inner, m.Derivative) else inner.of if isinstance(inner, m.Delta) else None
        if tree.word == "later" and of is not None:
            symbol = _base(of)[0]
            letters, array = self.world.later(_row(symbol), symbol.name if isinstance(symbol, m.Sym) else "")
            return self.over(letters, array, self.world.rows and np.ndim(array) - len(letters) == 1)
        raise Untold(f"what is marked {tree.word}")

    def read_atstep(self, tree: m.AtStep) -> Value:
        inner = tree.body.body if isinstance(tree.body, m.Link) else tree.body
        if tree.steps is None:
            is_share = isinstance(inner, m.Derivative)
            stack = self(inner)
            if is_share:
                return stack
            found = self.item(Value(stack.array, stack.letters), [m.Letter(tree.letter)])
            return Value(found.array, found.letters, self.world.rows and len(found.shape) == 1)
        with self.binding([tree.letter], [self.world.steps(tree.letter)]):
            value = self(inner)
            array = np.broadcast_to(value.array, self._with(value, [tree.letter]))
        stack = np.moveaxis(array, self.axes[tree.letter], value.letters - 1)
        stack = np.expand_dims(stack, self.axes[tree.letter])
        if isinstance(tree.steps, m.Range):
            return Value(stack, value.letters)
        place = int(self.number(_number(tree.steps))) - 1
        return Value(stack[(slice(None),) * value.letters + (place,)], value.letters, value.row)

    def read_delta(self, tree: m.Delta) -> Value:
        if tree.of is not None:
            return self._gradient(_base(tree.of)[0])
        if self.delta is None:
            raise Untold("an upstream gradient without a name")
        return self.delta  # type: ignore[no-any-return]


class Indexing:
    """One subscript: the axes of the letters stay, every axis of the base is read at its index."""

    def __init__(self, reader: Reader, base: Value) -> None:
        self.reader, self.base, self.n = reader, base, len(reader.axes)
        self.places: list[tuple[Array, list[int]]] = []  # places along an axis, the axes of the result that they span
        self.out = 0
        self.inside: list[tuple[Array, list[int]]] = []

    def run(self, index: list[m.Math]) -> Value:
        shape = list(self.base.said if self.base.row else self.base.shape)
        taken = sum(not _is_new(x) for x in index)
        if taken > len(shape):
            raise Wrong(f"{taken} indices of an array of shape {tuple(shape)}")
        index = [*index, *[m.Span()] * (len(shape) - taken)]
        axis = 0
        for x in index:
            if _is_new(x):
                self.out += 1
                continue
            self._axis(x, shape[axis])
            axis += 1
        return self._read(shape)

    def _axis(self, x: m.Math, size: int) -> None:
        if isinstance(x, m.Span):
            start, stop = (None if p is None else int(self.reader(p).array.item()) for p in (x.start, x.stop))
            found = np.arange(size)[slice(start, stop, x.step)]
            self._put(found.reshape((1,) * self.n + found.shape), 1)
            return
        if isinstance(x, m.Letter) and self.reader.bound.get(x.name, size) != size:
            raise Wrong(f"{x.name} runs over {self.reader.bound[x.name]} entries, the axis has {size}")
        value = self.reader(x)
        self._put(np.where(value.array < 0, np.nan, value.array) if isinstance(x, m.Place) else value.array,
                  len(value.shape))

    def _put(self, places: Array, axes: int) -> None:
        self.places.append((places, list(range(self.out, self.out + axes))))
        self.out += axes

    def _read(self, shape: list[int]) -> Value:
        front = self.base.array.shape[: self.n]
        array = self.base.array.reshape((*front, *shape))
        places: list[Array] = [np.arange(size).reshape([-1 if j == k else 1 for j in range(self.n + self.out)])
                               if size > 1 else np.zeros((1,) * (self.n + self.out), int)
                               for k, size in enumerate(front)]
        inside: Array = np.True_
        for (found, axes), size in zip(self.places, shape, strict=True):
            wide = [1] * self.out
            for k, a in enumerate(axes):
                wide[a] = found.shape[self.n + k]
            spread = found.reshape((*found.shape[: self.n], *wide))
            whole = np.round(np.nan_to_num(spread, nan=size)).astype(int)
            good = (whole == spread) & (whole >= -size) & (whole < size)
            inside = inside & good
            places.append(np.where(good, whole, 0))
        found = array[tuple(np.broadcast_arrays(*places))] if places else array.reshape((1,) * self.out)
        return Value(np.where(inside, found, np.zeros((), found.dtype)), self.n)


def _is_new(x: m.Math) -> bool:
    return x == m.Words("None")


def _letters(tree: m.Math) -> Iterator[str]:
    for x in m.walk(tree):
        if isinstance(x, m.Letter):
            yield x.name
        elif isinstance(x, (m.Big, m.Array)):
            yield from x.letters
        elif isinstance(x, (m.AtStep, m.Range)):
            yield x.letter


def _base(tree: m.Math) -> tuple[m.Math, Sequence[m.Math]]:
    """What an entry is taken of, and where."""
    while isinstance(tree, (m.Link, m.Shaped)):
        tree = tree.body
    if isinstance(tree, m.Entry):
        return _base(tree.base)[0], tree.index
    return tree, _places(tree) if isinstance(tree, m.Sym) else ()


def _places(tree: m.Sym) -> list[m.Math]:
    """The indices of the entry that a name stands for."""
    return [m.Num(sp.Integer(k - 1)) for k in tree.entry]


def _without_ones(value: Value) -> Value:
    kept = [size for size in value.shape if size != 1]
    return Value(value.array.reshape((*value.array.shape[: value.letters], *kept)), value.letters)


def _number(tree: m.Math) -> sp.Expr:
    if not isinstance(tree, m.Num):
        raise Untold("a step that is no number")
    return tree.value


def shape_of(tree: m.Math) -> Sequence[sp.Expr]:
    tree = _base(tree)[0]
    if isinstance(tree, (m.Derivative, m.Delta)):
        inner = tree.bottom if isinstance(tree, m.Derivative) else tree.of
        return shape_of(inner) if inner is not None else ()
    if isinstance(tree, m.Marked):
        return shape_of(tree.body)
    return tree.shape if isinstance(tree, m.Sym) else ()


def _row(tree: m.Math) -> int:
    if not isinstance(tree, m.Sym) or tree.row is None:
        raise Untold(f"a derivative of {type(tree).__name__.lower()}")
    return tree.row
