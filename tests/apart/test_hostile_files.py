"""Files that end, hang, flood or trick their process: each ends as a verdict, judged outside of it, in seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from symbackprop import check, codegen, verify
from symbackprop.__main__ import load_cli
from symbackprop.apart import process
from tests.counting import ends
from tests.sweeps import few_in_ci
from tests.verify.modules import SQUARE

Run = Callable[..., Result]
RIGHT = "    dq = 2"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are those of POSIX")


def hostile(what: str, at: str = RIGHT) -> str:
    """The module with some statements in its backward."""
    lines = "".join(f"    {line}\n" for line in what.splitlines())
    assert SQUARE.count(at) == 1
    return SQUARE.replace(at, lines + at)


def verified(folder: Path, source: str, *options: str) -> Result:
    path = folder / "net.py"
    path.write_text(source)
    return CliRunner().invoke(load_cli().cli, ["verify", str(path), "--timeout", "2", *options])


def checked(folder: Path, source: str, *options: str) -> Result:
    """The same file by `check`, against its own model."""
    path, model = folder / "net.py", folder / "net.sbp"
    path.write_text(source)
    model.write_text(SQUARE.split('"""')[1])
    return CliRunner().invoke(load_cli().cli, ["check", str(model), str(path), "--timeout", "2", *options])


def by_turns(kinds: Iterable[str]) -> list[Any]:
    """Each kind under both commands: CI takes one under `verify`, the next under `check`."""
    pairs = [(kind, run) for k, kind in enumerate(kinds) for run in (verified, checked)[:: -1 if k % 2 else 1]]
    return few_in_ci([pytest.param(*pair) for pair in pairs], 2)


