"""Hostile inputs and streams: one clear line, the right exit code, within seconds; nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli
from symbackprop.errors import ShapeError, UsageError
from symbackprop.model.text import parse
from symbackprop.render.numbers import read_at
from symbackprop.scratch import PREFIX, scratch_file, scratch_folder
from symbackprop.terminal import visible
from symbackprop.verify import evaluate
from tests.sweeps import few_in_ci

LINEAR = "dim N, D\ndata X: N x D, y: N\nparam w: D\np = X @ w\nloss L = mean((p - y)**2)\n"
LOOP = (
    "dim T, N\ndata x: T x N, h[0]: N\nparam w: N\n"
    "for t in 1..T:\n    h[t] = tanh(x[t]*w + h[t-1])\nloss L = sum(h[T])\n"
)
ATTENTION = "dim T, D\ndata X: T x D\nparam W: D x D\nY = attention(X @ W, X, X)\nloss L = sum(Y**2)\n"
COUNTER = "dim T\nparam w\nh[0] = w\nfor t in 1..T:\n    h[t] = tanh(h[t-1]*w)\nloss L = h[T]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"lin": LINEAR, "loop": LOOP, "attention": ATTENTION, "counter": COUNTER}.items():
        Path(f"{name}.sbp").write_text(text)
    Path("answers.txt").write_text("dw = 2*X.T @ (p - y)/N\n")
    np.savez("ok.npz", X=np.ones((2, 2)), y=np.ones(2), w=np.ones(2))
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(load_cli().cli, words)


def refused(result: Result, code: int, words: str = "") -> None:
    """One line on stderr, no traceback, nothing on stdout, the exit code."""
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code and result.stdout == "", (result.exit_code, result.output)
    assert words in result.stderr and result.stderr.lower().count("error: ") >= 1 and len(result.stderr) < 1000


# ---------------------------------------------------------------- sizes


COMPUTES = ["verify lin.sbp", "grade lin.sbp answers.txt",
            "derive lin.sbp --at ok.npz", "graph lin.sbp --at ok.npz"]
WRITES = ["derive lin.sbp", "derive lin.sbp --format latex", "show lin.sbp", "graph lin.sbp",
          "codegen lin.sbp -o - --no-verify", "codegen lin.sbp -o -"]


@pytest.mark.parametrize("command", COMPUTES)
@pytest.mark.parametrize("sizes", ["N=2147483647", "N=1000000,D=1000000", "N=30000,D=30000"])
def test_sizes_too_large_to_compute_with(command: str, sizes: str) -> None:
    words = "shape error" if "--at" in command else "too large to be computed here"
    refused(run(*command.split(), "--dim", sizes), 3, words)
    assert not Path("net.py").exists()


@pytest.mark.parametrize("command", WRITES)
def test_what_only_writes_takes_any_size(command: str) -> None:
    assert run(*command.split(), "--dim", "N=2147483647,D=1000000").exit_code == 0


@pytest.mark.parametrize("command", COMPUTES + WRITES)
@pytest.mark.parametrize("sizes", ["N=99999999999999999999", "N=0", "N=2147483648"])
def test_sizes_that_are_none(command: str, sizes: str) -> None:
    refused(run(*command.split(), "--dim", sizes), 3, "from 1 to 2147483647")


@pytest.mark.parametrize(
    "text",
    [
        "param w: 1000000\nloss L = sum(eye(1000000) * w)\n",
        "param w: 3\nloss L = sum(arange(2000000000)) * sum(w)\n",
        "param w: 3\nloss L = sum(repeat(w, 1000000000, 0))\n",
        "param w: 100000\nloss L = sum(outer(w, w)**2)\n",
        "param w: 30000 x 30000\nloss L = sum(w**2)\n",
        "data k: 100000 int < 1000000\nparam w: 1000000\nloss L = sum(one_hot(k, 1000000) @ w)\n",
    ],
)
def test_arrays_too_large_to_compute_with(text: str) -> None:
    Path("net.sbp").write_text(text)
    for command in ("verify", "codegen"):
        refused(run(command, "net.sbp"), 3, "too large to be computed here")


def test_loops_too_long_to_run() -> None:
    refused(run("verify", "counter.sbp", "--dim", "T=2000000000"), 3, "too large to be computed here")
    refused(run("derive", "counter.sbp", "--at", "w=1", "--dim", "T=2000000000"), 3, "too large to be computed here")
    assert run("derive", "counter.sbp", "--at", "w=1", "--dim", "T=3").exit_code == 0


def test_numbers_of_too_many_entries_in_python() -> None:
    model = parse("param w: 1000000\nloss L = sum(eye(1000000) * w)\n")
    with pytest.raises(ShapeError, match="too large"):
        evaluate([model.loss_row], {"w": np.ones(1000000)})  # type: ignore[list-item]


# ---------------------------------------------------------------- files of numbers


def an_archive(members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile("made.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return Path("made.zip").read_bytes()


def an_npy(shape: str, descr: str = "<f8") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00v\x00" + header.encode()


def objects() -> bytes:
    np.savez("objects.npz", X=np.array([{}, 1], dtype=object))
    return Path("objects.npz").read_bytes()


GARBAGE: dict[str, Callable[[], bytes]] = {
    "text.npz": lambda: b"x = 1\n",
    "empty.npz": lambda: b"",
    "bytes.npz": lambda: bytes(range(256)) * 20,
    "pickle.npz": lambda: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.",
    "torn.npz": lambda: b"PK\x03\x04" + b"garbage" * 30,
    "cut.npz": lambda: Path("ok.npz").read_bytes()[:200],
    "flipped.npz": lambda: Path("ok.npz").read_bytes().replace(b"\xf0?", b"\xf1?"),
    "objects.npz": objects,
    "nonsense.npz": lambda: an_archive({"X.npy": b"nonsense"}),
    "others.npz": lambda: an_archive({"readme.txt": b"hello"}),
    "short.npz": lambda: an_archive({"X.npy": an_npy("(1000000000000,)")}),
    "strings.npz": lambda: an_archive({"X.npy": an_npy("(1,)", "<U1") + b"a\0\0\0"}),
    "header.npz": lambda: an_archive({"X.npy": an_npy("(__import__,)")}),
    "deep.json": lambda: b'{"X": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested.json": lambda: b'{"X": ' + b"[" * 90 + b"1" + b"]" * 90 + b"}",
    "objects.json": lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "bytes.json": lambda: bytes(range(256)),
    "half.json": lambda: b'{"X": [1, 2',
    "list.json": lambda: b"[1, 2]",
    "digits.json": lambda: b'{"X": ' + b"9" * 5000 + b"}",
    "huge.json": lambda: b'{"X": ' + b"9" * 400 + b', "y": 1, "w": 1}',
    "words.json": lambda: b'{"X": "abc", "y": null, "w": {}}',
    "ragged.json": lambda: b'{"X": [[1, 2], [3]], "y": [1], "w": [1]}',
    "empty.json": lambda: b"",
    "nothing.json": lambda: b"null",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_for_numbers(name: str) -> None:
    content = GARBAGE[name]()
    Path(name).write_bytes(content)
    for command in ("derive", "graph"):
        result = run(command, "lin.sbp", "--at", name)
        refused(result, result.exit_code)
        assert result.exit_code in (2, 3)


def test_numbers_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "at.json").write_bytes(b"{\xff}")
    with pytest.raises(UsageError, match="it is not text in UTF-8"):
        read_at(str(tmp_path / "at.json"))


def test_numbers_that_unpack_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symbackprop.render.numbers.MAX_BYTES", 10_000)
    Path("bomb.npz").write_bytes(an_archive({"X.npy": an_npy("(2000,)") + bytes(16_000)}))
    Path("long.json").write_bytes(b" " * 20_000 + b"{}")
    for name in ("bomb.npz", "long.json"):
        refused(run("derive", "lin.sbp", "--at", name), 2, "too large")


def test_numbers_that_are_no_file() -> None:
    Path("folder.npz").mkdir()
    Path("zero.json").symlink_to("/dev/zero")
    for name in ("folder.npz", "zero.json", "missing.npz", "missing.json"):
        refused(run("derive", "lin.sbp", "--at", name), 2, f"cannot read {name}")
    refused(run("derive", "lin.sbp", "--at", "X=" + "[" * 100_000), 2)


def test_numbers_without_time_steps() -> None:
    """T = 0: an empty loop is no step; a softmax over nothing is refused in words."""
    np.savez("empty.npz", x=np.ones((0, 2)), h0=np.ones(2), w=np.ones(2))
    assert "Σ_n h_T[n] = 2 " in run("derive", "loop.sbp", "--at", "empty.npz").stdout
    np.savez("empty.npz", X=np.ones((0, 2)), W=np.ones((2, 2)))
    result = run("derive", "attention.sbp", "--at", "empty.npz")
    assert result.exit_code == 0 or "cannot be computed for T = 0" in result.stderr
    for command in ("verify", "codegen"):
        refused(run(command, "loop.sbp", "--dim", "T=0"), 3, "from 1 to")


# ---------------------------------------------------------------- einsums


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def einsum(count: int, letters: Callable[[int], str], shape: str) -> str:
    names = [f"p{i}" for i in range(count)]
    spec = ",".join(letters(i) for i in range(count))
    declared = ", ".join(f"{n}: {shape}" for n in names)
    return f'dim N = 2\nparam {declared}\nloss L = einsum("{spec}->", {", ".join(names)})\n'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(einsum(31, lambda i: LETTERS[i], "N"), marks=pytest.mark.slow),
        einsum(31, lambda i: LETTERS[i] + LETTERS[i + 1], "N x N"),
        einsum(1, lambda i: "a" * 9, " x ".join(["N"] * 9)),
    ],
    ids=["letters of their own", "a chain", "a diagonal of many axes"],
)
def test_einsums_of_many_operands(text: str) -> None:
    Path("net.sbp").write_text(text)
    assert run("verify", "net.sbp", "--trials", "1").exit_code == 0


@pytest.mark.parametrize("text", [einsum(52, lambda i: LETTERS[i], "N"), einsum(60, lambda i: LETTERS[i % 52], "N"),
                                  einsum(1, lambda i: LETTERS[:40], " x ".join(["N"] * 40))])
def test_einsums_of_too_many_letters(text: str) -> None:
    Path("net.sbp").write_text(text)
    refused(run("verify", "net.sbp"), 3, "at most")


def test_a_long_line_is_shown_from_where_the_place_begins() -> None:
    Path("net.sbp").write_text(einsum(32, lambda i: LETTERS[i], "N"))
    found = run("verify", "net.sbp")
    refused(found, 3, "at most 31")
    assert "loss L = einsum(" in found.stderr


# ---------------------------------------------------------------- streams


def process(command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    line = f"exec {sys.executable} -m symbackprop {command}"
    return subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, check=False, timeout=60, **options)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", few_in_ci(["derive lin.sbp", "codegen lin.sbp -o - --no-verify", "--help",
                                               "show --help", "ops --json", "models"], 2))
def test_a_full_stdout(command: str) -> None:
    result = process(f"{command} >/dev/full")
    assert result.returncode == 2
    assert result.stderr == "error: cannot write the result to stdout: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_other_full_and_closed_streams() -> None:
    assert process("models >&-").stderr == "error: cannot write the result: stdout is closed\n"
    assert process("models >/dev/full 2>/dev/full").returncode == 2
    assert process("derive nothing 2>/dev/full").returncode == 2
    result = process("derive lin.sbp -o /dev/full")
    assert result.returncode == 2 and "cannot write /dev/full: No space left" in result.stderr


STEERS = "\x1b[31mred\x1b[0m\r\x07\x9b2J\u202e\u2066\x00\udcff"


def test_what_would_steer_a_terminal_is_shown() -> None:
    shown = visible(STEERS + "\n\tx ŷ ∂L/∂w ½ 𝟙")
    assert shown == r"\u001b[31mred\u001b[0m\u000d\u0007\u009b2J\u202e\u2066\u0000\udcff" + "\n\tx ŷ ∂L/∂w ½ 𝟙"
    assert json.loads(f'"{visible(STEERS)}"') == STEERS
    assert visible("plain\ttext\n") == "plain\ttext\n"


def quiet(result: Result) -> None:
    text = result.stdout + result.stderr
    assert visible(text) == text and "Traceback" not in text and not isinstance(result.exception, ValueError), text


ODD = "\x1b[31mnet\x07\u202e"


def test_file_names_do_not_steer_the_terminal() -> None:
    Path(f"{ODD}.sbp").write_text(LINEAR)
    Path(f"{ODD}.py").write_text("raise ValueError('\x1b[2J')\n")
    for command in ("show", "derive", "verify", "graph"):
        quiet(run(command, f"{ODD}.sbp"))
        quiet(run(command, f"{ODD}"))
        quiet(run(command, f"missing{ODD}.sbp"))
        quiet(run(command, f"{ODD}.py"))
        quiet(run(command, "lin.sbp", f"--{ODD}"))
        quiet(run(command, "lin.sbp", ODD, ODD))
    quiet(run(ODD))
    quiet(run(f"--{ODD}"))
    quiet(run("derive", "lin.sbp", "--at", f"{ODD}.npz"))
    quiet(run("derive", "lin.sbp", "--wrt", ODD))
    quiet(run("derive", "lin.sbp", "--dim", f"{ODD}=3"))
    quiet(run("derive", "lin.sbp", "--format", ODD))
    quiet(run("models", "--tag", ODD))
    quiet(run("ops", ODD))
    quiet(run("codegen", "lin.sbp", "--no-verify", "-o", f"{ODD}.txt"))
    quiet(run("codegen", "lin.sbp", "--check", "-o", f"{ODD}.txt"))
    quiet(run("grade", "lin.sbp", f"{ODD}.sbp"))


def test_exceptions_of_a_users_file_do_not_steer_the_terminal() -> None:
    steer = "ValueError('\\x1b[31m \\x9b \\u202e')"
    Path("raises.py").write_text(f"raise {steer}\n")
    Path("calls.py").write_text(f"def model():\n    raise {steer}\n")
    Path("names.py").write_text(f"from symbackprop import Model\nmodel = Model('\\x1b[31m{ODD!a}')\n"
                                "model.loss('L', model.param('w')**2)\n")
    Path("exits.py").write_text("import sys\nsys.exit('\\x1b[31m')\n")
    for name in ("raises.py", "calls.py", "names.py", "exits.py"):
        for command in ("show", "derive", "verify"):
            quiet(run(command, name))
    assert run("codegen", "lin.sbp", "-o", "net.py", "--no-verify").exit_code == 0
    source = Path("net.py").read_text()
    Path("net.py").write_text(source.replace("def backward(", f"def backward(*a, **k):\n    raise {steer}\n\n\ndef b("))
    result = run("verify", "net.py")
    assert "\\u001b[31m" in result.stdout and result.exit_code == 1
    quiet(result)
    quiet(run("verify", "net.py", "--json"))


# ---------------------------------------------------------------- litter


SLOW = """
import os, sys, time
from pathlib import Path
from symbackprop.files import write_module
from symbackprop.scratch import scratch_folder
from tests.sweeps import few_in_ci

