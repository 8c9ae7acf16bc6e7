"""Innovations: whitened rows, robust against an outlier, in units of the scatter that is learnt."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from mirical.monitoring.innovations import Expected, innovations, log_density, outlier_probability

KNOWN = 1e12  # degrees of freedom of a scatter that nothing is learnt of


def expected(
    rows: int = 6, kappa: float = 20.0, fraction: float = 0.0, freedom: float = KNOWN
) -> Expected:
    """Return correlated rows of two bands in turn."""
    random = np.random.default_rng(3)
    half = random.standard_normal((rows, rows))
    covariance = half @ half.T / rows + np.eye(rows)
    return Expected(
        mean=random.standard_normal(rows),
        root=np.linalg.cholesky(covariance),
        kappa=np.full(rows, kappa),
        outlier_fraction=fraction,
        band=np.arange(rows) % 2,
        cell=np.arange(rows),
        own=np.ones(rows),
        freedom=np.full(2, freedom),
    )


def test_without_outliers_they_are_the_rows_whitened_in_order():
    of = expected()
    rows = np.random.default_rng(4).standard_normal((6, 3))
    found = innovations(rows, of)
    white = solve_triangular(of.root, rows - of.mean[:, None], lower=True)
    np.testing.assert_allclose(found.value * found.unit, white, atol=1e-12)
    np.testing.assert_allclose(found.unit, 1.0, atol=1e-9)
    assert np.all(found.outlier == 0)


def test_what_follows_an_outlier_is_as_if_it_had_said_nothing():
    """An outlier so wide that it tells nothing leaves later rows where one at its mean does."""
    of = expected(kappa=1e9, fraction=0.01)
    rows = np.repeat(np.random.default_rng(4).standard_normal((6, 1)), 2, axis=1)
    rows[2, 0] += 1e7
    plain = of.mean[2] + of.root[2, :2] @ innovations(rows, of).value[:2, 1]
    rows[2, 1] = plain  # where the rows before it expect it
    found = innovations(rows, of)
    assert found.outlier[2, 0] > 0.999 and found.outlier[2, 1] < 0.01
    np.testing.assert_allclose(found.value[3:, 0], found.value[3:, 1], atol=1e-5)


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5])
def test_the_density_of_innovations_is_one_of_probability(fraction: float):
    x = np.linspace(-400, 400, 400_001)
    density = np.exp(log_density(x, np.float64(30.0), fraction)) / np.sqrt(2 * np.pi)
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-9)


def test_far_from_zero_single_precision_says_the_same():
    x = np.array([0.0, 3.0, 30.0, 300.0])
    for kappa in (5.0, 100.0):
        exact = log_density(x, np.float64(kappa), 0.02)
        single = log_density(x.astype(np.float32), np.float32(kappa), 0.02)
        np.testing.assert_allclose(single, exact, rtol=2e-6, atol=1e-6)
    assert outlier_probability(x, np.float64(100.0), 0.02)[[0, 3]] == pytest.approx(
        [0.000204, 1.0], abs=1e-6
    )


def test_the_unit_becomes_the_scatter_of_the_bands_rows():
    """Rows three times as wide as the run says; what one band does tells nothing of the other."""
    rows, freedom = 400, 10.0
    of = Expected(
        mean=np.zeros(rows),
        root=np.eye(rows),
        kappa=np.full(rows, 20.0),
        outlier_fraction=0.0,
        band=np.arange(rows) % 2,
        cell=np.arange(rows),
        own=np.ones(rows),
        freedom=np.full(2, freedom),
    )
    wide = np.where(of.band == 0, 3.0, 1.0)[:, None]
    values = wide * np.random.default_rng(1).standard_normal((rows, 200))
    found = innovations(values, of)
    # Nothing is known before the first row; the mean square of n rows then counts n.
    np.testing.assert_array_equal(found.unit[:2], 1.0)
    count = 199
    square = (freedom + count * np.array([9.0, 1.0])) / (freedom + count)
    np.testing.assert_allclose(np.mean(found.unit[-2:] ** 2, axis=1), square, rtol=0.03)
