"""Refits without a star, where importance weights cannot tell its influence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import Packing
from mirical.inference.refits import MORE, SHORT, Fit, Refits
from mirical.inference.runtime import random_key
from mirical.model.cards import Card
from mirical.model.design import Design, without_rows

Floats = NDArray[np.float64]

CHAINS = 2
"""Chains of a fit: what counts is averaged over the offsets exactly, so that short ones suffice."""


def without_stars(
    design: Design,
    card: Card,
    stars: Sequence[int],
    seed: int,
    advance: Callable[[], None],
    chains: int = CHAINS,
) -> dict[int, Floats]:
    """Fit the rows without those of one star after another.

    Its rows stay in their places with errors that leave them nothing to say, so that all fits
    run with functions compiled once.

    Parameters
    ----------
    design, card : Design, Card
        Rows and model.
    stars : sequence of int
        Indices of the stars.
    seed : int
        Fixes every random number.
    advance : callable
        Told of every fit done, `chains` a star.
    chains : int
        How many fits a star, averaged.

    Returns
    -------
    dict of {int : (band,) array}
        Posterior mean of ln A by star; NaN for a band nobody else has rows in, or where a fit
        must not be believed.
    """
    if not len(stars):
        return {}
    packing = Packing(design, card)
    refits = Refits(design, card, SHORT, packing.values, MORE, packing.judged)
    key = random_key(seed, "without stars")
    refits.adapt(key, design)
    star, band = np.asarray(design.star), np.asarray(design.band)
    tasks = [s for s in stars for _ in range(chains)]
    designs = (without_rows(design, star == s) for s in tasks)

    def mean_log_a(place: int, fit: Fit) -> Floats:
        if fit.problem:
            return np.full(len(design.bands), np.nan)
        masked = without_rows(design, star == tasks[place])
        gaussians = Gaussians(packing.sites(fit.values), masked, card, seed)
        each = [gaussians[draw].log_a_posterior()[0] for draw in range(len(fit.values))]
        return np.mean(each, axis=0)

    found: dict[int, list[Floats]] = {s: [] for s in stars}
    for place, mean in refits.fit_all(key, designs, threading.Event(), mean_log_a):
        found[tasks[place]].append(mean)
        advance()
    others = {s: np.isin(np.arange(len(design.bands)), band[star != s]) for s in stars}
    return {s: np.where(others[s], np.mean(of, axis=0), np.nan) for s, of in found.items()}
