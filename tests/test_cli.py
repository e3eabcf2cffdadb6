"""The command line as a new user meets it: help, slips of the keyboard, exit codes, pipes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli

NET = "data x, y\nparam w1, w2\no = tanh(w2 * tanh(w1 * x))\nloss L = (y - o)^2 / 2\n"
PYTHON = """
from symbackprop import Model, tanh

model = Model()
model.loss("L", tanh(model.param("w")) ** 2)


def other():
    m = Model("second")
    m.loss("L", m.param("q") ** 2)
    return m


number = 3
"""
COMMANDS = ("codegen", "derive", "exercise", "grade", "graph", "models", "ops", "show", "verify")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.sbp").write_text(NET, encoding="utf-8")
    Path("models.py").write_text(PYTHON, encoding="utf-8")
    return tmp_path


def run(*args: str, given: str | None = None) -> Result:
    result = CliRunner().invoke(load_cli().cli, args, input=given, prog_name="symbackprop")
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def process(*args: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "symbackprop", *args]
    return subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_a_shell_completes_models_and_files() -> None:
    for args, begun, expected in (([], "der", ["derive"]), (["derive"], "two-w", ["", "two-weight-tanh"]),
                                  (["grade", "net.sbp"], "ans", [""]), (["derive", "cube", "-o"], "x", [""])):
        found = ShellComplete(load_cli().cli, {}, "symbackprop", "_SYMBACKPROP_COMPLETE").get_completions(args, begun)
        assert [c.value if c.type == "plain" else "" for c in found] == expected


# -- help
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_summary_that_fits_and_help(command: str) -> None:
    line = next(line for line in run("--help").stdout.splitlines() if line.strip().startswith(f"{command} "))
    assert line.endswith(".") and not line.endswith("...")
    assert run(command, "--help").exit_code == run(command, "-h").exit_code == 0


def test_help_is_quick_because_it_imports_nothing_large() -> None:
    code = "import sys; from symbackprop.__main__ import load_cli; load_cli(); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sympy", "numpy", "jinja2"} & set(found.stdout.split())


# what a command does without: modules, second derivatives, engines that explain mistakes, the checker of modules
UNUSED = [
    ("derive two-weight-tanh -o derivation.txt",
     "numpy symbackprop.codegen symbackprop.derive.compressed symbackprop.render.second symbackprop.verify"),
    ("check layer.sbp layer.py:backward --returns X,W",
     "jinja2 symbackprop.grade.grading symbackprop.own.diagnosis symbackprop.own.local_mistakes "
     "symbackprop.verify.checker symbackprop.codegen.module"),
]


@pytest.mark.parametrize(("command", "unused"), UNUSED)
def test_a_command_loads_nothing_that_it_does_without(command: str, unused: str, tmp_path: Path) -> None:
    (tmp_path / "layer.sbp").write_text("dim N, D, M\ninput X: N x D\nparam W: D x M\noutput Y = X @ W\n")
    (tmp_path / "layer.py").write_text("def backward(X, W, dY):\n    return dY @ W.T, X.T @ dY\n")
    code = ("import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
            "from symbackprop.__main__ import main\nmain()")
    run = subprocess.run([sys.executable, "-c", code, *command.split()], capture_output=True, text=True, cwd=tmp_path,
                         check=False)
    assert run.returncode == 0, run.stderr
    assert not {*unused.split()} & {*run.stderr.split()}


def test_no_command_prints_the_help_as_an_error() -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (2, "") and "Commands:" in result.stderr


def test_version() -> None:
    assert run("--version").stdout == "symbackprop 0.1.0\n"
    assert process("--version").stdout == b"symbackprop 0.1.0\n"


# -- slips of the keyboard: (arguments, exit code, what the message says)
SLIPS = [
    ("modles", 2, "Did you mean 'models'?"),
    ("derive two-weigth-tanh", 2, "Did you mean 'two-weight-tanh'?"),
    ("derive net", 2, "Did you mean 'net.sbp'?"),
    ("derive nett.sbp", 2, "Did you mean 'net.sbp'?"),
    ("derive net.spb", 2, "A model text ends in .sbp"),
    ("derive modls.py", 2, "Did you mean 'models.py'?"),
    ("derive models.py:othr", 2, "models.py has no 'othr'"),
    ("derive models.py:number", 2, "is a int, not a Model"),
    ("verify missing.py", 2, "there is no file missing.py"),
    ("derive net.sbp --detial brief", 2, "--detail"),
    ("derive net.sbp --detail breif", 2, "Did you mean 'brief'?"),
    ("derive net.sbp --view jacobain", 2, "Did you mean 'jacobian'?"),
    ("derive net.sbp --format latx", 2, "Did you mean 'latex'?"),
    ("derive net.sbp --standalone", 2, "--standalone is for --format latex"),
    ("derive net.sbp --wrt w3", 3, "no array 'w3' in net. Did you mean 'w2'?"),
    ("derive net.sbp --at w9=1", 3, "no data or parameter 'w9'. Did you mean 'w2'?"),
    ("derive net.sbp --at x=1,q=2", 3, "'q'"),
    ("derive net.sbp --at x=1", 3, "no value is given for y, w1, w2"),
    ("derive net.sbp --at x=one", 2, "expected a number"),
    ("derive net.sbp --at at.json", 2, "cannot read at.json"),
    ("derive net.sbp --dim N=3", 3, "net has no dimension 'N': none of its sizes has a name."),
    ("derive net.sbp --dim N", 2, "is not NAME=SIZE, as in N=4,D=3"),
    ("derive net.sbp -o missing/net.txt", 2, "cannot write missing/net.txt"),
    ("models --tag scalr", 2, "Did you mean 'scalar'?"),
    ("ops sofmax", 2, "Did you mean 'softmax'?"),
    ("verify net.sbp --trails 3", 2, "--trials"),
    ("verify net.sbp --method centrl", 2, "Did you mean 'central'?"),
    ("codegen net.sbp --optimizer adan -o -", 2, "Did you mean 'adam'?"),
    ("codegen net.sbp --check -o -", 2, "--check compares with a file"),
    ("codegen net.sbp --check -o gone.py", 1, "there is no gone.py: run codegen without --check"),
    ("show", 2, "error: Missing argument 'MODEL'"),
    *((f"{line} -", 2, "error: stdin can be read once") for line in ("grade -", "verify -", "codegen - net.sbp")),
]


@pytest.mark.parametrize(("line", "code", "message"), SLIPS)
def test_slips(line: str, code: int, message: str) -> None:
    result = run(*line.split())
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
    assert "Traceback" not in result.output


def test_a_call_of_nothing_shows_the_help_and_once() -> None:
    result = run()
    assert result.exit_code == 2 and result.stderr.count("Usage:") == 1 and "error" not in result.stderr


@pytest.mark.parametrize("name", ["folder.py", "folder.sbp", "folder.py:f"])
def test_a_folder_is_no_model(name: str) -> None:
    """The nearest file to folder.py was folder.py."""
    Path(name.split(":")[0]).mkdir()
    assert "is a directory, not a" in run("show", name).stderr


def test_of_two_models_of_a_name_none_replaces_the_other() -> None:
    """The second was written over the first, silently."""
    Path("other").mkdir()
    Path("other/net.sbp").write_text("param q\nloss L = q^2\n", encoding="utf-8")
    found = run("codegen", "net.sbp", "other/net.sbp", "--no-verify")
    assert found.exit_code == 2 and "holds the module of net.sbp, and other/net.sbp has the same name" in found.stderr
    assert "w1" in Path("generated/net.py").read_text(encoding="utf-8")
    assert run("codegen", "net.sbp", "net.sbp", "--no-verify").exit_code == 0


@pytest.mark.parametrize("line", ["grade net.sbp shut", "derive net.sbp --at shut/at.json"])
def test_a_folder_that_cannot_be_entered_is_named(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said that stdout cannot be written."""
    exists, folder = Path.exists, Path.is_dir

    def refused(self: Path, asked: Callable[[Path], bool]) -> bool:  # what Path does there, but for root
        if "shut" in self.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return asked(self)

    monkeypatch.setattr(Path, "exists", lambda self: refused(self, exists))
    monkeypatch.setattr(Path, "is_dir", lambda self: refused(self, folder))
    found = run(*line.split())
    assert found.exit_code == 2 and "error: cannot reach shut" in found.stderr


