"""Output files and folders: checked before the work, then written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from mirical.errors import InputError, reason_of
from mirical.interrupts import uninterrupted
from mirical.storage.atomic_writes import Hidden, files_in, put_in_place, settle, write_list
from mirical.storage.journal import Folder, Move

__all__ = [
    "Unwritable",
    "beside",
    "check_outputs",
    "keeping",
    "settle",
    "together",
    "whole_file",
    "whole_folder",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Unwritable(InputError):
    """An output that cannot be written, found while it was.

    Parameters
    ----------
    path : Path
        The output.
    error : OSError
        What the system says; ``reason`` in its words.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        # Libraries pass the system's words on without its number.
        self.reason = re.sub(r"^\[Errno \d+\] ", "", reason_of(error))
        remedy = "choose another path."
        if error.errno in _FULL or self.reason in map(os.strerror, _FULL):
            remedy = "what stood there is as it was: make room, or choose another path."
        super().__init__(f"{path}: cannot be written ({self.reason}); {remedy}")


class _Outputs:
    """What one command writes, on its way."""

    def __init__(self) -> None:
        self.hidden: list[Hidden] = []
        self.moves: list[Move] = []
        self.folders: list[tuple[Path, Path, tuple[str, ...]]] = []
        self.copies: list[tuple[Path, Path]] = []

    def place(self, parent: Path) -> Path:
        """Return a hidden folder on the file system of a place."""
        self.hidden.append(Hidden(parent))
        return self.hidden[-1].path

    def inside(self, path: Path) -> Path | None:
        """Return where a path is made if it lies in a folder that is being made, else None."""
        if any(one.path in path.parents for one in self.hidden):
            return path
        for staged, target, _ in self.folders:
            if target in path.parents:
                return staged / path.relative_to(target)
        return None

    def asked(self, path: Path) -> Path:
        """Return the place of a path in a folder that is being made, another as it is."""
        for staged, target, _ in self.folders:
            if staged in path.parents:
                return target / path.relative_to(staged)
        return path

    def file(self, staged: Path, target: Path) -> None:
        """Take note of a file that is whole."""
        if target.exists() and not target.is_file():
            self.copies.append((staged, target))  # a device or a pipe is not replaced
        else:
            self._move(staged, target)

    def folder(self, staged: Path, target: Path) -> None:
        """Take note of a folder that is whole."""
        self._move(staged, target)

    def _move(self, staged: Path, target: Path) -> None:
        self.moves.append(Move(str(staged), str(target), os.lstat(staged).st_ino))

    def put_in_place(self) -> None:
        """Let everything appear, or nothing."""
        if self.moves:
            made = [(one, other, former, files_in(one)) for one, other, former in self.folders]
            folders = [Folder(str(one), str(other), *rest) for one, other, *rest in made]
            try:
                put_in_place(self.moves, folders, self.hidden)
            except OSError as error:
                place = Path(error.filename or self.moves[0].target)
                raise Unwritable(place, error) from error
        for staged, target in self.copies:
            with _refusing(target), staged.open("rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)

    def remove(self) -> None:
        """Remove the hidden folders; the first one last, as its journal holds for all."""
        with uninterrupted():
            for hidden in reversed(self.hidden):
                hidden.remove()


_outputs: ContextVar[_Outputs | None] = ContextVar("outputs", default=None)


@contextmanager
def together() -> Iterator[_Outputs]:
    """Let all files and folders that are written inside appear at the end, or none of them.

    Raises
    ------
    InputError
        If one of them cannot be put in its place; the others are then taken back.
    """
    outer = _outputs.get()
    if outer is not None:
        yield outer
        return
    outputs = _Outputs()
    token = _outputs.set(outputs)
    try:
        yield outputs
        outputs.put_in_place()
    finally:
        _outputs.reset(token)
        outputs.remove()


@contextmanager
def whole_folder(
    folder: Path, *, former: tuple[str, ...] = (), listed: bool = False
) -> Iterator[Path]:
    """Give an empty folder to write files into; it takes the place of `folder` once it is whole.

    The exchange is one step, so that nobody ever sees files of two commands mixed. What an earlier
    command wrote there, by its list or by `former`, is gone afterwards; all else is still there,
    unless a file of the same name was written.

    Parameters
    ----------
    folder : Path
        Where the files shall end up; made if it does not exist.
    former : tuple of str, optional
        Patterns of what earlier commands may have written there under other names.
    listed : bool, optional
        Whether a list of the files (`staging.LIST`) is written into the folder, by which the next
        command tells them from what a user puts there.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with together() as outputs, _refusing(folder):
        target = Path(os.path.realpath(folder))
        if target.exists() and not target.is_dir():
            raise InputError(f"{folder}: is a file; choose another --out, a folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        inside = outputs.inside(target)
        if inside is not None:
            inside.mkdir(parents=True, exist_ok=True)
            yield inside
            return
        staged = outputs.place(beside(target)) / (target.name or "folder")
        staged.mkdir()
        if target.is_dir():
            shutil.copymode(target, staged)
        outputs.folders.append((staged, target, former))
        yield staged
        if listed:
            write_list(staged)
        outputs.folder(staged, target)


@contextmanager
def whole_file(path: Path, suffix: str = "") -> Iterator[Path]:
    """Give a path of the same name to write to; the file appears at `path` once it is whole.

    Parameters
    ----------
    path : Path
        Where the file shall end up; its folder is made if it does not exist. A link stays one,
        and the file it names is written; so are devices and pipes.
    suffix : str, optional
        What its name must end with, where the format's readers go by it.

    Raises
    ------
    InputError
        If it cannot be written, or its name ends otherwise.
    """
    if not path.name.endswith(suffix):
        raise InputError(f"{path}: expected a file name that ends with {suffix}.")
    with together() as outputs, _refusing(outputs.asked(path)):
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise InputError(f"{path}: is a folder; give the name of a file to write.")
        inside = outputs.inside(target)
        if inside is not None:
            inside.parent.mkdir(parents=True, exist_ok=True)
            yield inside
            return
        if target.exists() and not target.is_file():
            target, parent = path, Path(os.path.realpath(os.curdir))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            parent = target.parent
        staged = outputs.place(parent) / path.name
        yield staged
        outputs.file(staged, target)


_keeping: ContextVar[bool] = ContextVar("keeping", default=False)


@contextmanager
def keeping(stays: bool = True) -> Iterator[None]:
    """Let `check_outputs` refuse inside, or not, what would replace something that stands there."""
    token = _keeping.set(stays)
    try:
        yield
    finally:
        _keeping.reset(token)


def check_outputs(
    files: Iterable[Path | None] = (),
    folders: Iterable[Path | None] = (),
    inputs: Iterable[Path | None] = (),
    parents: bool = False,
    renewed: bool = False,
) -> None:
    """Refuse outputs that could not be written, or not without loss, before the work.

    It makes nothing.

    Parameters
    ----------
    files, folders : iterable of Path or None
        What a command will write; None where it was not asked for.
    inputs : iterable of Path or None
        What it reads, and therefore may not write.
    parents : bool, optional
        Whether the folders of files are made, as those of folders are, or must exist.
    renewed : bool, optional
        Whether what stands there is a command's own, which it renews or goes on with unasked.

    Raises
    ------
    InputError
        If one of them cannot be written, is an input, is asked for twice, or stands there already
        and is to stay (`keeping`): a file, or a folder that is not empty.
    """
    read = {os.path.realpath(path) for path in inputs if path is not None}
    seen: set[str] = set()
    for path, is_folder in [*((p, False) for p in files), *((p, True) for p in folders)]:
        if path is None:
            continue
        with _refusing(path):
            _check_output(path, is_folder, parents or is_folder)
        place = os.path.realpath(path)
        if place in read:
            raise InputError(f"{path}: is read as input; choose another path to write.")
        if place in seen:
            raise InputError(f"{path}: is asked for twice; choose another path for one of them.")
        seen.add(place)
        if _keeping.get() and not renewed and _stands(Path(place)):
            what = "exists and is not empty" if is_folder else "exists"
            raise InputError(f"{path}: {what}; choose another path, or --overwrite to replace it.")


def _stands(path: Path) -> bool:
    """Return whether something of a user's stands at a path: no device, pipe or empty folder."""
    settle(path)  # what a command was killed over is finished first
    if path.is_dir():
        return any(not one.name.startswith(".") for one in path.iterdir())
    return path.is_file()


def _check_output(path: Path, is_folder: bool, parents: bool) -> None:
    if is_folder and path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; --out needs a folder.")
    if not is_folder and path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file to write.")
    target = Path(os.path.realpath(path))
    if not is_folder and (target.parent.is_dir() and target.exists() and not target.is_file()):
        return  # a device or a pipe
    parent = beside(target) if is_folder else target.parent
    while parents and not os.path.lexists(parent):
        parent = parent.parent
    Hidden(parent).remove()


def beside(target: Path) -> Path:
    """Return where a folder is made: beside its place, or inside where it cannot be exchanged."""
    if target.is_dir():
        here = Path.cwd()
        held = os.path.ismount(target) or target == here or target in here.parents
        if held or not os.access(target.parent, os.W_OK):
            return target
    return target.parent


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unwritable(path, error) from error
