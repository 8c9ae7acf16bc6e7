"""What the posterior says of every row, against the formulas for single rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from designs import crowded_design
from mirical.inference.posterior_predictive import check_rows

N_ROWS, FRACTION, WIDTH = 12, 0.1, 0.05


@pytest.fixture
def design():
    return replace(crowded_design(N_ROWS), log_factor=np.linspace(-0.2, 0.2, N_ROWS))


def sites(chains: int, draws: int) -> dict[str, np.ndarray]:
    shape = chains, draws
    expected = np.arange(chains * draws).reshape(*shape, 1) % 5 * 0.01 + np.zeros(N_ROWS)
    return {
        "expected": expected,
        "sigma": np.broadcast_to(np.linspace(0.004, 0.02, N_ROWS), (*shape, N_ROWS)),
        "outlier_fraction": np.full(shape, FRACTION),
        "outlier_width": np.full(shape, WIDTH),
    }


def test_densities_and_probabilities_are_those_of_the_mixture(design):
    draws = sites(2, 5)
    checks = check_rows(draws, design, 3)
    sigma, off = draws["sigma"], design.log_factor - draws["expected"]
    sound = (1 - FRACTION) * norm.pdf(off, scale=sigma)
    wrong = FRACTION * norm.pdf(off, scale=np.hypot(sigma, WIDTH))
    assert checks.log_likelihood == pytest.approx(np.log(sound + wrong), rel=1e-10)
    assert checks.outlier_probability == pytest.approx((wrong / (sound + wrong)).mean((0, 1)))
    assert checks.residual == pytest.approx((off / sigma).mean((0, 1)))


def test_replicated_rows_scatter_as_the_model_says(design):
    """False alarm: 24 z-scores beyond 4.5 in one of 6000 runs (the seed is fixed)."""
    draws = sites(2, 4000)
    residual = check_rows(draws, design, 3).predictive - draws["expected"]
    n = 2 * 4000
    variance = draws["sigma"][0, 0] ** 2 + FRACTION * WIDTH**2
    fourth = 3 * (
        (1 - FRACTION) * draws["sigma"][0, 0] ** 4 + FRACTION * (variance + 0.9 * WIDTH**2) ** 2
    )
    z_mean = residual.mean((0, 1)) / np.sqrt(variance / n)
    z_square = ((residual**2).mean((0, 1)) - variance) / np.sqrt((fourth - variance**2) / n)
    assert np.max(np.abs([z_mean, z_square])) < 4.5
    assert len(np.unique(residual[..., 0])) == n


def test_a_model_without_wrong_rows_is_normal(design):
    draws = {k: v for k, v in sites(1, 5).items() if not k.startswith("outlier")}
    checks = check_rows(draws, design, 3)
    normal = norm.logpdf(design.log_factor, draws["expected"], draws["sigma"])
    assert checks.log_likelihood == pytest.approx(normal, rel=1e-10)
    assert not np.any(checks.outlier_probability)
