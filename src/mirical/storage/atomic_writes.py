"""Atomic writes: hidden folders in which outputs are made, then put in place in one step.

A hidden folder (``.mirical-...``) stands beside what it will become, on the same file system, and
is locked for as long as its process lives. Before anything is moved, a journal of all moves is
written into it. Whoever comes next and finds one that nobody holds finishes the moves if there is
a journal, and removes the folder. So a process may be killed at any moment.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mirical.interrupts import uninterrupted
from mirical.storage.disk import exchange, lock, sync, sync_folder
from mirical.storage.journal import JOURNAL, Folder, Journal, Move

LIST = ".written"
"""File in a folder that a command wrote: the names of what it wrote there, a line each."""

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
_HIDDEN = re.compile(r"\.mirical-(?P<host>[0-9a-f]{6})-\w+\Z")
_DAY = 86400.0  # s; a lock of another machine may not be seen here, but none is held so long


class Hidden:
    """A hidden folder that this process holds.

    Parameters
    ----------
    parent : Path
        Where it is made.

    Raises
    ------
    OSError
        If it cannot be made.
    InputError
        If a killed process left a damaged journal there.
    """

    def __init__(self, parent: Path) -> None:
        sweep(parent)
        while True:
            self.path = Path(tempfile.mkdtemp(dir=parent, prefix=f".mirical-{_HOST}-"))
            self._held = lock(self.path)
            if self.path.exists():  # not taken for a dead one's before it was locked
                return

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def settle(path: Path) -> None:
    """Finish or remove what killed processes have left of a file or folder.

    Raises
    ------
    InputError
        If what is to be finished is not known, as a journal is damaged.
    """
    for place in (path.parent, path):
        sweep(place)


def sweep(place: Path) -> None:
    """Finish or remove the hidden folders of a place that no living process holds.

    Raises
    ------
    InputError
        If the journal of one is damaged.
    """
    with suppress(OSError):  # another's place: what lies there does no harm
        for path in sorted(place.glob(".mirical-*")):
            held = _abandoned(path)
            if held is not None:
                try:
                    _recover(path)
                finally:
                    os.close(held)


def put_in_place(moves: list[Move], folders: list[Folder], hidden: Sequence[Hidden]) -> None:
    """Put everything in its place, or leave everything as it was.

    Parameters
    ----------
    moves : list of Move
        All that was made.
    folders : list of Folder
        Those of it that are folders.
    hidden : sequence of Hidden
        Where it was made.

    Raises
    ------
    OSError
        If one of them cannot be moved; its ``filename`` is the target.
    """
    for move in moves:
        made = Path(move.staged)
        for path in [made / name for name in files_in(made)] if made.is_dir() else [made]:
            sync(path)
    with uninterrupted():
        journal = Journal([one.path for one in hidden], list(moves), folders)
        journal.write()
        _make(journal)
        for move in moves:
            sync_folder(Path(move.target).parent)
        _finish(folders)


def _make(journal: Journal) -> None:
    """Make the moves, and undo them all if one fails."""
    done: list[tuple[Move, bool]] = []
    while len(done) < len(journal.moves):
        move = journal.moves[len(done)]
        free = not os.path.lexists(move.target)
        try:
            if _make_one(journal, len(done)):
                done.append((move, free))
        except OSError as error:
            journal.withdraw()
            _undo(done)
            raise OSError(error.errno, error.strerror, move.target) from error


def _make_one(journal: Journal, number: int) -> bool:
    """Make one move; False if those of a folder's files have replaced it in the journal."""
    move = journal.moves[number]
    if _swap(Path(move.staged), Path(move.target)):
        return True
    # The one way for a mounted folder, or where the file system cannot exchange.
    journal.moves[number : number + 1] = _each_file(move)
    journal.write()
    return False


def _undo(done: Sequence[tuple[Move, bool]]) -> None:
    """Take moves back; those to a place that was free are told."""
    for move, was_free in reversed(done):
        if was_free:
            os.rename(move.target, move.staged)
        else:
            _swap(Path(move.staged), Path(move.target))


