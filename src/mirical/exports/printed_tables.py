"""Tables 7 and 8 of a calibration for journals: LaTeX and machine-readable."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from mirical.calibration.calibration import Calibration, errors_hold, simulated
from mirical.exports.covariance_file import history
from mirical.number_text import floats
from mirical.storage.files import whole_file
from mirical.text import ascii_text
from mirical.version import __version__

_BLANK = r"\nodata"


def factor_table(calibration: Calibration) -> QTable:
    """Return Table 8: A, B, tau, C at the reference epoch, n_stars and repeatability of each band.

    Every number with its error where one is stated: absolute, where the calibration states the
    flux scale's; then also the relative error of C.
    """
    table = calibration.stated_coefficients()
    answer = calibration.at(calibration.in_reference(calibration.bands, calibration.reference_mjd))
    unit = calibration.instrument.factor_unit
    table["C"], table["C_std"] = answer.mean * unit, answer.std * unit
    table["sigma_cf_pct"] = 100 * answer.std / answer.mean * u.percent
    if calibration.absolute_parts:
        table["C_relative_std"] = answer.relative_std * unit
        table["sigma_relative_pct"] = 100 * answer.relative_std / answer.mean * u.percent
    table["n_stars"] = [calibration.n_stars[band] for band in calibration.bands]
    return table


def latex(calibration: Calibration) -> str:
    """Return Tables 8 and 7 as AASTeX deluxetables."""
    title = f"{simulated(calibration)}calibration of {calibration.name}, mirical"
    lines = [f"{title} {__version__}", *history(calibration)]
    origin = "\n".join(f"% {ascii_text(line)}" for line in lines)
    return "\n\n".join([origin, _table_8(calibration), _table_7(calibration)]) + "\n"


def _table_8(calibration: Calibration) -> str:
    table, instrument = factor_table(calibration), calibration.instrument
    of_factors = f"[{instrument.factor_text}]"
    columns = [
        _numbers(table["A"], table["A_std"]),
        _numbers(table["B"], table["B_std"]),
        _numbers(table["tau"], table["tau_std"], 1),
        _numbers(table["C"], table["C_std"]),
        _numbers(table["sigma_cf_pct"], None, 2),
        [f"{n:.5g}" for n in table["n_stars"]],
        _numbers(table["repeatability_pct"], table["repeatability_pct_std"], 2),
    ]
    heads = ["Band", "$A$", "$B$", r"$\tau$", "$C$", r"$\sigma$(CF)", "$n_{stars}$"]
    heads.append(r"$\sigma$(repeat)")
    units = ["", of_factors, of_factors, "[d]", of_factors]
    units += [r"[\%]", "", r"[\%]"]
    if "sigma_relative_pct" in table.colnames:
        columns.insert(5, _numbers(table["sigma_relative_pct"], None, 2))
        heads.insert(6, r"$\sigma_{rel}$(CF)")
        units.insert(6, r"[\%]")
    lines = [
        " & ".join([str(band), *entries])
        for band, *entries in zip(table["filter"], *columns, strict=True)
    ]
    mjd = calibration.reference_mjd
    covariance = calibration.at(calibration.in_reference(calibration.bands, mjd)).covariance
    correlated = np.any(covariance != np.diag(np.diag(covariance)))
    comment = (
        f"$C$ is the factor in {instrument.reference} at MJD {mjd:.0f}, $A$ that after the "
        f"response loss has decayed, $B$ the difference at MJD {instrument.t0:.0f}. "
        "$\\sigma$(CF) is the error of $C$ in percent of it"
        f"{'; errors of different bands are correlated' if correlated else ''}. "
        f"Note: {errors_hold(calibration)}."
    )
    return _deluxe(f"{simulated(calibration)}Calibration Factors", heads, units, lines, comment)


def _table_7(calibration: Calibration) -> str:
    private = calibration.private_readouts
    table = calibration.band_throughputs() if private else calibration.stated_subarrays()
    keys = {"filter": "Band", "subarray": "Subarray"} if private else {"subarray": "Subarray"}
    columns = *(table[key] for key in keys), _numbers(table["D"], table["D_std"])
    lines = [" & ".join(map(str, entries)) for entries in zip(*columns, strict=True)]
    of = "each subarray in each band" if private else "each subarray"
    comment = f"Throughput of {of} relative to {calibration.instrument.reference}."
    title = f"{simulated(calibration)}Subarray Throughput"
    heads = [*keys.values(), "$D_{SA}$"]
    return _deluxe(title, heads, [""] * len(heads), lines, comment)


def _deluxe(title: str, heads: list[str], units: list[str], lines: list[str], comment: str) -> str:
    names = " & ".join(rf"\colhead{{{head}}}" for head in heads)
    below = " & ".join(rf"\colhead{{{unit}}}" for unit in units) if any(units) else ""
    body = " \\\\\n".join(lines)
    head = f"{names} \\\\ {below}" if below else names
    return (
        f"\\begin{{deluxetable*}}{{l{'c' * (len(heads) - 1)}}}\n"
        f"\\tablecaption{{{title}}}\n"
        f"\\tablehead{{{head}}}\n"
        f"\\startdata\n{body}\n\\enddata\n"
        f"\\tablecomments{{{comment}}}\n"
        "\\end{deluxetable*}"
    )


def _numbers(column: Any, std: Any, places: int | None = None) -> list[str]:
    """Return each number with its error, as many places as the error has use for."""
    values = floats(column, getattr(column, "unit", None))
    errors = (
        np.full(len(values), np.nan) if std is None else floats(std, getattr(std, "unit", None))
    )
    said = []
    for number, error in zip(values, errors, strict=True):
        if not np.isfinite(number):
            said.append(_BLANK)
            continue
        stated = np.isfinite(error) and error > 0
        if not stated and places is None:
            said.append(f"${number:.5g}$")
            continue
        digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 6)) if places is None else places
        error_text = f" \\pm {error:.{digits}f}" if stated else ""
        said.append(f"${number:.{digits}f}{error_text}$")
    return said


_MRT = {
    "A": "Factor after the response loss has decayed",
    "B": "Amplitude of the response loss at MJD {t0:.0f}",
    "tau": "Time constant of the response loss",
    "C": "Factor in {reference} at MJD {mjd:.0f}",
    "repeatability_pct": "Repeatability of one observation",
}


def machine_readable(calibration: Calibration) -> Table:
    """Return Table 8 in columns for the journal's machine-readable format."""
    table = factor_table(calibration)
    instrument = calibration.instrument
    words: dict[str, Any] = {"mjd": calibration.reference_mjd, "t0": instrument.t0}
    words["reference"] = instrument.reference
    made = Table({"Band": [str(band) for band in table["filter"]]})
    made["Band"].description = "Band"
    for name, description in _MRT.items():
        unit = table[name].unit
        of_factors = unit == instrument.factor_unit
        in_text = f" [{instrument.factor_text}]" if of_factors else ""  # the format has no DN
        for column, label, what in (
            (name, name, f"{description.format(**words)}{in_text}"),
            (f"{name}_std", f"e_{name}", f"Error of {name}, one sigma{in_text}"),
        ):
            values = floats(table[column], unit)
            if not np.any(np.isfinite(values)):  # nothing is stated: a column of blanks misaligns
                continue
            made[label] = np.ma.masked_invalid(np.round(values, 6))
            made[label].unit, made[label].description = None if in_text else unit, what
    if "C_relative_std" in table.colnames:
        made["e_C_rel"] = np.round(floats(table["C_relative_std"]), 6)
        made[
            "e_C_rel"
        ].description = (
            f"Relative error of C, flux scale and types of star exact [{instrument.factor_text}]"
        )
    made["Nstars"] = np.round(np.array(table["n_stars"], dtype=float), 2)
    made["Nstars"].description = "Number of stars"
    return made


def write_machine_readable(calibration: Calibration, path: Path) -> None:
    """Write `machine_readable` with its title, whole or not at all.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    text = io.StringIO()
    machine_readable(calibration).write(text, format="ascii.mrt")
    title = f"{simulated(calibration)}calibration factors of {calibration.name}"
    filled = text.getvalue().replace("Title:", f"Title: {ascii_text(title)}", 1)
    filled = filled.replace("Authors:", f"Authors: mirical {__version__}", 1)
    origin = "; ".join(map(ascii_text, history(calibration)))
    filled = filled.replace("Table:", f"Table: {origin}", 1)
    with whole_file(path) as beside:
        beside.write_text(filled, encoding="utf-8")
