"""Tables of a check: a line for each row, star, band or question."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import xarray as xr
from arviz_stats.ecdf_utils import ecdf_pit
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.special import logsumexp

from mirical.checking.infrared_excess import TEMPERATURES, amplitude_of, probability
from mirical.checking.predictive_pvalues import ALARM, ALARM_MEDIAN, check_outcomes
from mirical.checking.quantities import (
    K_LIMIT,
    AtDraw,
    k_limit,
    slope_posterior,
    smoothed,
    star_influence,
)
from mirical.checking.score_directions import PARAMETERS, slopes
from mirical.checking.star_refits import StarRefits, without_stars
from mirical.checking.step_scan import named_step
from mirical.checking.verdict import QUESTIONS
from mirical.inference.leave_one_out import rows_told, stored_leave_one_out
from mirical.jobs.inputs import Inputs
from mirical.model.design import Design
from mirical.number_text import floats

Floats = NDArray[np.float64]

TIME = "time"

PIT_BAND = 0.95
"""How often the shares of independent rows of a right model stay in the band all along."""
_BAND_SIMULATIONS = 2000


def slope_columns(design: Design, parameters: dict[str, Floats]) -> dict[tuple[str, str], Floats]:
    """Return each slope's direction by parameter and band: a decade, in time a year."""
    found = {
        (name, band): column
        for name in PARAMETERS
        if name in parameters
        for band, column in slopes(design, parameters[name]).items()
    }
    elapsed, place = np.asarray(design.elapsed) / 365.25, np.asarray(design.band)
    for b, band in enumerate(design.bands):
        here = place == b
        if np.ptp(elapsed[here]) > 0 and here.sum() > 2:
            found[TIME, band] = np.where(here, elapsed - elapsed[here].mean(), 0.0)
    return found


def check_table(each: list[AtDraw], steps: QTable) -> QTable:
    """Return every check with its p-value, and where the rows depart most.

    Date and size of a step of all bands are those of all draws, of `steps`.
    """
    asked = [one.findings for one in each if one.findings is not None]
    found = check_outcomes(asked)
    first = [answer.finding for answer in found]
    if len(steps):
        at = [finding.check for finding in first].index("step")
        step = named_step(steps)
        first[at] = replace(
            first[at], label=step.where, size=step.size / 100, size_unc=step.size_unc / 100
        )
    table = QTable()
    table["check"] = [finding.check for finding in first]
    table["question"] = [QUESTIONS[finding.check] for finding in first]
    table["p_value"] = [finding.p_value for finding in first]
    table["p_median"] = [answer.p_median for answer in found]
    table["fires"] = [answer.fires for answer in found]
    table["extreme"] = [finding.label for finding in first]
    table["z"] = [round(finding.z, 2) for finding in first]
    table["size"] = 100 * np.array([finding.size for finding in first]) * u.percent
    table["size_unc"] = 100 * np.array([finding.size_unc for finding in first]) * u.percent
    table["p_value"].info.description = "Share of replicates as extreme, at one posterior draw"
    table["p_median"].info.description = f"Median over {len(asked)} draws"
    table["fires"].info.description = f"Median p below {ALARM_MEDIAN}"
    table["extreme"].info.description = "Where the rows depart most"
    table["size"].info.description = "Departure of ln C there (per decade for a dependence)"
    table.meta |= {"title": "Predictive checks", "alarm": ALARM}
    return table


def dependence_table(
    each: list[AtDraw],
    columns: dict[tuple[str, str], Floats],
    design: Design,
    parameters: dict[str, Floats],
) -> QTable:
    """Return each band's slope with each parameter."""
    mean, std, k = slope_posterior(each) if columns else (np.zeros(0),) * 3
    table = QTable()
    table["parameter"] = [name for name, _ in columns]
    table["filter"] = [band for _, band in columns]
    table["slope"] = 100 * mean * u.percent
    table["slope_unc"] = 100 * std * u.percent
    table["sigma"] = mean / np.where(std > 0, std, 1)
    table["span"] = [float(np.ptp(column)) for column in columns.values()]
    table["rows"] = [int(np.sum(column != 0)) for column in columns.values()]
    table["pareto_k"] = k
    table["slope"].info.description = "Change of C a decade of the parameter; a year for time"
    table["span"].info.description = "Decades (years) the rows span"
    table.meta |= {"title": "Dependence of C on source and detector", "pareto_k_limit": K_LIMIT}
    return table


