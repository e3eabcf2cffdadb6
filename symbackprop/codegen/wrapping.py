"""A module as part of another library: what stands below its lines, in a template of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symbackprop.codegen.program import Program
from symbackprop.codegen.sizes import integer_code
from symbackprop.codegen.tree import Code, index, string, text
from symbackprop.codegen.write import file_stem
from symbackprop.core.shapes import Shape
from symbackprop.errors import UsageError

IMPORTS = {  # of a module that is wrapped, where they are others
    "torch": ("from collections.abc import Iterable", "from functools import reduce", "from typing import Any",
              "", "import numpy as np", "import torch"),
    "shard": ("from functools import partial", "", "import jax", "import jax.numpy as jnp"),
}


def below(program: Program, wrap: str, array: str, hvp: bool) -> str:
    """What stands below the lines of a module. Raises `UsageError` for a model whose sizes its arrays do not show, and
    for one without gradients of all parameters and inputs."""
    from symbackprop.codegen.module import environment

    if program.chosen is not None:
        raise UsageError("a module that is wrapped gives the gradients of all parameters and inputs: leave out wrt")
    fields = _common(program, array) | (_operators(program, hvp) if wrap == "torch" else {})
    found: str = environment().get_template(f"wrap_{wrap}.py.j2").render(fields)
    return found


def _common(program: Program, array: str) -> dict[str, Any]:
    return {"title": program.name, "results": ", ".join(program.result_rows),
            "result": array if len(program.result_rows) == 1 else "dict"}


def _operators(program: Program, hvp: bool) -> dict[str, Any]:
    """The fields of PyTorch's operators, whose arguments have the model's names."""
    given, taken = [*program.params, *program.data], {*program.params, *program.data}
    upstream = [_free(f"upstream_{n}", taken) for n in program.result_rows]
    directions = [_free(f"v_{n}", taken) for n in program.params]
    data, several = [*program.data], len(upstream) > 1
    sought = [n for n in given if n in program.gradients]
    return {
        "operator": f"symbackprop::{file_stem(program.name)}", "several": several, "loss": program.loss is not None,
        "hvp": hvp and sought == [*program.params], "sought": _names(sought), "upstream": _names(upstream),
        "directions": _names(directions), "result": "tuple" if several else "torch.Tensor",
        "returns": "(" + ", ".join(["Tensor"] * len(upstream)) + ")" if several else "Tensor",
        "shapes": [_shape(program, row.shape) for row in program.result_rows.values()],
        "symbolic": any(d.free_symbols for row in program.result_rows.values() for d in row.shape),
        "me": _free("self", taken), "data": "".join(f", {n}: torch.Tensor" for n in data),
        "passed_on": "".join(f", {n}" for n in data),
    }


def _free(word: str, taken: set[str]) -> str:
    while word in taken:
        word += "_"
    taken.add(word)
    return word


def _names(names: Iterable[str]) -> str:
    return _tuple(map(string, names))


def _tuple(items: Iterable[str]) -> str:
    listed = [*items]
    return f"({', '.join(listed)}{',' if len(listed) == 1 else ''})"


def _shape(program: Program, shape: Shape) -> str:
    """A shape in terms of those of the arguments."""

    def size(dim: str) -> Code:
        every = {**program.params, **program.data}
        shown = [(n, k) for n, row in every.items() for k, d in enumerate(row.shape) if d.is_Symbol and d.name == dim]
        if not shown:
            raise UsageError(f"no axis of an argument is {dim}, which the shape of a result needs: give it a number")
        array, axis = shown[0]
        return index(index("shape", array), axis)

    return _tuple(text(integer_code(d, size)) for d in shape)
