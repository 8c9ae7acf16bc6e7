"""FITS file of values with their full covariance, written and read.

PRIMARY       where the numbers come from
POINTS        filter, subarray, mjd, value, std; and name where values are of several objects
COVARIANCE    (point, point), in the value's unit squared
COV_<PART>    what it is the sum of, where that is known
DRAWS         (draw, point), in the value's unit, where they were asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from mirical.calibration.calibration import Calibration, errors_hold, simulated
from mirical.calibration.factors import Query
from mirical.errors import InputError
from mirical.exports.covariance import Covariance, refuse_impossible
from mirical.instruments.cards import DEFAULT, load_instrument, reference_of
from mirical.instruments.instrument import Instrument
from mirical.storage.files import whole_file
from mirical.storage.fits_files import Columns, FitsContents, read_fits
from mirical.text import ascii_name, ascii_text, name_of_ascii
from mirical.version import __version__

Floats = NDArray[np.float64]

_PART = "COV_"
_EXPECTED = "expected a FITS file with POINTS and COVARIANCE, as mirical writes it"
_NUMBERS, _NAMES = ("mjd", "value", "std"), ("filter", "subarray")
_SAME_STD = 1e-6
_CARD = "INSTCARD"  # of an instrument other than the default


def history(calibration: Calibration) -> list[str]:
    """Return the lines a FITS file carries on where its calibration comes from, in ASCII."""
    lines = [f"{simulated(calibration)}calibration {calibration.name}, by mirical {__version__}"]
    lines += [f"{key}: {value}" for key, value in calibration.provenance.items()]
    if calibration.epochs:
        first = min(epoch for epoch, _ in calibration.epochs.values())
        last = max(epoch for _, epoch in calibration.epochs.values())
        lines.append(f"fitted to rows from MJD {first:.1f} to {last:.1f}")
    lines.append(errors_hold(calibration))
    return list(map(ascii_text, lines))


def write_covariance(
    made: Covariance, path: Path, about: str, lines: Sequence[str], simulated: bool
) -> None:
    """Write the file, whole or not at all.

    Parameters
    ----------
    made : Covariance
        What to write.
    path : Path
        FITS file; replaced if it exists.
    about : str
        What the values are, one line.
    lines : sequence of str
        Where they come from (`history`).
    simulated : bool
        Whether they rest on simulated rows.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    header = fits.Header()
    header["TITLE"] = ascii_text(("SIMULATED " if simulated else "") + about)[:68]
    header["ORIGIN"] = f"mirical {__version__}"
    header["SIMULATE"] = (simulated, "whether simulated rows are behind it")
    for line in lines:
        header.add_history(ascii_text(line))
    query = made.query
    points = Table({"filter": list(query.filters), "subarray": list(query.subarrays)})
    if made.objects:
        points.add_column(list(map(ascii_name, made.objects)), name="name", index=0)
    points["mjd"] = query.mjd * u.d
    unit, squared = made.unit.to_string(), (made.unit**2).to_string()
    points["value"], points["std"] = made.mean, made.std
    images = {"COVARIANCE": (made.covariance, squared)}
    images |= {_PART + name.upper(): (part, squared) for name, part in made.parts.items()}
    if made.draws is not None:
        images["DRAWS"] = made.draws, unit
    extensions = [fits.PrimaryHDU(header=header), fits.BinTableHDU(points, name="POINTS")]
    extensions[1].header["VALUNIT"] = unit
    if reference_of(query.instrument) != DEFAULT:
        extensions[1].header[_CARD] = ascii_text(reference_of(query.instrument))
    for name, (values, of) in images.items():
        extensions.append(fits.ImageHDU(np.asarray(values, dtype=float), name=name))
        extensions[-1].header["BUNIT"] = of
    with whole_file(path, ".fits") as beside:
        fits.HDUList(extensions).writeto(beside, checksum=True)