def anomaly_table(each: list[AtDraw], design: Design) -> QTable:
    """Return each star's probability of an infrared excess, and its size if there is one.

    Stars of unknown flux have no line: they cannot exceed a prediction.
    """
    known = np.flatnonzero(np.asarray(design.free) == 0)
    stars = [[one.stars[i] for i in known] for one in each]
    factors = np.array([[star.log_bayes_factor for star in at_draw] for at_draw in stars])
    grids = np.array([[star.excess - star.without for star in at_draw] for at_draw in stars])
    log_weights = logsumexp(grids, axis=0)  # (star, temperature, amplitude)
    amplitude, error = np.array([amplitude_of(logsumexp(w, axis=0)) for w in log_weights]).T
    hottest = np.argmax(logsumexp(log_weights, axis=2), axis=1)
    table = QTable()
    table["name"] = [design.stars[i] for i in known]
    table["p_excess"] = [probability(of_star) for of_star in factors.T]
    table["excess"] = 100 * amplitude * u.percent
    table["excess_unc"] = 100 * error * u.percent
    table["temperature"] = np.array(TEMPERATURES)[hottest] * u.K
    table["p_excess"].info.description = "Probability of an excess with the colours of dust"
    table["excess"].info.description = "At 25.4 micron, if there is one"
    table["temperature"].info.description = "Likeliest of the temperatures tried, if there is one"
    table.meta["title"] = "Infrared excess of the stars"
    return table


def influence_table(each: list[AtDraw], inputs: Inputs, refits: StarRefits | None) -> QTable:
    """Return the change of each A without each star.

    Those whose effect the draws cannot tell are fitted without, as `refits` says; if that is None,
    their effect is not told.
    """
    design = inputs.design
    shift, std, k = star_influence(each)
    n_stars, n_bands = shift.shape
    limit = k_limit(len(each))
    basis = np.where(k < limit, "formula", "unknown").astype(object)
    whole = np.mean([one.log_a for one in each], axis=0)
    far = np.flatnonzero(k >= limit).tolist()
    if refits is not None:
        for s, found in without_stars(design, inputs.card, far, refits).items():
            shift[s] = found - whole
            basis[s] = "refit" if np.any(np.isfinite(found)) else "unknown"
    table = QTable()
    table["name"] = np.repeat(design.stars, n_bands)
    table["filter"] = np.tile(design.bands, n_stars)
    seen = np.zeros(shift.shape, dtype=int)
    np.add.at(seen, (np.asarray(design.star), np.asarray(design.band)), 1)
    alone = seen == seen.sum(axis=0)
    table["rows"] = seen.ravel()
    table["alone"] = alone.ravel()
    table["shift"] = 100 * shift.ravel() * u.percent
    table["shift_sigma"] = (shift / std).ravel()
    table["pareto_k"] = np.repeat(k, n_bands)
    table["basis"] = np.repeat(basis.astype(str), n_bands)
    table["shift"].info.description = "Change of A if the star is left out"
    table["shift_sigma"].info.description = "The same in posterior standard deviations of ln A"
    table["alone"].info.description = "No other star has rows in the band: without it, the prior"
    table["basis"].info.description = "Formula, refit, or unknown where the draws do not reach"
    table.meta |= {"title": "Effect of each star on A", "pareto_k_limit": limit}
    return table


