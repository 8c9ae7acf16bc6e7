"""Infrared excesses: dust's colours, densities against brute force, probabilities by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import gamma, multivariate_normal

from designs import some_rows
from mirical.checking.infrared_excess import (
    AMPLITUDES,
    PRIOR,
    amplitude_of,
    dust_shape,
    excess_densities,
    excess_shifts,
    probability,
)
from mirical.checking.tables import anomaly_table
from mirical.inference.gaussian import Gaussians
from prior_draws import CARD, drawn_design


def test_dust_of_130_kelvin_is_a_twelfth_at_15_micron():
    # x = 14387.77 / (lambda 130): 7.348 at 15.062, 4.364 at 25.362 micron
    by_hand = (25.362 / 15.062) * np.expm1(4.364) / np.expm1(7.348)
    at_15, at_25 = dust_shape([15.062, 25.362], 130.0)
    assert at_15 == pytest.approx(by_hand, rel=2e-3)
    assert at_25 == 1.0


def test_dust_has_no_share_of_a_star_s_ultraviolet_light():
    # exp(14387.77 / (0.27 x 60)) is beyond any double.
    assert dust_shape([0.27, 25.362], 60.0).tolist() == [0.0, 1.0]


def test_a_star_s_density_is_the_sum_over_its_colours_and_rows():
    """Against patterns a row off none or the draw's own wrong rows; all others are rare."""
    design, sites = drawn_design(0)
    sites = sites | {"outlier_fraction": np.array([1e-4])}
    rows = Gaussians(sites, design, CARD, seed=1)[0]
    star = int(np.argmin(np.bincount(design.star)))
    keep = np.flatnonzero(np.asarray(design.star) == star)[:6]
    design, rows = _few(design, rows, star, keep)
    first = int(np.flatnonzero(np.asarray(design.star) == star)[0])
    off_by_far = np.where(np.arange(len(design.rows)) == first, 0.3, 0.0)
    rows = replace(rows, residual=rows.residual + off_by_far)
    group = np.flatnonzero(np.asarray(design.star) == star)
    off, covariance = rows.given_others(group)
    own, wide = rows.own[np.ix_(group, group)], rows.outlier_width**2
    bare = covariance - own - np.diag(rows.outlier[group] * wide)
    f, shift = rows.outlier_fraction, excess_shifts(design, group)[:, -1]
    edges = np.array([0, 0.001, 0.004, 0.015, 0.04, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1])
    nodes = gamma.ppf((edges[1:] + edges[:-1]) / 2, 1.5, scale=1 / 1.5)
    likely = dict(zip(nodes, np.diff(edges), strict=True))
    patterns = np.zeros(len(group)), rows.outlier[group]
    logs, more = {0: [], 1: []}, []
    for node, outlier in product(nodes, product((0, 1), repeat=len(group))):
        spread = bare + own * rows.colour_precision[star] / node + np.diag(np.array(outlier) * wide)
        weight = sum(np.log(f) if w else np.log1p(-f) for w in outlier) + np.log(likely[node])
        for k, e in ((0, off), (1, off + shift)):
            density = weight + multivariate_normal(np.zeros(len(e)), spread).logpdf(e)
            if min(np.abs(outlier - pattern).sum() for pattern in patterns) <= 1:
                logs[k].append(density)
            elif k == 0:
                more.append(density)
    says = excess_densities(rows, star, design, 1.5)
    assert says.without == pytest.approx(logsumexp(logs[0]), abs=1e-9)
    assert says.excess.ravel()[-1] == pytest.approx(logsumexp(logs[1]), abs=1e-9)
    assert logsumexp(more) < logsumexp(logs[0]) + np.log(0.02)


def test_a_free_star_is_weighed_without_an_excess_and_has_no_line_in_the_table():
    design, sites = drawn_design(0)
    rows = Gaussians(sites, design, CARD, seed=1)[0]
    stars = range(len(design.stars))
    known = [excess_densities(rows, star, design, 1.5) for star in stars]
    free = replace(design, free=np.isin(stars, [1]).astype(float), has_free=True)
    said = [excess_densities(rows, star, free, 1.5) for star in stars]
    assert [one.without for one in said] == pytest.approx([one.without for one in known], rel=1e-12)
    assert np.all(np.isnan(said[1].excess))
    whole, table = (
        anomaly_table([SimpleNamespace(stars=of)], a_design)
        for of, a_design in ((known, design), (said, free))
    )
    assert table["name"].tolist() == [name for i, name in enumerate(design.stars) if i != 1]
    np.testing.assert_allclose(table["p_excess"], np.delete(whole["p_excess"], 1), rtol=1e-9)


def _few(design, rows, star, keep):
    """Return design and Gaussian with few rows of a star."""
    chosen = np.sort(np.r_[np.flatnonzero(np.asarray(design.star) != star), keep])
    fewer = some_rows(design, chosen)
    square = np.ix_(chosen, chosen)
    return fewer, replace(
        rows,
        residual=rows.residual[chosen],
        covariance=rows.covariance[square],
        own=rows.own[square],
        log_a=rows.log_a[:, chosen],
        freed_residual=rows.freed_residual[chosen],
        freed_covariance=rows.freed_covariance[square],
        sigma=rows.sigma[chosen],
        outlier=rows.outlier[chosen],
    )


def test_a_probability_is_prior_odds_times_the_mean_bayes_factor():
    # Bayes factors 2 and 46: mean 24; odds 24 x 0.04 / 0.96 = 1
    assert PRIOR == 0.04
    assert probability(np.log([2.0, 46.0])) == pytest.approx(0.5)


def test_a_well_measured_excess_is_finer_than_the_grid():
    """Gaussian in ln(1 + e) about 25 % by 1 %: the grid's steps there are 8 %."""
    x = np.log1p(np.array(AMPLITUDES))
    log_weights = -0.5 * ((x - np.log1p(0.25)) / 0.008) ** 2
    assert amplitude_of(log_weights) == pytest.approx((0.25, 0.01), rel=1e-6)
    flat = amplitude_of(np.zeros(len(AMPLITUDES)))
    assert flat == pytest.approx((np.mean(AMPLITUDES), np.std(AMPLITUDES)))
