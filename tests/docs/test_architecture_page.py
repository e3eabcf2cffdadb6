"""docs/architecture.md is true: what it names exists, and its recipes are followed, file by file, in a copy."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PARTS = {p.stem for p in (ROOT / "symbackprop").iterdir() if p.is_dir() or p.suffix == ".py"}
PROSE = re.sub(r"```python.*?```", "", PAGE, flags=re.DOTALL)
NAMES = sorted(set(re.findall(rf"(?<![\w./])(?:{'|'.join(sorted(PARTS))})(?:\.\w+)+(?![\w/])", PROSE)))
ROWS = re.findall(r"^\| (an? [\w -]+) \| (\d) \| (.*?) \| .* \|$", PAGE, re.MULTILINE)
MODEL = "dim N\ndata x: N\nparam w: N\nz = w * x\nloss L = {}\n"


@pytest.mark.parametrize("name", NAMES)
def test_what_it_names_exists(name: str) -> None:
    found = importlib.import_module("symbackprop")
    for part in name.split("."):
        try:
            found = importlib.import_module(f"{found.__name__}.{part}")
        except (ModuleNotFoundError, AttributeError):
            found = getattr(found, part)


def test_it_names_the_stations_of_a_model() -> None:
    assert {"model.text.parse", "derive.derive", "render.document.Document", "verify.report.Report"} <= set(NAMES)


@dataclass(frozen=True)
class Recipe:
    """``files``: what is appended to each, or a new one. ``model`` is the text of a model that uses it, ``commands``
    are then run on it and have to print ``shown``."""

    files: dict[str, str]
    shown: tuple[str, ...]
    model: str = MODEL.format("sum(z)")
    commands: tuple[str, ...] = ("derive net.sbp", "derive net.sbp --format latex", "derive net.sbp --format json",
                                 "codegen net.sbp -O2 -o net.py", "verify net.py")


RECIPES = {
    "a built-in model": Recipe(
        {
            "symbackprop/model/zoo/half-square.sbp": "# summary: half a square\n# source: a test\n# tags: scalar\n"
            "# example: w = 3\nparam w\nloss L = w^2 / 2\n"
        },
        ("half-square", "dL/dw", "pass"),
        commands=("models", "derive half-square", "verify half-square"),
    ),
    "a function made of others": Recipe(
        {
            "symbackprop/core/functions/pointwise.py": """

@function
def tanh_shrink(x: Node) -> Node:
    \"\"\"x − tanh x.\"\"\"
    return x - tanh(x)


@function
def snake(x: Node) -> Node:
    \"\"\"x + sin(x)².\"\"\"
    return x + sin(x) ** 2
"""
        },
        ("tanh_shrink(z)", "tanh", "let a = sin(z)", "pass"),
        MODEL.format("sum(tanh_shrink(z)) + sum(snake(z))"),
    ),
    "a scalar function": Recipe(
        {
            "symbackprop/core/scalars.py": """
register(Scalar("arctan", sp.atan, lambda np, x: np.arctan(x), (1 / (1 + X**2),), latex=r"\\arctan"))
""",
            "symbackprop/codegen/arrays.py": """
SCALARS["arctan"] = _library_function("arctan")
""",
        },
        ("arctan(z_n)", r"\arctan", "arctan′(", "pass"),
        MODEL.format("sum(arctan(z))"),
    ),
    "an op": Recipe(
        {
            "symbackprop/core/ops/twice.py": """

from __future__ import annotations

import sympy as sp

from symbackprop.core import build
from symbackprop.core.entry import At, Digit, term
from symbackprop.core.graph import Node
from symbackprop.core.registry import Cotangents, Op, Sample, register


def twice(a: Node) -> Node:
    \"\"\"Every entry twice, one after the other, along the first axis.\"\"\"
    return a.graph.make("twice", (a,))


def _halved(output: Node, upstream: Node, *_: object) -> Cotangents:
    pairs = build.reshape(upstream, (-1, 2, *upstream.shape[1:]))
    return (build.reduce_sum(pairs, 1),)


register(
    Op(
        name="twice",
        signature="twice(a)",
        shape_rule="the first axis is twice as long",
        derivative="the sum of both copies",
        domain="any",
        title="twice",
        rule=("both copies hand back their gradient",),
        infer=lambda attr, args: ((2 * args[0].shape[0], *args[0].shape[1:]), args[0].kind),
        vjp=_halved,
        entry=lambda attr, shapes, index: [
            term(At(0, (Digit(index[0], sp.Integer(2), shapes[0][0]), *index[1:])))
        ],
        reference=lambda np, attr, a: np.repeat(a, 2, axis=0),
        samples=(Sample(((3,),)), Sample(((2, 3),))),
        functions=(twice,),
    )
)
""",
            "symbackprop/codegen/arrays.py": """
