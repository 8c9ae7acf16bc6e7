"""Study of the checks on simulated programs whose truth is known."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax
import numpy as np
from numpy.typing import NDArray

from mirical.cards.card import Card
from mirical.checking.infrared_excess import excess_densities, half_df_of, probability
from mirical.checking.predictive_pvalues import CheckOutcome, check_outcomes, findings
from mirical.checking.score_directions import Parameters, families
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import Packing
from mirical.inference.refits import Fit, Refits
from mirical.jobs.sampler import Sampler
from mirical.model.design import Design
from mirical.randomness import generator

Floats = NDArray[np.float64]

EXCESS_DRAWS, FINDING_DRAWS = 16, 9
"""Draws of a chain that are asked about excesses, and for p-values."""


@dataclass(frozen=True)
class Checked:
    """What the checks say of one program.

    Attributes
    ----------
    program : int
        Its number.
    answers : list of Answer
        Of every check, the chain's last draw counting.
    excess : dict of {str : float}
        Probability of an excess by star.
    log_a, log_a_std : (band,) array
        Posterior mean and standard deviation of ln A.
    problem : str
        Why the fit must not be believed; empty for a sound one.
    """

    program: int
    check_outcomes: list[CheckOutcome]
    excess: dict[str, float]
    log_a: Floats
    log_a_std: Floats
    problem: str


class CheckedFits:
    """Fits designs of one program's rows and checks each."""

    def __init__(self, design: Design, card: Card, sampler: Sampler, more: int) -> None:
        self._card, self._seed = card, sampler.seed
        self._packing = Packing(design, card)
        self._refits = Refits(
            design, card, sampler, self._packing.values, more, self._packing.judged
        )
        self._key = jax.random.key(sampler.seed)
        self._refits.adapt(self._key, design)

    def run(
        self, programs: Mapping[int, tuple[Design, Parameters]], stop: threading.Event
    ) -> Iterator[Checked]:
        """Yield what the checks say of each program as its fit ends."""
        numbers = list(programs)
        designs = (programs[number][0] for number in numbers)

        def check(place: int, fit: Fit) -> Checked:
            return self._check(numbers[place], fit, *programs[numbers[place]])

        for _, checked in self._refits.fit_all(self._key, designs, stop, check):
            yield checked

    def _check(self, number: int, fit: Fit, design: Design, parameters: Parameters) -> Checked:
        if not len(fit.values):
            nothing = np.full(len(design.bands), np.nan)
            return Checked(number, [], {}, nothing, nothing, fit.problem)
        gaussians = self._gaussians(fit, design)
        last = len(gaussians) - 1
        made = families(design, parameters)
        found = [
            findings(gaussians[draw], made, design, generator(number, f"replicates {draw}"))
            for draw in np.linspace(last, last / FINDING_DRAWS, FINDING_DRAWS).astype(int)
        ]
        factors: list[Floats] = []
        means, variances = [], []
        for draw in np.linspace(0, last, EXCESS_DRAWS).astype(int):
            rows = gaussians[draw]
            stars = range(len(design.stars))
            half_df = half_df_of(self._card)
            factors.append(
                np.array(
                    [excess_densities(rows, s, design, half_df).log_bayes_factor for s in stars]
                )
            )
            mean, covariance = rows.log_a_posterior()
            means.append(mean)
            variances.append(np.diag(covariance))
        each = np.transpose(factors)
        return Checked(
            program=number,
            check_outcomes=check_outcomes(found),
            excess={name: probability(f) for name, f in zip(design.stars, each, strict=True)},
            log_a=np.mean(means, axis=0),
            log_a_std=np.sqrt(np.var(means, axis=0) + np.mean(variances, axis=0)),
            problem=fit.problem,
        )

    def _gaussians(self, fit: Fit, design: Design) -> Gaussians:
        return Gaussians(self._packing.sites(fit.values), design, self._card, self._seed)
