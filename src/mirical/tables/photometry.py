"""Photometry tables: read, checked, every row kept with its flag.

A table that cannot be used is refused with one sentence; a row that
contradicts itself is flagged, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table, vstack
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.stars import canonical_stars, star_hint
from mirical.storage.shipped import data_file
from mirical.table_files.file_contents import ECSV, MRT
from mirical.table_files.in_memory import ASTROPY, is_table
from mirical.table_files.parts import find_table
from mirical.tables.apertures import RADII, stated_apertures
from mirical.tables.column_units import settle_units
from mirical.tables.columns import COLUMNS, columns
from mirical.tables.flags import own_reasons, set_flags, stated_flags
from mirical.tables.formats import IN_MEMORY, numbers, read_tables, spell_names, texts
from mirical.tables.quantities import epochs, errors
from mirical.tables.visits import named_visits
from mirical.text import one_line

_TEXT = ("name", "srctype", "filter", "subarray")
_REQUIRED = ("time", "iflux", "ifluxunc")
_OPTIONAL = tuple(
    name for name, column in COLUMNS.items() if column.unit is not None and name not in _REQUIRED
)
_UNIT_MAY_BE_MISSING = ("inttime",)  # a bare number there can only mean seconds
_ERRORS_OF = {"ifluxunc": "iflux", "fluxunc": "flux", "model_flux_unc": "model_flux"}
_MEASURABLE = 1e-20, 1e20  # in DN/s or mJy; beyond, a file is damaged or a unit is wrong
_ONLY_CHECKED = ("ibkg", "bkg")  # no fit needs them
_LEFT_OUT = (
    "{}: column '{}' is in {}, not in {}: left out, so that no dependence on the background is "
    "looked for."
)
_NO_APERTURES = (
    "{}: does not say which apertures it was measured in, and those it is calibrated with are "
    "taken for it; ECSV alone keeps apertures_pix in its header, and every format keeps columns "
    "r_a, r_b1, r_b2."
)
_OWN_NAMES = "If yours has another name, rename it, or state it under [columns] of a job."
_HAVE_HEADERS = (ECSV, MRT, ASTROPY)
_VERSIONS = "cal_ver", "crds_ctx"  # keywords of JWST headers that say how rows were reduced


NAMED = (*COLUMNS, *RADII, "flag", "reason")
"""Columns that a job may name otherwise."""

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
        ``time`` [d, MJD], ``iflux``, ``ifluxunc`` [the instrument's
        unit], ``visit``, ``flag``,
        ``reason`` (the file's own words for a flag) and whichever optional columns the input has.
    source : str
        File name or embedded name, as messages and the report call it; `IN_MEMORY` of a table
        that was given itself.
    data_hash : str
        SHA-256 of the file's bytes; of a table in memory, of it as ECSV.
    instrument : Instrument
        Whose rows they are.
    simulated : bool
        Whether the file says of itself that it is simulated.
    measured_in : dict of {str : tuple of float}
        Radii r_a, r_b1, r_b2 in pixels by band, where the file says what it was measured in.
    notes : tuple of str
        What was assumed or left out in reading, in sentences for who asked.
    """

    table: QTable
    source: str
    data_hash: str
    instrument: Instrument
    simulated: bool
    measured_in: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def load_photometry(
    given: Any,
    instrument: Instrument,
    where: str,
    beside: Path | None = None,
    named: Mapping[str, str] | None = None,
) -> Observations:
    """Read and check an embedded table (``table5``), a file, or a table in memory.

    Parameters
    ----------
    given : str or table
        ``"table5"``; a path to a table in any format of `mirical.table_files`, with the number or
        name of a table in it in brackets if one of several is meant (``rows.fits[2]``); or a table
        of astropy or pandas.
    instrument : Instrument
        Whose rows they are.
    where : str
        Who asks; begins the sentence if there is no such file.
    beside : Path, optional
        Folder a relative path is tried in first.
    named : mapping of {str : str}, optional
        The table's own names of columns, by those of the contract (`mirical.tables.columns`).

    Raises
    ------
    InputError
        If the file is missing or unreadable, lacks a column, has a wrong
        unit, or holds an entry that cannot be used; names row and column.
    """
    if is_table(given):
        return _check(given, IN_MEMORY, instrument, named)
    name = str(given)
    if name in EMBEDDED:
        return _check(data_file(name), name, instrument, named)
    if not name:
        raise InputError(f"{where}: names no photometry table; give one with --photometry FILE.")
    path = find_table(name, beside)
    if path is not None:
        return _check(path, one_line(path.name), instrument, named)
    if Path(name).is_dir():
        raise InputError(f"{where}: {name!r} is a folder; give the photometry table in it.")
    raise InputError(
        f"{where}: photometry file {name!r} does not exist; "
        "give a path to a table, or 'table5' for the embedded rows."
    )


