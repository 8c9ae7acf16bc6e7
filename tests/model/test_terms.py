"""The sampler's units leave the prior what the card says."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density
from scipy.stats import multivariate_normal

from mirical.model.terms import informed_normals

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
