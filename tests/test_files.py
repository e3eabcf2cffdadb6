"""Modules reach the disk whole or not at all, and only when they passed their check."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from symbackprop.errors import CheckFailed, UsageError
from symbackprop.files import difference, module_path, write_module


def left_over(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_new_file_and_a_replaced_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "net.py"
    write_module("one\n", path)
    assert path.read_text() == "one\n"
    path.chmod(0o600)
    write_module("two\n", path)
    assert path.read_text() == "two\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert left_over(path.parent) == ["net.py"]


def test_the_check_sees_the_whole_file_and_may_refuse_it(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("old\n")

    def refuse(file: Path) -> None:
        assert file.read_text() == "new\n"
        assert file.suffix == ".py" and file != path
        raise CheckFailed("wrong gradient")

    with pytest.raises(CheckFailed, match="wrong gradient"):
        write_module("new\n", path, refuse)
    assert path.read_text() == "old\n"
    assert left_over(tmp_path) == ["net.py"]


def test_interrupted_midway_the_old_file_is_intact(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("old\n")

    def interrupt(file: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_module("new\n", path, interrupt)
    assert path.read_text() == "old\n"
    assert left_over(tmp_path) == ["net.py"]


def test_the_file_behind_a_symlink_is_written(tmp_path: Path) -> None:
    target = tmp_path / "real" / "net.py"
    target.parent.mkdir()
    target.write_text("old\n")
    link = tmp_path / "link.py"
    link.symlink_to(target)
    write_module("new\n", link)
    assert link.is_symlink()
    assert target.read_text() == "new\n"


def test_a_dangling_symlink_is_filled(tmp_path: Path) -> None:
    link = tmp_path / "link.py"
    link.symlink_to(tmp_path / "nothing.py")
    write_module("new\n", link)
    assert link.is_symlink() and (tmp_path / "nothing.py").read_text() == "new\n"


def test_read_only_files_and_directories(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("old\n")
    path.chmod(0o444)
    with pytest.raises(UsageError, match=r"cannot write .*net.py: the file is read-only"):
        write_module("new\n", path)
    assert path.read_text() == "old\n"
    with pytest.raises(UsageError, match="it is a directory"):
        write_module("new\n", tmp_path)
    with pytest.raises(UsageError, match=r"net.py is not a directory"):
        write_module("new\n", path / "net.py")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.py"
    path.write_text("old\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"cannot write .*net.py: No space left on device"):
        write_module("new\n", path)
    assert path.read_text() == "old\n"
    assert left_over(tmp_path) == ["net.py"]


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))"
SMALL, LARGE = "small\n", "x" * 100_000
HELD = "write_module('{text}', Path('net.py'), lambda _: (print('written', flush=True), input()))"


def writer(folder: Path, *lines: str) -> subprocess.Popen[str]:
    """A process that writes modules in a folder."""
    head = ("import os, signal", "from pathlib import Path", "from symbackprop.files import write_module",
            "from symbackprop.errors import UsageError")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", "\n".join((*head, *lines))], cwd=folder, env=environment, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def refusal(text: str) -> tuple[str, ...]:
    """Lines that try to write a text and print what is said of it."""
    return "try:", f"    write_module({text}, Path('net.py'))", "except UsageError as error:", "    print(error)"


def test_a_file_larger_than_the_system_allows(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(SMALL)
    said, error = writer(tmp_path, LIMIT, *refusal("'x' * 100_000")).communicate(timeout=60)
    assert said == "cannot write net.py: File too large\n" and error == ""
    assert (tmp_path / "net.py").read_text() == SMALL
    assert left_over(tmp_path) == ["net.py"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("text", [SMALL, LARGE])
def test_a_device_that_is_full(text: str) -> None:
    with pytest.raises(UsageError, match="cannot write /dev/full: No space left on device"):
        write_module(text, Path("/dev/full"))


def test_two_processes_at_once(tmp_path: Path) -> None:
    """Both have their text on the disk before either puts it in its place; the later one stays, whole."""
    first, second = (writer(tmp_path, HELD.format(text=text)) for text in ("one", "two"))
    for process in (first, second):
        assert process.stdout is not None and process.stdout.readline() == "written\n"
    assert len(left_over(tmp_path)) == 2
    for process, text in ((second, "two"), (first, "one")):
        assert process.communicate("\n", timeout=60)[1] == "" and process.returncode == 0
        assert (tmp_path / "net.py").read_text() == text
    assert left_over(tmp_path) == ["net.py"]


@pytest.mark.parametrize(("when", "text"), [("before", "old"), ("after", "new")])
def test_killed_around_the_replacement(tmp_path: Path, when: str, text: str) -> None:
    (tmp_path / "net.py").write_text("old")
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    both = {"before": (kill, "replace(a, b)"), "after": ("replace(a, b)", kill)}[when]
    killed = writer(tmp_path, "replace = os.replace", "def instead(a, b):", *(f"    {line}" for line in both),
                    "os.replace = instead", "write_module('new', Path('net.py'))")
    assert killed.communicate(timeout=60) == ("", "") and killed.returncode == -signal.SIGKILL
    assert (tmp_path / "net.py").read_text() == text
    rest = [name for name in left_over(tmp_path) if name != "net.py"]
    assert len(rest) == (when == "before")
    for name in rest:
        os.utime(tmp_path / name, (0, 0))  # a file of a moment ago may not be locked yet
    write_module("newer", tmp_path / "net.py")
    assert left_over(tmp_path) == ["net.py"]


@pytest.fixture
def reached_by_all() -> Iterator[Path]:
    """A folder that other users reach, which one of pytest's is not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.parametrize("old", [True, False])
