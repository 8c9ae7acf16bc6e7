"""Observing program: which star is observed in which band and subarray, and when.

Stars, subarrays and bands are those of the paper's Tables 1-3
(``data/programs.ecsv``, whose repaired rows are marked there); seasons and
numbers of visits are in ``data/epochs.ecsv``, with what each rests on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table
from numpy.typing import NDArray

from mirical.randomness import generator
from mirical.storage.shipped import data_file

SEQUENCES: dict[str, tuple[str, ...]] = {
    "1533": ("FULL", "BRIGHTSKY", "SUB256", "SUB128", "SUB64"),
    "4488": ("FULL", "BRIGHTSKY", "SUB256", "SUB64", "SUB128", "SUB64", "FULL"),
}
"""Back-to-back subarrays of the dedicated programs, in order (section 3.3).

The paper says that FULL began and ended the second one and that SUB64 was
repeated; the order of the others is invented.
"""

EXPOSURE_SPACING = 0.004
"""Days from one exposure of a visit to the next: six minutes."""

_MONTHLY_JITTER = 3.0  # days: how far the scheduler moves one of several regular visits


class Visit(NamedTuple):
    """One visit: its epoch [MJD] and the (subarray, band) of its exposures in order."""

    epoch: float
    exposures: list[tuple[str, str]]


def observing_program(seed: int) -> QTable:
    """Return the exposures of the whole program.

    Parameters
    ----------
    seed : int
        Fixes where in its season each visit falls.

    Returns
    -------
    QTable
        One row an exposure: ``name``, ``PID``, ``srctype``, ``filter``,
        ``subarray``, ``time`` [d, MJD], ``visit``. All rows of a star within
        one visit share its id and lie minutes apart.
    """
    programs = Table.read(data_file("programs"), format="ascii.ecsv")
    seasons = Table.read(data_file("epochs"), format="ascii.ecsv").filled("")  # blank: any
    random = generator(seed, "epochs")
    records = []
    for name, pid in dict.fromkeys(zip(programs["name"], programs["PID"], strict=True)):
        lines = programs[(programs["name"] == name) & (programs["PID"] == pid)]
        planned = sorted(_visits(lines, _seasons(seasons, name, pid), random))
        for number, visit in enumerate(planned, start=1):
            for k, (subarray, band) in enumerate(visit.exposures):
                time = round(visit.epoch + k * EXPOSURE_SPACING, 4)
                row = (name, pid, lines["srctype"][0], band, subarray, time)
                records.append((*map(str, row[:5]), time, f"{pid}-{number:02d}"))
    names = ("name", "PID", "srctype", "filter", "subarray", "time", "visit")
    return QTable(rows=records, names=names, units={"time": u.d})


def _seasons(seasons: Table, name: str, pid: str) -> Table:
    """Return a star's own lines for a program, or else the program's."""
    of_program = seasons[seasons["PID"] == pid]
    own = of_program[of_program["name"] == name]
    return own if len(own) else of_program[of_program["name"] == ""]


def _visits(lines: Table, seasons: Table, random: np.random.Generator) -> Iterator[Visit]:
    pairs = [
        (str(line["subarray"]), band) for line in lines for band in str(line["filters"]).split()
    ]
    order = SEQUENCES.get(str(lines["PID"][0]))
    if order is not None:
        pairs = [pair for subarray in order for pair in pairs if pair[0] == subarray]
    for season in seasons:
        bands = str(season["filters"]).split()
        exposures = [
            (subarray, band)
            for subarray, band in pairs
            if season["subarray"] in ("", subarray) and (not bands or band in bands)
        ]
        for epoch in _epochs(season, random):
            yield Visit(float(epoch), exposures)


def _epochs(season: Table.Row, random: np.random.Generator) -> NDArray[np.float64]:
    first, last, n = season["first"], season["last"], season["visits"]
    if n == 1:
        return random.uniform(first, last, 1)
    spacing = (last - first) / (n - 1)
    jitter = min(_MONTHLY_JITTER, spacing / 4)
    return np.linspace(first, last, n) + random.uniform(-jitter, jitter, n)
