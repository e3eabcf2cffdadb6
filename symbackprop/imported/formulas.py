"""Nodes of an exported PyTorch graph as formulas of model text, which are data: nothing is written and read again.

PyTorch's operators are read as its functions are in model text (`model.text.spellings`); here stands only what a graph
has and a text has not: shapes that are known already, operators by their overloads, casts that change no number.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, cast

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
        """An argument of a node, or what stands in an index; a formula is itself."""
        return tree.of_value(item, self._other)

    def _other(self, item: Any) -> tree.Expr:
        if isinstance(item, tree.Placed):
            return cast(tree.Expr, item)
        if hasattr(item, "op") and hasattr(item, "meta"):
            return self.of(item)
        if isinstance(item, (int, float)):
            return number(item)
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

    # -- formulas of values
    def call(self, function: str, *args: Any, **options: Any) -> tree.Call:
        """A call of a function of model text."""
        return tree.Call(function, tuple(map(self.value, args)), tuple((w, self.value(v)) for w, v in options.items()))

    def chain(self, first: Any, *rest: Any) -> tree.Expr:
        """``first``, and in turn a sign and what is behind it."""
        return tree.Chain(self.value(first), tuple(zip(rest[::2], map(self.value, rest[1::2]), strict=True)))

    def compared(self, left: Any, sign: str, right: Any) -> tree.Expr:
        return tree.Compare(sign, self.value(left), self.value(right))

    def at(self, array: Any, *items: Any) -> tree.Expr:
        """Entries of an array."""
        return tree.Index(self.value(array), tuple(map(self.value, items)))

    def along(self, array: Any, axis: int, item: Any) -> tree.Expr:
        """Entries of an array at an item of one axis, counted from the first; the axes before it are whole."""
        return self.at(array, *[slice(None)] * axis, item)

    def joined(self, parts: Sequence[Any], axis: int) -> tree.Expr:
        """Parts one behind the other."""
        return self.call("concat", *parts, axis=axis) if len(parts) > 1 else self.value(parts[0])

    def channels_last(self, array: Any, ndim: int) -> tree.Expr:
        """Images whose channels are along axis 1, as functions here take them."""
        return self.call("transpose", array, (0, *range(2, ndim), 1))

    def channels_first(self, array: Any, ndim: int) -> tree.Expr:
        return self.call("transpose", array, (0, ndim - 1, *range(1, ndim - 1)))

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
            right = self.chain(args["alpha"], "*", right)
        found = self.chain(left, sign, right)
        rounded = args.get("rounding_mode")
        if rounded in WHOLE:
            return self.call(WHOLE[rounded], left, right)
        return self.call(rounded, found) if rounded else found


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


# -- operators that are no functions of model text
Rule = Callable[[Formulas, Any, dict[str, Any]], "tree.Expr | None"]
ALL = slice(None)


def _val(node: Any) -> Any:
    """What the graph knows of a node's value: its shape and dtype."""
    return node.meta["val"]


def has_several(node: Any) -> bool:
    """Whether a node has several results."""
    return isinstance(node.meta.get("val"), (list, tuple))


