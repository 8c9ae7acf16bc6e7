"""A published table as a photometry table: its columns checked, renamed and in the right units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from astropy import units as u
from astropy.table import Table, vstack

from mirical.catalogues.known import Catalogue
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.tables.apertures import stated_apertures
from mirical.tables.columns import columns
from mirical.tables.formats import SPELLINGS, texts

NEEDED = ("name", "srctype", "filter", "subarray", "time", "iflux", "ifluxunc")
"""Columns without which no row can be fitted."""

_VERSIONS = ("cal_ver", "crds_ctx")
_KEPT = ("r_a", "r_b1", "r_b2", "flag", "reason", *_VERSIONS)
# VizieR shortens and capitalises names, and begins those of errors with e_.
_SHORTENED = {"subarr": "subarray", "obstime": "time", "sourcetype": "srctype", "prog": "PID"}
_COUNTS = (u.adu, u.ct)  # what VizieR's units call a DN


def as_photometry(
    tables: Mapping[str, Table], instrument: Instrument, source: str, notes: list[str]
) -> Table:
    """Return the rows of published tables in the columns of a photometry table.

    Parameters
    ----------
    tables : mapping of {str : Table}
        By name; those without the needed columns are left out. Changed. Of their headers only
        what matters to a fit is kept: simulated or not, apertures, version of the reduction.
    instrument : Instrument
        Whose units columns without one are taken in.
    source : str
        What messages call the tables together.
    notes : list of str
        What was assumed or left out is added to it.

    Raises
    ------
    InputError
        If no table has the needed columns, two columns of one mean the same, or the tables were
        measured in different apertures.
    """
    told = {where: list(table.colnames) for where, table in tables.items()}
    for where, table in tables.items():
        _rename(table, where)
    chosen = {w: t for w, t in tables.items() if set(NEEDED) <= set(t.colnames)}
    if not chosen:
        raise InputError(_no_table(tables, told, source))
    if len(tables) > len(chosen):
        notes.append(f"{', '.join(w for w in tables if w not in chosen)}: not read; no photometry.")
    if len(chosen) > 1:
        notes.append(f"{', '.join(chosen)}: read as one table, their rows numbered through.")
    measured_in = stated_apertures([*chosen.values()], source)
    simulated = any(bool(_header(table).get("simulated", False)) for table in chosen.values())
    parts = [_converted(table, where, instrument, notes) for where, table in chosen.items()]
    found = vstack(parts) if len(parts) > 1 else parts[0]
    found.meta["simulated"] = simulated
    if measured_in:
        found.meta["apertures_pix"] = {band: list(radii) for band, radii in measured_in.items()}
    return found


def refused_for(catalogue: Catalogue, error: InputError) -> InputError:
    """Return a refusal of a catalogue's tables with what to know of the catalogue."""
    more = f" {catalogue.lacking[0].upper()}{catalogue.lacking[1:]}." if catalogue.lacking else ""
    return InputError(f"{error}{more}")


def _header(table: Table) -> dict[str, Any]:
    """Return a table's header by names in small letters, as FITS writes them in capitals."""
    return {str(key).casefold(): value for key, value in table.meta.items()}


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


_KNOWN = {_squeezed(name): own for name, own in SPELLINGS.items()} | _SHORTENED


def _rename(table: Table, where: str) -> None:
    for column in list(table.colnames):
        wanted = _KNOWN.get(_squeezed(column))
        if wanted is None or wanted == column:
            continue
        if wanted in table.colnames:
            raise InputError(f"{where}: columns {column!r} and {wanted!r} mean the same thing.")
        table.rename_column(column, wanted)


def _no_table(tables: Mapping[str, Table], told: Mapping[str, Sequence[str]], source: str) -> str:
    """Say which columns are missed in the table that has most of them, and what it has."""

    def lacks(where: str) -> list[str]:
        return [name for name in NEEDED if name not in tables[where].colnames]

    nearest = min(tables, key=lambda where: len(lacks(where)))
    within = "" if nearest == source else f" in its table {nearest}"
    return (
        f"{source}: not the columns that are expected: {', '.join(lacks(nearest))} "
        f"{'is' if len(lacks(nearest)) == 1 else 'are'} missing{within}, whose columns are "
        f"{', '.join(told[nearest])}; a photometry table needs {', '.join(NEEDED)}."
    )


def _converted(table: Table, where: str, instrument: Instrument, notes: list[str]) -> Table:
    """Return the columns of a photometry table alone, in its order and with its units."""
    known = columns(instrument)
    if instrument.count_rate == u.DN / u.s:
        _count_in_dn(table, where, notes)
    found, bare, header = Table(), [], _header(table)
    for name in _VERSIONS:
        if name in header and name not in table.colnames:
            table[name] = [str(header[name])] * len(table)
    for name in (name for name in (*known, *_KEPT) if name in table.colnames):
        column, unit = table[name], known[name].unit if name in known else None
        if column.info.dtype.kind in "OSU":
            found[name] = texts(column)
        else:
            found[name] = column
            if unit is not None and not column.unit:
                bare.append(f"{name} [{unit}]")
                found[name].unit = unit
            elif name == "ibkg" and unit is not None and u.Unit(column.unit) == unit * u.pix:
                found[name].unit = unit  # the article's is an average per pixel
        found[name].info.description = known[name].description if name in known else None
        found[name].info.format, found[name].info.meta = None, None
    if bare:
        notes.append(
            f"{where}: columns without a unit are taken in that of Table 5: {', '.join(bare)}."
        )
    left = [name for name in table.colnames if name not in found.colnames]
    if left:
        notes.append(f"{where}: columns that mirical does not use are left out: {', '.join(left)}.")
    return found


def _count_in_dn(table: Table, where: str, notes: list[str]) -> None:
    """Give counts in ADU or ct the unit DN, which VizieR's list of units does not have."""
    renamed = []
    for name in table.colnames:
        unit = getattr(table[name], "unit", None)
        bases = getattr(unit, "bases", ())
        other = next((one for one in _COUNTS if one in bases), None)
        if unit is not None and other is not None:
            table[name].unit = unit * (u.DN / other)
            renamed.append(f"{name} [{unit}]")
    if renamed:
        notes.append(f"{where}: counts are taken to be DN in {', '.join(renamed)}.")
