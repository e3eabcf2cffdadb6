"""Classes of a pasted text: what ``__init__`` makes is made where an object is, of what that is given."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace

import sympy as sp

from symbackprop.core.scalars import TABLE
from symbackprop.model.text import tree
from symbackprop.patterns import lazy
from symbackprop.records import record

_LEARNT = ("Parameter", "Variable")
_FILLED = lazy("randn?|standard_normal|normal|uniform|zeros|ones|empty")
_RANDOM = lazy("randn?|standard_normal|normal|uniform")
_WHOLE = ("randint", "integers")
_LATER = "requires_grad_"  # what gives an array a gradient
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


def made(of: Class, name: str, given: Mapping[str, tree.Expr], dims: Collection[str], taken: Container[str]
         ) -> tuple[list[tree.Statement], Mapping[str, tree.Expr]]:
    """What an object that is given this consists of, and what stands behind ``self.`` in it: sizes and options that it
    keeps, and names, ``h1_w`` of h1 where there are several objects, or w is ``taken``."""
    names, own, body = dict(given), dict[str, tree.Expr](), list[tree.Statement]()
    for s in of.body:
        s = _with(s, names, own)
        targets = tree.targets(s)
        if isinstance(s, tree.Equation) and s.target.index is None and (
                _is_known(s.value, dims) or (s.value == tree.Name(s.target.name) and not of.several)):
            own[s.target.name] = s.value
        else:
            others = {to.name: f"{name}_{to.name}" for to in targets if of.several or to.name in taken}
            own |= {to.name: tree.Name(others.get(to.name, to.name)) for to in targets}
            body += as_declaration(tree.called_so(s, {}, others), not of.is_module)
        names |= {to.name: own[to.name] for to in targets if to.name not in of.parameters}
    return body, own


def _with(s: tree.Statement, names: Mapping[str, tree.Expr], own: Mapping[str, tree.Expr]) -> tree.Statement:
    """A statement with what names stand for in its formula, or in its shapes."""
    def put(expr: tree.Expr) -> tree.Expr:
        return of_object(tree.put(expr, names), own, {})

    if isinstance(s, tree.Arrays):
        items = [replace(item, shape=tuple([put(size) for size in item.shape])) for item in s.items]
        return replace(s, items=tuple(items))
    return replace(s, value=put(s.value)) if isinstance(s, tree.Equation) else s


def of_object(expr: tree.Expr, own: Mapping[str, tree.Expr], methods: Mapping[str, str]) -> tree.Expr:
    """An expression with what an object has, ``self.w`` and ``self.act(x)``, under its own names."""
    expr = tree.changed(expr, lambda part: of_object(part, own, methods))
    match expr:
        case tree.Member(tree.Name("self"), name, None) if name in own:
            return own[name] if own[name].place else replace(own[name], place=expr.place)
        case tree.Member(tree.Name("self"), name, tuple() as args, options) if name in methods:
            return tree.Call(methods[name], args, options, place=expr.place)
        case tree.Call(name, args, options) if "." in name and name in methods:  # of an object of its own
            return replace(expr, function=methods[name])
        case tree.Member(tree.Name("self"), name, tuple() as args, options):
            layer = own.get(name)
            return tree.Call(layer.name, args, options, place=expr.place) if isinstance(layer, tree.Name) else expr
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
    name, args, _ = tree.called(s.value)
    learnt = name in _LEARNT
    shape = filled(args[0] if learnt and args else s.value) if learnt or random else None
    if shape is None:
        return [s]
    told = f"{s.target.name} is read as a parameter, whose values at the beginning say nothing"
    return [tree.Said(s.line, told), tree.Arrays(s.line, "param", (tree.ArrayItem(s.target, shape),))]


def filled(expr: tree.Expr) -> tuple[tree.Expr, ...] | None:
    """The sizes of an array that is filled with numbers to begin with; None of any other."""
    if isinstance(expr, tree.Chain) and all(sign in ("*", "/") for sign, _ in expr.rest):
        found = [shape for part in (expr.first, *[p for _, p in expr.rest]) if (shape := filled(part)) is not None]
        return found[0] if len(found) == 1 else None
    name, args, options = tree.called(expr)
    if name == "tensor" and len(args) == 1:
        return _sizes(args[0])
    if not _FILLED.fullmatch(name):
        return None
    listed = [arg for arg in args if isinstance(arg, tree.Tuple)]
    sizes = options.get("size", options.get("shape", listed[0] if listed else None))
    if sizes is not None:
        args = (sizes,)
    elif name in _BEHIND_TWO:
        args = args[2:]
    return args[0].items if len(args) == 1 and isinstance(args[0], tree.Tuple) else args


def _sizes(numbers: tree.Expr) -> tuple[tree.Expr, ...] | None:
    """The sizes of an array that is written out, ``[[1, 2], [3, 4]]``; None where something else stands there."""
    match numbers:
        case tree.Number() | tree.Negative(tree.Number()):
            return ()
        case tree.Tuple((first, *rest) as items):
            inner = _sizes(first)
            alike = inner is not None and all(_sizes(item) == inner for item in rest)
            return (tree.Number(sp.Integer(len(items))), *inner) if inner is not None and alike else None
    return None


def drawn(s: tree.Statement, begun: bool = False) -> tuple[tree.ArrayItem, bool] | None:
    """An array of random numbers, ``W = 0.1 * np.random.randn(D, H)``, or one that has a gradient, and whether it has;
    with ``begun`` of zeros too. None where a statement is no such array, or its sizes are no names and numbers."""
    if not isinstance(s, tree.Equation) or s.target.index is not None:
        return None
    parts = [part for part in tree.all_parts(s.value) if isinstance(part, (tree.Call, tree.Member))]
    learnt = any(("requires_grad", tree.Word(True)) in part.options or tree.called(part)[0] == _LATER for part in parts)
    value = s.value.base if isinstance(s.value, tree.Member) and s.value.name == _LATER else s.value
    sizes = filled(value) if learnt or begun or any(_RANDOM.fullmatch(tree.called(part)[0]) for part in parts) else None
    item = _whole_numbers(s) if sizes is None else tree.ArrayItem(s.target, sizes)
    known = item is not None and all(map(_is_plain_size, (*item.shape, *[item.below] * item.integer)))
    return (item, learnt) if item is not None and known else None


def _is_plain_size(size: tree.Expr | None) -> bool:
    return size is not None and all(
        isinstance(part, (tree.Name, tree.Number, tree.Chain)) for part in tree.all_parts(size))


def _whole_numbers(s: tree.Equation) -> tree.ArrayItem | None:
    """``y = np.random.randint(0, K, N)``, numbers below K; None of any other array."""
    name, args, options = tree.called(s.value)
    rest = [*args, *[options[word] for word in ("high", "size") if word in options]]
    if name not in _WHOLE or "endpoint" in options or not (len(rest) == 3 or (len(rest) == 2 and "size" in options)):
        return None
    last: tree.Expr = rest[-1]
    shape = last.items if isinstance(last, tree.Tuple) else (last,)
    low = tree.ZERO if len(rest) == 2 else rest[0]
    negative = not isinstance(low, tree.Number) or low.value < 0
    return None if negative else tree.ArrayItem(s.target, shape, True, rest[-2])
