"""Time law of the staged procedure: each imaging band's own fit to the repeat star."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mirical.instruments.instrument import Instrument
from mirical.staged.averages import StagedRows

Floats = NDArray[np.float64]

FIXED_TAU = 200.0
"""Days; the paper's time constant of shorter bands, whose loss is too small to measure it."""
TAU_BOUNDS = (100.0, 400.0)
"""Days; a factor of two about it, within which longer bands are fitted."""
FEWEST_ROWS = 5
"""Rows of the repeat star a fit needs: three coefficients and something left to judge them."""
SHORTEST_SPAN = 150.0
"""Days they must span: three quarters of the time constant."""
SHORTEST_GAP = 100.0
"""Days without the repeat star that are worth bridging by other stars."""
NEAR = 45.0
"""Days within which the repeat star's monthly rows count as near in time."""


@dataclass(frozen=True)
class StagedLaw:
    """The time law of a band, C(t) / A = 1 - loss exp(-(t - t0)/tau) (Eq. 4).

    Attributes
    ----------
    loss : float
        -B/A, not negative.
    tau : float
        Time constant, days.
    repeatability : float
        Relative scatter of the repeat star about the law (section 3.1); NaN where unmeasured.
    note : str
        What a reader of the coefficients must know; mostly empty for a fit.
    measured : bool
        Whether there is a fit at all, or no loss for want of one.
    """

    loss: float = 0.0
    tau: float = FIXED_TAU
    repeatability: float = float("nan")
    note: str = ""
    measured: bool = True

    def relative(self, elapsed: Floats) -> Floats:
        """Return C(t) / A at days since t0."""
        return 1.0 - self.loss * np.exp(-elapsed / self.tau)


def repeat_star(rows: StagedRows) -> str:
    """Return the star with most rows."""
    names, counts = np.unique(rows.star, return_counts=True)
    return str(names[np.argmax(counts)])


def fit_laws(
    rows: StagedRows, throughput: dict[str, float], instrument: Instrument
) -> dict[str, StagedLaw]:
    """Return the time law of every band that has rows.

    Imaging bands are fitted; the others are interpolated between the imaging
    bands on either side (section 3.6).

    Parameters
    ----------
    rows : StagedRows
        All rows.
    throughput : dict of {str : float}
        D by subarray, by which the factors are multiplied first.
    instrument : Instrument
        Whose bands.
    """
    star = repeat_star(rows)
    divisor = np.array([throughput[str(a)] for a in rows.subarray])
    level = rows.factor * divisor
    imaging = {}
    for band in instrument.imaging_bands:
        inside = rows.band == band
        free = _tau_is_free(band, instrument)
        imaging[band] = _fit_band(rows.where(inside), level[inside], star, tau_is_free=free)
    present = set(map(str, rows.band))
    laws = {
        b: imaging[b] if b in imaging else interpolated_law(b, imaging, instrument)
        for b in instrument.bands
    }
    return {band: law for band, law in laws.items() if band in present}


def interpolated_law(band: str, imaging: dict[str, StagedLaw], instrument: Instrument) -> StagedLaw:
    """Return B/A and tau of a band linear in pivot wavelength between its imaging neighbours."""
    below, above = instrument.neighbours(band)
    at, *pivots = (instrument.bands[b].pivot for b in (band, below, above))
    laws = imaging[below], imaging[above]
    loss = float(np.interp(at, pivots, [law.loss for law in laws]))
    tau = float(np.interp(at, pivots, [law.tau for law in laws]))
    note = f"time law interpolated between {below} and {above}"
    lacking = [name for name, law in zip((below, above), laws, strict=True) if not law.measured]
    if lacking:
        note += f", of which {' and '.join(lacking)} has none: its response loss is taken as zero"
    return StagedLaw(loss, tau, note=note)


def _fit_band(rows: StagedRows, level: Floats, star: str, *, tau_is_free: bool) -> StagedLaw:
    own = rows.star == star
    times = rows.elapsed[own]
    if len(times) < FEWEST_ROWS or np.ptp(times) < SHORTEST_SPAN:
        return StagedLaw(
            note=f"no time law: {len(times)} rows of {star} cannot fix one; "
            "response loss taken as zero",
            measured=False,
        )
    bridges = list(_bridging_points(rows, level, star))
    elapsed = np.array([*times, *(time for time, _ in bridges)])
    values = np.array([*level[own], *(value for _, value in bridges)])
    loss, tau, at_infinity = _fit(elapsed, values, tau_is_free=tau_is_free)
    law = StagedLaw(loss, tau)
    residuals = level[own] / (at_infinity * law.relative(times)) - 1
    note = f"tau is at its bound of {tau:.0f} d" if tau in TAU_BOUNDS else ""
    return StagedLaw(loss, tau, float(np.std(residuals)), note)


def _tau_is_free(band: str, instrument: Instrument) -> bool:
    above = np.inf if instrument.staged is None else instrument.staged.free_tau_above
    return instrument.bands[band].pivot > above


def _bridging_points(rows: StagedRows, level: Floats, star: str) -> Iterator[tuple[float, float]]:
    """Yield other stars' rows in the repeat star's longest gap, brought to its level.

    A star bridges if it was also observed after the gap in the same subarray
    (so that no subarray ratio enters), within `NEAR` days of the repeat star.
    """
    own = rows.star == star
    times = np.sort(rows.elapsed[own])
    longest = int(np.argmax(np.diff(times)))
    begin, end = times[longest], times[longest + 1]
    if end - begin < SHORTEST_GAP:
        return
    pairs = zip(map(str, rows.star[~own]), map(str, rows.subarray[~own]), strict=True)
    for name, subarray in dict.fromkeys(pairs):
        same = (rows.star == name) & (rows.subarray == subarray)
        early = same & (rows.elapsed > begin) & (rows.elapsed < end)
        ratios = [
            level[late] / np.mean(level[near])
            for late in np.flatnonzero(same & (rows.elapsed >= end))
            if np.any(near := own & (np.abs(rows.elapsed - rows.elapsed[late]) <= NEAR))
        ]
        if ratios:
            for i in np.flatnonzero(early):
                yield float(rows.elapsed[i]), float(level[i] / np.mean(ratios))


def _fit(elapsed: Floats, values: Floats, tau_is_free: bool) -> tuple[float, float, float]:
    """Return loss, tau and the level at infinity by unweighted least squares.

    For a given tau the law is linear in A and B, so only tau is searched for.
    """
    tau = FIXED_TAU
    if tau_is_free:

        def misfit(at: float) -> float:
            return _linear_fit(elapsed, values, at)[2]

        inside = float(minimize_scalar(misfit, bounds=TAU_BOUNDS, options={"xatol": 1e-4}).x)
        tau = min((inside, *TAU_BOUNDS), key=misfit)
    a, b, _ = _linear_fit(elapsed, values, tau)
    if b == 0:
        return 0.0, FIXED_TAU, a  # without a loss no time constant is better than another
    return -b / a, tau, a


def _linear_fit(elapsed: Floats, values: Floats, tau: float) -> tuple[float, float, float]:
    """Return A, B <= 0 and the sum of squares for a given tau."""
    decay = np.exp(-elapsed / tau)
    centred = decay - decay.mean()
    b = min(float(centred @ values / (centred @ centred)), 0.0)
    a = float(np.mean(values - b * decay))
    return a, b, float(np.sum((values - a - b * decay) ** 2))
