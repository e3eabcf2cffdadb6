"""Nodes of an exported PyTorch graph as formulas of model text, which are data: nothing is written and read again.

PyTorch's operators are read as its functions are in model text (`model.text.spellings`); here stands only what a graph
has and a text has not: shapes that are known already, operators by their overloads, casts that change no number.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import sympy as sp

from symbackprop.errors import ModelError
from symbackprop.model.text import dialect, tree
from symbackprop.model.text.spellings import spelled


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SILENT = words("dtype layout device pin_memory memory_format non_blocking copy generator cudnn_enable "
                "cudnn_enabled implicit grad_fn sparse path")
SAME_NUMBERS = words("contiguous clone alias lift_fresh_copy lift_fresh positive view_as")
CASTS = words("to _to_copy type_as")
RESHAPED = words("view reshape _unsafe_view flatten unflatten squeeze view_copy _reshape_alias")
BROADCAST = words("expand expand_as expand_copy")
SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "matmul": "@", "mm": "@", "bmm": "@", "mv": "@", "dot": "@",
         "vdot": "@", "iadd": "+", "truediv": "/", "true_divide": "/"}
WHOLE = {"floor": "floor_divide"}  # what is no rounded quotient
COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
LOSSES = ("_loss", "_entropy", "_with_logits", "_embedding_loss", "kl_div")
REDUCTIONS = ("none", "mean", "sum")
RANDOM = words("bernoulli rand rand_like randn randn_like randint randint_like randperm normal "
                "normal_functional multinomial poisson uniform exponential rrelu rrelu_with_noise")
BY_VALUES = words("item _local_scalar_dense nonzero unique _unique2 unique_consecutive unique_dim masked_select "
                   "bincount histc")
COMPLEX = ("fft_", "view_as_complex", "view_as_real", "complex", "_fft", "angle", "polar", "stft", "istft")
OWN = "it is an operator of somebody's own, whose inside no graph has: write what it computes with torch's functions"
LONG = 10**9  # a denominator that nobody writes out
PAIRS = words("kernel_size stride padding dilation output_size output_padding shifts dims")


def number(value: float) -> tree.Expr:
    """A number as it is written, a root as such: 1.4142135623730951 is sqrt(2)."""
    if value != value:
        raise ModelError("nan is no number of a model")
    if value < 0:
        return tree.Negative(number(-value))
    if value == float("inf"):
        return dialect.INFINITE
    exact = sp.Rational(repr(value) if isinstance(value, float) else int(value))
    root = _root(value) if exact.q > LONG else None
    return tree.Number(exact) if root is None else root


def _root(value: float) -> tree.Expr | None:
    """The root of a whole number, or one divided by it, that is this number as exactly as can be; None for others."""
    for squared, upright in ((value**2, True), (value**-2, False)):
        n = round(squared)
        if 1 < n < LONG and value == (math.sqrt(n) if upright else 1 / math.sqrt(n)):
            root = tree.Call("sqrt", (whole(n),), ())
            return root if upright else tree.Chain(whole(1), (("/", root),))
    return None


def whole(value: int) -> tree.Expr:
    return number(int(value))


def called_by(node: Any) -> str:
    """The name of a node's operator, without overloads."""
    return str(getattr(node.target, "_opname", None) or getattr(node.target, "__name__", ""))


class NoSuchOperator(ModelError):
    """No function here is what an operator computes."""

    def __init__(self, message: str = "", where: str = "", **more: Any) -> None:
        usual = "there is no such function here: write it out of others, which `symbackprop ops` lists"
        super().__init__(message or usual, where, **more)


def inputs_of(node: Any) -> list[Any]:
    """The nodes that a node's results are made of; the averages that batch norm goes on with in training are none."""
    args = dict(zip([a.name for a in node.target._schema.arguments], node.args, strict=False)
                ) if hasattr(node.target, "_schema") else {}
    unread = (args.get("running_mean"), args.get("running_var")) if _is_training(called_by(node), args) else ()
    return [n for n in node.all_input_nodes if n not in unread]


def _is_training(name: str, args: Mapping[str, Any]) -> bool:
    """Whether a norm takes the statistics of what it is given."""
    return "no_training" not in name and args.get("training") is not False and args.get("use_input_stats") is not False


def below_zero(name: str, value: Any) -> ModelError:
    """What is said of integers that count from somewhere else."""
    return ModelError(f"{name} holds {int(value.min())}, and integers count from 0 here: what is ignored needs a "
                      "number of its own, from 0 on, and what is no place is a float", near=name)


