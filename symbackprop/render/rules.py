"""The names of the rules by which a local derivative is found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.record import Edge
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import is_one
from symbackprop.render.document import Math, Prose, Ref
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.rule_tables import FUNCTION_RULES, OP_RULES, PRODUCTS, SAID, product_rule
from symbackprop.render.symbols import Pen


def path_rules(pen: Pen, path: Sequence[Edge]) -> list[Prose]:
    """The rules along a path, from the consumer down to the target, each once."""
    rules: list[Prose] = []
    k = 0
    while k < len(path):
        origin, jump = path[k].consumer.origin, _through_function(path, k)
        rules += edge_rules(pen, path[k]) if jump is None or origin is None else [FUNCTION_RULES[origin.function]]
        k = jump or k + 1
    return list(dict.fromkeys(r for r in rules if r))


def _through_function(path: Sequence[Edge], k: int) -> int | None:
    """Where a path that enters a library function with a rule of its own leaves it again at one of its arguments."""
    origin = path[k].consumer.origin
    if origin is None or origin.function not in FUNCTION_RULES:
        return None
    ends = {a.id for a in origin.args if isinstance(a, Node)}
    return next((j + 1 for j in range(k, len(path)) if path[j].argument.id in ends), None)


def edge_rules(pen: Pen, edge: Edge) -> list[Prose]:
    """The rules of one row for one of its arguments."""
    row = edge.consumer
    if row.op.name == "einsum":
        return [_einsum_rule(row, edge.index)]
    if row.op.name == "reshape" and _entries(row) == _entries(row.args[0]):
        return []
    if row.op.name != "elementwise":
        return [OP_RULES.get(row.op.name, (row.op.name,))]
    rules: list[Prose] = [(name,) for name in formula_rules(pen, row, edge.index)]
    if _is_repeated(edge.argument, row):
        rules.append(("repeated by broadcasting: the gradient is summed over the copies",))
    return rules


def _entries(row: Node) -> list[object]:
    """The axes that are not of size 1."""
    return [d for d in row.shape if not is_one(d)]


def _is_repeated(argument: Node, row: Node) -> bool:
    if len(argument.shape) < len(row.shape):
        return True
    return any(is_one(a) and not is_one(b) for a, b in zip(argument.shape, row.shape, strict=True))


def _einsum_rule(row: Node, index: int) -> Prose:
    pattern = _inner_pattern(row.attr)
    if pattern in PRODUCTS:
        return product_rule(pattern, index)
    if len(row.args) == 1:
        return ("axes in their old order",)
    return ("product: the upstream gradient takes the operand's place",)


def _inner_pattern(pattern: str) -> str:
    """The pattern of the last two axes, where the leading ones only repeat the product."""
    left, out = pattern.split("->")
    first, _, second = left.partition(",")
    lead = first[:-2]
    same = second.startswith(lead) or len(second) == 2
    if not lead or not second or not same or not out.startswith(lead):
        return pattern
    inner = [first[len(lead) :], second.removeprefix(lead), out[len(lead) :]]
    rename = dict(zip(dict.fromkeys("".join(inner)), "abcdef", strict=False))
    a, b, c = ("".join(rename[x] for x in s) for s in inner)
    return f"{a},{b}->{c}"


# -- elementwise formulas
def formula_rules(pen: Pen, row: Node, index: int) -> list[str | Math]:
    """Sum, product, quotient, power and chain rule, and the derivatives of the functions met, outermost first."""
    found: dict[str | Math, None] = {}
    _collect(pen, f.written(row.attr.form), index, found)
    return list(found) or ["identity"]


def _collect(pen: Pen, form: f.Formula, i: int, found: dict[str | Math, None]) -> None:
    parts = [p for p in f.children(form) if i in f.arguments(p)]
    name = _rule_name(pen, form, i, parts)
    if name is not None and not (name in ("sum rule", "constant factor") and "chain rule" in found):
        found.setdefault(name)
    if isinstance(form, (f.Pow, f.Call)) and any(not isinstance(p, f.Arg) for p in parts):
        found.setdefault("chain rule")
    for part in parts:
        _collect(pen, part, i, found)


def _rule_name(pen: Pen, form: f.Formula, i: int, parts: Sequence[f.Formula]) -> str | Math | None:
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
            return _function_rule(pen, name, args, next(k for k, a in enumerate(args) if i in f.arguments(a)))
    return None


def _function_rule(pen: Pen, name: str, args: tuple[f.Formula, ...], place: int) -> str | Math:
    """``tanh′ = 1 − tanh²``, ``log′(x) = 1/x``, ``(eˣ)′ = eˣ``."""
    if (name, place) in SAID:
        return SAID[name, place]
    record = TABLE[name]
    partial = record.partials[place]
    if partial is None or record.arity != 1:
        return f"derivative of {name}"
    generic = (f.Arg(0), *args[1:])
    over = f.over(partial, generic)
    return pen(lambda n: _primed(n, f.Call(name, generic), over))


def _primed(n: RowNotation, call: f.Call, derivative: f.Formula) -> Text:
    x, function = Text("x"), n.function_name(TABLE[call.name])
    if function is not None and not f.arguments(derivative):
        return Text(f"{function}{n.prime} = {n.formula(derivative, [x], Text(function)).text}")
    applied = n.formula(call, [x])
    head = f"({applied.text}){n.prime}" if function is None else f"{function}{n.prime}(x)"
    return Text(f"{head} = {n.formula(derivative, [x], applied).text}")


def joined(rules: Iterable[Prose]) -> Prose:
    """Rules in a row, commas between."""
    parts: list[str | Math | Ref] = []
    for rule in rules:
        parts += [", ", *rule] if parts else rule
    return tuple(parts)
