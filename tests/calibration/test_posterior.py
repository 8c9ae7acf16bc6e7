"""Factors that depart from the time law: steps and curves of a posterior, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from drawn import LOSS, drawn_tree
from miri_facts import MIRI
from mirical.calibration.draws import Draws
from mirical.calibration.factors import Query
from mirical.calibration.posterior import PosteriorCalibration
from mirical.errors import InputError
from mirical.exports.pipeline_export import draw_rows, mean_rows
from mirical.reporting.run_tables import detector_table

N_BANDS = len(LOSS)


@pytest.fixture(scope="module")
def departing() -> xr.DataTree:
    """A posterior with two steps, a curve with three knots and a slope in FND."""
    tree = drawn_tree()
    posterior = tree["posterior"].to_dataset()
    shape = posterior["A"].shape[:2]
    random = np.random.default_rng(8)
    slope = np.zeros((*shape, N_BANDS))
    slope[..., list(LOSS).index("FND")] = random.normal(0.03, 0.004, shape)
    tree["posterior"] = xr.DataTree(
        posterior.assign(
            step=(
                ("chain", "draw", "step_mjd", "band"),
                random.normal(0, 0.01, (*shape, 2, N_BANDS)),
            ),
            time_departure=(
                ("chain", "draw", "knot", "band"),
                random.normal(0, 0.01, (*shape, 3, N_BANDS)),
            ),
            rate_slope=(("chain", "draw", "band"), slope),
        ).assign_coords(step_mjd=["60000", "60300"], knot=["59900", "60100", "60300"])
    )
    return tree


def test_factors_carry_the_steps_before_them_and_the_curve(departing: xr.DataTree):
    bands, mjd = ["F560W", "F2550W", "F770W"], [59950.0, 60150.0, 60400.0]
    query = Query.of(MIRI, bands, "FULL", mjd)
    found = PosteriorCalibration.of(departing, MIRI)
    plain = PosteriorCalibration.of(drawn_tree(), MIRI)
    moved = np.log(found.draws(query) / plain.draws(query))
    posterior = departing["posterior"].to_dataset()
    step, curve = (
        posterior[name].values.reshape(-1, *posterior[name].shape[2:])[..., places]
        for name in ("step", "time_departure")
        for places in [[list(LOSS).index(band) for band in bands]]
    )
    by_hand = np.stack(
        [
            0.75 * curve[:, 0, 0] + 0.25 * curve[:, 1, 0],
            step[:, 0, 1] + 0.75 * curve[:, 1, 1] + 0.25 * curve[:, 2, 1],
            step[:, 0, 2] + step[:, 1, 2] + curve[:, 2, 2],
        ],
        axis=1,
    )
    np.testing.assert_allclose(moved, by_hand, atol=1e-12)


def test_the_pipelines_tables_cannot_hold_a_departure(departing: xr.DataTree):
    calibration = PosteriorCalibration.of(departing, MIRI)
    for export in (mean_rows, lambda one: draw_rows(one, 2)):
        with pytest.raises(InputError, match="by the terms step, time_departure beside the time"):
            export(calibration)


def test_detector_terms_are_tabled_where_rows_may_tell_them(departing: xr.DataTree):
    departing.attrs |= {"job": "test"}
    table = detector_table(Draws.of(departing))
    assert list(table["term"]) == ["step"] * 2 * N_BANDS + ["rate_slope"]
    assert list(table["of"][:N_BANDS]) == ["60000"] * N_BANDS
    slope = table[-1]
    assert (slope["filter"], slope["of"]) == ("FND", "")
    # 400 draws of 3 +- 0.4 %: 4.5 standard errors.
    assert slope["effect_pct"].value == pytest.approx(3, abs=4.5 * 0.4 / 20)
    assert slope["effect_pct_std"].value == pytest.approx(0.4, rel=0.25)
    assert len(detector_table(Draws.of(drawn_tree()))) == 0
