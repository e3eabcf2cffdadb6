"""What a module has beside its passes: an optimiser, and below its lines, each in a template of its own, what makes it
a part of another library, or a training step over many devices."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.equations import Equation
from symbackprop.codegen.module import ModulePrinter, environment, names_in, told
from symbackprop.codegen.program import Program, is_plain, variable
from symbackprop.codegen.sizes import SizePlan
from symbackprop.codegen.torch import DEVICE
from symbackprop.codegen.tree import (
    Code,
    Line,
    as_code,
    assign,
    attribute,
    call,
    dictionary,
    index,
    layout,
    listed,
    names_line,
    shape_like,
    string,
    text,
)
from symbackprop.codegen.tree import name as loaded
from symbackprop.core.graph import Node
from symbackprop.core.loops import Loop
from symbackprop.core.shapes import dim_text, shape_text
from symbackprop.errors import UsageError, did_you_mean
from symbackprop.files import file_stem
from symbackprop.model.model import Model
from symbackprop.model.optimizers import Optimizer, optimizer, update_model

IMPORTS = {  # of a module that is wrapped, where they are others
    "torch": ("from collections.abc import Iterable", "from functools import reduce", "from typing import Any",
              "", "import torch"),
    "shard": ("from functools import partial", "", "import jax", "import jax.numpy as jnp"),
}
MOST = 64  # arguments of an operator


def below(made: ModulePrinter, wrap: str, hvp: bool) -> str:
    """What stands below the lines of a module. Raises `UsageError` for a model whose sizes its arrays do not show, and
    for one without gradients of all parameters and inputs."""
    program = made.program
    if program.chosen is not None:
        raise UsageError("a module that is wrapped gives the gradients of all parameters and inputs: leave out wrt")
    fields = _common(made) | (Operators(made).fields(hvp) if wrap == "torch" else {})
    found: str = environment().get_template(f"wrap_{wrap}.py.j2").render(fields)
    return found


def _common(made: ModulePrinter) -> dict[str, Any]:
    results = made.program.result_rows
    return {"title": made.program.name, "results": told(results), "rng": made.drawing(),
            "result": made.array if len(results) == 1 else "dict"}


class Operators:
    """PyTorch's operators of a module, whose arguments have the model's names."""

    def __init__(self, made: ModulePrinter) -> None:
        self.made, self.program = made, made.program
        self.taken = {*self.program.params, *self.program.data}
        hidden = [n for n, size in made.sizes.hidden.items() if size is None]
        if hidden:
            raise UsageError(f"no axis of an argument is {hidden[0]}, which the module needs: give it a number")
        if len(self.taken) + len(self.program.result_rows) + 1 > MOST:
            raise UsageError(f"an operator of PyTorch takes {MOST} arguments at most, and {self.program.name} has "
                             f"{len(self.taken)} arrays: take the target torch without a wrap")
        given = {row.id: n for n, row in made.given.items()}
        handed = {v: row for v, row in self.program.kept.items() if v in made.backward_names}
        self.leaves = {v: given[row.id] for v, row in handed.items() if row.id in given}
        self.numbers = {v: row for v, row in handed.items() if is_plain(row)}
        self.kept = {v: row for v, row in handed.items() if v not in self.leaves and v not in self.numbers}

    def fields(self, hvp: bool) -> dict[str, Any]:
        """Those of the template."""
        program: Program = self.program
        results, data = program.result_rows, [*program.data]
        sought = [n for n in self.made.given if n in program.gradients]
        several, returned = len(results) > 1, len(results) + len(self.kept)
        tensors = f"""f"({{', '.join(['Tensor'] * {returned})}})\"""" if returned > 1 else '"Tensor"'
        tuples = {"SOUGHT": sought, "RESULTS": [*results], "KEPT": [*self.kept],
                  "UPSTREAM": [self.free(f"upstream_{n}") for n in results]}
        rebuilt, me, result = self.rebuilt(), self.free("self"), "tuple" if several else "torch.Tensor"
        given, arguments = {n: loaded(n) for n in data}, [me, *[f"{n}: torch.Tensor" for n in data]]
        return {
            "operator": f"symbackprop::{file_stem(program.name)}", "several": several, "tuple": returned > 1,
            "hvp": hvp and sought == [*program.params],
            "tuples": [line for word, names in tuples.items() for line in names_line(word, names)],
            "kept_argument": string(self.free("kept")), "directions": string(self.free("v")),
            "result": result,
            "returned": "tuple" if returned > 1 else "torch.Tensor", "returns": tensors,
            "rebuilt": layout(rebuilt), "placed": DEVICE in names_in(rebuilt),
            "shapes": layout(self.shapes([*results.values(), *self.kept.values()])),
            "me": me, "head": listed("def forward(", arguments, f") -> {result}:"),
            "applied": layout([Line(ast.Return(call("apply", loaded("params"), dictionary(given))))], 2),
        }

    def rebuilt(self) -> list[Line]:
        """The cache, of ``arrays``, ``kept``, ``sizes`` and their dtypes."""
        lines = [Line(assign(v, index("arrays", n))) for v, n in self.leaves.items()]
        lines += [Line(assign(v, index("kept", k))) for k, v in enumerate(self.kept)]
        numbers = [Line(assign(v, self.made.p.row(row).code)) for v, row in self.numbers.items()]
        handed = self.made.handed_on()
        return [*lines, *self.made.sizes_from(loaded("sizes"), names_in([*numbers, *handed])), *numbers, *handed]

    def shapes(self, rows: Iterable[Node]) -> list[Line]:
        """The list ``shapes``: shape and dtype of each row."""
        p = self.made.p
        pairs: list[Code] = [as_code((as_code(p.dims(row.shape)), p.dtype_of(row.kind))) for row in rows]
        whole = Line(assign("shapes", pairs))
        return [*self.made.sizes_from(loaded("sizes"), names_in([whole])), whole]

    def free(self, word: str) -> str:
        """A word that no argument is called."""
        while word in self.taken:
            word += "_"
        self.taken.add(word)
        return word


