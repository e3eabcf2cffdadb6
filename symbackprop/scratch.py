"""Files and folders that are there only while something is written or checked; the next run sweeps a killed one's.

Each is locked while it is in use, and a lock ends with its process, however that ends: what can be locked is litter.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # no POSIX: nothing is swept there
    fcntl = None  # type: ignore[assignment]

PREFIX = ".symbackprop-"
SETTLED = 1.0  # seconds after which a file that somebody has just made is surely locked


@contextlib.contextmanager
def scratch_file(folder: Path, suffix: str) -> Iterator[tuple[IO[bytes], Path]]:
    """A new file in a folder, open for writing, and its path; what the block has not moved away is removed."""
    _sweep(folder)
    _sweep(Path(tempfile.gettempdir()))
    handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=suffix, dir=folder)
    try:
        _lock(handle)
        with os.fdopen(handle, "wb") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder among the temporary files of the system, removed after the block."""
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        handle = os.open(name, os.O_RDONLY) if fcntl else None
        try:
            if handle is not None:
                _lock(handle)
            yield Path(name)
        finally:
            if handle is not None:
                os.close(handle)


def _lock(handle: int) -> bool:
    """Whether an open file or folder, which nobody else holds, is now ours."""
    if not fcntl:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove our own files and folders there that no process holds."""
    with contextlib.suppress(OSError):  # a folder that cannot be listed
        for path in list(folder.glob(f"{PREFIX}*")) if fcntl else ():
            with contextlib.suppress(OSError):  # somebody else's, or gone
                _remove_litter(path)


def _remove_litter(path: Path) -> None:
    about = path.lstat()
    if about.st_uid != os.getuid() or time.time() - about.st_mtime < SETTLED:
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _lock(handle):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
    finally:
        os.close(handle)
