"""Synthetic photometry of spectra made so that the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from miri_facts import BANDS, IMAGING_BANDS, MIRI
from mirical.errors import InputError
from mirical.instruments.bandpasses import bandpass
from mirical.tables.spectra import band_fluxes, predict
from samples import shipped_table

C_ANGSTROM_PER_S = 2.99792458e18


def write(path: Path, wavelength: np.ndarray, flux: np.ndarray, *units: str) -> Path:
    """Write a spectrum, in Angstrom and FLAM if no units are given."""
    extension = fits.table_to_hdu(Table({"WAVELENGTH": wavelength, "FLUX": flux}))
    for i, unit in enumerate(units or ("ANGSTROMS", "FLAM"), start=1):
        if unit:
            extension.header[f"TUNIT{i}"] = unit
    fits.HDUList([fits.PrimaryHDU(), extension]).writeto(path)
    return path


def write_flat(path: Path, millijansky: float, longest: float = 320_000.0) -> Path:
    """Write a spectrum of constant F_nu, from 4 micron to `longest` Angstrom."""
    wavelength = np.geomspace(40_000.0, longest, 20_001)
    return write(path, wavelength, millijansky * 1e-26 * C_ANGSTROM_PER_S / wavelength**2)


def test_a_flat_spectrum_has_its_own_flux_in_every_band(tmp_path: Path):
    # This is what makes the pivot wavelength the right one, whatever the bandpass.
    fluxes = band_fluxes(write_flat(tmp_path / "flat.fits", 3.0), MIRI)
    assert list(fluxes) == list(IMAGING_BANDS)
    for flux in fluxes.values():
        assert flux.to_value("mJy") == pytest.approx(3.0, rel=1e-5)


def test_a_band_the_spectrum_does_not_cover_has_no_flux(tmp_path: Path):
    fluxes = band_fluxes(write_flat(tmp_path / "short.fits", 3.0, longest=200_000.0), MIRI)
    assert list(fluxes) == [b for b in IMAGING_BANDS if bandpass(b, MIRI).waveset[-1].value <= 2e5]
    assert "F1500W" in fluxes and "F2100W" not in fluxes


def test_other_bands_are_interpolated_in_units_of_zero_magnitude(tmp_path: Path):
    write_flat(tmp_path / "gd71_stis_001.fits", 3.0)
    table = predict(tmp_path, {}, MIRI)
    assert list(table["filter"]) == list(BANDS)
    row = table[table["filter"] == "FND"][0]
    zero = dict(zip(*(shipped_table("table6")[c] for c in ("filter", "f_nu")), strict=True))
    weight = (12.900 - 12.810) / (15.062 - 12.810)
    ratio = 3.0 * ((1 - weight) / zero["F1280W"] + weight / zero["F1500W"])
    assert row["model_flux"].to_value("mJy") == pytest.approx(ratio * zero["FND"], rel=1e-5)
    assert (row["method"], row["bandpass"]) == ("interpolated", "between F1280W and F1500W")


def test_an_interpolated_band_needs_both_neighbours(tmp_path: Path):
    write_flat(tmp_path / "gd71_stis_001.fits", 3.0, longest=200_000.0)
    assert set(predict(tmp_path, {}, MIRI)["filter"]) & {"F1550C", "F2300C"} == set()


def test_the_best_of_several_series_is_taken_and_the_others_are_named(tmp_path: Path):
    for name in ("stisnic_002", "stisnic_010", "stis_011", "fos_020", "mod_099", "mod_099_old"):
        write_flat(tmp_path / f"gd71_{name}.fits", 2.0)
    write_flat(tmp_path / "gd711_stis_020.fits", 20.0)
    table = predict(tmp_path, {}, MIRI)
    assert set(table["spectrum"]) == {"gd71_stisnic_010.fits"} and set(table["name"]) == {"GD 71"}
    assert table.meta["notes"] == [
        "GD 71: gd71_stisnic_010.fits is taken, not gd71_mod_099.fits, gd71_fos_020.fits, "
        "gd71_stis_011.fits, gd71_stisnic_002.fits (measured before model, most instruments, "
        "highest version)."
    ]


def test_a_model_is_taken_where_nothing_was_measured(tmp_path: Path):
    write_flat(tmp_path / "gd71_mod_007.fits", 2.0)
    table = predict(tmp_path, {}, MIRI)
    assert set(table["spectrum"]) == {"gd71_mod_007.fits"} and "notes" not in table.meta


def test_a_star_of_the_user_s_own_is_added_or_replaces_the_program_s(tmp_path: Path):
    write_flat(tmp_path / "gd71_stis_001.fits", 1.0)
    mine = write_flat(tmp_path / "mine.fits", 5.0)
    table = predict(tmp_path, {"My Star": mine, "GD71": mine}, MIRI)
    first = table[table["filter"] == "F770W"]
    assert list(first["name"]) == ["GD 71", "My Star"]
    np.testing.assert_allclose(first["model_flux"].to_value("mJy"), [5.0, 5.0], rtol=1e-5)
    taken = "GD 71: mine.fits is taken, not gd71_stis_001.fits (it was given for it)."
    assert table.meta["notes"] == [taken]


def test_names_of_the_users_own_are_checked(tmp_path: Path):
    mine = write_flat(tmp_path / "mine.fits", 5.0)
    table = predict(tmp_path, {"HD 163467": mine}, MIRI)
    slip = "'HD 163467' is no star of the program's; did you mean 'HD 163466'?"
    assert table.meta["notes"] == [slip]
    with pytest.raises(InputError, match=r"^fluxes: 'GD71' and 'GD 71' are the same star; give"):
        predict(tmp_path, {"GD71": mine, "GD 71": mine}, MIRI)
    with pytest.raises(InputError, match=r"^fluxes: '\\t' is no name of a star\.$"):
        predict(tmp_path, {"\t": mine}, MIRI)


def test_noise_is_averaged_over_every_point_and_negative_fluxes_are_kept(tmp_path: Path):
    wavelength = np.linspace(4e4, 3.2e5, 40_001)
    flat = C_ANGSTROM_PER_S * 3e-26 / wavelength**2
    # Every other point is negative: on average the flux is 3 mJy.
    swing = 1 + 4 * (-1.0) ** np.arange(len(wavelength))
    fluxes = band_fluxes(write(tmp_path / "x.fits", wavelength, swing * flat), MIRI)
    for flux in fluxes.values():
        assert flux.to_value("mJy") == pytest.approx(3.0, rel=2e-3)


def test_what_cannot_be_integrated_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"no such folder; expected a folder of CALSPEC FITS"):
        predict(tmp_path / "nothing", {}, MIRI)
    with pytest.raises(InputError, match=r"no CALSPEC spectrum of a program star there; expected"):
        predict(tmp_path, {}, MIRI)
    with pytest.raises(
        InputError, match=r"missing\.fits: no such file; expected a CALSPEC spectrum\.$"
    ):
        predict(tmp_path, {"My Star": tmp_path / "missing.fits"}, MIRI)
    (tmp_path / "text.fits").write_text("no spectrum")
    with pytest.raises(
        InputError, match=r"text\.fits: cannot be read as a CALSPEC spectrum \(.*\); expected a"
    ):
        band_fluxes(tmp_path / "text.fits", MIRI)
