"""PyTorch modules as models: what `torch.export` says of a module, as declarations and equations.

The graph is that of training, made functional, in which layers stay whole (`torch.export.export`, then
`run_decompositions` with an empty table).
"""

from __future__ import annotations

import inspect
import io
import logging
import sys
import sysconfig
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from symbackprop.errors import MissingExtra, ModelError, ShapeError, UsageError, said
from symbackprop.imported.folding import folds, in_place, swapped, with_size
from symbackprop.imported.formulas import (
    CASTS,
    RANDOM,
    Formulas,
    NoSuchOperator,
    below_zero,
    called_by,
    filled,
    has_several,
    inputs_of,
    number,
    whole,
    words,
)
from symbackprop.imported.naming import Names, assigned, parameter_names, place_of
from symbackprop.imported.reading import SIZES, Imported, Reading
from symbackprop.imported.recurrent import CELLS, GATES, Layer, cell, refuse_options, run, whole_layers
from symbackprop.model.model import Model
from symbackprop.model.text import dialect, tree
from symbackprop.model.text.builder import Builder

DEEPEST = 6  # operators that are made of others that are made of others …
VIEWS = words("view reshape transpose permute select slice unsqueeze squeeze expand t getitem unflatten flatten split "
              "chunk unbind split_with_sizes broadcast_tensors expand_as contiguous clone alias")


def from_torch(module: Any, args: Any, *, dynamic_shapes: Any = None, rename: Mapping[str, str] | None = None,
               name: str = "", fold: bool = False) -> Imported:
    """The model that a PyTorch module computes when it is called with ``args`` (a tensor, or a tuple of them).

    ``dynamic_shapes`` says which axes are symbolic, as `torch.export.export` takes it; without it the first two of
    every argument are, where the module allows it, and of images the first. What a module returns is the loss where it
    is one number, otherwise its outputs. ``rename`` has names for parameters, by PyTorch's. With ``fold``, blocks that
    come again and again are a loop, over layers, whose parameters are stacked, or over time.

    Raises `ModelError` for what no model can say, `MissingExtra` without PyTorch.
    """
    return read(module, args, dynamic_shapes=dynamic_shapes, rename=rename, name=name, fold=fold).required()


def read(module: Any, args: Any, *, dynamic_shapes: Any = None, rename: Mapping[str, str] | None = None,
         name: str = "", fold: bool = False) -> Reading:
    """As `from_torch`, with all that cannot be read in place of an error."""
    torch = needed()
    if not isinstance(module, torch.nn.Module):
        raise UsageError(f"a torch.nn.Module is expected, not {module!r:.60}")
    args = tuple(args) if isinstance(args, (list, tuple)) else (args,)
    usual = [*(_first_axes(torch, module, args, count) for count in (2, 1)), None]
    asked = usual if dynamic_shapes is None else [*_with_steps(torch, module, args, dynamic_shapes), dynamic_shapes]
    for shapes in asked:
        reader = partial(_Reader, torch, module, args, shapes, rename=rename or {}, name=name or type(module).__name__,
                         fold=fold)
        for found in _readings(torch, module, args, shapes, reader):
            if found.imported is not None:
                return found
    return found


def _readings(torch: Any, module: Any, args: tuple[Any, ...], shapes: Any, reader: Callable[..., _Reader]
              ) -> Iterator[Reading]:
    """The module with the dimensions that an export has; where these are not what a model needs, with one dimension for
    all axes that are as long in the example."""
    try:
        program = _exported(torch, module, args, shapes)
    except ModelError as error:
        yield Reading({}, [error])
        return
    bounds: dict[str, Any] = {}
    for alike in (False, True):
        found, has_dims = _read_with_parts(torch, program, partial(reader, alike=alike, bounds=bounds))
        yield found
        if not has_dims:
            return


