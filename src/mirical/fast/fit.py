"""Fast fits: mode, proposal, annealing and a few exact steps, of one data set or of many alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from mirical.cards.card import Card
from mirical.errors import InputError
from mirical.fast.annealing import anneal
from mirical.fast.drift import Drift, drift_of
from mirical.fast.mode import find_mode, fit_proposal
from mirical.fast.rounds import Named, Points, Rounds
from mirical.fast.target import Each, Target
from mirical.fast.walk import Walk, Walked
from mirical.inference.posterior import Reference, derived
from mirical.inference.runtime import cores, random_key, release_memory
from mirical.inference.sampling import flux_scale_draws
from mirical.inference.schema import Arrays
from mirical.model.design import Design
from mirical.model.nesting import make_blocks
from mirical.model.terms import colour_correlation
from mirical.weighting.pareto import Weights, resample, smooth_weights

FAST = "fast"
"""The name of this way of making draws."""

HOW = (
    "The draws were not made by chains that ran until they agreed: a skewed normal was fitted at "
    "the mode, its points were annealed to the posterior and weighted, and short chains of "
    "exact steps begin at them."
)

FAST_ESS = 200
"""Effective draws that a fast fit must have of every reported quantity: the Monte-Carlo error of a
mean is then a fourteenth of its error."""

PARTS = 4
"""Parts in which the draws are stored, as those of so many chains."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes
    ----------
    points : int
        Weighted points; even.
    moved : int
        Of them, by their weights, as many stand for the posterior: exact steps begin at each.
    fitting : int
        Iterations of the fit of the proposal.
    annealing : tuple of int
        Steps from it to the posterior, at least; the next number where the weights of one are not
        usable.
    settling, steps : int
        Exact steps of each point that are left out, and that are kept.
    """

    points: int = 256
    moved: int = 64
    fitting: int = 12
    annealing: tuple[int, ...] = (8, 16, 32)
    settling: int = 12
    steps: int = 32


@dataclass(frozen=True)
class FastFit:
    """What a fast fit made.

    Attributes
    ----------
    drawn : list of trees of (point, draw, ...) arrays
        What was wanted of the draws of each step that is kept.
    stats : list of dict of {str : (point,) array}
        Statistics of those steps.
    weights : Weights
        Of the annealed points.
    """

    drawn: list[Any]
    stats: list[dict[str, Any]]
    weights: Weights


class FastFits:
    """Fast fits of data sets of one design; compiled once.

    Parameters
    ----------
    design, card : Design, Card
        What is fitted; other data sets differ in their rows' factors and errors alone.
    named : callable
        What is wanted of a draw.
    effort : Effort
        How much is done.
    each : callable
        As of `mirical.fast.target.Target`.
    """

    def __init__(
        self, design: Design, card: Card, named: Named, effort: Effort, each: Each = map
    ) -> None:
        blocks = make_blocks(design, colour_correlation(design, card))
        self._card, self._effort = card, effort
        self._target = Target(design, blocks, card, each)
        self._rounds = Rounds(design, card, self._target.coordinates, named, each)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for done in [pool.submit(each.compile) for each in (self._target, self._rounds)]:
                done.result()
        release_memory()

    def fit(self, design: Design, seed: int, tell: Tell = lambda said: None) -> FastFit:
        """Fit one data set.

        Parameters
        ----------
        design : Design
            Its rows.
        seed : int
            Fixes every random number.
        tell : callable
            Told what is being done.

        Raises
        ------
        InputError
            If the density is not finite anywhere near the data.
        """
        effort, random = self._effort, np.random.default_rng(seed)
        target, rounds = self._target.moved_to(design), self._rounds.moved_to(design)
        tell("looking for the mode")
        mode = find_mode(target)
        proposal = fit_proposal(target, mode, random, effort.fitting)
        for steps in effort.annealing:
            tell(f"annealing in {steps} steps")
            found = anneal(target, mode, proposal, random, effort.points, steps)
            if not len(found.e):
                raise InputError(
                    "the fast fit cannot start: the model's density is not finite anywhere near "
                    f"the data; check the priors of card {self._card.name!r} and the table's "
                    "errors."
                )
            weights = smooth_weights(found.log_weight)
            if weights.usable:
                break
        which = resample(weights.values, effort.moved, seed)
        points = Points(proposal.at(found.e[which]), found.outlier[which])
        walk, walked = Walk(target, rounds, mode, proposal, random), list[Walked]()
        number = effort.settling + effort.steps
        for step in range(number):
            tell(f"exact step {step + 1} of {number}")
            made = walk.step(points)
            points = made.points
            if step >= effort.settling:
                walked.append(made)
        return FastFit([one.drawn for one in walked], [one.stats for one in walked], weights)


@dataclass(frozen=True)
class FastDraws:
    """Draws of a posterior from a fast fit, stored as those of `PARTS` chains.

    Attributes
    ----------
    sites, stats : dict of {str : (part, draw, ...) array}
        As `mirical.chains.sampling.Chains`.
    weights : Weights
        Of the annealed points.
    drift : dict of {str : Drift}
        How far the means moved from the first kept steps to the last.
    """

    sites: Arrays
    stats: Arrays
    weights: Weights
    drift: dict[str, Drift]


def fit_fast(
    design: Design,
    card: Card,
    seed: int,
    reference_mjd: float,
    effort: Effort | None = None,
    tell: Tell = lambda said: None,
) -> FastDraws:
    """Return draws of the posterior, all sites and what is derived of them.

    Draws of one point stand side by side, and points of one origin do, so that an
    autocorrelation counts them as what they are.

    Raises
    ------
    InputError
        If the density is not finite anywhere near the data.
    """
    effort = effort or Effort()
    reference = Reference(reference_mjd, design.t0)
    named = partial(_with_derived, law=card.law, reference=reference)
    tell("compiling")
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        fit = FastFits(design, card, named, effort, pool.map).fit(design, seed, tell)
    drawn = jax.tree.map(lambda *steps: np.concatenate(steps, axis=1), *fit.drawn)
    each = next(iter(drawn.values())).shape[1] // effort.steps
    stats = {
        name: np.stack([np.asarray(of[name]) for of in fit.stats], axis=1).repeat(each, axis=1)
        for name in fit.stats[0]
    }
    sites = {name: _in_parts(value) for name, value in drawn.items()}
    stats = {name: _in_parts(value) for name, value in stats.items()}
    scale = flux_scale_draws(card, random_key(seed, "flux scale"), stats["lp"].shape)
    drift = {name: drift_of([step[name] for step in fit.drawn]) for name in sites}
    return FastDraws(sites | scale, stats, fit.weights, drift)


def _in_parts(values: Any) -> np.ndarray:
    values = np.asarray(values)
    # Not -1: of a term without numbers there is nothing to count.
    number = values.shape[0] * values.shape[1] // PARTS
    return values.reshape(PARTS, number, *values.shape[2:])


def _with_derived(
    sites: dict[str, Any], design: Design, law: str, reference: Reference
) -> dict[str, Any]:
    return sites | derived(sites, law, reference, design.covariates)
