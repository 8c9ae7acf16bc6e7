"""Folder of finished results beside an output, each a file named by the hash of its inputs.

``OUT.unfinished/`` stands beside ``OUT`` until that is written whole. A process may be killed at
any moment, and any number may write into the folder at once: a result's file appears whole, and
whoever else does the same task writes the same bytes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import Any

import numpy as np

from mirical.errors import InputError, reading
from mirical.many.tasks import Result, Task
from mirical.storage.atomic_writes import Hidden
from mirical.storage.disk import lock_file
from mirical.storage.files import Unwritable, beside, settle, whole_file

_LOCK = "lock"
_PLAIN = "plain"
_SUFFIX = ".npz"


class Collected(Exception):
    """The folder is gone: the command that collects has ended."""


def encode(result: Result) -> bytes:
    """Return a result as the bytes of its file: arrays, and the rest as JSON."""
    arrays = {name: value for name, value in result.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in result.items() if name not in arrays}
    content = io.BytesIO()
    text = json.dumps(plain, default=_plain)
    np.savez_compressed(content, allow_pickle=False, **arrays, **{_PLAIN: np.array(text)})
    return content.getvalue()


def decode(content: bytes) -> Result:
    """Return the result whose bytes these are.

    Raises
    ------
    InputError
        If they are damaged.
    """
    with reading("result", "NumPy"), np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files if name != _PLAIN}
        plain = json.loads(str(file[_PLAIN]))
    return arrays | plain


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a result holds a {type(value).__name__}, which JSON cannot")


def unfinished(out: Path) -> Path:
    """Return the folder beside an output in which its results are kept until it is written."""
    target = Path(os.path.realpath(out))
    if target.exists() and not (target.is_dir() or target.is_file()):
        target = Path(os.path.realpath(os.curdir)) / target.name  # of a device or a pipe
    return beside(target) / f"{target.name or 'folder'}.unfinished"


class ResultFolder:
    """The results of a command that has not written its output yet.

    Parameters
    ----------
    folder : Path
        As `unfinished` returns it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._number, self._made = 0, False

    @contextmanager
    def held(self, collects: bool) -> Iterator[None]:
        """Make the folder, and hold it for the command that collects.

        Parameters
        ----------
        collects : bool
            False for those that do a share, any number of which may run at once.

        Raises
        ------
        InputError
            If another process holds it, or it cannot be made.
        """
        try:
            descriptor = self._begin(collects)
        except BlockingIOError as error:
            raise InputError(
                f"{self.path}: another process is about the same output; wait for it, or choose "
                "another --out."
            ) from error
        except OSError as error:
            raise Unwritable(self.path, error) from error
        try:
            yield
        finally:
            # One that stood there before may be that of commands which do a share.
            if self._made and not self.keys():
                self.remove()
            if descriptor is not None:
                os.close(descriptor)

    def _begin(self, collects: bool) -> int | None:
        settle(self.path)
        self._made = collects and not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = lock_file(self.path / _LOCK) if collects else None
        self._number = os.stat(self.path).st_ino
        return descriptor

    def load(self, task: Task) -> Result | None:
        """Return the result of a task; None if there is none, or it is damaged."""
        try:
            return decode(self._file(task.key).read_bytes())
        except (OSError, InputError):
            return None

    def save(self, task: Task, content: bytes) -> None:
        """Keep the result of a task.

        Raises
        ------
        Collected
            If the folder is gone.
        InputError
            If it cannot be written.
        """
        self._require()
        try:
            # In a context of its own it does not wait for outputs that are being written.
            Context().run(_write, self._file(task.key), content)
        except InputError:
            self._require()
            raise

    def _require(self) -> None:
        try:
            same = os.stat(self.path).st_ino == self._number
        except OSError:
            same = False
        if not same:
            raise Collected

    def _file(self, key: str) -> Path:
        return self.path / f"{key}{_SUFFIX}"

    def keys(self) -> set[str]:
        """Return the hashes of all tasks whose results are here."""
        return {path.stem for path in self.path.glob(f"*{_SUFFIX}")}

    def count(self, tasks: Sequence[Task]) -> int:
        """Return how many of some tasks have results here."""
        return len(self.keys() & {task.key for task in tasks})

    def remove(self) -> None:
        """Remove the folder in one step, whoever else may be writing into it."""
        with suppress(OSError):
            hidden = Hidden(self.path.parent)
            try:
                os.rename(self.path, hidden.path / self.path.name)
            finally:
                hidden.remove()


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as beside_it:
        beside_it.write_bytes(content)
