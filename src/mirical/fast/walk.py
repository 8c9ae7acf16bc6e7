r"""Exact steps: points walk in the posterior, side by side.

A step is one trajectory of Hamiltonian dynamics in the sites of the terms, given which rows are
outliers and the stars' colour precisions, accepted or refused; then some indicators proposed at
once, each with its own chance given all others,

    P(row i flips) = odds_i / (1 + odds_i),

accepted with the ratio of the densities and of the chances there and back (Zanella 2020, JASA 115,
852; of uncorrelated rows it is one); then the same for all rows of one visit, which are proposed
to be no outliers, or each to be one with its own chance: several outliers of a visit may as well
be its offset; then a round of the sampler (`mirical.fast.rounds`), in which indicators and colours
of a star are drawn together. Each leaves the posterior as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.special import expit

from mirical.fast.mode import Mode
from mirical.fast.proposal import Floats, Integers, Proposal
from mirical.fast.rounds import JUMPING, Points, Rounds
from mirical.fast.target import Found, Target
from mirical.model.design import has_weight

_STEP = 0.35, 0.55
"""Shortest and longest leapfrog, in units in which the posterior is about one wide."""
QUARTER, HALF = (3, 4), (5, 9)
"""Fewest and most leapfrogs of a trajectory: a quarter of a circle in the mean, or half of one,
which is a quarter where the posterior is twice as wide as at the mode, as in bands of few rows."""
_DIVERGED = 1000.0  # of energy, as NumPyro has it
_SURE = 30.0  # log odds beyond which an indicator is as good as certain
_SOME = 0.5  # of the rows that may flip at once
_ALL_SOUND = 0.5  # chance that a visit's rows are proposed to be all sound
_LEAST = 0.02  # doubt of a visit that has none


class Walked(NamedTuple):
    """Points after a step, and what was drawn in it.

    Attributes
    ----------
    points : Points
        Where they are.
    drawn : tree of (point, 1, ...) arrays
        What is wanted of the draw of the step.
    stats : dict of {str : (point,) array}
        Statistics of the step.
    """

    points: Points
    drawn: Any
    stats: dict[str, Any]


class Walk:
    """Steps in the posterior of a data set.

    Parameters
    ----------
    target, rounds : Target, Rounds
        The density, and the sampler's round.
    mode : Mode
        Tells which stars are in doubt.
    proposal : Proposal
        Sets the widths of a trajectory.
    random : Generator
        Fixes the steps.
    leapfrogs : (int, int)
        Fewest and most of a trajectory.
    """

    def __init__(
        self,
        target: Target,
        rounds: Rounds,
        mode: Mode,
        proposal: Proposal,
        random: np.random.Generator,
        leapfrogs: tuple[int, int] = QUARTER,
    ) -> None:
        self._leapfrogs = leapfrogs
        moving = target.coordinates.of_sites
        self._target, self._rounds, self._random = target, rounds, random
        self._metric = proposal.of_first(moving)
        self._moving = np.arange(len(proposal.mean)) < moving
        self._doubtful = _most_doubtful_first(target, mode)
        self._visit = np.asarray(target.data[0].visit)
        self._of_visits = _doubt_of_visits(self._visit, has_weight(target.data[0]), mode)

    def step(self, points: Points) -> Walked:
        """Move every point by one step."""
        points, found, stats = self._trajectory(points)
        outlier, density = self._flipped(points, found)
        if self._of_visits is not None:
            outlier = self._of_one_visit(points.x, outlier, density, self._of_visits)
        made = self._rounds.go(Points(points.x, outlier), self._jumping(), self._random)
        return Walked(made.points, jax.tree.map(lambda leaf: leaf[:, None], made.drawn), stats)

    def _jumping(self) -> Integers:
        """Return the most doubtful stars, and one of the others."""
        most, others = self._doubtful[: JUMPING - 1], self._doubtful[JUMPING - 1 :]
        return np.append(most, self._random.permutation(others)[:1]).astype(np.int32)

    def _at(self, e: Floats, outlier: Floats) -> Found:
        return self._target.at(e, outlier, self._metric, self._target.nothing)

    def _trajectory(self, points: Points) -> tuple[Points, Found, dict[str, Any]]:
        """Move the standard numbers; return the density where the points are as well."""
        random, (x, outlier) = self._random, points
        start = e = self._metric.standard(x)
        number = int(random.integers(self._leapfrogs[0], self._leapfrogs[1] + 1))
        length = random.uniform(*_STEP)
        momentum = random.normal(size=e.shape) * self._moving
        begun = found = self._at(e, outlier)
        energy = 0.5 * np.sum(momentum**2, axis=1) - begun.density
        for _ in range(number):
            momentum = momentum + 0.5 * length * self._moving * found.slope
            e = e + length * momentum
            found = self._at(e, outlier)
            momentum = momentum + 0.5 * length * self._moving * found.slope
        gained = energy - (0.5 * np.sum(momentum**2, axis=1) - found.density)
        gained = np.where(np.isfinite(gained), gained, -np.inf)
        taken = np.log(random.uniform(size=len(e))) < gained
        e = np.where(taken[:, None], e, start)
        found = Found(*(_chosen(taken, *pair) for pair in zip(found, begun, strict=True)))
        stats = {
            "diverging": gained < -_DIVERGED,
            "energy": energy,
            "lp": found.density,
            "n_steps": np.full(len(e), number),
            "acceptance_rate": np.exp(np.minimum(gained, 0.0)),
            "step_size": np.full(len(e), length),
        }
        return Points(self._metric.at(e), outlier), found, stats

    def _flipped(self, points: Points, found: Found) -> tuple[Floats, Floats]:
        """Return the indicators after some flips, and the density there."""
        random, outlier = self._random, points.outlier
        may = random.uniform(size=outlier.shape) < _SOME
        flips = may & (random.uniform(size=outlier.shape) < _chance(outlier, found))
        to = np.where(flips, 1 - outlier, outlier)
        there = self._at(self._metric.standard(points.x), to)
        gained = there.density - found.density
        gained += _log_chance(to, there, flips, may) - _log_chance(outlier, found, flips, may)
        taken = np.log(random.uniform(size=len(to))) < gained
        return np.where(taken[:, None], to, outlier), np.where(taken, there.density, found.density)

    def _of_one_visit(
        self, x: Floats, outlier: Floats, density: Floats, of_visits: Floats
    ) -> Floats:
        """Return the indicators after those of one visit's rows were proposed together."""
        random, e = self._random, self._metric.standard(x)
        visit = random.choice(len(of_visits), p=of_visits, size=len(x))
        its = self._visit == visit[:, None]
        sound = np.where(its, 0.0, outlier)
        chance = _chance(sound, self._at(e, sound))
        wrong = random.uniform(size=outlier.shape) < chance
        all_sound = random.uniform(size=(len(x), 1)) < _ALL_SOUND
        to = np.where(its & wrong & ~all_sound, 1.0, sound)

        def log_proposed(indicators: Floats) -> Floats:
            each = np.log(np.where(indicators > 0, chance, 1 - chance))
            told = np.log(1 - _ALL_SOUND) + np.sum(each, axis=1, where=its)
            none = np.where(np.any(its & (indicators > 0), axis=1), -np.inf, np.log(_ALL_SOUND))
            return np.logaddexp(told, none)

        gained = self._at(e, to).density - density + log_proposed(outlier) - log_proposed(to)
        taken = np.log(random.uniform(size=len(x))) < gained
        return np.where(taken[:, None], to, outlier)


