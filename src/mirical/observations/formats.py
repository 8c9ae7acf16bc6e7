"""Photometry files of three formats, read as one table with the contract's column names."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from mirical.errors import InputError

_COLUMNS = (
    "name PID srctype filter subarray time pixrate pixwelldepth inttime iflux ifluxunc ibkg "
    "flux fluxunc bkg visit model_flux model_flux_unc"
).split()

# Spellings of the journal's machine-readable tables and of the STScI-MIRI code.
_OTHER_NAMES = {
    "e_iflux": "ifluxunc",
    "iflux_unc": "ifluxunc",
    "e_flux": "fluxunc",
    "flux_unc": "fluxunc",
    "target": "name",
    "star": "name",
    "type": "srctype",
    "band": "filter",
    "timemid": "time",
    "mjd": "time",
    "tint": "inttime",
    "e_model_flux": "model_flux_unc",
}
_SPELLINGS = {name.casefold(): name for name in _COLUMNS} | _OTHER_NAMES


def read_table(path: Path) -> Table:
    """Read an ECSV, machine-readable (MRT) or FITS table, told apart by content.

    Returns
    -------
    Table
        With the column names of the photometry contract where a known
        spelling was found; other columns keep their names.

    Raises
    ------
    InputError
        If the content is none of the three formats, is broken, or two
        columns claim the same name.
    """
    kind = _recognise(path)
    try:
        with warnings.catch_warnings():
            # Units the FITS and MRT standards do not list (DN) are checked column by column later.
            warnings.simplefilter("ignore", AstropyWarning)
            table = Table.read(path, format=kind)
    except Exception as error:  # each reader fails in its own way on a broken file
        raise InputError(
            f"{path.name}: cannot be read as {kind} ({_first_line(error)})."
        ) from error
    return _rename(table, path.name)


def read_columns(path: Path, needed: Sequence[str]) -> Table:
    """Read an ECSV table that must have certain columns.

    Raises
    ------
    InputError
        If there is no such file, it is not ECSV, or a column is missing.
    """
    expected = f"expected an ECSV table with columns {', '.join(needed)}"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {expected}.")
    try:
        table = Table.read(path, format="ascii.ecsv")
    except Exception as error:  # astropy's reader fails in many ways on a broken file
        raise InputError(f"{path.name}: cannot be read as ECSV ({_first_line(error)}).") from error
    for name in needed:
        if name not in table.colnames:
            raise InputError(f"{path.name}: column {name!r} is missing; {expected}.")
    return table


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _recognise(path: Path) -> str:
    head = path.read_bytes()[:20000]
    if head.startswith(b"SIMPLE"):
        return "fits"
    if head.startswith(b"# %ECSV"):
        return "ascii.ecsv"
    if b"byte-by-byte description" in head.lower():
        return "ascii.mrt"
    raise InputError(
        f"{path.name}: not a photometry table; expected ECSV (first line '# %ECSV 1.0'), "
        "the journal's machine-readable format or a FITS table."
    )


def _rename(table: Table, source: str) -> Table:
    for column in table.colnames:
        wanted = _SPELLINGS.get(column.casefold())
        if wanted is None or wanted == column:
            continue
        if wanted in table.colnames:
            raise InputError(f"{source}: columns {column!r} and {wanted!r} mean the same thing.")
        table.rename_column(column, wanted)
    return table
