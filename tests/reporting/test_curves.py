"""What the figures show is counted right."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from miri_facts import MIRI
from mirical.reporting.curves import factor_differences, predictive_coverage, tail_histogram


def predictive(observed: list[float], bands: list[str]) -> QTable:
    table = QTable({"filter": bands, "observed": observed * u.percent})
    for name, quantile in {"q025": -2.0, "q16": -1.0, "q84": 1.0, "q975": 2.0}.items():
        table[name] = np.full(len(table), quantile) * u.percent
    return table


def test_rows_outside_their_intervals_are_counted_by_band_and_together():
    table = predictive([0.0, 1.5, -3.0, 2.5], ["F770W", "F770W", "F560W", "F560W"])
    coverage = predictive_coverage(table, MIRI)
    assert list(coverage["filter"]) == ["F560W", "F770W", "all"]
    assert list(coverage["n_rows"]) == [2, 2, 4]
    assert list(coverage["outside_68"]) == [2, 1, 3]
    assert list(coverage["outside_95"]) == [2, 0, 2]
    np.testing.assert_allclose(coverage["expected_68"], [0.64, 0.64, 1.28])
    np.testing.assert_allclose(coverage["expected_95"], [0.1, 0.1, 0.2])


@pytest.mark.parametrize(("n_rows", "n_bins"), [(1, 4), (30, 6), (500, 20)])
def test_every_row_is_in_one_bin_of_the_histogram(n_rows, n_bins):
    histogram = tail_histogram(QTable({"tail": np.linspace(0, 1, n_rows)}))
    assert len(histogram) == n_bins
    assert np.sum(histogram["n_rows"]) == n_rows
    assert (histogram["low"][0], histogram["high"][-1]) == (0, 1)
    np.testing.assert_allclose(histogram["expected"], n_rows / n_bins)
    assert np.all(histogram["expected_low"] >= 0)


def test_differences_are_in_percent_of_the_published_factor(run):
    comparison = run.tables["comparison"]
    row = comparison[(comparison["filter"] == "F770W") & (comparison["quantity"] == "C_ref")][0]
    found = factor_differences(comparison)
    assert list(found["filter"]) == ["F560W", "F770W", "F1800W"]
    assert found["std_pct"][1].value == pytest.approx(100 * row["ours_std"] / row["published"])
    assert found["published_std_pct"][1].value == pytest.approx(0.37)
    assert list(found["basis"]) == ["data"] * 3
