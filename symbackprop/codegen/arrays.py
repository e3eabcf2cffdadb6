"""Rows as array expressions: what every Python target writes alike, one rule an op and one a scalar function.

A target (`numpy`, `jax`, `torch`) is a subclass that says what differs. It reads rows and the variables they have, not
the derivation. Precision is kept: numbers are Python numbers, truth values and integers are converted where they enter
floating-point arithmetic, so float32 stays float32.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from typing import Any, ClassVar

import sympy as sp

from symbackprop.codegen import products
from symbackprop.codegen.helpers import library, spelled
from symbackprop.codegen.names import escape
from symbackprop.codegen.rows import flat_index, moved, unrolled
from symbackprop.codegen.sizes import MAX_EXACT, integer_code, number_code
from symbackprop.codegen.tree import (
    ALL,
    NUMBER,
    Code,
    Expr,
    as_code,
    attribute,
    binary,
    call,
    combined,
    compared,
    floating,
    index,
    items_of,
    joined,
    method,
    name,
    negated,
    transposed,
)
from symbackprop.core import formula as f
from symbackprop.core.facts import copies_of, is_pick, is_product, is_reshaped, is_sum, kind, unnamed
from symbackprop.core.graph import BOOL, FLOAT, INT, KINDS, Node
from symbackprop.core.kernel import is_truth
from symbackprop.core.noughts import without_needless
from symbackprop.core.ops.views import slice_stop
from symbackprop.core.pattern import Pattern
from symbackprop.core.roles import Role
from symbackprop.core.scalars import RELATIONS, TABLE
from symbackprop.core.shapes import Shape, is_one, nested, same, same_shape
from symbackprop.errors import ModelError

Rule = Callable[..., Code]


class Arrays:
    """Rows as expressions. ``names`` are the expressions, by row id, of rows that have a variable or come from outside
    of what is written; ``level`` is the -O level."""

    target: ClassVar[str] = ""
    module: ClassVar[str] = "np"
    axis: ClassVar[str] = "axis"  # what its functions call an axis
    largest: ClassVar[int] = MAX_EXACT  # whole numbers above are written as floats
    counts: ClassVar[bool] = False  # products of sizes may be larger than its integers; a size alone is not
    integer: ClassVar[Code] = name("int")  # the dtype of index arrays
    rules: ClassVar[Mapping[str, Rule]] = {}
    names_elements: ClassVar[bool] = False  # whether each step of a sequence has a variable
    marks: ClassVar[bool] = True  # whether entries are set by their places, rather than by a comparison everywhere
    slices: ClassVar[bool] = False  # whether short axes are gone through slice by slice
    planned: ClassVar[Mapping[str, Any]] = {"optimize": True}  # options of einsum

    def __init__(self, names: Mapping[int, Expr], level: int) -> None:
        self.names, self.level = names, level

    @classmethod
    def np(cls, function: str, *args: Any, **options: Any) -> Code:
        """A call of NumPy's function of that name, or of what stands for it."""
        word = spelled(function, cls.module)
        return call(attribute(cls.module, function) if word.startswith(f"{cls.module}.") else word, *args, **options)

    @classmethod
    def log(cls, code: Code) -> Code:
        """The logarithm of a plain number, which is one."""
        return call("float", cls.np("log", code))

    @classmethod
    def made(cls, function: str, *args: Any, dtype: Code | None = None, **options: Any) -> Code:
        """A new array of a size, by NumPy's function of that name."""
        return cls.np(function, *args, *([] if dtype is None else [dtype]), **options)

    @classmethod
    def copied(cls, code: Code) -> Code:
        return method(code, "copy")

    @classmethod
    def repeated(cls, code: Code, count: Code, axis: int) -> Code:
        """An array with its entries so many times along an axis."""
        return cls.np("repeat", code, count, axis=axis)

    @classmethod
    def permuted(cls, code: Code, order: Sequence[int]) -> Code:
        """An array with its axes in another order."""
        return method(code, "transpose", *order)

    @classmethod
    def flipped(cls, code: Code, rank: int) -> Code:
        """An array with its axes in reverse order."""
        return transposed(code)

    @classmethod
    def held(cls, code: Code) -> Code:
        """The value of what is held constant: a copy, which shares no memory."""
        return cls.np("positive", code)

    # -- rows
    def ref(self, node: Node) -> Expr:
        """A row as an operand: its variable, else its right-hand side."""
        return self.names.get(node.id) or self.row(node)

    def row(self, node: Node) -> Expr:
        """The right-hand side of a row, its variable not used."""
        if node.value is not None:
            return self.filled(node.value, node.shape) if node.ndim else self.number(node.value)
        if node.form is not None:
            return self.kernel(node).of(node.shape, node.kind)
        return (self.lowered(node) if self.level else None) or self.plain(node)

    def plain(self, node: Node) -> Expr:
        """A structural row by the rule of its op."""
        rule = self.rules.get(node.op.name)
        if rule is None:
            raise ModelError(f"the op {node.op.name!r} has no code for {self.target}")
        return Expr(rule(self, node, *[a.code for a in self.arguments(node)]), node.shape, node.kind)

    def lowered(self, node: Node) -> Expr | None:
        """Faster code than the rule's for the patterns that have it."""
        if is_product(node):
            return products.product(self, node, self.arguments(node))
        if is_reshaped(node):
            return self.picked(node) or self.reshaped_product(node)
        return self.square_sum(node) if is_sum(node) else None

    def arguments(self, node: Node) -> list[Expr]:
        """The arguments of a structural op in the kind that it computes in."""
        entries = kind(node)
        widened = node.kind == FLOAT or entries.joined
        shifted, copies = moved(node), copies_of(node)
        args = node.args if shifted is None else shifted.parts
        return [self.as_kind(a, INT if i in entries.indices else node.kind if widened else a.kind)
                for i, a in enumerate(args if copies is None else copies[:1])]

    def filled(self, value: sp.Expr, shape: Shape, kind: str = FLOAT) -> Expr:
        """An array whose entries are all one number, of a kind."""
        known = {sp.S.Zero: "zeros", sp.S.One: "ones"}.get(value)
        entry = [] if known else [self.num(value)]
        return Expr(self.made(known or "full", self.sizes(shape), *entry, dtype=self.dtype_of(kind)), shape, kind)

    # -- kinds
    @classmethod
    def converted(cls, expr: Expr, kind: str) -> Expr:
        """An expression as values of at least that kind: sums of truth values count, and integers would widen float32.
        A number fits any kind, but an array of one number is written as floats, and so is a large whole number among
        floats, which widened float32 before NumPy 2."""
        if expr.kind == NUMBER and kind == FLOAT:
            return Expr(floating(expr.code), (), NUMBER)
        fits = KINDS.index(expr.kind) >= KINDS.index(kind) if expr.kind in KINDS else True
        if fits and not (expr.kind == FLOAT and kind == INT):
            return expr
        return Expr(cls.cast(expr, kind), expr.shape, kind)

    @classmethod
    def cast(cls, expr: Expr, kind: str) -> Code:
        return method(expr.code, "astype", cls.dtype_of(kind))

    @classmethod
    def dtype_of(cls, kind: str) -> Code:
        return {BOOL: name("bool"), INT: cls.integer, FLOAT: name("dtype")}[kind]

    def as_kind(self, node: Node, kind: str) -> Expr:
        """A row as an operand of arithmetic in that kind."""
        return self.converted(self.ref(node), kind)

    def as_float(self, node: Node) -> Expr:
        return self.as_kind(node, FLOAT)

    # -- formulas
    def kernel(self, node: Node) -> Expr:
        kernel, args = node.attr, node.args
        if node.role is Role.CHOICE:
            return self.where(node)
        if node.role is Role.TRUTH and args and args[0].kind == BOOL:
            return self.ref(args[0])
        if node.ndim and unnamed(node).value is not None:  # by whatever names it is an array of floats
            return self.as_float(args[0])
        raw = masks(kernel.form, args) if node.kind == FLOAT else ()
        kinds = [a.kind if i in raw else node.kind for i, a in enumerate(args)]
        form = without_needless(kernel.form, args)
        return self.formula(form, [self.as_kind(a, kind) for a, kind in zip(args, kinds, strict=True)])

    def where(self, node: Node) -> Expr:
        """A choice between numbers of the row's kind; one between plain numbers alone is float64: say the dtype."""
        chosen = {b.index for b in node.attr.form.args[1:] if isinstance(b, f.Arg)}
        kinds = [node.kind if i in chosen else a.kind for i, a in enumerate(node.args)]
        found = self.formula(node.attr.form, [self.as_kind(a, k) for a, k in zip(node.args, kinds, strict=True)])
        typed = any(node.args[i].ndim or not node.ndim for i in chosen)
        if typed or node.kind != FLOAT:
            return found
        return Expr(self.cast(found.of(node.shape, INT), FLOAT), node.shape, FLOAT)

    def formula(self, form: f.Formula, args: Sequence[Expr]) -> Expr:
        """A formula over expressions. Code computes what is guarded, where the value is another one."""
        if isinstance(form, f.Pow) and isinstance(form.exponent, f.Num):
            return self.number_power(form, form.exponent.value, args)
        form = f.without_flat_powers(form)
        match form:
            case f.Num(value):
                return self.number(value, args)
            case f.Arg(place):
                return args[place]
            case f.Neg(body):
                return negated(self.formula(body, args))
            case f.Add(terms):
                return self.sum(terms, args)
            case f.Mul(factors):
                first = factors[0]
                if isinstance(first, f.Num):
                    return self.scaled(first.value, [self.formula(x, args) for x in factors[1:]])
                return self.product([self.formula(x, args) for x in factors])
            case f.Div(num, den):
                return joined(self.formula(num, args), ast.Div, self.formula(den, args), FLOAT)
            case f.Pow(base, exponent):
                return joined(self.formula(base, args), ast.Pow, self.formula(exponent, args))
            case f.Call():
                return self.scalar(form, [self.formula(p, args) for p in form.args])
        raise TypeError(f"not a formula: {form!r}")

    def sum(self, terms: Sequence[f.Formula], args: Sequence[Expr]) -> Expr:
        total: Expr | None = None
        for term in terms:
            minus = isinstance(term, f.Neg) or (isinstance(term, f.Num) and f.is_negative(term.value))
            part = self.formula(f.neg(term) if minus else term, args)
            if total is None:
                total = negated(part) if minus else part
            else:
                total = joined(total, ast.Sub if minus else ast.Add, part)
        assert total is not None
        return total

    def product(self, factors: Sequence[Expr]) -> Expr:
        """Factors in order, left to right."""
        return reduce(lambda total, factor: joined(total, ast.Mult, factor), factors)

    def scaled(self, coefficient: sp.Expr, factors: Sequence[Expr]) -> Expr:
        """c·x; a fraction whose bottom is whole or contains sizes is a division."""
        num, den = sp.fraction(coefficient)
        if den == 1 or (not coefficient.free_symbols and num != 1):
            return self.product([self.number(coefficient, factors), *factors])
        top = self.product(factors if num == 1 else [self.number(num, factors), *factors])
        return joined(top, ast.Div, self.number(den, factors), FLOAT)

    def number_power(self, form: f.Pow, n: sp.Expr, args: Sequence[Expr]) -> Expr:
        """Powers by products and roots: a general power is some hundred times slower than a product."""
        base = self.formula(form.base, args)
        if unrolled(form) and base.is_atom:
            return self.product([base] * int(n))
        if n == sp.Rational(1, 2):
            return self.function("sqrt", base)
        if n.is_number and n.is_negative:
            return joined(self.number(sp.S.One), ast.Div, self.formula(f.power(form.base, f.Num(-n)), args), FLOAT)
        return joined(base, ast.Pow, self.number(n, args))

    def scalar(self, form: f.Call, args: Sequence[Expr]) -> Expr:
        rule = SCALARS.get(form.name)
        if rule is not None:
            return rule(self, form, *args)
        if form.name not in library(self.module):
            raise ModelError(f"the function {form.name!r} has no code for {self.target}")
        return self.helper(form.name, *args)

    def function(self, word: str, *args: Expr) -> Expr:
        """A function of the array library, entry by entry."""
        return combined(self.np(word, *[a.code for a in args]), args)

    def helper(self, word: str, *args: Expr) -> Expr:
        """A helper function of the module, entry by entry; one number is given to it as a float."""
        codes = [a.code for a in args]
        if all(isinstance(code, ast.Constant) for code in codes):
            codes[-1] = ast.Constant(float(codes[-1].value))  # type: ignore[attr-defined]
        return combined(call(word, *codes), args)

    def relation(self, sign: str, left: Expr, right: Expr) -> Expr:
        if sign in ("==", "!=") and isinstance(left.code, ast.Constant):
            left, right = right, left  # a number that is asked first is taken by type checkers to answer True or False
        return combined(compared(left.code, sign, right.code), (left, right), BOOL)

    # -- numbers and sizes
    def num(self, value: sp.Expr) -> Code:
        code = number_code(value, self.called, self.module, self.largest, self.log)
        counted = self.counts and value.free_symbols and value.is_integer and not value.is_Symbol
        return call("counted", code) if counted else code

    def number(self, value: sp.Expr, among: Sequence[Expr] = ()) -> Expr:
        """A number in a formula over ``among``."""
        found = Expr(self.num(value), (), NUMBER)
        return self.converted(found, FLOAT) if any(a.kind == FLOAT for a in among) else found

    @staticmethod
    def called(dimension: str) -> Code:
        return name(escape(dimension))

    @staticmethod
    @cache
    def dim(size: sp.Expr) -> Code:
        return integer_code(size, Arrays.called)

    def dims(self, shape: Sequence[sp.Expr]) -> tuple[Code, ...]:
        return tuple(self.dim(d) for d in shape)

    def sizes(self, shape: Sequence[sp.Expr]) -> Any:
        """A shape as a tuple, or the size of its one axis."""
        found = self.dims(shape)
        return found[0] if len(found) == 1 else found

    # -- patterns
    def picked(self, node: Node) -> Expr | None:
        """One entry of the last axis for every row: Z[np.arange(N), y]."""
        taken = node.args[0]
        if taken.id in self.names or not is_pick(taken) or not is_one(taken.shape[-1]):
            return None
        a, places = taken.args
        if taken.attr != a.ndim - 1 or not same_shape(node.shape, a.shape[:-1]) or a.ndim > 2 or a.id not in self.names:
            return None
        rows = [] if a.ndim == 1 else [self.made("arange", self.dim(a.shape[0]))]
        return Expr(index(self.ref(a).code, *rows, self.last_index(places).code), node.shape, node.kind)

    def reshaped_product(self, node: Node) -> Expr | None:
        """A product under another shape: the product's own reshape is left out."""
        inner = node.args[0]
        if inner.id in self.names or not is_product(inner):
            return None
        return products.product(self, inner, self.arguments(inner), node.shape)

    def last_index(self, places: Node) -> Expr:
        """An index array without its last axis of size 1."""
        flat = flat_index(places)
        if flat is not places and places.id not in self.names:
            return self.as_kind(flat, INT)
        whole = self.as_kind(places, INT)
        return Expr(index(whole.code, ..., 0), whole.shape[:-1], INT)

    def square_sum(self, node: Node) -> Expr | None:
        """Σ x² and Σ x·y over everything, as one inner product."""
        inner = node.args[0]
        if node.ndim or inner.id in self.names or inner.form is None or inner.kind != FLOAT:
            return None
        factors = two_factors(inner)
        if factors is None or not all(a.kind == FLOAT and same_shape(a.shape, inner.shape) for a in factors):
            return None
        return Expr(self.np("vdot", *[self.ref(a).code for a in factors]), (), FLOAT)


