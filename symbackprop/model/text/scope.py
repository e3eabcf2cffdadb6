"""What names mean while a model text is read: dimensions, arrays, families ``h[0], h[1] …``, loop counters."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, pairwise, product

import sympy as sp

from symbackprop.core.graph import Node
from symbackprop.core.indexing import getitem
from symbackprop.core.loops import stack_of
from symbackprop.core.names import GREEK
from symbackprop.core.shapes import Shape, declared, dim, dim_text, same
from symbackprop.errors import Meant, ModelError, NameProblem, NotDeclared, Place, nearest, suggested
from symbackprop.model.model import Model
from symbackprop.model.names import check_name, python_name
from symbackprop.model.text import tree
from symbackprop.model.text.calls import callee, function_names, is_numpys
from symbackprop.model.text.characters import SUM_OVER
from symbackprop.model.text.evaluate import evaluate
from symbackprop.model.text.expressions import WORDS
from symbackprop.model.text.known_numbers import short
from symbackprop.model.text.languages import Language
from symbackprop.model.text.meant_lines import entries_from_one, from_the_end, rewritten, with_parameter
from symbackprop.patterns import lazy

PI, _NOISE = "pi", "noise"

_ENTRY = lazy(r"([A-Za-z]\w*?)_[a-z]")  # x_i of sums and indices on paper


@dataclass
class LoopResult:
    """A name computed by a loop from ``first`` to ``last``: its row in the body, and its place among the carries."""

    scan: Node
    row: Node
    first: sp.Expr
    last: sp.Expr
    place: int | None
    varies: bool = True

    def stack(self) -> Node:
        """The values of all steps, ordered by the counter."""
        if self.varies:
            return stack_of(self.scan, self.row)
        return self.row.graph.broadcast(self.row, (self.scan.attr.length, *self.row.shape))

    def at(self, place: sp.Expr, name: str) -> Node:
        """The value at one step; the last one needs no stack."""
        end = self.first if self.scan.attr.reverse else self.last
        if self.place is not None and same(place, end):
            return self.scan.graph.result(self.scan, self.place)
        if not self.varies and same(place, end):
            return self.row
        index = sp.expand(place - self.first)
        if index.is_negative or (self.last - place).is_negative:
            last = [f"{name}[{dim_text(self.last)}]"] if place == -1 else []
            raise ModelError(f"there is no {name}[{short(place)}]: the loop runs from {self.first} to {self.last}",
                             instead=last)
        return getitem(self.stack(), index)


class Scope:
    """Names at a place in a text: those of the model, or inside a loop body its own on top of them.

    ``counters`` are the values of the literal loops around the place, ``from_zero`` which of these the text counts from
    0, ``range(3)``, ``locals`` the plain names of their bodies, ``families`` the names ``h[0], h[1] …`` by base and
    index, ``loops`` what loops over a symbolic axis have computed, ``lists`` what is listed in brackets.
    ``language``: that of the text.
    """

    language: Language | None = None

    def __init__(self, model: Model, counters: dict[str, int]) -> None:
        self.model, self.graph = model, model.graph
        self.counters = counters
        self.from_zero = set[str]()
        self.locals: list[dict[str, str]] = []
        self.families: dict[str, dict[sp.Expr, str]] = {}
        self.loops: dict[str, LoopResult] = {}
        self.lists = set[str]()
        self.now: dict[str, str] = {}  # what names that have another value stand for
        self.ends: dict[str, Node] = {}  # what loops have given names at last, ``h[T]``
        self.rounds: dict[str, str] = {}  # what names are called that loops of numbers around a loop give each time

    def noise(self, place: Place, shape: Shape) -> Node | None:
        """The random numbers that are drawn at a place, which are data; None where there can be none."""
        return None

    # -- for the two kinds of scope to say
    def own(self, name: str) -> Node | None:
        """The row of that Python name which belongs to this scope."""
        raise NotImplementedError

    def beyond(self, name: str) -> Node | sp.Expr:
        """What a name means that this scope has no row for."""
        raise NotImplementedError

    def claim(self, name: str) -> str:
        """The name, now taken; a `NameProblem` when it cannot be."""
        raise NotImplementedError

    def element(self, row: Node, items: tuple[tree.Expr, ...]) -> Node | None:
        """``row[t, …]`` where t counts a loop over a symbolic axis; None where no such counter occurs."""
        return None

    def held(self, name: str) -> str:
        """What is called so by now that is no stack of a loop's; nothing where there is none."""
        for scope in reversed(self.locals):
            if name in scope:
                return scope[name]
        now = self.now.get(name, name)
        return now if now not in self.loops and self.own(name) is not None else ""

    def define(self, keyword: str, name: str, row: Node) -> str:
        """A row under a name that is free; the name."""
        raise NotImplementedError

    def another(self, name: str) -> str:
        """A name for another value of a name."""
        raise NotImplementedError

    def rename(self, keyword: str, name: str, row: Node) -> None:
        """Another value for a name: it is a name of its own, which the old one stands for from here on."""
        self.stands_for(name, self.define(keyword, self.another(name), row))
        if name in self.now:
            self.tell_renamed(name, self.now[name])

    def tell_renamed(self, name: str, other: str) -> None:
        """That a name stands for another one from here on."""
        raise NotImplementedError

    def begins(self, family: str, place: sp.Expr, name: str) -> None:
        """The steps of a loop begin with what is called so by now."""
        raise NotImplementedError

    def end(self, name: str, family: str, stop: sp.Expr) -> str:
        """From here on a name stands for what a loop has given a family at last; how that is written."""
        last = f"{family}[{dim_text(stop)}]"
        self.ends[last] = self.loops[family].at(stop, family)
        self.stands_for(name, last)
        return last

    def stands_for(self, name: str, other: str) -> None:
        """From here on a name is that other one."""
        next((scope for scope in reversed(self.locals) if name in scope), self.now)[name] = other

    # -- values
    def name(self, name: str) -> Node | sp.Expr:
        for scope in reversed(self.locals):
            if name in scope:
                return self._row(scope[name])
        if name in self.counters:
            return sp.Integer(self.counters[name])
        found = self.own(name)
        return self.beyond(name) if found is None else found

    def member(self, name: str, items: tuple[tree.Expr, ...]) -> Node | None:
        """``h[2]`` of the family h, ``h[T]`` of the loop that computes h."""
        if self.from_zero and any(name in own for own in (*self.locals, self.rounds)):
            return None  # as Python has no families
        now = self.now.get(name, name)
        family, loop = self.families.get(name) if name not in self.now else None, self.loops.get(now)
        if len(items) != 1 or isinstance(items[0], tree.Slice) or (family is None and loop is None):
            return None
        place = evaluate(items[0], self)
        if isinstance(place, sp.Expr):
            if family is not None and place in family:
                return self._row(family[place])
            if loop is not None:
                return loop.at(place, name)
        if family is None or loop is not None:
            return None
        raise NameProblem(f"there is no {name}[{short(place)}]; there is {self.members(name)}")

    def remark(self, text: str) -> None:
        """Said once a line."""
        self.model.remark(f"{self.model.place}: {text}")

    def multiplied(self, place: Place | None, sign: str) -> None:
        if place is not None:
            self.model.products[place] = sign

    def offset(self, item: tree.Expr) -> int:
        """1 where the counter of a literal loop is part of an index into an array: counters count from 1."""
        return int(any(name in self.counters for name in tree.mentioned(item)))

    def counts_back(self, item: tree.Expr) -> bool:
        return not self.from_zero.isdisjoint(tree.mentioned(item))

    def _row(self, name: str) -> Node:
        row = self.own(name)
        assert row is not None
        return row

    # -- names of definitions
    def spelled(self, target: tree.Target) -> str:
        """The Python spelling of a target: ``h[0]`` is ``h0``."""
        if target.index is None:
            return target.name
        return self.register(target.name, self.index_of(target.index, target.name))

    def index_of(self, index: tree.Expr, name: str) -> sp.Expr:
        """The index of a name on the left of a definition: a whole number, or T + 1 for a loop that runs backwards."""
        value = evaluate(index, self)
        if not isinstance(value, sp.Expr) or value.is_integer is not True:
            raise ModelError(f"a name such as {name}[0] has a whole number in brackets, not {short(value)}")
        if value.is_negative:
            raise NameProblem(f"{name}[{value}]: an index of a name cannot be negative")
        return value

    def register(self, base: str, index: sp.Expr) -> str:
        """Make ``base[index]`` a name."""
        if base in self.graph.names or base in self.model.sizes or base in self.graph.functions:
            raise NameProblem(f"{base}[{index}] cannot be a name of its own: {base} is declared already")
        spelled = python_name(f"{base}[{index}]")
        if self.own(spelled) is not None or spelled in self.model.sizes:
            raise NameProblem(f"{base}[{index}] is spelled {spelled} in Python, and {spelled} is already taken: rename "
                              "one of them")
        self.families.setdefault(base, {})[index] = spelled
        return spelled

    def members(self, name: str) -> str:
        known = sorted(self.families[name], key=str)
        listed = ", ".join(f"{name}[{k}]" for k in known[:4])
        return listed + (f" … {name}[{known[-1]}]" if len(known) > 4 else "")

    def claim_target(self, target: tree.Target) -> str:
        """The Python name of a target, which has to be free. In an unrolled loop a plain name gets the counter."""
        if target.index is not None or not self.locals:
            return self.claim(self.spelled(target))
        own = self.locals[-1]
        if target.name in own:
            raise NameProblem(f"{target.name!r} is assigned twice in the body of the loop")
        counters = list(self.counters.values())[-len(self.locals) :]
        single = len(counters) == 1
        nested = target.name + "_".join(map(str, counters))
        name = self.register(target.name, sp.Integer(counters[0])) if single else nested
        own[target.name] = self.claim(name)
        return name


