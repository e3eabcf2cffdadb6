"""A program as the text of a NumPy module: functions as finished lines, laid out by the template, then checked."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from symbackprop.codegen.buffers import BufferedWriter
from symbackprop.codegen.drawing import initial_lines
from symbackprop.codegen.equations import shape_note
from symbackprop.codegen.helpers import helper_names, identifiers, needed
from symbackprop.codegen.layout import Line, layout, listed
from symbackprop.codegen.literals import (
    dim_literal,
    doc_text,
    model_literal,
    shape_like,
    shape_literal,
    string,
)
from symbackprop.codegen.names import escape
from symbackprop.codegen.numpy import NumpyNotation
from symbackprop.codegen.program import Program
from symbackprop.codegen.sizes import NOTHING, SizePlan, plan_sizes
from symbackprop.codegen.statements import Writer
from symbackprop.core.shapes import Shape
from symbackprop.resources import templates

TEMPLATE = "module.py.j2"
MAX_LISTED = 4  # outputs that a docstring lists by name


def module_text(program: Program, optimizer: Sequence[str] = ()) -> str:
    """The module of a program, with the code of an optimiser. The text has been parsed and its imports checked."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(templates()), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    fields = ModulePrinter(program).fields() | {"optimizer": optimizer}
    text = environment.get_template(TEMPLATE).render(fields)
    return check_module(_with_helpers(text))


HELPERS_PLACE = "# helpers\n"  # the last line of the template


def _with_helpers(text: str) -> str:
    """The helper functions that the text uses, put in their place."""
    texts = needed(sorted(identifiers(text) & helper_names()))
    return text.removesuffix(HELPERS_PLACE) + "\n\n\n".join(texts) + "\n"


def check_module(text: str) -> str:
    """The text itself, once it parses as Python that imports numpy and nothing else."""
    statements: list[ast.stmt] = list(ast.parse(text).body)
    while statements:
        statement = statements.pop()
        wrong = isinstance(statement, ast.ImportFrom)
        wrong |= isinstance(statement, ast.Import) and [a.name for a in statement.names] != ["numpy"]
        if wrong:
            raise AssertionError(f"emitted code imports something else than numpy, in line {statement.lineno}")
        for part in ("body", "orelse", "finalbody", "handlers"):
            statements += getattr(statement, part, [])
    return text


