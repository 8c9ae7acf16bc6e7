r"""Joint covariance of a goal and the candidates' effects given a run's rows.

Given a draw of what is not Gaussian in the model (loss, time constants, scales, which rows are
outliers), the goal's atoms and the candidates' effects on ln C are jointly normal with the rows;
with K their prior covariance with the rows and V that of the rows (`mirical.inference.gaussian`),

    covariance  P - K V^-1 K'        mean  m + K V^-1 r

Over the posterior, their covariance is the mean of these covariances and the covariance of these
means (the law of total covariance).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from mirical.cards.card import Card
from mirical.inference.gaussian import Draws, Gaussians
from mirical.model.design import Design
from mirical.planning.augmented import Augmented
from mirical.planning.candidates import Candidates
from mirical.planning.goals import Atom, Goal
from mirical.planning.greedy import Prospect

Floats = NDArray[np.float64]

BATCHES = 20
"""Parts of the draws by which Monte-Carlo errors are told: each is left out in turn."""


@dataclass(frozen=True)
class Moments:
    """What the draws say of a goal's forms, then the candidates' effects.

    Attributes
    ----------
    means : (draw, number) array
        Means given each draw.
    covariances : (batch, number, number) array
        Mean covariance given a draw of each batch of draws.
    noise : (batch, candidate) array
        Mean variance of a candidate's error, of each batch.
    batch : (draw,) int array
        Which draws are in which batch.
    forms : int
        How many forms the goal has.
    """

    means: Floats
    covariances: Floats
    noise: Floats
    batch: NDArray[np.intp]
    forms: int

    def prospect(self, without: int | None = None) -> Prospect:
        """Return what is known over all draws, or over all but one batch of them."""
        counts = np.bincount(self.batch, minlength=len(self.covariances)).astype(float)
        if without is not None:
            counts[without] = 0
        share = counts / counts.sum()
        means = self.means[self.batch != without] if without is not None else self.means
        within = np.tensordot(share, self.covariances, axes=1)
        return Prospect(within + np.cov(means, rowvar=False), share @ self.noise, self.forms)

    def error(self, of: Callable[[Prospect], Floats]) -> Floats:
        """Return the Monte-Carlo error of what is asked of a prospect, by the jackknife."""
        each = np.array([of(self.prospect(number)) for number in range(len(self.covariances))])
        n = len(each)
        return np.sqrt((n - 1) / n * np.sum((each - each.mean(axis=0)) ** 2, axis=0))


def moments(
    gaussians: Gaussians,
    joined: Augmented,
    planned: Candidates,
    goal: Goal,
    repeatability: Floats,
    advance: Callable[[int], None],
) -> Moments:
    """Return the moments over the draws of a posterior.

    Parameters
    ----------
    gaussians : Gaussians
        Of the augmented design.
    joined : Augmented
        The design.
    planned : Candidates
        Its candidates.
    goal : Goal
        Its atoms.
    repeatability : (draw, band) array
        Of the bands.
    advance : callable
        Told of each draw done.
    """
    n_draws, forms = len(gaussians), len(goal.names)
    size, batches = forms + len(planned), min(BATCHES, n_draws // 2)
    batch = np.arange(n_draws) * batches // n_draws
    counts = np.bincount(batch, minlength=batches)
    means = np.empty((n_draws, size))
    covariances, noise = np.zeros((batches, size, size)), np.zeros((batches, len(planned)))
    band = np.asarray(joined.design.band)[joined.rows : joined.rows + joined.candidates]
    for draw in range(n_draws):
        mean, covariance = given_draw(gaussians, draw, joined, goal)
        means[draw] = mean
        covariances[batch[draw]] += covariance / counts[batch[draw]]
        scatter = repeatability[draw, band] ** 2 + planned.unc**2
        kept = 1 - _scalar(gaussians.sites, "outlier_fraction", gaussians.card, draw)
        noise[batch[draw]] += scatter / (planned.exposures * kept) / counts[batch[draw]]
        advance(1)
    return Moments(means, covariances, noise, batch, forms)


def given_draw(
    gaussians: Gaussians, draw: int, joined: Augmented, goal: Goal
) -> tuple[Floats, Floats]:
    """Return mean and covariance of a goal's forms and candidates given the rows and a draw.

    Parameters
    ----------
    gaussians : Gaussians
        Of the augmented design.
    draw : int
        Which draw of theirs.
    joined : Augmented
        The design.
    goal : Goal
        Whose atoms it has.
    """
    n, m = joined.rows, joined.candidates
    one, design = gaussians[draw], joined.design
    own = np.diag(one.sigma**2 + one.outlier * one.outlier_width**2)
    shared = one.covariance - own
    with_all, among = _of_atoms(gaussians, draw, one.log_a, goal.atoms, design)
    # The effect on ln C of a row of nothing but its mean, whose ln C the design has as 0.
    effects = -one.residual[n:]
    # The prior mean of ln D is the same in all draws, and so no part of a covariance.
    ends = np.where([atom.subarray is None for atom in goal.atoms], effects[m:], 0.0)
    weights = goal.weights
    cross = np.vstack([weights @ with_all[:, :n], shared[n : n + m, :n]])
    of_rows = weights @ with_all[:, n : n + m]
    prior = np.block(
        [[weights @ among @ weights.T, of_rows], [of_rows.T, shared[n : n + m, n : n + m]]]
    )
    root = np.linalg.cholesky(one.covariance[:n, :n])
    white = solve_triangular(root, np.column_stack([cross.T, one.residual[:n]]), lower=True)
    told = white[:, :-1]
    mean = np.concatenate([weights @ ends, effects[:m]]) + told.T @ white[:, -1]
    return mean, prior - told.T @ told


def _of_atoms(
    gaussians: Gaussians,
    draw: int,
    log_a: Floats,
    atoms: Sequence[Atom],
    design: Design,
) -> tuple[Floats, Floats]:
    """Return the prior covariance of a goal's atoms with all rows, and among themselves."""
    sites, card = gaussians.sites, gaussians.card
    band, subarray = np.asarray(design.band), np.asarray(design.subarray)
    common = _scalar(sites, "subarray_scale", card, draw) ** 2
    private = _scalar(sites, "subarray_band_scale", card, draw) ** 2
    width = float(card.priors["A"].parameters["spread"]) ** 2
    with_rows = np.zeros((len(atoms), len(band)))
    among = np.zeros((len(atoms), len(atoms)))
    for i, atom in enumerate(atoms):
        if atom.subarray is None:
            with_rows[i] = log_a[design.bands.index(str(atom.band))]
            among[i] = [width * (o.subarray is None and o.band == atom.band) for o in atoms]
            continue
        # A row has ln D with a minus; a goal of ln D has no other atom.
        inside = subarray == design.subarrays.index(atom.subarray)
        with_rows[i] = -common * inside
        among[i, i] = common
        if atom.band is not None:
            with_rows[i] -= private * (inside & (band == design.bands.index(atom.band)))
            among[i, i] += private
    return with_rows, among


def _scalar(sites: Mapping[str, Draws], name: str, card: Card, draw: int) -> float:
    """Return a scalar of a draw; zero where the card has none."""
    return float(sites[name][draw]) if name in card.priors else 0.0
