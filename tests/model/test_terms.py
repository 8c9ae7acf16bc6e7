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

from designs import crowded_design
from miri_facts import MIRI
from mirical.cards.card import load_card
from mirical.model.informed_units import bend, informed, informed_normals, informed_singly
from mirical.model.terms import given, loss_unit

ROOT = np.linalg.cholesky(np.array([[0.04, 0.01, 0.0], [0.01, 0.02, 0.005], [0.0, 0.005, 0.03]]))


@pytest.mark.parametrize("information", [[0.0, 0.0, 0.0], [50.0, 4000.0, 0.0]])
def test_units_informed_by_the_rows_keep_the_prior_density(information):
    estimate = jnp.asarray([0.1, -0.3, 0.2])
    root = jnp.asarray(ROOT)
    by_rows = informed(root, jnp.asarray(information), estimate)
    term = partial(informed_normals, "unit", root, by_rows)

    def quantity(xi):
        return handlers.substitute(term, data={"unit": xi})()

    for xi in jnp.asarray(np.random.default_rng(4).normal(size=(5, 3))):
        found = log_density(term, (), {}, {"unit": xi})[0]
        stretched = np.linalg.slogdet(np.asarray(jax.jacobian(quantity)(xi)))[1]
        prior = multivariate_normal(cov=ROOT @ ROOT.T).logpdf(np.asarray(quantity(xi)))
        assert float(found) == pytest.approx(prior + stretched, rel=1e-10)


@pytest.mark.parametrize("spread", [0.05, 0.9])
def test_units_informed_one_by_one_keep_the_prior_density(spread):
    information, estimate = jnp.asarray([0.0, 40.0, 4000.0]), jnp.asarray([0.1, -0.3, 0.2])
    term = partial(informed_singly, "unit", jnp.asarray(spread), information, estimate)

    def quantity(xi):
        return handlers.substitute(term, data={"unit": xi})()

    for xi in jnp.asarray(np.random.default_rng(4).normal(-1.5, 3.0, size=(5, 3))):
        found = log_density(term, (), {}, {"unit": xi})[0]
        stretched = np.linalg.slogdet(np.asarray(jax.jacobian(quantity)(xi)))[1]
        prior = norm(scale=spread).logpdf(np.asarray(quantity(xi))).sum()
        assert float(found) == pytest.approx(prior + stretched, rel=1e-9)


@pytest.mark.parametrize("spread", [0.0, 0.9])
def test_the_slope_of_bent_units_is_that_of_what_they_mean(spread):
    information, estimate = jnp.asarray([0.0, 40.0, 4000.0]), jnp.asarray([0.1, -0.3, 0.2])
    for xi in jnp.asarray(np.random.default_rng(4).normal(-1.5, 3.0, size=(5, 3))):
        bent = partial(bend, spread=spread, information=information, estimate=estimate)
        slope = np.diagonal(jax.jacobian(lambda xi: bent(xi).u)(xi))  # noqa: B023
        np.testing.assert_allclose(bent(xi).log_slope, np.log(slope), rtol=1e-9)


def test_bent_units_are_the_rows_above_the_bend_and_the_prior_s_below():
    of = {"spread": 0.9, "information": jnp.asarray([400.0]), "estimate": jnp.asarray([-0.3])}
    core, tail = (float(jnp.exp(bend(jnp.asarray([xi]), **of).log_slope[0])) for xi in (3.0, -15.0))
    assert 0.9 * core == pytest.approx((0.9**-2 + 400) ** -0.5, rel=0.2)
    assert 0.9 * tail == pytest.approx(0.9, rel=1e-4)


def test_losses_are_told_in_the_units_of_another_scatter():
    """Whoever moves the scatter with the losses held finds the site that leaves them there."""
    design, card = crowded_design(), load_card("hierarchical", "test", MIRI)
    wide = {"loss_scale_base": jnp.asarray(1.5), "loss_departure_base": jnp.asarray(1.5)}
    model = handlers.substitute(handlers.seed(given, 3), data=wide)
    trace = handlers.trace(model).get_trace(design, card)
    sites = {name: site["value"] for name, site in trace.items() if site["type"] != "plate"}
    again = {name: sites[name] for name, site in trace.items() if site["type"] == "sample"}
    again["repeatability_median_base"] += 2.0
    known = handlers.substitute(handlers.seed(given, 0), data=again)(design, card)
    again["loss_unit"] = loss_unit(design, card, known.scales, known.sigma, sites)
    model = handlers.substitute(handlers.seed(given, 0), data=again)
    found = handlers.trace(model).get_trace(design, card)["loss"]["value"]
    assert not np.allclose(again["loss_unit"], sites["loss_unit"], rtol=1e-3)
    np.testing.assert_allclose(found, sites["loss"], rtol=1e-9)
