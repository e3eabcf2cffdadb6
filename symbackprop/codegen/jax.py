"""The JAX target: expressions, loops and modules where they differ from NumPy's.

Arrays are never changed, so nothing is copied and no workspace is kept; a loop is a `lax.scan` over a function of one
step; sizes and dtypes pass from forward to backward beside the arrays, so that both run under `jax.jit`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import Any, ClassVar

from symbackprop.codegen.arrays import RULES, Arrays, Rule
from symbackprop.codegen.equations import shape_note
from symbackprop.codegen.module import ModulePrinter, unpacked
from symbackprop.codegen.names import escape
from symbackprop.codegen.program import For, Store
from symbackprop.codegen.statements import Writer
from symbackprop.codegen.tree import (
    NUMBER,
    Code,
    Expr,
    Line,
    as_code,
    assign,
    attribute,
    call,
    dictionary,
    index,
    method,
    name,
    string,
)
from symbackprop.core.graph import FLOAT, Node


def _scattered(p: Arrays, node: Node, g: Code, places: Code) -> Code:
    """Rows added up where the index says: ``zeros.at[index].add(g)``."""
    zeros = p.made("zeros", p.sizes(node.shape), dtype=name("dtype"))
    return method(index(attribute(zeros, "at"), places), "add", g)


class Jax(Arrays):
    """Rows as expressions of jax.numpy. Every value is an array, or a Python number."""

    target: ClassVar[str] = "jax"
    module: ClassVar[str] = "jnp"
    largest: ClassVar[int] = 2**31 - 1  # by default JAX has integers of 32 bits
    counts: ClassVar[bool] = True
    rules: ClassVar[dict[str, Rule]] = RULES | {"scatter_add": _scattered}
    names_elements: ClassVar[bool] = True
    marks: ClassVar[bool] = False  # what is compared entry by entry is fused, and each device has its own entries

    def row(self, node: Node) -> Expr:
        """A number made of sizes is a float as soon as it has a name, so that products with it are."""
        if node.value is None or node.ndim or not node.value.free_symbols:
            return super().row(node)
        return Expr(call("float", super().num(node.value)), (), NUMBER)

    def picked(self, node: Node) -> Expr | None:
        """By take_along_axis, of which JAX knows that every row is its own."""
        return None

    @classmethod
    def log(cls, code: Code) -> Code:
        return cls.np("log", code)

    @classmethod
    def held(cls, code: Code) -> Code:
        """The value as JAX's own derivatives see it too: constant."""
        return call(attribute(attribute("jax", "lax"), "stop_gradient"), code)

    @classmethod
    def cast(cls, expr: Expr, kind: str) -> Code:
        """A scalar may be a Python number, which has no ``astype``."""
        dtype = cls.dtype_of(kind)
        return method(expr.code, "astype", dtype) if expr.shape else cls.np("asarray", expr.code, dtype)

    @classmethod
    def array(cls, expr: Expr, kind: str | None) -> Code:
        """A value as an array of that kind, Python numbers too."""
        return cls.cast(expr, kind or FLOAT) if expr.kind == NUMBER else cls.converted(expr, kind or expr.kind).code


