"""Every equation of a document as a claim that holds or does not: read strictly (`strict`), against the values and
gradients of its derivation (`world`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.core import maths as m
from symbackprop.core.loops import Loop
from symbackprop.core.names import text_name
from symbackprop.core.shapes import evaluate_dim
from symbackprop.derive.steps import Derivation
from symbackprop.render.appendix import LongForm, derived
from symbackprop.render.board import build_document
from symbackprop.render.document import Document, Line, Proof, Row, Step
from symbackprop.render.options import Options
from symbackprop.render.print.text import text
from symbackprop.render.rules import Rule
from tests.render.reading import Untold, Wrong
from tests.render.strict import Reader, Value, shape_of
from tests.render.world import World

RIGHT, WRONG, SKIPPED = "right", "wrong", "skipped"
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


@dataclass(frozen=True)
class Verdict:
    """What became of one line: ``why`` it is wrong or skipped."""

    verdict: str
    where: str
    line: str
    why: str = ""


def verdicts(derivation: Derivation, view: str = "auto", layout: str = "shape", seed: int = 0,
             detail: str = "full") -> Iterator[Verdict]:
    """Every equation of one view of a derivation."""
    document = build_document(derivation, Options(view=view, layout=layout, detail=detail))
    literal = any(isinstance(x, m.Sym) and x.entry for _, _, line, _ in _lines(document) for x in m.walk(line.right))
    world = World(derivation, seed, document.view == "jacobian", document.view == "scalar", literal)
    world.legend, world.called_rate = _legend(document), document.rate
    yield from _letters(derivation, world.legend)
    yield from _shapes(world, document)
    yield from words(document)
    yield from _proofs(derivation, document)
    place = ""
    for where, left, line, depth in _lines(document):
        if where != place:
            place, world.own = where, {}
        shown = f"{'' if left is None else text(left)} {line.sign} {text(line.right)}"
        try:
            _check_either(world, document, left, line, _loops(world, depth))
            yield Verdict(RIGHT, where, shown)
        except Wrong as error:
            yield Verdict(WRONG, where, shown, str(error))
        except Untold as error:
            yield Verdict(SKIPPED, where, shown, str(error))


def _proofs(derivation: Derivation, document: Document) -> Iterator[Verdict]:
    """Every equation of the appendix, each rule once, at a point of its own model."""
    page = LongForm(derivation, Options(view=document.view, layout=document.layout))
    rules = page.rules if document.rules and page.steps() else {}
    for rule, proof in zip(rules, document.rules, strict=True):
        if rule not in PROVED:
            PROVED[rule] = [*_proof(World(derived(rule)), replace(document, view="index"), proof)]
        yield from PROVED[rule]


PROVED: dict[Rule, list[Verdict]] = {}


def _proof(world: World, document: Document, proof: Proof) -> Iterator[Verdict]:
    for line in proof.lines:
        for right in _equal(line.right):
            shown = f"{'' if line.left is None else text(line.left)} = {text(right)}"
            try:
                _check_either(world, document, line.left, replace(line, right=right), {})
                yield Verdict(RIGHT, proof.title, shown)
            except Wrong as error:
                yield Verdict(WRONG, proof.title, shown, str(error))
            except Untold as error:
                yield Verdict(SKIPPED, proof.title, shown, str(error))


def _legend(document: Document) -> dict[str, sp.Expr | None]:
    """How far each index letter runs, as the glossary says it; None of one that does so in a step."""
    found: dict[str, sp.Expr | None] = {}
    for line in document.glossary:
        match line:
            case (m.Letter(letter), _, m.Num(size), " entries" | " entry"):
                found[letter] = size
            case (m.Several(letters), _, m.Num(size), " entries" | " entry"):
                found |= {x.name: size for x in letters if isinstance(x, m.Letter)}
            case (m.Letter(letter), _, "the axis that it indexes"):
                found[letter] = None
            case (m.Several(letters), _, "the axis that they index"):
                found |= {x.name: None for x in letters if isinstance(x, m.Letter)}
    return found


def _letters(derivation: Derivation, legend: Collection[str]) -> Iterator[Verdict]:
    """No index letter is a name or a size of the model."""
    taken = {text_name(x) for x in (*derivation.names.values(), *derivation.model.sizes)}
    for letter in legend:
        yield Verdict(WRONG if letter in taken else RIGHT, "legend", letter, "it is a name of the model")


def words(document: Document) -> Iterator[Verdict]:
    """Every function and I in the equations has a line in the glossary."""
    told = {word for line in document.glossary for part in line for word in _said(part)}
    proofs = [(proof.title, line) for proof in document.rules for line in proof.lines]
    for where, line in [*[(where, line) for where, _, line, _ in _lines(document)], *proofs]:
        for word in _said(line.right):
            yield Verdict(RIGHT if word in told else WRONG, where, word, "the glossary does not say what it is")


def _said(part: object) -> Iterator[str]:
    """The names of functions in a tree, or the first word of a sentence."""
    if isinstance(part, str):
        yield part.split(" ")[0]
    elif isinstance(part, m.Math):
        words = {m.Identity: "I"}
        yield from (x.name if isinstance(x, m.Op) else words.get(type(x), "") for x in m.walk(part)
                    if isinstance(x, m.Op) or type(x) in words)


def _beside(document: Document, s: Step) -> m.Math:
    """What the shape of a step stands beside: on a board its last line, which may be a gradient transposed."""
    left = s.lines[-1].left if document.detail == "board" else None
    return left if isinstance(left, m.Transpose) or m.is_nabla(left) else s.symbol


def _array(left: m.Math | None) -> m.Math | None:
    """What the entry on a left side is one of."""
    return left.base if isinstance(left, m.Entry) else left


def _shapes(world: World, document: Document) -> Iterator[Verdict]:
    """The shapes that stand beside equations and steps."""
    said = [(f"equation {e.number}", _array(e.line.left), e.shape) for e in document.forward]
    said += [(f"step {s.number}", _beside(document, s), s.shape) for s in document.steps if s.role != "loop"]
    for where, symbol, shape in said:
        if symbol is None:
            continue
        line = f"{text(symbol)} ({'' if shape is None else text(shape)})"
        try:
            reader = _reader(world, [symbol], {letter: world.steps(letter) for letter in world.counters})
            found = reader(symbol).said
            wanted = () if shape is None else reader.numbers(shape.sizes)
            yield Verdict(RIGHT if found == wanted else WRONG, where, line, f"it is {found}")
        except Untold as error:
            yield Verdict(SKIPPED, where, line, str(error))


def _lines(document: Document) -> Iterator[tuple[str, m.Math | None, Line, int]]:
    """All lines, with the left side that each goes on from."""
    for e in document.forward:
        yield f"equation {e.number}", e.line.left, e.line, e.depth
    for s in document.steps:
        left: m.Math | None = None
        for line in s.lines:
            left = line.left if line.left is not None else left
            for right in _equal(line.right):
                yield f"step {s.number}", left, replace(line, right=right), s.depth
    for row in document.table:
        if row.anchor:
            yield f"result {row.name}", _symbol(document, row), Line("result", None, row.gradient), 0
    for line in document.updates:
        yield "update", line.left, line, 0


def _equal(right: m.Math) -> list[m.Math]:
    """b and c of a = b = c."""
    if isinstance(right, m.Relation) and right.sign == "=":
        return [*_equal(right.left), *_equal(right.right)]
    return [right]


def _symbol(document: Document, row: Row) -> m.Math:
    """What a row of the closing table gives: the gradient, transposed where that has the shape beside it."""
    step = next(s for s in document.steps if s.anchor == row.anchor)
    rank = len(shape_of(step.target))
    row_vector = rank == 1 and document.view == "jacobian"
    turned = rank in (1, 2) and (document.layout == "jacobian") != row_vector
    return m.Transpose(step.symbol) if turned else step.symbol


def _loops(world: World, depth: int) -> dict[str, int]:
    """The counters of all loops, and how many steps they have; lines inside a loop may use them."""
    if not depth:
        return {}
    loops: list[Loop] = [r.attr for r in world.nodes.values() if isinstance(r.attr, Loop)]
    return {loop.index: evaluate_dim(loop.length, world.sizes) for loop in loops}


def _check_either(world: World, document: Document, left: m.Math | None, line: Line, loops: dict[str, int]) -> None:
    """As it is written; by entries axes of size 1 count for nothing."""
    try:
        world.squeezes = False
        _check(world, document, left, line, loops)
    except Wrong:
        if document.view != "index" and not (left is not None and _indexed(left)):
            raise
        world.squeezes = True
        _check(world, document, left, line, loops)


def _check(world: World, document: Document, left: m.Math | None, line: Line, loops: dict[str, int]) -> None:
    if line.sign == "for" or left is None:
        raise Untold("the range of a loop")
    if isinstance(line.right, m.Words):
        raise Untold("a gradient that is given")
    if line.kind == "note":
        raise Untold("a note on a loop")
    if isinstance(line.right, m.Relation) and line.right.sign == "↦":
        _check_map(world, left, line.right, loops)
    elif line.kind == "chain" and document.view != "scalar" and not _indexed(left):
        _check_chain(world, left, line.right, loops)
    elif _is_entrywise(document, left):
        _check_entrywise(world, left, line.right, loops)
    elif _marked(left.body if isinstance(left, m.Transpose) else left) == "later" and not loops:
        _check_start(world, left, line.right)
    elif _marked(left) == "new":
        _check_update(world, left, line.right)
    elif line.kind == "part":
        _define(world, left, line.right, loops)
    else:
        _check_equal(world, left, line.right, loops)


def _define(world: World, left: m.Math, right: m.Math, loops: dict[str, int]) -> None:
    """A name for a part of a formula further down: it stands for what its line says."""
    reader = _reader(world, [left, right], loops)
    value = reader(right)
    letters = [letter for letter in reader.axes if value.array.shape[reader.axes[letter]] > 1 or letter in loops]
    gone = tuple(k for letter, k in reader.axes.items() if letter not in letters)
    assert isinstance(left, m.Sym) and left.row is not None
    world.found[left.row] = tuple(letters), np.squeeze(value.array, gone)


def _reader(world: World, trees: Sequence[m.Math], loops: dict[str, int], delta: Any = None) -> Reader:
    reader = Reader(world, trees, tuple(world.counters), delta)
    reader.squeezes, reader.legend, reader.own = world.squeezes, world.legend, world.own
    reader.bound |= loops
    return reader


def _check_equal(world: World, left: m.Math, right: m.Math, loops: dict[str, int]) -> None:
    reader = _reader(world, [left, right], loops)
    reader.bind_free(left)
    _same(reader.number_of(reader(left)), reader.number_of(reader(right)))


def _check_start(world: World, left: m.Math, right: m.Math) -> None:
    """What enters a loop backwards: the value at its last step."""
    reader = _reader(world, [left, right], {letter: world.steps(letter) for letter in world.counters})
    value, letter = reader(left), next(iter(world.counters))
    last = 0 if world.counters[letter].reverse else -1
    _same(Value(np.take(value.array, [last], reader.axes[letter]), value.letters), reader(right))


def _same(a: Value, b: Value) -> None:
    if a.said != b.said:
        raise Wrong(f"the left side is {a.said}, the right side {b.said}")
    if np.any(np.isnan(a.array)) or np.any(np.isnan(b.array)):
        raise Untold("not a number here")
    if not np.allclose(*np.broadcast_arrays(a.array, b.array), **TOLERANCE):
        raise Wrong("other values")


def _is_entrywise(document: Document, left: m.Math) -> bool:
    """Whether a local derivative of arrays is that of each entry in its own: how the matrix view says it."""
    if not isinstance(left, m.Derivative):
        return False
    top, bottom = (x.body if isinstance(x, m.Link) else x for x in (left.top, left.bottom))
    if not isinstance(top, m.Sym) or not isinstance(bottom, m.Sym) or top.row is None:
        return False
    least = 2 if document.view == "jacobian" else 1
    return len(bottom.shape) >= least and len(top.shape) >= least


def _ends(tree: m.Math) -> tuple[int, int]:
    while isinstance(tree, m.Marked):
        tree = tree.body
    assert isinstance(tree, m.Derivative)
    ends = [x.body if isinstance(x, m.Link) else x for x in (tree.top, tree.bottom)]
    rows = [x.row for x in ends if isinstance(x, m.Sym)]
    if len(rows) < 2 or None in rows:
        raise Untold("a derivative of something else than rows")
    return rows[0], rows[1]  # type: ignore[return-value]


def _check_entrywise(world: World, left: m.Math, right: m.Math, loops: dict[str, int]) -> None:
    """J v = right ⊙ v for any v."""
    top, bottom = _ends(left)
    reader = _reader(world, [left, right], loops)
    found = reader(right)
    v, along = _direction(world, top, bottom)
    product = reader.together("⊙", np.multiply, found, reader.over(*v))
    _same(reader.over(*along), product)


def _check_map(world: World, left: m.Math, right: m.Relation, loops: dict[str, int]) -> None:
    """⟨image of δ, v⟩ = ⟨δ, J v⟩ for any δ and v."""
    top, bottom = _ends(left)
    letters, array = world.of(top)
    reader = _reader(world, [left, right], loops)
    delta = reader.over(letters, world.rng.normal(size=array.shape))
    reader.delta = delta
    world.called_upstream = _bare(right.left)
    v, along = _direction(world, top, bottom)
    image, wanted = reader(right.right), reader.over(*v)
    if image.shape != wanted.shape:
        raise Wrong(f"δ becomes {image.said}, the gradient is {wanted.said}")
    _same(_inner(delta, reader.over(*along)), _inner(image, wanted))


def _inner(a: Value, b: Value) -> Value:
    product = a.array * b.array
    return Value(product.sum(tuple(range(a.letters, product.ndim))), a.letters)


def _check_chain(world: World, left: m.Math, right: m.Math, loops: dict[str, int]) -> None:
    """⟨left, v⟩ = Σ ⟨∂L/∂z, (∂z/∂x) v⟩ for any v: a chain over arrays adds up over all entries of what is between."""
    reader = _reader(world, [left, right], loops)
    whole = reader(left)
    v = Value(world.rng.normal(size=whole.array.shape), whole.letters, whole.row)
    terms = right.terms if isinstance(right, m.Sum) else ((False, right),)
    found = [(-1) ** negative * _along_chain(world, reader, term, v).array for negative, term in terms]
    _same(_inner(whole, v), Value(np.asarray(sum(found)), whole.letters))


def _along_chain(world: World, reader: Reader, term: m.Math, v: Value) -> Value:
    factors = term.factors if isinstance(term, m.Chain) else (term,)
    if len(factors) == 1:
        value = reader(term)
        if value.said != v.said:
            raise Wrong(f"a term {value.said} of a gradient {v.said}")
        return _inner(value, v)
    for factor in reversed(factors[1:]):
        top, bottom = _ends(factor)
        letters, array = world.of(top)
        counts = array.shape[: len(letters)]
        own, below = world.of(bottom)
        at_steps = _over_steps(reader, v, letters, below.shape[len(own) :], counts)
        v = reader.over(*world.along(top, bottom, at_steps))
    return _inner(reader(factors[0]), v)


def _over_steps(reader: Reader, v: Value, letters: Sequence[str], shape: tuple[int, ...], counts: tuple[int, ...]
                ) -> Any:
    """A direction with an axis for each loop around in front."""
    wide = [1] * v.letters
    for letter, count in zip(letters, counts, strict=True):
        wide[reader.axes[letter]] = count
    array = np.broadcast_to(v.array, (*wide, *shape)).reshape((*wide, *shape))
    order = [reader.axes[letter] for letter in letters]
    rest = tuple(k for k in range(v.letters) if k not in order)
    return np.squeeze(np.moveaxis(array, order, range(len(order))), tuple(range(len(order), len(order) + len(rest))))


def _bare(tree: m.Math) -> m.Math:
    while isinstance(tree, (m.Link, m.Shaped)):
        tree = tree.body
    return tree


def _marked(tree: m.Math) -> str:
    """The word at a symbol."""
    bare = _bare(tree)
    return bare.word if isinstance(bare, m.Marked) else ""


def _indexed(tree: m.Math) -> bool:
    return any(isinstance(x, m.Entry) for x in m.walk(tree))


def _direction(world: World, top: int, bottom: int) -> tuple[Any, Any]:
    """A direction of bottom, the same at every step of the loops around, and the derivative of top along it."""
    letters, array = world.of(top)
    own, below = world.of(bottom)
    counts = array.shape[: len(letters)]
    v = world.rng.normal(size=(*counts, *below.shape[len(own) :]))
    return (letters, v), world.along(top, bottom, v)


def _check_update(world: World, left: m.Math, right: m.Math) -> None:
    """The new value is any; it has the shape of the old one."""
    reader = _reader(world, [left, right], {})
    bare = _bare(left)
    assert isinstance(bare, m.Marked)
    old, found = reader(bare.body), reader(right)
    if old.said != found.said:
        raise Wrong(f"the parameter is {old.said}, its update {found.said}")
