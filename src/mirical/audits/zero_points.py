"""Audit of the difference between a run and zero points of others, one change at a time.

Each step changes one thing of how a band's zero point in the reference readout comes about; the
parts telescope, so they sum to the whole difference:

    published      the zero point of the table
    rows           the mean over the standard stars, each weighing one, of the run's rows in the
                   reference readout, outliers clipped, with the magnitudes that the table assumed
    fluxes         the run's predicted fluxes instead of those magnitudes
    readouts       rows of other readouts as well, brought to the reference by the model's D
    law            all rows brought to the reference epoch by the model's time law
    weighting      rows weighted by their errors and those they share, of star and visit, as large
                   as the model found them
    remainder      the whole model: stars of free flux, and what a star is off in all bands
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.audits.parts import shared_covariance, table_of_parts, weighted
from mirical.calibration.provenance import run_record, stamp
from mirical.calibration.zero_point_table import ZeroPointCalibration
from mirical.instruments.magnitudes import PER_MAGNITUDE, magnitudes
from mirical.jobs.inputs import Inputs
from mirical.laws.timelaw import LAWS, log_relative_factor
from mirical.number_text import signed, words
from mirical.staged.averages import clipped_average

Floats = NDArray[np.float64]

PARTS = {
    "rows": "the mean of the standard stars' own rows",
    "fluxes": "the predicted fluxes of the standard stars",
    "readouts": "rows of other readouts",
    "law": "the time law",
    "weighting": "the weighting of rows and stars",
    "remainder": "the rest of the model",
}
"""Part by column, and what a sentence calls it."""


def audit_zero_points(
    posterior: xr.DataTree, inputs: Inputs, table: ZeroPointCalibration
) -> QTable:
    """Return each band's difference from a zero point as a sum of parts.

    Parameters
    ----------
    posterior, inputs : DataTree, Inputs
        A run's, as `mirical.reporting.stored_inputs.open_run` returns them.
    table : ZeroPointCalibration
        The zero points.

    Returns
    -------
    QTable
        Columns filter; one a part (`PARTS`) and total [mag]; biggest: the largest part.
    """
    design, instrument = inputs.design, inputs.instrument
    group = posterior["posterior"].to_dataset()
    law = inputs.card.law
    names = (*LAWS[law].parameters, "D_band")
    mean = {name: group[name].mean(("chain", "draw")).values for name in names}
    ours = np.log(np.asarray(group["C_ref"])).mean(axis=(0, 1))
    sigma = np.asarray(group["sigma"]).mean(axis=(0, 1))
    mjd = float(posterior.attrs["reference_mjd"])
    band, subarray, star = (np.asarray(getattr(design, n)) for n in ("band", "subarray", "star"))
    predicted = np.asarray(design.free)[star] == 0
    assumed = _assumed(inputs, table)
    bands = [one for one in design.bands if one in table.bands]
    walks = []
    for name in bands:
        b = design.bands.index(name)
        here = np.flatnonzero(predicted & (band == b) & np.isfinite(assumed))
        names_of = np.array([design.stars[s] for s in star[here]])
        at_reference = subarray[here] == 0
        values = np.asarray(design.log_factor)[here]
        to_full = values + np.log(mean["D_band"][b, subarray[here]])
        of_law = {key: mean[key] for key in LAWS[law].parameters}
        days = np.append(np.asarray(design.elapsed)[here], mjd - instrument.t0)
        relative = log_relative_factor(law, days, of_law, np.full(len(days), b))
        at_epoch = to_full - relative[:-1] + relative[-1]
        first = _clipped(values + assumed[here], names_of, at_reference)
        kept = at_reference & first
        every = _clipped(at_epoch, names_of, np.ones(len(here), dtype=bool))
        covariance = shared_covariance(posterior, design, _mask(len(band), here[every]), sigma)
        zero = table.at(table.in_reference(name, mjd)).mean[0]
        walks.append(
            [
                float(np.log(zero)),
                _of_stars((values + assumed[here])[kept], names_of[kept]),
                _of_stars(values[kept], names_of[kept]),
                _of_stars(to_full[every], names_of[every]),
                _of_stars(at_epoch[every], names_of[every]),
                weighted(at_epoch[every], covariance),
                ours[b],
            ]
        )
    # A larger factor is a smaller zero point.
    steps = -PER_MAGNITUDE * np.diff(np.array(walks, dtype=float), axis=1)
    told = {name: f"Change of the zero point by {what}" for name, what in PARTS.items()}
    made = table_of_parts(bands, steps, u.mag, told)
    made.meta |= {"title": f"Difference from the zero points of {table.name} as a sum of parts"}
    made.meta["C_ref_mjd"] = mjd
    stamp(made, run_record(posterior.attrs))
    return made


def zero_point_sentences(table: QTable) -> tuple[str, ...]:
    """Return a sentence a band: how far off, its biggest cause, and what is left unexplained."""
    return tuple(
        f"{row['filter']}: {_mmag(row['total'])} from the table's zero point; most by "
        f"{PARTS[str(row['biggest'])]} ({_mmag(row[str(row['biggest'])])}); remainder "
        f"{_mmag(row['remainder'])}."
        for row in table
    )


def _mmag(value: u.Quantity) -> str:
    return signed(1000 * float(value.to_value("mag")), 1, " mmag").text


def _assumed(inputs: Inputs, table: ZeroPointCalibration) -> Floats:
    """Return what ln C of each fitted row changes by with the magnitudes that a table assumed.

    NaN where it assumed none.
    """
    design, rows = inputs.design, inputs.factors.observations.table
    place = {int(row): i for i, row in enumerate(rows["row"])}
    at = [place[row] for row in design.rows]
    stars, bands = (np.array(words(rows[name]))[at] for name in ("name", "filter"))
    flux = rows["model_flux"][at]
    system = inputs.instrument.factor.view or "AB"
    ours = magnitudes(flux, bands.tolist(), system, inputs.instrument)
    theirs = [table.assumed.get(pair, np.nan) for pair in zip(stars, bands, strict=True)]
    return (ours - np.array(theirs)) / PER_MAGNITUDE


def _clipped(values: Floats, stars: NDArray[np.str_], of: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows the clipped average of some keeps."""
    kept = np.zeros(len(values), dtype=bool)
    if of.any():
        kept[np.flatnonzero(of)] = clipped_average(values[of], stars[of]).kept
    return kept


def _of_stars(values: Floats, stars: NDArray[np.str_]) -> float:
    """Return the mean of the stars' means."""
    return float(np.mean([values[stars == star].mean() for star in dict.fromkeys(stars.tolist())]))


def _mask(length: int, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    mask = np.zeros(length, dtype=bool)
    mask[places] = True
    return mask