def _axes(args: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a reduction."""
    found = {"axis": args["dim"]} if args.get("dim") is not None else {}
    return found | ({"keepdims": True} if args.get("keepdim") else {})


def _cast(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Numbers of another type: of truth values whether they are 0, of integers what is before the point."""
    array = node.args[0]
    before, after = _val(array).dtype, _val(node).dtype
    if before == after or after.is_floating_point or str(before) == "torch.bool":
        return f.of(array)
    if str(after) == "torch.bool":
        return f.compared(array, "!=", 0)
    return f.call("trunc", array) if before.is_floating_point else f.of(array)


def _gaussian_nll(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, target, variance, eps = node.args
    return f.call("gaussian_nll", array, target, variance, eps=eps)


def _all_broadcast(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    return f.value([f.call("broadcast", a, v.shape) for a, v in zip(node.args[0], _val(node), strict=True)])


def _unsqueezed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim = node.args
    return f.along(array, dim % _val(node).ndim, None)


def _selected(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim, index = node.args
    return f.along(array, dim % _val(array).ndim, index)


def _sliced(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim = node.args[0], args.get("dim", 0)
    start, stop, step = args.get("start"), args.get("end"), args.get("step")
    size = _val(array).shape[dim]
    stop = None if isinstance(stop, int) and (stop >= 2**31 or (isinstance(size, int) and stop >= size)) else stop
    bounds = [None if b is None or b == usual else b for b, usual in ((start, 0), (stop, None), (step, 1))]
    return f.of(array) if bounds == [None] * 3 else f.along(array, dim % _val(array).ndim, slice(*bounds))


def _indexed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, items = node.args
    (k, places), *more = [(k, f.places[i]) for k, i in enumerate(items) if i in f.places] or [(0, None)]
    if places is not None and not more and places.ndim == 1 and int(places.min()) < 0:  # of an axis of any length
        return f.joined([f.along(array, k, slice(n, n + 1 if n != -1 else None)) for n in places.tolist()], k)
    return f.at(array, *[ALL if i is None else i for i in items])


def _unbound(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    array, dim = node.args[0], args.get("dim", 0)
    return f.value([f.along(array, dim % _val(array).ndim, k) for k in range(len(_val(node)))])


def _split(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Slices one after the other, as long as the results are."""
    array, dim = node.args[0], args.get("dim", 0)
    ends = [*accumulate((part.shape[dim] for part in _val(node)), initial=0)]
    return f.value([f.along(array, dim % _val(array).ndim, slice(*pair)) for pair in pairwise(ends)])


def _dropout(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    if args.get("train", True) and args.get("p", 0.5):
        raise ModelError("dropout is random: call .eval() on the module, or give the mask as an input")
    return f.value((node.args[0],) if has_several(node) else node.args[0])


def _embedded(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Rows of a table; that of ``padding_idx`` gets no gradient."""
    if args.get("scale_grad_by_freq"):
        raise ModelError("gradients that are divided by how often a row is read are no derivatives: leave "
                         "scale_grad_by_freq out")
    table, index = node.args[:2]
    rows = f.at(table, index)
    padding = args.get("padding_idx", -1)
    if not isinstance(padding, int) or padding < 0:
        return rows
    return f.call("where", f.at(f.compared(index, "==", padding), ..., None), f.call("stop_gradient", rows), rows)


def _filled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """An array of one number."""
    name = called_by(node)
    given = args.get("fill_value", args.get("s", args.get("value")))
    value = 0.0 if "zeros" in name else 1.0 if "ones" in name else given
    return f.call("broadcast", value, _val(node).shape) if _val(node).ndim else f.value(value)


def filled(formula: tree.Expr, axes: int = 0) -> tree.Expr | None:
    """An array of one number without its first axes; None for any other."""
    match formula:
        case tree.Call("broadcast", (tree.Number() | tree.Negative() as number, tree.Tuple(sizes))):
            return tree.Call("broadcast", (number, tree.Tuple(sizes[axes:])), ())
    return None


def _counted(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    start, step = args.get("start", 0), args.get("step", 1)
    found: tree.Expr = f.call("arange", _val(node).shape[0])
    found = found if step == 1 else f.chain(found, "*", step)
    return found if isinstance(start, int) and start == 0 else f.chain(start, "+", found)


def _logical_not(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    _refuse_bits(node)
    return f.compared(node.args[0], "==", 0)


def _both(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    left, right = _truth_values(f, node)
    return f.chain(left, "*", right)


def _either(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    left, right = _truth_values(f, node)
    return f.compared(f.chain(left, "+", right), "!=", 0)


def _one_of_two(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    left, right = (f.compared(a, "!=", 0) for a in _truth_values(f, node))
    return f.compared(left, "!=", right)


def _truth_values(f: Formulas, node: Any) -> list[tree.Expr]:
    """What two arrays are as truth values; any number but 0 is true."""
    _refuse_bits(node)
    return [f.value(a) if _is_truth(a) else f.compared(a, "!=", 0) for a in node.args[:2]]


def _refuse_bits(node: Any) -> None:
    """Integers have bits, which are no truth values."""
    has_bits = "bitwise" in called_by(node) or called_by(node).startswith("__")
    if has_bits and not all(map(_is_truth, node.args[:2])):
        raise ModelError("bits of integers are none here: write it with //, % and comparisons")


def _is_truth(a: Any) -> bool:
    return isinstance(a, bool) or str(getattr(getattr(a, "meta", {}).get("val"), "dtype", "")) == "torch.bool"


def _class_loss(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """A loss of logits, or of their logarithms, whose classes are along axis 1: here they are along the last."""
    name = "cross_entropy" if "cross" in called_by(node) else "nll_loss"
    ndim = _val(node.args[0]).ndim
    values = {k: f.value(_plain(k, v)) for k, v in args.items()}
    if ndim > 2:
        for word in ("self", "target")[: 1 + (_val(node.args[1]).ndim == ndim)]:
            values[word] = f.channels_last(values[word], ndim)
    first, second = values.pop("self"), values.pop("target")
    found = spelled("t", name, (first, second), values)
    return found[0] if found is not None else _reduced(f, f.call(name.removesuffix("_loss"), first, second), values)


def _reduced(f: Formulas, each: tree.Expr, options: Mapping[str, tree.Expr]) -> tree.Expr | None:
    way = options.get("reduction", tree.String("mean"))
    if options.keys() - {"reduction"} or not isinstance(way, tree.String):
        return None
    return each if way.value == "none" else f.call(way.value, each)


# -- layers
def _affine(f: Formulas, found: tree.Expr, weight: Any, bias: Any, behind: int = 0) -> tree.Expr:
    """The standardised array times weight plus bias, where there are such; so many axes stand behind theirs."""
    for sign, array in (("*", weight), ("+", bias)):
        found = found if array is None else f.chain(found, sign, _of_channels(f, array, behind))
    return found


def _of_channels(f: Formulas, array: Any, behind: int) -> tree.Expr:
    """One entry for every channel, as many axes being behind."""
    return f.at(array, ALL, *[None] * behind) if behind > 0 else f.of(array)


def _axis_norm(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """layer_norm and rms_norm over the last axes."""
    size, name = args["normalized_shape"], called_by(node)
    eps = args.get("eps", 1e-5 if name == "layer_norm" else None)
    eps = sys.float_info.epsilon if eps is None else eps
    found = f.call(name, node.args[0], axis=tuple(range(-len(size), 0)) if len(size) > 1 else -1, eps=eps)
    return _affine(f, found, args.get("weight"), args.get("bias"))


def _channel_norm(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Norms whose channels are along axis 1; those of batches give what has been averaged so far as well."""
    name, array = called_by(node), node.args[0]
    middle = [args["num_groups"]] if name == "group_norm" else []
    if not _is_training(name, args):
        name, middle = "running_batch_norm", [args["running_mean"], args["running_var"]]
    name = name if name in ("group_norm", "instance_norm", "running_batch_norm") else "batch_norm"
    behind = _val(array).ndim - 2
    found = f.call(name, array, *middle, eps=args.get("eps", 1e-5), **({"axis": 1} if behind else {}))
    result = _affine(f, found, args.get("weight"), args.get("bias"), behind)
    return tree.Tuple((result,)) if has_several(node) else result


def _attention(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Attention with a mask, which is added to the scores or, of truth values, says what is seen; a causal one counts
    queries and keys from the first."""
    mask, scale, is_causal = args.get("attn_mask"), args.get("scale"), bool(args.get("is_causal"))
    (q, k, v), (queries, keys) = node.args[:3], (_val(a).shape for a in node.args[:2])
    if args.get("dropout_p"):
        raise ModelError("dropout is random: call .eval() on the module, or set it to 0")
    if mask is None and scale is None and (not is_causal or queries[-2] == keys[-2]):
        name = "grouped_attention" if args.get("enable_gqa") else "attention"
        return f.call(name, q, k, v, **({"causal": True} if is_causal else {}))
    if args.get("enable_gqa"):
        k, v = (f.call("repeat", a, f.chain(queries[-3], "/", keys[-3]), axis=-3) for a in (k, v))
    scores = f.chain(q, "@", f.call("swapaxes", k, -1, -2))
    scores = f.chain(scores, *(("/", f.call("sqrt", queries[-1])) if scale is None else ("*", scale)))
    if is_causal:
        ones = f.call("broadcast", 1, (queries[-2], keys[-2]))
        scores = f.call("where", f.compared(f.call("tril", ones), "!=", 0), scores, -math.inf)
    if mask is not None and str(_val(mask).dtype) == "torch.bool":
        scores = f.call("where", mask, scores, -math.inf)
    elif mask is not None:
        scores = f.chain(scores, "+", mask)
    return f.chain(f.call("softmax", scores, axis=-1), "@", v)


def _weight_norm(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Rows of given lengths (Salimans and Kingma 2016)."""
    array, length = node.args[:2]
    axes = [k for k in range(_val(array).ndim) if k != args.get("dim", 0)]
    return f.chain(array, "*", length, "/", f.call("norm", array, axis=axes, keepdims=True))


def _rolled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    found, shifts, dims = f.of(node.args[0]), args["shifts"], args.get("dims", ())
    if not dims:
        return f.call("reshape", f.call("roll", f.call("reshape", found, (-1,)), shifts[0], axis=0), _val(node).shape)
    for shift, dim in zip(shifts, dims, strict=False):
        found = f.call("roll", found, shift, axis=dim)
    return found if len(dims) == len(shifts) else None


def _spread(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """var and std, which divide by n − 1 where nothing else is said, perhaps with the mean."""
    name, array, options = called_by(node), node.args[0], _axes(args)
    ddof = args.get("correction", 1 if args.get("unbiased", True) else 0)
    found = f.call(name.removesuffix("_mean"), array, **options, ddof=1 if ddof is None else ddof)
    return f.value((found, f.call("mean", array, **options))) if name.endswith("_mean") else found


def _scattered(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """One number at all places that are pointed at."""
    if "value" not in args:
        return None
    index = args["index"]
    return f.call("scatter", args["self"], index, f.call("broadcast", args["value"], _val(index).shape),
                  axis=args["dim"])


def _truths(name: str) -> Rule:
    """``any`` and ``all``: the largest or the smallest of truth values."""
    return lambda f, node, args: f.call(name, f.compared(node.args[0], "!=", 0), **_axes(args))


def _windows(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Windows along an axis, what is in them along the last."""
    array, dim, width, stride = node.args
    ndim = _val(array).ndim
    found = f.call("unfold", array, width, axis=dim % ndim, stride=stride)
    inside = dim % ndim + 1
    return f.call("transpose", found, (*(k for k in range(ndim + 1) if k != inside), inside))


def _put_in(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """An array with another one in place of a slice."""
    dim = args.get("dim", 0)
    start, stop, size = args.get("start") or 0, args.get("end"), _val(node).shape[dim]
    if args.get("step", 1) != 1 or not all(isinstance(b, int) for b in (start, size)):
        return None
    stop = size if stop is None or stop > size else stop
    return _between(f, node, node.args[1], dim, start % size if start else 0, stop % size if stop < size else size)


def _between(f: Formulas, node: Any, part: Any, dim: int, start: int, stop: int) -> tree.Expr:
    """The array that a node changes, with a part in place of what is from ``start`` to ``stop`` along an axis."""
    axis, size = dim % _val(node).ndim, _val(node).shape[dim]
    before, behind = (f.along(node.args[0], axis, slice(*ends)) for ends in ((0, start), (stop, size)))
    return f.joined([*[before] * (start > 0), part, *[behind] * (stop < size)], dim)


def _put_on_diagonal(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """A square matrix with another diagonal."""
    array, row = node.args[:2]
    shape = _val(array).shape
    if len(args) > 2 or len(shape) != 2 or shape[0] != shape[1]:
        return None
    return f.call("where", f.compared(f.call("eye", shape[0]), "!=", 0), row, array)


def _padded(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """Borders that repeat what is inside, the last axis first; of numbers other than 0 too."""
    mode, pads, ndim = args.get("mode", "constant"), args["pad"], _val(node).ndim
    found, value = f.of(node.args[0]), args.get("value")
    if mode == "constant" and any(isinstance(p, int) and p < 0 for p in pads):
        return None
    if mode == "constant":
        wide = _among_zeros(f, node, found, pads)
        if not value:
            return wide
        ones = f.call("broadcast", 1, _val(node.args[0]).shape)
        return f.call("where", f.compared(_among_zeros(f, node, ones, pads), "!=", 0), wide, value)
    for k, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        axis = ndim - 1 - k
        parts = (_border(f, mode, found, axis, before, True), found, _border(f, mode, found, axis, after, False))
        found = f.call("concat", *[p for p in parts if p is not None], axis=axis)
    return found


def _among_zeros(f: Formulas, node: Any, found: tree.Expr, pads: Any) -> tree.Expr:
    """An array with so many zeros before and behind each of its last axes, the last one first."""
    for k, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        axis = _val(node).ndim - 1 - k
        if before != 0 or after != 0:
            wide = _sum(f.value(before), f.value(_val(node.args[0]).shape[axis]), f.value(after))
            found = f.call("pad", found, axis, before, wide)
    return found


def _sum(first: tree.Expr, *others: tree.Expr) -> tree.Expr:
    numbers = [n.value for n in (first, *others) if isinstance(n, tree.Number)]
    if len(numbers) == 1 + len(others):
        return tree.Number(sum(numbers))
    return tree.Chain(first, tuple(("+", other) for other in others))


def _border(f: Formulas, mode: str, array: tree.Expr, axis: int, width: int, first: bool) -> tree.Expr | None:
    """So many entries before or behind an axis."""
    if not width:
        return None
    if mode == "circular":
        return f.along(array, axis, slice(-width, None) if first else slice(None, width))
    if mode == "replicate":
        return f.call("repeat", f.along(array, axis, slice(None, 1) if first else slice(-1, None)), width, axis=axis)
    return f.along(array, axis, slice(width, 0, -1) if first else slice(-2, -width - 2, -1))


def _with_windows_places(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Pooling that says where the largest was, too."""
    return tree.Tuple((f.called(node, called_by(node).removesuffix("_with_indices"), args),))


def _sampled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    mode = ("linear", "nearest", "cubic")[args["interpolation_mode"]]
    padding = ("zeros", "border", "reflection")[args["padding_mode"]]
    (array, grid), ndim = node.args[:2], _val(node).ndim
    found = f.call("grid_sample", f.channels_last(array, ndim), grid, mode=mode, padding=padding,
                   align_corners=bool(args.get("align_corners")))
    return f.channels_first(found, ndim)


def _of_two(name: str) -> Rule:
    """``torch.max`` of two arrays; of one it is another function."""
    return lambda f, node, args: f.call(name, *args.values()) if "other" in args else _with_places(f, node, args)


def _triangle(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """A triangle of an array that is infinite everywhere."""
    array = node.args[0]
    if not called_by(array).startswith(("full", "new_full")) or array.args[1] not in (math.inf, -math.inf):
        return None
    seen = f.call(called_by(node), f.call("broadcast", 1, _val(node).shape), args.get("diagonal", 0))
    return f.call("where", f.compared(seen, "!=", 0), array.args[1], 0)


def _bag(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Bags of equal sizes: offsets that count by the size of a bag."""
    offsets, table, shares = args["offsets"], args["weight"], args.get("per_sample_weights")
    step = {1: 1, 2: 1, 3: offsets.args[-1]}.get(len(offsets.args)) if called_by(offsets) == "arange" else None
    if not isinstance(step, int):
        raise ModelError("bags of unequal sizes cannot be read: give the indices as an array of two axes")
    if args.get("scale_grad_by_freq") or args.get("padding_idx") not in (None, -1):
        raise ModelError("a bag with padding_idx, or scale_grad_by_freq, cannot be read: take rows of the table")
    index = f.call("reshape", args["indices"], (-1, step))
    if shares is not None:
        rows = f.chain(f.call("reshape", shares, (-1, step, 1)), "*", f.at(table, index))
        return tree.Tuple((f.call("sum", rows, axis=1),))
    return tree.Tuple((f.call("embedding_bag", table, index, mode=("sum", "mean", "max")[args.get("mode", 0)]),))


def _spatial(value: Any, rank: int) -> Any:
    """A number for each of so many axes, or one for all."""
    values = [*value] if isinstance(value, (list, tuple)) else [value]
    return values[0] if len({*values}) == 1 else tuple(values * (rank if len(values) == 1 else 1))


def _options(args: Mapping[str, Any], rank: int, names: str) -> dict[str, Any]:
    """Those options of a layer over windows that are not as usual."""
    return {word: _spatial(args[word], rank) for word in names.split() if word in args}


def _convolved(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """Convolutions that PyTorch's functions in model text leave out: of volumes, of a single image, transposed ones in
    groups. Channels are along the last axis here."""
    weight, size, is_transposed = args["weight"], _val(args["input"]), "transpose" in called_by(node)
    rank = _val(weight).ndim - 2
    is_one, groups = size.ndim == rank + 1, args.get("groups", 1)
    if rank < 3 and not is_one and not (is_transposed and groups > 1):
        return None
    x = f.channels_last(f.at(args["input"], None) if is_one else args["input"], rank + 2)
    kernel = f.call("transpose", weight, (*range(2, rank + 2), 1, 0))
    options = _options(args, rank, "stride padding output_padding dilation")
    function = f"conv_transpose{rank}d" if is_transposed else f"conv{rank}d"
    if is_transposed and groups > 1:
        ends = [times(f.value(size.shape[-rank - 1] // groups), k) for k in range(groups + 1)]
        parts = [[f.at(a, ..., slice(*pair)) for a in (x, kernel)] for pair in pairwise(ends)]
        found: tree.Expr = f.call("concat", *[f.call(function, *pair, **options) for pair in parts], axis=-1)
    else:
        options |= ({"groups": groups} if groups > 1 else {}) | ({"layout": "NHWC"} if function == "conv2d" else {})
        found = f.call(function, x, kernel, **options)
    found = f.channels_first(_affine(f, found, None, args.get("bias")), rank + 2)
    return f.at(found, 0) if is_one else found


def times(size: tree.Expr, k: int) -> tree.Expr:
    """So many times a size."""
    return tree.Number(size.value * k) if isinstance(size, tree.Number) else tree.Chain(whole(k), (("*", size),))


def _pooled(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """Pooling of volumes, or with what PyTorch's functions in model text leave out."""
    name, array = called_by(node).removesuffix("_with_indices"), node.args[0]
    rank, ndim = int(name[-2]), _val(array).ndim
    names = {"ceil_mode": "ceil", "count_include_pad": "count_padding", "divisor_override": "divisor"}
    if ndim != rank + 2 or not (rank == 3 or args.keys() & {"dilation", "divisor_override"}):
        return _with_windows_places(f, node, args) if has_several(node) else None
    options = _options(args, rank, "stride padding dilation")
    options |= {ours: args[word] for word, ours in names.items() if word in args}
    size = _spatial(args["kernel_size"], rank)
    moved = f.channels_first(f.call(name, f.channels_last(array, ndim), size, **options), ndim)
    return tree.Tuple((moved,)) if has_several(node) else moved


def _copied(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """What is written over an array, as large as that."""
    source, shape = args["src"], _val(node).shape
    return f.of(source) if _val(source).shape == shape else f.call("broadcast", source, shape)


def _put_in_place(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """An array with another one in place of one entry along an axis."""
    dim = args["dim"] % _val(node).ndim
    size = _val(node).shape[dim]
    if not isinstance(size, int):
        return None
    index = args["index"] % size
    return _between(f, node, f.along(args["src"], dim, None), dim, index, index + 1)


def _ranked(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """The k-th of an axis in order, and of ``median`` the lower one in the middle."""
    if not has_several(node):
        return None
    array, dim = node.args[0], args.get("dim", -1)
    k = args["k"] - 1 if "k" in args else (_val(array).shape[dim] - 1) // 2
    order = f.along(f.call("argsort", array, axis=dim), dim % _val(array).ndim, slice(k, k + 1))
    found = (f.call("take_along_axis", array, order, axis=dim), order)
    return f.value(found if args.get("keepdim") else [f.call("reshape", x, _val(node)[0].shape) for x in found])


def _signed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    positive = f.call("abs", node.args[0])
    return f.call("where", f.compared(node.args[1], "<", 0), tree.Negative(positive), positive)


def _slope_between(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """rrelu out of training: its slope is in the middle."""
    if args.get("training"):
        raise ModelError(_instead("rrelu"))
    return f.call("leaky_relu", node.args[0], (args.get("lower", 1 / 8) + args.get("upper", 1 / 3)) / 2)


def _bilinear(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    found = f.call("einsum", "...i,kij,...j->...k", args["input1"], args["weight"], args["input2"])
    return _affine(f, found, None, args.get("bias"))


def _running(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """What has been the largest, or smallest, so far; where it was is not told."""
    sign = tree.Negative if called_by(node) == "cummin" else lambda x: x
    return f.value((sign(f.call("cummax", sign(f.of(node.args[0])), axis=args["dim"])),))


def _renormed(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    raise NoSuchOperator("max_norm changes the table while it is read: scale its rows in forward, "
                         "E / maximum(1, norm(E) / max_norm)")


def _ctc(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """CTC of every sequence of a batch."""
    options = {name: args[name] for name in ("blank", "input_lengths", "target_lengths", "zero_infinity")}
    return f.call("ctc", args["log_probs"], args["targets"], **options)


def _resized(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr:
    """Images of another size."""
    name, array, ndim = called_by(node), node.args[0], _val(node).ndim
    mode = "nearest-exact" if "exact" in name else next(m for m in ("nearest", "linear", "cubic") if m in name)
    scales = [s for word, s in args.items() if word.startswith("scale") and s is not None]
    each = scales[0] if scales and isinstance(scales[0], (list, tuple)) else scales
    before, after = (_val(n).shape[2:] for n in (array, node))
    more: list[Any] = [bool(args.get("align_corners"))]
    if not each and "_aa" in name:
        more.append([f.chain(a, "/", b) for a, b in zip(after, before, strict=True)])
    more += [each] if each else []
    more += [True] if "_aa" in name else []
    return f.channels_first(f.call("interpolate", f.channels_last(array, ndim), after, mode, *more), ndim)


def _with_places(f: Formulas, node: Any, args: dict[str, Any]) -> tree.Expr | None:
    """What comes with its indices: the largest along an axis, sorted entries."""
    name, array, dim = called_by(node), f.of(node.args[0]), args.get("dim", -1)
    if not has_several(node):
        return None
    if name in ("max", "min"):
        options = {"axis": dim, "keepdims": bool(args.get("keepdim", False))}
        return f.value([f.call(word, array, **options) for word in (name, "arg" + name)])
    falling = args.get("largest", True) if name == "topk" else args.get("descending", False)
    order: tree.Expr = f.call("argsort", tree.Negative(array) if falling else array, axis=dim)
    if name == "topk":
        order = f.along(order, dim % _val(node.args[0]).ndim, slice(args["k"]))
    return f.value((f.call("take_along_axis", array, order, axis=dim), order))


def _sign(sign: str) -> Rule:
    return lambda f, node, args: f.binary(node, args, sign)


def _compared(sign: str) -> Rule:
    return lambda f, node, args: f.compared(node.args[0], sign, node.args[1])


def _all(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **dict.fromkeys(SAME_NUMBERS, lambda f, node, args: f.of(node.args[0])),
    **dict.fromkeys(RESHAPED, lambda f, node, args: f.call("reshape", node.args[0], _val(node).shape)),
    **dict.fromkeys(BROADCAST, lambda f, node, args: f.call("broadcast", node.args[0], _val(node).shape)),
    **dict.fromkeys(CASTS, _cast), **{name: _sign(sign) for name, sign in SIGNS.items()},
    **{name: _compared(sign) for name, sign in COMPARED.items()},
    "neg": lambda f, node, args: tree.Negative(f.of(node.args[0])),
    "pow": lambda f, node, args: tree.Power(f.value(node.args[0]), f.value(node.args[1])),
    "floor_divide": lambda f, node, args: f.call("floor_divide", *node.args),
    "isnan": lambda f, node, args: f.compared(node.args[0], "!=", node.args[0]),
    "log_sigmoid": lambda f, node, args: tree.Negative(f.call("softplus", tree.Negative(f.of(node.args[0])))),
    "prelu": lambda f, node, args: f.call(
        "prelu", node.args[0], _of_channels(f, node.args[1], _val(node.args[0]).ndim - 2)),
    "repeat": lambda f, node, args: f.call("tile", node.args[0], *args["repeats"]),
    "einsum": lambda f, node, args: f.call("einsum", args["equation"], *args["tensors"]),
    "pixel_shuffle": lambda f, node, args: f.channels_first(
        f.call("pixel_shuffle", f.channels_last(node.args[0], 4), args["upscale_factor"]), 4),
    **_all("t numpy_T", lambda f, node, args: tree.Transpose(f.of(node.args[0]))),
    **_all("detach detach_", lambda f, node, args: f.call("stop_gradient", node.args[0])),
    **_all("zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full scalar_tensor fill", _filled),
    **_all("cross_entropy_loss nll_loss_nd nll_loss nll_loss2d", _class_loss),
    **_all("group_norm batch_norm instance_norm native_batch_norm cudnn_batch_norm _native_batch_norm_legit "
           "_native_batch_norm_legit_functional _native_batch_norm_legit_no_training", _channel_norm),
    **_all("topk sort", _with_places), "max": _of_two("maximum"), "min": _of_two("minimum"),
    **_all("triu tril", _triangle), "roll": _rolled, "_weight_norm": _weight_norm,
    **_all("layer_norm rms_norm", _axis_norm),
    **_all("upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d "
           "upsample_trilinear3d upsample_bicubic2d _upsample_nearest_exact1d _upsample_nearest_exact2d", _resized),
    **_all("unsafe_split split split_with_sizes chunk", _split), **_all("logical_and bitwise_and __and__", _both),
    **_all("dropout native_dropout feature_dropout alpha_dropout feature_alpha_dropout", _dropout),
    **_all("logical_not bitwise_not", _logical_not), "gaussian_nll": _gaussian_nll,
    **_all("var std var_mean std_mean", _spread), **_all("__or__ logical_or bitwise_or", _either),
    **_all("adaptive_max_pool2d adaptive_max_pool1d", _with_windows_places),
    **_all("max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d "
           "avg_pool3d", _pooled),
    **_all("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d", _convolved),
    **_all("kthvalue median nanmedian", _ranked), "copy": _copied, "select_scatter": _put_in_place,
    "copysign": _signed, "rrelu": _slope_between, "bilinear": _bilinear, "ctc": _ctc,
    **_all("logical_xor bitwise_xor __xor__", _one_of_two), **_all("cummax cummin", _running),
    **_all("embedding_renorm embedding_renorm_", _renormed),
    "any": _truths("max"), "all": _truths("min"), "grid_sampler": _sampled,
    "unfold": _windows, "slice_scatter": _put_in, "diagonal_scatter": _put_on_diagonal, "pad": _padded,
    "scatter": _scattered, "broadcast_tensors": _all_broadcast, "unsqueeze": _unsqueezed, "select": _selected,
    "slice": _sliced, "index": _indexed, "unbind": _unbound, "embedding": _embedded,
    "scaled_dot_product_attention": _attention, "embedding_bag": _bag, "arange": _counted,
}
