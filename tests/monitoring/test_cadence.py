"""Cadence: of the new rows if they tell one, of the run's last year if not, or as given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mirical.monitoring.cadence import MOST_FUTURE, cadence

LAST = 60400.0
"""The run's last row; it has one of two rows on each of twenty dates, 30 days apart."""


def rows(new: list[float], together: int = 2) -> Any:
    old = np.repeat(LAST - 30.0 * np.arange(20)[::-1], 2)
    mjd = np.concatenate([old, np.repeat(new, together)])
    made = SimpleNamespace(
        mjd=mjd,
        old=len(old),
        new=np.arange(len(old), len(mjd)),
        design=SimpleNamespace(visit=np.unique(mjd, return_inverse=True)[1]),
    )
    return cast(Any, made)


def test_few_new_rows_go_on_as_the_runs_last_year():
    found = cadence(rows([60420.0, 60450.0]), None)
    assert found.words == "as in the run's last year" and found.years == 10.0
    assert set(found.rows) == set(range(40 - 26, 40))  # thirteen dates in the last 365.25 days
    assert found.mjd[0] == LAST + 30.0 and found.mjd[-1] <= LAST + 3652.5
    assert np.all(np.diff(found.mjd) >= 0)


def test_new_rows_of_half_a_year_tell_their_own_cadence():
    new = [60420.0, 60500.0, 60580.0, 60660.0]
    watched = rows(new)
    found = cadence(watched, None)
    assert found.words == "as in the new rows"
    np.testing.assert_allclose(np.unique(found.mjd)[:6] - LAST, 80.0 * np.arange(1, 7))
    # Rows of one date share a visit, and dates do not.
    _, of_date = np.unique(found.mjd, return_inverse=True)
    assert len(np.unique(np.stack([of_date, found.visit]), axis=1).T) == len(np.unique(found.mjd))
    assert set(found.rows) == set(watched.new)


def test_a_cadence_that_is_given_sets_the_dates():
    found = cadence(rows([60420.0]), 90.0, horizon=5.0)
    assert found.words == "an epoch every 90 d of what the run's last year observed"
    # Thirteen dates are gone through once, and part of them again.
    dates, rows_of = np.unique(found.mjd, return_counts=True)
    np.testing.assert_allclose(dates - LAST, 90.0 * np.arange(1, 21))
    assert np.all(rows_of == 2) and len(np.unique(found.visit)) == len(dates)


def test_many_rows_are_simulated_over_fewer_years():
    found = cadence(rows([60420.0, 60500.0, 60580.0, 60660.0], together=400), None)
    assert len(found.rows) <= MOST_FUTURE * 1.1
    assert found.years == pytest.approx(MOST_FUTURE / 1600 * 320 / 365.25)
