"""Rows left out in their places: the fit is that without them, and they are foretold by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from designs import some_rows
from mirical.checking.star_refits import StarRefits, without_stars
from mirical.inference.gaussian import Gaussians
from mirical.inference.leave_one_out import (
    later_rows_at_draw,
    left_out_at_draw,
    stored_leave_one_out,
)
from mirical.model.design import Design, without_rows
from mirical.model.row_gaussian import Gaussian
from mirical.model.sampler_units import LEFT_OUT, measure_units
from prior_draws import CARD, prior_draws

DRAWS = 3


@pytest.fixture(scope="module")
def both() -> tuple[list[Gaussian], list[Gaussian], np.ndarray, Design, dict[str, np.ndarray]]:
    """Return, at some draws, the rows with a star left in its place and taken out."""
    design, sites = prior_draws(DRAWS)
    design = replace(design, log_factor=sites["log_factor"][0])
    held = np.asarray(design.star) == 2
    masked = without_rows(design, held)
    sigma = np.where(held, np.hypot(sites["sigma"], LEFT_OUT), sites["sigma"])
    inside = Gaussians(sites | {"sigma": sigma}, masked, CARD, seed=1)
    rest = {n: sites[n][:, ~held] for n in ("sigma", "expected")}
    outside = Gaussians(sites | rest, some_rows(design, ~held), CARD, seed=1)
    made = [[g[i] for i in range(DRAWS)] for g in (inside, outside)]
    # Which rows went wrong is drawn row by row, and there are fewer outside.
    for i in range(DRAWS):
        outlier = made[1][i].outlier
        put = np.zeros(len(held))
        put[~held] = outlier
        covariance = made[0][i].covariance.copy()
        change = (put - made[0][i].outlier) * made[0][i].outlier_width ** 2
        covariance[np.diag_indices_from(covariance)] += change
        made[0][i] = replace(made[0][i], covariance=covariance, outlier=put)
    return made[0], made[1], held, design, sites


def test_a_row_left_out_in_its_place_says_nothing(both):
    inside, outside, _, _, _ = both
    differences = [a.log_density - b.log_density for a, b in zip(inside, outside, strict=True)]
    np.testing.assert_allclose(differences, differences[0], atol=1e-3)
    for one, other in zip(inside, outside, strict=True):
        for mine, theirs in zip(one.log_a_posterior(), other.log_a_posterior(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_a_row_left_out_is_foretold_by_those_that_were_not(both):
    inside, outside, held, design, sites = both
    rows, rest = inside[0], outside[0]
    band = np.asarray(design.band)[held]
    scatter = np.hypot(sites["repeatability"][0][band], np.asarray(design.log_factor_unc)[held])
    density, share = later_rows_at_draw(rows, held, scatter)
    noise = rows.sigma**2 + rows.outlier * rows.outlier_width**2
    shared = rows.covariance - np.diag(noise)
    for j, i in list(enumerate(np.flatnonzero(held)))[:4]:
        gain = np.linalg.solve(rest.covariance, shared[~held, i])
        mean = gain @ rest.residual
        variance = shared[i, i] - gain @ shared[~held, i] + scatter[j] ** 2
        spread = np.sqrt([variance, variance + rows.outlier_width**2])
        parts = np.array([1 - rows.outlier_fraction, rows.outlier_fraction])
        expected = parts @ norm.pdf(rows.residual[i], mean, spread)
        assert density[j] == pytest.approx(np.log(expected), abs=1e-4)
        below = parts @ norm.cdf(rows.residual[i], mean, spread)
        assert share[j] == pytest.approx(below, abs=1e-4)


def test_a_row_left_out_does_not_tell_of_those_that_were_not(both):
    inside, outside, held, _, _ = both
    among_all, _ = left_out_at_draw(inside[0])
    np.testing.assert_allclose(among_all[~held], left_out_at_draw(outside[0])[0], atol=1e-4)


def test_rows_left_out_share_what_only_they_have(both):
    inside, outside, held, _, _ = both
    rows, rest = inside[0], outside[0]
    off, covariance = rows.given_rows(~held)
    noise = rows.sigma**2 + rows.outlier * rows.outlier_width**2
    shared = rows.covariance - np.diag(noise)
    gain = np.linalg.solve(rest.covariance, shared[~held][:, held]).T
    np.testing.assert_allclose(off, rows.residual[held] - gain @ rest.residual, atol=1e-6)
    expected = shared[np.ix_(held, held)] - gain @ shared[np.ix_(~held, held)]
    np.testing.assert_allclose(covariance, expected, atol=1e-8)


def test_a_time_constant_without_end_does_not_count_among_the_draws():
    random = np.random.default_rng(6)
    densities = norm.logpdf(random.standard_normal(30), 0.3 * random.standard_normal((2, 200, 1)))
    drawn = {"A": (("chain", "draw"), random.standard_normal((2, 200)))}
    rows = {"log_factor": (("chain", "draw", "row"), densities)}
    plain = {"posterior": xr.Dataset(drawn), "log_likelihood": xr.Dataset(rows)}
    endless = {"tau": (("chain", "draw"), np.full((2, 200), np.inf))}
    other = plain | {"posterior": xr.Dataset(drawn | endless)}
    found = [stored_leave_one_out(xr.DataTree.from_dict(groups)) for groups in (plain, other)]
    assert found[0].elpd == found[1].elpd
    np.testing.assert_array_equal(found[0].pareto_k, found[1].pareto_k)


def test_rows_left_out_set_no_units():
    design, _ = prior_draws(DRAWS)
    held = np.asarray(design.star) == 2
    wild = np.where(held, 7.0, np.asarray(design.log_factor))
    masked = without_rows(replace(design, log_factor=wild), held)
    alone = some_rows(design, ~held)
    place = alone.star, alone.band, alone.subarray, alone.visit
    shape = len(design.stars), len(design.bands), len(design.subarrays), len(design.visits)
    expected = measure_units(alone.log_factor, alone.log_factor_unc, alone.elapsed, place, shape)
    for name in ("loss_leverage", "loss", "scatter_information", "log_scatter"):
        found = getattr(masked.units, name)
        np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_star_is_fitted_without_and_a_band_of_its_own_is_unknown():
    design, sites = prior_draws(DRAWS)
    rows = sites["expected"][1] + 0.3 * (np.asarray(design.star) == 4)
    keep = (np.asarray(design.band) != 5) | (np.asarray(design.star) == 4)
    design = some_rows(replace(design, log_factor=rows), keep)
    told: list[int] = []
    found = without_stars(
        design, CARD, [4], StarRefits(3, 1, begin=lambda _: lambda: told.append(1))
    )
    assert len(told) == 1 and list(found) == [4]
    assert np.isnan(found[4][5]) and np.all(np.isfinite(found[4][:5]))
    # The star that is 30 % off is gone; the others stand where their draw has them.
    assert np.all(np.abs(found[4][:5] - np.log(sites["A"][1][:5])) < 0.1)
