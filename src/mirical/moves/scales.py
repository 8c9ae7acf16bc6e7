r"""Exact moves of scales given the offsets, with what depends on them integrated out.

Given the offsets, a band's repeatability says something of its rows alone, each sound or an
outlier,

    p(s_b | offsets) ~ p(s_b) prod_i [(1 - f) N(e_i; s_b^2 + u_i^2) + f N(e_i; s_b^2 + u_i^2 + w^2)]

and the common scale c of the colours something of the stars' alone, their colour precisions
integrated out (q_s = eta' R^-1 eta over the n_s bands a star was seen in, nu degrees of freedom),

    p(c | offsets) ~ p(c) prod_s c^-n_s (nu / 2 + q_s / 2 c^2)^-(nu + n_s) / 2.

A gradient-based step moves them with the offsets integrated out, but with which rows are outliers,
and how far each star's colours are off, held: a band of four rows, and the size of the colours,
could follow these step by step only. Here it is the other way round. Both are one-dimensional, so a
few proposals of Metropolis, of several widths, cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.infer.util import constrain_fn, potential_energy

from mirical.cards.card import Card
from mirical.model.design import Design
from mirical.model.likelihood import row_distribution
from mirical.model.terms import Given, Scatter, draw, row_scatter

_STEPS = 0.6, 1.2, 2.4, 4.8
"""Widths of the proposals, in units in which the posterior of most bands is about one wide."""
_COLOUR_STEPS = 0.3, 0.6, 1.2
"""The same of ln colour_scale, in its prior's widths."""

Sites = dict[str, Any]


def metropolis(
    key: jax.Array,
    log_density: Callable[[Array], Array],
    start: Float[Array, "*each"],
    widths: tuple[float, ...],
) -> Float[Array, "*each"]:
    """Move independent numbers side by side by one proposal of each width.

    Parameters
    ----------
    log_density : callable
        Log density of each number, up to a constant of its own.
    start : (...) array
        Where they are.
    widths : tuple of float
        Standard deviations of the proposals.
    """

    def move(now: tuple[Array, Array], step: tuple[Array, Array]) -> tuple[Any, None]:
        place, here = now
        width, key = step
        step_key, accept_key = jax.random.split(key)
        proposed = place + width * jax.random.normal(step_key, place.shape)
        there = log_density(proposed)
        taken = jnp.log(jax.random.uniform(accept_key, place.shape)) < there - here
        return (jnp.where(taken, proposed, place), jnp.where(taken, there, here)), None

    steps = jnp.asarray(widths), jax.random.split(key, len(widths))
    (place, _), _ = jax.lax.scan(move, (start, log_density(start)), steps)
    return place


def move_repeatability(
    key: jax.Array,
    design: Design,
    known: Given,
    common: Scatter,
    expected: Float[Array, " row"],
    xi: Float[Array, " band"],
) -> Float[Array, " band"]:
    """Move the bands' repeatabilities given the offsets, outliers integrated out.

    Parameters
    ----------
    known : Given
        Share and width of outliers.
    common : Scatter
        What the bands have in common.
    expected : (row,) array
        Expected ln C, all offsets included.
    xi : (band,) array
        The site ``repeatability_unit``.
    """

    def log_density(xi: Array) -> Array:
        u, log_slope = common.bent(xi, design)
        sigma = row_scatter(common.of_bands(u), design)
        rows = row_distribution(expected, sigma, known.outlier_fraction, known.outlier_width)
        said = jnp.zeros(len(design.bands)).at[design.band].add(rows.log_prob(design.log_factor))
        return said + log_slope - 0.5 * u**2

    return metropolis(key, log_density, xi, _STEPS)


class ColourScale:
    """The common scale of the stars' colours, as a card's prior and the sampler's site have it.

    Parameters
    ----------
    card : Card
        With the term ``star_band_offset``.
    """

    def __init__(self, card: Card) -> None:
        self._model = partial(draw, "colour_scale", card)
        self._half_df = card.fixed("colour_tail") / 2

    def site(self, z: Sites) -> str | None:
        """Return the name of the sampled site; None if the card fixes the scale."""
        return next((name for name in ("colour_scale_base", "colour_scale") if name in z), None)

    def value(self, name: str, at: Array) -> Float[Array, ""]:
        """Return the scale where its site has a value."""
        return constrain_fn(self._model, (), {}, {name: at}, return_deterministic=True)[
            "colour_scale"
        ]

    def move(
        self,
        key: jax.Array,
        name: str,
        at: Float[Array, ""],
        count: Float[Array, " star"],
        square: Float[Array, " star"],
    ) -> Float[Array, ""]:
        """Move the site given the stars' colours, their colour precisions integrated out.

        Parameters
        ----------
        count, square : (star,) array
            Bands each star was seen in, and eta' R^-1 eta over them.
        """

        def log_density(at: Array) -> Array:
            scale = self.value(name, at)
            rate = self._half_df + 0.5 * square / scale**2
            said = count * jnp.log(scale) + (self._half_df + 0.5 * count) * jnp.log(rate)
            return -potential_energy(self._model, (), {}, {name: at}) - jnp.sum(said)

        return metropolis(key, log_density, at, _COLOUR_STEPS)