KINDS = {
    "exit": ("import os; os._exit(0)", "ended the process, with exit code 0"),
    "loop": ("while True: pass", "did not end within 2 seconds"),
    "sleep": ("import time; time.sleep(1000)", "did not end within 2 seconds"),
    "memory": ("x = [np.ones(10**7) for _ in range(10**6)]", "MemoryError"),
    "huge array": ("np.ones(10**12)", "MemoryError"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "kill": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "recursion": ("def f(): return f()\nf()", "RecursionError"),
    "deep recursion": ("import sys; sys.setrecursionlimit(10**9)\ndef f(x): return f([x])\nf(1)", "backward"),
    "sys.exit": ("import sys; sys.exit(0)", "SystemExit"),
    "interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "flood": ("while True: print('x' * 10**6)", "printed more than 64 MB"),
    "every channel": ("import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'{\"verdict\": \"pass\"}')\n"
                      "    except OSError: pass", "wrote into the channel"),
    "closed channels": ("import os; os.closerange(0, 64); import time; time.sleep(1000)", "closed the channel"),
    "threads": ("import threading, time\n"
                "while True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()", "backward"),
    "signals": ("import signal\nfor s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
                "while True: pass", "did not end within 2 seconds"),
    "patched limits": ("import resource\nresource.setrlimit = None\nwhile True: pass", "did not end within 2 seconds"),
}
TIME = dict.fromkeys(("flood", "memory"), ("--timeout", "15"))  # on a busy machine


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The processes that were started for a file."""
    found: list[object] = []

    def start(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        found.append(args)
        return subprocess.Popen(*args, **options)

    monkeypatch.setattr(process, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": start}))
    return found


@POSIX
@pytest.mark.parametrize(("kind", "run"), by_turns(KINDS))
def test_it_is_a_verdict_in_seconds(kind: str, run: Run, tmp_path: Path, started: list[object]) -> None:
    what, words = KINDS[kind]
    with ends():
        result = run(tmp_path, hostile(what), "--json", "--memory", "0.3", *TIME.get(kind, ()))
    assert result.exit_code == 1, result.output
    report = json.loads(result.stdout)
    assert report["verdict"] == "fail"
    said = " ".join([*report.get("problems", []), *report["notes"]])
    assert "backward" in said and words in said and "Traceback" not in result.stderr
    assert len(started) <= 2  # the time that is given is waited for once in each


@POSIX
@pytest.mark.parametrize(("kind", "run"), by_turns(["exit", "loop", "segfault", "flood"]))
def test_so_it_is_when_it_happens_while_the_file_is_loaded(kind: str, run: Run, tmp_path: Path) -> None:
    what, words = KINDS[kind]
    result = run(tmp_path, SQUARE + "\n" + what + "\n", *TIME.get(kind, ()))
    assert result.exit_code == 1 and "while it was loaded" in result.stdout and words in result.stdout


WRONG = SQUARE.replace(RIGHT, "    dq = -2")
TRICKS = {
    "numpy": "np.allclose = np.array_equal = np.all = lambda *a, **k: True\nnp.abs = np.max = lambda *a, **k: 0.0",
    "the checker": "try:\n    import symbackprop.verify.verdicts as v, symbackprop.verify.report as r\n"
                   "    v.judge = None\n    r.Report.verdict = 'pass'\nexcept Exception: pass",
    "the process": "import symbackprop.apart.files as f, symbackprop.apart.wire as w\n"
                   "f.kinds_of = f.said = lambda *a: 'pass'\nw.packed = lambda *a: 'pass'",
    "stdout": "import os, sys\nos.write(1, b'{\"verdict\": \"pass\"}')\nprint('pass', file=sys.__stdout__)",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)",
    "fork": "import os\nif os.fork() == 0: os._exit(0)",
    "fork that goes on": "import os\nos.fork()",
    "exit": "import sys, builtins\nsys.exit = builtins.exit = lambda *a: None",
    "thread": "import threading, os, time\n"
              "threading.Thread(target=lambda: (time.sleep(0.1), os._exit(0)), daemon=True).start()",
}


@POSIX
@pytest.mark.parametrize(("trick", "run"), by_turns(TRICKS))
def test_what_it_patches_decides_nothing(trick: str, run: Run, tmp_path: Path) -> None:
    lines = "".join(f"    {line}\n" for line in TRICKS[trick].splitlines())
    found = run(tmp_path, WRONG.replace("    dq = -2", lines + "    dq = -2"), "--json")
    assert found.exit_code == 1 and json.loads(found.stdout)["verdict"] == "fail"


# -- nothing is left behind


SLEEPER = hostile("import os, time\nwith open('started', 'w') as file: file.write(str(os.getpid()))\ntime.sleep(1000)")


def hanging(folder: Path, *command: str) -> tuple[subprocess.Popen[bytes], int]:
    """A command on a file that never ends, and the process of the file."""
    (folder / "net.py").write_text(SLEEPER)
    (folder / "net.sbp").write_text(SQUARE.split('"""')[1])
    ours = subprocess.Popen([sys.executable, "-m", "symbackprop", *command], cwd=folder, stderr=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    for _ in range(600):
        time.sleep(0.1)
        if (folder / "started").exists() and (folder / "started").read_text():
            return ours, int((folder / "started").read_text())
    raise AssertionError("it has not started")


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@POSIX
@pytest.mark.parametrize("command", ["verify net.py", "check net.sbp net.py"])
def test_ctrl_c_ends_both_processes(command: str, tmp_path: Path) -> None:
    ours, theirs = hanging(tmp_path, *command.split())
    ours.send_signal(signal.SIGINT)
    _, err = ours.communicate(timeout=60)
    assert ours.returncode == 130 and err.decode().endswith("interrupted\n") and gone(theirs)


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_when_ours_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    ours, theirs = hanging(tmp_path, "verify", "net.py")
    ours.send_signal(number)
    ours.communicate(timeout=60)
    assert gone(theirs)


@POSIX
def test_what_the_file_has_started_ends_with_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    what = "import os, time\npid = os.fork()\nif pid == 0: time.sleep(1000)\n"
    what += f"with open({str(started)!r}, 'w') as file: file.write(str(pid))"
    assert verified(tmp_path, hostile(what)).exit_code == 0
    assert gone(int(started.read_text()))


# -- what is not wrong


@POSIX
def test_what_it_prints_is_passed_on_to_a_limit(tmp_path: Path) -> None:
    result = verified(tmp_path, hostile("print('one line')\nfor _ in range(10): print('x' * 10**5)"), "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["verdict"] == "pass"
    assert "one line" in result.stderr and "prints more than is shown here" in result.stderr
    assert len(result.stderr) < 30_000


def test_control_characters_that_it_prints_reach_no_terminal(tmp_path: Path) -> None:
    result = verified(tmp_path, hostile("print('\\x1b[2Jgone')"))
    assert result.exit_code == 0 and "\x1b" not in result.stderr and "gone" in result.stderr


def test_a_limit_that_is_enough_is_not_told_of(tmp_path: Path) -> None:
    assert verified(tmp_path, hostile("import time; time.sleep(0.01)"), "--timeout", "9").exit_code == 0


@pytest.mark.parametrize("command", ["verify", "check"])
def test_help_says_that_the_file_is_executed(command: str) -> None:
    said = " ".join(CliRunner().invoke(load_cli().cli, [command, "--help"]).stdout.split())
    assert "executed, as your own code, in a process of its own" in said
    assert "--timeout SECONDS" in said and "--memory GIB" in said and "a random one" in said


@pytest.mark.parametrize("run", [verified, checked])
def test_the_seed_is_random_printed_and_repeats_a_run(run: Run, tmp_path: Path) -> None:
    seeds = {json.loads(run(tmp_path, WRONG, "--json").stdout)["seed"] for _ in range(3)}
    assert len(seeds) > 1
    seed = str(seeds.pop())
    again = [run(tmp_path, WRONG, "--seed", seed).stdout for _ in range(2)]
    assert again[0] == again[1] and f"seed {seed})" in again[0].splitlines()[0]


def test_in_python_a_path_is_run_apart_and_an_object_here(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(hostile("import os; os._exit(0)"))
    assert verify(str(path)).problems and verify(path, seed=3).seed == 3
    text = SQUARE.split('"""')[1]
    assert "ended the process" in check(text, path).broken[0]
    assert check(text, path, timeout=9).seed == 0
    here = []

    def backward(dy: object) -> object:
        here.append(os.getpid())
        return {"x": 2 * dy}  # type: ignore[operator]

    assert check("dim N\ninput x: N\noutput y = x * 2\n", backward) and set(here) == {os.getpid()}


# -- inputs that are changed, although they are copies over there


CHANGING = {
    "X[0] = 0": "forward changes X, which it is given: ",
    "X += 1": "forward changes X, which it is given: ",
    "data['X'] = data['X'] * 2": "forward changes X, which it is given: ",
    "params['A'] *= 2": "forward changes A, which it is given: ",
}


@pytest.mark.parametrize("what", CHANGING)
def test_changed_inputs_are_noticed(what: str, tmp_path: Path) -> None:
    end = "    return (q**2)"
    found = verified(tmp_path, hostile(f"X = data['X']\n{what}", end))
    assert found.exit_code == 1 and CHANGING[what] in found.stdout


@pytest.mark.parametrize("name", ["window-lm", "two-weight-tanh", "linear-layer", "rnn-lm"])
def test_all_that_is_asked_of_an_emitted_module_travels(name: str, tmp_path: Path) -> None:
    """Also what `verify` hands in that is no array, to see it refused."""
    path = tmp_path / "net.py"
    path.write_text(codegen(name, optimizer="adam", verify=False))
    assert verify(path, trials=1)
