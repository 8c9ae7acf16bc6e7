"""Fits of rival models to the same rows: predictions of rows left out and of later times.

Every fit of a card runs with functions compiled once (`mirical.inference.refits`): several
chains of all rows, and one of the rows before each cut date. What a draw
predicts has every offset integrated out (`mirical.inference.gaussian`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import jax
import numpy as np
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import Packing
from mirical.inference.leave_one_out import later_rows_at_draw, left_out_at_draw
from mirical.inference.refits import MORE, RHAT_LIMIT, SHORT, Fit, Refits
from mirical.inference.runtime import PACKAGES, configure, random_key
from mirical.many.tasks import Perform, Recipe, Result, Task
from mirical.model.design import Design, without_rows
from mirical.randomness import generator

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Item = tuple[int, float | None]
"""Number of a fit of a card, and the days since t0 before which it knows the rows; None for all."""

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
        ln C in the reference readout, drawn.
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

Found = dict[float | None, Predictions]
"""What a card predicts from all rows (None) and from those before each cut date."""


@dataclass(frozen=True)
class RivalPlan:
    """What is asked of every rival model.

    Attributes
    ----------
    dates : (date,) array
        Epochs at which C is predicted, MJD in days.
    cuts : int
        Dates before which hindcasts know the rows.
    seed : int
        Fixes every random number.
    chains, looked_at : int
        Chains of a fit to all rows, and draws of each chain that are looked at.
    timed : tuple of str
        Names of the cards that hindcasts are made with and forecasts told of by themselves.
    """

    dates: Floats
    cuts: int
    seed: int
    chains: int = CHAINS
    looked_at: int = LOOKED_AT
    timed: tuple[str, ...] = TIME_LAWS

    def items(self, design: Design, card: Card) -> list[Item]:
        """Return what is fitted: the chains of all rows, then the rows before each cut date."""
        cuts = cut_dates(design, self.cuts).tolist() if card.name in self.timed else []
        return list(enumerate([None] * self.chains + cuts))


class RivalFits:
    """Fits of one card to rows of a design, compiled once; the design's own give the pilot.

    Parameters
    ----------
    design, card : Design, Card
        Rows and model.
    plan : RivalPlan
        What is asked.
    """

    def __init__(self, design: Design, card: Card, plan: RivalPlan) -> None:
        self._plan, self._design, self._card = plan, design, card
        self._packing = Packing(design, card)
        self._refits = Refits(design, card, SHORT, self._packing.values, MORE, self._packing.judged)
        self._key = random_key(plan.seed, card.name)
        self._refits.adapt(self._key, design)

    def perform(self, item: Item, stop: threading.Event) -> Result | None:
        """Return what one chain predicts, and its judged numbers, from the design's rows."""
        return self.predict(item, stop, self._design, self._plan.dates)

    def predict(
        self, item: Item, stop: threading.Event, design: Design, dates: Floats
    ) -> Result | None:
        """Return the same from other values of the same rows, at other dates [MJD]."""
        place, cut = item
        held = np.zeros(len(design.rows), bool) if cut is None else np.asarray(design.elapsed) > cut
        masked = without_rows(design, held) if held.any() else design
        fit = self._refits.fit(jax.random.fold_in(self._key, place), masked, stop)
        if fit is None:
            return None
        unc = np.asarray(design.log_factor_unc)[held]
        one = self._predictions(place, fit, masked, (held, unc), np.asarray(dates) - design.t0)
        judged = fit.values[:, : self._packing.judged]
        return {name: getattr(one, name) for name in (*ARRAYS, "problem")} | {"judged": judged}

    def _predictions(
        self,
        place: int,
        fit: Fit,
        masked: Design,
        later: tuple[Bools, Floats],
        elapsed_at: Floats,
    ) -> Predictions:
        held, unc = later
        n_bands, n_dates = len(masked.bands), len(elapsed_at)
        if not len(fit.values):
            nothing, no_dates = np.zeros((0, 0)), np.zeros((0, n_bands, n_dates))
            return Predictions(nothing, nothing, no_dates, nothing, nothing, fit.problem)
        places = np.linspace(0, len(fit.values) - 1, self._plan.looked_at).astype(int)
        sites, seed = self._packing.sites(fit.values[places]), self._plan.seed + place
        gaussians = Gaussians(sites, masked, self._card, seed)
        random = generator(seed, f"forecast {self._card.name}")
        bands = np.repeat(np.arange(n_bands), n_dates)
        elapsed = np.tile(elapsed_at, n_bands)
        band = np.asarray(masked.band)[held]
        said = []
        for draw in range(len(places)):
            rows = gaussians[draw]
            mean, covariance = rows.log_a_posterior()
            log_a = random.multivariate_normal(mean, covariance, method="eigh")
            log_c = log_a[bands] + gaussians.law_effect(draw, elapsed, bands)
            scatter = np.hypot(sites["repeatability"][draw][band], unc)
            after = later_rows_at_draw(rows, held, scatter) if held.any() else (np.zeros(0),) * 2
            log_density = left_out_at_draw(rows)[0][~held]
            said.append((log_density, mean, log_c.reshape(n_bands, n_dates), *after))
        return Predictions(*map(np.stack, zip(*said, strict=True)), problem=fit.problem)


def rival_tasks(design: Design, card: Card, plan: RivalPlan) -> list[Task]:
    """Return the fits of a card."""
    inputs = {"study": "rivals", "design": design, "card": card, "plan": plan}
    inputs |= {"sampler": [SHORT, MORE]}
    recipe = Recipe(inputs, PACKAGES, partial(_fitting, design, card, plan), configure)
    return [Task(recipe, item) for item in plan.items(design, card)]


def _fitting(design: Design, card: Card, plan: RivalPlan) -> Perform:
    return RivalFits(design, card, plan).perform


def put_together(results: Sequence[tuple[Item, Result]]) -> Found:
    """Return what the fits of a card predict, by cut date, the chains of all rows as one."""
    chains = [result for (_, cut), result in results if cut is None]
    found: Found = {None: _together(chains)} if chains else {}
    return found | {cut: _of(result) for (_, cut), result in results if cut is not None}


def _of(result: Result) -> Predictions:
    return Predictions(**{name: result[name] for name in (*ARRAYS, "problem")})


def _together(chains: Sequence[Result]) -> Predictions:
    """Return what the chains of one fit predict, one after another."""
    problem = next((one["problem"] for one in chains if one["problem"]), "")
    usable = [one for one in chains if len(one["log_a"])] or [chains[0]]
    return Predictions(
        *(np.concatenate([one[name] for one in usable]) for name in ARRAYS),
        problem=problem or _disagree([one["judged"] for one in chains]),
    )


def _disagree(judged: Sequence[Floats]) -> str:
    """Return that chains disagree, or nothing."""
    if len(judged) < 2:
        return ""
    n = min(map(len, judged))
    stacked = np.stack([values[:n] for values in judged])
    rhat = float(np.max(np.asarray(array_stats.rhat(stacked, chain_axis=0, draw_axis=1))))
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
