"""Imports point one way, arrays stay where they are computed, and no file names a place on somebody's machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from symbackprop.core.functions import FUNCTIONS
from symbackprop.core.ops import OPS
from symbackprop.core.roles import Role
from symbackprop.core.scalars import TABLE
from symbackprop.doorway import BEHIND, late
from symbackprop.model.text.spellings import _lines

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "symbackprop"
BASE = {"cycles", "errors", "resources", "scratch", "files", "doorway", "targets", "records", "patterns", "frames"}
MAY_IMPORT = {
    "cycles": set(),
    "frames": set(),
    "errors": {"patterns"},
    "doorway": set(),
    "targets": set(),
    "patterns": set(),
    "records": set(),
    "scratch": set(),
    "files": {"errors", "scratch"},
    "resources": {"errors"},
    "core": BASE,
    "apart": {"errors", "targets", "terminal"},
    "terminal": set(),
    "model": BASE | {"core"},
    "imported": BASE | {"core", "model"},
    "derive": BASE | {"core", "model"},
    "render": BASE | {"core", "model", "derive", "verify"},  # verify's interpreter gives the numbers of --at
    "codegen": BASE | {"core", "model", "derive"},
    "verify": BASE | {"core", "model", "apart"},
    "grade": BASE | {"core", "model", "derive", "verify"},
    "own": BASE | {"core", "model", "derive", "verify", "grade", "apart"},
    "exercise": BASE | {"core", "model", "derive", "render", "grade"},
}
COMPUTES = {"apart", "verify", "grade", "own", "exercise", "imported"}  # import NumPy at once; others in functions
EMITTED = {"helpers"}  # source text of emitted modules, never imported
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if not EMITTED & set(p.relative_to(PACKAGE).parts))


def part(path: Path) -> str:
    """The part of the package that a file belongs to; files at the top are parts of their own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


PARTS = {part(p) for p in MODULES}


def imports(tree: ast.AST, everywhere: bool = True) -> Iterator[str]:
    """The modules that are imported at run time, absolutely; when imported itself only, unless ``everywhere``."""
    for node in _that_run(tree, everywhere):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _that_run(tree: ast.AST, everywhere: bool) -> Iterator[ast.AST]:
    """Statements, of which none are under ``if TYPE_CHECKING``, those inside functions only where ``everywhere``."""
    for node in ast.iter_child_nodes(tree):
        late = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if not isinstance(node, ast.expr) and not _is_type_only(node) and (everywhere or not late):
            yield node
            yield from _that_run(node, everywhere)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def statements(path: Path) -> list[tuple[ast.stmt, list[ast.AST]]]:
    """The statements of a file, with all that is in each; most tests go through it."""
    return [(statement, [*ast.walk(statement)]) for statement in parsed(path).body]


def nodes(path: Path) -> Iterator[ast.AST]:
    return (node for _, inside in statements(path) for node in inside)


def inner(path: Path) -> set[str]:
    """The parts of the package that a file imports."""
    names = [n.split(".") for n in imports(parsed(path))]
    return {n[1] for n in names if n[0] == "symbackprop" and len(n) > 1 and n[1] in PARTS}


def wrong(says: Callable[[Path], object]) -> dict[str, object]:
    """What a test has to say against modules, by their paths in the package; nothing of the others."""
    return {path.relative_to(PACKAGE).as_posix(): found for path in MODULES if (found := says(path))}


def test_imports_point_one_way() -> None:
    assert {part(p) for p in MODULES if p.parent != PACKAGE} <= MAY_IMPORT.keys(), "say in MAY_IMPORT what it builds on"
    assert not wrong(lambda path: inner(path) - MAY_IMPORT.get(part(path), PARTS) - {part(path)})


@pytest.mark.parametrize("name", BEHIND)
def test_behind_the_doorway_is_what_it_says(name: str) -> None:
    assert late(name).__name__ == name


def test_numpy_is_imported_only_where_arrays_are_computed() -> None:
    def out_of_place(path: Path) -> set[str]:
        banned = {"torch", "jax", "scipy"} | (set() if part(path) in COMPUTES else {"numpy"})
        banned |= set() if part(path) in ("render", "codegen") else {"jinja2"}
        return banned & {n.split(".")[0] for n in imports(parsed(path), everywhere=False)}

    assert not wrong(out_of_place)