class JaxWriter(Writer):
    """Writes the statements of one block for JAX."""

    copies = False
    p: Jax

    def loop(self, loop: For, depth: int) -> Iterator[Line]:
        """A function of one step, and its scan."""
        for item in loop.start:
            code = assign(item.name, self.p.array(self.right(item), item.kind))
            yield self.told(Line(code, depth=depth), item.row, item.name)
        carried, moving = [item.name for item in loop.start], [e.name for e in loop.elements]
        stacked = [s.stack for s in loop.stores]
        word = self.fresh("step")
        head = _function(word, [(carried, "carry"), (moving, "at")], [_kind(carried), _kind(stacked)])
        yield Line(head, f"one step of {loop.index}", depth)
        yield from self.step(loop, carried, moving, depth + 1)
        yield self.scan(loop, word, carried, depth)
        for store in loop.stores:
            yield from self.before(store, depth)

    def step(self, loop: For, carried: Sequence[str], moving: Sequence[str], depth: int) -> Iterator[Line]:
        for names, whole in ((carried, "carry"), (moving, "at")):
            if len(names) > 1:
                yield Line(assign([as_code(tuple(map(name, names)))], name(whole)), "", depth)
        yield from self.inside(loop).all(loop.body.statements, depth)
        values = dict(loop.update)
        after = [self.p.array(values[item.name], item.kind) for item in loop.start]
        stacked = [self.p.array(s.value, s.kind) for s in loop.stores]
        yield Line(ast.Return(as_code((_alone(after), _alone(stacked)))), "", depth)

    def fresh(self, word: str) -> str:
        """A name for one more function of the block: the word, or the first of word_2, word_3 … that is free."""
        found = next(w for k in count(1) if (w := word if k == 1 else f"{word}_{k}") not in self.taken)
        self.taken.add(found)
        return found

    @cached_property
    def taken(self) -> set[str]:
        """The variables of the block, and what fresh gave out."""
        p = self.program
        return {*p.variables.values(), *map(escape, p.dims), *[e.variable or "" for e in self.block.names.values()]}

    def scan(self, loop: For, step: str, carried: Sequence[str], depth: int) -> Line:
        """The scan: the last carries that are wanted, and the stacks of all steps."""
        last = {value: word for word, value in loop.last}
        targets = [[name(last.get(word, "_")) for word in carried], [name(s.stack) for s in loop.stores]]
        stacks = [self.p.converted(e.stack, e.kind).code for e in loop.elements]
        options: dict[str, Any] = {"length": self.p.dim(loop.length), **({"reverse": True} if loop.reverse else {})}
        first = [_alone([name(word) for word in carried]), _alone(stacks)]
        value = call(attribute(attribute("jax", "lax"), "scan"), name(step), *first, **options)
        note = ", ".join(f"{s.stack}   {shape_note(s.shape)}" for s in loop.stores)
        return Line(assign([as_code(tuple(_alone(t or [name("_")]) for t in targets))], value), note, depth)

    def before(self, store: Store, depth: int) -> Iterator[Line]:
        """The states before every step: the one that the loop begins with, and all but the last."""
        if store.states is None:
            return
        _, word, first = store.states
        states = self.p.np("concatenate", [index(first, None), name(store.stack)])
        note = f"before every step   {shape_note(store.shape)}"
        yield Line(assign(word, index(states, ast.Slice(None, as_code(-1)))), note, depth)


def _function(word: str, taken: Sequence[tuple[Sequence[str], str]], returned: list[Code]) -> ast.FunctionDef:
    """The head of a function of arguments that are one variable, or the whole that is unpacked."""
    words = [names[0] if len(names) == 1 else whole if names else "_" for names, whole in taken]
    words = ["_", "__"] if words == ["_", "_"] else words  # a step that carries nothing and reads nothing of its own
    arguments = [ast.arg(word, _kind(names)) for word, (names, _) in zip(words, taken, strict=True)]
    whole = ast.arguments([], arguments, None, [], [], None, [])
    return ast.FunctionDef(word, whole, [], [], index("tuple", *returned), lineno=0)


def _kind(names: Sequence[str]) -> Code:
    """The type of one array by itself, of several as a tuple, of none as None."""
    return attribute("jnp", "ndarray") if len(names) == 1 else name("tuple") if names else as_code(None)


def _alone(codes: Sequence[Code]) -> Code:
    """One value by itself, several as a tuple, none as None."""
    return codes[0] if len(codes) == 1 else as_code(tuple(codes)) if codes else as_code(None)


class JaxPrinter(ModulePrinter):
    """Writes the parts of one module for JAX."""

    arrays = Jax
    writer = JaxWriter
    levels = (0, 1)
    source = "a jax.random key, or a seed"
    generator = "jax.Array | int"
    has_numbers = False
    remembers = False
    refused = "it writes into arrays that are used again, and arrays of JAX are never changed; take -O1"
    imports = ("import jax", "import jax.numpy as jnp")
    unchecked = f"{ModulePrinter.unchecked}, no-untyped-call"

    def fields(self) -> dict[str, Any]:
        return super().fields() | {
            "as_integers": "as_integers(name, array)",
            "as_floats": "array.astype(dtype)",
            "drawn": "{name: jnp.asarray(value, at_hand(DTYPE)) for name, value in params.items()}",
            "dtypes": 'cache["static"].dtypes',
            "mark": string("static"),
            "factor": "jax.Array | float",
        }

    def handed_on(self) -> list[Line]:
        arrays = {v: name(v) for v in self.program.kept if v in self.backward_names}
        static = call("Static", name("sizes"), name("dtype"), name("dtypes"))
        return [Line(assign("cache", dictionary(arrays | {"static": static})))]

    def reopening(self) -> list[Line]:
        names, kept = self.backward_names, self.program.kept
        lines = [unpacked(v, index("cache", v), row) for v, row in kept.items() if v in names]
        sizes, static = self.sizes_from(name("sizes"), names), index("cache", "static")
        table = [Line(assign("sizes", attribute(static, "sizes")))] if sizes else []
        dtype = [Line(assign("dtype", attribute(static, "dtype")))] if "dtype" in names else []
        return [*lines, *table, *sizes, *dtype]


PRINTER = JaxPrinter
