"""Alarm level: first alarms, their rate, and the level of a stated rate."""

from __future__ import annotations

import numpy as np
import pytest

from mirical.monitoring.alarm_level import alarm_level, first_alarms, rate_at

YEARS = np.array([1.0, 2.0, 4.0])
STATISTIC = np.array([[0.1, 3.0, 0.2], [0.2, 9.0, 5.0], [7.0, 0.1, 0.3]])


def test_the_rate_counts_first_alarms_over_the_years_until_them():
    np.testing.assert_array_equal(first_alarms(STATISTIC, 5.0), [2, 1, 1])
    np.testing.assert_array_equal(first_alarms(STATISTIC, 8.0), [-1, 1, -1])
    found = rate_at(STATISTIC, YEARS, 8.0)
    assert (found.alarms, found.streams, found.years) == (1, 3, 10.0)
    assert (found.rate, found.rate_error) == (0.1, 0.1)
    assert rate_at(STATISTIC, YEARS, 3.0).years == 4.0 + 1.0 + 2.0


@pytest.mark.parametrize("asked", [0.05, 0.1, 0.5, 2.0])
def test_the_level_is_the_lowest_whose_rate_is_not_above_the_one_asked_for(asked: float):
    random = np.random.default_rng(1)
    statistic = np.exp(random.standard_normal((100, 300)).cumsum(axis=0) / 4)
    years = np.linspace(0.1, 10, 100)
    found = alarm_level(statistic, years, asked)
    assert found.rate <= asked == found.asked
    assert rate_at(statistic, years, found.level * (1 - 1e-9)).rate > asked