def _defined(tree: ast.Module) -> Iterator[str]:
    """The functions, classes and names of a file; what is registered by a decorator is used by its table."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and {*map(ast.unparse, node.decorator_list)} <= {"cache"}:
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))


def _used(path: Path) -> Iterator[str]:
    """What a file reads, imports or has as a word, as the doorway does; no function by itself."""
    for part, inside in statements(path):
        for node in inside:
            match node:
                case ast.Name(name, ast.Load()) | ast.Attribute(attr=name) | ast.alias(name) | ast.Constant(str(name)):
                    if not isinstance(part, ast.FunctionDef) or name != part.name:
                        yield name


def test_what_is_defined_is_used() -> None:
    called_by_others = {"load_ipython_extension", "reply", "CONCAVE"}  # IPython, the page, one of four signs
    files = [*PACKAGE.rglob("*.py"), ROOT / "cli.py", *(ROOT / "scripts").glob("*.py")]
    used = {name for path in files for name in _used(path)} | called_by_others
    assert not wrong(lambda path: {n for n in _defined(parsed(path)) if n not in used and n[:2] != "__"})


def test_every_role_is_asked_for() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in MODULES)
    asked = {*re.findall(r"(?:(?<!role=)|(?<=Call\(role=))\bRole\.([A-Z_]+)", text)}  # a record states, a pattern asks
    assert asked == {*Role.__members__}


def test_nothing_is_evaluated_from_text() -> None:
    def evaluates(path: Path) -> set[str]:
        calls = {n.func.id for n in nodes(path) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        methods = {n.attr for n in nodes(path) if isinstance(n, ast.Attribute)}
        return (calls & {"eval", "exec", "compile", "__import__"}) | (methods & {"lambdify", "parse_expr", "simplify"})

    assert not wrong(evaluates)


def test_the_pass_of_the_workspace_is_short() -> None:
    """All of -O2 is one module; its lines are counted from the first that is no import, without blank ones."""
    path = PACKAGE / "codegen" / "buffers.py"
    start = max(n.end_lineno or 0 for n in parsed(path).body if isinstance(n, ast.ImportFrom))
    lines = [line for line in text_of(path).splitlines()[start:] if line.strip()]
    assert len(lines) <= 120


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 30 and {"core", "model", "derive", "errors"} <= PARTS


def test_no_file_names_a_place_on_a_machine() -> None:
    roots = ["wo" + "rk", "ho" + r"me/\w", "ro" + "ot/"]
    places = re.compile("|".join([*[rf"(?<![\w.])/{r}\b" for r in roots], r"(?<![\w-])sha" + "red/"]))
    found = [f"{p.relative_to(ROOT)}: {m.group()}" for p in written_files() for m in places.finditer(text_of(p))]
    assert not found


def written_files() -> list[Path]:
    """The files of the repository, without what tools leave behind."""
    skipped = {".git", ".venv", "venv", "dist", "build", "__pycache__"}
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(p.startswith(".") for p in parts[:-1])
        if path.is_file() and not hidden and not skipped & set(parts):
            found.append(path)
    return found


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports when it runs, wherever the import stands."""
    typed = {id(inner) for node in nodes(path) if _is_type_only(node) for inner in ast.walk(node)}
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and id(node) not in typed:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in NAMES else str(node.module) for name in whole}
        elif isinstance(node, ast.Import) and id(node) not in typed:
            found |= {alias.name for alias in node.names}
    return found & set(NAMES)


