"""The shapes of what an expression or a text does not declare, as far as they can be told from what is done with it.

Where no line multiplies, transposes or reduces arrays, all are numbers; else capitals are matrices, small letters
vectors, Greek letters numbers, unless an operator asks for more, and their sizes are what the operators ask for.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count, zip_longest
from typing import TypeGuard

import sympy as sp

from symbackprop.core.functions.words import meant
from symbackprop.core.registry import composed
from symbackprop.core.scalars import TABLE
from symbackprop.errors import ModelError, Place, ShapeError
from symbackprop.model.names import is_greek, sounds_like_data
from symbackprop.model.text import dialect, tree
from symbackprop.model.text.calls import NUMPY, asked_sizes, callee
from symbackprop.model.text.languages import along
from symbackprop.model.text.trials import Shape, Size, is_by_entry, least_equal, odd_sizes, of_odd

_TARGETS = re.compile(r"[yt].*|label.*")  # of the data, what is compared with results
_SIZES = ("N", "D", "H", "K", "M", "P", "Q", "R", "S", "T")
_COUNTS = ("N", "D", "K", "M", "T")  # numbers where nothing but a division has them
_WIDTHS = ("d", "d_k", "dk", "d_head", "n", "m")  # numbers there, too, beside arrays
_TURNS = ("swapaxes", "transpose")  # what has the axes of its argument in another order
_FRESH = "#"  # what a size begins with that is to be found
_FIRST = tree.String("NCHW")
_WHOLE = (tree.Slice(None, None, None), tree.Slice(tree.ZERO, None, None))
_PRODUCTS = ("@", tree.PRODUCT)
_DIVISIONS = ("/", tree.QUOTIENT)
_PRODUCT = "dot"  # what @ is as a function


class Shapes:
    """The shapes of leaves, sizes being equal where operators ask for it.

    ``ranks`` are how many axes each has: what is found to need more, behind @ or beside a matrix, gets them, and the
    equations are read again. ``counts`` are numbers that something is divided by, ``asked`` what functions take as
    sizes, ``known`` what is declared, ``sizes`` names of sizes with the array and the axis.
    """

    def __init__(self, body: Sequence[tree.Statement], leaves: Sequence[str], known: dict[str, Shape] | None = None,
                 sizes: Mapping[str, tuple[str, int]] | None = None) -> None:
        self.known, self.given = known or {}, sizes or {}
        body = tree.with_values(body, lambda value: _without_dots(value, [*leaves, *self.known]))
        equations = [*tree.equations(body)]
        bounds = [bound for loop in tree.loops(body) for bound in (loop.start, loop.stop)]
        asked = chain(*map(_sizes_in, bounds), *[_asked_sizes(e.value) for e in equations])
        self.asked = {n: None for n in [*asked, *self.given] if n in leaves or n in self.given}
        leaves = [n for n in leaves if n not in self.asked]
        self.counts = _counts(equations) - self.asked.keys()
        axes = {base.name: len(items) for base, items in sorted(_indices(body), key=lambda found: len(found[1]))
                if isinstance(base, tree.Name)}
        self.ranks = _first_ranks(body, leaves, axes, self.counts)
        inside = {n for e in equations for n in _inside_arrays(e.value)}
        self.apart = {n for n in leaves if n not in axes and n not in inside and self.ranks[n] == 1}
        self.ranks |= dict.fromkeys(self.apart, 0)
        self._settle(body)
        biases = self._biases(equations, leaves)
        if biases and len(biases) < len(leaves):  # b beside X @ w, of which each row is a sample
            self.ranks |= dict.fromkeys(biases, 0)
            self.apart -= {*biases}
            self._settle(body)
        taken = {*self.asked, *self.known, *[s for shape in self.known.values() for s in shape]}
        taken |= {*leaves, *self.values} - self.counts
        free = (s for k in count() for size in _SIZES if (s := f"{size}{k or ''}") not in taken)  # N … S, N1 …
        ends = dict.fromkeys(self._end(s) for n in leaves for s in self.leaves[n])
        self.names = dict(zip([s for s in ends if not _is_fixed(s)], free, strict=False))

    def _biases(self, equations: Sequence[tree.Equation], leaves: Sequence[str]) -> list[str]:
        """The leaves with an entry for each sample that are added and in no product."""
        samples = {self._end(shape[0]) for n, shape in self.leaves.items() if len(shape) == 2 and sounds_like_data(n)}
        products = {n for e in equations for n in _in_products(e.value)}
        summed = {n for e in equations for n in tree.mentioned(e.value)} - products
        return [n for n in leaves if n in summed and not sounds_like_data(n) and len(self.leaves[n]) == 1
                and self._end(self.leaves[n][0]) in samples]

    def _settle(self, body: Sequence[tree.Statement]) -> None:
        """The shapes by ranks that nothing asks to be other ones."""
        before: dict[str, int] | None = None
        while before != self.ranks:
            self.before = before = dict(self.ranks)
            self._read(body)

    def _read(self, body: Sequence[tree.Statement]) -> None:
        """The shapes of leaves and equations, by the ranks that are known."""
        self.equal: dict[Size, Size] = {}
        self.count = 0
        self.below: dict[str, Size] = {}
        self.sizes: dict[str, Size] = {n: n for n in self.asked}
        self.leaves = {n: self._fresh(rank) for n, rank in self.ranks.items()} | self.known
        self.values: dict[str, Shape] = {}
        self.behind: dict[str, dict[str, int]] = {n: {n: 0} for n in self.ranks}
        self.steps: dict[str, Size] = {}
        for size, (array, place) in self.given.items():
            self.ranks[array] = max(self.ranks[array], place + 1)
            self._equate(size, *self.leaves[array][place : place + 1])
        self._block(body)

    def _block(self, body: Sequence[tree.Statement]) -> None:
        """Equations one after the other; those of a loop twice, which read what the step before gave."""
        for s in body:
            if isinstance(s, tree.For):
                self.steps[s.variable] = self._size_of(_last_step(s)) or self._fresh(1)[0]
                self._block(s.body)
                self._block(s.body)
            elif isinstance(s, tree.Equation):
                self._equation(s)

    def _equation(self, s: tree.Equation) -> None:
        name, size, shape = s.target.name, self._size_of(s.value), self.of(s.value)
        counter = s.target.index.name if isinstance(s.target.index, tree.Name) else ""
        step = [] if s.target.index is None else [self.steps.get(counter) or self._fresh(1)[0]]
        self.values[name] = [*step, *shape]
        behind = {n: picked - len(step) for n, picked in self._leaves_in(s.value).items()}
        self.behind[name] = behind | self.behind.get(name, {})
        if size is not None:
            self.sizes[name] = size

    def named(self, name: str) -> Shape:
        """The shape of a leaf, in sizes that can be declared."""
        return [self.size(s) for s in self.leaves[name]]

    def size(self, size: Size) -> Size:
        end = self._end(size)
        return self.names.get(end, end) if isinstance(end, str) else end

    def of(self, expr: tree.Expr) -> Shape:
        """The shape of an expression. Raises `ShapeError` where a matrix product has a number in it."""
        match expr:
            case tree.Name(name):
                return self.values.get(name) or self.leaves.get(name) or []
            case tree.Chain():
                return self._chained(expr)
            case tree.Negative(body) | tree.Power(body, _):
                return self.of(body)
            case tree.Transpose(body):
                return self.of(body)[::-1]
            case tree.Compare(_, left, right):
                return self._alike([left, right])
            case tree.Index(base, items):
                first = dialect.first_of_two(expr, self.leaves)
                return self._indexed(base, items) if first is None else self.of(first)
            case tree.Member() if (like := dialect.noise_like(expr)) is not None:
                return self.of(like)
            case tree.Member():
                plain = _plain(expr, self.leaves)
                return [] if isinstance(plain, tree.Member) else self.of(plain)
            case tree.Call():
                return self._called(expr)
            case tree.Tuple(items):
                for item in items:
                    self.of(item)
        return []

    def _chained(self, expr: tree.Chain) -> Shape:
        if all(sign not in _PRODUCTS for sign, _ in expr.rest):
            return self._alike([expr.first, *[part for _, part in expr.rest]])
        shape, left = self.of(expr.first), expr.first
        for sign, right in expr.rest:
            other = self.of(right)
            of_arrays = sign == "@" or (sign == tree.PRODUCT and (
                max(len(shape), len(other)) > 1 or bool(shape and other)))
            if of_arrays:
                self._widen([left] * (not shape) + [right] * (not other), 1)
            if sign == tree.PRODUCT and isinstance(right, tree.Transpose) and len(shape) == len(other) == 1:
                shape, left = [*shape, *other], right
                continue
            shape, left = self._product(shape, other, expr.place) if of_arrays else self._same([shape, other]), right
        return shape

    def _alike(self, exprs: Sequence[tree.Expr], shapes: Sequence[Shape] | None = None) -> Shape:
        """The shape of what is combined entry by entry; targets have the shape of what they are beside."""
        shapes = [self.of(e) for e in exprs] if shapes is None else shapes
        result = self._same(shapes)
        bodies = [e.body if isinstance(e, tree.Negative) else e for e in exprs]
        self._widen([e for e in bodies if isinstance(e, tree.Name) and e.name in self.apart], min(len(result), 1))
        self._widen([e for e, shape in zip(bodies, shapes, strict=True) if shape and isinstance(e, tree.Name)
                     and sounds_like_data(e.name) and _TARGETS.fullmatch(e.name)], len(result))
        return result

    def _widen(self, exprs: Sequence[tree.Expr], rank: int) -> None:
        """The leaves in these have so many axes at least, when the equations are read again."""
        for name, picked in [found for expr in exprs for found in self._leaves_in(expr).items()]:
            self.ranks[name] = max(self.ranks[name], rank + picked)

    def _leaves_in(self, expr: tree.Expr) -> dict[str, int]:
        """The leaves that an expression is made of, each with how many axes of it are gone where an index stands."""
        if isinstance(expr, tree.Name):
            return self.behind.get(expr.name, {})
        if isinstance(expr, tree.Index):
            picked = sum(not isinstance(item, (tree.Slice, tree.Word)) for item in expr.items)
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
            case tree.Call("len", (array,)):
                place, whole = 0, array
            case tree.Index(tree.Member(whole, dialect.SHAPE), (tree.Number(sp.Integer() as value),)):
                place = int(value)
            case _:
                return None
        shape = self.of(whole)
        return shape[place] if -len(shape) <= place < len(shape) else None

    def _picked(self, base: tree.Expr, items: Sequence[tree.Expr]) -> Shape:
        """What ``p[arange(N), y]`` leaves: an entry of each row, of which y says which it is."""
        shape, data = self.of(base), {n for n in self._leaves_in(base) if sounds_like_data(n)}
        if len(shape) < len(items):  # of a sample; of several each array of data has an axis more
            self.ranks |= {n: self.before[n] + 1 for n in data}
        picked: Size = next(self._size_of(i.args[0]) for i in items if _counts_up(i)) or self._fresh(1)[0]
        for size, item in zip(shape, items, strict=False):
            if _counts_up(item):
                self._equate(picked, size)
            elif isinstance(item, tree.Name) and item.name in self.leaves:
                self.below.setdefault(item.name, size)
                self._equate(picked, *self.leaves[item.name][:1])
        return [picked, *shape[len(items) :]]

    def _indexed(self, base: tree.Expr, items: Sequence[tree.Expr]) -> Shape:
        """What an index leaves; a name in it is a whole number below the size of its axis."""
        if any(map(_counts_up, items)):
            return self._picked(base, items)
        rest, found = [*self.of(base)], Shape()
        for item in items:
            if isinstance(item, tree.Word):
                found += [1] if item.value is None else rest[: len(rest) - len(items) + 1]
                rest = rest if item.value is None else rest[len(rest) - len(items) + 1 :]
                continue
            size = rest.pop(0) if rest else 1
            whole = isinstance(item, tree.Slice) and item in _WHOLE
            found += [size] if whole else self._fresh(1) if isinstance(item, tree.Slice) else []
            if isinstance(item, tree.Name) and item.name in self.leaves:
                self.below.setdefault(item.name, size)
            if isinstance(item, tree.Name) and item.name in self.steps:
                self._equate(self.steps[item.name], size)
        return [*found, *rest]

    def _called(self, expr: tree.Call) -> Shape:
        """What a function makes of arrays of these shapes."""
        meant = dialect.called(expr)
        if meant is not None:
            return self.of(meant)
        name = _plain_name(expr)
        if name == _PRODUCT and len(expr.args) == 2 and not expr.options:
            return self.of(tree.Chain(expr.args[0], (("@", expr.args[1]),)))
        if name == "reshape" and isinstance(expr.args[0], tree.Name) and expr.args[0].name in self.ranks:
            self._as_reshaped(expr.args[0].name, expr.args[1:])
        shapes = [self.of(a) for a in expr.args]
        expr = along(expr, shapes[0]) if shapes else expr
        self._fit(expr, shapes, composed(name).asks)
        one_less = composed(name).target == 1 and len(shapes) > 1 and len(shapes[1]) == len(shapes[0]) - 1
        if one_less and len(self._tried(expr, [shapes[0]] * len(shapes))) < len(shapes[0]):
            return self._classes(expr.args[1], shapes[0], shapes[1])
        if name in TABLE or composed(name).target == 1 or (expr.args[1:] and all(shapes) and is_by_entry(expr)):
            return self._alike(expr.args, shapes)
        return self._tried(expr, shapes)

    def _as_reshaped(self, leaf: str, args: Sequence[tree.Expr]) -> None:
        """A leaf has the shape already that it is given, if nothing else asks for axes of it."""
        sizes = args[0].items if isinstance(args[0], tree.Tuple) else args
        if self.ranks[leaf] > len(sizes):
            return
        self.ranks[leaf] = len(sizes)
        for own, size in zip(self.leaves[leaf], map(self._size_of, sizes), strict=False):
            self._equate(own, own if size is None else size)

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
                if number and isinstance(self._end(size), str):
                    self._equate(number, size)

    def _tried(self, expr: tree.Call, shapes: Sequence[Shape]) -> Shape:
        """The shape that the function itself gives arrays of odd sizes, which are equal where it takes no others; none
        where it takes no such arrays."""
        args = tuple([arg if shape else self._in_ends(arg) for arg, shape in zip(expr.args, shapes, strict=True)])
        expr = replace(expr, args=args)
        sizes = chain(*shapes, (n for a in args for n in tree.mentioned(a) if n in self.asked or not _is_fixed(n)))
        ends = [s for s in dict.fromkeys(map(self._end, sizes)) if isinstance(s, str)]
        shapes = [[*map(self._end, shape)] for shape in shapes]
        equal = least_equal(expr, shapes, ends)
        if equal is None:
            return []
        for s, first in equal.items():
            self._equate(first, s)
        odd = odd_sizes(ends, equal)
        back = {number: self._end(s) for s, number in odd.items()}
        return [back.get(size, size) for size in of_odd(expr, shapes, odd) or []]

    def _in_ends(self, expr: tree.Expr) -> tree.Expr:
        """An argument that is made of sizes with what is known of each."""
        if isinstance(expr, (tree.Tuple, tree.Chain, tree.Negative)):
            return tree.changed(expr, self._in_ends)
        size = self._size_of(expr)
        end = None if size is None else self._end(size)
        return expr if end is None else tree.Name(end) if isinstance(end, str) else tree.Number(sp.Integer(end))

    def _classes(self, target: tree.Expr, scores: Shape, shape: Shape) -> Shape:
        """One class for each row of scores: whole numbers below how many there are."""
        for a, b in zip(scores, shape, strict=False):
            self._equate(a, b)
        if isinstance(target, tree.Name) and target.name in self.leaves:
            self.below[target.name] = scores[-1]
        return shape

    def _product(self, a: Shape, b: Shape, place: Place | None) -> Shape:
        if not (a and b) and self.before != self.ranks:
            return []
        if not a or not b:
            raise ShapeError("@ multiplies arrays, and one side is a number: declare its shape in a model text",
                             place=place)
        self._equate(a[-1], b[0] if len(b) == 1 else b[-2])
        return [*a[:-1], *b[:-2], *(b[-1:] if len(b) > 1 else [])]

    def _same(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of what is combined entry by entry."""
        result: Shape = []
        for shape in shapes:
            pairs = [*zip_longest(reversed(result), reversed(shape), fillvalue=1)][::-1]
            for a, b in pairs:
                if 1 not in (a, b):
                    self._equate(a, b)
            result = [b if a == 1 else a for a, b in pairs]
        return result

    def _equate(self, a: Size, b: Size | None = None) -> None:
        first, second = self._end(a), self._end(a if b is None else b)
        if _is_fixed(second):
            first, second = second, first
        if first != second and not _is_fixed(second):
            self.equal[second] = first

    def _end(self, size: Size) -> Size:
        while size in self.equal:
            size = self.equal[size]
        return size

    def _fresh(self, rank: int) -> Shape:
        self.count += rank
        return [f"{_FRESH}{self.count - k}" for k in range(rank)]


