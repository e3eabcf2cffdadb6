"""A model as it was declared: as a page of text, as LaTeX equations, as model text, as JSON.

JSON keys, all always there:

``name summary source tags notes warnings``  strings and lists of strings
``dims``        list of ``{"name", "size"}``; size is null where none is given
``functions``   names of the abstract functions
``data inputs params``  lists of ``{"name", "shape", "below", "stated"}``; shape is a list of sizes as text, below a
                        size or null, stated a word of `STATED` or null
``constants``   list of ``{"name", "value"}``, the value as text
``equations``   list of ``{"name", "keyword", "formula", "shape", "kind", "depth"}`` in order; keyword is let, loss,
                output or for (then the name is the counter, the formula its range), the formula is model text, kind
                float, int or bool, depth how many loops are around
``loss``        its name, or null for a layer;  ``outputs``  names of a layer's outputs
``notation``    LaTeX by name;  ``example``  values by name
``conventions`` ``{"relu0": "0"}``
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from symbackprop.core.graph import STATED, Node
from symbackprop.core.maths import Math, Num, walk
from symbackprop.core.scalars import RELU0, TIES
from symbackprop.core.shapes import dim_text, shape_text, size_of
from symbackprop.model.model import Model, nesting_told
from symbackprop.model.text.write import Writer, to_text
from symbackprop.render.glossary import kinks_of

GAP = "   "


def show(model: Model, form: str = "text") -> str:
    """The model in one of the formats ``text``, ``latex``, ``sbp``, ``json``."""
    with nesting_told(model):
        return FORMATS[form](model)


def _json(model: Model) -> str:
    return json.dumps(as_data(model), indent=2, ensure_ascii=False) + "\n"


def as_data(model: Model) -> dict[str, Any]:
    """The model as plain data; the keys are described above."""
    return {
        "name": model.name,
        "summary": model.summary,
        "source": model.source,
        "tags": list(model.tags),
        "dims": [{"name": name, "size": size} for name, size in model.sizes.items()],
        "functions": list(model.functions),
        "data": [_array(name, row) for name, row in model.data_rows.items()],
        "inputs": [_array(name, row) for name, row in model.inputs.items()],
        "params": [_array(name, row) for name, row in model.params.items()],
        "constants": [{"name": n, "value": _number(model, row)} for n, row in model.constants.items()],
        "equations": _equations(model),
        "loss": None if model.loss_row is None else model.loss_row.name,
        "outputs": list(model.output_rows),
        "notation": dict(model.notation_of),
        "conventions": {"relu0": str(model.graph.relu0)},
        "example": dict(model.example),
        "notes": list(model.notes),
        "warnings": model.warnings(),
    }


def _array(name: str, row: Node) -> dict[str, Any]:
    below = row.attr.below
    bound = None if below is None else dim_text(below)
    return {"name": name, "shape": [dim_text(d) for d in row.shape], "below": bound, "stated": row.attr.stated or None}


def _number(model: Model, row: Node) -> str:
    return Writer(model).notation.text(Num(row.attr.value))


def _equations(model: Model) -> list[dict[str, Any]]:
    return [
        {
            "name": line.name,
            "keyword": line.keyword,
            "formula": line.formula,
            "shape": [dim_text(d) for d in line.row.shape],
            "kind": line.row.kind,
            "depth": line.depth,
        }
        for line in Writer(model).equations()
    ]


# -- text
def _text(model: Model) -> str:
    writer = Writer(model)
    blocks = [
        _title(model),
        _block("dimensions", [[", ".join(n if s is None else f"{n} = {s}" for n, s in model.sizes.items())]]),
        _block("abstract functions", [[", ".join(model.functions)]]),
        _block("data", [_declared(writer, n, row) for n, row in model.data_rows.items()]),
        _block("inputs (their gradients are wanted)", [_declared(writer, n, row) for n, row in model.inputs.items()]),
        _block("parameters", [[*_declared(writer, n, row), _entries(row)] for n, row in model.params.items()]),
        _block("constants", [[n, f"= {_number(model, row)}"] for n, row in model.constants.items()]),
        _block("equations", _equation_cells(writer)),
        _block("conventions", _conventions(model)),
        _block("notes", [[note] for note in (*model.notes, *model.warnings())]),
    ]
    return "\n\n".join(b for b in blocks if b) + "\n"


def _conventions(model: Model) -> list[list[str]]:
    """What holds at the kinks that the model has."""
    said = [x for kink in kinks_of(model) for x in kink]
    has_relu = any(isinstance(x, Math) and RELU0 in walk(x) for x in said)
    relu = [["ReLU'(0)", f"= {model.graph.relu0}"]] if has_relu else []
    ties = [["ties of max and min", "share the gradient equally"]] if TIES in said else []
    return relu + ties


def _title(model: Model) -> str:
    title = f"{model.name}: {model.summary}" if model.summary else model.name
    return title + (f"\nsource: {model.source}" if model.source else "")


def _declared(writer: Writer, name: str, row: Node) -> list[str]:
    bound = "" if row.attr.below is None else f", integers below {dim_text(row.attr.below)}"
    stated = f", {STATED[row.attr.stated]}" if row.attr.stated else ""
    return [writer.spelled(name), shape_text(row.shape) + bound + stated]


def _entries(row: Node) -> str:
    """How many numbers a parameter has, where that is more than its shape says."""
    return f"{dim_text(size_of(row.shape))} entries" if row.shape else ""


def _equation_cells(writer: Writer) -> list[list[str]]:
    lines = writer.equations()
    return [[line.text, "" if line.keyword == "for" else shape_text(line.row.shape)] for line in lines]


def _block(title: str, rows: Iterable[Sequence[str]]) -> str:
    """A heading and aligned columns; nothing when there are no rows."""
    table = [list(row) for row in rows if any(row)]
    if not table:
        return ""
    columns = max(len(row) for row in table)
    widths = [max((len(row[k]) for row in table if k < len(row)), default=0) for k in range(columns)]
    widths = [min(w, 72) for w in widths]
    lines = [GAP.join(cell.ljust(w) for cell, w in zip(row, widths, strict=False)).rstrip() for row in table]
    return "\n".join([title, *["  " + line for line in lines]])


# -- LaTeX
def _latex(model: Model) -> str:
    """The equations, for a document that loads amsmath."""
    from symbackprop.render.notebook import model_rows

    return "\\begin{align*}\n" + " \\\\\n".join(model_rows(model)) + "\n\\end{align*}\n"


FORMATS: dict[str, Callable[[Model], str]] = {"text": _text, "latex": _latex, "sbp": to_text, "json": _json}
