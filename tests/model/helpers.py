"""Models as comparable data, and random model texts."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from hypothesis import strategies as st

from symbackprop.core.graph import Leaf, Node
from symbackprop.core.kernel import Kernel, renumbered
from symbackprop.core.loops import Loop
from symbackprop.model import Model


def described(model: Model) -> dict[str, Any]:
    """Everything that makes a model the model it is, without row numbers: two equal descriptions, one graph."""
    rows = Digests()
    return {
        "sizes": model.sizes,
        "declared": [(s.keyword, s.name) for s in model.statements],
        "arrays": {s.name: rows.of(model.graph.names[s.name]) for s in model.statements if s.name in model.graph.names},
        "results": [r.name for r in model.results()],
        "notation": model.notation_of,
        "relu0": model.graph.relu0,
    }


class Digests:
    """A text for every row that says how it is computed; rows are equal when their texts are."""

    def __init__(self) -> None:
        self.found: dict[int, str] = {}

    def of(self, root: Node, stop: frozenset[int] = frozenset()) -> str:
        for node in root.graph.topological([root], stop):
            if node.id not in self.found:
                self.found[node.id] = sha256(repr(self._row(node)).encode()).hexdigest()[:16]
        return self.found[root.id]

    def _row(self, node: Node) -> Any:
        args = [self.found[a.id] for a in node.args]
        seen = (node.op.name, node.name, node.shape, node.kind)
        if isinstance(node.attr, Kernel):
            order = sorted(range(len(args)), key=args.__getitem__)
            return (*seen, sorted(args), str(Kernel(renumbered(node.attr.form, tuple(order))).expr))
        if isinstance(node.attr, Leaf):
            return (*seen, node.attr.role, node.attr.below, node.attr.value)
        return (*seen, args, self._loop(node.attr) if isinstance(node.attr, Loop) else str(node.attr))

    def _loop(self, loop: Loop) -> Any:
        for part in (loop.carry, loop.sequences, loop.invariants):
            self.found.update({leaf.id: f"{leaf.name} {leaf.shape}" for leaf in part})
        results = [self.of(r, loop.stop) for r in (*loop.carried, *loop.stacked)]
        return loop.length, loop.reverse, len(loop.carry), len(loop.sequences), results


# -- random texts ----------------------------------------------------------------------------------------------------

SIZES = {"N": 2, "D": 3, "H": 4}
LEAVES: dict[str, tuple[Any, ...]] = {
    "X": ("N", "D"), "W": ("D", "H"), "b": ("D",), "v": ("N", 1), "r": (1, "D"), "s": (), "A": ("N", "D", "H"), "q": (),
    "M": ("N", "N"),
}
HEAD = """dim N, D, H
data X: N x D, v: N x 1, A: N x D x H
data i: N int < N
param W: D x H, b: D, r: 1 x D, s, q, M: N x N
"""
UNARY = ["tanh", "exp", "relu", "sigmoid", "softplus", "gelu", "silu", "swish", "abs", "-", "elu", "leaky_relu", "sign"]
REDUCE = ["sum", "mean", "max", "min", "var", "logsumexp", "norm"]
Typed = tuple[str, tuple[Any, ...]]


def broadcast(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """NumPy's rule on symbolic sizes; None where they do not fit."""
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    shape = tuple(y if x == 1 else x for x, y in zip(a, b, strict=True))
    fits = all(x == y or 1 in (x, y) for x, y in zip(a, b, strict=True))
    return shape if fits else None


@st.composite
def expressions(draw: Any, names: dict[str, tuple[Any, ...]], depth: int = 3) -> Typed:
    """A random formula over names, with its shape."""
    kind = draw(st.integers(0, 11)) if depth else 0
    if kind <= 1:
        name = draw(st.sampled_from(sorted(names)))
        return name, names[name]
    text, shape = draw(expressions(names, depth - 1))
    if kind <= 3:
        f = draw(st.sampled_from(UNARY))
        return (f"(-{text})" if f == "-" else f"{f}({text})"), shape
    if kind <= 6:
        return _binary(draw, text, shape, *draw(expressions(names, depth - 1)))
    if kind == 7:
        number = draw(st.sampled_from(["2", "0.1", "1/3", "N", "1/N", "-3", "1e-5", "(N*D)", "2**0.5"]))
        return f"({number} {draw(st.sampled_from('+-*'))} {text})", shape
    if kind == 8 and shape:
        return _reduced(draw, text, shape)
    if kind == 9 and shape:
        return _indexed(draw, text, shape)
    if kind == 10 and len(shape) == 2:
        return f"{text}.T" if text.isidentifier() else f"({text}).T", shape[::-1]
    return f"({text})**{draw(st.sampled_from(['2', '3', '0.5']))}", shape


def _binary(draw: Any, a: str, s: tuple[Any, ...], b: str, t: tuple[Any, ...]) -> Typed:
    if len(s) in (1, 2) and len(t) == 2 and s[-1] == t[0] and draw(st.booleans()):
        return f"({a}) @ ({b})", (*s[:-1], t[1])
    shape = broadcast(s, t)
    if shape is None or set(_words(a)) & set(_words(b)):  # a - a would cancel
        return a, s
    f = draw(st.sampled_from(["+", "-", "*", "/", "maximum", "where", ">"]))
    if f == "maximum":
        return f"maximum({a}, {b})", shape
    if f == "where":
        return f"where({a} > 0, {a}, {b})", shape
    if f == "/":  # the variance along an axis of one entry is the number 0
        return f"(({a}) / (1 + ({b})**2))", shape
    return f"(({a}) {f} ({b}))", shape


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]\w*", text)


def _reduced(draw: Any, text: str, shape: tuple[Any, ...]) -> Typed:
    f = draw(st.sampled_from(REDUCE))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    if draw(st.booleans()):
        return f"{f}({text}, axis={axis}, keepdims=True)", tuple(1 if k == axis % len(shape) else d
                                                                  for k, d in enumerate(shape))
    return f"{f}({text}, axis={axis})", tuple(d for k, d in enumerate(shape) if k != axis % len(shape))


def _indexed(draw: Any, text: str, shape: tuple[Any, ...]) -> Typed:
    how = draw(st.sampled_from(["0", "None", "...", "::-1", "i", "softmax", "-1"]))
    if how == "softmax":
        return f"softmax({text})", shape
    if how == "i":
        return (f"({text})[i]", ("N", *shape[1:])) if shape[0] == "N" else (text, shape)
    after = {"0": shape[1:], "-1": shape[1:], "None": (1, *shape)}.get(how, shape)
    return f"({text})[{how}]", after


@st.composite
def model_texts(draw: Any) -> str:
    """A random model text that parses."""
    names = dict(LEAVES)
    lines = []
    for k in range(draw(st.integers(1, 4))):
        text, shape = draw(expressions(names))
        lines.append(f"z{k} = {text}")
        names[f"z{k}"] = shape
    used = [f"sum(z{k})" for k in range(len(lines))]
    return HEAD + "\n".join(lines) + f"\nloss L = {' + '.join(used)}\n"
