"""The chart to explore is given what the tables hold, and nothing that could end its element."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from made_runs import make_run
from miri_facts import MIRI
from mirical.pages.chart import chart_data

HOSTILE = "</script><script>alert(1)</script>&\u2028"


@pytest.fixture(scope="module")
def tables() -> dict[str, QTable]:
    """The tables of a run with a star of a hostile name."""
    return make_run(stars={"16 Cyg B": "SolarAnalogs", HOSTILE: "HotStars"}).tables


def test_rows_and_curves_are_those_of_the_tables(tables):
    made = json.loads(chart_data(tables, MIRI, True))
    assert made["simulated"] is True and made["unit"] == "(MJy/sr)/(DN/s/pixel)"
    assert [band["name"] for band in made["bands"]] == ["F560W", "F770W", "F1800W"]
    found, predictive = made["bands"][0], tables["predictive"]
    mine = predictive[predictive["filter"] == "F560W"]
    mine = mine[np.argsort(mine["mjd"].value, kind="stable")]
    names = {"factor": "factor_full", "aligned": "factor_aligned", "error": "factor_full_std",
             "curve": "factor_curve", "mjd": "mjd", "outlier": "outlier_probability"}  # fmt: skip
    for name, column in names.items():
        np.testing.assert_allclose(found["rows"][name], np.asarray(mine[column]), rtol=1e-5)
    assert found["rows"]["row"] == list(mine["row"])
    assert [made["stars"][star][0] for star in found["rows"]["star"]] == list(mine["name"])
    assert set(found["rows"]["pid"]) == {"1538"} and found["rows"]["date"][0] == "2022-05-31"
    assert found["rows"]["residual"] == [77.7, 0.5, 0.5, 0.5]
    curve = tables["curves"][tables["curves"]["filter"] == "F560W"]
    for name, column in {"q025": "c_q025", "published": "published"}.items():
        np.testing.assert_allclose(found["curve"][name], curve[column].value, rtol=1e-5)
    assert found["within"] == [59730.0, 59790.0]


def test_no_text_ends_the_element_it_stands_in(tables):
    text = chart_data(tables, MIRI, False)
    assert not set("<>&\u2028") & set(text)
    assert [HOSTILE, 0] in json.loads(text)["stars"]


def test_what_is_no_number_is_none_and_nothing_published_is_left_out(tables):
    changed = dict(tables)
    changed["predictive"] = rows = QTable(tables["predictive"], copy=True)
    rows["factor_full_std"][0] = np.nan * rows["factor_full_std"].unit
    changed["curves"] = QTable(tables["curves"], copy=True)
    changed["curves"].remove_columns(["published", "published_std"])
    made = json.loads(chart_data(changed, MIRI, False))["bands"][0]
    assert made["rows"]["error"][0] is None and "published" not in made["curve"]
    assert made["rows"]["mjd"][0] * u.d == rows["mjd"][0]
