"""Python code as `ast` trees: what makes them, what prints them, and which names they read.

The printer is `ast.unparse` with this project's spelling: strings in double quotes, tuples in an index or beside an
equals sign without parentheses, the same text under every Python.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from symbackprop.core.names import Characters
from symbackprop.core.shapes import Dim, Shape, broadcast, dim_text

Code: TypeAlias = ast.expr
LOAD = ast.Load()
_LEAVES = {ast.Name, ast.Constant}
_CODE = {c for c in vars(ast).values() if isinstance(c, type) and issubclass(c, ast.AST) and c._fields}
NUMBER = "number"  # the kind of a Python number, which fits arrays of any kind

BARE, COMPARE, SUM, PRODUCT, SIGN, POWER, ATOM = -1, *range(1, 7)  # how strongly code binds; BARE: no ( )
_OPERATIONS: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", SUM), ast.Sub: ("-", SUM), ast.Mult: ("*", PRODUCT), ast.Div: ("/", PRODUCT),
    ast.FloorDiv: ("//", PRODUCT), ast.Mod: ("%", PRODUCT), ast.MatMult: ("@", PRODUCT), ast.Pow: ("**", POWER),
}
RELATIONS: dict[str, ast.cmpop] = {
    ">": ast.Gt(), ">=": ast.GtE(), "<": ast.Lt(), "<=": ast.LtE(), "==": ast.Eq(), "!=": ast.NotEq(),
}
_SIGNS = {type(relation): sign for sign, relation in RELATIONS.items()}


@dataclass(frozen=True)
class Expr:
    """An expression of a program: its code, the shape and the kind (float, int, bool, number) of its value, and the
    operands that arithmetic combines."""

    code: Code
    shape: Shape
    kind: str
    parts: tuple[Expr, ...] = ()

    @property
    def variable(self) -> str | None:
        """The variable that the expression is; None for any other."""
        return self.code.id if isinstance(self.code, ast.Name) else None

    @property
    def is_atom(self) -> bool:
        """Whether nothing around the code could ever tear it apart."""
        return not isinstance(self.code, (ast.BinOp, ast.UnaryOp, ast.Compare))

    def of(self, shape: Shape, kind: str) -> Expr:
        return replace(self, shape=shape, kind=kind)


# -- making code


def name(word: str) -> ast.Name:
    return ast.Name(word, LOAD)


def constant(value: Any) -> Code:
    """A literal; a negative number is a sign and a number, as Python reads it."""
    if isinstance(value, (int, float)) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def floating(code: Code) -> Code:
    """A literal among floats: a large whole number as a float, since before NumPy 2 it widened float32."""
    match code:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as number):
            return ast.UnaryOp(ast.USub(), floating(number))
        case ast.Constant(value=int(value)) if value >= 2**16:
            return ast.Constant(float(value))
    return code


def as_code(value: Any) -> Code:
    """Code as it is, tuples and lists by their items, anything else as a literal."""
    if isinstance(value, ast.expr):
        return value
    if isinstance(value, tuple):
        return ast.Tuple([as_code(v) for v in value], LOAD)
    return ast.List([as_code(v) for v in value], LOAD) if isinstance(value, list) else constant(value)


def attribute(value: Code | str, word: str) -> Code:
    return ast.Attribute(name(value) if isinstance(value, str) else value, word, LOAD)


def call(function: Code | str, *args: Any, **options: Any) -> ast.Call:
    keywords = [ast.keyword(k, as_code(v)) for k, v in options.items()]
    return ast.Call(name(function) if isinstance(function, str) else function, [as_code(a) for a in args], keywords)


def method(value: Code, word: str, *args: Any, **options: Any) -> Code:
    return call(attribute(value, word), *args, **options)


def index(value: Code | str, *items: Any) -> Code:
    """``value[items]``; None is a new axis, ``...`` and slices are what they are."""
    inside = [as_code(i) for i in items]
    return ast.Subscript(name(value) if isinstance(value, str) else value,
                         inside[0] if len(inside) == 1 else ast.Tuple(inside, LOAD), LOAD)


def items_of(code: Code) -> list[Code]:
    """What stands in the brackets of an index; nothing where there are none."""
    if not isinstance(code, ast.Subscript):
        return []
    return code.slice.elts if isinstance(code.slice, ast.Tuple) else [code.slice]


def at_step(counter: str, first: str = "") -> Code:
    """The place of a loop's step in a stack that begins with the ``first``: ``t``, or ``t - start``."""
    return binary(name(counter), ast.Sub, name(first)) if first else name(counter)


