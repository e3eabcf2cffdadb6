"""`Model`: what a user declares, in order. It owns a row graph and knows which rows are parameters, data, results."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, overload

import sympy as sp

from symbackprop.core.functions import CONSTANTS, FUNCTIONS
from symbackprop.core.graph import FLOAT, SIMPLEX, SYMMETRIC, Graph, Node, Operand, label
from symbackprop.core.registry import OPS
from symbackprop.core.scalars import TABLE, Abstract, undefined
from symbackprop.core.shapes import MAX_DIM, Dim, DimLike, Shape, as_dim, as_shape, dim, dim_text, same, shape_text
from symbackprop.doorway import late
from symbackprop.errors import ModelError, NameProblem, Place, ShapeError, UsageError, did_you_mean
from symbackprop.model.names import check_name, check_notation, listed

RELU0 = (0, 1, sp.Rational(1, 2))


def _caller() -> str:
    """The file and line of the user's code that is running."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("symbackprop."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _checked_size(name: str, size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_DIM:
        raise ShapeError(f"the size of dimension {name} has to be a whole number from 1 to {MAX_DIM}, not {size}")
    return size


def _check_stated(name: str, shape: Shape, role: str, stated: str) -> None:
    """`ShapeError` where no array of that shape can be as stated."""
    if stated == SIMPLEX and not shape:
        raise ShapeError(f"{name} is a number and cannot be simplex; did you mean `{role} {name}: C simplex` ?")
    if stated == SYMMETRIC and not (len(shape) == 2 and same(*shape)):
        size = dim_text(shape[-1]) if shape else "D"
        found = f"its shape is {shape_text(shape)}" if shape else "it is a number"
        meant = f"`{role} {name}: {size} x {size} symmetric`"
        raise ShapeError(f"{name} cannot be symmetric, {found} and not square; did you mean {meant} ?")


@dataclass(frozen=True)
class Statement:
    """One declaration or equation, as `show` lists it: keyword (dim, function, data, input, param, const, let,
    loss, output).
    ``where`` is the file and line of an equation."""

    keyword: str
    name: str
    where: str = field(default="", compare=False)


_BRACKETED = re.compile(r"\(\s*(.*?)\s*,?\s*\)")  # (N, D) and (N,)
_BETWEEN_SIZES = re.compile(r"\s*[,×]\s*|\s+x\s+|\s+")


