"""Files of the store of compiled functions: private, written whole, the longest unused removed."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

from mirical.storage.disk import lock

LARGEST = 400e6
"""Bytes that the store may take; a run's functions take some ten megabytes."""

_MARK = b"mirical compiled function 1\n"
_ENDING, _TRIAL = ".function", ".trial"
_DAY = 86400.0  # s; no file takes as long to write


def cache_folder() -> Path:
    """Return the folder in which this user's programs keep what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "mirical"


def store_folder() -> Path:
    """Return the folder of the store."""
    return cache_folder() / "functions"


def read(key: str) -> bytes | None:
    """Return what was stored under a key; None if nothing was, or not by this user, or damaged.

    What is read is code: a file that somebody else could have written is not looked at.
    """
    path = store_folder() / f"{key}{_ENDING}"
    try:
        _refuse_others(os.lstat(path.parent))
        _condemn(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            _refuse_others(os.fstat(descriptor))
            mark, digest, said = file.read(len(_MARK)), file.read(32), file.read()
    except OSError:
        return None
    if mark != _MARK or digest != _digest(key, said):
        return None
    with suppress(OSError):
        os.utime(path)  # used last
    return said


def write(key: str, said: bytes) -> None:
    """Store something under a key, and remove what was used longest ago where room is short.

    Raises
    ------
    OSError
        If it cannot be written; nothing is then half-written.
    """
    folder = store_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    _refuse_others(os.lstat(folder))
    _make_room(folder, len(said))
    descriptor, name = tempfile.mkstemp(dir=folder)  # readable by this user alone
    try:
        with open(descriptor, "wb") as file:
            file.write(_MARK + _digest(key, said) + said)
        os.replace(name, folder / f"{key}{_ENDING}")
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def remove(key: str) -> None:
    """Remove what is stored under a key."""
    with suppress(OSError):
        (store_folder() / f"{key}{_ENDING}").unlink()


def begin_trial(key: str) -> Callable[[], None]:
    """Note that what is stored under a key is about to be run; call what is returned when it was.

    If the process ends before, `read` finds the entry guilty and removes it: code that crashes one
    process must not crash the next.
    """
    path = store_folder() / f"{key}{_TRIAL}"
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        held = lock(path)
        if held is not None:  # else another process tries it too
            return partial(_end_trial, path, held)
    return lambda: None


def _end_trial(path: Path, held: int) -> None:
    with suppress(OSError):
        path.unlink()
    os.close(held)


def _condemn(path: Path) -> None:
    """Remove a file whose trial a process began and did not end."""
    trial = path.with_suffix(_TRIAL)
    if trial.exists():
        held = lock(trial)
        if held is not None:
            path.unlink(missing_ok=True)
            _end_trial(trial, held)


def _digest(key: str, said: bytes) -> bytes:
    return sha256(key.encode() + b"\n" + said).digest()


def _refuse_others(of: os.stat_result) -> None:
    """Refuse a link, and what others own or may write.

    Raises
    ------
    PermissionError
        If it is so.
    """
    plain = stat.S_ISREG(of.st_mode) or stat.S_ISDIR(of.st_mode)
    if not plain or of.st_uid != os.geteuid() or of.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError("not this user's own")


def _make_room(folder: Path, size: int) -> None:
    """Remove files used longest ago, and what killed processes have left half-written."""
    entries = []
    for path in folder.iterdir():
        with suppress(OSError):  # removed by another process
            entries.append((path.stat().st_mtime, path.stat().st_size, path))
    entries.sort()
    held = sum(each for _, each, _ in entries)
    for used, each, path in entries:
        unfinished = path.suffix != _ENDING
        if used < time.time() - _DAY if unfinished else held + size > LARGEST:
            held -= each
            with suppress(OSError):
                path.unlink()