class Formulas:
    """What the nodes compute, in terms of those that have names. ``dims`` are the names of symbolic sizes."""

    def __init__(self, dims: Mapping[Any, str]) -> None:
        self.dims = dims
        self.named: dict[Any, str] = {}
        self.inline: dict[Any, tree.Expr] = {}
        self.places: dict[Any, Any] = {}  # integers that are stored with the module

    # -- values
    def value(self, item: Any) -> tree.Expr:
        """An argument of a node."""
        if hasattr(item, "op") and hasattr(item, "meta"):
            return self.of(item)
        if item is None or isinstance(item, bool):
            return tree.Word(item)
        if isinstance(item, (int, float)):
            return number(item)
        if isinstance(item, str):
            return tree.String(item)
        if isinstance(item, (list, tuple)):
            return tree.Tuple(tuple(map(self.value, item)))
        if hasattr(item, "node"):
            return self.size(item.node.expr)
        raise ModelError(f"{item!r:.60} cannot stand in a model")

    def of(self, node: Any) -> tree.Expr:
        """A node: its name, or what it computes."""
        known = node.meta.get("val")
        if hasattr(known, "node"):
            return self.size(known.node.expr)
        if node in self.named:
            return tree.Name(self.named[node])
        if node in self.places and node not in self.inline:
            raise below_zero(node.name, self.places[node])
        return self.inline[node]

    def size(self, expr: Any) -> tree.Expr:
        """A symbolic size in terms of the dimensions."""
        if expr.is_Integer:
            return whole(int(expr))
        if isinstance(expr, sp.Symbol) and expr in self.dims:
            return tree.Name(self.dims[expr])
        above, below = sp.fraction(sp.together(expr))
        if below != 1:
            return tree.Chain(self.size(above), (("/", self.size(below)),))
        if isinstance(expr, (sp.Add, sp.Mul)):
            first, *rest = map(self.size, expr.args)
            return tree.Chain(first, tuple(("+" if expr.is_Add else "*", part) for part in rest))
        if isinstance(expr, sp.Pow) and expr.exp.is_Integer:
            return tree.Power(self.size(expr.base), self.size(expr.exp))
        if any(str(symbol).startswith(("u", "zu")) for symbol in expr.free_symbols):
            raise ModelError("a number that values decide, as .item() gives it: leave it an array, which broadcasts")
        raise ModelError(f"the size {expr} is not made of dimensions by + and *: give that axis a fixed size")

    def shape(self, node: Any) -> tree.Tuple:
        return tree.Tuple(tuple(self.value(d) for d in node.meta["val"].shape))

    # -- nodes
    def formula(self, node: Any) -> tree.Expr:
        """What a node computes."""
        if node.target is operator.getitem:
            source, place = node.args
            return _chosen(source, self.of(source), place)
        name = called_by(node)
        args = self.arguments(node)
        rule = RULES.get(name)
        found = None if rule is None else rule(self, node, args)
        return self.called(node, name, args) if found is None else found

    def arguments(self, node: Any) -> dict[str, Any]:
        """The arguments by the names of the operator's schema, without such as are as usual or change no number."""
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            return {str(k): a for k, a in enumerate(node.args)} | dict(node.kwargs)
        given = dict(zip([a.name for a in schema.arguments], node.args, strict=False)) | dict(node.kwargs)
        usual = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
        given = {k: v for k, v in given.items() if k != "dim" or v not in ([], ())}  # of which all axes are meant
        return {k: v for k, v in given.items() if k not in SILENT and not (k in usual and _is_usual(v, usual[k]))}

    def called(self, node: Any, name: str, args: Mapping[str, Any]) -> tree.Expr:
        """The node as a call of PyTorch's function of that name."""
        values, options, open_end = list[tree.Expr](), list[tuple[str, tree.Expr]](), True
        schema = getattr(node.target, "_schema", None)
        order = [a.name for a in schema.arguments if not a.kwarg_only] if schema is not None else list(args)
        for word in order:  # what a loss has beside what it compares is told by its name
            open_end = open_end and word in args and not (len(values) == 2 and name.endswith(LOSSES))
            if word in args:
                value = self.value(_plain(word, args[word]))
                if open_end:
                    values.append(value)
                else:
                    options.append((word, value))
        options += [(word, self.value(_plain(word, v))) for word, v in args.items() if word not in order]
        found = spelled("a", name, values, dict(options))
        if found is not None:
            return found[0]
        if _instead(name):
            raise ModelError(_instead(name))
        plain = name.removeprefix("linalg_").removeprefix("special_")
        call = tree.Member(_module(name), plain, tuple(values), tuple(options))
        try:
            return dialect.plain(call, ())
        except ModelError:
            own = getattr(node.target, "namespace", "aten") not in ("aten", "prims")
            raise NoSuchOperator(OWN if own else "") from None

    def binary(self, node: Any, args: Mapping[str, Any], sign: str) -> tree.Expr | None:
        """``a + b``, ``a + alpha * b``, ``a / b``, perhaps rounded."""
        left, right, *_ = map(self.value, args.values())
        if "alpha" in args:
            right = tree.Chain(self.value(args["alpha"]), (("*", right),))
        found = tree.Chain(left, ((sign, right),))
        rounded = args.get("rounding_mode")
        if rounded in WHOLE:
            return tree.Call(WHOLE[rounded], (left, right), ())
        return tree.Call(rounded, (found,), ()) if rounded else found


def _instead(name: str) -> str:
    """Why there can be no such operator, and what to write; nothing of others."""
    if name in RANDOM:
        return "it is random: draw the numbers outside, and give them to forward as an input"
    if name in BY_VALUES:
        return "what it gives depends on values: write torch.where, or take it out of forward"
    if name.startswith(COMPLEX):
        return "there are no complex numbers here: write real and imaginary parts"
    if "sparse" in name:
        return "arrays are dense here: leave .to_sparse() out"
    if "quantize" in name:
        return "rounding has no gradient: read the module before it is quantised"
    return ""


def _module(name: str) -> tree.Expr:
    """Where PyTorch has the function of that name."""
    torch: tree.Expr = tree.Name("torch")
    if name.startswith("linalg_"):
        return tree.Member(torch, "linalg")
    return tree.Member(tree.Member(torch, "nn"), "functional") if name.endswith(LOSSES) else torch


def _plain(word: str, value: Any) -> Any:
    """``reduction`` as a word; sizes that are the same along all axes as one number; several axes as such."""
    if word == "reduction":
        return REDUCTIONS[value] if isinstance(value, int) else value
    if word in PAIRS and isinstance(value, (list, tuple)) and len({*value}) == 1:
        return value[0]
    return value


def _is_usual(value: Any, usual: Any) -> bool:
    if isinstance(value, (list, tuple)) and isinstance(usual, (list, tuple, int)):
        return [*value] == ([*usual] if isinstance(usual, (list, tuple)) else [usual] * len(value))
    kinds = (bool, int) if isinstance(value, bool) else (int, float, str)
    return value is usual or (isinstance(value, kinds) and isinstance(usual, kinds) and value == usual)


def _chosen(source: Any, value: tree.Expr, place: int) -> tree.Expr:
    """One of several results."""
    if isinstance(value, tree.Tuple):
        return value.items[place]
    return tree.Index(value, (whole(place),))


def _along(node: Any, dim: int, item: tree.Expr) -> tuple[tree.Expr, ...]:
    """An index with one item at an axis, the axes before it whole."""
    return (*[tree.Slice(None, None, None)] * (dim % node.meta["val"].ndim), item)


# -- operators that are no functions of model text
Rule = Callable[[Formulas, Any, dict[str, Any]], "tree.Expr | None"]


