"""Standard input; and files written to disk: whole or not at all, a module only once it has passed its check."""

from __future__ import annotations

import ast
import difflib
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from symbackprop.errors import UsageError
from symbackprop.scratch import scratch_file, scratch_folder

Check = Callable[[Path], None]
DIRECTORY = "generated"


def read_stdin(most: int) -> bytes:
    """Up to so many bytes of standard input: their encoding is the text's own, not the terminal's."""
    if sys.stdin is None:
        raise UsageError("cannot read from stdin: it is closed")
    try:
        return sys.stdin.buffer.read(most)
    except OSError as error:
        raise UsageError(f"cannot read from stdin: {error.strerror}") from error


def module_path(output: str | None, name: str) -> Path:
    """Where the module of a model goes: the file asked for, a file named like the model in a directory asked for, or
    ``generated/<name>.py``."""
    file = file_stem(name)
    if output is None:
        return Path(DIRECTORY) / f"{file}.py"
    path = Path(output)
    return path / f"{file}.py" if path.is_dir() or output.endswith(("/", os.sep)) else path


def file_stem(name: str) -> str:
    """The name of a model as that of a file."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:100] or "model"


def write_module(text: str | bytes, path: Path, check: Check | None = None) -> None:
    """Write a module, or anything else, to a new file beside ``path``, run ``check`` on that file, then put it in its
    place in one step.

    Whatever goes wrong, the old file stays as it was. The file behind a symlink is replaced, not the link. Raises
    `UsageError` where the place cannot be written, and whatever ``check`` raises.
    """
    target = Path(os.path.realpath(path))
    try:
        if is_special(target):
            _write_special(text, target, check)
            return
        _require_writable(target, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(text, target, check)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def is_special(target: Path) -> bool:
    """A device or a pipe, which cannot be replaced."""
    return target.exists() and not target.is_file() and not target.is_dir()


def _write_special(text: str | bytes, target: Path, check: Check | None) -> None:
    if check is not None:
        with scratch_folder() as folder:
            copy = folder / "module.py"
            copy.write_bytes(_bytes(text))
            check(copy)
    with target.open("wb") as file:
        file.write(_bytes(text))


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")


def _require_writable(target: Path, shown: Path) -> None:
    """A file that is marked read-only is left alone, even where the directory would allow replacing it. Links that stay
    in a path that was followed lead round in a circle: nothing is behind them."""
    if any(part.is_symlink() for part in (target, *target.parents)):
        raise UsageError(f"cannot write {shown}: its symbolic links lead round in a circle")
    if target.is_dir():
        raise UsageError(f"cannot write {shown}: it is a directory")
    if target.parent.exists() and not target.parent.is_dir():
        raise UsageError(f"cannot write {shown}: {shown.parent} is not a directory")
    if target.exists() and not (target.stat().st_mode & 0o222 and os.access(target, os.W_OK)):
        raise UsageError(f"cannot write {shown}: the file is read-only")


def _replace(text: str | bytes, target: Path, check: Check | None) -> None:
    with scratch_file(target.parent, ".py") as (file, path):
        file.write(_bytes(text))
        file.flush()
        os.fsync(file.fileno())
        if check is not None:
            check(path)
        os.chmod(path, _mode(target))
        os.replace(path, target)


def _mode(target: Path) -> int:
    """The permissions of the file replaced, or those of any new file."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def difference(text: str, path: Path) -> str:
    """A unified diff from the file on disk to the text; empty when they are equal."""
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error.strerror if isinstance(error, OSError) else error}") from error
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), text.splitlines(keepends=True), f"{path} (on disk)", f"{path} (to be written)"
    )
    return "".join(lines)


def replaced(text: str, path: Path) -> str:
    """What to tell where a module is about to take the place of one for another target; empty where it does not."""
    try:
        old = path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""
    before, now = computes_with(old), computes_with(text)
    if before in ("", now):
        return ""
    other = path.with_name(f"{path.stem}_{now}.py")
    return f"{path} was a module for {before}, and is one for {now} now; -o {other} keeps both"


def computes_with(source: str) -> str:
    """The library that a module imports first, above its functions; empty for what imports none."""
    try:
        statements = ast.parse(source.partition("\ndef ")[0]).body
    except (SyntaxError, ValueError):
        return ""
    names = [alias.name.partition(".")[0] for s in statements if isinstance(s, ast.Import) for alias in s.names]
    return names[0] if names else ""
