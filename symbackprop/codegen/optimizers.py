"""The constant ``OPTIMIZER`` and the functions ``init_state`` and ``update`` of a module: an optimiser's equations,
applied to every parameter."""

from __future__ import annotations

from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.equations import Equation
from symbackprop.codegen.program import variable
from symbackprop.codegen.tree import Line, assign, layout, listed, shape_like
from symbackprop.model.optimizers import Optimizer, optimizer, update_model

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
