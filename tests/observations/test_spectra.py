"""Synthetic photometry of spectra made so that the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mirical.bands import BANDS, IMAGING_BANDS
from mirical.errors import InputError
from mirical.observations.spectra import band_fluxes, imaging_bandpass, predict
from samples import shipped_table

C_ANGSTROM_PER_S = 2.99792458e18


def write_flat(path: Path, millijansky: float, longest: float = 320_000.0) -> Path:
    """Write a spectrum of constant F_nu, from 4 micron to `longest` Angstrom."""
    wavelength = np.geomspace(40_000.0, longest, 20_001)
    flux = millijansky * 1e-26 * C_ANGSTROM_PER_S / wavelength**2
    table = Table({"WAVELENGTH": wavelength, "FLUX": flux})
    extension = fits.table_to_hdu(table)
    extension.header["TUNIT1"], extension.header["TUNIT2"] = "ANGSTROMS", "FLAM"
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto(path)
    return path


def test_a_flat_spectrum_has_its_own_flux_in_every_band(tmp_path: Path):
    # This is what makes the pivot wavelength the right one, whatever the bandpass.
    fluxes = band_fluxes(write_flat(tmp_path / "flat.fits", 3.0))
    assert list(fluxes) == list(IMAGING_BANDS)
    for flux in fluxes.values():
        assert flux.to_value("mJy") == pytest.approx(3.0, rel=1e-5)


def test_a_band_the_spectrum_does_not_cover_has_no_flux(tmp_path: Path):
    fluxes = band_fluxes(write_flat(tmp_path / "short.fits", 3.0, longest=200_000.0))
    assert list(fluxes) == [
        b for b in IMAGING_BANDS if imaging_bandpass(b).waveset[-1].value <= 2e5
    ]
    assert "F1500W" in fluxes and "F2100W" not in fluxes


def test_other_bands_are_interpolated_in_units_of_zero_magnitude(tmp_path: Path):
    write_flat(tmp_path / "gd71_stis_001.fits", 3.0)
    table = predict(tmp_path, {})
    assert list(table["filter"]) == list(BANDS)
    row = table[table["filter"] == "FND"][0]
    zero = dict(zip(*(shipped_table("table6")[c] for c in ("filter", "f_nu")), strict=True))
    weight = (12.900 - 12.810) / (15.062 - 12.810)
    ratio = 3.0 * ((1 - weight) / zero["F1280W"] + weight / zero["F1500W"])
    assert row["model_flux"].to_value("mJy") == pytest.approx(ratio * zero["FND"], rel=1e-5)
    assert (row["method"], row["bandpass"]) == ("interpolated", "between F1280W and F1500W")


def test_an_interpolated_band_needs_both_neighbours(tmp_path: Path):
    write_flat(tmp_path / "gd71_stis_001.fits", 3.0, longest=200_000.0)
    assert set(predict(tmp_path, {})["filter"]) & {"F1550C", "F2300C"} == set()


def test_the_newest_of_several_spectra_is_taken_and_other_files_are_left_alone(tmp_path: Path):
    write_flat(tmp_path / "gd71_stisnic_002.fits", 2.0)
    write_flat(tmp_path / "gd71_stis_010.fits", 10.0)
    write_flat(tmp_path / "gd71_mod_099_old.fits", 99.0)
    write_flat(tmp_path / "gd711_stis_020.fits", 20.0)
    table = predict(tmp_path, {})
    assert set(table["spectrum"]) == {"gd71_stis_010.fits"} and set(table["name"]) == {"GD 71"}


def test_a_star_of_the_user_s_own_is_added_or_replaces_the_program_s(tmp_path: Path):
    write_flat(tmp_path / "gd71_stis_001.fits", 1.0)
    mine = write_flat(tmp_path / "mine.fits", 5.0)
    table = predict(tmp_path, {"My Star": mine, "GD71": mine})
    first = table[table["filter"] == "F770W"]
    assert list(first["name"]) == ["GD 71", "My Star"]
    np.testing.assert_allclose(first["model_flux"].to_value("mJy"), [5.0, 5.0], rtol=1e-5)


def test_what_cannot_be_integrated_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"no such folder; expected a folder of CALSPEC FITS"):
        predict(tmp_path / "nothing", {})
    with pytest.raises(InputError, match=r"no CALSPEC spectrum of a program star there; expected"):
        predict(tmp_path, {})
    with pytest.raises(
        InputError, match=r"missing\.fits: no such file; expected a CALSPEC spectrum\.$"
    ):
        predict(tmp_path, {"My Star": tmp_path / "missing.fits"})
    (tmp_path / "text.fits").write_text("no spectrum")
    with pytest.raises(
        InputError, match=r"text\.fits: cannot be read as a CALSPEC spectrum; expected a"
    ):
        band_fluxes(tmp_path / "text.fits")
