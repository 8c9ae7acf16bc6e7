"""Two calibrations side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.utils.masked import Masked

from mirical.conventions import FACTOR
from mirical.products.calibration import Factors, Query
from mirical.products.comparison import compare_coefficients, compare_factors, default_query
from mirical.products.published import PublishedCalibration

PUBLISHED = PublishedCalibration()


@dataclass(frozen=True)
class Scaled:
    """The published factors times a number, with errors of 3 against the published 4."""

    factor: float
    name: str = "scaled"
    bands: tuple[str, ...] = ("F770W", "FND")

    def cautions(self, query: Query) -> list[str]:
        return []

    def at(self, query: Query) -> Factors:
        answer = PUBLISHED.at(query)
        std = 0.75 * answer.std
        return Factors(
            query, self.factor * answer.mean, std, answer.q16, answer.q84, np.diag(std**2)
        )


def test_a_calibration_does_not_differ_from_itself():
    table = compare_factors(PUBLISHED, PUBLISHED, default_query(PUBLISHED, None))
    assert len(table) == 14 * 3
    assert set(table["diff_pct"].value) == {0.0} and set(table["diff_sigma"]) == {0.0}


def test_the_difference_is_in_percent_of_theirs_and_in_both_errors_combined():
    query = Query.of(["F770W", "F2550W"], ["FULL", "SUB64"], [59760, 60000])
    table = compare_factors(Scaled(1.02), PUBLISHED, query)
    np.testing.assert_allclose(table["diff_pct"].to_value("%"), [2, 2], rtol=1e-12)
    # sigma = 0.02 C / (1.25 x sigma_cf C): hypot(3, 4) = 5 in units of a quarter of sigma_cf
    np.testing.assert_allclose(
        table["diff_sigma"], [0.02 / (1.25 * 0.0037), 0.02 / (1.25 * 0.0098)], rtol=1e-10
    )
    assert table["c"].unit == FACTOR and table["mjd"].unit == u.d
    assert (table.meta["ours"], table.meta["theirs"]) == ("scaled", "published")


def test_every_band_is_compared_at_the_reference_epoch_and_one_and_three_years_later():
    query = default_query(Scaled(1.0), None)
    assert query.filters == ("F770W",) * 3 + ("FND",) * 3
    assert query.mjd.tolist() == [59760.0, 60125.0, 60855.0] * 2
    assert default_query(Scaled(1.0), [60000.0]).mjd.tolist() == [60000.0] * 2


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
    table = compare_coefficients(coefficients, PUBLISHED)
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


def test_what_the_paper_does_not_state_is_masked_and_not_zero(coefficients: QTable):
    table = compare_coefficients(coefficients, PUBLISHED)
    stated = ~np.asarray(table["published_std"].mask)
    assert list(stated) == [True, True, False, False] * 2
    # B of F560W is published as zero: there is no difference in percent of it.
    percent = ~np.asarray(table["diff_pct"].mask)
    assert list(percent) == [True, True, False, True] + [True] * 4
    assert table["diff_sigma"][2] == pytest.approx(-0.001 / 0.00001, rel=1e-9)


def test_the_published_factor_at_the_reference_epoch_is_equation_4(coefficients: QTable):
    table = compare_coefficients(coefficients, PUBLISHED)
    assert table["published"][4] == pytest.approx(0.9064 - 0.2011 * np.exp(-40 / 235.4), rel=1e-12)
