"""Posterior predictive rows, pointwise likelihood, and the probability that a row went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mirical.inference.sampling import Arrays, random_key
from mirical.model.design import Design
from mirical.model.rows import outlier_probability, row_distribution


@dataclass(frozen=True)
class RowChecks:
    """What the posterior says of every fitted row.

    Attributes
    ----------
    predictive : (chain, draw, row) array
        Replicated ln C.
    log_likelihood : (chain, draw, row) array
        Log density of the observed ln C.
    residual : (row,) array
        Observed minus expected in units of a sound row's standard deviation, posterior mean.
    outlier_probability : (row,) array
        Posterior probability that the row went wrong.
    """

    predictive: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    residual: NDArray[np.float64]
    outlier_probability: NDArray[np.float64]

    def groups(self) -> dict[str, Arrays]:
        """Return the groups of the DataTree this fills."""
        return {
            "posterior_predictive": {"log_factor": self.predictive},
            "log_likelihood": {"log_factor": self.log_likelihood},
        }


def check_rows(sites: Arrays, design: Design, seed: int) -> RowChecks:
    """Compare every fitted row with what the posterior expects of it.

    Parameters
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        Posterior draws of the model's sites.
    design : Design
        The rows.
    seed : int
        The job's seed.
    """
    expected, sigma = jnp.asarray(sites["expected"]), jnp.asarray(sites["sigma"])
    fraction, width = (sites.get(f"outlier_{part}") for part in ("fraction", "width"))
    if fraction is not None and width is not None:
        fraction, width = fraction[..., None], width[..., None]
    rows = row_distribution(expected, sigma, fraction, width)
    observed = jnp.asarray(design.log_factor)
    return RowChecks(
        predictive=np.asarray(rows.sample(random_key(seed, "predictive"))),
        log_likelihood=np.asarray(rows.log_prob(observed)),
        residual=np.asarray(((observed - expected) / sigma).mean((0, 1))),
        outlier_probability=np.asarray(outlier_probability(rows, observed).mean((0, 1))),
    )