def _check(
    given: Any, source: str, instrument: Instrument, named: Mapping[str, str] | None
) -> Observations:
    file = read_tables(given, (*_TEXT, *_REQUIRED), source, named)
    notes = [*file.notes]
    units = {name: one.unit for name, one in columns(instrument).items() if name != "time"}
    settle_units(file.tables.values(), units, file.kind, source, notes)
    for each in file.tables.values():
        spell_names(each, instrument)
    raw = {f"{source}{place}": table for place, table in file.tables.items()}
    optional = [name for name in _OPTIONAL if any(name in each.colnames for each in raw.values())]
    parts = [_converted(each, where, optional, instrument, notes) for where, each in raw.items()]
    table = vstack(parts, metadata_conflicts="silent") if len(parts) > 1 else parts[0]
    if len(table) == 0:
        raise InputError(f"{source}: the table has no rows.")
    table.add_column(np.arange(1, len(table) + 1), name="row", index=0)
    _canonicalise(table, source, instrument)
    _refuse_impossible(table, source, instrument)
    table["visit"] = named_visits(table, instrument)
    set_flags(table, _REQUIRED, instrument)
    notes += _notes_on_names(table, source, instrument)
    if not any(map(str, table["reduction"])):
        notes += _notes_on_reductions([*raw.values()], source)
    metas = [{str(key).casefold(): value for key, value in t.meta.items()} for t in raw.values()]
    measured_in = {
        instrument.spelled_band(band): radii
        for band, radii in stated_apertures([*raw.values()], source).items()
    }
    if file.kind not in _HAVE_HEADERS and not measured_in:
        notes.append(_NO_APERTURES.format(source))
    return Observations(
        table=table,
        source=source,
        data_hash=file.sha256,
        instrument=instrument,
        simulated=any(bool(meta.get("simulated", False)) for meta in metas),
        measured_in=measured_in,
        notes=tuple(notes),
    )


def _converted(
    raw: Table, where: str, optional: Sequence[str], instrument: Instrument, notes: list[str]
) -> QTable:
    """Return a table with the contract's columns alone, in its units; a row each."""
    table, stated, known = QTable(), stated_flags(raw, where), columns(instrument)
    for column in _TEXT:
        table[column] = _text(raw, column, where, stated)
    table["PID"] = texts(raw["PID"]) if "PID" in raw.colnames else [""] * len(raw)
    strange = [name for name in _ONLY_CHECKED if _in_another_unit(raw, name, known[name].unit)]
    notes += [_LEFT_OUT.format(where, name, raw[name].unit, known[name].unit) for name in strange]
    for column in (*_REQUIRED, *optional):
        if column in strange:
            table[column] = np.full(len(raw), np.nan) * known[column].unit
        elif column in raw.colnames or column in _REQUIRED:
            table[column] = _number(raw, table, column, where, known[column].unit, notes)
        else:
            table[column] = np.full(len(raw), np.nan) * known[column].unit
    for column in ("visit", "reduction"):
        table[column] = texts(raw[column]) if column in raw.colnames else [""] * len(raw)
    table["flag"], table["reason"] = stated, own_reasons(raw)
    return table


def _in_another_unit(raw: Table, name: str, unit: u.UnitBase | None) -> bool:
    """Return whether a table states a column in a unit that is not of its kind."""
    stated = raw[name].unit if name in raw.colnames else None
    return stated is not None and not u.Unit(stated).is_equivalent(unit)


def _text(raw: Table, column: str, source: str, flags: list[str]) -> list[str]:
    if column not in raw.colnames:
        raise InputError(
            f"{source}: column {column!r} is missing; "
            f"expected the columns {', '.join((*_TEXT, *_REQUIRED))}. {_OWN_NAMES}"
        )
    entries = texts(raw[column])
    for row, (entry, flag) in enumerate(zip(entries, flags, strict=True), start=1):
        if entry or flag:  # nobody needs what a flagged row does not know
            continue
        raise InputError(f"{source} row {row}: column {column!r} is blank; every row needs it.")
    return entries