def _last_step(s: tree.For) -> tree.Expr:
    """The largest number of a counter, which may run down to 1."""
    return s.start if s.stop == tree.ONE else s.stop


def _indices(body: Sequence[tree.Statement]) -> list[tuple[tree.Expr, list[tree.Expr]]]:
    """What is indexed, each with what stands for its axes."""
    return [(part.base, [i for i in part.items if not isinstance(i, tree.Word)])
            for part in tree.inside(body) if isinstance(part, tree.Index)]


def _first_ranks(body: Sequence[tree.Statement], leaves: Sequence[str], axes: Mapping[str, int], counts: Container[str]
                 ) -> dict[str, int]:
    """How many axes leaves have by their names, and by what is indexed, ``axes``: none that are an index themselves, or
    ``counts``."""
    steps = {loop.variable for loop in tree.loops(body)}  # x[t] may be a number as well
    arrays = any(needs_arrays(part) and not _is_step(part, steps) for part in tree.inside(body))
    named = [(i.name, items) for _, items in _indices(body) for i in items if isinstance(i, tree.Name)]
    places = {n for n, _ in named} - axes.keys()
    several = {n for n, items in named if any(map(_counts_up, items))} & places
    return {n: int(n in several) if n in places or n in counts else max(_rank(n) if arrays else 0, axes.get(n, 0))
            for n in leaves}


