"""Files that end, hang, flood or trick their process: each ends as a verdict, judged outside of it, in seconds."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from symbackprop.__main__ import load_cli
from tests.verify.modules import SQUARE

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
    "flood": ("while True: print('x' * 10**6)", "did not end within 2 seconds"),
    "every channel": ("import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'{\"verdict\": \"pass\"}')\n"
                      "    except OSError: pass", "wrote into the channel"),
    "closed channels": ("import os; os.closerange(0, 64); import time; time.sleep(1000)", "closed the channel"),
    "threads": ("import threading, time\n"
                "while True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()", "backward"),
    "signals": ("import signal\nfor s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
                "while True: pass", "did not end within 2 seconds"),
    "patched limits": ("import resource\nresource.setrlimit = None\nwhile True: pass", "did not end within 2 seconds"),
}


@POSIX
@pytest.mark.parametrize("run", [verified, checked])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_verdict_in_seconds(kind: str, run: object, tmp_path: Path) -> None:
    what, words = KINDS[kind]
    began = time.monotonic()
    result = run(tmp_path, hostile(what), "--json", "--memory", "0.3")  # type: ignore[operator]
    assert result.exit_code == 1, result.output
    report = json.loads(result.stdout)
    assert report["verdict"] == "fail"
    said = " ".join([*report.get("problems", []), *report["notes"]])
    assert "backward" in said and words in said and "Traceback" not in result.stderr
    assert time.monotonic() - began < 20


@POSIX
@pytest.mark.parametrize("run", [verified, checked])
@pytest.mark.parametrize("kind", ["exit", "loop", "segfault", "flood"])
def test_so_it_is_when_it_happens_while_the_file_is_loaded(kind: str, run: object, tmp_path: Path) -> None:
    what, words = KINDS[kind]
    result = run(tmp_path, SQUARE + "\n" + what + "\n")  # type: ignore[operator]
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
@pytest.mark.parametrize("run", [verified, checked])
@pytest.mark.parametrize("trick", TRICKS)
def test_what_it_patches_decides_nothing(trick: str, run: object, tmp_path: Path) -> None:
    lines = "".join(f"    {line}\n" for line in TRICKS[trick].splitlines())
    found = run(tmp_path, WRONG.replace("    dq = -2", lines + "    dq = -2"), "--json")  # type: ignore[operator]
    assert found.exit_code == 1 and json.loads(found.stdout)["verdict"] == "fail"
