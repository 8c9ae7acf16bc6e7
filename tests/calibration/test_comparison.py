"""Two calibrations side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.utils.masked import Masked

from drawn import drawn_calibration
from miri_facts import BANDS, FACTOR, MIRI, REFERENCE_MJD, SUBARRAYS
from mirical.calibration.coefficients import band_table, subarray_table
from mirical.calibration.comparison import (
    compare_coefficients,
    compare_factors,
    compare_stated,
    compare_subarrays,
    default_query,
)
from mirical.calibration.factors import Factors, Query
from mirical.calibration.published import PublishedCalibration
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.number_text import floats, value
from mirical.reporting.comparison_folder import compare, compare_curves, reference_differences

PUBLISHED = PublishedCalibration(MIRI)


@dataclass(frozen=True)
class Scaled:
    """The published factors times a number, with errors of 3 against the published 4."""

    factor: float
    name: str = "scaled"
    bands: tuple[str, ...] = ("F770W", "FND")

    instrument: Instrument = MIRI
    private_readouts: bool = False
    simulated: bool = False
    reference_mjd: float = REFERENCE_MJD
    believable: bool = True
    absolute_parts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    epochs: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def cautions(self, query: Query) -> list[str]:
        return []

    def in_reference(self, bands: object, mjd: object) -> Query:
        return Query.of(MIRI, bands, "FULL", mjd)

    def stated_coefficients(self) -> QTable:
        """A as the factors have it, tau known to 30 d, B and repeatability not stated."""
        printed = PUBLISHED.stated_coefficients()
        at = [list(printed["filter"]).index(band) for band in self.bands]
        stated = {name: self.factor * printed["A"][at] for name in ("A",)}
        stated["A_std"] = 0.75 * printed["A_std"][at]
        tau = printed["tau"][at] + 15 * u.d
        stated |= {"tau": tau, "tau_std": np.full(len(at), 30.0)}
        return band_table(self.bands, stated, FACTOR)

    def stated_subarrays(self) -> QTable:
        return subarray_table(["FULL", "SUB64"], [1.0, 0.986], [0.0, 0.01])

    def at(self, query: Query) -> Factors:
        answer = PUBLISHED.at(query)
        std = 0.75 * answer.std
        return Factors(
            query,
            self.factor * answer.mean,
            std,
            *(self.factor * answer.mean + n * std for n in (-2, -1, 1, 2)),
            np.diag(std**2),
        )


def test_a_calibration_does_not_differ_from_itself():
    table = compare_factors(PUBLISHED, PUBLISHED, default_query(MIRI, PUBLISHED.bands, None))
    assert len(table) == 14 * 3
    assert set(table["diff_pct"].value) == {0.0} and set(table["diff_sigma"]) == {0.0}


def test_the_difference_is_in_percent_of_theirs_and_in_both_errors_combined():
    query = Query.of(MIRI, ["F770W", "F2550W"], ["FULL", "SUB64"], [59760, 60000])
    table = compare_factors(Scaled(1.02), PUBLISHED, query)
    np.testing.assert_allclose(table["diff_pct"].to_value("%"), [2, 2], rtol=1e-12)
    # sigma = 0.02 C / (1.25 x sigma_cf C): hypot(3, 4) = 5 in units of a quarter of sigma_cf
    np.testing.assert_allclose(
        table["diff_sigma"], [0.02 / (1.25 * 0.0037), 0.02 / (1.25 * 0.0098)], rtol=1e-10
    )
    assert table["c"].unit == FACTOR and table["mjd"].unit == u.d
    assert (table.meta["ours"], table.meta["theirs"]) == ("scaled", "published")


def test_every_band_is_compared_at_the_reference_epoch_and_one_and_three_years_later():
    query = default_query(MIRI, Scaled(1.0).bands, None)
    assert query.filters == ("F770W",) * 3 + ("FND",) * 3
    assert query.mjd.tolist() == [59760.0, 60125.0, 60855.0] * 2
    assert default_query(MIRI, Scaled(1.0).bands, [60000.0]).mjd.tolist() == [60000.0] * 2


@pytest.fixture
def coefficients() -> QTable:
    """Coefficients of a run in two bands, and a third without rows."""
    table = QTable({"filter": ["F560W", "F2550W", "FND"]})
    numbers = {"C_ref": [0.45, 0.74], "A": [0.46, 0.92], "B": [-0.001, -0.22], "tau": [210, 230]}
    for name, (one, two) in numbers.items():
        unit = u.d if name == "tau" else FACTOR
        for column, scale in ((name, 1.0), (f"{name}_std", 0.01)):
            entries = np.array([one, two, np.nan]) if scale == 1 else scale * np.abs([one, two, 1])
            table[column] = Masked(entries, mask=[False, False, True]) * unit
    for name in ("A", "B", "tau"):
        table[f"{name}_basis"] = ["data", "prior", "prior"]
    table["C_ref_basis"] = ["data", "data", "data"]
    table.meta["C_ref_mjd"] = 59760.0
    return table


def test_each_coefficient_stands_beside_the_published_one(coefficients: QTable):
    table = compare_coefficients(coefficients, PUBLISHED, MIRI)
    keys = list(zip(table["filter"], table["quantity"], strict=True))
    assert keys == [(b, q) for b in ("F560W", "F2550W") for q in ("C_ref", "A", "B", "tau")]
    a = dict(zip(table.colnames, table[keys.index(("F2550W", "A"))], strict=True))
    assert (a["ours"], a["ours_std"], a["basis"]) == (0.92, pytest.approx(0.0092), "prior")
    assert (a["published"], a["published_std"]) == (0.9064, 0.00888)
    assert float(a["diff_pct"].value) == pytest.approx(100 * (0.92 / 0.9064 - 1), rel=1e-12)
    assert float(a["diff_sigma"]) == pytest.approx(0.0136 / np.hypot(0.0092, 0.00888), rel=1e-9)
    assert list(table["basis"]) == [
        "data",
        "data",
        "data",
        "data",
        "data",
        "prior",
        "prior",
        "prior",
    ]
    assert table["unit"][keys.index(("F560W", "tau"))] == "d"


def test_the_flux_scale_is_no_part_of_a_difference_from_the_published_one(coefficients: QTable):
    before = compare_coefficients(coefficients, PUBLISHED, MIRI)
    absolute = coefficients.copy()
    absolute.meta["flux_scale_pct"] = 0.6
    for name in ("A", "B", "C_ref"):
        absolute[f"{name}_std"] = np.hypot(absolute[f"{name}_std"], 0.006 * absolute[name])
    after = compare_coefficients(absolute, PUBLISHED, MIRI)
    for name in ("ours_std", "diff_sigma"):
        np.testing.assert_allclose(floats(after[name]), floats(before[name]), rtol=1e-9)
    assert "without that of the flux scale" in after["ours_std"].info.description


def test_two_calibrations_are_compared_on_one_flux_scale():
    absolute = drawn_calibration(absolute=("flux_scale",))
    comparison = compare(absolute, PUBLISHED, None)
    plain = compare(drawn_calibration(), PUBLISHED, None)
    for one, two in ((comparison.factors, plain.factors), (comparison.curves, plain.curves)):
        for name in ("c_std", "diff_sigma"):
            np.testing.assert_array_equal(one[name], two[name])
    assert "its error is left out of all errors here" in comparison.sentences[-1]
    assert comparison.factors.meta["of_ours"]["without"] == ["flux_scale"]
    assert not any("flux scale" in sentence for sentence in plain.sentences)


def test_what_the_paper_does_not_state_is_masked_and_not_zero(coefficients: QTable):
    table = compare_coefficients(coefficients, PUBLISHED, MIRI)
    stated = ~np.asarray(table["published_std"].mask)
    assert list(stated) == [True, True, False, False] * 2
    # B of F560W is published as zero: there is no difference in percent of it.
    percent = ~np.asarray(table["diff_pct"].mask)
    assert list(percent) == [True, True, False, True] + [True] * 4
    assert table["diff_sigma"][2] == pytest.approx(-0.001 / 0.00001, rel=1e-9)


def test_the_published_factor_at_the_reference_epoch_is_equation_4(coefficients: QTable):
    table = compare_coefficients(coefficients, PUBLISHED, MIRI)
    assert table["published"][4] == pytest.approx(0.9064 - 0.2011 * np.exp(-40 / 235.4), rel=1e-12)


def rows_by_key(table: QTable) -> dict[tuple[str, str], QTable.Row]:
    return {(str(row["filter"]), str(row["quantity"])): row for row in table}


def test_everything_about_a_calibration_and_itself_is_the_same():
    comparison = compare(PUBLISHED, PUBLISHED, None)
    for table in (comparison.coefficients, comparison.subarrays, comparison.curves):
        for name in ("diff_pct", "diff_sigma"):
            differences = floats(table[name])
            assert set(differences[np.isfinite(differences)]) <= {0.0}
    assert comparison.sentences == () and not comparison.simulated
    assert len(comparison.coefficients) == 14 * 5
    # Only C_ref and A have a published error, so only they can differ by so many sigma.
    stated = floats(comparison.coefficients["diff_sigma"]).reshape(14, 5)
    assert np.isfinite(stated).tolist() == [[True, True, False, False, False]] * 14


def test_stated_coefficients_differ_in_the_errors_that_are_stated():
    found = rows_by_key(compare_stated(Scaled(1.02), PUBLISHED))
    a, b, tau = (found["F770W", name] for name in ("A", "B", "tau"))
    # 2 % of 0.2579 over hypot(0.75, 1) x 0.00096
    assert value(a["diff_pct"]) == pytest.approx(2.0, rel=1e-9)
    assert a["diff_sigma"] == pytest.approx(0.02 * 0.2579 / (1.25 * 0.00096), rel=1e-9)
    assert tau["diff_sigma"] == pytest.approx(15 / 30) and tau["unit"] == "d"
    assert tau["theirs_std"] is np.ma.masked
    assert b["ours"] is np.ma.masked and b["diff_sigma"] is np.ma.masked
    assert b["theirs"] == -0.0001
    assert found["F770W", "repeatability"]["theirs"] == 0.25
    assert found["FND", "repeatability"]["theirs"] is np.ma.masked


def test_only_subarrays_both_have_are_compared_and_full_differs_by_no_sigma():
    table = compare_subarrays(Scaled(1.0), PUBLISHED)
    assert list(table["subarray"]) == ["FULL", "SUB64"]
    assert table["diff_sigma"][0] is np.ma.masked
    assert table["diff_sigma"][1] == pytest.approx(0.02 / 0.01)
    assert value(table["diff_pct"][1]) == pytest.approx(100 * 0.02 / 0.966)


def test_bands_of_one_alone_are_named_and_not_compared():
    comparison = compare(Scaled(1.0, bands=("F770W", "F1065C")), PUBLISHED, [59760.0])
    (sentence,) = comparison.sentences
    assert sentence.startswith("Only published has F560W, F1000W") and "F770W" not in sentence
    assert set(comparison.factors["filter"]) == {"F770W", "F1065C"}
    with pytest.raises(InputError, match="^scaled and other have no band in common, so there is"):
        compare(Scaled(1.0), Scaled(1.0, "other", ("F560W",)), None)


def test_curves_are_in_every_subarray_with_both_intervals_in_percent():
    one = Scaled(1.02, bands=("F770W", "F1065C"), epochs={"F770W": (59730.0, 59805.5)})
    table = compare_curves(one, PUBLISHED)
    keys = list(dict.fromkeys(zip(table["filter"], table["subarray"], strict=True)))
    assert keys == [("F770W", name) for name in SUBARRAYS] + [("F1065C", "FULL")]
    np.testing.assert_allclose(table["diff_pct"].to_value("%"), 2.0, rtol=1e-9)
    mine = table[table["filter"] == "F770W"]
    std = 0.75 * 0.37
    np.testing.assert_allclose(mine["diff_q84_pct"].to_value("%"), 2 + std, rtol=1e-9)
    np.testing.assert_allclose(mine["diff_q025_pct"].to_value("%"), 2 - 2 * std, rtol=1e-9)
    np.testing.assert_allclose(mine["other_q16_pct"].to_value("%"), -0.37, rtol=0.01)
    within = mine["mjd"][mine["within_data"]].value
    assert (within.min(), within.max()) == (59730.0, 59805.5)
    assert mine["mjd"].value.max() == pytest.approx(59805.5 + 200)


def test_differences_at_the_reference_epoch_are_in_percent_of_theirs():
    table = reference_differences(compare_stated(Scaled(1.02), PUBLISHED))
    assert list(table["filter"]) == ["F770W", "FND"] and set(table["filter"]) <= set(BANDS)
    np.testing.assert_allclose(table["diff_pct"].value, 2.0, rtol=1e-9)
    np.testing.assert_allclose(table["other_std_pct"].value, [0.37, 0.95], rtol=1e-9)
    np.testing.assert_allclose(table["std_pct"].value, [0.75 * 0.37, 0.75 * 0.95], rtol=1e-9)
