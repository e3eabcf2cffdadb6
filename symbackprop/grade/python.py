"""Statements of NumPy and PyTorch as lines of answers: ``dW, db = X.T @ d, d.sum(0)`` are two lines, and
``d[range(N), y] -= 1`` says what d is now. Statements are taken apart with `ast` and never executed.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from symbackprop.core.graph import BOOL, INT
from symbackprop.errors import SyntaxProblem
from symbackprop.grade.naming import Dictionary
from symbackprop.grade.slips import Tokens, at, called, closing, sign, split
from symbackprop.model.text.in_place import SHARED
from symbackprop.model.text.tokens import NAME, NUMBER

UPDATES = {"+=": "+", "-=": "-", "*=": "*", "/=": "/", "@=": "@"}
_LONGEST = 5_000
_ASK = re.compile(
    r"\s*(?:import|from|pass|return|assert|print|del|global|raise)\b|[;,]|\.at\b|=\s*\{\s*[\"'}]|=\s*None\b|=\s*\[+0|:\s*\w[\w.\[\]]*\s*="
)
_HEAD = re.compile(
    r"(?:(?:def|class)\s+\w+\b.*|with\b.*|if\s+ctx\.needs_input_grad.*|try\s*|finally\s*|else\s*):$"
    r"|@\w[\w.]*(?:\(.*\))?$"
)
_CONDITION = re.compile(
    r"(?:el(?=if\b))?(?P<case>(?:if|while)\b.*:\s*\S.*)$|else\s*:\s*(?P<otherwise>\S.*)$", re.DOTALL)
_SILENT = (ast.Import, ast.ImportFrom, ast.Pass, ast.Return, ast.Assert, ast.Delete, ast.Global, ast.Raise)
_SILENT_CALLS = ("print", "save_for_backward", "mark_dirty", "zero_grad", "step")
_COUNTS = ("range", "arange")
_STACKS = ("array", "asarray", "stack", "vstack", "tensor")  # make an array of a list of its entries or rows
_COMPARED = ("<", ">", "<=", ">=", "==", "!=")


def branch_of(text: str) -> str:
    """The first word of a line under which what follows holds under a condition only, other than that a framework asks
    for it; none of any other."""
    match = re.match(r"\s*(if|elif|while|except|match)\b.*:$", text)
    return match[1] if match is not None and _HEAD.match(text) is None else ""


def in_two(indent: int, text: str) -> list[tuple[int, str]]:
    """(indentation, text) of a condition and of what stands behind its colon; the line as it is where nothing does."""
    asks = _CONDITION.match(text)
    code = "" if asks is None or len(text) > _LONGEST else asks["case"] or f"if 1: {asks['otherwise']}"
    statements = _parsed(code)
    if asks is None or not statements or not isinstance(statements[0], (ast.If, ast.While)):
        return [(indent, text)]
    first = statements[0].body[0].col_offset  # which counts bytes
    body = asks["otherwise"] or asks["case"].encode()[first:].decode()
    return [(indent, text.removesuffix(body).rstrip()), (indent + 1, body)]


def leaves(text: str) -> str:
    """The word with which a statement leaves a loop or one of its steps; none of any other."""
    match = re.search(r"\b(break|continue|return)\b", text)
    statements = _parsed(text) if match is not None and len(text) <= _LONGEST else None
    left = any(isinstance(s, (ast.Break, ast.Continue, ast.Return)) for s in statements or ())
    return match[1] if match is not None and left else ""


def lines_of(text: str) -> list[str]:
    """The answers in one logical line: one for every name that a statement assigns, none for what assigns nothing."""
    if _HEAD.match(text):
        return []
    asked = _ASK.search(text) is not None or "=" not in text
    statements = _parsed(text) if len(text) <= _LONGEST and asked else None
    if statements is None:
        return [text]
    try:
        return [line for s in statements for line in _lines(s, text, len(statements) == 1)]
    except RecursionError:  # names of thousands of parts
        return [text]


def _parsed(text: str) -> list[ast.stmt] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python thinks of 1or is no news to whoever is graded
            return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _lines(s: ast.stmt, text: str, alone: bool) -> Iterator[str]:
    if isinstance(s, _SILENT) or (isinstance(s, (ast.Expr, ast.Assign)) and _is_silent(s.value)):
        return
    if put := _put_out(s):
        yield put
    elif added := _add_at(s):
        yield f"{added[0]} += scatter_add({added[2]}, {added[1]})"
    elif isinstance(s, ast.AnnAssign) and s.value is not None:
        yield f"{ast.unparse(s.target)} = {_segment(text, s.value)}"
    elif isinstance(s, ast.Assign) and (sizes := _zeros(s.value)):
        yield f"{ast.unparse(s.targets[0])} = zeros({', '.join(sizes)})"
    elif isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Tuple):
        yield from _unpacked(s.targets[0], s.value, text)
    else:
        yield text if alone else _segment(text, s)


# -- sums and lists over a range or the entries of arrays


def written_out(indent: int, text: str, names: Iterator[str], arrays: Collection[str]) -> list[tuple[int, str]]:
    """(indentation, text) of the loops that a statement is with ``sum(x * t for x, t in zip(X, y))`` and
    ``[a[k] for k in range(K)]`` in it, under fresh ``names``; the statement as it is where it has none. Of ``arrays``
    the sizes are known."""
    statements = _parsed(text) if " for " in text and len(text) <= _LONGEST else None
    value = statements[0] if statements and len(statements) == 1 else None
    if not isinstance(value, (ast.Assign, ast.AugAssign)) or _zeros(value.value):
        return [(indent, text)]
    unrolled = _Unrolled(indent, names, arrays)
    try:
        said = ast.unparse(unrolled.visit(value))
    except RecursionError:  # sums of a thousand terms
        return [(indent, text)]
    return [*unrolled.lines, (indent, said)] if unrolled.lines else [(indent, text)]


class _Unrolled(ast.NodeTransformer):
    """Puts names in the place of sums and lists, and gives the ``lines`` that compute them."""

    def __init__(self, indent: int, names: Iterator[str], arrays: Collection[str]) -> None:
        self.indent, self.names, self.arrays = indent, names, arrays
        self.lines: list[tuple[int, str]] = []

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(ast.Name("sum"), [ast.GeneratorExp(x, [a]) | ast.ListComp(x, [a])]) if self._goes_over(a):
                return self._looped(x, a, begin=["{0} = 0"], step="{0} += {1}")
            case ast.Call(function, [ast.ListComp()], []) if ast.unparse(function).rpartition(".")[2] in _STACKS:
                return cast(ast.expr, self.visit(node.args[0]))
        return cast(ast.expr, self.generic_visit(node))

    def _goes_over(self, loop: ast.comprehension) -> bool:
        """Whether a loop goes over a range, or over the entries of arrays one of which is known."""
        found = _entries(loop.target, loop.iter)
        entries = found is not None and any(array in self.arrays for array in found[1])
        return _over_range(loop) or (entries and not loop.ifs)

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        if len(node.generators) > 1 or not _over_range(node.generators[0]):
            return node
        return self._looped(node.elt, node.generators[0], begin=[], step="{0}[{2}] = {1}")

    def _looped(self, value: ast.expr, loop: ast.comprehension, begin: list[str], step: str) -> ast.expr:
        name = next(self.names)
        own = {n.id: next(self.names) for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
        loop, value = (cast(Any, _Renamed(own).visit(part)) for part in (loop, value))
        counter = ast.unparse(loop.target)
        self.lines += [(self.indent, line.format(name)) for line in begin]
        self.lines.append((self.indent, f"for {counter} in {ast.unparse(loop.iter)}:"))
        self.indent += 1
        inner = ast.unparse(self.visit(value))
        self.lines.append((self.indent, step.format(name, inner, counter)))
        self.indent -= 1
        return ast.Name(name)


def entries_of(text: str) -> tuple[list[str], list[str], str] | None:
    """(names, arrays, what stands behind the colon) of a loop over the entries of arrays, ``for x, t in zip(X, y):``,
    with the counter of ``enumerate`` as one name more; None of any other loop."""
    statements = _parsed(f"{text} pass" if text.rstrip().endswith(":") else text) if len(text) <= _LONGEST else None
    loop = statements[0] if statements and len(statements) == 1 else None
    found = _entries(loop.target, loop.iter) if isinstance(loop, ast.For) else None
    if not isinstance(loop, ast.For) or found is None:
        return None
    behind = text.encode()[loop.iter.end_col_offset :].decode()  # which counts bytes
    return *found, behind.partition(":")[2].strip()


def _entries(target: ast.expr, over: ast.expr) -> tuple[list[str], list[str]] | None:
    """The names of entries, perhaps behind that of a counter, and the arrays that a loop goes over."""
    names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
    match over:
        case ast.Call(ast.Name("enumerate"), [inner], []) if isinstance(target, ast.Tuple) and len(target.elts) == 2:
            first = target.elts[0]
            found = _entries(target.elts[1], inner) if isinstance(first, ast.Name) else None
            return None if found is None else ([ast.unparse(first), *found[0]], found[1])
        case ast.Call(ast.Name("zip"), arrays, []):
            return (names, [ast.unparse(a) for a in arrays]) if len(names) == len(arrays) else None
        case ast.Call(ast.Name("range" | "reversed" | "enumerate")):
            return None
    return (names, [ast.unparse(over)]) if isinstance(target, ast.Name) else None


class _Renamed(ast.NodeTransformer):
    """Other names: those of a generator are its own."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id))


