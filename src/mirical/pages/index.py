"""The list of the runs of a folder, as a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mirical.calibration.manifest import read_json
from mirical.conventions import SIMULATED
from mirical.errors import InputError
from mirical.number_text import NOTHING, day
from mirical.pages.page import page_of
from mirical.storage.files import whole_file

INDEX = "index.html"

PAGES = {
    "report.html": "Report",
    "check/check.html": "Check",
    "rivals/rivals.html": "Rival models",
    "comparison/comparison.html": "Comparison",
    "monitor/monitor.html": "Monitor",
    "plan/plan.html": "Plan",
}
"""Pages of a run by where its folder has them, and what they are called."""

_MARK = b'<meta name="generator" content="mirical index">'


@dataclass(frozen=True)
class Listed:
    """A line of the list.

    Attributes
    ----------
    name : str
        The run's.
    pages : tuple of (str, str)
        What each of its pages is called, and its address.
    data, card, photometry, rows, verdict : str
        Whether its rows are simulated; its model and table; days of its first and last row;
        whether it may be used.
    """

    name: str
    pages: tuple[tuple[str, str], ...]
    data: str
    card: str
    photometry: str
    rows: str
    verdict: str


def runs_of(folder: Path) -> list[Path]:
    """Return the folders of runs in a folder, by name."""
    return sorted(path.parent for path in folder.glob("*/report.html"))


def is_index(path: Path) -> bool:
    """Return whether a file is such a list, and not a page of somebody else."""
    try:
        return path.is_file() and _MARK in path.read_bytes()
    except OSError:
        return False


def write_index(folder: Path) -> int:
    """Write the list of the runs of a folder into it; return how many there are.

    Raises
    ------
    InputError
        If the page cannot be written, or would take the place of somebody else's.
    """
    path, listed = folder / INDEX, [_listed(run) for run in runs_of(folder)]
    if path.is_file() and not is_index(path):
        raise InputError(f"{path}: is no list of runs, and is left as it is; move it away first.")
    content = {"attrs": {"simulated": False}, "folder": folder.resolve().name, "runs": listed}
    with whole_file(path) as beside:
        beside.write_text(page_of(INDEX, content), encoding="utf-8")
    return len(listed)


def verdict_of(run: Path) -> dict[str, Any]:
    """Return what a run's folder says of its sampling; nothing where that cannot be read."""
    try:
        return read_json(run / "diagnostics.json")
    except InputError:
        return {}


def _listed(run: Path) -> Listed:
    there = [(called, page) for page, called in PAGES.items() if (run / page).is_file()]
    pages = tuple((called, quote(f"{run.name}/{page}")) for called, page in there)
    found = verdict_of(run)
    of = found.get("of")
    known: dict[str, Any] = of if isinstance(of, dict) else {}
    return Listed(
        run.name,
        pages,
        _either(known.get("simulated"), SIMULATED, "measured"),
        str(known.get("card", NOTHING)),
        str(known.get("photometry", NOTHING)),
        _days(known.get("rows_mjd")),
        _either(found.get("believable"), "may be used", "must not be used"),
    )


def _either(stated: object, yes: str, no: str) -> str:
    """Return a word for what a file states as true or false; a dash where it states neither."""
    if not isinstance(stated, bool):
        return NOTHING
    return yes if stated else no


def _days(ends: object) -> str:
    try:
        first, last = (day(float(end)) for end in ends)  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError):
        return NOTHING
    return f"{first} to {last}"
