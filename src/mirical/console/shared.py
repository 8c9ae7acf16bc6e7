"""Exit statuses, consoles, notes and written tables, shared by all commands."""

from __future__ import annotations

from argparse import ArgumentTypeError, _ActionsContainer
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mirical.console.manner import consoles
from mirical.interrupts import INTERRUPTED

if TYPE_CHECKING:
    from astropy.table import Table
    from rich.console import Console

    from mirical.calibration.calibration import Calibration

__all__ = ["INTERRUPTED", "consoles"]

SUCCESS, NOT_BELIEVABLE, USER_MISTAKE, ALARM = 0, 1, 2, 3

STATUSES = {
    SUCCESS: "success",
    NOT_BELIEVABLE: "done, but the result needs attention: not to be believed, or a check fires",
    USER_MISTAKE: "a mistake in what was given, told in one sentence; nothing is written",
    ALARM: "the calibration that is monitored no longer holds",
    INTERRUPTED: "interrupted; what there was to keep is kept, and the message says where",
}
"""What every exit status means; scripts may rely on it."""


def print_notes(sentences: Iterable[str], cautions: Console) -> None:
    """Print what a user should know of an answer, a line each."""
    for sentence in sentences:
        cautions.print(f"note: {sentence}", soft_wrap=True, markup=False)


CSV = ".csv"
TABLES = ".ecsv", CSV
"""Endings of the names of tables that are written."""


def write_table(table: Table, path: Path) -> None:
    """Write a table, whole or not at all: as CSV where its name ends so, else as ECSV."""
    from mirical.console.csv_tables import write_csv
    from mirical.storage.files import whole_file
    from mirical.tables.formats import write_ecsv

    with whole_file(path) as beside:
        (write_csv if path.suffix.lower() == CSV else write_ecsv)(table, beside)


EPOCHS = "MJD in days, or a UTC date such as 2026-03-01 or 2026-03-01T12:00"
"""What `epoch` reads, as helps list it."""


def leave_asdf_out() -> None:
    """Keep Astropy's tables from loading ASDF, a format that no command reads tables in.

    It takes a tenth of a second, a tenth of the time in which a stored run answers.
    """
    from astropy.utils.compat import optional_deps

    optional_deps.HAS_ASDF_ASTROPY = False


def epoch(text: str) -> float:
    """Return an option's epoch as MJD: a number (of days, MJD or JD), or a date in UTC.

    Raises
    ------
    ArgumentTypeError
        If it is neither: the mistake is the option's.
    """
    leave_asdf_out()  # options are read before the command line itself does it
    from mirical.errors import InputError
    from mirical.tables.quantities import epoch_of

    try:
        return epoch_of(text, "the epoch")
    except InputError as error:
        raise ArgumentTypeError(str(error)) from error


def status_of(*calibrations: Calibration) -> int:
    """Return the exit status of an answer: 1 if it rests on a run that must not be believed."""
    return SUCCESS if all(one.believable for one in calibrations) else NOT_BELIEVABLE


def add_instrument(parser: _ActionsContainer) -> None:
    """Add the option that names an instrument."""
    parser.add_argument(
        "--instrument", metavar="CARD", default="miri", help="shipped card, or a folder [miri]"
    )


def study_status(run: str, sound: bool, cautions: Console) -> int:
    """Return the exit status of a study of a run, which is 1 too if the run is not believed."""
    from mirical.calibration.calibration import UNBELIEVABLE
    from mirical.calibration.store import open_calibration

    believable = open_calibration(run).believable
    if not believable:
        cautions.print(f"note: {UNBELIEVABLE}", soft_wrap=True, markup=False)
    return SUCCESS if sound and believable else NOT_BELIEVABLE
