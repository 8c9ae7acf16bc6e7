"""Findings: lights, the kind, size and date of a planted change, and delays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mirical.monitoring.changes import BAND, SCATTER, SLOPE, STEP, YEAR, Watched, changes, epochs_of
from mirical.monitoring.findings import AMBER, GREEN, RED, lights, likeliest, looks_like, shifts
from mirical.monitoring.innovations import Expected, innovations
from mirical.monitoring.simulated_streams import Delay, delays, planted_effect
from mirical.monitoring.statistic import shiryaev_roberts

SIGMA, EPOCHS, SINCE = 0.004, 24, 60000.0
MJD = np.repeat(np.linspace(SINCE + 30.0, SINCE + 30.0 * EPOCHS, EPOCHS), 3)
BAND_OF, READOUT_OF = np.tile([0, 1, 2], EPOCHS), np.tile([0, 0, 1], EPOCHS)
BANDS = "F560W", "F770W", "F1500W"
WATCHED = Watched(MJD, epochs_of(MJD), BAND_OF, READOUT_OF, BANDS, ("FULL", "SUB64"), SINCE)
EXPECTED = Expected(
    mean=np.full(len(MJD), -0.7),
    root=SIGMA * np.eye(len(MJD)),
    kappa=np.full(len(MJD), 25.0),
    outlier_fraction=0.02,
    band=BAND_OF,
    cell=BAND_OF,
    own=np.full(len(MJD), SIGMA),
    freedom=np.full(3, 1e6),
)
CHANGES = changes(WATCHED, EXPECTED)


def stream(added: np.ndarray, wider: np.ndarray | float = 1.0):
    noise = SIGMA * np.random.default_rng(8).standard_normal(len(MJD))
    return innovations((EXPECTED.mean + added + wider * noise)[:, None], EXPECTED)


BEGUN = SINCE + 12 * 30.0 + 10.0
IN_F770W = BAND_OF == 1
PLANTED = {
    "a step": (STEP, BAND, "F770W", 0.02, 0.005),
    "a large step, every row an outlier": (STEP, BAND, "F770W", -0.09, 0.005),
    "a slope": (SLOPE, BAND, "F770W", 0.03, 0.012),
    "a step of all": (STEP, "all", "", 0.008, 0.004),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_change_is_told_with_its_size_and_date(what: str):
    shape, scope, name, size, reach = PLANTED[what]
    inside = IN_F770W if scope == BAND else np.ones(len(MJD), dtype=bool)
    added = inside * planted_effect(shape, size, MJD, np.array([BEGUN]))[:, 0]
    found = likeliest(stream(added), CHANGES, EXPECTED, EPOCHS)
    assert (found.change.shape, found.change.scope, found.change.name) == (shape, scope, name)
    assert 0.5 < found.probability <= 1
    assert abs(found.size - size) < min(reach, 4 * found.size_unc)
    assert found.earliest < BEGUN < found.latest < found.earliest + 400


def test_a_change_that_went_by_is_told_as_it_was():
    """A step of half a year: the alarm is explained when nothing is left of it."""
    during = (MJD > SINCE + 200) & (MJD < SINCE + 380)
    found = stream(np.where(IN_F770W & during, 0.02, 0.0))
    statistic = shiryaev_roberts(found, CHANGES, EXPECTED, EPOCHS).sum(axis=0)[:, 0]
    assert statistic.max() > 1000
    level = float(np.sqrt(statistic.max() * statistic[-1]))  # between what was and what is
    told = looks_like(found, WATCHED, EXPECTED, statistic, level)
    assert (told.change.shape, told.change.name) == (STEP, "F770W")
    assert abs(told.size - 0.02) < 4 * told.size_unc < 0.008
    assert told.earliest < SINCE + 210 and told.latest < SINCE + 300
    never = looks_like(found, WATCHED, EXPECTED, statistic, 2 * statistic.max())
    assert never.size_unc != told.size_unc  # all rows are looked at where there was no alarm


def test_wider_rows_are_told_as_scatter():
    wider = np.where(IN_F770W & (MJD > BEGUN), 4.0, 1.0)
    found = likeliest(stream(np.zeros(len(MJD)), wider), CHANGES, EXPECTED, EPOCHS)
    assert (found.change.shape, found.change.name) == (SCATTER, "F770W")
    assert abs(found.size - 4.0) < 3 * found.size_unc < 4.0


def test_the_shift_of_a_band_is_the_mean_of_its_rows():
    """Far from any outlier it is the mean over sigma root n; a step of outliers is not lost."""
    found = shifts(stream(np.zeros(len(MJD))), CHANGES, EXPECTED, EPOCHS)
    noise = SIGMA * np.random.default_rng(8).standard_normal(len(MJD))
    for b, name in enumerate(BANDS):
        # The nearest rows are 2.5 sigma off; their mixture with outliers moves the mean little.
        assert found[name].size == pytest.approx(noise[BAND_OF == b].mean(), abs=0.0002)
        assert found[name].size_unc == pytest.approx(SIGMA / EPOCHS**0.5, rel=0.05)
    far = shifts(stream(np.where(IN_F770W, 0.1, 0.0)), CHANGES, EXPECTED, EPOCHS)["F770W"]
    assert far.size == pytest.approx(0.1, abs=5 * far.size_unc) and far.size_unc < 0.002


def test_lights_are_red_for_what_reached_the_level_and_amber_for_what_is_above_its_own_now():
    parts = np.zeros((len(CHANGES), 3))
    place = {(c.shape, c.scope, c.name): i for i, c in enumerate(CHANGES)}
    parts[place[STEP, BAND, "F560W"]] = [1.0, 6.0, 0.1]
    parts[place[SLOPE, BAND, "F770W"]] = [0.0, 0.0, 1.5]
    parts[place[STEP, BAND, "F1500W"]] = [0.0, 1.5, 0.5]
    found = {one.name: one for one in lights(parts, CHANGES, level=5.0, watch=1.0)}
    assert [found[name].colour for name in BANDS] == [RED, AMBER, GREEN]
    assert found["F560W"].highest == 6.0 and found["F560W"].statistic == 0.1
    # Alone nothing reaches 7, all together do: what had most of it is red.
    together = {one.name: one.colour for one in lights(parts, CHANGES, level=7.0, watch=9.0)}
    assert together["F560W"] == RED and together["F770W"] == GREEN
    none = {one.name: one.colour for one in lights(parts, CHANGES, level=9.0, watch=9.0)}
    assert set(none.values()) == {GREEN}


def test_a_step_raises_the_statistic_and_no_change_does_not():
    added = np.where(IN_F770W & (MJD > BEGUN), 0.02, 0.0)
    highest = [
        shiryaev_roberts(stream(what), CHANGES, EXPECTED, EPOCHS).sum(axis=0).max()
        for what in (added, np.zeros(len(MJD)))
    ]
    assert highest[0] > 1e6 and highest[1] < 5


def test_delays_count_what_was_not_found():
    delay = Delay("F770W", STEP, 0.01, np.array([30.0, 60.0, np.inf, 90.0]), 3.0)
    assert delay.missed == 0.25 and delay.quantile(0.5) == 90.0 and np.isinf(delay.quantile(0.9))


@pytest.mark.parametrize(("last", "years"), [(61700.0, 3.0), (60900.0, 400 / YEAR)])
def test_delays_are_of_alarms_after_the_change_and_within_the_time_watched(
    last: float, years: float, monkeypatch: pytest.MonkeyPatch
):
    """Alarms before the change, 100 d after it, as the rows end, and never."""
    mjd = np.array([60200.0, 60600.0, last])
    one = np.zeros(3, dtype=int)
    w = Watched(mjd, epochs_of(mjd), one, one, ("F770W",), ("FULL",), SINCE)
    statistic = np.array([[9, 0, 0, 0], [9, 9, 0, 0], [0, 0, 9, 0]], dtype=float)
    of = "mirical.monitoring.simulated_streams."
    monkeypatch.setattr(f"{of}SequentialTest", lambda watched, groups: None)
    monkeypatch.setattr(f"{of}statistics", lambda rows, test, advance: statistic)
    monkeypatch.setattr(f"{of}LEAD", 500 / YEAR)
    monkeypatch.setattr(f"{of}SPREAD", 0.0)
    ahead = cast(Any, SimpleNamespace(streams=lambda n, random: np.zeros((3, n)), groups=()))
    for found in delays(ahead, w, 5.0, 4, [1], lambda streams: None):
        at_end = np.inf if years == 3 else 400.0
        np.testing.assert_allclose(found.days, [100.0, at_end, np.inf])
        assert found.watched == pytest.approx(years)


def test_a_planted_slope_grows_from_its_date():
    effect = planted_effect(
        SLOPE, 0.01, np.array([0.0, YEAR, 3 * YEAR]), np.array([YEAR, 2 * YEAR])
    )
    np.testing.assert_allclose(effect, [[0, 0], [0, 0], [0.02, 0.01]])
