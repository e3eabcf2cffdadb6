"""A program as the text of a module: functions as finished lines, laid out by the template, then checked."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from itertools import chain
from textwrap import fill
from typing import Any

from symbackprop import __version__
from symbackprop.codegen.arrays import Arrays
from symbackprop.codegen.blocks import BY_BACKWARD, BY_PRODUCTS, ESTIMATED
from symbackprop.codegen.buffers import KEPT
from symbackprop.codegen.equations import shape_note
from symbackprop.codegen.helpers import needed, spelled
from symbackprop.codegen.initial import NORMAL, ONE, ZERO, Initial
from symbackprop.codegen.names import escape
from symbackprop.codegen.program import (
    Along,
    AskedFor,
    Block,
    BlockCode,
    Computed,
    Dense,
    Diagonal,
    Estimate,
    Function,
    InBlocks,
    Program,
)
from symbackprop.codegen.sizes import SizePlan, divided, plan_sizes
from symbackprop.codegen.statements import Writer
from symbackprop.codegen.tree import (
    INDENT,
    NUMBER,
    WIDTH,
    Code,
    Expr,
    Line,
    as_code,
    assign,
    attribute,
    binary,
    call,
    dictionary,
    dim_literal,
    doc_text,
    fitted,
    index,
    inside,
    layout,
    listed,
    method,
    model_literal,
    name,
    names_line,
    names_read,
    shape_literal,
    statement,
    string,
    text,
    without_unread,
)
from symbackprop.core.facts import is_symmetric
from symbackprop.core.graph import FLOAT, Node
from symbackprop.core.shapes import Dim, Shape, dim_text
from symbackprop.resources import templates

TEMPLATE = "module.py.j2"
DRAWN = ("An estimate: the mean of v * hvp(v) over random signs v (Hutchinson 1990; Bekas, Kokiopoulou and Saad 2007) "
         "and its standard error, both by name; rng is {}.")
A_BLOCK = "A block has its structure, the arrays that it is made of, and dense(): all of it, rows before columns."
WIDE = 112  # characters of a line in a docstring, where three quotes stand before the first
AMBIGUOUS = {"l", "O", "I"}  # to linters, where a model calls something so
MAX_LISTED = 4  # outputs that a docstring lists by name


@cache
def environment() -> Any:
    """The templates, each compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(templates()), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )


def module_text(fields: dict[str, Any], module: str, imports: Sequence[str]) -> str:
    """The module of a template's fields; ``module`` is what it calls NumPy. It has been parsed, its imports checked."""
    found: str = environment().get_template(TEMPLATE).render(fields)
    try:  # in parts, since a tree takes eighty times the memory of its text
        names = set[str]().union(*[checked(part, imports) for part in _parts(found)])
    except SyntaxError:  # a string with two empty lines
        names = checked(found, imports)
    helpers = needed(sorted(names), module)
    return found.removesuffix(HELPERS_PLACE) + "\n\n\n".join(helpers) + "\n"


def _parts(source: str) -> Iterator[str]:
    """Parts of a module that can be parsed alone: functions, of a long one several statements at a time."""
    for whole in source.split("\n\n\n"):
        lines = _STATEMENT.split(whole)
        for k in range(0, len(lines), MANY):
            yield "if True:\n" * (k > 0) + "\n".join(lines[k : k + MANY])


MANY = 500  # statements
_STATEMENT = re.compile(r"\n(?=    \w)")  # of the body of a function, where it begins


def checked(source: str, imports: Sequence[str]) -> set[str]:
    """The names in a part of a module, which has been parsed, its imports checked."""
    nodes = inside([ast.parse(source)])
    require_imports(nodes, imports)
    return {node.id for node in nodes if type(node) is ast.Name}


HELPERS_PLACE = "# helpers\n"  # the last line of the template


def require_imports(nodes: Iterable[ast.AST], allowed: Sequence[str]) -> None:
    """The module imports what its target may, and nothing else."""
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not {ast.unparse(node)} <= {*allowed}:
            raise AssertionError(f"emitted code has `{ast.unparse(node)}`")


