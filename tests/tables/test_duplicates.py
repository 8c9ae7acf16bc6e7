"""One observation twice in a table: told by star, band, subarray and mid-time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table, vstack

from miri_facts import MIRI
from mirical.tables.photometry import load_photometry
from samples import load, repeated, setting, shipped_table

SECOND = 1 / 86400


def flags(folder: Path, table: Table) -> list[str]:
    return [str(flag) for flag in load(table, folder).table["flag"]]


@pytest.mark.parametrize(
    ("apart", "inttime", "flag"),
    [
        (0.0, None, "duplicate"),
        (2.9, None, "duplicate"),
        (3.1, None, ""),
        (30.0, None, ""),  # a dither
        (0.0, 0.85, "duplicate"),
        (0.4, 0.85, "duplicate"),
        (0.85, 0.85, ""),  # the next integration of one exposure
        (2.9, 277.5, "duplicate"),
        (30.0, 277.5, ""),  # mid-times by two conventions, or dithers with summed times
        (2.9, np.nan, "duplicate"),
    ],
)
def test_mid_times_within_seconds_are_one_observation(
    apart: float, inttime: float | None, flag: str, tmp_path: Path
):
    table = repeated(2, time=[59800.0, 59800.0 + apart * SECOND], iflux=[4300.0, 4313.0])
    if inttime is not None:
        table["inttime"] = [inttime, 2 * inttime]
    assert flags(tmp_path, table) == ["", flag]


@pytest.mark.parametrize(
    ("column", "entry", "flag"),
    [
        ("name", "GD 71", ""),
        ("filter", "F1130W", ""),
        ("subarray", "SUB256", ""),
        ("PID", "9999", "duplicate"),
    ],
)
def test_another_star_band_or_subarray_is_another_observation(
    column: str, entry: str, flag: str, tmp_path: Path
):
    table = repeated(2, time=[59800.0] * 2)
    setting(column, 2, entry)(table)
    assert flags(tmp_path, table) == ["", flag]


def test_a_coronagraph_band_in_full_and_in_its_mask_is_one_thing(tmp_path: Path):
    table = repeated(2, time=[59800.0] * 2, filter=["F1065C"] * 2, subarray=["FULL", "MASK1065"])
    assert flags(tmp_path, table) == ["", "duplicate"]


@pytest.mark.parametrize("change", [np.float32(1.0), 1 + 1e-7, 1.003])
def test_every_row_of_table_5_twice_is_table_5(change: float, tmp_path: Path):
    once = shipped_table("table5")
    again = once.copy()
    again["iflux"] = once["iflux"].astype(np.float32) * change
    again["iflux"].unit = once["iflux"].unit
    read = load(vstack([once, again], metadata_conflicts="silent"), tmp_path).table
    assert list(read["flag"][:31]) == list(load_photometry("table5", MIRI, "test").table["flag"])
    assert set(read["flag"][31:]) == {"duplicate"}


def test_table_5_and_the_program_repeat_nothing():
    for name in ("table5", "program", "sbc_design"):
        assert "duplicate" not in set(load_photometry(name, MIRI, "test").table["flag"])


def test_times_in_single_precision_are_the_same_where_the_count_rates_are(tmp_path: Path):
    time = 59800.4987
    single = float(np.float32(time))
    assert abs(single - time) > 100 * SECOND
    same = repeated(2, time=[time, single], iflux=[4300.1, float(np.float32(4300.1))])
    assert flags(tmp_path, same) == ["", "duplicate"]
    other = repeated(2, time=[time, single], iflux=[4300.1, 4300.2])
    assert flags(tmp_path, other) == ["", ""]


def test_a_duplicate_says_of_which_row_and_how_it_differs(tmp_path: Path):
    table = repeated(3, iflux=[4300.0, 4300.0, 4312.9])
    table["time"][2] = table["time"][1] + 1.5 * SECOND
    (*others, reason) = load(table, tmp_path).table["reason"]
    assert others == ["", ""]
    assert reason == (
        "the same observation as row 2: mid-times 1.5 s apart, iflux +0.3 %; if it is another "
        "exposure, give mid-times to the second"
    )


def test_flagged_rows_repeat_those_of_the_same_flag_alone(tmp_path: Path):
    table = repeated(4, time=[59800.0] * 4)
    table["flag"] = ["saturated", "", "saturated", "crowded"]
    table["reason"] = ["9 pixels", "", "9 pixels", ""]
    read = load(table, tmp_path).table
    assert list(read["flag"]) == ["saturated", "", "duplicate", "crowded"]
    assert read["reason"][2].startswith("9 pixels; saturated, and the same observation as row 1:")
