"""The row table: hash-consed nodes, names with one owner, topological order without recursion.

A `Node` is one row ``name := rhs`` and is also the handle that users compute with. Two rows with the same op, arguments
and attribute are one row, which makes shared subexpressions, common subexpressions and cached terms the same thing.
A name is a barrier: a named row is an operand of its own, which no equal expression is merged with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, Union

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.kernel import MAX_ARGS, MAX_SIZE, Kernel, composed, identity_in, moved, renumbered
from symbackprop.core.names import wishes
from symbackprop.core.operators import Operators
from symbackprop.core.registry import OPS, Op
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE, Scalar
from symbackprop.core.shapes import DimLike, Shape, as_shape, broadcast, same_shape
from symbackprop.doorway import late
from symbackprop.errors import ModelError, NameProblem, ShapeError

Operand = Union["Node", int, float, sp.Expr]
FLOAT, INT, BOOL, SEVERAL = "float", "int", "bool", "several"
KINDS = (BOOL, INT, FLOAT)  # each holds the ones before it
SIMPLEX, SYMMETRIC = "simplex", "symmetric"
STATED = {  # what may be stated of an array, in words
    SIMPLEX: "adds up to 1 along its last axis, no entry below 0",
    SYMMETRIC: "symmetric",
}
MAX_LABEL = 50
MAX_RANK = 24  # NumPy has 32; letters for them, and for an axis or two more, have to be there in an einsum


class Node(Operators):
    """One row. ``args`` are rows, ``attr`` is hashable; ``name`` is the user's, ``hint`` what an unnamed row would like
    to be called; ``origin`` remembers the library function that made it (for printing only); ``value`` is the number
    that every entry is, when that is known now; ``log`` is what `noughts.is_log` has found; equal rows have the same
    ``key``. An elementwise row computes ``form``, which is one function, its ``head`` with the record ``function``, or
    else ``arithmetic``. A row that is set ``apart`` is an operand of its own, as one with a name is. One of the results
    of a loop (``is_result``) has the row of the loop (``is_loop``) as its argument and its number as its attribute."""

    __slots__ = (
        "apart", "args", "arithmetic", "attr", "form", "function", "graph", "head", "hint", "id", "is_loop",
        "is_result", "key", "kind", "log", "name", "op", "origin", "role", "shape", "value",
    )

    graph: Graph
    id: int
    op: Op
    args: tuple[Node, ...]
    attr: Any
    form: f.Formula | None
    head: str | None
    function: Scalar | None
    role: Role | None
    arithmetic: f.Formula | None
    shape: Shape
    kind: str
    name: str | None
    hint: str | None
    origin: Origin | None
    value: sp.Expr | None
    log: bool | None
    key: Any
    apart: bool
    is_loop: bool
    is_result: bool

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def is_leaf(self) -> bool:
        return not self.args

    @property
    def is_number(self) -> bool:
        return self.value is not None and not self.args

    @property
    def is_declared(self) -> bool:
        """Whether it is data, a parameter, or what a body of a loop is given."""
        return isinstance(self.attr, Leaf)

    @property
    def wish(self) -> str | None:
        """What it would like to be called, without a derivation that names its arguments."""
        return wishes(self.hint, self.args[0].name if self.args else None)[0] if self.hint else None

    @property
    def whole(self) -> bool:
        """Whether no formula and no product takes this row apart."""
        return self.apart or self.name is not None

    def __repr__(self) -> str:
        return f"<{self.name or f'row {self.id}'}: {self.op.name} {self.shape}>"

    def __str__(self) -> str:
        """What the row computes, as model text; what is more than three rows down is left out."""
        return str(late("brief")(self))

    def _repr_latex_(self) -> str:
        return str(late("node_latex")(self))

    def _repr_html_(self) -> str | None:
        shown: str | None = late("node_html")(self)
        return shown


class Origin:
    """How a row was written: the library function, its row arguments and its printed options."""

    __slots__ = ("args", "function", "options")

    def __init__(self, function: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.function, self.args, self.options = function, args, options


class Leaf:
    """Attribute of a leaf: its role (param, data, input, constant, upstream, body) and, for integers, their bound. In
    the body of a loop, ``of`` is the row outside that the leaf is, or whose elements it is, ``gradient_of`` the row
    inside of the forward loop whose gradient at this step it is. ``stated`` is what holds of the array, a word of
    `STATED`."""

    __slots__ = ("below", "gradient_of", "of", "role", "stated", "value")

    def __init__(self, role: str, below: sp.Expr | None = None, value: sp.Expr | None = None, of: Node | None = None,
                 stated: str = "", gradient_of: Node | None = None) -> None:
        self.role, self.below, self.value, self.of, self.stated = role, below, value, of, stated
        self.gradient_of = gradient_of


class Graph:
    """The table. All rows that meet in an expression live in one graph.

    ``nodes`` are the rows by their ids, of which ``count`` were given. What is derived (`apart`) is not in it, but for
    the ``results`` of loops: each stays one row.
    ``gradients`` says of rows that `grad` made: of which row they are the gradient, by which, for which upstream one;
    ``tangents`` of rows that `jvp` made: of which row they are the tangent, by which, for which tangents.
    ``functions`` are those that a model declares, by name: each makes the row of its derivative of some order (0: its
    own). ``writing`` is true while a model is declared: no expression then becomes a row that has a name. A sweep reads
    named rows again wherever it needs their values (`evaluating`). Formulas do not take apart rows whose
    ids are ``held``.
    """

    def __init__(self, relu0: sp.Rational | int | float = 0) -> None:
        self.nodes: dict[int, Node] = {}
        self.count = 0
        self.names: dict[str, Node] = {}
        self.functions: dict[str, Callable[[Operand, int], Node]] = {}
        self.hazards: dict[int, int] = {}
        self.mixed: dict[int, int] = {}
        self.arrays: dict[Node, int] = {}
        self.results: dict[tuple[int, int], Node] = {}
        self.relu0 = f.exact(relu0)
        self.gradients: dict[int, tuple[Node, Node, Node]] = {}
        self.tangents: dict[int, tuple[Node, tuple[Node, ...], tuple[Node, ...]]] = {}
        self.writing = True
        self.held: set[int] = set()
        self._table: dict[Any, Node] = {}
        self._named: dict[Any, Node] = {}
        self._written_again: dict[int, int] = {}

    # -- making rows
    def make(self, op: str, args: Sequence[Node] = (), attr: Any = None, key: Any = None) -> Node:
        """The row op(args; attr): the existing one when there is one. Shapes are inferred and checked here."""
        args = tuple(args)
        key = key or key_of(op, tuple([a.id for a in args]), attr)
        node = self._found(key)
        if node is None:
            node = self._table[key] = self.separate(op, args, attr, key)
        return node

    def _found(self, key: Any) -> Node | None:
        node = self._table.get(key)
        if not self.writing:
            return self._named.get(key, node)
        if node is not None:
            self._written_again[node.id] = self.count
        return node

    def separate(self, op: str, args: tuple[Node, ...], attr: Any, key: Any = None) -> Node:
        """The row op(args; attr) as one that no equal expression finds."""
        shape, kind = OPS[op].infer(attr, args)
        return self._append(OPS[op], args, attr, shape, kind, key or key_of(op, tuple([a.id for a in args]), attr))

    def again(self, node: Node, args: Sequence[Node], attr: Any = None, own: bool = False) -> Node:
        """The row that computes from ``args`` what ``node`` computes from its arguments, perhaps with another attribute
        or in another graph: what equal rows are, or one of its ``own``."""
        name, attr = node.op.name, node.attr if attr is None else attr
        if node.is_result and not own:
            return self.result(args[0], args[0].attr.number(attr))
        if node.role is Role.NUMBER:
            return self.const(attr, node.kind)
        if isinstance(attr, Kernel) and attr.arity < len(args):
            order = f.arguments(attr.form)
            rows = [args[i] for i in order]
            return self._kernel_row(renumbered(attr.form, order), rows, common_shape(args), node.kind != FLOAT)
        return self.separate(name, tuple(args), attr) if own else self.make(name, args, attr)

    def over(self, node: Node, args: Sequence[Node]) -> Node:
        """The row over other arguments, called as it was where it has no name; itself where these are its own."""
        if all(a is b for a, b in zip(args, node.args, strict=True)):
            return node
        row = self.again(node, args)
        row.hint = row.hint or node.hint
        return row

    def twin(self, node: Node) -> Node:
        """A row of its own that computes the same."""
        return dressed(self.again(node, node.args, own=True), node, lambda row: row)

    def result(self, scan: Node, number: int) -> Node:
        """The row of a loop's result: a last carry, or a stack over time. It is one row, whoever asks for it first."""
        if (scan.id, number) not in self.results:
            self.results[scan.id, number] = self.make("out", (scan,), number)
        return self.results[scan.id, number]

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """While rows are computed that nobody declares (gradients), an expression may be a named row."""
        before, self.writing = self.writing, False
        try:
            yield
        finally:
            self.writing = before

    @contextmanager
    def apart(self) -> Iterator[None]:
        """While rows are made that nothing declared or derived later is to become: the table stays as it is."""
        before = self.nodes, self._table, self._named
        self.nodes, self._table, self._named = dict(self.nodes), dict(self._table), dict(self._named)
        with self.evaluating():
            try:
                yield
            finally:
                self.nodes, self._table, self._named = before

    @contextmanager
    def holding(self, ids: Iterable[int]) -> Iterator[None]:
        """While formulas do not take apart these rows, and those that are added to ``held`` meanwhile."""
        before, self.held = self.held, {*ids}
        try:
            yield
        finally:
            self.held = before

    def recognise(self, rows: Iterable[Node]) -> None:
        """From now on rows made `apart` before are found again by what is equal to them."""
        for row in rows:
            self.nodes[row.id] = row
            if row.key is not None:
                self._named.setdefault(row.key, row)

    def _append(
        self, op: Op, args: tuple[Node, ...], attr: Any, shape: Shape, kind: str, key: Any = None
    ) -> Node:
        if len(shape) > MAX_RANK:
            raise ShapeError(f"an array has at most {MAX_RANK} axes, not {len(shape)}")
        node = Node()
        node.graph, node.id, node.op, node.args, node.attr = self, self.count, op, args, attr
        node.shape, node.kind, node.name, node.hint, node.origin, node.key = shape, kind, None, None, None, key
        node.value = attr if op.role is Role.NUMBER else args[0].value if op.role is Role.REPEATED else None
        node.log, node.apart, node.is_loop, node.is_result = None, False, op.loop, op.result
        node.form, node.head = (attr.form, attr.head) if isinstance(attr, Kernel) else (None, None)
        node.function = None if node.head is None else TABLE[node.head]
        node.arithmetic = node.form if node.head is None else None
        node.role = op.role if node.form is None or node.head is None else node.form.role
        self.nodes[node.id] = node
        self.count += 1
        return node

    def leaf(self, name: str, shape: Iterable[DimLike] = (), role: str = "data", kind: str = FLOAT,
             below: sp.Expr | None = None, value: sp.Expr | None = None, stated: str = "") -> Node:
        """A new leaf of that name; names are unique in a graph."""
        self.claim(name)
        node = self._append(OPS["leaf"], (), Leaf(role, below, value, stated=stated), as_shape(shape), kind)
        return self._own(name, node)

    def const(self, value: f.Number, kind: str | None = None) -> Node:
        """A number as a scalar row; a whole one is an integer unless ``kind`` says otherwise."""
        number = f.exact(value)
        kind = kind or (INT if number.is_Integer else FLOAT)
        node = self.make("const", (), number, key=("const", number, kind))
        node.kind = kind
        return node

    def full(self, value: f.Number, shape: Iterable[DimLike], kind: str = FLOAT) -> Node:
        """An array whose entries are all ``value``."""
        return self.broadcast(self.const(value, kind), as_shape(shape))

    def lift(self, value: Operand) -> Node:
        """A row from a row, a number or a SymPy expression over rows."""
        if isinstance(value, Node):
            if value.graph is not self:
                raise ModelError(f"{value!r} belongs to another model")
            return value
        value = f.written_out(value)
        if isinstance(value, bool):
            raise ModelError(f"{value} is no number: == and != compare rows as Python objects; write equal(a, b)")
        if isinstance(value, (list, tuple)) and value:
            row: Node = late("called")("stack", ([*map(self.lift, value)],), {})
            return row
        if isinstance(value, sp.MatrixBase) or (isinstance(value, sp.Expr) and not value.is_Number):
            return self._lower(value)
        return self.const(value)

    def _lower(self, expr: Any) -> Node:
        try:
            row: Node = late("lower")(self, expr)
        except RecursionError:
            raise ModelError("a SymPy expression is nested too deeply: name a part of it") from None
        return row

    # -- names
    def claim(self, name: str) -> None:
        if name in self.names:
            raise NameProblem(f"the name {name!r} is already taken")

    def _own(self, name: str, node: Node) -> Node:
        self.names[name] = node
        return self.christen(name, node)

    def christen(self, name: str, node: Node) -> Node:
        """Give a row its name."""
        node.name = name
        self._withdraw(node)
        return node

    def set_apart(self, node: Node) -> None:
        """Make a row that a sweep has just made an operand of its own."""
        if node.name is None and node.args and node.value is None:
            node.apart = True
            self._withdraw(node)

    def _withdraw(self, node: Node) -> None:
        """From now on an equal expression that a user writes is another row. (Results of a loop stay one row.)"""
        if node.key is not None and not node.is_result:
            if self._table.get(node.key) is node:
                del self._table[node.key]
            self._named.setdefault(node.key, node)

    def let(self, name: str, value: Operand) -> Node:
        """Name a row."""
        node = self.lift(value)
        self.claim(name)
        return self._own(name, self.nameable(node, name))

    def nameable(self, node: Node, *key: Any) -> Node:
        """The row that gets a name for this value. What has one, or is a number, is read by an alias row of its own;
        what was written again since others read it becomes a row that they do not read."""
        if node.name is not None or node.value is not None or node.is_leaf:
            return self.alias(node, *key)
        return self.twin(node) if self._read_before_written(node) else node

    def alias(self, node: Node, *key: Any) -> Node:
        """A row with the value of another one."""
        return self.make("elementwise", (node,), Kernel(f.Arg(0)), key=("alias", *key))

    def _read_before_written(self, node: Node) -> bool:
        between = range(node.id + 1, self._written_again.get(node.id, 0))
        readers = [self.nodes[k] for k in between if k in self.nodes]
        return not node.is_result and any(a is node for reader in readers for a in reader.args)

    # -- elementwise rows
    def apply(self, form: f.Formula, *operands: Operand) -> Node:
        """A formula over rows: every function call becomes a row of its own, the arithmetic between them one kernel."""
        args = [*map(self.lift, operands)]
        calls, left = f.calls_apart(form, len(args)) if f.has_calls(form) else ((), form)
        for call in calls:
            args.append(self.call(call.name, *[self.arithmetic(part, args) for part in call.args]))
        return self.arithmetic(left, args)

    def call(self, name: str, *operands: Operand) -> Node:
        """The scalar function ``name`` of rows, elementwise with broadcasting."""
        args = [self.lift(a) for a in operands]
        stable: Node | None = late("stable_form")(name, args)
        if stable is not None:
            return stable
        shape = common_shape(args)
        forms: list[f.Formula] = []
        kept: dict[Node, int] = {}
        for a in args:
            forms.append(f.Num(a.value) if a.value is not None else f.argument(_place(kept, _source(a))))
        form: f.Formula = f.Call(name, tuple(forms))
        folded = None if kept else _folded(name, forms)
        return self._kernel_row(form if folded is None else f.Num(folded), [*kept], shape)

    def arithmetic(self, form: f.Formula, args: Sequence[Node]) -> Node:
        """A call-free formula over rows; constants and unnamed arithmetic rows among the arguments are folded in."""
        written = [args[i] for i in f.arguments(form)]
        shape = common_shape(written)
        places: dict[Node, int] = {}
        alone = f.written_once(form)
        parts = [self._part(node, once, shape, places) for node, once in zip(written, alone, strict=True)]
        whole, order = composed(form, tuple(parts))
        kept = [*places]
        rows = [kept[i] for i in order]
        form = late("with_noughts")(whole, rows)
        return self._kernel_row(form, rows, shape, isinstance(form, f.Num) and all([a.kind != FLOAT for a in written]))

    def _part(self, node: Node, once: bool, shape: Shape, kept: dict[Node, int]) -> f.Formula:
        """What stands for a row in a formula: its number, its own formula, or itself; ``kept`` grows."""
        if node.value is not None:
            return f.Num(node.value)
        node = _source(node)
        if once and self._can_fuse(node, shape, kept):
            return moved(node.attr.form, tuple([_place(kept, a) for a in node.args]))
        return f.argument(_place(kept, node))

    def _can_fuse(self, node: Node, shape: Shape, kept: dict[Node, int]) -> bool:
        """Unnamed arithmetic of the same shape is part of the bigger formula; calls, names and origins are not."""
        return (
            node.arithmetic is not None
            and node.name is None
            and not node.apart
            and node.id not in self.held
            and node.origin is None
            and len(kept) + len(node.args) <= MAX_ARGS
            and f.size(node.arithmetic) <= MAX_SIZE
            and same_shape(node.shape, shape)
        )

    def extent(self, node: Node) -> tuple[int, int]:
        """How many nodes and arguments a row has in a formula that it is part of, at most."""
        form = node.arithmetic if node.name is None else None
        return (1, 1) if form is None else (f.size(form), len(node.args))

    def _kernel_row(self, form: f.Formula, args: Sequence[Node], shape: Shape, whole: bool = False) -> Node:
        """The row of a formula that is folded already. ``whole``: it was written with integers only, so that a number
        is one too."""
        if isinstance(form, f.Num):
            return self.full(form.value, shape, INT if whole and form.value.is_integer else FLOAT)
        if isinstance(form, f.Arg):
            return self.broadcast(args[form.index], shape)
        return self.broadcast(self.make("elementwise", args, Kernel(form)), shape)

    def broadcast(self, node: Node, shape: Shape) -> Node:
        """NumPy's broadcast of a row to a shape; nothing when it has that shape."""
        if node.shape is shape or same_shape(node.shape, shape):
            return node
        return self.make("broadcast", (_source(node),), shape)

    # -- order
    def topological(self, outputs: Sequence[Node], stop: frozenset[int] = frozenset()) -> list[Node]:
        """All rows that the outputs need, arguments first."""
        return arguments_first(outputs, (lambda node: () if node.id in stop else node.args) if stop else _arguments)


