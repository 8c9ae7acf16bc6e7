"""Table of the true values behind a simulated program."""

from __future__ import annotations

from collections.abc import Iterator

from astropy.table import QTable, Table

from mirical.simulation.errors_and_faults import DUSTY_STAR, REDUCTIONS, Disturbances, Faults
from mirical.simulation.truth import Coefficients

Record = tuple[str, str, str, str, float, str]

_COLUMNS = {
    "quantity": "A, B, tau, repeatability, D, D_band and the offsets as a posterior names them; "
    "debris_disk, off_visit and deviant where there are any",
    "filter": "Band, where the quantity has one",
    "subarray": "Subarray, where the quantity has one",
    "name": "Star, star type, visit (star and visit id) or row number counted from 1",
    "value": "True value; offsets in ln C, deviant as the missing fraction of the flux",
    "unit": "Its unit",
}


def truth_table(
    rows: QTable, coefficients: Coefficients, drawn: Disturbances, faults: Faults
) -> Table:
    """Return every true value of a program, one a line.

    Parameters
    ----------
    rows : QTable
        The program's exposures; only what they touch is listed of the offsets.
    coefficients : Coefficients
        The true calibration.
    drawn : Disturbances
        What moved the rows off it.
    faults : Faults
        What was wrong on purpose.

    Returns
    -------
    Table
        Columns quantity, filter, subarray, name, value, unit.
    """
    records = [
        *_calibration(coefficients),
        *_offsets(rows, drawn),
        *_faults(rows, drawn, faults, coefficients),
    ]
    table = Table(rows=records, names=list(_COLUMNS))
    for column, text in _COLUMNS.items():
        table[column].info.description = text
    return table


def _calibration(coefficients: Coefficients) -> Iterator[Record]:
    instrument = coefficients.instrument
    units = {
        "A": instrument.factor_unit.to_string(),
        "B": instrument.factor_unit.to_string(),
        "tau": "d",
        "repeatability": "1",
    }
    for quantity, unit in units.items():
        for band, value in zip(instrument.bands, getattr(coefficients, quantity), strict=True):
            yield quantity, band, "", "", float(value), unit
    for quantity, values in coefficients.of_law.items():
        if values.ndim:
            for band, value in zip(instrument.bands, values, strict=True):
                yield quantity, band, "", "", float(value), "1"
        else:
            yield quantity, "", "", "", float(values), "1"
    for j, subarray in enumerate(instrument.subarrays):
        yield "D", "", subarray, "", float(coefficients.D[j]), "1"
        for i, band in enumerate(instrument.bands):
            yield "D_band", band, subarray, "", float(coefficients.D_band[i, j]), "1"


def _offsets(rows: QTable, drawn: Disturbances) -> Iterator[Record]:
    if drawn.flux_scale:
        yield "flux_scale", "", "", "", drawn.flux_scale, "1"
    for kind, value in drawn.type_offset.items():
        yield "type_offset", "", "", kind, value, "1"
    for (kind, band), value in drawn.type_band_offset.items():
        if value:
            yield "type_band_offset", band, "", kind, value, "1"
    for star in dict.fromkeys(map(str, rows["name"])):
        yield "star_offset", "", "", star, drawn.star_offset[star], "1"
    pairs = zip(map(str, rows["name"]), map(str, rows["filter"]), strict=True)
    for star, band in dict.fromkeys(pairs):
        yield "star_band_offset", band, "", star, drawn.star_band_offset[star, band], "1"
    for visit, value in drawn.visit_offset.items():
        yield "visit_offset", "", "", visit, value, "1"


def _faults(
    rows: QTable, drawn: Disturbances, faults: Faults, coefficients: Coefficients
) -> Iterator[Record]:
    for band, excess in drawn.debris_disk.items():
        if excess:
            yield "debris_disk", band, "", DUSTY_STAR, excess, "1"
    for subarray, value in drawn.reduction_offset.items():
        yield "reduction_offset", "", subarray, REDUCTIONS[0], value, "1"
    if faults.step:
        for band in coefficients.instrument.bands:
            yield "step", band, "", f"{faults.step_mjd:.10g}", faults.step, "1"
    if faults.fnd_rate_slope:
        yield "rate_slope", "FND", "", "", faults.fnd_rate_slope, "1"
    if drawn.off_visit is not None:
        yield "off_visit", "", "", drawn.off_visit, drawn.visit_offset[drawn.off_visit], "1"
    for number, (row, missing) in enumerate(zip(rows, drawn.deviant, strict=True), start=1):
        if missing:
            band, subarray = str(row["filter"]), str(row["subarray"])
            yield "deviant", band, subarray, str(number), float(missing), "1"
