"""What lines of Python import: whose a function is that has the same name in several libraries, and how libraries are
called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import chain, takewhile

from symbackprop.model.text import tree
from symbackprop.model.text.tokens import NAME, Line, Token

_AS_HERE = {("jax", "numpy"): ("jnp",), ("autograd", "numpy"): ("np",), ("tensorflow",): ("tf",)}
_KNOWN = ("np", "jnp", "numpy", "scipy", "jax", "torch", "tf", "keras", "optax", "math")


def is_import(tokens: Sequence[Token]) -> bool:
    """Whether a line imports something."""
    return tokens[0].text in ("import", "from") and tokens[1].kind == NAME


def imported(lines: Sequence[Line]) -> Mapping[str, tree.Expr]:
    """What names stand for that a text imports from libraries which are known, unless it gives them to something."""
    paths = dict(chain.from_iterable(_imports(line.tokens) for line in lines if is_import(line.tokens)))
    given = {name for line in lines for name in _given(line)} if paths else set[str]()
    return {name: _member(path) for name, path in paths.items() if path[0] in _KNOWN and name not in given}


def named(expr: tree.Expr, known: Mapping[str, tree.Expr]) -> tree.Expr:
    """An expression in which what is imported has the path of its library."""
    if not known:
        return expr
    expr = tree.changed(expr, lambda part: named(part, known))
    if isinstance(expr, tree.Member) and isinstance(expr.base, tree.Name):
        return replace(expr, base=known.get(expr.base.name, expr.base))
    path = known.get(expr.function) if type(expr) is tree.Call else None  # bars are no call of a name
    if isinstance(expr, tree.Call) and isinstance(path, tree.Member):
        return replace(path, args=expr.args, options=expr.options, place=expr.place)
    return expr


def _given(line: Line) -> Iterator[str]:
    """The names left of a line's first =, and those of the head of a function."""
    tokens = [] if is_import(line.tokens) else line.tokens
    head = list(takewhile(lambda token: not token.is_sign("=", ":"), tokens))
    if len(head) == len(tokens):
        return
    for before, token, after in zip([None, *head], head, tokens[1:], strict=False):
        called = after.is_sign("(") and before is not None and before.text != "def"
        if token.kind == NAME and not called:
            yield token.text


def _imports(tokens: Sequence[Token]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names that an import gives, each with the path that it stands for."""
    words = [token.text for token in tokens if token.kind == NAME or token.is_sign(",", ".")]
    within = words[1 : words.index("import")] if words[0] == "from" and "import" in words else []
    for part in " ".join(words[len(within) + 1 + bool(within) :]).split(" , "):
        path, _, name = part.partition(" as ")
        full = tuple(word for word in [*within, *path.split()] if word != ".")
        if name or within:
            yield name or full[-1], _as_here(full)


def _as_here(path: tuple[str, ...]) -> tuple[str, ...]:
    """A path as formulas have it, ``jnp.linalg`` for ``jax.numpy.linalg``."""
    return next((here + path[len(there) :] for there, here in _AS_HERE.items() if path[: len(there)] == there), path)


def _member(path: tuple[str, ...]) -> tree.Expr:
    first: tree.Expr = tree.Name(path[0])
    return reduce(tree.Member, path[1:], first)
