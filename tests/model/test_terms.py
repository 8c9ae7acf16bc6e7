"""The sampler's units leave the prior what the card says."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density
from scipy.stats import multivariate_normal, norm

from mirical.model.terms import bent_normals, informed_normals

ROOT = np.linalg.cholesky(np.array([[0.04, 0.01, 0.0], [0.01, 0.02, 0.005], [0.0, 0.005, 0.03]]))


@pytest.mark.parametrize("information", [[0.0, 0.0, 0.0], [50.0, 4000.0, 0.0]])
def test_units_informed_by_the_rows_keep_the_prior_density(information):
    estimate = jnp.asarray([0.1, -0.3, 0.2])
    term = partial(informed_normals, "unit", jnp.asarray(ROOT), jnp.asarray(information), estimate)

    def quantity(xi):
        return handlers.substitute(term, data={"unit": xi})()

    for xi in jnp.asarray(np.random.default_rng(4).normal(size=(5, 3))):
        found = log_density(term, (), {}, {"unit": xi})[0]
        stretched = np.linalg.slogdet(np.asarray(jax.jacobian(quantity)(xi)))[1]
        prior = multivariate_normal(cov=ROOT @ ROOT.T).logpdf(np.asarray(quantity(xi)))
        assert float(found) == pytest.approx(prior + stretched, rel=1e-10)


@pytest.mark.parametrize("spread", [0.0, 0.9])
def test_bent_units_keep_the_prior_density(spread):
    information, estimate = jnp.asarray([0.0, 40.0, 4000.0]), jnp.asarray([0.1, -0.3, 0.2])
    term = partial(bent_normals, "unit", jnp.asarray(spread), information, estimate)

    def quantity(xi):
        return handlers.substitute(term, data={"unit": xi})()

    for xi in jnp.asarray(np.random.default_rng(4).normal(-1.5, 3.0, size=(5, 3))):
        found = log_density(term, (), {}, {"unit": xi})[0]
        stretched = np.linalg.slogdet(np.asarray(jax.jacobian(quantity)(xi)))[1]
        prior = norm.logpdf(np.asarray(quantity(xi))).sum()
        assert float(found) == pytest.approx(prior + stretched, rel=1e-9)


def test_bent_units_are_the_rows_above_the_bend_and_the_prior_s_below():
    spread, information = jnp.asarray(0.9), jnp.asarray([400.0])
    term = partial(bent_normals, "unit", spread, information, jnp.asarray([-0.3]))
    slope = jax.jacobian(lambda xi: handlers.substitute(term, data={"unit": xi})())
    core, tail = float(slope(jnp.asarray([3.0]))[0, 0]), float(slope(jnp.asarray([-15.0]))[0, 0])
    assert 0.9 * core == pytest.approx((0.9**-2 + 400) ** -0.5, rel=0.2)
    assert 0.9 * tail == pytest.approx(0.9, rel=1e-4)
