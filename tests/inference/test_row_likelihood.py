"""Log likelihoods of rows given all others: the gradient's answer is that of the matrix."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from designs import some_rows
from mirical.inference.gaussian import Gaussians
from mirical.inference.leave_one_out import left_out_at_draw
from mirical.inference.row_likelihood import given_others, log_likelihood_given_others
from mirical.model.design import unchecked_rows
from mirical.model.nesting import make_blocks
from mirical.model.terms import colour_correlation, given
from prior_draws import CARD, drawn_design


def test_the_gradient_gives_what_the_rows_covariance_gives():
    for draw in range(3):
        design, sites = drawn_design(draw, 3)
        one = Gaussians(sites, design, CARD, seed=draw)[0]
        values = {k: v[0] for k, v in sites.items()} | {"colour_precision": one.colour_precision}
        known = handlers.substitute(handlers.seed(given, 0), data=values)(design, CARD)
        blocks = make_blocks(design, colour_correlation(design, CARD))
        found = given_others(design, blocks, known, jnp.asarray(one.outlier))
        np.testing.assert_allclose(found, left_out_at_draw(one)[0], rtol=1e-5, atol=1e-5)


def test_a_row_alone_in_a_band_of_a_free_star_is_predicted_by_nothing():
    design, sites = drawn_design(0)
    cell = np.asarray(design.star) * len(design.bands) + np.asarray(design.band)
    first = np.unique(cell, return_index=True)[1]
    keep = (np.asarray(design.star) != 1) | np.isin(np.arange(len(cell)), first)
    free = np.isin(np.arange(len(design.stars)), [1]).astype(float)
    sites = sites | {name: sites[name][:, keep] for name in ("expected", "sigma")}
    design = replace(some_rows(design, keep), free=free, has_free=True)
    alone = np.flatnonzero(np.asarray(design.star) == 1)
    assert len(alone) > 1 and np.flatnonzero(unchecked_rows(design)).tolist() == alone.tolist()

    one = Gaussians(sites, design, CARD, seed=0)[0]
    density, below = left_out_at_draw(one)
    assert np.all(density[alone] == 0)
    assert np.flatnonzero(np.isnan(below)).tolist() == alone.tolist()
    values = {k: v[0] for k, v in sites.items()} | {"colour_precision": one.colour_precision}
    known = handlers.substitute(handlers.seed(given, 0), data=values)(design, CARD)
    blocks = make_blocks(design, colour_correlation(design, CARD))
    found = np.asarray(given_others(design, blocks, known, jnp.asarray(one.outlier)))
    others = np.asarray(design.star) != 1
    np.testing.assert_allclose(found[others], density[others], rtol=1e-5, atol=1e-5)
    chains = {name: value[None] for name, value in sites.items()}
    assert np.all(log_likelihood_given_others(chains, design, CARD, seed=0)[0, 0, alone] == 0)


def test_every_draw_of_every_chain_has_its_own():
    """Chains of equal draws differ only in which rows are drawn as outliers."""
    design, sites = drawn_design(0)
    sites = sites | {"outlier_fraction": np.array([0.5])}  # of which some rows may be either
    chains = {name: np.stack([value, value]) for name, value in sites.items()}
    found = log_likelihood_given_others(chains, design, CARD, seed=3)
    again = log_likelihood_given_others(chains, design, CARD, seed=3)
    assert found.shape == (2, 1, len(design.rows)) and np.all(np.isfinite(found))
    np.testing.assert_array_equal(found, again)
    assert np.any(found[0] != found[1])


def test_each_chain_is_conditioned_on_its_own_draws_and_on_the_rows_far_off():
    """One row is far off and outliers are rare: chance has no say in which rows are outliers."""
    design, one = drawn_design(0, 3)
    two = drawn_design(1, 3)[1] | {"expected": one["expected"]}
    outlier = np.zeros(len(design.rows))
    outlier[3] = 1.0
    design = replace(design, log_factor=one["expected"][0] + outlier)
    both = [sites | {"outlier_fraction": np.array([1e-6])} for sites in (one, two)]
    chains = {name: np.stack([sites[name] for sites in both]) for name in one}
    found = log_likelihood_given_others(chains, design, CARD, seed=3)
    blocks = make_blocks(design, colour_correlation(design, CARD))
    for sites, chain in zip(both, found[:, 0], strict=True):
        data = {name: value[0] for name, value in sites.items()}
        known = handlers.substitute(handlers.seed(given, 0), data=data)(design, CARD)
        expected = given_others(design, blocks, known, jnp.asarray(outlier))
        np.testing.assert_allclose(chain, expected, rtol=1e-9, atol=1e-9)
    assert np.max(np.abs(found[0] - found[1])) > 0.1
