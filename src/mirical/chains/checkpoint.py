"""Checkpoint of running chains: one SQLite file, from which the same command goes on.

A transaction is in the file whole or not at all, whatever ends the process or the machine. The
lock on the file tells a second run that the first one is at work.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mirical.errors import InputError, reason_of
from mirical.interrupts import uninterrupted

_TABLES = """
CREATE TABLE IF NOT EXISTS identity (part TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS states (
    chain INTEGER PRIMARY KEY, warmups INTEGER NOT NULL, steps INTEGER NOT NULL,
    draws INTEGER NOT NULL, content BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    chain INTEGER, number INTEGER, content BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (chain, number));
"""
_DAMAGED = sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR
_IN_USE = sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED


class State(NamedTuple):
    """Where a chain is: how often warmed up again, steps and draws since then, and its state."""

    warmups: int
    steps: int
    draws: int
    content: bytes


class Block(NamedTuple):
    """Draws of a block of steps, numbered from the last warm-up's beginning."""

    chain: int
    number: int
    content: bytes


class _DamagedError(Exception):
    """What is in the file cannot be what was written."""


def checkpoint_of(folder: Path) -> Path:
    """Return where the checkpoint of a run's folder lies: beside it, inside if that cannot be."""
    target = Path(os.path.realpath(folder))
    beside = target.with_name(f"{target.name or 'folder'}.unfinished")
    if target.is_dir() and not os.access(target.parent, os.W_OK):
        return target / beside.name
    return beside


@dataclass
class Checkpoint:
    """An open checkpoint.

    Attributes
    ----------
    path : Path
        The file.
    states : dict of {int : State}
        By chain, as last kept.
    """

    path: Path
    states: dict[int, State]
    _file: sqlite3.Connection
    _tell: Callable[[str], None]
    _writable: bool = True

    @classmethod
    def open(
        cls, path: Path, out: Path, identity: Mapping[str, str], tell: Callable[[str], None]
    ) -> Checkpoint | None:
        """Open or make the checkpoint of a run; None where there cannot be one.

        Parameters
        ----------
        path : Path
            The file.
        out : Path
            The run's folder.
        identity : dict of {str : str}
            What the draws depend on, by its name. What is kept of another run is dropped.
        tell : callable
            Told why what is kept cannot be used, or why nothing can be kept.

        Raises
        ------
        InputError
            If another run has it open.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return cls._opened(path, identity, tell)
            except (_DamagedError, sqlite3.DatabaseError) as error:
                if isinstance(error, sqlite3.Error) and _code(error) not in _DAMAGED:
                    raise
                tell(f"{path}: is damaged, so its draws cannot be used; the run starts anew.")
            for left in (_journal(path), path):
                left.unlink(missing_ok=True)
            return cls._opened(path, identity, tell)
        except sqlite3.Error as error:
            if _code(error) in _IN_USE:
                raise InputError(
                    f"{out}: another mirical run is writing there ({path} is in use); wait for it "
                    "or choose another --out."
                ) from None
            reason = str(error)
            with suppress(OSError):  # made, but there was no room for anything in it
                if not path.stat().st_size:
                    path.unlink()
        except OSError as error:
            reason = reason_of(error)
        tell(
            f"{path}: cannot be written ({reason}); if the run is interrupted, its draws are lost."
        )
        return None

    @classmethod
    def _opened(
        cls, path: Path, identity: Mapping[str, str], tell: Callable[[str], None]
    ) -> Checkpoint:
        file = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            for setting in ("locking_mode=EXCLUSIVE", "journal_mode=DELETE", "synchronous=full"):
                file.execute(f"PRAGMA {setting}")
            file.execute("BEGIN EXCLUSIVE")
            for statement in _TABLES.split(";"):
                file.execute(statement)
            kept = dict(file.execute("SELECT part, value FROM identity"))
            changed = [part for part in identity if kept.get(part) != identity[part]]
            if kept and changed:
                tell(
                    f"{path}: its draws cannot be used, for the {' and the '.join(changed)} "
                    "changed; the run starts anew."
                )
            if changed:
                for table in ("identity", "states", "blocks"):
                    file.execute(f"DELETE FROM {table}")
                file.executemany("INSERT INTO identity VALUES (?, ?)", identity.items())
            states = dict(_states(file))
            for _ in _blocks(file):  # damaged ones are found before the work
                pass
            file.execute("COMMIT")
        except BaseException:
            file.close()
            raise
        return cls(path, states, file, tell)

    @property
    def holds(self) -> bool:
        """Whether there is anything that need not be made again."""
        return any(state.steps for state in self.states.values())

    @property
    def amount(self) -> str:
        """How much every chain holds."""
        draws = min(state.draws for state in self.states.values())
        steps = min(state.steps for state in self.states.values())
        much = f"{draws} draws" if draws else f"{steps} steps of warm-up"
        return f"{much} a chain"

    def blocks(self, chain: int) -> Iterator[bytes]:
        """Yield the kept blocks of a chain in their order."""
        yield from _blocks(self._file, chain)

    def save(
        self, states: Mapping[int, State], blocks: Sequence[Block], *, anew: bool = False
    ) -> None:
        """Keep the newest states, and blocks of draws that were made since; all or nothing.

        Where there is no room any more, what was kept until then stays, and one sentence says so.

        Parameters
        ----------
        states : dict of {int : State}
            By chain.
        blocks : sequence of Block
            Draws.
        anew : bool, optional
            Whether earlier blocks are dropped.
        """
        if not self._writable:
            return
        try:
            with uninterrupted():
                self._write(states, blocks, anew=anew)
            self.states = {**self.states, **states}
        except sqlite3.Error as error:
            self._writable = False
            with suppress(sqlite3.Error):
                self._file.execute("ROLLBACK")
            self._tell(
                f"{self.path}: cannot be written any more ({error}); if the run is interrupted, "
                "draws made from now on are lost."
            )

    def _write(self, states: Mapping[int, State], blocks: Sequence[Block], *, anew: bool) -> None:
        self._file.execute("BEGIN")
        if anew:
            self._file.execute("DELETE FROM blocks")
        self._file.executemany(
            "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)",
            [(*block, zlib.crc32(block.content)) for block in blocks],
        )
        self._file.executemany(
            "INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?, ?)",
            [(chain, *state, zlib.crc32(state.content)) for chain, state in states.items()],
        )
        self._file.execute("COMMIT")

    def close(self) -> None:
        """Leave the file to the next command."""
        self._file.close()

    def remove(self) -> None:
        """Remove the file: its run is written, or nothing is in it."""
        with uninterrupted():
            # While the lock is held: nobody else's file of that name is removed.
            with suppress(sqlite3.Error):
                self._file.execute("PRAGMA journal_mode=MEMORY")
            # Some releases of SQLite leave the journal of a connection with an exclusive lock.
            for left in (_journal(self.path), self.path):
                left.unlink(missing_ok=True)
            self._file.close()


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def _states(file: sqlite3.Connection) -> Iterator[tuple[int, State]]:
    for chain, warmups, steps, draws, content, checksum in file.execute("SELECT * FROM states"):
        yield chain, State(warmups, steps, draws, _checked(content, checksum))


def _blocks(file: sqlite3.Connection, chain: int | None = None) -> Iterator[bytes]:
    select = "SELECT content, checksum FROM blocks WHERE chain = ifnull(?, chain) ORDER BY number"
    for content, checksum in file.execute(select, (chain,)):
        yield _checked(content, checksum)


def _checked(content: bytes, checksum: int) -> bytes:
    if not isinstance(content, bytes) or zlib.crc32(content) != checksum:
        raise _DamagedError
    return content


def _code(error: sqlite3.Error) -> int:
    """Return the primary code of an SQLite error; that of a plain one where it has none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