def two_factors(row: Node) -> tuple[Node, Node] | None:
    """The two rows whose product a row is."""
    form = row.form
    if isinstance(form, f.Pow) and isinstance(form.base, f.Arg) and form.exponent == f.lift(2):
        return row.args[form.base.index], row.args[form.base.index]
    match form:
        case f.Mul((f.Arg(left), f.Arg(right))):
            return row.args[left], row.args[right]
    return None


# -- truth values that need no conversion


def masks(form: f.Formula, args: Sequence[Node]) -> set[int]:
    """Truth values that may stay what they are: factors of a product with a float array before them."""
    if all(a.kind == FLOAT for a in args):
        return set()
    places = f.all_arguments(form)
    return {i for i in _masking(form, args) if places.count(i) == 1}


def _masking(form: f.Formula, args: Sequence[Node]) -> set[int]:
    found: set[int] = set().union(*[_masking(c, args) for c in form.children])
    typed = False
    for factor in form.factors if isinstance(form, f.Mul) else ():
        if typed and isinstance(factor, f.Arg) and args[factor.index].kind == BOOL:
            found.add(factor.index)
        typed = typed or any(args[i].kind == FLOAT and args[i].ndim > 0 for i in f.arguments(factor))
    return found


# -- one rule an op: (target, row, code of the arguments) -> code


