"""What has to be said beside the formulas: the conventions in force, and what the functions in them mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from inspect import Parameter, signature
from typing import Any

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core import maths as m
from symbackprop.core.entry import At, Index, Place, letters, settled
from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.graph import SYMMETRIC, Graph, Node, reached
from symbackprop.core.loops import with_bodies
from symbackprop.core.names import free_name, parse_name, text_name
from symbackprop.core.noughts import weights_a_log
from symbackprop.core.ops.indexing import bound_of
from symbackprop.core.printer import Printer
from symbackprop.core.registry import OPS, Spelled, composed
from symbackprop.core.registry import Op as Record
from symbackprop.core.scalars import RELU0, TABLE, Abstract
from symbackprop.model.model import Model
from symbackprop.render.document import Prose
from symbackprop.render.rows import Rows
from symbackprop.render.rules import function_rule

ARRAYS, SIZES, INDICES = "abuvxyzpqrscdfghwijklmnot", "TSRQPMNKUVXYZABC", "ijklmnopqrstuvabcdfgh"  # names in glossaries
OPTIONS = ("s", "p")  # stride and padding, which are s₁ and p₁ where a page has an s and a p
LAYOUTS = {
    "shape": "every gradient has the shape of its variable (shape convention)",
    "jacobian": "derivatives in Jacobian (numerator) layout: one row for every output, one column for every input",
}
NUMERATOR = "derivatives in vectors are rows (numerator layout), which are transposed to gradients"


G = m.Sym("G")
WHOLE: Prose = (  # of matrices that are stated to be symmetric
    "the gradient of a symmetric matrix is the whole one, ", G, ", every entry counted as independent; "
    "by the entries on and above the diagonal alone it is ",
    m.total((False, G), (False, m.Transpose(G)), (True, m.called("diag", G))),
)
ONES = m.Fill(sp.S.One, m.Shape((sp.Symbol("N"),)))


def conventions(model: Model, layout: str, rows: bool) -> tuple[Prose, ...]:
    """What holds at the kinks that the model has, and the layout of gradients: stated in every output. ``rows``: the
    view has derivatives in vectors as rows."""
    steps = f"{NUMERATOR}, " if rows and layout == "shape" else ""
    whole = (WHOLE,) if any(row.attr.stated == SYMMETRIC for row in model.targets().values()) else ()
    return (*_at_kinks(model), *whole, (steps + LAYOUTS[layout],))


def kinks_of(model: Model) -> list[tuple[str | m.Math, ...]]:
    """What records say of the kinks of the functions that a model uses."""
    used = functions_of(model)
    return list(dict.fromkeys(r.kink for name, r in (TABLE | OPS).items() if name in used and r.kink))


def _at_kinks(model: Model) -> Iterator[Prose]:
    relu0: dict[m.Math, m.Math] = {RELU0: m.Num(model.graph.relu0)}
    for kink in kinks_of(model):
        yield tuple([x if isinstance(x, str) else m.replaced(x, relu0) for x in kink])


def functions_of(model: Model) -> set[str]:
    """The ops and scalar functions that a model uses, those in its loops included."""
    rows = [*with_bodies(reached(model.equations.values()))]
    used = {row.op.name for row in rows if row.form is None}
    used = used.union(*map(f.calls, {row.form for row in rows if row.form is not None}))
    weighs = any([weights_a_log(row) is not None for row in rows])
    return used | f.calls(f.nought(f.Arg(0), f.Arg(1))) if weighs else used


_SIGNS: dict[str, Prose] = {  # what no row is called by
    "whole part": (m.called("floor", m.A), " is the greatest whole number up to ", m.A),
    "mod": (m.called("mod", m.A, m.B), " is the remainder of ", m.A, " divided by ", m.B),
    "vec": (m.called("vec", m.A), " has the rows of ", m.A, " one behind the other; ", m.Outer(m.A, m.B, blocks=True),
            " in its derivative is the Kronecker product, the matrix of blocks ", m.product(m.at(m.A, m.M, m.N), m.B)),
    "blockdiag": (m.called("blockdiag", m.Array(m.at(m.A, m.N), ("n",))),
                  " is the matrix with the matrices ", m.at(m.A, m.N), " along its diagonal and 0 elsewhere"),
    "diagonal matrix": (m.called("diag", m.A), " is the matrix with ", m.A, " on its diagonal and 0 elsewhere"),
}
_FIRST = m.Item(m.Identity(sp.Symbol("N")), (m.Span(None, m.Sym("N")),))
_NOTATION: dict[str, Prose] = {  # what is said where it stands on a page
    "ones": (ONES, " is a vector of ones, ", m.MatMul(ONES, m.Transpose(m.B)), " has ", m.B, " in every row"),
    "outer": (m.equal(m.at(m.Outer(m.A, m.B), m.N, m.M), m.product(m.at(m.A, m.N), m.at(m.B, m.M))),
              ", for any number of axes"),
    "rows of I": (_FIRST, " has the first ", m.Sym("N"), " rows of ", m.Identity(sp.Symbol("N")), ": ",
                  m.equal(m.MatMul(_FIRST, m.A), m.Item(m.A, (m.Span(None, m.Sym("N")),))), ", and ",
                  m.MatMul(m.Transpose(_FIRST), m.B), " has ", m.B, " there and 0 elsewhere"),
    "inverse": (m.Inverse(m.A), " is the inverse matrix"),
    "turned inverse": (m.Inverse(m.A, flipped=True), " is the transpose of ", m.Inverse(m.A)),
    "power": (m.Pow(m.A, m.Num(sp.Integer(2))), " is taken entry by entry, as every power of an array"),
    "exponential": (m.Fn("exp", (m.A,)), " of a matrix is taken entry by entry"),
    "where": (m.Fn("where", (m.Sym("c"), m.A, m.B)), " is ", m.A, " where ", m.Sym("c"), " holds and ", m.B,
              " elsewhere"),
    "shares": (m.called("softmax", m.A), " of an array is taken along its last axis"),
    "bars": (m.Bars(m.A), " of a matrix is the root of the sum of the squares of all its entries (Frobenius norm)"),
}


class _Told:
    """Tells the entry form of an op over letters: s·o + i − p is an index that is counted out."""

    def __init__(self, record: Record, spelled: Spelled) -> None:
        assert record.entry is not None
        shapes = [tuple([sp.Dummy(positive=True) for _ in range(n)]) for n in spelled.ranks]
        index = letters([sp.Dummy(positive=True) for _ in spelled.index])
        term = record.entry(spelled.attr, shapes, index)[0]
        self.term = term if len(term.summed) == len(spelled.summed) else settled(term)
        own = [*zip(index, spelled.index, strict=True), *zip(self.term.summed, spelled.summed, strict=True)]
        self.called = {x: m.Letter(name) for x, name in own}
        self.arguments = [m.Delta() if x == "δ" else m.Sym(x, (sp.Symbol("N"),)) for x in spelled.arguments]
        self.left = m.Entry(m.Op(record.name, tuple(self.arguments)), tuple(map(m.Letter, spelled.index)))

    def __call__(self) -> m.Math:
        ties = [m.Indicator(m.equal(self._index(a), self._index(b))) for a, b in self.term.ties]
        factors = [*ties, *map(self._index, self.term.entries)]
        names = "".join(self.called[x].name for x in self.term.summed)
        return m.equal(self.left, m.Big("sum", tuple(names), m.product(*factors)) if names else m.product(*factors))

    def _index(self, index: Index) -> m.Math:
        if isinstance(index, At):
            return m.Entry(self.arguments[index.place], tuple([self._index(i) for i in index.index]))
        return self._counted(index) if isinstance(index, Place) else self.called[index]

    def _counted(self, place: Place) -> m.Math:
        over = sp.lcm_list([1, *[sp.denom(k) for k, _ in place.terms]])
        offset = sp.expand(place.offset * over)
        terms = [(k * over, self.called[x]) for k, x in place.terms]
        found = [(f.is_negative(k), x if abs(k) == 1 else m.product(m.Sym(str(k)), x)) for k, x in terms]
        found += [(f.is_negative(offset), m.Sym(str(abs(offset))))] if offset else []
        found.sort(key=lambda term: term[0])
        return m.Sum(tuple(found)) if over == 1 else m.Frac(m.Sum(tuple(found)), m.Sym(str(over)))


def meaning(name: str) -> Prose:
    """What an op or a function is; nothing where that goes without saying."""
    record = OPS.get(name)
    if record is None:
        return composed(name).means or _SIGNS.get(name, ())
    if isinstance(record.means, str) and record.means:
        return m.called(name, *(m.A, m.B)[: len(record.samples[0].shapes)]), f" {record.means}"
    return record.means or (() if record.spelled is None else (_Told(record, record.spelled)(), *record.spelled.words))


def of_scalar(r: Rows, name: str) -> Prose:
    """What a function of the scalar table is, and its derivative: σ(x) = 1/(1 + exp(−x)), σ′ = σ·(1 − σ)."""
    record, own = TABLE[name], Rows({}, r.letters, (), r.order)
    if isinstance(name, Abstract):
        of: Prose = (" ", m.Fn(name.prime(-1))) if name.order else ()
        return (m.Fn(name), f" {record.means}", *of)
    if isinstance(record.means, str):
        return (m.Fn(name), f" {record.means}")
    args = [m.Sym(x) for x in "xa"[: record.arity]]
    places = tuple(map(f.Arg, range(len(record.domain))))
    whole = m.equal(own.formula(f.Call(name, places), [*args, m.Sym("c")]), own.formula(record.means, args))
    slope = function_rule(own, name, places, 0) if len(places) == 1 else ""
    for inner in own.mentioned:
        r.mention(inner)
    return (whole,) if isinstance(slope, str) else (whole, ", ", slope)


def definition(r: Rows, call: Node) -> Prose:
    """What the library function that made a row computes, by its own rows over its parameters' names:
    GELU(x) = ½x ⊙ (1 + …)."""
    assert call.origin is not None
    function, graph = FUNCTIONS[call.origin.function], Graph(call.graph.relu0)
    places = signature(function).parameters
    if any(p.kind is Parameter.VAR_POSITIONAL for p in places.values()):
        return ()
    given = {**dict(zip(places, call.origin.args, strict=False)), **call.origin.options}
    arrays = {name for name, a in given.items() if isinstance(a, Node) and _is_array(a, places[name])} or {*given}
    args = {name: _leaf(graph, name, a) if name in arrays else _number(a) for name, a in given.items()}
    row, names = function(**args), {a.id: m.Sym(name, a.shape) for name, a in args.items() if isinstance(a, Node)}
    left, right = (Rows(names, r.letters, expanded, r.order) for expanded in ((), (row.id,)))
    line = m.equal(left.row(row), right.row(row))
    for name, made in right.mentioned.items():
        r.mention(name, made)
    return (line,) if left.is_call(row) else ()


def slopes(r: Rows, model: Model) -> Iterator[Prose]:
    """tanh′ = 1 − tanh², of the functions that everybody knows and whose derivative is written with their value."""
    for name in sorted(functions_of(model) & TABLE.keys() - {*Printer.nameless}):
        record = TABLE[name]
        if record.public and not record.means and record.arity == 1:
            slope = function_rule(r, name, (f.Arg(0),), 0)
            if isinstance(slope, m.Relation) and m.Fn(name) in m.walk(slope.right):
                yield (slope,)


def _is_array(value: Node, place: Parameter) -> bool:
    """Whether an argument stands for an array, as ``ones(T, T)`` does where nothing else is taken, or for a number."""
    return value.value is None or place.annotation == "Node"


def _leaf(graph: Graph, name: str, value: Any) -> Any:
    """An array of the same shape and kind; options stay what they are."""
    return graph.leaf(name, value.shape, "data", value.kind, bound_of(value)) if isinstance(value, Node) else value


def _number(value: Any) -> Any:
    return value.value if isinstance(value, Node) else value


def _told(r: Rows) -> Iterator[Prose]:
    """What the functions mean that are mentioned, and those that these are made of."""
    told = set[str]()
    yield from filter(None, [definition(r, call) for call in r.otherwise.values()])
    while waiting := [name for name in r.mentioned if name not in told]:
        for name in waiting:
            told.add(name)
            call = r.mentioned[name]
            line = of_scalar(r, name) if name in TABLE else meaning(name)
            line = line or (() if call is None else definition(r, call))
            if line:
                yield line


def glossary(r: Rows, trees: Iterable[m.Math], proved: Iterable[m.Math]) -> tuple[Prose, ...]:
    """The functions, the notation and the index letters that stand in the ``trees`` of a document; of those of its
    appendix, which has its own letters, the functions and the notation."""
    notation, letters, places = _found_in(trees)
    more, _, others = _found_in(proved)
    notation, places = notation | more, places or others
    r.mentioned = {name: call for name, call in r.mentioned.items() if name in notation or not _is_function(name)}
    r.otherwise = {name: call for name, call in r.otherwise.items() if name in notation}
    said: list[Prose] = [("products and transposes act on the last two axes",)] if "batched" in r.mentioned else []
    size = next(n for n in "NMKDn" if n in r.order or n not in r.letters.taken)
    other: dict[m.Math, m.Math] = {m.Delta(): r.upstream, ONES: m.Fill(sp.S.One, m.Shape((sp.Symbol(size),)))}
    lines = [*_told(r), *[line for name, line in _NOTATION.items() if name in notation]]
    meanings: list[Prose] = [tuple([m.replaced(x, other) if isinstance(x, m.Math) else x for x in line])
                             for line in lines]
    indices = list(_indices(r, letters))
    taken = {*r.letters.names, *map(text_name, (*r.letters.runs, *r.letters.met))}
    arrays = [_apart(_by_entries(places), taken - {*map(text_name, places)})] if places else []
    return (*said, *[_apart(line, taken) for line in meanings], *arrays, *indices)


def _by_entries(places: tuple[str, ...]) -> Prose:
    """What an array in brackets is, with the letters of one that stands on the page."""
    entry, index = m.at(m.A, *map(m.Letter, sorted(places))), m.Several(tuple(map(m.Letter, places)))
    return (m.Array(entry, places), " is the array with the entry ", entry, " at ", index)


def _is_function(name: str) -> bool:
    return name in OPS or name in FUNCTIONS or name in TABLE


_SILENT = (m.Link, m.Sym, m.Num, m.Delta, m.Shape)  # what needs no legend, nor what is in it


def _found_in(trees: Iterable[m.Math]) -> tuple[set[str], set[str], tuple[str, ...]]:
    """The notation and the functions by name that stand in trees, the letters of indices, and those of an array that is
    written by its entries."""
    notation, letters, places, seen = set[str](), set[str](), tuple[str, ...](), set[int]()
    waiting = list(trees)
    while waiting:
        x = waiting.pop()
        kind = type(x)
        if kind in _SILENT or id(x) in seen:  # trees share most of what they are made of
            continue
        seen.add(id(x))
        waiting += m.parts(x)
        if kind in _NOTED:
            notation.update(_NOTED[kind](x))
        elif kind in _LETTERED:
            letters.update(_LETTERED[kind](x))
            if isinstance(x, m.Array):
                places = min(x.letters, places or x.letters, key=lambda those: abs(len(those) - 2))
    return notation, letters, places


def _of_op(x: Any) -> Sequence[str]:
    shares = len(x.args) == 1 and x.args[0].rank > 1 and x.name in OPS and OPS[x.name].distribution
    return [x.name, "shares"] if shares else _of_function(x)


def _of_function(x: Any) -> Sequence[str]:
    return [x.name, "exponential"] if x.rank > 1 and x.name in TABLE and TABLE[x.name].head is sp.exp else [x.name]


def _of_item(x: Any) -> Sequence[str]:
    rows = bool(x.index) and x.index[0] != m.Span() and isinstance(m.within(x.base), m.Identity)
    return ["rows of I"] if rows else []


# what a glossary may have to say of nodes themselves, and the letters of indices that they have
_NOTED: dict[type[m.Math], Callable[[Any], Sequence[str]]] = {
    m.Fill: lambda x: ["ones"] if x.value else [],
    m.Outer: lambda x: [] if x.blocks else ["outer"],
    m.Inverse: lambda x: ["inverse", "turned inverse"] if x.flipped else ["inverse"],
    m.Item: _of_item,
    m.Identity: lambda x: ["eye"],
    m.Op: _of_op,
    m.Fn: _of_function,
    m.Pow: lambda x: ["power"] if x.base.rank else [],
    m.Bars: lambda x: ["bars"] if x.body.rank > 1 else [],
}
_LETTERED: dict[type[m.Math], Callable[[Any], Sequence[str]]] = {
    m.Array: lambda x: x.letters, m.Big: lambda x: x.letters, m.Letter: lambda x: (x.name,),
    m.AtStep: lambda x: (x.letter,), m.Range: lambda x: (x.letter,),
}


def _apart(line: Prose, taken: Collection[str]) -> Prose:
    """A line whose names and letters are none of the page, and no letter a name: those that are go by other ones."""
    trees = [x for tree in line if isinstance(tree, m.Math) for x in m.walk(tree)]
    own = {(type(x), x.name): x for x in trees if isinstance(x, (m.Sym, m.Letter)) and _is_named(x)}
    names: dict[tuple[type[m.Math], str], str] = {}
    for (kind, name), x in own.items():
        if text_name(name) in taken or (kind is m.Letter and (m.Sym, name) in own):
            gone = {*taken, *map(text_name, [*[of for _, of in own], *names.values()])}
            names[kind, name] = free_name(gone, *[x for x in _alike(x) if x not in gone] or [parse_name(name).base])
    return tuple([_renamed(x, names) if isinstance(x, m.Math) else x for x in line]) if names else line


def _alike(x: m.Sym | m.Letter) -> str:
    """The names that may stand for one of its kind."""
    return "" if x.name in OPTIONS else INDICES if isinstance(x, m.Letter) else ARRAYS if x.name.islower() else SIZES


def _is_named(x: m.Math) -> bool:
    return isinstance(x, m.Letter) or (isinstance(x, m.Sym) and x.row is None)


def _renamed(value: Any, names: Mapping[tuple[type[m.Math], str], str]) -> Any:
    """A tree in which names and letters go by others."""
    if isinstance(value, tuple):
        return tuple([_renamed(x, names) for x in value])
    if not isinstance(value, m.Math):
        return value
    if isinstance(value, (m.Sym, m.Letter)):
        return replace(value, name=names.get((type(value), value.name), value.name)) if _is_named(value) else value
    found = {x.name: _renamed(getattr(value, x.name), names) for x in fields(value)}
    if isinstance(value, (m.Big, m.Array)):
        found["letters"] = tuple([names.get((m.Letter, x), x) for x in value.letters])
    return type(value)(**found)


def _indices(r: Rows, letters: Collection[str]) -> Iterator[Prose]:
    """How far each of the index letters runs, those of one size together; those of steps that runs over axes of
    several sizes."""
    together: dict[sp.Expr | None, list[m.Math]] = {}
    for letter, sizes in r.letters.found():
        if letter in letters:
            together.setdefault(next(iter(sizes)) if len(sizes) == 1 else None, []).append(m.Letter(letter))
    several = together.pop(None, [])
    for size, those in together.items():
        yield (*_run(those), r.size(size), " entry" if size == 1 else " entries")
    if several:
        yield (*_run(several), f"the axis that {'it indexes' if len(several) == 1 else 'they index'}")


def _run(letters: Sequence[m.Math]) -> Prose:
    return (letters[0], " runs over ") if len(letters) == 1 else (m.Several(tuple(letters)), " run over ")
