"""The names of the rules by which a local derivative is found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import Text
from symbackprop.core.record import Edge
from symbackprop.core.scalars import TABLE
from symbackprop.core.shapes import is_one
from symbackprop.render.document import Math, Prose, Ref
from symbackprop.render.notation_rows import RowNotation
from symbackprop.render.symbols import Pen


def _math(text: str, latex: str) -> Math:
    return Math(text, latex)


# What the factors of C = A B (…) receive, for every pattern of an einsum that is a product of matrices or vectors:
# the product, and one gradient for each operand. ∂ stands for the upstream gradient.
_PRODUCTS: dict[str, tuple[str, str, str]] = {
    "ab,bc->ac": ("C = A B", "∂C Bᵀ", "Aᵀ ∂C"),
    "ab,cb->ac": ("C = A Bᵀ", "∂C B", "∂Cᵀ A"),
    "ab,ac->bc": ("C = Aᵀ B", "B ∂Cᵀ", "A ∂C"),
    "ab,b->a": ("c = A b", "∂c bᵀ", "Aᵀ ∂c"),
    "ab,a->b": ("c = Aᵀ b", "b ∂cᵀ", "A ∂c"),
    "a,ab->b": ("c = Bᵀ a", "B ∂c", "a ∂cᵀ"),
    "a,ba->b": ("c = B a", "Bᵀ ∂c", "∂c aᵀ"),
    "a,a->": ("c = aᵀ b", "∂c b", "∂c a"),
    "a,b->ab": ("C = a bᵀ", "∂C b", "∂Cᵀ a"),
}


def _product_rule(pattern: str, index: int) -> Prose:
    """``C = A B gives ∂L/∂B = Aᵀ ∂L/∂C``."""
    whole, *gradients = _PRODUCTS[pattern]
    letter = pattern.split("->")[0].split(",")[index]
    name = ("aA", "bB")[index][len(letter) > 1]
    text = f"{whole} gives ∂L/∂{name} = {gradients[index]}".replace("∂C", "∂L/∂C").replace("∂c", "∂L/∂c")
    return ("matrix product: " if "C" in whole or "A" in whole or "B" in whole else "inner product: ",
            Math(text, _in_latex(whole, name, gradients[index])))  # fmt: skip


def _in_latex(whole: str, name: str, gradient: str) -> str:
    def upright(text: str) -> str:
        text = re.sub("∂([Cc])", r"\\frac{\\partial L}{\\partial \1}", text.replace("ᵀ", r"^{\top}"))
        return text.replace(" ", r" \, ").replace(r"\, = \,", "=").replace(r"\partial \, ", r"\partial ")

    return rf"{upright(whole)} \Rightarrow \frac{{\partial L}}{{\partial {name}}} = {upright(gradient)}"


# Rules of structural ops: what becomes of the upstream gradient.
OP_RULES: dict[str, Prose] = {
    "sum": ("sum: every term gets the gradient of the sum",),
    "broadcast": ("broadcast: the gradient is summed over the copies",),
    "reshape": ("reshape: the same entries in the old shape",),
    "softmax": ("softmax: ", _math("p ⊙ (δ − Σ δ ⊙ p)", r"p \odot \left(\delta - \sum \delta \odot p\right)")),
    "logsumexp": ("the gradient of logsumexp is softmax",),
    "max": ("max: only the largest entry gets the gradient",),
    "gather": ("lookup: the gradient is added into the rows that were read; repeated rows add up",),
    "scatter_add": ("scatter: each row reads the gradient back from where it went",),
    "take_along_axis": ("picked entries get the gradient, the others 0",),
    "put_along_axis": ("each entry reads the gradient back from where it went",),
    "concat": ("concatenation: each part gets its slice",),
    "slice": ("slice: the gradient goes back to its place, 0 elsewhere",),
    "pad": ("padding: the slice that holds the array",),
    "unfold": ("windows: entries in several windows add up",),
    "fold": ("sum of windows: every window reads its place",),
    "conv2d": ("convolution: the kernel gets the input correlated with the gradient, the input gets the gradient "
               "convolved with the kernel",),
    "conv2d_input": ("convolution: linear in the gradient and in the kernel",),
    "conv2d_kernel": ("convolution: linear in the input and in the gradient",),
    "out": (),
}

# Rules of whole library functions, which say more than those of the ops inside.
_SOFTMAX_LOSS = _math("∂CE/∂z = softmax(z) − target",
                      r"\frac{\partial \mathrm{CE}}{\partial z} = \operatorname{softmax}(z) - \mathrm{target}")
FUNCTION_RULES: dict[str, Prose] = {
    "mean": ("mean of n terms: each gets ", _math("1/n", r"\tfrac{1}{n}")),
    "cross_entropy": ("softmax with cross-entropy: ", _SOFTMAX_LOSS),
    "binary_cross_entropy": ("term by term, ", _math("log′(x) = 1/x", r"\log'(x) = \frac{1}{x}")),
    "pick": ("picked entries get the gradient, the others 0",),
}

# Rules of scalar functions that are better said than written, by the place of the argument.
_SAID = {
    ("maximum", 0): "max: the larger one gets the gradient",
    ("maximum", 1): "max: the larger one gets the gradient",
    ("minimum", 0): "min: the smaller one gets the gradient",
    ("minimum", 1): "min: the smaller one gets the gradient",
    ("where", 1): "where: only the branch taken gets the gradient",
    ("where", 2): "where: only the branch taken gets the gradient",
    ("leaky", 0): "slope 1 where positive, else the given slope",
    ("leaky", 1): "linear in the slope where the argument is negative",
    ("elu_unit", 0): "1 where positive, else the value plus α",
    ("bernoulli_loss", 0): "log rule, term by term",
    ("ratio", 0): "constant factor",
    ("ratio", 1): "quotient rule",
}


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
    if pattern in _PRODUCTS:
        return _product_rule(pattern, index)
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
    _collect(pen, row.attr.form, index, found)
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
            return "power rule" if isinstance(exponent, f.Num) else "exponential rule"
        case f.Call(name, args):
            return _function_rule(pen, name, args, next(k for k, a in enumerate(args) if i in f.arguments(a)))
    return None


def _function_rule(pen: Pen, name: str, args: tuple[f.Formula, ...], place: int) -> str | Math:
    """``tanh′ = 1 − tanh²``, ``log′(x) = 1/x``, ``(eˣ)′ = eˣ``."""
    if (name, place) in _SAID:
        return _SAID[name, place]
    record = TABLE[name]
    partial = record.partials[place]
    if partial is None or record.arity != 1:
        return f"derivative of {name}"
    generic = (f.Arg(0), *args[1:])
    over = f.substitute(partial, lambda leaf: generic[leaf.index] if isinstance(leaf, f.Arg) else leaf)
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
