"""Audit of the difference between a run and the published factors, one change at a time.

Each step changes one thing of how a band's factor at the reference epoch in
the reference readout comes about, and what that does to ln C is its part. The parts telescope,
so they sum to the whole difference exactly; their sizes depend on the order,
which is that of the paper's own stages:

    published            the paper's number
    rows                 the staged procedure on this run's rows, published D: other rows than
                         the paper's, other predicted fluxes, and what it does not spell out
    aperture correction  the run's apertures instead of the published ones
    law                  the model's response loss instead of the staged fit's
    subarrays            the model's D in each band instead of the published D
    clipping             no row left out
    weighting            rows weighted by their errors and those they share, of star, type and
                         visit, as large as the model found them, instead of stars equally
    star offsets         the whole model: a star's, type's or visit's offset in one band tells
                         of it in all, and rows may go wrong
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.audits.parts import shared_covariance, table_of_parts, weighted
from mirical.calibration.provenance import run_record, stamp
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.jobs.inputs import Inputs
from mirical.laws.timelaw import LAWS, log_relative_factor
from mirical.number_text import percent, words
from mirical.staged.averages import StagedRows, clipped_average, star_weights
from mirical.staged.point_fits import fit_staged
from mirical.tables.apertures import published_apertures

Floats = NDArray[np.float64]

PARTS = {
    "rows": "other rows and fluxes than the paper's",
    "aperture": "the aperture correction",
    "law": "the time law",
    "subarrays": "the subarray ratios",
    "clipping": "the clipping of rows",
    "weighting": "the weighting of rows and stars",
    "stars": "what stars, types and visits are off in all bands together",
}
"""Part by column, and what a sentence calls it."""

_NEEDED = "D_band", "C_ref", "sigma"


def audit(posterior: xr.DataTree, inputs: Inputs) -> QTable:
    """Return each band's difference from the published factor as a sum of parts.

    Parameters
    ----------
    posterior, inputs : DataTree, Inputs
        A run's, as `mirical.reporting.stored_inputs.open_run` returns them.

    Returns
    -------
    QTable
        Columns filter; one a part (`PARTS`) and total [%, 100 times the change of ln C];
        biggest: the largest part.

    Raises
    ------
    InputError
        If the posterior lacks what the walk needs.
    """
    design, instrument = inputs.design, inputs.factors.observations.instrument
    published = PublishedCalibration(instrument)
    group = posterior["posterior"].to_dataset()
    law = inputs.card.law
    parameters = LAWS[law].parameters
    lacking = [name for name in (*parameters, *_NEEDED) if name not in group]
    if lacking:
        raise InputError(
            f"posterior.nc: holds no {', '.join(lacking)}; another version wrote it: run the job "
            "again."
        )
    mean = {name: group[name].mean(("chain", "draw")).values for name in (*parameters, "D_band")}
    factor = np.log(np.asarray(group["C_ref"])).mean(axis=(0, 1))
    bands = [band for band in design.bands if band in published.bands]
    staged = fit_staged(inputs.factors, published.throughput)
    rows = StagedRows.of(inputs.factors)
    sigma = np.asarray(group["sigma"]).mean(axis=(0, 1))
    mjd = float(posterior.attrs.get("reference_mjd", instrument.reference_mjd))
    walks = []
    for band in bands:
        b = design.bands.index(band)
        here = rows.band == band
        mine = rows.where(here)
        query = published.in_reference(band, mjd)
        correction = np.log(inputs.factors.apertures[band].correction) - np.log(
            published_apertures(instrument)[band].correction
        )
        at_staged = float(np.log(staged.at(query).mean[0]))
        tables = (
            _given_ratios(mine, published.throughput),
            _given_ratios(mine, dict(zip(design.subarrays, mean["D_band"][b], strict=True))),
        )
        of_band = {name: mean[name] for name in LAWS[law].parameters}
        relative = np.exp(log_relative_factor(law, mine.elapsed, of_band, b))
        reference = np.array([mjd - instrument.t0])
        at_reference = float(log_relative_factor(law, reference, of_band, b)[0])
        given, ours = (mine.factor * ratios / relative for ratios in tables)
        predicted = np.asarray(design.free)[np.asarray(design.star)] == 0
        fitted = predicted & (np.asarray(design.band) == b)
        covariance = shared_covariance(posterior, design, fitted, sigma)
        walks.append(
            [
                float(np.log(published.at(query).mean[0])),
                at_staged + correction,
                at_staged,
                np.log(clipped_average(given, mine.star).mean) + at_reference,
                np.log(clipped_average(ours, mine.star).mean) + at_reference,
                np.log(np.average(ours, weights=star_weights(mine.star))) + at_reference,
                weighted(np.log(ours), covariance) + at_reference,
                factor[b],
            ]
        )
    told = {name: f"100 times the change of ln C by {what}" for name, what in PARTS.items()}
    table = table_of_parts(
        bands, 100 * np.diff(np.array(walks, dtype=float), axis=1), u.percent, told
    )
    table.meta |= {"title": "Difference from the published factors as a sum of parts"}
    table.meta["C_ref_mjd"] = mjd
    stamp(table, run_record(posterior.attrs))
    return table


def audit_sentences(table: QTable) -> tuple[str, ...]:
    """Return a sentence a band: how far off, and its biggest cause."""
    said = []
    for row in table:
        cause = str(row["biggest"])
        said.append(
            f"{row['filter']}: {percent(float(row['total'].value))} from published; most by "
            f"{PARTS[cause]} ({percent(float(row[cause].value))})."
        )
    return tuple(said)


def _given_ratios(rows: StagedRows, throughput: dict[str, float]) -> Floats:
    return np.array([throughput[name] for name in words(rows.subarray)])