def _is_fixed(size: Size) -> bool:
    """Whether a size is a number or has a name, and is not to be found."""
    return isinstance(size, int) or not size.startswith(_FRESH)


def _is_step(expr: tree.Expr, counters: Container[str]) -> bool:
    """Whether it is ``x[t]``, of a loop over t."""
    if not isinstance(expr, tree.Index) or len(expr.items) != 1 or isinstance(expr.items[0], tree.Slice):
        return False
    names = {*tree.mentioned(expr.items[0])}
    return bool(names) and all(name in counters for name in names)


def _counts_up(item: tree.Expr) -> TypeGuard[tree.Call]:
    """Whether an index is ``arange(N)``, which takes one after the other."""
    return isinstance(item, tree.Call) and _plain_name(item) in ("arange", "range") and len(item.args) == 1


def _asked_sizes(expr: tree.Expr) -> Iterator[str]:
    """The names that stand for sizes, as in ``arange(N)`` and ``zeros((N, D))``."""
    for part in tree.all_parts(expr):
        if isinstance(part, tree.Call):
            sizes = [True] if _counts_up(part) else asked_sizes(callee(_plain_name(part)), len(part.args))
            yield from (n for arg, asks in zip(part.args, sizes, strict=False) if asks for n in _sizes_in(arg))


