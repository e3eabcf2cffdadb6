"""What expressions, models and derivations look like in a notebook: LaTeX, and HTML where latex2mathml is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from markupsafe import Markup

from symbackprop.core.graph import Graph, Node
from symbackprop.core.loops import Loop
from symbackprop.core.notation import ATOM, POWER, Text
from symbackprop.core.shapes import dim_text
from symbackprop.derive.steps import Derivation
from symbackprop.errors import MissingExtra
from symbackprop.model.model import Model
from symbackprop.model.notations import check_notation
from symbackprop.render.anatomy import build_document
from symbackprop.render.axes import AxisLetters
from symbackprop.render.document import BREAK, Math
from symbackprop.render.html import to_fragment
from symbackprop.render.mathml import mathml
from symbackprop.render.names import latex_name
from symbackprop.render.notation_base import shaped
from symbackprop.render.notation_latex import LatexNotation

LARGE = 40  # rows that one formula may contain; larger ones are cut into named parts
Lines = list[tuple[str, str]]  # left side and right side in LaTeX


# ---------------------------------------------------------------- an expression


def node_lines(node: Node) -> Lines:
    """A row as an equation; where it is large, its parts first, called t₁, t₂ …"""
    notation = _notation(node.graph)
    order = node.graph.topological([node], frozenset(notation.symbols) - {node.id})
    _name_results(notation, [row for row in order if row is not node])
    sizes: dict[int, int] = {}
    lines: Lines = []
    for row in order:
        size = 1 + sum(sizes.get(a.id, 0) for a in row.args)
        if row is not node and row.id not in notation.symbols and (size > LARGE or row.op.name == "out"):
            name = rf"t_{{{len(lines) + 1}}}"
            lines.append((name, _right(notation, row)))
            notation.symbols[row.id] = shaped(Text(name), row.ndim)
        sizes[row.id] = 0 if row.id in notation.symbols else size
    own = notation.symbols.pop(node.id, None)
    right = own.text if own is not None and node.is_leaf else _right(notation, node)
    shape = rf" \quad ({notation.shape_text(node.shape)})" if node.shape else ""
    return [*lines, (own.text if own is not None and not node.is_leaf else "", right + shape)]


def node_latex(node: Node) -> str:
    """``$$…$$`` for a notebook."""
    return _displayed(node_lines(node))


def node_html(node: Node) -> str | None:
    """The same with MathML; None without latex2mathml."""
    return _table(node_lines(node))


def _right(notation: LatexNotation, row: Node) -> str:
    if row.op.name == "out":
        return _result(row)
    return rf"\text{{the loop over }} {latex_name(row.attr.index)}" if row.op.name == "scan" else notation.row(row).text


def _result(row: Node) -> str:
    """A result of a loop: the last value of what it carries, or all values of one of its rows."""
    loop: Loop = row.args[0].attr
    inner, t = loop.results()[row.attr], latex_name(loop.index)
    if inner.name is None:
        return rf"\text{{result {row.attr + 1} of the loop over }} {t}"
    word = "last" if row.attr < len(loop.carry) else "all"
    return rf"\text{{{word} }} {latex_name(inner.name)}"


def _name_results(notation: LatexNotation, rows: Iterable[Node]) -> None:
    """Results of loops that have no name are called like the row of the body: h_T is the last h_t."""
    for row in rows:
        inner = row.args[0].attr.results()[row.attr] if row.op.name == "out" else None
        if inner is not None and inner.name is not None:
            loop: Loop = row.args[0].attr
            last = f"[{dim_text(loop.length)}]" if row.attr < len(loop.carry) else ""
            name = latex_name(inner.name.split("[")[0] + last)
            notation.symbols.setdefault(row.id, shaped(Text(name), row.ndim))


def _notation(graph: Graph) -> LatexNotation:
    """Rows with a name are called by it."""
    symbols = {n.id: shaped(Text(latex_name(name)), n.ndim) for name, n in graph.names.items()}
    return LatexNotation(symbols, AxisLetters({name for name in graph.names if len(name) == 1}))


# ---------------------------------------------------------------- a model


def model_lines(model: Model) -> Lines:
    """The equations of a model in the order in which they are computed, the bodies of loops indented."""
    notation = _notation(model.graph)
    for name, latex in _notations(model):
        row = model.graph.names[name]
        level = POWER if "^" in latex else ATOM  # a superscript of its own needs brackets before it gets another
        notation.symbols[row.id] = shaped(Text(latex, level), row.ndim)
    order = model.graph.topological(list(model.equations.values()))
    _name_results(notation, order)
    wanted = {row.id for row in model.equations.values()}
    return list(_computed(notation, [r for r in order if r.id in wanted or r.op.name == "scan"], ""))


def _computed(notation: LatexNotation, rows: Iterable[Node], indent: str) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.op.name == "scan":
            yield from _loop(notation, row, indent)
        else:
            symbol = notation.symbols.pop(row.id)
            yield indent + symbol.text, _right(notation, row)
            notation.symbols[row.id] = symbol


def _loop(notation: LatexNotation, scan: Node, indent: str) -> Iterator[tuple[str, str]]:
    loop: Loop = scan.attr
    steps = rf"{latex_name(loop.index)} = 1, \dots, {notation.dim(loop.length).text}"
    yield "", rf"{indent}\text{{for }} {steps} \text{{:}}"
    rows = scan.graph.topological(loop.results(), loop.stop())
    named = [r for r in rows if r.op.name == "scan" or (r.name is not None and r.id not in loop.stop() and r.args)]
    for row in (*loop.leaves(), *named):
        if row.name is not None:
            notation.symbols.setdefault(row.id, shaped(Text(latex_name(row.name)), row.ndim))
    yield from _computed(notation, named, indent + r"\quad ")


def _notations(model: Model) -> Iterator[tuple[str, str]]:
    for name, latex in model.notation_of.items():
        if name in model.graph.names:
            yield name, check_notation(latex)


def model_latex(model: Model) -> str:
    """The equations for a notebook."""
    return _displayed(model_lines(model))


def model_html(model: Model) -> str | None:
    """Name, summary, what is declared, and the equations; None without latex2mathml."""
    table = _table(model_lines(model))
    if table is None:
        return None
    notation = _notation(model.graph)
    roles = (("parameters", model.params), ("inputs", model.inputs), ("data", model.data_rows))
    given = Markup("").join(
        Markup("<p>{}: {}</p>").format(role, Markup(", ").join(_declared(notation, r) for r in rows.values()))
        for role, rows in roles if rows
    )  # fmt: skip
    summary = f": {model.summary}" if model.summary else ""
    return str(Markup("<p><strong>{}</strong>{}</p>{}{}").format(model.name, summary, given, Markup(table)))


def _declared(notation: LatexNotation, row: Node) -> Markup:
    below = row.attr.below
    entries = r"\mathbb{R}" if below is None else rf"\{{0, \dots, {notation.dim(below).text} - 1\}}"
    shape = rf"^{{{notation.shape_text(row.shape)}}}" if row.shape else ""
    return _math(rf"{notation.symbols[row.id].text} \in {entries}{shape}")


# ---------------------------------------------------------------- lines on the page


def _displayed(lines: Lines) -> str:
    rows = [f"{left} &= {right}" if left else f"& {right}" for left, right in lines]
    body = rows[0].replace("&", "", 1) if len(rows) == 1 else _aligned(rows)
    return f"$${body.replace(BREAK, '').strip()}$$"


def _aligned(rows: Iterable[str]) -> str:
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _table(lines: Lines) -> str | None:
    try:
        rows = [(_math(left), _math("=" if left else ""), _math(right, display=True)) for left, right in lines]
    except MissingExtra:
        return None
    cells = Markup("").join(Markup("<tr><td>{}</td><td>{}</td><td style='text-align:left'>{}</td></tr>").format(*r)
                            for r in rows)  # fmt: skip
    return str(Markup("<table>{}</table>").format(cells))


@lru_cache(maxsize=1024)
def _math(latex: str, display: bool = False) -> Markup:
    return mathml(Math("", latex), display=display) if latex else Markup("")


# ---------------------------------------------------------------- a derivation


def summary_latex(derivation: Derivation) -> str:
    """The gradients alone, for a notebook."""
    document = build_document(derivation)
    rows = [rf"{s.symbol.latex} &= {s.lines[-1].right.latex}" for s in document.steps if s.role != "seed" and s.lines]
    return "$$\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}$$"


def fragment_html(derivation: Derivation) -> str | None:
    """The derivation in a notebook's cell; None without latex2mathml."""
    try:
        return to_fragment(build_document(derivation))
    except MissingExtra:
        return None
