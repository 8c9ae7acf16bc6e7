"""FITS photometry: several tables in a file, units and apertures that FITS loses."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.tables.photometry import Observations, load_photometry
from samples import photometry, repeated, setting, unit, write_fits

RADII = [4.22, 8.92, 14.64]
NOT_STATED = "rows.fits: does not say which apertures it was measured in, and those it is "


def read(folder: Path, tables: Sequence[Table]) -> Observations:
    """Write tables into one FITS file as astropy does, and read it as photometry."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the unit that is lost
        hdus = [fits.PrimaryHDU(), *(fits.table_to_hdu(table) for table in tables)]
    fits.HDUList(hdus).writeto(folder / "rows.fits")
    return load_photometry(str(folder / "rows.fits"), MIRI, "test")


def test_a_table_a_star_is_one_table(tmp_path: Path):
    later = repeated(2)
    later["inttime"] = [27.75, 27.75]
    later.remove_column("flux")
    made = read(tmp_path, [photometry(), later])
    assert list(made.table["row"]) == [1, 2, 3, 4, 5]
    assert list(made.table["name"]) == [*photometry()["name"], *later["name"]]
    np.testing.assert_array_equal(made.table["inttime"].value, [np.nan] * 3 + [27.75] * 2)
    np.testing.assert_array_equal(made.table["flux"].value, [414.0, 0.458, 0.215] + [np.nan] * 2)
    assert made.notes[0] == (
        "rows.fits: 2 tables (rows.fits[1], rows.fits[2]) are read as one, their rows numbered "
        "through."
    )


def test_tables_in_other_units_are_converted_before_they_are_one(tmp_path: Path):
    other = repeated(1, flux=[458.0])
    unit("flux", "uJy")(other)
    made = read(tmp_path, [photometry(), other]).table
    assert made["flux"][3].to_value("mJy") == pytest.approx(0.458)


def test_a_table_of_something_else_is_left_out_and_named(tmp_path: Path):
    made = read(tmp_path, [Table({"ra": [1.0]}), photometry()])
    assert len(made.table) == 3
    assert any(note.startswith("rows.fits[1]: not read; no photometry") for note in made.notes)


def test_a_table_that_nearly_has_the_columns_is_refused(tmp_path: Path):
    lacking = photometry()
    lacking.rename_column("iflux", "counts")
    with pytest.raises(
        InputError,
        match=r"^rows\.fits\[2\]: one of 2 tables, and has no column 'iflux'; all tables of a file "
        r"are read as one: give it the column, or name "
        r"the one that is meant, such as rows\.fits\[1\]\.$",
    ):
        read(tmp_path, [photometry(), lacking])
    one = load_photometry(f"{tmp_path / 'rows.fits'}[1]", MIRI, "test")
    assert len(one.table) == 3 and one.source == "rows.fits[1]"
    with pytest.raises(
        InputError, match=r"^rows\.fits\[5\]: no table of that name; the file has \[1"
    ):
        load_photometry(f"{tmp_path / 'rows.fits'}[5]", MIRI, "test")


def test_tables_none_of_which_is_photometry_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"^rows\.fits: 2 tables, none with the columns name, src"):
        read(tmp_path, [Table({"ra": [1.0]}), Table({"dec": [1.0]})])


def test_a_file_without_a_table_is_refused(tmp_path: Path):
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "rows.fits")
    with pytest.raises(InputError, match=r"^rows\.fits: is FITS without a table"):
        load_photometry(str(tmp_path / "rows.fits"), MIRI, "test")


def test_a_row_of_a_later_table_is_named_with_its_table(tmp_path: Path):
    bad = repeated(2)
    setting("subarray", 2, "")(bad)
    with pytest.raises(InputError, match=r"^rows\.fits\[2\] row 2: column 'subarray' is blank"):
        read(tmp_path, [photometry(), bad])


def test_a_table_cut_short_is_not_read_in_part(tmp_path: Path):
    path = write_fits(repeated(200), tmp_path / "rows.fits")
    path.write_bytes(path.read_bytes()[:-2880])
    with pytest.raises(InputError, match=r"^rows\.fits: cannot be read as FITS \(buffer is too sm"):
        load_photometry(str(path), MIRI, "test")