def loo_table(each: list[AtDraw], posterior: xr.DataTree, design: Design) -> QTable:
    """Return how well each row is predicted by all others.

    The densities are those that the run stored, of all its draws; the shares below the rows are of
    the draws looked at.
    """
    with warnings.catch_warnings():
        # That some rows' Pareto k is large is a column of the table and a sentence of the verdict.
        warnings.filterwarnings("ignore", "Estimated shape parameter", UserWarning)
        found = stored_leave_one_out(posterior)
    log_likelihood = np.array([one.log_likelihood for one in each])
    weights = smoothed(-log_likelihood.T).weights
    pit = np.sum(weights * np.array([one.pit for one in each]).T, axis=1)
    table = QTable()
    table["row"] = list(design.rows)
    table["name"] = [design.stars[s] for s in np.asarray(design.star)]
    table["filter"] = [design.bands[b] for b in np.asarray(design.band)]
    told = rows_told(np.asarray(posterior["log_likelihood"]["log_factor"]))
    for name, values in (("elpd", found.elpd_i), ("pareto_k", found.pareto_k)):
        table[name] = np.zeros(len(told))
        table[name][told] = np.asarray(values)
    table["pit"] = np.clip(pit, 0, 1)
    table["elpd"].info.description = "Log density of ln C given all other rows"
    table["pit"].info.description = "Share of the prediction from all other rows below the row"
    table.meta |= {
        "title": "Leave-one-out prediction of the rows",
        "elpd": round(float(found.elpd), 2),
        "elpd_se": round(float(found.se), 2),
        "p_loo": round(float(found.p), 2),
    }
    return table


def pit_table(rows: QTable) -> QTable:
    """Return how far the shares below the rows are from uniform, with the simultaneous band.

    ArviZ's own leave-one-out shares compare rows with replicates given the offsets, and a row that
    alone determines an offset predicts itself; those of `loo_table` do not.
    """
    pit = floats(rows["pit"])
    known = pit[np.isfinite(pit)]  # a free star's only row in a band is predicted by no other
    at, share, lower, upper = ecdf_pit(known, PIT_BAND, _BAND_SIMULATIONS)
    table = QTable()
    table["share"] = at
    for name, values in (("difference", share), ("lower", lower), ("upper", upper)):
        table[name] = values - at
    table["share"].info.description = "Share of the prediction from all other rows below a row"
    table["difference"].info.description = "Share of the rows below that, minus what is expected"
    off = np.maximum(share - upper, lower - share)
    table.meta |= {
        "title": "Leave-one-out shares of the rows against uniform ones",
        "band": PIT_BAND,
        "inside": bool(np.all(off <= 1e-12)),
    }
    return table


def point_table(posterior: xr.DataTree, design: Design, parameters: dict[str, Floats]) -> QTable:
    """Return each row's residual beside what it may depend on, for the figures."""
    group = posterior["posterior"].to_dataset()
    expected = np.asarray(group["expected"]).mean(axis=(0, 1))
    sigma = np.asarray(group["sigma"]).mean(axis=(0, 1))
    star, visit = np.asarray(design.star), np.asarray(design.visit)
    table = QTable()
    table["row"] = list(design.rows)
    table["name"] = [design.stars[s] for s in star]
    table["srctype"] = [design.types[t] for t in np.asarray(design.star_type)[star]]
    table["filter"] = [design.bands[b] for b in np.asarray(design.band)]
    table["subarray"] = [design.subarrays[a] for a in np.asarray(design.subarray)]
    table["visit"] = [design.visits[v] for v in visit]
    # The visit's and the star's own offsets stay in the residual: a dependence may hide in them.
    own = np.asarray(group["star_band_offset"]).mean(axis=(0, 1))[star, np.asarray(design.band)]
    table["off"] = 100 * (np.asarray(design.log_factor) - expected + own) * u.percent
    table["off_unc"] = 100 * sigma * u.percent
    for name, values in parameters.items():
        table[name] = values
    table[TIME] = np.asarray(design.elapsed) / 365.25 * u.yr
    table[TIME].info.description = f"Time since MJD {design.t0:.0f}"
    table["off"].info.description = "ln C beyond time law, subarray, star and visit"
    table.meta["title"] = "Rows beside what they may depend on"
    return table
