"""The Gaussians of the rows at a posterior's draws, offsets integrated out.

Given the response loss, the scales, the stars' colour precisions and the outlier
indicators, the rows are normal with the covariance of all offsets: the density of
`mirical.model.collapsed`, written out as one matrix of rows by rows
(`mirical.model.row_gaussian`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import norm

from mirical.cards.card import Card
from mirical.errors import InputError
from mirical.laws.timelaw import LAWS, log_relative_factor
from mirical.model.design import Design
from mirical.model.detector_terms import DETECTOR_TERMS, effect_at_rows
from mirical.model.row_gaussian import FREE, Gaussian
from mirical.model.terms import (
    JITTER,
    colour_correlation,
    loss_growth,
    smooth_covariance,
    type_correlation,
)

Floats = NDArray[np.float64]
Draws = NDArray | Mapping[int, NDArray]

ROW_SITES = ("expected", "sigma", "star_band_offset")
"""What of a posterior draw is needed beside `SCALES` and the parameters of the time law."""

SCALES = {
    "subarray_scale": "subarray",
    "subarray_band_scale": "subarray",
    "type_scale": "star_offset",
    "star_scale": "star_offset",
    "type_band_scale": "type_band_offset",
    "colour_scale": "star_band_offset",
    "visit_scale": "visit_offset",
    "outlier_fraction": "outliers",
    "outlier_width": "outliers",
}
"""Scalars of a draw that are needed, and the term of the card they belong to."""

BAND_SCALES = {
    "loss_scale": "response_loss",
    "loss_departure": "response_loss",
    "tau_median": "response_loss",
    "tau_spread": "response_loss",
    "repeatability_median": "repeatability",
    "repeatability_spread": "repeatability",
    "repeatability_limit": "repeatability",
}
"""The same of what bands say of each other's laws and repeatabilities."""

MOST_ROWS = 4000
"""Rows of a run at most: matrices of so many squared take 128 MB each, several to a draw."""

_TAU_WIDTH = 0.5  # of the logarithm of the bands' common time constant, months to years
_STEP = 1e-5  # of the law's derivatives


def require_few_rows(command: str, rows: int, folder: Path) -> None:
    """Refuse a run with more rows than matrices of rows by rows can hold.

    Raises
    ------
    InputError
        If there are more than `MOST_ROWS`.
    """
    if rows > MOST_ROWS:
        raise InputError(
            f"{folder}: has {rows} rows, and {command} holds matrices of rows by rows, of "
            f"{MOST_ROWS} at most; run the job on some of the stars or dates, and {command} that "
            "run."
        )