RULES["twice"] = lambda p, node, a: p.np("repeat", a, 2, axis=0)
""",
        },
        ("twice(z)", "twice: both", r"\lfloor", "np.repeat", "pass"),
        MODEL.format("sum(twice(z)**2)"),
        commands=("derive net.sbp", "derive net.sbp --view index --format latex", "codegen net.sbp -O2 -o net.py",
                  "codegen net.sbp -o -", "verify net.py"),
    ),
    "an output format": Recipe(
        {
            "symbackprop/render/formats.py": '''

@form
def names(derivation: Derivation, options: Options) -> str:
    """The gradients' names alone."""
    return " and ".join(step.name for step in _document(derivation, options).steps)
'''
        },
        ("L and z and w",),
        commands=("derive net.sbp --format names",),
    ),
    "a mathematics syntax": Recipe(
        {
            "symbackprop/render/print/typst.py": (ROOT / "tests" / "render" / "typst.py").read_text(encoding="utf-8"),
            "symbackprop/render/formats.py": '''

@form
def typst(derivation: Derivation, options: Options) -> str:
    """The results alone, in Typst."""
    from symbackprop.render.print.typst import typst

    return "\\n".join(f"$ {typst(row.gradient)} $" for row in _document(derivation, options).table)
''',
        },
        ("$ x $",),
        commands=("derive net.sbp --format typst",),
    ),
    "a view": Recipe(
        {
            "symbackprop/render/views/short.py": '''"""The result alone."""

from symbackprop.render.context import Writer
from symbackprop.render.document import Line


class ShortView(Writer):
    """Every gradient in one line."""

    def lines(self, s):
        return (Line("result", self.rows.gradients[s.step.target.id], self.rows.row(s.step.total), ("in one line",)),)
''',
            "symbackprop/render/views/__init__.py": """

@view("short", lambda derivation: False)
def _short(context: Context) -> Writer:
    from symbackprop.render.views.short import ShortView

    return ShortView(context)
""",
        },
        ("Short view: as asked for", "= x   in one line", "closed form: "),
        commands=("derive net.sbp --view short", "derive net.sbp --view short --format json",
                  "derive net.sbp --view short --detail board", "derive net.sbp --view short --format beamer",
                  "derive net.sbp --view short --detail brief",
                  "derive -e sum(layer_norm(w)^3) --view short"),
    ),
    "a target": Recipe(
        {
            "symbackprop/codegen/doubling.py": '''"""NumPy under another name."""

from symbackprop.codegen.module import ModulePrinter
from symbackprop.codegen.numpy import NumPy


class Other(NumPy):
    target, module = "doubling", "xp"


class PRINTER(ModulePrinter):
    arrays, imports = Other, ("import numpy as xp",)
''',
            "symbackprop/targets.py": """
TARGETS["doubling"] = Target("symbackprop.codegen.doubling")
""",
        },
        ("import numpy as xp", "xp.tanh(", "xp.asarray(", "pass"),
        MODEL.replace("w", "xp").format("sum(tanh(z))"),  # what a module imports is no name for its arrays
        commands=("codegen net.sbp --target doubling -o -", "codegen net.sbp --target doubling -o net.py",
                  "verify net.py"),
    ),
    "an optimiser": Recipe(
        {
            "symbackprop/model/optimizers.py": """
OPTIMIZERS["signs"] = Optimizer("signs", "descent by signs", "", (), {"eta": 0.01}, "w_new = w - eta * sign(g)")
"""
        },
        ("w_new = w - eta * np.sign(g)", "def update("),
        commands=("codegen net.sbp --optimizer signs -o -",),
    ),
}


def test_every_recipe_is_followed() -> None:
    assert RECIPES.keys() == {what for what, _, _ in ROWS}


@pytest.mark.parametrize(("what", "count", "where"), ROWS, ids=[what for what, _, _ in ROWS])
def test_recipe(what: str, count: str, where: str, tmp_path: Path) -> None:
    recipe = RECIPES[what]
    assert len(recipe.files) == int(count)
    for part in ("symbackprop", "templates"):
        shutil.copytree(ROOT / part, tmp_path / part)  # with what Python compiled: it knows by date and size
    shutil.copy(ROOT / "cli.py", tmp_path)
    for name, text in recipe.files.items():
        assert f"`{name}`" in where or f"`{name.rpartition('/')[0]}/`" in where, f"the recipe does not name {name}"
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(text)
    (tmp_path / "net.sbp").write_text(recipe.model, encoding="utf-8")
    printed = run(recipe.commands, tmp_path)
    assert [words for words in recipe.shown if words not in printed] == []


COMMANDS = """
import sys
from symbackprop.__main__ import load_cli
for line in sys.argv[1:]:
    load_cli().cli.main(line.split(), "symbackprop", standalone_mode=False)
"""


def run(commands: tuple[str, ...], folder: Path) -> str:
    """What ``symbackprop LINE`` prints for each of the lines, run on the copy in the folder, in one process."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", COMMANDS, *commands], cwd=folder, env=environment,
                          capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