def _axes(node: Node) -> dict[str, Any]:
    axes, keepdims = node.attr
    return {**_axes_of(axes), **({"keepdims": True} if keepdims else {})}


def _axes_of(axes: Sequence[int]) -> dict[str, Any]:
    return {"axis": axes[0] if len(axes) == 1 else tuple(axes)}


def _axes_unless_all(node: Node) -> dict[str, Any]:
    return {} if len(node.attr[0]) == node.args[0].ndim and not node.attr[1] else _axes(node)


def reshaped(p: Arrays, node: Node, a: Code) -> Code:
    """``a[:, None]`` and ``a[:, 0]`` where only axes of size 1 come or go, repeat for copies, else reshape."""
    copies = copies_of(node)
    if copies is not None:
        return p.repeated(a, p.dim(copies[2]), copies[1])
    source, target = node.args[0].shape, node.shape
    inside = _moved_ones(source, target)
    if inside is not None and source:
        return _read_at(a, inside) or index(a, *inside)
    return method(a, "reshape", *p.dims(target)) if source else p.np("reshape", a, p.dims(target))


def _read_at(a: Code, inside: Sequence[Any]) -> Code | None:
    """``a[2, 0]`` for ``a[2:3][:, 0:1][0, 0]``: the places that slices along different axes have; None for others."""
    slices: dict[int, Any] = {}
    while isinstance(a, ast.Subscript):
        here = {k: s for k, s in enumerate(items_of(a)) if s is not ALL}
        if here.keys() & slices.keys() or not all(isinstance(s, ast.Slice) and s.step is None for s in here.values()):
            break
        slices, a = slices | here, a.value
    if not slices or None in inside:
        return None
    places = [(slices[k].lower or 0 if x == 0 else slices[k]) if k in slices else x for k, x in enumerate(inside)]
    while places[-1] is ALL:
        places.pop()
    return index(a, *places)


