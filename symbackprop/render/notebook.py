"""What expressions, models and derivations look like in a notebook: LaTeX, and HTML with MathML; a derivation as a
notebook's file, and `%%sbp`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from symbackprop.core.graph import STATED, Graph, Node
from symbackprop.core.loops import Loop
from symbackprop.core.maths import Math, Option, Range, Shape, Sym
from symbackprop.core.names import unplaced
from symbackprop.core.shapes import dim_text
from symbackprop.derive import derive
from symbackprop.derive.steps import Derivation
from symbackprop.errors import SymbackpropError, as_notes
from symbackprop.model.model import Model
from symbackprop.model.names import check_notation
from symbackprop.model.text import to_text
from symbackprop.render.axes import AxisLetters
from symbackprop.render.board import build_document
from symbackprop.render.document import Document
from symbackprop.render.html import to_fragment
from symbackprop.render.markdown import to_markdown
from symbackprop.render.print.latex import latex
from symbackprop.render.print.mathml import mathml
from symbackprop.render.rows import Rows

LARGE = 40  # rows that one formula may contain; larger ones are cut into named parts


class Shown(NamedTuple):
    """A line: an equation, or a formula alone; beside it a shape; indented by the loops around it."""

    left: Math | None
    right: Math
    shape: Shape | None = None
    depth: int = 0


# ---------------------------------------------------------------- a notebook as a file, and a cell of one


def to_notebook(document: Document, model: Model) -> str:
    """A notebook (format 4): the model as code, its derivation as text, and its check."""
    made = f"from symbackprop import Model, verify\n\nmodel = Model.parse({_literal(to_text(model))})"
    check = "print(verify(model).text())"
    cells = [_cell("code", made), _cell("markdown", to_markdown(document)), _cell("code", check)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4},
                      ensure_ascii=False, indent=1)


def _cell(kind: str, text: str) -> dict[str, Any]:
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True), **code}


def _literal(text: str) -> str:
    return repr(text) if "\\" in text or '"""' in text else f'"""\\\n{text}"""'


def register_magic(shell: Any) -> None:
    """Gives an IPython shell ``%%sbp``: a cell of model text, whose derivation is shown; ``%%sbp net`` also calls the
    model net."""

    def sbp(line: str, cell: str) -> Derivation | None:
        name = line.strip() or "model"
        try:
            model = Model.parse(cell, name=name if name.isidentifier() else "model")
        except SymbackpropError as error:
            print(f"error: {error.told()}", file=sys.stderr)
            return None
        print("".join(f"{note}\n" for note in as_notes(model.remarks)), end="", file=sys.stderr)
        shell.user_ns[model.name] = model
        return derive(model)

    shell.register_magic_function(sbp, "cell", "sbp")


# ---------------------------------------------------------------- an expression


def node_lines(node: Node) -> list[Shown]:
    """A row as an equation; where it is large, its parts first, called t₁, t₂ …"""
    rows = _rows(node.graph)
    order = node.graph.topological([node], frozenset(rows.symbols) - {node.id})
    _name_results(rows, [row for row in order if row is not node])
    sizes: dict[int, int] = {}
    lines: list[Shown] = []
    for row in order:
        size = 1 + sum(sizes.get(a.id, 0) for a in row.args)
        if row is not node and row.id not in rows.symbols and (size > LARGE or row.is_result):
            name = Sym(f"t{len(lines) + 1}", row.shape, row.id)
            lines.append(Shown(name, _right(rows, row)))
            rows.symbols[row.id] = name
        sizes[row.id] = 0 if row.id in rows.symbols else size
    own = rows.symbols.pop(node.id, None)
    shape = rows.shape(node.shape) if node.shape else None
    if own is not None and node.is_leaf:
        return [*lines, Shown(None, own, shape)]
    return [*lines, Shown(own, _right(rows, node), shape)]


def node_latex(node: Node) -> str:
    """``$$…$$`` for a notebook."""
    return _displayed([_row(line) for line in node_lines(node)])


def node_html(node: Node) -> str:
    """The same with MathML."""
    return _table(node_lines(node))


def _right(rows: Rows, row: Node) -> Math:
    if row.is_result:
        return _result(row)
    return Option("the loop over", Sym(row.attr.index)) if row.is_loop else rows.row(row)


def _result(row: Node) -> Math:
    """A result of a loop: the last value of what it carries, or all values of one of its rows."""
    loop: Loop = row.args[0].attr
    inner = loop.results()[row.attr]
    if inner.name is None:
        return Option(f"result {row.attr + 1} of the loop over", Sym(loop.index))
    return Option("last" if row.attr < len(loop.carry) else "all", Sym(inner.name))


def _name_results(rows: Rows, order: Iterable[Node]) -> None:
    """Results of loops that have no name are called like the row of the body: h_T is the last h_t."""
    for row in order:
        inner = row.args[0].attr.results()[row.attr] if row.is_result else None
        if inner is not None and inner.name is not None:
            loop: Loop = row.args[0].attr
            last = f"[{dim_text(loop.end)}]" if row.attr < len(loop.carry) else ""
            rows.symbols.setdefault(row.id, Sym(unplaced(inner.name) + last, row.shape, row.id))


