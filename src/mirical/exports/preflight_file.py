"""A photom reference file as it stands, damaged or not, and findings about it.

`mirical.exports.photom_file` reads files that are right. Here nothing is demanded but a
PHOTOM table with filters, subarrays and factors; names are compared as the pipeline does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.exports.pipeline_law import epochs
from mirical.instruments.miri import miri
from mirical.laws.pipeline_throughput import FUNCTIONS, Tables, relative_throughput
from mirical.storage.fits_files import Columns, read_fits

Floats = NDArray[np.float64]

ERROR, WARNING = "error", "warning"

PHOTOM, NAMES = "PHOTOM", ("filter", "subarray")
TIME_TABLES = {f"TIMECOEFF_{name.upper()}": name for name in FUNCTIONS}
"""Extensions of time coefficients that the pipeline reads, and the function of each."""

GENERIC = "GENERIC"
"""Subarray of the row that stands in for those a filter has no row of."""

_FITTED = re.compile(r"fitted to rows from MJD (\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)")
_NAMED = 3
"""Rows a finding names one by one."""


def known_filters() -> tuple[str, ...]:
    """Return all filters of MIRI's imager, those without a calibration too."""
    return (*miri().bands, "F2550WR", "FLENS", "OPAQUE", "P750L")


def known_subarrays() -> tuple[str, ...]:
    """Return all subarrays a row may be of."""
    return (*miri().known_readouts, GENERIC)


@dataclass(frozen=True)
class Finding:
    """Something wrong with a reference file.

    Attributes
    ----------
    code : str
        Name of the fault.
    severity : str
        ``"error"`` if the pipeline does something wrong with the file, else ``"warning"``.
    where : str
        Table and rows, or keyword.
    sentence : str
        What is wrong, what the pipeline makes of it, and what to do.
    """

    code: str
    severity: str
    where: str
    sentence: str


