"""Layers of PyTorch's that a text makes and calls further down: what they compute, and which parameters they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from symbackprop.errors import Place
from symbackprop.model.text import dialect, lambdas, spellings, tree

Parameters: TypeAlias = Mapping[str, tuple[tree.Expr, ...]]  # with their shapes
_OF_X = (("x", None),)
_STATE = "s"  # what cells of recurrent networks take too
_UNCHANGED = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout")  # what these are given in evaluation


class Layers:
    """What is made so far, by name. ``declare`` is told the name of a layer that has parameters, whose they are, and
    these."""

    def __init__(self, declare: Callable[[str, str, Parameters], None]) -> None:
        self.declare = declare
        self.made: dict[str, tree.Expr] = {}  # what is called, or a function of x

    def take(self, name: str, expr: tree.Expr) -> bool:
        """Whether a name is given a layer, which is kept then."""
        layer = self._layer(name, expr)
        if layer is not None:
            self.made[name] = layer
        return layer is not None

    def put(self, expr: tree.Expr) -> tree.Expr:
        """A formula with ``criterion(z, y)`` as the layer that ``criterion`` is."""
        if not self.made:
            return expr
        expr = tree.changed(expr, self.put)
        match expr:
            case tree.Call(name, args, options) | tree.Member(dialect.SELF, name, tuple() as args, options):
                return _applied(self.made[name], args, options, expr.place) if name in self.made else expr
        return expr

    def _layer(self, name: str, expr: tree.Expr) -> tree.Expr | None:
        """What a name is that gets a layer: that layer, or a function of x, for which its parameters are declared; None
        for any other value."""
        made, args, options = dialect.made(expr)
        if (dialect.is_layer(expr) and made not in _UNCHANGED) or dialect.is_function(expr):
            return expr
        if made == "Sequential":
            return self._one_after_another(name, args, expr.place)
        if made in _UNCHANGED:
            self.declare(name, made, {})
            return tree.Function(_OF_X, tree.Name("x"), place=expr.place)
        asks = {k: v for k, v in options.items() if k != "bias" or not isinstance(v, (tree.Name, tree.Member))}
        module = spellings.module(made, args, asks, name)  # bias=config.bias: as usual
        if module is None:
            return None
        self.declare(name, made, module.parameters)
        takes = _OF_X + ((_STATE, None),) * (_STATE in tree.mentioned(module.formula))
        return tree.Function(takes, module.formula, place=expr.place)

    def _one_after_another(self, name: str, args: Sequence[tree.Expr], place: Place | None) -> tree.Expr | None:
        """What layers one after another compute of x; None where one of them is none."""
        value: tree.Expr = tree.Name("x")
        for k, part in enumerate(args):
            inner = self._layer(f"{name}_{k}", part)
            if inner is None:
                return None
            value = _applied(inner, (value,), (), part.place)
        return tree.Function(_OF_X, value, place=place)


def _applied(layer: tree.Expr, args: Sequence[tree.Expr], options: tuple[tuple[str, tree.Expr], ...],
             place: Place | None) -> tree.Expr:
    """What a layer computes of its arguments."""
    if isinstance(layer, tree.Function):
        return lambdas.called(layer, args, options, place)
    if isinstance(layer, tree.Member) and layer.args is None:  # F.silu itself
        return replace(layer, args=tuple(args), options=options, place=place)
    return tree.Member(layer, tree.FORWARD, tuple(args), options, place=place)