ALL = ast.Slice()


def binary(left: Code, operation: type[ast.operator], right: Code) -> Code:
    return ast.BinOp(left, operation(), right)


def compared(left: Code, relation: str, right: Code) -> Code:
    return ast.Compare(left, [RELATIONS[relation]], [right])


def negative(code: Code) -> Code:
    """−code; of a product or a quotient, its first factor takes the sign."""
    if isinstance(code, ast.BinOp) and isinstance(code.op, (ast.Mult, ast.Div, ast.MatMult)):
        return ast.BinOp(negative(code.left), code.op, code.right)
    return ast.UnaryOp(ast.USub(), code)


def transposed(code: Code) -> Code:
    """The transpose of a matrix; of a transpose, the matrix."""
    turned = isinstance(code, ast.Attribute) and code.attr == "T"
    return code.value if turned and isinstance(code, ast.Attribute) else attribute(code, "T")


def assign(targets: str | Iterable[Code], value: Any) -> ast.Assign:
    """``name = value``, or several targets, one equals sign each."""
    left: list[Code] = [name(targets)] if isinstance(targets, str) else list(targets)
    return ast.Assign(left, as_code(value), lineno=0)


def dictionary(items: Mapping[str, Code]) -> Code:
    return ast.Dict([ast.Constant(key) for key in items], list(items.values()))


def names_read(trees: Iterable[ast.AST]) -> set[str]:
    """The names in code, targets of assignments among them."""
    return {node.id for node in inside(trees) if type(node) is ast.Name}


def inside(trees: Iterable[ast.AST]) -> list[ast.AST]:
    """Every node of code that has a field, as contexts and operators have not; in a tenth of the time of `ast.walk`."""
    nodes = [*trees]
    for node in nodes:  # which grow
        if type(node) not in _LEAVES:
            for value in node.__dict__.values():
                if type(value) in _CODE:
                    nodes.append(value)
                elif type(value) is list:
                    nodes += [item for item in value if type(item) in _CODE]
    return nodes


# -- typed arithmetic


def joined(left: Expr, operation: type[ast.operator], right: Expr, kind: str | None = None) -> Expr:
    """Two operands, broadcast against each other; sums and differences stay one chain from left to right."""
    if operation in (ast.Add, ast.Sub) and isinstance(right.code, ast.UnaryOp) and right.parts:
        return joined(left, ast.Sub if operation is ast.Add else ast.Add, right.parts[0], kind)
    chain = isinstance(right.code, ast.BinOp) and isinstance(right.code.op, (ast.Add, ast.Sub)) and bool(right.parts)
    if operation is ast.Add and chain and isinstance(right.code, ast.BinOp):
        return joined(joined(left, ast.Add, right.parts[0], kind), type(right.code.op), right.parts[1], kind)
    return combined(binary(left.code, operation, right.code), (left, right), kind)


def combined(code: Code, parts: tuple[Expr, ...], kind: str | None = None) -> Expr:
    """Code whose operands are broadcast against each other."""
    return Expr(code, _common(parts), kind or _widest(parts), parts)


def operands(whole: Expr) -> list[tuple[ast.operator, Expr]]:
    """The terms of a sum or the factors of a product, with the sign before each; the first has the usual one."""
    assert isinstance(whole.code, ast.BinOp)
    left, right = whole.parts
    usual, other = (ast.Add, ast.Sub) if isinstance(whole.code.op, (ast.Add, ast.Sub)) else (ast.Mult, ast.Div)
    same = isinstance(left.code, ast.BinOp) and isinstance(left.code.op, (usual, other)) and bool(left.parts)
    return [*(operands(left) if same else [(usual(), left)]), (whole.code.op, right)]


def negated(body: Expr) -> Expr:
    code = negative(body.code)
    if isinstance(code, ast.BinOp):
        parts = (negated(body.parts[0]), *body.parts[1:]) if body.parts else ()
        return replace(body, code=code, parts=parts)
    return Expr(code, body.shape, body.kind, (body,))


