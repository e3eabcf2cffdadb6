"""Modules reach the disk whole or not at all, and only when they passed their check."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from symbackprop.codegen.write import difference, module_path, write_module
from symbackprop.errors import CheckFailed, UsageError


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
