"""Rows given others: the nested answer is that of the matrix of all rows."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from designs import some_rows
from mirical.inference.gaussian import Gaussians
from mirical.model.collapsed import integrate
from mirical.model.nesting import make_blocks
from mirical.model.predicted import predict_rows
from mirical.model.terms import colour_correlation, given
from prior_draws import CARD, drawn_design

UNBOUNDED = 1e200


@pytest.mark.parametrize("draw", [0, 1])
@pytest.mark.parametrize("case", ["any rows", "a visit", "a star", "free stars"])
def test_mean_and_covariance_are_those_of_the_rows_matrix(case: str, draw: int):
    design, sites = drawn_design(draw, 2)
    star, visit = np.asarray(design.star), np.asarray(design.visit)
    asked = {
        "any rows": np.array([3, 110, 40, 41, 77]),
        "a visit": np.flatnonzero(visit == visit[8]),
        "a star": np.flatnonzero(star == 2),
        "free stars": np.array([3, 110, 40]),
    }[case]
    if case == "free stars":
        design = replace(design, free=np.isin(np.arange(5), [1, 3]).astype(float), has_free=True)
    one = Gaussians(sites, design, CARD, seed=draw)[0]
    values = {k: v[0] for k, v in sites.items()} | {"colour_precision": one.colour_precision}
    known = handlers.substitute(handlers.seed(given, 0), data=values)(design, CARD)
    blocks = make_blocks(design, colour_correlation(design, CARD))
    noise = one.sigma**2 + one.outlier * one.outlier_width**2
    variance = jnp.asarray(noise).at[asked].set(UNBOUNDED)
    y = jnp.asarray(design.log_factor) - known.sampled_effect
    integrated = integrate(design, blocks, known.scales, y, variance)
    found = predict_rows(design, blocks, known.scales, integrated, asked)

    rest = np.setdiff1d(np.arange(len(star)), asked)
    v = one.covariance
    gain = np.linalg.solve(v[np.ix_(rest, rest)], v[np.ix_(rest, asked)]).T
    # The matrix is about the prior means, and what is left there is the observed less the expected.
    off = one.residual[asked] - gain @ one.residual[rest]
    expected = v[np.ix_(asked, asked)] - gain @ v[np.ix_(rest, asked)] - np.diag(noise[asked])
    np.testing.assert_allclose(np.asarray(y)[asked] - found.mean, off, atol=2e-6)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-4, atol=2e-8)


def test_rows_of_a_new_visit_and_a_new_star_are_told_by_the_others():
    """A star all of whose rows are asked for has its prior's spread beside what its type says."""
    design, sites = drawn_design(0)
    asked = np.flatnonzero(np.asarray(design.star) == 4)
    design = some_rows(design, np.r_[np.flatnonzero(np.asarray(design.star) != 4), asked[:1]])
    one = Gaussians(
        sites | {n: sites[n][:, np.array(design.rows) - 1] for n in ("expected", "sigma")},
        design, CARD, seed=0,
    )[0]  # fmt: skip
    values = {k: v[0] for k, v in sites.items()} | {"colour_precision": one.colour_precision}
    known = handlers.substitute(handlers.seed(given, 0), data=values)(design, CARD)
    blocks = make_blocks(design, colour_correlation(design, CARD))
    last = np.array([len(design.rows) - 1])
    variance = jnp.asarray(one.sigma**2).at[last].set(UNBOUNDED)
    y = jnp.asarray(design.log_factor) - known.sampled_effect
    integrated = integrate(design, blocks, known.scales, y, variance)
    found = predict_rows(design, blocks, known.scales, integrated, last)
    own = sites["star_scale"][0] ** 2 + sites["visit_scale"][0] ** 2
    assert found.covariance[0, 0] > own
