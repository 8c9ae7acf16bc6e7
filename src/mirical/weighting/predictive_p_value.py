"""Predictive p-value of new rows: how often rows simulated from a posterior are as improbable.

Large importance weights have two causes: the new rows tell much (the first ones of a star or of a
band), or they are not what was expected. Here the log density of the rows, predicted by some draws,
is compared with that of rows simulated from other draws. If the new rows are what the posterior
expects, each of these sets is the least probable one equally often, once in `REPLICATES` + 1.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp

from mirical.cards.card import Card
from mirical.compiled.draws import map_draws
from mirical.inference.schema import Arrays
from mirical.model.design import Data, Design
from mirical.model.nesting import Rows
from mirical.weighting.assimilation import New, asked_draws, expect_draw, row_by_row

REPLICATES = 199
_PREDICTING = 100  # draws


def predictive_p(sites: Arrays, design: Design, old: int, card: Card, seed: int) -> float:
    """Return the share of sets of rows, the new ones among them, that are as improbable as these.

    Parameters
    ----------
    sites, design, old, card, seed
        As of `mirical.weighting.assimilation.weigh_draws`.

    Returns
    -------
    float
        1 / (`REPLICATES` + 1) if no simulated set is less probable.
    """
    number = len(sites["sigma"])
    # Neighbours are correlated: draws that predict must not stand beside those that are simulated
    # from.
    third = number // 3
    predicting = np.linspace(0, third - 1, _PREDICTING).astype(int)
    some = np.append(predicting, np.linspace(third, number - 1, REPLICATES).astype(int))
    asked = asked_draws({n: v[some] for n, v in sites.items()}, design, old, card, seed)

    def part(first: int, last: int | None) -> Any:
        return jax.tree.map(lambda values: values[first:last], asked.draws)

    replicate = partial(_replicate, card=card)
    made = map_draws(replicate, part(_PREDICTING, None), asked.rows, asked.new)
    observed = np.asarray(asked.rows.design.log_factor)[asked.new.asked]
    sets = np.concatenate([observed[None], made])
    densities = partial(_densities, card=card)
    found = map_draws(densities, part(0, _PREDICTING), asked.rows, asked.new, sets)
    expected = logsumexp(found, axis=0)
    return float(np.mean(expected <= expected[0]))


def _replicate(draw: Any, rows: Rows, new: New, *, card: Card) -> Float[Array, " asked"]:
    """Return ln C of the new rows, drawn from what a draw expects."""
    key, known, _, expected, _ = expect_draw(draw, rows, new, card)
    effect_key, wrong_key, own_key = jax.random.split(key, 3)
    root = jnp.linalg.cholesky(expected.covariance)
    error = root @ jax.random.normal(effect_key, expected.off.shape)
    if known.outlier_fraction is not None and known.outlier_width is not None:
        wrong = jax.random.bernoulli(wrong_key, known.outlier_fraction, error.shape)
        error += wrong * known.outlier_width * jax.random.normal(own_key, error.shape)
    return jnp.asarray(rows.design.log_factor)[new.asked] - expected.off + error


def _densities(
    draw: Any, rows: Rows, new: New, sets: Float[Data, "set asked"], *, card: Card
) -> Float[Array, " set"]:
    """Return the log density of each set of rows at a draw."""
    key, known, _, expected, _ = expect_draw(draw, rows, new, card)
    observed = jnp.asarray(rows.design.log_factor)[new.asked]

    def one(keyed: tuple[jax.Array, Array]) -> Array:
        off = expected.off + jnp.where(jnp.asarray(new.counts), keyed[1] - observed, 0.0)
        return jnp.sum(row_by_row(keyed[0], off, expected.covariance, known, new.counts)[0])

    return jax.lax.map(one, (jax.random.split(key, len(sets)), jnp.asarray(sets)))
