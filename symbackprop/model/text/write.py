"""A model as text that parses back to it: header, declarations, equations in order.

Rows without a name are written in place; one that is large and read several times, or nested very deeply, gets a line
of its own, so the text stays as short as the table of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from symbackprop.core.graph import Leaf, Node
from symbackprop.core.notation import number_text
from symbackprop.core.shapes import dim_text
from symbackprop.model.model import Model, Statement
from symbackprop.model.text.header import Header, header_lines
from symbackprop.model.text.notation import ModelText

MAX_WIDTH = 100
MAX_SIZE, MAX_DEPTH, SHARED_SIZE = 120, 20, 12


def to_text(model: Model, header: bool = True) -> str:
    """The model as text; ``header`` says whether name, summary, source … come first as comments."""
    lines = [*header_lines(_header(model))] if header else []
    if model.graph.relu0 != 0:
        lines.append(f"convention relu0 = {number_text(model.graph.relu0).text}")
    writer = Writer(model)
    for group in _groups(model.statements):
        lines += writer.lines(group)
    lines += [f'notation {name} = "{latex}"' for name, latex in model.notation_of.items()]
    return "\n".join(lines) + "\n"


def _header(model: Model) -> Header:
    example = ", ".join(f"{k}={_value_text(v)}" for k, v in model.example.items())
    return Header(model.name, model.summary, model.source, model.tags, example, list(model.notes))


def _value_text(value: object) -> str:
    return "[" + ", ".join(map(_value_text, value)) + "]" if isinstance(value, list) else repr(value)


def _groups(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """Neighbouring declarations of one keyword share a line; an equation has its own."""
    group: list[Statement] = []
    for s in statements:
        if group and (s.keyword != group[0].keyword or s.keyword in ("let", "loss", "output")):
            yield group
            group = []
        group.append(s)
    if group:
        yield group


class Writer:
    """Writes statements; knows which unnamed rows have lines of their own."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.extra: dict[int, str] = {}
        self.written: set[int] = set()
        self.taken = {*model.graph.names, *model.sizes}
        self.notation = ModelText(self.extra, [*self.taken])
        self._choose(model.equations.values())

    def lines(self, group: Sequence[Statement]) -> list[str]:
        keyword = group[0].keyword
        if keyword in ("let", "loss", "output"):
            return self.equation(keyword, group[0].name)
        return packed(keyword, [self.declaration(keyword, s.name) for s in group])

    def declaration(self, keyword: str, name: str) -> str:
        """``N = 4``, ``X: N x D``, ``y: N int < C``, ``eps = 1 / 2``."""
        if keyword == "dim":
            size = self.model.sizes[name]
            return name if size is None else f"{name} = {size}"
        row = self.model.graph.names[name]
        leaf: Leaf = row.attr
        if keyword == "const":
            return f"{name} = {self.notation.num(leaf.value).text}"
        parts = [" x ".join(dim_text(d) for d in row.shape)] if row.shape else []
        parts += [f"int < {dim_text(leaf.below)}"] if leaf.below is not None else []
        return f"{name}: {' '.join(parts)}" if parts else name

    def equation(self, keyword: str, name: str) -> list[str]:
        row = self.model.graph.names[name]
        lines = []
        for inner in self._pending(row):
            self.written.add(inner.id)
            lines.append(f"{self.extra[inner.id]} = {self.notation.row(inner).text}")
        word = "" if keyword == "let" else keyword + " "
        return [*lines, f"{word}{name} = {self.notation.row(row).text}"]

    def _pending(self, row: Node) -> list[Node]:
        """Rows with a line of their own that ``row`` needs and that are not written yet, arguments first."""
        order = _written_rows([row], stop=lambda n: n.id in self.written or (n.name is not None and n is not row))
        return [n for n in order if n.id in self.extra and n.id not in self.written and n is not row]

    # -- which unnamed rows get a name
    def _choose(self, rows: Iterable[Node]) -> None:
        """Large rows that are read more than once, and rows that would be nested too deeply."""
        roots = list(rows)
        readers: dict[int, int] = {}
        order = _written_rows(roots, stop=lambda n: False)
        for node in order:
            for a in parts(node):
                readers[a.id] = readers.get(a.id, 0) + 1
        size: dict[int, int] = {}
        depth: dict[int, int] = {}
        for node in order:
            inner = [a for a in parts(node) if self._in_place(a)]
            size[node.id] = 1 + sum(size[a.id] for a in inner)
            depth[node.id] = 1 + max((depth[a.id] for a in inner), default=0)
            shared = readers.get(node.id, 0) > 1 and size[node.id] > SHARED_SIZE
            if node.name is None and node.args and (shared or size[node.id] > MAX_SIZE or depth[node.id] > MAX_DEPTH):
                self.extra[node.id] = self._fresh()

    def _in_place(self, node: Node) -> bool:
        return node.name is None and node.id not in self.extra

    def _fresh(self) -> str:
        count = 1
        while f"t{count}" in self.taken:
            count += 1
        self.taken.add(f"t{count}")
        return f"t{count}"


def parts(node: Node) -> list[Node]:
    """The rows that the text of a row mentions: the arguments of the call that made it, else its own."""
    if node.origin is None:
        return list(node.args)
    return [v for v in (*node.origin.args, *node.origin.options.values()) if isinstance(v, Node)]


def _written_rows(roots: Sequence[Node], stop: Callable[[Node], bool]) -> list[Node]:
    """Every row that the text of the roots mentions, arguments first, without recursion."""
    order: list[Node] = []
    seen: set[int] = set()
    stack = [(r, False) for r in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node.id not in seen:
            seen.add(node.id)
            stack.append((node, True))
            if not stop(node):
                stack.extend((a, False) for a in reversed(parts(node)) if a.id not in seen)
    return order


def packed(keyword: str, items: Sequence[str]) -> list[str]:
    """Declarations on as few lines as fit."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= MAX_WIDTH:
            lines[-1] += ", " + item
        else:
            lines.append(f"{keyword} {item}")
    return lines
