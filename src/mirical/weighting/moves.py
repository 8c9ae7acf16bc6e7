"""Hamiltonian steps that move each draw of a posterior by itself, and leave the posterior as it is.

Where a few draws carry most of the weight, their copies stand for one another. Moved by the
dynamics of the collapsed density, given which rows are outliers and the stars' colour precisions,
each copy forgets where it began, and the draws are again as many as they seem.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro import handlers
from numpyro.infer.util import constrain_fn, potential_energy

from mirical.cards.card import Card
from mirical.compiled.draws import map_draws
from mirical.inference.runtime import plain_keys
from mirical.inference.schema import Arrays
from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import UNBOUNDED, Data
from mirical.model.nesting import Rows
from mirical.model.terms import given, given_names
from mirical.weighting.redrawn import known_at
from mirical.weighting.sampled_sites import sampled_sites

_STEP = 0.15, 0.35
"""Shortest and longest leapfrog, in widths of the draws; one length a trajectory, at random."""
_LEAPS = 8
_TRAJECTORIES = 2


def moved_sites(
    sites: Arrays, outlier: Float[Data, "draw row"], rows: Rows, card: Card, seed: int
) -> Arrays:
    """Move draws of the scales, the response loss and the detector terms.

    Parameters
    ----------
    sites : dict of {str : (draw, ...) array}
        Draws as the posterior names them, ``colour_precision`` included, which stays as it is.
    outlier : (draw, row) array
        One for an outlier, zero for any other; stays as it is.
    rows, card : Rows, Card
        The rows and the model.
    seed : int
        Fixes the moves.

    Returns
    -------
    dict of {str : (draw, ...) array}
        The sites, moved.
    """
    number = len(outlier)
    sites = {name: sites[name] for name in given_names(rows.design, card) if name in sites}
    told = told_sites(sites, rows, card, seed)
    width = {name: np.std(values, axis=0) for name, values in told.items()}
    width = {name: np.where(values > 0, values, 1.0) for name, values in width.items()}
    keys = plain_keys(seed, "moves", number)
    precision = sites.get("colour_precision", np.ones((number, len(rows.design.stars))))
    draws = keys, told, precision, np.asarray(outlier)
    return map_draws(partial(moved_draw, card=card), draws, rows, width)


def told_sites(sites: Arrays, rows: Rows, card: Card, seed: int) -> Arrays:
    """Return the sampler's sites of draws as the posterior names them (`sampled_sites`)."""
    keys = plain_keys(seed, "tell", len(next(iter(sites.values()))))
    return map_draws(partial(_told, card=card), (keys, sites), rows)


def _told(keyed: tuple[jax.Array, dict[str, Any]], rows: Rows, *, card: Card) -> dict[str, Any]:
    key, values = jax.random.wrap_key_data(keyed[0]), keyed[1]
    return sampled_sites(key, rows.design, card, values)


def log_density(
    z: dict[str, Any], precision: Data, outlier: Data, rows: Rows, card: Card
) -> Float[Array, ""]:
    """Return the collapsed log density per unit of the sampler's sites, up to a constant.

    That of `mirical.model.collapsed.collapsed`, but rows that only fill up are no sound rows.
    """
    design, blocks = rows
    values = _values(z, precision, rows, card)
    known, _ = known_at(design, card, values)
    y = jnp.asarray(design.log_factor) - known.sampled_effect
    density = integrate(
        design, blocks, known.scales, y, row_variance(known, jnp.asarray(outlier))
    ).log_density
    density -= potential_energy(_conditioned(precision, card), (design, card), {}, z)
    if known.outlier_fraction is not None:
        fraction = jnp.asarray(known.outlier_fraction)
        chance = outlier * jnp.log(fraction) + (1 - outlier) * jnp.log1p(-fraction)
        density += jnp.sum(jnp.where(jnp.asarray(design.log_factor_unc) < UNBOUNDED, chance, 0.0))
    return density


def _conditioned(precision: Data, card: Card) -> Any:
    known = {"colour_precision": precision} if card.has("star_band_offset") else {}
    return handlers.condition(given, data=known)


def _values(z: dict[str, Any], precision: Data, rows: Rows, card: Card) -> dict[str, Any]:
    values = constrain_fn(_conditioned(precision, card), (rows.design, card), {}, z)
    return values | {"colour_precision": precision}


def moved_draw(
    draw: tuple[Array, dict[str, Any], Array, Array],
    rows: Rows,
    width: dict[str, Any],
    *,
    card: Card,
) -> dict[str, Any]:
    """Return all sites of a draw that was moved, as the posterior names them.

    Parameters
    ----------
    draw : tuple
        Data of a key; the sampler's sites; colour precisions; one for each outlier.
    rows, card : Rows, Card
        The rows and the model.
    width : dict of {str : array}
        Widths of the sampler's sites.
    """
    key, z, precision, outlier = draw
    start, shaped = jax.flatten_util.ravel_pytree(z)
    size = jax.flatten_util.ravel_pytree(width)[0]

    def density(e: Array) -> Array:
        return log_density(shaped(size * e), precision, outlier, rows, card)

    keys = jax.random.split(jax.random.wrap_key_data(key), _TRAJECTORIES)
    ended, _ = jax.lax.scan(lambda e, key: (trajectory(key, density, e), None), start / size, keys)
    return named_sites(shaped(size * ended), precision, rows, card)


def named_sites(z: dict[str, Any], precision: Array, rows: Rows, card: Card) -> dict[str, Any]:
    """Return all sites of values of those that are sampled, as the posterior names them."""
    _, named = known_at(rows.design, card, _values(z, precision, rows, card))
    return named | ({"colour_precision": precision} if card.has("star_band_offset") else {})


def trajectory(
    key: jax.Array, density: Any, start: Float[Array, " number"]
) -> Float[Array, " number"]:
    """Return where a trajectory of random momentum and step ends, the start if it is refused."""
    momentum_key, step_key, accept_key = jax.random.split(key, 3)
    length = jax.random.uniform(step_key, minval=_STEP[0], maxval=_STEP[1])
    slope = jax.value_and_grad(density)
    momentum = jax.random.normal(momentum_key, start.shape)
    first, by = slope(start)

    def leap(i: int, now: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        e, momentum, _, by = now
        momentum = momentum + 0.5 * length * by
        e = e + length * momentum
        last, by = slope(e)
        return e, momentum + 0.5 * length * by, last, by

    e, ended, last, _ = jax.lax.fori_loop(0, _LEAPS, leap, (start, momentum, first, by))
    gain = last - first + 0.5 * (momentum @ momentum - ended @ ended)
    taken = jnp.log(jax.random.uniform(accept_key)) < gain
    return jnp.where(taken, e, start)