def key_of(op: str, ids: tuple[int, ...], attr: Any) -> Any:
    """What equal rows have in common, whose arguments have these numbers. Elementwise rows are equal when they compute
    the same value, in whatever spelling and order of arguments."""
    if not isinstance(attr, Kernel):
        return op, ids, attr
    ordered = ids if len(ids) < 2 else tuple(sorted(ids))
    if ids == ordered:
        return op, ids, attr.identity
    order = tuple(sorted(range(len(ids)), key=ids.__getitem__))  # a number may stand twice, see model.same
    return op, ordered, identity_in(attr, order)


_arguments: Callable[[Node], tuple[Node, ...]] = attrgetter("args")


def arguments_first(
    roots: Sequence[Node], reads: Callable[[Node], Sequence[Node]] = _arguments, known: Collection[int] = ()
) -> list[Node]:
    """The roots and all that they read, directly or not, each after what it reads; iterative, so depth costs no stack.
    Rows in ``known`` are left out, with what only they read."""
    seen: set[int] = set()
    order: list[Node] = []
    stack: list[Node | None] = [*reversed(roots)]
    while stack:
        node = stack.pop()
        if node is None:  # what the row below reads is in the order
            node = stack.pop()
            assert node is not None
            order.append(node)
        elif node.id not in seen and node.id not in known:
            seen.add(node.id)
            below = [a for a in reversed(reads(node)) if a.id not in seen]
            if below:
                stack += [node, None, *below]
            else:
                order.append(node)
    return order


