"""Fits of rival models to the same rows: predictions of rows left out and of later times.

Every fit of a card runs with functions compiled once (`mirical.inference.refits`): several
chains of all rows, and one of the rows before each cut date. What a draw
predicts has every offset integrated out (`mirical.inference.gaussian`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from mirical.conventions import T0_MJD
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import Packing
from mirical.inference.leave_one_out import later_rows_at_draw, left_out_at_draw
from mirical.inference.refits import MORE, RHAT_LIMIT, SHORT, Fit, Refits
from mirical.inference.runtime import random_key
from mirical.model.cards import Card
from mirical.model.design import Design, without_rows
from mirical.randomness import generator

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LADDER: tuple[str, ...] = (
    "pooled",
    "staged-like",
    "independent",
    "no-visit",
    "no-subarray-band",
    "hierarchical",
)
"""Cards from the simplest to the model: what does each term gain?"""

TIME_LAWS: tuple[str, ...] = (
    "hierarchical",
    "pipeline",
    "exponential-linear",
    "power-law",
    "two-exponentials",
)
"""Cards that differ in the time law alone."""

CHAINS, LOOKED_AT = 4, 75
"""Chains of a fit to all rows, and draws of each chain that are looked at."""


@dataclass(frozen=True)
class Predictions:
    """What a model fitted to some rows predicts.

    Attributes
    ----------
    log_likelihood : (draw, row) array
        Log density of each row of the fit given all others.
    log_a : (draw, band) array
        Mean of ln A.
    log_c : (draw, band, date) array
        ln C in FULL, drawn.
    later, share : (draw, later row) array
        Log density of each row left out, given those that were not, and the share below it.
    problem : str
        Why the fit must not be believed; empty for a sound one.
    """

    log_likelihood: Floats
    log_a: Floats
    log_c: Floats
    later: Floats
    share: Floats
    problem: str


ARRAYS = tuple(field.name for field in fields(Predictions) if field.name != "problem")
"""What of `Predictions` are arrays, draws along the first axis."""


class RivalFits:
    """Fits of one card to all rows of a design, and to those before some date.

    Parameters
    ----------
    design, card : Design, Card
        Rows and model.
    dates : (date,) array
        Epochs at which C is predicted, MJD in days.
    seed : int
        Fixes every random number.
    chains, looked_at : int
        Chains of a fit to all rows, and draws of each chain that are looked at.
    """

    def __init__(
        self,
        design: Design,
        card: Card,
        dates: Floats,
        seed: int,
        chains: int = CHAINS,
        looked_at: int = LOOKED_AT,
    ) -> None:
        self._chains, self._looked_at = chains, looked_at
        self._design, self._card, self._seed = design, card, seed
        self._elapsed = np.asarray(dates) - T0_MJD
        self._packing = Packing(design, card)
        self._refits = Refits(design, card, SHORT, self._packing.values, MORE, self._packing.judged)
        self._key = random_key(seed, card.name)
        self._refits.adapt(self._key, design)

    def ask_at(self, dates: Floats) -> None:
        """Predict C at other epochs from now on, as many as before, MJD in days."""
        self._elapsed = np.asarray(dates) - T0_MJD

    def run(
        self,
        cuts: Sequence[float],
        stop: threading.Event,
        of: Design | None = None,
        *,
        whole: bool = True,
    ) -> Iterator[tuple[float | None, Predictions]]:
        """Yield what the model predicts from all rows (cut None) and from those before each cut.

        Parameters
        ----------
        cuts : sequence of float
            Days since t0.
        stop : Event
            Ends the fits.
        of : Design, optional
            Other values of the same rows.
        whole : bool
            Whether all rows are fitted too.
        """
        design = of or self._design
        elapsed = np.asarray(design.elapsed)
        none = np.zeros(len(elapsed), dtype=bool)
        tasks = [(None, none)] * (self._chains if whole else 0) + [
            (cut, elapsed > cut) for cut in cuts
        ]
        designs = (without_rows(design, held) if held.any() else design for _, held in tasks)

        def predict(place: int, fit: Fit) -> tuple[Fit, Predictions]:
            return fit, self._predict(place, fit, design, tasks[place][1])

        chains: dict[int, tuple[Fit, Predictions]] = {}
        for place, (fit, one) in self._refits.fit_all(self._key, designs, stop, predict):
            cut = tasks[place][0]
            if cut is not None:
                yield cut, one
                continue
            chains[place] = fit, one
            if len(chains) == self._chains:
                yield None, self._together([chains[place] for place in sorted(chains)])

    def _predict(self, place: int, fit: Fit, design: Design, held: Bools) -> Predictions:
        n_bands, n_dates = len(design.bands), len(self._elapsed)
        if not len(fit.values):
            nothing, no_dates = np.zeros((0, 0)), np.zeros((0, n_bands, n_dates))
            return Predictions(nothing, nothing, no_dates, nothing, nothing, fit.problem)
        places = np.linspace(0, len(fit.values) - 1, self._looked_at).astype(int)
        sites = self._packing.sites(fit.values[places])
        masked = without_rows(design, held) if held.any() else design
        gaussians = Gaussians(sites, masked, self._card, self._seed + place)
        random = generator(self._seed + place, f"forecast {self._card.name}")
        bands = np.repeat(np.arange(n_bands), n_dates)
        elapsed = np.tile(self._elapsed, n_bands)
        band, unc = np.asarray(design.band)[held], np.asarray(design.log_factor_unc)[held]
        said = []
        for draw in range(len(places)):
            rows = gaussians[draw]
            mean, covariance = rows.log_a_posterior()
            log_a = random.multivariate_normal(mean, covariance, method="eigh")
            log_c = log_a[bands] + gaussians.law_effect(draw, elapsed, bands)
            scatter = np.hypot(sites["repeatability"][draw][band], unc)
            later = later_rows_at_draw(rows, held, scatter) if held.any() else (np.zeros(0),) * 2
            log_density = left_out_at_draw(rows)[0][~held]
            said.append((log_density, mean, log_c.reshape(n_bands, n_dates), *later))
        return Predictions(*map(np.stack, zip(*said, strict=True)), problem=fit.problem)

    def _together(self, whole: list[tuple[Fit, Predictions]]) -> Predictions:
        """Return what the chains of one fit predict, one after another."""
        fits, each = zip(*whole, strict=True)
        problem = next((fit.problem for fit in fits if fit.problem), "") or self._disagree(fits)
        usable = [one for one in each if len(one.log_a)] or [each[0]]
        return Predictions(
            *(np.concatenate([getattr(one, name) for one in usable]) for name in ARRAYS),
            problem=problem,
        )

    def _disagree(self, fits: Sequence[Fit]) -> str:
        """Return that chains disagree, or nothing."""
        if len(fits) < 2:
            return ""
        n = min(len(fit.values) for fit in fits)
        judged = np.stack([fit.values[:n, : self._packing.judged] for fit in fits])
        rhat = float(np.max(np.asarray(array_stats.rhat(judged, chain_axis=0, draw_axis=1))))
        return f"R-hat is {rhat:.2f}" if rhat > RHAT_LIMIT else ""


def cut_dates(design: Design, number: int) -> Floats:
    """Return the days since t0 before which even shares of the rows were taken: 0.3 to 0.9."""
    if not number:
        return np.zeros(0)
    elapsed = np.sort(np.asarray(design.elapsed))
    at = (np.linspace(0.3, 0.9, number) * (len(elapsed) - 1)).astype(int)
    # Between two rows, so that no visit is cut in two by rounding.
    cuts = np.unique(0.5 * (elapsed[at] + elapsed[at + 1]))
    return cuts[cuts < elapsed[-1]]
