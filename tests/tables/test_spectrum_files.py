"""Files of spectra: what is read, what is refused."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.tables.spectra import band_fluxes
from mirical.tables.spectrum_files import read_spectrum

WAVELENGTH = np.linspace(4e4, 3.2e5, 100)
FLUX = 1e-14 * (5e4 / WAVELENGTH) ** 4


def write(path: Path, wavelength: object, flux: object, *units: str | None) -> Path:
    columns = [
        fits.Column(
            name, f"{np.shape(values)[1]}D" if np.ndim(values) > 1 else "D", unit, array=values
        )
        for name, values, unit in zip(
            ("wavelength", "Flux"), (wavelength, flux), units or ("ANGSTROMS", "FLAM"), strict=True
        )
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


def changed(values: np.ndarray, row: int, value: float) -> np.ndarray:
    return np.where(np.arange(len(values)) == row - 1, value, values)


REFUSED = {
    "nan": (
        (WAVELENGTH, changed(FLUX, 7, np.nan)),
        "x.fits row 7: column 'FLUX' is nan; expected a number. Leave the row out, or correct it.",
    ),
    "infinite": (
        (WAVELENGTH, changed(FLUX, 100, np.inf)),
        "x.fits row 100: column 'FLUX' is inf; expected a number. Leave the row out, or correct "
        "it.",
    ),
    "twice": (
        (changed(WAVELENGTH, 3, WAVELENGTH[1]), FLUX),
        "x.fits row 3: column 'WAVELENGTH' is 42828.28283; expected each further along than that "
        "before. Leave the row out, or correct it.",
    ),
    "padded": (
        (np.append(WAVELENGTH, [0, 0]), np.append(FLUX, [0, 0])),
        "x.fits row 101: column 'WAVELENGTH' is 0; expected a number above 0. Leave the row out, "
        "or correct it.",
    ),
    "no wavelength": (
        (changed(WAVELENGTH, 2, np.nan), FLUX),
        "x.fits row 2: column 'WAVELENGTH' is nan; expected a number above 0. Leave the row out, "
        "or correct it.",
    ),
    "one point": (
        (WAVELENGTH[:1], FLUX[:1]),
        "x.fits: has 1 rows; expected a spectrum.",
    ),
    "arrays": (
        (WAVELENGTH.reshape(1, -1), FLUX.reshape(1, -1)),
        "x.fits: column 'wavelength' holds arrays; expected one number a row.",
    ),
    "no unit": (
        (WAVELENGTH, FLUX, "ANGSTROMS", None),
        "x.fits: column 'Flux' has no unit (TUNIT); expected erg/s/cm2/Angstrom (FLAM).",
    ),
    "unknown unit": (
        (WAVELENGTH, FLUX, "parrots", "FLAM"),
        "x.fits: column 'wavelength' is in 'parrots'; expected Angstrom.",
    ),
    "no length": (
        (WAVELENGTH, FLUX, "s", "FLAM"),
        "x.fits: column 'WAVELENGTH' is in s; expected Angstrom or another unit of length.",
    ),
    "no flux": (
        (WAVELENGTH, FLUX, "Angstrom", "MJy/sr"),
        "x.fits: column 'FLUX' is in MJy / sr; expected erg/s/cm2/Angstrom (FLAM) or another unit "
        "of flux density.",
    ),
    "magnitudes": (
        (WAVELENGTH, FLUX, "Angstrom", "ABMAG"),
        "x.fits: column 'FLUX' is in mag(AB); expected erg/s/cm2/Angstrom (FLAM) or another unit "
        "of flux density.",
    ),
    "micron called Angstrom": (
        (WAVELENGTH / 1e4, FLUX),
        "x.fits: covers no imaging band; it reaches from 0.0004 um to 0.0032 um (is the unit of "
        "WAVELENGTH right?).",
    ),
    "negative": (
        (WAVELENGTH, -FLUX),
        "x.fits: its flux density in F560W comes out as -668 mJy; expected a spectrum whose mean "
        "in each band is positive.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_spectrum_that_cannot_be_used_is_refused_with_its_first_bad_row(
    case: str, tmp_path: Path
):
    written, sentence = REFUSED[case]
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        band_fluxes(write(tmp_path / "x.fits", *written), MIRI)


def test_files_that_are_no_spectra_are_refused(tmp_path: Path):
    good = write(tmp_path / "good.fits", WAVELENGTH, FLUX)
    with fits.open(good) as extensions:
        fits.HDUList([*extensions, extensions[1].copy()]).writeto(tmp_path / "two.fits")
        extensions[1].columns["Flux"].name = "rate"
        extensions.writeto(tmp_path / "none.fits")
    ending = "; expected one, as CALSPEC's files have it."
    for name, many in (("two", "has 2 tables"), ("none", "has no table")):
        sentence = f"{name}.fits: {many} with columns WAVELENGTH and FLUX{ending}"
        with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
            read_spectrum(tmp_path / f"{name}.fits")
    content = good.read_bytes()
    (tmp_path / "cut.fits").write_bytes(content[:-2000])
    (tmp_path / "cut.fits.gz").write_bytes(gzip.compress(content)[:-500])
    for name in ("cut.fits", "cut.fits.gz"):
        with pytest.raises(InputError, match=rf"^{name}: cannot be read as a CALSPEC spectrum \("):
            read_spectrum(tmp_path / name)


def test_other_units_and_falling_wavelengths_come_to_the_same(tmp_path: Path):
    expected = band_fluxes(write(tmp_path / "x.fits", WAVELENGTH, FLUX), MIRI)
    fnu = FLUX * WAVELENGTH**2 / 2.99792458e18 * 1e23
    other = band_fluxes(
        write(tmp_path / "y.fits", WAVELENGTH[::-1] / 1e4, fnu[::-1], "um", "Jy"), MIRI
    )
    assert list(other) == list(expected)
    for band, flux in expected.items():
        assert other[band].to_value("mJy") == pytest.approx(flux.to_value("mJy"), rel=1e-6)


def test_a_band_that_begins_before_the_spectrum_has_no_flux(tmp_path: Path):
    late = WAVELENGTH > 9e4
    fluxes = band_fluxes(write(tmp_path / "x.fits", WAVELENGTH[late], FLUX[late]), MIRI)
    assert "F560W" not in fluxes and "F770W" not in fluxes and "F1500W" in fluxes
