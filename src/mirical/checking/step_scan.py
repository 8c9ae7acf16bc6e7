"""Scan over the date of a step common to all bands.

At a posterior draw the rows' residuals r ~ N(0, V), and a step x_t of unit size between two
neighbouring visits has the score

    z_t = w'r / (w'V w)^1/2,    w = W^-1 x_t,

W being V with everything the time law may have bent added: a step that nobody asked for has
moved loss and tau of all bands, and a direction they can take up says nothing. The largest z_t
over the dates is compared with that of replicates of r, so that the p-value knows how many dates
were tried, and holds whatever W is. The size is w'r / x'w; the probability of each date is that
of a step of `STEP_SPREAD` there, each day between the visits being as likely as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from scipy.special import softmax

from mirical.model.design import Design
from mirical.model.row_gaussian import Gaussian

Floats = NDArray[np.float64]

STEP_SPREAD = 0.02
"""Standard deviation of ln C of a step whose date is asked for: a percent or two."""
INTERVAL = 0.9
"""Probability that the interval of dates holds, a twentieth on either side."""
LEAST_VISITS = 3
"""Epochs, more than a day apart, that a step must have on either side."""

_MJD_0 = date(1858, 11, 17)


@dataclass(frozen=True)
class StepDates:
    """Gaps between visits in which a step of all bands may lie.

    Attributes
    ----------
    earliest, latest : (date,) array
        Ends of each gap, MJD in days.
    columns : (row, date) array
        One for the rows after it.
    """

    earliest: Floats
    latest: Floats
    columns: Floats


def step_dates(design: Design) -> StepDates:
    """Return the gaps of more than a day between the rows of a design."""
    elapsed = np.asarray(design.elapsed)
    epochs = np.unique(elapsed)
    gaps = np.flatnonzero(np.diff(epochs) > 1.0)
    gaps = gaps[LEAST_VISITS - 1 : len(gaps) + 1 - LEAST_VISITS]
    columns = (elapsed[:, None] > epochs[gaps]).astype(float)
    return StepDates(epochs[gaps] + design.t0, epochs[gaps + 1] + design.t0, columns)


@dataclass(frozen=True)
class StepScores:
    """What one draw says of a step at each date.

    Attributes
    ----------
    along : (row, date) array
        Unit direction of each score in rows whitened by V.
    log_weight : (date,) array
        Log density the rows gain by a step there, plus the log of the days it may lie in.
    size, size_var : (date,) array
        Change of ln C, and its variance.
    """

    along: Floats
    log_weight: Floats
    size: Floats
    size_var: Floats


def step_scores(rows: Gaussian, dates: StepDates) -> StepScores:
    """Return the scores, sizes and probabilities of a step at each date."""
    bent = rows.freed_covariance + rows.shared_law @ rows.shared_law.T
    weights = cho_solve((np.linalg.cholesky(bent), True), dates.columns)
    information = np.sum(weights * dates.columns, axis=0)
    along = rows.root.T @ weights
    score = weights.T @ rows.residual
    ratio = STEP_SPREAD**2 * information
    gain = 0.5 * (STEP_SPREAD**2 * score**2 / (1 + ratio) - np.log1p(ratio))
    return StepScores(
        along=along / np.linalg.norm(along, axis=0),
        log_weight=gain + np.log(dates.latest - dates.earliest),
        size=score / information,
        size_var=1 / information,
    )


def step_table(each: Floats, dates: StepDates) -> QTable:
    """Return the probability of each date and the size of a step there, if there is one.

    Parameters
    ----------
    each : (draw, 3, date) array
        Log weight, size and its variance, as `step_scores` returns them.
    dates : StepDates
        The dates.
    """
    log_weight, size, variance = np.moveaxis(each, 1, 0)
    table = QTable()
    table["earliest"] = dates.earliest * u.d
    table["latest"] = dates.latest * u.d
    table["probability"] = _shares(log_weight).mean(axis=0)
    table["size"] = 100 * size.mean(axis=0) * u.percent
    table["size_unc"] = 100 * np.sqrt(variance.mean(axis=0) + size.var(axis=0)) * u.percent
    table["earliest"].info.description = "MJD of the last row before the step"
    table["latest"].info.description = "MJD of the first row after it"
    table["probability"].info.description = "That the step lies there, if there is one"
    table["size"].info.description = "Change of ln C of all bands, if the step lies there"
    table.meta["title"] = "A step common to all bands: dates and sizes"
    return table


def _shares(log_weight: Floats) -> Floats:
    """Return weights that sum to one over the dates, if there are any."""
    return softmax(log_weight, axis=1) if log_weight.size else log_weight


@dataclass(frozen=True)
class NamedStep:
    """The most probable step.

    Attributes
    ----------
    month : str
        The most probable month, such as ``June 2023``.
    earliest, latest : float
        MJD between which it lies with probability `INTERVAL`.
    mjd : float
        The middle of the most probable gap between visits: a date for the card.
    size, size_unc : float
        Change of ln C there and its error, percent.
    """

    month: str
    earliest: float
    latest: float
    mjd: float
    size: float
    size_unc: float

    @property
    def where(self) -> str:
        """Say the month and the interval of dates."""
        return f"{self.month} (MJD {self.earliest:.0f} to {self.latest:.0f})"


def named_step(table: QTable) -> NamedStep:
    """Return the most probable month, interval of dates, and size, of a table of one date or more.

    Each day of a gap between visits is as likely as any other.
    """
    earliest, latest = (np.asarray(table[name].value) for name in ("earliest", "latest"))
    probability = np.asarray(table["probability"])
    days = np.arange(np.floor(earliest[0]), np.ceil(latest[-1]))
    inside = np.minimum(latest[:, None], days + 1) - np.maximum(earliest[:, None], days)
    density = probability / (latest - earliest)
    of_day = density @ np.clip(inside, 0, None)
    months: dict[str, float] = {}
    for day, share in zip(days, of_day, strict=True):
        month = f"{_MJD_0 + timedelta(days=int(day)):%B %Y}"
        months[month] = months.get(month, 0.0) + float(share)
    ends = np.ravel(np.stack([earliest, latest], axis=1))
    below = np.ravel(np.stack([np.cumsum(probability) - probability, np.cumsum(probability)], 1))
    low, high = np.interp([(1 - INTERVAL) / 2, (1 + INTERVAL) / 2], below, ends)
    best = int(np.argmax(probability))
    return NamedStep(
        month=max(months, key=lambda name: months[name]),
        earliest=float(low),
        latest=float(high),
        mjd=float((earliest[best] + latest[best]) / 2),
        size=float(table["size"][best].value),
        size_unc=float(table["size_unc"][best].value),
    )
