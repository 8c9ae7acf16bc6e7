"""The model fitted again without a star, for where too much rests on it for the closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mirical.inference.draws import row_sites
from mirical.inference.gaussian import Gaussians
from mirical.inference.jobs import Sampler
from mirical.inference.sampling import Progress, sample
from mirical.model.cards import Card
from mirical.model.design import make_design
from mirical.observations.factors import CalibrationFactors

SHORT = Sampler(chains=2, warmup=200, draws=400)
"""Sampler settings that suffice for means: what counts is averaged over the offsets exactly."""

LOOKED_AT = 200


def without_star(factors: CalibrationFactors, star: str) -> CalibrationFactors:
    """Return the rows with those of a star flagged."""
    table = factors.observations.table.copy()
    own = np.array([str(name) == star for name in table["name"]])
    flags = [str(flag) for flag in table["flag"]]
    table["flag"] = [
        flag or ("left_out" if mine else "") for flag, mine in zip(flags, own, strict=True)
    ]
    return replace(factors, observations=replace(factors.observations, table=table))


def mean_log_a(
    factors: CalibrationFactors, card: Card, seed: int, progress: Progress
) -> dict[str, float]:
    """Fit rows with short chains; return the posterior mean of ln A of each band that has rows."""
    design = make_design(factors)
    chains = sample(design, card, replace(SHORT, seed=seed), progress)
    gaussians = Gaussians(row_sites(chains.sites, card), design, card, seed)
    draws = np.linspace(0, len(gaussians) - 1, LOOKED_AT).astype(int)
    means = np.mean([gaussians[draw].log_a_posterior()[0] for draw in draws], axis=0)
    return dict(zip(design.bands, means.tolist(), strict=True))