class Gaussians:
    """Makes the Gaussian of each draw of a posterior.

    Parameters
    ----------
    sites : mapping of {str : (draw, ...) array}
        Draws of `mirical.inference.gaussian_draws.needed`; or a mapping by draw in the array's
        place, of those that will be asked for.
    design : Design
        The rows.
    card : Card
        The model.
    seed : int
        Fixes what is resampled: the colour precisions and which rows are outliers, exactly from
        their distributions given the draw.
    """

    def __init__(self, sites: Mapping[str, Draws], design: Design, card: Card, seed: int) -> None:
        self.design, self.card, self.seed = design, card, seed
        self.sites = sites
        band, subarray, star = (
            np.asarray(getattr(design, n)) for n in ("band", "subarray", "star")
        )
        visit, kind = np.asarray(design.visit), np.asarray(design.star_type)[star]
        inside = subarray > 0
        self._band, self._star = band, star
        self._alike = {
            "band": _same(band),
            "subarray": _same(subarray) & inside,
            "type": _same(kind),
            "star": _same(star),
            "visit": _same(visit),
        }
        self._cell = self._alike["band"] & self._alike["subarray"]
        self._of_types = np.zeros_like(self._cell, dtype=float)
        if card.has("type_band_offset"):
            among = np.asarray(type_correlation(design, card))[np.ix_(band, band)]
            self._of_types = self._alike["type"] * among
        self._correlation = np.asarray(colour_correlation(design, card))
        self._stated = np.asarray(design.flux_unc)[star, band]
        self._predicted = 1 - np.asarray(design.free)
        same_free = self._alike["star"] & self._alike["band"] & (self._predicted[star] == 0)
        self._of_free = FREE**2 * same_free
        prior = card.priors["A"].parameters
        self._a_mean = np.log(prior["median"]) + np.log(card.centre("A_centre", design.bands, 1.0))
        self._a_spread = float(prior["spread"])
        self._d_mean = np.log(card.centre("D_centre", design.subarrays, 1.0))[subarray]
        if card.settles:
            self._loss_centre = card.centre("loss_centre", design.bands, 0.0)
            self._tau_centre = card.centre("tau_centre", design.bands, 1.0)
            self._growth = np.asarray(loss_growth(design, card))
            length = card.fixed("loss_length")
            self._smooth = np.asarray(smooth_covariance(design.log_wavelength, length))

    def __len__(self) -> int:
        return len(self.sites["sigma"])

    def __getitem__(self, draw: int) -> Gaussian:
        random = np.random.default_rng([self.seed, draw])
        law = {name: self._of(name, draw) for name in LAWS[self.card.law].parameters}
        sigma, alike = self._of("sigma", draw), self._alike
        elapsed = np.asarray(self.design.elapsed)
        sampled_effect = self.law_effect(draw, elapsed, self._band) + self._detector_effect(draw)
        colour_precision = self._colour_precision(draw, random)
        colour = self._scale("colour_scale", draw) / np.sqrt(colour_precision)
        at_rows = (self._predicted * colour)[self._star]
        own = alike["star"] * self._correlation[np.ix_(self._band, self._band)]
        own = own * at_rows * at_rows[:, None]
        shared = (
            self._scale("subarray_scale", draw) ** 2 * alike["subarray"]
            + self._scale("subarray_band_scale", draw) ** 2 * self._cell
            + self._scale("type_scale", draw) ** 2 * alike["type"]
            + self._scale("type_band_scale", draw) ** 2 * self._of_types
            + self._scale("star_scale", draw) ** 2 * alike["star"]
            + self._scale("visit_scale", draw) ** 2 * alike["visit"]
            + np.outer(self._stated, self._stated) * (alike["star"] & alike["band"])
            + self._of_free
        )
        fraction = self._scale("outlier_fraction", draw)
        width = self._scale("outlier_width", draw)
        outlier = self._outlier(draw, sigma, fraction, width, random)
        log_a = self._a_spread**2 * (np.arange(len(self.design.bands))[:, None] == self._band)
        covariance = own + shared + self._a_spread**2 * alike["band"]
        covariance[np.diag_indices_from(covariance)] += sigma**2 + outlier * width**2
        mean = sampled_effect + self._a_mean[self._band] - self._d_mean
        residual = np.asarray(self.design.log_factor) - mean
        slopes = self._law_slopes(law)
        shift, spread = self._private_law(law, slopes, draw, random)
        return Gaussian(
            residual=residual,
            covariance=covariance,
            log_a=log_a,
            log_a_mean=self._a_mean,
            freed_residual=residual + shift,
            freed_covariance=covariance + spread @ spread.T,
            shared_law=self._shared_law(slopes, draw),
            own=own,
            sigma=sigma,
            outlier=outlier,
            outlier_fraction=fraction,
            outlier_width=width,
            colour_precision=colour_precision,
            repeatability_median=self._scale("repeatability_median", draw),
            repeatability_spread=self._scale("repeatability_spread", draw),
            repeatability_limit=self._scale("repeatability_limit", draw),
        )

    def law_effect(self, draw: int, elapsed: Floats, band: NDArray[np.integer]) -> Floats:
        """Return ln[C(t)/A] of a draw at points: days since t0, and bands."""
        law = {name: self._of(name, draw) for name in LAWS[self.card.law].parameters}
        return log_relative_factor(self.card.law, elapsed, law, band)

    def _detector_effect(self, draw: int) -> Floats:
        """Return the effect of the detector terms on ln C of the rows."""
        values = {n: jnp.asarray(self._of(n, draw)) for n in DETECTOR_TERMS if self.card.has(n)}
        return np.asarray(effect_at_rows(self.design, self.card, values))

    def _private_law(
        self,
        law: dict[str, Floats],
        slopes: tuple[Floats, Floats],
        draw: int,
        random: np.random.Generator,
    ) -> tuple[Floats, Floats]:
        """Return what is private to bands in the law: effect on ln C in this draw, its spread.

        Of a loss, what is smooth in wavelength and what is private to the band are drawn given
        their sum.
        """
        n_bands = len(self.design.bands)
        if not self.card.settles:
            return np.zeros(len(self._band)), np.zeros((len(self._band), 1))
        departure = np.sqrt(self._scale("loss_departure", draw) ** 2 + JITTER)
        size = self._scale("loss_scale", draw) * self._growth
        smooth = size[:, None] * size * self._smooth
        private = departure**2 * np.eye(n_bands)
        gain = private @ np.linalg.inv(smooth + private)
        left = private - gain @ private
        mean = gain @ (law["loss"] - self._loss_centre)
        of_loss = random.multivariate_normal(mean, 0.5 * (left + left.T), method="eigh")
        typical = self._tau_centre * self._scale("tau_median", draw)
        of_tau = np.log(law["tau"] / typical)
        by_loss, by_tau = slopes
        in_band = np.arange(n_bands) == self._band[:, None]
        widths = departure, self._scale("tau_spread", draw)
        spread = [
            in_band * (by * width)[:, None]
            for by, width in zip((by_loss, by_tau), widths, strict=True)
        ]
        shift = by_loss * of_loss[self._band] + by_tau * of_tau[self._band]
        return shift, np.concatenate(spread, axis=1)

    def _shared_law(self, slopes: tuple[Floats, Floats], draw: int) -> Floats:
        """Return the effects of a curve of losses smooth in wavelength, and of a common tau."""
        if not self.card.settles:
            return np.zeros((len(self._band), 1))
        by_loss, by_tau = slopes
        size = self._scale("loss_scale", draw) * self._growth
        # Bands close in wavelength leave the correlation no Cholesky factor.
        variances, curves = np.linalg.eigh(self._smooth)
        of_bands = size[:, None] * curves * np.sqrt(np.clip(variances, 0, None))
        curve = by_loss[:, None] * of_bands[self._band]
        return np.concatenate([curve, _TAU_WIDTH * by_tau[:, None]], axis=1)

    def _law_slopes(self, law: dict[str, Floats]) -> tuple[Floats, Floats]:
        """Return the change of ln[C(t)/A] of the rows with loss, and with the logarithm of tau."""
        if not self.card.settles:
            return np.zeros(len(self._band)), np.zeros(len(self._band))
        step = np.exp(_STEP)
        return (
            self._slope(law, {"loss": law["loss"] + _STEP}, {"loss": law["loss"] - _STEP}),
            self._slope(law, {"tau": law["tau"] * step}, {"tau": law["tau"] / step}),
        )

    def _slope(
        self, law: dict[str, Floats], up: dict[str, Floats], down: dict[str, Floats]
    ) -> Floats:
        """Return the change of ln[C(t)/A] of the rows between two changes of the law, a step."""
        elapsed = np.asarray(self.design.elapsed)
        high, low = (
            log_relative_factor(self.card.law, elapsed, law | moved, self._band)
            for moved in (up, down)
        )
        return (high - low) / (2 * _STEP)

    def _of(self, name: str, draw: int) -> Floats:
        return np.asarray(self.sites[name][draw], dtype=float)

    def _scale(self, name: str, draw: int) -> float:
        return float(self.sites[name][draw]) if name in self.card.priors else 0.0

    def _colour_precision(self, draw: int, random: np.random.Generator) -> Floats:
        n_stars, n_bands = len(self.design.stars), len(self.design.bands)
        if not self.card.has("star_band_offset"):
            return np.ones(n_stars)
        half_df = self.card.fixed("colour_tail") / 2
        root = np.linalg.cholesky(self._correlation)
        unit = solve_triangular(root, self._of("star_band_offset", draw).T, lower=True)
        squares = np.sum(unit**2, axis=0) / self._scale("colour_scale", draw) ** 2
        seen = self._predicted * n_bands
        return random.gamma(half_df + seen / 2, size=n_stars) / (half_df + squares / 2)

    def _outlier(
        self, draw: int, sigma: Floats, fraction: float, width: float, random: np.random.Generator
    ) -> Floats:
        if not self.card.has("outliers"):
            return np.zeros_like(sigma)
        off = np.asarray(self.design.log_factor) - self._of("expected", draw)
        sound = np.log1p(-fraction) + norm.logpdf(off, scale=sigma)
        wide = np.log(fraction) + norm.logpdf(off, scale=np.hypot(sigma, width))
        chance = np.exp(wide - np.logaddexp(sound, wide))
        return (random.uniform(size=len(off)) < chance).astype(float)


def _same(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    return labels[:, None] == labels
