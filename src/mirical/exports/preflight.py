"""What is wrong with a photom reference file of MIRI's imager, ours or anybody's.

The pipeline notices few faults. Of those it does not notice, most leave images in DN/s,
uncorrected for time, or wrong by some factor, under ``S_PHOTOM = COMPLETE``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mirical.conventions import PIXEL_SOLID_ANGLE
from mirical.errors import InputError
from mirical.exports.preflight_epochs import beyond_the_data, jumps
from mirical.exports.preflight_file import (
    ERROR,
    PHOTOM,
    TIME_TABLES,
    WARNING,
    Finding,
    PhotomFile,
    read_as_it_stands,
)
from mirical.exports.preflight_rows import ROWS
from mirical.exports.preflight_times import TIMES
from mirical.model.throughput import FUNCTIONS

SPAN = (59720.0, 62000.0)
"""Epochs a file is to be used at, unless others are given: to the middle of 2028, MJD in days."""

_DEMANDED = ("DESCRIP", "REFTYPE", "AUTHOR", "PEDIGREE", "USEAFTER", "INSTRUME")
_EXPECTED = {
    "INSTRUME": "MIRI",
    "DETECTOR": "MIRIMAGE",
    "REFTYPE": "PHOTOM",
    "TELESCOP": "JWST",
}
_EXPOSURES = {"MIR_IMAGE", "MIR_4QPM", "MIR_LYOT", "MIR_TACQ", "MIR_TACONFIRM", "MIR_CORONCAL"}
_MODEL = "MirImgPhotomModel"
_AREAS = {"PIXAR_SR": "sr", "PIXAR_A2": "arcsec2"}
_AREA_TOLERANCE = 0.005


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


def keywords(file: PhotomFile) -> list[Finding]:
    """Find keywords of the header that are missing or wrong."""
    header = file.header
    found = [
        Finding(
            "missing-keyword",
            ERROR,
            keyword,
            f"{keyword} is missing: the pipeline stops with ValueError at every image; add it.",
        )
        for keyword in _DEMANDED
        if keyword not in header
    ]
    elsewhere = "the pipeline does not look, CRDS files it among other files"
    for keyword, expected in _EXPECTED.items():
        got = str(header.get(keyword, expected)).strip()
        if got.upper() != expected:
            sentence = f"{keyword} is {got!r}: {elsewhere}; expected {expected}."
            found.append(Finding("wrong-keyword", ERROR, keyword, sentence))
    for keyword in ("EXP_TYPE", "P_EXP_TY"):
        given = {one.strip().upper() for one in str(header.get(keyword, "ANY")).split("|")}
        if not given & (_EXPOSURES | {"ANY", "N/A"}):
            sentence = (
                f"{keyword} is {header[keyword]!r}: {elsewhere}, for exposures of another kind; "
                "expected MIR_IMAGE among them."
            )
            found.append(Finding("wrong-keyword", ERROR, keyword, sentence))
    if header.get("DATAMODL") != _MODEL:
        sentence = (
            f"DATAMODL is {header.get('DATAMODL', 'missing')}: the pipeline opens the file as "
            f"something else and stops at every image; expected {_MODEL}."
        )
        found.append(Finding("wrong-model", ERROR, "DATAMODL", sentence))
    return found


def pixel_area(file: PhotomFile) -> list[Finding]:
    """Find solid angles of a pixel that are missing or another instrument's."""
    found = []
    for keyword, unit in _AREAS.items():
        expected, got = float(PIXEL_SOLID_ANGLE.to_value(unit)), file.header.get(keyword)
        if not isinstance(got, int | float):
            sentence = (
                f"{keyword} is missing: without a file of pixel areas, images get no solid angle "
                f"and cannot be summed to Jy; expected {expected:.6g} {unit}."
            )
            found.append(Finding("no-pixel-area", WARNING, keyword, sentence))
        elif not abs(got / expected - 1) < _AREA_TOLERANCE:
            sentence = (
                f"{keyword} is {got:.6g} {unit}: without a file of pixel areas, images get it, and "
                f"fluxes in Jy are {got / expected:.3g} times what they should be; expected "
                f"{expected:.6g}."
            )
            found.append(Finding("wrong-pixel-area", ERROR, keyword, sentence))
    return found


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


CHECKS = (keywords, pixel_area, columns, *ROWS, *TIMES, beyond_the_data)
"""Everything that is looked at, file by file; each returns its findings."""
