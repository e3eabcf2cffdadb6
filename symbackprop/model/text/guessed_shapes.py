"""The shapes of what an expression or a text does not declare, as far as they can be told from what is done with it.

Where no line multiplies, transposes or reduces arrays, all are numbers; else capitals are matrices, small letters
vectors, Greek letters numbers, unless an operator asks for more, and their sizes are what the operators ask for.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import reduce
from itertools import accumulate, chain, count, zip_longest
from typing import TypeAlias, TypeGuard

import sympy as sp

from symbackprop.core.functions.words import meant
from symbackprop.core.registry import composed
from symbackprop.core.scalars import TABLE
from symbackprop.errors import ModelError, Place, ShapeError
from symbackprop.model.names import is_greek, sounds_like_data
from symbackprop.model.text import dialect, tree
from symbackprop.model.text.calls import NUMPY, asked_sizes, callee
from symbackprop.model.text.characters import COUNTED
from symbackprop.model.text.chosen import is_mask
from symbackprop.model.text.languages import R, along
from symbackprop.model.text.sizes import SIGNS, Shape, Size, Sizes, is_fixed, plain, written
from symbackprop.model.text.spellings import PLACES
from symbackprop.model.text.trials import is_by_entry, least_equal, least_rank, shape_of, with_number
from symbackprop.patterns import lazy

_TARGETS = lazy(r"[yt].*|label.*")  # of the data, what is compared with results
_WEIGHTS = lazy(r"w.*|.*(weight|kernel).*")  # of these a weight
_STATES = lazy(r".*prev.*")  # of a step before
_MATRICES = lazy(r"trans(ition)?s?|.*_matrix|\w+_W\d?")  # what is called so is one
_NUMBERS = ("temperature", "temp", "lr", "reg", "discount", "margin", "logit_scale")  # likewise
_SIZES = ("N", "D", "H", "K", "M", "P", "Q", "R", "S", "T")
_COUNTS = ("N", "D", "K", "M", "T")  # numbers where nothing but a division has them
_WIDTHS = ("d", "d_k", "dk", "d_head", "n", "m")  # numbers there, too, beside arrays
_TURNS = ("swapaxes", "transpose")  # what has the axes of its argument in another order
_FIRST = tree.String("NCHW")
_WHOLE = (tree.Slice(None, None, None), tree.Slice(tree.ZERO, None, None),
          tree.Slice(None, None, tree.Negative(tree.ONE)))
_OF_TWO = (tree.PRODUCT, tree.BESIDE)  # which are of matrices where there are two arrays
_PRODUCTS = ("@", *_OF_TWO)
_BESIDE = "hstack"
_STACK = "stack"
_ARRAY = lazy("(as_?)?(array|tensor)")  # NumPy's and PyTorch's of what is listed
_CHANGED = "scatter"
_ALONG = "take_along_axis"
_APART = "unflatten"  # what has one size there already
_DIVISIONS = ("/", tree.QUOTIENT)
_MOST_AXES = 8  # what wants more wants ever more, as t in Z[t] * (t - t[y])
_NORM = "norm"
_PATTERN = "einsum"
_CLASSES = "one_hot"  # what is given integers
_CROSS_ENTROPY = "cross_entropy"  # compares with classes, as the next does
_LIKELIHOOD = "nll"
_SHARES = lazy(r"p|q|.*(prob|soft|dist|mix|smooth|one_?hot|teacher).*")  # targets called so are no classes
_RESHAPED = "reshape"
_ADDED = "index_add"
_PADDED = "pad"
_FILLED = "full_like"
_LIKE = "_like"  # what they end with that have the shape of another
_PRODUCT = "dot"  # what @ is as a function
Known: TypeAlias = dict[str, list[sp.Expr]]  # the shapes that are declared


class Shapes:
    """The shapes of leaves, sizes being equal where operators ask for it.

    ``ranks`` are how many axes each has: what is found to need more, behind @ or beside a matrix, gets them, and the
    equations are read again. ``counts`` are numbers that something is divided by, ``asked`` what functions take as
    sizes, ``known`` what is declared, ``sizes`` names of sizes with the array and the axis.
    """

    def __init__(self, body: Sequence[tree.Statement], leaves: Sequence[str], known: Known | None = None,
                 sizes: Mapping[str, tuple[str, int]] | None = None, numbers: Collection[str] = ()) -> None:
        self.known, self.given = known or {}, sizes or {}
        self.repeats = tree.Written(R) in body  # vectors, down the columns of a matrix
        shapes = [n for e in tree.equations(body) for n in _sizes_in_shapes(e.value)]
        self.labels = _labels(body, [*leaves, *self.known])
        body = tree.with_values(body, lambda value: _without_dots(value, [*leaves, *self.known]))
        equations = [*tree.equations(body)]
        bounds = [bound for loop in tree.loops(body) for bound in (loop.start, loop.stop)]
        asked = chain(shapes, *map(_sizes_in, bounds), *[_asked_sizes(e.value) for e in equations])
        self.asked = {n: None for n in [*asked, *self.given] if n in leaves or n in self.given}
        dims = {s.name for shape in self.known.values() for size in shape for s in size.free_symbols}
        self.asked |= dict.fromkeys(n for n in leaves if n in dims)
        leaves = [n for n in leaves if n not in self.asked]
        self.counts = _counts(equations) - self.asked.keys()
        axes = {base.name: len(items) for base, items in sorted(_indices(body), key=lambda found: len(found[1]))
                if isinstance(base, tree.Name)}
        axes |= {name: max(rank, axes.get(name, 0)) for name, rank in _axes_asked(body).items()}
        self.listed = _numbers_listed(body)
        self.numbers = _numbers_beside(body) | self.listed | {*numbers}
        self.ranks = _first_ranks(body, leaves, axes, self.counts | self.numbers, self.labels)
        inside = {n for e in equations for n in _inside_arrays(e.value)}
        self.apart = {n for n in leaves if n not in axes and n not in inside and self.ranks[n] == 1}
        self.ranks |= dict.fromkeys(self.apart, 0)
        self.in_loops = {e.target.name for loop in tree.loops(body) for e in tree.equations(loop.body)
                         if e.target.index is None}  # h[T], which is the last one, behind the loop
        self.masks = {e.target.name for e in equations if is_mask(e.value, ())}
        self.counting = {e.target.name for e in equations if _counts_up(e.value)}
        self.shares = set[str]()  # targets with a number for each class
        self.upright = set[str]()  # biases of which there is one column
        self.lettered = set[str]()  # leaves whose axes a pattern names
        self.columns = set[str]()  # leaves of one axis that stand as a column
        self._settle(body)
        rows = {self.found.end(shape[0]) for n, shape in self.leaves.items() if len(shape) == 2 and sounds_like_data(n)}
        biases = self._biases(equations, leaves, rows) if not self.repeats else []
        if biases and len(biases) < len(leaves):  # b beside X @ w, of which each row is a sample
            self.ranks |= dict.fromkeys(biases, 0)
            self.apart -= {*biases}
            self._settle(body)
        columns = {self.found.end(self.leaves[n][1]) for n in self.behind_weights}
        upright = self._biases(equations, leaves, columns, alone=True)
        if upright and not self.repeats:  # b beside W @ X, of which each column is one
            self.upright |= {*upright}
            self.ranks |= dict.fromkeys(upright, 2)
            self._settle(body)
        coefficients = self._coefficients(equations, leaves)
        if coefficients:
            self.numbers |= {*coefficients}
            self.ranks |= dict.fromkeys(coefficients, 0)
            self._settle(body)
        taken = {*self.asked, *self.known, *dims, *({*leaves, *self.values} - self.counts)}
        free = (s for k in count() for size in _SIZES if (s := f"{size}{k or ''}") not in taken)  # N … S, N1 …
        ends = self.found.ends(size for n in leaves for size in self.leaves[n])
        self.names = {end: n for n in [*self.given][::-1] for end in self.found.ends([self.sizes[n]])
                      if end == self.found.end(self.sizes[n]) and not is_fixed(end)}
        self.again = self.given.keys() - self.names.values()
        self.asked = {n: None for n in self.asked if n not in self.again}
        self.names |= zip([s for s in ends if not is_fixed(s) and s not in self.names], free, strict=False)

    def _biases(self, equations: Sequence[tree.Equation], leaves: Sequence[str], samples: Container[Size],
                alone: bool = False) -> list[str]:
        """The leaves with an entry for each sample that are added and in no product."""
        products = {n for e in equations for n in _in_products(e.value, alone)}
        summed = {n for e in equations for n in tree.mentioned(e.value)} - products
        return [n for n in leaves if n in summed and not sounds_like_data(n) and len(self.leaves[n]) == 1
                and self.found.end(self.leaves[n][0]) in samples]

    def _coefficients(self, equations: Sequence[tree.Equation], leaves: Sequence[str]) -> list[str]:
        """The parameters of one axis beside two data of samples, as w and b in ``mean((w*x + b - y)**2)``, where arrays
        are only added up."""
        vectors = [n for n in leaves if len(self.leaves[n]) == 1]
        data = {n for n in vectors if sounds_like_data(n)}
        arrays = [part for e in equations for part in tree.all_parts(e.value) if needs_arrays(part)]
        added_up = all(_adds_up(part) and data & {*tree.mentioned(part)} for part in arrays)
        return [n for n in vectors if n not in data] if len(data) > 1 and added_up else []

    def _settle(self, body: Sequence[tree.Statement]) -> None:
        """The shapes by ranks that nothing asks to be other ones. Raises `ShapeError` where something always does."""
        before: dict[str, int] | None = None
        while before != self.ranks:
            self.before = before = dict(self.ranks)
            self._read(body)
            if before == self.ranks and self.wishes:  # of which the others may come true with the first
                self.ranks |= self.wishes[0]
            large = next((n for n, rank in self.ranks.items() if rank > _MOST_AXES), None)
            if large is not None:
                raise ShapeError(f"how many axes {large} has cannot be guessed: declare its shape in a model text")

    def _read(self, body: Sequence[tree.Statement]) -> None:
        """The shapes of leaves and equations, by the ranks that are known."""
        self.found = Sizes()
        self.below: dict[str, Size] = {}
        self.behind_weights = dict[str, None]()  # data of two axes behind a matrix of parameters
        self.in_front = set[str]()  # data of one axis in front of a matrix
        self.weights = dict[str, None]()  # parameters in a product of two vectors
        self.wishes = list[dict[str, int]]()  # more axes for leaves, where nothing else gives what is read any
        self.dotted: dict[str, Size] = {}  # data in a product of two vectors, with its size
        self.sizes: dict[str, Size] = {n: self.found.fresh()[0] if n in self.given else n for n in self.asked}
        self.leaves = {n: self.found.fresh(rank) for n, rank in self.ranks.items()}
        self.leaves |= {n: [self.leaves[n][0], 1] for n in self.upright}
        self.leaves |= {n: [*map(self.found.size, shape)] for n, shape in self.known.items()}
        self.values: dict[str, Shape] = {}
        self.behind: dict[str, dict[str, int]] = {n: {n: 0} for n in self.ranks}
        self.where = set[str]()  # places that are computed
        self.steps: dict[str, Size] = {}
        self.read = list[tuple[Size, Size]]()  # sizes of axes, and how many entries loops read of them
        self.picks = dict[str, list[str]]()  # what is one place so far in what names are
        self.farthest: dict[str, dict[tuple[str, int], int]] = {}  # by counters, what their last step reads of names
        for size, (array, place) in self.given.items():
            self.ranks[array] = max(self.ranks[array], place + 1 if place >= 0 else -place)
            self.found.equate(self.sizes[size], *self.leaves[array][place:][:1])
        self._block(body)
        for axis, read in self.read:
            more = self.found.value(axis) - self.found.value(read)
            if not more.is_positive:
                self.found.equate(read, axis)

    def _block(self, body: Sequence[tree.Statement]) -> None:
        """Equations one after the other; those of a loop twice, which read what the step before gave."""
        for s in body:
            if isinstance(s, tree.For):
                steps = self._computed(s.start if s.stop == tree.ONE else s.stop)
                self.steps[s.variable] = self.found.fresh()[0] if steps is None else self.found.size(steps)
                self.farthest[s.variable] = _farthest(s)
                self._block(s.body)
                self._block(s.body)
            elif isinstance(s, tree.Equation):
                self._equation(s)

    def _equation(self, s: tree.Equation) -> None:
        listed = isinstance(s.value, tree.Call)  # as an array
        name, size, shape = s.target.name, self._size_of(s.value), (self._side if listed else self.of)(s.value)
        counter = s.target.index.name if isinstance(s.target.index, tree.Name) else ""
        step = [] if s.target.index is None else [self.steps.get(counter) or self.found.fresh()[0]]
        self.values[name] = [*step, *shape]
        behind = {n: picked - len(step) for n, picked in self._leaves_in(s.value).items()}
        self.behind[name] = behind | self.behind.get(name, {})
        self.picks[name] = self._places(s.value)
        self.where |= {name} if self._is_found(_first_of_two(s.value, self.leaves)) else set()
        if size is not None:
            self.sizes[name] = size

    def named(self, name: str) -> Shape:
        """The shape of a leaf, in sizes that can be declared."""
        return [self.size(s) for s in self.leaves[name]]

    def other_names(self) -> dict[str, Size]:
        """Names of sizes that have others, or are computed, each with what it is."""
        return {n: self.size(self.sizes[n]) for n in self.again}

    def size(self, size: Size) -> Size:
        names = {sp.Symbol(end): sp.Symbol(name) for end, name in self.names.items()}
        return plain(self.found.value(size).xreplace(names))

    def of(self, expr: tree.Expr) -> Shape:
        """The shape of an expression. Raises `ShapeError` where a matrix product has a number in it."""
        match expr:
            case tree.Name(name):
                return self.values.get(name) or self.leaves.get(name) or []
            case tree.Chain():
                return self._chained(expr)
            case tree.Negative(body) | tree.Power(body, tree.Number()):
                return self.of(body)
            case tree.Power(body, exponent):
                return self._alike([body, exponent])
            case tree.Transpose(body):
                return self.of(body)[::-1]
            case tree.Compare(_, left, right):
                return self._alike([left, right])
            case tree.Index(tree.Tuple(several), (tree.Number(sp.Integer() as place),)) if place < len(several):
                return self.of(several[int(place)])
            case tree.Index(base, (item,)) if is_mask(item, self.masks):
                return self._chosen(base, item)
            case tree.Index(base, items):
                first = dialect.first_of_two(expr, self.leaves)
                if first is not None:
                    return self.of(first)
                return self._called(base, items) if _gives_several(base) else self._indexed(base, items)
            case tree.Member() if (like := dialect.noise_like(expr)) is not None:
                return self.of(like)
            case tree.Member():
                plain = _plain(expr, self.leaves)
                return [] if isinstance(plain, tree.Member) else self.of(plain)
            case tree.Call() if _items(expr):  # of numbers too
                return self._side(expr)
            case tree.Call():
                return self._called(expr)
            case tree.Tuple(items):
                for item in items:
                    self.of(item)
        return []

    def _side(self, expr: tree.Expr) -> Shape:
        """The shape of an operand, in which what is listed in brackets is an array."""
        if not _items(expr):
            return self.of(expr)
        shapes = [*map(self._side, _items(expr))]
        rank = max(map(len, shapes))
        few = [item for item, shape in zip(_items(expr), shapes, strict=True) if not shape] if rank else []
        if few and self.before == self.ranks:  # a row in front of others
            self._with_axes(self._leaves_in(few[0]), few[0], rank)
        return [len(shapes), *([] if few or not rank else self._same(shapes))]

    def _chained(self, expr: tree.Chain) -> Shape:
        if all(sign not in _PRODUCTS for sign, _ in expr.rest):
            return self._alike([expr.first, *[part for _, part in expr.rest]])
        shape, left, row = self._side(expr.first), expr.first, False
        for k, (sign, right) in enumerate(expr.rest):
            other = self._side(right)
            row = len(shape) == 1 and (row or isinstance(left, tree.Transpose))  # it has a column at its end, xᵀA y
            of_arrays = sign == "@" or (sign in _OF_TWO and (
                (row and sign == tree.BESIDE and isinstance(right, tree.Name))
                or self._of_arrays(sign, (left, shape), (right, other))))
            if of_arrays:
                self._widen([left] * (not shape) + [right] * (not other) + [*_means(left), *_means(right)], 1)
            if sign in _OF_TWO and isinstance(right, tree.Transpose) and len(shape) == len(other) == 1:
                shape, left = [*shape, *other], right
                continue
            if sign == "@" and left is expr.first:
                self._see_rows((left, shape), (right, other))
            if len(shape) == len(other) == 1 and of_arrays:
                self._see_weights(*[left] * (not k), right)
            if of_arrays and not (shape and other):
                self._wish_columns(right if shape else replace(expr, rest=expr.rest[:k]) if k else left)
            shape, left = self._product(shape, other, expr.place) if of_arrays else self._same([shape, other]), right
        return shape

    def _see_rows(self, *sides: tuple[tree.Expr, Shape]) -> None:
        """Which of two factors may have more rows than it is known to have: x in ``x @ w`` and in ``x @ W``."""
        (left, shape), (right, other) = sides
        data = [e.name for e, _ in sides if isinstance(e, tree.Name) and sounds_like_data(e.name)]
        if len(shape) == len(other) == len(data) == 1:
            self.dotted |= dict.fromkeys(data, shape[0])
        elif (len(shape), len(other)) == (1, 2) and isinstance(left, tree.Name) and left.name in data:
            self.in_front.add(left.name)
        elif (len(shape), len(other)) == (2, 2) and isinstance(right, tree.Name) and [right.name] == data and (
                right.name in self.leaves):
            self.behind_weights[right.name] = None

    def _see_weights(self, *sides: tree.Expr) -> None:
        """The parameter in a product of two vectors that is a matrix if the product is multiplied again."""
        names = [e.name for e in sides if isinstance(e, tree.Name) and e.name in self.leaves]
        weights = [n for n in names if _WEIGHTS.fullmatch(n)] or [n for n in names if not sounds_like_data(n)]
        self.weights |= dict.fromkeys(weights[-1:])

    def _wish_columns(self, number: tree.Expr) -> None:
        """What is multiplied as an array has axes: the weights have a column for each entry of it, ``w1`` in
        ``relu(x @ w1) @ w2``, or else what comes first in it a row."""
        leaves = {n: None for n in self._leaves_in(number) if n not in self.numbers}
        several = [n for n in leaves if n in self.weights] or [*leaves][:1]
        self.wishes += [{n: self.ranks[n] + 1 for n in several}] * bool(several)

    def _of_arrays(self, sign: str, *sides: tuple[tree.Expr, Shape]) -> bool:
        """Whether a product is one of matrices, which it is where there are two arrays: a matrix has a vector behind it
        on paper, also one with a Greek letter."""
        (left, shape), (right, other) = sides
        beside = sign == tree.BESIDE and not isinstance(right, tree.Number)
        if beside and (isinstance(left, tree.Transpose) or (len(shape) > 1 and isinstance(right, tree.Name)) or (
                isinstance(right, tree.Transpose) and isinstance(left, tree.Name) and _rank(left.name) > 1)):
            return True
        number = self._is_number(right if shape else left)
        return bool(shape and other) or (max(len(shape), len(other)) > 1 and not number)

    def _columns(self, terms: Sequence[tuple[tree.Expr, Shape]]) -> None:
        """Beside a product that is a column, ``W @ x`` of such an x, what would have one axis is a column too."""
        if not any(len(shape) == 2 and self.found.value(shape[1]) == 1 and _last(e) is not e for e, shape in terms):
            return
        for expr, shape in terms:
            names = self._leaves_in(_last(expr)).keys()
            if len(shape) == 1:
                self._widen([_last(expr)], 2)
                self.columns |= names
            elif len(shape) == 2 and names and names <= self.columns:
                self.found.equate(shape[1], 1)

    def _spread(self, terms: Sequence[tuple[tree.Expr, Shape]]) -> None:
        """Beside a vector of another size x in ``x @ w`` has a row for each of its entries, as in
        ``mean((x @ w - y)**2)``."""
        sizes = {self.found.end(size) for _, shape in terms for size in shape[-1:]}
        for expr, shape in terms if sizes else ():
            if not shape:
                self._give_rows(expr, sizes)

    def _give_rows(self, number: tree.Expr, sizes: Container[Size] = ()) -> None:
        for name in self._leaves_in(number).keys() & self.dotted.keys():
            if self.found.end(self.dotted[name]) not in sizes:
                self.ranks[name] = max(self.ranks[name], 2)

    def _is_number(self, expr: tree.Expr) -> bool:
        """Whether it stays one, beside arrays too: ``(1/m) * X'``."""
        quotient = isinstance(expr, tree.Chain) and all(sign == tree.QUOTIENT for sign, _ in expr.rest)
        return quotient or not self._leaves_in(expr)

    def _alike(self, exprs: Sequence[tree.Expr], shapes: Sequence[Shape] | None = None) -> Shape:
        """The shape of what is combined entry by entry; targets have the shape of what they are beside."""
        shapes = [*map(self._side, exprs)] if shapes is None else shapes
        result = self._same(shapes)
        wide = {n for e, s in zip(exprs, shapes, strict=True) if len(s) == len(result) for n in self._leaves_in(e)}
        for e, shape in zip(exprs, shapes, strict=True):
            if shape and len(shape) < len(result) and not isinstance(e, tree.Name):
                narrow = self._leaves_in(e).keys() - wide  # X[y] has fewer axes than X, whatever X has
                self._with_axes([n for n in self._leaves_in(e) if sounds_like_data(n) and n in narrow], e, len(result))
        bodies = [e.body if isinstance(e, tree.Negative) else e for e in exprs]
        self._columns([*zip(bodies, shapes, strict=True)])
        self._spread([*zip(bodies, shapes, strict=True)])
        leaves = [(e, shape) for e, shape in zip(bodies, shapes, strict=True)
                  if isinstance(e, tree.Name) and e.name in self.leaves]
        self._widen([e for e, _ in leaves if e.name in self.apart], min(len(result), 1))
        self._widen([e for e, shape in leaves if shape and (_STATES.fullmatch(e.name) or (
            sounds_like_data(e.name) and _TARGETS.fullmatch(e.name)))], len(result))
        return result

    def _widen(self, exprs: Sequence[tree.Expr], rank: int) -> None:
        """The leaves in these have so many axes at least, when the equations are read again."""
        for name, picked in [found for expr in exprs for found in self._leaves_in(expr).items()]:
            if name not in self.numbers:
                self.ranks[name] = max(self.ranks[name], rank + picked)

    def _leaves_in(self, expr: tree.Expr) -> dict[str, int]:
        """The leaves that an expression is made of, each with how many axes of it are gone where an index stands."""
        if isinstance(expr, tree.Name):
            return self.behind.get(expr.name, {})
        if dialect.size_asked(expr) is not None:  # of which no axis is one of it
            return {}
        one = _first_of_two(expr, self.leaves)
        if one is not expr:
            return self._leaves_in(one)
        if isinstance(expr, tree.Index):
            whole = isinstance(expr.base, tree.Tuple) or _gives_several(expr.base)
            whole |= is_mask(expr.items[0], self.masks)
            picked = 0 if whole else sum(not isinstance(item, (tree.Slice, tree.Word)) for item in expr.items)
            return {n: before + picked for n, before in self._leaves_in(expr.base).items()}
        found = [self._leaves_in(part) for part in tree.parts(expr)]
        return {n: max(leaves[n] for leaves in found if n in leaves) for n in dict.fromkeys(chain(*found))}

    def _size_of(self, expr: tree.Expr) -> Size | None:
        """The size that an expression is: a name for one, ``len(y)``, ``X.shape[0]``; None for anything else."""
        match expr:
            case tree.Name(name):
                return self.sizes.get(name)
            case tree.Number(sp.Integer() as value):
                return int(value)
        asked = dialect.size_asked(expr)
        if asked is None:
            return None
        whole, place = asked
        shape = self.of(whole)
        return shape[place] if -len(shape) <= place < len(shape) else None

    def _of_all(self, call: tree.Call) -> tree.Call:
        """A call of all entries of arrays of which truth values choose some."""
        args = tuple([a.base if isinstance(a, tree.Index) and is_mask(a.items[0], self.masks) else a
                      for a in call.args])
        if args == call.args:
            return call
        for arg in call.args:
            self.of(arg)
        return replace(call, args=args)

    def _chosen(self, base: tree.Expr, mask: tree.Expr) -> Shape:
        """What truth values choose of an array, as long as all of it: they are of its first axes."""
        shape, chosen = self.of(base), self.of(mask)
        if not chosen:
            self._widen([tree.Name(n) for n in self._leaves_in(mask) if not is_greek(n)], 1)
        if len(shape) < len(chosen):
            self._widen([base], len(chosen))
        for size, other in zip(shape, chosen, strict=False):
            self.found.equate(size, other)
        return shape

    def _picked(self, base: tree.Expr, items: Sequence[tree.Expr]) -> Shape:
        """What ``p[arange(N), y]`` leaves: an entry of each row, of which y says which it is."""
        shape, data = self.of(base), {n for n in self._leaves_in(base) if sounds_like_data(n)}
        if len(shape) < len(items):  # of a sample; of several each array of data has an axis more
            self.ranks |= {n: self.before[n] + 1 for n in data}
        picked: Size = next(self._size_of(i.args[0]) for i in items if _counts_up(i)) or self.found.fresh()[0]
        for size, item in zip(shape, items, strict=False):
            if _counts_up(item):
                self.found.equate(picked, size)
            elif isinstance(item, tree.Name) and item.name in self.leaves:
                self.below.setdefault(item.name, size)
                self.found.equate(picked, *self.leaves[item.name][:1])
        return [picked, *shape[len(items) :]]

    def _indexed(self, base: tree.Expr, items: Sequence[tree.Expr]) -> Shape:
        """What an index leaves; a name in it is a whole number below the size of its axis."""
        if any(map(_counts_up, items)):
            return self._picked(base, items)
        rest, found = [*self.of(base)], Shape()
        wanted = sum(not isinstance(item, tree.Word) for item in items)
        if len(rest) < wanted:
            self._wish_entries(base, wanted)
        for axis, item in zip(accumulate(not isinstance(i, tree.Word) for i in items), items, strict=True):
            if isinstance(item, tree.Word):
                found += [1] if item.value is None else rest[: len(rest) - len(items) + 1]
                rest = rest if item.value is None else rest[len(rest) - len(items) + 1 :]
                continue
            size = rest.pop(0) if rest else self.found.fresh()[0]
            found += [self._sliced(item, size)] if isinstance(item, tree.Slice) else []
            match item:
                case tree.Name(name) | tree.Index(tree.Name(name)) if name in self.leaves:  # ids, ids[t]
                    self.found.equate(self.below.setdefault(name, size), size)  # u[i] and b[i]
                    places = self.of(item)
                    found += places[len(found) :] if item == items[0] else []
            for counter, steps in self.steps.items():
                ahead = _ahead(item, counter)
                name = base.name if isinstance(base, tree.Name) else ""
                last = 0 if ahead is None else self.farthest[counter].get((name, axis), ahead)
                if ahead is not None and ahead == last >= 0:  # which the last step has too
                    self.read.append((size, self.found.size(self.found.value(steps) + ahead)))
        return [*found, *rest]

    def _wish_entries(self, expr: tree.Expr, rank: int) -> None:
        """An expression has so many axes: what a number picked is what several pick, or the array has them."""
        several = self._places(expr)[:1]
        last = isinstance(expr, tree.Index) and isinstance(expr.base, tree.Name) and expr.base.name in self.in_loops
        if last or (isinstance(expr, tree.Member) and expr.args is None):  # of which the steps are no axis; a shape
            return
        self.wishes.append({several[0]: 1} if several else self._needed(self._leaves_in(expr), expr, rank))

    def _places(self, expr: tree.Expr) -> list[str]:
        """The places in what is computed by entry of what is picked there, which are one place so far."""
        match expr:
            case tree.Name(name):
                return self.picks.get(name, [])
            case tree.Index(base, items):
                own = [i.name for i in items if isinstance(i, tree.Name) and self.ranks.get(i.name) == 0]
                return own or self._places(base)
            case tree.Call() if _plain_name(expr) not in TABLE:
                return []
            case tree.Chain(first, ((sign, _), *_)) if sign in _PRODUCTS:
                return self._places(first) if sign == "@" else []
        return [*dict.fromkeys(chain.from_iterable(map(self._places, tree.parts(expr))))]

    def _sliced(self, part: tree.Slice, size: Size) -> Size:
        """How many entries of an axis a slice takes."""
        if part in _WHOLE:
            return size
        ends = [(_from(part.start, counter), _from(part.stop, counter)) for counter in self.steps]
        width = next((stop - start for start, stop in ends if start is not None and stop is not None), None)
        if width is not None and width > 0 and part.step is None:
            return width
        start, stop = (None if end is None else self._computed(end) for end in (part.start, part.stop))
        if part.step is not None or (start is None) != (part.start is None) or (stop is None) != (part.stop is None):
            return self.found.fresh()[0]
        whole = self.found.value(size)
        first, end = (whole + x if x.is_negative else x for x in (start or sp.S.Zero, whole if stop is None else stop))
        if end.is_Integer and whole.is_Integer:
            end = min(end, whole)
        return self.found.size(end - first)

    def _computed(self, expr: tree.Expr) -> sp.Expr | None:
        """A size that is computed of others, or a number; None where it is neither."""
        match expr:
            case tree.Negative(body):
                value = self._computed(body)
                return None if value is None else -value
            case tree.Chain(first, rest) if all(sign in SIGNS for sign, _ in rest):
                parts = [*map(self._computed, (first, *[part for _, part in rest]))]
                values = [part for part in parts if part is not None]
                signs = [sign for sign, _ in rest]
                return None if len(values) < len(parts) else reduce(
                    lambda a, b: SIGNS[b[0]](a, b[1]), zip(signs, values[1:], strict=True), values[0])
        size = self._size_of(expr)
        return None if size is None else self.found.value(size)

    def _called(self, expr: tree.Call, entry: tuple[tree.Expr, ...] = ()) -> Shape:
        """What a function makes of arrays of these shapes, of several results the one of that number."""
        meant = dialect.called(expr)
        if meant is not None:
            return self.of(tree.Index(meant, entry) if entry else meant)
        name, expr = _plain_name(expr), self._of_all(expr)
        if _is_product(expr):
            return self.of(tree.Chain(expr.args[0], (("@", expr.args[1]),)))
        if name == "reshape" and isinstance(expr.args[0], tree.Name) and expr.args[0].name in self.ranks:
            self._as_reshaped(expr.args[0].name, expr.args[1:])
        match expr.args:
            case (tree.Tuple(items),) if items and name == _BESIDE:
                return self._beside(items)
            case (tree.String(pattern), *arrays) if name == _PATTERN:
                self._as_in_pattern(pattern, arrays)
            case (array, *filling) if name.endswith(_LIKE):
                return self._filled(array, filling)
            case (array, tree.Number(sp.Integer() as padded), _, whole) if name == _PADDED:
                return self._padded(array, int(padded), whole)
            case (array, place, *_) if name == _CHANGED:
                self._indexed(array, (place,))
                return self.of(array)
            case (array, tree.Negative(tree.Number(place)), tree.Tuple((only,))) if name == _APART:
                size = self._computed(only)
                for there in self.of(array)[-int(place) :][:1] if size is not None else ():
                    self.found.equate(there, self.found.size(size))
            case (array, tree.Name(place), source, *_) if name == _ADDED and place in self.leaves:
                return self._added_at(array, place, source, _axis_of(replace(expr, args=())) if expr.options else 0)
            case (array, places, *_) if name == _ALONG:
                return self._along(array, places, _axis_of(expr))
        expr = _one_by_one(expr, name)
        shapes = [self.of(a) for a in expr.args]
        if shapes == [[]] and _adds_up(expr):
            self._give_rows(expr)
        if name == _CLASSES and len(expr.args) > 1:
            size = self._size_of(expr.args[1])
            scores = [*shapes[0], self.found.fresh()[0] if size is None else size]
            self._classes(expr.args[0], scores, shapes[0])
            return scores
        axis = _axis_of(replace(expr, args=())) if _gives_several(expr) else -1
        if shapes and 0 < len(shapes[0]) <= axis and self.before == self.ranks:  # split(z, 4, axis=1)
            self._with_rank(expr.args[0], len(shapes[0]), axis + 1)
        expr = along(expr, shapes[0]) if shapes else expr
        self._fit(expr, shapes, composed(name).asks)
        if composed(name).target == 1 and [*map(len, shapes[:2])] == [1, 1] and not self._tried(expr, shapes):
            self._give_a_class(expr, shapes)
        if composed(name).target == 1 and len(shapes) > 1 and self._is_of_rows(expr.args[1]) and (
                len(shapes[0]) <= len(shapes[1]) and self.before == self.ranks):  # of each row, which place it is
            self._with_axes(self._leaves_in(expr.args[0]), expr.args[0], len(shapes[1]) + 1)
        if composed(name).target == 1 and len(shapes) > 1 and isinstance(expr.args[1], tree.Name):
            self._widen(expr.args[1:2], len(shapes[0]) - 1)  # an index too has one for each row
        one_less = composed(name).target == 1 and len(shapes) > 1 and len(shapes[1]) == len(shapes[0]) - 1
        if one_less and len(self._tried(expr, [shapes[0]] * len(shapes))) < len(shapes[0]):
            self._weigh(shapes[0][-1], [*expr.args[2:], *[value for _, value in expr.options]])
            return self._classes(expr.args[1], shapes[0], shapes[1])
        if name in TABLE or composed(name).target == 1 or (expr.args[1:] and all(shapes) and is_by_entry(expr)):
            return self._alike(expr.args, shapes)
        return self._tried(expr, shapes, entry)

    def _padded(self, array: tree.Expr, axis: int, size: tree.Expr) -> Shape:
        """What has so many entries of one axis."""
        shape, whole = [*self.of(array)], self._computed(size)
        shape[axis : axis + 1] = [self.found.fresh()[0] if whole is None else self.found.size(whole)]
        return shape

    def _filled(self, array: tree.Expr, values: Sequence[tree.Expr]) -> Shape:
        """What has the shape of an array, for all that it is filled with."""
        shape = self.of(array)
        for value in values:
            filling = self.of(value)
            if len(filling) > len(shape) and self.before == self.ranks:
                self._with_rank(array, len(shape), len(filling))
            elif len(filling) <= len(shape):
                self._same([shape, filling])
        return shape

    def _is_of_rows(self, target: tree.Expr) -> bool:
        """Whether a target is a class of each row."""
        return self._is_counting(target) or (isinstance(target, tree.Name) and target.name in self.labels)

    def _is_counting(self, expr: tree.Expr) -> bool:
        return _counts_up(expr) or (isinstance(expr, tree.Name) and expr.name in self.counting)

    def _along(self, array: tree.Expr, places: tree.Expr, axis: int) -> Shape:
        """What is read at places along an axis: both have as many axes, and the places are below the size of that."""
        shape, found = self.of(array), self.of(places)
        rank = max(len(shape), len(found), axis + 1)
        few = [expr for expr, sizes in ((array, shape), (places, found)) if len(sizes) < rank]
        if few and self.before == self.ranks:
            self._with_axes(self._leaves_in(few[0]), few[0], rank)
        elif len(shape) == len(found) and -len(shape) <= axis < len(shape):
            for leaf in self._leaves_in(places) if not self._is_found(places) else ():
                self.found.equate(self.below.setdefault(leaf, shape[axis]), shape[axis])
            for k, (size, other) in enumerate(zip(shape, found, strict=True)):
                if k != axis % len(shape):
                    self.found.equate(size, other)
        return found

    def _is_found(self, places: tree.Expr) -> bool:
        """Whether places are where something stands: what they are of is no integer."""
        return any((isinstance(part, tree.Call) and _plain_name(part) in PLACES.values()) or (
            isinstance(part, tree.Name) and part.name in self.where) for part in tree.all_parts(places))

    def _added_at(self, array: tree.Expr, place: str, source: tree.Expr, axis: int) -> Shape:
        """What is added to an array along an axis, one slice for each place."""
        shape, added = self.of(array), self.of(source)
        self._widen([tree.Name(place)], 1)
        if self.before == self.ranks and 0 < len(added) < len(shape):
            self._with_rank(source, len(added), len(shape))
        for k, (size, other) in enumerate(zip(shape, added, strict=False)):
            if k == axis:
                self.found.equate(self.below.setdefault(place, size), size)
                self.found.equate(other, *self.leaves[place][:1])
            else:
                self.found.equate(size, other)
        return shape

    def _give_a_class(self, call: tree.Call, shapes: Sequence[Shape]) -> None:
        """One target is a class: that of each row of x, where scores are made of ``x @ W``; where something asks for
        several, that of each row of scores, or they are probabilities."""
        scores, target, *_ = call.args
        if not isinstance(target, tree.Name) or target.name not in self.leaves.keys() - self.shares - self.labels or (
                not sounds_like_data(target.name)):
            return
        rows = self._leaves_in(scores).keys() & self.in_front
        several = target.name in self.numbers
        if several and isinstance(scores, tree.Name) and scores.name in self.leaves:
            self._widen([scores], 2)
        elif several and not self._takes_shares(call, shapes):
            self._with_axes(self._leaves_in(scores), scores, 2)
        elif several:
            self.shares.add(target.name)
        elif rows:
            self.ranks |= dict.fromkeys(rows, 2)
        else:
            self.numbers.add(target.name)
            self.ranks[target.name] = 0

    def _takes_shares(self, call: tree.Call, shapes: Sequence[Shape]) -> bool:
        """Whether a function takes probabilities for a target as well as classes."""
        values = [[*map(self.found.value, shape)] for shape in shapes]
        return least_equal(call, values, self.found.ends(chain(*shapes))) is not None

    def _beside(self, items: tuple[tree.Expr, ...]) -> Shape:
        """``[ones(m, 1) X]``: matrices side by side, vectors one behind the other."""
        shapes = [self.of(item) for item in items]
        axis = max(map(len, shapes)) > 1
        self._widen(items if axis else (), 2)
        return self._tried(tree.Call("concat", items, (("axis", tree.Number(sp.Integer(int(axis)))),)), shapes)

    def _as_in_pattern(self, pattern: str, arrays: Sequence[tree.Expr]) -> None:
        """``"bij,bjk->bik"``: leaves have an axis for each letter, of one size where the letter is one."""
        sizes = dict[str, Size]()
        for letters, array in zip(pattern.split("->")[0].replace(" ", "").split(","), arrays, strict=False):
            shape = self.of(array) if letters.isalpha() else []
            if letters.isalpha() and isinstance(array, tree.Name) and array.name in self.ranks and (
                    array.name not in self.lettered):  # else it has more axes somewhere else, told where it is read
                self.ranks[array.name] = len(letters)
                self.lettered.add(array.name)
            elif self.before == self.ranks and 0 < len(shape) < len(letters):  # elu(q) + 1
                self._with_rank(array, len(shape), len(letters))
            for letter, size in zip(letters, shape, strict=True) if len(shape) == len(letters) else ():
                self.found.equate(sizes.setdefault(letter, size), size)

    def _as_reshaped(self, leaf: str, args: Sequence[tree.Expr]) -> None:
        """A leaf has the shape already that it is given, if nothing else asks for axes of it."""
        sizes = args[0].items if isinstance(args[0], tree.Tuple) else args
        if self.ranks[leaf] > len(sizes):
            return
        self.ranks[leaf] = len(sizes)
        for own, size in zip(self.leaves[leaf], map(self._size_of, sizes), strict=False):
            self.found.equate(own, own if size is None else size)

    def _fit(self, expr: tree.Call, shapes: Sequence[Shape], axes: Sequence[Sequence[int]]) -> None:
        """Give names the axes that a function asks for, of the sizes that it asks for; the channels of images may be
        their first axis."""
        layout = dict(expr.options).get("layout")
        for arg, shape, wanted in zip(expr.args, shapes, axes, strict=False):
            images, kernels = (*wanted[:1], *wanted[-1:], *wanted[1:-1]), (*wanted[-2:], *wanted[:-2])
            sizes = wanted if layout != _FIRST else kernels if wanted[0] else images
            named = isinstance(arg, tree.Name) or (isinstance(arg, tree.Call) and arg.function in _TURNS)
            if named and len(shape) < len(wanted):
                self._widen([arg], len(wanted))
            for size, number in zip(shape[::-1], sizes[::-1], strict=False):
                if number and isinstance(self.found.end(size), str):
                    self.found.equate(number, size)

    def _tried(self, expr: tree.Call, shapes: Sequence[Shape], entry: tuple[tree.Expr, ...] = ()) -> Shape:
        """The shape that the function itself gives arrays of such sizes, which are equal where it takes no others; none
        where it takes no such arrays."""
        arrays = expr.args
        args = tuple([arg if shape else self._in_ends(arg) for arg, shape in zip(arrays, shapes, strict=True)])
        expr = replace(expr, args=args)
        tried = tree.Index(expr, entry) if entry else expr
        sizes = chain(*shapes, (n for a in args for n in tree.mentioned(a) if n in self.asked or not is_fixed(n)))
        values = [[*map(self.found.value, shape)] for shape in shapes]
        ends = self.found.ends(sizes)
        equal = least_equal(tried, values, ends)
        number = with_number(tried, values, ends) if equal is None else None
        if number is not None:
            self.found.equate(*number)
            return self._tried(replace(expr, args=arrays), shapes, entry)
        if equal is None:
            self._deepen(expr, arrays, values)
            return []
        for s, first in equal.items():
            self.found.equate(first, s)
        found = shape_of(tried, values, equal)
        return [self.found.fresh()[0] if size is None else self.found.size(size) for size in found]

    def _deepen(self, expr: tree.Call, arrays: Sequence[tree.Expr], shapes: Sequence[Sequence[sp.Expr]]) -> None:
        """Give what a function is of the fewest axes with which it takes that, unless it gets others anyway."""
        ordered = _plain_name(expr) == _NORM and len(arrays) > 1  # NumPy's norm(w, 1), which is told where it is read
        if self.before != self.ranks or ordered:
            return
        several = arrays if _takes_several(_plain_name(expr)) else arrays[:1]
        rank = least_rank(expr, len(several), shapes)
        for array, shape in zip(several, shapes, strict=False) if rank else ():
            self._with_rank(array, len(shape), rank)

    def _with_rank(self, array: tree.Expr, found: int, rank: int) -> None:
        """An expression that has ``found`` axes so far has so many."""
        places = self._places(array) if rank == found + 1 else []
        self.ranks |= dict.fromkeys(places, 1)  # U[i] has a row for each place, rather than U another axis
        self._with_axes(self._leaves_in(array) if not places else (), array, rank)

    def _with_axes(self, leaves: Iterable[str], expr: tree.Expr, rank: int) -> None:
        """An expression has so many axes where the first of these leaves has them, of the data if some are."""
        self.ranks |= self._needed([n for n in leaves if n not in self.listed], expr, rank)

    def _needed(self, leaves: Iterable[str], expr: tree.Expr, rank: int) -> dict[str, int]:
        behind, leaves = self._leaves_in(expr), [*leaves]
        arrays = [n for n in leaves if _rank(n)] or leaves
        needed = {n: rank + behind[n] for n in arrays if self.ranks[n] < rank + behind[n]}
        return {name: needed[name] for name in sorted(needed, key=lambda n: not sounds_like_data(n))[:1]}

    def _in_ends(self, expr: tree.Expr) -> tree.Expr:
        """An argument that is made of sizes with what is known of each."""
        if isinstance(expr, (tree.Tuple, tree.Chain, tree.Negative)):
            return tree.changed(expr, self._in_ends)
        size = self._size_of(expr)
        return expr if size is None else written(self.found.value(size))

    def _weigh(self, classes: Size, others: Sequence[tree.Expr]) -> None:
        """What else is of one axis beside scores of classes has a weight for each."""
        for weights in others:
            for size in self.of(weights)[:1] if isinstance(weights, tree.Name) else ():
                self.found.equate(classes, size)

    def _classes(self, target: tree.Expr, scores: Shape, shape: Shape) -> Shape:
        """One class for each row of scores: whole numbers below how many there are."""
        for a, b in zip(scores, shape, strict=False):
            self.found.equate(a, b)
        if self._is_counting(target):
            self.found.equate(scores[-1], *shape)
        if isinstance(target, tree.Name) and target.name in self.leaves:
            self.found.equate(self.below.setdefault(target.name, scores[-1]), scores[-1])
        return shape

    def _product(self, a: Shape, b: Shape, place: Place | None) -> Shape:
        if not (a and b) and (self.before != self.ranks or self.wishes):
            return []
        if not a or not b:
            raise ShapeError("@ multiplies arrays, and one side is a number: declare its shape in a model text",
                             place=place)
        self.found.equate(a[-1], b[0] if len(b) == 1 else b[-2])
        if len(a) > 1 and len(b) > 2:
            return [*self._same([a[:-2], b[:-2]]), a[-2], b[-1]]
        return [*a[:-1], *b[:-2], *(b[-1:] if len(b) > 1 else [])]

    def _same(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is combined entry by entry."""
        result: Shape = []
        for shape in shapes:
            if self.repeats and {len(result), len(shape)} == {1, 2}:
                result, shape = ([*part, 1] if len(part) == 1 else part for part in (result, shape))
            pairs = [*zip_longest(reversed(result), reversed(shape), fillvalue=1)][::-1]
            for a, b in pairs:
                if 1 not in (a, b):
                    self.found.equate(a, b)
            result = [b if a == 1 else a for a, b in pairs]
        return result


def _indices(body: Sequence[tree.Statement]) -> list[tuple[tree.Expr, list[tree.Expr]]]:
    """What is indexed, each with what stands for its axes."""
    return [(part.base, [i for i in part.items if not isinstance(i, tree.Word)])
            for part in tree.inside(body) if isinstance(part, tree.Index)]


def _ahead(item: tree.Expr, counter: str) -> int | None:
    """How far ahead of a counter the last entry of an index is, of ``i`` and ``i:i+3``; None of any other."""
    stop = _from(item.stop, counter) if isinstance(item, tree.Slice) else None
    return tree.ahead(item, counter) if stop is None else stop


def _from(bound: tree.Expr | None, counter: str) -> int | None:
    """How far from a counter a number is, as of ``i - 1 + 3``; None of what is not made of it so."""
    match bound:
        case tree.Name(name) if name == counter:
            return 0
        case tree.Chain(first, rest) if all(sign in ("+", "-") and isinstance(x, tree.Number) for sign, x in rest):
            begin = _from(first, counter)
            more = [int(f"{sign}{x.value}") for sign, x in rest if isinstance(x, tree.Number) and x.value.is_Integer]
            return begin + sum(more) if begin is not None and len(more) == len(rest) else None
    return None


def _farthest(loop: tree.For) -> dict[tuple[str, int], int]:
    """How far ahead of its counter a loop reads names, by their axes."""
    found = dict[tuple[str, int], int]()
    for base, items in _indices(loop.body):
        for axis, ahead in enumerate([_ahead(item, loop.variable) for item in items], 1):
            if isinstance(base, tree.Name) and ahead is not None:
                found[base.name, axis] = max(found.get((base.name, axis), ahead), ahead)
    return found


def _axes_asked(body: Sequence[tree.Statement]) -> dict[str, int]:
    """How many axes arrays have at least whose sizes are asked for, as of ``x.shape[3]``."""
    found = dict[str, int]()
    for asked in map(dialect.size_asked, tree.inside(body)):
        if asked is not None and isinstance(asked[0], tree.Name):
            array, place = asked[0].name, asked[1]
            found[array] = max(found.get(array, 0), place + 1 if place >= 0 else -place)
    return found


def _first_ranks(body: Sequence[tree.Statement], leaves: Sequence[str], axes: Mapping[str, int], counts: Container[str],
                 labels: AbstractSet[str]) -> dict[str, int]:
    """How many axes leaves have by their names, and by what is indexed, ``axes``: none that are an index themselves, or
    ``counts``."""
    steps = {loop.variable for loop in tree.loops(body)}  # x[t] may be a number as well
    arrays = any(needs_arrays(part) and not _is_step(part, steps) for part in tree.inside(body))
    named = [(i.name, items) for _, items in _indices(body) for i in items if isinstance(i, tree.Name)]
    places = {n for n, _ in named} - axes.keys()
    reshaped = any(isinstance(part, tree.Call) and _plain_name(part) == _RESHAPED for part in tree.inside(body))
    tables = {n for n, items in named if reshaped and len(items) == 1 and _rank(n) > 1} - labels  # C[X].view(N, -1)
    classes = labels | {c.args[0].name for c in tree.inside(body) if isinstance(c, tree.Call) and (
        _plain_name(c) == _CLASSES) and isinstance(c.args[0], tree.Name)}
    several = ({n for n, items in named if any(map(_counts_up, items))} & places) | classes
    places |= classes
    rows = {n for part in tree.inside(body) for n in _summed(part, leaves)}
    return {n: 2 if n in tables & places else int(n in several) if n in places or n in counts else
            max(_rank(n) if arrays else 0, axes.get(n, 0), int(n in rows)) for n in leaves}


def _summed(expr: tree.Expr, leaves: Collection[str]) -> set[str]:
    """The Greek letters that are all that a sum or the like is of: numbers would make no sense there, but in a list."""
    of_arrays = isinstance(expr, tree.Call) and needs_arrays(expr) and not _items(expr)
    names = {*tree.mentioned(expr)} & {*leaves} if of_arrays else set[str]()
    return names if all(map(is_greek, names)) else set()


def _numbers_beside(body: Sequence[tree.Statement]) -> set[str]:
    """Parameters in front of a vector, as w in ``w x``, and what is added to that, as b in ``w x + b``: numbers on
    paper, where nothing says that they are none. What an entry is made of is a number too, ``q[0] = w``."""
    found, arrays, entries = set[str](), set[str](), set[str]()
    for part in tree.inside(body):
        match part:
            case tree.Call(name, (tree.Index(_, (tree.Number() | tree.Negative(tree.Number()),)), value)) if (
                    name == _FILLED):
                entries |= _of_numbers(value)
        if isinstance(part, tree.Transpose):
            arrays |= {*tree.mentioned(part.body)}
        for left, (sign, right) in _steps(part) if isinstance(part, tree.Chain) else ():
            names = [e.name for e in (left, right) if isinstance(e, tree.Name)]
            arrays |= {*names} if sign == "@" else set()
            if sign == tree.BESIDE and [*map(_rank, names)] == [1, 1] and not sounds_like_data(names[0]):
                found.add(names[0])
            if sign == tree.BESIDE and [*map(_rank, names)] == [1, 2] and _same_step(*names):
                entries |= {*names}
    sums = [[e for _, (_, e) in _steps(p)] + [p.first] for p in tree.inside(body)
            if isinstance(p, tree.Chain) and p.rest[0][0] in "+-"]
    for terms in sums:
        if any(isinstance(e, tree.Chain) and isinstance(e.first, tree.Name) and e.first.name in found for e in terms):
            found |= {e.name for e in terms if isinstance(e, tree.Name) and not sounds_like_data(e.name)}
    return (found | entries) - arrays


def _same_step(*names: str) -> bool:
    """Whether names count by one letter, as r_t and A_t do: in front of a matrix a vector stands transposed."""
    letters = {name.rpartition("_")[2] for name in names}
    return len(letters) == 1 and letters <= {*COUNTED} and all("_" in name for name in names)


def _numbers_listed(body: Sequence[tree.Statement]) -> set[str]:
    """The entries of matrices that are listed, ``[[a, b], [c, d]]``, and what is listed beside numbers, ``[1, y]``."""
    lists = [items for part in tree.inside(body) if (items := _items(part))]
    inside = [items for items in lists if any(isinstance(x, tree.Number) for x in items)]
    inside += [x for items in lists if all(rows := [*map(_items, items)]) for x in rows]
    return {name for items in inside for x in items for name in _of_numbers(x)}


def _items(expr: tree.Expr) -> tuple[tree.Expr, ...]:
    """What is listed in brackets, perhaps as the argument of ``np.array``, or stacked."""
    if isinstance(expr, tree.Tuple):
        return expr.items
    name = _plain_name(expr) if isinstance(expr, tree.Call) else ""
    match expr:
        case tree.Call(_, (tree.Tuple(items),), ()) if name == _STACK or _ARRAY.fullmatch(name):
            return items
        case tree.Call(_, args, ()) if name == _STACK:
            return args
    return ()


def _of_numbers(expr: tree.Expr) -> set[str]:
    """The names in an entry that is computed of numbers, ``-sin(t)``; none where others are in it."""
    match expr:
        case tree.Name(name):
            return {name}
        case tree.Negative(body) | tree.Power(body, tree.Number()):
            return _of_numbers(body)
        case tree.Call(name, (body,), ()) if name in TABLE:
            return _of_numbers(body)
        case tree.Chain(first, rest) if all(sign != "@" for sign, _ in rest):
            parts = [x for x in (first, *[x for _, x in rest]) if not isinstance(x, (tree.Number, tree.Index))]
            names = [*map(_of_numbers, parts)]
            return set().union(*names) if all(names) else set()
    return set()


def _steps(chain: tree.Chain) -> Iterator[tuple[tree.Expr, tuple[str, tree.Expr]]]:
    """What stands beside each other in a chain, with the sign between."""
    return zip([chain.first, *(right for _, right in chain.rest)], chain.rest, strict=False)


def _is_step(expr: tree.Expr, counters: Container[str]) -> bool:
    """Whether it is ``x[t]``, of a loop over t."""
    if not isinstance(expr, tree.Index) or len(expr.items) != 1 or isinstance(expr.items[0], tree.Slice):
        return False
    names = {*tree.mentioned(expr.items[0])}
    return bool(names) and all(name in counters for name in names)


def _counts_up(item: tree.Expr) -> TypeGuard[tree.Call]:
    """Whether an index is ``arange(N)``, which takes one after the other."""
    return isinstance(item, tree.Call) and _plain_name(item) in ("arange", "range") and len(item.args) == 1


def _gives_several(expr: tree.Expr) -> TypeGuard[tree.Call]:
    """Whether a function has several results."""
    called = callee(_plain_name(expr)) if isinstance(expr, tree.Call) else None
    return called is not None and str(called.signature.return_annotation).startswith("tuple")


def _takes_several(name: str) -> bool:
    """Whether a function is of arrays of which there are as many as one likes."""
    called = callee(name)
    return called is not None and called.most == math.inf and called.parameters[0].annotation == "Node"


def _axis_of(expr: tree.Call) -> int:
    """The axis that a call says, as its option or behind two arrays; the last one where that is no number."""
    said = next((value for option, value in expr.options if option == "axis"), None) or next(iter(expr.args[2:]), None)
    sign, number = (-1, said.body) if isinstance(said, tree.Negative) else (1, said)
    return sign * int(number.value) if isinstance(number, tree.Number) else -1


def _is_product(expr: tree.Call) -> bool:
    """Whether a call is ``a @ b`` as a function."""
    return _plain_name(expr) == _PRODUCT and len(expr.args) == 2 and not expr.options


def _last(expr: tree.Expr) -> tree.Expr:
    """The last factor of a product of matrices; of anything else that itself."""
    if isinstance(expr, tree.Call) and _is_product(expr):
        return expr.args[1]
    if isinstance(expr, tree.Chain) and all(sign in _PRODUCTS for sign, _ in expr.rest):
        return expr.rest[-1][1]
    return expr


def _one_by_one(expr: tree.Call, name: str) -> tree.Call:
    """``concat((a, b))`` as ``concat(a, b)``."""
    match expr.args:
        case (tree.Tuple(items), *axis) if _takes_several(name):
            options = (*expr.options, *[("axis", place) for place in axis])
            return replace(expr, args=items, options=options)
    return expr


def _asked_sizes(expr: tree.Expr) -> Iterator[str]:
    """The names that stand for sizes, as in ``arange(N)``, ``zeros((N, D))`` and ``a[:H]``."""
    for part in tree.all_parts(expr):
        if isinstance(part, tree.Slice):
            yield from (n for end in (part.start, part.stop) if end is not None for n in _sizes_in(end))
        if isinstance(part, tree.Call):
            sizes = [True] if _counts_up(part) else asked_sizes(callee(_plain_name(part)), len(part.args))
            yield from (n for arg, asks in zip(part.args, sizes, strict=False) if asks for n in _sizes_in(arg))


def _sizes_in_shapes(expr: tree.Expr) -> Iterator[str]:
    """D in ``F.layer_norm(X, (D,))``."""
    for part in tree.all_parts(expr):
        args = part.args if isinstance(part, (tree.Call, tree.Member)) else None
        shapes = [arg.items for arg in (args or ())[1:] if isinstance(arg, tree.Tuple)]
        yield from (n.name for items in shapes for n in items if isinstance(n, tree.Name) and n.name in _SIZES)


def _sizes_in(expr: tree.Expr) -> Iterator[str]:
    """The names of sizes in what is taken as one, or as several: none of arrays, whose sizes are, ``len(y)``."""
    if isinstance(expr, tree.Name):
        yield expr.name
    elif isinstance(expr, (tree.Tuple, tree.Chain, tree.Negative)):
        for part in tree.parts(expr):
            yield from _sizes_in(part)


def _first_of_two(expr: tree.Expr, names: Container[str]) -> tree.Expr:
    """What PyTorch gives with places, or these."""
    one = dialect.first_of_two(expr, names) if isinstance(expr, tree.Index) else None
    return expr if one is None else one


def _labels(body: Sequence[tree.Statement], names: Sequence[str]) -> set[str]:
    """The names that libraries' losses take for classes, of several rows."""
    dotted = (part for part in tree.inside(body) if isinstance(part, tree.Member))
    calls = (call for part in dotted for call in tree.all_parts(_plain(part, names))
             if isinstance(call, tree.Call) and (
                 call.function == _LIKELIHOOD or call.function == _CROSS_ENTROPY) and len(call.args) > 1)
    return {c.args[1].name for c in calls if isinstance(c.args[1], tree.Name) and c.args[1].name in names and not (
        c.function == _CROSS_ENTROPY and _SHARES.fullmatch(c.args[1].name))}


def _without_dots(expr: tree.Expr, names: Sequence[str]) -> tree.Expr:
    """An expression with functions for what libraries write with a dot."""
    expr = replace(_plain(expr, names), place=expr.place) if isinstance(expr, tree.Member) else expr
    return tree.changed(expr, lambda part: _without_dots(part, names))


def _plain(expr: tree.Member, names: Container[str]) -> tree.Expr:
    """What stands behind a dot as a function; as it is where it is none, which is told where it is read."""
    try:
        return dialect.plain(expr, names)
    except ModelError:
        return expr


def _inside_arrays(expr: tree.Expr, inside: bool = False) -> Iterator[str]:
    """The names in an expression that something works on which makes sense of arrays alone."""
    if isinstance(expr, tree.Name) and inside:
        yield expr.name
    for part in tree.parts(expr):
        yield from _inside_arrays(part, inside or needs_arrays(expr))


def _adds_up(expr: tree.Expr) -> bool:
    """Whether an expression is the sum or the mean of what is computed entry by entry."""
    return isinstance(expr, tree.Call) and _plain_name(expr) in ("sum", "mean") and len(expr.args) == 1 and (
        not isinstance(expr.args[0], tree.Name))


def _in_products(expr: tree.Expr, alone: bool = False) -> Iterator[str]:
    """The names in an expression that are multiplied as arrays, or indexed, or by themselves what a function is of;
    ``alone`` without those in factors that are computed, b in ``V @ relu(W @ X + b)``."""
    if needs_arrays(expr):
        direct = isinstance(expr, (tree.Chain, tree.Index, tree.Transpose, tree.Member))
        for part in tree.parts(expr):
            if isinstance(part, tree.Name) or (direct and not (alone and isinstance(part, (tree.Call, tree.Chain)))):
                yield from tree.mentioned(part)
    for part in tree.parts(expr):
        yield from _in_products(part, alone)


def _means(expr: tree.Expr) -> Iterator[tree.Expr]:
    """The mean in ``(x - mu) @ …``, which is of every entry."""
    if isinstance(expr, tree.Transpose):
        yield from _means(expr.body)
    elif isinstance(expr, tree.Chain) and expr.rest[0][0] in "+-":
        yield from (part for part in tree.parts(expr) if part == tree.Name("mu"))


def _rank(name: str) -> int:
    return 2 if name[0].isupper() or _MATRICES.fullmatch(name) else 0 if is_greek(name) or name in _NUMBERS else 1


def _counts(body: Sequence[tree.Equation]) -> set[str]:
    """What only divides, or is a factor as in ``N/2 * log(s)``: how many of something there are."""
    parts = [part for e in body for part in tree.all_parts(e.value)]
    chains = [part for part in parts if isinstance(part, tree.Chain)]
    divisors = [part for whole in chains for sign, part in whole.rest if sign in _DIVISIONS]
    found = [part for d in divisors if not any(map(needs_arrays, tree.all_parts(d))) for part in tree.all_parts(d)]
    found += [part for whole in chains if whole.rest[0][0] in ("*", *_DIVISIONS) for part in _numbers_of(whole)]
    names = (*_COUNTS, *_WIDTHS) if any(map(needs_arrays, parts)) else _COUNTS
    places = {id(part) for part in found}
    others = {part.name for part in parts if isinstance(part, tree.Name) and id(part) not in places}
    return {part.name for part in found if isinstance(part, tree.Name)} & {*names} - others


def _numbers_of(product: tree.Chain) -> list[tree.Expr]:
    """N among the factors of a product, and what is first divided by a number."""
    first = product.first.body if isinstance(product.first, tree.Negative) else product.first
    factors = [first, *[part for sign, part in product.rest if sign == "*"]]
    sign, second = product.rest[0]
    halved = [first] if sign in _DIVISIONS and isinstance(second, tree.Number) else []
    matrices = any(sign == "@" for sign, _ in product.rest)
    counted = [] if matrices else [f for f in factors if f == tree.Name(_COUNTS[0]) and f not in halved]
    return halved + counted


def _plain_name(expr: tree.Call) -> str:
    """What a function is called here; max and min of several values compare them."""
    name = expr.function.removeprefix(NUMPY)
    compares = f"{name}imum"
    return compares if compares in TABLE and len(expr.args) > 1 and not expr.options else meant(name, ()) or name


def needs_arrays(expr: tree.Expr) -> bool:
    """Whether an expression makes sense of arrays alone."""
    if isinstance(expr, tree.Chain):
        return any(sign in ("@", tree.PRODUCT) for sign, _ in expr.rest)
    if isinstance(expr, tree.Index):
        return True
    if isinstance(expr, tree.Call):
        name = _plain_name(expr)
        return name not in TABLE and callee(name) is not None
    return isinstance(expr, (tree.Transpose, tree.Member))
