"""Zero points of others as a calibration, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from miri_facts import MIRI
from mirical.calibration.comparison import compare_subarrays
from mirical.calibration.factors import Query
from mirical.calibration.zero_point_table import read_zero_points
from mirical.errors import InputError
from mirical.instruments.cards import load_instrument

WFC3 = load_instrument("wfc3", "test")
TABLE = """# %ECSV 1.0
# ---
# datatype:
# - {name: filter, datatype: string}
# - {name: zeropoint, unit: mag, datatype: float64}
# - {name: zeropoint_std, unit: mag, datatype: float64}
# - {name: cycle20_offset, unit: mag, datatype: float64}
# - {name: cycle20_offset_std, unit: mag, datatype: float64}
# - {name: repeatability, unit: mag, datatype: float64}
# - {name: ab_gd71, unit: mag, datatype: float64}
# schema: astropy-2.0
filter zeropoint zeropoint_std cycle20_offset cycle20_offset_std repeatability ab_gd71
F275W 25.0 0.001 nan nan 0.003 12.0
F336W 24.0 0.002 -0.03 0.004 nan 12.5
"""


def read(folder: Path, text: str = TABLE, instrument=WFC3):
    (folder / "zero.ecsv").write_text(text)
    return read_zero_points(folder / "zero.ecsv", instrument)


def test_a_zero_point_is_a_factor_that_holds_at_every_epoch(tmp_path: Path):
    found = read(tmp_path)
    answer = found.at(found.in_reference(["F275W", "F336W"], [56000.0, 58000.0]))
    # 3631 Jy x 10^(-0.4 x 25) = 0.3631 uJy a count.
    np.testing.assert_allclose(answer.mean, [0.3631, 0.3631 * 10**0.4], rtol=1e-12)
    np.testing.assert_allclose(answer.zero_points, [25.0, 24.0], atol=1e-12)
    fractions = np.array([0.001, 0.002]) * np.log(10) / 2.5
    np.testing.assert_allclose(answer.std / answer.mean, fractions, rtol=1e-12)
    assert found.stated_repeatability["F275W"] == pytest.approx(0.3 * np.log(10) / 2.5)
    assert np.isnan(found.stated_repeatability["F336W"])


def test_an_offset_changes_the_zero_point_of_its_readout(tmp_path: Path):
    found = read(tmp_path)
    answer = found.at(Query.of(WFC3, "F336W", "CYCLE20", 56500.0))
    assert answer.zero_points == pytest.approx([24.0 - 0.03], abs=1e-12)
    table = found.band_throughputs()
    assert list(table["filter"]) == ["F336W"] and found.private_readouts
    assert table["D"][0] == pytest.approx(10 ** (0.4 * -0.03))
    assert table["D_std"][0] == pytest.approx(table["D"][0] * 0.004 * np.log(10) / 2.5)


def test_readouts_are_compared_in_each_band_where_both_sides_have_them_so(tmp_path: Path):
    found = read(tmp_path)
    table = compare_subarrays(found, found)
    assert list(zip(table["filter"], table["subarray"], strict=True)) == [("F336W", "CYCLE20")]
    assert table["ours"][0] == found.band_throughputs()["D"][0] and table["diff_sigma"][0] == 0


def test_a_simulated_table_says_so(tmp_path: Path):
    assert not read(tmp_path).simulated
    said = TABLE.replace("# schema", "# meta: {simulated: true}\n# schema")
    assert read(tmp_path, said).simulated


def test_the_magnitudes_it_rests_on_are_by_star_and_band(tmp_path: Path):
    assert read(tmp_path).assumed == {("GD 71", "F275W"): 12.0, ("GD 71", "F336W"): 12.5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("F336W 24.0", "F337W 24.0"), "row 2: band 'F337W' is not a WFC3 band"),
        (("F336W 24.0", "F275W 24.0"), "a band stands there twice"),
        (("25.0 0.001", "nan 0.001"), "row 1: zeropoint is nan ± 0.001; expected two numbers"),
        (("24.0 0.002", "24.0 -0.002"), "row 2: zeropoint is 24 ± -0.002"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, change: tuple[str, str], said: str):
    with pytest.raises(InputError, match=f"^zero.ecsv:? ?{said}"):
        read(tmp_path, TABLE.replace(*change))


def test_factors_of_surface_brightness_have_no_zero_points(tmp_path: Path):
    with pytest.raises(InputError, match="those of MIRI are of surface brightness"):
        read(tmp_path, instrument=MIRI)
