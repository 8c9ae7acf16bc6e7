"""True coefficients of a simulated program: the published ones, or drawn about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mirical.instruments.instrument import Instrument
from mirical.instruments.miri import miri
from mirical.instruments.published import published_coefficients as instrument_coefficients
from mirical.instruments.published import published_throughput
from mirical.laws.timelaw import ADDITIVE, LAWS, log_relative_factor
from mirical.randomness import generator

Floats = NDArray[np.float64]

FACTOR_SPREAD = 0.02
"""Of ln A: the published factors' errors are below 1 %, a flux scale's about 2 %."""
LOSS_SPREAD = 0.10
"""Of ln(-B/A), smooth in wavelength: the 2024 fits mixed subarrays, worth 10 % at F2550W."""
LOSS_DEPARTURE = 0.003
"""Of -B/A, private to a band: what the short bands' losses scatter by (Table 8)."""
TAU_SPREAD, TAU_BAND_SPREAD = 0.15, 0.08
"""Of ln tau, common and private to a band: Table 8 has 175 to 235 d, fixed to 200 d elsewhere."""
THROUGHPUT_SPREAD = 0.01
"""Of ln D: the paper's ratios and its dedicated sequences differ by 1 % and more."""
REPEATABILITY_SPREAD = 0.2
"""Of ln sigma(repeat): measured from about 20 visits."""
SMOOTH_LENGTH = 0.5
"""Correlation length in ln(micron) of what is smooth in wavelength."""


@dataclass(frozen=True)
class Coefficients:
    """What the calibration of a simulated program truly is; bands as in the instrument's card.

    Attributes
    ----------
    A, B : (band,) array
        Of Eq. 4, in the instrument's unit of factors, as MIRI's (MJy/sr)/(DN/s/pixel).
    tau : (band,) array
        Time constant, days.
    repeatability : (band,) array
        Scatter of one observation, natural logarithm.
    D : (subarray,) array
        Throughput relative to the reference, subarrays as the card has them.
    D_band : (band, subarray) array
        The same with the departure of each band.
    law : str
        Time law, one of `mirical.laws.timelaw.LAWS`; B is C(t0) - A in any of them.
    of_law : dict of {str : array}
        Its parameters beside loss and tau.
    instrument : Instrument
        Whose calibration it is.
    """

    A: Floats
    B: Floats
    tau: Floats
    repeatability: Floats
    D: Floats
    D_band: Floats
    law: str = ADDITIVE
    of_law: dict[str, Floats] = field(default_factory=dict)
    instrument: Instrument = field(default_factory=miri)

    def factor(self, bands: list[str], subarrays: list[str], mjd: Floats) -> Floats:
        """Return the factors at points; in the paper's law [A + B exp(-(t - t0)/tau)] / D (Eq. 4).

        Parameters
        ----------
        bands, subarrays : list of str
            Band and subarray of each point.
        mjd : (point,) array
            Epochs, MJD in days.
        """
        names = list(self.instrument.bands)
        band = np.array([names.index(b) for b in bands])
        terms = [self.instrument.subarray_term(a, "simulated program") for a in subarrays]
        subarray = np.array([self.instrument.subarrays.index(a) for a in terms])
        elapsed = mjd - self.instrument.t0
        if self.law == ADDITIVE:
            in_full = self.A[band] + self.B[band] * np.exp(-elapsed / self.tau[band])
        else:
            loss = np.log(self.A / (self.A + self.B))
            of = {"loss": loss, "tau": self.tau} | self.of_law
            in_full = self.A[band] * np.exp(log_relative_factor(self.law, elapsed, of, band))
        return in_full / self.D_band[band, subarray]


def published_coefficients() -> Coefficients:
    """Return Tables 7 and 8; repeatability interpolated in wavelength where none is printed."""
    table = instrument_coefficients(miri()).copy()
    table.add_index("filter")
    rows = [table.loc[band] for band in miri().bands]
    a, b = (np.array([row[c].to_value(miri().factor_unit) for row in rows]) for c in ("A", "B"))
    percent = table["sigma_repeat_pct"].to_value("%").filled(np.nan)
    of_band = dict(zip(table["filter"], percent, strict=True))
    printed = np.array([of_band[band] for band in miri().bands])
    pivots = np.array([band.pivot for band in miri().bands.values()])
    known = np.isfinite(printed)
    by_name = published_throughput(miri())
    d = np.array([by_name[a] for a in miri().subarrays])
    return Coefficients(
        A=a,
        B=b,
        tau=np.array([row["tau"].to_value("d") for row in rows]),
        repeatability=np.interp(pivots, pivots[known], printed[known]) / 100,
        D=d,
        D_band=np.tile(d, (len(miri().bands), 1)),
    )