def _over_range(loop: ast.comprehension) -> bool:
    over = isinstance(loop.iter, ast.Call) and ast.unparse(loop.iter.func) in _COUNTS
    return over and isinstance(loop.target, ast.Name) and not loop.ifs


# -- arrays under two names


@lru_cache(maxsize=4096)
def renamed(text: str) -> tuple[str, str] | None:
    """(name, name) of a statement that gives an array a second name, ``a = dv`` or ``a = dv.T``: what changes one in
    place changes both."""
    match _parsed(text) if "=" in text and len(text) <= _LONGEST else None:
        case [ast.Assign([ast.Name(name)], value)] if (of := _array_of(value)) and of != name:
            return name, of
    return None


@lru_cache(maxsize=4096)
def changed_in_place(text: str) -> str:
    """The name of the array that a statement changes, ``a *= 2`` or ``a[0] = 0``; none of one that gives a value."""
    match _parsed(text) if "=" in text and len(text) <= _LONGEST else None:
        case [ast.AugAssign(target) | ast.Assign([ast.Subscript() as target])]:
            return ast.unparse(target).partition("[")[0]
    return ""


def _array_of(value: ast.expr) -> str:
    """The name of the array whose numbers, all of them, an expression has; none where they are others."""
    match value:
        case ast.Name(name):
            return name
        case ast.Attribute(base, "T" | "mT" | "data"):
            return _array_of(base)
        case ast.Call(ast.Attribute(ast.Name("np"), method), [base, *_]) if method in SHARED:
            return _array_of(base)
        case ast.Call(ast.Attribute(base, method)) if method in SHARED:
            return _array_of(base)
        case ast.Subscript(base, ast.Slice(None, None, None) | ast.Constant(builtins.Ellipsis)):
            return _array_of(base)
    return ""