# -- the constant ``OPTIMIZER`` and the functions ``init_state`` and ``update``: an optimiser's equations, applied to
# every parameter
LEVEL = 1


def optimizer_lines(name: str, target: type[Arrays]) -> list[str]:
    """The code of an optimiser, to be appended to a module."""
    record = optimizer(name)
    return [f'OPTIMIZER = "{name}"', "", "", *_init_state(record, target.module), "", "", *_update(record, target)]


def _init_state(record: Optimizer, np: str) -> list[str]:
    slots = [f'"{s}": {{name: {np}.zeros_like(w) for name, w in params.items()}}' for s in record.state]
    entries = [*(['"k": 0'] if record.counts else []), *slots]
    return [
        "def init_state(params: dict) -> dict:",
        f'    """The state of {record.title} before the first step."""',
        *(["    params = as_floats(params, DTYPE)"] if record.state else []),
        *_dictionary("return", entries),
    ]


def _dictionary(head: str, entries: list[str]) -> list[str]:
    if not entries:
        return [f"    {head} {{}}"]
    return [f"    {head} {{", *[f"        {e}," for e in entries], "    }"]


def _update(record: Optimizer, target: type[Arrays]) -> list[str]:
    np = target.module
    options = [f"{k}: float = {v!r}" for k, v in record.hyperparameters.items()]
    named = shape_like([*(['"k"'] if record.counts else []), *[f'"{s}"' for s in record.state]])
    kept = [f'"{s}": fitting(state["{s}"], taken, PARAMS, "{s}")' for s in record.state]
    source = f" ({record.source})" if record.source else ""
    return [
        *listed("def update(", ["params: dict", "grads: dict", "state: dict", *options], ") -> tuple[dict, dict]:", ""),
        f'    """One step of {record.title}{source}.',
        "",
        '    Returns new parameters and a new state; the given ones are not changed."""',
        f'    check_names(state, {named}, "state")',
        "    params = as_floats(params, DTYPE)",
        '    grads = fitting(grads, params, PARAMS, "grads", needed=False)',
        *(["    taken = {name: w for name, w in params.items() if name in grads}"] if record.state else []),
        *(['    k = state["k"] + 1'] if record.counts else []),
        *_dictionary("new_state: dict =", [*(['"k": k'] if record.counts else []), *kept]),
        "    new_params = dict(params)",
        "    for name, w in params.items():",
        "        if name not in grads:",
        "            continue",
        "        g = grads[name]",
        *[f'        {s} = new_state["{s}"][name]' for s in record.state],
        *_equations(record, target),
        *[f'        new_state["{s}"][name] = {s}_new' for s in record.state],
        f"        new_params[name] = {np}.asarray(w_new, dtype=w.dtype)",
        "    return new_params, new_state",
    ]


def _equations(record: Optimizer, target: type[Arrays]) -> list[str]:
    model = update_model(record.name)
    names = {row.id: name for name, row in model.graph.names.items()}
    exprs = {row.id: variable(name, row) for name, row in model.graph.names.items()}
    code, equation = target(exprs, LEVEL), Equation(names)
    return layout([Line(assign(name, code.row(row).code), equation.right(row), depth=1, left=name)
                   for name, row in model.equations.items()])


# -- a training step over many devices: how arrays are split over a mesh of JAX, said by dimension or by axis
DATA_PARALLEL = "data"  # the axis of a mesh along which a batch is split where nothing is said
WAY = "--shard takes N=data,W.1=model: a dimension, or an array and the number of its axis, and an axis of the mesh"