def _moved_ones(source: Shape, target: Shape) -> list[Any] | None:
    """The index that turns one shape into the other when they differ in axes of size 1 only."""
    inside: list[Any] = []
    i = j = 0
    while i < len(source) or j < len(target):
        if i < len(source) and j < len(target) and same(source[i], target[j]):
            inside.append(ALL)
            i, j = i + 1, j + 1
        elif j < len(target) and is_one(target[j]):
            inside.append(None)
            j += 1
        elif i < len(source) and is_one(source[i]):
            inside.append(0)
            i += 1
        else:
            return None
    return inside


def _sliced(p: Arrays, node: Node, a: Code) -> Code:
    axis, start, length, step = node.attr
    first = None if start == 0 and step > 0 and not (is_one(length) and step == 1) else p.dim(start)
    stop, by = slice_stop(node), None if step == 1 else p.dim(sp.Integer(step))
    if stop is not None and not stop.is_nonnegative:  # a negative stop would be counted from the end
        stop = start + length * step if step > 0 else stop - node.args[0].shape[axis]
    return index(a, *[ALL] * axis, ast.Slice(first, None if stop is None else p.dim(stop), by))


def _joined(p: Arrays, node: Node, *parts: Code) -> Code:
    whole, shifted = p.np("concatenate", list(parts), **{p.axis: node.attr}), moved(node)
    if shifted is None:
        return whole
    ends = ast.Slice(None, as_code(-1)) if shifted.last else ast.Slice(as_code(1))
    return index(whole, ends)


