"""Forecast of C after the last row of a run: how its error grows, and what that rests on."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.calibration.posterior import PosteriorCalibration
from mirical.inference.quoted_errors import half_width
from mirical.laws.timelaw import LAWS
from mirical.number_text import Sheet, day, floats, number, text, words

AFTER = {0.0: "last row", 90.0: "+90 d", 180.0: "+180 d"} | {
    365.25 * years: f"+{years} yr" for years in (1, 2, 5)
}
"""Days after the last row that a report states the error at, and how it calls them."""

A_YEAR = 365.25

_VISIBLE = 0.005  # percent, in the two digits that are printed


def forecast_table(calibration: PosteriorCalibration) -> QTable:
    """Return the error of each band's factor at the last row of a run, and later.

    Returns
    -------
    QTable
        Columns filter, days_after [d] (since the last row in any band), mjd [d], band_last_mjd
        [d] (the last row in the band itself), C [the instrument's unit] in the reference readout,
        absolute_pct and relative_pct (its error as `mirical factors` states it, and that without
        flux scale and types of star) and change_pct (error of the ratio of C to that at the last
        row). Of the header, ``last_row_mjd``, ``time_law`` and ``rests_on``, a sentence.
    """
    bands, epochs = calibration.bands, calibration.epochs
    last = max(end for _, end in epochs.values())
    after = np.array(list(AFTER))
    filters, mjd = np.repeat(bands, len(after)), np.tile(last + after, len(bands))
    query = calibration.in_reference(filters.tolist(), mjd)
    found = calibration.at(query)
    logs = np.log(calibration.draws(query)).reshape(-1, len(bands), len(after))
    change = half_width(logs - logs[:, :, :1]).ravel()
    table = QTable({"filter": filters, "days_after": np.tile(after, len(bands)) * u.d})
    table["mjd"] = mjd * u.d
    table["band_last_mjd"] = np.array([epochs[str(band)][1] for band in filters]) * u.d
    table["C"] = found.mean * calibration.instrument.factor_unit
    for name, error in (("absolute", found.std), ("relative", found.relative_std)):
        table[f"{name}_pct"] = 100 * error / found.mean * u.percent
        table[f"{name}_pct"].info.description = f"Error of C, {name}, one sigma"
    table["change_pct"] = 100 * change * u.percent
    table.meta |= {
        "title": "Error of C after the last row",
        "last_row_mjd": last,
        "time_law": calibration.time_law,
        "rests_on": _rests_on(calibration, last),
    }
    return table


def _rests_on(calibration: PosteriorCalibration, last: float) -> str:
    """Say what the errors after the last row hold, and what they do not."""
    law = LAWS[calibration.time_law]
    settles = (
        " The law settles, so its error does not grow without end: that says that the loss is "
        "taken to end, not that it was seen to."
        if law.settles and "loss_per_year" not in law.of_band
        else ""
    )
    if "time_departure" not in calibration.departures:
        return (
            "After the last row there is the time law alone, with parameters as uncertain as the "
            "rows and priors leave them. The card has no term for a departure from the law "
            f"(time_departure): a change of it is in none of these errors.{settles}"
        )
    end = max(float(knot) for knot in calibration.run_draws.labels("knot"))
    return (
        "After the last row there are the time law and the card's departure from it "
        f"(time_departure), which adds to the errors up to MJD {end:.0f}, {end - last:.0f} d "
        "after the last row, and is held as it is from there on: later changes are in none of "
        f"these errors.{settles}"
    )


def forecast_sheet(table: QTable) -> Sheet:
    """Return the relative error of each band at the last row and after it."""
    lines = []
    for band in dict.fromkeys(words(table["filter"])):
        rows = table[np.asarray(words(table["filter"])) == band]
        errors = [number(percent, 2) for percent in floats(rows["relative_pct"])]
        seen = number(floats(rows["band_last_mjd"])[0], 1)
        lines.append((text(band), seen, *errors, number(floats(rows["change_pct"])[-1], 2)))
    return Sheet(
        f"Relative error of C (%) at the last row, MJD {table.meta['last_row_mjd']:.1f}, and after",
        ("Band", "last row, MJD", "then", *list(AFTER.values())[1:], "change"),
        tuple(lines),
        groups=(("In the band", 2), ("Relative error", len(AFTER)), ("In 5 yr", 1)),
    )


def age(table: QTable, reference_mjd: float) -> list[str]:
    """Say of when the last row is, how the errors grow after it, and what that rests on.

    Parameters
    ----------
    table : QTable
        As `forecast_table` makes it.
    reference_mjd : float
        Epoch of the report's one factor a band.
    """
    last = float(table.meta["last_row_mjd"])
    beyond = reference_mjd - last
    asked = f", {beyond:.0f} d before the epoch of the factors" if beyond > 0 else ""
    at = floats(table["days_after"])
    now, later = (floats(table["relative_pct"])[at == days] for days in (0.0, A_YEAR))
    fastest = int(np.argmax(later - now))
    band = list(dict.fromkeys(words(table["filter"])))[fastest]
    grown = (
        f"has grown most in {band}, from {now[fastest]:.2f} to {later[fastest]:.2f} %"
        if later[fastest] - now[fastest] >= _VISIBLE
        else "is no larger in any band"
    )
    return [
        f"The last row is of MJD {last:.1f} ({day(last)}){asked}.",
        f"A year after it the relative error of C {grown}.",
        str(table.meta["rests_on"]),
    ]