class ModulePrinter:
    """Writes the parts of one module; the way of NumPy, where a subclass for another target does not say otherwise.

    ``arrays`` writes expressions and ``writer`` statements, ``imports`` are all that the module imports, ``levels`` the
    -O levels that make sense, ``refused`` says why others do not.
    """

    arrays: type[Arrays] = Arrays
    writer: type[Writer] = Writer
    imports: tuple[str, ...] = ()
    unchecked: str = "no-any-return, type-arg"  # of mypy --strict: what arrays of any dtype come to is Any
    levels: tuple[int, ...] = (0, 1, 2)
    source = "a numpy.random.Generator, or a seed"
    generator = ""  # the type of what draws, where it is not NumPy's: then NumPy's may stand for it, as Draws
    has_numbers = True  # whether an array without axes is a number, as a loss is
    remembers = True  # whether a module may remember what it was called with: one that is traced may not
    refused = ""
    where: tuple[str, ...] = ()  # what says where new arrays are, if something does
    context: tuple[str, ...] = ("dtype",)  # what new arrays are made in, which forward hands on to backward

    def __init__(self, program: Program) -> None:
        self.program, self.module = program, program.target.module
        self.array = spelled("ndarray", self.module)
        self.given = {**program.params, **program.data}
        self.p = program.target({}, program.level)
        self.backward = without_unread(self.lines_of(program.backward), self.gradients().names)
        self.forward = without_unread([*self.lines_of(program.forward), *self.handed_on(), self.result()])
        self.evaluate = without_unread([*self.writer(program, program.evaluate).lines(), self.equations()])
        self.functions = {f.name: self.computing(f) for f in program.functions}

    def text(self, optimizer: Sequence[str] = (), imports: Sequence[str] = ()) -> str:
        """The module, with the code of an optimiser, and with other imports than its own."""
        imports = imports or self.imports
        return module_text(self.fields() | {"optimizer": optimizer, "imports": imports}, self.module, imports)

    def lines_of(self, block: Block, written: Mapping[int, str] | None = None) -> list[Line]:
        return self.writer(self.program, block, self.program.level > 1, written).lines()

    def fields(self) -> dict[str, Any]:
        """What the template is filled with."""
        return self.declared() | self.computed() | self.read() | self.spelled()

    def declared(self) -> dict[str, Any]:
        """What the module says of itself and of its model."""
        p = self.program
        return {
            "version": __version__,
            "title": paragraph(doc_text(f"{p.name}: {p.summary}" if p.summary else p.name), ""),
            "checkpoints": fill(doc_text(p.checkpoints), WIDE),
            "imports": self.imports,
            "unchecked": self.unchecked,
            "unlinted": ", ".join(["E501", *(["E741"] if AMBIGUOUS & self.words() else []), "RUF100"]),
            "name": string(p.name),
            "model": model_literal(p.text),
            "params": self.table("PARAMS", {n: shape_literal(r.shape) for n, r in p.params.items()}),
            "data": self.table("DATA", {n: shape_literal(r.shape) for n, r in p.data.items()}),
            "integers": self.bounds({n: r.attr.below for n, r in self.given.items() if r.kind == "int"}),
            "dims": self.table("DIMS", {n: repr(size) for n, size in p.dims.items()}),
            "loss": "None" if p.loss is None else string(p.loss),
            "outputs": [] if p.loss is not None else names_line("OUTPUTS", p.outputs),
            "chosen": [] if p.chosen is None else names_line("GRADIENTS", p.chosen),
            "dtype": p.dtype,
            "constants": [f"{p.variables[n]} = {text(self.p.num(r.attr.value))}" for n, r in p.constants.items()],
            "hidden": "{" + ", ".join(f"{string(n)}: {size}" for n, size in self.sizes.hidden.items()) + "}",
            "sizes": self.sizes_shown(),
            "size_lines": self.sizes.lines,
        }

    def computed(self) -> dict[str, Any]:
        """The lines of its functions."""
        p, used = self.program, names_in(self.forward)
        return {
            "forward": layout([*self.opening(self.forward, *self.buffers(used, name)), *self.forward]),
            "backward": layout([*self.reopening(), *self.incoming(), *self.backward, self.gradients()]),
            "functions": [self.function(f) for f in p.functions],
            "evaluate": layout([*self.opening(self.evaluate), *self.evaluate]),
            "initial": initial_lines(p, self.p, list(self.sizes.hidden)),
        }

    def read(self) -> dict[str, Any]:
        """How arrays are read that are given to it."""
        remembers = self.remembers
        array = f"{self.module}.asarray(array)" if remembers else "array"  # what was seen before is not an array yet
        changed = "in_dtype(given[name], dtype) is not given[name]"
        no_float = "not isinstance(given[name], float) or dtype != np.float64"
        return {
            "remembers": remembers,
            "checked": array,
            "changed": no_float if self.keeps_plain_floats() else changed,
            "as_integers": f"as_integers(name, {array})[()]",
            "as_floats": "in_dtype(array, dtype)" if remembers else "array.astype(dtype, copy=False)[()]",
            "drawn": f"{{name: {self.module}.asarray(value, DTYPE)[()] for name, value in params.items()}}",
            "dtypes": 'cache["dtypes"]',
            "mark": string("dtypes"),
        }

    def spelled(self) -> dict[str, Any]:
        """Words, types and arguments of its functions."""
        p, result = self.program, f"tuple[{self.result_type()}, dict]"
        return {
            "np": self.module,
            "variables": "every parameter and input" if p.chosen is None else "the arrays that GRADIENTS names",
            "told": self.told(),
            "unreached": ", ".join(p.unreached),
            "source": self.source,
            "workspace": ", workspace: dict | None = None" if p.level > 1 else "",
            "heads": {word: self.head(word, [], result) for word in ("forward", "loss_and_grads")},
            "passed_on": ", workspace=workspace" if p.level > 1 else "",
            "array": self.array,
            "upstream": self.several,
            "factor": "float",
            "rng": self.drawing(),
            "results": told(p.results),
        }

    def words(self) -> set[str]:
        """What the module calls arrays and sizes."""
        p = self.program
        lines = [*self.forward, *self.backward, *self.evaluate, *chain(*self.functions.values())]
        return names_in(lines) | {*p.variables.values(), *map(escape, p.dims)}

    def result_type(self) -> str:
        """The type of the loss or of the outputs."""
        return "float" if self.has_numbers and self.program.loss is not None else self.several

    @property
    def random(self) -> str:
        """The type of what draws."""
        return f'"{self.generator} | Draws"' if self.generator else f"{self.module}.random.Generator | int"

    def drawing(self) -> str:
        """That of what initial values are drawn from; nothing stands for it where none is."""
        drawn = any(initial.kind == NORMAL for initial in self.program.initial.values())
        return self.random if drawn or not self.generator else self.generator

    @property
    def several(self) -> str:
        """The type of the outputs: an array, or several by name."""
        return self.array if len(self.program.results) == 1 else "dict"

    def table(self, word: str, items: dict[str, str]) -> list[str]:
        return listed(f"{typed(word, items)} = {{", [f"{string(n)}: {value}" for n, value in items.items()], "}", "")

    def bounds(self, below: Mapping[str, Dim]) -> list[str]:
        """What integers lie below, numbers and dimensions; a type checker makes objects of a table of both."""
        mixed = len({d.is_Integer for d in below.values()}) > 1
        return self.table("INTEGERS: dict" if mixed else "INTEGERS", {n: dim_literal(d) for n, d in below.items()})

    # -- sizes
    @cached_property
    def sizes(self) -> SizePlan:
        names = self.backward_names | names_in([*self.forward, *self.evaluate, *chain(*self.functions.values())])
        dims = [d for d in self.program.dims if escape(d) in names]
        return plan_sizes(self.given, self.program.dims, dims, self.program.demands)

    def sizes_shown(self) -> list[str]:
        """The table of sizes that are read off the arrays."""
        shown = {n: index(attribute(index("arrays", a), "shape"), k) for n, (a, k) in self.sizes.shown.items()}
        return layout([Line(assign(typed("sizes", shown), dictionary(shown)))])

    def told(self) -> str:
        """The docstring of forward: what it computes, and the sizes that no array shows."""
        computes = f"Computes {told(self.program.results)}, and the cache that backward reads."
        whole = paragraph(f"{computes} ValueError for arrays that are not as PARAMS and DATA say.")
        sizes = [f"{n} ({'has to be given' if d is None else f'else {d}'})" for n, d in self.sizes.hidden.items()]
        shown = paragraph(f"dims gives what no array shows: {doc_text(', '.join(sizes))}.")
        return f"{whole}\n\n{INDENT}{shown}\n{INDENT}" if sizes else whole

    def keeps_plain_floats(self) -> bool:
        """Whether Python floats are computed with as they are, where nothing else is given."""
        return self.program.floats_are_safe and not any(r.ndim or r.kind == "int" for r in self.given.values())

    # -- opening a function: arrays, sizes
    def opening(self, body: Iterable[Line], *more: Line) -> list[Line]:
        """``X = arrays["X"]``, ``N = sizes["N"]`` for what a body reads, after ``more``."""
        names = names_in(body)
        arrays = [(self.program.variables[n], r) for n, r in self.given.items()]
        lines = [unpacked(v, index("arrays", row.name or ""), row) for v, row in arrays if v in names]
        found = [*more, *lines, *self.sizes_from(name("sizes"), names)]
        used = names | names_in(found)
        targets = tuple(name(word if word in used else "_") for word in ("arrays", "sizes", "dtype", "dtypes"))
        return [Line(assign([as_code(targets)], call("read", name("params"), name("data"), name("dims")))), *found]

    def buffers(self, names: set[str], given: Callable[[str], Code], own: str = "") -> list[Line]:
        """-O2: the arrays that a function that reads ``names`` writes into, where it is ``given`` sizes and dtype;
        perhaps its ``own``."""
        found: Code = call("buffers", name("workspace"), given("sizes"), given("dtype"))
        if own:
            found = method(found, "setdefault", own, dictionary({}))
        return [kept_as(KEPT, found, names)] if self.program.level > 1 else []

    def sizes_from(self, table: Code, names: set[str], key: Callable[[str], str] = str, also: Iterable[str] = ()
                   ) -> list[Line]:
        """Sizes, and what is ``also`` in the table, together as far as they fit in a line."""
        found = {escape(d): index(table, key(d)) for d in self.program.dims if escape(d) in names}
        return together(found | {word: index(table, word) for word in also if word in names})

    # -- what forward hands on
    @cached_property
    def backward_names(self) -> set[str]:
        return names_in([*self.backward, *self.incoming()])

    def handed_on(self) -> list[Line]:
        p, names = self.program, self.backward_names
        items = {v: v for v in p.kept if v in names}
        items |= {escape(d): escape(d) for d in p.dims if escape(d) in names}
        items |= {c: c for c in self.context if c in names}
        items |= {"sizes": "sizes", "dtype": "dtype"} if p.level > 1 else {}
        return [Line(assign("cache", dictionary({k: name(v) for k, v in items.items()} | {"dtypes": name("dtypes")})))]

    def reopening(self) -> list[Line]:
        """Backward unpacks the cache."""
        names, kept = self.backward_names, self.program.kept
        arrays = self.buffers(names, partial(index, "cache"))
        lines = [unpacked(v, index("cache", v), row) for v, row in kept.items() if v in names]
        return [*arrays, *lines, *self.sizes_from(name("cache"), names, escape, self.context)]

    def incoming(self) -> list[Line]:
        """What backward is given of the upstream gradients of a layer's outputs, checked."""
        p = self.program
        if p.loss is not None:
            return []
        return self.upstreams({n: p.backward.variable(r) if r.id in p.backward.names else escape(r.name or "")
                               for n, r in p.upstream.items()}, names_in([*self.backward, self.gradients()]))

    def upstreams(self, variables: Mapping[str, str], names: set[str]) -> list[Line]:
        """The upstream gradients of a layer's outputs as these variables, checked; the ones in ``names`` are read."""
        shapes = {n: as_code(self.p.dims(self.program.upstream[n].shape)) for n in variables}
        given, context = name("upstream"), [*map(name, self.context)]
        if len(shapes) == 1:
            return [kept_as(variables[n], call("upstream_array", n, given, s, *context), names)
                    for n, s in shapes.items()]
        parts = [Line(assign(v, index("upstream", n))) for n, v in variables.items() if v in names]
        table = Line(assign("shapes", dictionary(shapes)))
        read = kept_as("upstream", call("upstream_arrays", given, name("shapes"), *context), names_in(parts))
        return [table, read, *parts] if variables else []

    # -- functions beside forward and backward
    def function(self, f: Function) -> dict[str, Any]:
        """What the template lays out of one."""
        drawing = isinstance(f, Estimate)
        further = ["v: dict", *([f"upstream: {self.several}"] if f.upstream else [])] if isinstance(f, Along) else []
        further = [f"rng: {self.random}", "samples: int = 100"] if drawing else further
        returned, told = self.told_of(f)
        return {
            "head": self.head(f.name, further, returned, not drawing),
            "says": paragraph(doc_text(f.says)), "told": paragraph(doc_text(told)),
            "lines": layout(self.body_of(f, self.functions[f.name])),
        }

    def head(self, word: str, further: Sequence[str], returned: str, lasting: bool = True) -> list[str]:
        """The head of a function of params, data and ``further`` arguments, whose results may be in a workspace."""
        given = ["params: dict", "data: dict", *further]
        given += ["workspace: dict | None = None"] if lasting and self.program.level > 1 else []
        return listed(f"def {word}(", [*given, "dims: dict | None = None"], f") -> {returned}:", "")

    def computing(self, f: Function) -> list[Line]:
        """What a function computes and returns of the arrays and sizes that it has."""
        own = self.lines_of(f.block, f.written) if isinstance(f, Computed) else []
        return without_unread([*own, *self.results_of(f)])

    def body_of(self, f: Function, lines: Sequence[Line]) -> list[Line]:
        """The same after what it is given is checked; what is asked for of other functions they check."""
        if not isinstance(f, Computed):
            return [*lines]
        names = names_in(lines)
        buffers = self.buffers(names, name, f.name)
        if not isinstance(f, Along):
            return [*self.opening(lines, *buffers), *lines]
        body = [*self.upstreams(f.upstream, names), *lines]
        along = [unpacked(v, index("along", n), self.given[n]) for n, v in f.directions.items() if v in names]
        given = self.directions(f, names_in(along))
        return [*self.opening([*along, *body], *given, *buffers), *along, *body]

    def block_of(self, b: BlockCode, known: Mapping[str, Expr]) -> Code:
        """A block as code, over arrays of floats; ``known`` are variables."""
        def array(word: str) -> Code:
            return self.p.converted(known[word], FLOAT).code if word in known else name(word)

        parts = [as_code((as_code(tuple(map(array, p.arrays))), p.letters, p.ties)) for p in b.parts]
        made = as_code(self.p.dims(b.shape)), as_code(tuple(parts))
        return call("Block", b.structure, b.letters, *made, *map(name, self.where))

    def told_of(self, f: Function) -> tuple[str, str]:
        """The type of what a function returns, and what its docstring says of that, or of v."""
        if isinstance(f, Along):
            inputs = [n for n in f.directions if n not in self.program.params]
            also = f", and perhaps of {', '.join(inputs)}," if inputs else ""
            like = ", and so does what is returned" if f.like else ""
            return f"dict[str, {self.array}]", f"v holds arrays like those of params{also} by name{like}."
        if isinstance(f, Estimate):
            return f"tuple[dict[str, {self.array}], dict[str, {self.array}]]", DRAWN.format(self.source)
        if isinstance(f, Diagonal):
            return f"dict[str, {self.array}]", "Of the shapes of params; no matrix is formed."
        if isinstance(f, Dense) or (isinstance(f, AskedFor) and f.dense):
            return self.array, "Rows and columns in the order in which the arrays are declared."
        return 'dict[tuple[str, str], "Block"]', A_BLOCK

    def directions(self, f: Along, names: set[str]) -> list[Line]:
        """What a function is given in v, checked; as ``along`` where ``names`` has that."""
        needed, perhaps = ({n: index(table, n) for n in f.directions if n in arrays}
                           for table, arrays in (("PARAMS", self.program.params), ("DATA", self.program.data)))
        shapes = name("PARAMS") if needed.keys() == self.program.params.keys() else dictionary(needed)
        given = [shapes, dictionary(perhaps), *map(name, ("arrays", "sizes", *self.context))]
        wanted = [Line(assign("wanted", call("set", name("v"))))] if perhaps and f.like else []
        return [kept_as("along", call("directions", name("v"), *given), names), *wanted]

    def results_of(self, f: Function) -> list[Line]:
        """The lines that return what a function has."""
        match f:
            case Along():
                return self.along_of(f)
            case InBlocks():
                known = {x.variable: x for x in f.block.names.values() if x.variable is not None}
                blocks = {as_code(key): self.block_of(code, known) for key, code in f.blocks.items()}
                return [Line(ast.Return(ast.Dict([*blocks], [*blocks.values()])))]
            case Dense():
                return [Line(ast.Return(call("in_dtype", name(f.matrix), name("dtype"))))]
            case Diagonal():
                found = dictionary({n: name(v) for n, v in f.results.items()})
                return [Line(ast.Return(call("returned", found, name("dtypes"))))]
            case Estimate():
                given = [name(word) for word in ("hvp", "rng", "samples", "params", "data", "dims")]
                return [Line(ast.Return(call(ESTIMATED, *given, f.by)))]
            case AskedFor():
                return [Line(ast.Return(self.asked(f)))]
        raise TypeError(f)

    def asked(self, f: AskedFor) -> Code:
        """All rows by backward, or all columns by hvp."""
        given = [*map(name, ("params", "data", "dims")), f.by]
        if f.of:
            return call(BY_BACKWARD, name("forward"), name("backward"), *given, f.of)
        found = call(BY_PRODUCTS, name("hvp"), *given)
        return call("joined", found, *given[:2], f.by) if f.dense else found

    def along_of(self, f: Along) -> list[Line]:
        """The return of a derivative along v: what is like v has the names that v has."""
        lines = [Line(assign("found", dictionary({n: name(v) for n, v in f.results.items()})))]
        if f.like and f.directions.keys() - self.program.params.keys():
            lines.append(Line(assign("found", call("those_in", name("wanted"), name("found")))))
        dtypes = name("dtypes") if f.like else dictionary({n: name("dtype") for n in f.results})
        return [*lines, Line(ast.Return(call("returned", name("found"), dtypes)))]

    # -- results
    def result(self) -> Line:
        """The return statement of forward."""
        rows = self.program.result_rows
        values = {n: name(v) if rows[n].ndim else self.scalar(name(v)) for n, v in self.program.results.items()}
        first = dictionary(values) if len(values) > 1 else next(iter(values.values()))
        return Line(ast.Return(as_code((first, name("cache")))))

    def scalar(self, value: Code) -> Code:
        """A number as one of the module's dtype."""
        return self.p.cast(Expr(value, (), NUMBER), FLOAT)

    def gradients(self) -> Line:
        found = self.program.gradients
        return Line(assign(typed("grads", found), dictionary({n: name(v) for n, v in found.items()})))

    def equations(self) -> Line:
        found = dictionary({n: name(v) for n, v in self.program.equations.items()})
        return Line(ast.Return(call("returned", found, dictionary({})) if self.program.numbers else found))