class ModelScope(Scope):
    """The names of a model, outside of every loop over a symbolic axis."""

    def __init__(self, model: Model, others: Mapping[str, Node] | None = None) -> None:
        super().__init__(model, {})
        self.others = others or {}
        self.lines: dict[str, int] = {}
        self.line, self.declares_arrays = 0, False
        self.listed: dict[str, Sequence[int]] = {}  # what loops of Python's over numbers have collected, by their steps
        self.drawn: dict[tuple[int, Place], Node] = {}
        self.next: dict[str, Iterator[int]] = {}
        self.defined_later: Callable[[str], str] = lambda name: ""

    def own(self, name: str) -> Node | None:
        name = self.now.get(name, name)
        if name in self.others:
            return self.others[name]
        if name in self.ends:
            return self.ends[name]
        if name not in self.graph.names and name in self.loops:
            return self.model.let(name, self.loops[name].stack())
        return self.graph.names.get(name)

    def beyond(self, name: str) -> Node | sp.Expr:
        if name in self.model.sizes:
            return dim(name)
        if name == PI:
            return sp.pi
        if name in self.listed:
            steps = [tree.Index(tree.Name(name), (tree.Number(sp.Integer(k)),)) for k in self.listed[name]]
            row: Node | sp.Expr = evaluate(tree.Call("stack", tuple(steps), ()), self)
            return row
        message, instead = self._meant(name)
        raise NameProblem(message, instead=instead) if message else self._unknown(name)

    def noise(self, place: Place, shape: Shape) -> Node:
        """The random numbers that a line draws at a place: it draws them once, where it reads them twice too."""
        key = self.line, place
        if key not in self.drawn:
            self.drawn[key] = self.draw(self.another(_NOISE) if _NOISE in self.lines else _NOISE, shape)
        return self.drawn[key]

    def draw(self, name: str, shape: Shape) -> Node:
        """Random numbers of a shape, which are data: they are given when a module is called."""
        self.remark(f"random numbers are given with the data: {name} is read as `data {declared(name, shape)}`")
        return self.model.data(self.claim(name), shape)

    def another(self, name: str) -> str:
        """A name for another value of a name."""
        free = (n for k in self.next.setdefault(name, count(2)) if (n := f"{name}_{k}") not in self.lines)
        return next(n for n in free if n not in self.families)

    def stands_for(self, name: str, other: str) -> None:
        super().stands_for(name, other)
        if name in self.now:
            self.model.last_values[name] = self.now[name]

    def tell_renamed(self, name: str, other: str) -> None:
        where = f", from line {self.lines[name]}" if name in self.lines else ""
        self.remark(f"{name} has a value already{where}: from here on it is {other}")

    def define(self, keyword: str, name: str, row: Node) -> str:
        getattr(self.model, keyword)(self.claim(name), row)
        return name

    def assign(self, keyword: str, target: tree.Target, row: Node) -> None:
        """One equation."""
        if target.index is not None and self._is_called_so(target.name, self.index_of(target.index, target.name), row):
            return
        define: Callable[[str, Node], Node] = getattr(self.model, keyword)
        define(self.claim_target(target), row)

    def begin(self, base: str, place: sp.Expr, row: Node) -> str:
        """Give ``base[place]``, with which the steps of a loop begin, a value; how it is spelled."""
        if not self._is_called_so(base, place, row):
            self.define("let", self.register(base, place), row)
        return self.families[base][place]

    def begins(self, family: str, place: sp.Expr, name: str) -> None:
        row = self.name(name)
        assert isinstance(row, Node)
        self.begin(family, place, row)

    def _is_called_so(self, base: str, index: sp.Expr, row: Node) -> bool:
        """Whether a value has the name of ``base[index]`` already, as in ``h[0] = h0``: it is that."""
        spelled = python_name(f"{base}[{index}]")
        free = all(base not in known for known in (self.graph.names, self.model.sizes, self.graph.functions))
        if not free or self.graph.names.get(spelled) is not row:
            return False
        self.families.setdefault(base, {})[index] = spelled
        return True

    def claim(self, name: str) -> str:
        check_name(name)
        if name in self.lines:
            apart = partial(_with_cross, name) if name in self.model.sizes and self.declares_arrays else ""
            raise NameProblem(self.taken(name), instead=[apart] if apart else ())
        if name in self.counters or name in self.families:
            what = "a loop counter" if name in self.counters else "a family of indexed names"
            raise NameProblem(f"the name {name!r} is already {what}")
        self.lines[name] = self.line
        return name

    def taken(self, name: str) -> str:
        what = " (as a dimension)" if name in self.model.sizes else ""
        size = f"its size, if it is known, stands there: dim {name} = 4"
        hint = f"; {'shapes are written N x D' if self.declares_arrays else size}" if what else ""
        return f"the name {name!r} is already taken on line {self.lines[name]}{what}{hint}"

    def _meant(self, name: str) -> tuple[str, str | Sequence[Meant]]:
        """What to say of a name that means nothing here and something on paper or elsewhere, and what is meant; nothing
        of any other."""
        shown = _shown(name)
        if name in self.families:
            return f"{shown} is a family of names: write {self.members(name)}", ""
        later = self.defined_later(name)
        if later:
            return later, ""
        if callee(name) is not None or name in self.graph.functions:
            return f"{shown} is a function: write {shown}(…)", [partial(_called, shown)]
        if name == "I" and self.model.sizes:
            eyes = [f"eye({size})" for size in self.model.sizes]
            return f"'I' is not declared: the identity matrix is {eyes[0]}", eyes
        entry = _ENTRY.fullmatch(name)
        if entry and (whole := self.own(entry[1])) is not None and whole.ndim == 1:
            message = f"{shown!r} is not declared: a formula is of whole arrays, {entry[1]}, or of {entry[1]}[k]"
            return message, [partial(_whole_for_entry, entry[1])]
        if name in _ELSEWHERE:
            return _ELSEWHERE[name]
        products = [*self._products(name)] if name == shown else []
        if products:
            message = f"{shown!r} is not declared: a product is written {products[0]}"
            return message, [partial(_product, written) for written in products]
        return "", ""

    def _products(self, name: str) -> Iterator[str]:
        """The products that names which run together may be: ``X @ w`` of Xw, ``lam * eye(N)`` of λI."""
        parts = _parts(name, {*self.graph.names, *["I"] * bool(self.model.sizes)})
        if len({*parts}) < 2 or (len(parts) > 2 and nearest(name, [*self.graph.names])):
            return
        arrays = [(row := self.own(part)) is None or bool(row.shape) for part in parts]
        signs = [" @ " if a and b else " * " for a, b in pairwise(arrays)]
        eyes = [f"eye({size})" for size in self.model.sizes] if {"I"} & {*parts} - self.graph.names.keys() else ["I"]
        for eye in eyes:
            whole = [eye if part == "I" else part for part in parts]
            yield "".join(chain.from_iterable(zip(whole, [*signs, ""], strict=True)))

    def _unknown(self, name: str) -> NotDeclared:
        """What to say of a name that means nothing at all."""
        shown = _shown(name)
        library = partial(_of_numpy, shown)
        known = [*self.graph.names, *self.model.sizes, *self.others, *self.loops, *self.families]
        word = shown.capitalize()  # true
        near = nearest(shown, known) or (word if word in WORDS else nearest(shown, function_names()))
        shapes = [shape for axes in range(3) for shape in product(list(self.model.sizes)[:_FEW], repeat=axes)]
        new = [partial(with_parameter, name, shape) for shape in shapes
               if name == shown and not self.locals and not SUM_OVER.fullmatch(name)]
        same = near and near.replace("_", "") == shown.replace("_", "")  # y_hat, of ŷ, and yhat
        instead: list[Meant] = [near] if same else [*[near] * bool(near), library, *new]
        return NotDeclared(f"{shown!r} is not declared.{suggested(near)}", instead=instead)