def reached(roots: Iterable[Node], reads: Callable[[Node], Sequence[Node]] = _arguments) -> Iterator[Node]:
    """The roots and all that they read, each once and before what it reads, as far as somebody asks."""
    seen: set[int] = set()
    stack = [*roots][::-1]
    while stack:
        node = stack.pop()
        if node.id not in seen:
            seen.add(node.id)
            yield node
            stack += reads(node)[::-1]


def _folded(name: str, numbers: Sequence[f.Formula]) -> sp.Expr | None:
    """A function of a number, exactly, where SymPy knows it."""
    if TABLE[name].stays:
        return None
    given = [n.value for n in numbers if isinstance(n, f.Num)]
    value: Any = TABLE[name].head(*given)
    if value.is_extended_real is False or value.is_finite is False:
        raise ModelError(f"{name}({', '.join(map(str, given))}) is not a finite real number")
    return value


def common_shape(rows: Sequence[Node]) -> Shape:
    """The shape that the rows broadcast to."""
    shape = rows[0].shape if rows else ()
    if all([a.shape is shape or same_shape(shape, a.shape) for a in rows]):
        return shape
    return broadcast([a.shape for a in rows], lambda: [label(a) for a in rows])


def common_kind(rows: Iterable[Node]) -> str:
    """The kind that holds the values of all rows."""
    kinds = {a.kind for a in rows}
    return next(kind for kind in reversed(KINDS) if kind in kinds)