def check(file):
    with scratch_folder():
        print("writing", flush=True)
        time.sleep(60)

write_module("new", Path("net.py"), check)
"""


def killed_while_writing(temporary: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    writer = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, env=environment)
    assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()


def litter(*folders: Path) -> list[Path]:
    return [p for folder in folders for p in folder.glob(f"{PREFIX}*")]


def test_what_a_killed_run_left_is_swept_by_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("net.py").write_text("old")
    temporary = folder / "temporary"
    temporary.mkdir()
    killed_while_writing(temporary)
    assert Path("net.py").read_text() == "old" and len(litter(folder, temporary)) == 2
    time.sleep(1.1)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert run("codegen", "lin.sbp", "-o", "net.py").exit_code == 0
    assert not litter(folder, temporary)


def test_what_is_in_use_is_not_swept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symbackprop.scratch.SETTLED", -1.0)
    with scratch_file(folder, ".py") as (_, first), scratch_folder() as second:
        with scratch_file(folder, ".py") as (_, other), scratch_folder() as another:
            assert first.exists() and second.exists() and first != other and second != another
        assert not other.exists() and not another.exists()
        (folder / f"{PREFIX}link").symlink_to(folder / "ok.npz")
    with scratch_file(folder, ".py"):
        assert (folder / "ok.npz").exists()
    assert not first.exists() and not second.exists()


@pytest.mark.parametrize("body", ['raise BaseException("x")', "class E(Exception):\n    __str__ = None\nraise E"])
@pytest.mark.parametrize("command", ["derive", "verify"])
def test_a_file_whose_exception_is_no_ordinary_one(command: str, body: str) -> None:
    Path("m.py").write_text(body, encoding="utf-8")
    refused(run(command, "m.py"), 3, "m.py")
