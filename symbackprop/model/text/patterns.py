"""The patterns of einops, ``rearrange(x, "b (h w) c -> b c h w", h=4)``, as reshape and transpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import sympy as sp

from symbackprop.errors import SyntaxProblem
from symbackprop.model.text import tree
from symbackprop.patterns import lazy

_FUNCTIONS, _REDUCTIONS = ("rearrange", "reduce", "repeat"), "sum mean max min prod"
_PATTERN = lazy(r"\s*((?:\w+|\([\w\s]*\))(?:\s+(?:\w+|\([\w\s]*\)))*)?\s*")
_ELLIPSIS = "..."
Groups = list[list[str]]


def with_named_axes(call: tree.Call, ndim: Callable[[tree.Expr], int]) -> tree.Call:
    """A call of einops with names for the axes that ``...`` stands for in its pattern."""
    if not _has_pattern(call.function, call.args):
        return call
    array, pattern, *rest = call.args
    assert isinstance(pattern, tree.String)
    left = pattern.value.partition("->")[0]
    if left.count(_ELLIPSIS) != 1:
        return call
    named = len(re.findall(r"\([\w\s]*\)|\w+", left.replace(_ELLIPSIS, " ")))
    axes = " ".join([f"axis_{k}" for k in range(ndim(array) - named)])
    return replace(call, args=(array, tree.String(pattern.value.replace(_ELLIPSIS, axes)), *rest))


def _has_pattern(function: str, args: Sequence[tree.Expr]) -> bool:
    return function in _FUNCTIONS and len(args) == 2 + (function == "reduce") and isinstance(
        args[1], tree.String) and "->" in args[1].value


def by_pattern(function: str, args: Sequence[tree.Expr], options: Mapping[str, tree.Expr]) -> tree.Expr | None:
    """What a call of einops is; None for any other call. Raises a `SyntaxProblem` for a pattern that is none."""
    if not _has_pattern(function, args):
        return None
    meant = _meant(function, args, options)
    if meant is None:
        raise SyntaxProblem(f"{function} of einops is not called so: its pattern names every axis once, on both sides "
                            "unless it is reduced or repeated, and sizes are given by name, as in rearrange(x, "
                            "\"b (h w) -> b h w\", h=4)", near=function)
    return meant


def _meant(function: str, args: Sequence[tree.Expr], options: Mapping[str, tree.Expr]) -> tree.Expr | None:
    """What a call with a pattern is; None where the pattern is none."""
    pattern, *rest = [a.value if isinstance(a, tree.String) else "" for a in args[1:]]
    left, _, right = pattern.partition("->")
    before, after, how = _groups(left), _groups(right), "".join(rest)
    if before is None or after is None or (function == "reduce" and how not in _REDUCTIONS.split()):
        return None
    sizes = _sizes(args[0], before, options)
    names, wanted = [*chain(*before)], [*chain(*after)]
    new = [n for n in wanted if n not in names]
    known = all(n in options for n in new) and options.keys() <= {*names, *new}
    fits = (how or {*names} <= {*wanted}) and (not new or function == "repeat")
    if sizes is None or not known or not fits:
        return None
    return _rearranged(args[0], before, after, sizes | {n: options[n] for n in new}, how,
                       stated=not options.keys() <= {*new})


def _rearranged(array: tree.Expr, before: Groups, after: Groups, sizes: Mapping[str, tree.Expr], how: str,
                stated: bool) -> tree.Expr:
    """The array with an axis for every name, those that are gone reduced, the others in order, new ones among them.
    ``stated``: whether sizes that it has are, which are to be those of its axes."""
    names, wanted = [*chain(*before)], [*chain(*after)]
    every = _numbers(range(len(names)))  # so many axes the array has to have
    plain = _is_plain(before) and not stated
    found = tree.Call("transpose", (array, every), ()) if plain else _shaped(array, [[n] for n in names], sizes)
    gone = [k for k, n in enumerate(names) if n not in wanted]
    if gone:
        found = tree.Call(how, (found,), (("axis", _numbers(gone)),))
    kept, in_order = [n for n in names if n in wanted], [n for n in wanted if n in names]
    if kept != in_order:
        found = tree.Call("transpose", (found, _numbers([kept.index(n) for n in in_order])), ())
    if in_order != wanted:
        items = tuple([tree.Slice(None, None, None) if n in names else tree.Word(None) for n in wanted])
        found = tree.Call("broadcast", (tree.Index(found, items), tree.Tuple(tuple(sizes[n] for n in wanted))), ())
    return found if _is_plain(after) else _shaped(found, after, sizes)


def _groups(side: str) -> Groups | None:
    """The axes of one side, each with the names that it is made of; a 1 has none."""
    if _PATTERN.fullmatch(side) is None:
        return None
    words = [word.strip("()").split() for word in re.findall(r"\([\w\s]*\)|\w+", side)]
    groups = [[] if word == ["1"] else word for word in words]
    names = [*chain(*groups)]
    return groups if len({*names}) == len(names) and all(n.isidentifier() for n in names) else None


def _is_plain(groups: Groups) -> bool:
    return all(len(group) == 1 for group in groups)


def _sizes(array: tree.Expr, groups: Groups, given: Mapping[str, tree.Expr]) -> dict[str, tree.Expr] | None:
    """The size of every name: as it is given, or what its axis leaves; None where two of an axis are not known."""
    found: dict[str, tree.Expr] = {}
    for axis, group in enumerate(groups):
        unknown = [n for n in group if n not in given]
        if len(unknown) > 1:
            return None
        found |= {n: given[n] for n in group if n in given}
        whole = tree.Index(tree.Member(array, "shape"), (tree.Number(sp.Integer(axis)),))
        others = tuple(("/", given[n]) for n in group if n in given)
        found |= {n: tree.Chain(whole, others) if others else whole for n in unknown}
    return found


def _shaped(array: tree.Expr, groups: Groups, sizes: Mapping[str, tree.Expr]) -> tree.Expr:
    """The array with an axis for each group."""
    axes = [[sizes[n] for n in group] or [tree.ONE] for group in groups]
    shape = [first if not rest else tree.Chain(first, tuple(("*", size) for size in rest)) for first, *rest in axes]
    return tree.Call("reshape", (array, tree.Tuple(tuple(shape))), ())


def _numbers(values: Sequence[int]) -> tree.Tuple:
    return tree.Tuple(tuple(tree.Number(sp.Integer(k)) for k in values))
