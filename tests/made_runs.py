"""Runs made of constructed tables, without any sampling: what figures and report are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, vstack
from astropy.utils.masked import Masked

from miri_facts import BANDS, COUNT_RATE, FACTOR, MIRI, SUBARRAYS
from mirical.calibration.comparison import compare_coefficients
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration
from mirical.cards.card import parse_card
from mirical.chains.verdict import Verdict
from mirical.jobs.job import Job
from mirical.reporting.forecast import A_YEAR, AFTER
from mirical.tables.flags import FLAGS
from verdict import VERDICT

PUBLISHED = PublishedCalibration(MIRI)
FITTED = ("F560W", "F770W", "F1800W")
STARS = {"16 Cyg B": "SolarAnalogs", "G 191-B2B": "HotStars", "BD+60 1753": "ADwarfs"}
EPOCHS = (59730.0, 59790.0)
QUANTILES = {"q025": -2.0, "q16": -1.0, "q50": 0.0, "q84": 1.0, "q975": 2.0}
DEVIANT_ROW = 1

CARD = """
title = "A model of {odd} stars"
[term.factor]
means = "the factor, {odd}"
[term.factor.prior.A]
distribution = "log-normal"
median = 1.0
spread = 3.0
unit = "(MJy/sr)/(DN/s/pixel)"
reason = "flat over decades {odd}"
source = "the paper {odd}"
[term.repeatability.prior.repeatability_median]
distribution = "log-normal"
median = 0.004
spread = 0.6
unit = "1"
reason = "a few tenths of a percent"
[term.repeatability.prior.repeatability_spread]
distribution = "half-normal"
scale = 0.5
unit = "1"
reason = "a factor of two is usual"
[term.repeatability.prior.repeatability_limit]
distribution = "fixed"
value = 0.05
unit = "1"
reason = "test"
"""

ATTRS = {
    "job": "made",
    "card": "small",
    "seed": 59720,
    "photometry": "made.ecsv",
    "photometry_sha256": "c0ffee" * 10,
    "simulated": 0,
    "mirical": "0.1.0",
    "jax": "9.9.9",
}


def make_run(
    bands: Sequence[str] = FITTED,
    stars: Mapping[str, str] = STARS,
    shifts: Mapping[str, float] | None = None,
    verdict: Verdict = VERDICT,
    odd: str = "plain",
    **attrs: object,
) -> Any:
    """Return a run of some bands and stars.

    Factors are the published ones times 1 + `shifts`, with an error of 2 %;
    the first row is 40 % off; the last row is flagged; the last band has one
    row, in SUB64; `odd` stands in every text of the card.
    """
    coefficients = _coefficients(bands, len(stars), shifts or {})
    rows = _rows(bands, stars)
    tables = {
        "coefficients": coefficients,
        "subarrays": _subarrays(rows),
        "stars": _star_table(stars, bands),
        "rows": rows,
        "comparison": compare_coefficients(coefficients, PUBLISHED, MIRI),
        "curves": _curves(bands, rows),
        "forecast": _forecast(bands),
        "predictive": _predictive(rows),
    }
    return SimpleNamespace(
        job=Job("made", "made.ecsv", "small", "/home/somebody/fluxes.ecsv"),
        inputs=SimpleNamespace(card=parse_card(CARD.format(odd=odd), "small", "small.toml", MIRI)),
        posterior=SimpleNamespace(attrs=ATTRS | attrs),
        instrument=MIRI,
        verdict=verdict,
        tables=tables,
    )


def _coefficients(bands: Sequence[str], n_stars: int, shifts: Mapping[str, float]) -> QTable:
    table = QTable({"filter": list(BANDS)})
    fitted = np.isin(list(BANDS), bands)
    scale = 1 + np.array([shifts.get(band, 0.0) for band in BANDS])
    printed = [PUBLISHED.coefficients.loc[band] for band in BANDS]
    reference = PUBLISHED.at(Query.of(MIRI, list(BANDS), "FULL", 59760.0)).mean
    values = {
        "A": scale * [row["A"].value for row in printed] * FACTOR,
        "B": (scale * [row["B"].value for row in printed] - 0.001) * FACTOR,
        "tau": scale * [row["tau"].value for row in printed] * u.d,
        "C_ref": scale * reference * FACTOR,
    }
    for name, column in values.items():
        error = 0.02 * abs(column) + 1e-4 * column.unit
        table[name] = Masked(column, mask=~fitted)
        table[f"{name}_std"] = Masked(error, mask=~fitted)
    relative = 0.015 * table["C_ref"].unmasked
    table["C_ref_relative_std"] = Masked(relative, mask=~fitted)
    table["sigma_cf_pct"] = Masked(np.full(len(BANDS), 2.0), mask=~fitted) * u.percent
    table["aperture_pct"] = Masked(np.full(len(BANDS), 0.046), mask=~fitted) * u.percent
    table["repeatability_pct"] = Masked(np.full(len(BANDS), 0.4), mask=~fitted) * u.percent
    table["repeatability_pct_std"] = Masked(np.full(len(BANDS), 0.2), mask=~fitted) * u.percent
    table["n_stars"] = np.where(fitted, n_stars, 0)
    bases = {"A": "data", "B": "borrowed", "tau": "prior", "repeatability": "partly prior"}
    for name, word in bases.items():
        table[f"{name}_basis"] = np.where(fitted, word, "no data")
    table["C_ref_basis"] = np.where(fitted, "data", "no data")
    table.meta |= {"C_ref_mjd": 59760.0, "errors": "no error of the flux scale is stated"}
    return table


def _forecast(bands: Sequence[str]) -> QTable:
    """Return errors that start at 1, 2, 3 ... % and double in the first year, to stay there."""
    last, after = EPOCHS[1], list(AFTER)
    growth = np.interp(after, [0.0, A_YEAR], [1.0, 2.0])
    relative = np.outer(1 + np.arange(len(bands)), growth).ravel() * u.percent
    table = QTable({"filter": np.repeat(bands, len(after))})
    table["days_after"] = np.tile(after, len(bands)) * u.d
    table["mjd"] = table["days_after"] + last * u.d
    table["band_last_mjd"] = np.full(len(table), last) * u.d
    table["C"] = np.ones(len(table)) * FACTOR
    table["absolute_pct"], table["relative_pct"] = relative + 1 * u.percent, relative
    table["change_pct"] = relative / 2
    table.meta |= {"last_row_mjd": last, "time_law": "additive", "rests_on": "On the law alone."}
    return table


def _rows(bands: Sequence[str], stars: Mapping[str, str]) -> QTable:
    first, *_ = stars
    sightings = [
        (star, band, "FULL", epoch) for band in bands[:-1] for star in stars for epoch in EPOCHS
    ]
    sightings += [(first, bands[-1], "SUB64", EPOCHS[0]), (first, bands[0], "FULL", EPOCHS[1])]
    table = QTable({"row": np.arange(1, len(sightings) + 1)})
    for i, name in enumerate(("name", "filter", "subarray")):
        table[name] = [str(sighting[i]) for sighting in sightings]
    table["PID"], table["srctype"] = "1538", [stars[name] for name in table["name"]]
    table["time"] = [sighting[3] for sighting in sightings] * u.d
    table["iflux"] = np.full(len(table), 4370.0) * COUNT_RATE
    table["ifluxunc"] = np.full(len(table), 5.4) * COUNT_RATE
    flagged = np.arange(len(table)) == len(table) - 1
    table["flag"] = np.where(flagged, "inconsistent", "")
    table["fate"] = np.where(flagged, "flagged", "used")
    table["reason"] = [FLAGS[str(flag)] for flag in table["flag"]]
    deviant = table["row"] == DEVIANT_ROW
    table["residual_sigma"] = Masked(np.where(deviant, 77.7, 0.5), mask=flagged)
    table["outlier_probability"] = Masked(np.where(deviant, 0.999, 0.01), mask=flagged)
    return table


def _subarrays(rows: QTable) -> QTable:
    table = QTable({"subarray": list(SUBARRAYS)})
    table["D"], table["D_std"] = [1.0, 1.01, 0.99, 1.0, 0.97], [0.0, 0.04, 0.04, 0.04, 0.03]
    table["n_rows"] = [int(np.sum(rows["subarray"] == name)) for name in SUBARRAYS]
    table["basis"] = ["by definition", "prior", "prior", "prior", "partly prior"]
    return table


def _star_table(stars: Mapping[str, str], bands: Sequence[str]) -> QTable:
    table = QTable({"name": list(stars), "srctype": list(stars.values())})
    n = len(table)
    table["offset_pct"] = np.linspace(-2.0, 2.1, n) * u.percent
    table["offset_pct_std"] = np.linspace(1.0, 1.5, n) * u.percent
    table["largest_colour_band"] = bands[0]
    table["largest_colour_pct"] = np.linspace(4.0, 0.5, n) * u.percent
    table["largest_colour_pct_std"] = np.full(n, 1.0) * u.percent
    table["n_rows"], table["n_bands"] = np.arange(1, n + 1), 2
    table["basis"] = ["data", *["partly prior"] * (n - 2), "prior"]
    return table


def _curves(bands: Sequence[str], rows: QTable) -> QTable:
    pieces = []
    for band in bands:
        epochs = rows["time"][(rows["filter"] == band) & (rows["fate"] == "used")].value
        mjd = np.union1d(np.linspace(59720, 60000, 15), [epochs.min(), epochs.max()])
        printed = PUBLISHED.at(Query.of(MIRI, band, "FULL", mjd))
        piece = QTable({"filter": np.full(len(mjd), band), "mjd": mjd * u.d})
        for name, sigma in QUANTILES.items():
            piece[f"c_{name}"] = printed.mean * (1.01 + 0.02 * sigma) * FACTOR
        piece["published"] = printed.mean * FACTOR
        piece["published_std"] = printed.std * FACTOR
        piece["within_data"] = (mjd >= epochs.min()) & (mjd <= epochs.max())
        pieces.append(piece)
    return vstack(pieces)


def _predictive(rows: QTable) -> QTable:
    used = rows[rows["fate"] == "used"]
    table = used["row", "name", "srctype", "filter", "subarray"]
    table["mjd"] = used["time"]
    deviant = table["row"] == DEVIANT_ROW
    sound = 0.3 * np.sin(np.arange(len(table)))
    table["observed"] = np.where(deviant, 40.0, sound) * u.percent
    for name, sigma in QUANTILES.items():
        table[name] = np.full(len(table), 0.8 * sigma) * u.percent
    table["tail"] = np.where(deviant, 1.0, 0.5 + 0.5 * sound)
    table["outlier_probability"] = np.asarray(used["outlier_probability"].unmasked)
    bands = [str(band) for band in table["filter"]]
    published = PUBLISHED.at(Query.of(MIRI, bands, "FULL", table["mjd"].value)).mean
    table["factor_full"] = published * (1 + table["observed"].value / 100) * FACTOR
    table["factor_full_std"] = 0.003 * table["factor_full"]
    table["factor_aligned"] = 1.01 * table["factor_full"]
    table["factor_curve"] = published * FACTOR
    return table