def read_sharding(text: str) -> dict[str, str]:
    """``N=data,W.1=model`` as a table; a `UsageError` says what is no such thing."""
    items = [item.partition("=") for item in text.split(",") if item.strip()]
    wrong = next((name for name, sign, along in items if not (sign and name.strip() and along.strip())), None)
    if wrong is not None:
        raise UsageError(f"{WAY}; {wrong.strip()!r} says no axis")
    found: dict[str, str] = {}
    for split, along in [(split.strip(), along.strip()) for split, _, along in items]:
        if found.setdefault(split, along) != along:
            raise UsageError(f"{split} is split along {found[split]} and along {along}: say one")
    return found


def specs(program: Program, model: Model, said: Mapping[str, str]) -> dict[str, tuple[str | None, ...]]:
    """The axis of the mesh, or None, for each axis of every parameter and datum. What is said of an axis of an array
    counts for that array alone, for which the dimensions then say nothing."""
    arrays = {**program.params, **program.data}
    dims = {name: along for name, along in said.items() if name in program.dims}
    own: dict[str, dict[int, str]] = {}
    for split, along in said.items():
        if split not in dims:
            array, axis = _axis_of(split, arrays, program)
            own.setdefault(array, {})[axis] = along
    dims = dims or ({} if said else {_batch(arrays, model): DATA_PARALLEL})
    found = {n: _spec(row, dims, own.get(n)) for n, row in arrays.items()}
    for n, spec in found.items():
        _require_once(n, arrays[n], spec)
    return found


def _axis_of(said: str, arrays: Mapping[str, Node], program: Program) -> tuple[str, int]:
    """The array and the axis that W.1 names."""
    name, dot, axis = said.rpartition(".")
    if not dot:
        raise UsageError(f"{WAY}; {said} is {_no_dimension(said, arrays, program)}")
    if name not in arrays:
        raise UsageError(f"no parameter or datum {name!r} to split.{did_you_mean(name, arrays)}")
    shape = arrays[name].shape
    if not axis.isdecimal() or int(axis) >= len(shape):
        raise UsageError(f"{said}: {name} has {len(shape)} axes, {shape_text(shape)}, which are counted from 0")
    return name, int(axis)


def _no_dimension(said: str, arrays: Mapping[str, Node], program: Program) -> str:
    if said in arrays:
        return f"an array: say {said}.0 for its first axis"
    return f"no dimension of {program.name}.{did_you_mean(said, program.dims)}"


def _batch(arrays: Mapping[str, Node], model: Model) -> str:
    """The dimension to split where nothing is said: one of all data but numbers, not of parameters or loops."""
    loops = {str(r.attr.length) for r in model.graph.topological(model.results()) if isinstance(r.attr, Loop)}
    shown = {n: [str(d) for d in row.shape] for n, row in arrays.items()}
    data = [shape for n, shape in shown.items() if n not in model.params and shape]
    whole = {d for n, shape in shown.items() if n in model.params for d in shape} | loops
    found = [d for d in (data[0] if data else []) if d in model.sizes and d not in whole and all(d in s for s in data)]
    if not found:
        raise UsageError("no dimension is one of all data and of no parameter: say it, as in --shard N=data")
    return found[0]


def _spec(row: Node, dims: Mapping[str, str], own: Mapping[int, str] | None) -> tuple[str | None, ...]:
    if own is not None:
        return tuple([own.get(k) for k in range(row.ndim)])
    return tuple([dims.get(dim_text(d)) for d in row.shape])


def _require_once(name: str, row: Node, spec: tuple[str | None, ...]) -> None:
    """An array is split along an axis of the mesh once."""
    twice = next((along for k, along in enumerate(spec) if along and along in spec[:k]), None)
    if twice:
        raise UsageError(f"{name}: {shape_text(row.shape)} would be split along {twice} twice: say of one axis, as in "
                         f"--shard {name}.{spec.index(twice)}={twice}")


def step_below(program: Program, model: Model, said: Mapping[str, str], sizes: SizePlan) -> str:
    """What stands below the lines of a module. Raises `UsageError` for a model that has no training step, and for what
    cannot be split."""
    if program.loss is None:
        raise UsageError(f"--shard writes a training step, which needs a loss; {program.name} has outputs")
    if program.chosen is not None:
        raise UsageError("a training step takes the gradients of all parameters: leave out wrt")
    hidden = [n for n, size in sizes.hidden.items() if size is None]
    if hidden:
        raise UsageError(f"no array shows {hidden[0]}, which a training step needs: give it a number, as --dim does")
    made = attribute(attribute("jax", "sharding"), "PartitionSpec")
    items = [f"{string(n)}: {text(call(made, *spec))}" for n, spec in specs(program, model, said).items()]
    fields = {"title": program.name, "loss": program.loss, "specs": listed("SPECS = {", items, "}", "")}
    found: str = environment().get_template("shard_jax.py.j2").render(fields)
    return found
