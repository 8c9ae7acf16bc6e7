"""Moves of scales given the offsets leave the distributions they are written for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from scipy.stats import norm

from designs import crowded_design
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.model.joint import sample_offsets
from mirical.model.nesting import make_blocks
from mirical.model.terms import Scatter, colour_correlation, given
from mirical.moves.colours import Colours
from mirical.moves.scales import ColourScale, metropolis, move_repeatability

CARD = load_card("hierarchical", "test", MIRI)
CHAINS, LENGTH = 64, 300


def conditions(design):
    """Return conditions at a prior draw with outliers, and offsets of another draw."""
    known = handlers.seed(given, 3)(design, CARD)
    known = known._replace(outlier_fraction=jnp.asarray(0.2), outlier_width=jnp.asarray(0.05))
    return known, handlers.seed(sample_offsets, 5)(design, CARD, known.scales, known.sampled_effect)


def visited(move, start):
    """Return the places of chains of a move, (chain, draw, ...)."""
    keys = jax.random.split(jax.random.key(1), (CHAINS, LENGTH))

    def chain(keys):
        return jax.lax.scan(lambda now, key: (move(key, now),) * 2, start, keys)[1]

    return np.asarray(jax.jit(lambda keys: jax.lax.map(chain, keys))(keys))[:, 50:]


def agrees(visited, expected):
    """Whether the chains' means are the expected ones within 4.5 of their standard errors."""
    of_chain = visited.mean(axis=1)
    error = of_chain.std(axis=0, ddof=1) / np.sqrt(len(of_chain))
    return np.all(np.abs(of_chain.mean(axis=0) - expected) < 4.5 * error)


def grid_means(log_density, grid):
    """Return mean and mean square of densities on a grid, (place, quantity)."""
    weight = np.exp(log_density - log_density.max(axis=0))
    weight = weight / weight.sum(axis=0)
    return [np.sum(weight * grid[:, None] ** power, axis=0) for power in (1, 2)]


def test_proposals_of_several_widths_leave_a_density_as_it_is():
    centre, width = jnp.asarray([0.0, 3.0]), jnp.asarray([0.3, 2.0])

    def log_density(x):
        return -0.5 * ((x - centre) / width) ** 2

    found = visited(lambda key, x: metropolis(key, log_density, x, (0.5, 3.0)), centre)
    assert agrees(found, centre)
    assert agrees((found - centre) ** 2, width**2)


def test_repeatabilities_follow_their_densities_with_outliers_integrated_out():
    """Six bands of two rows each: mean and mean square against a grid, once in 10^4 runs."""
    design = crowded_design(12)
    known, offsets = conditions(design)
    random = np.random.default_rng(5)
    expected = design.log_factor + random.normal(0, 0.01, len(design.rows))
    common = Scatter(jnp.asarray(0.5), jnp.asarray(0.004), jnp.asarray(0.05))
    grid = np.linspace(-14.0, 9.0, 2000)
    units = design.units
    ratio = 1 / np.sqrt(1 + units.scatter_information * 0.25)
    estimate = units.log_scatter - np.log(0.004)
    # The bend of the units, written out again: softplus below 1.5 of the rows' widths.
    below = -1.5 - grid[:, None]
    u = ratio**2 * 0.5 * units.scatter_information * estimate + ratio * grid[:, None]
    u = u - (1 - ratio) * np.logaddexp(0, below)
    scatter = 0.004 * np.exp(0.5 * u)
    scatter = scatter / np.sqrt(1 + (scatter / 0.05) ** 2)
    said = norm.logpdf(u) + np.log(np.gradient(u, grid, axis=0))
    for row, band in enumerate(design.band):
        sigma = np.hypot(scatter[:, band], design.log_factor_unc[row])
        off = float(design.log_factor[row] - expected[row])
        narrow, wide = (norm.pdf(off, scale=s) for s in (sigma, np.hypot(sigma, 0.05)))
        said[:, band] += np.log(0.8 * narrow + 0.2 * wide)
    mean, square = grid_means(said, grid)

    def move(key, xi):
        return move_repeatability(key, design, known, common, jnp.asarray(expected), xi)

    found = visited(move, jnp.zeros(len(design.bands)))
    assert agrees(found, mean)
    assert agrees(found**2, square)


def test_the_colour_scale_follows_its_density_with_precisions_integrated_out():
    """Two stars: ln colour_scale is N(ln .007, .5) a priori, the colours' t has 3 degrees."""
    design = crowded_design()
    _, offsets = conditions(design)
    colours = Colours.of(design, CARD, make_blocks(design, colour_correlation(design, CARD)))
    count, square = (np.asarray(part) for part in colours.squares(design, offsets))
    grid = np.linspace(-6, 8, 3000)
    scale = 0.007 * np.exp(0.5 * grid[:, None])
    rate = 1.5 + 0.5 * square / scale**2
    said = norm.logpdf(grid) - np.sum(
        count * np.log(scale) + (1.5 + 0.5 * count) * np.log(rate), axis=1
    )
    (mean,), (second,) = grid_means(said[:, None], grid)
    of_scale = ColourScale(CARD)
    name = of_scale.site({"colour_scale_base": 0.0})
    assert float(of_scale.value(name, jnp.asarray(1.0))) == pytest.approx(0.007 * np.exp(0.5))
    found = visited(
        lambda key, at: of_scale.move(key, name, at, jnp.asarray(count), jnp.asarray(square)),
        jnp.asarray(0.0),
    )
    assert agrees(found, mean)
    assert agrees(found**2, second)