class Model:
    """A model: dimensions, data, parameters, named intermediates, and a loss or outputs.

    With a loss (a scalar) the gradients are those of the loss. With outputs instead, the model is a layer: the upstream
    gradient of each output is given, as a leaf named ``d<output>``.

    ``relu0`` is the derivative of ReLU at 0: 0 (the default), 1 or 1/2. ``called`` says how rows are called that a
    derivation names, by the names that it would give them.
    """

    def __init__(self, name: str = "model", *, summary: str = "", source: str = "", tags: Iterable[str] = (),
                 relu0: int | float | sp.Rational = 0) -> None:
        self.name, self.summary, self.source, self.tags = name, summary, source, tuple(tags)
        self.graph = Graph(relu0=relu0)
        if self.graph.relu0 not in RELU0:
            raise ModelError(f"relu0 is 0, 1 or 0.5, not {relu0}")
        self.sizes: dict[str, int | None] = {}
        self.statements: list[Statement] = []
        self.place = ""  # the file and line of model text that is read
        self.notation_of: dict[str, str] = {}
        self.notes: list[str] = []
        self._remarks: dict[str, None] = {}
        self.products: dict[Place, str] = {}  # by what stands behind one without a sign in the text
        self.example: dict[str, object] = {}
        self.params: dict[str, Node] = {}
        self.inputs: dict[str, Node] = {}
        self.data_rows: dict[str, Node] = {}
        self.constants: dict[str, Node] = {}
        self.functions: dict[str, Abstract] = {}
        self.equations: dict[str, Node] = {}
        self.stacks: dict[str, Callable[[], Node]] = {}
        self.loss_row: Node | None = None
        self.called: dict[str, str] = {}
        self.last_values: dict[str, str] = {}  # of names that model text gives several values
        self.output_rows: dict[str, Node] = {}
        self.upstream: dict[str, Node] = {}

    @classmethod
    def parse(cls, text: str, name: str | None = None, path: str | None = None, relu0: Any = None,
              define: Mapping[str, str] | None = None) -> Model:
        """The model that a model text declares; errors name ``path`` and the line. ``define`` says what its abstract
        functions are: ``{"f": "tanh"}``."""
        model: Model = late("parse")(text, name, path, relu0, define)
        return model

    @classmethod
    def load(cls, path: str | Path, relu0: Any = None) -> Model:
        """The model in a `.sbp` file."""
        model: Model = late("load_text")(path, relu0)
        return model

    def text(self) -> str:
        """The model as model text."""
        return str(late("to_text")(self))

    # -- declarations
    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are read from the model's text."""
        return late("parse"), (self.text(), self.name), {"_remarks": self._remarks}

    def __copy__(self) -> Model:
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def dims(self, names: str | Iterable[str], **sizes: int) -> Any:
        """Symbolic dimensions: ``N, D = m.dims("N D")``; ``m.dims("D", D=3)`` gives a default size.

        One name gives the dimension itself, which unpacks too: ``N = m.dims("N")``, ``N, = m.dims("N")``.
        """
        all_names = listed(names)
        for name in sizes.keys() - set(all_names):
            raise NameProblem(f"a size is given for {name!r}, which is not among the names {', '.join(all_names)}")
        symbols = tuple(self.dim(n, sizes.get(n)) for n in all_names)
        return symbols[0] if len(symbols) == 1 else symbols

    def dim(self, name: str, size: int | None = None) -> Dim:
        """One symbolic dimension, perhaps with a default size."""
        self._claim(name)
        self.sizes[name] = None if size is None else _checked_size(name, size)
        self.statements.append(Statement("dim", name))
        return dim(name)

    def resize(self, sizes: Mapping[str, int]) -> None:
        """Give dimensions default sizes."""
        for name, size in sizes.items():
            if name not in self.sizes:
                known = f"; it has {', '.join(self.sizes)}" if self.sizes else ": none of its sizes has a name"
                hint = did_you_mean(name, self.sizes)
                raise NameProblem(f"{self.name} has no dimension {name!r}{known}.{hint}")
            self.sizes[name] = _checked_size(name, size)

    def data(self, name: str, shape: Iterable[DimLike] = (), *, below: DimLike | str | None = None,
             simplex: bool = False, symmetric: bool = False) -> Node:
        """Data, no gradient taken; ``below=C`` makes it integers 0 ≤ i < C. ``simplex`` states that it adds up to 1
        along its last axis, no entry below 0, which derivations use, ``symmetric`` that it is its own transpose."""
        if simplex + symmetric + (below is not None) > 1:
            raise ModelError(f"{name} can be one only of integers, simplex and symmetric")
        bound = None if below is None else as_dim(self._size(below) if isinstance(below, str) else below)
        stated = SIMPLEX if simplex else SYMMETRIC if symmetric else ""
        row = self._leaf(name, shape, "data", kind="float" if bound is None else "int", below=bound, stated=stated)
        self.data_rows[name] = row
        return row

    def input(self, name: str, shape: Iterable[DimLike] = (), *, symmetric: bool = False) -> Node:
        """Data whose gradient is wanted too. ``symmetric`` states that it is its own transpose."""
        row = self._leaf(name, shape, "input", stated=SYMMETRIC if symmetric else "")
        self.inputs[name] = row
        return row

    def param(self, name: str, shape: Iterable[DimLike] = (), *, symmetric: bool = False) -> Node:
        """A parameter: what gradients are taken of. ``symmetric`` states that it is its own transpose."""
        row = self._leaf(name, shape, "param", stated=SYMMETRIC if symmetric else "")
        self.params[name] = row
        return row

    def const(self, name: str, value: int | float | sp.Expr) -> Node:
        """A named number."""
        row = self._leaf(name, (), "constant", value=self.graph.const(value).attr)
        self.constants[name] = row
        return row

    def function(self, name: str, notation: str | None = None) -> Callable[[Operand], Node]:
        """An abstract function of one number, applied to every entry: ``f = m.function("f"); h = f(z)``. Derivations
        write f and f′; what needs numbers asks for a definition (`define`)."""
        self.check_function(name)
        self._claim(name)
        if notation is not None:
            self.notation_of[name] = check_notation(notation)
        abstract = self.functions[name] = Abstract(name, notation or "")
        self.graph.functions[name] = lambda x, order: self.graph.call(abstract.prime(order), x)
        self.statements.append(Statement("function", name))
        return partial(self.graph.call, abstract)

    def check_function(self, name: str) -> None:
        """A `NameProblem` where the library has a function of that name."""
        if any(name in table for table in (FUNCTIONS, CONSTANTS, TABLE, OPS)):
            free = next(n for n in ("f", "g", "phi", "psi", f"{name}_") if n not in self._taken())
            raise NameProblem(f"{name!r} is a function of the library already; did you mean function {free} ?")

    def define(self, **functions: str) -> Model:
        """The model with functions in the place of abstract ones: ``m.define(f="tanh", g="x*sigmoid(x)")``."""
        return Model.parse(self.text(), self.name, relu0=self.graph.relu0, define=functions)

    def require_definitions(self) -> None:
        """A `UsageError` where there are abstract functions, which have no values."""
        if self.functions:
            raise UsageError(undefined([*self.functions]))

    def _leaf(self, name: str, shape: Iterable[DimLike], role: str, **options: Any) -> Node:
        shape = self._shape(shape)
        _check_stated(name, shape, role, options.get("stated", ""))
        self._claim(name)
        row = self.graph.leaf(name, shape, role, **options)
        self.statements.append(Statement(role if role != "constant" else "const", name))
        return row

    def _shape(self, shape: Any) -> Shape:
        """A shape; sizes that are given by their names are dimensions, declared so if they are not: ``("N", 3)``,
        ``"N x D"``."""
        if isinstance(shape, str):
            sizes = _BETWEEN_SIZES.split(_BRACKETED.sub(r"\1", shape.strip()))
            shape = sizes if sizes != [""] else ()
        if isinstance(shape, Iterable):
            shape = [self._size(part) if isinstance(part, str) else part for part in shape]
        return as_shape(shape)

    def _size(self, part: str) -> DimLike:
        if part.isdecimal():
            return int(part)
        return dim(part) if part in self.sizes else self.dim(part)

    def _taken(self) -> set[str]:
        return {*self.graph.names, *self.sizes, *self.functions}

    def _claim(self, name: str) -> None:
        check_name(name)
        if name in self.sizes:
            raise NameProblem(f"the name {name!r} is already a dimension")
        if name in self.functions:
            raise NameProblem(f"the name {name!r} is already an abstract function")
        self.graph.claim(name)

    # -- equations
    def let(self, name: str, value: Operand, notation: str | None = None) -> Node:
        """A named intermediate. One that is the last state of a loop is a row of its own: others may read that too."""
        row = self.graph.lift(value)
        last = row.is_result and row.attr < len(row.args[0].attr.carry)
        return self._equation("let", name, self.graph.alias(row, name) if last else row, notation)

    @overload
    def loss(self, value: Operand, /) -> Node: ...

    @overload
    def loss(self, name: str, value: Operand) -> Node: ...

    def loss(self, name: Any, value: Any = None) -> Node:
        """The scalar that is minimised, called L if given alone; a model has one loss or else outputs."""
        if value is None:
            name, value = "L", name
        if self.loss_row is not None:
            raise ModelError(f"a second loss {name!r}: the model already has the loss {self.loss_row.name!r}")
        if self.output_rows:
            outputs = ", ".join(self.output_rows)
            raise ModelError(f"a loss {name!r} in a layer with outputs {outputs}: it is one or the other")
        row = self.graph.lift(value)
        if row.shape:
            raise ShapeError(
                f"the loss {name} is not a scalar ({shape_text(row.shape)}); did you mean mean(…) or sum(…) ?",
                instead=(_matrix_products, "mean(…)")
            )
        self.loss_row = self._equation("loss", name, row, None)
        return self.loss_row

    def output(self, name: str, value: Operand) -> Node:
        """An output of a layer; its upstream gradient ``d<name>`` is given."""
        if self.loss_row is not None:
            loss = self.loss_row.name
            raise ModelError(f"an output {name!r} in a model with the loss {loss!r}: it is one or the other")
        row = self._equation("output", name, value, None)
        self.output_rows[name] = row
        return row

    def _equation(self, keyword: str, name: str, value: Operand, notation: str | None) -> Node:
        self._claim(name)
        row = self.graph.let(name, value)
        self.equations[name] = row
        self.statements.append(Statement(keyword, name, self.place or _caller()))
        if notation is not None:
            self.notation_of[name] = check_notation(notation)
        return row

    # -- constants that carry a shape
    def constant(self, kind: str, *args: Any) -> Node:
        """``arange(n)``, ``eye(n)``, ``zeros(*shape)``, ``ones(*shape)``, ``causal_mask(n)`` as rows of this model."""
        if kind not in CONSTANTS:
            raise NameProblem(f"no constant array {kind!r}; there are {', '.join(sorted(CONSTANTS))}")
        return CONSTANTS[kind](self.graph, *args)

    # -- results
    def targets(self) -> dict[str, Node]:
        """What gradients are taken of: parameters and inputs, in order of declaration."""
        names = [s.name for s in self.statements if s.keyword in ("param", "input")]
        return {n: self.graph.names[n] for n in names}

    def differentiable(self, name: str) -> Node:
        """What a name stands for that gradients can be taken of: declared or computed, and no integers."""
        known = {**self.leaves(), **self.equations}
        if name not in known:
            raise NameProblem(f"no array {name!r} in {self.name}.{did_you_mean(name, known)}")
        if known[name].kind != FLOAT:
            raise NameProblem(f"{name!r} is integer data and has no gradient")
        return known[name]

    @property
    def remarks(self) -> list[str]:
        """How lines of its text were read that could be meant otherwise."""
        return list(self._remarks)

    def remark(self, text: str, first: bool = False) -> None:
        """Add a remark, last or ``first``; each is said once."""
        self._remarks = {text: None, **self._remarks} if first else self._remarks
        self._remarks.setdefault(text)

    def results(self) -> list[Node]:
        """The loss, or the outputs."""
        if self.loss_row is not None:
            return [self.loss_row]
        if not self.output_rows:
            raise ModelError(f"the model {self.name!r} has no loss and no output: add `loss L = …` or `output Y = …`")
        return list(self.output_rows.values())

    def seeds(self) -> list[Node]:
        """The cotangents that the sweep starts from: 1 for a loss, the given upstream gradient of each output."""
        if self.loss_row is not None:
            return [self.graph.const(1)]
        return [self._upstream(name, row) for name, row in self.output_rows.items()]

    def _upstream(self, name: str, row: Node) -> Node:
        if name not in self.upstream:
            wanted = f"d{name}"
            while wanted in self.graph.names or wanted in self.sizes:
                wanted += "_"
            self.upstream[name] = self.graph.leaf(wanted, row.shape, "upstream")
        return self.upstream[name]

    def intermediates(self) -> dict[str, Node]:
        """Every named intermediate: the equations, then what loops assign and no equation reads, stacked over time."""
        hidden = {name: stack() for name, stack in self.stacks.items() if name not in self.graph.names}
        return {**self.equations, **hidden}

    def unreached(self, targets: Mapping[str, Node] | None = None) -> list[str]:
        """The parameters and inputs, or ``targets``, that no result depends on: their gradient is zero."""
        reached = {n.id for n in self.graph.topological(self.results())}
        wanted = self.targets() if targets is None else targets
        return [name for name, row in wanted.items() if row.id not in reached]

    def warnings(self) -> list[str]:
        """What is allowed but worth saying: parameters that no result depends on, nothing to take gradients of."""
        goal = f"the loss {self.loss_row.name}" if self.loss_row is not None else "no output"
        verb = "does not depend" if self.loss_row is not None else "depends"
        found = [f"{goal} {verb} on {name}: its gradient is zero" for name in self.unreached()]
        if not self.targets():
            found.append("the model has no parameters and no inputs: there is nothing to take gradients of")
        return found

    def leaves(self) -> dict[str, Node]:
        """Every declared array by name, in order of declaration."""
        roles = ("param", "input", "data")
        return {s.name: self.graph.names[s.name] for s in self.statements if s.keyword in roles}

    def default_sizes(self, given: Mapping[str, int] | None = None) -> dict[str, int]:
        """A size for every dimension: the given one, the declared default, or a small number of its own."""
        unknown = set(given or {}) - set(self.sizes)
        if unknown:
            raise ModelError(f"no dimension {sorted(unknown)[0]!r}; the model has {', '.join(self.sizes) or 'none'}")
        small = iter((3, 4, 5, 6, 7, 2, 8, 9, 10, 11) * (1 + len(self.sizes) // 10))
        return {n: (given or {}).get(n) or d or next(small) for n, d in self.sizes.items()}

    def __repr__(self) -> str:
        return f"<Model {self.name}: {', '.join(label(r) for r in [*self.params.values()])}>"

    def _repr_latex_(self) -> str:
        return str(late("model_latex")(self))

    def _repr_html_(self) -> str | None:
        shown: str | None = late("model_html")(self)
        return shown


def _matrix_products(line: str, place: Place) -> str:
    """A line with ``v' * A * v`` as Matlab means it, from a transpose on."""
    before, there, after = place.cut(line)
    first = re.search(r"'|\.T\b|ᵀ", there)
    cut = first.end() if first else len(there)
    return before + there[:cut] + re.sub(r"(?<!\*)\*(?!\*)", "@", there[cut:]) + after


# -- what cannot be written because a formula of it is nested too deeply is told with the place of that formula
@contextmanager
def nesting_told(model: Model) -> Iterator[None]:
    """Python's limit on what calls itself, met inside, is the user's error."""
    try:
        yield
    except RecursionError:
        name = deepest(model)
        where = next((s.where for s in model.statements if s.name == name), "")
        raise ModelError(f"the formula of {name} is nested too deeply: name a part of it", where) from None


def deepest(model: Model) -> str:
    """The equation with the most rows without a name in each other."""
    depth: dict[int, int] = {}
    for row in model.graph.topological(list(model.equations.values())):
        depth[row.id] = 1 + max([depth[a.id] for a in row.args if a.name is None], default=0)
    return max(model.equations, key=lambda name: depth[model.equations[name].id])
