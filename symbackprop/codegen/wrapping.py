"""A module as part of another library: what stands below its lines, in a template of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from symbackprop.codegen.module import ModulePrinter, environment, names_in, told
from symbackprop.codegen.program import Program, is_plain
from symbackprop.codegen.torch import DEVICE
from symbackprop.codegen.tree import (
    Code,
    Line,
    as_code,
    assign,
    call,
    dictionary,
    index,
    layout,
    listed,
    name,
    names_line,
    string,
)
from symbackprop.core.graph import Node
from symbackprop.errors import UsageError
from symbackprop.files import file_stem

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
        given, arguments = {n: name(n) for n in data}, [me, *[f"{n}: torch.Tensor" for n in data]]
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
            "applied": layout([Line(ast.Return(call("apply", name("params"), dictionary(given))))], 2),
        }

    def rebuilt(self) -> list[Line]:
        """The cache, of ``arrays``, ``kept``, ``sizes`` and their dtypes."""
        lines = [Line(assign(v, index("arrays", n))) for v, n in self.leaves.items()]
        lines += [Line(assign(v, index("kept", k))) for k, v in enumerate(self.kept)]
        numbers = [Line(assign(v, self.made.p.row(row).code)) for v, row in self.numbers.items()]
        handed = self.made.handed_on()
        return [*lines, *self.made.sizes_from(name("sizes"), names_in([*numbers, *handed])), *numbers, *handed]

    def shapes(self, rows: Iterable[Node]) -> list[Line]:
        """The list ``shapes``: shape and dtype of each row."""
        p = self.made.p
        pairs: list[Code] = [as_code((as_code(p.dims(row.shape)), p.dtype_of(row.kind))) for row in rows]
        whole = Line(assign("shapes", pairs))
        return [*self.made.sizes_from(name("sizes"), names_in([whole])), whole]

    def free(self, word: str) -> str:
        """A word that no argument is called."""
        while word in self.taken:
            word += "_"
        self.taken.add(word)
        return word
