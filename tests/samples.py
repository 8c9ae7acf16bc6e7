"""Small inputs made in the tests, and writers of the three photometry formats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from miri_facts import MIRI
from mirical.storage.shipped import data_file, resolve
from mirical.tables.photometry import Observations, load_photometry

UNITS = {
    "time": "d",
    "iflux": "DN/s",
    "ifluxunc": "DN/s",
    "ibkg": "DN/s/pix",
    "flux": "mJy",
    "model_flux": "mJy",
    "model_flux_unc": "mJy",
}

# As the journal labels columns, where it differs from the contract.
MRT_LABELS = {"name": "Name", "ifluxunc": "e_iflux", "fluxunc": "e_flux", "filter": "Filter"}


def photometry() -> Table:
    """Return three sound rows of two stars, the numbers being Table 5's."""
    table = Table(
        {
            "name": ["16 Cyg B", "G 191-B2B", "G 191-B2B"],
            "PID": ["1538", "1537", "1537"],
            "srctype": ["SolarAnalogs", "HotStars", "HotStars"],
            "filter": ["F1130W", "F770W", "F1130W"],
            "subarray": ["SUB64", "FULL", "FULL"],
            "time": [59762.5, 59830.4, 59830.4],
            "iflux": [879000.0, 4300.0, 472.0],
            "ifluxunc": [1070.0, 6.47, 2.12],
            "flux": [414.0, 0.458, 0.215],
        }
    )
    return with_units(table)


def repeated(n: int, **columns: object) -> Table:
    """Return n rows of one star and band in FULL, a week apart, with `columns` in place."""
    table = Table({name: [photometry()[name][1]] * n for name in photometry().colnames})
    table["time"] = 59800.0 + 7.0 * np.arange(n)
    for name, entries in columns.items():
        table[name] = entries
    return with_units(table)


def with_units(table: Table) -> Table:
    """Give every column that has a unit in the contract that unit."""
    for name in table.colnames:
        if name in UNITS:
            table[name].unit = UNITS[name]
    return table


def setting(column: str, row: int, entry: object) -> Callable[[Table], None]:
    """Return a change that sets one entry (row counted from 1)."""

    def change(table: Table) -> None:
        entries = list(table[column])
        entries[row - 1] = entry
        unit = table[column].unit
        table[column] = entries
        table[column].unit = unit

    return change


def blanking(column: str, row: int) -> Callable[[Table], None]:
    """Return a change that blanks one entry (row counted from 1)."""

    def change(table: Table) -> None:
        mask = np.arange(1, len(table) + 1) == row
        table[column] = MaskedColumn(table[column], mask=mask)

    return change


def unit(column: str, name: str | None) -> Callable[[Table], None]:
    """Return a change of a column's unit that leaves its numbers."""

    def change(table: Table) -> None:
        table[column].unit = name

    return change


def write_ecsv(table: Table, path: Path) -> Path:
    """Write an ECSV file."""
    table.write(path, format="ascii.ecsv", overwrite=True)
    return path


def write_fits(table: Table, path: Path) -> Path:
    """Write a FITS table whose header states every unit, DN included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy would leave DN out
        extension = fits.table_to_hdu(table)
    for i, name in enumerate(table.colnames, start=1):
        if table[name].unit is not None:
            extension.header[f"TUNIT{i}"] = str(table[name].unit)
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto(path, overwrite=True)
    return path


def write_mrt(table: Table, path: Path) -> Path:
    """Write the journal's machine-readable format: a byte-by-byte description, then the rows."""
    cells = {name: [_cell(entry) for entry in table[name]] for name in table.colnames}
    rule = "-" * 80
    lines = [
        "Title: Absolute Flux Calibration of MIRI Imaging and Coronagraphy",
        "Authors: Gordon K.D. et al.",
        "Table: Photometry",
        "=" * 80,
        "Byte-by-byte Description of file: table5.txt",
        rule,
        "   Bytes Format Units  Label   Explanations",
        rule,
    ]
    widths = {name: max(1, *map(len, entries)) for name, entries in cells.items()}
    start = 1
    for name, width in widths.items():
        text = table[name].dtype.kind == "U"
        kind = f"A{width}" if text else f"F{width}.1"
        unit = str(table[name].unit).replace(" ", "")
        stated = "---" if table[name].unit is None else UNITS.get(name, unit)
        label, explanation = MRT_LABELS.get(name, name), "" if text else "? "
        span = f"{start:4d}-{start + width - 1:4d}"
        lines.append(f"{span} {kind:6s} {stated:8s} {label:12s} {explanation}{name}")
        start += width + 1
    lines.append(rule)
    for row in zip(*cells.values(), strict=True):
        padded = (cell.ljust(w) for cell, w in zip(row, widths.values(), strict=True))
        lines.append(" ".join(padded))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _cell(entry: object) -> str:
    if np.ma.is_masked(entry) or str(entry) == "nan":
        return ""
    return str(entry)


WRITERS: dict[str, Callable[[Table, Path], Path]] = {
    "ecsv": write_ecsv,
    "fits": write_fits,
    "mrt": write_mrt,
}
"""The three formats by the ending the tests give them."""


def load(table: Table, folder: Path, kind: str = "ecsv") -> Observations:
    """Write a table as ``rows.KIND`` into a folder and read it as photometry."""
    return load_photometry(str(WRITERS[kind](table, folder / f"rows.{kind}")), MIRI, "test")


def shipped_table(name: str) -> Table:
    """Return a data table of the paper as shipped."""
    own = Path(MIRI.folder) / f"{name}.ecsv"
    return Table.read(own if own.is_file() else data_file(name), format="ascii.ecsv")


def card_text() -> str:
    """Return the shipped model card as written."""
    return resolve("models", "hierarchical", "tests").read_text(encoding="utf-8")
