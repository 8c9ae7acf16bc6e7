"""Weights of new rows: density of all rows over that of the old ones, no offset given."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from designs import some_rows
from mirical.model.collapsed import integrate, row_variance
from mirical.model.design import Design
from mirical.model.nesting import make_blocks
from mirical.model.terms import colour_correlation
from mirical.weighting.assimilation import row_by_row, weigh_draws
from mirical.weighting.redrawn import known_at
from prior_draws import CARD, drawn_design

OLD = 100


def log_density(design: Design, values: dict, outlier: np.ndarray) -> float:
    known, _ = known_at(design, CARD, values)
    blocks = make_blocks(design, colour_correlation(design, CARD))
    y = jnp.asarray(design.log_factor) - known.sampled_effect
    variance = row_variance(known, jnp.asarray(outlier))
    return float(integrate(design, blocks, known.scales, y, variance).log_density)


def as_named(sites: dict, old: int) -> dict:
    """Return draws as a posterior of the first rows has them."""
    named = {n: v for n, v in sites.items() if not n.endswith(("_unit", "_base", "_volume"))}
    return named | {name: sites[name][:, :old] for name in ("expected", "sigma")}


@pytest.mark.parametrize("free", [(), (1, 3)])
def test_the_weight_is_the_ratio_of_the_densities(free: tuple[int, ...]):
    """Where no new row is an outlier nothing is summed over; what is drawn beside is told."""
    design, sites = drawn_design(0)
    stars = np.arange(len(design.stars))
    if free:
        design = replace(design, free=np.isin(stars, free).astype(float), has_free=True)
    sites = sites | {"outlier_fraction": np.array([1e-12])}
    found = weigh_draws(as_named(sites, OLD), design, OLD, CARD, seed=3)
    outlier = found.outlier[0, : len(design.rows)]
    assert not np.any(outlier[OLD:])
    values = {n: v[0] for n, v in as_named(sites, OLD).items()}
    values |= {"colour_precision": found.colour_precision[0]}
    everything = log_density(design, values, outlier)
    before = some_rows(design, np.arange(OLD))
    expected = everything - log_density(before, values, outlier[:OLD])
    assert found.log_weight[0] == pytest.approx(expected, abs=2e-5)


def test_rows_first_of_a_free_star_in_a_band_weigh_nothing():
    design, sites = drawn_design(0)
    star = np.asarray(design.star)
    order = np.argsort(star == 4, kind="stable")  # that star is new
    old = int(np.sum(star != 4))
    design = some_rows(design, order)
    free = (np.arange(len(design.stars)) == 4).astype(float)
    band = np.asarray(design.band)[old:]
    only = np.r_[np.arange(old), old + np.unique(band, return_index=True)[1]]
    design = some_rows(replace(design, free=free, has_free=True), only)
    sites = sites | {"expected": sites["expected"][:, order], "sigma": sites["sigma"][:, order]}
    found = weigh_draws(as_named(sites, old), design, old, CARD, seed=3)
    assert found.log_weight[0] == 0


def test_the_flux_by_which_a_free_star_is_quoted_changes_no_weight():
    design, sites = drawn_design(0)
    free = np.isin(np.arange(len(design.stars)), (1, 3)).astype(float)
    design = replace(design, free=free, has_free=True)
    found = weigh_draws(as_named(sites, OLD), design, OLD, CARD, seed=3)
    brighter = 0.7 * free[np.asarray(design.star)] * (1 + np.asarray(design.band))
    expected = sites["expected"] + brighter
    design = replace(design, log_factor=np.asarray(design.log_factor) + brighter)
    again = weigh_draws(as_named(sites | {"expected": expected}, OLD), design, OLD, CARD, seed=3)
    np.testing.assert_array_equal(again.outlier, found.outlier)
    np.testing.assert_allclose(again.log_weight, found.log_weight, atol=1e-6)


def test_drawing_outliers_row_by_row_is_the_sum_over_all_their_sets():
    """Four rows, sixteen sets: weights average to the sum, sets to their odds (4 sigma)."""
    random = np.random.default_rng(8)
    root = random.normal(size=(4, 4))
    covariance = 0.5 * root @ root.T + 0.2 * np.eye(4)
    off = np.array([0.3, 3.0, -2.5, 0.1])
    fraction, width = 0.3, 2.0
    known = SimpleNamespace(outlier_fraction=fraction, outlier_width=width)
    sets = np.array(list(product((0.0, 1.0), repeat=4)))
    density = np.array(
        [
            multivariate_normal.pdf(off, cov=covariance + np.diag(one * width**2))
            * np.prod(np.where(one > 0, fraction, 1 - fraction))
            for one in sets
        ]
    )
    counts = np.ones(4, dtype=bool)

    def each(key: jax.Array):
        return row_by_row(key, jnp.asarray(off), jnp.asarray(covariance), known, counts)  # type: ignore[arg-type]

    densities, outlier = jax.vmap(each)(jax.random.split(jax.random.key(1), 20000))
    weight = np.exp(np.sum(densities, axis=1))
    error = weight.std() / np.sqrt(len(weight))
    assert error < 0.01 * density.sum()
    assert abs(weight.mean() - density.sum()) < 4 * error
    number = np.asarray(outlier) @ [8, 4, 2, 1]
    odds = np.bincount(number.astype(int), weights=weight, minlength=16) / weight.sum()
    effective = weight.sum() ** 2 / (weight**2).sum()
    np.testing.assert_array_less(
        np.abs(odds - density / density.sum()), 4 * np.sqrt(np.maximum(odds, 1e-4) / effective)
    )


def test_rows_that_only_fill_up_change_nothing():
    covariance = np.array([[1.0, 0.4], [0.4, 2.0]])
    known = SimpleNamespace(outlier_fraction=None, outlier_width=None)
    off = np.array([0.5, -1.0])
    padded = np.eye(3)
    padded[:2, :2] = covariance
    counts = np.array([True, True, False])
    key = jax.random.key(0)
    found, _ = row_by_row(key, jnp.append(off, 0.0), jnp.asarray(padded), known, counts)  # type: ignore[arg-type]
    assert float(found.sum()) == pytest.approx(multivariate_normal.logpdf(off, cov=covariance))