def label(node: Node) -> str:
    """How an error message refers to a row: its name, or what it computes when that is short."""
    if node.name:
        return node.name
    text: str = late("brief")(node)
    return text if len(text) <= MAX_LABEL else f"this {node.origin.function if node.origin else node.op.name} term"


def mark(row: Node, name: str, args: tuple[Any, ...], options: dict[str, Any], fresh: bool = False) -> Node:
    """Remember that a row was written as name(args, options); named rows and leaves keep their own form, and so does
    one written before, unless the call has just made it (``fresh``): the outermost call is the shortest text."""
    rows = [a for a in (*args, *options.values()) if isinstance(a, Node)]
    older = all(a.id < row.id for a in rows)  # else it would mention itself
    if row.name is None and row.args and (fresh or row.origin is None) and older:
        row.origin = Origin(name, args, options)
    return row


def dressed(copy: Node, node: Node, move: Callable[[Node], Node | None]) -> Node:
    """A copy of a row with its hint, and its origin over the rows that rows have become, where all are known."""
    copy.hint = copy.hint or node.hint
    copy.apart |= node.apart
    if node.origin is not None and copy.origin is None:
        args, options = node.origin.args, node.origin.options
        rows = {a: move(a) for a in (*args, *options.values()) if isinstance(a, Node)}
        if None not in rows.values():
            args = tuple([rows[a] if isinstance(a, Node) else a for a in args])
            options = {k: rows[a] if isinstance(a, Node) else a for k, a in options.items()}
            copy.origin = Origin(node.origin.function, args, options)
    return copy


def _source(node: Node) -> Node:
    """A broadcast row is implicit in elementwise arithmetic: use what it broadcasts."""
    return node.args[0] if node.role is Role.REPEATED and node.name is None else node


def _place(kept: dict[Node, int], node: Node) -> int:
    """The place of a row among those that are kept, the next one if it is new."""
    return kept.setdefault(node, len(kept))