def _same(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return f.of(node.args[0])


def _cast(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Numbers of another type: of truth values whether they are 0, of integers what is before the point."""
    array = node.args[0]
    before, after = (n.meta["val"].dtype for n in (array, node))
    if before == after or after.is_floating_point or str(before) == "torch.bool":
        return f.of(array)
    if str(after) == "torch.bool":
        return tree.Compare("!=", f.of(array), whole(0))
    return tree.Call("trunc", (f.of(array),), ()) if before.is_floating_point else f.of(array)


def _gaussian_nll(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, target, variance, eps = map(f.value, node.args)
    return tree.Call("gaussian_nll", (array, target, variance), (("eps", eps),))


def _reshaped(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Call("reshape", (f.of(node.args[0]), f.shape(node)), ())


def _broadcast(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Call("broadcast", (f.of(node.args[0]), f.shape(node)), ())


def _all_broadcast(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    shapes = [tree.Tuple(tuple(map(f.value, v.shape))) for v in node.meta["val"]]
    pairs = zip(node.args[0], shapes, strict=True)
    return tree.Tuple(tuple(tree.Call("broadcast", (f.of(a), shape), ()) for a, shape in pairs))


def _unsqueezed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim = node.args
    return tree.Index(f.of(array), _along(node, dim, tree.Word(None)))


def _selected(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim, index = node.args
    return tree.Index(f.of(array), _along(array, dim, f.value(index)))


def _sliced(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim = node.args[0], args.get("dim", 0)
    start, stop, step = args.get("start"), args.get("end"), args.get("step")
    size = array.meta["val"].shape[dim]
    stop = None if isinstance(stop, int) and (stop >= 2**31 or (isinstance(size, int) and stop >= size)) else stop
    bounds = [None if b is None or b == usual else f.value(b) for b, usual in ((start, 0), (stop, None), (step, 1))]
    if bounds == [None, None, None]:
        return f.of(array)
    return tree.Index(f.of(array), _along(array, dim, tree.Slice(*bounds)))


def _indexed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, items = node.args
    whole_axis = tree.Slice(None, None, None)
    (k, places), *more = [(k, f.places[i]) for k, i in enumerate(items) if i in f.places] or [(0, None)]
    if places is not None and not more and places.ndim == 1 and int(places.min()) < 0:  # of an axis of any length
        slices = [tree.Slice(whole(n), whole(n + 1) if n != -1 else None, None) for n in places.tolist()]
        parts = tuple(tree.Index(f.of(array), (*[whole_axis] * k, one)) for one in slices)
        return tree.Call("concat", parts, (("axis", whole(k)),)) if len(parts) > 1 else parts[0]
    return tree.Index(f.of(array), tuple(whole_axis if i is None else f.of(i) for i in items))


def _unbound(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim = node.args[0], args.get("dim", 0)
    items = (tree.Index(f.of(array), _along(array, dim, whole(k))) for k in range(len(node.meta["val"])))
    return tree.Tuple(tuple(items))


def _split(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Slices one after the other, as long as the results are."""
    array, dim = node.args[0], args.get("dim", 0)
    ends, items = [0], list[tree.Expr]()
    for part in node.meta["val"]:
        ends.append(ends[-1] + part.shape[dim])
        part_of = tree.Slice(f.value(ends[-2]), f.value(ends[-1]), None)
        items.append(tree.Index(f.of(array), _along(array, dim, part_of)))
    return tree.Tuple(tuple(items))


def _dropout(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    if args.get("train", True) and args.get("p", 0.5):
        raise ModelError("dropout is random: call .eval() on the module, or give the mask as an input")
    return tree.Tuple((f.of(node.args[0]),)) if isinstance(node.meta["val"], (list, tuple)) else f.of(node.args[0])


def _embedded(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Rows of a table; that of ``padding_idx`` gets no gradient."""
    if args.get("scale_grad_by_freq"):
        raise ModelError("gradients that are divided by how often a row is read are no derivatives: leave "
                         "scale_grad_by_freq out")
    table, index = f.value(node.args[0]), f.value(node.args[1])
    rows = tree.Index(table, (index,))
    padding = args.get("padding_idx", -1)
    if not isinstance(padding, int) or padding < 0:
        return rows
    is_padding = tree.Index(tree.Compare("==", index, whole(padding)), (tree.Word(...), tree.Word(None)))
    return tree.Call("where", (is_padding, tree.Call("stop_gradient", (rows,), ()), rows), ())


def _filled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """An array of one number."""
    name = node.target._opname
    given = args.get("fill_value", args.get("s", args.get("value")))
    value = 0.0 if "zeros" in name else 1.0 if "ones" in name else given
    return tree.Call("broadcast", (f.value(value), f.shape(node)), ()) if node.meta["val"].ndim else f.value(value)


def filled(formula: tree.Expr, axes: int = 0) -> tree.Expr | None:
    """An array of one number without its first axes; None for any other."""
    match formula:
        case tree.Call("broadcast", (tree.Number() | tree.Negative() as number, tree.Tuple(sizes))):
            return tree.Call("broadcast", (number, tree.Tuple(sizes[axes:])), ())
    return None


def _counted(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    start, step = args.get("start", 0), args.get("step", 1)
    found: tree.Expr = tree.Call("arange", (f.shape(node).items[0],), ())
    found = found if step == 1 else tree.Chain(found, (("*", f.value(step)),))
    return found if isinstance(start, int) and start == 0 else tree.Chain(f.value(start), (("+", found),))


def _negated(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Negative(f.of(node.args[0]))


def _powered(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Power(f.value(node.args[0]), f.value(node.args[1]))


def _logical_not(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    _refuse_bits(node)
    return tree.Compare("==", f.of(node.args[0]), whole(0))


def _both(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    left, right = _truth_values(f, node)
    return tree.Chain(left, (("*", right),))


def _truth_values(f: Formulas, node: Any) -> list[tree.Expr]:
    """What two arrays are as truth values; any number but 0 is true."""
    _refuse_bits(node)
    return [f.value(a) if _is_truth(a) else tree.Compare("!=", f.value(a), whole(0)) for a in node.args[:2]]


def _refuse_bits(node: Any) -> None:
    """Integers have bits, which are no truth values."""
    has_bits = "bitwise" in called_by(node) or called_by(node).startswith("__")
    if has_bits and not all(map(_is_truth, node.args[:2])):
        raise ModelError("bits of integers are none here: write it with //, % and comparisons")


def _is_truth(a: Any) -> bool:
    return isinstance(a, bool) or str(getattr(getattr(a, "meta", {}).get("val"), "dtype", "")) == "torch.bool"


def _one_of_two(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    left, right = (tree.Compare("!=", a, whole(0)) for a in _truth_values(f, node))
    return tree.Compare("!=", left, right)


def _transposed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Transpose(f.of(node.args[0]))


def _class_loss(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """A loss of logits, or of their logarithms, whose classes are along axis 1: here they are along the last."""
    name = "cross_entropy" if "cross" in node.target._opname else "nll_loss"
    ndim = node.args[0].meta["val"].ndim
    values = {k: f.value(_plain(k, v)) for k, v in args.items()}
    if ndim > 2:
        last = tree.Tuple(tuple(map(whole, (0, *range(2, ndim), 1))))
        classes = node.args[1].meta["val"].ndim == ndim
        for word in ("self", "target")[: 1 + classes]:
            values[word] = tree.Call("transpose", (values[word], last), ())
    first, second = values.pop("self"), values.pop("target")
    found = spelled("t", name, (first, second), values)
    each = tree.Call(name.removesuffix("_loss"), (first, second), ())
    return found[0] if found is not None else _reduced(each, values)


def _reduced(each: tree.Expr, options: Mapping[str, tree.Expr]) -> tree.Expr | None:
    way = options.get("reduction", tree.String("mean"))
    if options.keys() - {"reduction"} or not isinstance(way, tree.String):
        return None
    return each if way.value == "none" else tree.Call(way.value, (each,), ())


# -- layers
def _affine(f: Formulas, found: tree.Expr, weight: Any, bias: Any, behind: int = 0) -> tree.Expr:
    """The standardised array times weight plus bias, where there are such; so many axes stand behind theirs."""
    for sign, array in (("*", weight), ("+", bias)):
        if array is not None:
            items: tuple[tree.Expr, ...] = (tree.Slice(None, None, None), *[tree.Word(None)] * behind)
            found = tree.Chain(found, ((sign, tree.Index(f.of(array), items) if behind else f.of(array)),))
    return found


def _axis_norm(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """layer_norm and rms_norm over the last axes."""
    size = args["normalized_shape"]
    axes = tree.Tuple(tuple(whole(-k) for k in range(len(size), 0, -1))) if len(size) > 1 else whole(-1)
    eps = args.get("eps", 1e-5 if node.target._opname == "layer_norm" else None)
    eps = sys.float_info.epsilon if eps is None else eps
    options = (("axis", axes), ("eps", f.value(eps)))
    found = tree.Call(node.target._opname, (f.of(node.args[0]),), options)
    return _affine(f, found, args.get("weight"), args.get("bias"))


def _channel_norm(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Norms whose channels are along axis 1; those of batches give what has been averaged so far as well."""
    name, eps, array = node.target._opname, f.value(args.get("eps", 1e-5)), node.args[0]
    middle = [f.value(args["num_groups"])] if name == "group_norm" else []
    if not _is_training(name, args):
        name, middle = "running_batch_norm", [f.of(args["running_mean"]), f.of(args["running_var"])]
    name = name if name in ("group_norm", "instance_norm", "running_batch_norm") else "batch_norm"
    behind = array.meta["val"].ndim - 2
    options = (("eps", eps), *([("axis", whole(1))] if behind else []))
    found = tree.Call(name, (f.of(array), *middle), options)
    result = _affine(f, found, args.get("weight"), args.get("bias"), behind)
    return tree.Tuple((result,)) if isinstance(node.meta["val"], (list, tuple)) else result


def _attention(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Attention with a mask, which is added to the scores or, of truth values, says what is seen; a causal one counts
    queries and keys from the first."""
    mask, scale, is_causal = args.get("attn_mask"), args.get("scale"), bool(args.get("is_causal"))
    (q, k, v), (queries, keys) = map(f.of, node.args[:3]), (a.meta["val"].shape for a in node.args[:2])
    if args.get("dropout_p"):
        raise ModelError("dropout is random: call .eval() on the module, or set it to 0")
    if mask is None and scale is None and (not is_causal or queries[-2] == keys[-2]):
        name = "grouped_attention" if args.get("enable_gqa") else "attention"
        return tree.Call(name, (q, k, v), (("causal", tree.Word(True)),) if is_causal else ())
    if args.get("enable_gqa"):
        times = tree.Chain(f.value(queries[-3]), (("/", f.value(keys[-3])),))
        k, v = (tree.Call("repeat", (a, times), (("axis", whole(-3)),)) for a in (k, v))
    scores: tree.Expr = tree.Chain(q, (("@", tree.Call("swapaxes", (k, whole(-1), whole(-2)), ())),))
    factor = ("/", tree.Call("sqrt", (f.value(queries[-1]),), ())) if scale is None else ("*", f.value(scale))
    scores = tree.Chain(scores, (factor,))
    if is_causal:
        ones = tree.Call("broadcast", (whole(1), tree.Tuple((f.value(queries[-2]), f.value(keys[-2])))), ())
        seen = tree.Compare("!=", tree.Call("tril", (ones,), ()), whole(0))
        scores = tree.Call("where", (seen, scores, number(-float("inf"))), ())
    if mask is not None and str(mask.meta["val"].dtype) == "torch.bool":
        scores = tree.Call("where", (f.of(mask), scores, number(-float("inf"))), ())
    elif mask is not None:
        scores = tree.Chain(scores, (("+", f.of(mask)),))
    return tree.Chain(tree.Call("softmax", (scores,), (("axis", whole(-1)),)), (("@", v),))


def _weight_norm(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Rows of given lengths (Salimans and Kingma 2016)."""
    array, length = map(f.of, node.args[:2])
    axes = [k for k in range(node.args[0].meta["val"].ndim) if k != args.get("dim", 0)]
    options = (("axis", tree.Tuple(tuple(map(whole, axes)))), ("keepdims", tree.Word(True)))
    return tree.Chain(array, (("*", length), ("/", tree.Call("norm", (array,), options))))


def _rolled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    found, shifts, dims = f.of(node.args[0]), args["shifts"], args.get("dims", ())
    if not dims:
        line = tree.Call("roll", (tree.Call("reshape", (found, tree.Tuple((whole(-1),))), ()), f.value(shifts[0])),
                         (("axis", whole(0)),))
        return tree.Call("reshape", (line, f.shape(node)), ())
    for shift, dim in zip(shifts, dims, strict=False):
        found = tree.Call("roll", (found, f.value(shift)), (("axis", whole(dim)),))
    return found if len(dims) == len(shifts) else None


def _spread(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """var and std, which divide by n − 1 where nothing else is said."""
    ddof = args.get("correction", 1 if args.get("unbiased", True) else 0)
    options = {"axis": f.value(args["dim"])} if args.get("dim") else {}
    options |= {"keepdims": tree.Word(True)} if args.get("keepdim") else {}
    options |= {"ddof": f.value(1 if ddof is None else ddof)}
    return tree.Call(node.target._opname, (f.of(node.args[0]),), tuple(options.items()))


def _spread_and_mean(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """var_mean and std_mean."""
    spread = _spread(f, node, args)
    assert isinstance(spread, tree.Call)
    options = tuple((word, value) for word, value in spread.options if word != "ddof")
    name = node.target._opname.removesuffix("_mean")
    return tree.Tuple((tree.Call(name, spread.args, spread.options), tree.Call("mean", spread.args, options)))


def _log_sigmoid(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Negative(tree.Call("softplus", (tree.Negative(f.of(node.args[0])),), ()))


def _scattered(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """One number at all places that are pointed at."""
    if "value" not in args:
        return None
    source = tree.Call("broadcast", (f.value(args["value"]), f.shape(args["index"])), ())
    return tree.Call("scatter", (f.of(args["self"]), f.of(args["index"]), source), (("axis", f.value(args["dim"])),))


def _prelu(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Slopes of the channels, along axis 1."""
    array, slope = node.args
    behind = max(array.meta["val"].ndim - 2, 0)
    items: tuple[tree.Expr, ...] = (tree.Slice(None, None, None), *[tree.Word(None)] * behind)
    return tree.Call("prelu", (f.of(array), tree.Index(f.of(slope), items) if behind else f.of(slope)), ())


def _truths(name: str) -> Rule:
    """``any`` and ``all``: the largest or the smallest of truth values."""

    def rule(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
        options = {"axis": f.value(args["dim"])} if "dim" in args else {}
        options |= {"keepdims": tree.Word(True)} if args.get("keepdim") else {}
        return tree.Call(name, (tree.Compare("!=", f.of(node.args[0]), whole(0)),), tuple(options.items()))

    return rule


def _either(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    left, right = _truth_values(f, node)
    return tree.Compare("!=", tree.Chain(left, (("+", right),)), whole(0))


def _repeated(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Call("tile", (f.of(node.args[0]), *map(f.value, args["repeats"])), ())


def _windows(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Windows along an axis, what is in them along the last."""
    array, dim, width, stride = node.args
    ndim = array.meta["val"].ndim
    dim %= ndim
    options = (("axis", whole(dim)), ("stride", f.value(stride)))
    found = tree.Call("unfold", (f.of(array), f.value(width)), options)
    order = (*(k for k in range(ndim + 1) if k != dim + 1), dim + 1)
    return tree.Call("transpose", (found, tree.Tuple(tuple(map(whole, order)))), ())


def _put_in(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """An array with another one in place of a slice."""
    array, dim = f.of(node.args[0]), args.get("dim", 0)
    start, stop, size = args.get("start") or 0, args.get("end"), node.meta["val"].shape[dim]
    if args.get("step", 1) != 1 or not all(isinstance(b, int) for b in (start, size)):
        return None
    stop = size if stop is None or stop > size else stop
    parts = [tree.Index(array, _along(node, dim, tree.Slice(f.value(a), f.value(b), None))) for a, b in (
        (0, start % size if start else 0), (stop % size if stop < size else size, size))]
    kept = [part for part, some in zip(parts, (start, stop < size), strict=True) if some]
    order = [*kept[: bool(start)], f.of(node.args[1]), *kept[bool(start) :]]
    return tree.Call("concat", tuple(order), (("axis", whole(dim)),)) if len(order) > 1 else order[0]


def _put_on_diagonal(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """A square matrix with another diagonal."""
    array, row = node.args[:2]
    shape = array.meta["val"].shape
    if len(args) > 2 or len(shape) != 2 or shape[0] != shape[1]:
        return None
    there = tree.Compare("!=", tree.Call("eye", (f.value(shape[0]),), ()), whole(0))
    return tree.Call("where", (there, f.of(row), f.of(array)), ())


def _padded(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """Borders that repeat what is inside, the last axis first; of numbers other than 0 too."""
    mode, pads, ndim = args.get("mode", "constant"), args["pad"], node.meta["val"].ndim
    found, value = f.of(node.args[0]), args.get("value")
    if mode == "constant" and any(isinstance(p, int) and p < 0 for p in pads):
        return None
    if mode == "constant":
        wide = _among_zeros(f, node, found, pads)
        if not value:
            return wide
        ones = tree.Call("broadcast", (whole(1), f.shape(node.args[0])), ())
        inside = tree.Compare("!=", _among_zeros(f, node, ones, pads), whole(0))
        return tree.Call("where", (inside, wide, f.value(value)), ())
    for k, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        axis = ndim - 1 - k
        size = node.args[0].meta["val"].shape[axis]
        parts = (_border(mode, found, axis, before, True), found, _border(mode, found, axis, after, False, size))
        found = tree.Call("concat", tuple(p for p in parts if p is not None), (("axis", whole(axis)),))
    return found


def _among_zeros(f: Formulas, node: Any, found: tree.Expr, pads: Any) -> tree.Expr:
    """An array with so many zeros before and behind each of its last axes, the last one first."""
    for k, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        axis = node.meta["val"].ndim - 1 - k
        if before != 0 or after != 0:
            wide = _sum(f.value(before), f.value(node.args[0].meta["val"].shape[axis]), f.value(after))
            found = tree.Call("pad", (found, whole(axis), f.value(before), wide), ())
    return found


def _sum(first: tree.Expr, *others: tree.Expr) -> tree.Expr:
    numbers = [n.value for n in (first, *others) if isinstance(n, tree.Number)]
    if len(numbers) == 1 + len(others):
        return tree.Number(sum(numbers))
    return tree.Chain(first, tuple(("+", other) for other in others))


def _border(mode: str, array: tree.Expr, axis: int, width: int, first: bool, size: Any = None) -> tree.Expr | None:
    """So many entries before or behind an axis."""
    if not width:
        return None

    def part(*bounds: int | None) -> tree.Expr:
        start, stop, step = [None if b is None else whole(b) for b in (*bounds, *[None] * (3 - len(bounds)))]
        return tree.Index(array, (*[tree.Slice(None, None, None)] * axis, tree.Slice(start, stop, step)))

    if mode == "circular":
        return part(-width, None) if first else part(None, width)
    if mode == "replicate":
        one = part(None, 1) if first else part(-1, None)
        return tree.Call("repeat", (one, whole(width)), (("axis", whole(axis)),))
    return part(width, 0, -1) if first else part(-2, -width - 2, -1)


def _with_windows_places(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Pooling that says where the largest was, too."""
    name = node.target._opname.removesuffix("_with_indices")
    return tree.Tuple((f.called(node, name, args),))


def _sampled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    mode = ("linear", "nearest", "cubic")[args["interpolation_mode"]]
    padding = ("zeros", "border", "reflection")[args["padding_mode"]]
    array, grid = node.args[:2]
    ndim = node.meta["val"].ndim
    last, back = (0, *range(2, ndim), 1), (0, ndim - 1, *range(1, ndim - 1))
    there = tree.Call("transpose", (f.of(array), tree.Tuple(tuple(map(whole, last)))), ())
    options = (("mode", tree.String(mode)), ("padding", tree.String(padding)),
               ("align_corners", tree.Word(bool(args.get("align_corners")))))
    found = tree.Call("grid_sample", (there, f.of(grid)), options)
    return tree.Call("transpose", (found, tree.Tuple(tuple(map(whole, back)))), ())


def _stopped(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Call("stop_gradient", (f.of(node.args[0]),), ())


def _of_two(name: str) -> Rule:
    """``torch.max`` of two arrays; of one it is another function."""
    return lambda f, node, args: tree.Call(name, tuple(map(f.value, args.values())), ()) if "other" in args else \
        _with_places(f, node, args)


def _triangle(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """A triangle of an array that is infinite everywhere."""
    array = node.args[0]
    if not called_by(array).startswith(("full", "new_full")) or array.args[1] not in (float("inf"), -float("inf")):
        return None
    ones = tree.Call("broadcast", (whole(1), f.shape(node)), ())
    seen = tree.Call(node.target._opname, (ones, f.value(args.get("diagonal", 0))), ())
    return tree.Call("where", (tree.Compare("!=", seen, whole(0)), number(array.args[1]), whole(0)), ())


def _bag(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Bags of equal sizes: offsets that count by the size of a bag."""
    offsets, words = args["offsets"], args["indices"]
    step = {1: 1, 2: 1, 3: offsets.args[-1]}.get(len(offsets.args)) if _opname(offsets) == "arange" else None
    if not isinstance(step, int):
        raise ModelError("bags of unequal sizes cannot be read: give the indices as an array of two axes")
    if args.get("scale_grad_by_freq") or args.get("padding_idx") not in (None, -1):
        raise ModelError("a bag with padding_idx, or scale_grad_by_freq, cannot be read: take rows of the table")
    shape = tree.Tuple((whole(-1), whole(step)))
    index = tree.Call("reshape", (f.of(words), shape), ())
    if args.get("per_sample_weights") is not None:
        shares = tree.Call("reshape", (f.of(args["per_sample_weights"]), tree.Tuple((*shape.items, whole(1)))), ())
        rows = tree.Chain(shares, (("*", tree.Index(f.of(args["weight"]), (index,))),))
        return tree.Tuple((tree.Call("sum", (rows,), (("axis", whole(1)),)),))
    mode = tree.String(("sum", "mean", "max")[args.get("mode", 0)])
    return tree.Tuple((tree.Call("embedding_bag", (f.of(args["weight"]), index), (("mode", mode),)),))


def _spatial(value: Any, rank: int) -> Any:
    """A number for each of so many axes, or one for all."""
    values = [*value] if isinstance(value, (list, tuple)) else [value]
    return values[0] if len({*values}) == 1 else tuple(values * (rank if len(values) == 1 else 1))


def _options(f: Formulas, args: Mapping[str, Any], rank: int, names: str) -> tuple[tuple[str, tree.Expr], ...]:
    """Those options of a layer over windows that are not as usual."""
    return tuple((word, f.value(_spatial(args[word], rank))) for word in names.split() if word in args)


def _convolved(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """Convolutions that PyTorch's functions in model text leave out: of volumes, of a single image, transposed ones in
    groups. Channels are along the last axis here."""
    weight, name = args["weight"], called_by(node)
    rank = weight.meta["val"].ndim - 2
    x, size = f.of(args["input"]), args["input"].meta["val"]
    is_one, groups = size.ndim == rank + 1, args.get("groups", 1)
    is_transposed = "transpose" in name
    if rank < 3 and not is_one and not (is_transposed and groups > 1):
        return None
    x = tree.Index(x, (tree.Word(None),)) if is_one else x
    back, there = (0, rank + 1, *range(1, rank + 1)), (0, *range(2, rank + 2), 1)
    x = tree.Call("transpose", (x, tree.Tuple(tuple(map(whole, there)))), ())
    kernel = tree.Call("transpose", (f.of(weight), tree.Tuple(tuple(map(whole, (*range(2, rank + 2), 1, 0))))), ())
    options = _options(f, args, rank, "stride padding output_padding dilation")
    function = f"conv_transpose{rank}d" if is_transposed else f"conv{rank}d"
    if is_transposed and groups > 1:
        part = f.value(size.shape[-rank - 1] // groups)
        ends = [_times(part, k) for k in range(groups + 1)]
        slices = [(tree.Word(...), tree.Slice(*pair, None)) for pair in pairwise(ends)]
        pieces = [tree.Call(function, (tree.Index(x, items), tree.Index(kernel, items)), options) for items in slices]
        found: tree.Expr = tree.Call("concat", tuple(pieces), (("axis", whole(-1)),))
    else:
        options += (("groups", whole(groups)),) if groups > 1 else ()
        if function == "conv2d":
            options += (("layout", tree.String("NHWC")),)
        found = tree.Call(function, (x, kernel), options)
    found = tree.Chain(found, (("+", f.of(args["bias"])),)) if args.get("bias") is not None else found
    found = tree.Call("transpose", (found, tree.Tuple(tuple(map(whole, back)))), ())
    return tree.Index(found, (whole(0),)) if is_one else found


def _times(size: tree.Expr, k: int) -> tree.Expr:
    return tree.Number(size.value * k) if isinstance(size, tree.Number) else tree.Chain(whole(k), (("*", size),))


def _pooled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """Pooling of volumes, or with what PyTorch's functions in model text leave out."""
    name, ndim = called_by(node).removesuffix("_with_indices"), node.args[0].meta["val"].ndim
    rank = int(name[-2])
    names = {"ceil_mode": "ceil", "count_include_pad": "count_padding", "divisor_override": "divisor"}
    if ndim != rank + 2 or not (rank == 3 or args.keys() & {"dilation", "divisor_override"}):
        return _with_windows_places(f, node, args) if isinstance(node.meta["val"], (list, tuple)) else None
    options = _options(f, args, rank, "stride padding dilation")
    options += tuple((ours, f.value(args[word])) for word, ours in names.items() if word in args)
    there, back = (0, *range(2, ndim), 1), (0, ndim - 1, *range(1, ndim - 1))
    x = tree.Call("transpose", (f.of(node.args[0]), tree.Tuple(tuple(map(whole, there)))), ())
    found = tree.Call(name, (x, f.value(_spatial(args["kernel_size"], rank))), options)
    moved = tree.Call("transpose", (found, tree.Tuple(tuple(map(whole, back)))), ())
    return tree.Tuple((moved,)) if isinstance(node.meta["val"], (list, tuple)) else moved


def _copied(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """What is written over an array, as large as that."""
    source, shape = args["src"], f.shape(node)
    if source.meta["val"].shape == node.meta["val"].shape:
        return f.of(source)
    return tree.Call("broadcast", (f.of(source), shape), ())


def _put_in_place(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """An array with another one in place of one entry along an axis."""
    dim, index = args["dim"] % node.meta["val"].ndim, args["index"]
    size = node.meta["val"].shape[dim]
    if not isinstance(size, int):
        return None
    row = tree.Index(f.of(args["src"]), (*[tree.Slice(None, None, None)] * dim, tree.Word(None)))
    array, index = f.of(node.args[0]), index % size
    parts = [tree.Index(array, _along(node, dim, tree.Slice(f.value(a), f.value(b), None)))
             for a, b in ((0, index), (index + 1, size))]
    order = [*parts[: index > 0], row, *parts[1 if index < size - 1 else 2 :]]
    return tree.Call("concat", tuple(order), (("axis", whole(dim)),)) if len(order) > 1 else row


def _ranked(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """The k-th of an axis in order, and of ``median`` the lower one in the middle."""
    if not isinstance(node.meta["val"], (list, tuple)):
        return None
    size, axis = node.args[0].meta["val"].shape[args.get("dim", -1)], f.value(args.get("dim", -1))
    k = args["k"] - 1 if "k" in args else (size - 1) // 2
    array, options = f.of(node.args[0]), (("axis", axis),)
    order = tree.Index(tree.Call("argsort", (array,), options), _along(
        node.args[0], args.get("dim", -1), tree.Slice(f.value(k), f.value(k + 1), None)))
    found: list[tree.Expr] = [tree.Call("take_along_axis", (array, order), options), order]
    if not args.get("keepdim"):
        shape = tree.Tuple(tuple(map(f.value, node.meta["val"][0].shape)))
        found = [tree.Call("reshape", (part, shape), ()) for part in found]
    return tree.Tuple(tuple(found))


def _not_a_number(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Compare("!=", f.of(node.args[0]), f.of(node.args[0]))


def _signed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    size, sign = map(f.value, node.args)
    is_negative = tree.Compare("<", sign, whole(0))
    positive = tree.Call("abs", (size,), ())
    return tree.Call("where", (is_negative, tree.Negative(positive), positive), ())


def _slope_between(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """rrelu out of training: its slope is in the middle."""
    if args.get("training"):
        raise ModelError(_instead("rrelu"))
    slope = (args.get("lower", 1 / 8) + args.get("upper", 1 / 3)) / 2
    return tree.Call("leaky_relu", (f.of(node.args[0]), number(slope)), ())


def _bilinear(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    left, right, weight = (f.of(args[word]) for word in ("input1", "input2", "weight"))
    found: tree.Expr = tree.Call("einsum", (tree.String("...i,kij,...j->...k"), left, weight, right), ())
    return tree.Chain(found, (("+", f.of(args["bias"])),)) if args.get("bias") is not None else found


def _running(name: str) -> Rule:
    """What has been the largest, or smallest, so far; where it was is not told."""
    def rule(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
        sign = tree.Negative if name == "cummin" else lambda x: x
        call = tree.Call("cummax", (sign(f.of(node.args[0])),), (("axis", f.value(args["dim"])),))
        return tree.Tuple((sign(call),))

    return rule


def _renormed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    raise NoSuchOperator("max_norm changes the table while it is read: scale its rows in forward, "
                         "E / maximum(1, norm(E) / max_norm)")


def _ctc(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """CTC of every sequence of a batch."""
    lengths = [(name, f.of(args[name])) for name in ("input_lengths", "target_lengths")]
    options = [("blank", f.value(args["blank"])), *lengths, ("zero_infinity", f.value(args["zero_infinity"]))]
    return tree.Call("ctc", (f.of(args["log_probs"]), f.of(args["targets"])), tuple(options))


def _opname(node: Any) -> str:
    return getattr(node.target, "_opname", "")


def _moved(function: str, *more: tree.Expr) -> Callable[[tree.Expr, int], tree.Expr]:
    """A function of images whose channels are along the last axis, for such that have them along axis 1."""

    def of(array: tree.Expr, ndim: int) -> tree.Expr:
        last, back = (0, *range(2, ndim), 1), (0, ndim - 1, *range(1, ndim - 1))
        there = tree.Call("transpose", (array, tree.Tuple(tuple(map(whole, last)))), ())
        found = tree.Call(function, (there, *more), ())
        return tree.Call("transpose", (found, tree.Tuple(tuple(map(whole, back)))), ())

    return of


def _resized(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Images of another size."""
    name = node.target._opname
    mode = "nearest-exact" if "exact" in name else next(m for m in ("nearest", "linear", "cubic") if m in name)
    size = tree.Tuple(tuple(map(f.value, node.meta["val"].shape[2:])))
    scales = [s for word, s in args.items() if word.startswith("scale") and s is not None]
    each = scales[0] if scales and isinstance(scales[0], (list, tuple)) else scales
    more: list[tree.Expr] = [tree.Word(bool(args.get("align_corners")))]
    if not each and "_aa" in name:
        before, after = (n.meta["val"].shape[2:] for n in (node.args[0], node))
        more.append(tree.Tuple(tuple(tree.Chain(f.value(a), (("/", f.value(b)),))
                                     for a, b in zip(after, before, strict=True))))
    more += [tree.Tuple(tuple(map(f.value, each)))] if each else []
    more += [tree.Word(True)] if "_aa" in name else []
    return _moved("interpolate", size, tree.String(mode), *more)(f.of(node.args[0]), node.meta["val"].ndim)


def _shuffled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return _moved("pixel_shuffle", f.value(args["upscale_factor"]))(f.of(node.args[0]), 4)


def _with_places(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """What comes with its indices: the largest along an axis, sorted entries."""
    name, array = node.target._opname, f.of(node.args[0])
    if not isinstance(node.meta["val"], (list, tuple)):
        return None
    axis = f.value(args.get("dim", -1))
    if name in ("max", "min"):
        options = (("axis", axis), ("keepdims", tree.Word(bool(args.get("keepdim", False)))))
        return tree.Tuple((tree.Call(name, (array,), options), tree.Call("arg" + name, (array,), options)))
    falling = args.get("largest", True) if name == "topk" else args.get("descending", False)
    order = tree.Call("argsort", (tree.Negative(array) if falling else array,), (("axis", axis),))
    if name == "topk":
        count = tree.Slice(None, f.value(args["k"]), None)
        order = tree.Index(order, _along(node.args[0], args.get("dim", -1), count))  # type: ignore[assignment]
    return tree.Tuple((tree.Call("take_along_axis", (array, order), (("axis", axis),)), order))


def _summed_letters(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Call("einsum", (f.value(args["equation"]), *map(f.of, args["tensors"])), ())


def _sign(sign: str) -> Rule:
    return lambda f, node, args: f.binary(node, args, sign)


def _floored(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return tree.Call("floor_divide", tuple(map(f.value, node.args)), ())


def _compared(sign: str) -> Rule:
    return lambda f, node, args: tree.Compare(sign, *map(f.value, node.args[:2]))


def _all(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **dict.fromkeys(SAME_NUMBERS, _same), **dict.fromkeys(CASTS, _cast), **dict.fromkeys(RESHAPED, _reshaped),
    **dict.fromkeys(BROADCAST, _broadcast), **{name: _sign(sign) for name, sign in SIGNS.items()},
    **{name: _compared(sign) for name, sign in COMPARED.items()},
    **_all("zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full scalar_tensor fill", _filled),
    **_all("cross_entropy_loss nll_loss_nd nll_loss nll_loss2d", _class_loss),
    **_all("group_norm batch_norm instance_norm native_batch_norm cudnn_batch_norm _native_batch_norm_legit "
           "_native_batch_norm_legit_functional _native_batch_norm_legit_no_training", _channel_norm),
    **_all("topk sort", _with_places), "max": _of_two("maximum"), "min": _of_two("minimum"),
    **_all("triu tril", _triangle), **_all("detach detach_", _stopped), "roll": _rolled, "_weight_norm": _weight_norm,
    **_all("layer_norm rms_norm", _axis_norm),
    **_all("upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d "
           "upsample_trilinear3d upsample_bicubic2d _upsample_nearest_exact1d _upsample_nearest_exact2d", _resized),
    **_all("unsafe_split split split_with_sizes chunk", _split), **_all("logical_and bitwise_and __and__", _both),
    **_all("dropout native_dropout feature_dropout alpha_dropout feature_alpha_dropout", _dropout),
    **_all("logical_not bitwise_not", _logical_not), **_all("t numpy_T", _transposed), "gaussian_nll": _gaussian_nll,
    **_all("var std", _spread), **_all("__or__ logical_or bitwise_or", _either),
    **_all("adaptive_max_pool2d adaptive_max_pool1d", _with_windows_places),
    **_all("max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d "
           "avg_pool3d", _pooled),
    **_all("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d", _convolved),
    **_all("kthvalue median nanmedian", _ranked), "copy": _copied, "select_scatter": _put_in_place,
    "isnan": _not_a_number, "copysign": _signed, "rrelu": _slope_between, "bilinear": _bilinear, "ctc": _ctc,
    **_all("logical_xor bitwise_xor __xor__", _one_of_two), "cummax": _running("cummax"),
    "cummin": _running("cummin"), **_all("embedding_renorm embedding_renorm_", _renormed),
    "any": _truths("max"), "all": _truths("min"), "grid_sampler": _sampled,
    "prelu": _prelu, "repeat": _repeated, "unfold": _windows, "slice_scatter": _put_in,
    "diagonal_scatter": _put_on_diagonal, "pad": _padded,
    "floor_divide": _floored, "log_sigmoid": _log_sigmoid, "scatter": _scattered,
    **_all("var_mean std_mean", _spread_and_mean),
    "broadcast_tensors": _all_broadcast, "unsqueeze": _unsqueezed, "select": _selected, "slice": _sliced,
    "index": _indexed, "unbind": _unbound, "embedding": _embedded, "scaled_dot_product_attention": _attention,
    "embedding_bag": _bag, "pixel_shuffle": _shuffled, "einsum": _summed_letters, "arange": _counted, "neg": _negated,
    "pow": _powered,
}