@dataclass(frozen=True)
class PhotomFile:
    """A photom reference file as it stands.

    Attributes
    ----------
    name : str
        Of the file.
    header : mapping
        Keywords of the primary header that have a value, without history.
    history : str
        Its history, a line each.
    tables : mapping
        Columns in lower case of each table extension, by its name in upper case.
    span : (float, float)
        Epochs it is to be used at, MJD in days.
    changed : bool
        Whether its checksums say that it is not as it was written.
    """

    name: str
    header: Mapping[str, Any]
    history: str
    tables: Mapping[str, Columns]
    span: tuple[float, float]
    changed: bool = False

    def __len__(self) -> int:
        return len(self.photmjsr)

    @property
    def photom(self) -> Columns:
        """The table of factors."""
        return self.tables[PHOTOM]

    @property
    def photmjsr(self) -> Floats:
        """Factor of each row before the throughput divides it, (row,)."""
        return self.photom["photmjsr"].astype(float)

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Filter and subarray of each row, as the pipeline compares them."""
        filters, subarrays = (as_compared(self.photom[name]) for name in NAMES)
        return list(zip(filters, subarrays, strict=True))

    @cached_property
    def rows_of(self) -> dict[str, NDArray[np.intp]]:
        """Numbers of the rows of each band there is."""
        filters = np.array([band for band, _ in self.pairs])
        return {band: np.flatnonzero(filters == band) for band in miri().bands if band in filters}

    @cached_property
    def times(self) -> Tables:
        """Time coefficients by function, of tables the pipeline can use."""
        return {
            function: {name: of[name].astype(float) for name in ("t0", *FUNCTIONS[function][0])}
            for table, function in TIME_TABLES.items()
            if (of := self.tables.get(table)) is not None
            and all(is_numbers(of.get(name)) for name in ("t0", *FUNCTIONS[function][0]))
            and np.all(self.named_alike(table))
        }

    def named_alike(self, table: str) -> NDArray[np.bool_]:
        """Return which rows have the names of PHOTOM's row of the same number, letter by letter.

        None has in a table of another length, or one without names.
        """
        of, alike = self.tables[table], np.ones(len(self), dtype=bool)
        for column in NAMES:
            if column not in of or len(of[column]) != len(self):
                return np.zeros(len(self), dtype=bool)
            pairs = zip(of[column], self.photom[column], strict=True)
            alike &= [str(one).rstrip() == str(other).rstrip() for one, other in pairs]
        return alike

    @cached_property
    def mjd(self) -> Floats:
        """Epochs of the span that are looked at, dense at its beginning."""
        return epochs(self.span)

    @cached_property
    def throughput(self) -> Floats:
        """Relative throughput at those epochs, (epoch, row)."""
        return self.throughput_at(self.mjd)

    @cached_property
    def level(self) -> Floats:
        """Factor at the reference epoch; photmjsr where no throughput divides it, (row,)."""
        (throughput,) = self.throughput_at(np.array([miri().reference_mjd]))
        usable = np.isfinite(throughput) & (throughput > 0)
        return self.photmjsr / np.where(usable, throughput, 1.0)

    @cached_property
    def fitted(self) -> tuple[float, float] | None:
        """Epochs the factors were fitted to, where the history says so, MJD in days."""
        found = _FITTED.search(self.history)
        return None if found is None else (float(found[1]), float(found[2]))

    def throughput_at(self, mjd: Floats) -> Floats:
        """Return the relative throughput, (epoch, row); not finite where it has no value."""
        with np.errstate(all="ignore"):
            found = relative_throughput(self.times, mjd[:, None])
        return np.broadcast_to(found, (len(mjd), len(self)))

    def of_rows(
        self, marked: Any, code: str, severity: str, sentence: str, table: str = PHOTOM
    ) -> list[Finding]:
        """Return one finding of all rows marked or numbered; none if there are none."""
        marked = np.asarray(marked)
        rows = np.flatnonzero(marked) if marked.dtype == bool else marked
        if not len(rows):
            return []
        named = [f"row {k + 1} ({' in '.join(self.pairs[k])})" for k in rows]
        where = f"{table} {', '.join(named)}"
        if len(rows) > _NAMED:
            bands = ", ".join(dict.fromkeys(self.pairs[k][0] for k in rows))
            where = f"{table} {len(rows)} rows of {bands}, from {named[0]} on"
        return [Finding(code, severity, where, sentence)]


def as_compared(names: Iterable[str]) -> list[str]:
    """Return names as the pipeline compares them: upper case, without blanks at the end."""
    return [str(name).upper().rstrip() for name in names]


def read_as_it_stands(path: Path, span: tuple[float, float]) -> PhotomFile:
    """Read a reference file, whatever is wrong with its contents.

    Raises
    ------
    InputError
        If it is no photom reference file of the imager, or cannot be read.
    """
    expected = "expected a photom reference file of MIRI's imager (FITS)"
    contents = read_fits(path, expected)
    tables: dict[str, Columns] = {}
    for one in contents.extensions:
        if one.columns is not None:
            lowered = {name.lower(): column for name, column in one.columns.items()}
            tables.setdefault(one.name, lowered)
    if PHOTOM not in tables:
        raise InputError(f"{path.name}: has no PHOTOM table; {expected}.")
    photom = tables[PHOTOM]
    readable = all(_is_texts(photom.get(name)) for name in NAMES)
    if not readable or not is_numbers(photom.get("photmjsr")):
        raise InputError(
            f"{path.name}: PHOTOM has not the columns filter, subarray and photmjsr; {expected}."
        )
    if not len(photom["photmjsr"]):
        raise InputError(f"{path.name}: PHOTOM has no rows; {expected}.")
    primary = contents.extensions[0]
    return PhotomFile(path.name, primary.header, primary.history, tables, span, contents.changed)


def _is_texts(column: NDArray[Any] | None) -> bool:
    return column is not None and column.dtype.kind in "SU" and column.ndim == 1


def is_numbers(column: NDArray[Any] | None) -> bool:
    """Return whether a column is there and has a number a row."""
    return column is not None and column.dtype.kind in "fiu" and column.ndim == 1
