"""All checks of a photom reference file of MIRI's imager, whoever wrote it.

The pipeline notices few faults. Of those it does not notice, most leave images in DN/s,
uncorrected for time, or wrong by some factor, under ``S_PHOTOM = COMPLETE``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mirical.errors import InputError
from mirical.exports.preflight_file import (
    ERROR,
    PHOTOM,
    TIME_TABLES,
    Finding,
    PhotomFile,
    read_as_it_stands,
)
from mirical.exports.preflight_keywords import KEYWORDS
from mirical.exports.preflight_rows import ROWS
from mirical.exports.preflight_times import TIMES, beyond_the_data, jumps
from mirical.laws.pipeline_throughput import FUNCTIONS

SPAN = (59720.0, 62000.0)
"""Epochs a file is to be used at, unless others are given: to the middle of 2028, MJD in days."""


def preflight(
    path: Path, against: Path | None = None, span: tuple[float, float] = SPAN
) -> list[Finding]:
    """Return everything found wrong with a reference file, errors first.

    Parameters
    ----------
    path : Path
        The file.
    against : Path, optional
        Another one, which its factors should go on from.
    span : (float, float)
        Epochs it is to be used at, MJD in days.

    Raises
    ------
    InputError
        If either is no photom reference file of the imager, or the span has no length.
    """
    if not (np.all(np.isfinite(span)) and span[0] < span[1]):
        raise InputError(
            f"preflight: the span is MJD {span[0]:g} to {span[1]:g}; expected an earlier and a "
            "later epoch."
        )
    file = read_as_it_stands(path, span)
    found = [finding for check in CHECKS for finding in check(file)]
    if against is not None:
        found += jumps(file, read_as_it_stands(against, span))
    return sorted(found, key=lambda finding: finding.severity != ERROR)


def columns(file: PhotomFile) -> list[Finding]:
    """Find tables without their columns, or with others."""
    wanted = {PHOTOM: ("photmjsr", "uncertainty")}
    wanted |= {table: ("t0", *FUNCTIONS[name][0]) for table, name in TIME_TABLES.items()}
    found = []
    for table, numbers in wanted.items():
        if table not in file.tables:
            continue
        expected, got = {"filter", "subarray", *numbers}, set(file.tables[table])
        if expected != got:
            faults = [f"{name} is missing" for name in sorted(expected - got)]
            faults += [f"{name} is none of its columns" for name in sorted(got - expected)]
            sentence = (
                f"{', '.join(faults)}: the pipeline stops with ValueError at every image; expected "
                f"filter, subarray, {', '.join(numbers)}."
            )
            found.append(Finding("wrong-columns", ERROR, table, sentence))
    return found


CHECKS = (*KEYWORDS, columns, *ROWS, *TIMES, beyond_the_data)
"""Everything that is looked at, file by file; each returns its findings."""
