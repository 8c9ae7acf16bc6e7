"""What the figures show, computed: curves of C(t), rows on them, predictive intervals."""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.conventions import FACTOR, T0_MJD
from mirical.inference.checks import RowChecks
from mirical.model.design import Design
from mirical.products.calibration import PosteriorCalibration, Query
from mirical.products.published import PublishedCalibration

_QUANTILES = {"q025": 0.025, "q16": 0.16, "q50": 0.5, "q84": 0.84, "q975": 0.975}
_POINTS = 61
_BEYOND = 400.0  # days shown after the last row, where only the time law and its priors speak


def band_curves(
    calibration: PosteriorCalibration, published: PublishedCalibration, design: Design
) -> QTable:
    """Return C(t) of each fitted band in FULL against time, with the published curve.

    Returns
    -------
    QTable
        Columns filter, mjd, c_q025 ... c_q975, published, published_std
        [(MJy/sr)/(DN/s/pixel)] and within_data: whether the epoch lies
        between the band's first and last row.
    """
    last = float(np.max(design.elapsed)) + _BEYOND
    mjd = T0_MJD + np.linspace(min(0.0, float(np.min(design.elapsed))), last, _POINTS)
    pieces: dict[str, list[NDArray]] = {}
    for i, band in enumerate(design.bands):
        query = Query.of(band, "FULL", mjd)
        quantiles = np.quantile(calibration.draws(query), list(_QUANTILES.values()), axis=0)
        printed = published.at(query)
        epochs = T0_MJD + design.elapsed[design.band == i]
        piece = {"filter": np.full(_POINTS, band), "mjd": mjd}
        piece |= {f"c_{name}": q for name, q in zip(_QUANTILES, quantiles, strict=True)}
        piece |= {"published": printed.mean, "published_std": printed.std}
        piece |= {"within_data": (mjd >= epochs.min()) & (mjd <= epochs.max())}
        for name, values in piece.items():
            pieces.setdefault(name, []).append(values)
    table = QTable({name: np.concatenate(values) for name, values in pieces.items()})
    for name in table.colnames:
        if name.startswith(("c_", "published")):
            table[name] = table[name] * FACTOR
    table["mjd"] = table["mjd"] * u.d
    return table


def predictive_table(
    calibration: PosteriorCalibration, checks: RowChecks, design: Design
) -> QTable:
    """Return every fitted row against what the model would predict for it.

    Returns
    -------
    QTable
        Columns row, name, filter, subarray, mjd; observed and predictive
        quantiles ``q025`` ... ``q975`` of ln C in percent about the
        predictive median; ``tail``, the share of replicated values below the
        observed one; ``factor_full``, the row's factor brought to FULL by the
        posterior mean D [(MJy/sr)/(DN/s/pixel)].
    """
    replicated = checks.predictive.reshape(-1, len(design.rows))
    quantiles = np.quantile(replicated, list(_QUANTILES.values()), axis=0)
    middle = quantiles[list(_QUANTILES).index("q50")]
    throughput = calibration.posterior["posterior"]["D_band"].mean(("chain", "draw")).values
    table = QTable({"row": list(design.rows)})
    table["name"] = [design.stars[i] for i in design.star]
    table["srctype"] = [design.types[design.star_type[i]] for i in design.star]
    table["filter"] = [design.bands[i] for i in design.band]
    table["subarray"] = [design.subarrays[i] for i in design.subarray]
    table["mjd"] = (design.elapsed + T0_MJD) * u.d
    table["observed"] = 100 * (design.log_factor - middle) * u.percent
    for name, q in zip(_QUANTILES, quantiles, strict=True):
        table[name] = 100 * (q - middle) * u.percent
    table["tail"] = (replicated < design.log_factor).mean(axis=0)
    table["outlier_probability"] = checks.outlier_probability
    table["factor_full"] = (
        np.exp(design.log_factor) * throughput[design.band, design.subarray] * FACTOR
    )
    return table