_MOST_TOGETHER = 4  # of many names of one letter most words could be


def _parts(name: str, known: Container[str]) -> list[str]:
    """The fewest known names that make up a name that is none; nothing where there are none, or too many."""
    found: dict[int, list[str]] = {0: []}  # by where they end
    for end in range(1, len(name) + 1):
        ways = [[*found[k], name[k:end]] for k in found if name[k:end] in known]
        if ways:
            found[end] = min(ways, key=len)
    parts = found.get(len(name), [])
    return parts if len(parts) <= _MOST_TOGETHER and name not in GREEK else []


def _shown(name: str) -> str:
    return name if len(name) <= 40 else name[:40] + "…"


_FEW = 4  # dimensions that the shape of what is not declared is looked for in


def _with_cross(name: str, line: str, place: Place) -> str:
    """The line with ``N x D`` for ``N, D``."""
    return re.sub(rf"(:\s*[^,:]*\w)\s*,\s*({name}\b)", r"\1 x \2", line)


def _called(name: str, line: str, place: Place) -> str:
    """The line with round brackets behind a function for square ones."""
    return re.sub(rf"\b{name}\[([^\[\]]*)\]", rf"{name}(\1)", line)


_exponential = rewritten(  # e^x
    r"\be\s*(?:\^|\*\*)\s*(?:\(((?:[^()]|\([^()]*\))*)\)|(-?\w+))", lambda found: f"exp({found[1] or found[2]})")
