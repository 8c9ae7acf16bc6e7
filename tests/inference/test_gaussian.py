"""One Gaussian of all rows: the density the sampler moves in, written as a matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpyro import handlers

from mirical.errors import InputError
from mirical.inference.gaussian import MOST_ROWS, Gaussians, require_few_rows
from mirical.laws.timelaw import ADDITIVE, log_relative_factor
from mirical.model.collapsed import integrate, row_variance
from mirical.model.nesting import make_blocks
from mirical.model.terms import colour_correlation, given
from prior_draws import CARD, drawn_design


def test_its_density_is_that_of_the_collapsed_model():
    design, sites = drawn_design(0)
    one = Gaussians(sites, design, CARD, seed=1)[0]
    values = {k: v[0] for k, v in sites.items()} | {"colour_precision": one.colour_precision}
    model = handlers.substitute(handlers.seed(given, 0), data=values)
    known = model(design, CARD)
    blocks = make_blocks(design, colour_correlation(design, CARD))
    y = design.log_factor - known.sampled_effect
    marginal = integrate(design, blocks, known.scales, y, row_variance(known, one.outlier))
    assert one.log_density == pytest.approx(float(marginal.log_density), abs=1e-4)


def test_a_group_given_the_others_is_what_leaving_it_out_says():
    design, sites = drawn_design(0)
    one = Gaussians(sites, design, CARD, seed=1)[0]
    group = np.flatnonzero(np.asarray(design.star) == 2)
    rest = np.flatnonzero(np.asarray(design.star) != 2)
    v = one.covariance
    gain = np.linalg.solve(v[np.ix_(rest, rest)], v[np.ix_(rest, group)]).T
    off, covariance = one.given_others(group)
    np.testing.assert_allclose(off, one.residual[group] - gain @ one.residual[rest], rtol=1e-6)
    expected = v[np.ix_(group, group)] - gain @ v[np.ix_(rest, group)]
    np.testing.assert_allclose(covariance, expected, rtol=1e-6, atol=1e-10)


def test_colour_precision_and_wrong_rows_are_drawn_from_their_conditionals():
    """Many seeds: the means are those of the gamma and of the mixture's odds, within 4 sigma."""
    design, sites = drawn_design(0)
    each = [Gaussians(sites, design, CARD, seed=s)[0] for s in range(300)]
    correlation = np.asarray(colour_correlation(design, CARD))
    eta = sites["star_band_offset"][0] / sites["colour_scale"][0]
    squares = np.einsum("si,ij,sj->s", eta, np.linalg.inv(correlation), eta)
    shape, rate = 1.5 + len(design.bands) / 2, 1.5 + squares / 2
    found = np.mean([one.colour_precision for one in each], axis=0)
    np.testing.assert_array_less(np.abs(found - shape / rate), 4 * np.sqrt(shape / 300) / rate)
    off = design.log_factor - sites["expected"][0]
    fraction, width = sites["outlier_fraction"][0], sites["outlier_width"][0]
    sigma = sites["sigma"][0]
    wide = np.hypot(sigma, width)
    ratio = (1 - fraction) / fraction * wide / sigma
    chance = 1 / (1 + ratio * np.exp(-0.5 * off**2 * (sigma**-2 - wide**-2)))
    found = np.mean([one.outlier for one in each], axis=0)
    bound = 4.5 * np.sqrt(chance * (1 - chance) / 300) + 0.02
    np.testing.assert_array_less(np.abs(found - chance), bound)


def test_without_a_star_its_rows_say_nothing_of_a():
    design, sites = drawn_design(0)
    one = Gaussians(sites, design, CARD, seed=1)[0]
    group = np.flatnonzero(np.asarray(design.star) == 3)
    rest = np.flatnonzero(np.asarray(design.star) != 3)
    v = one.covariance[np.ix_(rest, rest)]
    expected = one.log_a_mean + one.log_a[:, rest] @ np.linalg.solve(v, one.residual[rest])
    np.testing.assert_allclose(one.log_a_without(group), expected, rtol=1e-6, atol=1e-8)


def test_what_is_private_to_a_band_in_the_law_is_freed():
    """A band's loss all private (no smooth part): shift and spread by the law's derivatives."""
    design, sites = drawn_design(0)
    sites = sites | {"loss_scale": np.array([1e-9])}
    one = Gaussians(sites, design, CARD, seed=1)[0]
    band, elapsed = np.asarray(design.band), np.asarray(design.elapsed)
    loss, tau = sites["loss"][0], sites["tau"][0]
    step, n_bands = 1e-5, len(design.bands)

    def law(loss: np.ndarray, tau: np.ndarray) -> np.ndarray:
        return np.asarray(log_relative_factor(ADDITIVE, elapsed, {"loss": loss, "tau": tau}, band))

    off = loss, np.log(tau / sites["tau_median"][0])
    widths = np.hypot(sites["loss_departure"][0], 1e-4), sites["tau_spread"][0]
    shift, covariance = np.zeros(len(band)), one.covariance.copy()
    for b in range(n_bands):
        unit = np.eye(n_bands)[b] * step
        slopes = (
            (law(loss + unit, tau) - law(loss - unit, tau)) / (2 * step),
            (law(loss, tau * np.exp(unit)) - law(loss, tau * np.exp(-unit))) / (2 * step),
        )
        for slope, of_band, width in zip(slopes, off, widths, strict=True):
            shift += slope * of_band[b]
            covariance += width**2 * np.outer(slope, slope)
    np.testing.assert_allclose(one.freed_residual - one.residual, shift, atol=1e-6)
    np.testing.assert_allclose(one.freed_covariance, covariance, atol=1e-7)


def test_a_run_of_more_rows_than_its_matrices_can_hold_is_refused():
    require_few_rows("check", MOST_ROWS, Path("long"))
    with pytest.raises(InputError, match="long: has 4001 rows, and check .* of 4000 at most; run"):
        require_few_rows("check", MOST_ROWS + 1, Path("long"))