def _common(parts: tuple[Expr, ...]) -> Shape:
    shapes = [p.shape for p in parts if p.shape]
    if all(s is shapes[0] for s in shapes[1:]):
        return shapes[0] if shapes else ()
    return broadcast(shapes)


def _widest(parts: tuple[Expr, ...]) -> str:
    return max((p.kind for p in parts), key=("number", "bool", "int", "float").index)


# -- printing


def text(node: ast.AST, level: int = 0) -> str:
    """Code as text; parentheses where it binds more weakly than its surroundings need."""
    write = _ATOMS.get(type(node))
    if write is not None:
        return write(node)
    own, code = _written(node)
    return code if own >= level else f"({code})"


def _written(node: ast.AST) -> tuple[int, str]:
    match node:
        case ast.Starred(value=inner):
            return 0, f"*{text(inner, ATOM)}"
        case ast.UnaryOp(operand=inner):
            return SIGN, f"-{text(inner, SIGN)}"
        case ast.BinOp(left=left, op=operation, right=right):
            sign, own = _OPERATIONS[type(operation)]
            return own, f"{text(left, own + (own == POWER))} {sign} {text(right, own + 1)}"
        case ast.Compare(left=left, ops=[relation], comparators=[right]):
            return COMPARE, f"{text(left, SUM)} {_SIGNS[type(relation)]} {text(right, SUM)}"
    raise TypeError(f"no spelling for {ast.dump(node)}")


def _literal(node: ast.Constant) -> str:
    value = node.value
    return string(value) if isinstance(value, str) else "..." if value is ... else repr(value)


def _ends(node: ast.Slice) -> str:
    parts = (node.lower, node.upper, *([] if node.step is None else [node.step]))
    return ":".join("" if end is None else text(end) for end in parts)


_ATOMS: dict[type[ast.AST], Callable[[Any], str]] = {
    ast.Name: lambda node: node.id,
    ast.Constant: _literal,
    ast.Attribute: lambda node: f"{text(node.value, ATOM)}.{node.attr}",
    ast.Call: lambda node: f"{text(node.func, ATOM)}({', '.join(map(text, [*node.args, *node.keywords]))})",
    ast.arg: lambda node: f"{node.arg}: {text(node.annotation)}",
    ast.keyword: lambda node: f"{node.arg}={text(node.value)}",
    ast.Subscript: lambda node: f"{text(node.value, ATOM)}[{bare(node.slice)}]",
    ast.Slice: _ends,
    ast.Tuple: lambda node: f"({_items(node.elts)})",
    ast.List: lambda node: f"[{', '.join(map(text, node.elts))}]",
    ast.Dict: lambda node: f"{{{', '.join(entries(node))}}}",
}


def _items(items: list[ast.expr]) -> str:
    return ", ".join(map(text, items)) + ("," if len(items) == 1 else "")


def entries(node: ast.Dict) -> list[str]:
    """``"key": value`` for every entry of a dictionary."""
    return [f"{text(k)}: {text(v)}" for k, v in zip(node.keys, node.values, strict=True) if k is not None]


def bare(node: ast.expr) -> str:
    """Code where a tuple needs no parentheses."""
    return _items(node.elts) if isinstance(node, ast.Tuple) and node.elts else text(node)


def statement(node: ast.stmt) -> str:
    """One line of code; of a loop or a function its head."""
    match node:
        case ast.Assign(targets=targets, value=value):
            return " = ".join(map(bare, [*targets, value]))
        case ast.AugAssign(target=target, op=operation, value=value):
            return f"{text(target)} {_OPERATIONS[type(operation)][0]}= {text(value)}"
        case ast.Expr(value=value):
            return text(value)
        case ast.Return(value=value):
            return "return" if value is None else f"return {bare(value)}"
        case ast.For(target=target, iter=values):
            return f"for {bare(target)} in {text(values)}:"
        case ast.FunctionDef(name=word, args=arguments, returns=ast.expr() as kind):
            return f"def {word}({', '.join(map(text, arguments.args))}) -> {text(kind)}:"
        case ast.Delete(targets=targets):
            return f"del {', '.join(map(text, targets))}"
        case ast.Pass():
            return "pass"
    raise TypeError(f"no spelling for {ast.dump(node)}")