def perturbed_coefficients(seed: int) -> Coefficients:
    """Return the published coefficients, each moved by a draw of the spreads above."""
    base = published_coefficients()
    random = generator(seed, "coefficients")
    n = len(miri().bands)
    a = base.A * np.exp(FACTOR_SPREAD * random.standard_normal(n))
    smooth = LOSS_SPREAD * smooth_in_wavelength(random, 1, miri())[0]
    # A loss is never a gain: drawn below zero it is folded back.
    loss = np.abs(-base.B / base.A * np.exp(smooth) + LOSS_DEPARTURE * random.standard_normal(n))
    shift = TAU_SPREAD * random.standard_normal() + TAU_BAND_SPREAD * random.standard_normal(n)
    scatter = np.exp(REPEATABILITY_SPREAD * random.standard_normal(n))
    move = THROUGHPUT_SPREAD * random.standard_normal(len(miri().subarrays))
    move[miri().subarrays.index("FULL")] = 0.0
    d = base.D * np.exp(move)
    return Coefficients(
        A=a,
        B=-loss * a,
        tau=base.tau * np.exp(shift),
        repeatability=base.repeatability * scatter,
        D=d,
        D_band=np.tile(d, (n, 1)),
    )


def with_law(coefficients: Coefficients, seed: int, law: str) -> Coefficients:
    """Return coefficients of another time law, with the same A, B, tau and what else it needs.

    A law of which nothing settles has B = 0 and an infinite tau.

    What is drawn is large enough to tell the law from its rivals in some bands: a loss of half a
    percent a year at 15 micron, growing with wavelength; a third of the loss that settles five
    times more slowly; a power law that softens in 50 d.
    """
    random = generator(seed, "time law")
    pivots = np.array([band.pivot for band in miri().bands.values()])
    if not LAWS[law].settles:
        endless = np.full(len(pivots), np.inf)
        coefficients = replace(coefficients, B=np.zeros(len(pivots)), tau=endless)
    if "loss_per_year" in LAWS[law].of_band:
        rates = 0.005 * pivots / 15 * np.exp(0.3 * smooth_in_wavelength(random, 1, miri())[0])
        return replace(coefficients, law=law, of_law={"loss_per_year": rates})
    if law == "two-exponentials":
        share, ratio = random.uniform(0.25, 0.45), random.uniform(4, 6)
        of_law = {"slow_share": np.array(share), "slow_ratio": np.array(ratio)}
        return replace(coefficients, law=law, of_law=of_law)
    tau = coefficients.tau / 4 if law == "power" else coefficients.tau
    return replace(coefficients, law=law, tau=tau)


def with_departures(coefficients: Coefficients, seed: int, spread: float) -> Coefficients:
    """Return coefficients whose ln D departs by normal draws of `spread` in each band.

    The reference stays the unit in every band.
    """
    random = generator(seed, "subarray departures")
    departures = spread * random.standard_normal(coefficients.D_band.shape)
    of = coefficients.instrument
    departures[:, of.subarrays.index(of.reference)] = 0.0
    return replace(coefficients, D_band=coefficients.D * np.exp(departures))


def smooth_in_wavelength(
    random: np.random.Generator, n: int, instrument: Instrument, length: float = SMOOTH_LENGTH
) -> Floats:
    """Return `n` draws over the bands of unit variance, smooth in ln wavelength: (n, band)."""
    x = np.log([band.pivot for band in instrument.bands.values()]) / length
    covariance = np.exp(-0.5 * np.subtract.outer(x, x) ** 2)
    # The jitter keeps the root real for bands that share a pivot wavelength (F1140C and F1130W).
    root = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(x)))
    return random.standard_normal((n, len(x))) @ root.T