def _sizes_in(expr: tree.Expr) -> Iterator[str]:
    """The names of sizes in what is taken as one, or as several: none of arrays, whose sizes are, ``len(y)``."""
    if isinstance(expr, tree.Name):
        yield expr.name
    elif isinstance(expr, (tree.Tuple, tree.Chain, tree.Negative)):
        for part in tree.parts(expr):
            yield from _sizes_in(part)


def _without_dots(expr: tree.Expr, names: Sequence[str]) -> tree.Expr:
    """An expression with functions for what libraries write with a dot."""
    expr = tree.changed(expr, lambda part: _without_dots(part, names))
    return replace(_plain(expr, names), place=expr.place) if isinstance(expr, tree.Member) else expr


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


def _in_products(expr: tree.Expr) -> Iterator[str]:
    """The names in an expression that are multiplied as arrays, or indexed, or by themselves what a function is of."""
    if needs_arrays(expr):
        direct = isinstance(expr, (tree.Chain, tree.Index, tree.Transpose, tree.Member))
        for part in tree.parts(expr):
            if direct or isinstance(part, tree.Name):
                yield from tree.mentioned(part)
    for part in tree.parts(expr):
        yield from _in_products(part)


def _rank(name: str) -> int:
    return 2 if name[0].isupper() else 0 if is_greek(name) else 1


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
    return compares if compares in TABLE and len(expr.args) > 1 else meant(name, ()) or name


def needs_arrays(expr: tree.Expr) -> bool:
    """Whether an expression makes sense of arrays alone."""
    if isinstance(expr, tree.Chain):
        return any(sign in _PRODUCTS for sign, _ in expr.rest)
    if isinstance(expr, tree.Index):
        return True
    if isinstance(expr, tree.Call):
        name = _plain_name(expr)
        return name not in TABLE and callee(name) is not None
    return isinstance(expr, (tree.Transpose, tree.Member))