def read_covariance(path: Path | str, instrument: Instrument | None = None) -> Covariance:
    """Read the file `write_covariance` wrote.

    Parameters
    ----------
    path : Path or str
        The file.
    instrument : Instrument, optional
        Whose points they are; by default that of the card which the file names.

    Raises
    ------
    InputError
        If it is no such file, has changed since it was written, or holds what cannot be: other
        shapes, numbers that are not finite, matrices that are not symmetric or give some
        combination of points a negative variance, parts that do not add up, other units.
    """
    path = Path(path)
    contents = read_fits(path, _EXPECTED)
    points = contents.named("POINTS")
    images = _images(contents, path.name)
    if points is None or points.columns is None or "COVARIANCE" not in images:
        raise InputError(f"{path.name}: has no POINTS table and COVARIANCE; {_EXPECTED}.")
    if contents.changed:
        raise InputError(
            f"{path.name}: its checksum is wrong, so it has changed since it was written; make it "
            "again."
        )
    numbers = {name: _numbers(points.columns, name, path.name) for name in _NUMBERS}
    filters, subarrays = (_texts(points.columns, name, path.name) for name in _NAMES)
    unit = _unit(points.header.get("VALUNIT"), f"{path.name}: VALUNIT of POINTS")
    _refuse_other_units(contents, unit, path.name)
    named = _texts(points.columns, "name", path.name) if "name" in points.columns else ()
    of = instrument or load_instrument(str(points.header.get(_CARD, DEFAULT)), path.name)
    made = Covariance(
        query=Query.of(of, filters, subarrays, numbers["mjd"], f"{path.name}: POINTS"),
        mean=numbers["value"],
        covariance=images["COVARIANCE"],
        unit=unit,
        parts={
            name.removeprefix(_PART).lower(): part
            for name, part in images.items()
            if name.startswith(_PART)
        },
        draws=images.get("DRAWS"),
        objects=tuple(map(name_of_ascii, named)),
    )
    refuse_impossible(made, path.name)
    if not np.allclose(numbers["std"], made.std, rtol=_SAME_STD, atol=0):
        raise InputError(
            f"{path.name}: the standard deviations of POINTS are not those of COVARIANCE; the file "
            "was damaged or edited: make it again."
        )
    return made


def _images(contents: FitsContents, where: str) -> dict[str, Floats]:
    """Return the images but the primary one, by name, as numbers."""
    found: dict[str, Floats] = {}
    for one in contents.extensions:
        if one.image is None or one.name == "PRIMARY":
            continue
        if one.name in found:
            raise InputError(f"{where}: has several extensions {one.name}; {_EXPECTED}.")
        found[one.name] = one.image.astype(float)
    return found


def _column(columns: Columns, name: str, kinds: str, what: str, where: str) -> NDArray[Any]:
    column = columns.get(name)
    if column is None or column.ndim != 1 or column.dtype.kind not in kinds:
        raise InputError(f"{where}: POINTS has no column {name!r} of {what}; {_EXPECTED}.")
    return column


def _numbers(columns: Columns, name: str, where: str) -> Floats:
    return _column(columns, name, "fiu", "numbers", where).astype(float)


def _texts(columns: Columns, name: str, where: str) -> tuple[str, ...]:
    column = _column(columns, name, "SU", "texts", where)
    # Bytes that are no ASCII are no names of ours; the check of names shows them.
    texts = column if column.dtype.kind == "U" else np.char.decode(column, "ascii", "replace")
    return tuple(str(text).rstrip() for text in texts)


def _unit(text: object, where: str) -> u.UnitBase:
    # The empty text is the unit of ratios.
    try:
        return u.Unit(str(text)) if text is not None else u.Unit("missing")
    except ValueError as error:  # what astropy raises on a text that is no unit
        raise InputError(f"{where} is {text!r}, no unit; {_EXPECTED}.") from error


def _refuse_other_units(contents: FitsContents, unit: u.UnitBase, where: str) -> None:
    for one in contents.extensions:
        if one.name not in {"DRAWS", "COVARIANCE"} and not one.name.startswith(_PART):
            continue
        expected = unit if one.name == "DRAWS" else unit**2
        got = one.header.get("BUNIT")
        if got == f"({unit.to_string()})^2" and one.name != "DRAWS":
            continue  # as mirical 0.1.0 wrote it, which astropy does not read
        if _unit(got, f"{where}: BUNIT of {one.name}") != expected:
            raise InputError(
                f"{where}: {one.name} is in {got}, where values are in {unit}; the file was "
                "edited: make it again."
            )
