# mypy: disable-error-code="no-any-return"
"""ONNX's operators as compositions of functions: of who reads them, the inputs (None: left out), and the attributes.

Whoever reads has ``value(row)``, the numbers of an input that has to be known, ``has(row)``, whether they are,
``given(array)`` and ``leaf(array, wanted)``, a row for numbers that are worked out here, ``fresh(word)``, a name that
nothing has, ``called(word, row)``, a row under such a name, the ``model``, and ``outputs``, how many results the node
has. Inputs of an operator that are read as numbers alone are those of `NUMBERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core import build, functions
from symbackprop.core.functions.windows import bordered, far, near
from symbackprop.core.graph import Node
from symbackprop.core.loops import scan
from symbackprop.core.numpy_calls import TABLE as NP
from symbackprop.errors import ModelError

F: Any = functions  # whose functions are registered, not declared
Array = Any
Composition = Callable[..., Any]
OPERATORS: dict[str, Composition] = {}


def op(*names: str) -> Callable[[Composition], Composition]:
    def put(call: Composition) -> Composition:
        OPERATORS.update(dict.fromkeys(names, call))
        return call

    return put


NUMBERS = {  # the places of inputs that say how large something is, or where
    "Reshape": (1,), "Expand": (1,), "Slice": (1, 2, 3, 4), "Squeeze": (1,), "Unsqueeze": (1,), "Tile": (1,),
    "Pad": (1, 2, 3), "Split": (1,), "TopK": (1,), "Trilu": (1,), "CumSum": (1,), "CumProd": (1,), "Resize": (1, 2, 3),
    "CenterCropPad": (1,), "Col2Im": (1, 2), "Dropout": (1, 2), "Compress": (1,), "GatherND": (1,), "ScatterND": (1,),
    "Scatter": (1,), "ScatterElements": (1,), "TensorScatter": (2,), "MaxUnpool": (1, 2), "OneHot": (1, 2),
    "Range": (0, 1, 2), "ConstantOfShape": (0,), "LSTM": (4,), "GRU": (4,), "RNN": (4,),
    **{f"Reduce{word}": (1,) for word in ("Sum", "Mean", "Max", "Min", "Prod", "LogSumExp", "L1", "L2", "SumSquare",
                                          "LogSum")},
}


def ints(s: Any, row: Any) -> list[Any]:
    """The whole numbers of an input; sizes may be symbolic."""
    found = np.atleast_1d(s.value(row))
    return [int(v) if isinstance(v, (int, float, np.number)) or v.is_Integer else v for v in found]


def maybe(xs: Any, place: int) -> Any:
    """An input that may be left out; None where it is."""
    return xs[place] if len(xs) > place else None


def number(s: Any, row: Any) -> float:
    """The one number of an input."""
    return float(np.asarray(s.value(row)).reshape(()))


# -- of every entry
def shrunk(x: Node, limit: float, bias: float) -> Node:
    return F.where(x < -limit, x + bias, F.where(x > limit, x - bias, 0))


SAME = {name: name.lower() for name in (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "Log", "Sin", "Sinh", "Sqrt",
    "Tan", "Tanh", "Sigmoid", "Softplus", "Mish", "Relu", "Det")}
for _name, _own in SAME.items():
    OPERATORS[_name] = lambda s, xs, a, _own=_own: F.FUNCTIONS[_own](xs[0])
OPERATORS |= {
    "Identity": lambda s, xs, a: xs[0],
    "Neg": lambda s, xs, a: -xs[0],
    "Reciprocal": lambda s, xs, a: 1 / xs[0],
    "Add": lambda s, xs, a: xs[0] + xs[1],
    "Sub": lambda s, xs, a: xs[0] - xs[1],
    "Mul": lambda s, xs, a: xs[0] * xs[1],
    "Div": lambda s, xs, a: xs[0] / xs[1],
    "Pow": lambda s, xs, a: xs[0] ** xs[1],
    "MatMul": lambda s, xs, a: xs[0] @ xs[1],
    "Where": lambda s, xs, a: F.where(xs[0], xs[1], xs[2]),
    "Celu": lambda s, xs, a: F.elu(xs[0] / a.get("alpha", 1.0)) * a.get("alpha", 1.0),
    "Elu": lambda s, xs, a: F.elu(xs[0], a.get("alpha", 1.0)),
    "Selu": lambda s, xs, a: a.get("gamma", 1.0507010221481323) * F.elu(xs[0], a.get("alpha", 1.6732631921768188)),
    "Gelu": lambda s, xs, a: F.gelu_tanh(xs[0]) if a.get("approximate") == "tanh" else F.gelu(xs[0]),
    "HardSigmoid": lambda s, xs, a: F.clip(a.get("alpha", 0.2) * xs[0] + a.get("beta", 0.5), 0, 1),
    "HardSwish": lambda s, xs, a: xs[0] * F.clip(xs[0] / 6 + sp.Rational(1, 2), 0, 1),
    "LeakyRelu": lambda s, xs, a: F.leaky_relu(xs[0], a.get("alpha", 0.01)),
    "PRelu": lambda s, xs, a: F.prelu(xs[0], xs[1]),
    "Shrink": lambda s, xs, a: shrunk(xs[0], a.get("lambd", 0.5), a.get("bias", 0.0)),
    "Softsign": lambda s, xs, a: xs[0] / (1 + F.abs(xs[0])),
    "Swish": lambda s, xs, a: F.swish(xs[0], a.get("alpha", 1.0)),
    "SwiGLU": lambda s, xs, a: F.swish(xs[0], a.get("alpha", 1.0)) * xs[1],
    "ThresholdedRelu": lambda s, xs, a: F.where(xs[0] > a.get("alpha", 1.0), xs[0], 0),
}


RELATIONS = {"Equal": F.equal, "Greater": F.greater, "GreaterOrEqual": F.greater_equal, "Less": F.less,
             "LessOrEqual": F.less_equal}
OPERATORS |= {name: lambda s, xs, a, _call=call: _call(xs[0], xs[1]) for name, call in RELATIONS.items()}
OPERATORS |= {name: lambda s, xs, a, _call=call: _call(xs[0]) for name, call in {
    "Sign": F.sign, "Floor": F.floor, "Ceil": F.ceil, "Round": F.round}.items()}
OPERATORS |= {
    "Not": lambda s, xs, a: F.equal(xs[0], 0),
    "And": lambda s, xs, a: xs[0] * xs[1],
    "Or": lambda s, xs, a: F.not_equal(xs[0] + xs[1], 0),
    "Xor": lambda s, xs, a: F.not_equal(xs[0], xs[1]),
}


def folded(call: Any, finish: Any = lambda y, n: y) -> Composition:
    def composed(s: Any, xs: Any, a: Any) -> Node:
        return finish(reduce(call, xs), len(xs))

    return composed


OPERATORS |= {"Max": folded(F.maximum), "Min": folded(F.minimum), "Sum": folded(lambda x, y: x + y),
              "Mean": folded(lambda x, y: x + y, lambda y, n: y / n)}


@op("Clip")
def clip(s: Any, xs: Any, a: Any) -> Node:
    low, high = maybe(xs, 1), maybe(xs, 2)
    return xs[0] if low is None and high is None else F.clip(xs[0], low, high)


@op("Mod")
def mod(s: Any, xs: Any, a: Any) -> Node:
    x, y = xs
    return x - F.stop_gradient(F.trunc(x / y)) * y if a.get("fmod") else F.remainder(x, y)


INTEGERS, TRUTHS = (2, 3, 4, 5, 6, 7, 12, 13), 9  # types of ONNX


@op("Cast")
def cast(s: Any, xs: Any, a: Any) -> Node:
    """Numbers of another type: of truth values whether they are 0, of integers what is before the point."""
    x, to = xs[0], a["to"]
    if to == TRUTHS:
        return F.not_equal(x, 0)
    return F.trunc(x) if to in INTEGERS and x.kind == "float" else x


@op("CastLike")
def cast_like(s: Any, xs: Any, a: Any) -> Node:
    if xs[0].kind == "float" and xs[1].kind != "float":
        raise ModelError("write Cast, which says which type is meant")
    return xs[0]


@op("Dropout")
def dropout(s: Any, xs: Any, a: Any) -> Any:
    training = len(xs) > 2 and bool(np.any(s.value(xs[2])))
    ratio = 0.5 if maybe(xs, 1) is None else number(s, xs[1])
    if training and ratio:
        raise ModelError("it is random: export the network for evaluation, or give the mask as an input")
    return (xs[0], xs[0].graph.full(1, xs[0].shape)) if s.outputs > 1 else xs[0]


# -- reductions
def reduction(call: Any) -> Composition:
    def composed(s: Any, xs: Any, a: Any) -> Node:
        x = xs[0]
        axes = a.get("axes") if maybe(xs, 1) is None else ints(s, xs[1])
        if not axes and a.get("noop_with_empty_axes"):
            return x if call is F.sum else call(build.expand(x, x.ndim), x.ndim, False)
        if call in (F.max, F.min) and 0 in shape(x):
            raise ModelError("the largest of no entries, which NumPy refuses")
        return call(x, tuple(axes) if axes else None, bool(a.get("keepdims", 1)))

    return composed


OPERATORS |= {f"Reduce{name}": reduction(call) for name, call in {
    "Sum": F.sum, "Mean": F.mean, "Max": F.max, "Min": F.min, "Prod": F.prod, "LogSumExp": F.logsumexp, "L2": F.norm,
    "L1": lambda x, axis, keep: F.sum(F.abs(x), axis, keep),
    "SumSquare": lambda x, axis, keep: F.sum(x**2, axis, keep),
    "LogSum": lambda x, axis, keep: F.log(F.sum(x, axis, keep)),
}.items()}


def normal(call: Any, default: int = -1) -> Composition:
    return lambda s, xs, a: call(xs[0], a.get("axis", default))


OPERATORS |= {"Softmax": normal(F.softmax), "LogSoftmax": normal(F.log_softmax)}


@op("Hardmax")
def hardmax(s: Any, xs: Any, a: Any) -> Node:
    axis = a.get("axis", -1) % xs[0].ndim
    hot = F.one_hot(F.argmax(xs[0], axis), shape(xs[0])[axis])
    return NP["moveaxis"](hot, -1, axis) * 1


def scanned(call: Any, first: int) -> Composition:
    def composed(s: Any, xs: Any, a: Any) -> Node:
        x, axis = xs[0], ints(s, xs[1])[0] % xs[0].ndim
        x = F.flip(x, axis) if a.get("reverse") else x
        y = call(x, axis)
        if a.get("exclusive"):
            n = shape(x)[axis]
            edge = x.graph.full(first, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
            y = F.concat(edge, build.slice_axis(y, axis, 0, n - 1), axis=axis)
        return F.flip(y, axis) if a.get("reverse") else y

    return composed


OPERATORS |= {"CumSum": scanned(F.cumsum, 0), "CumProd": scanned(F.cumprod, 1)}


@op("TopK")
def topk(s: Any, xs: Any, a: Any) -> Any:
    k, axis, falling = ints(s, xs[1])[0], a.get("axis", -1), a.get("largest", 1)
    found = F.topk(xs[0], k, axis) if falling else -F.topk(-xs[0], k, axis)
    order = F.argsort(-xs[0] if falling else xs[0], axis)
    return (found, build.slice_axis(order, axis % xs[0].ndim, 0, k)) if s.outputs > 1 else found


# -- arranging
OPERATORS |= {
    "Concat": lambda s, xs, a: F.concat(*xs, axis=a["axis"]),
    "Squeeze": lambda s, xs, a: F.squeeze(xs[0], ints(s, xs[1]) if len(xs) > 1 else None),
    "Unsqueeze": lambda s, xs, a: NP["expand_dims"](xs[0], ints(s, xs[1])),
    "Transpose": lambda s, xs, a: F.transpose(xs[0], a.get("perm")),
    "Tile": lambda s, xs, a: F.tile(xs[0], ints(s, xs[1])),
    "Trilu": lambda s, xs, a: (F.triu if a.get("upper", 1) else F.tril)(
        xs[0], 0 if maybe(xs, 1) is None else ints(s, xs[1])[0]),
    "Einsum": lambda s, xs, a: F.einsum(a["equation"], *xs),
}


@op("Expand")
def expand(s: Any, xs: Any, a: Any) -> Node:
    own, wanted = list(shape(xs[0])), ints(s, xs[1])
    rank = max(len(own), len(wanted))
    pairs = zip([1] * (rank - len(own)) + own, [1] * (rank - len(wanted)) + wanted, strict=True)
    return F.broadcast(xs[0], tuple(b if a_ == 1 else a_ for a_, b in pairs))


@op("Flatten")
def flatten(s: Any, xs: Any, a: Any) -> Node:
    axis, own = a.get("axis", 1), shape(xs[0])
    axis = axis + len(own) if axis < 0 else axis
    return build.reshape(xs[0], (math.prod(own[:axis]), math.prod(own[axis:])))


@op("Reshape")
def reshape(s: Any, xs: Any, a: Any) -> Node:
    wanted, own = ints(s, xs[1]), shape(xs[0])
    if not a.get("allowzero"):
        wanted = [own[k] if n == 0 else n for k, n in enumerate(wanted)]
    return build.reshape(xs[0], wanted)


@op("Split")
def split(s: Any, xs: Any, a: Any) -> Any:
    axis, n = a.get("axis", 0), shape(xs[0])[a.get("axis", 0)]
    if len(xs) > 1:
        sizes = ints(s, xs[1])
    else:
        count = a.get("num_outputs", s.outputs)
        width = -(-n // count)
        sizes = [min(width, n - k * width) for k in range(count)]
    ends = np.cumsum(sizes).tolist()
    return [build.slice_axis(xs[0], axis, e - w, w) for e, w in zip(ends, sizes, strict=True)]


@op("Slice")
def slice_(s: Any, xs: Any, a: Any) -> Node:
    starts, ends = ints(s, xs[1]), ints(s, xs[2])
    axes = range(len(starts)) if maybe(xs, 3) is None else ints(s, xs[3])
    steps = ints(s, xs[4]) if len(xs) > 4 else [1] * len(starts)
    x = xs[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        first, last, _ = slice(start, end if end > -(2**31) else None, step).indices(shape(x)[axis])
        x = build.slice_axis(x, axis, first, len(range(first, last, step)), step)
    return x


@op("Pad")
def pad(s: Any, xs: Any, a: Any) -> Node:
    x, pads = xs[0], ints(s, xs[1])
    value = 0.0 if maybe(xs, 2) is None else number(s, xs[2])
    axes = [*range(x.ndim)] if maybe(xs, 3) is None else [k % x.ndim for k in ints(s, xs[3])]
    edges = {k: (pads[i], pads[i + len(axes)]) for i, k in enumerate(axes)}
    mode = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}[
        a.get("mode", "constant")]
    flat = [e for k in reversed(range(x.ndim)) for e in edges.get(k, (0, 0))]
    return padded(s, x, flat, mode, value)


@op("CenterCropPad")
def center_crop_pad(s: Any, xs: Any, a: Any) -> Node:
    x = xs[0]
    for axis, n in zip(a.get("axes", range(x.ndim)), ints(s, xs[1]), strict=True):
        have = shape(x)[axis]
        x = build.slice_axis(x, axis, max(have - n, 0) // 2, min(n, have))
        x = build.pad_axis(x, axis, max(n - have, 0) // 2, n)
    return x


@op("DepthToSpace")
def depth_to_space(s: Any, xs: Any, a: Any) -> Node:
    (n, c, h, w), b = shape(xs[0]), a["blocksize"]
    if a.get("mode", "DCR") == "DCR":
        parts = F.transpose(build.reshape(xs[0], (n, b, b, c // b**2, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        parts = F.transpose(build.reshape(xs[0], (n, c // b**2, b, b, h, w)), (0, 1, 4, 2, 5, 3))
    return build.reshape(parts, (n, c // b**2, h * b, w * b))


@op("SpaceToDepth")
def space_to_depth(s: Any, xs: Any, a: Any) -> Node:
    (n, c, h, w), b = shape(xs[0]), a["blocksize"]
    parts = build.reshape(xs[0], (n, c, h // b, b, w // b, b))
    order = (0, 1, 3, 5, 2, 4) if a.get("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    return build.reshape(F.transpose(parts, order), (n, c * b * b, h // b, w // b))


@op("Range")
def range_(s: Any, xs: Any, a: Any) -> Node:
    start, stop, step = (ints(s, x)[0] for x in xs)
    found = s.model.constant("arange", stop - start if step == 1 else (stop - start) / step)
    return start + step * found if start or step != 1 else found


@op("ConstantOfShape")
def constant_of_shape(s: Any, xs: Any, a: Any) -> Node:
    value = a.get("value", np.zeros(1))
    return s.model.graph.full(float(np.asarray(value).reshape(())), ints(s, xs[0]))


@op("OneHot")
def one_hot(s: Any, xs: Any, a: Any) -> Node:
    depth, (low, high), axis = ints(s, xs[1])[0], np.asarray(s.value(xs[2]), float), a.get("axis", -1)
    hot = F.one_hot(xs[0], depth)
    hot = NP["moveaxis"](hot, -1, axis % (xs[0].ndim + 1)) if axis != -1 else hot
    return hot * (high - low) + low if (low, high) != (0, 1) else hot * 1


def places_of(call: Any) -> Composition:
    def composed(s: Any, xs: Any, a: Any) -> Node:
        if a.get("select_last_index"):
            raise ModelError("of equal entries the first is taken here: leave select_last_index out")
        return call(xs[0], a.get("axis", 0), keepdims=bool(a.get("keepdims", 1)))

    return composed


OPERATORS |= {"ArgMax": places_of(F.argmax), "ArgMin": places_of(F.argmin)}


# -- places
@op("Gather")
def gather(s: Any, xs: Any, a: Any) -> Node:
    axis, index = a.get("axis", 0), xs[1]
    if not s.has(index):
        return F.take(xs[0], index, axis)
    n, places = shape(xs[0])[axis], s.value(index).astype(int)
    if not places.ndim:
        there = (*[slice(None)] * (axis % xs[0].ndim), int(places))
        return xs[0][there]
    return F.take(xs[0], s.given(places % n if isinstance(n, int) else places), axis)


@op("GatherElements")
def gather_elements(s: Any, xs: Any, a: Any) -> Node:
    axis = a.get("axis", 0) % xs[0].ndim
    if not s.has(xs[1]):
        return F.take_along_axis(xs[0], xs[1], axis)
    index = s.value(xs[1]).astype(int) % sizes(xs[0])[axis]
    return at_places(s, xs[0], along_places(s, xs[0], axis, s.given(index)))


@op("GatherND")
def gather_nd(s: Any, xs: Any, a: Any) -> Node:
    x, index, batch = xs[0], s.value(xs[1]).astype(int), a.get("batch_dims", 0)
    count, own = index.shape[-1], shape(x)
    if not batch and count and all(isinstance(n, int) for n in own[:count]):  # rows, the other axes of any size
        rows = build.reshape(x, (int(np.prod(own[:count])), *own[count:]))
        along = [index[..., k] % n for k, n in enumerate(own[:count])]
        there = np.ravel_multi_index(tuple(along), own[:count])
        return F.take(rows, s.given(there), 0)
    places = numbered(x)
    lead = np.indices(index.shape[:batch] + (1,) * (index.ndim - 1 - batch))[:batch]
    there = (*lead, *np.moveaxis(index, -1, 0))
    return at_places(s, x, places[there])


def written(s: Any, x: Node, places: Any, updates: Node, a: Any) -> Node:
    """x with updates at places, in place of what is there or reduced with it."""
    how = {"add": "sum", "mul": "prod"}.get(a.get("reduction", "none"), a.get("reduction", "none"))
    return put_places(s, x, places, updates) if how == "none" else collected(s, x, places, updates, how, True)


@op("Scatter", "ScatterElements")
def scatter_elements(s: Any, xs: Any, a: Any) -> Node:
    x, index, updates = xs
    axis = a.get("axis", 0) % x.ndim
    places = along_places(s, x, axis, s.given(s.value(index).astype(int) % shape(x)[axis]))
    return written(s, x, places, updates, a)


@op("ScatterND")
def scatter_nd(s: Any, xs: Any, a: Any) -> Node:
    x, index, updates = xs
    return written(s, x, numbered(x)[tuple(np.moveaxis(s.value(index).astype(int), -1, 0))], updates, a)


@op("TensorScatter")
def tensor_scatter(s: Any, xs: Any, a: Any) -> Node:
    x, update = xs[:2]
    axis, n = a.get("axis", -2) % x.ndim, shape(update)[a.get("axis", -2)]
    starts = [0] * shape(x)[0] if maybe(xs, 2) is None else ints(s, xs[2])
    grid = list(np.indices(shape(update)))
    grid[axis] = grid[axis] + np.array(starts)[grid[0]]
    if a.get("mode") == "circular":
        grid[axis] = grid[axis] % shape(x)[axis]
    assert n <= shape(x)[axis]
    return put_places(s, x, numbered(x)[tuple(grid)], update)


@op("Compress")
def compress(s: Any, xs: Any, a: Any) -> Node:
    chosen = np.nonzero(s.value(xs[1]))[0]
    x, axis = (build.reshape(xs[0], (-1,)), 0) if "axis" not in a else (xs[0], a["axis"])
    return F.take(x, s.given(chosen), axis)


# -- windows: N×C×…
def channels_last(x: Node) -> Node:
    return NP["moveaxis"](x, 1, -1)


def channels_first(x: Node) -> Node:
    return NP["moveaxis"](x, -1, 1)


def edges_of(a: Any, own: Any, kernel: Any, ceil: bool = False) -> list[tuple[int, int, int, int, int]]:
    """For each axis: before, behind, stride, dilation, how many windows."""
    rank, found = len(kernel), []
    strides, apart = a.get("strides", [1] * rank), a.get("dilations", [1] * rank)
    pads, auto = a.get("pads", [0] * 2 * rank), a.get("auto_pad", "NOTSET")
    for k in range(rank):
        wide = (kernel[k] - 1) * apart[k] + 1
        before, behind = pads[k], pads[k + rank]
        if auto.startswith("SAME"):
            count = -(-own[k] // strides[k])
            total = max((count - 1) * strides[k] + wide - own[k], 0)
            small = total // 2
            before, behind = (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
        elif auto == "VALID":
            before = behind = 0
        room = own[k] + before + behind - wide
        count = (-(-room // strides[k]) if ceil else room // strides[k]) + 1
        if ceil and (count - 1) * strides[k] >= own[k] + before:
            count -= 1
        found.append((before, behind, strides[k], apart[k], count))
    return found


def windows(x: Node, kernel: Any, edges: Any, fill: Any) -> Node:
    """N×C×(windows, places in one)×… of a padded array."""
    for k, (before, behind, stride, apart, count) in enumerate(edges):
        axis = 2 + 2 * k
        wide = (kernel[k] - 1) * apart + 1
        behind = max(behind, (count - 1) * stride + wide - shape(x)[axis] - before)
        x = F.unfold(bordered(x, axis, before, behind, fill), wide, axis, stride)
        x = build.slice_axis(build.slice_axis(x, axis, 0, count), axis + 1, 0, kernel[k], apart)
    return x


def inside(kernel: Any) -> tuple[int, ...]:
    return tuple(3 + 2 * k for k in range(len(kernel)))


def even_pads(a: Any) -> dict[str, Any] | None:
    """Windows over as much on both sides, as options of a pooling function here; None where it has no such."""
    kernel = a["kernel_shape"]
    rank, auto = len(kernel), a.get("auto_pad", "NOTSET")
    pads = [0] * 2 * rank if auto == "VALID" else a.get("pads", [0] * 2 * rank)
    if rank > 3 or auto.startswith("SAME") or a.get("ceil_mode") or [*pads[:rank]] != [*pads[rank:]]:
        return None
    given = unusual({"padding": pads[:rank]}, 0) | unusual({"dilation": a.get("dilations", [1] * rank)}, 1)
    return unusual({"stride": a.get("strides", [1] * rank)}, None) | given


@op("MaxPool")
def max_pool(s: Any, xs: Any, a: Any) -> Node:
    kernel, options = a["kernel_shape"], even_pads(a)
    if options is not None and s.outputs == 1:
        size = kernel[0] if len({*kernel}) == 1 else tuple(kernel)
        return channels_first(getattr(F, f"max_pool{len(kernel)}d")(channels_last(xs[0]), size, **options))
    edges = edges_of(a, shape(xs[0])[2:], kernel, bool(a.get("ceil_mode")))
    return F.max(windows(xs[0], kernel, edges, -sp.oo), inside(kernel))


@op("AveragePool")
def average_pool(s: Any, xs: Any, a: Any) -> Node:
    kernel, x = a["kernel_shape"], xs[0]
    edges = edges_of(a, shape(x)[2:], kernel, bool(a.get("ceil_mode")))
    total, count = F.sum(windows(x, kernel, edges, 0), inside(kernel)), 1.0
    for k, (before, behind, stride, apart, n) in enumerate(edges):
        places = np.arange(n)[:, None] * stride + np.arange(kernel[k]) * apart - before
        low, high = (-before, shape(x)[2 + k] + behind) if a.get("count_include_pad") else (0, shape(x)[2 + k])
        counts = ((places >= low) & (places < high)).sum(1)
        count = count * counts.reshape([-1 if i == k else 1 for i in range(len(kernel))])
    return total / s.leaf(np.asarray(count, float), False)


def everywhere(call: Any) -> Composition:
    return lambda s, xs, a: call(xs[0], tuple(range(2, xs[0].ndim)), True)


@op("LpPool")
def lp_pool(s: Any, xs: Any, a: Any) -> Node:
    kernel = a["kernel_shape"]
    edges = edges_of(a, shape(xs[0])[2:], kernel, bool(a.get("ceil_mode")))
    return F.norm(windows(xs[0], kernel, edges, 0), inside(kernel), order=a.get("p", 2))


OPERATORS |= {"GlobalAveragePool": everywhere(F.mean), "GlobalMaxPool": everywhere(F.max),
              "GlobalLpPool": lambda s, xs, a: F.norm(xs[0], tuple(range(2, xs[0].ndim)), True, order=a.get("p", 2))}


def unusual(options: dict[str, Any], usual: int | None) -> dict[str, Any]:
    """Options along every axis, one number where they are equal, without those that are as usual."""
    found = {word: v[0] if len({*v}) == 1 else tuple(v) for word, v in options.items()}
    return {word: v for word, v in found.items() if v != usual}


@op("Conv")
def conv(s: Any, xs: Any, a: Any) -> Node:
    x, w = xs[:2]
    kernel = shape(w)[2:]
    edges = edges_of(a, shape(x)[2:], kernel)
    for k, (before, behind, *_) in enumerate(edges):
        x = build.pad_axis(x, 2 + k, before, shape(x)[2 + k] + before + behind)
    options = unusual({"stride": [e[2] for e in edges], "dilation": [e[3] for e in edges]}, 1)
    options |= {"groups": a["group"]} if a.get("group", 1) > 1 else {}
    kernels = F.transpose(w, (*range(2, w.ndim), 1, 0))
    y = F.FUNCTIONS[f"conv{len(kernel)}d"](channels_last(x), kernels, **options)
    return channels_first(y if maybe(xs, 2) is None else y + xs[2])


@op("ConvTranspose")
def conv_transpose(s: Any, xs: Any, a: Any) -> Node:
    x, w = xs[:2]
    kernel, rank, groups = shape(w)[2:], w.ndim - 2, a.get("group", 1)
    strides, apart = a.get("strides", [1] * rank), a.get("dilations", [1] * rank)
    more = a.get("output_padding", [0] * rank)
    options = unusual({"stride": strides, "dilation": apart}, 1) | unusual({"output_padding": more}, 0)
    kernels = F.transpose(w, (*range(2, w.ndim), 1, 0))
    call, rows = F.FUNCTIONS[f"conv_transpose{rank}d"], channels_last(x)
    pieces = zip(F.split(rows, groups, -1), F.split(kernels, groups, -1), strict=True)
    y = F.concat(*[call(r, k, **options) for r, k in pieces], axis=-1) if groups > 1 else call(rows, kernels, **options)
    pads, auto, wanted = a.get("pads", [0] * 2 * rank), a.get("auto_pad", "NOTSET"), a.get("output_shape")
    for k in range(rank):
        whole = (shape(x)[2 + k] - 1) * strides[k] + (kernel[k] - 1) * apart[k] + 1 + more[k]
        before, behind = pads[k], pads[k + rank]
        if wanted or auto.startswith("SAME"):
            total = whole - (wanted[k] if wanted else shape(x)[2 + k] * strides[k])
            before = max(total, 0) // 2 if auto != "SAME_LOWER" else total - total // 2
            behind = total - before
        n = whole - before - behind
        have = shape(y)[1 + k]
        y = build.slice_axis(y, 1 + k, before, min(n, have - before))
        y = build.pad_axis(y, 1 + k, 0, n) if shape(y)[1 + k] < n else y
    return channels_first(y if maybe(xs, 2) is None else y + xs[2])


@op("CausalConvWithState")
def causal_conv(s: Any, xs: Any, a: Any) -> Any:
    x, w, bias, past = [*xs, None, None][:4]
    c, _, k = shape(w)
    past = x.graph.full(0, (shape(x)[0], c, k - 1)) if past is None else past
    whole = F.concat(past, x, axis=2) if k > 1 else x
    y = F.einsum("nctk,ck->nct", F.unfold(whole, k, 2), build.reshape(w, (c, k)))
    y = y if bias is None else y + F.expand_dims(bias, 1)
    y = F.silu(y) if a.get("activation", "none") in ("silu", "swish") else y
    return y, build.slice_axis(whole, 2, shape(whole)[2] - (k - 1), k - 1)


@op("Col2Im")
def col2im(s: Any, xs: Any, a: Any) -> Node:
    image, block = ints(s, xs[1]), ints(s, xs[2])
    rank = len(block)
    strides, apart = a.get("strides", [1] * rank), a.get("dilations", [1] * rank)
    pads = a.get("pads", [0] * 2 * rank)
    counts = [(n + pads[k] + pads[k + rank] - (block[k] - 1) * apart[k] - 1) // strides[k] + 1
              for k, n in enumerate(image)]
    n, c = shape(xs[0])[0], shape(xs[0])[1] // math.prod(block)
    parts = build.reshape(xs[0], (n, c, *block, *counts))
    parts = F.transpose(parts, (0, 1, *[i for k in range(rank) for i in (2 + rank + k, 2 + k)]))
    for k in range(rank):
        wide, size = (block[k] - 1) * apart[k] + 1, image[k] + pads[k] + pads[k + rank]
        parts = build.pad_axis(parts, 3 + k, 0, wide, apart[k])
        parts = F.fold(parts, size, 2 + k, strides[k])
        parts = build.slice_axis(parts, 2 + k, pads[k], image[k])
    return parts


@op("MaxUnpool")
def max_unpool(s: Any, xs: Any, a: Any) -> Node:
    x, places = xs[0], s.value(xs[1]).astype(int)
    kernel = a["kernel_shape"]
    strides, pads = a.get("strides", [1] * len(kernel)), a.get("pads", [0] * 2 * len(kernel))
    own = [(n - 1) * strides[k] - pads[k] - pads[k + len(kernel)] + kernel[k] for k, n in enumerate(shape(x)[2:])]
    size = ints(s, xs[2])[2:] if len(xs) > 2 else own
    whole = x.graph.full(0, (*shape(x)[:2], *own))
    found = put_places(s, whole, places, x)
    if list(size) == own:
        return found
    for k, n in enumerate(size):
        found = build.pad_axis(found, 2 + k, 0, n)
    return found


# -- interpolation
WAYS = {"bilinear": "linear", "bicubic": "cubic"}
OPERATORS["GridSample"] = lambda s, xs, a: channels_first(F.grid_sample(
    channels_last(xs[0]), xs[1], WAYS.get(a.get("mode", "linear"), a.get("mode", "linear")),
    a.get("padding_mode", "zeros"), bool(a.get("align_corners", 0))))


@op("Resize")
def resize(s: Any, xs: Any, a: Any) -> Node:
    """Each axis by a matrix of weights, which only depends on sizes: they are worked out as ONNX says and given."""
    x, roi, scales, sizes = [*xs, None, None, None][:4]
    axes = [k % x.ndim for k in a.get("axes", range(x.ndim))]
    own = [shape(x)[k] for k in axes]
    region = None if roi is None or not s.value(roi).size else s.value(roi).reshape(2, -1)
    if sizes is not None:
        wanted = ints(s, sizes)
        policy = a.get("keep_aspect_ratio_policy", "stretch")
        factors = [w / n for w, n in zip(wanted, own, strict=True)]
        if policy != "stretch":
            factor = (min if policy == "not_larger" else max)(factors)
            factors = [factor] * len(own)
            wanted = [math.floor(n * factor + 0.5) for n in own]
    else:
        factors = [float(v) for v in s.value(scales)]
        wanted = [math.floor(n * f) for n, f in zip(own, factors, strict=True)]
    for i, axis in enumerate(axes):
        part = None if region is None else (float(region[0, i]), float(region[1, i]))
        weights, outside = resized(own[i], wanted[i], factors[i], part, a)
        if not np.array_equal(weights, np.eye(own[i])):
            own_axes = "abcdefgh"[: x.ndim]
            new_axes = own_axes.replace(own_axes[axis], "z")
            x = F.einsum(f"z{own_axes[axis]},{own_axes}->{new_axes}", s.leaf(weights, False), x)
        if outside.any():
            row = build.reshape(s.given(outside.astype(int)), [-1 if k == axis else 1 for k in range(x.ndim)])
            x = F.where(row, a.get("extrapolation_value", 0.0), x)
    return x


_TO_WHOLE: dict[str, Any] = {
    "round_prefer_floor": lambda v: np.ceil(v - 0.5), "round_prefer_ceil": lambda v: np.floor(v + 0.5),
    "floor": np.floor, "ceil": np.ceil,
}


def resized(n: int, out: int, factor: float, region: Any, a: Any) -> tuple[Any, Any]:
    """Weights out×n, and which results are read outside."""
    how = a.get("coordinate_transformation_mode", "half_pixel")
    at = _read_at(how, n, out, factor, region)
    outside = (at < 0) | (at > n - 1) if how == "tf_crop_and_resize" else np.zeros(out, bool)
    if a.get("mode", "nearest") != "nearest":
        return _between(at, n, factor, a), outside
    rounded = _TO_WHOLE[a.get("nearest_mode", "round_prefer_floor")](np.round(at, 9))
    return (np.clip(rounded, 0, n - 1)[:, None] == np.arange(n)).astype(float), outside


def _read_at(how: str, n: int, out: int, factor: float, region: Any) -> Any:
    """Where each result is read, between entries."""
    k, several = np.arange(out), out > 1
    ways: Any = {
        "half_pixel": lambda: (k + 0.5) / factor - 0.5,
        "asymmetric": lambda: k / factor,
        "align_corners": lambda: k * (n - 1) / (factor * n - 1) if several else k * 0.0,
        "pytorch_half_pixel": lambda: (k + 0.5) / factor - 0.5 if several else k * 0.0,
        "half_pixel_symmetric": lambda: n / 2 * (1 - out / (factor * n)) + (k + 0.5) / factor - 0.5,
        "tf_crop_and_resize": lambda: (region[0] * (n - 1) + k * (region[1] - region[0]) * (n - 1) / (out - 1)
                                       if several else 0.5 * (region[0] + region[1]) * (n - 1) + k * 0.0),
    }
    return ways[how]()


def _between(at: Any, n: int, factor: float, a: Any) -> Any:
    """Weights of the entries around each place, by how far they are from it."""
    spread = max(1.0, 1 / factor) if a.get("antialias") else 1.0
    reach = math.ceil(2 * spread) + 1
    taps = np.floor(at)[:, None] + np.arange(-reach, reach + 1)
    values = _weights(np.abs(taps - at[:, None]) / spread, a)
    if a.get("exclude_outside"):
        values = np.where((taps >= 0) & (taps <= n - 1), values, 0)
    if a.get("exclude_outside") or a.get("antialias"):
        values = values / values.sum(1, keepdims=True)
    found = np.zeros((len(at), n))
    for row, (line, w) in enumerate(zip(np.clip(taps, 0, n - 1).astype(int), values, strict=True)):
        np.add.at(found[row], line, w)
    return found


def _weights(d: Any, a: Any) -> Any:
    """Linear or cubic in the distance."""
    if a.get("mode") == "linear":
        return np.maximum(1 - d, 0)
    sharp = a.get("cubic_coeff_a", -0.75)
    return np.where(d <= 1, near(d, sharp), np.where(d < 2, far(d, sharp), 0))


# -- normalisation
def column(w: Node, x: Node) -> Node:
    return build.reshape(w, (-1, *[1] * (x.ndim - 2)))


@op("BatchNormalization")
def batch_norm(s: Any, xs: Any, a: Any) -> Any:
    x, scale, bias, mean, var = xs
    eps, keep = a.get("epsilon", 1e-5), a.get("momentum", 0.9)
    over = tuple(k for k in range(x.ndim) if k != 1)
    if not a.get("training_mode"):
        y = channels_first(F.running_batch_norm(channels_last(x), mean, var, eps))
        return y * column(scale, x) + column(bias, x)
    y = channels_first(F.batch_norm(channels_last(x), eps)) * column(scale, x) + column(bias, x)
    return y, mean * keep + F.mean(x, over) * (1 - keep), var * keep + F.var(x, over) * (1 - keep)


@op("LRN")
def lrn(s: Any, xs: Any, a: Any) -> Node:
    size, x = a["size"], channels_last(xs[0])
    c, before = shape(x)[-1], (size - 1) // 2
    squares = F.unfold(build.pad_axis(x**2, -1, before, c + size - 1), size, -1)
    total = F.sum(squares, -1)
    return channels_first(x / (a.get("bias", 1.0) + a.get("alpha", 1e-4) / size * total) ** a.get("beta", 0.75))


def over_last(xs: Any, a: Any, call: Any) -> Node:
    axes = tuple(range(a.get("axis", -1) % xs[0].ndim, xs[0].ndim))
    found = call(xs[0], axis=axes if len(axes) > 1 else axes[0], eps=a.get("epsilon", 1e-5)) * xs[1]
    return found if maybe(xs, 2) is None else found + xs[2]


def of_channels(x: Node, scale: Node, bias: Node, call: Any, *more: Any) -> Node:
    """A norm of every channel, times scale plus bias."""
    return channels_first(call(channels_last(x), *more) * scale + bias)


OPERATORS |= {
    "InstanceNormalization": lambda s, xs, a: of_channels(*xs, F.instance_norm, a.get("epsilon", 1e-5)),
    "GroupNormalization": lambda s, xs, a: of_channels(*xs, F.group_norm, a["num_groups"], a.get("epsilon", 1e-5)),
    "RMSNormalization": lambda s, xs, a: over_last(xs, a, F.rms_norm),
}


@op("MeanVarianceNormalization")
def mvn(s: Any, xs: Any, a: Any) -> Node:
    over = tuple(a.get("axes", (0, 2, 3)))
    return (xs[0] - F.mean(xs[0], over, True)) / (F.std(xs[0], over, True) + 1e-9)


@op("LpNormalization")
def lp_normalization(s: Any, xs: Any, a: Any) -> Node:
    size = F.norm(xs[0], a.get("axis", -1), True, order=a.get("p", 2))
    return F.where(F.equal(size, 0), 0, xs[0] / size)


@op("LayerNormalization")
def layer_norm(s: Any, xs: Any, a: Any) -> Any:
    y = over_last(xs, a, F.layer_norm)
    axes = tuple(range(a.get("axis", -1) % xs[0].ndim, xs[0].ndim))
    more = F.mean(xs[0], axes, True), 1 / F.sqrt(F.var(xs[0], axes, True) + a.get("epsilon", 1e-5))
    return (y, *more) if s.outputs > 1 else y


@op("Gemm")
def gemm(s: Any, xs: Any, a: Any) -> Node:
    x, y = (v.T if a.get(t) else v for v, t in zip(xs, ("transA", "transB"), strict=False))
    found = a.get("alpha", 1.0) * (x @ y)
    return found if maybe(xs, 2) is None else found + a.get("beta", 1.0) * xs[2]


# -- losses
def classes(logs: Node, target: Node, weight: Any, a: Any) -> Node:
    rows, ignore = channels_last(logs), a.get("ignore_index")
    ignore = None if ignore is not None and ignore < 0 else ignore  # integers are 0 or more
    counts = None if ignore is None else F.not_equal(target, ignore)
    index = target if counts is None else F.where(counts, target, 0)
    share = index.graph.full(1, index.shape) if weight is None else weight[index]
    share = share if counts is None else share * counts
    loss = F.nll(rows, index) * share
    how = a.get("reduction", "mean")
    if how == "mean" and weight is None and counts is None:
        return F.mean(F.nll(rows, index))
    return loss if how == "none" else F.sum(loss) if how == "sum" else F.sum(loss) / F.sum(share)


OPERATORS["NegativeLogLikelihoodLoss"] = lambda s, xs, a: classes(xs[0], xs[1], maybe(xs, 2), a)


@op("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(s: Any, xs: Any, a: Any) -> Any:
    logs = F.log_softmax(xs[0], 1)
    loss = classes(logs, xs[1], maybe(xs, 2), a)
    return (loss, logs) if s.outputs > 1 else loss


# -- recurrences: loops over time
def refuse_cells(s: Any, a: Any, lengths: Any, steps: Any) -> None:
    if a.get("clip") or a.get("input_forget") or a.get("activations", a.get("usual")) != a.get("usual"):
        raise ModelError("cells with a clip, other activations or coupled gates cannot be read: write the loop")
    if lengths is not None and not (s.has(lengths) and set(ints(s, lengths)) == {steps}):
        raise ModelError("sequences of several lengths cannot be read: leave sequence_lens out, and take a mask")


def recurrent(step: Any, states: int) -> Composition:
    def composed(s: Any, xs: Any, a: Any) -> Any:
        x, w, r, b, lengths, *initial = [*xs, *[None] * 8][: 5 + states]
        peephole = maybe(xs, 7) if states == 2 else None
        by_batch = a.get("layout")
        x = s.called("x", F.swapaxes(x, 0, 1) if by_batch else x)
        t, n, _ = shape(x)
        refuse_cells(s, a, lengths, t)
        runs = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[a.get("direction", "forward")]
        ran = []
        for d, back in enumerate(runs):
            first = [x.graph.full(0, (n, a["hidden_size"])) if v is None else v[:, d] if by_batch else v[d]
                     for v in initial]
            own = [None if v is None else v[d] for v in (b, peephole)]
            ran.append(run(s, step, x, first, (w[d], r[d], *own), a, back))
        y = F.stack(*[stack for _, stack in ran], axis=1)
        ends = [F.stack(*[last[k] for last, _ in ran]) for k in range(states)]
        if by_batch:
            y, ends = F.transpose(y, (2, 0, 1, 3)), [F.swapaxes(e, 0, 1) for e in ends]
        return [y, *ends]

    return composed


def run(s: Any, step: Any, x: Node, first: Any, weights: Any, a: Any, back: bool) -> tuple[Any, Node]:
    """The last states of one direction, and the first of them at every step."""
    index, (w, r, bias, own) = s.fresh("t"), weights

    def say(word: str, row: Node) -> Node:
        row.graph.christen(f"{s.fresh(word)}[{index}]", row)
        return row

    def body(carry: Any, now: Any) -> Any:
        state = step(now[0], list(carry), w, r, bias, a["hidden_size"], a, own, say)
        return tuple(state), state[0]

    names = [s.fresh(word) for word in ("h", "c")[: len(first)]]
    last, (stack,) = scan(body, first, x, reverse=back, index=index, names=names)
    return last, stack


def halves(b: Any, width: int) -> tuple[Any, Any]:
    return (0, 0) if b is None else (b[:width], b[width : 2 * width])


def rnn_step(x: Node, state: Any, w: Node, r: Node, b: Any, h: int, a: Any, p: Any, say: Any) -> list[Node]:
    wb, rb = halves(b, h)
    return [F.tanh(x @ w.T + state[0] @ r.T + wb + rb)]


def gru_step(x: Node, state: Any, w: Node, r: Node, b: Any, h: int, a: Any, p: Any, say: Any) -> list[Node]:
    wb, rb = halves(b, 3 * h)
    from_x, last = x @ w.T + wb, state[0]
    z, reset = (say("zr"[k], F.sigmoid(from_x[:, k * h : (k + 1) * h] + last @ r[k * h : (k + 1) * h].T
                          + (rb[k * h : (k + 1) * h] if b is not None else 0))) for k in range(2))
    rest, own = r[2 * h :], (rb[2 * h :] if b is not None else 0)
    if a.get("linear_before_reset"):
        new = F.tanh(from_x[:, 2 * h :] + reset * (last @ rest.T + own))
    else:
        new = F.tanh(from_x[:, 2 * h :] + (reset * last) @ rest.T + own)
    return [(1 - z) * new + z * last]


def lstm_step(x: Node, state: Any, w: Node, r: Node, b: Any, h: int, a: Any, p: Any, say: Any) -> list[Node]:
    last, cell = state
    wb, rb = halves(b, 4 * h)
    z = say("z", x @ w.T + last @ r.T + wb + rb)
    i, o, f, c = (z[:, k * h : (k + 1) * h] for k in range(4))
    pi, po, pf = (p[k * h : (k + 1) * h] for k in range(3)) if p is not None else (0, 0, 0)
    i, f = F.sigmoid(i + pi * cell if p is not None else i), F.sigmoid(f + pf * cell if p is not None else f)
    i, f = say("i", i), say("f", f)
    cell = f * cell + i * say("g", F.tanh(c))
    return [say("o", F.sigmoid(o + po * cell if p is not None else o)) * F.tanh(cell), cell]


OPERATORS |= {"RNN": recurrent(rnn_step, 1), "GRU": recurrent(gru_step, 1), "LSTM": recurrent(lstm_step, 2)}


@op("LinearAttention")
def linear_attention(s: Any, xs: Any, a: Any) -> Any:
    q, k, v, past, decay, beta = [*xs, *[None] * 6][:6]
    hq, hk, rule = a["q_num_heads"], a["kv_num_heads"], a.get("update_rule", "gated_delta")
    n, t, width = shape(q)
    d = width // hq

    def heads(x: Node, count: int) -> Node:
        return F.transpose(build.reshape(x, (n, t, count, shape(x)[2] // count)), (0, 2, 1, 3))

    q, k, v = heads(q, hq), heads(k, hk), heads(v, hk)
    def of_heads(g: Any) -> Any:
        count = hk if g is not None and shape(g)[2] % hk == 0 else 1
        return None if g is None else F.swapaxes(build.reshape(g, (n, t, count, -1)), 1, 2)

    decay, beta = of_heads(decay), of_heads(beta)
    scale = a.get("scale", 0.0) or 1 / math.sqrt(d)
    state = past if past is not None else q.graph.full(0, (n, hk, shape(k)[3], shape(v)[3]))
    found = []
    for i in range(t):
        key, value, query = k[:, :, i], v[:, :, i], q[:, :, i]
        if "gated" in rule:
            state = F.exp(F.expand_dims(decay[:, :, i], -1)) * state
        if "delta" in rule:
            value = beta[:, :, i] * (value - F.einsum("nhkv,nhk->nhv", state, key))
        state = state + F.einsum("nhk,nhv->nhkv", key, value)
        wide = F.repeat(state, hq // hk, 1) if hq > hk else state
        found.append(scale * F.einsum("nhk,nhkv->nhv", query, wide))
    y = F.stack(*found, axis=1)
    return build.reshape(y, (n, t, hq * shape(v)[3])), state


# -- entries chosen by numbers that are known, and put where these point: places of the flat array
def shape(x: Node) -> tuple[Any, ...]:
    """The sizes of a row, as numbers where they are."""
    return tuple(int(d) if d.is_Integer else d for d in x.shape)


def sizes(x: Node) -> tuple[int, ...]:
    """The sizes of a row; `ModelError` where one is symbolic."""
    found = shape(x)
    if not all(isinstance(n, int) for n in found):
        raise ModelError(f"all axes need fixed sizes here, and the shape is {' x '.join(map(str, found))}")
    return found


def numbered(x: Node) -> Array:
    """The place of every entry in the flat array."""
    return np.arange(int(np.prod(sizes(x)))).reshape(sizes(x))


def at_places(s: Any, x: Node, places: Array) -> Node:
    """Entries of the flat array."""
    flat = build.reshape(x, (-1,))
    if not places.size:
        return x.graph.full(0, places.shape)
    return F.take(flat, s.given(places), 0)


def put_places(s: Any, x: Node, places: Array, values: Any) -> Node:
    """x with values at places of the flat array in the stead of what is there; the last one counts."""
    values = F.broadcast(x.graph.lift(values), places.shape)
    flat, line, count = build.reshape(x, (-1,)), places.reshape(-1), int(np.prod(sizes(x)))
    if not line.size:
        return x
    kept = np.array(sorted({int(p): k for k, p in enumerate(line)}.values()))
    source, line = F.take(build.reshape(values, (-1,)), s.given(kept), 0), line[kept]
    hole = np.zeros(count, int)
    hole[line] = 1
    flat = flat * (1 - s.given(hole))
    return build.reshape(F.index_add(flat, s.given(line), source), x.shape)


def along_places(s: Any, x: Node, dim: int, index: Node) -> Array:
    """The flat places that an index along an axis points to."""
    where_ = s.value(index).astype(int)
    grid = list(np.indices(where_.shape))
    grid[dim % x.ndim] = where_
    return np.asarray(numbered(x)[tuple(grid)])


def collected(s: Any, x: Node, places: Array, source: Node, how: str, include_self: bool) -> Node:
    """Entries that go to the same place, reduced: a row of them for every place, as long as the fullest needs."""
    count, line = int(np.prod(sizes(x))), places.reshape(-1)
    lists: list[list[int]] = [[] for _ in range(count)]
    for k, p in enumerate(line):
        lists[p].append(k + count)
    held = [([k] if include_self or not lists[k] else []) + lists[k] for k in range(count)]
    return build.reshape(rows_reduced(s, F.concat(build.reshape(x, (-1,)), build.reshape(source, (-1,)), axis=0),
                                      held, how), x.shape)


def rows_reduced(s: Any, entries: Node, held: list[list[int]], how: str) -> Node:
    """Lists of places of a vector, each reduced to one entry."""
    width = max([len(h) for h in held] + [1])
    table = s.given([[*h, *[0] * (width - len(h))] for h in held])
    mask = s.given([[1] * len(h) + [0] * (width - len(h)) for h in held])
    rows = F.take(entries, table, 0)
    fill = {"sum": 0, "mean": 0, "prod": 1, "amax": -np.inf, "amin": np.inf, "max": -np.inf, "min": np.inf}[how]
    rows = F.where(mask, rows, fill)
    if how in ("sum", "mean"):
        total = F.sum(rows, 1)
        return total / s.given([max(len(h), 1) for h in held]) if how == "mean" else total
    return {"prod": F.prod, "amax": F.max, "max": F.max, "amin": F.min, "min": F.min}[how](rows, 1)


def padded(s: Any, x: Node, pad: Any, mode: str = "constant", value: Any = None) -> Node:
    """Borders of a number, or of what is inside; the last axis first, as PyTorch has it."""
    edges = [(pad[2 * k], pad[2 * k + 1]) for k in range(len(pad) // 2)]
    for k, (before, behind) in enumerate(edges):
        axis = x.ndim - 1 - k
        n = shape(x)[axis]
        if not before and not behind:
            continue
        if mode in ("constant", "circular"):
            low, high = max(-before, 0), max(-behind, 0)
            x = build.slice_axis(x, axis, low, n - low - high) if low or high else x
            before, behind, n = max(before, 0), max(behind, 0), n - low - high
        if mode == "constant":
            x = bordered(x, axis, before, behind, value or 0)
        else:
            places = np.arange(-before, n + behind)
            places = {"replicate": np.clip(places, 0, n - 1), "circular": places % max(n, 1),
                      "reflect": np.abs(n - 1 - np.abs(n - 1 - places))}[mode]
            x = F.take(x, s.given(places), axis)
    return x
