"""Classes of a pasted text: what ``__init__`` makes is made where an object is, of what that is given."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from symbackprop.core.scalars import TABLE
from symbackprop.model.text import tree
from symbackprop.records import record

_LEARNT = ("Parameter", "Variable")
_FILLED = re.compile("randn?|standard_normal|normal|uniform|zeros|ones|empty")
_BEHIND_TWO = ("normal", "uniform")  # numbers stand sizes


@record(frozen=True)
class Class:
    """What ``__init__`` takes, and what stands in the class; whether arrays in it are only learnt that say so, and
    whether there are several objects of it."""

    line: int
    parameters: Mapping[str, tree.Expr | None]
    body: Sequence[tree.Statement]
    is_module: bool
    several: bool


def made(of: Class, name: str, given: Mapping[str, tree.Expr], dims: Collection[str]
         ) -> tuple[list[tree.Statement], Mapping[str, tree.Expr], Mapping[str, str]]:
    """What an object that is given this consists of, the sizes and options that it keeps, and what is called otherwise
    of it than in the class: where there are several, ``h1_w`` of h1."""
    known, own, body = dict(given), dict[str, str](), list[tree.Statement]()
    for s in of.body:
        s = _with(s, known)
        if isinstance(s, tree.Equation) and s.target.index is None and _is_known(s.value, dims):
            known[s.target.name] = s.value
        elif of.several:
            body += as_declaration(_of_object(s, name, own), not of.is_module)
            known |= {n: tree.Name(other) for n, other in own.items()}
        elif not isinstance(s, tree.Equation) or s.value != tree.Name(s.target.name):
            body += as_declaration(s, not of.is_module)
    return body, {name: value for name, value in known.items() if _is_known(value, dims)}, own


def _with(s: tree.Statement, known: Mapping[str, tree.Expr]) -> tree.Statement:
    """A statement with what names stand for in its formula, or in its shapes."""
    if isinstance(s, tree.Arrays):
        items = [replace(item, shape=tuple([put(size, known) for size in item.shape])) for item in s.items]
        return replace(s, items=tuple(items))
    return replace(s, value=put(s.value, known)) if isinstance(s, tree.Equation) else s


def _of_object(s: tree.Statement, name: str, own: dict[str, str]) -> tree.Statement:
    """What gives an object something, with names that no other object has, which are kept among its ``own``."""
    targets = [item.target for item in s.items] if isinstance(s, tree.Arrays) else [
        s.target] if isinstance(s, tree.Equation) else []
    own |= {target.name: f"{name}_{target.name}" for target in targets}
    if isinstance(s, tree.Arrays):
        items = [replace(x, target=replace(x.target, name=own[x.target.name])) for x in s.items]
        return replace(s, items=tuple(items))
    return tree.called_so(s, {}, own)


def put(expr: tree.Expr, known: Mapping[str, tree.Expr]) -> tree.Expr:
    """An expression with what names, those behind ``self.`` too, stand for."""
    expr = tree.changed(expr, lambda part: put(part, known))
    match expr:
        case tree.Name(name) | tree.Member(tree.Name("self"), name, None) if name in known:
            return known[name] if known[name].place else replace(known[name], place=expr.place)
    return expr


def of_object(expr: tree.Expr, own: Mapping[str, str]) -> tree.Expr:
    """An expression with what an object has, ``self.w`` and ``self.act(x)``, under its own names."""
    expr = tree.changed(expr, lambda part: of_object(part, own))
    match expr:
        case tree.Member(tree.Name("self"), name, None) if name in own:
            return tree.Name(own[name], place=expr.place)
        case tree.Member(tree.Name("self"), name, tuple() as args, options) if name in own:
            return tree.Call(own[name], args, options, place=expr.place)
        case tree.Call(name, args, options) if "." in name and name in own:  # of an object of its own
            return replace(expr, function=own[name])
    return expr


def _is_known(value: tree.Expr, dims: Collection[str]) -> bool:
    """Whether it is made of numbers and dimensions alone, or an option."""
    if isinstance(value, (tree.Word, tree.String)):
        return True
    return all(_is_of_sizes(part) or (isinstance(part, tree.Name) and part.name in dims)
               for part in tree.all_parts(value))


def _is_of_sizes(part: tree.Expr) -> bool:
    """Whether it is a number, or computes a size of others."""
    exact = TABLE[part.function].exact if isinstance(part, tree.Call) and part.function in TABLE else None
    return isinstance(part, (tree.Number, tree.Chain)) or exact is not None


def as_declaration(s: tree.Statement, random: bool = False) -> Sequence[tree.Statement]:
    """``W = nn.Parameter(torch.randn(n, m))`` as the declaration that it is; with ``random``, ``0.1 * randn(n, m)`` and
    zeros too. Any other statement alone."""
    if not isinstance(s, tree.Equation) or s.target.index is not None:
        return [s]
    learnt = isinstance(s.value, (tree.Call, tree.Member)) and called(s.value)[0] in _LEARNT
    shape = _filled(called(s.value)[1][0] if learnt and called(s.value)[1] else s.value) if learnt or random else None
    if shape is None:
        return [s]
    told = f"{s.target.name} is read as a parameter, whose values at the beginning say nothing"
    return [tree.Said(s.line, told), tree.Arrays(s.line, "param", (tree.ArrayItem(s.target, shape),))]


def _filled(expr: tree.Expr) -> tuple[tree.Expr, ...] | None:
    """The sizes of an array that is filled with numbers to begin with; None of any other."""
    if isinstance(expr, tree.Chain) and all(sign in ("*", "/") for sign, _ in expr.rest):
        found = [shape for part in (expr.first, *[p for _, p in expr.rest]) if (shape := _filled(part)) is not None]
        return found[0] if len(found) == 1 else None
    name, args, options = called(expr)
    if name == "tensor" and len(args) == 1 and isinstance(args[0], tree.Number):
        return ()
    if not _FILLED.fullmatch(name):
        return None
    sizes = options.get("size", options.get("shape"))
    if sizes is not None:
        args = (sizes,)
    elif name in _BEHIND_TWO and not (args and isinstance(args[0], tree.Tuple)):
        args = args[2:]
    return args[0].items if len(args) == 1 and isinstance(args[0], tree.Tuple) else args


def called(expr: tree.Expr) -> tuple[str, tuple[tree.Expr, ...], Mapping[str, tree.Expr]]:
    """The last word of what is called, and what it is given."""
    match expr:
        case tree.Call(name, args, options) | tree.Member(_, name, tuple() as args, options):
            return name, args, dict(options)
    return "", (), {}