def test_of_many_notes_the_first_are_told() -> None:
    """A program of 80 kB was told 900 kB of."""
    lines = ["h = w"] + [f"h = tanh(h) + {n}" for n in range(150)]
    found = run("show", "-e", "\n".join([*lines, "loss L = h^2"]))
    notes = [line for line in found.stderr.splitlines() if line.startswith("note: ")]
    assert len(notes) == 101 and notes[-1] == "note: and 51 more such notes"


def test_an_expression_too_long_for_a_path_is_written_twice() -> None:
    """The second time, the file there was compared with the expression, as a path: `cannot reach tanh(w*x + …`."""
    formula = "loss L = " + " + ".join(f"tanh(w*x + {n})" for n in range(300))
    assert [run("derive", "-e", formula, "-o", "out.txt").exit_code for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("line", ["show -", "grade net.sbp -", "grade - answers.txt"])
def test_a_closed_stdin_is_told(line: str) -> None:
    """It was a traceback."""
    found = process(*line.split(), preexec_fn=partial(os.close, 0))
    assert (found.returncode, found.stderr) == (2, b"error: cannot read from stdin: it is closed\n")


def test_answers_on_stdin_are_utf_8_whatever_the_terminal_has() -> None:
    for encoding in ("utf-8", "latin-1", "ascii"):
        around = os.environ | {"PYTHONIOENCODING": encoding}
        told = process("grade", "net.sbp", "-", input="dw1 = 3·w1".encode(), env=around)
        assert b"read as 3 * w1\n" in told.stdout
    assert process("grade", "net.sbp", "-", input=b"dw1 = \xff").returncode == 3


@pytest.mark.parametrize("formula", ["-(y*log(p)+(1-y)*log(1-p))", "-w*x", "-o*log(w)", "-1/2*w"])
def test_an_expression_may_begin_with_a_minus(formula: str) -> None:
    result = run("show", "-e", formula, "--format", "sbp")
    assert result.exit_code == 0 and "loss L = -" in result.stdout
    assert run("show", formula, "-e").exit_code == 0 and run("show", "-e", "-V", "w*x").exit_code == 2


def test_an_expression_alone_is_derived() -> None:
    result = run("derive", "-e", "(y - tanh(w*x))^2/2", "--detail", "board")
    assert (result.exit_code, result.stderr) == (0, "note: guessed: data y, x, param w\n")
    assert "−(y − h)·(1 − h²)·x" in result.stdout


def test_a_mistake_in_a_model_names_its_line() -> None:
    result = run("show", "-", given="param w\nloss L = tanhh(w)\n")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines() == [
        "error: <stdin>:2: name error: no function 'tanhh'. Did you mean 'tanh'?",
        "    loss L = tanhh(w)",
        "             ^^^^^",
        "    loss L = tanh(w)   corrected",
    ]


# -- where models come from, where results go
def test_a_model_from_a_file_from_stdin_and_from_python() -> None:
    assert run("derive", "-", given=NET).stdout.splitlines()[1:] == run("derive", "net.sbp").stdout.splitlines()[1:]
    assert run("show", "models.py").stdout.startswith("models\n")
    assert run("show", "models.py:other").stdout.startswith("second\n")
    assert run("verify", "models.py:other").stdout.startswith("second: pass")


@pytest.mark.parametrize("line", ["derive net.sbp", "graph net.sbp", "codegen net.sbp", "grade net.sbp answers.txt"])
def test_output_goes_to_a_file_or_to_stdout(line: str) -> None:
    Path("answers.txt").write_text("dw2 = -(y-o)*(1-o^2)*tanh(w1*x)\ndw1 = dw2/tanh(w1*x)*w2*(1-tanh(w1*x)^2)*x\n")
    printed = run(*line.split(), "-o", "-")
    assert run(*line.split(), "-o", "out").stdout == ""
    assert printed.exit_code == 0 and Path("out").read_text(encoding="utf-8") == printed.stdout != ""


@pytest.mark.parametrize("line", ["models", "ops", "ops relu", "show net.sbp", "verify net.sbp"])
def test_listings_as_json(line: str) -> None:
    option = ["--format", "json"] if line.startswith("show") else ["--json"]
    assert json.loads(run(*line.split(), *option).stdout)


def test_ops_by_name() -> None:
    found = json.loads(run("ops", "relu", "softmax", "--json").stdout)
    assert [entry["name"] for entry in found] == ["softmax", "relu"]


def test_messages_do_not_mix_with_results() -> None:
    result = run("codegen", "net.sbp", "-o", "net.py")
    assert (result.stdout, result.stderr) == ("", "wrote net.py\n")


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_and_no_progress_bar_off_a_terminal(variables: dict[str, str]) -> None:
    for args in (("models",), *((("verify", "net.sbp"), ("modles",)) if not variables else ())):
        found = process(*args, env={**os.environ, **variables})
        assert b"\x1b" not in found.stdout + found.stderr


def test_verdicts_have_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from cli import coloured

    monkeypatch.delenv("NO_COLOR", raising=False)
    report = "net: fail – one is wrong\n  W  N x D  ok  1e-9\n  the right answer\n"
    assert coloured(report) == report
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert coloured(report) == report.replace("fail", "\x1b[31m\x1b[1mfail\x1b[0m").replace(
        "ok", "\x1b[32m\x1b[1mok\x1b[0m")
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured(report) == report


def test_long_work_says_how_far_it_is_where_no_bar_is_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import cli

    monkeypatch.setattr(cli, "EVERY", 0)
    with cli.progress_bar("verifying") as progress:
        progress(3, 10)
    assert capsys.readouterr().err == "verifying: 3 of 10\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m symbackprop derive gpt | head -1"
    found = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert found.stdout.startswith(b"gpt: ") and found.stderr == b""


def test_ctrl_c_is_no_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("symbackprop.model.zoo.entries", interrupted)
    result = run("models")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize("module", ["symbackprop.resources", "click", "symbackprop.targets", "sympy"])
def test_ctrl_c_while_a_module_is_loaded(module: str) -> None:
    code = f"""
import sys
from importlib.abc import MetaPathFinder

class Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
sys.argv = ["symbackprop", "derive", "net.sbp"]
from symbackprop.__main__ import main
main()
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (130, b"", b"interrupted\n")


@pytest.mark.parametrize("command", ["codegen", "derive", "graph"])
def test_a_result_never_overwrites_the_model(command: str) -> None:
    result = run(command, "net.sbp", "-o", "./net.sbp")
    assert result.exit_code == 2 and "choose another file" in result.output
    assert Path("net.sbp").read_text(encoding="utf-8") == NET
