"""What NumPy and PyTorch write with a dot, as model text: ``np.exp(x)``, ``X.sum(axis=0)``, ``X.shape[0]``."""

from __future__ import annotations

from collections.abc import Container

import sympy as sp

from symbackprop.core.functions.words import IDLE_METHODS, MODULES
from symbackprop.errors import SyntaxProblem
from symbackprop.model.text import tree

SHAPE = "shape"
_CONSTANTS: dict[str, tree.Expr] = {"pi": tree.Name("pi"), "inf": tree.Name("inf"), "newaxis": tree.Word(None)}
_FUNCTIONAL = ("F", "functional")  # PyTorch's, whose losses are means unless a reduction is given


def plain(expr: tree.Member, names: Container[str]) -> tree.Expr:
    """The expression without the dot; ``a.shape`` stays. ``names`` are those that the model declares. Raises a
    `SyntaxProblem` for what is no way of writing a formula."""
    module = _module(expr.base, names)
    if module == "torch" and expr.name in ("var", "std"):
        raise SyntaxProblem(f"torch.{expr.name} divides by n - 1; {expr.name}(…), as NumPy's, by n", near=expr.name)
    if module and expr.args is not None:
        return _called(expr.name, expr.args, expr.options, module in _FUNCTIONAL)
    if module and expr.name in _CONSTANTS:
        return _CONSTANTS[expr.name]
    if not module and expr.args is None:
        return _attribute(expr)
    if not module and expr.args is not None:
        return _method(expr, expr.args)
    raise _strange(expr)


def _module(expr: tree.Expr, names: Container[str]) -> str:
    """The last word of ``torch.nn.functional``; nothing where that is no library."""
    if isinstance(expr, tree.Member):
        return expr.name if expr.args is None and expr.name in MODULES and _module(expr.base, names) else ""
    return expr.name if isinstance(expr, tree.Name) and expr.name in MODULES and expr.name not in names else ""


def _called(name: str, args: tuple[tree.Expr, ...], options: tuple[tuple[str, tree.Expr], ...],
            functional: bool) -> tree.Expr:
    """A function of a library; a loss of PyTorch's with the reduction that it has."""
    given = dict(options)
    reduction = given.pop("reduction", tree.String("mean"))
    call = tree.Call(name, args, tuple(given.items()))
    loss = functional and name.endswith(("_loss", "_entropy", "_entropy_with_logits"))
    reduced = loss and isinstance(reduction, tree.String) and reduction.value in ("mean", "sum")
    return tree.Call(str(reduction.value), (call,), ()) if reduced else call  # type: ignore[union-attr]


def _attribute(expr: tree.Member) -> tree.Expr:
    if expr.name == "mT":
        return tree.Call("swapaxes", (expr.base, tree.Number(sp.Integer(-1)), tree.Number(sp.Integer(-2))), ())
    if expr.name == "values" and isinstance(expr.base, tree.Member):  # of max(dim=1), beside the indices
        return expr.base
    if expr.name == SHAPE:
        return expr
    raise _strange(expr)


def _method(expr: tree.Member, args: tuple[tree.Expr, ...]) -> tree.Expr:
    """``a.f(b)`` is f(a, b)."""
    name = expr.name
    if name in IDLE_METHODS:
        return expr.base
    if name == "t":
        return tree.Transpose(expr.base)
    if name == "size" and args:
        return tree.Index(tree.Member(expr.base, SHAPE), args)
    name = {"transpose": "swapaxes" if len(args) == 2 else "permute" if args else "transpose",
            "detach": "stop_gradient"}.get(name, name)
    return tree.Call(name, (expr.base, *args), expr.options)


def _strange(expr: tree.Member) -> SyntaxProblem:
    return SyntaxProblem("a dot is only used in numbers, in ranges 1..T, in .T and for functions of an array, as in "
                         f"X.sum(axis=0); there are no attributes, and {expr.name!r} is none", near=expr.name)
