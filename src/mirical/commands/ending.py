"""What commands share: exit statuses, consoles, and writing what was asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.errors import InputError

if TYPE_CHECKING:
    from astropy.table import Table
    from rich.console import Console

SUCCESS, NOT_BELIEVABLE, USER_MISTAKE, INTERRUPTED = 0, 1, 2, 130


def consoles() -> tuple[Console, Console]:
    """Return the consoles of results (stdout) and of progress and cautions (stderr)."""
    from rich.console import Console

    # A file or a pipe has no width to crop tables to.
    width = None if sys.stdout.isatty() else 160
    # What is printed holds names and titles of users' tables: none of it is markup.
    return (
        Console(highlight=False, markup=False, emoji=False, width=width),
        Console(highlight=False, markup=False, emoji=False, stderr=True),
    )


def print_notes(sentences: Iterable[str], cautions: Console) -> None:
    """Print what a user should know of an answer, a line each."""
    for sentence in sentences:
        cautions.print(f"note: {sentence}", soft_wrap=True, markup=False)


class Refusing:
    """Turn a file that cannot be written into a user's mistake."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); choose another path."
            ) from error


def write_table(table: Table, path: Path) -> None:
    """Write a table as ECSV, or say that it cannot be written there."""
    from mirical.observations.formats import write_ecsv

    with Refusing(path):
        write_ecsv(table, path)
