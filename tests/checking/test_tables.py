"""Tables of a check, of numbers whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import QTable

from mirical.checking.tables import PIT_BAND, pit_table
from mirical.checking.verdict import _shares

N = 200
EVEN = (np.arange(N) + 0.5) / N


@pytest.mark.parametrize("n", [30, N])
def test_the_band_of_shares_holds_uniform_ones_as_often_as_it_says(n: int):
    """2000 sets against a band of as many: within three standard errors of the difference."""
    band = pit_table(QTable({"pit": (np.arange(n) + 0.5) / n}))
    at = np.asarray(band["share"])
    sets = np.random.default_rng(8).uniform(size=(2000, n, 1))
    off = np.array([np.mean(one <= at, axis=0) - at for one in sets])
    inside = np.all((off <= band["upper"] + 1e-12) & (off >= band["lower"] - 1e-12), axis=1)
    assert abs(inside.mean() - PIT_BAND) < 3 * np.sqrt(2 * PIT_BAND * (1 - PIT_BAND) / 2000)


def test_even_shares_do_not_differ_from_uniform():
    table = pit_table(QTable({"pit": EVEN}))
    np.testing.assert_allclose(table["difference"], 0, atol=1 / N)
    assert table.meta["inside"] and _shares(table) == []


def test_a_model_too_narrow_is_told_of():
    narrow = np.where(EVEN < 0.5, EVEN**2 * 2, 1 - 2 * (1 - EVEN) ** 2)
    table = pit_table(QTable({"pit": narrow}))
    # Below x lie the shares whose 2 e^2 is less: (x / 2)^1/2 - x more than expected.
    low = table["share"] < 0.5
    expected = np.sqrt(table["share"] / 2) - table["share"]
    np.testing.assert_allclose(table["difference"][low], expected[low], atol=1 / N)
    (said,) = _shares(table)
    assert "outside the 95 % band" in said
