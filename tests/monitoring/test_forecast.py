"""Forecast of rows: each draw's Gaussian in full, total variance over draws, streams of rows."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import xarray as xr

from designs import N_VISITS, some_rows
from mirical.inference.gaussian import Gaussians
from mirical.inference.gaussian_draws import needed
from mirical.model.design import Design
from mirical.monitoring.cadence import Cadence
from mirical.monitoring.forecast import Expectation, Forecast, forecast
from mirical.monitoring.prospect import layout, look_ahead
from mirical.monitoring.watched_rows import cells_of
from prior_draws import CARD, prior_draws

DRAWS, OLD = 6, 90
NEW = np.arange(OLD, 120)


def sites() -> tuple[Design, dict[str, np.ndarray]]:
    """Return rows in two readouts and the draws; the last visit of every star comes last."""
    design, drawn = prior_draws(DRAWS)
    order = np.argsort(np.asarray(design.visit) % N_VISITS == N_VISITS - 1, kind="stable")
    two = replace(design, subarray=np.asarray(design.subarray) % 2)
    found = {name: drawn[name] for name in (*needed(CARD), "repeatability")}
    found |= {name: found[name][:, order] for name in ("expected", "sigma")}
    # A slope with the count rate in every band, and rates off the card's pivot.
    random = np.random.default_rng(6)
    found["rate_slope"] = 0.02 * random.standard_normal(found["rate_slope"].shape)
    rated = replace(two.covariates, log_rate=2.0 + random.standard_normal(len(two.rows)))
    return some_rows(replace(two, covariates=rated), order), found


def posterior(drawn: dict[str, np.ndarray]) -> xr.DataTree:
    """Return draws of the run, which has the first rows alone."""
    variables = {}
    for name, values in drawn.items():
        of_rows = name in ("expected", "sigma")
        known = values[:, :OLD] if of_rows else values
        dims = [f"{name}_{i}" for i in range(known.ndim - 1)]
        variables[name] = (["chain", "draw", *dims], known[None])
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables)})
    tree.attrs["seed"] = 5
    return tree


def forecast_of_new_rows(again: bool = False) -> tuple[Forecast, Any]:
    design, drawn = sites()
    known = cast(Any, SimpleNamespace(design=design, old=OLD))
    cells = cells_of(design, OLD, NEW, np.full(len(NEW), again))
    looked_at = look_ahead(
        posterior(drawn), np.arange(DRAWS), CARD, known, cells, lambda draws: None
    )
    elapsed = np.asarray(design.elapsed)[NEW]
    rows = layout(design, NEW, elapsed, cells, np.asarray(design.visit)[NEW])
    return forecast(rows, *looked_at), cells


def dense() -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance, scatter included, of the new rows at each draw."""
    design, drawn = sites()
    gaussians = Gaussians(drawn, design, CARD, 5)
    means, covariances = [], []
    for draw in range(DRAWS):
        off, shared = gaussians[draw].given_rows(np.arange(120) < OLD)
        means.append(np.asarray(design.log_factor)[NEW] - off)
        covariances.append(shared + np.diag(drawn["sigma"][draw, NEW] ** 2))
    return np.array(means), np.array(covariances)


def test_rows_are_expected_as_the_gaussian_of_all_rows_expects_them():
    """Stars, cells and visits are shared with the run's rows and among the new ones."""
    found, cells = forecast_of_new_rows()
    assert 0 < len(cells.example) < len(NEW) and 0 < np.sum(cells.old_visit) < len(NEW)
    means, covariances = dense()
    np.testing.assert_allclose(found.means, means, atol=1e-9)
    expected = found.expected
    np.testing.assert_allclose(expected.mean, means.mean(axis=0), atol=1e-9)
    total = covariances.mean(axis=0) + np.cov(means, rowvar=False)
    np.testing.assert_allclose(expected.root @ expected.root.T, total, atol=1e-9)
    # An outlier's innovation has its own width beside the error of the row.
    errors = np.diag(expected.root)
    width = np.mean(sites()[1]["outlier_width"] ** 2)
    np.testing.assert_allclose(expected.kappa * errors, np.sqrt(errors**2 + width))


def test_rows_like_others_in_visits_of_their_own_share_no_visit_of_the_run():
    found, cells = forecast_of_new_rows(again=True)
    assert not cells.old_visit.any()
    visit = np.asarray(sites()[0].visit)[NEW]
    np.testing.assert_array_equal(found.rows.visit, visit)