class ModulePrinter:
    """Writes the parts of one module."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.given = {**program.params, **program.data}
        writer = BufferedWriter if program.level > 1 else Writer
        self.forward = writer(program, program.forward).lines()
        self.backward = writer(program, program.backward).lines()
        self.evaluate = Writer(program, program.evaluate).lines()
        self.p = NumpyNotation(program.rows, {}, program.level)

    def fields(self) -> dict[str, Any]:
        p = self.program
        integers = {n: r for n, r in self.given.items() if r.kind == "int"}
        return {
            "title": doc_text(f"{p.name}: {p.summary}" if p.summary else p.name),
            "name": string(p.name),
            "model": model_literal(p.text),
            "params": self.table("PARAMS", {n: shape_literal(r.shape) for n, r in p.params.items()}),
            "data": self.table("DATA", {n: shape_literal(r.shape) for n, r in p.data.items()}),
            "integers": self.table("INTEGERS", {n: dim_literal(r.attr.below) for n, r in integers.items()}),
            "dims": self.table("DIMS", {n: repr(size) for n, size in p.dims.items()}),
            "loss": "None" if p.loss is None else string(p.loss),
            "outputs": None if p.loss is not None else shape_like([string(n) for n in p.outputs]),
            "chosen": None if p.chosen is None else shape_like([string(n) for n in p.chosen]),
            "variables": "every parameter and input" if p.chosen is None else "the arrays that GRADIENTS names",
            "dtype": p.dtype,
            "constants": [f"{p.variables[n]} = {self.p.num(r.attr.value).text}" for n, r in p.constants.items()],
            "hidden": "{" + ", ".join(f"{string(n)}: {size}" for n, size in self.sizes.hidden.items()) + "}",
            "told": self.told(),
            "sizes": listed("sizes = {", self.sizes_shown(), "}"),
            "size_lines": self.sizes.lines,
            "scalars": self.takes_plain_floats(),
            "floats": "given" if p.floats_are_safe else "{name: DTYPE(value) for name, value in given.items()}",
            "forward": [*self.opening(self.forward_lines), *layout(self.forward)],
            "cache": self.cache(),
            "returned": self.result(),
            "backward": [*self.reopening(), *self.incoming(), *layout(self.backward)],
            "unreached": ", ".join(p.unreached),
            "grads": listed("grads = {", [f"{string(n)}: {v}" for n, v in p.gradients.items()], "}"),
            "evaluate": [*self.opening([*layout(self.evaluate), *self.equations()]), *layout(self.evaluate)],
            "equations": self.equations(),
            "initial": initial_lines(p, self.p, list(self.sizes.hidden)),
            "workspace": ", workspace=None" if p.level > 1 else "",
            "passed_on": ", workspace=workspace" if p.level > 1 else "",
            "results": doc_text(", ".join(p.results)) if len(p.results) <= MAX_LISTED else "the outputs",
        }

    def table(self, name: str, items: dict[str, str]) -> list[str]:
        return listed(f"{name} = {{", [f"{string(n)}: {value}" for n, value in items.items()], "}", "")

    # -- sizes
    @cached_property
    def sizes(self) -> SizePlan:
        names = self.backward_names | self.names_read([*self.forward_lines, *layout(self.evaluate)])
        dims = [d for d in self.program.dims if escape(d) in names]
        return plan_sizes(self.given, self.program.dims, dims, self.program.demands)

    def sizes_shown(self) -> list[str]:
        """Entries of the table of sizes that are read off the arrays."""
        return [f"{string(n)}: arrays[{string(a)}].shape[{k}]" for n, (a, k) in self.sizes.shown.items()]

    def told(self) -> str:
        """What the docstring of forward says on sizes that no array shows."""
        sizes = [f"{n} ({'has to be given' if d is None else f'else {d}'})" for n, d in self.sizes.hidden.items()]
        return f"\n\n    dims gives what no array shows: {doc_text(', '.join(sizes))}.\n    " if sizes else ""

    def takes_plain_floats(self) -> bool:
        """Whether there is nothing to check when all that is given are Python floats."""
        scalars = bool(self.given) and not any(r.ndim or r.kind == "int" for r in self.given.values())
        return scalars and None not in self.sizes.hidden.values() and self.program.demands == NOTHING

    # -- opening a function: arrays, sizes
    @cached_property
    def forward_lines(self) -> list[str]:
        """What of forward reads names that have to be unpacked first."""
        return [*layout(self.forward), *self.cache(), *self.result()]

    def opening(self, body: Iterable[str]) -> list[str]:
        """``X = arrays["X"]``, ``N = sizes["N"]`` for what a body reads."""
        names = self.names_read(body)
        arrays = [(self.program.variables[n], r) for n, r in self.given.items()]
        lines = [
            Line(f"{variable} = arrays[{string(row.name or '')}]", shape_note(row.shape))
            for variable, row in arrays
            if variable in names
        ]
        return [*layout(lines), *self.dims_from("sizes", names, str)]

    def dims_from(self, table: str, names: set[str], key: Any) -> list[str]:
        dims = [d for d in self.program.dims if escape(d) in names]
        if not dims:
            return []
        values = ", ".join(f"{table}[{string(key(d))}]" for d in dims)
        return layout([Line(f"{', '.join(map(escape, dims))} = {values}")])

    def names_read(self, body: Iterable[str]) -> set[str]:
        return identifiers("\n".join(body))

    # -- what forward hands on
    @cached_property
    def backward_names(self) -> set[str]:
        return self.names_read([*layout(self.backward), *self.incoming()])

    def cache(self) -> list[str]:
        p, names = self.program, self.backward_names
        items = {v: v for v in p.kept if v in names}
        items |= {escape(d): escape(d) for d in p.dims if escape(d) in names}
        items |= {"dtype": "dtype"} if "dtype" in names else {}
        items |= {"sizes": "sizes", "dtype": "dtype"} if p.level > 1 else {}
        items |= {"dtypes": "dtypes"}
        return listed("cache = {", [f"{string(k)}: {v}" for k, v in items.items()], "}")

    def reopening(self) -> list[str]:
        """Backward unpacks the cache."""
        names, kept = self.backward_names, self.program.kept
        lines = [Line(f"{v} = cache[{string(v)}]", shape_note(row.shape)) for v, row in kept.items() if v in names]
        dims = self.dims_from("cache", names, escape)
        dtype = layout([Line('dtype = cache["dtype"]')]) if "dtype" in names else []
        return [*layout(lines), *dims, *dtype]

    def incoming(self) -> list[str]:
        """The upstream gradients of a layer's outputs, checked."""
        p = self.program
        if p.loss is not None:
            return []
        shapes = {n: self.tuple_of(r.shape) for n, r in p.upstream.items()}
        variables = {n: p.backward.names.get(r.id, escape(r.name or "")) for n, r in p.upstream.items()}
        if len(shapes) == 1:
            ((name, shape),) = shapes.items()
            return layout([Line(f"{variables[name]} = upstream_array({string(name)}, upstream, {shape}, dtype)")])
        table = listed("shapes = {", [f"{string(n)}: {shape}" for n, shape in shapes.items()], "}")
        lines = [Line("upstream = upstream_arrays(upstream, shapes, dtype)")]
        return [*table, *layout([*lines, *[Line(f"{v} = upstream[{string(n)}]") for n, v in variables.items()]])]

    def tuple_of(self, shape: Shape) -> str:
        return shape_like([self.p.dim(d).text for d in shape])

    # -- results
    def result(self) -> list[str]:
        """The return statement of forward."""
        p = self.program
        values = {n: v if self.result_shape(n) else f"dtype.type({v})" for n, v in p.results.items()}
        if len(values) == 1:
            return [f"    return {next(iter(values.values()))}, cache"]
        return listed("return {", [f"{string(n)}: {v}" for n, v in values.items()], "}, cache")

    def result_shape(self, name: str) -> Shape:
        return self.program.result_rows[name].shape

    def equations(self) -> list[str]:
        return listed("return {", [f"{string(n)}: {v}" for n, v in self.program.equations.items()], "}")