def _each_file(move: Move) -> list[Move]:
    """Return the moves of a folder's files instead of the folder's own."""
    found = []
    for name in files_in(Path(move.staged)):
        staged, target = Path(move.staged) / name, Path(move.target) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        found.append(Move(str(staged), str(target), os.lstat(staged).st_ino))
    return found


def _swap(staged: Path, target: Path) -> bool:
    """Exchange what was made with what stands in its place.

    Returns
    -------
    bool
        False if both are folders that cannot be exchanged.
    """
    if not os.path.lexists(target):
        os.rename(staged, target)
    elif not exchange(staged, target):
        if target.is_dir():
            return False
        earlier = staged.with_name(f"{staged.name}.earlier")
        shutil.copy2(target, earlier)
        os.replace(staged, target)
        os.rename(earlier, staged)
    return True


def _finish(folders: Sequence[Folder]) -> None:
    """Bring back what no command wrote, and remove what earlier commands wrote."""
    for folder in folders:
        earlier, target = Path(folder.staged), Path(folder.target)
        if not earlier.is_dir():
            continue
        gone: set[str] = set()
        for place in (earlier, target):
            gone |= _listed(place)
            gone |= {str(path.relative_to(place)) for f in folder.former for path in place.glob(f)}
        gone -= set(folder.new)
        for name in files_in(earlier):
            if name not in gone and not os.path.lexists(target / name):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                os.rename(earlier / name, target / name)
        for name in gone:
            _remove(target, name)


def _remove(folder: Path, name: str) -> None:
    """Remove a file, and the folders that it leaves empty."""
    with suppress(OSError):  # not there, or not empty
        (folder / name).unlink()
        for parent in Path(name).parents:
            if parent != Path():
                (folder / parent).rmdir()


def files_in(folder: Path) -> list[str]:
    """Return the names of all files in a folder, and of the hidden folders that others hold."""
    found = []
    for root, folders, names in os.walk(folder):
        here = Path(root).relative_to(folder)
        hidden = [name for name in folders if _HIDDEN.match(name)]
        links = [name for name in folders if os.path.islink(Path(root, name))]
        folders[:] = [name for name in folders if name not in (*hidden, *links)]
        found += [str(here / name) for name in (*names, *links, *hidden)]
    return found


def _listed(folder: Path) -> set[str]:
    """Return the names of what commands wrote into a folder and its subfolders."""
    found: set[str] = set()
    for name in files_in(folder):
        if Path(name).name == LIST:
            here = Path(name).parent
            found |= {str(here / one) for one in (*_lines(folder / name), LIST)}
    return found


def _lines(path: Path) -> list[str]:
    """Return the names in a list of what was written; none that lead out of the folder."""
    if not path.is_file():
        return []
    names = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    return [n for n in names if n and not n.startswith("/") and ".." not in n.split("/")]


def write_list(folder: Path) -> None:
    """Write the list of what a folder holds."""
    text = "".join(f"{name}\n" for name in sorted(files_in(folder)))
    (folder / LIST).write_bytes(text.encode("utf-8", "surrogateescape"))


def _abandoned(path: Path) -> int | None:
    """Return the lock of a hidden folder of this user's that no living process holds, or None."""
    match = _HIDDEN.match(path.name)
    try:
        status = path.lstat()
        if match is None or status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
            return None
        if match["host"] != _HOST and time.time() - status.st_mtime < _DAY:
            return None
        return lock(path)
    except OSError:  # gone meanwhile
        return None


def _recover(path: Path) -> None:
    """Finish what a journal tells of, if it holds, and remove an abandoned folder."""
    journal = Journal.read(path)
    if journal is not None and (journal.places[0] / JOURNAL).is_file():
        first = journal.places[0]
        held = None if first == path else _abandoned(first)
        if first != path and held is None:
            return  # another process is about it
        try:
            number = 0
            while number < len(journal.moves):
                number += journal.moves[number].done or _make_one(journal, number)
            _finish(journal.folders)
            for place in reversed(journal.places):
                shutil.rmtree(place, ignore_errors=True)
        finally:
            if held is not None:
                os.close(held)
    shutil.rmtree(path, ignore_errors=True)
