"""Abstract functions: `function f` derives and prints as f, f′, f″; `define` says what it is; numbers ask for that."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import symbackprop as sb
from symbackprop import Model, derive, verify
from symbackprop.__main__ import load_cli
from symbackprop.core.reverse import grad
from symbackprop.errors import NameProblem, SymbackpropError, UsageError
from symbackprop.model import load
from symbackprop.render.formats import FORMATS
from symbackprop.render.options import WORDS
from tests.model.helpers import described

NET = """dim n, d
function f
input x: d
param W: n x d, b: n, u: n
z = W @ x + b
h = f(z)
loss s = u @ h
"""


def net(notation: str | None = None) -> Model:
    m = Model("net")
    n, d = m.dims("n d")
    f = m.function("f", notation)
    x, W, b, u = m.input("x", (d,)), m.param("W", (n, d)), m.param("b", (n,)), m.param("u", (n,))
    m.loss("s", u @ m.let("h", f(m.let("z", W @ x + b))))
    return m


def twice() -> Model:
    """A loss made of the gradient of another one."""
    m = Model("twice")
    N = m.dims("N")
    f, x, y = m.function("f"), m.param("x", (N,)), m.data("y", (N,))
    (g,) = grad(sb.sum(m.let("h", f(x * y)) ** 2), [x])
    m.loss("L", sb.sum(g**2))
    return m


def run(*args: str) -> Result:
    result = CliRunner().invoke(load_cli().cli, args, prog_name="symbackprop")
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.sbp").write_text(NET, encoding="utf-8")
    Path("nets.py").write_text(f"from symbackprop import Model\nmodel = Model.parse({NET!r})\n", encoding="utf-8")
    Path("mine.py").write_text("def f(x, upstream):\n    return {'x': x}\n", encoding="utf-8")
    Path("mine.txt").write_text("du = h\n", encoding="utf-8")


@pytest.mark.parametrize("notation", [None, r"\psi", "f^{[1]}"])
def test_text_and_python_declare_the_same(notation: str | None) -> None:
    text = NET + (f'notation f = "{notation}"\n' if notation else "")
    written, declared = Model.parse(text, "net"), net(notation)
    assert described(written) == described(declared) == described(Model.parse(written.text()))
    assert written.text() == "# name: net\n" + text == declared.text()


def test_derivatives_are_written_and_read_back() -> None:
    text = twice().text()
    assert "f′(x * y)" in text and Model.parse(text).text() == text
    assert "f″(" in derive(twice()).text() and "f‴(" not in derive(twice()).text()


def test_what_it_prints() -> None:
    page, tex = derive(net()).text(), derive(net()).latex()
    assert "u ⊙ f′(z)" in page and "f′ is the derivative of f" in page
    assert "f'(z)" in tex and "$f'$ is the derivative of $f$" in tex and "operatorname" not in tex
    assert "ᵀ·diag(f′(z)) = δ_h ⊙ f′(z)ᵀ" in derive(net()).text(view="jacobian", layout="jacobian", detail="board")
    assert r"{f^{[1]}}'(z)" in derive(net("f^{[1]}")).latex() and r"\psi'(z)" in derive(net(r"\psi")).latex()
    assert "f'(z)" in derive(net()).latex()  # another model's notation is that one's


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("view", WORDS["view"])
def test_every_format_and_view_prints(form: str, view: str) -> None:
    if view == "scalar":
        model = Model.parse("function f\ndata x, y\nparam w\no = f(w * x)\nloss L = f(y - o)")
    else:
        model = net()
    assert derive(model).printed(form, view=view)


def test_show_and_graph() -> None:
    assert "abstract functions\n  f\n" in run("show", "net.sbp").stdout
    assert '"functions": [\n    "f"\n  ]' in run("show", "net.sbp", "--format", "json").stdout
    assert "h = f(z)" in run("graph", "net.sbp", "--format", "text").stdout
    assert "f(z)" in run("show", "net.sbp", "--format", "latex").stdout


@pytest.mark.parametrize(("lines", "says"), [
    ("function tanh", "'tanh' is a function of the library already; did you mean function f ?"),
    ("function f\nfunction softmax", "'softmax' is a function of the library already; did you mean function g ?"),
    ("function f, f", "the name 'f' is already taken on line 1"),
    ("function f\nparam f", "the name 'f' is already taken on line 1"),
    ("dim f\nfunction f", "the name 'f' is already taken on line 1 (as a dimension)"),
    ("function f\nf = 2", "the name 'f' is already taken on line 1"),
    ("function f\ndata f[0]", "f[0] cannot be a name of its own: f is declared already"),
    ("function f\nparam x\ny = f + x", "f is a function: write f(…)"),
    ("function f\nparam x\ny = f(x, x)", "it is called as f(x)"),
    ("param x\ny = act(x)", "no function 'act'. An abstract one is declared above: function act"),
    ("function f'", "unexpected"),
    ("function", "the name of a function, as in `function f`"),
])
def test_clashes_and_slips(lines: str, says: str) -> None:
    with pytest.raises(SymbackpropError) as error:
        Model.parse(lines + "\nloss L = 1")
    assert says in str(error.value) and str(error.value).startswith("<text>:")


@pytest.mark.parametrize("declare", ["param", "let", "dim", "function"])
def test_a_name_is_taken_in_python_too(declare: str) -> None:
    m = Model()
    m.function("f")
    with pytest.raises(NameProblem, match="already"):
        getattr(m, declare)("f", *[1] * (declare == "let"))


# -- definitions
@pytest.mark.parametrize("command", [
    ("codegen", "net.sbp", "-o", "-"), ("verify", "net.sbp"), ("grade", "net.sbp", "mine.txt"),
    ("check", "net.sbp", "mine.py:f"), ("derive", "net.sbp", "--at", "x=1"), ("graph", "net.sbp", "--at", "x=1"),
])
def test_what_needs_numbers_asks_for_a_definition(command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == UsageError.exit_code
    assert "error: f is an abstract function without values: give --define f=tanh\n" in result.stderr
    result = run(*command, "--define", "f=tanh")
    assert ("abstract" not in result.stderr and result.exit_code in (0, 1)) or "--at" in command


@pytest.mark.parametrize("spec", ["net.sbp", "nets.py"])
@pytest.mark.parametrize(("given", "line"), [
    ("tanh", "h = tanh(z)"), ("gelu", "h = gelu(z)"), ("x*sigmoid(x)", "h = z * sigmoid(z)"),
    ("z**2 + 1", "h = z**2 + 1"), ("where(a > 0, a, 0.1*a)", "h = where(z > 0, z, 0.1 * z)"), ("pi*t", "h = pi * z"),
])
def test_what_a_definition_makes_of_a_model(spec: str, given: str, line: str) -> None:
    model = load(spec, define={"f": given})
    assert line in model.text().splitlines() and "function" not in model.text() and not model.functions
    assert described(model) == described(Model.parse(NET.replace("function f\n", "").replace("h = f(z)", line)))
    assert described(net(r"\psi").define(f=given)) == described(model)


def test_what_a_definition_is_applied_to_is_computed_once() -> None:
    text = NET.replace("z = W @ x + b\n", "").replace("f(z)", "f(W @ x + b)")
    found = Model.parse(text, define={"f": "x*sigmoid(x)"})
    assert "  h     = z ⊙ a" in derive(found).text()


@pytest.mark.parametrize("given", ["tanh", "x*sigmoid(x)", "gelu", "exp(-x**2/2)"])
def test_gradients_of_what_is_defined_are_right(given: str) -> None:
    for model in (net(), twice()):
        assert verify(model.define(f=given), seed=0).verdict == "pass"


@pytest.mark.parametrize(("given", "says"), [
    ("softmax", "a function of every entry by itself is expected"), ("sum", "a function of every entry by itself"),
    ("x*y", "it is a function or a formula over one name"), ("2", "it is a function or a formula over one name"),
    ("tanhh", "no function 'tanhh'. Did you mean 'tanh'?"), ("f", "no function 'f'"), ("x*", "f=x*: "),
])
def test_what_is_no_definition(given: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        net().define(f=given)
    assert says in str(error.value)


def test_the_option_of_the_command_line() -> None:
    Path("two.sbp").write_text("function f, g\ndata x\nparam w\nloss L = g(f(w * x))\n", encoding="utf-8")
    both = run("show", "two.sbp", "--define", "f=where(a > 0, a, 0), g=x**2", "--format", "sbp").stdout
    assert "loss L = where(w * x > 0, w * x, 0)**2" in both
    assert both == run("show", "two.sbp", "--define", "g=x**2", "--define", "f=where(a > 0, a, 0)",
                       "--format", "sbp").stdout
    assert "give --define f=tanh,g=tanh" in run("verify", "two.sbp").stderr
    assert "declares no function 'q' to define" in run("derive", "net.sbp", "--define", "q=tanh").stderr
    assert "'f' is not NAME=FUNCTION, as in f=tanh" in run("derive", "net.sbp", "--define", "f").stderr


def test_relu_follows_the_convention_of_the_model() -> None:
    model = load("net.sbp", relu0=1, define={"f": "relu"})
    assert model.graph.relu0 == 1 and "z ≥ 0" in derive(model).text()


def test_formulas_survive_a_copy() -> None:
    form = net().equations["h"].form
    assert pickle.loads(pickle.dumps(form)) is form