def pieces(code: ast.BinOp | ast.Compare) -> Iterator[tuple[str, Code, int]]:
    """A sum, else a product, cut before the signs of its chain: the sign, what follows it, how strongly that binds."""
    if isinstance(code, ast.Compare):
        yield from [("", code.left, SUM), (f"{_SIGNS[type(code.ops[0])]} ", code.comparators[0], SUM)]
        return
    left, (sign, own) = code.left, _OPERATIONS[type(code.op)]
    same = isinstance(left, ast.BinOp) and _OPERATIONS[type(left.op)][1] == own
    yield from pieces(left) if isinstance(left, ast.BinOp) and same else [("", left, own)]
    yield f"{sign} ", code.right, own + 1


# -- text inside code: everything a user wrote (names, summaries, model text) passes through here


def string(text: str) -> str:
    """A Python string literal in double quotes."""
    return f'"{text.translate(_QUOTED)}"'


def _escaped(c: str) -> str:
    """A character that cannot be seen by its number."""
    return c if c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


_QUOTED = Characters(lambda c: f"\\{c}" if c in '"\\' else _escaped(c))
_SEEN = Characters(lambda c: c if c in "\t\n" else _escaped(c))
_SPACED = Characters(lambda c: c if c.isprintable() else " ")


def doc_text(text: str) -> str:
    """Text inside a docstring or a comment: one line, nothing that could end the string or the comment."""
    line = " ".join(text.translate(_SPACED).split())
    return line.replace("\\", "\\\\").replace('"', "'")


