"""PyTorch's recurrent layers as loops over time: a step of each kind of cell, layers upon layers, both directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp

from symbackprop.errors import ModelError
from symbackprop.imported.formulas import times
from symbackprop.imported.naming import Names
from symbackprop.model.text import tree


@dataclass(frozen=True)
class Layer:
    """One direction of one layer: the arrays that it is made of and how it is told apart from others. ``sizes`` is how
    many entries its state has, ``length`` how many steps there are."""

    weights: Sequence[tree.Expr]  # of the input, of the state, and a bias of each where there are biases
    size: tree.Expr
    length: tree.Expr
    backwards: bool
    names: Names
    step: tree.Name  # the counter of the loop
    projection: tree.Expr | None = None  # of the state that an LSTM hands on

    @property
    def before(self) -> tree.Expr:
        """The step whose state this one goes on from."""
        return tree.Chain(self.step, (("+" if self.backwards else "-", tree.ONE),))

    @property
    def first(self) -> tree.Expr:
        """The place of the initial state."""
        if not self.backwards:
            return tree.ZERO
        if isinstance(self.length, tree.Number):
            return tree.Number(self.length.value + 1)
        return tree.Chain(self.length, (("+", tree.ONE),))

    def of_input(self, x: tree.Expr) -> tree.Expr:
        return _affine(x, self.weights[0], self.weights[2:3])

    def of_state(self, state: tree.Expr) -> tree.Expr:
        return _affine(state, self.weights[1], self.weights[3:4])

    def part(self, row: tree.Expr, place: int) -> tree.Expr:
        """One of the gates that are computed together."""
        start, stop = (times(self.size, k) for k in (place, place + 1))
        return tree.Index(row, (tree.Slice(None, None, None), tree.Slice(start, stop, None)))


def _affine(row: tree.Expr, weight: tree.Expr, bias: Sequence[tree.Expr]) -> tree.Expr:
    return tree.Chain(row, (("@", tree.Transpose(weight)), *(("+", b) for b in bias)))


def _add(a: tree.Expr, b: tree.Expr) -> tree.Expr:
    return tree.Chain(a, (("+", b),))


def _times_entries(*factors: tree.Expr) -> tree.Expr:
    return tree.Chain(factors[0], tuple(("*", factor) for factor in factors[1:]))


def _called(function: str, argument: tree.Expr) -> tree.Expr:
    return tree.Call(function, (argument,), ())


Lines = Iterator[tuple[str, tree.Expr]]  # of the body of a loop: a name, which gets the step's index, and a formula
Row = Callable[[str], tree.Expr]  # what a name of the body is at this step


def _plain(function: str) -> Callable[[Layer, tree.Expr, Sequence[tree.Expr], Row], Lines]:
    """h = tanh(x Wᵀ + b + h Uᵀ + c)"""

    def lines(layer: Layer, x: tree.Expr, states: Sequence[tree.Expr], row: Row) -> Lines:
        yield "h", _called(function, _add(layer.of_input(x), layer.of_state(states[0])))

    return lines


def _lstm(layer: Layer, x: tree.Expr, states: Sequence[tree.Expr], row: Row) -> Lines:
    """The gates i, f, g, o, then c = f·c + i·g and h = o·tanh(c) (Hochreiter and Schmidhuber 1997)."""
    h, c = states
    yield "z", _add(layer.of_input(x), layer.of_state(h))
    for place, gate in enumerate("ifgo"):
        yield gate, _called("tanh" if gate == "g" else "sigmoid", layer.part(row("z"), place))
    yield "c", _add(_times_entries(row("f"), c), _times_entries(row("i"), row("g")))
    state = _times_entries(row("o"), _called("tanh", row("c")))
    yield "h", state if layer.projection is None else _affine(state, layer.projection, ())


def _gru(layer: Layer, x: tree.Expr, states: Sequence[tree.Expr], row: Row) -> Lines:
    """The gates r and z, then n = tanh(x part + r·(h part)) and h = (1 − z)·n + z·h (Cho et al. 2014)."""
    (h,) = states
    yield "a", layer.of_input(x)
    yield "b", layer.of_state(h)
    for place, gate in enumerate("rz"):
        yield gate, _called("sigmoid", _add(layer.part(row("a"), place), layer.part(row("b"), place)))
    yield "n", _called("tanh", _add(layer.part(row("a"), 2), _times_entries(row("r"), layer.part(row("b"), 2))))
    kept = tree.Chain(tree.ONE, (("-", row("z")),))
    yield "h", _add(_times_entries(kept, row("n")), _times_entries(row("z"), h))


CELLS = {"lstm": _lstm, "gru": _gru, "rnn_tanh": _plain("tanh"), "rnn_relu": _plain("relu")}
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}  # the rows of weights for one entry of the state
STATES = {"lstm": ("h", "c")}  # of all others h alone


def run(kind: str, layer: Layer, x: tree.Expr, starts: Sequence[tree.Expr], line: Callable[[], int],
        say: Callable[[tree.Statement], None]) -> tuple[tree.Expr, list[tree.Expr]]:
    """Says the loop of one direction of one layer over the sequence ``x``, T×N×E, whose states begin at ``starts``.
    Gives its outputs, T×N×H, and its last states."""
    called: dict[str, str] = {}

    def name(word: str) -> str:
        if word not in called:
            called[word] = layer.names.indexed(word)
        return called[word]

    def at(word: str, place: tree.Expr) -> tree.Expr:
        return tree.Index(tree.Name(name(word)), (place,))

    words = STATES.get(kind, ("h",))
    for word, start in zip(words, starts, strict=True):
        say(tree.Equation(line(), "let", tree.Target(name(word), layer.first), start))
    here = tree.Index(x, (layer.step,))
    states = [at(word, layer.before) for word in words]
    lines = CELLS[kind](layer, here, states, lambda word: at(word, layer.step))
    body = tuple(tree.Equation(line(), "let", tree.Target(name(word), layer.step), formula) for word, formula in lines)
    ends = (layer.length, tree.ONE) if layer.backwards else (tree.ONE, layer.length)
    say(tree.For(line(), layer.step.name, ends[0], ends[1], body))
    return _stacked(at, layer.length), [at(word, ends[1]) for word in words]


def _stacked(at: Callable[[str, tree.Expr], tree.Expr], length: tree.Expr) -> tree.Expr:
    """The outputs of all steps."""
    if isinstance(length, tree.Number):
        return tree.Call("stack", tuple(at("h", tree.Number(sp.Integer(k + 1))) for k in range(int(length.value))), ())
    whole = at("h", tree.ONE)
    assert isinstance(whole, tree.Index)
    return whole.base


_SCHEMA = ("(Tensor input, {hx} hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, "
           "bool bidirectional, bool batch_first) -> ({results})")


@cache
def _whole(torch: Any, kind: str) -> Any:
    """An operator that stands for PyTorch's own, whose steps an export would count."""
    states = len(STATES.get(kind, ("h",)))
    hx, results = "Tensor[]" if states > 1 else "Tensor", ", ".join(["Tensor"] * (1 + states))
    name = f"symbackprop::{kind}"
    torch.library.define(name, _SCHEMA.format(hx=hx, results=results))

    def shapes(x: Any, hx: Any, params: Any, has_biases: bool, layers: int, dropout: float, train: bool, both: bool,
               batch_first: bool) -> Any:
        starts = hx if states > 1 else [hx]
        return x.new_empty((*x.shape[:-1], starts[0].shape[-1] * (1 + both))), *map(torch.empty_like, starts)

    torch.library.register_fake(name)(shapes)
    return getattr(torch.ops.symbackprop, kind)


