"""Files of stellar spectra, read and checked, and the choice among a star's."""

from __future__ import annotations

import gzip
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray
from synphot.exceptions import SynphotError
from synphot.units import validate_unit

from mirical.errors import InputError, reading

Floats = NDArray[np.floating]

FLAM = u.erg / u.s / u.cm**2 / u.AA
"""Unit of a spectrum, erg/s/cm2/Angstrom, as CALSPEC has it."""

_WAVELENGTH, _FLUX = "WAVELENGTH", "FLUX"
STATISTICAL, SYSTEMATIC = "STATERROR", "SYSERROR"
"""Columns of errors in CALSPEC's files."""

_EXPECTED = "expected a FITS table with columns WAVELENGTH and FLUX"
_GZIP = b"\x1f\x8b"
_LARGEST = 1 << 28  # bytes of an unpacked file; CALSPEC's have a few million
_INSTRUMENTS = ("wfc", "nic")  # that extend a series of STIS to longer wavelengths


@dataclass(frozen=True)
class Chosen:
    """The file taken for a star.

    Attributes
    ----------
    path : Path
        The file.
    passed_over : tuple of str
        Names of the star's other files in the folder.
    """

    path: Path
    passed_over: tuple[str, ...] = ()


def choose_series(folder: Path, root: str) -> Chosen | None:
    """Return which of a star's CALSPEC files is taken; None where there is none.

    Files are called ROOT_SERIES_VERSION.fits[.gz]. Measured series come before models (``mod``)
    and those with STIS before others; of these the one with the most other instruments beside it;
    within a series the highest version. Versions of different series are not compared: a series
    with another instrument starts again from 1.
    """
    pattern = re.compile(rf"{re.escape(root)}_([a-z]+)_(\d+)\.fits(\.gz)?", re.IGNORECASE)
    found = [(m, p) for p in folder.iterdir() if (m := pattern.fullmatch(p.name))]
    ranked = sorted((_rank(m[1].casefold(), int(m[2])), p.name, p) for m, p in found)
    if not ranked:
        return None
    *others, (_, _, taken) = ranked
    return Chosen(taken, tuple(name for _, name, _ in others))


def _rank(series: str, version: int) -> tuple[bool, bool, int, str, int]:
    beside = sum(instrument in series for instrument in _INSTRUMENTS)
    return series != "mod", "stis" in series, beside, series, version


def read_spectrum(path: Path) -> tuple[u.Quantity, u.Quantity]:
    """Return wavelengths, rising, and flux densities of a CALSPEC file; negative ones are kept.

    Parameters
    ----------
    path : Path
        FITS file, gzipped or not, with one table of columns WAVELENGTH and FLUX.

    Returns
    -------
    wavelength, flux : (row,) Quantity
        In the file's own units.

    Raises
    ------
    InputError
        If the file is missing or cannot be read, a unit is missing or none of wavelength and
        flux density, or an entry is no number; names the first such row.
    """
    columns, data = _table(path)
    wavelength, flux = (_column(columns, data, name, path.name) for name in (_WAVELENGTH, _FLUX))
    _refuse_units(wavelength, flux, path.name)
    return _checked(wavelength, flux, path.name)


def read_errors(path: Path) -> dict[str, u.Quantity]:
    """Return the columns of errors that a CALSPEC file states, by `STATISTICAL` and `SYSTEMATIC`.

    Both are there, each as long as the spectrum and in order of rising wavelength, or neither.

    Raises
    ------
    InputError
        As `read_spectrum`; or a unit is none of flux density, or an entry is no number of at
        least zero.
    """
    columns, data = _table(path)
    if not {STATISTICAL, SYSTEMATIC} <= set(map(str.upper, columns.names)):
        return {}
    wavelength = _column(columns, data, _WAVELENGTH, path.name)
    rising = slice(None) if wavelength[-1] > wavelength[0] else slice(None, None, -1)
    found = {}
    for name in (STATISTICAL, SYSTEMATIC):
        errors = _column(columns, data, name, path.name)
        _refuse_units(wavelength, errors, path.name, name)
        bad = ~(np.isfinite(errors.value) & (errors.value >= 0))
        _refuse_rows(bad, name, errors.value, "zero or a positive number", path.name)
        found[name] = errors[rising]
    return found


