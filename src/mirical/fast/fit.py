"""Fast fits: mode, proposal, annealing and a few exact steps, of one data set or of many alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np

from mirical.cards.card import Card
from mirical.chains.weighted_verdict import enough_draws
from mirical.errors import InputError
from mirical.fast.annealing import anneal
from mirical.fast.drift import Drift, drift_of
from mirical.fast.mode import NO_DENSITY, Mode, find_mode, fit_proposal
from mirical.fast.proposal import Proposal
from mirical.fast.rounds import Named, Points, Rounds
from mirical.fast.target import Each, Target
from mirical.fast.walk import HALF, QUARTER, Walk, Walked
from mirical.inference.posterior import PRINTED, Reference, derived
from mirical.inference.runtime import cores, random_key, release_memory
from mirical.inference.sampling import flux_scale_draws
from mirical.inference.schema import DIMS, Arrays
from mirical.model.design import Design
from mirical.model.nesting import Rows, plain_rows, roomy_rows
from mirical.model.terms import colour_correlation
from mirical.weighting.padding import cut
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
Begin = Callable[[Callable[[Design], Walk], Tell], Points]
"""Given the exact steps of a design's rows, and whom to tell, returns points."""


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
    most : int
        Steps that are kept at most, where fewer are not enough.
    leapfrogs : (int, int)
        Fewest and most of the trajectory of an exact step, until these were not enough.
    """

    points: int = 256
    moved: int = 64
    fitting: int = 12
    annealing: tuple[int, ...] = (8, 16, 32)
    settling: int = 12
    steps: int = 32
    most: int = 96
    leapfrogs: tuple[int, int] = QUARTER


@dataclass(frozen=True)
class FastFit:
    """What a fast fit made.

    Attributes
    ----------
    drawn : list of trees of (point, draw, ...) arrays
        What was wanted of the draws of each step that is kept.
    stats : list of dict of {str : (point,) array}
        Statistics of those steps.
    weights : Weights or None
        Of the annealed points; None if the steps began at points that were given.
    """

    drawn: list[Any]
    stats: list[dict[str, Any]]
    weights: Weights | None


class FastFits:
    """Fast fits of data sets of one design; compiled once.

    Parameters
    ----------
    rows, card : Rows, Card
        What is fitted; other data sets differ in their rows' factors and errors alone.
    named : callable
        What is wanted of a draw.
    effort : Effort
        How much is done.
    each : callable
        As of `mirical.fast.target.Target`.
    roomy : bool
        As of `mirical.fast.rounds.Rounds`.
    """

    def __init__(
        self,
        rows: Rows,
        card: Card,
        named: Named,
        effort: Effort,
        each: Each = map,
        *,
        roomy: bool = False,
    ) -> None:
        self._card, self._effort = card, effort
        self._target = Target(*rows, card, each)
        self._rounds = Rounds(rows, card, self._target.coordinates, named, each, roomy=roomy)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for done in [pool.submit(each.compile) for each in (self._target, self._rounds)]:
                done.result()
        release_memory()

    def fit(
        self,
        design: Design,
        seed: int,
        tell: Tell = lambda said: None,
        begin: Begin | None = None,
        enough: Callable[[list[Any]], bool] = lambda drawn: True,
    ) -> FastFit:
        """Fit one data set.

        Parameters
        ----------
        design : Design
            Its rows.
        seed : int
            Fixes every random number.
        tell : callable
            Told what is being done.
        begin : callable, optional
            Returns the points of the posterior at which the steps begin, in place of annealed ones.
        enough : callable
            Given the draws of all steps that are kept, whether these are enough; as many steps are
            made again if not.

        Raises
        ------
        InputError
            If the density is not finite anywhere near the data.
        """
        effort, random = self._effort, np.random.default_rng(seed)
        target = self._target.moved_to(design)
        tell("looking for the mode")
        mode = find_mode(target)
        proposal = fit_proposal(target, mode, random, effort.fitting)

        def walk_of(design: Design, leapfrogs: tuple[int, int] = effort.leapfrogs) -> Walk:
            target, rounds = self._target.moved_to(design), self._rounds.moved_to(design)
            return Walk(target, rounds, mode, proposal, random, leapfrogs)

        if begin is not None:
            weights, points = None, begin(walk_of, tell)
        else:
            weights, points = self._annealed(target, mode, proposal, random, seed, tell)
        walk, walked = walk_of(design), list[Walked]()
        for step in range(effort.settling + effort.most):
            kept = step - effort.settling
            if kept > 0 and kept % effort.steps == 0:
                if enough([one.drawn for one in walked]):
                    break
                walk = walk_of(design, HALF)
            tell(f"exact step {step + 1}")
            made = walk.step(points)
            points = made.points
            if kept >= 0:
                walked.append(made)
        return FastFit([one.drawn for one in walked], [one.stats for one in walked], weights)

    def _annealed(
        self,
        target: Target,
        mode: Mode,
        proposal: Proposal,
        random: np.random.Generator,
        seed: int,
        tell: Tell,
    ) -> tuple[Weights, Points]:
        """Return the weights of annealed points, and points that stand for them."""
        effort = self._effort
        for steps in effort.annealing:
            tell(f"annealing in {steps} steps")
            found = anneal(target, mode, proposal, random, effort.points, steps)
            if not len(found.e):
                raise InputError(NO_DENSITY.format(self._card.name))
            weights = smooth_weights(found.log_weight)
            if weights.usable:
                break
        which = resample(weights.values, effort.moved, seed)
        return weights, Points(proposal.at(found.e[which]), found.outlier[which])


@dataclass(frozen=True)
class Manner:
    """How one data set is fitted.

    Attributes
    ----------
    effort : Effort
        How much is done.
    begin : callable or None
        As of `FastFits.fit`; of rows with room to spare if `roomy`.
    roomy : bool
        Whether what is compiled shall serve fits of a few rows more.
    """

    effort: Effort = field(default_factory=Effort)
    begin: Begin | None = None
    roomy: bool = False


@dataclass(frozen=True)
class FastDraws:
    """Draws of a posterior from a fast fit, stored as those of `PARTS` chains.

    Attributes
    ----------
    sites, stats : dict of {str : (part, draw, ...) array}
        As `mirical.chains.sampling.Chains`.
    weights : Weights or None
        As of `FastFit`.
    drift : dict of {str : Drift}
        How far the means moved from the first kept steps to the last.
    """

    sites: Arrays
    stats: Arrays
    weights: Weights | None
    drift: dict[str, Drift]


def fit_fast(
    design: Design,
    card: Card,
    seed: int,
    reference_mjd: float,
    manner: Manner | None = None,
    tell: Tell = lambda said: None,
) -> FastDraws:
    """Return draws of the posterior, all sites and what is derived of them.

    Draws of one point stand side by side, and points of one origin do, so that an
    autocorrelation counts them as what they are.

    Parameters
    ----------
    design, card : Design, Card
        What is fitted.
    seed : int
        Fixes every random number.
    reference_mjd : float
        Epoch of ``C_ref``, MJD in days.
    manner : Manner, optional
        How it is fitted.
    tell : callable
        Told what is being done.

    Raises
    ------
    InputError
        If the density is not finite anywhere near the data.
    """
    manner = manner or Manner()
    effort = manner.effort
    reference = Reference(reference_mjd, design.t0)
    named = partial(_with_derived, law=card.law, reference=reference)
    correlation = colour_correlation(design, card)
    rows = roomy_rows(design, correlation) if manner.roomy else plain_rows(design, correlation)
    tell("compiling")
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        fits = FastFits(rows, card, named, effort, pool.map, roomy=manner.roomy)
        enough = partial(_enough, design=design)
        fit = fits.fit(rows.design, seed, tell, manner.begin, enough)
    stats = {
        name: _in_parts(np.stack([np.asarray(of[name]) for of in fit.stats], axis=1))
        for name in fit.stats[0]
    }
    sites = _of_steps(fit.drawn, design)
    scale = flux_scale_draws(card, random_key(seed, "flux scale"), stats["lp"].shape)
    steps = [cut(step, design, axes=2) for step in fit.drawn]
    drift = {name: drift_of([step[name] for step in steps]) for name in sites}
    return FastDraws(sites | scale, stats, fit.weights, drift)


def _enough(drawn: list[Any], design: Design) -> bool:
    """Return whether there are as many draws of every reported quantity as there must be."""
    reported = [{n: v for n, v in step.items() if n in DIMS} for step in drawn]
    return enough_draws(_of_steps(reported, design), PRINTED, FAST_ESS)


def _of_steps(drawn: list[Any], design: Design) -> Arrays:
    """Return the draws of all steps, (part, draw, ...) arrays."""
    joined = jax.tree.map(lambda *steps: np.concatenate(steps, axis=1), *drawn)
    return {name: _in_parts(value) for name, value in cut(joined, design, axes=2).items()}


def _in_parts(values: Any) -> np.ndarray:
    values = np.asarray(values)
    # Not -1: of a term without numbers there is nothing to count.
    number = values.shape[0] * values.shape[1] // PARTS
    return values.reshape(PARTS, number, *values.shape[2:])


def _with_derived(
    sites: dict[str, Any], design: Design, law: str, reference: Reference
) -> dict[str, Any]:
    return sites | derived(sites, law, reference, design.covariates)