def model_literal(text: str) -> str:
    """Model text as a triple-quoted literal that reads like the text itself."""
    safe = text.rstrip("\n").replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\\\n{safe.translate(_SEEN)}\n"""'


def shape_like(items: list[str]) -> str:
    """A tuple of the items."""
    return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"


def names_line(word: str, names: Iterable[str]) -> list[str]:
    """A constant that is a tuple of names."""
    names = [string(n) for n in names]
    head = f"{word} = (" if names else f"{word}: tuple = ("
    return listed(head, names, ",)" if len(names) == 1 else ")", "")


def shape_literal(shape: Shape) -> str:
    """``("N", "D")``, ``()``; sizes known by number stay numbers."""
    return shape_like([dim_literal(d) for d in shape])


def dim_literal(d: Dim) -> str:
    return str(int(d)) if d.is_Integer else string(dim_text(d))


# -- lines on the page: comments beside or above them, long lines broken, long lists wrapped


WIDTH = 110
COLUMN = 52  # where comments start when the code is short enough
INDENT = "    "


@dataclass(frozen=True)
class Line:
    """One statement of code (of a loop or a function its head), its comment, how deep in loops it stands, the
    expression that it gives its first target, and the variable that it puts in a place of its own. Where the comment is
    an equation, ``left`` is what stands left of it."""

    code: ast.stmt
    comment: str = ""
    depth: int = 0
    value: Expr | None = None
    stored: str = ""
    left: str = ""

    @property
    def note(self) -> str:
        """The whole comment."""
        return f"{self.left} = {self.comment}" if self.left else self.comment

    @cached_property
    def names(self) -> set[str]:
        return names_read([self.code])

    @property
    def first(self) -> str:
        """The variable that the statement gives a value first."""
        target = self.code.targets[0] if isinstance(self.code, ast.Assign) else None
        first = target.elts[0] if isinstance(target, ast.Tuple) else target
        return first.id if isinstance(first, ast.Name) else ""

    def called(self, place: Code) -> Line:
        """The line with its equation called after the place of what has no variable."""
        return replace(self, left=text(place)) if self.left == self.first else self


def without_unread(lines: Iterable[Line], results: Collection[str] = ()) -> list[Line]:
    """The lines without what nothing is made of that is returned or put in a place, nor one of the ``results``: what
    only a value needs that is computed otherwise, a carry that no step reads. Loops without a line are none."""
    lines = list(lines)
    read = _read(lines, results)
    kept = list[Line]()
    for line in reversed(lines):
        found = _assigning(line, read)
        if found is not None and (not isinstance(line.code, ast.For) or (kept and kept[-1].depth > line.depth)):
            kept.append(found)
    return kept[::-1]


def _read(lines: Iterable[Line], results: Collection[str]) -> set[str]:
    """The names that what stays is made of; a line in a loop needs what its head needs."""
    read, made, heads = {*results}, defaultdict[str, set[str]](set), list[Line]()
    for line in lines:
        heads = [head for head in heads if head.depth < line.depth]
        around = set[str]().union(*[head.names for head in heads])
        if isinstance(line.code, ast.For):
            heads.append(line)
        elif not isinstance(line.code, ast.Assign):
            read |= line.names | around
        else:
            for target, value in _pairs(line.code):
                needs = made[target.id] if isinstance(target, ast.Name) and not _place(value) else read
                needs |= around.union(names_read([value] if isinstance(target, ast.Name) else [target, value]))
    left = [*read]
    while left:
        further = made[left.pop()] - read
        read |= further
        left += further
    return read


def _place(code: Code) -> Code | None:
    """Where code writes its value, ``out=h[t]``."""
    options = code.keywords if isinstance(code, ast.Call) else []
    return next((k.value for k in options if k.arg == "out" and isinstance(k.value, ast.Subscript)), None)


def _pairs(code: ast.Assign) -> list[tuple[Code, Code]]:
    """What gets a value, and which; of ``a, b = b, c`` each by itself."""
    match code:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            return [*zip(targets, values, strict=True)]
    return [(target, code.value) for target in code.targets]


def _assigning(line: Line, read: Collection[str]) -> Line | None:
    """A line with the targets that are read; None where none is."""
    pairs = _pairs(line.code) if isinstance(line.code, ast.Assign) else []
    left = [(target, value) for target, value in pairs if not isinstance(target, ast.Name) or target.id in read]
    if len(left) == len(pairs):
        return line
    if not left:
        place = _place(pairs[0][1])
        return None if place is None else replace(line.called(place), code=ast.Expr(pairs[0][1]))
    targets, values = zip(*left, strict=True)
    alone = len(left) == 1 or values[0] is values[1]
    return replace(line, code=assign(targets, values[0]) if alone else assign([as_code(targets)], values))


def layout(lines: Iterable[Line], depth: int = 1) -> list[str]:
    """The lines as text, indented."""
    return [found for line in lines for found in _one(line, INDENT * (depth + line.depth))]


def _one(line: Line, indent: str) -> Iterator[str]:
    code = indent + statement(line.code)
    beside = f"{code.ljust(COLUMN)}  # {line.note}" if line.note else code
    if len(beside) <= WIDTH:
        yield beside.rstrip()
        return
    if line.note:
        yield from _comment(line.note, indent)
    yield from broken(line.code, indent)


def _comment(comment: str, indent: str) -> Iterator[str]:
    """A comment above its line, wrapped."""
    text = indent + "#"
    for word in comment.split(" "):
        if len(text) + len(word) >= WIDTH and text.strip() != "#":
            yield text.rstrip()
            text = indent + "#  "
        text += " " + word
    yield text.rstrip()


def broken(code: ast.stmt, indent: str) -> list[str]:
    """A statement over several lines where it is long."""
    head, parts = _parts(code)
    found, last = list[str](), head
    for part, tail in parts:
        *lines, last = fitted(last, part, tail, indent, BARE)
        found, last = [*found, *lines], last.removeprefix(indent)
    return [*found, indent + last]


def _parts(code: ast.stmt) -> tuple[str, list[tuple[Code, str]]]:
    """What a statement begins with, and its expressions, each with what follows it."""
    match code:
        case ast.Assign(targets=targets, value=value):
            return "", [*[(target, " = ") for target in targets], (value, "")]
        case ast.AugAssign(target=target, op=operation, value=value):
            return "", [(target, f" {_OPERATIONS[type(operation)][0]}= "), (value, "")]
        case ast.Expr(value=value):
            return "", [(value, "")]
        case ast.Return(value=ast.expr() as value):
            return "return ", [(value, "")]
        case ast.For(target=target, iter=values):
            return "for ", [(target, " in "), (values, ":")]
    return statement(code), []


def fitted(head: str, code: ast.AST, tail: str, indent: str, level: int = 0) -> list[str]:
    """``head code tail`` in one line or, where that is long, what the outermost brackets hold on lines of its own, each
    broken in turn: a dictionary by its entries, a call by its arguments, a sum before its signs."""
    flat = f"{head}{_inside(code, level)}{tail}"
    if len(indent + flat.rstrip()) <= WIDTH:
        return [indent + flat]
    match code:
        case ast.keyword(arg=str(word), value=value):
            return fitted(f"{head}{word}=", value, tail, indent)
        case ast.Tuple(elts=[ast.Dict() as first, *rest]) if level == BARE and rest:
            return fitted(head, first, "".join([f", {text(r)}" for r in rest]) + tail, indent)
        case ast.UnaryOp(operand=inner) if level <= SIGN:
            return fitted(f"{head}-", inner, tail, indent, SIGN)
        case ast.BinOp(left=left, op=ast.Pow(), right=right) if level <= POWER:
            return fitted(head, left, f" ** {text(right, POWER + 1)}{tail}", indent, POWER + 1)
        case ast.Attribute(value=inner, attr=word):
            return fitted(head, inner, f".{word}{tail}", indent, ATOM)
        case ast.Subscript(value=inner, slice=place):
            return fitted(head, inner, f"[{bare(place)}]{tail}", indent, ATOM)
        case ast.Call(func=ast.Attribute(value=inner, attr=word), args=args, keywords=options) if (
            not (args or options) or len(f"{indent}{head}{text(code.func)}(") > WIDTH
        ):
            return fitted(head, inner, f".{word}({', '.join(map(text, [*args, *options]))}){tail}", indent, ATOM)
    return _broken(head, code, tail, indent) or [indent + flat]


def _broken(head: str, code: ast.AST, tail: str, indent: str) -> list[str]:
    """Lines of their own for what the outermost brackets hold; none where there are no brackets."""
    match code:
        case ast.Compare() | ast.BinOp() if not (isinstance(code, ast.BinOp) and isinstance(code.op, ast.Pow)):
            lines = [line for part in pieces(code) for line in fitted(*part[:2], "", indent + INDENT, part[2])]
            return [f"{indent}{head}(", *lines, f"{indent}){tail}"]
        case ast.Call(func=function, args=args, keywords=options):
            return _listed(f"{head}{text(function, ATOM)}(", [("", a) for a in [*args, *options]], f"){tail}", indent)
        case ast.Tuple(elts=items) if items:
            return _listed(f"{head}(", [("", item) for item in items], f"){tail}", indent)
        case ast.List(elts=items) if items:
            return _listed(f"{head}[", [("", item) for item in items], f"]{tail}", indent)
        case ast.Dict(keys=keys, values=values) if keys:
            named = [(f"{text(k)}: ", v) for k, v in zip(keys, values, strict=True) if k is not None]
            return _listed(f"{head}{{", named, f"}}{tail}", indent)
    return []


def _inside(code: ast.AST, level: int) -> str:
    return bare(code) if level == BARE and isinstance(code, ast.expr) else text(code, level)


def _listed(head: str, items: Iterable[tuple[str, ast.AST]], tail: str, indent: str) -> list[str]:
    """Items in brackets on lines of their own, as many on one as there is room for."""
    lines, current, inner = [indent + head], "", indent + INDENT
    for before, item in items:
        first, *more = fitted(before, item, ",", inner)
        if current and (more or len(f"{current} {first.strip()}") > WIDTH):
            lines, current = [*lines, current], ""
        if more:
            lines += [first, *more]
        else:
            current = f"{current} {first.strip()}" if current else first
    return [*lines, *([current] if current else []), indent + tail]


def listed(head: str, items: Iterable[str], tail: str, indent: str = INDENT) -> list[str]:
    """``head item, item tail`` in one line, or the items wrapped between the two."""
    items = list(items)
    flat = indent + head + ", ".join(items) + tail
    if len(flat) <= WIDTH:
        return [flat]
    lines, text = [indent + head], indent + INDENT
    for item in items:
        if len(text) + len(item) + 1 > WIDTH and text.strip():
            lines.append(text.rstrip())
            text = indent + INDENT
        text += item + ", "
    return [*lines, text.rstrip(), indent + tail]