def _is_type_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path): path for path in MODULES}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Modules that import nothing of what is left are taken away, until nothing is left."""
    reads = {name: imported(path) - {name} for name, path in NAMES.items()}
    while free := [name for name, others in reads.items() if not others & set(reads)]:
        for name in free:
            del reads[name]
    assert not reads, {name: sorted(others & set(reads)) for name, others in reads.items()}


def test_every_part_has_its_tests() -> None:
    """tests/AREA/ are the tests of symbackprop/AREA/; the other folders need more than one part."""
    parts = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    folders = {p.parent.name for p in (ROOT / "tests").glob("*/test_*.py")}
    assert folders == parts | {"browser", "conformance", "docs", "examples", "zoo"}


# -- facts about ops and functions stand in their records
ROLES = {"const", "less", "sign", "transpose", "elementwise"}  # words that mean other things, too
KINDS = {"float", "int", "bool", "float32", "float64", "diagonal", "kronecker", "constant", "head", "beta", "gamma"}
# the last: what some other library calls a function, and others a kind, a structure, a letter
HOLD_RECORDS = ("core/ops/", "core/scalars.py", "core/functions/", "core/numpy_calls.py")  # the last: NumPy's names
_SLIPS = "what people take for what: a taxonomy of slips"
_TARGET = "a target: how rows and functions are written"
MAY_NAME = {  # tables by names of ops and functions that no record can hold: what they are
    "apart/source.py": {"_SAME": "methods of an array in somebody's code",
                        **dict.fromkeys(("_CASTS", "_BOUND"), "functions in somebody's code")},
    "codegen/arrays.py": dict.fromkeys(("RULES", "SCALARS", "_SAME", "_ARCS", "_HELPERS"), _TARGET),
    "codegen/names.py": {"_OWN": "what emitted code calls itself, among that as another library calls a function"},
    "codegen/torch.py": {"Torch": "a target: reductions by methods, slices that run backwards"},
    "codegen/buffers.py": {"FUNCTIONS": "a target: NumPy's functions that write into an array",
                           "(REDUCTIONS, VIEWS)": "a target: NumPy's methods that write into an array"},
    "exercise/blanks.py": {"FUNCTIONS": "a target: the functions that the page's evaluator has"},
    "grade/explain.py": {"sums": _SLIPS},
    "grade/functions.py": {"_OF_ONE_ARRAY": "functions that answers alone have: these are their records"},
    "grade/python.py": {"_STACKS": "functions in somebody's answer"},
    "grade/reading.py": {"_spelled_out": "what 0 and 1 with a shape below are, as functions"},
    "grade/derivation_mistakes.py": {"ACTIVATIONS": _SLIPS, "_CONFUSED": _SLIPS},
    "imported/formulas.py": {"SIGNS": "operators of PyTorch, by its names: what a graph has and a text has not",
                             "RULES": "as SIGNS", "_triangle": "as SIGNS", "REDUCTIONS": "values of PyTorch's options",
                             "_bag": "as REDUCTIONS"},
    "imported/onnx_operators.py": {"_TO_WHOLE": "values of an attribute of ONNX",
                                   "rows_reduced": "reductions of another library's scatter, by its names"},
    "model/text/chosen.py": {"_OTHERS": "numbers in the place of entries that a reduction leaves out: no op does"},
    "model/text/dialect.py": {"CLASSES_SECOND": "functions of PyTorch's that have the classes along another axis"},
    "model/text/filling.py": {"(_ZEROS, _LIKE)": "what is written where an array begins that a loop fills"},
    "model/text/guess.py": {"_ELEMENTARY": "words that nobody calls a number by: other functions' are names of it too"},
    "model/text/known_numbers.py": {"_OF_WHOLE": "exact values of what only other libraries name: no record has them"},
    "model/text/sides.py": {"_JOINS": "words of other languages, whose results have sides",
                             "_OF_VECTORS": "as they mean a row", "_OF_MATRICES": "as they mean a column"},
    "verify/report.py": {"HEADER": "heads of columns"},
    "own/truth.py": {"(VALUE, SIZE, SEED, GRADIENT)": "what is told of a gradient; Julia has a size too"},
    "own/array_mistakes.py": {"sum_axes": _SLIPS},
    "core/printer.py": {"Printer": "printers are targets: what stands around an argument, not in front of it",
                        "_BIG": "as Printer"},
    "render/glossary.py": {"_NOTATION": "signs on a page, among them vectors of ones"},
    "render/print/latex.py": {"_BIG": "as printers"},
    "render/print/mathml.py": {"_BIG": "as printers"},
    "render/print/text.py": {"TextPrinter": "as printers"},
}


def test_no_table_is_keyed_by_names_of_ops_or_functions() -> None:
    """A fact of an op or function belongs into its record."""
    known = {*OPS, *TABLE, *FUNCTIONS, *_lines()} - ROLES - KINDS
    tables = wrong(lambda path: sorted(set(_tables(path, known))))
    found = {name: held for name, held in tables.items() if not name.startswith(HOLD_RECORDS)}
    assert found == {name: sorted(held) for name, held in MAY_NAME.items()}


def test_what_an_op_is_decides_by_its_record() -> None:
    """No name of an op, or of the function that made a row, is compared with a word: what is asked of rows is a role or
    another fact of the record."""
    assert not wrong(lambda path: [n.lineno for n in nodes(path) if _compares_a_name(n)])


MAY_COMPARE = {  # what is no row: words of users and of other libraries, and what printers write
    "codegen/checkpoints.py": "an option",
    "core/printer.py": "printers are targets: e to a power, a root sign, bars",
    "grade/typeset.py": "commands of LaTeX",
    "imported/onnx_operators.py": "attributes of operators of ONNX",
    "imported/torch.py": "operators of PyTorch",
    "model/text/dialect.py": "methods of distributions in other libraries",
    "model/text/evaluate.py": "functions that read their arguments before they are values",
    "model/text/expressions.py": "a call as it was written",
}


def test_what_a_function_is_decides_by_its_record() -> None:
    """No name of a scalar function is compared with a word, nor matched by one: what is asked is a role or another
    fact of the record."""
    found = wrong(lambda path: [n.lineno for n in nodes(path) if _compares_a_function(n)])
    assert found.keys() == MAY_COMPARE.keys(), found


def _compares_a_function(node: ast.AST) -> bool:
    """``row.head == "exp"``, ``name in ("sqrt", "root")``, ``case Call("where", …)``."""
    sides: list[ast.AST] = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
    sides += node.patterns[:1] if isinstance(node, ast.MatchClass) else []
    words = [n for side in sides for n in ast.walk(side) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return any(word.value in TABLE.keys() - ROLES for word in words)


def _compares_a_name(node: ast.AST) -> bool:
    """``op.name == "sum"``, ``origin.function == "roll"``; not whether a function is called as the op is,
    nor whether there is such an op."""
    sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
    names = [side for side in sides if ast.unparse(side).endswith(("op.name", "origin.function"))]
    return bool(names) and not all(isinstance(side, ast.Attribute) or ast.unparse(side) == "OPS" for side in sides)


def _tables(path: Path, known: set[str]) -> Iterator[str]:
    """What has a set, list, tuple or dictionary with names of two ops or functions, of other libraries' too: what is
    assigned, or the function or class around it; not what one name is compared with."""
    compared = {id(x) for node in nodes(path) if isinstance(node, ast.Compare) for x in node.comparators}
    for statement, inside in statements(path):
        for node in inside:
            if isinstance(node, (ast.Set, ast.List, ast.Tuple, ast.Dict)) and id(node) not in compared:
                keys = node.keys if isinstance(node, ast.Dict) else node.elts
                firsts = [k.elts[0] if isinstance(k, ast.Tuple) and k.elts else k for k in keys]
                if len({k.value for k in firsts if isinstance(k, ast.Constant)} & known) > 1:
                    yield _called(statement)


def _called(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return ast.unparse(target)
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
    return ast.unparse(statement)


def test_no_comprehension_takes_the_name_of_a_function_that_is_called_beside_it() -> None:
    """CPython 3.12.1 then raises UnboundLocalError: the comprehensions of a function share their variables there."""
    assert not wrong(lambda path: list(_taken(path)))


def _taken(path: Path) -> Iterator[str]:
    body = parsed(path).body
    of_module = {n.name for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    of_module |= {a.asname or a.name for n in body if isinstance(n, ast.ImportFrom) for a in n.names}
    if not of_module & _bound(nodes(path)).keys():
        return
    for function in (n for n in nodes(path) if isinstance(n, ast.FunctionDef)):
        inner = list(ast.walk(function))
        bound = _bound(inner)
        for name in bound.keys() & of_module:
            inside = {id(n) for n in ast.walk(bound[name])}
            if any(isinstance(n, ast.Name) and n.id == name and id(n) not in inside for n in inner):
                yield f"{function.name}: {name}"


def _bound(inside: Iterable[ast.AST]) -> dict[str, ast.AST]:
    """The names that comprehensions bind, with one that does."""
    return {n.id: c for c in inside if isinstance(c, (ast.ListComp, ast.SetComp, ast.DictComp))
            for g in c.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
