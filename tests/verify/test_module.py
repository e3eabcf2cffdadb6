"""Loading files that people edit: what is wrong is said in one line, with its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from symbackprop.errors import BrokenModule, MissingExtra, ModelError, SymbackpropError, UsageError
from symbackprop.targets import TARGETS, Target
from symbackprop.verify import load_module, verify_file
from tests.verify.helpers import check, mutant
from tests.verify.modules import MLP, SQUARE


def broken(folder: Path, source: str | bytes) -> SymbackpropError:
    path = folder / "net.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    with pytest.raises(SymbackpropError) as caught:
        verify_file(path)
    assert "Traceback" not in str(caught.value) and str(path) in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("def backward(cache, upstream=1.0):", "def backward(cache, upstream=1.0:"), "SyntaxError"),
        (("import numpy as np", "import numpyy as np"), "ModuleNotFoundError: No module named 'numpyy'"),
        (("import numpy as np", "import numpy as np\n1 / 0"), "ZeroDivisionError: division by zero (net.py:3: 1 / 0)"),
        (("import numpy as np", "raise SystemExit"), "SystemExit"),
        (("    dq = 2", "   dq = 2"), "IndentationError"),
        (("MODEL =", "MODEL_ ="), "no MODEL"),
        (("def backward", "def backwards"), "no backward"),
        (("def forward", "def f_orward"), "no forward"),
    ],
)
def test_a_file_that_does_not_load(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    error = broken(tmp_path, mutant(SQUARE, change))
    assert isinstance(error, BrokenModule) and error.exit_code == 3
    assert words in str(error)


@pytest.mark.parametrize("source", [b"", b"\x00\x01\x02", b"\xff\xfe caf\xe9", b"print('hello')"])
def test_a_file_that_is_something_else(tmp_path: Path, source: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(broken(tmp_path, source), BrokenModule)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["MODEL = 3", "MODEL = None"])
def test_a_model_text_that_is_no_text(tmp_path: Path, value: str) -> None:
    error = broken(tmp_path, f"{value}\ndef forward(): pass\ndef backward(): pass\n")
    assert "MODEL should be the model text" in str(error)


def test_a_backward_that_is_no_function(tmp_path: Path) -> None:
    error = broken(tmp_path, "MODEL = ''\ndef forward(): pass\nbackward = 3\n")
    assert "backward is not a function" in str(error)


def test_a_model_text_with_an_error_names_its_line(tmp_path: Path) -> None:
    error = broken(tmp_path, mutant(SQUARE, ("q = X @ A\nloss", "q = X @ B\nloss")))
    assert isinstance(error, ModelError) and error.exit_code == 3
    assert "MODEL:" in str(error) and "B" in str(error)


def test_a_missing_file_and_a_directory_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        load_module(tmp_path / "nowhere.py")
    with pytest.raises(UsageError, match="directory"):
        load_module(tmp_path)


def test_what_a_target_needs_and_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "nowhere", Target("", ("no_such_package",), "no-such-package[all]"))
    (tmp_path / "net.py").write_text(mutant(SQUARE, ("import numpy as np", "import no_such_package.arrays as np")))
    with pytest.raises(MissingExtra, match=r"no_such_package is not installed: pip install 'no-such-package\[all\]'"):
        load_module(tmp_path / "net.py")


def test_a_sign_flipped_within_the_same_second_is_seen(tmp_path: Path) -> None:
    """Python's bytecode cache tells files apart by whole seconds and length."""
    assert check(tmp_path, SQUARE).verdict == "pass"
    path = tmp_path / "module.py"
    stamp = path.stat().st_mtime
    path.write_text(mutant(SQUARE, ("dq = 2 * upstream", "dq = 2 *-upstream")))
    os.utime(path, (stamp, stamp))
    assert path.stat().st_size == len(SQUARE)
    assert verify_file(path).verdict == "fail"
    assert not (tmp_path / "__pycache__").exists()


def test_what_the_module_prints_does_not_mix_with_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = mutant(
        SQUARE, ("    dq = 2", "    print('debugging')\n    dq = 2"), ("def forward", "print(1)\n\ndef forward")
    )
    assert check(tmp_path, source).verdict == "pass"
    out, err = capsys.readouterr()
    assert out == "" and "debugging" in err


def test_warnings_of_numpy_are_no_errors(tmp_path: Path) -> None:
    source = mutant(MLP, ("    N = len(P)", "    np.log(P * 0)\n    N = len(P)"))
    assert check(tmp_path, source).verdict == "pass"


def test_modules_do_not_share_state(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(SQUARE)
    one, two = load_module(path), load_module(path)
    assert one is not two and one.__name__ != two.__name__