def _segment(text: str, node: ast.AST) -> str:
    return ast.get_source_segment(text, node) or ast.unparse(node)


def _is_silent(value: ast.expr) -> bool:
    """A text, None, a dictionary, and calls of print and of what a framework keeps for itself."""
    if isinstance(value, ast.Call):
        method, word = isinstance(value.func, ast.Attribute), ast.unparse(value.func).rpartition(".")[2]
        return word in _SILENT_CALLS and (method or word != "step")  # which is a function too
    constant = value.value if isinstance(value, ast.Constant) else 0
    return isinstance(value, ast.Dict) or not isinstance(constant, (int, float))


def _add_at(s: ast.stmt) -> list[str]:
    """The arguments of ``np.add.at(dC, words, g)``, which adds once for every time that an index occurs."""
    call = s.value if isinstance(s, ast.Expr) else None
    if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("add.at") or len(call.args) != 3:
        return []
    return [ast.unparse(a) for a in call.args]


def _put_out(s: ast.stmt) -> str:
    """``np.multiply(d, m, out=d)`` as ``d = np.multiply(d, m)``; nothing of any other statement. Clipping in place is a
    step of training."""
    call = s.value if isinstance(s, ast.Expr) else None
    if not isinstance(call, ast.Call) or ast.unparse(call.func).endswith("clip"):
        return ""
    out = next((k.value for k in call.keywords if k.arg == "out"), None)
    rest = ast.Call(call.func, call.args, [k for k in call.keywords if k.arg != "out"])
    return "" if out is None else f"{ast.unparse(out)} = {ast.unparse(rest)}"


def _zeros(value: ast.expr) -> list[str]:
    """The sizes of a list of zeros, ``[0] * D`` or ``[[0.0] * D for _ in range(N)]``; none of anything else."""
    match value:
        case ast.BinOp(ast.List([ast.Constant(0)]), ast.Mult(), size):
            return [ast.unparse(size)]
        case ast.ListComp(ast.Constant(0), [ast.comprehension(_, ast.Call(ast.Name("range"), [size]), [])]):
            return [ast.unparse(size)]
        case ast.ListComp(inner, [ast.comprehension(_, ast.Call(ast.Name("range"), [size]), [])]):
            rest = _zeros(inner)
            return [ast.unparse(size), *rest] if rest else []
    return []


