"""Numbers that the figures show: curves of C(t), rows on them, predictive intervals."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.draws import Draws
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.published import PublishedCalibration
from mirical.inference.posterior_predictive import RowChecks
from mirical.inference.quoted_errors import mean_and_error
from mirical.inference.schema import FLUX_SCALE
from mirical.instruments.instrument import Instrument
from mirical.model.design import Design

_QUANTILES = {"q025": 0.025, "q16": 0.16, "q50": 0.5, "q84": 0.84, "q975": 0.975}
_POINTS = 61
_BEYOND = 200.0  # days shown after the last row, where only the time law and its priors speak
_NORMAL_95 = 1.96  # standard deviations to either side that hold 95 % of a normal distribution


def band_curves(
    calibration: PosteriorCalibration, published: PublishedCalibration | None, design: Design
) -> QTable:
    """Return C(t) of each fitted band in the reference readout, with the published curve.

    Returns
    -------
    QTable
        Columns filter, mjd, c_q025 ... c_q975, published, published_std (if there are
        any) [the instrument's unit] and within_data: whether the epoch lies
        between the band's first and last row, both of which are among the epochs.
        The quantiles are without the error of the flux scale, on which both rest.
    """
    calibration = calibration.leaving_out([FLUX_SCALE])
    last = float(np.max(design.elapsed)) + _BEYOND
    grid = design.t0 + np.linspace(min(0.0, float(np.min(design.elapsed))), last, _POINTS)
    pieces: dict[str, list[NDArray]] = {}
    for i, band in enumerate(design.bands):
        epochs = design.t0 + design.elapsed[design.band == i]
        mjd = np.union1d(grid, [epochs.min(), epochs.max()])
        query = calibration.in_reference(band, mjd)
        quantiles = np.quantile(calibration.draws(query), list(_QUANTILES.values()), axis=0)
        piece = {"filter": np.full(len(mjd), band), "mjd": mjd}
        piece |= {f"c_{name}": q for name, q in zip(_QUANTILES, quantiles, strict=True)}
        if published is not None:
            printed = published.at(query)
            piece |= {"published": printed.mean, "published_std": printed.std}
        piece |= {"within_data": (mjd >= epochs.min()) & (mjd <= epochs.max())}
        for name, values in piece.items():
            pieces.setdefault(name, []).append(values)
    table = QTable({name: np.concatenate(values) for name, values in pieces.items()})
    for name in table.colnames:
        if name.startswith(("c_", "published")):
            table[name] = table[name] * calibration.instrument.factor_unit
    for name, q in _QUANTILES.items():
        table[
            f"c_{name}"
        ].info.description = (
            f"{100 * q:g} % quantile of the factor, without the error of the flux scale"
        )
    table["mjd"] = table["mjd"] * u.d
    return table


def predictive_table(
    calibration: PosteriorCalibration, checks: RowChecks, design: Design
) -> QTable:
    """Return every fitted row against what the model would predict for it.

    Rows of a star of unknown flux are quoted with its posterior mean flux.

    Returns
    -------
    QTable
        Columns row, name, filter, subarray, mjd; observed and predictive
        quantiles ``q025`` ... ``q975`` of ln C in percent about the
        predictive median; ``tail``, the share of replicated values below the
        observed one; ``factor_full``, the row's factor brought to the reference by the
        posterior mean D, and ``factor_full_std``, the photometric error and
        that of D; ``factor_aligned``, the same without the posterior mean offsets of the
        row's star, and ``factor_curve``, the median of C(t) at its epoch [the
        instrument's unit].
    """
    replicated = checks.predictive.reshape(-1, len(design.rows))
    quantiles = np.quantile(replicated, list(_QUANTILES.values()), axis=0)
    middle = quantiles[list(_QUANTILES).index("q50")]
    at = design.band, design.subarray
    of_bands = mean_and_error(calibration.run_draws.values("D_band"))
    throughput, spread = (values[at] for values in of_bands)
    table = QTable({"row": list(design.rows)})
    table["name"] = [design.stars[i] for i in design.star]
    table["srctype"] = [design.types[design.star_type[i]] for i in design.star]
    table["filter"] = [design.bands[i] for i in design.band]
    table["subarray"] = [design.subarrays[i] for i in design.subarray]
    table["mjd"] = (design.elapsed + design.t0) * u.d
    table["observed"] = 100 * (design.log_factor - middle) * u.percent
    for name, q in zip(_QUANTILES, quantiles, strict=True):
        table[name] = 100 * (q - middle) * u.percent
    table["tail"] = (replicated < design.log_factor).mean(axis=0)
    table["outlier_probability"] = checks.outlier_probability
    log_factor = np.asarray(design.log_factor)
    if design.has_free:
        brighter, _ = mean_and_error(calibration.run_draws.values("free_flux"))
        log_factor = log_factor + brighter[design.star, design.band]
    table["factor_full"] = np.exp(log_factor) * throughput * calibration.instrument.factor_unit
    fraction = np.hypot(design.log_factor_unc, spread / throughput)
    table["factor_full_std"] = table["factor_full"] * fraction
    offsets = _star_offsets(calibration.run_draws, design)
    table["factor_aligned"] = table["factor_full"] * np.exp(-offsets)
    table["factor_curve"] = _on_curve(calibration, design) * calibration.instrument.factor_unit
    return table


def _star_offsets(draws: Draws, design: Design) -> NDArray[np.float64]:
    """Return the mean of all that a row owes to its star's predicted flux, in ln C."""
    star, band = np.asarray(design.star), np.asarray(design.band)
    kind, predicted = np.asarray(design.star_type)[star], 1.0 - np.asarray(design.free)[star]
    places = {
        "star_offset": star,
        "star_band_offset": (star, band),
        "flux_offset": (star, band),
        "type_band_offset": (kind, band),
    }
    known = {name: at for name, at in places.items() if draws.has(name)}
    means = [mean_and_error(draws.values(name))[0][at] for name, at in known.items()]
    return predicted * np.sum(means, axis=0)


def _on_curve(calibration: PosteriorCalibration, design: Design) -> NDArray[np.float64]:
    """Return the median of C(t) in the reference readout at the epoch of each row."""
    calibration = calibration.leaving_out([FLUX_SCALE])
    epochs, medians = np.asarray(design.t0 + design.elapsed), np.empty(len(design.rows))
    for i, band in enumerate(design.bands):
        mine = np.asarray(design.band) == i
        mjd, place = np.unique(epochs[mine], return_inverse=True)
        query = calibration.in_reference(band, mjd)
        medians[mine] = np.median(calibration.draws(query), axis=0)[place]
    return medians


def predictive_coverage(predictive: QTable, instrument: Instrument) -> QTable:
    """Count in each band the rows outside their predictive intervals.

    Parameters
    ----------
    predictive : QTable
        As `predictive_table` makes it.
    instrument : Instrument
        Whose rows.

    Returns
    -------
    QTable
        Columns filter, n_rows, outside_68, expected_68, outside_95,
        expected_95; the last line is all bands together.
    """
    observed = predictive["observed"]
    outside = {
        68: (observed < predictive["q16"]) | (observed > predictive["q84"]),
        95: (observed < predictive["q025"]) | (observed > predictive["q975"]),
    }
    filters = np.asarray(predictive["filter"], dtype=str)
    members = {band: filters == band for band in instrument.bands if band in filters}
    members["all"] = np.full(len(filters), True)
    table = QTable({"filter": list(members)})
    table["n_rows"] = [int(member.sum()) for member in members.values()]
    for percent, beyond in outside.items():
        table[f"outside_{percent}"] = [int(np.sum(beyond & member)) for member in members.values()]
        table[f"expected_{percent}"] = table["n_rows"] * (1 - percent / 100)
    return table


def tail_histogram(predictive: QTable) -> QTable:
    """Count the rows by the share of their replicates that lie below them.

    Returns
    -------
    QTable
        Columns low, high (edges of the bins), n_rows, and the number of rows
        in a bin if the shares were uniform with its approximate 95 %
        interval: expected, expected_low, expected_high.
    """
    n_rows = len(predictive)
    n_bins = int(np.clip(n_rows // 5, 4, 20))
    counts, edges = np.histogram(predictive["tail"], bins=n_bins, range=(0, 1))
    half = _NORMAL_95 * np.sqrt(n_rows / n_bins * (1 - 1 / n_bins))
    table = QTable({"low": edges[:-1], "high": edges[1:], "n_rows": counts})
    table["expected"] = n_rows / n_bins
    table["expected_low"] = np.maximum(table["expected"] - half, 0.0)
    table["expected_high"] = table["expected"] + half
    return table


def factor_differences(comparison: QTable) -> QTable:
    """Return how far each band's factor at the reference epoch lies from the published one.

    Parameters
    ----------
    comparison : QTable
        As `mirical.calibration.comparison.compare_coefficients` makes it.

    Returns
    -------
    QTable
        Columns filter, diff_pct, std_pct (error of ours), published_std_pct,
        all in percent of the published factor, and basis.
    """
    compared = comparison[np.asarray(comparison["quantity"]) == "C_ref"]
    scale = 100 / np.asarray(compared["published"], dtype=float)
    table = QTable({"filter": compared["filter"], "diff_pct": compared["diff_pct"]})
    table["std_pct"] = np.asarray(compared["ours_std"]) * scale * u.percent
    table["published_std_pct"] = np.asarray(compared["published_std"]) * scale * u.percent
    table["basis"] = compared["basis"]
    return table