def told(results: Collection[str]) -> str:
    """Results in a docstring."""
    return doc_text(", ".join(results)) if len(results) <= MAX_LISTED else "the outputs"


def paragraph(words: str, indent: str = INDENT) -> str:
    """A paragraph of a docstring in lines that are not too wide."""
    return fill(words, WIDE, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def typed(word: str, items: Mapping[str, object]) -> str:
    """A variable that is given a dict; the type checker is told that an empty one is."""
    return word if items else f"{word}: dict"


def names_in(lines: Iterable[Line]) -> set[str]:
    return set().union(*[line.names for line in lines])


def unpacked(word: str, value: Code, row: Node) -> Line:
    return Line(assign(word, value), shape_note(row.shape))


def together(values: Mapping[str, Code]) -> list[Line]:
    """Variables of known values: several in one line, a, b = table["a"], table["b"], where it is not too long."""
    lines = list[Line]()
    part = dict[str, Code]()
    for word, value in values.items():
        longer = part | {word: value}
        if part and len(statement(at_once(longer))) > WIDTH - len(INDENT):
            lines.append(Line(at_once(part)))
            longer = {word: value}
        part = longer
    return [*lines, Line(at_once(part))] if part else []


def at_once(values: Mapping[str, Code]) -> ast.stmt:
    """``a = x``, or ``a, b = x, y``."""
    words, found = as_code(tuple(map(name, values))), tuple(values.values())
    return assign([words], found) if len(values) > 1 else assign(next(iter(values)), found[0])


def kept_as(word: str, value: Code, names: set[str]) -> Line:
    """What is called for its checks too, and is a variable where one of its name is read."""
    return Line(assign(word, value) if word in names else ast.Expr(value))


# -- how init_params draws every parameter


def initial_lines(program: Program, p: Arrays, hidden: list[str]) -> list[str]:
    """The sizes needed, then a dict of drawn arrays. No array will show the sizes in ``hidden``."""
    drawn = {n: _drawn(program.initial[n], r.shape, p) for n, r in program.params.items()}
    drawn |= {n: call("mirrored", drawn[n]) for n, r in program.params.items()
              if is_symmetric(r) and program.initial[n].kind == NORMAL}
    names = names_read(drawn.values())
    dims = [d for d in program.dims if escape(d) in names]
    found = call("chosen", name("dims"), name("DIMS"), tuple(dims), *([tuple(hidden)] if hidden else []))
    whole = [divided(d) for d in dict.fromkeys(d for r in program.params.values() for d in r.shape)]
    checks = [call("whole", dim_text(a / b), p.dim(a), p.dim(b)) for a, b in whole if b != 1]
    opening = assign([as_code(tuple(name(escape(d)) for d in dims))], found) if dims else ast.Expr(found)
    seeded = [assign("rng", call("generator", name("rng")))] if "rng" in names else []
    entries = [line for n, code in drawn.items() for line in fitted(f"{string(n)}: ", code, ",", 2 * INDENT)]
    lines = layout(map(Line, [opening, *map(ast.Expr, checks), *seeded]))
    return [*lines, f"    {typed('params', drawn)} = {{", *entries, "    }"]


def _drawn(initial: Initial, shape: Shape, p: Arrays) -> Code:
    """One parameter."""
    size = p.sizes(shape)
    if initial.kind in (ZERO, ONE):
        return p.np("zeros" if initial.kind == ZERO else "ones", size)
    normal = method(name("rng"), "standard_normal", *([size] if shape else []))
    variance = initial.gain / initial.fan_in
    if variance == 1:
        return normal
    if not variance.free_symbols:
        return binary(normal, ast.Mult, as_code(round(float(variance) ** 0.5, 6)))
    return binary(normal, ast.Div, binary(p.num(1 / variance), ast.Pow, as_code(0.5)))
