"""What the calibration adds to an observation's errors."""

from __future__ import annotations

import numpy as np
import pytest

from drawn import SCALE, drawn_calibration
from miri_facts import MIRI, REFERENCE_MJD
from mirical.calibration.calibration import PARTS
from mirical.calibration.covariance_parts import covariance_parts
from mirical.calibration.error_budget import Observation, error_budget
from mirical.calibration.factors import Query
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.inference.quoted_errors import covariance

PUBLISHED = PublishedCalibration(MIRI)
DRAWN = drawn_calibration()
QUERY = Query.of(
    MIRI,
    ["F770W", "F2550W", "F2550W", "F560W"],
    ["SUB64", "FULL", "SUB256", "FULL"],
    [59800.0, 59800.4, 61500.0, 60200.0],
)


@pytest.mark.parametrize(
    ("band", "sigma_cf", "repeat"), [("F770W", 0.37, 0.25), ("F1000W", 0.32, 0.08)]
)
def test_of_one_published_band_it_is_the_quadrature_the_paper_prescribes(band, sigma_cf, repeat):
    budget = error_budget(PUBLISHED, Observation(Query.of(MIRI, band, "SUB256", 60500)))
    assert 100 * budget.std[0] == pytest.approx(np.hypot(sigma_cf, repeat), rel=1e-9)


def test_what_the_paper_does_not_state_is_said_to_be_missing():
    budget = error_budget(PUBLISHED, Observation(Query.of(MIRI, ["FND", "F770W"], "FULL", 60500)))
    assert 100 * budget.std[0] == pytest.approx(0.95, rel=1e-9)
    assert budget.unknown == ("the repeatability of FND was not measured: none is added.",)


def test_the_factors_parts_add_up_to_its_covariance_and_each_is_one():
    parts = DRAWN.parts(QUERY)
    assert tuple(parts) == PARTS
    whole = covariance(np.log(DRAWN.draws(QUERY)))
    np.testing.assert_allclose(sum(parts.values()), whole, rtol=1e-9, atol=1e-16)
    for part in parts.values():
        assert np.linalg.eigvalsh(part).min() > -1e-12


def test_the_parts_are_what_they_are_called():
    parts = {name: np.sqrt(np.diag(part)) for name, part in DRAWN.parts(QUERY).items()}
    # 400 draws: standard deviations are good to 3.5 %, tested at four times that
    assert parts["scale"] == pytest.approx(SCALE, rel=0.3)
    assert parts["subarray"][[1, 3]] == pytest.approx(0.0, abs=1e-9)  # in FULL
    assert parts["subarray"][[0, 2]] == pytest.approx(0.003, rel=0.14)
    # what the loss does between the reference epoch and the point's; nothing at that epoch
    assert np.all(parts["time"][2:] > 0.001)
    at_reference = DRAWN.parts(Query.of(MIRI, ["F770W", "F2550W"], "FULL", REFERENCE_MJD))["time"]
    np.testing.assert_allclose(at_reference, 0, atol=1e-18)


def test_stages_that_explain_everything_leave_nothing():
    random = np.random.default_rng(1)
    x = random.standard_normal((50, 3))
    parts = covariance_parts(x, {"first": x[:, :1], "second": x})
    np.testing.assert_allclose(parts["subarray"], 0, atol=1e-20)
    # what goes along with the first quantity is its covariance with it, over its variance
    whole = np.cov(x, rowvar=False)
    expected = np.outer(whole[0], whole[0]) / whole[0, 0]
    np.testing.assert_allclose(parts["first"], expected, rtol=1e-10)


def test_fluxes_of_one_visit_share_its_offset_and_more_visits_average_it():
    one = error_budget(DRAWN, Observation(QUERY)).parts["repeatability"]
    visit = DRAWN.scatter.visit**2
    assert one[0, 1] == pytest.approx(visit) and one[0, 2] == one[0, 3] == 0.0
    repeat = DRAWN.scatter.repeatability["F770W"]
    assert one[0, 0] == pytest.approx(visit + repeat**2)
    four = error_budget(DRAWN, Observation(QUERY, visits=4)).parts["repeatability"]
    np.testing.assert_allclose(four, one / 4, rtol=1e-14)


