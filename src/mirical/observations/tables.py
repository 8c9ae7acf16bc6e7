"""Photometry tables: read in three formats, checked, every row kept.

A table that cannot be used is refused with one sentence; a row that
contradicts itself is flagged, never dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table
from numpy.typing import NDArray

from mirical.bands import assumed_term, find_band, require_readout
from mirical.errors import InputError, did_you_mean
from mirical.observations.columns import COLUMNS
from mirical.observations.flags import FLAGS
from mirical.observations.formats import numbers, read_table, texts
from mirical.observations.visits import visit_starts
from mirical.shipped import data_file, find_file
from mirical.stars import canonical_stars, find_type

_TEXT = ("name", "srctype", "filter", "subarray")
_REQUIRED = ("time", "iflux", "ifluxunc")
_OPTIONAL = tuple(
    name for name, column in COLUMNS.items() if column.unit is not None and name not in _REQUIRED
)
_UNIT_MAY_BE_MISSING = ("time", "inttime")  # a bare number there can only mean MJD, seconds
_CONTRADICTION = 0.30  # the largest loss (22 %) and subarray term (3.4 %) together stay below


EMBEDDED: tuple[str, ...] = ("table5", "program", "sbc_design")
"""Photometry tables that come with mirical, by name."""


@dataclass(frozen=True)
class Observations:
    """A checked photometry table.

    Attributes
    ----------
    table : QTable
        One row per input row in input order: ``row`` (1-based), ``name``,
        ``PID``, ``srctype``, ``filter``, ``subarray`` (canonical spellings),
        ``time`` [d, MJD], ``iflux``, ``ifluxunc`` [DN/s], ``visit``, ``flag``,
        ``reason`` (the file's own words for a flag) and whichever optional columns the input has.
    source : str
        File name or embedded name, as messages and the report call it.
    data_hash : str
        SHA-256 of the file's bytes.
    simulated : bool
        Whether the file says of itself that it is simulated.
    measured_in : dict of {str : list of float}
        Radii r_a, r_b1, r_b2 in pixels by band, where the file says what it was measured in.
    """

    table: QTable
    source: str
    data_hash: str
    simulated: bool
    measured_in: Mapping[str, Sequence[float]] = field(default_factory=dict)


def load_photometry(name: str, where: str, beside: Path | None = None) -> Observations:
    """Read and check an embedded table (``table5``) or a file.

    Parameters
    ----------
    name : str
        ``"table5"`` or a path to an ECSV, machine-readable (MRT) or FITS table.
    where : str
        Who asks; begins the sentence if there is no such file.
    beside : Path, optional
        Folder a relative path is tried in first.

    Raises
    ------
    InputError
        If the file is missing or unreadable, lacks a column, has a wrong
        unit, or holds an entry that cannot be used; names row and column.
    """
    if name in EMBEDDED:
        return _check(data_file(name), name)
    path = find_file(name, beside)
    if path is not None:
        return _check(path, path.name)
    raise InputError(
        f"{where}: photometry file {name!r} does not exist; "
        "give a path to a table, or 'table5' for the embedded rows."
    )


def _check(path: Path, source: str) -> Observations:
    raw = read_table(path)
    if len(raw) == 0:
        raise InputError(f"{source}: the table has no rows.")
    table = QTable({"row": np.arange(1, len(raw) + 1)})
    stated = _stated_flags(raw, source)
    for column in _TEXT:
        table[column] = _text(raw, column, source, stated)
    table["PID"] = texts(raw["PID"]) if "PID" in raw.colnames else ""
    for column in _REQUIRED:
        table[column] = _number(raw, column, source)
    for column in _OPTIONAL:
        if column in raw.colnames:
            table[column] = _number(raw, column, source)
    _canonicalise(table, source)
    table["flag"] = stated
    _refuse_impossible(table, source)
    table["visit"] = _visits(raw, table)
    table["reason"] = _own_reasons(raw)
    table["flag"] = [flag or found for flag, found in zip(stated, _flags(table), strict=True)]
    meta = {str(key).casefold(): value for key, value in raw.meta.items()}
    return Observations(
        table=table,
        source=source,
        data_hash=hashlib.sha256(path.read_bytes()).hexdigest(),
        simulated=bool(meta.get("simulated", False)),
        measured_in=dict(meta.get("apertures_pix", {})),
    )


def _stated_flags(raw: Table, source: str) -> list[str]:
    """Return the flags the table brings along: its rows are kept, and stay unfitted."""
    stated = texts(raw["flag"]) if "flag" in raw.colnames else [""] * len(raw)
    for row, flag in enumerate(stated, start=1):
        if flag not in FLAGS:
            raise InputError(
                f"{source} row {row}: flag {flag!r} is unknown"
                f"{did_you_mean(flag, filter(None, FLAGS))} Leave it blank for a row to be fitted."
            )
    return stated


def _own_reasons(raw: Table) -> list[str]:
    """Return the table's words for its flags, with the file each row came from."""
    columns = (
        raw[name] if name in raw.colnames else [""] * len(raw) for name in ("file", "reason")
    )
    return [
        ": ".join(filter(None, (file, reason))) if reason else ""
        for file, reason in zip(*map(texts, columns), strict=True)
    ]


def _text(raw: Table, column: str, source: str, flags: list[str]) -> list[str]:
    if column not in raw.colnames:
        raise InputError(
            f"{source}: column {column!r} is missing; "
            f"expected the columns {', '.join((*_TEXT, *_REQUIRED))}."
        )
    entries = texts(raw[column])
    for row, (entry, flag) in enumerate(zip(entries, flags, strict=True), start=1):
        if entry or flag:  # nobody needs what a flagged row does not know
            continue
        raise InputError(f"{source} row {row}: column {column!r} is blank; every row needs it.")
    return entries


def _number(raw: Table, column: str, source: str) -> u.Quantity:
    unit = COLUMNS[column].unit
    if column not in raw.colnames:
        raise InputError(f"{source}: column {column!r} is missing; expected it in {unit}.")
    bare = unit if column in _UNIT_MAY_BE_MISSING else None
    return numbers(raw[column], unit, source, bare)


def _canonicalise(table: QTable, source: str) -> None:
    rows = range(1, len(table) + 1)
    names, types, bands, subarrays = (list(map(str, table[column])) for column in _TEXT)
    # Blank entries are those of flagged rows, and none of anybody's business.
    for band, subarray, row in zip(bands, subarrays, rows, strict=True):
        if band:
            find_band(band, f"{source} row {row}")
        if subarray:
            assumed_term(subarray, f"{source} row {row}")
    names = canonical_stars(names)
    types = [
        find_type(kind, f"{source} row {r}") if kind else ""
        for kind, r in zip(types, rows, strict=True)
    ]
    table["name"], table["srctype"] = names, types
    kinds: dict[str, str] = {}
    for name, kind, row in zip(names, types, rows, strict=True):
        if name and kind and kinds.setdefault(name, kind) != kind:
            raise InputError(
                f"{source} row {row}: star {name!r} is a {kind} here and a {kinds[name]} above; "
                "give one srctype per star."
            )


def _refuse_impossible(table: QTable, source: str) -> None:
    for row in table["row", "filter", "subarray", "flag"].iterrows():
        number, band, subarray, flag = row
        if not flag:  # what a flagged row says of itself may be wrong: it is not fitted
            require_readout(str(band), str(subarray), f"{source} row {number}")
    positive = [c for c in ("iflux", "ifluxunc", "model_flux") if c in table.colnames]
    for column in positive:
        _refuse_where(table, column, table[column].value <= 0, "a positive number", source)
    if "model_flux_unc" in table.colnames:
        negative = table["model_flux_unc"].value < 0
        _refuse_where(table, "model_flux_unc", negative, "zero or a positive number", source)
    mjd = table["time"].value
    # JWST's launch, and a date no standard star will be observed at: catches JD and ISO years.
    unlikely = (mjd < 59573) | (mjd > 70000)
    _refuse_where(table, "time", unlikely, "an MJD between 59573 (launch) and 70000", source)


def _refuse_where(
    table: QTable, column: str, bad: NDArray[np.bool_], expected: str, source: str
) -> None:
    for i in np.flatnonzero(bad & (np.asarray(table["flag"]) == "")):
        raise InputError(
            f"{source} row {table['row'][i]}: column {column!r} is {table[column][i]:.10g}; "
            f"expected {expected}. Correct the entry, or blank it to have the row flagged."
        )


def _visits(raw: Table, table: QTable) -> list[str]:
    """Name each row's visit: the table's own, else rows of one star within one day."""
    own = texts(raw["visit"]) if "visit" in raw.colnames else [""] * len(raw)
    found = zip(table["name"], own, _visits_by_time(table), strict=True)
    return [f"{name} {visit}" if visit else by_time for name, visit, by_time in found]


def _visits_by_time(table: QTable) -> list[str]:
    names = list(map(str, table["name"]))
    starts = visit_starts(names, table["time"].value)
    return [f"{name} {start:.1f}" for name, start in zip(names, starts, strict=True)]


def _flags(table: QTable) -> list[str]:
    flags = np.full(len(table), "", dtype=f"U{max(map(len, FLAGS))}")
    flags[_contradicts(table)] = "inconsistent"
    flags[_repeats(table)] = "duplicate"
    numbers = [table[column].value for column in _REQUIRED]
    flags[~np.all(np.isfinite(numbers), axis=0)] = "not_measured"
    return [str(flag) for flag in flags]


def _contradicts(table: QTable) -> NDArray[np.bool_]:
    """Find rows whose flux/iflux is unlike that of their band's other rows."""
    found = np.zeros(len(table), dtype=bool)
    if "flux" not in table.colnames:
        return found
    ratio = (table["flux"] / table["iflux"]).value
    measured = np.isfinite(ratio)
    found[measured] = ratio[measured] <= 0
    for band in dict.fromkeys(table["filter"]):
        rows = np.flatnonzero((np.asarray(table["filter"]) == band) & measured & ~found)
        if len(rows) > 1:
            found[rows] = np.abs(np.log(ratio[rows] / np.median(ratio[rows]))) > _CONTRADICTION
    return found


def _repeats(table: QTable) -> NDArray[np.bool_]:
    seen: set[tuple[object, ...]] = set()
    found = np.zeros(len(table), dtype=bool)
    columns = ("name", "filter", "subarray", "time", "iflux")
    for i, row in enumerate(zip(*(table[c] for c in columns), strict=True)):
        key = tuple(getattr(entry, "value", entry) for entry in row)
        found[i] = key in seen
        seen.add(key)
    return found