def _padded(p: Arrays, node: Node, a: Code) -> Code:
    axis, start, size, step = node.attr
    return call("pad", a, axis, p.dim(start), p.dim(size), *([] if step == 1 else [int(step)]))


def _einsum(p: Arrays, node: Node, *args: Code) -> Code:
    """``@`` and ``.T`` where they say it, else einsum. Faster forms are in `products`."""
    pattern: Pattern = node.attr
    product = pattern.matmul()
    if product is not None:
        flipped = zip(product.order, product.flips, strict=True)
        factors = [attribute(args[k], "T") if flip else args[k] for k, flip in flipped]
        whole = factors[0] if len(factors) == 1 else binary(factors[0], ast.MatMult, factors[1])
        return attribute(whole, "T") if product.flip_out else whole
    if pattern.outer == (0, 1):
        return p.np("outer", *args)
    if pattern.is_trace or pattern.is_diagonal:
        return p.np("trace" if pattern.is_trace else "diagonal", *args)
    return p.np("einsum", str(pattern), *args, **p.planned)


def _window(p: Arrays, node: Node, a: Code) -> Code:
    axis, size, stride = node.attr
    return call(node.op.name, a, axis, p.dim(size), stride)


def _convolution(p: Arrays, node: Node, a: Code, b: Code) -> Code:
    stride, padding, size = node.attr
    return call(node.op.name, a, b, stride, padding, p.dims(size))


