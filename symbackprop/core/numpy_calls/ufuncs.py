"""NumPy's ufuncs on rows, and their methods reduce, accumulate and outer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symbackprop.core import build
from symbackprop.core import functions as F
from symbackprop.core.graph import Node
from symbackprop.core.numpy_calls.table import TABLE, named, rows

FUNCTIONS = {"exp", "log", "log1p", "expm1", "sqrt", "sign", "sin", "cos", "tan", "sinh", "cosh", "tanh",
             "floor", "ceil", "trunc", "remainder", "square", "exp2", "log2", "log10", "maximum", "minimum", "equal",
             "not_equal", "greater", "greater_equal", "less", "less_equal", "negative"}
TABLE.update({name: F.FUNCTIONS[name] for name in FUNCTIONS})
TABLE.update(dict.fromkeys(("absolute", "fabs"), F.FUNCTIONS["abs"]))
TABLE.update({f"arc{name}": F.FUNCTIONS[f"a{name}"] for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")})
TABLE |= {"rint": F.FUNCTIONS["round"], "mod": TABLE["remainder"], "i0": F.FUNCTIONS["i0"]}


def _binary(name: str, rule: Callable[[Node, Node], Any]) -> None:
    TABLE[name] = lambda x1, x2: rule(*rows(x1, x2))


TABLE |= {
    "positive": lambda x: x,
    "reciprocal": lambda x: 1 / x,
    "logical_not": lambda x: F.pointwise.equal(x, 0),
}

for _name, _pair in {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "float_power": lambda a, b: a**b,
    "matmul": build.matmul,
    "logical_and": lambda a, b: F.pointwise.not_equal(a, 0) * F.pointwise.not_equal(b, 0),
    "logical_or": lambda a, b: F.pointwise.maximum(F.pointwise.not_equal(a, 0), F.pointwise.not_equal(b, 0)),
    "hypot": lambda a, b: a.graph.call("root", a**2 + b**2),
}.items():
    _binary(_name, _pair)
TABLE["true_divide"] = TABLE["divide"]


@named("logaddexp")
def logaddexp(x1: Any, x2: Any) -> Node:
    a, b = rows(x1, x2)
    a, b = (a.graph.broadcast(x, (a + b).shape) for x in (a, b))
    return build.logsumexp(build.concat([build.expand(a, 0), build.expand(b, 0)], 0), 0)


@named("heaviside")
def heaviside(x1: Any, x2: Any) -> Node:
    x, half = rows(x1, x2)
    return F.pointwise.where(F.pointwise.equal(x, 0), half, F.pointwise.where(x > 0, 1, 0))


# -- methods
def _reduced(reduce: Callable[..., Node]) -> Callable[..., Node]:
    def method(array: Node, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Node:
        return reduce(array, axis, keepdims)

    return method


for _name, _reduce in (("add", build.reduce_sum), ("maximum", build.reduce_max), ("minimum", F.reductions.min)):
    TABLE[f"{_name}.reduce"] = _reduced(_reduce)
TABLE["add.accumulate"] = lambda array, axis=0, dtype=None, out=None: F.reductions.cumsum(array, axis)


def _outer(name: str) -> Callable[[Any, Any], Any]:
    def outer(A: Any, B: Any) -> Any:
        a, b = rows(A, B)
        return TABLE[name](build.reshape(a, (*a.shape, *[1] * b.ndim)), b)

    return outer


for _name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "equal", "not_equal", "greater",
              "greater_equal", "less", "less_equal"):
    TABLE[f"{_name}.outer"] = _outer(_name)
