"""Log likelihoods of rows given all others: the gradient's answer is that of the matrix."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from numpyro import handlers

from mirical.inference.gaussian import Gaussians
from mirical.inference.leave_one_out import left_out_at_draw
from mirical.inference.row_likelihood import given_others, log_likelihood_given_others
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
        found = given_others(design, blocks, known, jnp.asarray(one.wrong))
        np.testing.assert_allclose(found, left_out_at_draw(one)[0], rtol=1e-5, atol=1e-5)


def test_every_draw_of_every_chain_has_its_own():
    """Chains of equal draws differ only in which rows are drawn as outliers."""
    design, sites = drawn_design(0)
    chains = {name: np.stack([value, value]) for name, value in sites.items()}
    found = log_likelihood_given_others(chains, design, CARD, seed=3)
    again = log_likelihood_given_others(chains, design, CARD, seed=3)
    assert found.shape == (2, 1, len(design.rows)) and np.all(np.isfinite(found))
    np.testing.assert_array_equal(found, again)
