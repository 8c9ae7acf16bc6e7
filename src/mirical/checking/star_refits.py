"""Refits without a star, where importance weights cannot tell its influence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import Packing
from mirical.inference.refits import MORE, SHORT, Fit, Refits
from mirical.inference.runtime import PACKAGES, configure, random_key
from mirical.many.running import run_here
from mirical.many.tasks import Perform, Recipe, Result, Runner, Task, nothing
from mirical.model.design import Design, without_rows

Floats = NDArray[np.float64]

CHAINS = 2
"""Chains of a fit: what counts is averaged over the offsets exactly, so that short ones suffice."""


@dataclass(frozen=True)
class StarRefits:
    """How fits without a star are made.

    Attributes
    ----------
    seed : int
        Fixes every random number.
    chains : int
        How many fits a star, averaged.
    run : Runner
        Runs them.
    begin : callable
        Told of the number of fits, returns who is told of each.
    """

    seed: int
    chains: int = CHAINS
    run: Runner = run_here
    begin: Callable[[int], Callable[[], None]] = lambda _: nothing


def without_stars(
    design: Design, card: Card, stars: Sequence[int], refits: StarRefits
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
    refits : StarRefits
        How the fits are made.

    Returns
    -------
    dict of {int : (band,) array}
        Posterior mean of ln A by star; NaN for a band nobody else has rows in, or where a fit
        must not be believed.
    """
    if not len(stars):
        return {}
    inputs = {"study": "fits without a star", "design": design, "card": card, "seed": refits.seed}
    recipe = Recipe(
        inputs | {"sampler": [SHORT, MORE]},
        PACKAGES,
        partial(_fitting, design, card, refits.seed),
        configure,
    )
    of = [int(star) for star in stars for _ in range(refits.chains)]
    advance = refits.begin(len(of))
    means: dict[int, Floats] = {}

    def take(place: int, result: Result) -> None:
        means[place] = result["log_a"]
        advance()

    refits.run([Task(recipe, [place, star]) for place, star in enumerate(of)], take)
    star, band = np.asarray(design.star), np.asarray(design.band)
    predicted = np.asarray(design.free)[star] == 0
    others = {s: np.isin(np.arange(len(design.bands)), band[predicted & (star != s)]) for s in of}
    mean = {s: np.mean([means[i] for i, t in enumerate(of) if t == s], axis=0) for s in others}
    return {s: np.where(others[s], mean[s], np.nan) for s in others}


def _fitting(design: Design, card: Card, seed: int) -> Perform:
    """Return the function that fits the rows without a star, by number of the fit and the star."""
    packing = Packing(design, card)
    refits = Refits(design, card, SHORT, packing.values, MORE, packing.judged)
    key = random_key(seed, "without stars")
    refits.adapt(key, design)

    def fit_one(item: Sequence[int], stop: threading.Event) -> Result | None:
        place, star = item
        masked = without_rows(design, np.asarray(design.star) == star)
        fit = refits.fit(jax.random.fold_in(key, place), masked, stop)
        return None if fit is None else {"log_a": _mean_log_a(fit, packing, masked, card, seed)}

    return fit_one


def _mean_log_a(fit: Fit, packing: Packing, design: Design, card: Card, seed: int) -> Floats:
    if fit.problem:
        return np.full(len(design.bands), np.nan)
    gaussians = Gaussians(packing.sites(fit.values), design, card, seed)
    each = [gaussians[draw].log_a_posterior()[0] for draw in range(len(fit.values))]
    return np.mean(each, axis=0)