def _read_with_parts(torch: Any, program: Any, reader_of: Callable[[Any], _Reader]) -> tuple[Reading, bool]:
    """A program, in which operators that are none here are made of others, as PyTorch itself has it, as far as it has;
    and whether there are symbolic sizes."""
    table = torch.export.default_decompositions()
    reader = reader_of(program)
    first = found = reader.read()
    for _ in range(DEEPEST):
        parts = {target: table[target] for target in reader.unknown if target in table}
        if not parts:
            break
        with _quiet():
            program = program.run_decompositions(parts)
        reader = reader_of(program)
        found = reader.read()
    return replace(found, operators=first.operators), bool(reader.dims)


def needed() -> Any:
    """PyTorch; raises `MissingExtra` where it is not installed."""
    try:
        return import_module("torch")
    except ImportError:
        raise MissingExtra("reading a PyTorch module needs PyTorch: pip install 'symbackprop[torch]'") from None


def _first_axes(torch: Any, module: Any, args: tuple[Any, ...], count: int) -> Any:
    """Dynamic shapes in which the first axes of every argument are symbolic where the module allows it, those of images
    but for the very first not."""

    def first(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return None
        axes = min(count, 1 if value.ndim > 3 else 2)
        return {k: torch.export.Dim.AUTO for k in range(min(axes, value.ndim)) if value.shape[k] > 1}

    return torch.utils._pytree.tree_map(first, _arguments(module, args))


def _arguments(module: Any, args: tuple[Any, ...]) -> dict[str, Any]:
    """What forward is called with, by its words."""
    try:
        return dict(inspect.signature(module.forward).bind(*args).arguments)
    except TypeError as error:
        raise UsageError(f"{type(module).__name__} is not called with the {len(args)} arguments that are given: {error}"
                         ) from None


def _with_steps(torch: Any, module: Any, args: tuple[Any, ...], shapes: Any) -> Iterator[Any]:
    """Dynamic shapes in which what recurrent layers run over is symbolic too: theirs are loops of any length."""
    if not any(isinstance(part, torch.nn.RNNBase) for part in module.modules()):
        return
    given = _arguments(module, args)
    named = dict(zip(given, shapes, strict=False)) if not isinstance(shapes, Mapping) else shapes

    def more(value: Any, spec: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not isinstance(spec, (Mapping, type(None))):
            return spec
        free = {k: torch.export.Dim.AUTO for k in range(min(2, value.ndim)) if value.shape[k] > 1}
        return free | {axis: dim for axis, dim in (spec or {}).items() if dim is not None}

    yield {word: more(value, named.get(word)) for word, value in given.items()}


class _Reader:
    """One module on its way to a model."""

    def __init__(self, torch: Any, module: Any, args: tuple[Any, ...], shapes: Any, program: Any,
                 rename: Mapping[str, str], name: str, fold: bool, bounds: dict[str, Any], alike: bool = False) -> None:
        self.torch, self.module, self.args, self.shapes, self.program = torch, module, args, shapes, program
        self.fold, self.bounds = fold, bounds
        self.signature, self.nodes = self.program.graph_signature, list(self.program.graph.nodes)
        self.names, self.model = Names(), Model(name)
        self.constants = dict[Any, Any]()  # what nodes compute that depend on nothing
        self.dims = self._dims(alike)
        self.torch_names = parameter_names(module, self.names, rename)
        self.formulas = Formulas(self.dims)
        self.statements = list[tree.Statement]()
        self.lines = list[Any]([None])  # the node of every statement, by its line
        self.values: dict[str, tuple[str, Any]] = {}
        self.problems = list[tuple[Any, ModelError]]()
        self.unknown = dict[Any, None]()  # operators that are none here
        self.passing = set[str]()  # names of what would be read in place, were it not for blocks to be found
        self.unread = list[str]()  # names in place of what is not read
        self.live = self._live()

    def _live(self) -> set[Any]:
        """The nodes that the module's results are made of; what it does to its buffers is none."""
        wanted = {*self.signature.user_outputs}
        found, todo = set[Any](), [n for n in self.nodes if n.name in wanted]
        while todo:
            node = todo.pop()
            if node not in found:
                found.add(node)
                todo += [] if node in self.places else inputs_of(node)
        return found

    # -- declarations
    def _dims(self, alike: bool) -> dict[Any, str]:
        """A name for every symbolic size, the user's where it has one; those that are ``alike`` in the example
        share one."""
        found, sizes = dict[Any, str](), dict[int, str]()
        leaves = self.torch.utils._pytree.tree_leaves(self.args)
        given = dict(_dim_names(self.torch, self.module, self.args, self.shapes))
        steps = {s for n in self.nodes if called_by(n) in CELLS
                 for s in _symbols(n.args[0].meta["val"].shape[bool(n.args[-1])])}
        user = [n for n in self.nodes if n.op == "placeholder" and n.name in self.signature.user_inputs]
        for place, node in enumerate(user):
            for axis, size in enumerate(getattr(node.meta.get("val"), "shape", ())):
                for symbol in _symbols(size):
                    usual = "T" if symbol in steps or axis == 1 else next(n for n in SIZES if n not in self.names.taken)
                    known = sizes.get(leaves[place].shape[axis]) if alike else None
                    if symbol not in found:
                        found[symbol] = known or self.names.free(given.get((place, axis), usual))
                        sizes[leaves[place].shape[axis]] = found[symbol]
        return found

    def read(self) -> Reading:
        for name in dict.fromkeys(self.dims.values()):
            self.say(tree.Named(self.line(), "dim", ((name, None),)))
        self._declare()
        for node in self.nodes:
            if node.op == "call_function":
                self._node(node)
        self._say_results()
        counts = Counter(str(n.target) for n in self.nodes if n in self.live and hasattr(n.target, "_schema"))
        problems = self._build()
        if self.fold and not problems:
            while self._fold():
                pass
            self._make(in_place(self.statements, self.passing))
        return Reading(counts, problems, None if problems else self._imported())

    def _declare(self) -> None:
        specs = {spec.arg.name: spec for spec in self.signature.input_specs if hasattr(spec.arg, "name")}
        given = iter(self.torch.utils._pytree.tree_leaves(self.args))
        state = {**dict(self.module.named_parameters(remove_duplicate=False)),
                 **dict(self.module.named_buffers(remove_duplicate=False))}
        for node in self.nodes:
            if node.op != "placeholder":
                continue
            spec = specs.get(node.name)
            kind = "" if spec is None else spec.kind.name
            if kind == "USER_INPUT" or spec is None:
                self._input(node, next(given))
            else:
                value = state.get(spec.target, self.program.constants.get(spec.target))
                self._array(node, value, kind == "PARAMETER" and value.requires_grad, self._state_name(spec.target))

    def _state_name(self, target: str) -> str:
        if target not in self.torch_names:
            self.torch_names[target] = self.names.free(target.rpartition(".")[2])
        return self.torch_names[target]

    def _input(self, node: Any, value: Any) -> None:
        if isinstance(value, self.torch.Tensor):
            try:
                self._array(node, value, False, self.names.free(node.name))
            except ModelError as error:
                self.problems.append((node, error))
                self.formulas.inline[node] = self._unread(node)
        elif isinstance(value, (bool, int, float)):
            self.formulas.inline[node] = number(value) if not isinstance(value, bool) else tree.Word(value)

    def _array(self, node: Any, value: Any, is_param: bool, name: str) -> None:
        """One declared array; where PyTorch has one tensor under two names, both are one."""
        if node in self.live:
            if name not in self.values:
                self._declared(node, value, is_param, name)
            if name in self.values:
                self.formulas.named[node] = name

    def _declared(self, node: Any, value: Any, is_param: bool, name: str) -> None:
        shape = tuple(self.formulas.value(d) for d in node.meta["val"].shape)
        if node.name not in self.signature.user_inputs and not value.is_floating_point():
            value = self.formulas.places[node] = self._from_the_end(node, value)
            if value.numel() and int(value.min()) < 0:
                return
        below = None if value.is_floating_point() else self._bound(node, value)
        item = tree.ArrayItem(tree.Target(name), shape, below is not None, below)
        self.say(tree.Arrays(self.line(node), "param" if is_param else "data", (item,)))
        self.values[name] = ("params" if is_param else "data", value)

    def _bound(self, node: Any, value: Any) -> tree.Expr:
        """The bound of integers: the size of the axis that they choose from, else what their values show. That axis
        stands in the graph in which operators are whole."""
        if value.dtype is self.torch.bool:
            return whole(2)
        if node.name not in self.bounds:
            self.bounds[node.name] = next(_chosen_from(node), None)
        found = self.bounds[node.name]
        if value.numel() and int(value.min()) < 0:
            raise below_zero(node.name, value)
        if found is not None:
            return self.formulas.value(found)
        return whole(int(value.max()) + 1 if value.numel() else 1)

    def _from_the_end(self, node: Any, value: Any) -> Any:
        """Constant places, those from the end counted from the beginning."""
        size = next(_chosen_from(node), None)
        return self.torch.where(value < 0, value + size, value) if isinstance(size, int) else value

    # -- equations
    def line(self, node: Any = None) -> int:
        """The number of a further line, which comes from a node."""
        self.lines.append(node)
        return len(self.lines) - 1

    def say(self, statement: tree.Statement) -> None:
        self.statements.append(statement)

    def _node(self, node: Any) -> None:
        if hasattr(node.meta.get("val"), "node") or node not in self.live:  # a size, or what no result is made of
            return
        try:
            if node in self.places:
                return self._place(node)
            formula = self._layers(node) or self.formulas.formula(node)
        except ModelError as error:
            self.problems.append((node, error))
            self.unknown |= {node.target: None} if isinstance(error, NoSuchOperator) else {}
            self.formulas.inline[node] = self._unread(node)
            return
        is_short = self._is_inline(node, formula)
        if is_short and not (self.fold and self._is_computed(node, formula)):
            self.formulas.inline[node] = formula
        else:
            name = self.formulas.named[node] = self.names.free("h" if is_short else self._called(node))
            self.passing |= {name} if is_short else set()
            self.say(tree.Equation(self.line(node), "let", tree.Target(name), formula))

    @cached_property
    def places(self) -> set[Any]:
        """Integers that are made of numbers which are no whole ones, all of them known: where others go on from there.
        Such as buckets of distances are."""
        casts = [n for n in self.nodes if called_by(n) in CASTS and not n.meta["val"].dtype.is_floating_point
                 and n.args[0].meta["val"].dtype.is_floating_point]
        found, todo = set[Any](), [n for n in casts if self._known(n) is not None]
        while todo:
            node = todo.pop()
            beyond = [user for user in node.users if self._known(user) is None]
            found |= {node} if beyond and not node.meta["val"].dtype.is_floating_point else set()
            todo += [user for user in node.users if user not in beyond]
        return found

    def _place(self, node: Any) -> None:
        """An array of the module's own, of integers that it computes from nothing that it is given."""
        name, value = self.names.free(self._called(node)), self._known(node)
        self._declared(node, value, False, name)
        if name in self.values:
            self.torch_names[node.name] = self.formulas.named[node] = name
            said = self.statements.pop()
            self.statements.insert(sum(isinstance(s, (tree.Arrays, tree.Named)) for s in self.statements), said)

    def _known(self, node: Any) -> Any:
        """What a node computes from numbers alone; None for what depends on an input, or a symbolic size."""
        if node not in self.constants:
            inputs = [self._known(n) for n in node.all_input_nodes]
            known = node.op == "call_function" and called_by(node) not in RANDOM and not any(v is None for v in inputs)
            try:
                with _quiet():
                    put = dict(zip(node.all_input_nodes, inputs, strict=True))
                    self.constants[node] = node.target(*self._put(node.args, put), **self._put(node.kwargs, put)
                                                       ) if known else None
            except Exception:  # a symbolic size, or what has no code outside of an export
                self.constants[node] = None
        return self.constants[node]

    def _put(self, value: Any, known: Mapping[Any, Any]) -> Any:
        return self.torch.utils._pytree.tree_map(lambda v: known.get(v, v) if hasattr(v, "meta") else v, value)

    def _unread(self, node: Any) -> tree.Expr:
        """Names in place of what a node computes, of which nothing more is said."""
        value = node.meta.get("val")
        fresh = [self.names.free("unread") for _ in (value if isinstance(value, (list, tuple)) else [value])]
        self.unread += fresh
        names = tuple(map(tree.Name, fresh))
        return tree.Tuple(names) if isinstance(value, (list, tuple)) else names[0]

    @cached_property
    def counter(self) -> tree.Name:
        """What loops over time count with."""
        return tree.Name(self.names.free("t"))

    def _layers(self, node: Any) -> tree.Expr | None:
        """A recurrent layer, or a step of one; None for any other node."""
        kind, step = called_by(node), called_by(node).removesuffix("_cell")
        if kind in CELLS:
            return self._loops(node)
        return self._cell(node, step) if step in CELLS else None

    def _cell(self, node: Any, kind: str) -> tree.Expr:
        f = self.formulas
        x, states, *arrays = node.args
        weights = [f.of(a) for a in arrays if a is not None]
        layer = Layer(weights, f.value(arrays[1].meta["val"].shape[-1]), whole(1), False, self.names,
                      self.counter)
        given = [f.of(state) for state in (states if isinstance(states, (list, tuple)) else [states])]
        found = cell(kind, layer, f.of(x), given, lambda: self.line(node), self.say)
        return tree.Tuple(tuple(found)) if len(found) > 1 else found[0]

    def _loops(self, node: Any) -> tree.Expr:
        """A recurrent layer of PyTorch's: its outputs and its last states."""
        kind, f = called_by(node), self.formulas
        x, starts, arrays, has_biases, layers, dropout, train, both, batch_first = node.args
        if not isinstance(starts, (list, tuple)):
            starts = [starts]
        if x.meta["val"].ndim != 3:
            raise ModelError("packed sequences, and such without an axis for the batch, cannot be read")
        refuse_options(dropout, train, layers)
        row, ways, per = f.of(x), 1 + both, 4 if has_biases else 2
        length, size = f.value(x.meta["val"].shape[batch_first]), f.value(arrays[1].meta["val"].shape[0] // GATES[kind])
        per += len(arrays) > layers * ways * per  # a projection of the states
        last: dict[int, list[tree.Expr]] = {k: [] for k in range(len(starts))}
        for k in range(layers):
            row = self._sequence(row, batch_first and k == 0, node)
            found = list[tree.Expr]()
            for way in range(ways):
                number = k * ways + way
                weights = [f.of(a) for a in arrays[number * per : (number + 1) * per]]
                projection = weights.pop() if per % 2 else None
                layer = Layer(weights, size, length, way == 1, self.names, self.counter, projection)
                first = [filled(f.of(start), 1) or tree.Index(f.of(start), (whole(number),)) for start in starts]
                rows, ends = run(kind, layer, row, first, lambda: self.line(node), self.say)
                found.append(rows)
                for place, end in enumerate(ends):
                    last[place].append(end)
            row = found[0] if ways == 1 else tree.Call("concat", tuple(found), (("axis", whole(-1)),))
        row = swapped(row) if batch_first else row
        return tree.Tuple((row, *(tree.Call("stack", tuple(ends), ()) for ends in last.values())))

    def _sequence(self, row: tree.Expr, swap: bool, node: Any) -> tree.Expr:
        """A sequence with a name, its steps along the first axis."""
        row = swapped(row) if swap else row
        if isinstance(row, tree.Name):
            return row
        name = self.names.free("x")
        self.say(tree.Equation(self.line(node), "let", tree.Target(name), row))
        return tree.Name(name)

    def _is_inline(self, node: Any, formula: tree.Expr) -> bool:
        """Whether a node has no line of its own: views, several results, what is read once by a line that goes on."""
        if filled(formula) or isinstance(formula, (tree.Name, tree.Number, tree.Tuple, tree.Word, tree.Negative)):
            return True
        if has_several(node) or called_by(node) in VIEWS:
            return len(node.users) == 1 or has_several(node)
        if any(user.op == "output" for user in node.users):
            return False
        (user, *more) = node.users
        return not more and place_of(user) == place_of(node) and not _layer(node) and tree.count_nodes(formula) < 20

    def _is_computed(self, node: Any, formula: tree.Expr) -> bool:
        """Whether a node that needs no line can have one, so that blocks are alike whatever reads their results."""
        if filled(formula):
            return dialect.INFINITE not in tree.all_parts(formula)
        several = has_several(node)
        return not several and called_by(node) not in VIEWS and isinstance(formula, (tree.Chain, tree.Call, tree.Power))

    def _called(self, node: Any) -> str:
        """What the user's line assigns, where the node is what it computes; else the module's name, or a letter."""
        if any(user.op == "output" for user in node.users):
            return self._result_name(node)
        place = place_of(node)
        names = assigned(place)
        last = not any(place_of(user) == place for user in node.users)
        one = node.args[1] if len(names) > 1 and called_by(node) == "getitem" else 0 if last and len(names) == 1 else -1
        if 0 <= one < len(names) and names[one]:
            return names[one]
        layer = _layer(node)
        return layer.replace("[", "").replace("]", "") if layer else "h"

    @cached_property
    def results(self) -> list[Any]:
        """The nodes of what the module returns."""
        wanted, output = set(self.signature.user_outputs), next(n for n in self.nodes if n.op == "output")
        return [n for n in self.torch.utils._pytree.tree_leaves(output.args) if hasattr(n, "meta") and n.name in wanted]

    @property
    def has_loss(self) -> bool:
        """Whether what the module returns is one number."""
        return len(self.results) == 1 and self.results[0].meta["val"].ndim == 0

    def _result_name(self, node: Any) -> str:
        names = assigned(place_of(node))
        usual = "L" if self.has_loss else "Y"
        return names[0] if len(names) == 1 and names[0] and node.op == "call_function" else usual

    def _say_results(self) -> None:
        """Says which equations are results, as long as these stand in order; others have a line of their own below."""
        word, last, known = "loss" if self.has_loss else "output", -1, set[tree.Expr]()
        for node in self.results:
            value = self.formulas.of(node)
            place = self._place_of(value) if value not in known else None
            if place is not None and place > last and isinstance(value, tree.Name):
                name, last = value.name, place
            else:
                name, value = self._below(node, value, place)
                last = len(self.statements)
            known.add(value)
            self.say(tree.Equation(self.line(node), word, tree.Target(name), value))

    def _place_of(self, value: tree.Expr) -> int | None:
        """Where the equation is that gives a name its value."""
        return next((k for k, s in enumerate(self.statements) if isinstance(s, tree.Equation) and s.keyword == "let"
                     and tree.Name(s.target.name) == value and s.target.index is None), None)

    def _below(self, node: Any, value: tree.Expr, place: int | None) -> tuple[str, tree.Expr]:
        """A result that has a line of its own: the equation itself, where nothing reads it."""
        said = None if place is None else self.statements[place]
        if not isinstance(said, tree.Equation):
            return self.names.free(self._result_name(node)), value
        name = said.target.name
        if any(name in tree.mentioned(s) for s in self.statements):
            return self.names.free(name), value
        self.statements.remove(said)
        return name, said.value

    def _build(self) -> list[ModelError]:
        """Makes the model of the statements; what is wrong, each once."""
        known = [error for _, error in self.problems]
        builder = Builder(self.model, "", self.statements, errors=known, unread=self.unread)
        builder.run()
        errors = [(self.lines[e.line] if e.line else None, e) for e in builder.errors if e not in known]
        for node, error in errors:
            if node is not None and not isinstance(error, ShapeError):
                self.unknown |= {part.target: None for part in self._of_one_line(node)}
        return [*{str(e): e for e in (_told(node, e) for node, e in (*self.problems, *errors))}.values()]

    def _fold(self) -> bool:
        """Writes blocks that are alike as a loop; whether there are such."""
        for found in folds(self.statements, self.passing, [*self.values.keys() & self.torch_names.values()]):
            for way in [with_size(found, everywhere) for everywhere in (False, True)] if found.is_sequence else [found]:
                if self._make(way.statements):
                    self._stack(way.stacks)
                    self.passing = set(way.passing)
                    return True
        return False

    def _make(self, statements: Sequence[tree.Statement]) -> bool:
        """Makes the model of other statements, where it can be made."""
        model = Model(self.model.name)
        builder = Builder(model, "", statements)
        builder.run()
        if not builder.errors:
            self.model, self.statements = model, [*statements]
        return not builder.errors

    def _stack(self, stacks: Mapping[str, Sequence[str]]) -> None:
        """Arrays of single blocks are parts of one array."""
        places = {name: f"{first}[{k}]" for first, names in stacks.items() for k, name in enumerate(names, 1)}
        for first, names in stacks.items():
            kind, _ = self.values[first]
            self.values[first] = (kind, self.torch.stack([self.values.pop(name)[1] for name in names]))
        self.torch_names = {theirs: places.get(ours, ours) for theirs, ours in self.torch_names.items()}

    def _of_one_line(self, node: Any) -> Iterator[Any]:
        """A node with those that are written in its line."""
        yield node
        for part in node.all_input_nodes:
            if part in self.formulas.inline:
                yield from self._of_one_line(part)

    def _imported(self) -> Imported:
        arrays: dict[str, dict[str, Any]] = {"params": {}, "data": {}}
        for name, (kind, value) in self.values.items():
            array = value.detach().cpu().numpy()
            arrays[kind][name] = array.astype("int64") if array.dtype == bool else array.copy()
        self.model._remarks.clear()
        ours = {theirs: name for theirs, name in self.torch_names.items() if name.partition("[")[0] in self.values}
        every = arrays["params"] | arrays["data"]
        weights = {name: every[name] for name in dict.fromkeys(name.partition("[")[0] for name in ours.values())}
        names = {theirs: ours[theirs] for theirs, _ in self.module.named_parameters() if theirs in ours}
        return Imported(self.model, arrays["params"], arrays["data"], names, weights)


def _symbols(size: Any) -> list[Any]:
    """The symbols in a size, those that are none have none."""
    expr = getattr(getattr(size, "node", None), "expr", None)
    return [] if expr is None else sorted(expr.free_symbols, key=str)


def _told(node: Any, error: ModelError) -> ModelError:
    file, line = place_of(node) if node is not None else ("", 0)
    op = str(node.target) if node is not None and node.op == "call_function" else ""
    return type(error)(f"{op}: {error.message}" if op else error.message, f"{file}:{line}" if file else "", near=op)


def _layer(node: Any) -> str:
    """The last word of the module's path, where the node is all of a layer of PyTorch's."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__name__}"
    return str(path).replace(".", "_") if kind.startswith("torch.nn.") else ""


def _chosen_from(node: Any) -> Iterator[Any]:
    """The sizes of axes that integers, or views of them, choose from."""
    for user in node.users:
        args, op = user.args, called_by(user)
        if op == "embedding" and args[1] is node:
            yield args[0].meta["val"].shape[0]
        elif op in ("cross_entropy_loss", "nll_loss_nd", "nll_loss", "nll_loss2d") and args[1] is node:
            logits = args[0].meta["val"]
            yield logits.shape[1 if logits.ndim > 1 else 0]
        elif op == "where" and node in args[1:]:
            yield from _chosen_from(user)
        elif op in ("gather", "index_select", "scatter", "scatter_add") and args[2] is node:
            yield args[0].meta["val"].shape[args[1]]
        elif op == "index" and node in args[1]:
            yield args[0].meta["val"].shape[args[1].index(node)]
        elif op == "one_hot":
            yield args[1]
        elif op in VIEWS:
            yield from _chosen_from(user)


def _exported(torch: Any, module: Any, args: tuple[Any, ...], shapes: Any) -> Any:
    """The exported program of training, functional, its layers whole. It is one of copies: an export of views asks for
    what they are views of."""
    args = torch.utils._pytree.tree_map(lambda a: a.detach().clone() if isinstance(a, torch.Tensor) else a, args)
    try:
        with whole_layers(torch), _quiet():
            program = torch.export.export(module, args, dynamic_shapes=shapes)
            _stop_gradients(torch, program.graph_module)
            return program.run_decompositions({})
    except ModelError as error:
        raise error.at(_where(error)) from None
    except Exception as error:
        raise ModelError(f"torch.export cannot export the module: {_why(error)}", _where(error)) from error


def _stop_gradients(torch: Any, module: Any) -> None:
    """What is computed without gradients, in a graph of its own, is detached from it, which a functional graph would
    forget."""
    for part in [p for p in module.modules() if hasattr(p, "graph")]:
        for node in part.graph.nodes:
            if called_by(node) == "wrap_with_set_grad_enabled" and node.args[0] is False:
                inner = part.get_submodule(node.args[1].target)
                _detach_results(torch, inner)


def _detach_results(torch: Any, module: Any) -> None:
    (output,) = module.graph.find_nodes(op="output")
    with module.graph.inserting_before(output):
        for result in output.all_input_nodes:
            if isinstance(result.meta.get("val"), torch.Tensor):
                detached = module.graph.call_function(torch.ops.aten.detach.default, (result,))
                detached.meta = dict(result.meta)
                output.replace_input_with(result, detached)
    module.recompile()


@contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch warns, logs and prints at length what it also raises."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _why(error: Exception) -> str:
    """What PyTorch says, as far as it says what is wrong, and what may be written instead."""
    lines = [line.strip() for line in said(error).splitlines() if line.strip()]
    name = type(error).__name__
    if "DataDependent" in name or "DynamicOutputShape" in name:
        return f"{lines[0]}; values decide here: write torch.where, or take the decision out of forward"
    more = "; write it with torch's functions" if "numpy()" in lines[0] else ""
    return " ".join(lines[:3]) + more


def _where(error: BaseException) -> str:
    """The line of the user's that an export did not get beyond."""
    stdlib = sysconfig.get_path("stdlib")
    others = [str(Path(sys.modules[name].__file__ or "").parent) for name in ("torch", "sympy", "symbackprop")]
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = [f for f in frames if not f.filename.startswith((stdlib, *others, "<"))]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _dim_names(torch: Any, module: Any, args: tuple[Any, ...], shapes: Any) -> Iterator[tuple[tuple[int, int], str]]:
    """The names that the user's dynamic shapes give to axes of the inputs, in the order of these."""
    if shapes is None:
        return
    given = inspect.signature(module.forward).bind(*args).arguments
    listed = [shapes.get(word) for word in given] if isinstance(shapes, Mapping) else list(shapes)
    place = 0
    for value, spec in zip(given.values(), listed, strict=False):
        for axes in _specs(torch, value, spec):
            for axis, dim in (axes.items() if isinstance(axes, Mapping) else enumerate(axes or ())):
                name = getattr(dim, "__name__", "")
                if name.isidentifier() and name not in ("AUTO", "DYNAMIC", "STATIC"):
                    yield (place, axis), name
            place += 1


def _specs(torch: Any, value: Any, spec: Any) -> Iterator[Any]:
    """What is said of every tensor in an argument."""
    if isinstance(value, torch.Tensor):
        yield spec
    elif isinstance(value, Mapping):
        for key in value:
            yield from _specs(torch, value[key], None if spec is None else spec[key])
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _specs(torch, item, None if spec is None else spec[k])
    else:
        yield None
