"""Weights of draws: they are the ratio of two densities, and k says when they must not be used."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from scipy.stats import norm

from mirical.weighting.pareto import k_limit, resample, smooth_weights


def test_weighted_draws_have_the_mean_and_spread_of_the_density_wanted():
    """Of N(0.5, 0.8) by draws of N(0, 1): within 4 standard errors of so many effective draws."""
    drawn = np.random.default_rng(3).normal(size=20000)
    found = smooth_weights(norm.logpdf(drawn, 0.5, 0.8) - norm.logpdf(drawn))
    mean = found.values @ drawn
    error = 0.8 / np.sqrt(found.effective)
    assert found.usable and 5000 < found.effective < 20000
    assert abs(mean - 0.5) < 4 * error
    assert abs(np.sqrt(found.values @ (drawn - mean) ** 2) - 0.8) < 4 * error / np.sqrt(2)


def test_k_is_the_shape_of_the_tail():
    """Ratios u^-k have that shape; the estimate of 10000 is within 0.1 of it."""
    u = np.random.default_rng(4).uniform(size=10000)
    for k in (0.3, 0.6, 0.9):
        found = smooth_weights(-k * np.log(u))
        assert found.k == pytest.approx(k, abs=0.1)
        assert found.usable == (found.k < 0.7)


def test_few_draws_have_a_lower_limit_of_k():
    assert k_limit(100) == pytest.approx(0.5)
    assert k_limit(100000) == 0.7
    assert k_limit(1) == -np.inf


def test_equal_ratios_are_equal_weights():
    found = smooth_weights(np.full(100, -1e6), efficiency=0.5)
    assert (found.k, found.effective) == (0.0, pytest.approx(50.0))
    np.testing.assert_allclose(found.values, 0.01)


@pytest.mark.parametrize("worst", [np.nan, np.inf])
def test_ratios_that_are_no_numbers_are_never_usable(worst: float):
    assert not smooth_weights(np.r_[np.zeros(99), worst]).usable


def test_copies_of_one_draw_that_outweigh_all_are_never_usable():
    assert not smooth_weights(
        np.r_[np.random.default_rng(1).normal(size=500), np.full(500, 9.0)]
    ).usable


def test_draws_of_no_density_weigh_nothing():
    ratios = np.random.default_rng(2).normal(size=1000)
    ratios[7] = -np.inf
    found = smooth_weights(ratios)
    assert found.usable and found.values[7] < 1e-40


def test_each_draw_stands_as_often_as_its_weight_says():
    weights = np.random.default_rng(5).dirichlet(np.ones(300))
    counts = np.bincount(resample(weights, 1000, seed=6), minlength=300)
    assert np.max(np.abs(counts - 1000 * weights)) < 1
    total = sum(np.bincount(resample(weights, 50, seed=s), minlength=300) for s in range(400))
    expected = 20000 * weights  # of variance below a quarter a time
    assert np.max(np.abs(total - expected)) < 5 * np.sqrt(400 / 4)


def test_copies_stay_side_by_side_so_that_effective_draws_do_not_pretend():
    """Of 4000 equal draws a few hundred distinct ones remain; no more of them are counted."""
    random = np.random.default_rng(7)
    values, ratios = random.normal(size=4000), random.normal(0, 1.5, 4000)
    weights = smooth_weights(ratios)
    stored = values[resample(weights.values, 4000, seed=8)].reshape(4, 1000)
    ess = array_stats.ess(stored, chain_axis=0, draw_axis=1, method="mean")
    counted = np.asarray(ess).item()
    assert weights.effective < 900
    assert counted < 1.3 * weights.effective