def _number(
    raw: Table, table: QTable, column: str, where: str, unit: u.UnitBase, notes: list[str]
) -> u.Quantity | NDArray[np.float64]:
    if column not in raw.colnames:
        raise InputError(
            f"{where}: column {column!r} is missing; expected it in {unit}. {_OWN_NAMES}"
        )
    if column == "time":
        return epochs(raw[column], where, notes) * u.d
    bare = unit if column in _UNIT_MAY_BE_MISSING else None
    if column in _ERRORS_OF:
        of = _ERRORS_OF[column]
        value = table[of] if of in table.colnames else None
        return errors(raw, column, value, unit, where)
    return numbers(raw[column], unit, where, bare)


def _canonicalise(table: QTable, source: str, instrument: Instrument) -> None:
    rows = range(1, len(table) + 1)
    names, types, bands, subarrays = (list(map(str, table[column])) for column in _TEXT)
    # Blank entries are those of flagged rows, and none of anybody's business.
    for band, subarray, row in zip(bands, subarrays, rows, strict=True):
        if band:
            instrument.find_band(band, f"{source} row {row}")
        if subarray:
            instrument.assumed_term(subarray, f"{source} row {row}")
    names = canonical_stars(names)
    types = [
        instrument.find_type(kind, f"{source} row {r}") if kind else ""
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


def _notes_on_names(table: QTable, source: str, instrument: Instrument) -> list[str]:
    """Say which stars may be misspelt ones of the program, and whose throughput is assumed."""
    stars = dict.fromkeys(map(str, table["name"]))
    hints = [(name, star_hint(name)) for name in stars]
    return [
        *(
            f"{source}: star {name!r} is taken for one of your own{hint}"
            for name, hint in hints
            if hint
        ),
        *instrument.assumptions(map(str, table["subarray"])),
    ]


def _notes_on_reductions(raw: Sequence[Table], source: str) -> list[str]:
    """Say which versions differ among rows that state no reduction."""
    versions: dict[str, dict[str, None]] = {}
    for table in raw:
        of_table = [(name, [table.meta[name]]) for name in table.meta]
        of_rows = [(name, texts(table[name])) for name in table.colnames if _is_version(name)]
        for name, stated in (*of_table, *of_rows):
            if _is_version(name):
                known = versions.setdefault(str(name), {})
                known.update(dict.fromkeys(filter(None, map(str, stated))))
    return [
        f"CAUTION: {source}: rows of {len(known)} reductions ({name} is "
        f"{', '.join(map(one_line, sorted(known)))}) and no column reduction: reductions differ "
        f"by up to 3 % between subarrays. Name the column of versions reduction, and give the "
        "card the term reduction_offset."
        for name, known in versions.items()
        if len(known) > 1
    ]


def _is_version(name: object) -> bool:
    return str(name).casefold() in _VERSIONS


def _refuse_impossible(table: QTable, source: str, instrument: Instrument) -> None:
    for row in table["row", "filter", "subarray", "flag"].iterrows():
        number, band, subarray, flag = row
        if not flag:  # what a flagged row says of itself may be wrong: it is not fitted
            instrument.require_readout(str(band), str(subarray), f"{source} row {number}")
    positive = [c for c in ("iflux", "ifluxunc", "model_flux") if c in table.colnames]
    for column in positive:
        value = table[column].value
        least, most = _MEASURABLE
        beyond = np.isfinite(value) & (value > 0) & ((value < least) | (value > most))
        expected = f"a number from {least:g} to {most:g}"
        _refuse_where(table, column, value <= 0, "a positive number", source)
        _refuse_where(table, column, beyond, expected, source)
    if "model_flux_unc" in table.colnames:
        negative = table["model_flux_unc"].value < 0
        _refuse_where(table, "model_flux_unc", negative, "zero or a positive number", source)
    mjd = table["time"].value
    # The launch, and a date no standard star will be observed at: catches JD and ISO years.
    launch = instrument.launch_mjd
    unlikely = (mjd < launch) | (mjd > 70000)
    expected = f"an MJD between {launch:.0f} (launch) and 70000"
    _refuse_where(table, "time", unlikely, expected, source)


def _refuse_where(
    table: QTable, column: str, bad: NDArray[np.bool_], expected: str, source: str
) -> None:
    for i in np.flatnonzero(bad & (np.asarray(table["flag"]) == "")):
        raise InputError(
            f"{source} row {table['row'][i]}: column {column!r} is {table[column][i]:.10g}; "
            f"expected {expected}. Correct the entry, or blank it to have the row flagged."
        )