def _unpacked(targets: ast.Tuple, value: ast.expr, text: str) -> Iterator[str]:
    """``a, b = …``; what is taken out of a cache are the model's own arrays, which need no line."""
    names = [ast.unparse(t) for t in targets.elts]
    if isinstance(value, ast.Tuple) and len(value.elts) == len(names):
        yield from _at_once(names, value.elts, text)
    elif isinstance(value, ast.Attribute) and value.attr == "shape":
        yield from (f"{n} = {ast.unparse(value)}[{k}]" for k, n in enumerate(names) if n != "_")
    elif not isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)):
        yield text


def _at_once(names: Sequence[str], values: Sequence[ast.expr], text: str) -> Iterator[str]:
    """``a, b = b, a``: all values are those of before."""
    read = [{n.id for n in ast.walk(v) if isinstance(n, ast.Name)} for v in values]
    later = [n for k, n in enumerate(names) if n in set[str]().union(*read[k + 1 :])]
    before = {n: f"{n}_before" for n in later}
    yield from (f"{other} = {n}" for n, other in before.items())
    for n, v, its in zip(names, values, read, strict=True):
        kept = its.isdisjoint(before)
        yield f"{n} = {_segment(text, v) if kept else ast.unparse(_Renamed(before).visit(v))}"


# -- names that are updated


def updated(left: Tokens, right: Tokens, mark: str, words: Dictionary) -> tuple[Tokens, Tokens] | None:
    """(the name, what it holds afterwards) for a line that changes what a name holds already, ``d *= m``,
    ``d[z <= 0] = 0``, ``d[range(N), y] -= 1``; None for one that does not."""
    inner = at(left, 1).is_sign("[") and closing(left, 1) == len(left) - 1
    place = _place(left[2:-1], words) if inner else None
    if place is None:
        scaled = [*left, sign(UPDATES[mark]), sign("("), *right, sign(")")] if mark in ("*=", "/=", "@=") else None
        return None if scaled is None else (left, scaled)
    which, mask = place
    if which and mark in ("+=", "-="):
        return left[:1], [*left[:1], sign(UPDATES[mark]), *_at_entries(which, right)]
    if which and not _is_number(right):
        if mark in UPDATES:
            raise SyntaxProblem("only =, += and -= change single entries by an array: write where(condition, a, b)")
        right = called("at_entries", which, right)
    value = right if mark not in UPDATES else [*left[:1], sign(UPDATES[mark]), sign("("), *right, sign(")")]
    return left[:1], called("where", mask, value, left[:1])


def _place(index: Tokens, words: Dictionary) -> tuple[Tokens, Tokens] | None:
    """(class indices or nothing, the condition) of an index that picks an entry a row, or where a condition holds."""
    parts = split(index)
    if len(parts) == 2 and any(x.text in _COUNTS for x in parts[0]):
        return parts[1], [*called("one_hot", parts[1]), sign(">"), *_numeral("0")]
    if len(parts) == 1 and len(index) == 1 and index[0].kind == NAME:
        row = words.reference.rows.get(index[0].text)
        if row is not None and row.kind == INT:
            if row.shape:
                raise SyntaxProblem("an index that occurs twice counts once: write np.add.at(array, index, values)")
            return index, [*called("one_hot", index), sign(">"), *_numeral("0")]
        masks = index[0].text in words.own - words.counters if row is None else row.kind == BOOL
        return ([], index) if masks else None
    return ([], index) if len(parts) == 1 and any(x.is_sign(*_COMPARED) for x in index) else None


def _at_entries(which: Tokens, value: Tokens) -> Tokens:
    """The array that holds the values at the entries that class indices pick, one a row, and 0 elsewhere."""
    if value == _numeral("1"):
        return called("one_hot", which)
    if _is_number(value):
        return [*value, sign("*"), *called("one_hot", which)]
    return called("at_entries", which, value)


def _is_number(value: Tokens) -> bool:
    return all(x.kind == NUMBER or x.is_sign("-", "/", ".") for x in value)


def _numeral(text: str) -> Tokens:
    return [at([], 0)._replace(kind=NUMBER, text=text)]
