r"""Annealed importance sampling: points of the proposal moved to the posterior, with weights.

Every point moves with Hamiltonian dynamics in a density that goes from the proposal q to the
posterior p in K steps, q^(1-b) p^b with b = k / K. No step is accepted or rejected: leapfrog
steps keep volumes, so that the momenta that are partly drawn anew before each step (density N)
leave the weight

    ln w = ln p(x_K) - ln q(x_0) + sum_k [ln N(r_k after the step) - ln N(r_k before it)],

exact for the density of `Target` whatever the length of a step (Neal 2001, Stat. Comput. 11, 125;
Geffner & Domke 2021, NeurIPS 34).
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from mirical.fast.mode import Mode
from mirical.fast.proposal import Floats, Proposal
from mirical.fast.target import Target

_STEP = 0.4  # of a leapfrog, in standard numbers; stable where the density is up to 25 times curved
_KEPT = 0.5  # of the momentum from one step to the next
_SURE = 15.0  # log odds beyond which an indicator is as good as certain


@dataclass(frozen=True)
class Weighted:
    """Points of the posterior with weights.

    Attributes
    ----------
    x : (point, number) array
        The vector.
    outlier : (point, row) array
        One for an outlier, drawn from its chance given the point and the mode's other rows.
    log_weight : (point,) array
        ln of the density, indicators summed over (`Target`), over that with which the point was
        made.
    """

    x: Floats
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
        From the proposal to the posterior.
    """
    e = random.normal(size=(number // 2, len(proposal.mean)))
    e = np.concatenate([e, -e])
    momentum = random.normal(size=e.shape)
    log_weight = 0.5 * np.sum(e**2, axis=1)
    found = target.at(e, mode.outlier, proposal, mode.others)
    for k in range(steps):
        warm = (k + 1) / steps
        fresh = random.normal(size=e.shape)
        momentum = _KEPT * momentum + np.sqrt(1 - _KEPT**2) * fresh
        log_weight += 0.5 * np.sum(momentum**2, axis=1)
        momentum = momentum + 0.5 * _STEP * (warm * found.slope - (1 - warm) * e)
        e = e + _STEP * momentum
        found = target.at(e, mode.outlier, proposal, mode.others)
        momentum = momentum + 0.5 * _STEP * (warm * found.slope - (1 - warm) * e)
        log_weight -= 0.5 * np.sum(momentum**2, axis=1)
    log_weight = log_weight + found.target
    odds = np.clip(found.odds, -_SURE, _SURE)
    outlier = (random.uniform(size=odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    sound = np.isfinite(log_weight)
    x = np.asarray(jax.vmap(lambda one: proposal.place(one)[0])(e))
    return Weighted(x[sound], outlier[sound], log_weight[sound])