def test_visits_are_of_one_object():
    query = Query.of(MIRI, "F770W", "FULL", [60000.0, 60000.1, 60001.0, 60001.1])
    together = Observation(query).same_visit
    assert together[0].tolist() == [True, True, True, False]
    apart = Observation(query, objects=("a", "b", "a", "a")).same_visit
    assert apart[0].tolist() == [True, False, True, False]


def test_an_extended_source_has_the_errors_of_aperture_correction_and_cruciform():
    budget = error_budget(DRAWN, Observation(QUERY, extended=True))
    part = budget.parts["aperture"]
    own = DRAWN.aperture_errors["F770W"]
    assert part[0, 0] == pytest.approx(own**2 + 0.03**2)
    assert part[0, 3] == pytest.approx(0.03**2)  # one effect in both bands
    assert part[1, 1] == 0.0 and "F2550W was not measured" in budget.unknown[0]
    point = error_budget(DRAWN, Observation(QUERY))
    np.testing.assert_array_equal(point.parts["aperture"], 0.0)


def test_the_table_and_the_sentence_say_the_same():
    budget = error_budget(DRAWN, Observation(Query.of(MIRI, "F770W", "SUB64", 59800)))
    total = budget.table()["absolute_pct"].value[0]
    sentence = budget.sentence()
    assert f"{total:.2f} % in F770W, SUB64, MJD 59800.0" in sentence
    assert "SIMULATED rows" in sentence and "correlated" not in sentence
    several = error_budget(DRAWN, Observation(QUERY, visits=2)).sentence()
    assert "the mean of 2 visits" in several and "errors between bands are correlated" in several
    published = error_budget(PUBLISHED, Observation(QUERY)).sentence()
    assert "correlated" not in published and "SIMULATED" not in published


def test_no_visit_is_no_observation():
    with pytest.raises(InputError, match="^visits: 0 is no number of visits; expected 1 or more"):
        Observation(QUERY, visits=0)


def test_many_points_have_the_errors_of_few():
    bands = ["F770W", "F2550W", "F560W"] * 200
    subarrays = ["FULL", "SUB64", "SUB256"] * 200
    mjd = np.linspace(59725.0, 61500.0, 600)
    many = DRAWN.variances(Query.of(MIRI, bands, subarrays, mjd))
    for i in (0, 300, 597):
        at = slice(i, i + 3)  # all bands: they explain one another
        few = DRAWN.variances(Query.of(MIRI, bands[at], subarrays[at], mjd[at]))
        whole = sum(part[i] for part in many.values())
        assert whole == pytest.approx(sum(part[0] for part in few.values()), rel=2e-3)
        for name in ("scale", "colour"):
            assert many[name][i] == pytest.approx(few[name][0], rel=1e-3, abs=1e-3 * whole)
        # 18 directions in time rather than one explain 17 of 400 more of what is no part of it
        assert many["time"][i] == pytest.approx(few["time"][0], rel=0.01, abs=0.1 * whole)


def test_the_variances_are_the_diagonals_of_the_parts():
    for calibration in (DRAWN, PUBLISHED):
        parts, variances = calibration.parts(QUERY), calibration.variances(QUERY)
        for name in PARTS:
            np.testing.assert_allclose(variances[name], np.diag(parts[name]), rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("calibration", [DRAWN, PUBLISHED])
def test_a_covariance_of_too_many_points_is_refused(calibration):
    query = Query.of(MIRI, "F770W", "FULL", np.linspace(59730.0, 60730.0, 5001))
    budget = error_budget(calibration, Observation(query))
    assert budget.std.shape == (5001,) and "F770W" in budget.sentence()
    for ask in (lambda: budget.covariance, lambda: calibration.at(query).covariance):
        with pytest.raises(InputError, match=r"^covariance: 5001 points have a matrix of 0.2 GB"):
            ask()
    with pytest.raises(InputError, match=r"^draws: .* numbers \(draws times points\) were asked"):
        calibration.draws(Query.of(MIRI, "F770W", "FULL", np.full(130_000, 60000.0)))
