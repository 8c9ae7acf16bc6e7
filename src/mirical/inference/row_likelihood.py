r"""Log likelihood of each row given all others, offsets integrated out, at every posterior draw.

Given a draw's response loss, scales and outliers, the rows less the loss are normal with a
covariance V that holds all offsets (`mirical.model.collapsed`). With a = V^-1 y, row i given all
others is

    N(y_i - a_i / [V^-1]_ii,  1 / [V^-1]_ii),

and both come from one gradient of the collapsed density L: d L / d y_i = -a_i, and with respect to
the row's own variance d L / d r_i = (a_i^2 - [V^-1]_ii) / 2. Whether the row itself is an outlier
is then averaged over, as in the model. This is what leave-one-out cross-validation needs:
conditional on the offsets, a row that alone determines an offset predicts itself. A row that is
alone in a band of a free star determines that flux and nothing else: its prediction is the flat
prior, of density one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from numpyro import handlers

from mirical.cards.card import Card
from mirical.compiled.draws import map_draws
from mirical.inference.runtime import plain_keys
from mirical.inference.schema import Arrays
from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import Data, Design, unchecked_rows
from mirical.model.likelihood import outlier_probability, row_distribution
from mirical.model.nesting import Blocks, Rows, roomy_rows
from mirical.model.terms import Given, colour_correlation, given, given_names


def log_likelihood_given_others(
    sites: Arrays, design: Design, card: Card, seed: int
) -> NDArray[np.float64]:
    """Return the log density of each row given all others at each draw, (chain, draw, row).

    Parameters
    ----------
    sites : dict of {str : (chain, draw, ...) array}
        Posterior draws of the model's sites.
    design, card : Design, Card
        The rows and the model.
    seed : int
        The job's seed: which rows are outliers is resampled from its distribution given the draw.
    """
    chains, draws = sites["expected"].shape[:2]
    # What the posterior names determines the rest as well as what was sampled: either may be there.
    kept = {
        name: sites[name].reshape(chains * draws, *sites[name].shape[2:])
        for name in (*given_names(design, card), "expected")
        if name in sites
    }
    rows = roomy_rows(design, colour_correlation(design, card))
    n_rows, full = len(design.rows), len(rows.design.rows)
    kept["expected"] = np.pad(kept["expected"], ((0, 0), (0, full - n_rows)))
    keys = plain_keys(seed, "left out", chains * draws)
    alone = unchecked_rows(rows.design)
    found = map_draws(partial(_of_draw, card=card), (keys, kept), rows, alone)
    return found[:, :n_rows].reshape(chains, draws, -1)


def _of_draw(
    keyed: tuple[jax.Array, dict[str, Any]],
    full: Rows,
    alone: Bool[Array, " row"],
    *,
    card: Card,
) -> Float[Array, " row"]:
    design, blocks = full
    key, sites = jax.random.wrap_key_data(keyed[0]), keyed[1]
    known = handlers.substitute(handlers.seed(given, 0), data=sites)(design, card)
    rows = row_distribution(
        sites["expected"], known.sigma, known.outlier_fraction, known.outlier_width
    )
    wrong = outlier_probability(rows, jnp.asarray(design.log_factor))
    outlier = jax.random.bernoulli(key, wrong).astype(float)
    return given_others(design, blocks, known, outlier, alone)


def given_others(
    design: Design,
    blocks: Blocks,
    known: Given,
    outlier: Float[Array, " row"],
    alone: Bool[Data, " row"] | None = None,
) -> Float[Array, " row"]:
    """Return the log density of each row given all others, of which some are outliers.

    Of the rows `alone` it is that of a flat prior; by default `unchecked_rows`, of a design whose
    numbers are known (JAX traces none).
    """

    def log_density(rows: Float[Array, " row"], variance: Float[Array, " row"]) -> Float[Array, ""]:
        return integrate(design, blocks, known.scales, rows, variance).log_density

    variance = row_variance(known, outlier)
    rows = jnp.asarray(design.log_factor) - known.sampled_effect
    by_row, by_variance = jax.grad(log_density, argnums=(0, 1))(rows, variance)
    precision = by_row**2 - 2 * by_variance
    if alone is None:
        alone = unchecked_rows(design)
    if design.has_free:
        precision = jnp.where(alone, 1 / variance, precision)
    off = -by_row / precision
    sound = 1 / precision - variance + known.sigma**2
    predicted = row_distribution(
        jnp.zeros_like(off), jnp.sqrt(sound), known.outlier_fraction, known.outlier_width
    )
    density = jnp.asarray(predicted.log_prob(off))
    return jnp.where(alone, 0.0, density) if design.has_free else density
