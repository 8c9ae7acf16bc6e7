"""Fast fits in the place of the short chains of many refits."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import jax
import numpy as np

from mirical.cards.card import Card
from mirical.fast.fit import Effort, FastFits
from mirical.inference.refits import Fit, Values, diagnose_short
from mirical.model.design import Design
from mirical.model.nesting import plain_rows
from mirical.model.terms import colour_correlation

SMALL = Effort(points=128, moved=20, fitting=8, annealing=(8, 16, 32), settling=6, steps=8, most=8)
"""Of a fit whose draws are ranked, a hundred at most."""


FEWEST = 10.0
"""Effective draws that make a rank."""


@dataclass(frozen=True)
class WeightedFit(Fit):
    """What a fast fit found of one data set.

    Attributes
    ----------
    k, limit : float
        Pareto k of its weights, and the largest it may have.
    """

    k: float
    limit: float

    @property
    def problem(self) -> str:
        """Return why the fit must not be believed; empty for a sound one."""
        if not self.k < self.limit:
            return f"Pareto k is {self.k:.2f}"
        # No R-hat: the points did not come one from the other, so nothing has to converge.
        fewest = float(np.min(self.ess))
        return "" if fewest >= FEWEST else f"only {fewest:.0f} effective draws"


class FastRefits:
    """Fast fits of data sets that differ from a design in their rows' factors and errors alone.

    Parameters
    ----------
    design, card : Design, Card
        Of all data sets, and the model.
    values : callable
        The quantities wanted, one array, of a draw's sites and the data set.
    effort : Effort
        How much is done.
    """

    def __init__(self, design: Design, card: Card, values: Values, effort: Effort = SMALL) -> None:
        rows = plain_rows(design, colour_correlation(design, card))
        self._fits = FastFits(rows, card, values, effort)

    def fit(self, key: jax.Array, design: Design, stop: threading.Event) -> WeightedFit | None:
        """Fit one data set; None if stopped before."""
        if stop.is_set():
            return None
        fit = self._fits.fit(design, int(jax.random.bits(key) >> 1))
        drawn = np.concatenate([np.asarray(step) for step in fit.drawn], axis=1)
        values = drawn.reshape(-1, drawn.shape[-1])
        diverged = sum(int(np.sum(np.asarray(step["diverging"]))) for step in fit.stats)
        rhat, ess = diagnose_short(values)
        assert fit.weights is not None
        return WeightedFit(values, diverged, rhat, ess, fit.weights.k, fit.weights.limit)
