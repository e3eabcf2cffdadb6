"""Models by name, path, Python file and stdin; what goes wrong with files."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from symbackprop.errors import BrokenModule, ModelError, NameProblem, ShapeError, SyntaxProblem, UsageError
from symbackprop.model import Model, load
from tests.model.helpers import described

TEXT = "dim N\ndata x: N\nparam w: N\nloss L = sum(relu(w * x))\n"
PYTHON = """
from symbackprop import Model, relu, sum
def model(relu0=0):
    m = Model(relu0=relu0)
    N = m.dim("N")
    x, w = m.data("x", (N,)), m.param("w", (N,))
    m.loss("L", sum(relu(w * x)))
    return m
half = model(0.5)
number = 3
def loss(w, x, y=0):
    return w * x - y

def broken():
    return 1 / 0
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.sbp").write_text(TEXT)
    (tmp_path / "net.py").write_text(PYTHON)
    return tmp_path


def test_the_same_model_from_everywhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(TEXT.encode())))
    found = [load("net.sbp"), load(here / "net.sbp"), load("net.py"), load("net.py:model"), load("-"),
             Model.load("net.sbp"), Model.parse(TEXT)]
    assert [m.name for m in found] == ["net", "net", "net", "net", "model", "net", "model"]
    assert all(described(m) == described(found[0]) for m in found)


@pytest.mark.parametrize("relu0", [1, "1", 1.0, "0.5", 0.5, 0])
@pytest.mark.parametrize("spec", ["net.sbp", "net.py", "net.py:half"])
def test_relu0(here: Path, spec: str, relu0: object) -> None:
    assert float(load(spec, relu0=relu0).graph.relu0) == float(str(relu0))


def test_what_the_model_says_about_relu0_stays(here: Path) -> None:
    assert float(load("net.py:half").graph.relu0) == 0.5


def test_sizes(here: Path) -> None:
    assert load("net.sbp", dims={"N": 7}).sizes == {"N": 7}
    with pytest.raises(NameProblem, match="no dimension 'M'; it has N"):
        load("net.sbp", dims={"M": 7})
    for size in (0, -1, 2**31):
        with pytest.raises(ShapeError, match="a whole number from 1 to"):
            load("net.sbp", dims={"N": size})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.sbp", "cannot read missing.sbp: No such file"),
        ("nte.sbp", "Did you mean 'net.sbp'?"),
        ("folder.sbp", "folder.sbp is a directory"),
        ("/dev/null/x.sbp", "cannot read"),
        ("a\0b.sbp", "is not a path"),
        ("two-wieght-tanh", "no built-in model 'two-wieght-tanh'. Did you mean 'two-weight-tanh'?"),
        ("net", "no built-in model"),
        ("net.txt", "A model text ends in .sbp"),
        ("missing.py", "there is no file missing.py"),
        ("net.py:nothing", "net.py has no 'nothing'"),
        ("net.py:loss", "loss in net.py takes arguments, and what is called here takes none. A function of arrays is "
         'read as text: -e "$(cat net.py)"'),
        ("net.py:number", "number in net.py is a int, not a Model"),
        ("", "no built-in model ''"),
    ],
)
def test_not_found(here: Path, spec: str, message: str) -> None:
    (here / "folder.sbp").mkdir()
    with pytest.raises(UsageError, match=re.escape(message)):
        load(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("net.py:broken", "net.py:15: ZeroDivisionError: division by zero"),
        ("wrong.py", "wrong.py:1: SyntaxError: '(' was never closed"),
        ("raises.py", "raises.py:2: RuntimeError: no"),
        ("lacks.py", "lacks.py:1: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_a_file_of_python_that_does_not_run(here: Path, spec: str, message: str) -> None:
    """Exit code 3, as where verify and check run one: the call is right, what it names is not."""
    (here / "wrong.py").write_text("model = (")
    (here / "raises.py").write_text("\nraise RuntimeError('no')")
    (here / "lacks.py").write_text("import nowhere")
    with pytest.raises(BrokenModule) as caught:
        load(spec)
    assert str(caught.value) == message and caught.value.exit_code == 3


def test_devices_are_not_read() -> None:
    with pytest.raises(UsageError):
        Model.load("/dev/zero")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x81", "bytes.sbp:1: syntax error: the text is not UTF-8 (byte 0x80)"),
        (b"param w\n\xff", "bytes.sbp:2: syntax error: the text is not UTF-8"),
        (b"\x7fELF\0\0", "bytes.sbp:1: syntax error: a NUL character"),
        (b"", "bytes.sbp: model error: the text is empty"),
        (b"param w\nloss L = q", "bytes.sbp:2: name error: 'q' is not declared"),
    ],
)
def test_contents(here: Path, data: bytes, message: str) -> None:
    (here / "bytes.sbp").write_bytes(data)
    with pytest.raises(ModelError, match=re.escape(message)):
        load("bytes.sbp")


def test_byte_order_mark_and_windows_lines(here: Path) -> None:
    (here / "win.sbp").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert described(load("win.sbp")) == described(load("net.sbp"))


def test_tabs(here: Path) -> None:
    text = "data x\nparam w\nfor t in 1..2:\n    z[t] = w * x\nloss L = z[2]\n"
    (here / "tabs.sbp").write_text(text.replace("    ", "\t").replace(" = ", "\t=\t").replace("data x", "data\tx"))
    (here / "blanks.sbp").write_text(text)
    assert described(load("tabs.sbp")) == described(load("blanks.sbp"))


def test_too_long(here: Path) -> None:
    (here / "long.sbp").write_text("# " + "a" * 4_000_000)
    with pytest.raises(SyntaxProblem, match="at most 4000000 are read"):
        load("long.sbp")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_no_permission(here: Path) -> None:
    (here / "net.sbp").chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        load("net.sbp")


def test_an_error_in_the_model_of_a_python_file_is_its_own(here: Path) -> None:
    (here / "bad.py").write_text("from symbackprop import Model\nm = Model()\nmodel = m.param('class')")
    with pytest.raises(NameProblem, match="'class' is a Python keyword"):
        load("bad.py")