def _most_doubtful_first(target: Target, mode: Mode) -> Integers:
    """Return the stars in the order of how many of their rows may be outliers at the mode.

    A star whose colours are off there may as well have outliers, and counts as one that has some.
    """
    design, coordinates = target.data[0], target.coordinates
    doubt = np.bincount(design.star, expit(mode.odds), minlength=len(design.stars))
    off = np.asarray(mode.proposal.mean)[coordinates.of_sites :]
    doubt[: len(off)] += np.maximum(-off, 0.0)
    return np.argsort(-doubt, kind="stable").astype(np.int32)


def _doubt_of_visits(visit: Integers, counts: Any, mode: Mode) -> Floats | None:
    """Return with which chance a visit is chosen; None if no row may be an outlier.

    The more outliers it has at the mode the higher; none of one row.
    """
    if np.all(mode.odds == -np.inf):
        return None
    rows = np.bincount(visit, counts)
    doubt = np.where(rows > 1, np.bincount(visit, expit(mode.odds)) + _LEAST, 0.0)
    return doubt / doubt.sum() if doubt.any() else None


def _chance(outlier: Floats, found: Found) -> Floats:
    """Return the chance of each row to flip, given all others."""
    odds = np.clip(found.odds, -_SURE, _SURE)
    return expit((1 - 2 * outlier) * odds)


def _log_chance(outlier: Floats, found: Found, flips: Any, may: Any) -> Floats:
    """Return the log chance that of the rows that may flip these do."""
    chance = _chance(outlier, found)
    return np.sum(np.log(np.where(flips, chance, 1 - chance)), axis=1, where=may)


def _chosen(taken: Any, new: Any, old: Any) -> Any:
    return np.where(taken.reshape(-1, *(1,) * (np.ndim(new) - 1)), new, old)