def _stable(p: Arrays) -> dict[str, str]:
    """NumPy sorts faster where equal entries may change places; JAX does not."""
    return {"kind": "stable"} if p.module == "np" else {}


def _linalg(word: str, *parts: int) -> Rule:
    """A function of linear algebra; of several results the one at a place."""

    def rule(p: Arrays, node: Node, *args: Code) -> Code:
        whole = call(attribute(attribute(p.module, "linalg"), word), *args)
        return index(whole, *parts) if parts else whole

    return rule


def _of_module(word: str) -> Rule:
    return lambda p, node, *args: call(word, *args)


def _as_array(p: Arrays, node: Node, code: Code) -> Code:
    """What a helper reads as an array: numbers that a loop carries may begin as literals."""
    return code if node.ndim else p.np("asarray", code, dtype=p.dtype_of(node.kind))


RULES: dict[str, Rule] = {
    "eye": lambda p, node: p.np("eye", p.dim(node.attr), dtype=name("dtype")),
    "arange": lambda p, node: p.made("arange", p.dim(node.attr)),
    "broadcast": lambda p, node, a: p.np("broadcast_to", a, p.dims(node.shape)),
    "reshape": reshaped,
    "concat": _joined,
    "array_of": lambda p, node, *numbers: p.np("array", nested(node.shape, numbers), dtype=p.dtype_of(node.kind)),
    "slice": _sliced,
    "flip": lambda p, node, a: p.np("flip", a, axis=node.attr),
    "stop_gradient": lambda p, node, a: p.held(a),
    "argsort": lambda p, node, a: p.np("argsort", a, axis=node.attr, **_stable(p)),
    "pad": _padded,
    "gather": lambda p, node, a, places: index(a, places),
    "scatter_add": lambda p, node, g, places: call("scatter_add", _as_array(p, node.args[0], g), places,
                                                   p.dim(node.attr)),
    "take_along_axis": lambda p, node, a, places: p.np("take_along_axis", a, places, axis=node.attr),
    "put_along_axis": lambda p, node, g, places: call("put_along_axis", g, places, node.attr[0], p.dim(node.attr[1])),
    "sum": lambda p, node, a: method(a, "sum", **_axes_unless_all(node)),  # a quarter of what np.sum costs
    "max": lambda p, node, a: method(a, "max", **_axes_unless_all(node)),
    "norm": lambda p, node, a: call("norm", a, **_axes_unless_all(node)),
    "logsumexp": lambda p, node, a: call("logsumexp", a, **_axes(node)),
    "shifted_logsumexp": lambda p, node, a, top: call("shifted_logsumexp", a, top, **_axes(node)),
    "shift": lambda p, node, a: call("largest", a, **_axes_of(node.attr)),
    "softmax": lambda p, node, a: call("softmax", a, axis=node.attr),
    "prod": lambda p, node, a: method(a, "prod", axis=node.attr),
    "recurrence": lambda p, node, a, b: p.np("cumsum", b, **{p.axis: node.attr}) if node.args[0].value == 1 else (
        call("recurrence", a, b, node.attr)),
    "inv": _linalg("inv"),
    "solve": _linalg("solve"),
    "det": _linalg("det"),
    "logdet": _linalg("slogdet", 1),
    **{word: _of_module(word) for word in ("cholesky", "cofactors", "eigensystem", "lu_factors", "matrix_exp",
                                           "searchsorted")},
    "einsum": _einsum,
    "unfold": _window,
    "fold": _window,
    "conv2d": _convolution,
    "conv2d_input": _convolution,
    "conv2d_kernel": _convolution,
}

