"""What added terms and left-out rows and stars would do, against doing it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from mirical.checking.draw_blocks import gather_quantities
from mirical.checking.infrared_excess import ExcessDensities
from mirical.checking.quantities import (
    SLOPE_SPREAD,
    AtDraw,
    Questions,
    slope_posterior,
    star_influence,
)
from mirical.checking.score_directions import families, slopes
from mirical.inference.gaussian import Gaussians
from mirical.model.row_gaussian import Gaussian
from prior_draws import CARD, drawn_design

N = 50


@pytest.fixture(scope="module")
def looked() -> tuple[Gaussian, np.ndarray, list[AtDraw]]:
    """Return the rows at the true draw, a slope's direction, and what many looks say."""
    design, sites = drawn_design(0)
    many = {name: np.repeat(value, N, axis=0) for name, value in sites.items()}
    gaussians = Gaussians(many, design, CARD, seed=3)
    flux = 10.0 ** np.random.default_rng(7).uniform(0, 2, len(design.rows))
    column = slopes(design, flux)["F770W"][:, None]
    questions, told = Questions(families(design, {}), column, 3), []
    each = gather_quantities(gaussians, questions, range(N), told.append)
    assert sum(told) == N
    return gaussians[0], column[:, 0], each


def test_a_slope_is_that_of_a_model_with_it(looked):
    rows, column, each = looked
    wide = rows.covariance + SLOPE_SPREAD**2 * np.outer(column, column)
    mean = SLOPE_SPREAD**2 * column @ np.linalg.solve(wide, rows.residual)
    variance = SLOPE_SPREAD**2 - SLOPE_SPREAD**4 * column @ np.linalg.solve(wide, column)
    zero = np.zeros(len(column))
    gain = multivariate_normal(zero, wide).logpdf(rows.residual) - rows.log_density
    assert each[0].slope[0] == pytest.approx(mean, rel=1e-5)
    assert each[0].slope_var[0] == pytest.approx(variance, rel=1e-5)
    assert each[0].slope_weight[0] == pytest.approx(gain, abs=1e-4)


def test_a_row_left_out_is_predicted_by_the_others(looked):
    rows, _, each = looked
    assert np.any(rows.outlier)
    for i in (0, 17, 63, *np.flatnonzero(rows.outlier)[:2]):
        rest = np.delete(np.arange(len(rows.residual)), i)
        gain = np.linalg.solve(rows.covariance[np.ix_(rest, rest)], rows.covariance[rest, i])
        mean = gain @ rows.residual[rest]
        sound = rows.covariance[i, i] - rows.outlier[i] * rows.outlier_width**2
        variance = sound - gain @ rows.covariance[rest, i]
        spread = np.sqrt([variance, variance + rows.outlier_width**2])
        shares = np.array([1 - rows.outlier_fraction, rows.outlier_fraction])
        off = rows.residual[i] - mean
        expected = np.log(shares @ norm.pdf(off, scale=spread))
        assert each[0].log_likelihood[i] == pytest.approx(expected, abs=1e-5)
        assert each[0].pit[i] == pytest.approx(shares @ norm.cdf(off / spread), abs=1e-6)


def test_draws_that_gain_by_a_slope_count_more(looked):
    """Odd draws gain ln 2 by it: of slopes 0 and 1 the mean is two thirds."""
    _, _, each = looked
    made = [
        replace(
            one,
            slope=np.array([float(i % 2)]),
            slope_var=np.array([0.25]),
            slope_weight=np.array([np.log(2.0) * (i % 2) + 1e-3 * i]),
        )
        for i, one in enumerate(each)
    ]
    mean, std, _ = slope_posterior(made)
    assert mean[0] == pytest.approx(2 / 3, abs=0.03)
    assert std[0] == pytest.approx(np.sqrt(0.25 + 2 / 9), abs=0.02)


def test_influence_is_of_every_star_on_every_band(looked):
    _, _, each = looked
    shift, std, k = star_influence(each)
    assert shift.shape == (5, 6) and std.shape == (6,) and k.shape == (5,)
    assert np.all(std > 0) and np.all(np.isfinite(shift))


def test_draws_a_star_speaks_against_count_more_without_it(looked):
    """A star twice as likely at odd draws: without it these have a third of the weight."""
    _, _, each = looked
    odd = np.arange(N) % 2
    made = [
        replace(
            one,
            stars=[ExcessDensities(float(np.log(2.0) * o + 1e-3 * i), np.zeros((1, 1)))],
            log_a_without=np.full((1, 6), float(o)),
            log_a=np.zeros(6),
        )
        for i, (one, o) in enumerate(zip(each, odd, strict=True))
    ]
    shift, _, _ = star_influence(made)
    np.testing.assert_allclose(shift, 1 / 3, atol=0.03)
