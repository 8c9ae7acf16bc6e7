"""Posterior predictive rows, pointwise likelihood, and outlier probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from mirical.compiled.draws import map_draws
from mirical.inference.runtime import plain_keys
from mirical.inference.schema import Arrays
from mirical.model.design import Design
from mirical.model.likelihood import outlier_probability, row_distribution
from mirical.model.nesting import room

GIVEN_OFFSETS = "log_likelihood_given_offsets"
"""Group of the rows' log densities given the offsets: not what leave-one-out needs, for a row that
alone determines an offset predicts itself; that is in ``log_likelihood``."""

_USED = "expected", "sigma", "outlier_fraction", "outlier_width"


@dataclass(frozen=True)
class RowChecks:
    """What the posterior says of every fitted row.

    Attributes
    ----------
    predictive : (chain, draw, row) array
        Replicated ln C.
    log_likelihood : (chain, draw, row) array
        Log density of the observed ln C given the draw's offsets.
    residual : (row,) array
        Observed minus expected in standard deviations without outliers, posterior mean.
    outlier_probability : (row,) array
        Posterior probability that the row is an outlier.
    """

    predictive: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    residual: NDArray[np.float64]
    outlier_probability: NDArray[np.float64]

    def groups(self) -> dict[str, Arrays]:
        """Return the groups of the DataTree this fills, in single precision: they are large."""
        return {
            "posterior_predictive": {"log_factor": self.predictive.astype(np.float32)},
            GIVEN_OFFSETS: {"log_factor": self.log_likelihood.astype(np.float32)},
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
    names = [name for name in _USED if name in sites]
    chains, draws = sites["expected"].shape[:2]
    flat = {name: sites[name].reshape(chains * draws, *sites[name].shape[2:]) for name in names}
    keys = plain_keys(seed, "predictive", chains * draws)
    # Filled up to a number that others have too, so that what is compiled serves them all.
    n_rows = len(design.rows)
    more = room(n_rows) - n_rows
    for name in ("expected", "sigma"):
        flat[name] = np.pad(flat[name], ((0, 0), (0, more)), constant_values=1.0)
    observed = np.pad(np.asarray(design.log_factor), (0, more))
    found = map_draws(_of_draw, (keys, flat), observed)
    predictive, log_likelihood, residual, wrong = (values[:, :n_rows] for values in found)
    return RowChecks(
        predictive=predictive.reshape(chains, draws, -1),
        log_likelihood=log_likelihood.reshape(chains, draws, -1),
        residual=residual.mean(0),
        outlier_probability=wrong.mean(0),
    )


def _of_draw(
    keyed: tuple[jax.Array, dict[str, Array]], observed: Float[Array, " row"]
) -> tuple[Array, ...]:
    """Return replicated rows, log densities, standardised residuals and P(outlier)."""
    key, sites = jax.random.wrap_key_data(keyed[0]), keyed[1]
    fraction, width = (sites.get(f"outlier_{part}") for part in ("fraction", "width"))
    rows = row_distribution(sites["expected"], sites["sigma"], fraction, width)
    residual = (observed - sites["expected"]) / sites["sigma"]
    return (
        rows.sample(key),
        rows.log_prob(observed),
        residual,
        outlier_probability(rows, observed),
    )
