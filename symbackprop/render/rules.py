"""The names of the rules by which a local derivative is found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.facts import has_new_axes, is_part, is_squeezed, kind
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.maths import (
    Delta,
    Fn,
    Math,
    MatMul,
    Relation,
    Shaped,
    Sym,
    replaced,
)
from symbackprop.core.ops.indexing import bound_of
from symbackprop.core.pattern import Pattern
from symbackprop.core.registry import composed, rule_of, text_of
from symbackprop.core.scalars import TABLE, Abstract
from symbackprop.core.shapes import Dim, Shape, is_one
from symbackprop.derive.record import Edge
from symbackprop.render.document import Prose, Ref
from symbackprop.render.products import plain_product
from symbackprop.render.rows import Rows


def path_rules(r: Rows, path: Sequence[Edge]) -> list[Prose]:
    """The rules along a path, from the consumer down to the target, each once."""
    rules: list[Prose] = []
    k = 0
    while k < len(path):
        origin, jump = path[k].consumer.origin, _through_function(path, k)
        if jump is not None and origin is not None:
            rules.append(_function_rule(r, path[k].consumer))
        elif not _is_read_place(path[k : k + 2]):
            rules += edge_rules(r, path[k])
        k = jump or k + 1
    return list(dict.fromkeys(rule for rule in rules if rule))


def _function_rule(r: Rows, row: Node) -> Prose:
    assert row.origin is not None
    rule = composed(row.origin.function)
    return () if r.by_entry and rule.proved else (*rule_of(rule), *_cited(r, proof_of_function(row)))


def _through_function(path: Sequence[Edge], k: int) -> int | None:
    """Where a path that enters a library function with a rule of its own leaves it again at one of its arguments."""
    origin = path[k].consumer.origin
    if origin is None or not composed(origin.function).rule:
        return None
    ends = {a.id for a in origin.args if isinstance(a, Node)}
    return next((j + 1 for j in range(k, len(path)) if path[j].argument.id in ends), None)


def _is_read_place(path: Sequence[Edge]) -> bool:
    """Whether a path leads from a[k], whose axis is gone, to the slice of a that is one entry long: the slice says
    it."""
    return len(path) == 2 and is_squeezed(path[0].consumer) and is_part(path[1].consumer)


def edge_rules(r: Rows, edge: Edge) -> list[Prose]:
    """The rules of one row for one of its arguments."""
    row = edge.consumer
    if r.by_entry and row.form is None and (row.op.entry or row.op.folded):
        return []
    if isinstance(row.attr, Pattern):
        return [_einsum_rule(r, row, edge.index)]
    if is_squeezed(row):
        return [("the same entries, but for axes of size 1",)] if r.names.get(row.id) or not has_new_axes(row) else []
    if row.form is None:
        words = rule_of(row.op) or (row.op.name,)
        if not r.maps and (row.op.entry or row.op.folded):  # its Jacobian needs no rule for gradients
            words = (title_of(row),)
        rule = (*words, *_cited(r, proof_of(row)))
        own: dict[Math, Math] = {Delta(): r.upstream}
        return [() if row.is_result else tuple([replaced(x, own) if isinstance(x, Math) else x for x in rule])]
    rules: list[Prose] = [(name,) for name in formula_rules(r, row, edge.index)]
    if _is_repeated(edge.argument, row) and r.maps and not r.by_entry:
        rules.append(("repeated by broadcasting: the gradient is summed over the copies",))
    return rules


def _is_repeated(argument: Node, row: Node) -> bool:
    if len(argument.shape) < len(row.shape):
        return True
    return any(is_one(a) and not is_one(b) for a, b in zip(argument.shape, row.shape, strict=True))


def _einsum_rule(r: Rows, row: Node, index: int) -> Prose:
    if len(row.args) == 1:
        diagonal = len({*row.attr.ins[0]}) < len(row.attr.ins[0])
        return ("the diagonal gets the gradient, the rest 0" if diagonal else "axes in their old order",)
    pattern = _behind_batch(row.attr)
    names = [r.plain.get(a.id) or r.ref(a) for a in row.args]
    rule, proof = product_rule(pattern, index, names, r.upstream), _cited(r, proof_of(row))
    if proof:
        return (*(rule[:2] or ("product",)), *proof)
    return (rule if r.maps else rule[:2]) or ("product: the upstream gradient takes the operand's place",)


class Rule(NamedTuple):
    """What an appendix proves: an op with its attribute, or a function, over arrays of these shapes; those of whole
    numbers with what they are ``below``."""

    name: str
    title: str
    shapes: tuple[Shape, ...]
    below: tuple[Dim | None, ...]
    attr: Any = None
    is_function: bool = False


SIZES = tuple([sp.Symbol(x, integer=True, positive=True) for x in "MKNPQRSTUV"])


def proof_of(row: Node) -> Rule | None:
    """The rule of a row's op, where its entries say more than that they are moved or added up; for arrays of any sizes
    where it can be told of those alone."""
    title = title_of(row)
    if row.op.folded is not None:
        return Rule(row.op.name, title, (SIZES[:1],), (None,), 0 if isinstance(row.attr, int) else ((0,), False))
    if isinstance(row.attr, Pattern):
        return _rule_of_product(row.op.name, _behind_batch(row.attr))
    entries = kind(row)
    if row.form is not None or not entries.linear or entries.joined or not (entries.indices or not entries.added):
        return None
    if any(a.kind != FLOAT and bound_of(a) is None for a in row.args):
        return None
    return Rule(row.op.name, title, tuple([a.shape for a in row.args]), tuple(map(bound_of, row.args)), row.attr)


def title_of(row: Node) -> str:
    """What the rule of an op is called."""
    return row.op.title or text_of(row.op.name)


def _rule_of_product(name: str, pattern: Pattern) -> Rule | None:
    """Of a product of arrays; none where one of them is a number, or there is one alone."""
    if len(pattern.ins) < 2 or "" in pattern.ins or len(pattern.letters) > len(SIZES):
        return None
    plain, whole = pattern.canonical(), pattern.matmul() is not None and max(map(len, (*pattern.ins, pattern.out))) < 3
    sizes = dict(zip(plain.letters, SIZES, strict=False))
    shapes = tuple([tuple([sizes[c] for c in s]) for s in plain.ins])
    title = "inner product" if not pattern.out else "matrix product" if whole else "product"
    return Rule(name, title, shapes, (None,) * len(shapes), plain)


def proof_of_function(row: Node) -> Rule | None:
    """The rule of a function of classes, for one row of them."""
    assert row.origin is not None
    said = composed(row.origin.function)
    if not said.proved or said.target is None:
        return None
    target = row.origin.args[said.target]
    classes = SIZES[:1]
    of_indices = isinstance(target, Node) and bound_of(target) is not None
    shapes = (classes, () if of_indices else classes)
    return Rule(row.origin.function, said.title, shapes, (None, classes[0] if of_indices else None), None, True)


def _cited(r: Rows, rule: Rule | None) -> Prose:
    """`` by (R2)``, where there is an appendix that proves the rule."""
    if rule is None or r.cited is None:
        return ()
    same = next((x for x in r.cited if _covers(x, rule)), rule)
    number = r.cited.setdefault(same, len(r.cited) + 1)
    return (" by ", Ref(f"rule-{number}", f"(R{number})"))


def _covers(known: Rule, rule: Rule) -> bool:
    """Whether a proof is the other one too: for arrays of as many axes, and options that differ in sizes alone."""
    def pairs(a: Any, b: Any) -> bool:
        if isinstance(a, tuple) and isinstance(b, tuple):
            return len(a) == len(b) and all(map(pairs, a, b))
        return a == b or (isinstance(a, sp.Basic) and isinstance(b, sp.Basic))

    axes = [(a, b) for x, y in zip(known.shapes, rule.shapes, strict=False) for a, b in zip(x, y, strict=False)]
    alike = known.name == rule.name and pairs(known.shapes, rule.shapes) and pairs(known.attr, rule.attr)
    return alike and known.is_function == rule.is_function and not any(is_one(a) and not is_one(b) for a, b in axes)


def _behind_batch(pattern: Pattern) -> Pattern:
    """The pattern of the last two axes, where the leading ones only repeat the product."""
    lead, last = pattern.ins[0][:-2], pattern.ins[-1]
    same = last.startswith(lead) or len(last) == 2
    return pattern.behind(lead) if same and pattern.out.startswith(lead) else pattern


def product_rule(pattern: Pattern, index: int, names: Sequence[Math], upstream: Math) -> Prose:
    """``matrix product A B: δ ↦ Aᵀ δ`` in B, of a product of two matrices or vectors; empty for others."""
    if len(pattern.ins) != 2:
        return ()
    delta = Shaped(upstream, tuple([sp.Symbol(x) for x in pattern.out]))
    whole = _product(pattern, names)
    gradient = _product(pattern.cotangent(index), [delta, names[1 - index]])
    if whole is None or gradient is None:
        return ()
    matrix = any(len(s) > 1 for s in (*pattern.ins, pattern.out))
    return ("matrix product " if matrix else "inner product ", whole, ": ", Relation(upstream, "↦", gradient))


def _product(pattern: Pattern, operands: Sequence[Math]) -> Math | None:
    """The matrix product that a pattern of two is, not transposed as a whole; None for others."""
    if "" in pattern.ins:
        return MatMul(*operands)
    product = plain_product(pattern, operands)
    return product if isinstance(product, MatMul) else None


# -- elementwise formulas
def formula_rules(r: Rows, row: Node, index: int) -> list[str | Math]:
    """Sum, product, quotient, power and chain rule, and the derivatives of the functions met, outermost first."""
    found: dict[str | Math, None] = {}
    _collect(r, f.written(row.attr.form), index, found)
    return list(found) or ["identity"]


def _collect(r: Rows, form: f.Formula, i: int, found: dict[str | Math, None]) -> None:
    parts = [p for p in form.children if i in f.arguments(p)]
    name = _rule_name(r, form, i, parts)
    if name is not None and not (name in ("sum rule", "constant factor") and "chain rule" in found):
        found.setdefault(name)
    if isinstance(form, (f.Pow, f.Call)) and any(not isinstance(p, f.Arg) for p in parts):
        found.setdefault("chain rule")
    for part in parts:
        _collect(r, part, i, found)


def _rule_name(r: Rows, form: f.Formula, i: int, parts: Sequence[f.Formula]) -> str | Math | None:
    match form:
        case f.Add():
            return "sum rule"
        case f.Neg():
            return "constant factor"
        case f.Mul(factors):
            constant = all(isinstance(x, f.Num) for x in factors if i not in f.arguments(x))
            return "constant factor" if constant and len(parts) == 1 else "product rule"
        case f.Div(_, den):
            return "quotient rule" if i in f.arguments(den) else "constant factor"
        case f.Pow(_, exponent):
            return "exponential rule" if i in f.arguments(exponent) else "power rule"
        case f.Call(name, args):
            return function_rule(r, name, args, next(k for k, a in enumerate(args) if i in f.arguments(a)))
    return None


def function_rule(r: Rows, name: str, args: tuple[f.Formula, ...], place: int) -> str | Math:
    """``tanh′ = 1 − tanh²``, ``log′(x) = 1/x``, ``(eˣ)′ = eˣ``."""
    record = TABLE[name]
    if isinstance(name, Abstract):
        return Fn(name.prime())
    if any(record.said[place : place + 1]):
        return record.said[place]
    partial = record.partials[place]
    if partial is None or record.arity != 1:
        return f"derivative of {name}"
    generic = (f.Arg(0), *args[1:])
    slope, x = f.over(partial, generic), Sym("x")
    if f.arguments(slope):
        applied = r.formula(f.Call(name, generic), [x])
        return Relation(Fn(name, (x,), prime=True), "=", r.formula(slope, [x], applied))
    return Relation(Fn(name, prime=True), "=", r.formula(slope, [x], Fn(name)))


def joined(rules: Iterable[Prose]) -> Prose:
    """Rules in a row, each once, commas between."""
    parts: list[str | Math | Ref] = []
    for rule in dict.fromkeys(rules):
        parts += [", ", *rule] if parts else rule
    return tuple(parts)