def test_a_folder_that_is_read_only(reached_by_all: Path, old: bool) -> None:
    folder = reached_by_all / "folder"
    folder.mkdir()
    if old:
        (folder / "net.py").write_text("old")
        (folder / "net.py").chmod(0o666)
    folder.chmod(0o555)
    nobody = "os.getuid() or os.setuid(65534)"  # the superuser may write anywhere
    said, error = writer(folder, nobody, *refusal("'new'")).communicate(timeout=60)
    assert said == "cannot write net.py: Permission denied\n" and error == ""
    assert [(p.name, p.read_text()) for p in folder.iterdir()] == ([("net.py", "old")] if old else [])
    folder.chmod(0o755)


@pytest.mark.parametrize("path", ["one", "two", "own", "one/net.py", "one/deeper/net.py", "into"])
def test_symlinks_that_lead_round_in_a_circle(tmp_path: Path, path: str) -> None:
    links = {"one": "two", "two": "one", "own": "own", "into": "one/net.py"}
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    with pytest.raises(UsageError, match=f"cannot write .*{path}: its symbolic links lead round in a circle"):
        write_module("new\n", tmp_path / path)
    assert {p.name: os.readlink(p) for p in tmp_path.iterdir()} == links


def test_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.append(pipe.read_text()))
    reader.start()
    checked: list[str] = []
    write_module("text\n", pipe, lambda file: checked.append(file.read_text()))
    reader.join(10)
    assert seen == checked == ["text\n"]
    assert pipe.is_fifo()


def test_many_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    texts = [str(k) * 100_000 for k in range(8)]
    threads = [threading.Thread(target=write_module, args=(t, path)) for t in texts]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert path.read_text() in texts
    assert left_over(tmp_path) == ["net.py"]


def test_where_a_module_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert module_path(None, "window-lm") == Path("generated/window_lm.py")
    assert module_path("out.py", "window-lm") == Path("out.py")
    assert module_path(".", "window-lm") == Path("window_lm.py")
    assert module_path("new/", "window-lm") == Path("new/window_lm.py")
    assert module_path("new/", "../../etc/passwd") == Path("new/etc_passwd.py")
    assert module_path(None, "λ") == Path("generated/model.py")


def test_difference(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    assert "+new" in difference("new\n", path)
    path.write_text("old\n")
    assert difference("old\n", path) == ""
    assert "-old\n+new" in difference("new\n", path)
