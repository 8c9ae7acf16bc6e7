"""How errors grow after the last row is what the calibration answers there, and said in words."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from astropy import units as u

from drawn import LOSS, drawn_calibration, drawn_tree
from miri_facts import MIRI
from mirical.calibration.posterior import PosteriorCalibration
from mirical.laws.timelaw import LINEAR
from mirical.reporting.forecast import AFTER, age, forecast_table

LAST = 59720.0 + 900.0  # as `drawn` has its rows


def test_the_errors_are_those_of_the_calibration_at_these_epochs():
    calibration = drawn_calibration(absolute=("flux_scale", "types"))
    table = forecast_table(calibration)
    assert list(table["filter"]) == [band for band in LOSS for _ in AFTER]
    np.testing.assert_array_equal(table["mjd"].value, np.tile(LAST + np.array([*AFTER]), len(LOSS)))
    assert set(table["band_last_mjd"].value) == {LAST}
    query = calibration.in_reference(list(table["filter"]), table["mjd"].value)
    there = calibration.at(query)
    np.testing.assert_array_equal(table["C"].value, there.mean)
    np.testing.assert_allclose(table["absolute_pct"].value, 100 * there.std / there.mean)
    np.testing.assert_allclose(table["relative_pct"].value, 100 * there.relative_std / there.mean)
    assert np.all(table["absolute_pct"] > table["relative_pct"])


def test_a_change_since_the_last_row_holds_nothing_that_cancels():
    # ln C(t)/C(last) of the linear law: -ln(1 - r x/365) + ln(1 - r x_last/365).
    calibration = drawn_calibration(LINEAR, absolute=("flux_scale", "types"))
    table = forecast_table(calibration)
    rate = calibration.run_draws.flat("loss_per_year")[:, 2]
    later = np.log(1 - rate * 900 / 365) - np.log(1 - rate * (900 + 730.5) / 365)
    low, high = np.quantile(later, [0.158655254, 0.841344746])
    of = table[(table["filter"] == "FND") & (table["days_after"].value == 730.5)]
    # The types of star and the flux scale are common to both epochs.
    assert of["change_pct"].value == pytest.approx([50 * (high - low)], rel=1e-6)
    first = table[table["days_after"].value == 0]
    assert np.all(first["change_pct"].value == 0)


def test_a_report_says_how_old_the_last_row_is_relative_to_the_epoch_asked_for():
    table = forecast_table(drawn_calibration(LINEAR))
    assert age(table, LAST - 1)[0] == "The last row is of MJD 60620.0 (2024-11-06)."
    assert age(table, LAST + 240)[0] == (
        "The last row is of MJD 60620.0 (2024-11-06), 240 d before the epoch of the factors."
    )
    grown = (
        table["relative_pct"].value.reshape(len(LOSS), -1)[:, 3]
        - (table["relative_pct"].value.reshape(len(LOSS), -1)[:, 0])
    )
    assert f"has grown most in {[*LOSS][int(np.argmax(grown))]}, from" in age(table, LAST)[1]
    table["relative_pct"] = 1.0 * u.percent
    assert age(table, LAST)[1] == (
        "A year after it the relative error of C is no larger in any band."
    )


def test_what_the_forecast_rests_on_is_said_of_the_law_and_of_its_departure():
    settling = str(forecast_table(drawn_calibration()).meta["rests_on"])
    assert "a change of it is in none of these errors" in settling
    assert settling.endswith("that says that the loss is taken to end, not that it was seen to.")
    linear = str(forecast_table(drawn_calibration(LINEAR)).meta["rests_on"])
    assert linear.endswith("a change of it is in none of these errors.")
    tree = drawn_tree(LINEAR)
    bands, knots = list(LOSS), [LAST - 900, LAST + 100]
    curve = np.zeros((2, 200, 2, len(bands)))
    curve[..., 1, :] = 0.01 * np.random.default_rng(2).standard_normal((2, 200, 1))
    posterior = tree["posterior"].to_dataset()
    posterior["time_departure"] = ("chain", "draw", "knot", "band"), curve
    tree["posterior"] = xr.DataTree(posterior.assign_coords(knot=knots))
    departing = forecast_table(PosteriorCalibration.of(tree, MIRI))
    assert str(departing.meta["rests_on"]) == (
        "After the last row there are the time law and the card's departure from it "
        "(time_departure), which adds to the errors up to MJD 60720, 100 d after the last row, and "
        "is held as it is from there on: later changes are in none of these errors."
    )
    held = forecast_table(drawn_calibration(LINEAR))
    at = departing["days_after"].value == 90
    assert np.all(departing["change_pct"][at] > held["change_pct"][at])