# -- scalar functions: (target, call, expressions of the arguments) -> expression; one that is not here is the helper
# function of its name

_SAME = ("exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tan", "sinh", "cosh", "tanh",
         "logaddexp", "hypot", "maximum", "minimum", "where", "floor", "ceil", "trunc", "round", "remainder",
         "floor_divide")
_ARCS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh",
         "acosh": "arccosh", "atanh": "arctanh"}
_HELPERS = {"elu_unit": "elu", "nought": "where_selected", "monomial": "power_term"}
Scalar = Callable[..., Expr]


def _library_function(word: str) -> Scalar:
    return lambda p, form, *args: p.function(word, *args)


def _helper(word: str) -> Scalar:
    return lambda p, form, *args: p.helper(word, *args)


def _as(word: str) -> Scalar:
    return lambda p, form, *args: p.scalar(f.call(word, *form.args), args)


def _relation(sign: str) -> Scalar:
    return lambda p, form, left, right: p.relation(sign, left, right)


def _above(p: Arrays, form: f.Call, left: Expr, right: Expr, tie: Expr) -> Expr:
    """1[a > b]; what happens at a tie is the relation's, or a share."""
    if not is_truth(form):
        return p.helper("heaviside", left, right)
    return p.relation(">=" if form.args[2] == f.ONE else ">", left, right)


def _zero(p: Arrays) -> Expr:
    return p.number(sp.S.Zero)


SCALARS: dict[str, Scalar] = {
    **{word: _library_function(word) for word in _SAME},
    **{word: _library_function(theirs) for word, theirs in _ARCS.items()},
    **{word: _helper(ours) for word, ours in _HELPERS.items()},
    **{record.of_log: _as(word) for word, record in TABLE.items() if record.of_log},
    **{word: _relation(sign) for sign, word in RELATIONS.items()},
    "root": _library_function("sqrt"),
    "relu": lambda p, form, x, tie: p.function("maximum", x, _zero(p)),
    "leaky": lambda p, form, x, slope, tie: p.helper("leaky_relu", x, slope),
    "negexpm1": lambda p, form, x: p.function("expm1", p.function("minimum", x, _zero(p))),
    "truth": lambda p, form, x: p.relation("!=", x, _zero(p)),
    "above": _above,
}
