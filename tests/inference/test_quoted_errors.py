"""Quoted errors: standard deviations of normal draws, steady where an outlier is possible."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from mirical.inference.quoted_errors import (
    covariance,
    error_noise,
    half_width,
    mean_and_error,
    normal_image,
    scatter_half_width,
)

NORMAL = norm.ppf((np.arange(20000) + 0.5) / 20000)
"""Draws of a standard normal without chance."""


def doubtful(seed: int, n: int = 10000) -> np.ndarray:
    """Return draws of a band seen in one row: sound, or off by 20 times as much in 2 %."""
    random = np.random.default_rng(seed)
    return np.where(random.random(n) < 0.02, 20.0, 1.0) * random.standard_normal(n)


def test_the_error_of_normal_draws_is_their_standard_deviation():
    assert half_width(3 + 2 * NORMAL) == pytest.approx(2.0, rel=1e-4)  # the quantiles interpolate
    np.testing.assert_allclose(half_width(np.stack([NORMAL, 5 * NORMAL], axis=1)), [1, 5], 1e-4)


def test_a_skewed_posterior_is_quoted_by_its_mean():
    mean, error = mean_and_error(np.exp(NORMAL).reshape(4, 5000, 1))
    # A log-normal: mean e^(1/2), quantiles e^-1 and e; the median would be 1.
    assert mean == pytest.approx([np.exp(0.5)], rel=1e-3)
    assert error == pytest.approx([np.sinh(1.0)], rel=1e-3)


def test_two_seeds_agree_in_it_where_the_standard_deviations_do_not():
    """16 pairs of seeds; the largest of 16 normal differences is below 3.2 sigma in 98 %."""
    pairs = [(doubtful(s), doubtful(s + 100)) for s in range(16)]
    ratio = [half_width(one) / half_width(two) for one, two in pairs]
    expected = 3.2 * np.sqrt(2) * 0.964 / np.sqrt(10000)
    assert np.max(np.abs(np.log(ratio))) < expected < 0.05
    spread = [np.std(one) / np.std(two) for one, two in pairs]
    assert np.max(np.abs(np.log(spread))) > 0.1


def test_the_image_of_draws_keeps_their_order_and_has_their_error():
    draws = np.stack([np.exp(NORMAL[::-1]), np.full(len(NORMAL), 4.0)], axis=1)
    image = normal_image(draws)
    assert np.all(np.diff(image[:, 0]) < 0)
    assert np.std(image[:, 0], ddof=1) == pytest.approx(half_width(draws[:, 0]), rel=1e-12)
    np.testing.assert_array_equal(image[:, 1], 0.0)


def test_the_covariance_is_that_of_normal_draws_and_an_outlier_hardly_changes_it():
    random = np.random.default_rng(2)
    root = np.array([[2.0, 0.0], [0.9, 0.3]])
    draws = random.standard_normal((40000, 2)) @ root.T
    # Standard errors of a covariance of 40 000 draws: below 1 % of the product of the errors.
    np.testing.assert_allclose(covariance(draws), root @ root.T, atol=0.02 * 2.0 * 2.0)
    far = draws.copy()
    far[:40] *= 1000.0
    assert np.cov(far.T)[0, 0] > 100 * covariance(far)[0, 0]
    np.testing.assert_allclose(covariance(far), covariance(draws), atol=0.02 * 2.0 * 2.0)


def test_a_scatter_that_is_known_is_itself_and_an_unknown_one_holds_68_percent():
    assert scatter_half_width(np.full(10, 0.003)) == pytest.approx(0.003, rel=1e-9)
    assert scatter_half_width(np.zeros(10)) == 0.0
    sigma = np.array([0.001, 0.004, 0.01])
    half = scatter_half_width(sigma)
    assert np.mean(norm.cdf(half / sigma) - norm.cdf(-half / sigma)) == pytest.approx(0.6827, 1e-4)


def test_the_monte_carlo_error_of_an_error_is_what_repetitions_scatter_by():
    """300 repetitions of 2000 draws: their scatter is known to 4 %, within 4 sigma."""
    random = np.random.default_rng(3)
    many = [half_width(random.standard_normal(2000)) for _ in range(300)]
    said = error_noise(random.standard_normal(2000), 2000)
    assert said == pytest.approx(np.std(many), rel=0.2)
    assert said == pytest.approx(0.964 / np.sqrt(2000), rel=0.1)


def test_ranks_are_the_library_s_ties_included():
    draws = np.random.default_rng(3).integers(0, 40, (300, 4)) / 7
    expected = norm.ppf((rankdata(draws, axis=0) - 0.5) / len(draws))
    expected -= expected.mean(axis=0)
    expected *= half_width(draws) / expected.std(axis=0, ddof=1)
    np.testing.assert_allclose(normal_image(draws), expected, rtol=1e-12, atol=1e-14)


def test_a_covariance_has_the_quoted_errors_on_its_diagonal():
    draws = np.random.default_rng(3).gamma(2.0, size=(50, 3))
    np.testing.assert_allclose(np.diag(covariance(draws)), half_width(draws) ** 2, rtol=1e-12)


def test_a_scatter_may_be_zero_in_some_draws():
    # Half of the probability at zero: the normal half holds 36.5 % of its own within the interval.
    expected = NormalDist().inv_cdf(2 * NormalDist().cdf(1) - 1)
    assert scatter_half_width(np.array([0.0, 1.0])) == pytest.approx(expected, rel=1e-6)