def test_streams_have_the_mean_and_covariance_of_their_draws():
    """Outliers are left out of the comparison; four errors of the mean in 30 rows."""
    found, _ = forecast_of_new_rows()
    count = 6000
    rows = found.streams(count, np.random.default_rng(2))
    means, covariances = dense()
    total = covariances.mean(axis=0) + np.cov(means, rowvar=False, bias=True)
    fraction, width = (found.prospect.scalar(f"outlier_{n}") for n in ("fraction", "width"))
    variance = np.diag(total) + np.mean(fraction * width**2)
    error = np.sqrt(variance / count)
    assert np.all(np.abs(rows.mean(axis=1) - means.mean(axis=0)) < 4 * error)
    ratio = rows.var(axis=1) / variance
    assert np.all(np.abs(ratio - 1) < 0.2)
    pairs = np.triu_indices(len(NEW), 1)
    among = np.asarray(np.corrcoef(rows))[pairs]
    scale = np.sqrt(np.outer(variance, variance))
    assert np.corrcoef(among, (total / scale)[pairs])[0, 1] > 0.98


def test_rows_to_come_are_expected_as_the_rows_that_they_are_like():
    design, drawn = sites()
    mjd = np.asarray(design.elapsed) + design.t0
    known = cast(Any, SimpleNamespace(design=design, old=OLD, new=NEW, mjd=mjd))
    like, visit = NEW[::-1], np.arange(len(NEW))
    plan = Cadence(like, mjd[:OLD].max() + 20.0 * (1 + visit), visit, "made", 2.0)
    chosen = np.concatenate([NEW, like])
    cells = cells_of(design, OLD, chosen, np.arange(len(chosen)) >= len(NEW))
    looked_at = look_ahead(posterior(drawn), np.arange(2), CARD, known, cells, lambda draws: None)
    looked = Expectation(known, plan, cells, *looked_at)
    to_come, later = looked.to_come(1.0)
    few = len(later.mjd)
    assert few == 18 and to_come.expected.mean.shape == (few,)
    np.testing.assert_array_equal(to_come.rows.cell, cells.of_row[len(NEW) : len(NEW) + few])
    np.testing.assert_array_equal(later.band, np.asarray(design.band)[like[:few]])
    np.testing.assert_array_equal(looked.of_new_rows()[0].rows.cell, cells.of_row[: len(NEW)])


def test_rows_of_a_visit_of_a_stream_share_its_offset():
    """Visits scatter more than all else here: rows of one agree, and rows of two do not."""
    found, _ = forecast_of_new_rows(again=True)
    sites = found.prospect.sites | {"visit_scale": np.full(DRAWS, 20.0)}
    wide = replace(found, prospect=replace(found.prospect, sites=sites))
    rows = wide.streams(400, np.random.default_rng(3)) - found.expected.mean[:, None]
    alike = found.rows.visit[:, None] == found.rows.visit
    assert np.all(np.abs(np.corrcoef(rows) - alike) < 0.3) and 30 < alike.sum() < 900


def test_visits_whose_scatter_is_open_are_taken_in_groups():
    """Variances of the six draws, in order: three, one, one and one to a group, by the cuts."""
    found, _ = forecast_of_new_rows(again=True)
    scale = np.array([0.004, 0.001, 0.002, 0.006, 0.003, 0.005])
    open_, known = (
        replace(found.prospect, sites=found.prospect.sites | {"visit_scale": one})
        for one in (scale, np.full(DRAWS, 0.003))
    )
    design, drawn = sites()
    gaussians = Gaussians(drawn, design, CARD, 5)
    groups = forecast(found.rows, open_, gaussians).groups
    np.testing.assert_allclose([share for share, _ in groups], [3 / 6, 1 / 6, 1 / 6, 1 / 6])
    pairs = np.nonzero(np.triu(found.rows.visit[:, None] == found.rows.visit, 1))
    first, second = int(pairs[0][0]), int(pairs[1][0])
    shared = [float(one.root[first] @ one.root[second]) for _, one in groups]
    of_visits = np.array([np.mean([1.0, 4.0, 9.0]), 16.0, 25.0, 36.0]) * 1e-6
    np.testing.assert_allclose(np.diff(shared), np.diff(of_visits), rtol=1e-6)
    assert len(forecast(found.rows, known, gaussians).groups) == 1


def test_a_scatter_that_the_draws_agree_on_has_many_degrees_of_freedom():
    found, _ = forecast_of_new_rows()
    freedom = found.expected.freedom
    seen = np.unique(found.rows.band)
    # Prior draws hardly know it.
    assert np.all((freedom[seen] > 4) & (freedom[seen] < 30))
    assert np.all(np.delete(freedom, seen) == 1e4)