def test_two_columns_of_one_name_are_refused(tmp_path: Path):
    path = write_fits(photometry(), tmp_path / "rows.fits")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"'ifluxunc'", b"'iflux   '"))
    with pytest.raises(InputError, match=r"two columns are called 'iflux'; rename or drop one"):
        load_photometry(str(tmp_path / "rows.fits"), MIRI, "test")


def test_the_unit_that_fits_loses_is_that_of_the_contract_and_said(tmp_path: Path):
    made = read(tmp_path, [photometry()])
    assert list(made.table["iflux"].to_value("DN/s")) == [879000.0, 4300.0, 472.0]
    assert made.notes[0] == (
        "rows.fits: columns without a unit are taken to be in: iflux [DN / s], "
        "ifluxunc [DN / s]; FITS writers drop DN, which TUNITn keywords state."
    )


def test_a_unit_that_fits_keeps_is_neither_assumed_nor_mentioned(tmp_path: Path):
    write_fits(photometry(), tmp_path / "rows.fits")
    (note,) = load_photometry(str(tmp_path / "rows.fits"), MIRI, "test").notes
    assert note.startswith(NOT_STATED)


def with_radii(*radii: Sequence[float]) -> Table:
    table = repeated(len(radii))
    for name, column in zip(("r_a", "r_b1", "r_b2"), zip(*radii, strict=True), strict=True):
        table[name] = column
    return table


def test_radii_in_columns_outlive_fits(tmp_path: Path):
    made = read(tmp_path, [with_radii(RADII, RADII)])
    assert made.measured_in == {"F770W": tuple(RADII)}
    assert not any(note.startswith(NOT_STATED) for note in made.notes)


def test_two_reductions_in_one_table_are_refused_by_their_columns(tmp_path: Path):
    sentence = (
        r"^rows\.fits: F770W was measured with r_a, r_b1, r_b2 = 4\.22, 8\.92, 14\.64 pixels in "
        r"some rows and with 6, 20, 25 in others: two reductions in one table; fit them apart, or "
    )
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, [with_radii(RADII, [6.0, 20.0, 25.0])])


def flux_cal(names: Sequence[str]) -> QTable:
    """Return a table with the columns of ImagingFluxCal's photometry files that matter here."""
    from astropy import units as u

    rate, count = u.DN / u.s, len(names)
    return QTable(
        {
            "name": names,
            "filter": ["F770W"] * count,
            "subarray": ["FULL"] * count,
            "nints": [1] * count,
            "ngroups": [10] * count,
            "tgroup": [2.775] * count,
            "timemid": (59800.0 + np.arange(count)) * u.day,
            "program": ["01536"] * count,
            "filename": ["a_i2d.fits"] * count,
            "aprad": [4.2231] * count,
            "apcorr": [1.44] * count,
            "annrad1": [8.9184] * count,
            "annrad2": [14.6377] * count,
            "aperture_sum": [5000.0] * count * rate,
            "pix_max": [500.0] * count * rate,
            "mean_bkg": [18.0] * count * rate,
            "aperture_sum_bkgsub": [4300.0] * count * rate,
            "aperture_sum_bkgsub_err": [6.0] * count * rate,
        }
    )


def test_tables_of_the_imaging_flux_cal_code_are_photometry(tmp_path: Path):
    path = tmp_path / "F770W_eefrac0.7_phot.fits"
    with pytest.warns(Warning, match="DN / s"):
        flux_cal(["BD+60-1753", "G191B2B", "SOMEBODY"]).write(path)
    made = load_photometry(str(path), MIRI, "test")
    table = made.table
    assert list(table["name"]) == ["BD+60 1753", "G 191-B2B", "SOMEBODY"]
    assert list(table["srctype"]) == ["ADwarfs", "HotStars", ""]
    assert list(table["flag"]) == ["", "", "unknown_type"]
    assert list(table["PID"]) == ["01536"] * 3
    assert list(table["time"].to_value("d")) == [59800.0, 59801.0, 59802.0]
    assert list(table["iflux"].to_value("DN/s")) == [4300.0] * 3
    assert list(table["ifluxunc"].to_value("DN/s")) == [6.0] * 3
    assert list(table["ibkg"].to_value("DN/(s pix)")) == [18.0] * 3
    assert list(table["inttime"].to_value("s")) == pytest.approx([27.75] * 3)
    assert made.measured_in == {"F770W": tuple(RADII)}
    assert made.notes == ()