_ELSEWHERE: Mapping[str, tuple[str, str | Sequence[Meant]]] = {
    "inf": ("'inf' is infinite, which only where(…) and options take: where(m == 0, -inf, s)", ""),
    "e": ("'e' is not declared: e^x is exp(x)", [_exponential, "exp(1)"]),
    "end": ("'end' is not declared: the last entry is a[-1], and entries are counted from 0",
            [entries_from_one, from_the_end]),
}


def _of_numpy(name: str, line: str, place: Place) -> str:
    """The line with ``np.exp(x)`` for ``xp.exp(x)``; as it is where no function of NumPy's follows."""
    behind = re.findall(rf"\b{name}\.(\w+)\(", line)
    known = all(is_numpys(function) or callee(function) is not None for function in behind)
    return re.sub(rf"\b{name}\.(?=\w+\()", "np.", line) if known else line


def _whole_for_entry(name: str, line: str, place: Place) -> str:
    """The line with x for x_i; as it is inside of a sum, whose terms may be of other entries."""
    before = place.cut(line)[0]
    sums = [before[found.start() :] for found in re.finditer(r"\b(?:sum|prod|mean)\s*\(", before)]
    inside = any(behind.count("(") > behind.count(")") for behind in sums)
    return line if inside else place.put(line, name)


def _product(text: str, line: str, place: Place) -> str:
    """The line with a product for a name, which behind / is a divisor as a whole, and of arrays behind * a factor."""
    whole = place.cut(line)[0].rstrip().endswith(("/", "^", "*") if "@" in text else ("/", "^", "**"))
    return place.put(line, f"({text})" if whole else text)