@cache
def _gaussian_nll(torch: Any) -> Any:
    """PyTorch's loss without its look at the values of the variance, which no graph can have."""
    torch.library.define("symbackprop::gaussian_nll", "(Tensor input, Tensor target, Tensor var, float eps) -> Tensor")
    torch.library.register_fake("symbackprop::gaussian_nll")(lambda input, target, var, eps: input - target + var)

    def loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
        var = var if isinstance(var, torch.Tensor) else torch.full_like(input, var)
        var = var.unsqueeze(-1) if var.shape != input.shape and var.ndim == input.ndim - 1 else var
        each = torch.ops.symbackprop.gaussian_nll(input, target, var, eps)
        each = each + math.log(2 * math.pi) / 2 if full else each
        return each if reduction == "none" else each.sum() if reduction == "sum" else each.mean()

    return loss


@cache
def _ctc_loss(torch: Any) -> Any:
    """PyTorch's loss, whose steps an export cannot count: lengths are numbers or integers of the data."""
    torch.library.define("symbackprop::ctc", "(Tensor log_probs, Tensor targets, Tensor input_lengths, "
                         "Tensor target_lengths, int blank, bool zero_infinity) -> Tensor")
    torch.library.register_fake("symbackprop::ctc")(
        lambda logs, targets, steps, lengths, blank, zero_infinity: logs.new_empty(logs.shape[1:-1]))

    def loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: str = "mean", zero_infinity: bool = False) -> Any:
        batch = log_probs.shape[1:-1]
        rows = targets if targets.ndim > log_probs.ndim - 2 else _padded(torch, targets, target_lengths)
        steps, lengths = (torch.as_tensor(n).reshape(batch) for n in (input_lengths, target_lengths))
        each = torch.ops.symbackprop.ctc(log_probs, rows.reshape((*batch, -1)), steps, lengths, blank, zero_infinity)
        each = each / lengths.clamp(min=1) if reduction == "mean" else each
        return each if reduction == "none" else each.mean() if reduction == "mean" else each.sum()

    return loss


