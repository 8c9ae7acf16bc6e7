r"""Annealed importance sampling: points of the proposal moved to the posterior, with weights.

Every point moves with Hamiltonian dynamics in a density that goes from the proposal q to the
posterior p in steps, pi_k = q^(1-b) p^b with b from 0 to 1, each as far as leaves the weights even
enough. No step is accepted or rejected: leapfrog steps keep volumes, so that the momenta that are
partly drawn anew before each step (density N) leave the weight

    ln w = ln pi_k(x_k) - ln q(x_0) + sum_j [ln N(r_j after the step) - ln N(r_j before it)],

exact for the density of `Target` whatever the length of a step (Neal 2001, Stat. Comput. 11, 125;
Geffner & Domke 2021, NeurIPS 34). Where the weights leave fewer than half of the points, these are
resampled on the way, and weights begin anew, from pi_k (Del Moral, Doucet & Jasra 2006, JRSS B 68,
411).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from mirical.fast.mode import Mode
from mirical.fast.proposal import Floats, Proposal
from mirical.fast.target import Found, Target
from mirical.weighting.pareto import resample

_STEP = 0.4  # of a leapfrog, in standard numbers; stable where the density is up to 25 times curved
_KEPT = 0.5  # of the momentum from one step to the next
_EVEN = 0.5  # of the points: fewer effective ones are resampled
_CHANGE = 1.0  # of the evenness of weights in all steps, were they all alike
_HALVINGS = 6  # of a step at most
_SURE = 15.0  # log odds beyond which an indicator is as good as certain


@dataclass(frozen=True)
class Weighted:
    """Points of the posterior with weights.

    Attributes
    ----------
    e : (point, number) array
        Standard numbers of the proposal.
    outlier : (point, row) array
        One for an outlier, drawn from its chance given the point and the mode's other rows.
    log_weight : (point,) array
        ln of the density, indicators summed over (`Target`), over that with which the point was
        made, since the last resampling.
    """

    e: Floats
    outlier: Floats
    log_weight: Floats


def anneal(
    target: Target,
    mode: Mode,
    proposal: Proposal,
    random: np.random.Generator,
    number: int,
    steps: int,
) -> Weighted:
    """Return so many weighted points, moved by so many steps each.

    Parameters
    ----------
    target : Target
        The density.
    mode : Mode
        Its mode.
    proposal : Proposal
        Where points come from.
    random : Generator
        Fixes them.
    number : int
        Even: points come in pairs of opposite ones.
    steps : int
        From the proposal to the posterior, at least; more where weights would become uneven.
    """
    e = random.normal(size=(number // 2, len(proposal.mean)))
    e = np.concatenate([e, -e])
    momentum = random.normal(size=e.shape)
    found = target.at(e, mode.outlier, proposal, mode.others)
    log_weight, beta = 0.5 * np.sum(e**2, axis=1), 0.0
    weights = np.full(number, 1 / number)
    while beta < 1:
        beta = _next_beta(beta, weights, found.target + 0.5 * np.sum(e**2, axis=1), steps)
        fresh = random.normal(size=e.shape)
        momentum = _KEPT * momentum + np.sqrt(1 - _KEPT**2) * fresh
        log_weight += 0.5 * np.sum(momentum**2, axis=1)
        momentum = momentum + 0.5 * _STEP * (beta * found.slope - (1 - beta) * e)
        e = e + _STEP * momentum
        found = target.at(e, mode.outlier, proposal, mode.others)
        momentum = momentum + 0.5 * _STEP * (beta * found.slope - (1 - beta) * e)
        log_weight -= 0.5 * np.sum(momentum**2, axis=1)
        here = beta * found.target - (1 - beta) * 0.5 * np.sum(e**2, axis=1)
        weights = _weights(log_weight + here)
        if beta < 1 and 1 / np.sum(weights**2) < _EVEN * number:
            kept = resample(weights, number, int(random.integers(2**32)))
            e, momentum, found = e[kept], momentum[kept], Found(*(one[kept] for one in found))
            log_weight, weights = -here[kept], np.full(number, 1 / number)
    log_weight = log_weight + found.target
    chance = expit(np.clip(found.odds, -_SURE, _SURE))
    outlier = (random.uniform(size=chance.shape) < chance).astype(float)
    sound = np.isfinite(log_weight)
    return Weighted(e[sound], outlier[sound], log_weight[sound])


def _next_beta(beta: float, weights: Floats, ratio: Floats, steps: int) -> float:
    """Return the next exponent b, such that the weights stay even enough.

    Parameters
    ----------
    beta : float
        The exponent b now.
    weights : (point,) array
        Of sum one.
    ratio : (point,) array
        ln of the posterior over the proposal.
    steps : int
        At least as many there are in all.
    """
    ratio = np.where(weights > 0, ratio, -np.inf)
    largest = min(1 / steps, 1 - beta)
    for _ in range(_HALVINGS):
        gained = _weights(largest * ratio) * len(ratio)
        # Effective share of the weighted points after the step (Zhou, Johansen & Aston 2016).
        if np.sum(weights * gained) ** 2 >= (1 - _CHANGE / steps) * np.sum(weights * gained**2):
            break
        largest /= 2
    return 1.0 if 1 - beta - largest < 1e-9 else beta + largest


def _weights(log_weight: Floats) -> Floats:
    """Return weights of sum one; none of a point that is lost."""
    log_weight = np.where(np.isfinite(log_weight), log_weight, -np.inf)
    if np.max(log_weight) == -np.inf:
        return np.full(len(log_weight), 1 / len(log_weight))
    weights = np.exp(log_weight - np.max(log_weight))
    return weights / weights.sum()
