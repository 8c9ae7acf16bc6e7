"""Leave-one-out predictive density and probability integral transform of each row."""

from __future__ import annotations

from typing import Any

import arviz_base
import numpy as np
import xarray as xr
from arviz_stats.loo.loo import loo
from numpy.typing import NDArray
from scipy.stats import norm

from mirical.model.row_gaussian import FREE, Gaussian

Floats = NDArray[np.float64]


def left_out_at_draw(rows: Gaussian) -> tuple[Floats, Floats]:
    """Return log density of each row given all others, and the share of it below the row.

    A row alone in a band of a free star is predicted by nothing: its density is that of a flat
    prior, one, and its share NaN.
    """
    variance = 1 / np.diag(rows.precision)
    sound = variance - rows.outlier * rows.outlier_width**2
    return _scores(rows, rows.weighted_residual * variance, sound)


def later_rows_at_draw(
    rows: Gaussian, held: NDArray[np.bool_], scatter: Floats
) -> tuple[Floats, Floats]:
    """Return the same of rows that were left out of the fit, given those that were not.

    Parameters
    ----------
    rows : Gaussian
        All rows at a draw of a fit without some.
    held : (row,) bool array
        Which were left out.
    scatter : (held row,) array
        Standard deviation of these rows if sound.
    """
    off, covariance = rows.given_rows(~held)
    return _scores(rows, off, np.diag(covariance) + scatter**2)


def _scores(rows: Gaussian, off: Floats, variance: Floats) -> tuple[Floats, Floats]:
    f, wide = rows.outlier_fraction, rows.outlier_width**2
    log_density = np.log1p(-f) + norm.logpdf(off, scale=np.sqrt(variance))
    below = (1 - f) * norm.cdf(off / np.sqrt(variance))
    if f:
        spread = np.sqrt(variance + wide)
        log_density = np.logaddexp(log_density, np.log(f) + norm.logpdf(off, scale=spread))
        below = below + f * norm.cdf(off / spread)
    unknown = variance > 0.5 * FREE**2
    return np.where(unknown, 0.0, log_density), np.where(unknown, np.nan, below)


def leave_one_out(log_likelihood: Floats, log_a: Floats) -> Any:
    """Return ArviZ's PSIS-LOO of rows, each given all others: its ELPDData, pointwise.

    Of those rows that others say anything of (`rows_told`); the others count nothing.

    Parameters
    ----------
    log_likelihood : (draw, row) array
        As `left_out_at_draw` has it at each draw.
    log_a : (draw, band) array
        Whose autocorrelation tells how many draws count.
    """
    told = rows_told(log_likelihood)
    tree = arviz_base.from_dict(
        {
            "log_likelihood": {"log_factor": log_likelihood[None][..., told]},
            "posterior": {"log_a": log_a[None]},
        }
    )
    return loo(tree, pointwise=True)


def stored_leave_one_out(posterior: xr.DataTree) -> Any:
    """Return ArviZ's PSIS-LOO of a run's rows, from the log likelihoods that the run stored.

    Of those rows that others say anything of (`rows_told`).
    """
    groups = {name: posterior[name].to_dataset() for name in ("posterior", "log_likelihood")}
    told = rows_told(np.asarray(groups["log_likelihood"]["log_factor"]))
    # A law that does not settle has an infinite time constant, whose draws count as no number.
    drawn = groups["posterior"]
    groups["posterior"] = drawn[[n for n in drawn if np.all(np.isfinite(drawn[n]))]]
    if not told.all():
        groups["log_likelihood"] = groups["log_likelihood"].isel(row=told)
    return loo(xr.DataTree.from_dict(groups), var_name="log_factor", pointwise=True)


def rows_told(log_likelihood: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows are told of by others, from their log densities, (..., row).

    A row alone in a band of a free star is not: its log density is zero at every draw.
    """
    return np.any(log_likelihood.reshape(-1, log_likelihood.shape[-1]) != 0, axis=0)
