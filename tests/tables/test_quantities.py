"""Errors in logarithmic units, and times in every form that is unambiguous."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from astropy.time import Time

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.tables.formats import numbers
from mirical.tables.quantities import epochs
from samples import load, photometry, repeated, write_ecsv

MAGNITUDE = 0.4 * np.log(10)


@pytest.mark.parametrize("kind", ["ecsv", "fits"])
@pytest.mark.parametrize(
    ("unit", "ratio"),
    [("mag", 1), ("mag(DN/s)", 1), ("dex", 2.5), ("dex(DN/s)", 2.5), ("dB(DN/s)", 0.25)],
)
def test_an_error_in_logarithms_is_the_slope_times_it(
    unit: str, ratio: float, kind: str, tmp_path: Path
):
    table = photometry()
    table["ifluxunc"] = [0.01, 0.02, 0.03]
    table["ifluxunc"].unit = unit
    read = load(table, tmp_path, kind).table
    expected = ratio * MAGNITUDE * np.array([0.01, 0.02, 0.03]) * read["iflux"].value
    np.testing.assert_allclose(read["ifluxunc"].to_value("DN/s"), expected, rtol=1e-14)


def test_magnitudes_and_their_errors_are_converted_together(tmp_path: Path):
    table = repeated(2, model_flux=[16.4, 16.4], model_flux_unc=[0.01, 0.01])
    table["model_flux"].unit = table["model_flux_unc"].unit = "mag(AB)"
    read = load(table, tmp_path).table
    flux = 3631e3 * 10 ** (-0.4 * 16.4)  # mJy; 3631 Jy of AB are 3630.78
    np.testing.assert_allclose(read["model_flux"].to_value("mJy"), flux, rtol=1e-4)
    ratio = (read["model_flux_unc"] / read["model_flux"]).value
    np.testing.assert_allclose(ratio, 0.01 * MAGNITUDE, rtol=1e-14)


def test_an_error_in_magnitudes_of_another_quantity_is_refused(tmp_path: Path):
    table = photometry()
    table["ifluxunc"].unit = "mag(AB)"
    sentence = r"column 'ifluxunc' is in mag\(AB\); expected DN / s or a unit that converts to it"
    with pytest.raises(InputError, match=sentence):
        load(table, tmp_path)


MJD = [59762.5, 59830.4, 59830.5]
TIMES: dict[str, Any] = {
    "mjd": Time(MJD, format="mjd"),
    "jd": Time(MJD, format="mjd").copy("jd"),
    "isot": Time(MJD, format="mjd").copy("isot"),
    "TT": Time(MJD, format="mjd").tt,
    "text": Time(MJD, format="mjd").isot,
    "text with a blank": [text.replace("T", " ") for text in Time(MJD, format="mjd").isot],
    "text with Z": [f"{text}Z" for text in Time(MJD, format="mjd").isot],
    "Julian dates": np.array(MJD) + 2400000.5,
    "text of numbers": [str(mjd) for mjd in MJD],
}


@pytest.mark.parametrize("kind", ["ecsv", "fits"])
@pytest.mark.parametrize("case", TIMES)
def test_a_time_is_read_in_every_form_that_is_unambiguous(case: str, kind: str, tmp_path: Path):
    table = photometry()
    table["time"] = TIMES[case]
    if kind == "fits":
        with pytest.warns(Warning, match="DN / s"):
            table.write(tmp_path / "rows.fits")
        read = _loaded(tmp_path / "rows.fits")
    else:
        read = _loaded(write_ecsv(table, tmp_path / "rows.ecsv"))
    np.testing.assert_allclose(read.table["time"].to_value("d"), MJD, rtol=0, atol=1e-8)
    assert any("Julian dates" in note for note in read.notes) == (case == "Julian dates")


def _loaded(path: Path):
    from mirical.tables.photometry import load_photometry

    return load_photometry(str(path), MIRI, "test")


def test_a_time_that_is_missing_is_missing():
    masked = Time(np.ma.masked_array(MJD, mask=[False, True, False]), format="mjd")
    for column in (masked, MaskedColumn(MJD, mask=[0, 1, 0]), ["2022-07-02T12:00:00", "", "x" * 0]):
        read = epochs(Table({"time": column})["time"], "rows", [])
        assert read[0] == 59762.5 and np.isnan(read[1])


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (["2022-07-02", "2022-07-02 noon"], "row 2: column 'time' is '2022-07-02 noon'; expected"),
        (["2022-07-02T12:00+02:00"], "row 1: column 'time' is '2022-07-02T12:00\\+02:00'; expec"),
        (["2022-13-02T12:00:00"], "cannot be read as dates of column 'time'"),
        ([[59800.0, 0.5]], "column 'time' holds arrays; expected one number a row"),
        ([True, False], "column 'time' is not numeric"),
        ([1j], "column 'time' is not numeric"),
    ],
)
def test_a_time_that_is_ambiguous_is_refused(entries: list[Any], sentence: str):
    with pytest.raises(InputError, match=f"^rows:? ?{sentence}"):
        epochs(Table({"time": entries})["time"], "rows", [])


def test_masked_and_big_endian_numbers_are_read():
    column = MaskedColumn(np.array([1.0, 2.0], dtype=">f4"), mask=[0, 1], unit="mJy")
    column.info.name = "flux"
    read = numbers(column, column.unit, "rows")
    assert read[0].value == 1 and np.isnan(read[1]) and read.dtype == np.float64