def _rows(graph: Graph, notation_of: dict[str, str] | None = None) -> Rows:
    """Rows with a name are called by it."""
    own = {name: check_notation(latex) for name, latex in (notation_of or {}).items()}
    symbols = {n.id: Sym(name, n.shape, n.id, own.get(name, "")) for name, n in graph.names.items()}
    return Rows(symbols, AxisLetters({name for name in (*graph.names, *graph.functions) if len(name) == 1}))


# ---------------------------------------------------------------- a model


def model_lines(model: Model) -> list[Shown]:
    """The equations of a model in the order in which they are computed, the bodies of loops indented."""
    rows = _rows(model.graph, model.notation_of)
    order = model.graph.topological(list(model.equations.values()))
    _name_results(rows, order)
    wanted = {row.id for row in model.equations.values()}
    return list(_computed(rows, [r for r in order if r.id in wanted or r.is_loop], 0))


def _computed(rows: Rows, order: Iterable[Node], depth: int) -> Iterator[Shown]:
    for row in order:
        if row.is_loop:
            yield from _loop(rows, row, depth)
        else:
            symbol = rows.symbols.pop(row.id)
            yield Shown(symbol, _right(rows, row), depth=depth)
            rows.symbols[row.id] = symbol


def _loop(rows: Rows, scan: Node, depth: int) -> Iterator[Shown]:
    loop: Loop = scan.attr
    yield Shown(None, Option("for", Range(loop.index, rows.size(loop.begin), rows.size(loop.end))), depth=depth)
    order = loop.rows()
    named = [r for r in order if r.is_loop or (r.name is not None and r.id not in loop.stop and r.args)]
    for row in (*loop.leaves(), *named):
        if row.name is not None:
            rows.symbols.setdefault(row.id, Sym(row.name, row.shape, row.id))
    yield from _computed(rows, named, depth + 1)


def model_rows(model: Model) -> list[str]:
    """The equations as rows of an aligned environment."""
    return [_row(line) for line in model_lines(model)]


def model_latex(model: Model) -> str:
    """The equations for a notebook."""
    return _displayed(model_rows(model))


def model_html(model: Model) -> str:
    """Name, summary, what is declared, and the equations."""
    rows = _rows(model.graph, model.notation_of)
    roles = (("parameters", model.params), ("inputs", model.inputs), ("data", model.data_rows))
    given = Markup("").join(
        Markup("<p>{}: {}</p>").format(role, Markup(", ").join(_declared(rows, r) for r in found.values()))
        for role, found in roles if found
    )
    summary = f": {model.summary}" if model.summary else ""
    table = Markup(_table(model_lines(model)))
    return str(Markup("<p><strong>{}</strong>{}</p>{}{}").format(model.name, summary, given, table))


def _declared(rows: Rows, row: Node) -> Markup:
    """W: N × D, or y: N, integers below K."""
    below = row.attr.below
    shape = Markup(": {}").format(mathml(rows.shape(row.shape))) if row.shape else ""
    note = "" if below is None else Markup(", integers below {}").format(mathml(rows.size(below)))
    stated = f", {STATED[row.attr.stated]}" if row.attr.stated else ""
    return Markup("{}{}{}{}").format(mathml(rows.symbols[row.id]), shape, note, stated)


# ---------------------------------------------------------------- lines on the page


def _row(line: Shown) -> str:
    indent = r"\quad " * line.depth
    shape = "" if line.shape is None else rf" \quad ({latex(line.shape)})"
    if line.left is None:
        return f"& {indent}{latex(line.right)}{shape}"
    return f"{indent}{latex(line.left)} &= {latex(line.right)}{shape}"


def _displayed(rows: Sequence[str]) -> str:
    body = rows[0].replace("&", "", 1) if len(rows) == 1 else _aligned(rows)
    return f"$${body.strip()}$$"


def _aligned(rows: Iterable[str]) -> str:
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _table(lines: Iterable[Shown]) -> str:
    row = Markup("<tr><td>{}</td><td>{}</td><td style='text-align:left'>{}{}</td></tr>")
    cells = Markup("").join(row.format(*_cells(line)) for line in lines)
    return str(Markup("<table>{}</table>").format(cells))


def _cells(line: Shown) -> tuple[Markup, ...]:
    left, sign = (Markup(""), "") if line.left is None else (mathml(line.left), "=")
    shape = "" if line.shape is None else Markup(" ({})").format(mathml(line.shape))
    return left, Markup(sign), mathml(line.right, display=True), Markup(shape)


# ---------------------------------------------------------------- a derivation


def summary_latex(derivation: Derivation) -> str:
    """The gradients alone, for a notebook."""
    steps = [s for s in build_document(derivation).steps if s.role != "seed" and s.lines]
    return f"$${_aligned([f'{latex(s.symbol)} &= {latex(s.lines[-1].right)}' for s in steps])}$$"


def fragment_html(derivation: Derivation) -> str:
    """The derivation in a notebook's cell."""
    return to_fragment(build_document(derivation))