def _padded(torch: Any, targets: Any, lengths: Any) -> Any:
    """Labels that stand one sequence after the other, as rows."""
    if isinstance(lengths, torch.Tensor):
        raise ModelError("where the labels of one sequence end and those of the next begin is not known: give ctc_loss "
                         "a row of targets for every sequence, or target_lengths as a tuple of numbers")
    parts = targets.split([*lengths])
    return torch.stack([torch.nn.functional.pad(part, (0, max(lengths) - len(part))) for part in parts])


def _refuse_packed(*args: Any) -> Any:
    raise ModelError("packed sequences cannot be read: give padded arrays, and a mask that keeps the state where a "
                     "sequence has ended, h = where(mask, new, h)")


def _as_told(mask: Any, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Whether a mask is that of causality, which PyTorch finds out from its values; as any other it gives the same."""
    return bool(is_causal)


def _refuse_backward(function: type, *args: Any, **options: Any) -> Any:
    raise ModelError(f"{function.__name__} is a torch.autograd.Function, whose backward pass is its own: write its "
                     "forward as a plain function; `symbackprop check` holds its backward against a derived one")


@contextmanager
def whole_layers(torch: Any) -> Iterator[None]:
    """Recurrent layers are one operator each, whose number of steps can be symbolic, and so is a loss that an export
    cannot look into. The best order of an einsum, which depends on numbers, is not looked for."""
    instead = [*((torch._VF, kind, _whole(torch, kind)) for kind in CELLS),
               (torch.nn.functional, "gaussian_nll_loss", _gaussian_nll(torch)),
               (torch.nn.functional, "ctc_loss", _ctc_loss(torch)),
               (torch._VF, "_pack_padded_sequence", _refuse_packed),
               (torch.nn.modules.transformer, "_detect_is_causal_mask", _as_told),
               (torch.autograd.Function, "apply", classmethod(_refuse_backward)),
               (torch.backends.opt_einsum, "enabled", False)]
    kept = [(module, name, vars(module).get(name, getattr(module, name))) for module, name, _ in instead]
    try:
        for module, name, function in instead:
            setattr(module, name, function)
        yield
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def cell(kind: str, layer: Layer, x: tree.Expr, states: Sequence[tree.Expr], line: Callable[[], int],
         say: Callable[[tree.Statement], None]) -> list[tree.Expr]:
    """Says one step of a cell, and gives the states after it."""
    called: dict[str, str] = {}
    for word, formula in CELLS[kind](layer, x, states, lambda word: tree.Name(called[word])):
        called[word] = layer.names.free(word)
        say(tree.Equation(line(), "let", tree.Target(called[word]), formula))
    return [tree.Name(called[word]) for word in STATES.get(kind, ("h",))]


def refuse_options(dropout: float, train: bool, layers: int) -> None:
    if dropout and train and layers > 1:
        raise ModelError("dropout is random: call .eval() on the module, or set it to 0")