def _table(path: Path) -> tuple[fits.ColDefs, fits.FITS_rec]:
    """Return the columns and rows of the one table with a spectrum."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a CALSPEC spectrum.")
    with warnings.catch_warnings():
        # A file cut short is announced by a warning alone.
        warnings.filterwarnings("error", ".*truncated", AstropyUserWarning)
        with reading(path.name, "a CALSPEC spectrum", _EXPECTED):
            with fits.open(_content(path), memmap=False) as extensions:
                found = [
                    (extension.columns, extension.data)
                    for extension in extensions
                    if isinstance(extension, fits.BinTableHDU | fits.TableHDU)
                ]
    tables = [one for one in found if {_WAVELENGTH, _FLUX} <= set(map(str.upper, one[0].names))]
    if len(tables) != 1:
        many = f"has {len(tables)} tables" if tables else "has no table"
        raise InputError(
            f"{path.name}: {many} with columns WAVELENGTH and FLUX; expected one, as CALSPEC's "
            "files have it."
        )
    return tables[0]


def _content(path: Path) -> io.BytesIO:
    """Return a file's bytes, unpacked; a gzipped file that is cut short is an error here."""
    packed = path.read_bytes()[:2] == _GZIP
    with gzip.open(path) if packed else path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise InputError(f"{path.name}: is larger than {_LARGEST >> 20} MiB; {_EXPECTED}.")
    return io.BytesIO(content)


def _column(columns: fits.ColDefs, data: fits.FITS_rec, name: str, where: str) -> u.Quantity:
    place = [own.upper() for own in columns.names].index(name)
    where = f"{where}: column {columns.names[place]!r}"
    stated = columns.units[place]
    expected = "Angstrom" if name == _WAVELENGTH else "erg/s/cm2/Angstrom (FLAM)"
    if not stated:
        raise InputError(f"{where} has no unit (TUNIT); expected {expected}.")
    try:
        unit = validate_unit(stated)
    except (ValueError, TypeError, SynphotError) as error:  # what astropy and synphot raise
        raise InputError(f"{where} is in {stated!r}; expected {expected}.") from error
    try:
        values = np.asarray(data.field(place))
        numbers = values if values.dtype.kind == "f" else values.astype(float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} is not numeric; expected numbers in {expected}.") from error
    if numbers.ndim != 1:
        raise InputError(f"{where} holds arrays; expected one number a row.")
    return u.Quantity(numbers, unit, subok=True, copy=False)


def _refuse_units(wavelength: u.Quantity, flux: u.Quantity, where: str, name: str = _FLUX) -> None:
    if not wavelength.unit.is_equivalent(u.AA):
        raise InputError(
            f"{where}: column 'WAVELENGTH' is in {wavelength.unit}; expected Angstrom or another "
            "unit of length."
        )
    if not isinstance(flux.unit, u.UnitBase) or not flux.unit.is_equivalent(
        FLAM, u.spectral_density(1 * u.um)
    ):
        raise InputError(
            f"{where}: column {name!r} is in {flux.unit}; expected erg/s/cm2/Angstrom (FLAM) or "
            "another unit of flux density."
        )


def _checked(wavelength: u.Quantity, flux: u.Quantity, where: str) -> tuple[u.Quantity, u.Quantity]:
    """Return both with wavelengths rising, once every entry is known to be usable."""
    if len(wavelength) < 2:
        raise InputError(f"{where}: has {len(wavelength)} rows; expected a spectrum.")
    w, f = wavelength.value, flux.value
    _refuse_rows(~np.isfinite(w) | (w <= 0), "WAVELENGTH", w, "a number above 0", where)
    _refuse_rows(~np.isfinite(f), "FLUX", f, "a number", where)
    step = np.diff(w) * (1 if w[-1] > w[0] else -1)
    out_of_order = np.append(False, step <= 0)
    _refuse_rows(out_of_order, "WAVELENGTH", w, "each further along than that before", where)
    return (wavelength, flux) if w[-1] > w[0] else (wavelength[::-1], flux[::-1])


def _refuse_rows(
    bad: NDArray[np.bool_], column: str, values: Floats, expected: str, where: str
) -> None:
    for i in np.flatnonzero(bad)[:1]:
        raise InputError(
            f"{where} row {i + 1}: column {column!r} is {values[i]:.10g}; expected {expected}. "
            "Leave the row out, or correct it."
        )
